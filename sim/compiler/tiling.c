/* How one layer is cut: see tiling.h. */
#include "sim/compiler/tiling.h"

#include <assert.h>

/* A convolution stores a 32-bit bias and a 32-bit multiplier a channel. */
#define CHANNEL_CONSTANT_BYTES 8u

static uint32_t div_up(uint32_t a, uint32_t b)
{
    return a / b + (a % b != 0);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_cell(const cs_layer *layer)
{
    return layer->op == CS_OP_LSTM || layer->op == CS_OP_GRU;
}

static bool has_weights(const cs_layer *layer)
{
    return layer->op == CS_OP_CONV || layer->op == CS_OP_CONV_TRANSPOSE ||
           layer->op == CS_OP_DENSE || is_cell(layer);
}

/* Every lane of a core works on the same input word: outputs need all input channels. Otherwise
 * (groups, pooling, element-wise) lanes need different channels. */
static bool shares_input(const cs_layer *layer)
{
    return (has_weights(layer) || layer->op == CS_OP_MATMUL) && layer->groups == 1;
}

/* Words that an output reads of each channel, or passes that are made over it. A transposed
 * convolution's output is reached by every stride-th tap only. */
static uint64_t taps_of(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_CONV_TRANSPOSE:
        return (uint64_t)div_up(layer->kernel_h, layer->stride_h) *
               div_up(layer->kernel_w, layer->stride_w);
    case CS_OP_SOFTMAX:
    case CS_OP_LAYER_NORM:
        return cs_layer_operations(layer) / cs_shape_elements(layer->out);
    default:
        return (uint64_t)layer->kernel_h * layer->kernel_w;
    }
}

/* Weights, or elements of the second operand of a product, for one output and input channel. */
static uint64_t stored_taps(const cs_layer *layer)
{
    return (uint64_t)layer->kernel_h * layer->kernel_w;
}

/* What does not depend on the splits. */
static void measure(const cs_layer *layer, const cs_accelerator *accelerator, cs_tiling *tiling)
{
    tiling->taps = taps_of(layer);
    tiling->fan_in = cs_layer_fan_channels(layer);
    tiling->extent = layer->out;
    if (is_cell(layer)) {
        /* The steps of a cell, one after another, are rows; lanes make the results of its gates,
         * which are weights over fan-in. */
        uint32_t gates = (uint32_t)(cs_layer_weights(layer) / tiling->fan_in);
        tiling->extent = (cs_shape){layer->out.width, 1, gates};
    }
    uint64_t words_of_tap = div_up(tiling->fan_in, accelerator->simd_ways);
    tiling->words = tiling->taps * words_of_tap;
    tiling->lane_blocks = div_up(tiling->extent.channels, accelerator->lanes_per_core);
    tiling->stored_bytes = 0;
    tiling->sequential = false;
    if (has_weights(layer)) {
        uint64_t channels = (uint64_t)tiling->lane_blocks * accelerator->lanes_per_core;
        uint64_t fan_in = stored_taps(layer) * words_of_tap * accelerator->simd_ways;
        uint64_t constants = layer->op == CS_OP_DENSE ? 0 : CHANNEL_CONSTANT_BYTES;
        tiling->stored_bytes = (fan_in + constants) * channels;
    }
}

/* Fills of core memory that the weights of one pass take. The smallest fill is one SIMD word of
 * input for all taps and lanes; false if not even that fits. */
static bool count_fills(const cs_layer *layer, const cs_accelerator *accelerator, cs_tiling *tiling)
{
    tiling->fills = 0;
    if (!has_weights(layer) && layer->op != CS_OP_MATMUL) {
        return true;
    }
    uint64_t row = (uint64_t)accelerator->lanes_per_core * accelerator->simd_ways;
    uint64_t words_of_fill = accelerator->core_memory_bytes / (row * stored_taps(layer));
    if (words_of_fill == 0) {
        return false;
    }
    uint32_t words_of_tap = div_up(tiling->fan_in, accelerator->simd_ways);
    tiling->fills = div_up(words_of_tap, (uint32_t)min_u64(words_of_fill, words_of_tap));
    return true;
}

/* Apply a split to each axis. */
static void split(const cs_accelerator *accelerator, cs_split split_x, cs_split split_y,
                  cs_tiling *tiling)
{
    bool y_space = split_y == CS_SPLIT_SPACE;
    bool x_space = split_x == CS_SPLIT_SPACE;
    uint32_t channel_pes = (y_space ? 1 : accelerator->pes_y) * (x_space ? 1 : accelerator->pes_x);
    tiling->split_x = split_x;
    tiling->split_y = split_y;
    const cs_shape extent = tiling->extent;
    tiling->rows = y_space ? div_up(extent.height, accelerator->pes_y) : extent.height;
    tiling->cols = x_space ? div_up(extent.width, accelerator->pes_x) : extent.width;
    tiling->passes = div_up(tiling->lane_blocks, accelerator->cores_per_pe * channel_pes);
    tiling->cycles = (uint64_t)tiling->rows * tiling->cols * tiling->words * tiling->passes;
    tiling->channel_pes = channel_pes;
}

