/* Sessions and watches against a server that misbehaves in every way the network allows. */
#include "client/session.h"
#include "fake_server.h"
#include "proto/wire.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static cs_session *open_session(const fake_server *server, uint32_t timeout_ms)
{
    cs_error err = {0};
    cs_session *session = cs_session_open(server->endpoint, timeout_ms, &err);
    ck_assert_msg(session != NULL, "%s", err.text);
    return session;
}

static Codesign__Reply *ping(cs_session *session, cs_error *err)
{
    Codesign__Ping body = CODESIGN__PING__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.body_case = CODESIGN__REQUEST__BODY_PING;
    request.ping = &body;
    return cs_session_call(session, &request, CODESIGN__REPLY__BODY_PONG, err);
}

static cs_status submit(cs_session *session, const cs_session_file *files, size_t count,
                        uint64_t *job, cs_error *err)
{
    Codesign__SubmitJob body = CODESIGN__SUBMIT_JOB__INIT;
    body.text_name = (char *)"job.conf";
    body.text = (ProtobufCBinaryData){5, (uint8_t *)"a = 1"};
    return cs_session_submit(session, &body, files, count, job, err);
}

/* ---- requests ---- */

/* What a server saw of the tries of requests. */
typedef struct tries {
    int count;
    uint64_t ids[16];
    uint8_t keys[16][CS_WIRE_KEY_BYTES];
    fake_peer peers[16];
    atomic_int answer_from; /* the first try that is answered */
} tries;

static void note_try(tries *seen, const fake_peer *peer, const Codesign__Request *request)
{
    if (seen->count < 16) {
        seen->ids[seen->count] = request->id;
        seen->peers[seen->count] = *peer;
        if (request->has_key && request->key.len == CS_WIRE_KEY_BYTES) {
            memcpy(seen->keys[seen->count], request->key.data, CS_WIRE_KEY_BYTES);
        }
    }
    seen->count++;
}

static void answer_late_submit(fake_server *server, const fake_peer *peer,
                               const Codesign__Request *request)
{
    tries *seen = server->state;
    if (request) {
        note_try(seen, peer, request);
        if (seen->count >= seen->answer_from) {
            fake_send_submitted(server, peer, request->id, 77);
        }
    }
}

START_TEST(retries_keep_key_and_id)
{
    tries seen = {.answer_from = 3};
    fake_server server;
    fake_server_start(&server, NULL, answer_late_submit, &seen);
    cs_session *session = open_session(&server, 700);
    cs_error err = {0};
    uint64_t job = 0;
    ck_assert_msg(submit(session, NULL, 0, &job, &err) == CS_OK, "%s", err.text);
    ck_assert_uint_eq(job, 77);
    ck_assert_int_eq(submit(session, NULL, 0, &job, &err), CS_OK);
    cs_session_close(session);
    fake_server_stop(&server);

    static const uint8_t none[CS_WIRE_KEY_BYTES];
    ck_assert_int_eq(seen.count, 4); /* three tries of the first, one of the second */
    ck_assert_mem_ne(seen.keys[0], none, sizeof none);
    for (int i = 1; i < 3; i++) {
        ck_assert_mem_eq(seen.keys[i], seen.keys[0], CS_WIRE_KEY_BYTES);
        ck_assert_uint_eq(seen.ids[i], seen.ids[0]);
        /* Each try is a connection of its own. */
        ck_assert(seen.peers[i].size != seen.peers[0].size ||
                  memcmp(seen.peers[i].name, seen.peers[0].name, seen.peers[0].size) != 0);
    }
    ck_assert_mem_ne(seen.keys[3], seen.keys[0], CS_WIRE_KEY_BYTES);
    ck_assert_uint_ne(seen.ids[3], seen.ids[0]);
}
END_TEST

START_TEST(silence_times_out)
{
    tries seen = {.answer_from = 1000};
    fake_server server;
    fake_server_start(&server, NULL, answer_late_submit, &seen);
    cs_session *session = open_session(&server, 350);
    cs_error err = {0};
    double begin = now_s();
    ck_assert_ptr_null(ping(session, &err));
    double took = now_s() - begin;
    cs_session_close(session);
    fake_server_stop(&server);
    ck_assert_int_eq(err.status, CS_ETIMEDOUT);
    ck_assert_int_eq(seen.count, CS_SESSION_TRIES);
    ck_assert_msg(took >= 0.34 && took < 2, "took %g s", took);
}
END_TEST

