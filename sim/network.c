/* The network: see network.h. */
#include "sim/network.h"

#include <assert.h>
#include <stdlib.h>

static cs_status reserve(cs_network *network, uint32_t count, cs_error *err)
{
    if (count <= network->capacity) {
        return CS_OK;
    }
    uint32_t capacity = network->capacity ? network->capacity : 64;
    while (capacity < count) {
        capacity *= 2;
    }
    cs_layer *layers = realloc(network->layers, capacity * sizeof *layers);
    if (!layers) {
        return cs_fail_memory(err);
    }
    network->layers = layers;
    network->capacity = capacity;
    return CS_OK;
}

static cs_status check_shape(cs_shape shape, uint32_t number, const char *op, const char *which,
                             cs_error *err)
{
    if (shape.height == 0 || shape.width == 0 || shape.channels == 0 ||
        shape.height > CS_NETWORK_MAX_SIDE || shape.width > CS_NETWORK_MAX_SIDE ||
        cs_shape_elements(shape) > CS_NETWORK_MAX_ELEMENTS) {
        return cs_fail(
            err, CS_EINVAL,
            "layer %u (%s): %s %u x %u x %u: each must be at least 1, height and width at "
            "most %u, and all at most %llu elements",
            number, op, which, shape.height, shape.width, shape.channels, CS_NETWORK_MAX_SIDE,
            (unsigned long long)CS_NETWORK_MAX_ELEMENTS);
    }
    return CS_OK;
}

/* A layer that reads `from`: its input shape is known after this. */
static cs_status begin(const cs_network *network, cs_op op, cs_layer_id from, cs_layer *layer,
                       cs_error *err)
{
    *layer = (cs_layer){
        .op = op,
        .kernel_h = 1,
        .kernel_w = 1,
        .stride_h = 1,
        .stride_w = 1,
        .groups = 1,
        .weight_bits = 8,
        .act_bits = 8,
        .input_count = 1,
        .inputs = {from},
    };
    if (from >= network->layer_count) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): reads layer %u, which does not exist",
                       network->layer_count, cs_op_name(op), from);
    }
    layer->in = network->layers[from].out;
    return CS_OK;
}

/* Check a finished layer and append it. */
static cs_status append(cs_network *network, const cs_layer *layer, cs_layer_id *id, cs_error *err)
{
    uint32_t number = network->layer_count;
    const char *op = cs_op_name(layer->op);
    if (number >= CS_NETWORK_MAX_LAYERS) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): a network has at most %u layers", number, op,
                       CS_NETWORK_MAX_LAYERS);
    }
    cs_status status = check_shape(layer->out, number, op, "output", err);
    if (status) {
        return status;
    }
    /* Floating point cannot wrap, so it finds what the 64-bit counts could not hold. */
    double taps = (double)layer->kernel_h * layer->kernel_w;
    double outputs = (double)cs_shape_elements(layer->out);
    double fan_in = taps;
    if (layer->op == CS_OP_CONV) {
        fan_in = taps * (layer->in.channels / layer->groups);
    } else if (layer->op == CS_OP_DENSE) {
        fan_in = (double)cs_shape_elements(layer->in);
    }
    double weights =
        layer->op == CS_OP_CONV || layer->op == CS_OP_DENSE ? fan_in * layer->out.channels : 0.0;
    if (weights > (double)CS_NETWORK_MAX_ELEMENTS ||
        outputs * fan_in > (double)CS_NETWORK_MAX_OPERATIONS) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): %.0f weights and %.0f operations; at most %llu and %llu",
                       number, op, weights, outputs * fan_in,
                       (unsigned long long)CS_NETWORK_MAX_ELEMENTS,
                       (unsigned long long)CS_NETWORK_MAX_OPERATIONS);
    }
    status = reserve(network, number + 1, err);
    if (status) {
        return status;
    }
    network->layers[number] = *layer;
    network->layer_count = number + 1;
    *id = number;
    return CS_OK;
}

/* Output side and leading padding of a window that slides over `in` (TensorFlow's rule); false if
 * the window does not fit. */
static bool slide(uint32_t in, uint32_t kernel, uint32_t stride, cs_padding padding, uint32_t *out,
                  uint32_t *pad)
{
    if (padding == CS_PADDING_VALID) {
        if (in < kernel) {
            return false;
        }
        *out = (in - kernel) / stride + 1;
        *pad = 0;
        return true;
    }
    uint32_t count = (in - 1) / stride + 1;
    uint32_t reach = (count - 1) * stride + kernel;
    *out = count;
    *pad = reach > in ? (reach - in) / 2 : 0;
    return true;
}

