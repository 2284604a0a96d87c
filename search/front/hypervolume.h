/* Exact hypervolume of a set of points (minimised) up to a reference point.
 *
 * Two and three objectives by sweeping (Beume et al. 2009 for three, O(n log n)), more by WFG
 * (While, Bradstreet, Barone 2012). Points that do not dominate the reference count for nothing. */
#ifndef CS_SEARCH_FRONT_HYPERVOLUME_H
#define CS_SEARCH_FRONT_HYPERVOLUME_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* `points` is count x objective_count, row by row; order does not matter to the result beyond
 * rounding, and the same order gives the same bits. Fails for want of memory. */
CS_MUST_CHECK cs_status cs_hypervolume(const double *points, size_t count, uint32_t objective_count,
                                       const double *reference, double *volume, cs_error *err);

/* The volume that `point` dominates and none of `points` does. */
CS_MUST_CHECK cs_status cs_hypervolume_exclusive(const double *point, const double *points,
                                                 size_t count, uint32_t objective_count,
                                                 const double *reference, double *volume,
                                                 cs_error *err);

#endif
