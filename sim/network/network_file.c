/* Networks as text: see network_file.h. */
#include "sim/network/network_file.h"

#include "base/buffer.h"
#include "base/hash.h"
#include "sim/network/expression.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARAMETERS   24
#define MAX_BLOCKS       64 /* each of which may use the one before it */
#define MAX_BLOCK_INPUTS 4
#define MAX_REPEAT       1024
#define MAX_FROM         4096 /* inputs of one layer */
#define MAX_KEYS         40

/* What a parameter of a block has been given. */
typedef struct parameter {
    const char *name;
    int64_t value;
    bool is_activation; /* the value is a cs_activation */
} parameter;

/* The names that a list of layers sees: the file's, or those of one use of a block. */
typedef struct scope {
    char prefix[CS_NETWORK_MAX_NAME + 1]; /* of its layers' names: "", "stage2.1." ... */
    parameter parameters[MAX_PARAMETERS];
    uint32_t parameter_count;
    cs_layer_id at;       /* what a layer without `from` reads */
    uint32_t block_count; /* those that may be used here: the definitions before this one */
} scope;

/* A name and the layer it stands for; a layer that is left out stands for what it reads. */
typedef struct label {
    uint64_t hash;
    uint32_t name; /* in reader.names */
    cs_layer_id id;
} label;

typedef struct reader {
    cs_network network;
    cs_conf_node defaults, blocks;
    label *labels; /* owned */
    uint32_t label_count, label_capacity;
    uint32_t *slots; /* owned: 1 + index of a label, by hash; twice label_capacity of them */
    cs_buffer names;
    cs_conf_node *places; /* owned: where each layer was written */
    uint32_t entry_count;
    cs_layer_id from[MAX_FROM]; /* of the entry that is being read */
} reader;

/* One element of a list of layers, with all that its values may depend on. */
typedef struct entry {
    cs_conf_node group, defaults;
    const scope *scope;
    cs_shape in; /* of the first that it reads */
    const cs_layer_id *from;
    uint32_t from_count;
} entry;

typedef cs_status append_layer(reader *r, const entry *e, cs_op op, cs_layer_id *id, cs_error *err);

/* A word after `op =`. */
typedef struct kind {
    const char *name;
    cs_op op;
    append_layer *append;
    uint32_t inputs;     /* how many it reads; 0: any number */
    const char *keys[9]; /* beside those of every layer */
} kind;

/* "stage2.1.: " before a message within a block, since its line is that of the definition. */
static cs_status fail_at(const scope *s, cs_conf_node place, cs_error *err, const char *format, ...)
    CS_PRINTF(4, 5);

static cs_status fail_at(const scope *s, cs_conf_node place, cs_error *err, const char *format, ...)
{
    char text[CS_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!*s->prefix) {
        return cs_conf_fail(place, err, "%s", text);
    }
    return cs_conf_fail(place, err, "in %.*s: %s", (int)strlen(s->prefix) - 1, s->prefix, text);
}

/* ---- values ---- */

static cs_status evaluate(const entry *e, cs_conf_node place, const char *text, int64_t *value,
                          cs_error *err)
{
    cs_expression_name names[MAX_PARAMETERS + 3] = {
        {"in_height", e->in.height}, {"in_width", e->in.width}, {"in_channels", e->in.channels}};
    size_t count = 3;
    for (uint32_t i = 0; i < e->scope->parameter_count; i++) {
        const parameter *p = &e->scope->parameters[i];
        if (!p->is_activation) {
            names[count++] = (cs_expression_name){p->name, p->value};
        }
    }
    char problem[CS_EXPRESSION_PROBLEM];
    if (!cs_expression_evaluate(text, names, count, value, problem)) {
        return fail_at(e->scope, place, err, "\"%.80s\": %s", text, problem);
    }
    return CS_OK;
}

/* Where a key's value stands: in the layer, or among the defaults of its operation. */
static cs_conf_node find(const entry *e, const char *key)
{
    cs_conf_node own = cs_conf_member(e->group, key);
    return cs_conf_exists(own) ? own : cs_conf_member(e->defaults, key);
}

static cs_status whole_at(const entry *e, cs_conf_node place, uint32_t min, uint32_t max,
                          uint32_t *value, cs_error *err)
{
    int64_t got;
    const char *text;
    if (!cs_conf_is_string(place)) {
        cs_status status = cs_conf_as_int(place, min, max, &got, err);
        if (status) {
            return status;
        }
    } else {
        cs_status status = cs_conf_as_string(place, &text, err);
        if (status || (status = evaluate(e, place, text, &got, err))) {
            return status;
        }
        if (got < min || got > max) {
            return fail_at(e->scope, place, err, "must be a whole number from %u to %u, not %lld",
                           min, max, (long long)got);
        }
    }
    *value = (uint32_t)got;
    return CS_OK;
}

/* A whole number that keeps its value when the key is absent. */
static cs_status read_whole(const entry *e, const char *key, uint32_t min, uint32_t max,
                            uint32_t *value, cs_error *err)
{
    cs_conf_node place = find(e, key);
    return cs_conf_exists(place) ? whole_at(e, place, min, max, value, err) : CS_OK;
}

static cs_status need(const entry *e, const char *key, cs_error *err)
{
    if (!cs_conf_exists(find(e, key))) {
        return cs_conf_fail(e->group, err, "\"%s\" is missing", key);
    }
    return CS_OK;
}

/* true, false, or an expression that is not zero. */
static cs_status read_switch(const entry *e, const char *key, bool *value, cs_error *err)
{
    cs_conf_node place = find(e, key);
    const char *text;
    if (!cs_conf_exists(place)) {
        return CS_OK;
    }
    if (!cs_conf_is_string(place)) {
        return cs_conf_as_bool(place, value, err);
    }
    int64_t number = 0;
    cs_status status = cs_conf_as_string(place, &text, err);
    if (!status) {
        status = evaluate(e, place, text, &number, err);
    }
    if (!status) {
        *value = number != 0;
    }
    return status;
}

