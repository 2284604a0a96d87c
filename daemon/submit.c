/* Submission: see submit.h. */
#include "daemon/submit.h"

#include "base/library.h"
#include "daemon/convert.h"
#include "daemon/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes of the submissions that may be on their way at a time. A worker checks one in milliseconds,
 * so only a flood meets this. */
#define SUBMISSION_BYTES (128u << 20)

/* A submission on its way: checked on a worker, then added by the writer. */
typedef struct cs_admission {
    cs_task check;       /* first */
    cs_operation adding; /* found back by offsetof */
    cs_server *server;
    uint8_t key[CS_SUBMIT_KEY_BYTES];
    cs_waiter *waiters;
    cs_bundle sent;   /* text, sets and the files that came with them */
    cs_bundle bundle; /* the same with the server's own files, and nothing that is not named */
    cs_plan *plan;
    cs_job_row row;
    cs_job_detail detail;
    cs_error error;
    bool started; /* the check is in the pool, or done */
    bool added;
    struct cs_admission *next; /* an older one */
} cs_admission;

static void free_admission(cs_admission *admission)
{
    while (admission->waiters) {
        cs_waiter *next = admission->waiters->next;
        free(admission->waiters);
        admission->waiters = next;
    }
    cs_bundle_release(&admission->sent);
    cs_bundle_release(&admission->bundle);
    cs_plan_free(admission->plan);
    cs_job_detail_release(&admission->detail);
    free(admission);
}

static void unlink_admission(cs_admission *admission)
{
    cs_admission **at = &admission->server->admissions;
    while (*at != admission) {
        at = &(*at)->next;
    }
    *at = admission->next;
}

static size_t bundle_bytes(const cs_bundle *bundle)
{
    size_t bytes = bundle->text_size + CS_BUNDLE_MAX_SETS * CS_BUNDLE_MAX_SET_BYTES;
    for (size_t i = 0; i < bundle->file_count; i++) {
        bytes += bundle->files[i].size;
    }
    return bytes;
}

static void refuse_admission(cs_admission *admission, const cs_error *error)
{
    for (const cs_waiter *waiter = admission->waiters; waiter; waiter = waiter->next) {
        cs_server_refuse(admission->server, &waiter->address, error);
    }
    unlink_admission(admission);
    free_admission(admission);
}

static void answer_submitted(cs_server *server, const cs_address *address, uint64_t job)
{
    Codesign__Submitted submitted = CODESIGN__SUBMITTED__INIT;
    submitted.has_job = true;
    submitted.job = job;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_SUBMITTED;
    reply.submitted = &submitted;
    (void)cs_server_send(server, address, &reply);
}

/* ---- on a worker ---- */

/* Put the files that the job names into the bundle: sent ones first, then the library's. */
static cs_status gather_files(cs_admission *admission, cs_error *err)
{
    cs_bundle *bundle = &admission->bundle;
    const cs_bundle *sent = &admission->sent;
    cs_status status =
        cs_bundle_set_text(bundle, sent->text_name, sent->text, sent->text_size, err);
    for (size_t i = 0; !status && i < sent->set_count; i++) {
        status = cs_bundle_add_set(bundle, sent->sets[i], err);
    }
    if (status) {
        return status;
    }
    cs_conf *conf = cs_bundle_parse(bundle, err);
    if (!conf) {
        return CS_EINVAL;
    }
    for (const cs_bundle_role *role = cs_bundle_roles; role->key && !status; role++) {
        cs_conf_node place = cs_conf_member(cs_conf_root(conf), role->key);
        const char *name;
        if (!cs_conf_exists(place)) {
            continue;
        }
        status = cs_conf_as_string(place, &name, err);
        if (status || cs_bundle_find(bundle, name)) {
            continue;
        }
        const cs_bundle_file *file = cs_bundle_find(sent, name);
        if (file) {
            status = cs_bundle_add_file(bundle, name, file->bytes, file->size, err);
        } else if (strchr(name, '/')) {
            status = cs_conf_fail(place, err, "the file '%s' was not sent with the job", name);
        } else {
            size_t size;
            cs_error failure;
            char *bytes = cs_library_read(admission->server->settings.library, role->folder, name,
                                          CS_BUNDLE_MAX_FILE_BYTES, &size, &failure);
            status = bytes ? cs_bundle_add_file(bundle, name, bytes, size, err)
                           : cs_conf_fail(place, err, "%s", failure.text);
            free(bytes);
        }
    }
    cs_conf_free(conf);
    return status;
}

