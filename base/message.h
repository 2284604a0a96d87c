/* Protobuf messages from outside: checked, then unpacked.
 *
 * protobuf_c_message_unpack recurses and allocates as a frame tells it to. Here a frame (the bytes
 * of one message) is first walked against the message's descriptor, without recursion and within
 * limits, and unpacking itself runs on a budget. Any thread may call all of it. */
#ifndef CS_BASE_MESSAGE_H
#define CS_BASE_MESSAGE_H

#include "base/buffer.h"
#include "base/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define CS_MESSAGE_MAX_DEPTH 64u

typedef struct cs_message_limits {
    size_t max_bytes;    /* of a frame */
    unsigned max_depth;  /* of messages in each other; at most CS_MESSAGE_MAX_DEPTH */
    size_t max_elements; /* fields and packed elements in one frame */
    size_t max_memory;   /* bytes of an unpacked message, and of a thinned frame */
} cs_message_limits;

/* The frame is well-formed, within the limits, has all required fields, no singular field twice, no
 * two members of a oneof, and strings that are UTF-8 without zero bytes. CS_EINVAL or CS_ELIMIT
 * otherwise, saying where. Unknown fields are allowed and counted. Enums are not looked at: a
 * number that the enum lacks arrives as it is, and whoever reads it answers for it. A descriptor
 * has at most 64 fields. Allocates nothing. */
CS_MUST_CHECK cs_status cs_message_check(const cs_message_limits *limits,
                                         const ProtobufCMessageDescriptor *descriptor,
                                         const void *frame, size_t size, cs_error *err);

/* cs_message_check of a frame of any size that mends each byte of a string that is not UTF-8, or is
 * zero, by '?'. */
CS_MUST_CHECK cs_status cs_message_mend(const cs_message_limits *limits,
                                        const ProtobufCMessageDescriptor *descriptor,
                                        uint8_t *frame, size_t size, cs_error *err);

/* cs_message_check, and append the frame to `thin` without its fields of bytes, packed numbers and
 * unknown content that are longer than `longest` bytes: a frame that passes the check, for those
 * who want a message but not the bulk in it. Required fields stay. What is left out is not looked
 * at and counts as one element. On failure the content of `thin` is undefined. */
CS_MUST_CHECK cs_status cs_message_thin(const cs_message_limits *limits,
                                        const ProtobufCMessageDescriptor *descriptor,
                                        const void *frame, size_t size, size_t longest,
                                        cs_buffer *thin, cs_error *err);

/* cs_message_check, then unpack on a budget of limits->max_memory. NULL on failure: what
 * cs_message_check says, CS_ELIMIT over the budget, or CS_ENOMEM. Free with cs_message_free. */
ProtobufCMessage *cs_message_unpack(const cs_message_limits *limits,
                                    const ProtobufCMessageDescriptor *descriptor, const void *frame,
                                    size_t size, cs_error *err);
void cs_message_free(ProtobufCMessage *message); /* NULL is allowed */

#endif
