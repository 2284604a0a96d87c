/* Jobs and directories to test stores with. */
#ifndef CS_TESTS_DAEMON_SAMPLE_JOB_H
#define CS_TESTS_DAEMON_SAMPLE_JOB_H

#include "daemon/store.h"

typedef struct sample_job {
    cs_job_row row;
    cs_job_detail detail;
    cs_bundle bundle;
} sample_job;

/* Job number `n` of a test: each has a text, overrides and a file of its own, and they share one
 * file. Released with sample_job_release. */
sample_job sample_job_of(uint32_t n);
void sample_job_release(sample_job *job);

/* Begin, add, commit; returns the job's number. */
uint64_t sample_job_add(cs_store *store, uint32_t n);

/* A blob of `size` bytes that depend on `tag` and place. Replaces what `buffer` holds. */
void sample_blob(cs_buffer *buffer, uint64_t tag, size_t size);

/* Begin, add a generation of `count` candidates, commit. The record is sample_blob of the first
 * index and the checkpoint that of the next. */
void sample_generation_add(cs_store *store, uint64_t job, uint64_t first_index, uint32_t count,
                           size_t size);

/* A new directory in the working folder, and its removal with the database in it. */
void scratch_make(char path[64]);
void scratch_remove(const char *path);

#endif
