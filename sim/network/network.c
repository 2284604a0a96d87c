/* The network: see network.h. */
#include "sim/network/network.h"

#include "base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Gates of a cell; 0 for what is none. */
static uint32_t gates_of(cs_op op)
{
    return op == CS_OP_LSTM ? 4 : op == CS_OP_GRU ? 3 : 0;
}

/* Passes over the elements of what neither multiplies nor slides a window: softmax takes the
 * maximum, the sum of exponentials and the quotient; layer normalisation mean, variance and result.
 */
static uint32_t passes_of(cs_op op)
{
    return op == CS_OP_SOFTMAX || op == CS_OP_LAYER_NORM ? 3 : 1;
}

static cs_status reserve(cs_network *network, uint32_t layers, uint32_t edges, cs_error *err)
{
    if (layers > network->capacity) {
        uint32_t capacity = network->capacity ? network->capacity : 64;
        while (capacity < layers) {
            capacity *= 2;
        }
        cs_layer *grown = realloc(network->layers, capacity * sizeof *grown);
        if (!grown) {
            return cs_fail_memory(err);
        }
        network->layers = grown;
        network->capacity = capacity;
    }
    if (edges > network->edge_capacity) {
        uint32_t capacity = network->edge_capacity ? network->edge_capacity : 128;
        while (capacity < edges) {
            capacity *= 2;
        }
        cs_layer_id *grown = realloc(network->edges, capacity * sizeof *grown);
        if (!grown) {
            return cs_fail_memory(err);
        }
        network->edges = grown;
        network->edge_capacity = capacity;
    }
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

/* What a layer is before anything is said of it. */
static const cs_layer blank_layer = {
    .kernel_h = 1,
    .kernel_w = 1,
    .stride_h = 1,
    .stride_w = 1,
    .dilation_h = 1,
    .dilation_w = 1,
    .groups = 1,
    .weight_bits = 8,
    .act_bits = 8,
    .weight_density = 1,
    .act_density = 1,
};

static cs_status check_reference(const cs_network *network, cs_op op, cs_layer_id from,
                                 cs_error *err)
{
    if (from >= network->layer_count) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): reads layer %u, which does not exist",
                       network->layer_count, cs_op_name(op), from);
    }
    return CS_OK;
}

/* The place of the next layer, blank; it counts once it is appended. */
static cs_status begin_blank(cs_network *network, cs_op op, cs_layer **layer, cs_error *err)
{
    cs_status status = reserve(network, network->layer_count + 1, 0, err);
    if (!status) {
        *layer = &network->layers[network->layer_count];
        **layer = blank_layer;
        (*layer)->op = op;
    }
    return status;
}

/* The same for a layer that reads `from`: its input shape is known after this. */
static cs_status begin(cs_network *network, cs_op op, cs_layer_id from, cs_layer **layer,
                       cs_error *err)
{
    cs_status status = check_reference(network, op, from, err);
    if (!status) {
        status = begin_blank(network, op, layer, err);
    }
    if (!status) {
        (*layer)->in = network->layers[from].out;
    }
    return status;
}

/* Weights, and operations of a batch, in floating point, which cannot wrap: it finds what the
 * 64-bit counts could not hold. */
static void estimate(const cs_layer *layer, uint32_t batch, double *weights, double *operations)
{
    double taps = (double)layer->kernel_h * layer->kernel_w;
    double outputs = (double)cs_shape_elements(layer->out);
    double fan_in = taps * passes_of(layer->op);
    *weights = 0;
    switch (layer->op) {
    case CS_OP_CONV:
    case CS_OP_CONV_TRANSPOSE:
        fan_in = taps * (layer->in.channels / layer->groups);
        *weights = fan_in * layer->out.channels;
        break;
    case CS_OP_DENSE:
        fan_in = (double)cs_shape_elements(layer->in);
        *weights = fan_in * layer->out.channels;
        break;
    case CS_OP_MATMUL:
        fan_in = layer->in.channels;
        break;
    case CS_OP_LSTM:
    case CS_OP_GRU:
        fan_in = gates_of(layer->op) * ((double)layer->in.channels + layer->out.channels);
        *weights = fan_in * layer->out.channels;
        break;
    default:
        break;
    }
    if (layer->op == CS_OP_CONV_TRANSPOSE) {
        double inputs = (double)layer->in.height * layer->in.width * layer->out.channels;
        outputs = inputs > outputs ? inputs : outputs;
    }
    *operations = outputs * fan_in * batch;
}

