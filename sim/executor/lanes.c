/* What lanes do, strip by strip: see run.h. */
#include "sim/executor/run.h"

#include <stdlib.h>

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- windows ---- */

/* The input position under a tap of an output; false in the padding, or where no tap is. `row` is
 * the row of weights that belongs to it, of a kernel in stored form. */
typedef struct reading {
    bool tap, inside; /* there is a tap; it lies in the tensor */
    uint32_t y, x;
    uint64_t kernel; /* its number in the kernel */
} reading;

/* The `nth` of the kernel positions that reach an output of this phase; false if there are fewer.
 */
static bool nth_reaching(uint32_t kernel, uint32_t stride, uint32_t dilation, uint64_t phase,
                         uint64_t nth, uint64_t *found)
{
    for (uint64_t i = 0; i < kernel; i++) {
        if (i * dilation % stride == phase && nth-- == 0) {
            *found = i;
            return true;
        }
    }
    return false;
}

static uint64_t most_reaching(uint32_t kernel, uint32_t stride, uint32_t dilation)
{
    uint64_t found, most = 0;
    for (uint64_t phase = 0; phase < stride; phase++) {
        uint64_t count = 0;
        while (nth_reaching(kernel, stride, dilation, phase, count, &found)) {
            count++;
        }
        most = count > most ? count : most;
    }
    return most;
}

/* Taps of an output along x, and in all. */
static uint64_t taps_across(const cs_layer *l)
{
    return l->op == CS_OP_CONV_TRANSPOSE ? most_reaching(l->kernel_w, l->stride_w, l->dilation_w)
                                         : l->kernel_w;
}

static uint64_t taps_of(const cs_layer *l)
{
    uint64_t down = l->op == CS_OP_CONV_TRANSPOSE
                        ? most_reaching(l->kernel_h, l->stride_h, l->dilation_h)
                        : l->kernel_h;
    return down * taps_across(l);
}

/* Which of the kernel's positions is tap `tap` of phase `phase`. */
static bool kernel_tap(const cs_layer *l, uint64_t phase, uint64_t tap, uint64_t *i, uint64_t *k)
{
    uint64_t across = taps_across(l);
    if (l->op != CS_OP_CONV_TRANSPOSE) {
        *i = tap / across;
        *k = tap % across;
        return true;
    }
    return nth_reaching(l->kernel_h, l->stride_h, l->dilation_h, phase / l->stride_w, tap / across,
                        i) &&
           nth_reaching(l->kernel_w, l->stride_w, l->dilation_w, phase % l->stride_w, tap % across,
                        k);
}

static reading read_at(const cs_layer *l, uint64_t phase, uint64_t tap, uint32_t y, uint32_t x)
{
    uint64_t i = 0, k = 0;
    reading in = {.tap = kernel_tap(l, phase, tap, &i, &k)};
    if (!in.tap) {
        return in;
    }
    int64_t row, col;
    if (l->op == CS_OP_CONV_TRANSPOSE) {
        row = ((int64_t)y + l->pad_top - (int64_t)(i * l->dilation_h));
        col = ((int64_t)x + l->pad_left - (int64_t)(k * l->dilation_w));
        in.inside = row >= 0 && col >= 0;
        row /= l->stride_h;
        col /= l->stride_w;
    } else {
        row = (int64_t)y * l->stride_h + (int64_t)(i * l->dilation_h) - l->pad_top;
        col = (int64_t)x * l->stride_w + (int64_t)(k * l->dilation_w) - l->pad_left;
        in.inside = row >= 0 && col >= 0;
    }
    in.inside = in.inside && row < l->in.height && col < l->in.width;
    in.y = (uint32_t)row;
    in.x = (uint32_t)col;
    in.kernel = i * l->kernel_w + k;
    return in;
}

static bool in_phase(const cs_layer *l, uint64_t phase, uint32_t y, uint32_t x)
{
    return l->op != CS_OP_CONV_TRANSPOSE ||
           (((uint64_t)y + l->pad_top) % l->stride_h == phase / l->stride_w &&
            ((uint64_t)x + l->pad_left) % l->stride_w == phase % l->stride_w);
}

static int8_t finish(const cs_run *r, uint32_t channel, int64_t sum, uint64_t products)
{
    return cs_activate(r->layer->activation, cs_requantise(sum, cs_sum_shift(products)),
                       cs_values_slope(r->values, r->id, channel));
}

