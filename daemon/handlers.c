/* Request handlers: see handlers.h. */
#include "daemon/handlers.h"

#include "daemon/convert.h"
#include "daemon/server.h"
#include "daemon/submit.h"
#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

#define JOBS_DEFAULT       100u
#define JOBS_MAX           1000u
#define CANDIDATES_DEFAULT 1000u
#define CANDIDATES_MAX     4096u

static void refuse(cs_server *server, const cs_address *address, cs_status status, const char *text)
{
    cs_error error;
    cs_fail(&error, status, "%s", text);
    cs_server_refuse(server, address, &error);
}

/* The job of that number; if there is none the client has been told. */
static cs_job *job_or_refuse(cs_server *server, const cs_address *address, uint64_t id)
{
    cs_job *job = cs_jobs_find(&server->jobs, id);
    if (!job) {
        cs_error error;
        cs_fail(&error, CS_ENOENT, "there is no job %llu", (unsigned long long)id);
        cs_server_refuse(server, address, &error);
    }
    return job;
}

/* ---- answered at once ---- */

static void ping(cs_server *server, const cs_address *address, const Codesign__Request *request)
{
    (void)request;
    static const char name[] = "codesignd " CODESIGN_VERSION;
    Codesign__Pong pong = CODESIGN__PONG__INIT;
    pong.server = (char *)(uintptr_t)name;
    pong.version = CS_WIRE_VERSION;
    pong.uptime_ms = cs_server_now_ms() - server->started_ms;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_PONG;
    reply.pong = &pong;
    (void)cs_server_send(server, address, &reply);
}

static void list_jobs(cs_server *server, const cs_address *address,
                      const Codesign__Request *request)
{
    const Codesign__ListJobs *body = request->list_jobs;
    uint32_t limit = body->has_limit ? body->limit : JOBS_DEFAULT;
    limit = limit < 1 ? 1 : limit > JOBS_MAX ? JOBS_MAX : limit;
    cs_job_message *messages = calloc(limit, sizeof *messages);
    Codesign__Job **pointers = calloc(limit, sizeof(Codesign__Job *));
    if (!messages || !pointers) {
        refuse(server, address, CS_ENOMEM, "out of memory");
    } else {
        Codesign__JobList list = CODESIGN__JOB_LIST__INIT;
        list.jobs = pointers;
        for (size_t i = server->jobs.count; i-- > 0 && !list.more;) {
            const cs_job *job = server->jobs.all[i];
            if (body->has_before && job->row.id >= body->before) {
                continue;
            }
            if (list.n_jobs == limit) {
                list.more = true;
                break;
            }
            cs_convert_job(job, &messages[list.n_jobs]);
            pointers[list.n_jobs] = &messages[list.n_jobs].message;
            list.n_jobs++;
        }
        Codesign__Reply reply = CODESIGN__REPLY__INIT;
        reply.body_case = CODESIGN__REPLY__BODY_JOB_LIST;
        reply.job_list = &list;
        (void)cs_server_send(server, address, &reply);
    }
    free(messages);
    free(pointers);
}

/* ---- handed on ---- */

static void put_file(cs_server *server, const cs_address *address, const Codesign__Request *request)
{
    cs_submit_put_file(server, address, request->put_file);
}

static void submit_job(cs_server *server, const cs_address *address,
                       const Codesign__Request *request)
{
    cs_submit_job(server, address, request->has_key ? &request->key : NULL, request->submit_job);
}

static void change_job(cs_server *server, const cs_address *address,
                       const Codesign__Request *request)
{
    const Codesign__ChangeJob *body = request->change_job;
    cs_job *job = job_or_refuse(server, address, body->job);
    if (!job) {
        return;
    }
    cs_change change = CS_CHANGE_CANCEL;
    switch (body->change) {
    case CODESIGN__CHANGE__CANCEL:
        break;
    case CODESIGN__CHANGE__PAUSE:
        change = CS_CHANGE_PAUSE;
        break;
    case CODESIGN__CHANGE__RESUME:
        change = body->has_with_current && body->with_current ? CS_CHANGE_RESUME_CURRENT
                                                              : CS_CHANGE_RESUME;
        break;
    default:
        refuse(server, address, CS_EINVAL, "change: there is no such change");
        return;
    }
    cs_jobs_change(server, job, change, address);
}

static void watch(cs_server *server, const cs_address *address, const Codesign__Request *request)
{
    cs_watch_begin(server, address, request->watch);
}

static void watch_ack(cs_server *server, const cs_address *address,
                      const Codesign__Request *request)
{
    cs_watch_acknowledge(server, address, request->watch_ack);
}

