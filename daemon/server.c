/* The server: see server.h. */
#include "daemon/server.h"

#include "base/log.h"
#include "daemon/convert.h"
#include "daemon/handlers.h"
#include "daemon/submit.h"
#include "proto/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define UPLOAD_LIMIT_BYTES (64u << 20)
#define QUEUE_MESSAGES     512 /* of a peer; replies beyond it are dropped, watches wait */
#define FRAMES_A_TURN      64  /* then others get their turn */
#define READS_MAX          64  /* questions to the store; beyond them requests wait in ZeroMQ */
#define LINGER_MS          200 /* for last replies at the end */
#define STOP_POLL_MS       20

uint64_t cs_server_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- sending ---- */

static void free_packed(void *data, void *hint)
{
    (void)hint;
    free(data);
}

cs_sent cs_server_send(cs_server *server, const cs_address *to, Codesign__Reply *reply)
{
    reply->id = to->request;
    size_t size;
    cs_error error;
    uint8_t *packed = cs_wire_pack(&reply->base, &size, &error);
    if (!packed) {
        cs_log(CS_LOG_ERROR, "a reply was not sent: %s", error.text);
        if (reply->body_case != CODESIGN__REPLY__BODY_ERROR) {
            cs_server_refuse(server, to, &error);
        }
        return CS_SENT_GONE;
    }
    zmq_msg_t message;
    if (zmq_msg_init_data(&message, packed, size, free_packed, NULL) != 0) {
        free(packed);
        return CS_SENT_LATER;
    }
    int flags = ZMQ_DONTWAIT;
    if (zmq_send(server->router, to->peer, to->peer_size, flags | ZMQ_SNDMORE) < 0 ||
        zmq_msg_send(&message, server->router, flags) < 0) {
        int failure = errno;
        zmq_msg_close(&message);
        return failure == EAGAIN ? CS_SENT_LATER : CS_SENT_GONE;
    }
    return CS_SENT;
}

void cs_server_refuse(cs_server *server, const cs_address *to, const cs_error *error)
{
    Codesign__Error body = CODESIGN__ERROR__INIT;
    body.status = error->status;
    body.text = (char *)(uintptr_t)error->text;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_ERROR;
    reply.error = &body;
    (void)cs_server_send(server, to, &reply);
}

void cs_server_store(cs_server *server, cs_operation *operation)
{
    server->operations++;
    server->reads += !operation->write;
    cs_writer_submit(server->writer, operation);
}

/* ---- opening and closing ---- */

/* Without ZeroMQ's heartbeats: in libzmq 4.3.4 they abort the process when a peer leaves while its
 * input is held back (zeromq/libzmq issue 4364). ipc notices by itself that a peer has gone, and
 * leases end the watches of one that is silent. */