static void answer_first_try_late(fake_server *server, const fake_peer *peer,
                                  const Codesign__Request *request)
{
    tries *seen = server->state;
    if (request) {
        note_try(seen, peer, request);
        if (seen->count == 2) {
            fake_send_pong(server, &seen->peers[0], seen->ids[0], "too late");
            fake_send_pong(server, peer, request->id + 1000, "of another request");
            fake_send_pong(server, peer, request->id, "right");
        }
    }
}

START_TEST(late_and_foreign_replies_are_ignored)
{
    tries seen = {0};
    fake_server server;
    fake_server_start(&server, NULL, answer_first_try_late, &seen);
    cs_session *session = open_session(&server, 700);
    cs_error err = {0};
    Codesign__Reply *reply = ping(session, &err);
    ck_assert_msg(reply != NULL, "%s", err.text);
    ck_assert_str_eq(reply->pong->server, "right");
    cs_wire_free(&reply->base);
    cs_session_close(session);
    fake_server_stop(&server);
}
END_TEST

typedef struct refusal {
    uint32_t sent;
    cs_status expected;
} refusal;

static const refusal refusals[] = {
    {CS_EVERSION, CS_EVERSION}, {CS_ENOENT, CS_ENOENT}, {CS_EINTERNAL, CS_EINTERNAL},
    {0, CS_EINTERNAL},          {999, CS_EINTERNAL},    {UINT32_MAX, CS_EINTERNAL},
};

static void refuse(fake_server *server, const fake_peer *peer, const Codesign__Request *request)
{
    if (request) {
        /* A frame that a server could not read is answered without its id. */
        const refusal *row = server->state;
        fake_send_error(server, peer, row->sent == CS_EVERSION ? 0 : request->id, row->sent,
                        "this server speaks 9 %s %n");
    }
}

START_TEST(errors_carry_status_and_text)
{
    fake_server server;
    fake_server_start(&server, NULL, refuse, (void *)&refusals[_i]);
    cs_session *session = open_session(&server, 2000);
    cs_error err = {0};
    ck_assert_ptr_null(ping(session, &err));
    ck_assert_int_eq(err.status, refusals[_i].expected);
    ck_assert_str_eq(err.text, "this server speaks 9 %s %n");
    cs_session_close(session);
    fake_server_stop(&server);
}
END_TEST

static void send_garbage(fake_server *server, const fake_peer *peer,
                         const Codesign__Request *request)
{
    tries *seen = server->state;
    if (!request) {
        return;
    }
    note_try(seen, peer, request);
    if (seen->count >= seen->answer_from) {
        fake_send_pong(server, peer, request->id, "at last");
    } else if (seen->count % 2) {
        fake_send_bytes(server, peer, "\xff\xff\xff\xff garbage", 12, 0);
    } else {
        fake_send_bytes(server, peer, "two", 3, 1);
    }
}

START_TEST(garbage_is_one_failed_try)
{
    tries seen = {.answer_from = 3};
    fake_server server;
    fake_server_start(&server, NULL, send_garbage, &seen);
    cs_session *session = open_session(&server, 3000);
    cs_error err = {0};
    Codesign__Reply *reply = ping(session, &err);
    ck_assert_msg(reply != NULL, "%s", err.text);
    ck_assert_str_eq(reply->pong->server, "at last");
    cs_wire_free(&reply->base);
    seen.answer_from = 1000;
    ck_assert_ptr_null(ping(session, &err));
    ck_assert_int_eq(err.status, CS_ECORRUPT);
    cs_session_close(session);
    fake_server_stop(&server);
}
END_TEST

START_TEST(another_kind_of_reply_is_refused)
{
    tries seen = {.answer_from = 1};
    fake_server server;
    fake_server_start(&server, NULL, answer_late_submit, &seen);
    cs_session *session = open_session(&server, 2000);
    cs_error err = {0};
    ck_assert_ptr_null(ping(session, &err)); /* answered as if a job had been submitted */
    ck_assert_int_eq(err.status, CS_ECORRUPT);
    cs_session_close(session);
    fake_server_stop(&server);
}
END_TEST

