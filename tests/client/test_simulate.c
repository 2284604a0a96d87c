/* codesign-client simulate: figures that were worked out by hand, parts that make up the whole, and
 * answers to designs and words that do not work. */
#include "base/file.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The values of a host of the chip `accelerator`, all recalled. */
#define HOST(accelerator, in, out, call)                                                           \
    "kind = \"host\"; accelerator = \"" accelerator "\";\n"                                        \
    "values = (" RECALLED("in_mib_s", in) "," RECALLED("out_mib_s", out) "," RECALLED("call_ms",   \
                                                                                      call) ");\n"
/* The same with a time before the first stream. */
#define HOST_START(start)                                                                          \
    "kind = \"host\"; accelerator = \"tiny\";\n"                                                   \
    "values = (" RECALLED("in_mib_s", "100") "," RECALLED("out_mib_s", "10") "," RECALLED(         \
        "call_ms", "1") "," RECALLED("stream_start_ms", start) ");\n"
#define RECALLED(name, value)                                                                      \
    "{ name = \"" name "\"; value = " value "; provenance = \"recalled: by nobody\"; }"

static void write_file(const char *name, const char *text)
{
    cs_error err = {0};
    ck_assert_msg(cs_file_write(name, text, strlen(text), &err) == CS_OK, "%s", err.text);
}

/* The first `most` bytes of a small model, or all of it. */
static void write_model(const char *name, const char *model, size_t most)
{
    char path[300];
    size_t size;
    cs_error err = {0};
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/fuzz_onnx/%s", CODESIGN_SOURCE_DIR, model);
    char *bytes = cs_file_read(path, 1 << 20, &size, &err);
    ck_assert_msg(bytes && cs_file_write(name, bytes, size < most ? size : most, &err) == CS_OK,
                  "%s", err.text);
    free(bytes);
}

/* A file of 1 GiB that takes no room. */
static void write_huge(const char *name)
{
    write_file(name, "");
    ck_assert_int_eq(truncate(name, (off_t)1 << 30), 0);
}

static void write_models(void)
{
    write_model("small.onnx", "conv-relu", SIZE_MAX);
    write_model("cut.onnx", "conv-relu", 60);
    write_model("unknown.onnx", "bad-operator", SIZE_MAX);
    write_file("empty.onnx", "");
    write_huge("huge.onnx");
    ck_assert_int_eq(mkdir("folder.onnx", 0777), 0);
}

