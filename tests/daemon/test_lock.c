/* What the lock on the state directory promises (daemon/lock.h). */
#include "daemon/lock.h"

#include "base/file.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_path(char path[64])
{
    strcpy(path, "lock.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static cs_lock *take(const char *path)
{
    cs_error err = {0};
    cs_lock *lock = cs_lock_take(path, &err);
    ck_assert_msg(lock != NULL, "%s", err.text);
    return lock;
}

static void assert_held_by(const char *path, pid_t holder)
{
    cs_error err = {0};
    char number[32];
    snprintf(number, sizeof number, " %ld", (long)holder);
    ck_assert_ptr_null(cs_lock_take(path, &err));
    ck_assert_int_eq(err.status, CS_EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, number));
}

START_TEST(test_a_lock_is_held_once_until_released)
{
    char path[64];
    make_path(path);
    ck_assert_int_eq(unlink(path), 0); /* taking it creates the file */
    cs_lock *lock = take(path);
    assert_held_by(path, getpid());
    cs_lock_release(lock);
    ck_assert_int_eq(access(path, F_OK), 0);
    lock = take(path);
    cs_lock_release(lock);
    cs_lock_release(NULL);
    unlink(path);
}
END_TEST

START_TEST(test_the_file_holds_the_number_for_people)
{
    char path[64], expected[32];
    make_path(path);
    FILE *file = fopen(path, "w");
    fputs("12345678901234567890 and more of an older content\n", file);
    fclose(file);
    cs_lock *lock = take(path);
    size_t size;
    cs_error err;
    char *text = cs_file_read(path, 100, &size, &err);
    snprintf(expected, sizeof expected, "%ld\n", (long)getpid());
    ck_assert_str_eq(text, expected);
    free(text);
    cs_lock_release(lock);
    unlink(path);
}
END_TEST

/* A child that holds the lock until it is killed; returns when it does. */
static pid_t hold_in_child(const char *path)
{
    int ready[2];
    char byte = 0;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        take(path);
        if (write(ready[1], &byte, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

START_TEST(test_a_killed_holder_leaves_the_lock_free)
{
    char path[64];
    make_path(path);
    pid_t child = hold_in_child(path);
    assert_held_by(path, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    cs_lock_release(take(path));
    unlink(path);
}
END_TEST

START_TEST(test_release_frees_it_although_a_child_lives)
{
    char path[64];
    make_path(path);
    cs_lock *lock = take(path);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        pause();
        _exit(1);
    }
    cs_lock_release(lock);
    cs_lock_release(take(path));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    unlink(path);
}
END_TEST

START_TEST(test_a_holder_without_a_number_is_busy_too)
{
    char path[64];
    make_path(path);
    cs_lock *lock = take(path);
    ck_assert_int_eq(truncate(path, 0), 0);
    cs_error err = {0};
    ck_assert_ptr_null(cs_lock_take(path, &err));
    ck_assert_int_eq(err.status, CS_EBUSY);
    cs_lock_release(lock);
    unlink(path);
}
END_TEST

START_TEST(test_a_path_that_is_no_place_for_a_lock)
{
    cs_error err = {0};
    ck_assert_ptr_null(cs_lock_take("no/such/lock", &err));
    ck_assert_int_eq(err.status, CS_ENOENT);
    ck_assert_ptr_null(cs_lock_take(".", &err));
    ck_assert_int_eq(err.status, CS_EIO);
}
END_TEST

START_TEST(test_the_directory_has_to_be_one_of_this_machine)
{
    char path[64];
    make_path(path);
    cs_error err = {0};
    ck_assert_msg(cs_directory_check(".", &err) == CS_OK, "%s", err.text);
    ck_assert_int_eq(cs_directory_check("no/such", &err), CS_ENOENT);
    ck_assert_int_eq(cs_directory_check(path, &err), CS_EINVAL);
    unlink(path);
}
END_TEST

START_TEST(test_network_file_systems_are_known_by_their_number)
{
    static const struct {
        uint64_t type;
        const char *name; /* NULL: of this machine */
    } types[] = {
        {0x6969, "NFS"},        {0x517b, "SMB"},
        {0xff534d42, "CIFS"},   {0xffffffffff534d42, "CIFS"}, /* as a signed word of 32 bits */
        {0xfe534d42, "SMB"},    {0x5346414f, "AFS"},
        {0x00c36400, "Ceph"},   {0x01021997, "9p"},
        {0x0bd00bd0, "Lustre"}, {0xef53, NULL}, /* ext4 */
        {0x58465342, NULL},                     /* xfs */
        {0x9123683e, NULL},                     /* btrfs */
        {0x01021994, NULL},                     /* tmpfs */
        {0x794c7630, NULL},                     /* overlay */
        {0x65735546, NULL},                     /* FUSE */
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *name = cs_network_file_system(types[i].type);
        ck_assert_pstr_eq(name, types[i].name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock");
    TCase *tcase = tcase_create("lock");
    tcase_add_test(tcase, test_a_lock_is_held_once_until_released);
    tcase_add_test(tcase, test_the_file_holds_the_number_for_people);
    tcase_add_test(tcase, test_a_killed_holder_leaves_the_lock_free);
    tcase_add_test(tcase, test_release_frees_it_although_a_child_lives);
    tcase_add_test(tcase, test_a_holder_without_a_number_is_busy_too);
    tcase_add_test(tcase, test_a_path_that_is_no_place_for_a_lock);
    tcase_add_test(tcase, test_the_directory_has_to_be_one_of_this_machine);
    tcase_add_test(tcase, test_network_file_systems_are_known_by_their_number);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
