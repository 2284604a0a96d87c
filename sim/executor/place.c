/* Where tensors lie while a step runs, and how they get there: see run.h. */
#include "sim/executor/run.h"

#include <stdlib.h>
#include <string.h>

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

static bool within(cs_range range, uint32_t at)
{
    return at >= range.first && at - range.first < range.count;
}

static cs_shape input_shape(const cs_run *r, uint32_t k)
{
    return k == 0 ? r->layer->in : r->layer->second;
}

static cs_slot *slot_of(cs_slot *table, cs_shape shape, uint32_t y, uint32_t x)
{
    return &table[(uint64_t)y * shape.width + x];
}

void cs_count_read(cs_run *r, cs_memory memory, uint64_t bytes)
{
    cs_traffic *t = &r->done->traffic;
    *(memory == CS_MEMORY_NARROW ? &t->narrow_read_bytes
      : memory == CS_MEMORY_WIDE ? &t->wide_read_bytes
                                 : &t->core_read_bytes) += bytes;
}

void cs_count_write(cs_run *r, cs_memory memory, uint64_t bytes)
{
    cs_traffic *t = &r->done->traffic;
    *(memory == CS_MEMORY_NARROW ? &t->narrow_write_bytes
      : memory == CS_MEMORY_WIDE ? &t->wide_write_bytes
                                 : &t->core_write_bytes) += bytes;
}

static const cs_region nowhere = {.what = "no position that is there"};

int8_t cs_slot_get(cs_run *r, uint32_t pe, cs_slot slot, uint64_t c)
{
    return cs_array_get(&r->array, pe, slot.region ? slot.region : &nowhere, slot.at + c);
}

void cs_slot_put(cs_run *r, uint32_t pe, cs_slot slot, uint64_t c, int8_t value)
{
    cs_array_put(&r->array, pe, slot.region ? slot.region : &nowhere, slot.at + c, value);
}

static void count_slot_read(cs_run *r, cs_slot slot, uint64_t bytes)
{
    cs_count_read(r, slot.region ? slot.region->memory : CS_MEMORY_NARROW, bytes);
}

static void count_slot_write(cs_run *r, cs_slot slot, uint64_t bytes)
{
    cs_count_write(r, slot.region ? slot.region->memory : CS_MEMORY_NARROW, bytes);
}

/* ---- blocks ---- */

void cs_block_of(const cs_run *r, cs_shape shape, uint32_t pe, cs_range *rows, cs_range *cols)
{
    const cs_machine *m = &r->array.machine;
    uint64_t high = div_up(shape.height, m->pes_y), wide = div_up(shape.width, m->pes_x);
    uint64_t y = min_u64(pe / m->pes_x * high, shape.height);
    uint64_t x = min_u64(pe % m->pes_x * wide, shape.width);
    *rows = (cs_range){(uint32_t)y, (uint32_t)min_u64(high, shape.height - y)};
    *cols = (cs_range){(uint32_t)x, (uint32_t)min_u64(wide, shape.width - x)};
}

uint32_t cs_owner(const cs_run *r, cs_shape shape, uint32_t y, uint32_t x)
{
    const cs_machine *m = &r->array.machine;
    return (uint32_t)(y / div_up(shape.height, m->pes_y) * m->pes_x +
                      x / div_up(shape.width, m->pes_x));
}

int8_t *cs_home_at(const cs_run *r, cs_layer_id id, uint32_t y, uint32_t x, uint32_t c)
{
    const cs_layer *layer = &r->network->layers[id];
    while (layer->op == CS_OP_CONCAT) {
        const cs_layer_id *inputs = cs_layer_inputs(r->network, layer);
        uint32_t k = 0;
        while (c >= r->network->layers[inputs[k]].out.channels) {
            c -= r->network->layers[inputs[k]].out.channels;
            k++;
        }
        id = inputs[k];
        layer = &r->network->layers[id];
    }
    return &r->homes[id][((uint64_t)y * layer->out.width + x) * layer->out.channels + c];
}

/* The most bytes of the tensor's block, of any PE. */
static uint64_t block_bytes(const cs_run *r, cs_shape shape)
{
    const cs_machine *m = &r->array.machine;
    return div_up(shape.height, m->pes_y) * div_up(shape.width, m->pes_x) *
           cs_round_up(shape.channels, m->ways);
}

/* ---- regions ---- */

static cs_region take_narrow(cs_run *r, uint64_t first, uint64_t size, const char *what)
{
    return cs_array_take(&r->array, CS_MEMORY_NARROW, first, size, r->step->narrow_bytes, what);
}

/* Regions of wide memory follow each other; `limit` is how many bytes those so far may take. */
static cs_region take_wide(cs_run *r, uint64_t size, uint64_t limit, const char *what)
{
    cs_region region = cs_array_take(&r->array, CS_MEMORY_WIDE, r->next_wide, size, limit, what);
    r->next_wide += size;
    return region;
}

