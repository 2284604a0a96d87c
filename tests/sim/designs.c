/* Networks, accelerators and files that the tests of sim/ share: see designs.h. */
#include "designs.h"

#include "base/conf.h"
#include "base/file.h"
#include "sim/network/network_file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static cs_conf *open_conf(const char *folder, const char *name)
{
    char path[512];
    cs_error err;
    size_t size;
    snprintf(path, sizeof path, "%s/configs/%s/%s.conf", CODESIGN_SOURCE_DIR, folder, name);
    char *text = cs_file_read(path, CS_CONF_MAX_BYTES, &size, &err);
    ck_assert_msg(text != NULL, "%s", err.text);
    cs_conf *conf = cs_conf_parse(text, size, name, NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    free(text);
    return conf;
}

cs_accelerator design_accelerator(const char *name)
{
    cs_error err;
    cs_accelerator accelerator = {0};
    bool recalled = false;
    cs_conf *conf = open_conf("accelerators", name);
    cs_status status = cs_accelerator_read(cs_conf_root(conf), &accelerator, &recalled, &err);
    ck_assert_msg(status == CS_OK, "%s", err.text);
    ck_assert(recalled);
    cs_conf_free(conf);
    return accelerator;
}

cs_accelerator design_hosted(const char *name)
{
    cs_error err;
    cs_host host;
    char chip[CS_HOST_MAX_CHIP];
    bool recalled = false;
    cs_conf *conf = open_conf("hosts", name);
    cs_status status = cs_host_read(cs_conf_root(conf), &host, chip, &recalled, &err);
    ck_assert_msg(status == CS_OK, "%s", err.text);
    cs_conf_free(conf);
    cs_accelerator accelerator = design_accelerator(chip);
    accelerator.host = host;
    return accelerator;
}

cs_technology design_technology(void)
{
    return design_technology_estimate(CS_ESTIMATE_NOMINAL);
}

cs_technology design_technology_estimate(cs_estimate estimate)
{
    cs_error err;
    cs_technology technology = {0};
    bool recalled = false;
    cs_conf *conf = open_conf("technology", "edge-22nm");
    cs_status status =
        cs_technology_read_estimate(cs_conf_root(conf), estimate, &technology, &recalled, &err);
    ck_assert_msg(status == CS_OK, "%s", err.text);
    ck_assert(recalled);
    cs_conf_free(conf);
    return technology;
}

void design_zoo(const char *name, cs_network *network)
{
    cs_error err;
    cs_conf *conf = open_conf("networks", name);
    cs_status status = cs_network_read(cs_conf_root(conf), network, &err);
    ck_assert_msg(status == CS_OK, "%s", err.text);
    cs_conf_free(conf);
}

static void start(cs_network *network, cs_shape shape)
{
    cs_error err;
    cs_status status = cs_network_start(network, shape, &err);
    ck_assert_msg(status == CS_OK, "%s", err.text);
}

static cs_layer_id conv(cs_network *network, cs_layer_id from, uint32_t channels, uint32_t kernel,
                        uint32_t stride, uint32_t groups)
{
    cs_error err;
    cs_layer_id id = 0;
    cs_conv c = {
        .channels = channels,
        .kernel_h = kernel,
        .kernel_w = kernel,
        .stride = stride,
        .groups = groups,
        .activation = CS_ACTIVATION_RELU,
        .normalized = true,
    };
    cs_status status = cs_network_conv(network, from, &c, &id, &err);
    ck_assert_msg(status == CS_OK, "%s", err.text);
    return id;
}

void design_mobilenet_v2(cs_network *network)
{
    static const struct {
        uint32_t expansion, channels, repeats, stride;
    } blocks[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    cs_error err;
    start(network, (cs_shape){224, 224, 3});
    cs_layer_id at = conv(network, 0, 32, 3, 2, 1);
    uint32_t channels = 32;
    for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
        for (uint32_t i = 0; i < blocks[b].repeats; i++) {
            cs_layer_id from = at;
            uint32_t stride = i == 0 ? blocks[b].stride : 1;
            uint32_t wide = channels * blocks[b].expansion;
            at = wide > channels ? conv(network, at, wide, 1, 1, 1) : at;
            at = conv(network, at, wide, 3, stride, wide);
            at = conv(network, at, blocks[b].channels, 1, 1, 1);
            if (stride == 1 && channels == blocks[b].channels) {
                ck_assert_int_eq(cs_network_add(network, from, at, &at, &err), CS_OK);
            }
            channels = blocks[b].channels;
        }
    }
    at = conv(network, at, 1280, 1, 1, 1);
    ck_assert_int_eq(cs_network_pool_global(network, at, &at, &err), CS_OK);
    cs_conv classes = {.channels = 1000, .kernel_h = 1, .kernel_w = 1, .bias = true};
    ck_assert_int_eq(cs_network_conv(network, at, &classes, &at, &err), CS_OK);
}

void design_conv(cs_network *network, cs_shape input, uint32_t channels, uint32_t kernel,
                 uint32_t stride, uint32_t groups)
{
    start(network, input);
    conv(network, 0, channels, kernel, stride, groups);
}

void design_dense(cs_network *network, uint32_t inputs, uint32_t outputs)
{
    cs_error err;
    cs_layer_id id;
    start(network, (cs_shape){1, 1, inputs});
    ck_assert_int_eq(cs_network_dense(network, 0, outputs, true, CS_ACTIVATION_NONE, &id, &err),
                     CS_OK);
}

void design_random_network(cs_random *random, cs_network *network)
{
    cs_error err;
    cs_shape shape = {
        .height = 1 + cs_random_below(random, 64),
        .width = 1 + cs_random_below(random, 64),
        .channels = DESIGN_PICK(random, 1, 3, 16, 40, 64, 130),
    };
    start(network, shape);
    cs_layer_id at = 0;
    uint32_t count = 1 + cs_random_below(random, 12);
    for (uint32_t i = 0; i < count; i++) {
        const cs_shape in = network->layers[at].out;
        uint32_t kernel = DESIGN_PICK(random, 1, 2, 3, 5, 7);
        uint32_t stride = DESIGN_PICK(random, 1, 1, 2, 3);
        uint32_t channels = DESIGN_PICK(random, 1, 8, 24, 64, 100, 256, 520);
        cs_layer_id branch;
        switch (cs_random_below(random, 7)) {
        case 0:
            at = conv(network, at, channels, kernel, stride, 1);
            break;
        case 1:
            at = conv(network, at, in.channels, kernel, stride, in.channels);
            break;
        case 2:
            at = conv(network, at, in.channels * 2, kernel, stride, in.channels % 2 ? 1 : 2);
            break;
        case 3: {
            cs_op op = cs_random_below(random, 2) ? CS_OP_POOL_MAX : CS_OP_POOL_AVG;
            ck_assert_int_eq(
                cs_network_pool(network, at, op, kernel, stride, CS_PADDING_SAME, &at, &err),
                CS_OK);
            break;
        }
        case 4: {
            cs_layer_id from = at;
            branch = conv(network, from, in.channels, kernel, 1, 1);
            ck_assert_int_eq(cs_network_add(network, branch, from, &at, &err), CS_OK);
            break;
        }
        case 5: {
            cs_layer_id from = at;
            ck_assert_int_eq(cs_network_pool_global(network, from, &branch, &err), CS_OK);
            branch = conv(network, branch, in.channels, 1, 1, 1);
            ck_assert_int_eq(cs_network_scale(network, from, branch, &at, &err), CS_OK);
            break;
        }
        default:
            ck_assert_int_eq(
                cs_network_dense(network, at, channels, true, CS_ACTIVATION_SIGMOID, &at, &err),
                CS_OK);
            break;
        }
    }
}

cs_accelerator design_random_accelerator(cs_random *random)
{
    return (cs_accelerator){
        .pes_x = 1 + cs_random_below(random, 8),
        .pes_y = 1 + cs_random_below(random, 8),
        .cores_per_pe = DESIGN_PICK(random, 1, 2, 3, 4, 8),
        .lanes_per_core = DESIGN_PICK(random, 1, 8, 16, 32, 64, 100, 128),
        .simd_ways = DESIGN_PICK(random, 1, 2, 4, 8),
        .clock_mhz = DESIGN_PICK(random, 100, 800, 1066),
        .pe_memory_bytes = 1024ull * DESIGN_PICK(random, 4, 16, 64, 512, 2048),
        .core_memory_bytes = 1024ull * DESIGN_PICK(random, 1, 8, 32, 128),
        .instruction_entries = 1024,
        .parameter_entries = 1024,
        .activation_entries = 1024,
        .link_bytes_per_s = 1000000ull * DESIGN_PICK(random, 100, 1000, 20000),
    };
}
