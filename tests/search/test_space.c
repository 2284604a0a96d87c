/* Spaces: sizes against the literature, layers against the parameter counts of Accel-NASBench, and
 * what files are refused for. */
#include "files.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MNASNET "configs/spaces/mnasnet.conf"
#define NAHAS   "configs/spaces/nahas.conf"
#define GENES   28

/* ---- sizes ---- */

START_TEST(test_mnasnet_has_36_to_the_6_times_48_networks)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    ck_assert(!recalled);
    ck_assert_uint_eq(cs_space_gene_count(space), GENES);
    ck_assert_uint_eq(cs_space_network_gene_count(space), GENES);
    ck_assert_str_eq(cs_space_size_text(space), "104485552128");
    ck_assert_double_eq(cs_space_size(space), 104485552128.0);
    cs_space_free(space);
}
END_TEST

START_TEST(test_nahas_has_50000_accelerators_and_rests_on_recalled_values)
{
    bool recalled = false;
    cs_space *space = open_space(NAHAS, &recalled);
    ck_assert(recalled);
    ck_assert_uint_eq(cs_space_gene_count(space), 7);
    ck_assert_uint_eq(cs_space_network_gene_count(space), 0);
    ck_assert_str_eq(cs_space_size_text(space), "50000");
    cs_space_free(space);
}
END_TEST

START_TEST(test_join_is_the_product_with_network_genes_first)
{
    bool recalled = false;
    cs_error err;
    cs_space *space =
        cs_space_join(open_space(MNASNET, &recalled), open_space(NAHAS, &recalled), &err);
    ck_assert_ptr_nonnull(space);
    ck_assert_str_eq(cs_space_size_text(space), "5224277606400000");
    ck_assert_uint_eq(cs_space_gene_count(space), GENES + 7);
    ck_assert_uint_eq(cs_space_network_gene_count(space), GENES);
    ck_assert_uint_eq(cs_space_genome_bytes(space), GENES + 7);
    ck_assert_str_eq(cs_space_gene(space, 0)->name, "block0_e");
    ck_assert_str_eq(cs_space_gene(space, GENES)->name, "PEs_in_x_dimension");
    cs_space_free(space);
}
END_TEST

START_TEST(test_join_passes_a_failure_on)
{
    bool recalled = false;
    ck_assert_ptr_null(cs_space_join(NULL, open_space(NAHAS, &recalled), NULL));
    ck_assert_ptr_null(cs_space_join(open_space(MNASNET, &recalled), NULL, NULL));
}
END_TEST

static void name_switch(int index, const char *first, char name[40])
{
    if (index == 0) {
        snprintf(name, 40, "%s", first);
    } else {
        snprintf(name, 40, "p%d", index);
    }
}

/* A network space of `switches` layers, each with or without a bias; the first parameter has the
 * name `first`. */
static char *space_of_switches(int switches, const char *first)
{
    size_t room = 400 + 400 * (size_t)switches, used;
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    used = (size_t)snprintf(text, room,
                            "kind = \"network-space\"; name = \"s\"; source = \"test\";\n"
                            "input = { height = 4; width = 4; channels = 3;\n"
                            "          provenance = \"chosen: test\"; };\nparameters = (");
    for (int i = 0; i < switches; i++) {
        char name[40];
        name_switch(i, first, name);
        used += (size_t)snprintf(text + used, room - used,
                                 "%s{ name = \"%s\"; kind = \"categorical\"; values = [0, 1];\n"
                                 "provenance = \"chosen: test\"; }",
                                 i ? ",\n" : "", name);
    }
    used += (size_t)snprintf(text + used, room - used, ");\nbody = (");
    for (int i = 0; i < switches; i++) {
        char name[40];
        name_switch(i, first, name);
        used += (size_t)snprintf(text + used, room - used,
                                 "%s{ block = \"conv\"; channels = 4; kernel = 1; bias = \"%s\";\n"
                                 "provenance = \"chosen: test\"; }",
                                 i ? ",\n" : "", name);
    }
    snprintf(text + used, room - used, ");\n");
    return text;
}

