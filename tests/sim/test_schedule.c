/* The compiler's frame and the machine that it schedules for: cutting, stored bytes, traffic,
 * where tensors lie, caching, reasons and pins, against figures worked out by hand and public
 * measurements. */
#include "designs.h"

#include "sim/compiler/schedule.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cs_compile_options vendor = {.policy = CS_POLICY_VENDOR};

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

static void compile(const cs_accelerator *accelerator, const cs_compile_options *options)
{
    ck_assert_int_eq(cs_compile(&network, accelerator, options, &schedule, &err), CS_OK);
    ck_assert_uint_eq(schedule.step_count, network.layer_count);
}

static void start(uint32_t height, uint32_t width, uint32_t channels)
{
    ck_assert_int_eq(cs_network_start(&network, (cs_shape){height, width, channels}, &err), CS_OK);
}

static cs_layer_id append_conv(cs_layer_id from, uint32_t channels, uint32_t kernel)
{
    cs_layer_id id;
    cs_conv conv = {.channels = channels, .kernel_h = kernel, .kernel_w = kernel};
    ck_assert_int_eq(cs_network_conv(&network, from, &conv, &id, &err), CS_OK);
    return id;
}

static cs_layer_id append_add(cs_layer_id a, cs_layer_id b)
{
    cs_layer_id id;
    ck_assert_int_eq(cs_network_add(&network, a, b, &id, &err), CS_OK);
    return id;
}

/* ---- one layer, by hand, on V1: 4 x 4 PEs, 4 cores of 64 lanes, 4 ways ---- */

START_TEST(a_convolution_splits_rows_and_columns)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){56, 56, 65}, 300, 3, 1, 1);
    compile(&v1, &vendor);
    const cs_step *step = schedule.steps[1];
    ck_assert_int_eq(step->knobs.split_x, CS_SPLIT_SPACE);
    ck_assert_int_eq(step->knobs.split_y, CS_SPLIT_SPACE);
    ck_assert_uint_eq(step->tile_rows, 14);
    ck_assert_uint_eq(step->channel_passes, 2);
    ck_assert_uint_eq(step->weight_bytes, 9 * 68 * 320 + 8 * 320);
    /* 9 taps of 17 words, chunk by chunk of 9: partial sums of 14 x 14 positions would be less than
     * a FIFO of all 153. */
    ck_assert_int_eq(step->knobs.order, CS_ORDER_CHUNKS);
    ck_assert_uint_eq(step->core_fills, 17);
    ck_assert_uint_eq(step->compute_cycles, 14 * 14 * 2 * 153);
    ck_assert_uint_eq(step->sum_cycles, 14 * 14 * 2 * 17 * 2);
    ck_assert_uint_eq(step->fill_cycles, 2 * 17 * (26 + 16 * 9));
    ck_assert_uint_eq(step->traffic.operations, cs_layer_macs(&network.layers[1]));
    /* Lanes of a pass share what they read; sums are 32 bit for every lane. */
    ck_assert_uint_eq(step->traffic.ring_bytes, step->weight_bytes);
    uint64_t sums = 56 * 56 * 2 * 17 * 256 * 4;
    ck_assert_uint_eq(step->traffic.wide_write_bytes, sums);
    ck_assert_uint_eq(step->traffic.wide_read_bytes, sums + step->weight_bytes);
}
END_TEST

START_TEST(halos_come_from_the_neighbours)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){56, 56, 64}, 64, 3, 1, 1);
    append_conv(1, 64, 3);
    compile(&v1, &vendor);
    const cs_step *step = schedule.steps[2];
    ck_assert_uint_eq(schedule.steps[1]->halo_rows, 2);
    /* Rows that the four PEs of a column read: 15, 16, 16, 15; they hold 14 each. */
    ck_assert_uint_eq(step->traffic.mesh_bytes, (62 * 62 - 56 * 56) * 64);
    ck_assert_uint_eq(step->narrow_bytes, 16 * 16 * 64 + 14 * 14 * 64);
    ck_assert_uint_eq(schedule.steps[1]->narrow_bytes, 2 * 16 * 16 * 64);
    ck_assert_uint_eq(step->collect_bytes, 56 * 56 * 64);
}
END_TEST

