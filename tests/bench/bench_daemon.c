/* What the daemon adds to the library.
 *
 *     ./dev bench daemon
 *
 * The same job (same seed, so the same candidates) runs in the library on one thread and in
 * codesignd with one worker and one client that watches it, at several batch sizes. The CPU time of
 * the daemon's process, less that of the library, is fitted as a per candidate plus b per
 * generation. Both keep = "all" and keep = "front". The job (small-job.conf) is of networks that
 * take little to evaluate: what is added does not depend on that, and would drown in more. */
#include "search/study.h"
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANDIDATES 60000
#define REPEATS    3

extern char **environ;

static const unsigned batches[] = {20, 50, 100, 400};

#define BATCH_COUNT (sizeof batches / sizeof *batches)

/* CPU seconds of the library for the job, and its generations. */
static double run_library(unsigned batch, const char *keep, uint64_t *generations)
{
    char texts[3][64];
    const char *sets[3] = {texts[0], texts[1], texts[2]};
    snprintf(texts[0], sizeof texts[0], "batch=%u", batch);
    snprintf(texts[1], sizeof texts[1], "keep=%s", keep);
    snprintf(texts[2], sizeof texts[2], "evaluations=%d", CANDIDATES);
    cs_plan *plan = bench_plan(CODESIGN_SOURCE_DIR "/tests/bench/small-job.conf", sets, 3);
    size_t genome_bytes = cs_space_genome_bytes(plan->space);
    cs_error error;
    cs_evaluator evaluator = {0};
    double start = bench_cpu_s();
    cs_study *study = bench_must(cs_study_new(plan, &error), &error);
    for (;;) {
        cs_batch open;
        bench_check(cs_study_ask(study, &open, &error), &error);
        if (open.count == 0) {
            break;
        }
        for (uint32_t i = 0; i < open.count; i++) {
            bench_check(cs_evaluate(plan, &evaluator, open.genomes + i * genome_bytes,
                                    &open.outcomes[i], open.metrics + i * plan->metric_count,
                                    &error),
                        &error);
        }
        cs_buffer record = {0};
        bench_check(cs_study_tell(study, &record, &error), &error);
        cs_buffer_release(&record);
    }
    *generations = cs_study_progress(study)->generation;
    cs_study_free(study);
    double used = bench_cpu_s() - start;
    cs_evaluator_release(&evaluator);
    cs_plan_free(plan);
    return used;
}

static pid_t spawn(const char *const *arguments, bool quiet)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (quiet) {
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    }
    pid_t child;
    int failure = posix_spawn(&child, arguments[0], &actions, NULL,
                              (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure) {
        fprintf(stderr, "%s: %s\n", arguments[0], strerror(failure));
        exit(1);
    }
    return child;
}

/* CPU seconds of a daemon from start to stop; with `batch` 0 it runs no job. *wall is the time the
 * client watched. */
static double run_daemon(unsigned batch, const char *keep, double *wall)
{
    char directory[] = "/tmp/codesign-bench-XXXXXX";
    if (!mkdtemp(directory)) {
        perror("mkdtemp");
        exit(1);
    }
    char state[64], endpoint[64], server[64], batch_set[64], keep_set[64], count_set[64];
    snprintf(state, sizeof state, "state_directory=%s/state", directory);
    snprintf(endpoint, sizeof endpoint, "endpoint=ipc://%s/socket", directory);
    snprintf(server, sizeof server, "ipc://%s/socket", directory);
    snprintf(batch_set, sizeof batch_set, "batch=%u", batch);
    snprintf(keep_set, sizeof keep_set, "keep=%s", keep);
    snprintf(count_set, sizeof count_set, "evaluations=%d", CANDIDATES);
    const char *const daemon[] = {CODESIGN_BINARY_DIR "/daemon/codesignd",
                                  "--set",
                                  state,
                                  "--set",
                                  endpoint,
                                  "--set",
                                  "library=" CODESIGN_SOURCE_DIR "/configs",
                                  "--set",
                                  "workers=1",
                                  "--set",
                                  "log_level=error",
                                  NULL};
    const char *const ping[] = {CODESIGN_BINARY_DIR "/client/codesign-client", "--server", server,
                                "ping", NULL};
    const char *const submit[] = {CODESIGN_BINARY_DIR "/client/codesign-client",
                                  "--server",
                                  server,
                                  "submit-job",
                                  CODESIGN_SOURCE_DIR "/tests/bench/small-job.conf",
                                  "--set",
                                  batch_set,
                                  "--set",
                                  keep_set,
                                  "--set",
                                  count_set,
                                  "--watch",
                                  NULL};
    pid_t child = spawn(daemon, false);
    double start = bench_wall_s();
    while (access(server + strlen("ipc://"), F_OK) != 0 && bench_wall_s() < start + 10) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    int status;
    start = bench_wall_s();
    waitpid(spawn(batch ? submit : ping, true), &status, 0);
    *wall = bench_wall_s() - start;
    if (status != 0) {
        fprintf(stderr, "the client failed\n");
    }
    struct rusage usage;
    int ended;
    kill(child, SIGTERM);
    wait4(child, &ended, 0, &usage);
    if (status != 0 || ended != 0) {
        exit(1);
    }
    char remove[128];
    snprintf(remove, sizeof remove, "rm -r %s", directory);
    if (system(remove) != 0) {
        exit(1);
    }
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6 +
           (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6;
}

/* The line added = a * candidates + b * generations through the points, least squares. */
static void fit(const double *added, const double *generations, double *a_us, double *b_us)
{
    double n = BATCH_COUNT, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (size_t i = 0; i < BATCH_COUNT; i++) {
        sx += generations[i];
        sy += added[i];
        sxx += generations[i] * generations[i];
        sxy += generations[i] * added[i];
    }
    double slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
    *b_us = slope * 1e6;
    *a_us = (sy - slope * sx) / n / CANDIDATES * 1e6;
}

int main(void)
{
    static const char *const keeps[] = {"all", "front"};
    printf("%d candidates, smallest CPU time of %d runs\n", CANDIDATES, REPEATS);
    for (size_t k = 0; k < 2; k++) {
        double added[BATCH_COUNT], generations[BATCH_COUNT];
        printf("keep=%s\nbatch  generations  library us/cand  daemon us/cand  library cand/s  "
               "daemon cand/s\n",
               keeps[k]);
        for (size_t i = 0; i < BATCH_COUNT; i++) {
            double library = 1e9, daemon = 1e9, idle = 1e9, wall = 1e9;
            uint64_t count = 0;
            for (int repeat = 0; repeat < REPEATS; repeat++) {
                double seconds, watched;
                seconds = run_library(batches[i], keeps[k], &count);
                library = seconds < library ? seconds : library;
                seconds = run_daemon(batches[i], keeps[k], &watched);
                daemon = seconds < daemon ? seconds : daemon;
                wall = watched < wall ? watched : wall;
                seconds = run_daemon(0, keeps[k], &watched);
                idle = seconds < idle ? seconds : idle;
            }
            added[i] = daemon - idle - library;
            generations[i] = (double)count;
            printf("%5u  %11.0f  %15.2f  %14.2f  %14.0f  %13.0f\n", batches[i], generations[i],
                   library / CANDIDATES * 1e6, (daemon - idle) / CANDIDATES * 1e6,
                   CANDIDATES / library, CANDIDATES / wall);
            fflush(stdout);
        }
        double a, b;
        fit(added, generations, &a, &b);
        printf("the daemon adds %.2f us a candidate and %.1f us a generation\n", a, b);
    }
    return 0;
}
