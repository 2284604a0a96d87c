/* The jobs' way through their states (daemon/jobs.h), in a real server inside of the test: whatever
 * clients ask for at whatever moment, and whatever the disk does, every request is answered and the
 * records are those of an undisturbed run. */
#include "daemon/server.h"

#include "base/random.h"
#include "proto/wire.h"
#include "real_job.h"
#include "sample_job.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define JOBS     4
#define WAIT_MS  20000
#define PEER_MAX 400 /* requests that may be unanswered in a test */

/* ---- a disk that may be full ---- */

static atomic_bool disk_full;

/* Stands in front of the C library's, by which SQLite writes. */
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    if (atomic_load(&disk_full)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

/* ---- a server in a thread ---- */

typedef struct site {
    char directory[64];
    const char *const (*sets)[4];
    uint64_t jobs[JOBS];
    uint32_t job_count;
    cs_server server;
    pthread_t thread;
    cs_status status; /* of the server's run */
    int signals[2];   /* a pipe that stands for the signalfd */
} site;

static const char *const short_jobs[JOBS][4] = {
    {"keep=all", "seed=1", "evaluations=1900", NULL},
    {"keep=front", "seed=2", "evaluations=1500", NULL},
    {"keep=front", "seed=3", "batch=7", NULL},
    {"keep=all", "seed=4", "evaluations=900", NULL},
};

static const char *const fair_jobs[JOBS][4] = {
    {"keep=all", "seed=1", "evaluations=3000", NULL},
    {"keep=front", "seed=2", "evaluations=3500", NULL},
};

static const char *const long_jobs[JOBS][4] = {
    {"keep=all", "seed=1", "evaluations=1000000", NULL},
    {"keep=front", "seed=2", "evaluations=1000000", NULL},
    {"keep=front", "seed=3", "evaluations=1000000", NULL},
    {"keep=all", "seed=4", "evaluations=400", NULL}, /* for which the others have to make way */
};

static cs_store *open_store(const site *self)
{
    cs_error err = {0};
    cs_store *store = cs_store_sqlite.open(self->directory, true, false, &err);
    ck_assert_msg(store != NULL, "%s", err.text);
    return store;
}

static void site_make(site *self, const char *const (*sets)[4], uint32_t job_count)
{
    *self = (site){.sets = sets, .job_count = job_count};
    scratch_make(self->directory);
    cs_store *store = open_store(self);
    for (uint32_t i = 0; i < job_count; i++) {
        cs_bundle bundle = {0};
        real_job_bundle(&bundle, sets[i]);
        self->jobs[i] = real_job_add(store, &bundle);
        cs_bundle_release(&bundle);
    }
    store->class->close(store);
}

static void *serve(void *context)
{
    site *self = context;
    self->status = cs_server_run(&self->server, self->signals[0], NULL);
    return NULL;
}

static void start(site *self)
{
    cs_error err = {0};
    cs_settings settings;
    cs_settings_init(&settings);
    settings.workers = 2;
    settings.running_jobs = 2;
    settings.commit_interval_ms = 1;
    snprintf(settings.state_directory, sizeof settings.state_directory, "%s", self->directory);
    snprintf(settings.endpoint, sizeof settings.endpoint, "ipc://%s/socket", self->directory);
    ck_assert_msg(!cs_server_open(&self->server, &settings, &err), "%s", err.text);
    ck_assert_int_eq(pipe(self->signals), 0);
    ck_assert_int_eq(pthread_create(&self->thread, NULL, serve, self), 0);
}

/* SIGTERM: the loop has ended then, and nothing is freed yet. */
static void end_loop(site *self)
{
    struct signalfd_siginfo info = {.ssi_signo = SIGTERM};
    ck_assert_int_eq(write(self->signals[1], &info, sizeof info), sizeof info);
    pthread_join(self->thread, NULL);
    ck_assert_int_eq(self->status, CS_OK);
}

static void stop(site *self)
{
    end_loop(self);
    cs_server_close(&self->server);
    close(self->signals[0]);
    close(self->signals[1]);
}

static void site_remove(site *self)
{
    char path[128];
    snprintf(path, sizeof path, "%s/socket", self->directory);
    (void)unlink(path);
    scratch_remove(self->directory);
}

/* ---- a client ---- */

typedef struct peer {
    void *context, *socket;
    uint64_t last_id;
    uint64_t unanswered[PEER_MAX]; /* 0: a free place */
    uint32_t unanswered_count;
    uint32_t events;
} peer;

static void peer_open(peer *self, const site *at)
{
    char endpoint[128];
    int linger = 0;
    *self = (peer){.context = zmq_ctx_new()};
    self->socket = zmq_socket(self->context, ZMQ_DEALER);
    ck_assert_ptr_nonnull(self->socket);
    ck_assert_int_eq(zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger), 0);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", at->directory);
    ck_assert_int_eq(zmq_connect(self->socket, endpoint), 0);
}

