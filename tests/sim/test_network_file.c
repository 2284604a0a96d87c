/* Networks as text: what a file becomes, and where a bad one is refused. */
#include "sim/network/network_file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cs_network network;
static cs_error err;

static void setup(void)
{
    network = (cs_network){0};
}

static void teardown(void)
{
    cs_network_release(&network);
}

static cs_status read_text(const char *text)
{
    cs_conf *conf = cs_conf_parse(text, strlen(text), "n.conf", NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_status status = cs_network_read(cs_conf_root(conf), &network, &err);
    cs_conf_free(conf);
    return status;
}

static void accept(const char *text)
{
    cs_status status = read_text(text);
    ck_assert_msg(status == CS_OK, "%s", err.text);
}

static const cs_layer *layer_called(const char *name)
{
    for (uint32_t i = 0; i < network.layer_count; i++) {
        if (strcmp(cs_layer_name(&network, &network.layers[i]), name) == 0) {
            return &network.layers[i];
        }
    }
    ck_abort_msg("no layer is called %s", name);
}

static cs_layer_id input_of(const cs_layer *layer, uint32_t k)
{
    ck_assert_uint_lt(k, layer->input_count);
    return cs_layer_inputs(&network, layer)[k];
}

static cs_layer_id id_of(const char *name)
{
    return (cs_layer_id)(layer_called(name) - network.layers);
}

#define HEAD   "kind = \"network\"; name = \"n\";\n"
#define INPUT  "inputs = ( { name = \"image\"; height = 8; width = 10; channels = 6; } );\n"
#define START  HEAD INPUT /* two lines */
#define OP(op) "{ op = \"" op "\"; "

START_TEST(a_layer_reads_the_one_before_it)
{
    accept(START "layers = (\n" OP("conv") "channels = 4; kernel = 3; },\n" OP(
        "pool-max") "kernel = 2; stride = 2; },\n" OP("dense") "channels = 5; } );");
    ck_assert_uint_eq(network.layer_count, 4);
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[0]), "image");
    ck_assert_str_eq(cs_layer_name(&network, &network.layers[1]), "conv");
    ck_assert_uint_eq(input_of(&network.layers[3], 0), 2);
    ck_assert_uint_eq(network.layers[3].in.width, 5);
    /* A convolution has a bias unless it is normalised, and keeps the size. */
    ck_assert(network.layers[1].bias && !network.layers[1].normalized);
    ck_assert_uint_eq(network.layers[1].out.width, 10);
    ck_assert_uint_eq(network.batch, 1);
}
END_TEST

START_TEST(values_come_from_layer_defaults_or_usual_value)
{
    accept(START
           "batch = 3;\n"
           "defaults = { conv = { kernel = 3; normalized = true; activation = \"relu\"; }; };\n"
           "layers = (\n" OP("conv") "name = \"a\"; channels = 4; },\n" OP(
               "conv") "name = \"b\"; channels = 4; kernel = [1, 5]; stride = [2, 1]; "
                       "normalized = false; activation = \"none\"; weight_bits = 4; act_bits = 16; "
                       "weight_density = 0.5; act_density = 1; } );");
    const cs_layer *a = layer_called("a"), *b = layer_called("b");
    ck_assert(a->normalized && !a->bias && a->activation == CS_ACTIVATION_RELU);
    ck_assert_uint_eq(a->kernel_w, 3);
    ck_assert(!b->normalized && b->bias && b->activation == CS_ACTIVATION_NONE);
    ck_assert_uint_eq(b->kernel_h, 1);
    ck_assert_uint_eq(b->kernel_w, 5);
    ck_assert_uint_eq(b->out.height, 4);
    ck_assert_uint_eq(b->out.width, 10);
    ck_assert_uint_eq(b->weight_bits, 4);
    ck_assert_uint_eq(b->act_bits, 16);
    ck_assert_float_eq(b->weight_density, 0.5f);
    ck_assert_uint_eq(network.batch, 3);
}
END_TEST

