/* The compiler: splits, stored bytes, caching, spilling and streaming, against figures worked out
 * by hand, public measurements and a dumb twin. */
#include "designs.h"

#include "sim/compiler/schedule.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cs_network network;
static cs_schedule schedule;
static cs_error err;

static void setup(void)
{
    network = (cs_network){0};
    schedule = (cs_schedule){0};
}

static void teardown(void)
{
    cs_network_release(&network);
    cs_schedule_release(&schedule);
}

static void compile(const cs_accelerator *accelerator)
{
    ck_assert_int_eq(cs_compile(&network, accelerator, NULL, &schedule, &err), CS_OK);
    ck_assert_uint_eq(schedule.step_count, network.layer_count);
}

static cs_layer_id append_conv(cs_layer_id from, uint32_t channels, uint32_t kernel)
{
    cs_layer_id id;
    cs_conv conv = {.channels = channels, .kernel_h = kernel, .kernel_w = kernel};
    ck_assert_int_eq(cs_network_conv(&network, from, &conv, &id, &err), CS_OK);
    return id;
}

/* ---- one layer, by hand, on V1: 4 x 4 PEs, 4 cores of 64 lanes, 4 ways ---- */

START_TEST(a_convolution_splits_rows_and_columns)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){56, 56, 65}, 300, 3, 1, 1);
    compile(&v1);
    const cs_step *step = &schedule.steps[1];
    ck_assert_int_eq(step->split_x, CS_SPLIT_SPACE);
    ck_assert_int_eq(step->split_y, CS_SPLIT_SPACE);
    ck_assert_uint_eq(step->channel_passes, 2);
    ck_assert_uint_eq(step->compute_cycles, 14 * 14 * 2 * 9 * 17);
    ck_assert_uint_eq(step->weight_bytes, 9 * 68 * 320 + 8 * 320);
    /* A row of lanes is 256 bytes: 32 KiB hold 14 words of 9 taps, so 17 words take two fills. */
    ck_assert_uint_eq(step->core_fills, 2);
}
END_TEST

START_TEST(halos_come_from_the_neighbours)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    v1.core_memory_bytes = 64 << 10; /* all weights in one fill: no partial sums */
    design_conv(&network, (cs_shape){56, 56, 64}, 64, 3, 1, 1);
    append_conv(1, 64, 3);
    compile(&v1);
    const cs_step *step = &schedule.steps[2];
    ck_assert(step->cached && !step->input_off_chip && step->output_off_chip);
    uint64_t weights = 9 * 64 * 64 + 8 * 64;
    uint64_t halo = (16 * 16 - 14 * 14) * 64;
    uint64_t output = 56 * 56 * 64;
    ck_assert_uint_eq(step->weight_bytes, weights);
    ck_assert_uint_eq(step->pe_memory_read_bytes, 56 * 56 * 9 * 64 + 16 * halo + output + weights);
    ck_assert_uint_eq(step->pe_memory_write_bytes, output + 16 * halo);
    ck_assert_uint_eq(step->core_memory_read_bytes, cs_layer_macs(&network.layers[2]));
    ck_assert_uint_eq(step->core_memory_write_bytes, 16 * weights);
    /* The read port of the PE that also holds the weights; a row is 64 lanes of 4 bytes. */
    uint64_t port = 14 * 14 * 9 * 64 + halo + output / 16 + weights;
    ck_assert_uint_eq(step->on_chip_cycles, (port + 255) / 256);
    ck_assert_uint_eq(step->operations, cs_layer_macs(&network.layers[2]));
}
END_TEST

START_TEST(small_images_split_channels_where_that_is_faster)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){7, 7, 160}, 960, 1, 1, 1);
    compile(&v1);
    /* Space alone: 2 * 2 positions, 4 passes; channels along x: 2 * 7 positions in one pass. */
    ck_assert_int_eq(schedule.steps[1].split_x, CS_SPLIT_CHANNELS);
    ck_assert_int_eq(schedule.steps[1].split_y, CS_SPLIT_SPACE);
    ck_assert_uint_eq(schedule.steps[1].compute_cycles, 2 * 7 * 1 * 40);
}
END_TEST