static void peer_close(peer *self)
{
    zmq_close(self->socket);
    zmq_ctx_term(self->context);
}

static void await(peer *self, uint64_t id)
{
    for (uint32_t i = 0; i < PEER_MAX; i++) {
        if (self->unanswered[i] == 0) {
            self->unanswered[i] = id;
            self->unanswered_count++;
            return;
        }
    }
    ck_abort_msg("too many requests are unanswered");
}

/* Send; an ordinary request gets one reply, a watch gets events and an acknowledgement nothing. */
static uint64_t peer_send(peer *self, Codesign__Request *request)
{
    cs_error err;
    size_t size;
    request->version = CS_WIRE_VERSION;
    request->id = ++self->last_id;
    if (request->body_case != CODESIGN__REQUEST__BODY_WATCH &&
        request->body_case != CODESIGN__REQUEST__BODY_WATCH_ACK) {
        await(self, request->id);
    }
    uint8_t *frame = cs_wire_pack(&request->base, &size, &err);
    ck_assert_ptr_nonnull(frame);
    ck_assert_int_eq(zmq_send(self->socket, frame, size, 0), (int)size);
    free(frame);
    return request->id;
}

static void acknowledge(peer *self, uint64_t watch, uint64_t sequence)
{
    Codesign__WatchAck ack = CODESIGN__WATCH_ACK__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    ack.watch = watch;
    ack.sequence = sequence;
    request.body_case = CODESIGN__REQUEST__BODY_WATCH_ACK;
    request.watch_ack = &ack;
    (void)peer_send(self, &request);
}

/* The next reply within so long, or NULL; events are acknowledged. */
static Codesign__Reply *peer_receive(peer *self, long within_ms)
{
    cs_error err;
    zmq_msg_t message;
    zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, within_ms) < 1) {
        return NULL;
    }
    zmq_msg_init(&message);
    ck_assert_int_ge(zmq_msg_recv(&message, self->socket, 0), 0);
    Codesign__Reply *reply = (Codesign__Reply *)cs_wire_unpack(
        &codesign__reply__descriptor, zmq_msg_data(&message), zmq_msg_size(&message), &err);
    zmq_msg_close(&message);
    ck_assert_ptr_nonnull(reply);
    for (uint32_t i = 0; i < PEER_MAX; i++) {
        if (self->unanswered[i] == reply->id) {
            self->unanswered[i] = 0;
            self->unanswered_count--;
        }
    }
    if (reply->body_case == CODESIGN__REPLY__BODY_WATCH_EVENT) {
        self->events++;
        acknowledge(self, reply->id, reply->watch_event->sequence);
    }
    return reply;
}

static void drop(Codesign__Reply *reply)
{
    cs_wire_free(&reply->base);
}

