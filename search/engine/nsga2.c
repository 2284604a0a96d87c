/* NSGA-II: Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm:
 * NSGA-II", IEEE TEC 6(2), 2002, on categorical and ordinal genes.
 *
 * It differs from the textbook in what makes it need fewer evaluations: no genome is asked twice,
 * so a child that was seen is drawn again with stronger mutation; equal results do not share a
 * front (rank.h); and the population is small and not tied to the batch. The population is a row
 * in the order of the ranking, best first, so a tournament is won by the lower place. */
#include "search/engine/checkpoint.h"
#include "search/engine/explore.h"
#include "search/engine/rank.h"
#include "search/engine/vary.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_POPULATION 10000

/* Draws of a child before uniform points take over. Mutation doubles with every second one, so the
 * last ones share little with their parents. */
#define CHILD_DRAWS 12

typedef struct nsga2_options {
    int64_t population;
    double crossover, mutations, neighbour;
} nsga2_options;

typedef struct nsga2 {
    cs_engine engine;
    const cs_engine_problem *problem;
    nsga2_options options;
    cs_key identity;
    double mutation_rate; /* a gene */
    size_t genome_bytes;
    cs_explorer explorer;
    uint64_t generation; /* asks so far */

    /* The population, best first, and behind it room for a batch of children. */
    uint32_t size;
    uint8_t *genomes;
    cs_score *scores;

    /* Scratch: the next population is gathered here and then swapped with the above. */
    uint8_t *next_genomes;
    cs_score *next_scores;
    cs_ranking ranking;
} nsga2;

static void nsga2_free(cs_engine *engine)
{
    nsga2 *self = (nsga2 *)engine;
    if (self) {
        cs_explorer_release(&self->explorer);
        cs_ranking_release(&self->ranking);
        free(self->genomes);
        free(self->scores);
        free(self->next_genomes);
        free(self->next_scores);
        free(self);
    }
}

static const cs_engine_option option_texts[] = {
    {"population", "genomes that are kept and bred from, 2 to 10000", "30"},
    {"crossover", "probability that a child has two parents", "0.9"},
    {"mutations", "genes of a child that mutate, on average", "1.0"},
    {"neighbour", "probability that a mutating ordinal gene moves by one step", "0.3"},
    {NULL, NULL, NULL},
};

static cs_status read_options(cs_conf_node node, nsga2_options *options, cs_error *err)
{
    static const char *const keys[] = {"population", "crossover", "mutations", "neighbour", NULL};
    *options =
        (nsga2_options){.population = 30, .crossover = 0.9, .mutations = 1.0, .neighbour = 0.3};
    if (!cs_conf_exists(node)) {
        return CS_OK;
    }
    cs_status status = cs_conf_only(node, keys, err);
    if (status == CS_OK) {
        status =
            cs_conf_maybe_int(node, "population", 2, MAX_POPULATION, &options->population, err);
    }
    if (status == CS_OK) {
        status = cs_conf_maybe_number(node, "crossover", 0, 1, &options->crossover, err);
    }
    if (status == CS_OK) {
        status = cs_conf_maybe_number(node, "mutations", 0, 1000, &options->mutations, err);
    }
    if (status == CS_OK) {
        status = cs_conf_maybe_number(node, "neighbour", 0, 1, &options->neighbour, err);
    }
    return status;
}

static cs_engine *nsga2_new(const cs_engine_problem *problem, cs_conf_node node, cs_error *err)
{
    nsga2_options options;
    if (read_options(node, &options, err) != CS_OK) {
        return NULL;
    }
    nsga2 *self = calloc(1, sizeof *self);
    if (!self) {
        cs_fail_memory(err);
        return NULL;
    }
    uint32_t room = (uint32_t)options.population + problem->batch;
    uint32_t free_genes = cs_vary_free_genes(problem->space);
    double numbers[] = {(double)options.population, options.crossover, options.mutations,
                        options.neighbour};
    self->engine.class = &cs_engine_nsga2;
    self->problem = problem;
    self->options = options;
    self->identity = cs_checkpoint_identity(&cs_engine_nsga2, problem, numbers,
                                            sizeof numbers / sizeof *numbers);
    self->mutation_rate = free_genes > 0 ? fmin(1, options.mutations / free_genes) : 0;
    self->genome_bytes = cs_space_genome_bytes(problem->space);
    self->genomes = calloc(room, self->genome_bytes);
    self->scores = calloc(room, sizeof *self->scores);
    self->next_genomes = calloc(room, self->genome_bytes);
    self->next_scores = calloc(room, sizeof *self->next_scores);
    bool ready = cs_ranking_init(&self->ranking, problem->objective_count, room);
    ready = cs_explorer_init(&self->explorer, problem->space) && ready;
    if (!ready || !self->genomes || !self->scores || !self->next_genomes || !self->next_scores) {
        nsga2_free(&self->engine);
        cs_fail_memory(err);
        return NULL;
    }
    return &self->engine;
}

/* The genome that wins a tournament of two. */
static const uint8_t *select_parent(const nsga2 *self, cs_random *random)
{
    uint32_t a = cs_random_below(random, self->size);
    uint32_t b = cs_random_below(random, self->size);
    return self->genomes + (a < b ? a : b) * self->genome_bytes;
}

