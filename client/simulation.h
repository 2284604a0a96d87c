/* Simulations without a server: a network on an accelerator, both from files.
 *
 * Names without '/' are files of a library folder (base/library.h), names with one are paths. A
 * network whose name ends in .onnx is an ONNX model (sim/onnx/onnx.h). */
#ifndef CS_CLIENT_SIMULATION_H
#define CS_CLIENT_SIMULATION_H

#include "base/status.h"
#include "sim/accelerator/accelerator.h"
#include "sim/accelerator/technology.h"
#include "sim/network/network.h"
#include "sim/simulator/simulator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is to be simulated, by names or paths. */
typedef struct cs_simulation_names {
    const char *library; /* the folder for names */
    const char *network, *technology;
    const char *accelerator;          /* or the name of a host, which means that with its chip */
    const char *host;                 /* NULL: none */
    const char *baseline;             /* an accelerator; NULL: none */
    const char *compiler, *simulator; /* NULL: the usual ones */
    const char *const *knobs;         /* "NAME=VALUE" (sim/compiler/knobs.h), for policy best */
    size_t knob_count;
} cs_simulation_names;

/* What is simulated, as its files have it. */
typedef struct cs_simulation_setup {
    cs_network network;          /* owned */
    char *chip_name, *host_name; /* owned, names or paths; no host: NULL */
    cs_accelerator accelerator;
    cs_naming naming; /* of the accelerator's file, and so of what is set */
    cs_accelerator baseline;
    cs_technology technology[CS_ESTIMATE_COUNT];
    bool accelerator_recalled, host_recalled, technology_recalled, baseline_recalled;
    cs_compile_options options;
    const cs_simulator *simulator;
} cs_simulation_setup;

/* By the three estimates of the technology. */
typedef struct cs_interval {
    double low, nominal, high;
} cs_interval;

/* One accelerator with the network on it. Where schedule.reason is not CS_REASON_NONE, the schedule
 * says which layer it was, and all that follows it is zero. */
typedef struct cs_simulation {
    cs_accelerator accelerator;
    cs_interval area_mm2;
    cs_schedule schedule; /* owned */
    cs_cost total;
    cs_cost *layers; /* owned; one a layer of the network */
    cs_interval energy_j;
    double limited_s[CS_RESOURCE_COUNT]; /* latency of the layers that each limits */
    double *bounds_s;                    /* owned; one a layer: cs_simulation_run */
    double bound_s;                      /* of the network */
    uint64_t off_chip_bytes;             /* in both directions */
} cs_simulation;

/* Read the files into a zeroed setup. A host is refused where the accelerator is another one of the
 * library than its chip; one that is a path goes with any host. CS_EINVAL with the file and the
 * line or node, with the names of compilers, simulators or knobs, or because a compiler other than
 * best takes no knobs; CS_ENOENT; CS_ELIMIT for a file that is too large. Release what was read
 * also after a failure. */
CS_MUST_CHECK cs_status cs_simulation_load(const cs_simulation_names *names,
                                           cs_simulation_setup *setup, cs_error *err);
void cs_simulation_unload(cs_simulation_setup *setup);

/* Simulate into a zeroed simulation, which is released in any case. An infeasible design is an
 * answer; failure is want of memory.
 *
 * The bound of a layer is the host's share and the longest of: the cycles that no schedule goes
 * below; what crosses the link into the chip, streamed weights once; what crosses it outwards.
 * Weights that are prefetched cross it while other layers run, so only the bound of the network,
 * which is that of the whole link or the sum over layers, has them. */
CS_MUST_CHECK cs_status cs_simulation_run(const cs_simulation_setup *setup,
                                          const cs_accelerator *accelerator,
                                          cs_simulation *simulation, cs_error *err);
void cs_simulation_release(cs_simulation *simulation);

/* A layer as messages call it: its name, or else its operation, and its number, since names may
 * repeat. malloc'd; NULL for want of memory. */
char *cs_simulation_layer_label(const cs_network *network, cs_layer_id layer);

/* Where a step's weights are: "cached", "streamed", "prefetched"; NULL without weights. */
const char *cs_simulation_weights(const cs_step *step);

#endif
