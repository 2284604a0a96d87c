/* The plan: see plan.h. */
#include "search/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The least distance of reference and ideal: far below any metric's resolution, and large enough
 * that scores of metrics are finite. */
#define MIN_WIDTH 1e-9

/* For error texts: one more name of a list of names, which is cut where it does not fit. */
static void append_name(char *names, size_t size, const char *name)
{
    size_t used = strlen(names);
    snprintf(names + used, size - used, "%s%s", used ? ", " : "", name);
}

/* ---- files of the bundle ---- */

/* Parse the file that `key` of the job names. The root is returned and the caller frees *conf. */
static cs_status open_file(const cs_bundle *bundle, cs_conf_node job, const char *key,
                           const char *kind, cs_conf **conf, const char **name, cs_error *err)
{
    *conf = NULL;
    cs_status status = cs_conf_string(job, key, name, err);
    if (status) {
        return status;
    }
    const cs_bundle_file *file = cs_bundle_find(bundle, *name);
    if (!file) {
        return cs_conf_fail(cs_conf_member(job, key), err, "the file '%s' is not in the bundle",
                            *name);
    }
    *conf = cs_conf_parse(file->bytes, file->size, file->name, NULL, 0, err);
    if (!*conf) {
        return CS_EINVAL;
    }
    const char *got = "";
    status = cs_conf_string(cs_conf_root(*conf), "kind", &got, err);
    if (!status && strcmp(got, kind) != 0) {
        status = cs_conf_fail(cs_conf_member(cs_conf_root(*conf), "kind"), err,
                              "must be \"%s\" for %s, not \"%s\"", kind, key, got);
    }
    return status;
}

/* Names in plan->recalled are the job text's own, which plan->conf holds. */
static void note_recalled(cs_plan *plan, const char *name)
{
    plan->recalled[plan->recalled_count++] = name;
}

/* Names that a row of results has beside those of its genes. */
static bool is_row_key(const char *name)
{
    static const char *const keys[] = {"rank",    "candidate", "job",  "index",
                                       "outcome", "recalled",  "mixed"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i], name) == 0) {
            return true;
        }
    }
    return cs_metric_find(name) != CS_METRIC_COUNT;
}

static cs_status read_spaces(cs_plan *plan, const cs_bundle *bundle, cs_conf_node job,
                             cs_error *err)
{
    cs_conf *conf;
    const char *name;
    bool recalled = false;
    cs_space *network = NULL, *accelerator = NULL;
    cs_status status = open_file(bundle, job, "network_space", "network-space", &conf, &name, err);
    if (!status) {
        network = cs_space_read_network(cs_conf_root(conf), &recalled, err);
        status = network ? CS_OK : CS_EINVAL;
        if (recalled) {
            note_recalled(plan, name);
        }
    }
    cs_conf_free(conf);
    if (status) {
        return status;
    }
    recalled = false;
    status = open_file(bundle, job, "accelerator_space", "accelerator-space", &conf, &name, err);
    if (!status) {
        accelerator = cs_space_read_accelerator(cs_conf_root(conf), &recalled, err);
        status = accelerator ? CS_OK : CS_EINVAL;
        if (recalled) {
            note_recalled(plan, name);
        }
    }
    cs_conf_free(conf);
    if (status) {
        cs_space_free(network);
        return status;
    }
    cs_error reason;
    plan->space = cs_space_join(network, accelerator, &reason);
    if (!plan->space && reason.status == CS_EINVAL) {
        return cs_conf_fail(cs_conf_member(job, "accelerator_space"), err, "%s", reason.text);
    }
    if (!plan->space) {
        return cs_fail_memory(err);
    }
    for (uint32_t i = 0; i < cs_space_gene_count(plan->space); i++) {
        const char *gene = cs_space_gene(plan->space, i)->name;
        if (is_row_key(gene)) {
            bool of_network = i < cs_space_network_gene_count(plan->space);
            return cs_conf_fail(
                cs_conf_member(job, of_network ? "network_space" : "accelerator_space"), err,
                "its parameter '%s' has the name of another column of a candidate's row", gene);
        }
    }
    return CS_OK;
}