/* FIFO, sums, results that wait and what lies outside narrow memory, in buffer_bytes. */
static void take_buffers(cs_run *r)
{
    const cs_machine *m = &r->array.machine;
    const cs_step *s = r->step;
    uint64_t limit = s->buffer_bytes, row = m->ways * m->lanes;
    uint64_t fill = r->kind == CS_KIND_DEPTHWISE ? (uint64_t)r->layer->kernel_h * r->layer->kernel_w
                                                 : s->knobs.fill_rows;
    r->next_wide = 0;
    r->fifo = r->landing = r->sums = r->wait = r->outside = (cs_region){0};
    bool fills = r->kind == CS_KIND_FILLS || r->kind == CS_KIND_DEPTHWISE;
    if (fills) {
        r->fifo = take_wide(r, fill * row * (s->knobs.ahead ? 2 : 1), limit, "the FIFO");
    }
    if (fills || r->kind == CS_KIND_DENSE || r->kind == CS_KIND_CELL) {
        r->landing = take_wide(r, row, limit, "a row of weights that arrives");
    }
    uint64_t positions = (uint64_t)s->knobs.strip_rows * r->cols;
    if (r->kind == CS_KIND_FILLS && s->knobs.order == CS_ORDER_CHUNKS) {
        r->sums = take_wide(r, positions * m->lanes * CS_PARTIAL_SUM_BYTES, limit, "partial sums");
    }
    if (r->kind == CS_KIND_POOL_GLOBAL) {
        r->sums = take_wide(r, (uint64_t)r->layer->in.channels * CS_PARTIAL_SUM_BYTES, limit,
                            "sums of channels");
    }
    if (r->residence == CS_RESIDENCE_IN_PLACE) {
        if (r->kind != CS_KIND_FILLS || s->knobs.order == CS_ORDER_POSITIONS) {
            r->wait = take_wide(r, positions * r->out_bytes, limit, "results that wait");
        }
        uint64_t left = limit > r->next_wide ? limit - r->next_wide : 0;
        r->outside = take_wide(r, left, limit, "halo and carried rows");
    }
    r->next_wide = limit;
}

/* The hull of a PE's block and what it reads, along one axis. */
static cs_range hull_of(cs_range own, cs_range reads)
{
    if (own.count == 0 || reads.count == 0) {
        return own.count == 0 ? reads : own;
    }
    uint32_t first = own.first < reads.first ? own.first : reads.first;
    uint32_t own_end = own.first + own.count, end = reads.first + reads.count;
    return (cs_range){first, (own_end > end ? own_end : end) - first};
}

/* The most of something over PEs. */
typedef uint64_t part_measure(const cs_run *r, uint32_t pe, uint32_t k);

static uint64_t hull_rows(const cs_run *r, uint32_t pe, uint32_t k)
{
    const cs_view *v = &r->parts[pe].in[k];
    return hull_of(v->own_rows, v->rows).count;
}

static uint64_t hull_cols(const cs_run *r, uint32_t pe, uint32_t k)
{
    const cs_view *v = &r->parts[pe].in[k];
    return hull_of(v->own_cols, v->cols).count;
}

static uint64_t either_cols(const cs_run *r, uint32_t pe, uint32_t k)
{
    const cs_view *v = &r->parts[pe].in[k];
    return max_u64(v->own_cols.count, v->cols.count);
}

static uint64_t read_rows(const cs_run *r, uint32_t pe, uint32_t k)
{
    return r->parts[pe].in[k].rows.count;
}

static uint64_t read_cols(const cs_run *r, uint32_t pe, uint32_t k)
{
    return r->parts[pe].in[k].cols.count;
}

static uint64_t strip_rows_read(const cs_run *r, uint32_t pe, uint32_t k)
{
    uint64_t most = 0;
    uint32_t strips = (uint32_t)div_up(r->rows, r->step->knobs.strip_rows);
    for (uint32_t s = 0; s < strips && r->parts[pe].active; s++) {
        most = max_u64(most, cs_layer_reads(r->layer, k, false, cs_strip_rows(r, pe, s)).count);
    }
    return most;
}

static uint64_t most_of(const cs_run *r, part_measure *measure, uint32_t k)
{
    uint64_t most = 0;
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        most = max_u64(most, measure(r, pe, k));
    }
    return most;
}

cs_range cs_strip_rows(const cs_run *r, uint32_t pe, uint32_t strip)
{
    const cs_part *p = &r->parts[pe];
    uint64_t first = min_u64((uint64_t)strip * r->step->knobs.strip_rows, p->rows.count);
    uint64_t count = min_u64(r->step->knobs.strip_rows, p->rows.count - first);
    return (cs_range){p->rows.first + (uint32_t)first, (uint32_t)count};
}

/* ---- placing ---- */

static void put_block(cs_run *r, uint32_t pe, uint32_t k)
{
    cs_view *v = &r->parts[pe].in[k];
    cs_shape shape = input_shape(r, k);
    cs_layer_id from = cs_layer_inputs(r->network, r->layer)[k];
    for (uint32_t y = v->own_rows.first; y < v->own_rows.first + v->own_rows.count; y++) {
        for (uint32_t x = v->own_cols.first; x < v->own_cols.first + v->own_cols.count; x++) {
            for (uint32_t c = 0; c < shape.channels; c++) {
                cs_slot_put(r, pe, *slot_of(v->own, shape, y, x), c, *cs_home_at(r, from, y, x, c));
            }
        }
    }
}

/* Lay a PE's block row after row into a region. */
static void lay_block(cs_run *r, uint32_t pe, uint32_t k, const cs_region *region, uint64_t first)
{
    cs_view *v = &r->parts[pe].in[k];
    cs_shape shape = input_shape(r, k);
    uint64_t wide = div_up(shape.width, r->array.machine.pes_x);
    uint64_t bytes = cs_round_up(shape.channels, r->array.machine.ways);
    for (uint32_t y = 0; y < v->own_rows.count; y++) {
        for (uint32_t x = 0; x < v->own_cols.count; x++) {
            *slot_of(v->own, shape, v->own_rows.first + y, v->own_cols.first + x) =
                (cs_slot){region, first + (y * wide + x) * bytes};
        }
    }
    put_block(r, pe, k);
}

