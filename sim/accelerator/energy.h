/* Energy: what the traffic of a network or a layer costs on an accelerator.
 *
 * The rates of an accelerator are worked out once; after that, an energy is a dozen products. */
#ifndef CS_SIM_ENERGY_H
#define CS_SIM_ENERGY_H

#include "sim/accelerator/accelerator.h"
#include "sim/accelerator/technology.h"

#include <stdint.h>

/* Bytes over the whole chip, in one inference or layer. */
typedef struct cs_traffic {
    uint64_t operations;                        /* int8 multiply-accumulates, or elementwise */
    uint64_t link_in_bytes, link_out_bytes;     /* off-chip */
    uint64_t ring_bytes;                        /* weights from the PE that holds them to all PEs;
                                                   a byte counts once, whoever takes it */
    uint64_t mesh_bytes;                        /* activations, a byte for each hop */
    uint64_t wide_read_bytes, wide_write_bytes; /* PE memory */
    uint64_t narrow_read_bytes, narrow_write_bytes; /* activation memory of a PE, or PE memory where
                                                       it has none */
    uint64_t core_read_bytes, core_write_bytes;     /* parameter memory of a core */
} cs_traffic;

typedef struct cs_energy {
    double compute_j;
    double core_j;
    double narrow_j;
    double wide_j;
    double network_j; /* ring and mesh */
    double link_j;    /* and what is behind it */
    double idle_j;    /* leakage, and the link's own */
} cs_energy;

/* Of one accelerator at its clock. */
typedef struct cs_energy_rates {
    double operation_j;
    double core_read_j_byte, core_write_j_byte;
    double narrow_read_j_byte, narrow_write_j_byte;
    double wide_read_j_byte, wide_write_j_byte;
    double ring_j_byte, mesh_j_byte;
    double link_in_j_byte, link_out_j_byte;
    double idle_power_w;
} cs_energy_rates;

/* Words of the memories: a core reads a weight for every lane and way, which is also what comes
 * from PE memory at a time; a byte for every lane leaves or enters activation memory. */
cs_energy_rates cs_energy_rates_of(const cs_accelerator *accelerator,
                                   const cs_technology *technology);

cs_energy cs_energy_of(const cs_energy_rates *rates, const cs_traffic *traffic, double latency_s);

double cs_energy_total(const cs_energy *energy);

/* A byte read from an SRAM at the nominal supply: an access grows with the square root of the
 * capacity, about, and with less than its word. Neither below the memory of the source. */
double cs_sram_read_j_byte(const cs_technology *technology, double capacity_bytes,
                           double word_bytes);

#endif
