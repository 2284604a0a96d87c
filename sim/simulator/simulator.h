/* Simulators: what a schedule costs.
 *
 * A simulator is a const struct of functions; every one passes the conformance suite
 * tests/sim/test_simulators.c. It has no state: threads share it. */
#ifndef CS_SIM_SIMULATOR_H
#define CS_SIM_SIMULATOR_H

#include "sim/accelerator/technology.h"
#include "sim/compiler/schedule.h"

#include <stddef.h>
#include <stdint.h>

/* The cost of one inference, or of one layer of it. */
typedef struct cs_cost {
    double latency_s;
    double energy_j;
    double compute_s;   /* time the busiest PE computes */
    double on_chip_s;   /* time the busiest memory port is used */
    double off_chip_s;  /* time the link is used */
    double utilization; /* MACs over peak MACs in latency_s: 0 .. 1 */
} cs_cost;

typedef struct cs_simulator {
    const char *name;
    /* Raised by every change that changes a result; stored with every job. */
    uint32_t revision;
    /* The schedule is feasible and of this network and accelerator. The total's times and energy
     * are the sums over the layers, in their order. `layers` is NULL or has room for
     * network->layer_count costs. */
    void (*simulate)(const cs_network *network, const cs_accelerator *accelerator,
                     const cs_technology *technology, const cs_schedule *schedule, cs_cost *total,
                     cs_cost *layers);
} cs_simulator;

/* Closed form: per layer the longest of compute, on-chip and off-chip time, which overlap within a
 * layer and not between layers; what a step uploads and collects overlaps with nothing. A call
 * costs its host's share in the first layer, an input. Energy: operations and accesses at the
 * supply that the clock needs, off-chip traffic, and idle power for the latency. */
extern const cs_simulator cs_simulator_analytic;

/* The simulators in a fixed order; NULL beyond the last. */
const cs_simulator *cs_simulator_at(size_t index);

/* The simulator of that name, or NULL. */
const cs_simulator *cs_simulator_find(const char *name);

#endif
