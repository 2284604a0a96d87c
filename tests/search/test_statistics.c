/* Statistics: against their definitions, quadratic and plain. */
#include "base/random.h"
#include "search/statistics.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define MOST 200

static int sign(double x)
{
    return (x > 0) - (x < 0);
}

/* Tau-b by its definition, over all pairs. */
static double slow_tau(const double *a, const double *b, size_t count)
{
    long sum = 0, untied_a = 0, untied_b = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            int s = sign(a[i] - a[j]), t = sign(b[i] - b[j]);
            sum += s * t;
            untied_a += s != 0;
            untied_b += t != 0;
        }
    }
    return untied_a && untied_b ? (double)sum / sqrt((double)untied_a * (double)untied_b) : 0;
}

static double slow_rank(const double *values, size_t count, size_t at)
{
    double below = 0, equal = 0;
    for (size_t i = 0; i < count; i++) {
        below += values[i] < values[at];
        equal += values[i] == values[at];
    }
    return below + (equal + 1) / 2;
}

/* Pearson's correlation of the ranks. */
static double slow_rho(const double *a, const double *b, size_t count)
{
    double ab = 0, aa = 0, bb = 0, mean = ((double)count + 1) / 2;
    for (size_t i = 0; i < count; i++) {
        double x = slow_rank(a, count, i) - mean, y = slow_rank(b, count, i) - mean;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* `levels` different values make ties: 1 makes all equal. */
static size_t draw(cs_random *random, uint32_t levels, double *a, double *b)
{
    size_t count = 2 + cs_random_below(random, MOST - 2);
    for (size_t i = 0; i < count; i++) {
        a[i] = cs_random_below(random, levels);
        b[i] = a[i] * (cs_random_unit(random) < 0.5) + cs_random_below(random, levels);
    }
    return count;
}

START_TEST(test_rank_statistics_against_their_definitions)
{
    static const uint32_t levels[] = {1, 2, 3, 10, 1000000};
    for (uint64_t i = 0; i < 200; i++) {
        double a[MOST], b[MOST], tau, rho;
        cs_random random;
        cs_random_init(&random, 5, 0, CS_PURPOSE_SAMPLE, (uint64_t)_i, i);
        size_t count = draw(&random, levels[_i], a, b);
        ck_assert_int_eq(cs_kendall_tau_b(a, b, count, &tau, NULL), CS_OK);
        ck_assert_int_eq(cs_spearman_rho(a, b, count, &rho, NULL), CS_OK);
        /* both forms round a few products and one root */
        ck_assert_double_eq_tol(tau, slow_tau(a, b, count), 1e-14);
        ck_assert_double_eq_tol(rho, slow_rho(a, b, count), 1e-12);
    }
}
END_TEST

START_TEST(test_order_decides_and_scale_does_not)
{
    const double up[] = {1, 2, 3, 4, 5}, down[] = {10, 8, 6, 4, 2}, cubes[] = {1, 8, 27, 64, 125};
    double value;
    ck_assert_int_eq(cs_kendall_tau_b(up, cubes, 5, &value, NULL), CS_OK);
    ck_assert_double_eq_tol(value, 1, 1e-15);
    ck_assert_int_eq(cs_kendall_tau_b(up, down, 5, &value, NULL), CS_OK);
    ck_assert_double_eq_tol(value, -1, 1e-15);
    ck_assert_int_eq(cs_spearman_rho(up, cubes, 5, &value, NULL), CS_OK);
    ck_assert_double_eq_tol(value, 1, 1e-15);
    ck_assert_int_eq(cs_spearman_rho(up, down, 5, &value, NULL), CS_OK);
    ck_assert_double_eq_tol(value, -1, 1e-15);
}
END_TEST

START_TEST(test_tau_of_a_known_table)
{
    /* 12 pairs agree, 3 disagree, none is tied: (12 - 3) / 15 */
    const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {2, 1, 4, 3, 6, 5};
    double tau;
    ck_assert_int_eq(cs_kendall_tau_b(a, b, 6, &tau, NULL), CS_OK);
    ck_assert_double_eq_tol(tau, 0.6, 1e-15);
}
END_TEST

START_TEST(test_r2_and_mean_absolute_error)
{
    const double truth[] = {1, 2, 3, 4}, mean[] = {2.5, 2.5, 2.5, 2.5}, off[] = {1, 2, 3, 6};
    const double level[] = {2, 2};
    ck_assert_double_eq(cs_r2(truth, truth, 4), 1);
    ck_assert_double_eq(cs_r2(truth, mean, 4), 0);
    ck_assert_double_eq_tol(cs_r2(truth, off, 4), 1 - 4 / 5.0, 1e-15);
    ck_assert_double_eq(cs_r2(level, level, 2), 1);
    ck_assert_double_infinite(cs_r2(level, truth, 2));
    ck_assert_double_eq(cs_mean_absolute_error(truth, truth, 4), 0);
    ck_assert_double_eq(cs_mean_absolute_error(truth, off, 4), 0.5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statistics");
    TCase *tcase = tcase_create("statistics");
    tcase_add_loop_test(tcase, test_rank_statistics_against_their_definitions, 0, 5);
    tcase_add_test(tcase, test_order_decides_and_scale_does_not);
    tcase_add_test(tcase, test_tau_of_a_known_table);
    tcase_add_test(tcase, test_r2_and_mean_absolute_error);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
