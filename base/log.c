/* The log: see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static cs_log_level threshold = CS_LOG_INFO;

void cs_log_set_level(cs_log_level level)
{
    threshold = level;
}

void cs_log(cs_log_level level, const char *format, ...)
{
    if (level > threshold) {
        return;
    }
    static const char *const names[] = {"", "", "", "error", "warning", "notice", "info", "debug"};
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* One event, one line, and nothing in it that a terminal would obey: control characters of
     * ASCII, and of Latin-1 as UTF-8 writes them. */
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (*p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) {
            *p = *p == '\n' ? ' ' : '?';
        }
    }
    /* The journal stamps the time itself and reads the priority from <n>. */
    if (getenv("JOURNAL_STREAM")) {
        fprintf(stderr, "<%d>%s\n", level, text);
        return;
    }
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(stderr, "%s.%03ldZ %-7s %s\n", stamp, now.tv_nsec / 1000000, names[level], text);
}
