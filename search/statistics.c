/* How well one row of numbers predicts another: see statistics.h. */
#include "search/statistics.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct pair {
    double a, b;
} pair;

/* By a, then by b. */
static int compare_pairs(const void *left, const void *right)
{
    const pair *x = left, *y = right;
    if (x->a != y->a) {
        return x->a < y->a ? -1 : 1;
    }
    return (x->b > y->b) - (x->b < y->b);
}

static uint64_t pairs_of(uint64_t count)
{
    return count * (count - 1) / 2;
}

/* Sort by merging and count how many pairs stood in the wrong order. */
static uint64_t sort_and_count(double *values, double *scratch, size_t count)
{
    uint64_t inversions = 0;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low + width < count; low += 2 * width) {
            size_t middle = low + width;
            size_t high = middle + width < count ? middle + width : count;
            size_t left = low, right = middle, out = low;
            while (left < middle && right < high) {
                if (values[right] < values[left]) {
                    inversions += middle - left;
                    scratch[out++] = values[right++];
                } else {
                    scratch[out++] = values[left++];
                }
            }
            while (left < middle) {
                scratch[out++] = values[left++];
            }
            for (size_t i = low; i < out; i++) {
                values[i] = scratch[i];
            }
        }
    }
    return inversions;
}

double cs_r2(const double *truth, const double *predicted, size_t count)
{
    assert(count >= 2);
    double sum = 0, residual = 0, total = 0;
    for (size_t i = 0; i < count; i++) {
        sum += truth[i];
    }
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        residual += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
        total += (truth[i] - mean) * (truth[i] - mean);
    }
    if (total == 0) {
        return residual == 0 ? 1 : -INFINITY;
    }
    return 1 - residual / total;
}

double cs_mean_absolute_error(const double *truth, const double *predicted, size_t count)
{
    assert(count >= 2);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += fabs(truth[i] - predicted[i]);
    }
    return sum / (double)count;
}

cs_status cs_kendall_tau_b(const double *a, const double *b, size_t count, double *tau,
                           cs_error *err)
{
    assert(count >= 2);
    pair *pairs = malloc(count * sizeof *pairs);
    double *second = malloc(2 * count * sizeof *second);
    if (!pairs || !second) {
        free(pairs);
        free(second);
        return cs_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        pairs[i] = (pair){.a = a[i], .b = b[i]};
    }
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    /* Pairs tied in a, in b and in both. */
    uint64_t tied_a = 0, tied_b = 0, tied_both = 0, run_a = 1, run_both = 1;
    for (size_t i = 0; i < count; i++) {
        second[i] = pairs[i].b;
        if (i > 0) {
            bool same_a = pairs[i].a == pairs[i - 1].a;
            bool same_both = same_a && pairs[i].b == pairs[i - 1].b;
            tied_a += same_a ? run_a : 0;
            tied_both += same_both ? run_both : 0;
            run_a = same_a ? run_a + 1 : 1;
            run_both = same_both ? run_both + 1 : 1;
        }
    }
    uint64_t discordant = sort_and_count(second, second + count, count);
    uint64_t run_b = 1;
    for (size_t i = 1; i < count; i++) {
        bool same_b = second[i] == second[i - 1];
        tied_b += same_b ? run_b : 0;
        run_b = same_b ? run_b + 1 : 1;
    }
    free(pairs);
    free(second);
    uint64_t all = pairs_of(count);
    if (tied_a == all || tied_b == all) {
        *tau = 0;
        return CS_OK;
    }
    double decided = (double)(all - tied_a - tied_b + tied_both);
    *tau = (decided - 2.0 * (double)discordant) /
           (sqrt((double)(all - tied_a)) * sqrt((double)(all - tied_b)));
    return CS_OK;
}

/* The ranks (from 1) of `values`; ties get their mean. `order` is scratch. */
static void rank(const double *values, size_t count, pair *order, double *ranks)
{
    for (size_t i = 0; i < count; i++) {
        order[i] = (pair){.a = values[i], .b = (double)i};
    }
    qsort(order, count, sizeof *order, compare_pairs);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && order[end].a == order[first].a;) {
            end++;
        }
        for (size_t i = first; i < end; i++) {
            ranks[(size_t)order[i].b] = ((double)first + 1 + (double)end) / 2;
        }
    }
}

cs_status cs_spearman_rho(const double *a, const double *b, size_t count, double *rho,
                          cs_error *err)
{
    assert(count >= 2);
    pair *order = malloc(count * sizeof *order);
    double *ranks = malloc(2 * count * sizeof *ranks);
    if (!order || !ranks) {
        free(order);
        free(ranks);
        return cs_fail_memory(err);
    }
    rank(a, count, order, ranks);
    rank(b, count, order, ranks + count);
    double mean = ((double)count + 1) / 2, ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < count; i++) {
        double x = ranks[i] - mean, y = ranks[count + i] - mean;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    free(order);
    free(ranks);
    *rho = aa == 0 || bb == 0 ? 0 : ab / (sqrt(aa) * sqrt(bb));
    return CS_OK;
}
