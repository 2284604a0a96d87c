/* The library: see library.h. */
#include "base/library.h"

#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain_name(const char *name)
{
    if (!isalnum((unsigned char)name[0]) || strlen(name) > 100) {
        return false;
    }
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p)) {
            return false;
        }
    }
    return true;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* "mnasnet, nahas": what the folder holds, without .conf; where they are too many, "..." stands for
 * the rest. */
static void list_folder(const char *path, char *list, size_t size)
{
    struct dirent **entries;
    bool full = false;
    list[0] = '\0';
    int count = scandir(path, &entries, visible, alphasort);
    for (int i = 0; i < count; i++) {
        char *name = entries[i]->d_name;
        char *dot = strrchr(name, '.');
        if (dot && strcmp(dot, ".conf") == 0) {
            *dot = '\0';
        }
        size_t used = strlen(list);
        if (!full) {
            full = used + strlen(", ") + strlen(name) + sizeof ", ..." > size;
            snprintf(list + used, size - used, "%s%s", used ? ", " : "", full ? "..." : name);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
}

char *cs_library_read(const char *library, const char *folder, const char *name, size_t limit,
                      size_t *size, cs_error *err)
{
    static const char *const endings[] = {".conf", ""};
    char path[PATH_MAX];
    if (!is_plain_name(name)) {
        cs_fail(err, CS_EINVAL,
                "'%.100s' is not a name of the library (letters, digits, '-', '_', '.'); "
                "for a file of your own give a path with a '/'",
                name);
        return NULL;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        cs_error failure;
        snprintf(path, sizeof path, "%s/%s/%s%s", library, folder, name, endings[i]);
        char *data = cs_file_read(path, limit, size, &failure);
        if (data) {
            return data;
        }
        if (failure.status != CS_ENOENT) {
            cs_fail(err, failure.status, "%s", failure.text);
            return NULL;
        }
    }
    char list[300];
    snprintf(path, sizeof path, "%s/%s", library, folder);
    list_folder(path, list, sizeof list);
    cs_fail(err, CS_ENOENT, "the library has no %s '%s'; it has: %s", folder, name,
            *list ? list : "none");
    return NULL;
}
