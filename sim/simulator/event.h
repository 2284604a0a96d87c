/* The instructions of a schedule as the simulator `event` times them, for those who draw them.
 * docs/simulators.md says what each waits for. */
#ifndef CS_SIM_SIMULATOR_EVENT_H
#define CS_SIM_SIMULATOR_EVENT_H

#include "sim/simulator/simulator.h"

/* One instruction, or several equal ones in a row. Seconds from the start of the first sample. */
typedef struct cs_event {
    cs_resource resource;
    cs_layer_id layer;
    const char *what; /* static: "upload", "weights", "fill", "compute" ... */
    double start_s, end_s;
    uint32_t strip, pass; /* that it begins in */
    uint64_t fill, fills; /* the first of the step's fills and how many; 0, 0: about no fills */
    uint64_t bytes;       /* over the link, else 0 */
} cs_event;

typedef struct cs_event_sink {
    void (*take)(void *context, const cs_event *event);
    void *context;
} cs_event_sink;

/* A layer's time is told in at most this many parts for every kind of instruction, fewer in a
 * network of many layers: CS_EVENT_PARTS / layers, 16 at least. */
#define CS_EVENT_PARTS     32768u
#define CS_EVENT_MIN_PARTS 16u

/* Tell all instructions of one sample, layer by layer, those of each resource in the order in which
 * it serves them. Weights that are brought ahead belong to the layer that uses them. */
void cs_event_tell(const cs_network *network, const cs_accelerator *accelerator,
                   const cs_schedule *schedule, const cs_event_sink *sink);

#endif
