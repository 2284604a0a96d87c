/* Operators that keep the shape: activations, normalisation, arithmetic. */
#include "sim/onnx/operators.h"

#include <math.h>
#include <string.h>

/* ---- activations ---- */

/* The layer's result is computed by lanes that can apply a function on the way out. */
static bool takes_activation(cs_op op)
{
    switch (op) {
    case CS_OP_CONV:
    case CS_OP_CONV_TRANSPOSE:
    case CS_OP_DENSE:
    case CS_OP_MATMUL:
    case CS_OP_POOL_MAX:
    case CS_OP_POOL_AVG:
    case CS_OP_POOL_GLOBAL:
    case CS_OP_ADD:
    case CS_OP_SCALE:
    case CS_OP_MULTIPLY:
    case CS_OP_BATCH_NORM:
    case CS_OP_LAYER_NORM:
        return true;
    default:
        return false;
    }
}

cs_status onnx_activate(onnx_import *m, onnx_value *x, cs_activation activation, onnx_value *y)
{
    const cs_layer *layer = &m->network->layers[x->layer];
    onnx_set_alias(y, x);
    if (x->exclusive && layer->activation == CS_ACTIVATION_NONE && takes_activation(layer->op)) {
        cs_network_fold_activation(m->network, x->layer, activation);
        return CS_OK;
    }
    y->exclusive = y->readers == 1 && !y->is_output;
    return onnx_pass(m, cs_network_activate(m->network, x->layer, activation, &y->layer, m->err));
}

cs_status onnx_read_activation(onnx_import *m, onnx_value *x, onnx_value *y)
{
    static const struct {
        const char *op;
        cs_activation activation;
    } rows[] = {
        {"Relu", CS_ACTIVATION_RELU},
        {"Sigmoid", CS_ACTIVATION_SIGMOID},
        {"Tanh", CS_ACTIVATION_TANH},
        {"LeakyRelu", CS_ACTIVATION_LEAKY_RELU},
        {"HardSigmoid", CS_ACTIVATION_HARD_SIGMOID},
        {"HardSwish", CS_ACTIVATION_HARD_SWISH},
        {"Gelu", CS_ACTIVATION_GELU},
        {"Swish", CS_ACTIVATION_SWISH},
    };
    cs_activation activation = CS_ACTIVATION_NONE;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        activation = onnx_is_op(m, rows[i].op) ? rows[i].activation : activation;
    }
    return onnx_activate(m, x, activation, y);
}

cs_status onnx_read_clip(onnx_import *m, onnx_value *x, onnx_value *y)
{
    static const char *const names[] = {"min", "max"};
    double bounds[] = {-INFINITY, INFINITY};
    for (size_t i = 0; i < 2; i++) {
        const Onnx__AttributeProto *a = onnx_attribute(m->node, names[i]);
        if (a) {
            bounds[i] = (double)a->f;
        } else if (onnx_operand(m, i + 1) &&
                   !onnx_scalar(m->graph, onnx_input(m->graph, m->node, i + 1), &bounds[i])) {
            return onnx_fail(m, "%s is no known number", names[i]);
        }
    }
    /* Exporters write "no bound" as the largest number of single precision. */
    bool unbound = bounds[1] >= 3e38;
    if (bounds[0] != 0 || (!unbound && bounds[1] != 6)) {
        return onnx_fail(m, "only bounds 0 to 6 and 0 to infinity are supported, not %g to %g",
                         bounds[0], bounds[1]);
    }
    return onnx_activate(m, x, unbound ? CS_ACTIVATION_RELU : CS_ACTIVATION_RELU6, y);
}

