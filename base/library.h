/* The library: a folder of files that are named without '/', as in configs/. */
#ifndef CS_BASE_LIBRARY_H
#define CS_BASE_LIBRARY_H

#include "base/status.h"

#include <stddef.h>

/* Read LIBRARY/FOLDER/NAME.conf or LIBRARY/FOLDER/NAME, of at most `limit` bytes; malloc'd, the
 * caller frees. A name holds letters, digits, '-', '_' and '.', and begins with a letter or digit:
 * nothing taken from a request becomes another path. CS_ENOENT lists what is there. NULL on
 * failure. */
char *cs_library_read(const char *library, const char *folder, const char *name, size_t limit,
                      size_t *size, cs_error *err);

#endif
