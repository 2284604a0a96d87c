/* Variation: children from genomes, gene by gene and true to each gene's kind. */
#ifndef CS_SEARCH_ENGINE_VARY_H
#define CS_SEARCH_ENGINE_VARY_H

#include "search/space.h"

/* Genes that have a choice; 0 in a space of one point. */
uint32_t cs_vary_free_genes(const cs_space *space);

/* Uniform crossover (Syswerda 1989): each gene of the child is that of `a` or of `b`. */
void cs_vary_cross(const cs_space *space, cs_random *random, const uint8_t *a, const uint8_t *b,
                   uint8_t *child);

/* Each gene mutates with probability `rate`, to another choice than it has. A categorical gene
 * takes any of the others; an ordinal one takes a neighbour with probability `neighbour`, else any
 * of the others. */
void cs_vary_mutate(const cs_space *space, cs_random *random, double rate, double neighbour,
                    uint8_t *genome);

#endif
