/* The compiler and its result: network x accelerator -> schedule.
 *
 * One place decides how every layer runs: what each PE axis splits, the order of loops and the size
 * of fills, strips, where tensors lie, which layers' parameters stay on chip between inferences,
 * which are streamed and which of these are brought ahead of their layer. Simulators, tables,
 * trace, executor and explanations read the schedule and decide nothing.
 *
 * Two policies decide:
 *
 * - `vendor`, as the vendor's compiler does for the Coral chip (vendor.h);
 * - `best`, which tries the knobs of knobs.h for every layer and other sets of cached parameters,
 *   and takes what the closed form of timing.h says is fastest. It tries what `vendor` decides,
 *   too, and what either would with less PE memory, and is by that form never slower. It depends
 *   on clock and link.
 *
 * Both schedule for the machine that step.h describes. The samples of a batch run one after
 * another; a schedule is of one. Bits other than 8 are not supported. */
#ifndef CS_SIM_COMPILER_SCHEDULE_H
#define CS_SIM_COMPILER_SCHEDULE_H

#include "sim/accelerator/accelerator.h"
#include "sim/accelerator/energy.h"
#include "sim/compiler/knobs.h"
#include "sim/network/network.h"

/* Why a design cannot run. An answer, not an error. The numbers are stored: never renumber. */
#define CS_REASON_MAP(X)                                                                           \
    X(NONE, 0, "feasible")                                                                         \
    X(CORE_MEMORY, 1, "core memory cannot hold a word of weights for each lane")                   \
    X(PE_MEMORY, 2, "PE memory cannot hold the smallest strip of a layer")                         \
    X(FAILED, 3, "a metric is not a finite number")                                                \
    X(UNSUPPORTED, 4, "operation not supported by the accelerator")

typedef enum cs_reason {
#define X(name, number, text) CS_REASON_##name = number,
    CS_REASON_MAP(X)
#undef X
        CS_REASON_COUNT
} cs_reason;

const char *cs_reason_text(cs_reason reason);

#define CS_POLICY_MAP(X)                                                                           \
    X(BEST, "best")     /* the fastest that is found */                                            \
    X(VENDOR, "vendor") /* as the vendor's compiler does for the Coral chip */

typedef enum cs_policy {
#define X(name, text) CS_POLICY_##name,
    CS_POLICY_MAP(X)
#undef X
        CS_POLICY_COUNT
} cs_policy;

const char *cs_policy_name(cs_policy policy);

/* The policy of that name; false for any other name. */
bool cs_policy_find(const char *name, cs_policy *policy);

/* What the machine and the vendor's rules know, each of which can be left out to see what it
 * explains: name, what holds without it. */
#define CS_MECHANISM_MAP(X)                                                                        \
    X(LINK_PASSES, "streamed weights cross the link once")                                         \
    X(STRIPS, "every layer in one strip")                                                          \
    X(CACHING, "no parameters stay on the chip")                                                   \
    X(SPACE_SPLIT, "PEs split output channels only")                                               \
    X(PADDING, "weights stored as they are, not padded")                                           \
    X(OVERLAP, "streaming and computing one after the other")                                      \
    X(PRIMING, "no rows of their own for a halo")                                                  \
    X(HALOS, "tensors without their halos in memory")                                              \
    X(CAPACITY, "all PE memory caches parameters")                                                 \
    X(PARTIAL_SUMS, "partial sums cost no cycles")                                                 \
    X(FILLS, "fills of weights cost no cycles")                                                    \
    X(DEPTHWISE, "depthwise layers use all lanes")                                                 \
    X(INSTRUCTIONS, "instructions are on the chip already")                                        \
    X(STREAM_START, "streaming starts at once")

typedef enum cs_mechanism {
#define X(name, text) CS_MECHANISM_##name,
    CS_MECHANISM_MAP(X)
#undef X
        CS_MECHANISM_COUNT
} cs_mechanism;

const char *cs_mechanism_text(cs_mechanism mechanism);

typedef struct cs_compile_options {
    cs_policy policy;
    cs_pins pins;     /* policy best: what is not to be chosen */
    uint32_t without; /* policy vendor: 1u << cs_mechanism, those that are left out; such a schedule
                         need not be executable */
} cs_compile_options;

