/* The graph of an ONNX model: see graph.h. */
#include "sim/onnx/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a name is defined, for sorting. */
typedef struct definition {
    const char *name;
    uint32_t value;
} definition;

/* ---- errors ---- */

void onnx_copy_name(char *text, size_t size, const char *name)
{
    size_t used = 0;
    for (; name && name[used] && used + 1 < size; used++) {
        unsigned char byte = (unsigned char)name[used];
        text[used] = byte < 0x20 || byte == 0x7f ? '?' : name[used];
    }
    /* No part of a character stays. */
    while (name && name[used] && used > 0 && ((unsigned char)name[used] & 0xc0) == 0x80) {
        used--;
    }
    text[used] = '\0';
}

cs_status onnx_refuse(const onnx_graph *graph, const onnx_node *node, cs_error *err,
                      cs_status status, const char *format, ...)
{
    char why[CS_ERROR_TEXT], name[160], op[48];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    onnx_copy_name(op, sizeof op, node->proto->op_type);
    if (node->proto->name && node->proto->name[0]) {
        onnx_copy_name(name, sizeof name, node->proto->name);
        return cs_fail(err, status, "%s: node \"%s\" (%s): %s", graph->model, name, op, why);
    }
    return cs_fail(err, status, "%s: node %zu (%s): %s", graph->model,
                   (size_t)(node - graph->nodes), op, why);
}

cs_status onnx_refuse_value(const onnx_graph *graph, const char *value, cs_error *err,
                            const char *format, ...)
{
    char why[CS_ERROR_TEXT], name[160];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    onnx_copy_name(name, sizeof name, value);
    return cs_fail(err, CS_EINVAL, "%s: tensor \"%s\": %s", graph->model, name, why);
}

/* ---- small questions ---- */

static bool is_named(const char *name)
{
    return name && name[0];
}

uint32_t onnx_input(const onnx_graph *graph, const onnx_node *node, size_t i)
{
    return i < node->proto->n_input ? graph->slots[node->first_input + i] : ONNX_NONE;
}

uint32_t onnx_output(const onnx_graph *graph, const onnx_node *node, size_t i)
{
    return i < node->proto->n_output ? graph->slots[node->first_output + i] : ONNX_NONE;
}

const onnx_node *onnx_made_by(const onnx_graph *graph, uint32_t value, const char *op)
{
    if (value == ONNX_NONE || graph->values[value].producer == ONNX_NONE) {
        return NULL;
    }
    const onnx_node *node = &graph->nodes[graph->values[value].producer];
    return strcmp(node->proto->op_type, op) == 0 && onnx_is_standard(node) ? node : NULL;
}

bool onnx_is_standard(const onnx_node *node)
{
    const char *domain = node->proto->domain;
    return !is_named(domain) || strcmp(domain, "ai.onnx") == 0;
}

bool onnx_scalar(const onnx_graph *graph, uint32_t value, double *number)
{
    if (value == ONNX_NONE) {
        return false;
    }
    const onnx_value *v = &graph->values[value];
    if (v->kind != ONNX_CONSTANT || !v->numbers || onnx_elements(v->dims, v->rank) != 1) {
        return false;
    }
    *number = v->numbers[0];
    return true;
}

const Onnx__AttributeProto *onnx_attribute(const onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->proto->attribute[i];
        if (attribute->name && strcmp(attribute->name, name) == 0) {
            return attribute;
        }
    }
    return NULL;
}

/* The numbers are those of TensorProto.DataType; the types of 8-bit and 4-bit floating point (17 to
 * 20, 23) and of 4-bit integers (21, 22) are younger than the schema here. */
uint8_t onnx_type_bits(int32_t data_type)
{
    switch (data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
        return 16;
    case 21:
    case 22:
    case 23:
        return 4;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED:
    case ONNX__TENSOR_PROTO__DATA_TYPE__STRING:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128:
        return 0;
    default:
        return data_type > 0 && data_type <= 23 ? 8 : 0;
    }
}

uint64_t onnx_elements(const int64_t *dims, size_t rank)
{
    uint64_t product = 1;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 1 || (uint64_t)dims[i] > CS_NETWORK_MAX_ELEMENTS) {
            return 0;
        }
        product *= (uint64_t)dims[i];
        if (product > CS_NETWORK_MAX_ELEMENTS * CS_NETWORK_MAX_BATCH) {
            return 0;
        }
    }
    return product;
}