START_TEST(padding_in_all_its_forms)
{
    static const struct {
        const char *value;
        uint32_t height, width, top, left;
    } forms[] = {
        {"\"same\"", 8, 10, 1, 1},     {"\"valid\"", 6, 8, 0, 0},
        {"\"causal\"", 8, 10, 1, 2},   {"0", 6, 8, 0, 0},
        {"2", 10, 12, 2, 2},           {"[1, 2]", 8, 12, 1, 2},
        {"[0, 1, 2, 3]", 8, 12, 0, 1}, {"\"1 + 1\"", 10, 12, 2, 2},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 START "layers = ( { op = \"conv\"; channels = 4; kernel = 3; padding = %s; } );",
                 forms[i].value);
        accept(text);
        ck_assert_uint_eq(network.layers[1].out.height, forms[i].height);
        ck_assert_uint_eq(network.layers[1].out.width, forms[i].width);
        ck_assert_uint_eq(network.layers[1].pad_top, forms[i].top);
        ck_assert_uint_eq(network.layers[1].pad_left, forms[i].left);
    }
}
END_TEST

START_TEST(every_operation_can_be_written)
{
    accept(
        HEAD
        "inputs = ( { name = \"image\"; height = 8; width = 8; channels = 6; },\n"
        "           { name = \"steps\"; width = 9; channels = 5; act_bits = 16; } );\n"
        "outputs = [\"classes\", \"gru\", \"smaller\", \"normal\"];\n"
        "layers = (\n"
        "{ op = \"conv\"; name = \"conv\"; from = \"image\"; channels = 6; kernel = 3; groups = 2; "
        "dilation = 2; },\n"
        "{ op = \"depthwise\"; kernel = 3; multiplier = 2; bias = false; },\n"
        "{ op = \"conv-transpose\"; channels = 6; kernel = 2; stride = 2; },\n"
        "{ op = \"pool-avg\"; name = \"smaller\"; kernel = 2; stride = 2; padding = \"valid\"; "
        "ceil = true; },\n"
        "{ op = \"add\"; name = \"sum\"; from = [\"conv\", \"image\"]; activation = \"relu6\"; },\n"
        "{ op = \"multiply\"; from = [\"sum\", \"image\"]; },\n"
        "{ op = \"pool-global\"; name = \"means\"; },\n"
        "{ op = \"scale\"; from = [\"sum\", \"means\"]; },\n"
        "{ op = \"batch-norm\"; },\n"
        "{ op = \"activation\"; activation = \"prelu\"; },\n"
        "{ op = \"pool-max\"; kernel = 2; },\n"
        "{ op = \"resize\"; height = \"in_height / 2\"; width = 4; },\n"
        "{ op = \"reshape\"; name = \"rows\"; shape = (1, 16, \"in_channels\"); },\n"
        "{ op = \"transpose\"; name = \"columns\"; order = [0, 2, 1]; },\n"
        "{ op = \"matmul\"; from = [\"rows\", \"columns\"]; },\n"
        "{ op = \"layer-norm\"; name = \"normal\"; },\n"
        "{ op = \"concat\"; from = (\"rows\", \"rows\"); },\n"
        "{ op = \"dense\"; channels = 7; bias = false; },\n"
        "{ op = \"softmax\"; name = \"classes\"; },\n"
        "{ op = \"lstm\"; from = \"steps\"; units = 3; },\n"
        "{ op = \"gru\"; name = \"gru\"; units = \"in_channels + 1\"; bias = false; } );");
    for (int op = CS_OP_INPUT; op < CS_OP_COUNT; op++) {
        bool found = false;
        for (uint32_t i = 0; i < network.layer_count; i++) {
            found = found || network.layers[i].op == (cs_op)op;
        }
        ck_assert_msg(found, "%s", cs_op_name((cs_op)op));
    }
    ck_assert_uint_eq(network.layers[1].act_bits, 16);
    const cs_layer *first = layer_called("conv");
    ck_assert_uint_eq(first->groups, 2);
    ck_assert_uint_eq(first->dilation_w, 2);
    ck_assert_uint_eq(layer_called("depthwise")->groups, 6);
    ck_assert_uint_eq(layer_called("depthwise")->out.channels, 12);
    ck_assert_int_eq(layer_called("sum")->activation, CS_ACTIVATION_RELU6);
    ck_assert_uint_eq(layer_called("concat")->out.channels, 12);
    ck_assert_uint_eq(layer_called("gru")->out.channels, 4);
}
END_TEST

