/* Where the server is. */
#ifndef CS_CLIENT_ADDRESS_H
#define CS_CLIENT_ADDRESS_H

#include "base/status.h"

#include <stdint.h>

/* The endpoint of the server, malloc'd, from the first of these that says something:
 *
 *     `given` (--server), if not NULL
 *     $CODESIGN_SERVER
 *     `server` in $XDG_CONFIG_HOME/codesign/client.conf, ~/.config by default
 *     $XDG_RUNTIME_DIR/codesign/codesignd.sock, if it exists
 *     /run/codesign/codesignd.sock
 *
 * An absolute path stands for the ipc endpoint of that socket. NULL on failure: CS_EINVAL for what
 * is no endpoint and for a mistake in client.conf. */
char *cs_address_find(const char *given, cs_error *err);

#endif
