/* Operators over feature maps: convolutions, pooling, padding, resizing. */
#include "sim/onnx/operators.h"

#include <math.h>
#include <string.h>

/* A list of `count` integers from 0 to CS_NETWORK_MAX_SIDE; `usual` each if it is not given. */
static cs_status read_sides(onnx_import *m, const char *name, size_t count, uint32_t usual,
                            uint32_t *sides)
{
    const Onnx__AttributeProto *a = onnx_attribute(m->node, name);
    if (a && a->n_ints != count) {
        return onnx_fail(m, "attribute %s has %zu numbers, not %zu", name, a->n_ints, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (a && (a->ints[i] < 0 || a->ints[i] > CS_NETWORK_MAX_SIDE)) {
            return onnx_fail(m, "attribute %s holds %lld; only 0 to %u is supported", name,
                             (long long)a->ints[i], CS_NETWORK_MAX_SIDE);
        }
        sides[i] = a ? (uint32_t)a->ints[i] : usual;
    }
    return CS_OK;
}

/* N x C x H x W, or N x C x L, in memory as height x width x channels. */
static cs_status arrange_map(onnx_import *m, onnx_value *x)
{
    if (x->rank != 3 && x->rank != 4) {
        return onnx_fail(m, "is supported for tensors of 3 or 4 axes, not %u", x->rank);
    }
    return x->rank == 4 ? onnx_arrange(m, x, (const uint8_t[]){2, 3, 1}, 1, 1, 1)
                        : onnx_arrange(m, x, (const uint8_t[]){2, 1}, 0, 1, 1);
}

/* The result of a layer that reads the map x. */
static void set_map(const onnx_import *m, const onnx_value *x, onnx_value *y, cs_layer_id id)
{
    const cs_shape out = m->network->layers[id].out;
    const int64_t dims[] = {x->dims[0], out.channels, x->rank == 4 ? out.height : out.width,
                            out.width};
    onnx_set_tensor(y, id, dims, x->rank, x->batch);
    if (x->rank == 4) {
        onnx_set_order(y, (const uint8_t[]){2, 3, 1}, 3);
    } else {
        onnx_set_order(y, (const uint8_t[]){2, 1}, 2);
    }
}

/* Zeros around a map that the reader has to add, which then reads the map without them: `x` is as
 * its layer has it until restore_padding. */
static void take_padding(onnx_value *x, uint32_t pad[4])
{
    memset(pad, 0, 4 * sizeof *pad);
    if (x->padded) {
        memcpy(pad, x->pad, sizeof x->pad);
        x->dims[x->rank - 1] -= (int64_t)pad[1] + pad[3];
        x->dims[x->rank - 2] -= x->rank == 4 ? (int64_t)pad[0] + pad[2] : 0;
    }
}

static void restore_padding(onnx_value *x, const uint32_t pad[4])
{
    x->dims[x->rank - 1] += (int64_t)pad[1] + pad[3];
    x->dims[x->rank - 2] += x->rank == 4 ? (int64_t)pad[0] + pad[2] : 0;
}

/* Padding of one axis that keeps ceil(in / stride) results; an odd zero goes to the end, or, with
 * SAME_LOWER, to the beginning. */
static void same_padding(uint64_t in, uint32_t kernel, uint32_t stride, uint32_t dilation,
                         bool lower, uint32_t *before, uint32_t *after)
{
    uint64_t reach = (uint64_t)(kernel - 1) * dilation + 1;
    uint64_t covered = (in - 1) / stride * stride + reach;
    uint64_t total = covered > in ? covered - in : 0;
    uint64_t less = total / 2, more = total - less;
    *before = (uint32_t)(lower ? more : less);
    *after = (uint32_t)(lower ? less : more);
}

/* Strides, dilations and padding of a window over the map x, whose kernel is set. `pad` are zeros
 * that x gets besides. */
static cs_status read_window(onnx_import *m, const onnx_value *x, const uint32_t pad[4],
                             cs_window *window)
{
    size_t axes = (size_t)x->rank - 2;
    uint32_t strides[2], dilations[2], pads[4];
    cs_status status = read_sides(m, "strides", axes, 1, strides);
    if (status || (status = read_sides(m, "dilations", axes, 1, dilations)) ||
        (status = read_sides(m, "pads", 2 * axes, 0, pads))) {
        return status;
    }
    bool upper = onnx_says(m, "auto_pad", "SAME_UPPER", false);
    bool lower = onnx_says(m, "auto_pad", "SAME_LOWER", false);
    bool valid = onnx_says(m, "auto_pad", "VALID", false);
    if (!upper && !lower && !valid && !onnx_says(m, "auto_pad", "NOTSET", true)) {
        return onnx_fail(m, "attribute auto_pad is none of NOTSET, SAME_UPPER, SAME_LOWER, VALID");
    }
    uint32_t kernels[2] = {window->kernel_h, window->kernel_w};
    for (size_t i = 0; i < axes; i++) {
        uint32_t kernel = kernels[2 - axes + i];
        if (strides[i] == 0 || dilations[i] == 0 || kernel == 0) {
            return onnx_fail(m, "a window of size %u, stride %u and dilation %u is none", kernel,
                             strides[i], dilations[i]);
        }
        if (upper || lower) {
            same_padding((uint64_t)x->dims[2 + i] + pad[i + 2 - axes] + pad[i + 4 - axes], kernel,
                         strides[i], dilations[i], lower, &pads[i], &pads[axes + i]);
        } else if (valid) {
            pads[i] = pads[axes + i] = 0;
        }
    }
    bool flat = axes == 1;
    window->stride_h = flat ? 1 : strides[0];
    window->stride_w = strides[axes - 1];
    window->dilation_h = flat ? 1 : dilations[0];
    window->dilation_w = dilations[axes - 1];
    window->padding = CS_PADDING_EXPLICIT;
    window->pad_top = (flat ? 0 : pads[0]) + pad[0];
    window->pad_left = pads[axes - 1] + pad[1];
    window->pad_bottom = (flat ? 0 : pads[2]) + pad[2];
    window->pad_right = pads[2 * axes - 1] + pad[3];
    return CS_OK;
}

/* Sizes of a window in the attribute kernel_shape; `given` may be NULL. */
static cs_status read_kernel(onnx_import *m, const onnx_value *x, const int64_t *given,
                             cs_window *window)
{
    size_t axes = (size_t)x->rank - 2;
    uint32_t kernel[2];
    const Onnx__AttributeProto *a = onnx_attribute(m->node, "kernel_shape");
    if (!a && !given) {
        return onnx_fail(m, "attribute kernel_shape is missing");
    }
    cs_status status = read_sides(m, "kernel_shape", axes, 0, kernel);
    for (size_t i = 0; i < axes && given && !status; i++) {
        if (given[i] > CS_NETWORK_MAX_SIDE || (a && a->ints[i] != given[i])) {
            return onnx_fail(m, "the weights' kernel is not that of attribute kernel_shape");
        }
        kernel[i] = (uint32_t)given[i];
    }
    window->kernel_h = axes == 1 ? 1 : kernel[0];
    window->kernel_w = kernel[axes - 1];
    return status;
}

/* ---- convolutions ---- */

static cs_conv conv_of(const cs_window *window)
{
    return (cs_conv){
        .kernel_h = window->kernel_h,
        .kernel_w = window->kernel_w,
        .stride = window->stride_h,
        .stride_w = window->stride_w,
        .dilation = window->dilation_h,
        .dilation_w = window->dilation_w,
        .padding = window->padding,
        .pad_top = window->pad_top,
        .pad_left = window->pad_left,
        .pad_bottom = window->pad_bottom,
        .pad_right = window->pad_right,
    };
}

/* What convolutions of both kinds check: weights out or in x in or out x kernel. */
static cs_status check_weights(onnx_import *m, const onnx_value *x, const onnx_value *weights,
                               const onnx_value *bias, int64_t *groups)
{
    if (!onnx_is_tensor(x)) {
        return onnx_fail(m, "convolves a constant");
    }
    if (!onnx_is_constant(weights) || (bias && !onnx_is_constant(bias))) {
        return onnx_fail(m, "its weights are computed by the network, which is not supported");
    }
    if ((x->rank != 3 && x->rank != 4) || weights->rank != x->rank) {
        return onnx_fail(m, "convolves %u axes with weights of %u; 3 or 4 are supported", x->rank,
                         weights->rank);
    }
    cs_status status = onnx_read_int(m, "group", 1, groups);
    if (!status && (*groups < 1 || *groups > UINT32_MAX)) {
        status = onnx_fail(m, "%lld groups", (long long)*groups);
    }
    return status;
}

static cs_status convolve(onnx_import *m, onnx_value *x, const onnx_value *weights,
                          const onnx_value *bias, onnx_value *y)
{
    int64_t groups;
    cs_status status = check_weights(m, x, weights, bias, &groups);
    if (status) {
        return status;
    }
    if (x->dims[1] % groups != 0 || weights->dims[1] != x->dims[1] / groups ||
        weights->dims[0] > UINT32_MAX) {
        return onnx_fail(m,
                         "%lld x %lld x ... weights in %lld groups do not fit %lld input channels",
                         (long long)weights->dims[0], (long long)weights->dims[1],
                         (long long)groups, (long long)x->dims[1]);
    }
    cs_window window = {0};
    uint32_t pad[4];
    take_padding(x, pad);
    status = read_kernel(m, x, weights->dims + 2, &window);
    if (!status && !(status = read_window(m, x, pad, &window))) {
        status = arrange_map(m, x);
    }
    cs_layer_id id = 0;
    if (!status) {
        cs_conv conv = conv_of(&window);
        conv.channels = (uint32_t)weights->dims[0];
        conv.groups = (uint32_t)groups;
        conv.bias = bias != NULL;
        status = onnx_pass(m, cs_network_conv(m->network, x->layer, &conv, &id, m->err));
    }
    if (!status) {
        set_map(m, x, y, id);
        status = onnx_set_weight_bits(m, id, weights);
    }
    restore_padding(x, pad);
    return status;
}

cs_status onnx_read_conv(onnx_import *m, onnx_value *x, onnx_value *y)
{
    return convolve(m, x, onnx_operand(m, 1), onnx_operand(m, 2), y);
}

cs_status onnx_read_qlinear_conv(onnx_import *m, onnx_value *x, onnx_value *y)
{
    return convolve(m, x, onnx_operand(m, 3), onnx_operand(m, 8), y);
}

cs_status onnx_read_conv_transpose(onnx_import *m, onnx_value *x, onnx_value *y)
{
    const onnx_value *weights = onnx_operand(m, 1), *bias = onnx_operand(m, 2);
    int64_t groups;
    cs_status status = check_weights(m, x, weights, bias, &groups);
    if (status) {
        return status;
    }
    if (groups != 1 || weights->dims[0] != x->dims[1] || weights->dims[1] > UINT32_MAX) {
        return onnx_fail(
            m,
            "%lld x %lld x ... weights in %lld groups over %lld input channels are not "
            "supported",
            (long long)weights->dims[0], (long long)weights->dims[1], (long long)groups,
            (long long)x->dims[1]);
    }
    size_t axes = (size_t)x->rank - 2;
    const uint32_t none[4] = {0};
    uint32_t more[2];
    cs_window window = {0};
    status = read_kernel(m, x, weights->dims + 2, &window);
    if (status || (status = read_window(m, x, none, &window)) ||
        (status = read_sides(m, "output_padding", axes, 0, more))) {
        return status;
    }
    if (onnx_attribute(m->node, "output_shape")) {
        return onnx_fail(m, "attribute output_shape is not supported");
    }
    bool upper = onnx_says(m, "auto_pad", "SAME_UPPER", false);
    bool lower = onnx_says(m, "auto_pad", "SAME_LOWER", false);
    uint32_t more_h = axes == 1 ? 0 : more[0], more_w = more[axes - 1];
    if (upper || lower) {
        /* The result is as large as input * stride, whatever lies on which side. */
        window.padding = CS_PADDING_SAME;
    }
    if (window.padding == CS_PADDING_SAME
            ? more_h + more_w > 0
            : more_h > window.pad_bottom || more_w > window.pad_right) {
        return onnx_fail(m, "attribute output_padding beyond the padding is not supported");
    }
    if (window.padding == CS_PADDING_EXPLICIT) {
        window.pad_bottom -= more_h;
        window.pad_right -= more_w;
    }
    status = arrange_map(m, x);
    if (status) {
        return status;
    }
    cs_conv conv = conv_of(&window);
    conv.channels = (uint32_t)weights->dims[1];
    conv.bias = bias != NULL;
    cs_layer_id id;
    status = onnx_pass(m, cs_network_conv_transpose(m->network, x->layer, &conv, &id, m->err));
    if (!status) {
        set_map(m, x, y, id);
        status = onnx_set_weight_bits(m, id, weights);
    }
    return status;
}

/* ---- pooling ---- */

cs_status onnx_read_pool(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t ceil_mode;
    cs_window window = {0};
    uint32_t pad[4];
    if (x->rank != 3 && x->rank != 4) {
        return onnx_fail(m, "is supported for tensors of 3 or 4 axes, not %u", x->rank);
    }
    cs_status status = onnx_read_int(m, "ceil_mode", 0, &ceil_mode);
    if (status) {
        return status;
    }
    take_padding(x, pad);
    status = read_kernel(m, x, NULL, &window);
    if (!status && !(status = read_window(m, x, pad, &window))) {
        status = arrange_map(m, x);
    }
    cs_layer_id id = 0;
    if (!status) {
        cs_op op = onnx_is_op(m, "MaxPool") ? CS_OP_POOL_MAX : CS_OP_POOL_AVG;
        window.ceil = ceil_mode != 0;
        status =
            onnx_pass(m, cs_network_pool_window(m->network, x->layer, op, &window, &id, m->err));
    }
    if (!status) {
        set_map(m, x, y, id);
    }
    restore_padding(x, pad);
    return status;
}

cs_status onnx_read_global_max(onnx_import *m, onnx_value *x, onnx_value *y)
{
    cs_status status = arrange_map(m, x);
    if (status) {
        return status;
    }
    const cs_shape in = m->network->layers[x->layer].out;
    const cs_window window = {
        .kernel_h = in.height, .kernel_w = in.width, .padding = CS_PADDING_VALID};
    cs_layer_id id;
    status = onnx_pass(
        m, cs_network_pool_window(m->network, x->layer, CS_OP_POOL_MAX, &window, &id, m->err));
    if (!status) {
        set_map(m, x, y, id);
    }
    return status;
}

/* ---- padding and resizing ---- */

cs_status onnx_read_pad(onnx_import *m, onnx_value *x, onnx_value *y)
{
    const Onnx__AttributeProto *a = onnx_attribute(m->node, "pads");
    const onnx_value *list = onnx_operand(m, 1);
    size_t axes = x->rank;
    if (!onnx_says(m, "mode", "constant", true)) {
        return onnx_fail(m, "only mode constant is supported");
    }
    if (onnx_operand(m, 3) || (x->rank != 3 && x->rank != 4)) {
        return onnx_fail(m, "is supported for all of 3 or 4 axes");
    }
    if (a ? a->n_ints != 2 * axes
          : !onnx_is_constant(list) || !list->numbers || list->rank != 1 ||
                list->dims[0] != (int64_t)(2 * axes)) {
        return onnx_fail(m, "its sizes are not %zu known numbers", 2 * axes);
    }
    double sides[8];
    for (size_t i = 0; i < 2 * axes; i++) {
        sides[i] = a ? (double)a->ints[i] : list->numbers[i];
        if (!(sides[i] >= 0 && sides[i] <= CS_NETWORK_MAX_SIDE) || sides[i] != floor(sides[i]) ||
            (i % axes < 2 && sides[i] != 0)) {
            return onnx_fail(m, "only zero or more rows and columns can be added");
        }
    }
    onnx_set_alias(y, x);
    y->padded = true;
    y->pad[0] = axes == 4 ? (uint32_t)sides[2] : 0;
    y->pad[1] = (uint32_t)sides[axes - 1];
    y->pad[2] = axes == 4 ? (uint32_t)sides[axes + 2] : 0;
    y->pad[3] = (uint32_t)sides[2 * axes - 1];
    restore_padding(y, y->pad);
    return CS_OK;
}

cs_status onnx_read_resize(onnx_import *m, onnx_value *x, onnx_value *y)
{
    bool is_resize = onnx_is_op(m, "Resize");
    size_t scales_at = is_resize && m->graph->opset >= 11 ? 2 : 1;
    const onnx_value *scales = onnx_operand(m, scales_at);
    const onnx_value *sizes = is_resize && m->graph->opset >= 11 ? onnx_operand(m, 3) : NULL;
    const Onnx__AttributeProto *a = onnx_attribute(m->node, "scales");
    if (onnx_attribute(m->node, "axes") ||
        onnx_says(m, "coordinate_transformation_mode", "tf_crop_and_resize", false) ||
        !onnx_says(m, "keep_aspect_ratio_policy", "stretch", true)) {
        return onnx_fail(m, "only plain resizing of all axes is supported");
    }
    if (x->rank != 3 && x->rank != 4) {
        return onnx_fail(m, "is supported for tensors of 3 or 4 axes, not %u", x->rank);
    }
    const onnx_value *list = sizes ? sizes : scales;
    bool known =
        onnx_is_constant(list) && list->numbers && list->rank == 1 && list->dims[0] == x->rank;
    if (!known && !(a && a->n_floats == x->rank)) {
        return onnx_fail(m, "neither sizes nor scales are %u known numbers", x->rank);
    }
    double sides[4] = {1, 1, 1, 1};
    for (uint8_t i = 0; i < x->rank; i++) {
        double number = known ? list->numbers[i] : (double)a->floats[i];
        sides[i] = sizes ? number : floor((double)x->dims[i] * number);
        if (!(sides[i] >= 1 && sides[i] <= CS_NETWORK_MAX_ELEMENTS) ||
            sides[i] != floor(sides[i])) {
            return onnx_fail(m, "axis %u becomes %g long", i, sides[i]);
        }
        if (i < 2 && sides[i] != (double)x->dims[i]) {
            return onnx_fail(m, "changes samples or channels, which is not supported");
        }
    }
    cs_status status = arrange_map(m, x);
    cs_layer_id id;
    if (!status) {
        uint32_t height = x->rank == 4 ? (uint32_t)sides[2] : 1;
        uint32_t width = (uint32_t)sides[x->rank - 1];
        status = onnx_pass(m, cs_network_resize(m->network, x->layer, height, width, &id, m->err));
    }
    if (!status) {
        set_map(m, x, y, id);
    }
    return status;
}

cs_status onnx_read_depth_to_space(onnx_import *m, onnx_value *x, onnx_value *y)
{
    int64_t block;
    bool deep = onnx_is_op(m, "SpaceToDepth");
    cs_status status = onnx_read_int(m, "blocksize", 0, &block);
    if (status) {
        return status;
    }
    if (x->rank != 4 || block < 1 || block > CS_NETWORK_MAX_SIDE ||
        (deep ? x->dims[2] % block != 0 || x->dims[3] % block != 0
              : x->dims[1] % (block * block) != 0)) {
        return onnx_fail(m, "blocks of %lld x %lld do not fit", (long long)block, (long long)block);
    }
    status = arrange_map(m, x);
    if (status) {
        return status;
    }
    cs_shape shape = m->network->layers[x->layer].out;
    uint64_t side = (uint64_t)block;
    uint64_t height = deep ? shape.height / side : shape.height * side;
    uint64_t width = deep ? shape.width / side : shape.width * side;
    uint64_t channels = deep ? shape.channels * side * side : shape.channels / (side * side);
    if (height > UINT32_MAX || width > UINT32_MAX || channels > UINT32_MAX) {
        return onnx_fail(m, "its result is too large");
    }
    shape = (cs_shape){(uint32_t)height, (uint32_t)width, (uint32_t)channels};
    cs_layer_id id;
    status = onnx_pass(m, cs_network_reshape(m->network, x->layer, shape, &id, m->err));
    if (!status) {
        set_map(m, x, y, id);
    }
    return status;
}
