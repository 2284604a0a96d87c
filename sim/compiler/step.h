/* One layer, cut over the PEs and run by given knobs: whether it is legal, what memory it needs,
 * how many cycles and which traffic it takes.
 *
 * This is the machine that every policy schedules for, that the simulators time and that the
 * executor runs. Plain values; nothing allocates or fails. Its rules are those of two projects that
 * decoded the programs of the Coral chip (tinycoral at 3d332b6, LibrEdgeTPU) and of what measured
 * ladders show, carried over to the template by its grid, lanes, ways and memories;
 * docs/validation.md says which are published and which are inferred.
 *
 * - A PE holds tensors in narrow memory, and parameters, partial sums and FIFOs in wide memory.
 *   Between layers a tensor lies over the grid by rows and columns: PE (y, x) has block y of
 *   ceil(height / pes_y) rows and block x of columns, all channels, rounded up to ways.
 * - A PE axis splits output rows (columns), or output channels. PEs gather what they read of
 *   others' blocks over the mesh; results that were split by channels go back over it.
 * - A PE makes its rows strip by strip; in a strip, passes over output channels, cores x lanes at
 *   a time; in a pass, fills of weights, which come over the ring; for each fill all positions of
 *   the strip. With several fills partial sums wait in wide memory, written and read for each.
 * - Weights pass over the ring once a strip: a row (a word for each lane) in 4 * ways cycles, and
 *   FILL_CYCLES for each fill. PEs wait for a fill, unless the FIFO holds the next one too.
 * - Dense layers and cells read weights of their PEs' own memories, a row a cycle; streamed ones
 *   reach it over the ring.
 * - An input off chip comes over the link to each PE that reads it; one that reads a row for two
 *   strips keeps it. */
#ifndef CS_SIM_COMPILER_STEP_H
#define CS_SIM_COMPILER_STEP_H

#include "sim/accelerator/accelerator.h"
#include "sim/compiler/schedule.h"
#include "sim/network/network.h"

#define CS_PARTIAL_SUM_BYTES 4u /* 32 bit a lane */

/* Rows of wide memory: of the partial sums of a position; of a row of weights in a FIFO, and of its
 * ends. */
#define CS_PARTIAL_SUM_ROWS CS_PARTIAL_SUM_BYTES
#define CS_FIFO_ROW_ROWS    8u

/* Instructions of a call, whatever it computes. With those of the layers their sum for one network
 * is published (57 KB), the split is an estimate. */
#define CS_CALL_INSTRUCTION_BYTES 8192u

/* How the kinds of layers run. */
typedef enum cs_kind {
    CS_KIND_NOTHING,     /* inputs; joined tensors, which lie where their parts do */
    CS_KIND_FILLS,       /* convolutions over all channels of a group, products of tensors */
    CS_KIND_DEPTHWISE,   /* one channel in, one out, by an eighth of the lanes */
    CS_KIND_DENSE,       /* one position: channels over all PEs */
    CS_KIND_CELL,        /* the same, step by step */
    CS_KIND_POOL,        /* windows without weights, by all lanes */
    CS_KIND_POOL_GLOBAL, /* PEs pool what they hold; the parts are joined over the mesh */
    CS_KIND_ELEMENTS,    /* element by element, by a 32nd of the lanes */
    CS_KIND_MOVE,        /* elements change places over the mesh */
} cs_kind;

cs_kind cs_kind_of(const cs_layer *layer);

/* The accelerator as the compiler sees it. Bytes are of one PE. */
typedef struct cs_machine {
    uint32_t pes_y, pes_x, cores, ways;
    uint32_t without; /* mechanisms that are left out, 1u << cs_mechanism */
    uint64_t pes;
    uint64_t lanes;        /* of a PE; also bytes of a row of wide memory, the unit of buffers */
    uint64_t core_lanes;   /* of a core */
    uint64_t core_bytes;   /* parameter memory of its cores */
    uint64_t narrow_bytes; /* for tensors */
    uint64_t wide_bytes;   /* for parameters, buffers, and tensors that do not fit narrow memory */
    uint64_t overhang_bytes; /* by which buffers may reach beyond wide memory: a quarter of the
                                core memories */
    uint64_t fifo_bytes; /* wide memory before the FIFOs of dense layers; parameters lie there */
    bool shared; /* narrow and wide are parts of one memory, narrow_bytes + wide_bytes of it, and
                    the parts given here are those of the Coral chip */
} cs_machine;

void cs_machine_of(const cs_accelerator *accelerator, uint32_t without, cs_machine *machine);

/* A layer in its network, as far as its schedule depends on that. */
typedef struct cs_use {
    const cs_layer *layer;
    uint32_t halo_rows, halo_cols; /* of the output, that its readers overlap by */
    bool input_off[2];             /* inputs that lie off chip */
    bool output_off;
    bool input_survives[2]; /* a later layer reads them, too */
    bool twice;             /* both inputs are one tensor */
} cs_use;

/* Rows (columns) of an input that PEs read: of the one that reads most, and summed over PEs; the
 * same of those that lie in their own block; the most that one lacks; the most from the first to
 * the last that one reads or has in its block (its hull); and the most from the first that one's
 * outputs reach for, in the tensor or before it, to the end of its hull; and how many any reads. */
typedef struct cs_span {
    uint64_t most, sum, own_most, own_sum, lack, hull, tail, covered;
} cs_span;

