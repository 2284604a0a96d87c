/* The technology: see technology.h. */
#include "sim/accelerator/technology.h"

#include <math.h>
#include <string.h>

/* What scales together between nodes. */
typedef enum kind {
    KIND_FIXED, /* does not scale: a value of another node is refused */
    KIND_EXACT, /* nor has an interval: what other values refer to */
    KIND_LOGIC_ENERGY,
    KIND_SRAM_ENERGY,
    KIND_DRAM_ENERGY,
    KIND_LOGIC_AREA,
    KIND_SRAM_AREA,
    KIND_COUNT
} kind;

typedef struct field {
    const char *name;
    kind kind;
    size_t offset; /* in cs_technology; unused for the factors */
    double max;
} field;

#define FIELD(member, kind, max)                                                                   \
    {                                                                                              \
#member, kind, offsetof(cs_technology, member), max                                        \
    }
#define FACTOR(name, kind)                                                                         \
    {                                                                                              \
        name, kind, 0, 100                                                                         \
    }

/* No value may be zero: a resource would be free. The upper ends catch slips of unit, such as
 * picojoules where joules are meant. The node comes first and the factors next, because the others
 * are read by them. */
static const field fields[] = {
    FIELD(node_nm, KIND_EXACT, 1000),
    FACTOR("logic_energy_scale", KIND_LOGIC_ENERGY),
    FACTOR("sram_energy_scale", KIND_SRAM_ENERGY),
    FACTOR("dram_energy_scale", KIND_DRAM_ENERGY),
    FACTOR("logic_area_scale", KIND_LOGIC_AREA),
    FACTOR("sram_area_scale", KIND_SRAM_AREA),
    FIELD(voltage_nominal_v, KIND_EXACT, 5),
    FIELD(mac_j, KIND_LOGIC_ENERGY, 1e-6),
    FIELD(register_j, KIND_LOGIC_ENERGY, 1e-6),
    FIELD(control_j, KIND_LOGIC_ENERGY, 1e-6),
    FIELD(sram_read_j_byte, KIND_SRAM_ENERGY, 1e-6),
    FIELD(sram_write_ratio, KIND_FIXED, 100),
    FIELD(sram_capacity_bytes, KIND_EXACT, 1e9),
    FIELD(sram_word_bytes, KIND_EXACT, 1e6),
    FIELD(sram_capacity_exponent, KIND_FIXED, 1),
    FIELD(sram_word_exponent, KIND_FIXED, 1),
    FIELD(wire_j_byte_mm, KIND_FIXED, 1e-6),
    FIELD(link_j_byte, KIND_FIXED, 1e-6),
    FIELD(dram_read_j_byte, KIND_DRAM_ENERGY, 1e-6),
    FIELD(dram_write_ratio, KIND_FIXED, 100),
    FIELD(mac_area_mm2, KIND_LOGIC_AREA, 1),
    FIELD(mac_area_overhead, KIND_FIXED, 100),
    FIELD(core_area_mm2, KIND_LOGIC_AREA, 100),
    FIELD(pe_area_mm2, KIND_LOGIC_AREA, 100),
    FIELD(sram_bit_area_mm2, KIND_SRAM_AREA, 1),
    FIELD(sram_area_overhead, KIND_FIXED, 100),
    FIELD(link_area_mm2_gbps, KIND_FIXED, 100),
    FIELD(base_area_mm2, KIND_FIXED, 1000),
    FIELD(logic_leakage_w_mm2, KIND_FIXED, 100),
    FIELD(sram_leakage_w_mm2, KIND_FIXED, 100),
    FIELD(link_power_w_gbps, KIND_FIXED, 100),
};

#define FIELD_COUNT   (sizeof fields / sizeof fields[0])
#define FIRST_FACTOR  1u
#define FACTOR_COUNT  5u
#define MIN_VALUE     1e-18
#define MAX_SUPPLY_V  5.0
#define MAX_CLOCK_MHZ 100000.0
#define MAX_NODE_NM   1000.0

static const char *field_name(const void *context, size_t index)
{
    (void)context;
    return fields[index].name;
}

/* The three estimates of a group with value, low and high. */
static cs_status read_interval(cs_conf_node group, double max, double all[CS_ESTIMATE_COUNT],
                               cs_error *err)
{
    static const char *const keys[CS_ESTIMATE_COUNT] = {
        [CS_ESTIMATE_LOW] = "low",
        [CS_ESTIMATE_NOMINAL] = "value",
        [CS_ESTIMATE_HIGH] = "high",
    };
    for (size_t i = 0; i < CS_ESTIMATE_COUNT; i++) {
        cs_status status = cs_conf_number(group, keys[i], MIN_VALUE, max, &all[i], err);
        if (status) {
            return status;
        }
    }
    if (all[CS_ESTIMATE_LOW] > all[CS_ESTIMATE_NOMINAL]) {
        return cs_conf_fail(cs_conf_member(group, "low"), err, "must be at most the value, %g",
                            all[CS_ESTIMATE_NOMINAL]);
    }
    if (all[CS_ESTIMATE_HIGH] < all[CS_ESTIMATE_NOMINAL]) {
        return cs_conf_fail(cs_conf_member(group, "high"), err, "must be at least the value, %g",
                            all[CS_ESTIMATE_NOMINAL]);
    }
    return CS_OK;
}