/* Output height, width and padding of a windowed layer. */
static cs_status slide_window(const cs_network *network, cs_layer *layer, uint32_t kernel_h,
                              uint32_t kernel_w, uint32_t stride, cs_padding padding, cs_error *err)
{
    bool sane = kernel_h >= 1 && kernel_h <= CS_NETWORK_MAX_SIDE && kernel_w >= 1 &&
                kernel_w <= CS_NETWORK_MAX_SIDE && stride >= 1 && stride <= CS_NETWORK_MAX_SIDE;
    if (!sane ||
        !slide(layer->in.height, kernel_h, stride, padding, &layer->out.height, &layer->pad_top) ||
        !slide(layer->in.width, kernel_w, stride, padding, &layer->out.width, &layer->pad_left)) {
        return cs_fail(
            err, CS_EINVAL,
            "layer %u (%s): a %u x %u window with stride %u does not fit the input %u x %u",
            network->layer_count, cs_op_name(layer->op), kernel_h, kernel_w, stride,
            layer->in.height, layer->in.width);
    }
    layer->kernel_h = kernel_h;
    layer->kernel_w = kernel_w;
    layer->stride_h = stride;
    layer->stride_w = stride;
    return CS_OK;
}

void cs_network_release(cs_network *network)
{
    free(network->layers);
    *network = (cs_network){0};
}

cs_status cs_network_start(cs_network *network, cs_shape input, cs_error *err)
{
    cs_status status = check_shape(input, 0, "input", "shape", err);
    if (!status) {
        status = reserve(network, 1, err);
    }
    if (status) {
        return status;
    }
    network->layers[0] = (cs_layer){
        .op = CS_OP_INPUT,
        .in = input,
        .out = input,
        .kernel_h = 1,
        .kernel_w = 1,
        .stride_h = 1,
        .stride_w = 1,
        .groups = 1,
        .weight_bits = 8,
        .act_bits = 8,
    };
    network->layer_count = 1;
    return CS_OK;
}

cs_status cs_network_conv(cs_network *network, cs_layer_id from, const cs_conv *conv,
                          cs_layer_id *id, cs_error *err)
{
    cs_layer layer;
    cs_status status = begin(network, CS_OP_CONV, from, &layer, err);
    if (status) {
        return status;
    }
    layer.groups = conv->groups ? conv->groups : 1;
    layer.activation = conv->activation;
    layer.bias = conv->bias;
    layer.normalized = conv->normalized;
    layer.out.channels = conv->channels;
    if (layer.in.channels % layer.groups != 0 || conv->channels % layer.groups != 0) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (conv): %u groups do not divide %u input and %u output channels",
                       network->layer_count, layer.groups, layer.in.channels, conv->channels);
    }
    status = slide_window(network, &layer, conv->kernel_h, conv->kernel_w,
                          conv->stride ? conv->stride : 1, conv->padding, err);
    return status ? status : append(network, &layer, id, err);
}

cs_status cs_network_dense(cs_network *network, cs_layer_id from, uint32_t channels, bool bias,
                           cs_activation activation, cs_layer_id *id, cs_error *err)
{
    cs_layer layer;
    cs_status status = begin(network, CS_OP_DENSE, from, &layer, err);
    if (status) {
        return status;
    }
    layer.out = (cs_shape){1, 1, channels};
    layer.bias = bias;
    layer.activation = activation;
    return append(network, &layer, id, err);
}

cs_status cs_network_pool(cs_network *network, cs_layer_id from, cs_op op, uint32_t kernel,
                          uint32_t stride, cs_padding padding, cs_layer_id *id, cs_error *err)
{
    assert(op == CS_OP_POOL_MAX || op == CS_OP_POOL_AVG);
    cs_layer layer;
    cs_status status = begin(network, op, from, &layer, err);
    if (status) {
        return status;
    }
    layer.out.channels = layer.in.channels;
    status = slide_window(network, &layer, kernel, kernel, stride, padding, err);
    return status ? status : append(network, &layer, id, err);
}