/* One number for height and width, or a list of two. */
static cs_status read_pair(const entry *e, const char *key, uint32_t *height, uint32_t *width,
                           cs_error *err)
{
    cs_conf_node place = find(e, key);
    if (!cs_conf_exists(place)) {
        return CS_OK;
    }
    uint32_t pair[2] = {1, 1};
    cs_status status = CS_OK;
    if (!cs_conf_is_list(place)) {
        status = whole_at(e, place, 1, CS_NETWORK_MAX_SIDE, &pair[0], err);
        pair[1] = pair[0];
    } else if (cs_conf_length(place) != 2) {
        status = cs_conf_fail(place, err, "must be one number, or a list of height and width");
    } else {
        for (size_t i = 0; i < 2 && !status; i++) {
            cs_conf_node side = cs_conf_element(place, i);
            status = whole_at(e, side, 1, CS_NETWORK_MAX_SIDE, &pair[i], err);
        }
    }
    if (!status) {
        *height = pair[0];
        *width = pair[1];
    }
    return status;
}

/* "same", "valid", "causal", one number for all sides, a list of two for top and bottom, left and
 * right, or of four: top, left, bottom, right. */
static cs_status read_padding(const entry *e, cs_window *window, cs_error *err)
{
    static const struct {
        const char *name;
        cs_padding padding;
    } names[] = {
        {"same", CS_PADDING_SAME}, {"valid", CS_PADDING_VALID}, {"causal", CS_PADDING_CAUSAL}};
    cs_conf_node place = find(e, "padding");
    const char *text = "same";
    cs_status status = CS_OK;
    if (cs_conf_exists(place) && !cs_conf_is_string(place)) {
        text = "";
    } else if (cs_conf_exists(place)) {
        status = cs_conf_as_string(place, &text, err);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names && !status; i++) {
        if (strcmp(text, names[i].name) == 0) {
            window->padding = names[i].padding;
            return CS_OK;
        }
    }
    uint32_t sides[4] = {0};
    size_t count = cs_conf_is_list(place) ? cs_conf_length(place) : 1;
    if (!status && count != 1 && count != 2 && count != 4) {
        return cs_conf_fail(place, err,
                            "must be \"same\", \"valid\", \"causal\", a number, or a list of two "
                            "or four");
    }
    for (size_t i = 0; i < 4 && !status; i++) {
        cs_conf_node side = cs_conf_is_list(place) ? cs_conf_element(place, i % count) : place;
        status = whole_at(e, side, 0, CS_NETWORK_MAX_SIDE, &sides[i], err);
    }
    window->padding = CS_PADDING_EXPLICIT;
    window->pad_top = sides[0];
    window->pad_left = sides[1];
    window->pad_bottom = sides[2];
    window->pad_right = sides[3];
    return status;
}

static cs_status read_window(const entry *e, cs_window *window, cs_error *err)
{
    *window = (cs_window){0};
    cs_status status = need(e, "kernel", err);
    if (!status) {
        status = read_pair(e, "kernel", &window->kernel_h, &window->kernel_w, err);
    }
    if (!status) {
        status = read_pair(e, "stride", &window->stride_h, &window->stride_w, err);
    }
    if (!status) {
        status = read_pair(e, "dilation", &window->dilation_h, &window->dilation_w, err);
    }
    if (!status) {
        status = read_switch(e, "ceil", &window->ceil, err);
    }
    return status ? status : read_padding(e, window, err);
}

