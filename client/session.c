/* A session with a server: see session.h. */
#include "client/session.h"

#include "proto/wire.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

struct cs_session {
    void *context;
    void *socket; /* of requests; a watch has its own */
    char *endpoint;
    uint32_t timeout_ms;
    uint64_t last_id;
};

struct cs_watcher {
    cs_session *session;
    void *socket;
    void *monitor; /* tells when the socket's connection breaks */
    cs_watcher_options options;
    cs_replica *replica;
    uint64_t id;           /* of the watch request on this socket */
    uint64_t sequence;     /* of the last event taken on this socket */
    int64_t heard_ms;      /* when an event came last, or the watch was asked for */
    int64_t renewed_ms;    /* when the server last heard of us */
    uint32_t failures;     /* connections in a row that gave no event */
    uint32_t reconnects;   /* over the watch's life, that led to an event */
    bool lost;             /* connecting anew, and no event yet */
    bool ended;            /* the server closed this watch, though the job goes on */
    Codesign__Reply *held; /* what the caller looks at */
};

/* ---- sockets and frames ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *connect_socket(cs_session *session, cs_error *err)
{
    int linger_ms = 0;
    int64_t max_bytes = CS_WIRE_MAX_FRAME;
    void *socket = zmq_socket(session->context, ZMQ_DEALER);
    if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) != 0 ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) != 0 ||
        zmq_connect(socket, session->endpoint) != 0) {
        cs_fail(err, errno == ENOMEM ? CS_ENOMEM : CS_EINVAL, "server %s: %s", session->endpoint,
                zmq_strerror(errno));
        if (socket) {
            zmq_close(socket);
        }
        return NULL;
    }
    return socket;
}

static void close_socket(void **socket)
{
    if (*socket) {
        zmq_close(*socket);
        *socket = NULL;
    }
}

/* Connect where there is no socket yet. */
static cs_status need_socket(cs_session *session, void **socket, cs_error *err)
{
    if (!*socket) {
        *socket = connect_socket(session, err);
    }
    return *socket ? CS_OK : err ? err->status : CS_EIO;
}

/* Pack and send without waiting. ZeroMQ keeps the frame until it is connected. */
static cs_status send_request(cs_session *session, void *socket, const Codesign__Request *request,
                              cs_error *err)
{
    size_t size;
    uint8_t *frame = cs_wire_pack(&request->base, &size, err);
    if (!frame) {
        return err ? err->status : CS_ENOMEM;
    }
    int sent = zmq_send(socket, frame, size, ZMQ_DONTWAIT);
    int reason = errno;
    free(frame);
    if (sent < 0) {
        return cs_fail(err, reason == EAGAIN ? CS_ETIMEDOUT : CS_EIO, "server %s: %s",
                       session->endpoint, zmq_strerror(reason));
    }
    return CS_OK;
}

static cs_status fail_unreadable(cs_session *session, cs_error *err, const char *why)
{
    return cs_fail(err, CS_ECORRUPT, "server %s: the answer cannot be read: %s", session->endpoint,
                   why);
}

/* The message that is waiting in the socket. */
static cs_status take_message(cs_session *session, void *socket, Codesign__Reply **reply,
                              cs_error *err)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) < 0) {
        int reason = errno;
        zmq_msg_close(&message);
        if (reason == EAGAIN || reason == EINTR) {
            *reply = NULL;
            return CS_OK;
        }
        return cs_fail(err, CS_EIO, "server %s: %s", session->endpoint, zmq_strerror(reason));
    }
    bool more = zmq_msg_more(&message);
    while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        more = zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&part);
        zmq_msg_close(&part);
        if (!more) {
            zmq_msg_close(&message);
            return fail_unreadable(session, err, "it has more than one frame");
        }
    }
    cs_error why = {0};
    ProtobufCMessage *got = cs_wire_unpack(&codesign__reply__descriptor, zmq_msg_data(&message),
                                           zmq_msg_size(&message), &why);
    zmq_msg_close(&message);
    if (!got) {
        return why.status == CS_ENOMEM ? cs_fail_memory(err)
                                       : fail_unreadable(session, err, why.text);
    }
    *reply = (Codesign__Reply *)got;
    return CS_OK;
}

#define MAX_WAKERS 2

