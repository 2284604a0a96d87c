/* Candidates as columns: what pages and watch events carry, held by a client.
 *
 * Rows are kept in rising order of their index, each index once. */
#ifndef CS_CLIENT_CANDIDATES_H
#define CS_CLIENT_CANDIDATES_H

#include "base/status.h"
#include "proto/codesign.pb-c.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cs_candidates {
    size_t genome_bytes, metric_count; /* of one row */
    size_t count;
    size_t capacity;
    uint64_t *index;  /* count, rising */
    uint8_t *genomes; /* count * genome_bytes */
    uint8_t *status;  /* count; 0 feasible, 1 over a limit, else 16 + reason */
    double *metrics;  /* count * metric_count; NAN where a candidate has none */
} cs_candidates;

/* Make it empty, for candidates of that shape. */
void cs_candidates_init(cs_candidates *candidates, size_t genome_bytes, size_t metric_count);

/* Free its memory and leave it empty. */
void cs_candidates_release(cs_candidates *candidates);

/* Add the rows of a message; a row whose index is there already is replaced. CS_ECORRUPT if the
 * columns of the message do not fit together or this shape; on failure nothing is changed. */
CS_MUST_CHECK cs_status cs_candidates_add(cs_candidates *candidates,
                                          const Codesign__Candidates *message, cs_error *err);

/* Take rows out; an index that is not there is no mistake. */
CS_MUST_CHECK cs_status cs_candidates_remove(cs_candidates *candidates, const uint64_t *indices,
                                             size_t count, cs_error *err);

/* Take all rows out and keep the memory. */
void cs_candidates_clear(cs_candidates *candidates);

/* Make `to` equal to `from`, which has the same shape. */
CS_MUST_CHECK cs_status cs_candidates_copy(cs_candidates *to, const cs_candidates *from,
                                           cs_error *err);

/* The row of an index, or SIZE_MAX. */
size_t cs_candidates_find(const cs_candidates *candidates, uint64_t index);

#endif
