/* The archive: see archive.h.
 *
 * Most offers are of dominated points, so what has to be fast is to find one member that dominates.
 * Members are the leaves' entries of a tree of boxes, as in an ND-tree (Jaszkiewicz and Lust,
 * "ND-Tree-Based Update: A Fast Algorithm for the Dynamic Nondominance Problem", IEEE TEC 22(5),
 * 2018): a box whose upper corner dominates the point settles the question, one whose lower corner
 * does not dominate it is passed over. Unlike an ND-tree it is balanced as an R-tree is, by splits
 * that move up, because a front that is found from one end to the other would make a list of an
 * unbalanced one, and boxes are tightened when members go, because a front that converges leaves
 * its old boxes behind.
 *
 * The shape of the tree decides nothing but time: which members a point throws out and the volume
 * it adds are functions of the set of members. */
#include "search/front/archive.h"

#include "search/front/dominance.h"
#include "search/front/hypervolume.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OBJECTIVES 5
#define FAN            16 /* entries of a node; from 8 to 32 the cost is about the same */
#define NONE           UINT32_MAX

/* The corners of the entries are apart, in cs_archive.corners. In a leaf an entry is a member: its
 * index and, as lower corner, its objectives; upper corners are not used there. */
typedef struct node {
    uint32_t count;
    uint32_t height; /* 0: a leaf */
    union {
        uint32_t child[FAN];
        uint64_t index[FAN];
    } entries;
} node;

struct cs_archive {
    uint32_t objective_count;
    double reference[MAX_OBJECTIVES];
    size_t count;
    double volume; /* up to three objectives */

    node *nodes;
    double *corners; /* 2 x FAN x objective_count a node: lower ones, then upper ones */
    uint32_t node_count, node_capacity;
    uint32_t *unused; /* nodes below node_count that are free; room for node_capacity */
    uint32_t unused_count;
    uint32_t root;

    uint64_t *removed;
    size_t removed_count, removed_capacity;

    double *limited; /* scratch of contribution() */
    size_t limited_count, limited_capacity;
};

/* ---- nodes ---- */

static double *lower_corner(const cs_archive *archive, uint32_t at, uint32_t entry)
{
    return archive->corners + ((size_t)at * 2 * FAN + entry) * archive->objective_count;
}

static double *upper_corner(const cs_archive *archive, uint32_t at, uint32_t entry)
{
    return lower_corner(archive, at, FAN + entry);
}

static bool reserve_nodes(cs_archive *archive, uint32_t wanted)
{
    if (archive->node_capacity - archive->node_count + archive->unused_count >= wanted) {
        return true;
    }
    uint32_t capacity = 2 * archive->node_capacity + wanted;
    node *nodes = realloc(archive->nodes, capacity * sizeof *nodes);
    archive->nodes = nodes ? nodes : archive->nodes;
    size_t corner_bytes = 2 * FAN * archive->objective_count * sizeof(double);
    double *corners = realloc(archive->corners, capacity * corner_bytes);
    archive->corners = corners ? corners : archive->corners;
    uint32_t *unused = realloc(archive->unused, capacity * sizeof *unused);
    archive->unused = unused ? unused : archive->unused;
    if (!nodes || !corners || !unused) {
        return false;
    }
    archive->node_capacity = capacity;
    return true;
}

static uint32_t take_node(cs_archive *archive, uint32_t height)
{
    assert(archive->unused_count > 0 || archive->node_count < archive->node_capacity);
    uint32_t at = archive->unused_count > 0 ? archive->unused[--archive->unused_count]
                                            : archive->node_count++;
    archive->nodes[at].count = 0;
    archive->nodes[at].height = height;
    return at;
}

static void free_subtree(cs_archive *archive, uint32_t at)
{
    const node *n = &archive->nodes[at];
    if (n->height > 0) {
        for (uint32_t e = 0; e < n->count; e++) {
            free_subtree(archive, n->entries.child[e]);
        }
    } else {
        archive->count -= n->count;
    }
    archive->unused[archive->unused_count++] = at;
}

