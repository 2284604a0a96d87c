/* The report of simulate: see report.h. */
#include "client/report.h"

#include "client/cost_parts.h"
#include "client/fields.h"
#include "client/layer_table.h"
#include "client/text.h"
#include "sim/compiler/timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void cs_report_release(cs_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->designs[i].label);
        free(report->designs[i].why);
        cs_simulation_release(&report->designs[i].simulation);
    }
    free(report->designs);
    cs_simulation_unload(&report->setup);
    *report = (cs_report){0};
}

bool cs_report_is_feasible(const cs_report_design *design)
{
    return design->simulation.schedule.reason == CS_REASON_NONE;
}

const char *cs_report_label(const cs_report *report, size_t index)
{
    return index == 0 ? "unchanged" : report->designs[index].label;
}

/* ---- columns ---- */

typedef struct column {
    const char *key, *heading;
    unsigned flags;      /* of the table, with one design */
    unsigned many_flags; /* the same with several */
} column;

#define ALONE         CS_COLUMN_BOTH, CS_COLUMN_DATA /* for people where there is one design */
#define SEVERAL       CS_COLUMN_DATA, CS_COLUMN_BOTH /* where there are several */
#define ALWAYS        CS_COLUMN_BOTH, CS_COLUMN_BOTH
/* The same, if the terminal has room. */
#define SEVERAL_SPARE CS_COLUMN_DATA, CS_COLUMN_BOTH | CS_COLUMN_SPARE
#define ALWAYS_SPARE  CS_COLUMN_BOTH, CS_COLUMN_BOTH | CS_COLUMN_SPARE
#define DATA          CS_COLUMN_DATA, CS_COLUMN_DATA
#define WORDS         CS_COLUMN_PEOPLE, 0 /* for people, of what has keys of its own */

static const column identity_columns[] = {
    {"design", "design", SEVERAL},
    {"network", "network", ALONE},
    {"accelerator", "accelerator", ALONE},
    {"host", "host", ALONE},
    {"technology", "technology", ALONE},
    {"compiler", "compiler", ALONE},
    {"knobs", "knobs", ALONE},
    {"simulator", "simulator", ALONE},
    {"simulator_revision", "simulator revision", DATA},
    {"outcome", "outcome", ALONE},
    {"outcome_layer", "at layer", ALONE},
};

static const column time_columns[] = {
    {"latency_ms", "latency ms", ALWAYS},
    {"latency_change_percent", "change %", SEVERAL},
    {"bound_ms", "lower bound ms", ALONE},
    {"gap", "over bound", ALWAYS_SPARE},
    {"", "limited by", WORDS},
    {"limited_by", "limited by", SEVERAL},
};

static const column energy_columns[] = {
    {"", "energy mJ", WORDS},
    {"energy_mj", "energy mJ", SEVERAL},
    {"energy_change_percent", "change %", SEVERAL},
    {"energy_low_mj", "low", DATA},
    {"energy_high_mj", "high", DATA},
};

static const column power_columns[] = {
    {"", "of these", WORDS},
    {"average_power_w", "average power W", ALONE},
    {"peak_power_w", "peak power W", ALONE},
    {"", "area ratio", WORDS},
    {"area_ratio", "area ratio", SEVERAL},
    {"area_baseline", "area baseline", DATA},
    {"", "area mm2", WORDS},
    {"area_mm2", "area mm2", SEVERAL_SPARE},
    {"area_low_mm2", "low", DATA},
    {"area_high_mm2", "high", DATA},
    {"node_nm", "node nm", DATA},
    {"utilization_percent", "utilisation %", ALWAYS_SPARE},
    {"batch", "batch", ALONE},
    {"macs", "MACs", ALONE},
    {"parameters", "parameters", ALONE},
    {"cached_bytes", "weight bytes cached", ALONE},
    {"streamed_bytes", "weight bytes streamed", ALWAYS_SPARE},
    {"parameter_capacity_bytes", "bytes for cached weights", ALONE},
    {"prefetch_bytes", "bytes kept for prefetch", ALONE},
    {"peak_activation_bytes", "peak activation bytes", ALONE},
    {"", "traffic, bytes", WORDS},
    {"off_chip_bytes", "off-chip bytes", ALONE},
};

