/* Policy best: never slower than vendor, close to an exhaustive search over the knobs, and not
 * hurt by more memory; what pins do. */
#include "designs.h"

#include "sim/compiler/plan.h"
#include "sim/compiler/schedule.h"
#include "sim/compiler/timing.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cs_network network;
static cs_schedule schedule;
static cs_error err;

static void setup(void)
{
    network = (cs_network){0};
    schedule = (cs_schedule){0};
}

static void teardown(void)
{
    cs_network_release(&network);
    cs_schedule_release(&schedule);
}

/* Seconds of the schedule in closed form, INFINITY where it cannot run. */
static double compile(const cs_accelerator *accelerator, const cs_compile_options *options)
{
    ck_assert_int_eq(cs_compile(&network, accelerator, options, &schedule, &err), CS_OK);
    cs_rates rates = cs_rates_of(accelerator);
    cs_walk walk = {0};
    for (uint32_t i = 0; i < schedule.step_count && !schedule.reason; i++) {
        (void)cs_walk_step(&walk, &rates, schedule.steps[i]);
    }
    return schedule.reason ? INFINITY : walk.now_s;
}

static double compile_vendor(const cs_accelerator *accelerator)
{
    static const cs_compile_options options = {.policy = CS_POLICY_VENDOR};
    return compile(accelerator, &options);
}

/* Accelerators with one memory or two, with a host or a link, small and large. */
static cs_accelerator random_accelerator(cs_random *random)
{
    cs_accelerator a = design_random_accelerator(random);
    a.core_memory_bytes = 1024ull * DESIGN_PICK(random, 8, 32, 128);
    a.narrow_memory_bytes = 1024ull * DESIGN_PICK(random, 0, 0, 16, 192);
    if (cs_random_below(random, 3) == 0) {
        a.host = (cs_host){.in_bytes_per_s = 1e6 * DESIGN_PICK(random, 30, 300, 3000),
                           .out_bytes_per_s = 1e6 * DESIGN_PICK(random, 30, 300, 3000),
                           .call_s = 1e-4,
                           .stream_start_s = 3e-4};
    }
    return a;
}

#define SEEDS 1500

START_TEST(it_is_never_slower_than_vendor)
{
    int both = 0, faster = 0, saved = 0;
    for (int seed = 1; seed <= SEEDS; seed++) {
        cs_random random;
        cs_random_init(&random, (uint64_t)seed, 3, CS_PURPOSE_SAMPLE, 0, 0);
        design_random_network(&random, &network);
        cs_accelerator a = random_accelerator(&random);
        double vendor_s = compile_vendor(&a);
        double best_s = compile(&a, NULL);
        ck_assert_msg(best_s <= vendor_s * (1 + 1e-12), "seed %d: best %g, vendor %g", seed, best_s,
                      vendor_s);
        both += isfinite(vendor_s);
        faster += best_s < vendor_s;
        saved += isinf(vendor_s) && isfinite(best_s);
    }
    printf("best: faster than vendor on %d of %d designs, runs %d more\n", faster, SEEDS, saved);
    ck_assert_int_gt(both, SEEDS / 2);
    ck_assert_int_gt(faster, SEEDS / 2);
}
END_TEST

/* ---- an exhaustive search over the knobs of one layer ---- */

typedef struct exhaustive {
    cs_accelerator accelerator;
    cs_machine machine;
    cs_rates rates;
    cs_use use;
    cs_cut cut;
    double best_s;
} exhaustive;

/* Seconds of input and layer by these knobs, with its weights cached, streamed or prefetched. */
static void try_weights(exhaustive *x, const cs_knobs *knobs, const cs_need *need)
{
    uint64_t reserved = cs_plan_wide_bytes(&x->machine, need, 0);
    uint64_t capacity = cs_plan_capacity(&x->machine, reserved);
    bool dense = x->cut.kind == CS_KIND_DENSE;
    for (int how = 0; how < (x->cut.weight_bytes > 0 ? 3 : 1); how++) {
        bool cached = how == 0, prefetched = how == 2;
        uint64_t share = x->cut.passes * x->machine.lanes *
                         cs_round_up(cs_layer_fan_channels(x->use.layer), x->machine.ways);
        if (how != 1 && (x->cut.weight_bytes > capacity ||
                         (cached && dense && share > x->machine.fifo_bytes))) {
            continue;
        }
        cs_step input = {0}, step;
        cs_step_make(&x->machine, &x->use, &x->cut, knobs, need, &step);
        input.upload_bytes = x->use.input_off[0] ? 0 : cs_shape_elements(network.layers[0].out);
        input.upload_bytes += cs_layer_instruction_bytes(x->use.layer, need->strips);
        if (!cached && x->cut.weight_bytes > 0) {
            uint64_t bytes = x->cut.weight_bytes * (prefetched ? 1 : step.weight_passes);
            step.prefetched = prefetched;
            step.off_chip_read_bytes += prefetched ? 0 : bytes;
            step.stream_cycles = dense ? bytes * 4 / x->machine.lanes : 0;
            step.start_s = x->accelerator.host.stream_start_s;
        }
        if (!x->use.output_off) {
            step.collect_bytes = (uint64_t)x->use.layer->out.height * x->use.layer->out.width *
                                 cs_round_up(x->use.layer->out.channels, x->machine.ways);
        }
        cs_walk walk = {0};
        (void)cs_walk_step(&walk, &x->rates, &input);
        (void)cs_walk_step(&walk, &x->rates, &step);
        x->best_s = walk.now_s < x->best_s ? walk.now_s : x->best_s;
    }
}

