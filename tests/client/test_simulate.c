/* codesign-client simulate: figures that were worked out by hand, parts that make up the whole, and
 * answers to designs and words that do not work. */
#include "base/file.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY CODESIGN_SOURCE_DIR "/configs"

/* One dense layer of 64 x 64 on one lane row of 4 x 4. */
static const char tiny_network[] =
    "kind = \"network\"; name = \"tiny\";\n"
    "inputs = ( { name = \"x\"; height = 1; width = 1; channels = 64; } );\n"
    "layers = ( { op = \"dense\"; name = \"fc\"; channels = 64; } );\n";

/* 4096 inputs do not fit into a memory of 1 KiB. */
static const char wide_network[] =
    "kind = \"network\"; name = \"wide\";\n"
    "inputs = ( { name = \"x\"; height = 1; width = 1; channels = 4096; } );\n"
    "layers = ( { op = \"dense\"; name = \"wide\"; channels = 4; } );\n";

#define VALUE(name, value) "{ name = \"" name "\"; value = " value "; provenance = \"chosen\"; }"

static const char tiny_accelerator[] =
    "kind = \"accelerator\"; naming = \"edgetpu\";\n"
    "values = (" VALUE("pes_x", "1") "," VALUE("pes_y", "1") "," VALUE("cores_per_pe", "1") "," VALUE("lanes_per_core", "4") "," VALUE(
        "simd_ways",
        "4") "," VALUE("clock_mhz",
                       "1000") "," VALUE("pe_memory_kib",
                                         "16") "," VALUE("core_memory_kib",
                                                         "8") "," VALUE("instruction_entries",
                                                                        "1024") "," VALUE("paramete"
                                                                                          "r_"
                                                                                          "entries",
                                                                                          "1024") "," VALUE("activation_entries",
                                                                                                            "1024") "," VALUE("link_gbps",
                                                                                                                              "1") ");\n";

static void write_file(const char *name, const char *text)
{
    cs_error err = {0};
    ck_assert_msg(cs_file_write(name, text, strlen(text), &err) == CS_OK, "%s", err.text);
}

static void enter_folder(void)
{
    char folder[] = "test_simulate.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    write_file("tiny.conf", tiny_network);
    write_file("wide.conf", wide_network);
    write_file("chip.conf", tiny_accelerator);
}

/* Run simulate; its exit code. What it printed is malloc'd. */
static int run(const char *arguments, char **out, char **err)
{
    char command[1000];
    size_t size;
    snprintf(command, sizeof command, "%s simulate %s >out.txt 2>err.txt", CODESIGN_CLIENT,
             arguments);
    int status = system(command);
    cs_error why = {0};
    *out = cs_file_read("out.txt", 1 << 22, &size, &why);
    *err = cs_file_read("err.txt", 1 << 20, &size, &why);
    ck_assert_msg(*out && *err && WIFEXITED(status), "%s: %s", command, why.text);
    return WEXITSTATUS(status);
}

/* The same with --format json; the value is the caller's. */
static json_t *run_json(const char *arguments, int code)
{
    char all[900], *out, *err;
    snprintf(all, sizeof all, "%s --format json", arguments);
    int got = run(all, &out, &err);
    ck_assert_msg(got == code, "%s: exit %d: %s", all, got, err);
    json_error_t why;
    json_t *value = json_loads(out, JSON_REJECT_DUPLICATES, &why);
    ck_assert_msg(value != NULL, "%s: %s: %s", all, why.text, out);
    free(out);
    free(err);
    return value;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_number(value), "%s is no number", key);
    return json_number_value(value);
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    ck_assert_msg(value != NULL, "%s is no text", key);
    return value;
}

static void expect_near(const json_t *object, const char *key, double expected)
{
    double got = number(object, key);
    ck_assert_msg(fabs(got - expected) <= 1e-12 * fabs(expected), "%s: %.17g, not %.17g", key, got,
                  expected);
}

