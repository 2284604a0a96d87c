/* What a run promises (daemon/run.h), with threads, on a real small job: the records are those of a
 * plain loop over the study, whatever the workers do and however often it is interrupted. */
#include "daemon/run.h"

#include "base/random.h"
#include "real_job.h"
#include "sample_job.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const keep_all[] = {"keep=all", NULL};
static const char *const keep_front[] = {"keep=front", "seed=7", NULL};

/* A directory with a store that holds one job. */
typedef struct site {
    char directory[64];
    cs_store *store;
    cs_bundle bundle;
    uint64_t job;
} site;

static void site_make(site *self, const char *const *sets)
{
    cs_error err = {0};
    *self = (site){0};
    scratch_make(self->directory);
    self->store = cs_store_sqlite.open(self->directory, true, false, &err);
    ck_assert_msg(self->store != NULL, "%s", err.text);
    real_job_bundle(&self->bundle, sets);
    self->job = real_job_add(self->store, &self->bundle);
}

static void site_remove(site *self)
{
    self->store->class->close(self->store);
    cs_bundle_release(&self->bundle);
    scratch_remove(self->directory);
}

/* What the loop has heard of the run. */
typedef struct heard {
    bool something;
    cs_run_event event;
} heard;

static void hear(cs_run *run, cs_run_event event, void *context)
{
    (void)context;
    heard *at = cs_run_owner(run);
    ck_assert(!at->something);
    ck_assert(!cs_run_busy(run));
    *at = (heard){.something = true, .event = event};
}

/* Turn the loop until the run is announced. */
static cs_run_event listen(cs_pool *pool, heard *at)
{
    while (!at->something) {
        struct pollfd item = {.fd = cs_pool_fd(pool), .events = POLLIN};
        ck_assert_int_eq(poll(&item, 1, 60000), 1);
        for (cs_task *task = cs_pool_finished(pool), *next; task; task = next) {
            next = task->next;
            task->done(task, NULL);
        }
    }
    at->something = false;
    return at->event;
}

static cs_pool *pool_of(uint32_t workers)
{
    cs_error err = {0};
    cs_pool *pool = cs_pool_new(workers, &err);
    ck_assert_msg(pool != NULL, "%s", err.text);
    return pool;
}

static cs_run *open_run(site *self, cs_pool *pool, cs_plan *plan, heard *at)
{
    cs_run *run = cs_run_new(pool, &cs_store_sqlite, self->directory, self->job, plan, hear, at);
    ck_assert_ptr_nonnull(run);
    cs_run_open(run);
    ck_assert(cs_run_busy(run));
    return run;
}

/* Store the generation that the run has closed. */
static void store_generation(site *self, cs_run *run)
{
    cs_error err = {0};
    uint64_t first;
    uint32_t count;
    cs_buffer record, checkpoint;
    cs_store *store = self->store;
    cs_run_take_generation(run, &first, &count, &record, &checkpoint);
    ck_assert_msg(!store->class->begin(store, &err), "%s", err.text);
    ck_assert_msg(
        !store->class->add_generation(store, self->job, first, count, &record, &checkpoint, &err),
        "%s", err.text);
    ck_assert_msg(!store->class->commit(store, &err), "%s", err.text);
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
}

static void check_stored(site *self)
{
    cs_buffer got = real_job_stored(self->store, self->job);
    cs_buffer want = real_job_expected(&self->bundle);
    ck_assert_uint_eq(got.size, want.size);
    ck_assert_mem_eq(got.data, want.data, want.size);
    cs_buffer_release(&got);
    cs_buffer_release(&want);
}

/* The front that a run takes from the store is the one that the records make. */
static void check_front(site *self, cs_run *run)
{
    cs_error err = {0};
    cs_buffer last = {0};
    cs_record record;
    cs_front *front = cs_run_take_front(run);
    ck_assert_ptr_nonnull(front);
    ck_assert_ptr_null(cs_run_take_front(run));
    const cs_progress *progress = cs_front_progress(front);
    ck_assert(!self->store->class->last_record(self->store, self->job, &last, &err));
    if (last.size == 0) {
        ck_assert_uint_eq(progress->generation, 0);
    } else {
        cs_plan *plan = real_job_plan(&self->bundle);
        ck_assert(!cs_record_read(last.data, last.size,
                                  (uint32_t)cs_space_genome_bytes(plan->space), plan->metric_count,
                                  &record, &err));
        ck_assert_mem_eq(progress, &record.progress, sizeof *progress);
        cs_front_cursor cursor = cs_front_start(front);
        cs_front_delta delta;
        ck_assert(cs_front_next(front, &cursor, SIZE_MAX, &delta));
        ck_assert_uint_eq(delta.added_count, progress->front_size);
        cs_plan_free(plan);
    }
    cs_buffer_release(&last);
    cs_front_free(front);
}

