/* Networks: shapes, counts, refusals. */
#include "designs.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static cs_network network;
static cs_error err;

static void setup(void)
{
    network = (cs_network){0};
    err = (cs_error){0};
}

static void teardown(void)
{
    cs_network_release(&network);
}

/* torchvision documents 3,504,872 parameters and 0.30 GMACs for mobilenet_v2; the paper 3.4 M and
 * 300 M. */
START_TEST(mobilenet_v2_has_its_published_size)
{
    design_mobilenet_v2(&network);
    ck_assert_uint_eq(cs_network_parameters(&network), 3504872);
    ck_assert_uint_eq(cs_network_macs(&network), 300774272);
}
END_TEST

typedef struct window_row {
    uint32_t in, kernel, stride;
    cs_padding padding;
    uint32_t out, pad;
} window_row;

/* TensorFlow: "same" gives ceil(in / stride), and the odd zero goes to the end. */
static const window_row windows[] = {
    {224, 3, 2, CS_PADDING_SAME, 112, 0}, {224, 3, 1, CS_PADDING_SAME, 224, 1},
    {7, 3, 2, CS_PADDING_SAME, 4, 1},     {8, 5, 2, CS_PADDING_SAME, 4, 1},
    {5, 7, 1, CS_PADDING_SAME, 5, 3},     {4, 1, 3, CS_PADDING_SAME, 2, 0},
    {28, 5, 1, CS_PADDING_VALID, 24, 0},  {7, 3, 2, CS_PADDING_VALID, 3, 0},
    {3, 3, 1, CS_PADDING_VALID, 1, 0},
};

START_TEST(windows_slide_as_in_tensorflow)
{
    const window_row *w = &windows[_i];
    cs_layer_id id;
    cs_conv conv = {.channels = 4,
                    .kernel_h = w->kernel,
                    .kernel_w = w->kernel,
                    .stride = w->stride,
                    .padding = w->padding};
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){w->in, w->in, 2}, &err), CS_OK);
    ck_assert_int_eq(cs_network_conv(&network, 0, &conv, &id, &err), CS_OK);
    ck_assert_uint_eq(network.layers[id].out.height, w->out);
    ck_assert_uint_eq(network.layers[id].out.width, w->out);
    ck_assert_uint_eq(network.layers[id].pad_top, w->pad);
    ck_assert_uint_eq(network.layers[id].pad_left, w->pad);
}
END_TEST

START_TEST(parameters_and_macs_by_hand)
{
    cs_layer_id id;
    cs_conv conv = {.channels = 6, .kernel_h = 3, .kernel_w = 1, .groups = 2, .bias = true};
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){5, 7, 4}, &err), CS_OK);
    ck_assert_int_eq(cs_network_conv(&network, 0, &conv, &id, &err), CS_OK);
    ck_assert_uint_eq(cs_layer_weights(&network.layers[id]), 3 * 1 * 2 * 6);
    ck_assert_uint_eq(cs_layer_parameters(&network.layers[id]), 36 + 6);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[id]), 5 * 7 * 36);
    cs_layer_id pooled;
    ck_assert_int_eq(cs_network_pool_global(&network, id, &pooled, &err), CS_OK);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[pooled]), 0);
    ck_assert_uint_eq(cs_layer_operations(&network.layers[pooled]), 5 * 7 * 6);
    cs_layer_id scaled;
    ck_assert_int_eq(cs_network_scale(&network, id, pooled, &scaled, &err), CS_OK);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[scaled]), 5 * 7 * 6);
    cs_layer_id dense;
    ck_assert_int_eq(cs_network_dense(&network, scaled, 10, true, CS_ACTIVATION_NONE, &dense, &err),
                     CS_OK);
    ck_assert_uint_eq(cs_layer_parameters(&network.layers[dense]), 5 * 7 * 6 * 10 + 10);
    ck_assert_uint_eq(cs_network_macs(&network), 5 * 7 * 36 + 5 * 7 * 6 + 5 * 7 * 6 * 10);
}
END_TEST