static cs_space *read_text(const char *text, cs_error *err)
{
    bool recalled = false;
    cs_conf *conf = cs_conf_parse(text, strlen(text), "space.conf", NULL, 0, err);
    if (!conf) {
        return NULL;
    }
    cs_space *space = cs_space_read_network(cs_conf_root(conf), &recalled, err);
    cs_conf_free(conf);
    return space;
}

START_TEST(test_size_goes_beyond_64_bits)
{
    char *text = space_of_switches(100, "p0");
    cs_error err;
    cs_space *space = read_text(text, &err);
    ck_assert_msg(space != NULL, "%s", err.text);
    ck_assert_str_eq(cs_space_size_text(space), "1267650600228229401496703205376"); /* 2^100 */
    ck_assert_double_eq(cs_space_size(space), 0x1p100);
    cs_space_free(space);
    free(text);
}
END_TEST

/* ---- genomes ---- */

START_TEST(test_samples_are_points_that_the_stream_names)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    uint8_t one[GENES], two[GENES];
    bool differ = false;
    for (uint64_t i = 0; i < 100; i++) {
        cs_random a, b;
        cs_random_init(&a, 1, 0, CS_PURPOSE_SAMPLE, 0, i);
        b = a;
        cs_space_sample(space, &a, one);
        cs_space_sample(space, &b, two);
        ck_assert_mem_eq(one, two, GENES);
        ck_assert(cs_space_contains(space, one, GENES));
        cs_space_sample(space, &a, two);
        differ = differ || memcmp(one, two, GENES) != 0;
    }
    ck_assert(differ);
    cs_space_free(space);
}
END_TEST

START_TEST(test_samples_are_uniform)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    enum { DRAWS = 20000 };
    uint32_t counts[GENES][4] = {{0}};
    cs_random random;
    cs_random_init(&random, 7, 0, CS_PURPOSE_SAMPLE, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        uint8_t genome[GENES];
        cs_space_sample(space, &random, genome);
        for (uint32_t g = 0; g < GENES; g++) {
            counts[g][genome[g]]++;
        }
    }
    for (uint32_t g = 0; g < GENES; g++) {
        uint32_t choices = cs_space_gene(space, g)->choice_count;
        double expected = (double)DRAWS / choices, statistic = 0;
        for (uint32_t c = 0; c < choices; c++) {
            statistic += (counts[g][c] - expected) * (counts[g][c] - expected) / expected;
        }
        /* chi-square, at most 3 degrees of freedom: 1 in 10^5 is above 26 */
        ck_assert_double_lt(statistic, 26);
    }
    cs_space_free(space);
}
END_TEST

START_TEST(test_contains_refuses_what_is_no_point)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    uint8_t genome[GENES + 1] = {0};
    ck_assert(cs_space_contains(space, genome, GENES));
    ck_assert(!cs_space_contains(space, genome, GENES - 1));
    ck_assert(!cs_space_contains(space, genome, GENES + 1));
    for (uint32_t g = 0; g < GENES; g++) {
        genome[g] = (uint8_t)cs_space_gene(space, g)->choice_count;
        ck_assert(!cs_space_contains(space, genome, GENES));
        genome[g]--;
        ck_assert(cs_space_contains(space, genome, GENES));
        ck_assert_uint_eq(cs_space_get(space, genome, g), genome[g]);
    }
    cs_space_free(space);
}
END_TEST

/* ---- networks ---- */

/* Rows of Accel-NASBench (arXiv 2404.08005, Apache-2.0): genes in the order of its columns, and its
 * params column in millions. */
