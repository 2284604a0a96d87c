/* The server: what the event loop's thread owns.
 *
 * One ROUTER carries requests, replies and streams; eventfds tell of announced pool tasks and of
 * finished store operations; a signalfd tells of SIGTERM and SIGINT. All of daemon/ but pool, run
 * (on workers) and store (on the writer's thread) runs on the loop and shares this struct. */
#ifndef CS_DAEMON_SERVER_H
#define CS_DAEMON_SERVER_H

#include "daemon/jobs.h"
#include "daemon/pool.h"
#include "daemon/settings.h"
#include "daemon/uploads.h"
#include "daemon/watch.h"
#include "daemon/writer.h"
#include "proto/codesign.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cs_server {
    cs_settings settings;
    void *zmq;    /* context */
    void *router; /* socket */
    cs_pool *pool;
    cs_writer *writer;
    cs_jobs jobs;
    cs_uploads *uploads;
    cs_watches watches;
    bool checking;                   /* a submission is with a worker */
    struct cs_admission *admissions; /* submissions on their way into the store */
    uint32_t operations;             /* handed to the writer and not yet back */
    uint32_t reads;                  /* those of them that only read */
    uint64_t started_ms;             /* monotonic */
    bool stopping;                   /* SIGTERM: nothing new is begun */
} cs_server;

/* Open sockets, store and pool, take up stored jobs. On failure nothing is left behind. */
CS_MUST_CHECK cs_status cs_server_open(cs_server *server, const cs_settings *settings,
                                       cs_error *err);

/* Serve until SIGTERM or SIGINT, which the caller has blocked in all threads, and then until what
 * runs has stopped. */
CS_MUST_CHECK cs_status cs_server_run(cs_server *server, int signal_fd, cs_error *err);

void cs_server_close(cs_server *server);

/* ---- for the rest of the room ---- */

/* Milliseconds since an arbitrary beginning. */
uint64_t cs_server_now_ms(void);

typedef enum cs_sent {
    CS_SENT,
    CS_SENT_LATER, /* the peer's queue is full */
    CS_SENT_GONE,  /* there is no such peer */
} cs_sent;

/* Send a reply; reply->id is set from the address. Never blocks. */
cs_sent cs_server_send(cs_server *server, const cs_address *to, Codesign__Reply *reply);

/* Hand an operation to the writer; its done is called on the loop with the server as context. */
void cs_server_store(cs_server *server, cs_operation *operation);

/* Answer with an error. */
void cs_server_refuse(cs_server *server, const cs_address *to, const cs_error *error);

#endif
