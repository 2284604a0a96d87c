/* Energy and area next to what others published.
 *
 *     ./dev bench energy
 *
 * What an operation and a byte cost on the Coral chip; where the energy of AlexNet goes on a chip
 * like Eyeriss; the peak efficiency of the Coral chip; areas. docs/energy.md explains what is
 * printed. */
#include "sim/accelerator/energy.h"
#include "sim/network/network_file.h"
#include "sim/simulator/simulator.h"
#include "tests/bench/bench.h"

#include <stdio.h>
#include <string.h>

static cs_error error;
static cs_technology technology[CS_ESTIMATE_COUNT];

static void read_technology(void)
{
    cs_conf *conf = bench_conf("technology", "edge-22nm");
    for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
        bool recalled = false;
        bench_check(
            cs_technology_read_estimate(cs_conf_root(conf), e, &technology[e], &recalled, &error),
            &error);
    }
    cs_conf_free(conf);
}

static cs_accelerator accelerator_of(const char *name)
{
    cs_accelerator accelerator;
    bool recalled = false;
    cs_conf *conf = bench_conf("accelerators", name);
    bench_check(cs_accelerator_read(cs_conf_root(conf), &accelerator, &recalled, &error), &error);
    cs_conf_free(conf);
    return accelerator;
}

/* ---- rates ---- */

static void print_rates(void)
{
    cs_accelerator coral = accelerator_of("coral");
    cs_energy_rates r[CS_ESTIMATE_COUNT];
    for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
        r[e] = cs_energy_rates_of(&coral, &technology[e]);
    }
#define RATE(text, member)                                                                         \
    {                                                                                              \
        text, offsetof(cs_energy_rates, member)                                                    \
    }
    static const struct {
        const char *text;
        size_t offset;
    } rows[] = {
        RATE("operation", operation_j),
        RATE("core memory, byte read", core_read_j_byte),
        RATE("activation memory, byte read", narrow_read_j_byte),
        RATE("PE memory, byte read", wide_read_j_byte),
        RATE("mesh, byte and hop", mesh_j_byte),
        RATE("ring, byte to all PEs", ring_j_byte),
        RATE("link and DRAM, byte read", link_in_j_byte),
    };
#undef RATE
    printf("The Coral chip at %u MHz, %.3f V (%.3f to %.3f)\n%-32s %10s %10s %10s\n",
           coral.clock_mhz,
           cs_technology_voltage(&technology[CS_ESTIMATE_NOMINAL], coral.clock_mhz),
           cs_technology_voltage(&technology[CS_ESTIMATE_LOW], coral.clock_mhz),
           cs_technology_voltage(&technology[CS_ESTIMATE_HIGH], coral.clock_mhz), "pJ", "low",
           "nominal", "high");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("%-32s", rows[i].text);
        for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
            double rate;
            memcpy(&rate, (const char *)&r[e] + rows[i].offset, sizeof rate);
            printf(" %10.4g", rate * 1e12);
        }
        printf("\n");
    }
    printf("%-32s", "idle, mW");
    for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
        printf(" %10.4g", r[e].idle_power_w * 1e3);
    }
    printf("\n");
}

/* ---- AlexNet on a chip like Eyeriss ---- */

/* Eyeriss (Chen et al., JSSC 52 (2017) 127): 168 PEs of one MAC with a register file of 0.5 KB
 * each, and a buffer of 108 KB for all. Its PE is a core here, and its buffer the memory of three
 * PEs, which have to hold whole tiles of a layer. The clock is that of the nominal supply, because
 * the costs of Eyeriss are at one supply, too. */
static cs_accelerator eyeriss_like(void)
{
    return (cs_accelerator){
        .pes_x = 3,
        .pes_y = 1,
        .cores_per_pe = 56,
        .lanes_per_core = 1,
        .simd_ways = 1,
        .clock_mhz = 800,
        .pe_memory_bytes = 36 << 10,
        .core_memory_bytes = 512,
        .instruction_entries = 64,
        .parameter_entries = 64,
        .activation_entries = 64,
        .link_bytes_per_s = 1000000000,
    };
}