/* Wait for any reply until `deadline_ms`. CS_OK with NULL: the deadline passed, a signal came, or
 * one of the `waker_count` wakers is ready, as its revents say. */
static cs_status wait_reply(cs_session *session, void *socket, int64_t deadline_ms,
                            zmq_pollitem_t *wakers, int waker_count, Codesign__Reply **reply,
                            cs_error *err)
{
    assert(waker_count <= MAX_WAKERS);
    *reply = NULL;
    int64_t left = deadline_ms - now_ms();
    zmq_pollitem_t items[1 + MAX_WAKERS] = {{.socket = socket, .events = ZMQ_POLLIN}};
    for (int i = 0; i < waker_count; i++) {
        wakers[i].revents = 0;
        items[1 + i] = wakers[i];
    }
    int ready = zmq_poll(items, 1 + waker_count, left > 0 ? left : 0);
    if (ready < 0 && errno != EINTR) {
        return cs_fail(err, CS_EIO, "server %s: %s", session->endpoint, zmq_strerror(errno));
    }
    for (int i = 0; i < waker_count && ready > 0; i++) {
        wakers[i].revents = items[1 + i].revents;
    }
    if (ready <= 0 || !(items[0].revents & ZMQ_POLLIN)) {
        return CS_OK;
    }
    return take_message(session, socket, reply, err);
}

/* The failure that an error reply stands for. */
static cs_status fail_as_told(const Codesign__Error *told, cs_error *err)
{
    static const cs_status known[] = {
#define X(name, number, text) [number] = CS_##name,
        CS_STATUS_MAP(X)
#undef X
    };
    bool is_known = told->status > 0 && told->status < sizeof known / sizeof *known;
    return cs_fail(err, is_known ? known[told->status] : CS_EINTERNAL, "%s", told->text);
}

/* ---- sessions ---- */

/* ZeroMQ would go on trying to connect without a word; a person who forgot to start the server
 * should not wait for that. */
cs_status cs_session_probe(const char *endpoint, cs_error *err)
{
    static const char scheme[] = "ipc://";
    const char *path = endpoint + strlen(scheme);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strncmp(endpoint, scheme, strlen(scheme)) != 0 || *path == '@') {
        return CS_OK; /* @: Linux's abstract names */
    }
    if (strlen(path) == 0 || strlen(path) >= sizeof address.sun_path) {
        return cs_fail(err, CS_EINVAL, "server %s: a socket path has 1 to %zu bytes", endpoint,
                       sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return cs_fail(err, CS_EIO, "server %s: %s", endpoint, strerror(errno));
    }
    int failed = connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ? errno : 0;
    close(fd);
    if (failed == ENOENT || failed == ECONNREFUSED) {
        return cs_fail(err, CS_ETIMEDOUT, "server %s: %s; is codesignd running?", endpoint,
                       strerror(failed));
    }
    if (failed == EACCES) {
        return cs_fail(err, CS_EPERM, "server %s: %s", endpoint, strerror(failed));
    }
    return CS_OK;
}

cs_session *cs_session_open(const char *endpoint, uint32_t timeout_ms, cs_error *err)
{
    if (cs_session_probe(endpoint, err) != CS_OK) {
        return NULL;
    }
    cs_session *session = calloc(1, sizeof *session);
    if (!session) {
        cs_fail_memory(err);
        return NULL;
    }
    session->timeout_ms = timeout_ms;
    session->endpoint = strdup(endpoint);
    session->context = zmq_ctx_new();
    if (!session->endpoint || !session->context) {
        cs_fail_memory(err);
        cs_session_close(session);
        return NULL;
    }
    session->socket = connect_socket(session, err);
    if (!session->socket) {
        cs_session_close(session);
        return NULL;
    }
    return session;
}

void cs_session_close(cs_session *session)
{
    if (session) {
        close_socket(&session->socket);
        if (session->context) {
            zmq_ctx_term(session->context);
        }
        free(session->endpoint);
        free(session);
    }
}

