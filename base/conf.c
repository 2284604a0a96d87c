/* Reading configuration text: see conf.h. The only file that includes libconfig.h. */
#include "base/conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cs_conf {
    config_t config;
    char *name;
};

/* ---- parsing ---- */

/* Where the walk over a text is: its tokens as libconfig's lexer cuts them. */
typedef struct text_walk {
    const char *name;
    const char *at;
    unsigned line;
    char last;                            /* token: a mark itself, '"' or 'a' for a word */
    unsigned values;                      /* keys and elements so far */
    unsigned depth;                       /* groups and lists that are open */
    char open[CS_CONF_MAX_DEPTH + 1];     /* their marks; the root counts as a group */
    unsigned keys[CS_CONF_MAX_DEPTH + 1]; /* so far in each of them */
} text_walk;

static void skip_to(text_walk *walk, const char *end)
{
    for (; walk->at < end; walk->at++) {
        walk->line += *walk->at == '\n';
    }
}

static void skip_comment(text_walk *walk)
{
    if (walk->at[0] == '/' && walk->at[1] == '*') {
        const char *end = strstr(walk->at + 2, "*/");
        skip_to(walk, end ? end + 2 : walk->at + strlen(walk->at));
    } else {
        walk->at += strcspn(walk->at, "\n");
    }
}

/* libconfig 1.5 loses the memory of a text that stands where its grammar has no place for one. */
static cs_status check_string(text_walk *walk, cs_error *err)
{
    bool element = walk->last == ',' && walk->open[walk->depth] != '{';
    if (!element && !(walk->last && strchr("=:([\"", walk->last))) {
        return cs_fail(err, CS_EINVAL, "%s:%u: syntax error", walk->name, walk->line);
    }
    const char *p = walk->at + 1;
    while (*p && *p != '"') {
        p += *p == '\\' && p[1] ? 2 : 1;
    }
    skip_to(walk, *p ? p + 1 : p);
    walk->last = '"';
    return CS_OK;
}

/* libconfig reads 5000000000 as 705032704 when the L is missing. */
static cs_status check_number(text_walk *walk, cs_error *err)
{
    const char *start = walk->at, *p = start;
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    bool whole = true;
    while (isalnum((unsigned char)*p) || *p == '.' ||
           (!hex && (*p == '-' || *p == '+') && (p[-1] == 'e' || p[-1] == 'E'))) {
        whole = whole && (hex || !strchr(".eE", *p));
        p++;
    }
    walk->at = p;
    walk->last = 'a';
    int length = (int)(p - start > 40 ? 40 : p - start);
    errno = 0;
    unsigned long long value = whole ? strtoull(start, NULL, hex ? 16 : 10) : 0;
    if (errno == ERANGE || value > INT64_MAX) {
        return cs_fail(err, CS_EINVAL, "%s:%u: the number %.*s does not fit 64 bits", walk->name,
                       walk->line, length, start);
    }
    if (p[-1] != 'L' && value > INT32_MAX) {
        return cs_fail(err, CS_EINVAL, "%s:%u: the number %.*s needs an L at its end (64-bit)",
                       walk->name, walk->line, length, start);
    }
    return CS_OK;
}

/* Nesting is bounded because libconfig's clean-up and whoever reads a tree recurse; keys, because
 * libconfig looks for duplicates through all keys of a group: 20,000 take it seconds. */
static cs_status check_mark(text_walk *walk, cs_error *err)
{
    char mark = *walk->at++;
    walk->last = mark;
    if (strchr("=:,({[", mark) && ++walk->values > CS_CONF_MAX_VALUES) {
        return cs_fail(err, CS_ELIMIT, "%s:%u: more than %u keys and elements", walk->name,
                       walk->line, CS_CONF_MAX_VALUES);
    }
    if (strchr("{([", mark)) {
        if (walk->depth == CS_CONF_MAX_DEPTH) {
            return cs_fail(err, CS_ELIMIT, "%s:%u: nested deeper than %u", walk->name, walk->line,
                           CS_CONF_MAX_DEPTH);
        }
        walk->open[++walk->depth] = mark;
        walk->keys[walk->depth] = 0;
    } else if (strchr("})]", mark) && walk->depth > 0) {
        walk->depth--;
    } else if ((mark == '=' || mark == ':') && ++walk->keys[walk->depth] > CS_CONF_MAX_KEYS) {
        return cs_fail(err, CS_ELIMIT, "%s:%u: more than %u keys in a group", walk->name,
                       walk->line, CS_CONF_MAX_KEYS);
    }
    return CS_OK;
}

