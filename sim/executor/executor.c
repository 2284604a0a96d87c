/* The reference executor's frame: which tensors are where between steps, and one step after
 * another. See executor.h. */
#include "sim/executor/executor.h"

#include "sim/executor/run.h"

#include <stdlib.h>
#include <string.h>

/* What wiped tensors hold, so that nobody computes with what should be in a memory. */
#define WIPED 0x55

static uint64_t div_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void cs_execution_release(cs_execution *execution)
{
    for (uint32_t i = 0; execution->tensors && i < execution->count; i++) {
        free(execution->tensors[i]);
    }
    free(execution->tensors);
    free(execution->steps);
    *execution = (cs_execution){0};
}

/* ---- tensors between steps ---- */

/* Where a result lies follows from what the schedule moves for it. */
static void find_off_chip(cs_run *r)
{
    for (uint32_t i = 0; i < r->network->layer_count; i++) {
        const cs_layer *layer = &r->network->layers[i];
        const cs_step *step = r->schedule->steps[i];
        r->off[i] = layer->op == CS_OP_INPUT    ? step->traffic.narrow_write_bytes == 0
                    : layer->op == CS_OP_CONCAT ? r->off[cs_layer_inputs(r->network, layer)[0]]
                                                : step->off_chip_write_bytes > 0;
    }
}

/* The last step that needs a result; parts of a joined tensor are needed as long as that. */
static void find_alive(cs_run *r)
{
    for (uint32_t i = r->network->layer_count; i-- > 0;) {
        const cs_layer *layer = &r->network->layers[i];
        r->alive[i] = r->alive[i] > layer->last_use ? r->alive[i] : layer->last_use;
        for (uint32_t k = 0; layer->op == CS_OP_CONCAT && k < layer->input_count; k++) {
            cs_layer_id *part = &r->alive[cs_layer_inputs(r->network, layer)[k]];
            *part = *part > r->alive[i] ? *part : r->alive[i];
        }
    }
}

/* Whether tensor `part` is, or is a part of, `whole`. */
static bool belongs(const cs_run *r, cs_layer_id part, cs_layer_id whole)
{
    const cs_layer *layer = &r->network->layers[whole];
    if (part == whole) {
        return true;
    }
    for (uint32_t k = 0; layer->op == CS_OP_CONCAT && k < layer->input_count; k++) {
        if (belongs(r, part, cs_layer_inputs(r->network, layer)[k])) {
            return true;
        }
    }
    return false;
}

/* Whether a tensor is on the chip while the step runs that neither reads nor makes it. */
static bool is_idle(const cs_run *r, cs_layer_id id)
{
    if (id >= r->id || r->off[id] || r->alive[id] < r->id ||
        r->network->layers[id].op == CS_OP_CONCAT) {
        return false;
    }
    for (uint32_t k = 0; k < r->layer->input_count && r->layer->op != CS_OP_CONCAT; k++) {
        if (belongs(r, id, cs_layer_inputs(r->network, r->layer)[k])) {
            return false;
        }
    }
    return true;
}

/* A byte of what is idle: the narrow memory that the step leaves, then wide memory. */
static void idle_byte(cs_run *r, uint32_t pe, uint64_t at, int8_t *value, bool store)
{
    const cs_region *region = at < r->idle.size ? &r->idle : &r->parked;
    at -= region == &r->parked ? r->idle.size : 0;
    if (store) {
        cs_array_put(&r->array, pe, region, at, *value);
    } else {
        *value = cs_array_get(&r->array, pe, region, at);
    }
}

static void move_idle(cs_run *r, bool store)
{
    uint64_t ways = r->array.machine.ways;
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        uint64_t at = 0;
        for (cs_layer_id id = 0; id < r->id; id++) {
            if (!is_idle(r, id)) {
                continue;
            }
            cs_range rows, cols;
            cs_shape shape = r->network->layers[id].out;
            cs_block_of(r, shape, pe, &rows, &cols);
            for (uint32_t y = rows.first; y < rows.first + rows.count; y++) {
                for (uint32_t x = cols.first; x < cols.first + cols.count; x++) {
                    for (uint32_t c = 0; c < shape.channels; c++) {
                        idle_byte(r, pe, at + c, cs_home_at(r, id, y, x, c), store);
                    }
                    at += cs_round_up(shape.channels, ways);
                }
            }
        }
    }
}