static const column roofline_columns[] = {
    {"peak_tops", "peak TOPS", ALONE},
    {"link_gb_s", "link GB/s", ALONE},
    {"ridge_ops_byte", "ridge, operations a byte", ALONE},
    {"network_ops_byte", "network, operations a byte", ALONE},
};

static const column last_columns[] = {
    {"recalled", "recalled constants in", ALONE},
    {"why", "why", DATA},
};

static void add_columns(cs_table *table, const column *columns, size_t count, bool many)
{
    for (size_t i = 0; i < count; i++) {
        cs_table_add_column(table, columns[i].key, columns[i].heading,
                            many ? columns[i].many_flags : columns[i].flags);
    }
}

static cs_table *new_table(bool many)
{
    cs_table *table = cs_table_new();
    if (table) {
#define ADD(columns) add_columns(table, columns, sizeof(columns) / sizeof *(columns), many)
        ADD(identity_columns);
        ADD(time_columns);
        cs_cost_add_resources(table, "_limited_percent", 0);
        cs_cost_add_resources(table, "_ms", 0);
        ADD(energy_columns);
        cs_cost_add_energy(table);
        ADD(power_columns);
        cs_cost_add_traffic(table);
        ADD(roofline_columns);
        ADD(last_columns);
#undef ADD
    }
    return table;
}

/* ---- words for people ---- */

#define WORDS_SIZE 160

/* "0.83 (0.41 .. 1.7)" */
static const char *interval_text(cs_interval interval, char text[WORDS_SIZE])
{
    snprintf(text, WORDS_SIZE, "%.4g (%.3g .. %.3g)", interval.nominal, interval.low,
             interval.high);
    return text;
}

/* The first of the largest. */
static cs_resource largest(const double values[CS_RESOURCE_COUNT])
{
    cs_resource most = 0;
    for (cs_resource r = 1; r < CS_RESOURCE_COUNT; r++) {
        most = values[r] > values[most] ? r : most;
    }
    return most;
}

/* "link in 62 %, compute 38 %": the resources that limit most of the time, the most first. */
static const char *limits_text(const cs_simulation *simulation, char text[WORDS_SIZE])
{
    double left[CS_RESOURCE_COUNT];
    size_t used = 0;
    for (cs_resource r = 0; r < CS_RESOURCE_COUNT; r++) {
        left[r] = simulation->limited_s[r] / simulation->total.latency_s * 100;
    }
    text[0] = '\0';
    for (cs_resource r = largest(left); left[r] >= 0.5 && used < WORDS_SIZE; r = largest(left)) {
        used += (size_t)snprintf(text + used, WORDS_SIZE - used, "%s%s %.0f %%", used ? ", " : "",
                                 cs_resource_name(r), left[r]);
        left[r] = 0;
    }
    return text;
}

static cs_table *new_lines(void)
{
    cs_table *lines = cs_table_new();
    if (lines) {
        cs_table_add_column(lines, "", "", CS_COLUMN_PEOPLE);
    }
    return lines;
}

static void put_energy_lines(cs_table *table, const cs_energy *energy)
{
    cs_table *lines = new_lines();
    double total = cs_energy_total(energy);
    for (size_t i = 0; lines && i < CS_ENERGY_PART_COUNT; i++) {
        double part = cs_energy_part_j(energy, i);
        char text[WORDS_SIZE];
        snprintf(text, sizeof text, "%-7s %9.4g  %4.1f %%", cs_energy_part_name(i), part * 1e3,
                 total > 0 ? part / total * 100 : 0);
        cs_table_add_row(lines);
        cs_table_put_text(lines, text);
    }
    cs_table_put_list(table, lines);
}

/* Bytes alone: operations are no traffic between memories. */
static void put_traffic_lines(cs_table *table, const cs_traffic *traffic)
{
    cs_table *lines = new_lines();
    for (size_t i = 1; lines && i < CS_TRAFFIC_PART_COUNT; i++) {
        char text[WORDS_SIZE], number[CS_TEXT_NUMBER];
        snprintf(text, sizeof text, "%-14s %18s", cs_traffic_part_name(i),
                 cs_text_count(cs_traffic_part(traffic, i), number));
        cs_table_add_row(lines);
        cs_table_put_text(lines, text);
    }
    cs_table_put_list(table, lines);
}

