/* What the writer promises (daemon/writer.h), with threads. */
#include "daemon/writer.h"

#include "base/random.h"
#include "sample_job.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LONG_MS 60000 /* an interval that no test waits for */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A class that counts and times the commits of the SQLite store, and lets some fail. Written on
 * the writer's thread, read by the test when the writer has been stopped or has nothing to do. */
static atomic_int commits, commits_to_fail;
static int64_t commit_at[64];

static cs_status counting_commit(cs_store *store, cs_error *err)
{
    int i = atomic_fetch_add(&commits, 1);
    if (i < 64) {
        commit_at[i] = now_ms();
    }
    if (atomic_load(&commits_to_fail) > 0) {
        atomic_fetch_sub(&commits_to_fail, 1);
        return cs_fail(err, CS_EIO, "the commit failed");
    }
    return cs_store_sqlite.commit(store, err);
}

static cs_store_class counting_class(void)
{
    cs_store_class class = cs_store_sqlite;
    class.commit = counting_commit;
    atomic_store(&commits, 0);
    atomic_store(&commits_to_fail, 0);
    return class;
}

/* A write adds the next generation of a job, or fails; a read counts the job's records. */
typedef struct sample_operation {
    cs_operation operation;
    uint64_t job;
    uint64_t first_index;
    bool fail;
    int records;
    uint64_t number; /* of those of its kind that were submitted */
    bool done;
} sample_operation;

static cs_status run_write(cs_operation *operation, cs_store *store, cs_error *err)
{
    sample_operation *sample = (sample_operation *)operation;
    if (sample->fail) {
        return cs_fail(err, CS_ESTATE, "write %llu failed", (unsigned long long)sample->number);
    }
    cs_buffer blob = {0};
    sample_blob(&blob, sample->first_index, 1000);
    cs_status status = store->class->add_generation(store, sample->job, sample->first_index, 10,
                                                    &blob, &blob, err);
    cs_buffer_release(&blob);
    return status;
}

static bool count_record(const void *record, size_t size, void *context)
{
    (void)record;
    (void)size;
    ++*(int *)context;
    return true;
}

static cs_status run_read(cs_operation *operation, cs_store *store, cs_error *err)
{
    sample_operation *sample = (sample_operation *)operation;
    sample->records = 0;
    return store->class->read_records(store, sample->job, 0, count_record, &sample->records, err);
}

static void mark_done(cs_operation *operation, void *context)
{
    (void)context;
    ((sample_operation *)operation)->done = true;
}

static sample_operation write_of(uint64_t job, uint64_t number)
{
    return (sample_operation){
        .operation = {.run = run_write, .done = mark_done, .write = true},
        .job = job,
        .first_index = number * 10,
        .number = number,
    };
}

static sample_operation read_of(uint64_t job)
{
    return (sample_operation){.operation = {.run = run_read, .done = mark_done}, .job = job};
}

static cs_writer *new_writer(const cs_store_class *class, const char *directory,
                             uint32_t interval_ms)
{
    cs_error err = {0};
    cs_writer *writer = cs_writer_new(class, directory, false, interval_ms, &err);
    ck_assert_msg(writer != NULL, "%s", err.text);
    return writer;
}

/* A directory with one job, number 1. */
static void make_directory(char directory[64])
{
    scratch_make(directory);
    cs_error err = {0};
    cs_store *store = cs_store_sqlite.open(directory, true, false, &err);
    ck_assert_msg(store != NULL, "%s", err.text);
    ck_assert_uint_eq(sample_job_add(store, 1), 1);
    cs_store_sqlite.close(store);
}

