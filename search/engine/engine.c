/* The table of engine classes: see engine.h. */
#include "search/engine/engine.h"

#include <string.h>

const cs_engine_class *const cs_engine_classes[] = {
    &cs_engine_nsga2,
    &cs_engine_random,
    NULL,
};

const cs_engine_class *cs_engine_find(const char *name)
{
    for (const cs_engine_class *const *class = cs_engine_classes; *class; class ++) {
        if (strcmp((*class)->name, name) == 0) {
            return *class;
        }
    }
    return NULL;
}
