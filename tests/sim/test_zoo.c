/* The networks that are shipped: their published parameters and multiply-accumulates, layer tables
 * of others, and that they run on the shipped accelerators. */
#include "designs.h"

#include "base/csv.h"
#include "base/file.h"
#include "sim/simulator/simulator.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
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

/* ---- published counts ---- */

/* Which parameters a source counts. */
enum {
    TRAINABLE,
    WITH_MOVING, /* and moving mean and variance of each normalised channel, as Keras and MXNet do
                  */
};

/* Parameters are equal to the published number. So are the multiply-accumulates of convolutions,
 * dense layers and products of tensors, within `within` of `gmacs`: half a unit of its last digit,
 * or what the source is known to count besides. 0: no source was found. */
static const struct {
    const char *name;
    uint64_t parameters;
    int counted;
    double gmacs, within;
    const char *source;
} zoo[] = {
    {"alexnet", 61100840, TRAINABLE, 0.714, 0.0005, "torchvision, AlexNet_Weights"},
    {"bert-base", 85054464, TRAINABLE, 11.25, 0.1,
     "12 x 7,087,872 of Devlin et al. 2019 (110M with embeddings and pooler); 22.5 GFLOPs with "
     "them at 128 tokens: Jiao et al., TinyBERT, EMNLP 2020, table 1"},
    {"deeplab-v3-mobilenet-v2", 2113557, TRAINABLE, 2.75, 0.01,
     "Sandler et al. 2018, table 7: 2.11M, 2.75B, the latter with resizing"},
    {"densenet121", 7978856, TRAINABLE, 2.834, 0.0005, "torchvision, DenseNet121_Weights"},
    {"efficientnet-b0", 5288548, TRAINABLE, 0.386, 0.0005, "torchvision, EfficientNet_B0_Weights"},
    {"efficientnet-edgetpu-s", 5438392, TRAINABLE, 1.81, 0.025,
     "timm, efficientnet_es (its tables of benchmarks count normalisation, too)"},
    {"efficientnet-edgetpu-m", 6899496, TRAINABLE, 3.04, 0.03, "timm, efficientnet_em (the same)"},
    {"efficientnet-edgetpu-l", 10589712, TRAINABLE, 8.0, 0.07, "timm, efficientnet_el (the same)"},
    {"inception-v1", 6624904, TRAINABLE, 1.498, 0.0005, "torchvision, GoogLeNet_Weights"},
    {"inception-v3", 23834568, TRAINABLE, 5.713, 0.0005,
     "torchvision, Inception_V3_Weights; parameters without the auxiliary classifier: timm"},
    {"inception-v4", 42679816, TRAINABLE, 12.28, 0.03, "timm, inception_v4"},
    {"mnasnet-a1", 3887038, TRAINABLE, 0.312, 0.0005,
     "timm, semnasnet_100; Tan et al. 2019, table 1: 3.9M, 312M"},
    {"mnasnet-b1", 4383312, TRAINABLE, 0.314, 0.0005, "torchvision, MNASNet1_0_Weights"},
    {"mobilenet-v1", 4253864, WITH_MOVING, 0.569, 0.0005,
     "Keras, MobileNet; Howard et al. 2017, table 8: 569M"},
    {"mobilenet-v2", 3504872, TRAINABLE, 0.301, 0.0005, "torchvision, MobileNet_V2_Weights"},
    {"mobilenet-v3-large", 5483032, TRAINABLE, 0.217, 0.0005,
     "torchvision, MobileNet_V3_Large_Weights"},
    {"mobilenet-v3-small", 2542856, TRAINABLE, 0.057, 0.0005,
     "torchvision, MobileNet_V3_Small_Weights"},
    {"resnet18", 11689512, TRAINABLE, 1.814, 0.0005, "torchvision, ResNet18_Weights"},
    {"resnet18-299", 11689512, TRAINABLE, 0, 0, "torchvision, ResNet18_Weights"},
    {"resnet18-v2", 11695796, WITH_MOVING, 1.8167, 0.003,
     "MXNet Gluon, resnet18_v2; multiplications with those of normalisation: hey-yahei/OpSummary"},
    {"resnet18-v2-299", 11695796, WITH_MOVING, 0, 0, "MXNet Gluon, resnet18_v2"},
    {"resnet50", 25557032, TRAINABLE, 4.089, 0.0005, "torchvision, ResNet50_Weights"},
    {"resnet50-299", 25557032, TRAINABLE, 0, 0, "torchvision, ResNet50_Weights"},
    {"resnet50-v2", 25613800, WITH_MOVING, 3.4845, 0.005,
     "Keras, ResNet50V2; 6.969 GFLOPs with biases: google-research/receptive_field, resnet_v2_50"},
    {"resnet50-v2-299", 25613800, WITH_MOVING, 0, 0, "Keras, ResNet50V2"},
    {"resnet152", 60192808, TRAINABLE, 11.514, 0.0005, "torchvision, ResNet152_Weights"},
    {"resnet152-299", 60192808, TRAINABLE, 0, 0, "torchvision, ResNet152_Weights"},
    {"resnet152-v2", 60380648, WITH_MOVING, 10.913, 0.01,
     "Keras, ResNet152V2; 21.826 GFLOPs with biases: google-research/receptive_field, "
     "resnet_v2_152"},
    {"resnet152-v2-299", 60380648, WITH_MOVING, 0, 0, "Keras, ResNet152V2"},
    {"squeezenet-v1.0", 1248424, TRAINABLE, 0.818924576, 5e-10,
     "torchvision, SqueezeNet1_0_Weights; hey-yahei/OpSummary"},
    {"squeezenet-v1.1", 1235496, TRAINABLE, 0.349151936, 5e-10,
     "torchvision, SqueezeNet1_1_Weights; hey-yahei/OpSummary"},
    {"unet-mobilenet-v2", 6504227, WITH_MOVING, 0, 0,
     "TensorFlow tutorial Image segmentation, summary of the model"},
    {"vgg16", 138357544, TRAINABLE, 15.47, 0.0005, "torchvision, VGG16_Weights"},
    {"vgg19", 143667240, TRAINABLE, 19.632, 0.0005, "torchvision, VGG19_Weights"},
};

