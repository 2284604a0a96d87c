/* What the benchmarks share: plans from job files of this tree, and giving up on errors. */
#ifndef CS_TESTS_BENCH_BENCH_H
#define CS_TESTS_BENCH_BENCH_H

#include "search/plan.h"

/* Give up with the error's text where a pointer is NULL or a status is not CS_OK. */
void *bench_must(void *pointer, const cs_error *error);
void bench_check(cs_status status, const cs_error *error);

/* The plan of a job file whose names are files of configs/, with overrides. The caller frees. */
cs_plan *bench_plan(const char *path, const char *const *sets, size_t set_count);

/* configs/FOLDER/NAME.conf. The caller frees. */
cs_conf *bench_conf(const char *folder, const char *name);

/* Seconds of CPU that this process has used, and of an arbitrary clock. */
double bench_cpu_s(void);
double bench_wall_s(void);

#endif
