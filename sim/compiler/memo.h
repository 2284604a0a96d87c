/* Layers that were scheduled before, so that equal ones need not be again.
 *
 * Within one accelerator, policy and pins a layer's schedule follows from its shape and its use:
 * which of its tensors lie off chip or survive it, and the halo that its readers need. What equals
 * in all of that shares an entry. A memo belongs to one schedule, so to one thread; it is bounded,
 * and forgets everything when it is full or the accelerator changes. It changes no result: what it
 * holds is what would be worked out anew. */
#ifndef CS_SIM_COMPILER_MEMO_H
#define CS_SIM_COMPILER_MEMO_H

#include "sim/compiler/step.h"

/* Entries that are remembered at most. */
#define CS_MEMO_ENTRIES 1024u

/* A complete way to run a layer. */
typedef struct cs_way {
    cs_cut cut;
    cs_knobs knobs;
    cs_need need;
    uint64_t reserve_bytes; /* wide memory that the policy keeps for the step's buffers, if more
                               than they need; of a pool, beside those of the layer before it */
    uint64_t instruction_bytes;
    cs_step step; /* with cached parameters and no other step beside it */
} cs_way;

/* The same in short, as policy best compares them. */
typedef struct cs_option {
    cs_knobs knobs;
    uint32_t strips;
    uint64_t narrow_bytes;
    uint64_t wide_bytes; /* buffers beyond what overhangs, and tensors */
    uint64_t kept_bytes; /* wide memory that the step keeps free, with what is idle beside it */
    uint64_t run_cycles, fills;
    double cached_s;   /* of the step when its parameters are on chip, or it has none */
    double streamed_s; /* when they are not */
} cs_option;

/* What of a layer's use its schedule depends on. Without padding. */
typedef struct cs_memo_use {
    uint8_t input_off, input_survives; /* a bit an input */
    uint8_t output_off, twice;
    uint32_t halo_rows, halo_cols;
} cs_memo_use;

/* What is known of a layer. Each part is worked out when it is first asked for. */
typedef struct cs_memo_entry {
    unsigned char layer[CS_LAYER_KEY_BYTES];
    cs_memo_use use;
    bool measured;
    cs_reason reason;     /* why no schedule can run it */
    uint64_t share_bytes; /* its result in the fullest PE, without a halo */
    bool vendor_known, vendor_legal;
    bool best_known, best_legal;
    bool whole_fits; /* as the vendor runs it where memory is ample, beside nothing */
    cs_way vendor;
    cs_way best[2]; /* policy best: the fastest with cached and with streamed parameters, where
                       nothing is idle beside it */
    cs_option options[2]; /* the same */
} cs_memo_entry;

typedef struct cs_memo cs_memo;

/* NULL for want of memory. */
cs_memo *cs_memo_new(void);
void cs_memo_free(cs_memo *memo);

/* Begin to schedule a network of so many layers: entries stay valid until the next call. Forgets
 * what was of another accelerator or other options. */
void cs_memo_begin(cs_memo *memo, const cs_accelerator *accelerator,
                   const cs_compile_options *options, uint32_t layers);

/* The entry of a layer's use, with no part known if it is new. NULL without a memo and when there
 * is no room, as for networks of more layers than there are entries. */
cs_memo_entry *cs_memo_find(cs_memo *memo, const cs_use *use);

#endif
