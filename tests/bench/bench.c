/* What the benchmarks share: see bench.h. */
#include "tests/bench/bench.h"

#include "base/file.h"
#include "base/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void *bench_must(void *pointer, const cs_error *error)
{
    if (!pointer) {
        fprintf(stderr, "%s\n", error->text);
        exit(1);
    }
    return pointer;
}

void bench_check(cs_status status, const cs_error *error)
{
    if (status) {
        fprintf(stderr, "%s\n", error->text);
        exit(1);
    }
}

cs_plan *bench_plan(const char *path, const char *const *sets, size_t set_count)
{
    cs_error error;
    size_t size;
    cs_bundle bundle = {0};
    char *text = bench_must(cs_file_read(path, CS_BUNDLE_MAX_FILE_BYTES, &size, &error), &error);
    bench_check(cs_bundle_set_text(&bundle, path, text, size, &error), &error);
    free(text);
    for (size_t i = 0; i < set_count; i++) {
        bench_check(cs_bundle_add_set(&bundle, sets[i], &error), &error);
    }
    cs_conf *conf = bench_must(cs_bundle_parse(&bundle, &error), &error);
    for (const cs_bundle_role *role = cs_bundle_roles; role->key; role++) {
        const char *name = NULL;
        bench_check(cs_conf_maybe_string(cs_conf_root(conf), role->key, &name, &error), &error);
        if (name && !cs_bundle_find(&bundle, name)) {
            char beside[500];
            snprintf(beside, sizeof beside, "%.*s%s", (int)(strrchr(path, '/') + 1 - path), path,
                     name);
            char *file = bench_must(
                strchr(name, '/') ? cs_file_read(beside, CS_BUNDLE_MAX_FILE_BYTES, &size, &error)
                                  : cs_library_read(CODESIGN_SOURCE_DIR "/configs", role->folder,
                                                    name, CS_BUNDLE_MAX_FILE_BYTES, &size, &error),
                &error);
            bench_check(cs_bundle_add_file(&bundle, name, file, size, &error), &error);
            free(file);
        }
    }
    cs_conf_free(conf);
    cs_plan *plan = bench_must(cs_plan_new(&bundle, &error), &error);
    cs_bundle_release(&bundle);
    return plan;
}

cs_conf *bench_conf(const char *folder, const char *name)
{
    cs_error error;
    size_t size;
    char *text = bench_must(cs_library_read(CODESIGN_SOURCE_DIR "/configs", folder, name,
                                            CS_CONF_MAX_BYTES, &size, &error),
                            &error);
    cs_conf *conf = bench_must(cs_conf_parse(text, size, name, NULL, 0, &error), &error);
    free(text);
    return conf;
}

static double read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double bench_cpu_s(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_wall_s(void)
{
    return read_clock(CLOCK_MONOTONIC);
}
