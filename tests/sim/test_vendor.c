/* Policy vendor on the Coral chip: what is published of it, golden figures of the ladders and
 * networks that docs/validation.md explains, and what holds for every network and accelerator. */
#include "designs.h"

#include "base/csv.h"
#include "base/file.h"
#include "sim/compiler/schedule.h"
#include "sim/simulator/simulator.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB 1048576.0

static const cs_compile_options vendor = {.policy = CS_POLICY_VENDOR};

static cs_network network;
static cs_schedule schedule;
static cs_accelerator coral;
static cs_error err;

static void setup(void)
{
    network = (cs_network){0};
    schedule = (cs_schedule){0};
    coral = design_accelerator("coral");
}

static void teardown(void)
{
    cs_network_release(&network);
    cs_schedule_release(&schedule);
}

static void compile(const cs_accelerator *accelerator)
{
    ck_assert_int_eq(cs_compile(&network, accelerator, &vendor, &schedule, &err), CS_OK);
}

static double simulate(const cs_accelerator *accelerator)
{
    cs_technology technology = design_technology();
    cs_cost cost;
    cs_simulator_analytic.simulate(&network, accelerator, &technology, &schedule, &cost, NULL);
    return cost.latency_s;
}

static void start(uint32_t height, uint32_t width, uint32_t channels)
{
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){height, width, channels}, &err), CS_OK);
}

static cs_layer_id conv(cs_layer_id from, uint32_t channels, uint32_t kernel, cs_padding padding)
{
    cs_layer_id id;
    cs_conv c = {.channels = channels, .kernel_h = kernel, .kernel_w = kernel, .padding = padding};
    ck_assert_int_eq(cs_network_conv(&network, from, &c, &id, &err), CS_OK);
    return id;
}

static cs_layer_id dense(cs_layer_id from, uint32_t channels)
{
    cs_layer_id id;
    ck_assert_int_eq(
        cs_network_dense(&network, from, channels, true, CS_ACTIVATION_RELU, &id, &err), CS_OK);
    return id;
}

static cs_layer_id halve(cs_layer_id from)
{
    cs_layer_id id;
    ck_assert_int_eq(
        cs_network_pool(&network, from, CS_OP_POOL_MAX, 2, 2, CS_PADDING_VALID, &id, &err), CS_OK);
    return id;
}

/* Five 3x3 convolutions of F filters on 64 x 64 x 3. */
static void build_conv_ladder(uint32_t channels)
{
    start(64, 64, 3);
    cs_layer_id id = 0;
    for (int i = 0; i < 5; i++) {
        id = conv(id, channels, 3, CS_PADDING_SAME);
    }
}

static void build_dense_ladder(uint32_t channels)
{
    start(1, 1, 64);
    cs_layer_id id = 0;
    for (int i = 0; i < 4; i++) {
        id = dense(id, channels);
    }
    (void)dense(id, 10);
}

/* ---- the Coral chip ---- */

/* kh * kw * ceil4(Cin) * ceil64(Cout) + 8 * ceil64(Cout), and ceil4(K) * ceil64(N): what the
 * vendor's compiler reports for the two ladders, to the digits that it prints. */
START_TEST(weights_are_stored_padded)
{
    build_conv_ladder(292);
    compile(&coral);
    ck_assert_uint_eq(schedule.steps[1]->weight_bytes, 9 * 4 * 320 + 8 * 320);
    ck_assert_uint_eq(schedule.steps[2]->weight_bytes, 9 * 292 * 320 + 8 * 320);
    build_dense_ladder(1500);
    compile(&coral);
    ck_assert_uint_eq(schedule.steps[1]->weight_bytes, 64 * 1536);
    ck_assert_uint_eq(schedule.steps[2]->weight_bytes, 1500 * 1536);
    ck_assert_uint_eq(schedule.steps[5]->weight_bytes, 1500 * 64);
}
END_TEST

START_TEST(buffers_decide_what_is_left_for_parameters)
{
    /* 4 * 256 rows of partial sums and a FIFO of 9 rows leave 8320 - 1104 of 64 bytes a tile. */
    build_conv_ladder(292);
    compile(&coral);
    ck_assert_uint_eq(schedule.steps[2]->buffer_bytes, (4 * 256 + 8 * 9 + 8) * 64);
    ck_assert_uint_eq(schedule.parameter_capacity, 16 * 64 * (8320 - 1104));
    /* The FIFOs of dense layers begin at row 0x1f70. */
    build_dense_ladder(1500);
    compile(&coral);
    ck_assert_uint_eq(schedule.parameter_capacity, 16 * 64 * 0x1f70);
}
END_TEST

