/* The compiler and its result: network x accelerator -> schedule.
 *
 * One place decides how every layer runs: which dimension each PE axis splits, which layers'
 * parameters stay on chip between inferences and which are streamed, which activations stay on
 * chip. Simulators, tables and explanations read the schedule and decide nothing.
 *
 * Two policies decide (cs_policy): `vendor` as the vendor's compiler does for the Coral chip
 * (vendor.h), and `general`, whose rules follow what public measurements and decoded programs of
 * that chip show (LibrEdgeTPU, tinycoral), carried over to the template:
 *
 * - Rows and columns of the output are split over the PE grid; an axis splits output channels
 *   instead where that takes fewer compute cycles. Dense layers split channels over all PEs.
 * - The lanes of all cores of a PE take different output channels; the ways of a lane take input
 *   channels of its group, so that a depthwise layer uses one way. All are rounded up.
 * - A convolution's weights are stored as kh * kw * ceil(Cin / groups to ways) * C bytes, where
 *   C is the number of output channels rounded up to lanes, and 8 * C for biases and multipliers; a
 *   dense layer's without the latter.
 * - Between layers a tensor lies spread over the grid by rows and columns. A tensor that does not
 *   fit while it is alive is off-chip for all its life; so are network input and output.
 * - Activations lie in narrow memory where PEs have it, else in PE memory. What they leave of PE
 *   memory caches parameters: whole layers, greedily in layer order, passing over those that do not
 *   fit.
 * - The second operand of a product of two activation tensors is brought to the core memories as
 *   weights are, once for each head. A cell makes the products of its gates step by step, and
 *   brings its weights to the cores for each step unless they stay there.
 * - Element-wise operations, normalisation, softmax and data movement take an operation of a lane
 *   for each element and pass, and no weights.
 * - The samples of a batch run one after another.
 * - Bits other than 8 are not supported.
 * - Streamed weights are read again for every strip of rows when a PE's tile does not fit at once.
 *
 * The choice depends on neither clock nor link, so a faster one runs the same schedule faster. */
#ifndef CS_SIM_SCHEDULE_H
#define CS_SIM_SCHEDULE_H

#include "sim/accelerator/accelerator.h"
#include "sim/network/network.h"

/* Why a design cannot run. An answer, not an error. The numbers are stored: never renumber. */
#define CS_REASON_MAP(X)                                                                           \
    X(NONE, 0, "feasible")                                                                         \
    X(CORE_MEMORY, 1, "core memory cannot hold one block of weights for the lanes")                \
    X(PE_MEMORY, 2, "PE memory cannot hold the smallest tile of a layer")                          \
    X(FAILED, 3, "a metric is not a finite number")                                                \
    X(UNSUPPORTED, 4, "operation not supported by the accelerator")

typedef enum cs_reason {
#define X(name, number, text) CS_REASON_##name = number,
    CS_REASON_MAP(X)
#undef X
        CS_REASON_COUNT
} cs_reason;

const char *cs_reason_text(cs_reason reason);

/* Whose rules: name, name for people. */
#define CS_POLICY_MAP(X)                                                                           \
    X(GENERAL, "general") /* those of this header */                                               \
    X(VENDOR, "vendor")   /* those of the vendor's compiler for the Coral chip, vendor.h */

typedef enum cs_policy {
#define X(name, text) CS_POLICY_##name,
    CS_POLICY_MAP(X)
#undef X
        CS_POLICY_COUNT
} cs_policy;

const char *cs_policy_name(cs_policy policy);

/* The policy of that name; false for any other name. */
bool cs_policy_find(const char *name, cs_policy *policy);

/* What the vendor's rules know, each of which can be left out to see what it explains: name, what
 * holds without it. */
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
    uint32_t without; /* policy vendor: 1u << cs_mechanism, those that are left out */
} cs_compile_options;

/* Where the tensors of a layer lie while it runs strip by strip (policy vendor). */
typedef enum cs_residence {
    CS_RESIDENCE_WHOLE,       /* input and output in narrow memory: one strip */
    CS_RESIDENCE_INPUT_WHOLE, /* the input whole, the output strip by strip */
    CS_RESIDENCE_IN_PLACE,    /* the output takes the place of the input */
    CS_RESIDENCE_WIDE,        /* both in PE memory, strips in and out of narrow memory */
} cs_residence;