START_TEST(best_splits_channels_where_that_is_faster)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){1, 400, 160}, 960, 1, 1, 1);
    compile(&v1, &vendor);
    ck_assert_uint_eq(schedule.steps[1]->compute_cycles, 100 * 4 * 40);
    compile(&v1, NULL);
    const cs_step *step = schedule.steps[1];
    /* With rows on the y axis three of four PEs have none; channels there make one pass of four. */
    ck_assert_int_eq(step->knobs.split_y, CS_SPLIT_CHANNELS);
    ck_assert_int_eq(step->knobs.split_x, CS_SPLIT_SPACE);
    ck_assert_uint_eq(step->channel_passes, 1);
    ck_assert_uint_eq(step->compute_cycles, 100 * 40);
    /* The network's own input and output cross the link, not the mesh. */
    ck_assert_uint_eq(step->traffic.mesh_bytes, 0);
    ck_assert_uint_eq(step->traffic.link_in_bytes, 400 * 160);
    ck_assert_uint_eq(step->traffic.link_out_bytes, 400 * 960);
}
END_TEST

START_TEST(a_depthwise_layer_uses_an_eighth_of_the_lanes)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){28, 28, 192}, 192, 3, 1, 192);
    compile(&v1, &vendor);
    ck_assert_uint_eq(schedule.steps[1]->compute_cycles, 7 * 7 * 9 * 6);
    ck_assert_uint_eq(schedule.steps[1]->weight_bytes, 9 * 4 * 192 + 8 * 192);
}
END_TEST

START_TEST(a_dense_layer_uses_all_pes)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_dense(&network, 1282, 10000);
    compile(&v1, &vendor);
    const cs_step *step = schedule.steps[1];
    ck_assert_int_eq(step->knobs.split_x, CS_SPLIT_CHANNELS);
    ck_assert_int_eq(step->knobs.split_y, CS_SPLIT_CHANNELS);
    /* 157 blocks of 64 outputs over 64 cores: 3 passes of 321 words. */
    ck_assert_uint_eq(step->compute_cycles, 3 * 321);
    ck_assert_uint_eq(step->weight_bytes, 1284 * 157 * 64);
    /* Of 16 PEs 14 have outputs; they take the input from the one that holds it, and the results go
     * there. */
    ck_assert_uint_eq(step->traffic.mesh_bytes, 14 * 1282 + 10000);
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
    a.cores_per_pe = 1;
    a.narrow_memory_bytes = 64 << 10;
    a.pe_memory_bytes = 256 << 10;
    start(1, 1, 256);
    cs_layer_id at = 0;
    static const uint32_t widths[] = {256, 2048, 64, 256, 256};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        ck_assert_int_eq(
            cs_network_dense(&network, at, widths[i], true, CS_ACTIVATION_NONE, &at, &err), CS_OK);
    }
    compile(&a, &vendor);
    /* 64, 512, 128, 16 and 64 KiB into 247: the second is passed over. */
    static const bool cached[] = {true, false, true, true, false};
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_msg(schedule.steps[i + 1]->cached == cached[i], "layer %u", i + 1);
    }
    ck_assert_uint_eq(schedule.parameter_capacity, (256 << 10) - 144 * 64);
    ck_assert_uint_eq(schedule.cached_bytes, (64 + 128 + 16) << 10);
    ck_assert_uint_eq(schedule.streamed_bytes, (512 + 64) << 10);
    ck_assert_uint_eq(schedule.steps[2]->off_chip_read_bytes, 512 << 10);
    /* On the ring of 16 bytes a cycle. */
    ck_assert_uint_eq(schedule.steps[2]->stream_cycles, (512 << 10) / 16);
    ck_assert_uint_eq(schedule.steps[1]->off_chip_read_bytes, 0);
}
END_TEST

