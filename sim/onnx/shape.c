/* Operators that only rearrange, join, or average along axes. */
#include "sim/onnx/operators.h"

#include <math.h>
#include <string.h>

/* Axes of x that are listed in the attribute or, in younger operator sets, in input `i`; one bit
 * each. *given: there is a list. */
static cs_status read_axes(onnx_import *m, size_t i, uint8_t rank, uint32_t *axes, bool *given)
{
    const Onnx__AttributeProto *a = onnx_attribute(m->node, "axes");
    const onnx_value *list = onnx_operand(m, i);
    const onnx_value any = {.rank = rank};
    *axes = 0;
    *given = (a && a->n_ints > 0) || list;
    if (list && (list->kind != ONNX_CONSTANT || !list->numbers || list->rank > 1)) {
        return onnx_fail(m, "axes are no known numbers");
    }
    size_t count = a ? a->n_ints : list ? (size_t)onnx_elements(list->dims, list->rank) : 0;
    for (size_t k = 0; k < count; k++) {
        uint8_t axis = 0;
        double number = a ? (double)a->ints[k] : list->numbers[k];
        cs_status status = onnx_read_axis(m, &any, number, &axis);
        if (status) {
            return status;
        }
        *axes |= 1u << axis;
    }
    return CS_OK;
}

