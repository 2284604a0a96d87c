/* The network: a graph of layers, each a value, in an order in which producers come first.
 *
 * A network is built by appending layers; shapes are inferred and checked at once and a layer reads
 * only layers before it, so a network that exists is consistent and has no cycle. Clearing keeps
 * the memory, so one cs_network a worker decodes any number of candidates without allocating.
 *
 * Tensors are height x width x channels, int8 unless a layer says otherwise. A vector is 1 x 1 x C,
 * a sequence 1 x L x C (time along the width), attention heads are heads x L x C. Batch
 * normalisation is folded into the convolution before it and activation functions into the layer
 * that produces their input wherever a graph allows it: both cost nothing of their own then, and
 * normalisation's two parameters a channel are counted. Where it does not (an activation of a sum
 * that is also read without it, as in pre-activation residual networks), they are layers. */
#ifndef CS_SIM_NETWORK_H
#define CS_SIM_NETWORK_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Name, name in files and tables. */
#define CS_OP_MAP(X)                                                                               \
    X(INPUT, "input")       /* an input tensor of the network: no work */                          \
    X(CONV, "conv")         /* with groups; depthwise when groups == channels */                   \
    X(DENSE, "dense")       /* fully connected, on the flattened input */                          \
    X(POOL_MAX, "pool-max") /* windowed pooling */                                                 \
    X(POOL_AVG, "pool-avg")                                                                        \
    X(POOL_GLOBAL, "pool-global")       /* mean over height and width */                           \
    X(ADD, "add")                       /* element-wise, two inputs of one shape */                \
    X(SCALE, "scale")                   /* a tensor and a 1 x 1 x C factor a channel */            \
    X(CONV_TRANSPOSE, "conv-transpose") /* transposed convolution */                               \
    X(MATMUL, "matmul")                 /* of two tensors, for each row of the first alone */      \
    X(MULTIPLY, "multiply")             /* element-wise, two inputs of one shape */                \
    X(CONCAT, "concat")                 /* any number of inputs, along the channels */             \
    X(ACTIVATION, "activation")         /* an activation that is not folded */                     \
    X(BATCH_NORM, "batch-norm")         /* not folded: a factor and a term a channel */            \
    X(LAYER_NORM, "layer-norm")         /* over the channels of each position */                   \
    X(SOFTMAX, "softmax")               /* over the channels of each position */                   \
    X(RESIZE, "resize")                 /* to another height and width */                          \
    X(RESHAPE, "reshape")               /* the same elements in the same order */                  \
    X(TRANSPOSE, "transpose")           /* the axes in another order */                            \
    X(LSTM, "lstm")                     /* a cell over the steps of a sequence */                  \
    X(GRU, "gru")

typedef enum cs_op {
#define X(name, text) CS_OP_##name,
    CS_OP_MAP(X)
#undef X
        CS_OP_COUNT
} cs_op;

#define CS_ACTIVATION_MAP(X)                                                                       \
    X(NONE, "none")                                                                                \
    X(RELU, "relu")                                                                                \
    X(SIGMOID, "sigmoid")                                                                          \
    X(RELU6, "relu6")                                                                              \
    X(LEAKY_RELU, "leaky-relu")                                                                    \
    X(PRELU, "prelu") /* with a learned slope a channel */                                         \
    X(TANH, "tanh")                                                                                \
    X(SWISH, "swish")                                                                              \
    X(HARD_SIGMOID, "hard-sigmoid")                                                                \
    X(HARD_SWISH, "hard-swish")                                                                    \
    X(GELU, "gelu")

typedef enum cs_activation {
#define X(name, text) CS_ACTIVATION_##name,
    CS_ACTIVATION_MAP(X)
#undef X
        CS_ACTIVATION_COUNT
} cs_activation;

typedef enum cs_padding {
    CS_PADDING_SAME,     /* output = ceil(input / stride); TensorFlow's: of an odd total, the
                            larger half comes after the last row and column */
    CS_PADDING_VALID,    /* no padding */
    CS_PADDING_EXPLICIT, /* a number for each side */
    CS_PADDING_CAUSAL,   /* of the size as SAME; along the width all of it comes first, so that no
                            output sees a later input */
} cs_padding;

