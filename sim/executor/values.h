/* Weights and inputs of a network: made from a seed, so that whoever needs one makes it.
 *
 * Weights are indexed as a layer sums them: kernel row, kernel column, channel of the group; dense
 * layers over the flattened input; cells over the inputs of a step and then the state before it,
 * their channels unit by unit with the gates of a unit beside each other. */
#ifndef CS_SIM_EXECUTOR_VALUES_H
#define CS_SIM_EXECUTOR_VALUES_H

#include "sim/network/network.h"

#include <stdint.h>

typedef struct cs_values {
    uint64_t seed;
} cs_values;

int8_t cs_values_input(const cs_values *values, cs_layer_id layer, uint64_t index);
int8_t cs_values_weight(const cs_values *values, cs_layer_id layer, uint64_t channel,
                        uint64_t index);

/* Of an output channel: what its sum begins with; the slope of its negative side; factor and term
 * of a normalisation that is a layer of its own. */
int32_t cs_values_bias(const cs_values *values, cs_layer_id layer, uint64_t channel);
int8_t cs_values_slope(const cs_values *values, cs_layer_id layer, uint64_t channel);
int8_t cs_values_factor(const cs_values *values, cs_layer_id layer, uint64_t channel);

#endif