static void enter_folder(void)
{
    char folder[] = "test_simulate.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    write_file("tiny.conf", tiny_network);
    write_file("wide.conf", wide_network);
    write_file("chip.conf", tiny_accelerator);
    write_file("host.conf", HOST("tiny", "100", "10", "1"));
    write_file("empty.conf", "");
    write_huge("huge.conf");
    write_models();
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

/* By the rules of `vendor`, which the figures follow that are worked out here. */
#define CHIP  "--library " LIBRARY " --compiler vendor --accelerator ./chip.conf"
#define TINY  CHIP " --network ./tiny.conf"
#define WIDE  CHIP " --network ./wide.conf"
#define CORAL "--library " LIBRARY " --network mobilenet-v2 --accelerator coral --compiler vendor"
#define ZOO   "--library " LIBRARY " --accelerator edgetpu-v1 --network "

/* The input comes over the link of 1 GB/s with instructions: 8192 bytes for the call, 4096 for the
 * layer. Its 64 outputs on 4 lanes are 16 passes of 64 / 4 words, 256 cycles of 1 ns; each pass
 * waits 26 cycles for its weights. A single PE exchanges nothing. In the end 64 bytes leave. */
#define IN_BYTES (64.0 + 8192 + 4096)
#define RUN_NS   (16 * 26.0 + 256)

START_TEST(test_a_tiny_network_costs_what_one_works_out_by_hand)
{
    json_t *design = run_json(TINY " --per-layer", 0);
    ck_assert_str_eq(text(design, "outcome"), "feasible");
    ck_assert_str_eq(text(design, "limited_by"), "link in");
    expect_near(design, "macs", 4096);
    expect_near(design, "operations", 4096);
    expect_near(design, "parameters", 4160);
    expect_near(design, "cached_bytes", 4096);
    expect_near(design, "streamed_bytes", 0);
    expect_near(design, "off_chip_bytes", IN_BYTES + 64);
    expect_near(design, "peak_tops", 0.032);
    expect_near(design, "link_gb_s", 1);
    expect_near(design, "ridge_ops_byte", 32);
    expect_near(design, "network_ops_byte", 2 * 4096 / (IN_BYTES + 64));
    double latency_ns = IN_BYTES + RUN_NS + 64;
    expect_near(design, "latency_ms", latency_ns * 1e-6);
    expect_near(design, "utilization_percent", 100 * 256 / latency_ns);
    expect_near(design, "link_in_limited_percent", 100 * IN_BYTES / latency_ns);
    expect_near(design, "bound_ms", (IN_BYTES + 256) * 1e-6);
    expect_near(design, "gap", latency_ns / (IN_BYTES + 256));
    const json_t *layers = json_object_get(design, "layers");
    ck_assert_uint_eq(json_array_size(layers), 2);
    const json_t *input = json_array_get(layers, 0), *layer = json_array_get(layers, 1);
    ck_assert_str_eq(text(input, "limited_by"), "link in");
    ck_assert(json_is_null(json_object_get(input, "split_y")));
    expect_near(input, "link_in_ms", IN_BYTES * 1e-6);
    ck_assert_str_eq(text(layer, "name"), "fc");
    ck_assert_str_eq(text(layer, "out"), "1x1x64");
    ck_assert_str_eq(text(layer, "limited_by"), "weight fills");
    ck_assert_str_eq(text(layer, "weights"), "cached");
    ck_assert_str_eq(text(layer, "split_y"), "channels");
    expect_near(layer, "weight_passes", 1);
    expect_near(layer, "channel_passes", 16);
    expect_near(layer, "compute_ms", 256e-6);
    expect_near(layer, "weight_fills_ms", 16 * 26e-6);
    expect_near(layer, "exchange_ms", 0);
    expect_near(layer, "link_out_ms", 64e-6);
    expect_near(layer, "bound_ms", 256e-6);
    expect_near(layer, "core_read_bytes", 4096);
    json_decref(design);
}
END_TEST

/* With 4 KiB the weights do not fit beside the buffers: 4096 bytes come in at 1 GB/s, longer than
 * the layer runs. */
START_TEST(test_a_smaller_memory_streams_and_the_reason_is_told)
{
    json_t *designs = run_json(TINY " --set pe_memory_kib=4", 0);
    ck_assert_uint_eq(json_array_size(designs), 2);
    const json_t *before = json_array_get(designs, 0), *after = json_array_get(designs, 1);
    ck_assert_str_eq(text(before, "design"), "unchanged");
    ck_assert(json_is_null(json_object_get(before, "why")));
    ck_assert_str_eq(text(after, "design"), "pe_memory_kib=4");
    expect_near(after, "latency_ms", (IN_BYTES + 4096 + 64) * 1e-6);
    expect_near(after, "bound_ms", (IN_BYTES + 4096) * 1e-6);
    expect_near(after, "streamed_bytes", 4096);
    expect_near(after, "latency_change_percent",
                ((IN_BYTES + 4096 + 64) / (IN_BYTES + RUN_NS + 64) - 1) * 100);
    ck_assert(number(after, "area_ratio") < 1);
    const char *why = text(after, "why");
    ck_assert_msg(strstr(why, "latency +0.003424 ms (layers limited by weight fills +0.003424)"),
                  "%s", why);
    ck_assert_msg(strstr(why, "link in +0.004096, ring +0.004096, wide written +0.004096)"), "%s",
                  why);
    ck_assert_msg(strstr(why, "parameters now streamed: fc (1)"), "%s", why);
    json_decref(designs);
}
END_TEST

/* A window of 3 x 3 over 8 x 8 x 3: 6 x 6 x 4 outputs of 27 products. */
START_TEST(test_an_onnx_model_is_a_network)
{
    json_t *design = run_json(ZOO "./small.onnx --per-layer", 0);
    ck_assert_str_eq(text(design, "network"), "./small.onnx");
    expect_near(design, "macs", 6 * 6 * 4 * 27);
    expect_near(design, "parameters", 27 * 4);
    const json_t *layers = json_object_get(design, "layers");
    ck_assert_uint_eq(json_array_size(layers), 2);
    ck_assert_str_eq(text(json_array_get(layers, 1), "op"), "conv");
    ck_assert_str_eq(text(json_array_get(layers, 1), "out"), "6x6x4");
    json_decref(design);
}
END_TEST

/* A library whose `own` folder is empty, with the usual files in the others. */
static void make_library(const char *library, const char *own)
{
    static const char *const folders[] = {"networks", "accelerators", "hosts", "technology"};
    char path[100], target[300];
    ck_assert_int_eq(mkdir(library, 0777), 0);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", library, folders[i]);
        snprintf(target, sizeof target, "%s/%s", LIBRARY, folders[i]);
        bool is_own = strcmp(folders[i], own) == 0;
        ck_assert_int_eq(is_own ? mkdir(path, 0777) : symlink(target, path), 0);
    }
}

