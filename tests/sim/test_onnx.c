/* ONNX models as networks: operators, real models, refusals. */
#include "onnx_text.h"

#include "base/file.h"
#include "base/random.h"
#include "sim/onnx/onnx.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
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

static cs_status read_text(const char *text)
{
    size_t size;
    uint8_t *bytes = onnx_text_pack(text, &size);
    cs_status status = cs_onnx_read(bytes, size, "model.onnx", &network, &err);
    free(bytes);
    return status;
}

/* "conv:relu+b 4x4x8 | dense 1x1x10": all layers but the first input. */
static void describe(char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 1; i < network.layer_count && used < capacity; i++) {
        const cs_layer *layer = &network.layers[i];
        bool active = layer->activation != CS_ACTIVATION_NONE;
        used += (size_t)snprintf(text + used, capacity - used, "%s%s%s%s%s%s %ux%ux%u",
                                 i > 1 ? " | " : "", cs_op_name(layer->op), active ? ":" : "",
                                 active ? cs_activation_name(layer->activation) : "",
                                 layer->bias ? "+b" : "", layer->normalized ? "+n" : "",
                                 layer->out.height, layer->out.width, layer->out.channels);
    }
}

/* ---- operators ---- */

typedef struct model_row {
    const char *text, *layers;
    uint64_t parameters, macs;
} model_row;

#define MAP "input x 1,3,8,8; output y; "
#define W4  "weight w 4,3,3,3; weight b 4; "

