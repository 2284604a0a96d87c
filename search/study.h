/* The study: one search, driven by ask and tell, without threads, clocks or files.
 *
 * The caller asks for a batch, fills in its outcomes and metrics (cs_evaluate, in any order and on
 * any thread, each row by one), and tells. Between a tell and the next ask a study can be saved;
 * replaying its records and loading the checkpoint gives a study that goes on identically. A study
 * is used by one thread at a time. */
#ifndef CS_SEARCH_STUDY_H
#define CS_SEARCH_STUDY_H

#include "search/record.h"

typedef struct cs_study cs_study;

/* An open generation. The arrays are the study's; the caller writes outcomes and metrics. */
typedef struct cs_batch {
    uint64_t first_index; /* of the first candidate: JOB/first_index is its name */
    uint32_t count;       /* 0: the search is over */
    const uint8_t *genomes;
    uint8_t *outcomes;
    double *metrics; /* count * plan->metric_count */
} cs_batch;

/* The plan is borrowed. NULL on failure. */
cs_study *cs_study_new(const cs_plan *plan, cs_error *err);
void cs_study_free(cs_study *study);

/* Open the next generation. count is 0 when the budget is used up or no unseen point is found; then
 * cs_study_end says which. */
CS_MUST_CHECK cs_status cs_study_ask(cs_study *study, cs_batch *batch, cs_error *err);

/* Close the open generation, whose rows are all filled in. The generation's record is appended to
 * `record`. After a failure the study is only good for freeing. */
CS_MUST_CHECK cs_status cs_study_tell(cs_study *study, cs_buffer *record, cs_error *err);

/* One sentence: why the last ask was empty. */
const char *cs_study_end(const cs_study *study);

/* Totals after the last tell. */
const cs_progress *cs_study_progress(const cs_study *study);

/* Append a checkpoint, in proportion to the population. Not while a generation is open. */
void cs_study_save(const cs_study *study, cs_buffer *buffer);

/* Into a new study of the same plan: all records in order, then the checkpoint of the last. */
CS_MUST_CHECK cs_status cs_study_replay(cs_study *study, const void *record, size_t size,
                                        cs_error *err);
CS_MUST_CHECK cs_status cs_study_load(cs_study *study, const void *checkpoint, size_t size,
                                      cs_error *err);

#endif
