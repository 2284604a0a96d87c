/* The study and its records: the same search always, also across a replay and a load; lists of who
 * entered and left that rebuild the front; damage that is refused. */
#include "job.h"

#include "search/front/hypervolume.h"
#include "search/study.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GENERATIONS 64
#define MAX_GENOME      64

/* ---- a run ---- */

/* A search from its beginning to its end, with what a store would keep of it. */
typedef struct search_run {
    cs_plan *plan;
    uint32_t generation_count;
    cs_buffer records[MAX_GENERATIONS];
    cs_buffer checkpoints[MAX_GENERATIONS]; /* after each generation */
    cs_progress progress;                   /* at the end */
    char end[100];
} search_run;

static cs_study *new_study(const cs_plan *plan)
{
    cs_error err;
    cs_study *study = cs_study_new(plan, &err);
    ck_assert_msg(study != NULL, "%s", err.text);
    return study;
}

/* Ask, evaluate, tell. False at the end. */
static bool advance(cs_study *study, const cs_plan *plan, cs_evaluator *evaluator,
                    cs_buffer *record)
{
    cs_error err;
    cs_batch batch;
    uint64_t before = cs_study_progress(study)->evaluations;
    ck_assert_msg(cs_study_ask(study, &batch, &err) == CS_OK, "%s", err.text);
    ck_assert_uint_eq(batch.first_index, before);
    ck_assert_uint_le(batch.count, plan->batch);
    if (batch.count == 0) {
        ck_assert_int_ne(*cs_study_end(study), '\0');
        return false;
    }
    ck_assert_str_eq(cs_study_end(study), "");
    size_t bytes = cs_space_genome_bytes(plan->space);
    /* The last first: the order of evaluation is nobody's business. */
    for (uint32_t i = batch.count; i-- > 0;) {
        ck_assert_msg(cs_evaluate(plan, evaluator, batch.genomes + i * bytes, &batch.outcomes[i],
                                  batch.metrics + (size_t)i * plan->metric_count, &err) == CS_OK,
                      "%s", err.text);
    }
    ck_assert_msg(cs_study_tell(study, record, &err) == CS_OK, "%s", err.text);
    ck_assert_uint_eq(cs_study_progress(study)->evaluations, before + batch.count);
    return true;
}

/* Go on to the end; records and checkpoints from the study's generation on. */
static void run_to_end(search_run *run, cs_study *study)
{
    cs_evaluator evaluator = {0};
    uint32_t g = (uint32_t)cs_study_progress(study)->generation;
    for (;; g++) {
        ck_assert_uint_lt(g, MAX_GENERATIONS);
        if (!advance(study, run->plan, &evaluator, &run->records[g])) {
            break;
        }
        cs_study_save(study, &run->checkpoints[g]);
        ck_assert(!run->checkpoints[g].failed);
        ck_assert_uint_eq(cs_study_progress(study)->generation, g + 1);
    }
    run->generation_count = g;
    run->progress = *cs_study_progress(study);
    snprintf(run->end, sizeof run->end, "%s", cs_study_end(study));
    cs_evaluator_release(&evaluator);
}

static void start(search_run *run, cs_bundle *bundle)
{
    *run = (search_run){.plan = job_plan(bundle)};
    cs_study *study = new_study(run->plan);
    run_to_end(run, study);
    cs_study_free(study);
}

static void release(search_run *run)
{
    for (uint32_t g = 0; g < MAX_GENERATIONS; g++) {
        cs_buffer_release(&run->records[g]);
        cs_buffer_release(&run->checkpoints[g]);
    }
}

static void stop(search_run *run)
{
    release(run);
    cs_plan_free(run->plan);
}

/* A job of each kind by its number: every engine, keep all or front, the real space or the tiny one
 * until it is exhausted. */
#define JOB_KINDS (2 * 2)

static int engine_count(void)
{
    int count = 0;
    while (cs_engine_classes[count]) {
        count++;
    }
    return count;
}