/* Refuse, before it is parsed, what libconfig would take without a word or not stand. */
static cs_status check_text(const char *text, const char *name, cs_error *err)
{
    text_walk walk = {.name = name, .at = text, .line = 1, .open = "{"};
    cs_status status = CS_OK;
    while (status == CS_OK && *walk.at) {
        const char *p = walk.at;
        if (isspace((unsigned char)*p)) {
            skip_to(&walk, p + 1);
        } else if (*p == '#' || (p[0] == '/' && (p[1] == '/' || p[1] == '*'))) {
            skip_comment(&walk);
        } else if (*p == '"') {
            status = check_string(&walk, err);
        } else if (isalpha((unsigned char)*p) || *p == '_' || *p == '*') {
            do {
                p++;
            } while (isalnum((unsigned char)*p) || (*p && strchr("_*-", *p)));
            walk.at = p;
            walk.last = 'a';
        } else if (isdigit((unsigned char)*p) || (p[0] == '.' && isdigit((unsigned char)p[1]))) {
            status = check_number(&walk, err);
        } else {
            status = check_mark(&walk, err);
        }
    }
    return status;
}

/* Set the scalar at `path` (made if absent, groups on the way too) and remember where it is from.
 */
static cs_status apply_override(cs_conf *conf, const char *override, cs_error *err)
{
    const char *equals = strchr(override, '=');
    size_t path_length = equals ? (size_t)(equals - override) : 0;
    if (path_length == 0 || path_length > 200) {
        return cs_fail(err, CS_EINVAL, "--set %s: must be KEY=VALUE", override);
    }
    const char *value = equals + 1;
    char path[201];
    memcpy(path, override, path_length);
    path[path_length] = '\0';

    /* Let libconfig itself say what kind of scalar VALUE is; what it refuses is a string. */
    config_t scratch;
    config_init(&scratch);
    size_t text_size = strlen(value) + 9;
    char *text = malloc(text_size);
    if (!text) {
        config_destroy(&scratch);
        return cs_fail_memory(err);
    }
    /* Nobody writes the L of a long number on a command line. */
    size_t digits = strspn(value + (*value == '-'), "0123456789");
    bool is_long = digits > 9 && value[(*value == '-') + digits] == '\0';
    snprintf(text, text_size, "v = %s%s;", value, is_long ? "L" : "");
    /* A newline could start an @include; the others end or extend what is not in quotes. */
    bool plain = !strpbrk(value, *value == '"' ? "\n" : "\n;{}()[]@=#/") &&
                 check_text(text, "--set", NULL) == CS_OK &&
                 config_read_string(&scratch, text) == CONFIG_TRUE;
    free(text);
    const config_setting_t *given = plain ? config_lookup(&scratch, "v") : NULL;
    int type = given ? config_setting_type(given) : CONFIG_TYPE_STRING;

    cs_status status = CS_OK;
    config_setting_t *at = config_root_setting(&conf->config);
    char *rest = path;
    for (unsigned depth = 0;; depth++) {
        char *dot = strchr(rest, '.');
        if (dot) {
            *dot = '\0';
        }
        config_setting_t *next = config_setting_get_member(at, rest);
        if (!next && isdigit((unsigned char)*rest) && strlen(rest) < 10 &&
            !config_setting_is_group(at)) {
            next = config_setting_get_elem(at, (unsigned)strtoul(rest, NULL, 10));
        }
        if (dot && depth == CS_CONF_MAX_DEPTH) {
            status = cs_fail(err, CS_ELIMIT, "--set %s: nested deeper than %u", override,
                             CS_CONF_MAX_DEPTH);
            break;
        }
        if (dot) {
            if (!next && config_setting_is_group(at)) {
                next = config_setting_add(at, rest, CONFIG_TYPE_GROUP);
                if (next) {
                    config_setting_set_hook(next, (void *)"--set");
                }
            }
            if (!next || !config_setting_is_aggregate(next)) {
                status = cs_fail(err, CS_EINVAL, "--set %s: %s is not a group", override, rest);
                break;
            }
            at = next;
            rest = dot + 1;
            continue;
        }
        bool group = config_setting_is_group(at) == CONFIG_TRUE;
        if (next && config_setting_is_aggregate(next)) {
            status = cs_fail(err, CS_EINVAL, "--set %s: %s is a group or list, not a value",
                             override, rest);
            break;
        }
        if (next && (group || config_setting_type(next) != type)) {
            if (!group) {
                status = cs_fail(err, CS_EINVAL, "--set %s: wrong type for this element", override);
                break;
            }
            config_setting_remove(at, rest);
            next = NULL;
        }
        if (!next) {
            next = group ? config_setting_add(at, rest, type) : NULL;
        }
        if (!next) {
            status = cs_fail(err, CS_EINVAL, "--set %s: '%s' is not a key", override, rest);
            break;
        }
        switch (type) {
        case CONFIG_TYPE_INT:
            config_setting_set_int(next, config_setting_get_int(given));
            break;
        case CONFIG_TYPE_INT64:
            config_setting_set_int64(next, config_setting_get_int64(given));
            break;
        case CONFIG_TYPE_FLOAT:
            config_setting_set_float(next, config_setting_get_float(given));
            break;
        case CONFIG_TYPE_BOOL:
            config_setting_set_bool(next, config_setting_get_bool(given));
            break;
        default:
            config_setting_set_string(next, given ? config_setting_get_string(given) : value);
            break;
        }
        config_setting_set_hook(next, (void *)"--set");
        break;
    }
    config_destroy(&scratch);
    return status;
}

