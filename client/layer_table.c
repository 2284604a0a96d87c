/* The table of layers: see layer_table.h. */
#include "client/layer_table.h"

#include "client/cost_parts.h"
#include "sim/compiler/step.h"

#include <math.h>
#include <stdio.h>

#define SPARE (CS_COLUMN_BOTH | CS_COLUMN_SPARE)

typedef struct column {
    const char *key, *heading;
    unsigned flags;
} column;

static const column layer_columns[] = {
    {"design", "DESIGN", CS_COLUMN_DATA},
    {"layer", "LAYER", CS_COLUMN_BOTH},
    {"name", "NAME", CS_COLUMN_BOTH | CS_COLUMN_CUT},
    {"op", "OP", CS_COLUMN_BOTH},
    {"in", "IN", CS_COLUMN_DATA},
    {"out", "OUT", CS_COLUMN_BOTH},
    {"kernel", "KERNEL", CS_COLUMN_BOTH},
    {"macs", "MACS", SPARE},
    {"limited_by", "LIMITED BY", CS_COLUMN_BOTH},
    {"latency_ms", "MS", CS_COLUMN_BOTH},
    {"latency_percent", "%", CS_COLUMN_BOTH},
    {"bound_ms", "BOUND", CS_COLUMN_DATA},
    {"gap", "GAP", SPARE},
};

/* Times of resources that most tables of layers are about. */
#define SHOWN_RESOURCES                                                                            \
    (1u << CS_RESOURCE_LANES | 1u << CS_RESOURCE_RING | 1u << CS_RESOURCE_LINK_IN)

static const column energy_columns[] = {
    {"energy_mj", "MJ", SPARE},
    {"power_w", "W", CS_COLUMN_DATA},
};

static const column schedule_columns[] = {
    {"weights", "WEIGHTS", SPARE},
    {"weight_bytes", "BYTES", SPARE},
    {"weight_passes", "PASSES", SPARE},
    {"split_y", "SPLIT Y", SPARE},
    {"split_x", "SPLIT X", SPARE},
    {"order", "ORDER", SPARE},
    {"fill_rows", "FILL ROWS", CS_COLUMN_DATA},
    {"ahead", "AHEAD", CS_COLUMN_DATA},
    {"residence", "RESIDENCE", SPARE},
    {"strip_rows", "STRIP ROWS", CS_COLUMN_DATA},
    {"strips", "STRIPS", SPARE},
    {"channel_passes", "CHANNEL PASSES", CS_COLUMN_DATA},
    {"core_fills", "CORE FILLS", CS_COLUMN_DATA},
    {"narrow_bytes", "NARROW", CS_COLUMN_DATA},
    {"buffer_bytes", "BUFFER", CS_COLUMN_DATA},
    {"spill_bytes", "SPILL", CS_COLUMN_DATA},
    {"parked_bytes", "PARKED", CS_COLUMN_DATA},
    {"input_off_chip", "IN OFF", SPARE},
    {"output_off_chip", "OUT OFF", SPARE},
};

static void add_columns(cs_table *table, const column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cs_table_add_column(table, columns[i].key, columns[i].heading, columns[i].flags);
    }
}

cs_table *cs_layer_table_new(void)
{
    cs_table *table = cs_table_new();
    if (table) {
        add_columns(table, layer_columns, sizeof layer_columns / sizeof *layer_columns);
        cs_cost_add_resources(table, "_ms", SHOWN_RESOURCES);
        add_columns(table, energy_columns, sizeof energy_columns / sizeof *energy_columns);
        cs_cost_add_energy(table);
        add_columns(table, schedule_columns, sizeof schedule_columns / sizeof *schedule_columns);
        cs_cost_add_traffic(table);
    }
    return table;
}

/* ---- cells ---- */

static void put_shape(cs_table *table, cs_shape shape)
{
    char text[48];
    snprintf(text, sizeof text, "%ux%ux%u", shape.height, shape.width, shape.channels);
    cs_table_put_text(table, text);
}

/* "3x3/2", or nothing for a layer without a window. */
static void put_kernel(cs_table *table, const cs_layer *layer)
{
    char text[64];
    if (layer->kernel_h <= 1 && layer->kernel_w <= 1 && layer->stride_h <= 1) {
        cs_table_put_nothing(table);
        return;
    }
    int used = snprintf(text, sizeof text, "%ux%u", layer->kernel_h, layer->kernel_w);
    if (layer->stride_h > 1 || layer->stride_w > 1) {
        snprintf(text + used, sizeof text - (size_t)used, "/%u", layer->stride_h);
    }
    cs_table_put_text(table, text);
}

