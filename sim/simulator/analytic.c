/* The analytic simulator: a schedule in closed form (simulator.h). */
#include "sim/simulator/simulator.h"

/* Rates and unit energies of one accelerator in one technology. */
typedef struct rates {
    double clock_hz;
    double in_bytes_per_s;
    double out_bytes_per_s;
    double peak_macs_per_s;
    double dynamic;      /* energy of on-chip work relative to the nominal supply */
    double idle_power_w; /* leakage and link */
} rates;

static double max_f64(double a, double b)
{
    return a > b ? a : b;
}

static rates rates_of(const cs_accelerator *accelerator, const cs_technology *technology)
{
    double supply =
        cs_technology_voltage(technology, accelerator->clock_mhz) / technology->voltage_nominal_v;
    double link = (double)accelerator->link_bytes_per_s;
    bool hosted = accelerator->host.in_bytes_per_s > 0;
    return (rates){
        .clock_hz = (double)accelerator->clock_mhz * 1e6,
        .in_bytes_per_s = hosted ? accelerator->host.in_bytes_per_s : link,
        .out_bytes_per_s = hosted ? accelerator->host.out_bytes_per_s : link,
        .peak_macs_per_s = cs_accelerator_peak_ops(accelerator) / 2,
        .dynamic = supply * supply,
        .idle_power_w = cs_idle_power_w(accelerator, technology),
    };
}

static double utilization(uint64_t macs, double latency_s, const rates *r)
{
    return latency_s > 0 ? (double)macs / (latency_s * r->peak_macs_per_s) : 0;
}

/* `call_s`: what the calls cost that begin with this step. */
static cs_cost cost_of(uint64_t macs, const cs_step *step, double call_s,
                       const cs_technology *technology, const rates *r)
{
    double read_s = (double)step->off_chip_read_bytes / r->in_bytes_per_s;
    double write_s = (double)step->off_chip_write_bytes / r->out_bytes_per_s;
    double waits_s = (double)step->upload_bytes / r->in_bytes_per_s +
                     (double)step->collect_bytes / r->out_bytes_per_s;
    /* While the step runs, the two directions of the link are independent. */
    double overlapped_s = max_f64(read_s, write_s);
    cs_cost cost = {
        .compute_s = (double)(step->compute_cycles + step->fill_cycles) / r->clock_hz,
        .on_chip_s = (double)step->on_chip_cycles / r->clock_hz,
        .off_chip_s = overlapped_s + waits_s,
    };
    cost.latency_s = max_f64(max_f64(cost.compute_s, cost.on_chip_s), overlapped_s) + waits_s +
                     step->start_s + call_s;
    double on_chip_j =
        (double)step->operations * technology->mac_j +
        (double)step->core_memory_read_bytes * technology->core_memory_read_j_byte +
        (double)step->core_memory_write_bytes * technology->core_memory_write_j_byte +
        (double)step->pe_memory_read_bytes * technology->pe_memory_read_j_byte +
        (double)step->pe_memory_write_bytes * technology->pe_memory_write_j_byte;
    uint64_t read_bytes = step->off_chip_read_bytes + step->upload_bytes;
    uint64_t write_bytes = step->off_chip_write_bytes + step->collect_bytes;
    double off_chip_j = (double)read_bytes * technology->dram_read_j_byte +
                        (double)write_bytes * technology->dram_write_j_byte;
    cost.energy_j = on_chip_j * r->dynamic + off_chip_j + r->idle_power_w * cost.latency_s;
    cost.utilization = utilization(macs, cost.latency_s, r);
    return cost;
}

static void simulate(const cs_network *network, const cs_accelerator *accelerator,
                     const cs_technology *technology, const cs_schedule *schedule, cs_cost *total,
                     cs_cost *layers)
{
    rates r = rates_of(accelerator, technology);
    cs_cost sum = {0};
    for (uint32_t i = 0; i < schedule->step_count; i++) {
        uint64_t macs = cs_layer_macs(&network->layers[i]) * network->batch;
        double call_s = i == 0 ? accelerator->host.call_s * schedule->calls : 0;
        cs_cost cost = cost_of(macs, &schedule->steps[i], call_s, technology, &r);
        sum.latency_s += cost.latency_s;
        sum.energy_j += cost.energy_j;
        sum.compute_s += cost.compute_s;
        sum.on_chip_s += cost.on_chip_s;
        sum.off_chip_s += cost.off_chip_s;
        if (layers) {
            layers[i] = cost;
        }
    }
    sum.utilization = utilization(cs_network_macs(network) * network->batch, sum.latency_s, &r);
    *total = sum;
}

const cs_simulator cs_simulator_analytic = {
    .name = "analytic",
    .revision = 1,
    .simulate = simulate,
};