/* ---- cells ---- */

#define RECALLED_TEXT 64

/* What holds recalled constants, or NULL. */
static const char *recalled_text(const cs_simulation_setup *setup, char text[RECALLED_TEXT])
{
    const struct {
        bool recalled;
        const char *name;
    } files[] = {
        {setup->accelerator_recalled, "accelerator"},
        {setup->host_recalled, "host"},
        {setup->technology_recalled, "technology"},
        {setup->baseline_recalled, "baseline"},
    };
    size_t used = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i].recalled) {
            used += (size_t)snprintf(text + used, RECALLED_TEXT - used, "%s%s", used ? ", " : "",
                                     files[i].name);
        }
    }
    return used ? text : NULL;
}

/* A change in percent; nothing for the design that it is measured from. */
static void put_change(cs_table *table, bool known, double before, double after)
{
    cs_table_put_real(table, known ? (after / before - 1) * 100 : NAN);
}

static void put_known_real(cs_table *table, bool known, double value)
{
    cs_table_put_real(table, known ? value : NAN);
}

static void put_known_count(cs_table *table, bool known, uint64_t count)
{
    if (known) {
        cs_table_put_count(table, count);
    } else {
        cs_table_put_nothing(table);
    }
}

/* The knobs that are pinned, as they are told, by blanks. */
static void put_knobs(cs_table *table, const cs_pins *pins)
{
    char text[CS_PIN_COUNT * 32] = "";
    size_t used = 0;
    for (cs_pin pin = 0; pin < CS_PIN_COUNT; pin++) {
        char value[16];
        if (pins->value[pin] > 0) {
            cs_pin_value_name(pin, pins->value[pin] - 1u, value);
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s", used ? " " : "",
                                     cs_pin_name(pin), value);
        }
    }
    cs_table_put_text(table, used ? text : NULL);
}

static void put_identity(cs_table *table, const cs_report *report, size_t index)
{
    const cs_simulation_setup *setup = &report->setup;
    const cs_report_design *design = &report->designs[index];
    const cs_schedule *schedule = &design->simulation.schedule;
    char *layer = cs_report_is_feasible(design)
                      ? NULL
                      : cs_simulation_layer_label(&setup->network, schedule->reason_layer);
    cs_table_put_text(table, cs_report_label(report, index));
    cs_table_put_text(table, report->names.network);
    cs_table_put_text(table, setup->chip_name);
    cs_table_put_text(table, setup->host_name);
    cs_table_put_text(table, report->names.technology);
    cs_table_put_text(table, cs_policy_name(setup->options.policy));
    put_knobs(table, &setup->options.pins);
    cs_table_put_text(table, setup->simulator->name);
    cs_table_put_count(table, setup->simulator->revision);
    cs_table_put_text(table, cs_reason_text(schedule->reason));
    cs_table_put_text(table, layer);
    free(layer);
}

static void put_time(cs_table *table, const cs_simulation *first, const cs_simulation *simulation,
                     bool known, bool compared)
{
    const cs_cost *total = &simulation->total;
    char text[WORDS_SIZE];
    put_known_real(table, known, total->latency_s * 1e3);
    put_change(table, compared, first->total.latency_s, total->latency_s);
    put_known_real(table, known, simulation->bound_s * 1e3);
    put_known_real(table, known && simulation->bound_s > 0, total->latency_s / simulation->bound_s);
    cs_table_put_text(table, known ? limits_text(simulation, text) : NULL);
    cs_table_put_text(table, known ? cs_resource_name(largest(simulation->limited_s)) : NULL);
    cs_cost_put_resources(table, known ? simulation->limited_s : NULL, 100 / total->latency_s);
    cs_cost_put_resources(table, known ? total->busy_s : NULL, 1e3);
}