static void try_knobs(exhaustive *x, const cs_knobs *knobs)
{
    cs_need need;
    if (cs_need_of(&x->machine, &x->use, &x->cut, knobs, &need) &&
        cs_plan_fits(&x->machine, &need, 0)) {
        try_weights(x, knobs, &need);
    }
}

static void try_all_knobs(exhaustive *x)
{
    cs_knobs knobs = {.split_y = x->cut.split_y, .split_x = x->cut.split_x};
    for (knobs.residence = 0; knobs.residence < CS_RESIDENCE_COUNT; knobs.residence++) {
        for (knobs.strip_rows = 1; knobs.strip_rows <= x->cut.rows; knobs.strip_rows++) {
            if (x->cut.kind != CS_KIND_FILLS) {
                try_knobs(x, &knobs);
                continue;
            }
            for (int ahead = 0; ahead < 2; ahead++) {
                knobs.ahead = ahead;
                knobs.order = CS_ORDER_POSITIONS;
                knobs.fill_rows = (uint32_t)x->cut.words;
                try_knobs(x, &knobs);
                knobs.order = CS_ORDER_CHUNKS;
                for (knobs.fill_rows = 1; knobs.fill_rows <= x->cut.words; knobs.fill_rows++) {
                    try_knobs(x, &knobs);
                }
            }
        }
    }
}

/* Over every split, order, fill, double FIFO, residence, strip, and place of input and weights. */
static double search_exhaustively(const cs_accelerator *accelerator)
{
    exhaustive x = {
        .accelerator = *accelerator, .rates = cs_rates_of(accelerator), .best_s = INFINITY};
    cs_machine_of(accelerator, 0, &x.machine);
    for (int off = 0; off < 4; off++) {
        for (int split = 0; split < 4; split++) {
            x.use = (cs_use){.layer = &network.layers[1]};
            x.use.input_off[0] = off & 1;
            x.use.output_off = off & 2;
            if (cs_cut_make(&x.machine, &x.use, split & 1 ? CS_SPLIT_CHANNELS : CS_SPLIT_SPACE,
                            split & 2 ? CS_SPLIT_CHANNELS : CS_SPLIT_SPACE, &x.cut)) {
                try_all_knobs(&x);
            }
        }
    }
    return x.best_s;
}

static void random_layer(cs_random *random)
{
    uint32_t side = 1 + cs_random_below(random, 24);
    cs_shape shape = {side, side, DESIGN_PICK(random, 3, 16, 32, 48, 64)};
    uint32_t kernel = DESIGN_PICK(random, 1, 1, 3, 3, 5);
    uint32_t channels = DESIGN_PICK(random, 8, 16, 64, 100, 128);
    switch (cs_random_below(random, 6)) {
    case 0:
        design_dense(&network, 16 * (1 + cs_random_below(random, 60)), channels * 4);
        break;
    case 1:
        design_conv(&network, shape, shape.channels, kernel, 1, shape.channels);
        break;
    default:
        design_conv(&network, shape, channels, kernel, DESIGN_PICK(random, 1, 1, 2), 1);
    }
}

START_TEST(it_is_close_to_an_exhaustive_search)
{
    double sum = 0, worst = 0;
    int count = 0;
    for (int seed = 1; count < 200; seed++) {
        cs_random random;
        cs_random_init(&random, (uint64_t)seed, 4, CS_PURPOSE_SAMPLE, 0, 0);
        random_layer(&random);
        cs_accelerator a = random_accelerator(&random);
        a.pes_x = 1 + cs_random_below(&random, 4);
        a.pes_y = 1 + cs_random_below(&random, 4);
        double exhaustive_s = search_exhaustively(&a);
        double best_s = compile(&a, NULL);
        if (isinf(exhaustive_s)) {
            continue;
        }
        ck_assert_msg(isfinite(best_s), "seed %d: %s", seed, cs_reason_text(schedule.reason));
        /* Of the instructions of a call only those of layers differ. */
        best_s -= CS_CALL_INSTRUCTION_BYTES / cs_rates_of(&a).in_bytes_per_s;
        double over = best_s / exhaustive_s;
        ck_assert_msg(over > 1 - 1e-9, "seed %d: best %g, exhaustive %g", seed, best_s,
                      exhaustive_s);
        sum += log(over);
        worst = over > worst ? over : worst;
        count++;
    }
    double mean = exp(sum / count);
    printf("best: %.3f %% over an exhaustive search in the geometric mean of %d layers, %.1f %% at "
           "worst\n",
           100 * (mean - 1), count, 100 * (worst - 1));
    ck_assert_double_le(mean, 1.05);
}
END_TEST

