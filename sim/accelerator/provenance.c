/* Values with provenance: see provenance.h. */
#include "sim/accelerator/provenance.h"

#include <ctype.h>
#include <string.h>

cs_status cs_provenance_parse(cs_conf_node node, cs_provenance *provenance, cs_error *err)
{
    static const struct {
        const char *word;
        cs_provenance provenance;
    } words[] = {
        {"published", CS_PROVENANCE_PUBLISHED},
        {"computed", CS_PROVENANCE_COMPUTED},
        {"recalled", CS_PROVENANCE_RECALLED},
        {"chosen", CS_PROVENANCE_CHOSEN},
    };
    const char *text;
    cs_status status = cs_conf_as_string(node, &text, err);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].word);
        if (strncmp(text, words[i].word, length) == 0 && !isalnum((unsigned char)text[length])) {
            *provenance = words[i].provenance;
            return CS_OK;
        }
    }
    return cs_conf_fail(node, err,
                        "must begin with published, computed, recalled or chosen, as in "
                        "\"published: where\"");
}

cs_status cs_provenance_header(cs_conf_node file, const char *kind, const char *const *keys,
                               cs_error *err)
{
    const char *text = NULL;
    cs_status status = cs_conf_only(file, keys, err);
    if (!status) {
        status = cs_conf_string(file, "kind", &text, err);
    }
    if (status) {
        return status;
    }
    if (strcmp(text, kind) != 0) {
        return cs_conf_fail(cs_conf_member(file, "kind"), err, "must be \"%s\", not \"%s\"", kind,
                            text);
    }
    return cs_conf_maybe_string(file, "source", &text, err);
}

static cs_status read_entry(cs_conf_node group, const char *const *keys, cs_field_name name,
                            const void *context, size_t count, cs_conf_node *entry, bool *recalled,
                            cs_error *err)
{
    const char *wanted;
    cs_status status = cs_conf_only(group, keys, err);
    if (!status) {
        status = cs_conf_string(group, "name", &wanted, err);
    }
    if (status) {
        return status;
    }
    cs_conf_node name_node = cs_conf_member(group, "name");
    size_t i = 0;
    while (i < count && strcmp(name(context, i), wanted) != 0) {
        i++;
    }
    if (i == count) {
        return cs_conf_fail(name_node, err, "unknown field '%s'", wanted);
    }
    if (cs_conf_exists(entry[i])) {
        return cs_conf_fail(name_node, err, "'%s' is given twice", wanted);
    }
    cs_conf_node number = cs_conf_member(group, "value");
    cs_conf_node source = cs_conf_member(group, "provenance");
    if (!cs_conf_exists(number) || !cs_conf_exists(source)) {
        return cs_conf_fail(group, err, "'%s' needs a value and a provenance", wanted);
    }
    cs_provenance provenance;
    status = cs_provenance_parse(source, &provenance, err);
    if (!status) {
        entry[i] = group;
        *recalled = *recalled || provenance == CS_PROVENANCE_RECALLED;
    }
    return status;
}

cs_status cs_provenance_entries(cs_conf_node file, const char *const *keys, cs_field_name name,
                                const void *context, size_t count, size_t required,
                                cs_conf_node *entry, bool *recalled, cs_error *err)
{
    cs_conf_node list;
    cs_status status = cs_conf_list(file, "values", &list, err);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        entry[i] = (cs_conf_node){0};
    }
    bool any_recalled = false;
    for (size_t i = 0; i < cs_conf_length(list); i++) {
        status = read_entry(cs_conf_element(list, i), keys, name, context, count, entry,
                            &any_recalled, err);
        if (status) {
            return status;
        }
    }
    for (size_t i = 0; i < required; i++) {
        if (!cs_conf_exists(entry[i])) {
            return cs_conf_fail(list, err, "the field '%s' is missing", name(context, i));
        }
    }
    *recalled = *recalled || any_recalled;
    return CS_OK;
}

cs_status cs_provenance_values(cs_conf_node file, cs_field_name name, const void *context,
                               size_t count, size_t required, cs_conf_node *value, bool *recalled,
                               cs_error *err)
{
    static const char *const keys[] = {"name", "value", "provenance", NULL};
    cs_status status =
        cs_provenance_entries(file, keys, name, context, count, required, value, recalled, err);
    for (size_t i = 0; !status && i < count; i++) {
        if (cs_conf_exists(value[i])) {
            value[i] = cs_conf_member(value[i], "value");
        }
    }
    return status;
}
