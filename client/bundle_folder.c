/* Jobs on disk: see bundle_folder.h. */
#include "client/bundle_folder.h"

#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_FOLDER "files"
#define NAME_BYTES   112 /* of a file that is written */

static char *path_in(const char *folder, const char *name, cs_error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", name) < 0) {
        cs_fail_memory(err);
        return NULL;
    }
    return path;
}

/* ---- reading ---- */

static bool has_hash(const void *bytes, size_t size, const char *expected)
{
    char hex[CS_HASH_HEX];
    cs_hash hash = cs_hash_of(bytes, size);
    cs_hash_hex(&hash, hex);
    return strcmp(hex, expected) == 0;
}

/* A manifest may come from anyone: it names files below its folder only. */
static bool stays_below(const char *path)
{
    if (*path == '/' || *path == '\0') {
        return false;
    }
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
            return false;
        }
    }
    return true;
}

/* The content of a file that the manifest names at `file`, with the hash stated at `hash`. */
static char *read_listed(const char *folder, cs_conf_node group, const char *file_key,
                         const char *hash_key, size_t *size, cs_error *err)
{
    const char *file, *hash;
    if (cs_conf_string(group, file_key, &file, err) != CS_OK ||
        cs_conf_string(group, hash_key, &hash, err) != CS_OK) {
        return NULL;
    }
    cs_conf_node place = cs_conf_member(group, file_key);
    if (!stays_below(file)) {
        cs_conf_fail(place, err, "must be a file below the folder");
        return NULL;
    }
    char *path = path_in(folder, file, err);
    cs_error why = {0};
    char *bytes = path ? cs_file_read(path, CS_BUNDLE_MAX_FILE_BYTES, size, &why) : NULL;
    if (path && !bytes) {
        cs_conf_fail(place, err, "%s", why.text);
    }
    free(path);
    if (bytes && !has_hash(bytes, *size, hash)) {
        cs_conf_fail(place, err, "%s is not what was exported (SHA-256 differs)", file);
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

/* The job's text and overrides as the manifest has them. */
static cs_status take_manifest(const char *folder, cs_conf_node manifest, cs_bundle *bundle,
                               cs_error *err)
{
    static const char *const keys[] = {"kind",  "job",       "text_name", "sha256", "set",
                                       "files", "simulator", "revision",  NULL};
    const char *kind, *text_name;
    cs_conf_node sets, files;
    cs_status status = cs_conf_string(manifest, "kind", &kind, err);
    if (!status && strcmp(kind, "bundle") != 0) {
        status = cs_conf_fail(cs_conf_member(manifest, "kind"), err, "must be \"bundle\"");
    }
    if (status || (status = cs_conf_only(manifest, keys, err)) ||
        (status = cs_conf_string(manifest, "text_name", &text_name, err)) ||
        (status = cs_conf_list(manifest, "set", &sets, err)) ||
        (status = cs_conf_list(manifest, "files", &files, err))) {
        return status;
    }
    size_t size;
    cs_error why = {0};
    char *text = read_listed(folder, manifest, "job", "sha256", &size, &why);
    if (!text) {
        return cs_fail(err, why.status, "%s", why.text);
    }
    status = cs_bundle_set_text(bundle, text_name, text, size, err);
    free(text);
    for (size_t i = 0; i < cs_conf_length(sets) && !status; i++) {
        const char *set;
        status = cs_conf_as_string(cs_conf_element(sets, i), &set, err);
        if (!status) {
            status = cs_bundle_add_set(bundle, set, err);
        }
    }
    return status;
}

/* The manifest's entry for a name; absent without a manifest. */
static cs_status find_listed(cs_conf_node manifest, const char *name, cs_conf_node *entry,
                             cs_error *err)
{
    static const char *const keys[] = {"name", "file", "sha256", NULL};
    cs_conf_node files = cs_conf_member(manifest, "files");
    *entry = (cs_conf_node){0};
    for (size_t i = 0; i < cs_conf_length(files); i++) {
        cs_conf_node at = cs_conf_element(files, i);
        const char *listed;
        cs_status status = cs_conf_only(at, keys, err);
        if (!status) {
            status = cs_conf_string(at, "name", &listed, err);
        }
        if (status) {
            return status;
        }
        if (strcmp(listed, name) == 0) {
            *entry = at;
        }
    }
    return CS_OK;
}

/* Add the file that the text names at `place`, unless it is the server's. */
static cs_status add_named(const char *folder, cs_conf_node manifest, cs_conf_node place,
                           cs_bundle *bundle, cs_error *err)
{
    const char *name;
    cs_conf_node entry;
    cs_status status = cs_conf_as_string(place, &name, err);
    if (!status) {
        status = find_listed(manifest, name, &entry, err);
    }
    bool listed = !status && cs_conf_exists(entry);
    if (status || cs_bundle_find(bundle, name) || (!listed && !strchr(name, '/'))) {
        return status;
    }
    size_t size;
    char *bytes;
    cs_error why = {0};
    if (listed) {
        bytes = read_listed(folder, entry, "file", "sha256", &size, &why);
        status = why.status ? cs_fail(err, why.status, "%s", why.text) : CS_OK;
    } else {
        char *path = *name == '/' ? strdup(name) : path_in(folder, name, &why);
        bytes = path ? cs_file_read(path, CS_BUNDLE_MAX_FILE_BYTES, &size, &why) : NULL;
        status = bytes  ? CS_OK
                 : path ? cs_conf_fail(place, err, "%s", why.text)
                        : cs_fail_memory(err);
        free(path);
    }
    if (!status) {
        status = cs_bundle_add_file(bundle, name, bytes, size, err);
    }
    free(bytes);
    return status;
}

/* Split into folder and file; both malloc'd, false for want of memory. The folder of a name
 * without '/' is "". */
static bool split_path(const char *path, char **folder, char **name)
{
    const char *slash = strrchr(path, '/');
    *folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup("");
    *name = strdup(slash ? slash + 1 : path);
    return *folder && *name;
}

/* The manifest of a folder, NULL without error where there is none. */
static cs_conf *read_manifest(const char *folder, cs_error *err)
{
    cs_error why = {0};
    size_t size;
    char *path = path_in(folder, CS_BUNDLE_MANIFEST, err);
    char *text = path ? cs_file_read(path, CS_CONF_MAX_BYTES, &size, &why) : NULL;
    cs_conf *manifest = NULL;
    if (text) {
        manifest = cs_conf_parse(text, size, path, NULL, 0, err);
    } else if (path && why.status != CS_ENOENT) {
        cs_fail(err, why.status, "%s", why.text);
    }
    free(text);
    free(path);
    return manifest;
}

/* The job's text, overrides and, where it was exported, its manifest. `folder` and `name` are of
 * the job file; name is NULL where `folder` was given alone. */
static cs_status read_text(const char *path, const char *folder, const char *name,
                           cs_conf **manifest, cs_bundle *bundle, cs_error *err)
{
    cs_error why = {0};
    *manifest = read_manifest(folder, &why);
    if (why.status) {
        return cs_fail(err, why.status, "%s", why.text);
    }
    const char *job = NULL;
    bool exported =
        *manifest &&
        (!name || (cs_conf_string(cs_conf_root(*manifest), "job", &job, NULL) == CS_OK &&
                   strcmp(job, name) == 0));
    if (exported) {
        return take_manifest(folder, cs_conf_root(*manifest), bundle, err);
    }
    cs_conf_free(*manifest);
    *manifest = NULL;
    if (!name) {
        return cs_fail(err, CS_ENOENT, "%s: has no %s, so it is no exported job", path,
                       CS_BUNDLE_MANIFEST);
    }
    size_t size;
    char *text = cs_file_read(path, CS_BUNDLE_MAX_FILE_BYTES, &size, &why);
    if (!text) {
        return cs_fail(err, why.status, "%s", why.text);
    }
    cs_status status = cs_bundle_set_text(bundle, name, text, size, err);
    free(text);
    return status;
}

cs_status cs_bundle_folder_read(const char *path, const char *const *sets, size_t set_count,
                                cs_bundle *bundle, cs_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return cs_fail(err, errno == ENOENT ? CS_ENOENT : CS_EIO, "%s: %s", path, strerror(errno));
    }
    char *folder = NULL, *name = NULL;
    cs_conf *manifest = NULL, *conf = NULL;
    cs_status status;
    if (S_ISDIR(info.st_mode)) {
        folder = strdup(path);
        status = folder ? CS_OK : cs_fail_memory(err);
    } else {
        status = split_path(path, &folder, &name) ? CS_OK : cs_fail_memory(err);
    }
    if (!status) {
        status = read_text(path, folder, name, &manifest, bundle, err);
    }
    for (size_t i = 0; i < set_count && !status; i++) {
        status = cs_bundle_add_set(bundle, sets[i], err);
    }
    if (!status) {
        /* Errors here are for who edits the file: name it by the path they gave. */
        cs_error why = {0};
        conf = cs_conf_parse(bundle->text, bundle->text_size, name ? path : bundle->text_name,
                             (const char *const *)bundle->sets, bundle->set_count, &why);
        status = conf ? CS_OK : cs_fail(err, why.status, "%s", why.text);
    }
    cs_conf_node listed = manifest ? cs_conf_root(manifest) : (cs_conf_node){0};
    for (const cs_bundle_role *role = cs_bundle_roles; role->key && !status; role++) {
        cs_conf_node place = cs_conf_member(cs_conf_root(conf), role->key);
        if (cs_conf_exists(place)) {
            status = add_named(folder, listed, place, bundle, err);
        }
    }
    cs_conf_free(conf);
    cs_conf_free(manifest);
    free(folder);
    free(name);
    return status;
}

/* ---- writing ---- */

/* A name for a file on disk: the last part of `name`, with plain letters only. */
static void plain_name(const char *name, const char *fallback, char plain[NAME_BYTES])
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    size_t at = 0;
    for (; base[at] && at < NAME_BYTES - 12; at++) {
        bool allowed = isascii((unsigned char)base[at]) &&
                       (isalnum((unsigned char)base[at]) || strchr("_-", base[at]) ||
                        (base[at] == '.' && at > 0));
        plain[at] = allowed ? base[at] : '_';
    }
    plain[at] = '\0';
    if (at == 0) {
        snprintf(plain, NAME_BYTES, "%s", fallback);
    }
}

