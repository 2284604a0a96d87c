/* The archive against a plain list of points, and what a restart relies on. */
#include "base/random.h"
#include "search/front/archive.h"
#include "search/front/hypervolume.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double ones[] = {1, 1, 1, 1, 1};

typedef struct twin_point {
    double objectives[5];
    uint64_t index;
} twin_point;

/* The same by the definition: O(n) an offer. */
typedef struct naive_archive {
    uint32_t objective_count;
    twin_point points[4000];
    size_t count;
    uint64_t removed[4000];
    size_t removed_count;
} naive_archive;

static bool no_worse(const double *a, const double *b, uint32_t objective_count)
{
    bool no_worse = true;
    for (uint32_t j = 0; j < objective_count; j++) {
        no_worse = no_worse && a[j] <= b[j];
    }
    return no_worse;
}

static bool twin_offer(naive_archive *twin, const double *objectives, uint64_t index)
{
    uint32_t m = twin->objective_count;
    for (size_t i = 0; i < twin->count; i++) {
        if (no_worse(twin->points[i].objectives, objectives, m)) {
            return false;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < twin->count; i++) {
        if (no_worse(objectives, twin->points[i].objectives, m)) {
            twin->removed[twin->removed_count++] = twin->points[i].index;
        } else {
            twin->points[kept++] = twin->points[i];
        }
    }
    memcpy(twin->points[kept].objectives, objectives, m * sizeof *objectives);
    twin->points[kept].index = index;
    twin->count = kept + 1;
    return true;
}

static double twin_volume(const naive_archive *twin)
{
    static double rows[4000 * 5];
    uint32_t m = twin->objective_count;
    for (size_t i = 0; i < twin->count; i++) {
        memcpy(rows + i * m, twin->points[i].objectives, m * sizeof *rows);
    }
    double volume;
    ck_assert_int_eq(cs_hypervolume(rows, twin->count, m, ones, &volume, NULL), CS_OK);
    return volume;
}

/* Points that come closer to the sphere around the origin with every step, as a search's do; on a
 * coarse grid for every third seed, so that ties and equal points occur. */
static void make_point(cs_random *random, int seed, uint32_t objective_count, double step,
                       double *point)
{
    double norm = 0;
    for (uint32_t j = 0; j < objective_count; j++) {
        point[j] = cs_random_unit(random) + 1e-3;
        norm += point[j] * point[j];
    }
    double scale = (1 + cs_random_unit(random) * (1 - step)) / sqrt(norm) * 0.9;
    for (uint32_t j = 0; j < objective_count; j++) {
        point[j] *= scale;
        if (seed % 3 == 0) {
            point[j] = floor(point[j] * 20) / 20;
        }
    }
}

static bool offer(cs_archive *archive, const double *objectives, uint64_t index)
{
    bool entered;
    ck_assert_int_eq(cs_archive_offer(archive, objectives, index, &entered, NULL), CS_OK);
    return entered;
}

static void assert_same(const cs_archive *archive, const naive_archive *twin)
{
    static uint64_t indices[4000];
    ck_assert_uint_eq(cs_archive_count(archive), twin->count);
    cs_archive_indices(archive, indices);
    for (size_t i = 0; i < twin->count; i++) {
        /* The list keeps points in the order in which they came, which is that of their indices. */
        ck_assert_uint_eq(indices[i], twin->points[i].index);
    }
    size_t removed_count;
    const uint64_t *removed = cs_archive_removed(archive, &removed_count);
    ck_assert_uint_eq(removed_count, twin->removed_count);
    for (size_t i = 0; i < removed_count; i++) {
        ck_assert_uint_eq(removed[i], twin->removed[i]);
    }
}

/* One loop a seed and objective count. */
START_TEST(agrees_with_a_list)
{
    uint32_t m = 1 + (uint32_t)_i % 5;
    static naive_archive twin;
    memset(&twin, 0, sizeof twin);
    twin.objective_count = m;
    cs_archive *archive = cs_archive_new(m, ones);
    ck_assert_ptr_nonnull(archive);
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    enum { OFFERS = 3000 };
    for (uint64_t i = 0; i < OFFERS; i++) {
        double point[5];
        make_point(&random, _i / 5, m, (double)i / OFFERS, point);
        ck_assert_int_eq(offer(archive, point, i), twin_offer(&twin, point, i));
        if (i % 100 == 99) {
            assert_same(archive, &twin);
            cs_archive_forget_removed(archive);
            twin.removed_count = 0;
        }
        if (i % 500 == 499 && m <= 3) {
            /* Thousands of contributions were summed, each rounded to 1e-16. */
            ck_assert_double_eq_tol(cs_archive_hypervolume(archive), twin_volume(&twin), 1e-11);
        }
    }
    if (m == 4) {
        ck_assert_double_eq(cs_archive_hypervolume(archive), twin_volume(&twin));
    }
    cs_archive_free(archive);
}
END_TEST

/* A front that is found from one end to the other, and back from a better one: the order in which
 * an unbalanced tree would grow into a list. */
START_TEST(stays_right_on_sorted_offers)
{
    static naive_archive twin;
    memset(&twin, 0, sizeof twin);
    twin.objective_count = 2;
    cs_archive *archive = cs_archive_new(2, ones);
    enum { POINTS = 1500 };
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < POINTS; i++) {
            double x = (double)(round ? POINTS - i : i) / POINTS;
            double point[2] = {x - 0.01 * round, 1 - x - 0.01 * round};
            uint64_t index = (uint64_t)(round * POINTS + i);
            ck_assert_int_eq(offer(archive, point, index), twin_offer(&twin, point, index));
        }
        assert_same(archive, &twin);
        ck_assert_double_eq_tol(cs_archive_hypervolume(archive), twin_volume(&twin), 1e-11);
    }
    cs_archive_free(archive);
}
END_TEST

