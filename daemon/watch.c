/* Watches: see watch.h. */
#include "daemon/watch.h"

#include "daemon/convert.h"
#include "daemon/server.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_ROWS  2000u /* rows and removals in one event; fewer of very large genomes */
#define WATCHES_MAX 4096u /* of all clients; every commit looks at each */

#define CREDIT_DEFAULT      4u
#define CREDIT_MAX          64u
#define LEASE_DEFAULT_MS    30000u
#define LEASE_MIN_MS        1000u
#define LEASE_MAX_MS        600000u
#define INTERVAL_DEFAULT_MS 100u
#define INTERVAL_MAX_MS     60000u
#define RETRY_MS            50u /* when the peer's queue is full */
#define IDLE_MS             1000u

static uint32_t clamp(uint32_t value, uint32_t min, uint32_t max)
{
    return value < min ? min : value > max ? max : value;
}

static cs_watch *find(cs_server *server, const cs_address *address, uint64_t id)
{
    cs_watches *watches = &server->watches;
    for (size_t i = 0; i < watches->count; i++) {
        cs_watch *watch = watches->all[i];
        if (watch->address.request == id && cs_address_same_peer(&watch->address, address)) {
            return watch;
        }
    }
    return NULL;
}

/* The front of a job at rest is kept in memory while someone watches it. */
static void drop(cs_server *server, cs_watch *watch)
{
    cs_watches *watches = &server->watches;
    size_t i = 0;
    while (watches->all[i] != watch) {
        i++;
    }
    watches->all[i] = watches->all[--watches->count];
    watch->job->watchers--;
    cs_jobs_forget_front(watch->job);
    free(watch);
}

void cs_watch_begin(cs_server *server, const cs_address *address, const Codesign__Watch *request)
{
    cs_error error;
    cs_job *job = cs_jobs_find(&server->jobs, request->job);
    if (!job) {
        cs_fail(&error, CS_ENOENT, "there is no job %llu", (unsigned long long)request->job);
        cs_server_refuse(server, address, &error);
        return;
    }
    cs_watches *watches = &server->watches;
    cs_watch *old = find(server, address, address->request);
    if (old) {
        drop(server, old);
    }
    if (watches->count == WATCHES_MAX) {
        cs_fail(&error, CS_EBUSY, "%u watches are open already, which is the most", WATCHES_MAX);
        cs_server_refuse(server, address, &error);
        return;
    }
    if (watches->count == watches->capacity) {
        size_t capacity = watches->capacity ? watches->capacity * 2 : 16;
        cs_watch **all = realloc(watches->all, capacity * sizeof *all);
        if (!all) {
            cs_fail_memory(&error);
            cs_server_refuse(server, address, &error);
            return;
        }
        watches->all = all;
        watches->capacity = capacity;
    }
    cs_watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        cs_fail_memory(&error);
        cs_server_refuse(server, address, &error);
        return;
    }
    *watch = (cs_watch){
        .address = *address,
        .job = job,
        .have_given = request->has_have,
        .have = request->have,
        .once = request->has_once && request->once,
        .dirty = true,
        .credit = request->has_credit ? clamp(request->credit, 1, CREDIT_MAX) : CREDIT_DEFAULT,
        .lease_ms = request->has_lease_ms ? clamp(request->lease_ms, LEASE_MIN_MS, LEASE_MAX_MS)
                                          : LEASE_DEFAULT_MS,
        .interval_ms = request->has_interval_ms ? clamp(request->interval_ms, 0, INTERVAL_MAX_MS)
                                                : INTERVAL_DEFAULT_MS,
    };
    watch->lease_end_ms = cs_server_now_ms() + watch->lease_ms;
    watches->all[watches->count++] = watch;
    job->watchers++;
}

void cs_watch_acknowledge(cs_server *server, const cs_address *address,
                          const Codesign__WatchAck *ack)
{
    cs_watch *watch = find(server, address, ack->watch);
    if (watch) {
        watch->lease_end_ms = cs_server_now_ms() + watch->lease_ms;
        if (ack->sequence > watch->acknowledged && ack->sequence <= watch->sequence) {
            watch->acknowledged = ack->sequence;
        }
    }
}

void cs_watch_end(cs_server *server, const cs_address *address, const Codesign__Unwatch *request)
{
    cs_watch *watch = find(server, address, request->watch);
    if (watch) {
        drop(server, watch);
    }
    Codesign__Unwatched unwatched = CODESIGN__UNWATCHED__INIT;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_UNWATCHED;
    reply.unwatched = &unwatched;
    (void)cs_server_send(server, address, &reply);
}

void cs_watch_touch(cs_server *server, cs_job *job)
{
    for (size_t i = 0; job->watchers && i < server->watches.count; i++) {
        if (server->watches.all[i]->job == job) {
            server->watches.all[i]->dirty = true;
        }
    }
}