START_TEST(nobody_at_an_ipc_address_is_said_at_once)
{
    cs_error err = {0};
    double begin = now_s();
    ck_assert_ptr_null(cs_session_open("ipc:///nonexistent/codesignd.sock", 60000, &err));
    ck_assert_int_eq(err.status, CS_ETIMEDOUT);
    ck_assert(strstr(err.text, "/nonexistent/codesignd.sock") != NULL);
    ck_assert(now_s() - begin < 2);

    char path[200];
    memset(path, 'x', sizeof path);
    memcpy(path, "ipc:///", 7);
    path[sizeof path - 1] = '\0';
    ck_assert_ptr_null(cs_session_open(path, 60000, &err));
    ck_assert_int_eq(err.status, CS_EINVAL);
}
END_TEST

/* ---- files ---- */

#define FILE_BYTES (2 * CS_WIRE_CHUNK + 1000)

/* Stores a file as codesignd does: chunks have to follow each other. */
typedef struct file_store {
    uint8_t bytes[FILE_BYTES];
    uint64_t received;
    int puts, lost; /* the put whose answer is lost */
    int submits;
    uint8_t keys[8][CS_WIRE_KEY_BYTES];
    cs_hash hash;
    atomic_bool lie; /* send other content than asked for */
} file_store;

static void store_file(fake_server *server, const fake_peer *peer, const Codesign__Request *request)
{
    file_store *store = server->state;
    const Codesign__PutFile *put = request->put_file;
    ck_assert_mem_eq(put->hash.data, store->hash.bytes, CS_HASH_BYTES);
    ck_assert_uint_eq(put->size, FILE_BYTES);
    ck_assert_uint_le(put->data.len, CS_WIRE_CHUNK);
    store->puts++;
    if (put->offset == 0) {
        store->received = 0;
    }
    if (put->offset != store->received) {
        fake_send_error(server, peer, request->id, CS_EINVAL, "does not follow");
        return;
    }
    memcpy(store->bytes + put->offset, put->data.data, put->data.len);
    store->received += put->data.len;
    if (store->puts != store->lost) {
        Codesign__FileStored stored = CODESIGN__FILE_STORED__INIT;
        stored.received = store->received;
        Codesign__Reply reply = CODESIGN__REPLY__INIT;
        reply.id = request->id;
        reply.body_case = CODESIGN__REPLY__BODY_FILE_STORED;
        reply.file_stored = &stored;
        fake_send(server, peer, &reply);
    }
}

static void keep_files(fake_server *server, const fake_peer *peer, const Codesign__Request *request)
{
    file_store *store = server->state;
    if (!request) {
        return;
    }
    if (request->body_case == CODESIGN__REQUEST__BODY_PUT_FILE) {
        store_file(server, peer, request);
        return;
    }
    ck_assert_int_eq(request->body_case, CODESIGN__REQUEST__BODY_SUBMIT_JOB);
    memcpy(store->keys[store->submits++ % 8], request->key.data, CS_WIRE_KEY_BYTES);
    if (store->received == FILE_BYTES) {
        fake_send_submitted(server, peer, request->id, 5);
        return;
    }
    Codesign__Submitted submitted = CODESIGN__SUBMITTED__INIT;
    ProtobufCBinaryData missing = {CS_HASH_BYTES, store->hash.bytes};
    submitted.n_missing = 1;
    submitted.missing = &missing;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = request->id;
    reply.body_case = CODESIGN__REPLY__BODY_SUBMITTED;
    reply.submitted = &submitted;
    fake_send(server, peer, &reply);
}

static void fill_file(uint8_t *bytes)
{
    for (size_t i = 0; i < FILE_BYTES; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    }
}

