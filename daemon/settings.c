/* The daemon's settings: see settings.h. */
#include "daemon/settings.h"

#include "base/conf.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX      1024
#define RUNNING_JOBS_MAX 1000
#define SOCKET_PATH_MAX  107 /* sockaddr_un */

void cs_settings_init(cs_settings *settings)
{
    *settings = (cs_settings){
        .state_directory = "/var/lib/codesign",
        .endpoint = "ipc:///run/codesign/codesignd.sock",
        .library = CODESIGN_DATADIR,
        .running_jobs = 8,
        .commit_interval_ms = 20,
        .log_level = CS_LOG_INFO,
    };
}

/* A text of at most size - 1 bytes. */
static cs_status read_text(cs_conf_node root, const char *key, char *text, size_t size,
                           cs_error *err)
{
    const char *given = NULL;
    cs_status status = cs_conf_maybe_string(root, key, &given, err);
    if (status || !given) {
        return status;
    }
    if (!*given || strlen(given) >= size) {
        return cs_conf_fail(cs_conf_member(root, key), err, "must have 1 to %zu bytes", size - 1);
    }
    snprintf(text, size, "%s", given);
    return CS_OK;
}

/* One of a few words; *index is the word's. */
static cs_status read_word(cs_conf_node root, const char *key, const char *const *words,
                           size_t *index, cs_error *err)
{
    const char *given = NULL;
    cs_status status = cs_conf_maybe_string(root, key, &given, err);
    if (status || !given) {
        return status;
    }
    char list[128] = "";
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], given) == 0) {
            *index = i;
            return CS_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", words[i]);
    }
    return cs_conf_fail(cs_conf_member(root, key), err, "must be one of %s, not \"%s\"", list,
                        given);
}

static cs_status apply(cs_settings *settings, cs_conf_node root, cs_error *err)
{
    static const char *const keys[] = {"state_directory", "endpoint",           "library",
                                       "workers",         "running_jobs",       "synchronous",
                                       "log_level",       "commit_interval_ms", NULL};
    static const char *const syncs[] = {"normal", "full", NULL};
    static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};
    cs_settings next = *settings;
    int64_t workers = next.workers, running = next.running_jobs;
    int64_t interval = next.commit_interval_ms;
    size_t sync = next.full_sync, level = (size_t)next.log_level - CS_LOG_ERROR;
    cs_status status;
    if ((status = cs_conf_only(root, keys, err)) ||
        (status = read_text(root, "state_directory", next.state_directory,
                            sizeof next.state_directory, err)) ||
        (status = read_text(root, "endpoint", next.endpoint, sizeof next.endpoint, err)) ||
        (status = read_text(root, "library", next.library, sizeof next.library, err)) ||
        (status = cs_conf_maybe_int(root, "workers", 0, WORKERS_MAX, &workers, err)) ||
        (status = cs_conf_maybe_int(root, "running_jobs", 1, RUNNING_JOBS_MAX, &running, err)) ||
        (status = cs_conf_maybe_int(root, "commit_interval_ms", 0, 1000, &interval, err)) ||
        (status = read_word(root, "synchronous", syncs, &sync, err)) ||
        (status = read_word(root, "log_level", levels, &level, err))) {
        return status;
    }
    if (strncmp(next.endpoint, "ipc://", 6) != 0 || !next.endpoint[6] || next.endpoint[6] == '*') {
        return cs_conf_fail(cs_conf_member(root, "endpoint"), err, "must be ipc://PATH, not \"%s\"",
                            next.endpoint);
    }
    if (strlen(next.endpoint) > strlen("ipc://") + SOCKET_PATH_MAX) {
        return cs_conf_fail(cs_conf_member(root, "endpoint"), err,
                            "the path of a socket has at most %d bytes", SOCKET_PATH_MAX);
    }
    next.workers = (uint32_t)workers;
    next.running_jobs = (uint32_t)running;
    next.commit_interval_ms = (uint32_t)interval;
    next.full_sync = sync == 1;
    next.log_level = (cs_log_level)(CS_LOG_ERROR + level);
    *settings = next;
    return CS_OK;
}

cs_status cs_settings_load(cs_settings *settings, const char *path, cs_error *err)
{
    size_t size;
    char *text = cs_file_read(path, CS_CONF_MAX_BYTES, &size, err);
    if (!text) {
        return CS_EIO;
    }
    cs_conf *conf = cs_conf_parse(text, size, path, NULL, 0, err);
    free(text);
    if (!conf) {
        return CS_EINVAL;
    }
    cs_status status = apply(settings, cs_conf_root(conf), err);
    cs_conf_free(conf);
    return status;
}

cs_status cs_settings_set(cs_settings *settings, const char *assignment, cs_error *err)
{
    cs_conf *conf = cs_conf_parse("", 0, "command line", &assignment, 1, err);
    if (!conf) {
        return CS_EINVAL;
    }
    cs_status status = apply(settings, cs_conf_root(conf), err);
    cs_conf_free(conf);
    return status;
}