cs_status onnx_read_prelu(onnx_import *m, onnx_value *x, onnx_value *y)
{
    const onnx_value *slope = onnx_operand(m, 1);
    if (!onnx_is_constant(slope)) {
        return onnx_fail(m, "its slope is computed by the network, which is not supported");
    }
    uint64_t slopes = onnx_elements(slope->dims, slope->rank);
    if (slopes == 1) {
        return onnx_activate(m, x, CS_ACTIVATION_LEAKY_RELU, y);
    }
    if (x->rank < 2 || slopes != (uint64_t)x->dims[1]) {
        return onnx_fail(m, "only one slope, or one a channel, is supported, not %llu",
                         (unsigned long long)slopes);
    }
    cs_status status = onnx_arrange_last(m, x, 1);
    return status ? status : onnx_activate(m, x, CS_ACTIVATION_PRELU, y);
}

/* ---- normalisation ---- */

/* A factor and a term for each position of `axis`. */
static cs_status normalize(onnx_import *m, onnx_value *x, uint8_t axis, onnx_value *y)
{
    if (axis == x->batch) {
        return onnx_fail_batch(m);
    }
    cs_layer *layer = &m->network->layers[x->layer];
    bool channels =
        layer->out.channels == (uint64_t)x->dims[axis] &&
        (x->dims[axis] == 1 || (x->order_count > 0 && x->order[x->order_count - 1] == axis));
    bool weighs =
        layer->op == CS_OP_CONV || layer->op == CS_OP_CONV_TRANSPOSE || layer->op == CS_OP_DENSE;
    if (x->exclusive && channels && weighs && !layer->normalized &&
        layer->activation == CS_ACTIVATION_NONE) {
        layer->normalized = true;
        onnx_set_alias(y, x);
        return CS_OK;
    }
    cs_status status = onnx_arrange_last(m, x, axis);
    if (status) {
        return status;
    }
    onnx_set_alias(y, x);
    y->exclusive = y->readers == 1 && !y->is_output;
    return onnx_pass(m, cs_network_map(m->network, x->layer, CS_OP_BATCH_NORM, &y->layer, m->err));
}

cs_status onnx_read_batch_norm(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t training;
    cs_status status = onnx_read_int(m, "training_mode", 0, &training);
    if (status) {
        return status;
    }
    if (training != 0 || x->rank < 2) {
        return onnx_fail(m, "is supported for inference, on 2 axes or more");
    }
    for (size_t i = 1; i < 5; i++) {
        const onnx_value *parameter = onnx_operand(m, i);
        if (!onnx_is_constant(parameter) ||
            onnx_elements(parameter->dims, parameter->rank) != (uint64_t)x->dims[1]) {
            return onnx_fail(m, "input %zu is no constant of %lld channels", i,
                             (long long)x->dims[1]);
        }
    }
    return normalize(m, x, 1, y);
}

/* Append what normalises each position over `axis`: `op`, without parameters of its own if not
 * `affine`. */
cs_status onnx_map_axis(onnx_import *m, onnx_value *x, double axis_number, cs_op op, bool affine,
                        onnx_value *y)
{
    uint8_t axis;
    cs_status status = onnx_read_axis(m, x, axis_number, &axis);
    if (status || (status = onnx_arrange_last(m, x, axis))) {
        return status;
    }
    onnx_set_alias(y, x);
    y->exclusive = y->readers == 1 && !y->is_output;
    status = cs_network_map(m->network, x->layer, op, &y->layer, m->err);
    if (!status) {
        m->network->layers[y->layer].normalized = affine;
    }
    return onnx_pass(m, status);
}

cs_status onnx_read_layer_norm(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t axis;
    cs_status status = onnx_read_int(m, "axis", -1, &axis);
    if (status) {
        return status;
    }
    if (axis != -1 && axis != x->rank - 1) {
        return onnx_fail(m, "is supported over the last axis, not from axis %lld on",
                         (long long)axis);
    }
    return onnx_map_axis(m, x, -1, CS_OP_LAYER_NORM, true, y);
}

cs_status onnx_read_lrn(onnx_import *m, onnx_value *x, onnx_value *y)
{
    return onnx_map_axis(m, x, 1, CS_OP_LAYER_NORM, false, y);
}

