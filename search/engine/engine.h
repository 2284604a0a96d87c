/* Search engines: which genomes to evaluate next.
 *
 * An engine is ask/tell and nothing else: no clock, no thread, no global, no evaluation of its own.
 * It sees genomes and scores. Its randomness is named (base/random.h): seed and island are the
 * problem's, the generation counts its asks, so the same tells give the same asks, on any number of
 * workers, before and after a save and load. Every engine passes tests/search/test_engines.c.
 *
 * Objectives are minimised; whoever wants a maximum negates. A score with violation > 0 is
 * infeasible, and engines prefer less of it; INFINITY says that the design could not run at all. */
#ifndef CS_SEARCH_ENGINE_ENGINE_H
#define CS_SEARCH_ENGINE_ENGINE_H

#include "base/buffer.h"
#include "base/conf.h"
#include "search/front/seen.h"
#include "search/space.h"

#define CS_MAX_OBJECTIVES 5

/* What an engine searches. Borrowed by the engine for its whole life, never changed. */
typedef struct cs_engine_problem {
    const cs_space *space;
    uint32_t objective_count; /* 1 .. CS_MAX_OBJECTIVES */
    uint32_t batch;           /* most genomes an ask may return */
    uint64_t seed, island;
} cs_engine_problem;

typedef struct cs_score {
    double objectives[CS_MAX_OBJECTIVES]; /* finite where violation is finite */
    double violation;                     /* 0: feasible */
} cs_score;

typedef struct cs_engine cs_engine; /* first member of every engine's struct */

typedef struct cs_engine_option {
    const char *name;
    const char *text;     /* one line for people */
    const char *fallback; /* the default as a person would write it */
} cs_engine_option;

typedef struct cs_engine_class {
    const char *name;
    const char *text;                /* one line for people */
    const cs_engine_option *options; /* ends with a NULL name */

    /* Make one from its options group (absent node: all defaults). Unknown options and impossible
     * values are refused with their place. NULL on failure. */
    cs_engine *(*new)(const cs_engine_problem *problem, cs_conf_node options, cs_error *err);

    /* Fill up to problem->batch genomes, one after the other, none of which is in `seen`, and add
     * each to it. Returns how many: 0 only if the engine finds no unseen point any more. */
    uint32_t (*ask)(cs_engine *engine, cs_seen *seen, uint8_t *genomes);

    /* The scores of the first `count` genomes of the last ask, in the order asked: all of them,
     * unless a budget ends within the batch. Fails for want of memory. */
    cs_status (*tell)(cs_engine *engine, const uint8_t *genomes, const cs_score *scores,
                      uint32_t count, cs_error *err);

    /* All that load needs to go on as this engine would, between a tell and an ask. In proportion
     * to the population, not to the evaluations. */
    void (*save)(const cs_engine *engine, cs_buffer *buffer);

    /* Into a new engine of the same class, problem and options. CS_ECORRUPT on anything else. */
    cs_status (*load)(cs_engine *engine, cs_reader *reader, cs_error *err);

    void (*free)(cs_engine *engine);
} cs_engine_class;

struct cs_engine {
    const cs_engine_class *class;
};

extern const cs_engine_class cs_engine_nsga2;
extern const cs_engine_class cs_engine_random;

/* All classes, ending with NULL, and the one of that name or NULL. */
extern const cs_engine_class *const cs_engine_classes[];
const cs_engine_class *cs_engine_find(const char *name);

#endif