/* ---- constants ---- */

/* Numbers of a tensor in little-endian bytes, as ONNX has them; false for types not read here. */
static bool read_raw(int32_t type, const uint8_t *bytes, size_t size, double *numbers, size_t count)
{
    size_t width = type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT    ? 4
                   : type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32  ? 4
                   : type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64  ? 8
                   : type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ? 8
                                                                   : 0;
    if (width == 0 || size != width * count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        for (size_t k = 0; k < width; k++) {
            bits |= (uint64_t)bytes[i * width + k] << (8 * k);
        }
        if (type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) {
            float number;
            uint32_t low = (uint32_t)bits;
            memcpy(&number, &low, sizeof number);
            numbers[i] = (double)number;
        } else if (type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE) {
            memcpy(&numbers[i], &bits, sizeof bits);
        } else if (type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32) {
            numbers[i] = (double)(int32_t)bits;
        } else {
            numbers[i] = (double)(int64_t)bits;
        }
    }
    return true;
}

static bool read_numbers(const Onnx__TensorProto *tensor, double *numbers, size_t count)
{
    if (tensor->has_raw_data && tensor->raw_data.len > 0) {
        return read_raw(tensor->data_type, tensor->raw_data.data, tensor->raw_data.len, numbers,
                        count);
    }
    bool is_float16 = tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
                      tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
    if (tensor->n_float_data == count) {
        for (size_t i = 0; i < count; i++) {
            numbers[i] = (double)tensor->float_data[i];
        }
    } else if (tensor->n_int64_data == count) {
        for (size_t i = 0; i < count; i++) {
            numbers[i] = (double)tensor->int64_data[i];
        }
    } else if (tensor->n_int32_data == count && !is_float16) {
        for (size_t i = 0; i < count; i++) {
            numbers[i] = tensor->int32_data[i];
        }
    } else if (tensor->n_double_data == count) {
        memcpy(numbers, tensor->double_data, count * sizeof *numbers);
    } else {
        return false;
    }
    return true;
}

cs_status onnx_set_constant(const onnx_graph *graph, onnx_value *value,
                            const Onnx__TensorProto *tensor, cs_error *err)
{
    bool empty = false; /* an empty list, as some exporters give for "no scales" */
    if (tensor->n_dims > ONNX_MAX_RANK) {
        return onnx_refuse_value(graph, value->name, err, "has more than 8 axes");
    }
    for (size_t i = 0; i < tensor->n_dims; i++) {
        empty = empty || tensor->dims[i] == 0;
    }
    uint64_t count = empty ? 0 : onnx_elements(tensor->dims, tensor->n_dims);
    if (count == 0 && !(empty && tensor->n_dims == 1)) {
        return onnx_refuse_value(graph, value->name, err,
                                 "its shape is zero, negative or too large");
    }
    double *numbers = NULL;
    if (count > 0 && count <= ONNX_MAX_NUMBERS) {
        numbers = malloc((size_t)count * sizeof *numbers);
        if (!numbers) {
            return cs_fail_memory(err);
        }
        if (!read_numbers(tensor, numbers, (size_t)count)) {
            free(numbers);
            numbers = NULL;
        }
    }
    free(value->numbers);
    value->numbers = numbers;
    value->kind = ONNX_CONSTANT;
    value->rank = (uint8_t)tensor->n_dims;
    for (size_t i = 0; i < tensor->n_dims; i++) {
        value->dims[i] = tensor->dims[i];
    }
    value->bits = onnx_type_bits(tensor->data_type);
    return CS_OK;
}

