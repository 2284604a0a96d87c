/* The compiler and its result: network x accelerator -> schedule.
 *
 * One place decides how every layer runs: which dimension each PE axis splits, which layers'
 * parameters stay on chip between inferences and which are streamed, which activations stay on
 * chip. Simulators, tables and explanations read the schedule and decide nothing. */
#ifndef CS_SIM_SCHEDULE_H
#define CS_SIM_SCHEDULE_H

#include "sim/accelerator.h"
#include "sim/network.h"

/* Why a design cannot run. An answer, not an error. The numbers are stored: never renumber. */
#define CS_REASON_MAP(X)                                                                           \
    X(NONE, 0, "feasible")                                                                         \
    X(CORE_MEMORY, 1, "core memory cannot hold one block of weights for the lanes")                \
    X(PE_MEMORY, 2, "PE memory cannot hold the smallest tile of a layer")                          \
    X(FAILED, 3, "a metric is not a finite number")

typedef enum cs_reason {
#define X(name, number, text) CS_REASON_##name = number,
    CS_REASON_MAP(X)
#undef X
        CS_REASON_COUNT
} cs_reason;

const char *cs_reason_text(cs_reason reason);

/* What a PE axis splits. */
typedef enum cs_split {
    CS_SPLIT_SPACE,    /* the layer's rows (y axis) or columns (x axis) */
    CS_SPLIT_CHANNELS, /* its output channels */
} cs_split;

/* How one layer runs. Bytes are of the whole chip unless they say otherwise. */
typedef struct cs_step {
    cs_split split_x, split_y;
    uint64_t compute_cycles; /* of the slowest PE */
    uint64_t weight_bytes;   /* stored form, padded to lanes and SIMD ways */
    bool cached;             /* weights stay on chip between inferences */
    uint32_t weight_passes;  /* how often streamed weights are read from off-chip */
    bool input_off_chip;     /* read from off-chip memory (network input, or spilled) */
    bool output_off_chip;    /* written to off-chip memory (network output, or spilled) */
    uint64_t off_chip_read_bytes, off_chip_write_bytes;
    uint64_t pe_memory_read_bytes, pe_memory_write_bytes;
    uint64_t core_memory_read_bytes, core_memory_write_bytes;
} cs_step;

typedef struct cs_schedule {
    cs_step *steps; /* owned; one a layer of the network, in its order */
    uint32_t step_count;
    uint32_t capacity;
    uint64_t cached_bytes;   /* sum over cached layers */
    uint64_t streamed_bytes; /* sum over the others, one pass */
    uint64_t peak_activation_bytes;
    cs_reason reason; /* CS_REASON_NONE: feasible */
    cs_layer_id reason_layer;
    /* scratch of the compiler, kept between calls */
    uint32_t *last_use;
} cs_schedule;

/* A zeroed cs_schedule is empty. */
void cs_schedule_release(cs_schedule *schedule);

/* Schedule a network. Reuses the schedule's memory and allocates only for a larger network than
 * before. An infeasible design succeeds with schedule->reason and reason_layer set; failure is
 * want of memory. */
CS_MUST_CHECK cs_status cs_compile(const cs_network *network, const cs_accelerator *accelerator,
                                   cs_schedule *schedule, cs_error *err);

#endif
