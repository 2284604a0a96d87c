/* Watching: a client's front is the server's, whatever was lost on the way, and slow readers cost
 * nothing. */
#include "peer.h"
#include "site.h"

#include "client/replica.h"
#include "client/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define SUITE "watch"

/* A search that ends only when it is told to. */
#define ENDLESS "evaluations=1000000000000L", "keep=front", "batch=50"

static uint64_t send_watch(peer *self, Codesign__Watch watch)
{
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_WATCH);
    request.watch = &watch;
    return peer_send(self, &request);
}

static Codesign__Watch watch_of(uint64_t job)
{
    Codesign__Watch watch = CODESIGN__WATCH__INIT;
    watch.job = job;
    watch.has_interval_ms = true;
    watch.interval_ms = 0;
    return watch;
}

static void acknowledge(peer *self, uint64_t watch, uint64_t sequence)
{
    Codesign__WatchAck ack = CODESIGN__WATCH_ACK__INIT;
    ack.watch = watch;
    ack.sequence = sequence;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_WATCH_ACK);
    request.watch_ack = &ack;
    peer_send(self, &request);
}

/* The next event of a watch; NULL: none within so long. */
static Codesign__Reply *next_event(peer *self, uint64_t watch, uint64_t within_ms)
{
    Codesign__Reply *reply = peer_receive(self, within_ms);
    if (reply) {
        ck_assert_uint_eq(reply->id, watch);
        ck_assert_msg(reply->body_case == CODESIGN__REPLY__BODY_WATCH_EVENT, "reply %d: %s",
                      (int)reply->body_case,
                      reply->body_case == CODESIGN__REPLY__BODY_ERROR ? reply->error->text : "");
    }
    return reply;
}

/* A replica of the shape of a job's candidates. */
static void open_replica(peer *self, uint64_t job, cs_replica *replica)
{
    Codesign__ShowJob show = CODESIGN__SHOW_JOB__INIT;
    show.job = job;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_SHOW_JOB);
    request.show_job = &show;
    Codesign__Reply *reply = peer_ask(self, &request, CODESIGN__REPLY__BODY_JOB_DETAIL);
    cs_replica_init(replica, reply->job_detail->schema->genome_bytes,
                    reply->job_detail->schema->n_metrics);
    peer_free(reply);
}

static void apply(cs_replica *replica, const Codesign__WatchEvent *event)
{
    cs_error error;
    ck_assert_msg(cs_replica_apply(replica, event, &error) == CS_OK, "%s", error.text);
}

/* Follow until the front is complete at `generation` or later, or the watch ends; acknowledges each
 * event. Returns how many events carried how many rows and removals. */
static size_t follow(peer *self, uint64_t watch, cs_replica *replica, uint64_t generation)
{
    size_t carried = 0;
    bool there = false;
    while (!there) {
        Codesign__Reply *reply = next_event(self, watch, SITE_PATIENCE_MS);
        ck_assert_ptr_nonnull(reply);
        const Codesign__WatchEvent *event = reply->watch_event;
        apply(replica, event);
        carried += event->n_removed + (event->added ? event->added->n_index : 0);
        acknowledge(self, watch, event->sequence);
        there = event->last || (replica->complete && replica->number >= generation);
        peer_free(reply);
    }
    ck_assert(replica->complete);
    return carried;
}

static void check_same(const cs_replica *a, const cs_replica *b)
{
    const cs_candidates *x = &a->front, *y = &b->front;
    ck_assert_uint_eq(a->number, b->number);
    ck_assert_uint_eq(x->count, y->count);
    ck_assert_uint_gt(x->count, 0);
    ck_assert_int_eq(memcmp(x->index, y->index, x->count * sizeof *x->index), 0);
    ck_assert_int_eq(memcmp(x->genomes, y->genomes, x->count * x->genome_bytes), 0);
    ck_assert_int_eq(memcmp(x->metrics, y->metrics, x->count * x->metric_count * sizeof(double)),
                     0);
}

static void change(peer *self, uint64_t job, Codesign__Change what)
{
    Codesign__ChangeJob body = CODESIGN__CHANGE_JOB__INIT;
    body.job = job;
    body.change = what;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_CHANGE_JOB);
    request.change_job = &body;
    peer_free(peer_ask(self, &request, CODESIGN__REPLY__BODY_JOB_CHANGED));
}

