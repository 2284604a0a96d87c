/* Evaluation: the row of a candidate against direct calls of what it is made from, and the score
 * against the formulas of docs/jobs.md. */
#include "job.h"

#include "search/evaluate.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t slot_of(const cs_plan *plan, cs_metric_id id)
{
    uint32_t slot = 0;
    while (slot < plan->metric_count && plan->metrics[slot] != id) {
        slot++;
    }
    ck_assert_uint_lt(slot, plan->metric_count);
    return slot;
}

static double metric_of(const cs_plan *plan, const double *metrics, cs_metric_id id)
{
    return metrics[slot_of(plan, id)];
}

static uint8_t evaluate(const cs_plan *plan, cs_evaluator *evaluator, const uint8_t *genome,
                        double *metrics)
{
    cs_error err;
    uint8_t outcome = 255;
    ck_assert_msg(cs_evaluate(plan, evaluator, genome, &outcome, metrics, &err) == CS_OK, "%s",
                  err.text);
    return outcome;
}

/* The imagenet job, with every metric in the row. */
static cs_plan *plan_of_all_metrics(void)
{
    cs_bundle bundle = job_imagenet();
    job_edit(&bundle, NULL, "{ metric = \"area_ratio\"; max = 1.0; }",
             "{ metric = \"area_ratio\"; max = 1.0; }, { metric = \"macs_m\"; min = 0; }, "
             "{ metric = \"params_m\"; min = 0; }, { metric = \"utilization\"; min = 0; }");
    cs_plan *plan = job_plan(&bundle);
    ck_assert_uint_eq(plan->metric_count, CS_METRIC_COUNT);
    return plan;
}

START_TEST(a_row_is_what_direct_calls_give)
{
    cs_plan *plan = plan_of_all_metrics();
    cs_evaluator evaluator = {0};
    cs_network network = {0};
    cs_schedule schedule = {0};
    uint32_t outcomes[CS_OUTCOME_COUNT] = {0};
    for (uint64_t i = 0; i < 300; i++) {
        uint8_t genome[64];
        cs_random random;
        cs_random_init(&random, 5, 0, CS_PURPOSE_SAMPLE, 0, i);
        cs_space_sample(plan->space, &random, genome);
        double metrics[CS_METRIC_COUNT];
        uint8_t outcome = evaluate(plan, &evaluator, genome, metrics);
        outcomes[outcome]++;

        cs_error err;
        cs_accelerator accelerator;
        cs_cost cost;
        cs_space_decode_accelerator(plan->space, genome, &accelerator);
        ck_assert_int_eq(cs_space_decode_network(plan->space, genome, &network, &err), CS_OK);
        ck_assert_int_eq(cs_compile(&network, &accelerator, NULL, &schedule, &err), CS_OK);
        double area_mm2 = cs_area_mm2(&accelerator, &plan->technology);
        ck_assert_double_eq(metric_of(plan, metrics, CS_METRIC_PROXY_TOP1),
                            cs_predictor_predict(plan->predictor, genome));
        ck_assert_double_eq(metric_of(plan, metrics, CS_METRIC_AREA_MM2), area_mm2);
        ck_assert_double_eq(metric_of(plan, metrics, CS_METRIC_AREA_RATIO),
                            area_mm2 / cs_area_mm2(&plan->baseline, &plan->technology));
        ck_assert_double_eq_tol(metric_of(plan, metrics, CS_METRIC_MACS_M) * 1e6,
                                (double)cs_network_macs(&network), 1e-3);
        ck_assert_double_eq_tol(metric_of(plan, metrics, CS_METRIC_PARAMS_M) * 1e6,
                                (double)cs_network_parameters(&network), 1e-3);
        if (schedule.reason) {
            ck_assert_uint_eq(outcome, CS_OUTCOME_REASON + schedule.reason);
            continue;
        }
        cs_simulator_analytic.simulate(&network, &accelerator, &plan->technology, &schedule, &cost,
                                       NULL);
        ck_assert_double_eq(metric_of(plan, metrics, CS_METRIC_LATENCY_MS), cost.latency_s * 1e3);
        ck_assert_double_eq(metric_of(plan, metrics, CS_METRIC_ENERGY_MJ), cost.energy_j * 1e3);
        ck_assert_double_eq(metric_of(plan, metrics, CS_METRIC_UTILIZATION), cost.utilization);
        ck_assert_uint_eq(outcome, metric_of(plan, metrics, CS_METRIC_AREA_RATIO) > 1
                                       ? CS_OUTCOME_OVER_LIMIT
                                       : CS_OUTCOME_FEASIBLE);
    }
    /* The sample is worth something: both sides of the limit are in it. */
    ck_assert_uint_gt(outcomes[CS_OUTCOME_FEASIBLE], 20);
    ck_assert_uint_gt(outcomes[CS_OUTCOME_OVER_LIMIT], 20);
    cs_network_release(&network);
    cs_schedule_release(&schedule);
    cs_evaluator_release(&evaluator);
    cs_plan_free(plan);
}
END_TEST