static bool find_activation(const char *name, int64_t *value)
{
    for (int i = 0; i < CS_ACTIVATION_COUNT; i++) {
        if (strcmp(cs_activation_name((cs_activation)i), name) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

/* The name of an activation, or of a parameter that was given one. */
static cs_status read_activation(const entry *e, cs_activation *activation, cs_error *err)
{
    cs_conf_node place = find(e, "activation");
    const char *text;
    if (!cs_conf_exists(place)) {
        return CS_OK;
    }
    cs_status status = cs_conf_as_string(place, &text, err);
    if (status) {
        return status;
    }
    int64_t value = 0;
    bool known = find_activation(text, &value);
    for (uint32_t i = 0; i < e->scope->parameter_count && !known; i++) {
        const parameter *p = &e->scope->parameters[i];
        known = p->is_activation && strcmp(p->name, text) == 0;
        value = p->value;
    }
    if (!known) {
        return fail_at(e->scope, place, err, "there is no activation \"%.40s\"", text);
    }
    *activation = (cs_activation)value;
    return CS_OK;
}

/* What the network said, with the place. */
static cs_status place_reason(const entry *e, cs_status status, const cs_error *reason,
                              cs_error *err)
{
    if (status == CS_EINVAL) {
        return fail_at(e->scope, e->group, err, "%s", reason->text);
    }
    return status ? cs_fail(err, status, "%s", reason->text) : CS_OK;
}

/* ---- operations ---- */

static cs_status read_channels(const entry *e, const char *key, uint32_t *channels, cs_error *err)
{
    cs_status status = need(e, key, err);
    return status ? status : read_whole(e, key, 1, INT32_MAX, channels, err);
}

/* All of a convolution but channels and groups. */
static cs_status read_conv(const entry *e, cs_conv *conv, cs_error *err)
{
    cs_window window;
    cs_status status = read_window(e, &window, err);
    *conv = (cs_conv){
        .kernel_h = window.kernel_h,
        .kernel_w = window.kernel_w,
        .stride = window.stride_h,
        .stride_w = window.stride_w,
        .dilation = window.dilation_h,
        .dilation_w = window.dilation_w,
        .padding = window.padding,
        .pad_top = window.pad_top,
        .pad_left = window.pad_left,
        .pad_bottom = window.pad_bottom,
        .pad_right = window.pad_right,
    };
    if (!status) {
        status = read_switch(e, "normalized", &conv->normalized, err);
    }
    conv->bias = !conv->normalized;
    return status ? status : read_switch(e, "bias", &conv->bias, err);
}

static cs_status append_conv(reader *r, const entry *e, cs_op op, cs_layer_id *id, cs_error *err)
{
    cs_conv conv;
    cs_error reason;
    cs_status status = read_conv(e, &conv, err);
    if (status || (status = read_channels(e, "channels", &conv.channels, err)) ||
        (status = read_whole(e, "groups", 1, INT32_MAX, &conv.groups, err))) {
        return status;
    }
    status = op == CS_OP_CONV
                 ? cs_network_conv(&r->network, e->from[0], &conv, id, &reason)
                 : cs_network_conv_transpose(&r->network, e->from[0], &conv, id, &reason);
    return place_reason(e, status, &reason, err);
}

static cs_status append_depthwise(reader *r, const entry *e, cs_op op, cs_layer_id *id,
                                  cs_error *err)
{
    (void)op;
    cs_conv conv;
    cs_error reason;
    uint32_t multiplier = 1;
    cs_status status = read_conv(e, &conv, err);
    if (status || (status = read_whole(e, "multiplier", 1, INT32_MAX, &multiplier, err))) {
        return status;
    }
    conv.groups = e->in.channels;
    if (__builtin_mul_overflow(e->in.channels, multiplier, &conv.channels)) {
        return fail_at(e->scope, e->group, err, "%u times %u channels are too many", multiplier,
                       e->in.channels);
    }
    status = cs_network_conv(&r->network, e->from[0], &conv, id, &reason);
    return place_reason(e, status, &reason, err);
}

/* What has one number of features and perhaps a bias: dense layers and cells. */
static cs_status append_features(reader *r, const entry *e, cs_op op, cs_layer_id *id,
                                 cs_error *err)
{
    uint32_t count = 0;
    bool bias = true;
    cs_error reason;
    cs_status status = read_channels(e, op == CS_OP_DENSE ? "channels" : "units", &count, err);
    if (status || (status = read_switch(e, "bias", &bias, err))) {
        return status;
    }
    status = op == CS_OP_DENSE
                 ? cs_network_dense(&r->network, e->from[0], count, bias, CS_ACTIVATION_NONE, id,
                                    &reason)
                 : cs_network_cell(&r->network, e->from[0], op, count, bias, id, &reason);
    return place_reason(e, status, &reason, err);
}

static cs_status append_matmul(reader *r, const entry *e, cs_op op, cs_layer_id *id, cs_error *err)
{
    (void)op;
    bool transposed = false;
    cs_error reason;
    cs_status status = read_switch(e, "transposed", &transposed, err);
    if (status) {
        return status;
    }
    status = cs_network_matmul(&r->network, e->from[0], e->from[1], transposed, id, &reason);
    return place_reason(e, status, &reason, err);
}

static cs_status append_pool(reader *r, const entry *e, cs_op op, cs_layer_id *id, cs_error *err)
{
    cs_window window;
    cs_error reason;
    cs_status status = read_window(e, &window, err);
    if (status) {
        return status;
    }
    status = cs_network_pool_window(&r->network, e->from[0], op, &window, id, &reason);
    return place_reason(e, status, &reason, err);
}

static cs_status append_resize(reader *r, const entry *e, cs_op op, cs_layer_id *id, cs_error *err)
{
    (void)op;
    uint32_t height = e->in.height, width = e->in.width;
    cs_error reason;
    cs_status status = read_whole(e, "height", 1, CS_NETWORK_MAX_SIDE, &height, err);
    if (status || (status = read_whole(e, "width", 1, CS_NETWORK_MAX_SIDE, &width, err))) {
        return status;
    }
    status = cs_network_resize(&r->network, e->from[0], height, width, id, &reason);
    return place_reason(e, status, &reason, err);
}

/* A reshape's `shape` or a transpose's `order`: three numbers. */
static cs_status append_rearranged(reader *r, const entry *e, cs_op op, cs_layer_id *id,
                                   cs_error *err)
{
    const char *key = op == CS_OP_RESHAPE ? "shape" : "order";
    uint32_t three[3] = {0};
    cs_error reason;
    cs_status status = need(e, key, err);
    if (status) {
        return status;
    }
    cs_conf_node place = find(e, key);
    if (!cs_conf_is_list(place) || cs_conf_length(place) != 3) {
        return cs_conf_fail(place, err, "must be a list of three");
    }
    for (size_t i = 0; i < 3 && !status; i++) {
        status = whole_at(e, cs_conf_element(place, i), 0, op == CS_OP_RESHAPE ? INT32_MAX : 2,
                          &three[i], err);
    }
    if (status) {
        return status;
    }
    const cs_shape shape = {three[0], three[1], three[2]};
    status = op == CS_OP_RESHAPE
                 ? cs_network_reshape(&r->network, e->from[0], shape, id, &reason)
                 : cs_network_transpose(&r->network, e->from[0], three, id, &reason);
    return place_reason(e, status, &reason, err);
}

/* What its inputs say all of. */
static cs_status append_plain(reader *r, const entry *e, cs_op op, cs_layer_id *id, cs_error *err)
{
    cs_network *network = &r->network;
    const cs_layer_id *from = e->from;
    cs_error reason;
    cs_status status;
    switch (op) {
    case CS_OP_ADD:
        status = cs_network_add(network, from[0], from[1], id, &reason);
        break;
    case CS_OP_MULTIPLY:
        status = cs_network_multiply(network, from[0], from[1], id, &reason);
        break;
    case CS_OP_SCALE:
        status = cs_network_scale(network, from[0], from[1], id, &reason);
        break;
    case CS_OP_CONCAT:
        status = cs_network_concat(network, from, e->from_count, id, &reason);
        break;
    case CS_OP_POOL_GLOBAL:
        status = cs_network_pool_global(network, from[0], id, &reason);
        break;
    case CS_OP_ACTIVATION: {
        cs_activation activation = CS_ACTIVATION_NONE;
        status = read_activation(e, &activation, err);
        if (status || (status = need(e, "activation", err))) {
            return status;
        }
        status = cs_network_activate(network, from[0], activation, id, &reason);
        break;
    }
    default:
        status = cs_network_map(network, from[0], op, id, &reason);
        break;
    }
    return place_reason(e, status, &reason, err);
}

#define WINDOW_KEYS "kernel", "stride", "dilation", "padding"
#define CONV_KEYS   WINDOW_KEYS, "normalized", "bias"

static const kind kinds[] = {
    {"conv", CS_OP_CONV, append_conv, 1, {CONV_KEYS, "channels", "groups"}},
    {"depthwise", CS_OP_CONV, append_depthwise, 1, {CONV_KEYS, "multiplier"}},
    {"conv-transpose", CS_OP_CONV_TRANSPOSE, append_conv, 1, {CONV_KEYS, "channels"}},
    {"dense", CS_OP_DENSE, append_features, 1, {"channels", "bias"}},
    {"matmul", CS_OP_MATMUL, append_matmul, 2, {"transposed"}},
    {"pool-max", CS_OP_POOL_MAX, append_pool, 1, {WINDOW_KEYS, "ceil"}},
    {"pool-avg", CS_OP_POOL_AVG, append_pool, 1, {WINDOW_KEYS, "ceil"}},
    {"pool-global", CS_OP_POOL_GLOBAL, append_plain, 1, {NULL}},
    {"add", CS_OP_ADD, append_plain, 2, {NULL}},
    {"multiply", CS_OP_MULTIPLY, append_plain, 2, {NULL}},
    {"scale", CS_OP_SCALE, append_plain, 2, {NULL}},
    {"concat", CS_OP_CONCAT, append_plain, 0, {NULL}},
    {"activation", CS_OP_ACTIVATION, append_plain, 1, {NULL}},
    {"batch-norm", CS_OP_BATCH_NORM, append_plain, 1, {NULL}},
    {"layer-norm", CS_OP_LAYER_NORM, append_plain, 1, {NULL}},
    {"softmax", CS_OP_SOFTMAX, append_plain, 1, {NULL}},
    {"resize", CS_OP_RESIZE, append_resize, 1, {"height", "width"}},
    {"reshape", CS_OP_RESHAPE, append_rearranged, 1, {"shape"}},
    {"transpose", CS_OP_TRANSPOSE, append_rearranged, 1, {"order"}},
    {"lstm", CS_OP_LSTM, append_features, 1, {"units", "bias"}},
    {"gru", CS_OP_GRU, append_features, 1, {"units", "bias"}},
};

static const kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* ---- names ---- */

/* The slot of a name: its own, or the empty one where it would be. */
static uint32_t *find_slot(const reader *r, const char *name, uint64_t hash)
{
    uint32_t mask = 2 * r->label_capacity - 1;
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        const label *l = &r->labels[r->slots[i] - 1];
        if (r->slots[i] == 0 ||
            (l->hash == hash && strcmp((const char *)r->names.data + l->name, name) == 0)) {
            return &r->slots[i];
        }
    }
}

static bool find_label(const reader *r, const char *name, cs_layer_id *id)
{
    uint32_t slot = r->label_capacity ? *find_slot(r, name, cs_key_of(name, strlen(name)).low) : 0;
    if (slot) {
        *id = r->labels[slot - 1].id;
    }
    return slot != 0;
}

static cs_status grow_labels(reader *r, cs_error *err)
{
    uint32_t capacity = r->label_capacity ? 2 * r->label_capacity : 64;
    label *labels = realloc(r->labels, capacity * sizeof *labels);
    if (!labels) {
        return cs_fail_memory(err);
    }
    r->labels = labels;
    uint32_t *slots = calloc(2 * (size_t)capacity, sizeof *slots);
    if (!slots) {
        return cs_fail_memory(err);
    }
    free(r->slots);
    r->slots = slots;
    r->label_capacity = capacity;
    for (uint32_t i = 0; i < r->label_count; i++) {
        const char *name = (const char *)r->names.data + labels[i].name;
        *find_slot(r, name, labels[i].hash) = i + 1;
    }
    return CS_OK;
}

/* prefix + name; false if that is too long. */
static bool join(const scope *s, const char *name, char full[CS_NETWORK_MAX_NAME + 1])
{
    int length = snprintf(full, CS_NETWORK_MAX_NAME + 1, "%s%s", s->prefix, name);
    return length >= 0 && length <= (int)CS_NETWORK_MAX_NAME;
}

static bool is_name(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') {
            return false;
        }
    }
    return *text != '\0';
}