static cs_status read_costs(cs_plan *plan, const cs_bundle *bundle, cs_conf_node job, cs_error *err)
{
    cs_conf *conf;
    const char *name;
    bool recalled = false;
    cs_status status = open_file(bundle, job, "baseline", "accelerator", &conf, &name, err);
    if (!status) {
        status = cs_accelerator_read(cs_conf_root(conf), &plan->baseline, &recalled, err);
    }
    cs_conf_free(conf);
    if (status) {
        return status;
    }
    if (recalled) {
        note_recalled(plan, name);
    }
    recalled = false;
    status = open_file(bundle, job, "technology", "technology", &conf, &name, err);
    if (!status) {
        status = cs_technology_read(cs_conf_root(conf), &plan->technology, &recalled, err);
    }
    cs_conf_free(conf);
    if (status) {
        return status;
    }
    if (recalled) {
        note_recalled(plan, name);
    }
    plan->baseline_area_mm2 = cs_area_mm2(&plan->baseline, &plan->technology);

    const char *simulator = "analytic";
    status = cs_conf_maybe_string(job, "simulator", &simulator, err);
    if (status) {
        return status;
    }
    plan->simulator = cs_simulator_find(simulator);
    if (!plan->simulator) {
        char names[128] = "";
        for (size_t i = 0; cs_simulator_at(i); i++) {
            append_name(names, sizeof names, cs_simulator_at(i)->name);
        }
        return cs_conf_fail(cs_conf_member(job, "simulator"), err,
                            "there is no simulator '%s'; there are: %s", simulator, names);
    }
    return CS_OK;
}

static cs_status read_predictor(cs_plan *plan, const cs_bundle *bundle, cs_conf_node job,
                                cs_error *err)
{
    if (!cs_conf_exists(cs_conf_member(job, "accuracy"))) {
        return CS_OK;
    }
    cs_conf *conf;
    const char *name;
    cs_status status = open_file(bundle, job, "accuracy", "accuracy-predictor", &conf, &name, err);
    if (!status) {
        plan->predictor = cs_predictor_read(cs_conf_root(conf), plan->space, err);
        status = plan->predictor ? CS_OK : CS_EINVAL;
    }
    if (!status) {
        const char *metric = cs_predictor_metric(plan->predictor);
        if (cs_metric_find(metric) != CS_METRIC_PROXY_TOP1) {
            status = cs_conf_fail(cs_conf_member(cs_conf_root(conf), "metric"), err,
                                  "no metric of a job is called '%s'", metric);
        }
    }
    cs_conf_free(conf);
    return status;
}

/* ---- objectives and limits ---- */

/* The slot of a metric in a candidate's row, made if it has none. */
static uint32_t slot_of(cs_plan *plan, cs_metric_id id)
{
    uint32_t slot = 0;
    while (slot < plan->metric_count && plan->metrics[slot] != id) {
        slot++;
    }
    if (slot == plan->metric_count) {
        plan->metrics[plan->metric_count++] = id;
    }
    return slot;
}

static cs_status read_metric(const cs_plan *plan, cs_conf_node entry, cs_metric_id *id,
                             cs_error *err)
{
    const char *key;
    cs_status status = cs_conf_string(entry, "metric", &key, err);
    if (status) {
        return status;
    }
    cs_conf_node place = cs_conf_member(entry, "metric");
    *id = cs_metric_find(key);
    if (*id == CS_METRIC_COUNT) {
        char keys[256] = "";
        for (int i = 0; i < CS_METRIC_COUNT; i++) {
            append_name(keys, sizeof keys, cs_metrics[i].key);
        }
        return cs_conf_fail(place, err, "there is no metric '%s'; there are: %s", key, keys);
    }
    if (cs_metrics[*id].quantity == CS_QUANTITY_ACCURACY && !plan->predictor) {
        return cs_conf_fail(place, err,
                            "needs a predictor: name its weights, e.g. accuracy = "
                            "\"mnasnet-proxy-top1\"; accuracy is never invented");
    }
    return CS_OK;
}

