/* The jobs: see jobs.h. */
#include "daemon/jobs.h"

#include "daemon/convert.h"
#include "daemon/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Generations of one job that may be on their way into the store. Beyond that its next batch waits:
 * a disk that cannot follow slows the job instead of filling the memory. */
#define MAX_COMMITS 64

static const char *const state_names[] = {
    [CS_JOB_ACTIVE] = "active", [CS_JOB_PAUSED] = "paused",       [CS_JOB_DONE] = "done",
    [CS_JOB_FAILED] = "failed", [CS_JOB_CANCELLED] = "cancelled",
};

static void start_jobs(cs_server *server);
static void advance(cs_job *job);
static void settle(cs_job *job);
static void begin_change(cs_job *job, const cs_job_row *wanted);

/* ---- the table ---- */

cs_job *cs_jobs_find(const cs_jobs *jobs, uint64_t id)
{
    size_t low = 0, high = jobs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (jobs->all[middle]->row.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < jobs->count && jobs->all[low]->row.id == id ? jobs->all[low] : NULL;
}

cs_job *cs_jobs_find_key(const cs_jobs *jobs, const uint8_t key[CS_SUBMIT_KEY_BYTES])
{
    for (size_t i = jobs->count; i-- > 0;) { /* a retry is about a young job */
        if (memcmp(jobs->all[i]->row.key, key, CS_SUBMIT_KEY_BYTES) == 0) {
            return jobs->all[i];
        }
    }
    return NULL;
}

/* Append a job; numbers rise. NULL for want of memory. */
static cs_job *append(cs_server *server, const cs_job_row *row)
{
    cs_jobs *jobs = &server->jobs;
    if (jobs->count == jobs->capacity) {
        size_t capacity = jobs->capacity ? jobs->capacity * 2 : 64;
        cs_job **all = realloc(jobs->all, capacity * sizeof *all);
        if (!all) {
            return NULL;
        }
        jobs->all = all;
        jobs->capacity = capacity;
    }
    cs_job *job = calloc(1, sizeof *job);
    if (job) {
        assert(jobs->count == 0 || jobs->all[jobs->count - 1]->row.id < row->id);
        job->row = *row;
        job->server = server;
        jobs->all[jobs->count++] = job;
    }
    return job;
}

static void set_reason(cs_job_row *row, cs_job_state state, const char *reason)
{
    row->state = state;
    snprintf(row->reason, sizeof row->reason, "%s", reason);
}

/* ---- generations ---- */

/* A closed generation on its way into the store. */
typedef struct generation {
    cs_operation operation; /* first */
    cs_job *job;
    uint64_t first_index;
    uint32_t count;
    cs_buffer record, checkpoint;
} generation;

static cs_status store_generation(cs_operation *operation, cs_store *store, cs_error *err)
{
    generation *self = (generation *)operation;
    return store->class->add_generation(store, self->job->row.id, self->first_index, self->count,
                                        &self->record, &self->checkpoint, err);
}

/* Something of the world has failed: the job waits for someone to mend it and resume. */
static void pause_for(cs_job *job, const cs_error *error)
{
    cs_job_row wanted = job->row;
    cs_job_state state =
        error->status == CS_ECORRUPT || error->status == CS_EINVAL ? CS_JOB_FAILED : CS_JOB_PAUSED;
    set_reason(&wanted, state, error->text);
    cs_log(CS_LOG_ERROR, "job %llu %s: %s", (unsigned long long)job->row.id,
           state == CS_JOB_FAILED ? "failed" : "paused", error->text);
    begin_change(job, &wanted);
}

static void generation_stored(cs_operation *operation, void *context)
{
    cs_server *server = context;
    generation *self = (generation *)operation;
    cs_job *job = self->job;
    cs_error error = operation->error;
    job->commits--;
    if (!error.status) {
        cs_record record;
        if (!cs_record_read(self->record.data, self->record.size, job->row.genome_bytes,
                            job->row.metric_count, &record, &error) &&
            !cs_front_apply(job->front, &record, &error)) {
            job->progress = *cs_front_progress(job->front);
            cs_watch_touch(server, job);
            error.status = CS_OK;
        }
    }
    cs_buffer_release(&self->record);
    cs_buffer_release(&self->checkpoint);
    free(self);
    if (error.status && !job->changing) {
        pause_for(job, &error);
    } else {
        advance(job);
    }
}

static void commit_generation(cs_job *job)
{
    generation *self = calloc(1, sizeof *self);
    if (!self) {
        cs_error error;
        cs_fail_memory(&error);
        pause_for(job, &error);
        return;
    }
    self->operation =
        (cs_operation){.run = store_generation, .done = generation_stored, .write = true};
    self->job = job;
    cs_run_take_generation(job->run, &self->first_index, &self->count, &self->record,
                           &self->checkpoint);
    job->commits++;
    cs_server_store(job->server, &self->operation);
}

/* ---- running ---- */

static void publish_front(cs_job *job, cs_front *front)
{
    cs_front_free(job->front);
    job->front = front;
    job->progress = *cs_front_progress(front);
    cs_watch_replace(job->server, job);
    cs_watch_touch(job->server, job);
}

/* The run does nothing and waits for a word: give it its next batch, or end it. */
static void advance(cs_job *job)
{
    if (!job->run || cs_run_busy(job->run) || job->server->stopping) {
        return;
    }
    if (job->changing) {
        settle(job);
    } else if (!cs_run_over(job->run)) {
        if (job->commits < MAX_COMMITS) {
            cs_run_evaluate(job->run);
        }
    } else if (job->commits == 0) {
        cs_job_row wanted = job->row;
        set_reason(&wanted, CS_JOB_DONE, cs_run_end(job->run));
        begin_change(job, &wanted);
    }
}

static void run_announced(cs_run *run, cs_run_event event, void *context)
{
    cs_job *job = cs_run_owner(run);
    cs_server *server = context;
    if (server->stopping) {
        return;
    }
    switch (event) {
    case CS_RUN_OPENED:
        publish_front(job, cs_run_take_front(run));
        break;
    case CS_RUN_CLOSED:
        if (!job->changing) {
            commit_generation(job);
        }
        break;
    case CS_RUN_STOPPED:
        break;
    case CS_RUN_FAILED:
        if (!job->changing) {
            pause_for(job, cs_run_error(run));
            return;
        }
        break;
    }
    advance(job);
}

static void start_job(cs_job *job, cs_plan *plan)
{
    cs_server *server = job->server;
    job->run = cs_run_new(server->pool, &cs_store_sqlite, server->settings.state_directory,
                          job->row.id, plan, run_announced, job);
    if (!job->run) {
        cs_error error;
        cs_plan_free(plan);
        cs_fail_memory(&error);
        pause_for(job, &error);
        return;
    }
    server->jobs.running++;
    cs_run_open(job->run);
    cs_watch_touch(server, job);
}

static bool may_start(const cs_job *job)
{
    return job->row.state == CS_JOB_ACTIVE && !job->run && !job->changing &&
           !job->server->stopping && job->server->jobs.running < job->server->settings.running_jobs;
}

static void start_jobs(cs_server *server)
{
    for (size_t i = 0; i < server->jobs.count; i++) {
        if (may_start(server->jobs.all[i])) {
            start_job(server->jobs.all[i], NULL);
        }
    }
}

cs_job *cs_jobs_add(cs_server *server, const cs_job_row *row, cs_plan *plan)
{
    cs_job *job = append(server, row);
    if (!job) {
        cs_plan_free(plan);
        return NULL;
    }
    if (may_start(job)) {
        start_job(job, plan);
    } else {
        cs_plan_free(plan); /* a job may wait for days: its bundle is in the store */
    }
    return job;
}

/* ---- changes of state ---- */

/* A change on its way into the store, with the front as the result where the job stops. */
typedef struct change_operation {
    cs_operation operation; /* first */
    cs_job *job;
    cs_job_row row;
    cs_buffer result; /* empty: leave the stored one */
} change_operation;

static cs_status store_change(cs_operation *operation, cs_store *store, cs_error *err)
{
    change_operation *self = (change_operation *)operation;
    cs_status status = store->class->set_job(store, &self->row, err);
    if (!status && self->result.size) {
        status = store->class->set_result(store, self->row.id, &self->result, err);
    }
    return status;
}

static void answer_waiters(cs_job *job, const cs_error *error)
{
    cs_job_message message;
    cs_convert_job(job, &message);
    Codesign__JobChanged changed = CODESIGN__JOB_CHANGED__INIT;
    changed.job = &message.message;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_JOB_CHANGED;
    reply.job_changed = &changed;
    while (job->waiters) {
        cs_waiter *next = job->waiters->next;
        if (error->status) {
            cs_server_refuse(job->server, &job->waiters->address, error);
        } else {
            (void)cs_server_send(job->server, &job->waiters->address, &reply);
        }
        free(job->waiters);
        job->waiters = next;
    }
}

static void change_stored(cs_operation *operation, void *context)
{
    cs_server *server = context;
    change_operation *self = (change_operation *)operation;
    cs_job *job = self->job;
    job->changing = false;
    if (!operation->error.status) {
        job->row = self->row;
        job->held = false;
    } else {
        cs_log(CS_LOG_ERROR, "job %llu: its change of state was not stored: %s",
               (unsigned long long)job->row.id, operation->error.text);
        if (!job->waiters) {
            /* The daemon's own change: hold the job still; a restart finds it active again. */
            cs_job_row held = job->row;
            set_reason(&held, CS_JOB_PAUSED, operation->error.text);
            job->row = held;
            job->held = true;
        }
    }
    if (job->row.state != CS_JOB_ACTIVE) {
        cs_log(CS_LOG_NOTICE, "job %llu %s after %llu evaluations: %s",
               (unsigned long long)job->row.id, state_names[job->row.state],
               (unsigned long long)job->progress.evaluations, job->row.reason);
    }
    answer_waiters(job, &operation->error);
    cs_watch_hurry(server, job);
    cs_buffer_release(&self->result);
    free(self);
    start_jobs(server);
    cs_jobs_forget_front(job);
}

/* The job's run, if any, is idle: once its commits have ended, drop it and store the change. */
static void settle(cs_job *job)
{
    if (job->commits > 0) {
        return; /* the last of them calls again */
    }
    if (job->run) {
        job->cpu_s += cs_run_cpu_s(job->run);
        cs_run_free(job->run);
        job->run = NULL;
        job->server->jobs.running--;
    }
    change_operation *self = calloc(1, sizeof *self);
    if (!self) {
        cs_error error;
        cs_fail_memory(&error);
        job->changing = false;
        answer_waiters(job, &error);
        return;
    }
    self->operation = (cs_operation){.run = store_change, .done = change_stored, .write = true};
    self->job = job;
    self->row = job->wanted;
    if (job->front && self->row.state != CS_JOB_ACTIVE) {
        cs_front_save(job->front, &self->result);
        if (self->result.failed) {
            cs_buffer_release(&self->result); /* the records tell the same, only slower */
        }
    }
    cs_server_store(job->server, &self->operation);
}

static void begin_change(cs_job *job, const cs_job_row *wanted)
{
    assert(!job->changing);
    job->changing = true;
    job->wanted = *wanted;
    if (!job->run || cs_run_stop(job->run)) {
        settle(job);
    }
}

/* What a change asked for makes of a job; CS_ESTATE if it makes no sense, and true in *nothing if
 * it is so already. */
static cs_status plan_change(const cs_job *job, cs_change change, cs_job_row *wanted, bool *nothing,
                             cs_error *err)
{
    const cs_job_row *row = &job->row;
    unsigned long long id = row->id;
    *wanted = *row;
    *nothing = false;
    if (change == CS_CHANGE_CANCEL) {
        *nothing = row->state == CS_JOB_CANCELLED;
        if (row->state == CS_JOB_DONE || row->state == CS_JOB_FAILED) {
            return cs_fail(err, CS_ESTATE, "job %llu is %s; there is nothing to cancel", id,
                           state_names[row->state]);
        }
        set_reason(wanted, CS_JOB_CANCELLED, "cancelled on request");
        return CS_OK;
    }
    if (change == CS_CHANGE_PAUSE) {
        *nothing = row->state == CS_JOB_PAUSED && !job->held;
        if (row->state != CS_JOB_ACTIVE && row->state != CS_JOB_PAUSED) {
            return cs_fail(err, CS_ESTATE, "job %llu is %s and cannot be paused", id,
                           state_names[row->state]);
        }
        set_reason(wanted, CS_JOB_PAUSED, "paused on request");
        return CS_OK;
    }
    *nothing = row->state == CS_JOB_ACTIVE;
    if (row->state != CS_JOB_ACTIVE && row->state != CS_JOB_PAUSED) {
        return cs_fail(err, CS_ESTATE, "job %llu is %s and cannot be resumed", id,
                       state_names[row->state]);
    }
    const cs_simulator *simulator = cs_simulator_find(row->simulator);
    if (!simulator) {
        return cs_fail(err, CS_ESTATE, "this server has no simulator '%s'", row->simulator);
    }
    if (simulator->revision != row->simulator_revision) {
        if (change != CS_CHANGE_RESUME_CURRENT) {
            return cs_fail(err, CS_ESTATE,
                           "the simulator %s has changed (the job ran on revision %u, this is "
                           "%u); resume-job --with-current goes on, and the front is then marked "
                           "mixed",
                           row->simulator, row->simulator_revision, simulator->revision);
        }
        wanted->simulator_revision = simulator->revision;
        wanted->mixed = row->mixed || job->progress.generation > 0;
    }
    set_reason(wanted, CS_JOB_ACTIVE, "");
    return CS_OK;
}

void cs_jobs_change(cs_server *server, cs_job *job, cs_change change, const cs_address *address)
{
    cs_error error = {.status = CS_OK};
    cs_job_row wanted;
    bool nothing = false;
    cs_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter) {
        cs_fail_memory(&error);
    } else if (server->stopping) {
        cs_fail(&error, CS_EBUSY, "the server is stopping; ask again when it is back");
    } else if (!plan_change(job, change, &wanted, &nothing, &error)) {
        bool joins = job->changing && job->wanted.state == wanted.state;
        if (job->changing && !joins) {
            cs_fail(&error, CS_EBUSY, "job %llu is being changed; ask again",
                    (unsigned long long)job->row.id);
        } else {
            waiter->address = *address;
            waiter->next = job->waiters;
            job->waiters = waiter;
            if (joins) {
                return;
            }
            if (nothing) {
                answer_waiters(job, &error);
            } else {
                begin_change(job, &wanted);
            }
            return;
        }
    }
    free(waiter);
    cs_server_refuse(server, address, &error);
}

