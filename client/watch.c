/* watch-job, and submit-job --watch: follow a job.
 *
 * On a terminal a frame of progress and front is redrawn in place; otherwise a line is printed now
 * and then. Both end with the front. Ctrl-C is read from a descriptor, so the terminal is always
 * put back in order. */
#include "client/design.h"
#include "client/text.h"
#include "client/verbs.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define LEASE_MS       9000
#define DRAW_MS        500  /* between complete fronts on a terminal */
#define LINE_MS        1000 /* between lines elsewhere */
#define RATE_WINDOW_MS 5000
#define LIVE_ROWS      12
#define BAR_COLUMNS    24 /* so that ten-digit counts beside it fit 80 columns */

#define LOST_TEXT "connection lost, trying again"

#define TERMINAL_BEGIN "\033[?25l\033[?7l" /* no cursor, no wrapping of lines */
#define TERMINAL_END   "\033[?7h\033[?25h"

typedef struct sample {
    int64_t at_ms;
    uint64_t evaluations;
} sample;

typedef struct job_view {
    cs_client *client;
    Codesign__JobDetail *detail; /* its flags are kept up to date */
    cs_replica replica;
    bool live;    /* frames, not lines */
    FILE *lines;  /* where lines go */
    size_t drawn; /* lines of the frame on the screen */
    int64_t printed_ms;
    sample older, newer; /* for the rate: of the last 5 to 10 seconds */
    bool sampled;
    uint32_t reconnects;
    bool lost;     /* the connection */
    char *summary; /* of the last event; owned */
} job_view;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Evaluations a second, as seen here; 0 until there are two samples. */
static double measure_rate(job_view *view, uint64_t evaluations)
{
    sample here = {.at_ms = now_ms(), .evaluations = evaluations};
    if (!view->sampled || evaluations < view->older.evaluations) {
        view->sampled = true;
        view->older = view->newer = here;
    } else if (here.at_ms - view->newer.at_ms >= RATE_WINDOW_MS) {
        view->older = view->newer;
        view->newer = here;
    }
    int64_t passed_ms = here.at_ms - view->older.at_ms;
    return passed_ms ? 1000.0 * (double)(evaluations - view->older.evaluations) / (double)passed_ms
                     : 0;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void put_progress(FILE *stream, const Codesign__Job *job)
{
    char done[CS_TEXT_NUMBER], budget[CS_TEXT_NUMBER];
    fprintf(stream, "%s of %s evaluations (%.1f %%)", cs_text_count(job->evaluations, done),
            cs_text_count(job->budget, budget), 100 * share(job->evaluations, job->budget));
}

static void put_numbers(FILE *stream, const Codesign__Job *job, double rate)
{
    char speed[CS_TEXT_NUMBER], front[CS_TEXT_NUMBER];
    fprintf(stream, "%s/s, feasible %.1f %%, front %s, hypervolume %.5f",
            cs_text_count((uint64_t)(rate + 0.5), speed),
            100 * share(job->feasible, job->evaluations), cs_text_count(job->front_size, front),
            job->hypervolume);
}

static void put_state(FILE *stream, const Codesign__Job *job)
{
    fprintf(stream, "job %" PRIu64 " (", job->job);
    cs_text_put(stream, job->name);
    fprintf(stream, ") %s", cs_job_state_text(job->state));
    if (job->reason && *job->reason) {
        fputs(": ", stream);
        cs_text_put(stream, job->reason);
    }
}

/* ---- lines ---- */

static void print_line(job_view *view, const Codesign__Job *job, double rate, bool now)
{
    int64_t at = now_ms();
    if (now || view->printed_ms == 0 || at - view->printed_ms >= LINE_MS) {
        view->printed_ms = at;
        put_state(view->lines, job);
        fputs("; ", view->lines);
        put_progress(view->lines, job);
        fputs(", ", view->lines);
        put_numbers(view->lines, job, rate);
        fputc('\n', view->lines);
        fflush(view->lines);
    }
}

/* ---- frames ---- */

static void put_bar(FILE *stream, const Codesign__Job *job)
{
    int filled = (int)(BAR_COLUMNS * share(job->evaluations, job->budget));
    fputc('[', stream);
    for (int i = 0; i < BAR_COLUMNS; i++) {
        fputc(i < filled ? '#' : '.', stream);
    }
    fputs("] ", stream);
}

/* State, progress and numbers on a line each, malloc'd; NULL for want of memory. */
static char *summarize(const Codesign__Job *job, double rate)
{
    char *summary = NULL;
    size_t size;
    FILE *stream = open_memstream(&summary, &size);
    if (!stream) {
        return NULL;
    }
    put_state(stream, job);
    fputc('\n', stream);
    put_bar(stream, job);
    put_progress(stream, job);
    fputc('\n', stream);
    put_numbers(stream, job, rate);
    fputc('\n', stream);
    if (fclose(stream) != 0) {
        free(summary);
        return NULL;
    }
    return summary;
}

/* The frame as text, malloc'd; NULL for want of memory. */
static char *compose(const job_view *view, size_t rows)
{
    char *frame = NULL;
    size_t size;
    FILE *stream = open_memstream(&frame, &size);
    if (!stream) {
        return NULL;
    }
    fputs(view->summary, stream);
    bool composed = true;
    size_t count = view->replica.front.count;
    if (count && rows) {
        composed = cs_design_print_front(view->detail, &view->replica.front, rows, CS_FORMAT_TABLE,
                                         stream, cs_client_width(), NULL) == CS_OK;
        char total[CS_TEXT_NUMBER];
        fprintf(stream, "%zu of %s; proxy_ metrics are short-schedule proxies\n",
                rows < count ? rows : count, cs_text_count(count, total));
        cs_design_print_caveats(view->detail, stream);
    }
    if (view->lost) {
        fputs(LOST_TEXT "\n", stream);
    } else if (view->reconnects == 1) {
        fputs("connected anew once\n", stream);
    } else if (view->reconnects) {
        fprintf(stream, "connected anew %" PRIu32 " times\n", view->reconnects);
    }
    fputs("Ctrl-C stops watching, not the job\n", stream);
    if (fclose(stream) != 0 || !composed) {
        free(frame);
        return NULL;
    }
    return frame;
}

/* Back to where the frame began. */
static void rewind_frame(job_view *view)
{
    if (view->drawn) {
        printf("\033[%zuA\r", view->drawn);
    }
    view->drawn = 0;
}

static void draw(job_view *view)
{
    struct winsize size = {0};
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    size_t other = 10; /* lines of the frame that are no rows, and the one below it */
    size_t rows = size.ws_row > other ? size.ws_row - other : 0;
    char *frame = compose(view, rows < LIVE_ROWS ? rows : LIVE_ROWS);
    if (!frame) {
        return;
    }
    rewind_frame(view);
    for (char *line = frame; *line;) {
        size_t length = strcspn(line, "\n");
        fwrite(line, 1, length, stdout);
        fputs("\033[K\n", stdout);
        view->drawn++;
        line += length + (line[length] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
    free(frame);
}

static void draw_event(job_view *view, const Codesign__Job *job, double rate)
{
    char *summary = summarize(job, rate);
    if (summary) { /* else the next one may succeed */
        free(view->summary);
        view->summary = summary;
        draw(view);
    }
}

/* Say, once each time, that the connection was lost and that there is one again. */
static void tell_connection(job_view *view, bool lost, uint32_t reconnects)
{
    bool now_lost = lost && !view->lost, anew = reconnects > view->reconnects;
    view->lost = lost;
    view->reconnects = reconnects;
    if (view->live) {
        if (now_lost && view->summary) {
            draw(view);
        }
        return; /* the next event draws the rest */
    }
    if (anew) {
        fputs("codesign-client: connected anew\n", stderr);
    }
    if (now_lost) {
        fputs("codesign-client: " LOST_TEXT "\n", stderr);
    }
}

/* ---- following ---- */

static cs_exit exit_of_state(Codesign__JobState state)
{
    switch (state) {
    case CODESIGN__JOB_STATE__FAILED:
        return CS_EXIT_JOB_FAILED;
    case CODESIGN__JOB_STATE__CANCELLED:
        return CS_EXIT_JOB_CANCELLED;
    case CODESIGN__JOB_STATE__PAUSED:
        return CS_EXIT_JOB_PAUSED;
    default:
        return CS_EXIT_OK;
    }
}

/* Take events until the job stops or the user has had enough. *code is what that means. */
static cs_status follow(job_view *view, int signal_fd, cs_exit *code, cs_error *err)
{
    cs_watcher_options options = {
        .job = view->detail->job->job,
        .interval_ms = view->live ? DRAW_MS : LINE_MS,
        .lease_ms = LEASE_MS,
        .wake_fd = signal_fd,
    };
    cs_error why = {0};
    cs_watcher *watcher = cs_watcher_open(view->client->session, &options, &view->replica, &why);
    if (!watcher) {
        return cs_fail(err, why.status, "%s", why.text);
    }
    cs_status status = CS_OK;
    bool stopped = false;
    while (!status && !stopped) {
        const Codesign__WatchEvent *event;
        uint32_t reconnects = view->reconnects;
        status = cs_watcher_next(watcher, LINE_MS, &event, &reconnects, err);
        tell_connection(view, cs_watcher_is_lost(watcher), reconnects);
        struct signalfd_siginfo signal;
        if (!status && read(signal_fd, &signal, sizeof signal) == sizeof signal) {
            *code = CS_EXIT_INTERRUPTED;
            stopped = true;
        } else if (!status && event) {
            const Codesign__Job *job = event->job;
            bool paused = job->state == CODESIGN__JOB_STATE__PAUSED && event->complete;
            stopped = event->last || paused;
            *code = exit_of_state(job->state);
            view->detail->job->mixed = job->mixed;
            double rate = measure_rate(view, job->evaluations);
            if (view->live) {
                draw_event(view, job, rate);
            } else {
                print_line(view, job, rate, stopped);
            }
        }
    }
    cs_watcher_close(watcher);
    return status;
}

/* The frame gives way to what stays on the screen: the last progress and the front. */
static cs_status conclude(job_view *view, cs_exit code, cs_error *err)
{
    uint64_t job = view->detail->job->job;
    if (view->drawn) {
        rewind_frame(view);
        printf("\033[J%s", view->summary);
    }
    if (code == CS_EXIT_INTERRUPTED) {
        fflush(stdout);
        fprintf(stderr,
                "stopped watching; job %" PRIu64 " goes on (watch-job %" PRIu64
                " watches again, cancel-job %" PRIu64 " ends it)\n",
                job, job, job);
    }
    return cs_client_print_front(view->client, view->detail, &view->replica, CS_DESIGN_SHOWN, err);
}

static bool is_capable_terminal(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0;
}

static cs_exit watch_with(cs_client *client, Codesign__JobDetail *detail, int signal_fd)
{
    cs_error error = {0};
    cs_exit code = CS_EXIT_OK;
    bool for_people = client->format == CS_FORMAT_TABLE;
    job_view view = {.client = client,
                     .detail = detail,
                     .live = for_people && is_capable_terminal(),
                     .lines = for_people ? stdout : stderr};
    cs_replica_init(&view.replica, detail->schema->genome_bytes, detail->schema->n_metrics);
    if (view.live) {
        fputs(TERMINAL_BEGIN, stdout);
    }
    cs_status status = follow(&view, signal_fd, &code, &error);
    if (view.live) {
        fputs(TERMINAL_END, stdout);
    }
    if (!status) {
        status = conclude(&view, code, &error);
    }
    free(view.summary);
    cs_replica_release(&view.replica);
    return status ? cs_client_fail(&error) : code;
}

cs_exit cs_client_watch(cs_client *client, uint64_t job)
{
    cs_error error = {0};
    Codesign__Reply *reply = cs_client_show_job(client, job, &error);
    if (!reply) {
        return cs_client_fail(&error);
    }
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    cs_exit code;
    if (signal_fd < 0) {
        cs_fail(&error, CS_EIO, "Ctrl-C cannot be watched for");
        code = cs_client_fail(&error);
    } else {
        code = watch_with(client, reply->job_detail, signal_fd);
        close(signal_fd);
    }
    fflush(stdout); /* a second Ctrl-C may be waiting */
    sigprocmask(SIG_SETMASK, &before, NULL);
    cs_wire_free(&reply->base);
    return code;
}

cs_exit cs_run_watch_job(cs_client *client, const void *input)
{
    const cs_job_input *told = input;
    return cs_client_watch(client, told->job);
}
