/* What uploads promise (daemon/uploads.h). */
#include "daemon/uploads.h"

#include "base/random.h"
#include "search/bundle.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 4000

/* File number `n` of a test. */
typedef struct sample {
    uint8_t bytes[FILE_MAX];
    size_t size;
    cs_hash hash;
} sample;

static sample sample_of(uint32_t n, size_t size)
{
    sample file = {.size = size};
    for (size_t i = 0; i < size; i++) {
        file.bytes[i] = (uint8_t)(n * 13 + i * 7 + (i >> 8));
    }
    file.hash = cs_hash_of(file.bytes, size);
    return file;
}

static cs_status put(cs_uploads *uploads, const sample *file, size_t from, size_t to,
                     uint64_t *received)
{
    cs_error err = {0};
    cs_status status = cs_uploads_put(uploads, &file->hash, file->size, from, file->bytes + from,
                                      to - from, received, &err);
    ck_assert_int_eq(err.status, status);
    return status;
}

static bool is_there(const cs_uploads *uploads, const sample *file)
{
    size_t size = SIZE_MAX;
    const void *bytes = cs_uploads_get(uploads, &file->hash, &size);
    if (bytes) {
        ck_assert_uint_eq(size, file->size);
        ck_assert_mem_eq(bytes, file->bytes, size);
    }
    return bytes != NULL;
}

static cs_uploads *uploads_of(size_t limit)
{
    cs_uploads *uploads = cs_uploads_new(limit);
    ck_assert_ptr_nonnull(uploads);
    return uploads;
}

START_TEST(test_a_file_is_there_when_its_last_chunk_is)
{
    cs_uploads *uploads = uploads_of(10000);
    sample file = sample_of(1, 1000);
    uint64_t received = 0;
    ck_assert(!put(uploads, &file, 0, 400, &received));
    ck_assert_uint_eq(received, 400);
    ck_assert(!is_there(uploads, &file));
    ck_assert(!put(uploads, &file, 400, 400, &received)); /* an empty chunk does no harm */
    ck_assert(!put(uploads, &file, 400, 1000, &received));
    ck_assert_uint_eq(received, 1000);
    ck_assert(is_there(uploads, &file));
    /* Sent once more, from the start or in the middle: it is there already. */
    ck_assert(!put(uploads, &file, 0, 10, &received));
    ck_assert_uint_eq(received, 1000);
    ck_assert(!put(uploads, &file, 500, 600, &received));
    ck_assert(is_there(uploads, &file));
    cs_uploads_free(uploads);
}
END_TEST

START_TEST(test_an_empty_file_is_a_file)
{
    cs_uploads *uploads = uploads_of(10000);
    sample file = sample_of(1, 0);
    uint64_t received = 7;
    ck_assert(!is_there(uploads, &file));
    ck_assert(!put(uploads, &file, 0, 0, &received));
    ck_assert_uint_eq(received, 0);
    ck_assert(is_there(uploads, &file));
    cs_uploads_free(uploads);
}
END_TEST

START_TEST(test_chunks_follow_or_repeat_what_is_there)
{
    cs_uploads *uploads = uploads_of(10000);
    sample file = sample_of(1, 1000);
    uint64_t received = 0;
    ck_assert_int_eq(put(uploads, &file, 100, 200, &received), CS_EINVAL);
    ck_assert(!put(uploads, &file, 0, 400, &received));
    ck_assert_int_eq(put(uploads, &file, 500, 600, &received), CS_EINVAL);
    ck_assert_uint_eq(received, 400); /* untouched on failure */
    ck_assert(!put(uploads, &file, 300, 500, &received));
    ck_assert_uint_eq(received, 500);
    ck_assert(!put(uploads, &file, 0, 100, &received)); /* of a retry, or of another client */
    ck_assert_uint_eq(received, 500);
    ck_assert_int_eq(put(uploads, &file, 501, 1000, &received), CS_EINVAL);
    ck_assert(!put(uploads, &file, 100, 1000, &received));
    ck_assert_uint_eq(received, 1000);
    ck_assert(is_there(uploads, &file));
    cs_uploads_free(uploads);
}
END_TEST

START_TEST(test_other_content_at_offset_0_starts_again)
{
    cs_uploads *uploads = uploads_of(10000);
    sample file = sample_of(1, 1000), other = sample_of(2, 1000);
    uint64_t received = 0;
    cs_error err;
    ck_assert(!cs_uploads_put(uploads, &file.hash, 1000, 0, other.bytes, 400, &received, &err));
    ck_assert_int_eq(put(uploads, &file, 100, 500, &received), CS_EINVAL);
    ck_assert(!put(uploads, &file, 0, 100, &received));
    ck_assert_uint_eq(received, 100);
    ck_assert(!put(uploads, &file, 100, 1000, &received));
    ck_assert(is_there(uploads, &file));
    cs_uploads_free(uploads);
}
END_TEST

START_TEST(test_sizes_that_do_not_agree_are_refused)
{
    cs_uploads *uploads = uploads_of(10000);
    sample file = sample_of(1, 1000);
    cs_error err;
    uint64_t received = 0;
    ck_assert_int_eq(cs_uploads_put(uploads, &file.hash, 999, 0, file.bytes, 1000, &received, &err),
                     CS_EINVAL); /* more than the whole */
    ck_assert(!put(uploads, &file, 0, 400, &received));
    ck_assert_int_eq(
        cs_uploads_put(uploads, &file.hash, 2000, 400, file.bytes, 100, &received, &err),
        CS_EINVAL); /* another size than before */
    ck_assert_int_eq(
        cs_uploads_put(uploads, &file.hash, 1000, UINT64_MAX, file.bytes, 1, &received, &err),
        CS_EINVAL);
    ck_assert(!put(uploads, &file, 400, 1000, &received));
    cs_uploads_free(uploads);
}
END_TEST

