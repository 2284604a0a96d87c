/* What the published front promises (daemon/front.h): whoever applies its deltas holds, at every
 * complete one, exactly the front, however long they were away. */
#include "daemon/front.h"

#include "base/random.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define GENOME_BYTES  5
#define METRICS       3
#define MAX_INDICES   60000
#define MAX_BATCH     120
#define WATCHER_COUNT 12

/* The dumb twin: a set of candidates, whose genome and metrics follow from their index. */
static void genome_of(uint64_t index, uint8_t *genome)
{
    for (uint32_t i = 0; i < GENOME_BYTES; i++) {
        genome[i] = (uint8_t)(index * 37 + i * 11 + (index >> 8));
    }
}

static double metric_of(uint64_t index, uint32_t i)
{
    return (double)index * 0.5 + i;
}

typedef struct world {
    cs_front *front;
    cs_progress progress;
    bool *members; /* by index */
    uint64_t count;
    cs_random random;
    bool keep_all;
} world;

static world world_of(uint64_t seed)
{
    world w = {.front = cs_front_new(GENOME_BYTES, METRICS),
               .members = calloc(MAX_INDICES, sizeof *w.members)};
    ck_assert_ptr_nonnull(w.front);
    ck_assert_ptr_nonnull(w.members);
    cs_random_init(&w.random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
    w.keep_all = seed % 2;
    return w;
}

static void world_release(world *w)
{
    cs_front_free(w->front);
    free(w->members);
}

static bool chance(world *w, uint32_t percent)
{
    return cs_random_below(&w->random, 100) < percent;
}

/* A generation of up to `batch` candidates: each enters with `enter` percent, each member (those
 * that have just come, too) leaves with `leave` percent. Appended to `blob`; the twin moves on. */
static void next_record(world *w, uint32_t batch, uint32_t enter, uint32_t leave, cs_buffer *blob)
{
    static uint8_t genomes[MAX_BATCH * GENOME_BYTES], outcomes[MAX_BATCH];
    static double metrics[MAX_BATCH * METRICS];
    static uint32_t entrants[MAX_BATCH];
    static uint64_t removed[MAX_INDICES];
    uint32_t count = 1 + cs_random_below(&w->random, batch), entrant_count = 0, removed_count = 0;
    uint64_t first = w->progress.evaluations;
    ck_assert(count <= MAX_BATCH && first + count <= MAX_INDICES);
    for (uint32_t i = 0; i < count; i++) {
        genome_of(first + i, genomes + (size_t)i * GENOME_BYTES);
        for (uint32_t k = 0; k < METRICS; k++) {
            metrics[i * METRICS + k] = metric_of(first + i, k);
        }
        if (chance(w, enter)) {
            entrants[entrant_count++] = i;
            w->members[first + i] = true;
            w->count++;
        }
    }
    for (uint64_t i = 0; i < first + count; i++) {
        if (w->members[i] && chance(w, leave)) {
            removed[removed_count++] = i;
            w->members[i] = false;
            w->count--;
        }
    }
    w->progress.generation++;
    w->progress.evaluations += count;
    w->progress.outcomes[CS_OUTCOME_FEASIBLE] += count;
    w->progress.hypervolume += 0.001;
    w->progress.front_size = w->count;
    cs_record_write(
        &(cs_record_source){
            .progress = &w->progress,
            .first_index = first,
            .count = count,
            .keep_all = w->keep_all,
            .genome_bytes = GENOME_BYTES,
            .metric_count = METRICS,
            .genomes = genomes,
            .outcomes = outcomes,
            .metrics = metrics,
            .entrants = entrants,
            .entrant_count = entrant_count,
            .removed = removed,
            .removed_count = removed_count,
        },
        blob);
    ck_assert(!blob->failed);
}

static void apply(cs_front *front, const cs_buffer *blob)
{
    cs_record record;
    cs_error err;
    ck_assert(!cs_record_read(blob->data, blob->size, GENOME_BYTES, METRICS, &record, &err));
    ck_assert_msg(!cs_front_apply(front, &record, &err), "%s", err.text);
}

static void advance(world *w, uint32_t batch, uint32_t enter, uint32_t leave)
{
    cs_buffer blob = {0};
    next_record(w, batch, enter, leave, &blob);
    apply(w->front, &blob);
    cs_buffer_release(&blob);
}

/* One who replicates a front: parts are applied as they come. */
typedef struct watcher {
    cs_front_cursor cursor;
    bool placed;
    bool *held;
    uint64_t count;
    uint64_t have; /* generation of the last complete delta */
    bool have_given;
    uint32_t losses; /* times that what was held had to be dropped */
} watcher;

static void drop_all(watcher *self)
{
    memset(self->held, 0, MAX_INDICES * sizeof *self->held);
    self->count = 0;
}

static void start_afresh(watcher *self, const cs_front *front)
{
    self->cursor = cs_front_start(front);
    drop_all(self);
    self->losses += self->have_given;
}

static void check_rows(const cs_front_delta *delta, uint64_t evaluations)
{
    for (size_t i = 0; i < delta->added_count; i++) {
        uint8_t genome[GENOME_BYTES];
        ck_assert_uint_lt(delta->indices[i], evaluations);
        ck_assert(i == 0 || delta->indices[i] > delta->indices[i - 1]);
        genome_of(delta->indices[i], genome);
        ck_assert_mem_eq(delta->genomes + i * GENOME_BYTES, genome, GENOME_BYTES);
        for (uint32_t k = 0; k < METRICS; k++) {
            ck_assert(delta->metrics[i * METRICS + k] == metric_of(delta->indices[i], k));
        }
    }
}

/* Read and apply one part; at a complete one the copy has to be the front. */
static bool read_part(watcher *self, const world *w, size_t limit)
{
    if (!self->placed) {
        if (!self->have_given || !cs_front_seek(w->front, self->have, &self->cursor)) {
            start_afresh(self, w->front);
        }
        self->placed = true;
    }
    cs_front_delta delta;
    if (!cs_front_next(w->front, &self->cursor, limit, &delta)) {
        start_afresh(self, w->front);
        ck_assert(cs_front_next(w->front, &self->cursor, limit, &delta));
    }
    ck_assert_uint_le(delta.added_count, limit);
    ck_assert_uint_le(delta.removed_count, limit);
    for (size_t i = 0; i < delta.removed_count; i++) {
        self->count -= self->held[delta.removed[i]];
        self->held[delta.removed[i]] = false;
    }
    check_rows(&delta, w->progress.evaluations);
    for (size_t i = 0; i < delta.added_count; i++) {
        self->count += !self->held[delta.indices[i]];
        self->held[delta.indices[i]] = true;
    }
    if (delta.complete) {
        ck_assert_uint_eq(self->count, w->count);
        ck_assert_mem_eq(self->held, w->members, w->progress.evaluations);
        self->have = w->progress.generation;
        self->have_given = true;
    }
    return delta.complete;
}

static void watchers_init(watcher *watchers)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        watchers[i] = (watcher){.held = calloc(MAX_INDICES, sizeof *watchers[i].held)};
        ck_assert_ptr_nonnull(watchers[i].held);
    }
}

