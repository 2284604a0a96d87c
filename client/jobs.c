/* Verbs about jobs as wholes: list-jobs, show-job, cancel-job, pause-job, resume-job; and ping. */
#include "client/design.h"
#include "client/text.h"
#include "client/verbs.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- rows ---- */

const char *cs_job_state_text(Codesign__JobState state)
{
    switch (state) {
    case CODESIGN__JOB_STATE__QUEUED:
        return "queued";
    case CODESIGN__JOB_STATE__RUNNING:
        return "running";
    case CODESIGN__JOB_STATE__PAUSED:
        return "paused";
    case CODESIGN__JOB_STATE__DONE:
        return "done";
    case CODESIGN__JOB_STATE__CANCELLED:
        return "cancelled";
    case CODESIGN__JOB_STATE__FAILED:
        return "failed";
    default:
        return "unknown";
    }
}

/* "2026-11-22 13:40:45 UTC" of milliseconds since 1970. */
static void format_time(uint64_t ms, char text[40])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(text, 40, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
        text[0] = '\0';
    }
}

static double share_percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void add_job_columns(cs_table *table)
{
    cs_table_add_column(table, "job", "job", CS_COLUMN_BOTH);
    cs_table_add_column(table, "name", "name", CS_COLUMN_BOTH | CS_COLUMN_CUT);
    cs_table_add_column(table, "state", "state", CS_COLUMN_BOTH);
    cs_table_add_column(table, "reason", "reason", CS_COLUMN_BOTH | CS_COLUMN_CUT);
    cs_table_add_column(table, "owner", "owner", CS_COLUMN_BOTH | CS_COLUMN_SPARE);
    cs_table_add_column(table, "engine", "engine", CS_COLUMN_BOTH | CS_COLUMN_SPARE);
    cs_table_add_column(table, "evaluations", "evaluations", CS_COLUMN_BOTH);
    cs_table_add_column(table, "budget", "budget", CS_COLUMN_BOTH);
    cs_table_add_column(table, "generation", "generation", CS_COLUMN_DATA);
    cs_table_add_column(table, "feasible", "feasible", CS_COLUMN_DATA);
    cs_table_add_column(table, "", "feasible %", CS_COLUMN_PEOPLE | CS_COLUMN_SPARE);
    cs_table_add_column(table, "front_size", "front", CS_COLUMN_BOTH);
    cs_table_add_column(table, "hypervolume", "hypervolume", CS_COLUMN_BOTH);
    cs_table_add_column(table, "mixed", "mixed", CS_COLUMN_BOTH | CS_COLUMN_SPARE);
    cs_table_add_column(table, "run_s", "run s", CS_COLUMN_DATA);
    cs_table_add_column(table, "submitted_ms", "", CS_COLUMN_DATA);
    cs_table_add_column(table, "", "submitted", CS_COLUMN_PEOPLE | CS_COLUMN_SPARE);
}

static void put_job(cs_table *table, const Codesign__Job *job)
{
    char submitted[40];
    format_time(job->submitted_ms, submitted);
    cs_table_put_count(table, job->job);
    cs_table_put_text(table, job->name);
    cs_table_put_text(table, cs_job_state_text(job->state));
    cs_table_put_text(table, job->reason && *job->reason ? job->reason : NULL);
    cs_table_put_text(table, job->owner);
    cs_table_put_text(table, job->engine);
    cs_table_put_count(table, job->evaluations);
    cs_table_put_count(table, job->budget);
    cs_table_put_count(table, job->generation);
    cs_table_put_count(table, job->feasible);
    cs_table_put_real(table, share_percent(job->feasible, job->evaluations));
    cs_table_put_count(table, job->front_size);
    cs_table_put_real(table, job->hypervolume);
    cs_table_put_bool(table, job->mixed);
    if (job->has_run_s) {
        cs_table_put_real(table, job->run_s);
    } else {
        cs_table_put_nothing(table);
    }
    cs_table_put_count(table, job->submitted_ms);
    cs_table_put_text(table, submitted);
}

