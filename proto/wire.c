/* Checked packing and unpacking: see wire.h. */
#include "proto/wire.h"

#include "base/message.h"

#include <assert.h>
#include <stdlib.h>

static const cs_message_limits limits = {
    .max_bytes = CS_WIRE_MAX_FRAME,
    .max_depth = CS_WIRE_MAX_DEPTH,
    .max_elements = CS_WIRE_MAX_ELEMENT,
    .max_memory = 4 * (size_t)CS_WIRE_MAX_FRAME,
};

cs_status cs_wire_check(const ProtobufCMessageDescriptor *descriptor, const void *frame,
                        size_t size, cs_error *err)
{
    return cs_message_check(&limits, descriptor, frame, size, err);
}

ProtobufCMessage *cs_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const void *frame,
                                 size_t size, cs_error *err)
{
    return cs_message_unpack(&limits, descriptor, frame, size, err);
}

void cs_wire_free(ProtobufCMessage *message)
{
    cs_message_free(message);
}

uint8_t *cs_wire_pack(const ProtobufCMessage *message, size_t *size, cs_error *err)
{
    assert(protobuf_c_message_check(message));
    size_t needed = protobuf_c_message_get_packed_size(message);
    if (needed > CS_WIRE_MAX_FRAME) {
        cs_fail(err, CS_ELIMIT, "%s: %zu bytes do not fit a frame of %u",
                message->descriptor->short_name, needed, CS_WIRE_MAX_FRAME);
        return NULL;
    }
    uint8_t *frame = malloc(needed ? needed : 1);
    if (!frame) {
        cs_fail_memory(err);
        return NULL;
    }
    protobuf_c_message_pack(message, frame);
    if (cs_message_mend(&limits, message->descriptor, frame, needed, err) != CS_OK) {
        free(frame);
        return NULL;
    }
    *size = needed;
    return frame;
}