/* ---- blocks ---- */

#define BLOCKS                                                                                     \
    "blocks = {\n"                                                                                 \
    "  unit = {\n"                                                                                 \
    "    parameters = [\"width\"];\n"                                                              \
    "    optional = { stride = 1; hidden = \"width / 4\"; project = false; act = \"relu\"; };\n"   \
    "    layers = (\n"                                                                             \
    "      { op = \"conv\"; name = \"reduce\"; channels = \"hidden\"; kernel = 1; "                \
    "activation = \"act\"; },\n"                                                                   \
    "      { op = \"conv\"; name = \"expand\"; channels = \"width\"; kernel = 1; "                 \
    "stride = \"stride\"; },\n"                                                                    \
    "      { op = \"conv\"; name = \"shortcut\"; from = \"input\"; when = \"project\"; "           \
    "channels = \"width\"; kernel = 1; stride = \"stride\"; },\n"                                  \
    "      { op = \"add\"; from = [\"expand\", \"shortcut\"]; } );\n"                              \
    "  };\n"                                                                                       \
    "  pair = { inputs = [\"left\", \"right\"]; parameters = [\"width\"]; optional = { a = "       \
    "\"tanh\"; };\n"                                                                               \
    "    layers = ( { block = \"unit\"; name = \"one\"; from = \"left\"; width = \"2 * width\"; "  \
    "project = true; act = \"a\"; },\n"                                                            \
    "      { op = \"concat\"; from = [\"one\", \"right\"]; } ); };\n"                              \
    "};\n"

START_TEST(blocks_unfold_with_their_parameters)
{
    accept(START BLOCKS
           "layers = (\n"
           "{ block = \"unit\"; name = \"a\"; width = 16; stride = 2; project = true; },\n"
           "{ block = \"unit\"; name = \"b\"; width = 16; hidden = 3; repeat = 2; "
           "act = \"swish\"; } );");
    /* a: four layers; b: three twice, as without a projection the shortcut is the input. */
    ck_assert_uint_eq(network.layer_count, 1 + 4 + 2 * 3);
    ck_assert_uint_eq(layer_called("a.reduce")->out.channels, 4);
    ck_assert_int_eq(layer_called("a.reduce")->activation, CS_ACTIVATION_RELU);
    ck_assert_uint_eq(layer_called("a.add")->out.height, 4);
    ck_assert_uint_eq(layer_called("b.0.reduce")->out.channels, 3);
    ck_assert_int_eq(layer_called("b.1.reduce")->activation, CS_ACTIVATION_SWISH);
    ck_assert_uint_eq(input_of(layer_called("b.0.add"), 1), id_of("a.add"));
    ck_assert_uint_eq(input_of(layer_called("b.1.add"), 1), id_of("b.0.add"));
    ck_assert_uint_eq(input_of(layer_called("b.1.reduce"), 0), id_of("b.0.add"));
}
END_TEST

START_TEST(blocks_use_blocks_and_are_read_into)
{
    accept(START BLOCKS "layers = (\n" OP(
        "conv") "name = \"c\"; channels = 8; kernel = 1; },\n"
                "{ block = \"pair\"; name = \"p\"; from = [\"c\", \"image\"]; width = 8; },\n"
                "{ block = \"pair\"; from = [\"p.one.reduce\", \"p\"]; width = 4; },\n"
                "{ block = \"unit\"; when = false; width = 1; },\n"
                "{ block = \"unit\"; name = \"q\"; width = 5; project = true; } );");
    ck_assert_uint_eq(layer_called("p.concat")->out.channels, 16 + 6);
    ck_assert_int_eq(layer_called("p.one.reduce")->activation, CS_ACTIVATION_TANH);
    /* The second pair has no name of its own: block and number of the entry. */
    const cs_layer *nameless = layer_called("pair@9.concat");
    ck_assert_uint_eq(nameless->out.channels, 8 + 22);
    ck_assert_uint_eq(input_of(layer_called("pair@9.one.reduce"), 0), id_of("p.one.reduce"));
    ck_assert_uint_eq(input_of(layer_called("q.reduce"), 0), id_of("pair@9.concat"));
}
END_TEST

