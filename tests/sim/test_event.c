/* The simulator `event`: small schedules by hand, what it tells, and how near `analytic` comes. */
#include "designs.h"

#include "sim/compiler/step.h"
#include "sim/simulator/event.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cs_technology technology;
static cs_network network;
static cs_accelerator accelerator;
static cs_schedule schedule;
static cs_error err;

static void setup(void)
{
    technology = design_technology();
}

static void teardown(void)
{
    cs_network_release(&network);
    cs_schedule_release(&schedule);
}

static double latency(const cs_simulator *simulator)
{
    cs_cost total;
    simulator->simulate(&network, &accelerator, &technology, &schedule, &total, NULL);
    return total.latency_s;
}

/* ---- by hand ---- */

/* A cycle is a microsecond, and a byte in either direction takes one, too. */
#define HAND_US 1e6

/* A step of the schedule's own, to be changed. */
static cs_step *own(uint32_t i)
{
    if (schedule.steps[i] != &schedule.own_steps[i]) {
        schedule.own_steps[i] = *schedule.steps[i];
        schedule.steps[i] = &schedule.own_steps[i];
    }
    return &schedule.own_steps[i];
}

/* Two steps for an input and a layer, of which the second is worked out by hand. */
static cs_step *start_hand(void)
{
    accelerator = design_accelerator("edgetpu-v1");
    accelerator.clock_mhz = 1;
    accelerator.host = (cs_host){.in_bytes_per_s = HAND_US, .out_bytes_per_s = HAND_US};
    schedule.steps = calloc(2, sizeof *schedule.steps);
    schedule.own_steps = calloc(2, sizeof *schedule.own_steps);
    ck_assert(schedule.steps && schedule.own_steps);
    schedule.step_count = schedule.capacity = 2;
    for (uint32_t i = 0; i < 2; i++) {
        schedule.own_steps[i] = (cs_step){.strips = 1, .channel_passes = 1, .cached = i == 1};
        schedule.steps[i] = &schedule.own_steps[i];
    }
    schedule.own_steps[1].knobs = (cs_knobs){.strip_rows = 1, .fill_rows = 1};
    schedule.own_steps[1].tile_cols = 1;
    return &schedule.own_steps[1];
}

static double event_us(void)
{
    return latency(&cs_simulator_event) * HAND_US;
}

#define ck_assert_us(value, us) ck_assert_double_eq_tol(value, us, 1e-6)

/* Four fills of 10 cycles and 100 of work, in two passes. */
static cs_step *start_fills(void)
{
    cs_step *step = start_hand();
    design_conv(&network, (cs_shape){1, 1, 8}, 8, 1, 1, 1);
    step->fills = 4;
    step->core_fills = 2;
    step->channel_passes = 2;
    step->fill_cycles = 40;
    step->compute_cycles = 300;
    step->sum_cycles = 100;
    step->run_cycles = 440;
    return step;
}

START_TEST(fills_and_work_take_turns)
{
    cs_step *step = start_fills();
    ck_assert_us(event_us(), 4 * (10 + 100));
    /* The exchange hides behind the first fill. */
    step->exchange_cycles = 10;
    ck_assert_us(event_us(), 440);
    step->exchange_cycles = 35;
    ck_assert_us(event_us(), 440 + 25);
}
END_TEST

START_TEST(a_fill_ahead_hides_behind_work)
{
    cs_step *step = start_fills();
    step->knobs.ahead = true;
    ck_assert_us(event_us(), 10 + 4 * 100);
    step->fill_cycles = 4 * 150;
    ck_assert_us(event_us(), 4 * 150 + 100);
}
END_TEST

START_TEST(streamed_weights_come_two_fills_before_the_ring)
{
    cs_step *step = start_fills();
    step->cached = false;
    step->weight_bytes = step->off_chip_read_bytes = 4 * 50;
    step->weight_passes = 1;
    /* Link 0-50, 50-100; the third waits for the first to leave, at 60: it is there at 150. */
    ck_assert_us(event_us(), 50 + 4 * 110);
    step->weight_bytes = step->off_chip_read_bytes = 4 * 200;
    ck_assert_us(event_us(), 4 * 200 + 110);
    /* In rows, the ring passes on what has come: the last of 10 rows is followed by a cycle. */
    step->knobs.fill_rows = 10;
    ck_assert_us(event_us(), 4 * 200 + 1 + 100);
}
END_TEST

