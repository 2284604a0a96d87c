/* Accelerator spaces: the file, and the accelerator of a genome.
 *
 * The file gives every field of the accelerator template exactly once, either as a parameter of
 * the field's name or as a fixed value. */
#include "search/space/part.h"

#include <stdlib.h>
#include <string.h>

typedef struct template_knob {
    const cs_accelerator_field *field;
    uint64_t *values; /* owned; one a choice of the gene, in the units of cs_accelerator */
} template_knob;

struct cs_accelerator_template {
    cs_accelerator fixed; /* the fields that no gene sets */
    uint32_t knob_count;  /* one a gene, in the order of the genes */
    template_knob *knobs; /* owned */
};

void cs_accelerator_template_free(cs_accelerator_template *template)
{
    if (template) {
        for (uint32_t k = 0; template->knobs && k < template->knob_count; k++) {
            free(template->knobs[k].values);
        }
        free(template->knobs);
        free(template);
    }
}

void cs_accelerator_template_decode(const cs_accelerator_template *template, const uint8_t *genome,
                                    cs_accelerator *accelerator)
{
    cs_accelerator made = template->fixed;
    for (uint32_t k = 0; k < template->knob_count; k++) {
        const template_knob *knob = &template->knobs[k];
        cs_accelerator_set(&made, knob->field, knob->values[genome[k]]);
    }
    *accelerator = made;
}

/* The field of that name, which is marked as given; given twice is an error. */
static cs_status take_field(cs_conf_node name_node, cs_naming naming, bool *given,
                            const cs_accelerator_field **field, cs_error *err)
{
    const char *name;
    cs_status status = cs_conf_as_string(name_node, &name, err);
    if (status) {
        return status;
    }
    const cs_accelerator_field *found = cs_accelerator_find(naming, name);
    if (!found) {
        return cs_conf_fail(name_node, err, "no field of the accelerator is called \"%s\" here",
                            name);
    }
    bool *mark = &given[found - cs_accelerator_fields];
    if (*mark) {
        return cs_conf_fail(name_node, err, "the field \"%s\" is given twice", name);
    }
    *mark = true;
    *field = found;
    return CS_OK;
}

static cs_status field_value(cs_conf_node place, const cs_accelerator_field *field,
                             cs_naming naming, double in_file, uint64_t *value, cs_error *err)
{
    cs_error reason;
    if (cs_accelerator_field_value(field, naming, in_file, value, &reason)) {
        return cs_conf_fail(place, err, "%s", reason.text);
    }
    return CS_OK;
}

static cs_status read_knob(cs_conf_node parameter, const cs_gene *gene, cs_naming naming,
                           bool *given, template_knob *knob, cs_error *err)
{
    cs_status status =
        take_field(cs_conf_member(parameter, "name"), naming, given, &knob->field, err);
    if (status) {
        return status;
    }
    knob->values = calloc(gene->choice_count, sizeof *knob->values);
    if (!knob->values) {
        return cs_fail_memory(err);
    }
    cs_conf_node values = cs_conf_member(parameter, "values");
    for (uint32_t i = 0; i < gene->choice_count && !status; i++) {
        status = field_value(cs_conf_element(values, i), knob->field, naming, gene->values[i],
                             &knob->values[i], err);
    }
    return status;
}

static cs_status read_fixed(cs_conf_node group, cs_naming naming, bool *given,
                            cs_accelerator *fixed, bool *recalled, cs_error *err)
{
    static const char *const keys[] = {"name", "value", "provenance", NULL};
    const cs_accelerator_field *field;
    const char *name;
    double in_file;
    uint64_t value;
    cs_status status = cs_conf_only(group, keys, err);
    if (status || (status = cs_conf_string(group, "name", &name, err)) ||
        (status = cs_conf_number(group, "value", -1e15, 1e15, &in_file, err)) ||
        (status = cs_space_read_provenance(group, recalled, err)) ||
        (status = take_field(cs_conf_member(group, "name"), naming, given, &field, err)) ||
        (status =
             field_value(cs_conf_member(group, "value"), field, naming, in_file, &value, err))) {
        return status;
    }
    cs_accelerator_set(fixed, field, value);
    return CS_OK;
}

static cs_status read_template(cs_conf_node file, const cs_space *space,
                               cs_accelerator_template *template, bool *given, bool *recalled,
                               cs_error *err)
{
    cs_naming naming;
    const char *text;
    cs_conf_node fixed;
    cs_status status = cs_conf_string(file, "naming", &text, err);
    if (status || (status = cs_naming_parse(cs_conf_member(file, "naming"), &naming, err)) ||
        (status = cs_conf_list(file, "fixed", &fixed, err))) {
        return status;
    }
    cs_conf_node parameters = cs_conf_member(file, "parameters");
    for (uint32_t g = 0; g < space->gene_count && !status; g++) {
        status = read_knob(cs_conf_element(parameters, g), &space->genes[g], naming, given,
                           &template->knobs[g], err);
    }
    for (size_t i = 0; i < cs_conf_length(fixed) && !status; i++) {
        status =
            read_fixed(cs_conf_element(fixed, i), naming, given, &template->fixed, recalled, err);
    }
    for (uint32_t f = 0; f < cs_accelerator_field_count && !status; f++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[f];
        if (!given[f] && field->min > 0) {
            status = cs_conf_fail(fixed, err, "nothing gives the field \"%s\"",
                                  naming == CS_NAMING_NAHAS ? field->nahas : field->name);
        }
    }
    return status;
}

cs_space *cs_space_read_accelerator(cs_conf_node file, bool *recalled, cs_error *err)
{
    static const char *const keys[] = {"kind",       "name",  "source", "naming",
                                       "parameters", "fixed", NULL};
    bool any_recalled = false;
    cs_space *space = cs_space_read_frame(file, "accelerator-space", keys, &any_recalled, err);
    if (!space) {
        return NULL;
    }
    cs_accelerator_template *template = calloc(1, sizeof *template);
    bool *given = calloc(cs_accelerator_field_count, sizeof *given);
    space->accelerator = template;
    if (template) {
        template->knobs = calloc(space->gene_count, sizeof *template->knobs);
        template->knob_count = space->gene_count;
    }
    cs_status status = template && template->knobs && given ? CS_OK : cs_fail_memory(err);
    if (!status) {
        status = read_template(file, space, template, given, &any_recalled, err);
    }
    free(given);
    if (status) {
        cs_space_free(space);
        return NULL;
    }
    *recalled = *recalled || any_recalled;
    return space;
}
