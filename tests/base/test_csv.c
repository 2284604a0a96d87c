/* Tables: what is read and what is refused, with its line. */
#include "base/csv.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static cs_csv *parse(const char *text, cs_error *err)
{
    return cs_csv_parse(text, strlen(text), "t.csv", err);
}

START_TEST(test_plain_table)
{
    static const char *const texts[] = {
        "a,b,c\n1,2,3\n4,,6\n",
        "a,b,c\n1,2,3\n4,,6",
        "a,b,c\r\n1,2,3\r\n4,,6\r\n",
        "\na,b,c\n\n1,2,3\n\r\n4,,6\n\n",
        "\"a\",b,c\n\"1\",2,\"3\"\n4,\"\",6\n",
    };
    cs_error err;
    cs_csv *csv = parse(texts[_i], &err);
    ck_assert_msg(csv != NULL, "%s", err.text);
    ck_assert_uint_eq(cs_csv_row_count(csv), 2);
    ck_assert_uint_eq(cs_csv_column_count(csv), 3);
    ck_assert_str_eq(cs_csv_column_name(csv, 0), "a");
    ck_assert_str_eq(cs_csv_column_name(csv, 2), "c");
    ck_assert_str_eq(cs_csv_cell(csv, 0, 0), "1");
    ck_assert_str_eq(cs_csv_cell(csv, 0, 2), "3");
    ck_assert_str_eq(cs_csv_cell(csv, 1, 0), "4");
    ck_assert_str_eq(cs_csv_cell(csv, 1, 1), "");
    ck_assert_str_eq(cs_csv_cell(csv, 1, 2), "6");
    size_t column = 9;
    ck_assert_int_eq(cs_csv_find(csv, "b", &column, &err), CS_OK);
    ck_assert_uint_eq(column, 1);
    cs_csv_free(csv);
}
END_TEST

START_TEST(test_quoted_fields)
{
    cs_error err;
    cs_csv *csv = parse("\"a,b\",\"say \"\"x\"\"\"\n\"two\nlines\",\"\"\"\"\n7,8\n", &err);
    ck_assert_msg(csv != NULL, "%s", err.text);
    ck_assert_str_eq(cs_csv_column_name(csv, 0), "a,b");
    ck_assert_str_eq(cs_csv_column_name(csv, 1), "say \"x\"");
    ck_assert_str_eq(cs_csv_cell(csv, 0, 0), "two\nlines");
    ck_assert_str_eq(cs_csv_cell(csv, 0, 1), "\"");
    /* the line after a field of two lines */
    ck_assert_int_eq(cs_csv_fail(csv, 1, 0, &err, "is %d", 7), CS_EINVAL);
    ck_assert_str_eq(err.text, "t.csv:4: a,b: is 7");
    cs_csv_free(csv);
}
END_TEST

START_TEST(test_numbers)
{
    cs_error err;
    double value = 0;
    cs_csv *csv = parse("x\n-1.5e3\n+2\n.5\n7.\n", &err);
    ck_assert_ptr_nonnull(csv);
    static const double expected[] = {-1500, 2, 0.5, 7};
    for (size_t r = 0; r < 4; r++) {
        ck_assert_int_eq(cs_csv_number(csv, r, 0, &value, &err), CS_OK);
        ck_assert_double_eq(value, expected[r]);
    }
    cs_csv_free(csv);
}
END_TEST

static const char *const no_numbers[] = {"\"\"", "x", "1x", " 1",    "1 ",  "0x10", "inf",
                                         "nan",  "-", "e5", "1e999", "1,5", "1..2"};

START_TEST(test_what_is_no_number)
{
    cs_error err;
    char text[100] = "x\n1\n";
    /* a decimal comma would be another field */
    strcat(strcat(strcat(text, strchr(no_numbers[_i], ',') ? "\"" : ""), no_numbers[_i]),
           strchr(no_numbers[_i], ',') ? "\"\n" : "\n");
    cs_csv *csv = parse(text, &err);
    ck_assert_msg(csv != NULL, "%s", err.text);
    double value = 77;
    ck_assert_int_eq(cs_csv_number(csv, 1, 0, &value, &err), CS_EINVAL);
    ck_assert_double_eq(value, 77);
    ck_assert_int_eq(strncmp(err.text, "t.csv:3: x: ", 12), 0);
    cs_csv_free(csv);
}
END_TEST

static const struct refused {
    const char *text, *error;
} refused[] = {
    {"", "t.csv:1: the table is empty"},
    {"\n\n", "t.csv:1: the table is empty"},
    {"a,b\n1\n", "t.csv:2: 1 fields, but the header names 2 columns"},
    {"a,b\n1,2\n1,2,3\n", "t.csv:3: 3 fields, but the header names 2 columns"},
    {"a,b,a\n", "t.csv:1: two columns are called \"a\""},
    {"a,b\n1,2\"\n", "t.csv:2: a quote inside of an unquoted field"},
    {"a,b\n1,\"2\"x\n", "t.csv:2: text after the end of a quoted field"},
    {"a,b\n1,\"2\n3\n", "t.csv:2: a quoted field does not end"},
};

START_TEST(test_refuses)
{
    cs_error err;
    ck_assert_ptr_null(parse(refused[_i].text, &err));
    ck_assert_str_eq(err.text, refused[_i].error);
    ck_assert_int_eq(err.status, CS_EINVAL);
}
END_TEST

START_TEST(test_refuses_a_zero_byte_and_a_missing_column)
{
    cs_error err;
    ck_assert_ptr_null(cs_csv_parse("a\n\0\n", 4, "t.csv", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "zero byte"));
    cs_csv *csv = parse("a,b\n", &err);
    ck_assert_ptr_nonnull(csv);
    size_t column = 9;
    ck_assert_int_eq(cs_csv_find(csv, "c", &column, &err), CS_EINVAL);
    ck_assert_str_eq(err.text, "t.csv:1: there is no column \"c\"");
    ck_assert_uint_eq(column, 9);
    ck_assert_uint_eq(cs_csv_row_count(csv), 0);
    cs_csv_free(csv);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("csv");
    TCase *tcase = tcase_create("csv");
    tcase_add_loop_test(tcase, test_plain_table, 0, 5);
    tcase_add_test(tcase, test_quoted_fields);
    tcase_add_test(tcase, test_numbers);
    tcase_add_loop_test(tcase, test_what_is_no_number, 0,
                        (int)(sizeof no_numbers / sizeof *no_numbers));
    tcase_add_loop_test(tcase, test_refuses, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(tcase, test_refuses_a_zero_byte_and_a_missing_column);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
