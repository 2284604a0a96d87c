/* Energy: see energy.h. */
#include "sim/accelerator/energy.h"

#include <math.h>

double cs_sram_read_j_byte(const cs_technology *technology, double capacity_bytes,
                           double word_bytes)
{
    double capacity = fmax(capacity_bytes / technology->sram_capacity_bytes, 1);
    double word = fmax(word_bytes / technology->sram_word_bytes, 1);
    return technology->sram_read_j_byte * pow(capacity, technology->sram_capacity_exponent) *
           pow(word, technology->sram_word_exponent - 1);
}

cs_energy_rates cs_energy_rates_of(const cs_accelerator *accelerator,
                                   const cs_technology *technology)
{
    double supply =
        cs_technology_voltage(technology, accelerator->clock_mhz) / technology->voltage_nominal_v;
    double dynamic = supply * supply;
    double lanes = accelerator->lanes_per_core;
    double word = lanes * accelerator->simd_ways;
    double core_read =
        dynamic * cs_sram_read_j_byte(technology, (double)accelerator->core_memory_bytes, word);
    double wide_read =
        dynamic * cs_sram_read_j_byte(technology, (double)accelerator->pe_memory_bytes, word);
    double narrow_read =
        accelerator->narrow_memory_bytes > 0
            ? dynamic *
                  cs_sram_read_j_byte(technology, (double)accelerator->narrow_memory_bytes, lanes)
            : wide_read;
    double write_ratio = technology->sram_write_ratio;
    double hop_j_byte =
        dynamic * technology->wire_j_byte_mm * cs_pe_side_mm(accelerator, technology);
    double hops = (double)accelerator->pes_x * accelerator->pes_y;
    double dram_write = technology->dram_read_j_byte * technology->dram_write_ratio;
    return (cs_energy_rates){
        .operation_j =
            dynamic * (technology->mac_j + technology->register_j + technology->control_j),
        .core_read_j_byte = core_read,
        .core_write_j_byte = core_read * write_ratio,
        .narrow_read_j_byte = narrow_read,
        .narrow_write_j_byte = narrow_read * write_ratio,
        .wide_read_j_byte = wide_read,
        .wide_write_j_byte = wide_read * write_ratio,
        .ring_j_byte = hop_j_byte * hops,
        .mesh_j_byte = hop_j_byte,
        .link_in_j_byte = technology->link_j_byte + technology->dram_read_j_byte,
        .link_out_j_byte = technology->link_j_byte + dram_write,
        .idle_power_w = cs_idle_power_w(accelerator, technology),
    };
}

cs_energy cs_energy_of(const cs_energy_rates *rates, const cs_traffic *traffic, double latency_s)
{
    return (cs_energy){
        .compute_j = (double)traffic->operations * rates->operation_j,
        .core_j = (double)traffic->core_read_bytes * rates->core_read_j_byte +
                  (double)traffic->core_write_bytes * rates->core_write_j_byte,
        .narrow_j = (double)traffic->narrow_read_bytes * rates->narrow_read_j_byte +
                    (double)traffic->narrow_write_bytes * rates->narrow_write_j_byte,
        .wide_j = (double)traffic->wide_read_bytes * rates->wide_read_j_byte +
                  (double)traffic->wide_write_bytes * rates->wide_write_j_byte,
        .network_j = (double)traffic->ring_bytes * rates->ring_j_byte +
                     (double)traffic->mesh_bytes * rates->mesh_j_byte,
        .link_j = (double)traffic->link_in_bytes * rates->link_in_j_byte +
                  (double)traffic->link_out_bytes * rates->link_out_j_byte,
        .idle_j = rates->idle_power_w * latency_s,
    };
}

double cs_energy_total(const cs_energy *energy)
{
    return energy->compute_j + energy->core_j + energy->narrow_j + energy->wide_j +
           energy->network_j + energy->link_j + energy->idle_j;
}
