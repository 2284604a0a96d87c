/* Training of accuracy predictors: see train.h. */
#include "search/predictor/train.h"

#include "search/statistics.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDS       CS_TRAIN_FOLDS
#define MAX_COLUMNS 4096
#define SPLIT_SEED  1

/* Main effects are all but unpenalised: there are few of them and many rows. */
#define MAIN_PENALTY 1.0

/* A candidate replaces an earlier one if its error is smaller by more than this share, which is far
 * above what kernels differ in and far below what matters. */
#define TIE 1e-7

typedef struct penalty_scale {
    double block; /* products of two genes of one block */
    double ratio; /* the penalty of unrelated genes over that; one role: the geometric mean */
    double curve; /* factor for every degree above the first, ordinal genes only */
} penalty_scale;

static const penalty_scale penalties[] = {
    {12.5, 5, 1}, {12.5, 5, 4}, {12.5, 20, 1}, {12.5, 20, 4}, {50, 5, 1},   {50, 5, 4},
    {50, 20, 1},  {50, 20, 4},  {200, 5, 1},   {200, 5, 4},   {200, 20, 1}, {200, 20, 4},
};

typedef struct link_choice {
    cs_link link;
    double ceiling; /* percent */
} link_choice;

static const link_choice links[] = {
    {CS_LINK_IDENTITY, 0},        {CS_LINK_INVERSE_SQUARE, 100}, {CS_LINK_INVERSE_SQUARE, 90},
    {CS_LINK_INVERSE_SQUARE, 80}, {CS_LINK_INVERSE_SQUARE, 75},  {CS_LINK_INVERSE_SQUARE, 72},
    {CS_LINK_INVERSE_SQUARE, 70},
};

#define PENALTIES (sizeof penalties / sizeof *penalties)
#define LINKS     (sizeof links / sizeof *links)

/* The highest accuracy has to stay this far below a ceiling, in percent points. */
#define CEILING_MARGIN 1.0

/* An orthogonal polynomial of a gene's choices. */
typedef struct gene_contrast {
    int value[CS_TRAIN_MAX_CHOICES];
    double mean_square;
} gene_contrast;

/* A feature: the product of a contrast of gene_a (degree_a from 1; 0: constant) and of gene_b. */
typedef struct feature_column {
    uint32_t gene_a, gene_b;
    uint32_t degree_a, degree_b;
} feature_column;

struct cs_training {
    const cs_space *space; /* borrowed from the set */
    uint32_t gene_count, row_count, genome_count;
    gene_contrast *contrasts; /* [gene * CS_TRAIN_MAX_CHOICES + degree] */
    feature_column *columns;  /* constant, single genes, products */
    uint32_t column_count;
    penalty_scale penalty;
    link_choice link;
    long double *coefficients; /* one a column */
    cs_training_quality quality;
};

/* Scratch of one run. */
typedef struct training_work {
    cs_training *training;
    const cs_training_set *set;
    uint32_t *row_of;          /* rows sorted by fold, and by row within */
    uint32_t start[FOLDS + 1]; /* where each fold begins in row_of */
    double *features;          /* a row of columns for each of row_of */
    double *gram[FOLDS];       /* features' * features of a fold, lower triangle, by columns */
    double *moment[FOLDS];     /* features' * scores of a fold, one row of columns a link */
    bool link_fits[LINKS];
    double *sum;        /* of gram over some folds */
    double *moment_sum; /* of moment over the same */
    double *matrix;     /* the system that is solved */
    double *solution;   /* one row of columns a link */
    double *weights;    /* the same, one row of links a column */
    double *predicted;  /* [(penalty * LINKS + link) * row_count + place in row_of] */
} training_work;

/* ---- contrasts and columns ---- */