static uint64_t idle_bytes(const cs_run *r)
{
    const cs_machine *m = &r->array.machine;
    uint64_t bytes = 0;
    for (cs_layer_id id = 0; id < r->id; id++) {
        cs_shape shape = r->network->layers[id].out;
        bytes += is_idle(r, id) ? div_up(shape.height, m->pes_y) * div_up(shape.width, m->pes_x) *
                                      cs_round_up(shape.channels, m->ways)
                                : 0;
    }
    return bytes;
}

/* Wipe what lies on the chip: from here on it is in the PEs' memories alone. */
static void wipe(cs_run *r)
{
    for (cs_layer_id id = 0; id <= r->id; id++) {
        const cs_layer *layer = &r->network->layers[id];
        bool there = layer->op != CS_OP_INPUT || id < r->id; /* an input comes after its step */
        if (!r->off[id] && layer->op != CS_OP_CONCAT && there) {
            memset(r->homes[id], WIPED, cs_shape_elements(layer->out));
        }
    }
}

/* Blocks of a tensor from the PEs' memories. */
static void take_back(cs_run *r, cs_layer_id id, bool result, uint32_t k)
{
    cs_shape shape = r->network->layers[id].out;
    for (uint32_t y = 0; y < shape.height; y++) {
        for (uint32_t x = 0; x < shape.width; x++) {
            uint32_t pe = cs_owner(r, shape, y, x);
            const cs_slot *table = result ? r->parts[pe].home : r->parts[pe].in[k].own;
            for (uint32_t c = 0; c < shape.channels; c++) {
                *cs_home_at(r, id, y, x, c) =
                    cs_slot_get(r, pe, table[(uint64_t)y * shape.width + x], c);
            }
        }
    }
}

/* ---- a step ---- */

static void look_at_inputs(cs_run *r)
{
    const cs_layer_id *inputs = cs_layer_inputs(r->network, r->layer);
    r->inputs = r->kind == CS_KIND_NOTHING ? 0 : (uint32_t)min_u64(r->layer->input_count, 2);
    for (uint32_t k = 0; k < r->inputs; k++) {
        bool joined = r->network->layers[inputs[k]].op == CS_OP_CONCAT;
        r->input_off[k] = r->off[inputs[k]];
        r->survives[k] = r->alive[inputs[k]] > r->id || joined;
        r->strips_in[k] =
            (r->input_off[k] || r->residence == CS_RESIDENCE_WIDE) && r->kind != CS_KIND_MOVE;
    }
}

/* What a PE reads of input k. */
static void look_at_view(cs_run *r, uint32_t pe, uint32_t k)
{
    const cs_layer *l = r->layer;
    cs_part *p = &r->parts[pe];
    cs_view *v = &p->in[k];
    cs_shape tensor = k == 0 ? l->in : l->second;
    cs_block_of(r, tensor, pe, &v->own_rows, &v->own_cols);
    v->rows = v->cols = (cs_range){0, 0};
    v->first = 0;
    v->channels = tensor.channels;
    if (r->kind == CS_KIND_MOVE || r->kind == CS_KIND_POOL_GLOBAL) {
        v->rows = v->own_rows;
        v->cols = v->own_cols;
    } else if (p->active) {
        v->rows = cs_layer_reads(l, k, false, p->rows);
        v->cols = cs_layer_reads(l, k, true, p->cols);
    }
    bool each =
        r->kind == CS_KIND_DEPTHWISE || r->kind == CS_KIND_POOL ||
        (r->kind == CS_KIND_ELEMENTS && l->op != CS_OP_SOFTMAX && l->op != CS_OP_LAYER_NORM);
    if (r->splits && l->op == CS_OP_MATMUL && k == 1 && l->transposed) {
        v->cols = p->active ? p->lanes : v->cols;
    } else if (r->splits && p->active && (each || (l->op == CS_OP_MATMUL && k == 1))) {
        uint32_t times =
            each && r->kind == CS_KIND_DEPTHWISE ? l->out.channels / l->in.channels : 1;
        v->first = p->lanes.first / times;
        v->channels = (p->lanes.first + p->lanes.count - 1) / times - v->first + 1;
    }
    uint64_t most = tensor.channels;
    if (r->splits && (each || (l->op == CS_OP_MATMUL && k == 1 && !l->transposed))) {
        most = min_u64(most, r->step->tile_channels);
    }
    r->in_bytes[k] = cs_round_up(most, r->array.machine.ways);
    v->next_row = v->rows.first;
}