START_TEST(missing_files_are_sent_in_chunks)
{
    static uint8_t content[FILE_BYTES];
    fill_file(content);
    static file_store store;
    store = (file_store){.hash = cs_hash_of(content, FILE_BYTES), .lost = _i};
    fake_server server;
    fake_server_start(&server, NULL, keep_files, &store);
    cs_session *session = open_session(&server, 1400);
    cs_session_file file = {.hash = store.hash, .bytes = content, .size = FILE_BYTES};
    cs_error err = {0};
    uint64_t job = 0;
    ck_assert_msg(submit(session, &file, 1, &job, &err) == CS_OK, "%s", err.text);
    ck_assert_uint_eq(job, 5);
    cs_session_close(session);
    fake_server_stop(&server);
    ck_assert_mem_eq(store.bytes, content, FILE_BYTES);
    ck_assert_int_eq(store.submits, 2);
    ck_assert_mem_eq(store.keys[0], store.keys[1], CS_WIRE_KEY_BYTES);
    if (_i == 0) {
        ck_assert_int_eq(store.puts, 3);
    }
}
END_TEST

START_TEST(a_foreign_missing_file_is_refused)
{
    static file_store store;
    store = (file_store){.hash = cs_hash_of("x", 1)};
    fake_server server;
    fake_server_start(&server, NULL, keep_files, &store);
    cs_session *session = open_session(&server, 2000);
    cs_error err = {0};
    uint64_t job = 4711;
    ck_assert_int_eq(submit(session, NULL, 0, &job, &err), CS_ECORRUPT);
    ck_assert_uint_eq(job, 4711);
    cs_session_close(session);
    fake_server_stop(&server);
}
END_TEST

static void serve_file(fake_server *server, const fake_peer *peer, const Codesign__Request *request)
{
    file_store *store = server->state;
    if (!request) {
        return;
    }
    const Codesign__GetFile *get = request->get_file;
    uint64_t left = FILE_BYTES - get->offset;
    Codesign__FileChunk chunk = CODESIGN__FILE_CHUNK__INIT;
    chunk.size = FILE_BYTES;
    chunk.data.len = left < CS_WIRE_CHUNK ? left : CS_WIRE_CHUNK;
    chunk.data.data = store->bytes + get->offset;
    if (store->lie && get->offset) {
        chunk.data.data = store->bytes;
    }
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = request->id;
    reply.body_case = CODESIGN__REPLY__BODY_FILE_CHUNK;
    reply.file_chunk = &chunk;
    fake_send(server, peer, &reply);
}

START_TEST(files_are_fetched_and_checked)
{
    static file_store store;
    fill_file(store.bytes);
    cs_hash hash = cs_hash_of(store.bytes, FILE_BYTES);
    fake_server server;
    fake_server_start(&server, NULL, serve_file, &store);
    cs_session *session = open_session(&server, 2000);
    cs_error err = {0};
    size_t size = 0;
    char *got = cs_session_get_file(session, 1, &hash, FILE_BYTES, &size, &err);
    ck_assert_msg(got != NULL, "%s", err.text);
    ck_assert_uint_eq(size, FILE_BYTES);
    ck_assert_mem_eq(got, store.bytes, size);
    free(got);
    ck_assert_ptr_null(cs_session_get_file(session, 1, &hash, FILE_BYTES - 1, &size, &err));
    ck_assert_int_eq(err.status, CS_ELIMIT);
    store.lie = true;
    ck_assert_ptr_null(cs_session_get_file(session, 1, &hash, FILE_BYTES, &size, &err));
    ck_assert_int_eq(err.status, CS_ECORRUPT);
    cs_session_close(session);
    fake_server_stop(&server);
}
END_TEST

/* ---- watching ---- */

/* Generation g of this job has the front {g, g + 1, g + 2}, each row with its index as metric. */
typedef enum watch_fault {
    FAULT_NONE,
    FAULT_SILENCE, /* falls silent in the middle of an update */
    FAULT_GAP,     /* loses an event */
    FAULT_GARBAGE, /* sends what cannot be read */
    FAULT_END,     /* ends the watch although the job goes on */
    FAULT_COUNT,
} watch_fault;

typedef struct watch_script {
    watch_fault fault;
    uint64_t generations; /* after the last of them the job is done */
    fake_peer peer;
    uint64_t watch, sequence, acknowledged;
    uint64_t generation; /* sent */
    int watches, acks;
    atomic_int unwatches;
    uint64_t have[16];
    bool has_have[16];
    uint64_t most_unacknowledged;
    bool faulted;
    bool silent;
} watch_script;

