/* Configuration texts: values, places, overrides, and what is refused. */
#include "base/conf.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cs_conf *parse_with(const char *text, const char *const *overrides, size_t count,
                           cs_error *err)
{
    return cs_conf_parse(text, strlen(text), "f.conf", overrides, count, err);
}

static cs_conf *parse(const char *text)
{
    cs_error err;
    cs_conf *conf = parse_with(text, NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    return conf;
}

/* ---- values ---- */

START_TEST(test_values_and_places)
{
    cs_conf *conf = parse("name = \"x\"; on = true; count = 5; ratio = 0.25; big = 5000000000L;\n"
                          "list = ( { a = 1; }, { a = 2; } ); array = [1, 2, 3];\n"
                          "group = { inner = { deep = -7; }; };\n");
    cs_conf_node root = cs_conf_root(conf), group, inner, list;
    cs_error err;
    const char *text;
    bool on = false;
    int64_t whole = 0;
    double number = 0;
    ck_assert_int_eq(cs_conf_string(root, "name", &text, &err), CS_OK);
    ck_assert_str_eq(text, "x");
    ck_assert_int_eq(cs_conf_bool(root, "on", &on, &err), CS_OK);
    ck_assert(on);
    ck_assert_int_eq(cs_conf_int(root, "count", 1, 5, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 5);
    ck_assert_int_eq(cs_conf_number(root, "ratio", 0, 1, &number, &err), CS_OK);
    ck_assert_double_eq(number, 0.25);
    ck_assert_int_eq(cs_conf_number(root, "count", 0, 10, &number, &err), CS_OK);
    ck_assert_double_eq(number, 5);
    ck_assert_int_eq(cs_conf_int(root, "big", 0, INT64_MAX, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 5000000000);
    ck_assert_int_eq(cs_conf_group(root, "group", &group, &err), CS_OK);
    ck_assert_int_eq(cs_conf_group(group, "inner", &inner, &err), CS_OK);
    ck_assert_int_eq(cs_conf_int(inner, "deep", -10, 0, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, -7);
    ck_assert_int_eq(cs_conf_list(root, "list", &list, &err), CS_OK);
    ck_assert_uint_eq(cs_conf_length(list), 2);
    ck_assert_int_eq(cs_conf_int(cs_conf_element(list, 1), "a", 0, 10, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 2);
    ck_assert(!cs_conf_exists(cs_conf_element(list, 2)));
    ck_assert(!cs_conf_exists(cs_conf_member(root, "none")));
    ck_assert_uint_eq(cs_conf_length(cs_conf_member(root, "array")), 3);
    ck_assert_uint_eq(cs_conf_length(cs_conf_member(root, "count")), 0);
    ck_assert_str_eq(cs_conf_key(group), "group");
    ck_assert_str_eq(cs_conf_key(root), "");
    cs_conf_free(conf);
}
END_TEST

START_TEST(test_maybe_leaves_the_default)
{
    cs_conf *conf = parse("given = 3;");
    cs_conf_node root = cs_conf_root(conf);
    cs_error err;
    int64_t given = 1, absent = 1;
    const char *text = "default";
    ck_assert_int_eq(cs_conf_maybe_int(root, "given", 0, 10, &given, &err), CS_OK);
    ck_assert_int_eq(cs_conf_maybe_int(root, "absent", 0, 10, &absent, &err), CS_OK);
    ck_assert_int_eq(cs_conf_maybe_string(root, "text", &text, &err), CS_OK);
    ck_assert_int_eq(given, 3);
    ck_assert_int_eq(absent, 1);
    ck_assert_str_eq(text, "default");
    ck_assert_int_eq(cs_conf_maybe_int(root, "given", 4, 10, &given, &err), CS_EINVAL);
    ck_assert_int_eq(given, 3);
    cs_conf_free(conf);
}
END_TEST

/* ---- errors with their place ---- */

static const struct misread {
    const char *text, *error;
} misread[] = {
    {"a = 1;\ncount = 0;", "f.conf:2: count: must be a whole number from 1 to 9, not 0"},
    {"a = 1;\n\ncount = 1.5;", "f.conf:3: count: must be a whole number from 1 to 9"},
    {"count = \"1\";", "f.conf:1: count: must be a whole number from 1 to 9"},
    {"count = true;", "f.conf:1: count: must be a whole number from 1 to 9"},
    {"a = 1;", "f.conf:1: count: is missing"},
};

START_TEST(test_errors_say_where)
{
    cs_conf *conf = parse(misread[_i].text);
    cs_error err;
    int64_t value = 77;
    ck_assert_int_eq(cs_conf_int(cs_conf_root(conf), "count", 1, 9, &value, &err), CS_EINVAL);
    ck_assert_str_eq(err.text, misread[_i].error);
    ck_assert_int_eq(value, 77);
    cs_conf_free(conf);
}
END_TEST

START_TEST(test_path_of_a_nested_place)
{
    cs_conf *conf = parse("a = (\n  { b = 1; },\n  { b = { c =\n 5; }; } );\n");
    cs_error err;
    int64_t value;
    cs_conf_node second = cs_conf_element(cs_conf_member(cs_conf_root(conf), "a"), 1);
    cs_conf_node b = cs_conf_member(second, "b");
    ck_assert_int_eq(cs_conf_int(b, "c", 0, 1, &value, &err), CS_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, ": a[1].b.c: must be"));
    ck_assert_int_eq(cs_conf_int(b, "d", 0, 1, &value, &err), CS_EINVAL);
    ck_assert_str_eq(err.text, "f.conf:3: a[1].b.d: is missing");
    cs_conf_free(conf);
}
END_TEST

START_TEST(test_unknown_keys)
{
    static const char *const keys[] = {"a", "b", NULL};
    cs_conf *conf = parse("a = 1;\nb = 2;\nc = 3;\n");
    cs_error err;
    ck_assert_int_eq(cs_conf_only(cs_conf_root(conf), keys, &err), CS_EINVAL);
    ck_assert_str_eq(err.text, "f.conf:3: c: unknown key; known here: a, b");
    ck_assert_int_eq(cs_conf_only(cs_conf_member(cs_conf_root(conf), "a"), keys, &err), CS_EINVAL);
    cs_conf_free(conf);
}
END_TEST

/* ---- texts that are refused ---- */

static const struct refused {
    const char *text, *words;
} refused[] = {
    {"a = 1;\nb = ;\n", "f.conf:2: syntax error"},
    {"a = 1;\na = 2;\n", "f.conf:2: duplicate setting name"},
    {"a = [1, 2.5];", "f.conf:1:"},
    {"a = 1;\nb = 5000000000;\n", "f.conf:2: the number 5000000000 needs an L"},
    {"a = 2147483648;", "needs an L"},
    {"a = -5000000000;", "needs an L"},
    {"a = 0xFFFFFFFF;", "needs an L"},
    {"/* 5000000000\n */ a = 5000000000;", "f.conf:2:"},
    {"b = \"\n\\\"\n\"; a = 5000000000;", "f.conf:3:"},
    {"a = 99999999999999999999L;", "does not fit 64 bits"},
    {"a = 0xFFFFFFFFFFFFFFFFL;", "does not fit 64 bits"},
    {"a = 1;\n@include \"/etc/passwd\"\n", "@include is not allowed"},
    {"  @include \"x\"", "@include is not allowed"},
};

START_TEST(test_refuses)
{
    cs_error err;
    ck_assert_ptr_null(parse_with(refused[_i].text, NULL, 0, &err));
    ck_assert_msg(strstr(err.text, refused[_i].words) != NULL, "%s", err.text);
    ck_assert_int_eq(err.status, CS_EINVAL);
}
END_TEST

START_TEST(test_takes_what_only_looks_like_a_large_integer)
{
    cs_conf *conf = parse("a = \"5000000000\"; # 5000000000\n// 5000000000\n"
                          "b = .12345678901; c = 5000000000.0; d = 1e10; x5000000000 = 1;\n"
                          "e = 2147483647; f = -2147483647; g = 0x7FFFFFFF; h = 1.5E+10;\n");
    cs_error err;
    int64_t whole;
    double number;
    cs_conf_node root = cs_conf_root(conf);
    ck_assert_int_eq(cs_conf_number(root, "b", 0, 1, &number, &err), CS_OK);
    ck_assert_double_eq(number, .12345678901);
    ck_assert_int_eq(cs_conf_number(root, "d", 0, 1e11, &number, &err), CS_OK);
    ck_assert_double_eq(number, 1e10);
    ck_assert_int_eq(cs_conf_int(root, "e", 0, INT64_MAX, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, INT32_MAX);
    ck_assert_int_eq(cs_conf_int(root, "g", 0, INT64_MAX, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, INT32_MAX);
    cs_conf_free(conf);
}
END_TEST

START_TEST(test_refuses_bytes_that_are_no_text)
{
    cs_error err;
    ck_assert_ptr_null(cs_conf_parse("a = 1;\0b", 8, "f.conf", NULL, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "zero byte"));
    char *large = calloc(1, CS_CONF_MAX_BYTES + 2);
    ck_assert_ptr_nonnull(large);
    memset(large, ' ', CS_CONF_MAX_BYTES + 1);
    ck_assert_ptr_null(cs_conf_parse(large, CS_CONF_MAX_BYTES + 1, "f.conf", NULL, 0, &err));
    ck_assert_int_eq(err.status, CS_ELIMIT);
    free(large);
    cs_conf *conf = cs_conf_parse(NULL, 0, "f.conf", NULL, 0, &err);
    ck_assert_ptr_nonnull(conf);
    cs_conf_free(conf);
}
END_TEST

/* ---- overrides ---- */

static const char base_text[] = "a = 1;\nname = \"x\";\ngroup = { b = 2.5; };\n"
                                "list = ( { c = 1; }, { c = 2; } );\narray = [1, 2];\n";

START_TEST(test_overrides_replace_and_add)
{
    static const char *const overrides[] = {
        "a=7",       "name=two words",   "group.b=3",          "list.1.c=9",         "array.0=5",
        "new=true",  "fresh.x.y=4",      "path=/a/b.cs",       "quoted=\"a;b # c\"", "half=0.5",
        "signed=-3", "long=5000000000L", "longer=-5000000000",
    };
    cs_error err;
    cs_conf *conf = parse_with(base_text, overrides, sizeof overrides / sizeof *overrides, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_conf_node root = cs_conf_root(conf);
    int64_t whole = 0;
    double number = 0;
    bool on = false;
    const char *text = "";
    ck_assert_int_eq(cs_conf_int(root, "a", 0, 10, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 7);
    ck_assert_int_eq(cs_conf_string(root, "name", &text, &err), CS_OK);
    ck_assert_str_eq(text, "two words");
    ck_assert_int_eq(cs_conf_number(cs_conf_member(root, "group"), "b", 0, 9, &number, &err),
                     CS_OK);
    ck_assert_double_eq(number, 3);
    cs_conf_node second = cs_conf_element(cs_conf_member(root, "list"), 1);
    ck_assert_int_eq(cs_conf_int(second, "c", 0, 10, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 9);
    cs_conf_node first = cs_conf_element(cs_conf_member(root, "array"), 0);
    ck_assert_int_eq(cs_conf_as_int(first, 0, 10, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 5);
    ck_assert_int_eq(cs_conf_bool(root, "new", &on, &err), CS_OK);
    ck_assert(on);
    cs_conf_node x = cs_conf_member(cs_conf_member(root, "fresh"), "x");
    ck_assert_int_eq(cs_conf_int(x, "y", 0, 10, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 4);
    ck_assert_int_eq(cs_conf_int(root, "longer", INT64_MIN, 0, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, -5000000000);
    ck_assert_int_eq(cs_conf_string(root, "path", &text, &err), CS_OK);
    ck_assert_str_eq(text, "/a/b.cs");
    ck_assert_int_eq(cs_conf_string(root, "quoted", &text, &err), CS_OK);
    ck_assert_str_eq(text, "a;b # c");
    ck_assert_int_eq(cs_conf_number(root, "half", 0, 1, &number, &err), CS_OK);
    ck_assert_double_eq(number, 0.5);
    ck_assert_int_eq(cs_conf_int(root, "signed", -5, 0, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, -3);
    ck_assert_int_eq(cs_conf_int(root, "long", 0, INT64_MAX, &whole, &err), CS_OK);
    ck_assert_int_eq(whole, 5000000000);
    cs_conf_free(conf);
}
END_TEST

START_TEST(test_errors_name_the_override)
{
    static const char *const overrides[] = {"a=99", "fresh.key=1"};
    static const char *const keys[] = {"a", "name", "group", "list", "array", NULL};
    cs_error err;
    int64_t value;
    cs_conf *conf = parse_with(base_text, overrides, 2, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    ck_assert_int_eq(cs_conf_int(cs_conf_root(conf), "a", 0, 9, &value, &err), CS_EINVAL);
    ck_assert_str_eq(err.text, "--set a: must be a whole number from 0 to 9, not 99");
    ck_assert_int_eq(cs_conf_only(cs_conf_root(conf), keys, &err), CS_EINVAL);
    ck_assert_int_eq(strncmp(err.text, "--set fresh: unknown key", 24), 0);
    cs_conf_free(conf);
}
END_TEST

static const char *const bad_overrides[] = {
    "a",
    "=1",
    "group=1",
    "list=1",
    "list.5.c=1",
    "list.x.c=1",
    "list.4294967296.c=1",
    "a.b=1",
    "group.=1",
    "..=1",
    "array.9=1",
    "array.0=text",
};

START_TEST(test_refuses_overrides)
{
    cs_error err;
    ck_assert_msg(parse_with(base_text, &bad_overrides[_i], 1, &err) == NULL, "%s",
                  bad_overrides[_i]);
    ck_assert_int_eq(strncmp(err.text, "--set ", 6), 0);
}
END_TEST

/* A value is data: it can neither end its setting nor open a file. */
START_TEST(test_an_override_is_only_a_value)
{
    static const char *const overrides[] = {"a=1; b = 2", "name=\"x\"\n@include \"/etc/passwd\"",
                                            "c=5 # no", "d={ e = 1; }"};
    cs_error err;
    const char *text = "";
    cs_conf *conf = parse_with(base_text, overrides, 4, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_conf_node root = cs_conf_root(conf);
    ck_assert_int_eq(cs_conf_string(root, "a", &text, &err), CS_OK);
    ck_assert_str_eq(text, "1; b = 2");
    ck_assert(!cs_conf_exists(cs_conf_member(root, "b")));
    ck_assert_int_eq(cs_conf_string(root, "name", &text, &err), CS_OK);
    ck_assert_ptr_nonnull(strstr(text, "@include"));
    ck_assert(cs_conf_is_string(cs_conf_member(root, "c")));
    ck_assert(cs_conf_is_string(cs_conf_member(root, "d")));
    cs_conf_free(conf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *values = tcase_create("values");
    tcase_add_test(values, test_values_and_places);
    tcase_add_test(values, test_maybe_leaves_the_default);
    suite_add_tcase(suite, values);
    TCase *errors = tcase_create("errors");
    tcase_add_loop_test(errors, test_errors_say_where, 0, (int)(sizeof misread / sizeof *misread));
    tcase_add_test(errors, test_path_of_a_nested_place);
    tcase_add_test(errors, test_unknown_keys);
    tcase_add_loop_test(errors, test_refuses, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(errors, test_takes_what_only_looks_like_a_large_integer);
    tcase_add_test(errors, test_refuses_bytes_that_are_no_text);
    suite_add_tcase(suite, errors);
    TCase *overrides = tcase_create("overrides");
    tcase_add_test(overrides, test_overrides_replace_and_add);
    tcase_add_test(overrides, test_errors_name_the_override);
    tcase_add_loop_test(overrides, test_refuses_overrides, 0,
                        (int)(sizeof bad_overrides / sizeof *bad_overrides));
    tcase_add_test(overrides, test_an_override_is_only_a_value);
    suite_add_tcase(suite, overrides);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