/* One try: send, and wait for the reply with the request's id. CS_OK with NULL: none in time. */
static cs_status try_call(cs_session *session, const Codesign__Request *request, int64_t wait_ms,
                          Codesign__Reply **reply, cs_error *err)
{
    *reply = NULL;
    cs_status status = need_socket(session, &session->socket, err);
    if (!status) {
        status = send_request(session, session->socket, request, err);
    }
    int64_t deadline_ms = now_ms() + wait_ms;
    while (!status) {
        Codesign__Reply *got;
        status = wait_reply(session, session->socket, deadline_ms, NULL, 0, &got, err);
        if (got && (got->id == request->id || got->id == 0)) {
            *reply = got; /* 0: the server could not read our frame */
            break;
        }
        if (got) {
            cs_wire_free(&got->base);
        } else if (now_ms() >= deadline_ms) {
            break;
        }
    }
    return status;
}

Codesign__Reply *cs_session_call(cs_session *session, Codesign__Request *request,
                                 Codesign__Reply__BodyCase expected, cs_error *err)
{
    assert(request->body_case != CODESIGN__REQUEST__BODY__NOT_SET);
    request->version = CS_WIRE_VERSION;
    request->id = ++session->last_id;
    /* 1 + 2 + 4 parts for the three tries. */
    int64_t wait_ms = session->timeout_ms / ((1 << CS_SESSION_TRIES) - 1) + 1;
    cs_error why = {0};
    Codesign__Reply *reply = NULL;
    for (int try = 0; try < CS_SESSION_TRIES; try++) {
        why = (cs_error){0};
        cs_status status = try_call(session, request, wait_ms << try, &reply, &why);
        if (reply || (status && status != CS_ECORRUPT && status != CS_ETIMEDOUT)) {
            break;
        }
        close_socket(&session->socket);
    }
    if (!reply) {
        if (why.status) {
            cs_fail(err, why.status, "%s", why.text);
        } else {
            cs_fail(err, CS_ETIMEDOUT, "server %s: no answer in %g s", session->endpoint,
                    session->timeout_ms / 1000.0);
        }
        return NULL;
    }
    if (reply->body_case != expected) {
        if (reply->body_case == CODESIGN__REPLY__BODY_ERROR) {
            fail_as_told(reply->error, err);
        } else {
            fail_unreadable(session, err, "it is of another kind than the request");
        }
        cs_wire_free(&reply->base);
        return NULL;
    }
    return reply;
}

/* ---- files ---- */

/* Put one file, chunk by chunk. The server says how much it has; after a lost connection that may
 * be less than was sent. */
static cs_status put_file(cs_session *session, const cs_session_file *file, cs_error *err)
{
    uint64_t at = 0;
    int restarts = 0;
    do {
        size_t chunk = file->size - at < CS_WIRE_CHUNK ? file->size - at : CS_WIRE_CHUNK;
        Codesign__PutFile put = CODESIGN__PUT_FILE__INIT;
        put.hash = (ProtobufCBinaryData){CS_HASH_BYTES, (uint8_t *)file->hash.bytes};
        put.size = file->size;
        put.offset = at;
        put.data = (ProtobufCBinaryData){chunk, (uint8_t *)file->bytes + at};
        Codesign__Request request = CODESIGN__REQUEST__INIT;
        request.body_case = CODESIGN__REQUEST__BODY_PUT_FILE;
        request.put_file = &put;
        cs_error why = {0};
        Codesign__Reply *reply =
            cs_session_call(session, &request, CODESIGN__REPLY__BODY_FILE_STORED, &why);
        /* A chunk that was sent twice, or whose forerunners are lost, does not follow. */
        bool again = !reply && at > 0 && (why.status == CS_EINVAL || why.status == CS_ESTATE);
        if (!reply && !again) {
            return cs_fail(err, why.status, "%s", why.text);
        }
        uint64_t received = reply ? reply->file_stored->received : 0;
        if (reply) {
            cs_wire_free(&reply->base);
        }
        if (received > file->size) {
            return fail_unreadable(session, err, "it claims more of a file than there is");
        }
        if (received <= at && file->size > 0 && ++restarts > CS_SESSION_TRIES) {
            return again ? cs_fail(err, why.status, "%s", why.text)
                         : cs_fail(err, CS_ETIMEDOUT, "server %s: it keeps losing a file",
                                   session->endpoint);
        }
        at = received;
    } while (at < file->size);
    return CS_OK;
}

