/* A server made of a ROUTER in a thread: see fake_server.h. */
#include "fake_server.h"

#include "proto/wire.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void serve_one(fake_server *server)
{
    fake_peer peer;
    int size = zmq_recv(server->socket, peer.name, sizeof peer.name, 0);
    assert(size > 0 && (size_t)size <= sizeof peer.name);
    peer.size = (size_t)size;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    assert(zmq_msg_recv(&frame, server->socket, 0) >= 0);
    assert(!zmq_msg_more(&frame)); /* a client sends no empty delimiter */
    ProtobufCMessage *message = cs_wire_unpack(&codesign__request__descriptor, zmq_msg_data(&frame),
                                               zmq_msg_size(&frame), NULL);
    zmq_msg_close(&frame);
    assert(message);
    server->handle(server, &peer, (const Codesign__Request *)message);
    cs_wire_free(message);
}

static void *serve(void *payload)
{
    fake_server *server = payload;
    zmq_pollitem_t item = {.socket = server->socket, .events = ZMQ_POLLIN};
    while (!atomic_load(&server->stopping)) {
        if (zmq_poll(&item, 1, 5) > 0) {
            serve_one(server);
        } else {
            server->handle(server, NULL, NULL);
        }
    }
    return NULL;
}

void fake_server_start(fake_server *server, const char *endpoint, fake_handler *handle, void *state)
{
    *server = (fake_server){.handle = handle, .state = state};
    server->context = zmq_ctx_new();
    server->socket = zmq_socket(server->context, ZMQ_ROUTER);
    int linger_ms = 0;
    zmq_setsockopt(server->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    int bound = zmq_bind(server->socket, endpoint ? endpoint : "tcp://127.0.0.1:*");
    size_t size = sizeof server->endpoint;
    int named = zmq_getsockopt(server->socket, ZMQ_LAST_ENDPOINT, server->endpoint, &size);
    int made = pthread_create(&server->thread, NULL, serve, server);
    assert(bound == 0 && named == 0 && made == 0);
    (void)bound, (void)named, (void)made;
}

void fake_server_stop(fake_server *server)
{
    atomic_store(&server->stopping, true);
    pthread_join(server->thread, NULL);
    zmq_close(server->socket);
    zmq_ctx_term(server->context);
}

void fake_send_bytes(fake_server *server, const fake_peer *peer, const void *bytes, size_t size,
                     int more)
{
    (void)zmq_send(server->socket, peer->name, peer->size, ZMQ_SNDMORE);
    (void)zmq_send(server->socket, bytes, size, more ? ZMQ_SNDMORE : 0);
    if (more) {
        (void)zmq_send(server->socket, "", 0, 0);
    }
}

void fake_send(fake_server *server, const fake_peer *peer, const Codesign__Reply *reply)
{
    size_t size;
    uint8_t *frame = cs_wire_pack(&reply->base, &size, NULL);
    assert(frame);
    fake_send_bytes(server, peer, frame, size, 0);
    free(frame);
}

void fake_send_error(fake_server *server, const fake_peer *peer, uint64_t id, uint32_t status,
                     const char *text)
{
    Codesign__Error error = CODESIGN__ERROR__INIT;
    error.status = status;
    error.text = (char *)text;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = id;
    reply.body_case = CODESIGN__REPLY__BODY_ERROR;
    reply.error = &error;
    fake_send(server, peer, &reply);
}

void fake_send_pong(fake_server *server, const fake_peer *peer, uint64_t id, const char *name)
{
    Codesign__Pong pong = CODESIGN__PONG__INIT;
    pong.server = (char *)name;
    pong.version = CS_WIRE_VERSION;
    pong.uptime_ms = 1500;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = id;
    reply.body_case = CODESIGN__REPLY__BODY_PONG;
    reply.pong = &pong;
    fake_send(server, peer, &reply);
}

void fake_send_submitted(fake_server *server, const fake_peer *peer, uint64_t id, uint64_t job)
{
    Codesign__Submitted submitted = CODESIGN__SUBMITTED__INIT;
    submitted.has_job = true;
    submitted.job = job;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = id;
    reply.body_case = CODESIGN__REPLY__BODY_SUBMITTED;
    reply.submitted = &submitted;
    fake_send(server, peer, &reply);
}
