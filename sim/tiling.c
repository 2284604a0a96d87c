/* How one layer is cut: see tiling.h. */
#include "sim/tiling.h"

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

static bool has_weights(const cs_layer *layer)
{
    return layer->op == CS_OP_CONV || layer->op == CS_OP_DENSE;
}

/* Input channels that one output channel reads; a dense layer's input counts as a vector. */
static uint32_t fan_channels(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_CONV:
        return layer->in.channels / layer->groups;
    case CS_OP_DENSE:
        return (uint32_t)cs_shape_elements(layer->in);
    default:
        return 1;
    }
}

/* Every lane of a core works on the same input word: outputs need all input channels. Otherwise
 * (groups, pooling, element-wise) lanes need different channels. */
static bool shares_input(const cs_layer *layer)
{
    return has_weights(layer) && layer->groups == 1;
}

/* What does not depend on the splits. */
static void measure(const cs_layer *layer, const cs_accelerator *accelerator, cs_tiling *tiling)
{
    uint64_t taps = (uint64_t)layer->kernel_h * layer->kernel_w;
    tiling->words = taps * div_up(fan_channels(layer), accelerator->simd_ways);
    tiling->lane_blocks = div_up(layer->out.channels, accelerator->lanes_per_core);
    tiling->stored_bytes = 0;
    if (has_weights(layer)) {
        uint64_t channels = (uint64_t)tiling->lane_blocks * accelerator->lanes_per_core;
        uint64_t constants = layer->op == CS_OP_CONV ? CHANNEL_CONSTANT_BYTES : 0;
        tiling->stored_bytes = (tiling->words * accelerator->simd_ways + constants) * channels;
    }
}

/* Fills of core memory that the weights of one pass take. The smallest fill is one SIMD word of
 * input for all taps and lanes; false if not even that fits. */
static bool count_fills(const cs_layer *layer, const cs_accelerator *accelerator, cs_tiling *tiling)
{
    tiling->fills = 0;
    if (!has_weights(layer)) {
        return true;
    }
    uint64_t taps = (uint64_t)layer->kernel_h * layer->kernel_w;
    uint64_t row = (uint64_t)accelerator->lanes_per_core * accelerator->simd_ways;
    uint64_t words_of_fill = accelerator->core_memory_bytes / (row * taps);
    if (words_of_fill == 0) {
        return false;
    }
    uint32_t words_of_tap = div_up(fan_channels(layer), accelerator->simd_ways);
    tiling->fills = div_up(words_of_tap, (uint32_t)min_u64(words_of_fill, words_of_tap));
    return true;
}

/* Apply a split to each axis. */
static void split(const cs_layer *layer, const cs_accelerator *accelerator, cs_split split_x,
                  cs_split split_y, cs_tiling *tiling)
{
    bool y_space = split_y == CS_SPLIT_SPACE;
    bool x_space = split_x == CS_SPLIT_SPACE;
    uint32_t channel_pes = (y_space ? 1 : accelerator->pes_y) * (x_space ? 1 : accelerator->pes_x);
    tiling->split_x = split_x;
    tiling->split_y = split_y;
    tiling->rows = y_space ? div_up(layer->out.height, accelerator->pes_y) : layer->out.height;
    tiling->cols = x_space ? div_up(layer->out.width, accelerator->pes_x) : layer->out.width;
    tiling->passes = div_up(tiling->lane_blocks, accelerator->cores_per_pe * channel_pes);
    tiling->cycles = (uint64_t)tiling->rows * tiling->cols * tiling->words * tiling->passes;
    tiling->channel_pes = channel_pes;
}

/* What follows from the split that won. */
static void finish(const cs_layer *layer, const cs_accelerator *accelerator, cs_tiling *tiling)
{
    uint64_t pass_channels = (uint64_t)accelerator->cores_per_pe * accelerator->lanes_per_core;
    tiling->space_y = div_up(layer->out.height, tiling->rows);
    tiling->space_x = div_up(layer->out.width, tiling->cols);
    tiling->channels_out = (uint32_t)min_u64(layer->out.channels, tiling->passes * pass_channels);
    tiling->channel_pes = div_up(layer->out.channels, tiling->channels_out);
    uint64_t taps = (uint64_t)layer->kernel_h * layer->kernel_w;
    if (shares_input(layer)) {
        tiling->channels_in = fan_channels(layer);
        tiling->read_bytes = tiling->words * accelerator->simd_ways * tiling->passes;
    } else {
        /* A lane's channel is read once for every pass that its group's outputs take. */
        uint32_t group_outputs = layer->out.channels / layer->groups;
        uint32_t rereads = layer->groups == 1 ? 1 : div_up(group_outputs, (uint32_t)pass_channels);
        tiling->channels_in = div_up(layer->in.channels, tiling->channel_pes);
        tiling->read_bytes = taps * tiling->channels_in * rereads;
        tiling->read_bytes *= layer->op == CS_OP_ADD ? 2 : 1;
    }
}

static bool smallest_tile_fits(const cs_layer *layer, const cs_accelerator *accelerator,
                               const cs_tiling *tiling)
{
    uint64_t bytes =
        cs_tiling_output_bytes(tiling, 1) + cs_tiling_partial_bytes(tiling, accelerator, 1);
    for (uint32_t k = 0; k < layer->input_count; k++) {
        bytes += cs_tiling_input_bytes(tiling, layer, k, 1);
    }
    return bytes <= accelerator->pe_memory_bytes;
}

cs_reason cs_tiling_choose(const cs_layer *layer, const cs_accelerator *accelerator,
                           cs_tiling *tiling)
{
    static const struct {
        cs_split x, y;
    } options[] = {
        {CS_SPLIT_SPACE, CS_SPLIT_SPACE},
        {CS_SPLIT_CHANNELS, CS_SPLIT_SPACE},
        {CS_SPLIT_SPACE, CS_SPLIT_CHANNELS},
        {CS_SPLIT_CHANNELS, CS_SPLIT_CHANNELS},
    };
    const unsigned option_count = sizeof options / sizeof options[0];
    cs_tiling tried = {0};
    measure(layer, accelerator, &tried);
    if (!count_fills(layer, accelerator, &tried)) {
        return CS_REASON_CORE_MEMORY;
    }
    bool found = false;
    for (unsigned i = layer->op == CS_OP_DENSE ? option_count - 1 : 0; i < option_count; i++) {
        split(layer, accelerator, options[i].x, options[i].y, &tried);
        if (found && tried.cycles >= tiling->cycles) {
            continue;
        }
        finish(layer, accelerator, &tried);
        if (smallest_tile_fits(layer, accelerator, &tried)) {
            *tiling = tried;
            found = true;
        }
    }
    return found ? CS_REASON_NONE : CS_REASON_PE_MEMORY;
}

uint64_t cs_tiling_input_bytes(const cs_tiling *tiling, const cs_layer *layer, uint32_t which,
                               uint32_t rows)
{
    assert(which < layer->input_count && rows >= 1);
    if (layer->op == CS_OP_DENSE || (which > 0 && layer->op == CS_OP_SCALE)) {
        return tiling->channels_in;
    }
    uint64_t height = (uint64_t)(rows - 1) * layer->stride_h + layer->kernel_h;
    uint64_t width = (uint64_t)(tiling->cols - 1) * layer->stride_w + layer->kernel_w;
    return min_u64(height, layer->in.height) * min_u64(width, layer->in.width) *
           tiling->channels_in;
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