/* ---- fills ---- */

/* A fill of a pass, and who works with it. */
typedef struct fill {
    uint32_t strip, share;
    uint64_t first_block, blocks; /* of lanes */
    uint64_t phase;
    uint64_t first, words; /* of an output */
    uint64_t half;         /* of memories that hold two */
    uint64_t heads_row;    /* matmul: the row of the height, of the strip's */
    bool last, only;
    int8_t *weights; /* of all blocks, a row of the fill after another */
    int32_t *biases; /* of all lanes of the pass */
    int64_t *sums;   /* of all lanes */
} fill;

static uint64_t row_bytes(const cs_run *r)
{
    return r->array.machine.core_lanes * r->array.machine.ways;
}

static uint64_t full_fill_bytes(const cs_run *r)
{
    uint64_t rows = r->kind == CS_KIND_DEPTHWISE ? taps_of(r->layer)
                    : r->kind == CS_KIND_FILLS   ? r->step->knobs.fill_rows
                                                 : 0;
    return rows * r->array.machine.lanes * r->array.machine.ways;
}

static bool core_holds(const cs_run *r, uint64_t fills)
{
    return fills * full_fill_bytes(r) <= r->array.machine.core_bytes;
}

/* Where a byte of a fill is in core memory: each core has its block's. */
static uint64_t core_at(const cs_run *r, const fill *f, uint64_t block, uint64_t byte)
{
    const cs_machine *m = &r->array.machine;
    uint64_t half = core_holds(r, 2) ? f->half * (m->core_bytes / m->cores / 2) : 0;
    return block * (m->core_bytes / m->cores) + half + byte;
}

static uint64_t fifo_at(const cs_run *r, const fill *f, uint64_t block, uint64_t byte)
{
    uint64_t half = r->step->knobs.ahead ? f->half * full_fill_bytes(r) : 0;
    return half + block * (full_fill_bytes(r) / r->array.machine.cores) + byte;
}

/* A weight of the fill in a PE's memory, and counting that a block of lanes reads a row. */
static int8_t weight(cs_run *r, uint32_t pe, const fill *f, uint64_t block, uint64_t byte)
{
    return core_holds(r, 1) ? cs_array_get(&r->array, pe, &r->core, core_at(r, f, block, byte))
                            : cs_array_get(&r->array, pe, &r->fifo, fifo_at(r, f, block, byte));
}

static void count_weights_read(cs_run *r, uint64_t blocks)
{
    cs_count_read(r, core_holds(r, 1) ? CS_MEMORY_CORE : CS_MEMORY_WIDE, blocks * row_bytes(r));
}

/* Bytes of a fill arrive in a PE. */
static void install(cs_run *r, uint32_t pe, const fill *f)
{
    bool holds = core_holds(r, 1), waits = holds && r->step->knobs.ahead && !core_holds(r, 2);
    for (uint64_t block = 0; block < f->blocks; block++) {
        for (uint64_t byte = 0; byte < f->words * row_bytes(r); byte++) {
            int8_t value = f->weights[block * f->words * row_bytes(r) + byte];
            if (!holds || waits) {
                cs_array_put(&r->array, pe, &r->fifo, fifo_at(r, f, block, byte), value);
            }
            if (waits) {
                value = cs_array_get(&r->array, pe, &r->fifo, fifo_at(r, f, block, byte));
            }
            if (holds) {
                cs_array_put(&r->array, pe, &r->core, core_at(r, f, block, byte), value);
            }
        }
    }
}

static void count_taken(cs_run *r, uint64_t bytes)
{
    bool holds = core_holds(r, 1), waits = holds && r->step->knobs.ahead && !core_holds(r, 2);
    if (!holds || waits) {
        cs_count_write(r, CS_MEMORY_WIDE, bytes);
    }
    if (waits) {
        cs_count_read(r, CS_MEMORY_WIDE, bytes);
    }
    if (holds) {
        cs_count_write(r, CS_MEMORY_CORE, bytes);
    }
}

/* Bring a fill of a kernel over the ring; returns how many bytes came. Taps that a phase does not
 * have are rows of zeros that nobody sends. */