static void copy_entry(cs_archive *archive, uint32_t to, uint32_t to_entry, uint32_t from,
                       uint32_t from_entry)
{
    size_t bytes = archive->objective_count * sizeof(double);
    node *target = &archive->nodes[to];
    const node *source = &archive->nodes[from];
    memmove(lower_corner(archive, to, to_entry), lower_corner(archive, from, from_entry), bytes);
    if (source->height == 0) {
        target->entries.index[to_entry] = source->entries.index[from_entry];
        return;
    }
    memmove(upper_corner(archive, to, to_entry), upper_corner(archive, from, from_entry), bytes);
    target->entries.child[to_entry] = source->entries.child[from_entry];
}

/* The box around all entries of a node. */
static void bound_node(const cs_archive *archive, uint32_t at, double *lower, double *upper)
{
    const node *n = &archive->nodes[at];
    uint32_t m = archive->objective_count;
    for (uint32_t j = 0; j < m; j++) {
        lower[j] = INFINITY;
        upper[j] = -INFINITY;
    }
    for (uint32_t e = 0; e < n->count; e++) {
        const double *low = lower_corner(archive, at, e);
        const double *high = n->height > 0 ? upper_corner(archive, at, e) : low;
        for (uint32_t j = 0; j < m; j++) {
            lower[j] = low[j] < lower[j] ? low[j] : lower[j];
            upper[j] = high[j] > upper[j] ? high[j] : upper[j];
        }
    }
}

/* ---- questions ---- */

/* Some member weakly dominates the point. */
static bool is_covered(const cs_archive *archive, uint32_t at, const double *point)
{
    const node *n = &archive->nodes[at];
    uint32_t m = archive->objective_count;
    if (n->height == 0) {
        for (uint32_t e = 0; e < n->count; e++) {
            if (cs_dominance_weak(lower_corner(archive, at, e), point, m)) {
                return true;
            }
        }
        return false;
    }
    for (uint32_t e = 0; e < n->count; e++) {
        if (cs_dominance_weak(upper_corner(archive, at, e), point, m)) {
            return true;
        }
    }
    for (uint32_t e = 0; e < n->count; e++) {
        if (cs_dominance_weak(lower_corner(archive, at, e), point, m) &&
            is_covered(archive, n->entries.child[e], point)) {
            return true;
        }
    }
    return false;
}

static bool reserve_removed(cs_archive *archive, size_t count)
{
    if (count <= archive->removed_capacity) {
        return true;
    }
    size_t capacity = 2 * count + 16;
    uint64_t *removed = realloc(archive->removed, capacity * sizeof *removed);
    if (!removed) {
        return false;
    }
    archive->removed = removed;
    archive->removed_capacity = capacity;
    return true;
}

/* Put the indices of members that the point weakly dominates behind removed[*end]. False for want
 * of memory. */
static bool collect_dominated(cs_archive *archive, uint32_t at, const double *point, size_t *end)
{
    const node *n = &archive->nodes[at];
    uint32_t m = archive->objective_count;
    if (n->height == 0) {
        if (!reserve_removed(archive, *end + n->count)) {
            return false;
        }
        for (uint32_t e = 0; e < n->count; e++) {
            if (cs_dominance_weak(point, lower_corner(archive, at, e), m)) {
                archive->removed[(*end)++] = n->entries.index[e];
            }
        }
        return true;
    }
    for (uint32_t e = 0; e < n->count; e++) {
        if (cs_dominance_weak(point, upper_corner(archive, at, e), m) &&
            !collect_dominated(archive, n->entries.child[e], point, end)) {
            return false;
        }
    }
    return true;
}

/* The entry's lower corner limited to the box from the point to the reference. Gives the volume of
 * what is left, 0 if that is nothing. */
static double limit_corner(const cs_archive *archive, const double *corner, const double *point,
                           double *limited)
{
    double volume = 1;
    for (uint32_t j = 0; j < archive->objective_count; j++) {
        limited[j] = corner[j] > point[j] ? corner[j] : point[j];
        double length = archive->reference[j] - limited[j];
        volume = length > 0 ? volume * length : 0;
    }
    return volume;
}

/* Gather the minimal ones among the members limited to the point's box: those next to it. Boxes
 * that reach furthest into the point's box come first, because what they hold rules out the rest.
 * False for want of memory. */
