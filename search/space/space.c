/* Genes, genomes and the size of a space: see space.h. */
#include "search/space.h"

#include "search/space/part.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHOICES    256  /* a choice is one byte of the genome */
#define MAX_PARAMETERS 1024 /* far beyond any space; bounds what a hostile file can ask for */

/* ---- size ---- */

/* The product of all choice counts, in limbs of nine decimal digits, lowest first. */
static cs_status count_points(cs_space *space, cs_error *err)
{
    /* A factor of at most 256 adds less than 2.41 digits, so a limb lasts for three of them. */
    size_t room = space->gene_count / 3 + 2, used = 1;
    uint32_t *limbs = calloc(room, sizeof *limbs);
    char *text = malloc(room * 9 + 1);
    if (!limbs || !text) {
        free(limbs);
        free(text);
        return cs_fail_memory(err);
    }
    limbs[0] = 1;
    space->size = 1;
    for (uint32_t g = 0; g < space->gene_count; g++) {
        space->size *= space->genes[g].choice_count;
        uint64_t carry = 0;
        for (size_t i = 0; i < used; i++) {
            carry += (uint64_t)limbs[i] * space->genes[g].choice_count;
            limbs[i] = (uint32_t)(carry % 1000000000);
            carry /= 1000000000;
        }
        if (carry) {
            assert(used < room);
            limbs[used++] = (uint32_t)carry;
        }
    }
    int length = sprintf(text, "%" PRIu32, limbs[used - 1]);
    for (size_t i = used - 1; i-- > 0;) {
        length += sprintf(text + length, "%09" PRIu32, limbs[i]);
    }
    free(limbs);
    free(space->size_text);
    space->size_text = text;
    return CS_OK;
}

/* ---- parameters ---- */

/* A choice as a person would write it. */
static char *choice_text(double value)
{
    char text[40];
    if (value == floor(value) && fabs(value) < 1e15) {
        snprintf(text, sizeof text, "%" PRId64, (int64_t)value);
    } else {
        snprintf(text, sizeof text, "%.15g", value);
    }
    return strdup(text);
}

static void release_gene(cs_gene *gene)
{
    for (uint32_t i = 0; gene->choices && i < gene->choice_count; i++) {
        free((char *)gene->choices[i]);
    }
    free((void *)gene->choices);
    free((void *)gene->values);
    free((char *)gene->name);
}

static cs_status read_values(cs_conf_node list, cs_gene *gene, cs_error *err)
{
    size_t count = cs_conf_length(list);
    if (count == 0 || count > MAX_CHOICES) {
        return cs_conf_fail(list, err, "must hold 1 to %d values, not %zu", MAX_CHOICES, count);
    }
    double *values = calloc(count, sizeof *values);
    const char **choices = calloc(count, sizeof *choices);
    gene->choice_count = (uint32_t)count;
    gene->values = values;
    gene->choices = choices;
    if (!values || !choices) {
        return cs_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        cs_conf_node element = cs_conf_element(list, i);
        cs_status status = cs_conf_as_number(element, -1e15, 1e15, &values[i], err);
        if (status) {
            return status;
        }
        if (gene->kind == CS_GENE_ORDINAL && i > 0 && values[i] <= values[i - 1]) {
            return cs_conf_fail(element, err,
                                "values of an ordinal parameter must rise; %g follows %g",
                                values[i], values[i - 1]);
        }
        for (size_t j = 0; j < i; j++) {
            if (values[j] == values[i]) {
                return cs_conf_fail(element, err, "the value %g is there twice", values[i]);
            }
        }
        choices[i] = choice_text(values[i]);
        if (!choices[i]) {
            return cs_fail_memory(err);
        }
    }
    return CS_OK;
}

cs_status cs_space_read_provenance(cs_conf_node group, bool *recalled, cs_error *err)
{
    const char *text;
    cs_provenance provenance;
    cs_status status = cs_conf_string(group, "provenance", &text, err);
    if (!status) {
        status = cs_provenance_parse(cs_conf_member(group, "provenance"), &provenance, err);
    }
    if (!status && provenance == CS_PROVENANCE_RECALLED) {
        *recalled = true;
    }
    return status;
}

static cs_status read_gene(cs_conf_node group, cs_gene *gene, bool *recalled, cs_error *err)
{
    static const char *const keys[] = {"name", "kind", "values", "provenance", NULL};
    const char *name, *kind;
    cs_conf_node values;
    cs_status status = cs_conf_only(group, keys, err);
    if (status || (status = cs_conf_string(group, "name", &name, err)) ||
        (status = cs_conf_string(group, "kind", &kind, err)) ||
        (status = cs_conf_list(group, "values", &values, err)) ||
        (status = cs_space_read_provenance(group, recalled, err))) {
        return status;
    }
    if (!*name) {
        return cs_conf_fail(cs_conf_member(group, "name"), err, "must not be empty");
    }
    if (strcmp(kind, "ordinal") == 0) {
        gene->kind = CS_GENE_ORDINAL;
    } else if (strcmp(kind, "categorical") == 0) {
        gene->kind = CS_GENE_CATEGORICAL;
    } else {
        return cs_conf_fail(cs_conf_member(group, "kind"), err,
                            "must be \"categorical\" or \"ordinal\", not \"%s\"", kind);
    }
    gene->name = strdup(name);
    return gene->name ? read_values(values, gene, err) : cs_fail_memory(err);
}