/* Eyeriss's own counts in the convolutions of AlexNet at batch 4 (JSSC 52 (2017) 127, table V,
 * recalled): 2663 million MACs, 208.5 MB to and from the buffer, 15.4 MB to and from DRAM, in
 * values of 2 bytes, which are bytes here. The abstract's 0.0029 DRAM accesses a MAC agree. */
static cs_traffic eyeriss_counts(void)
{
    return (cs_traffic){
        .operations = 2663000000,
        .core_read_bytes = 2663000000,
        .wide_read_bytes = 208500000 / 2,
        .link_in_bytes = 15400000 / 2,
    };
}

static void add(cs_traffic *sum, const cs_traffic *t)
{
    sum->operations += t->operations;
    sum->link_in_bytes += t->link_in_bytes;
    sum->link_out_bytes += t->link_out_bytes;
    sum->ring_bytes += t->ring_bytes;
    sum->mesh_bytes += t->mesh_bytes;
    sum->wide_read_bytes += t->wide_read_bytes;
    sum->wide_write_bytes += t->wide_write_bytes;
    sum->narrow_read_bytes += t->narrow_read_bytes;
    sum->narrow_write_bytes += t->narrow_write_bytes;
    sum->core_read_bytes += t->core_read_bytes;
    sum->core_write_bytes += t->core_write_bytes;
}

/* Shares in Eyeriss's groups; a share is of the sum of the four. */
typedef struct shares {
    double mac, register_file, buffer, dram;
} shares;

/* Without the network on chip: these four are compared among themselves. */
static shares shares_of(const cs_energy *energy, double mac_j)
{
    return (shares){
        .mac = mac_j,
        .register_file = energy->compute_j - mac_j + energy->core_j,
        .buffer = energy->wide_j + energy->narrow_j,
        .dram = energy->link_j,
    };
}

/* The same counts at Eyeriss's costs in MACs (Chen et al., ISCA 2016, table IV): register file 1,
 * buffer 6, DRAM 200. A MAC moves an operand and a sum, read and written, in its register file,
 * which here are registers, and its weight, which is core memory. */
static shares at_published_costs(const cs_traffic *t)
{
    return (shares){
        .mac = (double)t->operations,
        .register_file =
            3.0 * (double)t->operations + (double)(t->core_read_bytes + t->core_write_bytes),
        .buffer = 6.0 * (double)(t->wide_read_bytes + t->wide_write_bytes + t->narrow_read_bytes +
                                 t->narrow_write_bytes),
        .dram = 200.0 * (double)(t->link_in_bytes + t->link_out_bytes),
    };
}

static void print_shares(const char *text, const shares *s)
{
    double percent = 100 / (s->mac + s->register_file + s->buffer + s->dram);
    printf("  %-36s %8.1f %8.1f %8.1f %8.1f\n", text, s->mac * percent, s->register_file * percent,
           s->buffer * percent, s->dram * percent);
}

static void print_layers(const char *text, const cs_accelerator *accelerator, const cs_traffic *t)
{
    static const char *const names[CS_ESTIMATE_COUNT] = {
        "rates of edge-22nm, low", "rates of edge-22nm, nominal", "rates of edge-22nm, high"};
    printf("%s: %.0f million MACs, %.4f DRAM bytes a MAC\n", text, (double)t->operations / 1e6,
           (double)(t->link_in_bytes + t->link_out_bytes) / (double)t->operations);
    shares published = at_published_costs(t);
    print_shares("costs of Eyeriss", &published);
    for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
        const cs_technology *now = &technology[e];
        double supply = cs_technology_voltage(now, accelerator->clock_mhz) / now->voltage_nominal_v;
        cs_energy_rates rates = cs_energy_rates_of(accelerator, now);
        cs_energy energy = cs_energy_of(&rates, t, 0);
        shares s = shares_of(&energy, (double)t->operations * now->mac_j * supply * supply);
        print_shares(names[e], &s);
    }
}

