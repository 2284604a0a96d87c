/* A run: one study at work in the pool.
 *
 * Every generation is cut into slices, one a worker, which take rows until none is left; whoever
 * ends last tells the study, writes record and checkpoint, and asks for the next batch. The loop
 * hears once a generation. The study is thus in the hands of one thread at a time, and which
 * thread evaluates a row decides nothing about it. */
#ifndef CS_DAEMON_RUN_H
#define CS_DAEMON_RUN_H

#include "daemon/front.h"
#include "daemon/pool.h"
#include "daemon/store.h"
#include "search/study.h"

#include <stdatomic.h>

typedef struct cs_run cs_run;

/* What the loop finds when a run is announced. */
typedef enum cs_run_event {
    CS_RUN_OPENED,  /* loaded; the first batch is open (or the search is over) */
    CS_RUN_CLOSED,  /* a generation is closed; the next batch is open (or the search is over) */
    CS_RUN_STOPPED, /* stopped as asked; the open generation is dropped */
    CS_RUN_FAILED,  /* see the error */
} cs_run_event;

/* Prepare a run of a job. `plan` may be NULL: then it is made from the stored bundle; the run owns
 * it. The store in `directory` is opened for reading on the worker, and what the job has stored is
 * replayed. `announced` is called on the loop, from the pool's done. NULL for want of memory. */
cs_run *cs_run_new(cs_pool *pool, const cs_store_class *store, const char *directory, uint64_t job,
                   cs_plan *plan, void (*announced)(cs_run *run, cs_run_event event, void *context),
                   void *owner);

/* The `owner` given to cs_run_new. */
void *cs_run_owner(const cs_run *run);

/* Load in the pool; CS_RUN_OPENED or CS_RUN_FAILED follows. */
void cs_run_open(cs_run *run);

/* Evaluate the open batch; CS_RUN_CLOSED (or STOPPED, FAILED) follows. Not when cs_run_over. */
void cs_run_evaluate(cs_run *run);

/* Work of this run is queued or running in the pool. */
bool cs_run_busy(const cs_run *run);

/* Stop soon: withdraws what has not started. True: it is idle already and no announcement follows;
 * false: one does. */
bool cs_run_stop(cs_run *run);

/* The search is over: no batch is open; and why. */
bool cs_run_over(const cs_run *run);
const char *cs_run_end(const cs_run *run);

/* After CS_RUN_OPENED: the front of what was stored; the caller takes it over. */
cs_front *cs_run_take_front(cs_run *run);

/* After CS_RUN_CLOSED: the generation's record and checkpoint; the caller takes the buffers over.
 */
void cs_run_take_generation(cs_run *run, uint64_t *first_index, uint32_t *count, cs_buffer *record,
                            cs_buffer *checkpoint);

/* After CS_RUN_FAILED. */
const cs_error *cs_run_error(const cs_run *run);

/* Thread CPU seconds that workers have spent on it. */
double cs_run_cpu_s(const cs_run *run);

/* Not while busy, unless the pool is gone. */
void cs_run_free(cs_run *run);

#endif