static void watchers_release(watcher *watchers)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        free(watchers[i].held);
    }
}

/* Watcher number i looks about every i-th generation; some lose their connection, and come back
 * with what they last held completely. */
static void watch_a_while(watcher *watchers, int count, world *w)
{
    for (int i = 0; i < count; i++) {
        if (cs_random_below(&w->random, (uint32_t)(i * i + 1)) != 0) {
            continue;
        }
        if (chance(w, 10)) {
            watchers[i].placed = false;
        }
        uint32_t parts = 1 + cs_random_below(&w->random, 4);
        size_t limit = chance(w, 30) ? 10000 : 1 + cs_random_below(&w->random, 30);
        while (parts-- > 0 && !read_part(&watchers[i], w, limit)) {
        }
    }
}

START_TEST(test_deltas_add_up_to_the_front)
{
    world w = world_of((uint64_t)_i);
    watcher watchers[WATCHER_COUNT];
    watchers_init(watchers);
    for (int generation = 0; generation < 250; generation++) {
        advance(&w, 20, 5 + 30 * (generation % 3), chance(&w, 20) ? 40 : 3);
        ck_assert_uint_eq(cs_front_progress(w.front)->generation, w.progress.generation);
        ck_assert_uint_eq(cs_front_progress(w.front)->front_size, w.count);
        watch_a_while(watchers, WATCHER_COUNT, &w);
    }
    for (int i = 0; i < WATCHER_COUNT; i++) {
        while (!read_part(&watchers[i], &w, 7)) {
        }
        /* As long as the log reaches back, nobody is sent more than what they lack. */
        ck_assert_uint_eq(watchers[i].losses, 0);
    }
    watchers_release(watchers);
    world_release(&w);
}
END_TEST

