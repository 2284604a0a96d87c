/* Policy best: the fastest schedule that is found, by the closed form of timing.h.
 *
 * Internal to sim/. For every layer it lists the ways to run it that may be worth their memory
 * (splits, order and size of fills, double FIFOs, residences, strips) and keeps those that no other
 * beats in memory and in time, with its parameters on chip and without, at once. Whatever one
 * layer's buffers take no layer's parameters can have: so it tries bounds on the memory that any
 * step may take, lets each layer take its fastest way within the bound, caches the parameters whose
 * streaming would cost most in what is left (a knapsack), tries to keep some of it free to bring
 * streamed parameters ahead of their layers, and keeps the best of all. Of a single layer
 * every way that was legal with less memory is tried with more. */
#ifndef CS_SIM_COMPILER_BEST_H
#define CS_SIM_COMPILER_BEST_H

#include "sim/compiler/plan.h"

/* Ways to run one layer that are kept at most. */
#define CS_BEST_MAX_OPTIONS 24u

/* Parameters that may be cached, and what that gains. */
typedef struct cs_cache_item {
    uint64_t bytes;
    double gain_s;
    cs_layer_id layer;
} cs_cache_item;

/* Notes on a layer. */
typedef struct cs_best_layer {
    cs_option options[CS_BEST_MAX_OPTIONS];
    uint32_t count;
    bool listed; /* the fastest ways, for this use and beside so many idle bytes */
    cs_use use;
    uint64_t idle_bytes;
    uint32_t cached, streamed; /* options for either case, within the bound that is tried */
    bool whole_fits;           /* cs_memo_entry */
    bool all;                  /* all ways that are worth keeping are listed */
    const cs_way *ways;        /* of the two options, where the memo has them; else NULL */
    cs_cache_item item;        /* of any layer: the notes are also room for a list of items */
} cs_best_layer;

/* Choose the fastest way for each layer, and stream what the network reads and gives. The reason is
 * CS_REASON_NONE, or why `culprit` cannot run, or that no way was found before it was given up. */
cs_reason cs_best_layers(const cs_compiler *c, cs_layer_id *culprit, bool *given_up);

/* After that: cache all parameters, which fit. False if the vendor might still be faster: a layer
 * has no room for its tensors whole. */
bool cs_best_cache_all(const cs_compiler *c);

/* Or share the memory out, which does not suffice for that: ways within bounds, what is cached and
 * what is prefetched. */
void cs_best_share(const cs_compiler *c);

#endif