void cs_watch_hurry(cs_server *server, cs_job *job)
{
    for (size_t i = 0; job->watchers && i < server->watches.count; i++) {
        if (server->watches.all[i]->job == job) {
            server->watches.all[i]->dirty = true;
            server->watches.all[i]->next_ms = 0;
        }
    }
}

void cs_watch_replace(cs_server *server, cs_job *job)
{
    for (size_t i = 0; job->watchers && i < server->watches.count; i++) {
        cs_watch *watch = server->watches.all[i];
        if (watch->job == job) {
            watch->placed = false;
        }
    }
}

void cs_watch_fail(cs_server *server, cs_job *job, const cs_error *error)
{
    for (size_t i = server->watches.count; i-- > 0;) { /* drop moves the last one down */
        cs_watch *watch = server->watches.all[i];
        if (watch->job == job) {
            cs_server_refuse(server, &watch->address, error);
            drop(server, watch);
        }
    }
}

/* The next part of the front from the watch's place, finding the place first where it has none. */
static cs_front_delta next_delta(cs_watch *watch, const cs_front *front, cs_front_cursor *cursor)
{
    cs_front_delta delta;
    if (!watch->placed) {
        bool found = watch->have_given && cs_front_seek(front, watch->have, &watch->cursor);
        if (!found) {
            watch->cursor = cs_front_start(front);
            watch->reset = true;
        }
        watch->placed = true;
    }
    uint32_t limit =
        cs_convert_rows_fit(watch->job->row.genome_bytes, watch->job->row.metric_count, EVENT_ROWS);
    *cursor = watch->cursor;
    if (!cs_front_next(front, cursor, limit, &delta)) {
        *cursor = cs_front_start(front);
        watch->reset = true;
        (void)cs_front_next(front, cursor, limit, &delta);
    }
    return delta;
}

/* Send one event. False if the watch is gone. */
static bool send_event(cs_server *server, cs_watch *watch, uint64_t now)
{
    cs_job *job = watch->job;
    cs_front_cursor cursor;
    cs_front_delta delta = next_delta(watch, job->front, &cursor);
    cs_job_message message;
    cs_convert_job(job, &message);
    Codesign__Candidates added;
    cs_convert_rows(delta.added_count, job->row.genome_bytes, job->row.metric_count, delta.indices,
                    delta.genomes, NULL, delta.metrics, &added);
    Codesign__WatchEvent event = CODESIGN__WATCH_EVENT__INIT;
    event.sequence = watch->sequence + 1;
    event.job = &message.message;
    event.reset = watch->reset;
    event.n_removed = delta.removed_count;
    event.removed = (uint64_t *)(uintptr_t)delta.removed;
    event.added = delta.added_count ? &added : NULL;
    event.complete = delta.complete;
    bool at_rest = job->row.state != CS_JOB_ACTIVE && job->row.state != CS_JOB_PAUSED;
    event.last = delta.complete && (watch->once || at_rest);
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_WATCH_EVENT;
    reply.watch_event = &event;
    switch (cs_server_send(server, &watch->address, &reply)) {
    case CS_SENT_LATER:
        watch->next_ms = now + RETRY_MS;
        return true;
    case CS_SENT_GONE:
        drop(server, watch);
        return false;
    case CS_SENT:
        break;
    }
    watch->cursor = cursor;
    watch->reset = false;
    watch->sequence++;
    if (delta.complete) {
        watch->have_given = true;
        watch->have = job->progress.generation;
        watch->dirty = false;
        watch->next_ms = now + watch->interval_ms;
    }
    if (event.last) {
        drop(server, watch);
        return false;
    }
    return true;
}

uint64_t cs_watch_pump(cs_server *server)
{
    uint64_t now = cs_server_now_ms();
    uint64_t soonest = now + IDLE_MS;
    for (size_t i = server->watches.count; i-- > 0;) { /* drop moves the last one down */
        cs_watch *watch = server->watches.all[i];
        if (now >= watch->lease_end_ms) {
            drop(server, watch);
            continue;
        }
        bool here = true;
        while (here && watch->dirty && now >= watch->next_ms &&
               watch->sequence - watch->acknowledged < watch->credit &&
               cs_jobs_fetch_front(server, watch->job)) {
            here = send_event(server, watch, now);
        }
        if (here && watch->dirty && watch->next_ms > now && watch->next_ms < soonest) {
            soonest = watch->next_ms;
        }
    }
    return soonest - now;
}

void cs_watch_close(cs_server *server)
{
    while (server->watches.count) {
        drop(server, server->watches.all[0]);
    }
    free(server->watches.all);
    server->watches = (cs_watches){0};
}
