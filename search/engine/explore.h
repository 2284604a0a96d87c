/* Unseen points without a model: uniform ones as long as they are easily found, then the first
 * unseen one in a fixed order of the whole space, so that a search ends only when every point has
 * been asked. */
#ifndef CS_SEARCH_ENGINE_EXPLORE_H
#define CS_SEARCH_ENGINE_EXPLORE_H

#include "search/engine/engine.h"

/* The place in the fixed order: all points before it have been seen. It only saves time, and is no
 * part of a checkpoint: from the first point on, the same unseen one is found. */
typedef struct cs_explorer {
    const cs_space *space; /* borrowed */
    uint8_t *next;         /* genome_bytes; owned */
    bool at_end;           /* the whole space has been seen */
} cs_explorer;

/* Starts at the first point. False for want of memory. */
bool cs_explorer_init(cs_explorer *explorer, const cs_space *space);
void cs_explorer_release(cs_explorer *explorer);

/* The key of a genome in the seen-set. */
cs_key cs_explorer_key(const cs_space *space, const uint8_t *genome);

/* Find an unseen point, write it to `genome` and add it to `seen`. False if there is none left, or
 * if the seen-set failed. */
bool cs_explorer_find(cs_explorer *explorer, cs_seen *seen, cs_random *random, uint8_t *genome);

#endif
