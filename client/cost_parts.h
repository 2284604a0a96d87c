/* Costs by their parts, as tables and explanations call them: time of resources, energy, traffic.
 *
 * Each group is a row of columns with keys for CSV and JSON ("link_in_ms", "core_energy_mj",
 * "ring_bytes"). A part that the simulators add appears in all of them by its name. */
#ifndef CS_CLIENT_COST_PARTS_H
#define CS_CLIENT_COST_PARTS_H

#include "client/table.h"
#include "sim/simulator/simulator.h"

#include <stddef.h>

#define CS_ENERGY_PART_COUNT  7u
#define CS_TRAFFIC_PART_COUNT 11u

const char *cs_energy_part_name(size_t part); /* "compute", "core" ... */
double cs_energy_part_j(const cs_energy *energy, size_t part);

const char *cs_traffic_part_name(size_t part); /* "operations", then bytes: "link in" ... */
uint64_t cs_traffic_part(const cs_traffic *traffic, size_t part);

/* A column for each resource; the keys are its name and `suffix`, the headings its name in
 * capitals. Those in `people` (1u << cs_resource) are in tables for people, too, if the terminal
 * has room. */
void cs_cost_add_resources(cs_table *table, const char *suffix, unsigned people);

/* Fill those with values times `unit`; NULL: with nothing. */
void cs_cost_put_resources(cs_table *table, const double *values, double unit);

/* The same of energy in mJ and of traffic, in CSV and JSON alone. NULL: nothing. */
void cs_cost_add_energy(cs_table *table);
void cs_cost_put_energy(cs_table *table, const cs_energy *energy);
void cs_cost_add_traffic(cs_table *table);
void cs_cost_put_traffic(cs_table *table, const cs_traffic *traffic);

#endif