cs_conf *cs_conf_parse(const char *text, size_t size, const char *name,
                       const char *const *overrides, size_t override_count, cs_error *err)
{
    if (size > CS_CONF_MAX_BYTES) {
        cs_fail(err, CS_ELIMIT, "%s: %zu bytes; at most %u are read", name, size,
                CS_CONF_MAX_BYTES);
        return NULL;
    }
    cs_conf *conf = calloc(1, sizeof *conf);
    char *copy = malloc(size + 2);
    if (!conf || !copy) {
        cs_fail_memory(err);
        goto fail;
    }
    if (size) {
        memcpy(copy, text, size);
    }
    /* libconfig wants a comment on the last line to end in a newline. */
    copy[size] = '\n';
    copy[size + 1] = '\0';
    config_init(&conf->config);
    conf->name = strdup(name);
    if (!conf->name) {
        cs_fail_memory(err);
        goto fail;
    }
    if (strlen(copy) != size + 1) {
        cs_fail(err, CS_EINVAL, "%s: holds a zero byte; this is not a configuration text", name);
        goto fail;
    }
    /* libconfig would open the file that an @include names, whoever sent the text. */
    const char *include = strstr(copy, "@include");
    if (include) {
        int line = 1;
        for (const char *at = copy; at < include; at++) {
            line += *at == '\n';
        }
        cs_fail(err, CS_EINVAL, "%s:%d: @include is not allowed", name, line);
        goto fail;
    }
    if (check_text(copy, name, err) != CS_OK) {
        goto fail;
    }
    if (config_read_string(&conf->config, copy) != CONFIG_TRUE) {
        cs_fail(err, CS_EINVAL, "%s:%d: %s", name, config_error_line(&conf->config),
                config_error_text(&conf->config));
        goto fail;
    }
    for (size_t i = 0; i < override_count; i++) {
        if (apply_override(conf, overrides[i], err) != CS_OK) {
            goto fail;
        }
    }
    free(copy);
    return conf;
fail:
    free(copy);
    cs_conf_free(conf);
    return NULL;
}

void cs_conf_free(cs_conf *conf)
{
    if (conf) {
        config_destroy(&conf->config);
        free(conf->name);
        free(conf);
    }
}

/* ---- places ---- */

static config_setting_t *setting_of(cs_conf_node node)
{
    return (config_setting_t *)node.setting; /* libconfig's getters want it non-const */
}

static cs_conf_node node_of(cs_conf_node near, const config_setting_t *setting)
{
    return (cs_conf_node){.conf = near.conf, .setting = setting};
}

cs_conf_node cs_conf_root(const cs_conf *conf)
{
    return (cs_conf_node){.conf = conf, .setting = config_root_setting(&conf->config)};
}

cs_conf_node cs_conf_member(cs_conf_node group, const char *key)
{
    bool can = group.setting && config_setting_is_group(setting_of(group));
    return node_of(group, can ? config_setting_get_member(setting_of(group), key) : NULL);
}

cs_conf_node cs_conf_element(cs_conf_node list, size_t index)
{
    bool can = list.setting && config_setting_is_aggregate(setting_of(list)) &&
               index < cs_conf_length(list);
    return node_of(list, can ? config_setting_get_elem(setting_of(list), (unsigned)index) : NULL);
}

