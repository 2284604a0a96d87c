/* The reference executor: schedules of tiny networks compute what the plain reference computes, bit
 * for bit, in memories of the stated sizes, and move what the schedule says. */
#include "designs.h"

#include "sim/compiler/plan.h"
#include "sim/executor/executor.h"
#include "sim/executor/reference.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a sample of schedules has shown. */
typedef struct seen {
    unsigned runs, ops[CS_OP_COUNT], residences[CS_RESIDENCE_COUNT], orders[2], splits[4];
    unsigned strips, off_chip, parked, streamed, prefetched, ahead, priming, survives, shared,
        steps, exact, strayed;
} seen;

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

/* ---- running and comparing ---- */

static void describe(uint32_t i, char text[512])
{
    const cs_layer *l = &network.layers[i];
    const cs_knobs *k = &schedule.steps[i]->knobs;
    snprintf(text, 512,
             "layer %u (%s) %u x %u x %u to %u x %u x %u, kernel %u x %u stride %u x %u dilation "
             "%u x %u pad %u %u groups %u: splits %d %d order %d fill %u ahead %d residence %d "
             "strip %u of %u passes %u",
             i, cs_op_name(l->op), l->in.height, l->in.width, l->in.channels, l->out.height,
             l->out.width, l->out.channels, l->kernel_h, l->kernel_w, l->stride_h, l->stride_w,
             l->dilation_h, l->dilation_w, l->pad_top, l->pad_left, l->groups, k->split_y,
             k->split_x, k->order, k->fill_rows, k->ahead, k->residence, k->strip_rows,
             schedule.steps[i]->tile_rows, schedule.steps[i]->channel_passes);
}

static void compare_counts(uint32_t i, const cs_executed *done)
{
    char text[512];
    const cs_traffic *said = &schedule.steps[i]->traffic, *did = &done->traffic;
    describe(i, text);
#define SAME(member)                                                                               \
    ck_assert_msg(said->member == did->member, "%s: " #member " %llu, but %llu were moved", text,  \
                  (unsigned long long)said->member, (unsigned long long)did->member)
    SAME(operations);
    SAME(link_in_bytes);
    SAME(link_out_bytes);
    SAME(ring_bytes);
    SAME(mesh_bytes);
    SAME(wide_read_bytes);
    SAME(wide_write_bytes);
    SAME(narrow_read_bytes);
    SAME(narrow_write_bytes);
    SAME(core_read_bytes);
    SAME(core_write_bytes);
#undef SAME
    const cs_step *step = schedule.steps[i];
    ck_assert_uint_le(done->narrow_bytes, step->narrow_bytes);
    ck_assert_uint_le(done->wide_bytes,
                      step->buffer_bytes + step->spill_bytes + step->parked_bytes);
    ck_assert_msg(schedule.steps[i]->strips == done->strips, "%s: %u strips, but %u", text,
                  schedule.steps[i]->strips, done->strips);
    ck_assert_msg(schedule.steps[i]->fills == done->fills, "%s: %llu fills, but %llu", text,
                  (unsigned long long)schedule.steps[i]->fills, (unsigned long long)done->fills);
}

static void note(const cs_execution *execution, seen *s)
{
    s->runs++;
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const cs_layer *l = &network.layers[i];
        const cs_step *step = schedule.steps[i];
        s->ops[l->op]++;
        if (l->op == CS_OP_INPUT || l->op == CS_OP_CONCAT) {
            continue;
        }
        s->residences[step->knobs.residence]++;
        s->steps++;
        s->exact += execution->steps[i].narrow_bytes == step->narrow_bytes ? 1 : 0;
        s->strayed += execution->steps[i].strayed_bytes > 0 ? 1 : 0;
        s->splits[step->knobs.split_y * 2 + step->knobs.split_x]++;
        s->orders[step->knobs.order] += cs_kind_of(l) == CS_KIND_FILLS ? 1 : 0;
        s->strips += step->strips > 1 ? 1 : 0;
        s->off_chip += step->off_chip_write_bytes > 0 ? 1 : 0;
        s->parked += step->parked_bytes > 0 ? 1 : 0;
        s->streamed += step->weight_bytes > 0 && !step->cached && !step->prefetched ? 1 : 0;
        s->prefetched += step->prefetched ? 1 : 0;
        s->ahead += step->knobs.ahead ? 1 : 0;
        s->priming += (step->strips - 1) * step->knobs.strip_rows >= step->tile_rows ? 1 : 0;
        s->survives += step->spill_bytes > 0 && step->knobs.residence != CS_RESIDENCE_WIDE ? 1 : 0;
    }
}

