/* Status and error text.
 *
 * Every function that can fail for a reason of the world returns a cs_status, or an object that is
 * NULL on failure, and takes a `cs_error *err` as its last argument. On failure the error holds the
 * status and one sentence for the person who has to act on it; results are untouched. `err` may
 * be NULL where the caller does not care for the text. A mistake of ours is an assertion, and a
 * design that cannot run is an answer (search/evaluate.h), so neither is found here. */
#ifndef CS_BASE_STATUS_H
#define CS_BASE_STATUS_H

/* Name, number, text. The numbers go over the wire and into exit codes: never renumber. */
#define CS_STATUS_MAP(X)                                                                           \
    X(OK, 0, "ok")                                                                                 \
    X(EINVAL, 1, "invalid input")                                                                  \
    X(ENOENT, 2, "not found")                                                                      \
    X(EEXIST, 3, "exists already")                                                                 \
    X(ELIMIT, 4, "over a limit")                                                                   \
    X(EBUSY, 5, "busy")                                                                            \
    X(ENOMEM, 6, "out of memory")                                                                  \
    X(EIO, 7, "input/output error")                                                                \
    X(ECORRUPT, 8, "damaged data")                                                                 \
    X(EVERSION, 9, "version mismatch")                                                             \
    X(ETIMEDOUT, 10, "no answer in time")                                                          \
    X(ESTATE, 11, "not possible in this state")                                                    \
    X(EPERM, 12, "not permitted")                                                                  \
    X(EINTERNAL, 13, "internal error")

typedef enum cs_status {
#define X(name, number, text) CS_##name = number,
    CS_STATUS_MAP(X)
#undef X
} cs_status;

#define CS_ERROR_TEXT 512

typedef struct cs_error {
    cs_status status;
    char text[CS_ERROR_TEXT];
} cs_error;

#define CS_MUST_CHECK     __attribute__((warn_unused_result))
#define CS_PRINTF(at, va) __attribute__((format(printf, at, va)))

/* The short text of a status; "unknown status" for a number that is none. Never NULL. */
const char *cs_status_text(cs_status status);

/* Fill `err` (if not NULL) and return `status`, so that `return cs_fail(err, ...)` is one line.
 * The text is cut at CS_ERROR_TEXT - 1 bytes. Its arguments may point into err->text itself. */
cs_status cs_fail(cs_error *err, cs_status status, const char *format, ...) CS_PRINTF(3, 4);

/* cs_fail for want of memory. */
cs_status cs_fail_memory(cs_error *err);

#endif