/* Check a layer, and add its operations to those of the layers before it. */
static cs_status check_size(const cs_layer *layer, uint32_t number, uint32_t batch,
                            double *all_operations, cs_error *err)
{
    double weights, operations;
    estimate(layer, batch, &weights, &operations);
    if (weights > (double)CS_NETWORK_MAX_ELEMENTS ||
        operations > (double)CS_NETWORK_MAX_OPERATIONS) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): %.0f weights and %.0f operations; at most %llu and %llu",
                       number, cs_op_name(layer->op), weights, operations,
                       (unsigned long long)CS_NETWORK_MAX_ELEMENTS,
                       (unsigned long long)CS_NETWORK_MAX_OPERATIONS);
    }
    if (*all_operations + operations > (double)CS_NETWORK_MAX_OPERATIONS) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): with the layers before it %.0f operations; at most %llu",
                       number, cs_op_name(layer->op), *all_operations + operations,
                       (unsigned long long)CS_NETWORK_MAX_OPERATIONS);
    }
    *all_operations += operations;
    return CS_OK;
}

/* Check the layer that was begun, and append it with the `count` layers that it reads. */
static cs_status append(cs_network *network, const cs_layer_id *inputs, uint32_t count,
                        cs_layer_id *id, cs_error *err)
{
    uint32_t number = network->layer_count;
    cs_layer *layer = &network->layers[number];
    const char *op = cs_op_name(layer->op);
    if (number >= CS_NETWORK_MAX_LAYERS) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): a network has at most %u layers", number, op,
                       CS_NETWORK_MAX_LAYERS);
    }
    if (count > CS_NETWORK_MAX_EDGES - network->edge_count) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): the layers of a network have at most %u inputs", number, op,
                       CS_NETWORK_MAX_EDGES);
    }
    double operations = network->operations;
    cs_status status = check_shape(layer->out, number, op, "output", err);
    if (status || (status = check_size(layer, number, network->batch, &operations, err)) ||
        (status = reserve(network, 0, network->edge_count + count, err))) {
        return status;
    }
    layer->first_edge = network->edge_count;
    layer->input_count = count;
    layer->last_use = number;
    layer->key = cs_key_of(layer, CS_LAYER_KEY_BYTES).low;
    for (uint32_t k = 0; k < count; k++) {
        network->edges[network->edge_count + k] = inputs[k];
        network->layers[inputs[k]].last_use = number;
    }
    network->edge_count += count;
    network->layer_count = number + 1;
    network->operations = operations;
    *id = number;
    return CS_OK;
}

static bool same_shape(cs_shape a, cs_shape b)
{
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

/* Whether the layers that are read have the shapes that `like` reads. */
static bool inputs_fit(const cs_network *network, const cs_layer *like, const cs_layer_id *inputs)
{
    uint64_t channels = 0;
    for (uint32_t k = 0; k < like->input_count; k++) {
        if (inputs[k] >= network->layer_count) {
            return false;
        }
        channels += network->layers[inputs[k]].out.channels;
    }
    return like->input_count == 0 ||
           (same_shape(network->layers[inputs[0]].out, like->in) &&
            (like->op == CS_OP_CONCAT
                 ? channels == like->out.channels
                 : like->input_count < 2 ||
                       same_shape(network->layers[inputs[1]].out, like->second)));
}

cs_status cs_network_like(cs_network *network, const cs_layer *like, const cs_layer_id *inputs,
                          cs_layer_id *id, cs_error *err)
{
    uint32_t number = network->layer_count, count = like->input_count;
    if (!inputs_fit(network, like, inputs)) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): inputs of other shapes than those it is like", number,
                       cs_op_name(like->op));
    }
    if (number >= CS_NETWORK_MAX_LAYERS || count > CS_NETWORK_MAX_EDGES - network->edge_count) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): the network has too many layers or inputs",
                       number, cs_op_name(like->op));
    }
    cs_status status = reserve(network, number + 1, network->edge_count + count, err);
    if (status) {
        return status;
    }
    cs_layer *layer = &network->layers[number];
    *layer = *like;
    layer->name = 0;
    layer->first_edge = network->edge_count;
    layer->last_use = number;
    for (uint32_t k = 0; k < count; k++) {
        network->edges[network->edge_count + k] = inputs[k];
        network->layers[inputs[k]].last_use = number;
    }
    network->edge_count += count;
    network->layer_count = number + 1;
    *id = number;
    return CS_OK;
}

