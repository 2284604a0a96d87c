/* The life of jobs and of the server, as users see it: real daemon, real client, real sockets. */
#include "peer.h"
#include "site.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <zmq.h>

#define SUITE "lifecycle"

/* A search that ends only when it is told to. */
#define ENDLESS "evaluations=1000000000000L", "keep=front", "batch=100"

static const char *number(uint64_t job)
{
    return site_text("%llu", (unsigned long long)job);
}

/* A number in a JSON object. */
static json_int_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_integer(value), "%s is no whole number", key);
    return json_integer_value(value);
}

static const char *string(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_string(value), "%s is no text", key);
    return json_string_value(value);
}

static json_t *parse(char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    ck_assert_msg(value != NULL, "line %d: %s", error.line, error.text);
    free(text);
    return value;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

START_TEST(test_life)
{
    site here;
    site_open(&here, SUITE, "life");
    site_start(&here, NULL);
    char *pong = site_ask_ok("ping", NULL);
    ck_assert_ptr_nonnull(strstr(pong, "codesignd "));
    free(pong);

    answer watched = site_ask("submit-job", SITE_JOB, "--set", "evaluations=1500", "--name",
                              "first", "--watch", NULL);
    ck_assert_msg(watched.code == 0, "%s", watched.err);
    ck_assert_ptr_nonnull(strstr(watched.out, "job 1 submitted"));
    ck_assert_ptr_nonnull(strstr(watched.out, "evaluations (100.0 %)"));
    ck_assert_ptr_nonnull(strstr(watched.out, "front of job 1"));
    answer_free(&watched);

    json_t *jobs = parse(site_ask_ok("list-jobs", "--format", "json", NULL));
    ck_assert_uint_eq(json_array_size(jobs), 1);
    const json_t *job = json_array_get(jobs, 0);
    ck_assert_str_eq(string(job, "name"), "first");
    ck_assert_str_eq(string(job, "state"), "done");
    ck_assert_int_eq(integer(job, "evaluations"), 1500);
    json_int_t front_size = integer(job, "front_size");
    ck_assert_int_gt(front_size, 10);
    json_decref(jobs);

    char *csv = site_front(1);
    ck_assert_uint_eq(count_lines(csv), (size_t)front_size + 1);
    ck_assert_int_eq(strncmp(csv, "rank,candidate,", 15), 0);
    json_t *front = parse(site_ask_ok("show-front", "1", "--format", "json", NULL));
    ck_assert_uint_eq(json_array_size(front), (size_t)front_size);
    for (size_t i = 0; i < json_array_size(front); i++) {
        const json_t *row = json_array_get(front, i);
        ck_assert_int_eq(integer(row, "rank"), (json_int_t)i + 1);
        ck_assert_ptr_nonnull(strstr(csv, site_text("\n%zu,%s,", i + 1, string(row, "candidate"))));
        ck_assert(json_number_value(json_object_get(row, "area_ratio")) <= 1.0);
    }
    json_decref(front);
    free(csv);

    json_t *detail = parse(site_ask_ok("show-job", "1", "--format", "json", NULL));
    ck_assert_str_eq(string(detail, "simulator"), "analytic");
    ck_assert_str_eq(string(detail, "text_name"), "joint.conf");
    ck_assert_uint_eq(json_array_size(json_object_get(detail, "files")), 4);
    json_decref(detail);

    answer missing = site_ask("show-job", "99", NULL);
    ck_assert_int_eq(missing.code, 4);
    answer_free(&missing);
    ck_assert_uint_lt(site_stop(&here), SITE_STOP_MS);
    site_close(&here);
}
END_TEST

/* Page after page there is every candidate once, in order. */
static void check_candidates(uint64_t job, const char *limit, json_int_t total)
{
    json_int_t next = 0;
    for (;;) {
        char *text =
            next ? site_ask_ok("list-candidates", number(job), "--format", "json", "--limit", limit,
                               "--after", site_text("%lld", (long long)next - 1), NULL)
                 : site_ask_ok("list-candidates", number(job), "--format", "json", "--limit", limit,
                               NULL);
        json_t *rows = parse(text);
        size_t count = json_array_size(rows);
        for (size_t i = 0; i < count; i++) {
            const json_t *row = json_array_get(rows, i);
            ck_assert_int_eq(integer(row, "index"), next);
            ck_assert_str_eq(string(row, "candidate"),
                             site_text("%llu/%lld", (unsigned long long)job, (long long)next));
            ck_assert_ptr_nonnull(json_object_get(row, "outcome"));
            next++;
        }
        json_decref(rows);
        if (count == 0) {
            break;
        }
    }
    ck_assert_int_eq(next, total);
}

START_TEST(test_candidates)
{
    site here;
    peer eye;
    site_open(&here, SUITE, "candidates");
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    uint64_t job = site_submit("evaluations=1230", "batch=70", NULL);
    peer_wait_state(&eye, job, CODESIGN__JOB_STATE__DONE);
    check_candidates(job, "100", 1230); /* pages that end within generations */
    check_candidates(job, "5000", 1230);

    uint64_t brief = site_submit("evaluations=1230", "keep=front", NULL);
    peer_wait_state(&eye, brief, CODESIGN__JOB_STATE__DONE);
    answer said = site_ask("list-candidates", number(brief), "--format", "csv", NULL);
    ck_assert_int_eq(said.code, 0);
    ck_assert_msg(strstr(said.err, "keep = \"front\"") != NULL, "it does not say so: %s", said.err);
    ck_assert_uint_gt(count_lines(said.out), 10);
    ck_assert_uint_lt(count_lines(said.out), 1230);
    answer_free(&said);
    peer_close(&eye);
    site_close(&here);
}
END_TEST

/* What --export wrote is the whole job: another server, without a library, makes the same of it. */
START_TEST(test_export)
{
    site here;
    peer eye;
    site_open(&here, SUITE, "export");
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    uint64_t job = site_submit("evaluations=1200", "seed=99", "engine_options.population=40", NULL);
    peer_wait_state(&eye, job, CODESIGN__JOB_STATE__DONE);
    char *front = site_front(job);
    free(site_ask_ok("show-job", number(job), "--export", "bundle", NULL));
    answer again = site_ask("show-job", number(job), "--export", "bundle", NULL);
    ck_assert_int_eq(again.code, 6); /* never over something */
    answer_free(&again);
    peer_close(&eye);
    site_stop(&here);

    site_start(&here, &(site_daemon){.sets = (const char *const[]){"state_directory=elsewhere",
                                                                   "library=state", NULL}});
    peer_open(&eye, ZMQ_DEALER);
    free(site_ask_ok("submit-job", "bundle", NULL));
    peer_wait_state(&eye, 1, CODESIGN__JOB_STATE__DONE);
    char *same = site_front(1);
    ck_assert_str_eq(front, same);
    free(front);
    free(same);
    peer_close(&eye);
    site_close(&here);
}
END_TEST

/* A verb on a job, and the time that it took. */
static void change(const char *verb, uint64_t job, const char *says)
{
    answer said = site_ask(verb, number(job), NULL);
    ck_assert_msg(said.code == 0, "%s: %s", verb, said.err);
    ck_assert_msg(strstr(said.out, says) != NULL, "%s says: %s", verb, said.out);
    ck_assert_msg(said.ms < SITE_ANSWER_MS, "%s took %d ms", verb, (int)said.ms);
    answer_free(&said);
}

START_TEST(test_changes)
{
    site here;
    peer eye;
    const Codesign__Job *job;
    site_open(&here, SUITE, "changes");
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    uint64_t first = site_submit(ENDLESS, NULL);
    uint64_t second = site_submit(ENDLESS, "seed=2", NULL);
    for (uint64_t round = 1; round <= 3; round++) {
        peer_wait_evaluations(&eye, first, round * 1000);
        change("pause-job", first, "is paused");
        Codesign__Reply *reply = peer_job(&eye, first, &job);
        uint64_t paused_at = job->evaluations;
        peer_free(reply);
        peer_wait_evaluations(&eye, second, round * 2000);
        reply = peer_job(&eye, first, &job);
        ck_assert_uint_eq(job->evaluations, paused_at);
        ck_assert_int_eq(job->state, CODESIGN__JOB_STATE__PAUSED);
        peer_free(reply);
        change("pause-job", first, "is paused"); /* once more is no error */
        answer resumed = site_ask("resume-job", number(first), NULL);
        ck_assert_int_eq(resumed.code, 0);
        answer_free(&resumed);
        peer_wait_evaluations(&eye, first, paused_at + 500);
    }
    change("cancel-job", first, "is cancelled");
    change("pause-job", second, "is paused");
    change("cancel-job", second, "is cancelled");
    answer said = site_ask("resume-job", number(first), NULL);
    ck_assert_int_eq(said.code, 6);
    answer_free(&said);
    said = site_ask("watch-job", number(first), NULL);
    ck_assert_int_eq(said.code, 21);
    answer_free(&said);
    peer_close(&eye);
    site_close(&here);
}
END_TEST

/* Three jobs at a time with one worker, two running: stopped in the middle, several times, they end
 * as if nothing had been. */
START_TEST(test_stop_and_go)
{
    site here;
    peer eye;
    site_open(&here, SUITE, "stop");
    site_daemon how = {.sets = (const char *const[]){"running_jobs=2", NULL}};
    char *fronts[3], *again[3];
    uint64_t stops = 0;
    for (int disturbed = 0; disturbed < 2; disturbed++) {
        site_start(&here, &how);
        for (int i = 0; i < 3; i++) {
            ck_assert_uint_eq(site_submit("evaluations=12000", "batch=30", "keep=front",
                                          site_text("seed=%d", i + 1), NULL),
                              (uint64_t)i + 1);
        }
        for (uint64_t round = 1; disturbed && round <= 4; round++) {
            peer_open(&eye, ZMQ_DEALER);
            peer_wait_evaluations(&eye, 1, round * 2000);
            peer_close(&eye);
            uint64_t took = site_stop(&here);
            ck_assert_msg(took < SITE_STOP_MS, "SIGTERM took %d ms", (int)took);
            stops++;
            site_start(&here, &how);
        }
        peer_open(&eye, ZMQ_DEALER);
        for (uint64_t i = 0; i < 3; i++) {
            peer_wait_state(&eye, i + 1, CODESIGN__JOB_STATE__DONE);
            char **into = disturbed ? again : fronts;
            into[i] = site_front(i + 1);
        }
        peer_close(&eye);
        site_stop(&here);
        ck_assert_int_eq(rename("state", disturbed ? "disturbed" : "undisturbed"), 0);
    }
    ck_assert_uint_eq(stops, 4);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(fronts[i], again[i]);
        free(fronts[i]);
        free(again[i]);
    }
    site_close(&here);
}
END_TEST

