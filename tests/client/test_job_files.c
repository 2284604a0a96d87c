/* Jobs on disk and where the server is: what is read from a user's files. */
#include "base/file.h"
#include "client/address.h"
#include "client/bundle_folder.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Every test runs in an empty folder of its own. */
static void enter_folder(void)
{
    char folder[] = "test_job_files.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void put(const char *path, const char *text)
{
    cs_error err = {0};
    ck_assert_msg(cs_file_write(path, text, strlen(text), &err) == CS_OK, "%s", err.text);
}

static const char job_text[] = "name = \"x\";\n"
                               "network_space = \"../spaces/net.conf\";\n"
                               "accelerator_space = \"nahas\";\n"
                               "baseline = \"./net.conf\";\n";

static void make_job(void)
{
    enter_folder();
    ck_assert_int_eq(mkdir("jobs", 0777), 0);
    ck_assert_int_eq(mkdir("spaces", 0777), 0);
    put("jobs/my job.conf", job_text);
    put("jobs/net.conf", "other = 2;\n");
    put("spaces/net.conf", "one = 1;\n");
}

static void read_job(const char *path, const char *set, cs_bundle *bundle)
{
    cs_error err = {0};
    const char *sets[] = {set};
    ck_assert_msg(cs_bundle_folder_read(path, sets, set != NULL, bundle, &err) == CS_OK, "%s",
                  err.text);
}

/* The reason why it is refused. */
static const char *refused(const char *path, const char *set, cs_status status)
{
    static cs_error err;
    err = (cs_error){0};
    cs_bundle bundle = {0};
    const char *sets[] = {set};
    ck_assert_int_eq(cs_bundle_folder_read(path, sets, set != NULL, &bundle, &err), status);
    cs_bundle_release(&bundle);
    return err.text;
}

START_TEST(names_with_slashes_are_files_beside_the_job)
{
    make_job();
    cs_bundle bundle = {0};
    read_job("jobs/my job.conf", "seed=3", &bundle);
    ck_assert_str_eq(bundle.text_name, "my job.conf");
    ck_assert_str_eq(bundle.text, job_text);
    ck_assert_uint_eq(bundle.set_count, 1);
    ck_assert_uint_eq(bundle.file_count, 2); /* nahas is the server's */
    ck_assert_str_eq(cs_bundle_find(&bundle, "../spaces/net.conf")->bytes, "one = 1;\n");
    ck_assert_str_eq(cs_bundle_find(&bundle, "./net.conf")->bytes, "other = 2;\n");
    cs_bundle_release(&bundle);

    ck_assert_int_eq(chdir("jobs"), 0); /* a path without a folder */
    read_job("my job.conf", "baseline=../spaces/net.conf", &bundle);
    ck_assert_uint_eq(bundle.file_count, 1); /* named twice, sent once */
    cs_bundle_release(&bundle);
}
END_TEST

START_TEST(mistakes_are_told_with_file_and_line)
{
    make_job();
    ck_assert_int_eq(unlink("spaces/net.conf"), 0);
    ck_assert_ptr_nonnull(strstr(refused("jobs/my job.conf", NULL, CS_EINVAL),
                                 "jobs/my job.conf:2: network_space: "));
    ck_assert_ptr_nonnull(
        strstr(refused("jobs/my job.conf", "network_space=./none.conf", CS_EINVAL),
               "--set network_space: "));
    put("jobs/bad.conf", "name = \"x\";\n\nseed = = 3;\n");
    ck_assert_ptr_nonnull(strstr(refused("jobs/bad.conf", NULL, CS_EINVAL), "jobs/bad.conf:3: "));
    put("jobs/number.conf", "baseline = 3;\n");
    ck_assert_ptr_nonnull(
        strstr(refused("jobs/number.conf", NULL, CS_EINVAL), "jobs/number.conf:1: baseline: "));
    (void)refused("jobs/none.conf", NULL, CS_ENOENT);
    ck_assert_ptr_nonnull(strstr(refused("jobs", NULL, CS_ENOENT), "bundle.conf"));
}
END_TEST

static void export_job(const char *folder, cs_hash *hash)
{
    make_job();
    cs_bundle bundle = {0};
    cs_error err = {0};
    read_job("jobs/my job.conf", "name=\"a \\\"quoted\\\" \\\\ name\"", &bundle);
    /* As the server has it, its own file is part of the bundle, too. */
    ck_assert_int_eq(cs_bundle_add_file(&bundle, "nahas", "lib = 3;\n", 9, &err), CS_OK);
    ck_assert_msg(cs_bundle_folder_write(folder, &bundle, "analytic", 4000000000u, &err) == CS_OK,
                  "%s", err.text);
    *hash = cs_bundle_hash(&bundle);
    cs_bundle_release(&bundle);
}

/* The order of files is that of the roles; the hash is over it, so compare sorted copies. */
static void check_same(const cs_bundle *got, const char *set_after)
{
    ck_assert_str_eq(got->text_name, "my job.conf");
    ck_assert_str_eq(got->text, job_text);
    ck_assert_uint_eq(got->set_count, set_after ? 2 : 1);
    ck_assert_str_eq(got->sets[0], "name=\"a \\\"quoted\\\" \\\\ name\"");
    if (set_after) {
        ck_assert_str_eq(got->sets[1], set_after);
    }
    ck_assert_uint_eq(got->file_count, 3);
    ck_assert_str_eq(cs_bundle_find(got, "../spaces/net.conf")->bytes, "one = 1;\n");
    ck_assert_str_eq(cs_bundle_find(got, "./net.conf")->bytes, "other = 2;\n");
    ck_assert_str_eq(cs_bundle_find(got, "nahas")->bytes, "lib = 3;\n");
}

START_TEST(an_export_is_the_same_job_again)
{
    cs_hash hash;
    export_job("out", &hash);
    /* Nothing but the folder is needed. */
    ck_assert_int_eq(rename("jobs", "gone"), 0);
    ck_assert_int_eq(rename("spaces", "gone too"), 0);
    cs_bundle bundle = {0};
    read_job("out", NULL, &bundle);
    check_same(&bundle, NULL);
    cs_bundle_release(&bundle);
    read_job("out/my_job.conf", "seed=9", &bundle); /* the job file in it */
    check_same(&bundle, "seed=9");
    cs_bundle_release(&bundle);
    /* What --set names anew comes from beside the job, and the server's own from the server. */
    put("out/fresh.conf", "fresh = 1;\n");
    read_job("out", "network_space=./fresh.conf", &bundle);
    ck_assert_uint_eq(bundle.file_count, 3);
    ck_assert_str_eq(cs_bundle_find(&bundle, "./fresh.conf")->bytes, "fresh = 1;\n");
    cs_bundle_release(&bundle);
    read_job("out", "accelerator_space=other", &bundle);
    ck_assert_uint_eq(bundle.file_count, 2);
    cs_bundle_release(&bundle);
}
END_TEST

START_TEST(an_altered_export_is_refused)
{
    cs_hash hash;
    export_job("out", &hash);
    put("out/files/1-net.conf", "one = 2;\n");
    const char *why = refused("out", NULL, CS_EINVAL);
    ck_assert_msg(strstr(why, "out/bundle.conf:") && strstr(why, "files/1-net.conf"), "%s", why);
    export_job("out", &hash);
    put("out/my_job.conf", "name = \"y\";\n");
    ck_assert_ptr_nonnull(strstr(refused("out", NULL, CS_EINVAL), "my_job.conf is not what"));
    export_job("out", &hash);
    ck_assert_int_eq(unlink("out/files/2-net.conf"), 0);
    ck_assert_ptr_nonnull(strstr(refused("out", NULL, CS_EINVAL), "out/bundle.conf:"));

    put("out/bundle.conf", "kind = \"bindle\";\n");
    ck_assert_ptr_nonnull(
        strstr(refused("out", NULL, CS_EINVAL), "out/bundle.conf:1: kind: must be \"bundle\""));
    put("out/bundle.conf", "job = \"my_job.conf\";\n");
    why = refused("out/my_job.conf", NULL, CS_EINVAL);
    ck_assert_msg(strstr(why, "out/bundle.conf") && strstr(why, "kind"), "%s", why);

    static const char *const escapes[] = {"/etc/passwd", "../x", "a/../../x", "..", ""};
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "kind = \"bundle\";\njob = \"%s\";\ntext_name = \"x\";\nsha256 = \"\";\n"
                 "set = [];\nfiles = ();\n",
                 escapes[i]);
        put("out/bundle.conf", text);
        ck_assert_ptr_nonnull(strstr(refused("out", NULL, CS_EINVAL), "out/bundle.conf:2: job: "));
    }
}
END_TEST

