/* The same job gives the same bytes: with any number of workers, whatever else runs, with OpenBLAS
 * on other kernels; and a simulator of another revision is not mixed in unasked. */
#include "peer.h"
#include "site.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define SUITE "determinism"

/* The front of the job, after a run of its own in state directory `state`. */
static char *front_of(site *here, const char *state, const char *workers,
                      const char *const *environment, bool crowded)
{
    peer eye;
    const char *const sets[] = {site_text("state_directory=%s", state), workers, NULL};
    site_start(here, &(site_daemon){.sets = sets, .environment = environment});
    peer_open(&eye, ZMQ_DEALER);
    uint64_t job = site_submit("evaluations=6000", "batch=64", NULL);
    for (int i = 0; crowded && i < 4; i++) {
        (void)site_submit("evaluations=4000", "keep=front", site_text("seed=%d", i + 100), NULL);
    }
    peer_wait_state(&eye, job, CODESIGN__JOB_STATE__DONE);
    char *front = site_front(job);
    peer_close(&eye);
    site_stop(here);
    return front;
}

START_TEST(test_same_bytes)
{
    static const char *const haswell[] = {"OPENBLAS_CORETYPE=Haswell", NULL};
    static const char *const prescott[] = {"OPENBLAS_CORETYPE=Prescott", "LC_ALL=tr_TR.UTF-8",
                                           NULL};
    static const struct {
        const char *workers;
        const char *const *environment;
        bool crowded;
    } others[] = {
        {"workers=2", NULL, true},
        {"workers=3", NULL, false},
        {"workers=7", prescott, true},
        {"workers=1", haswell, false},
    };
    site here;
    site_open(&here, SUITE, "same");
    char *front = front_of(&here, "alone", "workers=1", NULL, false);
    ck_assert_ptr_nonnull(strstr(front, "\n10,"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *other = front_of(&here, site_text("other%zu", i), others[i].workers,
                               others[i].environment, others[i].crowded);
        ck_assert_msg(strcmp(front, other) == 0, "another front with %s", others[i].workers);
        free(other);
    }
    free(front);
    site_close(&here);
}
END_TEST

/* Change the stopped daemon's database. */
static void execute(const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    ck_assert_int_eq(sqlite3_open_v2("state/codesign.db", &db, SQLITE_OPEN_READWRITE, NULL),
                     SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
    ck_assert_int_gt(sqlite3_total_changes(db), 0);
    sqlite3_close(db);
}

START_TEST(test_other_revision)
{
    site here;
    peer eye;
    const Codesign__Job *job;
    site_open(&here, SUITE, "revision");
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    uint64_t done = site_submit("evaluations=300", NULL);
    uint64_t going = site_submit("evaluations=1000000000000L", "keep=front", NULL);
    peer_wait_state(&eye, done, CODESIGN__JOB_STATE__DONE);
    peer_wait_evaluations(&eye, going, 1000);
    char *before = site_front(done);
    peer_close(&eye);
    site_stop(&here);
    execute("UPDATE basis SET revision = revision + 1000");

    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    Codesign__Reply *reply = peer_job(&eye, going, &job);
    ck_assert_int_eq(job->state, CODESIGN__JOB_STATE__PAUSED);
    ck_assert_msg(strncmp(job->reason, "simulator changed", 17) == 0, "%s", job->reason);
    ck_assert(!job->mixed);
    uint64_t evaluations = job->evaluations;
    peer_free(reply);
    char *after = site_front(done); /* what has ended is what it was */
    ck_assert_str_eq(before, after);
    free(before);
    free(after);

    const char *number = site_text("%llu", (unsigned long long)going);
    answer said = site_ask("resume-job", number, NULL);
    ck_assert_int_eq(said.code, 6);
    ck_assert_ptr_nonnull(strstr(said.err, "--with-current"));
    answer_free(&said);
    free(site_ask_ok("resume-job", number, "--with-current", NULL));
    peer_wait_evaluations(&eye, going, evaluations + 500);
    reply = peer_job(&eye, going, &job);
    ck_assert(job->mixed);
    peer_free(reply);
    char *front = site_front(going);
    char *end = strchr(front, '\n'), *row_end = strchr(end + 1, '\n');
    ck_assert_msg(end - front > 6 && strncmp(end - 6, ",mixed", 6) == 0, "%s", front);
    ck_assert(strncmp(row_end - 5, ",true", 5) == 0);
    free(front);
    said = site_ask("show-front", number, NULL);
    ck_assert_msg(strstr(said.out, "mixed") != NULL, "the table does not say so: %s", said.out);
    answer_free(&said);

    /* It stays marked, and goes on by itself after the next start. */
    peer_close(&eye);
    site_stop(&here);
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    peer_wait_evaluations(&eye, going, evaluations + 1000);
    reply = peer_job(&eye, going, &job);
    ck_assert(job->mixed);
    peer_free(reply);
    peer_close(&eye);
    site_close(&here);
}
END_TEST

int main(void)
{
    return site_main(SUITE, 120,
                     (const TTest *const[]){test_same_bytes, test_other_revision, NULL});
}
