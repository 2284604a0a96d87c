/* The order of a tensor's elements in memory.
 *
 * ONNX knows axes; a layer's result is rows of memory. A value says which of its axes run from slow
 * to fast through the result of which layer, so a transposition only renames axes, and a reshape
 * only joins or splits them where they are neighbours. Layers are appended when an operator needs
 * another order than there is. */
#include "sim/onnx/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- errors ---- */

cs_status onnx_fail(onnx_import *m, const char *format, ...)
{
    char why[CS_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return m->node ? onnx_refuse(m->graph, m->node, m->err, CS_EINVAL, "%s", why)
                   : cs_fail(m->err, CS_EINVAL, "%s: %s", m->graph->model, why);
}

cs_status onnx_fail_batch(onnx_import *m)
{
    m->batch_is_mixed = m->batch > 1;
    return onnx_fail(m, "would mix the %lld samples of the batch", (long long)m->batch);
}

cs_status onnx_pass(onnx_import *m, cs_status status)
{
    if (status == CS_EINVAL || status == CS_ELIMIT) {
        char why[CS_ERROR_TEXT];
        memcpy(why, m->err->text, sizeof why);
        (void)onnx_fail(m, "%s", why);
    }
    return status;
}

/* ---- making tensors ---- */

void onnx_set_order(onnx_value *value, const uint8_t *axes, uint8_t count)
{
    value->order_count = 0;
    for (uint8_t i = 0; i < count; i++) {
        if (value->dims[axes[i]] > 1 && axes[i] != value->batch) {
            value->order[value->order_count++] = axes[i];
        }
    }
}

void onnx_set_tensor(onnx_value *value, cs_layer_id layer, const int64_t *dims, uint8_t rank,
                     int batch)
{
    static const uint8_t own[ONNX_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    value->kind = ONNX_TENSOR;
    value->layer = layer;
    value->rank = rank;
    memmove(value->dims, dims, rank * sizeof *dims);
    value->batch = batch;
    value->exclusive = value->readers == 1 && !value->is_output;
    value->shuffled = false;
    value->padded = false;
    onnx_set_order(value, own, rank);
}

void onnx_set_alias(onnx_value *to, const onnx_value *from)
{
    bool exclusive = from->exclusive && to->readers == 1 && !to->is_output;
    to->kind = ONNX_TENSOR;
    to->rank = from->rank;
    memcpy(to->dims, from->dims, sizeof to->dims);
    to->layer = from->layer;
    memcpy(to->order, from->order, sizeof to->order);
    to->order_count = from->order_count;
    to->batch = from->batch;
    to->exclusive = exclusive;
    to->shuffled = from->shuffled;
    to->padded = from->padded;
    memcpy(to->pad, from->pad, sizeof to->pad);
}

/* ---- moving elements ---- */

static bool same_shape(cs_shape a, cs_shape b)
{
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

/* A shape of `count` factors, the last ones the fastest; false if they do not fit. */
static bool shape_of(const uint64_t *factors, uint8_t count, cs_shape *shape)
{
    uint64_t sides[3] = {1, 1, 1};
    for (uint8_t i = 0; i < count; i++) {
        sides[3 - count + i] = factors[i];
    }
    for (int i = 0; i < 3; i++) {
        if (sides[i] > UINT32_MAX) {
            return false;
        }
    }
    *shape = (cs_shape){(uint32_t)sides[0], (uint32_t)sides[1], (uint32_t)sides[2]};
    return true;
}

static cs_status take_shape(onnx_import *m, onnx_value *value, cs_shape shape)
{
    if (same_shape(m->network->layers[value->layer].out, shape)) {
        return CS_OK;
    }
    cs_status status = cs_network_reshape(m->network, value->layer, shape, &value->layer, m->err);
    value->exclusive = value->readers == 1 && !value->is_output;
    return onnx_pass(m, status);
}

/* Have the elements in the order of `wanted`, a permutation of the value's own. What stays together
 * moves as one axis, of which a transposition has three. */
static cs_status move(onnx_import *m, onnx_value *value, const uint8_t *wanted)
{
    uint8_t count = value->order_count;
    uint8_t place[ONNX_MAX_RANK]; /* where each axis of the order goes */
    for (uint8_t i = 0; i < count; i++) {
        place[i] = 0;
        for (uint8_t k = 0; k < count; k++) {
            place[i] = wanted[k] == value->order[i] ? k : place[i];
        }
    }
    uint64_t runs[3] = {1, 1, 1};
    uint8_t starts[3] = {0, 0, 0};
    uint8_t used = 0;
    for (uint8_t i = 0; i < count; i++) {
        bool joins = i > 0 && place[i] == place[i - 1] + 1;
        if (!joins && used == 3) {
            return onnx_fail(m, "needs a transposition of more than three axes");
        }
        if (!joins) {
            starts[used] = place[i];
            used++;
        }
        runs[used - 1] *= (uint64_t)value->dims[value->order[i]];
    }
    if (used <= 1) {
        return CS_OK;
    }
    if (value->shuffled) {
        return onnx_fail(m, "needs the elements of a flattened tensor in their order");
    }
    cs_shape shape;
    if (!shape_of(runs, used, &shape)) {
        return onnx_fail(m, "transposes a tensor that is too large");
    }
    uint32_t order[3] = {0, 1, 2};
    for (uint8_t i = 0; i < used; i++) {
        uint8_t rank = 0; /* of run i in the result */
        for (uint8_t k = 0; k < used; k++) {
            rank += starts[k] < starts[i];
        }
        order[3 - used + rank] = 3u - used + i;
    }
    cs_status status = take_shape(m, value, shape);
    if (status) {
        return status;
    }
    status = cs_network_transpose(m->network, value->layer, order, &value->layer, m->err);
    value->exclusive = value->readers == 1 && !value->is_output;
    memcpy(value->order, wanted, count);
    return onnx_pass(m, status);
}

cs_status onnx_arrange(onnx_import *m, onnx_value *value, const uint8_t *axes, uint8_t height_axes,
                       uint8_t width_axes, uint8_t channel_axes)
{
    uint8_t counts[3] = {height_axes, width_axes, channel_axes};
    uint8_t wanted[ONNX_MAX_RANK], at = 0, found = 0;
    uint64_t sides[3] = {1, 1, 1};
    for (int side = 0; side < 3; side++) {
        for (uint8_t i = 0; i < counts[side]; i++, at++) {
            if (axes[at] == value->batch) {
                return onnx_fail_batch(m);
            }
            sides[side] *= (uint64_t)value->dims[axes[at]];
            if (value->dims[axes[at]] > 1) {
                wanted[found++] = axes[at];
            }
        }
    }
    cs_shape shape;
    if (found != value->order_count || !shape_of(sides, 3, &shape)) {
        return onnx_fail(m, "does not fit a tensor of %u axes", value->rank);
    }
    cs_status status = move(m, value, wanted);
    return status ? status : take_shape(m, value, shape);
}

cs_status onnx_arrange_last(onnx_import *m, onnx_value *value, uint8_t axis)
{
    uint8_t axes[ONNX_MAX_RANK + 1], count = 0;
    if (axis == value->batch) {
        return onnx_fail_batch(m);
    }
    for (uint8_t i = 0; i < value->order_count; i++) {
        if (value->order[i] != axis) {
            axes[count++] = value->order[i];
        }
    }
    axes[count] = axis;
    uint8_t heights = count > 1 ? (uint8_t)(count - 1) : 0;
    return onnx_arrange(m, value, axes, heights, count > 0, 1);
}

cs_status onnx_arrange_as(onnx_import *m, onnx_value *value, const onnx_value *model)
{
    if (value->batch != model->batch) {
        return onnx_fail_batch(m);
    }
    cs_status status = CS_OK;
    if (!(value->shuffled && model->shuffled)) {
        status = move(m, value, model->order);
    }
    return status ? status : take_shape(m, value, m->network->layers[model->layer].out);
}

/* ---- reshaping ---- */

/* Axes that become others: in[in_from .. in_to) of the old ones, out[..] of the new ones. */
typedef struct group {
    uint8_t in_from, in_to, out_from, out_to;
} group;

static uint8_t axes_of(const int64_t *dims, uint8_t rank, uint8_t *axes)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < rank; i++) {
        if (dims[i] > 1) {
            axes[count++] = i;
        }
    }
    return count;
}

/* Cut both lists of axes where their products are equal. The products of all are. */
static uint8_t cut_groups(const int64_t *in_dims, const uint8_t *in, uint8_t in_count,
                          const int64_t *out_dims, const uint8_t *out, uint8_t out_count,
                          group *groups)
{
    uint8_t i = 0, k = 0, count = 0;
    while (i < in_count && k < out_count) {
        group *g = &groups[count++];
        *g = (group){i, (uint8_t)(i + 1), k, (uint8_t)(k + 1)};
        int64_t left = in_dims[in[i++]], right = out_dims[out[k++]];
        while (left != right) {
            if (left < right && i < in_count) {
                left *= in_dims[in[i++]];
            } else if (left > right && k < out_count) {
                right *= out_dims[out[k++]];
            } else {
                break;
            }
        }
        g->in_to = i;
        g->out_to = k;
    }
    return count;
}

static uint8_t place_of(const onnx_value *value, uint8_t axis)
{
    uint8_t place = 0;
    while (place < value->order_count && value->order[place] != axis) {
        place++;
    }
    return place;
}

/* The axes of a group are neighbours in memory, in their own order. */
static bool is_run(const onnx_value *value, const uint8_t *in, const group *g)
{
    for (uint8_t i = g->in_from; i + 1 < g->in_to; i++) {
        if (place_of(value, in[i + 1]) != place_of(value, in[i]) + 1) {
            return false;
        }
    }
    return true;
}

/* Bring the axes of a group together where the fastest of them is. */
static cs_status gather_group(onnx_import *m, onnx_value *value, const uint8_t *in, const group *g)
{
    uint8_t wanted[ONNX_MAX_RANK], count = 0, last = 0;
    for (uint8_t i = g->in_from; i < g->in_to; i++) {
        uint8_t place = place_of(value, in[i]);
        last = place > last ? place : last;
    }
    for (uint8_t p = 0; p < value->order_count; p++) {
        bool member = false;
        for (uint8_t i = g->in_from; i < g->in_to; i++) {
            member = member || in[i] == value->order[p];
        }
        if (!member) {
            wanted[count++] = value->order[p];
        }
        for (uint8_t i = g->in_from; p == last && i < g->in_to; i++) {
            wanted[count++] = in[i];
        }
    }
    return move(m, value, wanted);
}

/* A dense layer has its outputs in any order, so a feature map that is made of them has the
 * channels fastest at once. */
static bool is_made_by_dense(const onnx_import *m, const onnx_value *from, const onnx_value *to)
{
    return m->network->layers[from->layer].op == CS_OP_DENSE && from->exclusive &&
           from->order_count == 1 && to->rank == 4;
}

cs_status onnx_reshape(onnx_import *m, onnx_value *from, onnx_value *to, const int64_t *dims,
                       uint8_t rank)
{
    if (onnx_elements(dims, rank) == 0 ||
        onnx_elements(dims, rank) != onnx_elements(from->dims, from->rank)) {
        return onnx_fail(m, "the new shape has not as many elements as the old one");
    }
    uint8_t in[ONNX_MAX_RANK], out[ONNX_MAX_RANK];
    group groups[ONNX_MAX_RANK];
    uint8_t in_count = axes_of(from->dims, from->rank, in);
    uint8_t out_count = axes_of(dims, rank, out);
    uint8_t count = cut_groups(from->dims, in, in_count, dims, out, out_count, groups);
    uint8_t left = (uint8_t)(out_count - (from->batch >= 0)); /* axes without the batch */
    bool shuffled = from->shuffled;
    if (shuffled && left > 1) {
        return onnx_fail(m, "unfolds a flattened tensor again");
    }
    int batch = -1;
    for (uint8_t i = 0; i < count; i++) {
        const group *g = &groups[i];
        bool single = g->in_to - g->in_from == 1 && g->out_to - g->out_from == 1;
        for (uint8_t k = g->in_from; k < g->in_to; k++) {
            if (in[k] == from->batch && !single) {
                return onnx_fail_batch(m);
            }
        }
        if (in[g->in_from] == from->batch) {
            batch = out[g->out_from];
        } else if (!is_run(from, in, g) && left == 1) {
            shuffled = true;
        } else if (!is_run(from, in, g)) {
            cs_status status = gather_group(m, from, in, g);
            if (status) {
                return status;
            }
        }
    }
    onnx_set_alias(to, from);
    to->rank = rank;
    memcpy(to->dims, dims, rank * sizeof *dims);
    to->batch = batch;
    to->shuffled = shuffled;
    to->order_count = 0;
    for (uint8_t p = 0; p < from->order_count; p++) {
        for (uint8_t i = 0; i < count; i++) {
            for (uint8_t k = groups[i].out_from;
                 in[groups[i].in_from] == from->order[p] && k < groups[i].out_to; k++) {
                to->order[to->order_count++] = out[k];
            }
        }
    }
    if (is_made_by_dense(m, from, to)) {
        onnx_set_order(to, (const uint8_t[]){2, 3, 1}, 3);
    }
    return CS_OK;
}

void onnx_permute(const onnx_value *from, onnx_value *to, const uint8_t *perm)
{
    onnx_set_alias(to, from);
    uint8_t place[ONNX_MAX_RANK] = {0}; /* where an axis of `from` goes */
    for (uint8_t i = 0; i < from->rank; i++) {
        to->dims[i] = from->dims[perm[i]];
        place[perm[i]] = i;
    }
    for (uint8_t i = 0; i < from->order_count; i++) {
        to->order[i] = place[from->order[i]];
    }
    to->batch = from->batch < 0 ? -1 : place[from->batch];
}