static cs_bundle job_of(int number)
{
    const cs_engine_class *class = cs_engine_classes[number / JOB_KINDS];
    bool tiny = number % 2 == 1;
    char engine[64];
    cs_bundle bundle = tiny ? job_tiny() : job_imagenet();
    if (tiny) {
        job_edit(&bundle, NULL, "engine_options = { population = 6; };", "");
        job_set(&bundle, "evaluations=1000");
    } else {
        job_set(&bundle, "evaluations=150");
        job_set(&bundle, "batch=17");
    }
    snprintf(engine, sizeof engine, "engine=%s", class->name);
    job_set(&bundle, engine);
    job_set(&bundle, number / 2 % 2 == 1 ? "keep=front" : "keep=all");
    return bundle;
}

static void assert_same_bytes(const cs_buffer *a, const cs_buffer *b)
{
    ck_assert_uint_eq(a->size, b->size);
    ck_assert(a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static cs_record read_record(const search_run *run, uint32_t generation)
{
    cs_record record;
    cs_error err;
    const cs_buffer *blob = &run->records[generation];
    ck_assert_msg(cs_record_read(blob->data, blob->size,
                                 (uint32_t)cs_space_genome_bytes(run->plan->space),
                                 run->plan->metric_count, &record, &err) == CS_OK,
                  "%s", err.text);
    return record;
}

/* ---- the same search always ---- */

START_TEST(same_seed_same_bytes)
{
    search_run a, b, c;
    cs_bundle first = job_of(_i), second = job_of(_i), other = job_of(_i);
    job_set(&other, "seed=2");
    start(&a, &first);
    start(&b, &second);
    start(&c, &other);
    ck_assert_uint_eq(a.generation_count, b.generation_count);
    for (uint32_t g = 0; g < a.generation_count; g++) {
        assert_same_bytes(&a.records[g], &b.records[g]);
        assert_same_bytes(&a.checkpoints[g], &b.checkpoints[g]);
    }
    ck_assert_str_eq(a.end, b.end);
    ck_assert(a.records[0].size != c.records[0].size ||
              memcmp(a.records[0].data, c.records[0].data, a.records[0].size) != 0);
    stop(&a);
    stop(&b);
    stop(&c);
}
END_TEST

/* What is kept changes the records and not the search. */
START_TEST(keep_does_not_change_the_search)
{
    search_run all, front;
    cs_bundle bundle = job_of(_i * JOB_KINDS), bundle_front = job_of(_i * JOB_KINDS + 2);
    start(&all, &bundle);
    start(&front, &bundle_front);
    ck_assert_uint_eq(all.generation_count, front.generation_count);
    size_t bytes = cs_space_genome_bytes(all.plan->space);
    size_t row_bytes = all.plan->metric_count * sizeof(double);
    for (uint32_t g = 0; g < all.generation_count; g++) {
        cs_record a = read_record(&all, g), f = read_record(&front, g);
        ck_assert(a.keep_all && !f.keep_all);
        ck_assert_uint_eq(f.rows.count, f.entrant_count);
        ck_assert_mem_eq(&a.progress, &f.progress, sizeof a.progress);
        ck_assert_uint_eq(a.entrant_count, f.entrant_count);
        ck_assert_uint_eq(a.removed_count, f.removed_count);
        ck_assert(memcmp(a.entrants, f.entrants, a.entrant_count * sizeof(uint32_t)) == 0);
        ck_assert(memcmp(a.removed, f.removed, a.removed_count * sizeof(uint64_t)) == 0);
        for (uint32_t i = 0; i < a.count; i++) {
            cs_key x = cs_record_key(&a, i), y = cs_record_key(&f, i);
            ck_assert(x.low == y.low && x.high == y.high);
        }
        for (uint32_t i = 0; i < a.entrant_count; i++) {
            uint32_t x = cs_record_entrant_row(&a, i), y = cs_record_entrant_row(&f, i);
            ck_assert_mem_eq(a.rows.genomes + x * bytes, f.rows.genomes + y * bytes, bytes);
            ck_assert_mem_eq(a.rows.metrics + x * row_bytes, f.rows.metrics + y * row_bytes,
                             row_bytes);
            ck_assert_uint_eq(f.rows.outcomes[y], CS_OUTCOME_FEASIBLE);
        }
    }
    stop(&all);
    stop(&front);
}
END_TEST

static cs_status replay(cs_study *study, const cs_buffer *record)
{
    return cs_study_replay(study, record->data, record->size, NULL);
}

/* A study that was stopped after `generations`. */
static cs_study *restored(const search_run *run, uint32_t generations)
{
    cs_study *study = new_study(run->plan);
    cs_error err;
    for (uint32_t g = 0; g < generations; g++) {
        const cs_buffer *record = &run->records[g];
        ck_assert_msg(cs_study_replay(study, record->data, record->size, &err) == CS_OK, "%s",
                      err.text);
    }
    if (generations > 0) {
        const cs_buffer *checkpoint = &run->checkpoints[generations - 1];
        ck_assert_msg(cs_study_load(study, checkpoint->data, checkpoint->size, &err) == CS_OK, "%s",
                      err.text);
        cs_record last = read_record(run, generations - 1);
        ck_assert_mem_eq(cs_study_progress(study), &last.progress, sizeof last.progress);
    }
    return study;
}

/* Stop after every generation, rebuild, go on. */
START_TEST(goes_on_identically_after_a_restart)
{
    search_run whole;
    cs_bundle bundle = job_of(_i);
    start(&whole, &bundle);
    ck_assert_uint_gt(whole.generation_count, 5);
    for (uint32_t stopped = 0; stopped <= whole.generation_count; stopped++) {
        cs_study *study = restored(&whole, stopped);
        search_run rest = {.plan = whole.plan};
        run_to_end(&rest, study);
        ck_assert_uint_eq(rest.generation_count, whole.generation_count);
        for (uint32_t g = stopped; g < whole.generation_count; g++) {
            assert_same_bytes(&rest.records[g], &whole.records[g]);
            assert_same_bytes(&rest.checkpoints[g], &whole.checkpoints[g]);
        }
        ck_assert_mem_eq(&rest.progress, &whole.progress, sizeof rest.progress);
        ck_assert_str_eq(rest.end, whole.end);
        cs_study_free(study);
        release(&rest);
    }
    stop(&whole);
}
END_TEST

/* ---- ends ---- */

START_TEST(stops_at_the_budget)
{
    search_run run;
    cs_bundle bundle = job_of(_i * JOB_KINDS);
    start(&run, &bundle);
    ck_assert_uint_eq(run.progress.evaluations, 150);
    ck_assert_str_eq(run.end, "evaluations used up");
    uint64_t sum = 0;
    for (uint32_t g = 0; g < run.generation_count; g++) {
        cs_record record = read_record(&run, g);
        ck_assert_uint_eq(record.first_index, sum);
        sum += record.count;
    }
    ck_assert_uint_eq(sum, 150);
    ck_assert_uint_lt(read_record(&run, run.generation_count - 1).count, 17);
    stop(&run);
}
END_TEST

/* Outcomes and rows of all points, worked out one by one. */
typedef struct point_list {
    uint32_t count;
    uint8_t genomes[JOB_TINY_POINTS][8];
    uint8_t outcomes[JOB_TINY_POINTS];
    cs_score scores[JOB_TINY_POINTS];
} point_list;

static void enumerate(const cs_plan *plan, point_list *list)
{
    static const uint8_t choices[] = {3, 3, 2, 2, 2};
    cs_evaluator evaluator = {0};
    ck_assert_uint_eq(cs_space_genome_bytes(plan->space), sizeof choices);
    for (uint32_t i = 0; i < JOB_TINY_POINTS; i++) {
        uint32_t rest = i;
        for (size_t gene = 0; gene < sizeof choices; gene++) {
            list->genomes[i][gene] = (uint8_t)(rest % choices[gene]);
            rest /= choices[gene];
        }
        double metrics[CS_METRIC_COUNT];
        ck_assert_int_eq(
            cs_evaluate(plan, &evaluator, list->genomes[i], &list->outcomes[i], metrics, NULL),
            CS_OK);
        list->scores[i] = cs_score_of(plan, list->outcomes[i], metrics);
    }
    list->count = JOB_TINY_POINTS;
    cs_evaluator_release(&evaluator);
}

/* Nowhere worse, and somewhere better. */
static bool dominates(const cs_score *a, const cs_score *b, uint32_t objective_count)
{
    bool better = false;
    for (uint32_t j = 0; j < objective_count; j++) {
        if (a->objectives[j] > b->objectives[j]) {
            return false;
        }
        better = better || a->objectives[j] < b->objectives[j];
    }
    return better;
}

START_TEST(exhausts_a_small_space)
{
    search_run run;
    cs_bundle bundle = job_of(_i * JOB_KINDS + 1);
    start(&run, &bundle);
    ck_assert_uint_eq(run.progress.evaluations, JOB_TINY_POINTS);
    ck_assert_str_eq(run.end, "every point of the space has been evaluated");

    /* Every outcome has been counted under its reason, and the front is that of all points. */
    static point_list points;
    enumerate(run.plan, &points);
    uint64_t outcomes[CS_OUTCOME_COUNT] = {0}, front_size = 0;
    for (uint32_t i = 0; i < points.count; i++) {
        outcomes[points.outcomes[i]]++;
        bool on_front = points.outcomes[i] == CS_OUTCOME_FEASIBLE;
        for (uint32_t k = 0; k < points.count && on_front; k++) {
            bool equal = memcmp(points.scores[k].objectives, points.scores[i].objectives,
                                sizeof points.scores[k].objectives) == 0;
            on_front =
                points.outcomes[k] != CS_OUTCOME_FEASIBLE ||
                (!dominates(&points.scores[k], &points.scores[i], run.plan->objective_count) &&
                 !(equal && k < i));
        }
        front_size += on_front;
    }
    ck_assert_mem_eq(outcomes, run.progress.outcomes, sizeof outcomes);
    ck_assert_uint_gt(outcomes[CS_OUTCOME_FEASIBLE], 0);
    ck_assert_uint_gt(outcomes[CS_OUTCOME_OVER_LIMIT], 0);
    ck_assert_uint_eq(outcomes[CS_OUTCOME_REASON + CS_REASON_CORE_MEMORY], 18);
    ck_assert_uint_eq(run.progress.front_size, front_size);
    stop(&run);
}
END_TEST

START_TEST(a_space_of_one_point_is_a_search_of_one)
{
    cs_bundle bundle = job_tiny();
    static const char *const lists[][3] = {{"net", "[8, 16, 24]", "[8]"},
                                           {"net", "[1, 3, 63]", "[1]"},
                                           {"acc", "[1, 2]", "[1]"},
                                           {"acc", "[1, 64]", "[1]"},
                                           {"acc", "[1, 40]", "[1]"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        job_edit(&bundle, lists[i][0], lists[i][1], lists[i][2]);
    }
    job_edit(&bundle, NULL, "accuracy = \"weights\";", "");
    job_edit(&bundle, NULL, "{ metric = \"proxy_top1\"; reference = 40.0; ideal = 70.0; },", "");
    search_run run;
    start(&run, &bundle);
    ck_assert_uint_eq(run.generation_count, 1);
    ck_assert_uint_eq(run.progress.front_size, 1);
    ck_assert_str_eq(run.end, "every point of the space has been evaluated");
    stop(&run);
}
END_TEST

/* ---- totals and lists ---- */

/* The front as the lists of entrants and removed members make it: a plain set of indices. */
typedef struct index_set {
    uint64_t members[4096];
    size_t count;
} index_set;

static void apply(index_set *set, const cs_record *record)
{
    for (uint32_t i = 0; i < record->entrant_count; i++) {
        set->members[set->count++] = record->first_index + cs_record_entrant(record, i);
    }
    for (uint32_t i = 0; i < record->removed_count; i++) {
        uint64_t removed = cs_record_removed(record, i);
        size_t at = 0;
        while (at < set->count && set->members[at] != removed) {
            at++;
        }
        ck_assert_msg(at < set->count, "%llu left without having been there",
                      (unsigned long long)removed);
        set->members[at] = set->members[--set->count];
    }
}

static bool contains(const index_set *set, uint64_t index)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->members[i] == index) {
            return true;
        }
    }
    return false;
}