START_TEST(test_the_library_may_hold_models)
{
    make_library("library", "networks");
    write_model("library/networks/held.onnx", "conv-relu", SIZE_MAX);
    json_t *design = run_json("--library library --accelerator edgetpu-v1 --network held.onnx", 0);
    expect_near(design, "parameters", 27 * 4);
    json_decref(design);
    char *out, *err;
    ck_assert_int_eq(run("--library library --accelerator edgetpu-v1 --network x", &out, &err), 4);
    ck_assert_msg(strstr(err, "it has: held.onnx"), "%s", err);
    free(out);
    free(err);
}
END_TEST

/* The link of the host takes the place of the chip's own; a call takes a millisecond. */
#define HOSTED TINY " --host ./host.conf"
#define IN_MS  (IN_BYTES * 1e3 / (100 * 1024 * 1024))
#define OUT_MS (64e3 / (10 * 1024 * 1024))

START_TEST(test_a_host_has_the_link_and_the_call)
{
    json_t *design = run_json(HOSTED " --per-layer", 0);
    ck_assert_str_eq(text(design, "accelerator"), "./chip.conf");
    ck_assert_str_eq(text(design, "host"), "./host.conf");
    ck_assert_str_eq(text(design, "limited_by"), "call");
    expect_near(design, "latency_ms", 1 + IN_MS + RUN_NS * 1e-6 + OUT_MS);
    expect_near(design, "bound_ms", 1 + IN_MS + OUT_MS);
    expect_near(design, "call_ms", 1);
    expect_near(design, "link_gb_s", 0.1048576);
    expect_near(design, "ridge_ops_byte", 32 / 0.1048576);
    const json_t *layers = json_object_get(design, "layers");
    ck_assert_uint_eq(json_array_size(layers), 2);
    expect_near(json_array_get(layers, 0), "latency_ms", 1 + IN_MS);
    json_decref(design);
}
END_TEST

START_TEST(test_fields_of_the_host_are_set_and_swept)
{
    json_t *designs = run_json(HOSTED " --set call_ms=0.5 --sweep out_mib_s=20,10", 0);
    double same_ms = 0.5 + IN_MS + RUN_NS * 1e-6;
    ck_assert_uint_eq(json_array_size(designs), 3);
    expect_near(json_array_get(designs, 1), "latency_ms", same_ms + OUT_MS / 2);
    expect_near(json_array_get(designs, 2), "latency_ms", same_ms + OUT_MS);
    ck_assert_str_eq(text(json_array_get(designs, 2), "design"), "call_ms=0.5 out_mib_s=10");
    json_decref(designs);
}
END_TEST

/* Only an inference that streams waits for the start of a stream. */
START_TEST(test_the_start_of_a_stream_may_be_set)
{
    json_t *cached = run_json(HOSTED " --set stream_start_ms=2", 0);
    json_t *streamed = run_json(HOSTED " --set pe_memory_kib=4 --sweep stream_start_ms=0,2", 0);
    expect_near(json_array_get(cached, 1), "latency_ms",
                number(json_array_get(cached, 0), "latency_ms"));
    expect_near(json_array_get(streamed, 2), "latency_ms",
                number(json_array_get(streamed, 1), "latency_ms") + 2);
    expect_near(json_array_get(streamed, 2), "call_ms", 3);
    json_decref(cached);
    json_decref(streamed);
}
END_TEST

/* What a file may have may be set, and nothing else. */
START_TEST(test_fields_of_the_host_have_the_limits_of_its_file)
{
    static const struct {
        const char *set, *file;
        int code;
    } limits[] = {
        {"in_mib_s=0.001", HOST("tiny", "0.001", "10", "1"), 0},
        {"in_mib_s=0.0009", HOST("tiny", "0.0009", "10", "1"), 3},
        {"in_mib_s=1e6", HOST("tiny", "1e6", "10", "1"), 0},
        {"in_mib_s=1000001", HOST("tiny", "1000001", "10", "1"), 3},
        {"out_mib_s=0.001", HOST("tiny", "100", "0.001", "1"), 0},
        {"out_mib_s=0.0009", HOST("tiny", "100", "0.0009", "1"), 3},
        {"out_mib_s=1e6", HOST("tiny", "100", "1e6", "1"), 0},
        {"out_mib_s=1000001", HOST("tiny", "100", "1000001", "1"), 3},
        {"call_ms=0", HOST("tiny", "100", "10", "0"), 0},
        {"call_ms=-0.1", HOST("tiny", "100", "10", "-0.1"), 3},
        {"call_ms=1e6", HOST("tiny", "100", "10", "1e6"), 0},
        {"call_ms=1000001", HOST("tiny", "100", "10", "1000001"), 3},
        {"stream_start_ms=0", HOST_START("0"), 0},
        {"stream_start_ms=-0.1", HOST_START("-0.1"), 3},
        {"stream_start_ms=1e6", HOST_START("1e6"), 0},
        {"stream_start_ms=1000001", HOST_START("1000001"), 3},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char arguments[300], *out, *err;
        snprintf(arguments, sizeof arguments, HOSTED " --set %s", limits[i].set);
        int code = run(arguments, &out, &err);
        ck_assert_msg(code == limits[i].code, "%s: exit %d: %s", arguments, code, err);
        free(out);
        free(err);
        write_file("limit.conf", limits[i].file);
        code = run(TINY " --host ./limit.conf", &out, &err);
        ck_assert_msg(code == limits[i].code, "%s: exit %d: %s", limits[i].file, code, err);
        free(out);
        free(err);
    }
}
END_TEST

