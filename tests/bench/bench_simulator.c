/* How many designs a second one core evaluates, in process.
 *
 *     ./dev bench simulator [SECONDS]
 *
 * One evaluation: genome in; decode to layers and accelerator, liveness, caching, schedule, cost;
 * latency, energy, area and utilisation out. Each line runs for so many seconds of CPU (3 if not
 * given) after a warm-up, in which memory grows to what the largest network needs; allocations
 * after that are counted by an interposer. docs/performance.md shows what is printed. */
#include "base/random.h"
#include "search/space.h"
#include "sim/network/network_file.h"
#include "sim/simulator/simulator.h"
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cs_error error;

/* ---- allocations ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static unsigned long long allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    allocations++;
    return __libc_realloc(old, size);
}

/* ---- evaluating ---- */

typedef struct evaluation {
    cs_network network;
    cs_schedule schedule;
    cs_technology technology;
    double sum; /* of metrics, so that none is left out */
    unsigned long long feasible;
} evaluation;

static void evaluate(evaluation *e, const cs_accelerator *accelerator, cs_policy policy,
                     const cs_simulator *simulator)
{
    cs_compile_options options = {.policy = policy};
    bench_check(cs_compile(&e->network, accelerator, &options, &e->schedule, &error), &error);
    if (e->schedule.reason) {
        return;
    }
    cs_cost cost;
    simulator->simulate(&e->network, accelerator, &e->technology, &e->schedule, &cost, NULL);
    e->sum += cost.latency_s + cost.energy_j + cost.utilization;
    e->feasible++;
}

typedef void run_one(evaluation *e, uint64_t index, void *context);

/* A line: evaluations a second, what one takes, and what was allocated. */
static double measure(const char *what, double seconds, run_one *run, void *context, evaluation *e)
{
    uint64_t index = 0;
    for (; index < 2000; index++) {
        run(e, index, context);
    }
    unsigned long long before = allocations, feasible = e->feasible;
    uint64_t first = index;
    double start = bench_cpu_s(), spent = 0;
    while (spent < seconds) {
        for (int i = 0; i < 256; i++) {
            run(e, index++, context);
        }
        spent = bench_cpu_s() - start;
    }
    double each = spent / (double)(index - first);
    printf("%-58s %9.0f /s  %7.2f us  %5.1f %% feasible  %llu allocations\n", what, 1 / each,
           each * 1e6, 100 * (double)(e->feasible - feasible) / (double)(index - first),
           allocations - before);
    fflush(stdout);
    return each;
}

/* ---- one network on many accelerators ---- */

typedef struct joint {
    cs_plan *plan;
    const cs_network *network; /* decoded anew for each accelerator */
    cs_policy policy;
} joint;

static void copy_network(const cs_network *from, cs_network *to)
{
    bench_check(cs_network_start(to, from->layers[0].out, &error), &error);
    for (uint32_t i = 1; i < from->layer_count; i++) {
        cs_layer_id id;
        const cs_layer *layer = &from->layers[i];
        bench_check(cs_network_like(to, layer, cs_layer_inputs(from, layer), &id, &error), &error);
    }
}

static void run_joint(evaluation *e, uint64_t index, void *context)
{
    joint *j = context;
    uint8_t genome[256];
    cs_random random;
    cs_accelerator accelerator;
    cs_random_init(&random, 1, 0, CS_PURPOSE_SAMPLE, 0, index);
    cs_space_sample(j->plan->space, &random, genome);
    cs_space_decode_accelerator(j->plan->space, genome, &accelerator);
    copy_network(j->network, &e->network);
    e->sum += cs_area_mm2(&accelerator, &e->technology);
    evaluate(e, &accelerator, j->policy, &cs_simulator_analytic);
}

/* Random networks of the MnasNet space on one accelerator each. */
static void run_candidate(evaluation *e, uint64_t index, void *context)
{
    joint *j = context;
    uint8_t genome[256];
    cs_random random;
    cs_accelerator accelerator;
    cs_random_init(&random, 2, 0, CS_PURPOSE_SAMPLE, 0, index);
    cs_space_sample(j->plan->space, &random, genome);
    cs_space_decode_accelerator(j->plan->space, genome, &accelerator);
    bench_check(cs_space_decode_network(j->plan->space, genome, &e->network, &error), &error);
    e->sum += cs_area_mm2(&accelerator, &e->technology);
    evaluate(e, &accelerator, j->policy, &cs_simulator_analytic);
}

/* ---- NASBench-101 networks on one accelerator ---- */

/* A cell: vertex 0 is the input, the last the output; bit j of edges[i] is an edge from i to j. */
#define MAX_VERTICES 7u
#define MAX_EDGES    9u
typedef struct cell {
    uint32_t vertices;
    uint8_t edges[MAX_VERTICES];
    uint8_t operation[MAX_VERTICES]; /* 0 conv3x3, 1 conv1x1, 2 maxpool3x3 */
} cell;

static unsigned bits_of(unsigned set)
{
    return (unsigned)__builtin_popcount(set);
}