static void print_eyeriss(void)
{
    cs_accelerator accelerator = eyeriss_like();
    cs_network network = {0};
    cs_schedule schedule = {0};
    cs_conf *conf = bench_conf("networks", "alexnet");
    bench_check(cs_network_read(cs_conf_root(conf), &network, &error), &error);
    cs_conf_free(conf);
    bench_check(cs_compile(&network, &accelerator, NULL, &schedule, &error), &error);
    printf("\nAlexNet on a chip like Eyeriss, %% of the energy without idle power and wires\n");
    if (schedule.reason) {
        printf("layer %u: %s\n", schedule.reason_layer, cs_reason_text(schedule.reason));
    } else {
        cs_traffic conv = {0}, dense = {0};
        for (uint32_t i = 0; i < schedule.step_count; i++) {
            cs_traffic t = schedule.steps[i]->traffic;
            if (network.layers[i].op == CS_OP_CONV) {
                add(&conv, &t);
            } else if (network.layers[i].op == CS_OP_DENSE) {
                add(&dense, &t);
            }
        }
        printf("  %-36s %8s %8s %8s %8s\n", "", "MAC", "RF", "buffer", "DRAM");
        cs_traffic eyeriss = eyeriss_counts();
        print_layers("Convolutions at batch 4, counts of Eyeriss", &accelerator, &eyeriss);
        print_layers("Convolutions, counts of the schedule here", &accelerator, &conv);
        print_layers("Dense layers, counts of the schedule here", &accelerator, &dense);
        printf(
            "Published: register files are the largest part of convolutions, DRAM of dense layers "
            "(ISCA\n2016, fig. 10, recalled).\n");
    }
    cs_schedule_release(&schedule);
    cs_network_release(&network);
}

/* ---- peak efficiency ---- */

#define PUBLISHED_TOPS 4.0 /* coral.ai, Edge TPU FAQ: 4 TOPS, using only 2 watts */
#define PUBLISHED_W    2.0

/* A second at full use: every lane and way multiplies in every cycle with a weight of its own from
 * core memory; the lanes of a core share their activations; the link brings bytes all the time. */
static cs_traffic full_use(const cs_accelerator *accelerator, bool link)
{
    double macs = cs_accelerator_peak_ops(accelerator) / 2;
    return (cs_traffic){
        .operations = (uint64_t)macs,
        .core_read_bytes = (uint64_t)macs,
        .narrow_read_bytes = (uint64_t)(macs / accelerator->lanes_per_core),
        .link_in_bytes = link ? accelerator->link_bytes_per_s : 0,
    };
}

static void print_peak(void)
{
    cs_accelerator coral = accelerator_of("coral");
    double tops = cs_accelerator_peak_ops(&coral) / 1e12;
    cs_energy w[CS_ESTIMATE_COUNT];
    cs_traffic traffic = full_use(&coral, true);
    for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
        cs_energy_rates rates = cs_energy_rates_of(&coral, &technology[e]);
        w[e] = cs_energy_of(&rates, &traffic, 1);
    }
    printf("\nThe Coral chip at full use, %.3f TOPS, the link busy\n%-32s %10s %10s %10s\n", tops,
           "W", "low", "nominal", "high");
#define PART(text, member)                                                                         \
    printf("%-32s %10.4f %10.4f %10.4f\n", text, w[CS_ESTIMATE_LOW].member,                        \
           w[CS_ESTIMATE_NOMINAL].member, w[CS_ESTIMATE_HIGH].member)
    PART("operations", compute_j);
    PART("core memory", core_j);
    PART("activation memory", narrow_j);
    PART("link and host's memory", link_j);
    PART("idle", idle_j);