bool cs_conf_exists(cs_conf_node node)
{
    return node.setting != NULL;
}

size_t cs_conf_length(cs_conf_node node)
{
    if (!node.setting || !config_setting_is_aggregate(setting_of(node))) {
        return 0;
    }
    return (size_t)config_setting_length(setting_of(node));
}

static int type_of(cs_conf_node node)
{
    return node.setting ? config_setting_type(setting_of(node)) : CONFIG_TYPE_NONE;
}

bool cs_conf_is_group(cs_conf_node node)
{
    return type_of(node) == CONFIG_TYPE_GROUP;
}

bool cs_conf_is_list(cs_conf_node node)
{
    return type_of(node) == CONFIG_TYPE_LIST || type_of(node) == CONFIG_TYPE_ARRAY;
}

bool cs_conf_is_string(cs_conf_node node)
{
    return type_of(node) == CONFIG_TYPE_STRING;
}

bool cs_conf_is_number(cs_conf_node node)
{
    int type = type_of(node);
    return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64 || type == CONFIG_TYPE_FLOAT;
}

bool cs_conf_is_bool(cs_conf_node node)
{
    return type_of(node) == CONFIG_TYPE_BOOL;
}

const char *cs_conf_key(cs_conf_node node)
{
    const char *key = node.setting ? config_setting_name(setting_of(node)) : NULL;
    return key ? key : "";
}

/* ---- errors ---- */

/* "stages[2].kernel" for a setting; cut where it does not fit. */
static void describe_path(const config_setting_t *setting, char *path, size_t size)
{
    const config_setting_t *parent = config_setting_parent(setting);
    if (!parent) {
        path[0] = '\0';
        return;
    }
    describe_path(parent, path, size);
    size_t used = strlen(path);
    const char *name = config_setting_name(setting);
    if (name) {
        snprintf(path + used, size - used, "%s%s", used ? "." : "", name);
    } else {
        snprintf(path + used, size - used, "[%d]", config_setting_index(setting));
    }
}

static cs_status fail_at(cs_conf_node node, const char *key, cs_error *err, const char *text)
{
    const config_setting_t *setting = node.setting;
    char path[160];
    describe_path(setting, path, sizeof path);
    if (key) {
        size_t used = strlen(path);
        snprintf(path + used, sizeof path - used, "%s%s", used ? "." : "", key);
    }
    const char *origin = config_setting_get_hook(setting);
    if (origin) {
        return cs_fail(err, CS_EINVAL, "%s %s: %s", origin, path, text);
    }
    unsigned line = config_setting_source_line(setting);
    return cs_fail(err, CS_EINVAL, "%s:%u: %s%s%s", node.conf->name, line ? line : 1, path,
                   *path ? ": " : "", text);
}

cs_status cs_conf_fail(cs_conf_node node, cs_error *err, const char *format, ...)
{
    assert(node.setting);
    char text[CS_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail_at(node, NULL, err, text);
}

cs_status cs_conf_only(cs_conf_node group, const char *const *keys, cs_error *err)
{
    if (!cs_conf_is_group(group)) {
        return cs_conf_fail(group, err, "must be a group { ... }");
    }
    for (size_t i = 0; i < cs_conf_length(group); i++) {
        cs_conf_node member = cs_conf_element(group, i);
        const char *key = cs_conf_key(member);
        size_t k = 0;
        while (keys[k] && strcmp(keys[k], key) != 0) {
            k++;
        }
        if (!keys[k]) {
            char known[300] = "";
            for (k = 0; keys[k]; k++) {
                size_t used = strlen(known);
                snprintf(known + used, sizeof known - used, "%s%s", k ? ", " : "", keys[k]);
            }
            return cs_conf_fail(member, err, "unknown key; known here: %s",
                                *known ? known : "none");
        }
    }
    return CS_OK;
}

/* ---- values ---- */

cs_status cs_conf_as_int(cs_conf_node node, int64_t min, int64_t max, int64_t *value, cs_error *err)
{
    int type = type_of(node);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        return cs_conf_fail(node, err, "must be a whole number from %lld to %lld", (long long)min,
                            (long long)max);
    }
    int64_t got = config_setting_get_int64(setting_of(node));
    if (got < min || got > max) {
        return cs_conf_fail(node, err, "must be a whole number from %lld to %lld, not %lld",
                            (long long)min, (long long)max, (long long)got);
    }
    *value = got;
    return CS_OK;
}