START_TEST(lanes_of_dense_layers_follow_the_rows)
{
    cs_step *step = start_hand();
    design_dense(&network, 40, 8);
    step->cached = false;
    step->fills = step->core_fills = step->weight_passes = 1;
    step->fill_cycles = 26;
    step->compute_cycles = 10; /* and so 10 rows */
    step->stream_cycles = 160;
    step->weight_bytes = step->off_chip_read_bytes = 100;
    /* First row over the link by 10, the ring to 170, work on the last row.
     */
    ck_assert_us(event_us(), 10 + 160 + 1);
    step->fill_cycles = 200;
    ck_assert_us(event_us(), 10 + 200 + 10);
    step->fill_cycles = 26;
    step->weight_bytes = step->off_chip_read_bytes = 1000;
    ck_assert_us(event_us(), 1000 + 16 + 1);
}
END_TEST

/* Strips of 100 cycles, 60 in and 60 out. */
START_TEST(strips_come_and_go_while_others_are_worked_on)
{
    cs_step *step = start_hand();
    cs_layer_id id;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){8, 8, 8}, &err), CS_OK);
    ck_assert_int_eq(cs_network_add(&network, 0, 0, &id, &err), CS_OK);
    step->strips = 3;
    step->compute_cycles = 300;
    step->off_chip_read_bytes = step->off_chip_write_bytes = 180;
    step->head_bytes = step->tail_bytes = 60;
    ck_assert_us(event_us(), 60 + 300 + 60);
    /* Two places: the third strip's input waits until the first strip is made, at 300. */
    step->off_chip_read_bytes = 600;
    step->head_bytes = 200;
    ck_assert_us(event_us(), 200 + 200 + 200 + 100 + 60);
    /* The third strip waits until the first one's results have left, at 460. */
    step->off_chip_read_bytes = 180;
    step->head_bytes = 60;
    step->off_chip_write_bytes = 900;
    step->tail_bytes = 300;
    ck_assert_us(event_us(), 60 + 100 + 900);
    /* All before and after, as policy vendor has it. */
    step->head_bytes = 180;
    step->tail_bytes = 900;
    ck_assert_us(event_us(), 180 + 300 + 900);
}
END_TEST

START_TEST(weights_ahead_come_while_another_layer_runs)
{
    cs_step *step = start_fills();
    step->cached = false;
    step->prefetched = true;
    step->weight_bytes = 300;
    own(0)->compute_cycles = 1000;
    ck_assert_us(event_us(), 1000 + 440);
    step->weight_bytes = 1400;
    /* Each fill waits for its quarter; the last has come at 1400. */
    ck_assert_us(event_us(), 1400 + 110);
    /* With a second strip, half of the work is left. */
    step->strips = 2;
    step->core_fills = step->channel_passes = 1;
    ck_assert_us(event_us(), 1400 + 110 + 220);
    ck_assert_us(latency(&cs_simulator_analytic) * HAND_US, 1400 + 110 + 220);
    step->strips = 1;
    /* The link serves in order. */
    own(0)->upload_bytes = 200;
    ck_assert_us(event_us(), 200 + 1400 + 110);
}
END_TEST

START_TEST(a_call_is_uploaded_and_collected)
{
    cs_step *step = start_fills();
    accelerator.host.call_s = 7e-6;
    own(0)->upload_bytes = 90;
    step->start_s = 5e-6;
    step->collect_bytes = 33;
    ck_assert_us(event_us(), 7 + 90 + 5 + 440 + 33);
}
END_TEST

/* ---- what is told ---- */

typedef struct heard {
    double busy_s[CS_RESOURCE_COUNT], end_s[CS_RESOURCE_COUNT];
    double last_s;
    uint64_t in_bytes, out_bytes, fills, events;
    cs_layer_id layer;
    bool ordered;
} heard;

static void hear(void *context, const cs_event *event)
{
    heard *h = context;
    double slack = 1e-12 * event->end_s;
    h->ordered &= event->start_s >= h->end_s[event->resource] - slack;
    h->ordered &= event->end_s > event->start_s && event->layer >= h->layer;
    h->layer = event->layer;
    h->busy_s[event->resource] += event->end_s - event->start_s;
    h->end_s[event->resource] = event->end_s;
    h->last_s = fmax(h->last_s, event->end_s);
    h->in_bytes += event->resource == CS_RESOURCE_LINK_IN ? event->bytes : 0;
    h->out_bytes += event->resource == CS_RESOURCE_LINK_OUT ? event->bytes : 0;
    h->fills += event->resource == CS_RESOURCE_RING ? event->fills : 0;
    h->events++;
    const cs_step *step = schedule.steps[event->layer];
    ck_assert_uint_lt(event->strip, step->strips);
    ck_assert(event->pass < step->channel_passes || event->fills == 0);
    ck_assert_uint_le(event->fill + event->fills, step->fills);
}

static heard listen(void)
{
    heard h = {.ordered = true};
    cs_event_tell(&network, &accelerator, &schedule, &(cs_event_sink){hear, &h});
    return h;
}

/* ---- random designs ---- */

