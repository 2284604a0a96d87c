/* The wire: what is refused, and that what passes unpacks. */
#include "messages.h"

#include "base/file.h"
#include "proto/codesign.pb-c.h"
#include "proto/wire.h"
#include "tests/proto/shapes.pb-c.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ProtobufCMessageDescriptor *const descriptors[] = {
    &codesign__request__descriptor,
    &codesign__reply__descriptor,
    &shapes__shapes__descriptor,
    &shapes__chain__descriptor,
};

#define DESCRIPTORS (sizeof descriptors / sizeof *descriptors)

/* ---- frames from hex and from pieces ---- */

static size_t from_hex(const char *hex, uint8_t *bytes, size_t capacity)
{
    size_t size = 0;
    int used = 0;
    for (unsigned byte; sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used) {
        ck_assert_uint_lt(size, capacity);
        bytes[size++] = (uint8_t)byte;
    }
    ck_assert_str_eq(hex, "");
    return size;
}

static void to_hex(const uint8_t *bytes, size_t size, char *hex, size_t capacity)
{
    ck_assert_uint_lt(3 * size, capacity);
    hex[0] = '\0';
    for (size_t i = 0; i < size; i++) {
        sprintf(hex + strlen(hex), i ? " %02x" : "%02x", bytes[i]);
    }
}