/* An evaluator's memory of the design before leaves no trace in the next. */
START_TEST(an_evaluator_remembers_nothing)
{
    cs_plan *plan = plan_of_all_metrics();
    cs_evaluator used = {0};
    for (uint64_t i = 0; i < 60; i++) {
        uint8_t genome[64];
        cs_random random;
        cs_random_init(&random, 6, 0, CS_PURPOSE_SAMPLE, 0, i);
        cs_space_sample(plan->space, &random, genome);
        cs_evaluator fresh = {0};
        double a[CS_METRIC_COUNT], b[CS_METRIC_COUNT];
        ck_assert_uint_eq(evaluate(plan, &used, genome, a), evaluate(plan, &fresh, genome, b));
        ck_assert_mem_eq(a, b, sizeof a);
        cs_evaluator_release(&fresh);
    }
    cs_evaluator_release(&used);
    cs_plan_free(plan);
}
END_TEST

/* Kernel 63 x 63 on 40 lanes of 32 ways with 1 KiB of core memory. */
static const uint8_t impossible[] = {0, 2, 0, 0, 1};

START_TEST(what_cannot_run_has_only_what_needs_no_run)
{
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, NULL, "{ metric = \"area_mm2\"; max = 2.6; }",
             "{ metric = \"macs_m\"; min = 0; }, { metric = \"params_m\"; min = 0; }, "
             "{ metric = \"utilization\"; min = 0; }");
    cs_plan *plan = job_plan(&bundle);
    cs_evaluator evaluator = {0};
    double metrics[CS_METRIC_COUNT];
    uint8_t outcome = evaluate(plan, &evaluator, impossible, metrics);
    ck_assert_uint_eq(outcome, CS_OUTCOME_REASON + CS_REASON_CORE_MEMORY);
    ck_assert_str_eq(cs_outcome_text(outcome),
                     "core memory cannot hold a word of weights for each lane");
    ck_assert(isnan(metric_of(plan, metrics, CS_METRIC_LATENCY_MS)));
    ck_assert(isnan(metric_of(plan, metrics, CS_METRIC_ENERGY_MJ)));
    ck_assert(isnan(metric_of(plan, metrics, CS_METRIC_UTILIZATION)));
    ck_assert_double_eq(metric_of(plan, metrics, CS_METRIC_PROXY_TOP1), 59);
    ck_assert_double_gt(metric_of(plan, metrics, CS_METRIC_AREA_MM2), 0);
    ck_assert_double_gt(metric_of(plan, metrics, CS_METRIC_AREA_RATIO), 0);
    /* 63 x 63 weights of 4 channels for 8, at 8 x 8 positions, and the dense layer. */
    ck_assert_double_eq_tol(metric_of(plan, metrics, CS_METRIC_MACS_M),
                            (63 * 63 * 4 * 8 * 64 + 8 * 10) * 1e-6, 1e-9);
    ck_assert_double_gt(metric_of(plan, metrics, CS_METRIC_PARAMS_M), 0.12);
    cs_score score = cs_score_of(plan, outcome, metrics);
    ck_assert(isinf(score.violation) && score.violation > 0);
    cs_evaluator_release(&evaluator);
    cs_plan_free(plan);
}
END_TEST

static void simulate_nothing(const cs_network *network, const cs_accelerator *accelerator,
                             const cs_technology *technology, const cs_schedule *schedule,
                             cs_cost *total, cs_cost *layers)
{
    (void)network;
    (void)accelerator;
    (void)technology;
    (void)schedule;
    (void)layers;
    *total = (cs_cost){.latency_s = NAN, .energy_j = 1};
}

START_TEST(an_objective_that_is_no_number_is_a_reason)
{
    static const cs_simulator broken = {
        .name = "broken", .revision = 1, .simulate = simulate_nothing};
    cs_bundle bundle = job_tiny();
    cs_plan *plan = job_plan(&bundle);
    plan->simulator = &broken;
    static const uint8_t genome[] = {0, 0, 0, 0, 0};
    cs_evaluator evaluator = {0};
    double metrics[CS_METRIC_COUNT];
    uint8_t outcome = evaluate(plan, &evaluator, genome, metrics);
    ck_assert_uint_eq(outcome, CS_OUTCOME_REASON + CS_REASON_FAILED);
    ck_assert_str_eq(cs_outcome_text(outcome), "a metric is not a finite number");
    ck_assert(isinf(cs_score_of(plan, outcome, metrics).violation));
    cs_evaluator_release(&evaluator);
    cs_plan_free(plan);
}
END_TEST

/* ---- scores ---- */