START_TEST(a_bundle_decides_no_paths)
{
    enter_folder();
    cs_bundle bundle = {0};
    cs_error err = {0};
    static const char *const names[] = {"../../evil", "/etc/passwd", "..",      ".hidden",
                                        "a/b/same",   "c/same",      "\033[2J", "/"};
    ck_assert_int_eq(cs_bundle_set_text(&bundle, "../bundle.conf", "a = 1;\n", 7, &err), CS_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_int_eq(cs_bundle_add_file(&bundle, names[i], names[i], strlen(names[i]), &err),
                         CS_OK);
    }
    ck_assert_msg(cs_bundle_folder_write("out", &bundle, "s", 1, &err) == CS_OK, "%s", err.text);
    static const char *const written[] = {
        "out/job.conf",     "out/bundle.conf",     "out/files/1-evil", "out/files/2-passwd",
        "out/files/3-_.",   "out/files/4-_hidden", "out/files/5-same", "out/files/6-same",
        "out/files/7-__2J", "out/files/8-file"};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        ck_assert_msg(access(written[i], F_OK) == 0, "%s", written[i]);
    }
    ck_assert_int_ne(access("evil", F_OK), 0);
    cs_bundle again = {0};
    read_job("out", NULL, &again);
    ck_assert_str_eq(again.text_name, "../bundle.conf");
    cs_bundle_release(&again);
    ck_assert_int_eq(cs_bundle_folder_write("out", &bundle, "s", 1, &err), CS_EEXIST);
    ck_assert_int_eq(mkdir("empty", 0777), 0);
    ck_assert_int_eq(cs_bundle_folder_write("empty", &bundle, "s", 1, &err), CS_OK);
    ck_assert_int_ne(cs_bundle_folder_write("none/below", &bundle, "s", 1, &err), CS_OK);
    cs_bundle_release(&bundle);
}
END_TEST

