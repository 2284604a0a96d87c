/* The seen-set: which genomes have been evaluated, as 16-byte keys (XXH3-128 of the genome). */
#ifndef CS_SEARCH_FRONT_SEEN_H
#define CS_SEARCH_FRONT_SEEN_H

#include "base/hash.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cs_seen cs_seen;

/* NULL for want of memory. At most 32 bytes a key when full; grows by doubling. */
cs_seen *cs_seen_new(void);
void cs_seen_free(cs_seen *seen);

/* True if the key was not there; it is now. After an allocation failed nothing is added any more,
 * every add is false, and cs_seen_failed says so. */
bool cs_seen_add(cs_seen *seen, cs_key key);
bool cs_seen_has(const cs_seen *seen, cs_key key);
bool cs_seen_failed(const cs_seen *seen);
size_t cs_seen_count(const cs_seen *seen);

#endif