static uint64_t bring_fill(cs_run *r, const fill *f)
{
    uint64_t words = cs_tap_words(r), bytes = 0;
    for (uint64_t block = 0; block < f->blocks; block++) {
        for (uint64_t w = 0; w < f->words; w++) {
            int8_t *row = f->weights + (block * f->words + w) * row_bytes(r);
            uint64_t tap = (f->first + w) / words, word = (f->first + w) % words, i, k;
            if (kernel_tap(r->layer, f->phase, tap, &i, &k)) {
                cs_weights_row(r, 0, f->first_block + block,
                               (i * r->layer->kernel_w + k) * words + word, row);
                bytes += row_bytes(r);
            } else {
                for (uint64_t b = 0; b < row_bytes(r); b++) {
                    row[b] = 0;
                }
            }
        }
    }
    return bytes;
}

/* The second operand of a product, from a PE's own narrow memory. */
static uint64_t load_operand(cs_run *r, uint32_t pe, const fill *f, uint32_t head)
{
    const cs_layer *l = r->layer;
    uint64_t ways = r->array.machine.ways, lanes = r->array.machine.core_lanes;
    for (uint64_t b = 0; b < f->blocks * f->words * row_bytes(r); b++) {
        uint64_t block = b / row_bytes(r) / f->words, w = b / row_bytes(r) % f->words;
        uint64_t n = (f->first_block + block) * lanes + b / ways % lanes;
        uint64_t c = (f->first + w) * ways + b % ways;
        f->weights[b] = 0;
        if (n < l->out.channels && c < l->in.channels) {
            f->weights[b] = l->transposed ? cs_operand(r, pe, 1, head, (uint32_t)n, (uint32_t)c)
                                          : cs_operand(r, pe, 1, head, (uint32_t)c, (uint32_t)n);
        }
    }
    cs_count_read(r, CS_MEMORY_NARROW, f->blocks * f->words * row_bytes(r));
    return f->blocks * f->words * row_bytes(r);
}

/* Groups that channels first .. after - 1 belong to. */
static uint64_t groups_of(const cs_layer *l, uint64_t first, uint64_t after)
{
    uint64_t size = l->out.channels / l->groups;
    return (after - 1) / size - first / size + 1;
}

/* Multiply-accumulate one word for all lanes of a pass. */
static void add_word(cs_run *r, uint32_t pe, const fill *f, uint64_t w, uint32_t y, uint32_t x)
{
    const cs_layer *l = r->layer;
    const cs_machine *m = &r->array.machine;
    uint64_t words = cs_tap_words(r), fan = cs_layer_fan_channels(l);
    uint64_t tap = (f->first + w) / words, word = (f->first + w) % words;
    reading in = {.tap = true, .inside = true, .y = y, .x = x};
    if (l->op != CS_OP_MATMUL) {
        in = read_at(l, f->phase, tap, y, x);
    }
    uint64_t lane0 = f->first_block * m->core_lanes;
    uint64_t after = min_u64(lane0 + f->blocks * m->core_lanes, r->lane_results);
    uint64_t bytes = m->ways * groups_of(l, lane0, after);
    if (in.tap && in.inside) {
        cs_count_operand(r, pe, 0, in.y, in.x, bytes);
    } else {
        cs_count_read(r, CS_MEMORY_NARROW, bytes); /* constant rows */
    }
    count_weights_read(r, f->blocks);
    uint64_t size = l->out.channels / l->groups;
    for (uint64_t o = lane0; o < after; o++) {
        uint64_t block = (o - lane0) / m->core_lanes, lane = (o - lane0) % m->core_lanes;
        for (uint64_t way = 0; way < m->ways && word * m->ways + way < fan; way++) {
            r->done->traffic.operations++;
            if (!in.tap || !in.inside) {
                continue;
            }
            uint32_t c = (uint32_t)(o / size * fan + word * m->ways + way);
            f->sums[o - lane0] +=
                weight(r, pe, f, block, (w * m->core_lanes + lane) * m->ways + way) *
                cs_operand(r, pe, 0, in.y, in.x, c);
        }
    }
}

static void give_sums(cs_run *r, uint32_t pe, const fill *f, uint32_t y, uint32_t x)
{
    uint64_t lanes = r->array.machine.core_lanes, lane0 = f->first_block * lanes;
    uint64_t after = min_u64(lane0 + f->blocks * lanes, r->lane_results);
    uint64_t products =
        cs_layer_fan_channels(r->layer) *
        (r->layer->op == CS_OP_MATMUL ? 1 : (uint64_t)r->layer->kernel_h * r->layer->kernel_w);
    for (uint64_t o = lane0; o < after; o++) {
        int64_t sum = f->sums[o - lane0] + f->biases[o - lane0];
        cs_emit(r, pe, y, x, (uint32_t)o, finish(r, (uint32_t)o, sum, products));
    }
}

