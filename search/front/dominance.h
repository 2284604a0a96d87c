/* Dominance between objective vectors, all minimised. */
#ifndef CS_SEARCH_FRONT_DOMINANCE_H
#define CS_SEARCH_FRONT_DOMINANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `a` is nowhere worse than `b`; so it is when they are equal. */
static inline bool cs_dominance_weak(const double *a, const double *b, uint32_t objective_count)
{
    for (uint32_t j = 0; j < objective_count; j++) {
        if (a[j] > b[j]) {
            return false;
        }
    }
    return true;
}

/* Add `point` to `count` rows of which none weakly dominates another, and keep that so: it is left
 * out if a row weakly dominates it, and throws out what it weakly dominates. `rows` has room for
 * one more. Returns the new count. */
size_t cs_dominance_keep(double *rows, size_t count, const double *point, uint32_t objective_count);

#endif
