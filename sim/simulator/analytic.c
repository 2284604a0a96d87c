/* The analytic simulator: a schedule in closed form (compiler/timing.h). */
#include "sim/compiler/timing.h"
#include "sim/simulator/cost.h"

static void simulate(const cs_network *network, const cs_accelerator *accelerator,
                     const cs_technology *technology, const cs_schedule *schedule, cs_cost *total,
                     cs_cost *layers)
{
    cs_rates rates = cs_rates_of(accelerator);
    cs_walk walk = {0};
    cs_ledger ledger;
    cs_ledger_open(&ledger, network, accelerator, technology);
    for (uint32_t i = 0; i < schedule->step_count; i++) {
        const cs_step *step = schedule->steps[i];
        double latency_s = cs_walk_latency(&walk, &rates, step) + (i == 0 ? rates.call_s : 0);
        cs_ledger_add(&ledger, step, i == 0, latency_s, layers ? &layers[i] : NULL);
    }
    cs_ledger_close(&ledger, total);
}

const cs_simulator cs_simulator_analytic = {
    .name = "analytic",
    .revision = 2,
    .simulate = simulate,
};
