/* Operators on what is known before the network runs: shapes that exporters compute, weights that
 * they transpose or quantise. */
#include "sim/onnx/operators.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef cs_status (*fold)(onnx_import *m, const onnx_value *x, onnx_value *y);

/* A constant of known numbers and its own memory for them, which may be more than one of. */
static cs_status set_numbers(onnx_import *m, onnx_value *y, const int64_t *dims, uint8_t rank,
                             const double *numbers, uint64_t count)
{
    double *own = NULL;
    if (numbers && count > 0) {
        own = malloc((size_t)count * sizeof *own);
        if (!own) {
            return cs_fail_memory(m->err);
        }
        memcpy(own, numbers, (size_t)count * sizeof *own);
    }
    free(y->numbers);
    y->numbers = own;
    y->kind = ONNX_CONSTANT;
    y->rank = rank;
    for (uint8_t i = 0; i < rank; i++) {
        y->dims[i] = dims[i];
    }
    y->bits = 8;
    return CS_OK;
}

static cs_status fold_alias(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    uint64_t count = x->numbers ? onnx_elements(x->dims, x->rank) : 0;
    cs_status status = set_numbers(m, y, x->dims, x->rank, x->numbers, count);
    y->bits = x->bits;
    return status;
}

/* Weights keep the width that they were quantised to. */
static cs_status fold_quantize(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    const onnx_value *zero = onnx_operand(m, 2);
    cs_status status = fold_alias(m, x, y);
    y->bits = zero && zero->kind == ONNX_CONSTANT ? zero->bits : 8;
    return status;
}

static cs_status fold_transpose(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    const Onnx__AttributeProto *perm = onnx_attribute(m->node, "perm");
    int64_t dims[ONNX_MAX_RANK];
    if (perm && perm->n_ints != x->rank) {
        return onnx_fail(m, "perm does not fit a tensor of %u axes", x->rank);
    }
    for (uint8_t i = 0; i < x->rank; i++) {
        int64_t from = perm ? perm->ints[i] : x->rank - 1 - i;
        if (from < 0 || from >= x->rank) {
            return onnx_fail(m, "perm does not fit a tensor of %u axes", x->rank);
        }
        dims[i] = x->dims[from];
    }
    if (onnx_elements(dims, x->rank) != onnx_elements(x->dims, x->rank)) {
        return onnx_fail(m, "perm names an axis twice");
    }
    cs_status status = set_numbers(m, y, dims, x->rank, NULL, 0);
    y->bits = x->bits;
    return status;
}

static cs_status fold_reshape(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    int64_t dims[ONNX_MAX_RANK];
    uint8_t rank;
    cs_status status = onnx_new_shape(m, x, dims, &rank);
    if (!status && (onnx_elements(dims, rank) == 0 ||
                    onnx_elements(dims, rank) != onnx_elements(x->dims, x->rank))) {
        return onnx_fail(m, "the new shape has not as many elements as the old one");
    }
    if (!status) {
        uint64_t count = x->numbers ? onnx_elements(x->dims, x->rank) : 0;
        status = set_numbers(m, y, dims, rank, x->numbers, count);
        y->bits = x->bits;
    }
    return status;
}

/* Initial states of cells are made like this; their values are not needed. */
static cs_status fold_constant_of_shape(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    int64_t dims[ONNX_MAX_RANK];
    uint64_t rank = x->rank == 1 && x->numbers ? onnx_elements(x->dims, 1) : 0;
    for (uint64_t i = 0; i < rank && rank <= ONNX_MAX_RANK; i++) {
        double side = x->numbers[i];
        dims[i] = side >= 1 && side <= (double)CS_NETWORK_MAX_ELEMENTS ? (int64_t)side : 0;
    }
    if (rank == 0 || rank > ONNX_MAX_RANK || onnx_elements(dims, rank) == 0) {
        return onnx_fail(m, "is supported for a short list of known sizes alone");
    }
    return set_numbers(m, y, dims, (uint8_t)rank, NULL, 0);
}

/* The numbers of a list, all of which are known. */
static cs_status need_list(onnx_import *m, const onnx_value *x)
{
    if (!x || x->rank > 1 || !x->numbers) {
        return onnx_fail(m, "is supported for short lists of known numbers alone");
    }
    return CS_OK;
}

static uint64_t length_of(const onnx_value *x)
{
    return onnx_elements(x->dims, x->rank);
}

static cs_status fold_gather(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    const onnx_value *indices = onnx_operand(m, 1);
    double got[ONNX_MAX_NUMBERS];
    cs_status status = need_list(m, x);
    if (status || (status = need_list(m, indices))) {
        return status;
    }
    uint64_t length = length_of(x), count = length_of(indices);
    for (uint64_t i = 0; i < count; i++) {
        double at =
            indices->numbers[i] < 0 ? indices->numbers[i] + (double)length : indices->numbers[i];
        if (!(at >= 0 && at < (double)length)) {
            return onnx_fail(m, "takes element %g of %llu", indices->numbers[i],
                             (unsigned long long)length);
        }
        got[i] = x->numbers[(size_t)at];
    }
    return set_numbers(m, y, indices->dims, indices->rank, got, count);
}

