/* The operators, each a row of a table: shapes in ONNX's terms, layers in the network's. What an
 * operator means is in its specification (onnx.ai, Operators); where versions differ, operator set
 * 7 and later hold. */
#include "sim/onnx/operators.h"

#include <string.h>

typedef struct operator_row {
    const char *op;
    onnx_operator *run;
    const char *attributes; /* those that are understood, or change no shape and no cost */
    uint32_t weights;       /* inputs that hold weights, a bit each */
    uint8_t least, most;    /* inputs; 255: any number */
    bool takes_padding;
    bool many_results; /* others than the first may be read */
} operator_row;

#define ANY    255
#define WINDOW "auto_pad dilations group kernel_shape pads strides "

static const operator_row operators[] = {
    {"Add", onnx_read_arithmetic, "", 0, 2, 2, false, false},
    {"AveragePool", onnx_read_pool, WINDOW "ceil_mode count_include_pad ", 0, 1, 1, true, false},
    {"BatchNormalization", onnx_read_batch_norm, "epsilon momentum spatial training_mode ", 0x1e, 5,
     5, false, false},
    {"Cast", onnx_read_identity, "to saturate ", 0, 1, 1, true, false},
    {"Clip", onnx_read_clip, "min max ", 0, 1, 3, false, false},
    {"Concat", onnx_read_concat, "axis ", 0, 1, ANY, false, false},
    {"Conv", onnx_read_conv, WINDOW, 0x6, 2, 3, true, false},
    {"ConvTranspose", onnx_read_conv_transpose, WINDOW "output_padding output_shape ", 0x6, 2, 3,
     false, false},
    {"DepthToSpace", onnx_read_depth_to_space, "blocksize mode ", 0, 1, 1, false, false},
    {"DequantizeLinear", onnx_read_identity, "axis block_size ", 0x6, 2, 3, true, false},
    {"Div", onnx_read_arithmetic, "", 0, 2, 2, false, false},
    {"Dropout", onnx_read_identity, "ratio seed ", 0, 1, 3, true, false},
    {"Flatten", onnx_read_reshape, "axis ", 0, 1, 1, false, false},
    {"GRU", onnx_read_cell,
     "activation_alpha activation_beta activations clip direction hidden_size layout "
     "linear_before_reset ",
     0xe, 3, 6, false, true},
    {"Gelu", onnx_read_activation, "approximate ", 0, 1, 1, false, false},
    {"Gemm", onnx_read_gemm, "alpha beta transA transB ", 0x6, 2, 3, false, false},
    {"GlobalAveragePool", onnx_read_global_average, "", 0, 1, 1, false, false},
    {"GlobalMaxPool", onnx_read_global_max, "", 0, 1, 1, false, false},
    {"HardSigmoid", onnx_read_activation, "alpha beta ", 0, 1, 1, false, false},
    {"HardSwish", onnx_read_activation, "", 0, 1, 1, false, false},
    {"Identity", onnx_read_identity, "", 0, 1, 1, true, false},
    {"LRN", onnx_read_lrn, "alpha beta bias size ", 0, 1, 1, false, false},
    {"LSTM", onnx_read_cell,
     "activation_alpha activation_beta activations clip direction hidden_size input_forget layout ",
     0xe, 3, 8, false, true},
    {"LayerNormalization", onnx_read_layer_norm, "axis epsilon stash_type ", 0x6, 2, 3, false,
     false},
    {"LeakyRelu", onnx_read_activation, "alpha ", 0, 1, 1, false, false},
    {"MatMul", onnx_read_matmul, "", 0x2, 2, 2, false, false},
    {"MaxPool", onnx_read_pool, WINDOW "ceil_mode storage_order ", 0, 1, 1, true, false},
    {"Mul", onnx_read_arithmetic, "", 0, 2, 2, false, false},
    {"PRelu", onnx_read_prelu, "", 0x2, 2, 2, false, false},
    {"Pad", onnx_read_pad, "mode pads value ", 0, 1, 4, false, false},
    {"QLinearConv", onnx_read_qlinear_conv, WINDOW, 0x1fe, 8, 9, true, false},
    {"QLinearMatMul", onnx_read_qlinear_matmul, "", 0xf6, 8, 8, false, false},
    {"QuantizeLinear", onnx_read_quantize, "axis block_size output_dtype saturate ", 0x6, 2, 3,
     true, false},
    {"ReduceMean", onnx_read_reduce_mean, "axes keepdims noop_with_empty_axes ", 0, 1, 2, false,
     false},
    {"Relu", onnx_read_activation, "", 0, 1, 1, false, false},
    {"Reshape", onnx_read_reshape, "allowzero ", 0, 2, 2, false, false},
    {"Resize", onnx_read_resize,
     "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside "
     "extrapolation_value keep_aspect_ratio_policy mode nearest_mode ",
     0, 1, 4, false, false},
    {"Shape", onnx_read_shape, "end start ", 0, 1, 1, true, false},
    {"Sigmoid", onnx_read_activation, "", 0, 1, 1, false, false},
    {"Softmax", onnx_read_softmax, "axis ", 0, 1, 1, false, false},
    {"SpaceToDepth", onnx_read_depth_to_space, "blocksize ", 0, 1, 1, false, false},
    {"Squeeze", onnx_read_reshape, "axes ", 0, 1, 2, false, false},
    {"Sub", onnx_read_arithmetic, "", 0, 2, 2, false, false},
    {"Sum", onnx_read_sum, "", 0, 1, ANY, false, false},
    {"Swish", onnx_read_activation, "alpha ", 0, 1, 1, false, false},
    {"Tanh", onnx_read_activation, "", 0, 1, 1, false, false},
    {"Transpose", onnx_read_transpose, "perm ", 0, 1, 1, false, false},
    {"Unsqueeze", onnx_read_reshape, "axes ", 0, 1, 2, false, false},
    {"Upsample", onnx_read_resize, "mode scales ", 0, 1, 2, false, false},
};