static bool gather_limited(cs_archive *archive, uint32_t at, const double *point)
{
    const node *n = &archive->nodes[at];
    uint32_t m = archive->objective_count;
    double limited[MAX_OBJECTIVES];
    if (n->height == 0) {
        if (archive->limited_count + n->count > archive->limited_capacity) {
            size_t capacity = 2 * archive->limited_capacity + FAN;
            double *rows = realloc(archive->limited, capacity * m * sizeof *rows);
            if (!rows) {
                return false;
            }
            archive->limited = rows;
            archive->limited_capacity = capacity;
        }
        for (uint32_t e = 0; e < n->count; e++) {
            if (limit_corner(archive, lower_corner(archive, at, e), point, limited) > 0) {
                archive->limited_count =
                    cs_dominance_keep(archive->limited, archive->limited_count, limited, m);
            }
        }
        return true;
    }
    uint32_t order[FAN];
    double reach[FAN];
    uint32_t reached = 0;
    for (uint32_t e = 0; e < n->count; e++) {
        double volume = limit_corner(archive, lower_corner(archive, at, e), point, limited);
        if (volume > 0) {
            uint32_t place = reached++;
            for (; place > 0 && reach[place - 1] < volume; place--) {
                reach[place] = reach[place - 1];
                order[place] = order[place - 1];
            }
            reach[place] = volume;
            order[place] = e;
        }
    }
    for (uint32_t i = 0; i < reached; i++) {
        limit_corner(archive, lower_corner(archive, at, order[i]), point, limited);
        bool ruled_out = false;
        for (size_t k = 0; k < archive->limited_count && !ruled_out; k++) {
            ruled_out = cs_dominance_weak(archive->limited + k * m, limited, m);
        }
        if (!ruled_out && !gather_limited(archive, n->entries.child[order[i]], point)) {
            return false;
        }
    }
    return true;
}

/* The volume that the point would add. */
static cs_status contribution(cs_archive *archive, const double *point, double *volume,
                              cs_error *err)
{
    archive->limited_count = 0;
    if (!gather_limited(archive, archive->root, point)) {
        return cs_fail_memory(err);
    }
    return cs_hypervolume_exclusive(point, archive->limited, archive->limited_count,
                                    archive->objective_count, archive->reference, volume, err);
}

static void gather_indices(const cs_archive *archive, uint32_t at, uint64_t *indices, size_t *end)
{
    const node *n = &archive->nodes[at];
    for (uint32_t e = 0; e < n->count; e++) {
        if (n->height > 0) {
            gather_indices(archive, n->entries.child[e], indices, end);
        } else {
            indices[(*end)++] = n->entries.index[e];
        }
    }
}

static void gather_points(const cs_archive *archive, uint32_t at, double *points, size_t *end)
{
    const node *n = &archive->nodes[at];
    uint32_t m = archive->objective_count;
    if (n->height == 0) {
        memcpy(points + *end * m, lower_corner(archive, at, 0), n->count * m * sizeof *points);
        *end += n->count;
        return;
    }
    for (uint32_t e = 0; e < n->count; e++) {
        gather_points(archive, n->entries.child[e], points, end);
    }
}

/* ---- changes ---- */

/* Take out the members that the point weakly dominates. */
static void remove_dominated(cs_archive *archive, uint32_t at, const double *point)
{
    node *n = &archive->nodes[at];
    uint32_t m = archive->objective_count;
    uint32_t kept = 0;
    for (uint32_t e = 0; e < n->count; e++) {
        bool gone = cs_dominance_weak(point, lower_corner(archive, at, e), m);
        if (n->height == 0) {
            archive->count -= gone;
        } else if (gone) {
            free_subtree(archive, n->entries.child[e]);
        } else if (cs_dominance_weak(point, upper_corner(archive, at, e), m)) {
            uint32_t child = n->entries.child[e];
            remove_dominated(archive, child, point);
            bound_node(archive, child, lower_corner(archive, at, e), upper_corner(archive, at, e));
            gone = archive->nodes[child].count == 0;
            if (gone) {
                free_subtree(archive, child);
            }
        }
        if (!gone) {
            copy_entry(archive, at, kept++, at, e);
        }
    }
    n->count = kept;
}

/* Move the upper half of a full node's entries, along the axis on which they spread most, into a
 * new node, and give that. `extents` make the axes comparable. */
