/* The verbs of codesign-client: see verbs.h. */
#include "client/verbs.h"

#include "client/address.h"
#include "client/design.h"
#include "client/text.h"
#include "proto/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- the table ---- */

static const struct argp_option submit_options[] = {
    {"name", CS_OPTION_NAME, "NAME", 0, "Name of the job, instead of the file's", 0},
    {"seed", CS_OPTION_SEED, "N", 0, "Seed of its random streams, instead of the file's", 0},
    {"set", CS_OPTION_SET, "KEY=VALUE", 0,
     "Replace or add a value of the job file, e.g. evaluations=5000 or "
     "engine_options.population=50; may be repeated",
     0},
    {"watch", CS_OPTION_WATCH, NULL, 0, "Follow the job after submitting it", 0},
    {0},
};

static const struct argp_option show_options[] = {
    {"export", CS_OPTION_EXPORT, "DIR", 0,
     "Write the job as it ran, with all its files, to DIR, which is made or must be empty", 0},
    {0},
};

static const struct argp_option front_options[] = {
    {"all", CS_OPTION_ALL, NULL, 0, "Show every row in a table, too", 0},
    {0},
};

static const struct argp_option page_options[] = {
    {"after", CS_OPTION_AFTER, "INDEX", 0, "Begin after the candidate JOB/INDEX", 0},
    {"limit", CS_OPTION_LIMIT, "N", 0, "List at most N candidates (default 1000)", 0},
    {0},
};

static const struct argp_option resume_options[] = {
    {"with-current", CS_OPTION_WITH_CURRENT, NULL, 0,
     "Go on with the server's simulator, although the job began with another revision; its front "
     "is "
     "marked mixed from then on",
     0},
    {0},
};

static const struct argp_option simulate_options[] = {
    {"network", CS_OPTION_NETWORK, "FILE|NAME", 0, "The network, or an ONNX model (*.onnx)", 0},
    {"accelerator", CS_OPTION_ACCELERATOR, "FILE|NAME", 0,
     "The accelerator, or a host with its chip", 0},
    {"host", CS_OPTION_HOST, "FILE|NAME", 0, "What the accelerator is attached to", 0},
    {"technology", CS_OPTION_TECHNOLOGY, "FILE|NAME", 0, "The technology (default edge-22nm)", 0},
    {"compiler", CS_OPTION_COMPILER, "best|vendor", 0,
     "Whose rules schedule the network (default best)", 0},
    {"knob", CS_OPTION_KNOB, "NAME=VALUE", 0,
     "What the compiler best is not to choose, e.g. split_y=channels; may be repeated", 0},
    {"fidelity", CS_OPTION_FIDELITY, "analytic|event", 0,
     "Which simulator costs the schedule (default analytic)", 0},
    {"library", CS_OPTION_LIBRARY, "DIR", 0,
     "Where names are looked up (default $CODESIGN_LIBRARY, else the installed data)", 0},
    {"baseline", CS_OPTION_BASELINE, "FILE|NAME", 0,
     "The accelerator that areas are compared with (default the unchanged one)", 0},
    {"set", CS_OPTION_SET, "FIELD=VALUE", 0,
     "Change a field of the accelerator or its host, as its file names it; may be repeated", 0},
    {"sweep", CS_OPTION_SWEEP, "FIELD[=V1,V2,...]", 0,
     "Try each of these values of a field, or some around the one it has", 0},
    {"per-layer", CS_OPTION_PER_LAYER, NULL, 0, "Show each layer, too", 0},
    {"trace", CS_OPTION_TRACE, "FILE", 0,
     "Write what the simulator event tells of the last design that runs, for Perfetto", 0},
    {0},
};

