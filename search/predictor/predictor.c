/* Accuracy predictors: see predictor.h. */
#include "search/predictor/predictor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Weights of one gene, or of two: table[a * stride + b]. */
typedef struct weight_term {
    uint32_t gene_a, gene_b; /* equal for the term of one gene, whose stride is 0 */
    uint32_t stride;
    uint32_t start; /* in weights */
} weight_term;

struct cs_predictor {
    char *metric;
    char *about;
    cs_link link;
    double ceiling;
    double intercept;
    weight_term *terms; /* in the file's order, single genes first */
    uint32_t term_count;
    double *weights;
    uint32_t weight_count;
};

static const char *const link_names[] = {
    [CS_LINK_IDENTITY] = "identity",
    [CS_LINK_INVERSE_SQUARE] = "inverse-square",
};

const char *cs_link_name(cs_link link)
{
    return link_names[link];
}

double cs_link_accuracy(cs_link link, double ceiling, double score)
{
    if (link == CS_LINK_IDENTITY) {
        return score;
    }
    /* 1 / score^2 > ceiling, without a division by what may be zero. */
    if (score <= 0 || score * score * ceiling < 1) {
        return 0;
    }
    return ceiling - 1 / (score * score);
}

/* ---- reading ---- */

/* How the file's genes and choices lie in the space. */
typedef struct gene_map {
    uint32_t gene_count;
    uint32_t *gene;  /* of a gene of the file: its gene in the space */
    uint8_t *choice; /* of [gene of the file * 256 + choice of the file]: its choice in the space */
    bool *taken;     /* genes of the space that the file has named */
} gene_map;

static const cs_gene *mapped_gene(const gene_map *map, const cs_space *space, uint32_t in_file)
{
    return cs_space_gene(space, map->gene[in_file]);
}

/* Room for `count` more weights, all zero; their start goes to *start. */
static cs_status add_weights(cs_predictor *predictor, size_t count, uint32_t *start, cs_error *err)
{
    size_t total = predictor->weight_count + count;
    double *weights = realloc(predictor->weights, total * sizeof *weights);
    if (!weights) {
        return cs_fail_memory(err);
    }
    memset(weights + predictor->weight_count, 0, count * sizeof *weights);
    predictor->weights = weights;
    *start = predictor->weight_count;
    predictor->weight_count = (uint32_t)total;
    return CS_OK;
}

static cs_status check_length(cs_conf_node list, size_t length, cs_error *err)
{
    if (cs_conf_length(list) != length) {
        return cs_conf_fail(list, err, "must hold %zu elements, not %zu", length,
                            cs_conf_length(list));
    }
    return CS_OK;
}

/* Find the gene of the space that `group` describes, and where its choices are there. */
static cs_status map_gene(cs_conf_node group, const cs_space *space, gene_map *map,
                          uint32_t in_file, cs_error *err)
{
    const char *name;
    cs_conf_node choices;
    cs_status status = cs_conf_string(group, "name", &name, err);
    if (status || (status = cs_conf_list(group, "choices", &choices, err))) {
        return status;
    }
    uint32_t g = 0;
    while (g < map->gene_count && strcmp(cs_space_gene(space, g)->name, name) != 0) {
        g++;
    }
    if (g == map->gene_count || map->taken[g]) {
        return cs_conf_fail(cs_conf_member(group, "name"), err,
                            g == map->gene_count ? "the network space has no parameter \"%s\""
                                                 : "the gene \"%s\" is described twice",
                            name);
    }
    const cs_gene *gene = cs_space_gene(space, g);
    status = check_length(choices, gene->choice_count, err);
    bool seen[256] = {false};
    for (uint32_t i = 0; i < gene->choice_count && !status; i++) {
        cs_conf_node place = cs_conf_element(choices, i);
        const char *text = NULL;
        status = cs_conf_as_string(place, &text, err);
        uint32_t c = 0;
        while (!status && c < gene->choice_count && strcmp(gene->choices[c], text) != 0) {
            c++;
        }
        if (!status && (c == gene->choice_count || seen[c])) {
            status = cs_conf_fail(place, err,
                                  c < gene->choice_count
                                      ? "the choice \"%s\" of \"%s\" is there twice"
                                      : "the choice \"%s\" is none of \"%s\" in the network space",
                                  text, name);
        } else if (!status) {
            seen[c] = true;
            map->choice[in_file * 256 + i] = (uint8_t)c;
        }
    }
    if (!status) {
        map->taken[g] = true;
        map->gene[in_file] = g;
    }
    return status;
}