static int64_t binomial(int64_t n, int64_t k)
{
    int64_t value = 1;
    for (int64_t i = 1; i <= k; i++) {
        value = value * (n - k + i) / i;
    }
    return n < k ? 0 : value;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* The discrete Chebyshev polynomial of `degree` on 0 .. count - 1, as the smallest integers
 * (Szego, "Orthogonal Polynomials", 2.8). */
static gene_contrast make_contrast(uint32_t count, uint32_t degree)
{
    int64_t value[CS_TRAIN_MAX_CHOICES], divisor = 0;
    for (uint32_t x = 0; x < count; x++) {
        value[x] = 0;
        for (uint32_t k = 0; k <= degree; k++) {
            int64_t term =
                binomial(degree + k, k) * binomial(count - 1 - k, degree - k) * binomial(x, k);
            value[x] += (degree - k) % 2 ? -term : term;
        }
        divisor = greatest_common_divisor(divisor, value[x]);
    }
    gene_contrast made = {.mean_square = 0};
    for (uint32_t x = 0; x < count; x++) {
        made.value[x] = (int)(value[x] / divisor);
        made.mean_square += (double)made.value[x] * made.value[x];
    }
    made.mean_square /= count;
    return made;
}

static const gene_contrast *contrast_of(const cs_training *training, uint32_t gene, uint32_t degree)
{
    return &training->contrasts[gene * CS_TRAIN_MAX_CHOICES + degree];
}

static cs_status make_columns(cs_training *training, cs_error *err)
{
    uint32_t genes = training->gene_count;
    size_t singles = 0, squares = 0;
    for (uint32_t g = 0; g < genes; g++) {
        const cs_gene *gene = cs_space_gene(training->space, g);
        if (gene->choice_count > CS_TRAIN_MAX_CHOICES) {
            return cs_fail(err, CS_EINVAL,
                           "parameter \"%s\" has %u choices; at most %d can be "
                           "trained on",
                           gene->name, gene->choice_count, CS_TRAIN_MAX_CHOICES);
        }
        singles += gene->choice_count - 1;
        squares += (size_t)(gene->choice_count - 1) * (gene->choice_count - 1);
    }
    size_t count = 1 + singles + (singles * singles - squares) / 2;
    if (count > MAX_COLUMNS) {
        return cs_fail(err, CS_EINVAL,
                       "the space has %zu pairs of choices; at most %d can be "
                       "trained on",
                       count, MAX_COLUMNS);
    }
    training->contrasts = calloc((size_t)genes * CS_TRAIN_MAX_CHOICES, sizeof *training->contrasts);
    training->columns = calloc(count, sizeof *training->columns);
    training->coefficients = calloc(count, sizeof *training->coefficients);
    if (!training->contrasts || !training->columns || !training->coefficients) {
        return cs_fail_memory(err);
    }
    for (uint32_t g = 0; g < genes; g++) {
        uint32_t choices = cs_space_gene(training->space, g)->choice_count;
        for (uint32_t d = 0; d < choices; d++) {
            training->contrasts[g * CS_TRAIN_MAX_CHOICES + d] = make_contrast(choices, d);
        }
    }
    feature_column *next = training->columns;
    *next++ = (feature_column){0};
    for (uint32_t a = 0; a < genes; a++) {
        for (uint32_t d = 1; d < cs_space_gene(training->space, a)->choice_count; d++) {
            *next++ = (feature_column){.gene_a = a, .degree_a = d};
        }
    }
    for (uint32_t a = 0; a < genes; a++) {
        for (uint32_t b = a + 1; b < genes; b++) {
            for (uint32_t d = 1; d < cs_space_gene(training->space, a)->choice_count; d++) {
                for (uint32_t e = 1; e < cs_space_gene(training->space, b)->choice_count; e++) {
                    *next++ =
                        (feature_column){.gene_a = a, .gene_b = b, .degree_a = d, .degree_b = e};
                }
            }
        }
    }
    training->column_count = (uint32_t)count;
    assert((size_t)(next - training->columns) == count);
    return CS_OK;
}

/* ---- penalties ---- */

static bool same_block(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '_'), *end_b = strrchr(b, '_');
    return end_a && end_b && end_a - a == end_b - b && memcmp(a, b, (size_t)(end_a - a)) == 0;
}

static bool same_role(const char *a, const char *b)
{
    const char *role_a = strrchr(a, '_'), *role_b = strrchr(b, '_');
    return role_a && role_b && strcmp(role_a, role_b) == 0;
}