/* Lay an input with its halo: rows of the hull, each with `slots` places, the block's first. */
static void lay_hull(cs_run *r, uint32_t pe, uint32_t k, uint64_t rows, uint64_t slots)
{
    cs_view *v = &r->parts[pe].in[k];
    cs_shape shape = input_shape(r, k);
    cs_range hull = hull_of(v->own_rows, v->rows);
    uint64_t skipped = r->residence == CS_RESIDENCE_INPUT_WHOLE ? rows - hull.count : 0;
    for (uint32_t y = 0; y < v->own_rows.count; y++) {
        uint64_t row = v->own_rows.first + y - hull.first + skipped;
        for (uint32_t x = 0; x < v->own_cols.count; x++) {
            *slot_of(v->own, shape, v->own_rows.first + y, v->own_cols.first + x) =
                (cs_slot){&r->in[k], (row * slots + x) * r->in_bytes[k]};
        }
    }
    put_block(r, pe, k);
}

static uint64_t place_hull(cs_run *r, uint32_t k, uint64_t first)
{
    bool whole = r->residence == CS_RESIDENCE_WHOLE;
    uint64_t rows = most_of(r, hull_rows, k);
    uint64_t slots = whole && r->survives[k]
                         ? most_of(r, hull_cols, k)
                         : max_u64(most_of(r, either_cols, k),
                                   div_up(input_shape(r, k).width, r->array.machine.pes_x));
    uint64_t size = rows * slots * r->in_bytes[k];
    if (!whole) {
        first = r->step->narrow_bytes > size ? r->step->narrow_bytes - size : 0;
    }
    r->in[k] = take_narrow(r, first, size, "an input with its halo");
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        lay_hull(r, pe, k, rows, slots);
    }
    return size;
}

/* Room for what comes strip by strip: two strips, if there are several. */
static uint64_t strips_in_bytes(const cs_run *r, uint32_t k)
{
    if (r->kind == CS_KIND_POOL_GLOBAL) {
        return 2 * div_up(r->layer->in.width, r->array.machine.pes_x) * r->in_bytes[k];
    }
    uint64_t times = r->step->knobs.strip_rows < r->rows ? 2 : 1;
    return times * most_of(r, strip_rows_read, k) * most_of(r, read_cols, k) * r->in_bytes[k];
}

static bool replaces(const cs_run *r, uint32_t k)
{
    const cs_layer_id *inputs = cs_layer_inputs(r->network, r->layer);
    bool twice = r->inputs == 2 && inputs[0] == inputs[1];
    return r->kind == CS_KIND_ELEMENTS && r->layer->op != CS_OP_RESIZE && !r->off[r->id] &&
           (k == 0 || r->layer->op != CS_OP_SCALE) && !twice && !r->input_off[k] && !r->survives[k];
}

/* Output positions of a PE in a region, `row` bytes a row of the PE's outputs, from row `first` of
 * them on; rows repeat after `rows`. */
static void lay_made(cs_run *r, uint32_t pe, const cs_region *region, uint64_t rows)
{
    cs_part *p = &r->parts[pe];
    for (uint32_t y = 0; y < p->rows.count && p->active; y++) {
        for (uint32_t x = 0; x < p->cols.count; x++) {
            *slot_of(p->made, r->layer->out, p->rows.first + y, p->cols.first + x) =
                (cs_slot){region, (y % rows * r->cols + x) * r->out_bytes};
        }
    }
}

/* The PE's block of the output as it lies between layers. */
static void lay_home(cs_run *r, uint32_t pe, const cs_region *region)
{
    cs_shape shape = r->layer->out;
    cs_range rows, cols;
    cs_block_of(r, shape, pe, &rows, &cols);
    uint64_t wide = div_up(shape.width, r->array.machine.pes_x);
    uint64_t bytes = cs_round_up(shape.channels, r->array.machine.ways);
    for (uint32_t y = 0; y < rows.count; y++) {
        for (uint32_t x = 0; x < cols.count; x++) {
            *slot_of(r->parts[pe].home, shape, rows.first + y, cols.first + x) =
                (cs_slot){region, (y * wide + x) * bytes};
        }
    }
}

static uint64_t canonical_bytes(const cs_run *r)
{
    const cs_machine *m = &r->array.machine;
    return (div_up(r->layer->out.height, m->pes_y) + r->step->halo_rows) *
           (div_up(r->layer->out.width, m->pes_x) + r->step->halo_cols) *
           cs_round_up(r->layer->out.channels, m->ways);
}

/* Results that leave strip by strip: rows of two strips, if there are several. */
static uint64_t strip_out_rows(const cs_run *r)
{
    return min_u64(r->step->knobs.strip_rows, r->rows) *
           (r->step->knobs.strip_rows < r->rows ? 2 : 1);
}

static void place_outputs_in(cs_run *r, const cs_region *home, const cs_region *made, uint64_t rows)
{
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        if (home) {
            lay_home(r, pe, home);
        }
        if (made) {
            lay_made(r, pe, made, rows);
        }
    }
}

/* Whole, where channels are split: blocks that survive, then results, then blocks that do not, with
 * what is gathered at the end; in the end the block of the output after the results. */
