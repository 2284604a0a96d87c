/* Submission: from a request to a stored job.
 *
 * The bundle is put together (uploaded files, the server's own files), resolved into a plan on a
 * worker, stored by the writer, and answered when that is committed. A retry under the same key
 * joins the submission under way or finds the job. */
#ifndef CS_DAEMON_SUBMIT_H
#define CS_DAEMON_SUBMIT_H

#include "daemon/address.h"
#include "proto/codesign.pb-c.h"

struct cs_server;

void cs_submit_put_file(struct cs_server *server, const cs_address *address,
                        const Codesign__PutFile *request);
void cs_submit_job(struct cs_server *server, const cs_address *address,
                   const ProtobufCBinaryData *key, const Codesign__SubmitJob *request);

/* Submissions that are still in the pool at the end are forgotten: they were not answered. */
void cs_submit_close(struct cs_server *server);

#endif
