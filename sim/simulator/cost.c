/* Costs of steps and their sum: see cost.h. */
#include "sim/simulator/cost.h"

/* Every member of cs_traffic is a uint64_t. */
#define TRAFFIC_COUNT (sizeof(cs_traffic) / sizeof(uint64_t))

void cs_ledger_open(cs_ledger *ledger, const cs_network *network, const cs_accelerator *accelerator,
                    const cs_technology *technology)
{
    *ledger = (cs_ledger){
        .rates = cs_rates_of(accelerator),
        .energy = cs_energy_rates_of(accelerator, technology),
        .peak_macs_per_s = cs_accelerator_peak_ops(accelerator) / 2,
        .samples = network->batch,
    };
}

static void add_counts(cs_counts *sum, const cs_step *step)
{
    sum->compute_cycles += step->compute_cycles;
    sum->sum_cycles += step->sum_cycles;
    /* The waits of fills that are streamed row by row pass in the stream. */
    sum->ring_cycles +=
        step->stream_cycles > step->fill_cycles ? step->stream_cycles : step->fill_cycles;
    sum->exchange_cycles += step->exchange_cycles;
    sum->in_bytes += step->upload_bytes + step->off_chip_read_bytes +
                     (step->prefetched ? step->weight_bytes : 0);
    sum->out_bytes += step->off_chip_write_bytes + step->collect_bytes;
    sum->macs += step->macs;
    sum->start_s += step->start_s;
    uint64_t *to = (uint64_t *)&sum->traffic;
    const uint64_t *from = (const uint64_t *)&step->traffic;
    for (size_t i = 0; i < TRAFFIC_COUNT; i++) {
        to[i] += from[i];
    }
}

static cs_resource busiest(const double busy_s[CS_RESOURCE_COUNT])
{
    cs_resource most = 0;
    for (cs_resource r = 1; r < CS_RESOURCE_COUNT; r++) {
        most = busy_s[r] > busy_s[most] ? r : most;
    }
    return most;
}

/* The cost of all samples of what has such counts and takes so long. */
static void charge(const cs_ledger *ledger, const cs_counts *counts, bool call, double latency_s,
                   cs_cost *cost)
{
    const cs_rates *rates = &ledger->rates;
    double samples = ledger->samples;
    double macs = (double)counts->macs;
    *cost = (cs_cost){
        .latency_s = latency_s * samples,
        .busy_s =
            {
                [CS_RESOURCE_LANES] = (double)counts->compute_cycles / rates->clock_hz * samples,
                [CS_RESOURCE_SUMS] = (double)counts->sum_cycles / rates->clock_hz * samples,
                [CS_RESOURCE_RING] = (double)counts->ring_cycles / rates->clock_hz * samples,
                [CS_RESOURCE_MESH] = (double)counts->exchange_cycles / rates->clock_hz * samples,
                [CS_RESOURCE_LINK_IN] = (double)counts->in_bytes / rates->in_bytes_per_s * samples,
                [CS_RESOURCE_LINK_OUT] =
                    (double)counts->out_bytes / rates->out_bytes_per_s * samples,
                [CS_RESOURCE_CALL] = ((call ? rates->call_s : 0) + counts->start_s) * samples,
            },
        .utilization = latency_s > 0 ? macs / (latency_s * ledger->peak_macs_per_s) : 0,
        .traffic = counts->traffic,
    };
    uint64_t *traffic = (uint64_t *)&cost->traffic;
    for (size_t i = 0; i < TRAFFIC_COUNT; i++) {
        traffic[i] *= ledger->samples;
    }
    cost->limiter = busiest(cost->busy_s);
    cost->energy = cs_energy_of(&ledger->energy, &cost->traffic, cost->latency_s);
    cost->energy_j = cs_energy_total(&cost->energy);
    cost->peak_power_w = cost->latency_s > 0 ? cost->energy_j / cost->latency_s : 0;
}

void cs_ledger_add(cs_ledger *ledger, const cs_step *step, bool first, double latency_s,
                   cs_cost *cost)
{
    ledger->latency_s += latency_s;
    add_counts(&ledger->sum, step);
    if (cost) {
        cs_counts counts = {0};
        add_counts(&counts, step);
        charge(ledger, &counts, first, latency_s, cost);
        if (cost->peak_power_w > ledger->peak_power_w) {
            ledger->peak_power_w = cost->peak_power_w;
        }
    }
}

void cs_ledger_close(const cs_ledger *ledger, cs_cost *total)
{
    charge(ledger, &ledger->sum, true, ledger->latency_s, total);
    if (ledger->peak_power_w > total->peak_power_w) {
        total->peak_power_w = ledger->peak_power_w;
    }
}