cs_status cs_client_print_jobs(const cs_client *client, Codesign__Job *const *jobs, size_t count,
                               bool alone, cs_error *err)
{
    cs_table *table = cs_table_new();
    if (!table) {
        return cs_fail_memory(err);
    }
    add_job_columns(table);
    for (size_t i = 0; i < count; i++) {
        cs_table_add_row(table);
        put_job(table, jobs[i]);
    }
    cs_status status = alone
                           ? cs_table_print_record(table, client->format, stdout, err)
                           : cs_table_print(table, client->format, stdout, cs_client_width(), err);
    cs_table_free(table);
    return status;
}

/* ---- list-jobs ---- */

typedef struct job_pages {
    Codesign__Reply **replies; /* owned */
    size_t count;
    Codesign__Job **jobs; /* of all replies, in order */
    size_t job_count;
} job_pages;

static void release_pages(job_pages *pages)
{
    for (size_t i = 0; i < pages->count; i++) {
        cs_wire_free(&pages->replies[i]->base);
    }
    free(pages->replies);
    free(pages->jobs);
}

/* Take a page of the list; it belongs to `pages` from then on. */
static cs_status take_page(job_pages *pages, Codesign__Reply *reply, cs_error *err)
{
    const Codesign__JobList *list = reply->job_list;
    Codesign__Reply **replies =
        realloc(pages->replies, (pages->count + 1) * sizeof(Codesign__Reply *));
    if (!replies) {
        cs_wire_free(&reply->base);
        return cs_fail_memory(err);
    }
    pages->replies = replies;
    replies[pages->count++] = reply;
    Codesign__Job **jobs =
        realloc(pages->jobs, (pages->job_count + list->n_jobs + 1) * sizeof(Codesign__Job *));
    if (!jobs) {
        return cs_fail_memory(err);
    }
    pages->jobs = jobs;
    for (size_t i = 0; i < list->n_jobs; i++) {
        jobs[pages->job_count++] = list->jobs[i];
    }
    return CS_OK;
}

static cs_status fetch_jobs(cs_session *session, job_pages *pages, cs_error *err)
{
    Codesign__ListJobs list = CODESIGN__LIST_JOBS__INIT;
    bool more = true;
    while (more) {
        Codesign__Request request = CODESIGN__REQUEST__INIT;
        request.body_case = CODESIGN__REQUEST__BODY_LIST_JOBS;
        request.list_jobs = &list;
        cs_error why = {0};
        Codesign__Reply *reply =
            cs_session_call(session, &request, CODESIGN__REPLY__BODY_JOB_LIST, &why);
        if (!reply) {
            return cs_fail(err, why.status, "%s", why.text);
        }
        size_t n = reply->job_list->n_jobs;
        uint64_t oldest = n ? reply->job_list->jobs[n - 1]->job : 0;
        /* A page that goes no further back would be asked for again without end. */
        more = reply->job_list->more && n && (!list.has_before || oldest < list.before);
        list.has_before = true;
        list.before = oldest;
        cs_status status = take_page(pages, reply, err);
        if (status) {
            return status;
        }
    }
    return CS_OK;
}

cs_exit cs_run_list_jobs(cs_client *client, const void *input)
{
    (void)input;
    cs_error error = {0};
    job_pages pages = {0};
    cs_session *session = cs_client_session(client, &error);
    cs_status status = session ? fetch_jobs(session, &pages, &error) : error.status;
    if (!status && pages.job_count == 0 && client->format == CS_FORMAT_TABLE) {
        puts("no jobs");
    } else if (!status) {
        status = cs_client_print_jobs(client, pages.jobs, pages.job_count, false, &error);
    }
    release_pages(&pages);
    return status ? cs_client_fail(&error) : CS_EXIT_OK;
}

/* ---- show-job ---- */

