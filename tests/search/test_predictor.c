/* Predictors: the shipped weights against measured networks, the sum against a plain twin, and what
 * files are refused for. */
#include "files.h"
#include "search/predictor/predictor.h"
#include "search/statistics.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MNASNET "configs/spaces/mnasnet.conf"
#define WEIGHTS "configs/predictors/mnasnet-proxy-top1.conf"
#define GENES   28

static cs_predictor *open_predictor(const cs_space *space)
{
    cs_conf *conf = open_conf(WEIGHTS);
    cs_error err;
    cs_predictor *predictor = cs_predictor_read(cs_conf_root(conf), space, &err);
    ck_assert_msg(predictor != NULL, "%s", err.text);
    cs_conf_free(conf);
    return predictor;
}

START_TEST(test_says_that_it_is_a_proxy)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    cs_predictor *predictor = open_predictor(space);
    ck_assert_str_eq(cs_predictor_metric(predictor), "proxy_top1");
    ck_assert_ptr_nonnull(strstr(cs_predictor_about(predictor), "proxy"));
    cs_predictor_free(predictor);
    cs_space_free(space);
}
END_TEST

/* The file states a held-out error that is at least that of a tuned pairwise ridge regression. */
START_TEST(test_file_states_its_held_out_error)
{
    cs_conf *conf = open_conf(WEIGHTS);
    cs_error err;
    cs_conf_node held_out, data;
    double r2, kendall, spearman, mae;
    const char *text;
    ck_assert_int_eq(cs_conf_group(cs_conf_root(conf), "held_out", &held_out, &err), CS_OK);
    ck_assert_int_eq(cs_conf_number(held_out, "r2", 0.98, 1, &r2, &err), CS_OK);
    ck_assert_int_eq(cs_conf_number(held_out, "kendall", 0.91, 1, &kendall, &err), CS_OK);
    ck_assert_int_eq(cs_conf_number(held_out, "spearman", 0.98, 1, &spearman, &err), CS_OK);
    ck_assert_int_eq(cs_conf_number(held_out, "mae", 0, 0.4, &mae, &err), CS_OK);
    ck_assert_int_eq(cs_conf_string(held_out, "split", &text, &err), CS_OK);
    ck_assert_int_eq(cs_conf_group(cs_conf_root(conf), "data", &data, &err), CS_OK);
    ck_assert_int_eq(cs_conf_string(data, "licence", &text, &err), CS_OK);
    ck_assert_str_eq(text, "Apache-2.0");
    ck_assert_int_eq(cs_conf_string(data, "sha256", &text, &err), CS_OK);
    ck_assert_uint_eq(strlen(text), 64);
    cs_conf_free(conf);
}
END_TEST

/* Rows of Accel-NASBench (arXiv 2404.08005, Apache-2.0): genes in the order of its columns, and
 * val_top1. */
static const struct golden {
    double values[GENES];
    double top1;
} golden[] = {
    {{6, 3, 1, 0, 4, 5, 2, 0, 6, 3, 3, 0, 6, 5, 3, 0, 6, 5, 2, 0, 1, 3, 2, 0, 1, 3, 2, 0}, 59.368},
    {{6, 3, 1, 0, 1, 5, 3, 0, 6, 3, 2, 0, 6, 3, 1, 0, 4, 3, 2, 0, 6, 5, 1, 0, 4, 5, 2, 0}, 61.092},
    {{1, 5, 2, 0, 1, 5, 3, 1, 4, 5, 3, 1, 6, 3, 3, 0, 1, 3, 3, 1, 1, 3, 1, 1, 4, 3, 1, 1}, 57.748},
    {{6, 5, 2, 0, 4, 3, 3, 0, 6, 5, 3, 0, 6, 3, 2, 0, 4, 5, 3, 0, 4, 3, 4, 1, 6, 3, 2, 0}, 65.962},
};

START_TEST(test_predicts_measured_networks)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    cs_predictor *predictor = open_predictor(space);
    uint8_t genome[GENES];
    genome_of_values(space, golden[_i].values, genome);
    /* five times the stated mean absolute error */
    ck_assert_double_eq_tol(cs_predictor_predict(predictor, genome), golden[_i].top1, 1.5);
    cs_predictor_free(predictor);
    cs_space_free(space);
}
END_TEST