/* Each refusal names the layer and leaves the network and the id as they were. */
static void expect_refusal(cs_status status, cs_layer_id id, const char *text)
{
    ck_assert_int_eq(status, CS_EINVAL);
    ck_assert_uint_eq(id, 77);
    ck_assert_uint_eq(network.layer_count, 2);
    ck_assert_msg(strncmp(err.text, "layer 2 (", 9) == 0, "%s", err.text);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
}

START_TEST(what_does_not_fit_is_refused)
{
    cs_layer_id id;
    design_conv(&network, (cs_shape){8, 8, 6}, 10, 3, 1, 1);
    id = 77;
    cs_conv good = {.channels = 4, .kernel_h = 3, .kernel_w = 3};
    cs_conv bad = good;
    bad.groups = 4;
    expect_refusal(cs_network_conv(&network, 1, &bad, &id, &err), id, "4 groups do not divide 10");
    bad = good;
    bad.channels = 0;
    expect_refusal(cs_network_conv(&network, 1, &bad, &id, &err), id, "8 x 8 x 0");
    bad = good;
    bad.kernel_w = 0;
    expect_refusal(cs_network_conv(&network, 1, &bad, &id, &err), id, "3 x 0 window");
    bad = good;
    bad.kernel_h = 9;
    bad.padding = CS_PADDING_VALID;
    expect_refusal(cs_network_conv(&network, 1, &bad, &id, &err), id, "does not fit");
    bad = good;
    bad.channels = UINT32_MAX;
    expect_refusal(cs_network_conv(&network, 1, &bad, &id, &err), id, "elements");
    bad = good;
    bad.kernel_h = bad.kernel_w = CS_NETWORK_MAX_SIDE;
    expect_refusal(cs_network_conv(&network, 1, &bad, &id, &err), id, "operations");
    bad.kernel_h = UINT32_MAX;
    expect_refusal(cs_network_conv(&network, 1, &bad, &id, &err), id, "does not fit");
    expect_refusal(cs_network_conv(&network, 9, &good, &id, &err), id, "reads layer 9");
    expect_refusal(cs_network_add(&network, 0, 1, &id, &err), id, "8 x 8 x 10, not 8 x 8 x 6");
    expect_refusal(cs_network_add(&network, 0, 5, &id, &err), id, "reads layer 5");
    expect_refusal(cs_network_scale(&network, 1, 0, &id, &err), id, "not 1 x 1 x 10");
    expect_refusal(cs_network_dense(&network, 1, 0, true, CS_ACTIVATION_NONE, &id, &err), id,
                   "1 x 1 x 0");
    expect_refusal(cs_network_dense(&network, 1, 1u << 30, true, CS_ACTIVATION_NONE, &id, &err), id,
                   "weights");
    expect_refusal(cs_network_pool(&network, 1, CS_OP_POOL_MAX, 2, 0, CS_PADDING_SAME, &id, &err),
                   id, "stride 0");
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){0, 1, 1}, &err), CS_EINVAL);
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 65537, 1}, &err), CS_EINVAL);
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){65536, 65536, UINT32_MAX}, &err),
                     CS_EINVAL);
    ck_assert_uint_eq(network.layer_count, 2);
}
END_TEST

START_TEST(a_network_has_a_largest_number_of_layers)
{
    cs_layer_id id = 0;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 1, 1}, &err), CS_OK);
    for (uint32_t i = 1; i < CS_NETWORK_MAX_LAYERS; i++) {
        ck_assert_int_eq(cs_network_add(&network, id, id, &id, &err), CS_OK);
    }
    ck_assert_int_eq(cs_network_add(&network, id, id, &id, &err), CS_EINVAL);
    ck_assert_uint_eq(network.layer_count, CS_NETWORK_MAX_LAYERS);
}
END_TEST