/* Factors of the kinds, each from the node that it scales from. */
typedef struct scaling {
    double node_nm;
    double factor[KIND_COUNT];
    double from_nm[KIND_COUNT]; /* 0: the factor names no node */
} scaling;

/* Bring the value of a group to the node of the file. */
static cs_status scale(cs_conf_node group, const field *f, const scaling *s, double *value,
                       cs_error *err)
{
    double from_nm = s->node_nm;
    cs_status status = cs_conf_maybe_number(group, "node_nm", 1, MAX_NODE_NM, &from_nm, err);
    if (status || from_nm == s->node_nm) {
        return status;
    }
    if (f->kind == KIND_FIXED || f->kind == KIND_EXACT || from_nm != s->from_nm[f->kind]) {
        return cs_conf_fail(cs_conf_member(group, "node_nm"), err,
                            "nothing scales '%s' from %g to %g nm", f->name, from_nm, s->node_nm);
    }
    *value *= s->factor[f->kind];
    return CS_OK;
}

static cs_status read_values(const cs_conf_node *groups, cs_estimate estimate, cs_technology *read,
                             cs_error *err)
{
    scaling s = {0};
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const field *f = &fields[i];
        bool factor = i >= FIRST_FACTOR && i < FIRST_FACTOR + FACTOR_COUNT;
        double all[CS_ESTIMATE_COUNT] = {0};
        cs_status status = read_interval(groups[i], f->max, all, err);
        double value = all[estimate];
        if (!status && f->kind == KIND_EXACT && all[CS_ESTIMATE_LOW] < all[CS_ESTIMATE_HIGH]) {
            status = cs_conf_fail(groups[i], err, "'%s' must have low and high equal to the value",
                                  f->name);
        }
        if (!status && factor) {
            s.factor[f->kind] = value;
            status = cs_conf_maybe_number(groups[i], "node_nm", 1, MAX_NODE_NM, &s.from_nm[f->kind],
                                          err);
        } else if (!status && i > 0) {
            status = scale(groups[i], f, &s, &value, err);
        }
        if (status) {
            return status;
        }
        if (!factor) {
            memcpy((char *)read + f->offset, &value, sizeof value);
        }
        if (i == 0) {
            s.node_nm = value;
        }
    }
    return CS_OK;
}

/* `before` is the supply of the voltage before, in each estimate, and becomes that of this one. */
static cs_status read_voltage(cs_conf_node group, cs_estimate estimate,
                              double before[CS_ESTIMATE_COUNT], cs_technology *read, bool *recalled,
                              cs_error *err)
{
    static const char *const keys[] = {"clock_mhz", "value", "low", "high", "provenance", NULL};
    double clock_mhz, all[CS_ESTIMATE_COUNT];
    cs_conf_node source = cs_conf_member(group, "provenance");
    cs_provenance provenance;
    cs_status status = cs_conf_only(group, keys, err);
    if (!status && !cs_conf_exists(source)) {
        status = cs_conf_fail(group, err, "a voltage needs a provenance");
    }
    if (!status) {
        status = cs_provenance_parse(source, &provenance, err);
    }
    if (!status) {
        status = cs_conf_number(group, "clock_mhz", 1, MAX_CLOCK_MHZ, &clock_mhz, err);
    }
    if (!status) {
        status = read_interval(group, MAX_SUPPLY_V, all, err);
    }
    if (status) {
        return status;
    }
    if (read->voltage_count > 0) {
        double slower_mhz = read->voltages[read->voltage_count - 1].clock_mhz;
        if (clock_mhz <= slower_mhz) {
            return cs_conf_fail(cs_conf_member(group, "clock_mhz"), err,
                                "must be more than that of the voltage before, %g", slower_mhz);
        }
    }
    for (size_t i = 0; i < CS_ESTIMATE_COUNT; i++) {
        if (all[i] <= before[i]) {
            return cs_conf_fail(group, err, "the supply must rise with the clock");
        }
        before[i] = all[i];
    }
    read->voltages[read->voltage_count++] = (cs_voltage){clock_mhz, all[estimate]};
    *recalled = *recalled || provenance == CS_PROVENANCE_RECALLED;
    return CS_OK;
}

