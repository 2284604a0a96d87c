/* Unseen points without a model: see explore.h. */
#include "search/engine/explore.h"

#include <stdlib.h>
#include <string.h>

/* All of these fail together only where nearly all of the space has been seen, so that walking
 * through it is cheap compared with having evaluated it. */
#define UNIFORM_TRIES 32

/* The point after this one, with the last gene turning fastest. False after the last. */
static bool step(const cs_space *space, uint8_t *genome)
{
    for (uint32_t gene = cs_space_gene_count(space); gene-- > 0;) {
        uint32_t choice = cs_space_get(space, genome, gene) + 1;
        if (choice < cs_space_gene(space, gene)->choice_count) {
            cs_space_set(space, genome, gene, choice);
            return true;
        }
        cs_space_set(space, genome, gene, 0);
    }
    return false;
}

bool cs_explorer_init(cs_explorer *explorer, const cs_space *space)
{
    uint8_t *first = calloc(1, cs_space_genome_bytes(space));
    if (!first) {
        return false;
    }
    for (uint32_t gene = 0; gene < cs_space_gene_count(space); gene++) {
        cs_space_set(space, first, gene, 0);
    }
    *explorer = (cs_explorer){.space = space, .next = first};
    return true;
}

void cs_explorer_release(cs_explorer *explorer)
{
    free(explorer->next);
    explorer->next = NULL;
}

cs_key cs_explorer_key(const cs_space *space, const uint8_t *genome)
{
    return cs_key_of(genome, cs_space_genome_bytes(space));
}

bool cs_explorer_find(cs_explorer *explorer, cs_seen *seen, cs_random *random, uint8_t *genome)
{
    const cs_space *space = explorer->space;
    for (unsigned i = 0; i < UNIFORM_TRIES && !explorer->at_end; i++) {
        cs_space_sample(space, random, genome);
        if (cs_seen_add(seen, cs_explorer_key(space, genome))) {
            return true;
        }
    }
    while (!explorer->at_end && !cs_seen_failed(seen)) {
        memcpy(genome, explorer->next, cs_space_genome_bytes(space));
        explorer->at_end = !step(space, explorer->next);
        if (cs_seen_add(seen, cs_explorer_key(space, genome))) {
            return true;
        }
    }
    return false;
}