START_TEST(test_predicts_the_table)
{
    cs_csv *table = open_table("accel_nasbench.csv");
    if (!table) {
        return;
    }
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    cs_predictor *predictor = open_predictor(space);
    size_t rows = cs_csv_row_count(table), column;
    double *truth = calloc(rows, sizeof *truth), *predicted = calloc(rows, sizeof *predicted);
    double tau = 0;
    cs_error err;
    ck_assert(truth && predicted);
    ck_assert_int_eq(cs_csv_find(table, "val_top1", &column, &err), CS_OK);
    for (size_t r = 0; r < rows; r++) {
        uint8_t genome[GENES];
        genome_of_row(space, table, r, genome);
        if (cs_csv_number(table, r, column, &truth[r], &err)) {
            ck_abort_msg("%s", err.text);
        }
        predicted[r] = cs_predictor_predict(predictor, genome);
    }
    ck_assert_int_eq(cs_kendall_tau_b(truth, predicted, rows, &tau, &err), CS_OK);
    ck_assert_double_gt(cs_r2(truth, predicted, rows), 0.985);
    ck_assert_double_gt(tau, 0.925);
    free(truth);
    free(predicted);
    cs_predictor_free(predictor);
    cs_space_free(space);
    cs_csv_free(table);
}
END_TEST

/* The sum by its definition: texts are compared, the file is walked. */
static double slow_predict(cs_conf_node file, const cs_space *space, const uint8_t *genome)
{
    double score, ceiling, weight;
    cs_error err;
    ck_assert_int_eq(cs_conf_number(file, "intercept", -1e6, 1e6, &score, &err), CS_OK);
    ck_assert_int_eq(cs_conf_number(file, "ceiling", 0, 1e6, &ceiling, &err), CS_OK);
    cs_conf_node genes = cs_conf_member(file, "genes"), pairs = cs_conf_member(file, "pairs");
    size_t choice[GENES];
    for (size_t i = 0; i < GENES; i++) {
        cs_conf_node gene = cs_conf_element(genes, i), choices = cs_conf_member(gene, "choices");
        const char *text = "", *name;
        ck_assert_int_eq(cs_conf_string(gene, "name", &name, &err), CS_OK);
        uint32_t g = 0;
        while (strcmp(cs_space_gene(space, g)->name, name) != 0) {
            g++;
        }
        for (choice[i] = 0;; choice[i]++) {
            ck_assert_int_eq(cs_conf_as_string(cs_conf_element(choices, choice[i]), &text, &err),
                             CS_OK);
            if (strcmp(text, cs_space_gene(space, g)->choices[genome[g]]) == 0) {
                break;
            }
        }
        ck_assert_int_eq(
            cs_conf_as_number(cs_conf_element(cs_conf_member(gene, "weights"), choice[i]), -1e6,
                              1e6, &weight, &err),
            CS_OK);
        score += weight;
    }
    for (size_t p = 0; p < cs_conf_length(pairs); p++) {
        cs_conf_node pair = cs_conf_element(pairs, p), names = cs_conf_member(pair, "genes");
        size_t at[2] = {0, 0}, count = 0;
        for (size_t side = 0; side < 2; side++) {
            const char *name, *text = "";
            ck_assert_int_eq(cs_conf_as_string(cs_conf_element(names, side), &name, &err), CS_OK);
            for (size_t i = 0; i < GENES; i++) {
                cs_conf_node gene = cs_conf_element(genes, i);
                if (cs_conf_string(gene, "name", &text, &err)) {
                    ck_abort_msg("%s", err.text);
                }
                if (strcmp(text, name) == 0) {
                    at[side] = choice[i];
                    count = cs_conf_length(cs_conf_member(gene, "choices"));
                }
            }
        }
        ck_assert_int_eq(cs_conf_as_number(cs_conf_element(cs_conf_member(pair, "weights"),
                                                           at[0] * count + at[1]),
                                           -1e6, 1e6, &weight, &err),
                         CS_OK);
        score += weight;
    }
    return ceiling - 1 / (score * score);
}

START_TEST(test_sum_is_that_of_the_file_bit_for_bit)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    cs_predictor *predictor = open_predictor(space);
    cs_conf *conf = open_conf(WEIGHTS);
    for (uint64_t i = 0; i < 10; i++) {
        uint8_t genome[GENES];
        cs_random random;
        cs_random_init(&random, 3, 0, CS_PURPOSE_SAMPLE, 0, i);
        cs_space_sample(space, &random, genome);
        double fast = cs_predictor_predict(predictor, genome);
        double slow = slow_predict(cs_conf_root(conf), space, genome);
        ck_assert_mem_eq(&fast, &slow, sizeof fast);
    }
    cs_conf_free(conf);
    cs_predictor_free(predictor);
    cs_space_free(space);
}
END_TEST

