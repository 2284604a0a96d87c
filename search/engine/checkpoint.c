/* The frame of an engine's checkpoint: see checkpoint.h. */
#include "search/engine/checkpoint.h"

#include <string.h>

#define LENGTH_BYTES sizeof(uint32_t)

static cs_key chain(cs_key key, const void *data, size_t size)
{
    cs_key part = cs_key_of(data, size);
    uint64_t both[4] = {key.low, key.high, part.low, part.high};
    return cs_key_of(both, sizeof both);
}

static void put_key(cs_buffer *buffer, cs_key key)
{
    cs_buffer_put_u64(buffer, key.low);
    cs_buffer_put_u64(buffer, key.high);
}

/* Zero beyond the end; the reader says so. */
static cs_key get_key(cs_reader *reader)
{
    cs_key key;
    key.low = cs_reader_get_u64(reader);
    key.high = cs_reader_get_u64(reader);
    return key;
}

static bool same_key(cs_key a, cs_key b)
{
    return a.low == b.low && a.high == b.high;
}

cs_key cs_checkpoint_identity(const cs_engine_class *class, const cs_engine_problem *problem,
                              const double *options, size_t option_count)
{
    cs_key key = cs_key_of(class->name, strlen(class->name));
    uint32_t gene_count = cs_space_gene_count(problem->space);
    uint64_t numbers[] = {problem->objective_count, problem->batch, problem->seed, problem->island,
                          gene_count};
    key = chain(key, numbers, sizeof numbers);
    for (uint32_t i = 0; i < gene_count; i++) {
        const cs_gene *gene = cs_space_gene(problem->space, i);
        uint32_t shape[] = {(uint32_t)gene->kind, gene->choice_count};
        key = chain(key, shape, sizeof shape);
    }
    return chain(key, options, option_count * sizeof *options);
}

size_t cs_checkpoint_begin(cs_buffer *buffer, cs_key identity)
{
    size_t start = buffer->size;
    cs_buffer_put_u32(buffer, 0); /* the length, set by cs_checkpoint_end */
    put_key(buffer, identity);
    return start;
}

void cs_checkpoint_end(cs_buffer *buffer, size_t start)
{
    if (buffer->failed || buffer->size - start > UINT32_MAX) {
        buffer->failed = true;
        return;
    }
    uint32_t length = (uint32_t)(buffer->size - start - LENGTH_BYTES);
    memcpy(buffer->data + start, &length, sizeof length);
    put_key(buffer, cs_key_of(buffer->data + start, buffer->size - start));
}

cs_status cs_checkpoint_open(cs_reader *reader, cs_key identity, cs_reader *state, cs_error *err)
{
    const uint8_t *start = reader->data + reader->at;
    size_t length;
    const uint8_t *frame = cs_reader_get_block(reader, &length);
    cs_key sum = get_key(reader);
    if (reader->failed || !same_key(sum, cs_key_of(start, LENGTH_BYTES + length))) {
        return cs_fail(err, CS_ECORRUPT, "the engine's checkpoint is damaged");
    }
    cs_reader inner = cs_reader_of(frame, length);
    if (!same_key(get_key(&inner), identity) || inner.failed) {
        return cs_fail(err, CS_ECORRUPT,
                       "the engine's checkpoint belongs to another engine, problem or options");
    }
    *state = inner;
    return CS_OK;
}
