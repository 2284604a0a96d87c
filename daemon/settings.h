/* The daemon's settings: defaults, then the configuration file, then the command line.
 * configs/daemon/codesignd.conf describes each. */
#ifndef CS_DAEMON_SETTINGS_H
#define CS_DAEMON_SETTINGS_H

#include "base/log.h"
#include "base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cs_settings {
    char state_directory[PATH_MAX];
    char endpoint[PATH_MAX]; /* ipc://PATH */
    char library[PATH_MAX];  /* folder of the server's own files: spaces/, accelerators/ ... */
    uint32_t workers;        /* threads that evaluate; 0: one a core */
    uint32_t running_jobs;   /* jobs that run at a time; the others wait */
    bool full_sync;          /* synchronous = "full": commits survive power loss at once */
    uint32_t commit_interval_ms;
    cs_log_level log_level;
} cs_settings;

/* Defaults for an installed daemon. */
void cs_settings_init(cs_settings *settings);

/* Over what is there, from a file; errors have file:line and the key. */
CS_MUST_CHECK cs_status cs_settings_load(cs_settings *settings, const char *path, cs_error *err);

/* Set one by its name in the file, as from the command line. */
CS_MUST_CHECK cs_status cs_settings_set(cs_settings *settings, const char *assignment,
                                        cs_error *err);

#endif
