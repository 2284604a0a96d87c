/* Any bytes as the record of a generation and the checkpoint after it. A byte of flags says which
 * job they are for and whether checksums are made right, two bytes how long the record is, and the
 * checkpoint follows it. What is accepted is searched for one more generation. */
#include "fuzz.h"

#include "search/study.h"
#include "tests/search/job.h"

#include <stdbool.h>
#include <string.h>

enum {
    FLAG_RANDOM = 1,     /* the job's engine is random search, else NSGA-II */
    FLAG_FRONT = 2,      /* the job keeps rows of the front only */
    FLAG_RECORD = 4,     /* the record gets the right checksum */
    FLAG_CHECKPOINT = 8, /* what is given is the engine's state, put into a right frame */
    PLAN_COUNT = 4,
    HEAD_BYTES = 3,
};

static cs_plan *make_plan(unsigned flags)
{
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, NULL, "engine_options = { population = 6; };", "");
    job_set(&bundle, "batch=4");
    job_set(&bundle, flags & FLAG_RANDOM ? "engine=random" : "engine=nsga2");
    job_set(&bundle, flags & FLAG_FRONT ? "keep=front" : "keep=all");
    return job_plan(&bundle);
}

/* Made at the first use and kept; they are constants. */
static const cs_plan *plan_of(unsigned flags)
{
    static cs_plan *plans[PLAN_COUNT];
    cs_plan **plan = &plans[flags % PLAN_COUNT];
    *plan = *plan ? *plan : make_plan(flags);
    return *plan;
}

static void put_key(cs_buffer *buffer, const uint8_t *bytes, size_t size)
{
    cs_key key = cs_key_of(bytes, size);
    cs_buffer_put(buffer, &key, sizeof key);
}

static void read_rows(const cs_plan *plan, const cs_record *record)
{
    for (uint32_t i = 0; i < record->count; i++) {
        (void)cs_record_key(record, i);
    }
    for (uint32_t i = 0; i < record->entrant_count; i++) {
        uint32_t row = cs_record_entrant_row(record, i);
        double metrics[CS_METRIC_COUNT];
        FUZZ_EXPECT(cs_record_entrant(record, i) < record->count && row < record->rows.count);
        cs_rows_metrics(&record->rows, row, metrics);
        (void)cs_score_of(plan, record->rows.outcomes[row], metrics);
    }
    for (uint32_t i = 0; i < record->removed_count; i++) {
        FUZZ_EXPECT(cs_record_removed(record, i) < record->progress.evaluations);
    }
}

/* Both accepted or refused with the status for damage. */
static bool accepted(cs_status status)
{
    FUZZ_EXPECT(status == CS_OK || status == CS_ECORRUPT);
    return status == CS_OK;
}

/* The study's own checkpoint with `state` in place of its engine's. */
static void frame_checkpoint(const cs_study *study, const uint8_t *state, size_t size,
                             cs_buffer *framed)
{
    enum { STUDY_HEAD = 1 + CS_HASH_BYTES + 4 + 8 + 8 };
    cs_buffer own = {0};
    cs_study_save(study, &own);
    FUZZ_EXPECT(!own.failed && own.size >= STUDY_HEAD + 4 + 2 * sizeof(cs_key));
    cs_buffer_put(framed, own.data, STUDY_HEAD);
    cs_buffer_put_u32(framed, (uint32_t)(sizeof(cs_key) + size));
    cs_buffer_put(framed, own.data + STUDY_HEAD + 4, sizeof(cs_key));
    cs_buffer_put(framed, state, size);
    put_key(framed, framed->data + STUDY_HEAD, framed->size - STUDY_HEAD);
    cs_buffer_release(&own);
}

static void go_on(cs_study *study, const cs_plan *plan)
{
    cs_batch batch;
    cs_evaluator evaluator = {0};
    cs_buffer record = {0};
    FUZZ_EXPECT(cs_study_ask(study, &batch, NULL) == CS_OK);
    size_t bytes = cs_space_genome_bytes(plan->space);
    for (uint32_t i = 0; i < batch.count; i++) {
        FUZZ_EXPECT(cs_space_contains(plan->space, batch.genomes + i * bytes, bytes));
        FUZZ_EXPECT(cs_evaluate(plan, &evaluator, batch.genomes + i * bytes, &batch.outcomes[i],
                                batch.metrics + (size_t)i * plan->metric_count, NULL) == CS_OK);
    }
    if (batch.count) {
        FUZZ_EXPECT(cs_study_tell(study, &record, NULL) == CS_OK);
    }
    cs_buffer_release(&record);
    cs_evaluator_release(&evaluator);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES) {
        return 0;
    }
    unsigned flags = data[0];
    size_t record_size = data[1] | (size_t)data[2] << 8;
    size_t left = size - HEAD_BYTES;
    record_size = record_size < left ? record_size : left;
    const uint8_t *rest = data + HEAD_BYTES + record_size;
    size_t rest_size = left - record_size;

    const cs_plan *plan = plan_of(flags);
    cs_buffer blob = {0}, checkpoint = {0};
    cs_buffer_put(&blob, data + HEAD_BYTES, record_size);
    if (flags & FLAG_RECORD) {
        put_key(&blob, data + HEAD_BYTES, record_size);
    }
    cs_record record;
    if (accepted(cs_record_read(blob.data, blob.size, (uint32_t)cs_space_genome_bytes(plan->space),
                                plan->metric_count, &record, NULL))) {
        read_rows(plan, &record);
    }
    cs_study *study = cs_study_new(plan, NULL);
    FUZZ_EXPECT(study != NULL);
    /* Without a record the checkpoint is that of a study that has not begun. */
    if (record_size == 0 || accepted(cs_study_replay(study, blob.data, blob.size, NULL))) {
        if (flags & FLAG_CHECKPOINT) {
            frame_checkpoint(study, rest, rest_size, &checkpoint);
        } else {
            cs_buffer_put(&checkpoint, rest, rest_size);
        }
        if (accepted(cs_study_load(study, checkpoint.data, checkpoint.size, NULL))) {
            go_on(study, plan);
        }
    }
    cs_study_free(study);
    cs_buffer_release(&blob);
    cs_buffer_release(&checkpoint);
    return 0;
}