START_TEST(starting_again_keeps_the_memory)
{
    design_mobilenet_v2(&network);
    const cs_layer *before = network.layers;
    design_mobilenet_v2(&network);
    ck_assert_ptr_eq(network.layers, before);
    cs_network_release(&network);
    ck_assert_ptr_null(network.layers);
    ck_assert_uint_eq(network.layer_count, 0);
}
END_TEST

/* ---- windows ---- */

static const struct {
    uint32_t in;
    cs_window window;
    uint32_t out, pad;
} explicit_windows[] = {
    /* PyTorch's output sizes: floor((in + pads - dilation (k - 1) - 1) / stride) + 1, or ceil. */
    {224,
     {.kernel_h = 7, .stride_h = 2, .padding = CS_PADDING_EXPLICIT, .pad_top = 3, .pad_bottom = 3},
     112,
     3},
    {112,
     {.kernel_h = 3, .stride_h = 2, .padding = CS_PADDING_EXPLICIT, .pad_top = 1, .pad_bottom = 1},
     56,
     1},
    {109, {.kernel_h = 3, .stride_h = 2, .padding = CS_PADDING_VALID}, 54, 0},
    {109, {.kernel_h = 3, .stride_h = 2, .padding = CS_PADDING_VALID, .ceil = true}, 54, 0},
    {112, {.kernel_h = 3, .stride_h = 2, .padding = CS_PADDING_VALID, .ceil = true}, 56, 0},
    {112, {.kernel_h = 3, .stride_h = 2, .padding = CS_PADDING_VALID}, 55, 0},
    {3,
     {.kernel_h = 1,
      .stride_h = 2,
      .padding = CS_PADDING_EXPLICIT,
      .pad_top = 1,
      .pad_bottom = 1,
      .ceil = true},
     3,
     1},
    /* A window that would begin behind the input is not made. */
    {4, {.kernel_h = 1, .stride_h = 4, .padding = CS_PADDING_VALID, .ceil = true}, 1, 0},
    {33, {.kernel_h = 3, .dilation_h = 2, .padding = CS_PADDING_SAME}, 33, 2},
    {33, {.kernel_h = 3, .dilation_h = 6, .padding = CS_PADDING_VALID}, 21, 0},
    {10, {.kernel_h = 3, .padding = CS_PADDING_EXPLICIT, .pad_top = 5, .pad_bottom = 0}, 13, 5},
};

START_TEST(windows_slide_as_in_pytorch)
{
    cs_layer_id id;
    cs_window window = explicit_windows[_i].window;
    uint32_t in = explicit_windows[_i].in;
    window.kernel_w = 1;
    window.stride_w = 1;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){in, 7, 2}, &err), CS_OK);
    ck_assert_int_eq(cs_network_pool_window(&network, 0, CS_OP_POOL_MAX, &window, &id, &err),
                     CS_OK);
    ck_assert_uint_eq(network.layers[id].out.height, explicit_windows[_i].out);
    ck_assert_uint_eq(network.layers[id].pad_top, explicit_windows[_i].pad);
}
END_TEST

/* The effective history of a causal layer is (k - 1) d: Bai et al., arXiv 1803.01271. */
START_TEST(causal_convolutions_keep_the_length_and_pad_before)
{
    cs_layer_id id;
    cs_conv conv = {.channels = 5,
                    .kernel_h = 1,
                    .kernel_w = 6,
                    .dilation = 1,
                    .dilation_w = 4,
                    .padding = CS_PADDING_CAUSAL};
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 100, 3}, &err), CS_OK);
    ck_assert_int_eq(cs_network_conv(&network, 0, &conv, &id, &err), CS_OK);
    const cs_layer *layer = &network.layers[id];
    ck_assert_uint_eq(layer->out.width, 100);
    ck_assert_uint_eq(layer->pad_left, 5 * 4);
    ck_assert_uint_eq(layer->pad_top, 0);
    ck_assert_uint_eq(cs_layer_weights(layer), 6 * 3 * 5);
    ck_assert_uint_eq(cs_layer_macs(layer), 100 * 6 * 3 * 5);
}
END_TEST

