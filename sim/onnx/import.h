/* Reading a graph into a network: what the operators (operators.c) and the orders of elements
 * (layout.c) share. */
#ifndef CS_SIM_ONNX_IMPORT_H
#define CS_SIM_ONNX_IMPORT_H

#include "sim/network/network.h"
#include "sim/onnx/graph.h"

typedef struct onnx_import {
    onnx_graph *graph;
    cs_network *network;
    const onnx_node *node; /* being read; NULL for the inputs of the graph */
    int64_t batch;         /* samples; 1 if axis 0 is none */
    bool batch_is_mixed;   /* why reading failed: the batch would have to be an axis as any other */
    cs_error *err;         /* not NULL */
} onnx_import;

/* Read all nodes. The values that are inputs of the graph are tensors already. */
CS_MUST_CHECK cs_status onnx_read_nodes(onnx_import *m);

/* Which inputs of an operator hold weights: bit i for input i. 0 for an unknown operator. */
uint32_t onnx_weight_inputs(const char *op);

/* The shape that a Reshape, Flatten, Squeeze or Unsqueeze gives its first input. */
CS_MUST_CHECK cs_status onnx_new_shape(onnx_import *m, const onnx_value *x, int64_t *dims,
                                       uint8_t *rank);

/* ---- constant.c ---- */

/* The operator is known on constants. */
bool onnx_folds(const char *op);

/* Make the result of the node, all of whose inputs are constants. Division is exact. */
CS_MUST_CHECK cs_status onnx_fold(onnx_import *m, onnx_value *result);

/* ---- layout.c ---- */

/* CS_EINVAL with the node's name. */
cs_status onnx_fail(onnx_import *m, const char *format, ...) CS_PRINTF(2, 3);

/* onnx_fail, because of the batch. */
cs_status onnx_fail_batch(onnx_import *m);

/* `status` of a cs_network function, with the node's name before its text. */
cs_status onnx_pass(onnx_import *m, cs_status status);

/* A tensor of the elements of a layer: `rank` and `dims`, the batch axis (or -1), all other axes of
 * more than one element in their own order. */
void onnx_set_tensor(onnx_value *value, cs_layer_id layer, const int64_t *dims, uint8_t rank,
                     int batch);

/* Make `to` the same tensor as `from`, which costs nothing. */
void onnx_set_alias(onnx_value *to, const onnx_value *from);

/* Give the axes of a tensor that was just set another order: `axes`, outermost first. Those of one
 * element and the batch are left out. */
void onnx_set_order(onnx_value *value, const uint8_t *axes, uint8_t count);

/* Have the elements in memory as height x width x channels, each the product of some axes: `axes`
 * holds first those of the height, then those of the width, then those of the channels. Appends
 * layers where it has to, and keeps what it did in the value. All axes of more than one element but
 * the batch have to be there. */
CS_MUST_CHECK cs_status onnx_arrange(onnx_import *m, onnx_value *value, const uint8_t *axes,
                                     uint8_t height_axes, uint8_t width_axes, uint8_t channel_axes);

/* onnx_arrange with one axis as the channels, or, in their order, the last as the channels. */
CS_MUST_CHECK cs_status onnx_arrange_last(onnx_import *m, onnx_value *value, uint8_t axis);

/* Have `value`, of the same dims as `model`, in the order and shape of `model`. */
CS_MUST_CHECK cs_status onnx_arrange_as(onnx_import *m, onnx_value *value, const onnx_value *model);

/* Make `to` the tensor `from` with other dims and the same number of elements. */
CS_MUST_CHECK cs_status onnx_reshape(onnx_import *m, onnx_value *from, onnx_value *to,
                                     const int64_t *dims, uint8_t rank);

/* Make `to` the tensor `from` with axis i being axis perm[i] of `from`. */
void onnx_permute(const onnx_value *from, onnx_value *to, const uint8_t *perm);

#endif