static void put_known_count(cs_table *table, bool known, uint64_t count)
{
    if (known) {
        cs_table_put_count(table, count);
    } else {
        cs_table_put_nothing(table);
    }
}

/* The name of a knob's value, or nothing where the layer ignores it. */
static void put_knob(cs_table *table, bool used, cs_pin pin, unsigned value)
{
    char text[16];
    cs_pin_value_name(pin, value, text);
    cs_table_put_text(table, used ? text : NULL);
}

static void put_layer(cs_table *table, const cs_network *network, cs_layer_id id)
{
    const cs_layer *layer = &network->layers[id];
    cs_table_put_count(table, id);
    cs_table_put_text(table, cs_layer_name(network, layer));
    cs_table_put_text(table, cs_op_name(layer->op));
    put_shape(table, layer->in);
    put_shape(table, layer->out);
    put_kernel(table, layer);
    cs_table_put_count(table, cs_layer_macs(layer) * network->batch);
}

static void put_time(cs_table *table, const cs_cost *cost, double network_s, double bound_s)
{
    cs_table_put_text(table, cost->latency_s > 0 ? cs_resource_name(cost->limiter) : NULL);
    cs_table_put_real(table, cost->latency_s * 1e3);
    cs_table_put_real(table, cost->latency_s / network_s * 100);
    cs_table_put_real(table, bound_s * 1e3);
    cs_table_put_real(table, bound_s > 0 ? cost->latency_s / bound_s : NAN);
    cs_cost_put_resources(table, cost->busy_s, 1e3);
}

static void put_energy(cs_table *table, const cs_cost *cost)
{
    cs_table_put_real(table, cost->energy_j * 1e3);
    cs_table_put_real(table, cost->peak_power_w);
    cs_cost_put_energy(table, &cost->energy);
}

/* A layer that does nothing, whose tensors lie where those of others do, is not cut. */
static void put_cut(cs_table *table, const cs_layer *layer, const cs_step *step)
{
    const cs_knobs *knobs = &step->knobs;
    bool runs = cs_kind_of(layer) != CS_KIND_NOTHING, fills = runs && knobs->fill_rows > 0;
    const char *split_y = knobs->split_y == CS_SPLIT_SPACE ? "rows" : "channels";
    const char *split_x = knobs->split_x == CS_SPLIT_SPACE ? "columns" : "channels";
    cs_table_put_text(table, runs ? split_y : NULL);
    cs_table_put_text(table, runs ? split_x : NULL);
    put_knob(table, fills, CS_PIN_ORDER, knobs->order);
    put_known_count(table, fills, knobs->fill_rows);
    put_knob(table, fills, CS_PIN_AHEAD, knobs->ahead);
    put_knob(table, runs, CS_PIN_RESIDENCE, knobs->residence);
    put_known_count(table, runs, knobs->strip_rows);
    put_known_count(table, runs, step->strips);
    put_known_count(table, runs, step->channel_passes);
    put_known_count(table, fills, step->core_fills);
}

static void put_schedule(cs_table *table, const cs_layer *layer, const cs_step *step)
{
    bool weighs = step->weight_bytes > 0;
    cs_table_put_text(table, cs_simulation_weights(step));
    put_known_count(table, weighs, step->weight_bytes);
    put_known_count(table, weighs, step->weight_passes);
    put_cut(table, layer, step);
    cs_table_put_count(table, step->narrow_bytes);
    cs_table_put_count(table, step->buffer_bytes);
    cs_table_put_count(table, step->spill_bytes);
    cs_table_put_count(table, step->parked_bytes);
    cs_table_put_bool(table, step->input_off_chip);
    cs_table_put_bool(table, step->output_off_chip);
}

void cs_layer_table_add(cs_table *table, const char *label, const cs_network *network,
                        const cs_simulation *simulation)
{
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_cost *cost = &simulation->layers[i];
        if (network->layers[i].op == CS_OP_INPUT && cost->latency_s == 0) {
            continue;
        }
        cs_table_add_row(table);
        cs_table_put_text(table, label);
        put_layer(table, network, i);
        put_time(table, cost, simulation->total.latency_s, simulation->bounds_s[i]);
        put_energy(table, cost);
        put_schedule(table, &network->layers[i], simulation->schedule.steps[i]);
        cs_cost_put_traffic(table, &cost->traffic);
    }
}