static double curve_factor(const cs_training *training, const penalty_scale *penalty, uint32_t gene,
                           uint32_t degree)
{
    double factor = 1;
    if (cs_space_gene(training->space, gene)->kind == CS_GENE_ORDINAL) {
        for (uint32_t d = 1; d < degree; d++) {
            factor *= penalty->curve;
        }
    }
    return factor;
}

/* What is added to the diagonal for a column; in proportion to the mean square of its values, as if
 * all columns had been scaled alike. */
static double diagonal(const cs_training *training, const penalty_scale *penalty,
                       const feature_column *column)
{
    if (column->degree_a == 0) {
        return 0;
    }
    double value = MAIN_PENALTY;
    if (column->degree_b) {
        const char *a = cs_space_gene(training->space, column->gene_a)->name;
        const char *b = cs_space_gene(training->space, column->gene_b)->name;
        value = penalty->block;
        if (!same_block(a, b)) {
            value *= same_role(a, b) ? sqrt(penalty->ratio) : penalty->ratio;
        }
        value *= curve_factor(training, penalty, column->gene_b, column->degree_b) *
                 contrast_of(training, column->gene_b, column->degree_b)->mean_square;
    }
    return value * curve_factor(training, penalty, column->gene_a, column->degree_a) *
           contrast_of(training, column->gene_a, column->degree_a)->mean_square;
}

/* ---- folds ---- */

/* By genome, then by row. */
static int compare_rows(const void *left, const void *right, void *context)
{
    const training_work *work = context;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    size_t bytes = work->training->gene_count;
    int order = memcmp(work->set->genomes + a * bytes, work->set->genomes + b * bytes, bytes);
    return order ? order : (a > b) - (a < b);
}

/* The first row that has the genome of each row; how many different ones there are goes to
 * *genomes. `order` is scratch. */
static void find_twins(training_work *work, uint32_t *order, uint32_t *first, uint32_t *genomes)
{
    uint32_t rows = work->set->row_count;
    size_t bytes = work->training->gene_count;
    for (uint32_t r = 0; r < rows; r++) {
        order[r] = r;
    }
    qsort_r(order, rows, sizeof *order, compare_rows, work);
    *genomes = 0;
    for (uint32_t i = 0; i < rows; i++) {
        bool twin = i > 0 && memcmp(work->set->genomes + order[i] * bytes,
                                    work->set->genomes + order[i - 1] * bytes, bytes) == 0;
        first[order[i]] = twin ? first[order[i - 1]] : order[i];
        *genomes += !twin;
    }
}

/* Deal the different genomes to the folds in random order; rows of one genome go together. */
static cs_status split(training_work *work, cs_error *err)
{
    uint32_t rows = work->set->row_count, genomes = 0;
    uint32_t *first = malloc(rows * sizeof *first);
    uint32_t *deck = malloc(rows * sizeof *deck);
    uint8_t *fold = malloc(rows);
    cs_status status = first && deck && fold ? CS_OK : cs_fail_memory(err);
    if (!status) {
        find_twins(work, deck, first, &genomes);
        if (genomes < 10 * FOLDS) {
            status = cs_fail(err, CS_EINVAL, "%u different networks; training needs at least %d",
                             genomes, 10 * FOLDS);
        }
    }
    if (!status) {
        uint32_t dealt = 0, next = 0;
        for (uint32_t r = 0; r < rows; r++) {
            if (first[r] == r) {
                deck[dealt++] = r;
            }
        }
        cs_random random;
        cs_random_init(&random, SPLIT_SEED, 0, CS_PURPOSE_SPLIT, 0, 0);
        for (uint32_t i = genomes; i > 1; i--) {
            uint32_t j = cs_random_below(&random, i), swap = deck[i - 1];
            deck[i - 1] = deck[j];
            deck[j] = swap;
        }
        for (uint32_t i = 0; i < genomes; i++) {
            fold[deck[i]] = (uint8_t)(i % FOLDS);
        }
        for (uint32_t k = 0; k < FOLDS; k++) {
            work->start[k] = next;
            for (uint32_t r = 0; r < rows; r++) {
                if (fold[first[r]] == k) {
                    work->row_of[next++] = r;
                }
            }
        }
        work->start[FOLDS] = next;
        work->training->genome_count = genomes;
    }
    free(first);
    free(deck);
    free(fold);
    return status;
}