static const model_row models[] = {
    /* convolutions */
    {MAP W4 "Conv x,w,b -> y", "conv+b 6x6x4", 112, 36 * 108},
    {MAP W4 "Conv x,w -> y pads=1,1,1,1 strides=2,2", "conv 4x4x4", 108, 16 * 108},
    {MAP W4 "Conv x,w -> y auto_pad=SAME_UPPER strides=2,2", "conv 4x4x4", 108, 16 * 108},
    {MAP W4 "Conv x,w -> y auto_pad=SAME_LOWER strides=3,3", "conv 3x3x4", 108, 9 * 108},
    {MAP W4 "Conv x,w -> y auto_pad=VALID dilations=2,2", "conv 4x4x4", 108, 16 * 108},
    {MAP "weight w 6,1,3,1; Conv x,w -> y group=3 kernel_shape=3,1 pads=2,0,0,0", "conv 8x8x6", 18,
     64 * 18},
    {"input x 1,4,10; output y; weight w 6,4,3; Conv x,w -> y pads=1,1 strides=2,", "conv 1x5x6",
     72, 5 * 72},
    {MAP "weight w 3,5,4,4; weight b 5; ConvTranspose x,w,b -> y strides=2,2 pads=1,1,1,1",
     "conv-transpose+b 16x16x5", 245, 64 * 240},
    {MAP "weight w 3,5,3,3; ConvTranspose x,w -> y strides=2,2 pads=1,1,1,1 output_padding=1,1",
     "conv-transpose 16x16x5", 135, 64 * 135},
    {MAP "numbers p 0,0,1,2,0,0,1,0; weight w 4,3,3,3; Pad x,p -> q; Conv q,w -> y", "conv 8x8x4",
     108, 64 * 108},
    {MAP "Pad x -> q pads=0,0,0,0,0,0,1,1; MaxPool q -> y kernel_shape=3,3 strides=2,2",
     "pool-max 4x4x3", 0, 0},

    /* dense layers */
    {"input x 1,6; output y; weight w 4,6; weight b 4; Gemm x,w,b -> y transB=1", "dense+b 1x1x4",
     28, 24},
    {"input x N,6; output y; weight w 6,4; Gemm x,w -> y", "dense 1x1x4", 24, 24},
    {"input x 1,6; output y; weight w 6,4; weight b 4; MatMul x,w -> z; Add z,b -> y",
     "dense+b 1x1x4", 28, 24},
    {"input x 1,5,6; output y; weight w 6,4; weight b 4; MatMul x,w -> z; Add b,z -> y",
     "conv+b 1x5x4", 28, 120},
    {MAP "weight w 192,7; Flatten x -> f; MatMul f,w -> y", "dense 1x1x7", 192 * 7, 192 * 7},
    {MAP "weight w 192,7; numbers s 0,-1; Reshape x,s -> f; Relu f -> r; MatMul r,w -> y",
     "activation:relu 8x8x3 | dense 1x1x7", 192 * 7, 192 * 7},
    {"input x 1,6; output y; weight v 4,6; Transpose v -> w; MatMul x,w -> y", "dense 1x1x4", 24,
     24},

    /* pooling */
    {MAP "MaxPool x -> y kernel_shape=3,3 strides=2,2 ceil_mode=1", "pool-max 4x4x3", 0, 0},
    {MAP "MaxPool x -> y kernel_shape=3,3 strides=2,2", "pool-max 3x3x3", 0, 0},
    {MAP "AveragePool x -> y kernel_shape=2,2 strides=2,2 count_include_pad=1", "pool-avg 4x4x3", 0,
     0},
    {MAP "GlobalAveragePool x -> y", "pool-global 1x1x3", 0, 0},
    {MAP "GlobalMaxPool x -> y", "pool-max 1x1x3", 0, 0},
    {MAP "ReduceMean x -> y axes=2,3 keepdims=0", "pool-global 1x1x3", 0, 0},
    {MAP "numbers a -1,-2; ReduceMean x,a -> y", "pool-global 1x1x3", 0, 0},
    {"input x 1,5,6; output y; ReduceMean x -> y axes=1, keepdims=0", "pool-global 1x1x6", 0, 0},

    /* element by element */
    {"input x 1,3,8,8; input z 1,3,8,8; output y; Add x,z -> y", "input 8x8x3 | add 8x8x3", 0, 0},
    {MAP W4 "Conv x,w -> a; Conv x,w -> c; Sum a,c,a -> s; Relu s -> y",
     "conv 6x6x4 | conv 6x6x4 | add 6x6x4 | add:relu 6x6x4", 216, 72 * 108},
    {"input x 1,3,8,8; input z 1,3,8,8; output y; Mul x,z -> y", "input 8x8x3 | multiply 8x8x3", 0,
     192},
    {MAP "weight e 2,3,1,1; weight f 3,2,1,1; GlobalAveragePool x -> g; Conv g,e -> h; Relu h -> i;"
         "Conv i,f -> j; Sigmoid j -> k; Mul x,k -> y",
     "pool-global 1x1x3 | conv:relu 1x1x2 | conv:sigmoid 1x1x3 | scale 8x8x3", 12, 12 + 192},
    {MAP "scalar c 0.5; Mul x,c -> a; Sub a,c -> d; Relu d -> y", "activation:relu 8x8x3", 0, 0},
    {"input x 1,8; output y; weight p 1,8; Add x,p -> y", "batch-norm+n 1x1x8", 16, 0},
    {"input x 1,4,8; output y; weight p 1,4,8; Add x,p -> y", "input 1x4x8 | add 1x4x8", 0, 0},
    {MAP "Concat x,x -> y axis=1", "concat 8x8x6", 0, 0},
    {"input x 1,4,8; output y; Concat x,x -> y axis=1", "reshape 1x1x32 | concat 1x1x64", 0, 0},
    {"input x 1,4,8; output y; weight w 8,3; Concat x,x -> c axis=-2; MatMul c,w -> y",
     "reshape 1x1x32 | concat 1x1x64 | reshape 1x8x8 | conv 1x8x3", 24, 192},

    /* activations */
    {MAP W4 "Conv x,w -> z; Relu z -> y", "conv:relu 6x6x4", 108, 36 * 108},
    {MAP W4 "scalar lo 0.0; scalar hi 6.0; Conv x,w -> z; Clip z,lo,hi -> y", "conv:relu6 6x6x4",
     108, 36 * 108},
    {MAP "scalar lo 0.0; Clip x,lo -> y", "activation:relu 8x8x3", 0, 0},
    {"opset 7;" MAP "Clip x -> y min=0.0 max=6.0", "activation:relu6 8x8x3", 0, 0},
    {MAP W4 "Conv x,w -> z; Relu z -> a; Add z,a -> y",
     "conv 6x6x4 | activation:relu 6x6x4 | add 6x6x4", 108, 36 * 108},
    {MAP W4 "Conv x,w -> z; Tanh z -> y; output z", "conv 6x6x4 | activation:tanh 6x6x4", 108,
     36 * 108},
    {MAP W4 "Conv x,w -> z; Identity z -> i; Dropout i -> d; LeakyRelu d -> y alpha=0.1",
     "conv:leaky-relu 6x6x4", 108, 36 * 108},
    {MAP W4 "weight s 4,1,1; Conv x,w -> z; PRelu z,s -> y", "conv:prelu 6x6x4", 112, 36 * 108},
    {MAP W4 "Conv x,w -> z; HardSigmoid z -> y alpha=0.2 beta=0.5", "conv:hard-sigmoid 6x6x4", 108,
     36 * 108},
    {MAP W4 "Conv x,w -> z; Sigmoid z -> s; Mul s,z -> y", "conv:swish 6x6x4", 108, 36 * 108},
    {MAP W4 "Conv x,w -> z; HardSigmoid z -> s; Mul z,s -> y", "conv:hard-swish 6x6x4", 108,
     36 * 108},
    {MAP W4 "scalar c3 3.0; scalar c6 6.0; scalar c0 0.0; Conv x,w -> z; Add z,c3 -> a;"
            "Clip a,c0,c6 -> c; Mul z,c -> m; Div m,c6 -> y",
     "conv:hard-swish 6x6x4", 108, 36 * 108},
    {MAP W4 "scalar c3 3.0; scalar c6 6.0; scalar c0 0.0; Conv x,w -> z; Add z,c3 -> a;"
            "Clip a,c0,c6 -> c; Div c,c6 -> h; Mul z,h -> y",
     "conv:hard-swish 6x6x4", 108, 36 * 108},
    {MAP W4 "scalar c3 3.0; scalar c6 6.0; scalar c0 0.0; Conv x,w -> z; Add c3,z -> a;"
            "Clip a,c0,c6 -> c; Div c,c6 -> y",
     "conv:hard-sigmoid 6x6x4", 108, 36 * 108},
    {MAP W4 "scalar q 1.4142135; scalar i 1.0; scalar h 0.5; Conv x,w -> z; Div z,q -> d;"
            "Erf d -> e; Add e,i -> a; Mul z,a -> m; Mul m,h -> y",
     "conv:gelu 6x6x4", 108, 36 * 108},
    {MAP W4 "Conv x,w -> z; Sigmoid z -> s; Mul s,z -> y; output s",
     "conv 6x6x4 | activation:sigmoid 6x6x4 | multiply 6x6x4", 108, 36 * 108 + 144},

    /* normalisation */
    {MAP W4 "Conv x,w,b -> z; BatchNormalization z,b,b,b,b -> n; Relu n -> y",
     "conv:relu+b+n 6x6x4", 120, 36 * 108},
    {MAP W4 "Conv x,w -> z; Relu z -> r; BatchNormalization r,b,b,b,b -> y",
     "conv:relu 6x6x4 | batch-norm+n 6x6x4", 116, 36 * 108},
    {MAP W4 "Conv x,w -> z; BatchNormalization z,b,b,b,b -> n; Add n,z -> y",
     "conv 6x6x4 | batch-norm+n 6x6x4 | add 6x6x4", 116, 36 * 108},
    {"input x 1,4,8; output y; weight g 8; LayerNormalization x,g,g -> y axis=-1",
     "layer-norm+n 1x4x8", 16, 0},
    {"input x 1,4,8; output y; weight g 8; scalar two 2.0; scalar eps 0.00001;"
     "ReduceMean x -> m axes=-1,; Sub x,m -> d; Pow d,two -> p; ReduceMean p -> v axes=-1,;"
     "Add v,eps -> e; Sqrt e -> s; Div d,s -> n; Mul n,g -> k; Add k,g -> y",
     "layer-norm+n 1x4x8", 16, 0},
    {MAP "LRN x -> y size=5", "layer-norm 8x8x3", 0, 0},
    {MAP "Softmax x -> y axis=1", "softmax 8x8x3", 0, 0},

    /* shapes */
    {MAP "numbers s 1,1,2,2; Upsample x,s -> y", "resize 16x16x3", 0, 0},
    {MAP "numbers s 1,3,5,9; Resize x,_,_,s -> y mode=linear", "resize 5x9x3", 0, 0},
    {MAP "Shape x -> s; numbers i 0,1; Gather s,i -> n; numbers t 4,6; Concat n,t -> u axis=0;"
         "Resize x,_,_,u -> y",
     "resize 4x6x3", 0, 0},
    {"input x 1,8,4,4; output y; DepthToSpace x -> y blocksize=2", "reshape 8x8x2", 0, 0},
    {MAP "SpaceToDepth x -> y blocksize=4", "reshape 2x2x48", 0, 0},
    {"input x 1,8,8,3; output y; weight w 4,3,3,3; Transpose x -> t perm=0,3,1,2; Conv t,w -> c;"
     "Transpose c -> y perm=0,2,3,1",
     "conv 6x6x4", 108, 36 * 108},
    {"input x 1,4,2,2; output y; weight w 4,4,1,1; numbers s 1,2,2,2,2; numbers t 1,4,2,2;"
     "Reshape x,s -> a; Transpose a -> b perm=0,2,1,3,4; Reshape b,t -> c; Conv c,w -> y",
     "reshape 4x2x2 | transpose 4x2x2 | reshape 2x2x4 | conv 2x2x4", 16, 64},
    {"input x 1,6; output y; weight w 6,16; weight v 4,4,1,1; numbers s -1,4,2,2; MatMul x,w -> d;"
     "Reshape d,s -> r; Conv r,v -> y",
     "dense 1x1x16 | reshape 2x2x4 | conv 2x2x4", 112, 96 + 64},
    {MAP "weight w 3,4; GlobalAveragePool x -> g; Squeeze g -> q axes=2,3; MatMul q,w -> m;"
         "numbers a 2,3; Unsqueeze m,a -> y",
     "pool-global 1x1x3 | dense 1x1x4", 12, 12},

    /* attention of two heads of three: 5 x 6 becomes 2 x 5 x 3 */
    {"input x 1,5,6; output y; weight w 6,6; scalar r 1.7; numbers s 1,5,2,3; numbers t 1,5,6;"
     "MatMul x,w -> q; MatMul x,w -> k; MatMul x,w -> v; Reshape q,s -> q1; Reshape k,s -> k1;"
     "Reshape v,s -> v1; Transpose q1 -> q2 perm=0,2,1,3; Transpose k1 -> k2 perm=0,2,3,1;"
     "Transpose v1 -> v2 perm=0,2,1,3; MatMul q2,k2 -> a; Div a,r -> a1; Softmax a1 -> a2 axis=-1;"
     "MatMul a2,v2 -> o; Transpose o -> o1 perm=0,2,1,3; Reshape o1,t -> o2; MatMul o2,w -> y",
     "conv 1x5x6 | conv 1x5x6 | conv 1x5x6 | reshape 5x2x3 | transpose 2x5x3 | reshape 5x2x3 | "
     "transpose 2x5x3 | matmul 2x5x5 | softmax 2x5x5 | reshape 5x2x3 | transpose 2x5x3 | "
     "matmul 2x5x3 | transpose 5x2x3 | reshape 1x5x6 | conv 1x5x6",
     144, 4 * 180 + 2 * 150},

    /* quantised */
    {MAP "weight w:3 4,3,3,3; scalar s 0.1; scalar z:3 0.0; DequantizeLinear w,s,z -> v;"
         "QuantizeLinear x,s,z -> q; DequantizeLinear q,s,z -> d; Conv d,v -> c; Relu c -> r;"
         "QuantizeLinear r,s,z -> p; DequantizeLinear p,s,z -> y",
     "conv:relu 6x6x4", 108, 36 * 108},
    {MAP "weight w:3 4,3,3,3; weight b:6 4; scalar s 0.1; scalar z:3 0.0;"
         "QLinearConv x,s,z,w,s,z,s,z,b -> y",
     "conv+b 6x6x4", 112, 36 * 108},
    {"input x:3 1,6; output y; weight w:3 6,4; scalar s 0.1; scalar z:3 0.0;"
     "QLinearMatMul x,s,z,w,s,z,s,z -> y",
     "dense 1x1x4", 24, 24},

    /* cells: 7 steps of 5 features, 4 units; PyTorch counts 4 * 4 * (5 + 4 + 2) for the LSTM */
    {"input x 7,1,5; output y; weight w 1,16,5; weight r 1,16,4; weight b 1,32;"
     "LSTM x,w,r,b -> y hidden_size=4",
     "lstm+b 1x7x4", 176, 7 * 144},
    {"input x 7,1,5; output y; weight w 1,16,5; weight r 1,16,4; numbers d 1,1,4;"
     "ConstantOfShape d -> s; LSTM x,w,r,_,_,s,s -> y",
     "lstm 1x7x4", 144, 7 * 144},
    {"input x 1,7,5; output y; weight w 1,12,5; weight r 1,12,4; weight b 1,24; weight v 4,3;"
     "Transpose x -> t perm=1,0,2; GRU t,w,r,b -> _,h hidden_size=4 linear_before_reset=1;"
     "Squeeze h -> s axes=0,; MatMul s,v -> y",
     "gru+b 1x7x4 | pool-max 1x1x4 | dense 1x1x3", 144, 7 * 108 + 12},
    {"input x 7,1,5; output y; weight w 2,16,5; weight r 2,16,4;"
     "LSTM x,w,r -> o direction=bidirectional; Transpose o -> t perm=0,2,1,3; numbers s 0,0,-1;"
     "Reshape t,s -> u; weight v 8,2; MatMul u,v -> y",
     "lstm 1x7x4 | lstm 1x7x4 | concat 1x7x8 | conv 1x7x2", 304, 2 * 7 * 144 + 7 * 16},
};