/* Into 200 KiB, what streams in 4 times as long is cached, though it comes last. */
START_TEST(best_caches_what_costs_most_to_stream)
{
    cs_accelerator a = design_accelerator("coral");
    a.host.in_bytes_per_s = 300e6;
    a.host.out_bytes_per_s = 300e6;
    a.pes_x = a.pes_y = 1;
    a.pe_memory_bytes = 230 << 10;
    start(40, 40, 64);
    cs_layer_id at = append_conv(0, 256, 3);
    append_conv(at, 64, 3);
    compile(&a, NULL);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    double gain[2];
    for (int i = 0; i < 2; i++) {
        const cs_step *step = schedule.steps[i + 1];
        gain[i] = (double)step->weight_bytes * step->weight_passes;
    }
    ck_assert(schedule.steps[1]->cached + schedule.steps[2]->cached <= 1);
    if (schedule.steps[1]->cached != schedule.steps[2]->cached) {
        ck_assert(schedule.steps[1]->cached ? gain[0] * 2 >= gain[1] : gain[1] * 2 >= gain[0]);
    }
    ck_assert_uint_le(schedule.cached_bytes + schedule.prefetch_bytes, schedule.parameter_capacity);
}
END_TEST

START_TEST(a_tensor_that_does_not_fit_is_off_chip)
{
    cs_accelerator a = design_accelerator("coral");
    a.pes_x = a.pes_y = 1;
    a.pe_memory_bytes = 256 << 10;
    start(64, 64, 16);
    append_conv(append_conv(append_conv(0, 64, 1), 16, 1), 16, 1);
    compile(&a, &vendor);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    const cs_step *const *steps = schedule.steps;
    /* 64 x 64 x 64 are 256 KiB, more than fits beside anything; the others are 64 KiB. */
    ck_assert(steps[1]->output_off_chip && steps[2]->input_off_chip);
    ck_assert_uint_eq(steps[1]->off_chip_write_bytes, 64 * 64 * 64);
    ck_assert_uint_eq(steps[2]->off_chip_read_bytes, 64 * 64 * 64);
    ck_assert_uint_eq(steps[2]->off_chip_write_bytes, 0);
    ck_assert(!steps[2]->output_off_chip && !steps[3]->input_off_chip);
    ck_assert_uint_eq(steps[0]->traffic.narrow_write_bytes, 64 * 64 * 16);
}
END_TEST

START_TEST(what_only_other_steps_read_is_parked)
{
    cs_accelerator a = design_accelerator("coral");
    a.pes_x = a.pes_y = 1;
    a.narrow_memory_bytes = 96 << 10;
    start(32, 32, 32);
    cs_layer_id first = append_conv(0, 32, 1);
    cs_layer_id second = append_conv(first, 32, 1);
    cs_layer_id third = append_conv(second, 32, 1);
    append_add(first, third);
    compile(&a, &vendor);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    /* Of 96 KiB less a 48th, two tensors of 32 KiB leave less than the first's 32. */
    uint64_t room = (96 << 10) - (96 << 10) / 48;
    ck_assert_uint_eq(schedule.steps[third]->narrow_bytes, 64 << 10);
    ck_assert_uint_eq(schedule.steps[third]->parked_bytes, (96 << 10) - room);
    ck_assert_uint_eq(schedule.steps[second]->parked_bytes, 0);
    /* The sum takes the place of one of its parts. */
    ck_assert_uint_eq(schedule.steps[4]->narrow_bytes, 64 << 10);
}
END_TEST

START_TEST(parts_of_a_joined_tensor_lie_where_they_do)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id joined;
    start(32, 32, 64);
    cs_layer_id parts[2] = {append_conv(0, 32, 1), append_conv(0, 96, 3)};
    ck_assert_int_eq(cs_network_concat(&network, parts, 2, &joined, &err), CS_OK);
    append_conv(joined, 16, 1);
    compile(&v1, &vendor);
    const cs_step *step = schedule.steps[joined];
    cs_traffic nothing = {0};
    ck_assert_mem_eq(&step->traffic, &nothing, sizeof nothing);
    ck_assert_uint_eq(step->run_cycles + step->narrow_bytes, 0);
    ck_assert_uint_eq(schedule.steps[4]->narrow_bytes, 8 * 8 * (128 + 16));
}
END_TEST

