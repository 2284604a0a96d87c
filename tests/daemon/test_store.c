/* What every store promises (daemon/store.h), and what the SQLite store promises beyond it. */
#include "daemon/store.h"

#include "base/random.h"
#include "sample_job.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const cs_store_class *const classes[] = {&cs_store_sqlite};
#define CLASS_COUNT ((int)(sizeof classes / sizeof classes[0]))

#define OK(expression)                                                                             \
    do {                                                                                           \
        cs_error err = {0};                                                                        \
        ck_assert_msg((expression) == CS_OK, "%s", err.text);                                      \
    } while (0)
#define FAILS(with, expression)                                                                    \
    do {                                                                                           \
        cs_error err = {0};                                                                        \
        ck_assert_int_eq((expression), (with));                                                    \
        ck_assert_int_eq(err.status, (with));                                                      \
        ck_assert_str_ne(err.text, "");                                                            \
    } while (0)

static cs_store *open_store(const cs_store_class *class, const char *directory, bool writable)
{
    cs_error err = {0};
    cs_store *store = class->open(directory, writable, false, &err);
    ck_assert_msg(store != NULL, "%s", err.text);
    return store;
}

static void assert_blob_eq(const cs_buffer *found, uint64_t tag, size_t size)
{
    cs_buffer expected = {0};
    sample_blob(&expected, tag, size);
    ck_assert_uint_eq(found->size, expected.size);
    ck_assert_mem_eq(found->data, expected.data, expected.size);
    cs_buffer_release(&expected);
}

typedef struct row_list {
    cs_job_row rows[16];
    size_t count, most;
} row_list;

static bool collect_row(const cs_job_row *row, void *context)
{
    row_list *list = context;
    list->rows[list->count++] = *row;
    return list->count < list->most;
}

static row_list list_rows(cs_store *store, size_t most)
{
    row_list list = {.most = most};
    OK(store->class->list_jobs(store, collect_row, &list, &err));
    return list;
}

static void assert_row_eq(const cs_job_row *a, const cs_job_row *b)
{
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_mem_eq(a->key, b->key, sizeof a->key);
    ck_assert_str_eq(a->name, b->name);
    ck_assert_str_eq(a->owner, b->owner);
    ck_assert_str_eq(a->engine, b->engine);
    ck_assert_str_eq(a->simulator, b->simulator);
    ck_assert_uint_eq(a->simulator_revision, b->simulator_revision);
    ck_assert_mem_eq(&a->bundle, &b->bundle, sizeof a->bundle);
    ck_assert_uint_eq(a->submitted_ms, b->submitted_ms);
    ck_assert_uint_eq(a->seed, b->seed);
    ck_assert_uint_eq(a->budget, b->budget);
    ck_assert_uint_eq(a->batch, b->batch);
    ck_assert_uint_eq(a->genome_bytes, b->genome_bytes);
    ck_assert_uint_eq(a->metric_count, b->metric_count);
    ck_assert_int_eq(a->keep_all, b->keep_all);
    ck_assert_int_eq(a->mixed, b->mixed);
    ck_assert_int_eq(a->state, b->state);
    ck_assert_str_eq(a->reason, b->reason);
}

static void assert_bundle_eq(const cs_bundle *a, const cs_bundle *b)
{
    ck_assert_str_eq(a->text_name, b->text_name);
    ck_assert_uint_eq(a->text_size, b->text_size);
    ck_assert_mem_eq(a->text, b->text, a->text_size);
    ck_assert_uint_eq(a->set_count, b->set_count);
    for (size_t i = 0; i < a->set_count; i++) {
        ck_assert_str_eq(a->sets[i], b->sets[i]);
    }
    ck_assert_uint_eq(a->file_count, b->file_count);
    for (size_t i = 0; i < a->file_count; i++) {
        ck_assert_str_eq(a->files[i].name, b->files[i].name);
        ck_assert_uint_eq(a->files[i].size, b->files[i].size);
        ck_assert_mem_eq(a->files[i].bytes, b->files[i].bytes, a->files[i].size + 1);
        ck_assert_mem_eq(&a->files[i].hash, &b->files[i].hash, sizeof a->files[i].hash);
    }
}

/* ---- every class ---- */

