/* Jobs that tests of plans, studies and evaluation and fuzz targets run. What goes wrong here ends
 * the program with what was missing. */
#ifndef TESTS_SEARCH_JOB_H
#define TESTS_SEARCH_JOB_H

#include "search/plan.h"

/* configs/jobs/imagenet-edge.conf with the files it names. */
cs_bundle job_imagenet(void);

/* A job on a space of 72 points, some of which cannot run and some of which are over the limit:
 * text "job.conf", a key a line; files "net", "acc", "base", "tech" and "weights". */
cs_bundle job_tiny(void);
#define JOB_TINY_POINTS 72

/* Add an override. */
void job_set(cs_bundle *bundle, const char *set);

/* Replace the first `from` in a file of the bundle, or in the job text where `file` is NULL. */
void job_edit(cs_bundle *bundle, const char *file, const char *from, const char *to);

/* Take a file out of the bundle. */
void job_drop(cs_bundle *bundle, const char *file);

/* The plan of a bundle, which is released. */
cs_plan *job_plan(cs_bundle *bundle);

#endif