/* Partial sums of a position from or to wide memory, for all lanes whether or not they work. */
static void move_sums(cs_run *r, uint32_t pe, const fill *f, uint64_t position, bool store)
{
    uint64_t lanes = r->array.machine.lanes;
    for (uint64_t i = 0; i < lanes; i++) {
        uint64_t at = (position * lanes + i) * CS_PARTIAL_SUM_BYTES;
        if (store) {
            cs_array_put_sum(&r->array, pe, &r->sums, at, (int32_t)f->sums[i]);
        } else {
            f->sums[i] = cs_array_get_sum(&r->array, pe, &r->sums, at);
        }
    }
    if (store) {
        cs_count_write(r, CS_MEMORY_WIDE, lanes * CS_PARTIAL_SUM_BYTES);
    } else {
        cs_count_read(r, CS_MEMORY_WIDE, lanes * CS_PARTIAL_SUM_BYTES);
    }
}

/* All positions of a PE for one fill. */
static void use_fill(cs_run *r, uint32_t pe, const fill *f)
{
    cs_part *p = &r->parts[pe];
    cs_range rows = cs_strip_rows(r, pe, f->strip);
    bool chunks = r->step->knobs.order == CS_ORDER_CHUNKS;
    if (r->layer->op == CS_OP_MATMUL) {
        rows = (cs_range){rows.first + (uint32_t)f->heads_row, f->heads_row < rows.count ? 1 : 0};
    }
    for (int finishing = 0; finishing < (chunks && f->last ? 2 : 1); finishing++) {
        if (finishing && r->residence == CS_RESIDENCE_IN_PLACE && r->step->channel_passes == 1) {
            cs_strip_read(r, pe, f->strip);
        }
        for (uint64_t i = 0; i < (uint64_t)rows.count * p->cols.count; i++) {
            uint32_t y = rows.first + (uint32_t)(i / p->cols.count);
            uint32_t x = p->cols.first + (uint32_t)(i % p->cols.count);
            if (!in_phase(r->layer, f->phase, y, x)) {
                continue;
            }
            for (uint64_t lane = 0; lane < r->array.machine.lanes; lane++) {
                f->sums[lane] = 0;
            }
            if (finishing || (chunks && f->first > 0)) {
                move_sums(r, pe, f, i, false);
            }
            for (uint64_t w = 0; w < f->words && !finishing; w++) {
                add_word(r, pe, f, w, y, x);
            }
            if (finishing || !chunks) {
                give_sums(r, pe, f, y, x);
            } else {
                move_sums(r, pe, f, i, true);
            }
        }
    }
}

/* Whether an output lies in this phase: strides may be longer than the output. */
static bool has_outputs(const cs_layer *l, uint64_t phase)
{
    uint64_t y = (phase / l->stride_w + l->stride_h - l->pad_top % l->stride_h) % l->stride_h;
    uint64_t x = (phase % l->stride_w + l->stride_w - l->pad_left % l->stride_w) % l->stride_w;
    return y < l->out.height && x < l->out.width;
}

/* A pass of a strip for the PEs that make one share of the channels. */
static void run_pass(cs_run *r, fill *f, uint64_t all_words)
{
    const cs_layer *l = r->layer;
    bool product = l->op == CS_OP_MATMUL;
    uint64_t phases = l->op == CS_OP_CONV_TRANSPOSE ? (uint64_t)l->stride_h * l->stride_w : 1;
    uint64_t heads = product ? r->step->knobs.strip_rows : 1, rows = r->step->knobs.fill_rows;
    uint64_t lanes = r->array.machine.core_lanes;
    for (uint64_t lane = 0; lane < r->array.machine.lanes; lane++) {
        f->biases[lane] = 0;
    }
    uint64_t constants = 0;
    for (uint64_t b = 0; b < f->blocks && !product; b++) {
        cs_weights_constants(r, 0, f->first_block + b, f->biases + b * lanes);
        constants += CS_CONSTANT_BYTES * lanes;
    }
    for (uint64_t n = 0; n < phases * heads; n++) {
        if (phases > 1 && !has_outputs(l, n)) {
            continue;
        }
        f->phase = product ? 0 : n;
        f->heads_row = product ? n : 0;
        for (f->first = 0; f->first < all_words; f->first += rows) {
            f->words = min_u64(rows, all_words - f->first);
            f->last = f->first + f->words == all_words;
            uint64_t bytes = product ? 0 : bring_fill(r, f) + constants;
            constants = 0;
            for (uint32_t pe = 0; pe < r->pes; pe++) {
                const cs_part *p = &r->parts[pe];
                cs_range strip = cs_strip_rows(r, pe, f->strip);
                if (!p->active || p->share != f->share || (product && n >= strip.count)) {
                    continue;
                }
                if (product) {
                    bytes = load_operand(r, pe, f, strip.first + (uint32_t)n);
                }
                install(r, pe, f);
                count_taken(r, bytes);
                use_fill(r, pe, f);
            }
            if (f->share == 0) {
                uint64_t begun = (uint64_t)f->strip * r->step->knobs.strip_rows;
                r->done->fills += !product || begun + n < r->rows ? 1 : 0;
            }
            f->half ^= 1;
        }
    }
}

