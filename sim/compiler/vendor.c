/* Policy vendor: see vendor.h for its rules. Every constant of the chip stands here, once. */
#include "sim/compiler/vendor.h"

#include "sim/compiler/tiling.h"

/* Narrow memory that staging and constant rows take, of each PE. 192 KiB less this is the only
 * multiple of 1 KiB that explains at which widths the ladder of convolutions changes strips. */
#define STAGING_BYTES 4096u

/* Of a template whose PEs have one memory, the chip's share is narrow: 192 of 704 KiB. */
#define NARROW_PARTS 3u
#define ALL_PARTS    11u

/* PE memory is counted in rows of a byte a lane. Buffers are stacked down from an address above its
 * end, the FIFOs of dense layers begin before it, and a share is always left for parameters: 8320,
 * 8048 and 1750 of 8192 rows (tinycoral; the least capacity in a public compiler log). */
#define TOP_BEYOND_ROWS  128u
#define FIFO_BEFORE_ROWS 144u
#define LEFT_NUMERATOR   1750u
#define LEFT_DENOMINATOR 8192u
#define PARTIAL_SUM_ROWS 4u /* of a position: 32 bit a lane */
#define POOL_WINDOW_ROWS 4u /* of a position of the transposed window */
#define FIFO_ROW_ROWS    8u /* of a row of weights in a FIFO, and of its ends */
#define PLAIN_ROW_ROWS   4u

/* A fill goes through a FIFO up to the first length and from the second (tinycoral). */
#define FIFO_SHORT_FILL 15u
#define FIFO_LONG_FILL  31u
#define SMALL_FILL      30u /* up to which position-outer is chosen by positions alone */

#define CHUNK_POSITIONS 64u /* of a PE, in a strip beyond its narrow memory (tinycoral) */

#define PARTIAL_SUM_CYCLES 2u  /* a position and fill: written once, read once */
#define FILL_CYCLES        26u /* of a fill, beside its rows: fitted, ladder of convolutions */
#define RING_BYTES_PER_CYCLE                                                                       \
    16u /* the compiler's own estimates: 256 MACs a cycle at one position */
#define DEPTHWISE_LANES_PER   8u /* lanes for each that works: fitted, MobileNet v1 at two clocks */
#define ELEMENTWISE_LANES_PER 32u /* the same: chosen, weakly identified */

/* A call's instructions. Their sum for one network is published (57 KB), the split is an estimate.
 */
#define CALL_INSTRUCTION_BYTES   8192u
#define WINDOW_INSTRUCTION_BYTES 7680u /* a strip of a layer with a halo */
#define POINT_INSTRUCTION_BYTES  4096u /* any other layer that computes */

#define STREAM_START_S 0.3e-3 /* once a call that streams: fitted, 15 rows of the dense ladder */

typedef struct compiler {
    const cs_network *network;
    const cs_accelerator *accelerator;
    cs_schedule *schedule;
    uint32_t without;
    uint64_t pes;
    uint64_t lanes;        /* of a PE; bytes of a row of PE memory */
    uint64_t tensor_bytes; /* narrow memory of a PE for tensors */
    uint64_t rows;         /* PE memory in rows */
} compiler;

static uint64_t div_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool has(const compiler *c, cs_mechanism mechanism)
{
    return (c->without >> mechanism & 1) == 0;
}

static uint64_t reach_of(uint32_t kernel, uint32_t dilation)
{
    return (uint64_t)(kernel - 1) * dilation + 1;
}

static bool is_depthwise(const cs_layer *layer)
{
    return layer->op == CS_OP_CONV && layer->groups > 1 && layer->groups == layer->in.channels;
}

static bool is_cell(const cs_layer *layer)
{
    return layer->op == CS_OP_LSTM || layer->op == CS_OP_GRU;
}

static bool is_pool(const cs_layer *layer)
{
    return layer->op == CS_OP_POOL_MAX || layer->op == CS_OP_POOL_AVG;
}

/* Runs in strips and fills: a convolution that multiplies all input channels of its group. */
static bool is_conv(const cs_layer *layer)
{
    return (layer->op == CS_OP_CONV && !is_depthwise(layer)) || layer->op == CS_OP_CONV_TRANSPOSE;
}

static bool moves_nothing(const cs_layer *layer)
{
    return layer->op == CS_OP_INPUT || layer->op == CS_OP_CONCAT || layer->op == CS_OP_RESHAPE;
}