START_TEST(a_model_becomes_these_layers)
{
    const model_row *row = &models[_i];
    char layers[2048];
    ck_assert_msg(read_text(row->text) == CS_OK, "%s\n%s", row->text, err.text);
    describe(layers, sizeof layers);
    ck_assert_msg(strcmp(layers, row->layers) == 0, "%s\nis  %s\nnot %s", row->text, layers,
                  row->layers);
    ck_assert_uint_eq(cs_network_parameters(&network), row->parameters);
    ck_assert_uint_eq(cs_network_macs(&network), row->macs);
    ck_assert_uint_eq(network.batch, 1);
}
END_TEST

START_TEST(a_batch_is_the_first_axis)
{
    ck_assert_int_eq(read_text("input x 4,3,8,8; output y; weight w 2,3,1,1; weight v 128,5;"
                               "Conv x,w -> c; Flatten c -> f; MatMul f,v -> y"),
                     CS_OK);
    char layers[256];
    describe(layers, sizeof layers);
    ck_assert_str_eq(layers, "conv 8x8x2 | dense 1x1x5");
    ck_assert_uint_eq(network.batch, 4);
}
END_TEST

/* A recurrent network has its steps first, and its samples second. */
START_TEST(what_mixes_the_first_axis_has_no_batch)
{
    ck_assert_int_eq(read_text("input x 4,6; output y; Transpose x -> t; MatMul x,t -> y"), CS_OK);
    ck_assert_uint_eq(network.batch, 1);
    ck_assert_uint_eq(network.layers[0].out.width, 4);
    ck_assert_uint_eq(cs_network_macs(&network), 4 * 6 * 4);
    ck_assert_int_eq(
        read_text("input x 512,6; output y; weight w 6,6; MatMul x,w -> a; Relu a -> y"), CS_OK);
    ck_assert_uint_eq(network.batch, 1);
    ck_assert_uint_eq(cs_network_macs(&network), 512 * 36);
}
END_TEST