/* What the network computes of the seed, by the plain reference; the caller frees it. */
static int8_t **new_reference(uint64_t seed)
{
    const cs_values values = {seed};
    int8_t **tensors = calloc(network.layer_count, sizeof *tensors);
    ck_assert_ptr_nonnull(tensors);
    for (uint32_t i = 0; i < network.layer_count; i++) {
        tensors[i] = malloc(cs_shape_elements(network.layers[i].out));
        ck_assert_ptr_nonnull(tensors[i]);
    }
    ck_assert_int_eq(cs_reference_run(&network, &values, tensors, &err), CS_OK);
    return tensors;
}

static void free_reference(int8_t **tensors)
{
    for (uint32_t i = 0; i < network.layer_count; i++) {
        free(tensors[i]);
    }
    free(tensors);
}

static void compare_with(int8_t *const *tensors, const cs_accelerator *accelerator, uint64_t seed,
                         seen *s)
{
    const cs_values values = {seed};
    cs_execution execution = {0};
    cs_status status = cs_execute(&network, accelerator, &schedule, &values, &execution, &err);
    if (status) {
        char text[512];
        for (uint32_t i = 0; i < network.layer_count; i++) {
            describe(i, text);
            fprintf(stderr, "%s\n", text);
        }
    }
    ck_assert_msg(status == CS_OK, "seed %llu: %s", (unsigned long long)seed, err.text);
    for (uint32_t i = 0; i < network.layer_count; i++) {
        uint64_t count = cs_shape_elements(network.layers[i].out);
        char text[512];
        describe(i, text);
        ck_assert_msg(memcmp(tensors[i], execution.tensors[i], count) == 0,
                      "seed %llu: %s computes something else", (unsigned long long)seed, text);
        compare_counts(i, &execution.steps[i]);
    }
    note(&execution, s);
    cs_execution_release(&execution);
}

static void check_schedule(const cs_accelerator *accelerator, uint64_t seed, seen *s)
{
    int8_t **tensors = new_reference(seed);
    compare_with(tensors, accelerator, seed, s);
    free_reference(tensors);
}

/* ---- schedules from given knobs ---- */

static bool compile(const cs_accelerator *accelerator, cs_policy policy)
{
    const cs_compile_options options = {.policy = policy};
    ck_assert_int_eq(cs_compile(&network, accelerator, &options, &schedule, &err), CS_OK);
    return schedule.reason == CS_REASON_NONE;
}

/* The compiler as it is after policy vendor has chosen. */
static cs_compiler compiler_of(const cs_accelerator *accelerator)
{
    cs_compiler c = {
        .network = &network,
        .accelerator = accelerator,
        .rates = cs_rates_of(accelerator),
        .options = {.policy = CS_POLICY_VENDOR},
        .schedule = &schedule,
        .plans = schedule.plans,
        .ways = schedule.ways,
        .notes = schedule.notes,
        .memo = schedule.memo,
    };
    cs_machine_of(accelerator, 0, &c.machine);
    c.machine.shared = false;
    return c;
}

/* Give a layer other knobs; false, with the plan as it was, if they are not legal or do not fit. */
static bool give_knobs(const cs_compiler *c, cs_layer_id id, const cs_knobs *knobs)
{
    cs_layer_plan *plan = &c->plans[id];
    cs_way way = {.knobs = *knobs};
    if (!cs_cut_make(&c->machine, &plan->use, knobs->split_y, knobs->split_x, &way.cut) ||
        !cs_need_of(&c->machine, &plan->use, &way.cut, knobs, &way.need) ||
        !cs_plan_fits(&c->machine, &way.need, plan->idle_bytes)) {
        return false;
    }
    cs_step_make(&c->machine, &plan->use, &way.cut, knobs, &way.need, &way.step);
    c->ways[id] = way;
    plan->way = &c->ways[id];
    return true;
}

/* Make the schedule of the plans, with what fits cached in order. */
static void finish(const cs_compiler *c)
{
    (void)cs_plan_memory(c);
    cs_plan_cache_greedily(c, schedule.parameter_capacity);
    cs_plan_finish(c);
}

/* A step of the schedule's own, to be damaged. */
static cs_step *own(uint32_t i)
{
    if (schedule.steps[i] != &schedule.own_steps[i]) {
        schedule.own_steps[i] = *schedule.steps[i];
        schedule.steps[i] = &schedule.own_steps[i];
    }
    return &schedule.own_steps[i];
}

