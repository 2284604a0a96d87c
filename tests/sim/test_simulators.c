/* What every simulator promises: one suite over all of them. */
#include "designs.h"

#include "sim/compiler/timing.h"
#include "sim/simulator/simulator.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LAYERS 200

/* Rounding of a sum of a few thousand quotients. */
#define MORE (1 + 1e-12)

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

/* Time, of which a layer's is the difference of two from the start of the sample. */
static void at_least(double time_s, double bound_s)
{
    ck_assert_double_ge(time_s * MORE + s.total.latency_s * 1e-14, bound_s);
}

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
        cs_rates rates = cs_rates_of(&s.accelerator);
        double supply = cs_technology_voltage(&technology, s.accelerator.clock_mhz) /
                        technology.voltage_nominal_v;
        for (uint32_t i = 0; i < s.network.layer_count; i++) {
            const cs_cost *cost = &s.layers[i];
            const cs_step *step = s.schedule.steps[i];
            double macs = (double)cs_layer_macs(&s.network.layers[i]);
            ck_assert(isfinite(cost->latency_s) && isfinite(cost->energy_j));
            at_least(cost->latency_s, macs / peak);
            if (!step->cached && !step->prefetched) {
                at_least(cost->latency_s,
                         (double)step->weight_bytes * step->weight_passes / rates.in_bytes_per_s);
            }
            at_least(cost->latency_s,
                     cost->busy_s[CS_RESOURCE_LANES] + cost->busy_s[CS_RESOURCE_SUMS]);
            for (int r = 0; r < CS_RESOURCE_COUNT; r++) {
                if (r != CS_RESOURCE_LINK_IN || !step->prefetched) {
                    at_least(cost->latency_s, cost->busy_s[r]);
                }
            }
            ck_assert_double_ge(cost->energy_j * MORE, macs * technology.mac_j * supply * supply);
            ck_assert(cost->utilization >= 0 && cost->utilization <= MORE);
        }
        at_least(s.total.latency_s, (double)cs_network_macs(&s.network) / peak);
        for (int r = 0; r < CS_RESOURCE_COUNT; r++) {
            at_least(s.total.latency_s, s.total.busy_s[r]);
        }
        at_least(s.total.latency_s, (double)s.schedule.streamed_bytes / rates.in_bytes_per_s);
        ck_assert(s.total.utilization >= 0 && s.total.utilization <= MORE);
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
        const uint64_t *total_counts = (const uint64_t *)&s.total.traffic;
        uint64_t counts[sizeof(cs_traffic) / sizeof(uint64_t)] = {0};
        for (uint32_t i = 0; i < s.network.layer_count; i++) {
            sum.latency_s += s.layers[i].latency_s;
            sum.energy_j += s.layers[i].energy_j;
            for (int r = 0; r < CS_RESOURCE_COUNT; r++) {
                sum.busy_s[r] += s.layers[i].busy_s[r];
            }
            const uint64_t *layer_counts = (const uint64_t *)&s.layers[i].traffic;
            for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
                counts[k] += layer_counts[k];
            }
        }
        ck_assert_double_eq(s.total.latency_s, sum.latency_s);
        ck_assert_double_eq_tol(s.total.energy_j, sum.energy_j, 1e-12 * sum.energy_j);
        for (int r = 0; r < CS_RESOURCE_COUNT; r++) {
            ck_assert_double_eq_tol(s.total.busy_s[r], sum.busy_s[r], 1e-12 * sum.latency_s);
        }
        ck_assert_mem_eq(total_counts, counts, sizeof counts);
        /* Without room for layers the total is the same, but for what is of layers. */
        cs_cost total;
        simulator->simulate(&s.network, &s.accelerator, &technology, &s.schedule, &total, NULL);
        ck_assert_double_le(total.peak_power_w, s.total.peak_power_w);
        total.peak_power_w = s.total.peak_power_w;
        ck_assert_mem_eq(&total, &s.total, sizeof total);
    }
}
END_TEST

/* Of one schedule. */
START_TEST(more_bandwidth_or_clock_is_never_slower)
{
    use_simulator(_i);
    unsigned faster = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!run_random(seed)) {
            continue;
        }
        double link = (double)s.accelerator.link_bytes_per_s;
        s.accelerator.host = (cs_host){.in_bytes_per_s = link, .out_bytes_per_s = link};
        run();
        double before = s.total.latency_s;
        cs_accelerator base = s.accelerator;
        for (int which = 0; which < 3; which++) {
            s.accelerator = base;
            if (which == 0) {
                s.accelerator.host.in_bytes_per_s *= 1 + (double)(seed % 50) / 9;
            } else if (which == 1) {
                s.accelerator.host.out_bytes_per_s *= 1 + (double)(seed % 50) / 9;
            } else {
                s.accelerator.clock_mhz += s.accelerator.clock_mhz / 3;
            }
            run();
            ck_assert_double_le(s.total.latency_s, before * MORE);
            faster += s.total.latency_s < before;
        }
    }
    ck_assert_uint_gt(faster, MIN_FEASIBLE);
}
END_TEST