cs_status onnx_read_softmax(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t number;
    uint8_t axis;
    bool joins = m->graph->opset < 13; /* then it is over `axis` and all after it */
    cs_status status = onnx_read_int(m, "axis", joins ? 1 : -1, &number);
    if (status || (status = onnx_read_axis(m, x, (double)number, &axis))) {
        return status;
    }
    if (joins &&
        onnx_elements(x->dims + axis, (size_t)(x->rank - axis)) != (uint64_t)x->dims[axis]) {
        return onnx_fail(m, "is supported over one axis; operator set %lld takes all from axis %u",
                         (long long)m->graph->opset, axis);
    }
    return onnx_map_axis(m, x, axis, CS_OP_SOFTMAX, false, y);
}

/* ---- arithmetic ---- */

/* Axis of the tensor to which axis i of something with fewer axes belongs. */
static uint8_t axis_under(const onnx_value *x, const onnx_value *other, uint8_t i)
{
    return (uint8_t)(i + x->rank - other->rank);
}

/* Does `other` hold one element for each position of one axis of x, and for which? */
static bool is_along_axis(const onnx_value *x, const onnx_value *other, uint8_t *axis)
{
    unsigned found = 0;
    if (other->rank > x->rank) {
        return false;
    }
    for (uint8_t i = 0; i < other->rank; i++) {
        uint8_t at = axis_under(x, other, i);
        if (other->dims[i] > 1 && other->dims[i] == x->dims[at] && at != x->batch) {
            *axis = at;
            found++;
        } else if (other->dims[i] > 1 &&
                   !(other->kind == ONNX_TENSOR && at == x->batch && i == other->batch)) {
            return false;
        }
    }
    return found == 1;
}

/* One term a channel: the bias of the layer if it has none yet. */
static bool fold_bias(onnx_import *m, const onnx_value *x, uint8_t axis)
{
    cs_layer *layer = &m->network->layers[x->layer];
    bool weighs =
        layer->op == CS_OP_CONV || layer->op == CS_OP_CONV_TRANSPOSE || layer->op == CS_OP_DENSE;
    if (!x->exclusive || !weighs || layer->bias || layer->normalized ||
        layer->activation != CS_ACTIVATION_NONE || layer->out.channels != (uint64_t)x->dims[axis] ||
        x->order_count == 0 || x->order[x->order_count - 1] != axis) {
        return false;
    }
    layer->bias = true;
    return true;
}

/* Arithmetic with a constant. */
static cs_status apply_constant(onnx_import *m, onnx_value *x, const onnx_value *constant,
                                bool adds, onnx_value *y)
{
    uint8_t axis = 0;
    uint64_t count = onnx_elements(constant->dims, constant->rank);
    if (count == 1) {
        onnx_set_alias(y, x);
        return CS_OK;
    }
    if (is_along_axis(x, constant, &axis)) {
        const cs_layer *layer = &m->network->layers[x->layer];
        bool follows = (layer->op == CS_OP_BATCH_NORM || layer->op == CS_OP_LAYER_NORM) &&
                       layer->normalized && layer->activation == CS_ACTIVATION_NONE;
        bool last = x->order_count > 0 && x->order[x->order_count - 1] == axis;
        /* A normalisation's own factor and term stand behind it as products and sums. */
        if ((adds && fold_bias(m, x, axis)) || (x->exclusive && follows && last)) {
            onnx_set_alias(y, x);
            return CS_OK;
        }
        return normalize(m, x, axis, y);
    }
    uint64_t samples = x->batch < 0 ? 1 : (uint64_t)x->dims[x->batch];
    bool fits = constant->rank <= x->rank && count > 0 &&
                count == onnx_elements(x->dims, x->rank) / samples;
    if (!fits) {
        return onnx_fail(m,
                         "a constant of %llu elements is neither one, nor one a channel, nor the "
                         "whole tensor",
                         (unsigned long long)count);
    }
    cs_layer_id term, id;
    cs_status status =
        cs_network_input(m->network, m->network->layers[x->layer].out, &term, m->err);
    if (!status) {
        status = adds ? cs_network_add(m->network, x->layer, term, &id, m->err)
                      : cs_network_multiply(m->network, x->layer, term, &id, m->err);
    }
    if (status) {
        return onnx_pass(m, status);
    }
    onnx_set_alias(y, x);
    y->layer = id;
    y->exclusive = y->readers == 1 && !y->is_output;
    return CS_OK;
}