/* Wrap what ends at `end` as field `tag` (one byte), on the left: returns where it begins now. */
static uint8_t *wrap(uint8_t *begin, const uint8_t *end, uint8_t tag)
{
    uint8_t head[6] = {tag};
    size_t used = 1;
    size_t rest = (size_t)(end - begin);
    do {
        head[used++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        rest >>= 7;
    } while (rest);
    memcpy(begin - used, head, used);
    return begin - used;
}

/* ---- single frames ---- */

typedef struct frame_row {
    const char *what;
    const ProtobufCMessageDescriptor *descriptor;
    const char *hex;
    cs_status status;
    const char *says; /* a part of the error */
} frame_row;

static const frame_row frames[] = {
    {"ping", &codesign__request__descriptor, "08 01 10 07 52 00", CS_OK, ""},
    {"fields in another order", &codesign__request__descriptor, "52 00 10 07 08 01", CS_OK, ""},
    {"no body", &codesign__request__descriptor, "08 01 10 07", CS_OK, ""},
    {"unknown fields of each wire type", &codesign__request__descriptor,
     "08 01 10 07 98 06 05  9a 06 02 ff 00  99 06 0102030405060708  9d 06 01020304 52 00", CS_OK,
     ""},
    {"a longer varint than needed", &codesign__request__descriptor,
     "08 81 80 00 10 87 80 80 80 80 80 80 80 80 00", CS_OK, ""},
    {"packed elements one by one", &codesign__candidates__descriptor, "08 01 08 02 0a 02 03 04",
     CS_OK, ""},
    {"empty", &codesign__request__descriptor, "", CS_EINVAL, "Request: version is missing"},
    {"id missing", &codesign__request__descriptor, "08 01 52 00", CS_EINVAL,
     "Request: id is missing, at byte 4"},
    {"job missing in a part", &codesign__request__descriptor, "08 01 10 07 7a 00", CS_EINVAL,
     "Request.show_job: job is missing"},
    {"tag cut", &codesign__request__descriptor, "08 01 10 07 d2", CS_EINVAL, "tag is cut"},
    {"tag of six bytes", &codesign__request__descriptor, "08 01 10 07 d0 80 80 80 80 00 00",
     CS_EINVAL, "tag is cut or too long"},
    {"field number 0", &codesign__request__descriptor, "08 01 10 07 00 00", CS_EINVAL, "number 0"},
    {"field number of 30 bits", &codesign__request__descriptor, "08 01 10 07 80 80 80 80 10 00",
     CS_EINVAL, "number 536870912"},
    {"varint cut", &codesign__request__descriptor, "08 01 10 87", CS_EINVAL, "Request.id"},
    {"varint of eleven bytes", &codesign__request__descriptor,
     "08 01 10 80 80 80 80 80 80 80 80 80 80 00", CS_EINVAL, "too long"},
    {"length cut", &codesign__request__descriptor, "08 01 10 07 52 80", CS_EINVAL, "length"},
    {"length of six bytes", &codesign__request__descriptor, "08 01 10 07 52 80 80 80 80 80 00",
     CS_EINVAL, "length"},
    {"length beyond the frame", &codesign__request__descriptor, "08 01 10 07 52 01", CS_EINVAL,
     "Request.ping: needs 1 bytes, but 0 are left"},
    {"length of 4 GiB", &codesign__request__descriptor, "08 01 10 07 52 ff ff ff ff 0f 00",
     CS_EINVAL, "Request.ping: needs 4294967295 bytes, but 1 are left"},
    {"part longer than its message", &codesign__request__descriptor,
     "08 01 10 07 7a 02 08 80 01 00", CS_EINVAL, "Request.show_job.job"},
    {"double cut", &codesign__job__descriptor, "61 00 00", CS_EINVAL, "Job.hypervolume"},
    {"unknown 32-bit field cut", &codesign__request__descriptor, "08 01 10 07 9d 06 00", CS_EINVAL,
     "cut"},
    {"group", &codesign__request__descriptor, "08 01 10 07 53 54", CS_EINVAL, "wire type"},
    {"unknown group", &codesign__request__descriptor, "08 01 10 07 9b 06 9c 06", CS_EINVAL,
     "groups are refused"},
    {"wire type 7", &codesign__request__descriptor, "08 01 10 07 9f 06", CS_EINVAL, "wire type 7"},
    {"number as text", &codesign__request__descriptor, "0a 01 01 10 07", CS_EINVAL,
     "Request.version: has wire type 2, not 0"},
    {"text as number", &codesign__error__descriptor, "08 01 10 01", CS_EINVAL, "Error.text"},
    {"part as 64 bits", &codesign__request__descriptor, "08 01 10 07 51 0000000000000000",
     CS_EINVAL, "Request.ping: has wire type 1, not 2"},
    {"field twice", &codesign__request__descriptor, "08 01 08 01 10 07 52 00", CS_EINVAL,
     "Request.version: the field occurs twice"},
    {"two bodies", &codesign__request__descriptor, "08 01 10 07 52 00 72 00", CS_EINVAL,
     "Request.list_jobs: stands beside ping"},
    {"packed varint cut", &codesign__candidates__descriptor, "0a 02 01 80", CS_EINVAL,
     "Candidates.index: packed"},
    {"packed varint of eleven bytes", &codesign__candidates__descriptor,
     "0a 0b 80 80 80 80 80 80 80 80 80 80 00", CS_EINVAL, "packed"},
    {"packed doubles cut", &codesign__candidates__descriptor, "22 07 00 00 00 00 00 00 00",
     CS_EINVAL, "Candidates.metrics: packed"},
    {"text with a zero byte", &codesign__error__descriptor, "08 01 12 03 61 00 62", CS_EINVAL,
     "Error.text: the text is not UTF-8 without zero bytes, at byte 5"},
    {"lone continuation", &codesign__error__descriptor, "08 01 12 01 80", CS_EINVAL, "UTF-8"},
    {"character cut", &codesign__error__descriptor, "08 01 12 02 e2 82", CS_EINVAL, "UTF-8"},
    {"character cut by another", &codesign__error__descriptor, "08 01 12 03 e2 82 61", CS_EINVAL,
     "UTF-8"},
    {"overlong slash", &codesign__error__descriptor, "08 01 12 02 c0 af", CS_EINVAL, "UTF-8"},
    {"overlong in three bytes", &codesign__error__descriptor, "08 01 12 03 e0 9f bf", CS_EINVAL,
     "UTF-8"},
    {"overlong in four bytes", &codesign__error__descriptor, "08 01 12 04 f0 8f bf bf", CS_EINVAL,
     "UTF-8"},
    {"surrogate", &codesign__error__descriptor, "08 01 12 03 ed a0 80", CS_EINVAL, "UTF-8"},
    {"above U+10FFFF", &codesign__error__descriptor, "08 01 12 04 f4 90 80 80", CS_EINVAL, "UTF-8"},
    {"byte f5", &codesign__error__descriptor, "08 01 12 04 f5 80 80 80", CS_EINVAL, "UTF-8"},
    {"bytes that are no text", &codesign__request__descriptor, "08 01 10 07 1a 02 00 ff 52 00",
     CS_OK, ""},
};

START_TEST(a_frame_is_taken_or_refused_with_its_place)
{
    const frame_row *row = &frames[_i];
    uint8_t bytes[128];
    size_t size = from_hex(row->hex, bytes, sizeof bytes);
    cs_error err = {0};
    ck_assert_msg(cs_wire_check(row->descriptor, bytes, size, &err) == row->status, "%s: %s",
                  row->what, err.text);
    ck_assert_msg(strstr(err.text, row->says), "%s: %s", row->what, err.text);
    ProtobufCMessage *message = cs_wire_unpack(row->descriptor, bytes, size, NULL);
    ck_assert_msg((message != NULL) == (row->status == CS_OK), "%s", row->what);
    cs_wire_free(message);
}
END_TEST

START_TEST(an_empty_frame_may_be_a_null_pointer)
{
    ck_assert_int_eq(cs_wire_check(&codesign__ping__descriptor, NULL, 0, NULL), CS_OK);
    cs_wire_free(NULL);
}
END_TEST

START_TEST(an_enum_that_is_unknown_arrives_as_it_is)
{
    uint8_t bytes[16];
    size_t size = from_hex("08 05 10 2a", bytes, sizeof bytes);
    ProtobufCMessage *message =
        cs_wire_unpack(&codesign__change_job__descriptor, bytes, size, NULL);
    ck_assert_ptr_nonnull(message);
    ck_assert_int_eq((int)((Codesign__ChangeJob *)message)->change, 42);
    cs_wire_free(message);
}
END_TEST

/* ---- limits ---- */

START_TEST(messages_nest_eight_deep_and_no_deeper)
{
    enum { LONGEST = 100000 };
    size_t room = 6 * LONGEST;
    uint8_t *memory = malloc(room);
    ck_assert_ptr_nonnull(memory);
    const uint8_t *end = memory + room;
    uint8_t *begin = memory + room;
    cs_error err = {0};
    for (unsigned depth = 1; depth < LONGEST; depth++) {
        bool fits = depth <= CS_WIRE_MAX_DEPTH;
        if (depth < 20 || depth == LONGEST - 1) {
            cs_status status =
                cs_wire_check(&shapes__chain__descriptor, begin, (size_t)(end - begin), &err);
            ck_assert_int_eq(status, fits ? CS_OK : CS_ELIMIT);
        }
        begin = wrap(begin, end, 0x0a);
    }
    ck_assert_str_eq(err.text, "Chain.next.next.next.next.next.next.next.next: "
                               "messages nested deeper than 8, at byte 32");
    free(memory);
}
END_TEST

START_TEST(a_frame_has_a_million_elements_and_no_more)
{
    enum { PACKED = CS_WIRE_MAX_ELEMENT - 1 };
    uint8_t *memory = calloc(1, PACKED + 16);
    ck_assert_ptr_nonnull(memory);
    uint8_t *end = memory + PACKED + 15;
    uint8_t *begin = wrap(end - PACKED, end, 0x0a);
    const ProtobufCMessageDescriptor *descriptor = &codesign__candidates__descriptor;
    size_t size = (size_t)(end - begin);
    ck_assert_int_eq(cs_wire_check(descriptor, begin, size, NULL), CS_OK);
    ProtobufCMessage *message = cs_wire_unpack(descriptor, begin, size, NULL);
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(((Codesign__Candidates *)message)->n_index, PACKED);
    cs_wire_free(message);

    begin = wrap(end - PACKED - 1, end, 0x0a);
    ck_assert_int_eq(cs_wire_check(descriptor, begin, (size_t)(end - begin), NULL), CS_ELIMIT);
    free(memory);
}
END_TEST

START_TEST(unknown_fields_are_elements_too)
{
    size_t size = 2 * (size_t)CS_WIRE_MAX_ELEMENT + 2;
    uint8_t *memory = malloc(size);
    ck_assert_ptr_nonnull(memory);
    for (size_t i = 0; i < size; i += 2) {
        memory[i] = 0x78; /* field 15 of no message here, a varint */
        memory[i + 1] = 0;
    }
    const ProtobufCMessageDescriptor *descriptor = &codesign__ping__descriptor;
    cs_error err;
    ck_assert_int_eq(cs_wire_check(descriptor, memory, size - 2, &err), CS_OK);
    ck_assert_int_eq(cs_wire_check(descriptor, memory, size, &err), CS_ELIMIT);
    /* What passes may still take more memory than a frame is worth. */
    ck_assert_ptr_null(cs_wire_unpack(descriptor, memory, size - 2, &err));
    ck_assert_int_eq(err.status, CS_ELIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "memory"));
    free(memory);
}
END_TEST

