/* Policy vendor on the Coral chip against what was measured.
 *
 *     ./dev bench calibration [--fidelity NAME]
 *
 * by the simulator `analytic` if not told otherwise.
 *
 * Ladders of convolutions and of dense layers (read from $CODESIGN_DATA, else ../shared/data; left
 * out where there are none), whole networks of Coral's table, and single figures of other projects;
 * then the same with one mechanism left out at a time, nothing fitted again. docs/validation.md
 * explains what is printed. */
#include "base/csv.h"
#include "base/file.h"
#include "base/library.h"
#include "sim/network/network_file.h"
#include "sim/simulator/simulator.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1024.0 * 1024.0)

/* Coral's table (coral.ai, Edge TPU performance benchmarks), ms a call: the USB stick on a desktop
 * and the Dev Board. It does not say which SqueezeNet it means, so neither version counts. */
static const struct table_row {
    const char *network;
    double usb_ms, pcie_ms;
    bool counts;
} table_rows[] = {
    {"mobilenet-v1", 2.4, 2.4, true},     {"mobilenet-v2", 2.6, 2.6, true},
    {"inception-v1", 3.4, 4.1, true},     {"resnet50-299", 49, 56, true},
    {"inception-v4", 85, 102, true},      {"squeezenet-v1.0", 2.1, 2.0, false},
    {"squeezenet-v1.1", 2.1, 2.0, false},
};
#define TABLE_ROWS (sizeof table_rows / sizeof table_rows[0])

/* Cached dense layers at 250 MHz (tinycoral, bench/RESULTS.md). */
static const struct dense_row {
    uint32_t inputs, outputs;
    double ms;
} dense_rows[] = {
    {64, 64, 0.213},     {288, 288, 0.215},   {288, 768, 0.232},   {768, 288, 0.223},
    {1024, 1024, 0.251}, {1024, 2048, 0.263}, {4096, 1024, 0.257},
};
#define DENSE_ROWS (sizeof dense_rows / sizeof dense_rows[0])

/* The small CNN for MNIST of tinycoral, with so many images stacked: ms a call. */
static const struct mnist_row {
    uint32_t images;
    double ms;
} mnist_rows[] = {{1, 0.383}, {8, 0.66}, {32, 1.32}, {128, 4.90}};
#define MNIST_ROWS   (sizeof mnist_rows / sizeof mnist_rows[0])
#define MNIST_CYCLES 15278 /* of one image, by the vendor's compiler */

typedef struct ladder {
    const char *file, *width;
    size_t count;
    double *widths, *on_mib, *off_mib, *ms; /* owned */
} ladder;

typedef struct bench {
    cs_accelerator ladder, usb, pcie, tinycoral; /* the chip on four hosts */
    cs_technology technology;
    cs_network table[TABLE_ROWS];
    cs_network network; /* of a row */
    cs_schedule schedule;
    ladder conv, dense;
    cs_compile_options options;
    const cs_simulator *simulator;
    bool prints;
} bench;

/* Mean absolute errors in percent, or largest ones where the name says so; NAN without rows. */
typedef struct result {
    double cached, streamed, dense, usb, pcie;
    double stored_worst;
    size_t split_right;
    double mobilenet_250, mobilenet_500, dense_worst, mnist_cycles, mnist_worst;
} result;

static cs_error error;

/* ---- inputs ---- */

static cs_conf *open_conf(const char *folder, const char *name)
{
    size_t size;
    char *text = bench_must(cs_library_read(CODESIGN_SOURCE_DIR "/configs", folder, name,
                                            CS_CONF_MAX_BYTES, &size, &error),
                            &error);
    cs_conf *conf = bench_must(cs_conf_parse(text, size, name, NULL, 0, &error), &error);
    free(text);
    return conf;
}