static const operator_row *find_operator(const char *op)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strcmp(op, operators[i].op) == 0) {
            return &operators[i];
        }
    }
    return NULL;
}

uint32_t onnx_weight_inputs(const char *op)
{
    const operator_row *row = find_operator(op);
    return row ? row->weights : 0;
}

/* ---- nodes ---- */

static bool is_listed(const char *name, const char *list)
{
    size_t size = strlen(name);
    for (const char *at = list; *at; at = strchr(at, ' ') + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == ' ') {
            return true;
        }
    }
    return false;
}

/* Every attribute is one that the operator has here, once, and no graph. */
static cs_status check_attributes(onnx_import *m, const char *list)
{
    const Onnx__NodeProto *proto = m->node->proto;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const Onnx__AttributeProto *a = proto->attribute[i];
        char name[64];
        onnx_copy_name(name, sizeof name, a->name);
        if (a->g || a->n_graphs > 0) {
            return onnx_fail(m, "attribute %s: nested graphs are not supported", name);
        }
        if (!a->name || !is_listed(name, list)) {
            return onnx_fail(m, "attribute %s is not supported", name);
        }
        /* With each name known and once, there are no more than the list has. */
        if (onnx_attribute(m->node, a->name) != a) {
            return onnx_fail(m, "attribute %s stands twice", name);
        }
    }
    return CS_OK;
}

static cs_status check_node(onnx_import *m, const operator_row *row)
{
    const Onnx__NodeProto *proto = m->node->proto;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        if (proto->attribute[i]->g || proto->attribute[i]->n_graphs > 0) {
            return onnx_fail(m, "nested graphs are not supported");
        }
    }
    if (!row) {
        char op[64];
        onnx_copy_name(op, sizeof op, proto->op_type);
        return onnx_fail(m, "operator %s is not supported%s", op,
                         onnx_folds(op) ? " except on constants and shapes" : "");
    }
    if (proto->n_input < row->least || (row->most != ANY && proto->n_input > row->most)) {
        return onnx_fail(m, "has %zu inputs; it takes %u to %u", proto->n_input, row->least,
                         row->most);
    }
    for (size_t i = 1; i < proto->n_output && !row->many_results; i++) {
        uint32_t value = onnx_output(m->graph, m->node, i);
        if (value != ONNX_NONE && m->graph->values[value].readers > 0) {
            return onnx_fail(m, "only its first result may be read");
        }
    }
    return check_attributes(m, row->attributes);
}

