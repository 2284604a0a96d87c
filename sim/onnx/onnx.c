/* Networks as ONNX models: see onnx.h. */
#include "sim/onnx/onnx.h"

#include "base/message.h"
#include "sim/onnx/import.h"

#include <stdlib.h>
#include <string.h>

/* A field of more bytes than this is weights. */
#define LONGEST_KEPT 4096u

/* The largest models known have some ten thousand nodes of some twenty fields. In memory a message
 * is up to a hundred times as large as on the wire. */
static const cs_message_limits limits = {
    .max_bytes = CS_ONNX_MAX_BYTES,
    .max_depth = 32,
    .max_elements = 2000000,
    .max_memory = (size_t)128 << 20,
};

/* How the nodes read a value. */
enum {
    READ_AS_DATA = 1,
    READ_AS_MAP = 2,       /* by an operator over N x C x H x W */
    READ_TO_TRANSPOSE = 4, /* by a Transpose */
};

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static size_t rank_of(const onnx_value *value)
{
    bool known = value->type && value->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
                 value->type->tensor_type->shape;
    return known ? value->type->tensor_type->shape->n_dim : 0;
}

static void note_reads(const onnx_graph *graph, uint8_t *reads)
{
    static const char *const maps[] = {
        "Conv",        "ConvTranspose",     "MaxPool",       "AveragePool",
        "QLinearConv", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization",
    };
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const onnx_node *node = &graph->nodes[i];
        if (node->live && node->role != ONNX_PLAIN) {
            reads[node->source] |= READ_AS_DATA;
        }
        uint32_t weights = onnx_weight_inputs(node->proto->op_type);
        for (size_t k = 0; k < node->proto->n_input && node->live && node->role == ONNX_PLAIN;
             k++) {
            uint32_t value = onnx_input(graph, node, k);
            if (value == ONNX_NONE) {
                continue;
            }
            bool product = strcmp(node->proto->op_type, "MatMul") == 0;
            if (k >= 32 || !(weights >> k & 1) || (product && rank_of(&graph->values[value]) > 2)) {
                reads[value] |= READ_AS_DATA;
            }
            if (k == 0 && is_one_of(node->proto->op_type, maps, sizeof maps / sizeof *maps)) {
                reads[value] |= READ_AS_MAP;
            }
            if (strcmp(node->proto->op_type, "Transpose") == 0) {
                reads[value] |= READ_TO_TRANSPOSE;
            }
        }
    }
}

/* Shape of an input. Axis 0 of the first is the batch, and may be open. */
static cs_status read_shape(onnx_import *m, const onnx_value *value, bool first, bool with_batch,
                            int64_t *dims)
{
    size_t rank = rank_of(value);
    if (rank == 0 || rank > ONNX_MAX_RANK) {
        return onnx_refuse_value(m->graph, value->name, m->err, "needs a shape of 1 to %u axes",
                                 ONNX_MAX_RANK);
    }
    const Onnx__TensorShapeProto *shape = value->type->tensor_type->shape;
    for (size_t i = 0; i < rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                     dim->dim_value != -1;
        dims[i] = known ? dim->dim_value : i == 0 && first ? 1 : i == 0 ? m->batch : 0;
        if (!known && dims[i] == 0) {
            return onnx_refuse_value(m->graph, value->name, m->err, "axis %zu has no size", i);
        }
    }
    if (onnx_elements(dims, rank) == 0) {
        return onnx_refuse_value(m->graph, value->name, m->err,
                                 "its shape is zero, negative or too large");
    }
    if (first) {
        m->batch = with_batch && rank > 1 ? dims[0] : 1;
    }
    return CS_OK;
}

/* Append an input of the network; it is laid out as its first reader wants it. */
static cs_status append_input(onnx_import *m, onnx_value *value, const int64_t *dims, uint8_t reads)
{
    uint8_t rank = (uint8_t)rank_of(value), bits = 8;
    int batch = m->batch > 1 && rank > 1 && dims[0] == m->batch ? 0 : -1;
    onnx_set_tensor(value, 0, dims, rank, batch);
    bool is_map =
        !(reads & READ_TO_TRANSPOSE) && (rank == 4 || (rank == 3 && (reads & READ_AS_MAP)));
    if (is_map) {
        onnx_set_order(
            value, rank == 4 ? (const uint8_t[]){0, 2, 3, 1} : (const uint8_t[]){0, 2, 1}, rank);
    }
    uint64_t sides[3] = {1, 1, 1};
    for (uint8_t i = 0; i < rank; i++) {
        /* Of N x C x H x W the axes after C come first; more than three axes share the height. */
        int side = 3 - (rank - i);
        side = is_map && i == 1 ? 2 : is_map && i > 1 ? side - 1 : side;
        sides[side < 0 ? 0 : side] *= i == batch ? 1 : (uint64_t)dims[i];
    }
    if (rank == 3 && sides[1] == 1) {
        sides[1] = sides[0]; /* steps, one sample, features */
        sides[0] = 1;
    }
    for (int i = 0; i < 3; i++) {
        sides[i] = sides[i] > UINT32_MAX ? UINT32_MAX : sides[i];
    }
    const cs_shape shape = {(uint32_t)sides[0], (uint32_t)sides[1], (uint32_t)sides[2]};
    cs_status status;
    if (m->network->layer_count == 0) {
        status = cs_network_start(m->network, shape, m->err);
        if (!status && m->batch > 1) {
            /* What is too large for a batch may be a sequence. */
            m->batch_is_mixed = true;
            uint32_t samples = m->batch > UINT32_MAX ? UINT32_MAX : (uint32_t)m->batch;
            status = cs_network_set_batch(m->network, samples, m->err);
            m->batch_is_mixed = status != CS_OK;
        }
    } else {
        status = cs_network_input(m->network, shape, &value->layer, m->err);
    }
    if (status) {
        return onnx_pass(m, status);
    }
    bits = onnx_type_bits(value->type->tensor_type->elem_type);
    if (bits == 0) {
        return onnx_refuse_value(m->graph, value->name, m->err, "is not of numbers");
    }
    status = cs_network_set_bits(m->network, value->layer, 8, bits, m->err);
    if (!status) {
        char name[CS_NETWORK_MAX_NAME + 1];
        onnx_copy_name(name, sizeof name, value->name);
        status = cs_network_set_name(m->network, value->layer, name, m->err);
    }
    return status;
}

