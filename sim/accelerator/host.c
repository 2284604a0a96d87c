/* The host: see host.h. */
#include "sim/accelerator/host.h"

#include "sim/accelerator/provenance.h"

#include <string.h>

#define MIB (1024.0 * 1024.0)

static const struct {
    const char *name;
    double min, max, unit; /* value in the file * unit = value in the struct */
} fields[] = {
    {"in_mib_s", 0.001, 1e6, MIB},
    {"out_mib_s", 0.001, 1e6, MIB},
    {"call_ms", 0, 1e6, 1e-3},
};

#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static const char *field_name(const void *context, size_t index)
{
    (void)context;
    return fields[index].name;
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
        status = cs_provenance_values(file, field_name, NULL, FIELD_COUNT, FIELD_COUNT, nodes,
                                      &any_recalled, err);
    }
    double values[FIELD_COUNT] = {0};
    for (size_t i = 0; i < FIELD_COUNT && !status; i++) {
        status = cs_conf_as_number(nodes[i], fields[i].min, fields[i].max, &values[i], err);
        values[i] *= fields[i].unit;
    }
    if (status) {
        return status;
    }
    *host =
        (cs_host){.in_bytes_per_s = values[0], .out_bytes_per_s = values[1], .call_s = values[2]};
    memcpy(chip, name, strlen(name) + 1);
    *recalled = *recalled || any_recalled;
    return CS_OK;
}
