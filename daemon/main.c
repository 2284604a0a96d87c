/* codesignd: the search server. Options, locks, signals; the rest is the server's. */
#include "base/log.h"
#include "daemon/lock.h"
#include "daemon/server.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

const char *argp_program_version = "codesignd " CODESIGN_VERSION;

#define CONFIG_PATH CODESIGN_SYSCONFDIR "/codesign/codesignd.conf"

enum { OPTION_CHECK = 1000, OPTION_SET };

typedef struct options {
    const char *config;
    const char *check;
    const char *sets[32];
    size_t set_count;
} options;

static const struct argp_option option_table[] = {
    {"config", 'c', "FILE", 0, "Read FILE instead of " CONFIG_PATH " (none: defaults)", 0},
    {"check-config", OPTION_CHECK, "FILE", 0, "Check FILE, say what is wrong with it, and exit", 0},
    {"set", OPTION_SET, "KEY=VALUE", 0,
     "Set one key of the configuration, e.g. workers=2; may be repeated", 0},
    {0},
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    options *given = state->input;
    switch (key) {
    case 'c':
        given->config = argument;
        return 0;
    case OPTION_CHECK:
        given->check = argument;
        return 0;
    case OPTION_SET:
        if (given->set_count == sizeof given->sets / sizeof *given->sets) {
            argp_error(state, "too many --set");
        }
        given->sets[given->set_count++] = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static cs_status read_settings(const options *given, cs_settings *settings, cs_error *err)
{
    cs_settings_init(settings);
    cs_status status = CS_OK;
    const char *path = given->check ? given->check : given->config;
    if (path) {
        status = cs_settings_load(settings, path, err);
    } else if (access(CONFIG_PATH, F_OK) == 0) {
        status = cs_settings_load(settings, CONFIG_PATH, err);
    }
    for (size_t i = 0; !status && i < given->set_count; i++) {
        status = cs_settings_set(settings, given->sets[i], err);
    }
    if (!status && settings->workers == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        settings->workers = cores > 0 ? (uint32_t)cores : 1;
    }
    return status;
}

static cs_status make_directory(const char *path, mode_t mode, cs_error *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        return cs_fail(err, CS_EIO, "cannot make the directory %s: %s", path, strerror(errno));
    }
    return CS_OK;
}

/* Before anything is opened or bound: one daemon a state directory, and one a socket, because
 * binding an ipc path that another process serves succeeds and takes it away from it. */
static cs_status take_locks(const cs_settings *settings, cs_lock **state, cs_lock **socket,
                            cs_error *err)
{
    char path[PATH_MAX + 16];
    const char *socket_path = settings->endpoint + strlen("ipc://");
    cs_status status = make_directory(settings->state_directory, 0750, err);
    if (!status) {
        status = cs_directory_check(settings->state_directory, err);
    }
    if (status) {
        return status;
    }
    struct stat info;
    if (stat(settings->library, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return cs_fail(err, CS_ENOENT, "library: there is no folder %s", settings->library);
    }
    snprintf(path, sizeof path, "%s/codesignd.lock", settings->state_directory);
    *state = cs_lock_take(path, err);
    if (!*state) {
        return CS_EBUSY;
    }
    if (*socket_path == '@') {
        return CS_OK; /* the abstract namespace refuses a second bind by itself */
    }
    if (lstat(socket_path, &info) == 0 && !S_ISSOCK(info.st_mode)) {
        return cs_fail(err, CS_EEXIST,
                       "%s: is there and is not a socket; listening would replace it", socket_path);
    }
    snprintf(path, sizeof path, "%s", socket_path);
    char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        *slash = '\0';
        status = make_directory(path, 0755, err);
        if (status) {
            return status;
        }
    }
    snprintf(path, sizeof path, "%s.lock", socket_path);
    *socket = cs_lock_take(path, err);
    return *socket ? CS_OK : CS_EBUSY;
}

static cs_status serve(const cs_settings *settings, int signal_fd, cs_error *err)
{
    cs_server server;
    cs_status status = cs_server_open(&server, settings, err);
    if (status) {
        return status;
    }
    cs_log(CS_LOG_NOTICE, "ready on %s, %u workers, %zu jobs stored in %s", settings->endpoint,
           settings->workers, server.jobs.count, settings->state_directory);
    status = cs_server_run(&server, signal_fd, err);
    cs_server_close(&server);
    return status;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        option_table,
        parse_option,
        NULL,
        "The search server: holds jobs, searches, streams candidates.\v"
        "Exit status: 0 stopped by SIGTERM or SIGINT; 1 could not start or go on; 2 wrong usage "
        "or configuration.",
        NULL,
        NULL,
        NULL};
    argp_err_exit_status = 2;
    options given = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &given);

    cs_settings settings;
    cs_error error;
    if (read_settings(&given, &settings, &error)) {
        fprintf(stderr, "codesignd: %s\n", error.text);
        return 2;
    }
    if (given.check) {
        printf("%s: ok\n", given.check);
        return 0;
    }
    cs_log_set_level(settings.log_level);

    /* Blocked before any thread exists, so that only the signalfd hears them. A client that goes
     * away must not kill us either. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);

    cs_lock *state_lock = NULL, *socket_lock = NULL;
    cs_status status = signal_fd < 0 ? cs_fail(&error, CS_EIO, "signalfd: %s", strerror(errno))
                                     : take_locks(&settings, &state_lock, &socket_lock, &error);
    if (!status) {
        status = serve(&settings, signal_fd, &error);
    }
    if (status) {
        cs_log(CS_LOG_ERROR, "%s", error.text);
    } else {
        cs_log(CS_LOG_NOTICE, "stopped");
    }
    if (socket_lock) {
        /* ZeroMQ leaves it behind; a client would take it for a server. */
        (void)unlink(settings.endpoint + strlen("ipc://"));
    }
    cs_lock_release(socket_lock);
    cs_lock_release(state_lock);
    return status ? 1 : 0;
}