/* How often the ladder's weights are brought in, as its steps in latency show. */
START_TEST(strips_of_the_ladder_are_those_that_were_measured)
{
    static const struct {
        uint32_t channels, strips, last_strips;
        cs_residence residence;
    } rows[] = {
        {292, 1, 1, CS_RESIDENCE_WHOLE},       {302, 2, 1, CS_RESIDENCE_INPUT_WHOLE},
        {412, 3, 3, CS_RESIDENCE_INPUT_WHOLE}, {452, 4, 4, CS_RESIDENCE_INPUT_WHOLE},
        {632, 4, 4, CS_RESIDENCE_IN_PLACE},    {642, 6, 6, CS_RESIDENCE_IN_PLACE},
        {712, 9, 8, CS_RESIDENCE_IN_PLACE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        build_conv_ladder(rows[i].channels);
        compile(&coral);
        ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
        for (cs_layer_id l = 2; l <= 4; l++) {
            ck_assert_msg(schedule.steps[l]->weight_passes == rows[i].strips, "F = %u: %u strips",
                          rows[i].channels, schedule.steps[l]->weight_passes);
            ck_assert_int_eq(schedule.steps[l]->knobs.residence, rows[i].residence);
        }
        ck_assert_msg(schedule.steps[5]->weight_passes == rows[i].last_strips,
                      "F = %u: %u strips of the last layer", rows[i].channels,
                      schedule.steps[5]->weight_passes);
        ck_assert_uint_eq(schedule.steps[5]->halo_rows, 0);
        ck_assert_uint_eq(schedule.steps[4]->halo_rows, 2);
    }
}
END_TEST

START_TEST(streamed_weights_cross_the_link_once_a_strip)
{
    build_conv_ladder(642);
    compile(&coral);
    const cs_step *last = schedule.steps[5];
    ck_assert(!last->cached);
    ck_assert_uint_eq(last->off_chip_read_bytes, 6 * last->weight_bytes);
    ck_assert(schedule.steps[2]->cached);
    ck_assert_uint_eq(schedule.steps[2]->off_chip_read_bytes, 0);
    /* They stream while the layer computes; without overlap they come before. */
    cs_accelerator hosted = design_hosted("coral-usb-ladder");
    double overlapped = simulate(&hosted);
    cs_compile_options options = vendor;
    options.without = 1u << CS_MECHANISM_OVERLAP;
    ck_assert_int_eq(cs_compile(&network, &coral, &options, &schedule, &err), CS_OK);
    ck_assert_uint_eq(schedule.steps[5]->off_chip_read_bytes, 0);
    ck_assert_double_gt(simulate(&hosted), overlapped * 1.05);
}
END_TEST

/* The vendor's compiler keeps a layer of 7.01 MiB and streams one of 7.09. */
START_TEST(a_dense_layer_beyond_the_fifos_is_streamed)
{
    build_dense_ladder(2660);
    compile(&coral);
    ck_assert(schedule.steps[2]->cached);
    ck_assert(!schedule.steps[3]->cached);
    build_dense_ladder(2700);
    compile(&coral);
    ck_assert(!schedule.steps[2]->cached);
    ck_assert_uint_gt(schedule.parameter_capacity, schedule.steps[2]->weight_bytes);
}
END_TEST

/* Close to the edge: 3.4 ms against about 20 if it streamed a layer. */
START_TEST(inception_v1_is_cached_whole)
{
    design_zoo("inception-v1", &network);
    compile(&coral);
    ck_assert_uint_eq(schedule.streamed_bytes, 0);
    double spare = (double)(schedule.parameter_capacity - schedule.cached_bytes) / MIB;
    ck_assert_double_ge(spare, 0.02);
    ck_assert_double_le(spare, 0.06);
}
END_TEST

START_TEST(large_networks_are_cached_in_part)
{
    static const struct {
        const char *name;
        double capacity_mib;
    } rows[] = {{"resnet50-299", 6.21}, {"inception-v4", 6.03}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        design_zoo(rows[i].name, &network);
        compile(&coral);
        ck_assert_double_eq_tol((double)schedule.parameter_capacity / MIB, rows[i].capacity_mib,
                                0.006);
        ck_assert_uint_gt(schedule.streamed_bytes, schedule.cached_bytes);
    }
}
END_TEST

/* The vendor's compiler estimates 15,278 cycles for this network, and its program is of 57 KB
 * (tinycoral, bench/RESULTS.md). */
START_TEST(mnist_takes_the_cycles_and_instructions_that_are_published)
{
    start(28, 28, 1);
    cs_layer_id id = conv(0, 32, 5, CS_PADDING_VALID);
    id = halve(conv(id, 32, 5, CS_PADDING_VALID));
    id = conv(id, 64, 3, CS_PADDING_VALID);
    (void)dense(halve(conv(id, 64, 3, CS_PADDING_VALID)), 10);
    compile(&coral);
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < schedule.step_count; i++) {
        cycles += schedule.steps[i]->run_cycles;
    }
    ck_assert_uint_eq(cycles, 15559); /* the compiler's own estimate is 15,278 */
    ck_assert_uint_eq(schedule.steps[0]->upload_bytes - 28 * 28, 57 * 1024);
    ck_assert_int_eq(schedule.steps[1]->knobs.order, CS_ORDER_POSITIONS);
}
END_TEST