/* ---- fronts of jobs that are not at work ---- */

typedef struct front_query {
    cs_operation operation; /* first */
    cs_job *job;
    uint64_t id;
    uint32_t genome_bytes, metric_count;
    uint64_t generation; /* that the job has; an older stored result is passed over */
    cs_front *front;
} front_query;

typedef struct front_rebuild {
    front_query *query;
    cs_status status;
    cs_error *err;
} front_rebuild;

static bool rebuild_from_record(const void *blob, size_t size, void *context)
{
    front_rebuild *at = context;
    cs_record record;
    at->status = cs_record_read(blob, size, at->query->genome_bytes, at->query->metric_count,
                                &record, at->err);
    if (!at->status &&
        record.progress.generation != cs_front_progress(at->query->front)->generation + 1) {
        at->status = cs_fail(at->err, CS_ECORRUPT, "a generation is missing");
    }
    if (!at->status) {
        at->status = cs_front_apply(at->query->front, &record, at->err);
    }
    return !at->status;
}

/* On the writer's thread: the stored result, or the front that the records make. */
static cs_status read_front(cs_operation *operation, cs_store *store, cs_error *err)
{
    front_query *self = (front_query *)operation;
    cs_buffer result = {0};
    cs_status status = store->class->get_result(store, self->id, &result, err);
    if (!status && result.size) {
        self->front =
            cs_front_load(result.data, result.size, self->genome_bytes, self->metric_count, err);
    }
    cs_buffer_release(&result);
    if (self->front && cs_front_progress(self->front)->generation >= self->generation) {
        return CS_OK;
    }
    cs_front_free(self->front);
    self->front = cs_front_new(self->genome_bytes, self->metric_count);
    if (!self->front) {
        return cs_fail_memory(err);
    }
    front_rebuild at = {.query = self, .err = err};
    status = store->class->read_records(store, self->id, 0, rebuild_from_record, &at, err);
    if (!status) {
        status = at.status;
    }
    uint64_t last = cs_front_progress(self->front)->generation;
    if (!status && last < self->generation) {
        status = cs_fail(err, CS_ECORRUPT, "the records end at generation %llu of %llu",
                         (unsigned long long)last, (unsigned long long)self->generation);
    }
    return status;
}