/* The index of a layer in its network; the first input is layer 0. */
typedef uint32_t cs_layer_id;

/* Limits that keep every count of a schedule within 64 bits; a network over one is refused. */
#define CS_NETWORK_MAX_LAYERS     16384u
#define CS_NETWORK_MAX_EDGES      65536u       /* inputs of all layers */
#define CS_NETWORK_MAX_SIDE       65536u       /* height, width, kernel, stride, padding */
#define CS_NETWORK_MAX_ELEMENTS   (1ull << 31) /* of a tensor, and weights of a layer */
#define CS_NETWORK_MAX_OPERATIONS (1ull << 46) /* of all layers, for all samples of the batch */
#define CS_NETWORK_MAX_BATCH      256u
#define CS_NETWORK_MAX_NAME       255u /* bytes of a layer's name */

typedef struct cs_shape {
    uint32_t height, width, channels;
} cs_shape;

typedef struct cs_layer {
    /* Up to `normalized` what it computes on which shapes: CS_LAYER_KEY_BYTES without padding, so
     * that layers can be compared as bytes. */
    cs_op op;
    cs_shape in;     /* of the first input */
    cs_shape second; /* of the second input; zero without one */
    cs_shape out;    /* of the result */
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t dilation_h, dilation_w;
    uint32_t pad_top, pad_left; /* zeros before the first row and column; the rest follow. A
                                   transposed convolution cuts them off its output instead */
    uint32_t groups;
    uint32_t input_count;
    uint8_t weight_bits, act_bits; /* of weights and of the result: 4, 8 or 16 */
    bool transposed;               /* matmul: the second tensor holds rows of N x K, not K x N */
    bool bias;                     /* one a output channel; of cells, two a gate and unit */
    uint8_t order[3]; /* transpose: axis i of the result is axis order[i] of the input */
    bool normalized;  /* batch normalisation folded in: two parameters a channel */

    cs_activation activation;          /* of the result */
    uint64_t key;                      /* hash of the CS_LAYER_KEY_BYTES */
    float weight_density, act_density; /* share of weights and of results that are not zero */
    uint32_t first_edge;               /* cs_layer_inputs */
    cs_layer_id last_use;              /* the last layer that reads the result; itself if none */
    uint32_t name;                     /* cs_layer_name */
} cs_layer;

typedef struct cs_network {
    cs_layer *layers; /* owned; layers[0] is the first input */
    uint32_t layer_count;
    uint32_t capacity;
    cs_layer_id *edges; /* owned; the inputs of all layers, one layer after another */
    uint32_t edge_count;
    uint32_t edge_capacity;
    char *names; /* owned; zero-terminated one after another, the first of them empty */
    uint32_t name_bytes;
    uint32_t name_capacity;
    uint32_t batch;    /* samples of one inference; all else here is of one sample */
    double operations; /* about, of the layers that were checked; see CS_NETWORK_MAX_OPERATIONS */
} cs_network;

/* How a window slides; what is zero takes the usual value (stride and dilation 1, and the width's
 * as the height's). */
typedef struct cs_window {
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t dilation_h, dilation_w;
    cs_padding padding;
    uint32_t pad_top, pad_left, pad_bottom, pad_right; /* of CS_PADDING_EXPLICIT */
    bool ceil; /* a last window that begins within the input may reach beyond it */
} cs_window;

/* A convolution to append; what is zero takes the usual value (stride 1, one group). */
typedef struct cs_conv {
    uint32_t channels; /* of the output */
    uint32_t kernel_h, kernel_w;
    uint32_t stride, stride_w;     /* stride_w is zero where it is as the height's */
    uint32_t dilation, dilation_w; /* the same */
    uint32_t groups;
    cs_padding padding;
    uint32_t pad_top, pad_left, pad_bottom, pad_right; /* of CS_PADDING_EXPLICIT */
    cs_activation activation;
    bool bias;
    bool normalized;
} cs_conv;

