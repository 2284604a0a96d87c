/* One layer by given knobs: see step.h. The constants of the machine stand here and there. */
#include "sim/compiler/step.h"

#include <assert.h>

/* Narrow memory that staging and constant rows take, of each PE: a 48th. Of the Coral chip's 192
 * KiB that is 4 KiB, the only multiple of 1 KiB that explains at which widths the ladder of
 * convolutions changes strips. */
#define STAGING_PART 48u

/* Of a template whose PEs have one memory, the chip's share is narrow: 192 of 704 KiB. */
#define NARROW_PARTS 3u
#define ALL_PARTS    11u

/* Wide memory before the FIFOs of dense layers: 8048 of 8192 rows (tinycoral). */
#define FIFO_BEFORE_ROWS 144u
#define OVERHANG_PART    4u /* of core memory: 8320 - 8192 rows on the chip */
#define PLAIN_ROW_ROWS   4u

/* A fill goes through a FIFO up to the first length and from the second (tinycoral). */
#define FIFO_SHORT_FILL 15u
#define FIFO_LONG_FILL  31u

#define PARTIAL_SUM_CYCLES 2u  /* a position and fill: written once, read once */
#define FILL_CYCLES        26u /* of a fill, beside its rows: fitted, ladder of convolutions */
#define WAY_CYCLES                                                                                 \
    4u /* of a row of weights on the ring, for each way: 16 of the chip's 4 ways, by the           \
          compiler's own estimates of 256 MACs a cycle at one position */
#define DEPTHWISE_LANES_PER   8u /* lanes for each that works: fitted, MobileNet v1 at two clocks */
#define ELEMENTWISE_LANES_PER 32u /* the same: chosen, weakly identified */

/* Instructions of a layer, beside CS_CALL_INSTRUCTION_BYTES. */
#define WINDOW_INSTRUCTION_BYTES 7680u /* a strip of a layer with a halo */
#define POINT_INSTRUCTION_BYTES  4096u /* any other layer that computes */

#define RESIZE_CORNERS         4u /* elements between which one lies */
#define CELL_GATE_BYTES        4u /* of a unit */
#define CHANNEL_CONSTANT_BYTES 8u /* a 32-bit bias and a 32-bit multiplier */

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

uint64_t cs_round_up(uint64_t value, uint64_t unit)
{
    return div_up(value, unit) * unit;
}

static bool has(const cs_machine *machine, cs_mechanism mechanism)
{
    return (machine->without >> mechanism & 1) == 0;
}

void cs_machine_of(const cs_accelerator *accelerator, uint32_t without, cs_machine *machine)
{
    uint64_t narrow = accelerator->narrow_memory_bytes;
    uint64_t wide = accelerator->pe_memory_bytes;
    bool shared = narrow == 0;
    if (shared) {
        narrow = wide * NARROW_PARTS / ALL_PARTS;
        wide -= narrow;
    }
    uint64_t lanes = (uint64_t)accelerator->cores_per_pe * accelerator->lanes_per_core;
    uint64_t core_bytes = accelerator->core_memory_bytes * accelerator->cores_per_pe;
    uint64_t rows = wide / lanes;
    *machine = (cs_machine){
        .pes_y = accelerator->pes_y,
        .pes_x = accelerator->pes_x,
        .cores = accelerator->cores_per_pe,
        .ways = accelerator->simd_ways,
        .without = without,
        .pes = (uint64_t)accelerator->pes_x * accelerator->pes_y,
        .lanes = lanes,
        .core_lanes = accelerator->lanes_per_core,
        .core_bytes = core_bytes,
        .narrow_bytes = narrow - div_up(narrow, STAGING_PART),
        .wide_bytes = rows * lanes,
        .overhang_bytes = core_bytes / OVERHANG_PART / lanes * lanes,
        .fifo_bytes = (rows > FIFO_BEFORE_ROWS ? rows - FIFO_BEFORE_ROWS : 0) * lanes,
        .shared = shared,
    };
    if (!has(machine, CS_MECHANISM_STRIPS)) {
        machine->narrow_bytes = UINT64_MAX / 4; /* every tensor fits */
    }
}

/* ---- layers ---- */

cs_kind cs_kind_of(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_INPUT:
    case CS_OP_CONCAT:
        return CS_KIND_NOTHING;
    case CS_OP_CONV:
        return layer->groups > 1 && layer->groups == layer->in.channels ? CS_KIND_DEPTHWISE
                                                                        : CS_KIND_FILLS;
    case CS_OP_CONV_TRANSPOSE:
    case CS_OP_MATMUL:
        return CS_KIND_FILLS;
    case CS_OP_DENSE:
        return CS_KIND_DENSE;
    case CS_OP_LSTM:
    case CS_OP_GRU:
        return CS_KIND_CELL;
    case CS_OP_POOL_MAX:
    case CS_OP_POOL_AVG:
        return CS_KIND_POOL;
    case CS_OP_POOL_GLOBAL:
        return CS_KIND_POOL_GLOBAL;
    case CS_OP_RESHAPE:
    case CS_OP_TRANSPOSE:
        return CS_KIND_MOVE;
    default:
        return CS_KIND_ELEMENTS;
    }
}

/* Output channels that lanes make; of a cell, the results of its gates. */
static uint32_t lane_channels(const cs_layer *layer)
{
    if (cs_kind_of(layer) == CS_KIND_CELL) {
        return (uint32_t)(cs_layer_weights(layer) / cs_layer_fan_channels(layer));
    }
    return layer->out.channels;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b > 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Positions of its window, or passes over an element, for one output. A transposed convolution's
 * output is reached by every stride-th tap only, or by more if the taps lie apart. */
static uint64_t taps_of(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_CONV_TRANSPOSE:
        return div_up(layer->kernel_h,
                      layer->stride_h / common_divisor(layer->stride_h, layer->dilation_h)) *
               div_up(layer->kernel_w,
                      layer->stride_w / common_divisor(layer->stride_w, layer->dilation_w));
    case CS_OP_SOFTMAX:
    case CS_OP_LAYER_NORM:
        return cs_layer_operations(layer) / cs_shape_elements(layer->out);
    default:
        return (uint64_t)layer->kernel_h * layer->kernel_w;
    }
}

static bool has_weights(cs_kind kind, const cs_layer *layer)
{
    return (kind == CS_KIND_FILLS && layer->op != CS_OP_MATMUL) || kind == CS_KIND_DEPTHWISE ||
           kind == CS_KIND_DENSE || kind == CS_KIND_CELL;
}

/* Weights are stored for all taps, all lanes and ways, and 8 bytes a channel beside them (dense
 * layers have none). */
static uint64_t stored_bytes(const cs_layer *layer, cs_kind kind, uint64_t core_lanes,
                             uint64_t ways)
{
    if (!has_weights(kind, layer)) {
        return 0;
    }
    uint64_t fan = (uint64_t)layer->kernel_h * layer->kernel_w *
                   cs_round_up(cs_layer_fan_channels(layer), ways);
    uint64_t constants = kind == CS_KIND_DENSE ? 0 : CHANNEL_CONSTANT_BYTES;
    return (fan + constants) * cs_round_up(lane_channels(layer), core_lanes);
}

uint64_t cs_layer_stored_bytes(const cs_layer *layer, const cs_accelerator *accelerator)
{
    return stored_bytes(layer, cs_kind_of(layer), accelerator->lanes_per_core,
                        accelerator->simd_ways);
}

static uint64_t reach_of(uint32_t kernel, uint32_t dilation)
{
    return (uint64_t)(kernel - 1) * dilation + 1;
}

/* The rows lo .. hi - 1 of a tensor with `extent` rows, as far as it has them. */
static cs_range clip(int64_t lo, int64_t hi, uint32_t extent)
{
    lo = lo < 0 ? 0 : lo > extent ? extent : lo;
    hi = hi < lo ? lo : hi > extent ? extent : hi;
    return (cs_range){(uint32_t)lo, (uint32_t)(hi - lo)};
}