static const struct golden {
    double values[GENES];
    double params_m;
} golden[] = {
    {{6, 3, 1, 0, 4, 5, 2, 0, 6, 3, 3, 0, 6, 5, 3, 0, 6, 5, 2, 0, 1, 3, 2, 0, 1, 3, 2, 0}, 2.50116},
    {{6, 3, 1, 0, 1, 5, 3, 0, 6, 3, 2, 0, 6, 3, 1, 0, 4, 3, 2, 0, 6, 5, 1, 0, 4, 5, 2, 0}, 3.44436},
    {{1, 5, 2, 0, 1, 5, 3, 1, 4, 5, 3, 1, 6, 3, 3, 0, 1, 3, 3, 1, 1, 3, 1, 1, 4, 3, 1, 1},
     2.513034},
    {{6, 5, 2, 0, 4, 3, 3, 0, 6, 5, 3, 0, 6, 3, 2, 0, 4, 5, 3, 0, 4, 3, 4, 1, 6, 3, 2, 0},
     5.376628},
    {{1, 5, 1, 0, 4, 3, 3, 0, 6, 5, 1, 1, 6, 3, 3, 0, 4, 5, 3, 0, 6, 5, 4, 1, 1, 5, 1, 1},
     4.334938},
    {{1, 3, 3, 1, 4, 3, 3, 1, 1, 5, 3, 0, 4, 3, 1, 1, 4, 3, 2, 0, 4, 3, 4, 0, 4, 5, 3, 0},
     5.107626},
};

static void decode(const cs_space *space, const uint8_t *genome, cs_network *network)
{
    cs_error err;
    if (cs_space_decode_network(space, genome, network, &err)) {
        ck_abort_msg("%s", err.text);
    }
}

START_TEST(test_parameters_of_golden_rows)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    uint8_t genome[GENES];
    cs_network network = {0};
    genome_of_values(space, golden[_i].values, genome);
    decode(space, genome, &network);
    ck_assert_uint_eq(cs_network_parameters(&network),
                      (uint64_t)llround(golden[_i].params_m * 1e6));
    cs_network_release(&network);
    cs_space_free(space);
}
END_TEST

START_TEST(test_parameters_of_every_row)
{
    cs_csv *table = open_table("accel_nasbench.csv");
    if (!table) {
        return;
    }
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    cs_network network = {0};
    size_t column;
    cs_error err;
    ck_assert_int_eq(cs_csv_find(table, "params", &column, &err), CS_OK);
    ck_assert_uint_eq(cs_csv_row_count(table), 4100);
    for (size_t r = 0; r < cs_csv_row_count(table); r++) {
        uint8_t genome[GENES];
        double params_m;
        if (cs_csv_number(table, r, column, &params_m, &err)) {
            ck_abort_msg("%s", err.text);
        }
        genome_of_row(space, table, r, genome);
        decode(space, genome, &network);
        if (cs_network_parameters(&network) != (uint64_t)llround(params_m * 1e6)) {
            ck_abort_msg("row %zu: %llu parameters, not %.0f", r,
                         (unsigned long long)cs_network_parameters(&network), params_m * 1e6);
        }
    }
    cs_network_release(&network);
    cs_space_free(space);
    cs_csv_free(table);
}
END_TEST

/* Multiply-accumulates and tensor shapes of a network, worked out without layers. */
static uint64_t macs_of(const cs_space *space, const uint8_t *genome)
{
    static const uint32_t strides[] = {1, 2, 2, 2, 1, 2, 1};
    static const uint32_t widths[] = {16, 24, 40, 80, 112, 192, 320};
    uint64_t side = 112, in = 32, macs = side * side * 27 * 32;
    for (uint32_t b = 0; b < 7; b++) {
        double v[4];
        for (uint32_t i = 0; i < 4; i++) {
            v[i] = cs_space_gene(space, 4 * b + i)->values[genome[4 * b + i]];
        }
        for (int l = 0; l < (int)v[2]; l++) {
            uint64_t wide = in * (uint64_t)v[0];
            macs += v[0] > 1 ? side * side * in * wide : 0;
            side /= l == 0 ? strides[b] : 1;
            macs += side * side * (uint64_t)(v[1] * v[1]) * wide;
            if (v[3] != 0) {
                /* two dense layers, and one factor an element */
                macs += 2 * wide * (in / 4) + side * side * wide;
            }
            macs += side * side * wide * widths[b];
            in = widths[b];
        }
    }
    ck_assert_uint_eq(side, 7);
    return macs + side * side * 320 * 1280 + 1280 * 1000;
}

