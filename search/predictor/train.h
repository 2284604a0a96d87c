/* Training of accuracy predictors: pairwise ridge regression on a table of measured networks.
 *
 * Features are orthogonal polynomial contrasts of every gene over its choices, and the products of
 * those of two genes. Penalties differ by what a product joins: two genes of one block (names equal
 * up to their last '_'), of one role (equal from there on), or neither; and grow with the degree of
 * ordinal genes. Penalties and link (predictor.h) are chosen from a fixed grid by cross-validation.
 *
 * The result does not depend on the BLAS kernel, in the six digits that are written: contrasts are
 * small integers, so their sums of products are exact in any order; other sums have a fixed order;
 * the solution is refined with residuals in extended precision; and a candidate of the grid has to
 * be better than the one before by more than rounding. Needs LAPACK, which prediction does not:
 * a library of its own (codesign_train). Sets OpenBLAS to one thread, for the whole process. */
#ifndef CS_SEARCH_PREDICTOR_TRAIN_H
#define CS_SEARCH_PREDICTOR_TRAIN_H

#include "base/buffer.h"
#include "search/predictor/predictor.h"

/* Folds of cross-validation. Rows of one genome are always in one fold. */
#define CS_TRAIN_FOLDS 5

/* The most choices of a gene, and the most rows, for which the sums are exact. */
#define CS_TRAIN_MAX_CHOICES 8
#define CS_TRAIN_MAX_ROWS    (1u << 20)

/* All borrowed. */
typedef struct cs_training_set {
    const cs_space *space;
    const uint8_t *genomes;   /* row_count rows of cs_space_network_gene_count bytes */
    const double *accuracies; /* row_count, percent, finite */
    uint32_t row_count;
} cs_training_set;

/* Mean over the folds, and the standard error of that mean. */
typedef struct cs_fold_mean {
    double mean, error;
} cs_fold_mean;

/* How a trained predictor does on rows that took no part in its training or its tuning: each fold
 * is predicted by a model whose weights, penalties and link come from the other folds. */
typedef struct cs_training_quality {
    cs_fold_mean r2, mae, kendall, spearman;
} cs_training_quality;

/* What the weights file says about its origin. All borrowed; plain text. */
typedef struct cs_training_source {
    const char *metric;  /* e.g. "proxy_top1" */
    const char *about;   /* one sentence on what that is */
    const char *data;    /* the data set */
    const char *licence; /* of the data */
    const char *sha256;  /* of the table, hex */
    const char *column;  /* of the table */
} cs_training_source;

typedef struct cs_training cs_training;

/* Train on all rows, after the error has been estimated by cross-validation. CS_EINVAL for fewer
 * than 10 different genomes a fold, for genes with too many choices or a table that is too large.
 * NULL on failure. */
cs_training *cs_training_run(const cs_training_set *set, cs_error *err);
void cs_training_free(cs_training *training);

cs_training_quality cs_training_quality_of(const cs_training *training);

/* Append the weights file; buffer->failed says whether memory was enough. */
void cs_training_write(const cs_training *training, const cs_training_source *source,
                       cs_buffer *buffer);

#endif