cs_range cs_layer_reads(const cs_layer *layer, uint32_t which, bool axis_x, cs_range out)
{
    const cs_shape tensor = which == 0 ? layer->in : layer->second;
    uint32_t extent = axis_x ? tensor.width : tensor.height;
    uint32_t all = axis_x ? layer->out.width : layer->out.height;
    int64_t first = out.first, last = (int64_t)out.first + out.count - 1;
    if (out.count == 0) {
        return (cs_range){0, 0};
    }
    switch (layer->op) {
    case CS_OP_CONV:
    case CS_OP_POOL_MAX:
    case CS_OP_POOL_AVG:
    case CS_OP_CONV_TRANSPOSE: {
        int64_t stride = axis_x ? layer->stride_w : layer->stride_h;
        int64_t before = axis_x ? layer->pad_left : layer->pad_top;
        int64_t reach = (int64_t)(axis_x ? reach_of(layer->kernel_w, layer->dilation_w)
                                         : reach_of(layer->kernel_h, layer->dilation_h));
        if (layer->op == CS_OP_CONV_TRANSPOSE) {
            int64_t lowest = first + before - reach + 1;
            lowest = lowest < 0 ? 0 : (lowest + stride - 1) / stride;
            return clip(lowest, (last + before) / stride + 1, extent);
        }
        return clip(first * stride - before, last * stride - before + reach, extent);
    }
    case CS_OP_RESIZE:
        return clip(first * extent / all, last * extent / all + 2, extent);
    case CS_OP_MATMUL:
        /* Each row of the height is a product of its own; the second operand is read whole. */
        return which > 0 && axis_x ? (cs_range){0, extent} : out;
    case CS_OP_SCALE:
        return which > 0 ? (cs_range){0, 1} : out;
    case CS_OP_DENSE:
    case CS_OP_POOL_GLOBAL:
    case CS_OP_LSTM:
    case CS_OP_GRU:
    case CS_OP_RESHAPE:
    case CS_OP_TRANSPOSE:
        return (cs_range){0, extent};
    default:
        return out;
    }
}

uint64_t cs_block_bytes(const cs_machine *machine, cs_shape shape)
{
    return div_up(shape.height, machine->pes_y) * div_up(shape.width, machine->pes_x) *
           cs_round_up(shape.channels, machine->ways);
}

/* ---- cutting ---- */

/* What PEs along an axis read of an input: each the range of its own block of outputs, or all of
 * them the same where the axis splits channels. */
static cs_span span_of(const cs_machine *machine, const cs_use *use, uint32_t which, bool axis_x,
                       bool space, uint32_t block)
{
    const cs_layer *layer = use->layer;
    const cs_shape tensor = which == 0 ? layer->in : layer->second;
    uint32_t extent = axis_x ? tensor.width : tensor.height;
    uint32_t outputs = axis_x ? layer->out.width : layer->out.height;
    uint32_t pes = axis_x ? machine->pes_x : machine->pes_y;
    uint32_t held = (uint32_t)div_up(extent, pes);
    cs_span span = {0};
    uint64_t covered = 0; /* rows before this one are counted in span.covered */
    for (uint32_t i = 0; i < pes; i++) {
        cs_range out = {space ? i * block : 0, block};
        uint64_t begin = min_u64((uint64_t)i * held, extent);
        uint64_t end = min_u64((uint64_t)(i + 1) * held, extent);
        span.hull = max_u64(span.hull, end - begin);
        if (out.first >= outputs) {
            continue;
        }
        out.count = (uint32_t)min_u64(block, outputs - out.first);
        cs_range in = cs_layer_reads(layer, which, axis_x, out);
        if (in.count == 0) {
            continue;
        }
        uint64_t after = (uint64_t)in.first + in.count;
        uint64_t lo = max_u64(in.first, begin), hi = min_u64(after, end);
        uint64_t own = hi > lo ? hi - lo : 0;
        uint64_t hull = end > begin ? max_u64(after, end) - min_u64(in.first, begin) : in.count;
        uint64_t stride = axis_x ? layer->stride_w : layer->stride_h;
        uint64_t before = axis_x ? layer->pad_left : layer->pad_top;
        uint64_t tail = max_u64(after, end) + before, passed = out.first * stride;
        span.hull = max_u64(span.hull, hull);
        span.tail = max_u64(span.tail, tail > passed ? tail - passed : 0);
        span.most = max_u64(span.most, in.count);
        span.sum += in.count;
        uint64_t from = max_u64(in.first, covered);
        span.covered += after > from ? after - from : 0;
        covered = max_u64(covered, after);
        span.own_most = max_u64(span.own_most, own);
        span.own_sum += own;
        span.lack = max_u64(span.lack, in.count - own);
    }
    if (!has(machine, CS_MECHANISM_HALOS) && space && layer->op == CS_OP_CONV) {
        uint32_t stride = axis_x ? layer->stride_w : layer->stride_h;
        span.most = span.hull = min_u64((uint64_t)block * stride, extent);
        span.lack = 0;
    }
    return span;
}

/* Whether an output of one channel needs all channels of its inputs. */
static bool reads_all_channels(cs_kind kind, const cs_layer *layer)
{
    return (kind == CS_KIND_FILLS && layer->groups == 1) || kind == CS_KIND_DENSE ||
           kind == CS_KIND_CELL || layer->op == CS_OP_SOFTMAX || layer->op == CS_OP_LAYER_NORM;
}

/* Dense layers and cells split channels alone; what looks at all channels of a position, or moves
 * elements, splits space alone. */
static bool may_cut(cs_kind kind, const cs_layer *layer, cs_split y, cs_split x)
{
    if (kind == CS_KIND_DENSE || kind == CS_KIND_CELL) {
        return y == CS_SPLIT_CHANNELS && x == CS_SPLIT_CHANNELS;
    }
    bool space_only = kind == CS_KIND_NOTHING || kind == CS_KIND_MOVE ||
                      kind == CS_KIND_POOL_GLOBAL || layer->op == CS_OP_SOFTMAX ||
                      layer->op == CS_OP_LAYER_NORM || layer->op == CS_OP_SCALE ||
                      (kind == CS_KIND_FILLS && layer->groups > 1);
    return !space_only || (y == CS_SPLIT_SPACE && x == CS_SPLIT_SPACE);
}

static void cut_inputs(const cs_machine *machine, const cs_use *use, cs_cut *cut)
{
    const cs_layer *layer = use->layer;
    bool space_y = cut->split_y == CS_SPLIT_SPACE, space_x = cut->split_x == CS_SPLIT_SPACE;
    bool all_channels = reads_all_channels(cut->kind, layer);
    cut->inputs = (uint32_t)min_u64(layer->input_count, 2);
    for (uint32_t k = 0; k < cut->inputs; k++) {
        const cs_shape tensor = k == 0 ? layer->in : layer->second;
        cut->in_rows[k] = span_of(machine, use, k, false, space_y, cut->rows);
        cut->in_cols[k] = span_of(machine, use, k, true, space_x, cut->cols);
        uint64_t channels = tensor.channels;
        if (cut->channel_pes > 1 && layer->op == CS_OP_MATMUL && k == 1 && layer->transposed) {
            cut->in_cols[k].most = min_u64(cut->in_cols[k].most, cut->channels);
        } else if (cut->channel_pes > 1 &&
                   (!all_channels || (layer->op == CS_OP_MATMUL && k == 1))) {
            channels = min_u64(channels, cut->channels);
        }
        if (cut->kind == CS_KIND_POOL_GLOBAL || cut->kind == CS_KIND_MOVE) {
            /* PEs work on the block that they hold. */
            cut->in_rows[k].most = cut->in_rows[k].hull = div_up(tensor.height, machine->pes_y);
            cut->in_cols[k].most = cut->in_cols[k].hull = div_up(tensor.width, machine->pes_x);
        }
        cut->in_channel_bytes[k] = cs_round_up(channels, machine->ways);
        cut->block_in_bytes[k] = cs_block_bytes(machine, tensor);
    }
}

/* Lane results of a PE's passes. */
static uint64_t part_lanes(const cs_machine *machine, const cs_cut *cut)
{
    return (uint64_t)cut->passes * machine->lanes;
}