static cs_status read_voltages(cs_conf_node file, cs_estimate estimate, cs_technology *read,
                               bool *recalled, cs_error *err)
{
    cs_conf_node list;
    cs_status status = cs_conf_list(file, "voltages", &list, err);
    if (status) {
        return status;
    }
    size_t count = cs_conf_length(list);
    if (count < CS_TECHNOLOGY_MIN_VOLTAGES || count > CS_TECHNOLOGY_MAX_VOLTAGES) {
        return cs_conf_fail(list, err, "must hold %u to %u voltages, not %zu",
                            CS_TECHNOLOGY_MIN_VOLTAGES, CS_TECHNOLOGY_MAX_VOLTAGES, count);
    }
    double before[CS_ESTIMATE_COUNT] = {0};
    for (size_t i = 0; i < count && !status; i++) {
        status = read_voltage(cs_conf_element(list, i), estimate, before, read, recalled, err);
    }
    return status;
}

cs_status cs_technology_read_estimate(cs_conf_node file, cs_estimate estimate,
                                      cs_technology *technology, bool *recalled, cs_error *err)
{
    static const char *const keys[] = {"kind", "source", "values", "voltages", NULL};
    static const char *const entry_keys[] = {"name",    "value",      "low", "high",
                                             "node_nm", "provenance", NULL};
    cs_conf_node groups[FIELD_COUNT];
    bool any_recalled = false;
    cs_technology read = {0};
    cs_status status = cs_provenance_header(file, "technology", keys, err);
    if (!status) {
        status = cs_provenance_entries(file, entry_keys, field_name, NULL, FIELD_COUNT, FIELD_COUNT,
                                       groups, &any_recalled, err);
    }
    if (!status) {
        status = read_values(groups, estimate, &read, err);
    }
    if (!status) {
        status = read_voltages(file, estimate, &read, &any_recalled, err);
    }
    if (status) {
        return status;
    }
    *technology = read;
    *recalled = *recalled || any_recalled;
    return CS_OK;
}

cs_status cs_technology_read(cs_conf_node file, cs_technology *technology, bool *recalled,
                             cs_error *err)
{
    return cs_technology_read_estimate(file, CS_ESTIMATE_NOMINAL, technology, recalled, err);
}

double cs_technology_voltage(const cs_technology *technology, uint32_t clock_mhz)
{
    const cs_voltage *at = technology->voltages;
    double clock = clock_mhz;
    if (clock <= at[0].clock_mhz) {
        return at[0].supply_v;
    }
    uint32_t above = 1;
    while (above + 1 < technology->voltage_count && at[above].clock_mhz < clock) {
        above++;
    }
    const cs_voltage *a = &at[above - 1], *b = &at[above];
    return a->supply_v +
           (b->supply_v - a->supply_v) * (clock - a->clock_mhz) / (b->clock_mhz - a->clock_mhz);
}

static double link_gbps(const cs_accelerator *accelerator)
{
    return (double)accelerator->link_bytes_per_s / 1e9;
}

static double pe_count(const cs_accelerator *accelerator)
{
    return (double)accelerator->pes_x * accelerator->pes_y;
}

static double pe_logic_mm2(const cs_accelerator *accelerator, const cs_technology *technology)
{
    double macs =
        (double)accelerator->cores_per_pe * accelerator->lanes_per_core * accelerator->simd_ways;
    return macs * technology->mac_area_mm2 * technology->mac_area_overhead +
           accelerator->cores_per_pe * technology->core_area_mm2 + technology->pe_area_mm2;
}

static double pe_sram_mm2(const cs_accelerator *accelerator, const cs_technology *technology)
{
    uint64_t bytes = accelerator->pe_memory_bytes + accelerator->narrow_memory_bytes +
                     accelerator->cores_per_pe * accelerator->core_memory_bytes +
                     (uint64_t)accelerator->instruction_entries * CS_INSTRUCTION_ENTRY_BYTES +
                     (uint64_t)accelerator->parameter_entries * CS_PARAMETER_ENTRY_BYTES +
                     (uint64_t)accelerator->activation_entries * CS_ACTIVATION_ENTRY_BYTES;
    return (double)(bytes * 8) * technology->sram_bit_area_mm2 * technology->sram_area_overhead;
}

double cs_pe_side_mm(const cs_accelerator *accelerator, const cs_technology *technology)
{
    return sqrt(pe_logic_mm2(accelerator, technology) + pe_sram_mm2(accelerator, technology));
}

double cs_idle_power_w(const cs_accelerator *accelerator, const cs_technology *technology)
{
    double supply =
        cs_technology_voltage(technology, accelerator->clock_mhz) / technology->voltage_nominal_v;
    double pes = pe_count(accelerator);
    double logic_mm2 = pes * pe_logic_mm2(accelerator, technology) + technology->base_area_mm2;
    double leakage = logic_mm2 * technology->logic_leakage_w_mm2 +
                     pes * pe_sram_mm2(accelerator, technology) * technology->sram_leakage_w_mm2;
    return leakage * supply + link_gbps(accelerator) * technology->link_power_w_gbps;
}

double cs_area_mm2(const cs_accelerator *accelerator, const cs_technology *technology)
{
    return pe_count(accelerator) *
               (pe_logic_mm2(accelerator, technology) + pe_sram_mm2(accelerator, technology)) +
           technology->base_area_mm2 + link_gbps(accelerator) * technology->link_area_mm2_gbps;
}