#define TINY "--library " LIBRARY " --network ./tiny.conf --accelerator ./chip.conf"
#define WIDE "--library " LIBRARY " --network ./wide.conf --accelerator ./chip.conf"
#define ZOO  "--library " LIBRARY " --accelerator edgetpu-v1 --network "

/* 64 outputs on 4 lanes are 16 passes of 64 / 4 words: 256 cycles of 1 ns. Its 4096 weights stay on
 * chip, and come to the core through a port of 16 bytes a cycle, as 64 bytes of input (once for
 * each pass, 16 times) and 64 of output do: (4096 + 1024 + 64) / 16 = 324 cycles. */
START_TEST(test_a_tiny_network_costs_what_one_works_out_by_hand)
{
    json_t *design = run_json(TINY " --per-layer", 0);
    ck_assert_str_eq(text(design, "outcome"), "feasible");
    expect_near(design, "macs", 4096);
    expect_near(design, "parameters", 4160);
    expect_near(design, "cached_bytes", 4096);
    expect_near(design, "streamed_bytes", 0);
    expect_near(design, "off_chip_bytes", 128);
    expect_near(design, "peak_tops", 0.032);
    expect_near(design, "link_gb_s", 1);
    expect_near(design, "ridge_ops_byte", 32);
    expect_near(design, "network_ops_byte", 64);
    expect_near(design, "latency_ms", 324e-6);
    expect_near(design, "utilization_percent", 100 * 256.0 / 324);
    expect_near(design, "on_chip_limited_percent", 100);
    const json_t *layers = json_object_get(design, "layers");
    ck_assert_uint_eq(json_array_size(layers), 1);
    const json_t *layer = json_array_get(layers, 0);
    ck_assert_str_eq(text(layer, "name"), "fc");
    ck_assert_str_eq(text(layer, "out"), "1x1x64");
    ck_assert_str_eq(text(layer, "limited_by"), "on-chip");
    ck_assert_str_eq(text(layer, "weights"), "cached");
    expect_near(layer, "weight_passes", 1);
    expect_near(layer, "compute_ms", 256e-6);
    expect_near(layer, "off_chip_ms", 64e-6);
    json_decref(design);
}
END_TEST

/* With 4 KiB the weights do not fit beside the activations: 4096 + 64 bytes come in at 1 GB/s. */
START_TEST(test_a_smaller_memory_streams_and_the_reason_is_told)
{
    json_t *designs = run_json(TINY " --set pe_memory_kib=4", 0);
    ck_assert_uint_eq(json_array_size(designs), 2);
    const json_t *before = json_array_get(designs, 0), *after = json_array_get(designs, 1);
    ck_assert_str_eq(text(before, "design"), "unchanged");
    ck_assert(json_is_null(json_object_get(before, "why")));
    ck_assert_str_eq(text(after, "design"), "pe_memory_kib=4");
    expect_near(after, "latency_ms", 4160e-6);
    expect_near(after, "streamed_bytes", 4096);
    expect_near(after, "latency_change_percent", (4160.0 / 324 - 1) * 100);
    expect_near(after, "off_chip_limited_percent", 100);
    const char *why = text(after, "why");
    ck_assert_msg(strstr(why, "latency +0.003836 ms (layers limited by on-chip -0.000324, by "
                              "off-chip +0.00416)"),
                  "%s", why);
    ck_assert_msg(strstr(why, "off-chip traffic +0.004096 MB"), "%s", why);
    ck_assert_msg(strstr(why, "parameters now streamed: fc (1)"), "%s", why);
    json_decref(designs);
}
END_TEST

static const char *const zoo[] = {"mobilenet-v2", "alexnet", "densenet121", "bert-base"};

