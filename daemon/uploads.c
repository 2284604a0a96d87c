/* Uploads: see uploads.h. */
#include "daemon/uploads.h"

#include "search/bundle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct upload {
    cs_hash hash;
    uint8_t *data;
    size_t size, received;
    struct upload *next; /* younger */
} upload;

#define UPLOADS_MAX 256 /* files; beyond them the oldest go */

struct cs_uploads {
    upload *oldest;
    uint32_t count;
    size_t bytes, limit;
};

cs_uploads *cs_uploads_new(size_t limit)
{
    cs_uploads *uploads = calloc(1, sizeof *uploads);
    if (uploads) {
        uploads->limit = limit;
    }
    return uploads;
}

static upload **find(cs_uploads *uploads, const cs_hash *hash)
{
    upload **at = &uploads->oldest;
    while (*at && memcmp((*at)->hash.bytes, hash->bytes, CS_HASH_BYTES) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void drop(cs_uploads *uploads, upload **at)
{
    upload *gone = *at;
    *at = gone->next;
    uploads->bytes -= gone->size;
    uploads->count--;
    free(gone->data);
    free(gone);
}

void cs_uploads_free(cs_uploads *uploads)
{
    if (uploads) {
        while (uploads->oldest) {
            drop(uploads, &uploads->oldest);
        }
        free(uploads);
    }
}

/* A new upload as the youngest; the oldest make room for it. */
static upload *begin(cs_uploads *uploads, const cs_hash *hash, size_t size)
{
    upload *made = calloc(1, sizeof *made);
    uint8_t *data = malloc(size ? size : 1);
    if (!made || !data) {
        free(made);
        free(data);
        return NULL;
    }
    while (uploads->oldest &&
           (uploads->bytes + size > uploads->limit || uploads->count == UPLOADS_MAX)) {
        drop(uploads, &uploads->oldest);
    }
    *made = (upload){.hash = *hash, .data = data, .size = size};
    uploads->bytes += size;
    uploads->count++;
    upload **at = &uploads->oldest;
    while (*at) {
        at = &(*at)->next;
    }
    *at = made;
    return made;
}

cs_status cs_uploads_put(cs_uploads *uploads, const cs_hash *hash, uint64_t size, uint64_t offset,
                         const void *data, size_t data_size, uint64_t *received, cs_error *err)
{
    if (size > CS_BUNDLE_MAX_FILE_BYTES || size > uploads->limit) {
        return cs_fail(err, CS_ELIMIT, "a file of a job has at most %u bytes",
                       CS_BUNDLE_MAX_FILE_BYTES);
    }
    upload **at = find(uploads, hash);
    if (*at && (*at)->received == (*at)->size) {
        *received = (*at)->size; /* it is there already */
        return CS_OK;
    }
    upload *here = *at;
    uint64_t have = here ? here->received : 0;
    bool follows = offset <= have && data_size <= size - offset && (!here || here->size == size);
    uint64_t known = follows && data_size > have - offset ? have - offset : data_size;
    /* What is here already may come again: from a retry, or from another client. */
    if (follows && here && known && memcmp(here->data + offset, data, known) != 0) {
        follows = false;
    }
    if (!follows && here && offset == 0 && data_size <= size) {
        drop(uploads, at);
        here = NULL;
        known = 0;
        follows = true;
    }
    if (!follows) {
        return cs_fail(err, CS_EINVAL,
                       "this chunk does not follow: %llu bytes of the file are here; begin again "
                       "at offset 0",
                       (unsigned long long)have);
    }
    if (!here) {
        here = begin(uploads, hash, size);
        if (!here) {
            return cs_fail_memory(err);
        }
    }
    if (data_size > known) {
        memcpy(here->data + offset + known, (const uint8_t *)data + known, data_size - known);
        here->received += data_size - known;
    }
    if (here->received == here->size) {
        cs_hash got = cs_hash_of(here->data, here->size);
        if (memcmp(got.bytes, hash->bytes, CS_HASH_BYTES) != 0) {
            drop(uploads, find(uploads, hash));
            return cs_fail(err, CS_EINVAL, "the file's content is not what its hash says");
        }
    }
    *received = here->received;
    return CS_OK;
}

const void *cs_uploads_get(const cs_uploads *uploads, const cs_hash *hash, size_t *size)
{
    for (const upload *at = uploads->oldest; at; at = at->next) {
        if (at->received == at->size && memcmp(at->hash.bytes, hash->bytes, CS_HASH_BYTES) == 0) {
            *size = at->size;
            return at->data;
        }
    }
    return NULL;
}