/* Wait for the reply to this very request. */
static Codesign__Reply *peer_wait(peer *self, uint64_t id)
{
    for (;;) {
        Codesign__Reply *reply = peer_receive(self, WAIT_MS);
        ck_assert_msg(reply != NULL, "no answer");
        if (reply->id == id) {
            return reply;
        }
        drop(reply);
    }
}

static uint64_t ask_change(peer *self, uint64_t job, Codesign__Change kind)
{
    Codesign__ChangeJob change = CODESIGN__CHANGE_JOB__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    change.job = job;
    change.change = kind;
    request.body_case = CODESIGN__REQUEST__BODY_CHANGE_JOB;
    request.change_job = &change;
    return peer_send(self, &request);
}

static uint64_t ask_watch(peer *self, uint64_t job, bool once)
{
    Codesign__Watch watch = CODESIGN__WATCH__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    watch.job = job;
    watch.has_once = true;
    watch.once = once;
    watch.has_interval_ms = true;
    watch.interval_ms = 1;
    request.body_case = CODESIGN__REQUEST__BODY_WATCH;
    request.watch = &watch;
    return peer_send(self, &request);
}

static uint64_t ask_unwatch(peer *self, uint64_t id)
{
    Codesign__Unwatch unwatch = CODESIGN__UNWATCH__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    unwatch.watch = id;
    request.body_case = CODESIGN__REQUEST__BODY_UNWATCH;
    request.unwatch = &unwatch;
    return peer_send(self, &request);
}

static uint64_t ask_candidates(peer *self, uint64_t job)
{
    Codesign__ListCandidates list = CODESIGN__LIST_CANDIDATES__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    list.job = job;
    request.body_case = CODESIGN__REQUEST__BODY_LIST_CANDIDATES;
    request.list_candidates = &list;
    return peer_send(self, &request);
}

/* The job as list_jobs tells it; the caller drops the reply. */
static Codesign__Reply *peer_job(peer *self, uint64_t job, const Codesign__Job **found)
{
    Codesign__ListJobs list = CODESIGN__LIST_JOBS__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    list.has_before = true;
    list.before = job + 1;
    list.has_limit = true;
    list.limit = 1;
    request.body_case = CODESIGN__REQUEST__BODY_LIST_JOBS;
    request.list_jobs = &list;
    Codesign__Reply *reply = peer_wait(self, peer_send(self, &request));
    ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_JOB_LIST);
    ck_assert_uint_eq(reply->job_list->n_jobs, 1);
    ck_assert_uint_eq(reply->job_list->jobs[0]->job, job);
    *found = reply->job_list->jobs[0];
    return reply;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Wait until the job has this state; its reason is copied. */
static void wait_for_state(peer *self, uint64_t job, Codesign__JobState state, char reason[256])
{
    for (int i = 0; i < WAIT_MS / 5; i++) {
        const Codesign__Job *at;
        Codesign__Reply *reply = peer_job(self, job, &at);
        bool there = at->state == state;
        ck_assert_msg(there || at->state != CODESIGN__JOB_STATE__FAILED, "job %llu failed: %s",
                      (unsigned long long)job, at->reason);
        if (reason) {
            snprintf(reason, 256, "%s", at->reason ? at->reason : "");
        }
        drop(reply);
        if (there) {
            return;
        }
        pause_ms(5);
    }
    ck_abort_msg("job %llu does not reach state %d", (unsigned long long)job, (int)state);
}

/* Change a job and have it so, however often the server is busy with another change. */
static void change_for_sure(peer *self, uint64_t job, Codesign__Change kind)
{
    for (;;) {
        Codesign__Reply *reply = peer_wait(self, ask_change(self, job, kind));
        bool busy =
            reply->body_case == CODESIGN__REPLY__BODY_ERROR && reply->error->status == CS_EBUSY;
        ck_assert_msg(busy || reply->body_case == CODESIGN__REPLY__BODY_JOB_CHANGED, "%s",
                      reply->body_case == CODESIGN__REPLY__BODY_ERROR ? reply->error->text : "");
        drop(reply);
        if (!busy) {
            return;
        }
        pause_ms(1);
    }
}

