/* The store on SQLite: see store.h; docs/storage.md has the tables and why they are so.
 *
 * What happens all the time is add_generation, some ten of them a commit, of as many jobs: the blob
 * is appended to the end of one table in the order of arrival, a few bytes go to the job's place in
 * another, and the job's checkpoint is replaced. (With the blobs at their job's place, each insert
 * rewrote its neighbours' pages, too: 100 us of CPU instead of 57.) Jobs come and change rarely,
 * and are listed often: their rows are short, and everything large about them is in other tables.
 */
#include "daemon/store.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME       "codesign.db"
#define APPLICATION_ID  0x43534431 /* "CSD1" */
#define BUSY_TIMEOUT_MS 5000

/* Measured with ten jobs, records of 15 KB and checkpoints of 8 KB: 68 us of CPU a generation with
 * pages of 4096 bytes, 57 with 8192, 53 with 16384; with records and checkpoints of 30 bytes 12, 15
 * and 19. */
#define PAGE_BYTES 8192

/* The write-ahead log is copied into the database when it has grown by so many pages: often enough
 * to keep recovery short, seldom enough that a page written many times is copied once. A reader in
 * the middle of a read keeps the log from starting over; beyond the second figure the commit waits
 * a moment for readers, which let go after a slice of their records. */
#define WAL_PAGES        ((16 << 20) / PAGE_BYTES)
#define WAL_PAGES_MOST   ((64 << 20) / PAGE_BYTES)
#define READER_WAIT_MS   25
#define READER_WAITS     10
#define READ_SLICE_ROWS  256
#define READ_SLICE_BYTES (1 << 20)

#define INDEX_BITS 40
static_assert(CS_CANDIDATE_MAX == 1ull << INDEX_BITS, "a generation's id holds both numbers");
static_assert((uint64_t)CS_JOB_MAX << INDEX_BITS < 1ull << 63, "ids are positive");

/* The text at i makes a database of version i one of version i + 1. Texts that were released are
 * never changed. */
static const char *const migrations[] = {
    "CREATE TABLE file("
    " hash BLOB PRIMARY KEY NOT NULL CHECK(length(hash) = 32),"
    " bytes BLOB NOT NULL) STRICT;"

    "CREATE TABLE basis("
    " id INTEGER PRIMARY KEY,"
    " simulator TEXT NOT NULL,"
    " revision INTEGER NOT NULL,"
    " bundle BLOB NOT NULL CHECK(length(bundle) = 32),"
    " UNIQUE(bundle, simulator, revision)) STRICT;"

    /* AUTOINCREMENT: a candidate is called JOB/INDEX for ever, so no number is given twice. */
    "CREATE TABLE job("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key BLOB NOT NULL UNIQUE CHECK(length(key) = 16),"
    " name TEXT NOT NULL,"
    " owner TEXT NOT NULL,"
    " engine TEXT NOT NULL,"
    " basis INTEGER NOT NULL REFERENCES basis(id),"
    " submitted_ms INTEGER NOT NULL,"
    " seed INTEGER NOT NULL,"
    " budget INTEGER NOT NULL,"
    " batch INTEGER NOT NULL,"
    " genome_bytes INTEGER NOT NULL,"
    " metric_count INTEGER NOT NULL,"
    " keep_all INTEGER NOT NULL CHECK(keep_all IN (0, 1)),"
    " mixed INTEGER NOT NULL CHECK(mixed IN (0, 1)),"
    " state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 5),"
    " reason TEXT NOT NULL) STRICT;"

    "CREATE TABLE job_detail("
    " job INTEGER PRIMARY KEY REFERENCES job(id),"
    " schema BLOB NOT NULL,"
    " space_size TEXT NOT NULL,"
    " recalled TEXT NOT NULL) STRICT;"

    "CREATE TABLE job_part("
    " job INTEGER NOT NULL REFERENCES job(id),"
    " position INTEGER NOT NULL,"
    " kind TEXT NOT NULL CHECK(kind IN ('text', 'set', 'file')),"
    " name TEXT NOT NULL,"
    " hash BLOB REFERENCES file(hash) CHECK((hash IS NULL) = (kind = 'set')),"
    " PRIMARY KEY(job, position)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE record("
    " id INTEGER PRIMARY KEY,"
    " bytes BLOB NOT NULL) STRICT;"

    /* No REFERENCES record(id): to delete a record, SQLite would look for it in every row here. */
    "CREATE TABLE generation("
    " id INTEGER PRIMARY KEY," /* job << 40 | first index */
    " basis INTEGER NOT NULL REFERENCES basis(id),"
    " record INTEGER NOT NULL) STRICT;"

    "CREATE TABLE checkpoint("
    " job INTEGER PRIMARY KEY REFERENCES job(id),"
    " evaluations INTEGER NOT NULL,"
    " basis INTEGER NOT NULL REFERENCES basis(id),"
    " bytes BLOB) STRICT;" /* NULL: before the first generation */

    "CREATE TABLE result("
    " job INTEGER PRIMARY KEY REFERENCES job(id),"
    " basis INTEGER NOT NULL REFERENCES basis(id),"
    " bytes BLOB NOT NULL) STRICT;",
};

#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof migrations[0]))

