/* Networks as ONNX models (onnx.ai; IR versions 3 and later, operator sets 7 and later).
 *
 * A model is read for its shapes: layers, sizes, what is folded. Values of weights are skipped, and
 * a model whose weights are elsewhere (external data) reads the same.
 *
 * - Tensors N x C x H x W become H x W x C, N x L x C become 1 x L x C. Reshaping and transposing
 *   costs nothing until an operator needs another order of the elements in memory than there is;
 *   then it is a layer. A dense layer takes any order: its weights are stored in that order.
 * - Axis 0 of the first input is the batch, 1 where the model leaves it open. If an operator mixes
 *   that axis with others (attention over it, a recurrent cell along it), there is no batch, and it
 *   is an axis as any other. All other axes need a size.
 * - Tensors of floating point are taken as 8 bits, as they will be quantised to; integers keep
 * their 4, 8 or 16 bits.
 * - Activations (also those that are exported as several nodes: swish, hard-swish, hard-sigmoid,
 *   gelu) and batch normalisation are folded into the layer before them where it has no other
 *   reader. Arithmetic with one constant goes into the scale of the quantised result and costs
 *   nothing. A constant a channel is a bias or batch normalisation; a larger one is a further input
 *   of the network, which a parameter count does not hold.
 * - Q/DQ pairs, Identity, Dropout and Cast vanish; Pad becomes the padding of what reads it.
 * - LRN costs as a layer normalisation without parameters. DepthToSpace costs as a reshape. The
 * last state of a recurrent cell is cut out of its sequence by a 1 x 1 pooling.
 * - A further input of the graph that is only ever read as weights is weights without values.
 *
 * Layers are named as the nodes that they come from, cut at CS_NETWORK_MAX_NAME bytes. */
#ifndef CS_SIM_ONNX_H
#define CS_SIM_ONNX_H

#include "sim/network/network.h"

#define CS_ONNX_MAX_BYTES ((size_t)512 << 20) /* of a model */

/* Read a model of `size` bytes; `name` (of the file) begins the text of errors. It takes memory for
 * what is not bulk data, at most some hundred megabytes for a hostile model, some hundred kilobytes
 * for a usual one whatever its weights are, and time linear in the model. Fails, naming the node,
 * and leaves the network as it was: CS_EINVAL for what is malformed (also cycles, tensors that
 * nothing or two nodes make, shapes that do not fit) or is not supported, CS_ELIMIT, CS_ENOMEM. */
CS_MUST_CHECK cs_status cs_onnx_read(const void *bytes, size_t size, const char *name,
                                     cs_network *network, cs_error *err);

#endif