START_TEST(an_even_kernel_is_padded_on_the_side_that_onnx_says)
{
    ck_assert_int_eq(read_text(MAP "weight w 4,3,2,2; Conv x,w -> y auto_pad=SAME_UPPER"), CS_OK);
    ck_assert_uint_eq(network.layers[1].pad_top, 0);
    ck_assert_int_eq(read_text(MAP "weight w 4,3,2,2; Conv x,w -> y auto_pad=SAME_LOWER"), CS_OK);
    ck_assert_uint_eq(network.layers[1].pad_left, 1);
    ck_assert_int_eq(read_text(MAP "numbers p 0,0,1,2,0,0,1,0; weight w 4,3,3,3; Pad x,p -> q;"
                                   "Conv q,w -> y pads=1,0,0,1"),
                     CS_OK);
    ck_assert_uint_eq(network.layers[1].pad_top, 2);
    ck_assert_uint_eq(network.layers[1].pad_left, 2);
}
END_TEST

START_TEST(integers_keep_their_width)
{
    ck_assert_int_eq(read_text("input x:5 1,3,8,8; output y; weight w:22 4,3,3,3; scalar s 1.0;"
                               "weight z:5; Conv x,w -> c; QuantizeLinear c,s,z -> y"),
                     CS_OK);
    ck_assert_uint_eq(network.layers[0].act_bits, 16);
    ck_assert_uint_eq(network.layers[1].weight_bits, 4);
    ck_assert_uint_eq(network.layers[1].act_bits, 16);
}
END_TEST

