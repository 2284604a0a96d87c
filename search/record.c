/* The record of a generation: see record.h. */
#include "search/record.h"

#include <string.h>

#define RECORD_FORMAT 1
#define KEY_BYTES     16

void cs_rows_metrics(const cs_rows *rows, uint32_t row, double *metrics)
{
    size_t bytes = rows->metric_count * sizeof(double);
    memcpy(metrics, rows->metrics + row * bytes, bytes);
}

uint32_t cs_record_entrant(const cs_record *record, uint32_t i)
{
    uint32_t offset;
    memcpy(&offset, record->entrants + (size_t)i * sizeof offset, sizeof offset);
    return offset;
}

uint64_t cs_record_removed(const cs_record *record, uint32_t i)
{
    uint64_t index;
    memcpy(&index, record->removed + (size_t)i * sizeof index, sizeof index);
    return index;
}

uint32_t cs_record_entrant_row(const cs_record *record, uint32_t i)
{
    return record->keep_all ? cs_record_entrant(record, i) : i;
}

cs_key cs_record_key(const cs_record *record, uint32_t i)
{
    if (record->keep_all) {
        size_t bytes = record->rows.genome_bytes;
        return cs_key_of(record->rows.genomes + i * bytes, bytes);
    }
    cs_key key;
    memcpy(&key, record->keys + (size_t)i * KEY_BYTES, KEY_BYTES);
    return key;
}

/* The checksum behind the record is that of the bytes before it. */
static bool is_sealed(const uint8_t *blob, size_t size)
{
    if (size < KEY_BYTES) {
        return false;
    }
    cs_key key = cs_key_of(blob, size - KEY_BYTES);
    return memcmp(&key, blob + size - KEY_BYTES, KEY_BYTES) == 0;
}

/* Entrants and removed members are in rising order, each within its bounds. */
static bool lists_are_sound(const cs_record *record)
{
    for (uint32_t i = 0; i < record->entrant_count; i++) {
        uint32_t entrant = cs_record_entrant(record, i);
        if (entrant >= record->count || (i > 0 && entrant <= cs_record_entrant(record, i - 1))) {
            return false;
        }
    }
    for (uint32_t i = 0; i < record->removed_count; i++) {
        uint64_t removed = cs_record_removed(record, i);
        if (removed >= record->progress.evaluations ||
            (i > 0 && removed <= cs_record_removed(record, i - 1))) {
            return false;
        }
    }
    return true;
}

/* Every outcome is one, and together they are as many as there were evaluations. */
static bool outcomes_are_sound(const cs_record *record)
{
    uint64_t sum = 0;
    for (int i = 0; i < CS_OUTCOME_COUNT; i++) {
        sum += record->progress.outcomes[i];
    }
    for (uint32_t i = 0; i < record->rows.count; i++) {
        if (record->rows.outcomes[i] >= CS_OUTCOME_COUNT) {
            return false;
        }
    }
    return sum == record->progress.evaluations;
}

