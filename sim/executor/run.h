/* A step while the executor runs it: what its parts share. Internal to sim/executor/.
 *
 * executor.c frames the steps, place.c says where positions of tensors lie and moves them,
 * weights.c brings weights, lanes.c and whole.c compute. */
#ifndef CS_SIM_EXECUTOR_RUN_H
#define CS_SIM_EXECUTOR_RUN_H

#include "sim/executor/arithmetic.h"
#include "sim/executor/array.h"
#include "sim/executor/executor.h"

#define CS_CONSTANT_BYTES                                                                          \
    8u /* of a channel, beside its weights: a 32-bit bias and a multiplier                         \
        */

/* Where the channels of a position lie in a PE: in which region, from which byte on. */
typedef struct cs_slot {
    const cs_region *region; /* NULL: nowhere */
    uint64_t at;
} cs_slot;

/* An input in a PE. */
typedef struct cs_view {
    cs_slot *own;  /* of every position of the tensor: the PE's block, until it has
                      gathered what it reads */
    cs_slot *read; /* what lanes read */
    cs_range own_rows, own_cols;
    cs_range rows, cols;      /* that the PE reads in all */
    uint32_t first, channels; /* that it reads */
    uint32_t next_row;        /* of those that come strip by strip */
} cs_view;

typedef struct cs_part {
    bool active;         /* it has outputs to make */
    cs_range rows, cols; /* of the output */
    uint32_t share;      /* which of the shares of lane results */
    cs_range lanes;      /* lane results: channels, or gates of cells */
    cs_view in[2];
    cs_slot *made;       /* of every output position: where the PE's lanes write it */
    cs_slot *home;       /* where it lies after the step */
    bool *taken;         /* slots outside, of halo and carried rows */
    uint64_t moved_rows; /* of the block, that were carried or given up */
} cs_part;

typedef struct cs_run {
    cs_array array;
    const cs_network *network;
    const cs_schedule *schedule;
    const cs_values *values;
    const cs_layer *layer;
    cs_layer_id id;
    const cs_step *step;
    cs_kind kind;
    cs_residence residence;
    cs_executed *done;
    cs_part *parts; /* one a PE */
    cs_slot *slots; /* owned; all tables of the parts */
    uint64_t slot_count;
    bool *taken;          /* owned */
    uint64_t taken_count; /* of a PE */
    int8_t **tensors;
    int8_t **homes; /* tensors between steps; what lies on chip is wiped while a step runs */
    bool *off;      /* tensors that lie off chip */
    cs_layer_id *alive;
    uint32_t pes;
    uint32_t inputs;
    bool input_off[2], survives[2];
    bool splits;          /* output channels, over PEs */
    bool strips_in[2];    /* the input comes strip by strip */
    bool *linked[2];      /* positions of an input that have crossed the link in this step */
    uint64_t in_bytes[2]; /* of a position, in what lanes read */
    uint64_t out_bytes;
    uint32_t rows, cols;   /* of the fullest PE's output */
    uint64_t share_lanes;  /* lane results of a PE at most */
    uint32_t lane_results; /* of the layer */
    uint32_t lead;         /* input rows that the PE which reaches back farthest needs before its
                              block */
    uint64_t room, in_row, out_row; /* in place: bytes before the block, of its rows, of results' */
    cs_region in[2], block[2], saved[2], out, made, spill_out, outside, wait, sums, fifo, landing,
        core, state, kept, gates, idle, parked;
    uint64_t next_wide; /* where the next region of wide memory begins */
    /* Parameters that stay on the chip: of every byte of a layer's weights, the PE and the place.
     */
    struct cs_kept *store; /* owned; one a layer */
    cs_region store_region;
    uint64_t *store_level; /* owned; of every PE, bytes in use */
} cs_run;

typedef struct cs_kept {
    uint32_t *pe; /* owned; NULL: not on the chip */
    uint64_t *at; /* owned */
} cs_kept;

/* ---- place.c ---- */

/* Which PE has a position of a tensor in its block. */
uint32_t cs_owner(const cs_run *r, cs_shape shape, uint32_t y, uint32_t x);

/* The block of PE `pe`. */
void cs_block_of(const cs_run *r, cs_shape shape, uint32_t pe, cs_range *rows, cs_range *cols);

/* An element of a tensor between steps; those of joined tensors are found in their parts. */
int8_t *cs_home_at(const cs_run *r, cs_layer_id id, uint32_t y, uint32_t x, uint32_t c);

/* Take all regions for tensors and put blocks of the inputs there. */
void cs_place_step(cs_run *r);

/* Gather what PEs read of each other's blocks, unless it comes strip by strip. */
void cs_gather(cs_run *r);

/* What has to happen before and after a strip's results are made. */
void cs_strip_begin(cs_run *r, uint32_t pe, uint32_t strip);
void cs_strip_end(cs_run *r, uint32_t pe, uint32_t strip);

/* In place, with partial sums of one pass: all of the strip's input was read. */
void cs_strip_read(cs_run *r, uint32_t pe, uint32_t strip);

/* Results that channels were split for go to their blocks. */
void cs_give_back(cs_run *r);

/* The PE's output rows of a strip. */
cs_range cs_strip_rows(const cs_run *r, uint32_t pe, uint32_t strip);

/* An element of what a PE reads of input k; and counting that its lanes read so many bytes there.
 */
int8_t cs_operand(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint32_t x, uint32_t c);
void cs_count_operand(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint32_t x, uint64_t bytes);

/* A result. */
void cs_emit(cs_run *r, uint32_t pe, uint32_t y, uint32_t x, uint32_t c, int8_t value);

int8_t cs_slot_get(cs_run *r, uint32_t pe, cs_slot slot, uint64_t c);
void cs_slot_put(cs_run *r, uint32_t pe, cs_slot slot, uint64_t c, int8_t value);
void cs_count_read(cs_run *r, cs_memory memory, uint64_t bytes);
void cs_count_write(cs_run *r, cs_memory memory, uint64_t bytes);

/* ---- weights.c ---- */

/* Words of a lane for one output position; channels of one of them. */
uint64_t cs_tap_words(const cs_run *r);

/* Lay out what stays on the chip. CS_ENOMEM, CS_ECORRUPT. */
CS_MUST_CHECK cs_status cs_store_fill(cs_run *r, cs_error *err);
CS_MUST_CHECK cs_status cs_store_prefetch(cs_run *r, cs_error *err);
void cs_store_drop(cs_run *r);
void cs_store_clear(cs_run *r);

/* Bring row `row` (kernel tap and word) of a block of lanes to `weights`, core_lanes * ways bytes.
 * `pe` is who reads it from its own memory, where layers do. */
void cs_weights_row(cs_run *r, uint32_t pe, uint64_t block, uint64_t row, int8_t *weights);

/* Bring the constants of a block of lanes: what sums of its channels begin with. */
void cs_weights_constants(cs_run *r, uint32_t pe, uint64_t block, int32_t *biases);

/* ---- lanes.c, whole.c ---- */

/* Layers that go strip by strip. CS_ENOMEM. */
CS_MUST_CHECK cs_status cs_run_lanes(cs_run *r, cs_error *err);

/* Layers that are one piece: moves, global pools, cells. CS_ENOMEM. */
void cs_run_move(cs_run *r);
CS_MUST_CHECK cs_status cs_run_pool_global(cs_run *r, cs_error *err);
CS_MUST_CHECK cs_status cs_run_cell(cs_run *r, cs_error *err);

#endif