static void unwatch(cs_server *server, const cs_address *address, const Codesign__Request *request)
{
    cs_watch_end(server, address, request->unwatch);
}

/* ---- answered from the store ---- */

/* A question to the store, which knows by itself whom to answer. */
typedef struct query {
    cs_operation operation; /* first */
    cs_address address;
    uint64_t job;
    /* show_job */
    cs_job_detail detail;
    cs_bundle bundle;
    /* get_file */
    cs_hash hash;
    uint64_t offset;
    /* list_candidates */
    uint64_t from, next;
    uint32_t limit, count;
    bool more, failed;
    uint32_t genome_bytes, metric_count;
    cs_buffer indices, genomes, outcomes, metrics;
} query;

static void free_query(query *self)
{
    cs_job_detail_release(&self->detail);
    cs_bundle_release(&self->bundle);
    cs_buffer_release(&self->indices);
    cs_buffer_release(&self->genomes);
    cs_buffer_release(&self->outcomes);
    cs_buffer_release(&self->metrics);
    free(self);
}

/* A query about an existing job, or NULL: then the client has been told. */
static query *new_query(cs_server *server, const cs_address *address, uint64_t job,
                        cs_status (*run)(cs_operation *, cs_store *, cs_error *),
                        void (*done)(cs_operation *, void *))
{
    if (!job_or_refuse(server, address, job)) {
        return NULL;
    }
    query *self = calloc(1, sizeof *self);
    if (!self) {
        refuse(server, address, CS_ENOMEM, "out of memory");
        return NULL;
    }
    self->operation = (cs_operation){.run = run, .done = done};
    self->address = *address;
    self->job = job;
    return self;
}

static cs_status read_job(cs_operation *operation, cs_store *store, cs_error *err)
{
    query *self = (query *)operation;
    cs_status status = store->class->get_detail(store, self->job, &self->detail, err);
    return status ? status : store->class->get_bundle(store, self->job, &self->bundle, err);
}

/* The lines of a text, cut in place; at most `limit` of them. */
static size_t split_lines(char *text, char **lines, size_t limit)
{
    size_t count = 0;
    char *rest = text;
    for (char *line; count < limit && (line = strsep(&rest, "\n")) != NULL;) {
        if (*line) {
            lines[count++] = line;
        }
    }
    return count;
}

static void send_job_detail(cs_server *server, query *self, const cs_job *job,
                            Codesign__Schema *schema)
{
    const cs_bundle *bundle = &self->bundle;
    cs_job_message message;
    cs_convert_job(job, &message);
    cs_hash text_hash = cs_hash_of(bundle->text, bundle->text_size);
    Codesign__NamedFile text = CODESIGN__NAMED_FILE__INIT;
    text.name = bundle->text_name;
    text.hash = cs_convert_bytes(text_hash.bytes, CS_HASH_BYTES);
    text.has_size = true;
    text.size = bundle->text_size;
    Codesign__NamedFile files[CS_BUNDLE_MAX_FILES];
    Codesign__NamedFile *file_pointers[CS_BUNDLE_MAX_FILES];
    for (size_t i = 0; i < bundle->file_count; i++) {
        codesign__named_file__init(&files[i]);
        files[i].name = bundle->files[i].name;
        files[i].hash = cs_convert_bytes(bundle->files[i].hash.bytes, CS_HASH_BYTES);
        files[i].has_size = true;
        files[i].size = bundle->files[i].size;
        file_pointers[i] = &files[i];
    }
    char *recalled[CS_BUNDLE_MAX_FILES];
    Codesign__JobDetail detail = CODESIGN__JOB_DETAIL__INIT;
    detail.job = &message.message;
    detail.schema = schema;
    detail.text_name = bundle->text_name;
    detail.text = &text;
    detail.n_set = bundle->set_count;
    detail.set = bundle->sets;
    detail.n_files = bundle->file_count;
    detail.files = file_pointers;
    detail.simulator = (char *)(uintptr_t)job->row.simulator;
    detail.simulator_revision = job->row.simulator_revision;
    detail.space_size = self->detail.space_size;
    detail.n_recalled = split_lines(self->detail.recalled, recalled, CS_BUNDLE_MAX_FILES);
    detail.recalled = recalled;
    detail.seed = job->row.seed;
    detail.keep_all = job->row.keep_all;
    detail.bundle = cs_convert_bytes(job->row.bundle.bytes, CS_HASH_BYTES);
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.body_case = CODESIGN__REPLY__BODY_JOB_DETAIL;
    reply.job_detail = &detail;
    (void)cs_server_send(server, &self->address, &reply);
}