/* One axis of a window. */
typedef struct axis {
    uint32_t kernel, stride, dilation;
    cs_padding padding;
    uint32_t before, after; /* explicit padding */
    bool ceil;
} axis;

static uint64_t reach_of(const axis *a)
{
    return (uint64_t)(a->kernel - 1) * a->dilation + 1;
}

/* Output side and leading padding of a window that slides over `in`; false if the window does not
 * fit. */
static bool slide(const axis *a, uint32_t in, uint32_t *out, uint32_t *pad)
{
    uint64_t reach = reach_of(a), before = 0, after = 0;
    if (a->padding == CS_PADDING_SAME || a->padding == CS_PADDING_CAUSAL) {
        uint64_t count = (uint64_t)(in - 1) / a->stride + 1;
        uint64_t covered = (count - 1) * a->stride + reach;
        uint64_t total = covered > in ? covered - in : 0;
        uint64_t leading = a->padding == CS_PADDING_SAME ? total / 2 : reach - 1;
        if (leading > UINT32_MAX) {
            return false;
        }
        *out = (uint32_t)count;
        *pad = (uint32_t)leading;
        return true;
    }
    if (a->padding == CS_PADDING_EXPLICIT) {
        before = a->before;
        after = a->after;
    }
    uint64_t padded = before + in + after;
    if (padded < reach) {
        return false;
    }
    uint64_t count = (padded - reach) / a->stride + 1;
    if (a->ceil && (padded - reach) % a->stride != 0 && count * a->stride < before + in) {
        count++;
    }
    *out = (uint32_t)count;
    *pad = (uint32_t)before;
    return true;
}

static axis height_of(const cs_window *window)
{
    return (axis){
        .kernel = window->kernel_h,
        .stride = window->stride_h ? window->stride_h : 1,
        .dilation = window->dilation_h ? window->dilation_h : 1,
        .padding = window->padding == CS_PADDING_CAUSAL ? CS_PADDING_SAME : window->padding,
        .before = window->pad_top,
        .after = window->pad_bottom,
        .ceil = window->ceil,
    };
}

static axis width_of(const cs_window *window)
{
    const axis height = height_of(window);
    return (axis){
        .kernel = window->kernel_w,
        .stride = window->stride_w ? window->stride_w : height.stride,
        .dilation = window->dilation_w ? window->dilation_w : height.dilation,
        .padding = window->padding,
        .before = window->pad_left,
        .after = window->pad_right,
        .ceil = window->ceil,
    };
}

static bool is_sane(const axis *a)
{
    return a->kernel >= 1 && a->kernel <= CS_NETWORK_MAX_SIDE && a->stride >= 1 &&
           a->stride <= CS_NETWORK_MAX_SIDE && a->dilation >= 1 &&
           a->dilation <= CS_NETWORK_MAX_SIDE && a->before <= CS_NETWORK_MAX_SIDE &&
           a->after <= CS_NETWORK_MAX_SIDE;
}

static cs_status refuse_window(const cs_network *network, const cs_layer *layer, const axis *height,
                               const axis *width, cs_error *err)
{
    char stride[32], dilation[48] = "";
    if (height->stride == width->stride) {
        snprintf(stride, sizeof stride, "%u", height->stride);
    } else {
        snprintf(stride, sizeof stride, "%u x %u", height->stride, width->stride);
    }
    if (height->dilation != 1 || width->dilation != 1) {
        snprintf(dilation, sizeof dilation, " and dilation %u x %u", height->dilation,
                 width->dilation);
    }
    return cs_fail(err, CS_EINVAL,
                   "layer %u (%s): a %u x %u window with stride %s%s does not fit the input %u x "
                   "%u",
                   network->layer_count, cs_op_name(layer->op), height->kernel, width->kernel,
                   stride, dilation, layer->in.height, layer->in.width);
}

static void keep_window(cs_layer *layer, const axis *height, const axis *width)
{
    layer->kernel_h = height->kernel;
    layer->kernel_w = width->kernel;
    layer->stride_h = height->stride;
    layer->stride_w = width->stride;
    layer->dilation_h = height->dilation;
    layer->dilation_w = width->dilation;
}

