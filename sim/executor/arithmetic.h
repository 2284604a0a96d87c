/* What an operation computes on int8 values, apart from which values it reads: rounding, functions
 * of one value, of the channels of a position, of the gates of a unit. Executor and reference share
 * these and nothing else. Integers alone, so that equal means equal bit for bit. */
#ifndef CS_SIM_EXECUTOR_ARITHMETIC_H
#define CS_SIM_EXECUTOR_ARITHMETIC_H

#include "sim/network/network.h"

#include <stdbool.h>
#include <stdint.h>

/* value / divisor, half to even; divisor >= 1. */
int64_t cs_divide(int64_t value, int64_t divisor);

int8_t cs_saturate(int64_t value);

/* A sum as int8: by 2^shift, half to even, saturated. */
int8_t cs_requantise(int64_t sum, unsigned shift);

/* The shift of a layer that sums so many products. */
unsigned cs_sum_shift(uint64_t products);

/* The layer's own activation; `slope` is the channel's. */
int8_t cs_activate(cs_activation activation, int8_t value, int8_t slope);

int8_t cs_add(int8_t a, int8_t b);
int8_t cs_multiply(int8_t a, int8_t b);
int8_t cs_scale_and_shift(int8_t value, int8_t factor);

/* Softmax and layer normalisation of the `count` channels of a position, pass by pass over them:
 * begin with zeroes, fold every channel in pass 0, then in pass 1; then each result follows. */
typedef struct cs_norm {
    int64_t first, second; /* of pass 0, of pass 1 */
    uint32_t count;
} cs_norm;

void cs_norm_fold(cs_norm *norm, cs_op op, int pass, int8_t value);
int8_t cs_norm_result(const cs_norm *norm, cs_op op, int8_t value, int8_t factor);

/* Between four neighbours; the place is `down` / `height` and `right` / `width` of the way. */
int8_t cs_between(const int8_t corners[4], uint32_t down, uint32_t height, uint32_t right,
                  uint32_t width);

/* Values that the gates of a unit leave: the gates' sums as int8; of the candidate of a GRU the
 * part of the input and that of the state apart, as its reset gate works on the latter alone
 * (Cho et al. with the reset after the product, as cuDNN and ONNX have it). */
#define CS_GATE_VALUES 4u

uint32_t cs_gates(cs_op op);

/* The unit's new state from its gates; `cell` is what an LSTM remembers beside it. */
int8_t cs_cell_step(cs_op op, const int8_t gates[CS_GATE_VALUES], int8_t before, int8_t *cell);

#endif