/* How one layer runs. Rows, columns and memory are of the fullest PE, traffic of the chip. */
typedef struct cs_step {
    cs_knobs knobs;
    uint32_t tile_rows, tile_cols, tile_channels; /* of the output */
    uint32_t strips;
    uint32_t channel_passes;       /* over output channels */
    uint32_t core_fills;           /* of weights in a pass; 0 without weights */
    uint64_t fills;                /* of a PE in all: strips x passes x core fills */
    uint32_t halo_rows, halo_cols; /* of the output, that its readers overlap by */

    uint64_t narrow_bytes; /* tensors of this step in narrow memory */
    uint64_t buffer_bytes; /* FIFO, partial sums, halos, results that wait, in wide memory */
    uint64_t spill_bytes;  /* tensors of this step in wide memory */
    uint64_t parked_bytes; /* tensors in wide memory that only other steps read */

    uint64_t weight_bytes;  /* stored form, padded to lanes and ways */
    uint32_t weight_passes; /* over the ring: once a strip */
    bool cached;            /* they stay on chip between inferences */
    bool prefetched;      /* they come into spare wide memory before the step, over the link once */
    bool input_off_chip;  /* an input is read over the link */
    bool output_off_chip; /* the result leaves over the link */

    uint64_t compute_cycles;  /* of the fullest PE's lanes */
    uint64_t sum_cycles;      /* in which they write and read partial sums */
    uint64_t fill_cycles;     /* of the ring */
    uint64_t exchange_cycles; /* of the mesh, before the first position */
    uint64_t run_cycles;      /* of all of these, as they overlap */
    uint64_t stream_cycles;   /* of the ring, for streamed weights of dense layers and cells */
    uint64_t bound_cycles;    /* cs_layer_bound_cycles */

    uint64_t off_chip_read_bytes, off_chip_write_bytes; /* while the step runs */
    uint64_t head_bytes, tail_bytes; /* of these, tensors of the first strip, which it waits for,
                                        and results of the last */
    uint64_t upload_bytes;           /* before it, which waits for them */
    uint64_t collect_bytes;          /* after it */
    bool quiet;     /* nothing crosses the link for it, so it takes its run_cycles */
    uint64_t macs;  /* cs_layer_macs */
    double start_s; /* before it, whatever clock and link */
    cs_traffic traffic;
} cs_step;

struct cs_layer_plan; /* the compiler's notes on a layer */
struct cs_way;
struct cs_best_layer;
struct cs_memo;

typedef struct cs_schedule {
    const cs_step **steps; /* owned; one a layer of the network, in its order. Valid until the
                              schedule is used again: equal layers share theirs */
    uint32_t step_count;
    uint32_t capacity;
    cs_policy policy;
    uint64_t cached_bytes;          /* sum over cached layers */
    uint64_t streamed_bytes;        /* sum over the others, one pass */
    uint64_t parameter_capacity;    /* bytes of the chip that it leaves to parameters */
    uint64_t prefetch_bytes;        /* of these, kept for weights that come ahead of their layer */
    uint64_t peak_activation_bytes; /* of the chip, tensors alive at once and where they lie */
    uint32_t calls;                 /* samples, each a call of the accelerator by its host */
    cs_reason reason;               /* CS_REASON_NONE: feasible */
    cs_layer_id reason_layer;
    cs_step *own_steps;          /* owned; those that no other layer has */
    struct cs_layer_plan *plans; /* owned; scratch of the compiler, kept between calls */
    struct cs_way *ways;         /* owned; the same */
    struct cs_best_layer *notes; /* owned; the same, of policy best */
    struct cs_memo *memo;        /* owned; layers that were scheduled before */
} cs_schedule;

/* A zeroed cs_schedule is empty; release frees what it holds and leaves it empty. */
void cs_schedule_release(cs_schedule *schedule);

/* Weights of a layer in stored form, 0 where it has none. */
uint64_t cs_layer_stored_bytes(const cs_layer *layer, const cs_accelerator *accelerator);

/* Schedule a network; `options` is NULL for policy best with nothing pinned. Reuses the schedule's
 * memory and allocates only for a larger network than before. An infeasible design succeeds with
 * schedule->reason and reason_layer set; failure is want of memory. */
CS_MUST_CHECK cs_status cs_compile(const cs_network *network, const cs_accelerator *accelerator,
                                   const cs_compile_options *options, cs_schedule *schedule,
                                   cs_error *err);

#endif
