/* Explanations: why one simulated design differs from another. */
#ifndef CS_CLIENT_EXPLANATION_H
#define CS_CLIENT_EXPLANATION_H

#include "client/simulation.h"

/* Why `after` differs from `before`, both feasible and of this network: the time of the layers that
 * each resource limits, parts of the energy, traffic, and the layers whose weights moved, whose
 * results moved on or off chip, or that are cut or ordered otherwise. One line, malloc'd; NULL for
 * want of memory. */
char *cs_explanation_of(const cs_network *network, const cs_simulation *before,
                        const cs_simulation *after);

/* Why a design cannot run: the layer and the reason. malloc'd; NULL for want of memory. */
char *cs_explanation_of_failure(const cs_network *network, const cs_schedule *schedule);

#endif