/* Output height, width and padding of a windowed layer. */
static cs_status slide_window(const cs_network *network, cs_layer *layer, const cs_window *window,
                              cs_error *err)
{
    const axis height = height_of(window), width = width_of(window);
    if (!is_sane(&height) || !is_sane(&width) ||
        !slide(&height, layer->in.height, &layer->out.height, &layer->pad_top) ||
        !slide(&width, layer->in.width, &layer->out.width, &layer->pad_left)) {
        return refuse_window(network, layer, &height, &width, err);
    }
    keep_window(layer, &height, &width);
    return CS_OK;
}

/* The side that a window spreads `in` to, and what is cut off before it; false if nothing is left.
 */
static bool spread(const axis *a, uint32_t in, uint32_t *out, uint32_t *cut)
{
    uint64_t reach = reach_of(a);
    uint64_t whole = (uint64_t)(in - 1) * a->stride + reach;
    uint64_t before = 0, after = 0;
    if (a->padding == CS_PADDING_EXPLICIT) {
        before = a->before;
        after = a->after;
    } else if (a->padding == CS_PADDING_SAME) {
        uint64_t wanted = (uint64_t)in * a->stride;
        uint64_t total = whole > wanted ? whole - wanted : 0;
        before = total / 2;
        after = total - before;
        whole = whole > wanted ? whole : wanted;
    }
    if (whole <= before + after || whole - before - after > UINT32_MAX || before > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)(whole - before - after);
    *cut = (uint32_t)before;
    return true;
}

static cs_window window_of(const cs_conv *conv)
{
    return (cs_window){
        .kernel_h = conv->kernel_h,
        .kernel_w = conv->kernel_w,
        .stride_h = conv->stride,
        .stride_w = conv->stride_w,
        .dilation_h = conv->dilation,
        .dilation_w = conv->dilation_w,
        .padding = conv->padding,
        .pad_top = conv->pad_top,
        .pad_left = conv->pad_left,
        .pad_bottom = conv->pad_bottom,
        .pad_right = conv->pad_right,
    };
}

void cs_network_release(cs_network *network)
{
    free(network->layers);
    free(network->edges);
    free(network->names);
    *network = (cs_network){0};
}

cs_status cs_network_start(cs_network *network, cs_shape input, cs_error *err)
{
    cs_status status = check_shape(input, 0, "input", "shape", err);
    if (!status) {
        status = reserve(network, 1, 0, err);
    }
    if (status) {
        return status;
    }
    network->layers[0] = blank_layer;
    network->layers[0].op = CS_OP_INPUT;
    network->layers[0].in = input;
    network->layers[0].out = input;
    network->layer_count = 1;
    network->edge_count = 0;
    network->name_bytes = 0;
    network->batch = 1;
    network->operations = 0;
    return CS_OK;
}

cs_status cs_network_input(cs_network *network, cs_shape shape, cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin_blank(network, CS_OP_INPUT, &layer, err);
    if (status) {
        return status;
    }
    layer->in = shape;
    layer->out = shape;
    return append(network, NULL, 0, id, err);
}

cs_status cs_network_conv(cs_network *network, cs_layer_id from, const cs_conv *conv,
                          cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_CONV, from, &layer, err);
    if (status) {
        return status;
    }
    layer->groups = conv->groups ? conv->groups : 1;
    layer->activation = conv->activation;
    layer->bias = conv->bias;
    layer->normalized = conv->normalized;
    layer->out.channels = conv->channels;
    if (layer->in.channels % layer->groups != 0 || conv->channels % layer->groups != 0) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (conv): %u groups do not divide %u input and %u output channels",
                       network->layer_count, layer->groups, layer->in.channels, conv->channels);
    }
    const cs_window window = window_of(conv);
    status = slide_window(network, layer, &window, err);
    return status ? status : append(network, &from, 1, id, err);
}

cs_status cs_network_conv_transpose(cs_network *network, cs_layer_id from, const cs_conv *conv,
                                    cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_CONV_TRANSPOSE, from, &layer, err);
    if (status) {
        return status;
    }
    layer->activation = conv->activation;
    layer->bias = conv->bias;
    layer->normalized = conv->normalized;
    layer->out.channels = conv->channels;
    if (conv->groups > 1 || conv->padding == CS_PADDING_CAUSAL) {
        return cs_fail(err, CS_EINVAL, "layer %u (conv-transpose): neither groups nor causal",
                       network->layer_count);
    }
    const cs_window window = window_of(conv);
    const axis height = height_of(&window), width = width_of(&window);
    if (!is_sane(&height) || !is_sane(&width) ||
        !spread(&height, layer->in.height, &layer->out.height, &layer->pad_top) ||
        !spread(&width, layer->in.width, &layer->out.width, &layer->pad_left)) {
        return refuse_window(network, layer, &height, &width, err);
    }
    keep_window(layer, &height, &width);
    return append(network, &from, 1, id, err);
}