/* Let `name` stand for a layer in this scope. */
static cs_status add_label(reader *r, const scope *s, cs_conf_node place, const char *name,
                           cs_layer_id id, cs_error *err)
{
    char full[CS_NETWORK_MAX_NAME + 1];
    cs_layer_id other;
    if (!is_name(name)) {
        return fail_at(s, place, err, "a name is letters, digits, - and _, not \"%.40s\"", name);
    }
    if (!join(s, name, full)) {
        return fail_at(s, place, err, "the names of blocks and layer together have over %u bytes",
                       CS_NETWORK_MAX_NAME);
    }
    if (find_label(r, full, &other)) {
        return fail_at(s, place, err, "the name \"%s\" is taken", name);
    }
    if (r->label_count == r->label_capacity) {
        cs_status status = grow_labels(r, err);
        if (status) {
            return status;
        }
    }
    uint32_t offset = (uint32_t)r->names.size;
    cs_buffer_put(&r->names, full, strlen(full) + 1);
    if (r->names.failed) {
        return cs_fail_memory(err);
    }
    uint64_t hash = cs_key_of(full, strlen(full)).low;
    r->labels[r->label_count++] = (label){.hash = hash, .name = offset, .id = id};
    *find_slot(r, full, hash) = r->label_count;
    return CS_OK;
}