static cs_status read_gene(cs_predictor *predictor, cs_conf_node group, const cs_space *space,
                           gene_map *map, uint32_t in_file, cs_error *err)
{
    static const char *const keys[] = {"name", "choices", "weights", NULL};
    cs_conf_node weights;
    cs_status status = cs_conf_only(group, keys, err);
    if (status || (status = map_gene(group, space, map, in_file, err)) ||
        (status = cs_conf_list(group, "weights", &weights, err))) {
        return status;
    }
    uint32_t g = map->gene[in_file];
    uint32_t count = cs_space_gene(space, g)->choice_count;
    weight_term *made = &predictor->terms[predictor->term_count++];
    *made = (weight_term){.gene_a = g, .gene_b = g};
    status = check_length(weights, count, err);
    if (!status) {
        status = add_weights(predictor, count, &made->start, err);
    }
    /* A term of one gene has stride 0: table[b] with b its choice. */
    for (uint32_t i = 0; i < count && !status; i++) {
        status = cs_conf_as_number(
            cs_conf_element(weights, i), -1e6, 1e6,
            &predictor->weights[made->start + map->choice[in_file * 256 + i]], err);
    }
    return status;
}

/* The gene of the file, by its name. */
static cs_status find_gene(cs_conf_node place, const cs_space *space, const gene_map *map,
                           uint32_t *in_file, cs_error *err)
{
    const char *name;
    cs_status status = cs_conf_as_string(place, &name, err);
    if (status) {
        return status;
    }
    for (uint32_t i = 0; i < map->gene_count; i++) {
        if (strcmp(mapped_gene(map, space, i)->name, name) == 0) {
            *in_file = i;
            return CS_OK;
        }
    }
    return cs_conf_fail(place, err, "\"%s\" is no gene of this file", name);
}

static cs_status read_pair(cs_predictor *predictor, cs_conf_node group, const cs_space *space,
                           const gene_map *map, bool *paired, cs_error *err)
{
    static const char *const keys[] = {"genes", "weights", NULL};
    cs_conf_node genes, weights;
    uint32_t a, b;
    cs_status status = cs_conf_only(group, keys, err);
    if (status || (status = cs_conf_list(group, "genes", &genes, err)) ||
        (status = cs_conf_list(group, "weights", &weights, err)) ||
        (status = check_length(genes, 2, err)) ||
        (status = find_gene(cs_conf_element(genes, 0), space, map, &a, err)) ||
        (status = find_gene(cs_conf_element(genes, 1), space, map, &b, err))) {
        return status;
    }
    if (a == b || paired[a * map->gene_count + b]) {
        return cs_conf_fail(
            genes, err, a == b ? "must be two different genes" : "there is such a pair already");
    }
    paired[a * map->gene_count + b] = paired[b * map->gene_count + a] = true;
    uint32_t count_a = mapped_gene(map, space, a)->choice_count;
    uint32_t count_b = mapped_gene(map, space, b)->choice_count;
    weight_term *made = &predictor->terms[predictor->term_count++];
    *made = (weight_term){.gene_a = map->gene[a], .gene_b = map->gene[b], .stride = count_b};
    status = check_length(weights, (size_t)count_a * count_b, err);
    if (!status) {
        status = add_weights(predictor, (size_t)count_a * count_b, &made->start, err);
    }
    for (uint32_t i = 0; i < count_a * count_b && !status; i++) {
        uint32_t at =
            map->choice[a * 256 + i / count_b] * count_b + map->choice[b * 256 + i % count_b];
        status = cs_conf_as_number(cs_conf_element(weights, i), -1e6, 1e6,
                                   &predictor->weights[made->start + at], err);
    }
    return status;
}

static cs_status read_terms(cs_predictor *predictor, cs_conf_node file, const cs_space *space,
                            gene_map *map, bool *paired, cs_error *err)
{
    cs_conf_node genes, pairs;
    cs_status status = cs_conf_list(file, "genes", &genes, err);
    if (status || (status = cs_conf_list(file, "pairs", &pairs, err))) {
        return status;
    }
    if (cs_conf_length(genes) != map->gene_count) {
        return cs_conf_fail(genes, err, "must describe the %u parameters of the network space",
                            map->gene_count);
    }
    size_t most = map->gene_count + (size_t)map->gene_count * (map->gene_count - 1) / 2;
    predictor->terms = calloc(most, sizeof *predictor->terms);
    if (!predictor->terms) {
        return cs_fail_memory(err);
    }
    for (uint32_t i = 0; i < map->gene_count && !status; i++) {
        status = read_gene(predictor, cs_conf_element(genes, i), space, map, i, err);
    }
    /* No more pairs than `most` leaves room for are read, since none comes twice. */
    for (size_t i = 0; i < cs_conf_length(pairs) && !status; i++) {
        status = read_pair(predictor, cs_conf_element(pairs, i), space, map, paired, err);
    }
    return status;
}

