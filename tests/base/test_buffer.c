/* Buffers: what is put comes back, in the stated bytes, and failure sticks. */
#include "base/buffer.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_what_is_put_comes_back)
{
    cs_buffer buffer = {0};
    cs_buffer_put_u8(&buffer, 200);
    cs_buffer_put_u32(&buffer, 0xdeadbeef);
    cs_buffer_put_u64(&buffer, 0x0123456789abcdef);
    cs_buffer_put_f64(&buffer, -0.1);
    cs_buffer_put_f64(&buffer, INFINITY);
    cs_buffer_put_block(&buffer, "abc", 3);
    cs_buffer_put_block(&buffer, NULL, 0);
    cs_buffer_put(&buffer, "xy", 2);
    ck_assert(!buffer.failed);

    cs_reader reader = cs_reader_of(buffer.data, buffer.size);
    size_t size;
    ck_assert_uint_eq(cs_reader_get_u8(&reader), 200);
    ck_assert_uint_eq(cs_reader_get_u32(&reader), 0xdeadbeef);
    ck_assert_uint_eq(cs_reader_get_u64(&reader), 0x0123456789abcdef);
    ck_assert_double_eq(cs_reader_get_f64(&reader), -0.1);
    ck_assert_double_infinite(cs_reader_get_f64(&reader));
    ck_assert_mem_eq(cs_reader_get_block(&reader, &size), "abc", 3);
    ck_assert_uint_eq(size, 3);
    ck_assert_ptr_nonnull(cs_reader_get_block(&reader, &size));
    ck_assert_uint_eq(size, 0);
    ck_assert(!cs_reader_done(&reader));
    ck_assert_mem_eq(cs_reader_get(&reader, 2), "xy", 2);
    ck_assert(cs_reader_done(&reader));
    cs_buffer_release(&buffer);
}
END_TEST

/* Files outlive machines. */
START_TEST(test_numbers_are_little_endian_and_of_fixed_width)
{
    static const uint8_t expected[] = {1, 5, 4, 3, 2, 9,    8,    7, 6, 5, 4, 3,   2,  0,
                                       0, 0, 0, 0, 0, 0xf0, 0x3f, 2, 0, 0, 0, 'h', 'i'};
    cs_buffer buffer = {0};
    cs_buffer_put_u8(&buffer, 1);
    cs_buffer_put_u32(&buffer, 0x02030405);
    cs_buffer_put_u64(&buffer, 0x0203040506070809);
    cs_buffer_put_f64(&buffer, 1);
    cs_buffer_put_block(&buffer, "hi", 2);
    ck_assert_uint_eq(buffer.size, sizeof expected);
    ck_assert_mem_eq(buffer.data, expected, sizeof expected);
    cs_buffer_release(&buffer);
}
END_TEST

START_TEST(test_grows_and_keeps_its_memory_when_cleared)
{
    cs_buffer buffer = {0};
    for (uint32_t i = 0; i < 100000; i++) {
        cs_buffer_put_u32(&buffer, i);
    }
    ck_assert_uint_eq(buffer.size, 400000);
    cs_reader reader = cs_reader_of(buffer.data, buffer.size);
    for (uint32_t i = 0; i < 100000; i++) {
        ck_assert_uint_eq(cs_reader_get_u32(&reader), i);
    }
    const uint8_t *data = buffer.data;
    size_t capacity = buffer.capacity;
    cs_buffer_clear(&buffer);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_ptr_eq(buffer.data, data);
    ck_assert_uint_eq(buffer.capacity, capacity);
    cs_buffer_release(&buffer);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(test_writer_remembers_failure)
{
    cs_buffer buffer = {0};
    cs_buffer_put_u8(&buffer, 1);
    cs_buffer_put(&buffer, "", SIZE_MAX / 2);
    ck_assert(buffer.failed);
    cs_buffer_put_u8(&buffer, 2);
    ck_assert(buffer.failed);
    ck_assert_uint_eq(buffer.size, 1);
    cs_buffer_clear(&buffer);
    ck_assert(!buffer.failed);
    cs_buffer_release(&buffer);
}
END_TEST

/* Cut at every length: nothing is read beyond the end, and a whole record is known by one
 * question. */
START_TEST(test_reader_remembers_failure)
{
    cs_buffer buffer = {0};
    cs_buffer_put_u8(&buffer, 0xff);
    cs_buffer_put_u32(&buffer, 0xffffffff);
    cs_buffer_put_u64(&buffer, UINT64_MAX);
    cs_buffer_put_block(&buffer, "abc", 3);
    for (size_t cut = 0; cut <= buffer.size; cut++) {
        /* of its own size, so that a sanitizer sees a read beyond it */
        uint8_t *copy = malloc(cut ? cut : 1);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, buffer.data, cut);
        cs_reader reader = cs_reader_of(copy, cut);
        size_t size = 99;
        uint8_t u8 = cs_reader_get_u8(&reader);
        uint32_t u32 = cs_reader_get_u32(&reader);
        uint64_t u64 = cs_reader_get_u64(&reader);
        const uint8_t *block = cs_reader_get_block(&reader, &size);
        ck_assert(cs_reader_done(&reader) == (cut == buffer.size));
        ck_assert(reader.failed == (cut < buffer.size));
        ck_assert_uint_eq(u8, cut >= 1 ? 0xff : 0);
        ck_assert_uint_eq(u32, cut >= 5 ? 0xffffffff : 0);
        ck_assert_uint_eq(u64, cut >= 13 ? UINT64_MAX : 0);
        ck_assert((block != NULL) == (cut == buffer.size));
        ck_assert_uint_eq(size, cut == buffer.size ? 3 : 0);
        free(copy);
    }
    cs_buffer_release(&buffer);
}
END_TEST

START_TEST(test_after_failure_nothing_is_given)
{
    const uint8_t bytes[] = {1, 2, 3};
    cs_reader reader = cs_reader_of(bytes, sizeof bytes);
    ck_assert_ptr_null(cs_reader_get(&reader, 4));
    ck_assert_uint_eq(cs_reader_get_u8(&reader), 0);
    ck_assert_ptr_null(cs_reader_get(&reader, 1));
    ck_assert(!cs_reader_done(&reader));
}
END_TEST

START_TEST(test_a_block_longer_than_the_rest_is_refused)
{
    const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 1, 2};
    cs_reader reader = cs_reader_of(bytes, sizeof bytes);
    size_t size = 99;
    ck_assert_ptr_null(cs_reader_get_block(&reader, &size));
    ck_assert_uint_eq(size, 0);
    ck_assert(reader.failed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffer");
    TCase *tcase = tcase_create("buffer");
    tcase_add_test(tcase, test_what_is_put_comes_back);
    tcase_add_test(tcase, test_numbers_are_little_endian_and_of_fixed_width);
    tcase_add_test(tcase, test_grows_and_keeps_its_memory_when_cleared);
    tcase_add_test(tcase, test_writer_remembers_failure);
    tcase_add_test(tcase, test_reader_remembers_failure);
    tcase_add_test(tcase, test_after_failure_nothing_is_given);
    tcase_add_test(tcase, test_a_block_longer_than_the_rest_is_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
