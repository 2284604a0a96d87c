/* Joint search spaces: genomes, and what they decode to.
 *
 * A space is a row of genes. Each gene has a finite, ordered list of choices; a genome is
 * genome_bytes bytes, one index of a choice a gene, without pointers: copied, hashed, stored and
 * sent as it is. A joint space is the genes of a network space followed by those of an accelerator
 * space. Spaces are read from files (docs/spaces.md), immutable after that and shared by threads.
 */
#ifndef CS_SEARCH_SPACE_H
#define CS_SEARCH_SPACE_H

#include "base/conf.h"
#include "base/random.h"
#include "sim/accelerator/accelerator.h"
#include "sim/network/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cs_gene_kind {
    CS_GENE_CATEGORICAL, /* choices without order: operators, switches */
    CS_GENE_ORDINAL,     /* choices in rising order: sizes, depths */
} cs_gene_kind;

typedef struct cs_gene {
    const char *name;
    cs_gene_kind kind;
    uint32_t choice_count;      /* 1 .. 256 */
    const double *values;       /* choice_count numbers, in rising order for ordinals */
    const char *const *choices; /* choice_count texts, as a file or a person writes them */
} cs_gene;

typedef struct cs_space cs_space;

/* A network space, from a parsed file of kind "network-space"; NULL on failure. *recalled is set
 * to true if the file rests on recalled values. The space keeps nothing of the conf. */
cs_space *cs_space_read_network(cs_conf_node file, bool *recalled, cs_error *err);

/* An accelerator space, from a file of kind "accelerator-space". */
cs_space *cs_space_read_accelerator(cs_conf_node file, bool *recalled, cs_error *err);

/* The product; takes ownership of both parts, also on failure. A part that is NULL, because reading
 * it failed, is passed on as NULL, and `err` is left as that failure filled it. Pointers that
 * cs_space_gene gave for the parts are no longer valid. */
cs_space *cs_space_join(cs_space *network, cs_space *accelerator, cs_error *err);

void cs_space_free(cs_space *space);

uint32_t cs_space_gene_count(const cs_space *space);
const cs_gene *cs_space_gene(const cs_space *space, uint32_t index);
size_t cs_space_genome_bytes(const cs_space *space);

/* Number of genes of the network part, which come first. */
uint32_t cs_space_network_gene_count(const cs_space *space);

/* The choice of a gene in a genome, and setting it. */
uint32_t cs_space_get(const cs_space *space, const uint8_t *genome, uint32_t gene);
void cs_space_set(const cs_space *space, uint8_t *genome, uint32_t gene, uint32_t choice);

/* Number of points as a decimal text (spaces pass 2^64); the text is the space's. */
const char *cs_space_size_text(const cs_space *space);
/* The same as a double, for limits; exact below 2^53. */
double cs_space_size(const cs_space *space);

/* A uniform point. */
void cs_space_sample(const cs_space *space, cs_random *random, uint8_t *genome);

/* Every gene is a choice of its gene. For genomes from outside. */
bool cs_space_contains(const cs_space *space, const uint8_t *genome, size_t size);

/* The network of a genome, into a network whose memory is reused. Fails only for want of memory:
 * a space whose file passed has no point whose layers do not fit. */
CS_MUST_CHECK cs_status cs_space_decode_network(const cs_space *space, const uint8_t *genome,
                                                cs_network *network, cs_error *err);

/* The accelerator of a genome. */
void cs_space_decode_accelerator(const cs_space *space, const uint8_t *genome,
                                 cs_accelerator *accelerator);

#endif