static void job_read(cs_operation *operation, void *context)
{
    cs_server *server = context;
    query *self = (query *)operation;
    cs_error *error = &operation->error;
    const cs_job *job = cs_jobs_find(&server->jobs, self->job);
    Codesign__Schema *schema = NULL;
    if (!error->status) {
        schema = (Codesign__Schema *)cs_wire_unpack(&codesign__schema__descriptor,
                                                    self->detail.schema.data,
                                                    self->detail.schema.size, error);
    }
    if (schema) {
        send_job_detail(server, self, job, schema);
        cs_wire_free(&schema->base);
    } else {
        cs_server_refuse(server, &self->address, error);
    }
    free_query(self);
}

static void show_job(cs_server *server, const cs_address *address, const Codesign__Request *request)
{
    query *self = new_query(server, address, request->show_job->job, read_job, job_read);
    if (self) {
        cs_server_store(server, &self->operation);
    }
}

static cs_status read_bundle(cs_operation *operation, cs_store *store, cs_error *err)
{
    query *self = (query *)operation;
    return store->class->get_bundle(store, self->job, &self->bundle, err);
}

/* The bytes of the bundle's file with that hash, or NULL. */
static const char *find_by_hash(const cs_bundle *bundle, const cs_hash *hash, size_t *size)
{
    cs_hash text_hash = cs_hash_of(bundle->text, bundle->text_size);
    if (memcmp(text_hash.bytes, hash->bytes, CS_HASH_BYTES) == 0) {
        *size = bundle->text_size;
        return bundle->text;
    }
    for (size_t i = 0; i < bundle->file_count; i++) {
        if (memcmp(bundle->files[i].hash.bytes, hash->bytes, CS_HASH_BYTES) == 0) {
            *size = bundle->files[i].size;
            return bundle->files[i].bytes;
        }
    }
    return NULL;
}

static void bundle_read(cs_operation *operation, void *context)
{
    cs_server *server = context;
    query *self = (query *)operation;
    size_t size = 0;
    const char *bytes = NULL;
    if (operation->error.status) {
        cs_server_refuse(server, &self->address, &operation->error);
    } else if (!(bytes = find_by_hash(&self->bundle, &self->hash, &size))) {
        refuse(server, &self->address, CS_ENOENT, "the job's bundle has no file with this hash");
    } else if (self->offset > size) {
        refuse(server, &self->address, CS_EINVAL, "offset: is beyond the file's end");
    } else {
        size_t left = size - (size_t)self->offset;
        Codesign__FileChunk chunk = CODESIGN__FILE_CHUNK__INIT;
        chunk.size = size;
        chunk.data =
            cs_convert_bytes(bytes + self->offset, left < CS_WIRE_CHUNK ? left : CS_WIRE_CHUNK);
        Codesign__Reply reply = CODESIGN__REPLY__INIT;
        reply.body_case = CODESIGN__REPLY__BODY_FILE_CHUNK;
        reply.file_chunk = &chunk;
        (void)cs_server_send(server, &self->address, &reply);
    }
    free_query(self);
}

static void get_file(cs_server *server, const cs_address *address, const Codesign__Request *request)
{
    const Codesign__GetFile *body = request->get_file;
    if (body->hash.len != CS_HASH_BYTES) {
        refuse(server, address, CS_EINVAL, "hash: must have 32 bytes (SHA-256)");
        return;
    }
    query *self = new_query(server, address, body->job, read_bundle, bundle_read);
    if (self) {
        memcpy(self->hash.bytes, body->hash.data, CS_HASH_BYTES);
        self->offset = body->offset;
        cs_server_store(server, &self->operation);
    }
}

/* Take the rows of one record that are asked for. */
static bool take_rows(const void *blob, size_t size, void *context)
{
    query *self = context;
    cs_record record;
    if (cs_record_read(blob, size, self->genome_bytes, self->metric_count, &record,
                       &self->operation.error)) {
        self->failed = true;
        return false;
    }
    size_t row_bytes = self->metric_count * sizeof(double);
    for (uint32_t i = 0; i < record.rows.count; i++) {
        uint64_t index = record.first_index + (record.keep_all ? i : cs_record_entrant(&record, i));
        if (index < self->from) {
            continue;
        }
        if (self->count == self->limit) {
            self->more = true;
            self->next = index;
            return false;
        }
        cs_buffer_put_u64(&self->indices, index);
        cs_buffer_put(&self->genomes, record.rows.genomes + (size_t)i * self->genome_bytes,
                      self->genome_bytes);
        cs_buffer_put_u8(&self->outcomes, record.rows.outcomes[i]);
        cs_buffer_put(&self->metrics, record.rows.metrics + i * row_bytes, row_bytes);
        self->count++;
    }
    return true;
}

