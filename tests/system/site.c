/* A site: see site.h. */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGUMENTS 64
#define TEXTS         16
#define TEXT_BYTES    2048

#define RUN_FOLDER CODESIGN_BINARY_DIR "/tests/system/run"

uint64_t site_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void site_rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

const char *site_text(const char *format, ...)
{
    static char texts[TEXTS][TEXT_BYTES];
    static unsigned next;
    char *text = texts[next++ % TEXTS];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, TEXT_BYTES, format, args);
    va_end(args);
    ck_assert_int_lt(length, TEXT_BYTES);
    return text;
}

/* ---- files ---- */

char *site_read(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    struct stat info;
    ck_assert_int_eq(fstat(fd, &info), 0);
    size_t whole = (size_t)info.st_size, at = 0;
    char *bytes = malloc(whole + 1);
    ck_assert_ptr_nonnull(bytes);
    while (at < whole) {
        ssize_t got = pread(fd, bytes + at, whole - at, (off_t)at);
        ck_assert_int_gt(got, 0);
        at += (size_t)got;
    }
    bytes[whole] = '\0';
    close(fd);
    if (size) {
        *size = whole;
    }
    return bytes;
}

void site_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void site_open(site *here, const char *suite, const char *name)
{
    *here = (site){0};
    const char *folder = site_text("%s/%s", RUN_FOLDER, suite);
    int length = snprintf(here->directory, sizeof here->directory, "%s/%s", folder, name);
    ck_assert_int_lt(length, (int)sizeof here->directory);
    (void)mkdir(RUN_FOLDER, 0777);
    (void)mkdir(folder, 0777);
    remove_tree(here->directory);
    ck_assert_msg(mkdir(here->directory, 0777) == 0, "%s: %s", here->directory, strerror(errno));
    ck_assert_int_eq(chdir(here->directory), 0);
    site_write("codesignd.conf", "");
}

void site_close(site *here)
{
    if (here->daemon) {
        (void)site_stop(here);
    }
    ck_assert_int_eq(chdir(CODESIGN_BINARY_DIR), 0);
    remove_tree(here->directory);
}

/* Print what daemons of failed tests had to say: the logs below a folder. Outside of tests nothing
 * may be asserted. */
static int tell_log(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    if (kind == FTW_F && strcmp(path + at->base, "log") == 0) {
        char line[1024];
        FILE *log = fopen(path, "re");
        fprintf(stderr, "---- %s ----\n", path);
        while (log && fgets(line, sizeof line, log)) {
            fputs(line, stderr);
        }
        if (log) {
            fclose(log);
        }
    }
    return 0;
}

