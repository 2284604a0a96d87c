/* Choosing well spread points of a front to show.
 *
 * A point is `dimensions` numbers to be minimised. A value that is not finite counts as the worst.
 */
#ifndef CS_CLIENT_SPREAD_H
#define CS_CLIENT_SPREAD_H

#include "base/status.h"

#include <stddef.h>

/* The points' rows sorted by their first objective, then the others, then the row: order[rank] is a
 * row. `order` has room for count. */
void cs_spread_sort(const double *points, size_t count, size_t dimensions, size_t *order);

/* Choose `limit` of the points in `order` (all, if there are no more): those that are best in an
 * objective first, then, with objectives scaled to their ranges, always the point farthest from
 * the chosen ones (Gonzalez 1985), of equals the first in order. chosen[] are places in `order`,
 * rising, *chosen_count of them; there is room for `limit`. Fails for want of memory. */
CS_MUST_CHECK cs_status cs_spread_choose(const double *points, const size_t *order, size_t count,
                                         size_t dimensions, size_t limit, size_t *chosen,
                                         size_t *chosen_count, cs_error *err);

#endif
