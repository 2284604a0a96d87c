/* The published front of a job: what clients may know, which is what has been committed.
 *
 * Every member carries the number of the generation that brought it; so does every removal in a
 * bounded log. What a watcher lacks is therefore "all members from here on and all removals from
 * there on", however long it did not listen: deltas merge by themselves, and a slow reader costs
 * nothing. Candidates' indices rise with generations, so one order serves both. Belongs to the
 * loop. */
#ifndef CS_DAEMON_FRONT_H
#define CS_DAEMON_FRONT_H

#include "search/record.h"

typedef struct cs_front cs_front;

/* NULL for want of memory. */
cs_front *cs_front_new(uint32_t genome_bytes, uint32_t metric_count);
void cs_front_free(cs_front *front);

/* Apply a committed record. CS_ECORRUPT if it is not the next generation's, CS_ENOMEM. */
CS_MUST_CHECK cs_status cs_front_apply(cs_front *front, const cs_record *record, cs_error *err);

/* Totals after the last record. */
const cs_progress *cs_front_progress(const cs_front *front);

/* Append all of it as a blob (the job's result), and read one. CS_ECORRUPT, CS_ENOMEM. */
void cs_front_save(const cs_front *front, cs_buffer *buffer);
cs_front *cs_front_load(const void *blob, size_t size, uint32_t genome_bytes, uint32_t metric_count,
                        cs_error *err);

/* Where a watcher is in the history of a front. */
typedef struct cs_front_cursor {
    uint64_t next_index;   /* members with smaller indices have been sent */
    uint64_t next_removal; /* removals before this have been sent (counted since the beginning) */
} cs_front_cursor;

/* The cursor of one who holds the front of `generation`. False if that can not be told any more
 * (the log does not reach so far, or there is no such generation): start afresh, at a zero cursor.
 */
bool cs_front_seek(const cs_front *front, uint64_t generation, cs_front_cursor *cursor);

/* The cursor of one who holds nothing. */
cs_front_cursor cs_front_start(const cs_front *front);

/* A part of what a watcher lacks. Pointers are borrowed until the front changes. */
typedef struct cs_front_delta {
    const uint64_t *removed; /* NULL for none */
    size_t removed_count;
    /* added rows, n of each; NULL for none */
    size_t added_count;
    const uint64_t *indices;
    const uint8_t *genomes; /* added_count * genome_bytes */
    const double *metrics;  /* added_count * metric_count */
    bool complete;          /* nothing is lacking after this one */
} cs_front_delta;

/* The next part, with at most `limit` added rows and at most `limit` removals; the cursor moves
 * past it. False if the log no longer reaches back to the cursor: start afresh. */
bool cs_front_next(const cs_front *front, cs_front_cursor *cursor, size_t limit,
                   cs_front_delta *delta);

#endif
