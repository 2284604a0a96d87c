/* Whatever parts, merges, repetitions and reconnects a watch goes through, the replica's front is
 * one that the server had, at the number that the replica says. */
#include "base/random.h"
#include "client/replica.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define GENERATIONS  40
#define CANDIDATES   60 /* that any front is made of */
#define GENOME_BYTES 2
#define METRICS      2

/* The dumb twin: which candidates are on the front of each generation. */
typedef struct front_history {
    bool member[GENERATIONS][CANDIDATES];
} front_history;

static void make_history(front_history *history, cs_random *random)
{
    memset(history, 0, sizeof *history);
    for (int g = 1; g < GENERATIONS; g++) {
        for (int i = 0; i < CANDIDATES; i++) {
            bool flips = cs_random_below(random, 6) == 0;
            history->member[g][i] = history->member[g - 1][i] != flips;
        }
    }
}

/* An event under construction. */
typedef struct event_delta {
    uint64_t removed[2 * CANDIDATES], index[2 * CANDIDATES];
    uint8_t genomes[2 * CANDIDATES * GENOME_BYTES];
    double metrics[2 * CANDIDATES * METRICS];
    size_t n_removed, n_added;
} event_delta;

static void put_added(event_delta *delta, uint64_t index)
{
    size_t at = delta->n_added++;
    delta->index[at] = index;
    for (size_t i = 0; i < GENOME_BYTES; i++) {
        delta->genomes[at * GENOME_BYTES + i] = (uint8_t)(index * 3 + i);
    }
    for (size_t i = 0; i < METRICS; i++) {
        delta->metrics[at * METRICS + i] = (double)index / (double)(i + 1);
    }
}

static cs_status apply(cs_replica *replica, event_delta *delta, uint64_t generation, bool reset,
                       bool complete)
{
    Codesign__Job job = CODESIGN__JOB__INIT;
    job.generation = generation;
    Codesign__Candidates added = CODESIGN__CANDIDATES__INIT;
    added.n_index = delta->n_added;
    added.index = delta->index;
    added.has_genomes = true;
    added.genomes = (ProtobufCBinaryData){delta->n_added * GENOME_BYTES, delta->genomes};
    added.n_metrics = delta->n_added * METRICS;
    added.metrics = delta->metrics;
    Codesign__WatchEvent event = CODESIGN__WATCH_EVENT__INIT;
    event.job = &job;
    event.reset = reset;
    event.n_removed = delta->n_removed;
    event.removed = delta->removed;
    event.added = delta->n_added ? &added : NULL;
    event.complete = complete;
    cs_error err = {0};
    return cs_replica_apply(replica, &event, &err);
}

/* One assertion for a whole front: Check writes each of them to a pipe. */
static bool is_equal(const cs_replica *replica, const front_history *history)
{
    const cs_candidates *front = &replica->front;
    size_t row = 0;
    bool equal = true;
    for (uint64_t i = 0; i < CANDIDATES && equal; i++) {
        size_t found = cs_candidates_find(front, i);
        if (!history->member[replica->number][i]) {
            equal = found == SIZE_MAX;
            continue;
        }
        equal = found == row && front->index[row] == i &&
                front->genomes[row * GENOME_BYTES + 1] == (uint8_t)(i * 3 + 1) &&
                front->metrics[row * METRICS + 1] == (double)i / 2;
        row++;
    }
    return equal && row == front->count;
}

/* Send what turns generation `from` (-1: nothing) into `to`, in random parts, repeating some. *cut:
 * the connection is lost before the end. */
static void send_update(cs_replica *replica, const front_history *history, int from, int to,
                        cs_random *random, bool *cut)
{
    event_delta delta = {0};
    bool reset = from < 0;
    *cut = cs_random_below(random, 4) == 0;
    for (int i = 0; i < CANDIDATES; i++) {
        bool was = from >= 0 && history->member[from][i], is = history->member[to][i];
        if (was && !is) {
            delta.removed[delta.n_removed++] = (uint64_t)i;
        } else if (is && (!was || cs_random_below(random, 10) == 0)) {
            put_added(&delta, (uint64_t)i);
        } else if (!was && cs_random_below(random, 10) == 0) {
            delta.removed[delta.n_removed++] = (uint64_t)i; /* unknown to the client */
        }
        if (cs_random_below(random, 15) == 0) {
            for (uint32_t n = cs_random_below(random, 2); n < 2; n++) {
                ck_assert_int_eq(apply(replica, &delta, (uint64_t)to, reset, false), CS_OK);
            }
            reset = false;
            delta.n_removed = delta.n_added = 0;
        }
        if (*cut && cs_random_below(random, CANDIDATES) == 0) {
            return;
        }
    }
    if (!*cut) {
        ck_assert_int_eq(apply(replica, &delta, (uint64_t)to, reset, true), CS_OK);
    }
}