START_TEST(test_random_networks_against_closed_form)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    cs_network network = {0};
    for (uint64_t i = 0; i < 500; i++) {
        uint8_t genome[GENES];
        cs_random random;
        cs_random_init(&random, 11, 0, CS_PURPOSE_SAMPLE, 0, i);
        cs_space_sample(space, &random, genome);
        decode(space, genome, &network);
        ck_assert_uint_eq(cs_network_macs(&network), macs_of(space, genome));
        const cs_layer *last = &network.layers[network.layer_count - 1];
        ck_assert_int_eq(last->op, CS_OP_DENSE);
        ck_assert_uint_eq(last->out.channels, 1000);
    }
    cs_network_release(&network);
    cs_space_free(space);
}
END_TEST

/* One block of two layers: residual only in the second, squeeze-excite in both, stride in the
 * first. */
START_TEST(test_layers_of_an_inverted_bottleneck)
{
    static const char text[] =
        "kind = \"network-space\"; name = \"s\"; source = \"test\";\n"
        "input = { height = 8; width = 8; channels = 8; provenance = \"chosen: test\"; };\n"
        "parameters = ( { name = \"n\"; kind = \"ordinal\"; values = [1, 2];\n"
        "                 provenance = \"chosen: test\"; } );\n"
        "body = ( { block = \"inverted-bottleneck\"; expansion = 3; kernel = 5; repeat = \"n\";\n"
        "           stride = 2; channels = 12; squeeze_excite = true; squeeze_ratio = 0.5;\n"
        "           provenance = \"chosen: test\"; } );\n";
    static const struct {
        cs_op op;
        uint32_t side, channels;
        cs_activation activation;
    } expected[] = {
        {CS_OP_INPUT, 8, 8, CS_ACTIVATION_NONE},
        {CS_OP_CONV, 8, 24, CS_ACTIVATION_RELU},
        {CS_OP_CONV, 4, 24, CS_ACTIVATION_RELU},
        {CS_OP_POOL_GLOBAL, 1, 24, CS_ACTIVATION_NONE},
        {CS_OP_CONV, 1, 4, CS_ACTIVATION_RELU},
        {CS_OP_CONV, 1, 24, CS_ACTIVATION_SIGMOID},
        {CS_OP_SCALE, 4, 24, CS_ACTIVATION_NONE},
        {CS_OP_CONV, 4, 12, CS_ACTIVATION_NONE},
        {CS_OP_CONV, 4, 36, CS_ACTIVATION_RELU},
        {CS_OP_CONV, 4, 36, CS_ACTIVATION_RELU},
        {CS_OP_POOL_GLOBAL, 1, 36, CS_ACTIVATION_NONE},
        {CS_OP_CONV, 1, 6, CS_ACTIVATION_RELU},
        {CS_OP_CONV, 1, 36, CS_ACTIVATION_SIGMOID},
        {CS_OP_SCALE, 4, 36, CS_ACTIVATION_NONE},
        {CS_OP_CONV, 4, 12, CS_ACTIVATION_NONE},
        {CS_OP_ADD, 4, 12, CS_ACTIVATION_NONE},
    };
    cs_error err;
    cs_space *space = read_text(text, &err);
    ck_assert_msg(space != NULL, "%s", err.text);
    cs_network network = {0};
    uint8_t genome[1] = {1};
    decode(space, genome, &network);
    ck_assert_uint_eq(network.layer_count, sizeof expected / sizeof *expected);
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const cs_layer *layer = &network.layers[i];
        ck_assert_int_eq(layer->op, expected[i].op);
        ck_assert_uint_eq(layer->out.height, expected[i].side);
        ck_assert_uint_eq(layer->out.channels, expected[i].channels);
        ck_assert_int_eq(layer->activation, expected[i].activation);
    }
    ck_assert_uint_eq(network.layers[2].groups, 24);
    ck_assert_uint_eq(network.layers[2].kernel_h, 5);
    ck_assert(network.layers[4].bias && !network.layers[4].normalized);
    ck_assert(!network.layers[7].bias && network.layers[7].normalized);
    /* Memory is kept: a smaller network needs none. */
    const cs_layer *layers = network.layers;
    genome[0] = 0;
    decode(space, genome, &network);
    ck_assert_uint_eq(network.layer_count, 8);
    ck_assert_ptr_eq(network.layers, layers);
    cs_network_release(&network);
    cs_space_free(space);
}
END_TEST