static cs_status read_objectives(cs_plan *plan, cs_conf_node job, cs_error *err)
{
    cs_conf_node list;
    cs_status status = cs_conf_list(job, "objectives", &list, err);
    if (status) {
        return status;
    }
    if (cs_conf_length(list) < 1 || cs_conf_length(list) > CS_PLAN_MAX_OBJECTIVES) {
        return cs_conf_fail(list, err, "1 to %d objectives, not %zu", CS_PLAN_MAX_OBJECTIVES,
                            cs_conf_length(list));
    }
    static const char *const keys[] = {"metric", "reference", "ideal", NULL};
    for (size_t i = 0; i < cs_conf_length(list); i++) {
        cs_conf_node entry = cs_conf_element(list, i);
        cs_objective objective = {0};
        if ((status = cs_conf_only(entry, keys, err)) ||
            (status = read_metric(plan, entry, &objective.metric, err)) ||
            (status = cs_conf_number(entry, "reference", -1e12, 1e12, &objective.reference, err)) ||
            (status = cs_conf_number(entry, "ideal", -1e12, 1e12, &objective.ideal, err))) {
            return status;
        }
        const cs_metric *metric = &cs_metrics[objective.metric];
        double width = metric->maximize ? objective.ideal - objective.reference
                                        : objective.reference - objective.ideal;
        if (width < MIN_WIDTH) {
            return cs_conf_fail(cs_conf_member(entry, "ideal"), err,
                                "%s is %s, so ideal must be %s than reference (%g, %g given)",
                                metric->key, metric->maximize ? "maximised" : "minimised",
                                metric->maximize ? "larger" : "smaller", objective.ideal,
                                objective.reference);
        }
        for (uint32_t k = 0; k < plan->objective_count; k++) {
            const cs_metric *other = &cs_metrics[plan->objectives[k].metric];
            if (other->quantity == metric->quantity) {
                return cs_conf_fail(cs_conf_member(entry, "metric"), err,
                                    "%s and %s are two names for one objective", other->key,
                                    metric->key);
            }
        }
        objective.slot = slot_of(plan, objective.metric);
        plan->objectives[plan->objective_count++] = objective;
    }
    return CS_OK;
}

static cs_status read_limits(cs_plan *plan, cs_conf_node job, cs_error *err)
{
    cs_conf_node list = cs_conf_member(job, "limits");
    if (!cs_conf_exists(list)) {
        return CS_OK;
    }
    if (!cs_conf_is_list(list) || cs_conf_length(list) > CS_PLAN_MAX_LIMITS) {
        return cs_conf_fail(list, err, "must be a list of at most %d limits", CS_PLAN_MAX_LIMITS);
    }
    static const char *const keys[] = {"metric", "min", "max", NULL};
    for (size_t i = 0; i < cs_conf_length(list); i++) {
        cs_conf_node entry = cs_conf_element(list, i);
        cs_limit limit = {.min = -INFINITY, .max = INFINITY};
        cs_status status;
        if ((status = cs_conf_only(entry, keys, err)) ||
            (status = read_metric(plan, entry, &limit.metric, err)) ||
            (status = cs_conf_maybe_number(entry, "min", -1e12, 1e12, &limit.min, err)) ||
            (status = cs_conf_maybe_number(entry, "max", -1e12, 1e12, &limit.max, err))) {
            return status;
        }
        if (isinf(limit.min) && isinf(limit.max)) {
            return cs_conf_fail(entry, err, "needs a min or a max");
        }
        if (limit.min > limit.max) {
            return cs_conf_fail(cs_conf_member(entry, "max"), err,
                                "min %g is above max %g: nothing can meet it", limit.min,
                                limit.max);
        }
        for (uint32_t k = 0; k < plan->limit_count; k++) {
            if (plan->limits[k].metric == limit.metric) {
                return cs_conf_fail(cs_conf_member(entry, "metric"), err,
                                    "a second limit on %s; put min and max into one",
                                    cs_metrics[limit.metric].key);
            }
        }
        limit.slot = slot_of(plan, limit.metric);
        plan->limits[plan->limit_count++] = limit;
    }
    return CS_OK;
}

/* ---- the job itself ---- */

