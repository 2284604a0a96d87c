/* Inputs and attributes of the node being read. */
#include "sim/onnx/operators.h"

#include <math.h>
#include <string.h>

onnx_value *onnx_operand(const onnx_import *m, size_t i)
{
    uint32_t index = onnx_input(m->graph, m->node, i);
    return index == ONNX_NONE ? NULL : &m->graph->values[index];
}

bool onnx_is_tensor(const onnx_value *value)
{
    return value && value->kind == ONNX_TENSOR;
}

bool onnx_is_constant(const onnx_value *value)
{
    return value && value->kind == ONNX_CONSTANT;
}

bool onnx_is_op(const onnx_import *m, const char *op)
{
    return strcmp(m->node->proto->op_type, op) == 0;
}

cs_status onnx_read_int(onnx_import *m, const char *name, int64_t usual, int64_t *value)
{
    const Onnx__AttributeProto *a = onnx_attribute(m->node, name);
    *value = a ? a->i : usual;
    return a && !a->has_i ? onnx_fail(m, "attribute %s is no integer", name) : CS_OK;
}

bool onnx_says(const onnx_import *m, const char *name, const char *text, bool usual)
{
    const Onnx__AttributeProto *a = onnx_attribute(m->node, name);
    if (!a) {
        return usual;
    }
    size_t size = strlen(text);
    return a->has_s && a->s.len == size && memcmp(a->s.data, text, size) == 0;
}

cs_status onnx_read_axis(onnx_import *m, const onnx_value *x, double number, uint8_t *axis)
{
    double at = number < 0 ? number + x->rank : number;
    *axis = 0;
    if (!(at >= 0 && at < x->rank) || at != floor(at)) {
        return onnx_fail(m, "a tensor of %u axes has no axis %g", x->rank, number);
    }
    *axis = (uint8_t)at;
    return CS_OK;
}

cs_status onnx_set_weight_bits(onnx_import *m, cs_layer_id id, const onnx_value *weights)
{
    if (weights->bits == 0) {
        return onnx_fail(m, "its weights are not numbers");
    }
    return onnx_pass(m, cs_network_set_bits(m->network, id, weights->bits,
                                            m->network->layers[id].act_bits, m->err));
}