/* ---- layers and blocks ---- */

/* No key of `group` but those of the two lists, each of which ends with NULL. */
static cs_status check_keys(cs_conf_node group, const char *const *common, const char *const *own,
                            cs_error *err)
{
    const char *keys[MAX_KEYS + 1];
    size_t count = 0;
    while (*common && count < MAX_KEYS) {
        keys[count++] = *common++;
    }
    while (*own && count < MAX_KEYS) {
        keys[count++] = *own++;
    }
    keys[count] = NULL;
    return cs_conf_only(group, keys, err);
}

/* The layer that a text names. */
static cs_status resolve(reader *r, const scope *s, cs_conf_node place, cs_layer_id *id,
                         cs_error *err)
{
    const char *name;
    char full[CS_NETWORK_MAX_NAME + 1];
    cs_status status = cs_conf_as_string(place, &name, err);
    if (status) {
        return status;
    }
    if (!join(s, name, full) || !find_label(r, full, id)) {
        return fail_at(s, place, err, "no layer before this one is called \"%.80s\"", name);
    }
    return CS_OK;
}

/* What an element of a list of layers reads, into r->from. */
static cs_status read_from(reader *r, const scope *s, entry *e, cs_error *err)
{
    cs_conf_node place = cs_conf_member(e->group, "from");
    cs_status status = CS_OK;
    e->from = r->from;
    e->from_count = 1;
    if (!cs_conf_exists(place)) {
        r->from[0] = s->at;
    } else if (!cs_conf_is_list(place)) {
        status = resolve(r, s, place, &r->from[0], err);
    } else if (cs_conf_length(place) == 0 || cs_conf_length(place) > MAX_FROM) {
        status = cs_conf_fail(place, err, "must name 1 to %d layers", MAX_FROM);
    } else {
        e->from_count = (uint32_t)cs_conf_length(place);
        for (uint32_t i = 0; i < e->from_count && !status; i++) {
            status = resolve(r, s, cs_conf_element(place, i), &r->from[i], err);
        }
    }
    if (!status) {
        e->in = r->network.layers[r->from[0]].out;
    }
    return status;
}

static cs_status expect_inputs(const entry *e, const char *name, uint32_t wanted, cs_error *err)
{
    if (wanted != 0 && e->from_count != wanted) {
        return fail_at(e->scope, e->group, err, "%s reads %u layer%s, not %u", name, wanted,
                       wanted == 1 ? "" : "s", e->from_count);
    }
    return CS_OK;
}

/* What every layer may say of itself. */
static cs_status read_common(reader *r, const entry *e, cs_layer_id id, cs_error *err)
{
    uint32_t weight_bits = 8, act_bits = 8;
    double weight_density = 1, act_density = 1;
    cs_activation activation = CS_ACTIVATION_NONE;
    cs_error reason;
    cs_conf_node place;
    cs_status status = read_activation(e, &activation, err);
    if (status || (status = read_whole(e, "weight_bits", 4, 16, &weight_bits, err)) ||
        (status = read_whole(e, "act_bits", 4, 16, &act_bits, err))) {
        return status;
    }
    place = find(e, "weight_density");
    if (cs_conf_exists(place)) {
        status = cs_conf_as_number(place, 0, 1, &weight_density, err);
    }
    place = find(e, "act_density");
    if (cs_conf_exists(place) && !status) {
        status = cs_conf_as_number(place, 0, 1, &act_density, err);
    }
    if (status) {
        return status;
    }
    cs_network_fold_activation(&r->network, id, activation);
    status = cs_network_set_bits(&r->network, id, weight_bits, act_bits, &reason);
    if (!status) {
        status = cs_network_set_density(&r->network, id, weight_density, act_density, &reason);
    }
    return place_reason(e, status, &reason, err);
}

/* Give the layer `name`, or its operation's, and remember where it was written. */
static cs_status tag(reader *r, const entry *e, cs_layer_id id, const char *name, cs_error *err)
{
    char full[CS_NETWORK_MAX_NAME + 1];
    cs_error reason;
    if (!join(e->scope, name, full)) {
        return fail_at(e->scope, e->group, err,
                       "the names of blocks and layer together have over %u bytes",
                       CS_NETWORK_MAX_NAME);
    }
    r->places[id] = e->group;
    return place_reason(e, cs_network_set_name(&r->network, id, full, &reason), &reason, err);
}

static const char *const layer_keys[] = {"op",          "name",        "from",     "when",
                                         "activation",  "weight_bits", "act_bits", "weight_density",
                                         "act_density", NULL};

static cs_status read_layer(reader *r, scope *s, entry *e, const char *name, cs_error *err)
{
    const char *op = NULL;
    cs_layer_id id = 0;
    cs_status status = cs_conf_string(e->group, "op", &op, err);
    if (status) {
        return status;
    }
    const kind *k = find_kind(op);
    if (!k) {
        return fail_at(s, cs_conf_member(e->group, "op"), err, "there is no operation \"%.40s\"",
                       op);
    }
    e->defaults = cs_conf_member(r->defaults, k->name);
    bool wanted = true;
    if ((status = check_keys(e->group, layer_keys, k->keys, err)) ||
        (status = expect_inputs(e, op, k->inputs, err)) ||
        (status = read_switch(e, "when", &wanted, err))) {
        return status;
    }
    if (!wanted) {
        s->at = e->from[0];
        return CS_OK;
    }
    if ((status = k->append(r, e, k->op, &id, err)) || (status = read_common(r, e, id, err)) ||
        (status = tag(r, e, id, name ? name : op, err))) {
        return status;
    }
    s->at = id;
    return CS_OK;
}