START_TEST(test_jobs_come_back_as_they_were_added)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    uint64_t ids[8];
    for (uint32_t n = 0; n < 8; n++) {
        ids[n] = sample_job_add(store, n);
        ck_assert(n == 0 ? ids[n] >= 1 : ids[n] > ids[n - 1]);
    }
    class->close(store);

    store = open_store(class, directory, false);
    row_list list = list_rows(store, 16);
    ck_assert_uint_eq(list.count, 8);
    for (uint32_t n = 0; n < 8; n++) {
        sample_job job = sample_job_of(n);
        job.row.id = ids[n];
        assert_row_eq(&list.rows[n], &job.row);
        cs_job_detail detail;
        OK(class->get_detail(store, ids[n], &detail, &err));
        ck_assert_uint_eq(detail.schema.size, job.detail.schema.size);
        ck_assert_mem_eq(detail.schema.data, job.detail.schema.data, detail.schema.size);
        ck_assert_str_eq(detail.space_size, job.detail.space_size);
        ck_assert_str_eq(detail.recalled, job.detail.recalled);
        cs_bundle bundle = {0};
        OK(class->get_bundle(store, ids[n], &bundle, &err));
        assert_bundle_eq(&bundle, &job.bundle);
        cs_job_detail_release(&detail);
        cs_bundle_release(&bundle);
        sample_job_release(&job);
    }
    ck_assert_uint_eq(list_rows(store, 3).count, 3);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_submission_key_adds_one_job)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    uint64_t first = sample_job_add(store, 1);
    sample_job_add(store, 2);
    sample_job again = sample_job_of(3);
    memcpy(again.row.key, list_rows(store, 1).rows[0].key, sizeof again.row.key);
    bool added = true;
    OK(class->begin(store, &err));
    OK(class->add_job(store, &again.row, &again.detail, &again.bundle, &added, &err));
    OK(class->commit(store, &err));
    ck_assert(!added);
    ck_assert_uint_eq(again.row.id, first);
    row_list list = list_rows(store, 16);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_str_eq(list.rows[0].name, "job 1");
    sample_job_release(&again);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_bundle_must_have_the_hash_of_its_row)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    sample_job job = sample_job_of(1);
    job.row.bundle.bytes[0] ^= 1;
    bool added;
    OK(class->begin(store, &err));
    FAILS(CS_EINTERNAL, class->add_job(store, &job.row, &job.detail, &job.bundle, &added, &err));
    class->rollback(store);
    ck_assert_uint_eq(list_rows(store, 16).count, 0);
    sample_job_release(&job);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_rollback_undoes_and_readers_see_what_is_committed)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    cs_store *reader = open_store(class, directory, false);
    sample_job job = sample_job_of(1);
    bool added;
    OK(class->begin(store, &err));
    OK(class->add_job(store, &job.row, &job.detail, &job.bundle, &added, &err));
    ck_assert_uint_eq(list_rows(reader, 16).count, 0);
    class->rollback(store);
    ck_assert_uint_eq(list_rows(store, 16).count, 0);
    OK(class->begin(store, &err));
    OK(class->add_job(store, &job.row, &job.detail, &job.bundle, &added, &err));
    ck_assert_uint_eq(list_rows(reader, 16).count, 0);
    OK(class->commit(store, &err));
    ck_assert_uint_eq(list_rows(reader, 16).count, 1);
    sample_job_release(&job);
    class->close(reader);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_set_job_changes_what_it_says)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    sample_job_add(store, 1);
    sample_job_add(store, 2);
    row_list before = list_rows(store, 16);
    cs_job_row row = before.rows[0];
    row.state = CS_JOB_PAUSED;
    strcpy(row.reason, "simulator changed");
    row.mixed = true;
    row.simulator_revision = 8;
    strcpy(row.simulator, "event");
    for (int twice = 0; twice < 2; twice++) {
        OK(class->begin(store, &err));
        OK(class->set_job(store, &row, &err));
        OK(class->commit(store, &err));
    }
    row_list after = list_rows(store, 16);
    assert_row_eq(&after.rows[0], &row);
    assert_row_eq(&after.rows[1], &before.rows[1]);
    cs_bundle bundle = {0};
    OK(class->get_bundle(store, row.id, &bundle, &err));
    cs_bundle_release(&bundle);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

