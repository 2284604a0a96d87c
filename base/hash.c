/* Content hashes: see hash.h. */
#include "base/hash.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <xxhash.h>

cs_hash cs_hash_of(const void *data, size_t size)
{
    cs_hash hash;
    SHA256(data, size, hash.bytes);
    return hash;
}

void cs_hash_hex(const cs_hash *hash, char hex[CS_HASH_HEX])
{
    for (size_t i = 0; i < CS_HASH_BYTES; i++) {
        snprintf(hex + 2 * i, 3, "%02x", hash->bytes[i]);
    }
}

cs_key cs_key_of(const void *data, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits(data, size);
    return (cs_key){.low = hash.low64, .high = hash.high64};
}
