/* Request handlers: one a kind of request, in a table. */
#ifndef CS_DAEMON_HANDLERS_H
#define CS_DAEMON_HANDLERS_H

#include "daemon/address.h"

#include <stddef.h>

struct cs_server;

/* Take one frame from a peer (address->request is filled in here). Answers, or begins what will
 * answer; a frame that is no request is answered with an error. */
void cs_handle_frame(struct cs_server *server, cs_address *address, const void *frame, size_t size);

#endif