/* Channels of input `which` that the parts of the output's channels read, summed over the parts.
 */
static uint64_t channels_read(const cs_machine *machine, const cs_layer *layer, const cs_cut *cut,
                              uint32_t which)
{
    const cs_shape tensor = which == 0 ? layer->in : layer->second;
    uint64_t each = tensor.channels, sum = 0;
    if (layer->op == CS_OP_MATMUL && which == 1) {
        return each;
    }
    if (reads_all_channels(cut->kind, layer)) {
        return each * cut->parts;
    }
    uint64_t multiplier = cut->kind == CS_KIND_DEPTHWISE ? layer->out.channels / each : 1;
    if (cut->channel_pes == 1 || multiplier == 1) {
        return each;
    }
    for (uint64_t part = 0; part < cut->parts; part++) {
        uint64_t first = part * part_lanes(machine, cut);
        uint64_t after = min_u64(first + part_lanes(machine, cut), layer->out.channels);
        sum += (after - 1) / multiplier - first / multiplier + 1;
    }
    return sum;
}

/* Gates of a cell's units that another PE makes than the unit's first: they go to that one. */
static uint64_t strayed_gates(const cs_machine *machine, const cs_layer *layer, const cs_cut *cut)
{
    uint64_t all = lane_channels(layer), gates = all / layer->out.channels, strayed = 0;
    uint64_t lanes = part_lanes(machine, cut);
    for (uint64_t i = 0; cut->parts > 1 && i < all; i++) {
        bool two = layer->op == CS_OP_GRU && i % gates == 2; /* a candidate's two values */
        strayed += i / lanes != i / gates * gates / lanes ? (two ? 2 : 1) : 0;
    }
    return strayed;
}

/* What is read in all, and what of it comes over the mesh. Where channels are split, a PE's block
 * is gathered anew. */
static void count_mesh(const cs_machine *machine, const cs_use *use, cs_cut *cut)
{
    const cs_layer *layer = use->layer;
    uint64_t elements = cs_shape_elements(layer->out);
    bool off = use->input_off[0];
    if (cut->kind == CS_KIND_NOTHING) {
        return;
    }
    if (cut->kind == CS_KIND_MOVE || cut->kind == CS_KIND_POOL_GLOBAL) {
        uint64_t read = cs_shape_elements(layer->in);
        uint64_t holders = div_up(layer->in.height, div_up(layer->in.height, machine->pes_y)) *
                           div_up(layer->in.width, div_up(layer->in.width, machine->pes_x));
        cut->need_bytes = off ? 0 : read;
        cut->off_bytes[0] = cut->link_bytes[0] = off ? read : 0;
        cut->mesh_bytes = cut->kind == CS_KIND_POOL_GLOBAL
                              ? (holders - 1) * layer->in.channels * CS_PARTIAL_SUM_BYTES
                          : off || use->output_off ? 0
                                                   : elements;
        return;
    }
    bool splits = cut->channel_pes > 1;
    for (uint32_t k = 0; k < cut->inputs; k++) {
        const cs_shape tensor = k == 0 ? layer->in : layer->second;
        const cs_span *rows = &cut->in_rows[k], *cols = &cut->in_cols[k];
        uint64_t all_cols = layer->op == CS_OP_MATMUL && k == 1 ? tensor.width : cols->most;
        uint64_t places = (cut->split_y == CS_SPLIT_SPACE ? rows->sum : rows->most) *
                          (cut->split_x == CS_SPLIT_SPACE ? cols->sum : all_cols);
        uint64_t need = places * channels_read(machine, layer, cut, k);
        if (use->input_off[k]) {
            uint64_t width = layer->op == CS_OP_MATMUL && k == 1 ? tensor.width : cols->covered;
            cut->off_bytes[k] = need;
            cut->link_bytes[k] = rows->covered * width * tensor.channels;
            continue;
        }
        cut->need_bytes += need;
        cut->mesh_bytes += splits ? need : need - rows->own_sum * cols->own_sum * tensor.channels;
    }
    if (cut->kind == CS_KIND_CELL) {
        /* Each step's results go to their blocks and, as the next step's state, to all PEs. */
        cut->mesh_bytes += elements * ((use->output_off ? 0 : 1) + (uint64_t)cut->parts) +
                           cut->places * strayed_gates(machine, layer, cut);
    } else if (splits && !use->output_off) {
        cut->mesh_bytes += elements;
    }
}

bool cs_cut_make(const cs_machine *machine, const cs_use *use, cs_split split_y, cs_split split_x,
                 cs_cut *cut)
{
    const cs_layer *layer = use->layer;
    cs_kind kind = cs_kind_of(layer);
    if (!may_cut(kind, layer, split_y, split_x)) {
        return false;
    }
    bool space_y = split_y == CS_SPLIT_SPACE, space_x = split_x == CS_SPLIT_SPACE;
    cs_shape out = layer->out;
    if (kind == CS_KIND_CELL) {
        out = (cs_shape){1, 1, out.channels};
    }
    uint32_t lane_outputs = lane_channels(layer);
    uint64_t blocks = div_up(lane_outputs, machine->core_lanes);
    uint32_t channel_pes = (space_y ? 1 : machine->pes_y) * (space_x ? 1 : machine->pes_x);
    *cut = (cs_cut){
        .kind = kind,
        .split_y = split_y,
        .split_x = split_x,
        .rows = (uint32_t)(space_y ? div_up(out.height, machine->pes_y) : out.height),
        .cols = (uint32_t)(space_x ? div_up(out.width, machine->pes_x) : out.width),
        .channel_pes = channel_pes,
        .passes = (uint32_t)div_up(blocks, (uint64_t)machine->cores * channel_pes),
        .all_passes = div_up(blocks, machine->cores),
        .stride = layer->stride_h,
        .reach = (uint32_t)min_u64(reach_of(layer->kernel_h, layer->dilation_h), UINT32_MAX),
        .taps = taps_of(layer),
        .places = kind == CS_KIND_CELL ? layer->out.width
                                       : (uint64_t)layer->out.height * layer->out.width,
    };
    cut->words = cut->taps * div_up(cs_layer_fan_channels(layer), machine->ways);
    cut->space_pes = (uint32_t)((space_y ? div_up(out.height, cut->rows) : 1) *
                                (space_x ? div_up(out.width, cut->cols) : 1));
    cut->parts = (uint32_t)(channel_pes > 1 ? div_up(lane_outputs, part_lanes(machine, cut)) : 1);
    cut->phases = layer->op == CS_OP_CONV_TRANSPOSE ? min_u64(layer->stride_h, layer->out.height) *
                                                          min_u64(layer->stride_w, layer->out.width)
                                                    : 1;
    cut->weight_bytes = stored_bytes(layer, kind, machine->core_lanes, machine->ways);
    if (!has(machine, CS_MECHANISM_PADDING) && cut->weight_bytes > 0) {
        cut->weight_bytes = cs_layer_weights(layer) + 8 * (uint64_t)layer->out.channels;
    }
    cut->channels = channel_pes == 1
                        ? out.channels
                        : (uint32_t)min_u64(out.channels, div_up(part_lanes(machine, cut),
                                                                 lane_outputs / out.channels));
    uint64_t share =
        cut->passes * machine->lanes * cs_round_up(cs_layer_fan_channels(layer), machine->ways);
    cut->cacheable =
        cut->weight_bytes > 0 && (kind != CS_KIND_DENSE || share <= machine->fifo_bytes);
    cut->out_channel_bytes = cs_round_up(cut->channels, machine->ways);
    cut_inputs(machine, use, cut);
    count_mesh(machine, use, cut);

    bool halos = has(machine, CS_MECHANISM_HALOS);
    cut->canonical_out_bytes =
        (div_up(layer->out.height, machine->pes_y) + (halos ? use->halo_rows : 0)) *
        (div_up(layer->out.width, machine->pes_x) + (halos ? use->halo_cols : 0)) *
        cs_round_up(out.channels, machine->ways);
    if (cut->inputs > 0) {
        /* The PE whose outputs begin farthest before its own block of inputs. */
        uint64_t held = div_up(layer->in.height, machine->pes_y);
        uint64_t step = (uint64_t)cut->rows * cut->stride;
        uint64_t used = div_up(layer->out.height, cut->rows);
        cut->lead = layer->pad_top + (held > step ? (used - 1) * (held - step) : 0);
    }
    return true;
}

