/* Layers that are one piece: moves, global pools, cells. See run.h. */
#include "sim/executor/run.h"

#include <stdlib.h>
#include <string.h>

static cs_slot home_of(const cs_run *r, uint32_t owner, uint32_t y, uint32_t x)
{
    return r->parts[owner].home[(uint64_t)y * r->layer->out.width + x];
}

/* ---- moves ---- */

static void source_of(const cs_layer *l, const uint32_t to[3], uint32_t from[3])
{
    if (l->op == CS_OP_TRANSPOSE) {
        for (int i = 0; i < 3; i++) {
            from[l->order[i]] = to[i];
        }
        return;
    }
    uint64_t n = ((uint64_t)to[0] * l->out.width + to[1]) * l->out.channels + to[2];
    from[2] = (uint32_t)(n % l->in.channels);
    from[1] = (uint32_t)(n / l->in.channels % l->in.width);
    from[0] = (uint32_t)(n / l->in.channels / l->in.width);
}

void cs_run_move(cs_run *r)
{
    const cs_layer *l = r->layer;
    cs_traffic *t = &r->done->traffic;
    bool in_off = r->input_off[0], out_off = r->off[r->id];
    cs_layer_id input = cs_layer_inputs(r->network, l)[0];
    uint32_t to[3], from[3] = {0};
    for (to[0] = 0; to[0] < l->out.height; to[0]++) {
        for (to[1] = 0; to[1] < l->out.width; to[1]++) {
            for (to[2] = 0; to[2] < l->out.channels; to[2]++) {
                int8_t value;
                source_of(l, to, from);
                t->operations++;
                if (in_off) {
                    value = *cs_home_at(r, input, from[0], from[1], from[2]);
                    t->link_in_bytes++;
                } else {
                    uint32_t owner = cs_owner(r, l->in, from[0], from[1]);
                    uint64_t place = (uint64_t)from[0] * l->in.width + from[1];
                    value = cs_slot_get(r, owner, r->parts[owner].in[0].own[place], from[2]);
                    cs_count_read(r, CS_MEMORY_NARROW, 1);
                }
                if (in_off && out_off) { /* through a staging row */
                    cs_count_write(r, CS_MEMORY_NARROW, 1);
                    cs_count_read(r, CS_MEMORY_NARROW, 1);
                }
                t->mesh_bytes += in_off || out_off ? 0 : 1;
                if (out_off) {
                    *cs_home_at(r, r->id, to[0], to[1], to[2]) = value;
                    t->link_out_bytes++;
                } else {
                    uint32_t owner = cs_owner(r, l->out, to[0], to[1]);
                    cs_slot_put(r, owner, home_of(r, owner, to[0], to[1]), to[2], value);
                    cs_count_write(r, CS_MEMORY_NARROW, 1);
                }
            }
        }
    }
    r->done->strips = (r->rows + r->step->knobs.strip_rows - 1) / r->step->knobs.strip_rows;
}

/* ---- global pools ---- */

/* An element of a PE's block; one that is not whole in narrow memory comes row by row, two rows at
 * a time. */
static int8_t pooled(cs_run *r, uint32_t pe, uint32_t y, uint32_t x, uint32_t c)
{
    const cs_view *v = &r->parts[pe].in[0];
    cs_slot own = v->own[(uint64_t)y * r->layer->in.width + x];
    if (r->input_off[0] || r->residence == CS_RESIDENCE_WIDE) {
        uint64_t cols = (r->layer->in.width + r->array.machine.pes_x - 1) / r->array.machine.pes_x;
        cs_slot row = {&r->in[0], ((y % 2) * cols + (x - v->own_cols.first)) * r->in_bytes[0]};
        int8_t value;
        if (r->input_off[0]) {
            value = *cs_home_at(r, cs_layer_inputs(r->network, r->layer)[0], y, x, c);
            r->done->traffic.link_in_bytes++;
        } else {
            value = cs_slot_get(r, pe, own, c);
            cs_count_read(r, CS_MEMORY_WIDE, 1);
        }
        cs_slot_put(r, pe, row, c, value);
        cs_count_write(r, CS_MEMORY_NARROW, 1);
        own = row;
    }
    cs_count_read(r, CS_MEMORY_NARROW, 1);
    r->done->traffic.operations++;
    return cs_slot_get(r, pe, own, c);
}