/* Over the whole space, not only near the data. */
START_TEST(test_predictions_are_percentages_below_the_ceiling)
{
    bool recalled = false;
    cs_space *space = open_space(MNASNET, &recalled);
    cs_predictor *predictor = open_predictor(space);
    double lowest = INFINITY, highest = -INFINITY;
    for (uint64_t i = 0; i < 20000; i++) {
        uint8_t genome[GENES];
        cs_random random;
        cs_random_init(&random, 4, 0, CS_PURPOSE_SAMPLE, 0, i);
        cs_space_sample(space, &random, genome);
        double top1 = cs_predictor_predict(predictor, genome);
        lowest = fmin(lowest, top1);
        highest = fmax(highest, top1);
    }
    ck_assert_double_gt(lowest, 40);
    ck_assert_double_lt(highest, 70);
    cs_predictor_free(predictor);
    cs_space_free(space);
}
END_TEST

START_TEST(test_link)
{
    ck_assert_double_eq(cs_link_accuracy(CS_LINK_IDENTITY, 0, 61.25), 61.25);
    ck_assert_double_eq(cs_link_accuracy(CS_LINK_INVERSE_SQUARE, 80, 0.25), 64);
    /* nothing is below 0 %, whatever a file says */
    ck_assert_double_eq(cs_link_accuracy(CS_LINK_INVERSE_SQUARE, 80, 0.1), 0);
    ck_assert_double_eq(cs_link_accuracy(CS_LINK_INVERSE_SQUARE, 80, 0), 0);
    ck_assert_double_eq(cs_link_accuracy(CS_LINK_INVERSE_SQUARE, 80, -0.25), 0);
}
END_TEST

/* ---- small files ---- */

static cs_space *small_space(void)
{
    static const char text[] =
        "kind = \"network-space\"; name = \"s\"; source = \"test\";\n"
        "input = { height = 8; width = 8; channels = 8; provenance = \"chosen: test\"; };\n"
        "parameters = ( { name = \"a\"; kind = \"ordinal\"; values = [1, 2];\n"
        "                 provenance = \"chosen: test\"; },\n"
        "               { name = \"b\"; kind = \"ordinal\"; values = [3, 5, 7];\n"
        "                 provenance = \"chosen: test\"; } );\n"
        "body = ( { block = \"conv\"; channels = 4; kernel = \"b\"; repeat = \"a\";\n"
        "           provenance = \"chosen: test\"; } );\n";
    return space_of_text(text);
}

#define HEAD                                                                                       \
    "kind = \"accuracy-predictor\"; metric = \"m\"; about = \"text\"; data = {}; held_out = {};\n"
#define LINK   "link = \"identity\"; intercept = 10.0;\n"
#define GENE_A "{ name = \"a\"; choices = [\"1\", \"2\"]; weights = [1.0, 2.0]; }"
#define GENE_B "{ name = \"b\"; choices = [\"3\", \"5\", \"7\"]; weights = [0.1, 0.2, 0.3]; }"
#define PAIR   "{ genes = [\"a\", \"b\"]; weights = [.01, .02, .03, .04, .05, .06]; }"

static cs_predictor *read_text(const char *text, const cs_space *space, cs_error *err)
{
    cs_conf *conf = cs_conf_parse(text, strlen(text), "w.conf", NULL, 0, err);
    ck_assert_msg(conf != NULL, "%s", err->text);
    cs_predictor *predictor = cs_predictor_read(cs_conf_root(conf), space, err);
    cs_conf_free(conf);
    return predictor;
}

/* The same weights with genes and choices in another order. */
START_TEST(test_order_of_genes_and_choices_is_the_files)
{
    static const char *const texts[] = {
        HEAD LINK "genes = ( " GENE_A ", " GENE_B " ); pairs = ( " PAIR " );",
        HEAD LINK
        "genes = ( { name = \"b\"; choices = [\"7\", \"3\", \"5\"]; weights = [0.3, 0.1,\n"
        "0.2]; }, { name = \"a\"; choices = [\"2\", \"1\"]; weights = [2.0, 1.0]; } );\n"
        "pairs = ( { genes = [\"b\", \"a\"];\n"
        "            weights = [.06, .03, .04, .01, .05, .02]; } );",
    };
    cs_space *space = small_space();
    cs_error err;
    cs_predictor *predictor = read_text(texts[_i], space, &err);
    ck_assert_msg(predictor != NULL, "%s", err.text);
    for (uint8_t a = 0; a < 2; a++) {
        for (uint8_t b = 0; b < 3; b++) {
            uint8_t genome[] = {a, b};
            double expected = 10 + (1 + a) + 0.1 * (1 + b) + 0.01 * (1 + 3 * a + b);
            ck_assert_double_eq_tol(cs_predictor_predict(predictor, genome), expected, 1e-12);
        }
    }
    cs_predictor_free(predictor);
    cs_space_free(space);
}
END_TEST