static cs_accelerator hosted(const char *name)
{
    cs_accelerator accelerator;
    cs_host host;
    char chip[CS_HOST_MAX_CHIP];
    bool recalled = false;
    cs_conf *conf = open_conf("hosts", name);
    bench_check(cs_host_read(cs_conf_root(conf), &host, chip, &recalled, &error), &error);
    cs_conf_free(conf);
    conf = open_conf("accelerators", chip);
    bench_check(cs_accelerator_read(cs_conf_root(conf), &accelerator, &recalled, &error), &error);
    cs_conf_free(conf);
    accelerator.host = host;
    return accelerator;
}

static void read_ladder(const char *folder, ladder *l)
{
    static const char *const columns[] = {"On chip mem used", "Off chip mem used",
                                          "Inference time"};
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, l->file);
    char *text = cs_file_read(path, 1 << 20, &size, &error);
    if (!text) {
        fprintf(stderr, "skipped: %s\n", error.text);
        return;
    }
    cs_csv *csv = bench_must(cs_csv_parse(text, size, l->file, &error), &error);
    l->count = cs_csv_row_count(csv);
    double **into[] = {&l->widths, &l->on_mib, &l->off_mib, &l->ms};
    for (size_t k = 0; k < 4; k++) {
        size_t column;
        bench_check(cs_csv_find(csv, k == 0 ? l->width : columns[k - 1], &column, &error), &error);
        *into[k] = bench_must(calloc(l->count, sizeof **into[k]), &error);
        for (size_t i = 0; i < l->count; i++) {
            bench_check(cs_csv_number(csv, i, column, &(*into[k])[i], &error), &error);
        }
    }
    cs_csv_free(csv);
    free(text);
}

static cs_layer_id conv(bench *b, cs_layer_id from, uint32_t channels, uint32_t kernel,
                        cs_padding padding)
{
    cs_layer_id id;
    cs_conv c = {.channels = channels,
                 .kernel_h = kernel,
                 .kernel_w = kernel,
                 .padding = padding,
                 .bias = true};
    bench_check(cs_network_conv(&b->network, from, &c, &id, &error), &error);
    return id;
}

static cs_layer_id dense(bench *b, cs_layer_id from, uint32_t channels)
{
    cs_layer_id id;
    bench_check(
        cs_network_dense(&b->network, from, channels, true, CS_ACTIVATION_RELU, &id, &error),
        &error);
    return id;
}

static void start(bench *b, uint32_t height, uint32_t width, uint32_t channels)
{
    bench_check(cs_network_start(&b->network, (cs_shape){height, width, channels}, &error), &error);
}

static void build_conv_ladder(bench *b, uint32_t channels)
{
    start(b, 64, 64, 3);
    cs_layer_id id = 0;
    for (int i = 0; i < 5; i++) {
        id = conv(b, id, channels, 3, CS_PADDING_SAME);
    }
}

static void build_dense_ladder(bench *b, uint32_t channels)
{
    start(b, 1, 1, 64);
    cs_layer_id id = 0;
    for (int i = 0; i < 4; i++) {
        id = dense(b, id, channels);
    }
    (void)dense(b, id, 10);
}

/* One image ends in a dense layer; stacked ones in the convolution that is its equal. */
static void build_mnist(bench *b, uint32_t images)
{
    start(b, 28 * images, 28, 1);
    cs_layer_id id = conv(b, 0, 32, 5, CS_PADDING_VALID);
    id = conv(b, id, 32, 5, CS_PADDING_VALID);
    bench_check(
        cs_network_pool(&b->network, id, CS_OP_POOL_MAX, 2, 2, CS_PADDING_VALID, &id, &error),
        &error);
    id = conv(b, id, 64, 3, CS_PADDING_VALID);
    id = conv(b, id, 64, 3, CS_PADDING_VALID);
    bench_check(
        cs_network_pool(&b->network, id, CS_OP_POOL_MAX, 2, 2, CS_PADDING_VALID, &id, &error),
        &error);
    if (images == 1) {
        (void)dense(b, id, 10);
    } else {
        (void)conv(b, id, 10, 3, CS_PADDING_VALID);
    }
}

/* ---- one row ---- */