static void front_read(cs_operation *operation, void *context)
{
    cs_server *server = context;
    front_query *self = (front_query *)operation;
    cs_job *job = self->job;
    job->fetching = false;
    if (operation->error.status) {
        cs_log(CS_LOG_ERROR, "job %llu: its front cannot be read: %s",
               (unsigned long long)job->row.id, operation->error.text);
        cs_front_free(self->front);
        cs_watch_fail(server, job, &operation->error); /* else they would ask again at once */
    } else if (job->front ||
               cs_front_progress(self->front)->generation < job->progress.generation) {
        cs_front_free(self->front); /* a run has brought its own meanwhile */
    } else {
        publish_front(job, self->front);
        cs_jobs_forget_front(job);
    }
    free(self);
}

bool cs_jobs_fetch_front(cs_server *server, cs_job *job)
{
    if (job->front || job->fetching) {
        return job->front != NULL;
    }
    front_query *self = calloc(1, sizeof *self);
    if (self) {
        *self = (front_query){
            .operation = {.run = read_front, .done = front_read},
            .job = job,
            .id = job->row.id,
            .genome_bytes = job->row.genome_bytes,
            .metric_count = job->row.metric_count,
            .generation = job->progress.generation,
        };
        job->fetching = true;
        cs_server_store(server, &self->operation);
    }
    return false;
}

