/* Network spaces: the file, and the layers of a genome.
 *
 * A body is a list of blocks, each of a kind of the table below; a block has fields, and a field
 * is a constant or the name of a parameter. A kind of block is a row of the table and a function
 * that appends its layers, so that a space is a file and a new kind is one function here. */
#include "search/space/part.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS   10
#define MAX_BLOCKS   1024
#define MAX_REPEAT   64
/* Bounds of single fields: beyond any real network, small enough for products in 64 bits. */
#define MAX_CHANNELS 65536
#define MAX_EXTENT   16384
#define MAX_KERNEL   63
#define MAX_STRIDE   16

typedef enum field_type {
    FIELD_WHOLE,      /* whole number */
    FIELD_REAL,       /* number */
    FIELD_SWITCH,     /* true or false; 1 or 0 where a parameter gives it */
    FIELD_ACTIVATION, /* name of an activation; no parameter gives it */
} field_type;

typedef struct field_spec {
    const char *name; /* NULL ends a list */
    field_type type;
    bool required;
    bool shrinks; /* the layers become larger when the value falls */
    double min, max;
    double fallback; /* for one that is not required */
} field_spec;

/* Append the layers of one block that reads *at; *at becomes its result. */
typedef cs_status append_block(cs_network *network, const double *values, cs_layer_id *at,
                               cs_error *err);

typedef struct block_kind {
    const char *name;
    append_block *append;
    uint32_t most_layers; /* of one repetition */
    field_spec fields[MAX_FIELDS + 1];
} block_kind;

typedef struct template_field {
    double value;
    int32_t gene; /* its index, or -1: `value` is the field's value */
} template_field;

typedef struct template_block {
    const block_kind *kind;
    template_field fields[MAX_FIELDS]; /* in the order of the kind's */
} template_block;

struct cs_network_template {
    template_field input[3]; /* height, width, channels */
    template_block *blocks;  /* owned */
    uint32_t block_count;
};

/* ---- kinds of blocks ---- */

static const field_spec input_fields[] = {
    {.name = "height", .required = true, .min = 1, .max = MAX_EXTENT},
    {.name = "width", .required = true, .min = 1, .max = MAX_EXTENT},
    {.name = "channels", .required = true, .min = 1, .max = MAX_CHANNELS},
    {.name = NULL},
};

enum {
    CONV_CHANNELS,
    CONV_KERNEL,
    CONV_STRIDE,
    CONV_REPEAT,
    CONV_NORMALIZED,
    CONV_BIAS,
    CONV_ACTIVATION,
};

static cs_status append_conv(cs_network *network, const double *values, cs_layer_id *at,
                             cs_error *err)
{
    cs_conv conv = {
        .channels = (uint32_t)values[CONV_CHANNELS],
        .kernel_h = (uint32_t)values[CONV_KERNEL],
        .kernel_w = (uint32_t)values[CONV_KERNEL],
        .stride = (uint32_t)values[CONV_STRIDE],
        .padding = CS_PADDING_SAME,
        .activation = (cs_activation)values[CONV_ACTIVATION],
        .bias = values[CONV_BIAS] != 0,
        .normalized = values[CONV_NORMALIZED] != 0,
    };
    cs_status status = CS_OK;
    for (uint32_t i = 0; i < (uint32_t)values[CONV_REPEAT] && !status; i++) {
        status = cs_network_conv(network, *at, &conv, at, err);
        conv.stride = 1;
    }
    return status;
}

/* Squeeze-excite (Hu et al. 2018): scale each channel of *at by a factor computed from the means of
 * all channels, through `hidden` units. Its two 1x1 convolutions have a bias, no normalisation. */