START_TEST(a_frame_has_eight_mebibytes_and_no_more)
{
    uint8_t *bytes = calloc(1, CS_WIRE_MAX_FRAME);
    ck_assert_ptr_nonnull(bytes);
    Codesign__FileChunk chunk = CODESIGN__FILE_CHUNK__INIT;
    chunk.size = 1;
    /* size: 2 bytes; data: a tag, a length of 4 bytes, and the rest */
    chunk.data = (ProtobufCBinaryData){CS_WIRE_MAX_FRAME - 7, bytes};
    size_t size = 0;
    uint8_t *frame = cs_wire_pack(&chunk.base, &size, NULL);
    ck_assert_ptr_nonnull(frame);
    ck_assert_uint_eq(size, CS_WIRE_MAX_FRAME);
    ProtobufCMessage *message = cs_wire_unpack(chunk.base.descriptor, frame, size, NULL);
    ck_assert_ptr_nonnull(message);
    cs_wire_free(message);
    free(frame);

    chunk.data.len++;
    cs_error err;
    size = 77;
    ck_assert_ptr_null(cs_wire_pack(&chunk.base, &size, &err));
    ck_assert_int_eq(err.status, CS_ELIMIT);
    ck_assert_uint_eq(size, 77);
    free(bytes);

    ck_assert_int_eq(cs_wire_check(chunk.base.descriptor, "", (size_t)CS_WIRE_MAX_FRAME + 1, &err),
                     CS_ELIMIT);
}
END_TEST