/* ---- sums ---- */

static double score_of(const link_choice *choice, double accuracy)
{
    return choice->link == CS_LINK_IDENTITY ? accuracy : 1 / sqrt(choice->ceiling - accuracy);
}

static void fill_features(training_work *work)
{
    const cs_training *training = work->training;
    for (uint32_t p = 0; p < training->row_count; p++) {
        const uint8_t *genome = work->set->genomes + (size_t)work->row_of[p] * training->gene_count;
        double *row = work->features + (size_t)p * training->column_count;
        for (uint32_t c = 0; c < training->column_count; c++) {
            const feature_column *column = &training->columns[c];
            const gene_contrast *a = contrast_of(training, column->gene_a, column->degree_a);
            const gene_contrast *b = contrast_of(training, column->gene_b, column->degree_b);
            row[c] = a->value[genome[column->gene_a]] * b->value[genome[column->gene_b]];
        }
    }
}

static void sum_fold(training_work *work, uint32_t fold)
{
    uint32_t columns = work->training->column_count;
    uint32_t start = work->start[fold], count = work->start[fold + 1] - start;
    const double *features = work->features + (size_t)start * columns;
    /* Integers below 2^53: exact whatever the order, so a kernel may do it. */
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, (int)columns, (int)count, 1, features,
                (int)columns, 0, work->gram[fold], (int)columns);
    for (size_t l = 0; l < LINKS; l++) {
        double *moment = work->moment[fold] + l * columns;
        for (uint32_t p = 0; work->link_fits[l] && p < count; p++) {
            double score = score_of(&links[l], work->set->accuracies[work->row_of[start + p]]);
            const double *row = features + (size_t)p * columns;
            for (uint32_t c = 0; c < columns; c++) {
                moment[c] += row[c] * score;
            }
        }
    }
}

/* ---- solving ---- */

/* Sum matrix and right-hand sides over the folds that are not in the set of bits `left_out`. */
static void sum_folds(training_work *work, unsigned left_out)
{
    uint32_t columns = work->training->column_count;
    memset(work->sum, 0, (size_t)columns * columns * sizeof *work->sum);
    memset(work->moment_sum, 0, LINKS * columns * sizeof *work->moment_sum);
    for (uint32_t k = 0; k < FOLDS; k++) {
        if (left_out >> k & 1) {
            continue;
        }
        for (size_t c = 0; c < columns; c++) {
            for (size_t r = c; r < columns; r++) {
                work->sum[c * columns + r] += work->gram[k][c * columns + r];
            }
        }
        for (size_t i = 0; i < LINKS * columns; i++) {
            work->moment_sum[i] += work->moment[k][i];
        }
    }
}

/* The matrix of the system: that of the last sum_folds with the penalties on its diagonal. */
static void set_matrix(training_work *work, const penalty_scale *penalty)
{
    size_t columns = work->training->column_count;
    memcpy(work->matrix, work->sum, columns * columns * sizeof *work->matrix);
    for (size_t c = 0; c < columns; c++) {
        work->matrix[c * columns + c] +=
            diagonal(work->training, penalty, &work->training->columns[c]);
    }
}

static cs_status fail_solve(cs_error *err)
{
    return cs_fail(err, CS_EINVAL, "the table determines no weights: some choices never occur");
}

/* Weights of all links on the folds of the last sum_folds, into work->weights. */
static cs_status solve(training_work *work, const penalty_scale *penalty, cs_error *err)
{
    uint32_t columns = work->training->column_count;
    set_matrix(work, penalty);
    memcpy(work->solution, work->moment_sum, LINKS * columns * sizeof *work->solution);
    if (LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', (int)columns, LINKS, work->matrix, (int)columns,
                      work->solution, (int)columns) != 0) {
        return fail_solve(err);
    }
    for (uint32_t c = 0; c < columns; c++) {
        for (size_t l = 0; l < LINKS; l++) {
            work->weights[c * LINKS + l] = work->solution[l * columns + c];
        }
    }
    return CS_OK;
}