START_TEST(what_cannot_run_says_why_and_where)
{
    cs_accelerator a = design_accelerator("nahas-baseline");
    design_conv(&network, (cs_shape){14, 14, 64}, 64, 5, 1, 1);
    append_conv(1, 64, 5);
    a.lanes_per_core = 512;
    a.core_memory_bytes = 512 * 4;
    compile(&a, NULL);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    a.core_memory_bytes -= 1;
    compile(&a, NULL);
    ck_assert_int_eq(schedule.reason, CS_REASON_CORE_MEMORY);
    ck_assert_uint_eq(schedule.reason_layer, 1);

    a = design_accelerator("nahas-baseline");
    design_dense(&network, 4000, 64);
    a.pe_memory_bytes = 4096;
    for (int p = 0; p < CS_POLICY_COUNT; p++) {
        cs_compile_options options = {.policy = (cs_policy)p};
        compile(&a, &options);
        ck_assert_int_eq(schedule.reason, CS_REASON_PE_MEMORY);
        ck_assert_uint_eq(schedule.reason_layer, 1);
    }
    for (cs_reason r = 0; r < CS_REASON_COUNT; r++) {
        ck_assert_str_ne(cs_reason_text(r), "unknown reason");
    }
}
END_TEST

/* Whatever the design: no memory is promised twice, and sums are sums. */
START_TEST(no_memory_is_promised_twice)
{
    unsigned feasible = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
        design_random_network(&random, &network);
        cs_accelerator a = design_random_accelerator(&random);
        a.narrow_memory_bytes = 1024ull * DESIGN_PICK(&random, 0, 8, 64);
        for (int p = 0; p < CS_POLICY_COUNT; p++) {
            cs_compile_options options = {.policy = (cs_policy)p};
            compile(&a, &options);
            if (schedule.reason) {
                continue;
            }
            feasible++;
            uint64_t pes = (uint64_t)a.pes_x * a.pes_y, cached = 0, streamed = 0;
            uint64_t share = (schedule.cached_bytes + schedule.prefetch_bytes + pes - 1) / pes;
            ck_assert_uint_le(schedule.cached_bytes + schedule.prefetch_bytes,
                              schedule.parameter_capacity);
            for (uint32_t i = 0; i < schedule.step_count; i++) {
                const cs_step *step = schedule.steps[i];
                cached += step->cached ? step->weight_bytes : 0;
                streamed += step->cached ? 0 : step->weight_bytes;
                ck_assert(!step->cached || !step->prefetched);
                uint64_t core = a.core_memory_bytes * a.cores_per_pe;
                uint64_t wide = step->spill_bytes + step->parked_bytes + share +
                                (step->buffer_bytes > core / 4 ? step->buffer_bytes - core / 4 : 0);
                uint64_t memory = a.pe_memory_bytes;
                if (a.narrow_memory_bytes > 0) {
                    ck_assert_uint_le(step->narrow_bytes, a.narrow_memory_bytes);
                } else {
                    wide += step->narrow_bytes;
                }
                ck_assert_msg(wide <= memory + (uint64_t)a.lanes_per_core * a.cores_per_pe,
                              "seed %lu, step %u: %lu of %lu", (unsigned long)seed, i,
                              (unsigned long)wide, (unsigned long)memory);
                ck_assert_uint_le(step->tile_rows ? step->knobs.strip_rows : 0, step->tile_rows);
            }
            ck_assert_uint_eq(cached, schedule.cached_bytes);
            ck_assert_uint_eq(streamed, schedule.streamed_bytes);
        }
    }
    ck_assert_uint_gt(feasible, 2000);
}
END_TEST

START_TEST(compiling_again_allocates_nothing)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_mobilenet_v2(&network);
    compile(&v1, NULL);
    const void *steps = schedule.steps;
    const void *plans = schedule.plans, *notes = schedule.notes;
    design_conv(&network, (cs_shape){8, 8, 8}, 8, 3, 1, 1);
    compile(&v1, NULL);
    design_mobilenet_v2(&network);
    compile(&v1, NULL);
    ck_assert_ptr_eq(schedule.steps, steps);
    ck_assert_ptr_eq(schedule.plans, plans);
    ck_assert_ptr_eq(schedule.notes, notes);
}
END_TEST

