/* simulate: a network on an accelerator, and variants of it, without a server. */
#include "client/simulation.h"
#include "client/text.h"
#include "client/verbs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The design as its file has it, or with what --set and --sweep change. */
typedef struct design {
    char *label; /* "unchanged", or what is set; owned */
    char *why;   /* why it differs from the unchanged one, or cannot run; owned, or NULL */
    cs_simulation simulation;
} design;

typedef struct report {
    cs_simulation_setup setup;
    design *designs; /* owned; the unchanged one first */
    size_t count;
} report;

static bool is_feasible(const design *shown)
{
    return shown->simulation.schedule.reason == CS_REASON_NONE;
}

/* ---- options ---- */

error_t cs_simulate_parse(int key, char *text, struct argp_state *state, void *input)
{
    cs_simulate_input *told = input;
    switch (key) {
    case CS_OPTION_NETWORK:
        told->network = text;
        return 0;
    case CS_OPTION_ACCELERATOR:
        told->accelerator = text;
        return 0;
    case CS_OPTION_TECHNOLOGY:
        told->technology = text;
        return 0;
    case CS_OPTION_LIBRARY:
        told->library = text;
        return 0;
    case CS_OPTION_SET:
        if (told->set_count == CS_BUNDLE_MAX_SETS) {
            argp_error(state, "--set: at most %u", CS_BUNDLE_MAX_SETS);
        }
        told->sets[told->set_count++] = text;
        return 0;
    case CS_OPTION_SWEEP:
        if (told->sweep) {
            argp_error(state, "one --sweep only");
        }
        told->sweep = text;
        return 0;
    case CS_OPTION_PER_LAYER:
        told->per_layer = true;
        return 0;
    case ARGP_KEY_END:
        if (!told->network || !told->accelerator) {
            argp_error(state, "--network and --accelerator are needed");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- designs ---- */

/* Set FIELD=VALUE, which `option` gave, and note it in the label. */
static cs_status set_field(const cs_simulation_setup *setup, const char *option, const char *text,
                           cs_accelerator *accelerator, char **label, cs_error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals) {
        return cs_fail(err, CS_EINVAL, "%s: '%.100s' has no '='", option, text);
    }
    char *longer;
    if (asprintf(&longer, "%s%s%s", *label, **label ? " " : "", text) < 0) {
        return cs_fail_memory(err);
    }
    free(*label);
    *label = longer;
    char *name = strndup(text, (size_t)(equals - text));
    if (!name) {
        return cs_fail_memory(err);
    }
    cs_error why = {0};
    cs_status status = cs_simulation_set(setup->naming, name, equals + 1, accelerator, &why);
    free(name);
    return status ? cs_fail(err, status, "%s: %s", option, why.text) : CS_OK;
}

/* Add a design with the first `set_count` of what is set and, unless it is NULL, FIELD=VALUE of the
 * sweep. */
static cs_status add_design(report *made, const cs_simulate_input *told, size_t set_count,
                            const char *swept, cs_error *err)
{
    design *designs = realloc(made->designs, (made->count + 1) * sizeof *designs);
    if (!designs) {
        return cs_fail_memory(err);
    }
    made->designs = designs;
    design *added = &designs[made->count++];
    *added = (design){.label = strdup("")};
    cs_accelerator accelerator = made->setup.accelerator;
    cs_status status = added->label ? CS_OK : cs_fail_memory(err);
    for (size_t i = 0; i < set_count && !status; i++) {
        status = set_field(&made->setup, "--set", told->sets[i], &accelerator, &added->label, err);
    }
    if (swept && !status) {
        status = set_field(&made->setup, "--sweep", swept, &accelerator, &added->label, err);
    }
    return status ? status : cs_simulation_run(&made->setup, &accelerator, &added->simulation, err);
}

static cs_status add_sweep(report *made, const cs_simulate_input *told, cs_error *err)
{
    const char *value = strchr(told->sweep, '=');
    if (!value) {
        return cs_fail(err, CS_EINVAL, "--sweep: '%.100s' has no '='", told->sweep);
    }
    int head = (int)(value - told->sweep) + 1; /* "FIELD=" */
    cs_status status = CS_OK;
    do {
        value++; /* '=' or ',' */
        int length = (int)strcspn(value, ",");
        char *swept;
        if (asprintf(&swept, "%.*s%.*s", head, told->sweep, length, value) < 0) {
            return cs_fail_memory(err);
        }
        status = add_design(made, told, told->set_count, swept, err);
        free(swept);
        value += length;
    } while (*value && !status);
    return status;
}

/* Say of each design why it differs from the first, or why it cannot run. */
static cs_status explain(report *made, cs_error *err)
{
    const cs_network *network = &made->setup.network;
    for (size_t i = 0; i < made->count; i++) {
        design *shown = &made->designs[i];
        const cs_schedule *schedule = &shown->simulation.schedule;
        if (!is_feasible(shown)) {
            char *layer = cs_simulation_layer_label(network, schedule->reason_layer);
            int length = layer ? asprintf(&shown->why, "cannot run: layer %s: %s", layer,
                                          cs_reason_text(schedule->reason))
                               : -1;
            free(layer);
            shown->why = length < 0 ? NULL : shown->why;
        } else if (i == 0) {
            continue;
        } else if (is_feasible(&made->designs[0])) {
            shown->why =
                cs_simulation_explain(network, &made->designs[0].simulation, &shown->simulation);
        } else {
            shown->why = strdup("the unchanged design cannot run");
        }
        if (!shown->why) {
            return cs_fail_memory(err);
        }
    }
    return CS_OK;
}

static cs_status make_report(const cs_simulate_input *told, report *made, cs_error *err)
{
    const char *library = told->library ? told->library : getenv("CODESIGN_LIBRARY");
    cs_status status = cs_simulation_load(
        library && *library ? library : CODESIGN_DATADIR, told->network, told->accelerator,
        told->technology ? told->technology : "edge-22nm", &made->setup, err);
    if (!status) {
        status = add_design(made, told, 0, NULL, err);
    }
    if (!status && told->sweep) {
        status = add_sweep(made, told, err);
    } else if (!status && told->set_count) {
        status = add_design(made, told, told->set_count, NULL, err);
    }
    return status ? status : explain(made, err);
}

static void release_report(report *made)
{
    for (size_t i = 0; i < made->count; i++) {
        free(made->designs[i].label);
        free(made->designs[i].why);
        cs_simulation_release(&made->designs[i].simulation);
    }
    free(made->designs);
    cs_simulation_unload(&made->setup);
}

static const char *label_of(const report *made, size_t index)
{
    return index == 0 ? "unchanged" : made->designs[index].label;
}

/* ---- layers ---- */

typedef struct column {
    const char *key, *heading;
    unsigned flags;      /* of the table */
    unsigned many_flags; /* the same where there are several designs */
} column;

static const column layer_columns[] = {
    {"design", "DESIGN", CS_COLUMN_DATA, CS_COLUMN_DATA},
    {"layer", "LAYER", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"name", "NAME", CS_COLUMN_BOTH | CS_COLUMN_CUT, CS_COLUMN_BOTH | CS_COLUMN_CUT},
    {"op", "OP", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"in", "IN", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"out", "OUT", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"kernel", "KERNEL", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"macs", "MACS", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"limited_by", "LIMITED BY", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"latency_ms", "MS", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"latency_percent", "%", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"compute_ms", "COMPUTE", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"on_chip_ms", "ON-CHIP", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"off_chip_ms", "OFF-CHIP", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"energy_mj", "MJ", CS_COLUMN_DATA, CS_COLUMN_DATA},
    {"weights", "WEIGHTS", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"weight_bytes", "BYTES", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"weight_passes", "PASSES", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"split_y", "SPLIT Y", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"split_x", "SPLIT X", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"input_off_chip", "IN OFF", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"output_off_chip", "OUT OFF", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"off_chip_read_bytes", "READ", CS_COLUMN_DATA, CS_COLUMN_DATA},
    {"off_chip_write_bytes", "WRITTEN", CS_COLUMN_DATA, CS_COLUMN_DATA},
};

static cs_table *new_table(const column *columns, size_t count, bool many)
{
    cs_table *table = cs_table_new();
    for (size_t i = 0; table && i < count; i++) {
        cs_table_add_column(table, columns[i].key, columns[i].heading,
                            many ? columns[i].many_flags : columns[i].flags);
    }
    return table;
}

static cs_table *new_layer_table(void)
{
    return new_table(layer_columns, sizeof layer_columns / sizeof *layer_columns, false);
}

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

/* A row for each layer but the inputs, which take no time. */
static void add_layers(cs_table *table, const report *made, size_t index)
{
    const cs_network *network = &made->setup.network;
    const cs_simulation *simulation = &made->designs[index].simulation;
    for (uint32_t i = 0; is_feasible(&made->designs[index]) && i < network->layer_count; i++) {
        const cs_layer *layer = &network->layers[i];
        const cs_step *step = &simulation->schedule.steps[i];
        const cs_cost *cost = &simulation->layers[i];
        if (layer->op == CS_OP_INPUT) {
            continue;
        }
        cs_table_add_row(table);
        cs_table_put_text(table, label_of(made, index));
        cs_table_put_count(table, i);
        cs_table_put_text(table, cs_layer_name(network, layer));
        cs_table_put_text(table, cs_op_name(layer->op));
        put_shape(table, layer->in);
        put_shape(table, layer->out);
        put_kernel(table, layer);
        cs_table_put_count(table, cs_layer_macs(layer) * network->batch);
        cs_table_put_text(table, cs_limiter_text(cs_limiter_of(cost)));
        cs_table_put_real(table, cost->latency_s * 1e3);
        cs_table_put_real(table, cost->latency_s / simulation->total.latency_s * 100);
        cs_table_put_real(table, cost->compute_s * 1e3);
        cs_table_put_real(table, cost->on_chip_s * 1e3);
        cs_table_put_real(table, cost->off_chip_s * 1e3);
        cs_table_put_real(table, cost->energy_j * 1e3);
        if (step->weight_bytes > 0) {
            cs_table_put_text(table, step->cached ? "cached" : "streamed");
            cs_table_put_count(table, step->weight_bytes);
            cs_table_put_count(table, step->weight_passes);
        } else {
            cs_table_put_nothing(table);
            cs_table_put_nothing(table);
            cs_table_put_nothing(table);
        }
        cs_table_put_text(table, step->split_y == CS_SPLIT_SPACE ? "rows" : "channels");
        cs_table_put_text(table, step->split_x == CS_SPLIT_SPACE ? "columns" : "channels");
        cs_table_put_bool(table, step->input_off_chip);
        cs_table_put_bool(table, step->output_off_chip);
        cs_table_put_count(table, step->off_chip_read_bytes);
        cs_table_put_count(table, step->off_chip_write_bytes);
    }
}

/* ---- designs ---- */

static const column design_columns[] = {
    {"design", "design", CS_COLUMN_DATA, CS_COLUMN_BOTH},
    {"network", "network", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"accelerator", "accelerator", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"technology", "technology", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"simulator", "simulator", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"simulator_revision", "simulator revision", CS_COLUMN_DATA, CS_COLUMN_DATA},
    {"outcome", "outcome", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"outcome_layer", "at layer", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"latency_ms", "latency ms", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"latency_change_percent", "change %", CS_COLUMN_DATA, CS_COLUMN_BOTH},
    {"energy_mj", "energy mJ", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"energy_change_percent", "change %", CS_COLUMN_DATA, CS_COLUMN_BOTH},
    {"area_mm2", "area mm2", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"area_change_percent", "change %", CS_COLUMN_DATA, CS_COLUMN_BOTH},
    {"utilization_percent", "utilisation %", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"batch", "batch", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"macs", "MACs", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"parameters", "parameters", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"cached_bytes", "weight bytes cached", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"streamed_bytes", "weight bytes streamed", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"peak_activation_bytes", "peak activation bytes", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"off_chip_bytes", "off-chip bytes", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"peak_tops", "peak TOPS", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"link_gb_s", "link GB/s", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"ridge_ops_byte", "ridge, operations a byte", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"network_ops_byte", "network, operations a byte", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"compute_limited_percent", "% limited by compute", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"on_chip_limited_percent", "by on-chip", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"off_chip_limited_percent", "by off-chip", CS_COLUMN_BOTH, CS_COLUMN_BOTH},
    {"recalled", "recalled constants in", CS_COLUMN_BOTH, CS_COLUMN_DATA},
    {"why", "why", CS_COLUMN_DATA, CS_COLUMN_DATA},
};

/* What holds recalled constants, or NULL. */
static const char *recalled_text(const cs_simulation_setup *setup)
{
    if (setup->accelerator_recalled && setup->technology_recalled) {
        return "accelerator, technology";
    }
    return setup->accelerator_recalled  ? "accelerator"
           : setup->technology_recalled ? "technology"
                                        : NULL;
}

/* A change in percent; nothing for the design that it is measured from. */
static void put_change(cs_table *table, bool known, double before, double after)
{
    cs_table_put_real(table, known ? (after / before - 1) * 100 : NAN);
}

static void put_known_count(cs_table *table, bool known, uint64_t count)
{
    if (known) {
        cs_table_put_count(table, count);
    } else {
        cs_table_put_nothing(table);
    }
}

static void add_design_row(cs_table *table, const cs_simulate_input *told, const report *made,
                           size_t index)
{
    const cs_simulation_setup *setup = &made->setup;
    const cs_network *network = &setup->network;
    const design *shown = &made->designs[index];
    const cs_simulation *first = &made->designs[0].simulation, *simulation = &shown->simulation;
    const cs_schedule *schedule = &simulation->schedule;
    const cs_cost *total = &simulation->total;
    bool known = is_feasible(shown);
    bool compared = index > 0 && known && is_feasible(&made->designs[0]);
    uint64_t macs = cs_network_macs(network) * network->batch;
    double peak_ops = cs_accelerator_peak_ops(&simulation->accelerator);
    double link = (double)simulation->accelerator.link_bytes_per_s;
    char *layer = known ? NULL : cs_simulation_layer_label(network, schedule->reason_layer);

    cs_table_add_row(table);
    cs_table_put_text(table, label_of(made, index));
    cs_table_put_text(table, told->network);
    cs_table_put_text(table, told->accelerator);
    cs_table_put_text(table, told->technology ? told->technology : "edge-22nm");
    cs_table_put_text(table, cs_simulator_analytic.name);
    cs_table_put_count(table, cs_simulator_analytic.revision);
    cs_table_put_text(table, cs_reason_text(schedule->reason));
    cs_table_put_text(table, layer);
    cs_table_put_real(table, known ? total->latency_s * 1e3 : NAN);
    put_change(table, compared, first->total.latency_s, total->latency_s);
    cs_table_put_real(table, known ? total->energy_j * 1e3 : NAN);
    put_change(table, compared, first->total.energy_j, total->energy_j);
    cs_table_put_real(table, simulation->area_mm2);
    put_change(table, index > 0, first->area_mm2, simulation->area_mm2);
    cs_table_put_real(table, known ? total->utilization * 100 : NAN);
    cs_table_put_count(table, network->batch);
    cs_table_put_count(table, macs);
    cs_table_put_count(table, cs_network_parameters(network));
    put_known_count(table, known, schedule->cached_bytes);
    put_known_count(table, known, schedule->streamed_bytes);
    put_known_count(table, known, schedule->peak_activation_bytes);
    put_known_count(table, known, simulation->off_chip_bytes);
    cs_table_put_real(table, peak_ops / 1e12);
    cs_table_put_real(table, link / 1e9);
    cs_table_put_real(table, peak_ops / link);
    cs_table_put_real(table, known ? 2 * (double)macs / (double)simulation->off_chip_bytes : NAN);
    for (cs_limiter i = 0; i < CS_LIMITER_COUNT; i++) {
        cs_table_put_real(table, known ? simulation->limited_s[i] / total->latency_s * 100 : NAN);
    }
    cs_table_put_text(table, recalled_text(setup));
    cs_table_put_text(table, shown->why);
    free(layer);
}

/* ---- printing ---- */

static cs_status print_designs(const cs_client *client, const cs_simulate_input *told,
                               const report *made, cs_error *err)
{
    bool many = made->count > 1;
    bool nested = told->per_layer && client->format == CS_FORMAT_JSON;
    cs_table *table =
        new_table(design_columns, sizeof design_columns / sizeof *design_columns, many);
    if (!table) {
        return cs_fail_memory(err);
    }
    if (nested) {
        cs_table_add_column(table, "layers", "layers", CS_COLUMN_DATA);
    }
    for (size_t i = 0; i < made->count; i++) {
        add_design_row(table, told, made, i);
        cs_table *layers = nested ? new_layer_table() : NULL;
        if (layers) {
            add_layers(layers, made, i);
        }
        if (nested) {
            cs_table_put_list(table, layers);
        }
    }
    cs_status status = many ? cs_table_print(table, client->format, stdout, cs_client_width(), err)
                            : cs_table_print_record(table, client->format, stdout, err);
    cs_table_free(table);
    return status;
}

/* The layers of designs first .. end - 1. */
static cs_status print_layers(const cs_client *client, const report *made, size_t first, size_t end,
                              cs_error *err)
{
    cs_table *table = new_layer_table();
    if (!table) {
        return cs_fail_memory(err);
    }
    for (size_t i = first; i < end; i++) {
        add_layers(table, made, i);
    }
    cs_status status = cs_table_print(table, client->format, stdout, cs_client_width(), err);
    cs_table_free(table);
    return status;
}

/* What a table for people has no room for. */
static cs_status print_below(const cs_client *client, const cs_simulate_input *told,
                             const report *made, cs_error *err)
{
    for (size_t i = 0; made->count > 1 && i < made->count; i++) {
        if (made->designs[i].why) {
            fputs(i == 0 ? "\n" : "", stdout);
            cs_text_put(stdout, label_of(made, i));
            fputs(": ", stdout);
            cs_text_put(stdout, made->designs[i].why);
            fputc('\n', stdout);
        }
    }
    cs_status status = CS_OK;
    for (size_t i = 0; told->per_layer && i < made->count && !status; i++) {
        if (is_feasible(&made->designs[i])) {
            putchar('\n');
            if (made->count > 1) {
                cs_text_put(stdout, label_of(made, i));
                fputs(":\n", stdout);
            }
            status = print_layers(client, made, i, i + 1, err);
        }
    }
    return status;
}

static cs_status print_report(const cs_client *client, const cs_simulate_input *told,
                              const report *made, cs_error *err)
{
    cs_status status = CS_OK;
    if (client->format == CS_FORMAT_CSV && told->per_layer) {
        status = print_layers(client, made, 0, made->count, err);
    } else {
        status = print_designs(client, told, made, err);
    }
    if (!status && client->format == CS_FORMAT_TABLE) {
        status = print_below(client, told, made, err);
    }
    const char *recalled = recalled_text(&made->setup);
    if (!status && recalled) {
        fprintf(client->format == CS_FORMAT_TABLE ? stdout : stderr,
                "these results rest on recalled constants (%s)\n", recalled);
    }
    return status;
}

/* Infeasible is the answer where nothing that was asked for can run. */
static cs_exit outcome_of(const report *made)
{
    size_t asked = made->count > 1; /* beside the unchanged design */
    for (size_t i = asked; i < made->count; i++) {
        if (is_feasible(&made->designs[i])) {
            return CS_EXIT_OK;
        }
    }
    fflush(stdout);
    for (size_t i = asked; i < made->count; i++) {
        fputs("codesign-client: ", stderr);
        cs_text_put(stderr, label_of(made, i));
        fputs(": ", stderr);
        cs_text_put(stderr, made->designs[i].why);
        fputc('\n', stderr);
    }
    return CS_EXIT_INFEASIBLE;
}

cs_exit cs_run_simulate(cs_client *client, const void *input)
{
    const cs_simulate_input *told = input;
    report made = {0};
    cs_error error = {0};
    cs_status status = make_report(told, &made, &error);
    if (!status) {
        status = print_report(client, told, &made, &error);
    }
    cs_exit code = status ? cs_client_fail(&error) : outcome_of(&made);
    release_report(&made);
    return code;
}
