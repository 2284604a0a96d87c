/* Keyed random streams.
 *
 * A stream is named, not advanced: key (seed, island), counter (purpose, generation, index), and
 * then draws 0, 1, 2 ... Whoever knows the five numbers re-makes the same draws, so nothing about
 * randomness is ever stored, and neither threads nor interruptions can change it. The generator is
 * Philox4x64-10 of Random123 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
 * SC 2011), whose key and counter have exactly this shape. */
#ifndef CS_BASE_RANDOM_H
#define CS_BASE_RANDOM_H

#include <stdint.h>

/* What a stream is for. The numbers decide results: never renumber. */
typedef enum cs_purpose {
    CS_PURPOSE_SAMPLE = 1,    /* uniform points of a space */
    CS_PURPOSE_SELECT = 2,    /* choosing parents */
    CS_PURPOSE_VARY = 3,      /* crossover and mutation */
    CS_PURPOSE_SPLIT = 4,     /* cutting data into folds */
    CS_PURPOSE_BOOTSTRAP = 5, /* resampling in reports */
} cs_purpose;

/* A plain value; copy it to fork the draws that remain. */
typedef struct cs_random {
    uint64_t key[2];
    uint64_t counter[4];
    uint64_t block[4];
    unsigned used; /* of block */
} cs_random;

void cs_random_init(cs_random *random, uint64_t seed, uint64_t island, cs_purpose purpose,
                    uint64_t generation, uint64_t index);

/* Uniform over all 64-bit numbers. */
uint64_t cs_random_u64(cs_random *random);

/* Uniform over 0 .. bound - 1, without bias; bound >= 1. */
uint32_t cs_random_below(cs_random *random, uint32_t bound);

/* Uniform over [0, 1), a multiple of 2^-53. */
double cs_random_unit(cs_random *random);

#endif