/* A depthwise pass: a lane for a channel, one element for each tap. */
static void run_depthwise_pass(cs_run *r, fill *f)
{
    const cs_layer *l = r->layer;
    const cs_machine *m = &r->array.machine;
    uint64_t taps = taps_of(l), bytes = 0, lane0 = f->first_block * m->core_lanes;
    uint64_t after = min_u64(lane0 + f->blocks * m->core_lanes, l->out.channels);
    f->first = f->phase = 0;
    f->words = taps;
    for (uint64_t b = 0; b < f->blocks; b++) {
        cs_weights_constants(r, 0, f->first_block + b, f->biases + b * m->core_lanes);
        bytes += CS_CONSTANT_BYTES * m->core_lanes;
    }
    bytes += bring_fill(r, f);
    r->done->fills += f->share == 0 ? 1 : 0;
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        const cs_part *p = &r->parts[pe];
        if (!p->active || p->share != f->share) {
            continue;
        }
        install(r, pe, f);
        count_taken(r, bytes);
        cs_range rows = cs_strip_rows(r, pe, f->strip);
        for (uint64_t i = 0; i < (uint64_t)rows.count * p->cols.count; i++) {
            uint32_t y = rows.first + (uint32_t)(i / p->cols.count);
            uint32_t x = p->cols.first + (uint32_t)(i % p->cols.count);
            count_weights_read(r, taps * f->blocks);
            for (uint64_t o = lane0; o < after; o++) {
                int64_t sum = f->biases[o - lane0];
                uint64_t block = (o - lane0) / m->core_lanes, lane = (o - lane0) % m->core_lanes;
                for (uint64_t tap = 0; tap < taps; tap++) {
                    reading in = read_at(l, 0, tap, y, x);
                    r->done->traffic.operations++;
                    if (!in.inside) {
                        cs_count_read(r, CS_MEMORY_NARROW, 1);
                        continue;
                    }
                    cs_count_operand(r, pe, 0, in.y, in.x, 1);
                    uint32_t c = (uint32_t)(o / (l->out.channels / l->in.channels));
                    sum += weight(r, pe, f, block, (tap * m->core_lanes + lane) * m->ways) *
                           cs_operand(r, pe, 0, in.y, in.x, c);
                }
                cs_emit(r, pe, y, x, (uint32_t)o, finish(r, (uint32_t)o, sum, taps));
            }
        }
    }
    f->half ^= 1;
}