static const struct {
    uint32_t in, kernel, stride;
    cs_padding padding;
    uint32_t pad, out;
} spreads[] = {
    /* TensorFlow: in * stride with "same", in * stride + max(k - stride, 0) with "valid"; PyTorch:
     * (in - 1) stride - 2 pad + k. */
    {64, 3, 2, CS_PADDING_SAME, 0, 128},
    {4, 2, 3, CS_PADDING_SAME, 0, 12},
    {5, 3, 2, CS_PADDING_VALID, 0, 11},
    {16, 4, 2, CS_PADDING_EXPLICIT, 1, 32},
};

START_TEST(transposed_convolutions_enlarge)
{
    cs_layer_id id;
    cs_conv conv = {.channels = 6,
                    .kernel_h = spreads[_i].kernel,
                    .kernel_w = spreads[_i].kernel,
                    .stride = spreads[_i].stride,
                    .padding = spreads[_i].padding,
                    .pad_top = spreads[_i].pad,
                    .pad_left = spreads[_i].pad,
                    .pad_bottom = spreads[_i].pad,
                    .pad_right = spreads[_i].pad};
    uint32_t in = spreads[_i].in, taps = conv.kernel_h * conv.kernel_w;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){in, in, 5}, &err), CS_OK);
    ck_assert_int_eq(cs_network_conv_transpose(&network, 0, &conv, &id, &err), CS_OK);
    ck_assert_uint_eq(network.layers[id].out.height, spreads[_i].out);
    ck_assert_uint_eq(network.layers[id].out.width, spreads[_i].out);
    ck_assert_uint_eq(cs_layer_weights(&network.layers[id]), taps * 5 * 6);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[id]), (uint64_t)in * in * taps * 5 * 6);
}
END_TEST

/* ---- products, cells, normalisation, shapes ---- */

START_TEST(attention_by_hand)
{
    cs_layer_id scores, weights, context, joined;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){12, 128, 64}, &err), CS_OK);
    ck_assert_int_eq(cs_network_matmul(&network, 0, 0, true, &scores, &err), CS_OK);
    ck_assert_uint_eq(network.layers[scores].out.channels, 128);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[scores]), 12 * 128 * 128 * 64);
    ck_assert_int_eq(cs_network_map(&network, scores, CS_OP_SOFTMAX, &weights, &err), CS_OK);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[weights]), 0);
    ck_assert_uint_eq(cs_layer_operations(&network.layers[weights]), 3 * 12 * 128 * 128);
    ck_assert_int_eq(cs_network_matmul(&network, weights, 0, false, &context, &err), CS_OK);
    ck_assert_uint_eq(network.layers[context].out.channels, 64);
    const uint32_t order[] = {1, 0, 2};
    ck_assert_int_eq(cs_network_transpose(&network, context, order, &joined, &err), CS_OK);
    ck_assert_uint_eq(network.layers[joined].out.height, 128);
    ck_assert_uint_eq(network.layers[joined].out.width, 12);
    ck_assert_int_eq(cs_network_reshape(&network, joined, (cs_shape){1, 128, 768}, &joined, &err),
                     CS_OK);
    ck_assert_int_eq(cs_network_map(&network, joined, CS_OP_LAYER_NORM, &joined, &err), CS_OK);
    ck_assert_uint_eq(cs_network_parameters(&network), 2 * 768);
}
END_TEST

/* torch.nn.LSTM(10, 20): 2,560 parameters; torch.nn.GRU(10, 20): 1,920. */
START_TEST(cells_by_hand)
{
    cs_layer_id id;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 7, 10}, &err), CS_OK);
    ck_assert_int_eq(cs_network_cell(&network, 0, CS_OP_LSTM, 20, true, &id, &err), CS_OK);
    ck_assert_uint_eq(cs_layer_parameters(&network.layers[id]), 2560);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[id]), 7 * 4 * 20 * (10 + 20));
    ck_assert_uint_eq(network.layers[id].out.width, 7);
    ck_assert_uint_eq(network.layers[id].out.channels, 20);
    ck_assert_int_eq(cs_network_cell(&network, 0, CS_OP_GRU, 20, true, &id, &err), CS_OK);
    ck_assert_uint_eq(cs_layer_parameters(&network.layers[id]), 1920);
    ck_assert_uint_eq(cs_layer_macs(&network.layers[id]), 7 * 3 * 20 * (10 + 20));
}
END_TEST