static cs_status append_squeeze_excite(cs_network *network, uint32_t hidden, cs_layer_id *at,
                                       cs_error *err)
{
    cs_conv squeeze = {.channels = hidden,
                       .kernel_h = 1,
                       .kernel_w = 1,
                       .activation = CS_ACTIVATION_RELU,
                       .bias = true};
    cs_conv excite = {.channels = network->layers[*at].out.channels,
                      .kernel_h = 1,
                      .kernel_w = 1,
                      .activation = CS_ACTIVATION_SIGMOID,
                      .bias = true};
    cs_layer_id factors;
    cs_status status = cs_network_pool_global(network, *at, &factors, err);
    if (!status) {
        status = cs_network_conv(network, factors, &squeeze, &factors, err);
    }
    if (!status) {
        status = cs_network_conv(network, factors, &excite, &factors, err);
    }
    return status ? status : cs_network_scale(network, *at, factors, at, err);
}

enum {
    INVERTED_EXPANSION,
    INVERTED_KERNEL,
    INVERTED_REPEAT,
    INVERTED_STRIDE,
    INVERTED_CHANNELS,
    INVERTED_SQUEEZE_EXCITE,
    INVERTED_SQUEEZE_RATIO,
    INVERTED_RESIDUAL,
    INVERTED_ACTIVATION,
};

/* One inverted bottleneck layer (Sandler et al. 2018; with squeeze-excite as in Tan et al. 2019):
 * 1x1 expansion unless it would be the identity's width, depthwise, 1x1 projection without
 * activation, and the input added where the shapes allow it. */
static cs_status append_inverted_layer(cs_network *network, const double *values, uint32_t stride,
                                       cs_layer_id *at, cs_error *err)
{
    cs_layer_id input = *at, last = *at;
    uint32_t in_channels = network->layers[input].out.channels;
    uint32_t channels = (uint32_t)values[INVERTED_CHANNELS];
    uint32_t expanded = (uint32_t)(in_channels * values[INVERTED_EXPANSION]);
    uint32_t hidden = (uint32_t)(in_channels * values[INVERTED_SQUEEZE_RATIO]);
    uint32_t kernel = (uint32_t)values[INVERTED_KERNEL];
    cs_activation activation = (cs_activation)values[INVERTED_ACTIVATION];
    cs_conv expand = {.channels = expanded,
                      .kernel_h = 1,
                      .kernel_w = 1,
                      .activation = activation,
                      .normalized = true};
    cs_conv depthwise = {.channels = expanded,
                         .kernel_h = kernel,
                         .kernel_w = kernel,
                         .stride = stride,
                         .groups = expanded,
                         .padding = CS_PADDING_SAME,
                         .activation = activation,
                         .normalized = true};
    cs_conv project = {.channels = channels, .kernel_h = 1, .kernel_w = 1, .normalized = true};
    cs_status status = CS_OK;
    if (expanded != in_channels) {
        status = cs_network_conv(network, last, &expand, &last, err);
    }
    if (!status) {
        status = cs_network_conv(network, last, &depthwise, &last, err);
    }
    if (!status && values[INVERTED_SQUEEZE_EXCITE] != 0) {
        status = append_squeeze_excite(network, hidden ? hidden : 1, &last, err);
    }
    if (!status) {
        status = cs_network_conv(network, last, &project, &last, err);
    }
    if (!status && values[INVERTED_RESIDUAL] != 0 && stride == 1 && channels == in_channels) {
        status = cs_network_add(network, input, last, &last, err);
    }
    if (!status) {
        *at = last;
    }
    return status;
}

static cs_status append_inverted(cs_network *network, const double *values, cs_layer_id *at,
                                 cs_error *err)
{
    uint32_t stride = (uint32_t)values[INVERTED_STRIDE];
    cs_status status = CS_OK;
    for (uint32_t i = 0; i < (uint32_t)values[INVERTED_REPEAT] && !status; i++) {
        status = append_inverted_layer(network, values, i == 0 ? stride : 1, at, err);
    }
    return status;
}

static cs_status append_pool_global(cs_network *network, const double *values, cs_layer_id *at,
                                    cs_error *err)
{
    (void)values;
    return cs_network_pool_global(network, *at, at, err);
}

enum {
    DENSE_CHANNELS,
    DENSE_BIAS,
    DENSE_ACTIVATION,
};

