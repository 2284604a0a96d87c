/* The seen-set: set semantics against a plain list, growth, and the key that marks empty slots. */
#include "base/random.h"
#include "search/front/seen.h"

#include <check.h>
#include <stdlib.h>

START_TEST(remembers_each_key_once)
{
    cs_seen *seen = cs_seen_new();
    ck_assert_ptr_nonnull(seen);
    enum { COUNT = 100000 };
    for (uint64_t i = 0; i < COUNT; i++) {
        cs_key key = cs_key_of(&i, sizeof i);
        ck_assert(!cs_seen_has(seen, key));
        ck_assert(cs_seen_add(seen, key));
        ck_assert(cs_seen_has(seen, key));
    }
    ck_assert_uint_eq(cs_seen_count(seen), COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert(!cs_seen_add(seen, cs_key_of(&i, sizeof i)));
    }
    ck_assert_uint_eq(cs_seen_count(seen), COUNT);
    ck_assert(!cs_seen_failed(seen));
    cs_seen_free(seen);
}
END_TEST

/* Few distinct keys that collide in their low bits, so that probes run long and wrap around. */
START_TEST(agrees_with_a_list_under_collisions)
{
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    enum { COUNT = 2000 };
    static cs_key list[COUNT];
    size_t listed = 0;
    cs_seen *seen = cs_seen_new();
    for (unsigned i = 0; i < COUNT; i++) {
        cs_key key = {.low = UINT64_MAX - cs_random_below(&random, 3),
                      .high = cs_random_below(&random, 300)};
        bool known = false;
        for (size_t k = 0; k < listed; k++) {
            known = known || (list[k].low == key.low && list[k].high == key.high);
        }
        ck_assert_int_eq(cs_seen_has(seen, key), known);
        ck_assert_int_eq(cs_seen_add(seen, key), !known);
        if (!known) {
            list[listed++] = key;
        }
        ck_assert_uint_eq(cs_seen_count(seen), listed);
    }
    cs_seen_free(seen);
}
END_TEST

START_TEST(takes_the_zero_key)
{
    cs_seen *seen = cs_seen_new();
    cs_key zero = {0, 0}, half = {0, 1}, other_half = {1, 0};
    ck_assert(!cs_seen_has(seen, zero));
    ck_assert(cs_seen_add(seen, half));
    ck_assert(cs_seen_add(seen, other_half));
    ck_assert(!cs_seen_has(seen, zero));
    ck_assert(cs_seen_add(seen, zero));
    ck_assert(!cs_seen_add(seen, zero));
    ck_assert(cs_seen_has(seen, zero));
    ck_assert_uint_eq(cs_seen_count(seen), 3);
    cs_seen_free(seen);
}
END_TEST

START_TEST(frees_nothing)
{
    cs_seen_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seen");
    TCase *tcase = tcase_create("seen");
    tcase_add_test(tcase, remembers_each_key_once);
    tcase_add_loop_test(tcase, agrees_with_a_list_under_collisions, 0, 8);
    tcase_add_test(tcase, takes_the_zero_key);
    tcase_add_test(tcase, frees_nothing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
