/* Frames without their bulk. The check and unpacking themselves are tested through the wire's own
 * limits, in test_wire.c. */
#include "messages.h"

#include "base/message.h"
#include "tests/proto/shapes.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const cs_message_limits wide = {
    .max_bytes = 1 << 20, .max_depth = 8, .max_elements = 100000, .max_memory = 1 << 22};

static const ProtobufCMessageDescriptor *const descriptors[] = {
    &shapes__shapes__descriptor,
    &shapes__chain__descriptor,
    &shapes__branch__descriptor,
};

static uint8_t *pack(const ProtobufCMessage *message, size_t *size)
{
    *size = protobuf_c_message_get_packed_size(message);
    uint8_t *frame = malloc(*size ? *size : 1);
    ck_assert_ptr_nonnull(frame);
    protobuf_c_message_pack(message, frame);
    return frame;
}

/* Unpack the frame and pack it again, which drops nothing and pads nothing. */
static uint8_t *repack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *frame,
                       size_t size, size_t *again)
{
    cs_error err = {0};
    ProtobufCMessage *message = cs_message_unpack(&wide, descriptor, frame, size, &err);
    ck_assert_msg(message, "%s", err.text);
    uint8_t *packed = pack(message, again);
    cs_message_free(message);
    return packed;
}

START_TEST(nothing_is_left_out_of_short_fields)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
        const ProtobufCMessageDescriptor *descriptor =
            descriptors[cs_random_below(&random, sizeof descriptors / sizeof *descriptors)];
        ProtobufCMessage *message = random_message(descriptor, &random, 6);
        size_t size, again;
        uint8_t *frame = pack(message, &size);
        protobuf_c_message_free_unpacked(message, NULL);
        cs_buffer thin = {0};
        ck_assert_int_eq(cs_message_thin(&wide, descriptor, frame, size, size, &thin, NULL), CS_OK);
        uint8_t *packed = repack(descriptor, thin.data, thin.size, &again);
        ck_assert_uint_eq(again, size);
        ck_assert_mem_eq(packed, frame, size);
        free(packed);
        cs_buffer_release(&thin);
        free(frame);
    }
}
END_TEST

START_TEST(what_is_left_passes_the_check_and_has_no_bulk)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        cs_random random;
        cs_random_init(&random, seed, 0, CS_PURPOSE_VARY, 0, 0);
        ProtobufCMessage *message = random_message(&shapes__shapes__descriptor, &random, 6);
        size_t longest = cs_random_below(&random, 8), size;
        uint8_t *frame = pack(message, &size);
        protobuf_c_message_free_unpacked(message, NULL);
        cs_buffer thin = {0}, thinner = {0};
        ck_assert_int_eq(
            cs_message_thin(&wide, &shapes__shapes__descriptor, frame, size, longest, &thin, NULL),
            CS_OK);
        cs_error err = {0};
        Shapes__Shapes *got = (Shapes__Shapes *)cs_message_unpack(
            &wide, &shapes__shapes__descriptor, thin.data, thin.size, &err);
        ck_assert_msg(got, "seed %llu: %s", (unsigned long long)seed, err.text);
        ck_assert(!got->has_data || got->data.len <= longest);
        cs_message_free(&got->base);
        ck_assert_int_eq(cs_message_thin(&wide, &shapes__shapes__descriptor, thin.data, thin.size,
                                         longest, &thinner, NULL),
                         CS_OK);
        ck_assert_uint_eq(thinner.size, thin.size);
        ck_assert_mem_eq(thinner.data, thin.data, thin.size);
        cs_buffer_release(&thin);
        cs_buffer_release(&thinner);
        free(frame);
    }
}
END_TEST

START_TEST(long_bytes_go_and_required_ones_stay)
{
    static char text[] = "a text that is long";
    uint8_t bytes[100] = {0};
    Shapes__Leaf leaf = SHAPES__LEAF__INIT;
    leaf.text = text;
    Shapes__Branch branch = SHAPES__BRANCH__INIT;
    branch.data = (ProtobufCBinaryData){100, bytes};
    Shapes__Shapes shapes = SHAPES__SHAPES__INIT;
    shapes.leaf = &leaf;
    shapes.has_data = 1;
    shapes.data = (ProtobufCBinaryData){100, bytes};
    shapes.choice_case = SHAPES__SHAPES__CHOICE_OTHER;
    shapes.other = &branch;
    size_t size;
    uint8_t *frame = pack(&shapes.base, &size);
    cs_buffer thin = {0};
    ck_assert_int_eq(cs_message_thin(&wide, shapes.base.descriptor, frame, size, 10, &thin, NULL),
                     CS_OK);
    Shapes__Shapes *got = (Shapes__Shapes *)cs_message_unpack(&wide, shapes.base.descriptor,
                                                              thin.data, thin.size, NULL);
    ck_assert_ptr_nonnull(got);
    ck_assert(!got->has_data);
    ck_assert_uint_eq(got->other->data.len, 100);
    ck_assert_str_eq(got->leaf->text, text);
    cs_message_free(&got->base);
    cs_buffer_release(&thin);
    free(frame);
}
END_TEST

START_TEST(limits_are_the_callers)
{
    Shapes__Chain inner = SHAPES__CHAIN__INIT, outer = SHAPES__CHAIN__INIT;
    inner.has_value = 1;
    inner.value = 5;
    outer.next = &inner;
    size_t size;
    uint8_t *frame = pack(&outer.base, &size);
    const ProtobufCMessageDescriptor *chain = outer.base.descriptor;
    cs_message_limits tight = {
        .max_bytes = size, .max_depth = 2, .max_elements = 2, .max_memory = 1000};
    ck_assert_int_eq(cs_message_check(&tight, chain, frame, size, NULL), CS_OK);
    tight.max_bytes--;
    ck_assert_int_eq(cs_message_check(&tight, chain, frame, size, NULL), CS_ELIMIT);
    tight.max_bytes++;
    tight.max_depth--;
    ck_assert_int_eq(cs_message_check(&tight, chain, frame, size, NULL), CS_ELIMIT);
    tight.max_depth++;
    tight.max_elements--;
    ck_assert_int_eq(cs_message_check(&tight, chain, frame, size, NULL), CS_ELIMIT);
    tight.max_elements++;
    tight.max_memory = 3;
    cs_buffer thin = {0};
    ck_assert_int_eq(cs_message_thin(&tight, chain, frame, size, 10, &thin, NULL), CS_ELIMIT);
    ck_assert_ptr_null(cs_message_unpack(&tight, chain, frame, size, NULL));
    cs_buffer_release(&thin);
    free(frame);
}
END_TEST

static Suite *message_suite(void)
{
    Suite *suite = suite_create("message");
    TCase *tcase = tcase_create("message");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, nothing_is_left_out_of_short_fields);
    tcase_add_test(tcase, what_is_left_passes_the_check_and_has_no_bulk);
    tcase_add_test(tcase, long_bytes_go_and_required_ones_stay);
    tcase_add_test(tcase, limits_are_the_callers);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(message_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
