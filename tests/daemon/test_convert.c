/* What the daemon's values look like on the wire (daemon/convert.h). */
#include "daemon/convert.h"

#include "proto/wire.h"
#include "real_job.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The message as the other side gets it. */
static ProtobufCMessage *sent(const ProtobufCMessage *message)
{
    size_t size;
    cs_error err = {0};
    uint8_t *packed = cs_wire_pack(message, &size, &err);
    ck_assert_msg(packed != NULL, "%s", err.text);
    ProtobufCMessage *got = cs_wire_unpack(message->descriptor, packed, size, &err);
    ck_assert_msg(got != NULL, "%s", err.text);
    free(packed);
    return got;
}

START_TEST(test_a_job_arrives_as_it_is)
{
    cs_job job = {
        .row = {.id = 12,
                .name = "small",
                .owner = "ada",
                .engine = "nsga2",
                .submitted_ms = 1700000000123,
                .budget = 5000,
                .mixed = true,
                .state = CS_JOB_PAUSED,
                .reason = "paused on request"},
        .progress = {.generation = 3,
                     .evaluations = 100,
                     .outcomes = {[CS_OUTCOME_FEASIBLE] = 60,
                                  [CS_OUTCOME_OVER_LIMIT] = 30,
                                  [CS_OUTCOME_COUNT - 1] = 10},
                     .hypervolume = 0.25,
                     .front_size = 17},
        .cpu_s = 1.5,
    };
    cs_job_message message;
    cs_convert_job(&job, &message);
    Codesign__Job *got = (Codesign__Job *)sent(&message.message.base);
    ck_assert_uint_eq(got->job, 12);
    ck_assert_str_eq(got->name, "small");
    ck_assert_str_eq(got->owner, "ada");
    ck_assert_str_eq(got->engine, "nsga2");
    ck_assert_int_eq(got->state, CODESIGN__JOB_STATE__PAUSED);
    ck_assert_str_eq(got->reason, "paused on request");
    ck_assert_uint_eq(got->submitted_ms, 1700000000123);
    ck_assert_uint_eq(got->evaluations, 100);
    ck_assert_uint_eq(got->budget, 5000);
    ck_assert_uint_eq(got->generation, 3);
    ck_assert_uint_eq(got->feasible, 60);
    ck_assert_uint_eq(got->front_size, 17);
    ck_assert(got->hypervolume == 0.25);
    ck_assert(got->mixed);
    ck_assert(got->run_s == 1.5);
    ck_assert_uint_eq(got->n_infeasible, 2); /* every candidate is counted once */
    ck_assert_str_eq(got->infeasible[0]->reason, cs_outcome_text(CS_OUTCOME_OVER_LIMIT));
    ck_assert_uint_eq(got->infeasible[0]->count, 30);
    ck_assert_str_eq(got->infeasible[1]->reason, cs_outcome_text(CS_OUTCOME_COUNT - 1));
    ck_assert_uint_eq(got->infeasible[1]->count, 10);
    cs_wire_free(&got->base);
}
END_TEST

START_TEST(test_an_active_job_without_a_run_is_queued)
{
    static const struct {
        cs_job_state stored;
        Codesign__JobState shown;
    } states[] = {
        {CS_JOB_ACTIVE, CODESIGN__JOB_STATE__QUEUED},
        {CS_JOB_PAUSED, CODESIGN__JOB_STATE__PAUSED},
        {CS_JOB_DONE, CODESIGN__JOB_STATE__DONE},
        {CS_JOB_CANCELLED, CODESIGN__JOB_STATE__CANCELLED},
        {CS_JOB_FAILED, CODESIGN__JOB_STATE__FAILED},
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        cs_job job = {.row = {.state = states[i].stored}};
        cs_job_message message;
        cs_convert_job(&job, &message);
        ck_assert_int_eq(message.message.state, states[i].shown);
        ck_assert_ptr_null(message.message.reason);
    }
}
END_TEST

START_TEST(test_rows_arrive_as_they_are)
{
    const uint64_t indices[] = {3, 1ull << 39};
    const uint8_t genomes[] = {1, 2, 3, 4, 5, 6}, outcomes[] = {0, 16};
    const double metrics[] = {1.5, NAN, -0.0, 1e300};
    Codesign__Candidates message;
    cs_convert_rows(2, 3, 2, indices, genomes, outcomes, metrics, &message);
    Codesign__Candidates *got = (Codesign__Candidates *)sent(&message.base);
    ck_assert_uint_eq(got->n_index, 2);
    ck_assert_mem_eq(got->index, indices, sizeof indices);
    ck_assert_uint_eq(got->genomes.len, sizeof genomes);
    ck_assert_mem_eq(got->genomes.data, genomes, sizeof genomes);
    ck_assert_uint_eq(got->status.len, 2);
    ck_assert_mem_eq(got->status.data, outcomes, 2);
    ck_assert_uint_eq(got->n_metrics, 4);
    ck_assert_mem_eq(got->metrics, metrics, sizeof metrics); /* bit by bit */
    cs_wire_free(&got->base);

    cs_convert_rows(0, 3, 2, NULL, NULL, NULL, NULL, &message);
    got = (Codesign__Candidates *)sent(&message.base);
    ck_assert_uint_eq(got->n_index, 0);
    ck_assert(!got->has_status);
    cs_wire_free(&got->base);
}
END_TEST