START_TEST(a_faster_split_that_does_not_fit_is_not_taken)
{
    cs_accelerator a = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){7, 7, 160}, 960, 1, 1, 1);
    /* A row of the smallest tile takes, with channels along x, 7 * (160 + 4 blocks of 64) bytes;
     * along y, as fast, 2 * (160 + 256). */
    a.pe_memory_bytes = 7 * (160 + 256);
    compile(&a);
    ck_assert_int_eq(schedule.steps[1].split_x, CS_SPLIT_CHANNELS);
    a.pe_memory_bytes -= 1;
    compile(&a);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    ck_assert_int_eq(schedule.steps[1].split_x, CS_SPLIT_SPACE);
    ck_assert_int_eq(schedule.steps[1].split_y, CS_SPLIT_CHANNELS);
    ck_assert_uint_eq(schedule.steps[1].compute_cycles, 7 * 2 * 40);
}
END_TEST

START_TEST(a_depthwise_layer_uses_one_way)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){28, 28, 192}, 192, 3, 1, 192);
    compile(&v1);
    ck_assert_uint_eq(schedule.steps[1].compute_cycles, 7 * 7 * 9);
    ck_assert_uint_eq(schedule.steps[1].weight_bytes, 9 * 4 * 192 + 8 * 192);
}
END_TEST

START_TEST(a_dense_layer_uses_all_pes)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_dense(&network, 1282, 10000);
    compile(&v1);
    ck_assert_int_eq(schedule.steps[1].split_x, CS_SPLIT_CHANNELS);
    ck_assert_int_eq(schedule.steps[1].split_y, CS_SPLIT_CHANNELS);
    /* 157 blocks of 64 outputs over 64 cores: 3 passes of 321 words. */
    ck_assert_uint_eq(schedule.steps[1].compute_cycles, 3 * 321);
    ck_assert_uint_eq(schedule.steps[1].weight_bytes, 1284 * 157 * 64);
}
END_TEST

/* ---- stored bytes, against what the vendor's compiler reported for the Coral chip ---- */

static FILE *open_ladder(const char *name)
{
    char path[512];
    const char *folder = getenv("CODESIGN_DATA");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : CODESIGN_SOURCE_DIR "/../shared/data",
             name);
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "skipped: no %s\n", path);
    }
    return file;
}

static uint64_t stored_bytes(const cs_accelerator *accelerator)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; i < network.layer_count; i++) {
        sum += cs_layer_stored_bytes(&network.layers[i], accelerator);
    }
    return sum;
}

/* Within 1 %: the reports are rounded, above 1 MiB to two decimals. */
static void check_ladder(const char *name, void (*build)(uint32_t width))
{
    FILE *file = open_ladder(name);
    if (!file) {
        return;
    }
    cs_accelerator coral = design_accelerator("edgetpu-v1"); /* 64 lanes, 4 ways */
    char line[256];
    unsigned rows = 0;
    while (fgets(line, sizeof line, file)) {
        unsigned width;
        double macs, on_mib, off_mib;
        if (sscanf(line, "%u,%lf,%lf,%lf", &width, &macs, &on_mib, &off_mib) != 4) {
            continue;
        }
        build(width);
        ck_assert_double_eq((double)cs_network_macs(&network), macs);
        double mib = (double)stored_bytes(&coral) / (1 << 20);
        double off = mib / (on_mib + off_mib) - 1;
        ck_assert_msg(off < 0.01 && off > -0.01, "%s: %u: %f MiB, reported %f", name, width, mib,
                      on_mib + off_mib);
        rows++;
    }
    fclose(file);
    ck_assert_uint_gt(rows, 10);
}

static void build_conv_ladder(uint32_t filters)
{
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){64, 64, 3}, &err), CS_OK);
    cs_layer_id at = 0;
    for (int i = 0; i < 5; i++) {
        at = append_conv(at, filters, 3);
    }
}

static void build_fc_ladder(uint32_t neurons)
{
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 1, 64}, &err), CS_OK);
    cs_layer_id at = 0;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(cs_network_dense(&network, at, i < 4 ? neurons : 10, true,
                                          CS_ACTIVATION_RELU, &at, &err),
                         CS_OK);
    }
}

START_TEST(stored_bytes_are_those_of_the_coral_ladders)
{
    check_ladder("coral_conv_ladder.csv", build_conv_ladder);
    check_ladder("coral_fc_ladder.csv", build_fc_ladder);
}
END_TEST

/* ---- memory ---- */

