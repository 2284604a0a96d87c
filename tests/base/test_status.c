/* Status and error text. */
#include "base/status.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_every_status_has_a_text)
{
    ck_assert_str_eq(cs_status_text(CS_OK), "ok");
    ck_assert_str_eq(cs_status_text(CS_EINTERNAL), "internal error");
    ck_assert_str_eq(cs_status_text((cs_status)1000), "unknown status");
}
END_TEST

START_TEST(test_fail_fills_the_error_and_returns_the_status)
{
    cs_error err;
    ck_assert_int_eq(cs_fail(&err, CS_EBUSY, "%s is %d", "x", 3), CS_EBUSY);
    ck_assert_int_eq(err.status, CS_EBUSY);
    ck_assert_str_eq(err.text, "x is 3");
    ck_assert_int_eq(cs_fail_memory(&err), CS_ENOMEM);
    ck_assert_int_eq(cs_fail(NULL, CS_EIO, "nobody listens"), CS_EIO);
}
END_TEST

START_TEST(test_text_may_contain_the_old_text)
{
    cs_error err;
    (void)cs_fail(&err, CS_EIO, "inner");
    (void)cs_fail(&err, CS_EIO, "outer: %s", err.text);
    ck_assert_str_eq(err.text, "outer: inner");
}
END_TEST

START_TEST(test_long_text_is_cut)
{
    char text[2 * CS_ERROR_TEXT];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cs_error err;
    (void)cs_fail(&err, CS_EIO, "%s", text);
    ck_assert_uint_eq(strlen(err.text), CS_ERROR_TEXT - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("status");
    tcase_add_test(tcase, test_every_status_has_a_text);
    tcase_add_test(tcase, test_fail_fills_the_error_and_returns_the_status);
    tcase_add_test(tcase, test_text_may_contain_the_old_text);
    tcase_add_test(tcase, test_long_text_is_cut);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
