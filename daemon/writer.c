/* The writer: see writer.h.
 *
 * Three lists, all under one mutex: writes and reads to do, and what has finished. The thread takes
 * at most one read and one write in turn, so that neither kind waits for a stream of the other, and
 * between them looks whether the open group is due. */
#include "daemon/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

typedef struct queue {
    cs_operation *first, *last;
} queue;

struct cs_writer {
    const cs_store_class *class;
    cs_store *store, *reader;
    int64_t interval_ns;
    int fd;
    bool running; /* the thread is, of the loop's business only */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    /* under the mutex */
    queue writes, reads, finished;
    bool stop;
};

/* The writes that have run and are not committed yet; the thread's alone. */
typedef struct write_group {
    queue operations;
    bool open;
    int64_t opened_ns;
    int64_t committed_ns; /* when the commit before it began */
} write_group;

static void push(queue *to, cs_operation *operation)
{
    operation->next = NULL;
    if (to->last) {
        to->last->next = operation;
    } else {
        to->first = operation;
    }
    to->last = operation;
}

static cs_operation *pop(queue *from)
{
    cs_operation *operation = from->first;
    if (operation) {
        from->first = operation->next;
        if (!from->first) {
            from->last = NULL;
        }
        operation->next = NULL;
    }
    return operation;
}

/* Move all of `from` behind `to`. */
static void append(queue *to, queue *from)
{
    if (from->first) {
        if (to->last) {
            to->last->next = from->first;
        } else {
            to->first = from->first;
        }
        to->last = from->last;
        *from = (queue){0};
    }
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void lock(cs_writer *writer)
{
    int failed = pthread_mutex_lock(&writer->mutex);
    assert(!failed);
    (void)failed;
}

static void unlock(cs_writer *writer)
{
    int failed = pthread_mutex_unlock(&writer->mutex);
    assert(!failed);
    (void)failed;
}

/* Hand finished operations to the loop. The eventfd is written when the list becomes non-empty and
 * read when it is emptied, both under the mutex, so that it is readable exactly while there is
 * something to take. */
static void finish(cs_writer *writer, queue *operations)
{
    lock(writer);
    bool first = !writer->finished.first && operations->first;
    append(&writer->finished, operations);
    if (first) {
        (void)eventfd_write(writer->fd, 1);
    }
    unlock(writer);
}

static void run_read(cs_writer *writer, cs_operation *operation)
{
    operation->error = (cs_error){.status = CS_OK};
    operation->error.status = operation->run(operation, writer->reader, &operation->error);
    queue alone = {operation, operation};
    finish(writer, &alone);
}

/* A write of the open group has failed: it alone is finished with its error; those before it are
 * undone with it and go back to the head of the queue, to run again in their order. */
static void fail_write(cs_writer *writer, write_group *group, cs_operation *operation)
{
    queue again = {0}, alone = {0};
    for (cs_operation *i = pop(&group->operations); i; i = pop(&group->operations)) {
        push(i == operation ? &alone : &again, i);
    }
    writer->class->rollback(writer->store);
    group->open = false;
    lock(writer);
    append(&again, &writer->writes);
    writer->writes = again;
    unlock(writer);
    finish(writer, &alone);
}

/* Give up the open group, or an operation that could not open one. */
static void fail_group(cs_writer *writer, write_group *group, const cs_error *error)
{
    if (group->open) {
        writer->class->rollback(writer->store);
        group->open = false;
    }
    for (cs_operation *i = group->operations.first; i; i = i->next) {
        i->error = *error;
    }
    finish(writer, &group->operations);
}

static void run_write(cs_writer *writer, write_group *group, cs_operation *operation)
{
    cs_error error = {.status = CS_OK};
    push(&group->operations, operation);
    if (!group->open) {
        error.status = writer->class->begin(writer->store, &error);
        group->open = error.status == CS_OK;
        group->opened_ns = now_ns();
    }
    if (error.status) {
        fail_group(writer, group, &error);
        return;
    }
    operation->error = (cs_error){.status = CS_OK};
    operation->error.status = operation->run(operation, writer->store, &operation->error);
    if (operation->error.status) {
        fail_write(writer, group, operation);
    }
}

static void commit_group(cs_writer *writer, write_group *group)
{
    cs_error error = {.status = CS_OK};
    group->committed_ns = now_ns();
    error.status = writer->class->commit(writer->store, &error);
    if (error.status) {
        fail_group(writer, group, &error);
    } else {
        group->open = false;
        finish(writer, &group->operations);
    }
}

/* When the open group is to be committed: an interval after the last commit, which for a lone write
 * after a quiet time is at once; but what has been submitted by then still joins it, for at most an
 * interval. */
static int64_t due_ns(const cs_writer *writer, const write_group *group, bool more)
{
    int64_t from = more ? group->opened_ns : group->committed_ns;
    return from + writer->interval_ns;
}

/* Sleep until there is something to do; the mutex is held. */
static void wait_for_work(cs_writer *writer, const write_group *group)
{
    if (group->open) {
        int64_t due = due_ns(writer, group, false);
        struct timespec until = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
        (void)pthread_cond_timedwait(&writer->wake, &writer->mutex, &until);
    } else {
        (void)pthread_cond_wait(&writer->wake, &writer->mutex);
    }
}

static void *writer_main(void *context)
{
    cs_writer *writer = context;
    /* As if the last commit were long ago. */
    write_group group = {.committed_ns = now_ns() - writer->interval_ns};
    for (;;) {
        lock(writer);
        cs_operation *read = pop(&writer->reads), *write = pop(&writer->writes);
        bool more = writer->writes.first != NULL, stop = writer->stop;
        if (!read && !write && !stop &&
            !(group.open && now_ns() >= due_ns(writer, &group, false))) {
            wait_for_work(writer, &group);
            unlock(writer);
            continue;
        }
        unlock(writer);
        if (read) {
            run_read(writer, read);
        }
        if (write) {
            run_write(writer, &group, write);
        }
        if (group.open && ((stop && !more) || now_ns() >= due_ns(writer, &group, more))) {
            commit_group(writer, &group);
        }
        if (stop && !read && !write) {
            return NULL;
        }
    }
}

/* Signals are the loop's business, so the thread starts with all of them blocked. */
static int start(cs_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer->thread, NULL, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

cs_writer *cs_writer_new(const cs_store_class *class, const char *directory, bool full_sync,
                         uint32_t commit_interval_ms, cs_error *err)
{
    cs_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        cs_fail_memory(err);
        return NULL;
    }
    writer->class = class;
    writer->interval_ns = (int64_t)commit_interval_ms * 1000000;
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);

    writer->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer->fd < 0) {
        cs_fail(err, CS_EIO, "eventfd: %s", strerror(errno));
        goto fail;
    }
    writer->store = class->open(directory, true, full_sync, err);
    writer->reader = writer->store ? class->open(directory, false, full_sync, err) : NULL;
    if (!writer->reader) {
        goto fail;
    }
    int failed = start(writer);
    if (failed) {
        cs_fail(err, CS_EIO, "the store's thread does not start: %s", strerror(failed));
        goto fail;
    }
    writer->running = true;
    return writer;