/* Constant nodes depend on nothing: they are constants before any node is read. */
static cs_status set_constants(onnx_graph *graph, cs_error *err)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        onnx_node *node = &graph->nodes[i];
        if (strcmp(node->proto->op_type, "Constant") != 0 || !onnx_is_standard(node)) {
            continue;
        }
        uint32_t out = onnx_output(graph, node, 0);
        if (out == ONNX_NONE) {
            continue;
        }
        if (node->proto->n_attribute != 1) {
            return onnx_refuse(graph, node, err, CS_EINVAL, "needs one attribute");
        }
        const Onnx__AttributeProto *a = node->proto->attribute[0];
        Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
        int64_t length = 1;
        tensor.dims = &length;
        double number = 0;
        int64_t whole = 0;
        if (a->t) {
            tensor = *a->t;
        } else if (a->has_f || a->has_i) {
            number = a->has_f ? (double)a->f : 0;
            whole = a->i;
            tensor.data_type = a->has_f ? ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE
                                        : ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
            tensor.n_double_data = a->has_f;
            tensor.double_data = &number;
            tensor.n_int64_data = !a->has_f;
            tensor.int64_data = &whole;
        } else if (a->n_ints > 0) {
            length = (int64_t)a->n_ints;
            tensor.n_dims = 1;
            tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
            tensor.n_int64_data = a->n_ints;
            tensor.int64_data = a->ints;
        } else if (a->n_floats > 0) {
            length = (int64_t)a->n_floats;
            tensor.n_dims = 1;
            tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
            tensor.n_float_data = a->n_floats;
            tensor.float_data = a->floats;
        } else {
            return onnx_refuse(graph, node, err, CS_EINVAL, "holds no tensor and no numbers");
        }
        cs_status status = onnx_set_constant(graph, &graph->values[out], &tensor, err);
        if (status) {
            return status;
        }
    }
    return CS_OK;
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    const definition *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : (left->value > right->value) - (left->value < right->value);
}

static int to_name(const void *name, const void *element)
{
    return strcmp(name, ((const definition *)element)->name);
}

/* Every initialiser, graph input and result of a node, as they come. */
static cs_status collect(onnx_graph *graph, cs_error *err)
{
    const Onnx__GraphProto *proto = graph->proto;
    size_t slots = 0, made = proto->n_initializer + proto->n_input;
    for (size_t i = 0; i < proto->n_node; i++) {
        slots += proto->node[i]->n_input + proto->node[i]->n_output;
        made += proto->node[i]->n_output;
    }
    if (proto->n_node > ONNX_MAX_NODES || made > ONNX_MAX_VALUES) {
        return cs_fail(err, CS_ELIMIT, "%s: %zu nodes and %zu tensors; at most %u and %u",
                       graph->model, proto->n_node, made, ONNX_MAX_NODES, ONNX_MAX_VALUES);
    }
    /* One more, so that nothing asks for zero bytes. */
    graph->values = calloc(made + 1, sizeof *graph->values);
    graph->nodes = calloc(proto->n_node + 1, sizeof *graph->nodes);
    graph->order = calloc(proto->n_node + 1, sizeof *graph->order);
    graph->slots = calloc(slots + 1, sizeof *graph->slots);
    if (!graph->values || !graph->nodes || !graph->order || !graph->slots) {
        return cs_fail_memory(err);
    }
    uint32_t at = 0;
    for (size_t i = 0; i < proto->n_initializer; i++) {
        onnx_value *value = &graph->values[graph->value_count++];
        *value = (onnx_value){.name = proto->initializer[i]->name, .producer = ONNX_NONE};
        if (!is_named(value->name)) {
            return cs_fail(err, CS_EINVAL, "%s: initialiser %zu has no name", graph->model, i);
        }
        cs_status status = onnx_set_constant(graph, value, proto->initializer[i], err);
        if (status) {
            return status;
        }
    }
    for (size_t i = 0; i < proto->n_input; i++) {
        graph->values[graph->value_count++] = (onnx_value){
            .name = proto->input[i]->name,
            .type = proto->input[i]->type,
            .producer = ONNX_NONE,
            .is_input = true,
        };
        if (!is_named(proto->input[i]->name)) {
            return cs_fail(err, CS_EINVAL, "%s: input %zu has no name", graph->model, i);
        }
    }
    for (uint32_t i = 0; i < proto->n_node; i++) {
        const Onnx__NodeProto *node = proto->node[i];
        graph->nodes[i] = (onnx_node){.proto = node, .first_input = at, .source = ONNX_NONE};
        graph->node_count = i + 1;
        at += (uint32_t)node->n_input;
        graph->nodes[i].first_output = at;
        if (!is_named(node->op_type)) {
            return onnx_refuse(graph, &graph->nodes[i], err, CS_EINVAL, "has no operator");
        }
        for (size_t k = 0; k < node->n_output; k++, at++) {
            graph->slots[at] = ONNX_NONE;
            if (is_named(node->output[k])) {
                graph->slots[at] = graph->value_count;
                graph->values[graph->value_count++] =
                    (onnx_value){.name = node->output[k], .producer = i};
            }
        }
    }
    return CS_OK;
}