START_TEST(test_content_that_is_not_what_the_hash_says_is_dropped)
{
    cs_uploads *uploads = uploads_of(10000);
    sample file = sample_of(1, 1000), wrong = file;
    uint64_t received = 5;
    wrong.bytes[700] ^= 1;
    ck_assert(!put(uploads, &wrong, 0, 500, &received));
    ck_assert_int_eq(put(uploads, &wrong, 500, 1000, &received), CS_EINVAL);
    ck_assert(!is_there(uploads, &file));
    ck_assert(!put(uploads, &file, 0, 1000, &received));
    ck_assert(is_there(uploads, &file));
    cs_uploads_free(uploads);
}
END_TEST

START_TEST(test_a_file_over_the_limit_is_refused_before_memory_is_taken)
{
    cs_uploads *uploads = uploads_of(3000), *roomy = uploads_of(SIZE_MAX / 4);
    sample file = sample_of(1, 3001), kept = sample_of(2, 3000);
    cs_error err;
    uint64_t received;
    ck_assert(!put(uploads, &kept, 0, 3000, &received));
    ck_assert_int_eq(put(uploads, &file, 0, 10, &received), CS_ELIMIT);
    ck_assert(is_there(uploads, &kept));
    static const uint64_t sizes[] = {CS_BUNDLE_MAX_FILE_BYTES + 1ull, 1ull << 32, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(
            cs_uploads_put(roomy, &file.hash, sizes[i], 0, file.bytes, 10, &received, &err),
            CS_ELIMIT);
    }
    cs_uploads_free(uploads);
    cs_uploads_free(roomy);
    cs_uploads_free(NULL);
}
END_TEST

START_TEST(test_the_oldest_make_room)
{
    cs_uploads *uploads = uploads_of(1000);
    sample files[4];
    uint64_t received;
    for (uint32_t i = 0; i < 4; i++) {
        files[i] = sample_of(i, 400);
    }
    ck_assert(!put(uploads, &files[0], 0, 400, &received));
    ck_assert(!put(uploads, &files[1], 0, 200, &received)); /* not whole, but it has its place */
    ck_assert(!put(uploads, &files[2], 0, 400, &received));
    ck_assert(!is_there(uploads, &files[0]));
    ck_assert(!put(uploads, &files[1], 200, 400, &received));
    ck_assert(is_there(uploads, &files[1]));
    ck_assert(!put(uploads, &files[3], 0, 400, &received));
    ck_assert(!is_there(uploads, &files[1]));
    ck_assert(is_there(uploads, &files[2]));
    ck_assert(is_there(uploads, &files[3]));
    cs_uploads_free(uploads);
}
END_TEST

/* Many files at once, in chunks of any size, against how much of each should be there. Nothing is
 * pushed out, because all fit. */
START_TEST(test_random_chunks_against_a_count)
{
    enum { FILES = 12 };
    cs_random random;
    cs_uploads *uploads = uploads_of(FILES * FILE_MAX);
    static sample files[FILES];
    size_t have[FILES] = {0};
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    for (uint32_t i = 0; i < FILES; i++) {
        files[i] = sample_of(i, 1 + cs_random_below(&random, FILE_MAX));
    }
    for (int step = 0; step < 2000; step++) {
        uint32_t i = cs_random_below(&random, FILES);
        size_t size = files[i].size;
        bool whole = have[i] == size;
        size_t from =
            cs_random_below(&random, 4) ? have[i] : cs_random_below(&random, (uint32_t)size);
        size_t to = from + cs_random_below(&random, (uint32_t)(size - from) + 1);
        uint64_t received = 0;
        cs_status status = put(uploads, &files[i], from, to, &received);
        if (whole) {
            ck_assert(!status && received == size);
        } else if (from <= have[i]) {
            ck_assert(!status);
            have[i] = to > have[i] ? to : have[i];
            ck_assert_uint_eq(received, have[i]);
        } else {
            ck_assert_int_eq(status, CS_EINVAL);
        }
        ck_assert_int_eq(is_there(uploads, &files[i]), have[i] == size);
    }
    cs_uploads_free(uploads);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uploads");
    TCase *tcase = tcase_create("uploads");
    tcase_add_test(tcase, test_a_file_is_there_when_its_last_chunk_is);
    tcase_add_test(tcase, test_an_empty_file_is_a_file);
    tcase_add_test(tcase, test_chunks_follow_or_repeat_what_is_there);
    tcase_add_test(tcase, test_other_content_at_offset_0_starts_again);
    tcase_add_test(tcase, test_sizes_that_do_not_agree_are_refused);
    tcase_add_test(tcase, test_content_that_is_not_what_the_hash_says_is_dropped);
    tcase_add_test(tcase, test_a_file_over_the_limit_is_refused_before_memory_is_taken);
    tcase_add_test(tcase, test_the_oldest_make_room);
    tcase_add_loop_test(tcase, test_random_chunks_against_a_count, 0, 10);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