cs_status cs_network_dense(cs_network *network, cs_layer_id from, uint32_t channels, bool bias,
                           cs_activation activation, cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_DENSE, from, &layer, err);
    if (status) {
        return status;
    }
    layer->out = (cs_shape){1, 1, channels};
    layer->bias = bias;
    layer->activation = activation;
    return append(network, &from, 1, id, err);
}

cs_status cs_network_matmul(cs_network *network, cs_layer_id a, cs_layer_id b, bool transposed,
                            cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_MATMUL, a, &layer, err);
    if (status || (status = check_reference(network, CS_OP_MATMUL, b, err))) {
        return status;
    }
    layer->second = network->layers[b].out;
    layer->transposed = transposed;
    uint32_t inner = transposed ? layer->second.channels : layer->second.width;
    if (layer->second.height != layer->in.height || inner != layer->in.channels) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (matmul): %u x %u x %u does not multiply %u x %u x %u%s",
                       network->layer_count, layer->in.height, layer->in.width, layer->in.channels,
                       layer->second.height, layer->second.width, layer->second.channels,
                       transposed ? " transposed" : "");
    }
    layer->out = layer->in;
    layer->out.channels = transposed ? layer->second.width : layer->second.channels;
    return append(network, (const cs_layer_id[]){a, b}, 2, id, err);
}

cs_status cs_network_pool(cs_network *network, cs_layer_id from, cs_op op, uint32_t kernel,
                          uint32_t stride, cs_padding padding, cs_layer_id *id, cs_error *err)
{
    const cs_window window = {
        .kernel_h = kernel, .kernel_w = kernel, .stride_h = stride, .padding = padding};
    if (stride == 0) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): a window cannot slide with stride 0",
                       network->layer_count, cs_op_name(op));
    }
    return cs_network_pool_window(network, from, op, &window, id, err);
}

cs_status cs_network_pool_window(cs_network *network, cs_layer_id from, cs_op op,
                                 const cs_window *window, cs_layer_id *id, cs_error *err)
{
    assert(op == CS_OP_POOL_MAX || op == CS_OP_POOL_AVG);
    cs_layer *layer;
    cs_status status = begin(network, op, from, &layer, err);
    if (status) {
        return status;
    }
    layer->out.channels = layer->in.channels;
    status = slide_window(network, layer, window, err);
    return status ? status : append(network, &from, 1, id, err);
}

cs_status cs_network_pool_global(cs_network *network, cs_layer_id from, cs_layer_id *id,
                                 cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_POOL_GLOBAL, from, &layer, err);
    if (status) {
        return status;
    }
    layer->kernel_h = layer->in.height;
    layer->kernel_w = layer->in.width;
    layer->out = (cs_shape){1, 1, layer->in.channels};
    return append(network, &from, 1, id, err);
}

/* Append an element-wise layer; the second input has the shape of the first, or is one factor a
 * channel. */
static cs_status append_pair(cs_network *network, cs_op op, cs_layer_id first, cs_layer_id second,
                             cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, op, first, &layer, err);
    if (status || (status = check_reference(network, op, second, err))) {
        return status;
    }
    cs_shape wanted = op == CS_OP_SCALE ? (cs_shape){1, 1, layer->in.channels} : layer->in;
    cs_shape got = network->layers[second].out;
    if (got.height != wanted.height || got.width != wanted.width ||
        got.channels != wanted.channels) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): the second input is %u x %u x %u, not %u x %u x %u",
                       network->layer_count, cs_op_name(op), got.height, got.width, got.channels,
                       wanted.height, wanted.width, wanted.channels);
    }
    layer->second = got;
    layer->out = layer->in;
    return append(network, (const cs_layer_id[]){first, second}, 2, id, err);
}

cs_status cs_network_add(cs_network *network, cs_layer_id a, cs_layer_id b, cs_layer_id *id,
                         cs_error *err)
{
    return append_pair(network, CS_OP_ADD, a, b, id, err);
}