/* ---- accelerators ---- */

START_TEST(test_nahas_baseline_has_the_published_peak)
{
    bool recalled = false;
    cs_error err;
    cs_space *space =
        cs_space_join(open_space(MNASNET, &recalled), open_space(NAHAS, &recalled), &err);
    ck_assert_ptr_nonnull(space);
    static const double baseline[] = {4, 4, 64, 4, 2, 32, 20};
    uint8_t genome[GENES + 7] = {0};
    for (uint32_t i = 0; i < 7; i++) {
        const cs_gene *gene = cs_space_gene(space, GENES + i);
        for (uint32_t c = 0; c < gene->choice_count; c++) {
            if (gene->values[c] == baseline[i]) {
                cs_space_set(space, genome, GENES + i, c);
            }
        }
    }
    cs_accelerator accelerator;
    cs_space_decode_accelerator(space, genome, &accelerator);
    ck_assert_uint_eq(accelerator.pes_x, 4);
    ck_assert_uint_eq(accelerator.pes_y, 4);
    ck_assert_uint_eq(accelerator.cores_per_pe, 4);
    ck_assert_uint_eq(accelerator.lanes_per_core, 64);
    ck_assert_uint_eq(accelerator.pe_memory_bytes, 2u << 20);
    ck_assert_uint_eq(accelerator.core_memory_bytes, 32u << 10);
    ck_assert_uint_eq(accelerator.link_bytes_per_s, 20000000000ull);
    ck_assert_uint_eq(accelerator.instruction_entries, 16384);
    ck_assert_uint_eq(accelerator.parameter_entries, 16384);
    ck_assert_uint_eq(accelerator.activation_entries, 1024);
    /* 26.2144 TOPS: NAHAS's baseline and class V1 of arXiv 2102.10423 */
    ck_assert_double_eq_tol(cs_accelerator_peak_ops(&accelerator), 26.2144e12, 1);
    cs_space_free(space);
}
END_TEST

START_TEST(test_half_a_megabyte_is_a_choice)
{
    bool recalled = false;
    cs_space *space = open_space(NAHAS, &recalled);
    ck_assert_str_eq(cs_space_gene(space, 4)->name, "local_memory_MB");
    ck_assert_str_eq(cs_space_gene(space, 4)->choices[0], "0.5");
    ck_assert_str_eq(cs_space_gene(space, 4)->choices[1], "1");
    uint8_t genome[7] = {0};
    cs_accelerator accelerator;
    cs_space_decode_accelerator(space, genome, &accelerator);
    ck_assert_uint_eq(accelerator.pe_memory_bytes, 512u << 10);
    cs_space_free(space);
}
END_TEST

/* ---- what is refused ---- */

/* Replace the first `from` in the text of a file and read that. */
static void assert_refused(const char *path, const char *from, const char *to, const char *line,
                           const char *words)
{
    size_t room = 1 << 20, size = 0;
    char full[1024], *text = calloc(1, room), *edited = calloc(1, room);
    snprintf(full, sizeof full, "%s/%s", CODESIGN_SOURCE_DIR, path);
    FILE *file = fopen(full, "r");
    ck_assert(file && text && edited);
    size = fread(text, 1, room / 2, file);
    fclose(file);
    ck_assert_uint_gt(size, 0);
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "the file has no %s", from);
    snprintf(edited, room, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));

    cs_error err = {.text = ""};
    bool recalled = false;
    cs_conf *conf = cs_conf_parse(edited, strlen(edited), "f.conf", NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_space *space = strstr(edited, "accelerator-space")
                          ? cs_space_read_accelerator(cs_conf_root(conf), &recalled, &err)
                          : cs_space_read_network(cs_conf_root(conf), &recalled, &err);
    ck_assert_msg(space == NULL, "%s was taken", to);
    ck_assert_int_eq(err.status, CS_EINVAL);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s: no \"%s\"", err.text, words);
    ck_assert_msg(strncmp(err.text, line, strlen(line)) == 0, "%s: not at %s", err.text, line);
    ck_assert(!recalled);
    cs_conf_free(conf);
    free(text);
    free(edited);
}

