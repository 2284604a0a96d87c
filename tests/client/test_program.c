/* codesign-client itself, against a server of one job: what it prints, where, and how it exits. */
#include "base/file.h"
#include "fake_server.h"
#include "proto/wire.h"

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the server's one job is like; what it answers to changes. */
typedef struct fake_behaviour {
    Codesign__JobState state;
    uint32_t refuse; /* every request with this status */
} fake_behaviour;

#define EVIL "evil\033[2J\xc2\x9b"

static const double metrics[] = {61.5, 0.25, 60, 0.125};
static uint64_t indices[] = {7, 9};

static void answer(fake_server *server, const fake_peer *peer, const Codesign__Request *request)
{
    const fake_behaviour *behaviour = server->state;
    if (!request) {
        return;
    }
    if (behaviour->refuse) {
        fake_send_error(server, peer, request->id, behaviour->refuse, "no, " EVIL);
        return;
    }
    Codesign__Job job = CODESIGN__JOB__INIT;
    job.job = 3;
    job.name = (char *)EVIL;
    job.owner = job.engine = (char *)"x";
    job.state = behaviour->state;
    job.evaluations = 50;
    job.budget = 100;
    job.generation = 5;
    Codesign__Job *jobs[] = {&job};
    char *choices[] = {(char *)"1", (char *)"2"};
    Codesign__Gene gene = CODESIGN__GENE__INIT;
    gene.name = (char *)"pes";
    gene.n_choices = 2;
    gene.choices = choices;
    Codesign__Gene *genes[] = {&gene};
    Codesign__Metric accuracy = CODESIGN__METRIC__INIT, latency = CODESIGN__METRIC__INIT;
    accuracy.key = (char *)"proxy_top1";
    accuracy.unit = accuracy.text = latency.text = (char *)"";
    accuracy.maximize = accuracy.objective = latency.objective = true;
    latency.key = (char *)"latency_ms";
    latency.unit = (char *)"ms";
    Codesign__Metric *both[] = {&accuracy, &latency};
    Codesign__Schema schema = CODESIGN__SCHEMA__INIT;
    schema.genome_bytes = 1;
    schema.n_genes = 1;
    schema.genes = genes;
    schema.n_metrics = 2;
    schema.metrics = both;
    Codesign__Candidates rows = CODESIGN__CANDIDATES__INIT;
    rows.n_index = 2;
    rows.index = indices;
    rows.has_genomes = true;
    rows.genomes = (ProtobufCBinaryData){2, (uint8_t *)"\0\1"};
    rows.n_metrics = 4;
    rows.metrics = (double *)metrics;

    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = request->id;
    uint8_t hash[CS_WIRE_KEY_BYTES * 2] = {0};
    Codesign__NamedFile text = CODESIGN__NAMED_FILE__INIT;
    text.name = (char *)"x.conf";
    text.hash = (ProtobufCBinaryData){sizeof hash, hash};
    Codesign__JobDetail detail = CODESIGN__JOB_DETAIL__INIT;
    Codesign__JobList list = CODESIGN__JOB_LIST__INIT;
    Codesign__CandidatePage page = CODESIGN__CANDIDATE_PAGE__INIT;
    Codesign__JobChanged changed = CODESIGN__JOB_CHANGED__INIT;
    Codesign__WatchEvent event = CODESIGN__WATCH_EVENT__INIT;
    switch (request->body_case) {
    case CODESIGN__REQUEST__BODY_PING:
        fake_send_pong(server, peer, request->id, EVIL);
        return;
    case CODESIGN__REQUEST__BODY_SUBMIT_JOB:
        fake_send_submitted(server, peer, request->id, 3);
        return;
    case CODESIGN__REQUEST__BODY_LIST_JOBS:
        list.n_jobs = 1;
        list.jobs = jobs;
        list.more = true; /* and never an end: the client has to see that */
        reply.body_case = CODESIGN__REPLY__BODY_JOB_LIST;
        reply.job_list = &list;
        break;
    case CODESIGN__REQUEST__BODY_SHOW_JOB:
        detail.job = &job;
        detail.schema = &schema;
        detail.text_name = detail.simulator = detail.space_size = (char *)"x";
        detail.text = &text;
        detail.bundle = text.hash;
        reply.body_case = CODESIGN__REPLY__BODY_JOB_DETAIL;
        reply.job_detail = &detail;
        break;
    case CODESIGN__REQUEST__BODY_LIST_CANDIDATES:
        page.candidates = &rows;
        page.has_next = true;
        page.next = request->list_candidates->from; /* no further */
        reply.body_case = CODESIGN__REPLY__BODY_CANDIDATE_PAGE;
        reply.candidate_page = &page;
        break;
    case CODESIGN__REQUEST__BODY_CHANGE_JOB:
        changed.job = &job;
        reply.body_case = CODESIGN__REPLY__BODY_JOB_CHANGED;
        reply.job_changed = &changed;
        break;
    case CODESIGN__REQUEST__BODY_WATCH:
        event.sequence = 1;
        event.job = &job;
        event.reset = true;
        event.added = &rows;
        event.complete = true;
        event.last = request->watch->once || behaviour->state != CODESIGN__JOB_STATE__PAUSED;
        reply.body_case = CODESIGN__REPLY__BODY_WATCH_EVENT;
        reply.watch_event = &event;
        break;
    default:
        return;
    }
    fake_send(server, peer, &reply);
}

