/* codesign-client: the command line. Which verbs there are is in verbs.c. */
#include "client/verbs.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_S 10

/* What one run of argp fills. */
typedef struct command {
    cs_client client;
    const cs_verb *verb; /* NULL until it is known */
    int verb_at;         /* its place among the arguments */
    void *input;         /* the verb's */
} command;

/* ---- options of every verb ---- */

static const struct argp_option common_options[] = {
    {"server", CS_OPTION_SERVER, "ENDPOINT", 0,
     "ipc://PATH, tcp://HOST:PORT or the path of a socket", 10},
    {"format", CS_OPTION_FORMAT, "FORMAT", 0, "table (default), csv or json", 10},
    {"timeout", CS_OPTION_TIMEOUT, "SECONDS", 0,
     "How long a request waits for its answer, over three tries (default 10)", 10},
    {0},
};

static error_t parse_common(int key, char *text, struct argp_state *state)
{
    static const char *const formats[] = {
        [CS_FORMAT_TABLE] = "table", [CS_FORMAT_CSV] = "csv", [CS_FORMAT_JSON] = "json"};
    command *given = state->input;
    switch (key) {
    case CS_OPTION_SERVER:
        given->client.server = text;
        return 0;
    case CS_OPTION_FORMAT:
        for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
            if (strcmp(text, formats[i]) == 0) {
                given->client.format = (cs_format)i;
                return 0;
            }
        }
        argp_error(state, "--format: must be table, csv or json, not '%s'", text);
        return 0;
    case CS_OPTION_TIMEOUT: {
        char *end;
        double seconds = strtod(text, &end);
        if (end == text || *end || !(seconds >= 0.01 && seconds <= 86400)) {
            argp_error(state, "--timeout: must be a number of seconds from 0.01 to 86400, not '%s'",
                       text);
        }
        given->client.timeout_ms = (uint32_t)lround(seconds * 1000);
        return 0;
    }
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp common = {.options = common_options, .parser = parse_common};
static const struct argp_child children[] = {{&common, 0, "Options of every verb:", 10}, {0}};

/* ---- the verb's own part ---- */

static error_t parse_verb(int key, char *text, struct argp_state *state)
{
    command *given = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = given;
    }
    if (given->verb->parse) {
        return given->verb->parse(key, text, state, given->input);
    }
    if (key == ARGP_KEY_ARG) {
        argp_error(state, "takes no arguments, not even '%s'", text);
    }
    return ARGP_ERR_UNKNOWN;
}

static void parse_verb_line(command *given, int argc, char **argv)
{
    char name[64], doc[600];
    snprintf(name, sizeof name, "codesign-client %s", given->verb->name);
    snprintf(doc, sizeof doc, "%s.\v%s", given->verb->text,
             given->verb->details ? given->verb->details : "");
    struct argp argp = {.options = given->verb->options,
                        .parser = parse_verb,
                        .args_doc = given->verb->arguments,
                        .doc = doc,
                        .children = children};
    argv[0] = name;
    argp_parse(&argp, argc, argv, 0, NULL, given);
}

/* ---- what comes before the verb ---- */

static error_t parse_front(int key, char *text, struct argp_state *state)
{
    command *given = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = given;
        return 0;
    case ARGP_KEY_ARG:
        for (given->verb = cs_verbs; given->verb->name; given->verb++) {
            if (strcmp(text, given->verb->name) == 0) {
                given->verb_at = state->next - 1;
                state->next = state->argc; /* the rest is the verb's */
                return 0;
            }
        }
        argp_error(state, "'%s' is no verb", text);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a VERB is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The verbs and the exit codes, from their tables, behind the options in the help. */
static char *filter_help(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)text;
    }
    char *help = NULL;
    size_t size;
    FILE *stream = open_memstream(&help, &size);
    if (!stream) {
        return NULL;
    }
    fputs("Verbs:\n", stream);
    for (const cs_verb *verb = cs_verbs; verb->name; verb++) {
        fprintf(stream, "  %-16s %-9s %s\n", verb->name, verb->arguments ? verb->arguments : "",
                verb->text);
    }
    fputs("\ncodesign-client VERB --help says more of each.\n\nExit codes:\n", stream);
#define X(name, number, text) fprintf(stream, "  %-3d %s\n", number, text);
    CS_EXIT_MAP(X)
#undef X
    fclose(stream);
    return help;
}

static const struct argp front = {
    .parser = parse_front,
    .args_doc = "VERB [ARGUMENT...]",
    .doc = "Submit searches to codesignd and follow them, or simulate designs without it.\v ",
    .children = children,
    .help_filter = filter_help};

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* how wide characters are; numbers stay as they are in C */
    argp_program_version = "codesign-client " CODESIGN_VERSION;
    argp_err_exit_status = CS_EXIT_USAGE;
    command given = {.client = {.timeout_ms = DEFAULT_TIMEOUT_S * 1000}};
    argp_parse(&front, argc, argv, ARGP_IN_ORDER, NULL, &given);
    given.input = calloc(1, given.verb->input_size + 1);
    if (!given.input) {
        return CS_EXIT_OTHER;
    }
    parse_verb_line(&given, argc - given.verb_at, argv + given.verb_at);
    cs_exit code = given.verb->run(&given.client, given.input);
    cs_session_close(given.client.session);
    free(given.input);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cs_error error;
        cs_fail(&error, CS_EIO, "the output cannot be written");
        code = code ? code : cs_client_fail(&error);
    }
    return code;
}