/* Weights of the chosen link and penalty on all rows. Residuals are taken in extended precision and
 * the corrections added up there, which leaves nothing of the kernel's rounding in the digits that
 * are written. */
static cs_status solve_refined(training_work *work, size_t link, cs_error *err)
{
    cs_training *training = work->training;
    size_t columns = training->column_count;
    sum_folds(work, 0);
    set_matrix(work, &training->penalty);
    double *factor = malloc(columns * columns * sizeof *factor);
    double *step = malloc(columns * sizeof *step);
    cs_status status = factor && step ? CS_OK : cs_fail_memory(err);
    if (!status) {
        memcpy(factor, work->matrix, columns * columns * sizeof *factor);
        int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', (int)columns, factor, (int)columns);
        status = info == 0 ? CS_OK : fail_solve(err);
    }
    const double *moment = work->moment_sum + link * columns;
    for (int round = 0; round < 8 && !status; round++) {
        for (size_t r = 0; r < columns; r++) {
            long double residual = moment[r];
            for (size_t c = 0; c < columns; c++) {
                size_t low = r < c ? r : c, high = r < c ? c : r;
                residual -= work->matrix[low * columns + high] * training->coefficients[c];
            }
            step[r] = (double)residual;
        }
        LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'L', (int)columns, 1, factor, (int)columns, step,
                       (int)columns);
        for (size_t c = 0; c < columns; c++) {
            training->coefficients[c] += step[c];
        }
    }
    free(factor);
    free(step);
    return status;
}

/* Predict the rows of a fold by work->weights: link l at place p of the rows goes to
 * predicted[l * row_count + p], and its squared errors are added to squares[l]. */
static void predict_fold(const training_work *work, uint32_t fold, double *predicted,
                         double *squares)
{
    uint32_t columns = work->training->column_count;
    for (uint32_t p = work->start[fold]; p < work->start[fold + 1]; p++) {
        const double *row = work->features + (size_t)p * columns;
        double scores[LINKS] = {0};
        for (uint32_t c = 0; c < columns; c++) {
            for (size_t l = 0; l < LINKS; l++) {
                scores[l] += row[c] * work->weights[c * LINKS + l];
            }
        }
        for (size_t l = 0; l < LINKS; l++) {
            double accuracy = cs_link_accuracy(links[l].link, links[l].ceiling, scores[l]);
            double error = accuracy - work->set->accuracies[work->row_of[p]];
            predicted[l * work->set->row_count + p] = accuracy;
            squares[l] += error * error;
        }
    }
}

/* ---- choosing ---- */

/* The candidate (penalty * LINKS + link) of least error; ties go to the first. */
static size_t choose(const training_work *work, const double *squares)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < PENALTIES * LINKS; i++) {
        if (work->link_fits[i % LINKS] &&
            (best == SIZE_MAX || squares[i] < squares[best] * (1 - TIE))) {
            best = i;
        }
    }
    return best;
}

static cs_fold_mean mean_of(const double *values)
{
    double sum = 0, squares = 0;
    for (uint32_t k = 0; k < FOLDS; k++) {
        sum += values[k];
    }
    double mean = sum / FOLDS;
    for (uint32_t k = 0; k < FOLDS; k++) {
        squares += (values[k] - mean) * (values[k] - mean);
    }
    return (cs_fold_mean){.mean = mean, .error = sqrt(squares / (FOLDS - 1) / FOLDS)};
}

