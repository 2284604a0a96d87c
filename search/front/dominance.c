/* Dominance between objective vectors: see dominance.h. */
#include "search/front/dominance.h"

#include <string.h>

size_t cs_dominance_keep(double *rows, size_t count, const double *point, uint32_t objective_count)
{
    size_t bytes = objective_count * sizeof *rows;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const double *row = rows + i * objective_count;
        if (cs_dominance_weak(row, point, objective_count)) {
            /* No row has been thrown out: this one would have dominated it. */
            return count;
        }
        if (!cs_dominance_weak(point, row, objective_count)) {
            memmove(rows + kept++ * objective_count, row, bytes);
        }
    }
    memcpy(rows + kept * objective_count, point, bytes);
    return kept + 1;
}