START_TEST(too_many_elements_are_not_packed)
{
    uint64_t *index = calloc(CS_WIRE_MAX_ELEMENT, sizeof *index);
    ck_assert_ptr_nonnull(index);
    Codesign__Candidates candidates = CODESIGN__CANDIDATES__INIT;
    candidates.index = index;
    candidates.n_index = CS_WIRE_MAX_ELEMENT;
    size_t size;
    cs_error err;
    ck_assert_ptr_null(cs_wire_pack(&candidates.base, &size, &err));
    ck_assert_int_eq(err.status, CS_ELIMIT);
    free(index);
}
END_TEST

/* ---- packing ---- */

START_TEST(text_that_is_not_utf8_is_mended_on_its_way_out)
{
    static const char *const rows[][2] = {
        {"caf\xc3\xa9", "caf\xc3\xa9"}, /* whole */
        {"caf\xc3", "caf?"},            /* cut at the end */
        {"\xff\xfe", "??"},             /* nothing of it is text */
        {"a\xe2\x82q\xe2\x82\xac", "a??q\xe2\x82\xac"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Codesign__Error error = CODESIGN__ERROR__INIT;
        error.status = CS_EINVAL;
        error.text = (char *)rows[i][0];
        Codesign__Reply reply = CODESIGN__REPLY__INIT;
        reply.body_case = CODESIGN__REPLY__BODY_ERROR;
        reply.error = &error;
        size_t size;
        uint8_t *frame = cs_wire_pack(&reply.base, &size, NULL);
        ck_assert_ptr_nonnull(frame);
        ProtobufCMessage *got = cs_wire_unpack(&codesign__reply__descriptor, frame, size, NULL);
        ck_assert_ptr_nonnull(got);
        ck_assert_str_eq(((Codesign__Reply *)got)->error->text, rows[i][1]);
        cs_wire_free(got);
        free(frame);
    }
}
END_TEST

/* ---- random messages ---- */

static uint8_t *random_frame(cs_random *random, const ProtobufCMessageDescriptor **descriptor,
                             size_t *size)
{
    *descriptor = descriptors[cs_random_below(random, DESCRIPTORS)];
    ProtobufCMessage *message = random_message(*descriptor, random, CS_WIRE_MAX_DEPTH);
    uint8_t *frame = cs_wire_pack(message, size, NULL);
    ck_assert_ptr_nonnull(frame);
    protobuf_c_message_free_unpacked(message, NULL);
    return frame;
}

START_TEST(a_packed_message_comes_back_the_same)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
        const ProtobufCMessageDescriptor *descriptor;
        size_t size;
        uint8_t *frame = random_frame(&random, &descriptor, &size);
        cs_error err = {0};
        ProtobufCMessage *message = cs_wire_unpack(descriptor, frame, size, &err);
        ck_assert_msg(message, "seed %llu: %s", (unsigned long long)seed, err.text);
        size_t again_size;
        uint8_t *again = cs_wire_pack(message, &again_size, NULL);
        ck_assert_ptr_nonnull(again);
        ck_assert_uint_eq(again_size, size);
        ck_assert_mem_eq(again, frame, size);
        cs_wire_free(message);
        free(again);
        free(frame);
    }
}
END_TEST