static cs_status put_missing(cs_session *session, const Codesign__Submitted *answer,
                             const cs_session_file *files, size_t file_count, cs_error *err)
{
    for (size_t i = 0; i < answer->n_missing; i++) {
        size_t f = 0;
        while (f < file_count &&
               (answer->missing[i].len != CS_HASH_BYTES ||
                memcmp(answer->missing[i].data, files[f].hash.bytes, CS_HASH_BYTES) != 0)) {
            f++;
        }
        if (f == file_count) {
            return fail_unreadable(session, err, "it asks for a file that the job does not have");
        }
        cs_status status = put_file(session, &files[f], err);
        if (status) {
            return status;
        }
    }
    return CS_OK;
}

cs_status cs_session_submit(cs_session *session, Codesign__SubmitJob *submit,
                            const cs_session_file *files, size_t file_count, uint64_t *job,
                            cs_error *err)
{
    uint8_t key[CS_WIRE_KEY_BYTES];
    if (getrandom(key, sizeof key, 0) != sizeof key) {
        return cs_fail(err, CS_EIO, "no random numbers: %s", strerror(errno));
    }
    for (int round = 0; round <= CS_SESSION_TRIES; round++) {
        Codesign__Request request = CODESIGN__REQUEST__INIT;
        request.has_key = true;
        request.key = (ProtobufCBinaryData){sizeof key, key};
        request.body_case = CODESIGN__REQUEST__BODY_SUBMIT_JOB;
        request.submit_job = submit;
        cs_error why = {0};
        Codesign__Reply *reply =
            cs_session_call(session, &request, CODESIGN__REPLY__BODY_SUBMITTED, &why);
        if (!reply) {
            return cs_fail(err, why.status, "%s", why.text);
        }
        bool accepted = reply->submitted->has_job;
        uint64_t number = reply->submitted->job;
        cs_status status =
            accepted ? CS_OK : put_missing(session, reply->submitted, files, file_count, err);
        cs_wire_free(&reply->base);
        if (status) {
            return status;
        }
        if (accepted) {
            *job = number;
            return CS_OK;
        }
    }
    return cs_fail(err, CS_ETIMEDOUT, "server %s: it keeps losing the files of the job",
                   session->endpoint);
}

char *cs_session_get_file(cs_session *session, uint64_t job, const cs_hash *hash, size_t limit,
                          size_t *size, cs_error *err)
{
    char *content = NULL;
    uint64_t whole = 0, at = 0;
    do {
        Codesign__GetFile get = CODESIGN__GET_FILE__INIT;
        get.job = job;
        get.hash = (ProtobufCBinaryData){CS_HASH_BYTES, (uint8_t *)hash->bytes};
        get.offset = at;
        Codesign__Request request = CODESIGN__REQUEST__INIT;
        request.body_case = CODESIGN__REQUEST__BODY_GET_FILE;
        request.get_file = &get;
        Codesign__Reply *reply =
            cs_session_call(session, &request, CODESIGN__REPLY__BODY_FILE_CHUNK, err);
        if (!reply) {
            free(content);
            return NULL;
        }
        const Codesign__FileChunk *chunk = reply->file_chunk;
        if (!content && chunk->size <= limit) {
            whole = chunk->size;
            content = calloc(1, whole + 1);
        }
        bool fits = content && chunk->size == whole && chunk->data.len <= whole - at &&
                    (chunk->data.len > 0 || whole == 0);
        if (fits && chunk->data.len) {
            memcpy(content + at, chunk->data.data, chunk->data.len);
            at += chunk->data.len;
        }
        bool too_large = chunk->size > limit;
        cs_wire_free(&reply->base);
        if (!fits) {
            if (too_large) {
                cs_fail(err, CS_ELIMIT, "server %s: a file of job %" PRIu64 " is over %zu bytes",
                        session->endpoint, job, limit);
            } else if (!content) {
                cs_fail_memory(err);
            } else {
                fail_unreadable(session, err, "chunks of a file do not fit together");
            }
            free(content);
            return NULL;
        }
    } while (at < whole);
    cs_hash got = cs_hash_of(content, whole);
    if (memcmp(&got, hash, sizeof got) != 0) {
        fail_unreadable(session, err, "a file is not what its hash says");
        free(content);
        return NULL;
    }
    *size = whole;
    return content;
}

/* ---- watching ---- */

static void disconnect(cs_watcher *watch)
{
    if (watch->socket) {
        (void)zmq_socket_monitor(watch->socket, NULL, 0);
    }
    close_socket(&watch->monitor);
    close_socket(&watch->socket);
}

