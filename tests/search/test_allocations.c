/* From genome to metrics nothing allocates, once the evaluator has grown: calls of malloc and its
 * kin in our own code go through the wrappers here (the linker's --wrap). */
#include "job.h"

#include "base/random.h"
#include "search/evaluate.h"

#include <check.h>
#include <stdlib.h>

#define GENOMES 300

static unsigned long long allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

/* How often that allocated; assertions do, too. */
static unsigned long long evaluate_all(const cs_plan *plan, cs_evaluator *evaluator)
{
    unsigned long long before = allocations;
    int failed = 0;
    for (uint64_t i = 0; i < GENOMES; i++) {
        cs_error err;
        cs_random random;
        uint8_t genome[256], outcome;
        double metrics[CS_METRIC_COUNT];
        cs_random_init(&random, 1, 0, CS_PURPOSE_SAMPLE, 0, i);
        cs_space_sample(plan->space, &random, genome);
        failed += cs_evaluate(plan, evaluator, genome, &outcome, metrics, &err) != CS_OK;
    }
    unsigned long long count = allocations - before;
    ck_assert_int_eq(failed, 0);
    return count;
}

START_TEST(nothing_allocates_after_the_first_time)
{
    cs_bundle bundle = job_imagenet();
    job_set(&bundle, _i ? "simulator=event" : "simulator=analytic");
    cs_plan *plan = job_plan(&bundle);
    cs_evaluator evaluator = {0};
    ck_assert_uint_gt(evaluate_all(plan, &evaluator), 0);
    ck_assert_uint_eq(evaluate_all(plan, &evaluator), 0);
    cs_evaluator_release(&evaluator);
    cs_plan_free(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("allocations");
    TCase *tcase = tcase_create("allocations");
    tcase_add_loop_test(tcase, nothing_allocates_after_the_first_time, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