enum statement {
    LIST_JOBS,
    FIND_KEY,
    GET_DETAIL,
    GET_BUNDLE_HASH,
    GET_PARTS,
    GET_EVALUATIONS,
    FIND_RECORD,
    READ_RECORDS,
    LAST_RECORD,
    GET_CHECKPOINT,
    GET_RESULT,
    FIRST_WRITE, /* a handle for reading has those before only */
    BEGIN = FIRST_WRITE,
    COMMIT,
    ADD_FILE,
    ADD_BASIS,
    ADD_JOB,
    ADD_DETAIL,
    ADD_PART,
    ADD_CHECKPOINT,
    CHANGE_BASIS,
    SET_JOB,
    SET_CHECKPOINT,
    ADD_RECORD,
    ADD_GENERATION,
    SET_RESULT,
    STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
    [LIST_JOBS] = "SELECT j.id, j.key, j.name, j.owner, j.engine, b.simulator, b.revision,"
                  " b.bundle, j.submitted_ms, j.seed, j.budget, j.batch, j.genome_bytes,"
                  " j.metric_count, j.keep_all, j.mixed, j.state, j.reason"
                  " FROM job j JOIN basis b ON b.id = j.basis ORDER BY j.id",
    [FIND_KEY] = "SELECT id FROM job WHERE key = ?",
    [GET_DETAIL] = "SELECT schema, space_size, recalled FROM job_detail WHERE job = ?",
    [GET_BUNDLE_HASH] = "SELECT b.bundle FROM job j JOIN basis b ON b.id = j.basis WHERE j.id = ?",
    [GET_PARTS] = "SELECT p.kind, p.name, p.hash, f.bytes"
                  " FROM job_part p LEFT JOIN file f ON f.hash = p.hash"
                  " WHERE p.job = ? ORDER BY p.position",
    [GET_EVALUATIONS] = "SELECT evaluations FROM checkpoint WHERE job = ?",
    [FIND_RECORD] = "SELECT id FROM generation WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
    /* LEFT JOIN: a record that is lost must not go unnoticed. */
    [READ_RECORDS] = "SELECT r.bytes, g.id FROM generation g LEFT JOIN record r ON r.id = g.record"
                     " WHERE g.id BETWEEN ? AND ? ORDER BY g.id",
    [LAST_RECORD] = "SELECT r.bytes FROM generation g LEFT JOIN record r ON r.id = g.record"
                    " WHERE g.id BETWEEN ? AND ? ORDER BY g.id DESC LIMIT 1",
    [GET_CHECKPOINT] = "SELECT bytes FROM checkpoint WHERE job = ?",
    [GET_RESULT] = "SELECT r.bytes FROM job j LEFT JOIN result r ON r.job = j.id WHERE j.id = ?",

    /* IMMEDIATE: a transaction that finds out at its first write that it may not write would have
     * to start over. */
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ADD_FILE] = "INSERT INTO file(hash, bytes) VALUES(?, ?) ON CONFLICT(hash) DO NOTHING",
    [ADD_BASIS] = "INSERT INTO basis(simulator, revision, bundle) VALUES(?, ?, ?)"
                  " ON CONFLICT(bundle, simulator, revision) DO NOTHING",
    [ADD_JOB] = "INSERT INTO job(key, name, owner, engine, submitted_ms, seed, budget, batch,"
                " genome_bytes, metric_count, keep_all, mixed, state, reason, basis)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT id FROM basis"
                " WHERE simulator = ? AND revision = ? AND bundle = ?))",
    [ADD_DETAIL] = "INSERT INTO job_detail(job, schema, space_size, recalled) VALUES(?, ?, ?, ?)",
    [ADD_PART] = "INSERT INTO job_part(job, position, kind, name, hash) VALUES(?, ?, ?, ?, ?)",
    [ADD_CHECKPOINT] = "INSERT INTO checkpoint(job, evaluations, basis)"
                       " SELECT id, 0, basis FROM job WHERE id = ?",
    [CHANGE_BASIS] = "INSERT INTO basis(simulator, revision, bundle)"
                     " SELECT ?2, ?3, b.bundle FROM job j JOIN basis b ON b.id = j.basis"
                     " WHERE j.id = ?1 ON CONFLICT(bundle, simulator, revision) DO NOTHING",
    [SET_JOB] = "UPDATE job SET state = ?4, reason = ?5, mixed = ?6, basis = (SELECT new.id"
                " FROM basis new JOIN basis old ON old.bundle = new.bundle WHERE old.id = job.basis"
                " AND new.simulator = ?2 AND new.revision = ?3) WHERE id = ?1",
    [SET_CHECKPOINT] = "UPDATE checkpoint SET evaluations = ?3, bytes = ?4,"
                       " basis = (SELECT basis FROM job WHERE id = ?1)"
                       " WHERE job = ?1 AND evaluations = ?2",
    [ADD_RECORD] = "INSERT INTO record(bytes) VALUES(?)",
    [ADD_GENERATION] = "INSERT INTO generation(id, basis, record)"
                       " VALUES(?2, (SELECT basis FROM job WHERE id = ?1), last_insert_rowid())",
    [SET_RESULT] = "INSERT INTO result(job, basis, bytes) SELECT id, basis, ?2 FROM job"
                   " WHERE id = ?1 ON CONFLICT(job) DO UPDATE SET basis = excluded.basis,"
                   " bytes = excluded.bytes",
};

typedef struct sqlite_store {
    cs_store base;
    sqlite3 *db;
    char *path;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    bool open;          /* between begin and commit or rollback */
    bool failed;        /* something in it failed: SQLite may have rolled it back already */
    int wal_pages;      /* after the last commit */
    int wal_pages_next; /* at which to copy them into the database */
} sqlite_store;