START_TEST(parameters_are_cached_by_whole_layers_in_order)
{
    cs_accelerator a = design_accelerator("edgetpu-v1");
    a.pes_x = a.pes_y = 1;
    a.pe_memory_bytes = 256 << 10;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 1, 256}, &err), CS_OK);
    cs_layer_id at = 0;
    static const uint32_t widths[] = {256, 2048, 64, 256, 256};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        ck_assert_int_eq(
            cs_network_dense(&network, at, widths[i], true, CS_ACTIVATION_NONE, &at, &err), CS_OK);
    }
    compile(&a);
    /* 64, 512, 128, 16 and 64 KiB into somewhat less than 256: the second is passed over. */
    static const bool cached[] = {true, false, true, true, false};
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_msg(schedule.steps[i + 1].cached == cached[i], "layer %u", i + 1);
    }
    ck_assert_uint_eq(schedule.cached_bytes, (64 + 128 + 16) << 10);
    ck_assert_uint_eq(schedule.streamed_bytes, (512 + 64) << 10);
    ck_assert_uint_eq(schedule.steps[2].weight_passes, 1);
    ck_assert_uint_eq(schedule.steps[2].off_chip_read_bytes, 512 << 10);
    ck_assert_uint_eq(schedule.steps[1].off_chip_read_bytes, 256);
}
END_TEST

START_TEST(weights_are_streamed_once_for_every_strip)
{
    cs_accelerator a = design_accelerator("edgetpu-v1");
    a.pes_x = a.pes_y = 1;
    a.pe_memory_bytes = 128 << 10;
    design_conv(&network, (cs_shape){32, 32, 128}, 128, 3, 1, 1);
    compile(&a);
    const cs_step *step = &schedule.steps[1];
    /* 145 KiB of weights do not fit. Each output row takes 4 KiB, a strip's input 4 KiB a row and
     * two rows around it, and its partial sums, at three fills (36 KiB a fill: 14 of 32 words), 32
     * KiB a row: 3 rows fit in 128 KiB, so 11 strips. */
    ck_assert(!step->cached);
    ck_assert_uint_eq(step->core_fills, 3);
    ck_assert_uint_eq(step->strip_rows, 3);
    ck_assert_uint_eq(step->weight_passes, 11);
    ck_assert_uint_eq(step->off_chip_read_bytes,
                      11 * step->weight_bytes + (32 + 10 * 2) * 32 * 128);
    ck_assert_uint_eq(step->off_chip_write_bytes, 32 * 32 * 128);
    /* Every byte that comes in is written once, and partial sums are between three fills. */
    uint64_t sums = 2 * 32 * 32 * 128 * 4;
    ck_assert_uint_eq(step->pe_memory_write_bytes,
                      step->off_chip_read_bytes + step->off_chip_write_bytes + sums);
    ck_assert_uint_eq(step->pe_memory_read_bytes, 32 * 32 * 9 * 128 + 11 * step->weight_bytes +
                                                      step->off_chip_write_bytes + sums);
    ck_assert_uint_eq(step->core_memory_write_bytes, 11 * step->weight_bytes);
}
END_TEST

START_TEST(a_tensor_that_does_not_fit_is_spilled)
{
    cs_accelerator a = design_accelerator("edgetpu-v1");
    a.pes_x = a.pes_y = 1;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){64, 64, 16}, &err), CS_OK);
    append_conv(append_conv(append_conv(0, 64, 1), 16, 1), 16, 1);
    a.pe_memory_bytes = 512 << 10;
    compile(&a);
    ck_assert(schedule.steps[1].input_off_chip);
    ck_assert(!schedule.steps[1].output_off_chip);
    ck_assert(!schedule.steps[2].input_off_chip);
    a.pe_memory_bytes = 200 << 10;
    compile(&a);
    ck_assert(schedule.steps[1].output_off_chip);
    ck_assert_uint_eq(schedule.steps[1].off_chip_write_bytes, 64 * 64 * 64);
    ck_assert(schedule.steps[2].input_off_chip);
    ck_assert_uint_eq(schedule.steps[2].off_chip_read_bytes, 64 * 64 * 64);
    ck_assert(!schedule.steps[2].output_off_chip);
    ck_assert(schedule.steps[3].output_off_chip);
}
END_TEST

