/* What every simulator promises: one suite over all of them. */
#include "designs.h"

#include "sim/simulator/simulator.h"

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LAYERS 200

typedef struct sample {
    cs_network network;
    cs_accelerator accelerator;
    cs_schedule schedule;
    cs_cost total;
    cs_cost layers[MAX_LAYERS];
} sample;

static const cs_simulator *simulator;
static cs_technology technology;
static sample s;

static void setup(void)
{
    technology = design_technology();
    memset(&s, 0, sizeof s);
}

static void teardown(void)
{
    cs_network_release(&s.network);
    cs_schedule_release(&s.schedule);
}

static void run(void)
{
    ck_assert_uint_le(s.network.layer_count, MAX_LAYERS);
    simulator->simulate(&s.network, &s.accelerator, &technology, &s.schedule, &s.total, s.layers);
}

/* Compile and simulate a random design; false if it is infeasible. */
static bool run_random(uint64_t seed)
{
    cs_random random;
    cs_error err;
    cs_random_init(&random, seed, 2, CS_PURPOSE_SAMPLE, 0, 0);
    design_random_network(&random, &s.network);
    s.accelerator = design_random_accelerator(&random);
    ck_assert_int_eq(cs_compile(&s.network, &s.accelerator, NULL, &s.schedule, &err), CS_OK);
    if (s.schedule.reason) {
        return false;
    }
    run();
    return true;
}

/* Property loops below stop to make sense if most designs are infeasible. */
#define SEEDS        2000
#define MIN_FEASIBLE 400

static void use_simulator(int i)
{
    simulator = cs_simulator_at((size_t)i);
    ck_assert_ptr_nonnull(simulator);
}

START_TEST(it_is_found_by_its_name)
{
    use_simulator(_i);
    ck_assert_ptr_eq(cs_simulator_find(simulator->name), simulator);
    ck_assert_uint_ge(simulator->revision, 1);
    ck_assert_ptr_null(cs_simulator_find("oracle"));
}
END_TEST

START_TEST(no_layer_beats_its_lower_bounds)
{
    use_simulator(_i);
    unsigned feasible = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!run_random(seed)) {
            continue;
        }
        feasible++;
        double peak = cs_accelerator_peak_ops(&s.accelerator) / 2;
        double bandwidth = (double)s.accelerator.link_bytes_per_s;
        double supply = cs_technology_voltage(&technology, s.accelerator.clock_mhz) /
                        technology.voltage_nominal_v;
        /* Rounding of a sum of a dozen quotients. */
        double less = 1 - 1e-12;
        for (uint32_t i = 0; i < s.network.layer_count; i++) {
            const cs_cost *cost = &s.layers[i];
            const cs_step *step = &s.schedule.steps[i];
            double macs = (double)cs_layer_macs(&s.network.layers[i]);
            ck_assert(isfinite(cost->latency_s) && isfinite(cost->energy_j));
            ck_assert_double_ge(cost->latency_s, macs / peak * less);
            if (!step->cached) {
                ck_assert_double_ge(cost->latency_s, (double)step->weight_bytes / bandwidth * less);
            }
            ck_assert_double_ge(cost->latency_s,
                                (double)step->off_chip_read_bytes / bandwidth * less);
            ck_assert_double_ge(cost->latency_s,
                                (double)step->off_chip_write_bytes / bandwidth * less);
            ck_assert_double_ge(cost->latency_s, cost->compute_s);
            ck_assert_double_ge(cost->latency_s, cost->on_chip_s);
            ck_assert_double_ge(cost->latency_s, cost->off_chip_s);
            ck_assert_double_ge(cost->energy_j, macs * technology.mac_j * supply * supply * less);
            ck_assert(cost->utilization >= 0 && cost->utilization <= 1 + 1e-12);
        }
        ck_assert_double_ge(s.total.latency_s, (double)cs_network_macs(&s.network) / peak * less);
        ck_assert_double_ge(s.total.latency_s,
                            (double)s.schedule.streamed_bytes / bandwidth * less);
        ck_assert(s.total.utilization >= 0 && s.total.utilization <= 1 + 1e-12);
        ck_assert_double_gt(s.total.latency_s, 0);
        ck_assert_double_gt(s.total.energy_j, 0);
    }
    ck_assert_uint_gt(feasible, MIN_FEASIBLE);
}
END_TEST

START_TEST(totals_are_the_sums_of_the_layers)
{
    use_simulator(_i);
    for (uint64_t seed = 0; seed < 200; seed++) {
        if (!run_random(seed)) {
            continue;
        }
        cs_cost sum = {0};
        for (uint32_t i = 0; i < s.network.layer_count; i++) {
            sum.latency_s += s.layers[i].latency_s;
            sum.energy_j += s.layers[i].energy_j;
            sum.compute_s += s.layers[i].compute_s;
            sum.on_chip_s += s.layers[i].on_chip_s;
            sum.off_chip_s += s.layers[i].off_chip_s;
        }
        ck_assert_double_eq(s.total.latency_s, sum.latency_s);
        ck_assert_double_eq(s.total.energy_j, sum.energy_j);
        ck_assert_double_eq(s.total.compute_s, sum.compute_s);
        ck_assert_double_eq(s.total.on_chip_s, sum.on_chip_s);
        ck_assert_double_eq(s.total.off_chip_s, sum.off_chip_s);
        /* Without room for layers the total is the same. */
        cs_cost total;
        simulator->simulate(&s.network, &s.accelerator, &technology, &s.schedule, &total, NULL);
        ck_assert_mem_eq(&total, &s.total, sizeof total);
    }
}
END_TEST