fail:
    cs_writer_free(writer);
    return NULL;
}

void cs_writer_stop(cs_writer *writer)
{
    if (writer->running) {
        lock(writer);
        writer->stop = true;
        pthread_cond_signal(&writer->wake);
        unlock(writer);
        pthread_join(writer->thread, NULL);
        writer->running = false;
    }
}

void cs_writer_free(cs_writer *writer)
{
    if (writer) {
        cs_writer_stop(writer);
        /* The reader first: the last handle to close copies the log into the database. */
        if (writer->reader) {
            writer->class->close(writer->reader);
        }
        if (writer->store) {
            writer->class->close(writer->store);
        }
        if (writer->fd >= 0) {
            close(writer->fd);
        }
        pthread_cond_destroy(&writer->wake);
        pthread_mutex_destroy(&writer->mutex);
        free(writer);
    }
}

void cs_writer_submit(cs_writer *writer, cs_operation *operation)
{
    assert(writer->running);
    lock(writer);
    push(operation->write ? &writer->writes : &writer->reads, operation);
    pthread_cond_signal(&writer->wake);
    unlock(writer);
}

void cs_writer_cancel_reads(cs_writer *writer)
{
    lock(writer);
    queue reads = writer->reads;
    writer->reads = (queue){0};
    unlock(writer);
    for (cs_operation *i = reads.first; i; i = i->next) {
        (void)cs_fail(&i->error, CS_EBUSY, "the server is stopping; ask again when it is back");
    }
    finish(writer, &reads);
}

int cs_writer_fd(const cs_writer *writer)
{
    return writer->fd;
}

cs_operation *cs_writer_finished(cs_writer *writer)
{
    eventfd_t ignored;
    lock(writer);
    cs_operation *operations = writer->finished.first;
    if (operations) {
        (void)eventfd_read(writer->fd, &ignored);
    }
    writer->finished = (queue){0};
    unlock(writer);
    return operations;
}

cs_store *cs_writer_reader(cs_writer *writer)
{
    return writer->reader;
}
