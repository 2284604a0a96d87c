/* The store: what survives a kill.
 *
 * A store is a database of jobs, their bundles, their generations and their latest checkpoints. All
 * functions are synchronous; a handle belongs to one thread at a time. Writes happen between begin
 * and commit; daemon/writer.h groups them and keeps the database off the event loop. A handle
 * opened for reading sees committed data only. Every implementation passes
 * tests/daemon/test_store.c. docs/storage.md describes the tables. */
#ifndef CS_DAEMON_STORE_H
#define CS_DAEMON_STORE_H

#include "base/buffer.h"
#include "base/hash.h"
#include "base/status.h"
#include "search/bundle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The states that are stored. Whether an active job is queued or running is the daemon's business
 * of the moment. Never renumber. */
typedef enum cs_job_state {
    CS_JOB_ACTIVE = 1,
    CS_JOB_PAUSED = 2,
    CS_JOB_DONE = 3,
    CS_JOB_CANCELLED = 4,
    CS_JOB_FAILED = 5,
} cs_job_state;

#define CS_SUBMIT_KEY_BYTES 16
#define CS_JOB_MAX          (1u << 22)   /* job numbers: 1 .. CS_JOB_MAX */
#define CS_CANDIDATE_MAX    (1ull << 40) /* candidates of one job */

/* A job's fixed facts and its state: a plain value. */
typedef struct cs_job_row {
    uint64_t id;
    uint8_t key[CS_SUBMIT_KEY_BYTES]; /* of its submission */
    char name[128];
    char owner[64];
    char engine[32];
    char simulator[32];
    uint32_t simulator_revision;
    cs_hash bundle; /* cs_bundle_hash */
    uint64_t submitted_ms;
    uint64_t seed;
    uint64_t budget; /* evaluations */
    uint32_t batch;
    uint32_t genome_bytes, metric_count;
    bool keep_all;
    bool mixed; /* holds results of more than one simulator revision */
    cs_job_state state;
    char reason[CS_ERROR_TEXT]; /* of the state; "" for none */
} cs_job_row;

/* What is written once with a job and read when somebody asks. Owns its memory. */
typedef struct cs_job_detail {
    cs_buffer schema; /* for clients: codesign.Schema, packed */
    char *space_size; /* decimal */
    char *recalled;   /* names of files with recalled values, one a line */
} cs_job_detail;

void cs_job_detail_release(cs_job_detail *detail);

typedef struct cs_store cs_store; /* first member of every implementation's struct */

typedef struct cs_store_class {
    const char *name;

    /* Open (and for writing: create or migrate) the database in a directory. A newer schema than
     * this program's is CS_EVERSION with both numbers; a damaged file is CS_ECORRUPT. NULL on
     * failure. */
    cs_store *(*open)(const char *directory, bool writable, bool full_sync, cs_error *err);
    void (*close)(cs_store *store);

    /* ---- writing: between begin and commit; rollback undoes all since begin. After a failed write
     * or commit, rollback is all that may follow; the store is then as it was at begin. A job that
     * does not exist is CS_ENOENT here and below. ---- */
    cs_status (*begin)(cs_store *store, cs_error *err);
    cs_status (*commit)(cs_store *store, cs_error *err);
    void (*rollback)(cs_store *store);

    /* Add a job with its bundle. row->id is filled in: the next number (none is given twice), or,
     * if a job with this key exists, that job's number and *added = false. row->bundle must be the
     * bundle's hash. CS_ELIMIT when all numbers are used up. */
    cs_status (*add_job)(cs_store *store, cs_job_row *row, const cs_job_detail *detail,
                         const cs_bundle *bundle, bool *added, cs_error *err);

    /* Store state, reason, mixed, simulator and revision of row->id. */
    cs_status (*set_job)(cs_store *store, const cs_job_row *row, cs_error *err);

    /* Add the generation that begins at candidate `first_index` and has `count` candidates, with
     * the checkpoint after it, under the job's present simulator revision. CS_ESTATE unless it
     * follows the last one stored, so that a lost commit can never leave a gap. */
    cs_status (*add_generation)(cs_store *store, uint64_t job, uint64_t first_index, uint32_t count,
                                const cs_buffer *record, const cs_buffer *checkpoint,
                                cs_error *err);

    /* Replace the job's result: an opaque blob (the front when it last stopped). */
    cs_status (*set_result)(cs_store *store, uint64_t job, const cs_buffer *result, cs_error *err);

    /* ---- reading ---- */

    /* All jobs by rising number, one call each; stops when `each` returns false. */
    cs_status (*list_jobs)(cs_store *store, bool (*each)(const cs_job_row *row, void *context),
                           void *context, cs_error *err);

    cs_status (*get_detail)(cs_store *store, uint64_t job, cs_job_detail *detail, cs_error *err);

    /* The whole bundle, into an empty one. CS_ECORRUPT if a file is not what its hash says. */
    cs_status (*get_bundle)(cs_store *store, uint64_t job, cs_bundle *bundle, cs_error *err);

    /* The records from the one that holds candidate `from` (or the next that exists), in order, one
     * call each, until `each` returns false. The blob is valid during the call. */
    cs_status (*read_records)(cs_store *store, uint64_t job, uint64_t from,
                              bool (*each)(const void *record, size_t size, void *context),
                              void *context, cs_error *err);

    /* The record of the last generation, appended to `record`; nothing if there is none. */
    cs_status (*last_record)(cs_store *store, uint64_t job, cs_buffer *record, cs_error *err);

    /* The checkpoint after the last generation, appended; nothing if there is no generation. */
    cs_status (*get_checkpoint)(cs_store *store, uint64_t job, cs_buffer *checkpoint,
                                cs_error *err);

    /* The result, appended; nothing if there is none. */
    cs_status (*get_result)(cs_store *store, uint64_t job, cs_buffer *result, cs_error *err);
} cs_store_class;

struct cs_store {
    const cs_store_class *class;
};

extern const cs_store_class cs_store_sqlite;

#endif