START_TEST(what_cannot_run_says_why_and_where)
{
    cs_accelerator a = design_accelerator("nahas-baseline");
    design_conv(&network, (cs_shape){14, 14, 64}, 64, 5, 1, 1);
    append_conv(1, 64, 5);
    a.lanes_per_core = 128;
    a.core_memory_bytes = 12800;
    compile(&a);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    a.core_memory_bytes = 12799; /* 25 taps * 128 lanes * 4 ways = 12800 */
    compile(&a);
    ck_assert_int_eq(schedule.reason, CS_REASON_CORE_MEMORY);
    ck_assert_uint_eq(schedule.reason_layer, 1);

    a = design_accelerator("nahas-baseline");
    design_conv(&network, (cs_shape){1, 1, 64}, 4000, 1, 1, 1);
    append_conv(1, 64, 1);
    a.pe_memory_bytes = 4096; /* one tile: 4000 inputs and up to 64 outputs */
    compile(&a);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    a.pe_memory_bytes = 4000;
    compile(&a);
    ck_assert_int_eq(schedule.reason, CS_REASON_PE_MEMORY);
    ck_assert_uint_eq(schedule.reason_layer, 2);
    for (cs_reason r = 0; r < CS_REASON_COUNT; r++) {
        ck_assert_str_ne(cs_reason_text(r), "unknown reason");
    }
}
END_TEST

START_TEST(compiling_again_allocates_nothing)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_mobilenet_v2(&network);
    compile(&v1);
    const cs_step *steps = schedule.steps;
    const void *plans = schedule.plans;
    design_conv(&network, (cs_shape){8, 8, 8}, 8, 3, 1, 1);
    compile(&v1);
    design_mobilenet_v2(&network);
    compile(&v1);
    ck_assert_ptr_eq(schedule.steps, steps);
    ck_assert_ptr_eq(schedule.plans, plans);
}
END_TEST

/* ---- a dumb twin ---- */

/* Hand out positions and lane blocks one by one and count what the fullest PE got. */
static uint64_t walk_cycles(const cs_layer *layer, const cs_accelerator *a, cs_split split_x,
                            cs_split split_y)
{
    uint32_t rows = 0, cols = 0, channel_pes = 1;
    for (uint32_t y = 0; y < layer->out.height; y++) {
        rows += split_y == CS_SPLIT_CHANNELS || y % a->pes_y == 0;
    }
    for (uint32_t x = 0; x < layer->out.width; x++) {
        cols += split_x == CS_SPLIT_CHANNELS || x % a->pes_x == 0;
    }
    channel_pes *= split_y == CS_SPLIT_CHANNELS ? a->pes_y : 1;
    channel_pes *= split_x == CS_SPLIT_CHANNELS ? a->pes_x : 1;
    uint32_t lanes_of_pe = a->cores_per_pe * a->lanes_per_core;
    uint64_t passes = 0;
    for (uint32_t c = 0; c < layer->out.channels; c += lanes_of_pe * channel_pes) {
        passes++;
    }
    uint64_t channels = 1;
    if (layer->op == CS_OP_CONV) {
        channels = layer->in.channels / layer->groups;
    } else if (layer->op == CS_OP_DENSE) {
        channels = cs_shape_elements(layer->in);
    }
    uint64_t words = 0;
    for (uint64_t c = 0; c < channels; c += a->simd_ways) {
        words += (uint64_t)layer->kernel_h * layer->kernel_w;
    }
    return (uint64_t)rows * cols * passes * words;
}

