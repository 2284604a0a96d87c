/* The compiler's notes on a network, and what every policy does with them. Internal to
 * sim/compiler/. */
#ifndef CS_SIM_COMPILER_PLAN_H
#define CS_SIM_COMPILER_PLAN_H

#include "sim/compiler/memo.h"
#include "sim/compiler/step.h"
#include "sim/compiler/timing.h"

typedef struct cs_layer_plan {
    cs_use use;
    cs_memo_entry *entry; /* of the memo, or NULL */
    const cs_way *way;    /* how it runs: of the memo, or cs_compiler.ways */
    uint64_t share;       /* of the result in the fullest PE; 0 where it is off chip, or lies where
                             its parts do */
    uint64_t idle_bytes;  /* in the fullest PE, of tensors that only other steps read or write */
    uint64_t reserve_bytes; /* wide memory that the policy keeps for the step's buffers, if more
                               than they need */
    cs_layer_id alive;      /* the last step that the result has to see */
    uint32_t readers;       /* inputs of layers that are the result */
    bool off_chip;          /* the result */
    bool cached, prefetched;
} cs_layer_plan;

typedef struct cs_compiler {
    const cs_network *network;
    const cs_accelerator *accelerator;
    cs_machine machine;
    cs_rates rates;
    cs_compile_options options;
    cs_schedule *schedule;
    cs_layer_plan *plans;
    cs_way *ways;                /* one a layer, for ways that are no other network's */
    struct cs_best_layer *notes; /* policy best: one a layer */
    cs_memo *memo;
} cs_compiler;

static inline bool cs_compiler_has(const cs_compiler *c, cs_mechanism mechanism)
{
    return (c->options.without >> mechanism & 1) == 0;
}

/* Wide memory of the fullest PE, beyond what overhangs, that a step takes by such needs. Where one
 * memory holds all, tensors in narrow memory count, too. */
uint64_t cs_plan_wide_bytes(const cs_machine *machine, const cs_need *need, uint64_t idle_bytes);

/* The wide memory that there is: that of cs_plan_wide_bytes's result. */
uint64_t cs_plan_wide_memory(const cs_machine *machine);

/* Whether the step fits: its tensors into narrow memory (unless one memory holds all) and
 * everything else, with what is idle, into wide memory. */
bool cs_plan_fits(const cs_machine *machine, const cs_need *need, uint64_t idle_bytes);

/* Bytes of the chip that are left for parameters when a PE keeps so much of wide memory free. */
uint64_t cs_plan_capacity(const cs_machine *machine, uint64_t reserved);

/* Whether a layer's weights may stay on chip at all. */
static inline bool cs_plan_may_cache(const cs_compiler *c, const cs_layer_plan *plan)
{
    return plan->way->cut.cacheable && cs_compiler_has(c, CS_MECHANISM_CACHING);
}

/* Start anew: all tensors on chip, no layer with a way to run. */
void cs_plan_start(const cs_compiler *c);

/* Knobs of a layer by a policy; false where no legal ones fit. */
typedef bool cs_choose_knobs(const cs_compiler *c, cs_layer_id layer);

/* Choose knobs for every layer, and move tensors off chip until every step fits beside what is idle
 * then: the largest first, before those that the crowded step reads or makes. After `*rounds`
 * rounds, which it counts down, it gives up. */
cs_reason cs_plan_layers(const cs_compiler *c, cs_choose_knobs *choose, uint32_t *rounds,
                         cs_layer_id *culprit);

/* Wide memory of the fullest PE that a step keeps free of parameters. */
uint64_t cs_plan_reserve(const cs_compiler *c, const cs_layer_plan *plan);

/* Work out schedule->parameter_capacity and the peak of activations. True if all parameters may be
 * cached and fit. */
bool cs_plan_memory(const cs_compiler *c);

/* Cache whole layers in their order, passing over those that do not fit. */
void cs_plan_cache_greedily(const cs_compiler *c, uint64_t capacity);

/* Write down the steps and sums of the schedule; the plans say what is cached and prefetched. */
void cs_plan_finish(const cs_compiler *c);

#endif