/* Input rows (columns) that `count` output rows (columns) of a PE read; at most `in`. */
static uint64_t covered(const compiler *c, const cs_layer *layer, uint64_t count, uint32_t in,
                        uint64_t reach, uint32_t stride)
{
    if (layer->op == CS_OP_CONV_TRANSPOSE) {
        return min_u64((count + reach - 2) / stride + 1, in);
    }
    uint64_t halo = has(c, CS_MECHANISM_HALOS) ? reach : stride;
    return min_u64((count - 1) * stride + halo, in);
}

static uint64_t channel_bytes(const compiler *c, uint32_t channels)
{
    return div_up(channels, c->accelerator->simd_ways) * c->accelerator->simd_ways;
}

/* ---- compute mode ---- */

static uint64_t fill_buffer_rows(uint64_t fill)
{
    bool fifo = fill <= FIFO_SHORT_FILL || fill >= FIFO_LONG_FILL;
    return fifo ? FIFO_ROW_ROWS * (fill + 1) : PLAIN_ROW_ROWS * (fill + 1);
}

static uint64_t largest_divisor(uint64_t number, uint64_t limit)
{
    uint64_t divisor = limit;
    while (number % divisor != 0) {
        divisor--;
    }
    return divisor;
}

/* Choose the compute mode of a layer with `words` words an output and `positions` outputs of a PE
 * and channel. */
static void choose_mode(const compiler *c, const cs_layer *layer, const cs_tiling *tiling,
                        uint64_t positions, cs_step *step)
{
    uint64_t words = tiling->words, taps = tiling->taps;
    uint64_t chunk = taps;
    if (taps == 1) {
        chunk = largest_divisor(words, max_u64(1, min_u64(FIFO_SHORT_FILL, words / 2)));
    }
    uint64_t chunked_rows = PARTIAL_SUM_ROWS * positions + fill_buffer_rows(chunk);
    if (layer->in.channels <= c->accelerator->simd_ways) {
        step->position_outer = true;
    } else if (words <= SMALL_FILL) {
        step->position_outer = words <= positions + taps;
    } else {
        step->position_outer = FIFO_ROW_ROWS * (words + 1) < chunked_rows;
    }
    step->fill_rows = (uint32_t)(step->position_outer ? words : chunk);
    step->core_fills = (uint32_t)div_up(words, step->fill_rows);
    step->buffer_bytes = (step->position_outer ? fill_buffer_rows(words) : chunked_rows) * c->lanes;
}

/* ---- strips ---- */

typedef struct strips {
    cs_residence residence;
    uint64_t rows;
    uint64_t count;
} strips;

static void keep_fewer(strips *best, cs_residence residence, uint64_t rows, uint64_t all)
{
    uint64_t count = div_up(all, rows);
    if (best->count == 0 || count < best->count) {
        *best = (strips){residence, rows, count};
    }
}

/* How many strips a convolution takes, and where its tensors lie meanwhile: whole where they fit,
 * else the fewest strips. False where not even single rows fit. */