void cs_jobs_forget_front(cs_job *job)
{
    if (job->watchers == 0 && !job->run && !job->changing) {
        cs_front_free(job->front);
        job->front = NULL;
    }
}

/* ---- start and end ---- */

typedef struct listing {
    cs_server *server;
    bool failed;
} listing;

static bool take_up(const cs_job_row *row, void *context)
{
    listing *list = context;
    list->failed = !append(list->server, row);
    return !list->failed;
}

/* The job's totals as of its last generation. A damaged record is found again, and reported, when
 * the job is loaded or looked at. */
static cs_status read_progress(cs_store *store, cs_job *job, cs_error *err)
{
    cs_buffer blob = {0};
    cs_record record;
    cs_status status = store->class->last_record(store, job->row.id, &blob, err);
    if (!status && blob.size &&
        !cs_record_read(blob.data, blob.size, job->row.genome_bytes, job->row.metric_count, &record,
                        NULL)) {
        job->progress = record.progress;
    }
    cs_buffer_release(&blob);
    return status;
}

cs_status cs_jobs_open(cs_server *server, cs_error *err)
{
    cs_store *store = cs_writer_reader(server->writer);
    listing list = {.server = server};
    cs_status status = store->class->list_jobs(store, take_up, &list, err);
    if (!status && list.failed) {
        status = cs_fail_memory(err);
    }
    for (size_t i = 0; !status && i < server->jobs.count; i++) {
        status = read_progress(store, server->jobs.all[i], err);
    }
    if (status) {
        return status;
    }
    for (size_t i = 0; i < server->jobs.count; i++) {
        cs_job *job = server->jobs.all[i];
        const cs_simulator *simulator = cs_simulator_find(job->row.simulator);
        uint32_t revision = simulator ? simulator->revision : 0;
        if (job->row.state == CS_JOB_ACTIVE && revision != job->row.simulator_revision) {
            cs_job_row wanted = job->row;
            set_reason(&wanted, CS_JOB_PAUSED, "");
            snprintf(wanted.reason, sizeof wanted.reason,
                     "simulator changed: %s was revision %u, is %u now; resume-job --with-current "
                     "goes on",
                     job->row.simulator, job->row.simulator_revision, revision);
            begin_change(job, &wanted);
        }
    }
    start_jobs(server);
    return CS_OK;
}

bool cs_jobs_stop(cs_server *server)
{
    bool idle = true;
    for (size_t i = 0; i < server->jobs.count; i++) {
        cs_job *job = server->jobs.all[i];
        if (job->run && !cs_run_stop(job->run)) {
            idle = false;
        }
    }
    return idle;
}

void cs_jobs_close(cs_server *server)
{
    for (size_t i = 0; i < server->jobs.count; i++) {
        cs_job *job = server->jobs.all[i];
        while (job->waiters) {
            cs_waiter *next = job->waiters->next;
            free(job->waiters);
            job->waiters = next;
        }
        cs_run_free(job->run);
        cs_front_free(job->front);
        free(job);
    }
    free(server->jobs.all);
    server->jobs = (cs_jobs){0};
}