/* ---- needs ---- */

uint64_t cs_fifo_rows(uint64_t fill_rows, bool ahead)
{
    if (ahead) {
        return CS_FIFO_ROW_ROWS * (2 * fill_rows + 1);
    }
    bool fifo = fill_rows <= FIFO_SHORT_FILL || fill_rows >= FIFO_LONG_FILL;
    return (fifo ? CS_FIFO_ROW_ROWS : PLAIN_ROW_ROWS) * (fill_rows + 1);
}

/* Rows of input `which` that a strip of `rows` output rows reads; at most what the PE reads at all.
 */
static uint64_t strip_in_rows(const cs_use *use, const cs_cut *cut, uint32_t which, uint64_t rows)
{
    const cs_layer *layer = use->layer;
    uint64_t most = cut->in_rows[which].most;
    switch (layer->op) {
    case CS_OP_CONV:
    case CS_OP_POOL_MAX:
    case CS_OP_POOL_AVG:
        return min_u64((rows - 1) * cut->stride + cut->reach, most);
    case CS_OP_CONV_TRANSPOSE:
        return min_u64((rows + cut->reach - 2) / cut->stride + 1, most);
    case CS_OP_RESIZE:
        return min_u64(div_up((rows - 1) * layer->in.height, layer->out.height) + 2, most);
    case CS_OP_DENSE:
    case CS_OP_LSTM:
    case CS_OP_GRU:
        return most;
    default:
        return min_u64(rows, most);
    }
}

/* A row of an input in narrow memory: positions of a PE's own block that it does not read itself
 * make room for others', unless the tensor has to survive. */
static uint64_t in_row_bytes(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                             uint32_t which, bool survives)
{
    const cs_shape tensor = which == 0 ? use->layer->in : use->layer->second;
    const cs_span *cols = &cut->in_cols[which];
    uint64_t count = cols->hull;
    if (!survives) {
        count = max_u64(cols->most, div_up(tensor.width, machine->pes_x));
    }
    return count * cut->in_channel_bytes[which];
}

/* An input in narrow memory: what a PE reads, within its own block and around it; or, where
 * channels are split, what it has gathered. */
static uint64_t whole_in_bytes(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                               uint32_t which)
{
    const cs_span *rows = &cut->in_rows[which];
    if (cut->channel_pes > 1) {
        return rows->most * cut->in_cols[which].most * cut->in_channel_bytes[which];
    }
    return rows->hull * in_row_bytes(machine, use, cut, which, use->input_survives[which]);
}

/* What a cell has beside inputs and results: the state of all units, what its own units remember
 * and their gates, and those of one that is another PE's. */
static uint64_t cell_bytes(const cs_machine *machine, const cs_use *use, const cs_cut *cut)
{
    return cs_round_up(use->layer->out.channels, machine->ways) + cut->out_channel_bytes +
           cs_round_up(CELL_GATE_BYTES * ((uint64_t)cut->channels + 1), machine->ways);
}

/* Where channels are split, a PE has its blocks of the inputs while it gathers, then what it
 * gathered and its results, then these and the block of the output. */
static uint64_t split_bytes(const cs_use *use, const cs_cut *cut, uint64_t gathered,
                            uint64_t replaced, uint64_t made)
{
    uint64_t blocks = 0, kept = 0;
    for (uint32_t k = 0; k < cut->inputs; k++) {
        blocks += use->input_off[k] ? 0 : cut->block_in_bytes[k];
        kept += use->input_off[k] || !use->input_survives[k] ? 0 : cut->block_in_bytes[k];
    }
    uint64_t back = use->output_off ? 0 : kept + made + cut->canonical_out_bytes;
    uint64_t works = kept + gathered - replaced + made;
    if (cut->kind == CS_KIND_CELL && !use->output_off) {
        works += cut->canonical_out_bytes; /* which each step writes */
    }
    return max_u64(max_u64(blocks + gathered, works), back);
}

/* Tensors whole in narrow memory. Those off chip come and go in strips, two of each at a time. */
static void need_whole(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                       const cs_knobs *knobs, cs_need *need)
{
    uint64_t rows = knobs->strip_rows;
    bool strips = rows < cut->rows;
    uint64_t inputs = 0;
    for (uint32_t k = 0; k < cut->inputs; k++) {
        inputs += use->input_off[k] ? (strips ? 2 : 1) * strip_in_rows(use, cut, k, rows) *
                                          cut->in_cols[k].most * cut->in_channel_bytes[k]
                                    : whole_in_bytes(machine, use, cut, k);
    }
    if (cut->kind == CS_KIND_MOVE) {
        /* What comes over the link goes to its place, and what leaves is taken from it. */
        need->narrow_bytes = (use->input_off[0] ? 0 : cut->block_in_bytes[0]) +
                             (use->output_off ? 0 : cut->canonical_out_bytes);
        return;
    }
    if (cut->kind == CS_KIND_POOL_GLOBAL && use->input_off[0]) {
        inputs = 2 * cut->in_cols[0].most * cut->in_channel_bytes[0];
    }
    uint64_t row = (uint64_t)cut->cols * cut->out_channel_bytes;
    uint64_t made = use->output_off && strips ? 2 * rows * row : cut->rows * row;
    uint64_t replaced = 0;
    if (cut->kind == CS_KIND_ELEMENTS && use->layer->op != CS_OP_RESIZE && !use->output_off) {
        /* Element by element, a result takes the place of an input that nothing else reads. */
        for (uint32_t k = 0; k < cut->inputs; k++) {
            bool same = k == 0 || use->layer->op != CS_OP_SCALE;
            if (same && !use->twice && !use->input_off[k] && !use->input_survives[k]) {
                replaced = cut->rows * row;
            }
        }
    }
    if (cut->kind == CS_KIND_CELL) {
        inputs += cell_bytes(machine, use, cut);
    }
    if (cut->channel_pes > 1) {
        need->narrow_bytes = split_bytes(use, cut, inputs, replaced, made);
    } else if (use->output_off) {
        need->narrow_bytes = inputs + made;
    } else {
        need->narrow_bytes =
            inputs - replaced + cut->canonical_out_bytes + (cut->kind == CS_KIND_CELL ? made : 0);
    }
}

/* One tensor in, one out, both on chip, and cut by space: the residences below. */
static bool may_replace(const cs_use *use, const cs_cut *cut)
{
    return cut->inputs == 1 && !use->input_off[0] && !use->output_off && cut->channel_pes == 1 &&
           (cut->kind == CS_KIND_FILLS || cut->kind == CS_KIND_DEPTHWISE ||
            cut->kind == CS_KIND_POOL || cut->kind == CS_KIND_ELEMENTS);
}

static bool need_input_whole(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                             const cs_knobs *knobs, cs_need *need)
{
    uint64_t rows = cut->rows, strip = knobs->strip_rows;
    if (!may_replace(use, cut) || strip >= rows || use->layer->op == CS_OP_CONV_TRANSPOSE ||
        use->layer->op == CS_OP_RESIZE) {
        return false;
    }
    uint64_t in_row = in_row_bytes(machine, use, cut, 0, false);
    uint64_t row = cut->cols * cut->out_channel_bytes;
    uint64_t beside = 0;
    for (uint64_t first = 0; first < rows; first += strip) {
        /* Rows before those that the strip reads make room for its results. All PEs have the last
         * row of their hulls in the same place. */
        uint64_t passed = first * cut->stride;
        uint64_t late = cut->in_rows[0].tail > cut->in_rows[0].hull
                            ? cut->in_rows[0].tail - cut->in_rows[0].hull
                            : 0;
        uint64_t freed = passed > late ? passed - late : 0;
        freed = min_u64(freed, cut->in_rows[0].hull) * in_row;
        uint64_t written = min_u64(first + strip, rows) * row;
        beside = max_u64(beside, written > freed ? written - freed : 0);
    }
    need->narrow_bytes = cut->in_rows[0].hull * in_row + beside;
    need->spill_bytes = use->input_survives[0] ? cut->block_in_bytes[0] : 0;
    return true;
}