static void put_energy(cs_table *table, const cs_simulation *first, const cs_simulation *simulation,
                       bool known, bool compared)
{
    const cs_cost *total = &simulation->total;
    const cs_interval *energy_j = &simulation->energy_j;
    cs_interval energy_mj = {energy_j->low * 1e3, energy_j->nominal * 1e3, energy_j->high * 1e3};
    char text[WORDS_SIZE];
    cs_table_put_text(table, known ? interval_text(energy_mj, text) : NULL);
    put_known_real(table, known, energy_mj.nominal);
    put_change(table, compared, first->total.energy_j, total->energy_j);
    put_known_real(table, known, energy_mj.low);
    put_known_real(table, known, energy_mj.high);
    cs_cost_put_energy(table, known ? &total->energy : NULL);
    if (known) {
        put_energy_lines(table, &total->energy);
    } else {
        cs_table_put_nothing(table);
    }
    put_known_real(table, known, total->energy_j / total->latency_s);
    put_known_real(table, known, total->peak_power_w);
}

/* The ratio to the baseline, or to the unchanged design, by the nominal estimate. */
static void put_area(cs_table *table, const cs_report *report, const cs_simulation *simulation)
{
    const cs_simulation_setup *setup = &report->setup;
    const cs_technology *technology = &setup->technology[CS_ESTIMATE_NOMINAL];
    const char *baseline = report->names.baseline ? report->names.baseline : "unchanged";
    double baseline_mm2 = report->names.baseline ? cs_area_mm2(&setup->baseline, technology)
                                                 : report->designs[0].simulation.area_mm2.nominal;
    const cs_interval *area_mm2 = &simulation->area_mm2;
    double ratio = area_mm2->nominal / baseline_mm2;
    char text[WORDS_SIZE], interval[WORDS_SIZE];
    snprintf(text, sizeof text, "%.4g to %.100s", ratio,
             report->names.baseline ? baseline : "itself (no --baseline)");
    cs_table_put_text(table, text);
    cs_table_put_real(table, ratio);
    cs_table_put_text(table, baseline);
    snprintf(text, sizeof text, "%.100s at %g nm", interval_text(*area_mm2, interval),
             technology->node_nm);
    cs_table_put_text(table, text);
    cs_table_put_real(table, area_mm2->nominal);
    cs_table_put_real(table, area_mm2->low);
    cs_table_put_real(table, area_mm2->high);
    cs_table_put_real(table, technology->node_nm);
}

static void put_bytes(cs_table *table, const cs_network *network, const cs_simulation *simulation,
                      bool known)
{
    const cs_schedule *schedule = &simulation->schedule;
    const cs_cost *total = &simulation->total;
    put_known_real(table, known, total->utilization * 100);
    cs_table_put_count(table, network->batch);
    cs_table_put_count(table, cs_network_macs(network) * network->batch);
    cs_table_put_count(table, cs_network_parameters(network));
    put_known_count(table, known, schedule->cached_bytes);
    put_known_count(table, known, schedule->streamed_bytes);
    put_known_count(table, known, schedule->parameter_capacity);
    put_known_count(table, known, schedule->prefetch_bytes);
    put_known_count(table, known, schedule->peak_activation_bytes);
    if (known) {
        put_traffic_lines(table, &total->traffic);
    } else {
        cs_table_put_nothing(table);
    }
    put_known_count(table, known, simulation->off_chip_bytes);
    cs_cost_put_traffic(table, known ? &total->traffic : NULL);
}

/* The link is that into the chip. */
static void put_roofline(cs_table *table, const cs_network *network,
                         const cs_simulation *simulation, bool known)
{
    double peak_ops = cs_accelerator_peak_ops(&simulation->accelerator);
    double link = cs_rates_of(&simulation->accelerator).in_bytes_per_s;
    double operations = 2 * (double)cs_network_macs(network) * network->batch;
    cs_table_put_real(table, peak_ops / 1e12);
    cs_table_put_real(table, link / 1e9);
    cs_table_put_real(table, peak_ops / link);
    put_known_real(table, known, operations / (double)simulation->off_chip_bytes);
}