/* Connect, and have the monitor tell when the connection breaks: ZeroMQ would connect again by
 * itself, but as another peer, whom the server sends no events. */
static cs_status connect_watch(cs_watcher *watch, cs_error *err)
{
    cs_session *session = watch->session;
    cs_status status = need_socket(session, &watch->socket, err);
    if (status) {
        return status;
    }
    char name[48];
    snprintf(name, sizeof name, "inproc://watch-%" PRIu64, session->last_id);
    watch->monitor = zmq_socket(session->context, ZMQ_PAIR);
    if (!watch->monitor || zmq_socket_monitor(watch->socket, name, ZMQ_EVENT_DISCONNECTED) != 0 ||
        zmq_connect(watch->monitor, name) != 0) {
        return cs_fail(err, CS_EIO, "server %s: %s", session->endpoint, zmq_strerror(errno));
    }
    return CS_OK;
}

/* Ask for the front from what the replica holds completely, on a new socket. */
static cs_status start_watch(cs_watcher *watch, cs_error *err)
{
    cs_status status = cs_replica_rewind(watch->replica, err);
    disconnect(watch);
    if (!status) {
        status = connect_watch(watch, err);
    }
    if (status) {
        return status;
    }
    Codesign__Watch body = CODESIGN__WATCH__INIT;
    body.job = watch->options.job;
    body.has_have = watch->replica->complete;
    body.have = watch->replica->number;
    body.has_credit = watch->options.credit > 0;
    body.credit = watch->options.credit;
    body.has_lease_ms = true;
    body.lease_ms = watch->options.lease_ms;
    body.has_interval_ms = watch->options.interval_ms > 0;
    body.interval_ms = watch->options.interval_ms;
    body.has_once = watch->options.once;
    body.once = watch->options.once;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.version = CS_WIRE_VERSION;
    request.id = watch->id = ++watch->session->last_id;
    request.body_case = CODESIGN__REQUEST__BODY_WATCH;
    request.watch = &body;
    watch->sequence = 0;
    watch->ended = false;
    watch->heard_ms = watch->renewed_ms = now_ms();
    return send_request(watch->session, watch->socket, &request, err);
}

static cs_status send_ack(cs_watcher *watch, cs_error *err)
{
    watch->renewed_ms = now_ms();
    if (watch->ended) {
        return CS_OK;
    }
    Codesign__WatchAck body = CODESIGN__WATCH_ACK__INIT;
    body.watch = watch->id;
    body.sequence = watch->sequence;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.version = CS_WIRE_VERSION;
    request.id = ++watch->session->last_id;
    request.body_case = CODESIGN__REQUEST__BODY_WATCH_ACK;
    request.watch_ack = &body;
    return send_request(watch->session, watch->socket, &request, err);
}

cs_watcher *cs_watcher_open(cs_session *session, const cs_watcher_options *options,
                            cs_replica *replica, cs_error *err)
{
    assert(options->lease_ms >= 300);
    cs_watcher *watch = calloc(1, sizeof *watch);
    if (!watch) {
        cs_fail_memory(err);
        return NULL;
    }
    watch->session = session;
    watch->options = *options;
    watch->replica = replica;
    if (start_watch(watch, err) != CS_OK) {
        cs_watcher_close(watch);
        return NULL;
    }
    return watch;
}

static cs_status reconnect(cs_watcher *watch, cs_error *err)
{
    if (++watch->failures >= CS_SESSION_TRIES) {
        return cs_fail(err, CS_ETIMEDOUT, "server %s: nothing heard of job %" PRIu64 " in %u tries",
                       watch->session->endpoint, watch->options.job, watch->failures);
    }
    watch->lost = true;
    return start_watch(watch, err);
}

static void drop_held(cs_watcher *watch)
{
    if (watch->held) {
        cs_wire_free(&watch->held->base);
        watch->held = NULL;
    }
}

/* Whether nobody will change this job's front any more. */
static bool is_final(const Codesign__Job *job)
{
    return job->state == CODESIGN__JOB_STATE__DONE ||
           job->state == CODESIGN__JOB_STATE__CANCELLED ||
           job->state == CODESIGN__JOB_STATE__FAILED;
}

