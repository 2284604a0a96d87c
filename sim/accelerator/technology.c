/* The technology: see technology.h. */
#include "sim/accelerator/technology.h"

#include <string.h>

typedef struct field {
    const char *name;
    size_t offset;
    double max;
} field;

#define FIELD(member, max)                                                                         \
    {                                                                                              \
#member, offsetof(cs_technology, member), max                                              \
    }

/* No value may be zero: a resource would be free. The upper ends catch slips of unit, such as
 * picojoules where joules are meant. */
static const field fields[] = {
    FIELD(node_nm, 1000),
    FIELD(clock_nominal_mhz, 5000),
    FIELD(voltage_nominal_v, 5),
    FIELD(voltage_v_ghz, 5),
    FIELD(voltage_min_v, 5),
    FIELD(mac_j, 1e-6),
    FIELD(core_memory_read_j_byte, 1e-6),
    FIELD(core_memory_write_j_byte, 1e-6),
    FIELD(pe_memory_read_j_byte, 1e-6),
    FIELD(pe_memory_write_j_byte, 1e-6),
    FIELD(dram_read_j_byte, 1e-6),
    FIELD(dram_write_j_byte, 1e-6),
    FIELD(mac_area_mm2, 1),
    FIELD(sram_area_mm2_byte, 1),
    FIELD(pe_area_mm2, 100),
    FIELD(link_area_mm2_gbps, 100),
    FIELD(base_area_mm2, 1000),
    FIELD(logic_leakage_w_mm2, 100),
    FIELD(sram_leakage_w_mm2, 100),
    FIELD(link_power_w_gbps, 100),
};

#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static const char *field_name(const void *context, size_t index)
{
    (void)context;
    return fields[index].name;
}

cs_status cs_technology_read(cs_conf_node file, cs_technology *technology, bool *recalled,
                             cs_error *err)
{
    static const char *const keys[] = {"kind", "source", "values", NULL};
    cs_conf_node nodes[FIELD_COUNT];
    bool any_recalled = false;
    cs_status status = cs_provenance_header(file, "technology", keys, err);
    if (!status) {
        status = cs_provenance_values(file, field_name, NULL, FIELD_COUNT, FIELD_COUNT, nodes,
                                      &any_recalled, err);
    }
    if (status) {
        return status;
    }
    cs_technology read = {0};
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        double value;
        status = cs_conf_as_number(nodes[i], 1e-18, fields[i].max, &value, err);
        if (status) {
            return status;
        }
        memcpy((char *)&read + fields[i].offset, &value, sizeof value);
    }
    *technology = read;
    *recalled = *recalled || any_recalled;
    return CS_OK;
}

double cs_technology_voltage(const cs_technology *technology, uint32_t clock_mhz)
{
    double voltage =
        technology->voltage_nominal_v +
        technology->voltage_v_ghz * (((double)clock_mhz - technology->clock_nominal_mhz) / 1e3);
    return voltage > technology->voltage_min_v ? voltage : technology->voltage_min_v;
}

static double link_gbps(const cs_accelerator *accelerator)
{
    return (double)accelerator->link_bytes_per_s / 1e9;
}

static double logic_area_mm2(const cs_accelerator *accelerator, const cs_technology *technology)
{
    double pes = (double)accelerator->pes_x * accelerator->pes_y;
    return (double)cs_accelerator_macs_per_cycle(accelerator) * technology->mac_area_mm2 +
           pes * technology->pe_area_mm2 + technology->base_area_mm2;
}

static double sram_area_mm2(const cs_accelerator *accelerator, const cs_technology *technology)
{
    uint64_t pes = (uint64_t)accelerator->pes_x * accelerator->pes_y;
    uint64_t pe_bytes = accelerator->pe_memory_bytes + accelerator->narrow_memory_bytes +
                        accelerator->cores_per_pe * accelerator->core_memory_bytes +
                        (uint64_t)accelerator->instruction_entries * CS_INSTRUCTION_ENTRY_BYTES +
                        (uint64_t)accelerator->parameter_entries * CS_PARAMETER_ENTRY_BYTES +
                        (uint64_t)accelerator->activation_entries * CS_ACTIVATION_ENTRY_BYTES;
    return (double)(pes * pe_bytes) * technology->sram_area_mm2_byte;
}

double cs_idle_power_w(const cs_accelerator *accelerator, const cs_technology *technology)
{
    double supply =
        cs_technology_voltage(technology, accelerator->clock_mhz) / technology->voltage_nominal_v;
    double leakage = logic_area_mm2(accelerator, technology) * technology->logic_leakage_w_mm2 +
                     sram_area_mm2(accelerator, technology) * technology->sram_leakage_w_mm2;
    return leakage * supply + link_gbps(accelerator) * technology->link_power_w_gbps;
}

double cs_area_mm2(const cs_accelerator *accelerator, const cs_technology *technology)
{
    return logic_area_mm2(accelerator, technology) + sram_area_mm2(accelerator, technology) +
           link_gbps(accelerator) * technology->link_area_mm2_gbps;
}