/* The samples of a batch run one after another. */
START_TEST(a_batch_is_its_samples)
{
    use_simulator(_i);
    for (uint64_t seed = 0; seed < 100; seed++) {
        if (!run_random(seed)) {
            continue;
        }
        cs_cost one = s.total;
        s.network.batch = 3;
        run();
        ck_assert_double_eq_tol(s.total.latency_s, 3 * one.latency_s, 1e-12 * s.total.latency_s);
        ck_assert_double_eq_tol(s.total.energy_j, 3 * one.energy_j, 1e-12 * s.total.energy_j);
        ck_assert_uint_eq(s.total.traffic.link_in_bytes, 3 * one.traffic.link_in_bytes);
        ck_assert_double_eq_tol(s.total.utilization, one.utilization, 1e-12);
        s.network.batch = 1;
    }
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

/* Every count of the schedule is charged once, whoever simulates, and at the rates of the
 * accelerator. */
START_TEST(every_count_of_the_schedule_is_charged_once)
{
    use_simulator(_i);
    for (uint64_t seed = 0; seed < 200; seed++) {
        if (!run_random(seed)) {
            continue;
        }
        cs_energy_rates rates = cs_energy_rates_of(&s.accelerator, &technology);
        for (uint32_t i = 0; i < s.network.layer_count; i++) {
            const cs_cost *cost = &s.layers[i];
            const cs_step *step = s.schedule.steps[i];
            ck_assert_mem_eq(&cost->traffic, &step->traffic, sizeof cost->traffic);
            cs_energy energy = cs_energy_of(&rates, &step->traffic, cost->latency_s);
            ck_assert_mem_eq(&cost->energy, &energy, sizeof energy);
            ck_assert_double_eq(cost->energy_j, cs_energy_total(&energy));
            for (int r = 0; r < CS_RESOURCE_COUNT; r++) {
                ck_assert_double_le(cost->busy_s[r], cost->busy_s[cost->limiter]);
            }
        }
        /* What crosses the link is what its time is for. */
        cs_rates link = cs_rates_of(&s.accelerator);
        double in_s = (double)s.total.traffic.link_in_bytes / link.in_bytes_per_s;
        double out_s = (double)s.total.traffic.link_out_bytes / link.out_bytes_per_s;
        ck_assert_double_eq_tol(s.total.busy_s[CS_RESOURCE_LINK_IN], in_s, 1e-12 * in_s);
        ck_assert_double_eq_tol(s.total.busy_s[CS_RESOURCE_LINK_OUT], out_s, 1e-12 * out_s);
    }
}
END_TEST

/* The stem of MobileNetV2 alone, on V1, worked out by hand: 28 x 28 positions of a PE, one pass, 9
 * taps of one word and a partial sum each; one fill of 9 rows of 16 cycles behind 26, which hides
 * the cycle that 4059 bytes take over the mesh. */
START_TEST(one_layer_by_hand)
{
    use_simulator(_i);
    cs_error err;
    cs_compile_options options = {.policy = CS_POLICY_VENDOR};
    s.accelerator = design_accelerator("edgetpu-v1");
    design_conv(&s.network, (cs_shape){224, 224, 3}, 32, 3, 2, 1);
    ck_assert_int_eq(cs_compile(&s.network, &s.accelerator, &options, &s.schedule, &err), CS_OK);
    run();
    double clock = 800e6, link = s.accelerator.link_bytes_per_s;
    double in_s = (8192 + 7680 + 224 * 224 * 3) / link, out_s = 112 * 112 * 32 / link;
    double compute = 28 * 28 * 9, sums = 28 * 28 * 2, fill = 26 + 9 * 16;
    const double *busy = s.total.busy_s;
    ck_assert_double_eq_tol(busy[CS_RESOURCE_LANES], compute / clock, 1e-15);
    ck_assert_double_eq_tol(busy[CS_RESOURCE_SUMS], sums / clock, 1e-15);
    ck_assert_double_eq_tol(busy[CS_RESOURCE_RING], fill / clock, 1e-15);
    ck_assert_double_eq_tol(busy[CS_RESOURCE_MESH], 1 / clock, 1e-15);
    ck_assert_double_eq_tol(busy[CS_RESOURCE_LINK_IN], in_s, 1e-15);
    ck_assert_double_eq_tol(busy[CS_RESOURCE_LINK_OUT], out_s, 1e-15);
    ck_assert_double_eq_tol(s.total.latency_s, in_s + (fill + compute + sums) / clock + out_s,
                            1e-15);
    ck_assert_int_eq(s.layers[1].limiter, CS_RESOURCE_LINK_OUT);
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
    tcase_add_loop_test(c, a_batch_is_its_samples, 0, count);
    tcase_add_loop_test(c, repeating_gives_the_same_bytes, 0, count);
    tcase_add_loop_test(c, every_count_of_the_schedule_is_charged_once, 0, count);
    tcase_add_loop_test(c, one_layer_by_hand, 0, count);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner) || count == 0;
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
