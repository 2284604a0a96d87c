/* The jobs: what the loop knows of each, and their way through their states.
 *
 *     accepted -> queued -> running -> done
 *                   ^          |-> paused -> queued ...
 *                              |-> cancelled, failed
 *
 * A change of state is stored before anybody hears of it. A job that stops drops its open
 * generation and its study; one that is resumed, or found active at a start, is loaded again from
 * the store: there is one way back. */
#ifndef CS_DAEMON_JOBS_H
#define CS_DAEMON_JOBS_H

#include "daemon/address.h"
#include "daemon/front.h"
#include "daemon/run.h"
#include "daemon/store.h"

struct cs_server;

/* Somebody who waits for a change of state. */
typedef struct cs_waiter {
    cs_address address;
    struct cs_waiter *next;
} cs_waiter;

typedef struct cs_job {
    cs_job_row row;       /* as stored */
    cs_progress progress; /* as committed */
    cs_front *front;      /* published; NULL: not in memory */
    uint32_t watchers;    /* watches that need `front` */
    bool held;            /* paused by a failing store, which does not know of it */
    bool fetching;        /* the front is being read from the store */

    cs_run *run;      /* NULL: not running */
    double cpu_s;     /* of earlier runs since this server started */
    uint32_t commits; /* generations on their way into the store */
    struct cs_server *server;

    /* A change under way: stop the run, let commits end, store the row. */
    bool changing;
    cs_job_row wanted;
    cs_waiter *waiters;
} cs_job;

typedef struct cs_jobs {
    cs_job **all; /* by rising number */
    size_t count, capacity;
    uint32_t running;
} cs_jobs;

/* Take up the stored jobs. Those whose simulator has changed are paused. */
CS_MUST_CHECK cs_status cs_jobs_open(struct cs_server *server, cs_error *err);

/* Stop all runs; the open generations are dropped. True once nothing of theirs is in the pool. */
bool cs_jobs_stop(struct cs_server *server);

void cs_jobs_close(struct cs_server *server);

/* The job of that number, or NULL. */
cs_job *cs_jobs_find(const cs_jobs *jobs, uint64_t id);

/* The job submitted under that key, or NULL. */
cs_job *cs_jobs_find_key(const cs_jobs *jobs, const uint8_t key[CS_SUBMIT_KEY_BYTES]);

/* A job that has just been stored. Takes over the plan. NULL for want of memory. */
cs_job *cs_jobs_add(struct cs_server *server, const cs_job_row *row, cs_plan *plan);

typedef enum cs_change {
    CS_CHANGE_CANCEL,
    CS_CHANGE_PAUSE,
    CS_CHANGE_RESUME,
    CS_CHANGE_RESUME_CURRENT, /* although the simulator has changed */
} cs_change;

/* Begin a change asked for by a client, who is answered with JobChanged once it is stored, or
 * refused at once. */
void cs_jobs_change(struct cs_server *server, cs_job *job, cs_change change,
                    const cs_address *address);

/* Have job->front in memory: true if it is; else it is on its way, and watches are pumped when it
 * is there. */
bool cs_jobs_fetch_front(struct cs_server *server, cs_job *job);

/* Free job->front if nobody needs it: no run, no change that would store it, no watch. */
void cs_jobs_forget_front(cs_job *job);

#endif