/* Layers that a node appended bear its name, or that of its result. */
static cs_status name_layers(onnx_import *m, uint32_t from)
{
    const Onnx__NodeProto *proto = m->node->proto;
    const char *own = proto->name && proto->name[0] ? proto->name : proto->output[0];
    char name[CS_NETWORK_MAX_NAME + 1];
    onnx_copy_name(name, sizeof name, own);
    for (uint32_t id = from; id < m->network->layer_count; id++) {
        cs_status status = cs_network_set_name(m->network, id, name, m->err);
        if (status) {
            return onnx_pass(m, status);
        }
    }
    return CS_OK;
}

static cs_status read_inputs_of(onnx_import *m, const operator_row *row, bool *constant)
{
    *constant = true;
    for (size_t i = 0; i < m->node->proto->n_input; i++) {
        const onnx_value *value = onnx_operand(m, i);
        if (!value) {
            if (row && i < row->least) {
                return onnx_fail(m, "input %zu is left out", i);
            }
            continue;
        }
        if (value->kind == ONNX_UNKNOWN) {
            return onnx_fail(m, "input %zu is a result that is not supported", i);
        }
        *constant = *constant && value->kind == ONNX_CONSTANT;
        if (value->padded && row && !row->takes_padding) {
            return onnx_fail(m, "reads a padded tensor, which only convolutions and pooling can");
        }
    }
    return CS_OK;
}

static cs_status read_node(onnx_import *m)
{
    onnx_graph *graph = m->graph;
    uint32_t first = onnx_output(graph, m->node, 0);
    onnx_value *y = first == ONNX_NONE ? NULL : &graph->values[first];
    if (m->node->role == ONNX_ACTIVATE || m->node->role == ONNX_LAYER_NORM) {
        onnx_value *x = &graph->values[m->node->source];
        if (!onnx_is_tensor(x) || x->padded) {
            return onnx_fail(m, "reads no tensor that the network computes as it is");
        }
        return m->node->role == ONNX_ACTIVATE
                   ? onnx_activate(m, x, m->node->activation, y)
                   : onnx_map_axis(m, x, (double)m->node->axis, CS_OP_LAYER_NORM, true, y);
    }
    if (!onnx_is_standard(m->node)) {
        char domain[64];
        onnx_copy_name(domain, sizeof domain, m->node->proto->domain);
        return onnx_fail(m, "operators of domain %s are not supported", domain);
    }
    const operator_row *row = find_operator(m->node->proto->op_type);
    bool constant = false;
    cs_status status = read_inputs_of(m, row, &constant);
    if (status) {
        return status;
    }
    if (constant && y && y->kind == ONNX_CONSTANT) {
        return CS_OK; /* a Constant node */
    }
    if (constant && y && m->node->proto->n_input > 0 && onnx_folds(m->node->proto->op_type)) {
        return onnx_fold(m, y);
    }
    status = check_node(m, row);
    if (status) {
        return status;
    }
    if (!y && !row->many_results) {
        return onnx_fail(m, "its result has no name");
    }
    onnx_value *x = onnx_operand(m, 0);
    if (!onnx_is_tensor(x) && row->run != onnx_read_arithmetic && row->run != onnx_read_shape) {
        return onnx_fail(m, "its first input is a constant, which is not supported");
    }
    if (constant && row->run == onnx_read_arithmetic) {
        return onnx_fail(m, "is not supported for constants");
    }
    return row->run(m, x, y);
}

cs_status onnx_read_nodes(onnx_import *m)
{
    cs_status status = CS_OK;
    for (uint32_t i = 0; i < m->graph->node_count && !status; i++) {
        m->node = &m->graph->nodes[m->graph->order[i]];
        if (!m->node->live) {
            continue;
        }
        uint32_t before = m->network->layer_count;
        status = read_node(m);
        if (!status) {
            status = name_layers(m, before);
        }
    }
    m->node = NULL;
    return status;
}