/* A layer in place: a PE's block of the input lies at the end of its narrow memory's part, output
 * rows are written from the beginning on. */
typedef struct in_place {
    uint64_t row, in_row; /* bytes */
    uint64_t held;        /* rows of the block */
    uint64_t room;        /* bytes before it */
} in_place;

static in_place in_place_of(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                            const cs_need *need)
{
    in_place p = {.row = cut->cols * cut->out_channel_bytes,
                  .held = div_up(use->layer->in.height, machine->pes_y),
                  .room = need->narrow_bytes - cut->block_in_bytes[0]};
    p.in_row = cut->block_in_bytes[0] / p.held;
    return p;
}

/* Rows of the block that are overwritten, at least in part, when `made` output rows are written. */
static uint64_t rows_overwritten(const in_place *p, uint64_t made)
{
    return made * p->row > p->room ? div_up(made * p->row - p->room, p->in_row) : 0;
}

/* Rows of the block that nobody reads any more once `made` output rows are. */
static uint64_t rows_used_up(const cs_cut *cut, const in_place *p, uint64_t made)
{
    uint64_t passed = made * cut->stride;
    return passed > cut->lead ? min_u64(passed - cut->lead, p->held) : 0;
}

/* Whether results of a strip wait in a buffer of their own until all of it is made. With partial
 * sums they do not: those of the only pass wait as such; of several passes they are written at
 * once, and the rows that they overwrite are carried before the strip. */
static bool results_wait(const cs_cut *cut, const cs_knobs *knobs)
{
    return knobs->order == CS_ORDER_POSITIONS || cut->kind != CS_KIND_FILLS;
}

/* Rows of the block that are not in their place while the strip from output row `first` on is
 * made. */
static uint64_t rows_lost(const cs_cut *cut, const cs_knobs *knobs, const in_place *p,
                          uint64_t first)
{
    bool at_once = !results_wait(cut, knobs) && cut->passes > 1;
    return rows_overwritten(p, at_once ? min_u64(first + knobs->strip_rows, cut->rows) : first);
}

static uint64_t rows_between(uint64_t first, uint64_t after)
{
    return after > first ? after - first : 0;
}

/* The halo and carried rows of the PEs in row `pe` of the grid, at the strip that has most of them:
 * those that are used up make room for others. */
static uint64_t outside_bytes(const cs_use *use, const cs_cut *cut, const cs_knobs *knobs,
                              const in_place *p, uint32_t pe)
{
    const cs_layer *layer = use->layer;
    uint64_t begin = min_u64(pe * p->held, layer->in.height);
    uint64_t end = min_u64(begin + p->held, layer->in.height);
    uint64_t out_first = (uint64_t)pe * cut->rows, most = 0;
    uint32_t outputs = (uint32_t)min_u64(cut->rows, layer->out.height - out_first);
    cs_range reads = cs_layer_reads(layer, 0, false, (cs_range){(uint32_t)out_first, outputs});
    uint64_t after = (uint64_t)reads.first + reads.count;
    for (uint64_t first = 0; first < outputs; first += knobs->strip_rows) {
        uint64_t passed = (out_first + first) * cut->stride;
        uint64_t from = max_u64(reads.first, rows_between(layer->pad_top, passed));
        uint64_t around =
            rows_between(from, min_u64(after, begin)) + rows_between(max_u64(from, end), after);
        uint64_t own = rows_between(max_u64(from, begin), min_u64(after, end));
        uint64_t carried =
            rows_between(rows_used_up(cut, p, first), rows_lost(cut, knobs, p, first));
        uint64_t halo = around * cut->in_cols[0].most + own * cut->in_cols[0].lack;
        most = max_u64(most, halo * cut->in_channel_bytes[0] + carried * p->in_row);
    }
    return most;
}

/* Output rows take the place of input rows that are used up, which lie without a halo; the halo,
 * the rows that would be overwritten too early, and results of a strip that have no partial sums to
 * wait in, wait in wide memory. */
static bool need_in_place(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                          const cs_knobs *knobs, cs_need *need)
{
    uint64_t rows = cut->rows, strip = knobs->strip_rows;
    if (!may_replace(use, cut) || strip > rows || use->layer->op == CS_OP_CONV_TRANSPOSE ||
        use->layer->op == CS_OP_RESIZE) {
        return false;
    }
    uint64_t row = cut->cols * cut->out_channel_bytes;
    uint64_t lying = max_u64(cut->block_in_bytes[0], rows * row);
    uint64_t spare = strip <= 2 ? 0 : strip == 3 ? 1 : strip - 1; /* rows; fitted, see vendor.c */
    need->narrow_bytes = lying + spare * row;

    const in_place p = in_place_of(machine, use, cut, need);
    for (uint64_t first = strip; first < rows; first += strip) {
        if (rows_overwritten(&p, first) > rows_used_up(cut, &p, first) + cut->lead) {
            return false;
        }
    }
    if (has(machine, CS_MECHANISM_HALOS)) {
        uint64_t outside = 0;
        for (uint32_t pe = 0; pe * rows < use->layer->out.height; pe++) {
            outside = max_u64(outside, outside_bytes(use, cut, knobs, &p, pe));
        }
        need->buffer_bytes += cs_round_up(outside, machine->lanes);
    }
    if (results_wait(cut, knobs)) {
        need->buffer_bytes += cs_round_up(min_u64(strip, rows) * row, machine->lanes);
    }
    need->spill_bytes = use->input_survives[0] ? cut->block_in_bytes[0] : 0;
    return true;
}

static bool need_wide(const cs_use *use, const cs_cut *cut, const cs_knobs *knobs, cs_need *need)
{
    uint64_t rows = knobs->strip_rows;
    if (cut->channel_pes > 1 || cut->kind == CS_KIND_NOTHING || cut->kind == CS_KIND_MOVE ||
        cut->kind == CS_KIND_CELL) {
        return false;
    }
    if (cut->kind == CS_KIND_POOL_GLOBAL) {
        need->narrow_bytes = 2 * cut->in_cols[0].most * cut->in_channel_bytes[0] +
                             (use->output_off ? cut->out_channel_bytes : cut->canonical_out_bytes);
        need->spill_bytes = use->input_off[0] ? 0 : cut->block_in_bytes[0];
        return true;
    }
    uint64_t strip = rows * cut->cols * cut->out_channel_bytes;
    for (uint32_t k = 0; k < cut->inputs; k++) {
        strip += strip_in_rows(use, cut, k, rows) * cut->in_cols[k].most * cut->in_channel_bytes[k];
        if (!use->input_off[k]) {
            need->spill_bytes += cut->block_in_bytes[k];
        }
    }
    need->narrow_bytes = (rows < cut->rows ? 2 : 1) * strip;
    if (!use->output_off) {
        need->spill_bytes += (uint64_t)cut->rows * cut->cols * cut->out_channel_bytes;
    }
    return true;
}

/* Rows of wide memory of a FIFO, or as many as the words of the fills and of the row that arrives
 * take where ways are many. */
static uint64_t fifo_bytes(const cs_machine *machine, uint64_t fill_rows, bool ahead)
{
    uint64_t words = machine->ways * (fill_rows * (ahead ? 2 : 1) + 1);
    return max_u64(cs_fifo_rows(fill_rows, ahead), words) * machine->lanes;
}

static uint64_t lane_share(const cs_machine *machine, uint64_t lanes_per)
{
    return max_u64(1, machine->lanes / lanes_per);
}