/* What a parameter of a statement is bound to; borrowed until the statement has run. */
typedef struct sql_value {
    enum { INTEGER, TEXT, BLOB, NOTHING } kind;
    uint64_t integer;
    const void *bytes;
    size_t size;
} sql_value;

#define VALUES(...)                                                                                \
    (const sql_value[]){__VA_ARGS__}, sizeof((const sql_value[]){__VA_ARGS__}) / sizeof(sql_value)

/* Who takes the rows of a statement: first member of what they are taken into. */
typedef struct row_taker {
    cs_status (*take)(struct row_taker *taker, sqlite3_stmt *row, cs_error *err);
    uint64_t taken;
    bool stop; /* set by `take`: no more rows */
} row_taker;

static sql_value integer(uint64_t number)
{
    return (sql_value){.kind = INTEGER, .integer = number};
}

static sql_value text(const char *string)
{
    return (sql_value){
        .kind = TEXT, .bytes = string ? string : "", .size = string ? strlen(string) : 0};
}

static sql_value blob(const void *bytes, size_t size)
{
    return (sql_value){.kind = BLOB, .bytes = bytes, .size = size};
}

static sql_value hash_value(const cs_hash *hash)
{
    return hash ? blob(hash->bytes, sizeof hash->bytes) : (sql_value){.kind = NOTHING};
}

/* ---- errors ---- */

/* The failure of the last call on the handle. */
static cs_status fail_sqlite(const sqlite_store *store, cs_error *err)
{
    int code = sqlite3_errcode(store->db), cause = sqlite3_system_errno(store->db);
    const char *what = sqlite3_errmsg(store->db);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return cs_fail(err, CS_EIO, "%s: disk full: %s", store->path, what);
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM) {
            return cs_fail_memory(err);
        }
        return cs_fail(err, CS_EIO, "%s: %s%s (%s)", store->path,
                       cause == ENOSPC || cause == EDQUOT ? "disk full: " : "", what,
                       strerror(cause));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return cs_fail(err, CS_ECORRUPT, "%s: %s", store->path, what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return cs_fail(err, CS_EBUSY, "%s: %s", store->path, what);
    case SQLITE_NOMEM:
        return cs_fail_memory(err);
    case SQLITE_CANTOPEN:
        return cs_fail(err,
                       cause == ENOENT   ? CS_ENOENT
                       : cause == EACCES ? CS_EPERM
                                         : CS_EIO,
                       "%s: %s (%s)", store->path, what, strerror(cause));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return cs_fail(err, CS_EPERM, "%s: %s", store->path, what);
    case SQLITE_TOOBIG:
        return cs_fail(err, CS_ELIMIT, "%s: %s", store->path, what);
    default:
        return cs_fail(err, CS_EINTERNAL, "%s: %s (SQLite code %d)", store->path, what, code);
    }
}

static cs_status fail_no_job(const sqlite_store *store, uint64_t job, cs_error *err)
{
    return cs_fail(err, CS_ENOENT, "%s: there is no job %llu", store->path,
                   (unsigned long long)job);
}

static cs_status fail_damaged(const sqlite_store *store, const char *what, uint64_t job,
                              cs_error *err)
{
    return cs_fail(err, CS_ECORRUPT, "%s: the %s of job %llu is damaged", store->path, what,
                   (unsigned long long)job);
}

/* ---- statements ---- */

