/* The writer: the thread that owns the store.
 *
 * The event loop hands it operations and is told when they are done: a write when its transaction
 * is committed, so whatever the loop announces is on disk. Writes of all jobs are grouped into one
 * commit at most every commit_interval_ms; reads run between them on a second handle that sees
 * committed data only. Operations finish in the order submitted within their kind, but a write that
 * fails finishes at once.
 *
 * If one write of a group fails, it fails alone: the group is rolled back and the others run again,
 * so a `run` may be called more than once. If a commit fails, its whole group does, and the loop
 * decides what that means for each job. */
#ifndef CS_DAEMON_WRITER_H
#define CS_DAEMON_WRITER_H

#include "daemon/store.h"

typedef struct cs_writer cs_writer;

/* One operation, usually the first member of a larger struct. The submitter fills the first three
 * fields, must leave it alone until it comes back from cs_writer_finished, and frees it then. */
typedef struct cs_operation {
    /* On the writer's thread. */
    cs_status (*run)(struct cs_operation *operation, cs_store *store, cs_error *err);
    /* On the loop's thread, by whoever takes it from cs_writer_finished. */
    void (*done)(struct cs_operation *operation, void *context);
    bool write;
    /* results */
    cs_error error;            /* status CS_OK: done and, for a write, committed */
    struct cs_operation *next; /* of the queue it is in */
} cs_operation;

/* Open the store in a directory and start the thread; returns when it is ready. NULL on failure. */
cs_writer *cs_writer_new(const cs_store_class *class, const char *directory, bool full_sync,
                         uint32_t commit_interval_ms, cs_error *err);

/* Finish all that was submitted, without waiting for the interval, and end the thread. What has
 * finished can still be taken; nothing more may be submitted. */
void cs_writer_stop(cs_writer *writer);

/* Stop, and close the store. Operations that were not taken stay the submitter's to free; their
 * done is not called. NULL is allowed. */
void cs_writer_free(cs_writer *writer);

/* Never blocks, cannot fail. */
void cs_writer_submit(cs_writer *writer, cs_operation *operation);

/* Fail the reads that have not begun, with CS_EBUSY: the server is stopping. */
void cs_writer_cancel_reads(cs_writer *writer);

/* An eventfd that is readable when operations have finished. */
int cs_writer_fd(const cs_writer *writer);

/* Take the finished operations as a list in order (NULL: none), and reset the eventfd. */
cs_operation *cs_writer_finished(cs_writer *writer);

/* The store's handle for reading, for use before the first submit or by nobody: see
 * cs_writer_submit for everything else. Other threads open their own handle for reading. */
cs_store *cs_writer_reader(cs_writer *writer);

#endif