#define ZOO_COUNT (sizeof zoo / sizeof zoo[0])

START_TEST(counts_are_the_published_ones)
{
    design_zoo(zoo[_i].name, &network);
    uint64_t parameters = cs_network_parameters(&network), macs = 0;
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const cs_layer *layer = &network.layers[i];
        if (zoo[_i].counted == WITH_MOVING && layer->normalized) {
            parameters += 2 * (uint64_t)layer->out.channels;
        }
        macs += layer->op == CS_OP_SCALE ? 0 : cs_layer_macs(layer);
    }
    ck_assert_msg(parameters == zoo[_i].parameters, "%s: %llu parameters; %s: %llu", zoo[_i].name,
                  (unsigned long long)parameters, zoo[_i].source,
                  (unsigned long long)zoo[_i].parameters);
    double gmacs = (double)macs * 1e-9;
    ck_assert_msg(zoo[_i].gmacs == 0 || fabs(gmacs - zoo[_i].gmacs) <= zoo[_i].within,
                  "%s: %.6f GMACs; %s: %g", zoo[_i].name, gmacs, zoo[_i].source, zoo[_i].gmacs);
}
END_TEST

START_TEST(every_file_is_in_the_table)
{
    DIR *folder = opendir(CODESIGN_SOURCE_DIR "/configs/networks");
    ck_assert_ptr_nonnull(folder);
    size_t count = 0;
    for (struct dirent *file = readdir(folder); file; file = readdir(folder)) {
        const char *end = strstr(file->d_name, ".conf");
        if (!end) {
            continue;
        }
        bool known = false;
        for (size_t i = 0; i < ZOO_COUNT; i++) {
            known = known || (strlen(zoo[i].name) == (size_t)(end - file->d_name) &&
                              strncmp(zoo[i].name, file->d_name, strlen(zoo[i].name)) == 0);
        }
        ck_assert_msg(known, "%s has no published counts", file->d_name);
        count++;
    }
    closedir(folder);
    ck_assert_uint_eq(count, ZOO_COUNT);
}
END_TEST

