/* Variation: see vary.h. */
#include "search/engine/vary.h"

#include <math.h>

uint32_t cs_vary_free_genes(const cs_space *space)
{
    uint32_t count = 0;
    for (uint32_t gene = 0; gene < cs_space_gene_count(space); gene++) {
        count += cs_space_gene(space, gene)->choice_count > 1;
    }
    return count;
}

void cs_vary_cross(const cs_space *space, cs_random *random, const uint8_t *a, const uint8_t *b,
                   uint8_t *child)
{
    uint64_t coins = 0;
    for (uint32_t gene = 0; gene < cs_space_gene_count(space); gene++) {
        if (gene % 64 == 0) {
            coins = cs_random_u64(random);
        }
        cs_space_set(space, child, gene, cs_space_get(space, coins & 1 ? b : a, gene));
        coins >>= 1;
    }
}

static uint32_t mutated_choice(const cs_gene *gene, cs_random *random, double neighbour,
                               uint32_t choice)
{
    uint32_t last = gene->choice_count - 1;
    if (gene->kind == CS_GENE_ORDINAL && cs_random_unit(random) < neighbour) {
        bool up = choice == 0 || (choice < last && cs_random_below(random, 2) == 1);
        return up ? choice + 1 : choice - 1;
    }
    uint32_t other = cs_random_below(random, last);
    return other < choice ? other : other + 1;
}

void cs_vary_mutate(const cs_space *space, cs_random *random, double rate, double neighbour,
                    uint8_t *genome)
{
    /* Half a draw decides about a gene; the rate is rounded to a multiple of 2^-32. */
    uint64_t threshold = (uint64_t)(fmin(rate, 1) * 0x1p32);
    uint64_t draw = 0;
    bool half = false;
    for (uint32_t i = 0; i < cs_space_gene_count(space); i++) {
        const cs_gene *gene = cs_space_gene(space, i);
        if (gene->choice_count < 2) {
            continue;
        }
        draw = half ? draw >> 32 : cs_random_u64(random);
        half = !half;
        if ((draw & 0xffffffff) < threshold) {
            uint32_t choice = cs_space_get(space, genome, i);
            cs_space_set(space, genome, i, mutated_choice(gene, random, neighbour, choice));
        }
    }
}
