/* A run: see run.h. */
#include "daemon/run.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

/* Rows that a slice takes at a time, and after which it goes to the back of the pool's queue so
 * that the jobs of others get their turn. */
#define GRAIN_ROWS 8
#define SLICE_ROWS 64

typedef struct slice {
    cs_task task; /* first */
    cs_run *run;
    cs_error error;
} slice;

struct cs_run {
    cs_task opening; /* first */
    cs_pool *pool;
    const cs_store_class *store;
    const char *directory;
    uint64_t job;
    void (*announced)(cs_run *run, cs_run_event event, void *context);
    void *owner;

    cs_plan *plan;
    cs_study *study;
    cs_front *front;
    cs_batch batch;
    bool busy;
    bool opened; /* the opening task has ended */

    /* of the generation at work */
    atomic_uint next_row;
    atomic_uint active; /* slices that are queued or running */
    atomic_bool stop;
    atomic_ullong cpu_ns;
    uint32_t slice_count;
    slice *slices;

    /* for the loop, written by the last worker before it announces */
    cs_run_event event;
    cs_error error;
    uint64_t first_index;
    uint32_t count;
    cs_buffer record, checkpoint;
};

static unsigned long long thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (unsigned long long)now.tv_sec * 1000000000ull + (unsigned long long)now.tv_nsec;
}

/* ---- on a worker ---- */

typedef struct replay {
    cs_run *run;
    cs_error *err;
    cs_status status;
} replay;

static bool replay_record(const void *blob, size_t size, void *context)
{
    replay *at = context;
    cs_run *run = at->run;
    cs_record record;
    at->status = cs_study_replay(run->study, blob, size, at->err);
    if (!at->status) {
        at->status = cs_record_read(blob, size, (uint32_t)cs_space_genome_bytes(run->plan->space),
                                    run->plan->metric_count, &record, at->err);
    }
    if (!at->status) {
        at->status = cs_front_apply(run->front, &record, at->err);
    }
    return !at->status && !atomic_load_explicit(&run->stop, memory_order_relaxed);
}

static cs_status load(cs_run *run, cs_store *store, cs_error *err)
{
    cs_status status = CS_OK;
    if (!run->plan) {
        cs_bundle bundle = {0};
        status = store->class->get_bundle(store, run->job, &bundle, err);
        if (!status) {
            run->plan = cs_plan_new(&bundle, err);
            status = run->plan ? CS_OK : CS_ECORRUPT;
        }
        cs_bundle_release(&bundle);
        if (status) {
            return status;
        }
    }
    run->study = cs_study_new(run->plan, err);
    if (!run->study) {
        return CS_ENOMEM; /* or what a later version says of the options of an older one */
    }
    run->front =
        cs_front_new((uint32_t)cs_space_genome_bytes(run->plan->space), run->plan->metric_count);
    if (!run->front) {
        return cs_fail_memory(err);
    }
    replay at = {.run = run, .err = err};
    status = store->class->read_records(store, run->job, 0, replay_record, &at, err);
    if (!status) {
        status = at.status;
    }
    if (status || cs_study_progress(run->study)->generation == 0 ||
        atomic_load_explicit(&run->stop, memory_order_relaxed)) {
        return status;
    }
    cs_buffer checkpoint = {0};
    status = store->class->get_checkpoint(store, run->job, &checkpoint, err);
    if (!status && checkpoint.failed) {
        status = cs_fail_memory(err);
    }
    if (!status) {
        status = cs_study_load(run->study, checkpoint.data, checkpoint.size, err);
    }
    cs_buffer_release(&checkpoint);
    return status;
}

static bool run_opening(cs_task *task, cs_worker *worker)
{
    (void)worker;
    cs_run *run = (cs_run *)task;
    unsigned long long start = thread_cpu_ns();
    cs_status status = CS_EIO;
    cs_store *store = run->store->open(run->directory, false, false, &run->error);
    if (store) {
        status = load(run, store, &run->error);
        store->class->close(store);
    }
    bool stop = atomic_load_explicit(&run->stop, memory_order_relaxed);
    if (!status && !stop) {
        status = cs_study_ask(run->study, &run->batch, &run->error);
    }
    run->event = status ? CS_RUN_FAILED : stop ? CS_RUN_STOPPED : CS_RUN_OPENED;
    atomic_fetch_add(&run->cpu_ns, thread_cpu_ns() - start);
    return true;
}

/* The last slice of a generation has ended: close it, and open the next. */
static void close_generation(cs_run *run)
{
    for (uint32_t i = 0; i < run->slice_count; i++) {
        if (run->slices[i].error.status) {
            run->error = run->slices[i].error;
            run->event = CS_RUN_FAILED;
            return;
        }
    }
    if (atomic_load_explicit(&run->stop, memory_order_relaxed)) {
        run->event = CS_RUN_STOPPED;
        return;
    }
    run->first_index = run->batch.first_index;
    run->count = run->batch.count;
    run->record = (cs_buffer){0};
    run->checkpoint = (cs_buffer){0};
    run->event = CS_RUN_FAILED;
    if (cs_study_tell(run->study, &run->record, &run->error)) {
        return;
    }
    cs_study_save(run->study, &run->checkpoint);
    if (run->checkpoint.failed) {
        cs_fail_memory(&run->error);
        return;
    }
    if (cs_study_ask(run->study, &run->batch, &run->error)) {
        return;
    }
    run->event = CS_RUN_CLOSED;
}

