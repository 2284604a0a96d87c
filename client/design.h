/* Designs as rows: what a job's schema makes of candidates for people and for programs. */
#ifndef CS_CLIENT_DESIGN_H
#define CS_CLIENT_DESIGN_H

#include "client/candidates.h"
#include "client/table.h"

/* Rows of a front that a table for people shows, unless all are asked for. */
#define CS_DESIGN_SHOWN 40

/* The schema describes itself without contradiction: one byte of genome a gene, choices to each
 * gene. Asked once for every detail that a server sends. */
CS_MUST_CHECK cs_status cs_design_check(const Codesign__JobDetail *detail, cs_error *err);

/* Print a front, sorted by the first objective and numbered from rank 1. For people at most `limit`
 * well spread rows of it (0: all), in CSV and JSON always all of them. */
CS_MUST_CHECK cs_status cs_design_print_front(const Codesign__JobDetail *detail,
                                              const cs_candidates *front, size_t limit,
                                              cs_format format, FILE *stream, size_t width,
                                              cs_error *err);

/* Print candidates in the order of their indices, with what became of each. */
CS_MUST_CHECK cs_status cs_design_print_candidates(const Codesign__JobDetail *detail,
                                                   const cs_candidates *candidates,
                                                   cs_format format, FILE *stream, size_t width,
                                                   cs_error *err);

/* Print what a reader of such a table has to know: what the metrics are, how the compact columns
 * are to be read, and what the figures rest on. */
void cs_design_print_legend(const Codesign__JobDetail *detail, FILE *stream);

/* The note that results rest on recalled constants, or that they mix revisions of the simulator: a
 * line each, nothing where neither is so. */
void cs_design_print_caveats(const Codesign__JobDetail *detail, FILE *stream);

#endif
