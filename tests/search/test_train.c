/* Training: a function that pairs of genes explain is learned, and the file that is written reads
 * back. */
#include "files.h"
#include "search/predictor/train.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GENES 4
#define WIDE  7
#define ROWS  300

/* Genes of 2, 3, 4 and 1 choices; the last one can explain nothing. */
static cs_space *make_space(void)
{
    static const char text[] =
        "kind = \"network-space\"; name = \"s\"; source = \"test\";\n"
        "input = { height = 8; width = 8; channels = \"only\"; provenance = \"chosen: test\"; };\n"
        "parameters = (\n"
        "{ name = \"x_a\"; kind = \"categorical\"; values = [0, 1]; provenance = \"chosen: t\"; "
        "},\n"
        "{ name = \"x_b\"; kind = \"ordinal\"; values = [3, 5, 7]; provenance = \"chosen: t\"; },\n"
        "{ name = \"y_a\"; kind = \"ordinal\"; values = [1, 2, 3, 4]; provenance = \"chosen: t\"; "
        "},\n"
        "{ name = \"only\"; kind = \"ordinal\"; values = [3]; provenance = \"chosen: t\"; } );\n"
        "body = ( { block = \"conv\"; channels = 4; kernel = \"x_b\"; repeat = \"y_a\";\n"
        "           bias = \"x_a\"; provenance = \"chosen: test\"; } );\n";
    return space_of_text(text);
}

/* Six genes of three choices, two a block, and a last one with a single choice. */
static cs_space *make_wide_space(void)
{
    char text[8192];
    size_t used = (size_t)snprintf(
        text, sizeof text,
        "kind = \"network-space\"; name = \"w\"; source = \"test\";\n"
        "input = { height = 8; width = 8; channels = \"only\"; provenance = \"chosen: t\"; };\n"
        "parameters = (");
    for (int i = 0; i < 6; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%s{ name = \"b%d_%c\"; kind = \"ordinal\"; values = [1, 3, 5];\n"
                                 "provenance = \"chosen: t\"; }",
                                 i ? ", " : "", i / 2, 'a' + i % 2);
    }
    used += (size_t)snprintf(text + used, sizeof text - used,
                             ", { name = \"only\"; kind = \"ordinal\"; values = [3];\n"
                             "provenance = \"chosen: t\"; } );\nbody = (");
    for (int i = 0; i < 6; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%s{ block = \"conv\"; channels = 4; kernel = \"b%d_%c\";\n"
                                 "provenance = \"chosen: t\"; }",
                                 i ? ", " : "", i / 2, 'a' + i % 2);
    }
    snprintf(text + used, sizeof text - used, ");\n");
    return space_of_text(text);
}

/* Main effects, one pair of one block, and a little of a pair of two blocks. */
static double accuracy_of(const uint8_t *genome)
{
    double sum = 50;
    for (uint32_t g = 0; g < 6; g++) {
        sum += 2.0 * genome[g];
    }
    return sum + 1.5 * (genome[0] == genome[1]) - 0.5 * genome[2] * genome[4];
}

/* Random points of a space, row by row. */
static void draw_genomes(const cs_space *space, uint8_t *genomes)
{
    for (uint64_t r = 0; r < ROWS; r++) {
        cs_random random;
        cs_random_init(&random, 9, 0, CS_PURPOSE_SAMPLE, 0, r);
        cs_space_sample(space, &random, genomes + cs_space_genome_bytes(space) * r);
    }
}

static const cs_training_source source = {
    .metric = "m",
    .about = "a \"quoted\" text with a \\",
    .data = "d",
    .licence = "l",
    .sha256 = "0",
    .column = "c",
};

START_TEST(test_learns_what_pairs_explain)
{
    cs_space *space = make_wide_space();
    uint8_t genomes[ROWS * WIDE];
    double accuracies[ROWS];
    draw_genomes(space, genomes);
    for (uint64_t r = 0; r < ROWS; r++) {
        accuracies[r] = accuracy_of(genomes + WIDE * r);
    }
    cs_training_set set = {
        .space = space, .genomes = genomes, .accuracies = accuracies, .row_count = ROWS};
    cs_error err;
    cs_training *training = cs_training_run(&set, &err);
    ck_assert_msg(training != NULL, "%s", err.text);
    cs_training_quality quality = cs_training_quality_of(training);
    ck_assert_double_gt(quality.r2.mean, 0.98);
    ck_assert_double_gt(quality.kendall.mean, 0.92);
    ck_assert_double_gt(quality.spearman.mean, 0.98);
    ck_assert_double_lt(quality.mae.mean, 0.5);
    ck_assert_double_ge(quality.r2.error, 0);

    cs_buffer text = {0};
    cs_training_write(training, &source, &text);
    ck_assert(!text.failed);
    cs_conf *conf = cs_conf_parse((const char *)text.data, text.size, "w.conf", NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_predictor *predictor = cs_predictor_read(cs_conf_root(conf), space, &err);
    ck_assert_msg(predictor != NULL, "%s", err.text);
    ck_assert_str_eq(cs_predictor_about(predictor), source.about);
    for (uint64_t r = 0; r < 100; r++) {
        uint8_t genome[WIDE];
        cs_random random;
        cs_random_init(&random, 10, 0, CS_PURPOSE_SAMPLE, 0, r);
        cs_space_sample(space, &random, genome);
        ck_assert_double_eq_tol(cs_predictor_predict(predictor, genome), accuracy_of(genome), 2);
    }
    cs_predictor_free(predictor);
    cs_conf_free(conf);
    cs_buffer_release(&text);
    cs_training_free(training);
    cs_space_free(space);
}
END_TEST

START_TEST(test_refuses_too_few_networks)
{
    cs_space *space = make_space();
    uint8_t genomes[ROWS * GENES];
    double accuracies[ROWS];
    draw_genomes(space, genomes);
    for (uint64_t r = 0; r < ROWS; r++) {
        accuracies[r] = (double)r / ROWS;
    }
    cs_training_set set = {
        .space = space, .genomes = genomes, .accuracies = accuracies, .row_count = ROWS};
    cs_error err;
    ck_assert_ptr_null(cs_training_run(&set, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "24 different networks"));
    set.row_count = 0;
    ck_assert_ptr_null(cs_training_run(&set, &err));
    cs_space_free(space);
}
END_TEST

START_TEST(test_refuses_accuracies_that_do_not_vary)
{
    cs_space *space = make_wide_space();
    uint8_t genomes[ROWS * WIDE];
    double accuracies[ROWS];
    draw_genomes(space, genomes);
    for (uint64_t r = 0; r < ROWS; r++) {
        accuracies[r] = 50;
    }
    cs_training_set set = {
        .space = space, .genomes = genomes, .accuracies = accuracies, .row_count = ROWS};
    cs_error err;
    ck_assert_ptr_null(cs_training_run(&set, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "all accuracies are equal"));
    cs_space_free(space);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train");
    TCase *tcase = tcase_create("train");
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_learns_what_pairs_explain);
    tcase_add_test(tcase, test_refuses_too_few_networks);
    tcase_add_test(tcase, test_refuses_accuracies_that_do_not_vary);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