cs_status cs_run_pool_global(cs_run *r, cs_error *err)
{
    const cs_layer *l = r->layer;
    uint32_t channels = l->in.channels;
    int32_t *sums = malloc(channels * sizeof *sums);
    if (!sums) {
        return cs_fail_memory(err);
    }
    uint64_t bytes = (uint64_t)channels * CS_PARTIAL_SUM_BYTES;
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        const cs_view *v = &r->parts[pe].in[0];
        if (!r->parts[pe].active) {
            continue;
        }
        memset(sums, 0, channels * sizeof *sums);
        for (uint32_t y = v->own_rows.first; y < v->own_rows.first + v->own_rows.count; y++) {
            for (uint32_t x = v->own_cols.first; x < v->own_cols.first + v->own_cols.count; x++) {
                for (uint32_t c = 0; c < channels; c++) {
                    sums[c] += pooled(r, pe, y, x, c);
                }
            }
        }
        for (uint32_t c = 0; c < channels; c++) {
            uint64_t at = (uint64_t)c * CS_PARTIAL_SUM_BYTES;
            int32_t before = pe == 0 ? 0 : cs_array_get_sum(&r->array, 0, &r->sums, at);
            cs_array_put_sum(&r->array, 0, &r->sums, at, before + sums[c]);
        }
        cs_count_write(r, CS_MEMORY_WIDE, bytes);
        if (pe > 0) {
            r->done->traffic.mesh_bytes += bytes;
            cs_count_read(r, CS_MEMORY_WIDE, bytes);
        }
    }
    cs_count_read(r, CS_MEMORY_WIDE, bytes);
    for (uint32_t c = 0; c < channels; c++) {
        int32_t sum = cs_array_get_sum(&r->array, 0, &r->sums, (uint64_t)c * CS_PARTIAL_SUM_BYTES);
        int8_t value = (int8_t)cs_divide(sum, (int64_t)l->in.height * l->in.width);
        value = cs_activate(l->activation, value, cs_values_slope(r->values, r->id, c));
        cs_slot out = r->off[r->id] ? (cs_slot){&r->out, 0} : home_of(r, 0, 0, 0);
        cs_slot_put(r, 0, out, c, value);
        cs_count_write(r, CS_MEMORY_NARROW, 1);
        if (r->off[r->id]) {
            *cs_home_at(r, r->id, 0, 0, c) = cs_slot_get(r, 0, out, c);
            cs_count_read(r, CS_MEMORY_NARROW, 1);
            r->done->traffic.link_out_bytes++;
        }
    }
    r->done->strips = 1;
    free(sums);
    return CS_OK;
}

/* ---- cells ---- */

typedef struct cell {
    int8_t *weights;              /* a row */
    int32_t *biases;              /* of a block */
    int64_t *of_input, *of_state; /* sums of a block */
    uint32_t gates, t;
} cell;

/* The PE whose share has the first gate of a unit: which number its share is, and the unit's number
 * in it. */
static uint32_t share_of_unit(const cs_run *r, const cell *c, uint32_t unit, uint32_t *number)
{
    uint64_t share = (uint64_t)unit * c->gates / r->share_lanes;
    uint64_t first = (share * r->share_lanes + c->gates - 1) / c->gates;
    *number = (uint32_t)(unit - first);
    return (uint32_t)share;
}

static uint32_t pe_of_share(const cs_run *r, uint32_t share)
{
    for (uint32_t pe = 0; pe < r->pes; pe++) {
        if (r->parts[pe].active && r->parts[pe].share == share) {
            return pe;
        }
    }
    return 0;
}