/* Cycles and fills of a kind, for strips that are known. */
static bool count_cycles(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                         const cs_knobs *knobs, cs_need *need)
{
    const cs_layer *layer = use->layer;
    uint64_t positions = (uint64_t)cut->rows * cut->cols;
    uint64_t fill_wait = has(machine, CS_MECHANISM_FILLS) ? FILL_CYCLES : 0;
    switch (cut->kind) {
    case CS_KIND_FILLS: {
        if (knobs->fill_rows == 0 || knobs->fill_rows > cut->words ||
            (knobs->order == CS_ORDER_POSITIONS && knobs->fill_rows != cut->words)) {
            return false;
        }
        uint64_t instances = layer->op == CS_OP_MATMUL ? cut->rows : need->strips;
        uint64_t passes = cut->passes, all_passes = cut->all_passes;
        need->core_fills = (uint32_t)div_up(cut->words, knobs->fill_rows);
        if (!has(machine, CS_MECHANISM_SPACE_SPLIT)) {
            positions = cut->places;
            passes = all_passes = div_up(passes, machine->pes);
            instances = layer->op == CS_OP_MATMUL ? instances : 1;
        }
        instances *= cut->phases;
        need->fills = instances * passes * need->core_fills;
        need->compute_cycles = positions * passes * cut->words;
        if (has(machine, CS_MECHANISM_PARTIAL_SUMS)) {
            need->sum_cycles = positions * passes * need->core_fills * PARTIAL_SUM_CYCLES;
        }
        if (has(machine, CS_MECHANISM_FILLS)) {
            need->fill_cycles =
                instances * all_passes * need->core_fills *
                (fill_wait + (uint64_t)WAY_CYCLES * machine->ways * knobs->fill_rows);
        }
        uint64_t strip_positions = (uint64_t)knobs->strip_rows * cut->cols;
        uint64_t sum_rows =
            knobs->order == CS_ORDER_CHUNKS ? CS_PARTIAL_SUM_ROWS * strip_positions : 0;
        if (has(machine, CS_MECHANISM_SPACE_SPLIT)) {
            need->buffer_bytes +=
                fifo_bytes(machine, knobs->fill_rows, knobs->ahead) + sum_rows * machine->lanes;
        }
        return true;
    }
    case CS_KIND_DENSE:
    case CS_KIND_CELL: {
        uint64_t steps = cut->kind == CS_KIND_CELL ? cut->places : 1;
        need->core_fills = 1;
        need->fills = steps * cut->passes;
        need->compute_cycles = need->fills * cut->words;
        need->fill_cycles = need->fills * FILL_CYCLES;
        need->buffer_bytes += machine->ways * machine->lanes; /* a row that arrives */
        return true;
    }
    case CS_KIND_DEPTHWISE: {
        uint64_t per = has(machine, CS_MECHANISM_DEPTHWISE) ? DEPTHWISE_LANES_PER : 1;
        need->core_fills = 1;
        need->compute_cycles =
            positions * cut->taps * div_up(cut->channels, lane_share(machine, per));
        need->fills = (uint64_t)need->strips * cut->passes;
        need->fill_cycles = (uint64_t)need->strips * cut->all_passes * FILL_CYCLES;
        need->buffer_bytes += fifo_bytes(machine, cut->taps, knobs->ahead);
        return true;
    }
    case CS_KIND_POOL:
        need->compute_cycles = positions * cut->taps * div_up(cut->channels, machine->lanes);
        return true;
    case CS_KIND_POOL_GLOBAL:
        need->compute_cycles = cut->in_rows[0].most * cut->in_cols[0].most *
                               div_up(layer->in.channels, machine->lanes);
        need->buffer_bytes +=
            cs_round_up((uint64_t)layer->in.channels * CS_PARTIAL_SUM_BYTES, machine->lanes);
        return true;
    case CS_KIND_ELEMENTS:
        need->compute_cycles = positions * cut->taps *
                               div_up(cut->channels, lane_share(machine, ELEMENTWISE_LANES_PER));
        return true;
    case CS_KIND_MOVE:
        need->compute_cycles = layer->op == CS_OP_RESHAPE
                                   ? 0
                                   : positions * div_up(layer->out.channels,
                                                        lane_share(machine, ELEMENTWISE_LANES_PER));
        return true;
    case CS_KIND_NOTHING:
        return true;
    }
    return false;
}

bool cs_need_place(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                   const cs_knobs *knobs, cs_need *need)
{
    *need = (cs_need){.strips = 1};
    if (cut->kind == CS_KIND_NOTHING) {
        return true;
    }
    if (knobs->strip_rows == 0 || knobs->strip_rows > cut->rows) {
        return false;
    }
    bool legal = false;
    switch (knobs->residence) {
    case CS_RESIDENCE_WHOLE:
        need_whole(machine, use, cut, knobs, need);
        legal = true;
        break;
    case CS_RESIDENCE_INPUT_WHOLE:
        legal = need_input_whole(machine, use, cut, knobs, need);
        break;
    case CS_RESIDENCE_IN_PLACE:
        legal = need_in_place(machine, use, cut, knobs, need);
        break;
    case CS_RESIDENCE_WIDE:
        legal = need_wide(use, cut, knobs, need);
        break;
    }
    if (!legal) {
        return false;
    }
    /* Without a spare row in place, and through wide memory, the halo rows of the next layer are
     * rows of their own ("priming"). */
    uint64_t rows = cut->rows;
    bool primes = (knobs->residence == CS_RESIDENCE_IN_PLACE && knobs->strip_rows <= 2) ||
                  knobs->residence == CS_RESIDENCE_WIDE;
    if (primes && cut->kind == CS_KIND_FILLS && knobs->strip_rows < rows &&
        has(machine, CS_MECHANISM_PRIMING)) {
        rows += use->halo_rows;
    }
    need->strips =
        has(machine, CS_MECHANISM_STRIPS) ? (uint32_t)div_up(rows, knobs->strip_rows) : 1;
    need->exchange_cycles = div_up(cut->mesh_bytes, machine->pes * machine->lanes);
    return true;
}

bool cs_need_run(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                 const cs_knobs *knobs, cs_need *need)
{
    return cut->kind == CS_KIND_NOTHING || count_cycles(machine, use, cut, knobs, need);
}

bool cs_need_of(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                const cs_knobs *knobs, cs_need *need)
{
    return cs_need_place(machine, use, cut, knobs, need) &&
           cs_need_run(machine, use, cut, knobs, need);
}

uint64_t cs_ring_cycles(const cs_machine *machine, uint64_t bytes)
{
    return bytes * WAY_CYCLES / machine->lanes;
}

uint64_t cs_need_run_cycles(const cs_need *need, bool ahead)
{
    uint64_t work = need->compute_cycles + need->sum_cycles;
    if (need->fills == 0) {
        return work + need->exchange_cycles;
    }
    uint64_t first = need->fill_cycles / need->fills;
    uint64_t exposed = need->exchange_cycles > first ? need->exchange_cycles - first : 0;
    if (!ahead) {
        return exposed + need->fill_cycles + work;
    }
    /* The first fill, and the work of the last; between them the longer of a fill and its work. */
    uint64_t longer = max_u64(need->fill_cycles, work);
    uint64_t rest = (uint64_t)(((unsigned __int128)longer * (need->fills - 1) + need->fill_cycles +
                                work + need->fills - 1) /
                               need->fills);
    return exposed + rest;
}

/* ---- the step ---- */

/* Groups whose words the passes over output channels read, summed over the passes: lanes of a pass
 * that work for one group read the same words. */
static uint64_t group_passes(const cs_machine *machine, const cs_layer *layer, const cs_cut *cut)
{
    if (layer->groups <= 1) {
        return cut->all_passes;
    }
    uint64_t sum = 0, size = layer->out.channels / layer->groups;
    for (uint64_t pass = 0; pass < cut->all_passes; pass++) {
        uint64_t first = pass * machine->lanes;
        uint64_t last = min_u64(first + machine->lanes, layer->out.channels) - 1;
        sum += last / size - first / size + 1;
    }
    return sum;
}

/* Input positions that lanes read, over all outputs and taps of a layer in place: along one axis,
 * of the tensor (not of its padding), and of these the ones that are in narrow memory. */