static bool make_socket(cs_server *server, cs_error *err)
{
    int mandatory = 1, queue = QUEUE_MESSAGES, linger = LINGER_MS;
    int64_t frame = CS_WIRE_MAX_FRAME;
    server->zmq = zmq_ctx_new();
    server->router = server->zmq ? zmq_socket(server->zmq, ZMQ_ROUTER) : NULL;
    void *router = server->router;
    if (!router ||
        zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof mandatory) != 0 ||
        zmq_setsockopt(router, ZMQ_SNDHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(router, ZMQ_RCVHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(router, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &frame, sizeof frame) != 0) {
        cs_fail(err, CS_EIO, "cannot make the socket: %s", zmq_strerror(errno));
        return false;
    }
    mode_t mask = umask(0117); /* the socket is for its user and group */
    int bound = zmq_bind(router, server->settings.endpoint);
    int failure = errno;
    umask(mask);
    if (bound != 0) {
        cs_fail(err, CS_EIO, "cannot listen on %s: %s", server->settings.endpoint,
                zmq_strerror(failure));
        return false;
    }
    return true;
}

cs_status cs_server_open(cs_server *server, const cs_settings *settings, cs_error *err)
{
    *server = (cs_server){.settings = *settings, .started_ms = cs_server_now_ms()};
    cs_error failure = {.status = CS_OK};
    server->uploads = cs_uploads_new(UPLOAD_LIMIT_BYTES);
    if (!server->uploads) {
        cs_fail_memory(&failure);
        goto fail;
    }
    server->writer = cs_writer_new(&cs_store_sqlite, settings->state_directory, settings->full_sync,
                                   settings->commit_interval_ms, &failure);
    if (!server->writer) {
        goto fail;
    }
    server->pool = cs_pool_new(settings->workers, &failure);
    if (!server->pool || !make_socket(server, &failure) || cs_jobs_open(server, &failure)) {
        goto fail;
    }
    return CS_OK;
fail:
    server->stopping = true;
    cs_server_close(server);
    return cs_fail(err, failure.status, "%s", failure.text);
}

/* In the order that lets nobody touch what is gone: workers, writer, then what they worked on. */
void cs_server_close(cs_server *server)
{
    cs_pool_free(server->pool);
    cs_writer_free(server->writer);
    cs_submit_close(server);
    cs_watch_close(server);
    cs_jobs_close(server);
    cs_uploads_free(server->uploads);
    if (server->router) {
        zmq_close(server->router);
    }
    if (server->zmq) {
        zmq_ctx_term(server->zmq);
    }
    *server = (cs_server){0};
}

/* ---- the loop ---- */

/* Take one message of exactly two parts, [peer][frame]; what has another shape is dropped. False if
 * there is none. */
static bool receive(cs_server *server)
{
    zmq_msg_t peer, frame;
    zmq_msg_init(&peer);
    if (zmq_msg_recv(&peer, server->router, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&peer);
        return false;
    }
    zmq_msg_init(&frame);
    uint32_t parts = 1;
    for (bool more = zmq_msg_more(&peer); more; more = zmq_msg_more(&frame)) {
        if (zmq_msg_recv(&frame, server->router, ZMQ_DONTWAIT) < 0) {
            parts = 0;
            break;
        }
        parts++;
    }
    cs_address address = {0};
    size_t size = zmq_msg_size(&peer);
    if (parts == 2 && size <= sizeof address.peer) {
        memcpy(address.peer, zmq_msg_data(&peer), size);
        address.peer_size = (uint8_t)size;
        cs_handle_frame(server, &address, zmq_msg_data(&frame), zmq_msg_size(&frame));
    } else {
        cs_log(CS_LOG_DEBUG, "dropped a message of %u parts", parts);
    }
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
    return true;
}

static void finish_tasks(cs_server *server)
{
    for (cs_task *task = cs_pool_finished(server->pool); task;) {
        cs_task *next = task->next;
        task->done(task, server);
        task = next;
    }
}

static void finish_operations(cs_server *server)
{
    for (cs_operation *operation = cs_writer_finished(server->writer); operation;) {
        cs_operation *next = operation->next;
        server->operations--;
        server->reads -= !operation->write;
        operation->done(operation, server);
        operation = next;
    }
}

static void take_signal(cs_server *server, int signal_fd)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof info) == sizeof info && !server->stopping) {
        cs_log(CS_LOG_NOTICE, "stopping on signal %u", info.ssi_signo);
        server->stopping = true;
        cs_writer_cancel_reads(server->writer);
    }
}

cs_status cs_server_run(cs_server *server, int signal_fd, cs_error *err)
{
    zmq_pollitem_t items[] = {
        {.socket = server->router, .events = ZMQ_POLLIN},
        {.fd = signal_fd, .events = ZMQ_POLLIN},
        {.fd = cs_pool_fd(server->pool), .events = ZMQ_POLLIN},
        {.fd = cs_writer_fd(server->writer), .events = ZMQ_POLLIN},
    };
    for (;;) {
        long wait_ms = (long)cs_watch_pump(server);
        if (server->stopping) {
            if (cs_jobs_stop(server) && server->operations == 0) {
                return CS_OK;
            }
            wait_ms = STOP_POLL_MS;
        }
        bool hears = !server->stopping && server->reads < READS_MAX;
        items[0].events = hears ? ZMQ_POLLIN : 0;
        if (zmq_poll(items, 4, wait_ms) < 0 && errno != EINTR) {
            return cs_fail(err, CS_EIO, "waiting for work failed: %s", zmq_strerror(errno));
        }
        if (items[1].revents) {
            take_signal(server, signal_fd);
        }
        if (items[2].revents) {
            finish_tasks(server);
        }
        if (items[3].revents) {
            finish_operations(server);
        }
        if (items[0].revents) {
            for (int i = 0; i < FRAMES_A_TURN && server->reads < READS_MAX && receive(server);
                 i++) {
            }
        }
    }
}
