/* Every operation by its definition: see reference.h. */
#include "sim/executor/reference.h"

#include "sim/executor/arithmetic.h"

#include <stdlib.h>
#include <string.h>

typedef struct layer_run {
    const cs_network *network;
    const cs_values *values;
    const cs_layer *layer;
    cs_layer_id id;
    const int8_t *a, *b; /* the first two inputs */
    int8_t *out;
    int8_t *cells; /* of an LSTM: what its units remember */
} layer_run;

static uint64_t at(cs_shape shape, uint64_t y, uint64_t x, uint64_t c)
{
    return (y * shape.width + x) * shape.channels + c;
}

static bool inside(int64_t y, int64_t x, cs_shape shape)
{
    return y >= 0 && x >= 0 && y < shape.height && x < shape.width;
}

static int8_t finish(const layer_run *r, uint64_t channel, int64_t sum, uint64_t products)
{
    int8_t value = cs_requantise(sum, cs_sum_shift(products));
    return cs_activate(r->layer->activation, value, cs_values_slope(r->values, r->id, channel));
}

static void run_conv(const layer_run *r)
{
    const cs_layer *l = r->layer;
    uint32_t fan = l->in.channels / l->groups, made = l->out.channels / l->groups;
    uint64_t products = (uint64_t)l->kernel_h * l->kernel_w * fan;
    for (uint32_t y = 0; y < l->out.height; y++) {
        for (uint32_t x = 0; x < l->out.width; x++) {
            for (uint32_t o = 0; o < l->out.channels; o++) {
                int64_t sum = cs_values_bias(r->values, r->id, o);
                for (uint64_t j = 0; j < products; j++) {
                    uint64_t i = j / fan / l->kernel_w, k = j / fan % l->kernel_w;
                    int64_t row = (int64_t)(y * l->stride_h + i * l->dilation_h) - l->pad_top;
                    int64_t col = (int64_t)(x * l->stride_w + k * l->dilation_w) - l->pad_left;
                    if (inside(row, col, l->in)) {
                        sum +=
                            cs_values_weight(r->values, r->id, o, j) *
                            r->a[at(l->in, (uint64_t)row, (uint64_t)col, o / made * fan + j % fan)];
                    }
                }
                r->out[at(l->out, y, x, o)] = finish(r, o, sum, products);
            }
        }
    }
}

/* Output row of kernel row `i` over input row `row`. */
static int64_t spread_to(uint64_t row, uint64_t stride, uint64_t i, uint64_t dilation, uint64_t cut)
{
    return (int64_t)(row * stride + i * dilation) - (int64_t)cut;
}

static void run_conv_transpose(const layer_run *r)
{
    const cs_layer *l = r->layer;
    uint32_t fan = l->in.channels;
    uint64_t products = (uint64_t)l->kernel_h * l->kernel_w * fan;
    for (uint32_t y = 0; y < l->out.height; y++) {
        for (uint32_t x = 0; x < l->out.width; x++) {
            for (uint32_t o = 0; o < l->out.channels; o++) {
                int64_t sum = cs_values_bias(r->values, r->id, o);
                for (uint64_t e = 0; e < cs_shape_elements(l->in); e++) {
                    uint64_t c = e % fan, col = e / fan % l->in.width, row = e / fan / l->in.width;
                    for (uint64_t t = 0; t < (uint64_t)l->kernel_h * l->kernel_w; t++) {
                        uint64_t i = t / l->kernel_w, k = t % l->kernel_w;
                        if (spread_to(row, l->stride_h, i, l->dilation_h, l->pad_top) == y &&
                            spread_to(col, l->stride_w, k, l->dilation_w, l->pad_left) == x) {
                            sum += cs_values_weight(r->values, r->id, o, t * fan + c) * r->a[e];
                        }
                    }
                }
                r->out[at(l->out, y, x, o)] = finish(r, o, sum, products);
            }
        }
    }
}

static void run_dense(const layer_run *r)
{
    uint64_t fan = cs_shape_elements(r->layer->in);
    for (uint32_t o = 0; o < r->layer->out.channels; o++) {
        int64_t sum = cs_values_bias(r->values, r->id, o);
        for (uint64_t j = 0; j < fan; j++) {
            sum += cs_values_weight(r->values, r->id, o, j) * r->a[j];
        }
        r->out[o] = finish(r, o, sum, fan);
    }
}

static void run_matmul(const layer_run *r)
{
    const cs_layer *l = r->layer;
    for (uint32_t h = 0; h < l->out.height; h++) {
        for (uint32_t m = 0; m < l->out.width; m++) {
            for (uint32_t n = 0; n < l->out.channels; n++) {
                int64_t sum = 0;
                for (uint32_t k = 0; k < l->in.channels; k++) {
                    uint64_t other =
                        l->transposed ? at(l->second, h, n, k) : at(l->second, h, k, n);
                    sum += r->a[at(l->in, h, m, k)] * r->b[other];
                }
                r->out[at(l->out, h, m, n)] = finish(r, n, sum, l->in.channels);
            }
        }
    }
}

