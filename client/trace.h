/* Traces of a simulation, for Perfetto (ui.perfetto.dev) and chrome://tracing. */
#ifndef CS_CLIENT_TRACE_H
#define CS_CLIENT_TRACE_H

#include "base/status.h"
#include "sim/accelerator/accelerator.h"
#include "sim/compiler/schedule.h"
#include "sim/network/network.h"

/* Write what the simulator `event` tells of one sample as Chrome trace events in JSON: a track for
 * the layers and one for every resource; microseconds; layer, strip, pass, fills and bytes as
 * arguments. The schedule is feasible and of this network and accelerator. The file is there whole
 * or not at all; CS_EIO and the like name it. */
CS_MUST_CHECK cs_status cs_trace_write(const char *path, const cs_network *network,
                                       const cs_accelerator *accelerator,
                                       const cs_schedule *schedule, cs_error *err);

#endif
