/* A peer: see peer.h. */
#include "peer.h"

#include "proto/wire.h"
#include "site.h"

#include <check.h>
#include <stdlib.h>
#include <zmq.h>

void peer_open(peer *self, int kind)
{
    int linger_ms = 0;
    *self = (peer){.context = zmq_ctx_new()};
    ck_assert_ptr_nonnull(self->context);
    self->socket = zmq_socket(self->context, kind);
    ck_assert_ptr_nonnull(self->socket);
    ck_assert_int_eq(zmq_setsockopt(self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms), 0);
    ck_assert_int_eq(zmq_connect(self->socket, SITE_ENDPOINT), 0);
}

void peer_close(peer *self)
{
    zmq_close(self->socket);
    zmq_ctx_term(self->context);
    *self = (peer){0};
}

Codesign__Request peer_request(Codesign__Request__BodyCase kind)
{
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.body_case = kind;
    return request;
}

void peer_send_bytes(peer *self, const void *bytes, size_t size, bool more)
{
    int sent = zmq_send(self->socket, bytes, size, more ? ZMQ_SNDMORE : 0);
    ck_assert_int_eq(sent, (int)size);
}

uint64_t peer_send(peer *self, Codesign__Request *request)
{
    cs_error error;
    size_t size;
    request->version = request->version ? request->version : CS_WIRE_VERSION;
    request->id = request->id ? request->id : ++self->last_id;
    uint8_t *frame = cs_wire_pack(&request->base, &size, &error);
    ck_assert_ptr_nonnull(frame);
    peer_send_bytes(self, frame, size, false);
    free(frame);
    return request->id;
}

Codesign__Reply *peer_receive(peer *self, uint64_t within_ms)
{
    zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, (long)within_ms) <= 0) {
        return NULL;
    }
    zmq_msg_t message;
    zmq_msg_init(&message);
    ck_assert_int_ge(zmq_msg_recv(&message, self->socket, ZMQ_DONTWAIT), 0);
    ck_assert_msg(!zmq_msg_more(&message), "a reply has one frame");
    cs_error error;
    Codesign__Reply *reply = (Codesign__Reply *)cs_wire_unpack(
        &codesign__reply__descriptor, zmq_msg_data(&message), zmq_msg_size(&message), &error);
    ck_assert_msg(reply != NULL, "%s", error.text);
    zmq_msg_close(&message);
    return reply;
}

void peer_free(Codesign__Reply *reply)
{
    if (reply) {
        cs_wire_free(&reply->base);
    }
}

Codesign__Reply *peer_ask(peer *self, Codesign__Request *request,
                          Codesign__Reply__BodyCase expected)
{
    uint64_t id = peer_send(self, request);
    for (;;) {
        Codesign__Reply *reply = peer_receive(self, SITE_PATIENCE_MS);
        ck_assert_msg(reply != NULL, "no reply to request %d", (int)request->body_case);
        if (reply->id == id) {
            ck_assert_msg(reply->body_case == expected, "reply %d, not %d: %s",
                          (int)reply->body_case, (int)expected,
                          reply->body_case == CODESIGN__REPLY__BODY_ERROR ? reply->error->text
                                                                          : "");
            return reply;
        }
        peer_free(reply);
    }
}

void peer_ping(peer *self)
{
    Codesign__Ping ping = CODESIGN__PING__INIT;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_PING);
    request.ping = &ping;
    peer_free(peer_ask(self, &request, CODESIGN__REPLY__BODY_PONG));
}

Codesign__Reply *peer_job(peer *self, uint64_t number, const Codesign__Job **job)
{
    Codesign__ListJobs list = CODESIGN__LIST_JOBS__INIT;
    list.has_before = true;
    list.before = number + 1;
    list.has_limit = true;
    list.limit = 1;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_LIST_JOBS);
    request.list_jobs = &list;
    Codesign__Reply *reply = peer_ask(self, &request, CODESIGN__REPLY__BODY_JOB_LIST);
    ck_assert_uint_eq(reply->job_list->n_jobs, 1);
    ck_assert_uint_eq(reply->job_list->jobs[0]->job, number);
    *job = reply->job_list->jobs[0];
    return reply;
}

void peer_wait_state(peer *self, uint64_t number, Codesign__JobState state)
{
    uint64_t end = site_now_ms() + SITE_PATIENCE_MS;
    const Codesign__Job *job;
    bool reached = false;
    while (!reached) {
        Codesign__Reply *reply = peer_job(self, number, &job);
        reached = job->state == state;
        ck_assert_msg(reached || job->state != CODESIGN__JOB_STATE__FAILED, "job %d failed: %s",
                      (int)number, job->reason);
        ck_assert_msg(reached || site_now_ms() < end, "job %d stays in state %d, not %d",
                      (int)number, (int)job->state, (int)state);
        peer_free(reply);
        if (!reached) {
            site_rest();
        }
    }
}

void peer_wait_evaluations(peer *self, uint64_t number, uint64_t evaluations)
{
    uint64_t end = site_now_ms() + SITE_PATIENCE_MS;
    const Codesign__Job *job;
    bool reached = false;
    while (!reached) {
        Codesign__Reply *reply = peer_job(self, number, &job);
        reached = job->evaluations >= evaluations;
        ck_assert_msg(reached || site_now_ms() < end, "job %d stays at %d evaluations, state %d",
                      (int)number, (int)job->evaluations, (int)job->state);
        peer_free(reply);
        if (!reached) {
            site_rest();
        }
    }
}