static cs_status fold_slice(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    double ends[2] = {0, 0}, step = 1;
    double got[ONNX_MAX_NUMBERS];
    cs_status status = need_list(m, x);
    if (status) {
        return status;
    }
    static const char *const names[] = {"starts", "ends"};
    for (size_t i = 0; i < 2; i++) {
        const Onnx__AttributeProto *a = onnx_attribute(m->node, names[i]);
        if (a && a->n_ints == 1) {
            ends[i] = (double)a->ints[0];
        } else if (!onnx_scalar(m->graph, onnx_input(m->graph, m->node, i + 1), &ends[i])) {
            return onnx_fail(m, "%s is no known number", names[i]);
        }
    }
    if (onnx_operand(m, 4) && !onnx_scalar(m->graph, onnx_input(m->graph, m->node, 4), &step)) {
        return onnx_fail(m, "the step is no known number");
    }
    double length = (double)length_of(x);
    for (size_t i = 0; i < 2; i++) {
        ends[i] = ends[i] < 0 ? ends[i] + length : ends[i];
        ends[i] = ends[i] < 0 ? 0 : ends[i] > length ? length : ends[i];
    }
    if (step != 1 || !(ends[0] < ends[1])) {
        return onnx_fail(m, "slices of no element, or not one after another, are not supported");
    }
    int64_t count = 0;
    for (size_t i = (size_t)ends[0]; i < (size_t)ends[1]; i++) {
        got[count++] = x->numbers[i];
    }
    return set_numbers(m, y, &count, 1, got, (uint64_t)count);
}

static cs_status fold_concat(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    double got[ONNX_MAX_NUMBERS];
    int64_t count = 0;
    (void)x;
    for (size_t i = 0; i < m->node->proto->n_input; i++) {
        const onnx_value *part = onnx_operand(m, i);
        cs_status status = need_list(m, part);
        if (status) {
            return status;
        }
        for (uint64_t k = 0; k < length_of(part); k++) {
            if (count == ONNX_MAX_NUMBERS) {
                return onnx_fail(m, "joins more than %u numbers", ONNX_MAX_NUMBERS);
            }
            got[count++] = part->numbers[k];
        }
    }
    return set_numbers(m, y, &count, 1, got, (uint64_t)count);
}

static cs_status fold_arithmetic(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    const onnx_value *other = onnx_operand(m, 1);
    const char *op = m->node->proto->op_type;
    double got[ONNX_MAX_NUMBERS];
    cs_status status = need_list(m, x);
    if (status || (status = need_list(m, other))) {
        return status;
    }
    uint64_t left = length_of(x), right = length_of(other);
    const onnx_value *longer = left < right || x->rank < other->rank ? other : x;
    if (left != right && left != 1 && right != 1) {
        return onnx_fail(m, "lists of %llu and %llu numbers do not fit", (unsigned long long)left,
                         (unsigned long long)right);
    }
    for (uint64_t i = 0; i < length_of(longer); i++) {
        double a = x->numbers[left == 1 ? 0 : i], b = other->numbers[right == 1 ? 0 : i];
        switch (op[0]) {
        case 'A':
            got[i] = a + b;
            break;
        case 'S':
            got[i] = a - b;
            break;
        case 'M':
            got[i] = a * b;
            break;
        default:
            if (b == 0) {
                return onnx_fail(m, "divides by zero");
            }
            got[i] = a / b;
            break;
        }
    }
    return set_numbers(m, y, longer->dims, longer->rank, got, length_of(longer));
}

static cs_status fold_floor(onnx_import *m, const onnx_value *x, onnx_value *y)
{
    cs_status status = need_list(m, x);
    if (status || (status = fold_alias(m, x, y))) {
        return status;
    }
    for (uint64_t i = 0; i < length_of(y); i++) {
        y->numbers[i] = floor(y->numbers[i]);
    }
    return CS_OK;
}

typedef struct folding {
    const char *op;
    fold run;
} folding;

static const folding foldings[] = {
    {"Add", fold_arithmetic},
    {"Cast", fold_alias},
    {"Concat", fold_concat},
    {"ConstantOfShape", fold_constant_of_shape},
    {"DequantizeLinear", fold_alias},
    {"Div", fold_arithmetic},
    {"Floor", fold_floor},
    {"Flatten", fold_reshape},
    {"Gather", fold_gather},
    {"Identity", fold_alias},
    {"Mul", fold_arithmetic},
    {"QuantizeLinear", fold_quantize},
    {"Reshape", fold_reshape},
    {"Slice", fold_slice},
    {"Squeeze", fold_reshape},
    {"Sub", fold_arithmetic},
    {"Transpose", fold_transpose},
    {"Unsqueeze", fold_reshape},
};

bool onnx_folds(const char *op)
{
    for (size_t i = 0; i < sizeof foldings / sizeof *foldings; i++) {
        if (strcmp(op, foldings[i].op) == 0) {
            return true;
        }
    }
    return false;
}

cs_status onnx_fold(onnx_import *m, onnx_value *result)
{
    const onnx_value *x = onnx_operand(m, 0);
    for (size_t i = 0; i < sizeof foldings / sizeof *foldings && x; i++) {
        if (strcmp(m->node->proto->op_type, foldings[i].op) == 0) {
            return foldings[i].run(m, x, result);
        }
    }
    return onnx_fail(m, "is not supported for constants");
}
