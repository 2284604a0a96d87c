/* The published front: see front.h.
 *
 * Members are columns in the order they came; a member that leaves is taken out at once by moving
 * the tail down (fronts have thousands of members, generations remove tens). */
#include "daemon/front.h"

#include <stdlib.h>
#include <string.h>

#define FRONT_FORMAT  1
/* Removals that are remembered beyond the number of members. A watcher that was away for longer
 * gets the whole front, which is then about as small as the log. */
#define REMOVALS_KEPT 4096

struct cs_front {
    uint32_t genome_bytes, metric_count;
    cs_progress progress;

    size_t count, capacity;
    uint64_t *indices;
    uint64_t *generations;
    uint8_t *genomes;
    double *metrics;

    /* removals number first_removal .. first_removal + removal_count - 1 since the beginning */
    uint64_t first_removal;
    size_t removal_count, removal_capacity;
    uint64_t *removed;             /* indices */
    uint64_t *removed_generations; /* of each */
    uint64_t oldest;               /* the log tells what changed after this generation */
};

cs_front *cs_front_new(uint32_t genome_bytes, uint32_t metric_count)
{
    cs_front *front = calloc(1, sizeof *front);
    if (front) {
        front->genome_bytes = genome_bytes;
        front->metric_count = metric_count;
    }
    return front;
}

void cs_front_free(cs_front *front)
{
    if (front) {
        free(front->indices);
        free(front->generations);
        free(front->genomes);
        free(front->metrics);
        free(front->removed);
        free(front->removed_generations);
        free(front);
    }
}

/* realloc that leaves the pointer alone when it fails. */
static bool resize(void *pointer_to_array, size_t count, size_t element)
{
    void *array;
    memcpy(&array, pointer_to_array, sizeof array);
    void *larger = realloc(array, count * (element ? element : 1));
    if (!larger) {
        return false;
    }
    memcpy(pointer_to_array, &larger, sizeof larger);
    return true;
}

static bool reserve_members(cs_front *front, size_t more)
{
    size_t need = front->count + more;
    if (need <= front->capacity) {
        return true;
    }
    size_t capacity = need * 2;
    if (!resize(&front->indices, capacity, sizeof *front->indices) ||
        !resize(&front->generations, capacity, sizeof *front->generations) ||
        !resize(&front->genomes, capacity, front->genome_bytes) ||
        !resize(&front->metrics, capacity, front->metric_count * sizeof *front->metrics)) {
        return false;
    }
    front->capacity = capacity;
    return true;
}

static bool reserve_removals(cs_front *front, size_t more)
{
    size_t need = front->removal_count + more;
    if (need <= front->removal_capacity) {
        return true;
    }
    size_t capacity = need * 2;
    if (!resize(&front->removed, capacity, sizeof *front->removed) ||
        !resize(&front->removed_generations, capacity, sizeof *front->removed_generations)) {
        return false;
    }
    front->removal_capacity = capacity;
    return true;
}

