/* Byte buffers: growing on the writing side, bounds-checked on the reading side.
 *
 * Both remember failure, so a writer puts a whole record and asks once, and a reader gets a whole
 * record and asks once. Numbers are little-endian and of fixed width; doubles are their IEEE 754
 * bits. This is the format of checkpoints and candidate blobs (docs/storage.md). */
#ifndef CS_BASE_BUFFER_H
#define CS_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cs_buffer {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
    bool failed; /* an allocation failed: content is not to be used */
} cs_buffer;

/* A zeroed cs_buffer is empty and valid. */
void cs_buffer_release(cs_buffer *buffer);

/* Empty it and keep its memory. */
void cs_buffer_clear(cs_buffer *buffer);

void cs_buffer_put(cs_buffer *buffer, const void *bytes, size_t size);
void cs_buffer_put_u8(cs_buffer *buffer, uint8_t value);
void cs_buffer_put_u32(cs_buffer *buffer, uint32_t value);
void cs_buffer_put_u64(cs_buffer *buffer, uint64_t value);
void cs_buffer_put_f64(cs_buffer *buffer, double value);

/* A length (u32) and the bytes. */
void cs_buffer_put_block(cs_buffer *buffer, const void *bytes, size_t size);

typedef struct cs_reader {
    const uint8_t *data; /* borrowed */
    size_t size;
    size_t at;
    bool failed; /* something was asked for beyond the end: every get gives zero from then on */
} cs_reader;

cs_reader cs_reader_of(const void *data, size_t size);

/* Borrow `size` bytes, or NULL when fewer are left. */
const uint8_t *cs_reader_get(cs_reader *reader, size_t size);
uint8_t cs_reader_get_u8(cs_reader *reader);
uint32_t cs_reader_get_u32(cs_reader *reader);
uint64_t cs_reader_get_u64(cs_reader *reader);
double cs_reader_get_f64(cs_reader *reader);
const uint8_t *cs_reader_get_block(cs_reader *reader, size_t *size);

/* All was read and nothing was missing. */
bool cs_reader_done(const cs_reader *reader);

#endif