/* The whole front as it is at rest, fresh. */
static void fetch_fresh(uint64_t job, cs_replica *replica)
{
    peer fresh;
    peer_open(&fresh, ZMQ_DEALER);
    open_replica(&fresh, job, replica);
    Codesign__Watch watch = watch_of(job);
    watch.has_once = true;
    watch.once = true;
    follow(&fresh, send_watch(&fresh, watch), replica, UINT64_MAX);
    peer_close(&fresh);
}

START_TEST(test_reconnect)
{
    site here;
    peer eye, self;
    cs_replica kept, fresh;
    site_open(&here, SUITE, "reconnect");
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    uint64_t job = site_submit(ENDLESS, NULL);
    open_replica(&eye, job, &kept);
    /* Away and back again, several times, in the middle of events, too. */
    for (uint64_t round = 1; round <= 6; round++) {
        peer_open(&self, ZMQ_DEALER);
        Codesign__Watch watch = watch_of(job);
        watch.has_have = kept.complete;
        watch.have = kept.number;
        follow(&self, send_watch(&self, watch), &kept, round * 10);
        peer_close(&self); /* what is under way to us now is lost */
        peer_wait_evaluations(&eye, job, round * 500 + 250);
    }
    change(&eye, job, CODESIGN__CHANGE__PAUSE);
    fetch_fresh(job, &fresh);

    peer_open(&self, ZMQ_DEALER);
    Codesign__Watch watch = watch_of(job);
    watch.has_have = true;
    watch.have = kept.number;
    follow(&self, send_watch(&self, watch), &kept, fresh.number);
    check_same(&kept, &fresh);

    /* Who has all of it is sent nothing of it. */
    watch.have = kept.number;
    size_t carried = follow(&self, send_watch(&self, watch), &kept, fresh.number);
    ck_assert_uint_eq(carried, 0);

    /* A number that the server does not know is no reason to believe the client. */
    watch.have = fresh.number + 1000;
    cs_replica strange;
    open_replica(&self, job, &strange);
    follow(&self, send_watch(&self, watch), &strange, fresh.number);
    check_same(&strange, &fresh);

    /* The same from the store, in a daemon that never ran the job; and from `have`. */
    peer_close(&self);
    peer_close(&eye);
    site_kill(&here);
    site_start(&here, NULL);
    cs_replica stored;
    fetch_fresh(job, &stored);
    check_same(&stored, &fresh);
    peer_open(&self, ZMQ_DEALER);
    watch.have = kept.number;
    follow(&self, send_watch(&self, watch), &kept, fresh.number);
    check_same(&kept, &fresh);
    cs_replica_release(&kept);
    cs_replica_release(&fresh);
    cs_replica_release(&strange);
    cs_replica_release(&stored);
    peer_close(&self);
    site_close(&here);
}
END_TEST

/* A front is followed by libcodesign's own watcher over restarts of the daemon. */
START_TEST(test_watcher)
{
    site here;
    peer eye;
    cs_error error = {0};
    cs_replica replica, fresh;
    site_open(&here, SUITE, "watcher");
    site_start(&here, NULL);
    uint64_t job = site_submit("evaluations=12000", "batch=50", "keep=front", NULL);
    peer_open(&eye, ZMQ_DEALER);
    open_replica(&eye, job, &replica);
    peer_close(&eye);
    cs_session *session = cs_session_open(SITE_ENDPOINT, 10000, &error);
    ck_assert_msg(session != NULL, "%s", error.text);
    cs_watcher_options options = {.job = job, .interval_ms = 1, .lease_ms = 600, .wake_fd = -1};
    cs_watcher *watcher = cs_watcher_open(session, &options, &replica, &error);
    ck_assert_ptr_nonnull(watcher);
    uint64_t end = site_now_ms() + SITE_PATIENCE_MS, killed_at = 0;
    uint32_t kills = 0, reconnects = 0;
    const Codesign__WatchEvent *event = NULL;
    bool last = false;
    while (!last) {
        ck_assert_uint_lt(site_now_ms(), end);
        ck_assert_msg(cs_watcher_next(watcher, 100, &event, &reconnects, &error) == CS_OK, "%s",
                      error.text);
        last = event && event->last;
        if (event && !last && kills < 2 && event->job->generation > killed_at + 20) {
            killed_at = event->job->generation;
            kills++;
            site_kill(&here);
            site_start(&here, NULL);
        }
    }
    cs_watcher_close(watcher);
    cs_session_close(session);
    ck_assert_uint_eq(kills, 2);
    fetch_fresh(job, &fresh);
    check_same(&replica, &fresh);
    cs_replica_release(&replica);
    cs_replica_release(&fresh);
    site_close(&here);
}
END_TEST

/* One who never acknowledges is sent as much as it gave credit for, and then nothing; the job does
 * not wait for it, and what it missed comes merged. */
