/* The library: the server's own files, named without '/'. */
#ifndef CS_DAEMON_LIBRARY_H
#define CS_DAEMON_LIBRARY_H

#include "base/status.h"

#include <stddef.h>

/* Read LIBRARY/FOLDER/NAME or NAME.conf; malloc'd, the caller frees. A name holds letters, digits,
 * '-', '_' and '.', and does not begin with '.': nothing taken from a request becomes another
 * path. CS_ENOENT lists what is there. NULL on failure. */
char *cs_library_read(const char *library, const char *folder, const char *name, size_t *size,
                      cs_error *err);

#endif
