/* The technology: what one access, one operation and one square millimetre cost at a node.
 *
 * A plain value read from configs/technology/. Each number of the file has a low, a nominal and a
 * high value and its provenance; a cs_technology holds one of the three for every number, so the
 * low one is the corner where everything is cheap at once, not a likely case. Logic, SRAM and DRAM
 * scale by factors of their own from the node of their source to the node of the file. */
#ifndef CS_SIM_TECHNOLOGY_H
#define CS_SIM_TECHNOLOGY_H

#include "base/conf.h"
#include "sim/accelerator/accelerator.h"

#include <stdbool.h>
#include <stdint.h>

#define CS_TECHNOLOGY_MIN_VOLTAGES 3u
#define CS_TECHNOLOGY_MAX_VOLTAGES 16u

typedef struct cs_voltage {
    double clock_mhz;
    double supply_v; /* which that clock needs */
} cs_voltage;

/* All at node_nm and, where they follow the supply, at voltage_nominal_v. */
typedef struct cs_technology {
    double node_nm;
    double voltage_nominal_v;
    cs_voltage voltages[CS_TECHNOLOGY_MAX_VOLTAGES]; /* rising in both */
    uint32_t voltage_count;
    double mac_j;            /* one int8 multiply-accumulate, or an elementwise operation */
    double register_j;       /* its operand and sum registers */
    double control_j;        /* its share of clock tree, sequencing and operand broadcast */
    double sram_read_j_byte; /* of an SRAM of sram_capacity_bytes read sram_word_bytes at a time;
                                others by cs_sram_read_j_byte */
    double sram_write_ratio; /* a write over a read */
    double sram_capacity_bytes;
    double sram_word_bytes;
    double sram_capacity_exponent; /* an access costs capacity to this power */
    double sram_word_exponent;     /* and its word to this one */
    double wire_j_byte_mm;         /* ring and mesh, repeaters included */
    double link_j_byte;            /* PHY of the off-chip link, this chip's end */
    double dram_read_j_byte;       /* what is behind the link */
    double dram_write_ratio;       /* a write over a read */
    double mac_area_mm2;           /* one multiplier and adder */
    double mac_area_overhead;      /* registers, clock, wiring and whitespace: times that area */
    double core_area_mm2;          /* fixed part of a core: sequencing, requantisation */
    double pe_area_mm2;            /* fixed part of a PE: control, routers */
    double sram_bit_area_mm2;      /* the bit cell */
    double sram_area_overhead;     /* decoders, sense amplifiers, spares: times that area */
    double link_area_mm2_gbps;     /* PHY and controller, for each GB/s and direction pair */
    double base_area_mm2;          /* fixed part of the chip */
    double logic_leakage_w_mm2;
    double sram_leakage_w_mm2;
    double link_power_w_gbps; /* idle and training power of the link, for each GB/s */
} cs_technology;

typedef enum cs_estimate {
    CS_ESTIMATE_LOW,
    CS_ESTIMATE_NOMINAL,
    CS_ESTIMATE_HIGH,
} cs_estimate;

#define CS_ESTIMATE_COUNT 3u

/* Read a technology file:
 *     kind = "technology"; source = "...";
 *     values = ( { name = "mac_j"; value = ...; low = ...; high = ...; node_nm = 45; provenance =
 *     "..."; }, ... );
 *     voltages = ( { clock_mhz = 300; value = 0.5; low = ...; high = ...; provenance = "..."; },
 *     ... );
 * with every value exactly once and low <= value <= high; node_nm, voltage_nominal_v,
 * sram_capacity_bytes and sram_word_bytes, to which others refer, have all three equal. `source`
 * may be absent, and node_nm where it makes no sense. A value whose node_nm is not that of the file
 * is multiplied by the factor of its kind (logic_energy_scale and so on), whose own node_nm has to
 * be that of the value. Clock and supply rise from one voltage to the next. *recalled as in
 * cs_accelerator_read. */
CS_MUST_CHECK cs_status cs_technology_read(cs_conf_node file, cs_technology *technology,
                                           bool *recalled, cs_error *err);

/* The same with another estimate than the nominal one. */
CS_MUST_CHECK cs_status cs_technology_read_estimate(cs_conf_node file, cs_estimate estimate,
                                                    cs_technology *technology, bool *recalled,
                                                    cs_error *err);

/* Supply at a clock: along the table; that of its slowest clock below it, and the slope of its
 * last two above it, where a clock costs its energy and nothing says that it can be reached. */
double cs_technology_voltage(const cs_technology *technology, uint32_t clock_mhz);

/* Power that flows whether or not the chip computes, in watts: leakage, which grows with the
 * supply, and the link. */
double cs_idle_power_w(const cs_accelerator *accelerator, const cs_technology *technology);

/* Chip area; every resource of the accelerator enlarges it (a faster clock costs energy). */
double cs_area_mm2(const cs_accelerator *accelerator, const cs_technology *technology);

/* Side of a PE with its memories and cores, were it square. */
double cs_pe_side_mm(const cs_accelerator *accelerator, const cs_technology *technology);

#endif
