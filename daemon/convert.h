/* From the daemon's values to messages. Messages borrow from what they are made of. */
#ifndef CS_DAEMON_CONVERT_H
#define CS_DAEMON_CONVERT_H

#include "base/buffer.h"
#include "daemon/jobs.h"
#include "proto/codesign.pb-c.h"
#include "search/plan.h"

/* A job message with all it points to. Do not copy or move: it points into itself. */
typedef struct cs_job_message {
    Codesign__Job message;
    Codesign__ReasonCount reasons[CS_OUTCOME_COUNT];
    Codesign__ReasonCount *reason_pointers[CS_OUTCOME_COUNT];
} cs_job_message;

void cs_convert_job(const cs_job *job, cs_job_message *message);

/* Candidate rows; the arrays stay the caller's. `outcomes` may be NULL. */
void cs_convert_rows(size_t count, uint32_t genome_bytes, uint32_t metric_count,
                     const uint64_t *indices, const uint8_t *genomes, const uint8_t *outcomes,
                     const double *metrics, Codesign__Candidates *message);

/* How many rows of this shape fit into one message, together with as many removals: 1 .. most. */
uint32_t cs_convert_rows_fit(uint32_t genome_bytes, uint32_t metric_count, uint32_t most);

/* The packed codesign.Schema of a plan, appended. */
CS_MUST_CHECK cs_status cs_convert_schema(const cs_plan *plan, cs_buffer *schema, cs_error *err);

/* Bytes as protobuf-c wants them; it does not write to them. */
ProtobufCBinaryData cs_convert_bytes(const void *data, size_t size);

#endif