/* A cell without dead vertices, of 7 vertices or, as in the space, one in 7 of 6, with at most 9
 * edges and widths that divide evenly (where they do not, channels are cut off between vertices,
 * which networks have no layer for). */
static bool draw_cell(cs_random *random, cell *c)
{
    c->vertices = cs_random_below(random, 7) > 0 ? MAX_VERTICES : MAX_VERTICES - 1;
    unsigned out = c->vertices - 1, edges = 0, reached = 1, leads = 1u << out;
    for (unsigned i = 0; i < out; i++) {
        c->edges[i] = 0;
        for (unsigned j = i + 1; j <= out; j++) {
            c->edges[i] |= (uint8_t)(cs_random_below(random, 2) ? 1u << j : 0);
        }
        c->operation[i] = (uint8_t)cs_random_below(random, 3);
        edges += bits_of(c->edges[i]);
        reached |= reached >> i & 1 ? c->edges[i] : 0;
    }
    unsigned feeds = 0;
    for (unsigned i = out; i-- > 0;) {
        leads |= c->edges[i] & leads ? 1u << i : 0;
        feeds += i > 0 && (c->edges[i] >> out & 1);
    }
    unsigned all = (1u << c->vertices) - 1;
    return edges <= MAX_EDGES && reached == all && leads == all && feeds > 0 &&
           (feeds & (feeds - 1)) == 0;
}

/* Layers that were built and checked once, by what they are. */
typedef struct part_key {
    uint16_t kind, in, out, side; /* kind 0..2: the operations; 3 add, 4 halving pool */
} part_key;

#define PARTS 512u
typedef struct maker {
    cs_network scratch;
    part_key keys[PARTS];
    cs_layer layers[PARTS];
    bool known[PARTS];
    cs_accelerator accelerator;
    cs_policy policy;
    cell *cells; /* owned */
    uint32_t cell_count;
} maker;

static void make_part(maker *m, part_key key, cs_layer *layer)
{
    cs_layer_id id = 0, other;
    cs_conv conv = {.channels = key.out,
                    .kernel_h = key.kind == 0 ? 3 : 1,
                    .kernel_w = key.kind == 0 ? 3 : 1,
                    .activation = CS_ACTIVATION_RELU,
                    .normalized = true};
    cs_shape shape = {key.side, key.side, key.in};
    bench_check(cs_network_start(&m->scratch, shape, &error), &error);
    cs_status status;
    if (key.kind <= 1) {
        status = cs_network_conv(&m->scratch, 0, &conv, &id, &error);
    } else if (key.kind == 3) {
        status = cs_network_input(&m->scratch, shape, &other, &error);
        status = status ? status : cs_network_add(&m->scratch, 0, other, &id, &error);
    } else {
        status = cs_network_pool(&m->scratch, 0, CS_OP_POOL_MAX, key.kind == 2 ? 3 : 2,
                                 key.kind == 2 ? 1 : 2, CS_PADDING_SAME, &id, &error);
    }
    bench_check(status, &error);
    *layer = m->scratch.layers[id];
}

static cs_layer_id append(maker *m, cs_network *network, part_key key, cs_layer_id a, cs_layer_id b)
{
    uint32_t at = (key.kind * 131u + key.in * 7u + key.out * 3u + key.side) % PARTS;
    while (m->known[at] && memcmp(&m->keys[at], &key, sizeof key) != 0) {
        at = (at + 1) % PARTS;
    }
    if (!m->known[at]) {
        make_part(m, key, &m->layers[at]);
        m->keys[at] = key;
        m->known[at] = true;
    }
    cs_layer_id id, inputs[2] = {a, b};
    bench_check(cs_network_like(network, &m->layers[at], inputs, &id, &error), &error);
    return id;
}

/* A module: projections of the input, operations on sums, and the joined outputs (config.py,
 * model_builder.py of google-research/nasbench). */
static cs_layer_id append_module(maker *m, cs_network *network, const cell *c, cs_layer_id input,
                                 uint16_t in, uint16_t out, uint16_t side)
{
    unsigned last = c->vertices - 1, feeds = 0, count = 0;
    uint16_t width[MAX_VERTICES];
    cs_layer_id made[MAX_VERTICES], joined[MAX_VERTICES], id;
    for (unsigned i = 1; i < last; i++) {
        feeds += c->edges[i] >> last & 1;
    }
    for (unsigned i = last; i-- > 1;) {
        width[i] = c->edges[i] >> last & 1 ? (uint16_t)(out / feeds) : 0;
        for (unsigned j = i + 1; j < last; j++) {
            if (c->edges[i] >> j & 1 && width[j] > width[i]) {
                width[i] = width[j];
            }
        }
    }
    for (unsigned j = 1; j < last; j++) {
        bool any = false;
        id = 0;
        for (unsigned i = 0; i < j; i++) {
            if (!(c->edges[i] >> j & 1)) {
                continue;
            }
            cs_layer_id part =
                i > 0 ? made[i] : append(m, network, (part_key){1, in, width[j], side}, input, 0);
            id = any ? append(m, network, (part_key){3, width[j], width[j], side}, id, part) : part;
            any = true;
        }
        made[j] = append(m, network, (part_key){c->operation[j], width[j], width[j], side}, id, 0);
        if (c->edges[j] >> last & 1) {
            joined[count++] = made[j];
        }
    }
    id = joined[0];
    if (count > 1) {
        bench_check(cs_network_concat(network, joined, count, &id, &error), &error);
    }
    if (c->edges[0] >> last & 1) {
        cs_layer_id straight = append(m, network, (part_key){1, in, out, side}, input, 0);
        id = append(m, network, (part_key){3, out, out, side}, id, straight);
    }
    return id;
}