static void check_records(const site *self)
{
    cs_store *store = open_store(self);
    for (uint32_t i = 0; i < self->job_count; i++) {
        cs_bundle bundle = {0};
        real_job_bundle(&bundle, self->sets[i]);
        cs_buffer got = real_job_stored(store, self->jobs[i]), want = real_job_expected(&bundle);
        ck_assert_uint_eq(got.size, want.size);
        ck_assert_mem_eq(got.data, want.data, want.size);
        cs_buffer_release(&got);
        cs_buffer_release(&want);
        cs_bundle_release(&bundle);
    }
    store->class->close(store);
}

/* ---- tests ---- */

/* Ask for something, at random. Cancelling is not among it, so that all jobs can end. */
static void ask_anything(peer *self, const site *at, cs_random *random)
{
    uint64_t job = at->jobs[cs_random_below(random, at->job_count)];
    switch (cs_random_below(random, 8)) {
    case 0:
    case 1:
    case 2:
        (void)ask_change(self, job, CODESIGN__CHANGE__PAUSE);
        break;
    case 3:
    case 4:
        (void)ask_change(self, job, CODESIGN__CHANGE__RESUME);
        break;
    case 5:
        (void)ask_watch(self, job, cs_random_below(random, 2));
        break;
    case 6:
        (void)ask_unwatch(self, 1 + cs_random_below(random, (uint32_t)self->last_id + 1));
        break;
    default:
        (void)ask_candidates(self, job);
        break;
    }
}

static void check_reply(const Codesign__Reply *reply)
{
    if (reply->body_case == CODESIGN__REPLY__BODY_ERROR) {
        uint32_t status = reply->error->status;
        ck_assert_msg(status == CS_EBUSY || status == CS_ESTATE, "%s", reply->error->text);
    }
}

START_TEST(test_changes_at_any_moment_change_no_record)
{
    site self;
    peer client;
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    site_make(&self, short_jobs, JOBS);
    for (int life = 0; life < 4; life++) {
        start(&self);
        peer_open(&client, &self);
        for (int step = 0; step < 120; step++) {
            if (client.unanswered_count < 30) {
                ask_anything(&client, &self, &random);
            }
            if (cs_random_below(&random, 3)) {
                long within = (long)cs_random_below(&random, 4);
                for (Codesign__Reply *reply; (reply = peer_receive(&client, within)) != NULL;) {
                    check_reply(reply);
                    drop(reply);
                    within = 0;
                }
            }
        }
        while (client.unanswered_count > 0) {
            Codesign__Reply *reply = peer_receive(&client, WAIT_MS);
            ck_assert_msg(reply != NULL, "%u requests stay unanswered", client.unanswered_count);
            check_reply(reply);
            drop(reply);
        }
        if (cs_random_below(&random, 2)) {
            ask_anything(&client, &self, &random); /* under way when the server stops */
        }
        stop(&self);
        peer_close(&client);
    }
    start(&self);
    peer_open(&client, &self);
    for (uint32_t i = 0; i < JOBS; i++) {
        const Codesign__Job *at;
        Codesign__Reply *reply = peer_job(&client, self.jobs[i], &at);
        bool paused = at->state == CODESIGN__JOB_STATE__PAUSED;
        drop(reply);
        if (paused) {
            change_for_sure(&client, self.jobs[i], CODESIGN__CHANGE__RESUME);
        }
    }
    for (uint32_t i = 0; i < JOBS; i++) {
        wait_for_state(&client, self.jobs[i], CODESIGN__JOB_STATE__DONE, NULL);
    }
    stop(&self);
    peer_close(&client);
    check_records(&self);
    site_remove(&self);
}
END_TEST