START_TEST(a_layer_reads_any_number_of_tensors)
{
    cs_layer_id from[300], id;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){4, 4, 3}, &err), CS_OK);
    from[0] = 0;
    for (uint32_t i = 1; i < 300; i++) {
        ck_assert_int_eq(cs_network_input(&network, (cs_shape){4, 4, i}, &from[i], &err), CS_OK);
    }
    ck_assert_int_eq(cs_network_concat(&network, from, 300, &id, &err), CS_OK);
    const cs_layer *layer = &network.layers[id];
    ck_assert_uint_eq(layer->out.channels, 3 + 299 * 300 / 2);
    ck_assert_uint_eq(layer->input_count, 300);
    ck_assert_mem_eq(cs_layer_inputs(&network, layer), from, sizeof from);
    ck_assert_uint_eq(network.layers[77].last_use, id);
    ck_assert_uint_eq(layer->last_use, id);
}
END_TEST

START_TEST(shapes_of_new_operations_are_checked)
{
    cs_layer_id id;
    const uint32_t twice[] = {0, 0, 2};
    design_conv(&network, (cs_shape){8, 8, 6}, 10, 3, 1, 1);
    id = 77;
    expect_refusal(cs_network_matmul(&network, 0, 1, false, &id, &err), id, "does not multiply");
    expect_refusal(cs_network_matmul(&network, 0, 5, false, &id, &err), id, "reads layer 5");
    expect_refusal(cs_network_multiply(&network, 0, 1, &id, &err), id, "not 8 x 8 x 6");
    expect_refusal(cs_network_concat(&network, NULL, 0, &id, &err), id, "nothing");
    expect_refusal(cs_network_concat(&network, (const cs_layer_id[]){0, 9}, 2, &id, &err), id,
                   "reads layer 9");
    expect_refusal(cs_network_reshape(&network, 1, (cs_shape){8, 8, 9}, &id, &err), id,
                   "as many elements");
    expect_refusal(cs_network_reshape(&network, 1, (cs_shape){0, 8, 9}, &id, &err), id, "0 x 8");
    expect_refusal(cs_network_resize(&network, 1, 0, 4, &id, &err), id, "0 x 4");
    expect_refusal(cs_network_transpose(&network, 1, twice, &id, &err), id, "no order");
    expect_refusal(cs_network_cell(&network, 1, CS_OP_GRU, 4, true, &id, &err), id,
                   "1 x T x C, not 8 x 8 x 10");
    cs_conv conv = {.channels = 4, .kernel_h = 3, .kernel_w = 3, .groups = 2};
    expect_refusal(cs_network_conv_transpose(&network, 1, &conv, &id, &err), id, "neither groups");
    conv.groups = 1;
    conv.padding = CS_PADDING_EXPLICIT;
    conv.pad_top = conv.pad_bottom = 5;
    expect_refusal(cs_network_conv_transpose(&network, 1, &conv, &id, &err), id, "does not fit");
    conv.pad_top = UINT32_MAX;
    expect_refusal(cs_network_conv(&network, 1, &conv, &id, &err), id, "does not fit");
    conv.pad_top = conv.pad_bottom = 0;
    conv.dilation = 5;
    expect_refusal(cs_network_conv(&network, 1, &conv, &id, &err), id, "dilation 5 x 5");
    expect_refusal(cs_network_input(&network, (cs_shape){1, 0, 1}, &id, &err), id, "1 x 0 x 1");
}
END_TEST

/* ---- what layers say of themselves ---- */