cs_status cs_record_read(const void *blob, size_t size, uint32_t genome_bytes,
                         uint32_t metric_count, cs_record *record, cs_error *err)
{
    bool valid = is_sealed(blob, size);
    cs_reader in = cs_reader_of(blob, valid ? size - KEY_BYTES : 0);
    cs_record got = {0};
    uint8_t format = cs_reader_get_u8(&in);
    got.keep_all = cs_reader_get_u8(&in) != 0;
    got.rows.genome_bytes = cs_reader_get_u32(&in);
    got.rows.metric_count = cs_reader_get_u32(&in);
    got.first_index = cs_reader_get_u64(&in);
    got.count = cs_reader_get_u32(&in);
    got.progress.generation = cs_reader_get_u64(&in);
    got.progress.evaluations = cs_reader_get_u64(&in);
    got.progress.hypervolume = cs_reader_get_f64(&in);
    got.progress.front_size = cs_reader_get_u64(&in);
    uint32_t outcomes = cs_reader_get_u32(&in);
    valid = valid && format == RECORD_FORMAT && outcomes <= CS_OUTCOME_COUNT &&
            got.rows.genome_bytes == genome_bytes && got.rows.metric_count == metric_count;
    for (uint32_t i = 0; valid && i < outcomes; i++) {
        got.progress.outcomes[i] = cs_reader_get_u64(&in);
    }
    got.entrant_count = cs_reader_get_u32(&in);
    got.entrants = cs_reader_get(&in, (size_t)got.entrant_count * sizeof(uint32_t));
    got.removed_count = cs_reader_get_u32(&in);
    got.removed = cs_reader_get(&in, (size_t)got.removed_count * sizeof(uint64_t));
    if (!got.keep_all) {
        got.keys = cs_reader_get(&in, (size_t)got.count * KEY_BYTES);
    }
    got.rows.count = got.keep_all ? got.count : got.entrant_count;
    got.rows.genomes = cs_reader_get(&in, (size_t)got.rows.count * genome_bytes);
    got.rows.outcomes = cs_reader_get(&in, got.rows.count);
    got.rows.metrics = cs_reader_get(&in, (size_t)got.rows.count * metric_count * sizeof(double));
    valid = valid && cs_reader_done(&in) && got.count >= 1 && got.count <= CS_PLAN_MAX_BATCH &&
            got.first_index + got.count == got.progress.evaluations && lists_are_sound(&got) &&
            outcomes_are_sound(&got);
    if (!valid) {
        return cs_fail(err, CS_ECORRUPT, "the record of a generation is damaged (%zu bytes)", size);
    }
    *record = got;
    return CS_OK;
}

static void put_rows(const cs_record_source *source, cs_buffer *buffer)
{
    size_t genome_bytes = source->genome_bytes;
    size_t row_bytes = source->metric_count * sizeof(double);
    if (source->keep_all) {
        cs_buffer_put(buffer, source->genomes, source->count * genome_bytes);
        cs_buffer_put(buffer, source->outcomes, source->count);
        cs_buffer_put(buffer, source->metrics, source->count * row_bytes);
        return;
    }
    for (uint32_t i = 0; i < source->count; i++) {
        cs_key key = cs_key_of(source->genomes + i * genome_bytes, genome_bytes);
        cs_buffer_put(buffer, &key, sizeof key);
    }
    for (uint32_t i = 0; i < source->entrant_count; i++) {
        cs_buffer_put(buffer, source->genomes + source->entrants[i] * genome_bytes, genome_bytes);
    }
    for (uint32_t i = 0; i < source->entrant_count; i++) {
        cs_buffer_put_u8(buffer, source->outcomes[source->entrants[i]]);
    }
    for (uint32_t i = 0; i < source->entrant_count; i++) {
        cs_buffer_put(buffer, source->metrics + (size_t)source->entrants[i] * source->metric_count,
                      row_bytes);
    }
}

void cs_record_write(const cs_record_source *source, cs_buffer *buffer)
{
    size_t start = buffer->size;
    const cs_progress *progress = source->progress;
    cs_buffer_put_u8(buffer, RECORD_FORMAT);
    cs_buffer_put_u8(buffer, source->keep_all);
    cs_buffer_put_u32(buffer, source->genome_bytes);
    cs_buffer_put_u32(buffer, source->metric_count);
    cs_buffer_put_u64(buffer, source->first_index);
    cs_buffer_put_u32(buffer, source->count);
    cs_buffer_put_u64(buffer, progress->generation);
    cs_buffer_put_u64(buffer, progress->evaluations);
    cs_buffer_put_f64(buffer, progress->hypervolume);
    cs_buffer_put_u64(buffer, progress->front_size);
    cs_buffer_put_u32(buffer, CS_OUTCOME_COUNT);
    for (int i = 0; i < CS_OUTCOME_COUNT; i++) {
        cs_buffer_put_u64(buffer, progress->outcomes[i]);
    }
    cs_buffer_put_u32(buffer, source->entrant_count);
    cs_buffer_put(buffer, source->entrants, source->entrant_count * sizeof *source->entrants);
    cs_buffer_put_u32(buffer, source->removed_count);
    cs_buffer_put(buffer, source->removed, source->removed_count * sizeof *source->removed);
    put_rows(source, buffer);
    if (!buffer->failed) {
        cs_key key = cs_key_of(buffer->data + start, buffer->size - start);
        cs_buffer_put(buffer, &key, KEY_BYTES);
    }
}
