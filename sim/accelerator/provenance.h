/* Values with provenance, as accelerator and technology files hold them.
 *
 *     values = ( { name = "clock_mhz"; value = 800; provenance = "recalled: ..." }, ... );
 */
#ifndef CS_SIM_PROVENANCE_H
#define CS_SIM_PROVENANCE_H

#include "base/conf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Where a value comes from. Results that rest on recalled ones say so. */
typedef enum cs_provenance {
    CS_PROVENANCE_PUBLISHED, /* read in a public source, which the file names */
    CS_PROVENANCE_COMPUTED,  /* worked out from published values */
    CS_PROVENANCE_RECALLED,  /* from memory */
    CS_PROVENANCE_CHOSEN,    /* by this project; no claim about any product */
} cs_provenance;

/* The first word of a provenance text ("published: ...", "computed: ..." and so on). */
CS_MUST_CHECK cs_status cs_provenance_parse(cs_conf_node node, cs_provenance *provenance,
                                            cs_error *err);

/* The file is of that kind and has no key but `keys` (which end with NULL); a `source` among them
 * is a text. */
CS_MUST_CHECK cs_status cs_provenance_header(cs_conf_node file, const char *kind,
                                             const char *const *keys, cs_error *err);

/* The name of field `index` of a table, which `context` chooses. */
typedef const char *(*cs_field_name)(const void *context, size_t index);

/* Find the entry of each of `count` fields in file.values: entry[i] becomes the group that holds
 * it, which has no key but `keys` (which end with NULL), or one that does not exist. Each of the
 * first `required` fields has to be there, no field twice or without a value and a provenance, and
 * no other; errors name file and line. *recalled becomes true if any value is recalled (else is
 * left alone). */
CS_MUST_CHECK cs_status cs_provenance_entries(cs_conf_node file, const char *const *keys,
                                              cs_field_name name, const void *context, size_t count,
                                              size_t required, cs_conf_node *entry, bool *recalled,
                                              cs_error *err);

/* The same for entries of name, value and provenance alone: value[i] becomes the node of the
 * value. */
CS_MUST_CHECK cs_status cs_provenance_values(cs_conf_node file, cs_field_name name,
                                             const void *context, size_t count, size_t required,
                                             cs_conf_node *value, bool *recalled, cs_error *err);

#endif
