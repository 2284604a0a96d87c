/* The table of simulators. */
#include "sim/simulator/simulator.h"

#include <assert.h>
#include <string.h>

static const cs_simulator *const simulators[] = {
    &cs_simulator_analytic,
    &cs_simulator_event,
};

#define SIMULATOR_COUNT (sizeof simulators / sizeof simulators[0])

const cs_simulator *cs_simulator_at(size_t index)
{
    return index < SIMULATOR_COUNT ? simulators[index] : NULL;
}

const cs_simulator *cs_simulator_find(const char *name)
{
    for (size_t i = 0; i < SIMULATOR_COUNT; i++) {
        if (strcmp(simulators[i]->name, name) == 0) {
            return simulators[i];
        }
    }
    return NULL;
}

const char *cs_resource_name(cs_resource resource)
{
    static const char *const names[] = {
#define X(name, text) text,
        CS_RESOURCE_MAP(X)
#undef X
    };
    assert(resource < CS_RESOURCE_COUNT);
    return names[resource];
}
