/* Ranking of scores: see rank.h. */
#include "search/engine/rank.h"

#include "search/front/dominance.h"

#include <math.h>
#include <stdlib.h>

/* What is sorted: a number, and the index that breaks ties and says whose it is. */
typedef struct cs_ranking_key {
    double value;
    uint32_t index;
    uint32_t rank;
    const double *objectives;
} cs_ranking_key;

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_indices(const cs_ranking_key *a, const cs_ranking_key *b)
{
    return (a->index > b->index) - (a->index < b->index);
}

static int compare_values(const void *left, const void *right)
{
    const cs_ranking_key *a = left, *b = right;
    int order = compare_numbers(a->value, b->value);
    return order != 0 ? order : compare_indices(a, b);
}

static int compare_objectives(const void *left, const void *right, void *objective_count)
{
    const cs_ranking_key *a = left, *b = right;
    for (uint32_t j = 0; j < *(const uint32_t *)objective_count; j++) {
        int order = compare_numbers(a->objectives[j], b->objectives[j]);
        if (order != 0) {
            return order;
        }
    }
    return compare_indices(a, b);
}

/* Best first. */
static int compare_ranks(const void *left, const void *right)
{
    const cs_ranking_key *a = left, *b = right;
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    int order = compare_numbers(b->value, a->value);
    return order != 0 ? order : compare_indices(a, b);
}

/* Efficient non-dominated sort with binary search (Zhang, Tian, Cheng, Jin, IEEE TEC 19(2), 2015):
 * in lexicographic order a score can be dominated only by earlier ones, so it goes to the first
 * front in which none does. Returns the number of fronts. */
static uint32_t sort_fronts(cs_ranking *ranking, const cs_score *scores, uint32_t count)
{
    uint32_t m = ranking->objective_count;
    uint32_t feasible = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (scores[i].violation <= 0) {
            ranking->keys[feasible++] =
                (cs_ranking_key){.index = i, .objectives = scores[i].objectives};
        }
    }
    qsort_r(ranking->keys, feasible, sizeof *ranking->keys, compare_objectives, &m);

    uint32_t front_count = 0;
    for (uint32_t k = 0; k < feasible; k++) {
        uint32_t index = ranking->keys[k].index;
        uint32_t low = 0, high = front_count;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            /* The last one that joined is the likeliest to dominate; with two objectives, where
             * the second falls along a front, it does if any does. */
            uint32_t member = ranking->fronts[middle];
            bool dominated =
                cs_dominance_weak(scores[member].objectives, scores[index].objectives, m);
            while (!dominated && m > 2 && ranking->links[member] != member) {
                member = ranking->links[member];
                dominated =
                    cs_dominance_weak(scores[member].objectives, scores[index].objectives, m);
            }
            if (dominated) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        /* A front is a chain from its latest member to its first, which links to itself. */
        ranking->links[index] = low < front_count ? ranking->fronts[low] : index;
        ranking->fronts[low] = index;
        front_count += low == front_count;
        ranking->rank[index] = low;
    }
    return front_count;
}

/* Infeasible scores stand behind all fronts, one rank for each amount of violation. */
static void rank_infeasible(cs_ranking *ranking, const cs_score *scores, uint32_t count,
                            uint32_t front_count)
{
    uint32_t infeasible = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (scores[i].violation > 0) {
            ranking->keys[infeasible++] =
                (cs_ranking_key){.value = scores[i].violation, .index = i};
        }
    }
    qsort(ranking->keys, infeasible, sizeof *ranking->keys, compare_values);
    uint32_t rank = front_count;
    for (uint32_t k = 0; k < infeasible; k++) {
        if (k > 0 && ranking->keys[k].value > ranking->keys[k - 1].value) {
            rank++;
        }
        ranking->rank[ranking->keys[k].index] = rank;
    }
}

/* Crowding distance (Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic
 * algorithm: NSGA-II", IEEE TEC 6(2), 2002, section III-B) of the front whose latest member is
 * `last`. */
static void measure_crowding(cs_ranking *ranking, const cs_score *scores, uint32_t last)
{
    for (uint32_t j = 0; j < ranking->objective_count; j++) {
        uint32_t count = 0;
        for (uint32_t member = last;; member = ranking->links[member]) {
            ranking->keys[count++] =
                (cs_ranking_key){.value = scores[member].objectives[j], .index = member};
            if (ranking->links[member] == member) {
                break;
            }
        }
        cs_ranking_key *keys = ranking->keys;
        qsort(keys, count, sizeof *keys, compare_values);
        ranking->crowding[keys[0].index] = INFINITY;
        ranking->crowding[keys[count - 1].index] = INFINITY;
        double range = keys[count - 1].value - keys[0].value;
        if (range > 0) {
            for (uint32_t k = 1; k + 1 < count; k++) {
                ranking->crowding[keys[k].index] += (keys[k + 1].value - keys[k - 1].value) / range;
            }
        }
    }
}

bool cs_ranking_init(cs_ranking *ranking, uint32_t objective_count, uint32_t capacity)
{
    *ranking = (cs_ranking){
        .objective_count = objective_count,
        .rank = calloc(capacity, sizeof *ranking->rank),
        .crowding = calloc(capacity, sizeof *ranking->crowding),
        .order = calloc(capacity, sizeof *ranking->order),
        .keys = calloc(capacity, sizeof *ranking->keys),
        .fronts = calloc(capacity, sizeof *ranking->fronts),
        .links = calloc(capacity, sizeof *ranking->links),
    };
    return ranking->rank && ranking->crowding && ranking->order && ranking->keys &&
           ranking->fronts && ranking->links;
}

void cs_ranking_release(cs_ranking *ranking)
{
    free(ranking->rank);
    free(ranking->crowding);
    free(ranking->order);
    free(ranking->keys);
    free(ranking->fronts);
    free(ranking->links);
    *ranking = (cs_ranking){0};
}

void cs_ranking_sort(cs_ranking *ranking, const cs_score *scores, uint32_t count)
{
    uint32_t front_count = sort_fronts(ranking, scores, count);
    rank_infeasible(ranking, scores, count, front_count);
    for (uint32_t i = 0; i < count; i++) {
        ranking->crowding[i] = 0;
    }
    for (uint32_t front = 0; front < front_count; front++) {
        measure_crowding(ranking, scores, ranking->fronts[front]);
    }
    for (uint32_t i = 0; i < count; i++) {
        ranking->keys[i] =
            (cs_ranking_key){.value = ranking->crowding[i], .index = i, .rank = ranking->rank[i]};
    }
    qsort(ranking->keys, count, sizeof *ranking->keys, compare_ranks);
    for (uint32_t i = 0; i < count; i++) {
        ranking->order[i] = ranking->keys[i].index;
    }
}
