/* The plan: a job, resolved. Everything that a search needs and nothing that changes.
 *
 * Made from a bundle, which holds all the text, so a plan opens no file. Immutable; shared by the
 * threads that evaluate. docs/jobs.md describes the job file. */
#ifndef CS_SEARCH_PLAN_H
#define CS_SEARCH_PLAN_H

#include "search/bundle.h"
#include "search/engine/engine.h"
#include "search/metric.h"
#include "search/predictor/predictor.h"
#include "search/space.h"
#include "sim/simulator/simulator.h"

/* Up to so many the hypervolume is kept exact as the front grows. */
#define CS_PLAN_MAX_OBJECTIVES 3

#define CS_PLAN_MAX_LIMITS 8
#define CS_PLAN_MAX_BATCH  4096
#define CS_PLAN_NAME_BYTES 128

/* The objective in [0, 1] terms: (value - ideal) / (reference - ideal), which is minimised whatever
 * the metric's direction. The hypervolume is the share of the box from ideal to reference. */
typedef struct cs_objective {
    cs_metric_id metric;
    uint32_t slot; /* of the metric in a candidate's row */
    double reference, ideal;
} cs_objective;

/* Violation of a limit is the excess over its bound as a share of the bound (of 1 for a zero
 * bound); a candidate's violation is the sum over its limits. */
typedef struct cs_limit {
    cs_metric_id metric;
    uint32_t slot;
    double min, max; /* -INFINITY, INFINITY: not given */
} cs_limit;

typedef struct cs_plan {
    char name[CS_PLAN_NAME_BYTES];
    uint64_t seed;
    uint64_t evaluations; /* the budget */
    uint32_t batch;       /* candidates a generation */
    bool keep_all;        /* store rows of all candidates, else of front members */

    cs_space *space;
    cs_predictor *predictor; /* NULL where no metric needs one */
    cs_accelerator baseline;
    double baseline_area_mm2;
    cs_technology technology;
    const cs_simulator *simulator;

    cs_metric_id metrics[CS_METRIC_COUNT]; /* slot -> metric */
    uint32_t metric_count;
    cs_objective objectives[CS_PLAN_MAX_OBJECTIVES];
    uint32_t objective_count;
    cs_limit limits[CS_PLAN_MAX_LIMITS];
    uint32_t limit_count;

    const cs_engine_class *engine;
    cs_conf *conf; /* the job text; engine options are read from it */

    cs_hash bundle_hash;
    const char *recalled[CS_BUNDLE_MAX_FILES]; /* names of files that rest on recalled values */
    uint32_t recalled_count;
} cs_plan;

/* Resolve a bundle. Every mistake in it is refused with file, line and reason. NULL on failure. */
cs_plan *cs_plan_new(const cs_bundle *bundle, cs_error *err);
void cs_plan_free(cs_plan *plan);

/* An engine for this plan; `problem` is filled in and must live as long as the engine. */
cs_engine *cs_plan_engine(const cs_plan *plan, cs_engine_problem *problem, cs_error *err);

#endif