/* A larger input changes the work and nothing else. */
START_TEST(a_network_at_299_has_the_layers_of_that_at_224)
{
    static const char *const names[] = {"resnet18",    "resnet18-v2", "resnet50",
                                        "resnet50-v2", "resnet152",   "resnet152-v2"};
    cs_network other = {0};
    char larger[64];
    snprintf(larger, sizeof larger, "%s-299", names[_i]);
    design_zoo(names[_i], &network);
    design_zoo(larger, &other);
    ck_assert_uint_eq(other.layers[0].out.height, 299);
    ck_assert_uint_eq(other.layer_count, network.layer_count);
    ck_assert_uint_gt(cs_network_macs(&other), cs_network_macs(&network));
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const cs_layer *a = &network.layers[i], *b = &other.layers[i];
        ck_assert_int_eq(a->op, b->op);
        ck_assert_str_eq(cs_layer_name(&network, a), cs_layer_name(&other, b));
        ck_assert_uint_eq(cs_layer_parameters(a), cs_layer_parameters(b));
    }
    cs_network_release(&other);
}
END_TEST

START_TEST(the_file_of_mobilenet_v2_is_the_network_that_code_builds)
{
    cs_network other = {0};
    design_zoo("mobilenet-v2", &network);
    design_mobilenet_v2(&other);
    ck_assert_uint_eq(other.layer_count, network.layer_count);
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const cs_layer *a = &network.layers[i], *b = &other.layers[i];
        ck_assert_int_eq(a->op, b->op);
        ck_assert_uint_eq(cs_layer_macs(a), cs_layer_macs(b));
        ck_assert_uint_eq(cs_layer_parameters(a), cs_layer_parameters(b));
        ck_assert_uint_eq(a->pad_top, b->pad_top);
    }
    ck_assert_uint_eq(cs_network_peak_activation_bytes(&network),
                      cs_network_peak_activation_bytes(&other));
    cs_network_release(&other);
}
END_TEST

/* ---- layer tables ---- */

/* What tables of different tools have in common about a layer. */
typedef struct work {
    uint64_t macs, weights;
} work;

static int compare_work(const void *a, const void *b)
{
    const work *x = a, *y = b;
    if (x->macs != y->macs) {
        return x->macs < y->macs ? -1 : 1;
    }
    return (x->weights > y->weights) - (x->weights < y->weights);
}

static cs_csv *open_table(const char *name)
{
    const char *folder = getenv("CODESIGN_DATA");
    char path[512];
    size_t size;
    snprintf(path, sizeof path, "%s/topologies/%s",
             folder ? folder : CODESIGN_SOURCE_DIR "/../shared/data", name);
    char *text = cs_file_read(path, 16u << 20, &size, &err);
    if (!text) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return NULL;
    }
    cs_csv *csv = cs_csv_parse(text, size, name, &err);
    ck_assert_msg(csv != NULL, "%s", err.text);
    free(text);
    return csv;
}

static const char *cell(const cs_csv *csv, size_t row, const char *column)
{
    size_t index = 0;
    ck_assert_msg(cs_csv_find(csv, column, &index, &err) == CS_OK, "%s", err.text);
    return cs_csv_cell(csv, row, index);
}

/* A dimension; an empty cell is 1. */
static uint64_t side(const cs_csv *csv, size_t row, const char *column)
{
    const char *text = cell(csv, row, column);
    return *text ? strtoull(text, NULL, 10) : 1;
}

/* One row as its tool writes it; false for what is no convolution or dense layer. */
typedef bool read_work(const cs_csv *csv, size_t row, work *w);

/* Timeloop: M results of C inputs on P x Q positions; of a depthwise layer, only groups. */
static bool read_timeloop(const cs_csv *csv, size_t row, work *w)
{
    const char *groups = strstr(cell(csv, row, "other"), "G=");
    w->weights = side(csv, row, "C") * side(csv, row, "M") * side(csv, row, "R") *
                 side(csv, row, "S") * (groups ? strtoull(groups + 2, NULL, 10) : 1);
    w->macs = w->weights * side(csv, row, "P") * side(csv, row, "Q");
    return true;
}

