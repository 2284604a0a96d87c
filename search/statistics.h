/* How well one row of numbers predicts another.
 *
 * Sums have a fixed order, so the same numbers give the same bits everywhere. All numbers are
 * finite, and count >= 2. */
#ifndef CS_SEARCH_STATISTICS_H
#define CS_SEARCH_STATISTICS_H

#include "base/status.h"

#include <stddef.h>

/* 1 - residual sum of squares / total sum of squares about the mean of `truth`; at most 1, and
 * negative where the mean would have predicted better. -INFINITY (or 1, if nothing is wrong) where
 * all of `truth` is equal. */
double cs_r2(const double *truth, const double *predicted, size_t count);

double cs_mean_absolute_error(const double *truth, const double *predicted, size_t count);

/* Kendall's tau-b, which allows for ties, in O(n log n) (Knight 1966, "A Computer Method for
 * Calculating Kendall's Tau with Ungrouped Data"). 0 where all of a or all of b is equal. Fails for
 * want of memory. */
CS_MUST_CHECK cs_status cs_kendall_tau_b(const double *a, const double *b, size_t count,
                                         double *tau, cs_error *err);

/* Spearman's rho: the correlation of the ranks, ties getting their mean rank. 0 where all of a or
 * all of b is equal. Fails for want of memory. */
CS_MUST_CHECK cs_status cs_spearman_rho(const double *a, const double *b, size_t count, double *rho,
                                        cs_error *err);

#endif