static cs_range part_of(uint32_t extent, uint64_t block, uint32_t number)
{
    uint64_t first = min_u64(number * block, extent);
    return (cs_range){(uint32_t)first, (uint32_t)min_u64(block, extent - first)};
}

/* Weights of the layer in stored form. */
static uint64_t stored_bytes(const cs_run *r)
{
    const cs_machine *m = &r->array.machine;
    const cs_layer *l = r->layer;
    bool cell = r->kind == CS_KIND_CELL, dense = r->kind == CS_KIND_DENSE;
    bool fills = r->kind == CS_KIND_FILLS && l->op != CS_OP_MATMUL;
    if (!fills && !cell && !dense && r->kind != CS_KIND_DEPTHWISE) {
        return 0;
    }
    uint64_t fan = (uint64_t)l->kernel_h * l->kernel_w * cs_tap_words(r) * m->ways;
    return (fan + (dense ? 0 : CS_CONSTANT_BYTES)) * cs_round_up(r->lane_results, m->core_lanes);
}

/* Whether the step's numbers agree with each other and with the layer, cut over so many shares of
 * its channels. */
static bool is_step_of_layer(const cs_run *r, uint64_t shares)
{
    const cs_step *s = r->step;
    const cs_layer *l = r->layer;
    if (r->kind == CS_KIND_NOTHING) {
        return true;
    }
    uint64_t gates = r->lane_results / l->out.channels;
    uint64_t channels = min_u64(div_up(r->share_lanes, gates), l->out.channels);
    uint64_t words = (uint64_t)l->kernel_h * l->kernel_w * cs_tap_words(r);
    bool fills =
        r->kind != CS_KIND_FILLS || (s->knobs.fill_rows >= 1 && s->knobs.fill_rows <= words);
    bool strips = s->knobs.strip_rows >= 1 && s->knobs.strip_rows <= r->rows &&
                  (uint64_t)s->strips * s->knobs.strip_rows >= r->rows;
    bool passes = s->channel_passes >= 1 &&
                  shares * s->channel_passes * r->array.machine.lanes >= r->lane_results;
    return fills && strips && passes && s->tile_rows == r->rows && s->tile_cols == r->cols &&
           s->tile_channels == channels && s->weight_bytes == stored_bytes(r);
}

