/* A job as a value: its text, the overrides given with it, and every file that it names.
 *
 * With the bundle a job can be re-run exactly, elsewhere too. The client makes one from a job file,
 * the daemon stores it, `show-job --export` writes it out. */
#ifndef CS_SEARCH_BUNDLE_H
#define CS_SEARCH_BUNDLE_H

#include "base/conf.h"
#include "base/hash.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define CS_BUNDLE_MAX_FILE_BYTES (4u << 20)
#define CS_BUNDLE_MAX_TEXT_BYTES (256u << 10) /* of the job file itself */
#define CS_BUNDLE_MAX_NAME_BYTES 255u
#define CS_BUNDLE_MAX_SETS       64
#define CS_BUNDLE_MAX_SET_BYTES  1024

/* The keys of a job text that name files, and the folder of the server's library that a name
 * without '/' is looked up in (as FOLDER/NAME or FOLDER/NAME.conf). Ends with a NULL key. */
typedef struct cs_bundle_role {
    const char *key;
    const char *folder;
} cs_bundle_role;

extern const cs_bundle_role cs_bundle_roles[];

#define CS_BUNDLE_MAX_FILES 8

typedef struct cs_bundle_file {
    char *name; /* as the job text has it */
    cs_hash hash;
    char *bytes; /* `size` of them, then a zero byte */
    size_t size;
} cs_bundle_file;

/* Owns all it points to. */
typedef struct cs_bundle {
    char *text_name; /* what errors call the text */
    char *text;
    size_t text_size;
    char **sets; /* PATH=VALUE, applied in order */
    size_t set_count;
    cs_bundle_file files[CS_BUNDLE_MAX_FILES];
    size_t file_count;
} cs_bundle;

/* A zeroed bundle is empty. release leaves it so. */
void cs_bundle_release(cs_bundle *bundle);

/* Copies. CS_ELIMIT beyond the limits above, CS_ENOMEM. */
CS_MUST_CHECK cs_status cs_bundle_set_text(cs_bundle *bundle, const char *text_name,
                                           const void *text, size_t size, cs_error *err);
CS_MUST_CHECK cs_status cs_bundle_add_set(cs_bundle *bundle, const char *set, cs_error *err);
CS_MUST_CHECK cs_status cs_bundle_add_file(cs_bundle *bundle, const char *name, const void *bytes,
                                           size_t size, cs_error *err);

/* The file of that name, or NULL. */
const cs_bundle_file *cs_bundle_find(const cs_bundle *bundle, const char *name);

/* The job text, parsed with its overrides. NULL on failure. */
cs_conf *cs_bundle_parse(const cs_bundle *bundle, cs_error *err);

/* Hash over text name, text, overrides and the files' names and hashes, in their order, of a bundle
 * that has a text. */
cs_hash cs_bundle_hash(const cs_bundle *bundle);

#endif