static cs_status append_dense(cs_network *network, const double *values, cs_layer_id *at,
                              cs_error *err)
{
    return cs_network_dense(network, *at, (uint32_t)values[DENSE_CHANNELS], values[DENSE_BIAS] != 0,
                            (cs_activation)values[DENSE_ACTIVATION], at, err);
}

static const char repeat_name[] = "repeat";

#define REQUIRED_WHOLE(low, high) .type = FIELD_WHOLE, .required = true, .min = low, .max = high
#define STRIDE                                                                                     \
    {                                                                                              \
        .name = "stride", .type = FIELD_WHOLE, .shrinks = true, .min = 1, .max = MAX_STRIDE,       \
        .fallback = 1                                                                              \
    }
#define REPEAT                                                                                     \
    {                                                                                              \
        .name = repeat_name, .type = FIELD_WHOLE, .min = 1, .max = MAX_REPEAT, .fallback = 1       \
    }
#define SWITCH(key, value)                                                                         \
    {                                                                                              \
        .name = key, .type = FIELD_SWITCH, .max = 1, .fallback = value                             \
    }
#define ACTIVATION(value)                                                                          \
    {                                                                                              \
        .name = "activation", .type = FIELD_ACTIVATION, .fallback = value                          \
    }

static const block_kind block_kinds[] = {
    {
        .name = "conv",
        .append = append_conv,
        .most_layers = 1,
        .fields =
            {
                [CONV_CHANNELS] = {.name = "channels", REQUIRED_WHOLE(1, MAX_CHANNELS)},
                [CONV_KERNEL] = {.name = "kernel", REQUIRED_WHOLE(1, MAX_KERNEL)},
                [CONV_STRIDE] = STRIDE,
                [CONV_REPEAT] = REPEAT,
                [CONV_NORMALIZED] = SWITCH("normalized", 1),
                [CONV_BIAS] = SWITCH("bias", 0),
                [CONV_ACTIVATION] = ACTIVATION(CS_ACTIVATION_RELU),
            },
    },
    {
        .name = "inverted-bottleneck",
        .append = append_inverted,
        .most_layers = 8, /* three convolutions, four of squeeze-excite, and the addition */
        .fields =
            {
                [INVERTED_EXPANSION] = {.name = "expansion",
                                        .type = FIELD_REAL,
                                        .required = true,
                                        .min = 1,
                                        .max = 64},
                [INVERTED_KERNEL] = {.name = "kernel", REQUIRED_WHOLE(1, MAX_KERNEL)},
                [INVERTED_REPEAT] = REPEAT,
                [INVERTED_STRIDE] = STRIDE,
                [INVERTED_CHANNELS] = {.name = "channels", REQUIRED_WHOLE(1, MAX_CHANNELS)},
                [INVERTED_SQUEEZE_EXCITE] = SWITCH("squeeze_excite", 0),
                [INVERTED_SQUEEZE_RATIO] = {.name = "squeeze_ratio",
                                            .type = FIELD_REAL,
                                            .min = 0.001,
                                            .max = 4,
                                            .fallback = 0.25},
                [INVERTED_RESIDUAL] = SWITCH("residual", 1),
                [INVERTED_ACTIVATION] = ACTIVATION(CS_ACTIVATION_RELU),
            },
    },
    {
        .name = "pool-global",
        .append = append_pool_global,
        .most_layers = 1,
    },
    {
        .name = "dense",
        .append = append_dense,
        .most_layers = 1,
        .fields =
            {
                [DENSE_CHANNELS] = {.name = "channels", REQUIRED_WHOLE(1, MAX_CHANNELS)},
                [DENSE_BIAS] = SWITCH("bias", 1),
                [DENSE_ACTIVATION] = ACTIVATION(CS_ACTIVATION_NONE),
            },
    },
};

static const char *const activation_names[] = {
    [CS_ACTIVATION_NONE] = "none",
    [CS_ACTIVATION_RELU] = "relu",
    [CS_ACTIVATION_SIGMOID] = "sigmoid",
};

/* ---- decoding ---- */