static bool choose_strips(const compiler *c, const cs_layer *layer, cs_step *step)
{
    uint64_t rows = step->tile_rows, cols = step->tile_cols, memory = c->tensor_bytes;
    uint64_t in_bytes = channel_bytes(c, layer->in.channels);
    uint64_t out_bytes = channel_bytes(c, layer->out.channels);
    uint64_t reach_h = reach_of(layer->kernel_h, layer->dilation_h);
    uint64_t reach_w = reach_of(layer->kernel_w, layer->dilation_w);
    uint64_t in_cols = covered(c, layer, cols, layer->in.width, reach_w, layer->stride_w);
    uint64_t in_row = in_cols * in_bytes;
    uint64_t input = covered(c, layer, rows, layer->in.height, reach_h, layer->stride_h) * in_row;
    uint64_t own = div_up(layer->in.height, c->accelerator->pes_y) *
                   div_up(layer->in.width, c->accelerator->pes_x) * in_bytes;
    bool halos = has(c, CS_MECHANISM_HALOS);
    uint64_t halo_rows = halos ? step->halo_rows : 0, halo_cols = halos ? step->halo_cols : 0;
    uint64_t primed = rows + (has(c, CS_MECHANISM_PRIMING) ? halo_rows : 0);
    uint64_t output = (rows + halo_rows) * (cols + halo_cols) * out_bytes;
    if (input + output <= memory || !has(c, CS_MECHANISM_STRIPS)) {
        step->strip_rows = step->tile_rows;
        step->weight_passes = 1;
        return true;
    }

    strips best = {0};
    uint64_t strip_row = (cols + reach_w - 1) * out_bytes;
    if (rows > 1 && input + strip_row <= memory) {
        uint64_t fit = min_u64((memory - input) / strip_row, div_up(rows, 2));
        keep_fewer(&best, CS_RESIDENCE_INPUT_WHOLE, div_up(rows, div_up(rows, fit)), rows);
    }

    /* In place: output rows take the place of input rows that are used up. The fewer output rows
     * are spare, the shorter the strips; with none, the halo rows of the next layer are computed
     * as rows of their own. */
    uint64_t chunk = max_u64(1, min_u64(rows, CHUNK_POSITIONS / cols));
    uint64_t row = cols * out_bytes;
    uint64_t lying = max_u64(own, rows * row);
    if (lying <= memory) {
        uint64_t spare = (memory - lying) / row;
        uint64_t strip = spare >= 2 ? spare + 1 : spare + 2;
        keep_fewer(&best, CS_RESIDENCE_IN_PLACE, min_u64(chunk, strip), spare < 1 ? primed : rows);
    }

    uint64_t strip = chunk;
    uint64_t doubled = 0;
    for (; strip >= 1; strip--) {
        uint64_t in_rows = covered(c, layer, strip, layer->in.height, reach_h, layer->stride_h);
        doubled = 2 * (in_rows * in_row + strip * row);
        if (doubled <= memory) {
            break;
        }
    }
    if (strip >= 1) {
        keep_fewer(&best, CS_RESIDENCE_WIDE, strip, primed);
    }
    if (best.count == 0) {
        return false;
    }
    step->residence = best.residence;
    step->strip_rows = (uint32_t)best.rows;
    step->weight_passes = (uint32_t)best.count;
    if (best.residence == CS_RESIDENCE_WIDE) {
        step->spill_bytes = lying;
    }
    return true;
}

/* ---- cycles ---- */

/* Multiply-accumulates in fills: convolutions, products of two tensors. `instances` fills of
 * different weights for each block of channels (heads of a product). */
static void count_fills(const compiler *c, const cs_tiling *tiling, uint64_t instances,
                        cs_step *step)
{
    uint64_t positions = (uint64_t)step->tile_rows * step->tile_cols;
    uint64_t passes = step->channel_passes;
    step->fills = step->weight_passes * passes * step->core_fills * instances;
    if (!has(c, CS_MECHANISM_SPACE_SPLIT)) {
        positions = (uint64_t)tiling->extent.height * tiling->extent.width;
        passes = div_up(passes, c->pes);
        step->fills = passes * step->core_fills * instances;
    }
    uint64_t waits = has(c, CS_MECHANISM_PARTIAL_SUMS) ? PARTIAL_SUM_CYCLES : 0;
    step->compute_cycles = positions * passes * (tiling->words + waits * step->core_fills);
    uint64_t row_cycles = div_up(c->lanes * c->accelerator->simd_ways, RING_BYTES_PER_CYCLE);
    if (has(c, CS_MECHANISM_FILLS)) {
        step->fill_cycles = step->fills * (FILL_CYCLES + row_cycles * step->fill_rows);
    }
}

/* Dense layers and the steps of cells: channels over all PEs, a pass after the other. */
static void count_dense(const compiler *c, const cs_tiling *tiling, uint64_t instances,
                        cs_step *step)
{
    step->split_x = CS_SPLIT_CHANNELS;
    step->split_y = CS_SPLIT_CHANNELS;
    step->channel_passes =
        (uint32_t)div_up(tiling->lane_blocks, c->pes * c->accelerator->cores_per_pe);
    step->core_fills = 1;
    step->position_outer = true;
    step->fill_rows = (uint32_t)min_u64(tiling->words, UINT32_MAX);
    step->fills = instances * step->channel_passes;
    step->compute_cycles = step->fills * tiling->words;
    step->fill_cycles = step->fills * FILL_CYCLES;
}