/* Two definitions of one name: only an initialiser may also stand among the inputs, as it must in
 * IR version 3. */
static cs_status check_unique(const onnx_graph *graph, definition *names, uint32_t *count,
                              cs_error *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (kept > 0 && strcmp(names[kept - 1].name, names[i].name) == 0) {
            onnx_value *first = &graph->values[names[kept - 1].value];
            onnx_value *second = &graph->values[names[i].value];
            if (first->kind != ONNX_CONSTANT || !second->is_input || first->is_input) {
                return onnx_refuse_value(graph, first->name, err, "is defined twice");
            }
            second->is_input = false;
            first->type = second->type;
            continue;
        }
        names[kept++] = names[i];
    }
    *count = kept;
    return CS_OK;
}

static cs_status resolve(onnx_graph *graph, const definition *names, uint32_t count, cs_error *err)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const onnx_node *node = &graph->nodes[i];
        for (size_t k = 0; k < node->proto->n_input; k++) {
            uint32_t *slot = &graph->slots[node->first_input + k];
            const char *name = node->proto->input[k];
            *slot = ONNX_NONE;
            if (!is_named(name)) {
                continue;
            }
            const definition *found = bsearch(name, names, count, sizeof *names, to_name);
            if (!found) {
                char text[160];
                onnx_copy_name(text, sizeof text, name);
                return onnx_refuse(graph, node, err, CS_EINVAL, "nothing makes its input \"%s\"",
                                   text);
            }
            *slot = found->value;
        }
    }
    for (size_t i = 0; i < graph->proto->n_output; i++) {
        const char *name = graph->proto->output[i]->name;
        const definition *found = name ? bsearch(name, names, count, sizeof *names, to_name) : NULL;
        if (!found) {
            return onnx_refuse_value(graph, name, err,
                                     "is an output of the graph, but nothing makes it");
        }
        graph->values[found->value].is_output = true;
    }
    return CS_OK;
}

static cs_status name_values(onnx_graph *graph, cs_error *err)
{
    uint32_t count = graph->value_count;
    definition *names = malloc((count + (size_t)1) * sizeof *names);
    if (!names) {
        return cs_fail_memory(err);
    }
    for (uint32_t i = 0; i < count; i++) {
        names[i] = (definition){graph->values[i].name, i};
    }
    qsort(names, count, sizeof *names, by_name);
    cs_status status = check_unique(graph, names, &count, err);
    if (!status) {
        status = resolve(graph, names, count, err);
    }
    free(names);
    return status;
}

/* ---- order ---- */

/* ONNX has producers first. Where a file has not, the ready nodes are taken in the order in which
 * they became ready (Kahn 1962); what is never ready is on a cycle or behind one. */
