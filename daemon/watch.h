/* Watches: a job's front and progress, replicated to clients by deltas.
 *
 * A watch is a cursor into the published front (daemon/front.h), a credit and a lease. Events are
 * made when the client has credit and its interval has passed; between them nothing is kept for it.
 * Belongs to the loop. */
#ifndef CS_DAEMON_WATCH_H
#define CS_DAEMON_WATCH_H

#include "daemon/address.h"
#include "daemon/jobs.h"
#include "proto/codesign.pb-c.h"

typedef struct cs_watch {
    cs_address address; /* request: the watch's id */
    cs_job *job;
    cs_front_cursor cursor;
    bool placed;     /* the cursor is set */
    bool have_given; /* the client holds the front of generation `have` */
    uint64_t have;
    bool reset; /* tell the client to drop what it holds */
    bool once;
    bool dirty; /* something has changed since the last complete event */
    uint64_t sequence, acknowledged;
    uint32_t credit;
    uint32_t lease_ms, interval_ms;
    uint64_t lease_end_ms, next_ms;
} cs_watch;

typedef struct cs_watches {
    cs_watch **all;
    size_t count, capacity;
} cs_watches;

struct cs_server;

/* Begin a watch; the same address again replaces the old one. */
void cs_watch_begin(struct cs_server *server, const cs_address *address,
                    const Codesign__Watch *request);
void cs_watch_acknowledge(struct cs_server *server, const cs_address *address,
                          const Codesign__WatchAck *ack);
void cs_watch_end(struct cs_server *server, const cs_address *address,
                  const Codesign__Unwatch *request);

/* The job has something new; something that does not wait for the interval (its state). */
void cs_watch_touch(struct cs_server *server, cs_job *job);
void cs_watch_hurry(struct cs_server *server, cs_job *job);

/* The job's front has been dropped from memory or replaced: cursors are looked up again. */
void cs_watch_replace(struct cs_server *server, cs_job *job);

/* The job's front cannot be had: its watches end with this error. */
void cs_watch_fail(struct cs_server *server, cs_job *job, const cs_error *error);

/* Send what is due, end leases. Returns milliseconds until it wants to be called again, at most
 * 1000. */
uint64_t cs_watch_pump(struct cs_server *server);

void cs_watch_close(struct cs_server *server);

#endif
