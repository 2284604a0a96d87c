/* What an operation computes on int8 values: see arithmetic.h. */
#include "sim/executor/arithmetic.h"

#define ONE_SHIFT 6 /* 64 stands for 1 in factors, sigmoid and tanh */
#define ONE       (1 << ONE_SHIFT)

int64_t cs_divide(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor, rest = value % divisor;
    if (rest < 0) {
        quotient--;
        rest += divisor;
    }
    bool up = 2 * rest > divisor || (2 * rest == divisor && quotient % 2 != 0);
    return quotient + (up ? 1 : 0);
}

int8_t cs_saturate(int64_t value)
{
    return (int8_t)(value < INT8_MIN ? INT8_MIN : value > INT8_MAX ? INT8_MAX : value);
}

int8_t cs_requantise(int64_t sum, unsigned shift)
{
    return cs_saturate(cs_divide(sum, (int64_t)1 << shift));
}

unsigned cs_sum_shift(uint64_t products)
{
    unsigned shift = ONE_SHIFT;
    for (; products > 1; products /= 4) {
        shift++;
    }
    return shift;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Piecewise linear, 0 to 64; and -64 to 64. */
static int64_t sigmoid(int64_t value)
{
    return clamp(ONE / 2 + cs_divide(value, 4), 0, ONE);
}

static int64_t tangent(int64_t value)
{
    return clamp(value, -ONE, ONE);
}

int8_t cs_activate(cs_activation activation, int8_t value, int8_t slope)
{
    switch (activation) {
    case CS_ACTIVATION_RELU:
        return value > 0 ? value : 0;
    case CS_ACTIVATION_RELU6:
        return (int8_t)clamp(value, 0, 6 << 4);
    case CS_ACTIVATION_SIGMOID:
        return (int8_t)sigmoid(value);
    case CS_ACTIVATION_HARD_SIGMOID:
        return (int8_t)clamp(ONE / 2 + cs_divide(value, 6), 0, ONE);
    case CS_ACTIVATION_LEAKY_RELU:
        return value > 0 ? value : cs_requantise(value, 3);
    case CS_ACTIVATION_PRELU:
        return value > 0 ? value : cs_requantise((int64_t)value * slope, 7);
    case CS_ACTIVATION_TANH:
        return (int8_t)tangent(value);
    case CS_ACTIVATION_SWISH:
    case CS_ACTIVATION_GELU:
        return cs_requantise(value * sigmoid(2 * (int64_t)value), ONE_SHIFT);
    case CS_ACTIVATION_HARD_SWISH:
        return cs_requantise(value * clamp(ONE / 2 + cs_divide(value, 6), 0, ONE), ONE_SHIFT);
    default:
        return value;
    }
}

int8_t cs_add(int8_t a, int8_t b)
{
    return cs_saturate((int64_t)a + b);
}

int8_t cs_multiply(int8_t a, int8_t b)
{
    return cs_requantise((int64_t)a * b, ONE_SHIFT);
}

int8_t cs_scale_and_shift(int8_t value, int8_t factor)
{
    return cs_requantise((int64_t)value * factor + factor, ONE_SHIFT);
}

/* A weight that halves every 16 below the largest value. */
static int64_t weight_of(int64_t below)
{
    return (int64_t)1 << (16 - clamp(cs_divide(below, 16), 0, 16));
}

void cs_norm_fold(cs_norm *norm, cs_op op, int pass, int8_t value)
{
    if (op == CS_OP_SOFTMAX) {
        if (pass == 0) {
            norm->first = norm->count == 0 || value > norm->first ? value : norm->first;
        } else {
            norm->second += weight_of(norm->first - value);
        }
    } else if (pass == 0) {
        norm->first += value;
    } else {
        int64_t apart = value - cs_divide(norm->first, norm->count);
        norm->second += apart < 0 ? -apart : apart;
    }
    norm->count += pass == 0 ? 1 : 0;
}

int8_t cs_norm_result(const cs_norm *norm, cs_op op, int8_t value, int8_t factor)
{
    if (op == CS_OP_SOFTMAX) {
        return cs_saturate(cs_divide(INT8_MAX * weight_of(norm->first - value), norm->second));
    }
    /* By the mean distance from the mean, which needs no root. */
    int64_t apart = value - cs_divide(norm->first, norm->count);
    int64_t spread = cs_divide(norm->second, norm->count);
    return cs_scale_and_shift(cs_saturate(cs_divide(apart * 32, spread + 1)), factor);
}

int8_t cs_between(const int8_t corners[4], uint32_t down, uint32_t height, uint32_t right,
                  uint32_t width)
{
    int64_t up = height - down, left = width - right;
    int64_t sum = corners[0] * up * left + corners[1] * up * right + corners[2] * down * left +
                  corners[3] * (int64_t)down * right;
    return cs_saturate(cs_divide(sum, (int64_t)height * width));
}

uint32_t cs_gates(cs_op op)
{
    return op == CS_OP_LSTM ? 4 : op == CS_OP_GRU ? 3 : 0;
}

int8_t cs_cell_step(cs_op op, const int8_t gates[CS_GATE_VALUES], int8_t before, int8_t *cell)
{
    if (op == CS_OP_LSTM) {
        int64_t kept = sigmoid(gates[1]) * *cell + sigmoid(gates[0]) * tangent(gates[2]);
        *cell = cs_requantise(kept, ONE_SHIFT);
        return cs_requantise(sigmoid(gates[3]) * tangent(*cell), ONE_SHIFT);
    }
    int64_t reset = sigmoid(gates[0]), update = sigmoid(gates[1]);
    int64_t candidate = tangent(gates[2] + cs_divide(reset * gates[3], ONE));
    return cs_requantise(update * before + (ONE - update) * candidate, ONE_SHIFT);
}