static cs_status read_layers(reader *r, cs_conf_node list, scope *s, cs_error *err);

/* The value that a use of a block, or its definition, gives to a parameter. */
static cs_status read_parameter(const entry *e, cs_conf_node place, parameter *p, cs_error *err)
{
    const char *text;
    cs_status status = CS_OK;
    p->is_activation = false;
    if (cs_conf_is_bool(place)) {
        bool truth = false;
        status = cs_conf_as_bool(place, &truth, err);
        p->value = truth;
        return status;
    }
    if (!cs_conf_is_string(place)) {
        return cs_conf_as_int(place, INT32_MIN, INT32_MAX, &p->value, err);
    }
    status = cs_conf_as_string(place, &text, err);
    if (status) {
        return status;
    }
    if (find_activation(text, &p->value)) {
        p->is_activation = true;
        return CS_OK;
    }
    for (uint32_t i = 0; i < e->scope->parameter_count; i++) {
        const parameter *outer = &e->scope->parameters[i];
        if (outer->is_activation && strcmp(outer->name, text) == 0) {
            p->is_activation = true;
            p->value = outer->value;
            return CS_OK;
        }
    }
    return evaluate(e, place, text, &p->value, err);
}

/* Parameters are listed by name under `parameters` when they are required, and with their usual
 * value under `optional`. */
static cs_status read_parameters(const entry *e, cs_conf_node block, scope *inner, cs_error *err)
{
    cs_conf_node required = cs_conf_member(block, "parameters");
    cs_conf_node optional = cs_conf_member(block, "optional");
    size_t first = cs_conf_length(required), count = first + cs_conf_length(optional);
    if (count > MAX_PARAMETERS) {
        return cs_conf_fail(block, err, "has more than %d parameters", MAX_PARAMETERS);
    }
    const char *keys[MAX_PARAMETERS + 1] = {NULL};
    static const char *const use_keys[] = {"block", "name", "from", "when", "repeat", NULL};
    cs_status status = CS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        parameter *p = &inner->parameters[i];
        if (i < first) {
            status = cs_conf_as_string(cs_conf_element(required, i), &p->name, err);
        } else {
            p->name = cs_conf_key(cs_conf_element(optional, i - first));
        }
        keys[i] = status ? NULL : p->name;
    }
    if (status || (status = check_keys(e->group, use_keys, keys, err))) {
        return status;
    }
    for (size_t i = 0; i < count && !status; i++) {
        /* A usual value may depend on the parameters before it. */
        entry definition = *e;
        definition.scope = inner;
        cs_conf_node place = cs_conf_member(e->group, keys[i]);
        if (cs_conf_exists(place)) {
            status = read_parameter(e, place, &inner->parameters[i], err);
        } else if (i >= first) {
            place = cs_conf_element(optional, i - first);
            status = read_parameter(&definition, place, &inner->parameters[i], err);
        } else {
            status = fail_at(e->scope, e->group, err, "the block's \"%s\" is missing", keys[i]);
        }
        inner->parameter_count++;
    }
    return status;
}

/* The prefix of the names in one repetition of a block. */
static cs_status name_scope(const scope *s, const entry *e, const char *name, const char *block,
                            uint32_t number, uint32_t repetition, bool repeats, scope *inner,
                            cs_error *err)
{
    char own[CS_NETWORK_MAX_NAME + 1];
    if (name) {
        snprintf(own, sizeof own, "%s", name);
    } else {
        snprintf(own, sizeof own, "%s@%u", block, number);
    }
    int length = repeats ? snprintf(inner->prefix, sizeof inner->prefix, "%s%s.%u.", s->prefix, own,
                                    repetition)
                         : snprintf(inner->prefix, sizeof inner->prefix, "%s%s.", s->prefix, own);
    if (length < 0 || (size_t)length >= sizeof inner->prefix) {
        inner->prefix[0] = '\0';
        return fail_at(s, e->group, err, "the names of blocks have over %u bytes together",
                       CS_NETWORK_MAX_NAME);
    }
    return CS_OK;
}

/* Run through a block's layers once; it reads the `count` layers of `from`. */
static cs_status unfold(reader *r, cs_conf_node block, const cs_layer_id *from, uint32_t count,
                        scope *inner, cs_error *err)
{
    cs_conf_node layers, inputs = cs_conf_member(block, "inputs");
    cs_status status = cs_conf_list(block, "layers", &layers, err);
    inner->at = from[0];
    for (uint32_t i = 0; i < count && !status; i++) {
        const char *name = "input";
        cs_conf_node place = cs_conf_element(inputs, i);
        if (cs_conf_exists(place)) {
            status = cs_conf_as_string(place, &name, err);
        }
        if (!status) {
            status = add_label(r, inner, cs_conf_exists(place) ? place : block, name, from[i], err);
        }
    }
    return status ? status : read_layers(r, layers, inner, err);
}

/* The definition of a block, which has to be before the block that uses it. */
static cs_status find_block(const reader *r, const scope *s, cs_conf_node place, const char *name,
                            cs_conf_node *block, uint32_t *index, cs_error *err)
{
    for (uint32_t i = 0; i < cs_conf_length(r->blocks); i++) {
        cs_conf_node candidate = cs_conf_element(r->blocks, i);
        if (strcmp(cs_conf_key(candidate), name) != 0) {
            continue;
        }
        if (i >= s->block_count) {
            return fail_at(s, place, err, "block \"%s\" is not defined before the one that uses it",
                           name);
        }
        *block = candidate;
        *index = i;
        return CS_OK;
    }
    return fail_at(s, place, err, "there is no block \"%.40s\"", name);
}

