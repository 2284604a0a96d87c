/* Choosing well spread points: see spread.h. */
#include "client/spread.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct sort_context {
    const double *points;
    size_t dimensions;
} sort_context;

static int compare_rows(const void *a, const void *b, void *payload)
{
    const sort_context *context = payload;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    for (size_t d = 0; d < context->dimensions; d++) {
        double vx = context->points[x * context->dimensions + d];
        double vy = context->points[y * context->dimensions + d];
        vx = isfinite(vx) ? vx : INFINITY;
        vy = isfinite(vy) ? vy : INFINITY;
        if (vx != vy) {
            return vx < vy ? -1 : 1;
        }
    }
    return (x > y) - (x < y);
}

void cs_spread_sort(const double *points, size_t count, size_t dimensions, size_t *order)
{
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    sort_context context = {.points = points, .dimensions = dimensions};
    qsort_r(order, count, sizeof *order, compare_rows, &context);
}

/* Fill `scaled` with the points in order, each objective from 0 (best) to 1 (worst finite). */
static void scale_points(const double *points, const size_t *order, size_t count, size_t dimensions,
                         double *scaled)
{
    for (size_t d = 0; d < dimensions; d++) {
        double low = INFINITY, high = -INFINITY;
        for (size_t i = 0; i < count; i++) {
            double value = points[i * dimensions + d];
            if (isfinite(value)) {
                low = value < low ? value : low;
                high = value > high ? value : high;
            }
        }
        double range = high > low ? high - low : 1;
        for (size_t i = 0; i < count; i++) {
            double value = points[order[i] * dimensions + d];
            scaled[i * dimensions + d] = isfinite(value) ? (value - low) / range : 1;
        }
    }
}

typedef struct selection {
    const double *scaled;
    size_t count, dimensions;
    double *distance; /* squared, to the nearest chosen point; negative: chosen */
    size_t chosen_count;
} selection;

static void pick(selection *picking, size_t place)
{
    const double *center = picking->scaled + place * picking->dimensions;
    for (size_t i = 0; i < picking->count; i++) {
        const double *point = picking->scaled + i * picking->dimensions;
        double sum = 0;
        for (size_t d = 0; d < picking->dimensions; d++) {
            sum += (point[d] - center[d]) * (point[d] - center[d]);
        }
        if (sum < picking->distance[i]) {
            picking->distance[i] = sum;
        }
    }
    picking->distance[place] = -1;
    picking->chosen_count++;
}

static bool is_chosen(const selection *picking, size_t place)
{
    return picking->distance[place] < 0;
}

cs_status cs_spread_choose(const double *points, const size_t *order, size_t count,
                           size_t dimensions, size_t limit, size_t *chosen, size_t *chosen_count,
                           cs_error *err)
{
    double *scaled = calloc(count + 1, (dimensions + 1) * sizeof *scaled);
    double *distance = calloc(count + 1, sizeof *distance);
    if (!scaled || !distance) {
        free(scaled);
        free(distance);
        return cs_fail_memory(err);
    }
    scale_points(points, order, count, dimensions, scaled);
    for (size_t i = 0; i < count; i++) {
        distance[i] = INFINITY;
    }
    selection picking = {
        .scaled = scaled, .count = count, .dimensions = dimensions, .distance = distance};
    for (size_t d = 0; d < dimensions && count > 0 && picking.chosen_count < limit; d++) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++) {
            best = scaled[i * dimensions + d] < scaled[best * dimensions + d] ? i : best;
        }
        if (!is_chosen(&picking, best)) {
            pick(&picking, best);
        }
    }
    while (picking.chosen_count < limit && picking.chosen_count < count) {
        size_t farthest = 0;
        for (size_t i = 1; i < count; i++) {
            farthest = distance[i] > distance[farthest] ? i : farthest;
        }
        pick(&picking, farthest);
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_chosen(&picking, i)) {
            chosen[at++] = i;
        }
    }
    *chosen_count = at;
    free(scaled);
    free(distance);
    return CS_OK;
}
