/* The technology: what one access, one operation and one square millimetre cost at a node.
 *
 * A plain value read from configs/technology/; each number in the file has its provenance. */
#ifndef CS_SIM_TECHNOLOGY_H
#define CS_SIM_TECHNOLOGY_H

#include "base/conf.h"
#include "sim/accelerator/accelerator.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cs_technology {
    double node_nm;
    double clock_nominal_mhz; /* at which the energies and leakages below hold */
    double voltage_nominal_v;
    double voltage_v_ghz;           /* supply that each GHz beyond the nominal clock needs */
    double voltage_min_v;           /* below which a slower clock saves nothing */
    double mac_j;                   /* one int8 multiply-accumulate */
    double core_memory_read_j_byte; /* SRAM of about 32 KB */
    double core_memory_write_j_byte;
    double pe_memory_read_j_byte; /* SRAM of about 2 MB */
    double pe_memory_write_j_byte;
    double dram_read_j_byte; /* off-chip, link included */
    double dram_write_j_byte;
    double mac_area_mm2; /* one MAC with its registers */
    double sram_area_mm2_byte;
    double pe_area_mm2;        /* fixed part of a PE: control, routing */
    double link_area_mm2_gbps; /* PHY and controller, for each GB/s */
    double base_area_mm2;      /* fixed part of the chip */
    double logic_leakage_w_mm2;
    double sram_leakage_w_mm2;
    double link_power_w_gbps; /* idle and training power of the link, for each GB/s */
} cs_technology;

/* Read a technology file: kind = "technology"; source = "..."; values = ( { name = "mac_j"; value =
 * ...; provenance = "..." } ... ), every field exactly once, `source` may be absent. *recalled as
 * in cs_accelerator_read. */
CS_MUST_CHECK cs_status cs_technology_read(cs_conf_node file, cs_technology *technology,
                                           bool *recalled, cs_error *err);

/* Supply at a clock: nominal plus voltage_v_ghz for each GHz above it, at least voltage_min_v. */
double cs_technology_voltage(const cs_technology *technology, uint32_t clock_mhz);

/* Power that flows whether or not the chip computes, in watts: leakage, which grows with the
 * supply, and the link. */
double cs_idle_power_w(const cs_accelerator *accelerator, const cs_technology *technology);

/* Chip area; every resource of the accelerator enlarges it (a faster clock costs energy). */
double cs_area_mm2(const cs_accelerator *accelerator, const cs_technology *technology);

#endif