START_TEST(test_a_watcher_who_was_away_for_too_long_starts_afresh)
{
    world w = world_of((uint64_t)_i);
    watcher watchers[WATCHER_COUNT];
    watchers_init(watchers);
    advance(&w, 100, 100, 0);
    for (int i = 0; i < WATCHER_COUNT; i++) {
        ck_assert(read_part(&watchers[i], &w, 1000));
    }
    for (int generation = 0; generation < 500; generation++) {
        advance(&w, 100, 90, 45);
        watch_a_while(watchers + 1, WATCHER_COUNT - 1, &w);
        if (generation % 50 == 49) {
            watcher *late = &watchers[0];
            late->placed = generation % 100 == 49; /* by its cursor, or by what it has */
            while (!read_part(late, &w, 1 + cs_random_below(&w.random, 200))) {
            }
        }
    }
    for (int i = 0; i < WATCHER_COUNT; i++) {
        while (!read_part(&watchers[i], &w, 50)) {
        }
    }
    /* About 20,000 candidates have left by then, of which the log keeps some thousands. */
    cs_front_cursor cursor;
    ck_assert(!cs_front_seek(w.front, 1, &cursor));
    ck_assert(cs_front_seek(w.front, w.progress.generation - 5, &cursor));
    watcher long_away = {.held = watchers[0].held, .placed = true, .have_given = true};
    drop_all(&long_away);
    while (!read_part(&long_away, &w, 100)) {
    }
    ck_assert_uint_eq(long_away.losses, 1);
    watchers_release(watchers);
    world_release(&w);
}
END_TEST

START_TEST(test_an_empty_front_is_complete_at_once)
{
    world w = world_of(1);
    watcher self = {.held = calloc(MAX_INDICES, sizeof *self.held)};
    ck_assert(read_part(&self, &w, 10));
    advance(&w, 20, 0, 0); /* nothing entered */
    ck_assert(read_part(&self, &w, 10));
    ck_assert_uint_eq(self.have, 1);
    advance(&w, 20, 100, 100); /* all that came went at once: nobody is to hear of it */
    cs_front_delta delta;
    ck_assert(cs_front_next(w.front, &self.cursor, 10, &delta));
    ck_assert(delta.complete);
    ck_assert_uint_eq(delta.added_count, 0);
    ck_assert_uint_eq(delta.removed_count, 0);
    free(self.held);
    world_release(&w);
}
END_TEST

START_TEST(test_a_generation_that_is_none_cannot_be_sought)
{
    world w = world_of(1);
    cs_front_cursor cursor;
    ck_assert(cs_front_seek(w.front, 0, &cursor));
    ck_assert(!cs_front_seek(w.front, 1, &cursor));
    advance(&w, 20, 50, 0);
    ck_assert(cs_front_seek(w.front, 1, &cursor));
    ck_assert(!cs_front_seek(w.front, 2, &cursor));
    ck_assert(!cs_front_seek(w.front, UINT64_MAX, &cursor));
    world_release(&w);
}
END_TEST

static cs_buffer save(const cs_front *front)
{
    cs_buffer blob = {0};
    cs_front_save(front, &blob);
    ck_assert(!blob.failed);
    return blob;
}

static void load_instead(world *w)
{
    cs_error err;
    cs_buffer blob = save(w->front);
    cs_front *loaded = cs_front_load(blob.data, blob.size, GENOME_BYTES, METRICS, &err);
    ck_assert_msg(loaded != NULL, "%s", err.text);
    cs_buffer again = save(loaded);
    ck_assert_uint_eq(again.size, blob.size);
    ck_assert_mem_eq(again.data, blob.data, blob.size);
    ck_assert_mem_eq(cs_front_progress(loaded), &w->progress, sizeof w->progress);
    cs_front_free(w->front);
    w->front = loaded;
    cs_buffer_release(&blob);
    cs_buffer_release(&again);
}

START_TEST(test_a_loaded_front_goes_on)
{
    world w = world_of((uint64_t)_i);
    watcher watchers[WATCHER_COUNT];
    watchers_init(watchers);
    for (int generation = 0; generation < 120; generation++) {
        if (chance(&w, 10)) {
            load_instead(&w);
            for (int i = 0; i < WATCHER_COUNT; i++) {
                watchers[i].placed = false;
            }
        }
        advance(&w, 20, 40, 10);
        watch_a_while(watchers, WATCHER_COUNT, &w);
    }
    load_instead(&w);
    cs_front_cursor cursor;
    ck_assert(cs_front_seek(w.front, w.progress.generation, &cursor));
    ck_assert(!cs_front_seek(w.front, w.progress.generation - 1, &cursor));
    watchers_release(watchers);
    world_release(&w);
}
END_TEST