static bool count_record(const void *record, size_t size, void *context)
{
    (void)record;
    (void)size;
    ++*(int *)context;
    return true;
}

START_TEST(test_a_job_that_does_not_exist_is_not_found)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    cs_job_row row = {.id = sample_job_add(store, 1) + 1, .state = CS_JOB_DONE};
    cs_buffer buffer = {0};
    cs_buffer_put_u8(&buffer, 1);
    const cs_buffer blob = buffer;
    cs_job_detail detail;
    cs_bundle bundle = {0};
    int records = 0;
    FAILS(CS_ENOENT, class->get_detail(store, row.id, &detail, &err));
    FAILS(CS_ENOENT, class->get_bundle(store, row.id, &bundle, &err));
    FAILS(CS_ENOENT, class->read_records(store, row.id, 0, count_record, &records, &err));
    FAILS(CS_ENOENT, class->last_record(store, row.id, &buffer, &err));
    FAILS(CS_ENOENT, class->get_checkpoint(store, row.id, &buffer, &err));
    FAILS(CS_ENOENT, class->get_result(store, row.id, &buffer, &err));
    ck_assert_uint_eq(buffer.size, 1);
    OK(class->begin(store, &err));
    FAILS(CS_ENOENT, class->set_job(store, &row, &err));
    class->rollback(store);
    OK(class->begin(store, &err));
    FAILS(CS_ENOENT, class->add_generation(store, row.id, 0, 1, &blob, &blob, &err));
    class->rollback(store);
    OK(class->begin(store, &err));
    FAILS(CS_ENOENT, class->set_result(store, row.id, &blob, &err));
    class->rollback(store);
    cs_buffer_release(&buffer);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_generation_follows_the_last_one)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    uint64_t job = sample_job_add(store, 1);
    sample_generation_add(store, job, 0, 10, 100);
    sample_generation_add(store, job, 10, 10, 100);
    static const uint64_t wrong[] = {0, 10, 19, 21, 30, CS_CANDIDATE_MAX - 2};
    cs_buffer blob = {0};
    cs_buffer_put_u8(&blob, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        OK(class->begin(store, &err));
        FAILS(CS_ESTATE, class->add_generation(store, job, wrong[i], 2, &blob, &blob, &err));
        class->rollback(store);
    }
    OK(class->begin(store, &err));
    FAILS(CS_ELIMIT,
          class->add_generation(store, job, CS_CANDIDATE_MAX - 1, 2, &blob, &blob, &err));
    class->rollback(store);
    cs_buffer_clear(&blob);
    OK(class->get_checkpoint(store, job, &blob, &err));
    assert_blob_eq(&blob, 20, 50);
    sample_generation_add(store, job, 20, 10, 100);
    cs_buffer_release(&blob);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_result_is_replaced)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    uint64_t job = sample_job_add(store, 1);
    cs_buffer result = {0}, found = {0};
    OK(class->get_result(store, job, &found, &err));
    ck_assert_uint_eq(found.size, 0);
    for (uint64_t tag = 1; tag < 4; tag++) {
        sample_blob(&result, tag, tag * 10000);
        OK(class->begin(store, &err));
        OK(class->set_result(store, job, &result, &err));
        OK(class->commit(store, &err));
        cs_buffer_clear(&found);
        OK(class->get_result(store, job, &found, &err));
        assert_blob_eq(&found, tag, tag * 10000);
    }
    OK(class->get_result(store, job, &found, &err)); /* appends */
    ck_assert_uint_eq(found.size, 60000);
    cs_buffer_clear(&result);
    OK(class->begin(store, &err));
    OK(class->set_result(store, job, &result, &err)); /* an empty one is one, too */
    OK(class->commit(store, &err));
    cs_buffer_release(&result);
    cs_buffer_release(&found);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

/* The dumb twin: what the store should hold, as arrays. */
#define TWIN_JOBS        4
#define TWIN_GENERATIONS 400

typedef struct twin_job {
    uint64_t first[TWIN_GENERATIONS + 1]; /* of generation i; its end is that of i + 1 */
    size_t sizes[TWIN_GENERATIONS];
    size_t count;
    uint64_t result; /* tag; 0: none */
} twin_job;

typedef struct twin_store {
    uint64_t ids[TWIN_JOBS];
    twin_job jobs[TWIN_JOBS];
} twin_store;

