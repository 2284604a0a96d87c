/* Costs by their parts: see cost_parts.h. */
#include "client/cost_parts.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset; /* of a double in cs_energy */
} energy_parts[] = {
    {"compute", offsetof(cs_energy, compute_j)}, {"core", offsetof(cs_energy, core_j)},
    {"narrow", offsetof(cs_energy, narrow_j)},   {"wide", offsetof(cs_energy, wide_j)},
    {"network", offsetof(cs_energy, network_j)}, {"link", offsetof(cs_energy, link_j)},
    {"idle", offsetof(cs_energy, idle_j)},
};

static const struct {
    const char *name, *key;
    size_t offset; /* of a uint64_t in cs_traffic */
} traffic_parts[] = {
    {"operations", "operations", offsetof(cs_traffic, operations)},
    {"link in", "link_in_bytes", offsetof(cs_traffic, link_in_bytes)},
    {"link out", "link_out_bytes", offsetof(cs_traffic, link_out_bytes)},
    {"ring", "ring_bytes", offsetof(cs_traffic, ring_bytes)},
    {"mesh", "mesh_bytes", offsetof(cs_traffic, mesh_bytes)},
    {"wide read", "wide_read_bytes", offsetof(cs_traffic, wide_read_bytes)},
    {"wide written", "wide_write_bytes", offsetof(cs_traffic, wide_write_bytes)},
    {"narrow read", "narrow_read_bytes", offsetof(cs_traffic, narrow_read_bytes)},
    {"narrow written", "narrow_write_bytes", offsetof(cs_traffic, narrow_write_bytes)},
    {"core read", "core_read_bytes", offsetof(cs_traffic, core_read_bytes)},
    {"core written", "core_write_bytes", offsetof(cs_traffic, core_write_bytes)},
};

/* No part is left out, and none is counted twice. */
_Static_assert(sizeof energy_parts / sizeof energy_parts[0] == CS_ENERGY_PART_COUNT &&
                   sizeof(cs_energy) == CS_ENERGY_PART_COUNT * sizeof(double),
               "a name for each part of the energy");
_Static_assert(sizeof traffic_parts / sizeof traffic_parts[0] == CS_TRAFFIC_PART_COUNT &&
                   sizeof(cs_traffic) == CS_TRAFFIC_PART_COUNT * sizeof(uint64_t),
               "a name for each part of the traffic");

const char *cs_energy_part_name(size_t part)
{
    assert(part < CS_ENERGY_PART_COUNT);
    return energy_parts[part].name;
}

double cs_energy_part_j(const cs_energy *energy, size_t part)
{
    assert(part < CS_ENERGY_PART_COUNT);
    double value;
    memcpy(&value, (const char *)energy + energy_parts[part].offset, sizeof value);
    return value;
}

const char *cs_traffic_part_name(size_t part)
{
    assert(part < CS_TRAFFIC_PART_COUNT);
    return traffic_parts[part].name;
}

uint64_t cs_traffic_part(const cs_traffic *traffic, size_t part)
{
    assert(part < CS_TRAFFIC_PART_COUNT);
    uint64_t value;
    memcpy(&value, (const char *)traffic + traffic_parts[part].offset, sizeof value);
    return value;
}

void cs_cost_add_resources(cs_table *table, const char *suffix, unsigned people)
{
    for (cs_resource r = 0; r < CS_RESOURCE_COUNT; r++) {
        char key[64], heading[64];
        snprintf(key, sizeof key, "%s%s", cs_resource_name(r), suffix);
        snprintf(heading, sizeof heading, "%s", cs_resource_name(r));
        for (char *p = key; *p; p++) {
            *p = *p == ' ' ? '_' : *p;
        }
        for (char *p = heading; *p; p++) {
            *p = (char)toupper((unsigned char)*p);
        }
        bool shown = people >> r & 1;
        cs_table_add_column(table, key, heading,
                            shown ? CS_COLUMN_BOTH | CS_COLUMN_SPARE : CS_COLUMN_DATA);
    }
}

void cs_cost_put_resources(cs_table *table, const double *values, double unit)
{
    for (cs_resource r = 0; r < CS_RESOURCE_COUNT; r++) {
        if (values) {
            cs_table_put_real(table, values[r] * unit);
        } else {
            cs_table_put_nothing(table);
        }
    }
}

void cs_cost_add_energy(cs_table *table)
{
    for (size_t i = 0; i < CS_ENERGY_PART_COUNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s_energy_mj", energy_parts[i].name);
        cs_table_add_column(table, key, key, CS_COLUMN_DATA);
    }
}

void cs_cost_put_energy(cs_table *table, const cs_energy *energy)
{
    for (size_t i = 0; i < CS_ENERGY_PART_COUNT; i++) {
        if (energy) {
            cs_table_put_real(table, cs_energy_part_j(energy, i) * 1e3);
        } else {
            cs_table_put_nothing(table);
        }
    }
}

void cs_cost_add_traffic(cs_table *table)
{
    for (size_t i = 0; i < CS_TRAFFIC_PART_COUNT; i++) {
        cs_table_add_column(table, traffic_parts[i].key, traffic_parts[i].key, CS_COLUMN_DATA);
    }
}

void cs_cost_put_traffic(cs_table *table, const cs_traffic *traffic)
{
    for (size_t i = 0; i < CS_TRAFFIC_PART_COUNT; i++) {
        if (traffic) {
            cs_table_put_count(table, cs_traffic_part(traffic, i));
        } else {
            cs_table_put_nothing(table);
        }
    }
}
