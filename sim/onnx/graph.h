/* The graph of an ONNX model: its values by name, its nodes in an order in which producers come
 * first, the values of small constants, and which nodes together are one operation. */
#ifndef CS_SIM_ONNX_GRAPH_H
#define CS_SIM_ONNX_GRAPH_H

#include "base/status.h"
#include "sim/network/network.h"

#include <onnx/onnx.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ONNX_MAX_RANK    8u
#define ONNX_MAX_NODES   65536u
#define ONNX_MAX_VALUES  262144u
#define ONNX_MAX_NUMBERS 64u /* of a constant whose numbers are known here */
#define ONNX_NONE        UINT32_MAX

/* What a value is. Graph inputs and results of nodes become constants or tensors when the nodes are
 * read in their order. */
typedef enum onnx_kind {
    ONNX_UNKNOWN,
    ONNX_CONSTANT, /* weights, shapes: known before the network runs */
    ONNX_TENSOR,   /* what a layer computes */
} onnx_kind;

typedef struct onnx_value {
    const char *name;            /* borrowed from the model */
    const Onnx__TypeProto *type; /* of a graph input, else NULL */
    uint32_t producer;           /* node, or ONNX_NONE */
    uint32_t readers;            /* inputs of live nodes that are this, and outputs of the graph */
    bool is_input;               /* of the graph, and no initialiser */
    bool is_output;              /* of the graph */
    onnx_kind kind;
    uint8_t rank;
    int64_t dims[ONNX_MAX_RANK]; /* each at least 1 */

    /* of a constant */
    uint8_t bits;    /* of an element; 8 for floating point */
    double *numbers; /* owned; row by row; NULL if not known */

    /* of a tensor: its elements are those of a layer's result, row by row along the axes of
     * `order` */
    cs_layer_id layer;
    uint8_t order[ONNX_MAX_RANK]; /* the axes of more than one element, without the batch */
    uint8_t order_count;
    int batch;       /* axis, or -1 */
    bool exclusive;  /* nothing else reads the layer, and this is read once */
    bool shuffled;   /* flattened: the elements along the one axis are in an order of their own */
    bool padded;     /* dims hold zeros around the layer's result that its reader has to add */
    uint32_t pad[4]; /* top, left, bottom, right */
} onnx_value;

/* What several nodes were recognised as. */
typedef enum onnx_role {
    ONNX_PLAIN,      /* the node's own operation */
    ONNX_ABSORBED,   /* part of another node's */
    ONNX_ACTIVATE,   /* `activation` of `source` */
    ONNX_LAYER_NORM, /* normalisation of `source` along `axis` */
} onnx_role;

typedef struct onnx_node {
    const Onnx__NodeProto *proto;
    uint32_t first_input; /* in onnx_graph.slots; as many as the proto has, ONNX_NONE if left out */
    uint32_t first_output;
    bool live; /* an output of the graph depends on it */
    onnx_role role;
    uint32_t source;
    cs_activation activation;
    int64_t axis;
} onnx_node;

typedef struct onnx_graph {
    const Onnx__GraphProto *proto;
    int64_t opset;
    const char *model; /* its name, for errors */
    onnx_value *values;
    uint32_t value_count;
    onnx_node *nodes; /* in the order of the file */
    uint32_t node_count;
    uint32_t *slots; /* values */
    uint32_t *order; /* nodes, producers first */
} onnx_graph;

/* Build the graph; it borrows from `model` until released. Fails with CS_EINVAL, CS_ELIMIT or
 * CS_ENOMEM; a graph that was zero may be released then, too. `err` is not NULL. */
CS_MUST_CHECK cs_status onnx_graph_build(onnx_graph *graph, const Onnx__ModelProto *model,
                                         const char *name, cs_error *err);
void onnx_graph_release(onnx_graph *graph);

/* Find which nodes an output of the graph depends on, and how often those read each value; nodes
 * that are part of another's operation read nothing. Building does it, too. */
void onnx_graph_count(onnx_graph *graph);

/* Recognise nodes that together are one operation (pattern.c), and count again. */
void onnx_graph_match(onnx_graph *graph);

/* Value of a node's input or output, ONNX_NONE where it is left out. */
uint32_t onnx_input(const onnx_graph *graph, const onnx_node *node, size_t i);
uint32_t onnx_output(const onnx_graph *graph, const onnx_node *node, size_t i);

/* Its operator is one of ONNX's own, not of another domain. */
bool onnx_is_standard(const onnx_node *node);

/* The node that makes a value, if its operation is `op`, else NULL; also for ONNX_NONE. */
const onnx_node *onnx_made_by(const onnx_graph *graph, uint32_t value, const char *op);

/* The one number of a constant; false if it is no such constant, or the number is not known. */
bool onnx_scalar(const onnx_graph *graph, uint32_t value, double *number);

/* Make a value a constant like `tensor`. False if its shape is none or memory ends. */
CS_MUST_CHECK cs_status onnx_set_constant(const onnx_graph *graph, onnx_value *value,
                                          const Onnx__TensorProto *tensor, cs_error *err);

/* An attribute by name, or NULL. */
const Onnx__AttributeProto *onnx_attribute(const onnx_node *node, const char *name);

/* 4, 8 or 16 bits as which elements of an ONNX data type are held; 0 for what is no number. */
uint8_t onnx_type_bits(int32_t data_type);

/* Elements of a shape; 0 if it has none or more than any network's tensor. */
uint64_t onnx_elements(const int64_t *dims, size_t rank);

/* Copy a name from outside, cut to fit, without what a terminal would obey. NULL is "". */
void onnx_copy_name(char *text, size_t size, const char *name);

/* MODEL: node "NAME" (OP): why. The text may not point into err->text. */
cs_status onnx_refuse(const onnx_graph *graph, const onnx_node *node, cs_error *err,
                      cs_status status, const char *format, ...) CS_PRINTF(5, 6);

/* MODEL: tensor "NAME": why, and CS_EINVAL. */
cs_status onnx_refuse_value(const onnx_graph *graph, const char *value, cs_error *err,
                            const char *format, ...) CS_PRINTF(4, 5);

#endif