static cs_status read_inputs(onnx_import *m, bool with_batch)
{
    onnx_graph *graph = m->graph;
    uint8_t *reads = calloc(graph->value_count + (size_t)1, sizeof *reads);
    if (!reads) {
        return cs_fail_memory(m->err);
    }
    note_reads(graph, reads);
    cs_status status = CS_OK;
    for (size_t i = 0; i < graph->proto->n_input && !status; i++) {
        uint32_t index = (uint32_t)(graph->proto->n_initializer + i);
        onnx_value *value = &graph->values[index];
        if (!value->is_input || value->readers == 0) {
            continue;
        }
        bool first = m->network->layer_count == 0;
        int64_t dims[ONNX_MAX_RANK] = {0};
        status = read_shape(m, value, first, with_batch, dims);
        if (status) {
            break;
        }
        if (first || (reads[index] & READ_AS_DATA) || value->is_output) {
            status = append_input(m, value, dims, reads[index]);
            continue;
        }
        value->kind = ONNX_CONSTANT;
        value->rank = (uint8_t)rank_of(value);
        value->bits = onnx_type_bits(value->type->tensor_type->elem_type);
        memcpy(value->dims, dims, sizeof dims);
    }
    free(reads);
    if (!status && m->network->layer_count == 0) {
        status = cs_fail(m->err, CS_EINVAL, "%s: no operator reads an input", graph->model);
    }
    return status;
}

static cs_status check_outputs(onnx_import *m)
{
    const onnx_graph *graph = m->graph;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const onnx_value *value = &graph->values[i];
        if (value->is_output && (value->kind == ONNX_UNKNOWN || value->padded)) {
            return onnx_refuse_value(m->graph, value->name, m->err, "no layer makes it");
        }
    }
    if (m->network->layer_count < 2) {
        return cs_fail(m->err, CS_EINVAL, "%s: has no operator that does any work", graph->model);
    }
    return CS_OK;
}

/* Read the model into an empty network. *mixed: it has a batch, which is the reason of failure. */
static cs_status read_model(const Onnx__ModelProto *model, const char *name, bool with_batch,
                            cs_network *network, bool *mixed, cs_error *err)
{
    onnx_graph graph = {0};
    onnx_import m = {.graph = &graph, .network = network, .batch = 1, .err = err};
    cs_status status = onnx_graph_build(&graph, model, name, err);
    if (!status) {
        onnx_graph_match(&graph);
        status = read_inputs(&m, with_batch);
    }
    if (!status) {
        status = onnx_read_nodes(&m);
    }
    if (!status) {
        status = check_outputs(&m);
    }
    onnx_graph_release(&graph);
    *mixed = m.batch_is_mixed;
    return status;
}

cs_status cs_onnx_read(const void *bytes, size_t size, const char *name, cs_network *network,
                       cs_error *err)
{
    const ProtobufCMessageDescriptor *descriptor = &onnx__model_proto__descriptor;
    cs_error reason = {0}, second = {0};
    cs_buffer thin = {0};
    cs_network made = {0};
    cs_status status =
        cs_message_thin(&limits, descriptor, bytes, size, LONGEST_KEPT, &thin, &reason);
    ProtobufCMessage *message = NULL;
    if (!status) {
        message = cs_message_unpack(&limits, descriptor, thin.data, thin.size, &reason);
        status = message ? CS_OK : reason.status;
    }
    cs_buffer_release(&thin);
    if (status) {
        return cs_fail(err, status, "%s: %s", name, reason.text);
    }
    const Onnx__ModelProto *model = (const Onnx__ModelProto *)message;
    bool mixed = false;
    status = read_model(model, name, true, &made, &mixed, &reason);
    if (status && mixed) {
        cs_network_release(&made);
        if (read_model(model, name, false, &made, &mixed, &second) == CS_OK) {
            status = CS_OK;
        }
    }
    cs_message_free(message);
    if (status) {
        cs_network_release(&made);
        return cs_fail(err, status, "%s", reason.text);
    }
    cs_network_release(network);
    *network = made;
    return CS_OK;
}