cs_status cs_network_multiply(cs_network *network, cs_layer_id a, cs_layer_id b, cs_layer_id *id,
                              cs_error *err)
{
    return append_pair(network, CS_OP_MULTIPLY, a, b, id, err);
}

cs_status cs_network_scale(cs_network *network, cs_layer_id tensor, cs_layer_id factors,
                           cs_layer_id *id, cs_error *err)
{
    return append_pair(network, CS_OP_SCALE, tensor, factors, id, err);
}

cs_status cs_network_concat(cs_network *network, const cs_layer_id *from, uint32_t count,
                            cs_layer_id *id, cs_error *err)
{
    if (count == 0) {
        return cs_fail(err, CS_EINVAL, "layer %u (concat): joins nothing", network->layer_count);
    }
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_CONCAT, from[0], &layer, err);
    uint64_t channels = 0;
    for (uint32_t k = 0; k < count && !status; k++) {
        status = check_reference(network, CS_OP_CONCAT, from[k], err);
        if (status) {
            break;
        }
        cs_shape shape = network->layers[from[k]].out;
        if (shape.height != layer->in.height || shape.width != layer->in.width) {
            status = cs_fail(err, CS_EINVAL,
                             "layer %u (concat): input %u is %u x %u, but the first %u x %u",
                             network->layer_count, k + 1, shape.height, shape.width,
                             layer->in.height, layer->in.width);
        }
        channels += shape.channels;
    }
    if (status) {
        return status;
    }
    layer->second = count > 1 ? network->layers[from[1]].out : (cs_shape){0};
    layer->out = layer->in;
    layer->out.channels = channels > UINT32_MAX ? UINT32_MAX : (uint32_t)channels;
    return append(network, from, count, id, err);
}

cs_status cs_network_map(cs_network *network, cs_layer_id from, cs_op op, cs_layer_id *id,
                         cs_error *err)
{
    assert(op == CS_OP_BATCH_NORM || op == CS_OP_LAYER_NORM || op == CS_OP_SOFTMAX);
    cs_layer *layer;
    cs_status status = begin(network, op, from, &layer, err);
    if (status) {
        return status;
    }
    layer->normalized = op != CS_OP_SOFTMAX;
    layer->out = layer->in;
    return append(network, &from, 1, id, err);
}

cs_status cs_network_activate(cs_network *network, cs_layer_id from, cs_activation activation,
                              cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_ACTIVATION, from, &layer, err);
    if (status) {
        return status;
    }
    layer->activation = activation;
    layer->out = layer->in;
    return append(network, &from, 1, id, err);
}

cs_status cs_network_resize(cs_network *network, cs_layer_id from, uint32_t height, uint32_t width,
                            cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_RESIZE, from, &layer, err);
    if (status) {
        return status;
    }
    layer->out = (cs_shape){height, width, layer->in.channels};
    return append(network, &from, 1, id, err);
}

cs_status cs_network_reshape(cs_network *network, cs_layer_id from, cs_shape shape, cs_layer_id *id,
                             cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_RESHAPE, from, &layer, err);
    if (status || (status = check_shape(shape, network->layer_count, "reshape", "output", err))) {
        return status;
    }
    if (cs_shape_elements(shape) != cs_shape_elements(layer->in)) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (reshape): %u x %u x %u has not as many elements as %u x %u x %u",
                       network->layer_count, shape.height, shape.width, shape.channels,
                       layer->in.height, layer->in.width, layer->in.channels);
    }
    layer->out = shape;
    return append(network, &from, 1, id, err);
}

cs_status cs_network_transpose(cs_network *network, cs_layer_id from, const uint32_t order[3],
                               cs_layer_id *id, cs_error *err)
{
    cs_layer *layer;
    cs_status status = begin(network, CS_OP_TRANSPOSE, from, &layer, err);
    if (status) {
        return status;
    }
    unsigned seen = 0;
    for (int i = 0; i < 3; i++) {
        seen |= order[i] < 3 ? 1u << order[i] : 0;
    }
    if (seen != 7) {
        return cs_fail(err, CS_EINVAL, "layer %u (transpose): %u %u %u is no order of 0 1 2",
                       network->layer_count, order[0], order[1], order[2]);
    }
    for (int i = 0; i < 3; i++) {
        layer->order[i] = (uint8_t)order[i];
    }
    const uint32_t sides[] = {layer->in.height, layer->in.width, layer->in.channels};
    layer->out = (cs_shape){sides[order[0]], sides[order[1]], sides[order[2]]};
    return append(network, &from, 1, id, err);
}