START_TEST(test_the_name_of_a_host_means_it_with_its_chip)
{
    json_t *both = run_json(ZOO "alexnet --accelerator coral --host coral-usb", 0);
    json_t *alone = run_json(ZOO "alexnet --accelerator coral-usb", 0);
    json_t *chip = run_json(ZOO "alexnet --accelerator coral", 0);
    ck_assert(json_equal(both, alone));
    ck_assert_str_eq(text(alone, "accelerator"), "coral");
    ck_assert_str_eq(text(alone, "host"), "coral-usb");
    ck_assert(json_is_null(json_object_get(chip, "host")));
    ck_assert(number(chip, "latency_ms") < number(alone, "latency_ms"));
    json_decref(both);
    json_decref(alone);
    json_decref(chip);
}
END_TEST

START_TEST(test_a_host_names_its_chip_by_a_name_of_the_library)
{
    char *out, *err;
    make_library("hosted", "hosts");
    write_file("hosted/hosts/away.conf", HOST("../../chip", "100", "10", "1"));
    write_file("hosted/hosts/none.conf", HOST("none", "100", "10", "1"));
    ck_assert_int_eq(run("--library hosted --network alexnet --accelerator away", &out, &err), 3);
    ck_assert_msg(strstr(err, "away: its accelerator ../../chip is no name"), "%s", err);
    free(out);
    free(err);
    ck_assert_int_eq(run("--library hosted --network alexnet --accelerator none", &out, &err), 4);
    ck_assert_msg(strstr(err, "the library has no accelerators 'none'"), "%s", err);
    free(out);
    free(err);
}
END_TEST

static const struct {
    const char *format, *out, *err; /* part of it */
} recalled[] = {
    {"table", "rest on recalled constants (host, technology)", ""},
    {"table", "recalled constants in      host, technology\n", ""},
    {"csv", ",\"host, technology\",", "rest on recalled constants (host, technology)"},
    {"json", "\"recalled\": \"host, technology\"", "rest on recalled constants (host, technology)"},
};

START_TEST(test_recalled_constants_of_a_host_are_told)
{
    char arguments[300], *out, *err;
    snprintf(arguments, sizeof arguments, HOSTED " --format %s", recalled[_i].format);
    ck_assert_int_eq(run(arguments, &out, &err), 0);
    ck_assert_msg(strstr(out, recalled[_i].out), "%s", out);
    ck_assert_msg(strstr(err, recalled[_i].err), "%s", err);
    free(out);
    free(err);
}
END_TEST

static const char *const zoo[] = {"mobilenet-v2",
                                  "alexnet",
                                  "densenet121",
                                  "bert-base",
                                  "resnet50 --accelerator coral --knob prefetch=yes",
                                  "mobilenet-v2 --accelerator coral --compiler vendor",
                                  "alexnet --accelerator coral-usb --compiler vendor"};

/* Sum of a key over the layers. */
static double layer_sum(const json_t *layers, const char *key)
{
    const json_t *layer;
    size_t i;
    double sum = 0;
    json_array_foreach(layers, i, layer)
    {
        sum += number(layer, key);
    }
    return sum;
}

static void expect_sum(double sum, double total, const char *what)
{
    ck_assert_msg(fabs(sum - total) <= 1e-9 * fabs(total), "%s: %.17g, not %.17g", what, sum,
                  total);
}

/* Bytes of the layers whose weights are there. */
static double weights_that_are(const json_t *layers, const char *place)
{
    const json_t *layer;
    size_t i;
    double sum = 0;
    json_array_foreach(layers, i, layer)
    {
        const char *weights = json_string_value(json_object_get(layer, "weights"));
        sum += weights && strcmp(weights, place) == 0 ? number(layer, "weight_bytes") : 0;
    }
    return sum;
}

