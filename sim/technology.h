/* The technology: what one access, one operation and one square millimetre cost at a node.
 *
 * A plain value read from configs/technology/; each number in the file has its provenance. */
#ifndef CS_SIM_TECHNOLOGY_H
#define CS_SIM_TECHNOLOGY_H

#include "base/conf.h"
#include "sim/accelerator.h"

typedef struct cs_technology {
    double node_nm;
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

/* Read a technology file: kind = "technology"; values = ( { name = "mac_j"; value = ...; provenance
 * = "..." } ... ), every field exactly once. *recalled as in cs_accelerator_read. */
CS_MUST_CHECK cs_status cs_technology_read(cs_conf_node file, cs_technology *technology,
                                           bool *recalled, cs_error *err);

/* Chip area; every resource of the accelerator enlarges it. */
double cs_area_mm2(const cs_accelerator *accelerator, const cs_technology *technology);

#endif