/* UTF-8 without control characters, among them those that turn the direction of writing. */
static bool is_printable(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        uint32_t code = *p;
        int more = code < 0x80 ? 0 : code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 1;
        if (code >= 0x80) {
            if (code < 0xc2 || code > 0xf4) {
                return false;
            }
            code &= 0x3fu >> more;
        }
        for (p++; more > 0; more--, p++) {
            if ((*p & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (*p & 0x3f);
        }
        if (code < ' ' || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
            code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
            (code >= 0x2066 && code <= 0x2069)) {
            return false;
        }
    }
    return true;
}

static cs_status read_search(cs_plan *plan, cs_conf_node job, cs_error *err)
{
    const char *name = "", *keep = "all", *engine = "nsga2";
    int64_t seed = 1, batch = 100, evaluations = 0;
    cs_status status;
    if ((status = cs_conf_string(job, "name", &name, err)) ||
        (status = cs_conf_maybe_int(job, "seed", 0, INT64_MAX, &seed, err)) ||
        (status = cs_conf_maybe_int(job, "batch", 1, CS_PLAN_MAX_BATCH, &batch, err)) ||
        (status = cs_conf_int(job, "evaluations", 1, 1000000000000, &evaluations, err)) ||
        (status = cs_conf_maybe_string(job, "keep", &keep, err)) ||
        (status = cs_conf_maybe_string(job, "engine", &engine, err))) {
        return status;
    }
    if (!*name || strlen(name) >= CS_PLAN_NAME_BYTES) {
        return cs_conf_fail(cs_conf_member(job, "name"), err, "must have 1 to %d bytes",
                            CS_PLAN_NAME_BYTES - 1);
    }
    if (!is_printable(name)) {
        return cs_conf_fail(cs_conf_member(job, "name"), err,
                            "must be UTF-8 without control characters");
    }
    if (strcmp(keep, "all") != 0 && strcmp(keep, "front") != 0) {
        return cs_conf_fail(cs_conf_member(job, "keep"), err,
                            "must be \"all\" or \"front\", not \"%s\"", keep);
    }
    plan->engine = cs_engine_find(engine);
    if (!plan->engine) {
        char names[128] = "";
        for (size_t i = 0; cs_engine_classes[i]; i++) {
            append_name(names, sizeof names, cs_engine_classes[i]->name);
        }
        return cs_conf_fail(cs_conf_member(job, "engine"), err,
                            "there is no engine '%s'; there are: %s", engine, names);
    }
    snprintf(plan->name, sizeof plan->name, "%s", name);
    plan->seed = (uint64_t)seed;
    plan->batch = (uint32_t)batch;
    plan->evaluations = (uint64_t)evaluations;
    plan->keep_all = strcmp(keep, "all") == 0;
    return CS_OK;
}

cs_engine *cs_plan_engine(const cs_plan *plan, cs_engine_problem *problem, cs_error *err)
{
    *problem = (cs_engine_problem){
        .space = plan->space,
        .objective_count = plan->objective_count,
        .batch = plan->batch,
        .seed = plan->seed,
    };
    return plan->engine->new (problem, cs_conf_member(cs_conf_root(plan->conf), "engine_options"),
                              err);
}

/* An engine refuses its own options, so make one and see. */
static cs_status check_engine(const cs_plan *plan, cs_error *err)
{
    cs_engine_problem problem;
    cs_engine *engine = cs_plan_engine(plan, &problem, err);
    if (!engine) {
        return CS_EINVAL;
    }
    engine->class->free(engine);
    return CS_OK;
}

cs_plan *cs_plan_new(const cs_bundle *bundle, cs_error *err)
{
    static const char *const keys[] = {
        "name",       "seed",        "network_space", "accelerator_space",
        "baseline",   "technology",  "accuracy",      "simulator",
        "objectives", "limits",      "engine",        "engine_options",
        "batch",      "evaluations", "keep",          NULL,
    };
    cs_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        cs_fail_memory(err);
        return NULL;
    }
    plan->bundle_hash = cs_bundle_hash(bundle);
    plan->conf = cs_bundle_parse(bundle, err);
    if (!plan->conf) {
        goto fail;
    }
    cs_conf_node job = cs_conf_root(plan->conf);
    if (cs_conf_only(job, keys, err) || read_search(plan, job, err) ||
        read_spaces(plan, bundle, job, err) || read_costs(plan, bundle, job, err) ||
        read_predictor(plan, bundle, job, err)) {
        goto fail;
    }
    for (int id = plan->predictor ? 0 : 1; id < CS_METRIC_RECORDED; id++) {
        (void)slot_of(plan, (cs_metric_id)id);
    }
    if (read_objectives(plan, job, err) || read_limits(plan, job, err) || check_engine(plan, err)) {
        goto fail;
    }
    return plan;
fail:
    cs_plan_free(plan);
    return NULL;
}

void cs_plan_free(cs_plan *plan)
{
    if (plan) {
        cs_space_free(plan->space);
        cs_predictor_free(plan->predictor);
        cs_conf_free(plan->conf);
        free(plan);
    }
}
