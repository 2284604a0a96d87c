/* The closed form of time: how long steps take, one after another.
 *
 * A step first waits for its uploads, then runs: the cycles on chip, the ring, and each direction
 * of the link overlap, and the longest decides. Weights that are prefetched have crossed the link
 * before, from when the link and their place in wide memory were free; the last fill of
 * the first strip waits for the last of them. In the end results are collected. A maximum of sums:
 * no step is slower on a faster clock or link. Used by the simulator `analytic` and by policy
 * `best`. */
#ifndef CS_SIM_COMPILER_TIMING_H
#define CS_SIM_COMPILER_TIMING_H

#include "sim/accelerator/accelerator.h"
#include "sim/compiler/schedule.h"

typedef struct cs_rates {
    double clock_hz;
    double in_bytes_per_s, out_bytes_per_s;
    double cycle_s, in_byte_s, out_byte_s; /* of one */
    double call_s;
} cs_rates;

cs_rates cs_rates_of(const cs_accelerator *accelerator);

/* Where the walk over the steps has come; all zero before the first. */
typedef struct cs_walk {
    double now_s;
    double link_free_s;     /* for what comes in */
    double prefetch_free_s; /* the place of prefetched weights */
} cs_walk;

/* Seconds of a step and of what it uses. */
typedef struct cs_step_time {
    double latency_s;
    double wait_s;          /* before it runs: start, instructions and tensors that are uploaded */
    double run_s;           /* cycles on chip */
    double stream_s;        /* of the ring, for streamed weights */
    double read_s, write_s; /* of the link while the step runs; weights that were prefetched count
                               here, too */
    double late_s;          /* that it waits for prefetched weights in the end */
    double collect_s;       /* after it */
} cs_step_time;

cs_step_time cs_walk_step(cs_walk *walk, const cs_rates *rates, const cs_step *step);

/* The latency alone. */
static inline double cs_walk_latency(cs_walk *walk, const cs_rates *rates, const cs_step *step)
{
    if (!step->quiet) {
        return cs_walk_step(walk, rates, step).latency_s;
    }
    double before = walk->now_s;
    walk->now_s = before + (double)step->run_cycles * rates->cycle_s;
    return walk->now_s - before;
}

#endif