static void place_split(cs_run *r)
{
    uint64_t kept = 0, dying = 0, gathered = 0, end = r->step->narrow_bytes;
    uint64_t rows =
        r->off[r->id] && r->step->knobs.strip_rows < r->rows ? strip_out_rows(r) : r->rows;
    uint64_t made = rows * r->cols * r->out_bytes;
    bool over[2] = {replaces(r, 0), r->inputs > 1 && replaces(r, 1)};
    for (uint32_t i = 0; i < r->inputs; i++) {
        uint32_t k = over[1] && !over[0] ? 1 - i : i; /* what is replaced comes to the very end */
        uint64_t size = r->strips_in[k]
                            ? strips_in_bytes(r, k)
                            : most_of(r, read_rows, k) * most_of(r, read_cols, k) * r->in_bytes[k];
        gathered += size;
        r->in[k] = take_narrow(r, end > gathered ? end - gathered : 0, size, "a gathered input");
        if (!r->input_off[k] && r->survives[k]) {
            r->block[k] = take_narrow(r, kept, block_bytes(r, input_shape(r, k)), "a block");
            kept += block_bytes(r, input_shape(r, k));
        }
    }
    for (uint32_t k = 0; k < r->inputs; k++) {
        uint64_t size = block_bytes(r, input_shape(r, k));
        if (!r->input_off[k] && !r->survives[k]) {
            r->block[k] = take_narrow(r, kept + dying, size, "a block");
            dying += size;
        }
    }
    /* No region of this exchange may reach into another. */
    (void)take_narrow(r, kept + dying, gathered, "blocks beside what is gathered");
    if (over[0] || over[1]) {
        uint32_t k = over[0] ? 0 : 1;
        r->made = take_narrow(r, r->in[k].first, made, "results");
    } else {
        r->made = take_narrow(r, kept, made, "results");
        (void)take_narrow(r, kept + made, gathered, "results beside what was gathered");
    }
    if (!r->off[r->id]) {
        uint64_t at = over[0] || over[1] ? kept : kept + made;
        r->out = take_narrow(r, at, canonical_bytes(r), "the block of the result");
        (void)take_narrow(r, kept, made + canonical_bytes(r), "results beside their block");
    }
    place_outputs_in(r, r->off[r->id] ? NULL : &r->out, &r->made, rows);
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        for (uint32_t k = 0; k < r->inputs; k++) {
            if (!r->input_off[k]) {
                lay_block(r, pe, k, &r->block[k], 0);
            }
        }
    }
}

static void place_whole(cs_run *r)
{
    uint64_t at = 0;
    int replaced = -1;
    for (uint32_t k = 0; k < r->inputs; k++) {
        if (r->strips_in[k]) {
            uint64_t size = strips_in_bytes(r, k);
            r->in[k] = take_narrow(r, at, size, "strips of an input");
            at += size;
        } else {
            at += place_hull(r, k, at);
        }
        replaced = replaces(r, k) && replaced < 0 ? (int)k : replaced;
    }
    if (r->kind == CS_KIND_CELL) {
        const cs_machine *m = &r->array.machine;
        uint64_t sizes[3] = {
            cs_round_up(r->layer->out.channels, m->ways), r->out_bytes,
            cs_round_up(CS_GATE_VALUES * ((uint64_t)r->step->tile_channels + 1), m->ways)};
        r->state = take_narrow(r, at, sizes[0], "the state of all units");
        r->kept = take_narrow(r, at + sizes[0], sizes[1], "what units remember");
        r->gates = take_narrow(r, at + sizes[0] + sizes[1], sizes[2], "gates");
        at += sizes[0] + sizes[1] + sizes[2];
        r->made = take_narrow(r, at, r->out_bytes, "results of a step");
        at += r->out_bytes;
        if (!r->off[r->id]) {
            r->out = take_narrow(r, at, canonical_bytes(r), "the result");
            place_outputs_in(r, &r->out, NULL, 1);
        }
        return;
    }
    if (r->off[r->id]) {
        r->out =
            take_narrow(r, at, strip_out_rows(r) * r->cols * r->out_bytes, "strips of the result");
        place_outputs_in(r, NULL, &r->out, strip_out_rows(r));
    } else if (replaced >= 0) {
        uint64_t made = (uint64_t)r->rows * r->cols * r->out_bytes;
        (void)take_narrow(r, at - made, canonical_bytes(r), "the result");
        r->out = r->in[replaced];
        for (uint32_t pe = 0; pe < r->pes; pe++) {
            cs_part *p = &r->parts[pe];
            for (uint64_t i = 0; i < (uint64_t)r->layer->out.height * r->layer->out.width; i++) {
                p->made[i] = p->home[i] = p->in[replaced].own[i];
            }
        }
    } else {
        r->out = take_narrow(r, at, canonical_bytes(r), "the result");
        place_outputs_in(r, &r->out, NULL, 1);
        for (uint32_t pe = 0; pe < r->pes; pe++) {
            cs_part *p = &r->parts[pe];
            memcpy(p->made, p->home,
                   (uint64_t)r->layer->out.height * r->layer->out.width * sizeof *p->made);
        }
    }
}

/* Cells lie like whole tensors, with what channels are split over gathered. */
static void place_cell(cs_run *r)
{
    if (!r->splits) {
        place_whole(r);
        return;
    }
    place_split(r);
    /* The gathered part ends with what the cell has beside its input. */
    const cs_machine *m = &r->array.machine;
    uint64_t sizes[3] = {
        cs_round_up(r->layer->out.channels, m->ways), r->out_bytes,
        cs_round_up(CS_GATE_VALUES * ((uint64_t)r->step->tile_channels + 1), m->ways)};
    uint64_t all = sizes[0] + sizes[1] + sizes[2];
    uint64_t first = r->in[0].first > all ? r->in[0].first - all : 0;
    if (!r->off[r->id]) {
        (void)take_narrow(r, r->out.first, r->out.size + all + r->in[0].size,
                          "the result beside what the cell reads");
    }
    r->state = take_narrow(r, first, sizes[0], "the state of all units");
    r->kept = take_narrow(r, first + sizes[0], sizes[1], "what units remember");
    r->gates = take_narrow(r, first + sizes[0] + sizes[1], sizes[2], "gates");
}

static void place_in_place(cs_run *r)
{
    const cs_machine *m = &r->array.machine;
    cs_shape in = r->layer->in;
    uint64_t size = block_bytes(r, in), end = r->step->narrow_bytes;
    r->room = end > size ? end - size : 0;
    r->in_row = size / div_up(in.height, m->pes_y);
    r->out_row = r->cols * r->out_bytes;
    r->in[0] = take_narrow(r, r->room, size, "the block of the input");
    r->out = take_narrow(r, 0, r->rows * r->out_row, "the result");
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        lay_block(r, pe, 0, &r->in[0], 0);
    }
    place_outputs_in(r, &r->out, r->wait.size > 0 ? &r->wait : &r->out,
                     r->wait.size > 0 ? r->step->knobs.strip_rows : r->rows);
}

