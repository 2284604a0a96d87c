/* Status and error text: see status.h. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cs_status_text(cs_status status)
{
    switch (status) {
#define X(name, number, text)                                                                      \
    case CS_##name:                                                                                \
        return text;
        CS_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

cs_status cs_fail(cs_error *err, cs_status status, const char *format, ...)
{
    if (err) {
        char text[CS_ERROR_TEXT];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        err->status = status;
        memcpy(err->text, text, sizeof text);
    }
    return status;
}

cs_status cs_fail_memory(cs_error *err)
{
    return cs_fail(err, CS_ENOMEM, "out of memory");
}