static double simulate(bench *b, const cs_network *network, const cs_accelerator *accelerator)
{
    cs_cost cost;
    bench_check(cs_compile(network, accelerator, &b->options, &b->schedule, &error), &error);
    if (b->schedule.reason) {
        fprintf(stderr, "layer %u: %s\n", b->schedule.reason_layer,
                cs_reason_text(b->schedule.reason));
        exit(1);
    }
    b->simulator->simulate(network, accelerator, &b->technology, &b->schedule, &cost, NULL);
    return cost.latency_s * 1e3;
}

static double simulate_at(bench *b, const cs_network *network, cs_accelerator accelerator,
                          uint32_t clock_mhz)
{
    accelerator.clock_mhz = clock_mhz;
    return simulate(b, network, &accelerator);
}

static double off_by(double model, double measured)
{
    return 100 * (model / measured - 1);
}

/* Prints a row and returns its error in percent. */
static double compare(const bench *b, const char *what, double model, double measured)
{
    double off = off_by(model, measured);
    if (b->prints) {
        printf("%-28s %10.3f %10.3f %+7.2f %%\n", what, measured, model, off);
    }
    return off;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double mean(double sum, size_t count)
{
    return count > 0 ? sum / (double)count : NAN;
}

/* ---- groups ---- */

static void run_conv_ladder(bench *b, result *r)
{
    double cached = 0, streamed = 0;
    size_t cached_count = 0, streamed_count = 0;
    for (size_t i = 0; i < b->conv.count; i++) {
        char what[64];
        uint32_t width = (uint32_t)b->conv.widths[i];
        double measured_mib = b->conv.on_mib[i] + b->conv.off_mib[i];
        build_conv_ladder(b, width);
        double ms = simulate(b, &b->network, &b->ladder);
        snprintf(what, sizeof what, "conv ladder F = %u, P = %u", width,
                 b->schedule.steps[2]->weight_passes);
        double off = fabs(compare(b, what, ms, b->conv.ms[i]));
        double on_mib = (double)b->schedule.cached_bytes / MIB;
        double all_mib = on_mib + (double)b->schedule.streamed_bytes / MIB;
        r->stored_worst = larger(r->stored_worst, fabs(off_by(all_mib, measured_mib)));
        r->split_right += fabs(on_mib - b->conv.on_mib[i]) <= 0.05 * measured_mib;
        if (b->conv.off_mib[i] > 0) {
            streamed += off;
            streamed_count++;
        } else if (width >= 72) {
            cached += off;
            cached_count++;
        }
    }
    r->cached = mean(cached, cached_count);
    r->streamed = mean(streamed, streamed_count);
}

static void run_dense_ladder(bench *b, result *r)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < b->dense.count; i++) {
        char what[64];
        build_dense_ladder(b, (uint32_t)b->dense.widths[i]);
        double ms = simulate(b, &b->network, &b->ladder);
        snprintf(what, sizeof what, "dense ladder N = %.0f", b->dense.widths[i]);
        double off = fabs(compare(b, what, ms, b->dense.ms[i]));
        double stored = (double)(b->schedule.cached_bytes + b->schedule.streamed_bytes);
        double capacity = (double)b->schedule.parameter_capacity;
        if (b->dense.off_mib[i] > 0 && fabs(stored / capacity - 1) > 0.05) {
            sum += off;
            count++;
        }
    }
    r->dense = mean(sum, count);
}

/* Pairs of networks that were measured 15 % or more apart, and come in the other order. */
static size_t wrong_order(const double *model, const double *measured, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            wrong += measured[i] >= 1.15 * measured[j] && model[i] <= model[j];
        }
    }
    return wrong;
}

