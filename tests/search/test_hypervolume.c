/* Hypervolume: known volumes, inclusion-exclusion as the dumb twin, and laws that any exact measure
 * obeys. */
#include "base/random.h"
#include "search/front/hypervolume.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The algorithms sum products of numbers near one in different orders, so they differ in the last
 * bits: some hundred roundings of 1e-16. */
#define ROUNDING 1e-12

static double measure(const double *points, size_t count, uint32_t objective_count,
                      const double *reference)
{
    double volume;
    ck_assert_int_eq(cs_hypervolume(points, count, objective_count, reference, &volume, NULL),
                     CS_OK);
    return volume;
}

static const double ones[] = {1, 1, 1, 1, 1};

/* By inclusion and exclusion over all subsets. */
static double twin_volume(const double *points, size_t count, uint32_t objective_count)
{
    double volume = 0;
    for (uint32_t subset = 1; subset < 1u << count; subset++) {
        double corner[5] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
        for (size_t i = 0; i < count; i++) {
            for (uint32_t j = 0; j < objective_count && subset >> i & 1; j++) {
                corner[j] = fmax(corner[j], points[i * objective_count + j]);
            }
        }
        double box = 1;
        for (uint32_t j = 0; j < objective_count; j++) {
            box *= fmax(0, 1 - corner[j]);
        }
        volume += __builtin_popcount(subset) % 2 ? box : -box;
    }
    return volume;
}

/* Uniform points, some beyond the reference; with few distinct values for odd seeds, so that ties
 * and equal points occur. */
static void make_points(uint64_t seed, double *points, size_t count, uint32_t objective_count)
{
    cs_random random;
    cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, count, objective_count);
    for (size_t i = 0; i < count * objective_count; i++) {
        points[i] = seed % 2 ? cs_random_below(&random, 6) / 5.0 : 1.1 * cs_random_unit(&random);
    }
}

START_TEST(agrees_with_inclusion_and_exclusion)
{
    double points[10 * 5];
    for (uint32_t m = 1; m <= 5; m++) {
        for (size_t count = 0; count <= 10; count++) {
            make_points((uint64_t)_i, points, count, m);
            ck_assert_double_eq_tol(measure(points, count, m, ones), twin_volume(points, count, m),
                                    ROUNDING);
        }
    }
}
END_TEST

/* n^(m-1) cubes in a staircase: the points (i/n, ..., 1 - sum) on a grid of step 1/n leave out of
 * the unit cube the cells below them, which are counted here one by one. */
START_TEST(agrees_with_counted_cells)
{
    enum { STEPS = 12 };
    uint32_t m = (uint32_t)_i;
    static double points[STEPS * STEPS * STEPS * STEPS * 5];
    size_t count = 0, cells = 0, total = 1;
    for (uint32_t j = 0; j < m; j++) {
        total *= STEPS;
    }
    for (size_t cell = 0; cell < total; cell++) {
        size_t rest = cell, sum = 0;
        for (uint32_t j = 0; j < m; j++, rest /= STEPS) {
            points[count * m + j] = (double)(rest % STEPS) / STEPS;
            sum += rest % STEPS;
        }
        /* The points are the cells' lower corners whose steps sum to STEPS - 1. */
        cells += sum >= STEPS - 1;
        count += sum == STEPS - 1;
    }
    ck_assert_double_eq_tol(measure(points, count, m, ones), (double)cells / (double)total, 1e-10);
}
END_TEST

/* DTLZ2's front is the unit sphere: the volume up to 1.1 is 1.1^3 - pi/6 = 0.8074 (Deb, Thiele,
 * Laumanns, Zitzler, CEC 2002). A regular net of points on it comes close from below, and closer
 * with more points. */
START_TEST(approaches_the_sphere)
{
    double reference[] = {1.1, 1.1, 1.1};
    double exact = 1.331 - M_PI / 6, previous = 0;
    static double points[200 * 200 * 3];
    for (int steps = 25; steps <= 200; steps *= 2) {
        size_t count = 0;
        for (int i = 0; i < steps; i++) {
            for (int k = 0; k < steps; k++) {
                double a = M_PI / 2 * i / (steps - 1), b = M_PI / 2 * k / (steps - 1);
                double row[3] = {cos(a) * cos(b), sin(a) * cos(b), sin(b)};
                memcpy(points + 3 * count++, row, sizeof row);
            }
        }
        double volume = measure(points, count, 3, reference);
        ck_assert_double_gt(volume, previous);
        ck_assert_double_lt(volume, exact);
        previous = volume;
    }
    /* The distance to a net of this step: the first order in its step. */
    ck_assert_double_eq_tol(previous, exact, 0.02);
}
END_TEST

START_TEST(does_not_depend_on_order)
{
    enum { COUNT = 100 };
    double points[COUNT * 5], shuffled[COUNT * 5];
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SPLIT, 0, 0);
    for (uint32_t m = 1; m <= 5; m++) {
        size_t count = m < 5 ? COUNT : 40;
        make_points((uint64_t)_i, points, count, m);
        memcpy(shuffled, points, sizeof points);
        for (size_t i = count; i > 1; i--) {
            size_t k = cs_random_below(&random, (uint32_t)i);
            for (uint32_t j = 0; j < m; j++) {
                double swap = shuffled[(i - 1) * m + j];
                shuffled[(i - 1) * m + j] = shuffled[k * m + j];
                shuffled[k * m + j] = swap;
            }
        }
        /* To the bit: the sweep sorts by all coordinates. */
        ck_assert_double_eq(measure(points, count, m, ones), measure(shuffled, count, m, ones));
    }
}
END_TEST

START_TEST(exclusive_is_what_a_point_adds)
{
    double points[60 * 5];
    for (uint32_t m = 1; m <= 5; m++) {
        size_t count = m < 5 ? 60 : 25;
        make_points((uint64_t)_i, points, count, m);
        const double *point = points + (count - 1) * m;
        double volume;
        ck_assert_int_eq(cs_hypervolume_exclusive(point, points, count - 1, m, ones, &volume, NULL),
                         CS_OK);
        ck_assert_double_ge(volume, 0);
        ck_assert_double_eq_tol(
            volume, measure(points, count, m, ones) - measure(points, count - 1, m, ones),
            ROUNDING);
    }
}
END_TEST

START_TEST(points_at_the_reference_count_for_nothing)
{
    double points[] = {0.5, 1, 0.5, 0.2, 0.2, 3, 1, 1, 1};
    ck_assert_double_eq(measure(points, 3, 3, ones), 0);
    ck_assert_double_eq(measure(NULL, 0, 3, ones), 0);
    ck_assert_double_eq(measure(NULL, 0, 5, ones), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hypervolume");
    TCase *tcase = tcase_create("hypervolume");
    tcase_add_loop_test(tcase, agrees_with_inclusion_and_exclusion, 0, 20);
    tcase_add_loop_test(tcase, agrees_with_counted_cells, 1, 5);
    tcase_add_test(tcase, approaches_the_sphere);
    tcase_add_loop_test(tcase, does_not_depend_on_order, 0, 6);
    tcase_add_loop_test(tcase, exclusive_is_what_a_point_adds, 0, 10);
    tcase_add_test(tcase, points_at_the_reference_count_for_nothing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