/* ---- more memory ---- */

static void grow(cs_random *random, cs_accelerator *a)
{
    uint64_t more = 1024ull * (1 + cs_random_below(random, 256));
    switch (cs_random_below(random, a->narrow_memory_bytes > 0 ? 3 : 2)) {
    case 0:
        a->pe_memory_bytes += more;
        break;
    case 1:
        a->core_memory_bytes += more;
        break;
    default:
        a->narrow_memory_bytes += more;
    }
}

START_TEST(more_memory_never_hurts_a_single_layer)
{
    static const cs_policy policies[] = {CS_POLICY_VENDOR, CS_POLICY_BEST};
    int compared = 0;
    for (int seed = 1; seed <= 3000; seed++) {
        cs_random random;
        cs_random_init(&random, (uint64_t)seed, 5, CS_PURPOSE_SAMPLE, 0, 0);
        random_layer(&random);
        cs_accelerator a = random_accelerator(&random), b = a;
        grow(&random, &b);
        for (int p = 0; p < 2; p++) {
            cs_compile_options options = {.policy = policies[p]};
            double before = compile(&a, &options), after = compile(&b, &options);
            ck_assert_msg(after <= before * (1 + 1e-12),
                          "seed %d: %s: %.17g, with more memory %.17g", seed,
                          cs_policy_name(policies[p]), before, after);
            compared += isfinite(before);
        }
    }
    ck_assert_int_gt(compared, 2000);
}
END_TEST

START_TEST(whole_networks_that_more_memory_hurts_are_few)
{
    static const cs_policy policies[] = {CS_POLICY_VENDOR, CS_POLICY_BEST};
    int hurt[2] = {0}, stopped[2] = {0}, compared = 0;
    double worst[2] = {0};
    for (int seed = 1; seed <= SEEDS; seed++) {
        cs_random random;
        cs_random_init(&random, (uint64_t)seed, 6, CS_PURPOSE_SAMPLE, 0, 0);
        design_random_network(&random, &network);
        cs_accelerator a = random_accelerator(&random), b = a;
        grow(&random, &b);
        for (int p = 0; p < 2; p++) {
            cs_compile_options options = {.policy = policies[p]};
            double before = compile(&a, &options), after = compile(&b, &options);
            if (after > before * (1 + 1e-12)) {
                hurt[p]++;
                stopped[p] += !isfinite(after);
                worst[p] = isfinite(after) ? fmax(worst[p], after / before - 1) : worst[p];
            }
            compared += p && isfinite(before);
        }
    }
    printf("slower with more memory, of %d networks: vendor %d (%.2f %% at worst; %d no longer "
           "run), best %d (%.2f %%; %d)\n",
           compared, hurt[0], 100 * worst[0], stopped[0], hurt[1], 100 * worst[1], stopped[1]);
    ck_assert_int_le(hurt[1] * 100, compared);
}
END_TEST

/* What misled it once: a double FIFO that fits only for tiny fills hid a single one for large ones;
 * and tensors that moved off chip one after another, until nothing fitted any more. */
START_TEST(a_single_fifo_for_large_fills_is_found)
{
    design_conv(&network, (cs_shape){14, 14, 96}, 8, 7, 1, 1);
    cs_accelerator small = design_accelerator("edgetpu-v1"), large = small;
    small.pe_memory_bytes = 32 << 10;
    large.pe_memory_bytes = 64 << 10;
    double small_s = compile(&small, NULL);
    ck_assert(isfinite(small_s));
    ck_assert_double_le(compile(&large, NULL), small_s * (1 + 1e-12));
}
END_TEST

START_TEST(schedules_of_a_smaller_memory_are_tried)
{
    design_zoo("resnet50-299", &network);
    cs_accelerator a = design_accelerator("edgetpu-v3");
    a.pe_memory_bytes = 128 << 10;
    double small_s = compile(&a, NULL);
    ck_assert(isfinite(small_s));
    for (uint64_t kib = 192; kib <= 208; kib += 16) {
        a.pe_memory_bytes = kib << 10;
        ck_assert_double_le(compile(&a, NULL), small_s * (1 + 1e-12));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("best");
    TCase *c = tcase_create("best");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, it_is_never_slower_than_vendor);
    tcase_add_test(c, it_is_close_to_an_exhaustive_search);
    tcase_add_test(c, more_memory_never_hurts_a_single_layer);
    tcase_add_test(c, whole_networks_that_more_memory_hurts_are_few);
    tcase_add_test(c, a_single_fifo_for_large_fills_is_found);
    tcase_add_test(c, schedules_of_a_smaller_memory_are_tried);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