/* A zeroed cs_network is empty; release frees what it holds and leaves it empty. */
void cs_network_release(cs_network *network);

/* Forget all layers, keep the memory, and start with an input tensor and a batch of one. Fails
 * (CS_EINVAL) on a shape with a zero or over a limit, or (CS_ENOMEM), and leaves the network as it
 * was. */
CS_MUST_CHECK cs_status cs_network_start(cs_network *network, cs_shape input, cs_error *err);

/* All that follow append a layer that reads `from`; its id goes to *id. They fail with CS_EINVAL
 * and the layer's number when there is no such `from`, shapes do not fit, a dimension is or becomes
 * zero, or a limit is passed, or with CS_ENOMEM, and leave the network as it was. */

/* A further input tensor. */
CS_MUST_CHECK cs_status cs_network_input(cs_network *network, cs_shape shape, cs_layer_id *id,
                                         cs_error *err);

CS_MUST_CHECK cs_status cs_network_conv(cs_network *network, cs_layer_id from, const cs_conv *conv,
                                        cs_layer_id *id, cs_error *err);

/* Output = input * stride with CS_PADDING_SAME, else (input - 1) * stride + reach of the kernel,
 * less explicit padding. CS_PADDING_CAUSAL and groups are refused. */
CS_MUST_CHECK cs_status cs_network_conv_transpose(cs_network *network, cs_layer_id from,
                                                  const cs_conv *conv, cs_layer_id *id,
                                                  cs_error *err);
CS_MUST_CHECK cs_status cs_network_dense(cs_network *network, cs_layer_id from, uint32_t channels,
                                         bool bias, cs_activation activation, cs_layer_id *id,
                                         cs_error *err);

/* The product a * b for each row (head) of the height: h x M x K with h x K x N gives h x M x N;
 * `transposed`: with h x N x K. */
CS_MUST_CHECK cs_status cs_network_matmul(cs_network *network, cs_layer_id a, cs_layer_id b,
                                          bool transposed, cs_layer_id *id, cs_error *err);