static void place_input_whole(cs_run *r)
{
    (void)place_hull(r, 0, 0);
    r->out_row = r->cols * r->out_bytes;
    r->out = take_narrow(r, 0, r->rows * r->out_row, "the result");
    place_outputs_in(r, &r->out, &r->out, r->rows);
}

static void place_wide(cs_run *r)
{
    uint64_t at = 0;
    for (uint32_t k = 0; k < r->inputs; k++) {
        uint64_t size = strips_in_bytes(r, k);
        r->in[k] = take_narrow(r, at, size, "strips of an input");
        at += size;
        for (uint32_t pe = 0; pe < r->pes && !r->input_off[k]; pe++) {
            lay_block(r, pe, k, &r->saved[k], 0);
        }
    }
    if (r->kind == CS_KIND_POOL_GLOBAL) {
        r->out =
            take_narrow(r, at, r->off[r->id] ? r->out_bytes : canonical_bytes(r), "the result");
        place_outputs_in(r, &r->out, NULL, 1);
        return;
    }
    r->out = take_narrow(r, at, strip_out_rows(r) * r->cols * r->out_bytes, "strips of the result");
    place_outputs_in(r, r->off[r->id] ? NULL : &r->spill_out, &r->out, strip_out_rows(r));
}

/* Tensors in wide memory, after the buffers. */
static void take_spill(cs_run *r)
{
    uint64_t limit = r->step->buffer_bytes + r->step->spill_bytes;
    bool wide = r->residence == CS_RESIDENCE_WIDE;
    bool saves = r->residence == CS_RESIDENCE_INPUT_WHOLE || r->residence == CS_RESIDENCE_IN_PLACE;
    for (uint32_t k = 0; k < r->inputs; k++) {
        r->saved[k] = (cs_region){0};
        if (!r->input_off[k] && (wide || (saves && r->survives[k]))) {
            r->saved[k] =
                take_wide(r, block_bytes(r, input_shape(r, k)), limit, "an input in wide memory");
        }
    }
    r->spill_out = (cs_region){0};
    if (wide && !r->off[r->id] && r->kind != CS_KIND_POOL_GLOBAL) {
        r->spill_out = take_wide(r, (uint64_t)r->rows * r->cols * r->out_bytes, limit,
                                 "the result in wide memory");
    }
    r->next_wide = limit;
}

/* A tensor that survives out of the way of results, and back. */
static void save_input(cs_run *r, bool back)
{
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        cs_view *v = &r->parts[pe].in[0];
        cs_shape shape = r->layer->in;
        uint64_t wide = div_up(shape.width, r->array.machine.pes_x);
        uint64_t bytes = cs_round_up(shape.channels, r->array.machine.ways);
        for (uint32_t y = 0; y < v->own_rows.count; y++) {
            for (uint32_t x = 0; x < v->own_cols.count; x++) {
                cs_slot saved = {&r->saved[0], (y * wide + x) * bytes};
                cs_slot *own = slot_of(v->own, shape, v->own_rows.first + y, v->own_cols.first + x);
                for (uint32_t c = 0; c < shape.channels && !back; c++) {
                    cs_slot_put(r, pe, saved, c, cs_slot_get(r, pe, *own, c));
                }
                if (back) {
                    *own = saved; /* from where the frame takes it to its place */
                }
                cs_count_read(r, back ? CS_MEMORY_WIDE : CS_MEMORY_NARROW, shape.channels);
                cs_count_write(r, back ? CS_MEMORY_NARROW : CS_MEMORY_WIDE, shape.channels);
            }
        }
    }
}

void cs_place_step(cs_run *r)
{
    take_buffers(r);
    take_spill(r);
    r->in[0] = r->in[1] = r->block[0] = r->block[1] = r->out = r->made = (cs_region){0};
    if (r->kind == CS_KIND_NOTHING) {
        return;
    }
    if (r->kind == CS_KIND_MOVE) {
        uint64_t at = 0;
        if (!r->input_off[0]) {
            at = block_bytes(r, r->layer->in);
            r->in[0] = take_narrow(r, 0, at, "the block of the input");
            for (uint32_t pe = 0; pe < r->pes; pe++) {
                lay_block(r, pe, 0, &r->in[0], 0);
            }
        }
        if (!r->off[r->id]) {
            r->out = take_narrow(r, at, canonical_bytes(r), "the result");
            place_outputs_in(r, &r->out, NULL, 1);
        }
        return;
    }
    switch (r->residence) {
    case CS_RESIDENCE_WHOLE:
        if (r->kind == CS_KIND_CELL) {
            place_cell(r);
        } else if (r->splits) {
            place_split(r);
        } else {
            place_whole(r);
        }
        break;
    case CS_RESIDENCE_INPUT_WHOLE:
        place_input_whole(r);
        break;
    case CS_RESIDENCE_IN_PLACE:
        place_in_place(r);
        break;
    case CS_RESIDENCE_WIDE:
        place_wide(r);
        break;
    }
    bool saves = r->residence == CS_RESIDENCE_INPUT_WHOLE || r->residence == CS_RESIDENCE_IN_PLACE;
    if (saves && r->survives[0]) {
        save_input(r, false);
    }
}

/* ---- gathering ---- */

