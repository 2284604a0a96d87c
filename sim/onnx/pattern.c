/* Operations that exporters write as several nodes.
 *
 * A pattern is looked for from its last node backwards, the graph's last nodes first, so that the
 * largest one wins: x * clip(x + 3, 0, 6) / 6 is a hard swish, not a product with a hard sigmoid.
 * It counts only if nothing outside of it reads what is inside. */
#include "sim/onnx/graph.h"

#include <math.h>
#include <string.h>

#define MAX_INNER   12u
#define MAX_FACTORS 2u
#define MAX_INPUTS  4u /* and attributes of a node inside */

/* Constants are matched to what single precision and rounded text leave of them. */
#define TOLERANCE 1e-3

typedef struct match {
    onnx_graph *graph;
    uint32_t root;
    uint32_t inner[MAX_INNER]; /* nodes */
    uint32_t inner_count;
    uint32_t factors[MAX_FACTORS]; /* values: what the product is made of, */
    uint32_t factor_count;
    double constant; /* and its constant factor */
} match;

static bool is_near(double a, double b)
{
    return fabs(a - b) <= TOLERANCE * fabs(b);
}

static bool add_inner(match *m, const onnx_node *node)
{
    uint32_t index = (uint32_t)(node - m->graph->nodes);
    for (uint32_t i = 0; i < m->inner_count; i++) {
        if (m->inner[i] == index) {
            return true;
        }
    }
    if (m->inner_count == MAX_INNER || node->role != ONNX_PLAIN || node->proto->n_output != 1 ||
        node->proto->n_input > MAX_INPUTS || node->proto->n_attribute > MAX_INPUTS) {
        return false;
    }
    m->inner[m->inner_count++] = index;
    return true;
}

static uint32_t reads_of(const onnx_graph *graph, const onnx_node *node, uint32_t value)
{
    uint32_t reads = 0;
    for (size_t k = 0; k < node->proto->n_input; k++) {
        reads += onnx_input(graph, node, k) == value;
    }
    return reads;
}

/* Nothing but the pattern reads the results of its inner nodes. */
static bool is_closed(const match *m)
{
    const onnx_graph *graph = m->graph;
    for (uint32_t i = 0; i < m->inner_count; i++) {
        uint32_t value = onnx_output(graph, &graph->nodes[m->inner[i]], 0);
        if (value == ONNX_NONE) {
            return false;
        }
        uint32_t reads = reads_of(graph, &graph->nodes[m->root], value);
        for (uint32_t k = 0; k < m->inner_count; k++) {
            reads += reads_of(graph, &graph->nodes[m->inner[k]], value);
        }
        if (reads != graph->values[value].readers) {
            return false;
        }
    }
    return true;
}

/* A node of two inputs, one a known number: the other one, and the number. */
static bool split_constant(const onnx_graph *graph, const onnx_node *node, uint32_t *other,
                           double *number)
{
    if (node->proto->n_input != 2) {
        return false;
    }
    for (size_t k = 0; k < 2; k++) {
        if (onnx_scalar(graph, onnx_input(graph, node, k), number)) {
            *other = onnx_input(graph, node, 1 - k);
            return *other != ONNX_NONE;
        }
    }
    return false;
}

/* The value, if `op` of it and a number near `number` makes `value`; both orders of the inputs. */
static uint32_t undo(match *m, uint32_t value, const char *op, double number)
{
    const onnx_node *node = onnx_made_by(m->graph, value, op);
    uint32_t other;
    double got;
    if (!node || !split_constant(m->graph, node, &other, &got) || !is_near(got, number) ||
        !add_inner(m, node)) {
        return ONNX_NONE;
    }
    return other;
}

/* x, if `value` is clip(x + 3, 0, 6); with the bounds as inputs or, before operator set 11, as
 * attributes. */
static uint32_t undo_clip(match *m, uint32_t value)
{
    const onnx_graph *graph = m->graph;
    const onnx_node *node = onnx_made_by(graph, value, "Clip");
    double low = 0, high = 0;
    if (!node || !add_inner(m, node)) {
        return ONNX_NONE;
    }
    if (graph->opset >= 11) {
        if (!onnx_scalar(graph, onnx_input(graph, node, 1), &low) ||
            !onnx_scalar(graph, onnx_input(graph, node, 2), &high)) {
            return ONNX_NONE;
        }
    } else {
        const Onnx__AttributeProto *min = onnx_attribute(node, "min");
        const Onnx__AttributeProto *max = onnx_attribute(node, "max");
        if (!min || !max) {
            return ONNX_NONE;
        }
        low = (double)min->f;
        high = (double)max->f;
    }
    return low == 0 && high == 6 ? undo(m, onnx_input(graph, node, 0), "Add", 3) : ONNX_NONE;
}

