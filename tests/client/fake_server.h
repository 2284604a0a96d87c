/* A server made of a ROUTER in a thread and a function of the test, which decides what is sent. */
#ifndef CS_TESTS_CLIENT_FAKE_SERVER_H
#define CS_TESTS_CLIENT_FAKE_SERVER_H

#include "proto/codesign.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fake_peer {
    uint8_t name[64];
    size_t size;
} fake_peer;

typedef struct fake_server fake_server;

/* Called in the server's thread for every request that can be read, and about every 5 ms with
 * NULL. */
typedef void fake_handler(fake_server *server, const fake_peer *peer,
                          const Codesign__Request *request);

struct fake_server {
    fake_handler *handle;
    void *state; /* the test's; looked at again after fake_server_stop */
    char endpoint[128];
    void *context, *socket;
    pthread_t thread;
    atomic_bool stopping;
};

/* On a TCP port of the loopback interface that is free, or at `endpoint` if not NULL. */
void fake_server_start(fake_server *server, const char *endpoint, fake_handler *handle,
                       void *state);
void fake_server_stop(fake_server *server);

/* For handlers. A peer that has gone is no mistake. */
void fake_send(fake_server *server, const fake_peer *peer, const Codesign__Reply *reply);
void fake_send_bytes(fake_server *server, const fake_peer *peer, const void *bytes, size_t size,
                     int more);
void fake_send_error(fake_server *server, const fake_peer *peer, uint64_t id, uint32_t status,
                     const char *text);
void fake_send_pong(fake_server *server, const fake_peer *peer, uint64_t id, const char *name);
void fake_send_submitted(fake_server *server, const fake_peer *peer, uint64_t id, uint64_t job);

#endif
