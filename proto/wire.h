/* The wire: packing and checked unpacking of the messages of codesign.proto.
 *
 * A frame is one protobuf message. Before protobuf-c sees a frame from outside, cs_wire_check walks
 * it against the message's descriptor, because protobuf_c_message_unpack recurses and allocates as
 * the frame tells it to; unpacking itself runs on a budget. proto/README.md describes framing and
 * exchange for people who write clients. */
#ifndef CS_PROTO_WIRE_H
#define CS_PROTO_WIRE_H

#include "base/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define CS_WIRE_VERSION     1u
#define CS_WIRE_KEY_BYTES   16u
#define CS_WIRE_MAX_FRAME   (8u << 20)   /* bytes; ZMQ_MAXMSGSIZE on both sides */
#define CS_WIRE_CHUNK       (256u << 10) /* most file bytes in one put_file or file_chunk */
#define CS_WIRE_MAX_DEPTH   8u
#define CS_WIRE_MAX_ELEMENT 1000000u /* fields and packed elements in one frame */

/* The frame is well-formed, no deeper than CS_WIRE_MAX_DEPTH, has at most CS_WIRE_MAX_ELEMENT
 * elements, all required fields, no singular field twice, no two members of a oneof, and strings
 * that are UTF-8 without zero bytes. CS_EINVAL or CS_ELIMIT otherwise, saying where. Unknown fields
 * are allowed and counted. Enums are not looked at: a number that the enum lacks arrives as it is,
 * and whoever reads it answers for it. A descriptor has at most 64 fields. Allocates nothing. */
CS_MUST_CHECK cs_status cs_wire_check(const ProtobufCMessageDescriptor *descriptor,
                                      const void *frame, size_t size, cs_error *err);

/* cs_wire_check, then unpack on a budget of 4 * CS_WIRE_MAX_FRAME bytes. NULL on failure: what
 * cs_wire_check says, CS_ELIMIT over the budget, or CS_ENOMEM. Free with cs_wire_free. */
ProtobufCMessage *cs_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const void *frame,
                                 size_t size, cs_error *err);
void cs_wire_free(ProtobufCMessage *message); /* NULL is allowed */

/* Pack into malloc'd memory that the caller frees (or hands to ZeroMQ). What is packed passes
 * cs_wire_check on the other side: each byte of a string that is not UTF-8 (file names, error texts
 * that were cut) goes out as '?'. NULL on failure: CS_ENOMEM, or CS_ELIMIT for a message over
 * CS_WIRE_MAX_FRAME or CS_WIRE_MAX_ELEMENT. A required field that was not set is our own bug. */
uint8_t *cs_wire_pack(const ProtobufCMessage *message, size_t *size, cs_error *err);

#endif