/* A value of a gate goes to the PE that has its unit. */
static void give_gate(cs_run *r, uint32_t pe, const cell *c, uint32_t unit, uint32_t value_number,
                      int8_t value)
{
    uint32_t number, to = pe_of_share(r, share_of_unit(r, c, unit, &number));
    uint64_t at = (uint64_t)number * CS_GATE_VALUES + value_number;
    cs_count_write(r, CS_MEMORY_NARROW, 1);
    if (to != pe) {
        uint64_t mine = (uint64_t)r->step->tile_channels * CS_GATE_VALUES + value_number;
        cs_array_put(&r->array, pe, &r->gates, mine, value);
        value = cs_array_get(&r->array, pe, &r->gates, mine);
        cs_count_read(r, CS_MEMORY_NARROW, 1);
        cs_count_write(r, CS_MEMORY_NARROW, 1);
        r->done->traffic.mesh_bytes++;
    }
    cs_array_put(&r->array, to, &r->gates, at, value);
}

static void sum_row(cs_run *r, uint32_t pe, const cell *c, uint64_t block, uint64_t w)
{
    const cs_machine *m = &r->array.machine;
    uint32_t inputs = r->layer->in.channels, units = r->layer->out.channels;
    for (uint64_t i = 0; i < m->core_lanes * m->ways; i++) {
        uint64_t j = w * m->ways + i % m->ways;
        if (block * m->core_lanes + i / m->ways >= r->lane_results ||
            j >= (uint64_t)inputs + units) {
            continue;
        }
        int8_t weight = cs_array_get(&r->array, pe, &r->core, i);
        r->done->traffic.operations++;
        if (j < inputs) {
            c->of_input[i / m->ways] += weight * cs_operand(r, pe, 0, 0, c->t, (uint32_t)j);
        } else {
            c->of_state[i / m->ways] += weight * cs_array_get(&r->array, pe, &r->state, j - inputs);
        }
    }
}

static void run_gates(cs_run *r, uint32_t pe, const cell *c)
{
    const cs_machine *m = &r->array.machine;
    const cs_part *p = &r->parts[pe];
    uint64_t words = cs_tap_words(r);
    unsigned shift = cs_sum_shift(cs_layer_fan_channels(r->layer));
    for (uint64_t first = p->lanes.first; first < (uint64_t)p->lanes.first + p->lanes.count;
         first += m->core_lanes) {
        uint64_t block = first / m->core_lanes, row = m->core_lanes * m->ways;
        if ((first - p->lanes.first) % m->lanes == 0) {
            /* A pass: all its cores read the same words. */
            cs_count_read(r, CS_MEMORY_NARROW, words * m->ways);
            r->done->fills += p->share == 0 ? 1 : 0;
        }
        memset(c->of_input, 0, m->core_lanes * sizeof *c->of_input);
        memset(c->of_state, 0, m->core_lanes * sizeof *c->of_state);
        cs_weights_constants(r, pe, block, c->biases);
        cs_count_write(r, CS_MEMORY_CORE, CS_CONSTANT_BYTES * m->core_lanes);
        for (uint64_t w = 0; w < words; w++) {
            cs_weights_row(r, pe, block, w, c->weights);
            for (uint64_t b = 0; b < row; b++) {
                cs_array_put(&r->array, pe, &r->core, b, c->weights[b]);
            }
            cs_count_write(r, CS_MEMORY_CORE, row);
            cs_count_read(r, CS_MEMORY_CORE, row);
            sum_row(r, pe, c, block, w);
        }
        for (uint64_t lane = 0; lane < m->core_lanes && first + lane < r->lane_results; lane++) {
            uint32_t unit = (uint32_t)((first + lane) / c->gates);
            uint32_t gate = (uint32_t)((first + lane) % c->gates);
            int64_t of_input = c->of_input[lane] + c->biases[lane], of_state = c->of_state[lane];
            if (r->layer->op == CS_OP_GRU && gate == 2) {
                give_gate(r, pe, c, unit, 2, cs_requantise(of_input, shift));
                give_gate(r, pe, c, unit, 3, cs_requantise(of_state, shift));
            } else {
                give_gate(r, pe, c, unit, gate, cs_requantise(of_input + of_state, shift));
            }
        }
    }
}

