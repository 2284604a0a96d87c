/* Operators that multiply matrices: dense layers, products of tensors, recurrent cells. */
#include "sim/onnx/operators.h"

#include <string.h>

/* Replace the last axis of x, `inner` long, by one of `outer`: a dense layer, or, for more than one
 * position, a 1 x 1 convolution. */
static cs_status project(onnx_import *m, onnx_value *x, const onnx_value *weights, int64_t inner,
                         int64_t outer, bool bias, onnx_value *y)
{
    if (x->rank == 0 || x->dims[x->rank - 1] != inner || outer > UINT32_MAX) {
        return onnx_fail(m, "weights of %lld x %lld do not fit a last axis of %lld",
                         (long long)inner, (long long)outer,
                         x->rank > 0 ? (long long)x->dims[x->rank - 1] : 0);
    }
    uint8_t last = (uint8_t)(x->rank - 1);
    if (x->batch == last) {
        return onnx_fail_batch(m);
    }
    uint64_t samples = x->batch < 0 ? 1 : (uint64_t)x->dims[x->batch];
    uint64_t positions = onnx_elements(x->dims, last) / samples;
    cs_layer_id id;
    cs_status status;
    uint8_t axes[ONNX_MAX_RANK], count = 0;
    if (positions == 1) {
        status = onnx_pass(m, cs_network_dense(m->network, x->layer, (uint32_t)outer, bias,
                                               CS_ACTIVATION_NONE, &id, m->err));
    } else {
        const cs_conv conv = {
            .channels = (uint32_t)outer, .kernel_h = 1, .kernel_w = 1, .bias = bias};
        status = onnx_arrange_last(m, x, last);
        if (!status) {
            status = onnx_pass(m, cs_network_conv(m->network, x->layer, &conv, &id, m->err));
        }
    }
    if (status) {
        return status;
    }
    for (uint8_t i = 0; i < x->order_count; i++) {
        if (x->order[i] != last) {
            axes[count++] = x->order[i];
        }
    }
    axes[count++] = last;
    int64_t dims[ONNX_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    dims[last] = outer;
    onnx_set_tensor(y, id, dims, x->rank, x->batch);
    onnx_set_order(y, axes, count);
    return onnx_set_weight_bits(m, id, weights);
}

cs_status onnx_read_gemm(onnx_import *m, onnx_value *x, onnx_value *y)
{
    const onnx_value *weights = onnx_operand(m, 1), *bias = onnx_operand(m, 2);
    int64_t trans_a, trans_b;
    cs_status status = onnx_read_int(m, "transA", 0, &trans_a);
    if (status || (status = onnx_read_int(m, "transB", 0, &trans_b))) {
        return status;
    }
    if (trans_a != 0 || !onnx_is_tensor(x) || !onnx_is_constant(weights) ||
        (bias && !onnx_is_constant(bias)) || x->rank != 2 || weights->rank != 2) {
        return onnx_fail(m, "is supported as A * B + C or A * B' + C with weights B and C of two "
                            "axes and one");
    }
    return project(m, x, weights, weights->dims[trans_b ? 1 : 0], weights->dims[trans_b ? 0 : 1],
                   bias != NULL, y);
}

/* Both factors are computed: for each head, rows of a by columns of b. */
static cs_status multiply_tensors(onnx_import *m, onnx_value *a, onnx_value *b, onnx_value *y)
{
    uint8_t rank = a->rank;
    if (rank != b->rank || rank < 2) {
        return onnx_fail(m, "products of tensors of %u and %u axes are not supported", rank,
                         b->rank);
    }
    uint8_t row = (uint8_t)(rank - 2), inner = (uint8_t)(rank - 1);
    if (a->batch != b->batch || a->batch >= row) {
        return onnx_fail_batch(m);
    }
    uint8_t a_axes[ONNX_MAX_RANK], b_axes[ONNX_MAX_RANK], heads = 0;
    for (uint8_t i = 0; i < row; i++) {
        if (a->dims[i] != b->dims[i]) {
            return onnx_fail(m, "%lld and %lld matrices along axis %u do not fit",
                             (long long)a->dims[i], (long long)b->dims[i], i);
        }
        if (i != a->batch) {
            a_axes[heads] = b_axes[heads] = i;
            heads++;
        }
    }
    if (a->dims[inner] != b->dims[row]) {
        return onnx_fail(m, "a row of %lld does not fit a column of %lld",
                         (long long)a->dims[inner], (long long)b->dims[row]);
    }
    /* The second factor may lie either way. */
    bool transposed = b->order_count > 0 && b->order[b->order_count - 1] == row;
    a_axes[heads] = row;
    a_axes[heads + 1] = inner;
    b_axes[heads] = transposed ? inner : row;
    b_axes[heads + 1] = transposed ? row : inner;
    cs_layer_id id;
    cs_status status = onnx_arrange(m, a, a_axes, heads, 1, 1);
    cs_layer_id rows = a->layer; /* a and b may be one value, which may now move */
    if (status || (status = onnx_arrange(m, b, b_axes, heads, 1, 1)) ||
        (status = onnx_pass(
             m, cs_network_matmul(m->network, rows, b->layer, transposed, &id, m->err)))) {
        return status;
    }
    int64_t dims[ONNX_MAX_RANK];
    memcpy(dims, a->dims, sizeof dims);
    dims[inner] = b->dims[inner];
    onnx_set_tensor(y, id, dims, rank, a->batch);
    return CS_OK;
}

static cs_status multiply_matrices(onnx_import *m, onnx_value *a, onnx_value *b, onnx_value *y)
{
    if (onnx_is_tensor(a) && onnx_is_tensor(b)) {
        return multiply_tensors(m, a, b, y);
    }
    if (!onnx_is_tensor(a) || !onnx_is_constant(b) || b->rank < 2 ||
        onnx_elements(b->dims, b->rank - 2u) != 1) {
        return onnx_fail(m, "is supported for two tensors, or a tensor and one matrix of weights");
    }
    return project(m, a, b, b->dims[b->rank - 2], b->dims[b->rank - 1], false, y);
}

cs_status onnx_read_matmul(onnx_import *m, onnx_value *x, onnx_value *y)
{
    return multiply_matrices(m, x, onnx_operand(m, 1), y);
}

cs_status onnx_read_qlinear_matmul(onnx_import *m, onnx_value *x, onnx_value *y)
{
    return multiply_matrices(m, x, onnx_operand(m, 3), y);
}

/* ---- cells ---- */

typedef struct cell {
    cs_op op;
    int64_t units, directions;
    uint8_t steps, samples; /* axes of the input */
    bool bias;
} cell;

static cs_status check_cell(onnx_import *m, const onnx_value *x, cell *c)
{
    const onnx_value *w = onnx_operand(m, 1), *r = onnx_operand(m, 2), *b = onnx_operand(m, 3);
    int64_t layout, hidden;
    cs_status status = onnx_read_int(m, "layout", 0, &layout);
    if (status || (status = onnx_read_int(m, "hidden_size", 0, &hidden))) {
        return status;
    }
    bool both = onnx_says(m, "direction", "bidirectional", false);
    int64_t gates = onnx_is_op(m, "LSTM") ? 4 : 3;
    *c = (cell){
        .op = gates == 4 ? CS_OP_LSTM : CS_OP_GRU,
        .directions = both ? 2 : 1,
        .steps = layout != 0,
        .samples = layout == 0,
        .bias = b != NULL,
    };
    if (!both && !onnx_says(m, "direction", "forward", true) &&
        !onnx_says(m, "direction", "reverse", false)) {
        return onnx_fail(m, "attribute direction is none of forward, reverse, bidirectional");
    }
    if (!onnx_is_constant(w) || !onnx_is_constant(r) || (b && !onnx_is_constant(b)) ||
        x->rank != 3 || w->rank != 3 || r->rank != 3) {
        return onnx_fail(m, "needs an input and weights W and R of three axes");
    }
    c->units = r->dims[2];
    if (w->dims[0] != c->directions || r->dims[0] != c->directions ||
        w->dims[1] != gates * c->units || r->dims[1] != gates * c->units ||
        w->dims[2] != x->dims[2] || (hidden != 0 && hidden != c->units) || c->units > UINT32_MAX) {
        return onnx_fail(m, "weights W and R do not fit %lld features and each other",
                         (long long)x->dims[2]);
    }
    if (onnx_is_tensor(onnx_operand(m, 4)) || onnx_is_tensor(onnx_operand(m, 5)) ||
        (gates == 4 && (onnx_is_tensor(onnx_operand(m, 6)) || onnx_operand(m, 7)))) {
        return onnx_fail(m,
                         "lengths and states from the network, and peepholes, are not supported");
    }
    if (x->batch >= 0 && x->batch != c->samples) {
        return onnx_fail_batch(m);
    }
    if (x->batch < 0 && x->dims[c->samples] != 1) {
        return onnx_fail(m, "has %lld sequences, but the network no batch of them",
                         (long long)x->dims[c->samples]);
    }
    return CS_OK;
}

cs_status onnx_read_cell(onnx_import *m, onnx_value *x, onnx_value *y)
{
    cell c;
    cs_status status = check_cell(m, x, &c);
    if (status || (status = onnx_arrange(m, x, (const uint8_t[]){c.steps, 2}, 0, 1, 1))) {
        return status;
    }
    cs_layer_id ways[2], id = 0;
    for (int64_t i = 0; i < c.directions && !status; i++) {
        status = cs_network_cell(m->network, x->layer, c.op, (uint32_t)c.units, c.bias, &ways[i],
                                 m->err);
        id = status ? id : ways[i];
        status = status ? onnx_pass(m, status) : onnx_set_weight_bits(m, id, onnx_operand(m, 1));
    }
    if (!status && c.directions == 2) {
        status = onnx_pass(m, cs_network_concat(m->network, ways, 2, &id, m->err));
    }
    if (status) {
        return status;
    }
    int64_t steps = x->dims[c.steps], samples = x->dims[c.samples];
    bool first = c.samples == 0; /* samples come first */
    if (y) {
        const int64_t all[] = {first ? samples : steps, first ? steps : c.directions,
                               first ? c.directions : samples, c.units};
        onnx_set_tensor(y, id, all, 4, x->batch < 0 ? -1 : first ? 0 : 2);
    }
    uint32_t last = onnx_output(m->graph, m->node, 1), inner = onnx_output(m->graph, m->node, 2);
    if (inner != ONNX_NONE && m->graph->values[inner].readers > 0) {
        return onnx_fail(m, "reading the last cell state is not supported");
    }
    if (last == ONNX_NONE || m->graph->values[last].readers == 0) {
        return CS_OK;
    }
    if (y) {
        y->exclusive = false;
    }
    if (steps > 1) {
        const cs_window window = {.kernel_h = 1,
                                  .kernel_w = 1,
                                  .stride_h = 1,
                                  .stride_w = steps > UINT32_MAX ? UINT32_MAX : (uint32_t)steps,
                                  .padding = CS_PADDING_VALID};
        status = onnx_pass(
            m, cs_network_pool_window(m->network, id, CS_OP_POOL_MAX, &window, &id, m->err));
        if (status) {
            return status;
        }
    }
    const int64_t state[] = {first ? samples : c.directions, first ? c.directions : samples,
                             c.units};
    onnx_set_tensor(&m->graph->values[last], id, state, 3, x->batch < 0 ? -1 : first ? 0 : 1);
    return CS_OK;
}