cs_status cs_conf_as_number(cs_conf_node node, double min, double max, double *value, cs_error *err)
{
    if (!cs_conf_is_number(node)) {
        return cs_conf_fail(node, err, "must be a number from %g to %g", min, max);
    }
    double got = type_of(node) == CONFIG_TYPE_FLOAT
                     ? config_setting_get_float(setting_of(node))
                     : (double)config_setting_get_int64(setting_of(node));
    if (!(got >= min && got <= max)) {
        return cs_conf_fail(node, err, "must be a number from %g to %g, not %g", min, max, got);
    }
    *value = got;
    return CS_OK;
}

cs_status cs_conf_as_bool(cs_conf_node node, bool *value, cs_error *err)
{
    if (!cs_conf_is_bool(node)) {
        return cs_conf_fail(node, err, "must be true or false");
    }
    *value = config_setting_get_bool(setting_of(node)) == CONFIG_TRUE;
    return CS_OK;
}

cs_status cs_conf_as_string(cs_conf_node node, const char **value, cs_error *err)
{
    if (!cs_conf_is_string(node)) {
        return cs_conf_fail(node, err, "must be a text in quotes");
    }
    *value = config_setting_get_string(setting_of(node));
    return CS_OK;
}

static cs_status find(cs_conf_node group, const char *key, cs_conf_node *member, cs_error *err)
{
    *member = cs_conf_member(group, key);
    if (!member->setting) {
        return fail_at(group, key, err, "is missing");
    }
    return CS_OK;
}

cs_status cs_conf_int(cs_conf_node group, const char *key, int64_t min, int64_t max, int64_t *value,
                      cs_error *err)
{
    cs_conf_node member;
    cs_status status = find(group, key, &member, err);
    return status ? status : cs_conf_as_int(member, min, max, value, err);
}

cs_status cs_conf_number(cs_conf_node group, const char *key, double min, double max, double *value,
                         cs_error *err)
{
    cs_conf_node member;
    cs_status status = find(group, key, &member, err);
    return status ? status : cs_conf_as_number(member, min, max, value, err);
}

cs_status cs_conf_bool(cs_conf_node group, const char *key, bool *value, cs_error *err)
{
    cs_conf_node member;
    cs_status status = find(group, key, &member, err);
    return status ? status : cs_conf_as_bool(member, value, err);
}

cs_status cs_conf_string(cs_conf_node group, const char *key, const char **value, cs_error *err)
{
    cs_conf_node member;
    cs_status status = find(group, key, &member, err);
    return status ? status : cs_conf_as_string(member, value, err);
}

cs_status cs_conf_group(cs_conf_node group, const char *key, cs_conf_node *member, cs_error *err)
{
    cs_conf_node got;
    cs_status status = find(group, key, &got, err);
    if (!status && !cs_conf_is_group(got)) {
        status = cs_conf_fail(got, err, "must be a group { ... }");
    }
    if (!status) {
        *member = got;
    }
    return status;
}

cs_status cs_conf_list(cs_conf_node group, const char *key, cs_conf_node *member, cs_error *err)
{
    cs_conf_node got;
    cs_status status = find(group, key, &got, err);
    if (!status && !cs_conf_is_list(got)) {
        status = cs_conf_fail(got, err, "must be a list ( ... ) or [ ... ]");
    }
    if (!status) {
        *member = got;
    }
    return status;
}

cs_status cs_conf_maybe_int(cs_conf_node group, const char *key, int64_t min, int64_t max,
                            int64_t *value, cs_error *err)
{
    cs_conf_node member = cs_conf_member(group, key);
    return member.setting ? cs_conf_as_int(member, min, max, value, err) : CS_OK;
}

cs_status cs_conf_maybe_number(cs_conf_node group, const char *key, double min, double max,
                               double *value, cs_error *err)
{
    cs_conf_node member = cs_conf_member(group, key);
    return member.setting ? cs_conf_as_number(member, min, max, value, err) : CS_OK;
}

cs_status cs_conf_maybe_bool(cs_conf_node group, const char *key, bool *value, cs_error *err)
{
    cs_conf_node member = cs_conf_member(group, key);
    return member.setting ? cs_conf_as_bool(member, value, err) : CS_OK;
}

cs_status cs_conf_maybe_string(cs_conf_node group, const char *key, const char **value,
                               cs_error *err)
{
    cs_conf_node member = cs_conf_member(group, key);
    return member.setting ? cs_conf_as_string(member, value, err) : CS_OK;
}