cs_status cs_network_cell(cs_network *network, cs_layer_id from, cs_op op, uint32_t units,
                          bool bias, cs_layer_id *id, cs_error *err)
{
    assert(gates_of(op) > 0);
    cs_layer *layer;
    cs_status status = begin(network, op, from, &layer, err);
    if (status) {
        return status;
    }
    if (layer->in.height != 1) {
        return cs_fail(err, CS_EINVAL,
                       "layer %u (%s): reads a sequence 1 x T x C, not %u x %u x %u",
                       network->layer_count, cs_op_name(op), layer->in.height, layer->in.width,
                       layer->in.channels);
    }
    layer->out = (cs_shape){1, layer->in.width, units};
    layer->bias = bias;
    return append(network, &from, 1, id, err);
}

void cs_network_fold_activation(cs_network *network, cs_layer_id id, cs_activation activation)
{
    assert(id < network->layer_count && (unsigned)activation < CS_ACTIVATION_COUNT);
    network->layers[id].activation = activation;
}

cs_status cs_network_set_bits(cs_network *network, cs_layer_id id, uint32_t weight_bits,
                              uint32_t act_bits, cs_error *err)
{
    assert(id < network->layer_count);
    const uint32_t bits[] = {weight_bits, act_bits};
    for (int i = 0; i < 2; i++) {
        if (bits[i] != 4 && bits[i] != 8 && bits[i] != 16) {
            return cs_fail(err, CS_EINVAL, "layer %u (%s): bits must be 4, 8 or 16, not %u", id,
                           cs_op_name(network->layers[id].op), bits[i]);
        }
    }
    cs_layer *layer = &network->layers[id];
    layer->weight_bits = (uint8_t)weight_bits;
    layer->act_bits = (uint8_t)act_bits;
    layer->key = cs_key_of(layer, CS_LAYER_KEY_BYTES).low;
    return CS_OK;
}

cs_status cs_network_set_density(cs_network *network, cs_layer_id id, double weight_density,
                                 double act_density, cs_error *err)
{
    assert(id < network->layer_count);
    if (!(weight_density >= 0 && weight_density <= 1 && act_density >= 0 && act_density <= 1)) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): densities must be 0 to 1, not %g and %g", id,
                       cs_op_name(network->layers[id].op), weight_density, act_density);
    }
    network->layers[id].weight_density = (float)weight_density;
    network->layers[id].act_density = (float)act_density;
    return CS_OK;
}

cs_status cs_network_set_name(cs_network *network, cs_layer_id id, const char *name, cs_error *err)
{
    assert(id < network->layer_count);
    size_t size = strlen(name) + 1;
    if (size > CS_NETWORK_MAX_NAME + 1) {
        return cs_fail(err, CS_EINVAL, "layer %u (%s): a name has at most %u bytes", id,
                       cs_op_name(network->layers[id].op), CS_NETWORK_MAX_NAME);
    }
    /* Offset 0 is the empty name. Renaming leaves the old name behind until the network starts
     * anew, so the pool is bounded by who names, not here. */
    uint32_t used = network->name_bytes ? network->name_bytes : 1;
    if (used + size > network->name_capacity) {
        uint32_t capacity = network->name_capacity ? network->name_capacity : 1024;
        while (capacity < used + size) {
            capacity *= 2;
        }
        char *grown = realloc(network->names, capacity);
        if (!grown) {
            return cs_fail_memory(err);
        }
        network->names = grown;
        network->name_capacity = capacity;
    }
    network->names[0] = '\0';
    memcpy(network->names + used, name, size);
    network->layers[id].name = used;
    network->name_bytes = used + (uint32_t)size;
    return CS_OK;
}

cs_status cs_network_set_batch(cs_network *network, uint32_t batch, cs_error *err)
{
    if (batch < 1 || batch > CS_NETWORK_MAX_BATCH) {
        return cs_fail(err, CS_EINVAL, "a batch is 1 to %u samples, not %u", CS_NETWORK_MAX_BATCH,
                       batch);
    }
    double operations = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        cs_status status = check_size(&network->layers[i], i, batch, &operations, err);
        if (status) {
            return status;
        }
    }
    network->batch = batch;
    network->operations = operations;
    return CS_OK;
}