START_TEST(objectives_go_from_1_at_reference_to_0_at_ideal)
{
    cs_bundle bundle = job_imagenet();
    cs_plan *plan = job_plan(&bundle);
    for (int step = -2; step <= 6; step++) {
        double share = step / 4.0;
        double metrics[CS_METRIC_COUNT] = {0};
        for (uint32_t i = 0; i < plan->objective_count; i++) {
            const cs_objective *objective = &plan->objectives[i];
            metrics[objective->slot] =
                objective->ideal + share * (objective->reference - objective->ideal);
        }
        cs_score score = cs_score_of(plan, CS_OUTCOME_FEASIBLE, metrics);
        for (uint32_t i = 0; i < plan->objective_count; i++) {
            ck_assert_double_eq_tol(score.objectives[i], share, 1e-15);
        }
        ck_assert_double_eq(score.violation, 0);
    }
    cs_plan_free(plan);
}
END_TEST

/* A better metric has the smaller score, whatever its direction. */
START_TEST(scores_are_minimised)
{
    cs_bundle bundle = job_imagenet();
    cs_plan *plan = job_plan(&bundle);
    double worse[CS_METRIC_COUNT] = {60, 0.3, 0.5, 10, 0.5};
    double better[CS_METRIC_COUNT] = {61, 0.2, 0.4, 10, 0.5};
    cs_score a = cs_score_of(plan, CS_OUTCOME_FEASIBLE, worse);
    cs_score b = cs_score_of(plan, CS_OUTCOME_FEASIBLE, better);
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        ck_assert_double_lt(b.objectives[i], a.objectives[i]);
    }
    cs_plan_free(plan);
}
END_TEST

/* Limits of 4 kinds: at most 2, at least -4, between 10 and 20, at most 0. */
START_TEST(violation_is_the_sum_of_relative_excesses)
{
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, NULL, "{ metric = \"area_mm2\"; max = 2.6; }",
             "{ metric = \"area_mm2\"; max = 2; }, { metric = \"macs_m\"; min = -4; }, "
             "{ metric = \"params_m\"; min = 10; max = 20; }, "
             "{ metric = \"utilization\"; max = 0; }");
    cs_plan *plan = job_plan(&bundle);
    static const struct {
        double area_mm2, macs_m, params_m, utilization, violation;
    } rows[] = {
        {2, -4, 10, 0, 0},         {1, 5, 20, -1, 0}, {3, 0, 15, 0, 0.5}, /* (3 - 2) / 2 */
        {2, -5, 15, 0, 0.25},                                             /* (-4 - -5) / |-4| */
        {2, 0, 5, 0, 0.5},                                                /* (10 - 5) / 10 */
        {2, 0, 25, 0, 0.25},                                              /* (25 - 20) / 20 */
        {2, 0, 15, 0.75, 0.75},    /* a zero bound counts as 1 */
        {4, -6, 25, 0.125, 1.875}, /* 1 + 0.5 + 0.25 + 0.125 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double metrics[CS_METRIC_COUNT] = {0};
        metrics[slot_of(plan, CS_METRIC_AREA_MM2)] = rows[i].area_mm2;
        metrics[slot_of(plan, CS_METRIC_MACS_M)] = rows[i].macs_m;
        metrics[slot_of(plan, CS_METRIC_PARAMS_M)] = rows[i].params_m;
        metrics[slot_of(plan, CS_METRIC_UTILIZATION)] = rows[i].utilization;
        uint8_t outcome = rows[i].violation > 0 ? CS_OUTCOME_OVER_LIMIT : CS_OUTCOME_FEASIBLE;
        ck_assert_double_eq(cs_score_of(plan, outcome, metrics).violation, rows[i].violation);
    }
    double unknown[CS_METRIC_COUNT] = {0};
    unknown[slot_of(plan, CS_METRIC_AREA_MM2)] = NAN;
    ck_assert(isinf(cs_score_of(plan, CS_OUTCOME_OVER_LIMIT, unknown).violation));
    cs_plan_free(plan);
}
END_TEST

START_TEST(outcomes_have_texts)
{
    ck_assert_str_eq(cs_outcome_text(CS_OUTCOME_FEASIBLE), "feasible");
    ck_assert_str_eq(cs_outcome_text(CS_OUTCOME_OVER_LIMIT), "over a limit of the job");
    for (int outcome = 0; outcome < 256; outcome++) {
        bool known = outcome <= CS_OUTCOME_OVER_LIMIT ||
                     (outcome > CS_OUTCOME_REASON && outcome < CS_OUTCOME_COUNT);
        ck_assert_int_eq(*cs_outcome_text((uint8_t)outcome) != '\0', known);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evaluate");
    TCase *rows = tcase_create("rows");
    tcase_add_test(rows, a_row_is_what_direct_calls_give);
    tcase_add_test(rows, an_evaluator_remembers_nothing);
    tcase_add_test(rows, what_cannot_run_has_only_what_needs_no_run);
    tcase_add_test(rows, an_objective_that_is_no_number_is_a_reason);
    suite_add_tcase(suite, rows);
    TCase *scores = tcase_create("scores");
    tcase_add_test(scores, objectives_go_from_1_at_reference_to_0_at_ideal);
    tcase_add_test(scores, scores_are_minimised);
    tcase_add_test(scores, violation_is_the_sum_of_relative_excesses);
    tcase_add_test(scores, outcomes_have_texts);
    suite_add_tcase(suite, scores);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