/* `op` is CS_OP_POOL_MAX or CS_OP_POOL_AVG. */
CS_MUST_CHECK cs_status cs_network_pool(cs_network *network, cs_layer_id from, cs_op op,
                                        uint32_t kernel, uint32_t stride, cs_padding padding,
                                        cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_pool_window(cs_network *network, cs_layer_id from, cs_op op,
                                               const cs_window *window, cs_layer_id *id,
                                               cs_error *err);
CS_MUST_CHECK cs_status cs_network_pool_global(cs_network *network, cs_layer_id from,
                                               cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_add(cs_network *network, cs_layer_id a, cs_layer_id b,
                                       cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_multiply(cs_network *network, cs_layer_id a, cs_layer_id b,
                                            cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_scale(cs_network *network, cs_layer_id tensor,
                                         cs_layer_id factors, cs_layer_id *id, cs_error *err);

/* Join `count` tensors of one height and width along the channels. `from` is not the network's own
 * array of inputs, which may move. */
CS_MUST_CHECK cs_status cs_network_concat(cs_network *network, const cs_layer_id *from,
                                          uint32_t count, cs_layer_id *id, cs_error *err);

/* `op` is one that keeps the shape and takes nothing else: CS_OP_BATCH_NORM, CS_OP_LAYER_NORM or
 * CS_OP_SOFTMAX. */
CS_MUST_CHECK cs_status cs_network_map(cs_network *network, cs_layer_id from, cs_op op,
                                       cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_activate(cs_network *network, cs_layer_id from,
                                            cs_activation activation, cs_layer_id *id,
                                            cs_error *err);
CS_MUST_CHECK cs_status cs_network_resize(cs_network *network, cs_layer_id from, uint32_t height,
                                          uint32_t width, cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_reshape(cs_network *network, cs_layer_id from, cs_shape shape,
                                           cs_layer_id *id, cs_error *err);

/* Axis i of the result is axis order[i] of the input; 0 height, 1 width, 2 channels. */
CS_MUST_CHECK cs_status cs_network_transpose(cs_network *network, cs_layer_id from,
                                             const uint32_t order[3], cs_layer_id *id,
                                             cs_error *err);

/* `op` is CS_OP_LSTM (Hochreiter and Schmidhuber 1997, four gates) or CS_OP_GRU (Cho et al. 2014,
 * three): 1 x T x C gives 1 x T x units. */
CS_MUST_CHECK cs_status cs_network_cell(cs_network *network, cs_layer_id from, cs_op op,
                                        uint32_t units, bool bias, cs_layer_id *id, cs_error *err);

/* Append a layer like one that stands in some network: the same operation on the same shapes,
 * without a name; `inputs` are like->input_count of this network's layers. For those who append the
 * same few layers very often: nothing but the shapes is checked again. */
CS_MUST_CHECK cs_status cs_network_like(cs_network *network, const cs_layer *like,
                                        const cs_layer_id *inputs, cs_layer_id *id, cs_error *err);

/* Change what a layer that exists says of itself: a folded activation, bits (4, 8 or 16), density
 * (0 to 1), its name (at most CS_NETWORK_MAX_NAME bytes). They fail with CS_EINVAL, or with
 * CS_ENOMEM, and leave it as it was. The batch is 1 to CS_NETWORK_MAX_BATCH. */
void cs_network_fold_activation(cs_network *network, cs_layer_id id, cs_activation activation);
CS_MUST_CHECK cs_status cs_network_set_bits(cs_network *network, cs_layer_id id,
                                            uint32_t weight_bits, uint32_t act_bits, cs_error *err);
CS_MUST_CHECK cs_status cs_network_set_density(cs_network *network, cs_layer_id id,
                                               double weight_density, double act_density,
                                               cs_error *err);
CS_MUST_CHECK cs_status cs_network_set_name(cs_network *network, cs_layer_id id, const char *name,
                                            cs_error *err);
CS_MUST_CHECK cs_status cs_network_set_batch(cs_network *network, uint32_t batch, cs_error *err);

/* Bytes of a layer that say what it computes on which shapes. */
#define CS_LAYER_KEY_BYTES offsetof(cs_layer, activation)

/* The layers that a layer reads, layer->input_count of them. Valid until the network changes. */
const cs_layer_id *cs_layer_inputs(const cs_network *network, const cs_layer *layer);

/* A layer's name, "" if it has none. Valid until the network changes. */
const char *cs_layer_name(const cs_network *network, const cs_layer *layer);

/* Elements of a tensor. */
uint64_t cs_shape_elements(cs_shape shape);

/* Multiply-accumulates of one sample: convolutions, dense layers, products of tensors, cells and
 * scaling; additions, normalisation, activations and pooling are not counted. Padding counts. */
uint64_t cs_layer_macs(const cs_layer *layer);
uint64_t cs_network_macs(const cs_network *network);

/* Work for the lanes: multiply-accumulates where the layer multiplies, else one operation for each
 * element that it reads in each window and for each pass over its elements. */
uint64_t cs_layer_operations(const cs_layer *layer);

/* Trainable parameters: weights, biases, two for each normalised channel, slopes. */
uint64_t cs_layer_parameters(const cs_layer *layer);
uint64_t cs_network_parameters(const cs_network *network);

/* Weights that a layer multiplies with (no bias, no normalisation): convolutions, dense, cells. */
uint64_t cs_layer_weights(const cs_layer *layer);

/* Input positions or features that one result of a layer with weights or a matmul sums over for
 * each tap of its kernel; 1 for all others. */
uint32_t cs_layer_fan_channels(const cs_layer *layer);

/* Bytes of activations that are alive at once at the worst moment, with the layers run in their
 * order and nothing computed in place: inputs of the network are there from the start, a tensor
 * lives until its last reader has run, and what nothing reads (the network's outputs) until the
 * end. Of all samples of the batch, each tensor rounded up to bytes. */
uint64_t cs_network_peak_activation_bytes(const cs_network *network);

/* Lower-case names: "conv", "pool-global" ...; "relu", "hard-swish" ... */
const char *cs_op_name(cs_op op);
const char *cs_activation_name(cs_activation activation);

#endif