static void count_cycles(const compiler *c, const cs_layer *layer, const cs_tiling *tiling,
                         cs_step *step)
{
    uint64_t positions = (uint64_t)step->tile_rows * step->tile_cols;
    uint64_t channels = layer->out.channels;
    if (is_conv(layer)) {
        count_fills(c, tiling, 1, step);
    } else if (layer->op == CS_OP_MATMUL) {
        count_fills(c, tiling, step->tile_rows, step);
    } else if (layer->op == CS_OP_DENSE) {
        count_dense(c, tiling, 1, step);
    } else if (is_cell(layer)) {
        count_dense(c, tiling, layer->out.width, step);
        step->weight_passes = layer->out.width;
    } else if (is_depthwise(layer)) {
        uint64_t lanes_per = has(c, CS_MECHANISM_DEPTHWISE) ? DEPTHWISE_LANES_PER : 1;
        uint64_t working = max_u64(1, c->lanes / lanes_per);
        step->compute_cycles = positions * tiling->taps * div_up(channels, working);
        step->fills = step->channel_passes;
        step->fill_cycles = step->fills * FILL_CYCLES;
    } else if (is_pool(layer)) {
        step->compute_cycles = positions * tiling->taps * div_up(channels, c->lanes);
    } else if (layer->op == CS_OP_POOL_GLOBAL) {
        step->compute_cycles = div_up(layer->in.height, c->accelerator->pes_y) *
                               div_up(layer->in.width, c->accelerator->pes_x) *
                               div_up(channels, c->lanes);
    } else if (!moves_nothing(layer)) {
        uint64_t working = max_u64(1, c->lanes / ELEMENTWISE_LANES_PER);
        step->compute_cycles = positions * tiling->taps * div_up(channels, working);
    }
}

/* ---- one layer ---- */

static uint64_t stored_bytes(const compiler *c, const cs_layer *layer, const cs_tiling *tiling)
{
    if (tiling->stored_bytes == 0 || has(c, CS_MECHANISM_PADDING)) {
        return tiling->stored_bytes;
    }
    return cs_layer_weights(layer) + 8 * (uint64_t)layer->out.channels;
}

/* PE memory for the window of a pool, transposed, and for the layer before it, which still runs. */
static uint64_t pool_buffer_bytes(const compiler *c, const cs_layer *layer, const cs_step *step)
{
    uint64_t rows = (uint64_t)(step->tile_rows - 1) * layer->stride_h +
                    reach_of(layer->kernel_h, layer->dilation_h);
    uint64_t cols = (uint64_t)(step->tile_cols - 1) * layer->stride_w +
                    reach_of(layer->kernel_w, layer->dilation_w);
    cs_layer_id from = cs_layer_inputs(c->network, layer)[0];
    return POOL_WINDOW_ROWS * rows * div_up(cols, 4) * c->lanes +
           c->schedule->steps[from].buffer_bytes;
}

static uint64_t instruction_bytes(const cs_layer *layer, const cs_step *step)
{
    if (moves_nothing(layer)) {
        return 0;
    }
    bool window = (uint64_t)layer->kernel_h * layer->kernel_w > 1 && layer->op != CS_OP_POOL_GLOBAL;
    uint64_t times = is_conv(layer) ? step->weight_passes : 1;
    return window ? WINDOW_INSTRUCTION_BYTES * times : POINT_INSTRUCTION_BYTES;
}