static void run_pool(const layer_run *r)
{
    const cs_layer *l = r->layer;
    bool global = l->op == CS_OP_POOL_GLOBAL;
    for (uint32_t y = 0; y < l->out.height; y++) {
        for (uint32_t x = 0; x < l->out.width; x++) {
            for (uint32_t c = 0; c < l->out.channels; c++) {
                int64_t sum = 0, count = 0, most = INT8_MIN;
                for (uint32_t i = 0; i < l->kernel_h; i++) {
                    for (uint32_t k = 0; k < l->kernel_w; k++) {
                        int64_t row = (int64_t)y * l->stride_h + (int64_t)i * l->dilation_h -
                                      (int64_t)l->pad_top;
                        int64_t col = (int64_t)x * l->stride_w + (int64_t)k * l->dilation_w -
                                      (int64_t)l->pad_left;
                        if (inside(row, col, l->in)) {
                            int8_t v = r->a[at(l->in, (uint64_t)row, (uint64_t)col, c)];
                            sum += v;
                            most = v > most ? v : most;
                            count++;
                        }
                    }
                }
                int64_t value = l->op == CS_OP_POOL_MAX ? most
                                : count == 0 && !global ? 0
                                                        : cs_divide(sum, count);
                r->out[at(l->out, y, x, c)] =
                    cs_activate(l->activation, (int8_t)value, cs_values_slope(r->values, r->id, c));
            }
        }
    }
}

static void run_norm(const layer_run *r)
{
    const cs_layer *l = r->layer;
    uint32_t channels = l->out.channels;
    for (uint64_t p = 0; p < (uint64_t)l->out.height * l->out.width; p++) {
        cs_norm norm = {0};
        const int8_t *in = r->a + p * channels;
        for (int pass = 0; pass < 2; pass++) {
            for (uint32_t c = 0; c < channels; c++) {
                cs_norm_fold(&norm, l->op, pass, in[c]);
            }
        }
        for (uint32_t c = 0; c < channels; c++) {
            int8_t value =
                cs_norm_result(&norm, l->op, in[c], cs_values_factor(r->values, r->id, c));
            r->out[p * channels + c] =
                cs_activate(l->activation, value, cs_values_slope(r->values, r->id, c));
        }
    }
}

static void run_resize(const layer_run *r)
{
    const cs_layer *l = r->layer;
    for (uint64_t e = 0; e < cs_shape_elements(l->out); e++) {
        uint64_t c = e % l->out.channels, x = e / l->out.channels % l->out.width,
                 y = e / l->out.channels / l->out.width;
        uint64_t top = y * l->in.height / l->out.height, left = x * l->in.width / l->out.width;
        uint64_t bottom = top + 1 < l->in.height ? top + 1 : top;
        uint64_t right = left + 1 < l->in.width ? left + 1 : left;
        const int8_t corners[4] = {r->a[at(l->in, top, left, c)], r->a[at(l->in, top, right, c)],
                                   r->a[at(l->in, bottom, left, c)],
                                   r->a[at(l->in, bottom, right, c)]};
        int8_t value =
            cs_between(corners, (uint32_t)(y * l->in.height % l->out.height), l->out.height,
                       (uint32_t)(x * l->in.width % l->out.width), l->out.width);
        r->out[e] = cs_activate(l->activation, value, cs_values_slope(r->values, r->id, c));
    }
}

static void run_elements(const layer_run *r)
{
    const cs_layer *l = r->layer;
    for (uint64_t e = 0; e < cs_shape_elements(l->out); e++) {
        uint64_t c = e % l->out.channels;
        int8_t value = r->a[e];
        if (l->op == CS_OP_ADD) {
            value = cs_add(r->a[e], r->b[e]);
        } else if (l->op == CS_OP_MULTIPLY) {
            value = cs_multiply(r->a[e], r->b[e]);
        } else if (l->op == CS_OP_SCALE) {
            value = cs_multiply(r->a[e], r->b[c]);
        } else if (l->op == CS_OP_BATCH_NORM) {
            value = cs_scale_and_shift(value, cs_values_factor(r->values, r->id, c));
        }
        r->out[e] = cs_activate(l->activation, value, cs_values_slope(r->values, r->id, c));
    }
}

static void run_transpose(const layer_run *r)
{
    const cs_layer *l = r->layer;
    const uint32_t sides[3] = {l->out.height, l->out.width, l->out.channels};
    uint32_t place[3], from[3];
    for (place[0] = 0; place[0] < sides[0]; place[0]++) {
        for (place[1] = 0; place[1] < sides[1]; place[1]++) {
            for (place[2] = 0; place[2] < sides[2]; place[2]++) {
                for (int i = 0; i < 3; i++) {
                    from[l->order[i]] = place[i];
                }
                r->out[at(l->out, place[0], place[1], place[2])] =
                    r->a[at(l->in, from[0], from[1], from[2])];
            }
        }
    }
}

