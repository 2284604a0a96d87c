/* What the worker pool promises (daemon/pool.h), with threads. */
#include "daemon/pool.h"

#include "base/random.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define STEPS_MAX 4096

/* Which tasks ran, in order. */
typedef struct step_trace {
    atomic_uint count;
    uint32_t numbers[STEPS_MAX];
} step_trace;

typedef struct step {
    cs_task task; /* first */
    step_trace *trace;
    uint32_t number;
    uint32_t again; /* times that it submits itself once more */
    bool announce;
    atomic_bool *gate; /* waits until this is true */
} step;

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static bool run_step(cs_task *task, cs_worker *worker)
{
    step *self = (step *)task;
    while (self->gate && !atomic_load(self->gate)) {
        pause_briefly();
    }
    uint32_t at = atomic_fetch_add(&self->trace->count, 1);
    self->trace->numbers[at % STEPS_MAX] = self->number;
    if (self->again > 0) {
        self->again--;
        cs_pool_submit(worker->pool, task);
        return false;
    }
    return self->announce;
}

static step step_of(step_trace *trace, uint32_t number)
{
    return (step){.task = {.run = run_step}, .trace = trace, .number = number, .announce = true};
}

static cs_pool *pool_of(uint32_t workers)
{
    cs_error err = {0};
    cs_pool *pool = cs_pool_new(workers, &err);
    ck_assert_msg(pool != NULL, "%s", err.text);
    ck_assert_uint_eq(cs_pool_workers(pool), workers);
    return pool;
}

static bool readable(const cs_pool *pool, int timeout_ms)
{
    struct pollfd item = {.fd = cs_pool_fd(pool), .events = POLLIN};
    return poll(&item, 1, timeout_ms) == 1;
}

/* Wait until `count` tasks have been announced; their numbers, in the order announced. */
static void take(cs_pool *pool, uint32_t count, uint32_t *numbers)
{
    for (uint32_t got = 0; got < count;) {
        ck_assert(readable(pool, 10000));
        for (cs_task *task = cs_pool_finished(pool); task; task = task->next) {
            ck_assert_uint_lt(got, count);
            numbers[got++] = ((step *)task)->number;
        }
    }
    ck_assert_ptr_null(cs_pool_finished(pool));
}

START_TEST(test_one_worker_runs_and_announces_in_order)
{
    static step_trace trace;
    static step steps[500];
    uint32_t numbers[500];
    cs_pool *pool = pool_of(1);
    for (uint32_t i = 0; i < 500; i++) {
        steps[i] = step_of(&trace, i);
        cs_pool_submit(pool, &steps[i].task);
    }
    take(pool, 500, numbers);
    for (uint32_t i = 0; i < 500; i++) {
        ck_assert_uint_eq(trace.numbers[i], i);
        ck_assert_uint_eq(numbers[i], i);
    }
    cs_pool_free(pool);
}
END_TEST

START_TEST(test_every_task_runs_once_a_submission)
{
    static step_trace trace;
    static step steps[300];
    static uint32_t numbers[300], times[300];
    cs_pool *pool = pool_of(1 + (uint32_t)_i);
    for (int round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < 300; i++) {
            steps[i] = step_of(&trace, i);
            cs_pool_submit(pool, &steps[i].task);
        }
        take(pool, 300, numbers);
        for (uint32_t i = 0; i < 300; i++) {
            times[numbers[i]]++;
        }
    }
    ck_assert_uint_eq(trace.count, 1500);
    for (uint32_t i = 0; i < 300; i++) {
        ck_assert_uint_eq(times[i], 5);
    }
    cs_pool_free(pool);
}
END_TEST