/* A restart offers only what entered: content, removals and the bits of the volume are the same. */
START_TEST(is_a_function_of_what_entered)
{
    uint32_t m = 1 + (uint32_t)_i % 3;
    cs_archive *first = cs_archive_new(m, ones), *second = cs_archive_new(m, ones);
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 1, CS_PURPOSE_SAMPLE, 0, 0);
    double volume = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        double point[3];
        make_point(&random, _i, m, (double)i / 5000, point);
        if (offer(first, point, i)) {
            ck_assert(offer(second, point, i));
        }
        ck_assert_double_ge(cs_archive_hypervolume(first), volume);
        volume = cs_archive_hypervolume(first);
        ck_assert_double_eq(cs_archive_hypervolume(second), volume);
    }
    size_t count, again_count;
    const uint64_t *removed = cs_archive_removed(first, &count);
    const uint64_t *again = cs_archive_removed(second, &again_count);
    ck_assert_uint_eq(count, again_count);
    if (count) {
        ck_assert_mem_eq(removed, again, count * sizeof *removed);
    }
    cs_archive_free(first);
    cs_archive_free(second);
}
END_TEST

START_TEST(keeps_the_first_of_equal_points)
{
    cs_archive *archive = cs_archive_new(3, ones);
    double point[] = {0.5, 0.5, 0.5}, weakly_worse[] = {0.5, 0.5, 0.6}, better[] = {0.5, 0.5, 0.4};
    ck_assert(offer(archive, point, 7));
    ck_assert(!offer(archive, point, 8));
    ck_assert(!offer(archive, weakly_worse, 9));
    ck_assert(offer(archive, better, 10));
    size_t count;
    ck_assert_uint_eq(cs_archive_removed(archive, &count)[0], 7);
    ck_assert_uint_eq(count, 1);
    cs_archive_forget_removed(archive);
    cs_archive_removed(archive, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(cs_archive_count(archive), 1);
    ck_assert_double_eq_tol(cs_archive_hypervolume(archive), 0.5 * 0.5 * 0.6, 1e-15);
    cs_archive_free(archive);
}
END_TEST

/* Beyond the reference a point can be a member, but it has no volume. */
START_TEST(counts_no_volume_beyond_the_reference)
{
    cs_archive *archive = cs_archive_new(2, ones);
    double beyond[] = {0.1, 1.5}, inside[] = {0.5, 0.5}, before[] = {-1, 0.9};
    ck_assert(offer(archive, beyond, 0));
    ck_assert_double_eq(cs_archive_hypervolume(archive), 0);
    ck_assert(offer(archive, inside, 1));
    ck_assert_double_eq(cs_archive_hypervolume(archive), 0.25);
    ck_assert(offer(archive, before, 2));
    ck_assert_double_eq_tol(cs_archive_hypervolume(archive), 0.25 + 1.5 * 0.1, 1e-15);
    ck_assert_uint_eq(cs_archive_count(archive), 2);
    cs_archive_free(archive);
}
END_TEST

START_TEST(starts_empty)
{
    for (uint32_t m = 1; m <= 5; m++) {
        cs_archive *archive = cs_archive_new(m, ones);
        size_t count;
        ck_assert_uint_eq(cs_archive_count(archive), 0);
        ck_assert_double_eq(cs_archive_hypervolume(archive), 0);
        cs_archive_removed(archive, &count);
        ck_assert_uint_eq(count, 0);
        cs_archive_free(archive);
    }
    cs_archive_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("archive");
    TCase *tcase = tcase_create("archive");
    tcase_add_loop_test(tcase, agrees_with_a_list, 0, 15);
    tcase_add_test(tcase, stays_right_on_sorted_offers);
    tcase_add_loop_test(tcase, is_a_function_of_what_entered, 0, 6);
    tcase_add_test(tcase, keeps_the_first_of_equal_points);
    tcase_add_test(tcase, counts_no_volume_beyond_the_reference);
    tcase_add_test(tcase, starts_empty);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
