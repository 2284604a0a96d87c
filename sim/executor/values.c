/* Weights and inputs made from a seed: see values.h. */
#include "sim/executor/values.h"

enum { INPUT, WEIGHT, BIAS, SLOPE, FACTOR };

/* The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), over all that names a value. */
static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t value_of(const cs_values *values, uint64_t what, cs_layer_id layer,
                         uint64_t channel, uint64_t index)
{
    return mix(mix(mix(values->seed ^ what << 32 ^ layer) ^ channel) ^ index);
}

int8_t cs_values_input(const cs_values *values, cs_layer_id layer, uint64_t index)
{
    return (int8_t)(value_of(values, INPUT, layer, 0, index) & 0xff);
}

int8_t cs_values_weight(const cs_values *values, cs_layer_id layer, uint64_t channel,
                        uint64_t index)
{
    return (int8_t)(value_of(values, WEIGHT, layer, channel, index) & 0xff);
}

int32_t cs_values_bias(const cs_values *values, cs_layer_id layer, uint64_t channel)
{
    return (int32_t)(value_of(values, BIAS, layer, channel, 0) % 8191) - 4095;
}

int8_t cs_values_slope(const cs_values *values, cs_layer_id layer, uint64_t channel)
{
    return (int8_t)(value_of(values, SLOPE, layer, channel, 0) & 0x7f);
}

int8_t cs_values_factor(const cs_values *values, cs_layer_id layer, uint64_t channel)
{
    return (int8_t)(value_of(values, FACTOR, layer, channel, 0) & 0xff);
}
