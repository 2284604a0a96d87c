/* Jobs that must be refused with file, line and reason before anything of them is stored. */
#include "peer.h"
#include "site.h"

#include "base/hash.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define SUITE "refusals"

/* A job file whose lines, from the fourth on, are a case's. */
#define HEAD                                                                                       \
    "name = \"bad\";\n"                                                                            \
    "baseline = \"nahas-baseline\"; technology = \"edge-22nm\";\n"                                 \
    "evaluations = 100;\n"

#define SPACES     "network_space = \"mnasnet\"; accelerator_space = \"nahas\";\n"
#define ACCURACY   "accuracy = \"mnasnet-proxy-top1\";\n"
#define OBJECTIVES "objectives = ({ metric = \"latency_ms\"; reference = 4; ideal = 0; });\n"

typedef struct bad_job {
    const char *text;  /* after HEAD */
    const char *where; /* file and line */
    const char *why;
} bad_job;

static const bad_job bad_jobs[] = {
    {SPACES OBJECTIVES "colour = 1;\n", "bad.conf:6: ", "unknown key"},
    {SPACES "objectives = (\n  { metric = \"latency_ms\"; reference = 4; idael = 0; });\n",
     "bad.conf:6: ", "unknown key"},
    {SPACES OBJECTIVES "batch = 0;\n", "bad.conf:6: batch: ", "must be a whole number from 1"},
    {SPACES OBJECTIVES "batch = \"fifty\";\n", "bad.conf:6: batch: ", "must be a whole number"},
    {SPACES OBJECTIVES "batch = 2.5;\n", "bad.conf:6: batch: ", "must be a whole number"},
    {SPACES OBJECTIVES "seed = 99999999999;\n", "bad.conf:6: ", ""},
    {SPACES OBJECTIVES "keep = \"some\";\n", "bad.conf:6: keep: ", "\"all\" or \"front\""},
    {SPACES OBJECTIVES "engine = \"guess\";\n", "bad.conf:6: engine: ", "there is no engine"},
    {SPACES OBJECTIVES "simulator = \"guess\";\n", "bad.conf:6: simulator: ", "no simulator"},
    {SPACES "objectives = ({ metric = \"latency_ms\"; reference = 0; ideal = 4; });\n",
     "bad.conf:5: ", "smaller"},
    {SPACES "objectives = ();\n", "bad.conf:5: objectives", "1 to"},
    {SPACES "objectives = ({ metric = \"beauty\"; reference = 0; ideal = 4; });\n",
     "bad.conf:5: ", "there is no metric"},
    {SPACES "objectives = ({ metric = \"proxy_top1\"; reference = 50; ideal = 75; });\n",
     "bad.conf:5: ", "needs a predictor"},
    {SPACES "objectives = ({ metric = \"area_mm2\"; reference = 50; ideal = 0; },\n"
            "  { metric = \"area_ratio\"; reference = 1; ideal = 0; });\n",
     "bad.conf:6: ", "two names for one objective"},
    {SPACES OBJECTIVES "limits = ({ metric = \"area_ratio\"; min = 2; max = 1; });\n",
     "bad.conf:6: ", "nothing can meet it"},
    {"network_space = \"mnasnet\"; accelerator_space = \"./absent.conf\";\n" OBJECTIVES,
     "bad.conf:4: accelerator_space: ", "absent.conf"},
    {"network_space = \"mnasnet\"; accelerator_space = \"absent\";\n" OBJECTIVES,
     "bad.conf:4: accelerator_space: ", "it has: mnasnet, nahas"},
    {"network_space = \"mnasnet\"; accelerator_space = \"..\";\n" OBJECTIVES,
     "bad.conf:4: accelerator_space: ", ""},
    {"network_space = \"mnasnet\"; accelerator_space = \"./none.conf\";\n" OBJECTIVES,
     "none.conf:4: parameters", "1 to"},
    {"network_space = \"mnasnet\"; accelerator_space = \"./empty.conf\";\n" OBJECTIVES,
     "empty.conf:5: ", "must hold 1 to"},
    {"network_space = \"nahas\"; accelerator_space = \"nahas\";\n" OBJECTIVES, "nahas",
     "must be \"network-space\""},
    {SPACES OBJECTIVES "@include \"/etc/passwd\"\n", "bad.conf:6: ", "@include"},
    {SPACES OBJECTIVES "batch = 50\nkeep 3;\n", "bad.conf:7: ", "syntax error"},
    {SPACES ACCURACY OBJECTIVES "batch = 10; batch = 20;\n", "bad.conf:7: ", "duplicate"},
};

#define SPACE_HEAD                                                                                 \
    "kind = \"accelerator-space\";\nname = \"bad\"; naming = \"nahas\";\nsource = \"none\";\n"