/* All candidates in the order asked; the front by its definition at every generation. */
START_TEST(lists_and_totals_are_those_of_the_candidates)
{
    search_run run;
    cs_bundle bundle = job_of(_i);
    start(&run, &bundle);
    const cs_plan *plan = run.plan;
    uint32_t m = plan->objective_count;
    static cs_score scores[1000];
    static uint8_t outcome_of[1000];
    static index_set set;
    set.count = 0;
    uint64_t told = 0, outcomes[CS_OUTCOME_COUNT] = {0};
    double hypervolume = 0;
    for (uint32_t g = 0; g < run.generation_count; g++) {
        cs_record record = read_record(&run, g);
        ck_assert_uint_eq(record.rows.count, record.count);
        for (uint32_t i = 0; i < record.count; i++) {
            double metrics[CS_METRIC_COUNT];
            cs_rows_metrics(&record.rows, i, metrics);
            outcome_of[told + i] = record.rows.outcomes[i];
            scores[told + i] = cs_score_of(plan, record.rows.outcomes[i], metrics);
            outcomes[record.rows.outcomes[i]]++;
        }
        told += record.count;
        ck_assert_uint_eq(record.progress.generation, g + 1);
        ck_assert_uint_eq(record.progress.evaluations, told);
        ck_assert_mem_eq(record.progress.outcomes, outcomes, sizeof outcomes);

        apply(&set, &record);
        double points[1000 * CS_PLAN_MAX_OBJECTIVES];
        for (uint64_t i = 0; i < told; i++) {
            bool on_front = outcome_of[i] == CS_OUTCOME_FEASIBLE;
            for (uint64_t k = 0; k < told && on_front; k++) {
                bool equal =
                    memcmp(scores[k].objectives, scores[i].objectives, m * sizeof(double)) == 0;
                on_front = outcome_of[k] != CS_OUTCOME_FEASIBLE ||
                           (!dominates(&scores[k], &scores[i], m) && !(equal && k < i));
            }
            ck_assert_int_eq(contains(&set, i), on_front);
        }
        for (size_t i = 0; i < set.count; i++) {
            memcpy(points + i * m, scores[set.members[i]].objectives, m * sizeof(double));
        }
        ck_assert_uint_eq(record.progress.front_size, set.count);
        double volume;
        const double ones[] = {1, 1, 1};
        ck_assert_int_eq(cs_hypervolume(points, set.count, m, ones, &volume, NULL), CS_OK);
        /* Contributions were added one by one, each rounded to 1e-16 of a volume below 1. */
        ck_assert_double_eq_tol(record.progress.hypervolume, volume, 1e-12);
        ck_assert_double_ge(record.progress.hypervolume, hypervolume);
        hypervolume = record.progress.hypervolume;
    }
    ck_assert_double_gt(hypervolume, 0);
    ck_assert_mem_eq(&run.progress.outcomes, outcomes, sizeof outcomes);
    stop(&run);
}
END_TEST