const cs_verb cs_verbs[] = {
    {.name = "submit-job",
     .arguments = "FILE|DIR",
     .text = "Submit a job file or an exported folder",
     .details = "DIR is a folder that show-job --export wrote. Names with '/' in the job file are "
                "files relative to its folder, and are sent "
                "along; names without are files of the server.",
     .options = submit_options,
     .parse = cs_submit_parse,
     .input_size = sizeof(cs_submit_input),
     .run = cs_run_submit_job},
    {.name = "list-jobs", .text = "List the jobs, newest first", .run = cs_run_list_jobs},
    {.name = "show-job",
     .arguments = "JOB",
     .text = "Show all that is known of a job",
     .options = show_options,
     .parse = cs_job_parse,
     .input_size = sizeof(cs_job_input),
     .run = cs_run_show_job},
    {.name = "watch-job",
     .arguments = "JOB",
     .text = "Follow a job until it ends, then print its front",
     .details = "Ctrl-C stops watching, not the job.",
     .parse = cs_job_parse,
     .input_size = sizeof(cs_job_input),
     .run = cs_run_watch_job},
    {.name = "show-front",
     .arguments = "JOB",
     .text = "Print the Pareto front of a job",
     .details = "A table shows at most 40 well spread rows; csv and json always have all.",
     .options = front_options,
     .parse = cs_job_parse,
     .input_size = sizeof(cs_job_input),
     .run = cs_run_show_front},
    {.name = "list-candidates",
     .arguments = "JOB",
     .text = "List candidates in the order of evaluation",
     .options = page_options,
     .parse = cs_job_parse,
     .input_size = sizeof(cs_job_input),
     .run = cs_run_list_candidates},
    {.name = "cancel-job",
     .arguments = "JOB",
     .text = "End a job for good; what it found stays",
     .parse = cs_job_parse,
     .input_size = sizeof(cs_job_input),
     .run = cs_run_cancel_job},
    {.name = "pause-job",
     .arguments = "JOB",
     .text = "Pause a job",
     .parse = cs_job_parse,
     .input_size = sizeof(cs_job_input),
     .run = cs_run_pause_job},
    {.name = "resume-job",
     .arguments = "JOB",
     .text = "Let a paused job go on",
     .options = resume_options,
     .parse = cs_job_parse,
     .input_size = sizeof(cs_job_input),
     .run = cs_run_resume_job},
    {.name = "simulate",
     .text = "Simulate a network on an accelerator, without a server",
     .details = "A name with '/' is a file, one without is looked up in the library's folders "
                "networks, accelerators, hosts and technology.",
     .options = simulate_options,
     .parse = cs_simulate_parse,
     .input_size = sizeof(cs_simulate_input),
     .run = cs_run_simulate},
    {.name = "ping", .text = "Ask the server whether it is there", .run = cs_run_ping},
    {0},
};

/* ---- what verbs share ---- */

static cs_exit exit_of(cs_status status)
{
    switch (status) {
    case CS_OK:
        return CS_EXIT_OK;
    case CS_EINVAL:
        return CS_EXIT_REFUSED;
    case CS_ENOENT:
        return CS_EXIT_NOT_FOUND;
    case CS_ETIMEDOUT:
        return CS_EXIT_UNREACHABLE;
    case CS_EEXIST:
    case CS_EBUSY:
    case CS_ESTATE:
        return CS_EXIT_STATE;
    case CS_ELIMIT:
        return CS_EXIT_LIMIT;
    case CS_EPERM:
        return CS_EXIT_PERMISSION;
    case CS_EVERSION:
        return CS_EXIT_VERSION;
    case CS_ENOMEM:
    case CS_EIO:
    case CS_ECORRUPT:
    case CS_EINTERNAL:
        break;
    }
    return CS_EXIT_OTHER;
}

cs_exit cs_client_fail(const cs_error *error)
{
    fflush(stdout);
    fputs("codesign-client: ", stderr);
    cs_text_put(stderr, error->text);
    fputc('\n', stderr);
    return exit_of(error->status);
}

cs_session *cs_client_session(cs_client *client, cs_error *err)
{
    if (!client->session) {
        char *endpoint = cs_address_find(client->server, err);
        if (endpoint) {
            client->session = cs_session_open(endpoint, client->timeout_ms, err);
        }
        free(endpoint);
    }
    return client->session;
}

Codesign__Reply *cs_client_show_job(cs_client *client, uint64_t job, cs_error *err)
{
    cs_session *session = cs_client_session(client, err);
    if (!session) {
        return NULL;
    }
    Codesign__ShowJob show = CODESIGN__SHOW_JOB__INIT;
    show.job = job;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.body_case = CODESIGN__REQUEST__BODY_SHOW_JOB;
    request.show_job = &show;
    Codesign__Reply *reply =
        cs_session_call(session, &request, CODESIGN__REPLY__BODY_JOB_DETAIL, err);
    if (reply && cs_design_check(reply->job_detail, err) != CS_OK) {
        cs_wire_free(&reply->base);
        reply = NULL;
    }
    return reply;
}

size_t cs_client_width(void)
{
    struct winsize size = {0};
    bool known = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    return known ? size.ws_col : 0;
}

uint64_t cs_client_parse_count(const char *text, const char *what, uint64_t min, uint64_t max,
                               struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < min || value > max) {
        argp_error(state, "%s: must be a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'",
                   what, min, max, text);
    }
    return value;
}

error_t cs_job_parse(int key, char *text, struct argp_state *state, void *input)
{
    cs_job_input *told = input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one JOB only");
        }
        told->job = cs_client_parse_count(text, "JOB", 1, INT64_MAX, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which JOB? list-jobs shows their numbers");
        return 0;
    case CS_OPTION_EXPORT:
        told->export_folder = text;
        return 0;
    case CS_OPTION_ALL:
        told->all = true;
        return 0;
    case CS_OPTION_AFTER:
        told->after_given = true;
        told->after = cs_client_parse_count(text, "--after", 0, INT64_MAX - 1, state);
        return 0;
    case CS_OPTION_LIMIT:
        told->limit = cs_client_parse_count(text, "--limit", 1, 1000000, state);
        return 0;
    case CS_OPTION_WITH_CURRENT:
        told->with_current = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
