/* The network: a graph of layers, each a value, in an order in which producers come first.
 *
 * A network is built by appending layers; shapes are inferred and checked at once, so a network
 * that exists is consistent. Clearing keeps the memory, so one cs_network a worker decodes any
 * number of candidates without allocating.
 *
 * Tensors are height x width x channels, int8 unless a layer says otherwise; a vector is 1 x 1 x C.
 * Normalisation is folded into the convolution before it, activation functions into the layer that
 * produces their input: both cost nothing of their own here, and normalisation's two parameters a
 * channel are counted. */
#ifndef CS_SIM_NETWORK_H
#define CS_SIM_NETWORK_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum cs_op {
    CS_OP_INPUT,    /* the network's input tensor: no work */
    CS_OP_CONV,     /* convolution with groups; depthwise when groups == channels */
    CS_OP_DENSE,    /* fully connected, on the flattened input */
    CS_OP_POOL_MAX, /* windowed pooling */
    CS_OP_POOL_AVG,
    CS_OP_POOL_GLOBAL, /* mean over height and width */
    CS_OP_ADD,         /* element-wise, two inputs of one shape */
    CS_OP_SCALE,       /* inputs: a tensor and a 1 x 1 x C factor a channel (squeeze-excite) */
    CS_OP_COUNT
} cs_op;

typedef enum cs_activation {
    CS_ACTIVATION_NONE,
    CS_ACTIVATION_RELU,
    CS_ACTIVATION_SIGMOID,
} cs_activation;

typedef enum cs_padding {
    CS_PADDING_SAME,  /* output = ceil(input / stride) */
    CS_PADDING_VALID, /* no padding */
} cs_padding;

/* The index of a layer in its network; the input is layer 0. */
typedef uint32_t cs_layer_id;

#define CS_LAYER_MAX_INPUTS 2

/* Limits that keep every count of a schedule within 64 bits; a network over one is refused. */
#define CS_NETWORK_MAX_LAYERS     16384u
#define CS_NETWORK_MAX_SIDE       65536u       /* height, width, kernel and stride */
#define CS_NETWORK_MAX_ELEMENTS   (1ull << 31) /* of a tensor, and weights of a layer */
#define CS_NETWORK_MAX_OPERATIONS (1ull << 46) /* of a layer */

typedef struct cs_shape {
    uint32_t height, width, channels;
} cs_shape;

typedef struct cs_layer {
    cs_op op;
    cs_activation activation;
    cs_shape in;  /* of the first input */
    cs_shape out; /* of the result */
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t pad_top, pad_left; /* zeros before the first row and column; the rest follow */
    uint32_t groups;
    bool bias;                     /* one a output channel */
    bool normalized;               /* batch normalisation folded in: two parameters a channel */
    uint8_t weight_bits, act_bits; /* 8 for now */
    uint32_t input_count;
    cs_layer_id inputs[CS_LAYER_MAX_INPUTS];
} cs_layer;

typedef struct cs_network {
    cs_layer *layers; /* owned; layers[0] is the input */
    uint32_t layer_count;
    uint32_t capacity;
} cs_network;

/* A convolution to append; what is zero takes the usual value (stride 1, one group). */
typedef struct cs_conv {
    uint32_t channels; /* of the output */
    uint32_t kernel_h, kernel_w;
    uint32_t stride;
    uint32_t groups;
    cs_padding padding;
    cs_activation activation;
    bool bias;
    bool normalized;
} cs_conv;

/* A zeroed cs_network is empty; release frees what it holds and leaves it empty. */
void cs_network_release(cs_network *network);

/* Forget all layers, keep the memory, and start with an input tensor. Fails (CS_EINVAL) on a shape
 * with a zero or over a limit, or (CS_ENOMEM), and leaves the network as it was. */
CS_MUST_CHECK cs_status cs_network_start(cs_network *network, cs_shape input, cs_error *err);

/* Append a layer that reads `from`; its id goes to *id. They fail with CS_EINVAL and the layer's
 * number when there is no such `from`, shapes do not fit, a dimension is or becomes zero, or a
 * limit is passed, or with CS_ENOMEM, and leave the network as it was. Padding is TensorFlow's: of
 * an odd total, the larger half comes after the last row and column. */
CS_MUST_CHECK cs_status cs_network_conv(cs_network *network, cs_layer_id from, const cs_conv *conv,
                                        cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_dense(cs_network *network, cs_layer_id from, uint32_t channels,
                                         bool bias, cs_activation activation, cs_layer_id *id,
                                         cs_error *err);
CS_MUST_CHECK cs_status cs_network_pool(cs_network *network, cs_layer_id from, cs_op op,
                                        uint32_t kernel, uint32_t stride, cs_padding padding,
                                        cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_pool_global(cs_network *network, cs_layer_id from,
                                               cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_add(cs_network *network, cs_layer_id a, cs_layer_id b,
                                       cs_layer_id *id, cs_error *err);
CS_MUST_CHECK cs_status cs_network_scale(cs_network *network, cs_layer_id tensor,
                                         cs_layer_id factors, cs_layer_id *id, cs_error *err);

/* Elements of a tensor. */
uint64_t cs_shape_elements(cs_shape shape);

/* Multiply-accumulates of one inference: convolutions, dense layers and channel scaling; additions
 * and pooling are not counted. */
uint64_t cs_layer_macs(const cs_layer *layer);
uint64_t cs_network_macs(const cs_network *network);

/* Work for the lanes: multiply-accumulates where the layer multiplies, else one operation for each
 * element that it reads in each window. */
uint64_t cs_layer_operations(const cs_layer *layer);

/* Trainable parameters: weights, biases, and two for each normalised channel. */
uint64_t cs_layer_parameters(const cs_layer *layer);
uint64_t cs_network_parameters(const cs_network *network);

/* Weights that a layer multiplies with (no bias, no normalisation): conv, dense. */
uint64_t cs_layer_weights(const cs_layer *layer);

/* Lower-case name of an operation: "conv", "dense", "pool-global" ... */
const char *cs_op_name(cs_op op);

#endif