START_TEST(layers_are_named_as_their_nodes)
{
    ck_assert_int_eq(read_text(MAP W4 "Conv@/stem/conv x,w -> z; Relu@act z -> r; Tanh r -> y"),
                     CS_OK);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[0]), "x");
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[1]), "/stem/conv");
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[2]), "y");
}
END_TEST

START_TEST(nodes_may_stand_in_any_order)
{
    ck_assert_int_eq(read_text(MAP W4 "Relu z -> y; Conv x,w -> z"), CS_OK);
    ck_assert_uint_eq(network.layer_count, 2);
    ck_assert_int_eq(network.layers[1].activation, CS_ACTIVATION_RELU);
}
END_TEST

START_TEST(what_no_output_depends_on_is_not_read)
{
    ck_assert_int_eq(read_text(MAP W4 "Conv x,w -> y; Nonsense x -> z; Relu y -> r"), CS_OK);
    ck_assert_uint_eq(network.layer_count, 2);
    ck_assert_int_eq(network.layers[1].activation, CS_ACTIVATION_NONE);
}
END_TEST

/* An old model lists its initialisers among the inputs; a model without values has only these. */
START_TEST(weights_may_stand_among_the_inputs)
{
    ck_assert_int_eq(read_text("input w 4,3,3,3; " MAP W4 "Conv x,w -> y"), CS_OK);
    ck_assert_uint_eq(network.layer_count, 2);
    ck_assert_int_eq(read_text(MAP "input w 4,3,3,3; Conv x,w -> y"), CS_OK);
    ck_assert_uint_eq(network.layer_count, 2);
    ck_assert_uint_eq(cs_network_parameters(&network), 108);
}
END_TEST

/* The specification's formula, for windows of any kind. */
START_TEST(windows_slide_as_onnx_says)
{
    for (uint64_t seed = 0; seed < 400; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
        uint32_t in = 3 + cs_random_below(&random, 30), kernel = 1 + cs_random_below(&random, 5);
        uint32_t stride = 1 + cs_random_below(&random, 4);
        uint32_t dilation = 1 + cs_random_below(&random, 3);
        uint32_t before = cs_random_below(&random, 4), after = cs_random_below(&random, 4);
        uint32_t extra = cs_random_below(&random, 3);
        uint32_t reach = (kernel - 1) * dilation + 1;
        char text[512];
        snprintf(text, sizeof text,
                 "input x 1,2,%u,9; output y; weight w 3,2,%u,1; Pad x -> p pads=0,0,%u,0,0,0,0,0;"
                 "Conv p,w -> y pads=%u,0,%u,0 strides=%u,1 dilations=%u,1",
                 in, kernel, extra, before, after, stride, dilation);
        cs_status status = read_text(text);
        if (in + before + after + extra < reach) {
            ck_assert_int_eq(status, CS_EINVAL);
            continue;
        }
        ck_assert_msg(status == CS_OK, "%s: %s", text, err.text);
        ck_assert_uint_eq(network.layers[1].out.height,
                          (in + before + after + extra - reach) / stride + 1);
        ck_assert_uint_eq(network.layers[1].out.width, 9);
        ck_assert_uint_eq(network.layers[1].pad_top, before + extra);

        snprintf(text, sizeof text,
                 "input x 1,2,%u,9; output y; weight w 2,3,%u,1;"
                 "ConvTranspose x,w -> y pads=%u,0,%u,0 strides=%u,1 dilations=%u,1",
                 in, kernel, before, after, stride, dilation);
        status = read_text(text);
        uint32_t whole = stride * (in - 1) + reach;
        ck_assert_int_eq(status, whole > before + after ? CS_OK : CS_EINVAL);
        if (!status) {
            ck_assert_uint_eq(network.layers[1].out.height, whole - before - after);
        }
    }
}
END_TEST

/* ---- refusals ---- */

typedef struct refusal_row {
    const char *text, *says;
} refusal_row;