typedef struct record_check {
    const twin_job *job;
    size_t next, left;
} record_check;

static bool check_record(const void *record, size_t size, void *context)
{
    record_check *check = context;
    ck_assert_uint_lt(check->next, check->job->count);
    cs_buffer found = {.data = (uint8_t *)record, .size = size};
    assert_blob_eq(&found, check->job->first[check->next], check->job->sizes[check->next]);
    check->next++;
    return --check->left > 0;
}

static void check_reading_from(cs_store *store, uint64_t id, const twin_job *job, uint64_t from,
                               size_t most)
{
    size_t holder = 0;
    while (holder < job->count && job->first[holder + 1] <= from) {
        holder++;
    }
    record_check check = {.job = job, .next = holder, .left = most};
    OK(store->class->read_records(store, id, from, check_record, &check, &err));
    size_t expected = job->count - holder < most ? job->count - holder : most;
    ck_assert_uint_eq(check.next - holder, expected);
}

static void check_twin(cs_store *store, const twin_store *twin, cs_random *random)
{
    cs_buffer found = {0};
    for (int i = 0; i < TWIN_JOBS; i++) {
        const twin_job *job = &twin->jobs[i];
        uint64_t end = job->first[job->count];
        OK(store->class->last_record(store, twin->ids[i], &found, &err));
        if (job->count) {
            assert_blob_eq(&found, job->first[job->count - 1], job->sizes[job->count - 1]);
        } else {
            ck_assert_uint_eq(found.size, 0);
        }
        cs_buffer_clear(&found);
        OK(store->class->get_checkpoint(store, twin->ids[i], &found, &err));
        if (job->count) {
            assert_blob_eq(&found, end, job->sizes[job->count - 1] / 2);
        } else {
            ck_assert_uint_eq(found.size, 0);
        }
        cs_buffer_clear(&found);
        OK(store->class->get_result(store, twin->ids[i], &found, &err));
        if (job->result) {
            assert_blob_eq(&found, job->result, 500);
        } else {
            ck_assert_uint_eq(found.size, 0);
        }
        cs_buffer_clear(&found);
        check_reading_from(store, twin->ids[i], job, 0, SIZE_MAX);
        check_reading_from(store, twin->ids[i], job, end, SIZE_MAX);
        check_reading_from(store, twin->ids[i], job, cs_random_below(random, (uint32_t)end + 2),
                           1 + cs_random_below(random, 100));
    }
    cs_buffer_release(&found);
}

/* Random transactions, some of which are rolled back, and re-openings: the store holds what the
 * twin holds, whatever came before. */
