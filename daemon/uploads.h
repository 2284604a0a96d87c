/* Uploads: files on their way to a submission, by content hash.
 *
 * Kept in memory, within a limit of bytes and of 256 files; the oldest go first. A client whose
 * file has gone is told that it is missing and sends it again. Belongs to the loop. */
#ifndef CS_DAEMON_UPLOADS_H
#define CS_DAEMON_UPLOADS_H

#include "base/hash.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cs_uploads cs_uploads;

/* `limit` bytes in all. NULL for want of memory. */
cs_uploads *cs_uploads_new(size_t limit);
void cs_uploads_free(cs_uploads *uploads);

/* Add a chunk; *received is how much of the file is there. A chunk follows what is there, or
 * repeats it; other content at offset 0 starts again, anything else is CS_EINVAL. A whole file
 * whose hash is another is dropped (CS_EINVAL). */
CS_MUST_CHECK cs_status cs_uploads_put(cs_uploads *uploads, const cs_hash *hash, uint64_t size,
                                       uint64_t offset, const void *data, size_t data_size,
                                       uint64_t *received, cs_error *err);

/* A file that is there whole, or NULL; valid until the next put. */
const void *cs_uploads_get(const cs_uploads *uploads, const cs_hash *hash, size_t *size);

#endif