static uint32_t split_node(cs_archive *archive, uint32_t at, const double *extents)
{
    uint32_t m = archive->objective_count;
    node *n = &archive->nodes[at];
    double lower[MAX_OBJECTIVES], upper[MAX_OBJECTIVES];
    bound_node(archive, at, lower, upper);
    uint32_t axis = 0;
    for (uint32_t j = 1; j < m; j++) {
        if ((upper[j] - lower[j]) * extents[axis] > (upper[axis] - lower[axis]) * extents[j]) {
            axis = j;
        }
    }
    uint32_t order[FAN];
    double middle[FAN];
    for (uint32_t e = 0; e < FAN; e++) {
        double value = lower_corner(archive, at, e)[axis];
        if (n->height > 0) {
            value = value / 2 + upper_corner(archive, at, e)[axis] / 2;
        }
        uint32_t place = e;
        for (; place > 0 && middle[place - 1] > value; place--) {
            middle[place] = middle[place - 1];
            order[place] = order[place - 1];
        }
        middle[place] = value;
        order[place] = e;
    }
    uint32_t sibling = take_node(archive, n->height);
    bool moves[FAN] = {false};
    for (uint32_t i = FAN / 2; i < FAN; i++) {
        copy_entry(archive, sibling, archive->nodes[sibling].count++, at, order[i]);
        moves[order[i]] = true;
    }
    n->count = 0;
    for (uint32_t e = 0; e < FAN; e++) {
        if (!moves[e]) {
            copy_entry(archive, at, n->count++, at, e);
        }
    }
    return sibling;
}

/* How much an entry's box has to grow to hold the point, as a sum over the axes. */
static double growth_of(const cs_archive *archive, uint32_t at, uint32_t entry, const double *point,
                        const double *extents)
{
    const double *lower = lower_corner(archive, at, entry);
    const double *upper = upper_corner(archive, at, entry);
    double growth = 0;
    for (uint32_t j = 0; j < archive->objective_count; j++) {
        double beyond = point[j] < lower[j]   ? lower[j] - point[j]
                        : point[j] > upper[j] ? point[j] - upper[j]
                                              : 0;
        growth += beyond / extents[j];
    }
    return growth;
}

static uint32_t choose_entry(const cs_archive *archive, uint32_t at, const double *point,
                             const double *extents)
{
    uint32_t best = 0;
    double best_growth = INFINITY;
    for (uint32_t e = 0; e < archive->nodes[at].count; e++) {
        double growth = growth_of(archive, at, e, point, extents);
        if (growth < best_growth) {
            best_growth = growth;
            best = e;
        }
    }
    return best;
}

static void set_child(cs_archive *archive, uint32_t at, uint32_t entry, uint32_t child)
{
    archive->nodes[at].entries.child[entry] = child;
    bound_node(archive, child, lower_corner(archive, at, entry), upper_corner(archive, at, entry));
}

/* Insert into a node that is not full. Children are split on the way down, so that there always is
 * room above. */
static void insert_point(cs_archive *archive, uint32_t at, const double *point, uint64_t index,
                         const double *extents)
{
    for (;;) {
        node *n = &archive->nodes[at];
        if (n->height == 0) {
            n->entries.index[n->count] = index;
            memcpy(lower_corner(archive, at, n->count), point,
                   archive->objective_count * sizeof *point);
            n->count++;
            return;
        }
        uint32_t entry = choose_entry(archive, at, point, extents);
        uint32_t child = n->entries.child[entry];
        if (archive->nodes[child].count == FAN) {
            uint32_t sibling = split_node(archive, child, extents);
            uint32_t other = n->count++;
            set_child(archive, at, entry, child);
            set_child(archive, at, other, sibling);
            if (growth_of(archive, at, other, point, extents) <
                growth_of(archive, at, entry, point, extents)) {
                entry = other;
                child = sibling;
            }
        }
        double *lower = lower_corner(archive, at, entry), *upper = upper_corner(archive, at, entry);
        for (uint32_t j = 0; j < archive->objective_count; j++) {
            lower[j] = point[j] < lower[j] ? point[j] : lower[j];
            upper[j] = point[j] > upper[j] ? point[j] : upper[j];
        }
        at = child;
    }
}

