/* Whom to answer: a peer of the ROUTER, and which of its requests. A plain value. */
#ifndef CS_DAEMON_ADDRESS_H
#define CS_DAEMON_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ZeroMQ gives peers 5 bytes; one that chose a longer name is not served. */
#define CS_PEER_BYTES 32

typedef struct cs_address {
    uint8_t peer[CS_PEER_BYTES];
    uint8_t peer_size;
    uint64_t request;
} cs_address;

static inline bool cs_address_same_peer(const cs_address *a, const cs_address *b)
{
    return a->peer_size == b->peer_size && memcmp(a->peer, b->peer, a->peer_size) == 0;
}

#endif
