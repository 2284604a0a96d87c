/* The accelerator: see accelerator.h. */
#include "sim/accelerator/accelerator.h"

#include <assert.h>
#include <string.h>

#define KIB  1024.0
#define MIB  (1024.0 * 1024.0)
#define GIGA 1e9

#define FIELD(name, nahas, text, unit, nahas_unit, min, max, member)                               \
    {                                                                                              \
        name, nahas, text, unit, nahas_unit, min, max, offsetof(cs_accelerator, member),           \
            sizeof(((cs_accelerator *)0)->member)                                                  \
    }

/* The upper ends keep MACs a cycle and padded weight bytes far inside 64 bits. */
const cs_accelerator_field cs_accelerator_fields[] = {
    FIELD("pes_x", "PEs_in_x_dimension", "PEs along x", 1, 1, 1, 64, pes_x),
    FIELD("pes_y", "PEs_in_y_dimension", "PEs along y", 1, 1, 1, 64, pes_y),
    FIELD("cores_per_pe", "compute_lanes", "cores of a PE", 1, 1, 1, 64, cores_per_pe),
    FIELD("lanes_per_core", "SIMD_units", "compute lanes of a core", 1, 1, 1, 512, lanes_per_core),
    FIELD("simd_ways", "simd_ways", "MACs of a lane", 1, 1, 1, 32, simd_ways),
    FIELD("clock_mhz", "clock_mhz", "clock of PEs and memories, MHz", 1, 1, 1, 5000, clock_mhz),
    FIELD("pe_memory_kib", "local_memory_MB", "memory of a PE, KiB (NAHAS: MiB)", KIB, MIB, 1024,
          1ull << 28, pe_memory_bytes),
    FIELD("core_memory_kib", "register_file_KB", "parameter memory of a core, KiB", KIB, KIB, 1024,
          1ull << 24, core_memory_bytes),
    FIELD("instruction_entries", "instruction_entries", "instruction memory of a PE, entries", 1, 1,
          1, 1 << 20, instruction_entries),
    FIELD("parameter_entries", "parameter_entries", "parameter memory of a PE, entries", 1, 1, 1,
          1 << 20, parameter_entries),
    FIELD("activation_entries", "activation_entries", "activation memory of a PE, entries", 1, 1, 1,
          1 << 20, activation_entries),
    FIELD("link_gbps", "io_bandwidth_gbps", "off-chip link in each direction, 1e9 bytes/s", GIGA,
          GIGA, 1000000, 1000000000000, link_bytes_per_s),
    FIELD("narrow_memory_kib", "narrow_memory_kib",
          "memory of a PE for activations alone, KiB; 0: they share PE memory", KIB, KIB, 0,
          1ull << 28, narrow_memory_bytes),
};

const uint32_t cs_accelerator_field_count =
    sizeof cs_accelerator_fields / sizeof cs_accelerator_fields[0];

#define FIELD_COUNT (sizeof cs_accelerator_fields / sizeof cs_accelerator_fields[0])

static const char *name_under(const cs_accelerator_field *field, cs_naming naming)
{
    return naming == CS_NAMING_NAHAS ? field->nahas : field->name;
}

/* Those that may be absent come last. */
static size_t required_count(void)
{
    size_t count = 0;
    while (count < FIELD_COUNT && cs_accelerator_fields[count].min > 0) {
        count++;
    }
    return count;
}

static const char *field_name(const void *context, size_t index)
{
    return name_under(&cs_accelerator_fields[index], *(const cs_naming *)context);
}

cs_status cs_naming_parse(cs_conf_node node, cs_naming *naming, cs_error *err)
{
    const char *text;
    cs_status status = cs_conf_as_string(node, &text, err);
    if (status) {
        return status;
    }
    if (strcmp(text, "edgetpu") == 0) {
        *naming = CS_NAMING_EDGETPU;
    } else if (strcmp(text, "nahas") == 0) {
        *naming = CS_NAMING_NAHAS;
    } else {
        return cs_conf_fail(node, err, "must be \"edgetpu\" or \"nahas\", not \"%s\"", text);
    }
    return CS_OK;
}

const cs_accelerator_field *cs_accelerator_find(cs_naming naming, const char *name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(name_under(&cs_accelerator_fields[i], naming), name) == 0) {
            return &cs_accelerator_fields[i];
        }
    }
    return NULL;
}

