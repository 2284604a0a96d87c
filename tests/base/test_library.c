/* What the library promises (base/library.h): its own files, and no others. */
#include "base/library.h"

#include "base/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT 4096

/* library.XXXXXX holds spaces/{alpha.conf, beta, .hidden.conf, .hidden}, spaces/inner/deep.conf,
 * empty/, and secret.conf beside the folders. */
static char root[32];

static const char *const folders[] = {"spaces", "spaces/inner", "empty"};
static const char *const files[] = {"spaces/alpha.conf",      "spaces/beta",
                                    "spaces/.hidden.conf",    "spaces/.hidden",
                                    "spaces/inner/deep.conf", "secret.conf"};

static void in_root(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", root, name);
}

static void make_library(void)
{
    char path[256];
    cs_error err;
    strcpy(root, "library.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        in_root(folders[i], path);
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        in_root(files[i], path);
        ck_assert(!cs_file_write(path, files[i], strlen(files[i]), &err));
    }
}

static void remove_library(void)
{
    char path[256];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        in_root(files[i], path);
        ck_assert_int_eq(unlink(path), 0);
    }
    for (size_t i = sizeof folders / sizeof *folders; i-- > 0;) {
        in_root(folders[i], path);
        ck_assert_int_eq(rmdir(path), 0);
    }
    ck_assert_int_eq(rmdir(root), 0);
}

static void expect_read(const char *name, const char *content)
{
    size_t size = 0;
    cs_error err = {0};
    char *data = cs_library_read(root, "spaces", name, LIMIT, &size, &err);
    ck_assert_msg(data != NULL, "%s: %s", name, err.text);
    ck_assert_uint_eq(size, strlen(content));
    ck_assert_mem_eq(data, content, size);
    free(data);
}

static void expect_refused(const char *folder, const char *name, cs_status status, const char *word)
{
    size_t size = 77;
    cs_error err = {0};
    char *data = cs_library_read(root, folder, name, LIMIT, &size, &err);
    ck_assert_msg(data == NULL, "%s was read", name);
    ck_assert_msg(err.status == status, "%s: %s", name, err.text);
    ck_assert_msg(strstr(err.text, word) != NULL, "%s", err.text);
    ck_assert_uint_eq(size, 77);
}

START_TEST(test_files_are_found_with_and_without_their_ending)
{
    expect_read("alpha", "spaces/alpha.conf");
    expect_read("alpha.conf", "spaces/alpha.conf");
    expect_read("beta", "spaces/beta");
}
END_TEST

START_TEST(test_no_name_leads_out_of_the_folder)
{
    static const char *const tricks[] = {
        "../secret",
        "../secret.conf",
        "..",
        ".",
        "",
        "/etc/passwd",
        "//etc/passwd",
        ".hidden",
        ".hidden.conf",
        "inner/deep",
        "inner/../alpha",
        "./alpha",
        "alpha/",
        "alpha\n",
        " alpha",
        "alpha conf",
        "alph*",
        "~root",
        "-alpha",
        "alpha\\..\\secret",
        "%2e%2e%2fsecret",
        "alpha\x80",
        "\xc3\xa4pfel",
    };
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        expect_refused("spaces", tricks[i], CS_EINVAL, "not a name of the library");
    }
}
END_TEST

START_TEST(test_very_long_names_are_refused)
{
    for (size_t size = 101; size < 100000; size *= 3) {
        char *name = malloc(size + 1);
        memset(name, 'a', size);
        name[size] = '\0';
        expect_refused("spaces", name, CS_EINVAL, "not a name");
        free(name);
    }
    char name[101] = "";
    memset(name, 'a', 100);
    expect_refused("spaces", name, CS_ENOENT, name);
}
END_TEST

START_TEST(test_what_is_missing_is_told_with_what_is_there)
{
    expect_refused("spaces", "gamma", CS_ENOENT, "it has: alpha, beta, inner");
    expect_refused("spaces", "gamma", CS_ENOENT, "no spaces 'gamma'");
    expect_refused("empty", "gamma", CS_ENOENT, "it has: none");
    expect_refused("no-such-folder", "gamma", CS_ENOENT, "it has: none");
    size_t size;
    cs_error err = {0};
    ck_assert_ptr_null(cs_library_read(root, "spaces", "gamma", LIMIT, &size, &err));
    ck_assert_msg(strstr(err.text, "hidden") == NULL, "%s", err.text);
}
END_TEST

START_TEST(test_what_is_no_file_is_refused)
{
    expect_refused("spaces", "inner", CS_EINVAL, "not a regular file");
}
END_TEST

START_TEST(test_a_file_that_is_too_large_is_refused)
{
    char path[256];
    in_root("spaces/large.conf", path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(ftruncate(fileno(file), LIMIT + 1), 0);
    fclose(file);
    expect_refused("spaces", "large", CS_ELIMIT, "large.conf");
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(test_a_folder_with_very_many_files_makes_a_text_that_fits)
{
    char path[256], name[64];
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 60; i++) {
            snprintf(name, sizeof name, "empty/a-rather-long-name-of-a-file-%02d", i);
            in_root(name, path);
            cs_error err;
            ck_assert(pass ? unlink(path) == 0 : cs_file_write(path, "", 0, &err) == CS_OK);
        }
        expect_refused("empty", "gamma", CS_ENOENT, pass ? "none" : "file-00, a-rather");
        expect_refused("empty", "gamma", CS_ENOENT, pass ? "none" : "a-file-07, ...");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("library");
    TCase *tcase = tcase_create("library");
    tcase_add_unchecked_fixture(tcase, make_library, remove_library);
    tcase_add_test(tcase, test_files_are_found_with_and_without_their_ending);
    tcase_add_test(tcase, test_no_name_leads_out_of_the_folder);
    tcase_add_test(tcase, test_very_long_names_are_refused);
    tcase_add_test(tcase, test_what_is_missing_is_told_with_what_is_there);
    tcase_add_test(tcase, test_what_is_no_file_is_refused);
    tcase_add_test(tcase, test_a_file_that_is_too_large_is_refused);
    tcase_add_test(tcase, test_a_folder_with_very_many_files_makes_a_text_that_fits);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
