/* Any bytes as a request and as a reply: what passes the check unpacks within the budget, packs
 * again, and is then a fixed point. */
#include "fuzz.h"

#include "proto/codesign.pb-c.h"
#include "proto/wire.h"

#include <string.h>

static void take_frame(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                       size_t size)
{
    cs_error checked = {0}, unpacked = {0};
    cs_status status = cs_wire_check(descriptor, data, size, &checked);
    FUZZ_EXPECT(status == CS_OK || (status == checked.status && checked.text[0]));
    ProtobufCMessage *message = cs_wire_unpack(descriptor, data, size, &unpacked);
    if (!message) {
        FUZZ_EXPECT(unpacked.status == (status ? status : CS_ELIMIT));
        return;
    }
    FUZZ_EXPECT(status == CS_OK);
    size_t first_size = 0, second_size = 0;
    /* An enum grows when it is packed, so a frame near the limit may not fit again. */
    uint8_t *first = cs_wire_pack(message, &first_size, &unpacked);
    cs_wire_free(message);
    if (!first) {
        FUZZ_EXPECT(unpacked.status == CS_ELIMIT);
        return;
    }
    message = cs_wire_unpack(descriptor, first, first_size, &unpacked);
    FUZZ_EXPECT(message != NULL);
    uint8_t *second = cs_wire_pack(message, &second_size, &unpacked);
    FUZZ_EXPECT(second && second_size == first_size && memcmp(first, second, first_size) == 0);
    cs_wire_free(message);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_frame(&codesign__request__descriptor, data, size);
    take_frame(&codesign__reply__descriptor, data, size);
    return 0;
}