cs_status onnx_read_concat(onnx_import *m, onnx_value *x, onnx_value *y)
{
    enum { MOST = 1024 };
    int64_t number;
    uint8_t axis, axes[ONNX_MAX_RANK + 1];
    size_t parts = m->node->proto->n_input;
    cs_layer_id from[MOST], id;
    cs_status status = onnx_read_int(m, "axis", 1, &number);
    if (status || (status = onnx_read_axis(m, x, (double)number, &axis))) {
        return status;
    }
    if (axis == x->batch) {
        return onnx_fail_batch(m);
    }
    if (parts > MOST) {
        return onnx_fail(m, "joins more than %d tensors", MOST);
    }
    /* Along the slowest axis a tensor stands behind another as it is, else the axis has to be the
     * fastest. */
    bool shuffled = false, behind = x->order_count > 1 && x->order[0] == axis;
    int64_t dims[ONNX_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = 0;
    uint8_t others = 0;
    for (uint8_t i = 0; i < x->order_count; i++) {
        if (x->order[i] != axis) {
            axes[others++] = x->order[i];
        }
    }
    if (behind) {
        memmove(axes + 1, axes, others);
        axes[0] = axis;
    } else {
        axes[others] = axis;
    }
    for (size_t i = 0; i < parts; i++) {
        onnx_value *part = onnx_operand(m, i);
        if (!onnx_is_tensor(part) || part->rank != x->rank) {
            return onnx_fail(m, "input %zu is no tensor of %u axes", i, x->rank);
        }
        if (part->batch != x->batch) {
            return onnx_fail_batch(m);
        }
        for (uint8_t k = 0; k < x->rank; k++) {
            if (k != axis && part->dims[k] != x->dims[k]) {
                return onnx_fail(m, "input %zu has %lld elements along axis %u, the first %lld", i,
                                 (long long)part->dims[k], k, (long long)x->dims[k]);
            }
        }
        uint8_t heights = others > 1 ? (uint8_t)(others - 1) : 0;
        status = behind ? onnx_arrange(m, part, axes, 0, 0, (uint8_t)(others + 1))
                        : onnx_arrange(m, part, axes, heights, others > 0, 1);
        if (status) {
            return status;
        }
        dims[axis] += part->dims[axis];
        shuffled = shuffled || part->shuffled;
        from[i] = part->layer;
    }
    status = onnx_pass(m, cs_network_concat(m->network, from, (uint32_t)parts, &id, m->err));
    if (!status) {
        onnx_set_tensor(y, id, dims, x->rank, x->batch);
        onnx_set_order(y, axes, (uint8_t)(others + 1));
        y->shuffled = shuffled;
    }
    return status;
}

cs_status onnx_new_shape(onnx_import *m, const onnx_value *x, int64_t *dims, uint8_t *rank)
{
    if (onnx_is_op(m, "Flatten")) {
        int64_t number;
        uint8_t axis = x->rank;
        cs_status status = onnx_read_int(m, "axis", 1, &number);
        if (status ||
            (number != x->rank && (status = onnx_read_axis(m, x, (double)number, &axis)))) {
            return status;
        }
        dims[0] = (int64_t)onnx_elements(x->dims, axis);
        dims[1] = (int64_t)onnx_elements(x->dims + axis, (size_t)(x->rank - axis));
        *rank = 2;
        return CS_OK;
    }
    bool squeezes = onnx_is_op(m, "Squeeze");
    if (squeezes || onnx_is_op(m, "Unsqueeze")) {
        const onnx_value *list = onnx_operand(m, 1);
        const Onnx__AttributeProto *a = onnx_attribute(m->node, "axes");
        size_t more = a                        ? a->n_ints
                      : onnx_is_constant(list) ? onnx_elements(list->dims, list->rank)
                                               : 0;
        uint32_t axes;
        bool given;
        if (!squeezes && x->rank + more > ONNX_MAX_RANK) {
            return onnx_fail(m, "makes more than %u axes", ONNX_MAX_RANK);
        }
        uint8_t whole = squeezes ? x->rank : (uint8_t)(x->rank + more);
        cs_status status = read_axes(m, 1, whole, &axes, &given);
        if (status) {
            return status;
        }
        uint8_t to = 0, from = 0;
        for (uint8_t i = 0; i < whole; i++) {
            bool listed = given ? axes >> i & 1 : x->dims[i] == 1;
            if (!squeezes) {
                dims[to++] = listed ? 1 : from < x->rank ? x->dims[from++] : 0;
            } else if (!listed) {
                dims[to++] = x->dims[i];
            } else if (x->dims[i] != 1) {
                return onnx_fail(m, "axis %u has %lld elements, not one", i, (long long)x->dims[i]);
            }
        }
        *rank = to;
        return CS_OK;
    }
    const onnx_value *list = onnx_operand(m, 1);
    int64_t zeros_stay;
    cs_status status = onnx_read_int(m, "allowzero", 0, &zeros_stay);
    if (status) {
        return status;
    }
    if (!onnx_is_constant(list) || !list->numbers || list->rank != 1 ||
        list->dims[0] > (int64_t)ONNX_MAX_RANK) {
        return onnx_fail(m, "the new shape is no list of at most %u known numbers", ONNX_MAX_RANK);
    }
    *rank = (uint8_t)list->dims[0];
    uint64_t known = 1;
    int open = -1;
    for (uint8_t i = 0; i < *rank; i++) {
        double number = list->numbers[i];
        if (number == -1 && open < 0) {
            open = i;
            continue;
        }
        if (number == 0 && !zeros_stay && i < x->rank) {
            number = (double)x->dims[i];
        }
        if (!(number >= 1 && number <= (double)CS_NETWORK_MAX_ELEMENTS) ||
            number != floor(number)) {
            return onnx_fail(m, "the new shape has a side of %g", list->numbers[i]);
        }
        dims[i] = (int64_t)number;
        known *= (uint64_t)dims[i];
        if (known > CS_NETWORK_MAX_ELEMENTS * CS_NETWORK_MAX_BATCH) {
            return onnx_fail(m, "the new shape is too large");
        }
    }
    if (open >= 0) {
        dims[open] = (int64_t)(onnx_elements(x->dims, x->rank) / known);
    }
    return CS_OK;
}

cs_status onnx_read_reshape(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t dims[ONNX_MAX_RANK];
    uint8_t rank;
    cs_status status = onnx_new_shape(m, x, dims, &rank);
    return status ? status : onnx_reshape(m, x, y, dims, rank);
}

cs_status onnx_read_transpose(onnx_import *m, onnx_value *x, onnx_value *y)
{
    const Onnx__AttributeProto *a = onnx_attribute(m->node, "perm");
    uint8_t perm[ONNX_MAX_RANK];
    uint32_t seen = 0;
    for (uint8_t i = 0; i < x->rank; i++) {
        int64_t from = a && i < a->n_ints ? a->ints[i] : x->rank - 1 - i;
        seen |= from >= 0 && from < x->rank ? 1u << from : 0;
        perm[i] = (uint8_t)from;
    }
    if ((a && a->n_ints != x->rank) || seen != (1u << x->rank) - 1) {
        return onnx_fail(m, "attribute perm is no order of %u axes", x->rank);
    }
    onnx_permute(x, y, perm);
    return CS_OK;
}

cs_status onnx_read_identity(onnx_import *m, onnx_value *x, onnx_value *y)
{
    (void)m;
    onnx_set_alias(y, x);
    return CS_OK;
}

/* A quantised tensor is as wide as its zero point, or as the type that is asked for. */
cs_status onnx_read_quantize(onnx_import *m, onnx_value *x, onnx_value *y)
{
    const onnx_value *zero = onnx_operand(m, 2);
    int64_t type;
    cs_status status = onnx_read_int(m, "output_dtype", 0, &type);
    if (status) {
        return status;
    }
    uint8_t bits = onnx_is_constant(zero) ? zero->bits
                   : type > 0             ? onnx_type_bits(type > INT32_MAX ? 0 : (int32_t)type)
                                          : 8;
    onnx_set_alias(y, x);
    if (!x->exclusive) {
        return CS_OK;
    }
    return onnx_pass(m,
                     cs_network_set_bits(m->network, x->layer,
                                         m->network->layers[x->layer].weight_bits, bits, m->err));
}

cs_status onnx_read_shape(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t from, to, count = 0;
    cs_status status = onnx_read_int(m, "start", 0, &from);
    if (status || (status = onnx_read_int(m, "end", x->rank, &to))) {
        return status;
    }
    from = from < 0 ? from + x->rank : from;
    to = to < 0 ? to + x->rank : to;
    from = from < 0 ? 0 : from;
    to = to > x->rank ? x->rank : to;
    int64_t list[ONNX_MAX_RANK];
    for (int64_t i = from; i < to; i++) {
        list[count++] = x->dims[i];
    }
    Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
    tensor.n_dims = 1;
    tensor.dims = &count;
    tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    tensor.n_int64_data = (size_t)count;
    tensor.int64_data = list;
    return onnx_set_constant(m->graph, y, &tensor, m->err);
}

/* ---- means ---- */

/* The mean along some axes, one bit each. */
static cs_status reduce(onnx_import *m, onnx_value *x, uint32_t axes, bool keep, onnx_value *y)
{
    uint8_t order[ONNX_MAX_RANK], left[ONNX_MAX_RANK], reduced = 0, rest = 0;
    uint8_t renamed[ONNX_MAX_RANK], rank = 0;
    int64_t dims[ONNX_MAX_RANK];
    if (x->batch >= 0 && (axes >> x->batch & 1)) {
        return onnx_fail_batch(m);
    }
    int batch = -1;
    for (uint8_t i = 0; i < x->rank; i++) {
        bool gone = axes >> i & 1;
        renamed[i] = rank;
        batch = x->batch == i ? rank : batch;
        if (!gone || keep) {
            dims[rank++] = gone ? 1 : x->dims[i];
        }
    }
    for (uint8_t i = 0; i < x->order_count; i++) {
        if (axes >> x->order[i] & 1) {
            order[reduced++] = x->order[i];
        } else {
            left[rest++] = x->order[i];
        }
    }
    memcpy(order + reduced, left, rest);
    uint8_t heights = reduced > 1 ? (uint8_t)(reduced - 1) : 0;
    cs_layer_id id;
    cs_status status = onnx_arrange(m, x, order, heights, reduced > 0, rest);
    if (status ||
        (status = onnx_pass(m, cs_network_pool_global(m->network, x->layer, &id, m->err)))) {
        return status;
    }
    for (uint8_t i = 0; i < rest; i++) {
        left[i] = renamed[left[i]];
    }
    onnx_set_tensor(y, id, dims, rank, batch);
    onnx_set_order(y, left, rest);
    return CS_OK;
}

cs_status onnx_read_reduce_mean(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t keep, idle;
    uint32_t axes;
    bool given;
    cs_status status = onnx_read_int(m, "keepdims", 1, &keep);
    if (status || (status = onnx_read_int(m, "noop_with_empty_axes", 0, &idle)) ||
        (status = read_axes(m, 1, x->rank, &axes, &given))) {
        return status;
    }
    if (!given) {
        return onnx_fail(m, "the mean over all axes is not supported");
    }
    return reduce(m, x, axes, keep != 0, y);
}

cs_status onnx_read_global_average(onnx_import *m, onnx_value *x, onnx_value *y)
{
    if (x->rank < 3) {
        return onnx_fail(m, "needs a tensor of 3 axes or more, not %u", x->rank);
    }
    return reduce(m, x, ((1u << x->rank) - 1) & ~3u, true, y);
}
