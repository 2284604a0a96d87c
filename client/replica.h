/* A job's front as replicated from watch events: a plain value, without sockets or clocks.
 *
 * A server may send what changed in parts. Only a complete front is shown; a part that was under
 * way when the connection was lost is forgotten, because the server goes on from the number that
 * the client says it holds completely. */
#ifndef CS_CLIENT_REPLICA_H
#define CS_CLIENT_REPLICA_H

#include "client/candidates.h"

#include <stdbool.h>

typedef struct cs_replica {
    cs_candidates front; /* equal to the server's at `number` once `complete` */
    bool complete;       /* a complete front was received */
    uint64_t number;     /* the generation that `front` belongs to */
    cs_candidates next;  /* the front on its way to the next complete one */
    bool changed;        /* next differs from front */
} cs_replica;

void cs_replica_init(cs_replica *replica, size_t genome_bytes, size_t metric_count);
void cs_replica_release(cs_replica *replica);

/* Apply an event. Applying it twice is harmless. CS_ECORRUPT if it does not fit the shape; the
 * front stays as it was on failure. */
CS_MUST_CHECK cs_status cs_replica_apply(cs_replica *replica, const Codesign__WatchEvent *event,
                                         cs_error *err);

/* Forget parts of an update that was not completed. For a new connection. */
CS_MUST_CHECK cs_status cs_replica_rewind(cs_replica *replica, cs_error *err);

#endif