START_TEST(test_random_histories_equal_a_dumb_twin)
{
    const cs_store_class *class = classes[_i % CLASS_COUNT];
    cs_random random;
    cs_random_init(&random, (uint64_t)(_i / CLASS_COUNT), 0, CS_PURPOSE_SAMPLE, 0, 0);
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    twin_store now = {0};
    for (uint32_t i = 0; i < TWIN_JOBS; i++) {
        now.ids[i] = sample_job_add(store, i);
    }
    cs_buffer record = {0}, checkpoint = {0};
    for (int step = 0; step < 60; step++) {
        twin_store next = now;
        OK(class->begin(store, &err));
        for (uint32_t ops = cs_random_below(&random, 20); ops > 0; ops--) {
            uint32_t i = cs_random_below(&random, TWIN_JOBS);
            twin_job *job = &next.jobs[i];
            if (cs_random_below(&random, 10) == 0) {
                job->result = 1 + cs_random_below(&random, 1000);
                sample_blob(&record, job->result, 500);
                OK(class->set_result(store, next.ids[i], &record, &err));
            } else {
                uint32_t count = 1 + cs_random_below(&random, 5);
                size_t size = 16 + cs_random_below(&random, step % 8 ? 200 : 30000);
                uint64_t first = job->first[job->count];
                sample_blob(&record, first, size);
                sample_blob(&checkpoint, first + count, size / 2);
                OK(class->add_generation(store, next.ids[i], first, count, &record, &checkpoint,
                                         &err));
                job->sizes[job->count++] = size;
                job->first[job->count] = first + count;
            }
        }
        if (cs_random_below(&random, 4) == 0) {
            class->rollback(store);
        } else {
            OK(class->commit(store, &err));
            now = next;
        }
        if (step % 15 == 14) {
            check_twin(store, &now, &random);
            class->close(store);
            store = open_store(class, directory, true);
        }
    }
    check_twin(store, &now, &random);
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

/* A killed process leaves every generation whose commit it had announced, and no gap. */
START_TEST(test_a_kill_loses_nothing_that_was_committed)
{
    const cs_store_class *class = classes[_i % CLASS_COUNT];
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    uint64_t job = sample_job_add(store, 1);
    class->close(store);
    int announced[2];
    ck_assert_int_eq(pipe(announced), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        store = open_store(class, directory, true);
        for (uint64_t at = 0;; at += 10) {
            sample_generation_add(store, job, at, 10, 20000);
            uint64_t end = at + 10;
            if (write(announced[1], &end, sizeof end) != sizeof end) {
                _exit(1);
            }
        }
    }
    close(announced[1]);
    uint64_t end = 0, next;
    for (int i = 0; i < 10 + 7 * (_i / CLASS_COUNT); i++) {
        ck_assert_int_eq(read(announced[0], &end, sizeof end), sizeof end);
    }
    kill(child, SIGKILL);
    while (read(announced[0], &next, sizeof next) == sizeof next) {
        end = next;
    }
    close(announced[0]);
    waitpid(child, NULL, 0);

    store = open_store(class, directory, true);
    cs_buffer found = {0};
    OK(class->get_checkpoint(store, job, &found, &err));
    cs_reader reader = cs_reader_of(found.data, found.size);
    uint64_t stored = cs_reader_get_u64(&reader);
    ck_assert(stored == end || stored == end + 10);
    int records = 0;
    OK(class->read_records(store, job, 0, count_record, &records, &err));
    ck_assert_uint_eq((uint64_t)records * 10, stored);
    sample_generation_add(store, job, stored, 10, 20000);
    cs_buffer_release(&found);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_reading_needs_a_database)
{
    const cs_store_class *class = classes[_i];
    char directory[64];
    scratch_make(directory);
    cs_error err = {0};
    ck_assert_ptr_null(class->open(directory, false, false, &err));
    ck_assert_int_eq(err.status, CS_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, directory));
    ck_assert_ptr_null(class->open("no/such/directory", true, false, &err));
    ck_assert_int_eq(err.status, CS_ENOENT);
    scratch_remove(directory);
}
END_TEST

/* ---- SQLite ---- */