static double run_table(bench *b, const cs_accelerator *accelerator, bool usb)
{
    double model[TABLE_ROWS], measured[TABLE_ROWS];
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < TABLE_ROWS; i++) {
        char what[64];
        const struct table_row *row = &table_rows[i];
        double ms = simulate(b, &b->table[i], accelerator);
        double table_ms = usb ? row->usb_ms : row->pcie_ms;
        snprintf(what, sizeof what, "%s %s%s", usb ? "usb" : "pcie", row->network,
                 row->counts ? "" : " *");
        double off = fabs(compare(b, what, ms, table_ms));
        if (b->prints) {
            printf("    cached %.2f of %.2f MiB, streamed %.2f MiB\n",
                   (double)b->schedule.cached_bytes / MIB,
                   (double)b->schedule.parameter_capacity / MIB,
                   (double)b->schedule.streamed_bytes / MIB);
        }
        if (row->counts) {
            sum += off;
            model[count] = ms;
            measured[count] = table_ms;
            count++;
        }
    }
    if (b->prints) {
        printf("pairs in the wrong order: %zu (* does not count)\n\n",
               wrong_order(model, measured, count));
    }
    return mean(sum, count);
}

static void run_anchors(bench *b, result *r)
{
    char what[64];
    r->mobilenet_250 = compare(b, "mobilenet-v1 at 250 MHz",
                               simulate_at(b, &b->table[0], b->tinycoral, 250), 3.96);
    r->mobilenet_500 = compare(b, "mobilenet-v1 at 500 MHz",
                               simulate_at(b, &b->table[0], b->tinycoral, 500), 2.45);
    for (size_t i = 0; i < DENSE_ROWS; i++) {
        start(b, 1, 1, dense_rows[i].inputs);
        (void)dense(b, 0, dense_rows[i].outputs);
        snprintf(what, sizeof what, "dense %u to %u at 250 MHz", dense_rows[i].inputs,
                 dense_rows[i].outputs);
        double ms = simulate_at(b, &b->network, b->tinycoral, 250);
        r->dense_worst = larger(r->dense_worst, fabs(compare(b, what, ms, dense_rows[i].ms)));
    }
    for (size_t i = 0; i < MNIST_ROWS; i++) {
        build_mnist(b, mnist_rows[i].images);
        double ms = simulate(b, &b->network, &b->tinycoral);
        if (i == 0) {
            uint64_t cycles = 0;
            for (uint32_t s = 0; s < b->schedule.step_count; s++) {
                cycles += b->schedule.steps[s]->run_cycles;
            }
            r->mnist_cycles = compare(b, "MNIST CNN, cycles", (double)cycles, MNIST_CYCLES);
        }
        snprintf(what, sizeof what, "MNIST CNN, %u images", mnist_rows[i].images);
        r->mnist_worst = larger(r->mnist_worst, fabs(compare(b, what, ms, mnist_rows[i].ms)));
    }
}

static result run(bench *b)
{
    result r = {.stored_worst = NAN};
    if (b->prints) {
        printf("%-28s %10s %10s\n", "ms", "measured", "model");
    }
    run_conv_ladder(b, &r);
    run_dense_ladder(b, &r);
    r.usb = run_table(b, &b->usb, true);
    r.pcie = run_table(b, &b->pcie, false);
    run_anchors(b, &r);
    return r;
}

static void print_targets(const bench *b, const result *r)
{
    printf("\n%-58s %8s %9s\n", "what", "target", "reached");
    if (b->conv.count > 0) {
        printf("%-58s %8s %7.2f %%\n", "conv ladder, stored bytes, worst row", "1 %",
               r->stored_worst);
        printf("%-58s %8s %4zu/%zu\n", "conv ladder, split within 5 % of the stored bytes", "98 %",
               r->split_right, b->conv.count);
        printf("%-58s %8s %7.2f %%\n", "conv ladder, cached, F >= 72, mean", "5 %", r->cached);
        printf("%-58s %8s %7.2f %%\n", "conv ladder, streamed, mean", "5 %", r->streamed);
    }
    if (b->dense.count > 0) {
        printf("%-58s %8s %7.2f %%\n", "dense ladder, streamed, away from the capacity, mean",
               "2 %", r->dense);
    }
    printf("%-58s %8s %7.2f %%\n", "networks, USB stick, mean", "10 %", r->usb);
    printf("%-58s %8s %7.2f %%\n", "networks, Dev Board, mean", "10 %", r->pcie);
    printf("%-58s %8s %7.2f %%\n", "MobileNet v1 at 250 MHz", "20 %", r->mobilenet_250);
    printf("%-58s %8s %7.2f %%\n", "MobileNet v1 at 500 MHz", "20 %", r->mobilenet_500);
    printf("%-58s %8s %7.2f %%\n", "cached dense layers at 250 MHz, worst", "20 %", r->dense_worst);
    printf("%-58s %8s %7.2f %%\n", "MNIST CNN, cycles", "20 %", r->mnist_cycles);
    printf("%-58s %8s %7.2f %%\n", "MNIST CNN, worst call", "20 %", r->mnist_worst);
}