/* A layer cut by one split of each axis. Rows, columns and bytes are of the fullest PE. */
typedef struct cs_cut {
    cs_kind kind;
    cs_split split_y, split_x;
    uint32_t rows, cols;    /* of the output */
    uint32_t channel_pes;   /* PEs that output channels are cut over */
    uint32_t space_pes;     /* parts of the output's rows and columns that are not empty */
    uint32_t parts;         /* of its channels that are not empty */
    uint64_t phases;        /* positions with weights of their own: stride^2 of a transposed
                               convolution, or as many as it has outputs for; else 1 */
    uint32_t channels;      /* of the output */
    uint32_t passes;        /* over its output channels */
    uint64_t all_passes;    /* of all groups of PEs, which the ring serves one after another */
    uint32_t stride, reach; /* of the window over rows */
    uint64_t lead;          /* input rows before the block's own that its first output row reads */
    uint64_t taps, words;  /* of one output: window positions; and words of a lane, over channels */
    uint64_t weight_bytes; /* in stored form */
    bool cacheable;  /* they may stay on chip: a dense layer is not cut finer than passes over its
                        PEs, and a PE's share of it has to end before the FIFOs */
    uint64_t places; /* output positions of the whole layer; steps of a cell */
    uint32_t inputs; /* tensors that it reads, 2 at most */
    cs_span in_rows[2], in_cols[2];
    uint64_t in_channel_bytes[2]; /* bytes of an input position that a PE reads */
    uint64_t out_channel_bytes;   /* of an output position that it makes */
    uint64_t canonical_out_bytes; /* its block of the output between layers, with the halo */
    uint64_t block_in_bytes[2];   /* its blocks of the inputs, without a halo */
    uint64_t need_bytes;    /* of the chip: what PEs read of inputs on chip, each byte once a PE */
    uint64_t off_bytes[2];  /* what they read of inputs off chip, each byte once a PE */
    uint64_t link_bytes[2]; /* the same, but once for all PEs, which take from the ring what passes
                               them */
    uint64_t mesh_bytes;    /* of the chip: what they gather, and results that go back */
} cs_cut;

/* Cut a layer. False: no layer of this operation is cut so. */
bool cs_cut_make(const cs_machine *machine, const cs_use *use, cs_split split_y, cs_split split_x,
                 cs_cut *cut);

/* What a layer needs and takes by given knobs. */
typedef struct cs_need {
    uint64_t narrow_bytes; /* of the fullest PE: tensors */
    uint64_t buffer_bytes; /* of the fullest PE: FIFO, partial sums, halos, results that wait */
    uint64_t spill_bytes;  /* of the fullest PE: tensors in wide memory */
    uint32_t strips;
    uint32_t core_fills;      /* of a pass */
    uint64_t fills;           /* of a PE */
    uint64_t compute_cycles;  /* of the fullest PE */
    uint64_t sum_cycles;      /* in which partial sums are written and read */
    uint64_t fill_cycles;     /* of the ring */
    uint64_t exchange_cycles; /* of the mesh, before the first position */
} cs_need;

/* False: the knobs are not legal for this layer: a fill longer than the words of an output, more
 * rows than there are, a residence that its tensors do not allow. Whether memory suffices is for
 * the caller to say. */
bool cs_need_of(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                const cs_knobs *knobs, cs_need *need);

/* The same in two parts, for those who try many knobs: where tensors lie, which depends on
 * residence, strip_rows and order alone; and, added to that, the buffers and cycles of fills. */
bool cs_need_place(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                   const cs_knobs *knobs, cs_need *need);
bool cs_need_run(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                 const cs_knobs *knobs, cs_need *need);

/* Cycles in which so many bytes of weights pass over the ring, without waits of fills. */
uint64_t cs_ring_cycles(const cs_machine *machine, uint64_t bytes);

/* Cycles from the first fill to the last result, all on chip. */
uint64_t cs_need_run_cycles(const cs_need *need, bool ahead);

/* Rows of wide memory that a FIFO for fills of so many rows takes. */
uint64_t cs_fifo_rows(uint64_t fill_rows, bool ahead);

/* Complete a step for which need was worked out: all but what depends on other layers (caching,
 * uploads, parked tensors). Its weights are taken as cached. */
void cs_step_make(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                  const cs_knobs *knobs, const cs_need *need, cs_step *step);

/* Input rows (columns, by `axis_x`) that output rows first .. first + count - 1 read of input
 * `which`, within the tensor; without what lies beyond its edges. */
typedef struct cs_range {
    uint32_t first, count;
} cs_range;

cs_range cs_layer_reads(const cs_layer *layer, uint32_t which, bool axis_x, cs_range out);

/* Cycles that no schedule of the layer on this machine goes below: operations by the lanes that
 * can work on them, all PEs full; and its weights over the ring once, or their rows once. */
uint64_t cs_layer_bound_cycles(const cs_machine *machine, const cs_layer *layer);

/* Bytes of instructions that the host sends for a layer in every call. */
uint64_t cs_layer_instruction_bytes(const cs_layer *layer, uint32_t strips);

/* Bytes of a tensor of such a shape in the PE that holds most of it, without a halo. */
uint64_t cs_block_bytes(const cs_machine *machine, cs_shape shape);

uint64_t cs_round_up(uint64_t value, uint64_t unit);

#endif
