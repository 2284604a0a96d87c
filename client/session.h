/* A session with a server: requests and their replies, files, and watches.
 *
 * The transport is a ZeroMQ DEALER that sends one frame a request, without an empty delimiter. Each
 * request is tried three times, each time on a new socket and with a wait twice as long ("lazy
 * pirate"); a reply that comes late finds its socket gone. What must not happen twice carries a
 * key that stays the same over all tries.
 *
 * A session belongs to one thread. Functions fail with CS_ETIMEDOUT when no answer came, with
 * CS_ECORRUPT when what came could not be read, and else with the status and text of the server,
 * which is not to be trusted with a terminal (client/text.h). */
#ifndef CS_CLIENT_SESSION_H
#define CS_CLIENT_SESSION_H

#include "base/hash.h"
#include "client/replica.h"
#include "proto/codesign.pb-c.h"

#include <stdbool.h>

#define CS_SESSION_TRIES      3
#define CS_SESSION_TIMEOUT_MS 10000

typedef struct cs_session cs_session;

/* Whether somebody listens at an ipc endpoint: CS_ETIMEDOUT if not, CS_EPERM where that is not
 * permitted, CS_EINVAL for a path that no socket can have, CS_EIO. Other endpoints are not probed.
 */
CS_MUST_CHECK cs_status cs_session_probe(const char *endpoint, cs_error *err);

/* A session with the server at a ZeroMQ endpoint (ipc:// or tcp://). `timeout_ms` is the longest
 * that a request waits for its answer, over all tries. Nothing is sent yet, but an ipc endpoint
 * nobody listens on is refused at once, with CS_ETIMEDOUT. NULL on failure. */
cs_session *cs_session_open(const char *endpoint, uint32_t timeout_ms, cs_error *err);

/* Close it; its watches must be closed. NULL is allowed. */
void cs_session_close(cs_session *session);

/* Send a request and wait for the reply of kind `expected`. The caller sets the body, and the key
 * where one is needed; version and id are filled in. An error reply is a failure of its status.
 * Returns the reply, to be freed with cs_wire_free(&reply->base), or NULL. */
Codesign__Reply *cs_session_call(cs_session *session, Codesign__Request *request,
                                 Codesign__Reply__BodyCase expected, cs_error *err);

/* Content that a job may need. Borrowed. */
typedef struct cs_session_file {
    cs_hash hash; /* of the bytes */
    const void *bytes;
    size_t size;
} cs_session_file;

/* Submit a job: put the files that the server says it misses, then submit again under the same
 * key. The job is submitted once, however often messages are lost. */
CS_MUST_CHECK cs_status cs_session_submit(cs_session *session, Codesign__SubmitJob *submit,
                                          const cs_session_file *files, size_t file_count,
                                          uint64_t *job, cs_error *err);

/* A file of a job's bundle, whole and checked against its hash: malloc'd, followed by a zero byte,
 * at most `limit` bytes. NULL on failure. */
char *cs_session_get_file(cs_session *session, uint64_t job, const cs_hash *hash, size_t limit,
                          size_t *size, cs_error *err);

/* ---- watching ---- */

typedef struct cs_watcher_options {
    uint64_t job;
    uint32_t credit;      /* events under way at a time; 0: the server's default */
    uint32_t interval_ms; /* at most one complete front in this time; 0: the server's default */
    uint32_t lease_ms;    /* at least 300; renewed three times in it */
    bool once;            /* end at the first complete front */
    int wake_fd;          /* its readability ends a wait; -1: none. Borrowed, not read */
} cs_watcher_options;

typedef struct cs_watcher cs_watcher;

/* Start replicating a job's front into `replica`, which must outlive the watch and not change in
 * other ways. A replica that is complete at some number goes on from there. Sends, but does not
 * wait. NULL on failure. */
cs_watcher *cs_watcher_open(cs_session *session, const cs_watcher_options *options,
                            cs_replica *replica, cs_error *err);

/* Wait up to `wait_ms` for the next event. It is in the replica when this returns; *event is valid
 * until the next call, or NULL when none came in time, a signal came or the wake descriptor is
 * readable. Calling again acknowledges it, so a slow caller is sent fewer, merged events.
 *
 * The lease is renewed while this waits. When the connection breaks, nothing was heard for a whole
 * lease, or an event is missing, the watch connects anew and goes on from the last complete front;
 * *reconnects (if not NULL) counts those that led to an event. An event is marked `last` only when
 * the job has ended or one front was asked for; it is not to be called after that. Fails with
 * CS_ETIMEDOUT when CS_SESSION_TRIES connections in a row gave no event, or with the server's
 * error. */
CS_MUST_CHECK cs_status cs_watcher_next(cs_watcher *watch, uint32_t wait_ms,
                                        const Codesign__WatchEvent **event, uint32_t *reconnects,
                                        cs_error *err);

/* Whether the connection is lost: the watch connects anew, and no event came since. */
bool cs_watcher_is_lost(const cs_watcher *watch);

/* Tell the server, without waiting, and free. NULL is allowed. */
void cs_watcher_close(cs_watcher *watch);

#endif