static const refusal_row refusals[] = {
    {MAP "Foo@Conv_12 x -> y", "model.onnx: node \"Conv_12\" (Foo): operator Foo is not supported"},
    {MAP "Foo x -> y", "model.onnx: node 0 (Foo): operator Foo is not supported"},
    {MAP "com.microsoft.Relu x -> y", "operators of domain com.microsoft are not supported"},
    {MAP W4 "Conv x,w -> y colour=3", "attribute colour is not supported"},
    {MAP W4 "Conv x,w -> y group=1 group=1", "attribute group stands twice"},
    {MAP W4 "Conv x,w -> y group=1.5", "attribute group is no integer"},
    {MAP W4 "Conv x,w -> y group=2", "in 2 groups do not fit 3 input channels"},
    {MAP W4 "Conv x,w -> y pads=-1,0,0,0", "attribute pads holds -1"},
    {MAP W4 "Conv x,w -> y pads=1,1", "attribute pads has 2 numbers, not 4"},
    {MAP W4 "Conv x,w -> y strides=0,1", "stride 0"},
    {MAP W4 "Conv x,w -> y kernel_shape=3,5", "not that of attribute kernel_shape"},
    {MAP W4 "Conv x,w -> y auto_pad=SOME", "auto_pad"},
    {MAP "weight w 4,5,3,3; Conv x,w -> y", "do not fit 3 input channels"},
    {MAP "weight w 4,3,9,9; Conv x,w -> y", "9 x 9 window"},
    {MAP "weight w 4,3,3; Conv x,w -> y", "weights of 3"},
    {MAP "Conv x -> y", "has 1 inputs; it takes 2 to 3"},
    {MAP "Conv x,_ -> y", "input 1 is left out"},
    {MAP "Conv x,x -> y", "weights are computed by the network"},
    {MAP "weight w 3,1,3,3; ConvTranspose x,w -> y group=3", "are not supported"},
    {MAP W4 "Conv x,w -> z; Relu r -> y", "nothing makes its input \"r\""},
    {MAP "Relu x -> z", "tensor \"y\": is an output of the graph, but nothing makes it"},
    {MAP "Relu x -> y; Tanh x -> y", "tensor \"y\": is defined twice"},
    {MAP "Relu x -> x; Relu x -> y", "tensor \"x\": is defined twice"},
    {MAP "weight w 3; weight w 3; Relu x -> y", "tensor \"w\": is defined twice"},
    {MAP "Add x,b -> a; Relu a -> b; Relu b -> y", "is on a cycle"},
    {MAP "If x -> y then_branch=graph", "nested graphs are not supported"},
    {MAP "Relu x -> y body=graph", "nested graphs are not supported"},
    {MAP "MaxPool x -> y", "kernel_shape is missing"},
    {MAP "MaxPool x -> z,y kernel_shape=2,2; Relu z -> q", "only its first result may be read"},
    {MAP "scalar lo -1.0; Clip x,lo -> y", "bounds 0 to 6"},
    {MAP "numbers s 1,3,8,8; Flatten x -> f; Reshape f,s -> y", "unfolds a flattened tensor"},
    {MAP "numbers s 1,6,8,8; Flatten x -> f; Concat f,f -> c; Reshape c,s -> y", "unfolds"},
    {MAP "numbers s 1,7; Reshape x,s -> y", "has not as many elements"},
    {MAP "numbers s 1,-2; Reshape x,s -> y", "a side of -2"},
    {MAP "numbers s 1,-1,-1; Reshape x,s -> y", "a side of -1"},
    {MAP "weight s:7 2; Reshape x,s -> y", "no list of at most"},
    {MAP "Reshape x,x -> y", "no list of at most"},
    {MAP "Transpose x -> y perm=0,0,1,2", "perm is no order"},
    {MAP "Concat x,x -> y axis=7", "has no axis 7"},
    {"input x 1,3,8,8; input z 1,3,8,7; output y; Concat x,z -> y axis=1", "along axis 3"},
    {"input x 1,3,8,8; input z 1,3,8,7; output y; Add x,z -> y", "one factor a channel broadcast"},
    {"input x 2,3,8,8; output y; " W4 "Concat x,x -> c axis=0; Conv c,w -> y",
     "would mix the 2 samples"},
    {"input x 2,3,8,8; output y; " W4 "ReduceMean x -> c axes=0,1; Conv c,w -> y",
     "would mix the 2 samples"},
    {MAP "ReduceMean x -> y", "the mean over all axes"},
    {MAP "Gather x,x -> y", "Gather is not supported except on constants"},
    {MAP "Pad x -> p pads=0,0,0,0,0,0,1,1; Sigmoid p -> y", "reads a padded tensor"},
    {MAP "Pad x -> p pads=0,0,0,0,0,0,1,1 mode=reflect; Relu p -> y", "only mode constant"},
    {MAP "numbers s 1,3,0,4; Resize x,_,_,s -> y", "axis 2 becomes 0 long"},
    {MAP "numbers s 1,1,1,2; numbers r 1,5,1,1; Resize x,_,r -> y", "samples or channels"},
    {MAP "weight w 3,3,1,1; Relu x -> y; Softmax w -> z; output z", "first input is a constant"},
    {"input x 1,5,6; output y; weight w 7,4; MatMul x,w -> y", "do not fit a last axis of 6"},
    {"input x 1,5,6; output y; weight w 1,8,6; weight r 1,8,2; LSTM x,w,r -> _,_,y layout=1",
     "last cell state"},
    {"input x 1,5,6; output y; weight w 1,9,6; weight r 1,8,2; LSTM x,w,r -> y layout=1",
     "do not fit 6 features"},
    {"input x 5,3,6; output y; weight w 1,8,6; weight r 1,8,2; LSTM x,w,r -> y", "samples"},
    {"input x 1,0,8,8; output y; Relu x -> y", "zero, negative or too large"},
    {"input x 1,3,H,8; output y; Relu x -> y", "axis 2 has no size"},
    {"input x; output y; Relu x -> y", "needs a shape"},
    {"input x 1,3,70000,8; output y; Relu x -> y", "70000"},
    {"input x 1,99999999999,8,8; output y; Relu x -> y", "too large"},
    {MAP "weight w 4,-3,3,3; Conv x,w -> y", "tensor \"w\": its shape is zero, negative"},
    {MAP "weight w 1,1,1,1,1,1,1,1,1; Conv x,w -> y", "more than 8 axes"},
    {MAP "weight w 1000000,1000000,3,3; Conv x,w -> y", "too large"},
    {"input x:8 1,3; output y; Relu x -> y", "is not of numbers"},
    {"output y; weight x 1,3; Relu x -> y", "no operator reads an input"},
    {"input x 1,3; Relu x -> y", "the graph has no outputs"},
    {"input x 1,3; output y; Identity x -> y", "no operator that does any work"},
    {"opset 0; input x 1,3; output y; Relu x -> y", "no version"},
    {"input x 1,2,3,4,5,6,7,8,9; output y; Relu x -> y", "1 to 8 axes"},
};

