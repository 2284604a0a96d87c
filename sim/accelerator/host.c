/* The host: see host.h. */
#include "sim/accelerator/host.h"

#include "sim/accelerator/provenance.h"

#include <string.h>

#define MIB (1024.0 * 1024.0)

#define FIELD(name, text, unit, min, max, optional, member)                                        \
    {                                                                                              \
        name, text, unit, min, max, optional, offsetof(cs_host, member)                            \
    }

/* Those that may be absent come last. */
const cs_host_field cs_host_fields[] = {
    FIELD("in_mib_s", "rate into the chip, 2^20 bytes a second", MIB, 0.001, 1e6, false,
          in_bytes_per_s),
    FIELD("out_mib_s", "rate out of the chip, 2^20 bytes a second", MIB, 0.001, 1e6, false,
          out_bytes_per_s),
    FIELD("call_ms", "time of every inference, ms", 1e-3, 0, 1e6, false, call_s),
    FIELD("stream_start_ms", "time before the first stream of an inference, ms", 1e-3, 0, 1e6, true,
          stream_start_s),
};

const uint32_t cs_host_field_count = sizeof cs_host_fields / sizeof cs_host_fields[0];

#define FIELD_COUNT (sizeof cs_host_fields / sizeof cs_host_fields[0])

static size_t required_count(void)
{
    size_t count = 0;
    while (count < FIELD_COUNT && !cs_host_fields[count].optional) {
        count++;
    }
    return count;
}

static const char *field_name(const void *context, size_t index)
{
    (void)context;
    return cs_host_fields[index].name;
}

const cs_host_field *cs_host_find(const char *name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(cs_host_fields[i].name, name) == 0) {
            return &cs_host_fields[i];
        }
    }
    return NULL;
}

double cs_host_get(const cs_host *host, const cs_host_field *field)
{
    double value;
    memcpy(&value, (const char *)host + field->offset, sizeof value);
    return value / field->unit;
}

static void set_value(cs_host *host, const cs_host_field *field, double in_file)
{
    double value = in_file * field->unit;
    memcpy((char *)host + field->offset, &value, sizeof value);
}

cs_status cs_host_set(cs_host *host, const cs_host_field *field, double in_file, cs_error *err)
{
    if (!(in_file >= field->min && in_file <= field->max)) {
        return cs_fail(err, CS_EINVAL, "%s must be from %g to %g, not %g", field->name, field->min,
                       field->max, in_file);
    }
    set_value(host, field, in_file);
    return CS_OK;
}

cs_status cs_host_read(cs_conf_node file, cs_host *host, char chip[CS_HOST_MAX_CHIP],
                       bool *recalled, cs_error *err)
{
    static const char *const keys[] = {"kind", "accelerator", "source", "values", NULL};
    const char *name = NULL;
    cs_conf_node nodes[FIELD_COUNT];
    bool any_recalled = false;
    cs_status status = cs_provenance_header(file, "host", keys, err);
    if (!status) {
        status = cs_conf_string(file, "accelerator", &name, err);
    }
    if (!status && (name[0] == '\0' || strlen(name) >= CS_HOST_MAX_CHIP)) {
        status = cs_conf_fail(cs_conf_member(file, "accelerator"), err,
                              "must have 1 to %u characters", CS_HOST_MAX_CHIP - 1);
    }
    if (!status) {
        status = cs_provenance_values(file, field_name, NULL, FIELD_COUNT, required_count(), nodes,
                                      &any_recalled, err);
    }
    cs_host read = {0};
    for (size_t i = 0; i < FIELD_COUNT && !status; i++) {
        const cs_host_field *field = &cs_host_fields[i];
        double in_file;
        if (!cs_conf_exists(nodes[i])) {
            continue;
        }
        status = cs_conf_as_number(nodes[i], field->min, field->max, &in_file, err);
        if (!status) {
            set_value(&read, field, in_file);
        }
    }
    if (status) {
        return status;
    }
    *host = read;
    memcpy(chip, name, strlen(name) + 1);
    *recalled = *recalled || any_recalled;
    return CS_OK;
}
