/* Accuracy predictors: a learned value of a network's genes.
 *
 * Pairwise ridge regression behind a link: a score is an intercept, plus one weight for every
 * choice of every gene, plus one for every pair of choices of two genes, summed in the file's order
 * by plain additions. The accuracy is the score itself (link "identity"), or
 *
 *     accuracy = ceiling - 1 / score^2        (link "inverse-square")
 *
 * which saturates below the ceiling, as accuracy does, so that what genes add up to is closer to
 * additive. Only + - * / are used: a prediction has the same bits on every machine. Immutable after
 * reading, shared by threads. */
#ifndef CS_SEARCH_PREDICTOR_PREDICTOR_H
#define CS_SEARCH_PREDICTOR_PREDICTOR_H

#include "base/conf.h"
#include "search/space.h"

typedef struct cs_predictor cs_predictor;

/* How a score becomes an accuracy. */
typedef enum cs_link {
    CS_LINK_IDENTITY,
    CS_LINK_INVERSE_SQUARE,
} cs_link;

/* The accuracy of a score, in percent; `ceiling` counts for CS_LINK_INVERSE_SQUARE only, where a
 * score so small (or negative) that the accuracy would be below 0 gives 0. */
double cs_link_accuracy(cs_link link, double ceiling, double score);

/* "identity" or "inverse-square". */
const char *cs_link_name(cs_link link);

/* Read a weights file of kind "accuracy-predictor". It names its genes and their choices; those
 * must be the network genes of `space`, in any order; anything else is refused. NULL on failure. */
cs_predictor *cs_predictor_read(cs_conf_node file, const cs_space *space, cs_error *err);
void cs_predictor_free(cs_predictor *predictor);

/* The metric it predicts, e.g. "proxy_top1", and one sentence on what that is. */
const char *cs_predictor_metric(const cs_predictor *predictor);
const char *cs_predictor_about(const cs_predictor *predictor);

/* Percent, not a share. */
double cs_predictor_predict(const cs_predictor *predictor, const uint8_t *genome);

#endif
