/* Evaluation: one genome in, its row of metrics out. */
#ifndef CS_SEARCH_EVALUATE_H
#define CS_SEARCH_EVALUATE_H

#include "search/plan.h"

/* What became of a candidate, one byte as stored and sent: feasible, over a limit, or 16 + the
 * cs_reason why it cannot run. Never renumber. */
#define CS_OUTCOME_FEASIBLE   0
#define CS_OUTCOME_OVER_LIMIT 1
#define CS_OUTCOME_REASON     16
#define CS_OUTCOME_COUNT      (CS_OUTCOME_REASON + CS_REASON_COUNT)

/* One line for people; "" for a number that is no outcome. */
const char *cs_outcome_text(uint8_t outcome);

/* Scratch memory of one thread. A zeroed evaluator is ready; it grows for larger networks only. */
typedef struct cs_evaluator {
    cs_network network;
    cs_schedule schedule;
} cs_evaluator;

void cs_evaluator_release(cs_evaluator *evaluator);

/* Decode, compile, simulate, predict. `metrics` takes plan->metric_count numbers; those that an
 * infeasible design does not have are NAN. Fails for want of memory only. */
CS_MUST_CHECK cs_status cs_evaluate(const cs_plan *plan, cs_evaluator *evaluator,
                                    const uint8_t *genome, uint8_t *outcome, double *metrics,
                                    cs_error *err);

/* What engine and archive see of a row. */
cs_score cs_score_of(const cs_plan *plan, uint8_t outcome, const double *metrics);

#endif