static bool same_dims(const onnx_value *a, const onnx_value *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

static cs_status combine(onnx_import *m, onnx_value *a, onnx_value *b, bool adds, onnx_value *y)
{
    uint8_t axis = 0;
    cs_layer_id id;
    cs_status status;
    if (same_dims(a, b)) {
        status = onnx_arrange_as(m, b, a);
        if (!status) {
            status = adds ? cs_network_add(m->network, a->layer, b->layer, &id, m->err)
                          : cs_network_multiply(m->network, a->layer, b->layer, &id, m->err);
            status = onnx_pass(m, status);
        }
        if (status) {
            return status;
        }
        onnx_set_alias(y, a);
        y->shuffled = a->shuffled || b->shuffled;
    } else {
        bool swapped = onnx_elements(a->dims, a->rank) < onnx_elements(b->dims, b->rank);
        onnx_value *whole = swapped ? b : a, *factors = swapped ? a : b;
        if (adds || !is_along_axis(whole, factors, &axis)) {
            return onnx_fail(m, "only products with one factor a channel broadcast");
        }
        if ((whole->batch >= 0) != (factors->batch >= 0)) {
            return onnx_fail_batch(m);
        }
        const uint8_t own = (uint8_t)(axis - (whole->rank - factors->rank));
        status = onnx_arrange_last(m, whole, axis);
        if (!status) {
            status = onnx_arrange(m, factors, &own, 0, 0, 1);
        }
        if (!status) {
            status = onnx_pass(
                m, cs_network_scale(m->network, whole->layer, factors->layer, &id, m->err));
        }
        if (status) {
            return status;
        }
        onnx_set_alias(y, whole);
    }
    y->layer = id;
    y->exclusive = y->readers == 1 && !y->is_output;
    return CS_OK;
}

cs_status onnx_read_arithmetic(onnx_import *m, onnx_value *x, onnx_value *y)
{
    onnx_value *other = onnx_operand(m, 1);
    bool adds = onnx_is_op(m, "Add") || onnx_is_op(m, "Sub");
    bool divides = onnx_is_op(m, "Div");
    if (onnx_is_tensor(x) && onnx_is_tensor(other)) {
        if (divides) {
            return onnx_fail(m, "quotients of two tensors are not supported");
        }
        return combine(m, x, other, adds, y);
    }
    if (!onnx_is_tensor(x) && divides) {
        return onnx_fail(m, "reciprocals are not supported");
    }
    return onnx_is_tensor(x) ? apply_constant(m, x, other, adds, y)
                             : apply_constant(m, other, x, adds, y);
}

cs_status onnx_read_sum(onnx_import *m, onnx_value *x, onnx_value *y)
{
    size_t count = m->node->proto->n_input;
    onnx_value sum = *x;
    for (size_t i = 0; i < count; i++) {
        onnx_value *other = onnx_operand(m, i);
        if (!onnx_is_tensor(other)) {
            return onnx_fail(m, "is supported for tensors that the network computes");
        }
        onnx_value next = *y;
        cs_status status = i > 0 ? combine(m, &sum, other, true, &next) : CS_OK;
        if (status) {
            return status;
        }
        sum = i > 0 ? next : sum;
    }
    onnx_set_alias(y, &sum);
    y->exclusive = count > 1 ? y->readers == 1 && !y->is_output : y->exclusive;
    return CS_OK;
}