static void print_ablation_row(const bench *b, const char *what, const result *r)
{
    printf("%-48s %6.2f %8.2f %6.2f %3zu/%zu %7.2f %6.1f %6.1f %+5.0f/%+.0f %+7.0f %6.0f\n", what,
           r->cached, r->streamed, r->stored_worst, r->split_right, b->conv.count, r->dense, r->usb,
           r->pcie, r->mobilenet_250, r->mobilenet_500, r->mnist_cycles, r->mnist_worst);
}

static void ablate(bench *b, const result *all)
{
    printf("\nWithout one mechanism each, nothing fitted again; errors in %%\n%-48s %6s %8s %6s "
           "%6s %7s %6s %6s %9s %7s %6s\n",
           "", "cached", "streamed", "stored", "split", "dense", "usb", "pcie", "mobilenet",
           "cycles", "mnist");
    print_ablation_row(b, "with all", all);
    for (int m = 0; m < CS_MECHANISM_COUNT; m++) {
        b->options.without = 1u << m;
        result r = run(b);
        print_ablation_row(b, cs_mechanism_text((cs_mechanism)m), &r);
    }
}

/* The simulator that the arguments name, or NULL. */
static const cs_simulator *choose_simulator(int argc, char **argv)
{
    if (argc == 1) {
        return &cs_simulator_analytic;
    }
    return argc == 3 && strcmp(argv[1], "--fidelity") == 0 ? cs_simulator_find(argv[2]) : NULL;
}

int main(int argc, char **argv)
{
    bench b = {
        .ladder = hosted("coral-usb-ladder"),
        .usb = hosted("coral-usb"),
        .pcie = hosted("coral-pcie"),
        .tinycoral = hosted("coral-usb-tinycoral"),
        .conv = {.file = "coral_conv_ladder.csv", .width = "Num filters"},
        .dense = {.file = "coral_fc_ladder.csv", .width = "Hidden neurons"},
        .options = {.policy = CS_POLICY_VENDOR},
        .simulator = choose_simulator(argc, argv),
        .prints = true,
    };
    if (!b.simulator) {
        fprintf(stderr, "usage: bench_calibration [--fidelity analytic|event]\n");
        return 2;
    }
    bool recalled = false;
    cs_conf *conf = open_conf("technology", "edge-22nm");
    bench_check(cs_technology_read(cs_conf_root(conf), &b.technology, &recalled, &error), &error);
    cs_conf_free(conf);
    for (size_t i = 0; i < TABLE_ROWS; i++) {
        conf = open_conf("networks", table_rows[i].network);
        bench_check(cs_network_read(cs_conf_root(conf), &b.table[i], &error), &error);
        cs_conf_free(conf);
    }
    const char *folder = getenv("CODESIGN_DATA");
    folder = folder ? folder : CODESIGN_SOURCE_DIR "/../shared/data";
    read_ladder(folder, &b.conv);
    read_ladder(folder, &b.dense);

    result r = run(&b);
    print_targets(&b, &r);
    b.prints = false;
    ablate(&b, &r);

    for (size_t i = 0; i < TABLE_ROWS; i++) {
        cs_network_release(&b.table[i]);
    }
    cs_network_release(&b.network);
    cs_schedule_release(&b.schedule);
    ladder *ladders[] = {&b.conv, &b.dense};
    for (size_t i = 0; i < 2; i++) {
        free(ladders[i]->widths);
        free(ladders[i]->on_mib);
        free(ladders[i]->off_mib);
        free(ladders[i]->ms);
    }
    return 0;
}