START_TEST(test_a_cancelled_job_stays_so_and_lets_the_next_one_run)
{
    site self;
    peer client;
    const Codesign__Job *at;
    site_make(&self, long_jobs, JOBS);
    start(&self);
    peer_open(&client, &self);
    for (uint32_t i = 0; i < 3; i++) {
        pause_ms(_i * 3);
        uint64_t first = ask_change(&client, self.jobs[i], CODESIGN__CHANGE__CANCEL);
        uint64_t second = ask_change(&client, self.jobs[i], CODESIGN__CHANGE__CANCEL);
        Codesign__Reply *reply = peer_wait(&client, first);
        ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_JOB_CHANGED);
        ck_assert_int_eq(reply->job_changed->job->state, CODESIGN__JOB_STATE__CANCELLED);
        drop(reply);
        if (client.unanswered_count > 0) { /* else it came before the first's, as they are joined */
            drop(peer_wait(&client, second));
        }
        reply = peer_wait(&client, ask_change(&client, self.jobs[i], CODESIGN__CHANGE__RESUME));
        ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
        ck_assert_int_eq(reply->error->status, CS_ESTATE);
        drop(reply);
    }
    wait_for_state(&client, self.jobs[3], CODESIGN__JOB_STATE__DONE, NULL);
    stop(&self);
    peer_close(&client);
    start(&self);
    peer_open(&client, &self);
    for (uint32_t i = 0; i < JOBS; i++) {
        Codesign__Reply *reply = peer_job(&client, self.jobs[i], &at);
        ck_assert_int_eq(at->state,
                         i < 3 ? CODESIGN__JOB_STATE__CANCELLED : CODESIGN__JOB_STATE__DONE);
        drop(reply);
        reply = peer_wait(&client, ask_watch(&client, self.jobs[i], false));
        ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_WATCH_EVENT);
        ck_assert(reply->watch_event->last);
        ck_assert_uint_eq(reply->watch_event->added ? reply->watch_event->added->n_index : 0,
                          reply->watch_event->job->front_size);
        drop(reply);
    }
    stop(&self);
    peer_close(&client);
    site_remove(&self);
}
END_TEST

START_TEST(test_fronts_of_jobs_at_rest_are_kept_for_watchers_only)
{
    site self;
    peer client;
    site_make(&self, short_jobs, 2);
    start(&self);
    peer_open(&client, &self);
    for (uint32_t i = 0; i < 2; i++) {
        wait_for_state(&client, self.jobs[i], CODESIGN__JOB_STATE__DONE, NULL);
    }
    /* One was never watched, the other is for a moment. */
    drop(peer_wait(&client, ask_watch(&client, self.jobs[1], true)));
    end_loop(&self);
    for (size_t i = 0; i < self.server.jobs.count; i++) {
        ck_assert_ptr_null(self.server.jobs.all[i]->front);
    }
    cs_server_close(&self.server);
    close(self.signals[0]);
    close(self.signals[1]);
    peer_close(&client);
    site_remove(&self);
}
END_TEST

/* A damaged record is told to whoever watches, once, and the server goes on. */
START_TEST(test_a_front_that_cannot_be_read_ends_its_watches)
{
    site self;
    peer client;
    cs_error err = {0};
    site_make(&self, short_jobs, 2);
    cs_store *store = open_store(&self);
    cs_buffer record = {0}, checkpoint = {0};
    cs_buffer_put(&record, "no record", 9);
    cs_buffer_put(&checkpoint, "no checkpoint", 13);
    ck_assert(!store->class->begin(store, &err));
    ck_assert(
        !store->class->add_generation(store, self.jobs[0], 0, 40, &record, &checkpoint, &err));
    ck_assert(!store->class->commit(store, &err));
    store->class->close(store);
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);

    start(&self);
    peer_open(&client, &self);
    for (int i = 0; i < WAIT_MS / 5; i++) {
        const Codesign__Job *at;
        Codesign__Reply *reply = peer_job(&client, self.jobs[0], &at);
        bool failed = at->state == CODESIGN__JOB_STATE__FAILED;
        drop(reply);
        if (failed) {
            break;
        }
        pause_ms(5);
    }
    Codesign__Reply *reply = peer_wait(&client, ask_watch(&client, self.jobs[0], false));
    ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
    ck_assert_int_eq(reply->error->status, CS_ECORRUPT);
    drop(reply);
    reply = peer_receive(&client, 50);
    ck_assert_ptr_null(reply); /* the watch has ended */
    reply = peer_wait(&client, ask_candidates(&client, self.jobs[0]));
    ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
    drop(reply);
    wait_for_state(&client, self.jobs[1], CODESIGN__JOB_STATE__DONE, NULL);
    stop(&self);
    peer_close(&client);
    site_remove(&self);
}
END_TEST