/* Flip, cut, insert, overwrite: a frame that is nearly right. Returns its new size. */
static size_t mutate(cs_random *random, uint8_t *frame, size_t size, size_t capacity)
{
    for (uint32_t n = 1 + cs_random_below(random, 3); n > 0 && size > 0; n--) {
        size_t at = cs_random_below(random, (uint32_t)size);
        switch (cs_random_below(random, 5)) {
        case 0:
            frame[at] ^= (uint8_t)(1u << cs_random_below(random, 8));
            break;
        case 1:
            frame[at] = (uint8_t)cs_random_below(random, 256);
            break;
        case 2:
            size = at;
            break;
        case 3:
            memmove(frame + at, frame + at + 1, size - at - 1);
            size--;
            break;
        default:
            if (size < capacity) {
                memmove(frame + at + 1, frame + at, size - at);
                frame[at] = (uint8_t)cs_random_below(random, 256);
                size++;
            }
            break;
        }
    }
    return size;
}

/* The only reasons to refuse what protobuf-c would take. It does not look at the wire type of a
 * boolean. */
static bool is_stricter_rule(const char *text)
{
    static const char *const rules[] = {
        "UTF-8", "occurs twice", "only one may be", "deeper", "has the number", "has wire type",
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strstr(text, rules[i])) {
            return true;
        }
    }
    return false;
}

START_TEST(what_passes_unpacks_and_what_does_not_is_refused_for_a_reason)
{
    unsigned passed = 0, refused = 0, stricter = 0;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 0, CS_PURPOSE_VARY, 0, 0);
        const ProtobufCMessageDescriptor *descriptor;
        size_t size;
        uint8_t *packed = random_frame(&random, &descriptor, &size);
        /* Exactly as large as its content, so that ASan sees a byte read too many. */
        uint8_t *frame = malloc(size + 3);
        ck_assert_ptr_nonnull(frame);
        memcpy(frame, packed, size);
        free(packed);
        size = mutate(&random, frame, size, size + 3);
        frame = realloc(frame, size ? size : 1);
        ck_assert_ptr_nonnull(frame);

        cs_error err = {0};
        cs_status status = cs_wire_check(descriptor, frame, size, &err);
        ProtobufCMessage *message = cs_wire_unpack(descriptor, frame, size, NULL);
        if (status == CS_OK) {
            passed++;
            ck_assert_msg(message, "seed %llu passes but does not unpack",
                          (unsigned long long)seed);
        } else {
            refused++;
            ck_assert_ptr_null(message);
            ProtobufCMessage *taken = protobuf_c_message_unpack(descriptor, NULL, size, frame);
            if (taken) {
                stricter++;
                ck_assert_msg(is_stricter_rule(err.text), "seed %llu: %s", (unsigned long long)seed,
                              err.text);
                protobuf_c_message_free_unpacked(taken, NULL);
            }
        }
        cs_wire_free(message);
        free(frame);
    }
    /* Each of the branches above was taken often. */
    ck_assert_uint_gt(passed, 1000);
    ck_assert_uint_gt(refused, 1000);
    ck_assert_uint_gt(stricter, 100);
}
END_TEST

/* ---- the document ---- */

static char *read_me(void)
{
    size_t size;
    cs_error err;
    char *text = cs_file_read(CODESIGN_SOURCE_DIR "/proto/README.md", 1 << 20, &size, &err);
    ck_assert_msg(text, "%s", err.text);
    return text;
}