START_TEST(test_the_eventfd_is_readable_while_something_is_announced)
{
    static step_trace trace;
    uint32_t number;
    cs_pool *pool = pool_of(2);
    step silent = step_of(&trace, 1), loud = step_of(&trace, 2);
    silent.announce = false;
    ck_assert(!readable(pool, 0));
    ck_assert_ptr_null(cs_pool_finished(pool));
    cs_pool_submit(pool, &silent.task);
    while (atomic_load(&trace.count) == 0) {
        pause_briefly();
    }
    ck_assert(!readable(pool, 20));
    cs_pool_submit(pool, &loud.task);
    ck_assert(readable(pool, 10000));
    ck_assert(readable(pool, 0));
    take(pool, 1, &number);
    ck_assert_uint_eq(number, 2);
    ck_assert(!readable(pool, 0));
    cs_pool_free(pool);
}
END_TEST

START_TEST(test_a_task_that_submits_itself_goes_behind_the_others)
{
    static step_trace trace;
    atomic_bool gate = false;
    uint32_t numbers[3];
    static const uint32_t expected[] = {0, 1, 2, 0, 1, 0};
    cs_pool *pool = pool_of(1);
    step steps[3];
    for (uint32_t i = 0; i < 3; i++) {
        steps[i] = step_of(&trace, i);
        steps[i].again = 2 - i;
    }
    steps[0].gate = &gate; /* until the others are queued */
    for (uint32_t i = 0; i < 3; i++) {
        cs_pool_submit(pool, &steps[i].task);
    }
    atomic_store(&gate, true);
    take(pool, 3, numbers);
    ck_assert_uint_eq(trace.count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(trace.numbers[i], expected[i]);
    }
    ck_assert_uint_eq(numbers[0], 2); /* whoever ends first */
    ck_assert_uint_eq(numbers[1], 1);
    ck_assert_uint_eq(numbers[2], 0);
    cs_pool_free(pool);
}
END_TEST

START_TEST(test_withdraw_takes_back_what_has_not_started_of_one_owner)
{
    static step_trace trace;
    atomic_bool gate = false;
    uint32_t numbers[20];
    int mine, others;
    cs_pool *pool = pool_of(1);
    step first = step_of(&trace, 100), steps[20];
    first.gate = &gate;
    first.task.owner = &mine;
    cs_pool_submit(pool, &first.task);
    for (uint32_t i = 0; i < 20; i++) {
        steps[i] = step_of(&trace, i);
        steps[i].task.owner = i % 3 ? &mine : &others;
        cs_pool_submit(pool, &steps[i].task);
    }
    /* The first may be queued still or running; the gate keeps it from ending. */
    uint32_t taken = cs_pool_withdraw(pool, &mine);
    ck_assert(taken == 13 || taken == 14);
    ck_assert_uint_eq(cs_pool_withdraw(pool, &mine), 0);
    ck_assert_uint_eq(cs_pool_withdraw(pool, NULL), 0);
    atomic_store(&gate, true);
    take(pool, taken == 13 ? 8 : 7, numbers);
    for (uint32_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(numbers[i + (taken == 13)], 3 * i);
    }
    cs_pool_submit(pool, &steps[1].task); /* what was withdrawn is free to be used again */
    take(pool, 1, numbers);
    ck_assert_uint_eq(numbers[0], 1);
    cs_pool_free(pool);
}
END_TEST

START_TEST(test_withdrawing_everything_leaves_a_queue_that_works)
{
    static step_trace trace;
    atomic_bool gate = false;
    uint32_t numbers[2];
    int owner;
    cs_pool *pool = pool_of(1);
    step first = step_of(&trace, 0), second = step_of(&trace, 1), third = step_of(&trace, 2);
    first.gate = &gate;
    second.task.owner = &owner;
    cs_pool_submit(pool, &first.task);
    cs_pool_submit(pool, &second.task);
    ck_assert_uint_eq(cs_pool_withdraw(pool, &owner), 1);
    cs_pool_submit(pool, &third.task);
    atomic_store(&gate, true);
    take(pool, 2, numbers);
    ck_assert_uint_eq(numbers[0], 0);
    ck_assert_uint_eq(numbers[1], 2);
    cs_pool_free(pool);
}
END_TEST

static void *open_later(void *context)
{
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    atomic_store((atomic_bool *)context, true);
    return NULL;
}