/* A dense layer in one PE: rows of weights of its own memory, each read once. */
static void run_dense(cs_run *r, uint32_t pe, fill *f)
{
    const cs_layer *l = r->layer;
    const cs_machine *m = &r->array.machine;
    const cs_part *p = &r->parts[pe];
    uint64_t words = cs_tap_words(r), fan = cs_layer_fan_channels(l);
    for (uint64_t first = p->lanes.first; first < (uint64_t)p->lanes.first + p->lanes.count;
         first += m->lanes) {
        uint64_t after = min_u64(first + m->lanes, (uint64_t)p->lanes.first + p->lanes.count);
        uint64_t blocks = (after - first + m->core_lanes - 1) / m->core_lanes;
        for (uint64_t i = 0; i < m->lanes; i++) {
            f->sums[i] = 0;
        }
        r->done->fills += p->share == 0 ? 1 : 0;
        for (uint64_t w = 0; w < words; w++) {
            cs_count_read(r, CS_MEMORY_NARROW, m->ways);
            for (uint64_t block = 0; block < blocks; block++) {
                cs_weights_row(r, pe, first / m->core_lanes + block, w, f->weights);
                for (uint64_t b = 0; b < row_bytes(r); b++) {
                    cs_array_put(&r->array, pe, &r->core, core_at(r, f, block, b), f->weights[b]);
                }
                cs_count_write(r, CS_MEMORY_CORE, row_bytes(r));
                cs_count_read(r, CS_MEMORY_CORE, row_bytes(r));
            }
            for (uint64_t i = 0; i < (after - first) * m->ways; i++) {
                uint64_t lane = i / m->ways, j = w * m->ways + i % m->ways;
                if (j < fan) {
                    uint64_t block = lane / m->core_lanes, in_block = lane % m->core_lanes;
                    int8_t value =
                        cs_array_get(&r->array, pe, &r->core,
                                     core_at(r, f, block, in_block * m->ways + i % m->ways));
                    uint32_t c = (uint32_t)(j % l->in.channels);
                    uint32_t x = (uint32_t)(j / l->in.channels % l->in.width);
                    uint32_t y = (uint32_t)(j / l->in.channels / l->in.width);
                    f->sums[lane] += value * cs_operand(r, pe, 0, y, x, c);
                    r->done->traffic.operations++;
                }
            }
        }
        for (uint64_t o = first; o < after; o++) {
            int64_t sum = f->sums[o - first] + cs_values_bias(r->values, r->id, o);
            cs_emit(r, pe, 0, 0, (uint32_t)o, finish(r, (uint32_t)o, sum, fan));
        }
    }
}

/* ---- without weights ---- */

static void run_pool(cs_run *r, uint32_t pe, uint32_t y, uint32_t x, uint32_t c)
{
    const cs_layer *l = r->layer;
    int64_t sum = 0, count = 0, most = INT8_MIN;
    for (uint64_t tap = 0; tap < taps_of(l); tap++) {
        reading in = read_at(l, 0, tap, y, x);
        r->done->traffic.operations++;
        if (!in.inside) {
            cs_count_read(r, CS_MEMORY_NARROW, 1);
            continue;
        }
        int8_t value = cs_operand(r, pe, 0, in.y, in.x, c);
        cs_count_operand(r, pe, 0, in.y, in.x, 1);
        sum += value;
        most = value > most ? value : most;
        count++;
    }
    int64_t value = l->op == CS_OP_POOL_MAX ? most : count == 0 ? 0 : cs_divide(sum, count);
    cs_emit(r, pe, y, x, c,
            cs_activate(l->activation, (int8_t)value, cs_values_slope(r->values, r->id, c)));
}

static int8_t read_element(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint32_t x, uint32_t c)
{
    cs_count_operand(r, pe, k, y, x, 1);
    return cs_operand(r, pe, k, y, x, c);
}

static int8_t resized(cs_run *r, uint32_t pe, uint32_t y, uint32_t x, uint32_t c)
{
    const cs_layer *l = r->layer;
    uint32_t top = (uint32_t)((uint64_t)y * l->in.height / l->out.height);
    uint32_t left = (uint32_t)((uint64_t)x * l->in.width / l->out.width);
    uint32_t bottom = top + 1 < l->in.height ? top + 1 : top;
    uint32_t right = left + 1 < l->in.width ? left + 1 : left;
    const int8_t corners[4] = {
        read_element(r, pe, 0, top, left, c), read_element(r, pe, 0, top, right, c),
        read_element(r, pe, 0, bottom, left, c), read_element(r, pe, 0, bottom, right, c)};
    return cs_between(corners, (uint32_t)((uint64_t)y * l->in.height % l->out.height),
                      l->out.height, (uint32_t)((uint64_t)x * l->in.width % l->out.width),
                      l->out.width);
}