/* Give every file of the bundle a name of its own: the number sees to that. */
static void name_files(const cs_bundle *bundle, char names[][NAME_BYTES])
{
    for (size_t i = 0; i < bundle->file_count; i++) {
        char plain[NAME_BYTES];
        plain_name(bundle->files[i].name, "file", plain);
        snprintf(names[i], NAME_BYTES, "%zu-%.*s", i + 1, NAME_BYTES - 24, plain);
    }
}

/* A libconfig string. */
static void put_string(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            fprintf(stream, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            fprintf(stream, "\\x%02x", byte);
        } else {
            fputc(byte, stream);
        }
    }
    fputc('"', stream);
}

static void put_setting(FILE *stream, const char *key, const char *value)
{
    fprintf(stream, "%s = ", key);
    put_string(stream, value);
    fputs(";\n", stream);
}

static void put_manifest(FILE *stream, const cs_bundle *bundle, const char *text_file,
                         char names[][NAME_BYTES], const char *simulator, uint32_t revision)
{
    char hex[CS_HASH_HEX];
    cs_hash hash = cs_hash_of(bundle->text, bundle->text_size);
    cs_hash_hex(&hash, hex);
    fputs("# A job as it ran. codesign-client submit-job on this folder submits it again.\n",
          stream);
    put_setting(stream, "kind", "bundle");
    put_setting(stream, "job", text_file);
    put_setting(stream, "text_name", bundle->text_name);
    put_setting(stream, "sha256", hex);
    fputs("set = [", stream);
    for (size_t i = 0; i < bundle->set_count; i++) {
        fputs(i ? ", " : "", stream);
        put_string(stream, bundle->sets[i]);
    }
    fputs("];\nfiles = (", stream);
    for (size_t i = 0; i < bundle->file_count; i++) {
        fputs(i ? ",\n    { name = " : "\n    { name = ", stream);
        put_string(stream, bundle->files[i].name);
        fprintf(stream, "; file = \"%s/%s\";\n", FILES_FOLDER, names[i]);
        cs_hash_hex(&bundle->files[i].hash, hex);
        fprintf(stream, "      sha256 = \"%s\"; }", hex);
    }
    fputs("\n);\n# What it ran on.\n", stream);
    put_setting(stream, "simulator", simulator);
    fprintf(stream, "revision = %uL;\n", revision);
}