START_TEST(names_bits_density_and_batch)
{
    design_conv(&network, (cs_shape){8, 8, 6}, 10, 3, 1, 1);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[1]), "");
    ck_assert_int_eq(cs_network_set_name(&network, 1, "stage1.conv", &err), CS_OK);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[1]), "stage1.conv");
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[0]), "");
    char longest[CS_NETWORK_MAX_NAME + 2];
    memset(longest, 'a', sizeof longest);
    longest[CS_NETWORK_MAX_NAME + 1] = '\0';
    ck_assert_int_eq(cs_network_set_name(&network, 1, longest, &err), CS_EINVAL);
    longest[CS_NETWORK_MAX_NAME] = '\0';
    ck_assert_int_eq(cs_network_set_name(&network, 0, longest, &err), CS_OK);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[0]), longest);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[1]), "stage1.conv");

    ck_assert_int_eq(cs_network_set_bits(&network, 1, 4, 16, &err), CS_OK);
    ck_assert_int_eq(cs_network_set_bits(&network, 1, 8, 7, &err), CS_EINVAL);
    ck_assert_uint_eq(network.layers[1].weight_bits, 4);
    ck_assert_uint_eq(network.layers[1].act_bits, 16);
    ck_assert_int_eq(cs_network_set_density(&network, 1, 0.25, 1, &err), CS_OK);
    ck_assert_int_eq(cs_network_set_density(&network, 1, 1.5, 1, &err), CS_EINVAL);
    ck_assert_float_eq(network.layers[1].weight_density, 0.25f);

    ck_assert_uint_eq(network.batch, 1);
    ck_assert_int_eq(cs_network_set_batch(&network, 0, &err), CS_EINVAL);
    ck_assert_int_eq(cs_network_set_batch(&network, CS_NETWORK_MAX_BATCH + 1, &err), CS_EINVAL);
    ck_assert_int_eq(cs_network_set_batch(&network, 4, &err), CS_OK);
    ck_assert_uint_eq(network.batch, 4);
    design_conv(&network, (cs_shape){8, 8, 6}, 10, 3, 1, 1);
    ck_assert_uint_eq(network.batch, 1);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[1]), "");
}
END_TEST

START_TEST(operations_of_a_batch_and_of_all_layers_are_limited)
{
    cs_layer_id id;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1024, 1024, 1024}, &err), CS_OK);
    cs_conv conv = {.channels = 2048, .kernel_h = 5, .kernel_w = 5};
    ck_assert_int_eq(cs_network_conv(&network, 0, &conv, &id, &err), CS_OK);
    ck_assert_int_eq(cs_network_set_batch(&network, 1, &err), CS_OK);
    ck_assert_int_eq(cs_network_set_batch(&network, 2, &err), CS_EINVAL);
    ck_assert_uint_eq(network.batch, 1);
    ck_assert_int_eq(cs_network_conv(&network, 0, &conv, &id, &err), CS_EINVAL);
    ck_assert_msg(strstr(err.text, "with the layers before it") != NULL, "%s", err.text);
    ck_assert_uint_eq(network.layer_count, 2);
}
END_TEST

/* ---- liveness ---- */

/* Run through the order and keep a list of what is alive. */
static uint64_t walk_peak(void)
{
    uint64_t peak = 0;
    for (uint32_t now = 0; now < network.layer_count; now++) {
        uint64_t alive = 0;
        for (uint32_t t = 0; t < network.layer_count; t++) {
            const cs_layer *layer = &network.layers[t];
            bool made = t <= now || layer->op == CS_OP_INPUT;
            bool read = false, ever = false;
            for (uint32_t i = 0; i < network.layer_count; i++) {
                const cs_layer_id *inputs = cs_layer_inputs(&network, &network.layers[i]);
                for (uint32_t k = 0; k < network.layers[i].input_count; k++) {
                    ever = ever || inputs[k] == t;
                    read = read || (inputs[k] == t && i >= now);
                }
            }
            if (made && (read || t == now || !ever)) {
                alive += (cs_shape_elements(layer->out) * layer->act_bits + 7) / 8 * network.batch;
            }
        }
        peak = alive > peak ? alive : peak;
    }
    return peak;
}