START_TEST(test_layers_sum_to_the_totals)
{
    static const char *const sums[] = {
        "latency_ms",        "energy_mj",          "macs",
        "compute_ms",        "partial_sums_ms",    "weight_fills_ms",
        "exchange_ms",       "link_in_ms",         "link_out_ms",
        "call_ms",           "compute_energy_mj",  "core_energy_mj",
        "narrow_energy_mj",  "wide_energy_mj",     "network_energy_mj",
        "link_energy_mj",    "idle_energy_mj",     "operations",
        "link_in_bytes",     "link_out_bytes",     "ring_bytes",
        "mesh_bytes",        "wide_read_bytes",    "wide_write_bytes",
        "narrow_read_bytes", "narrow_write_bytes", "core_read_bytes",
        "core_write_bytes"};
    char arguments[300];
    snprintf(arguments, sizeof arguments, ZOO "%s --per-layer", zoo[_i]);
    json_t *design = run_json(arguments, 0);
    const json_t *layers = json_object_get(design, "layers");
    for (size_t s = 0; s < sizeof sums / sizeof *sums; s++) {
        expect_sum(layer_sum(layers, sums[s]), number(design, sums[s]), sums[s]);
    }
    expect_sum(layer_sum(layers, "latency_percent"), 100, "latency_percent");
    expect_near(design, "cached_bytes", weights_that_are(layers, "cached"));
    expect_near(design, "streamed_bytes",
                weights_that_are(layers, "streamed") + weights_that_are(layers, "prefetched"));
    expect_near(design, "off_chip_bytes",
                number(design, "link_in_bytes") + number(design, "link_out_bytes"));
    ck_assert_str_eq(text(design, "recalled"), "accelerator, technology");
    json_decref(design);
}
END_TEST

START_TEST(test_parts_make_up_the_whole)
{
    static const char *const energies[] = {"compute", "core", "narrow", "wide",
                                           "network", "link", "idle"};
    static const char *const resources[] = {"compute", "partial_sums", "weight_fills", "exchange",
                                            "link_in", "link_out",     "call"};
    char arguments[300], key[64];
    double energy = 0, percent = 0;
    snprintf(arguments, sizeof arguments, ZOO "%s", zoo[_i]);
    json_t *design = run_json(arguments, 0);
    for (size_t i = 0; i < sizeof energies / sizeof *energies; i++) {
        snprintf(key, sizeof key, "%s_energy_mj", energies[i]);
        energy += number(design, key);
    }
    expect_sum(energy, number(design, "energy_mj"), "energy");
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        snprintf(key, sizeof key, "%s_limited_percent", resources[i]);
        percent += number(design, key);
    }
    expect_sum(percent, 100, "limited");
    expect_near(design, "average_power_w",
                number(design, "energy_mj") / number(design, "latency_ms"));
    ck_assert(number(design, "average_power_w") <= number(design, "peak_power_w"));
    ck_assert(number(design, "energy_low_mj") < number(design, "energy_mj"));
    ck_assert(number(design, "energy_mj") < number(design, "energy_high_mj"));
    ck_assert(number(design, "area_low_mm2") < number(design, "area_mm2"));
    ck_assert(number(design, "area_mm2") < number(design, "area_high_mm2"));
    expect_near(design, "node_nm", 22);
    json_decref(design);
}
END_TEST

START_TEST(test_nothing_is_faster_than_its_bound)
{
    char arguments[300];
    snprintf(arguments, sizeof arguments, ZOO "%s --per-layer", zoo[_i]);
    json_t *design = run_json(arguments, 0);
    const json_t *layers = json_object_get(design, "layers"), *layer;
    size_t i;
    ck_assert_double_ge(number(design, "gap"), 1 - 1e-12);
    json_array_foreach(layers, i, layer)
    {
        double bound = number(layer, "bound_ms"), latency = number(layer, "latency_ms");
        ck_assert_msg(latency >= bound * (1 - 1e-9), "layer %zu: %.17g below %.17g", i, latency,
                      bound);
    }
    json_decref(design);
}
END_TEST

START_TEST(test_a_trace_is_written)
{
    json_t *design = run_json(ZOO "mobilenet-v2 --trace trace-test.json", 0);
    json_t *trace = json_load_file("trace-test.json", 0, NULL);
    ck_assert_ptr_nonnull(trace);
    json_t *event, *events = json_object_get(trace, "traceEvents");
    size_t i, layers = 0;
    double end_us = 0;
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "ph")), "X") == 0) {
            double ends = number(event, "ts") + number(event, "dur");
            end_us = ends > end_us ? ends : end_us;
            layers += json_integer_value(json_object_get(event, "tid")) == 0;
        }
    }
    ck_assert_uint_gt(layers, 60);
    ck_assert_double_eq_tol(end_us, number(design, "latency_ms") * 1e3, 0.15 * end_us);
    json_decref(trace);
    json_decref(design);
    remove("trace-test.json");
    char *out, *err;
    ck_assert_int_ne(run(ZOO "mobilenet-v2 --trace no-such-folder/trace.json", &out, &err), 0);
    ck_assert_ptr_nonnull(strstr(err, "no-such-folder/trace.json"));
    free(out);
    free(err);
}
END_TEST