static cs_reason schedule_layer(const compiler *c, const cs_layer *layer, cs_step *step)
{
    cs_tiling tiling;
    cs_reason reason = cs_tiling_measure(layer, c->accelerator, &tiling);
    if (reason) {
        return reason;
    }
    step->tile_rows = (uint32_t)div_up(layer->out.height, c->accelerator->pes_y);
    step->tile_cols = (uint32_t)div_up(layer->out.width, c->accelerator->pes_x);
    step->strip_rows = step->tile_rows;
    step->channel_passes = (uint32_t)div_up(tiling.lane_blocks, c->accelerator->cores_per_pe);
    step->operations = cs_layer_operations(layer);
    step->weight_bytes = stored_bytes(c, layer, &tiling);
    step->weight_passes = step->weight_bytes > 0 || layer->op == CS_OP_MATMUL;
    uint64_t positions = (uint64_t)step->tile_rows * step->tile_cols;
    if (is_conv(layer)) {
        choose_mode(c, layer, &tiling, positions, step);
        if (!choose_strips(c, layer, step) || step->spill_bytes > c->rows * c->lanes) {
            return CS_REASON_PE_MEMORY;
        }
        if (!has(c, CS_MECHANISM_SPACE_SPLIT)) {
            /* The buffers stay those of the block; only the order of fills is chosen anew. */
            uint64_t buffer = step->buffer_bytes;
            choose_mode(c, layer, &tiling, (uint64_t)layer->out.height * layer->out.width, step);
            step->buffer_bytes = buffer;
        }
    } else if (layer->op == CS_OP_MATMUL) {
        choose_mode(c, layer, &tiling, positions, step);
    } else if (is_pool(layer)) {
        step->buffer_bytes = pool_buffer_bytes(c, layer, step);
    }
    count_cycles(c, layer, &tiling, step);

    /* Lanes read input words and write results; weights pass from the PE that holds them to the
     * cores of all; partial sums are written and read once a fill. */
    uint64_t outputs = (uint64_t)layer->out.height * layer->out.width * layer->out.channels;
    uint64_t ways = c->accelerator->simd_ways;
    uint64_t places = (uint64_t)tiling.extent.height * tiling.extent.width;
    uint64_t loaded = step->weight_bytes * step->weight_passes;
    bool multiplies =
        is_conv(layer) || layer->op == CS_OP_DENSE || is_cell(layer) || layer->op == CS_OP_MATMUL;
    uint64_t read = multiplies ? places * tiling.words * ways * step->channel_passes
                               : places * tiling.taps * layer->out.channels;
    uint64_t sums =
        is_conv(layer) && !step->position_outer
            ? places * step->channel_passes * step->core_fills * c->lanes * CS_PARTIAL_SUM_BYTES
            : 0;
    bool everywhere = step->split_x == CS_SPLIT_SPACE;
    step->pe_memory_read_bytes = read + loaded + sums;
    step->pe_memory_write_bytes = outputs + sums;
    step->core_memory_write_bytes = loaded * (everywhere ? c->pes : 1);
    if (multiplies || is_depthwise(layer)) {
        step->core_memory_read_bytes =
            places * tiling.words * ways * tiling.lane_blocks * c->accelerator->lanes_per_core;
    }
    return CS_REASON_NONE;
}

/* ---- the network ---- */

/* The halo of a tensor is what the windows of its readers overlap. */
static void find_halos(const compiler *c)
{
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        const cs_layer *layer = &c->network->layers[i];
        if (layer->op != CS_OP_CONV && layer->op != CS_OP_CONV_TRANSPOSE && !is_pool(layer)) {
            continue;
        }
        cs_step *from = &c->schedule->steps[cs_layer_inputs(c->network, layer)[0]];
        uint64_t rows = reach_of(layer->kernel_h, layer->dilation_h) - 1;
        uint64_t cols = reach_of(layer->kernel_w, layer->dilation_w) - 1;
        from->halo_rows = (uint32_t)min_u64(max_u64(from->halo_rows, rows), UINT32_MAX);
        from->halo_cols = (uint32_t)min_u64(max_u64(from->halo_cols, cols), UINT32_MAX);
    }
}

static uint64_t fifo_rows(const compiler *c)
{
    return c->rows > FIFO_BEFORE_ROWS ? c->rows - FIFO_BEFORE_ROWS : 0;
}

/* Bytes of the chip for parameters: PE memory less the largest buffer. */
static uint64_t parameter_capacity(const compiler *c)
{
    if (!has(c, CS_MECHANISM_CAPACITY)) {
        return c->rows * c->lanes * c->pes;
    }
    uint64_t top = c->rows + TOP_BEYOND_ROWS;
    uint64_t left = c->rows * LEFT_NUMERATOR / LEFT_DENOMINATOR;
    uint64_t reserved = 0;
    for (uint32_t i = 0; i < c->schedule->step_count; i++) {
        const cs_step *step = &c->schedule->steps[i];
        uint64_t rows = step->buffer_bytes / c->lanes + div_up(step->spill_bytes, c->lanes);
        reserved = max_u64(reserved, rows);
    }
    return min_u64(fifo_rows(c), top - min_u64(reserved, top - left)) * c->lanes * c->pes;
}

/* A dense layer is not cut finer than passes over its PEs, and a PE's share of it has to end
 * before the FIFOs. */