/* One client cannot fill the server with watches, nor with questions to the store. */
START_TEST(test_floods_are_bounded_and_answered)
{
    site self;
    peer client;
    Codesign__Reply *reply;
    site_make(&self, long_jobs, 1);
    start(&self);
    peer_open(&client, &self);
    change_for_sure(&client, self.jobs[0], CODESIGN__CHANGE__PAUSE);
    bool refused = false;
    for (int i = 0; i < 10000 && !refused; i++) {
        uint64_t watch = ask_watch(&client, self.jobs[0], false);
        reply = peer_wait(&client, watch);
        refused = reply->body_case == CODESIGN__REPLY__BODY_ERROR;
        ck_assert(!refused || reply->error->status == CS_EBUSY);
        drop(reply);
    }
    ck_assert(refused);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PEER_MAX; i++) {
            (void)ask_candidates(&client, self.jobs[0]);
        }
        while (client.unanswered_count > 0) {
            reply = peer_receive(&client, WAIT_MS);
            ck_assert_msg(reply != NULL, "no answer");
            ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_CANDIDATE_PAGE);
            drop(reply);
        }
    }
    stop(&self);
    peer_close(&client);
    site_remove(&self);
}
END_TEST

/* The disk is full for a while: the jobs are paused with the reason, and resumed they end as if
 * nothing had been. */
START_TEST(test_a_full_disk_pauses_and_loses_nothing)
{
    site self;
    peer client;
    char reason[256];
    site_make(&self, fair_jobs, 2);
    start(&self);
    peer_open(&client, &self);
    pause_ms(5 + 15 * _i);
    atomic_store(&disk_full, true);
    for (uint32_t i = 0; i < 2; i++) {
        wait_for_state(&client, self.jobs[i], CODESIGN__JOB_STATE__PAUSED, reason);
        ck_assert_str_ne(reason, "");
    }
    /* What cannot be stored does not happen. */
    Codesign__Reply *reply =
        peer_wait(&client, ask_change(&client, self.jobs[0], CODESIGN__CHANGE__CANCEL));
    ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
    drop(reply);
    atomic_store(&disk_full, false);
    for (uint32_t i = 0; i < 2; i++) {
        change_for_sure(&client, self.jobs[i], CODESIGN__CHANGE__RESUME);
        wait_for_state(&client, self.jobs[i], CODESIGN__JOB_STATE__DONE, NULL);
    }
    stop(&self);
    peer_close(&client);
    check_records(&self);
    site_remove(&self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs");
    TCase *tcase = tcase_create("jobs");
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, test_changes_at_any_moment_change_no_record, 0, 4);
    tcase_add_loop_test(tcase, test_a_cancelled_job_stays_so_and_lets_the_next_one_run, 0, 3);
    tcase_add_test(tcase, test_fronts_of_jobs_at_rest_are_kept_for_watchers_only);
    tcase_add_test(tcase, test_a_front_that_cannot_be_read_ends_its_watches);
    tcase_add_test(tcase, test_floods_are_bounded_and_answered);
    tcase_add_loop_test(tcase, test_a_full_disk_pauses_and_loses_nothing, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