typedef struct axis_reads {
    uint64_t inside, narrow;
} axis_reads;

/* How many of first, first + step, .. (`count` of them) lie in lo .. hi - 1. */
static uint64_t count_between(uint64_t first, uint64_t step, uint64_t count, uint64_t lo,
                              uint64_t hi)
{
    uint64_t below = first < lo ? min_u64(div_up(lo - first, step), count) : 0;
    uint64_t within = first < hi ? min_u64(div_up(hi - first, step), count) : 0;
    return within > below ? within - below : 0;
}

static axis_reads count_rows_read(const cs_layer *layer, const cs_cut *cut, const cs_knobs *knobs,
                                  const in_place *p)
{
    axis_reads reads = {0};
    for (uint64_t o = 0; o < layer->out.height; o++) {
        uint64_t pe = o / cut->rows, made = o % cut->rows / knobs->strip_rows * knobs->strip_rows;
        uint64_t lost = rows_lost(cut, knobs, p, made);
        uint64_t first = o * layer->stride_h, top = layer->pad_top;
        uint64_t kept = min_u64(pe * p->held + lost, (pe + 1) * p->held);
        uint64_t end = min_u64((pe + 1) * p->held, layer->in.height);
        reads.inside +=
            count_between(first, layer->dilation_h, layer->kernel_h, top, top + layer->in.height);
        reads.narrow +=
            count_between(first, layer->dilation_h, layer->kernel_h, top + kept, top + end);
    }
    return reads;
}

static axis_reads count_cols_read(const cs_machine *machine, const cs_layer *layer,
                                  const cs_cut *cut)
{
    axis_reads reads = {0};
    uint64_t held = div_up(layer->in.width, machine->pes_x);
    for (uint64_t o = 0; o < layer->out.width; o++) {
        uint64_t first = o * layer->stride_w, left = layer->pad_left, pe = o / cut->cols;
        uint64_t end = min_u64((pe + 1) * held, layer->in.width);
        reads.inside +=
            count_between(first, layer->dilation_w, layer->kernel_w, left, left + layer->in.width);
        reads.narrow +=
            count_between(first, layer->dilation_w, layer->kernel_w, left + pe * held, left + end);
    }
    return reads;
}

/* Positions of input rows that PEs move to wide memory before results take their place. */
static uint64_t carried_positions(const cs_machine *machine, const cs_layer *layer,
                                  const cs_cut *cut, const cs_knobs *knobs, const in_place *p)
{
    uint64_t rows = 0, cols = 0;
    uint64_t held = div_up(layer->in.width, machine->pes_x);
    for (uint64_t pe = 0; pe * cut->cols < layer->out.width; pe++) {
        uint64_t before = min_u64(pe * held, layer->in.width);
        cols += min_u64(held, layer->in.width - before);
    }
    for (uint64_t pe = 0; pe * cut->rows < layer->out.height; pe++) {
        uint64_t outputs = min_u64(cut->rows, layer->out.height - pe * cut->rows);
        uint64_t before = min_u64(pe * p->held, layer->in.height);
        uint64_t own = min_u64(p->held, layer->in.height - before);
        uint64_t moved = 0;
        for (uint64_t made = 0; made < outputs; made += knobs->strip_rows) {
            uint64_t lost = min_u64(rows_lost(cut, knobs, p, made), own);
            uint64_t first = max_u64(moved, rows_used_up(cut, p, made));
            rows += lost > first ? lost - first : 0;
            moved = lost;
        }
    }
    return rows * cols;
}

/* What in-place running moves through wide memory beside weights and sums; `bytes` are what lanes
 * read of a position in all their passes. */
static void count_in_place(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                           const cs_knobs *knobs, const cs_need *need, uint64_t bytes,
                           cs_traffic *t)
{
    const cs_layer *layer = use->layer;
    const in_place p = in_place_of(machine, use, cut, need);
    axis_reads rows = count_rows_read(layer, cut, knobs, &p);
    axis_reads cols = count_cols_read(machine, layer, cut);
    uint64_t wide = (rows.inside * cols.inside - rows.narrow * cols.narrow) * bytes;
    t->narrow_read_bytes -= wide;
    t->wide_read_bytes += wide;
    uint64_t carried = carried_positions(machine, layer, cut, knobs, &p) * layer->in.channels;
    t->narrow_read_bytes += carried;
    t->wide_write_bytes += carried;
    if (results_wait(cut, knobs)) {
        t->wide_write_bytes += cs_shape_elements(layer->out);
        t->wide_read_bytes += cs_shape_elements(layer->out);
    }
}

/* Weights, or the second operand, go to the PEs that use them, into core memory if it holds a fill,
 * else no farther than wide memory, from where each use reads them again. A fill that comes ahead
 * waits in wide memory unless core memory holds it, too. */
static void count_weights(const cs_machine *machine, const cs_layer *layer, const cs_cut *cut,
                          const cs_knobs *knobs, uint32_t weight_passes, cs_traffic *t)
{
    uint64_t padded = cs_round_up(lane_channels(layer), machine->core_lanes);
    uint64_t uses = cut->places * cut->words * machine->ways * padded;
    bool dense = cut->kind == CS_KIND_DENSE || cut->kind == CS_KIND_CELL;
    uint64_t rows = cut->kind == CS_KIND_DEPTHWISE ? cut->taps : knobs->fill_rows;
    uint64_t fill = rows * machine->lanes * machine->ways;
    bool holds = dense || fill <= machine->core_bytes;
    bool waits = holds && !dense && knobs->ahead && 2 * fill > machine->core_bytes;
    uint64_t taken;
    if (layer->op == CS_OP_MATMUL) {
        /* PEs have what they need of it in narrow memory. */
        uint64_t cols = cut->split_x == CS_SPLIT_SPACE ? div_up(layer->out.width, cut->cols) : 1;
        taken = cut->words * machine->ways * padded * layer->out.height * cols;
        t->narrow_read_bytes += taken;
    } else {
        uint64_t moved = cut->weight_bytes * weight_passes;
        taken = moved * (dense ? 1 : cut->space_pes);
        t->wide_read_bytes += moved;
        t->ring_bytes += dense ? 0 : moved;
    }
    if (waits || !holds) {
        t->wide_write_bytes += taken;
    }
    if (holds) {
        t->wide_read_bytes += waits ? taken : 0;
        t->core_write_bytes += taken;
        t->core_read_bytes += uses;
    } else {
        t->wide_read_bytes += uses;
    }
}

/* Elements that change places are read where they lie and written where they go, and nothing else.
 */
static void count_move(const cs_use *use, const cs_cut *cut, uint64_t elements, cs_traffic *t)
{
    bool link = use->input_off[0] && use->output_off;
    t->narrow_read_bytes += use->input_off[0] && !link ? 0 : elements;
    t->narrow_write_bytes += use->output_off && !link ? 0 : elements;
    t->link_in_bytes += use->input_off[0] ? elements : 0;
    t->link_out_bytes += use->output_off ? elements : 0;
    t->mesh_bytes = cut->mesh_bytes;
}

/* Every PE adds up its block of an input, and the sums meet in the first. */
static void count_pool_global(const cs_use *use, const cs_cut *cut, const cs_knobs *knobs,
                              uint64_t elements, cs_traffic *t)
{
    bool wide = knobs->residence == CS_RESIDENCE_WIDE && !use->input_off[0];
    uint64_t sums = cut->mesh_bytes + elements * CS_PARTIAL_SUM_BYTES;
    t->mesh_bytes = cut->mesh_bytes;
    t->wide_read_bytes += sums + (wide ? cut->need_bytes : 0);
    t->wide_write_bytes += sums;
    t->narrow_read_bytes += cut->need_bytes + cut->off_bytes[0];
    t->narrow_write_bytes += elements + cut->off_bytes[0] + (wide ? cut->need_bytes : 0);
    t->link_in_bytes += cut->link_bytes[0];
    if (use->output_off) {
        t->link_out_bytes += elements;
        t->narrow_read_bytes += elements;
    }
}