/* Make the folder, or see that it is empty. */
static cs_status make_folder(const char *folder, cs_error *err)
{
    if (mkdir(folder, 0777) == 0) {
        return CS_OK;
    }
    DIR *there = errno == EEXIST ? opendir(folder) : NULL;
    if (!there) {
        return cs_fail(err, errno == EACCES ? CS_EPERM : CS_EIO, "%s: %s", folder, strerror(errno));
    }
    bool empty = true;
    for (struct dirent *entry = readdir(there); entry && empty; entry = readdir(there)) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(there);
    return empty ? CS_OK : cs_fail(err, CS_EEXIST, "%s: is not empty", folder);
}

static cs_status write_in(const char *folder, const char *name, const void *bytes, size_t size,
                          cs_error *err)
{
    char *path = path_in(folder, name, err);
    cs_status status = path ? cs_file_write(path, bytes, size, err) : CS_ENOMEM;
    free(path);
    return status;
}

cs_status cs_bundle_folder_write(const char *folder, const cs_bundle *bundle, const char *simulator,
                                 uint32_t simulator_revision, cs_error *err)
{
    char names[CS_BUNDLE_MAX_FILES][NAME_BYTES], text_file[NAME_BYTES];
    name_files(bundle, names);
    plain_name(bundle->text_name, "job.conf", text_file);
    if (strcmp(text_file, CS_BUNDLE_MANIFEST) == 0 || strcmp(text_file, FILES_FOLDER) == 0) {
        snprintf(text_file, sizeof text_file, "job.conf");
    }
    char *manifest = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&manifest, &size);
    if (!stream) {
        return cs_fail_memory(err);
    }
    put_manifest(stream, bundle, text_file, names, simulator, simulator_revision);
    char *files = path_in(folder, FILES_FOLDER, err);
    cs_status status = fclose(stream) != 0 || !files ? cs_fail_memory(err) : CS_OK;
    if (!status) {
        status = make_folder(folder, err);
    }
    if (!status) {
        status = make_folder(files, err);
    }
    if (!status) {
        status = write_in(folder, text_file, bundle->text, bundle->text_size, err);
    }
    for (size_t i = 0; i < bundle->file_count && !status; i++) {
        status = write_in(files, names[i], bundle->files[i].bytes, bundle->files[i].size, err);
    }
    if (!status) {
        status = write_in(folder, CS_BUNDLE_MANIFEST, manifest, size, err);
    }
    free(files);
    free(manifest);
    return status;
}
