/* The table of layers: how each runs, what it costs and what limits it. */
#ifndef CS_CLIENT_LAYER_TABLE_H
#define CS_CLIENT_LAYER_TABLE_H

#include "client/simulation.h"
#include "client/table.h"

/* Without rows; NULL for want of memory. */
cs_table *cs_layer_table_new(void);

/* Add a row for each layer of a feasible design, which `label` names, but the inputs that take no
 * time. */
void cs_layer_table_add(cs_table *table, const char *label, const cs_network *network,
                        const cs_simulation *simulation);

#endif