static void run_to_the_end(site *self, cs_pool *pool, cs_plan *plan)
{
    heard at = {0};
    cs_run *run = open_run(self, pool, plan, &at);
    ck_assert_int_eq(listen(pool, &at), CS_RUN_OPENED);
    check_front(self, run);
    while (!cs_run_over(run)) {
        cs_run_evaluate(run);
        ck_assert_int_eq(listen(pool, &at), CS_RUN_CLOSED);
        store_generation(self, run);
    }
    ck_assert_str_eq(cs_run_end(run), "evaluations used up");
    ck_assert(cs_run_cpu_s(run) > 0);
    cs_run_free(run);
}

START_TEST(test_any_number_of_workers_makes_the_records_of_a_plain_loop)
{
    static const uint32_t workers[] = {1, 3, 8};
    site self;
    cs_pool *pool = pool_of(workers[_i / 2]);
    site_make(&self, _i % 2 ? keep_front : keep_all);
    run_to_the_end(&self, pool, _i % 2 ? real_job_plan(&self.bundle) : NULL);
    check_stored(&self);
    cs_pool_free(pool);
    site_remove(&self);
}
END_TEST

/* Nothing, or up to about a generation's time. */
static void wait_a_random_time(cs_random *random)
{
    if (cs_random_below(random, 3)) {
        nanosleep(&(struct timespec){.tv_nsec = cs_random_below(random, 3000000)}, NULL);
    }
}

/* Stop the run at a random moment of opening or of a generation; true if it was over before. */
static bool run_and_stop(site *self, cs_pool *pool, cs_random *random)
{
    heard at = {0};
    bool over = false;
    cs_run *run = open_run(self, pool, NULL, &at);
    uint32_t generations = cs_random_below(random, 4);
    bool opened = cs_random_below(random, 5) != 0;
    if (opened) {
        ck_assert_int_eq(listen(pool, &at), CS_RUN_OPENED);
        check_front(self, run);
        over = cs_run_over(run);
        for (uint32_t i = 0; i <= generations && !over; i++) {
            cs_run_evaluate(run);
            if (i < generations) {
                ck_assert_int_eq(listen(pool, &at), CS_RUN_CLOSED);
                store_generation(self, run);
                over = cs_run_over(run);
            }
        }
    }
    wait_a_random_time(random);
    if (!cs_run_stop(run)) {
        cs_run_event event = listen(pool, &at);
        ck_assert_int_ne(event, CS_RUN_FAILED); /* closing at the last moment is no failure */
        ck_assert_int_ne(event, opened ? CS_RUN_OPENED : CS_RUN_CLOSED);
    }
    ck_assert(cs_run_stop(run)); /* asked twice, it is idle still */
    ck_assert(!at.something);
    cs_run_free(run); /* what it closed and nobody stored is dropped */
    return over;
}

START_TEST(test_stopping_at_any_moment_changes_nothing)
{
    site self;
    cs_random random;
    cs_pool *pool = pool_of(1 + (uint32_t)_i % 4);
    site_make(&self, _i % 2 ? keep_front : keep_all);
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    while (!run_and_stop(&self, pool, &random)) {
    }
    check_stored(&self);
    cs_pool_free(pool);
    site_remove(&self);
}
END_TEST

/* A generation of one row for eight workers: most slices end without work, and the run is freed as
 * soon as the last of them has spoken. */
START_TEST(test_a_run_may_be_freed_as_soon_as_it_is_announced)
{
    static const char *const sets[] = {"batch=1", NULL};
    site self;
    heard at = {0};
    cs_pool *pool = pool_of(8);
    site_make(&self, sets);
    for (int i = 0; i < 100; i++) {
        cs_run *run = open_run(&self, pool, real_job_plan(&self.bundle), &at);
        ck_assert_int_eq(listen(pool, &at), CS_RUN_OPENED);
        cs_run_evaluate(run);
        if (i % 2 || !cs_run_stop(run)) {
            (void)listen(pool, &at);
        }
        cs_run_free(run);
    }
    cs_pool_free(pool);
    site_remove(&self);
}
END_TEST