static int bind(sqlite3_stmt *statement, int at, const sql_value *value)
{
    switch (value->kind) {
    case INTEGER:
        return sqlite3_bind_int64(statement, at, (int64_t)value->integer);
    case TEXT:
        return sqlite3_bind_text64(statement, at, value->bytes, value->size, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case BLOB:
        /* A null pointer would bind NULL, which is not the empty blob. */
        return sqlite3_bind_blob64(statement, at, value->bytes ? value->bytes : "", value->size,
                                   SQLITE_STATIC);
    case NOTHING:
        return sqlite3_bind_null(statement, at);
    }
    return SQLITE_MISUSE;
}

/* Run a statement to its end, or until `rows` has enough, and leave it ready for the next time. */
static cs_status execute(sqlite_store *store, enum statement which, const sql_value *values,
                         size_t count, row_taker *rows, cs_error *err)
{
    sqlite3_stmt *statement = store->prepared[which];
    assert(statement && !sqlite3_stmt_busy(statement));
    assert(count == (size_t)sqlite3_bind_parameter_count(statement));
    cs_status status = CS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        if (bind(statement, (int)i + 1, &values[i]) != SQLITE_OK) {
            status = fail_sqlite(store, err);
        }
    }
    while (!status) {
        int code = sqlite3_step(statement);
        if (code != SQLITE_ROW) {
            if (code != SQLITE_DONE) {
                status = fail_sqlite(store, err);
            }
            break;
        }
        if (rows) {
            rows->taken++;
            status = rows->take(rows, statement, err);
            if (rows->stop) {
                break;
            }
        }
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return status;
}

/* Run one that is part of a transaction. */
static cs_status execute_write(sqlite_store *store, enum statement which, const sql_value *values,
                               size_t count, cs_error *err)
{
    assert(store->open && !store->failed);
    cs_status status = execute(store, which, values, count, NULL, err);
    store->failed = status != CS_OK;
    return status;
}

/* The same for one that has to change a row. */
static cs_status execute_change(sqlite_store *store, enum statement which, const sql_value *values,
                                size_t count, uint64_t job, cs_error *err)
{
    cs_status status = execute_write(store, which, values, count, err);
    if (!status && sqlite3_changes(store->db) == 0) {
        store->failed = true;
        status = fail_no_job(store, job, err);
    }
    return status;
}

/* A blob or text of a row, borrowed until the next step. False for want of memory. */
static bool column(sqlite3_stmt *row, int at, const void **bytes, size_t *size)
{
    *bytes = sqlite3_column_blob(row, at);
    *size = (size_t)sqlite3_column_bytes(row, at);
    return *bytes || *size == 0;
}

static bool column_is(sqlite3_stmt *row, int at, void *into, size_t size)
{
    const void *bytes;
    size_t found;
    if (!column(row, at, &bytes, &found) || found != size) {
        return false;
    }
    memcpy(into, bytes, size);
    return true;
}

/* A string with its end into room for `room` bytes. */
static bool column_string(sqlite3_stmt *row, int at, char *into, size_t room)
{
    const void *bytes;
    size_t size;
    if (!column(row, at, &bytes, &size) || size >= room) {
        return false;
    }
    if (size) {
        memcpy(into, bytes, size);
    }
    into[size] = '\0';
    return true;
}

static uint64_t column_integer(sqlite3_stmt *row, int at)
{
    return (uint64_t)sqlite3_column_int64(row, at);
}

typedef struct take_integer {
    row_taker taker;
    uint64_t value;
} take_integer;

static cs_status take_integer_row(row_taker *taker, sqlite3_stmt *row, cs_error *err)
{
    (void)err;
    ((take_integer *)taker)->value = column_integer(row, 0);
    return CS_OK;
}

typedef struct take_buffer {
    row_taker taker;
    cs_buffer *buffer;
} take_buffer;

static cs_status take_buffer_row(row_taker *taker, sqlite3_stmt *row, cs_error *err)
{
    cs_buffer *buffer = ((take_buffer *)taker)->buffer;
    const void *bytes;
    size_t size;
    if (!column(row, 0, &bytes, &size)) {
        return cs_fail_memory(err);
    }
    cs_buffer_put(buffer, bytes, size);
    return buffer->failed ? cs_fail_memory(err) : CS_OK;
}

/* Append the one blob that a statement finds, and fail if it finds no row. */
static cs_status append_blob(sqlite_store *store, enum statement which, uint64_t job,
                             cs_buffer *buffer, cs_error *err)
{
    take_buffer rows = {.taker.take = take_buffer_row, .buffer = buffer};
    cs_status status = execute(store, which, VALUES(integer(job)), &rows.taker, err);
    return status || rows.taker.taken ? status : fail_no_job(store, job, err);
}

/* ---- opening ---- */

static cs_status run_text(sqlite_store *store, const char *sql, cs_error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? CS_OK
                                                                       : fail_sqlite(store, err);
}

/* The one number that a text of SQL asks for. */
static cs_status ask_number(sqlite_store *store, const char *sql, int64_t *number, cs_error *err)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        return fail_sqlite(store, err);
    }
    cs_status status = CS_OK;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *number = sqlite3_column_int64(statement, 0);
    } else {
        status = fail_sqlite(store, err);
    }
    (void)sqlite3_finalize(statement);
    return status;
}

/* The version of the database's tables, 0 for an empty one. Changes nothing. */
static cs_status find_version(sqlite_store *store, int64_t *version, cs_error *err)
{
    int64_t application, tables;
    cs_status status = ask_number(store, "PRAGMA application_id", &application, err);
    if (!status) {
        status = ask_number(store, "PRAGMA user_version", version, err);
    }
    if (!status) {
        status = ask_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err);
    }
    if (status) {
        return status;
    }
    bool empty = application == 0 && *version == 0 && tables == 0;
    if (application != APPLICATION_ID && !empty) {
        return cs_fail(err, CS_ECORRUPT, "%s: is a database, but not one of codesignd",
                       store->path);
    }
    if (*version > SCHEMA_VERSION) {
        return cs_fail(err, CS_EVERSION,
                       "%s: was written by a newer codesignd: its version is %lld, and this "
                       "program knows versions up to %d",
                       store->path, (long long)*version, SCHEMA_VERSION);
    }
    return CS_OK;
}

static cs_status migrate(sqlite_store *store, int64_t version, cs_error *err)
{
    for (; version < SCHEMA_VERSION; version++) {
        char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d;"
                                    " PRAGMA user_version = %d; COMMIT",
                                    migrations[version], APPLICATION_ID, (int)version + 1);
        if (!sql) {
            return cs_fail_memory(err);
        }
        cs_status status = run_text(store, sql, err);
        sqlite3_free(sql);
        if (status) {
            return status;
        }
    }
    return CS_OK;
}

static int note_wal(void *context, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((sqlite_store *)context)->wal_pages = pages;
    return SQLITE_OK;
}

/* Settings of the file first, which hold from its creation on, then those of the handle. Debian's
 * SQLite overwrites freed pages with zeros by default, which would write them twice; nothing here
 * is secret from who may read the file. */