static cs_table *new_list(const char *const *keys)
{
    cs_table *list = cs_table_new();
    for (size_t i = 0; list && keys[i]; i++) {
        cs_table_add_column(list, keys[i], keys[i], CS_COLUMN_BOTH);
    }
    return list;
}

static void put_texts(cs_table *table, char *const *texts, size_t count)
{
    cs_table *list = new_list((const char *const[]){"text", NULL});
    for (size_t i = 0; list && i < count; i++) {
        cs_table_add_row(list);
        cs_table_put_text(list, texts[i]);
    }
    cs_table_put_list(table, list);
}

static void put_hash(cs_table *table, const ProtobufCBinaryData *hash)
{
    cs_hash whole;
    char hex[CS_HASH_HEX] = "";
    if (hash->len == sizeof whole.bytes) {
        memcpy(whole.bytes, hash->data, sizeof whole.bytes);
        cs_hash_hex(&whole, hex);
    }
    cs_table_put_text(table, hex);
}

static void put_reasons(cs_table *table, const Codesign__Job *job)
{
    cs_table *list = new_list((const char *const[]){"count", "reason", NULL});
    for (size_t i = 0; list && i < job->n_infeasible; i++) {
        cs_table_add_row(list);
        cs_table_put_count(list, job->infeasible[i]->count);
        cs_table_put_text(list, job->infeasible[i]->reason);
    }
    cs_table_put_list(table, list);
}

static void put_files(cs_table *table, const Codesign__JobDetail *detail)
{
    cs_table *list = new_list((const char *const[]){"sha256", "size", "name", NULL});
    for (size_t i = 0; list && i < detail->n_files; i++) {
        cs_table_add_row(list);
        put_hash(list, &detail->files[i]->hash);
        if (detail->files[i]->has_size) {
            cs_table_put_count(list, detail->files[i]->size);
        } else {
            cs_table_put_nothing(list);
        }
        cs_table_put_text(list, detail->files[i]->name);
    }
    cs_table_put_list(table, list);
}

static void put_limit(cs_table *list, bool given, double limit)
{
    if (given) {
        cs_table_put_real(list, limit);
    } else {
        cs_table_put_nothing(list);
    }
}

/* What a metric is to the job: "maximised, at least 60", or "recorded". */
static void describe_role(const Codesign__Metric *metric, char *text, size_t size)
{
    char min[CS_TEXT_NUMBER], max[CS_TEXT_NUMBER];
    bool limited = metric->has_limit_min || metric->has_limit_max;
    const char *sense = metric->maximize ? "maximised" : "minimised";
    snprintf(text, size, "%s%s%s%s%s%s%s%s",
             metric->objective ? sense
             : limited         ? "limited"
                               : "recorded",
             metric->has_limit_min ? ", at least " : "",
             metric->has_limit_min ? cs_text_number(metric->limit_min, min) : "",
             metric->has_limit_max ? ", at most " : "",
             metric->has_limit_max ? cs_text_number(metric->limit_max, max) : "",
             *metric->unit ? " [" : "", metric->unit, *metric->unit ? "]" : "");
}

static void put_metrics(cs_table *table, const Codesign__Schema *schema)
{
    cs_table *list = cs_table_new();
    if (list) {
        cs_table_add_column(list, "key", "key", CS_COLUMN_BOTH);
        cs_table_add_column(list, "objective", "", CS_COLUMN_DATA);
        cs_table_add_column(list, "maximize", "", CS_COLUMN_DATA);
        cs_table_add_column(list, "unit", "", CS_COLUMN_DATA);
        cs_table_add_column(list, "limit_min", "", CS_COLUMN_DATA);
        cs_table_add_column(list, "limit_max", "", CS_COLUMN_DATA);
        cs_table_add_column(list, "", "role", CS_COLUMN_PEOPLE);
        cs_table_add_column(list, "text", "text", CS_COLUMN_BOTH);
    }
    for (size_t i = 0; list && i < schema->n_metrics; i++) {
        const Codesign__Metric *metric = schema->metrics[i];
        char role[160];
        describe_role(metric, role, sizeof role);
        cs_table_add_row(list);
        cs_table_put_text(list, metric->key);
        cs_table_put_bool(list, metric->objective);
        cs_table_put_bool(list, metric->maximize);
        cs_table_put_text(list, metric->unit);
        put_limit(list, metric->has_limit_min, metric->limit_min);
        put_limit(list, metric->has_limit_max, metric->limit_max);
        cs_table_put_text(list, role);
        cs_table_put_text(list, metric->text);
    }
    cs_table_put_list(table, list);
}