static void decode_cell(maker *m, const cell *c, cs_network *network)
{
    bench_check(cs_network_start(network, (cs_shape){32, 32, 3}, &error), &error);
    cs_layer_id id = append(m, network, (part_key){0, 3, 128, 32}, 0, 0);
    uint16_t in = 128, out = 128, side = 32;
    for (int stack = 0; stack < 3; stack++) {
        if (stack > 0) {
            id = append(m, network, (part_key){4, in, in, side}, id, 0);
            side /= 2;
            out *= 2;
        }
        for (int i = 0; i < 3; i++) {
            id = append_module(m, network, c, id, in, out, side);
            in = out;
        }
    }
    bench_check(cs_network_pool_global(network, id, &id, &error), &error);
    bench_check(cs_network_dense(network, id, 10, true, CS_ACTIVATION_NONE, &id, &error), &error);
}

static void draw_cells(maker *m)
{
    m->cell_count = 200000;
    m->cells = bench_must(malloc(m->cell_count * sizeof *m->cells), &error);
    cs_random random;
    cs_random_init(&random, 3, 0, CS_PURPOSE_SAMPLE, 0, 0);
    for (uint32_t i = 0; i < m->cell_count;) {
        i += draw_cell(&random, &m->cells[i]);
    }
}

static void run_cell(evaluation *e, uint64_t index, void *context)
{
    maker *m = context;
    const cell *c = &m->cells[index % m->cell_count];
    decode_cell(m, c, &e->network);
    evaluate(e, &m->accelerator, m->policy, &cs_simulator_analytic);
}

/* ---- one network again and again, by the event simulator ---- */

static void run_event(evaluation *e, uint64_t index, void *context)
{
    (void)index;
    evaluate(e, context, CS_POLICY_VENDOR, &cs_simulator_event);
}

static cs_accelerator read_accelerator(const char *name)
{
    cs_accelerator accelerator;
    bool recalled = false;
    cs_conf *conf = bench_conf("accelerators", name);
    bench_check(cs_accelerator_read(cs_conf_root(conf), &accelerator, &recalled, &error), &error);
    cs_conf_free(conf);
    return accelerator;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 3;
    evaluation e = {0};
    cs_network mobilenet = {0};
    cs_plan *plan = bench_plan(CODESIGN_SOURCE_DIR "/configs/jobs/imagenet-edge.conf", NULL, 0);
    e.technology = plan->technology;
    cs_conf *conf = bench_conf("networks", "mobilenet-v2");
    bench_check(cs_network_read(cs_conf_root(conf), &mobilenet, &error), &error);
    cs_conf_free(conf);

    joint j = {.plan = plan, .network = &mobilenet, .policy = CS_POLICY_VENDOR};
    measure("MobileNetV2 on NAHAS accelerators, vendor (asked: 20,000)", seconds, run_joint, &j,
            &e);
    j.policy = CS_POLICY_BEST;
    measure("the same, best", seconds, run_joint, &j, &e);
    measure("MnasNet networks on NAHAS accelerators, best", seconds, run_candidate, &j, &e);

    maker *m = bench_must(calloc(1, sizeof *m), &error);
    m->accelerator = read_accelerator("edgetpu-v1");
    draw_cells(m);
    for (int policy = CS_POLICY_COUNT; policy-- > 0;) {
        char what[80];
        m->policy = (cs_policy)policy;
        snprintf(what, sizeof what, "NASBench-101 networks on V1, %s (asked: 300,000)",
                 cs_policy_name(m->policy));
        double each = measure(what, seconds, run_cell, m, &e);
        double start = bench_cpu_s();
        uint64_t layers = 0;
        for (uint32_t i = 0; i < 100000; i++) {
            decode_cell(m, &m->cells[i], &e.network);
            layers += e.network.layer_count;
        }
        double decode = (bench_cpu_s() - start) / 100000;
        printf("    of these decoding %.2f us; %.1f layers, %.1f ns each in all\n", decode * 1e6,
               (double)layers / 100000, each * 1e9 / ((double)layers / 100000));
    }
    copy_network(&mobilenet, &e.network);
    cs_accelerator v1 = read_accelerator("edgetpu-v1");
    measure("MobileNetV2 on V1, compiled and simulated by event (asked: 500)", seconds, run_event,
            &v1, &e);
    printf("(checksum %g)\n", e.sum);
    free(m->cells);
    cs_network_release(&m->scratch);
    free(m);
    cs_network_release(&mobilenet);
    cs_network_release(&e.network);
    cs_schedule_release(&e.schedule);
    cs_plan_free(plan);
    return 0;
}
