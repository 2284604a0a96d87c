/* The study: see study.h. */
#include "search/study.h"

#include "search/front/archive.h"
#include "search/front/seen.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_FORMAT 1

struct cs_study {
    const cs_plan *plan;
    cs_engine_problem problem; /* the engine borrows it */
    cs_engine *engine;
    cs_seen *seen;
    cs_archive *archive;
    cs_progress progress;
    const char *end;

    uint32_t open; /* candidates of the open generation; 0: none is open */
    /* one row a candidate of a batch */
    uint8_t *genomes;
    uint8_t *outcomes;
    double *metrics;
    cs_score *scores;
    uint32_t *entrants;
    uint32_t entrant_count;
};

cs_study *cs_study_new(const cs_plan *plan, cs_error *err)
{
    cs_study *study = calloc(1, sizeof *study);
    if (!study) {
        cs_fail_memory(err);
        return NULL;
    }
    study->plan = plan;
    size_t batch = plan->batch;
    double reference[CS_MAX_OBJECTIVES];
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        reference[i] = 1; /* scores are scaled so: cs_objective */
    }
    study->genomes = malloc(batch * cs_space_genome_bytes(plan->space));
    study->outcomes = malloc(batch);
    study->metrics = malloc(batch * plan->metric_count * sizeof *study->metrics);
    study->scores = malloc(batch * sizeof *study->scores);
    study->entrants = malloc(batch * sizeof *study->entrants);
    study->seen = cs_seen_new();
    study->archive = cs_archive_new(plan->objective_count, reference);
    if (!study->genomes || !study->outcomes || !study->metrics || !study->scores ||
        !study->entrants || !study->seen || !study->archive) {
        cs_fail_memory(err);
        goto fail;
    }
    study->engine = cs_plan_engine(plan, &study->problem, err);
    if (!study->engine) {
        goto fail;
    }
    return study;
fail:
    cs_study_free(study);
    return NULL;
}

void cs_study_free(cs_study *study)
{
    if (study) {
        if (study->engine) {
            study->engine->class->free(study->engine);
        }
        cs_archive_free(study->archive);
        cs_seen_free(study->seen);
        free(study->genomes);
        free(study->outcomes);
        free(study->metrics);
        free(study->scores);
        free(study->entrants);
        free(study);
    }
}

cs_status cs_study_ask(cs_study *study, cs_batch *batch, cs_error *err)
{
    assert(study->open == 0);
    uint64_t left = study->plan->evaluations - study->progress.evaluations;
    uint32_t count = 0;
    if (left == 0) {
        study->end = "evaluations used up";
    } else {
        count = study->engine->class->ask(study->engine, study->seen, study->genomes);
        if (cs_seen_failed(study->seen)) {
            return cs_fail_memory(err);
        }
        if (count > left) {
            count = (uint32_t)left;
        }
        study->end = count ? NULL : "every point of the space has been evaluated";
    }
    study->open = count;
    *batch = (cs_batch){
        .first_index = study->progress.evaluations,
        .count = count,
        .genomes = study->genomes,
        .outcomes = study->outcomes,
        .metrics = study->metrics,
    };
    return CS_OK;
}

/* Offer one feasible candidate to the archive; if it enters, it is an entrant of this generation.
 */
static cs_status offer(cs_study *study, const cs_score *score, uint32_t offset,
                       uint64_t first_index, cs_error *err)
{
    bool entered;
    cs_status status =
        cs_archive_offer(study->archive, score->objectives, first_index + offset, &entered, err);
    if (!status && entered) {
        study->entrants[study->entrant_count++] = offset;
    }
    return status;
}

static int compare_indices(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The members that left the front in this generation, in rising order; malloc'd. */
static cs_status collect_removed(const cs_study *study, uint64_t **removed, uint32_t *removed_count,
                                 cs_error *err)
{
    size_t count;
    const uint64_t *unsorted = cs_archive_removed(study->archive, &count);
    uint64_t *sorted = malloc((count ? count : 1) * sizeof *sorted);
    if (!sorted) {
        return cs_fail_memory(err);
    }
    if (count) {
        memcpy(sorted, unsorted, count * sizeof *sorted);
    }
    qsort(sorted, count, sizeof *sorted, compare_indices);
    *removed = sorted;
    *removed_count = (uint32_t)count;
    return CS_OK;
}

cs_status cs_study_tell(cs_study *study, cs_buffer *record, cs_error *err)
{
    const cs_plan *plan = study->plan;
    cs_progress *progress = &study->progress;
    uint32_t count = study->open;
    uint64_t first_index = progress->evaluations;
    assert(count > 0);

    cs_archive_forget_removed(study->archive);
    study->entrant_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const double *metrics = study->metrics + (size_t)i * plan->metric_count;
        study->scores[i] = cs_score_of(plan, study->outcomes[i], metrics);
        assert(study->outcomes[i] < CS_OUTCOME_COUNT);
        progress->outcomes[study->outcomes[i]]++;
        if (study->outcomes[i] == CS_OUTCOME_FEASIBLE) {
            cs_status status = offer(study, &study->scores[i], i, first_index, err);
            if (status) {
                return status;
            }
        }
    }
    cs_status status =
        study->engine->class->tell(study->engine, study->genomes, study->scores, count, err);
    if (status) {
        return status;
    }
    progress->generation++;
    progress->evaluations += count;
    progress->front_size = cs_archive_count(study->archive);
    progress->hypervolume = cs_archive_hypervolume(study->archive);
    study->open = 0;

    uint64_t *removed = NULL;
    uint32_t removed_count = 0;
    status = collect_removed(study, &removed, &removed_count, err);
    if (status) {
        return status;
    }
    cs_record_write(
        &(cs_record_source){
            .progress = progress,
            .first_index = first_index,
            .count = count,
            .keep_all = plan->keep_all,
            .genome_bytes = (uint32_t)cs_space_genome_bytes(plan->space),
            .metric_count = plan->metric_count,
            .genomes = study->genomes,
            .outcomes = study->outcomes,
            .metrics = study->metrics,
            .entrants = study->entrants,
            .entrant_count = study->entrant_count,
            .removed = removed,
            .removed_count = removed_count,
        },
        record);
    free(removed);
    return record->failed ? cs_fail_memory(err) : CS_OK;
}

