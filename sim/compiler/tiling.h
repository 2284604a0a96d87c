/* How one layer is cut over PEs, cores, lanes and SIMD ways: the compiler's view of a layer.
 *
 * Internal to sim/: schedule.c decides for the whole network with what is worked out here for a
 * layer alone. A plain value; nothing allocates or fails. */
#ifndef CS_SIM_TILING_H
#define CS_SIM_TILING_H

#include "sim/compiler/schedule.h"

/* Partial sums are 32-bit. */
#define CS_PARTIAL_SUM_BYTES 4u

typedef struct cs_tiling {
    cs_shape extent; /* rows, columns and channels of the result as they are cut */
    uint64_t taps;   /* words that an output reads of each channel, or passes over it */
    uint32_t fan_in; /* cs_layer_fan_channels */
    cs_split split_x, split_y;
    uint32_t rows, cols; /* output positions of the fullest PE */
    uint32_t space_y;    /* PEs along y that hold rows; 1 if y splits channels */
    uint32_t space_x;
    uint32_t channel_pes;  /* PEs that output channels are split over, and have any */
    uint32_t channels_in;  /* input channels that the fullest PE reads */
    uint32_t channels_out; /* output channels that it makes */
    uint32_t passes;       /* over output channels, cores * lanes at a time */
    uint32_t fills;        /* of core memory within a pass; 0 without weights */
    uint32_t lane_blocks;  /* output channels in blocks of a core's lanes */
    uint64_t words;        /* SIMD words of all input for one output */
    uint64_t read_bytes;   /* that a PE's lanes read of activations for one position */
    uint64_t cycles;       /* of the fullest PE */
    uint64_t stored_bytes; /* cs_layer_stored_bytes */
    bool sequential;       /* a cell whose weights do not stay in core memory: strips are single
                              steps, and each brings them anew */
} cs_tiling;

/* What does not depend on the splits: extent, taps, fan_in, fills, lane_blocks, words,
 * stored_bytes. The reason is CS_REASON_NONE, or why the layer cannot run at all. */
cs_reason cs_tiling_measure(const cs_layer *layer, const cs_accelerator *accelerator,
                            cs_tiling *tiling);

/* Choose the split of each axis: the fewest compute cycles whose smallest tile fits PE memory, ties
 * to space, y before x. The reason is CS_REASON_NONE, or why the layer cannot run at all. */
cs_reason cs_tiling_choose(const cs_network *network, const cs_layer *layer,
                           const cs_accelerator *accelerator, cs_tiling *tiling);

/* Input rows that one output row reads, and how many of them the next output row reads again. */
uint32_t cs_tiling_window_rows(const cs_layer *layer);
uint32_t cs_tiling_overlap_rows(const cs_layer *layer);

/* PE memory of the fullest PE that input `which` takes for a strip of `rows` output rows. */
uint64_t cs_tiling_input_bytes(const cs_tiling *tiling, const cs_network *network,
                               const cs_layer *layer, uint32_t which, uint32_t rows);

/* The same for its output, and for partial sums that wait between fills. */
uint64_t cs_tiling_output_bytes(const cs_tiling *tiling, uint32_t rows);
uint64_t cs_tiling_partial_bytes(const cs_tiling *tiling, const cs_accelerator *accelerator,
                                 uint32_t rows);

/* Share of the fullest PE of a tensor that lies spread over the grid by rows and columns. */
uint64_t cs_tiling_share_bytes(cs_shape shape, const cs_accelerator *accelerator);

#endif
