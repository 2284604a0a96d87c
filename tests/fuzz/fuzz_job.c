/* Any text as a job with its files: lines "=== NAME" begin the files, lines "=== --set PATH=VALUE"
 * are overrides, what stands before them all is the job text. A job that resolves is searched for
 * one small generation, which is stored, replayed and loaded. */
#include "fuzz.h"

#include "search/study.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MARK      "=== "
#define SET       "--set "
#define MAX_NAME  200
#define MAX_BATCH 4

/* ---- the bundle ---- */

/* The next line that begins with the mark, or `end`. */
static const char *find_mark(const char *at, const char *end)
{
    while (at < end) {
        size_t left = (size_t)(end - at);
        if (left >= strlen(MARK) && memcmp(at, MARK, strlen(MARK)) == 0) {
            return at;
        }
        const char *line_end = memchr(at, '\n', left);
        at = line_end ? line_end + 1 : end;
    }
    return end;
}

/* What goes beyond the bundle's limits is left out. */
static void read_bundle(const char *text, size_t size, cs_bundle *bundle)
{
    const char *end = text + size;
    const char *mark = find_mark(text, end);
    cs_error err;
    FUZZ_EXPECT(cs_bundle_set_text(bundle, "job", text, (size_t)(mark - text), &err) == CS_OK);
    while (mark < end) {
        const char *name = mark + strlen(MARK);
        const char *name_end = memchr(name, '\n', (size_t)(end - name));
        name_end = name_end ? name_end : end;
        const char *content = name_end < end ? name_end + 1 : end;
        mark = find_mark(content, end);
        char word[MAX_NAME + 1];
        size_t length = (size_t)(name_end - name);
        length = length < MAX_NAME ? length : MAX_NAME;
        memcpy(word, name, length);
        word[length] = '\0';
        cs_status status;
        if (strncmp(word, SET, strlen(SET)) == 0) {
            status = cs_bundle_add_set(bundle, word + strlen(SET), &err);
        } else {
            status = cs_bundle_add_file(bundle, word, content, (size_t)(mark - content), &err);
        }
        FUZZ_EXPECT(status == CS_OK || status == CS_ELIMIT);
    }
}

/* ---- one generation ---- */

/* A row is that of a feasible design, of one over a limit, or of one that cannot run. */
static void expect_row(const cs_plan *plan, uint8_t outcome, const double *metrics)
{
    FUZZ_EXPECT(*cs_outcome_text(outcome) != '\0');
    cs_score score = cs_score_of(plan, outcome, metrics);
    if (outcome == CS_OUTCOME_FEASIBLE) {
        FUZZ_EXPECT(score.violation == 0);
    } else {
        FUZZ_EXPECT(score.violation > 0);
    }
    for (uint32_t i = 0; i < plan->objective_count && outcome < CS_OUTCOME_REASON; i++) {
        FUZZ_EXPECT(isfinite(score.objectives[i]));
    }
}

static void expect_ok(cs_status status, const cs_error *err)
{
    if (status) {
        fprintf(stderr, "%s\n", err->text);
        abort();
    }
}

static void search(cs_plan *plan)
{
    plan->batch = plan->batch < MAX_BATCH ? plan->batch : MAX_BATCH;
    cs_error err = {0};
    cs_batch batch;
    cs_evaluator evaluator = {0};
    cs_buffer record = {0}, checkpoint = {0};
    cs_study *study = cs_study_new(plan, &err), *again = cs_study_new(plan, &err);
    FUZZ_EXPECT(study != NULL && again != NULL);
    expect_ok(cs_study_ask(study, &batch, &err), &err);
    FUZZ_EXPECT(batch.count >= 1);
    size_t bytes = cs_space_genome_bytes(plan->space);
    for (uint32_t i = 0; i < batch.count; i++) {
        const uint8_t *genome = batch.genomes + i * bytes;
        double *metrics = batch.metrics + (size_t)i * plan->metric_count;
        FUZZ_EXPECT(cs_space_contains(plan->space, genome, bytes));
        expect_ok(cs_evaluate(plan, &evaluator, genome, &batch.outcomes[i], metrics, &err), &err);
        expect_row(plan, batch.outcomes[i], metrics);
    }
    expect_ok(cs_study_tell(study, &record, &err), &err);
    cs_study_save(study, &checkpoint);
    expect_ok(cs_study_replay(again, record.data, record.size, &err), &err);
    expect_ok(cs_study_load(again, checkpoint.data, checkpoint.size, &err), &err);
    cs_study_free(study);
    cs_study_free(again);
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
    cs_evaluator_release(&evaluator);
}

/* ---- the target ---- */

/* The place at fault: the override, or a line of the job text or of a file. */
static bool names_a_place(const cs_bundle *bundle, const char *text)
{
    bool found = strncmp(text, SET, strlen(SET)) == 0 || strncmp(text, "job:", 4) == 0;
    for (size_t i = 0; i < bundle->file_count; i++) {
        const char *name = bundle->files[i].name;
        found = found || (strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == ':');
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cs_bundle bundle = {0};
    cs_error err = {0};
    read_bundle((const char *)data, size, &bundle);
    cs_plan *plan = cs_plan_new(&bundle, &err);
    if (plan) {
        search(plan);
    } else {
        FUZZ_EXPECT(err.status == CS_EINVAL || err.status == CS_ELIMIT);
        FUZZ_EXPECT(names_a_place(&bundle, err.text));
    }
    cs_plan_free(plan);
    cs_bundle_release(&bundle);
    return 0;
}