/* Every legal schedule of layer `id`, the others as policy vendor has them. */
static void check_all_knobs(const cs_accelerator *accelerator, cs_layer_id id, uint64_t seed,
                            seen *s)
{
    if (!compile(accelerator, CS_POLICY_VENDOR)) {
        return;
    }
    const cs_compiler c = compiler_of(accelerator);
    int8_t **tensors = new_reference(seed);
    for (unsigned n = 0; n < 64; n++) {
        cs_knobs knobs = {
            .split_y = n & 1 ? CS_SPLIT_CHANNELS : CS_SPLIT_SPACE,
            .split_x = n & 2 ? CS_SPLIT_CHANNELS : CS_SPLIT_SPACE,
            .order = n & 4 ? CS_ORDER_CHUNKS : CS_ORDER_POSITIONS,
            .ahead = (n & 8) != 0,
            .residence = (cs_residence)(n >> 4),
        };
        cs_cut cut;
        cs_use *use = &c.plans[id].use;
        if (!cs_cut_make(&c.machine, use, knobs.split_y, knobs.split_x, &cut) ||
            (cut.kind != CS_KIND_FILLS && (n & 4))) {
            continue;
        }
        for (knobs.strip_rows = 1; knobs.strip_rows <= cut.rows; knobs.strip_rows++) {
            uint32_t words = (uint32_t)cut.words;
            uint32_t fill_rows[2] = {knobs.order ? (words + 1) / 3 + 1 : words, 1};
            for (int f = 0; f < (knobs.order && knobs.strip_rows % 2 ? 2 : 1); f++) {
                knobs.fill_rows = fill_rows[f];
                if (give_knobs(&c, id, &knobs)) {
                    finish(&c);
                    compare_with(tensors, accelerator, seed, s);
                }
            }
        }
    }
    free_reference(tensors);
}

/* ---- layers ---- */

static cs_accelerator accelerator_of(uint32_t pes_y, uint32_t pes_x, uint32_t cores, uint32_t lanes,
                                     uint32_t ways, uint64_t narrow, uint64_t wide, uint64_t core)
{
    return (cs_accelerator){
        .pes_x = pes_x,
        .pes_y = pes_y,
        .cores_per_pe = cores,
        .lanes_per_core = lanes,
        .simd_ways = ways,
        .clock_mhz = 500,
        .pe_memory_bytes = wide,
        .narrow_memory_bytes = narrow,
        .core_memory_bytes = core,
        .instruction_entries = 1024,
        .parameter_entries = 1024,
        .activation_entries = 1024,
        .link_bytes_per_s = 1000000000,
    };
}

static void must(cs_status status)
{
    ck_assert_msg(status == CS_OK, "%s", err.text);
}

static cs_layer_id conv(cs_layer_id from, uint32_t channels, uint32_t kernel, uint32_t stride,
                        uint32_t dilation, uint32_t groups, cs_padding padding)
{
    cs_layer_id id;
    const cs_conv c = {.channels = channels,
                       .kernel_h = kernel,
                       .kernel_w = kernel > 1 ? kernel - 1 + channels % 2 : 1,
                       .stride = stride,
                       .dilation = dilation,
                       .groups = groups,
                       .padding = padding,
                       .pad_top = 1,
                       .pad_left = 2,
                       .pad_bottom = 2,
                       .pad_right = 0,
                       .activation = channels % 3 ? CS_ACTIVATION_NONE : CS_ACTIVATION_RELU,
                       .bias = true};
    return cs_network_conv(&network, from, &c, &id, &err) ? from : id;
}

static cs_layer_id conv_transpose(cs_layer_id from, uint32_t channels, uint32_t kernel,
                                  uint32_t stride, uint32_t dilation, cs_padding padding)
{
    cs_layer_id id;
    const cs_conv c = {.channels = channels,
                       .kernel_h = kernel,
                       .kernel_w = kernel,
                       .stride = stride,
                       .dilation = dilation,
                       .padding = padding,
                       .pad_top = 1};
    return cs_network_conv_transpose(&network, from, &c, &id, &err) ? from : id;
}

#define KINDS 26

