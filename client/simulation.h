/* Simulations without a server: a network on an accelerator, both from files.
 *
 * Names without '/' are files of a library folder (base/library.h), names with one are paths. */
#ifndef CS_CLIENT_SIMULATION_H
#define CS_CLIENT_SIMULATION_H

#include "base/status.h"
#include "sim/accelerator/accelerator.h"
#include "sim/accelerator/technology.h"
#include "sim/network/network.h"
#include "sim/simulator/simulator.h"

#include <stdbool.h>
#include <stdint.h>

/* What is simulated, as its files have it. */
typedef struct cs_simulation_setup {
    cs_network network; /* owned */
    cs_accelerator accelerator;
    cs_naming naming; /* of the accelerator's file, and so of what is set */
    cs_technology technology;
    bool accelerator_recalled, technology_recalled;
} cs_simulation_setup;

/* What a layer's time is made of: the longest of its parts, the first of equals. */
typedef enum cs_limiter {
    CS_LIMITER_COMPUTE,
    CS_LIMITER_ON_CHIP,  /* the busiest memory port */
    CS_LIMITER_OFF_CHIP, /* the link */
    CS_LIMITER_COUNT,
} cs_limiter;

/* One accelerator with the network on it. Where schedule.reason is not CS_REASON_NONE, the schedule
 * says which layer it was, and all that follows it is zero. */
typedef struct cs_simulation {
    cs_accelerator accelerator;
    double area_mm2;
    cs_schedule schedule; /* owned */
    cs_cost total;
    cs_cost *layers;                    /* owned; one a layer of the network */
    double limited_s[CS_LIMITER_COUNT]; /* latency of the layers that each limits */
    double idle_j;                      /* the part of the energy that idle power takes */
    uint64_t off_chip_bytes;            /* in both directions */
} cs_simulation;

/* Read the three files into a zeroed setup; `library` is the folder for names. CS_EINVAL with file
 * and line, CS_ENOENT. Release what was read also after a failure. */
CS_MUST_CHECK cs_status cs_simulation_load(const char *library, const char *network,
                                           const char *accelerator, const char *technology,
                                           cs_simulation_setup *setup, cs_error *err);
void cs_simulation_unload(cs_simulation_setup *setup);

/* Set the field that the file's naming calls `name` to the value `text`. CS_EINVAL for a name that
 * is no field, with a list of those, and for a value that it cannot have. */
CS_MUST_CHECK cs_status cs_simulation_set(cs_naming naming, const char *name, const char *text,
                                          cs_accelerator *accelerator, cs_error *err);

/* Simulate into a zeroed simulation, which is released in any case. An infeasible design is an
 * answer; failure is want of memory. */
CS_MUST_CHECK cs_status cs_simulation_run(const cs_simulation_setup *setup,
                                          const cs_accelerator *accelerator,
                                          cs_simulation *simulation, cs_error *err);
void cs_simulation_release(cs_simulation *simulation);

cs_limiter cs_limiter_of(const cs_cost *layer);
const char *cs_limiter_text(cs_limiter limiter); /* "compute", "on-chip", "off-chip" */

/* A layer as messages call it: its name, or else its operation, and its number, since names may
 * repeat. malloc'd; NULL for want of memory. */
char *cs_simulation_layer_label(const cs_network *network, cs_layer_id layer);

/* Why `after` differs from `before`, both feasible: the time that each limiter decides, the energy
 * that idle power takes, parameters that became cached or streamed, activations that moved on or
 * off chip, off-chip traffic. One line, malloc'd; NULL for want of memory. */
char *cs_simulation_explain(const cs_network *network, const cs_simulation *before,
                            const cs_simulation *after);

#endif