static cs_status prepare_writing(sqlite_store *store, int64_t version, bool full_sync,
                                 cs_error *err)
{
    char *settings =
        sqlite3_mprintf("PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL;"
                        " PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
                        " PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF;"
                        " PRAGMA journal_size_limit = %d",
                        PAGE_BYTES, full_sync ? "FULL" : "NORMAL", WAL_PAGES * PAGE_BYTES);
    if (!settings) {
        return cs_fail_memory(err);
    }
    cs_status status = run_text(store, settings, err);
    sqlite3_free(settings);
    if (!status) {
        (void)sqlite3_wal_hook(store->db, note_wal, store); /* in place of the automatic one */
        store->wal_pages_next = WAL_PAGES;
        status = migrate(store, version, err);
    }
    return status;
}

static void sqlite_close(cs_store *base)
{
    sqlite_store *store = (sqlite_store *)base;
    if (store) {
        for (int i = 0; i < STATEMENT_COUNT; i++) {
            (void)sqlite3_finalize(store->prepared[i]);
        }
        (void)sqlite3_close(store->db);
        free(store->path);
        free(store);
    }
}

static cs_status open_database(sqlite_store *store, bool writable, bool full_sync, cs_error *err)
{
    int flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int code = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (!store->db) {
        return cs_fail_memory(err);
    }
    if (code != SQLITE_OK) {
        return fail_sqlite(store, err);
    }
    (void)sqlite3_extended_result_codes(store->db, 1);
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    int64_t version;
    cs_status status = find_version(store, &version, err);
    if (!status && writable) {
        status = prepare_writing(store, version, full_sync, err);
    } else if (!status && version < SCHEMA_VERSION) {
        status = cs_fail(err, CS_EVERSION,
                         "%s: its version is %lld, and this program reads version %d: let "
                         "codesignd open it first",
                         store->path, (long long)version, SCHEMA_VERSION);
    }
    for (int i = 0; !status && i < (writable ? STATEMENT_COUNT : FIRST_WRITE); i++) {
        if (sqlite3_prepare_v3(store->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->prepared[i], NULL) != SQLITE_OK) {
            status = fail_sqlite(store, err);
        }
    }
    return status;
}

static cs_store *sqlite_open(const char *directory, bool writable, bool full_sync, cs_error *err)
{
    sqlite_store *store = calloc(1, sizeof *store);
    if (!store) {
        cs_fail_memory(err);
        return NULL;
    }
    store->base.class = &cs_store_sqlite;
    if (asprintf(&store->path, "%s/" FILE_NAME, directory) < 0) {
        store->path = NULL;
        cs_fail_memory(err);
    } else if (open_database(store, writable, full_sync, err) == CS_OK) {
        return &store->base;
    }
    sqlite_close(&store->base);
    return NULL;
}

/* ---- transactions ---- */

static cs_status sqlite_begin(cs_store *base, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    assert(!store->open);
    cs_status status = execute(store, BEGIN, NULL, 0, NULL, err);
    store->open = status == CS_OK;
    store->failed = false;
    return status;
}

/* Copy the whole log and let it start over, waiting for readers. In several short waits: one waits
 * for the places that readers held when it began, and a reader which comes back to its place for
 * newer data keeps it taken, although it is no obstacle any more. */
static void restart_wal(sqlite_store *store)
{
    (void)sqlite3_busy_timeout(store->db, READER_WAIT_MS);
    int code = SQLITE_BUSY;
    for (int i = 0; i < READER_WAITS && code == SQLITE_BUSY; i++) {
        code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    }
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
}

/* Copy the log into the database if it is time to. Its failure is none of the commit's, which is
 * safe in the log; the next one tries again. */
