/* What the daemon's settings promise (daemon/settings.h): mistakes are told with file and line. */
#include "daemon/settings.h"

#include "base/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char path[] = "settings-test.conf";

static cs_status load(cs_settings *settings, const char *text, cs_error *err)
{
    *err = (cs_error){0};
    ck_assert(!cs_file_write(path, text, strlen(text), err));
    cs_status status = cs_settings_load(settings, path, err);
    ck_assert_int_eq(unlink(path), 0);
    return status;
}

/* The text is refused with this message, which may be cut, and changes nothing. */
static void expect_refused(const char *text, const char *message)
{
    static cs_settings before, after;
    cs_error err;
    cs_settings_init(&before);
    cs_settings_init(&after);
    ck_assert_msg(load(&after, text, &err) != CS_OK, "%s", text);
    ck_assert_int_eq(err.status, CS_EINVAL);
    ck_assert_msg(strncmp(err.text, message, strlen(message)) == 0, "%s", err.text);
    ck_assert_mem_eq(&before, &after, sizeof before);
}

START_TEST(test_all_keys_are_read)
{
    static cs_settings settings;
    cs_error err;
    cs_settings_init(&settings);
    ck_assert_msg(!load(&settings,
                        "state_directory = \"/srv/state\";\n"
                        "endpoint = \"ipc:///srv/socket\";\n"
                        "library = \"/srv/library\";\n"
                        "workers = 3;\n"
                        "running_jobs = 5;\n"
                        "synchronous = \"full\";\n"
                        "log_level = \"debug\";\n"
                        "commit_interval_ms = 0;\n",
                        &err),
                  "%s", err.text);
    ck_assert_str_eq(settings.state_directory, "/srv/state");
    ck_assert_str_eq(settings.endpoint, "ipc:///srv/socket");
    ck_assert_str_eq(settings.library, "/srv/library");
    ck_assert_uint_eq(settings.workers, 3);
    ck_assert_uint_eq(settings.running_jobs, 5);
    ck_assert(settings.full_sync);
    ck_assert_int_eq(settings.log_level, CS_LOG_DEBUG);
    ck_assert_uint_eq(settings.commit_interval_ms, 0);
}
END_TEST

START_TEST(test_what_a_file_does_not_name_stays)
{
    static cs_settings settings, before;
    cs_error err;
    cs_settings_init(&settings);
    cs_settings_init(&before);
    ck_assert(!load(&settings, "", &err));
    ck_assert_mem_eq(&settings, &before, sizeof settings);
    ck_assert_uint_eq(settings.workers, 0); /* one a core */
    ck_assert_uint_eq(settings.commit_interval_ms, 20);
    ck_assert(!settings.full_sync);
    ck_assert(!load(&settings, "workers = 7;", &err));
    before.workers = 7;
    ck_assert_mem_eq(&settings, &before, sizeof settings);
}
END_TEST

START_TEST(test_the_shipped_file_is_read)
{
    static cs_settings settings;
    cs_error err = {0};
    const char *shipped = CODESIGN_SOURCE_DIR "/configs/daemon/codesignd.conf";
    cs_settings_init(&settings);
    ck_assert_msg(!cs_settings_load(&settings, shipped, &err), "%s", err.text);
}
END_TEST

START_TEST(test_mistakes_are_told_with_file_line_and_key)
{
    expect_refused("\nworker = 3;\n", "settings-test.conf:2: worker: ");
    expect_refused("workers = \"3\";", "settings-test.conf:1: workers: ");
    expect_refused("workers = 1.5;", "settings-test.conf:1: workers: ");
    expect_refused("\n\nworkers = -1;", "settings-test.conf:3: workers: ");
    expect_refused("workers = 1025;", "settings-test.conf:1: workers: ");
    expect_refused("workers = 4294967297L;", "settings-test.conf:1: workers: ");
    expect_refused("running_jobs = 0;", "settings-test.conf:1: running_jobs: ");
    expect_refused("running_jobs = 1001;", "settings-test.conf:1: running_jobs: ");
    expect_refused("commit_interval_ms = 1001;", "settings-test.conf:1: commit_interval_ms: ");
    expect_refused("log_level = 7;", "settings-test.conf:1: log_level: ");
    expect_refused("log_level = \"loud\";",
                   "settings-test.conf:1: log_level: must be one of error, warning, notice, info, "
                   "debug, not \"loud\"");
    expect_refused("synchronous = \"off\";",
                   "settings-test.conf:1: synchronous: must be one of normal, full, not \"off\"");
    expect_refused("endpoint = \"tcp://*:5555\";",
                   "settings-test.conf:1: endpoint: must be ipc://");
    expect_refused("endpoint = \"ipc://\";", "settings-test.conf:1: endpoint: must be ipc://");
    expect_refused("endpoint = \"\";", "settings-test.conf:1: endpoint: ");
    expect_refused("state_directory = \"\";", "settings-test.conf:1: state_directory: ");
    expect_refused("library = ( \"a\" );", "settings-test.conf:1: library: ");
    expect_refused("workers = 1;\nworkers = 2;", "settings-test.conf:2: ");
    expect_refused("workers = ;", "settings-test.conf:1: ");
}
END_TEST