cs_status cs_network_pool_global(cs_network *network, cs_layer_id from, cs_layer_id *id,
                                 cs_error *err)
{
    cs_layer layer;
    cs_status status = begin(network, CS_OP_POOL_GLOBAL, from, &layer, err);
    if (status) {
        return status;
    }
    layer.kernel_h = layer.in.height;
    layer.kernel_w = layer.in.width;
    layer.out = (cs_shape){1, 1, layer.in.channels};
    return append(network, &layer, id, err);
}

/* Append an element-wise layer whose second input has the shape `wanted`. */
static cs_status append_pair(cs_network *network, cs_layer *layer, cs_layer_id second,
                             cs_shape wanted, cs_layer_id *id, cs_error *err)
{
    const char *op = cs_op_name(layer->op);
    if (second >= network->layer_count) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): reads layer %u, which does not exist",
                       network->layer_count, op, second);
    }
    cs_shape got = network->layers[second].out;
    if (got.height != wanted.height || got.width != wanted.width ||
        got.channels != wanted.channels) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): the second input is %u x %u x %u, not %u x %u x %u",
                       network->layer_count, op, got.height, got.width, got.channels, wanted.height,
                       wanted.width, wanted.channels);
    }
    layer->out = layer->in;
    layer->input_count = 2;
    layer->inputs[1] = second;
    return append(network, layer, id, err);
}

cs_status cs_network_add(cs_network *network, cs_layer_id a, cs_layer_id b, cs_layer_id *id,
                         cs_error *err)
{
    cs_layer layer;
    cs_status status = begin(network, CS_OP_ADD, a, &layer, err);
    return status ? status : append_pair(network, &layer, b, layer.in, id, err);
}

cs_status cs_network_scale(cs_network *network, cs_layer_id tensor, cs_layer_id factors,
                           cs_layer_id *id, cs_error *err)
{
    cs_layer layer;
    cs_status status = begin(network, CS_OP_SCALE, tensor, &layer, err);
    return status ? status
                  : append_pair(network, &layer, factors, (cs_shape){1, 1, layer.in.channels}, id,
                                err);
}

uint64_t cs_shape_elements(cs_shape shape)
{
    /* With sides of at most CS_NETWORK_MAX_SIDE this cannot wrap, whatever the channels. */
    return (uint64_t)shape.height * shape.width * shape.channels;
}

uint64_t cs_layer_macs(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_CONV:
        return (uint64_t)layer->out.height * layer->out.width * cs_layer_weights(layer);
    case CS_OP_DENSE:
        return cs_layer_weights(layer);
    case CS_OP_SCALE:
        return cs_shape_elements(layer->out);
    default:
        return 0;
    }
}

uint64_t cs_network_macs(const cs_network *network)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        sum += cs_layer_macs(&network->layers[i]);
    }
    return sum;
}

uint64_t cs_layer_operations(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_CONV:
    case CS_OP_DENSE:
    case CS_OP_SCALE:
        return cs_layer_macs(layer);
    case CS_OP_INPUT:
        return 0;
    default:
        return cs_shape_elements(layer->out) * layer->kernel_h * layer->kernel_w;
    }
}

uint64_t cs_layer_parameters(const cs_layer *layer)
{
    uint64_t channels = layer->out.channels;
    return cs_layer_weights(layer) + (layer->bias ? channels : 0) +
           (layer->normalized ? 2 * channels : 0);
}

uint64_t cs_network_parameters(const cs_network *network)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        sum += cs_layer_parameters(&network->layers[i]);
    }
    return sum;
}

uint64_t cs_layer_weights(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_CONV:
        return (uint64_t)layer->kernel_h * layer->kernel_w * (layer->in.channels / layer->groups) *
               layer->out.channels;
    case CS_OP_DENSE:
        return cs_shape_elements(layer->in) * layer->out.channels;
    default:
        return 0;
    }
}

const char *cs_op_name(cs_op op)
{
    static const char *const names[CS_OP_COUNT] = {
        [CS_OP_INPUT] = "input",       [CS_OP_CONV] = "conv",
        [CS_OP_DENSE] = "dense",       [CS_OP_POOL_MAX] = "pool-max",
        [CS_OP_POOL_AVG] = "pool-avg", [CS_OP_POOL_GLOBAL] = "pool-global",
        [CS_OP_ADD] = "add",           [CS_OP_SCALE] = "scale",
    };
    assert((unsigned)op < CS_OP_COUNT);
    return names[op];
}