START_TEST(a_model_is_refused_with_its_node)
{
    const refusal_row *row = &refusals[_i];
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 2, 3}, &err), CS_OK);
    ck_assert_msg(read_text(row->text) == CS_EINVAL, "%s", row->text);
    ck_assert_msg(strstr(err.text, row->says), "%s\nsays %s\nnot  %s", row->text, err.text,
                  row->says);
    ck_assert_msg(strncmp(err.text, "model.onnx: ", 12) == 0, "%s", err.text);
    ck_assert_uint_eq(network.layer_count, 1);
    ck_assert_uint_eq(network.layers[0].out.channels, 3);
}
END_TEST

START_TEST(names_from_a_model_do_not_reach_a_terminal)
{
    ck_assert_int_eq(read_text(MAP "Foo@\x1b[31mred x -> y"), CS_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "node \"?[31mred\" (Foo)"));
    ck_assert_int_eq(read_text(MAP "Relu@\x1b[31mred x -> y"), CS_OK);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[1]), "?[31mred");
}
END_TEST

/* Every prefix, and every byte changed: an answer, and nothing is read that is not there (ASan). */
START_TEST(a_damaged_model_is_refused_or_read)
{
    size_t size;
    uint8_t *bytes = onnx_text_pack(models[0].text, &size);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *part = malloc(cut ? cut : 1);
        ck_assert_ptr_nonnull(part);
        memcpy(part, bytes, cut);
        cs_status status = cs_onnx_read(part, cut, "cut", &network, &err);
        ck_assert_msg(status == CS_OK || strncmp(err.text, "cut: ", 5) == 0, "%s", err.text);
        free(part);
    }
    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1u << bit);
            cs_status status = cs_onnx_read(bytes, size, "flip", &network, &err);
            ck_assert(status == CS_OK || status == CS_EINVAL || status == CS_ELIMIT);
            bytes[i] ^= (uint8_t)(1u << bit);
        }
    }
    free(bytes);
}
END_TEST