static void shorten_wal(sqlite_store *store)
{
    if (store->wal_pages < WAL_PAGES) {
        store->wal_pages_next = WAL_PAGES;
    }
    if (store->wal_pages < store->wal_pages_next) {
        return;
    }
    if (store->wal_pages < WAL_PAGES_MOST) {
        (void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    } else {
        restart_wal(store);
    }
    store->wal_pages_next = store->wal_pages + WAL_PAGES;
}

static cs_status sqlite_commit(cs_store *base, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    cs_status status = execute_write(store, COMMIT, NULL, 0, err);
    if (!status) {
        store->open = false;
        shorten_wal(store);
    }
    return status;
}

static void sqlite_rollback(cs_store *base)
{
    sqlite_store *store = (sqlite_store *)base;
    assert(store->open);
    if (!sqlite3_get_autocommit(store->db)) { /* else SQLite has rolled back on the failure */
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    store->open = false;
}

/* ---- writing ---- */

static cs_status add_content(sqlite_store *store, const cs_hash *hash, const void *bytes,
                             size_t size, cs_error *err)
{
    return execute_write(store, ADD_FILE, VALUES(hash_value(hash), blob(bytes, size)), err);
}

static cs_status add_part(sqlite_store *store, uint64_t job, size_t position, const char *kind,
                          const char *name, const cs_hash *hash, cs_error *err)
{
    return execute_write(
        store, ADD_PART,
        VALUES(integer(job), integer(position), text(kind), text(name), hash_value(hash)), err);
}

/* The text, the overrides and the files, in this order, which get_bundle reads them in. */
static cs_status add_bundle(sqlite_store *store, uint64_t job, const cs_bundle *bundle,
                            cs_error *err)
{
    size_t position = 0;
    cs_hash hash = cs_hash_of(bundle->text, bundle->text_size);
    cs_status status = add_content(store, &hash, bundle->text, bundle->text_size, err);
    if (!status) {
        status = add_part(store, job, position++, "text", bundle->text_name, &hash, err);
    }
    for (size_t i = 0; !status && i < bundle->set_count; i++) {
        status = add_part(store, job, position++, "set", bundle->sets[i], NULL, err);
    }
    for (size_t i = 0; !status && i < bundle->file_count; i++) {
        const cs_bundle_file *file = &bundle->files[i];
        status = add_content(store, &file->hash, file->bytes, file->size, err);
        if (!status) {
            status = add_part(store, job, position++, "file", file->name, &file->hash, err);
        }
    }
    return status;
}

static cs_status insert_job(sqlite_store *store, const cs_job_row *row, uint64_t *id, cs_error *err)
{
    cs_status status = execute_write(
        store, ADD_BASIS,
        VALUES(text(row->simulator), integer(row->simulator_revision), hash_value(&row->bundle)),
        err);
    if (!status) {
        status = execute_write(
            store, ADD_JOB,
            VALUES(blob(row->key, sizeof row->key), text(row->name), text(row->owner),
                   text(row->engine), integer(row->submitted_ms), integer(row->seed),
                   integer(row->budget), integer(row->batch), integer(row->genome_bytes),
                   integer(row->metric_count), integer(row->keep_all), integer(row->mixed),
                   integer(row->state), text(row->reason), text(row->simulator),
                   integer(row->simulator_revision), hash_value(&row->bundle)),
            err);
    }
    if (status) {
        return status;
    }
    *id = (uint64_t)sqlite3_last_insert_rowid(store->db);
    if (*id > CS_JOB_MAX) {
        store->failed = true;
        return cs_fail(err, CS_ELIMIT, "%s: all %u job numbers are used up", store->path,
                       CS_JOB_MAX);
    }
    return CS_OK;
}

static cs_status sqlite_add_job(cs_store *base, cs_job_row *row, const cs_job_detail *detail,
                                const cs_bundle *bundle, bool *added, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    assert(store->open && !store->failed);
    take_integer known = {.taker.take = take_integer_row};
    cs_status status =
        execute(store, FIND_KEY, VALUES(blob(row->key, sizeof row->key)), &known.taker, err);
    if (!status && known.taker.taken) {
        row->id = known.value;
        *added = false;
    }
    if (status || known.taker.taken) {
        store->failed = status != CS_OK;
        return status;
    }
    cs_hash hash = cs_bundle_hash(bundle);
    if (memcmp(&hash, &row->bundle, sizeof hash) != 0) {
        store->failed = true;
        return cs_fail(err, CS_EINTERNAL,
                       "the bundle of job \"%s\" does not have the hash that "
                       "stands in its row",
                       row->name);
    }
    uint64_t id = 0;
    status = insert_job(store, row, &id, err);
    if (!status) {
        status = execute_write(store, ADD_DETAIL,
                               VALUES(integer(id), blob(detail->schema.data, detail->schema.size),
                                      text(detail->space_size), text(detail->recalled)),
                               err);
    }
    if (!status) {
        status = execute_write(store, ADD_CHECKPOINT, VALUES(integer(id)), err);
    }
    if (!status) {
        status = add_bundle(store, id, bundle, err);
    }
    if (!status) {
        row->id = id;
        *added = true;
    }
    return status;
}

static cs_status sqlite_set_job(cs_store *base, const cs_job_row *row, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    sql_value id = integer(row->id), simulator = text(row->simulator);
    sql_value revision = integer(row->simulator_revision);
    cs_status status = execute_write(store, CHANGE_BASIS, VALUES(id, simulator, revision), err);
    if (!status) {
        status = execute_change(store, SET_JOB,
                                VALUES(id, simulator, revision, integer(row->state),
                                       text(row->reason), integer(row->mixed)),
                                row->id, err);
    }
    return status;
}

static uint64_t generation_id(uint64_t job, uint64_t index)
{
    return job << INDEX_BITS | index;
}

static uint64_t last_id(uint64_t job)
{
    return generation_id(job, CS_CANDIDATE_MAX - 1);
}

/* How many candidates of a job are stored. */
static cs_status get_evaluations(sqlite_store *store, uint64_t job, uint64_t *evaluations,
                                 cs_error *err)
{
    take_integer stored = {.taker.take = take_integer_row};
    cs_status status = execute(store, GET_EVALUATIONS, VALUES(integer(job)), &stored.taker, err);
    if (!status && !stored.taker.taken) {
        status = fail_no_job(store, job, err);
    }
    if (!status) {
        *evaluations = stored.value;
    }
    return status;
}

/* Say why no checkpoint was waiting for this generation. */
static cs_status fail_gap(sqlite_store *store, uint64_t job, uint64_t first_index, cs_error *err)
{
    uint64_t evaluations;
    cs_status status = get_evaluations(store, job, &evaluations, err);
    if (!status) {
        status = cs_fail(err, CS_ESTATE,
                         "%s: job %llu holds %llu candidates, so that no generation can begin at "
                         "candidate %llu",
                         store->path, (unsigned long long)job, (unsigned long long)evaluations,
                         (unsigned long long)first_index);
    }
    return status;
}

static cs_status sqlite_add_generation(cs_store *base, uint64_t job, uint64_t first_index,
                                       uint32_t count, const cs_buffer *record,
                                       const cs_buffer *checkpoint, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    assert(count > 0 && !record->failed && !checkpoint->failed);
    if (first_index > CS_CANDIDATE_MAX - count) {
        store->failed = true;
        return cs_fail(err, CS_ELIMIT, "%s: a job has at most %llu candidates", store->path,
                       CS_CANDIDATE_MAX);
    }
    cs_status status =
        execute_write(store, SET_CHECKPOINT,
                      VALUES(integer(job), integer(first_index), integer(first_index + count),
                             blob(checkpoint->data, checkpoint->size)),
                      err);
    if (status) {
        return status;
    }
    if (sqlite3_changes(store->db) == 0) {
        store->failed = true;
        return fail_gap(store, job, first_index, err);
    }
    status = execute_write(store, ADD_RECORD, VALUES(blob(record->data, record->size)), err);
    if (!status) {
        status = execute_write(store, ADD_GENERATION,
                               VALUES(integer(job), integer(generation_id(job, first_index))), err);
    }
    return status;
}

static cs_status sqlite_set_result(cs_store *base, uint64_t job, const cs_buffer *result,
                                   cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    assert(!result->failed);
    return execute_change(store, SET_RESULT, VALUES(integer(job), blob(result->data, result->size)),
                          job, err);
}

/* ---- reading ---- */

typedef struct take_jobs {
    row_taker taker;
    const sqlite_store *store;
    bool (*each)(const cs_job_row *row, void *context);
    void *context;
} take_jobs;

static cs_status take_job_row(row_taker *taker, sqlite3_stmt *row, cs_error *err)
{
    take_jobs *jobs = (take_jobs *)taker;
    uint64_t state = column_integer(row, 16);
    cs_job_row job = {
        .id = column_integer(row, 0),
        .simulator_revision = (uint32_t)column_integer(row, 6),
        .submitted_ms = column_integer(row, 8),
        .seed = column_integer(row, 9),
        .budget = column_integer(row, 10),
        .batch = (uint32_t)column_integer(row, 11),
        .genome_bytes = (uint32_t)column_integer(row, 12),
        .metric_count = (uint32_t)column_integer(row, 13),
        .keep_all = column_integer(row, 14) != 0,
        .mixed = column_integer(row, 15) != 0,
        .state = (cs_job_state)state,
    };
    if (!column_is(row, 1, job.key, sizeof job.key) ||
        !column_string(row, 2, job.name, sizeof job.name) ||
        !column_string(row, 3, job.owner, sizeof job.owner) ||
        !column_string(row, 4, job.engine, sizeof job.engine) ||
        !column_string(row, 5, job.simulator, sizeof job.simulator) ||
        !column_is(row, 7, job.bundle.bytes, sizeof job.bundle.bytes) ||
        !column_string(row, 17, job.reason, sizeof job.reason) || state < CS_JOB_ACTIVE ||
        state > CS_JOB_FAILED) {
        return fail_damaged(jobs->store, "row", job.id, err);
    }
    taker->stop = !jobs->each(&job, jobs->context);
    return CS_OK;
}

static cs_status sqlite_list_jobs(cs_store *base, bool (*each)(const cs_job_row *, void *),
                                  void *context, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    take_jobs jobs = {.taker.take = take_job_row, .store = store, .each = each, .context = context};
    return execute(store, LIST_JOBS, NULL, 0, &jobs.taker, err);
}

typedef struct take_detail {
    row_taker taker;
    cs_job_detail detail;
} take_detail;

static char *copy_string(sqlite3_stmt *row, int at)
{
    const unsigned char *string = sqlite3_column_text(row, at);
    return string ? strdup((const char *)string) : NULL;
}

static cs_status take_detail_row(row_taker *taker, sqlite3_stmt *row, cs_error *err)
{
    cs_job_detail *detail = &((take_detail *)taker)->detail;
    const void *schema;
    size_t size;
    bool whole = column(row, 0, &schema, &size);
    if (whole) {
        cs_buffer_put(&detail->schema, schema, size);
    }
    detail->space_size = copy_string(row, 1);
    detail->recalled = copy_string(row, 2);
    return whole && !detail->schema.failed && detail->space_size && detail->recalled
               ? CS_OK
               : cs_fail_memory(err);
}

static cs_status sqlite_get_detail(cs_store *base, uint64_t job, cs_job_detail *detail,
                                   cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    take_detail found = {.taker.take = take_detail_row};
    cs_status status = execute(store, GET_DETAIL, VALUES(integer(job)), &found.taker, err);
    if (!status && !found.taker.taken) {
        status = fail_no_job(store, job, err);
    }
    if (status) {
        cs_job_detail_release(&found.detail);
    } else {
        *detail = found.detail;
    }
    return status;
}

typedef struct take_parts {
    row_taker taker;
    const sqlite_store *store;
    uint64_t job;
    cs_bundle bundle;
} take_parts;

static cs_status take_part_row(row_taker *taker, sqlite3_stmt *row, cs_error *err)
{
    take_parts *parts = (take_parts *)taker;
    cs_bundle *bundle = &parts->bundle;
    const char *kind = (const char *)sqlite3_column_text(row, 0);
    const char *name = (const char *)sqlite3_column_text(row, 1);
    const void *bytes;
    size_t size;
    if (!kind || !name || !column(row, 3, &bytes, &size)) {
        return cs_fail_memory(err);
    }
    if (strcmp(kind, "set") == 0) {
        return cs_bundle_add_set(bundle, name, err);
    }
    cs_hash hash;
    if (!column_is(row, 2, hash.bytes, sizeof hash.bytes)) {
        return fail_damaged(parts->store, "bundle", parts->job, err);
    }
    cs_hash found = cs_hash_of(bytes, size);
    if (memcmp(&found, &hash, sizeof hash) != 0) {
        return cs_fail(err, CS_ECORRUPT, "%s: %s of job %llu is not what its hash says",
                       parts->store->path, name, (unsigned long long)parts->job);
    }
    return strcmp(kind, "text") == 0 ? cs_bundle_set_text(bundle, name, bytes, size, err)
                                     : cs_bundle_add_file(bundle, name, bytes, size, err);
}

static cs_status sqlite_get_bundle(cs_store *base, uint64_t job, cs_bundle *bundle, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    assert(!bundle->text && !bundle->set_count && !bundle->file_count);
    take_parts parts = {.taker.take = take_part_row, .store = store, .job = job};
    cs_buffer expected = {0};
    cs_status status = append_blob(store, GET_BUNDLE_HASH, job, &expected, err);
    if (!status) {
        status = execute(store, GET_PARTS, VALUES(integer(job)), &parts.taker, err);
    }
    if (!status) {
        cs_hash hash = {0};
        if (parts.bundle.text) {
            hash = cs_bundle_hash(&parts.bundle);
        }
        if (expected.size != sizeof hash || memcmp(&hash, expected.data, sizeof hash) != 0) {
            status = fail_damaged(store, "bundle", job, err);
        }
    }
    if (status) {
        cs_bundle_release(&parts.bundle);
    } else {
        *bundle = parts.bundle;
    }
    cs_buffer_release(&expected);
    return status;
}

typedef struct take_records {
    row_taker taker;
    const sqlite_store *store;
    uint64_t job;
    bool (*each)(const void *record, size_t size, void *context);
    void *context;
    uint64_t next;      /* id to go on from */
    size_t slice_bytes; /* read in this slice */
    bool enough;        /* `each` wants no more */
} take_records;

static cs_status take_record_row(row_taker *taker, sqlite3_stmt *row, cs_error *err)
{
    take_records *records = (take_records *)taker;
    const void *bytes;
    size_t size;
    if (sqlite3_column_type(row, 0) == SQLITE_NULL) {
        return fail_damaged(records->store, "list of records", records->job, err);
    }
    if (!column(row, 0, &bytes, &size)) {
        return cs_fail_memory(err);
    }
    records->next = column_integer(row, 1) + 1;
    records->slice_bytes += size;
    records->enough = !records->each(bytes, size, records->context);
    taker->stop = records->enough || taker->taken == READ_SLICE_ROWS ||
                  records->slice_bytes >= READ_SLICE_BYTES;
    return CS_OK;
}

/* In slices, each a transaction: a long replay would keep the log from starting over. Records that
 * were committed never change, so the slices fit together. */
static cs_status sqlite_read_records(cs_store *base, uint64_t job, uint64_t from,
                                     bool (*each)(const void *, size_t, void *), void *context,
                                     cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    uint64_t evaluations;
    cs_status status = get_evaluations(store, job, &evaluations, err);
    if (status || from >= evaluations) {
        return status;
    }
    take_integer start = {.taker.take = take_integer_row, .value = generation_id(job, from)};
    status =
        execute(store, FIND_RECORD, VALUES(integer(generation_id(job, 0)), integer(start.value)),
                &start.taker, err);
    take_records records = {
        .taker.take = take_record_row,
        .store = store,
        .job = job,
        .each = each,
        .context = context,
        .next = start.value,
    };
    bool more = status == CS_OK;
    while (more) {
        records.taker.taken = 0;
        records.taker.stop = false;
        records.slice_bytes = 0;
        status = execute(store, READ_RECORDS, VALUES(integer(records.next), integer(last_id(job))),
                         &records.taker, err);
        more = !status && records.taker.stop && !records.enough;
    }
    return status;
}

static cs_status sqlite_last_record(cs_store *base, uint64_t job, cs_buffer *record, cs_error *err)
{
    sqlite_store *store = (sqlite_store *)base;
    take_buffer rows = {.taker.take = take_buffer_row, .buffer = record};
    uint64_t evaluations;
    cs_status status = get_evaluations(store, job, &evaluations, err);
    if (!status) {
        status = execute(store, LAST_RECORD,
                         VALUES(integer(generation_id(job, 0)), integer(last_id(job))), &rows.taker,
                         err);
    }
    return status;
}

static cs_status sqlite_get_checkpoint(cs_store *base, uint64_t job, cs_buffer *checkpoint,
                                       cs_error *err)
{
    return append_blob((sqlite_store *)base, GET_CHECKPOINT, job, checkpoint, err);
}

static cs_status sqlite_get_result(cs_store *base, uint64_t job, cs_buffer *result, cs_error *err)
{
    return append_blob((sqlite_store *)base, GET_RESULT, job, result, err);
}

const cs_store_class cs_store_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .add_job = sqlite_add_job,
    .set_job = sqlite_set_job,
    .add_generation = sqlite_add_generation,
    .set_result = sqlite_set_result,
    .list_jobs = sqlite_list_jobs,
    .get_detail = sqlite_get_detail,
    .get_bundle = sqlite_get_bundle,
    .read_records = sqlite_read_records,
    .last_record = sqlite_last_record,
    .get_checkpoint = sqlite_get_checkpoint,
    .get_result = sqlite_get_result,
};
