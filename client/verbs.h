/* The verbs of codesign-client, as data, and what they share. */
#ifndef CS_CLIENT_VERBS_H
#define CS_CLIENT_VERBS_H

#include "base/status.h"
#include "client/session.h"
#include "client/simulation.h"
#include "client/table.h"
#include "search/bundle.h"

#include <argp.h>

/* Exit codes: name, number, text. Scripts rely on the numbers (docs/client.md): never renumber. */
#define CS_EXIT_MAP(X)                                                                             \
    X(OK, 0, "done")                                                                               \
    X(OTHER, 1, "failed for another reason")                                                       \
    X(USAGE, 2, "wrong usage")                                                                     \
    X(REFUSED, 3, "input refused, here or by the server")                                          \
    X(NOT_FOUND, 4, "no such job, FILE or DIR")                                                    \
    X(UNREACHABLE, 5, "no server, or no answer in time")                                           \
    X(STATE, 6, "not possible in this state, exists already, or busy")                             \
    X(LIMIT, 7, "over a limit")                                                                    \
    X(PERMISSION, 8, "not permitted")                                                              \
    X(VERSION, 9, "server and client do not speak the same version")                               \
    X(INFEASIBLE, 10, "what was to be simulated cannot run")                                       \
    X(JOB_FAILED, 20, "the watched job failed")                                                    \
    X(JOB_CANCELLED, 21, "the watched job was cancelled")                                          \
    X(JOB_PAUSED, 22, "the watched job is paused")                                                 \
    X(INTERRUPTED, 130, "stopped watching by Ctrl-C; the job goes on")

typedef enum cs_exit {
#define X(name, number, text) CS_EXIT_##name = number,
    CS_EXIT_MAP(X)
#undef X
} cs_exit;

/* What was said before or after any verb, and the session, which is opened when it is needed. */
typedef struct cs_client {
    const char *server; /* --server, or NULL */
    cs_format format;
    uint32_t timeout_ms;
    cs_session *session;
} cs_client;

typedef struct cs_verb {
    const char *name;
    const char *arguments;             /* for usage: "JOB"; NULL: none */
    const char *text;                  /* one line for people */
    const char *details;               /* more, for the verb's own help; NULL: none */
    const struct argp_option *options; /* ends with a zeroed one; NULL: none */

    /* Take an option or argument into the input, which starts zeroed. NULL: takes none. */
    error_t (*parse)(int key, char *text, struct argp_state *state, void *input);
    size_t input_size;

    cs_exit (*run)(cs_client *client, const void *input);
} cs_verb;

/* All verbs in the order of the help; ends with a NULL name. */
extern const cs_verb cs_verbs[];

/* ---- what verbs share ---- */

/* Print a failure on stderr; the exit code that it stands for. */
cs_exit cs_client_fail(const cs_error *error);

/* The session, opened at the first call. NULL on failure. */
cs_session *cs_client_session(cs_client *client, cs_error *err);

/* Ask for a job's detail, checked by cs_design_check. NULL on failure; free with cs_wire_free. */
Codesign__Reply *cs_client_show_job(cs_client *client, uint64_t job, cs_error *err);

/* Columns of the terminal that stdout is, or 0 if it is none. */
size_t cs_client_width(void);

/* A whole number from an option or argument, or usage error. */
uint64_t cs_client_parse_count(const char *text, const char *what, uint64_t min, uint64_t max,
                               struct argp_state *state);

/* Print the tables of jobs: one row a job, or one job alone. */
cs_status cs_client_print_jobs(const cs_client *client, Codesign__Job *const *jobs, size_t count,
                               bool alone, cs_error *err);

/* queued, running ... */
const char *cs_job_state_text(Codesign__JobState state);

/* Print a front with all that a reader has to know of it; a table has at most `limit` rows (0: all
 * of them). */
cs_status cs_client_print_front(const cs_client *client, const Codesign__JobDetail *detail,
                                const cs_replica *replica, size_t limit, cs_error *err);

/* Follow a job until it ends, pauses, or the user has seen enough, and print its front. */
cs_exit cs_client_watch(cs_client *client, uint64_t job);

/* Write the bundle of a job to a folder. */
cs_status cs_client_export(cs_client *client, const Codesign__JobDetail *detail, const char *folder,
                           cs_error *err);

/* ---- verbs about one job ---- */

/* What they are told; each takes its part of it. */
typedef struct cs_job_input {
    uint64_t job;
    const char *export_folder;
    bool all;
    bool after_given;
    uint64_t after;
    uint64_t limit; /* 0: not given */
    bool with_current;
} cs_job_input;

typedef enum cs_option_key {
    CS_OPTION_EXPORT = 0x100,
    CS_OPTION_ALL,
    CS_OPTION_AFTER,
    CS_OPTION_LIMIT,
    CS_OPTION_WITH_CURRENT,
    CS_OPTION_NAME,
    CS_OPTION_SEED,
    CS_OPTION_SET,
    CS_OPTION_WATCH,
    CS_OPTION_NETWORK,
    CS_OPTION_ACCELERATOR,
    CS_OPTION_TECHNOLOGY,
    CS_OPTION_LIBRARY,
    CS_OPTION_HOST,
    CS_OPTION_COMPILER,
    CS_OPTION_FIDELITY,
    CS_OPTION_KNOB,
    CS_OPTION_BASELINE,
    CS_OPTION_SWEEP,
    CS_OPTION_PER_LAYER,
    CS_OPTION_TRACE,
    CS_OPTION_SERVER,
    CS_OPTION_FORMAT,
    CS_OPTION_TIMEOUT,
} cs_option_key;

error_t cs_job_parse(int key, char *text, struct argp_state *state, void *input);

cs_exit cs_run_list_jobs(cs_client *client, const void *input);
cs_exit cs_run_show_job(cs_client *client, const void *input);
cs_exit cs_run_cancel_job(cs_client *client, const void *input);
cs_exit cs_run_pause_job(cs_client *client, const void *input);
cs_exit cs_run_resume_job(cs_client *client, const void *input);
cs_exit cs_run_ping(cs_client *client, const void *input);
cs_exit cs_run_show_front(cs_client *client, const void *input);
cs_exit cs_run_list_candidates(cs_client *client, const void *input);
cs_exit cs_run_watch_job(cs_client *client, const void *input);

/* ---- submit-job ---- */

typedef struct cs_submit_input {
    const char *path;
    bool watch;
    size_t set_count;
    char *sets[CS_BUNDLE_MAX_SETS]; /* in the order given; owned */
} cs_submit_input;

error_t cs_submit_parse(int key, char *text, struct argp_state *state, void *input);
cs_exit cs_run_submit_job(cs_client *client, const void *input);

/* ---- simulate ---- */

typedef struct cs_simulate_input {
    cs_simulation_names names; /* complete once all options are parsed */
    const char *knobs[CS_BUNDLE_MAX_SETS];
    const char *sets[CS_BUNDLE_MAX_SETS];
    size_t set_count;
    const char *sweep; /* FIELD, FIELD=V1,V2 or NULL */
    bool per_layer;
    const char *trace; /* --trace, or NULL */
} cs_simulate_input;

error_t cs_simulate_parse(int key, char *text, struct argp_state *state, void *input);
cs_exit cs_run_simulate(cs_client *client, const void *input);

#endif
