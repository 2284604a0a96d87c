/* Evaluation: see evaluate.h. */
#include "search/evaluate.h"

#include <math.h>

const char *cs_outcome_text(uint8_t outcome)
{
    if (outcome == CS_OUTCOME_FEASIBLE) {
        return "feasible";
    }
    if (outcome == CS_OUTCOME_OVER_LIMIT) {
        return "over a limit of the job";
    }
    if (outcome > CS_OUTCOME_REASON && outcome < CS_OUTCOME_COUNT) {
        return cs_reason_text((cs_reason)(outcome - CS_OUTCOME_REASON));
    }
    return "";
}

void cs_evaluator_release(cs_evaluator *evaluator)
{
    cs_network_release(&evaluator->network);
    cs_schedule_release(&evaluator->schedule);
}

/* The excess of a row over the plan's limits; INFINITY if a limited metric is not known. */
static double violation_of(const cs_plan *plan, const double *metrics)
{
    double violation = 0;
    for (uint32_t i = 0; i < plan->limit_count; i++) {
        const cs_limit *limit = &plan->limits[i];
        double value = metrics[limit->slot];
        if (isnan(value)) {
            return INFINITY;
        }
        if (value > limit->max) {
            violation += (value - limit->max) / (limit->max != 0 ? fabs(limit->max) : 1);
        }
        if (value < limit->min) {
            violation += (limit->min - value) / (limit->min != 0 ? fabs(limit->min) : 1);
        }
    }
    return violation;
}

cs_status cs_evaluate(const cs_plan *plan, cs_evaluator *evaluator, const uint8_t *genome,
                      uint8_t *outcome, double *metrics, cs_error *err)
{
    cs_accelerator accelerator;
    cs_network *network = &evaluator->network;
    cs_schedule *schedule = &evaluator->schedule;
    cs_space_decode_accelerator(plan->space, genome, &accelerator);
    cs_status status = cs_space_decode_network(plan->space, genome, network, err);
    if (!status) {
        status = cs_compile(network, &accelerator, NULL, schedule, err);
    }
    if (status) {
        return status;
    }

    double all[CS_METRIC_COUNT];
    for (int i = 0; i < CS_METRIC_COUNT; i++) {
        all[i] = NAN;
    }
    if (plan->predictor) {
        all[CS_METRIC_PROXY_TOP1] = cs_predictor_predict(plan->predictor, genome);
    }
    all[CS_METRIC_AREA_MM2] = cs_area_mm2(&accelerator, &plan->technology);
    all[CS_METRIC_AREA_RATIO] = all[CS_METRIC_AREA_MM2] / plan->baseline_area_mm2;
    cs_reason reason = schedule->reason;
    if (reason == CS_REASON_NONE) {
        cs_cost cost;
        plan->simulator->simulate(network, &accelerator, &plan->technology, schedule, &cost, NULL);
        all[CS_METRIC_LATENCY_MS] = cost.latency_s * 1e3;
        all[CS_METRIC_ENERGY_MJ] = cost.energy_j * 1e3;
        all[CS_METRIC_UTILIZATION] = cost.utilization;
    }

    for (uint32_t slot = 0; slot < plan->metric_count; slot++) {
        cs_metric_id id = plan->metrics[slot];
        if (id == CS_METRIC_MACS_M) {
            all[id] = (double)cs_network_macs(network) * 1e-6;
        } else if (id == CS_METRIC_PARAMS_M) {
            all[id] = (double)cs_network_parameters(network) * 1e-6;
        }
        metrics[slot] = all[id];
    }
    for (uint32_t i = 0; reason == CS_REASON_NONE && i < plan->objective_count; i++) {
        if (!isfinite(metrics[plan->objectives[i].slot])) {
            reason = CS_REASON_FAILED;
        }
    }
    if (reason != CS_REASON_NONE) {
        *outcome = (uint8_t)(CS_OUTCOME_REASON + reason);
    } else {
        *outcome = violation_of(plan, metrics) > 0 ? CS_OUTCOME_OVER_LIMIT : CS_OUTCOME_FEASIBLE;
    }
    return CS_OK;
}

cs_score cs_score_of(const cs_plan *plan, uint8_t outcome, const double *metrics)
{
    cs_score score = {.violation = INFINITY};
    if (outcome < CS_OUTCOME_REASON) {
        for (uint32_t i = 0; i < plan->objective_count; i++) {
            const cs_objective *objective = &plan->objectives[i];
            score.objectives[i] = (metrics[objective->slot] - objective->ideal) /
                                  (objective->reference - objective->ideal);
        }
        score.violation = violation_of(plan, metrics);
    }
    return score;
}