static cs_status fill_row(cs_admission *admission, cs_error *err)
{
    const cs_plan *plan = admission->plan;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    cs_job_row *row = &admission->row;
    *row = (cs_job_row){
        .simulator_revision = plan->simulator->revision,
        .bundle = plan->bundle_hash,
        .submitted_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
        .seed = plan->seed,
        .budget = plan->evaluations,
        .batch = plan->batch,
        .genome_bytes = (uint32_t)cs_space_genome_bytes(plan->space),
        .metric_count = plan->metric_count,
        .keep_all = plan->keep_all,
        .state = CS_JOB_ACTIVE,
    };
    memcpy(row->key, admission->key, sizeof row->key);
    snprintf(row->name, sizeof row->name, "%s", plan->name);
    snprintf(row->owner, sizeof row->owner, "local");
    snprintf(row->engine, sizeof row->engine, "%s", plan->engine->name);
    snprintf(row->simulator, sizeof row->simulator, "%s", plan->simulator->name);

    cs_job_detail *detail = &admission->detail;
    cs_buffer recalled = {0};
    for (uint32_t i = 0; i < plan->recalled_count; i++) {
        cs_buffer_put(&recalled, plan->recalled[i], strlen(plan->recalled[i]));
        cs_buffer_put(&recalled, "\n", 1);
    }
    cs_buffer_put_u8(&recalled, 0);
    detail->recalled = (char *)recalled.data;
    detail->space_size = strdup(cs_space_size_text(plan->space));
    if (recalled.failed || !detail->space_size) {
        return cs_fail_memory(err);
    }
    return cs_convert_schema(plan, &detail->schema, err);
}

static bool check_admission(cs_task *task, cs_worker *worker)
{
    (void)worker;
    cs_admission *admission = (cs_admission *)task;
    cs_error *err = &admission->error;
    if (!gather_files(admission, err)) {
        admission->plan = cs_plan_new(&admission->bundle, err);
        if (admission->plan && !fill_row(admission, err)) {
            err->status = CS_OK;
        }
    }
    return true;
}

/* ---- on the writer's thread ---- */

static cs_admission *admission_of(cs_operation *operation)
{
    return (cs_admission *)(void *)((char *)operation - offsetof(cs_admission, adding));
}

static cs_status add_job(cs_operation *operation, cs_store *store, cs_error *err)
{
    cs_admission *admission = admission_of(operation);
    return store->class->add_job(store, &admission->row, &admission->detail, &admission->bundle,
                                 &admission->added, err);
}

/* ---- on the loop ---- */

static void job_added(cs_operation *operation, void *context)
{
    cs_server *server = context;
    cs_admission *admission = admission_of(operation);
    if (operation->error.status) {
        refuse_admission(admission, &operation->error);
        return;
    }
    if (admission->added) {
        if (!cs_jobs_add(server, &admission->row, admission->plan)) {
            cs_error error;
            cs_fail(&error, CS_ENOMEM, "job %llu is stored, but will wait for the next start: %s",
                    (unsigned long long)admission->row.id, cs_status_text(CS_ENOMEM));
            admission->plan = NULL;
            refuse_admission(admission, &error);
            return;
        }
        admission->plan = NULL;
        cs_log(CS_LOG_NOTICE, "job %llu accepted: %s", (unsigned long long)admission->row.id,
               admission->row.name);
    }
    for (const cs_waiter *waiter = admission->waiters; waiter; waiter = waiter->next) {
        answer_submitted(server, &waiter->address, admission->row.id);
    }
    unlink_admission(admission);
    free_admission(admission);
}

/* Hand the oldest admission to a worker. One at a time: checks are not cut into slices, and many of
 * them would keep the jobs from running. */
static void start_check(cs_server *server)
{
    cs_admission *oldest = NULL;
    for (cs_admission *at = server->admissions; at; at = at->next) {
        if (!at->started) {
            oldest = at;
        }
    }
    if (oldest && !server->checking && !server->stopping) {
        server->checking = true;
        oldest->started = true;
        cs_pool_submit(server->pool, &oldest->check);
    }
}

static void admission_checked(cs_task *task, void *context)
{
    cs_server *server = context;
    cs_admission *admission = (cs_admission *)task;
    server->checking = false;
    start_check(server);
    if (admission->error.status) {
        refuse_admission(admission, &admission->error);
        return;
    }
    cs_server_store(server, &admission->adding);
}

void cs_submit_put_file(cs_server *server, const cs_address *address,
                        const Codesign__PutFile *request)
{
    cs_error error;
    cs_hash hash;
    uint64_t received = 0;
    if (request->hash.len != CS_HASH_BYTES) {
        cs_fail(&error, CS_EINVAL, "hash: must have %d bytes (SHA-256)", CS_HASH_BYTES);
        cs_server_refuse(server, address, &error);
        return;
    }
    memcpy(hash.bytes, request->hash.data, CS_HASH_BYTES);
    if (cs_uploads_put(server->uploads, &hash, request->size, request->offset, request->data.data,
                       request->data.len, &received, &error)) {
        cs_server_refuse(server, address, &error);
        return;
    }
    Codesign__FileStored stored = CODESIGN__FILE_STORED__INIT;
    stored.received = received;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_FILE_STORED;
    reply.file_stored = &stored;
    (void)cs_server_send(server, address, &reply);
}

