/* A peer: a client of the tests that speaks the protocol by itself, frame by frame. */
#ifndef CS_TESTS_SYSTEM_PEER_H
#define CS_TESTS_SYSTEM_PEER_H

#include "proto/codesign.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct peer {
    void *context, *socket;
    uint64_t last_id;
} peer;

/* Connect a socket of a kind (ZMQ_DEALER, ZMQ_REQ) to SITE_ENDPOINT. */
void peer_open(peer *self, int kind);
void peer_close(peer *self);

/* Send a request; version and id are filled in unless they are set. Its id. */
uint64_t peer_send(peer *self, Codesign__Request *request);

/* Send one message of these bytes as they are; `more` parts of it follow. */
void peer_send_bytes(peer *self, const void *bytes, size_t size, bool more);

/* The next reply within so long, or NULL. Free with peer_free. */
Codesign__Reply *peer_receive(peer *self, uint64_t within_ms);
void peer_free(Codesign__Reply *reply);

/* Send, and wait for the reply to it, of this kind. */
Codesign__Reply *peer_ask(peer *self, Codesign__Request *request,
                          Codesign__Reply__BodyCase expected);

/* Ask for a pong. */
void peer_ping(peer *self);

/* What the server says of a job; the reply's job. */
Codesign__Reply *peer_job(peer *self, uint64_t number, const Codesign__Job **job);

/* Wait until the job has this state, or at least so many evaluations. */
void peer_wait_state(peer *self, uint64_t number, Codesign__JobState state);
void peer_wait_evaluations(peer *self, uint64_t number, uint64_t evaluations);

/* A request of a kind; the caller sets the body. */
Codesign__Request peer_request(Codesign__Request__BodyCase kind);

#endif
