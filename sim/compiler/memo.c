/* Layers that were scheduled before: see memo.h. */
#include "sim/compiler/memo.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS (2 * CS_MEMO_ENTRIES) /* a power of two */

_Static_assert((SLOTS & (SLOTS - 1)) == 0, "slots are found by a mask");
_Static_assert(sizeof(cs_memo_use) == 12, "uses are compared as bytes");

struct cs_memo {
    cs_accelerator accelerator;
    cs_compile_options options;
    uint32_t generation;
    uint32_t count;
    struct slot {
        uint32_t generation;
        uint32_t entry;
    } slots[SLOTS];
    cs_memo_entry entries[CS_MEMO_ENTRIES];
};

cs_memo *cs_memo_new(void)
{
    return calloc(1, sizeof(cs_memo));
}

void cs_memo_free(cs_memo *memo)
{
    free(memo);
}

static void forget(cs_memo *memo)
{
    memo->count = 0;
    memo->generation++;
    if (memo->generation == 0) {
        memset(memo->slots, 0, sizeof memo->slots);
        memo->generation = 1;
    }
}

static bool same_accelerator(const cs_accelerator *a, const cs_accelerator *b)
{
    for (uint32_t i = 0; i < cs_accelerator_field_count; i++) {
        if (cs_accelerator_get(a, &cs_accelerator_fields[i]) !=
            cs_accelerator_get(b, &cs_accelerator_fields[i])) {
            return false;
        }
    }
    return memcmp(&a->host, &b->host, sizeof a->host) == 0;
}

static bool same_options(const cs_compile_options *a, const cs_compile_options *b)
{
    return a->without == b->without && memcmp(&a->pins, &b->pins, sizeof a->pins) == 0;
}

void cs_memo_begin(cs_memo *memo, const cs_accelerator *accelerator,
                   const cs_compile_options *options, uint32_t layers)
{
    if (memo->generation == 0 || memo->count + layers > CS_MEMO_ENTRIES ||
        !same_accelerator(&memo->accelerator, accelerator) ||
        !same_options(&memo->options, options)) {
        memo->accelerator = *accelerator;
        memo->options = *options;
        forget(memo);
    }
}

cs_memo_entry *cs_memo_find(cs_memo *memo, const cs_use *use)
{
    if (!memo) {
        return NULL;
    }
    const cs_memo_use used = {
        .input_off = (uint8_t)(use->input_off[0] | use->input_off[1] << 1),
        .input_survives = (uint8_t)(use->input_survives[0] | use->input_survives[1] << 1),
        .output_off = use->output_off,
        .twice = use->twice,
        .halo_rows = use->halo_rows,
        .halo_cols = use->halo_cols,
    };
    uint32_t flags = (uint32_t)used.input_off | (uint32_t)used.input_survives << 2 |
                     (uint32_t)used.output_off << 4 | used.halo_rows << 5 | used.halo_cols << 8;
    uint32_t at = ((uint32_t)use->layer->key ^ flags * 2654435761u) & (SLOTS - 1);
    for (; memo->slots[at].generation == memo->generation; at = (at + 1) & (SLOTS - 1)) {
        cs_memo_entry *entry = &memo->entries[memo->slots[at].entry];
        if (memcmp(&entry->use, &used, sizeof used) == 0 &&
            memcmp(entry->layer, use->layer, CS_LAYER_KEY_BYTES) == 0) {
            return entry;
        }
    }
    if (memo->count == CS_MEMO_ENTRIES) {
        return NULL;
    }
    cs_memo_entry *entry = &memo->entries[memo->count];
    memcpy(entry->layer, use->layer, CS_LAYER_KEY_BYTES);
    entry->use = used;
    entry->measured = entry->vendor_known = entry->best_known = false;
    memo->slots[at] = (struct slot){memo->generation, memo->count};
    memo->count++;
    return entry;
}