/* ---- the server's address ---- */

static void expect_address(const char *given, const char *expected)
{
    cs_error err = {0};
    char *endpoint = cs_address_find(given, &err);
    ck_assert_msg(endpoint != NULL, "%s", err.text);
    ck_assert_str_eq(endpoint, expected);
    free(endpoint);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    return fd;
}

START_TEST(the_first_that_says_something_counts)
{
    enter_folder();
    char here[4096], socket_path[5000], endpoint[5100];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    setenv("HOME", here, 1);
    setenv("XDG_RUNTIME_DIR", here, 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("CODESIGN_SERVER");
    expect_address(NULL, "ipc:///run/codesign/codesignd.sock");

    ck_assert_int_eq(mkdir("codesign", 0777), 0);
    int listener = listen_at("codesign/codesignd.sock");
    snprintf(socket_path, sizeof socket_path, "%s/codesign/codesignd.sock", here);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", socket_path);
    expect_address(NULL, endpoint);

    ck_assert_int_eq(mkdir(".config", 0777), 0);
    ck_assert_int_eq(mkdir(".config/codesign", 0777), 0);
    put(".config/codesign/client.conf", "# nothing yet\n");
    expect_address(NULL, endpoint);
    put(".config/codesign/client.conf", "server = \"tcp://conf:1\";\n");
    expect_address(NULL, "tcp://conf:1");

    setenv("CODESIGN_SERVER", "", 1); /* says nothing */
    expect_address(NULL, "tcp://conf:1");
    setenv("CODESIGN_SERVER", "tcp://environment:1", 1);
    expect_address(NULL, "tcp://environment:1");
    expect_address("/a/path.sock", "ipc:///a/path.sock");

    cs_error err = {0};
    ck_assert_ptr_null(cs_address_find("localhost:99", &err));
    ck_assert_int_eq(err.status, CS_EINVAL);
    unsetenv("CODESIGN_SERVER");
    put(".config/codesign/client.conf", "\nsevrer = \"tcp://conf:1\";\n");
    ck_assert_ptr_null(cs_address_find(NULL, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "client.conf:2: sevrer: unknown key"));

    /* The socket stays, but nobody listens any more. */
    put(".config/codesign/client.conf", "");
    expect_address(NULL, endpoint);
    close(listener);
    ck_assert_int_eq(access("codesign/codesignd.sock", F_OK), 0);
    expect_address(NULL, "ipc:///run/codesign/codesignd.sock");
}
END_TEST

START_TEST(the_shipped_example_is_valid)
{
    enter_folder();
    char config[] = "config";
    size_t size;
    cs_error err = {0};
    char *text = cs_file_read(CODESIGN_SOURCE_DIR "/configs/client.conf", 1 << 16, &size, &err);
    ck_assert_msg(text != NULL, "%s", err.text);
    ck_assert_int_eq(mkdir(config, 0777), 0);
    ck_assert_int_eq(mkdir("config/codesign", 0777), 0);
    put("config/codesign/client.conf", text);
    free(text);
    setenv("XDG_CONFIG_HOME", config, 1);
    unsetenv("CODESIGN_SERVER");
    expect_address(NULL, "ipc:///run/codesign/codesignd.sock");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job files");
    TCase *tests = tcase_create("job files");
    tcase_add_test(tests, names_with_slashes_are_files_beside_the_job);
    tcase_add_test(tests, mistakes_are_told_with_file_and_line);
    tcase_add_test(tests, an_export_is_the_same_job_again);
    tcase_add_test(tests, an_altered_export_is_refused);
    tcase_add_test(tests, a_bundle_decides_no_paths);
    tcase_add_test(tests, the_first_that_says_something_counts);
    tcase_add_test(tests, the_shipped_example_is_valid);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