START_TEST(test_layers_sum_to_the_totals)
{
    static const struct {
        const char *layer, *total;
    } sums[] = {{"latency_ms", "latency_ms"}, {"energy_mj", "energy_mj"}, {"macs", "macs"}};
    char arguments[300];
    snprintf(arguments, sizeof arguments, ZOO "%s --per-layer", zoo[_i]);
    json_t *design = run_json(arguments, 0);
    const json_t *layers = json_object_get(design, "layers"), *layer;
    size_t i;
    for (size_t s = 0; s < sizeof sums / sizeof *sums; s++) {
        double sum = 0, total = number(design, sums[s].total);
        json_array_foreach(layers, i, layer)
        {
            sum += number(layer, sums[s].layer);
        }
        ck_assert_msg(fabs(sum - total) <= 1e-9 * total, "%s: %g, not %g", sums[s].total, sum,
                      total);
    }
    double percent = 0, cached = 0, streamed = 0, off_chip = 0;
    json_array_foreach(layers, i, layer)
    {
        percent += number(layer, "latency_percent");
        off_chip += number(layer, "off_chip_read_bytes") + number(layer, "off_chip_write_bytes");
        if (json_is_string(json_object_get(layer, "weights"))) {
            bool stays = strcmp(text(layer, "weights"), "cached") == 0;
            *(stays ? &cached : &streamed) += number(layer, "weight_bytes");
        }
    }
    ck_assert_double_eq_tol(percent, 100, 1e-6);
    expect_near(design, "cached_bytes", cached);
    expect_near(design, "streamed_bytes", streamed);
    expect_near(design, "off_chip_bytes", off_chip);
    ck_assert_double_eq_tol(number(design, "compute_limited_percent") +
                                number(design, "on_chip_limited_percent") +
                                number(design, "off_chip_limited_percent"),
                            100, 1e-6);
    ck_assert_str_eq(text(design, "recalled"), "accelerator, technology");
    json_decref(design);
}
END_TEST

START_TEST(test_a_sweep_tries_each_value_on_top_of_what_is_set)
{
    json_t *designs = run_json(TINY " --set link_gbps=2 --sweep pe_memory_kib=4,16", 0);
    ck_assert_uint_eq(json_array_size(designs), 3);
    const json_t *small = json_array_get(designs, 1), *same = json_array_get(designs, 2);
    ck_assert_str_eq(text(small, "design"), "link_gbps=2 pe_memory_kib=4");
    expect_near(small, "latency_ms", 2080e-6);
    expect_near(same, "latency_ms", 324e-6);
    ck_assert_msg(strstr(text(same, "why"), "latency unchanged") != NULL, "%s", text(same, "why"));
    json_decref(designs);
}
END_TEST

START_TEST(test_a_value_that_cannot_run_does_not_stop_a_sweep)
{
    json_t *designs = run_json(WIDE " --sweep pe_memory_kib=1,64", 0);
    const json_t *none = json_array_get(designs, 1), *last = json_array_get(designs, 2);
    ck_assert(json_is_null(json_object_get(none, "latency_ms")));
    ck_assert_msg(strstr(text(none, "why"), "layer wide (1): PE memory") != NULL, "%s",
                  text(none, "why"));
    ck_assert_str_eq(text(none, "outcome_layer"), "wide (1)");
    ck_assert(number(none, "area_mm2") < number(last, "area_mm2"));
    ck_assert_str_eq(text(last, "outcome"), "feasible");
    json_decref(designs);
}
END_TEST

/* Lines, and commas in the first of them and in the others, of text without quotes. */
START_TEST(test_csv_has_a_row_for_each_layer_of_each_design)
{
    char *out, *err;
    ck_assert_int_eq(
        run(ZOO "alexnet --per-layer --sweep clock_mhz=400,500 --format csv", &out, &err), 0);
    size_t lines = 0, columns = 0;
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        size_t commas = 0;
        for (const char *p = line; *p; p++) {
            commas += *p == ',';
        }
        columns = lines ? columns : commas;
        ck_assert_msg(commas == columns, "%s", line);
    }
    ck_assert_uint_eq(lines, 1 + 3 * 11);
    ck_assert_ptr_nonnull(strstr(err, "recalled constants (accelerator, technology)"));
    free(out);
    free(err);
}
END_TEST

typedef struct run_case {
    const char *arguments;
    int code;
    const char *out, *err; /* part of it, or NULL */
} run_case;