#undef PART
    double total[CS_ESTIMATE_COUNT];
    for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
        total[e] = cs_energy_total(&w[e]);
    }
    printf("%-32s %10.4f %10.4f %10.4f\n%-32s %10.2f %10.2f %10.2f\n", "sum",
           total[CS_ESTIMATE_LOW], total[CS_ESTIMATE_NOMINAL], total[CS_ESTIMATE_HIGH], "TOPS/W",
           tops / total[CS_ESTIMATE_LOW], tops / total[CS_ESTIMATE_NOMINAL],
           tops / total[CS_ESTIMATE_HIGH]);
    printf("published: %.0f TOPS/W, %.0f W at %.0f TOPS (coral.ai, Edge TPU FAQ), all of the chip "
           "and rounded;\nnominal leaves %.2f W unexplained\n",
           PUBLISHED_TOPS / PUBLISHED_W, PUBLISHED_W, PUBLISHED_TOPS,
           PUBLISHED_W - total[CS_ESTIMATE_NOMINAL]);
}

/* ---- area ---- */

static void print_area(void)
{
    static const char *const names[] = {"nahas-baseline", "edgetpu-v1", "edgetpu-v2", "edgetpu-v3",
                                        "coral"};
    cs_accelerator baseline = accelerator_of(names[0]);
    printf("\nArea over nahas-baseline, and in mm2 at %.0f nm (low to high)\n",
           technology[CS_ESTIMATE_NOMINAL].node_nm);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cs_accelerator accelerator = accelerator_of(names[i]);
        double mm2[CS_ESTIMATE_COUNT], ratio[CS_ESTIMATE_COUNT];
        for (cs_estimate e = CS_ESTIMATE_LOW; e <= CS_ESTIMATE_HIGH; e++) {
            mm2[e] = cs_area_mm2(&accelerator, &technology[e]);
            ratio[e] = mm2[e] / cs_area_mm2(&baseline, &technology[e]);
        }
        printf("%-16s %6.3f (%.3f, %.3f) %8.1f (%.1f to %.1f)\n", names[i],
               ratio[CS_ESTIMATE_NOMINAL], ratio[CS_ESTIMATE_LOW], ratio[CS_ESTIMATE_HIGH],
               mm2[CS_ESTIMATE_NOMINAL], mm2[CS_ESTIMATE_LOW], mm2[CS_ESTIMATE_HIGH]);
    }
}

/* ---- speed ---- */

#define SPEED_ROUNDS 2000000u

static void print_speed(void)
{
    cs_accelerator accelerator = accelerator_of("edgetpu-v1");
    double sum = 0, start = bench_cpu_s();
    for (uint32_t i = 0; i < SPEED_ROUNDS; i++) {
        accelerator.core_memory_bytes = 8192 + i;
        sum += cs_energy_rates_of(&accelerator, &technology[CS_ESTIMATE_NOMINAL]).core_read_j_byte;
    }
    double rates_s = bench_cpu_s() - start;
    cs_energy_rates rates = cs_energy_rates_of(&accelerator, &technology[CS_ESTIMATE_NOMINAL]);
    cs_traffic traffic = full_use(&accelerator, true);
    start = bench_cpu_s();
    for (uint32_t i = 0; i < SPEED_ROUNDS; i++) {
        traffic.operations += i;
        cs_energy energy = cs_energy_of(&rates, &traffic, 1e-3);
        sum += cs_energy_total(&energy);
    }
    double energy_s = bench_cpu_s() - start;
    printf("\n%.0f ns for the rates of an accelerator, %.1f ns for an energy (checksum %.3g)\n",
           rates_s / SPEED_ROUNDS * 1e9, energy_s / SPEED_ROUNDS * 1e9, sum);
}

int main(void)
{
    read_technology();
    print_rates();
    print_eyeriss();
    print_peak();
    print_area();
    print_speed();
    return 0;
}
