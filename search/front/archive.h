/* The archive: all non-dominated feasible points found so far, without bound.
 *
 * Objectives are minimised. A point weakly dominated by a member (no better anywhere) is not
 * taken, so of two equal points the first stays. The archive holds objective vectors and the
 * caller's 64-bit index of the candidate. Its content is a function of the points offered, in
 * their order. Insertion stays fast on fronts of tens of thousands (measured in bench engines). */
#ifndef CS_SEARCH_FRONT_ARCHIVE_H
#define CS_SEARCH_FRONT_ARCHIVE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cs_archive cs_archive;

/* `reference` has objective_count values, the point up to which volume counts; it is a constant of
 * the job. NULL for want of memory. */
cs_archive *cs_archive_new(uint32_t objective_count, const double *reference);
void cs_archive_free(cs_archive *archive);

/* Offer a point. *entered says whether it is a member now. The indices of members that it threw
 * out are appended to the list that cs_archive_removed gives, in rising order for one offer. Fails
 * for want of memory, and then leaves the archive as it was. */
CS_MUST_CHECK cs_status cs_archive_offer(cs_archive *archive, const double *objectives,
                                         uint64_t index, bool *entered, cs_error *err);

/* Members thrown out since the last cs_archive_forget_removed. Valid until the next call. */
const uint64_t *cs_archive_removed(const cs_archive *archive, size_t *count);
void cs_archive_forget_removed(cs_archive *archive);

size_t cs_archive_count(const cs_archive *archive);

/* The members' indices in rising order, into room for cs_archive_count. */
void cs_archive_indices(const cs_archive *archive, uint64_t *indices);

/* Hypervolume that the members dominate, up to the reference, as a share of the box from `ideal` to
 * the reference is the caller's business: this is the plain volume. Exact; kept up to date by the
 * exclusive contribution of each entering point for up to three objectives, computed from the
 * members on call for more (NAN for want of memory). Its bits are a function of the points that
 * entered, in their order, so offering only those again gives the same. */
double cs_archive_hypervolume(const cs_archive *archive);

#endif
