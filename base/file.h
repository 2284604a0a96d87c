/* Whole files. */
#ifndef CS_BASE_FILE_H
#define CS_BASE_FILE_H

#include "base/status.h"

#include <stddef.h>

/* Read a regular file of at most `limit` bytes into malloc'd memory that the caller frees; a zero
 * byte follows the content. NULL on failure; the error names the path. */
char *cs_file_read(const char *path, size_t limit, size_t *size, cs_error *err);

/* Write a file so that it is there whole or not at all (temporary name, fsync, rename); of a link,
 * the file that it leads to. A device or pipe is written to, and may have got a part on failure. */
CS_MUST_CHECK cs_status cs_file_write(const char *path, const void *data, size_t size,
                                      cs_error *err);

#endif