static bool run_slice(cs_task *task, cs_worker *worker)
{
    slice *self = (slice *)task;
    cs_run *run = self->run;
    const cs_plan *plan = run->plan;
    const cs_batch *batch = &run->batch;
    size_t genome_bytes = cs_space_genome_bytes(plan->space);
    unsigned long long start = thread_cpu_ns();
    bool ended = false;
    for (uint32_t taken = 0; taken < SLICE_ROWS && !ended; taken += GRAIN_ROWS) {
        uint32_t row = atomic_fetch_add_explicit(&run->next_row, GRAIN_ROWS, memory_order_relaxed);
        uint32_t end = row + GRAIN_ROWS < batch->count ? row + GRAIN_ROWS : batch->count;
        ended = row >= batch->count;
        for (; row < end && !ended; row++) {
            ended = atomic_load_explicit(&run->stop, memory_order_relaxed) ||
                    cs_evaluate(plan, &worker->evaluator, batch->genomes + row * genome_bytes,
                                &batch->outcomes[row],
                                batch->metrics + (size_t)row * plan->metric_count, &self->error);
        }
    }
    atomic_fetch_add(&run->cpu_ns, thread_cpu_ns() - start);
    if (!ended) {
        cs_pool_submit(worker->pool, task);
        return false;
    }
    /* A slice that is not the last must not touch the run any more: it may be freed by now. */
    if (atomic_fetch_sub_explicit(&run->active, 1, memory_order_acq_rel) != 1) {
        return false;
    }
    start = thread_cpu_ns();
    close_generation(run);
    atomic_fetch_add(&run->cpu_ns, thread_cpu_ns() - start);
    return true;
}

/* ---- on the loop ---- */

static void opening_done(cs_task *task, void *context)
{
    cs_run *run = (cs_run *)task;
    run->opened = true;
    run->busy = false;
    run->announced(run, run->event, context);
}

static void slice_done(cs_task *task, void *context)
{
    cs_run *run = ((slice *)task)->run;
    run->busy = false;
    run->announced(run, run->event, context);
}

cs_run *cs_run_new(cs_pool *pool, const cs_store_class *store, const char *directory, uint64_t job,
                   cs_plan *plan, void (*announced)(cs_run *run, cs_run_event event, void *context),
                   void *owner)
{
    cs_run *run = calloc(1, sizeof *run);
    if (!run) {
        return NULL;
    }
    *run = (cs_run){
        .opening = {.run = run_opening, .done = opening_done, .owner = run},
        .pool = pool,
        .store = store,
        .directory = directory,
        .job = job,
        .announced = announced,
        .owner = owner,
        .slice_count = cs_pool_workers(pool),
    };
    run->slices = calloc(run->slice_count, sizeof *run->slices);
    if (!run->slices) {
        free(run);
        return NULL;
    }
    for (uint32_t i = 0; i < run->slice_count; i++) {
        run->slices[i] =
            (slice){.task = {.run = run_slice, .done = slice_done, .owner = run}, .run = run};
    }
    run->plan = plan;
    return run;
}

void *cs_run_owner(const cs_run *run)
{
    return run->owner;
}

void cs_run_open(cs_run *run)
{
    assert(!run->busy && !run->opened);
    run->busy = true;
    cs_pool_submit(run->pool, &run->opening);
}

void cs_run_evaluate(cs_run *run)
{
    assert(!run->busy && run->batch.count > 0);
    run->busy = true;
    atomic_store(&run->next_row, 0);
    atomic_store(&run->active, run->slice_count);
    for (uint32_t i = 0; i < run->slice_count; i++) {
        cs_pool_submit(run->pool, &run->slices[i].task);
    }
}

bool cs_run_busy(const cs_run *run)
{
    return run->busy;
}

bool cs_run_stop(cs_run *run)
{
    atomic_store(&run->stop, true);
    if (!run->busy) {
        return true;
    }
    uint32_t withdrawn = cs_pool_withdraw(run->pool, run);
    if (withdrawn) {
        if (!run->opened || atomic_fetch_sub(&run->active, withdrawn) == withdrawn) {
            run->busy = false;
        }
    }
    return !run->busy;
}

bool cs_run_over(const cs_run *run)
{
    return run->batch.count == 0;
}

const char *cs_run_end(const cs_run *run)
{
    return cs_study_end(run->study);
}

cs_front *cs_run_take_front(cs_run *run)
{
    cs_front *front = run->front;
    run->front = NULL;
    return front;
}

void cs_run_take_generation(cs_run *run, uint64_t *first_index, uint32_t *count, cs_buffer *record,
                            cs_buffer *checkpoint)
{
    *first_index = run->first_index;
    *count = run->count;
    *record = run->record;
    *checkpoint = run->checkpoint;
    run->record = (cs_buffer){0};
    run->checkpoint = (cs_buffer){0};
}

const cs_error *cs_run_error(const cs_run *run)
{
    return &run->error;
}

double cs_run_cpu_s(const cs_run *run)
{
    return (double)atomic_load(&run->cpu_ns) * 1e-9;
}

void cs_run_free(cs_run *run)
{
    if (run) {
        cs_study_free(run->study);
        cs_front_free(run->front);
        cs_plan_free(run->plan);
        cs_buffer_release(&run->record);
        cs_buffer_release(&run->checkpoint);
        free(run->slices);
        free(run);
    }
}