static cs_status sort_nodes(onnx_graph *graph, cs_error *err)
{
    uint32_t nodes = graph->node_count;
    uint32_t *waits = calloc(nodes + (size_t)1, sizeof *waits);
    uint32_t *first = calloc(nodes + (size_t)2, sizeof *first); /* its readers in `readers` */
    uint32_t *readers = NULL;
    cs_status status = CS_OK;
    uint32_t edges = 0, ready = 0;
    if (!waits || !first) {
        status = cs_fail_memory(err);
        goto out;
    }
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < nodes; i++) {
            for (size_t k = 0; k < graph->nodes[i].proto->n_input; k++) {
                uint32_t value = onnx_input(graph, &graph->nodes[i], k);
                uint32_t from = value == ONNX_NONE ? ONNX_NONE : graph->values[value].producer;
                if (from == ONNX_NONE) {
                    continue;
                }
                if (pass == 0) {
                    waits[i]++;
                    first[from + 2]++;
                    edges++;
                } else {
                    readers[first[from + 1]++] = i;
                }
            }
        }
        if (pass == 0) {
            /* first[n + 1] moves from the beginning of n's readers to their end in pass 1. */
            for (uint32_t i = 2; i <= nodes; i++) {
                first[i] += first[i - 1];
            }
            readers = malloc((edges + (size_t)1) * sizeof *readers);
            if (!readers) {
                status = cs_fail_memory(err);
                goto out;
            }
        }
    }
    for (uint32_t i = 0; i < nodes; i++) {
        if (waits[i] == 0) {
            graph->order[ready++] = i;
        }
    }
    for (uint32_t done = 0; done < ready; done++) {
        uint32_t node = graph->order[done];
        for (uint32_t k = first[node]; k < first[node + 1]; k++) {
            if (--waits[readers[k]] == 0) {
                graph->order[ready++] = readers[k];
            }
        }
    }
    for (uint32_t i = 0; i < nodes && ready < nodes; i++) {
        if (waits[i] > 0) {
            status = onnx_refuse(graph, &graph->nodes[i], err, CS_EINVAL,
                                 "is on a cycle, or reads what comes from one");
            goto out;
        }
    }
out:
    free(waits);
    free(first);
    free(readers);
    return status;
}

static bool is_sorted(const onnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        for (size_t k = 0; k < graph->nodes[i].proto->n_input; k++) {
            uint32_t value = onnx_input(graph, &graph->nodes[i], k);
            if (value != ONNX_NONE && graph->values[value].producer != ONNX_NONE &&
                graph->values[value].producer >= i) {
                return false;
            }
        }
    }
    return true;
}

void onnx_graph_count(onnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->value_count; i++) {
        graph->values[i].readers = graph->values[i].is_output;
    }
    for (uint32_t i = graph->node_count; i-- > 0;) {
        onnx_node *node = &graph->nodes[graph->order[i]];
        node->live = false;
        if (node->role == ONNX_ABSORBED) {
            continue;
        }
        for (size_t k = 0; k < node->proto->n_output; k++) {
            uint32_t value = onnx_output(graph, node, k);
            node->live = node->live || (value != ONNX_NONE && graph->values[value].readers > 0);
        }
        if (node->live && node->role != ONNX_PLAIN) {
            graph->values[node->source].readers++;
        }
        for (size_t k = 0; k < node->proto->n_input && node->live && node->role == ONNX_PLAIN;
             k++) {
            uint32_t value = onnx_input(graph, node, k);
            if (value != ONNX_NONE) {
                graph->values[value].readers++;
            }
        }
    }
}

cs_status onnx_graph_build(onnx_graph *graph, const Onnx__ModelProto *model, const char *name,
                           cs_error *err)
{
    *graph = (onnx_graph){.proto = model->graph, .model = name};
    if (!model->graph) {
        return cs_fail(err, CS_EINVAL, "%s: is no ONNX model: it has no graph", name);
    }
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = model->opset_import[i]->domain;
        if (!is_named(domain) || strcmp(domain, "ai.onnx") == 0) {
            graph->opset = model->opset_import[i]->version;
        }
    }
    if (graph->opset < 1) {
        return cs_fail(err, CS_EINVAL, "%s: names no version of the ONNX operators", name);
    }
    if (model->graph->n_sparse_initializer > 0) {
        return cs_fail(err, CS_EINVAL, "%s: sparse initialisers are not supported", name);
    }
    if (model->graph->n_output == 0) {
        return cs_fail(err, CS_EINVAL, "%s: the graph has no outputs", name);
    }
    cs_status status = collect(graph, err);
    if (status || (status = name_values(graph, err)) || (status = set_constants(graph, err))) {
        return status;
    }
    if (is_sorted(graph)) {
        for (uint32_t i = 0; i < graph->node_count; i++) {
            graph->order[i] = i;
        }
    } else if ((status = sort_nodes(graph, err))) {
        return status;
    }
    onnx_graph_count(graph);
    return CS_OK;
}

void onnx_graph_release(onnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->value_count; i++) {
        free(graph->values[i].numbers);
    }
    free(graph->values);
    free(graph->nodes);
    free(graph->order);
    free(graph->slots);
    *graph = (onnx_graph){0};
}