static void run_concat(const layer_run *r, int8_t *const *tensors)
{
    const cs_layer *l = r->layer;
    uint32_t first = 0;
    for (uint32_t k = 0; k < l->input_count; k++) {
        cs_layer_id id = cs_layer_inputs(r->network, l)[k];
        uint32_t channels = r->network->layers[id].out.channels;
        for (uint64_t p = 0; p < (uint64_t)l->out.height * l->out.width; p++) {
            memcpy(r->out + p * l->out.channels + first, tensors[id] + p * channels, channels);
        }
        first += channels;
    }
}

static void run_cell(const layer_run *r)
{
    const cs_layer *l = r->layer;
    uint32_t units = l->out.channels, inputs = l->in.channels, gates = cs_gates(l->op);
    unsigned shift = cs_sum_shift((uint64_t)inputs + units);
    memset(r->cells, 0, units);
    for (uint32_t t = 0; t < l->out.width; t++) {
        for (uint32_t u = 0; u < units; u++) {
            int8_t values[CS_GATE_VALUES] = {0};
            for (uint32_t g = 0; g < gates; g++) {
                uint64_t channel = (uint64_t)u * gates + g;
                int64_t of_input = cs_values_bias(r->values, r->id, channel), of_state = 0;
                for (uint32_t j = 0; j < inputs; j++) {
                    of_input += cs_values_weight(r->values, r->id, channel, j) *
                                r->a[(uint64_t)t * inputs + j];
                }
                for (uint32_t j = 0; j < units; j++) {
                    of_state += cs_values_weight(r->values, r->id, channel, (uint64_t)inputs + j) *
                                (t > 0 ? r->out[(uint64_t)(t - 1) * units + j] : 0);
                }
                if (l->op == CS_OP_GRU && g == 2) {
                    values[2] = cs_requantise(of_input, shift);
                    values[3] = cs_requantise(of_state, shift);
                } else {
                    values[g] = cs_requantise(of_input + of_state, shift);
                }
            }
            int8_t before = t > 0 ? r->out[(uint64_t)(t - 1) * units + u] : 0;
            r->out[(uint64_t)t * units + u] = cs_cell_step(l->op, values, before, &r->cells[u]);
        }
    }
}

cs_status cs_reference_run(const cs_network *network, const cs_values *values,
                           int8_t *const *tensors, cs_error *err)
{
    uint32_t units = 1;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        bool cell = cs_gates(network->layers[i].op) > 0;
        units = cell && network->layers[i].out.channels > units ? network->layers[i].out.channels
                                                                : units;
    }
    int8_t *cells = malloc(units);
    if (!cells) {
        return cs_fail_memory(err);
    }
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_layer *layer = &network->layers[i];
        const cs_layer_id *inputs = cs_layer_inputs(network, layer);
        const layer_run r = {
            .network = network,
            .values = values,
            .layer = layer,
            .id = i,
            .a = layer->input_count > 0 ? tensors[inputs[0]] : NULL,
            .b = layer->input_count > 1 ? tensors[inputs[1]] : NULL,
            .out = tensors[i],
            .cells = cells,
        };
        switch (layer->op) {
        case CS_OP_INPUT:
            for (uint64_t e = 0; e < cs_shape_elements(layer->out); e++) {
                r.out[e] = cs_values_input(values, i, e);
            }
            break;
        case CS_OP_CONV:
            run_conv(&r);
            break;
        case CS_OP_CONV_TRANSPOSE:
            run_conv_transpose(&r);
            break;
        case CS_OP_DENSE:
            run_dense(&r);
            break;
        case CS_OP_MATMUL:
            run_matmul(&r);
            break;
        case CS_OP_POOL_MAX:
        case CS_OP_POOL_AVG:
        case CS_OP_POOL_GLOBAL:
            run_pool(&r);
            break;
        case CS_OP_LAYER_NORM:
        case CS_OP_SOFTMAX:
            run_norm(&r);
            break;
        case CS_OP_RESIZE:
            run_resize(&r);
            break;
        case CS_OP_RESHAPE:
            memcpy(r.out, r.a, cs_shape_elements(layer->out));
            break;
        case CS_OP_TRANSPOSE:
            run_transpose(&r);
            break;
        case CS_OP_CONCAT:
            run_concat(&r, tensors);
            break;
        case CS_OP_LSTM:
        case CS_OP_GRU:
            run_cell(&r);
            break;
        default:
            run_elements(&r);
            break;
        }
    }
    free(cells);
    return CS_OK;
}
