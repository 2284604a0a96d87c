/* Byte buffers: see buffer.h. */
#include "base/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they stand");

void cs_buffer_release(cs_buffer *buffer)
{
    free(buffer->data);
    *buffer = (cs_buffer){0};
}

void cs_buffer_clear(cs_buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

static bool reserve(cs_buffer *buffer, size_t more)
{
    if (buffer->failed || more > SIZE_MAX / 2 - buffer->size) {
        buffer->failed = true;
        return false;
    }
    size_t need = buffer->size + more;
    if (need > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : 64;
        while (capacity < need) {
            capacity *= 2;
        }
        uint8_t *data = realloc(buffer->data, capacity);
        if (!data) {
            buffer->failed = true;
            return false;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return true;
}

void cs_buffer_put(cs_buffer *buffer, const void *bytes, size_t size)
{
    if (size && reserve(buffer, size)) {
        memcpy(buffer->data + buffer->size, bytes, size);
        buffer->size += size;
    }
}

void cs_buffer_put_u8(cs_buffer *buffer, uint8_t value)
{
    cs_buffer_put(buffer, &value, sizeof value);
}

void cs_buffer_put_u32(cs_buffer *buffer, uint32_t value)
{
    cs_buffer_put(buffer, &value, sizeof value);
}

void cs_buffer_put_u64(cs_buffer *buffer, uint64_t value)
{
    cs_buffer_put(buffer, &value, sizeof value);
}

void cs_buffer_put_f64(cs_buffer *buffer, double value)
{
    cs_buffer_put(buffer, &value, sizeof value);
}

void cs_buffer_put_block(cs_buffer *buffer, const void *bytes, size_t size)
{
    if (size > UINT32_MAX) {
        buffer->failed = true;
        return;
    }
    cs_buffer_put_u32(buffer, (uint32_t)size);
    cs_buffer_put(buffer, bytes, size);
}

cs_reader cs_reader_of(const void *data, size_t size)
{
    return (cs_reader){.data = data, .size = size};
}

const uint8_t *cs_reader_get(cs_reader *reader, size_t size)
{
    if (reader->failed || size > reader->size - reader->at) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->data + reader->at;
    reader->at += size;
    return bytes;
}

static void get_number(cs_reader *reader, void *value, size_t size)
{
    const uint8_t *bytes = cs_reader_get(reader, size);
    if (bytes) {
        memcpy(value, bytes, size);
    }
}

uint8_t cs_reader_get_u8(cs_reader *reader)
{
    uint8_t value = 0;
    get_number(reader, &value, sizeof value);
    return value;
}

uint32_t cs_reader_get_u32(cs_reader *reader)
{
    uint32_t value = 0;
    get_number(reader, &value, sizeof value);
    return value;
}

uint64_t cs_reader_get_u64(cs_reader *reader)
{
    uint64_t value = 0;
    get_number(reader, &value, sizeof value);
    return value;
}

double cs_reader_get_f64(cs_reader *reader)
{
    double value = 0;
    get_number(reader, &value, sizeof value);
    return value;
}

const uint8_t *cs_reader_get_block(cs_reader *reader, size_t *size)
{
    *size = cs_reader_get_u32(reader);
    const uint8_t *bytes = cs_reader_get(reader, *size);
    if (!bytes) {
        *size = 0;
    }
    return bytes;
}

bool cs_reader_done(const cs_reader *reader)
{
    return !reader->failed && reader->at == reader->size;
}