/* ---- other operations ---- */

START_TEST(a_product_of_tensors_fills_its_second_operand)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id id;
    start(12, 128, 64);
    cs_layer_id keys = append_conv(0, 64, 1);
    ck_assert_int_eq(cs_network_matmul(&network, 0, keys, true, &id, &err), CS_OK);
    compile(&v1, &vendor);
    const cs_step *step = schedule.steps[id];
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
    ck_assert_uint_eq(step->weight_bytes, 0);
    /* 3 heads a PE, each with fills of its own. */
    ck_assert_uint_eq(step->compute_cycles, 3 * 32 * 1 * 16);
    ck_assert_uint_eq(step->fills, 3 * step->core_fills);
    ck_assert_uint_eq(step->traffic.ring_bytes, 0); /* each PE has its own heads */
}
END_TEST

START_TEST(a_cell_brings_its_weights_for_each_step)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id id;
    start(1, 20, 64);
    ck_assert_int_eq(cs_network_cell(&network, 0, CS_OP_LSTM, 64, true, &id, &err), CS_OK);
    compile(&v1, &vendor);
    /* 4 gates of 64 results from 128 inputs: one pass of 32 words, 20 times. */
    ck_assert_uint_eq(schedule.steps[id]->compute_cycles, 20 * 32);
    ck_assert_uint_eq(schedule.steps[id]->weight_passes, 20);
}
END_TEST

/* Every stride-th tap reaches an output of a transposed convolution; all are stored. */
START_TEST(a_transposed_convolution_uses_the_taps_that_reach_an_output)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_layer_id id;
    cs_conv conv = {.channels = 128, .kernel_h = 4, .kernel_w = 4, .stride = 2};
    start(32, 32, 64);
    ck_assert_int_eq(cs_network_conv_transpose(&network, 0, &conv, &id, &err), CS_OK);
    compile(&v1, &vendor);
    ck_assert_uint_eq(schedule.steps[id]->compute_cycles, 16 * 16 * 4 * 16);
    ck_assert_uint_eq(schedule.steps[id]->weight_bytes, 16 * 64 * 128 + 8 * 128);
}
END_TEST

START_TEST(the_samples_of_a_batch_are_calls)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_zoo("mobilenet-v1", &network);
    compile(&v1, NULL);
    uint64_t cycles = schedule.steps[1]->run_cycles;
    ck_assert_int_eq(cs_network_set_batch(&network, 7, &err), CS_OK);
    compile(&v1, NULL);
    ck_assert_uint_eq(schedule.calls, 7);
    ck_assert_uint_eq(schedule.steps[1]->run_cycles, cycles);
}
END_TEST

START_TEST(bits_other_than_eight_are_not_supported)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    design_conv(&network, (cs_shape){8, 8, 8}, 8, 3, 1, 1);
    ck_assert_int_eq(cs_network_set_bits(&network, 1, 4, 8, &err), CS_OK);
    compile(&v1, NULL);
    ck_assert_int_eq(schedule.reason, CS_REASON_UNSUPPORTED);
    ck_assert_uint_eq(schedule.reason_layer, 1);
    ck_assert_int_eq(cs_network_set_bits(&network, 1, 8, 8, &err), CS_OK);
    ck_assert_int_eq(cs_network_set_bits(&network, 0, 8, 16, &err), CS_OK);
    compile(&v1, NULL);
    ck_assert_int_eq(schedule.reason, CS_REASON_UNSUPPORTED);
    ck_assert_uint_eq(schedule.reason_layer, 0);
}
END_TEST

/* ---- pins ---- */

