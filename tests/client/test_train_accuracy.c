/* codesign-train-accuracy: re-makes the shipped weights byte for byte, under every OpenBLAS kernel
 * that this processor can run, and says which line of a table it cannot use. */
#include "base/file.h"

#include <check.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM CODESIGN_BINARY_DIR "/client/codesign-train-accuracy"
#define SPACE   CODESIGN_SOURCE_DIR "/configs/spaces/mnasnet.conf"
#define WEIGHTS CODESIGN_SOURCE_DIR "/configs/predictors/mnasnet-proxy-top1.conf"

extern char **environ;

/* Run the program and return its exit status; what it prints on either stream goes to `log`. */
static int run(const char *data, const char *output, const char *log)
{
    const char *const arguments[] = {PROGRAM, "--data",   data,   "--space",
                                     SPACE,   "--output", output, NULL};
    posix_spawn_file_actions_t actions;
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log,
                                                      O_WRONLY | O_CREAT | O_TRUNC, 0600),
                     0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO), 0);
    pid_t child;
    int status = -1;
    ck_assert_int_eq(
        posix_spawn(&child, PROGRAM, &actions, NULL, (char *const *)arguments, environ), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    posix_spawn_file_actions_destroy(&actions);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *read_file(const char *path, size_t *size)
{
    cs_error err;
    char *text = cs_file_read(path, 1u << 28, size, &err);
    ck_assert_msg(text != NULL, "%s", err.text);
    return text;
}

/* ---- the shipped weights ---- */

static const char *const kernels[] = {"Haswell", "Prescott", "SkylakeX"};

static bool can_run(const char *kernel)
{
    return strcmp(kernel, "SkylakeX") == 0  ? __builtin_cpu_supports("avx512f")
           : strcmp(kernel, "Haswell") == 0 ? __builtin_cpu_supports("avx2")
                                            : true;
}

START_TEST(test_remakes_the_shipped_weights)
{
    const char *folder = getenv("CODESIGN_DATA"), *kernel = kernels[_i];
    char data[1024], output[1024], log[1024];
    snprintf(data, sizeof data, "%s/accel_nasbench.csv",
             folder ? folder : CODESIGN_SOURCE_DIR "/../shared/data");
    if (access(data, R_OK) != 0) {
        fprintf(stderr, "skipped, the data is not here: %s\n", data);
        return;
    }
    if (!can_run(kernel)) {
        fprintf(stderr, "skipped, this processor cannot run the kernel %s\n", kernel);
        return;
    }
    snprintf(output, sizeof output, "%s/test_train_accuracy.%d.conf", CODESIGN_BINARY_DIR, _i);
    snprintf(log, sizeof log, "%s/test_train_accuracy.%d.log", CODESIGN_BINARY_DIR, _i);
    setenv("OPENBLAS_CORETYPE", kernel, 1);
    size_t made_size, shipped_size, log_size;
    int status = run(data, output, log);
    char *printed = read_file(log, &log_size);
    ck_assert_msg(status == 0, "exit status %d: %s", status, printed);
    char *made = read_file(output, &made_size), *shipped = read_file(WEIGHTS, &shipped_size);
    ck_assert_uint_eq(made_size, shipped_size);
    ck_assert_msg(memcmp(made, shipped, made_size) == 0, "%s differs from %s", output, WEIGHTS);
    free(made);
    free(shipped);
    free(printed);
    unlink(output);
    unlink(log);
}
END_TEST

/* ---- tables that cannot be used ---- */

#define HEADER                                                                                     \
    "block0_e,block0_k,block0_l,block0_se,block1_e,block1_k,block1_l,block1_se,block2_e,block2_k," \
    "block2_l,block2_se,block3_e,block3_k,block3_l,block3_se,block4_e,block4_k,block4_l,"          \
    "block4_se,block5_e,block5_k,block5_l,block5_se,block6_e,block6_k,block6_l,block6_se"
#define ROW "6,3,1,0,4,5,2,0,6,3,3,0,6,5,3,0,6,5,2,0,1,3,2,0,1,3,2,0"

static const struct refused {
    const char *table, *words;
} refused[] = {
    {HEADER "\n" ROW "\n", ":1: there is no column \"val_top1\""},
    {"val_top1\n60\n", ":1: there is no column \"block0_e\""},
    {HEADER ",val_top1\n" ROW ",60\n" ROW ",\n", ":3: val_top1: is empty"},
    {HEADER ",val_top1\n" ROW ",60\n" ROW ",high\n", ":3: val_top1: \"high\" is not a number"},
    {HEADER ",val_top1\n" ROW ",600\n", ":2: val_top1: must be from 0 to 100 %"},
    {"val_top1," HEADER "\n60,5" ROW "\n", ":2: block0_e: \"56\" is no choice of this parameter"},
    {HEADER ",val_top1\n" ROW ",60,1\n", ":2: 30 fields"},
    {HEADER ",val_top1\n" ROW ",60\n", "1 different networks"},
    {HEADER ",val_top1\n", "0 rows"},
};

START_TEST(test_refuses)
{
    char data[1024], output[1024], log[1024];
    snprintf(data, sizeof data, "%s/test_train_accuracy.bad%d.csv", CODESIGN_BINARY_DIR, _i);
    snprintf(output, sizeof output, "%s/test_train_accuracy.bad%d.conf", CODESIGN_BINARY_DIR, _i);
    snprintf(log, sizeof log, "%s/test_train_accuracy.bad%d.log", CODESIGN_BINARY_DIR, _i);
    cs_error err;
    size_t size;
    ck_assert_int_eq(cs_file_write(data, refused[_i].table, strlen(refused[_i].table), &err),
                     CS_OK);
    ck_assert_int_eq(run(data, output, log), EXIT_FAILURE);
    char *printed = read_file(log, &size);
    ck_assert_msg(strstr(printed, refused[_i].words) != NULL, "%s", printed);
    ck_assert_int_ne(access(output, F_OK), 0);
    free(printed);
    unlink(data);
    unlink(log);
}
END_TEST

START_TEST(test_wrong_usage)
{
    char log[1024];
    snprintf(log, sizeof log, "%s/test_train_accuracy.usage.log", CODESIGN_BINARY_DIR);
    ck_assert_int_eq(run(NULL, NULL, log), 2); /* ends with --data */
    unlink(log);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train_accuracy");
    TCase *remake = tcase_create("remake");
    tcase_set_timeout(remake, 120);
    tcase_add_loop_test(remake, test_remakes_the_shipped_weights, 0,
                        (int)(sizeof kernels / sizeof *kernels));
    suite_add_tcase(suite, remake);
    TCase *bad = tcase_create("refused");
    tcase_add_loop_test(bad, test_refuses, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(bad, test_wrong_usage);
    suite_add_tcase(suite, bad);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