/* The first position whose value is at least `value`; the array rises. */
static size_t lower_bound(const uint64_t *array, size_t count, uint64_t value)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (array[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void move_member(cs_front *front, size_t to, size_t from)
{
    size_t genome = front->genome_bytes, metrics = front->metric_count;
    front->indices[to] = front->indices[from];
    front->generations[to] = front->generations[from];
    memmove(front->genomes + to * genome, front->genomes + from * genome, genome);
    memmove(front->metrics + to * metrics, front->metrics + from * metrics,
            metrics * sizeof *front->metrics);
}

/* Take out the members of the record's removed list, which rises, in one pass from the first. */
static void remove_members(cs_front *front, const cs_record *record)
{
    uint32_t next = 0;
    size_t to = 0;
    if (record->removed_count) {
        to = lower_bound(front->indices, front->count, cs_record_removed(record, 0));
    } else {
        to = front->count;
    }
    for (size_t from = to; from < front->count; from++) {
        while (next < record->removed_count &&
               cs_record_removed(record, next) < front->indices[from]) {
            next++;
        }
        if (next < record->removed_count &&
            cs_record_removed(record, next) == front->indices[from]) {
            /* What came and went within one generation was never shown to anyone. */
            if (front->indices[from] < record->first_index) {
                front->removed[front->removal_count] = front->indices[from];
                front->removed_generations[front->removal_count] = record->progress.generation;
                front->removal_count++;
            }
        } else if (from != to) {
            move_member(front, to++, from);
        } else {
            to++;
        }
    }
    front->count = to;
}

/* Forget the older half of a log that has outgrown its use. */
static void trim_removals(cs_front *front)
{
    if (front->removal_count <= 2 * (front->count + REMOVALS_KEPT)) {
        return;
    }
    size_t drop = front->removal_count / 2;
    uint64_t generation = front->removed_generations[drop - 1];
    while (drop < front->removal_count && front->removed_generations[drop] == generation) {
        drop++; /* whole generations only */
    }
    front->oldest = generation;
    front->removal_count -= drop;
    front->first_removal += drop;
    memmove(front->removed, front->removed + drop, front->removal_count * sizeof *front->removed);
    memmove(front->removed_generations, front->removed_generations + drop,
            front->removal_count * sizeof *front->removed_generations);
}

cs_status cs_front_apply(cs_front *front, const cs_record *record, cs_error *err)
{
    if (record->progress.generation != front->progress.generation + 1 ||
        record->first_index != front->progress.evaluations) {
        return cs_fail(err, CS_ECORRUPT, "generation %llu does not follow generation %llu",
                       (unsigned long long)record->progress.generation,
                       (unsigned long long)front->progress.generation);
    }
    if (!reserve_members(front, record->entrant_count) ||
        !reserve_removals(front, record->removed_count)) {
        return cs_fail_memory(err);
    }
    size_t genome = front->genome_bytes, metrics = front->metric_count;
    for (uint32_t i = 0; i < record->entrant_count; i++) {
        uint32_t row = cs_record_entrant_row(record, i);
        size_t at = front->count++;
        front->indices[at] = record->first_index + cs_record_entrant(record, i);
        front->generations[at] = record->progress.generation;
        memcpy(front->genomes + at * genome, record->rows.genomes + row * genome, genome);
        cs_rows_metrics(&record->rows, row, front->metrics + at * metrics);
    }
    remove_members(front, record);
    front->progress = record->progress;
    trim_removals(front);
    return CS_OK;
}

const cs_progress *cs_front_progress(const cs_front *front)
{
    return &front->progress;
}

void cs_front_save(const cs_front *front, cs_buffer *buffer)
{
    cs_buffer_put_u8(buffer, FRONT_FORMAT);
    cs_buffer_put_u32(buffer, front->genome_bytes);
    cs_buffer_put_u32(buffer, front->metric_count);
    cs_buffer_put_u64(buffer, front->progress.generation);
    cs_buffer_put_u64(buffer, front->progress.evaluations);
    cs_buffer_put_f64(buffer, front->progress.hypervolume);
    cs_buffer_put_u32(buffer, CS_OUTCOME_COUNT);
    for (int i = 0; i < CS_OUTCOME_COUNT; i++) {
        cs_buffer_put_u64(buffer, front->progress.outcomes[i]);
    }
    cs_buffer_put_u64(buffer, front->count);
    cs_buffer_put(buffer, front->indices, front->count * sizeof *front->indices);
    cs_buffer_put(buffer, front->generations, front->count * sizeof *front->generations);
    cs_buffer_put(buffer, front->genomes, front->count * front->genome_bytes);
    cs_buffer_put(buffer, front->metrics,
                  front->count * front->metric_count * sizeof *front->metrics);
}

cs_front *cs_front_load(const void *blob, size_t size, uint32_t genome_bytes, uint32_t metric_count,
                        cs_error *err)
{
    cs_front *front = cs_front_new(genome_bytes, metric_count);
    if (!front) {
        cs_fail_memory(err);
        return NULL;
    }
    cs_reader in = cs_reader_of(blob, size);
    uint8_t format = cs_reader_get_u8(&in);
    uint32_t genome = cs_reader_get_u32(&in), metrics = cs_reader_get_u32(&in);
    front->progress.generation = cs_reader_get_u64(&in);
    front->progress.evaluations = cs_reader_get_u64(&in);
    front->progress.hypervolume = cs_reader_get_f64(&in);
    uint32_t outcomes = cs_reader_get_u32(&in);
    bool valid = !in.failed && format == FRONT_FORMAT && genome == genome_bytes &&
                 metrics == metric_count && outcomes <= CS_OUTCOME_COUNT;
    for (uint32_t i = 0; valid && i < outcomes; i++) {
        front->progress.outcomes[i] = cs_reader_get_u64(&in);
    }
    uint64_t count = cs_reader_get_u64(&in);
    valid = valid && !in.failed && count <= size / sizeof *front->indices;
    if (valid && !reserve_members(front, count)) {
        cs_fail_memory(err);
        cs_front_free(front);
        return NULL;
    }
    if (valid) {
        const struct {
            void *array;
            size_t element;
        } columns[] = {{front->indices, sizeof *front->indices},
                       {front->generations, sizeof *front->generations},
                       {front->genomes, genome_bytes},
                       {front->metrics, metric_count * sizeof *front->metrics}};
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            size_t bytes = (size_t)count * columns[i].element;
            const uint8_t *column = cs_reader_get(&in, bytes);
            if (column && bytes) {
                memcpy(columns[i].array, column, bytes);
            }
        }
        for (uint64_t i = 1; i < count && !in.failed; i++) {
            valid = valid && front->indices[i] > front->indices[i - 1] &&
                    front->generations[i] >= front->generations[i - 1];
        }
    }
    if (!valid || !cs_reader_done(&in)) {
        cs_fail(err, CS_ECORRUPT, "the stored front is damaged (%zu bytes)", size);
        cs_front_free(front);
        return NULL;
    }
    front->count = count;
    front->progress.front_size = count;
    front->oldest = front->progress.generation;
    return front;
}

bool cs_front_seek(const cs_front *front, uint64_t generation, cs_front_cursor *cursor)
{
    if (generation < front->oldest || generation > front->progress.generation) {
        return false;
    }
    size_t member = lower_bound(front->generations, front->count, generation + 1);
    cursor->next_index =
        member < front->count ? front->indices[member] : front->progress.evaluations;
    cursor->next_removal = front->first_removal + lower_bound(front->removed_generations,
                                                              front->removal_count, generation + 1);
    return true;
}

cs_front_cursor cs_front_start(const cs_front *front)
{
    return (cs_front_cursor){.next_removal = front->first_removal + front->removal_count};
}

bool cs_front_next(const cs_front *front, cs_front_cursor *cursor, size_t limit,
                   cs_front_delta *delta)
{
    if (cursor->next_removal < front->first_removal) {
        return false;
    }
    size_t removal = (size_t)(cursor->next_removal - front->first_removal);
    size_t removed = front->removal_count - removal;
    size_t member = lower_bound(front->indices, front->count, cursor->next_index);
    size_t added = front->count - member;
    bool complete = added <= limit && removed <= limit;
    if (removed > limit) {
        removed = limit;
    }
    if (added > limit) {
        added = limit;
    }
    *delta = (cs_front_delta){
        .removed_count = removed,
        .added_count = added,
        .complete = complete,
    };
    if (removed) {
        delta->removed = front->removed + removal;
    }
    if (added) {
        delta->indices = front->indices + member;
        delta->genomes = front->genomes + member * front->genome_bytes;
        delta->metrics = front->metrics + member * front->metric_count;
    }
    cursor->next_removal += removed;
    cursor->next_index = member + added < front->count ? front->indices[member + added]
                                                       : front->progress.evaluations;
    return true;
}