START_TEST(peak_activation_bytes_by_hand)
{
    cs_layer_id a, b, c;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 1, 100}, &err), CS_OK);
    ck_assert_int_eq(cs_network_dense(&network, 0, 10, false, CS_ACTIVATION_NONE, &a, &err), CS_OK);
    ck_assert_int_eq(cs_network_dense(&network, a, 300, false, CS_ACTIVATION_NONE, &b, &err),
                     CS_OK);
    ck_assert_uint_eq(cs_network_peak_activation_bytes(&network), 310);
    ck_assert_int_eq(cs_network_dense(&network, b, 10, false, CS_ACTIVATION_NONE, &c, &err), CS_OK);
    ck_assert_int_eq(cs_network_add(&network, c, a, &c, &err), CS_OK);
    ck_assert_uint_eq(cs_network_peak_activation_bytes(&network), 320);
    ck_assert_int_eq(cs_network_set_bits(&network, b, 8, 4, &err), CS_OK);
    ck_assert_uint_eq(cs_network_peak_activation_bytes(&network), 170);
    ck_assert_int_eq(cs_network_set_batch(&network, 3, &err), CS_OK);
    ck_assert_uint_eq(cs_network_peak_activation_bytes(&network), 3 * 170);
}
END_TEST

START_TEST(peak_activation_bytes_agree_with_a_dumb_twin)
{
    for (uint64_t i = 0; i < 300; i++) {
        cs_random random;
        cs_random_init(&random, 21, 0, CS_PURPOSE_SAMPLE, 0, i);
        design_random_network(&random, &network);
        ck_assert_uint_eq(cs_network_peak_activation_bytes(&network), walk_peak());
    }
    static const char *const names[] = {"unet-mobilenet-v2", "inception-v1", "bert-base"};
    for (size_t i = 0; i < 3; i++) {
        design_zoo(names[i], &network);
        ck_assert_uint_eq(cs_network_peak_activation_bytes(&network), walk_peak());
    }
}
END_TEST

START_TEST(every_operation_and_activation_has_a_name)
{
    for (int i = 0; i < CS_OP_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(cs_op_name((cs_op)i), cs_op_name((cs_op)j));
        }
    }
    for (int i = 0; i < CS_ACTIVATION_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(cs_activation_name((cs_activation)i),
                             cs_activation_name((cs_activation)j));
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network");
    TCase *c = tcase_create("network");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, mobilenet_v2_has_its_published_size);
    tcase_add_loop_test(c, windows_slide_as_in_tensorflow, 0, sizeof windows / sizeof windows[0]);
    tcase_add_test(c, parameters_and_macs_by_hand);
    tcase_add_test(c, what_does_not_fit_is_refused);
    tcase_add_test(c, a_network_has_a_largest_number_of_layers);
    tcase_add_test(c, starting_again_keeps_the_memory);
    tcase_add_loop_test(c, windows_slide_as_in_pytorch, 0,
                        sizeof explicit_windows / sizeof explicit_windows[0]);
    tcase_add_test(c, causal_convolutions_keep_the_length_and_pad_before);
    tcase_add_loop_test(c, transposed_convolutions_enlarge, 0, sizeof spreads / sizeof spreads[0]);
    tcase_add_test(c, attention_by_hand);
    tcase_add_test(c, cells_by_hand);
    tcase_add_test(c, a_layer_reads_any_number_of_tensors);
    tcase_add_test(c, shapes_of_new_operations_are_checked);
    tcase_add_test(c, names_bits_density_and_batch);
    tcase_add_test(c, operations_of_a_batch_and_of_all_layers_are_limited);
    tcase_add_test(c, peak_activation_bytes_by_hand);
    tcase_add_test(c, peak_activation_bytes_agree_with_a_dumb_twin);
    tcase_add_test(c, every_operation_and_activation_has_a_name);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