/* ---- what is refused ---- */

#define LAYERS(list) START "layers = (\n" list ");"
#define CONV         "{ op = \"conv\"; channels = 4; kernel = 3; "

static const struct {
    const char *text;
    const char *place; /* what the message begins with */
    const char *reason;
} bad[] = {
    {"kind = \"space\"; name = \"n\";", "n.conf:1: kind: ", "must be \"network\""},
    {"name = \"n\";", "n.conf:1: kind: ", "missing"},
    {HEAD "layers = ();", "n.conf:1: inputs: ", "missing"},
    {HEAD "inputs = ();\nlayers = ();", "n.conf:2: inputs: ", "at least one"},
    {START "layers = ();", "n.conf:3: layers: ", "at least one"},
    {START "layer = ();", "n.conf:3: layer: ", "unknown key"},
    {HEAD "inputs = ( { name = \"a\"; height = 0; channels = 1; } );", "n.conf:2: ", "1 to 65536"},
    {HEAD "inputs = ( { name = \"a\"; height = 65536; width = 65536; channels = 2; } );",
     "n.conf:2: inputs[0]: ", "elements"},
    {HEAD "inputs = ( { name = \"a b\"; channels = 1; } );", "n.conf:2: ", "letters"},
    {HEAD "inputs = ( { name = \"a\"; channels = 1; },\n{ name = \"a\"; channels = 1; } );",
     "n.conf:3: ", "taken"},
    {LAYERS("{ }"), "n.conf:4: layers[0].op: ", "missing"},
    {LAYERS("{ op = \"convolution\"; }"), "n.conf:4: layers[0].op: ", "no operation"},
    {LAYERS("1"), "n.conf:4: layers[0]: ", "group"},
    {LAYERS(CONV "},\n" CONV "pad = 1; }"), "n.conf:5: layers[1].pad: ", "unknown key"},
    {LAYERS("{ op = \"conv\"; channels = 4; }"), "n.conf:4: layers[0]: ", "\"kernel\" is missing"},
    {LAYERS("{ op = \"conv\"; kernel = 4; }"), "n.conf:4: layers[0]: ", "\"channels\" is missing"},
    {LAYERS("{ op = \"conv\"; channels = 0; kernel = 1; }"),
     "n.conf:4: layers[0].channels: ", "from 1"},
    {LAYERS("{ op = \"conv\"; channels = \"in_channels - 6\"; kernel = 1; }"),
     "n.conf:4: layers[0].channels: ", "not 0"},
    {LAYERS("{ op = \"conv\"; channels = \"depth\"; kernel = 1; }"),
     "n.conf:4: layers[0].channels: ", "no number \"depth\""},
    {LAYERS(CONV "stride = [1, 2, 3]; }"), "n.conf:4: layers[0].stride: ", "height and width"},
    {LAYERS(CONV "padding = [1, 2, 3]; }"), "n.conf:4: layers[0].padding: ", "two or four"},
    {LAYERS(CONV "padding = \"some\"; }"), "n.conf:4: layers[0].padding: ", "no number"},
    {LAYERS(CONV "activation = \"step\"; }"), "n.conf:4: layers[0].activation: ", "no activation"},
    {LAYERS(CONV "activation = 1; }"), "n.conf:4: layers[0].activation: ", "quotes"},
    {LAYERS(CONV "groups = 4; }"), "n.conf:4: layers[0]: ", "do not divide"},
    {LAYERS(CONV "act_bits = 5; }"), "n.conf:4: layers[0]: ", "4, 8 or 16"},
    {LAYERS(CONV "act_density = 2; }"), "n.conf:4: layers[0].act_density: ", "0 to 1"},
    {LAYERS(CONV "when = 1; }"), "n.conf:4: layers[0].when: ", "true or false"},
    /* Names: of what is before, in this list, and once. */
    {LAYERS(CONV "from = \"later\"; },\n" CONV "name = \"later\"; }"),
     "n.conf:4: layers[0].from: ", "no layer before this one is called \"later\""},
    {LAYERS(CONV "name = \"own\"; from = \"own\"; }"),
     "n.conf:4: layers[0].from: ", "no layer before this one is called \"own\""},
    {LAYERS(CONV "name = \"a\"; },\n" CONV "name = \"a\"; }"),
     "n.conf:5: layers[1].name: ", "taken"},
    {LAYERS(CONV "name = \"a.b\"; }"), "n.conf:4: layers[0].name: ", "letters"},
    {LAYERS(CONV "from = []; }"), "n.conf:4: layers[0].from: ", "name 1 to"},
    {LAYERS("{ op = \"add\"; }"), "n.conf:4: layers[0]: ", "add reads 2 layers, not 1"},
    {LAYERS(CONV "from = [\"image\", \"image\"]; }"),
     "n.conf:4: layers[0]: ", "reads 1 layer, not 2"},
    {LAYERS(CONV "name = \"c\"; },\n{ op = \"add\"; from = [\"c\", \"image\"]; }"),
     "n.conf:5: layers[1]: ", "8 x 10 x 6, not 8 x 10 x 4"},
    {LAYERS("{ op = \"reshape\"; shape = [1, 2]; }"), "n.conf:4: layers[0].shape: ", "three"},
    {LAYERS("{ op = \"transpose\"; order = [0, 1, 3]; }"),
     "n.conf:4: layers[0].order[2]: ", "0 to 2"},
    {LAYERS("{ op = \"activation\"; }"), "n.conf:4: layers[0]: ", "\"activation\" is missing"},
    {LAYERS("{ op = \"depthwise\"; kernel = 1; multiplier = 2147483647; }"),
     "n.conf:4: layers[0]: ", "too many"},
    /* Outputs. */
    {LAYERS(CONV "name = \"lost\"; },\n" CONV "from = \"image\"; }"),
     "n.conf:4: layers[0]: ", "nothing reads \"lost\""},
    {START "outputs = [\"image\"]; layers = (" CONV "} );", "n.conf:3: outputs[0]: ", "is read"},
    {START "outputs = []; layers = (" CONV "} );", "n.conf:3: outputs: ", "list of names"},
    {START "outputs = [\"b\"]; layers = (" CONV "} );", "n.conf:3: outputs[0]: ", "no layer"},
    {HEAD "inputs = ( { name = \"a\"; channels = 1; },\n{ name = \"b\"; channels = 1; } );\n"
          "layers = (" CONV "from = \"a\"; } );",
     "n.conf:3: inputs[1]: ", "nothing reads \"b\""},
    /* Defaults and batch. */
    {START "defaults = { convolution = { }; }; layers = (" CONV "} );", "n.conf:3: ", "no such"},
    {START "defaults = { conv = { size = 1; }; }; layers = (" CONV "} );",
     "n.conf:3: ", "unknown key"},
    {START "batch = 257; layers = (" CONV "} );", "n.conf:3: batch: ", "1 to 256"},
    /* Blocks. */
    {LAYERS("{ block = \"unit\"; width = 1; }"), "n.conf:4: layers[0].block: ", "no block"},
    {START BLOCKS "layers = ( { block = \"unit\"; } );",
     "n.conf:17: layers[0]: ", "\"width\" is missing"},
    {START BLOCKS "layers = ( { block = \"unit\"; width = 4; depth = 1; } );",
     "n.conf:17: layers[0].depth: ", "unknown key"},
    {START BLOCKS "layers = ( { block = \"unit\"; width = 4; repeat = 1025; } );",
     "n.conf:17: layers[0].repeat: ", "1 to 1024"},
    {START BLOCKS "layers = ( { block = \"pair\"; width = 4; } );",
     "n.conf:17: layers[0]: ", "pair reads 2 layers, not 1"},
    {START BLOCKS "layers = ( { block = \"unit\"; name = \"a\"; width = 6; } ,\n"
                  "{ block = \"unit\"; name = \"b\"; repeat = 2; width = 7; } );",
     "n.conf:11: blocks.unit.layers[3]: in b.0: ", "8 x 10 x 6, not 8 x 10 x 7"},
    {START BLOCKS "layers = ( { block = \"unit\"; width = \"relu\"; } );",
     "n.conf:6: ", "no number \"width\""},
    {START
     "blocks = { a = { layers = ( { block = \"a\"; } ); }; }; layers = ( { block = \"a\"; } );",
     "n.conf:3: blocks.a.layers[0].block: in a@1: ", "not defined before"},
    {START
     "blocks = { a = { layers = ( { block = \"b\"; } ); };\nb = { layers = ( { block = \"a\"; } "
     "); }; }; layers = ( { block = \"b\"; } );",
     "n.conf:3: blocks.a.layers[0].block: ", "not defined before"},
    {START "blocks = { a = { inputs = []; layers = (); }; }; layers = ( " CONV "} );",
     "n.conf:3: ", "list of 1 to 4"},
    {START "blocks = { a = { layers = (); }; }; layers = ( " CONV "} );",
     "n.conf:3: blocks.a.layers: ", "at least one"},
    {START "blocks = { a = { size = 1; layers = (); }; }; layers = ( " CONV "} );",
     "n.conf:3: ", "unknown key"},
    {START "blocks = { a = { layers = ( " CONV "name = \"input\"; } ); }; };\n"
           "layers = ( { block = \"a\"; } );",
     "n.conf:3: ", "taken"},
    /* A file of a few lines that unfolds without end. */
    {START "blocks = { a = { layers = ( { op = \"activation\"; activation = \"relu\"; } ); };\n"
           "b = { layers = ( { block = \"a\"; repeat = 1024; } ); };\n"
           "c = { layers = ( { block = \"b\"; repeat = 1024; } ); }; };\n"
           "layers = ( { block = \"c\"; repeat = 1024; } );",
     "n.conf:3: blocks.a.layers[0]: ", "at most 16384 layers"},
    {START
     "blocks = { a = { layers = ( { op = \"activation\"; when = false; activation = \"relu\"; } "
     "); };\nb = { layers = ( { block = \"a\"; repeat = 1024; } ); };\n"
     "c = { layers = ( { block = \"b\"; repeat = 1024; } ); }; };\n"
     "layers = ( { block = \"c\"; repeat = 1024; } );",
     "n.conf:3: blocks.a.layers[0]: ", "more than 65536"},
};

START_TEST(a_bad_file_is_refused_with_its_place)
{
    accept(START "layers = (" CONV "} );");
    const cs_layer *before = network.layers;
    ck_assert_int_eq(read_text(bad[_i].text), CS_EINVAL);
    ck_assert_msg(strncmp(err.text, bad[_i].place, strlen(bad[_i].place)) == 0, "%s\n%s", err.text,
                  bad[_i].text);
    ck_assert_msg(strstr(err.text, bad[_i].reason) != NULL, "%s\n%s", err.text, bad[_i].text);
    /* What was read before is as it was. */
    ck_assert_ptr_eq(network.layers, before);
    ck_assert_uint_eq(network.layer_count, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network_file");
    TCase *c = tcase_create("network_file");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_layer_reads_the_one_before_it);
    tcase_add_test(c, values_come_from_layer_defaults_or_usual_value);
    tcase_add_test(c, padding_in_all_its_forms);
    tcase_add_test(c, every_operation_can_be_written);
    tcase_add_test(c, blocks_unfold_with_their_parameters);
    tcase_add_test(c, blocks_use_blocks_and_are_read_into);
    tcase_add_loop_test(c, a_bad_file_is_refused_with_its_place, 0, sizeof bad / sizeof bad[0]);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