/* What follows from the split that won. */
static void finish(const cs_layer *layer, const cs_accelerator *accelerator, cs_tiling *tiling)
{
    uint64_t pass_channels = (uint64_t)accelerator->cores_per_pe * accelerator->lanes_per_core;
    const cs_shape extent = tiling->extent;
    tiling->space_y = div_up(extent.height, tiling->rows);
    tiling->space_x = div_up(extent.width, tiling->cols);
    tiling->channels_out = (uint32_t)min_u64(extent.channels, tiling->passes * pass_channels);
    tiling->channel_pes = div_up(extent.channels, tiling->channels_out);
    tiling->sequential = is_cell(layer) && (uint64_t)tiling->fills * tiling->passes > 1;
    if (shares_input(layer)) {
        tiling->channels_in = tiling->fan_in;
        tiling->read_bytes = tiling->words * accelerator->simd_ways * tiling->passes;
    } else {
        /* A lane's channel is read once for every pass that its group's outputs take. */
        uint32_t group_outputs = layer->out.channels / layer->groups;
        uint32_t rereads = layer->groups == 1 ? 1 : div_up(group_outputs, (uint32_t)pass_channels);
        tiling->channels_in = div_up(layer->in.channels, tiling->channel_pes);
        bool pair = layer->op == CS_OP_ADD || layer->op == CS_OP_MULTIPLY;
        bool moved =
            layer->op == CS_OP_CONCAT || layer->op == CS_OP_RESHAPE || layer->op == CS_OP_TRANSPOSE;
        uint32_t read = moved ? tiling->channels_out : tiling->channels_in;
        tiling->read_bytes = tiling->taps * read * rereads * (pair ? 2 : 1);
    }
}

static bool smallest_tile_fits(const cs_network *network, const cs_layer *layer,
                               const cs_accelerator *accelerator, const cs_tiling *tiling)
{
    uint64_t bytes =
        cs_tiling_output_bytes(tiling, 1) + cs_tiling_partial_bytes(tiling, accelerator, 1);
    for (uint32_t k = 0; k < layer->input_count; k++) {
        bytes += cs_tiling_input_bytes(tiling, network, layer, k, 1);
    }
    return bytes <= cs_activation_memory_bytes(accelerator);
}

/* The first and the last split that an operation may take: dense layers and cells split channels
 * only, and what looks at all channels of a position splits space only. */
static void allow_splits(const cs_layer *layer, unsigned *first, unsigned *last)
{
    if (layer->op == CS_OP_DENSE || is_cell(layer)) {
        *first = *last;
    } else if (layer->op == CS_OP_SOFTMAX || layer->op == CS_OP_LAYER_NORM) {
        *last = *first;
    }
}

cs_reason cs_tiling_measure(const cs_layer *layer, const cs_accelerator *accelerator,
                            cs_tiling *tiling)
{
    if (layer->weight_bits != 8 || layer->act_bits != 8) {
        return CS_REASON_UNSUPPORTED;
    }
    measure(layer, accelerator, tiling);
    return count_fills(layer, accelerator, tiling) ? CS_REASON_NONE : CS_REASON_CORE_MEMORY;
}

cs_reason cs_tiling_choose(const cs_network *network, const cs_layer *layer,
                           const cs_accelerator *accelerator, cs_tiling *tiling)
{
    static const struct {
        cs_split x, y;
    } options[] = {
        {CS_SPLIT_SPACE, CS_SPLIT_SPACE},
        {CS_SPLIT_CHANNELS, CS_SPLIT_SPACE},
        {CS_SPLIT_SPACE, CS_SPLIT_CHANNELS},
        {CS_SPLIT_CHANNELS, CS_SPLIT_CHANNELS},
    };
    unsigned first = 0, last = sizeof options / sizeof options[0] - 1;
    allow_splits(layer, &first, &last);
    cs_tiling tried;
    cs_reason reason = cs_tiling_measure(layer, accelerator, &tried);
    if (reason) {
        return reason;
    }
    bool found = false;
    for (unsigned i = first; i <= last; i++) {
        split(accelerator, options[i].x, options[i].y, &tried);
        if (found && tried.cycles >= tiling->cycles) {
            continue;
        }
        finish(layer, accelerator, &tried);
        if (smallest_tile_fits(network, layer, accelerator, &tried)) {
            *tiling = tried;
            found = true;
        }
    }
    return found ? CS_REASON_NONE : CS_REASON_PE_MEMORY;
}