int site_main(const char *name, double timeout_s, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_set_timeout(all, timeout_s);
    for (; *tests; tests++) {
        tcase_add_test(all, *tests);
    }
    suite_add_tcase(suite, all);
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/%s", RUN_FOLDER, name);
    remove_tree(folder);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (failed) {
        (void)nftw(folder, tell_log, 16, FTW_PHYS);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- processes ---- */

/* In the child: what is said goes to `out` and `err`, nothing is read, and it dies with us. */
static void become(const char *const *arguments, const char *const *environment, int out, int err)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) {
        _exit(127);
    }
    /* Without this AddressSanitizer refuses to stand behind a preloaded library. */
    const char *options = getenv("ASAN_OPTIONS");
    setenv("ASAN_OPTIONS", site_text("%s:verify_asan_link_order=0", options ? options : ""), 1);
    for (size_t i = 0; environment && environment[i]; i++) {
        char *assignment = strdup(environment[i]);
        if (!assignment || putenv(assignment) != 0) {
            _exit(127);
        }
    }
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
    dprintf(2, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

bool site_wait_for(pid_t child, uint64_t within_ms, int *status)
{
    int fd = pidfd_open(child, 0);
    ck_assert_msg(fd >= 0, "pidfd_open: %s", strerror(errno));
    uint64_t end = site_now_ms() + within_ms;
    int ready;
    do {
        uint64_t now = site_now_ms();
        struct pollfd item = {.fd = fd, .events = POLLIN};
        ready = poll(&item, 1, now < end ? (int)(end - now) : 0);
    } while (ready < 0 && errno == EINTR);
    close(fd);
    if (ready != 1) {
        return false;
    }
    ck_assert_int_eq(waitpid(child, status, 0), child);
    return true;
}

int site_wait(pid_t child)
{
    int status = 0;
    if (!site_wait_for(child, SITE_PATIENCE_MS, &status)) {
        kill(child, SIGKILL);
        ck_abort_msg("process %d did not end", (int)child);
    }
    return status;
}

void answer_free(answer *said)
{
    free(said->out);
    free(said->err);
    *said = (answer){0};
}

answer site_run(const char *const *arguments)
{
    uint64_t start = site_now_ms();
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
    ck_assert_int_ge(out, 0);
    ck_assert_int_ge(err, 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become(arguments, NULL, out, err);
    }
    int status = site_wait(child);
    answer said = {.ms = site_now_ms() - start};
    ck_assert_msg(WIFEXITED(status), "%s ended by signal %d", arguments[0], WTERMSIG(status));
    said.code = WEXITSTATUS(status);
    said.out = site_read(site_text("/proc/self/fd/%d", out), &said.out_size);
    said.err = site_read(site_text("/proc/self/fd/%d", err), NULL);
    close(out);
    close(err);
    return said;
}

/* ---- the daemon ---- */

pid_t site_spawn(const char *log, const site_daemon *how)
{
    const char *arguments[MAX_ARGUMENTS] = {SITE_DAEMON,
                                            "--config=codesignd.conf",
                                            "--set=state_directory=state",
                                            "--set=endpoint=" SITE_ENDPOINT,
                                            "--set=library=" CODESIGN_SOURCE_DIR "/configs",
                                            "--set=workers=2"};
    size_t count = 6;
    for (size_t i = 0; how && how->sets && how->sets[i]; i++) {
        ck_assert_uint_lt(count + 1, MAX_ARGUMENTS);
        arguments[count++] = site_text("--set=%s", how->sets[i]);
    }
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    ck_assert_int_ge(out, 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become(arguments, how ? how->environment : NULL, out, out);
    }
    close(out);
    return child;
}

bool site_begin(site *here, const site_daemon *how)
{
    ck_assert_int_eq(here->daemon, 0);
    here->daemon = site_spawn("log", how);
    uint64_t end = site_now_ms() + SITE_PATIENCE_MS;
    int status;
    while (site_now_ms() < end) {
        if (site_wait_for(here->daemon, 0, &status)) {
            here->daemon = 0;
            return false;
        }
        answer said = site_ask("ping", "--timeout", "1", NULL);
        int code = said.code;
        answer_free(&said);
        if (code == 0) {
            return true;
        }
        site_rest();
    }
    ck_abort_msg("codesignd did not answer");
}

void site_start(site *here, const site_daemon *how)
{
    ck_assert_msg(site_begin(here, how), "codesignd did not start");
}

uint64_t site_stop(site *here)
{
    uint64_t start = site_now_ms();
    ck_assert_int_eq(kill(here->daemon, SIGTERM), 0);
    int status = site_wait(here->daemon);
    here->daemon = 0;
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "codesignd ended with %s %d",
                  WIFEXITED(status) ? "status" : "signal",
                  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return site_now_ms() - start;
}

void site_kill(site *here)
{
    ck_assert_int_eq(kill(here->daemon, SIGKILL), 0);
    int status = site_wait(here->daemon);
    here->daemon = 0;
    ck_assert_msg(WIFSIGNALED(status), "codesignd ended by itself, status %d", status);
}

/* ---- clients ---- */

static answer ask(const char *verb, va_list rest)
{
    const char *arguments[MAX_ARGUMENTS] = {SITE_CLIENT, verb, "--server", SITE_ENDPOINT};
    size_t count = 4;
    const char *next;
    while ((next = va_arg(rest, const char *))) {
        ck_assert_uint_lt(count + 1, MAX_ARGUMENTS);
        arguments[count++] = next;
    }
    return site_run(arguments);
}

answer site_ask(const char *verb, ...)
{
    va_list rest;
    va_start(rest, verb);
    answer said = ask(verb, rest);
    va_end(rest);
    return said;
}

/* What it printed, once it is known to have gone well. */
static char *keep_out(const char *verb, answer *said)
{
    ck_assert_msg(said->code == 0, "%s: exit code %d: %s", verb, said->code, said->err);
    free(said->err);
    return said->out;
}

char *site_ask_ok(const char *verb, ...)
{
    va_list rest;
    va_start(rest, verb);
    answer said = ask(verb, rest);
    va_end(rest);
    return keep_out(verb, &said);
}

uint64_t site_submit(const char *set, ...)
{
    const char *arguments[MAX_ARGUMENTS] = {SITE_CLIENT, "submit-job", "--server", SITE_ENDPOINT,
                                            "--format",  "csv",        SITE_JOB};
    size_t count = 7;
    va_list rest;
    va_start(rest, set);
    for (const char *next = set; next; next = va_arg(rest, const char *)) {
        ck_assert_uint_lt(count + 2, MAX_ARGUMENTS);
        arguments[count++] = "--set";
        arguments[count++] = next;
    }
    va_end(rest);
    answer said = site_run(arguments);
    char *out = keep_out("submit-job", &said);
    uint64_t job = strtoull(out, NULL, 10);
    ck_assert_uint_gt(job, 0);
    free(out);
    return job;
}

char *site_front(uint64_t job)
{
    return site_ask_ok("show-front", site_text("%llu", (unsigned long long)job), "--format", "csv",
                       NULL);
}