/* What the step is for every PE. Fails with CS_EINVAL where it is none of this layer. */
static cs_status look_at_step(cs_run *r, cs_error *err)
{
    const cs_machine *m = &r->array.machine;
    const cs_layer *l = r->layer;
    const cs_knobs *knobs = &r->step->knobs;
    bool space_y = knobs->split_y == CS_SPLIT_SPACE, space_x = knobs->split_x == CS_SPLIT_SPACE;
    cs_shape out = l->out;
    if (r->kind == CS_KIND_CELL) {
        out.height = out.width = 1;
    }
    r->rows = (uint32_t)(space_y ? div_up(out.height, m->pes_y) : out.height);
    r->cols = (uint32_t)(space_x ? div_up(out.width, m->pes_x) : out.width);
    uint64_t fan = cs_layer_fan_channels(l);
    r->lane_results =
        r->kind == CS_KIND_CELL ? (uint32_t)(cs_layer_weights(l) / fan) : l->out.channels;
    uint64_t shares = (space_y ? 1 : m->pes_y) * (uint64_t)(space_x ? 1 : m->pes_x);
    r->splits = shares > 1;
    r->share_lanes = r->splits ? r->step->channel_passes * m->lanes : r->lane_results;
    r->out_bytes = cs_round_up(r->step->tile_channels, m->ways);
    if (!is_step_of_layer(r, shares)) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): the step is none of this layer", r->id,
                       cs_op_name(l->op));
    }
    bool moves = r->kind == CS_KIND_MOVE || r->kind == CS_KIND_NOTHING;
    r->residence = moves ? CS_RESIDENCE_WHOLE : knobs->residence;
    look_at_inputs(r);
    r->lead = 0;
    uint64_t held = div_up(l->in.height, m->pes_y);
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        cs_part *p = &r->parts[pe];
        uint32_t y = pe / m->pes_x, x = pe % m->pes_x;
        p->rows = part_of(out.height, r->rows, space_y ? y : 0);
        p->cols = part_of(out.width, r->cols, space_x ? x : 0);
        p->share = (space_y ? 0 : y) * (space_x ? 1 : m->pes_x) + (space_x ? 0 : x);
        p->lanes = part_of(r->lane_results, r->share_lanes, p->share);
        p->active = p->rows.count > 0 && p->cols.count > 0 && p->lanes.count > 0;
        p->moved_rows = 0;
        if (r->kind == CS_KIND_POOL_GLOBAL) {
            cs_range rows, cols;
            cs_block_of(r, l->in, pe, &rows, &cols);
            p->active = rows.count > 0 && cols.count > 0;
        }
        for (uint32_t k = 0; k < r->inputs; k++) {
            look_at_view(r, pe, k);
        }
        int64_t before = (int64_t)l->pad_top + (int64_t)(y * held) -
                         (int64_t)((uint64_t)y * r->rows * l->stride_h);
        if (p->active && before > r->lead) {
            r->lead = (uint32_t)before;
        }
    }
    return CS_OK;
}

static uint64_t most_positions(const cs_network *network)
{
    uint64_t most = 1;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_layer *l = &network->layers[i];
        uint64_t places[3] = {(uint64_t)l->in.height * l->in.width,
                              (uint64_t)l->out.height * l->out.width,
                              (uint64_t)l->second.height * l->second.width};
        for (int n = 0; n < 3; n++) {
            most = places[n] > most ? places[n] : most;
        }
    }
    return most;
}

/* Tables of the parts: of each input own and read, and of the output made and home. */
#define TABLES 6u

static void clear_slots(cs_run *r)
{
    memset(r->slots, 0, r->slot_count * sizeof *r->slots);
    uint64_t each = r->slot_count / r->pes / TABLES;
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        cs_slot *table = r->slots + (uint64_t)pe * TABLES * each;
        cs_part *p = &r->parts[pe];
        for (uint32_t k = 0; k < 2; k++) {
            p->in[k].own = table;
            p->in[k].read = table + each;
            table += 2 * each;
        }
        p->made = table;
        p->home = table + each;
    }
}

/* Room for positions that lie outside narrow memory while a layer runs in place. */
static cs_status reserve_outside(cs_run *r, cs_error *err)
{
    r->taken_count = r->outside.size > 0 ? r->outside.size / r->in_bytes[0] : 0;
    free(r->taken);
    r->taken = calloc(r->taken_count * r->pes + 1, sizeof *r->taken);
    for (uint32_t pe = 0; pe < r->pes && r->taken; pe++) {
        r->parts[pe].taken = r->taken + pe * r->taken_count;
    }
    return r->taken ? CS_OK : cs_fail_memory(err);
}

/* What crosses the link around a step: instructions and inputs before it, a result after it. */
static void count_call(cs_run *r)
{
    const cs_layer *l = r->layer;
    cs_traffic *t = &r->done->traffic;
    uint64_t elements = cs_shape_elements(l->out);
    if (l->op == CS_OP_INPUT && !r->off[r->id]) {
        t->link_in_bytes += elements;
        t->narrow_write_bytes += elements;
    } else if (l->op != CS_OP_INPUT && l->last_use == r->id && !r->off[r->id]) {
        uint64_t bytes = (uint64_t)l->out.height * l->out.width *
                         cs_round_up(l->out.channels, r->array.machine.ways);
        t->link_out_bytes += bytes;
        t->narrow_read_bytes += bytes;
    }
    if (r->id == 0) {
        t->link_in_bytes += r->step->upload_bytes - (r->off[0] ? 0 : elements);
    }
}