START_TEST(test_the_compiler_and_the_simulator_may_be_chosen)
{
    json_t *usual = run_json(ZOO "alexnet", 0);
    json_t *told = run_json(ZOO "alexnet --compiler best --fidelity analytic", 0);
    json_t *vendor = run_json(ZOO "alexnet --compiler vendor", 0);
    ck_assert(json_equal(usual, told));
    ck_assert(json_is_null(json_object_get(usual, "knobs")));
    ck_assert_str_eq(text(vendor, "compiler"), "vendor");
    ck_assert(number(vendor, "latency_ms") >= number(usual, "latency_ms"));
    json_decref(usual);
    json_decref(told);
    json_decref(vendor);
}
END_TEST

START_TEST(test_knobs_may_be_pinned)
{
    json_t *free_choice = run_json(ZOO "resnet50", 0);
    json_t *pinned = run_json(ZOO "resnet50 --knob prefetch=no --knob caching=none", 0);
    ck_assert(number(free_choice, "cached_bytes") > 0);
    ck_assert_str_eq(text(pinned, "compiler"), "best");
    ck_assert_str_eq(text(pinned, "knobs"), "caching=none prefetch=no");
    expect_near(pinned, "cached_bytes", 0);
    expect_near(pinned, "prefetch_bytes", 0);
    ck_assert(number(pinned, "latency_ms") > number(free_choice, "latency_ms"));
    json_decref(free_choice);
    json_decref(pinned);
}
END_TEST

/* The ratio of two chips, whichever of them is the baseline. */
START_TEST(test_areas_are_compared_with_a_baseline)
{
    json_t *alone = run_json(ZOO "alexnet", 0);
    json_t *other = run_json(ZOO "alexnet --accelerator nahas-baseline", 0);
    json_t *both = run_json(ZOO "alexnet --baseline nahas-baseline --sweep pe_memory_kib=1024", 0);
    const json_t *first = json_array_get(both, 0), *second = json_array_get(both, 1);
    expect_near(alone, "area_ratio", 1);
    ck_assert_str_eq(text(alone, "area_baseline"), "unchanged");
    ck_assert_str_eq(text(second, "area_baseline"), "nahas-baseline");
    expect_near(first, "area_ratio", number(alone, "area_mm2") / number(other, "area_mm2"));
    expect_near(second, "area_ratio", number(second, "area_mm2") / number(other, "area_mm2"));
    ck_assert_str_eq(text(second, "recalled"), "accelerator, technology, baseline");
    json_decref(alone);
    json_decref(other);
    json_decref(both);
}
END_TEST

/* Streamed weights pass over the ring at 4 lanes / 4 bytes a cycle, whatever the link. */
START_TEST(test_a_sweep_tries_each_value_on_top_of_what_is_set)
{
    json_t *designs = run_json(TINY " --set link_gbps=2 --sweep pe_memory_kib=4,16", 0);
    ck_assert_uint_eq(json_array_size(designs), 3);
    const json_t *small = json_array_get(designs, 1), *same = json_array_get(designs, 2);
    ck_assert_str_eq(text(small, "design"), "link_gbps=2 pe_memory_kib=4");
    expect_near(small, "latency_ms", (IN_BYTES / 2 + 4096 + 32) * 1e-6);
    expect_near(same, "latency_ms", (IN_BYTES / 2 + RUN_NS + 32) * 1e-6);
    ck_assert_msg(
        strstr(text(same, "why"), "limited by weight fills -3.2e-05, link in -0.006176)") != NULL,
        "%s", text(same, "why"));
    json_decref(designs);
}
END_TEST

static const struct {
    const char *arguments;
    const char *labels[5]; /* of the designs after the unchanged one */
} sweeps[] = {
    {TINY " --sweep pe_memory_kib",
     {"pe_memory_kib=4", "pe_memory_kib=8", "pe_memory_kib=32", "pe_memory_kib=64"}},
    {TINY " --set link_gbps=2 --sweep pes_x", {"link_gbps=2 pes_x=2", "link_gbps=2 pes_x=4"}},
    {TINY " --sweep link_gbps", {"link_gbps=0.25", "link_gbps=0.5", "link_gbps=2", "link_gbps=4"}},
    {TINY " --accelerator ./odd.conf --sweep clock_mhz",
     {"clock_mhz=906", "clock_mhz=1812"}}, /* beyond 5000 MHz is no clock */
    {HOSTED " --sweep call_ms", {"call_ms=0.25", "call_ms=0.5", "call_ms=2", "call_ms=4"}},
    {ZOO "alexnet --accelerator nahas-baseline --sweep local_memory_MB",
     {"local_memory_MB=0.5", "local_memory_MB=1", "local_memory_MB=4", "local_memory_MB=8"}},
};

