/* Kills: a daemon that dies by SIGKILL at its n-th write, sync or send (kill_at.c), n random, is
 * started again and again, and ends with the front of one that was left alone.
 *
 * A kill counts when it hits the job while it runs, at least one stored generation further on than
 * the kill before; $CODESIGN_KILLS (5) is how many must count, $CODESIGN_KILL_SEED (1) chooses
 * them. Meanwhile small jobs are submitted: what was accepted must be there ever after. */
#include "peer.h"
#include "site.h"

#include "base/random.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#define SUITE "kills"

#define BATCH              10
#define GENERATIONS_A_KILL 12
#define FIRST_RANGE        400u /* of n: about what a start and a few generations take */

typedef struct harness {
    site here;
    cs_random random;
    uint64_t seed;
    uint32_t kills;           /* wanted */
    uint32_t effective, idle; /* kills that counted, and others */
    uint32_t range;           /* n is from 1 to this */
    uint64_t generation;      /* stored at the last kill that counted */
    uint64_t accepted;        /* jobs 1 to this have been accepted */
    uint64_t lost_answers;    /* submissions whose answer did not come */
} harness;

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* Submit the job that is killed: long enough for all kills, also where a slow machine lets it go
 * far between them. */
static void submit_job(const harness *self)
{
    uint64_t evaluations = (uint64_t)BATCH * GENERATIONS_A_KILL * (4 * self->kills + 20);
    ck_assert_uint_eq(site_submit(site_text("evaluations=%llu", (unsigned long long)evaluations),
                                  site_text("batch=%d", BATCH), NULL),
                      1);
}

static void copy_file(const char *from, const char *to)
{
    size_t size;
    char *bytes = site_read(from, &size);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ck_assert_int_ge(fd, 0);
    for (size_t at = 0; at < size;) {
        ssize_t put = pwrite(fd, bytes + at, size - at, (off_t)at);
        ck_assert_int_gt(put, 0);
        at += (size_t)put;
    }
    close(fd);
    free(bytes);
}

static uint64_t query(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *rows;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    ck_assert_msg(sqlite3_step(rows) == SQLITE_ROW, "%s", sqlite3_errmsg(db));
    uint64_t value = (uint64_t)sqlite3_column_int64(rows, 0);
    sqlite3_finalize(rows);
    return value;
}

/* What the killed daemon has left, looked at in a copy so that nothing is mended for the next one:
 * stored generations of job 1, whether it still runs, and all jobs. */