/* Needs height + 2 nodes reserved. */
static void insert_at_root(cs_archive *archive, const double *point, uint64_t index)
{
    double lower[MAX_OBJECTIVES], upper[MAX_OBJECTIVES], extents[MAX_OBJECTIVES];
    bound_node(archive, archive->root, lower, upper);
    for (uint32_t j = 0; j < archive->objective_count; j++) {
        extents[j] = upper[j] > lower[j] ? upper[j] - lower[j] : 1;
    }
    if (archive->nodes[archive->root].count == FAN) {
        uint32_t root = take_node(archive, archive->nodes[archive->root].height + 1);
        uint32_t sibling = split_node(archive, archive->root, extents);
        archive->nodes[root].count = 2;
        set_child(archive, root, 0, archive->root);
        set_child(archive, root, 1, sibling);
        archive->root = root;
    }
    insert_point(archive, archive->root, point, index, extents);
    archive->count++;
}

/* After removals: no root without entries but a leaf, and none with a single child. */
static void settle_root(cs_archive *archive)
{
    node *root = &archive->nodes[archive->root];
    if (root->count == 0) {
        root->height = 0;
    }
    while (root->height > 0 && root->count == 1) {
        archive->unused[archive->unused_count++] = archive->root;
        archive->root = root->entries.child[0];
        root = &archive->nodes[archive->root];
    }
}

static int compare_indices(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* ---- the interface ---- */

cs_archive *cs_archive_new(uint32_t objective_count, const double *reference)
{
    assert(objective_count >= 1 && objective_count <= MAX_OBJECTIVES);
    cs_archive *archive = calloc(1, sizeof *archive);
    if (!archive) {
        return NULL;
    }
    archive->objective_count = objective_count;
    memcpy(archive->reference, reference, objective_count * sizeof *reference);
    if (!reserve_nodes(archive, 1)) {
        cs_archive_free(archive);
        return NULL;
    }
    archive->root = take_node(archive, 0);
    return archive;
}

void cs_archive_free(cs_archive *archive)
{
    if (archive) {
        free(archive->nodes);
        free(archive->corners);
        free(archive->unused);
        free(archive->removed);
        free(archive->limited);
        free(archive);
    }
}

cs_status cs_archive_offer(cs_archive *archive, const double *objectives, uint64_t index,
                           bool *entered, cs_error *err)
{
    if (is_covered(archive, archive->root, objectives)) {
        *entered = false;
        return CS_OK;
    }
    size_t removed_end = archive->removed_count;
    if (!reserve_nodes(archive, archive->nodes[archive->root].height + 2) ||
        !collect_dominated(archive, archive->root, objectives, &removed_end)) {
        return cs_fail_memory(err);
    }
    if (archive->objective_count <= 3) {
        double volume;
        cs_status status = contribution(archive, objectives, &volume, err);
        if (status != CS_OK) {
            return status;
        }
        archive->volume += volume;
    }
    if (removed_end > archive->removed_count) {
        qsort(archive->removed + archive->removed_count, removed_end - archive->removed_count,
              sizeof *archive->removed, compare_indices);
        archive->removed_count = removed_end;
        remove_dominated(archive, archive->root, objectives);
        settle_root(archive);
    }
    insert_at_root(archive, objectives, index);
    *entered = true;
    return CS_OK;
}

const uint64_t *cs_archive_removed(const cs_archive *archive, size_t *count)
{
    *count = archive->removed_count;
    return archive->removed;
}

void cs_archive_forget_removed(cs_archive *archive)
{
    archive->removed_count = 0;
}

size_t cs_archive_count(const cs_archive *archive)
{
    return archive->count;
}

void cs_archive_indices(const cs_archive *archive, uint64_t *indices)
{
    size_t count = 0;
    gather_indices(archive, archive->root, indices, &count);
    qsort(indices, count, sizeof *indices, compare_indices);
}

double cs_archive_hypervolume(const cs_archive *archive)
{
    if (archive->objective_count <= 3) {
        return archive->volume;
    }
    double volume = NAN;
    double *points = malloc(archive->count * archive->objective_count * sizeof *points + 1);
    if (points) {
        size_t count = 0;
        gather_points(archive, archive->root, points, &count);
        cs_status status = cs_hypervolume(points, count, archive->objective_count,
                                          archive->reference, &volume, NULL);
        assert(status == CS_OK || status == CS_ENOMEM);
        (void)status;
        free(points);
    }
    return volume;
}