static void send_event(fake_server *server, watch_script *script, uint64_t generation,
                       const uint64_t *removed, size_t n_removed, uint64_t *added, size_t n_added,
                       bool reset, bool complete, bool last)
{
    Codesign__Job job = CODESIGN__JOB__INIT;
    job.job = 1;
    job.name = job.owner = job.engine = (char *)"x";
    job.state = last ? CODESIGN__JOB_STATE__DONE : CODESIGN__JOB_STATE__RUNNING;
    job.generation = generation;
    double metrics[8];
    for (size_t i = 0; i < n_added; i++) {
        metrics[i] = (double)added[i];
    }
    Codesign__Candidates rows = CODESIGN__CANDIDATES__INIT;
    rows.n_index = n_added;
    rows.index = added;
    rows.n_metrics = n_added;
    rows.metrics = metrics;
    Codesign__WatchEvent event = CODESIGN__WATCH_EVENT__INIT;
    event.sequence = ++script->sequence;
    event.job = &job;
    event.reset = reset;
    event.n_removed = n_removed;
    event.removed = (uint64_t *)removed;
    event.added = &rows;
    event.complete = complete;
    event.last = last;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = script->watch;
    reply.body_case = CODESIGN__REPLY__BODY_WATCH_EVENT;
    reply.watch_event = &event;
    fake_send(server, &script->peer, &reply);
    if (script->sequence - script->acknowledged > script->most_unacknowledged) {
        script->most_unacknowledged = script->sequence - script->acknowledged;
    }
}

static void send_step(fake_server *server, watch_script *script)
{
    uint64_t next = script->generation + 1;
    bool last = next == script->generations;
    uint64_t first[3] = {next, next + 1, next + 2};
    if (script->generation == 0) {
        send_event(server, script, next, NULL, 0, first, 3, true, true, last);
    } else if (next != script->generations / 2 || script->faulted) {
        send_event(server, script, next, &script->generation, 1, &first[2], 1, false, true, last);
    } else if (script->fault != FAULT_NONE) {
        script->faulted = true;
        /* Half an update, which must not be kept. */
        uint64_t stray = 1000;
        send_event(server, script, next, &script->generation, 1, &stray, 1, false, false, false);
        if (script->fault == FAULT_GAP) {
            script->sequence++;
            send_event(server, script, next, NULL, 0, &first[2], 1, false, true, false);
        } else if (script->fault == FAULT_GARBAGE) {
            fake_send_bytes(server, &script->peer, "\xff\xff", 2, 0);
        } else if (script->fault == FAULT_END) {
            Codesign__Job job = CODESIGN__JOB__INIT;
            job.job = 1;
            job.name = job.owner = job.engine = (char *)"x";
            job.state = CODESIGN__JOB_STATE__RUNNING;
            Codesign__WatchEvent event = CODESIGN__WATCH_EVENT__INIT;
            event.sequence = ++script->sequence;
            event.job = &job;
            event.last = true;
            Codesign__Reply reply = CODESIGN__REPLY__INIT;
            reply.id = script->watch;
            reply.body_case = CODESIGN__REPLY__BODY_WATCH_EVENT;
            reply.watch_event = &event;
            fake_send(server, &script->peer, &reply);
        }
        script->silent = true;
        return;
    } else {
        send_event(server, script, next, &script->generation, 1, &first[2], 1, false, true, last);
    }
    script->generation = next;
}

static void run_script(fake_server *server, const fake_peer *peer, const Codesign__Request *request)
{
    watch_script *script = server->state;
    if (!request) {
        if (script->watch && !script->silent && script->generation < script->generations &&
            script->sequence - script->acknowledged < 2) {
            send_step(server, script);
        }
        return;
    }
    switch (request->body_case) {
    case CODESIGN__REQUEST__BODY_WATCH:
        script->has_have[script->watches % 16] = request->watch->has_have;
        script->have[script->watches++ % 16] = request->watch->have;
        script->peer = *peer;
        script->watch = request->id;
        script->sequence = script->acknowledged = 0;
        script->silent = false;
        script->generation = request->watch->has_have ? request->watch->have : 0;
        break;
    case CODESIGN__REQUEST__BODY_WATCH_ACK:
        script->acks++;
        if (request->watch_ack->watch == script->watch) {
            script->acknowledged = request->watch_ack->sequence;
        }
        break;
    case CODESIGN__REQUEST__BODY_UNWATCH:
        script->unwatches++;
        break;
    default:
        ck_abort();
    }
}

