/* The worker pool: see pool.h.
 *
 * A mutex, a condition and an eventfd. The queue is a plain list: a task is a slice of a
 * generation, hundreds of microseconds or more, so the lock is taken a few thousand times a second
 * at the most. */
#include "daemon/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct task_list {
    cs_task *first;
    cs_task **end; /* where the next one is hung */
} task_list;

struct cs_pool {
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* something is queued, or stop */
    task_list queue;     /* under mutex */
    task_list finished;  /* under mutex */
    bool stop;           /* under mutex */
    int fd;
    uint32_t worker_count;
    pthread_t *threads;
};

static void list_clear(task_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_append(task_list *list, cs_task *task)
{
    task->next = NULL;
    *list->end = task;
    list->end = &task->next;
}

static cs_task *list_take(task_list *list)
{
    cs_task *task = list->first;
    if (task) {
        list->first = task->next;
        if (!list->first) {
            list->end = &list->first;
        }
    }
    return task;
}

static void announce(cs_pool *pool, cs_task *task)
{
    pthread_mutex_lock(&pool->mutex);
    bool first = !pool->finished.first;
    list_append(&pool->finished, task);
    pthread_mutex_unlock(&pool->mutex);
    if (first) {
        uint64_t one = 1;
        (void)!write(pool->fd, &one, sizeof one); /* fails only when already readable */
    }
}

static void *worker_main(void *argument)
{
    cs_pool *pool = argument;
    cs_worker worker = {.pool = pool};
    pthread_mutex_lock(&pool->mutex);
    while (!pool->stop) {
        cs_task *task = list_take(&pool->queue);
        if (!task) {
            pthread_cond_wait(&pool->wake, &pool->mutex);
            continue;
        }
        pthread_mutex_unlock(&pool->mutex);
        if (task->run(task, &worker)) {
            announce(pool, task);
        }
        pthread_mutex_lock(&pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    cs_evaluator_release(&worker.evaluator);
    return NULL;
}

cs_pool *cs_pool_new(uint32_t workers, cs_error *err)
{
    cs_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        cs_fail_memory(err);
        return NULL;
    }
    list_clear(&pool->queue);
    list_clear(&pool->finished);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->threads = calloc(workers, sizeof *pool->threads);
    pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!pool->threads || pool->fd < 0) {
        cs_fail(err, CS_ENOMEM, "cannot make the worker pool: %s", strerror(errno));
        cs_pool_free(pool);
        return NULL;
    }
    for (uint32_t i = 0; i < workers; i++) {
        int failure = pthread_create(&pool->threads[i], NULL, worker_main, pool);
        if (failure) {
            cs_fail(err, CS_ENOMEM, "cannot start worker %u: %s", i + 1, strerror(failure));
            cs_pool_free(pool);
            return NULL;
        }
        pool->worker_count++;
    }
    return pool;
}

void cs_pool_free(cs_pool *pool)
{
    if (!pool) {
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->worker_count; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    if (pool->fd >= 0) {
        close(pool->fd);
    }
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->threads);
    free(pool);
}

uint32_t cs_pool_workers(const cs_pool *pool)
{
    return pool->worker_count;
}

void cs_pool_submit(cs_pool *pool, cs_task *task)
{
    pthread_mutex_lock(&pool->mutex);
    list_append(&pool->queue, task);
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

uint32_t cs_pool_withdraw(cs_pool *pool, const void *owner)
{
    uint32_t count = 0;
    pthread_mutex_lock(&pool->mutex);
    cs_task *task = pool->queue.first;
    list_clear(&pool->queue);
    while (task) {
        cs_task *next = task->next;
        if (task->owner == owner) {
            count++;
        } else {
            list_append(&pool->queue, task);
        }
        task = next;
    }
    pthread_mutex_unlock(&pool->mutex);
    return count;
}

int cs_pool_fd(const cs_pool *pool)
{
    return pool->fd;
}

cs_task *cs_pool_finished(cs_pool *pool)
{
    uint64_t count;
    (void)!read(pool->fd, &count, sizeof count);
    pthread_mutex_lock(&pool->mutex);
    cs_task *tasks = pool->finished.first;
    list_clear(&pool->finished);
    pthread_mutex_unlock(&pool->mutex);
    return tasks;
}
