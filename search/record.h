/* The record of a generation: what is stored of it, as one blob.
 *
 * It holds its candidates as columns (all of them, or with keep = "front" a 16-byte key of each and
 * full rows of those that entered the front), which of them entered, which members left (an entrant
 * may be thrown out by a later one of its own generation), and the running totals, and ends with a
 * checksum (XXH3-128). A study is rebuilt by replaying its records in order; lists of candidates
 * and fronts are read from them. docs/storage.md has the layout. */
#ifndef CS_SEARCH_RECORD_H
#define CS_SEARCH_RECORD_H

#include "base/buffer.h"
#include "base/hash.h"
#include "search/evaluate.h"

/* Running totals of a study after a generation. */
typedef struct cs_progress {
    uint64_t generation;  /* generations told; the first is number 1 */
    uint64_t evaluations; /* candidates told: the next one's index */
    uint64_t outcomes[CS_OUTCOME_COUNT];
    double hypervolume; /* share of the job's box */
    uint64_t front_size;
} cs_progress;

/* Candidates as columns. `count` rows; pointers are borrowed. */
typedef struct cs_rows {
    uint32_t count;
    uint32_t genome_bytes, metric_count;
    const uint8_t *genomes;  /* count * genome_bytes */
    const uint8_t *outcomes; /* count */
    const uint8_t *metrics;  /* count * metric_count doubles, unaligned: cs_rows_metrics */
} cs_rows;

/* The metrics of a row, copied out. */
void cs_rows_metrics(const cs_rows *rows, uint32_t row, double *metrics);

/* A decoded record; borrows from the blob. */
typedef struct cs_record {
    cs_progress progress;
    uint64_t first_index;
    uint32_t count;      /* candidates of this generation */
    bool keep_all;       /* rows holds all candidates, else the entrants */
    const uint8_t *keys; /* !keep_all: count keys of 16 bytes, unaligned */
    cs_rows rows;
    uint32_t entrant_count;
    const uint8_t *entrants; /* u32 each: offset of the candidate within the generation, rising */
    uint32_t removed_count;
    const uint8_t *removed; /* u64 each: index of a member that left the front, rising */
} cs_record;

/* Read a blob. CS_ECORRUPT on anything that is not a record of this plan's shape, or is not as it
 * was written. */
CS_MUST_CHECK cs_status cs_record_read(const void *blob, size_t size, uint32_t genome_bytes,
                                       uint32_t metric_count, cs_record *record, cs_error *err);

uint32_t cs_record_entrant(const cs_record *record, uint32_t i);
uint64_t cs_record_removed(const cs_record *record, uint32_t i);

/* The row of the i-th entrant. */
uint32_t cs_record_entrant_row(const cs_record *record, uint32_t i);

/* The seen-set's key of the i-th candidate of the generation. */
cs_key cs_record_key(const cs_record *record, uint32_t i);

/* What cs_record_write is given; arrays as in cs_record, aligned. */
typedef struct cs_record_source {
    const cs_progress *progress;
    uint64_t first_index;
    uint32_t count;
    bool keep_all;
    uint32_t genome_bytes, metric_count;
    const uint8_t *genomes;
    const uint8_t *outcomes;
    const double *metrics;
    const uint32_t *entrants;
    uint32_t entrant_count;
    const uint64_t *removed;
    uint32_t removed_count;
} cs_record_source;

/* Append a record to a buffer (whose `failed` tells of want of memory); count >= 1. */
void cs_record_write(const cs_record_source *source, cs_buffer *buffer);

#endif