static cs_status read_use(reader *r, scope *s, entry *e, const char *name, cs_error *err)
{
    const char *block_name;
    cs_conf_node block = {0};
    scope inner = {0};
    uint32_t repeat = 1;
    bool wanted = true;
    cs_status status = cs_conf_string(e->group, "block", &block_name, err);
    if (status ||
        (status = find_block(r, s, cs_conf_member(e->group, "block"), block_name, &block,
                             &inner.block_count, err)) ||
        (status = read_parameters(e, block, &inner, err)) ||
        (status = read_switch(e, "when", &wanted, err)) ||
        (status = read_whole(e, "repeat", 1, MAX_REPEAT, &repeat, err))) {
        return status;
    }
    cs_conf_node inputs = cs_conf_member(block, "inputs");
    uint32_t count = cs_conf_exists(inputs) ? (uint32_t)cs_conf_length(inputs) : 1;
    if ((status = expect_inputs(e, block_name, count, err))) {
        return status;
    }
    s->at = e->from[0];
    if (!wanted) {
        return CS_OK;
    }
    cs_layer_id from[MAX_BLOCK_INPUTS]; /* the entries within overwrite r->from */
    memcpy(from, e->from, count * sizeof *from);
    uint32_t number = r->entry_count;
    bool repeats = cs_conf_exists(cs_conf_member(e->group, "repeat"));
    for (uint32_t i = 0; i < repeat && !status; i++) {
        status = name_scope(s, e, name, block_name, number, i, repeats, &inner, err);
        if (!status) {
            status = unfold(r, block, from, count, &inner, err);
        }
        from[0] = inner.at;
    }
    s->at = from[0];
    return status;
}

static cs_status read_layers(reader *r, cs_conf_node list, scope *s, cs_error *err)
{
    cs_status status = CS_OK;
    for (size_t i = 0; i < cs_conf_length(list) && !status; i++) {
        entry e = {.group = cs_conf_element(list, i), .defaults = {0}, .scope = s};
        const char *name = NULL;
        if (!cs_conf_is_group(e.group)) {
            return cs_conf_fail(e.group, err, "must be a group { op = ...; ... }");
        }
        if (r->entry_count == CS_NETWORK_MAX_ENTRIES) {
            return fail_at(s, e.group, err, "unfolds to more than %u layers and blocks",
                           CS_NETWORK_MAX_ENTRIES);
        }
        r->entry_count++;
        bool use = cs_conf_exists(cs_conf_member(e.group, "block"));
        status = cs_conf_maybe_string(e.group, "name", &name, err);
        if (!status) {
            status = read_from(r, s, &e, err);
        }
        if (!status) {
            status = use ? read_use(r, s, &e, name, err) : read_layer(r, s, &e, name, err);
        }
        if (!status && name) {
            status = add_label(r, s, cs_conf_member(e.group, "name"), name, s->at, err);
        }
    }
    return status;
}

/* ---- the file ---- */

static cs_status read_inputs(reader *r, cs_conf_node file, scope *s, cs_error *err)
{
    static const char *const keys[] = {"name",     "height",      "width", "channels",
                                       "act_bits", "act_density", NULL};
    cs_conf_node list;
    cs_status status = cs_conf_list(file, "inputs", &list, err);
    if (status) {
        return status;
    }
    if (cs_conf_length(list) == 0) {
        return cs_conf_fail(list, err, "a network has at least one input");
    }
    for (size_t i = 0; i < cs_conf_length(list) && !status; i++) {
        entry e = {.group = cs_conf_element(list, i), .defaults = {0}, .scope = s};
        int64_t height = 1, width = 1, channels = 0;
        const char *name = NULL;
        cs_layer_id id = 0;
        cs_error reason;
        if ((status = cs_conf_only(e.group, keys, err)) ||
            (status = cs_conf_string(e.group, "name", &name, err)) ||
            (status = cs_conf_maybe_int(e.group, "height", 1, CS_NETWORK_MAX_SIDE, &height, err)) ||
            (status = cs_conf_maybe_int(e.group, "width", 1, CS_NETWORK_MAX_SIDE, &width, err)) ||
            (status = cs_conf_int(e.group, "channels", 1, INT32_MAX, &channels, err))) {
            return status;
        }
        const cs_shape shape = {(uint32_t)height, (uint32_t)width, (uint32_t)channels};
        status = i == 0 ? cs_network_start(&r->network, shape, &reason)
                        : cs_network_input(&r->network, shape, &id, &reason);
        if ((status = place_reason(&e, status, &reason, err)) ||
            (status = read_common(r, &e, id, err)) || (status = tag(r, &e, id, name, err))) {
            return status;
        }
        status = add_label(r, s, e.group, name, id, err);
    }
    return status;
}

/* Every sub-group is an operation, with keys that it knows. */
static cs_status check_defaults(cs_conf_node defaults, cs_error *err)
{
    static const char *const common[] = {"activation",     "weight_bits", "act_bits",
                                         "weight_density", "act_density", NULL};
    cs_status status = CS_OK;
    if (cs_conf_exists(defaults) && !cs_conf_is_group(defaults)) {
        return cs_conf_fail(defaults, err, "must be a group { conv = { ... }; ... }");
    }
    for (size_t i = 0; i < cs_conf_length(defaults) && !status; i++) {
        cs_conf_node group = cs_conf_element(defaults, i);
        const kind *k = find_kind(cs_conf_key(group));
        if (!k) {
            return cs_conf_fail(group, err, "there is no such operation");
        }
        status = check_keys(group, common, k->keys, err);
    }
    return status;
}