/* What lanes read for all outputs: for each word, the word for all of a pass (and group), or the
 * elements of their own channels. */
static uint64_t lane_bytes(const cs_machine *machine, const cs_layer *layer, const cs_cut *cut)
{
    switch (cut->kind) {
    case CS_KIND_FILLS:
    case CS_KIND_DENSE:
    case CS_KIND_CELL:
        return cut->words / cut->taps * machine->ways * group_passes(machine, layer, cut);
    default:
        return (uint64_t)layer->out.channels * cut->inputs *
               (layer->op == CS_OP_RESIZE ? RESIZE_CORNERS : 1);
    }
}

static void count_traffic(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                          const cs_knobs *knobs, const cs_need *need, cs_step *step)
{
    const cs_layer *layer = use->layer;
    cs_traffic *t = &step->traffic;
    uint64_t elements = cs_shape_elements(layer->out);
    if (cut->kind == CS_KIND_NOTHING) {
        return;
    }
    t->operations = layer->op == CS_OP_CONV_TRANSPOSE ? elements * cut->taps * layer->in.channels
                                                      : cs_layer_operations(layer);
    for (uint32_t k = 0; k < cut->inputs; k++) {
        step->input_off_chip |= use->input_off[k];
        step->off_chip_read_bytes += cut->link_bytes[k];
        step->head_bytes += div_up(cut->link_bytes[k], need->strips);
    }
    if (use->output_off) {
        step->output_off_chip = true;
        step->off_chip_write_bytes += elements;
        step->tail_bytes = div_up(elements, need->strips);
    }
    if (cut->kind == CS_KIND_MOVE) {
        count_move(use, cut, elements, t);
        return;
    }
    if (cut->kind == CS_KIND_POOL_GLOBAL) {
        count_pool_global(use, cut, knobs, elements, t);
        return;
    }
    uint64_t bytes = lane_bytes(machine, layer, cut);
    t->narrow_read_bytes = cut->places * cut->taps * bytes;
    t->narrow_write_bytes = elements;
    t->mesh_bytes = cut->mesh_bytes;
    if (knobs->residence == CS_RESIDENCE_WIDE) {
        /* Inputs and results pass through narrow memory, a strip at a time. */
        t->wide_read_bytes += cut->need_bytes;
        t->narrow_write_bytes += cut->need_bytes;
        if (!use->output_off) {
            t->narrow_read_bytes += elements;
            t->wide_write_bytes += elements;
        }
    } else {
        t->narrow_read_bytes += cut->mesh_bytes;
        if (knobs->residence == CS_RESIDENCE_IN_PLACE) {
            t->wide_write_bytes += cut->mesh_bytes;
            count_in_place(machine, use, cut, knobs, need, bytes, t);
        } else {
            t->narrow_write_bytes += cut->mesh_bytes;
        }
    }
    bool replaces =
        knobs->residence == CS_RESIDENCE_INPUT_WHOLE || knobs->residence == CS_RESIDENCE_IN_PLACE;
    if (replaces && use->input_survives[0]) {
        /* Out of the way of the results, and back. */
        uint64_t saved = cs_shape_elements(layer->in);
        t->narrow_read_bytes += saved;
        t->narrow_write_bytes += saved;
        t->wide_read_bytes += saved;
        t->wide_write_bytes += saved;
    }
    for (uint32_t k = 0; k < cut->inputs; k++) {
        t->link_in_bytes += cut->link_bytes[k];
        t->narrow_write_bytes += cut->off_bytes[k];
    }
    if (use->output_off) {
        t->link_out_bytes += elements;
        t->narrow_read_bytes += elements;
    }
    if (cut->kind == CS_KIND_CELL) {
        /* Gates wait for the last of them; an LSTM remembers a value beside its state. */
        uint64_t gates = cut->places * layer->out.channels * CELL_GATE_BYTES;
        t->narrow_write_bytes += gates + (layer->op == CS_OP_LSTM ? elements : 0);
        t->narrow_read_bytes += gates + elements;
    }
    if (cut->kind == CS_KIND_FILLS && knobs->order == CS_ORDER_CHUNKS) {
        uint64_t sums = cut->places * cut->all_passes * need->core_fills * machine->lanes *
                        CS_PARTIAL_SUM_BYTES;
        t->wide_read_bytes += sums;
        t->wide_write_bytes += sums;
    }
    if (cut->kind == CS_KIND_FILLS || cut->kind == CS_KIND_DENSE || cut->kind == CS_KIND_CELL ||
        cut->kind == CS_KIND_DEPTHWISE) {
        count_weights(machine, layer, cut, knobs, step->weight_passes, t);
    }
}

uint64_t cs_layer_instruction_bytes(const cs_layer *layer, uint32_t strips)
{
    if (cs_kind_of(layer) == CS_KIND_NOTHING || layer->op == CS_OP_RESHAPE) {
        return 0;
    }
    bool window = (uint64_t)layer->kernel_h * layer->kernel_w > 1 && layer->op != CS_OP_POOL_GLOBAL;
    return window ? (uint64_t)WINDOW_INSTRUCTION_BYTES * strips : POINT_INSTRUCTION_BYTES;
}

uint64_t cs_layer_bound_cycles(const cs_machine *machine, const cs_layer *layer)
{
    cs_kind kind = cs_kind_of(layer);
    uint64_t operations = cs_layer_operations(layer);
    uint64_t all = machine->pes * machine->lanes;
    uint64_t rows = div_up(lane_channels(layer), machine->core_lanes * machine->cores) *
                    taps_of(layer) * div_up(cs_layer_fan_channels(layer), machine->ways);
    switch (kind) {
    case CS_KIND_FILLS: {
        uint64_t row_cycles = (uint64_t)WAY_CYCLES * machine->ways;
        return max_u64(div_up(operations, all * machine->ways), rows * row_cycles + FILL_CYCLES);
    }
    case CS_KIND_DENSE:
    case CS_KIND_CELL:
        return max_u64(div_up(operations, all * machine->ways), FILL_CYCLES);
    case CS_KIND_DEPTHWISE:
        return div_up(operations, machine->pes * lane_share(machine, DEPTHWISE_LANES_PER));
    case CS_KIND_POOL:
    case CS_KIND_POOL_GLOBAL:
        return div_up(operations, all);
    case CS_KIND_ELEMENTS:
        return div_up(cs_shape_elements(layer->out) * taps_of(layer),
                      machine->pes * lane_share(machine, ELEMENTWISE_LANES_PER));
    default:
        return 0;
    }
}

void cs_step_make(const cs_machine *machine, const cs_use *use, const cs_cut *cut,
                  const cs_knobs *knobs, const cs_need *need, cs_step *step)
{
    bool weights = cut->weight_bytes > 0;
    *step = (cs_step){
        .knobs = *knobs,
        .tile_rows = cut->rows,
        .tile_cols = cut->cols,
        .tile_channels = cut->channels,
        .strips = need->strips,
        .channel_passes = cut->passes,
        .core_fills = need->core_fills,
        .fills = need->fills,
        .halo_rows = use->halo_rows,
        .halo_cols = use->halo_cols,
        .narrow_bytes = need->narrow_bytes,
        .buffer_bytes = need->buffer_bytes,
        .spill_bytes = need->spill_bytes,
        .weight_bytes = cut->weight_bytes,
        .cached = weights,
        .weight_passes = weights ? need->strips : 0,
        .compute_cycles = need->compute_cycles,
        .sum_cycles = need->sum_cycles,
        .fill_cycles = need->fill_cycles,
        .exchange_cycles = need->exchange_cycles,
        .run_cycles = cs_need_run_cycles(need, knobs->ahead),
        .bound_cycles = cs_layer_bound_cycles(machine, use->layer),
        .macs = cs_layer_macs(use->layer),
    };
    if (cut->kind == CS_KIND_CELL) {
        step->weight_passes = (uint32_t)cut->places;
    }
    count_traffic(machine, use, cut, knobs, need, step);
    step->quiet = step->off_chip_read_bytes == 0 && step->off_chip_write_bytes == 0;
}