/* ---- records ---- */

static void seal(uint8_t *blob, size_t size)
{
    cs_key key = cs_key_of(blob, size - sizeof key);
    memcpy(blob + size - sizeof key, &key, sizeof key);
}

/* Anything that may stand in a record comes out as it went in, wherever in a buffer it begins. */
START_TEST(records_come_back_as_written)
{
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    enum { MOST = 40 };
    uint32_t count = 1 + cs_random_below(&random, MOST);
    uint32_t genome_bytes = 1 + cs_random_below(&random, MAX_GENOME);
    uint32_t metric_count = 1 + cs_random_below(&random, CS_METRIC_COUNT);
    uint8_t genomes[MOST * MAX_GENOME], outcomes[MOST];
    double metrics[MOST * CS_METRIC_COUNT];
    uint32_t entrants[MOST], entrant_count = 0, removed_count = 0;
    uint64_t removed[MOST], first_index = cs_random_below(&random, 1000000);
    for (uint32_t i = 0; i < count * genome_bytes; i++) {
        genomes[i] = (uint8_t)cs_random_below(&random, 256);
    }
    for (uint32_t i = 0; i < count * metric_count; i++) {
        metrics[i] = cs_random_below(&random, 5) ? cs_random_unit(&random) : NAN;
    }
    cs_progress progress = {.generation = cs_random_u64(&random),
                            .evaluations = first_index + count,
                            .hypervolume = cs_random_unit(&random),
                            .front_size = cs_random_u64(&random)};
    progress.outcomes[CS_OUTCOME_OVER_LIMIT] = first_index + count;
    for (uint32_t i = 0; i < count; i++) {
        outcomes[i] = (uint8_t)cs_random_below(&random, CS_OUTCOME_COUNT);
        if (cs_random_below(&random, 3) == 0) {
            entrants[entrant_count++] = i;
        }
        if (cs_random_below(&random, 3) == 0 && first_index > MOST) {
            removed[removed_count++] = first_index - MOST + i;
        }
    }
    for (int keep_all = 0; keep_all < 2; keep_all++) {
        cs_buffer blob = {0};
        size_t before = cs_random_below(&random, 20);
        for (size_t i = 0; i < before; i++) {
            cs_buffer_put_u8(&blob, 77);
        }
        cs_record_write(&(cs_record_source){.progress = &progress,
                                            .first_index = first_index,
                                            .count = count,
                                            .keep_all = keep_all,
                                            .genome_bytes = genome_bytes,
                                            .metric_count = metric_count,
                                            .genomes = genomes,
                                            .outcomes = outcomes,
                                            .metrics = metrics,
                                            .entrants = entrants,
                                            .entrant_count = entrant_count,
                                            .removed = removed,
                                            .removed_count = removed_count},
                        &blob);
        ck_assert(!blob.failed);
        cs_record record;
        cs_error err;
        ck_assert_msg(cs_record_read(blob.data + before, blob.size - before, genome_bytes,
                                     metric_count, &record, &err) == CS_OK,
                      "%s", err.text);
        ck_assert_mem_eq(&record.progress, &progress, sizeof progress);
        ck_assert_uint_eq(record.first_index, first_index);
        ck_assert_uint_eq(record.count, count);
        ck_assert_int_eq(record.keep_all, keep_all);
        ck_assert_uint_eq(record.rows.count, keep_all ? count : entrant_count);
        ck_assert_uint_eq(record.entrant_count, entrant_count);
        ck_assert_uint_eq(record.removed_count, removed_count);
        for (uint32_t i = 0; i < removed_count; i++) {
            ck_assert_uint_eq(cs_record_removed(&record, i), removed[i]);
        }
        for (uint32_t i = 0; i < count; i++) {
            cs_key key = cs_record_key(&record, i);
            cs_key expected = cs_key_of(genomes + i * genome_bytes, genome_bytes);
            ck_assert(key.low == expected.low && key.high == expected.high);
        }
        for (uint32_t i = 0; i < entrant_count; i++) {
            uint32_t row = cs_record_entrant_row(&record, i), at = entrants[i];
            double got[CS_METRIC_COUNT];
            ck_assert_uint_eq(cs_record_entrant(&record, i), at);
            cs_rows_metrics(&record.rows, row, got);
            ck_assert_mem_eq(got, metrics + at * metric_count, metric_count * sizeof *got);
            ck_assert_mem_eq(record.rows.genomes + row * genome_bytes, genomes + at * genome_bytes,
                             genome_bytes);
            ck_assert_uint_eq(record.rows.outcomes[row], outcomes[at]);
        }
        /* Another space's or job's record is not taken for one of this. */
        ck_assert_int_eq(cs_record_read(blob.data + before, blob.size - before, genome_bytes + 1,
                                        metric_count, &record, &err),
                         CS_ECORRUPT);
        ck_assert_int_eq(cs_record_read(blob.data + before, blob.size - before, genome_bytes,
                                        metric_count + 1, &record, &err),
                         CS_ECORRUPT);
        cs_buffer_release(&blob);
    }
}
END_TEST