static bool readable(const cs_writer *writer, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = cs_writer_fd(writer), .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* Wait until `count` operations have finished and been marked done; as the event loop does it. */
static void take(cs_writer *writer, int count)
{
    while (count > 0) {
        ck_assert(readable(writer, 20000));
        cs_operation *next;
        for (cs_operation *i = cs_writer_finished(writer); i; i = next, count--) {
            next = i->next;
            i->done(i, NULL);
        }
    }
    ck_assert_int_eq(count, 0);
}

static void assert_ok(const sample_operation *operation)
{
    ck_assert(operation->done);
    ck_assert_msg(operation->operation.error.status == CS_OK, "%s",
                  operation->operation.error.text);
}

/* Submit write `number` of job 1 and wait until it is committed. */
static void write_one(cs_writer *writer, uint64_t number)
{
    sample_operation write = write_of(1, number);
    cs_writer_submit(writer, &write.operation);
    take(writer, 1);
    assert_ok(&write);
}

static int count_stored(const char *directory)
{
    cs_error err = {0};
    int records = 0;
    cs_store *store = cs_store_sqlite.open(directory, false, false, &err);
    ck_assert_msg(store != NULL, "%s", err.text);
    ck_assert(!store->class->read_records(store, 1, 0, count_record, &records, &err));
    store->class->close(store);
    return records;
}

START_TEST(test_a_finished_write_is_committed)
{
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 1);
    for (uint64_t i = 0; i < 30; i++) {
        write_one(writer, i);
        ck_assert_int_eq(count_stored(directory), (int)i + 1);
    }
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_the_eventfd_is_readable_while_something_has_finished)
{
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 1);
    ck_assert(!readable(writer, 0));
    ck_assert_ptr_null(cs_writer_finished(writer));
    sample_operation reads[2] = {read_of(1), read_of(1)};
    cs_writer_submit(writer, &reads[0].operation);
    cs_writer_submit(writer, &reads[1].operation);
    ck_assert(readable(writer, 20000));
    ck_assert(readable(writer, 0));
    take(writer, 2);
    ck_assert(!readable(writer, 0));
    ck_assert_ptr_null(cs_writer_finished(writer));
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_write_after_a_quiet_time_does_not_wait)
{
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, LONG_MS);
    write_one(writer, 0); /* waits for 20 s at most */
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_writes_are_grouped_and_commits_an_interval_apart)
{
    enum { COUNT = 300, INTERVAL_MS = 100 };
    char directory[64];
    make_directory(directory);
    cs_store_class class = counting_class();
    cs_writer *writer = new_writer(&class, directory, INTERVAL_MS);
    static sample_operation writes[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        writes[i] = write_of(1, i);
        cs_writer_submit(writer, &writes[i].operation);
        if (i % 3 == 0) {
            (void)poll(NULL, 0, 1); /* writes come over several intervals */
        }
    }
    take(writer, COUNT);
    cs_writer_free(writer);
    int count = atomic_load(&commits);
    ck_assert_int_ge(count, 2);
    ck_assert_int_le(count, COUNT / 5);
    for (int i = 1; i < count && i < 64; i++) {
        ck_assert_int_ge(commit_at[i] - commit_at[i - 1], INTERVAL_MS - 1);
    }
    ck_assert_int_eq(count_stored(directory), COUNT);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_reads_run_while_a_group_is_open)
{
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, LONG_MS);
    write_one(writer, 0);
    sample_operation write = write_of(1, 1);
    cs_writer_submit(writer, &write.operation); /* its group waits for LONG_MS */
    for (int i = 0; i < 10; i++) {
        sample_operation read = read_of(1);
        cs_writer_submit(writer, &read.operation);
        take(writer, 1);
        assert_ok(&read);
        ck_assert_int_eq(read.records, 1); /* committed data only */
    }
    ck_assert(!write.done);
    cs_writer_free(writer);
    ck_assert_int_eq(count_stored(directory), 2);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_operations_finish_in_order_within_their_kind)
{
    enum { COUNT = 500 };
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 3);
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    static sample_operation operations[COUNT];
    uint64_t submitted[2] = {0}, finished[2] = {0};
    for (int i = 0; i < COUNT || finished[0] + finished[1] < COUNT;) {
        if (i < COUNT) {
            bool write = cs_random_below(&random, 3) > 0;
            operations[i] = write ? write_of(1, submitted[1]) : read_of(1);
            operations[i].number = submitted[write]++;
            cs_writer_submit(writer, &operations[i++].operation);
        }
        if (i == COUNT || cs_random_below(&random, 20) == 0) {
            ck_assert(i < COUNT || readable(writer, 20000));
            cs_operation *next;
            for (cs_operation *at = cs_writer_finished(writer); at; at = next) {
                next = at->next;
                at->done(at, NULL);
                assert_ok((sample_operation *)at);
                ck_assert_uint_eq(((sample_operation *)at)->number, finished[at->write]++);
            }
        }
    }
    cs_writer_free(writer);
    ck_assert_int_eq(count_stored(directory), (int)submitted[1]);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_failed_write_fails_alone)
{
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 100);
    write_one(writer, 0);
    sample_operation group[4] = {write_of(1, 1), write_of(1, 2), write_of(1, 9), write_of(1, 3)};
    group[2].fail = true;
    for (int i = 0; i < 4; i++) {
        cs_writer_submit(writer, &group[i].operation);
    }
    take(writer, 4);
    for (int i = 0; i < 4; i++) {
        if (i == 2) {
            ck_assert_int_eq(group[i].operation.error.status, CS_ESTATE);
            ck_assert_str_eq(group[i].operation.error.text, "write 9 failed");
        } else {
            assert_ok(&group[i]);
        }
    }
    cs_writer_free(writer);
    ck_assert_int_eq(count_stored(directory), 4);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_failed_commit_fails_its_group_and_no_other)
{
    char directory[64];
    make_directory(directory);
    cs_store_class class = counting_class();
    cs_writer *writer = new_writer(&class, directory, 50);
    write_one(writer, 0);
    atomic_store(&commits_to_fail, 1);
    sample_operation group[2] = {write_of(1, 1), write_of(1, 2)};
    cs_writer_submit(writer, &group[0].operation);
    cs_writer_submit(writer, &group[1].operation);
    take(writer, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(group[i].operation.error.status, CS_EIO);
        ck_assert_str_eq(group[i].operation.error.text, "the commit failed");
    }
    ck_assert_int_eq(count_stored(directory), 1);
    write_one(writer, 1);
    cs_writer_free(writer);
    ck_assert_int_eq(count_stored(directory), 2);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_failed_read_fails_alone)
{
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 1);
    sample_operation reads[2] = {read_of(77), read_of(1)};
    sample_operation write = write_of(1, 0);
    cs_writer_submit(writer, &write.operation);
    cs_writer_submit(writer, &reads[0].operation);
    cs_writer_submit(writer, &reads[1].operation);
    take(writer, 3);
    ck_assert_int_eq(reads[0].operation.error.status, CS_ENOENT);
    assert_ok(&reads[1]);
    assert_ok(&write);
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_cancelled_reads_come_back_and_writes_go_on)
{
    enum { COUNT = 200 };
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 1);
    static sample_operation reads[COUNT];
    sample_operation write = write_of(1, 0);
    for (int i = 0; i < COUNT; i++) {
        reads[i] = read_of(1);
        cs_writer_submit(writer, &reads[i].operation);
    }
    cs_writer_submit(writer, &write.operation);
    cs_writer_cancel_reads(writer);
    take(writer, COUNT + 1);
    int cancelled = 0;
    for (int i = 0; i < COUNT; i++) {
        cs_status status = reads[i].operation.error.status;
        ck_assert(status == CS_OK || status == CS_EBUSY);
        cancelled += status == CS_EBUSY;
    }
    ck_assert_int_gt(cancelled, 0);
    assert_ok(&write);
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_free_finishes_what_was_submitted)
{
    enum { COUNT = 100 };
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, LONG_MS);
    static sample_operation writes[COUNT], reads[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        writes[i] = write_of(1, i);
        reads[i] = read_of(1);
        reads[i].operation.error.status = CS_EINTERNAL;
        cs_writer_submit(writer, &writes[i].operation);
        cs_writer_submit(writer, &reads[i].operation);
    }
    cs_writer_free(writer);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(writes[i].operation.error.status, CS_OK);
        ck_assert_int_eq(reads[i].operation.error.status, CS_OK);
        ck_assert(!writes[i].done && !reads[i].done);
    }
    ck_assert_int_eq(count_stored(directory), COUNT);
    scratch_remove(directory);
    cs_writer_free(NULL);
}
END_TEST