static bool breed_unseen(const nsga2 *self, uint32_t index, cs_seen *seen, uint8_t *child)
{
    const cs_engine_problem *problem = self->problem;
    cs_random select, vary;
    cs_random_init(&select, problem->seed, problem->island, CS_PURPOSE_SELECT, self->generation,
                   index);
    cs_random_init(&vary, problem->seed, problem->island, CS_PURPOSE_VARY, self->generation, index);
    double rate = self->mutation_rate;
    for (unsigned draw = 0; draw < CHILD_DRAWS; draw++) {
        const uint8_t *mother = select_parent(self, &select);
        const uint8_t *father = select_parent(self, &select);
        if (cs_random_unit(&vary) < self->options.crossover) {
            cs_vary_cross(problem->space, &vary, mother, father, child);
        } else {
            memcpy(child, mother, self->genome_bytes);
        }
        cs_vary_mutate(problem->space, &vary, rate, self->options.neighbour, child);
        if (cs_seen_add(seen, cs_explorer_key(problem->space, child))) {
            return true;
        }
        if (draw % 2 == 1) {
            rate = fmin(1, 2 * rate);
        }
    }
    return false;
}

/* Uniform points until there is a population, children from then on. */
static uint32_t nsga2_ask(cs_engine *engine, cs_seen *seen, uint8_t *genomes)
{
    nsga2 *self = (nsga2 *)engine;
    const cs_engine_problem *problem = self->problem;
    uint32_t missing = (uint32_t)self->options.population - self->size;
    uint32_t wanted = missing > 0 && missing < problem->batch ? missing : problem->batch;
    uint32_t count = 0;
    while (count < wanted) {
        uint8_t *genome = genomes + count * self->genome_bytes;
        if (missing > 0 || !breed_unseen(self, count, seen, genome)) {
            cs_random random;
            cs_random_init(&random, problem->seed, problem->island, CS_PURPOSE_SAMPLE,
                           self->generation, count);
            if (!cs_explorer_find(&self->explorer, seen, &random, genome)) {
                break;
            }
        }
        count++;
    }
    self->generation++;
    return count;
}

static cs_status nsga2_tell(cs_engine *engine, const uint8_t *genomes, const cs_score *scores,
                            uint32_t count, cs_error *err)
{
    (void)err;
    nsga2 *self = (nsga2 *)engine;
    assert(count <= self->problem->batch);
    uint32_t population = (uint32_t)self->options.population;
    uint32_t total = self->size + count;
    memcpy(self->genomes + self->size * self->genome_bytes, genomes, count * self->genome_bytes);
    memcpy(self->scores + self->size, scores, count * sizeof *scores);
    cs_ranking_sort(&self->ranking, self->scores, total);

    self->size = total < population ? total : population;
    for (uint32_t i = 0; i < self->size; i++) {
        uint32_t from = self->ranking.order[i];
        memcpy(self->next_genomes + i * self->genome_bytes,
               self->genomes + from * self->genome_bytes, self->genome_bytes);
        self->next_scores[i] = self->scores[from];
    }
    uint8_t *old_genomes = self->genomes;
    cs_score *old_scores = self->scores;
    self->genomes = self->next_genomes;
    self->scores = self->next_scores;
    self->next_genomes = old_genomes;
    self->next_scores = old_scores;
    return CS_OK;
}

static void nsga2_save(const cs_engine *engine, cs_buffer *buffer)
{
    const nsga2 *self = (const nsga2 *)engine;
    size_t start = cs_checkpoint_begin(buffer, self->identity);
    cs_buffer_put_u64(buffer, self->generation);
    cs_buffer_put_u32(buffer, self->size);
    cs_buffer_put(buffer, self->genomes, self->size * self->genome_bytes);
    for (uint32_t i = 0; i < self->size; i++) {
        cs_buffer_put_f64(buffer, self->scores[i].violation);
        for (uint32_t j = 0; j < self->problem->objective_count; j++) {
            cs_buffer_put_f64(buffer, self->scores[i].objectives[j]);
        }
    }
    cs_checkpoint_end(buffer, start);
}

static cs_status nsga2_load(cs_engine *engine, cs_reader *reader, cs_error *err)
{
    nsga2 *self = (nsga2 *)engine;
    assert(self->size == 0);
    cs_reader state;
    cs_status status = cs_checkpoint_open(reader, self->identity, &state, err);
    if (status != CS_OK) {
        return status;
    }
    uint64_t generation = cs_reader_get_u64(&state);
    uint32_t size = cs_reader_get_u32(&state);
    bool sound = size <= self->options.population;
    for (uint32_t i = 0; i < size && sound; i++) {
        const uint8_t *genome = cs_reader_get(&state, self->genome_bytes);
        sound = genome && cs_space_contains(self->problem->space, genome, self->genome_bytes);
        if (sound) {
            memcpy(self->genomes + i * self->genome_bytes, genome, self->genome_bytes);
        }
    }
    for (uint32_t i = 0; i < size && sound; i++) {
        self->scores[i].violation = cs_reader_get_f64(&state);
        sound = self->scores[i].violation >= 0;
        for (uint32_t j = 0; j < self->problem->objective_count; j++) {
            self->scores[i].objectives[j] = cs_reader_get_f64(&state);
            sound = sound && isfinite(self->scores[i].objectives[j]);
        }
    }
    if (!sound || !cs_reader_done(&state)) {
        return cs_fail(err, CS_ECORRUPT, "nsga2: the checkpoint is damaged");
    }
    self->generation = generation;
    self->size = size;
    return CS_OK;
}

const cs_engine_class cs_engine_nsga2 = {
    .name = "nsga2",
    .text = "NSGA-II with a small population; never tries a point twice",
    .options = option_texts,
    .new = nsga2_new,
    .ask = nsga2_ask,
    .tell = nsga2_tell,
    .save = nsga2_save,
    .load = nsga2_load,
    .free = nsga2_free,
};