/* MAESTRO: K results of C inputs on Y x X input positions, here always padded to keep the size. */
static bool read_maestro(const cs_csv *csv, size_t row, work *w)
{
    uint64_t stride = side(csv, row, "stride_x");
    uint64_t rows = (side(csv, row, "Y") + stride - 1) / stride;
    w->weights =
        side(csv, row, "K") * side(csv, row, "C") * side(csv, row, "R") * side(csv, row, "S");
    w->macs = w->weights * rows * rows;
    return true;
}

/* Operators of real TFLite files; the classifiers have a class more, for the background. */
static bool read_tflite(const cs_csv *csv, size_t row, work *w)
{
    const char *shape = cell(csv, row, "weight_shape");
    if (!*shape) {
        return false;
    }
    w->macs = side(csv, row, "macs");
    w->weights = 1;
    for (const char *at = shape; at; at = strchr(at, 'x') ? strchr(at, 'x') + 1 : NULL) {
        w->weights *= strtoull(at, NULL, 10);
    }
    if (strncmp(shape, "1001x", 5) == 0) {
        w->macs = w->macs / 1001 * 1000;
        w->weights = w->weights / 1001 * 1000;
    }
    return true;
}

static const struct {
    const char *name, *table, *column, *key;
    read_work *read;
    bool whole; /* else the table holds more, or lacks the classifier */
} tables[] = {
    {"mobilenet-v3-large", "timeloop_layers.csv", "network", "mobilenet_v3", read_timeloop, true},
    {"resnet18", "timeloop_layers.csv", "network", "resnet18", read_timeloop, true},
    {"vgg16", "timeloop_layers.csv", "network", "vgg16", read_timeloop, true},
    {"mnasnet-b1", "maestro_layers.csv", "network", "torchvision.models.mnasnet", read_maestro,
     true},
    {"inception-v1", "maestro_layers.csv", "network", "torchvision.models.googlenet", read_maestro,
     false}, /* with auxiliary classifiers */
    {"mobilenet-v2", "tflite_layers.csv", "model", "mobilenet_v2_1.0_224_quant", read_tflite, true},
    {"deeplab-v3-mobilenet-v2", "tflite_layers.csv", "model", "deeplabv3_mnv2_pascal_quant",
     read_tflite, true},
};

START_TEST(layers_are_those_of_published_tables)
{
    cs_csv *csv = open_table(tables[_i].table);
    if (!csv) {
        return;
    }
    design_zoo(tables[_i].name, &network);
    static work theirs[512], ours[512];
    size_t their_count = 0, our_count = 0;
    for (size_t row = 0; row < cs_csv_row_count(csv); row++) {
        if (strcmp(cell(csv, row, tables[_i].column), tables[_i].key) == 0) {
            ck_assert_uint_lt(their_count, 512);
            their_count += tables[_i].read(csv, row, &theirs[their_count]);
        }
    }
    for (uint32_t i = 0; i < network.layer_count; i++) {
        if (cs_layer_weights(&network.layers[i]) > 0) {
            ours[our_count++] = (work){.macs = cs_layer_macs(&network.layers[i]),
                                       .weights = cs_layer_weights(&network.layers[i])};
        }
    }
    qsort(theirs, their_count, sizeof *theirs, compare_work);
    qsort(ours, our_count, sizeof *ours, compare_work);
    size_t at = 0;
    for (size_t i = 0; i < our_count; i++) {
        while (at < their_count && compare_work(&theirs[at], &ours[i]) < 0) {
            ck_assert_msg(!tables[_i].whole, "%s: only the table has %llu MACs, %llu weights",
                          tables[_i].name, (unsigned long long)theirs[at].macs,
                          (unsigned long long)theirs[at].weights);
            at++;
        }
        ck_assert_msg(at < their_count && compare_work(&theirs[at], &ours[i]) == 0,
                      "%s: the table has no %llu MACs, %llu weights", tables[_i].name,
                      (unsigned long long)ours[i].macs, (unsigned long long)ours[i].weights);
        at++;
    }
    ck_assert(!tables[_i].whole || our_count == their_count);
    cs_csv_free(csv);
}
END_TEST

