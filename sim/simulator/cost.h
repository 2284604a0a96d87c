/* Costs of steps and their sum, as every simulator makes them up. Internal to sim/simulator/. */
#ifndef CS_SIM_SIMULATOR_COST_H
#define CS_SIM_SIMULATOR_COST_H

#include "sim/compiler/timing.h"
#include "sim/simulator/simulator.h"

/* What keeps resources busy, of one step or summed over steps: no simulator charges other counts.
 */
typedef struct cs_counts {
    uint64_t compute_cycles, sum_cycles, ring_cycles, exchange_cycles;
    uint64_t in_bytes, out_bytes;
    uint64_t macs;
    double start_s;
    cs_traffic traffic;
} cs_counts;

typedef struct cs_ledger {
    cs_rates rates;
    cs_energy_rates energy;
    double peak_macs_per_s;
    uint32_t samples;
    cs_counts sum; /* of one sample */
    double latency_s;
    double peak_power_w;
} cs_ledger;

void cs_ledger_open(cs_ledger *ledger, const cs_network *network, const cs_accelerator *accelerator,
                    const cs_technology *technology);

/* Add a step of one sample that takes so long, the call (which the first one has) included. `cost`
 * is NULL or becomes that of all samples. */
void cs_ledger_add(cs_ledger *ledger, const cs_step *step, bool first, double latency_s,
                   cs_cost *cost);

/* The sum of all steps that were added. */
void cs_ledger_close(const cs_ledger *ledger, cs_cost *total);

#endif