START_TEST(pins_have_names_and_domains)
{
    cs_pins pins = {{0}};
    ck_assert_int_eq(cs_pins_set(&pins, "split_y=channels", &err), CS_OK);
    ck_assert(cs_pins_allow(&pins, CS_PIN_SPLIT_Y, CS_SPLIT_CHANNELS));
    ck_assert(!cs_pins_allow(&pins, CS_PIN_SPLIT_Y, CS_SPLIT_SPACE));
    ck_assert(cs_pins_allow(&pins, CS_PIN_SPLIT_X, CS_SPLIT_SPACE));
    ck_assert_int_eq(cs_pins_set(&pins, "residence=in-place", &err), CS_OK);
    ck_assert(cs_pins_allow(&pins, CS_PIN_RESIDENCE, CS_RESIDENCE_IN_PLACE));
    static const char *const bad[] = {"split_y", "split_y=",    "split_y=rows",
                                      "=space",  "split=space", "residence=in"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (cs_error){0};
        ck_assert_msg(cs_pins_set(&pins, bad[i], &err) == CS_EINVAL, "%s", bad[i]);
        ck_assert_uint_gt(strlen(err.text), 0);
    }
    for (cs_pin pin = 0; pin < CS_PIN_COUNT; pin++) {
        ck_assert_uint_gt(strlen(cs_pin_about(pin)), 0);
        ck_assert_uint_gt(strlen(cs_pin_values(pin)), 0);
    }
}
END_TEST

START_TEST(what_is_pinned_is_not_chosen)
{
    cs_accelerator v2 = design_accelerator("edgetpu-v2");
    design_zoo("mobilenet-v1", &network);
    static const char *const texts[] = {"split_y=channels", "split_x=space", "order=chunks",
                                        "ahead=no",         "caching=none",  "caching=greedy",
                                        "prefetch=no"};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        cs_compile_options options = {.policy = CS_POLICY_BEST};
        ck_assert_int_eq(cs_pins_set(&options.pins, texts[t], &err), CS_OK);
        compile(&v2, &options);
        ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
        const cs_step *step = schedule.steps[25]; /* a 1x1 convolution on 7 x 7 x 1024 */
        ck_assert_int_eq(network.layers[25].op, CS_OP_CONV);
        switch (t) {
        case 0:
            ck_assert_int_eq(step->knobs.split_y, CS_SPLIT_CHANNELS);
            break;
        case 1:
            ck_assert_int_eq(step->knobs.split_x, CS_SPLIT_SPACE);
            break;
        case 2:
            ck_assert_int_eq(step->knobs.order, CS_ORDER_CHUNKS);
            break;
        case 3:
            ck_assert(!step->knobs.ahead);
            break;
        case 4:
            ck_assert_uint_eq(schedule.cached_bytes, 0);
            break;
        case 5:
            ck_assert(schedule.steps[1]->cached);
            break;
        default:
            ck_assert_uint_eq(schedule.prefetch_bytes, 0);
        }
    }
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
    tcase_add_test(c, best_splits_channels_where_that_is_faster);
    tcase_add_test(c, a_depthwise_layer_uses_an_eighth_of_the_lanes);
    tcase_add_test(c, a_dense_layer_uses_all_pes);
    tcase_add_test(c, stored_bytes_are_those_of_the_coral_ladders);
    tcase_add_test(c, parameters_are_cached_by_whole_layers_in_order);
    tcase_add_test(c, best_caches_what_costs_most_to_stream);
    tcase_add_test(c, a_tensor_that_does_not_fit_is_off_chip);
    tcase_add_test(c, what_only_other_steps_read_is_parked);
    tcase_add_test(c, parts_of_a_joined_tensor_lie_where_they_do);
    tcase_add_test(c, what_cannot_run_says_why_and_where);
    tcase_add_test(c, no_memory_is_promised_twice);
    tcase_add_test(c, compiling_again_allocates_nothing);
    tcase_add_test(c, a_product_of_tensors_fills_its_second_operand);
    tcase_add_test(c, a_cell_brings_its_weights_for_each_step);
    tcase_add_test(c, a_transposed_convolution_uses_the_taps_that_reach_an_output);
    tcase_add_test(c, the_samples_of_a_batch_are_calls);
    tcase_add_test(c, bits_other_than_eight_are_not_supported);
    tcase_add_test(c, pins_have_names_and_domains);
    tcase_add_test(c, what_is_pinned_is_not_chosen);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