/* What a PE axis splits. */
typedef enum cs_split {
    CS_SPLIT_SPACE,    /* the layer's rows (y axis) or columns (x axis) */
    CS_SPLIT_CHANNELS, /* its output channels */
} cs_split;

/* How one layer runs. Bytes are of the whole chip unless they say otherwise.
 *
 * A PE computes a tile of tile_rows x tile_cols output positions, strip by strip: strip_rows rows
 * at a time, whose inputs and outputs are in PE memory together. Within a strip it makes
 * channel_passes over output channels, cores x lanes of them each, and within a pass core_fills
 * fills of core memory; with more than one fill, partial sums wait in PE memory between fills. */
typedef struct cs_step {
    cs_split split_x, split_y;
    uint32_t tile_rows, tile_cols; /* of the fullest PE */
    uint32_t strip_rows;
    uint32_t channel_passes;
    uint32_t core_fills;     /* 0 without weights */
    uint64_t operations;     /* multiply-accumulates, or additions and comparisons */
    uint64_t compute_cycles; /* of the fullest PE */
    uint64_t on_chip_cycles; /* of the busiest memory port of a PE */
    uint64_t weight_bytes;   /* stored form, padded to lanes and SIMD ways */
    bool cached;             /* weights stay on chip between inferences */
    uint32_t weight_passes;  /* how often weights are brought to the cores: once a strip; from
                                off-chip unless they are cached */
    bool input_off_chip;     /* an input is read from off-chip memory (network input, or spilled) */
    bool output_off_chip;    /* written to off-chip memory (network output, or spilled) */
    uint64_t off_chip_read_bytes, off_chip_write_bytes;
    uint64_t pe_memory_read_bytes, pe_memory_write_bytes;
    uint64_t core_memory_read_bytes, core_memory_write_bytes;

    /* All zero under policy general. */
    cs_residence residence;
    bool position_outer;           /* all weights of a pass in one fill, and no partial sums */
    uint32_t fill_rows;            /* of weights for all lanes, in a fill */
    uint64_t fills;                /* of the layer: strips x passes x core fills */
    uint64_t fill_cycles;          /* after which the PEs wait for weights; beside compute_cycles */
    uint32_t halo_rows, halo_cols; /* of the output, that the layers which read it need */
    uint64_t buffer_bytes;         /* PE memory of one PE for fills and partial sums */
    uint64_t spill_bytes;          /* PE memory of one PE for tensors (CS_RESIDENCE_WIDE) */
    uint64_t upload_bytes;         /* into the chip before the step, which waits for it */
    uint64_t collect_bytes;        /* out of the chip after the step */
    double start_s;                /* before the step, whatever clock and link */
} cs_step;

struct cs_layer_plan; /* the compiler's notes on a layer */

typedef struct cs_schedule {
    cs_step *steps; /* owned; one a layer of the network, in its order */
    uint32_t step_count;
    uint32_t capacity;
    uint64_t cached_bytes;          /* sum over cached layers */
    uint64_t streamed_bytes;        /* sum over the others, one pass */
    uint64_t peak_activation_bytes; /* PE memory that is kept free of parameters */
    uint64_t parameter_capacity;    /* bytes of the chip that may cache parameters */
    uint32_t calls;                 /* of the accelerator by its host in one inference */
    cs_reason reason;               /* CS_REASON_NONE: feasible */
    cs_layer_id reason_layer;
    struct cs_layer_plan *plans; /* owned; scratch of the compiler, kept between calls */
} cs_schedule;

/* A zeroed cs_schedule is empty; release frees what it holds and leaves it empty. */
void cs_schedule_release(cs_schedule *schedule);

/* Weights of a layer in stored form, 0 where it has none. */
uint64_t cs_layer_stored_bytes(const cs_layer *layer, const cs_accelerator *accelerator);

/* Schedule a network; `options` is NULL for policy general. Reuses the schedule's memory and
 * allocates only for a larger network than before. An infeasible design succeeds with
 * schedule->reason and reason_layer set; failure is want of memory. */
CS_MUST_CHECK cs_status cs_compile(const cs_network *network, const cs_accelerator *accelerator,
                                   const cs_compile_options *options, cs_schedule *schedule,
                                   cs_error *err);

#endif