cs_space *cs_space_read_frame(cs_conf_node file, const char *kind, const char *const *keys,
                              bool *recalled, cs_error *err)
{
    const char *given_kind, *text;
    cs_conf_node list;
    if (cs_conf_only(file, keys, err) || cs_conf_string(file, "kind", &given_kind, err)) {
        return NULL;
    }
    if (strcmp(given_kind, kind) != 0) {
        cs_conf_fail(cs_conf_member(file, "kind"), err, "must be \"%s\", not \"%s\"", kind,
                     given_kind);
        return NULL;
    }
    if (cs_conf_string(file, "name", &text, err) || cs_conf_string(file, "source", &text, err) ||
        cs_conf_list(file, "parameters", &list, err)) {
        return NULL;
    }
    size_t count = cs_conf_length(list);
    if (count == 0 || count > MAX_PARAMETERS) {
        cs_conf_fail(list, err, "must hold 1 to %d parameters, not %zu", MAX_PARAMETERS, count);
        return NULL;
    }
    cs_space *space = calloc(1, sizeof *space);
    if (!space || !(space->genes = calloc(count, sizeof *space->genes))) {
        cs_fail_memory(err);
        goto fail;
    }
    for (; space->gene_count < count; space->gene_count++) {
        cs_conf_node group = cs_conf_element(list, space->gene_count);
        cs_gene *gene = &space->genes[space->gene_count];
        if (read_gene(group, gene, recalled, err)) {
            release_gene(gene);
            goto fail;
        }
        for (uint32_t g = 0; g < space->gene_count; g++) {
            if (strcmp(space->genes[g].name, gene->name) == 0) {
                cs_conf_fail(cs_conf_member(group, "name"), err,
                             "there is a parameter \"%s\" already", gene->name);
                release_gene(gene);
                goto fail;
            }
        }
    }
    if (count_points(space, err) == CS_OK) {
        return space;
    }
fail:
    cs_space_free(space);
    return NULL;
}

/* ---- spaces ---- */

cs_space *cs_space_join(cs_space *network, cs_space *accelerator, cs_error *err)
{
    if (!network || !accelerator) {
        goto fail;
    }
    assert(network->network && !network->accelerator);
    assert(accelerator->accelerator && !accelerator->network);
    for (uint32_t a = 0; a < accelerator->gene_count; a++) {
        for (uint32_t n = 0; n < network->gene_count; n++) {
            if (strcmp(accelerator->genes[a].name, network->genes[n].name) == 0) {
                cs_fail(err, CS_EINVAL,
                        "network space and accelerator space both have a parameter \"%s\"",
                        accelerator->genes[a].name);
                goto fail;
            }
        }
    }
    uint32_t total = network->gene_count + accelerator->gene_count;
    cs_gene *genes = realloc(network->genes, total * sizeof *genes);
    if (!genes) {
        cs_fail_memory(err);
        goto fail;
    }
    memcpy(genes + network->gene_count, accelerator->genes,
           accelerator->gene_count * sizeof *genes);
    network->genes = genes;
    network->gene_count = total;
    network->accelerator = accelerator->accelerator;
    accelerator->gene_count = 0;
    accelerator->accelerator = NULL;
    if (count_points(network, err)) {
        goto fail;
    }
    cs_space_free(accelerator);
    return network;
fail:
    cs_space_free(network);
    cs_space_free(accelerator);
    return NULL;
}

void cs_space_free(cs_space *space)
{
    if (!space) {
        return;
    }
    for (uint32_t g = 0; g < space->gene_count; g++) {
        release_gene(&space->genes[g]);
    }
    free(space->genes);
    cs_network_template_free(space->network);
    cs_accelerator_template_free(space->accelerator);
    free(space->size_text);
    free(space);
}

uint32_t cs_space_gene_count(const cs_space *space)
{
    return space->gene_count;
}

const cs_gene *cs_space_gene(const cs_space *space, uint32_t index)
{
    assert(index < space->gene_count);
    return &space->genes[index];
}

size_t cs_space_genome_bytes(const cs_space *space)
{
    return space->gene_count;
}

uint32_t cs_space_network_gene_count(const cs_space *space)
{
    return space->network_gene_count;
}

uint32_t cs_space_get(const cs_space *space, const uint8_t *genome, uint32_t gene)
{
    assert(gene < space->gene_count);
    (void)space;
    return genome[gene];
}

void cs_space_set(const cs_space *space, uint8_t *genome, uint32_t gene, uint32_t choice)
{
    assert(gene < space->gene_count && choice < space->genes[gene].choice_count);
    (void)space;
    genome[gene] = (uint8_t)choice;
}

const char *cs_space_size_text(const cs_space *space)
{
    return space->size_text;
}

double cs_space_size(const cs_space *space)
{
    return space->size;
}

void cs_space_sample(const cs_space *space, cs_random *random, uint8_t *genome)
{
    for (uint32_t g = 0; g < space->gene_count; g++) {
        genome[g] = (uint8_t)cs_random_below(random, space->genes[g].choice_count);
    }
}

bool cs_space_contains(const cs_space *space, const uint8_t *genome, size_t size)
{
    if (size != space->gene_count) {
        return false;
    }
    for (uint32_t g = 0; g < space->gene_count; g++) {
        if (genome[g] >= space->genes[g].choice_count) {
            return false;
        }
    }
    return true;
}

cs_status cs_space_decode_network(const cs_space *space, const uint8_t *genome, cs_network *network,
                                  cs_error *err)
{
    assert(space->network);
    return cs_network_template_decode(space->network, space->genes, genome, network, err);
}

void cs_space_decode_accelerator(const cs_space *space, const uint8_t *genome,
                                 cs_accelerator *accelerator)
{
    assert(space->accelerator);
    cs_accelerator_template_decode(space->accelerator, genome + space->network_gene_count,
                                   accelerator);
}