/* The error of each fold, predicted by its own choice of candidate. */
static cs_status measure(training_work *work, double squares[FOLDS][PENALTIES * LINKS],
                         cs_error *err)
{
    double r2[FOLDS], mae[FOLDS], kendall[FOLDS], spearman[FOLDS];
    double *truth = malloc(work->set->row_count * sizeof *truth);
    if (!truth) {
        return cs_fail_memory(err);
    }
    cs_status status = CS_OK;
    for (uint32_t k = 0; k < FOLDS && !status; k++) {
        uint32_t start = work->start[k], count = work->start[k + 1] - start;
        const double *predicted =
            work->predicted + choose(work, squares[k]) * work->set->row_count + start;
        for (uint32_t i = 0; i < count; i++) {
            truth[i] = work->set->accuracies[work->row_of[start + i]];
        }
        r2[k] = cs_r2(truth, predicted, count);
        if (!isfinite(r2[k])) {
            status = cs_fail(err, CS_EINVAL, "all accuracies are equal; there is nothing to learn");
            break;
        }
        mae[k] = cs_mean_absolute_error(truth, predicted, count);
        status = cs_kendall_tau_b(truth, predicted, count, &kendall[k], err);
        if (!status) {
            status = cs_spearman_rho(truth, predicted, count, &spearman[k], err);
        }
    }
    free(truth);
    if (!status) {
        work->training->quality = (cs_training_quality){
            .r2 = mean_of(r2),
            .mae = mean_of(mae),
            .kendall = mean_of(kendall),
            .spearman = mean_of(spearman),
        };
    }
    return status;
}

/* Cross-validation in two levels: `outer` chooses the candidate for all rows; `inner[k]` chooses
 * one without looking at fold k, which that candidate is then judged on. */
static cs_status cross_validate(training_work *work, size_t *chosen, cs_error *err)
{
    double outer[PENALTIES * LINKS] = {0};
    double inner[FOLDS][PENALTIES * LINKS] = {{0}};
    size_t block = LINKS * (size_t)work->set->row_count;
    double *ignored = malloc(block * sizeof *ignored);
    cs_status status = ignored ? CS_OK : cs_fail_memory(err);
    for (uint32_t a = 0; a < FOLDS; a++) {
        for (uint32_t b = a; b < FOLDS; b++) {
            sum_folds(work, 1u << a | 1u << b);
            for (size_t p = 0; p < PENALTIES && !status; p++) {
                status = solve(work, &penalties[p], err);
                if (status) {
                    break;
                }
                if (a == b) {
                    predict_fold(work, a, work->predicted + p * block, outer + p * LINKS);
                } else {
                    predict_fold(work, b, ignored, inner[a] + p * LINKS);
                    predict_fold(work, a, ignored, inner[b] + p * LINKS);
                }
            }
        }
    }
    free(ignored);
    if (!status) {
        *chosen = choose(work, outer);
        status = measure(work, inner, err);
    }
    return status;
}

/* ---- the run ---- */

static void release_work(training_work *work)
{
    for (uint32_t k = 0; k < FOLDS; k++) {
        free(work->gram[k]);
        free(work->moment[k]);
    }
    free(work->row_of);
    free(work->features);
    free(work->sum);
    free(work->moment_sum);
    free(work->matrix);
    free(work->solution);
    free(work->weights);
    free(work->predicted);
}

static cs_status allocate_work(training_work *work, cs_error *err)
{
    size_t rows = work->set->row_count, columns = work->training->column_count;
    work->row_of = calloc(rows, sizeof *work->row_of);
    work->features = calloc(rows, columns * sizeof *work->features);
    work->sum = calloc(columns, columns * sizeof *work->sum);
    work->moment_sum = calloc(columns, LINKS * sizeof *work->moment_sum);
    work->matrix = calloc(columns, columns * sizeof *work->matrix);
    work->solution = calloc(columns, LINKS * sizeof *work->solution);
    work->weights = calloc(columns, LINKS * sizeof *work->weights);
    work->predicted = calloc(rows, PENALTIES * LINKS * sizeof *work->predicted);
    bool ok = work->row_of && work->features && work->sum && work->moment_sum && work->matrix &&
              work->solution && work->weights && work->predicted;
    for (uint32_t k = 0; k < FOLDS; k++) {
        work->gram[k] = calloc(columns, columns * sizeof *work->gram[k]);
        work->moment[k] = calloc(columns, LINKS * sizeof *work->moment[k]);
        ok = ok && work->gram[k] && work->moment[k];
    }
    return ok ? CS_OK : cs_fail_memory(err);
}