/* A random design by policy vendor; false if it is infeasible. */
static bool compile_random(uint64_t seed)
{
    cs_random random;
    cs_compile_options options = {.policy = CS_POLICY_VENDOR};
    cs_random_init(&random, seed, 2, CS_PURPOSE_SAMPLE, 0, 0);
    design_random_network(&random, &network);
    accelerator = design_random_accelerator(&random);
    ck_assert_int_eq(cs_compile(&network, &accelerator, &options, &schedule, &err), CS_OK);
    return schedule.reason == CS_REASON_NONE;
}

static void bring_fills_ahead(void)
{
    for (uint32_t i = 0; i < schedule.step_count; i++) {
        cs_step *step = own(i);
        cs_need need = {.compute_cycles = step->compute_cycles,
                        .sum_cycles = step->sum_cycles,
                        .fill_cycles = step->fill_cycles,
                        .exchange_cycles = step->exchange_cycles,
                        .fills = step->fills};
        step->knobs.ahead = true;
        step->run_cycles = cs_need_run_cycles(&need, true);
    }
}

static void bring_weights_ahead(void)
{
    for (uint32_t i = 0; i < schedule.step_count; i++) {
        cs_step *step = own(i);
        if (step->weight_bytes > 0 && !step->cached && i % 3 > 0) {
            uint64_t bytes = step->weight_bytes * step->weight_passes;
            step->prefetched = true;
            step->off_chip_read_bytes -= bytes;
            step->traffic.link_in_bytes -= bytes - step->weight_bytes;
        }
    }
}

/* The link that takes as long as the chip: overlap matters most. */
static void balance_link(void)
{
    uint64_t cycles = 1, bytes = 1;
    for (uint32_t i = 0; i < schedule.step_count; i++) {
        cycles += schedule.steps[i]->run_cycles;
        bytes += schedule.steps[i]->off_chip_read_bytes;
    }
    double rate = (double)bytes * accelerator.clock_mhz * 1e6 / (double)cycles;
    accelerator.host = (cs_host){.in_bytes_per_s = rate, .out_bytes_per_s = rate};
}

static const struct variant {
    const char *name;
    bool ahead, prefetch, balance;
} variants[] = {
    {"as compiled", false, false, false},           {"fills ahead", true, false, false},
    {"weights ahead", false, true, false},          {"both ahead", true, true, false},
    {"balanced link", false, false, true},          {"balanced, fills ahead", true, false, true},
    {"balanced, weights ahead", false, true, true},
};

#define VARIANTS (sizeof variants / sizeof variants[0])
#define SEEDS    2000u

static bool compile_variant(uint64_t seed, const struct variant *v)
{
    if (!compile_random(seed)) {
        return false;
    }
    if (v->ahead) {
        bring_fills_ahead();
    }
    if (v->balance) {
        balance_link();
    }
    if (v->prefetch) {
        bring_weights_ahead();
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

START_TEST(the_closed_form_agrees)
{
    static double apart[SEEDS];
    const struct variant *v = &variants[_i];
    size_t count = 0;
    uint64_t worst = 0;
    double most = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!compile_variant(seed, v)) {
            continue;
        }
        double ratio = latency(&cs_simulator_analytic) / latency(&cs_simulator_event);
        apart[count] = fmax(ratio, 1 / ratio);
        ck_assert_msg(apart[count] <= 2, "%s, seed %lu: %g", v->name, (unsigned long)seed, ratio);
        if (apart[count] > most) {
            most = apart[count];
            worst = seed;
        }
        count++;
    }
    ck_assert_uint_ge(count, 1000);
    qsort(apart, count, sizeof *apart, by_value);
    printf("%-24s %zu designs: median %.2f %%, p95 %.2f %%, worst %.2f %% (seed %lu)\n", v->name,
           count, 100 * apart[count / 2] - 100, 100 * apart[count * 95 / 100] - 100,
           100 * apart[count - 1] - 100, (unsigned long)worst);
    ck_assert_double_le(apart[count / 2], 1.1);
}
END_TEST

START_TEST(the_zoo_agrees)
{
    static const char *const networks[] = {"mobilenet-v2", "resnet50-299", "inception-v4",
                                           "bert-base",    "densenet121",  "vgg16"};
    static const char *const chips[] = {"edgetpu-v1", "edgetpu-v2", "edgetpu-v3", "nahas-baseline"};
    static const char *const hosts[] = {"coral-usb", "coral-pcie"};
    cs_compile_options options = {.policy = CS_POLICY_VENDOR};
    for (size_t n = 0; n < sizeof networks / sizeof networks[0]; n++) {
        design_zoo(networks[n], &network);
        for (size_t a = 0; a < 6; a++) {
            accelerator = a < 4 ? design_accelerator(chips[a]) : design_hosted(hosts[a - 4]);
            ck_assert_int_eq(cs_compile(&network, &accelerator, &options, &schedule, &err), CS_OK);
            if (!schedule.reason) {
                double ratio = latency(&cs_simulator_analytic) / latency(&cs_simulator_event);
                ck_assert_msg(ratio > 1 / 1.1 && ratio < 1.1, "%s: %g", networks[n], ratio);
            }
        }
        cs_network_release(&network);
    }
}
END_TEST