/* Renew the lease, or the connection, where it is time for that. */
static cs_status keep_alive(cs_watcher *watch, cs_error *err)
{
    int64_t now = now_ms();
    if (now - watch->heard_ms >= watch->options.lease_ms) {
        return reconnect(watch, err);
    }
    if (now - watch->renewed_ms >= watch->options.lease_ms / 3) {
        return send_ack(watch, err);
    }
    return CS_OK;
}

/* Take what came: *taken says whether it is the next event, which is then held. */
static cs_status take_event(cs_watcher *watch, Codesign__Reply *reply, bool *taken, cs_error *err)
{
    *taken = false;
    if (reply->id != watch->id && reply->id != 0) {
        cs_wire_free(&reply->base);
        return CS_OK;
    }
    cs_status status = CS_OK;
    if (reply->body_case == CODESIGN__REPLY__BODY_ERROR) {
        status = fail_as_told(reply->error, err);
    } else if (reply->body_case != CODESIGN__REPLY__BODY_WATCH_EVENT) {
        status = fail_unreadable(watch->session, err, "it is no event of a watch");
    } else if (reply->watch_event->sequence > watch->sequence + 1) {
        status = reconnect(watch, err); /* an event was lost */
    } else if (reply->watch_event->sequence == watch->sequence + 1) {
        watch->sequence++;
        watch->heard_ms = now_ms();
        watch->failures = 0;
        watch->reconnects += watch->lost;
        watch->lost = false;
        status = cs_replica_apply(watch->replica, reply->watch_event, err);
        if (!status) {
            if (!watch->options.once && !is_final(reply->watch_event->job)) {
                /* A server that ends watches is asked again when the lease is over, not at once. */
                watch->ended = reply->watch_event->last;
                reply->watch_event->last = false;
            }
            watch->held = reply;
            *taken = true;
            return CS_OK;
        }
    }
    cs_wire_free(&reply->base);
    return status;
}

cs_status cs_watcher_next(cs_watcher *watch, uint32_t wait_ms, const Codesign__WatchEvent **event,
                          uint32_t *reconnects, cs_error *err)
{
    *event = NULL;
    cs_status status = CS_OK;
    if (watch->held) {
        assert(!watch->held->watch_event->last);
        drop_held(watch);
        status = send_ack(watch, err);
    }
    int64_t end_ms = now_ms() + wait_ms;
    bool taken = false, done = false;
    while (!status && !taken && !done) {
        int64_t due_ms = watch->renewed_ms + watch->options.lease_ms / 3;
        zmq_pollitem_t wakers[] = {{.socket = watch->monitor, .events = ZMQ_POLLIN},
                                   {.fd = watch->options.wake_fd, .events = ZMQ_POLLIN}};
        Codesign__Reply *reply;
        status = wait_reply(watch->session, watch->socket, end_ms < due_ms ? end_ms : due_ms,
                            wakers, watch->options.wake_fd >= 0 ? 2 : 1, &reply, err);
        bool broken = wakers[0].revents != 0;
        if (reply) {
            status = take_event(watch, reply, &taken, err);
        } else if (status == CS_ECORRUPT || (!status && broken)) {
            status = reconnect(watch, err);
        } else if (!status) {
            /* Before its time is over, only the wake descriptor or a signal ends a wait. */
            int64_t now = now_ms();
            done = now >= end_ms || now < due_ms;
            status = keep_alive(watch, err);
        }
    }
    if (taken) {
        *event = watch->held->watch_event;
    }
    if (reconnects) {
        *reconnects = watch->reconnects;
    }
    return status;
}

bool cs_watcher_is_lost(const cs_watcher *watch)
{
    return watch->lost;
}

void cs_watcher_close(cs_watcher *watch)
{
    if (!watch) {
        return;
    }
    bool over = watch->held && watch->held->watch_event->last;
    if (watch->socket && !over) {
        int linger_ms = 100; /* for this one frame to leave */
        (void)zmq_setsockopt(watch->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        Codesign__Unwatch body = CODESIGN__UNWATCH__INIT;
        body.watch = watch->id;
        Codesign__Request request = CODESIGN__REQUEST__INIT;
        request.version = CS_WIRE_VERSION;
        request.id = ++watch->session->last_id;
        request.body_case = CODESIGN__REQUEST__BODY_UNWATCH;
        request.unwatch = &body;
        (void)send_request(watch->session, watch->socket, &request, NULL);
    }
    disconnect(watch);
    drop_held(watch);
    free(watch);
}