static void add_row(cs_table *table, const cs_report *report, size_t index)
{
    const cs_network *network = &report->setup.network;
    const cs_report_design *design = &report->designs[index];
    const cs_simulation *first = &report->designs[0].simulation, *simulation = &design->simulation;
    bool known = cs_report_is_feasible(design);
    bool compared = index > 0 && known && cs_report_is_feasible(&report->designs[0]);
    char recalled[RECALLED_TEXT];
    cs_table_add_row(table);
    put_identity(table, report, index);
    put_time(table, first, simulation, known, compared);
    put_energy(table, first, simulation, known, compared);
    put_area(table, report, simulation);
    put_bytes(table, network, simulation, known);
    put_roofline(table, network, simulation, known);
    cs_table_put_text(table, recalled_text(&report->setup, recalled));
    cs_table_put_text(table, design->why);
}

/* ---- printing ---- */

static void add_layers(cs_table *table, const cs_report *report, size_t index)
{
    const cs_report_design *design = &report->designs[index];
    if (cs_report_is_feasible(design)) {
        cs_layer_table_add(table, cs_report_label(report, index), &report->setup.network,
                           &design->simulation);
    }
}

static cs_status print_designs(const cs_report *report, cs_format format, size_t width,
                               cs_error *err)
{
    bool many = report->count > 1, nested = report->per_layer && format == CS_FORMAT_JSON;
    cs_table *table = new_table(many);
    if (!table) {
        return cs_fail_memory(err);
    }
    if (nested) {
        cs_table_add_column(table, "layers", "layers", CS_COLUMN_DATA);
    }
    for (size_t i = 0; i < report->count; i++) {
        add_row(table, report, i);
        cs_table *layers = nested ? cs_layer_table_new() : NULL;
        if (layers) {
            add_layers(layers, report, i);
        }
        if (nested) {
            cs_table_put_list(table, layers);
        }
    }
    cs_status status = many ? cs_table_print(table, format, stdout, width, err)
                            : cs_table_print_record(table, format, stdout, err);
    cs_table_free(table);
    return status;
}

/* The layers of designs first .. end - 1. */
static cs_status print_layers(const cs_report *report, size_t first, size_t end, cs_format format,
                              size_t width, cs_error *err)
{
    cs_table *table = cs_layer_table_new();
    if (!table) {
        return cs_fail_memory(err);
    }
    for (size_t i = first; i < end; i++) {
        add_layers(table, report, i);
    }
    cs_status status = cs_table_print(table, format, stdout, width, err);
    cs_table_free(table);
    return status;
}

/* What a table for people has no room for. */
static cs_status print_below(const cs_report *report, size_t width, cs_error *err)
{
    for (size_t i = 0; report->count > 1 && i < report->count; i++) {
        if (report->designs[i].why) {
            fputs(i == 0 ? "\n" : "", stdout);
            cs_text_put(stdout, cs_report_label(report, i));
            fputs(": ", stdout);
            cs_text_put(stdout, report->designs[i].why);
            fputc('\n', stdout);
        }
    }
    cs_status status = CS_OK;
    for (size_t i = 0; report->per_layer && i < report->count && !status; i++) {
        if (cs_report_is_feasible(&report->designs[i])) {
            putchar('\n');
            if (report->count > 1) {
                cs_text_put(stdout, cs_report_label(report, i));
                fputs(":\n", stdout);
            }
            status = print_layers(report, i, i + 1, CS_FORMAT_TABLE, width, err);
        }
    }
    return status;
}

cs_status cs_report_print(const cs_report *report, cs_format format, size_t width, cs_error *err)
{
    cs_status status = CS_OK;
    if (format == CS_FORMAT_CSV && report->per_layer) {
        status = print_layers(report, 0, report->count, format, width, err);
    } else {
        status = print_designs(report, format, width, err);
    }
    if (!status && format == CS_FORMAT_TABLE) {
        status = print_below(report, width, err);
    }
    char text[RECALLED_TEXT];
    const char *recalled = recalled_text(&report->setup, text);
    if (!status && recalled) {
        fprintf(format == CS_FORMAT_TABLE ? stdout : stderr,
                "these results rest on recalled constants (%s)\n", recalled);
    }
    return status;
}