static void expect_documented(const ProtobufCMessage *message)
{
    char *text = read_me();
    size_t size;
    uint8_t *frame = cs_wire_pack(message, &size, NULL);
    ck_assert_ptr_nonnull(frame);
    char hex[256];
    to_hex(frame, size, hex, sizeof hex);
    ck_assert_msg(strstr(text, hex), "proto/README.md lacks the bytes %s", hex);
    free(frame);
    free(text);
}

START_TEST(the_documented_bytes_are_the_bytes)
{
    Codesign__Ping ping = CODESIGN__PING__INIT;
    Codesign__Request request = CODESIGN__REQUEST__INIT;
    request.version = CS_WIRE_VERSION;
    request.id = 7;
    request.body_case = CODESIGN__REQUEST__BODY_PING;
    request.ping = &ping;
    expect_documented(&request.base);

    Codesign__Pong pong = CODESIGN__PONG__INIT;
    char server[] = "codesignd 0.1.0";
    pong.server = server;
    pong.version = CS_WIRE_VERSION;
    pong.uptime_ms = 1500;
    Codesign__Reply reply = CODESIGN__REPLY__INIT;
    reply.id = 7;
    reply.body_case = CODESIGN__REPLY__BODY_PONG;
    reply.pong = &pong;
    expect_documented(&reply.base);
}
END_TEST

START_TEST(the_documented_statuses_and_limits_are_those_of_the_code)
{
    char *text = read_me();
    char line[120];
#define X(name, number, words)                                                                     \
    snprintf(line, sizeof line, "\n| %d | %s |", number, words);                                   \
    ck_assert_msg(number == 0 || strstr(text, line), "proto/README.md lacks:%s", line);
    CS_STATUS_MAP(X)
#undef X
    static const struct {
        const char *what;
        unsigned value;
    } limits[] = {
        {"protocol version", CS_WIRE_VERSION},
        {"bytes in a key", CS_WIRE_KEY_BYTES},
        {"bytes in a frame", CS_WIRE_MAX_FRAME},
        {"bytes of data in a `put_file` or a `file_chunk`", CS_WIRE_CHUNK},
        {"messages nested in each other, the outermost counted", CS_WIRE_MAX_DEPTH},
        {"elements in a frame", CS_WIRE_MAX_ELEMENT},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        snprintf(line, sizeof line, "\n| %s | %u |", limits[i].what, limits[i].value);
        ck_assert_msg(strstr(text, line), "proto/README.md lacks:%s", line);
    }
    free(text);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("wire");
    TCase *single = tcase_create("frames");
    tcase_add_loop_test(single, a_frame_is_taken_or_refused_with_its_place, 0,
                        sizeof frames / sizeof *frames);
    tcase_add_test(single, an_empty_frame_may_be_a_null_pointer);
    tcase_add_test(single, an_enum_that_is_unknown_arrives_as_it_is);
    suite_add_tcase(suite, single);
    TCase *limits = tcase_create("limits");
    tcase_add_test(limits, messages_nest_eight_deep_and_no_deeper);
    tcase_add_test(limits, a_frame_has_a_million_elements_and_no_more);
    tcase_add_test(limits, unknown_fields_are_elements_too);
    tcase_add_test(limits, a_frame_has_eight_mebibytes_and_no_more);
    tcase_add_test(limits, too_many_elements_are_not_packed);
    suite_add_tcase(suite, limits);
    TCase *packing = tcase_create("packing");
    tcase_add_test(packing, text_that_is_not_utf8_is_mended_on_its_way_out);
    suite_add_tcase(suite, packing);
    TCase *random = tcase_create("random");
    tcase_set_timeout(random, 60);
    tcase_add_test(random, a_packed_message_comes_back_the_same);
    tcase_add_test(random, what_passes_unpacks_and_what_does_not_is_refused_for_a_reason);
    suite_add_tcase(suite, random);
    TCase *document = tcase_create("document");
    tcase_add_test(document, the_documented_bytes_are_the_bytes);
    tcase_add_test(document, the_documented_statuses_and_limits_are_those_of_the_code);
    suite_add_tcase(suite, document);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
