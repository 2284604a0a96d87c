/* Networks, accelerators and files that the tests of sim/ share. Everything here asserts by Check
 * that it worked. */
#ifndef CS_TESTS_SIM_DESIGNS_H
#define CS_TESTS_SIM_DESIGNS_H

#include "base/random.h"
#include "sim/accelerator/accelerator.h"
#include "sim/accelerator/technology.h"
#include "sim/network/network.h"

/* configs/accelerators/NAME.conf and configs/technology/edge-22nm.conf. */
cs_accelerator design_accelerator(const char *name);
cs_technology design_technology(void);
cs_technology design_technology_estimate(cs_estimate estimate);

/* configs/hosts/NAME.conf, and the chip that it names attached to it. */
cs_accelerator design_hosted(const char *name);

/* configs/networks/NAME.conf. */
void design_zoo(const char *name, cs_network *network);

/* MobileNetV2 (Sandler et al., CVPR 2018), width 1, 224 x 224, 1000 classes. */
void design_mobilenet_v2(cs_network *network);

/* One convolution with "same" padding, or one dense layer, on an input. */
void design_conv(cs_network *network, cs_shape input, uint32_t channels, uint32_t kernel,
                 uint32_t stride, uint32_t groups);
void design_dense(cs_network *network, uint32_t inputs, uint32_t outputs);

/* 1 to 12 layers of every kind, with branches and spills; and a legal accelerator, often too small
 * for some of them. */
void design_random_network(cs_random *random, cs_network *network);
cs_accelerator design_random_accelerator(cs_random *random);

/* A uniform choice of the arguments after `random`. */
#define DESIGN_PICK(random, ...)                                                                   \
    ((const uint32_t[]){__VA_ARGS__}[cs_random_below(                                              \
        (random), sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))])

#endif