static void look(uint64_t *generations, bool *runs, uint64_t *jobs)
{
    sqlite3 *db;
    copy_file("state/codesign.db", "copy.db");
    remove("copy.db-wal");
    if (access("state/codesign.db-wal", F_OK) == 0) {
        copy_file("state/codesign.db-wal", "copy.db-wal");
    }
    ck_assert_int_eq(sqlite3_open_v2("copy.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (query(db, "SELECT count(*) FROM sqlite_master WHERE name = 'job'") == 0) {
        *generations = *jobs = 0; /* died before there was anything */
        *runs = false;
    } else {
        *generations = query(db, "SELECT count(*) FROM generation WHERE id >> 40 = 1");
        *runs = query(db, "SELECT count(*) FROM job WHERE id = 1 AND state = 1") == 1;
        *jobs = query(db, "SELECT count(*) FROM job");
        ck_assert_uint_eq(*jobs, query(db, "SELECT ifnull(max(id), 0) FROM job"));
        sqlite3_stmt *rows;
        ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA quick_check", -1, &rows, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_step(rows), SQLITE_ROW);
        ck_assert_str_eq((const char *)sqlite3_column_text(rows, 0), "ok");
        sqlite3_finalize(rows);
    }
    sqlite3_close(db);
    remove("copy.db");
    remove("copy.db-wal");
    remove("copy.db-shm");
}

/* Something small for the daemon to accept while it may die; what it then says must be true. */
static void submit_beside(harness *self)
{
    answer said = site_ask("submit-job", SITE_JOB, "--format", "csv", "--timeout", "0.7", "--set",
                           "evaluations=20", "--set", "batch=10", NULL);
    if (said.code == 0) {
        uint64_t job = strtoull(said.out, NULL, 10);
        ck_assert_uint_gt(job, self->accepted);
        self->accepted = job;
    } else {
        self->lost_answers++;
    }
    answer_free(&said);
}

/* One daemon from its start to its kill, or to the end of its job: false. */
static bool run_once(harness *self)
{
    uint32_t n = 1 + cs_random_below(&self->random, self->range);
    const char *const environment[] = {"LD_PRELOAD=" CODESIGN_BINARY_DIR
                                       "/tests/system/libkill_at.so",
                                       site_text("CODESIGN_KILL_AT=%u", n), NULL};
    site_daemon how = {.sets = (const char *const[]){"commit_interval_ms=1", NULL},
                       .environment = environment};
    pid_t daemon = site_spawn("log", &how);
    int status = 0;
    bool ended = false;
    if (cs_random_below(&self->random, 4) == 0) {
        while (!(ended = site_wait_for(daemon, 0, &status)) && access("socket", F_OK) != 0) {
            site_rest();
        }
        if (!ended) {
            submit_beside(self);
        }
    }
    uint64_t end = site_now_ms() + SITE_PATIENCE_MS;
    while (!ended && !(ended = site_wait_for(daemon, 300, &status))) {
        ck_assert_uint_lt(site_now_ms(), end);
        /* Still there: either on its way to n, or at rest because the job is done. */
        answer said = site_ask("list-jobs", "--format", "csv", "--timeout", "5", NULL);
        bool done = said.code == 0 && strstr(said.out, "\n1,joint,done,");
        answer_free(&said);
        if (done && !(ended = site_wait_for(daemon, 0, &status))) {
            kill(daemon, SIGKILL);
            (void)site_wait(daemon);
            return false;
        }
    }
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                  "codesignd was not killed but ended with status %x, n = %u", status, n);
    remove("socket");
    uint64_t generations, jobs;
    bool runs;
    look(&generations, &runs, &jobs);
    ck_assert_msg(jobs >= self->accepted, "%d jobs were accepted, %d are there, n = %u",
                  (int)self->accepted, (int)jobs, n);
    ck_assert_uint_ge(generations, self->generation);
    if (runs && generations > self->generation) {
        uint64_t step = generations - self->generation;
        self->effective++;
        self->generation = generations;
        /* Aim for kills that leave enough of the job for those to come. */
        self->range -= step > GENERATIONS_A_KILL / 2 ? self->range / 8 : 0;
        printf("kill %u of %u: n = %u, generation %llu\n", self->effective, self->kills, n,
               (unsigned long long)generations);
        fflush(stdout);
    } else {
        self->idle++;
        self->range += self->range / 16 + 1;
    }
    ck_assert_uint_lt(self->idle, 200 + 20 * self->kills);
    return true;
}

START_TEST(test_kills)
{
    harness self = {.kills = (uint32_t)from_environment("CODESIGN_KILLS", 5),
                    .seed = from_environment("CODESIGN_KILL_SEED", 1),
                    .range = FIRST_RANGE,
                    .accepted = 1};
    peer eye;
    site *here = &self.here;
    cs_random_init(&self.random, self.seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
    site_open(here, SUITE, "kills");
    printf("%u kills, seed %llu\n", self.kills, (unsigned long long)self.seed);

    site_start(here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    submit_job(&self);
    peer_wait_state(&eye, 1, CODESIGN__JOB_STATE__DONE);
    char *front = site_front(1);
    peer_close(&eye);
    site_stop(here);
    ck_assert_int_eq(rename("state", "undisturbed"), 0);

    /* Accepted, and killed at once: the job is there from now on. */
    site_start(here, NULL);
    submit_job(&self);
    site_kill(here);
    uint64_t jobs;
    bool runs;
    look(&self.generation, &runs, &jobs);
    ck_assert_uint_eq(jobs, 1);
    while (self.effective < self.kills) {
        ck_assert_msg(run_once(&self), "the job ended after %u kills; seed %llu", self.effective,
                      (unsigned long long)self.seed);
    }

    site_start(here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    for (uint64_t job = 1; job <= self.accepted; job++) {
        peer_wait_state(&eye, job, CODESIGN__JOB_STATE__DONE);
    }
    char *again = site_front(1);
    ck_assert_msg(strcmp(front, again) == 0, "another front after %u kills; seed %llu", self.kills,
                  (unsigned long long)self.seed);
    printf("%u kills that counted, %u others, %llu jobs beside, %llu answers lost: same front\n",
           self.effective, self.idle, (unsigned long long)self.accepted - 1,
           (unsigned long long)self.lost_answers);
    free(front);
    free(again);
    peer_close(&eye);
    site_close(here);
}
END_TEST

int main(void)
{
    return site_main(SUITE, 3600, (const TTest *const[]){test_kills, NULL});
}