START_TEST(test_what_stop_finished_can_be_taken)
{
    enum { COUNT = 50 };
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, LONG_MS);
    static sample_operation writes[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        writes[i] = write_of(1, i);
        cs_writer_submit(writer, &writes[i].operation);
    }
    cs_writer_stop(writer);
    cs_writer_stop(writer);
    take(writer, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_ok(&writes[i]);
    }
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_store_that_does_not_open_is_said)
{
    cs_error err = {0};
    ck_assert_ptr_null(cs_writer_new(&cs_store_sqlite, "no/such/directory", true, 20, &err));
    ck_assert_int_eq(err.status, CS_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "no/such/directory"));
}
END_TEST

START_TEST(test_the_reader_serves_before_the_first_operation)
{
    char directory[64];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 20);
    cs_store *reader = cs_writer_reader(writer);
    cs_error err = {0};
    int records = 0;
    ck_assert(!reader->class->read_records(reader, 1, 0, count_record, &records, &err));
    sample_operation read = read_of(1);
    cs_writer_submit(writer, &read.operation);
    take(writer, 1);
    assert_ok(&read);
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

/* Another thread reads without pause with a handle of its own. */
typedef struct busy_reader {
    const char *directory;
    atomic_bool stop;
    cs_status status;
    int rounds;
} busy_reader;

