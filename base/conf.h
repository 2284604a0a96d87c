/* Reading configuration text (libconfig syntax) with errors that say where.
 *
 * libconfig wraps large integers, truncates on conversion and ignores unknown keys without a word
 * (shared by all its readers); here each of those is an error of the form
 *
 *     nahas.conf:14: accelerator.clock_mhz: must be a whole number from 1 to 5000, not 0
 *
 * A cs_conf owns a parsed text; a cs_conf_node is a place in it, a plain value that borrows from
 * it. Reading changes nothing, so threads may share a cs_conf. Strings that are handed out live as
 * long as the cs_conf. */
#ifndef CS_BASE_CONF_H
#define CS_BASE_CONF_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest text that is read: a million lines are data, not configuration. */
#define CS_CONF_MAX_BYTES (4u << 20)

/* How deep groups and lists nest, and how many keys a group has. */
#define CS_CONF_MAX_DEPTH 32u
#define CS_CONF_MAX_KEYS  256u
#define CS_CONF_MAX_VALUES                                                                         \
    100000u /* keys and elements in all: parsing takes a few microseconds each */

typedef struct cs_conf cs_conf;

typedef struct cs_conf_node {
    const cs_conf *conf;
    const void *setting; /* NULL: there is no such place */
} cs_conf_node;

/* Parse `size` bytes. `name` is what errors call the text. `overrides` are `override_count` texts
 * PATH=VALUE (as in --set) that replace or add scalars; a VALUE that is no number and no boolean
 * is a string, quotes optional. NULL on failure. */
cs_conf *cs_conf_parse(const char *text, size_t size, const char *name,
                       const char *const *overrides, size_t override_count, cs_error *err);
void cs_conf_free(cs_conf *conf);

cs_conf_node cs_conf_root(const cs_conf *conf);

/* The member of a group, or the i-th element of a list, array or group; absent where there is none.
 */
cs_conf_node cs_conf_member(cs_conf_node group, const char *key);
cs_conf_node cs_conf_element(cs_conf_node list, size_t index);
bool cs_conf_exists(cs_conf_node node);
size_t cs_conf_length(cs_conf_node node); /* 0 for a scalar or an absent node */

bool cs_conf_is_group(cs_conf_node node);
bool cs_conf_is_list(cs_conf_node node); /* list or array */
bool cs_conf_is_string(cs_conf_node node);
bool cs_conf_is_number(cs_conf_node node);
bool cs_conf_is_bool(cs_conf_node node);

/* The key of a group's member; "" for the root and for elements of lists. */
const char *cs_conf_key(cs_conf_node node);

/* Fail with CS_EINVAL and "name:line: path: ..." for this place. */
cs_status cs_conf_fail(cs_conf_node node, cs_error *err, const char *format, ...) CS_PRINTF(3, 4);

/* The node is a group and has no member but these; `keys` ends with NULL. */
CS_MUST_CHECK cs_status cs_conf_only(cs_conf_node group, const char *const *keys, cs_error *err);

/* The value of this very place, of the right type and within [min, max]. */
CS_MUST_CHECK cs_status cs_conf_as_int(cs_conf_node node, int64_t min, int64_t max, int64_t *value,
                                       cs_error *err);
CS_MUST_CHECK cs_status cs_conf_as_number(cs_conf_node node, double min, double max, double *value,
                                          cs_error *err); /* an integer is a number, too */
CS_MUST_CHECK cs_status cs_conf_as_bool(cs_conf_node node, bool *value, cs_error *err);
CS_MUST_CHECK cs_status cs_conf_as_string(cs_conf_node node, const char **value, cs_error *err);

/* The same for a member that must be there ... */
CS_MUST_CHECK cs_status cs_conf_int(cs_conf_node group, const char *key, int64_t min, int64_t max,
                                    int64_t *value, cs_error *err);
CS_MUST_CHECK cs_status cs_conf_number(cs_conf_node group, const char *key, double min, double max,
                                       double *value, cs_error *err);
CS_MUST_CHECK cs_status cs_conf_bool(cs_conf_node group, const char *key, bool *value,
                                     cs_error *err);
CS_MUST_CHECK cs_status cs_conf_string(cs_conf_node group, const char *key, const char **value,
                                       cs_error *err);
CS_MUST_CHECK cs_status cs_conf_group(cs_conf_node group, const char *key, cs_conf_node *member,
                                      cs_error *err);
CS_MUST_CHECK cs_status cs_conf_list(cs_conf_node group, const char *key, cs_conf_node *member,
                                     cs_error *err);

/* ... and for one that may be absent: `value` is then left as it is. */
CS_MUST_CHECK cs_status cs_conf_maybe_int(cs_conf_node group, const char *key, int64_t min,
                                          int64_t max, int64_t *value, cs_error *err);
CS_MUST_CHECK cs_status cs_conf_maybe_number(cs_conf_node group, const char *key, double min,
                                             double max, double *value, cs_error *err);
CS_MUST_CHECK cs_status cs_conf_maybe_bool(cs_conf_node group, const char *key, bool *value,
                                           cs_error *err);
CS_MUST_CHECK cs_status cs_conf_maybe_string(cs_conf_node group, const char *key,
                                             const char **value, cs_error *err);

#endif
