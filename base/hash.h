/* Content hashes.
 *
 * SHA-256 (libcrypto) names content that is stored or sent; XXH3-128 keys in-memory tables, where
 * nobody chooses the input to collide. */
#ifndef CS_BASE_HASH_H
#define CS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define CS_HASH_BYTES 32
#define CS_HASH_HEX   (2 * CS_HASH_BYTES + 1)

typedef struct cs_hash {
    uint8_t bytes[CS_HASH_BYTES];
} cs_hash;

cs_hash cs_hash_of(const void *data, size_t size);

/* Lower-case hex, zero-terminated. */
void cs_hash_hex(const cs_hash *hash, char hex[CS_HASH_HEX]);

typedef struct cs_key {
    uint64_t low, high;
} cs_key;

cs_key cs_key_of(const void *data, size_t size);

#endif
