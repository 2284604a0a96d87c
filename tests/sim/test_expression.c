/* Whole-number expressions. */
#include "sim/network/expression.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const cs_expression_name names[] = {
    {"width", 12}, {"in_channels", 7}, {"zero", 0}, {"minus", -3}, {"most", INT64_MAX}};

#define NAME_COUNT (sizeof names / sizeof names[0])

static const struct {
    const char *text;
    int64_t value;
} good[] = {
    {"0", 0},
    {"9223372036854775807", INT64_MAX},
    {"width", 12},
    {" 4*width ", 48},
    {"1 + 2 * 3 - 4 / 2", 5},
    {"(1 + 2) * (3 - 4)", -3},
    {"10 - 2 - 3", 5},
    {"100 / 7 / 2", 7},
    {"7 / 2 * 2", 6},
    {"zero / width", 0},
    {"minus * minus", 9},
    {"((((((((((((((((width))))))))))))))))", 12},
    {"(1) + (2) + (3) + (1) + (2) + (3) + (1) + (2) + (3) + (1) + (2) + (3) + (1) + (2) + (3)", 30},
    {"in_channels-1", 6},
};

START_TEST(values_are_those_of_arithmetic)
{
    int64_t value = 0;
    char problem[CS_EXPRESSION_PROBLEM];
    ck_assert_msg(cs_expression_evaluate(good[_i].text, names, NAME_COUNT, &value, problem),
                  "%s: %s", good[_i].text, problem);
    ck_assert_int_eq(value, good[_i].value);
}
END_TEST

static const struct {
    const char *text, *problem;
} bad[] = {
    {"", "missing"},
    {"  ", "missing"},
    {"1 +", "missing"},
    {"* 2", "missing"},
    {"-1", "missing"},
    {"1 2", "operator"},
    {"4width", "operator"},
    {"height", "no number \"height\""},
    {"widt", "no number \"widt\""},
    {"width2", "no number \"width2\""},
    {"1 / zero", "divide"},
    {"1 / minus", "divide"},
    {"minus / 2", "divide"},
    {"9223372036854775808", "too large"},
    {"most + 1", "too large"},
    {"most * 2", "too large"},
    {"minus - most - most", "too large"},
    {"(1", "not closed"},
    {"1)", "operator"},
    {"(((((((((((((((((1)))))))))))))))))", "parentheses"},
    {"1 % 2", "operator"},
    {"1.5", "operator"},
    {"\xc3\xa4", "missing"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "no number"},
};

START_TEST(what_is_no_expression_is_refused)
{
    int64_t value = 77;
    char problem[CS_EXPRESSION_PROBLEM];
    ck_assert(!cs_expression_evaluate(bad[_i].text, names, NAME_COUNT, &value, problem));
    ck_assert_msg(strstr(problem, bad[_i].problem) != NULL, "%s: %s", bad[_i].text, problem);
    ck_assert_int_eq(value, 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expression");
    TCase *c = tcase_create("expression");
    tcase_add_loop_test(c, values_are_those_of_arithmetic, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(c, what_is_no_expression_is_refused, 0, sizeof bad / sizeof bad[0]);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