/* One position from its owner to a place of a PE. */
static void fetch(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint32_t x, int8_t *values,
                  bool anew)
{
    cs_view *v = &r->parts[pe].in[k];
    cs_shape shape = input_shape(r, k);
    uint32_t from = cs_owner(r, shape, y, x);
    cs_slot own = *slot_of(r->parts[from].in[k].own, shape, y, x);
    for (uint32_t c = 0; c < v->channels; c++) {
        values[c] = cs_slot_get(r, from, own, v->first + c);
    }
    count_slot_read(r, own, v->channels);
    if (anew || from != pe) {
        r->done->traffic.mesh_bytes += v->channels;
    }
}

static bool is_own(const cs_view *v, uint32_t y, uint32_t x)
{
    return within(v->own_rows, y) && within(v->own_cols, x);
}

/* The first place of a row that no position of the tensor has. */
static uint64_t free_place(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint64_t row,
                           uint64_t slots)
{
    cs_view *v = &r->parts[pe].in[k];
    cs_shape shape = input_shape(r, k);
    for (uint64_t i = 0; i < slots; i++) {
        uint64_t at = (row * slots + i) * r->in_bytes[k];
        bool used = false;
        for (uint32_t x = 0; x < shape.width && !used; x++) {
            const cs_slot *slot = slot_of(v->read, shape, y, x);
            used = slot->region == &r->in[k] && slot->at == at;
        }
        if (!used) {
            return at;
        }
    }
    return r->in[k].size; /* there is none: an overrun */
}

static uint64_t outside_place(cs_run *r, uint32_t pe)
{
    cs_part *p = &r->parts[pe];
    for (uint64_t i = 0; i < r->taken_count; i++) {
        if (!p->taken[i]) {
            p->taken[i] = true;
            return i * r->in_bytes[0];
        }
    }
    cs_array_fail(&r->array, pe, "wide memory: no room for halo and carried rows");
    return r->outside.size;
}

/* Where a gathered position goes. */
static cs_slot gathered_place(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint32_t x)
{
    cs_view *v = &r->parts[pe].in[k];
    if (r->splits) {
        uint64_t cols = most_of(r, read_cols, k);
        return (cs_slot){&r->in[k], ((uint64_t)(y - v->rows.first) * cols + (x - v->cols.first)) *
                                        r->in_bytes[k]};
    }
    if (r->residence == CS_RESIDENCE_IN_PLACE) {
        return (cs_slot){&r->outside, outside_place(r, pe)};
    }
    uint64_t rows = most_of(r, hull_rows, k);
    uint64_t slots = rows > 0 ? r->in[k].size / r->in_bytes[k] / rows : 0;
    cs_range hull = hull_of(v->own_rows, v->rows);
    uint64_t skipped = r->residence == CS_RESIDENCE_INPUT_WHOLE ? rows - hull.count : 0;
    return (cs_slot){&r->in[k], free_place(r, pe, k, y, y - hull.first + skipped, slots)};
}

/* Own positions that lanes read stay; those that they do not make room, unless they survive. */
static void keep_own(cs_run *r, uint32_t pe, uint32_t k)
{
    cs_view *v = &r->parts[pe].in[k];
    cs_shape shape = input_shape(r, k);
    bool all = r->residence == CS_RESIDENCE_IN_PLACE ||
               (r->residence == CS_RESIDENCE_WHOLE && r->survives[k]);
    for (uint32_t y = v->own_rows.first; y < v->own_rows.first + v->own_rows.count; y++) {
        for (uint32_t x = v->own_cols.first; x < v->own_cols.first + v->own_cols.count; x++) {
            if (all || within(v->cols, x)) {
                *slot_of(v->read, shape, y, x) = *slot_of(v->own, shape, y, x);
            }
        }
    }
}

static void gather_input(cs_run *r, uint32_t k)
{
    /* All that is gathered is on the mesh at once; rows in flight pass through staging rows. */
    cs_shape shape = input_shape(r, k);
    uint64_t count = 0, next = 0;
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        const cs_view *v = &r->parts[pe].in[k];
        count += (uint64_t)v->rows.count * v->cols.count * v->channels;
    }
    int8_t *flying = malloc(count + 1);
    if (!flying) {
        cs_array_fail(&r->array, 0, "out of memory");
        return;
    }
    for (int phase = 0; phase < 2; phase++) {
        next = 0;
        for (uint32_t pe = 0; pe < r->pes; pe++) {
            cs_view *v = &r->parts[pe].in[k];
            if (phase == 1 && !r->splits) {
                keep_own(r, pe, k);
            }
            for (uint32_t y = v->rows.first; y < v->rows.first + v->rows.count; y++) {
                for (uint32_t x = v->cols.first; x < v->cols.first + v->cols.count; x++) {
                    if (!r->splits && is_own(v, y, x)) {
                        continue;
                    }
                    int8_t *values = flying + next;
                    next += v->channels;
                    if (phase == 0) {
                        fetch(r, pe, k, y, x, values, r->splits);
                        continue;
                    }
                    cs_slot place = gathered_place(r, pe, k, y, x);
                    *slot_of(v->read, shape, y, x) = place;
                    for (uint32_t c = 0; c < v->channels; c++) {
                        cs_slot_put(r, pe, place, c, values[c]);
                    }
                    count_slot_write(r, place, v->channels);
                }
            }
        }
    }
    free(flying);
}

void cs_gather(cs_run *r)
{
    for (uint32_t k = 0; k < r->inputs; k++) {
        if (!r->strips_in[k]) {
            gather_input(r, k);
        }
    }
}

/* ---- strips ---- */

/* Positions of an input cross the link once, for all PEs that read them. */
static void count_link(cs_run *r, uint32_t k, uint32_t y, cs_range cols)
{
    cs_shape shape = input_shape(r, k);
    for (uint32_t x = cols.first; x < cols.first + cols.count; x++) {
        bool *linked = &r->linked[k][(uint64_t)y * shape.width + x];
        r->done->traffic.link_in_bytes += *linked ? 0 : shape.channels;
        *linked = true;
    }
}

