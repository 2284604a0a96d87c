/* Ranking against the definitions, score by score. */
#include "base/random.h"
#include "search/engine/rank.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define COUNT 120

/* Constrained domination; of equals the first dominates. */
static bool dominates(const cs_score *scores, uint32_t a, uint32_t b, uint32_t objective_count)
{
    if (scores[a].violation != scores[b].violation) {
        return scores[a].violation < scores[b].violation;
    }
    bool better = false;
    for (uint32_t j = 0; j < objective_count && scores[a].violation == 0; j++) {
        if (scores[a].objectives[j] > scores[b].objectives[j]) {
            return false;
        }
        better = better || scores[a].objectives[j] < scores[b].objectives[j];
    }
    return better || (scores[a].violation == 0 && a < b);
}

/* Peel off, again and again, what nothing left dominates. */
static void naive_ranks(const cs_score *scores, uint32_t count, uint32_t objective_count,
                        uint32_t *ranks)
{
    for (uint32_t i = 0; i < count; i++) {
        ranks[i] = UINT32_MAX;
    }
    uint32_t left = count;
    for (uint32_t rank = 0; left > 0; rank++) {
        bool in_front[COUNT];
        for (uint32_t i = 0; i < count; i++) {
            in_front[i] = ranks[i] == UINT32_MAX;
            for (uint32_t k = 0; k < count && in_front[i]; k++) {
                in_front[i] = ranks[k] != UINT32_MAX || !dominates(scores, k, i, objective_count);
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            if (in_front[i]) {
                ranks[i] = rank;
                left--;
            }
        }
    }
}

/* The neighbours in one objective within the rank, found by looking at all. */
static double naive_crowding(const cs_score *scores, const uint32_t *ranks, uint32_t count,
                             uint32_t objective_count, uint32_t of)
{
    double sum = 0;
    for (uint32_t j = 0; j < objective_count; j++) {
        double here = scores[of].objectives[j];
        double below = -INFINITY, above = INFINITY, least = INFINITY, most = -INFINITY;
        for (uint32_t i = 0; i < count; i++) {
            if (ranks[i] != ranks[of]) {
                continue;
            }
            double there = scores[i].objectives[j];
            least = fmin(least, there);
            most = fmax(most, there);
            if (i != of && (there < here || (there == here && i < of))) {
                below = fmax(below, there);
            } else if (i != of) {
                above = fmin(above, there);
            }
        }
        sum += most > least           ? (above - below) / (most - least)
               : isinf(above - below) ? INFINITY
                                      : 0;
    }
    return sum;
}

static void make_scores(uint64_t seed, cs_score *scores, uint32_t count, uint32_t objective_count)
{
    cs_random random;
    cs_random_init(&random, seed, 0, CS_PURPOSE_SAMPLE, 0, 0);
    for (uint32_t i = 0; i < count; i++) {
        scores[i] = (cs_score){.violation = 0};
        for (uint32_t j = 0; j < objective_count; j++) {
            /* Few values for odd seeds: ties and equal scores. */
            scores[i].objectives[j] =
                seed % 2 ? cs_random_below(&random, 5) : cs_random_unit(&random);
        }
        if (cs_random_below(&random, 4) == 0) {
            uint32_t violation = cs_random_below(&random, 10);
            scores[i].violation = violation == 0 ? INFINITY : violation;
        }
    }
}

START_TEST(agrees_with_the_definitions)
{
    uint32_t m = 1 + (uint32_t)_i % 5;
    static cs_score scores[COUNT];
    uint32_t ranks[COUNT];
    cs_ranking ranking;
    ck_assert(cs_ranking_init(&ranking, m, COUNT));
    for (uint32_t count = 0; count <= COUNT; count += 1 + count / 2) {
        make_scores((uint64_t)_i, scores, count, m);
        cs_ranking_sort(&ranking, scores, count);
        naive_ranks(scores, count, m, ranks);
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_uint_eq(ranking.rank[i], ranks[i]);
            if (scores[i].violation > 0) {
                ck_assert_double_eq(ranking.crowding[i], 0);
                continue;
            }
            double crowding = naive_crowding(scores, ranks, count, m, i);
            if (isinf(crowding)) {
                ck_assert(isinf(ranking.crowding[i]));
            } else {
                ck_assert_double_eq(ranking.crowding[i], crowding);
            }
        }
        for (uint32_t k = 1; k < count; k++) {
            uint32_t a = ranking.order[k - 1], b = ranking.order[k];
            bool ordered =
                ranks[a] < ranks[b] ||
                (ranks[a] == ranks[b] && (ranking.crowding[a] > ranking.crowding[b] ||
                                          (!(ranking.crowding[a] < ranking.crowding[b]) && a < b)));
            ck_assert(ordered);
        }
    }
    cs_ranking_release(&ranking);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rank");
    TCase *tcase = tcase_create("rank");
    tcase_add_loop_test(tcase, agrees_with_the_definitions, 0, 50);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