static cs_status check_block(cs_conf_node block, cs_error *err)
{
    static const char *const keys[] = {"parameters", "optional", "inputs", "layers", NULL};
    cs_conf_node node;
    cs_status status = cs_conf_only(block, keys, err);
    node = cs_conf_member(block, "parameters");
    if (!status && cs_conf_exists(node) && !cs_conf_is_list(node)) {
        status = cs_conf_fail(node, err, "must be a list of names");
    }
    node = cs_conf_member(block, "optional");
    if (!status && cs_conf_exists(node) && !cs_conf_is_group(node)) {
        status = cs_conf_fail(node, err, "must be a group { name = value; ... }");
    }
    node = cs_conf_member(block, "inputs");
    if (!status && cs_conf_exists(node) &&
        (!cs_conf_is_list(node) || cs_conf_length(node) == 0 ||
         cs_conf_length(node) > MAX_BLOCK_INPUTS)) {
        status = cs_conf_fail(node, err, "must be a list of 1 to %d names", MAX_BLOCK_INPUTS);
    }
    if (!status) {
        status = cs_conf_list(block, "layers", &node, err);
    }
    /* Every use counts as an entry at least, so that repetition ends at the limit of entries. */
    if (!status && cs_conf_length(node) == 0) {
        status = cs_conf_fail(node, err, "a block has at least one layer");
    }
    return status;
}

static cs_status check_blocks(cs_conf_node blocks, cs_error *err)
{
    cs_status status = CS_OK;
    if (cs_conf_exists(blocks) && !cs_conf_is_group(blocks)) {
        return cs_conf_fail(blocks, err, "must be a group { name = { ... }; ... }");
    }
    if (cs_conf_length(blocks) > MAX_BLOCKS) {
        return cs_conf_fail(blocks, err, "holds more than %d blocks", MAX_BLOCKS);
    }
    for (size_t i = 0; i < cs_conf_length(blocks) && !status; i++) {
        status = check_block(cs_conf_element(blocks, i), err);
    }
    return status;
}

/* What nothing reads is an output, and the other way round. */
static cs_status check_outputs(reader *r, cs_conf_node file, const scope *s, cs_error *err)
{
    cs_conf_node list = cs_conf_member(file, "outputs");
    const cs_network *network = &r->network;
    bool *output = calloc(network->layer_count, sizeof *output);
    if (!output) {
        return cs_fail_memory(err);
    }
    cs_status status = CS_OK;
    if (!cs_conf_exists(list)) {
        output[s->at] = true;
    } else if (!cs_conf_is_list(list) || cs_conf_length(list) == 0) {
        status = cs_conf_fail(list, err, "must be a list of names");
    }
    for (size_t i = 0; i < cs_conf_length(list) && !status; i++) {
        cs_conf_node place = cs_conf_element(list, i);
        cs_layer_id id = 0;
        status = resolve(r, s, place, &id, err);
        if (!status && network->layers[id].last_use != id) {
            status = cs_conf_fail(place, err, "is read by a layer, so it is no output");
        }
        output[id] = true;
    }
    for (cs_layer_id i = 0; i < network->layer_count && !status; i++) {
        if (network->layers[i].last_use == i && !output[i]) {
            status = cs_conf_fail(r->places[i], err, "nothing reads \"%s\", and it is no output",
                                  cs_layer_name(network, &network->layers[i]));
        }
    }
    free(output);
    return status;
}

static cs_status read_file(reader *r, cs_conf_node file, cs_error *err)
{
    static const char *const keys[] = {"kind",     "name",   "source", "batch",   "inputs",
                                       "defaults", "blocks", "layers", "outputs", NULL};
    const char *text;
    int64_t batch = 1;
    cs_conf_node layers;
    scope s = {.block_count = MAX_BLOCKS};
    cs_status status = cs_conf_only(file, keys, err);
    if (status || (status = cs_conf_string(file, "kind", &text, err))) {
        return status;
    }
    if (strcmp(text, "network") != 0) {
        return cs_conf_fail(cs_conf_member(file, "kind"), err, "must be \"network\", not \"%.40s\"",
                            text);
    }
    r->defaults = cs_conf_member(file, "defaults");
    r->blocks = cs_conf_member(file, "blocks");
    if ((status = cs_conf_string(file, "name", &text, err)) ||
        (status = cs_conf_maybe_string(file, "source", &text, err)) ||
        (status = cs_conf_maybe_int(file, "batch", 1, CS_NETWORK_MAX_BATCH, &batch, err)) ||
        (status = check_defaults(r->defaults, err)) || (status = check_blocks(r->blocks, err)) ||
        (status = read_inputs(r, file, &s, err)) ||
        (status = cs_conf_list(file, "layers", &layers, err))) {
        return status;
    }
    if (cs_conf_length(layers) == 0) {
        return cs_conf_fail(layers, err, "a network has at least one layer");
    }
    if ((status = read_layers(r, layers, &s, err)) || (status = check_outputs(r, file, &s, err))) {
        return status;
    }
    cs_error reason;
    status = cs_network_set_batch(&r->network, (uint32_t)batch, &reason);
    if (status) {
        return cs_conf_fail(cs_conf_member(file, "batch"), err, "%s", reason.text);
    }
    return CS_OK;
}

cs_status cs_network_read(cs_conf_node file, cs_network *network, cs_error *err)
{
    reader *r = calloc(1, sizeof *r);
    if (!r) {
        return cs_fail_memory(err);
    }
    r->places = calloc(CS_NETWORK_MAX_LAYERS, sizeof *r->places);
    cs_status status = r->places ? read_file(r, file, err) : cs_fail_memory(err);
    if (!status) {
        cs_network_release(network);
        *network = r->network;
    } else {
        cs_network_release(&r->network);
    }
    free(r->labels);
    free(r->slots);
    free(r->places);
    cs_buffer_release(&r->names);
    free(r);
    return status;
}