/* ---- running ---- */

/* The two with the largest memories run all; on the others a network may miss a memory, by name. */
START_TEST(the_zoo_runs_on_the_shipped_accelerators)
{
    static const struct {
        const char *name;
        bool runs_all;
    } accelerators[] = {{"edgetpu-v1", true},
                        {"nahas-baseline", true},
                        {"edgetpu-v2", false},
                        {"edgetpu-v3", false}};
    cs_technology technology = design_technology();
    cs_schedule schedule = {0};
    design_zoo(zoo[_i].name, &network);
    for (size_t k = 0; k < sizeof accelerators / sizeof accelerators[0]; k++) {
        cs_accelerator accelerator = design_accelerator(accelerators[k].name);
        ck_assert_int_eq(cs_compile(&network, &accelerator, NULL, &schedule, &err), CS_OK);
        if (!accelerators[k].runs_all &&
            (schedule.reason == CS_REASON_CORE_MEMORY || schedule.reason == CS_REASON_PE_MEMORY)) {
            continue;
        }
        ck_assert_msg(schedule.reason == CS_REASON_NONE, "%s on %s: %s: %s", zoo[_i].name,
                      accelerators[k].name,
                      cs_layer_name(&network, &network.layers[schedule.reason_layer]),
                      cs_reason_text(schedule.reason));
        cs_cost cost;
        cs_simulator_analytic.simulate(&network, &accelerator, &technology, &schedule, &cost, NULL);
        double least =
            (double)cs_network_macs(&network) * 2 / cs_accelerator_peak_ops(&accelerator);
        ck_assert_double_ge(cost.latency_s, least);
        ck_assert_double_ge(cost.latency_s,
                            (double)schedule.streamed_bytes / (double)accelerator.link_bytes_per_s);
        ck_assert_double_gt(cost.utilization, 0);
        ck_assert_double_le(cost.utilization, 1);
    }
    cs_schedule_release(&schedule);
}
END_TEST

/* Policy vendor schedules every network for the chip that it is of; what it refuses lacks a memory,
 * and is named. */
START_TEST(the_zoo_runs_on_coral_as_the_vendor_decides)
{
    static const cs_compile_options vendor = {.policy = CS_POLICY_VENDOR};
    cs_accelerator coral = design_hosted("coral-usb");
    cs_technology technology = design_technology();
    cs_schedule schedule = {0};
    cs_cost cost;
    design_zoo(zoo[_i].name, &network);
    ck_assert_int_eq(cs_compile(&network, &coral, &vendor, &schedule, &err), CS_OK);
    ck_assert_msg(schedule.reason == CS_REASON_NONE, "%s: %s: %s", zoo[_i].name,
                  cs_layer_name(&network, &network.layers[schedule.reason_layer]),
                  cs_reason_text(schedule.reason));
    cs_simulator_analytic.simulate(&network, &coral, &technology, &schedule, &cost, NULL);
    ck_assert_double_ge(cost.latency_s,
                        (double)cs_network_macs(&network) * 2 / cs_accelerator_peak_ops(&coral));
    ck_assert_double_ge(cost.latency_s,
                        (double)schedule.streamed_bytes / coral.host.in_bytes_per_s);
    cs_schedule_release(&schedule);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zoo");
    TCase *c = tcase_create("zoo");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, counts_are_the_published_ones, 0, ZOO_COUNT);
    tcase_add_test(c, every_file_is_in_the_table);
    tcase_add_loop_test(c, a_network_at_299_has_the_layers_of_that_at_224, 0, 6);
    tcase_add_test(c, the_file_of_mobilenet_v2_is_the_network_that_code_builds);
    tcase_add_loop_test(c, layers_are_those_of_published_tables, 0,
                        sizeof tables / sizeof tables[0]);
    tcase_add_loop_test(c, the_zoo_runs_on_the_shipped_accelerators, 0, ZOO_COUNT);
    tcase_add_loop_test(c, the_zoo_runs_on_coral_as_the_vendor_decides, 0, ZOO_COUNT);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
