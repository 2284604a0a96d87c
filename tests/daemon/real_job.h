/* A small job of short evaluations, to test with what runs and stores jobs. */
#ifndef CS_TESTS_DAEMON_REAL_JOB_H
#define CS_TESTS_DAEMON_REAL_JOB_H

#include "daemon/store.h"
#include "search/study.h"

/* The bundle of that job with overrides KEY=VALUE (ends with NULL), into an empty one. */
void real_job_bundle(cs_bundle *bundle, const char *const *sets);

/* Its plan. */
cs_plan *real_job_plan(const cs_bundle *bundle);

/* Add it to a store; returns its number. */
uint64_t real_job_add(cs_store *store, const cs_bundle *bundle);

/* The dumb twin of everything that runs jobs: a plain loop over the study, in one thread. All
 * records, each as a block, and then the last checkpoint. */
cs_buffer real_job_expected(const cs_bundle *bundle);

/* The same as a store holds them. */
cs_buffer real_job_stored(cs_store *store, uint64_t job);

#endif