static void expect_refused(const void *blob, size_t size, uint32_t genome_bytes,
                           uint32_t metric_count)
{
    cs_error err = {0};
    cs_front *front = cs_front_load(blob, size, genome_bytes, metric_count, &err);
    ck_assert_ptr_null(front);
    ck_assert_int_eq(err.status, CS_ECORRUPT);
}

START_TEST(test_a_damaged_blob_is_refused)
{
    world w = world_of(3);
    for (int i = 0; i < 10; i++) {
        advance(&w, 20, 50, 10);
    }
    ck_assert_uint_ge(w.count, 2);
    cs_buffer blob = save(w.front);
    for (size_t size = 0; size < blob.size; size++) {
        uint8_t *cut = malloc(size ? size : 1); /* so that reading beyond it is seen */
        memcpy(cut, blob.data, size);
        expect_refused(cut, size, GENOME_BYTES, METRICS);
        free(cut);
    }
    expect_refused(blob.data, blob.size, GENOME_BYTES + 1, METRICS);
    expect_refused(blob.data, blob.size, GENOME_BYTES, METRICS - 1);
    cs_buffer_put_u8(&blob, 0);
    expect_refused(blob.data, blob.size, GENOME_BYTES, METRICS);
    cs_buffer_release(&blob);
    world_release(&w);
}
END_TEST

/* No sum guards a front's blob (SQLite's pages are checked elsewhere): a flipped bit may pass, but
 * what is loaded is a front, with as many rows as it says. */
START_TEST(test_flipped_bits_are_refused_or_make_a_front)
{
    world w = world_of(4);
    for (int i = 0; i < 10; i++) {
        advance(&w, 20, 50, 10);
    }
    cs_buffer blob = save(w.front);
    uint32_t refused = 0;
    for (size_t bit = 0; bit < blob.size * 8; bit++) {
        cs_error err;
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cs_front *front = cs_front_load(blob.data, blob.size, GENOME_BYTES, METRICS, &err);
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused += !front;
        if (front) {
            cs_front_cursor cursor = cs_front_start(front);
            cs_front_delta delta;
            ck_assert(cs_front_next(front, &cursor, SIZE_MAX, &delta));
            ck_assert_uint_eq(delta.added_count, w.count);
            for (size_t i = 1; i < delta.added_count; i++) {
                ck_assert_uint_gt(delta.indices[i], delta.indices[i - 1]);
            }
        }
        cs_front_free(front);
    }
    ck_assert_uint_gt(refused, 9 * 8); /* the head, at least */
    cs_buffer_release(&blob);
    world_release(&w);
}
END_TEST

START_TEST(test_a_record_out_of_turn_is_refused_and_changes_nothing)
{
    world w = world_of(5);
    cs_buffer skipped = {0};
    advance(&w, 20, 50, 10);
    next_record(&w, 20, 50, 10, &skipped);
    cs_buffer late = {0};
    next_record(&w, 20, 50, 10, &late);
    cs_buffer before = save(w.front);

    cs_record record;
    cs_error err = {0};
    ck_assert(!cs_record_read(late.data, late.size, GENOME_BYTES, METRICS, &record, &err));
    ck_assert_int_eq(cs_front_apply(w.front, &record, &err), CS_ECORRUPT);
    ck_assert_int_eq(err.status, CS_ECORRUPT);
    record.progress.generation--; /* the right number, but candidates are missing */
    ck_assert_int_eq(cs_front_apply(w.front, &record, &err), CS_ECORRUPT);
    cs_buffer after = save(w.front);
    ck_assert_uint_eq(after.size, before.size);
    ck_assert_mem_eq(after.data, before.data, before.size);

    apply(w.front, &skipped);
    apply(w.front, &late);
    ck_assert_uint_eq(cs_front_progress(w.front)->generation, 3);
    cs_buffer_release(&skipped);
    cs_buffer_release(&late);
    cs_buffer_release(&before);
    cs_buffer_release(&after);
    world_release(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front");
    TCase *tcase = tcase_create("front");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_deltas_add_up_to_the_front, 0, 6);
    tcase_add_loop_test(tcase, test_a_watcher_who_was_away_for_too_long_starts_afresh, 0, 1);
    tcase_add_test(tcase, test_an_empty_front_is_complete_at_once);
    tcase_add_test(tcase, test_a_generation_that_is_none_cannot_be_sought);
    tcase_add_loop_test(tcase, test_a_loaded_front_goes_on, 0, 4);
    tcase_add_test(tcase, test_a_damaged_blob_is_refused);
    tcase_add_test(tcase, test_flipped_bits_are_refused_or_make_a_front);
    tcase_add_test(tcase, test_a_record_out_of_turn_is_refused_and_changes_nothing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