START_TEST(what_is_told_is_what_is_charged)
{
    const struct variant *v = &variants[_i];
    for (uint64_t seed = 0; seed < 300; seed++) {
        if (!compile_variant(seed, v)) {
            continue;
        }
        cs_cost total;
        cs_simulator_event.simulate(&network, &accelerator, &technology, &schedule, &total, NULL);
        heard h = listen();
        uint64_t fills = 0;
        for (uint32_t i = 0; i < schedule.step_count; i++) {
            fills += schedule.steps[i]->fill_cycles > 0 ? schedule.steps[i]->fills : 0;
        }
        ck_assert(h.ordered);
        ck_assert_uint_eq(h.in_bytes, total.traffic.link_in_bytes);
        ck_assert_uint_eq(h.out_bytes, total.traffic.link_out_bytes);
        ck_assert_uint_eq(h.fills, fills);
        for (int r = 0; r < CS_RESOURCE_COUNT; r++) {
            ck_assert_double_eq_tol(h.busy_s[r], total.busy_s[r],
                                    1e-15 * (double)h.events * h.last_s);
        }
        ck_assert_double_eq_tol(h.last_s, total.latency_s, 1e-9 * h.last_s);
    }
}
END_TEST

START_TEST(variants_are_never_slower_with_more_clock_or_link)
{
    const struct variant *v = &variants[_i];
    for (uint64_t seed = 0; seed < SEEDS; seed += 2) {
        if (!compile_variant(seed, v)) {
            continue;
        }
        double link = (double)accelerator.link_bytes_per_s;
        if (!v->balance) {
            accelerator.host = (cs_host){.in_bytes_per_s = link, .out_bytes_per_s = link};
        }
        cs_accelerator base = accelerator;
        double before = latency(&cs_simulator_event);
        for (int which = 0; which < 3; which++) {
            accelerator = base;
            if (which == 0) {
                accelerator.host.in_bytes_per_s *= 1.1 + (double)(seed % 7);
            } else if (which == 1) {
                accelerator.host.out_bytes_per_s *= 1.1 + (double)(seed % 7);
            } else {
                accelerator.clock_mhz += 1 + accelerator.clock_mhz * (uint32_t)(seed % 7) / 3;
            }
            ck_assert_double_le(latency(&cs_simulator_event), before * (1 + 1e-12));
        }
    }
}
END_TEST

/* ---- many fills ---- */

START_TEST(many_fills_are_told_in_groups)
{
    cs_step *step = start_fills();
    step->fills = 1ull << 40;
    step->fill_cycles = 10 * step->fills;
    step->compute_cycles = 100 * step->fills;
    step->sum_cycles = 0;
    step->channel_passes = 1u << 20;
    step->core_fills = 1u << 20;
    step->exchange_cycles = 35;
    heard h = listen();
    ck_assert_uint_eq(h.fills, step->fills);
    ck_assert_uint_le(h.events, 3 * CS_EVENT_PARTS);
    double all = 110.0 * (double)step->fills + 25;
    ck_assert_double_eq_tol(event_us(), all, 1e-9 * all);
    /* Ahead, one group of fills less is hidden than could be. */
    step->knobs.ahead = true;
    all = 100.0 * (double)step->fills;
    ck_assert_double_ge(event_us(), all);
    ck_assert_double_le(event_us(), all * (1 + 2.0 / CS_EVENT_PARTS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event");
    TCase *c = tcase_create("by hand");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, fills_and_work_take_turns);
    tcase_add_test(c, a_fill_ahead_hides_behind_work);
    tcase_add_test(c, streamed_weights_come_two_fills_before_the_ring);
    tcase_add_test(c, lanes_of_dense_layers_follow_the_rows);
    tcase_add_test(c, strips_come_and_go_while_others_are_worked_on);
    tcase_add_test(c, weights_ahead_come_while_another_layer_runs);
    tcase_add_test(c, a_call_is_uploaded_and_collected);
    tcase_add_test(c, many_fills_are_told_in_groups);
    suite_add_tcase(suite, c);
    c = tcase_create("random");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, the_closed_form_agrees, 0, VARIANTS);
    tcase_add_test(c, the_zoo_agrees);
    tcase_add_loop_test(c, what_is_told_is_what_is_charged, 0, VARIANTS);
    tcase_add_loop_test(c, variants_are_never_slower_with_more_clock_or_link, 0, VARIANTS);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