/* Which value of a field that a gene gives. */
typedef enum template_corner {
    CORNER_NONE,     /* that of the genome */
    CORNER_LARGEST,  /* the one with the largest layers */
    CORNER_SMALLEST, /* the one with the smallest */
} template_corner;

typedef struct template_point {
    const cs_gene *genes;
    const uint8_t *genome; /* for CORNER_NONE */
    template_corner corner;
} template_point;

static double field_value(const template_field *field, const field_spec *spec,
                          const template_point *point)
{
    if (field->gene < 0) {
        return field->value;
    }
    const cs_gene *gene = &point->genes[field->gene];
    if (point->corner == CORNER_NONE) {
        return gene->values[point->genome[field->gene]];
    }
    double low = gene->values[0], high = low;
    for (uint32_t i = 1; i < gene->choice_count; i++) {
        low = fmin(low, gene->values[i]);
        high = fmax(high, gene->values[i]);
    }
    return (point->corner == CORNER_LARGEST) != spec->shrinks ? high : low;
}

static cs_status start(const cs_network_template *template, const template_point *point,
                       cs_network *network, cs_error *err)
{
    cs_shape shape = {
        .height = (uint32_t)field_value(&template->input[0], &input_fields[0], point),
        .width = (uint32_t)field_value(&template->input[1], &input_fields[1], point),
        .channels = (uint32_t)field_value(&template->input[2], &input_fields[2], point),
    };
    return cs_network_start(network, shape, err);
}

static cs_status append(const template_block *block, const template_point *point,
                        cs_network *network, cs_layer_id *at, cs_error *err)
{
    double values[MAX_FIELDS];
    for (size_t f = 0; block->kind->fields[f].name; f++) {
        values[f] = field_value(&block->fields[f], &block->kind->fields[f], point);
    }
    return block->kind->append(network, values, at, err);
}

cs_status cs_network_template_decode(const cs_network_template *template, const cs_gene *genes,
                                     const uint8_t *genome, cs_network *network, cs_error *err)
{
    template_point point = {.genes = genes, .genome = genome};
    cs_layer_id at = 0;
    cs_status status = start(template, &point, network, err);
    for (uint32_t b = 0; b < template->block_count && !status; b++) {
        status = append(&template->blocks[b], &point, network, &at, err);
    }
    return status;
}

void cs_network_template_free(cs_network_template *template)
{
    if (template) {
        free(template->blocks);
        free(template);
    }
}

/* ---- reading ---- */

/* Every value that the parameter can give is one that the field can take. */
static cs_status check_gene(cs_conf_node place, const field_spec *spec, const cs_gene *gene,
                            cs_error *err)
{
    for (uint32_t i = 0; i < gene->choice_count; i++) {
        double value = gene->values[i];
        if (value < spec->min || value > spec->max) {
            return cs_conf_fail(place, err, "must be from %g to %g; parameter \"%s\" can be %s",
                                spec->min, spec->max, gene->name, gene->choices[i]);
        }
        if (spec->type != FIELD_REAL && value != floor(value)) {
            return cs_conf_fail(place, err, "must be whole; parameter \"%s\" can be %s", gene->name,
                                gene->choices[i]);
        }
    }
    return CS_OK;
}

/* A field that is a text: the name of an activation or of a parameter. */
static cs_status read_named(cs_conf_node place, const field_spec *spec, const cs_space *space,
                            bool *used, template_field *field, cs_error *err)
{
    const char *name;
    cs_status status = cs_conf_as_string(place, &name, err);
    if (status) {
        return status;
    }
    if (spec->type == FIELD_ACTIVATION) {
        for (size_t i = 0; i < sizeof activation_names / sizeof *activation_names; i++) {
            if (strcmp(activation_names[i], name) == 0) {
                field->value = (double)i;
                return CS_OK;
            }
        }
        return cs_conf_fail(place, err, "must be none, relu or sigmoid, not \"%s\"", name);
    }
    for (uint32_t g = 0; g < space->gene_count; g++) {
        if (strcmp(space->genes[g].name, name) == 0) {
            used[g] = true;
            field->gene = (int32_t)g;
            return check_gene(place, spec, &space->genes[g], err);
        }
    }
    return cs_conf_fail(place, err, "there is no parameter \"%s\"", name);
}