static cs_status run_kind(cs_run *r, cs_error *err)
{
    switch (r->kind) {
    case CS_KIND_NOTHING:
        r->done->strips = 1;
        return CS_OK;
    case CS_KIND_MOVE:
        cs_run_move(r);
        return CS_OK;
    case CS_KIND_POOL_GLOBAL:
        return cs_run_pool_global(r, err);
    case CS_KIND_CELL:
        cs_gather(r);
        return cs_run_cell(r, err);
    default:
        cs_gather(r);
        cs_status status = cs_run_lanes(r, err);
        cs_give_back(r);
        return status;
    }
}

static cs_status run_step(cs_run *r, cs_error *err)
{
    cs_status status = look_at_step(r, err);
    if (status) {
        return status;
    }
    cs_array *a = &r->array;
    uint64_t idle = idle_bytes(r);
    uint64_t beside = idle > r->step->parked_bytes ? idle - r->step->parked_bytes : 0;
    cs_array_begin(a, r->id, cs_op_name(r->layer->op), r->step->narrow_bytes + beside);
    uint64_t share = r->store_region.size;
    r->store_region.first = a->sizes[CS_MEMORY_WIDE] - share;
    clear_slots(r);
    for (uint32_t k = 0; k < 2; k++) {
        memset(r->linked[k], 0, most_positions(r->network) * sizeof *r->linked[k]);
    }
    cs_place_step(r);
    r->done->narrow_bytes = a->used[CS_MEMORY_NARROW];
    uint64_t left = a->sizes[CS_MEMORY_NARROW] > r->step->narrow_bytes
                        ? a->sizes[CS_MEMORY_NARROW] - r->step->narrow_bytes
                        : 0;
    r->idle = cs_array_take(a, CS_MEMORY_NARROW, r->step->narrow_bytes, min_u64(left, idle),
                            UINT64_MAX, "tensors of other steps");
    r->parked = cs_array_take(a, CS_MEMORY_WIDE, r->next_wide, r->step->parked_bytes,
                              r->store_region.first, "parked tensors");
    r->core = cs_array_take(a, CS_MEMORY_CORE, 0, a->sizes[CS_MEMORY_CORE], UINT64_MAX, "weights");
    if (a->used[CS_MEMORY_WIDE] > r->store_region.first) {
        cs_array_fail(a, 0, "wide memory: buffers and tensors reach into parameters");
    }
    r->done->wide_bytes = a->used[CS_MEMORY_WIDE];
    move_idle(r, true);
    wipe(r);
    status = reserve_outside(r, err);
    if (!status) {
        status = cs_store_prefetch(r, err);
    }
    if (!status && !a->failed) {
        status = run_kind(r, err);
    }
    cs_store_drop(r);
    r->done->core_bytes = a->used[CS_MEMORY_CORE];
    if (status || a->failed) {
        return status ? status : cs_fail(err, a->failure.status, "%s", a->failure.text);
    }
    move_idle(r, false);
    for (uint32_t k = 0; k < r->inputs; k++) {
        cs_layer_id from = cs_layer_inputs(r->network, r->layer)[k];
        bool joined = r->network->layers[from].op == CS_OP_CONCAT;
        if (!r->input_off[k] && (r->alive[from] > r->id || joined)) {
            take_back(r, from, false, k);
        }
    }
    if (r->kind != CS_KIND_NOTHING && !r->off[r->id]) {
        take_back(r, r->id, true, 0);
    }
    count_call(r);
    return a->failed ? cs_fail(err, a->failure.status, "%s", a->failure.text) : CS_OK;
}

static void keep_result(cs_run *r)
{
    cs_shape shape = r->layer->out;
    for (uint64_t i = 0; i < cs_shape_elements(shape); i++) {
        uint64_t place = i / shape.channels;
        r->tensors[r->id][i] =
            *cs_home_at(r, r->id, (uint32_t)(place / shape.width), (uint32_t)(place % shape.width),
                        (uint32_t)(i % shape.channels));
    }
}