/* The layer to test, which reads a 7 x 6 x 5 input, or what is made of it; returns its id. */
static cs_layer_id build_kind(int kind)
{
    cs_layer_id id = 0, other;
    must(cs_network_start(&network, (cs_shape){7, 6, 6}, &err));
    switch (kind) {
    case 0:
        return conv(0, 10, 3, 1, 1, 1, CS_PADDING_SAME);
    case 1:
        return conv(0, 9, 3, 2, 1, 1, CS_PADDING_SAME);
    case 2:
        return conv(0, 7, 1, 1, 1, 1, CS_PADDING_VALID);
    case 3:
        return conv(0, 4, 1, 2, 1, 1, CS_PADDING_VALID);
    case 4:
        return conv(0, 6, 2, 1, 2, 1, CS_PADDING_EXPLICIT);
    case 5:
        return conv(0, 12, 3, 1, 1, 3, CS_PADDING_SAME);
    case 6:
        return conv(0, 6, 3, 1, 1, 6, CS_PADDING_SAME);
    case 7:
        return conv(0, 12, 3, 2, 1, 6, CS_PADDING_VALID);
    case 8:
        return conv(0, 5, 3, 3, 1, 1, CS_PADDING_CAUSAL);
    case 9:
        return conv_transpose(0, 5, 3, 2, 1, CS_PADDING_SAME);
    case 10:
        return conv_transpose(0, 9, 2, 2, 1, CS_PADDING_VALID);
    case 11:
        return conv_transpose(0, 4, 3, 2, 2, CS_PADDING_EXPLICIT);
    case 12:
        must(cs_network_dense(&network, 0, 21, true, CS_ACTIVATION_TANH, &id, &err));
        return id;
    case 13:
        must(cs_network_pool(&network, 0, CS_OP_POOL_MAX, 3, 2, CS_PADDING_SAME, &id, &err));
        return id;
    case 14:
        must(cs_network_pool(&network, 0, CS_OP_POOL_AVG, 2, 1, CS_PADDING_SAME, &id, &err));
        return id;
    case 15:
        must(cs_network_pool_global(&network, 0, &id, &err));
        return id;
    case 16:
        other = conv(0, 6, 1, 1, 1, 1, CS_PADDING_VALID);
        must(cs_network_add(&network, 0, other, &id, &err));
        return id;
    case 17:
        other = conv(0, 6, 1, 1, 1, 1, CS_PADDING_VALID);
        must(cs_network_multiply(&network, other, 0, &id, &err));
        must(cs_network_add(&network, 0, id, &other, &err));
        return id;
    case 18:
        must(cs_network_pool_global(&network, 0, &other, &err));
        must(cs_network_scale(&network, 0, other, &id, &err));
        return id;
    case 19:
        must(cs_network_activate(&network, 0, CS_ACTIVATION_HARD_SWISH, &id, &err));
        return id;
    case 20:
        must(cs_network_map(&network, 0, CS_OP_SOFTMAX, &id, &err));
        return id;
    case 21:
        must(cs_network_map(&network, 0, CS_OP_LAYER_NORM, &id, &err));
        return id;
    case 22:
        must(cs_network_resize(&network, 0, 11, 4, &id, &err));
        return id;
    case 23:
        must(cs_network_transpose(&network, 0, (const uint32_t[]){2, 0, 1}, &id, &err));
        return id;
    case 24:
        other = conv(0, 6, 1, 1, 1, 1, CS_PADDING_VALID);
        must(cs_network_matmul(&network, 0, other, true, &id, &err));
        return id;
    default:
        must(cs_network_transpose(&network, 0, (const uint32_t[]){0, 2, 1}, &other, &err));
        must(cs_network_matmul(&network, other, 0, false, &id, &err));
        return id;
    }
}

static const uint32_t grids[][5] = {
    /* rows, columns, cores, lanes, ways */
    {1, 1, 1, 4, 1}, {2, 2, 1, 3, 4}, {3, 2, 2, 2, 2}, {1, 4, 1, 8, 3}, {4, 3, 1, 1, 4},
};

START_TEST(every_kind_by_every_knob)
{
    seen s = {0};
    for (size_t g = 0; g < sizeof grids / sizeof grids[0]; g++) {
        const uint32_t *grid = grids[g];
        for (int tight = 0; tight < 2; tight++) {
            cs_accelerator a = accelerator_of(grid[0], grid[1], grid[2], grid[3], grid[4],
                                              tight ? 200 : 4096, 1 << 14, tight ? 32 : 1024);
            cs_layer_id id = build_kind(_i);
            check_all_knobs(&a, id, (uint64_t)_i, &s);
        }
    }
    ck_assert_uint_gt(s.runs, 0);
}
END_TEST

/* ---- random networks ---- */