/* True if all files are here; else the client has been told which are missing. */
static bool have_files(cs_server *server, const cs_address *address,
                       const Codesign__SubmitJob *request)
{
    ProtobufCBinaryData missing[CS_BUNDLE_MAX_FILES];
    Codesign__Submitted submitted = CODESIGN__SUBMITTED__INIT;
    submitted.missing = missing;
    for (size_t i = 0; i < request->n_files; i++) {
        cs_hash hash;
        size_t size;
        memcpy(hash.bytes, request->files[i]->hash.data, CS_HASH_BYTES);
        if (!cs_uploads_get(server->uploads, &hash, &size)) {
            missing[submitted.n_missing++] = request->files[i]->hash;
        }
    }
    if (submitted.n_missing) {
        Codesign__Reply reply = CODESIGN__REPLY__INIT;
        reply.body_case = CODESIGN__REPLY__BODY_SUBMITTED;
        reply.submitted = &submitted;
        (void)cs_server_send(server, address, &reply);
    }
    return submitted.n_missing == 0;
}

static cs_status copy_request(cs_server *server, const Codesign__SubmitJob *request,
                              cs_bundle *bundle, cs_error *err)
{
    cs_status status =
        cs_bundle_set_text(bundle, request->text_name, request->text.data, request->text.len, err);
    for (size_t i = 0; !status && i < request->n_set; i++) {
        status = cs_bundle_add_set(bundle, request->set[i], err);
    }
    for (size_t i = 0; !status && i < request->n_files; i++) {
        cs_hash hash;
        size_t size;
        memcpy(hash.bytes, request->files[i]->hash.data, CS_HASH_BYTES);
        const void *bytes = cs_uploads_get(server->uploads, &hash, &size);
        status = cs_bundle_add_file(bundle, request->files[i]->name, bytes, size, err);
    }
    return status;
}

static cs_status check_request(const cs_server *server, const ProtobufCBinaryData *key,
                               const Codesign__SubmitJob *request, cs_error *err)
{
    if (server->stopping) {
        return cs_fail(err, CS_EBUSY, "the server is stopping; submit again when it is back");
    }
    if (!key || key->len != CS_SUBMIT_KEY_BYTES) {
        return cs_fail(err, CS_EINVAL, "key: submit_job needs one of %d bytes",
                       CS_SUBMIT_KEY_BYTES);
    }
    if (request->n_files > CS_BUNDLE_MAX_FILES) {
        return cs_fail(err, CS_ELIMIT, "files: at most %d", CS_BUNDLE_MAX_FILES);
    }
    for (size_t i = 0; i < request->n_files; i++) {
        if (request->files[i]->hash.len != CS_HASH_BYTES) {
            return cs_fail(err, CS_EINVAL, "files: a hash must have %d bytes (SHA-256)",
                           CS_HASH_BYTES);
        }
    }
    return CS_OK;
}

void cs_submit_job(cs_server *server, const cs_address *address, const ProtobufCBinaryData *key,
                   const Codesign__SubmitJob *request)
{
    cs_error error;
    if (check_request(server, key, request, &error)) {
        cs_server_refuse(server, address, &error);
        return;
    }
    const cs_job *job = cs_jobs_find_key(&server->jobs, key->data);
    if (job) {
        answer_submitted(server, address, job->row.id);
        return;
    }
    cs_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter) {
        cs_fail_memory(&error);
        cs_server_refuse(server, address, &error);
        return;
    }
    waiter->address = *address;
    size_t bytes = 0;
    for (cs_admission *at = server->admissions; at; at = at->next) {
        if (memcmp(at->key, key->data, CS_SUBMIT_KEY_BYTES) == 0) {
            waiter->next = at->waiters;
            at->waiters = waiter;
            return;
        }
        bytes += bundle_bytes(&at->sent);
    }
    if (bytes > SUBMISSION_BYTES) {
        free(waiter);
        cs_fail(&error, CS_EBUSY, "too many jobs are being submitted; submit again");
        cs_server_refuse(server, address, &error);
        return;
    }
    if (!have_files(server, address, request)) {
        free(waiter);
        return;
    }
    cs_admission *admission = calloc(1, sizeof *admission);
    if (!admission || copy_request(server, request, &admission->sent, &error)) {
        if (!admission) {
            cs_fail_memory(&error);
        } else {
            free_admission(admission);
        }
        free(waiter);
        cs_server_refuse(server, address, &error);
        return;
    }
    admission->check = (cs_task){.run = check_admission, .done = admission_checked};
    admission->adding = (cs_operation){.run = add_job, .done = job_added, .write = true};
    admission->server = server;
    admission->waiters = waiter;
    memcpy(admission->key, key->data, CS_SUBMIT_KEY_BYTES);
    admission->next = server->admissions;
    server->admissions = admission;
    start_check(server);
}

void cs_submit_close(cs_server *server)
{
    while (server->admissions) {
        cs_admission *next = server->admissions->next;
        free_admission(server->admissions);
        server->admissions = next;
    }
}