/* Run SQL on the database itself; the first column of the first row, or -1. */
static int64_t run_sql(const char *directory, const char *sql)
{
    char path[128];
    snprintf(path, sizeof path, "%s/codesign.db", directory);
    sqlite3 *db;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    int64_t value = -1;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
    } else {
        ck_assert_int_eq(code, SQLITE_DONE);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static void make_database(char directory[64], uint64_t *job)
{
    scratch_make(directory);
    cs_store *store = open_store(&cs_store_sqlite, directory, true);
    *job = sample_job_add(store, 1);
    sample_generation_add(store, *job, 0, 10, 20000);
    cs_store_sqlite.close(store);
}

START_TEST(test_the_file_is_set_up_for_good)
{
    char directory[64];
    uint64_t job;
    make_database(directory, &job);
    ck_assert_int_eq(run_sql(directory, "PRAGMA application_id"), 0x43534431);
    ck_assert_int_eq(run_sql(directory, "PRAGMA user_version"), 1);
    ck_assert_int_eq(run_sql(directory, "PRAGMA auto_vacuum"), 2); /* incremental */
    ck_assert_int_eq(run_sql(directory, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    ck_assert_int_eq(run_sql(directory, "SELECT count(*) FROM pragma_table_list WHERE"
                                        " name NOT LIKE 'sqlite%' AND NOT strict"),
                     0);
    ck_assert_int_eq(run_sql(directory, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_a_newer_database_is_refused_with_both_versions)
{
    char directory[64];
    uint64_t job;
    make_database(directory, &job);
    run_sql(directory, "PRAGMA user_version = 7531");
    for (int writable = 0; writable < 2; writable++) {
        cs_error err = {0};
        ck_assert_ptr_null(cs_store_sqlite.open(directory, writable, false, &err));
        ck_assert_int_eq(err.status, CS_EVERSION);
        ck_assert_ptr_nonnull(strstr(err.text, "7531"));
        ck_assert_ptr_nonnull(strstr(err.text, " 1"));
        ck_assert_ptr_nonnull(strstr(err.text, directory));
    }
    ck_assert_int_eq(run_sql(directory, "PRAGMA user_version"), 7531);
    scratch_remove(directory);
}
END_TEST

static void assert_corrupt(const char *directory)
{
    for (int writable = 0; writable < 2; writable++) {
        cs_error err = {0};
        ck_assert_ptr_null(cs_store_sqlite.open(directory, writable, false, &err));
        ck_assert_int_eq(err.status, CS_ECORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, directory));
    }
}

START_TEST(test_what_is_no_store_is_refused_and_left_alone)
{
    char directory[64], path[128];
    scratch_make(directory);
    run_sql(directory, "CREATE TABLE a(b)");
    assert_corrupt(directory);
    ck_assert_int_eq(run_sql(directory, "SELECT count(*) FROM sqlite_schema"), 1);
    run_sql(directory, "PRAGMA application_id = 99");
    assert_corrupt(directory);
    snprintf(path, sizeof path, "%s/codesign.db", directory);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 3000; i++) {
        fputs("not a database ", file);
    }
    fclose(file);
    assert_corrupt(directory);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_damage_is_found_and_said)
{
    const cs_store_class *class = &cs_store_sqlite;
    static const struct {
        const char *sql;
        bool bundle, records, rows; /* what can not be read any more */
    } damages[] = {
        {"UPDATE file SET bytes = x'00' WHERE bytes = CAST('the same for all' AS BLOB)", true,
         false, false},
        {"DELETE FROM job_part WHERE kind = 'text'", true, false, false},
        {"UPDATE job_part SET name = 'x' WHERE kind = 'set'", true, false, false},
        {"DELETE FROM record", false, true, false},
        {"UPDATE job SET name = hex(zeroblob(100))", false, false, true},
    };
    char directory[64];
    uint64_t job;
    make_database(directory, &job);
    run_sql(directory, damages[_i].sql);
    cs_store *store = open_store(class, directory, false);
    cs_bundle bundle = {0};
    cs_error err = {0};
    int records = 0;
    row_list list = {.most = 16};
    ck_assert_int_eq(class->get_bundle(store, job, &bundle, &err),
                     damages[_i].bundle ? CS_ECORRUPT : CS_OK);
    ck_assert_int_eq(class->read_records(store, job, 0, count_record, &records, &err),
                     damages[_i].records ? CS_ECORRUPT : CS_OK);
    ck_assert_int_eq(class->list_jobs(store, collect_row, &list, &err),
                     damages[_i].rows ? CS_ECORRUPT : CS_OK);
    ck_assert_int_eq(err.status, CS_ECORRUPT);
    cs_bundle_release(&bundle);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_content_is_stored_once)
{
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(&cs_store_sqlite, directory, true);
    for (uint32_t n = 0; n < 5; n++) {
        sample_job_add(store, n);
    }
    cs_store_sqlite.close(store);
    /* five texts, five files of their own, one that they share and the empty one */
    ck_assert_int_eq(run_sql(directory, "SELECT count(*) FROM file"), 12);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_everything_carries_the_revision_it_was_made_with)
{
    const cs_store_class *class = &cs_store_sqlite;
    char directory[64];
    scratch_make(directory);
    cs_store *store = open_store(class, directory, true);
    uint64_t job = sample_job_add(store, 1);
    sample_generation_add(store, job, 0, 10, 100);
    cs_buffer result = {0};
    OK(class->begin(store, &err));
    OK(class->set_result(store, job, &result, &err));
    OK(class->commit(store, &err));
    cs_job_row row = list_rows(store, 1).rows[0];
    row.simulator_revision = 8;
    OK(class->begin(store, &err));
    OK(class->set_job(store, &row, &err));
    OK(class->commit(store, &err));
    sample_generation_add(store, job, 10, 10, 100);
    class->close(store);
#define REVISION " JOIN basis b ON b.id = x.basis"
    ck_assert_int_eq(run_sql(directory, "SELECT revision FROM job x" REVISION), 8);
    ck_assert_int_eq(run_sql(directory, "SELECT revision FROM checkpoint x" REVISION), 8);
    ck_assert_int_eq(run_sql(directory, "SELECT revision FROM result x" REVISION), 7);
    ck_assert_int_eq(
        run_sql(directory,
                "SELECT min(revision) = 7 AND max(revision) = 8 AND"
                " count(*) = 2 AND count(DISTINCT bundle) = 1 FROM generation x" REVISION),
        1);
    scratch_remove(directory);
}
END_TEST

START_TEST(test_job_numbers_end_and_are_not_given_twice)
{
    const cs_store_class *class = &cs_store_sqlite;
    char directory[64];
    uint64_t first;
    make_database(directory, &first);
    run_sql(directory, "UPDATE sqlite_sequence SET seq = 4194303");
    cs_store *store = open_store(class, directory, true);
    uint64_t last = sample_job_add(store, 2);
    ck_assert_uint_eq(last, CS_JOB_MAX);
    sample_generation_add(store, last, 0, 10, 100);
    int records = 0;
    OK(class->read_records(store, last, 0, count_record, &records, &err));
    ck_assert_int_eq(records, 1);
    sample_job job = sample_job_of(3);
    bool added;
    OK(class->begin(store, &err));
    FAILS(CS_ELIMIT, class->add_job(store, &job.row, &job.detail, &job.bundle, &added, &err));
    class->rollback(store);
    sample_job_release(&job);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

/* SQLite lets its system calls be replaced: the countdown'th write and all after it find the disk
 * full. */
static int writes_left = -1;

static ssize_t full_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    if (writes_left == 0) {
        errno = ENOSPC;
        return -1;
    }
    writes_left -= writes_left > 0;
    return pwrite(fd, bytes, size, offset);
}

static void fill_disk_after(int writes)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    writes_left = writes;
    static const char *const calls[] = {"pwrite", "pwrite64"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        (void)vfs->xSetSystemCall(vfs, calls[i], (sqlite3_syscall_ptr)full_pwrite);
    }
}

static cs_status try_generation(cs_store *store, uint64_t job, cs_error *err)
{
    const cs_store_class *class = store->class;
    cs_buffer record = {0}, checkpoint = {0};
    sample_blob(&record, 10, 20000);
    sample_blob(&checkpoint, 20, 10000);
    cs_status status = class->begin(store, err);
    if (!status) {
        status = class->add_generation(store, job, 10, 10, &record, &checkpoint, err);
        if (!status) {
            status = class->commit(store, err);
        }
        if (status) {
            class->rollback(store);
        }
    }
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
    return status;
}

START_TEST(test_a_full_disk_is_said_and_survived)
{
    char directory[64];
    uint64_t job;
    int failures = 0;
    cs_status status = CS_EIO;
    for (int writes = 0; status; writes++) {
        make_database(directory, &job);
        cs_store *store = open_store(&cs_store_sqlite, directory, true);
        cs_error full = {0};
        fill_disk_after(writes);
        status = try_generation(store, job, &full);
        fill_disk_after(-1);
        if (status) {
            failures++;
            ck_assert_int_eq(status, CS_EIO);
            ck_assert_ptr_nonnull(strstr(full.text, "disk full"));
            ck_assert_ptr_nonnull(strstr(full.text, directory));
            int records = 0;
            OK(cs_store_sqlite.read_records(store, job, 0, count_record, &records, &err));
            ck_assert_int_eq(records, 1);
            OK(try_generation(store, job, &err));
        }
        cs_store_sqlite.close(store);
        ck_assert_int_eq(run_sql(directory, "SELECT count(*) FROM generation"), 2);
        ck_assert_int_eq(
            run_sql(directory, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
        scratch_remove(directory);
    }
    ck_assert_int_ge(failures, 5); /* a commit of 30 KB is several writes */
}
END_TEST

START_TEST(test_a_creation_that_failed_is_made_good_by_the_next)
{
    cs_store *store = NULL;
    int failures = -1;
    for (int writes = 0; !store; writes++) {
        char directory[64];
        cs_error err = {0};
        scratch_make(directory);
        fill_disk_after(writes);
        store = cs_store_sqlite.open(directory, true, false, &err);
        fill_disk_after(-1);
        failures++;
        if (!store) {
            ck_assert_int_eq(err.status, CS_EIO);
            cs_store *again = open_store(&cs_store_sqlite, directory, true);
            sample_job_add(again, 1);
            cs_store_sqlite.close(again);
            ck_assert_int_eq(run_sql(directory, "PRAGMA auto_vacuum"), 2);
            scratch_remove(directory);
        } else {
            cs_store_sqlite.close(store);
            scratch_remove(directory);
        }
    }
    ck_assert_int_ge(failures, 5);
}
END_TEST

static off_t wal_size(const char *directory)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s/codesign.db-wal", directory);
    return stat(path, &info) == 0 ? info.st_size : 0;
}

typedef struct writing_reader {
    cs_store *store;
    uint64_t job, next;
    int megabytes;
} writing_reader;

/* Reading one record, write a lot: the log cannot start over as long as the read lasts. */
static bool write_much(const void *record, size_t size, void *context)
{
    writing_reader *reader = context;
    (void)record;
    (void)size;
    for (int i = 0; i < reader->megabytes; i++) {
        sample_generation_add(reader->store, reader->job, reader->next, 10, 1000000);
        reader->next += 10;
    }
    return false;
}

START_TEST(test_the_log_does_not_grow_without_bound)
{
    const cs_store_class *class = &cs_store_sqlite;
    char directory[64];
    uint64_t job;
    make_database(directory, &job);
    cs_store *store = open_store(class, directory, true);
    cs_store *reader = open_store(class, directory, false);
    writing_reader context = {.store = store, .job = job, .next = 10, .megabytes = 70};
    OK(class->read_records(reader, job, 0, write_much, &context, &err));
    ck_assert_int_gt(wal_size(directory), 64 << 20); /* the reader did hold it */
    context.megabytes = 40;
    write_much(NULL, 0, &context);
    ck_assert_int_le(wal_size(directory), 20 << 20); /* 16 MB and what one commit adds */
    class->close(reader);
    class->close(store);
    scratch_remove(directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *every = tcase_create("every class");
    tcase_set_timeout(every, 60);
    tcase_add_loop_test(every, test_jobs_come_back_as_they_were_added, 0, CLASS_COUNT);
    tcase_add_loop_test(every, test_a_submission_key_adds_one_job, 0, CLASS_COUNT);
    tcase_add_loop_test(every, test_a_bundle_must_have_the_hash_of_its_row, 0, CLASS_COUNT);
    tcase_add_loop_test(every, test_rollback_undoes_and_readers_see_what_is_committed, 0,
                        CLASS_COUNT);
    tcase_add_loop_test(every, test_set_job_changes_what_it_says, 0, CLASS_COUNT);
    tcase_add_loop_test(every, test_a_job_that_does_not_exist_is_not_found, 0, CLASS_COUNT);
    tcase_add_loop_test(every, test_a_generation_follows_the_last_one, 0, CLASS_COUNT);
    tcase_add_loop_test(every, test_a_result_is_replaced, 0, CLASS_COUNT);
    tcase_add_loop_test(every, test_random_histories_equal_a_dumb_twin, 0, 6 * CLASS_COUNT);
    tcase_add_loop_test(every, test_a_kill_loses_nothing_that_was_committed, 0, 5 * CLASS_COUNT);
    tcase_add_loop_test(every, test_reading_needs_a_database, 0, CLASS_COUNT);
    suite_add_tcase(suite, every);

    TCase *sqlite = tcase_create("sqlite");
    tcase_set_timeout(sqlite, 60);
    tcase_add_test(sqlite, test_the_file_is_set_up_for_good);
    tcase_add_test(sqlite, test_a_newer_database_is_refused_with_both_versions);
    tcase_add_test(sqlite, test_what_is_no_store_is_refused_and_left_alone);
    tcase_add_loop_test(sqlite, test_damage_is_found_and_said, 0, 5);
    tcase_add_test(sqlite, test_content_is_stored_once);
    tcase_add_test(sqlite, test_everything_carries_the_revision_it_was_made_with);
    tcase_add_test(sqlite, test_job_numbers_end_and_are_not_given_twice);
    tcase_add_test(sqlite, test_a_full_disk_is_said_and_survived);
    tcase_add_test(sqlite, test_a_creation_that_failed_is_made_good_by_the_next);
    tcase_add_test(sqlite, test_the_log_does_not_grow_without_bound);
    suite_add_tcase(suite, sqlite);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
