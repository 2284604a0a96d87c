/* Accuracy predictors: a learned value of a network's genes.
 *
 * Pairwise ridge regression: an intercept, one weight for every choice of every gene, and one for
 * every pair of choices of two genes. The sum is taken in the file's order by plain additions, so
 * a prediction has the same bits on every machine. Immutable after reading, shared by threads. */
#ifndef CS_SEARCH_PREDICTOR_H
#define CS_SEARCH_PREDICTOR_H

#include "base/conf.h"
#include "search/space.h"

typedef struct cs_predictor cs_predictor;

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