/* Of a whole network at two clocks, what does not scale is what the host takes: 0.94 ms of
 * MobileNet v1's 2.45 (tinycoral). */
START_TEST(the_host_does_not_scale_with_the_clock)
{
    cs_accelerator hosted = design_hosted("coral-usb-tinycoral");
    design_zoo("mobilenet-v1", &network);
    compile(&hosted);
    double fast = simulate(&hosted);
    hosted.clock_mhz = 250;
    double slow = simulate(&hosted);
    ck_assert_double_eq_tol(fast, 2.45e-3, 0.2 * 2.45e-3);
    ck_assert_double_eq_tol(slow, 3.96e-3, 0.2 * 3.96e-3);
    ck_assert_double_eq_tol(2 * fast - slow, 0.94e-3, 0.3 * 0.94e-3);
}
END_TEST

/* A row of a ladder: MiB on and off the chip by the vendor's compiler, ms of a call. */
typedef struct measured {
    uint32_t width;
    double on_mib, off_mib, ms;
} measured;

/* Rows of a ladder in $CODESIGN_DATA, else beside the tree; 0 where there is none. */
static size_t read_ladder(const char *file, measured *rows, size_t capacity)
{
    char path[4096];
    size_t size;
    const char *folder = getenv("CODESIGN_DATA");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : CODESIGN_SOURCE_DIR "/../shared/data",
             file);
    char *text = cs_file_read(path, 1 << 20, &size, &err);
    if (!text) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return 0;
    }
    cs_csv *csv = cs_csv_parse(text, size, file, &err);
    ck_assert_msg(csv != NULL, "%s", err.text);
    size_t count = cs_csv_row_count(csv);
    ck_assert_uint_le(count, capacity);
    for (size_t i = 0; i < count; i++) {
        double cells[5];
        for (size_t k = 0; k < 5; k++) {
            ck_assert_int_eq(cs_csv_number(csv, i, k, &cells[k], &err), CS_OK);
        }
        rows[i] = (measured){(uint32_t)cells[0], cells[2], cells[3], cells[4]};
    }
    cs_csv_free(csv);
    free(text);
    return count;
}

/* Bounds of docs/validation.md, as mean absolute errors. */
START_TEST(the_ladders_are_met)
{
    measured rows[128];
    cs_accelerator hosted = design_hosted("coral-usb-ladder");
    double sum[3] = {0}; /* convolutions cached, streamed; dense streamed */
    int counts[3] = {0};
    size_t count = read_ladder("coral_conv_ladder.csv", rows, 128);
    for (size_t i = 0; i < count; i++) {
        const measured *row = &rows[i];
        build_conv_ladder(row->width);
        compile(&hosted);
        double all = row->on_mib + row->off_mib;
        double on = (double)schedule.cached_bytes / MIB;
        double off = (double)schedule.streamed_bytes / MIB;
        ck_assert_double_eq_tol(on + off, all, 0.01 * all);
        ck_assert_double_eq_tol(on, row->on_mib, 0.05 * all);
        if (row->off_mib > 0 || row->width >= 72) {
            int group = row->off_mib > 0;
            sum[group] += fabs(simulate(&hosted) * 1e3 / row->ms - 1);
            counts[group]++;
        }
    }
    count = read_ladder("coral_fc_ladder.csv", rows, 128);
    for (size_t i = 0; i < count; i++) {
        const measured *row = &rows[i];
        build_dense_ladder(row->width);
        compile(&hosted);
        double stored = (double)(schedule.cached_bytes + schedule.streamed_bytes);
        if (row->off_mib > 0 && fabs(stored / (double)schedule.parameter_capacity - 1) > 0.05) {
            sum[2] += fabs(simulate(&hosted) * 1e3 / row->ms - 1);
            counts[2]++;
        }
    }
    static const double bounds[] = {0.05, 0.05, 0.02};
    for (int k = 0; k < 3; k++) {
        ck_assert_msg(sum[k] <= bounds[k] * counts[k], "group %d: %.2f %%", k,
                      100 * sum[k] / counts[k]);
    }
}
END_TEST