/* Rows of a table in the stopped daemon's database. */
static int count_rows(const char *table)
{
    sqlite3 *db;
    sqlite3_stmt *rows;
    ck_assert_int_eq(sqlite3_open_v2("state/codesign.db", &db, SQLITE_OPEN_READWRITE, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_prepare_v2(db, site_text("SELECT count(*) FROM %s", table), -1, &rows, NULL),
        SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(rows), SQLITE_ROW);
    int count = sqlite3_column_int(rows, 0);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    return count;
}

static void check_nothing_stored(site *here)
{
    char *jobs = site_ask_ok("list-jobs", NULL);
    ck_assert_str_eq(jobs, "no jobs\n");
    free(jobs);
    site_stop(here);
    ck_assert_int_eq(count_rows("job"), 0);
    ck_assert_int_eq(count_rows("file"), 0);
    ck_assert_int_eq(count_rows("basis"), 0);
}

START_TEST(test_bad_jobs)
{
    site here;
    site_open(&here, SUITE, "jobs");
    site_start(&here, NULL);
    site_write("none.conf", SPACE_HEAD "parameters = ();\n");
    site_write("empty.conf",
               SPACE_HEAD "parameters = (\n  { name = \"PEs_in_x_dimension\"; "
                          "kind = \"ordinal\"; values = []; provenance = \"chosen: so\"; "
                          "});\n");
    for (size_t i = 0; i < sizeof bad_jobs / sizeof *bad_jobs; i++) {
        const bad_job *bad = &bad_jobs[i];
        site_write("bad.conf", site_text("%s%s", HEAD, bad->text));
        answer said = site_ask("submit-job", "bad.conf", NULL);
        ck_assert_msg(said.code == 3 || said.code == 4, "exit code %d and %s for:\n%s", said.code,
                      said.err, bad->text);
        ck_assert_msg(strstr(said.err, bad->where) && strstr(said.err, bad->why),
                      "not '%s ... %s' but %s for:\n%s", bad->where, bad->why, said.err, bad->text);
        answer_free(&said);
    }
    answer said = site_ask("submit-job", SITE_JOB, "--set", "batch=0", NULL);
    ck_assert_int_eq(said.code, 3);
    ck_assert_ptr_nonnull(strstr(said.err, "batch"));
    answer_free(&said);
    said = site_ask("submit-job", "absent.conf", NULL);
    ck_assert_int_eq(said.code, 4);
    answer_free(&said);
    check_nothing_stored(&here);
    site_close(&here);
}
END_TEST

/* The same from a client that checks nothing by itself. */
static void submit_raw(peer *self, const char *text, Codesign__NamedFile **files, size_t count,
                       const char *why)
{
    static uint8_t key[16];
    key[0]++;
    Codesign__SubmitJob submit = CODESIGN__SUBMIT_JOB__INIT;
    submit.text_name = (char *)(uintptr_t) "bad.conf";
    submit.text = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    submit.files = files;
    submit.n_files = count;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_SUBMIT_JOB);
    request.submit_job = &submit;
    request.has_key = true;
    request.key = (ProtobufCBinaryData){sizeof key, key};
    Codesign__Reply *reply = peer_ask(self, &request, CODESIGN__REPLY__BODY_ERROR);
    ck_assert_msg(strstr(reply->error->text, why) != NULL, "not '%s' but '%s'", why,
                  reply->error->text);
    peer_free(reply);
}

START_TEST(test_raw_jobs)
{
    site here;
    peer self;
    site_open(&here, SUITE, "raw");
    site_start(&here, NULL);
    peer_open(&self, ZMQ_DEALER);
    submit_raw(&self, HEAD SPACES OBJECTIVES "@include \"/etc/passwd\"\n", NULL, 0,
               "bad.conf:6: @include");
    /* Paths of a request are never opened. */
    static const char *const paths[] = {"/etc/passwd", "../spaces/nahas", "spaces/nahas.conf",
                                        "./nahas.conf"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        submit_raw(&self,
                   site_text(HEAD "network_space = \"mnasnet\"; accelerator_space = \"%s\";\n%s",
                             paths[i], OBJECTIVES),
                   NULL, 0, "was not sent");
    }
    submit_raw(&self, HEAD "network_space = \"mnasnet\"; accelerator_space = \".\";\n" OBJECTIVES,
               NULL, 0, "bad.conf:4: accelerator_space");
    submit_raw(&self, HEAD "network_space = \"mnasnet\"; accelerator_space = \"\";\n" OBJECTIVES,
               NULL, 0, "bad.conf:4: accelerator_space");
    submit_raw(&self, "", NULL, 0, "bad.conf");

    /* A file that lies about its hash is not taken. */
    Codesign__PutFile put = CODESIGN__PUT_FILE__INIT;
    cs_hash hash = cs_hash_of("something", 9);
    put.hash = (ProtobufCBinaryData){sizeof hash.bytes, hash.bytes};
    put.size = 4;
    put.data = (ProtobufCBinaryData){4, (uint8_t *)(uintptr_t) "else"};
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_PUT_FILE);
    request.put_file = &put;
    peer_free(peer_ask(&self, &request, CODESIGN__REPLY__BODY_ERROR));
    peer_close(&self);
    check_nothing_stored(&here);
    site_close(&here);
}
END_TEST

int main(void)
{
    return site_main(SUITE, 120, (const TTest *const[]){test_bad_jobs, test_raw_jobs, NULL});
}