static uint32_t below(cs_random *random, uint32_t bound)
{
    return cs_random_below(random, bound);
}

static cs_layer_id any_layer(cs_random *random, cs_layer_id at)
{
    cs_shape in = network.layers[at].out;
    cs_layer_id id = at, other = at;
    uint32_t channels = 1 + below(random, 24), kernel = 1 + below(random, 3);
    uint32_t stride = 1 + below(random, 2), dilation = 1 + below(random, 2);
    cs_padding padding = (cs_padding)below(random, 4);
    const uint32_t turns[3][3] = {{1, 0, 2}, {2, 1, 0}, {1, 2, 0}};
    switch (below(random, 18)) {
    case 0:
    case 1:
    case 2:
        return conv(at, channels, kernel, stride, dilation, 1, padding);
    case 3:
        return conv(at, in.channels, kernel, stride, dilation, in.channels, padding);
    case 4:
        return in.channels % 2 ? at : conv(at, in.channels, kernel, 1, 1, 2, padding);
    case 5:
        padding = padding == CS_PADDING_CAUSAL ? CS_PADDING_SAME : padding;
        return in.height > 8 ? at : conv_transpose(at, channels, kernel, stride, dilation, padding);
    case 6:
        must(cs_network_dense(&network, at, channels, true, CS_ACTIVATION_RELU6, &id, &err));
        return id;
    case 7: {
        cs_op op = below(random, 2) ? CS_OP_POOL_MAX : CS_OP_POOL_AVG;
        must(cs_network_pool(&network, at, op, kernel, stride, CS_PADDING_SAME, &id, &err));
        return id;
    }
    case 8:
        must(cs_network_pool_global(&network, at, &other, &err));
        must(cs_network_scale(&network, at, other, &id, &err));
        return id;
    case 9:
    case 10: {
        other = conv(at, channels, 1, 1, 1, 1, CS_PADDING_SAME);
        other = conv(other, in.channels, kernel, 1, 1, 1, CS_PADDING_SAME);
        cs_status status = below(random, 2) ? cs_network_add(&network, at, other, &id, &err)
                                            : cs_network_multiply(&network, other, at, &id, &err);
        must(status);
        return id;
    }
    case 11: {
        cs_layer_id from[2] = {conv(at, channels, kernel, 1, 1, 1, CS_PADDING_SAME), at};
        must(cs_network_concat(&network, from, 2, &id, &err));
        return id;
    }
    case 12:
        must(cs_network_activate(&network, at, (cs_activation)below(random, CS_ACTIVATION_COUNT),
                                 &id, &err));
        return id;
    case 13: {
        const cs_op ops[3] = {CS_OP_BATCH_NORM, CS_OP_LAYER_NORM, CS_OP_SOFTMAX};
        must(cs_network_map(&network, at, ops[below(random, 3)], &id, &err));
        return id;
    }
    case 14:
        must(cs_network_resize(&network, at, 1 + below(random, 12), 1 + below(random, 12), &id,
                               &err));
        return id;
    case 15:
        if (in.channels <= 12) {
            must(cs_network_transpose(&network, at, turns[below(random, 3)], &id, &err));
        } else {
            must(cs_network_reshape(&network, at, (cs_shape){in.width, in.height, in.channels}, &id,
                                    &err));
        }
        return id;
    case 16:
        must(cs_network_matmul(&network, at, at, true, &id, &err));
        return id;
    default:
        if (in.height > 1) {
            must(cs_network_reshape(&network, at, (cs_shape){1, in.height * in.width, in.channels},
                                    &other, &err));
        }
        must(cs_network_cell(&network, other, below(random, 2) ? CS_OP_LSTM : CS_OP_GRU,
                             1 + below(random, 6), true, &id, &err));
        return id;
    }
}

static void random_network(cs_random *random)
{
    cs_shape shape = {1 + below(random, 12), 1 + below(random, 12), 1 + below(random, 12)};
    must(cs_network_start(&network, shape, &err));
    cs_layer_id at = 0;
    uint32_t count = 1 + below(random, 5);
    for (uint32_t i = 0; i < count; i++) {
        at = any_layer(random, at);
    }
}

static cs_accelerator random_accelerator(cs_random *random)
{
    cs_accelerator a = accelerator_of(
        1 + below(random, 4), 1 + below(random, 4), 1 + below(random, 2), 1 + below(random, 8),
        1 + below(random, 4), DESIGN_PICK(random, 0, 60, 100, 200, 400, 1000, 8192),
        DESIGN_PICK(random, 1024, 4096, 8192, 32768, 131072), DESIGN_PICK(random, 32, 128, 1024));
    return a;
}