/* The factors of a value: those of the product that makes it, or itself. */
static bool gather(match *m, uint32_t value, unsigned depth)
{
    const onnx_graph *graph = m->graph;
    double number;
    if (value == ONNX_NONE) {
        return false;
    }
    if (onnx_scalar(graph, value, &number)) {
        m->constant *= number;
        return true;
    }
    const onnx_node *product = onnx_made_by(graph, value, "Mul");
    const onnx_node *quotient = onnx_made_by(graph, value, "Div");
    const onnx_node *node = product ? product : quotient;
    bool divides =
        quotient && onnx_scalar(graph, onnx_input(graph, quotient, 1), &number) && number != 0;
    if (depth > 0 && node && node->proto->n_input == 2 && (product || divides) &&
        graph->values[value].readers == 1 && add_inner(m, node)) {
        if (divides) {
            m->constant /= number;
        }
        return gather(m, onnx_input(graph, node, 0), depth - 1) &&
               (divides || gather(m, onnx_input(graph, node, 1), depth - 1));
    }
    if (m->factor_count == MAX_FACTORS) {
        return false;
    }
    m->factors[m->factor_count++] = value;
    return true;
}

/* The activation of `x` that makes `value` (ONNX_NONE: of whatever `x` is), as a factor beside x.
 */
static bool match_factor(match *m, uint32_t x, uint32_t value, cs_activation *activation)
{
    const onnx_graph *graph = m->graph;
    const onnx_node *node;
    bool is_one = is_near(m->constant, 1);
    if (is_one && (node = onnx_made_by(graph, value, "Sigmoid")) &&
        onnx_input(graph, node, 0) == x && add_inner(m, node)) {
        *activation = CS_ACTIVATION_SWISH;
        return true;
    }
    if (is_one && (node = onnx_made_by(graph, value, "HardSigmoid")) &&
        onnx_input(graph, node, 0) == x && add_inner(m, node)) {
        *activation = CS_ACTIVATION_HARD_SWISH;
        return true;
    }
    if (is_near(m->constant, 1.0 / 6) && onnx_made_by(graph, value, "Clip")) {
        *activation = CS_ACTIVATION_HARD_SWISH;
        return undo_clip(m, value) == x;
    }
    /* x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016). */
    if (is_near(m->constant, 0.5) && onnx_made_by(graph, value, "Add")) {
        *activation = CS_ACTIVATION_GELU;
        node = onnx_made_by(graph, undo(m, value, "Add", 1), "Erf");
        if (!node || !add_inner(m, node)) {
            return false;
        }
        uint32_t scaled = onnx_input(graph, node, 0);
        return onnx_made_by(graph, scaled, "Div") ? undo(m, scaled, "Div", sqrt(2)) == x
                                                  : undo(m, scaled, "Mul", 1 / sqrt(2)) == x;
    }
    return false;
}

static bool match_product(match *m, uint32_t *source, cs_activation *activation)
{
    const onnx_graph *graph = m->graph;
    const onnx_node *root = &graph->nodes[m->root];
    bool divides = strcmp(root->proto->op_type, "Div") == 0;
    double number;
    if (root->proto->n_input != 2 || root->proto->n_output != 1 ||
        (divides && (!onnx_scalar(graph, onnx_input(graph, root, 1), &number) || number == 0))) {
        return false;
    }
    m->constant = divides ? 1 / number : 1;
    if (!gather(m, onnx_input(graph, root, 0), 2) ||
        (!divides && !gather(m, onnx_input(graph, root, 1), 2))) {
        return false;
    }
    if (m->factor_count == 1 && is_near(m->constant, 1.0 / 6)) {
        *activation = CS_ACTIVATION_HARD_SIGMOID;
        *source = undo_clip(m, m->factors[0]);
        return *source != ONNX_NONE;
    }
    for (uint32_t k = 0; k < m->factor_count && m->factor_count == 2; k++) {
        const match before = *m;
        *source = m->factors[k];
        if (match_factor(m, *source, m->factors[1 - k], activation)) {
            return true;
        }
        *m = before;
    }
    return false;
}