/* A daemon that must refuse to start: status 1, and a log that says why. */
static void check_refused(const site_daemon *how, int code, const char *why)
{
    remove("refused-log");
    int status = site_wait(site_spawn("refused-log", how));
    char *log = site_read("refused-log", NULL);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "status %x: %s", status, log);
    ck_assert_msg(strstr(log, why) != NULL, "it says: %s", log);
    free(log);
}

START_TEST(test_second_daemon)
{
    site here;
    site_open(&here, SUITE, "second");
    site_start(&here, NULL);
    check_refused(&(site_daemon){.sets = (const char *const[]){"endpoint=ipc://other", NULL}}, 1,
                  "codesignd.lock");
    check_refused(&(site_daemon){.sets = (const char *const[]){"state_directory=other", NULL}}, 1,
                  "socket.lock");
    /* The first has lost nothing by it. */
    peer eye;
    peer_open(&eye, ZMQ_DEALER);
    peer_wait_state(&eye, site_submit("evaluations=200", NULL), CODESIGN__JOB_STATE__DONE);
    peer_close(&eye);
    site_kill(&here);
    site_start(&here, NULL); /* locks of the dead do not last */
    site_close(&here);
}
END_TEST

START_TEST(test_network_file_system)
{
    site here;
    site_open(&here, SUITE, "nfs");
    static const char *const environment[] = {
        "LD_PRELOAD=" CODESIGN_BINARY_DIR "/tests/system/libseem_nfs.so", NULL};
    check_refused(&(site_daemon){.environment = environment}, 1, "NFS");
    site_close(&here);
}
END_TEST