START_TEST(a_watch_survives)
{
    watch_script script = {.fault = (watch_fault)_i, .generations = 12};
    fake_server server;
    fake_server_start(&server, NULL, run_script, &script);
    cs_session *session = open_session(&server, 2000);
    cs_replica replica;
    cs_replica_init(&replica, 0, 1);
    cs_watcher_options options = {.job = 1, .lease_ms = 300, .credit = 2, .wake_fd = -1};
    cs_error err = {0};
    cs_watcher *watcher = cs_watcher_open(session, &options, &replica, &err);
    ck_assert_ptr_nonnull(watcher);
    bool last = false;
    uint32_t reconnects = 0;
    uint64_t number = 0;
    while (!last) {
        const Codesign__WatchEvent *event;
        ck_assert_msg(cs_watcher_next(watcher, 3000, &event, &reconnects, &err) == CS_OK, "%s",
                      err.text);
        ck_assert_ptr_nonnull(event);
        last = event->last;
        ck_assert(!cs_watcher_is_lost(watcher));
        ck_assert_uint_ge(replica.number, number);
        number = replica.number;
        /* Whatever is lost, what is shown is a front that the server had. */
        ck_assert_uint_eq(replica.front.count, replica.complete ? 3 : 0);
        for (size_t i = 0; i < replica.front.count; i++) {
            ck_assert_uint_eq(replica.front.index[i], number + i);
            ck_assert_double_eq(replica.front.metrics[i], (double)(number + i));
        }
    }
    ck_assert_uint_eq(number, 12);
    cs_watcher_close(watcher);
    cs_replica_release(&replica);
    cs_session_close(session);
    fake_server_stop(&server);
    ck_assert(!script.has_have[0]);
    if (script.fault == FAULT_NONE) {
        ck_assert_uint_le(script.most_unacknowledged, 2);
        ck_assert_int_eq(script.watches, 1);
        ck_assert_uint_eq(reconnects, 0);
    } else {
        ck_assert_int_eq(script.watches, 2);
        ck_assert_uint_eq(reconnects, 1);
        ck_assert(script.has_have[1]);
        ck_assert_uint_eq(script.have[1], 5); /* the last complete one */
    }
}
END_TEST

START_TEST(a_restarted_server_is_met_again_at_once)
{
    watch_script script = {.generations = 12};
    fake_server server;
    fake_server_start(&server, NULL, run_script, &script);
    cs_session *session = open_session(&server, 2000);
    cs_replica replica;
    cs_replica_init(&replica, 0, 1);
    cs_watcher_options options = {.job = 1, .lease_ms = 60000, .credit = 2, .wake_fd = -1};
    cs_error err = {0};
    cs_watcher *watcher = cs_watcher_open(session, &options, &replica, &err);
    bool last = false;
    uint32_t reconnects = 0;
    double begin = now_s();
    for (int events = 0; !last; events++) {
        const Codesign__WatchEvent *event;
        ck_assert_msg(cs_watcher_next(watcher, 10000, &event, &reconnects, &err) == CS_OK, "%s",
                      err.text);
        ck_assert_ptr_nonnull(event);
        last = event->last;
        if (events == 4) {
            char endpoint[128];
            strcpy(endpoint, server.endpoint);
            fake_server_stop(&server);
            script.watch = 0;
            fake_server_start(&server, endpoint, run_script, &script);
        }
    }
    double took = now_s() - begin;
    ck_assert_uint_eq(replica.number, 12);
    ck_assert_uint_ge(reconnects, 1);
    ck_assert_msg(took < 8, "took %g s, far less than a lease", took);
    cs_watcher_close(watcher);
    cs_replica_release(&replica);
    cs_session_close(session);
    fake_server_stop(&server);
}
END_TEST