/* The unit's result, in the PE that has it. */
static void run_unit(cs_run *r, const cell *c, uint32_t unit)
{
    int8_t gates[CS_GATE_VALUES];
    uint32_t number, pe = pe_of_share(r, share_of_unit(r, c, unit, &number));
    for (uint32_t i = 0; i < CS_GATE_VALUES; i++) {
        gates[i] = cs_array_get(&r->array, pe, &r->gates, (uint64_t)number * CS_GATE_VALUES + i);
    }
    cs_count_read(r, CS_MEMORY_NARROW, CS_GATE_VALUES + 1);
    bool lstm = r->layer->op == CS_OP_LSTM;
    int8_t before = lstm ? 0 : cs_array_get(&r->array, pe, &r->state, unit);
    int8_t kept = lstm ? cs_array_get(&r->array, pe, &r->kept, number) : 0;
    int8_t value = cs_cell_step(r->layer->op, gates, before, &kept);
    if (lstm) {
        cs_array_put(&r->array, pe, &r->kept, number, kept);
        cs_count_write(r, CS_MEMORY_NARROW, 1);
    }
    cs_array_put(&r->array, pe, &r->made, number, value);
    cs_count_write(r, CS_MEMORY_NARROW, 1);
}

/* A unit's result to the block of the output, and to all PEs as the state before the next step. */
static void spread_unit(cs_run *r, const cell *c, uint32_t unit)
{
    uint32_t number, pe = pe_of_share(r, share_of_unit(r, c, unit, &number));
    int8_t value = cs_array_get(&r->array, pe, &r->made, number);
    cs_count_read(r, CS_MEMORY_NARROW, 1);
    if (r->off[r->id]) {
        *cs_home_at(r, r->id, 0, c->t, unit) = value;
        r->done->traffic.link_out_bytes++;
    } else {
        uint32_t owner = cs_owner(r, r->layer->out, 0, c->t);
        cs_slot_put(r, owner, home_of(r, owner, 0, c->t), unit, value);
        cs_count_write(r, CS_MEMORY_NARROW, 1);
        r->done->traffic.mesh_bytes++;
    }
    for (uint32_t to = 0; to < r->pes; to++) {
        if (r->parts[to].active) {
            cs_array_put(&r->array, to, &r->state, unit, value);
            cs_count_read(r, CS_MEMORY_NARROW, 1);
            cs_count_write(r, CS_MEMORY_NARROW, 1);
            r->done->traffic.mesh_bytes++;
        }
    }
}

cs_status cs_run_cell(cs_run *r, cs_error *err)
{
    const cs_machine *m = &r->array.machine;
    uint32_t units = r->layer->out.channels;
    cell c = {.weights = malloc(m->core_lanes * m->ways),
              .biases = malloc(m->core_lanes * sizeof *c.biases),
              .of_input = malloc(m->core_lanes * sizeof *c.of_input),
              .of_state = malloc(m->core_lanes * sizeof *c.of_state),
              .gates = cs_gates(r->layer->op)};
    bool all = c.weights && c.biases && c.of_input && c.of_state;
    cs_status status = all ? CS_OK : cs_fail_memory(err);
    for (uint32_t pe = 0; pe < r->pes && !status; pe++) {
        if (r->parts[pe].active) {
            cs_strip_begin(r, pe, 0);
        }
        for (uint64_t i = 0; i < r->state.size; i++) {
            cs_array_put(&r->array, pe, &r->state, i, 0);
        }
        for (uint64_t i = 0; i < r->kept.size; i++) {
            cs_array_put(&r->array, pe, &r->kept, i, 0);
        }
    }
    for (c.t = 0; c.t < r->layer->out.width && !status && !r->array.failed; c.t++) {
        for (uint32_t pe = 0; pe < r->pes; pe++) {
            if (r->parts[pe].active) {
                run_gates(r, pe, &c);
            }
        }
        for (uint32_t unit = 0; unit < units; unit++) {
            run_unit(r, &c, unit);
        }
        for (uint32_t unit = 0; unit < units; unit++) {
            spread_unit(r, &c, unit);
        }
    }
    r->done->strips = 1;
    free(c.weights);
    free(c.biases);
    free(c.of_input);
    free(c.of_state);
    return status;
}