/* Run the program; its exit code. What it printed is malloc'd. */
static int run(const char *endpoint, const char *arguments, char **out, char **err)
{
    char command[1000];
    snprintf(command, sizeof command, "%s --server %s %s >out.txt 2>err.txt", CODESIGN_CLIENT,
             endpoint, arguments);
    int status = system(command);
    size_t size;
    cs_error why = {0};
    *out = cs_file_read("out.txt", 1 << 20, &size, &why);
    *err = cs_file_read("err.txt", 1 << 20, &size, &why);
    ck_assert_msg(*out && *err && WIFEXITED(status), "%s: %s", command, why.text);
    /* No text of the server moves the cursor. */
    ck_assert_ptr_null(strchr(*out, '\033'));
    ck_assert_ptr_null(strchr(*err, '\033'));
    ck_assert_ptr_null(strstr(*out, "\xc2\x9b"));
    return WEXITSTATUS(status);
}

static void enter_folder(void)
{
    char folder[] = "test_program.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    static const char job[] = "name = \"x\";\n";
    cs_error err = {0};
    ck_assert_int_eq(cs_file_write("job.conf", job, sizeof job - 1, &err), CS_OK);
}

typedef struct run_case {
    const char *arguments;
    int code;
    const char *out, *err; /* part of it, or NULL */
    fake_behaviour behaviour;
} run_case;

#define DONE CODESIGN__JOB_STATE__DONE