/* Bring the rows up to the last wanted of an input that comes strip by strip. Rows below `used_up`
 * make room, and those of them that no strip wants come and are passed over. */
static void bring_rows(cs_run *r, uint32_t pe, uint32_t k, cs_range wanted, uint32_t used_up)
{
    cs_part *p = &r->parts[pe];
    cs_view *v = &p->in[k];
    cs_shape shape = input_shape(r, k);
    uint64_t cols = most_of(r, read_cols, k), bytes = cols * r->in_bytes[k];
    uint64_t places = bytes > 0 ? r->in[k].size / bytes : 0;
    for (uint32_t y = 0; y < used_up && y < shape.height; y++) {
        for (uint32_t x = 0; x < shape.width; x++) {
            *slot_of(v->read, shape, y, x) = (cs_slot){0};
        }
    }
    uint32_t after = wanted.first + wanted.count;
    for (; v->next_row < after; v->next_row++) {
        uint32_t y = v->next_row;
        uint64_t place = 0;
        for (bool used = true; used && place <= places; place += used ? 1 : 0) {
            used = false;
            for (uint32_t i = 0; i < shape.height && !used; i++) {
                const cs_slot *slot = slot_of(v->read, shape, i, v->cols.first);
                used = slot->region && slot->at == place * bytes;
            }
        }
        if (r->input_off[k]) {
            bool all = r->layer->op == CS_OP_MATMUL && k == 1;
            count_link(r, k, y, all ? (cs_range){0, shape.width} : v->cols);
        }
        for (uint32_t x = v->cols.first; x < v->cols.first + v->cols.count; x++) {
            cs_slot to = {&r->in[k], place * bytes + (x - v->cols.first) * r->in_bytes[k]};
            cs_layer_id from = cs_layer_inputs(r->network, r->layer)[k];
            uint32_t owner = cs_owner(r, shape, y, x);
            cs_slot own = *slot_of(r->parts[owner].in[k].own, shape, y, x);
            if (!r->input_off[k]) {
                count_slot_read(r, own, v->channels);
                r->done->traffic.mesh_bytes += owner != pe ? v->channels : 0;
            }
            cs_count_write(r, CS_MEMORY_NARROW, v->channels);
            for (uint32_t c = 0; c < v->channels && y >= used_up; c++) {
                cs_slot_put(r, pe, to, c,
                            r->input_off[k] ? *cs_home_at(r, from, y, x, v->first + c)
                                            : cs_slot_get(r, owner, own, v->first + c));
            }
            if (y >= used_up) {
                *slot_of(v->read, shape, y, x) = to;
            }
        }
    }
}

/* Rows of the block that are overwritten when so many output rows are written. */
static uint64_t overwritten(const cs_run *r, uint64_t made)
{
    uint64_t written = made * r->out_row;
    return written > r->room ? div_up(written - r->room, r->in_row) : 0;
}

static uint64_t used_up(const cs_run *r, uint64_t made)
{
    uint64_t passed = made * r->layer->stride_h;
    uint64_t held = div_up(r->layer->in.height, r->array.machine.pes_y);
    return passed > r->lead ? min_u64(passed - r->lead, held) : 0;
}

/* In place, before output rows from `first` on: forget what is used up, and carry rows of the block
 * before `lost` out of the results' way. */
static void carry(cs_run *r, uint32_t pe, uint64_t first, uint64_t lost)
{
    cs_part *p = &r->parts[pe];
    cs_view *v = &p->in[0];
    cs_shape shape = r->layer->in;
    uint64_t freed = used_up(r, first);
    cs_range rest = {p->rows.first + (uint32_t)first, p->rows.count - (uint32_t)first};
    uint32_t needed = cs_layer_reads(r->layer, 0, false, rest).first;
    for (uint32_t y = 0; y < shape.height; y++) {
        bool own_row = within(v->own_rows, y);
        bool dead = own_row ? y - v->own_rows.first < freed : y < needed;
        for (uint32_t x = 0; x < shape.width; x++) {
            cs_slot *slot = slot_of(v->read, shape, y, x);
            bool gone = is_own(v, y, x) ? dead : y < needed;
            if (slot->region == &r->outside && gone) {
                p->taken[slot->at / r->in_bytes[0]] = false;
                *slot = (cs_slot){0};
            }
        }
    }
    lost = min_u64(lost, v->own_rows.count);
    for (uint64_t i = p->moved_rows; i < lost; i++) {
        for (uint32_t x = v->own_cols.first; x < v->own_cols.first + v->own_cols.count; x++) {
            cs_slot *slot = slot_of(v->read, shape, v->own_rows.first + (uint32_t)i, x);
            cs_slot to = {0};
            if (i >= freed) {
                to = (cs_slot){&r->outside, outside_place(r, pe)};
                for (uint32_t c = 0; c < shape.channels; c++) {
                    cs_slot_put(r, pe, to, c, cs_slot_get(r, pe, *slot, c));
                }
                cs_count_read(r, CS_MEMORY_NARROW, shape.channels);
                cs_count_write(r, CS_MEMORY_WIDE, shape.channels);
            }
            *slot = to;
        }
    }
    p->moved_rows = max_u64(p->moved_rows, lost);
}