static const run_case runs[] = {
    {ZOO "mobilenet-v2", 0, "rest on recalled constants (accelerator, technology)", NULL},
    {ZOO "alexnet --per-layer", 0, "streamed", NULL},
    {ZOO "alexnet --sweep pe_memory_kib=8192", 0, "parameters now cached: fc6 (9)", NULL},
    {WIDE " --set pe_memory_kib=1", 10, "cannot run",
     "layer wide (1): PE memory cannot hold the smallest tile"},
    {WIDE " --sweep pe_memory_kib=1,2", 10, "pe_memory_kib=2: cannot run", "kib=2: cannot"},
    {ZOO "alexne", 4, NULL, "the library has no networks 'alexne'; it has: alexnet"},
    {ZOO "./none.conf", 4, NULL, "./none.conf"},
    {ZOO "alexnet --technology x", 4, NULL, "no technology 'x'; it has: edge-22nm"},
    {TINY " --network ./chip.conf", 3, NULL, "./chip.conf:1"},
    {TINY " --set local_memory_MB=2", 3, NULL, "it has: pes_x, pes_y"},
    {TINY " --set clock_mhz", 3, NULL, "--set: 'clock_mhz' has no '='"},
    {TINY " --set clock_mhz=fast", 3, NULL, "clock_mhz must be a number, not 'fast'"},
    {TINY " --set clock_mhz=nan", 3, NULL, "clock_mhz"},
    {TINY " --set clock_mhz=1e300", 3, NULL, "clock_mhz"},
    {TINY " --set pes_x=0", 3, NULL, "pes_x"},
    {TINY " --sweep pes_x=1,,2", 3, NULL, "--sweep: pes_x must be a number, not ''"},
    {TINY " --sweep pes_x", 3, NULL, "--sweep: 'pes_x' has no '='"},
    {"--network alexnet", 2, NULL, "--accelerator are needed"},
    {TINY " more", 2, NULL, "Too many arguments"},
};

START_TEST(test_the_program_answers_and_exits_as_documented)
{
    const run_case *c = &runs[_i];
    char *out, *err;
    int code = run(c->arguments, &out, &err);
    ck_assert_msg(code == c->code, "%s: exit %d: %s", c->arguments, code, err);
    ck_assert_msg(!c->out || strstr(out, c->out), "%s: %s", c->arguments, out);
    ck_assert_msg(!c->err || strstr(err, c->err), "%s: %s", c->arguments, err);
    free(out);
    free(err);
}
END_TEST

START_TEST(test_the_library_may_come_from_the_environment)
{
    static const char *const folders[] = {LIBRARY, "/nowhere"};
    char *out, *err;
    ck_assert_int_eq(setenv("CODESIGN_LIBRARY", folders[_i], 1), 0);
    int code = run("--network alexnet --accelerator edgetpu-v1", &out, &err);
    ck_assert_msg(code == (_i ? 4 : 0), "exit %d: %s", code, err);
    ck_assert_msg(_i == 0 || strstr(err, "it has: none"), "%s", err);
    free(out);
    free(err);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulate");
    TCase *tcase = tcase_create("simulate");
    tcase_add_unchecked_fixture(tcase, enter_folder, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_tiny_network_costs_what_one_works_out_by_hand);
    tcase_add_test(tcase, test_a_smaller_memory_streams_and_the_reason_is_told);
    tcase_add_loop_test(tcase, test_layers_sum_to_the_totals, 0, sizeof zoo / sizeof *zoo);
    tcase_add_test(tcase, test_a_sweep_tries_each_value_on_top_of_what_is_set);
    tcase_add_test(tcase, test_a_value_that_cannot_run_does_not_stop_a_sweep);
    tcase_add_test(tcase, test_csv_has_a_row_for_each_layer_of_each_design);
    tcase_add_loop_test(tcase, test_the_program_answers_and_exits_as_documented, 0,
                        sizeof runs / sizeof *runs);
    tcase_add_loop_test(tcase, test_the_library_may_come_from_the_environment, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
