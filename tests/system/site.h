/* A site: a real codesignd in a directory of its own, and real clients.
 *
 * The directory is also the working directory, so that sockets have short names wherever the
 * project lies. Whatever happens to a test, its daemon dies with it; the directory and the daemon's
 * log stay until the next run if it failed. Waiting is bounded everywhere. All functions end the
 * test when something is not as it must be. */
#ifndef CS_TESTS_SYSTEM_SITE_H
#define CS_TESTS_SYSTEM_SITE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SITE_ENDPOINT "ipc://socket"
#define SITE_JOB      CODESIGN_SOURCE_DIR "/tests/system/joint.conf"

/* Longer than anything takes on a busy machine under a sanitizer. */
#define SITE_PATIENCE_MS 60000

/* The promises: pause and cancel answer within 1 s, SIGTERM ends within 2 s. Under a sanitizer
 * everything is several times slower, which is no fault of the daemon's. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SITE_SLOWER 10
#else
#define SITE_SLOWER 1
#endif
#define SITE_ANSWER_MS (1000 * SITE_SLOWER)
#define SITE_STOP_MS   (2000 * SITE_SLOWER)

typedef struct site {
    char directory[512];
    pid_t daemon; /* 0: none */
} site;

/* An empty directory for a test of a suite, which becomes the working directory. */
void site_open(site *here, const char *suite, const char *name);

/* The test has passed: nothing is left. */
void site_close(site *here);

/* Run a suite of tests, ended by NULL, that open sites under its name, each for at most so long;
 * what main returns. Shows the daemons' logs of tests that failed. */
int site_main(const char *name, double timeout_s, const TTest *const *tests);

/* How a daemon differs from the usual one; both lists end with NULL and may be absent. */
typedef struct site_daemon {
    const char *const *sets;        /* KEY=VALUE of its configuration */
    const char *const *environment; /* NAME=VALUE */
} site_daemon;

/* Start codesignd on the state directory `state` and SITE_ENDPOINT, without waiting. */
pid_t site_spawn(const char *log, const site_daemon *how);

/* Start it and wait until it answers. With site_begin it may end before that: false. */
void site_start(site *here, const site_daemon *how);
bool site_begin(site *here, const site_daemon *how);

/* SIGTERM, exit status 0. Returns the milliseconds that it took. */
uint64_t site_stop(site *here);

/* SIGKILL, and wait for its end. */
void site_kill(site *here);

/* Wait for the end of a process; its status as of waitpid. */
int site_wait(pid_t child);

/* Whether it ends within so long; then *status is as of waitpid. */
bool site_wait_for(pid_t child, uint64_t within_ms, int *status);

/* What a program said, and its exit code. */
typedef struct answer {
    int code;
    char *out, *err; /* texts */
    size_t out_size;
    uint64_t ms; /* that it took */
} answer;

void answer_free(answer *said);

/* Run a program to its end; arguments end with NULL, the first is the program's path. */
answer site_run(const char *const *arguments);

/* Run codesign-client on SITE_ENDPOINT: site_ask("list-jobs", "--format", "csv", NULL). The text
 * that it printed must be freed; *_ok demand exit code 0. */
answer site_ask(const char *verb, ...) __attribute__((sentinel));
char *site_ask_ok(const char *verb, ...) __attribute__((sentinel));

/* Submit SITE_JOB with settings KEY=VALUE, ended by NULL; the job's number. */
uint64_t site_submit(const char *set, ...) __attribute__((sentinel));

/* The bytes of `show-front --format csv`. */
char *site_front(uint64_t job);

/* A file's bytes, followed by a zero byte; malloc'd. */
char *site_read(const char *path, size_t *size);
void site_write(const char *path, const char *text);

/* Text in a ring of a few buffers that live as long as the test, e.g. for arguments. */
const char *site_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t site_now_ms(void);

/* A short rest between two looks at something that is waited for. */
void site_rest(void);

/* Programs of this build. */
#define SITE_DAEMON CODESIGN_BINARY_DIR "/daemon/codesignd"
#define SITE_CLIENT CODESIGN_BINARY_DIR "/client/codesign-client"

#endif