/* Rows or columns that a kernel with `dilation` reaches over. */
static uint64_t reach_of(uint32_t kernel, uint32_t dilation)
{
    return (uint64_t)(kernel - 1) * dilation + 1;
}

/* Input rows (columns) that `count` neighbouring output rows (columns) read; at most `in`. */
static uint64_t covered(cs_op op, uint32_t count, uint32_t in, uint32_t out, uint32_t kernel,
                        uint32_t stride, uint32_t dilation)
{
    uint64_t reach = reach_of(kernel, dilation);
    if (op == CS_OP_CONV_TRANSPOSE) {
        return min_u64((count - 1 + reach - 1) / stride + 1, in);
    }
    if (op == CS_OP_RESIZE) {
        /* The rows between which a result lies, at both ends of the strip. */
        return min_u64((uint64_t)count * in / out + 2, in);
    }
    return min_u64((uint64_t)(count - 1) * stride + reach, in);
}

static uint64_t covered_rows(const cs_layer *layer, uint32_t count)
{
    return covered(layer->op, count, layer->in.height, layer->out.height, layer->kernel_h,
                   layer->stride_h, layer->dilation_h);
}

static uint64_t covered_cols(const cs_layer *layer, uint32_t count)
{
    return covered(layer->op, count, layer->in.width, layer->out.width, layer->kernel_w,
                   layer->stride_w, layer->dilation_w);
}

uint32_t cs_tiling_window_rows(const cs_layer *layer)
{
    return (uint32_t)covered_rows(layer, 1);
}

uint32_t cs_tiling_overlap_rows(const cs_layer *layer)
{
    if (layer->op == CS_OP_CONV_TRANSPOSE || layer->op == CS_OP_RESIZE) {
        return cs_tiling_window_rows(layer) - 1;
    }
    uint64_t reach = reach_of(layer->kernel_h, layer->dilation_h);
    return reach > layer->stride_h ? (uint32_t)min_u64(reach - layer->stride_h, UINT32_MAX) : 0;
}

uint64_t cs_tiling_input_bytes(const cs_tiling *tiling, const cs_network *network,
                               const cs_layer *layer, uint32_t which, uint32_t rows)
{
    assert(which < layer->input_count && rows >= 1);
    uint64_t positions = (uint64_t)rows * tiling->cols;
    switch (layer->op) {
    case CS_OP_DENSE:
        return tiling->channels_in;
    case CS_OP_LSTM:
    case CS_OP_GRU:
        return positions * layer->in.channels;
    case CS_OP_CONCAT: {
        cs_layer_id from = cs_layer_inputs(network, layer)[which];
        return positions * div_up(network->layers[from].out.channels, tiling->channel_pes);
    }
    case CS_OP_RESHAPE:
    case CS_OP_TRANSPOSE:
        return positions * tiling->channels_out;
    case CS_OP_MATMUL:
        if (which > 0) {
            return (uint64_t)rows * tiling->channels_in * tiling->channels_out;
        }
        break;
    case CS_OP_SCALE:
        if (which > 0) {
            return tiling->channels_in;
        }
        break;
    default:
        break;
    }
    return covered_rows(layer, rows) * covered_cols(layer, tiling->cols) * tiling->channels_in;
}

uint64_t cs_tiling_output_bytes(const cs_tiling *tiling, uint32_t rows)
{
    return (uint64_t)rows * tiling->cols * tiling->channels_out;
}

uint64_t cs_tiling_partial_bytes(const cs_tiling *tiling, const cs_accelerator *accelerator,
                                 uint32_t rows)
{
    uint64_t positions = (uint64_t)rows * tiling->cols;
    /* The sums of a single position stay in the lanes' accumulators. */
    if (tiling->fills <= 1 || positions == 1) {
        return 0;
    }
    return positions * accelerator->cores_per_pe * accelerator->lanes_per_core *
           CS_PARTIAL_SUM_BYTES;
}

uint64_t cs_tiling_share_bytes(cs_shape shape, const cs_accelerator *accelerator)
{
    return (uint64_t)div_up(shape.height, accelerator->pes_y) *
           div_up(shape.width, accelerator->pes_x) * shape.channels;
}

uint64_t cs_layer_stored_bytes(const cs_layer *layer, const cs_accelerator *accelerator)
{
    cs_tiling tiling;
    measure(layer, accelerator, &tiling);
    return tiling.stored_bytes;
}
