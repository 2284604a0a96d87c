/* Random search: uniform unseen points, the control that every other engine is measured against. */
#include "search/engine/checkpoint.h"
#include "search/engine/explore.h"

#include <stdlib.h>

typedef struct random_engine {
    cs_engine engine;
    const cs_engine_problem *problem;
    cs_key identity;
    cs_explorer explorer;
    uint64_t generation; /* asks so far */
} random_engine;

static void random_free(cs_engine *engine)
{
    random_engine *self = (random_engine *)engine;
    if (self) {
        cs_explorer_release(&self->explorer);
        free(self);
    }
}

static cs_engine *random_new(const cs_engine_problem *problem, cs_conf_node options, cs_error *err)
{
    static const char *const no_keys[] = {NULL};
    if (cs_conf_exists(options) && cs_conf_only(options, no_keys, err) != CS_OK) {
        return NULL;
    }
    random_engine *self = calloc(1, sizeof *self);
    if (!self || !cs_explorer_init(&self->explorer, problem->space)) {
        free(self);
        cs_fail_memory(err);
        return NULL;
    }
    self->engine.class = &cs_engine_random;
    self->problem = problem;
    self->identity = cs_checkpoint_identity(&cs_engine_random, problem, NULL, 0);
    return &self->engine;
}

static uint32_t random_ask(cs_engine *engine, cs_seen *seen, uint8_t *genomes)
{
    random_engine *self = (random_engine *)engine;
    const cs_engine_problem *problem = self->problem;
    size_t bytes = cs_space_genome_bytes(problem->space);
    uint32_t count = 0;
    while (count < problem->batch) {
        cs_random random;
        cs_random_init(&random, problem->seed, problem->island, CS_PURPOSE_SAMPLE, self->generation,
                       count);
        if (!cs_explorer_find(&self->explorer, seen, &random, genomes + count * bytes)) {
            break;
        }
        count++;
    }
    self->generation++;
    return count;
}

static cs_status random_tell(cs_engine *engine, const uint8_t *genomes, const cs_score *scores,
                             uint32_t count, cs_error *err)
{
    (void)engine;
    (void)genomes;
    (void)scores;
    (void)count;
    (void)err;
    return CS_OK;
}

static void random_save(const cs_engine *engine, cs_buffer *buffer)
{
    const random_engine *self = (const random_engine *)engine;
    size_t start = cs_checkpoint_begin(buffer, self->identity);
    cs_buffer_put_u64(buffer, self->generation);
    cs_checkpoint_end(buffer, start);
}

static cs_status random_load(cs_engine *engine, cs_reader *reader, cs_error *err)
{
    random_engine *self = (random_engine *)engine;
    cs_reader state;
    cs_status status = cs_checkpoint_open(reader, self->identity, &state, err);
    if (status != CS_OK) {
        return status;
    }
    uint64_t generation = cs_reader_get_u64(&state);
    if (!cs_reader_done(&state)) {
        return cs_fail(err, CS_ECORRUPT, "random: the checkpoint is damaged");
    }
    self->generation = generation;
    return CS_OK;
}

const cs_engine_class cs_engine_random = {
    .name = "random",
    .text = "uniform points that were not tried before; the control",
    .options = (const cs_engine_option[]){{NULL, NULL, NULL}},
    .new = random_new,
    .ask = random_ask,
    .tell = random_tell,
    .save = random_save,
    .load = random_load,
    .free = random_free,
};