/* Results of a strip may not reach into rows that it, or a later one, reads. */
static void check_results_fit(cs_run *r, uint32_t pe, uint32_t strip)
{
    const cs_part *p = &r->parts[pe];
    const cs_view *v = &p->in[0];
    cs_range rows = cs_strip_rows(r, pe, strip);
    uint64_t end = (uint64_t)(rows.first - p->rows.first + rows.count) * r->out_row;
    cs_range rest = {rows.first, p->rows.first + p->rows.count - rows.first};
    for (uint32_t y = cs_layer_reads(r->layer, 0, false, rest).first; y < r->layer->in.height;
         y++) {
        for (uint32_t x = 0; x < r->layer->in.width; x++) {
            cs_slot slot = v->read[(uint64_t)y * r->layer->in.width + x];
            if (slot.region && slot.region->first + slot.at < end) {
                cs_array_fail(&r->array, pe,
                              "narrow memory: results up to byte %llu reach into row %u of the "
                              "input, which is still read",
                              (unsigned long long)end, y);
            }
        }
    }
}

void cs_strip_begin(cs_run *r, uint32_t pe, uint32_t strip)
{
    if (r->residence == CS_RESIDENCE_INPUT_WHOLE) {
        check_results_fit(r, pe, strip);
    }
    cs_range rows = cs_strip_rows(r, pe, strip), next = cs_strip_rows(r, pe, strip + 1);
    for (uint32_t k = 0; k < r->inputs; k++) {
        if (r->strips_in[k]) {
            cs_range reads = cs_layer_reads(r->layer, k, false, rows);
            bring_rows(r, pe, k, reads, reads.first);
            if (next.count > 0) {
                /* The next strip comes while this one is worked on. */
                cs_range later = cs_layer_reads(r->layer, k, false, next);
                uint32_t gap = reads.first + reads.count;
                if (later.count > 0 && later.first <= gap) {
                    bring_rows(r, pe, k, later, reads.first);
                }
            }
        }
    }
    bool sums = r->sums.size > 0 && r->step->channel_passes > 1;
    if (r->residence == CS_RESIDENCE_IN_PLACE && sums) {
        uint64_t first = (uint64_t)strip * r->step->knobs.strip_rows;
        carry(r, pe, first, overwritten(r, min_u64(first + r->step->knobs.strip_rows, r->rows)));
    }
}

void cs_strip_read(cs_run *r, uint32_t pe, uint32_t strip)
{
    uint64_t next = ((uint64_t)strip + 1) * r->step->knobs.strip_rows;
    if (next < r->parts[pe].rows.count) {
        carry(r, pe, next, overwritten(r, next));
    }
}

void cs_strip_end(cs_run *r, uint32_t pe, uint32_t strip)
{
    cs_part *p = &r->parts[pe];
    cs_range rows = cs_strip_rows(r, pe, strip);
    uint32_t channels = p->lanes.count;
    bool waits = r->residence == CS_RESIDENCE_IN_PLACE && r->wait.size > 0;
    bool drains = r->off[r->id] || r->residence == CS_RESIDENCE_WIDE;
    if (waits) {
        cs_strip_read(r, pe, strip);
    }
    for (uint32_t y = rows.first; y < rows.first + rows.count && (waits || drains); y++) {
        for (uint32_t x = p->cols.first; x < p->cols.first + p->cols.count; x++) {
            cs_slot from = *slot_of(p->made, r->layer->out, y, x);
            cs_slot to = *slot_of(p->home, r->layer->out, y, x);
            count_slot_read(r, from, channels);
            for (uint32_t c = 0; c < channels; c++) {
                int8_t value = cs_slot_get(r, pe, from, c);
                if (r->off[r->id]) {
                    uint64_t at = (uint64_t)y * r->layer->out.width + x;
                    r->homes[r->id][at * r->layer->out.channels + p->lanes.first + c] = value;
                } else {
                    cs_slot_put(r, pe, to, c, value);
                }
            }
            if (r->off[r->id]) {
                r->done->traffic.link_out_bytes += channels;
            } else {
                count_slot_write(r, to, channels);
            }
        }
    }
}

void cs_give_back(cs_run *r)
{
    cs_shape out = r->layer->out;
    for (uint32_t pe = 0; pe < r->pes && r->splits && !r->off[r->id]; pe++) {
        cs_part *p = &r->parts[pe];
        for (uint32_t y = p->rows.first; y < p->rows.first + p->rows.count && p->active; y++) {
            for (uint32_t x = p->cols.first; x < p->cols.first + p->cols.count; x++) {
                uint32_t owner = cs_owner(r, out, y, x);
                cs_slot from = *slot_of(p->made, out, y, x);
                cs_slot to = *slot_of(r->parts[owner].home, out, y, x);
                for (uint32_t c = 0; c < p->lanes.count; c++) {
                    cs_slot_put(r, owner, to, p->lanes.first + c, cs_slot_get(r, pe, from, c));
                }
                count_slot_read(r, from, p->lanes.count);
                count_slot_write(r, to, p->lanes.count);
                r->done->traffic.mesh_bytes += p->lanes.count;
            }
        }
    }
    bool saves = r->residence == CS_RESIDENCE_INPUT_WHOLE || r->residence == CS_RESIDENCE_IN_PLACE;
    if (saves && r->inputs > 0 && r->survives[0]) {
        save_input(r, true);
    }
}

/* ---- elements ---- */

int8_t cs_operand(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint32_t x, uint32_t c)
{
    cs_view *v = &r->parts[pe].in[k];
    return cs_slot_get(r, pe, *slot_of(v->read, input_shape(r, k), y, x), c - v->first);
}

void cs_count_operand(cs_run *r, uint32_t pe, uint32_t k, uint32_t y, uint32_t x, uint64_t bytes)
{
    count_slot_read(r, *slot_of(r->parts[pe].in[k].read, input_shape(r, k), y, x), bytes);
}

void cs_emit(cs_run *r, uint32_t pe, uint32_t y, uint32_t x, uint32_t c, int8_t value)
{
    cs_part *p = &r->parts[pe];
    cs_slot slot = *slot_of(p->made, r->layer->out, y, x);
    cs_slot_put(r, pe, slot, c - p->lanes.first, value);
    count_slot_write(r, slot, 1);
}