START_TEST(more_bandwidth_or_clock_is_never_slower)
{
    use_simulator(_i);
    unsigned faster = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!run_random(seed)) {
            continue;
        }
        double before = s.total.latency_s;
        cs_accelerator base = s.accelerator;
        cs_error err;
        for (int which = 0; which < 2; which++) {
            s.accelerator = base;
            if (which == 0) {
                s.accelerator.link_bytes_per_s += s.accelerator.link_bytes_per_s / 3;
            } else {
                s.accelerator.clock_mhz += s.accelerator.clock_mhz / 3;
            }
            run();
            ck_assert_double_le(s.total.latency_s, before);
            double same_schedule = s.total.latency_s;
            ck_assert_int_eq(cs_compile(&s.network, &s.accelerator, NULL, &s.schedule, &err),
                             CS_OK);
            run();
            ck_assert_double_eq(s.total.latency_s, same_schedule);
            faster += s.total.latency_s < before;
        }
    }
    ck_assert_uint_gt(faster, MIN_FEASIBLE);
}
END_TEST

START_TEST(repeating_gives_the_same_bytes)
{
    use_simulator(_i);
    for (uint64_t seed = 0; seed < 200; seed++) {
        if (run_random(seed)) {
            cs_cost before = s.total;
            run_random(seed + 1000);
            ck_assert(run_random(seed));
            ck_assert_mem_eq(&s.total, &before, sizeof before);
        }
    }
}
END_TEST

/* With one unit energy of 1 J and no other, energy is the count that it belongs to. */
START_TEST(energy_charges_every_count_of_the_schedule)
{
    use_simulator(_i);
    cs_error err;
    s.accelerator = design_accelerator("edgetpu-v1");
    s.accelerator.pe_memory_bytes = 64 << 10; /* spills and streams */
    design_mobilenet_v2(&s.network);
    ck_assert_int_eq(cs_compile(&s.network, &s.accelerator, NULL, &s.schedule, &err), CS_OK);
    ck_assert_int_eq(s.schedule.reason, CS_REASON_NONE);
    static const struct {
        size_t unit;  /* in cs_technology */
        size_t count; /* in cs_step */
    } rows[] = {
        {offsetof(cs_technology, mac_j), offsetof(cs_step, operations)},
        {offsetof(cs_technology, core_memory_read_j_byte),
         offsetof(cs_step, core_memory_read_bytes)},
        {offsetof(cs_technology, core_memory_write_j_byte),
         offsetof(cs_step, core_memory_write_bytes)},
        {offsetof(cs_technology, pe_memory_read_j_byte), offsetof(cs_step, pe_memory_read_bytes)},
        {offsetof(cs_technology, pe_memory_write_j_byte), offsetof(cs_step, pe_memory_write_bytes)},
        {offsetof(cs_technology, dram_read_j_byte), offsetof(cs_step, off_chip_read_bytes)},
        {offsetof(cs_technology, dram_write_j_byte), offsetof(cs_step, off_chip_write_bytes)},
    };
    technology = (cs_technology){.clock_nominal_mhz = 800, .voltage_nominal_v = 1};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        double *unit = (double *)((char *)&technology + rows[r].unit);
        uint64_t count = 0;
        for (uint32_t i = 0; i < s.schedule.step_count; i++) {
            count += *(const uint64_t *)((const char *)&s.schedule.steps[i] + rows[r].count);
        }
        ck_assert_uint_gt(count, 0);
        *unit = 1;
        run();
        ck_assert_double_eq(s.total.energy_j, (double)count); /* whole numbers below 2^53: exact */
        *unit = 0;
    }
    technology.link_power_w_gbps = 1;
    run();
    ck_assert_double_eq_tol(s.total.energy_j, 17 * s.total.latency_s, 1e-12);
}
END_TEST

/* The stem of MobileNetV2 alone, on V1, worked out by hand: 28 x 28 positions of a PE, one pass, 9
 * taps of one word; its input and output cross the link. */
START_TEST(one_layer_by_hand)
{
    use_simulator(_i);
    cs_error err;
    s.accelerator = design_accelerator("edgetpu-v1");
    design_conv(&s.network, (cs_shape){224, 224, 3}, 32, 3, 2, 1);
    ck_assert_int_eq(cs_compile(&s.network, &s.accelerator, NULL, &s.schedule, &err), CS_OK);
    run();
    ck_assert_double_eq_tol(s.layers[1].compute_s, 28 * 28 * 9 / 800e6, 1e-15);
    /* The output is larger than the input, and each direction has its own 17 GB/s. */
    ck_assert_double_eq_tol(s.layers[1].off_chip_s, 112 * 112 * 32 / 17e9, 1e-15);
    ck_assert_double_ge(s.total.latency_s, s.layers[1].off_chip_s);
}
END_TEST

int main(void)
{
    int count = 0;
    while (cs_simulator_at((size_t)count)) {
        count++;
    }
    Suite *suite = suite_create("simulators");
    TCase *c = tcase_create("conformance");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, it_is_found_by_its_name, 0, count);
    tcase_add_loop_test(c, no_layer_beats_its_lower_bounds, 0, count);
    tcase_add_loop_test(c, totals_are_the_sums_of_the_layers, 0, count);
    tcase_add_loop_test(c, more_bandwidth_or_clock_is_never_slower, 0, count);
    tcase_add_loop_test(c, repeating_gives_the_same_bytes, 0, count);
    tcase_add_loop_test(c, energy_charges_every_count_of_the_schedule, 0, count);
    tcase_add_loop_test(c, one_layer_by_hand, 0, count);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner) || count == 0;
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