/* Coral's table of latencies, as far as it says which network it means: mean absolute error. */
START_TEST(the_networks_are_met)
{
    static const struct {
        const char *name;
        double usb_ms, pcie_ms;
    } rows[] = {{"mobilenet-v1", 2.4, 2.4},
                {"mobilenet-v2", 2.6, 2.6},
                {"inception-v1", 3.4, 4.1},
                {"resnet50-299", 49, 56},
                {"inception-v4", 85, 102}};
    size_t count = sizeof rows / sizeof rows[0];
    cs_accelerator usb = design_hosted("coral-usb"), pcie = design_hosted("coral-pcie");
    double usb_sum = 0, pcie_sum = 0, before = 0;
    for (size_t i = 0; i < count; i++) {
        design_zoo(rows[i].name, &network);
        compile(&usb);
        double ms = simulate(&usb) * 1e3;
        ck_assert_double_gt(ms, before);
        before = ms;
        usb_sum += fabs(ms / rows[i].usb_ms - 1);
        pcie_sum += fabs(simulate(&pcie) * 1e3 / rows[i].pcie_ms - 1);
    }
    ck_assert_double_le(usb_sum, 0.1 * (double)count);
    ck_assert_double_le(pcie_sum, 0.1 * (double)count);
}
END_TEST

START_TEST(kernels_have_two_sides)
{
    start(64, 64, 32);
    cs_layer_id id = conv(0, 32, 1, CS_PADDING_SAME);
    cs_conv wide = {.channels = 32, .kernel_h = 1, .kernel_w = 7};
    ck_assert_int_eq(cs_network_conv(&network, id, &wide, &id, &err), CS_OK);
    compile(&coral);
    ck_assert_uint_eq(schedule.steps[1]->halo_rows, 0);
    ck_assert_uint_eq(schedule.steps[1]->halo_cols, 6);
}
END_TEST

/* ---- names ---- */

START_TEST(policies_and_mechanisms_have_names)
{
    for (int i = 0; i < CS_POLICY_COUNT; i++) {
        cs_policy policy;
        ck_assert(cs_policy_find(cs_policy_name((cs_policy)i), &policy));
        ck_assert_int_eq(policy, i);
    }
    cs_policy policy = CS_POLICY_VENDOR;
    ck_assert(!cs_policy_find("vendors", &policy));
    ck_assert_int_eq(policy, CS_POLICY_VENDOR);
    ck_assert_str_eq(cs_policy_name(CS_POLICY_VENDOR), "vendor");
    ck_assert_int_le(CS_MECHANISM_COUNT, 32);
    for (int i = 0; i < CS_MECHANISM_COUNT; i++) {
        ck_assert_uint_gt(strlen(cs_mechanism_text((cs_mechanism)i)), 0);
    }
}
END_TEST

/* ---- every network and accelerator ---- */

#define SEEDS 400