static cs_status read_field(cs_conf_node group, const field_spec *spec, const cs_space *space,
                            bool *used, template_field *made, cs_error *err)
{
    template_field field = {.value = spec->fallback, .gene = -1};
    cs_conf_node place = cs_conf_member(group, spec->name);
    cs_status status = CS_OK;
    if (!cs_conf_exists(place)) {
        if (spec->required) {
            status = cs_conf_fail(group, err, "\"%s\" is missing", spec->name);
        }
    } else if (cs_conf_is_string(place) || spec->type == FIELD_ACTIVATION) {
        status = read_named(place, spec, space, used, &field, err);
    } else if (spec->type == FIELD_SWITCH) {
        bool on = false;
        status = cs_conf_as_bool(place, &on, err);
        field.value = on;
    } else if (spec->type == FIELD_WHOLE) {
        int64_t whole = 0;
        status = cs_conf_as_int(place, (int64_t)spec->min, (int64_t)spec->max, &whole, err);
        field.value = (double)whole;
    } else {
        status = cs_conf_as_number(place, spec->min, spec->max, &field.value, err);
    }
    if (!status) {
        *made = field;
    }
    return status;
}

/* No key of `group` but `extra` (NULL-ended) and the names of the fields. */
static cs_status check_keys(cs_conf_node group, const char *const *extra, const field_spec *specs,
                            cs_error *err)
{
    const char *keys[MAX_FIELDS + 4];
    size_t count = 0;
    while (*extra) {
        keys[count++] = *extra++;
    }
    for (; specs->name; specs++) {
        keys[count++] = specs->name;
    }
    keys[count] = NULL;
    return cs_conf_only(group, keys, err);
}

static cs_status read_block(cs_conf_node group, const cs_space *space, bool *used,
                            template_block *block, bool *recalled, cs_error *err)
{
    static const char *const extra[] = {"block", "provenance", NULL};
    const char *name;
    if (!cs_conf_is_group(group)) {
        return cs_conf_fail(group, err, "must be a group { block = ...; ... }");
    }
    cs_status status = cs_conf_string(group, "block", &name, err);
    if (status) {
        return status;
    }
    for (size_t k = 0; k < sizeof block_kinds / sizeof *block_kinds; k++) {
        if (strcmp(block_kinds[k].name, name) == 0) {
            block->kind = &block_kinds[k];
        }
    }
    if (!block->kind) {
        return cs_conf_fail(cs_conf_member(group, "block"), err,
                            "must be conv, inverted-bottleneck, pool-global or dense, not \"%s\"",
                            name);
    }
    const field_spec *specs = block->kind->fields;
    status = check_keys(group, extra, specs, err);
    for (size_t f = 0; specs[f].name && !status; f++) {
        status = read_field(group, &specs[f], space, used, &block->fields[f], err);
    }
    return status ? status : cs_space_read_provenance(group, recalled, err);
}

/* Whether an input is added depends on the channels being equal, which they may be between the
 * corners only, so layers are counted at their most. */
static cs_status check_layer_count(const cs_network_template *template, const cs_space *space,
                                   cs_conf_node body, cs_error *err)
{
    template_point point = {.genes = space->genes, .corner = CORNER_LARGEST};
    uint64_t count = 1;
    for (uint32_t b = 0; b < template->block_count; b++) {
        const template_block *block = &template->blocks[b];
        const field_spec *specs = block->kind->fields;
        double repeats = 1;
        for (size_t f = 0; specs[f].name; f++) {
            if (strcmp(specs[f].name, repeat_name) == 0) {
                repeats = field_value(&block->fields[f], &specs[f], &point);
            }
        }
        count += (uint64_t)repeats * block->kind->most_layers;
        if (count > CS_NETWORK_MAX_LAYERS) {
            return cs_conf_fail(cs_conf_element(body, b), err,
                                "can have more than %u layers with the blocks before it",
                                CS_NETWORK_MAX_LAYERS);
        }
    }
    return CS_OK;
}