START_TEST(test_slow_reader)
{
    enum { CREDIT = 3 };
    site here;
    peer eye, self;
    cs_replica replica, fresh;
    const Codesign__Job *state;
    site_open(&here, SUITE, "slow");
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    peer_open(&self, ZMQ_DEALER);
    uint64_t job = site_submit(ENDLESS, NULL);
    open_replica(&eye, job, &replica);
    Codesign__Watch watch = watch_of(job);
    watch.has_credit = true;
    watch.credit = CREDIT;
    uint64_t id = send_watch(&self, watch);
    uint64_t seen = 0;
    for (uint64_t i = 1; i <= CREDIT; i++) {
        Codesign__Reply *reply = next_event(&self, id, SITE_PATIENCE_MS);
        ck_assert_ptr_nonnull(reply);
        ck_assert_uint_eq(reply->watch_event->sequence, i);
        apply(&replica, reply->watch_event);
        seen = reply->watch_event->job->generation;
        peer_free(reply);
    }
    Codesign__Reply *reply = peer_job(&eye, job, &state);
    uint64_t before = state->evaluations;
    peer_free(reply);
    peer_wait_evaluations(&eye, job, before + 5000); /* a hundred generations later */
    ck_assert_ptr_null(next_event(&self, id, 0));

    change(&eye, job, CODESIGN__CHANGE__PAUSE);
    fetch_fresh(job, &fresh);
    ck_assert_uint_gt(fresh.number, seen + 90);
    acknowledge(&self, id, CREDIT);
    reply = next_event(&self, id, SITE_PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->watch_event->sequence, CREDIT + 1);
    ck_assert(reply->watch_event->complete); /* a hundred generations in one event */
    apply(&replica, reply->watch_event);
    peer_free(reply);
    check_same(&replica, &fresh);

    /* An acknowledgement of what was never sent gives no credit. */
    acknowledge(&self, id, 1000);
    cs_replica_release(&replica);
    cs_replica_release(&fresh);
    peer_close(&self);
    peer_close(&eye);
    site_close(&here);
}
END_TEST

/* Many who read nothing at all, not even their sockets, and some who go away without a word. */
START_TEST(test_crowd)
{
    enum { CROWD = 40 };
    site here;
    peer eye, crowd[CROWD];
    site_open(&here, SUITE, "crowd");
    site_start(&here, NULL);
    peer_open(&eye, ZMQ_DEALER);
    uint64_t job = site_submit(ENDLESS, NULL);
    for (size_t i = 0; i < CROWD; i++) {
        Codesign__Watch watch = watch_of(job);
        watch.has_credit = true;
        watch.credit = 64;
        watch.has_lease_ms = true;
        watch.lease_ms = 1000;
        peer_open(&crowd[i], ZMQ_DEALER);
        send_watch(&crowd[i], watch);
        if (i % 2) {
            peer_ping(&eye); /* so that some are served before they go */
            peer_close(&crowd[i]);
        }
    }
    peer_wait_evaluations(&eye, job, 3000);
    change(&eye, job, CODESIGN__CHANGE__CANCEL);
    peer_wait_state(&eye, job, CODESIGN__JOB_STATE__CANCELLED);
    for (size_t i = 0; i < CROWD; i += 2) {
        peer_close(&crowd[i]);
    }
    peer_ping(&eye);
    peer_close(&eye);
    site_close(&here);
}
END_TEST

START_TEST(test_no_such)
{
    site here;
    peer self;
    site_open(&here, SUITE, "no-such");
    site_start(&here, NULL);
    peer_open(&self, ZMQ_DEALER);
    Codesign__Watch watch = watch_of(12);
    uint64_t id = send_watch(&self, watch);
    Codesign__Reply *reply = peer_receive(&self, SITE_PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->id, id);
    ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
    ck_assert_uint_eq(reply->error->status, CS_ENOENT);
    peer_free(reply);
    acknowledge(&self, 999, 5); /* of no watch: no reply */
    Codesign__Unwatch unwatch = CODESIGN__UNWATCH__INIT;
    unwatch.watch = 999;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_UNWATCH);
    request.unwatch = &unwatch;
    peer_free(peer_ask(&self, &request, CODESIGN__REPLY__BODY_UNWATCHED));
    peer_close(&self);
    site_close(&here);
}
END_TEST

int main(void)
{
    return site_main(SUITE, 120,
                     (const TTest *const[]){test_reconnect, test_watcher, test_slow_reader,
                                            test_crowd, test_no_such, NULL});
}