static cs_status print_detail(const cs_client *client, const Codesign__JobDetail *detail,
                              cs_error *err)
{
    cs_table *table = cs_table_new();
    if (!table) {
        return cs_fail_memory(err);
    }
    add_job_columns(table);
    cs_table_add_column(table, "seed", "seed", CS_COLUMN_BOTH);
    cs_table_add_column(table, "keep", "keep", CS_COLUMN_BOTH);
    cs_table_add_column(table, "infeasible", "infeasible", CS_COLUMN_BOTH);
    cs_table_add_column(table, "space_size", "space size", CS_COLUMN_BOTH);
    cs_table_add_column(table, "genes", "genes", CS_COLUMN_BOTH);
    cs_table_add_column(table, "metrics", "metrics", CS_COLUMN_BOTH);
    cs_table_add_column(table, "simulator", "simulator", CS_COLUMN_BOTH);
    cs_table_add_column(table, "simulator_revision", "simulator revision", CS_COLUMN_BOTH);
    cs_table_add_column(table, "text_name", "job file", CS_COLUMN_BOTH);
    cs_table_add_column(table, "text_sha256", "its sha256", CS_COLUMN_BOTH);
    cs_table_add_column(table, "set", "set", CS_COLUMN_BOTH);
    cs_table_add_column(table, "files", "files", CS_COLUMN_BOTH);
    cs_table_add_column(table, "recalled", "rests on recalled constants", CS_COLUMN_BOTH);
    cs_table_add_column(table, "bundle", "bundle sha256", CS_COLUMN_BOTH);

    cs_table_add_row(table);
    put_job(table, detail->job);
    cs_table_put_count(table, detail->seed);
    cs_table_put_text(table, detail->keep_all ? "all" : "front");
    put_reasons(table, detail->job);
    cs_table_put_text(table, detail->space_size); /* may be beyond any number type */
    cs_table_put_count(table, detail->schema->n_genes);
    put_metrics(table, detail->schema);
    cs_table_put_text(table, detail->simulator);
    cs_table_put_count(table, detail->simulator_revision);
    cs_table_put_text(table, detail->text_name);
    put_hash(table, &detail->text->hash);
    put_texts(table, detail->set, detail->n_set);
    put_files(table, detail);
    put_texts(table, detail->recalled, detail->n_recalled);
    put_hash(table, &detail->bundle);
    cs_status status = cs_table_print_record(table, client->format, stdout, err);
    cs_table_free(table);
    return status;
}

cs_exit cs_run_show_job(cs_client *client, const void *input)
{
    const cs_job_input *told = input;
    cs_error error = {0};
    Codesign__Reply *reply = cs_client_show_job(client, told->job, &error);
    if (!reply) {
        return cs_client_fail(&error);
    }
    cs_status status = CS_OK;
    if (told->export_folder) {
        status = cs_client_export(client, reply->job_detail, told->export_folder, &error);
    }
    if (!status) {
        status = print_detail(client, reply->job_detail, &error);
    }
    cs_wire_free(&reply->base);
    return status ? cs_client_fail(&error) : CS_EXIT_OK;
}

/* ---- cancel-job, pause-job, resume-job ---- */