/* The size of layers is monotone in every field (only padding that keeps the size is used), so if
 * they fit at the two extreme corners, they fit everywhere. */
static cs_status check_corner(const cs_network_template *template, const cs_space *space,
                              template_corner corner, cs_conf_node input, cs_conf_node body,
                              cs_error *err)
{
    template_point point = {.genes = space->genes, .corner = corner};
    cs_network network = {0};
    cs_layer_id at = 0;
    cs_error reason = {.status = CS_OK};
    cs_conf_node place = input;
    cs_status status = start(template, &point, &network, &reason);
    for (uint32_t b = 0; b < template->block_count && !status; b++) {
        place = cs_conf_element(body, b);
        status = append(&template->blocks[b], &point, &network, &at, &reason);
    }
    cs_network_release(&network);
    if (status == CS_EINVAL) {
        return cs_conf_fail(place, err, "with the %s values of all parameters: %s",
                            corner == CORNER_LARGEST ? "largest" : "smallest", reason.text);
    }
    return status ? cs_fail(err, status, "%s", reason.text) : CS_OK;
}

static cs_status read_template(cs_conf_node file, const cs_space *space,
                               cs_network_template *template, bool *used, bool *recalled,
                               cs_error *err)
{
    static const char *const extra[] = {"provenance", NULL};
    cs_conf_node input, body;
    cs_status status = cs_conf_group(file, "input", &input, err);
    if (status || (status = cs_conf_list(file, "body", &body, err)) ||
        (status = check_keys(input, extra, input_fields, err))) {
        return status;
    }
    for (size_t f = 0; f < 3 && !status; f++) {
        status = read_field(input, &input_fields[f], space, used, &template->input[f], err);
    }
    if (status || (status = cs_space_read_provenance(input, recalled, err))) {
        return status;
    }
    size_t count = cs_conf_length(body);
    if (count == 0 || count > MAX_BLOCKS) {
        return cs_conf_fail(body, err, "must hold 1 to %d blocks, not %zu", MAX_BLOCKS, count);
    }
    template->blocks = calloc(count, sizeof *template->blocks);
    if (!template->blocks) {
        return cs_fail_memory(err);
    }
    template->block_count = (uint32_t)count;
    for (size_t b = 0; b < count && !status; b++) {
        status =
            read_block(cs_conf_element(body, b), space, used, &template->blocks[b], recalled, err);
    }
    cs_conf_node parameters = cs_conf_member(file, "parameters");
    for (uint32_t g = 0; g < space->gene_count && !status; g++) {
        if (!used[g]) {
            status = cs_conf_fail(cs_conf_element(parameters, g), err,
                                  "no field uses the parameter \"%s\"", space->genes[g].name);
        }
    }
    if (!status) {
        status = check_layer_count(template, space, body, err);
    }
    if (!status) {
        status = check_corner(template, space, CORNER_LARGEST, input, body, err);
    }
    return status ? status : check_corner(template, space, CORNER_SMALLEST, input, body, err);
}

cs_space *cs_space_read_network(cs_conf_node file, bool *recalled, cs_error *err)
{
    static const char *const keys[] = {"kind",       "name", "source", "input",
                                       "parameters", "body", NULL};
    bool any_recalled = false;
    cs_space *space = cs_space_read_frame(file, "network-space", keys, &any_recalled, err);
    if (!space) {
        return NULL;
    }
    space->network_gene_count = space->gene_count;
    space->network = calloc(1, sizeof *space->network);
    bool *used = calloc(space->gene_count, sizeof *used);
    cs_status status = space->network && used ? CS_OK : cs_fail_memory(err);
    if (!status) {
        status = read_template(file, space, space->network, used, &any_recalled, err);
    }
    free(used);
    if (status) {
        cs_space_free(space);
        return NULL;
    }
    *recalled = *recalled || any_recalled;
    return space;
}
