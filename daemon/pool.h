/* The worker pool: threads that run tasks in the order submitted.
 *
 * A task is the first member of a larger struct. It runs once for each submission, on one worker;
 * it may submit itself or others again. A task that returns true is announced: the loop finds it in
 * cs_pool_finished. Between submission and announcement (or, unannounced, for as long as its owner
 * knows it queued or running) only the pool and the worker touch it. */
#ifndef CS_DAEMON_POOL_H
#define CS_DAEMON_POOL_H

#include "base/status.h"
#include "search/evaluate.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cs_pool cs_pool;

/* What a worker owns and lends to the tasks it runs. */
typedef struct cs_worker {
    cs_pool *pool;
    cs_evaluator evaluator;
} cs_worker;

typedef struct cs_task {
    /* On a worker. True: announce. */
    bool (*run)(struct cs_task *task, cs_worker *worker);
    /* On the loop, by whoever takes it from cs_pool_finished. */
    void (*done)(struct cs_task *task, void *context);
    const void *owner; /* for cs_pool_withdraw */
    struct cs_task *next;
} cs_task;

/* Start `workers` threads; returns when they are ready. NULL on failure. */
cs_pool *cs_pool_new(uint32_t workers, cs_error *err);

/* Forget what is queued, wait for what runs, join. Tasks belong to their submitters still. */
void cs_pool_free(cs_pool *pool);

uint32_t cs_pool_workers(const cs_pool *pool);

/* From any thread; never blocks for long, cannot fail. */
void cs_pool_submit(cs_pool *pool, cs_task *task);

/* Take back the queued tasks of an owner that have not started; returns how many. */
uint32_t cs_pool_withdraw(cs_pool *pool, const void *owner);

/* An eventfd that is readable when announced tasks are waiting, and those tasks as a list in
 * the order announced (NULL: none), resetting the eventfd. */
int cs_pool_fd(const cs_pool *pool);
cs_task *cs_pool_finished(cs_pool *pool);

#endif
