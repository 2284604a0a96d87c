/* A job as a value: see bundle.h. */
#include "search/bundle.h"

#include <stdlib.h>
#include <string.h>

const cs_bundle_role cs_bundle_roles[] = {
    {"network_space", "spaces"},  {"accelerator_space", "spaces"}, {"baseline", "accelerators"},
    {"technology", "technology"}, {"accuracy", "predictors"},      {NULL, NULL},
};

void cs_bundle_release(cs_bundle *bundle)
{
    for (size_t i = 0; i < bundle->set_count; i++) {
        free(bundle->sets[i]);
    }
    for (size_t i = 0; i < bundle->file_count; i++) {
        free(bundle->files[i].name);
        free(bundle->files[i].bytes);
    }
    free(bundle->sets);
    free(bundle->text_name);
    free(bundle->text);
    *bundle = (cs_bundle){0};
}

/* A copy with a zero byte behind it. */
static char *copy_of(const void *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy) {
        if (size) {
            memcpy(copy, bytes, size);
        }
        copy[size] = '\0';
    }
    return copy;
}

static cs_status check_name(const char *name, cs_error *err)
{
    size_t length = strlen(name);
    if (length < 1 || length > CS_BUNDLE_MAX_NAME_BYTES) {
        return cs_fail(err, CS_ELIMIT, "a file's name has 1 to %u bytes, not %zu",
                       CS_BUNDLE_MAX_NAME_BYTES, length);
    }
    return CS_OK;
}

cs_status cs_bundle_set_text(cs_bundle *bundle, const char *text_name, const void *text,
                             size_t size, cs_error *err)
{
    cs_status status = check_name(text_name, err);
    if (status) {
        return status;
    }
    if (size > CS_BUNDLE_MAX_TEXT_BYTES) {
        return cs_fail(err, CS_ELIMIT, "%s: %zu bytes; a job file has at most %u", text_name, size,
                       CS_BUNDLE_MAX_TEXT_BYTES);
    }
    char *name = strdup(text_name);
    char *copy = copy_of(text, size);
    if (!name || !copy) {
        free(name);
        free(copy);
        return cs_fail_memory(err);
    }
    free(bundle->text_name);
    free(bundle->text);
    bundle->text_name = name;
    bundle->text = copy;
    bundle->text_size = size;
    return CS_OK;
}

cs_status cs_bundle_add_set(cs_bundle *bundle, const char *set, cs_error *err)
{
    if (bundle->set_count == CS_BUNDLE_MAX_SETS || strlen(set) > CS_BUNDLE_MAX_SET_BYTES) {
        return cs_fail(err, CS_ELIMIT, "--set: at most %u, each of at most %u bytes",
                       CS_BUNDLE_MAX_SETS, CS_BUNDLE_MAX_SET_BYTES);
    }
    if (!bundle->sets) {
        bundle->sets = calloc(CS_BUNDLE_MAX_SETS, sizeof *bundle->sets);
        if (!bundle->sets) {
            return cs_fail_memory(err);
        }
    }
    char *copy = strdup(set);
    if (!copy) {
        return cs_fail_memory(err);
    }
    bundle->sets[bundle->set_count++] = copy;
    return CS_OK;
}

cs_status cs_bundle_add_file(cs_bundle *bundle, const char *name, const void *bytes, size_t size,
                             cs_error *err)
{
    cs_status status = check_name(name, err);
    if (status) {
        return status;
    }
    if (size > CS_BUNDLE_MAX_FILE_BYTES) {
        return cs_fail(err, CS_ELIMIT, "%s: %zu bytes; a file of a job has at most %u", name, size,
                       CS_BUNDLE_MAX_FILE_BYTES);
    }
    if (bundle->file_count == CS_BUNDLE_MAX_FILES) {
        return cs_fail(err, CS_ELIMIT, "%s: a job has at most %u files", name, CS_BUNDLE_MAX_FILES);
    }
    cs_bundle_file file = {
        .name = strdup(name),
        .hash = cs_hash_of(bytes, size),
        .bytes = copy_of(bytes, size),
        .size = size,
    };
    if (!file.name || !file.bytes) {
        free(file.name);
        free(file.bytes);
        return cs_fail_memory(err);
    }
    bundle->files[bundle->file_count++] = file;
    return CS_OK;
}

const cs_bundle_file *cs_bundle_find(const cs_bundle *bundle, const char *name)
{
    for (size_t i = 0; i < bundle->file_count; i++) {
        if (strcmp(bundle->files[i].name, name) == 0) {
            return &bundle->files[i];
        }
    }
    return NULL;
}

cs_conf *cs_bundle_parse(const cs_bundle *bundle, cs_error *err)
{
    return cs_conf_parse(bundle->text, bundle->text_size, bundle->text_name,
                         (const char *const *)bundle->sets, bundle->set_count, err);
}

/* A chain of hashes needs no memory, so that a hash cannot fail. */
static void chain(cs_hash *hash, const void *part, size_t size)
{
    cs_hash both[2] = {*hash, cs_hash_of(part, size)};
    *hash = cs_hash_of(both, sizeof both);
}

cs_hash cs_bundle_hash(const cs_bundle *bundle)
{
    uint8_t set_count = (uint8_t)bundle->set_count;
    cs_hash hash = {0};
    chain(&hash, bundle->text_name, strlen(bundle->text_name));
    chain(&hash, bundle->text, bundle->text_size);
    chain(&hash, &set_count, sizeof set_count);
    for (size_t i = 0; i < bundle->set_count; i++) {
        chain(&hash, bundle->sets[i], strlen(bundle->sets[i]));
    }
    for (size_t i = 0; i < bundle->file_count; i++) {
        chain(&hash, bundle->files[i].name, strlen(bundle->files[i].name));
        chain(&hash, bundle->files[i].hash.bytes, CS_HASH_BYTES);
    }
    return hash;
}
