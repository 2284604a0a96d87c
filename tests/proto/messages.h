/* Random messages of any descriptor. */
#ifndef CS_TESTS_PROTO_MESSAGES_H
#define CS_TESTS_PROTO_MESSAGES_H

#include "base/random.h"

#include <protobuf-c/protobuf-c.h>

/* A valid message with all required fields and some of the others, nested at most `depth` deep;
 * free it with protobuf_c_message_free_unpacked(message, NULL). */
ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor, cs_random *random,
                                 unsigned depth);

#endif