/* Graphs within attributes within nodes, a hundred thousand deep: no recursion follows. */
START_TEST(deep_nesting_is_refused)
{
    enum { DEPTH = 99999, ROOM = 20 * DEPTH };
    uint8_t *memory = malloc(ROOM);
    ck_assert_ptr_nonnull(memory);
    size_t at = ROOM;
    /* model.graph (7), then node (1), attribute (5), g (6) again and again */
    static const uint8_t tags[] = {0x32, 0x2a, 0x0a};
    for (size_t i = 0; i <= DEPTH; i++) {
        uint8_t head[6];
        size_t used = 1, rest = ROOM - at;
        head[0] = i == DEPTH ? 0x3a : tags[i % 3];
        do {
            head[used++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
            rest >>= 7;
        } while (rest);
        at -= used;
        memcpy(memory + at, head, used);
    }
    ck_assert_int_eq(cs_onnx_read(memory + at, ROOM - at, "deep", &network, &err), CS_ELIMIT);
    ck_assert_msg(strstr(err.text, "nested deeper than"), "%s", err.text);
    free(memory);
}
END_TEST

/* Ten million empty nodes in 20 MB would be gigabytes when unpacked. */
START_TEST(a_huge_count_is_refused)
{
    enum { NODES = 10000000 };
    uint8_t *bytes = malloc(2 * (size_t)NODES + 6);
    ck_assert_ptr_nonnull(bytes);
    size_t size = 2 * (size_t)NODES, used = 0;
    bytes[used++] = 0x3a;
    for (size_t rest = size; rest; rest >>= 7) {
        bytes[used++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    }
    for (size_t i = 0; i < NODES; i++) {
        bytes[used++] = 0x0a;
        bytes[used++] = 0;
    }
    ck_assert_int_eq(cs_onnx_read(bytes, used, "huge", &network, &err), CS_ELIMIT);
    free(bytes);
}
END_TEST

/* The weights of a real file make most of it and are not looked at. */
START_TEST(weights_with_values_are_skipped)
{
    enum { WEIGHTS = 64 * 3 * 7 * 7 };
    size_t size;
    uint8_t *bytes = onnx_text_pack("input x 1,3,224,224; output y; Conv x,w -> y", &size);
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, bytes);
    free(bytes);
    ck_assert_ptr_nonnull(model);
    int64_t dims[] = {64, 3, 7, 7};
    char name[] = "w";
    uint8_t *raw = malloc(4 * (size_t)WEIGHTS);
    float *floats = calloc(WEIGHTS, sizeof *floats);
    ck_assert(raw && floats);
    memset(raw, 0xff, 4 * (size_t)WEIGHTS);
    Onnx__TensorProto weights = ONNX__TENSOR_PROTO__INIT;
    weights.n_dims = 4;
    weights.dims = dims;
    weights.name = name;
    weights.has_data_type = 1;
    weights.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    Onnx__TensorProto *list[] = {&weights};
    Onnx__GraphProto graph = *model->graph, *own = model->graph;
    graph.n_initializer = 1;
    graph.initializer = list;
    model->graph = &graph;
    for (int packed = 0; packed < 2; packed++) {
        weights.has_raw_data = !packed;
        weights.raw_data = (ProtobufCBinaryData){packed ? 0 : 4 * (size_t)WEIGHTS, raw};
        weights.n_float_data = packed ? WEIGHTS : 0;
        weights.float_data = floats;
        size = onnx__model_proto__get_packed_size(model);
        bytes = malloc(size);
        ck_assert_ptr_nonnull(bytes);
        onnx__model_proto__pack(model, bytes);
        ck_assert_int_eq(cs_onnx_read(bytes, size, "real", &network, &err), CS_OK);
        ck_assert_uint_eq(cs_network_parameters(&network), WEIGHTS);
        free(bytes);
    }
    model->graph = own;
    onnx__model_proto__free_unpacked(model, NULL);
    free(raw);
    free(floats);
}
END_TEST

/* ---- real models ---- */

typedef struct file_row {
    const char *name;
    uint64_t parameters, macs;
    uint32_t layers;
} file_row;

/* Parameters are the elements of the files' initialisers, as `protoc --decode` shows them. By
 * source: alexnet is Caffe's bvlc_alexnet in two groups (60,965,224 in its model zoo); mobilenetv2
 * has 3,504,872 and resnet18 11,689,512 in torchvision's documentation, with two parameters of
 * batch normalisation a channel, which are one bias here (17,056 and 4,800 channels less), and 300
 * M and 1.81 G multiply-accumulates there. fsrcnn has its 15,992 weights in each of 540 x 960
 * places. The attention head multiplies 128 x 512 by three 512 x 64, and 128 x 64 by 64 x 128 and
 * back. */
static const file_row files[] = {
    {"alexnet", 60965224, 654560384, 15},
    {"mobilenetv2", 3504872 - 17056, 300774272, 65},
    {"resnet18", 11689512 - 4800, 1814073344, 32},
    {"fsrcnn", 15992, 15992ull * 540 * 960, 9},
    {"attention_head", 3 * 512 * 64, 3 * 128 * 512 * 64 + 2 * 128 * 64 * 128, 7},
    {"2_conv", 2 * 8 * 8 * 9, 2 * 8 * 8 * 9 * 56 * 56, 3},
};

START_TEST(a_real_model_has_its_published_size)
{
    const file_row *row = &files[_i];
    const char *data = getenv("CODESIGN_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/models_onnx/%s_shapeonly.onnx",
             data ? data : CODESIGN_SOURCE_DIR "/../shared/data", row->name);
    size_t size;
    char *bytes = cs_file_read(path, CS_ONNX_MAX_BYTES, &size, &err);
    if (!bytes) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return;
    }
    ck_assert_msg(cs_onnx_read(bytes, size, row->name, &network, &err) == CS_OK, "%s", err.text);
    free(bytes);
    ck_assert_uint_eq(cs_network_parameters(&network), row->parameters);
    ck_assert_uint_eq(cs_network_macs(&network), row->macs);
    ck_assert_uint_eq(network.layer_count, row->layers);
}
END_TEST

static Suite *onnx_suite(void)
{
    Suite *suite = suite_create("onnx");
    TCase *tcase = tcase_create("onnx");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_model_becomes_these_layers, 0,
                        (int)(sizeof models / sizeof *models));
    tcase_add_test(tcase, a_batch_is_the_first_axis);
    tcase_add_test(tcase, what_mixes_the_first_axis_has_no_batch);
    tcase_add_test(tcase, an_even_kernel_is_padded_on_the_side_that_onnx_says);
    tcase_add_test(tcase, integers_keep_their_width);
    tcase_add_test(tcase, layers_are_named_as_their_nodes);
    tcase_add_test(tcase, nodes_may_stand_in_any_order);
    tcase_add_test(tcase, what_no_output_depends_on_is_not_read);
    tcase_add_test(tcase, weights_may_stand_among_the_inputs);
    tcase_add_test(tcase, windows_slide_as_onnx_says);
    tcase_add_loop_test(tcase, a_model_is_refused_with_its_node, 0,
                        (int)(sizeof refusals / sizeof *refusals));
    tcase_add_test(tcase, names_from_a_model_do_not_reach_a_terminal);
    tcase_add_test(tcase, a_damaged_model_is_refused_or_read);
    tcase_add_test(tcase, deep_nesting_is_refused);
    tcase_add_test(tcase, a_huge_count_is_refused);
    tcase_add_test(tcase, weights_with_values_are_skipped);
    tcase_add_loop_test(tcase, a_real_model_has_its_published_size, 0,
                        (int)(sizeof files / sizeof *files));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(onnx_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