static const struct refused {
    const char *path, *from, *to, *line, *words;
} refused[] = {
    {MNASNET, "name = \"mnasnet\"", "name = \"mnasnet\"; colour = 3", "f.conf:6:", "unknown key"},
    {MNASNET, "network-space", "network", "f.conf:5:", "must be \"network-space\""},
    {MNASNET, "values = [1, 4, 6]", "values = []", "f.conf:17:", "1 to 256 values"},
    {MNASNET, "values = [1, 4, 6]", "values = [1, 6, 4]", "f.conf:17:", "must rise"},
    {MNASNET, "values = [1, 4, 6]", "values = [1, 4, 4]", "f.conf:17:", "must rise"},
    {MNASNET, "values = [1, 4, 6]", "values = [\"1\"]", "f.conf:17:", "must be a number"},
    {MNASNET, "values = [0, 1]", "values = [1, 1]", "f.conf:23:", "twice"},
    {MNASNET, "values = [0, 1]", "values = [0, 2]", "f.conf:81:", "can be 2"},
    {MNASNET, "values = [1, 2, 3]", "values = [1.0, 2.5, 3.0]", "f.conf:80:", "must be whole"},
    {MNASNET, "kind = \"ordinal\"", "kind = \"cardinal\"", "f.conf:17:", "categorical"},
    {MNASNET, "\"block0_k\"", "\"block0_e\"", "f.conf:19:", "already"},
    {MNASNET, "\"block0_k\"", "\"\"", "f.conf:19:", "empty"},
    {MNASNET, "kernel = \"block0_k\"", "kernel = 3", "f.conf:19:", "no field uses"},
    {MNASNET, "kernel = \"block0_k\"", "kernel = \"kernel\"", "f.conf:80:", "no parameter"},
    {MNASNET, "kernel = \"block0_k\"", "kernel = 0", "f.conf:80:", "1 to 63"},
    {MNASNET, "kernel = \"block0_k\"; ", "", "f.conf:80:", "\"kernel\" is missing"},
    {MNASNET, "kernel = \"block0_k\"", "kernels = 3", "f.conf:80:", "unknown key"},
    {MNASNET, "block = \"conv\"", "block = \"cone\"", "f.conf:78:", "not \"cone\""},
    {MNASNET, "activation = \"relu\"", "activation = \"swish\"", "f.conf:78:", "not \"swish\""},
    {MNASNET, "residual = true", "residual = 1", "f.conf:82:", "true or false"},
    {MNASNET, "height = 224; width = 224", "height = 16384; width = 16384",
     "f.conf:80:", "largest values"},
    {MNASNET, "provenance = \"published: Accel-NASBench, stem", "provenance = \"seen: stem",
     "f.conf:79:", "provenance"},
    {NAHAS, "naming = \"nahas\"", "naming = \"edgetpu\"", "f.conf:11:", "no field"},
    {NAHAS, "\"SIMD_units\"", "\"lanes_per_core\"", "f.conf:15:", "no field"},
    {NAHAS, "\"SIMD_units\"", "\"PEs_in_x_dimension\"", "f.conf:15:", "already"},
    {NAHAS, "\"clock_mhz\"", "\"simd_ways\"", "f.conf:32:", "given twice"},
    {NAHAS, "\"clock_mhz\"", "\"SIMD_units\"", "f.conf:32:", "given twice"},
    {NAHAS, "value = 800", "value = 0", "f.conf:32:", "must be from"},
    {NAHAS, "value = 800", "value = 800.5", "f.conf:32:", "whole"},
    {NAHAS, "[16, 32, 64, 128]", "[16, 32, 64, 1000000]", "f.conf:15:", "must be from"},
};

