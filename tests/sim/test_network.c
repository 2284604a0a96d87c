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
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
