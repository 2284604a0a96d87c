/* The replicated front: see replica.h. */
#include "client/replica.h"

void cs_replica_init(cs_replica *replica, size_t genome_bytes, size_t metric_count)
{
    *replica = (cs_replica){0};
    cs_candidates_init(&replica->front, genome_bytes, metric_count);
    cs_candidates_init(&replica->next, genome_bytes, metric_count);
}

void cs_replica_release(cs_replica *replica)
{
    cs_candidates_release(&replica->front);
    cs_candidates_release(&replica->next);
    replica->complete = false;
    replica->changed = false;
}

cs_status cs_replica_apply(cs_replica *replica, const Codesign__WatchEvent *event, cs_error *err)
{
    cs_status status = CS_OK;
    replica->changed = replica->changed || event->reset || event->n_removed || event->added;
    if (event->reset) {
        cs_candidates_clear(&replica->next);
    }
    if (event->n_removed) {
        status = cs_candidates_remove(&replica->next, event->removed, event->n_removed, err);
    }
    if (!status && event->added) {
        status = cs_candidates_add(&replica->next, event->added, err);
    }
    if (status || !event->complete) {
        return status;
    }
    if (replica->changed) {
        status = cs_candidates_copy(&replica->front, &replica->next, err);
        if (status) {
            return status;
        }
        replica->changed = false;
    }
    replica->complete = true;
    replica->number = event->job->generation;
    return CS_OK;
}

cs_status cs_replica_rewind(cs_replica *replica, cs_error *err)
{
    if (replica->changed) {
        cs_status status = cs_candidates_copy(&replica->next, &replica->front, err);
        if (status) {
            return status;
        }
        replica->changed = false;
    }
    return CS_OK;
}
