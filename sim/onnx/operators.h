/* The operators, a function each, and what they ask of the node that is read. */
#ifndef CS_SIM_ONNX_OPERATORS_H
#define CS_SIM_ONNX_OPERATORS_H

#include "sim/onnx/import.h"

/* ---- operand.c ---- */

/* An input of the node, NULL where it is left out. */
onnx_value *onnx_operand(const onnx_import *m, size_t i);

/* Both are false for NULL. */
bool onnx_is_tensor(const onnx_value *value);
bool onnx_is_constant(const onnx_value *value);

bool onnx_is_op(const onnx_import *m, const char *op);

/* An attribute that is an integer; `usual` if it is not given. */
CS_MUST_CHECK cs_status onnx_read_int(onnx_import *m, const char *name, int64_t usual,
                                      int64_t *value);

/* Is the attribute the text? `usual` if it is not given. */
bool onnx_says(const onnx_import *m, const char *name, const char *text, bool usual);

/* An axis of x; a negative number counts from the end. */
CS_MUST_CHECK cs_status onnx_read_axis(onnx_import *m, const onnx_value *x, double number,
                                       uint8_t *axis);

/* Give a layer the width of its weights. */
CS_MUST_CHECK cs_status onnx_set_weight_bits(onnx_import *m, cs_layer_id id,
                                             const onnx_value *weights);

/* ---- element.c ---- */

/* y is the activation of x, folded into the layer that makes x where that has no other reader. */
CS_MUST_CHECK cs_status onnx_activate(onnx_import *m, onnx_value *x, cs_activation activation,
                                      onnx_value *y);

/* Append `op`, which normalises each position over an axis; `affine`: with a factor and a term. */
CS_MUST_CHECK cs_status onnx_map_axis(onnx_import *m, onnx_value *x, double axis_number, cs_op op,
                                      bool affine, onnx_value *y);

/* ---- operators ---- */

/* Read the node: x is its first input, y its first result (NULL only where others may be read). */
typedef cs_status onnx_operator(onnx_import *m, onnx_value *x, onnx_value *y);

/* element.c */
onnx_operator onnx_read_activation;
onnx_operator onnx_read_clip;
onnx_operator onnx_read_prelu;
onnx_operator onnx_read_batch_norm;
onnx_operator onnx_read_layer_norm;
onnx_operator onnx_read_lrn;
onnx_operator onnx_read_softmax;
onnx_operator onnx_read_arithmetic;
onnx_operator onnx_read_sum;

/* product.c */
onnx_operator onnx_read_gemm;
onnx_operator onnx_read_matmul;
onnx_operator onnx_read_qlinear_matmul;
onnx_operator onnx_read_cell;

/* shape.c */
onnx_operator onnx_read_concat;
onnx_operator onnx_read_reshape;
onnx_operator onnx_read_transpose;
onnx_operator onnx_read_identity;
onnx_operator onnx_read_quantize;
onnx_operator onnx_read_shape;
onnx_operator onnx_read_reduce_mean;
onnx_operator onnx_read_global_average;

/* window.c */
onnx_operator onnx_read_conv;
onnx_operator onnx_read_qlinear_conv;
onnx_operator onnx_read_conv_transpose;
onnx_operator onnx_read_pool;
onnx_operator onnx_read_global_max;
onnx_operator onnx_read_pad;
onnx_operator onnx_read_resize;
onnx_operator onnx_read_depth_to_space;

#endif