START_TEST(test_configuration)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"workers = 2;\nwrokers = 3;\n", "bad.conf:2: wrokers: unknown key"},
        {"workers = 1025;\n", "bad.conf:1: workers: must be a whole number from 0 to 1024"},
        {"\n\nworkers = \"two\";\n", "bad.conf:3: workers"},
        {"workers = 1.5;\n", "bad.conf:1: workers"},
        {"synchronous = \"sometimes\";\n", "bad.conf:1: synchronous: must be one of normal, full"},
        {"endpoint = \"tcp://*:5555\";\n", "bad.conf:1: endpoint: must be ipc://PATH"},
        {"state_directory = \"\";\n", "bad.conf:1: state_directory"},
        {"workers = 2\n  running_jobs 3;\n", "bad.conf:2: "},
        {"@include \"/etc/passwd\"\n", "bad.conf:1: "},
    };
    site here;
    site_open(&here, SUITE, "configuration");
    static const char example[] = CODESIGN_SOURCE_DIR "/configs/daemon/codesignd.conf";
    answer said = site_run((const char *const[]){SITE_DAEMON, "--check-config", example, NULL});
    ck_assert_msg(said.code == 0, "%s", said.err);
    ck_assert_ptr_nonnull(strstr(said.out, "ok"));
    answer_free(&said);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        site_write("bad.conf", bad[i].text);
        said = site_run((const char *const[]){SITE_DAEMON, "--check-config", "bad.conf", NULL});
        ck_assert_int_eq(said.code, 2);
        ck_assert_msg(strstr(said.err, bad[i].why) != NULL, "%s: says %s", bad[i].text, said.err);
        answer_free(&said);
    }
    check_refused(&(site_daemon){.sets = (const char *const[]){"colour=red", NULL}}, 2, "colour");
    said = site_run((const char *const[]){SITE_DAEMON, "--check-config", "absent.conf", NULL});
    ck_assert_int_eq(said.code, 2);
    answer_free(&said);
    for (const char *const *option = (const char *const[]){"--version", "--help", NULL}; *option;
         option++) {
        said = site_run((const char *const[]){SITE_DAEMON, *option, NULL});
        ck_assert_int_eq(said.code, 0);
        ck_assert_uint_gt(said.out_size, 0);
        answer_free(&said);
    }
    site_close(&here);
}
END_TEST

int main(void)
{
    return site_main(SUITE, 120,
                     (const TTest *const[]){test_life, test_candidates, test_export, test_changes,
                                            test_stop_and_go, test_second_daemon,
                                            test_network_file_system, test_configuration, NULL});
}
