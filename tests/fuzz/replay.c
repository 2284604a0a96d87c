/* Runs a fuzz target over files, and over the files of folders in the order of their names: found
 * inputs stay tests on compilers that have no libFuzzer. */
#include "fuzz.h"

#include "base/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_INPUT_BYTES (16u << 20)

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Returns the number of inputs that were run, or -1. */
static int replay_file(const char *path)
{
    size_t size;
    cs_error err;
    char *text = cs_file_read(path, MAX_INPUT_BYTES, &size, &err);
    /* Exactly as large as the input, so that ASan sees a byte read too many. */
    uint8_t *input = text ? malloc(size ? size : 1) : NULL;
    if (!input) {
        fprintf(stderr, "%s: %s\n", path, text ? "out of memory" : err.text);
        free(text);
        return -1;
    }
    memcpy(input, text, size);
    free(text);
    (void)LLVMFuzzerTestOneInput(input, size);
    free(input);
    return 1;
}

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_visible, alphasort);
    if (count < 0) {
        perror(folder);
        return -1;
    }
    int run = 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
        if (run >= 0) {
            int one = replay_file(path);
            run = one < 0 ? -1 : run + one;
        }
    }
    free(entries);
    return run;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        bool is_folder = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode);
        int run = is_folder ? replay_folder(argv[i]) : replay_file(argv[i]);
        if (run < 0) {
            return EXIT_FAILURE;
        }
        total += run;
    }
    printf("%d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