static bool may_cache(const compiler *c, const cs_layer *layer, const cs_step *step)
{
    if (step->weight_bytes == 0 || !has(c, CS_MECHANISM_CACHING)) {
        return false;
    }
    uint64_t share =
        step->channel_passes * c->lanes * channel_bytes(c, cs_layer_fan_channels(layer));
    return layer->op != CS_OP_DENSE || share <= fifo_rows(c) * c->lanes;
}

static void place_parameters(const compiler *c)
{
    cs_schedule *schedule = c->schedule;
    schedule->parameter_capacity = parameter_capacity(c);
    for (uint32_t i = 0; i < schedule->step_count; i++) {
        cs_step *step = &schedule->steps[i];
        step->cached = may_cache(c, &c->network->layers[i], step) &&
                       step->weight_bytes <= schedule->parameter_capacity - schedule->cached_bytes;
        if (step->cached) {
            schedule->cached_bytes += step->weight_bytes;
            continue;
        }
        if (step->weight_bytes == 0) {
            continue;
        }
        uint64_t passes = has(c, CS_MECHANISM_LINK_PASSES) ? step->weight_passes : 1;
        uint64_t streamed = step->weight_bytes * passes;
        if (has(c, CS_MECHANISM_OVERLAP)) {
            step->off_chip_read_bytes = streamed;
        } else {
            step->upload_bytes = streamed;
        }
        step->pe_memory_write_bytes += streamed;
        if (schedule->streamed_bytes == 0 && has(c, CS_MECHANISM_STREAM_START)) {
            step->start_s = STREAM_START_S;
        }
        schedule->streamed_bytes += step->weight_bytes;
    }
}

/* What crosses the link around the layers: instructions and inputs before, outputs after. */
static void count_call(const compiler *c)
{
    uint64_t instructions = CALL_INSTRUCTION_BYTES;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        const cs_layer *layer = &c->network->layers[i];
        cs_step *step = &c->schedule->steps[i];
        instructions += instruction_bytes(layer, step);
        if (layer->op == CS_OP_INPUT) {
            step->upload_bytes += cs_shape_elements(layer->out);
            step->pe_memory_write_bytes = cs_shape_elements(layer->out);
            step->output_off_chip = true;
        } else if (layer->last_use == i) {
            uint64_t positions = (uint64_t)layer->out.height * layer->out.width;
            step->collect_bytes = positions * channel_bytes(c, layer->out.channels);
            step->pe_memory_read_bytes += step->collect_bytes;
            step->output_off_chip = true;
        }
    }
    if (has(c, CS_MECHANISM_INSTRUCTIONS)) {
        c->schedule->steps[0].upload_bytes += instructions;
    }
}

void cs_vendor_compile(const cs_network *network, const cs_accelerator *accelerator,
                       uint32_t without, cs_schedule *schedule)
{
    uint64_t pe_bytes = accelerator->pe_memory_bytes;
    uint64_t narrow_bytes = accelerator->narrow_memory_bytes;
    if (narrow_bytes == 0) {
        narrow_bytes = pe_bytes * NARROW_PARTS / ALL_PARTS;
        pe_bytes -= narrow_bytes;
    }
    compiler c = {
        .network = network,
        .accelerator = accelerator,
        .schedule = schedule,
        .without = without,
        .pes = (uint64_t)accelerator->pes_x * accelerator->pes_y,
        .lanes = (uint64_t)accelerator->cores_per_pe * accelerator->lanes_per_core,
        .tensor_bytes = narrow_bytes > STAGING_BYTES ? narrow_bytes - STAGING_BYTES : 0,
    };
    c.rows = pe_bytes / c.lanes;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        schedule->steps[i] = (cs_step){0};
    }
    find_halos(&c);
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_layer *layer = &network->layers[i];
        if (layer->op == CS_OP_INPUT) {
            schedule->reason = layer->act_bits == 8 ? CS_REASON_NONE : CS_REASON_UNSUPPORTED;
        } else {
            schedule->reason = schedule_layer(&c, layer, &schedule->steps[i]);
        }
        if (schedule->reason) {
            schedule->reason_layer = i;
            return;
        }
    }
    place_parameters(&c);
    count_call(&c);
    schedule->calls = network->batch;
    schedule->peak_activation_bytes =
        (accelerator->pe_memory_bytes + accelerator->narrow_memory_bytes) * c.pes -
        schedule->parameter_capacity;
}