cs_status cs_accelerator_field_value(const cs_accelerator_field *field, cs_naming naming,
                                     double in_file, uint64_t *value, cs_error *err)
{
    double unit = naming == CS_NAMING_NAHAS ? field->nahas_unit : field->unit;
    double scaled = in_file * unit;
    if (!(scaled >= (double)field->min && scaled <= (double)field->max)) {
        return cs_fail(err, CS_EINVAL, "%s must be from %g to %g, not %g",
                       name_under(field, naming), (double)field->min / unit,
                       (double)field->max / unit, in_file);
    }
    /* Decimal fractions of a unit (0.1 GB/s) are not exact in binary: allow for their rounding. */
    double whole = (double)(uint64_t)(scaled + 0.5);
    double off = scaled > whole ? scaled - whole : whole - scaled;
    if (off > 1e-12 * scaled) {
        return cs_fail(err, CS_EINVAL, "%s must be a whole number of %s, not %g",
                       name_under(field, naming), unit == 1 ? "units" : "bytes", in_file);
    }
    *value = (uint64_t)whole;
    return CS_OK;
}

uint64_t cs_accelerator_get(const cs_accelerator *accelerator, const cs_accelerator_field *field)
{
    const char *at = (const char *)accelerator + field->offset;
    if (field->size == sizeof(uint64_t)) {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    uint32_t value;
    assert(field->size == sizeof value);
    memcpy(&value, at, sizeof value);
    return value;
}

void cs_accelerator_set(cs_accelerator *accelerator, const cs_accelerator_field *field,
                        uint64_t value)
{
    assert(value >= field->min && value <= field->max);
    char *at = (char *)accelerator + field->offset;
    if (field->size == sizeof(uint64_t)) {
        memcpy(at, &value, sizeof value);
    } else {
        uint32_t narrow = (uint32_t)value;
        assert(field->size == sizeof narrow);
        memcpy(at, &narrow, sizeof narrow);
    }
}

cs_status cs_accelerator_read(cs_conf_node file, cs_accelerator *accelerator, bool *recalled,
                              cs_error *err)
{
    static const char *const keys[] = {"kind", "naming", "source", "values", NULL};
    cs_status status = cs_provenance_header(file, "accelerator", keys, err);
    if (status) {
        return status;
    }
    const char *text;
    cs_naming naming;
    status = cs_conf_string(file, "naming", &text, err);
    if (!status) {
        status = cs_naming_parse(cs_conf_member(file, "naming"), &naming, err);
    }
    if (status) {
        return status;
    }
    cs_conf_node nodes[FIELD_COUNT];
    bool any_recalled = false;
    status = cs_provenance_values(file, field_name, &naming, FIELD_COUNT, required_count(), nodes,
                                  &any_recalled, err);
    if (status) {
        return status;
    }
    cs_accelerator read = {0};
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[i];
        double unit = naming == CS_NAMING_NAHAS ? field->nahas_unit : field->unit;
        double in_file;
        if (!cs_conf_exists(nodes[i])) {
            continue;
        }
        status = cs_conf_as_number(nodes[i], (double)field->min / unit, (double)field->max / unit,
                                   &in_file, err);
        if (status) {
            return status;
        }
        uint64_t value;
        cs_error why;
        if (cs_accelerator_field_value(field, naming, in_file, &value, &why) != CS_OK) {
            return cs_conf_fail(nodes[i], err, "%s", why.text);
        }
        cs_accelerator_set(&read, field, value);
    }
    *accelerator = read;
    *recalled = *recalled || any_recalled;
    return CS_OK;
}

uint64_t cs_activation_memory_bytes(const cs_accelerator *accelerator)
{
    return accelerator->narrow_memory_bytes > 0 ? accelerator->narrow_memory_bytes
                                                : accelerator->pe_memory_bytes;
}

uint64_t cs_accelerator_macs_per_cycle(const cs_accelerator *accelerator)
{
    return (uint64_t)accelerator->pes_x * accelerator->pes_y * accelerator->cores_per_pe *
           accelerator->lanes_per_core * accelerator->simd_ways;
}

double cs_accelerator_peak_ops(const cs_accelerator *accelerator)
{
    return 2.0 * (double)cs_accelerator_macs_per_cycle(accelerator) *
           ((double)accelerator->clock_mhz * 1e6);
}