static void check_against_twin(const cs_accelerator *a)
{
    uint64_t memory = (uint64_t)a->pes_x * a->pes_y * a->pe_memory_bytes;
    uint64_t cached = 0, streamed = 0;
    uint64_t capacity = memory - schedule.peak_activation_bytes;
    ck_assert_uint_le(schedule.peak_activation_bytes, memory);
    for (uint32_t i = 1; i < network.layer_count; i++) {
        const cs_layer *layer = &network.layers[i];
        const cs_step *step = &schedule.steps[i];
        ck_assert_uint_eq(step->compute_cycles,
                          walk_cycles(layer, a, step->split_x, step->split_y));
        ck_assert_uint_le(1, step->strip_rows);
        ck_assert_uint_le(step->strip_rows, step->tile_rows);

        /* Caching is greedy in layer order. */
        ck_assert(step->cached ==
                  (step->weight_bytes > 0 && step->weight_bytes <= capacity - cached));
        cached += step->cached ? step->weight_bytes : 0;
        streamed += step->cached ? 0 : step->weight_bytes;

        /* Who reads a tensor agrees with its producer on where it lies. */
        uint64_t least = step->cached ? 0 : step->weight_bytes * step->weight_passes;
        bool off_chip = false;
        for (uint32_t k = 0; k < layer->input_count; k++) {
            cs_layer_id from = cs_layer_inputs(&network, layer)[k];
            bool spilled = schedule.steps[from].output_off_chip;
            off_chip = off_chip || spilled;
            least += spilled ? cs_shape_elements(network.layers[from].out) : 0;
        }
        ck_assert(step->input_off_chip == off_chip);
        ck_assert_uint_ge(step->off_chip_read_bytes, least);
        if (step->strip_rows == step->tile_rows) {
            ck_assert_uint_eq(step->off_chip_read_bytes, least);
            ck_assert_uint_le(step->weight_passes, 1);
        }
        ck_assert_uint_eq(step->off_chip_write_bytes,
                          step->output_off_chip ? cs_shape_elements(layer->out) : 0);
        if (step->weight_bytes > 0) {
            ck_assert_uint_ge(step->core_memory_read_bytes, cs_layer_macs(layer));
            ck_assert_uint_ge(step->core_memory_write_bytes, step->weight_bytes);
        }

        /* What lies in PE memory while the layer runs fits, with the cached parameters. */
        uint64_t share = 0;
        for (uint32_t j = 1; j < network.layer_count; j++) {
            bool alive = j <= i && !schedule.steps[j].output_off_chip;
            bool read = false;
            for (uint32_t t = i; t < network.layer_count; t++) {
                for (uint32_t k = 0; k < network.layers[t].input_count; k++) {
                    read = read || cs_layer_inputs(&network, &network.layers[t])[k] == j;
                }
            }
            const cs_shape shape = network.layers[j].out;
            if (alive && (read || j == i)) {
                share += (uint64_t)((shape.height - 1) / a->pes_y + 1) *
                         ((shape.width - 1) / a->pes_x + 1) * shape.channels;
            }
        }
        uint64_t pes = (uint64_t)a->pes_x * a->pes_y;
        ck_assert_uint_le(share * pes, schedule.peak_activation_bytes);
    }
    ck_assert_uint_eq(schedule.cached_bytes, cached);
    ck_assert_uint_eq(schedule.streamed_bytes, streamed);
    ck_assert(schedule.steps[network.layer_count - 1].output_off_chip);
}

START_TEST(random_schedules_agree_with_a_dumb_twin)
{
    unsigned feasible = 0, spilling = 0, striped = 0, infeasible[CS_REASON_COUNT] = {0};
    for (uint64_t seed = 0; seed < 3000; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
        design_random_network(&random, &network);
        cs_accelerator a = design_random_accelerator(&random);
        compile(&a);
        infeasible[schedule.reason]++;
        if (schedule.reason) {
            ck_assert_uint_ge(schedule.reason_layer, 1);
            ck_assert_uint_lt(schedule.reason_layer, network.layer_count);
            continue;
        }
        feasible++;
        check_against_twin(&a);
        bool spills = false, strips = false;
        for (uint32_t i = 1; i + 1 < network.layer_count; i++) {
            spills = spills || schedule.steps[i].output_off_chip;
            strips = strips || schedule.steps[i].weight_passes > 1;
        }
        spilling += spills;
        striped += strips;
    }
    /* The sample reaches every regime. */
    ck_assert_uint_gt(feasible, 500);
    ck_assert_uint_gt(spilling, 50);
    ck_assert_uint_gt(striped, 50);
    ck_assert_uint_gt(infeasible[CS_REASON_CORE_MEMORY], 50);
    ck_assert_uint_gt(infeasible[CS_REASON_PE_MEMORY], 50);
}
END_TEST

START_TEST(the_split_is_the_fastest_of_all_four)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 1, CS_PURPOSE_SAMPLE, 0, 0);
        design_random_network(&random, &network);
        cs_accelerator a = design_random_accelerator(&random);
        a.pe_memory_bytes = 1ull << 28;
        a.core_memory_bytes = 1ull << 24;
        compile(&a);
        ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
        for (uint32_t i = 1; i < network.layer_count; i++) {
            uint64_t best = UINT64_MAX;
            for (int option = 0; option < 4; option++) {
                uint64_t cycles = walk_cycles(&network.layers[i], &a,
                                              option & 1 ? CS_SPLIT_CHANNELS : CS_SPLIT_SPACE,
                                              option & 2 ? CS_SPLIT_CHANNELS : CS_SPLIT_SPACE);
                best = cycles < best ? cycles : best;
            }
            ck_assert_uint_eq(schedule.steps[i].compute_cycles, best);
        }
    }
}
END_TEST