static bool random_design(int seed, cs_accelerator *accelerator)
{
    cs_random random;
    cs_random_init(&random, (uint64_t)seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
    design_random_network(&random, &network);
    *accelerator = design_random_accelerator(&random);
    accelerator->core_memory_bytes = 1 << 20;
    accelerator->narrow_memory_bytes = 1024ull * DESIGN_PICK(&random, 0, 16, 192, 4096);
    accelerator->host = (cs_host){
        .in_bytes_per_s = 1e6 * DESIGN_PICK(&random, 30, 300, 3000),
        .out_bytes_per_s = 1e6 * DESIGN_PICK(&random, 30, 300, 3000),
        .call_s = 1e-6 * DESIGN_PICK(&random, 0, 100),
    };
    compile(accelerator);
    return schedule.reason == CS_REASON_NONE;
}

START_TEST(no_design_beats_its_bounds)
{
    cs_technology technology = design_technology();
    static cs_cost layers[4096];
    int feasible = 0;
    for (int seed = 1; seed <= SEEDS; seed++) {
        cs_accelerator a;
        if (!random_design(seed, &a)) {
            continue;
        }
        feasible++;
        cs_cost total;
        ck_assert_uint_le(network.layer_count, sizeof layers / sizeof layers[0]);
        cs_simulator_analytic.simulate(&network, &a, &technology, &schedule, &total, layers);
        double macs = (double)cs_network_macs(&network) * network.batch;
        ck_assert_double_ge(total.latency_s * (1 + 1e-12), macs * 2 / cs_accelerator_peak_ops(&a));
        ck_assert_double_ge(total.latency_s,
                            (double)schedule.streamed_bytes / a.host.in_bytes_per_s);
        ck_assert_double_ge(total.latency_s, a.host.call_s);
        ck_assert_double_gt(total.energy_j, 0);
        double sum = 0;
        uint64_t stored = 0;
        for (uint32_t i = 0; i < network.layer_count; i++) {
            sum += layers[i].latency_s;
            stored += schedule.steps[i]->weight_bytes;
        }
        ck_assert_double_eq(sum, total.latency_s);
        ck_assert_uint_eq(schedule.cached_bytes + schedule.streamed_bytes, stored);
        ck_assert_uint_le(schedule.cached_bytes, schedule.parameter_capacity);

        /* Neither clock nor link decides anything, so a faster one is not slower. */
        cs_accelerator faster = a;
        faster.clock_mhz *= 2;
        ck_assert_double_le(simulate(&faster), total.latency_s);
        faster = a;
        faster.host.in_bytes_per_s *= 2;
        ck_assert_double_le(simulate(&faster), total.latency_s);
        faster = a;
        faster.host.out_bytes_per_s *= 2;
        ck_assert_double_le(simulate(&faster), total.latency_s);
    }
    ck_assert_int_gt(feasible, SEEDS / 4);
}
END_TEST

/* More memory for tensors never means more strips of a layer, as long as they are on chip. */
START_TEST(strips_do_not_grow_with_memory)
{
    int compared = 0;
    for (int seed = 1; seed <= 4000; seed++) {
        cs_random random;
        cs_random_init(&random, (uint64_t)seed, 1, CS_PURPOSE_SAMPLE, 0, 0);
        uint32_t side = 1 + cs_random_below(&random, 128);
        design_conv(&network, (cs_shape){side, side, 1 + cs_random_below(&random, 600)},
                    1 + cs_random_below(&random, 600), DESIGN_PICK(&random, 1, 3, 5),
                    DESIGN_PICK(&random, 1, 2), 1);
        (void)conv(1, 8, DESIGN_PICK(&random, 1, 3), CS_PADDING_SAME);
        cs_accelerator a = coral;
        a.narrow_memory_bytes = 1024 * (8 + cs_random_below(&random, 400));
        compile(&a);
        if (schedule.reason || schedule.steps[1]->head_bytes + schedule.steps[1]->tail_bytes > 0) {
            continue;
        }
        uint32_t strips = schedule.steps[1]->weight_passes;
        a.narrow_memory_bytes += 1024 * (1 + cs_random_below(&random, 64));
        compile(&a);
        ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
        ck_assert_msg(schedule.steps[1]->weight_passes <= strips, "seed %d: %u strips, then %u",
                      seed, strips, schedule.steps[1]->weight_passes);
        compared++;
    }
    ck_assert_int_gt(compared, 2000);
}
END_TEST

/* A batch of samples is as many calls. */
START_TEST(samples_of_a_batch_are_calls)
{
    cs_accelerator hosted = design_hosted("coral-usb");
    design_zoo("mobilenet-v2", &network);
    compile(&hosted);
    double one = simulate(&hosted);
    ck_assert_int_eq(cs_network_set_batch(&network, 4, &err), CS_OK);
    compile(&hosted);
    ck_assert_uint_eq(schedule.calls, 4);
    ck_assert_double_eq_tol(simulate(&hosted), 4 * one, 1e-9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vendor");
    TCase *c = tcase_create("vendor");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, weights_are_stored_padded);
    tcase_add_test(c, buffers_decide_what_is_left_for_parameters);
    tcase_add_test(c, strips_of_the_ladder_are_those_that_were_measured);
    tcase_add_test(c, streamed_weights_cross_the_link_once_a_strip);
    tcase_add_test(c, a_dense_layer_beyond_the_fifos_is_streamed);
    tcase_add_test(c, inception_v1_is_cached_whole);
    tcase_add_test(c, large_networks_are_cached_in_part);
    tcase_add_test(c, mnist_takes_the_cycles_and_instructions_that_are_published);
    tcase_add_test(c, the_host_does_not_scale_with_the_clock);
    tcase_add_test(c, the_ladders_are_met);
    tcase_add_test(c, the_networks_are_met);
    tcase_add_test(c, kernels_have_two_sides);
    tcase_add_test(c, policies_and_mechanisms_have_names);
    tcase_add_test(c, no_design_beats_its_bounds);
    tcase_add_test(c, strips_do_not_grow_with_memory);
    tcase_add_test(c, samples_of_a_batch_are_calls);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
