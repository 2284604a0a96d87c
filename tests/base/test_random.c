/* Random streams: the published vectors of the generator, and what a keyed stream promises. */
#include "base/random.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

/* philox4x64, 10 rounds, of kat_vectors in the Random123 distribution. */
static const struct vector {
    uint64_t counter[4], key[2], block[4];
} vectors[] = {
    {{0, 0, 0, 0},
     {0, 0},
     {0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b}},
    {{0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff},
     {0xffffffffffffffff, 0xffffffffffffffff},
     {0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0}},
    {{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89},
     {0x452821e638d01377, 0xbe5466cf34e90c6c},
     {0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6}},
};

START_TEST(test_generator_is_philox4x64_10)
{
    const struct vector *v = &vectors[_i];
    cs_random random;
    cs_random_init(&random, v->key[0], v->key[1], CS_PURPOSE_SAMPLE, v->counter[1], v->counter[2]);
    random.counter[0] = v->counter[0];
    random.counter[3] = v->counter[3];
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(cs_random_u64(&random), v->block[i]);
    }
}
END_TEST

/* What is stored today has to be re-made by every later version. */
START_TEST(test_streams_stay_what_they_are)
{
    cs_random random;
    cs_random_init(&random, 1, 2, CS_PURPOSE_VARY, 3, 4);
    ck_assert_uint_eq(random.key[0], 1);
    ck_assert_uint_eq(random.key[1], 2);
    ck_assert_uint_eq(random.counter[0], 3);
    ck_assert_uint_eq(random.counter[1], 3);
    ck_assert_uint_eq(random.counter[2], 4);
    ck_assert_uint_eq(random.counter[3], 0);
    for (int i = 0; i < 5; i++) {
        (void)cs_random_u64(&random);
    }
    ck_assert_uint_eq(random.counter[3], 2);
}
END_TEST

START_TEST(test_any_of_the_five_numbers_makes_another_stream)
{
    cs_random streams[6];
    cs_random_init(&streams[0], 1, 1, CS_PURPOSE_SAMPLE, 1, 1);
    cs_random_init(&streams[1], 2, 1, CS_PURPOSE_SAMPLE, 1, 1);
    cs_random_init(&streams[2], 1, 2, CS_PURPOSE_SAMPLE, 1, 1);
    cs_random_init(&streams[3], 1, 1, CS_PURPOSE_SELECT, 1, 1);
    cs_random_init(&streams[4], 1, 1, CS_PURPOSE_SAMPLE, 2, 1);
    cs_random_init(&streams[5], 1, 1, CS_PURPOSE_SAMPLE, 1, 2);
    uint64_t first[6];
    for (int i = 0; i < 6; i++) {
        first[i] = cs_random_u64(&streams[i]);
        for (int j = 0; j < i; j++) {
            ck_assert_uint_ne(first[i], first[j]);
        }
    }
}
END_TEST

START_TEST(test_copy_forks_the_rest)
{
    cs_random one, two;
    cs_random_init(&one, 1, 1, CS_PURPOSE_SAMPLE, 1, 1);
    for (int i = 0; i < 7; i++) {
        (void)cs_random_u64(&one);
    }
    two = one;
    for (int i = 0; i < 20; i++) {
        ck_assert_uint_eq(cs_random_u64(&one), cs_random_u64(&two));
    }
}
END_TEST

START_TEST(test_below_is_uniform)
{
    static const uint32_t bounds[] = {1, 2, 3, 7, 10, 48};
    enum { DRAWS = 48000 };
    uint32_t bound = bounds[_i], counts[48] = {0};
    cs_random random;
    cs_random_init(&random, 42, 0, CS_PURPOSE_SAMPLE, 0, bound);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t value = cs_random_below(&random, bound);
        if (value >= bound) {
            ck_abort_msg("%u is not below %u", value, bound);
        }
        counts[value]++;
    }
    double statistic = 0, expected = (double)DRAWS / bound;
    for (uint32_t c = 0; c < bound; c++) {
        statistic += (counts[c] - expected) * (counts[c] - expected) / expected;
    }
    /* chi-square with at most 47 degrees of freedom: 1 in 10^5 is above 101 */
    ck_assert_double_lt(statistic, 101);
}
END_TEST

START_TEST(test_below_takes_the_largest_bound)
{
    cs_random random;
    cs_random_init(&random, 1, 0, CS_PURPOSE_SAMPLE, 0, 0);
    bool high = false;
    for (int i = 0; i < 100; i++) {
        uint32_t value = cs_random_below(&random, UINT32_MAX);
        ck_assert_uint_lt(value, UINT32_MAX);
        high = high || value > UINT32_MAX / 2;
    }
    ck_assert(high);
}
END_TEST

START_TEST(test_unit_is_in_0_to_1_on_its_grid)
{
    cs_random random;
    cs_random_init(&random, 1, 0, CS_PURPOSE_SAMPLE, 0, 0);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double value = cs_random_unit(&random);
        if (!(value >= 0 && value < 1 && value * 0x1p53 == (double)(uint64_t)(value * 0x1p53))) {
            ck_abort_msg("%.20g is no multiple of 2^-53 in [0, 1)", value);
        }
        sum += value;
    }
    /* five standard errors of the mean */
    ck_assert_double_eq_tol(sum / 10000, 0.5, 5 * 0.2887 / 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("random");
    tcase_add_loop_test(tcase, test_generator_is_philox4x64_10, 0, 3);
    tcase_add_test(tcase, test_streams_stay_what_they_are);
    tcase_add_test(tcase, test_any_of_the_five_numbers_makes_another_stream);
    tcase_add_test(tcase, test_copy_forks_the_rest);
    tcase_add_loop_test(tcase, test_below_is_uniform, 0, 6);
    tcase_add_test(tcase, test_below_takes_the_largest_bound);
    tcase_add_test(tcase, test_unit_is_in_0_to_1_on_its_grid);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