static cs_status train(training_work *work, cs_error *err)
{
    cs_status status = make_columns(work->training, err);
    if (status || (status = allocate_work(work, err)) || (status = split(work, err))) {
        return status;
    }
    double highest = -INFINITY;
    for (uint32_t r = 0; r < work->set->row_count; r++) {
        highest = fmax(highest, work->set->accuracies[r]);
    }
    for (size_t l = 0; l < LINKS; l++) {
        work->link_fits[l] =
            links[l].link == CS_LINK_IDENTITY || highest <= links[l].ceiling - CEILING_MARGIN;
    }
    openblas_set_num_threads(1);
    fill_features(work);
    for (uint32_t k = 0; k < FOLDS; k++) {
        sum_fold(work, k);
    }
    size_t chosen = 0;
    status = cross_validate(work, &chosen, err);
    if (status) {
        return status;
    }
    work->training->penalty = penalties[chosen / LINKS];
    work->training->link = links[chosen % LINKS];
    return solve_refined(work, chosen % LINKS, err);
}

cs_training *cs_training_run(const cs_training_set *set, cs_error *err)
{
    if (set->row_count == 0 || set->row_count > CS_TRAIN_MAX_ROWS) {
        cs_fail(err, CS_EINVAL, "%u rows; training needs 1 to %u", set->row_count,
                CS_TRAIN_MAX_ROWS);
        return NULL;
    }
    cs_training *training = calloc(1, sizeof *training);
    if (!training) {
        cs_fail_memory(err);
        return NULL;
    }
    training->space = set->space;
    training->gene_count = cs_space_network_gene_count(set->space);
    training->row_count = set->row_count;
    training_work work = {.training = training, .set = set};
    cs_status status = train(&work, err);
    release_work(&work);
    if (status) {
        cs_training_free(training);
        return NULL;
    }
    return training;
}

void cs_training_free(cs_training *training)
{
    if (training) {
        free(training->contrasts);
        free(training->columns);
        free(training->coefficients);
        free(training);
    }
}

cs_training_quality cs_training_quality_of(const cs_training *training)
{
    return training->quality;
}

/* ---- writing ---- */

static void put(cs_buffer *buffer, const char *format, ...) CS_PRINTF(2, 3);

static void put(cs_buffer *buffer, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert(length >= 0 && (size_t)length < sizeof text);
    cs_buffer_put(buffer, text, (size_t)length);
}

/* A text in quotes, with what libconfig wants escaped. */
static void put_quoted(cs_buffer *buffer, const char *text)
{
    cs_buffer_put(buffer, "\"", 1);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            cs_buffer_put(buffer, "\\", 1);
        }
        cs_buffer_put(buffer, *text == '\n' ? " " : text, 1);
    }
    cs_buffer_put(buffer, "\"", 1);
}

static void put_text(cs_buffer *buffer, const char *key, const char *text)
{
    put(buffer, "%s = ", key);
    put_quoted(buffer, text);
    put(buffer, ";\n");
}

/* The weight of choices (a, b) of the genes of columns [at, end): the features of one gene or of
 * one pair. */
static long double weight_of(const cs_training *training, uint32_t at, uint32_t end, uint32_t a,
                             uint32_t b)
{
    long double weight = 0;
    for (uint32_t c = at; c < end; c++) {
        const feature_column *column = &training->columns[c];
        int value = contrast_of(training, column->gene_a, column->degree_a)->value[a] *
                    contrast_of(training, column->gene_b, column->degree_b)->value[b];
        weight += value * training->coefficients[c];
    }
    return weight;
}

/* Six significant digits, the same form for all, since a libconfig array has one type. A zero has
 * no sign. */
static void put_weight(cs_buffer *buffer, long double weight)
{
    double value = (double)weight;
    put(buffer, "%.5e", value == 0 ? 0.0 : value);
}

static void put_weights(cs_buffer *buffer, const cs_training *training, uint32_t at, uint32_t end,
                        uint32_t count_a, uint32_t count_b)
{
    put(buffer, "weights = [");
    for (uint32_t a = 0; a < count_a; a++) {
        for (uint32_t b = 0; b < count_b; b++) {
            put(buffer, "%s", a + b ? ", " : "");
            put_weight(buffer, weight_of(training, at, end, a, b));
        }
    }
    put(buffer, "]; }");
}

static uint32_t choices_of(const cs_training *training, uint32_t gene)
{
    return cs_space_gene(training->space, gene)->choice_count;
}

