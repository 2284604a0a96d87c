/* Fields of a design: see fields.h. */
#include "client/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding ---- */

/* Exactly one of the two. */
typedef struct found_field {
    const cs_accelerator_field *of_chip;
    const cs_host_field *of_host;
} found_field;

bool cs_fields_hosted(const cs_accelerator *accelerator)
{
    return accelerator->host.in_bytes_per_s > 0;
}

static cs_status find(cs_naming naming, const char *name, const cs_accelerator *accelerator,
                      found_field *found, cs_error *err)
{
    bool hosted = cs_fields_hosted(accelerator);
    const cs_accelerator_field *of_chip = cs_accelerator_find(naming, name);
    const cs_host_field *of_host = of_chip ? NULL : cs_host_find(name);
    if (of_chip || (of_host && hosted)) {
        *found = (found_field){.of_chip = of_chip, .of_host = of_host};
        return CS_OK;
    }
    char list[CS_ERROR_TEXT] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < cs_accelerator_field_count && used < sizeof list; i++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[i];
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 naming == CS_NAMING_NAHAS ? field->nahas : field->name);
    }
    for (uint32_t i = 0; hosted && i < cs_host_field_count && used < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 i ? ", " : "; its host has: ", cs_host_fields[i].name);
    }
    if (of_host) {
        return cs_fail(err, CS_EINVAL,
                       "'%s' is a field of a host, and there is none; the accelerator has: %s",
                       name, list);
    }
    return cs_fail(err, CS_EINVAL, "'%.60s' is no field of this accelerator; it has: %s", name,
                   list);
}

/* ---- setting ---- */

static cs_status set_chip_value(cs_naming naming, const cs_accelerator_field *field, double in_file,
                                cs_accelerator *accelerator, cs_error *err)
{
    uint64_t value;
    cs_status status = cs_accelerator_field_value(field, naming, in_file, &value, err);
    if (!status) {
        cs_accelerator_set(accelerator, field, value);
    }
    return status;
}

cs_status cs_fields_set(cs_naming naming, const char *name, const char *text,
                        cs_accelerator *accelerator, cs_error *err)
{
    found_field found;
    cs_status status = find(naming, name, accelerator, &found, err);
    if (status) {
        return status;
    }
    char *end;
    double in_file = strtod(text, &end); /* which also takes hexadecimal */
    if (end == text || *end || strpbrk(text, "xX")) {
        return cs_fail(err, CS_EINVAL, "%s must be a number, not '%.60s'", name, text);
    }
    return found.of_host ? cs_host_set(&accelerator->host, found.of_host, in_file, err)
                         : set_chip_value(naming, found.of_chip, in_file, accelerator, err);
}

/* ---- values around one ---- */

char *cs_fields_around(cs_naming naming, const char *name, const cs_accelerator *accelerator,
                       cs_error *err)
{
    static const double factors[] = {0.25, 0.5, 2, 4};
    found_field found;
    char *list = NULL;
    size_t size, count = 0;
    if (find(naming, name, accelerator, &found, err) != CS_OK) {
        return NULL;
    }
    FILE *stream = open_memstream(&list, &size);
    if (!stream) {
        cs_fail_memory(err);
        return NULL;
    }
    fprintf(stream, "%s=", name);
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        cs_accelerator tried = *accelerator;
        double in_file;
        cs_status status;
        if (found.of_host) {
            in_file = cs_host_get(&accelerator->host, found.of_host) * factors[i];
            status = cs_host_set(&tried.host, found.of_host, in_file, NULL);
        } else {
            const cs_accelerator_field *field = found.of_chip;
            double unit = naming == CS_NAMING_NAHAS ? field->nahas_unit : field->unit;
            double value = (double)cs_accelerator_get(accelerator, field) * factors[i];
            in_file = (double)(uint64_t)value / unit;
            status = set_chip_value(naming, field, in_file, &tried, NULL);
        }
        if (!status && in_file > 0) {
            fprintf(stream, "%s%.15g", count++ ? "," : "", in_file);
        }
    }
    if (fclose(stream) != 0) {
        free(list);
        cs_fail_memory(err);
        return NULL;
    }
    if (count == 0) {
        free(list);
        cs_fail(err, CS_EINVAL, "there are no values around that of %s; give some, as %s=V1,V2",
                name, name);
        return NULL;
    }
    return list;
}