START_TEST(leases_are_renewed_in_silence_and_given_up_at_last)
{
    watch_script script = {.silent = true};
    fake_server server;
    fake_server_start(&server, NULL, run_script, &script);
    cs_session *session = open_session(&server, 2000);
    cs_replica replica;
    cs_replica_init(&replica, 0, 1);
    cs_watcher_options options = {.job = 1, .lease_ms = 300, .wake_fd = -1};
    cs_error err = {0};
    cs_watcher *watcher = cs_watcher_open(session, &options, &replica, &err);
    const Codesign__WatchEvent *event;
    cs_status status = CS_OK;
    uint32_t reconnects = 0;
    double begin = now_s();
    while (!status && now_s() - begin < 10) {
        status = cs_watcher_next(watcher, 50, &event, &reconnects, &err);
        ck_assert_ptr_null(event);
    }
    bool lost = cs_watcher_is_lost(watcher);
    cs_watcher_close(watcher);
    cs_replica_release(&replica);
    cs_session_close(session);
    fake_server_stop(&server);
    ck_assert_int_eq(status, CS_ETIMEDOUT);
    ck_assert_uint_eq(reconnects, 0); /* no event, so none is known to have succeeded */
    ck_assert(lost);
    ck_assert_int_eq(script.watches, CS_SESSION_TRIES);
    ck_assert_int_ge(script.acks, CS_SESSION_TRIES);
}
END_TEST

START_TEST(waits_end_early_and_errors_are_told)
{
    watch_script script = {.silent = true};
    fake_server server;
    fake_server_start(&server, NULL, run_script, &script);
    cs_session *session = open_session(&server, 2000);
    cs_replica replica;
    cs_replica_init(&replica, 0, 1);
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(write(pipe_fds[1], "!", 1), 1);
    cs_watcher_options options = {.job = 1, .lease_ms = 5000, .wake_fd = pipe_fds[0]};
    cs_error err = {0};
    cs_watcher *watcher = cs_watcher_open(session, &options, &replica, &err);
    const Codesign__WatchEvent *event;
    double begin = now_s();
    ck_assert_int_eq(cs_watcher_next(watcher, 4000, &event, NULL, &err), CS_OK);
    ck_assert_ptr_null(event);
    ck_assert(now_s() - begin < 2);
    cs_watcher_close(watcher);
    for (int i = 0; i < 200 && script.unwatches == 0; i++) {
        usleep(10000); /* the farewell arrives although nobody waits for it */
    }
    fake_server_stop(&server);
    ck_assert_int_eq(script.unwatches, 1);
    cs_session_close(session);

    fake_server_start(&server, NULL, refuse, (void *)&refusals[1]);
    session = open_session(&server, 2000);
    options.wake_fd = -1;
    watcher = cs_watcher_open(session, &options, &replica, &err);
    ck_assert_int_eq(cs_watcher_next(watcher, 4000, &event, NULL, &err), CS_ENOENT);
    cs_watcher_close(watcher);
    cs_replica_release(&replica);
    cs_session_close(session);
    fake_server_stop(&server);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *calls = tcase_create("requests");
    tcase_set_timeout(calls, 30);
    tcase_add_test(calls, retries_keep_key_and_id);
    tcase_add_test(calls, silence_times_out);
    tcase_add_test(calls, late_and_foreign_replies_are_ignored);
    tcase_add_loop_test(calls, errors_carry_status_and_text, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(calls, garbage_is_one_failed_try);
    tcase_add_test(calls, another_kind_of_reply_is_refused);
    tcase_add_test(calls, nobody_at_an_ipc_address_is_said_at_once);
    suite_add_tcase(suite, calls);
    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 30);
    tcase_add_loop_test(files, missing_files_are_sent_in_chunks, 0, 4);
    tcase_add_test(files, a_foreign_missing_file_is_refused);
    tcase_add_test(files, files_are_fetched_and_checked);
    suite_add_tcase(suite, files);
    TCase *watching = tcase_create("watching");
    tcase_set_timeout(watching, 30);
    tcase_add_loop_test(watching, a_watch_survives, 0, FAULT_COUNT);
    tcase_add_test(watching, a_restarted_server_is_met_again_at_once);
    tcase_add_test(watching, leases_are_renewed_in_silence_and_given_up_at_last);
    tcase_add_test(watching, waits_end_early_and_errors_are_told);
    suite_add_tcase(suite, watching);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
