/* Exact hypervolume: see hypervolume.h.
 *
 * Everything here is minimised, and only points that are below the reference in every objective
 * take part. Sorts order points by all their coordinates, so that the volume of a set has the same
 * bits in whatever order the set is given, for up to three objectives. */
#include "search/front/hypervolume.h"

#include "search/front/dominance.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OBJECTIVES 5

/* ---- one and two objectives ---- */

static double volume_1(const double *points, size_t count, const double *reference)
{
    double best = reference[0];
    for (size_t i = 0; i < count; i++) {
        best = points[i] < best ? points[i] : best;
    }
    return reference[0] - best;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static int compare_doubles(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_pairs(const void *left, const void *right)
{
    const double *a = left, *b = right;
    int order = compare_doubles(a[0], b[0]);
    return order != 0 ? order : compare_doubles(a[1], b[1]);
}

/* Sorts `points` in place. */
static double volume_2(double *points, size_t count, const double *reference)
{
    qsort(points, count, 2 * sizeof *points, compare_pairs);
    double volume = 0, level = reference[1];
    for (size_t i = 0; i < count; i++) {
        const double *p = points + 2 * i;
        if (p[1] < level) {
            volume += (reference[0] - p[0]) * (level - p[1]);
            level = p[1];
        }
    }
    return volume;
}

/* ---- three objectives ---- */

/* A set of numbers below a bound as a tree of 64-bit words: a bit of level k+1 says that a word of
 * level k is not empty. Neighbours are found in as many steps as there are levels, three for 10^5
 * points. */
#define RANK_LEVELS 6 /* 64^6 numbers */

typedef struct rank_set {
    uint64_t *words[RANK_LEVELS];
    size_t sizes[RANK_LEVELS]; /* in words */
    unsigned levels;
} rank_set;

#define NO_RANK SIZE_MAX

static size_t rank_set_words(size_t bound)
{
    size_t total = 0;
    do {
        bound = (bound + 63) / 64;
        total += bound;
    } while (bound > 1);
    return total;
}

/* `words` are rank_set_words(bound) zeros. */
static rank_set rank_set_of(size_t bound, uint64_t *words)
{
    rank_set set = {.levels = 0};
    do {
        bound = (bound + 63) / 64;
        assert(set.levels < RANK_LEVELS);
        set.words[set.levels] = words;
        set.sizes[set.levels++] = bound;
        words += bound;
    } while (bound > 1);
    return set;
}

static void rank_set_add(rank_set *set, size_t rank)
{
    for (unsigned level = 0; level < set->levels; level++, rank /= 64) {
        set->words[level][rank / 64] |= UINT64_C(1) << (rank % 64);
    }
}

static void rank_set_take(rank_set *set, size_t rank)
{
    for (unsigned level = 0; level < set->levels; level++, rank /= 64) {
        uint64_t *word = &set->words[level][rank / 64];
        *word &= ~(UINT64_C(1) << (rank % 64));
        if (*word != 0) {
            return;
        }
    }
}

/* The smallest member above `rank`, or NO_RANK. */
static size_t rank_set_after(const rank_set *set, size_t rank)
{
    size_t at = rank + 1;
    for (unsigned level = 0; level < set->levels; level++) {
        size_t word = at / 64;
        if (word >= set->sizes[level]) {
            return NO_RANK;
        }
        uint64_t bits = set->words[level][word] & (~UINT64_C(0) << (at % 64));
        if (bits != 0) {
            at = 64 * word + (size_t)__builtin_ctzll(bits);
            while (level > 0) {
                level--;
                at = 64 * at + (size_t)__builtin_ctzll(set->words[level][at]);
            }
            return at;
        }
        at = word + 1;
    }
    return NO_RANK;
}

/* The largest member below `rank`, or NO_RANK. */
static size_t rank_set_before(const rank_set *set, size_t rank)
{
    size_t at = rank; /* looks for members below `at` */
    for (unsigned level = 0; level < set->levels; level++) {
        size_t word = at / 64;
        uint64_t mask = (UINT64_C(1) << (at % 64)) - 1;
        uint64_t bits = set->words[level][word] & mask;
        if (bits != 0) {
            at = 64 * word + 63 - (size_t)__builtin_clzll(bits);
            while (level > 0) {
                level--;
                at = 64 * at + 63 - (size_t)__builtin_clzll(set->words[level][at]);
            }
            return at;
        }
        at = word;
    }
    return NO_RANK;
}

typedef struct sweep_point {
    double x, y, z;
    size_t rank; /* in order of x */
} sweep_point;

static int compare_by_x(const void *left, const void *right)
{
    const sweep_point *a = left, *b = right;
    int order = compare_doubles(a->x, b->x);
    order = order != 0 ? order : compare_doubles(a->y, b->y);
    return order != 0 ? order : compare_doubles(a->z, b->z);
}

static int compare_by_z(const void *left, const void *right)
{
    const sweep_point *a = left, *b = right;
    int order = compare_doubles(a->z, b->z);
    return order != 0 ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

/* Bytes of scratch that volume_3 wants, a multiple of eight. */
static size_t scratch_3(size_t count)
{
    return count * (sizeof(sweep_point) + 2 * sizeof(double)) +
           rank_set_words(count) * sizeof(uint64_t);
}

/* Beume, Fonseca, Lopez-Ibanez, Paquete, Vahrenhold, "On the Complexity of Computing the
 * Hypervolume Indicator", IEEE TEC 13(5), 2009: sweep along z and keep the staircase of the (x, y)
 * cross-section, whose area grows with every point that enters it. The staircase is a set of
 * ranks in x: y falls strictly from member to member. */
static double volume_3(const double *points, size_t count, const double *reference, void *scratch)
{
    if (count == 0) {
        return 0;
    }
    sweep_point *sorted = scratch;
    double *stairs = (double *)(sorted + count); /* x and y by rank */
    uint64_t *words = (uint64_t *)(stairs + 2 * count);
    memset(words, 0, rank_set_words(count) * sizeof *words);
    rank_set staircase = rank_set_of(count, words);

    for (size_t i = 0; i < count; i++) {
        const double *p = points + 3 * i;
        sorted[i] = (sweep_point){.x = p[0], .y = p[1], .z = p[2]};
    }
    qsort(sorted, count, sizeof *sorted, compare_by_x);
    for (size_t i = 0; i < count; i++) {
        sorted[i].rank = i;
        stairs[2 * i] = sorted[i].x;
        stairs[2 * i + 1] = sorted[i].y;
    }
    qsort(sorted, count, sizeof *sorted, compare_by_z);

    double volume = 0, area = 0, below = sorted[0].z;
    for (size_t i = 0; i < count; i++) {
        const sweep_point *p = &sorted[i];
        volume += area * (p->z - below);
        below = p->z;
        size_t before = rank_set_before(&staircase, p->rank);
        double level = before == NO_RANK ? reference[1] : stairs[2 * before + 1];
        if (level <= p->y) {
            continue;
        }
        double left = p->x;
        for (;;) {
            size_t after = rank_set_after(&staircase, p->rank);
            double right = after == NO_RANK ? reference[0] : stairs[2 * after];
            area += (right - left) * (level - p->y);
            if (after == NO_RANK || stairs[2 * after + 1] < p->y) {
                break;
            }
            rank_set_take(&staircase, after);
            left = right;
            level = stairs[2 * after + 1];
        }
        rank_set_add(&staircase, p->rank);
    }
    return volume + area * (reference[2] - below);
}

/* ---- four and more: WFG ---- */

static int compare_rows(const double *a, const double *b, uint32_t objective_count)
{
    for (uint32_t j = objective_count; j-- > 0;) {
        int order = compare_doubles(a[j], b[j]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static int compare_rows_4(const void *left, const void *right)
{
    return compare_rows(right, left, 4);
}

static int compare_rows_5(const void *left, const void *right)
{
    return compare_rows(right, left, 5);
}

static size_t scratch_bytes(size_t count, uint32_t objective_count)
{
    if (objective_count < 3) {
        return 0;
    }
    size_t bytes = scratch_3(count);
    for (uint32_t m = 3; m < objective_count; m++) {
        bytes += count * m * sizeof(double);
    }
    return bytes;
}

/* Sorts `points` in place; they are below the reference. While, Bradstreet, Barone, "A Fast Way of
 * Calculating Exact Hypervolumes", IEEE TEC 16(1), 2012: the volume is the sum over the points of
 * what each adds to those after it. With the worst last objective first, the points after p,
 * limited to p's box, all have p's last objective, so that what p adds is a volume of one objective
 * less times a height. */
static double volume_of(double *points, size_t count, uint32_t objective_count,
                        const double *reference, void *scratch)
{
    switch (objective_count) {
    case 1:
        return volume_1(points, count, reference);
    case 2:
        return volume_2(points, count, reference);
    case 3:
        return volume_3(points, count, reference, scratch);
    default:
        break;
    }
    uint32_t lower = objective_count - 1;
    double *limited = scratch;
    void *rest = limited + count * lower;
    qsort(points, count, objective_count * sizeof *points,
          objective_count == 4 ? compare_rows_4 : compare_rows_5);
    double volume = 0;
    for (size_t i = 0; i < count; i++) {
        const double *p = points + i * objective_count;
        size_t limited_count = 0;
        for (size_t k = i + 1; k < count; k++) {
            double clipped[MAX_OBJECTIVES];
            for (uint32_t j = 0; j < lower; j++) {
                clipped[j] = larger(p[j], points[k * objective_count + j]);
            }
            limited_count = cs_dominance_keep(limited, limited_count, clipped, lower);
        }
        double box = 1;
        for (uint32_t j = 0; j < lower; j++) {
            box *= reference[j] - p[j];
        }
        double covered = volume_of(limited, limited_count, lower, reference, rest);
        volume += (box - covered) * (reference[lower] - p[lower]);
    }
    return volume;
}

/* ---- the interface ---- */

cs_status cs_hypervolume(const double *points, size_t count, uint32_t objective_count,
                         const double *reference, double *volume, cs_error *err)
{
    assert(objective_count >= 1 && objective_count <= MAX_OBJECTIVES);
    size_t inside_bytes = count * objective_count * sizeof(double);
    double *inside = malloc(inside_bytes + scratch_bytes(count, objective_count) + 1);
    if (!inside) {
        return cs_fail_memory(err);
    }
    size_t inside_count = 0;
    for (size_t i = 0; i < count; i++) {
        const double *p = points + i * objective_count;
        bool below = true;
        for (uint32_t j = 0; j < objective_count; j++) {
            below = below && p[j] < reference[j];
        }
        if (below) {
            memcpy(inside + inside_count++ * objective_count, p, objective_count * sizeof *p);
        }
    }
    *volume = volume_of(inside, inside_count, objective_count, reference,
                        inside + count * objective_count);
    free(inside);
    return CS_OK;
}

cs_status cs_hypervolume_exclusive(const double *point, const double *points, size_t count,
                                   uint32_t objective_count, const double *reference,
                                   double *volume, cs_error *err)
{
    assert(objective_count >= 1 && objective_count <= MAX_OBJECTIVES);
    double box = 1;
    for (uint32_t j = 0; j < objective_count; j++) {
        box *= larger(0, reference[j] - point[j]);
    }
    double *clipped = malloc(count * objective_count * sizeof(double) + 1);
    if (!clipped) {
        return cs_fail_memory(err);
    }
    for (size_t i = 0; i < count * objective_count; i++) {
        clipped[i] = larger(points[i], point[i % objective_count]);
    }
    double covered = 0;
    cs_status status = cs_hypervolume(clipped, count, objective_count, reference, &covered, err);
    if (status == CS_OK) {
        *volume = larger(0, box - covered);
    }
    free(clipped);
    return status;
}
