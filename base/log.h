/* The log: one event a line on stderr, with a journald priority prefix when stderr is the journal.
 * Used by daemon/ and client/ only; libraries return errors. Safe from any thread. */
#ifndef CS_BASE_LOG_H
#define CS_BASE_LOG_H

#include "base/status.h"

typedef enum cs_log_level {
    CS_LOG_ERROR = 3, /* syslog's numbers */
    CS_LOG_WARNING = 4,
    CS_LOG_NOTICE = 5,
    CS_LOG_INFO = 6,
    CS_LOG_DEBUG = 7,
} cs_log_level;

/* What is above `level` is not printed. Set once, before threads start. Default: CS_LOG_INFO. */
void cs_log_set_level(cs_log_level level);

void cs_log(cs_log_level level, const char *format, ...) CS_PRINTF(2, 3);

#endif