START_TEST(test_free_waits_for_what_runs_and_forgets_what_is_queued)
{
    static step_trace trace;
    atomic_bool gate = false;
    pthread_t opener;
    cs_pool *pool = pool_of(2);
    step *steps = calloc(100, sizeof *steps);
    for (uint32_t i = 0; i < 100; i++) {
        steps[i] = step_of(&trace, i);
        steps[i].gate = &gate;
        steps[i].again = 1000000; /* never ends by itself */
        cs_pool_submit(pool, &steps[i].task);
    }
    ck_assert_int_eq(pthread_create(&opener, NULL, open_later, &gate), 0);
    cs_pool_free(pool);
    pthread_join(opener, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_uint_gt(steps[i].again, 0);
    }
    free(steps); /* nobody touches them any more: a sanitizer would tell */
}
END_TEST

START_TEST(test_free_with_announced_tasks_and_of_nothing)
{
    static step_trace trace;
    cs_pool *pool = pool_of(1);
    step only = step_of(&trace, 0);
    cs_pool_submit(pool, &only.task);
    ck_assert(readable(pool, 10000));
    cs_pool_free(pool);
    cs_pool_free(NULL);
}
END_TEST

/* Tasks of several owners, resubmitting themselves, submitted by two threads and withdrawn by the
 * loop at random: each is either announced or withdrawn, once. */
#define STORM_TASKS 64

typedef struct storm {
    cs_pool *pool;
    step steps[STORM_TASKS];
    step_trace trace;
    int owners[4];
    uint64_t seed;
} storm;

static void *submit_half(void *context)
{
    storm *self = context;
    for (uint32_t i = STORM_TASKS / 2; i < STORM_TASKS; i++) {
        cs_pool_submit(self->pool, &self->steps[i].task);
    }
    return NULL;
}

START_TEST(test_nothing_is_lost_in_a_storm)
{
    static storm self;
    cs_random random;
    self.pool = pool_of(3);
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        uint32_t announced = 0, withdrawn = 0;
        for (uint32_t i = 0; i < STORM_TASKS; i++) {
            self.steps[i] = step_of(&self.trace, i);
            self.steps[i].again = cs_random_below(&random, 4);
            self.steps[i].task.owner = &self.owners[i % 4];
        }
        ck_assert_int_eq(pthread_create(&thread, NULL, submit_half, &self), 0);
        for (uint32_t i = 0; i < STORM_TASKS / 2; i++) {
            cs_pool_submit(self.pool, &self.steps[i].task);
            if (cs_random_below(&random, 16) == 0) {
                withdrawn += cs_pool_withdraw(self.pool, &self.owners[cs_random_below(&random, 4)]);
            }
        }
        pthread_join(thread, NULL);
        withdrawn += cs_pool_withdraw(self.pool, &self.owners[0]);
        while (announced + withdrawn < STORM_TASKS) {
            ck_assert(readable(self.pool, 10000));
            for (cs_task *task = cs_pool_finished(self.pool); task; task = task->next) {
                announced++;
            }
        }
        ck_assert_uint_eq(announced + withdrawn, STORM_TASKS);
        ck_assert_ptr_null(cs_pool_finished(self.pool));
    }
    cs_pool_free(self.pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_one_worker_runs_and_announces_in_order);
    tcase_add_loop_test(tcase, test_every_task_runs_once_a_submission, 0, 4);
    tcase_add_test(tcase, test_the_eventfd_is_readable_while_something_is_announced);
    tcase_add_test(tcase, test_a_task_that_submits_itself_goes_behind_the_others);
    tcase_add_test(tcase, test_withdraw_takes_back_what_has_not_started_of_one_owner);
    tcase_add_test(tcase, test_withdrawing_everything_leaves_a_queue_that_works);
    tcase_add_test(tcase, test_free_waits_for_what_runs_and_forgets_what_is_queued);
    tcase_add_test(tcase, test_free_with_announced_tasks_and_of_nothing);
    tcase_add_loop_test(tcase, test_nothing_is_lost_in_a_storm, 0, 5);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
