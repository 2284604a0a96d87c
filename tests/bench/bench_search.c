/* Evaluations that evolution and random search need for the same hypervolume.
 *
 *     ./dev bench search [JOB FILE] [SEEDS]
 *
 * For each seed: the hypervolume of evolution's archive after 2,000 evaluations is the target; how
 * many evaluations did evolution and random search need to reach it? Random search stops at 40,000
 * and is then counted as needing at least that. Library only: no daemon, one thread. */
#include "search/study.h"
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVOLUTION_EVALUATIONS 2000
#define RANDOM_EVALUATIONS    40000
#define MAX_SEEDS             1000

/* Run a study until its hypervolume reaches `target`, or the budget ends. Returns the evaluations
 * used, to the end of the generation, and the hypervolume. */
static uint64_t run_until(const cs_plan *plan, double target, double *hypervolume)
{
    cs_error error;
    cs_evaluator evaluator = {0};
    cs_study *study = bench_must(cs_study_new(plan, &error), &error);
    cs_buffer record = {0};
    cs_batch batch;
    size_t genome_bytes = cs_space_genome_bytes(plan->space);
    for (;;) {
        bench_check(cs_study_ask(study, &batch, &error), &error);
        if (batch.count == 0 || cs_study_progress(study)->hypervolume >= target) {
            break;
        }
        for (uint32_t i = 0; i < batch.count; i++) {
            bench_check(cs_evaluate(plan, &evaluator, batch.genomes + i * genome_bytes,
                                    &batch.outcomes[i], batch.metrics + i * plan->metric_count,
                                    &error),
                        &error);
        }
        cs_buffer_clear(&record);
        bench_check(cs_study_tell(study, &record, &error), &error);
    }
    uint64_t evaluations = cs_study_progress(study)->evaluations;
    *hypervolume = cs_study_progress(study)->hypervolume;
    cs_buffer_release(&record);
    cs_study_free(study);
    cs_evaluator_release(&evaluator);
    return evaluations;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static cs_plan *plan_for(const char *job, const char *engine, unsigned seed, unsigned evaluations)
{
    char sets[4][64];
    const char *given[4] = {sets[0], sets[1], sets[2], sets[3]};
    snprintf(sets[0], sizeof sets[0], "engine=%s", engine);
    snprintf(sets[1], sizeof sets[1], "seed=%u", seed);
    snprintf(sets[2], sizeof sets[2], "evaluations=%u", evaluations);
    snprintf(sets[3], sizeof sets[3], "batch=20");
    return bench_plan(job, given, 4);
}

int main(int argc, char **argv)
{
    const char *job = argc > 1 ? argv[1] : CODESIGN_SOURCE_DIR "/configs/jobs/imagenet-edge.conf";
    unsigned seeds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 30;
    if (seeds < 1 || seeds > MAX_SEEDS) {
        fprintf(stderr, "SEEDS must be 1 to %d\n", MAX_SEEDS);
        return 2;
    }
    static double ratios[MAX_SEEDS], volumes[MAX_SEEDS], random_volumes[MAX_SEEDS];
    unsigned censored = 0;
    printf("seed  hypervolume@%d  random@%d  random needs  ratio\n", EVOLUTION_EVALUATIONS,
           RANDOM_EVALUATIONS);
    for (unsigned seed = 1; seed <= seeds; seed++) {
        cs_plan *evolution = plan_for(job, "nsga2", seed, EVOLUTION_EVALUATIONS);
        cs_plan *control = plan_for(job, "random", seed, RANDOM_EVALUATIONS);
        double target, reached;
        uint64_t used = run_until(evolution, 2, &target);
        uint64_t needed = run_until(control, target, &reached);
        bool arrived = reached >= target;
        ratios[seed - 1] = (double)needed / (double)used;
        volumes[seed - 1] = target;
        random_volumes[seed - 1] = reached;
        censored += !arrived;
        printf("%4u  %16.6f  %12.6f  %s%11llu  %s%.1f\n", seed, target, reached,
               arrived ? "" : ">=", (unsigned long long)needed,
               arrived ? "" : ">=", ratios[seed - 1]);
        fflush(stdout);
        cs_plan_free(evolution);
        cs_plan_free(control);
    }
    printf("median over %u seeds: evolution's hypervolume %.6f, random's at its end %.6f; random "
           "needs at least %.1f times as many evaluations; %u of %u seeds stopped at %d\n",
           seeds, median(volumes, seeds), median(random_volumes, seeds), median(ratios, seeds),
           censored, seeds, RANDOM_EVALUATIONS);
    return 0;
}