/* ---- operations beyond convolutions, on V1: 4 x 4 PEs, 4 cores of 64 lanes, 4 ways ---- */

START_TEST(a_product_of_tensors_streams_its_second_operand)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id id;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){12, 128, 64}, &err), CS_OK);
    ck_assert_int_eq(cs_network_matmul(&network, 0, 0, true, &id, &err), CS_OK);
    compile(&v1);
    const cs_step *step = &schedule.steps[id];
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    /* 3 heads and 32 rows a PE, 16 words of 4 inputs, one pass over 128 results. */
    ck_assert_uint_eq(step->compute_cycles, 3 * 32 * 16);
    ck_assert_uint_eq(step->weight_bytes, 0);
    ck_assert_uint_eq(step->operations, cs_layer_macs(&network.layers[id]));
    /* Each PE brings the whole second operand of its heads to its cores, once a head. */
    ck_assert_uint_eq(step->core_memory_write_bytes, 16 * 3 * 128 * 64);
    ck_assert_uint_eq(step->core_memory_read_bytes, cs_layer_macs(&network.layers[id]));
}
END_TEST

START_TEST(a_cell_brings_its_weights_for_each_step_unless_they_stay)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id small, large;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){1, 20, 64}, &err), CS_OK);
    ck_assert_int_eq(cs_network_cell(&network, 0, CS_OP_LSTM, 64, true, &small, &err), CS_OK);
    ck_assert_int_eq(cs_network_cell(&network, small, CS_OP_LSTM, 2048, true, &large, &err), CS_OK);
    compile(&v1);
    /* 4 * 64 results of 128 inputs: one pass of one fill on each of four PEs. */
    ck_assert_uint_eq(schedule.steps[small].compute_cycles, 20 * 32);
    ck_assert_uint_eq(schedule.steps[small].weight_passes, 1);
    ck_assert_uint_eq(schedule.steps[small].weight_bytes, 256 * 128 + 256 * 8);
    /* 8192 results of 2112 inputs: two passes on each PE, in several fills. */
    ck_assert_uint_eq(schedule.steps[large].compute_cycles, 20 * 2 * 528);
    ck_assert_uint_gt(schedule.steps[large].core_fills, 1);
    ck_assert_uint_eq(schedule.steps[large].weight_passes, 20);
}
END_TEST

START_TEST(data_movement_takes_an_operation_for_each_element)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id id;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){32, 32, 64}, &err), CS_OK);
    cs_layer_id branch = append_conv(0, 192, 3);
    ck_assert_int_eq(cs_network_concat(&network, (const cs_layer_id[]){branch, 0}, 2, &id, &err),
                     CS_OK);
    cs_layer_id joined = id;
    ck_assert_int_eq(cs_network_map(&network, joined, CS_OP_SOFTMAX, &id, &err), CS_OK);
    cs_layer_id softmax = id;
    ck_assert_int_eq(cs_network_resize(&network, softmax, 64, 64, &id, &err), CS_OK);
    compile(&v1);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    ck_assert_uint_eq(schedule.steps[joined].operations, 32 * 32 * 256);
    ck_assert_uint_eq(schedule.steps[joined].compute_cycles, 8 * 8);
    ck_assert(schedule.steps[joined].input_off_chip);
    /* Of the inputs of a concatenation only the network's input lies off-chip. */
    ck_assert_uint_eq(schedule.steps[joined].off_chip_read_bytes, 32 * 32 * 64);
    ck_assert_uint_eq(schedule.steps[softmax].compute_cycles, 3 * 8 * 8);
    ck_assert_uint_eq(schedule.steps[id].compute_cycles, 16 * 16);
    ck_assert_uint_eq(schedule.steps[id].off_chip_write_bytes, 64 * 64 * 256);
}
END_TEST