static const struct refused {
    const char *text, *words;
} refused[] = {
    {"kind = \"space\"; metric = \"m\"; about = \"t\"; data = {}; held_out = {};\n" LINK
     "genes = ( " GENE_A ", " GENE_B " ); pairs = ();",
     "w.conf:1: kind: must be"},
    {HEAD LINK "genes = ( " GENE_A ", " GENE_B " ); pairs = (); more = 1;", "unknown key"},
    {HEAD LINK "genes = ( " GENE_A " ); pairs = ();", "w.conf:3: genes: must describe"},
    {HEAD LINK "genes = ( " GENE_A ", " GENE_A " ); pairs = ();", "described twice"},
    {HEAD LINK "genes = ( " GENE_A ",\n{ name = \"c\"; choices = [\"1\"]; weights = [1.0]; } );\n"
               "pairs = ();",
     "w.conf:4: genes[1].name: the network space has no"},
    {HEAD LINK "genes = ( " GENE_A ",\n{ name = \"b\"; choices = [\"3\", \"5\"]; weights = [1.0,\n"
               "2.0]; } ); pairs = ();",
     "must hold 3 elements, not 2"},
    {HEAD LINK "genes = ( " GENE_A ",\n{ name = \"b\"; choices = [\"3\", \"5\", \"9\"];\n"
               "weights = [1.0, 2.0, 3.0]; } ); pairs = ();",
     "is none of \"b\""},
    {HEAD LINK "genes = ( " GENE_A ",\n{ name = \"b\"; choices = [\"3\", \"5\", \"5\"];\n"
               "weights = [1.0, 2.0, 3.0]; } ); pairs = ();",
     "twice"},
    {HEAD LINK "genes = ( " GENE_A ",\n{ name = \"b\"; choices = [\"3\", \"5\", \"7\"];\n"
               "weights = [1.0, 2.0]; } ); pairs = ();",
     "w.conf:5: genes[1].weights: must hold 3"},
    {HEAD LINK "genes = ( " GENE_A ", " GENE_B " );\npairs = ( " PAIR ",\n" PAIR " );",
     "w.conf:5: pairs[1].genes: there is such a pair already"},
    {HEAD LINK "genes = ( " GENE_A ", " GENE_B " );\n"
               "pairs = ( { genes = [\"a\", \"a\"]; weights = [1.0]; } );",
     "two different genes"},
    {HEAD LINK "genes = ( " GENE_A ", " GENE_B " );\n"
               "pairs = ( { genes = [\"a\", \"c\"]; weights = [1.0]; } );",
     "\"c\" is no gene"},
    {HEAD LINK "genes = ( " GENE_A ", " GENE_B " );\n"
               "pairs = ( { genes = [\"a\", \"b\"]; weights = [1.0]; } );",
     "must hold 6 elements"},
    {HEAD "link = \"log\"; intercept = 1.0; genes = ( " GENE_A ", " GENE_B " ); pairs = ();",
     "must be \"identity\" or"},
    {HEAD "link = \"inverse-square\"; intercept = 1.0; genes = (); pairs = ();",
     "ceiling: is missing"},
};

START_TEST(test_refuses)
{
    cs_space *space = small_space();
    cs_error err = {.text = ""};
    ck_assert_ptr_null(read_text(refused[_i].text, space, &err));
    ck_assert_msg(strstr(err.text, refused[_i].words) != NULL, "%s: no \"%s\"", err.text,
                  refused[_i].words);
    ck_assert_int_eq(err.status, CS_EINVAL);
    cs_space_free(space);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("predictor");
    TCase *shipped = tcase_create("shipped");
    tcase_set_timeout(shipped, 30);
    tcase_add_test(shipped, test_says_that_it_is_a_proxy);
    tcase_add_test(shipped, test_file_states_its_held_out_error);
    tcase_add_loop_test(shipped, test_predicts_measured_networks, 0,
                        (int)(sizeof golden / sizeof *golden));
    tcase_add_test(shipped, test_predicts_the_table);
    tcase_add_test(shipped, test_sum_is_that_of_the_file_bit_for_bit);
    tcase_add_test(shipped, test_predictions_are_percentages_below_the_ceiling);
    suite_add_tcase(suite, shipped);
    TCase *small = tcase_create("small files");
    tcase_add_test(small, test_link);
    tcase_add_loop_test(small, test_order_of_genes_and_choices_is_the_files, 0, 2);
    tcase_add_loop_test(small, test_refuses, 0, (int)(sizeof refused / sizeof *refused));
    suite_add_tcase(suite, small);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
