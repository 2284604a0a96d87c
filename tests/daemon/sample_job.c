/* Jobs and directories to test stores with: see sample_job.h. */
#include "sample_job.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

sample_job sample_job_of(uint32_t n)
{
    sample_job job = {0};
    cs_error err;
    char text[64];
    /* A zero byte inside: the store has to keep texts that the parser will refuse. */
    int size = snprintf(text, sizeof text, "name = \"%u\";%c# after a zero", n, 0);
    ck_assert(!cs_bundle_set_text(&job.bundle, "job.conf", text, (size_t)size, &err));
    for (uint32_t i = 0; i < n % 3; i++) {
        snprintf(text, sizeof text, "search.seed=%u", n + i);
        ck_assert(!cs_bundle_add_set(&job.bundle, text, &err));
    }
    ck_assert(!cs_bundle_add_file(&job.bundle, "shared", "the same for all", 16, &err));
    ck_assert(!cs_bundle_add_file(&job.bundle, "own", &n, sizeof n, &err));
    ck_assert(!cs_bundle_add_file(&job.bundle, "empty", "", 0, &err));

    job.row = (cs_job_row){
        .simulator_revision = 7,
        .engine = "nsga2",
        .simulator = "analytic",
        .owner = "ada",
        .bundle = cs_bundle_hash(&job.bundle),
        .submitted_ms = 1700000000000 + n,
        .seed = UINT64_MAX - n, /* does not fit a signed number */
        .budget = 40000 + n,
        .batch = 64,
        .genome_bytes = 35,
        .metric_count = 4,
        .keep_all = n % 2,
        .mixed = n % 5 == 4,
        .state = CS_JOB_ACTIVE,
    };
    memcpy(job.row.key, &n, sizeof n);
    snprintf(job.row.name, sizeof job.row.name, "job %u", n);
    memset(job.row.reason, 'r', n % sizeof job.row.reason);
    cs_buffer_put(&job.detail.schema, "\0schema", 7);
    cs_buffer_put_u32(&job.detail.schema, n);
    job.detail.space_size = strdup("340282366920938463463374607431768211456");
    job.detail.recalled = strdup(n % 2 ? "a.conf\nb.conf\n" : "");
    return job;
}

void sample_job_release(sample_job *job)
{
    cs_bundle_release(&job->bundle);
    cs_job_detail_release(&job->detail);
}

uint64_t sample_job_add(cs_store *store, uint32_t n)
{
    cs_error err = {0};
    bool added = false;
    sample_job job = sample_job_of(n);
    ck_assert_msg(!store->class->begin(store, &err), "%s", err.text);
    ck_assert_msg(!store->class->add_job(store, &job.row, &job.detail, &job.bundle, &added, &err),
                  "%s", err.text);
    ck_assert_msg(!store->class->commit(store, &err), "%s", err.text);
    ck_assert(added);
    sample_job_release(&job);
    return job.row.id;
}

void sample_blob(cs_buffer *buffer, uint64_t tag, size_t size)
{
    cs_buffer_clear(buffer);
    cs_buffer_put_u64(buffer, tag);
    while (buffer->size < size) {
        cs_buffer_put_u8(buffer, (uint8_t)(tag * 31 + buffer->size * 7));
    }
}

void sample_generation_add(cs_store *store, uint64_t job, uint64_t first_index, uint32_t count,
                           size_t size)
{
    cs_error err = {0};
    cs_buffer record = {0}, checkpoint = {0};
    sample_blob(&record, first_index, size);
    sample_blob(&checkpoint, first_index + count, size / 2);
    ck_assert_msg(!store->class->begin(store, &err), "%s", err.text);
    ck_assert_msg(
        !store->class->add_generation(store, job, first_index, count, &record, &checkpoint, &err),
        "%s", err.text);
    ck_assert_msg(!store->class->commit(store, &err), "%s", err.text);
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
}

void scratch_make(char path[64])
{
    strcpy(path, "scratch.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

void scratch_remove(const char *path)
{
    static const char *const files[] = {"codesign.db", "codesign.db-wal", "codesign.db-shm"};
    char name[128];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", path, files[i]);
        (void)unlink(name);
    }
    ck_assert_int_eq(rmdir(path), 0);
}
