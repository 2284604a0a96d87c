/* Verbs that print candidates: show-front, list-candidates. */
#include "client/design.h"
#include "client/text.h"
#include "client/verbs.h"
#include "proto/wire.h"

#include <inttypes.h>

#define LIST_LIMIT 1000 /* candidates, where --limit does not say */

/* ---- show-front ---- */

cs_status cs_client_print_front(const cs_client *client, const Codesign__JobDetail *detail,
                                const cs_replica *replica, size_t limit, cs_error *err)
{
    const cs_candidates *front = &replica->front;
    if (client->format != CS_FORMAT_TABLE) {
        cs_design_print_caveats(detail, stderr);
        return cs_design_print_front(detail, front, limit, client->format, stdout, 0, err);
    }
    char generation[CS_TEXT_NUMBER], count[CS_TEXT_NUMBER], shown[CS_TEXT_NUMBER];
    printf("front of job %" PRIu64 " (", detail->job->job);
    cs_text_put(stdout, detail->job->name);
    printf(") after generation %s\n", cs_text_count(replica->number, generation));
    if (front->count == 0) {
        puts("no feasible candidate yet");
        return CS_OK;
    }
    cs_status status =
        cs_design_print_front(detail, front, limit, client->format, stdout, cs_client_width(), err);
    cs_text_count(front->count, count);
    if (limit && front->count > limit) {
        printf("%s of %s; show-front %" PRIu64 " --all shows every one\n",
               cs_text_count(limit, shown), count, detail->job->job);
    } else {
        printf("%s in all\n", count);
    }
    cs_design_print_legend(detail, stdout);
    cs_design_print_caveats(detail, stdout);
    return status;
}

/* The front as it is now, into an empty replica. */
static cs_status fetch_front(cs_client *client, uint64_t job, cs_replica *replica, cs_error *err)
{
    uint32_t lease_ms = client->timeout_ms > 300 ? client->timeout_ms : 300;
    cs_watcher_options options = {.job = job, .lease_ms = lease_ms, .once = true, .wake_fd = -1};
    cs_error why = {0};
    cs_watcher *watcher = cs_watcher_open(client->session, &options, replica, &why);
    if (!watcher) {
        return cs_fail(err, why.status, "%s", why.text);
    }
    cs_status status = CS_OK;
    bool last = false;
    while (!status && !last && !replica->complete) {
        const Codesign__WatchEvent *event;
        status = cs_watcher_next(watcher, client->timeout_ms, &event, NULL, err);
        if (!status && !event) {
            status = cs_fail(err, CS_ETIMEDOUT, "no answer about the front of job %" PRIu64, job);
        }
        last = !status && event->last;
    }
    if (!status && !replica->complete) {
        status = cs_fail(err, CS_ECORRUPT,
                         "the server ended before the front of job %" PRIu64 " was complete", job);
    }
    cs_watcher_close(watcher);
    return status;
}

cs_exit cs_run_show_front(cs_client *client, const void *input)
{
    const cs_job_input *told = input;
    cs_error error = {0};
    Codesign__Reply *reply = cs_client_show_job(client, told->job, &error);
    if (!reply) {
        return cs_client_fail(&error);
    }
    const Codesign__JobDetail *detail = reply->job_detail;
    cs_replica replica;
    cs_replica_init(&replica, detail->schema->genome_bytes, detail->schema->n_metrics);
    cs_status status = fetch_front(client, told->job, &replica, &error);
    if (!status) {
        status = cs_client_print_front(client, detail, &replica, told->all ? 0 : CS_DESIGN_SHOWN,
                                       &error);
    }
    cs_replica_release(&replica);
    cs_wire_free(&reply->base);
    return status ? cs_client_fail(&error) : CS_EXIT_OK;
}

/* ---- list-candidates ---- */

/* Pages from `from` on until `limit` candidates are there or no more are committed. */
static cs_status fetch_candidates(cs_client *client, uint64_t job, uint64_t from, size_t limit,
                                  cs_candidates *candidates, bool *more, cs_error *err)
{
    *more = true;
    while (*more && candidates->count < limit) {
        Codesign__ListCandidates list = CODESIGN__LIST_CANDIDATES__INIT;
        list.job = job;
        list.has_from = true;
        list.from = from;
        list.has_limit = true;
        list.limit = (uint32_t)(limit - candidates->count);
        Codesign__Request request = CODESIGN__REQUEST__INIT;
        request.body_case = CODESIGN__REQUEST__BODY_LIST_CANDIDATES;
        request.list_candidates = &list;
        cs_error why = {0};
        Codesign__Reply *reply =
            cs_session_call(client->session, &request, CODESIGN__REPLY__BODY_CANDIDATE_PAGE, &why);
        if (!reply) {
            return cs_fail(err, why.status, "%s", why.text);
        }
        const Codesign__CandidatePage *page = reply->candidate_page;
        cs_status status = cs_candidates_add(candidates, page->candidates, err);
        /* A page that goes no further would be asked for again without end. */
        *more = page->has_next && page->next > from;
        from = page->next;
        cs_wire_free(&reply->base);
        if (status) {
            return status;
        }
    }
    return CS_OK;
}

static cs_status print_candidates(const cs_client *client, const Codesign__JobDetail *detail,
                                  const cs_candidates *candidates, bool more, cs_error *err)
{
    bool for_people = client->format == CS_FORMAT_TABLE;
    FILE *notes = for_people ? stdout : stderr;
    cs_status status = CS_OK;
    if (candidates->count == 0 && for_people) {
        puts("no candidates");
    } else {
        status = cs_design_print_candidates(detail, candidates, client->format, stdout,
                                            cs_client_width(), err);
    }
    if (more && candidates->count) {
        fprintf(notes, "there are more: --after %" PRIu64 "\n",
                candidates->index[candidates->count - 1]);
    }
    if (!detail->keep_all) {
        fprintf(notes, "keep = \"front\": the server has rows of candidates that were on the front "
                       "only\n");
    }
    if (for_people) {
        cs_design_print_legend(detail, stdout);
    }
    cs_design_print_caveats(detail, notes);
    return status;
}

cs_exit cs_run_list_candidates(cs_client *client, const void *input)
{
    const cs_job_input *told = input;
    cs_error error = {0};
    Codesign__Reply *reply = cs_client_show_job(client, told->job, &error);
    if (!reply) {
        return cs_client_fail(&error);
    }
    const Codesign__JobDetail *detail = reply->job_detail;
    cs_candidates candidates;
    cs_candidates_init(&candidates, detail->schema->genome_bytes, detail->schema->n_metrics);
    bool more;
    cs_status status =
        fetch_candidates(client, told->job, told->after_given ? told->after + 1 : 0,
                         told->limit ? told->limit : LIST_LIMIT, &candidates, &more, &error);
    if (!status) {
        status = print_candidates(client, detail, &candidates, more, &error);
    }
    cs_candidates_release(&candidates);
    cs_wire_free(&reply->base);
    return status ? cs_client_fail(&error) : CS_EXIT_OK;
}
