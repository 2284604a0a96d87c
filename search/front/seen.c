/* The seen-set: see seen.h.
 *
 * Open addressing with linear probing. The keys are hashes already, so their low bits are the
 * place; nothing is ever taken out, so an empty slot ends every probe. The all-zero key marks an
 * empty slot and is kept apart. */
#include "search/front/seen.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256u

struct cs_seen {
    cs_key *slots;
    size_t capacity; /* a power of two */
    size_t used;     /* slots that hold a key */
    bool has_zero;
    bool failed;
};

static bool is_zero(cs_key key)
{
    return key.low == 0 && key.high == 0;
}

/* The slot that holds the key, or the empty one where it would go. */
static cs_key *find_slot(cs_key *slots, size_t capacity, cs_key key)
{
    size_t at = (size_t)key.low & (capacity - 1);
    while (!is_zero(slots[at]) && (slots[at].low != key.low || slots[at].high != key.high)) {
        at = (at + 1) & (capacity - 1);
    }
    return &slots[at];
}

static bool grow(cs_seen *seen)
{
    size_t capacity = 2 * seen->capacity;
    cs_key *slots = calloc(capacity, sizeof *slots);
    if (!slots) {
        return false;
    }
    for (size_t i = 0; i < seen->capacity; i++) {
        if (!is_zero(seen->slots[i])) {
            *find_slot(slots, capacity, seen->slots[i]) = seen->slots[i];
        }
    }
    free(seen->slots);
    seen->slots = slots;
    seen->capacity = capacity;
    return true;
}

cs_seen *cs_seen_new(void)
{
    cs_seen *seen = calloc(1, sizeof *seen);
    cs_key *slots = calloc(FIRST_CAPACITY, sizeof *slots);
    if (!seen || !slots) {
        free(seen);
        free(slots);
        return NULL;
    }
    seen->slots = slots;
    seen->capacity = FIRST_CAPACITY;
    return seen;
}

void cs_seen_free(cs_seen *seen)
{
    if (seen) {
        free(seen->slots);
        free(seen);
    }
}

bool cs_seen_add(cs_seen *seen, cs_key key)
{
    if (seen->failed) {
        return false;
    }
    if (is_zero(key)) {
        bool added = !seen->has_zero;
        seen->has_zero = true;
        return added;
    }
    cs_key *slot = find_slot(seen->slots, seen->capacity, key);
    if (!is_zero(*slot)) {
        return false;
    }
    /* Three quarters full is 21 bytes a key, and about eight probes for a key that is new. */
    if (4 * (seen->used + 1) > 3 * seen->capacity) {
        if (!grow(seen)) {
            seen->failed = true;
            return false;
        }
        slot = find_slot(seen->slots, seen->capacity, key);
    }
    *slot = key;
    seen->used++;
    return true;
}

bool cs_seen_has(const cs_seen *seen, cs_key key)
{
    return is_zero(key) ? seen->has_zero : !is_zero(*find_slot(seen->slots, seen->capacity, key));
}

bool cs_seen_failed(const cs_seen *seen)
{
    return seen->failed;
}

size_t cs_seen_count(const cs_seen *seen)
{
    return seen->used + seen->has_zero;
}