static cs_status read_candidates(cs_operation *operation, cs_store *store, cs_error *err)
{
    query *self = (query *)operation;
    cs_status status =
        store->class->read_records(store, self->job, self->from, take_rows, self, err);
    if (!status && self->failed) {
        return CS_ECORRUPT;
    }
    if (!status && (self->indices.failed || self->genomes.failed || self->outcomes.failed ||
                    self->metrics.failed)) {
        return cs_fail_memory(err);
    }
    return status;
}

static void candidates_read(cs_operation *operation, void *context)
{
    cs_server *server = context;
    query *self = (query *)operation;
    if (operation->error.status) {
        cs_server_refuse(server, &self->address, &operation->error);
    } else {
        Codesign__Candidates rows;
        cs_convert_rows(self->count, self->genome_bytes, self->metric_count,
                        (const uint64_t *)(const void *)self->indices.data, self->genomes.data,
                        self->outcomes.data, (const double *)(const void *)self->metrics.data,
                        &rows);
        Codesign__CandidatePage page = CODESIGN__CANDIDATE_PAGE__INIT;
        page.candidates = &rows;
        page.has_next = self->more;
        page.next = self->next;
        page.keep_all = cs_jobs_find(&server->jobs, self->job)->row.keep_all;
        Codesign__Reply reply = CODESIGN__REPLY__INIT;
        reply.body_case = CODESIGN__REPLY__BODY_CANDIDATE_PAGE;
        reply.candidate_page = &page;
        (void)cs_server_send(server, &self->address, &reply);
    }
    free_query(self);
}

static void list_candidates(cs_server *server, const cs_address *address,
                            const Codesign__Request *request)
{
    const Codesign__ListCandidates *body = request->list_candidates;
    query *self = new_query(server, address, body->job, read_candidates, candidates_read);
    if (self) {
        const cs_job *job = cs_jobs_find(&server->jobs, body->job);
        uint32_t limit = body->has_limit ? body->limit : CANDIDATES_DEFAULT;
        uint32_t most =
            cs_convert_rows_fit(job->row.genome_bytes, job->row.metric_count, CANDIDATES_MAX);
        self->limit = limit < 1 ? 1 : limit > most ? most : limit;
        self->from = body->from;
        self->genome_bytes = job->row.genome_bytes;
        self->metric_count = job->row.metric_count;
        cs_server_store(server, &self->operation);
    }
}

/* ---- the table ---- */

typedef void handler(cs_server *server, const cs_address *address,
                     const Codesign__Request *request);

static handler *const handlers[] = {
    [CODESIGN__REQUEST__BODY_PING] = ping,
    [CODESIGN__REQUEST__BODY_PUT_FILE] = put_file,
    [CODESIGN__REQUEST__BODY_GET_FILE] = get_file,
    [CODESIGN__REQUEST__BODY_SUBMIT_JOB] = submit_job,
    [CODESIGN__REQUEST__BODY_LIST_JOBS] = list_jobs,
    [CODESIGN__REQUEST__BODY_SHOW_JOB] = show_job,
    [CODESIGN__REQUEST__BODY_LIST_CANDIDATES] = list_candidates,
    [CODESIGN__REQUEST__BODY_CHANGE_JOB] = change_job,
    [CODESIGN__REQUEST__BODY_WATCH] = watch,
    [CODESIGN__REQUEST__BODY_WATCH_ACK] = watch_ack,
    [CODESIGN__REQUEST__BODY_UNWATCH] = unwatch,
};

void cs_handle_frame(cs_server *server, cs_address *address, const void *frame, size_t size)
{
    cs_error error;
    address->request = 0;
    Codesign__Request *request =
        (Codesign__Request *)cs_wire_unpack(&codesign__request__descriptor, frame, size, &error);
    if (!request) {
        cs_server_refuse(server, address, &error);
        return;
    }
    address->request = request->id;
    size_t kind = request->body_case;
    if (request->version != CS_WIRE_VERSION) {
        cs_fail(&error, CS_EVERSION, "this server speaks version %u of the protocol, not %u",
                CS_WIRE_VERSION, request->version);
        cs_server_refuse(server, address, &error);
    } else if (kind >= sizeof handlers / sizeof *handlers || !handlers[kind]) {
        refuse(server, address, CS_EINVAL, "body: the request asks for nothing known");
    } else {
        handlers[kind](server, address, request);
    }
    cs_wire_free(&request->base);
}