static void look_at_layer(cs_run *r, cs_layer_id id)
{
    r->id = id;
    r->layer = &r->network->layers[id];
    r->step = r->schedule->steps[id];
    r->kind = cs_kind_of(r->layer);
}

static cs_status run_steps(cs_run *r, cs_execution *execution, cs_error *err)
{
    cs_status status = CS_OK;
    for (uint32_t i = 0; i < r->network->layer_count && !status; i++) {
        look_at_layer(r, i);
        status = look_at_step(r, err);
    }
    status = status ? status : cs_store_fill(r, err);
    for (uint32_t i = 0; i < r->network->layer_count && !status; i++) {
        look_at_layer(r, i);
        r->done = &execution->steps[i];
        if (r->layer->op == CS_OP_INPUT) {
            for (uint64_t e = 0; e < cs_shape_elements(r->layer->out); e++) {
                r->homes[i][e] = cs_values_input(r->values, i, e);
            }
        }
        status = run_step(r, err);
        if (!status) {
            keep_result(r);
        }
    }
    return status;
}

/* ---- the whole ---- */

static int8_t **new_tensors(const cs_network *network)
{
    int8_t **tensors = calloc(network->layer_count, sizeof *tensors);
    for (uint32_t i = 0; tensors && i < network->layer_count; i++) {
        tensors[i] = calloc(cs_shape_elements(network->layers[i].out), 1);
        if (!tensors[i]) {
            while (i-- > 0) {
                free(tensors[i]);
            }
            free(tensors);
            return NULL;
        }
    }
    return tensors;
}

static void release_run(cs_run *r)
{
    for (uint32_t i = 0; r->homes && i < r->network->layer_count; i++) {
        free(r->homes[i]);
    }
    cs_store_clear(r);
    cs_array_clear(&r->array);
    free(r->homes);
    free(r->parts);
    free(r->slots);
    free(r->taken);
    free(r->off);
    free(r->linked[0]);
    free(r->linked[1]);
    free(r->alive);
}

cs_status cs_execute(const cs_network *network, const cs_accelerator *accelerator,
                     const cs_schedule *schedule, const cs_values *values, cs_execution *execution,
                     cs_error *err)
{
    if (schedule->step_count != network->layer_count || schedule->reason) {
        return cs_fail(err, CS_EINVAL, "no feasible schedule of this network: %u steps, %u layers",
                       schedule->step_count, network->layer_count);
    }
    cs_machine machine;
    cs_machine_of(accelerator, 0, &machine);
    machine.shared = machine.shared && schedule->policy != CS_POLICY_VENDOR;
    cs_run r = {.network = network,
                .schedule = schedule,
                .values = values,
                .pes = (uint32_t)machine.pes,
                .slot_count = machine.pes * TABLES * most_positions(network)};
    cs_execution made = {.count = network->layer_count};
    cs_status status = cs_array_init(&r.array, &machine, err);
    if (!status) {
        r.off = calloc(network->layer_count, sizeof *r.off);
        r.alive = calloc(network->layer_count, sizeof *r.alive);
        r.parts = calloc(machine.pes, sizeof *r.parts);
        r.slots = calloc(r.slot_count, sizeof *r.slots);
        r.store = calloc(network->layer_count, sizeof *r.store);
        r.store_level = calloc(machine.pes, sizeof *r.store_level);
        r.linked[0] = calloc(most_positions(network), sizeof *r.linked[0]);
        r.linked[1] = calloc(most_positions(network), sizeof *r.linked[1]);
        r.homes = new_tensors(network);
        made.tensors = new_tensors(network);
        made.steps = calloc(network->layer_count, sizeof *made.steps);
        bool all = r.linked[0] && r.linked[1] && r.off && r.alive && r.parts && r.slots &&
                   r.store && r.store_level && r.homes && made.tensors && made.steps;
        status = all ? CS_OK : cs_fail_memory(err);
    }
    if (!status) {
        r.tensors = made.tensors;
        find_off_chip(&r);
        find_alive(&r);
        status = run_steps(&r, &made, err);
    }
    release_run(&r);
    if (status) {
        cs_execution_release(&made);
        return status;
    }
    *execution = made;
    return CS_OK;
}