/* Every stride-th tap reaches an output of a transposed convolution; all are stored. */
START_TEST(a_transposed_convolution_uses_the_taps_that_reach_an_output)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id id;
    cs_conv conv = {.channels = 128, .kernel_h = 4, .kernel_w = 4, .stride = 2};
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){32, 32, 64}, &err), CS_OK);
    ck_assert_int_eq(cs_network_conv_transpose(&network, 0, &conv, &id, &err), CS_OK);
    compile(&v1);
    ck_assert_uint_eq(schedule.steps[id].compute_cycles, 16 * 16 * 4 * 16);
    ck_assert_uint_eq(schedule.steps[id].weight_bytes, 16 * 64 * 128 + 8 * 128);
}
END_TEST

START_TEST(further_inputs_are_off_chip_and_cost_nothing_themselves)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id other, sum;
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){16, 16, 8}, &err), CS_OK);
    ck_assert_int_eq(cs_network_input(&network, (cs_shape){16, 16, 8}, &other, &err), CS_OK);
    ck_assert_int_eq(cs_network_add(&network, 0, other, &sum, &err), CS_OK);
    compile(&v1);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    ck_assert_uint_eq(schedule.steps[other].operations, 0);
    ck_assert(schedule.steps[other].output_off_chip);
    ck_assert_uint_eq(schedule.steps[sum].off_chip_read_bytes, 2 * 16 * 16 * 8);
}
END_TEST

START_TEST(the_samples_of_a_batch_run_one_after_another)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_zoo("mobilenet-v1", &network);
    compile(&v1);
    uint64_t cycles = 0, read = 0;
    for (uint32_t i = 0; i < network.layer_count; i++) {
        cycles += schedule.steps[i].compute_cycles;
        read += schedule.steps[i].off_chip_read_bytes;
    }
    ck_assert_int_eq(cs_network_set_batch(&network, 7, &err), CS_OK);
    compile(&v1);
    for (uint32_t i = 0; i < network.layer_count; i++) {
        cycles -= schedule.steps[i].compute_cycles / 7;
        read -= schedule.steps[i].off_chip_read_bytes / 7;
    }
    ck_assert_uint_eq(cycles, 0);
    ck_assert_uint_eq(read, 0);
}
END_TEST

START_TEST(bits_other_than_eight_are_not_supported)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){8, 8, 8}, 8, 3, 1, 1);
    ck_assert_int_eq(cs_network_set_bits(&network, 1, 4, 8, &err), CS_OK);
    compile(&v1);
    ck_assert_int_eq(schedule.reason, CS_REASON_UNSUPPORTED);
    ck_assert_uint_eq(schedule.reason_layer, 1);
    ck_assert_int_eq(cs_network_set_bits(&network, 1, 8, 8, &err), CS_OK);
    ck_assert_int_eq(cs_network_set_bits(&network, 0, 8, 16, &err), CS_OK);
    compile(&v1);
    ck_assert_int_eq(schedule.reason, CS_REASON_UNSUPPORTED);
    ck_assert_uint_eq(schedule.reason_layer, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *c = tcase_create("schedule");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_convolution_splits_rows_and_columns);
    tcase_add_test(c, halos_come_from_the_neighbours);
    tcase_add_test(c, small_images_split_channels_where_that_is_faster);
    tcase_add_test(c, a_faster_split_that_does_not_fit_is_not_taken);
    tcase_add_test(c, a_depthwise_layer_uses_one_way);
    tcase_add_test(c, a_dense_layer_uses_all_pes);
    tcase_add_test(c, stored_bytes_are_those_of_the_coral_ladders);
    tcase_add_test(c, parameters_are_cached_by_whole_layers_in_order);
    tcase_add_test(c, weights_are_streamed_once_for_every_strip);
    tcase_add_test(c, a_tensor_that_does_not_fit_is_spilled);
    tcase_add_test(c, what_cannot_run_says_why_and_where);
    tcase_add_test(c, compiling_again_allocates_nothing);
    tcase_add_test(c, random_schedules_agree_with_a_dumb_twin);
    tcase_add_test(c, the_split_is_the_fastest_of_all_four);
    tcase_add_test(c, a_product_of_tensors_streams_its_second_operand);
    tcase_add_test(c, a_cell_brings_its_weights_for_each_step_unless_they_stay);
    tcase_add_test(c, data_movement_takes_an_operation_for_each_element);
    tcase_add_test(c, a_transposed_convolution_uses_the_taps_that_reach_an_output);
    tcase_add_test(c, further_inputs_are_off_chip_and_cost_nothing_themselves);
    tcase_add_test(c, the_samples_of_a_batch_run_one_after_another);
    tcase_add_test(c, bits_other_than_eight_are_not_supported);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
