/* Simulators: what a schedule costs.
 *
 * A simulator is a const struct of functions; every one passes the conformance suite
 * tests/sim/test_simulators.c. It has no state: threads share it. All charge the schedule's own
 * counts: they differ in when things happen, not in what. */
#ifndef CS_SIM_SIMULATOR_H
#define CS_SIM_SIMULATOR_H

#include "sim/accelerator/energy.h"
#include "sim/accelerator/technology.h"
#include "sim/compiler/schedule.h"

#include <stddef.h>
#include <stdint.h>

/* What takes time. Name for people. */
#define CS_RESOURCE_MAP(X)                                                                         \
    X(LANES, "compute")     /* lanes at work */                                                    \
    X(SUMS, "partial sums") /* lanes writing and reading sums in PE memory */                      \
    X(RING, "weight fills") /* weights on their way to the PEs */                                  \
    X(MESH, "exchange")     /* activations between PEs */                                          \
    X(LINK_IN, "link in")   /* parameters, tensors and instructions from off chip */               \
    X(LINK_OUT, "link out")                                                                        \
    X(CALL, "call") /* the host's share, and the start of a stream */

typedef enum cs_resource {
#define X(name, text) CS_RESOURCE_##name,
    CS_RESOURCE_MAP(X)
#undef X
        CS_RESOURCE_COUNT
} cs_resource;

const char *cs_resource_name(cs_resource resource);

/* The cost of one inference with all samples of its batch, or of one layer of it. */
typedef struct cs_cost {
    double latency_s;
    double energy_j;
    cs_energy energy; /* the parts of energy_j */
    double busy_s[CS_RESOURCE_COUNT];
    cs_resource limiter; /* the busiest resource; the first of equals */
    double utilization;  /* MACs over peak MACs in latency_s: 0 .. 1 */
    double peak_power_w; /* of the layer that takes most; of a layer its own. energy_j / latency_s
                            is the average */
    cs_traffic traffic;
} cs_cost;

typedef struct cs_simulator {
    const char *name;
    /* Raised by every change that changes a result; stored with every job. */
    uint32_t revision;
    /* The schedule is feasible and of this network and accelerator. The total's times, traffic and
     * energy are the sums over the layers, as far as rounding lets them. `layers` is NULL or has
     * room for network->layer_count costs. */
    void (*simulate)(const cs_network *network, const cs_accelerator *accelerator,
                     const cs_technology *technology, const cs_schedule *schedule, cs_cost *total,
                     cs_cost *layers);
} cs_simulator;

/* Closed form (compiler/timing.h): a step waits for its uploads, then takes the longest of what
 * happens on chip and of each direction of the link. */
extern const cs_simulator cs_simulator_analytic;

/* Every instruction of the schedule in its turn (docs/simulators.md): a step's transfers, fills and
 * strips follow one another where the closed form has them overlap as a whole. */
extern const cs_simulator cs_simulator_event;

/* The simulators in a fixed order; NULL beyond the last. */
const cs_simulator *cs_simulator_at(size_t index);

/* The simulator of that name, or NULL. */
const cs_simulator *cs_simulator_find(const char *name);

#endif
