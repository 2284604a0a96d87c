/* Candidates as columns: see candidates.h. */
#include "client/candidates.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void cs_candidates_init(cs_candidates *candidates, size_t genome_bytes, size_t metric_count)
{
    *candidates = (cs_candidates){.genome_bytes = genome_bytes, .metric_count = metric_count};
}

void cs_candidates_release(cs_candidates *candidates)
{
    free(candidates->index);
    free(candidates->genomes);
    free(candidates->status);
    free(candidates->metrics);
    cs_candidates_init(candidates, candidates->genome_bytes, candidates->metric_count);
}

/* Columns for `capacity` rows. One byte or number more than is needed, so that a shape without
 * genes or metrics is no special case. */
static bool allocate(cs_candidates *columns, size_t capacity)
{
    columns->capacity = capacity;
    columns->index = calloc(capacity + 1, sizeof *columns->index);
    columns->genomes = calloc(capacity + 1, columns->genome_bytes + 1);
    columns->status = calloc(capacity + 1, 1);
    columns->metrics = calloc(capacity + 1, (columns->metric_count + 1) * sizeof(double));
    return columns->index && columns->genomes && columns->status && columns->metrics;
}

/* Copy `count` rows, also none of columns that were never allocated; where `to` is `from`, rows
 * only move towards the start. */
static void copy_rows(cs_candidates *to, size_t at, const cs_candidates *from, size_t first,
                      size_t count)
{
    if (count == 0) {
        return;
    }
    size_t genome = to->genome_bytes, metrics = to->metric_count;
    memmove(to->index + at, from->index + first, count * sizeof *to->index);
    memmove(to->genomes + at * genome, from->genomes + first * genome, count * genome);
    memmove(to->status + at, from->status + first, count);
    memmove(to->metrics + at * metrics, from->metrics + first * metrics,
            count * metrics * sizeof(double));
}

typedef struct place {
    uint64_t index;
    size_t row; /* in the message */
} place;

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->index != y->index) {
        return x->index < y->index ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

static cs_status check_shape(const cs_candidates *candidates, const Codesign__Candidates *message,
                             cs_error *err)
{
    size_t rows = message->n_index;
    size_t genomes = message->has_genomes ? message->genomes.len : 0;
    if (genomes != rows * candidates->genome_bytes ||
        message->n_metrics != rows * candidates->metric_count ||
        (message->has_status && message->status.len != rows)) {
        return cs_fail(err, CS_ECORRUPT,
                       "the server sent %zu candidates with %zu bytes of genomes and %zu metrics; "
                       "its job has %zu bytes and %zu metrics a candidate",
                       rows, genomes, message->n_metrics, candidates->genome_bytes,
                       candidates->metric_count);
    }
    return CS_OK;
}

static void put_row(cs_candidates *to, const Codesign__Candidates *message, const place *from)
{
    size_t at = to->count++;
    to->index[at] = from->index;
    to->status[at] = message->has_status ? message->status.data[from->row] : 0;
    if (to->genome_bytes) {
        memcpy(to->genomes + at * to->genome_bytes,
               message->genomes.data + from->row * to->genome_bytes, to->genome_bytes);
    }
    if (to->metric_count) {
        memcpy(to->metrics + at * to->metric_count, message->metrics + from->row * to->metric_count,
               to->metric_count * sizeof(double));
    }
}

cs_status cs_candidates_add(cs_candidates *candidates, const Codesign__Candidates *message,
                            cs_error *err)
{
    cs_status status = check_shape(candidates, message, err);
    size_t added = message->n_index;
    if (status || !added) {
        return status;
    }
    cs_candidates merged;
    cs_candidates_init(&merged, candidates->genome_bytes, candidates->metric_count);
    place *places = calloc(added, sizeof *places);
    if (!places || !allocate(&merged, candidates->count + added)) {
        free(places);
        cs_candidates_release(&merged);
        return cs_fail_memory(err);
    }
    for (size_t i = 0; i < added; i++) {
        places[i] = (place){.index = message->index[i], .row = i};
    }
    qsort(places, added, sizeof *places, compare_places);

    size_t old = 0;
    for (size_t i = 0; i < added; i++) {
        if (i + 1 < added && places[i + 1].index == places[i].index) {
            continue; /* the last row of an index counts */
        }
        size_t before = old;
        while (old < candidates->count && candidates->index[old] < places[i].index) {
            old++;
        }
        copy_rows(&merged, merged.count, candidates, before, old - before);
        merged.count += old - before;
        old += old < candidates->count && candidates->index[old] == places[i].index;
        put_row(&merged, message, &places[i]);
    }
    copy_rows(&merged, merged.count, candidates, old, candidates->count - old);
    merged.count += candidates->count - old;
    free(places);
    cs_candidates_release(candidates);
    *candidates = merged;
    return CS_OK;
}

size_t cs_candidates_find(const cs_candidates *candidates, uint64_t index)
{
    size_t low = 0, high = candidates->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (candidates->index[middle] < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < candidates->count && candidates->index[low] == index ? low : SIZE_MAX;
}

cs_status cs_candidates_remove(cs_candidates *candidates, const uint64_t *indices, size_t count,
                               cs_error *err)
{
    /* Marked first, so that many removals are one pass over the rows. */
    bool *gone = calloc(candidates->count + 1, sizeof *gone);
    if (!gone) {
        return cs_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        size_t row = cs_candidates_find(candidates, indices[i]);
        if (row != SIZE_MAX) {
            gone[row] = true;
        }
    }
    size_t kept = 0;
    for (size_t row = 0; row < candidates->count; row++) {
        if (!gone[row]) {
            copy_rows(candidates, kept++, candidates, row, 1);
        }
    }
    candidates->count = kept;
    free(gone);
    return CS_OK;
}

void cs_candidates_clear(cs_candidates *candidates)
{
    candidates->count = 0;
}

cs_status cs_candidates_copy(cs_candidates *to, const cs_candidates *from, cs_error *err)
{
    if (to->capacity < from->count || !to->index) {
        cs_candidates fresh;
        cs_candidates_init(&fresh, from->genome_bytes, from->metric_count);
        if (!allocate(&fresh, from->count)) {
            cs_candidates_release(&fresh);
            return cs_fail_memory(err);
        }
        cs_candidates_release(to);
        *to = fresh;
    }
    copy_rows(to, 0, from, 0, from->count);
    to->count = from->count;
    return CS_OK;
}
