/* ONNX models from text: see onnx_text.h. All that a model is made of is kept until it is packed,
 * in blocks that are freed together. */
#include "onnx_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 4096 /* of anything repeated */

/* It is for programs, too, where Check cannot report. */
#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef struct builder {
    void *blocks[1 << 16];
    size_t block_count;
    Onnx__GraphProto *graph;
    Onnx__ModelProto *model;
} builder;

static void *keep(builder *b, size_t size)
{
    void *block = calloc(1, size ? size : 1);
    NEED(block);
    NEED(b->block_count < sizeof b->blocks / sizeof *b->blocks);
    b->blocks[b->block_count++] = block;
    return block;
}

static char *keep_text(builder *b, const char *text, size_t size)
{
    char *copy = keep(b, size + 1);
    memcpy(copy, text, size);
    return copy;
}

#define KEEP_MESSAGE(b, type, init)                                                                \
    ({                                                                                             \
        type *made = keep((b), sizeof *made);                                                      \
        *made = (type)init;                                                                        \
        made;                                                                                      \
    })

/* Append to a repeated field of the builder. */
#define APPEND(b, message, field, value)                                                           \
    do {                                                                                           \
        if (!(message)->field) {                                                                   \
            (message)->field = keep((b), MOST * sizeof *(message)->field);                         \
        }                                                                                          \
        NEED((message)->n_##field < MOST);                                                         \
        (message)->field[(message)->n_##field++] = (value);                                        \
    } while (0)

/* The next word of the list at *at, which ends with a comma. */
static bool next_item(builder *b, const char **at, char **item)
{
    if (**at == '\0') {
        return false;
    }
    size_t size = strcspn(*at, ",");
    *item = keep_text(b, *at, size);
    *at += size + ((*at)[size] == ',');
    return true;
}

/* Split "name:type"; the type is `usual` if it is not given. */
static int32_t split_type(char *name, int32_t usual)
{
    char *colon = strrchr(name, ':');
    if (!colon) {
        return usual;
    }
    *colon = '\0';
    return (int32_t)strtol(colon + 1, NULL, 10);
}

static Onnx__ValueInfoProto *new_value(builder *b, char *name, const char *dims)
{
    Onnx__ValueInfoProto *value =
        KEEP_MESSAGE(b, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
    int32_t type = split_type(name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    value->name = name;
    if (!dims) {
        return value;
    }
    value->type = KEEP_MESSAGE(b, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    value->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    Onnx__TypeProto__Tensor *tensor =
        KEEP_MESSAGE(b, Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
    value->type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = type;
    tensor->shape = KEEP_MESSAGE(b, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
    char *item;
    while (next_item(b, &dims, &item)) {
        Onnx__TensorShapeProto__Dimension *dim = KEEP_MESSAGE(
            b, Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
        if (item[0] >= 'A' && item[0] <= 'Z') {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim->dim_param = item;
        } else {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = strtoll(item, NULL, 10);
        }
        APPEND(b, tensor->shape, dim, dim);
    }
    return value;
}

static Onnx__TensorProto *new_tensor(builder *b, char *name, int32_t usual)
{
    Onnx__TensorProto *tensor = KEEP_MESSAGE(b, Onnx__TensorProto, ONNX__TENSOR_PROTO__INIT);
    tensor->has_data_type = 1;
    tensor->data_type = split_type(name, usual);
    tensor->name = name;
    APPEND(b, b->graph, initializer, tensor);
    return tensor;
}

static void read_attribute(builder *b, Onnx__NodeProto *node, char *word)
{
    Onnx__AttributeProto *a = KEEP_MESSAGE(b, Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);
    char *value = strchr(word, '=');
    NEED(value);
    *value++ = '\0';
    a->name = word;
    a->has_type = 1;
    bool is_number = strchr("-0123456789", value[0]) != NULL;
    if (strcmp(value, "graph") == 0) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
        a->g = KEEP_MESSAGE(b, Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);
    } else if (is_number && strchr(value, ',')) {
        const char *at = value;
        char *item;
        while (next_item(b, &at, &item)) {
            if (strchr(value, '.')) {
                APPEND(b, a, floats, strtof(item, NULL));
            } else {
                APPEND(b, a, ints, strtoll(item, NULL, 10));
            }
        }
        a->type = a->n_ints ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS
                            : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    } else if (is_number && strchr(value, '.')) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        a->has_f = 1;
        a->f = strtof(value, NULL);
    } else if (is_number) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        a->has_i = 1;
        a->i = strtoll(value, NULL, 10);
    } else {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        a->has_s = 1;
        a->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)value};
    }
    APPEND(b, node, attribute, a);
}

static void read_node(builder *b, char **words, size_t count)
{
    NEED(count >= 4 && strcmp(words[2], "->") == 0);
    Onnx__NodeProto *node = KEEP_MESSAGE(b, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);
    char *at = strchr(words[0], '@'), *dot = strrchr(words[0], '.');
    if (at) {
        *at = '\0';
        node->name = at + 1;
    }
    if (dot && (!at || dot < at)) {
        *dot = '\0';
        node->domain = words[0];
        words[0] = dot + 1;
    }
    node->op_type = words[0];
    const char *inputs = words[1], *outputs = words[3];
    char *item;
    while (next_item(b, &inputs, &item)) {
        APPEND(b, node, input, strcmp(item, "_") == 0 ? keep_text(b, "", 0) : item);
    }
    while (next_item(b, &outputs, &item)) {
        APPEND(b, node, output, strcmp(item, "_") == 0 ? keep_text(b, "", 0) : item);
    }
    for (size_t i = 4; i < count; i++) {
        read_attribute(b, node, words[i]);
    }
    APPEND(b, b->graph, node, node);
}

static void read_statement(builder *b, char **words, size_t count)
{
    const char *dims = count > 2 ? words[2] : NULL;
    char *item;
    if (strcmp(words[0], "opset") == 0) {
        Onnx__OperatorSetIdProto *opset =
            KEEP_MESSAGE(b, Onnx__OperatorSetIdProto, ONNX__OPERATOR_SET_ID_PROTO__INIT);
        opset->has_version = 1;
        opset->version = strtoll(words[1], NULL, 10);
        APPEND(b, b->model, opset_import, opset);
    } else if (strcmp(words[0], "input") == 0) {
        APPEND(b, b->graph, input, new_value(b, words[1], dims));
    } else if (strcmp(words[0], "output") == 0) {
        APPEND(b, b->graph, output, new_value(b, words[1], NULL));
    } else if (strcmp(words[0], "weight") == 0) {
        Onnx__TensorProto *tensor = new_tensor(b, words[1], ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
        while (dims && next_item(b, &dims, &item)) {
            APPEND(b, tensor, dims, strtoll(item, NULL, 10));
        }
    } else if (strcmp(words[0], "numbers") == 0) {
        Onnx__TensorProto *tensor = new_tensor(b, words[1], ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
        while (dims && next_item(b, &dims, &item)) {
            APPEND(b, tensor, int64_data, strtoll(item, NULL, 10));
        }
        APPEND(b, tensor, dims, (int64_t)tensor->n_int64_data);
    } else if (strcmp(words[0], "scalar") == 0) {
        Onnx__TensorProto *tensor = new_tensor(b, words[1], ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
        APPEND(b, tensor, float_data, strtof(words[2], NULL));
    } else {
        read_node(b, words, count);
    }
}

uint8_t *onnx_text_pack(const char *text, size_t *size)
{
    enum { WORDS = 64 };
    builder *b = calloc(1, sizeof *b);
    NEED(b);
    b->model = KEEP_MESSAGE(b, Onnx__ModelProto, ONNX__MODEL_PROTO__INIT);
    b->graph = KEEP_MESSAGE(b, Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);
    b->model->graph = b->graph;
    b->model->has_ir_version = 1;
    b->model->ir_version = 8;
    while (*text) {
        char *words[WORDS];
        size_t count = 0;
        size_t left = strcspn(text, ";");
        const char *end = text + left;
        while (text < end) {
            text += strspn(text, " \n");
            size_t length = strcspn(text, " \n;");
            if (text < end && length > 0) {
                NEED(count < WORDS);
                words[count++] = keep_text(b, text, length);
            }
            text += length;
        }
        text = end + (*end == ';');
        if (count > 0) {
            read_statement(b, words, count);
        }
    }
    if (b->model->n_opset_import == 0) {
        char opset[] = "opset", version[] = "13";
        read_statement(b, (char *[]){opset, version}, 2);
    }
    *size = onnx__model_proto__get_packed_size(b->model);
    uint8_t *bytes = malloc(*size);
    NEED(bytes);
    onnx__model_proto__pack(b->model, bytes);
    for (size_t i = 0; i < b->block_count; i++) {
        free(b->blocks[i]);
    }
    free(b);
    return bytes;
}