static void random_stream(cs_random *random, uint64_t seed)
{
    cs_random_init(random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
}

static void check_seen(const seen *s)
{
    fprintf(
        stderr,
        "%u schedules; residences %u %u %u %u; orders %u %u; splits %u %u %u %u; strips %u; off "
        "chip %u; parked %u; streamed %u; prefetched %u; ahead %u; priming %u; survives %u; exact "
        "%u of %u; strayed %u\n",
        s->runs, s->residences[0], s->residences[1], s->residences[2], s->residences[3],
        s->orders[0], s->orders[1], s->splits[0], s->splits[1], s->splits[2], s->splits[3],
        s->strips, s->off_chip, s->parked, s->streamed, s->prefetched, s->ahead, s->priming,
        s->survives, s->exact, s->steps, s->strayed);
    for (int i = 0; i < CS_OP_COUNT; i++) {
        ck_assert_msg(s->ops[i] > 0, "no %s", cs_op_name((cs_op)i));
    }
    for (int i = 0; i < CS_RESIDENCE_COUNT; i++) {
        ck_assert_msg(s->residences[i] > 0, "residence %d", i);
    }
    ck_assert_uint_gt(s->orders[0], 0);
    ck_assert_uint_gt(s->orders[1], 0);
    ck_assert_uint_gt(s->splits[0], 0);
    ck_assert_uint_gt(s->splits[3], 0);
    ck_assert_uint_gt(s->strips, 0);
    ck_assert_uint_gt(s->off_chip, 0);
    ck_assert_uint_gt(s->parked, 0);
    ck_assert_uint_gt(s->streamed, 0);
}

#define NETWORKS 400

START_TEST(networks_run_as_compiled)
{
    for (int policy = 0; policy < CS_POLICY_COUNT; policy++) {
        seen s = {0};
        for (uint64_t seed = 0; seed < NETWORKS; seed++) {
            cs_random random;
            random_stream(&random, seed);
            cs_accelerator a = random_accelerator(&random);
            random_network(&random);
            if (compile(&a, (cs_policy)policy)) {
                check_schedule(&a, seed, &s);
            }
        }
        check_seen(&s);
    }
}
END_TEST

/* Move some tensors off chip that need not be, but none that is joined; false if a layer has no
 * schedule then. */
static bool move_off(const cs_compiler *c, cs_random *random)
{
    bool joined[64] = {false};
    ck_assert_uint_le(network.layer_count, 64);
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const cs_layer *l = &network.layers[i];
        joined[i] |= l->op == CS_OP_CONCAT;
        for (uint32_t k = 0; k < l->input_count && l->op == CS_OP_CONCAT; k++) {
            joined[cs_layer_inputs(&network, l)[k]] = true;
        }
    }
    for (uint32_t i = 0; i < network.layer_count; i++) {
        c->plans[i].off_chip |= !joined[i] && below(random, 4) == 0;
    }
    for (uint32_t i = 0; i < network.layer_count; i++) {
        const cs_layer *l = &network.layers[i];
        cs_use *use = &c->plans[i].use;
        use->output_off = c->plans[i].off_chip;
        for (uint32_t k = 0; k < l->input_count && k < 2; k++) {
            use->input_off[k] = c->plans[cs_layer_inputs(&network, l)[k]].off_chip;
        }
        cs_knobs knobs = c->plans[i].way->knobs;
        bool found = give_knobs(c, i, &knobs);
        knobs.residence = CS_RESIDENCE_WHOLE;
        for (uint32_t rows = c->plans[i].way->cut.rows; rows > 0 && !found; rows--) {
            knobs.strip_rows = rows;
            found = give_knobs(c, i, &knobs);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* Any legal knobs for every layer, any set of cached and prefetched layers, any tensors off chip.
 */
START_TEST(networks_run_by_any_knobs)
{
    seen s = {0};
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        cs_random random;
        random_stream(&random, 1000 + seed);
        cs_accelerator a = random_accelerator(&random);
        random_network(&random);
        if (!compile(&a, CS_POLICY_VENDOR)) {
            continue;
        }
        cs_compiler c = compiler_of(&a);
        if (a.narrow_memory_bytes == 0 && seed % 2) {
            c.machine.shared = true; /* as policy best sees one memory for all */
            schedule.policy = CS_POLICY_BEST;
            s.shared++;
        }
        if (seed % 3 == 0 && !move_off(&c, &random)) {
            continue;
        }
        for (uint32_t i = 1; i < network.layer_count; i++) {
            for (int tries = 0; tries < 20; tries++) {
                cs_cut cut;
                cs_knobs knobs = {.split_y = (cs_split)below(&random, 2),
                                  .split_x = (cs_split)below(&random, 2),
                                  .order = (cs_order)below(&random, 2),
                                  .ahead = below(&random, 2) == 1,
                                  .residence = (cs_residence)below(&random, 4)};
                if (cs_cut_make(&c.machine, &c.plans[i].use, knobs.split_y, knobs.split_x, &cut)) {
                    knobs.strip_rows = 1 + below(&random, cut.rows);
                    knobs.fill_rows = 1 + below(&random, (uint32_t)cut.words);
                    knobs.fill_rows = knobs.order ? knobs.fill_rows : (uint32_t)cut.words;
                    (void)give_knobs(&c, i, &knobs);
                }
            }
        }
        finish(&c);
        uint64_t left = schedule.parameter_capacity, most = 0;
        for (uint32_t i = 0; i < network.layer_count; i++) {
            cs_layer_plan *plan = &c.plans[i];
            uint64_t bytes = schedule.steps[i]->weight_bytes;
            bool dense =
                plan->way->cut.kind == CS_KIND_DENSE || plan->way->cut.kind == CS_KIND_CELL;
            uint32_t choice = below(&random, 3);
            plan->cached = plan->prefetched = false;
            if (bytes > 0 && choice == 0 && bytes + most <= left && !dense) {
                plan->cached = true;
                left -= bytes;
            } else if (bytes > 0 && choice == 1 && bytes <= left && !dense) {
                plan->prefetched = true;
                most = bytes > most ? bytes : most;
            }
        }
        cs_plan_finish(&c);
        check_schedule(&a, seed, &s);
    }
    check_seen(&s);
    ck_assert_uint_gt(s.splits[1], 0);
    ck_assert_uint_gt(s.splits[2], 0);
    ck_assert_uint_gt(s.ahead, 0);
    ck_assert_uint_gt(s.prefetched, 0);
    ck_assert_uint_gt(s.priming, 0);
    ck_assert_uint_gt(s.survives, 0);
    ck_assert_uint_gt(s.shared, 0);
}
END_TEST

/* ---- what is caught ---- */

static void expect_failure(const cs_accelerator *accelerator, const char *part)
{
    const cs_values values = {1};
    cs_execution execution = {0};
    cs_status status = cs_execute(&network, accelerator, &schedule, &values, &execution, &err);
    ck_assert_msg(status == CS_ECORRUPT || status == CS_EINVAL, "%s is not noticed", part);
    ck_assert_msg(strstr(err.text, part) != NULL, "%s: no %s", err.text, part);
}

START_TEST(a_byte_less_is_an_overrun)
{
    cs_accelerator a = accelerator_of(2, 2, 1, 4, 4, 8192, 1 << 14, 1024);
    must(cs_network_start(&network, (cs_shape){8, 8, 8}, &err));
    (void)conv(0, 12, 3, 1, 1, 1, CS_PADDING_SAME);
    ck_assert(compile(&a, CS_POLICY_VENDOR));
    const cs_compiler c = compiler_of(&a);
    for (int residence = 0; residence < CS_RESIDENCE_COUNT; residence++) {
        cs_knobs knobs = {.order = CS_ORDER_CHUNKS,
                          .fill_rows = 6,
                          .residence = (cs_residence)residence,
                          .strip_rows = residence == CS_RESIDENCE_WHOLE ? 4 : 2};
        ck_assert(give_knobs(&c, 1, &knobs));
        finish(&c);
        seen s = {0};
        check_schedule(&a, 1, &s);
        own(1)->narrow_bytes--;
        expect_failure(&a, "narrow memory");
        own(1)->narrow_bytes++;
        if (schedule.steps[1]->spill_bytes > 0) {
            own(1)->spill_bytes--;
            expect_failure(&a, "wide memory");
            own(1)->spill_bytes++;
        }
        own(1)->buffer_bytes = 0;
        expect_failure(&a, "wide memory");
    }
}
END_TEST

START_TEST(a_damaged_schedule_is_noticed)
{
    cs_accelerator a = accelerator_of(2, 2, 1, 4, 4, 8192, 1 << 14, 1024);
    must(cs_network_start(&network, (cs_shape){8, 8, 8}, &err));
    (void)conv(0, 9, 3, 1, 1, 1, CS_PADDING_SAME);
    ck_assert(compile(&a, CS_POLICY_VENDOR));
    cs_step *step = own(1);
    const cs_step right = *step;
    step->tile_rows++;
    expect_failure(&a, "layer 1 (conv)");
    *step = right;
    step->knobs.strip_rows = 0;
    expect_failure(&a, "layer 1 (conv)");
    *step = right;
    step->weight_bytes /= 2;
    expect_failure(&a, "layer 1 (conv)");
    *step = right;
    step->tile_channels = 1;
    expect_failure(&a, "layer 1 (conv)");
    *step = right;
    schedule.parameter_capacity = 1 << 20;
    expect_failure(&a, "wide memory");
    schedule.step_count = 1;
    expect_failure(&a, "2 layers");
}
END_TEST

/* Change one number of a step. */
static void damage(cs_random *random, cs_step *step)
{
    uint32_t other = below(random, 5);
    switch (below(random, 14)) {
    case 0:
        step->knobs.split_y = (cs_split)(other % 2);
        break;
    case 1:
        step->knobs.split_x = (cs_split)(other % 2);
        break;
    case 2:
        step->knobs.order = (cs_order)(other % 2);
        break;
    case 3:
        step->knobs.fill_rows = other ? other : UINT32_MAX;
        break;
    case 4:
        step->knobs.ahead = !step->knobs.ahead;
        break;
    case 5:
        step->knobs.residence = (cs_residence)(other % CS_RESIDENCE_COUNT);
        break;
    case 6:
        step->knobs.strip_rows = other ? other : UINT32_MAX;
        break;
    case 7:
        step->narrow_bytes = step->narrow_bytes * other / 3;
        break;
    case 8:
        step->buffer_bytes = step->buffer_bytes * other / 3;
        break;
    case 9:
        step->spill_bytes = step->spill_bytes * other / 3;
        break;
    case 10:
        step->parked_bytes = step->parked_bytes * other / 3;
        break;
    case 11:
        step->cached = !step->cached;
        break;
    case 12:
        step->channel_passes = other;
        break;
    default:
        step->off_chip_write_bytes = other;
        break;
    }
}

/* Whatever is damaged, the executor says so or runs to its end. */
START_TEST(damaged_schedules_do_no_harm)
{
    unsigned noticed = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        cs_random random;
        random_stream(&random, 5000 + seed);
        cs_accelerator a = random_accelerator(&random);
        random_network(&random);
        if (!compile(&a, CS_POLICY_VENDOR) || network.layer_count == 1) {
            continue;
        }
        damage(&random, own(1 + below(&random, network.layer_count - 1)));
        const cs_values values = {seed};
        cs_execution execution = {0};
        cs_status status = cs_execute(&network, &a, &schedule, &values, &execution, &err);
        ck_assert(status == CS_OK || status == CS_ECORRUPT || status == CS_EINVAL ||
                  status == CS_ENOMEM);
        noticed += status != CS_OK;
        cs_execution_release(&execution);
    }
    ck_assert_uint_gt(noticed, 50);
}
END_TEST

/* The chip that is held against measurements, with its lanes, ways and memories. */
START_TEST(the_coral_chip_runs_a_layer)
{
    cs_accelerator coral = design_accelerator("coral");
    must(cs_network_start(&network, (cs_shape){17, 18, 10}, &err));
    cs_layer_id id = conv(0, 70, 3, 1, 1, 1, CS_PADDING_SAME);
    id = conv(id, 20, 3, 2, 1, 1, CS_PADDING_SAME);
    must(cs_network_dense(&network, id, 40, true, CS_ACTIVATION_NONE, &id, &err));
    seen s = {0};
    for (int policy = 0; policy < CS_POLICY_COUNT; policy++) {
        ck_assert(compile(&coral, (cs_policy)policy));
        check_schedule(&coral, 3, &s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("executor");
    TCase *tcase = tcase_create("executor");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_kind_by_every_knob, 0, KINDS);
    tcase_add_test(tcase, networks_run_as_compiled);
    tcase_add_test(tcase, networks_run_by_any_knobs);
    tcase_add_test(tcase, a_byte_less_is_an_overrun);
    tcase_add_test(tcase, a_damaged_schedule_is_noticed);
    tcase_add_test(tcase, damaged_schedules_do_no_harm);
    tcase_add_test(tcase, the_coral_chip_runs_a_layer);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