/* In memory of its own, so that a read beyond the end is seen by the sanitizer. */
static uint8_t *copy_of(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, size);
    return copy;
}

START_TEST(refuses_damaged_records)
{
    search_run run;
    cs_bundle bundle = job_of(_i);
    start(&run, &bundle);
    uint32_t last = 3;
    const cs_buffer *blob = &run.records[last];
    uint32_t genome_bytes = (uint32_t)cs_space_genome_bytes(run.plan->space);
    cs_record record;
    for (size_t size = 0; size < blob->size; size++) {
        uint8_t *copy = copy_of(blob->data, size);
        ck_assert_int_eq(
            cs_record_read(copy, size, genome_bytes, run.plan->metric_count, &record, NULL),
            CS_ECORRUPT);
        free(copy);
    }
    uint8_t *copy = copy_of(blob->data, blob->size);
    for (size_t bit = 0; bit < 8 * blob->size; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(
            cs_record_read(copy, blob->size, genome_bytes, run.plan->metric_count, &record, NULL),
            CS_ECORRUPT);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(copy);
    stop(&run);
}
END_TEST

/* A record that is wrong and yet has the right checksum is refused or replayed; nothing else. */
START_TEST(survives_forged_records)
{
    search_run run;
    cs_bundle bundle = job_of(_i);
    start(&run, &bundle);
    uint32_t last = 3;
    const cs_buffer *blob = &run.records[last];
    cs_random random;
    cs_random_init(&random, 9, 0, CS_PURPOSE_SAMPLE, 0, (uint64_t)_i);
    uint32_t refused = 0;
    enum { FORGERIES = 200 };
    for (int i = 0; i < FORGERIES; i++) {
        cs_study *study = new_study(run.plan);
        for (uint32_t g = 0; g < last; g++) {
            ck_assert_int_eq(replay(study, &run.records[g]), CS_OK);
        }
        size_t size = blob->size;
        if (i % 4 == 0) {
            size = sizeof(cs_key) + cs_random_below(&random, (uint32_t)(size - sizeof(cs_key)));
        }
        uint8_t *copy = copy_of(blob->data, size);
        /* Most of the structure is in the first 150 bytes. */
        uint32_t reach = (uint32_t)(i % 2 && size > 150 ? 150 : size);
        copy[cs_random_below(&random, reach)] ^= (uint8_t)(1 << cs_random_below(&random, 8));
        seal(copy, size);
        cs_status status = cs_study_replay(study, copy, size, NULL);
        ck_assert(status == CS_OK || status == CS_ECORRUPT);
        refused += status == CS_ECORRUPT;
        free(copy);
        cs_study_free(study);
    }
    ck_assert_uint_gt(refused, FORGERIES / 4);
    stop(&run);
}
END_TEST

START_TEST(refuses_records_out_of_order)
{
    search_run run, other;
    cs_bundle bundle = job_of(_i), more = job_of(_i);
    start(&run, &bundle);
    job_set(&more, "evaluations=20");
    cs_study *study = new_study(run.plan);
    cs_error err;
    ck_assert_int_eq(cs_study_replay(study, run.records[1].data, run.records[1].size, &err),
                     CS_ECORRUPT);
    ck_assert_str_eq(err.text, "generation 2 does not follow generation 0");
    cs_study_free(study);

    study = new_study(run.plan);
    ck_assert_int_eq(replay(study, &run.records[0]), CS_OK);
    ck_assert_int_eq(replay(study, &run.records[0]), CS_ECORRUPT);
    cs_study_free(study);

    /* A job does not take more than its budget. */
    start(&other, &more);
    study = new_study(other.plan);
    uint32_t g = 0;
    while (replay(study, &run.records[g]) == CS_OK) {
        g++;
    }
    ck_assert_uint_le(cs_study_progress(study)->evaluations, 20);
    cs_study_free(study);
    stop(&run);
    stop(&other);
}
END_TEST

/* ---- checkpoints ---- */

static cs_status load_into_new(const search_run *run, uint32_t generations, const uint8_t *data,
                               size_t size, cs_study **loaded)
{
    cs_study *study = new_study(run->plan);
    for (uint32_t g = 0; g < generations; g++) {
        ck_assert_int_eq(replay(study, &run->records[g]), CS_OK);
    }
    uint8_t *copy = copy_of(data, size);
    cs_status status = cs_study_load(study, copy, size, NULL);
    free(copy);
    *loaded = study;
    return status;
}

/* All of the head, and samples of the engine's state. */
static size_t next_place(size_t at)
{
    return at < 80 ? at + 1 : at + 11;
}

/* Refused, or (where what is hit decides nothing) the search goes on as it would have. */
START_TEST(refuses_damaged_checkpoints)
{
    search_run run;
    cs_bundle bundle = job_of(_i);
    start(&run, &bundle);
    enum { GENERATIONS = 3 };
    cs_buffer *saved = &run.checkpoints[GENERATIONS - 1];
    cs_study *study;
    for (size_t size = 0; size < saved->size; size = next_place(size)) {
        ck_assert_int_eq(load_into_new(&run, GENERATIONS, saved->data, size, &study), CS_ECORRUPT);
        cs_study_free(study);
    }
    cs_evaluator evaluator = {0};
    uint32_t accepted = 0;
    for (size_t at = 0; at < saved->size; at = next_place(at)) {
        uint8_t flip = (uint8_t)(1 << at % 8);
        saved->data[at] ^= flip;
        cs_status status = load_into_new(&run, GENERATIONS, saved->data, saved->size, &study);
        saved->data[at] ^= flip;
        if (status == CS_OK) {
            cs_buffer record = {0};
            ck_assert(advance(study, run.plan, &evaluator, &record));
            assert_same_bytes(&record, &run.records[GENERATIONS]);
            cs_buffer_release(&record);
            accepted++;
        } else {
            ck_assert_int_eq(status, CS_ECORRUPT);
        }
        cs_study_free(study);
    }
    ck_assert_uint_le(accepted, 4); /* the simulator's revision */

    cs_buffer longer = {0};
    cs_buffer_put(&longer, saved->data, saved->size);
    cs_buffer_put_u8(&longer, 0);
    ck_assert_int_eq(load_into_new(&run, GENERATIONS, longer.data, longer.size, &study),
                     CS_ECORRUPT);
    cs_study_free(study);
    cs_buffer_release(&longer);
    cs_evaluator_release(&evaluator);
    stop(&run);
}
END_TEST

START_TEST(refuses_checkpoints_of_others)
{
    search_run run, other;
    cs_bundle bundle = job_of(_i), different = job_of(_i);
    job_set(&different, "seed=2");
    start(&run, &bundle);
    start(&other, &different);
    cs_study *study;
    ck_assert_int_eq(
        load_into_new(&run, 3, other.checkpoints[2].data, other.checkpoints[2].size, &study),
        CS_ECORRUPT);
    cs_study_free(study);
    /* One generation too early, and one too late. */
    for (uint32_t g = 2; g <= 4; g += 2) {
        ck_assert_int_eq(
            load_into_new(&run, g, run.checkpoints[2].data, run.checkpoints[2].size, &study),
            CS_ECORRUPT);
        cs_study_free(study);
    }
    stop(&run);
    stop(&other);
}
END_TEST

int main(void)
{
    int jobs = engine_count() * JOB_KINDS;
    Suite *suite = suite_create("study");
    TCase *same = tcase_create("same");
    tcase_set_timeout(same, 30);
    tcase_add_loop_test(same, same_seed_same_bytes, 0, jobs);
    tcase_add_loop_test(same, keep_does_not_change_the_search, 0, engine_count());
    tcase_add_loop_test(same, goes_on_identically_after_a_restart, 0, jobs);
    suite_add_tcase(suite, same);
    TCase *ends = tcase_create("ends");
    tcase_add_loop_test(ends, stops_at_the_budget, 0, engine_count());
    tcase_add_loop_test(ends, exhausts_a_small_space, 0, engine_count());
    tcase_add_test(ends, a_space_of_one_point_is_a_search_of_one);
    suite_add_tcase(suite, ends);
    TCase *lists = tcase_create("lists");
    tcase_add_loop_test(lists, lists_and_totals_are_those_of_the_candidates, 0, 2);
    suite_add_tcase(suite, lists);
    TCase *records = tcase_create("records");
    tcase_set_timeout(records, 30);
    tcase_add_loop_test(records, records_come_back_as_written, 0, 40);
    tcase_add_loop_test(records, refuses_damaged_records, 0, JOB_KINDS);
    tcase_add_loop_test(records, survives_forged_records, 0, JOB_KINDS);
    tcase_add_loop_test(records, refuses_records_out_of_order, 0, JOB_KINDS);
    suite_add_tcase(suite, records);
    TCase *checkpoints = tcase_create("checkpoints");
    tcase_set_timeout(checkpoints, 30);
    tcase_add_loop_test(checkpoints, refuses_damaged_checkpoints, 0, jobs);
    tcase_add_loop_test(checkpoints, refuses_checkpoints_of_others, 0, jobs);
    suite_add_tcase(suite, checkpoints);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