static cs_status read_link(cs_predictor *predictor, cs_conf_node file, cs_error *err)
{
    const char *link;
    cs_status status = cs_conf_string(file, "link", &link, err);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < sizeof link_names / sizeof *link_names; i++) {
        if (strcmp(link_names[i], link) == 0) {
            predictor->link = (cs_link)i;
            return i == CS_LINK_IDENTITY
                       ? CS_OK
                       : cs_conf_number(file, "ceiling", 1e-3, 1e6, &predictor->ceiling, err);
        }
    }
    return cs_conf_fail(cs_conf_member(file, "link"), err,
                        "must be \"identity\" or \"inverse-square\", not \"%s\"", link);
}

static cs_status read_file(cs_predictor *predictor, cs_conf_node file, const cs_space *space,
                           cs_error *err)
{
    static const char *const keys[] = {"kind",    "metric",    "about", "data",  "held_out", "link",
                                       "ceiling", "intercept", "genes", "pairs", NULL};
    const char *kind, *metric, *about;
    cs_conf_node group;
    cs_status status = cs_conf_only(file, keys, err);
    if (status || (status = cs_conf_string(file, "kind", &kind, err)) ||
        (status = cs_conf_string(file, "metric", &metric, err)) ||
        (status = cs_conf_string(file, "about", &about, err)) ||
        (status = cs_conf_group(file, "data", &group, err)) ||
        (status = cs_conf_group(file, "held_out", &group, err)) ||
        (status = cs_conf_number(file, "intercept", -1e6, 1e6, &predictor->intercept, err)) ||
        (status = read_link(predictor, file, err))) {
        return status;
    }
    if (strcmp(kind, "accuracy-predictor") != 0) {
        return cs_conf_fail(cs_conf_member(file, "kind"), err,
                            "must be \"accuracy-predictor\", not \"%s\"", kind);
    }
    predictor->metric = strdup(metric);
    predictor->about = strdup(about);
    gene_map map = {.gene_count = cs_space_network_gene_count(space)};
    map.gene = calloc(map.gene_count, sizeof *map.gene);
    map.choice = calloc(map.gene_count, 256);
    map.taken = calloc(map.gene_count, sizeof *map.taken);
    bool *paired = calloc(map.gene_count, map.gene_count * sizeof *paired);
    if (!predictor->metric || !predictor->about || !map.gene || !map.choice || !map.taken ||
        !paired) {
        status = cs_fail_memory(err);
    } else {
        status = read_terms(predictor, file, space, &map, paired, err);
    }
    free(map.gene);
    free(map.choice);
    free(map.taken);
    free(paired);
    return status;
}

cs_predictor *cs_predictor_read(cs_conf_node file, const cs_space *space, cs_error *err)
{
    assert(cs_space_network_gene_count(space) > 0);
    cs_predictor *predictor = calloc(1, sizeof *predictor);
    if (!predictor) {
        cs_fail_memory(err);
        return NULL;
    }
    if (read_file(predictor, file, space, err)) {
        cs_predictor_free(predictor);
        return NULL;
    }
    return predictor;
}

void cs_predictor_free(cs_predictor *predictor)
{
    if (predictor) {
        free(predictor->metric);
        free(predictor->about);
        free(predictor->terms);
        free(predictor->weights);
        free(predictor);
    }
}

const char *cs_predictor_metric(const cs_predictor *predictor)
{
    return predictor->metric;
}

const char *cs_predictor_about(const cs_predictor *predictor)
{
    return predictor->about;
}

double cs_predictor_predict(const cs_predictor *predictor, const uint8_t *genome)
{
    double score = predictor->intercept;
    for (uint32_t t = 0; t < predictor->term_count; t++) {
        const weight_term *term = &predictor->terms[t];
        score +=
            predictor
                ->weights[term->start + genome[term->gene_a] * term->stride + genome[term->gene_b]];
    }
    return cs_link_accuracy(predictor->link, predictor->ceiling, score);
}