/* The value whose mean along one axis makes `value`, and the axis. */
static uint32_t undo_mean(match *m, uint32_t value, int64_t *axis)
{
    const onnx_graph *graph = m->graph;
    const onnx_node *node = onnx_made_by(graph, value, "ReduceMean");
    if (!node || !add_inner(m, node)) {
        return ONNX_NONE;
    }
    const Onnx__AttributeProto *keep = onnx_attribute(node, "keepdims");
    const Onnx__AttributeProto *axes = onnx_attribute(node, "axes");
    double number;
    if (keep && keep->i == 0) {
        return ONNX_NONE;
    }
    if (axes && axes->n_ints == 1) {
        *axis = axes->ints[0];
    } else if (!axes && onnx_scalar(graph, onnx_input(graph, node, 1), &number) &&
               fabs(number) < ONNX_MAX_RANK) {
        *axis = (int64_t)number;
    } else {
        return ONNX_NONE;
    }
    return onnx_input(graph, node, 0);
}

/* x, if `value` is x less its mean. */
static uint32_t undo_centre(match *m, uint32_t value, int64_t *axis)
{
    const onnx_node *node = onnx_made_by(m->graph, value, "Sub");
    if (!node || !add_inner(m, node)) {
        return ONNX_NONE;
    }
    uint32_t x = onnx_input(m->graph, node, 0);
    return undo_mean(m, onnx_input(m->graph, node, 1), axis) == x ? x : ONNX_NONE;
}

/* (x - mean) / sqrt(mean((x - mean)^2) + epsilon): layer normalisation (Ba et al. 2016) before its
 * factor and term. */
static bool match_normalisation(match *m, uint32_t *source, int64_t *axis)
{
    const onnx_graph *graph = m->graph;
    const onnx_node *root = &graph->nodes[m->root];
    if (root->proto->n_input != 2 || root->proto->n_output != 1) {
        return false;
    }
    const onnx_node *deviation = onnx_made_by(graph, onnx_input(graph, root, 1), "Sqrt");
    if (!deviation || !add_inner(m, deviation)) {
        return false;
    }
    const onnx_node *sum = onnx_made_by(graph, onnx_input(graph, deviation, 0), "Add");
    uint32_t variance;
    double epsilon, power;
    if (!sum || !split_constant(graph, sum, &variance, &epsilon) || !add_inner(m, sum)) {
        return false;
    }
    int64_t other = 0;
    uint32_t square = undo_mean(m, variance, axis);
    const onnx_node *pow = onnx_made_by(graph, square, "Pow");
    const onnx_node *mul = onnx_made_by(graph, square, "Mul");
    const onnx_node *squares = pow ? pow : mul;
    if (!squares || !add_inner(m, squares) ||
        (pow && (!onnx_scalar(graph, onnx_input(graph, pow, 1), &power) || power != 2)) ||
        (mul && onnx_input(graph, mul, 0) != onnx_input(graph, mul, 1))) {
        return false;
    }
    uint32_t x = undo_centre(m, onnx_input(graph, root, 0), &other);
    *source = undo_centre(m, onnx_input(graph, squares, 0), &other);
    return x != ONNX_NONE && x == *source && other == *axis;
}

void onnx_graph_match(onnx_graph *graph)
{
    for (uint32_t i = graph->node_count; i-- > 0;) {
        onnx_node *root = &graph->nodes[graph->order[i]];
        bool divides = strcmp(root->proto->op_type, "Div") == 0;
        if (!root->live || !onnx_is_standard(root) || root->role != ONNX_PLAIN ||
            (!divides && strcmp(root->proto->op_type, "Mul") != 0)) {
            continue;
        }
        match m = {.graph = graph, .root = graph->order[i]};
        uint32_t source = ONNX_NONE;
        cs_activation activation = CS_ACTIVATION_NONE;
        int64_t axis = 0;
        onnx_role role = ONNX_PLAIN;
        if (match_product(&m, &source, &activation) && is_closed(&m)) {
            role = ONNX_ACTIVATE;
        } else {
            m = (match){.graph = graph, .root = graph->order[i]};
            if (divides && match_normalisation(&m, &source, &axis) && is_closed(&m)) {
                role = ONNX_LAYER_NORM;
            }
        }
        if (role == ONNX_PLAIN) {
            continue;
        }
        root->role = role;
        root->source = source;
        root->activation = activation;
        root->axis = axis;
        for (uint32_t k = 0; k < m.inner_count; k++) {
            graph->nodes[m.inner[k]].role = ONNX_ABSORBED;
        }
    }
    onnx_graph_count(graph);
}