static void replicate(uint64_t seed)
{
    cs_random random;
    cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
    front_history history;
    make_history(&history, &random);
    cs_replica replica;
    cs_replica_init(&replica, GENOME_BYTES, METRICS);
    cs_error err = {0};
    int from = -1; /* what this connection has sent completely */
    for (int to = 0; to < GENERATIONS;) {
        bool cut;
        send_update(&replica, &history, from, to, &random, &cut);
        if (replica.complete) {
            ck_assert(is_equal(&replica, &history));
        }
        if (cut) {
            ck_assert_int_eq(cs_replica_rewind(&replica, &err), CS_OK);
            from = replica.complete ? (int)replica.number : -1;
        } else {
            ck_assert(replica.complete);
            ck_assert_uint_eq(replica.number, (uint64_t)to);
            from = to;
        }
        to += (int)cs_random_below(&random, 4); /* merged generations, or the same again */
        to = to == GENERATIONS && from < GENERATIONS - 1 ? GENERATIONS - 1 : to;
    }
    cs_replica_release(&replica);
}

START_TEST(equals_the_server_at_its_number)
{
    for (uint64_t seed = 0; seed < 25; seed++) {
        replicate((uint64_t)_i * 25 + seed);
    }
}
END_TEST

START_TEST(what_does_not_fit_changes_nothing)
{
    cs_replica replica;
    cs_replica_init(&replica, GENOME_BYTES, METRICS);
    event_delta good = {0};
    put_added(&good, 7);
    ck_assert_int_eq(apply(&replica, &good, 3, true, true), CS_OK);

    uint64_t index[2] = {1, 2};
    double metrics[4] = {1, 2, 3, 4};
    uint8_t bytes[4] = {0};
    Codesign__Job job = CODESIGN__JOB__INIT;
    job.generation = 9;
    for (int fault = 0; fault < 4; fault++) {
        Codesign__Candidates added = CODESIGN__CANDIDATES__INIT;
        added.n_index = 2;
        added.index = index;
        added.has_genomes = fault != 0;
        added.genomes = (ProtobufCBinaryData){fault == 1 ? 3 : 4, bytes};
        added.n_metrics = fault == 2 ? 2 : 4;
        added.metrics = metrics;
        added.has_status = fault == 3;
        added.status = (ProtobufCBinaryData){1, bytes};
        Codesign__WatchEvent event = CODESIGN__WATCH_EVENT__INIT;
        event.job = &job;
        event.added = &added;
        event.complete = true;
        cs_error err = {0};
        ck_assert_int_eq(cs_replica_apply(&replica, &event, &err), CS_ECORRUPT);
        ck_assert_uint_eq(replica.number, 3);
        ck_assert_uint_eq(replica.front.count, 1);
        ck_assert_uint_eq(replica.front.index[0], 7);
    }
    cs_replica_release(&replica);
}
END_TEST

START_TEST(the_last_row_of_an_index_counts)
{
    cs_replica replica;
    cs_replica_init(&replica, GENOME_BYTES, METRICS);
    event_delta twice = {0};
    put_added(&twice, 5);
    put_added(&twice, 5);
    twice.metrics[METRICS] = 42;
    ck_assert_int_eq(apply(&replica, &twice, 1, true, true), CS_OK);
    ck_assert_uint_eq(replica.front.count, 1);
    ck_assert_double_eq(replica.front.metrics[0], 42);
    cs_replica_release(&replica);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replica");
    TCase *tests = tcase_create("replica");
    tcase_add_loop_test(tests, equals_the_server_at_its_number, 0, 8);
    tcase_add_test(tests, what_does_not_fit_changes_nothing);
    tcase_add_test(tests, the_last_row_of_an_index_counts);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