START_TEST(test_a_sweep_without_values_tries_some_around)
{
    char *odd = strdup(tiny_accelerator), *clock = strstr(odd, "1000;");
    ck_assert_ptr_nonnull(clock);
    memcpy(clock, "3625", 4);
    write_file("odd.conf", odd);
    free(odd);
    json_t *designs = run_json(sweeps[_i].arguments, 0);
    size_t count = 0;
    for (; sweeps[_i].labels[count]; count++) {
        ck_assert_str_eq(text(json_array_get(designs, count + 1), "design"),
                         sweeps[_i].labels[count]);
    }
    ck_assert_uint_eq(json_array_size(designs), count + 1);
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

START_TEST(test_a_sweep_has_an_end)
{
    char *out, *err;
    ck_assert_int_ne(run(TINY " --sweep pe_memory_kib=$(seq -s, 1001 2001)", &out, &err), 0);
    ck_assert_str_eq(err, "codesign-client: --sweep: at most 1000 values at once\n");
    free(out);
    free(err);
    ck_assert_int_eq(run(TINY " --sweep pe_memory_kib=$(seq -s, 1001 2000)", &out, &err), 0);
    free(out);
    free(err);
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
    ck_assert_uint_eq(lines, 1 + 3 * 12);
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
    {CORAL " --set narrow_memory_kib=32", 0, "; other strips: conv1 (1)", NULL},
    {CORAL " --set pes_y=2", 0, "; other order: ", NULL},
    {CORAL " --set pe_memory_kib=64", 0, "; parameters now streamed: ", NULL},
    {CORAL " --set narrow_memory_kib=32", 0, "wide written +", NULL},
    {WIDE " --set pe_memory_kib=1", 10, "cannot run",
     "layer wide (1): PE memory cannot hold the smallest strip"},
    {WIDE " --sweep pe_memory_kib=1,2", 10, "pe_memory_kib=2: cannot run", "kib=2: cannot"},
    {ZOO "alexne", 4, NULL, "the library has no networks 'alexne'; it has: alexnet"},
    {ZOO "./none.conf", 4, NULL, "./none.conf"},
    {ZOO "tiny.conf", 4, NULL, "for the file here give ./tiny.conf"},
    {ZOO "./empty.conf", 3, NULL, "./empty.conf"},
    {ZOO "./huge.conf", 7, NULL, "./huge.conf: 1073741824 bytes; at most"},
    {ZOO "./folder.onnx/", 3, NULL, "./folder.onnx/: is not a regular file"},
    {ZOO "./folder.onnx", 3, NULL, "./folder.onnx: is not a regular file"},
    {ZOO "./none.onnx", 4, NULL, "./none.onnx: No such file"},
    {ZOO "./cut.onnx", 3, NULL, "./cut.onnx: ModelProto"},
    {ZOO "./empty.onnx", 3, NULL, "./empty.onnx: is no ONNX model"},
    {ZOO "./huge.onnx", 7, NULL, "./huge.onnx: 1073741824 bytes; at most"},
    {ZOO "./unknown.onnx", 3, NULL, "./unknown.onnx: node \"Conv_12\" (Foo)"},
    {ZOO "alexnet --technology x", 4, NULL, "no technology 'x'; it has: edge-22nm"},
    {ZOO "alexnet --baseline x", 4, NULL, "the library has no accelerators 'x'"},
    {ZOO "alexnet --baseline coral-usb", 4, NULL, "the library has no accelerators 'coral-usb'"},
    {ZOO "alexnet --baseline ./empty.conf", 3, NULL, "./empty.conf"},
    {ZOO "alexnet --baseline coral", 0, " to coral\n", NULL},
    {ZOO "alexnet", 0, "1 to itself (no --baseline)", NULL},
    {ZOO "alexnet", 0, " at 22 nm", NULL},
    {ZOO "alexnet --knob order", 3, NULL, "--knob: 'order' has no '='"},
    {ZOO "alexnet --knob loop=x", 3, NULL, "there is no knob 'loop'; there are: split_y, split_x"},
    {ZOO "alexnet --knob order=x", 3, NULL, "--knob: order must be one of: positions chunks"},
    {ZOO "alexnet --knob ahead=no --compiler vendor", 3, NULL, "only best takes knobs"},
    {ZOO "alexnet --compiler general", 3, NULL, "there are: best, vendor"},
    {ZOO "alexnet --compiler x", 3, NULL, "there is no compiler 'x'; there are: "},
    {ZOO "alexnet --compiler ''", 3, NULL, "there is no compiler ''"},
    {ZOO "alexnet --fidelity x", 3, NULL, "there is no simulator 'x'; there are: analytic, event"},
    {TINY " --network ./chip.conf", 3, NULL, "./chip.conf:1"},
    {TINY " --set local_memory_MB=2", 3, NULL, "it has: pes_x, pes_y"},
    {TINY " --set clock_mhz", 3, NULL, "--set: 'clock_mhz' has no '='"},
    {TINY " --set clock_mhz=fast", 3, NULL, "clock_mhz must be a number, not 'fast'"},
    {TINY " --set clock_mhz=0x10", 3, NULL, "clock_mhz must be a number, not '0x10'"},
    {TINY " --set clock_mhz=nan", 3, NULL, "clock_mhz"},
    {TINY " --set clock_mhz=1e300", 3, NULL, "clock_mhz"},
    {TINY " --set pes_x=0", 3, NULL, "pes_x"},
    {TINY " --sweep pes_x=1,,2", 3, NULL, "--sweep: pes_x must be a number, not ''"},
    {TINY " --sweep pe", 3, NULL, "--sweep: 'pe' is no field of this accelerator; it has: pes_x"},
    {TINY " --sweep narrow_memory_kib", 3, NULL, "no values around that of narrow_memory_kib"},
    {TINY " --sweep call_ms", 3, NULL, "--sweep: 'call_ms' is a field of a host"},
    {TINY " --set call_ms=1", 3, NULL, "and there is none; the accelerator has: pes_x"},
    {HOSTED " --set call=1", 3, NULL, "; its host has: in_mib_s, out_mib_s, call_ms"},
    {HOSTED " --set in_mib_s=nan", 3, NULL, "in_mib_s must be from 0.001"},
    {HOSTED " --set in_mib_s=fast", 3, NULL, "in_mib_s must be a number, not 'fast'"},
    {ZOO "alexnet --host coral-usb", 3, NULL, "coral-usb has the chip coral on it, not edgetpu"},
    {ZOO "alexnet --host ./host.conf", 3, NULL, "./host.conf has the chip tiny on it, not edge"},
    {ZOO "alexnet --host ./chip.conf", 3, NULL, "./chip.conf:1"},
    {ZOO "alexnet --host ./empty.conf", 3, NULL, "./empty.conf"},
    {ZOO "alexnet --host x", 4, NULL, "the library has no hosts 'x'; it has: coral-pcie"},
    {ZOO "alexnet --accelerator x", 4, NULL, "; and the library has no hosts 'x'; it has: coral"},
    {ZOO "alexnet --accelerator coral-usb --host coral-pcie", 3, NULL, "takes no other host"},
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
    tcase_add_test(tcase, test_an_onnx_model_is_a_network);
    tcase_add_test(tcase, test_the_library_may_hold_models);
    tcase_add_test(tcase, test_a_host_has_the_link_and_the_call);
    tcase_add_test(tcase, test_fields_of_the_host_are_set_and_swept);
    tcase_add_test(tcase, test_the_start_of_a_stream_may_be_set);
    tcase_add_test(tcase, test_fields_of_the_host_have_the_limits_of_its_file);
    tcase_add_test(tcase, test_the_name_of_a_host_means_it_with_its_chip);
    tcase_add_test(tcase, test_a_host_names_its_chip_by_a_name_of_the_library);
    tcase_add_loop_test(tcase, test_recalled_constants_of_a_host_are_told, 0,
                        sizeof recalled / sizeof *recalled);
    tcase_add_loop_test(tcase, test_layers_sum_to_the_totals, 0, sizeof zoo / sizeof *zoo);
    tcase_add_loop_test(tcase, test_parts_make_up_the_whole, 0, sizeof zoo / sizeof *zoo);
    tcase_add_loop_test(tcase, test_nothing_is_faster_than_its_bound, 0, sizeof zoo / sizeof *zoo);
    tcase_add_test(tcase, test_knobs_may_be_pinned);
    tcase_add_test(tcase, test_areas_are_compared_with_a_baseline);
    tcase_add_test(tcase, test_the_compiler_and_the_simulator_may_be_chosen);
    tcase_add_test(tcase, test_a_trace_is_written);
    tcase_add_test(tcase, test_a_sweep_tries_each_value_on_top_of_what_is_set);
    tcase_add_loop_test(tcase, test_a_sweep_without_values_tries_some_around, 0,
                        sizeof sweeps / sizeof *sweeps);
    tcase_add_test(tcase, test_a_value_that_cannot_run_does_not_stop_a_sweep);
    tcase_add_test(tcase, test_a_sweep_has_an_end);
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