START_TEST(test_refuses)
{
    const struct refused *r = &refused[_i];
    assert_refused(r->path, r->from, r->to, r->line, r->words);
}
END_TEST

START_TEST(test_refuses_a_field_that_nothing_gives)
{
    static const char text[] =
        "kind = \"accelerator-space\"; name = \"s\"; source = \"t\"; naming = \"nahas\";\n"
        "parameters = ( { name = \"SIMD_units\"; kind = \"ordinal\"; values = [16, 32];\n"
        "                 provenance = \"chosen: test\"; } );\n"
        "fixed = ();\n";
    cs_error err;
    bool recalled = false;
    cs_conf *conf = cs_conf_parse(text, strlen(text), "f.conf", NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    ck_assert_ptr_null(cs_space_read_accelerator(cs_conf_root(conf), &recalled, &err));
    ck_assert_str_eq(err.text, "f.conf:4: fixed: nothing gives the field \"PEs_in_x_dimension\"");
    cs_conf_free(conf);
}
END_TEST

/* Two parts that share a name of a parameter cannot be told apart in a genome's report. */
START_TEST(test_join_refuses_a_name_of_both)
{
    char *text = space_of_switches(7, "compute_lanes");
    cs_error err;
    bool recalled = false;
    cs_space *network = read_text(text, &err);
    ck_assert_msg(network != NULL, "%s", err.text);
    ck_assert_ptr_null(cs_space_join(network, open_space(NAHAS, &recalled), &err));
    ck_assert_ptr_nonnull(strstr(err.text, "\"compute_lanes\""));
    free(text);
}
END_TEST

START_TEST(test_refuses_an_empty_space)
{
    cs_error err;
    char *text = space_of_switches(0, "p0");
    ck_assert_ptr_null(read_text(text, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "space.conf:4: parameters: must hold 1 to"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("space");
    TCase *sizes = tcase_create("sizes");
    tcase_add_test(sizes, test_mnasnet_has_36_to_the_6_times_48_networks);
    tcase_add_test(sizes, test_nahas_has_50000_accelerators_and_rests_on_recalled_values);
    tcase_add_test(sizes, test_join_is_the_product_with_network_genes_first);
    tcase_add_test(sizes, test_join_passes_a_failure_on);
    tcase_add_test(sizes, test_size_goes_beyond_64_bits);
    suite_add_tcase(suite, sizes);
    TCase *genomes = tcase_create("genomes");
    tcase_add_test(genomes, test_samples_are_points_that_the_stream_names);
    tcase_add_test(genomes, test_samples_are_uniform);
    tcase_add_test(genomes, test_contains_refuses_what_is_no_point);
    suite_add_tcase(suite, genomes);
    TCase *networks = tcase_create("networks");
    tcase_set_timeout(networks, 30);
    tcase_add_loop_test(networks, test_parameters_of_golden_rows, 0,
                        (int)(sizeof golden / sizeof *golden));
    tcase_add_test(networks, test_parameters_of_every_row);
    tcase_add_test(networks, test_random_networks_against_closed_form);
    tcase_add_test(networks, test_layers_of_an_inverted_bottleneck);
    suite_add_tcase(suite, networks);
    TCase *accelerators = tcase_create("accelerators");
    tcase_add_test(accelerators, test_nahas_baseline_has_the_published_peak);
    tcase_add_test(accelerators, test_half_a_megabyte_is_a_choice);
    suite_add_tcase(suite, accelerators);
    TCase *bad = tcase_create("refused");
    tcase_add_loop_test(bad, test_refuses, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(bad, test_refuses_a_field_that_nothing_gives);
    tcase_add_test(bad, test_join_refuses_a_name_of_both);
    tcase_add_test(bad, test_refuses_an_empty_space);
    suite_add_tcase(suite, bad);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