START_TEST(test_a_path_that_is_too_long_is_refused)
{
    static char text[2 * PATH_MAX];
    int size = snprintf(text, sizeof text, "state_directory = \"/");
    memset(text + size, 'a', PATH_MAX - 1);
    strcpy(text + size + PATH_MAX - 1, "\";");
    expect_refused(text, "settings-test.conf:1: state_directory: must have 1 to 4095 bytes");
}
END_TEST

START_TEST(test_a_file_that_is_not_there_is_told)
{
    static cs_settings settings;
    cs_error err = {0};
    cs_settings_init(&settings);
    ck_assert(cs_settings_load(&settings, "no-such-file.conf", &err) != CS_OK);
    ck_assert_int_eq(err.status, CS_ENOENT);
    ck_assert_msg(strstr(err.text, "no-such-file.conf") != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_one_key_is_set_from_the_command_line)
{
    static cs_settings settings;
    cs_error err = {0};
    cs_settings_init(&settings);
    ck_assert_msg(!cs_settings_set(&settings, "workers=4", &err), "%s", err.text);
    ck_assert_msg(!cs_settings_set(&settings, "state_directory=/srv/state", &err), "%s", err.text);
    ck_assert_msg(!cs_settings_set(&settings, "endpoint=ipc:///srv/a=b.sock", &err), "%s",
                  err.text);
    ck_assert_msg(!cs_settings_set(&settings, "log_level=\"error\"", &err), "%s", err.text);
    ck_assert_uint_eq(settings.workers, 4);
    ck_assert_str_eq(settings.state_directory, "/srv/state");
    ck_assert_str_eq(settings.endpoint, "ipc:///srv/a=b.sock");
    ck_assert_int_eq(settings.log_level, CS_LOG_ERROR);
}
END_TEST

START_TEST(test_a_wrong_assignment_is_refused_and_changes_nothing)
{
    static const char *const wrong[] = {
        "workers",
        "=3",
        "",
        "worker=3",
        "workers=many",
        "workers=2000",
        "endpoint=tcp://*:1",
        "log_level=loud",
        "workers=3;running_jobs=2",
        "workers.count=3",
    };
    static cs_settings settings, before;
    cs_settings_init(&settings);
    cs_settings_init(&before);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cs_error err = {0};
        ck_assert_msg(cs_settings_set(&settings, wrong[i], &err) != CS_OK, "%s", wrong[i]);
        ck_assert_int_ne(err.status, CS_OK);
        ck_assert_str_ne(err.text, "");
        ck_assert_mem_eq(&settings, &before, sizeof settings);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings");
    TCase *tcase = tcase_create("settings");
    tcase_add_test(tcase, test_all_keys_are_read);
    tcase_add_test(tcase, test_what_a_file_does_not_name_stays);
    tcase_add_test(tcase, test_the_shipped_file_is_read);
    tcase_add_test(tcase, test_mistakes_are_told_with_file_line_and_key);
    tcase_add_test(tcase, test_a_path_that_is_too_long_is_refused);
    tcase_add_test(tcase, test_a_file_that_is_not_there_is_told);
    tcase_add_test(tcase, test_one_key_is_set_from_the_command_line);
    tcase_add_test(tcase, test_a_wrong_assignment_is_refused_and_changes_nothing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