static cs_exit change_job(cs_client *client, Codesign__ChangeJob *change)
{
    cs_error error = {0};
    cs_session *session = cs_client_session(client, &error);
    if (!session) {
        return cs_client_fail(&error);
    }
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.body_case = CODESIGN__REQUEST__BODY_CHANGE_JOB;
    request.change_job = change;
    Codesign__Reply *reply =
        cs_session_call(session, &request, CODESIGN__REPLY__BODY_JOB_CHANGED, &error);
    if (!reply) {
        return cs_client_fail(&error);
    }
    Codesign__Job *job = reply->job_changed->job;
    cs_status status = CS_OK;
    if (client->format == CS_FORMAT_TABLE) {
        printf("job %" PRIu64 " is %s", job->job, cs_job_state_text(job->state));
        if (job->reason && *job->reason) {
            fputs(": ", stdout);
            cs_text_put(stdout, job->reason);
        }
        putchar('\n');
    } else {
        status = cs_client_print_jobs(client, &job, 1, true, &error);
    }
    cs_wire_free(&reply->base);
    return status ? cs_client_fail(&error) : CS_EXIT_OK;
}

static Codesign__ChangeJob change_of(const cs_job_input *told, Codesign__Change what)
{
    Codesign__ChangeJob change = CODESIGN__CHANGE_JOB__INIT;
    change.job = told->job;
    change.change = what;
    change.has_with_current = told->with_current;
    change.with_current = told->with_current;
    return change;
}

cs_exit cs_run_cancel_job(cs_client *client, const void *input)
{
    Codesign__ChangeJob change = change_of(input, CODESIGN__CHANGE__CANCEL);
    return change_job(client, &change);
}

cs_exit cs_run_pause_job(cs_client *client, const void *input)
{
    Codesign__ChangeJob change = change_of(input, CODESIGN__CHANGE__PAUSE);
    return change_job(client, &change);
}

cs_exit cs_run_resume_job(cs_client *client, const void *input)
{
    Codesign__ChangeJob change = change_of(input, CODESIGN__CHANGE__RESUME);
    return change_job(client, &change);
}

/* ---- ping ---- */

cs_exit cs_run_ping(cs_client *client, const void *input)
{
    (void)input;
    cs_error error = {0};
    cs_session *session = cs_client_session(client, &error);
    if (!session) {
        return cs_client_fail(&error);
    }
    Codesign__Ping ping = CODESIGN__PING__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.body_case = CODESIGN__REQUEST__BODY_PING;
    request.ping = &ping;
    struct timespec sent, answered;
    clock_gettime(CLOCK_MONOTONIC, &sent);
    Codesign__Reply *reply = cs_session_call(session, &request, CODESIGN__REPLY__BODY_PONG, &error);
    clock_gettime(CLOCK_MONOTONIC, &answered);
    if (!reply) {
        return cs_client_fail(&error);
    }
    cs_table *table = cs_table_new();
    if (!table) {
        cs_wire_free(&reply->base);
        cs_fail_memory(&error);
        return cs_client_fail(&error);
    }
    cs_table_add_column(table, "server", "server", CS_COLUMN_BOTH);
    cs_table_add_column(table, "protocol", "protocol", CS_COLUMN_BOTH);
    cs_table_add_column(table, "uptime_s", "up for s", CS_COLUMN_BOTH);
    cs_table_add_column(table, "answer_ms", "answered in ms", CS_COLUMN_BOTH);
    cs_table_add_row(table);
    cs_table_put_text(table, reply->pong->server);
    cs_table_put_count(table, reply->pong->version);
    cs_table_put_real(table, (double)reply->pong->uptime_ms / 1000);
    cs_table_put_real(table, (double)(answered.tv_sec - sent.tv_sec) * 1e3 +
                                 (double)(answered.tv_nsec - sent.tv_nsec) / 1e6);
    cs_status status = cs_table_print_record(table, client->format, stdout, &error);
    cs_table_free(table);
    cs_wire_free(&reply->base);
    return status ? cs_client_fail(&error) : CS_EXIT_OK;
}