const cs_layer_id *cs_layer_inputs(const cs_network *network, const cs_layer *layer)
{
    return network->edges + layer->first_edge;
}

const char *cs_layer_name(const cs_network *network, const cs_layer *layer)
{
    return layer->name ? network->names + layer->name : "";
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
    case CS_OP_CONV_TRANSPOSE:
        return (uint64_t)layer->in.height * layer->in.width * cs_layer_weights(layer);
    case CS_OP_DENSE:
        return cs_layer_weights(layer);
    case CS_OP_MATMUL:
        return cs_shape_elements(layer->out) * layer->in.channels;
    case CS_OP_LSTM:
    case CS_OP_GRU:
        return layer->out.width * cs_layer_weights(layer);
    case CS_OP_SCALE:
    case CS_OP_MULTIPLY:
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
    uint64_t macs = cs_layer_macs(layer);
    if (macs > 0 || layer->op == CS_OP_INPUT) {
        return macs;
    }
    return cs_shape_elements(layer->out) * layer->kernel_h * layer->kernel_w * passes_of(layer->op);
}

uint64_t cs_layer_parameters(const cs_layer *layer)
{
    uint64_t channels = layer->out.channels;
    uint64_t gates = gates_of(layer->op);
    return cs_layer_weights(layer) + (layer->bias ? (gates ? 2 * gates : 1) * channels : 0) +
           (layer->normalized ? 2 * channels : 0) +
           (layer->activation == CS_ACTIVATION_PRELU ? channels : 0);
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
    uint64_t taps = (uint64_t)layer->kernel_h * layer->kernel_w;
    switch (layer->op) {
    case CS_OP_CONV:
    case CS_OP_CONV_TRANSPOSE:
    case CS_OP_DENSE:
        return taps * cs_layer_fan_channels(layer) * layer->out.channels;
    case CS_OP_LSTM:
    case CS_OP_GRU:
        return (uint64_t)gates_of(layer->op) * cs_layer_fan_channels(layer) * layer->out.channels;
    default:
        return 0;
    }
}

uint32_t cs_layer_fan_channels(const cs_layer *layer)
{
    switch (layer->op) {
    case CS_OP_CONV:
    case CS_OP_CONV_TRANSPOSE:
        return layer->in.channels / layer->groups;
    case CS_OP_DENSE:
        return (uint32_t)cs_shape_elements(layer->in);
    case CS_OP_MATMUL:
        return layer->in.channels;
    case CS_OP_LSTM:
    case CS_OP_GRU:
        return layer->in.channels + layer->out.channels;
    default:
        return 1;
    }
}

static uint64_t tensor_bytes(const cs_network *network, cs_layer_id id)
{
    const cs_layer *layer = &network->layers[id];
    return (cs_shape_elements(layer->out) * layer->act_bits + 7) / 8 * network->batch;
}

uint64_t cs_network_peak_activation_bytes(const cs_network *network)
{
    uint64_t alive = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        alive += network->layers[i].op == CS_OP_INPUT ? tensor_bytes(network, i) : 0;
    }
    uint64_t peak = alive;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_layer *layer = &network->layers[i];
        if (layer->op == CS_OP_INPUT) {
            continue;
        }
        alive += tensor_bytes(network, i);
        peak = alive > peak ? alive : peak;
        const cs_layer_id *inputs = cs_layer_inputs(network, layer);
        for (uint32_t k = 0; k < layer->input_count; k++) {
            bool again = false; /* a layer may read a tensor twice, but it dies once */
            for (uint32_t j = 0; j < k && !again; j++) {
                again = inputs[j] == inputs[k];
            }
            if (!again && network->layers[inputs[k]].last_use == i) {
                alive -= tensor_bytes(network, inputs[k]);
            }
        }
    }
    return peak;
}

const char *cs_op_name(cs_op op)
{
    static const char *const names[CS_OP_COUNT] = {
#define X(name, text) [CS_OP_##name] = text,
        CS_OP_MAP(X)
#undef X
    };
    assert((unsigned)op < CS_OP_COUNT);
    return names[op];
}

const char *cs_activation_name(cs_activation activation)
{
    static const char *const names[CS_ACTIVATION_COUNT] = {
#define X(name, text) [CS_ACTIVATION_##name] = text,
        CS_ACTIVATION_MAP(X)
#undef X
    };
    assert((unsigned)activation < CS_ACTIVATION_COUNT);
    return names[activation];
}