const char *cs_study_end(const cs_study *study)
{
    return study->end ? study->end : "";
}

const cs_progress *cs_study_progress(const cs_study *study)
{
    return &study->progress;
}

void cs_study_save(const cs_study *study, cs_buffer *buffer)
{
    assert(study->open == 0);
    cs_buffer_put_u8(buffer, CHECKPOINT_FORMAT);
    cs_buffer_put(buffer, study->plan->bundle_hash.bytes, CS_HASH_BYTES);
    cs_buffer_put_u32(buffer, study->plan->simulator->revision);
    cs_buffer_put_u64(buffer, study->progress.generation);
    cs_buffer_put_u64(buffer, study->progress.evaluations);
    study->engine->class->save(study->engine, buffer);
}

static bool is_finite(const cs_plan *plan, const cs_score *score)
{
    bool finite = true;
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        finite = finite && isfinite(score->objectives[i]);
    }
    return finite;
}

cs_status cs_study_replay(cs_study *study, const void *record, size_t size, cs_error *err)
{
    const cs_plan *plan = study->plan;
    cs_record got;
    cs_status status = cs_record_read(record, size, (uint32_t)cs_space_genome_bytes(plan->space),
                                      plan->metric_count, &got, err);
    if (status) {
        return status;
    }
    if (got.first_index != study->progress.evaluations ||
        got.progress.evaluations > plan->evaluations ||
        got.progress.generation != study->progress.generation + 1) {
        return cs_fail(err, CS_ECORRUPT, "generation %llu does not follow generation %llu",
                       (unsigned long long)got.progress.generation,
                       (unsigned long long)study->progress.generation);
    }
    for (uint32_t i = 0; i < got.count; i++) {
        if (!cs_seen_add(study->seen, cs_record_key(&got, i))) {
            return cs_seen_failed(study->seen)
                       ? cs_fail_memory(err)
                       : cs_fail(err, CS_ECORRUPT, "candidate %llu stands twice in the records",
                                 (unsigned long long)(got.first_index + i));
        }
    }
    cs_archive_forget_removed(study->archive);
    for (uint32_t i = 0; i < got.entrant_count; i++) {
        double metrics[CS_METRIC_COUNT];
        uint32_t row = cs_record_entrant_row(&got, i);
        cs_rows_metrics(&got.rows, row, metrics);
        cs_score score = cs_score_of(plan, got.rows.outcomes[row], metrics);
        bool entered = false;
        if (got.rows.outcomes[row] == CS_OUTCOME_FEASIBLE && is_finite(plan, &score)) {
            status = cs_archive_offer(study->archive, score.objectives,
                                      got.first_index + cs_record_entrant(&got, i), &entered, err);
        }
        if (!status && !entered) {
            status = cs_fail(err, CS_ECORRUPT, "candidate %llu does not belong on the front",
                             (unsigned long long)(got.first_index + cs_record_entrant(&got, i)));
        }
        if (status) {
            return status;
        }
    }
    study->progress = got.progress;
    if (cs_archive_count(study->archive) != got.progress.front_size ||
        cs_archive_hypervolume(study->archive) != got.progress.hypervolume) {
        return cs_fail(err, CS_ECORRUPT, "the front after generation %llu is not the recorded one",
                       (unsigned long long)got.progress.generation);
    }
    return CS_OK;
}

cs_status cs_study_load(cs_study *study, const void *checkpoint, size_t size, cs_error *err)
{
    cs_reader in = cs_reader_of(checkpoint, size);
    uint8_t format = cs_reader_get_u8(&in);
    const uint8_t *hash = cs_reader_get(&in, CS_HASH_BYTES);
    (void)cs_reader_get_u32(&in); /* the simulator's revision, for people; the job's row decides */
    uint64_t generation = cs_reader_get_u64(&in);
    uint64_t evaluations = cs_reader_get_u64(&in);
    if (in.failed || format != CHECKPOINT_FORMAT ||
        memcmp(hash, study->plan->bundle_hash.bytes, CS_HASH_BYTES) != 0 ||
        generation != study->progress.generation || evaluations != study->progress.evaluations) {
        return cs_fail(err, CS_ECORRUPT,
                       "the checkpoint does not belong to this job at generation %llu",
                       (unsigned long long)study->progress.generation);
    }
    cs_status status = study->engine->class->load(study->engine, &in, err);
    if (!status && !cs_reader_done(&in)) {
        status = cs_fail(err, CS_ECORRUPT, "the checkpoint has bytes that belong to nothing");
    }
    return status;
}