static void *read_without_pause(void *context)
{
    busy_reader *busy = context;
    cs_error err = {0};
    cs_store *store = cs_store_sqlite.open(busy->directory, false, false, &err);
    busy->status = store ? CS_OK : err.status;
    for (; store && !busy->status && !atomic_load(&busy->stop); busy->rounds++) {
        int records = 0;
        busy->status = store->class->read_records(store, 1, 0, count_record, &records, &err);
    }
    if (store) {
        store->class->close(store);
    }
    return NULL;
}

static cs_status write_a_megabyte(cs_operation *operation, cs_store *store, cs_error *err)
{
    sample_operation *sample = (sample_operation *)operation;
    cs_buffer blob = {0};
    sample_blob(&blob, sample->first_index, 1 << 20);
    cs_status status = store->class->add_generation(store, sample->job, sample->first_index, 10,
                                                    &blob, &blob, err);
    cs_buffer_release(&blob);
    return status;
}

START_TEST(test_the_log_is_bounded_under_a_busy_reader)
{
    enum { COUNT = 100 }; /* 200 MB */
    char directory[64], path[128];
    make_directory(directory);
    cs_writer *writer = new_writer(&cs_store_sqlite, directory, 1);
    busy_reader busy = {.directory = directory};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, read_without_pause, &busy), 0);
    off_t largest = 0;
    snprintf(path, sizeof path, "%s/codesign.db-wal", directory);
    for (uint64_t i = 0; i < COUNT; i++) {
        sample_operation write = write_of(1, i);
        write.operation.run = write_a_megabyte;
        cs_writer_submit(writer, &write.operation);
        take(writer, 1);
        assert_ok(&write);
        struct stat info;
        ck_assert_int_eq(stat(path, &info), 0);
        largest = info.st_size > largest ? info.st_size : largest;
    }
    atomic_store(&busy.stop, true);
    pthread_join(thread, NULL);
    ck_assert_int_eq(busy.status, CS_OK);
    ck_assert_int_gt(busy.rounds, 0);
    ck_assert_int_lt(largest, 100 << 20);
    cs_writer_free(writer);
    scratch_remove(directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("writer");
    TCase *tcase = tcase_create("writer");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_finished_write_is_committed);
    tcase_add_test(tcase, test_the_eventfd_is_readable_while_something_has_finished);
    tcase_add_test(tcase, test_a_write_after_a_quiet_time_does_not_wait);
    tcase_add_test(tcase, test_writes_are_grouped_and_commits_an_interval_apart);
    tcase_add_test(tcase, test_reads_run_while_a_group_is_open);
    tcase_add_loop_test(tcase, test_operations_finish_in_order_within_their_kind, 0, 5);
    tcase_add_test(tcase, test_a_failed_write_fails_alone);
    tcase_add_test(tcase, test_a_failed_commit_fails_its_group_and_no_other);
    tcase_add_test(tcase, test_a_failed_read_fails_alone);
    tcase_add_test(tcase, test_cancelled_reads_come_back_and_writes_go_on);
    tcase_add_test(tcase, test_free_finishes_what_was_submitted);
    tcase_add_test(tcase, test_what_stop_finished_can_be_taken);
    tcase_add_test(tcase, test_a_store_that_does_not_open_is_said);
    tcase_add_test(tcase, test_the_reader_serves_before_the_first_operation);
    tcase_add_test(tcase, test_the_log_is_bounded_under_a_busy_reader);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