START_TEST(test_as_many_rows_as_fit_do_fit)
{
    static const uint32_t genome_bytes[] = {1, 35, 1000, 8192, 3u << 20};
    for (size_t i = 0; i < sizeof genome_bytes / sizeof *genome_bytes; i++) {
        uint32_t bytes = genome_bytes[i], n = cs_convert_rows_fit(bytes, CS_METRIC_COUNT, 4096);
        ck_assert(n >= 1 && n <= 4096);
        ck_assert_uint_le(cs_convert_rows_fit(bytes, CS_METRIC_COUNT, 7), 7);
        uint64_t *indices = malloc(n * sizeof *indices);
        uint8_t *genomes = calloc(n, bytes), *outcomes = calloc(n, 1);
        double *metrics = calloc((size_t)n * CS_METRIC_COUNT, sizeof *metrics);
        memset(indices, 0xff, n * sizeof *indices);
        Codesign__Candidates message;
        cs_convert_rows(n, bytes, CS_METRIC_COUNT, indices, genomes, outcomes, metrics, &message);
        size_t size = codesign__candidates__get_packed_size(&message);
        size_t removals = (size_t)n * 10;
        ck_assert_uint_lt(size + removals + 65536, CS_WIRE_MAX_FRAME);
        ck_assert(size <= (256u << 10) || n == 1);
        free(indices);
        free(genomes);
        free(outcomes);
        free(metrics);
    }
    ck_assert_uint_eq(cs_convert_rows_fit(35, CS_METRIC_COUNT, 100), 100);
}
END_TEST

START_TEST(test_the_schema_tells_what_the_plan_asks)
{
    static const char *const sets[] = {NULL};
    cs_error err = {0};
    cs_bundle bundle = {0};
    cs_buffer packed = {0};
    real_job_bundle(&bundle, sets);
    cs_plan *plan = real_job_plan(&bundle);
    ck_assert_msg(!cs_convert_schema(plan, &packed, &err), "%s", err.text);
    Codesign__Schema *schema = (Codesign__Schema *)cs_wire_unpack(&codesign__schema__descriptor,
                                                                  packed.data, packed.size, &err);
    ck_assert_msg(schema != NULL, "%s", err.text);

    ck_assert_uint_eq(schema->genome_bytes, cs_space_genome_bytes(plan->space));
    ck_assert_uint_eq(schema->n_genes, cs_space_gene_count(plan->space));
    for (uint32_t i = 0; i < schema->n_genes; i++) {
        const cs_gene *gene = cs_space_gene(plan->space, i);
        ck_assert_str_eq(schema->genes[i]->name, gene->name);
        ck_assert_int_eq(schema->genes[i]->network, i < cs_space_network_gene_count(plan->space));
        ck_assert_uint_eq(schema->genes[i]->n_choices, gene->choice_count);
        for (uint32_t k = 0; k < gene->choice_count; k++) {
            ck_assert_str_eq(schema->genes[i]->choices[k], gene->choices[k]);
        }
    }
    uint32_t objectives = 0, limits = 0;
    ck_assert_uint_eq(schema->n_metrics, plan->metric_count);
    for (uint32_t i = 0; i < schema->n_metrics; i++) {
        const Codesign__Metric *metric = schema->metrics[i];
        ck_assert_str_eq(metric->key, cs_metrics[plan->metrics[i]].key);
        ck_assert_int_eq(metric->maximize, cs_metrics[plan->metrics[i]].maximize);
        bool objective = !strcmp(metric->key, "energy_mj") || !strcmp(metric->key, "latency_ms");
        ck_assert_int_eq(metric->objective, objective);
        objectives += objective;
        ck_assert(!metric->has_limit_min);
        if (metric->has_limit_max) {
            ck_assert_str_eq(metric->key, "area_ratio");
            ck_assert(metric->limit_max == 1);
            limits++;
        }
    }
    ck_assert_uint_eq(objectives, 2);
    ck_assert_uint_eq(limits, 1);
    cs_wire_free(&schema->base);
    cs_plan_free(plan);
    cs_buffer_release(&packed);
    cs_bundle_release(&bundle);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("convert");
    TCase *tcase = tcase_create("convert");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_job_arrives_as_it_is);
    tcase_add_test(tcase, test_an_active_job_without_a_run_is_queued);
    tcase_add_test(tcase, test_rows_arrive_as_they_are);
    tcase_add_test(tcase, test_as_many_rows_as_fit_do_fit);
    tcase_add_test(tcase, test_the_schema_tells_what_the_plan_asks);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
