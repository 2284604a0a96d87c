/* Every operation by its definition, on whole tensors: plain loops that know nothing of tiles,
 * memories or schedules, for the executor to be held against. */
#ifndef CS_SIM_EXECUTOR_REFERENCE_H
#define CS_SIM_EXECUTOR_REFERENCE_H

#include "sim/executor/values.h"
#include "sim/network/network.h"

/* Compute the result of every layer: tensors[i], for each layer of the network in its order, has
 * room for the elements of layer i's output, row by row, column by column, channel by channel.
 * Fails for want of memory alone. */
CS_MUST_CHECK cs_status cs_reference_run(const cs_network *network, const cs_values *values,
                                         int8_t *const *tensors, cs_error *err);

#endif