START_TEST(test_a_run_that_has_not_started_stops_at_once)
{
    site self;
    heard at = {0};
    cs_pool *pool = pool_of(1);
    site_make(&self, keep_all);
    cs_run *first = open_run(&self, pool, NULL, &at);
    heard other = {0};
    cs_run *second = open_run(&self, pool, NULL, &other); /* behind the first */
    if (!cs_run_stop(second)) { /* it had begun, or was through, before it heard of that */
        int told = listen(pool, &other);
        ck_assert(told == CS_RUN_STOPPED || told == CS_RUN_OPENED);
    }
    cs_run_free(second);
    if (!at.something) {
        (void)listen(pool, &at);
    }
    ck_assert_int_eq(at.event, CS_RUN_OPENED);
    cs_run_free(first);
    cs_run *idle = cs_run_new(pool, &cs_store_sqlite, self.directory, self.job, NULL, hear, &at);
    ck_assert(cs_run_stop(idle));
    cs_run_free(idle);
    cs_pool_free(pool);
    site_remove(&self);
}
END_TEST

static void expect_failure(site *self, cs_status status, const char *word)
{
    heard at = {0};
    cs_pool *pool = pool_of(2);
    cs_run *run = open_run(self, pool, NULL, &at);
    ck_assert_int_eq(listen(pool, &at), CS_RUN_FAILED);
    const cs_error *err = cs_run_error(run);
    ck_assert_int_eq(err->status, status);
    ck_assert_msg(strstr(err->text, word) != NULL, "%s", err->text);
    cs_run_free(run);
    cs_pool_free(pool);
}

/* Add a first generation of these bytes. */
static void add_first(site *self, uint32_t count, const cs_buffer *record,
                      const cs_buffer *checkpoint)
{
    cs_error err = {0};
    cs_store *store = self->store;
    ck_assert(!store->class->begin(store, &err));
    ck_assert_msg(
        !store->class->add_generation(store, self->job, 0, count, record, checkpoint, &err), "%s",
        err.text);
    ck_assert(!store->class->commit(store, &err));
}

/* Its record and checkpoint as they should be; returns the number of its candidates. */
static uint32_t first_generation(site *self, cs_buffer *record, cs_buffer *checkpoint)
{
    heard at = {0};
    uint64_t first;
    uint32_t count;
    cs_pool *pool = pool_of(2);
    cs_run *run = open_run(self, pool, NULL, &at);
    ck_assert_int_eq(listen(pool, &at), CS_RUN_OPENED);
    cs_run_evaluate(run);
    ck_assert_int_eq(listen(pool, &at), CS_RUN_CLOSED);
    cs_run_take_generation(run, &first, &count, record, checkpoint);
    ck_assert_uint_eq(first, 0);
    cs_run_free(run);
    cs_pool_free(pool);
    return count;
}

START_TEST(test_a_damaged_record_fails_the_run)
{
    site self;
    cs_buffer record = {0}, checkpoint = {0};
    site_make(&self, keep_all);
    uint32_t count = first_generation(&self, &record, &checkpoint);
    record.size -= 3;
    add_first(&self, count, &record, &checkpoint);
    expect_failure(&self, CS_ECORRUPT, "damaged");
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
    site_remove(&self);
}
END_TEST

START_TEST(test_a_damaged_checkpoint_fails_the_run)
{
    site self;
    cs_buffer record = {0}, checkpoint = {0};
    site_make(&self, keep_all);
    uint32_t count = first_generation(&self, &record, &checkpoint);
    checkpoint.data[checkpoint.size / 2] ^= 1;
    add_first(&self, count, &record, &checkpoint);
    expect_failure(&self, CS_ECORRUPT, "checkpoint");
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
    site_remove(&self);
}
END_TEST

START_TEST(test_a_job_or_store_that_is_not_there_fails_the_run)
{
    site self;
    site_make(&self, keep_all);
    self.job += 1;
    expect_failure(&self, CS_ENOENT, "job");
    self.job -= 1;
    site elsewhere = {.directory = "no/such/directory", .job = self.job};
    heard at = {0};
    cs_pool *pool = pool_of(1);
    cs_run *run = open_run(&elsewhere, pool, NULL, &at);
    ck_assert_int_eq(listen(pool, &at), CS_RUN_FAILED);
    ck_assert_int_ne(cs_run_error(run)->status, CS_OK);
    cs_run_free(run);
    cs_pool_free(pool);
    site_remove(&self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tcase = tcase_create("run");
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, test_any_number_of_workers_makes_the_records_of_a_plain_loop, 0, 6);
    tcase_add_loop_test(tcase, test_stopping_at_any_moment_changes_nothing, 0, 6);
    tcase_add_test(tcase, test_a_run_may_be_freed_as_soon_as_it_is_announced);
    tcase_add_test(tcase, test_a_run_that_has_not_started_stops_at_once);
    tcase_add_test(tcase, test_a_damaged_record_fails_the_run);
    tcase_add_test(tcase, test_a_damaged_checkpoint_fails_the_run);
    tcase_add_test(tcase, test_a_job_or_store_that_is_not_there_fails_the_run);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