/* The genes and pairs in the order of make_columns, whose columns they use up. */
static void put_terms(cs_buffer *buffer, const cs_training *training)
{
    uint32_t at = 1;
    put(buffer, "genes = (");
    for (uint32_t g = 0; g < training->gene_count; g++) {
        const cs_gene *gene = cs_space_gene(training->space, g);
        put(buffer, "%s\n  { name = ", g ? "," : "");
        put_quoted(buffer, gene->name);
        put(buffer, "; choices = [");
        for (uint32_t i = 0; i < gene->choice_count; i++) {
            put(buffer, "%s", i ? ", " : "");
            put_quoted(buffer, gene->choices[i]);
        }
        put(buffer, "]; ");
        uint32_t end = at + gene->choice_count - 1;
        put_weights(buffer, training, at, end, gene->choice_count, 1);
        at = end;
    }
    put(buffer, "\n);\n\npairs = (");
    for (uint32_t a = 0; a < training->gene_count; a++) {
        for (uint32_t b = a + 1; b < training->gene_count; b++) {
            put(buffer, "%s\n  { genes = [", a + b > 1 ? "," : "");
            put_quoted(buffer, cs_space_gene(training->space, a)->name);
            put(buffer, ", ");
            put_quoted(buffer, cs_space_gene(training->space, b)->name);
            put(buffer, "]; ");
            uint32_t end = at + (choices_of(training, a) - 1) * (choices_of(training, b) - 1);
            put_weights(buffer, training, at, end, choices_of(training, a),
                        choices_of(training, b));
            at = end;
        }
    }
    put(buffer, "\n);\n");
    assert(at == training->column_count);
}

static void put_quality(cs_buffer *buffer, const char *name, cs_fold_mean value)
{
    put(buffer, "  %s = %.4f; %s_error = %.4f;\n", name, value.mean, name, value.error);
}

static void put_header(cs_buffer *buffer, const cs_training *training,
                       const cs_training_source *source)
{
    const cs_training_quality *quality = &training->quality;
    put(buffer,
        "# Made by codesign-train-accuracy, which re-makes it byte for byte from the data.\n"
        "kind = \"accuracy-predictor\";\n");
    put_text(buffer, "metric", source->metric);
    put_text(buffer, "about", source->about);
    put(buffer, "data = {\n");
    put_text(buffer, "  name", source->data);
    put_text(buffer, "  licence", source->licence);
    put_text(buffer, "  column", source->column);
    put_text(buffer, "  sha256", source->sha256);
    put(buffer, "  rows = %u; networks = %u;\n", training->row_count, training->genome_count);
    put(buffer, "};\n\n# Mean over the folds and its standard error; mae in percent points.\n"
                "held_out = {\n");
    put(buffer,
        "  split = \"%d random folds by network (rows of one network together, seed %d); "
        "each fold is predicted by a model",
        FOLDS, SPLIT_SEED);
    put(buffer, " whose weights, penalties and link come from the other folds; the weights below "
                "are trained on all rows\";\n");
    put_quality(buffer, "r2", quality->r2);
    put_quality(buffer, "mae", quality->mae);
    put_quality(buffer, "kendall", quality->kendall);
    put_quality(buffer, "spearman", quality->spearman);
    put(buffer, "};\n\n");
    put(buffer,
        "# Penalties chosen: %g within a block, %g between genes of one role, %g otherwise; "
        "times %g for each degree\n# above the first.\n",
        training->penalty.block, training->penalty.block * sqrt(training->penalty.ratio),
        training->penalty.block * training->penalty.ratio, training->penalty.curve);
    put(buffer, "link = \"%s\";\n", cs_link_name(training->link.link));
    if (training->link.link != CS_LINK_IDENTITY) {
        put(buffer, "ceiling = %.1f;\n", training->link.ceiling);
    }
}

void cs_training_write(const cs_training *training, const cs_training_source *source,
                       cs_buffer *buffer)
{
    put_header(buffer, training, source);
    put(buffer, "intercept = ");
    put_weight(buffer, training->coefficients[0]);
    put(buffer, ";\n\n");
    put_terms(buffer, training);
}
