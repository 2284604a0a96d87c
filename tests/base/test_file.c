/* Whole files: read, refused, replaced. */
#include "base/file.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A folder of this test's own; its path stays valid until the next call. */
static const char *make_folder(void)
{
    static char folder[256];
    snprintf(folder, sizeof folder, "%s/test_file.XXXXXX", CODESIGN_BINARY_DIR);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)unlink(path);
    }
    closedir(dir);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int count_files(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

START_TEST(test_what_is_written_is_read)
{
    const char *folder = make_folder();
    char path[300];
    snprintf(path, sizeof path, "%s/a", folder);
    cs_error err;
    size_t size = 0;
    static const char bytes[] = "one\0two";
    ck_assert_int_eq(cs_file_write(path, bytes, sizeof bytes, &err), CS_OK);
    ck_assert_int_eq(cs_file_write(path, bytes, 5, &err), CS_OK);
    char *data = cs_file_read(path, 100, &size, &err);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(data, bytes, 5);
    ck_assert_int_eq(data[5], '\0');
    free(data);
    ck_assert_int_eq(count_files(folder), 1);

    ck_assert_int_eq(cs_file_write(path, "", 0, &err), CS_OK);
    data = cs_file_read(path, 100, &size, &err);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(size, 0);
    free(data);
    remove_folder(folder);
}
END_TEST

START_TEST(test_read_says_why_not)
{
    const char *folder = make_folder();
    char path[300];
    cs_error err;
    size_t size = 77;
    snprintf(path, sizeof path, "%s/none", folder);
    ck_assert_ptr_null(cs_file_read(path, 100, &size, &err));
    ck_assert_int_eq(err.status, CS_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_null(cs_file_read(folder, 100, &size, &err));
    ck_assert_int_eq(err.status, CS_EINVAL);
    ck_assert_int_eq(cs_file_write(path, "12345", 5, &err), CS_OK);
    ck_assert_ptr_null(cs_file_read(path, 4, &size, &err));
    ck_assert_int_eq(err.status, CS_ELIMIT);
    ck_assert_uint_eq(size, 77);
    remove_folder(folder);
}
END_TEST

START_TEST(test_reading_a_fifo_does_not_wait)
{
    const char *folder = make_folder();
    char path[300];
    cs_error err;
    size_t size;
    snprintf(path, sizeof path, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(cs_file_read(path, 100, &size, &err));
    ck_assert_int_eq(err.status, CS_EINVAL);
    remove_folder(folder);
}
END_TEST

START_TEST(test_a_write_replaces_no_device_and_no_link)
{
    const char *folder = make_folder();
    char path[300], link[300], got[8];
    struct stat info;
    cs_error err;
    snprintf(path, sizeof path, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    ck_assert_int_ge(reader, 0);
    ck_assert_int_eq(cs_file_write(path, "12345", 5, &err), CS_OK);
    ck_assert_int_eq(read(reader, got, sizeof got), 5);
    close(reader);
    ck_assert_int_eq(lstat(path, &info), 0);
    ck_assert(S_ISFIFO(info.st_mode));

    /* A name of the same device as /dev/full, so that no bug can replace that. */
    snprintf(path, sizeof path, "%s/full", folder);
    if (mknod(path, S_IFCHR | 0600, makedev(1, 7)) == 0) {
        int status = cs_file_write(path, "12345", 5, &err);
        ck_assert_int_ne(status, CS_OK);
        ck_assert_int_eq(lstat(path, &info), 0);
        ck_assert(S_ISCHR(info.st_mode));
    }

    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    ck_assert_int_eq(cs_file_write(path, "1", 1, &err), CS_OK);
    ck_assert_int_eq(symlink("file", link), 0);
    ck_assert_int_eq(cs_file_write(link, "12", 2, &err), CS_OK);
    ck_assert_int_eq(lstat(link, &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    ck_assert_int_eq(lstat(path, &info), 0);
    ck_assert_int_eq(info.st_size, 2);
    remove_folder(folder);
}
END_TEST

START_TEST(test_a_write_that_fails_leaves_nothing)
{
    const char *folder = make_folder();
    char path[300];
    cs_error err;
    snprintf(path, sizeof path, "%s/no/such", folder);
    ck_assert_int_eq(cs_file_write(path, "x", 1, &err), CS_ENOENT);
    /* a folder of the name: the rename fails after all has been written */
    snprintf(path, sizeof path, "%s/taken", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_ne(cs_file_write(path, "x", 1, &err), CS_OK);
    ck_assert_int_eq(count_files(folder), 1);
    ck_assert_int_eq(rmdir(path), 0);
    remove_folder(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *tcase = tcase_create("file");
    tcase_add_test(tcase, test_what_is_written_is_read);
    tcase_add_test(tcase, test_read_says_why_not);
    tcase_add_test(tcase, test_reading_a_fifo_does_not_wait);
    tcase_add_test(tcase, test_a_write_replaces_no_device_and_no_link);
    tcase_add_test(tcase, test_a_write_that_fails_leaves_nothing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