static const run_case runs[] = {
    {"--help", 0, "Exit codes:", NULL, {DONE, 0}},
    {"--version", 0, "codesign-client 0.", NULL, {DONE, 0}},
    {"show-front --help", 0, "--all", NULL, {DONE, 0}},
    {"", 2, NULL, "a VERB is missing", {DONE, 0}},
    {"fly", 2, NULL, "'fly' is no verb", {DONE, 0}},
    {"show-job", 2, NULL, "which JOB?", {DONE, 0}},
    {"show-job 0", 2, NULL, "must be a whole number", {DONE, 0}},
    {"show-job 1 2", 2, NULL, "one JOB only", {DONE, 0}},
    {"ping --all", 2, NULL, "unrecognized option", {DONE, 0}},
    {"ping --format xml", 2, NULL, "--format: must be", {DONE, 0}},
    {"--timeout 0 ping", 2, NULL, "--timeout: must be", {DONE, 0}},
    {"submit-job job.conf --set novalue", 2, NULL, "KEY=VALUE", {DONE, 0}},
    {"submit-job none.conf", 4, NULL, "none.conf: No such file", {DONE, 0}},
    {"submit-job job.conf --set baseline=./x", 3, NULL, "--set baseline: ", {DONE, 0}},
    {"submit-job job.conf", 0, "job 3 submitted\n", NULL, {DONE, 0}},
    {"submit-job job.conf --format csv", 0, "3\n", NULL, {DONE, 0}},
    {"submit-job job.conf --name 7 --seed 5000000000 --format json",
     0,
     "{\"job\": 3}\n",
     NULL,
     {DONE, 0}},
    {"ping", 0, "evil\\x1b[2J\\u009b", NULL, {DONE, 0}},
    {"list-jobs", 0, "evil\\x1b[2J\\u009b", NULL, {DONE, 0}},
    {"list-jobs --format json", 0, "\"name\": \"evil\\u001b[2J\\u009b\"", NULL, {DONE, 0}},
    {"list-jobs --format csv", 0, "\n3,evil\\x1b[2J\\u009b,done,", NULL, {DONE, 0}},
    {"show-job 3", 0, "latency_ms  minimised [ms]", NULL, {DONE, 0}},
    {"show-front 3 --format csv",
     0,
     "rank,candidate,job,index,proxy_top1,latency_ms,pes,recalled,mixed\n"
     "1,3/7,3,7,61.5,0.25,1,false,false\n2,3/9,3,9,60,0.125,2,false,false\n",
     NULL,
     {DONE, 0}},
    {"show-front 3", 0, "2 in all\nproxy_top1: a short-schedule proxy", NULL, {DONE, 0}},
    {"list-candidates 3 --limit 5", 0, "3/9       feasible", NULL, {DONE, 0}},
    {"pause-job 3", 0, "job 3 is paused\n", NULL, {CODESIGN__JOB_STATE__PAUSED, 0}},
    {"cancel-job 3 --format csv", 0, "job,name,state,", NULL, {DONE, 0}},
    {"watch-job 3", 0, "50 of 100 evaluations (50.0 %)", NULL, {DONE, 0}},
    {"watch-job 3 --format json", 0, "\"candidate\": \"3/9\"", "50 of 100", {DONE, 0}},
    {"submit-job job.conf --watch --format csv", 0, "rank,", "job 3 submitted", {DONE, 0}},
    {"watch-job 3", 20, "failed", NULL, {CODESIGN__JOB_STATE__FAILED, 0}},
    {"watch-job 3", 21, "cancelled", NULL, {CODESIGN__JOB_STATE__CANCELLED, 0}},
    {"watch-job 3", 22, "paused", NULL, {CODESIGN__JOB_STATE__PAUSED, 0}},
    {"show-job 4", 4, NULL, "no, evil\\x1b[2J\\u009b\n", {DONE, CS_ENOENT}},
    {"submit-job job.conf", 3, NULL, "no, evil", {DONE, CS_EINVAL}},
    {"cancel-job 3", 6, NULL, "no, evil", {DONE, CS_ESTATE}},
    {"list-jobs", 7, NULL, "no, evil", {DONE, CS_ELIMIT}},
    {"list-jobs", 8, NULL, "no, evil", {DONE, CS_EPERM}},
    {"ping", 9, NULL, "no, evil", {DONE, CS_EVERSION}},
    {"ping", 1, NULL, "no, evil", {DONE, CS_EINTERNAL}},
};

START_TEST(prints_and_exits_as_documented)
{
    const run_case *row = &runs[_i];
    enter_folder();
    fake_server server;
    fake_server_start(&server, NULL, answer, (void *)&row->behaviour);
    char *out, *err;
    int code = run(server.endpoint, row->arguments, &out, &err);
    fake_server_stop(&server);
    ck_assert_msg(code == row->code, "%s: exit %d, not %d: %s", row->arguments, code, row->code,
                  err);
    ck_assert_msg(!row->out || strstr(out, row->out), "%s: stdout is '%s'", row->arguments, out);
    ck_assert_msg(!row->err || strstr(err, row->err), "%s: stderr is '%s'", row->arguments, err);
    if (strstr(row->arguments, "json")) {
        json_t *root = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(root != NULL, "%s", out);
        json_decref(root);
    }
    free(out);
    free(err);
}
END_TEST

START_TEST(an_absent_server_is_said)
{
    enter_folder();
    char *out, *err;
    ck_assert_int_eq(run("/nonexistent/x.sock", "ping", &out, &err), 5);
    ck_assert_ptr_nonnull(strstr(err, "is codesignd running?"));
    free(out);
    free(err);
    ck_assert_int_eq(run("tcp://127.0.0.1:1", "ping --timeout 0.2", &out, &err), 5);
    ck_assert_ptr_nonnull(strstr(err, "no answer in 0.2 s"));
    free(out);
    free(err);
    ck_assert_int_eq(run("nonsense", "ping", &out, &err), 3);
    free(out);
    free(err);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codesign-client");
    TCase *tests = tcase_create("codesign-client");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, prints_and_exits_as_documented, 0, sizeof runs / sizeof *runs);
    tcase_add_test(tests, an_absent_server_is_said);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