/* The channels of a position that the PE makes. */
static void run_elements(cs_run *r, uint32_t pe, uint32_t y, uint32_t x)
{
    const cs_layer *l = r->layer;
    const cs_part *p = &r->parts[pe];
    uint32_t after = p->lanes.first + p->lanes.count;
    bool norm = l->op == CS_OP_SOFTMAX || l->op == CS_OP_LAYER_NORM;
    cs_norm n = {0};
    for (int pass = 0; norm && pass < 2; pass++) {
        for (uint32_t c = p->lanes.first; c < after; c++) {
            cs_norm_fold(&n, l->op, pass, read_element(r, pe, 0, y, x, c));
            r->done->traffic.operations++;
        }
    }
    for (uint32_t c = p->lanes.first; c < after; c++) {
        int8_t value;
        if (l->op == CS_OP_RESIZE) {
            value = resized(r, pe, y, x, c);
        } else {
            value = read_element(r, pe, 0, y, x, c);
        }
        if (l->op == CS_OP_ADD) {
            value = cs_add(value, read_element(r, pe, 1, y, x, c));
        } else if (l->op == CS_OP_MULTIPLY) {
            value = cs_multiply(value, read_element(r, pe, 1, y, x, c));
        } else if (l->op == CS_OP_SCALE) {
            value = cs_multiply(value, read_element(r, pe, 1, 0, 0, c));
        } else if (l->op == CS_OP_BATCH_NORM) {
            value = cs_scale_and_shift(value, cs_values_factor(r->values, r->id, c));
        } else if (norm) {
            value = cs_norm_result(&n, l->op, value, cs_values_factor(r->values, r->id, c));
        }
        r->done->traffic.operations++;
        cs_emit(r, pe, y, x, c,
                cs_activate(l->activation, value, cs_values_slope(r->values, r->id, c)));
    }
}

static void run_plain(cs_run *r, uint32_t strip)
{
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        const cs_part *p = &r->parts[pe];
        cs_range rows = cs_strip_rows(r, pe, strip);
        for (uint32_t y = rows.first; y < rows.first + rows.count && p->active; y++) {
            for (uint32_t x = p->cols.first; x < p->cols.first + p->cols.count; x++) {
                if (r->kind == CS_KIND_ELEMENTS) {
                    run_elements(r, pe, y, x);
                    continue;
                }
                for (uint32_t c = 0; c < p->lanes.count; c++) {
                    run_pool(r, pe, y, x, p->lanes.first + c);
                }
            }
        }
    }
}

static void run_strip(cs_run *r, fill *f)
{
    const cs_machine *m = &r->array.machine;
    uint64_t blocks = (r->lane_results + m->core_lanes - 1) / m->core_lanes;
    uint64_t all_words = taps_of(r->layer) * cs_tap_words(r);
    if (r->kind == CS_KIND_DENSE) {
        for (uint32_t pe = 0; pe < r->pes; pe++) {
            if (r->parts[pe].active) {
                run_dense(r, pe, f);
            }
        }
        return;
    }
    if (r->kind != CS_KIND_FILLS && r->kind != CS_KIND_DEPTHWISE) {
        run_plain(r, f->strip);
        return;
    }
    for (uint64_t first = 0; first < blocks; first += m->cores) {
        f->first_block = first;
        f->blocks = min_u64(m->cores, blocks - first);
        f->share = (uint32_t)(first * m->core_lanes / r->share_lanes);
        if (r->kind == CS_KIND_FILLS) {
            run_pass(r, f, all_words);
        } else {
            run_depthwise_pass(r, f);
        }
    }
}

cs_status cs_run_lanes(cs_run *r, cs_error *err)
{
    const cs_machine *m = &r->array.machine;
    uint64_t bytes = full_fill_bytes(r) + m->lanes * m->ways;
    fill f = {.weights = malloc(bytes),
              .biases = malloc(m->lanes * sizeof *f.biases),
              .sums = malloc(m->lanes * sizeof *f.sums)};
    cs_status status = f.weights && f.biases && f.sums ? CS_OK : cs_fail_memory(err);
    for (f.strip = 0; f.strip < r->step->strips && !status && !r->array.failed; f.strip++) {
        /* Strips after the last output row are those of a halo: weights come again, and the rows
         * themselves come with the next layer's halo. */
        for (uint32_t pe = 0; pe < r->pes; pe++) {
            if (r->parts[pe].active && cs_strip_rows(r, pe, f.strip).count > 0) {
                cs_strip_begin(r, pe, f.strip);
            }
        }
        run_strip(r, &f);
        for (uint32_t pe = 0; pe < r->pes; pe++) {
            if (r->parts[pe].active && cs_strip_rows(r, pe, f.strip).count > 0) {
                cs_strip_end(r, pe, f.strip);
            }
        }
        r->done->strips++;
    }
    free(f.weights);
    free(f.biases);
    free(f.sums);
    return status;
}
