/* Knobs: every decision about how a layer runs, by name, each with the values that it may take.
 *
 * A policy chooses them; what a caller pins is not chosen. Whether a combination is legal for a
 * layer on an accelerator, and what it costs, is worked out by step.h alone. */
#ifndef CS_SIM_COMPILER_KNOBS_H
#define CS_SIM_COMPILER_KNOBS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a PE axis splits. */
typedef enum cs_split {
    CS_SPLIT_SPACE,    /* the layer's rows (y axis) or columns (x axis) */
    CS_SPLIT_CHANNELS, /* its output channels */
} cs_split;

/* The order of loops within a pass over output channels. */
typedef enum cs_order {
    CS_ORDER_POSITIONS, /* all weights of the pass in one fill, positions outside: sums are finished
                           one after another, and need no room */
    CS_ORDER_CHUNKS,    /* weights chunk by chunk, a fill each, all positions of the strip for each:
                           partial sums wait in PE memory between chunks */
} cs_order;

/* Where the tensors of a layer lie while it runs. Those that are off chip pass through narrow
 * memory in strips whatever the residence. */
typedef enum cs_residence {
    CS_RESIDENCE_WHOLE,       /* input and output whole in narrow memory */
    CS_RESIDENCE_INPUT_WHOLE, /* the input whole with its halo; output strips take the place of the
                                 rows that are used up */
    CS_RESIDENCE_IN_PLACE,    /* the same without room for the halo, which lies in PE memory */
    CS_RESIDENCE_WIDE,        /* both in PE memory; strips of them in narrow memory */
} cs_residence;

#define CS_RESIDENCE_COUNT 4

/* How one layer runs. A layer without weights ignores what is about weights. */
typedef struct cs_knobs {
    cs_split split_y, split_x;
    cs_order order;
    uint32_t fill_rows; /* of weights for all lanes in one fill; a row is a word for every lane */
    bool ahead;         /* the next fill is brought while one is used, in a FIFO twice as long */
    cs_residence residence;
    uint32_t strip_rows; /* output rows of a PE that are made at once */
} cs_knobs;

/* A knob that a caller may pin for all layers that have a legal schedule with it: name, its values
 * from 0 on, what it decides. CACHING and PREFETCH are of the whole network. */
#define CS_PIN_MAP(X)                                                                              \
    X(SPLIT_Y, "split_y", "space channels", "what the y axis of the PE grid splits")               \
    X(SPLIT_X, "split_x", "space channels", "what the x axis splits")                              \
    X(ORDER, "order", "positions chunks", "all weights of a pass in one fill, or chunk by chunk")  \
    X(AHEAD, "ahead", "no yes", "bring the next fill while one is used")                           \
    X(RESIDENCE, "residence", "whole input-whole in-place wide", "where tensors lie meanwhile")    \
    X(CACHING, "caching", "none greedy chosen", "which layers' parameters stay on the chip")       \
    X(PREFETCH, "prefetch", "no yes", "bring streamed weights before their layer begins")

typedef enum cs_pin {
#define X(name, text, values, about) CS_PIN_##name,
    CS_PIN_MAP(X)
#undef X
        CS_PIN_COUNT
} cs_pin;

typedef enum cs_caching {
    CS_CACHING_NONE,
    CS_CACHING_GREEDY, /* whole layers in their order, passing over those that do not fit */
    CS_CACHING_CHOSEN, /* those whose streaming would cost most */
} cs_caching;

/* Which knobs are pinned, and to what. All zero: none. */
typedef struct cs_pins {
    uint8_t value[CS_PIN_COUNT]; /* 1 + the value's number; 0: not pinned */
} cs_pins;

const char *cs_pin_name(cs_pin pin);
const char *cs_pin_values(cs_pin pin); /* separated by blanks */
const char *cs_pin_about(cs_pin pin);

/* The name of a value of a knob: "space", "chunks" ... */
void cs_pin_value_name(cs_pin pin, unsigned value, char text[16]);

/* Pin what "NAME=VALUE" says. CS_EINVAL, with the names or values that there are. */
CS_MUST_CHECK cs_status cs_pins_set(cs_pins *pins, const char *text, cs_error *err);

/* Whether a knob may have this value. */
bool cs_pins_allow(const cs_pins *pins, cs_pin pin, unsigned value);

#endif
