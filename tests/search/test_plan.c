/* The plan: what a job resolves to, and the sentence with which each mistake is refused. */
#include "job.h"

#include "base/file.h"
#include "search/evaluate.h"

#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a job resolves to ---- */

START_TEST(resolves_the_shipped_job)
{
    cs_bundle bundle = job_imagenet();
    cs_hash hash = cs_bundle_hash(&bundle);
    cs_plan *plan = job_plan(&bundle);
    ck_assert_str_eq(plan->name, "imagenet-edge");
    ck_assert_uint_eq(plan->seed, 1);
    ck_assert_uint_eq(plan->evaluations, 300000);
    ck_assert_uint_eq(plan->batch, 100);
    ck_assert(!plan->keep_all);
    ck_assert_ptr_eq(plan->engine, &cs_engine_nsga2);
    ck_assert_ptr_eq(plan->simulator, &cs_simulator_analytic);
    ck_assert_str_eq(cs_space_size_text(plan->space), "5224277606400000");
    ck_assert_ptr_nonnull(plan->predictor);
    ck_assert_mem_eq(hash.bytes, plan->bundle_hash.bytes, CS_HASH_BYTES);
    ck_assert_double_eq(plan->baseline_area_mm2, cs_area_mm2(&plan->baseline, &plan->technology));

    ck_assert_uint_eq(plan->objective_count, 3);
    ck_assert_int_eq(plan->objectives[0].metric, CS_METRIC_PROXY_TOP1);
    ck_assert_double_eq(plan->objectives[0].reference, 50);
    ck_assert_double_eq(plan->objectives[0].ideal, 70);
    ck_assert_int_eq(plan->objectives[1].metric, CS_METRIC_LATENCY_MS);
    ck_assert_int_eq(plan->objectives[2].metric, CS_METRIC_ENERGY_MJ);
    ck_assert_uint_eq(plan->limit_count, 1);
    ck_assert_int_eq(plan->limits[0].metric, CS_METRIC_AREA_RATIO);
    ck_assert_double_eq(plan->limits[0].min, -INFINITY);
    ck_assert_double_eq(plan->limits[0].max, 1);

    /* The recorded metrics, none twice, and every objective and limit knows its slot. */
    ck_assert_uint_eq(plan->metric_count, CS_METRIC_RECORDED);
    for (uint32_t slot = 0; slot < plan->metric_count; slot++) {
        ck_assert_uint_eq(plan->metrics[slot], slot);
    }
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        ck_assert_int_eq(plan->metrics[plan->objectives[i].slot], plan->objectives[i].metric);
    }
    ck_assert_int_eq(plan->metrics[plan->limits[0].slot], CS_METRIC_AREA_RATIO);
    cs_plan_free(plan);
}
END_TEST

START_TEST(lists_the_files_that_rest_on_recalled_values)
{
    cs_bundle bundle = job_imagenet();
    cs_plan *plan = job_plan(&bundle);
    ck_assert_uint_eq(plan->recalled_count, 3);
    ck_assert_str_eq(plan->recalled[0], "nahas");
    ck_assert_str_eq(plan->recalled[1], "nahas-baseline");
    ck_assert_str_eq(plan->recalled[2], "edge-22nm");
    cs_plan_free(plan);

    bundle = job_tiny();
    job_edit(&bundle, "net", "chosen: test", "recalled: test");
    plan = job_plan(&bundle);
    ck_assert_uint_eq(plan->recalled_count, 3);
    ck_assert_str_eq(plan->recalled[0], "net");
    ck_assert_str_eq(plan->recalled[1], "base");
    ck_assert_str_eq(plan->recalled[2], "tech");
    cs_plan_free(plan);
}
END_TEST

START_TEST(what_may_be_absent_has_a_default)
{
    static const char limits[] = "limits = (\n    { metric = \"area_mm2\"; max = 2.6; }\n);\n";
    cs_bundle bundle = job_tiny();
    static const char *const optional[] = {
        "seed = 1;\n",  "accuracy = \"weights\";\n", "simulator = \"analytic\";\n",
        limits,         "engine = \"nsga2\";\n",     "engine_options = { population = 6; };\n",
        "batch = 7;\n", "keep = \"all\";\n"};
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        job_edit(&bundle, NULL, optional[i], "");
    }
    job_edit(&bundle, NULL, "{ metric = \"proxy_top1\"; reference = 40.0; ideal = 70.0; },", "");
    job_drop(&bundle, "weights");
    cs_plan *plan = job_plan(&bundle);
    ck_assert_uint_eq(plan->seed, 1);
    ck_assert_ptr_null(plan->predictor);
    ck_assert_ptr_eq(plan->simulator, &cs_simulator_analytic);
    ck_assert_uint_eq(plan->limit_count, 0);
    ck_assert_ptr_eq(plan->engine, &cs_engine_nsga2);
    ck_assert_uint_eq(plan->batch, 100);
    ck_assert(plan->keep_all);
    ck_assert_uint_eq(plan->objective_count, 2);
    /* Without a predictor there is no accuracy to record. */
    ck_assert_uint_eq(plan->metric_count, CS_METRIC_RECORDED - 1);
    ck_assert_int_eq(plan->metrics[0], CS_METRIC_LATENCY_MS);
    cs_plan_free(plan);
}
END_TEST

START_TEST(records_the_metrics_that_a_job_names)
{
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, NULL, "metric = \"energy_mj\"; reference = 0.2; ideal = 0.0",
             "metric = \"params_m\"; reference = 1; ideal = 0");
    job_edit(&bundle, NULL, "metric = \"area_mm2\"; max = 2.6;", "metric = \"params_m\"; min = 0;");
    cs_plan *plan = job_plan(&bundle);
    ck_assert_uint_eq(plan->metric_count, CS_METRIC_RECORDED + 1);
    ck_assert_int_eq(plan->metrics[CS_METRIC_RECORDED], CS_METRIC_PARAMS_M);
    ck_assert_uint_eq(plan->objectives[2].slot, CS_METRIC_RECORDED);
    ck_assert_uint_eq(plan->limits[0].slot, CS_METRIC_RECORDED);
    cs_plan_free(plan);
}
END_TEST

START_TEST(applies_overrides_in_order)
{
    cs_bundle bundle = job_tiny();
    job_set(&bundle, "name=other name");
    job_set(&bundle, "seed=3");
    job_set(&bundle, "seed=4");
    job_set(&bundle, "engine=random");
    job_set(&bundle, "keep=\"front\"");
    job_set(&bundle, "objectives.1.reference=3.5");
    job_set(&bundle, "limits.0.min=1");
    job_edit(&bundle, NULL, "engine_options = { population = 6; };", "");
    cs_plan *plan = job_plan(&bundle);
    ck_assert_str_eq(plan->name, "other name");
    ck_assert_uint_eq(plan->seed, 4);
    ck_assert_ptr_eq(plan->engine, &cs_engine_random);
    ck_assert(!plan->keep_all);
    ck_assert_double_eq(plan->objectives[1].reference, 3.5);
    ck_assert_double_eq(plan->limits[0].min, 1);
    ck_assert_double_eq(plan->limits[0].max, 2.6);
    cs_plan_free(plan);
}
END_TEST

START_TEST(takes_the_ends_of_every_range)
{
    static const char *const ends[] = {"seed=0",        "seed=9223372036854775807L",
                                       "batch=1",       "batch=4096",
                                       "evaluations=1", "evaluations=1000000000000L"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        cs_bundle bundle = job_tiny();
        job_set(&bundle, ends[i]);
        cs_plan_free(job_plan(&bundle));
    }
    cs_bundle bundle = job_tiny();
    char name[6 + CS_PLAN_NAME_BYTES] = "name=";
    memset(name + 5, 'n', CS_PLAN_NAME_BYTES - 1);
    job_set(&bundle, name);
    cs_plan *plan = job_plan(&bundle);
    ck_assert_uint_eq(strlen(plan->name), CS_PLAN_NAME_BYTES - 1);
    cs_plan_free(plan);
}
END_TEST

/* ---- documentation ---- */

static char *read_page(const char *path)
{
    size_t size;
    cs_error err;
    char *page = cs_file_read(path, CS_BUNDLE_MAX_FILE_BYTES, &size, &err);
    ck_assert_msg(page != NULL, "%s", err.text);
    return page;
}

static void CS_PRINTF(2, 3) assert_says(const char *page, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ck_assert_msg(strstr(page, text) != NULL, "the page does not say: %s", text);
}

START_TEST(the_page_on_jobs_is_complete)
{
    char *page = read_page(CODESIGN_SOURCE_DIR "/docs/jobs.md");
    for (int i = 0; i < CS_METRIC_COUNT; i++) {
        assert_says(page, "| `%s` |", cs_metrics[i].key);
    }
    for (size_t i = 0; cs_simulator_at(i); i++) {
        assert_says(page, "`%s`", cs_simulator_at(i)->name);
    }
    for (size_t i = 0; cs_engine_classes[i]; i++) {
        assert_says(page, "`%s`:", cs_engine_classes[i]->name);
        for (const cs_engine_option *option = cs_engine_classes[i]->options; option->name;
             option++) {
            assert_says(page, "| `%s` | ", option->name);
            assert_says(page, " | %s | ", option->fallback);
        }
    }
    for (int outcome = 0; outcome < CS_OUTCOME_COUNT; outcome++) {
        if (*cs_outcome_text((uint8_t)outcome)) {
            assert_says(page, "| %d | %s |", outcome, cs_outcome_text((uint8_t)outcome));
        }
    }
    for (const cs_bundle_role *role = cs_bundle_roles; role->key; role++) {
        assert_says(page, "| `%s` | file |", role->key);
        assert_says(page, "`%s`", role->folder);
    }
    free(page);
}
END_TEST

START_TEST(the_page_on_spaces_has_every_field_of_the_accelerator)
{
    char *page = read_page(CODESIGN_SOURCE_DIR "/docs/spaces.md");
    for (uint32_t i = 0; i < cs_accelerator_field_count; i++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[i];
        assert_says(page, "| `%s` | `%s` | %.15g to %.15g", field->name, field->nahas,
                    (double)field->min / field->unit, (double)field->max / field->unit);
    }
    free(page);
}
END_TEST

/* ---- mistakes ---- */

static void assert_refused(cs_bundle *bundle, const char *text)
{
    cs_error err = {0};
    ck_assert_ptr_null(cs_plan_new(bundle, &err));
    ck_assert_int_eq(err.status, CS_EINVAL);
    ck_assert_str_eq(err.text, text);
    ck_assert_ptr_null(cs_plan_new(bundle, NULL));
    cs_bundle_release(bundle);
}

/* The tiny job with one change, and the whole sentence that refuses it. */
static const struct refused {
    const char *file; /* NULL: the job text */
    const char *from, *to;
    const char *text;
} refused[] = {
    /* the text as such */
    {NULL, "seed = 1;", "seed = ;", "job.conf:2: syntax error"},
    {NULL, "seed = 1;", "sead = 1;",
     "job.conf:2: sead: unknown key; known here: name, seed, network_space, accelerator_space, "
     "baseline, technology, accuracy, simulator, objectives, limits, engine, engine_options, "
     "batch, evaluations, keep"},
    {NULL, "seed = 1;", "@include \"/etc/passwd\"", "job.conf:2: @include is not allowed"},

    /* name, numbers, words */
    {NULL, "name = \"tiny\";", "", "job.conf:1: name: is missing"},
    {NULL, "\"tiny\"", "5", "job.conf:1: name: must be a text in quotes"},
    {NULL, "\"tiny\"", "\"\"", "job.conf:1: name: must have 1 to 127 bytes"},
    {NULL, "\"tiny\"",
     "\"0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567\"",
     "job.conf:1: name: must have 1 to 127 bytes"},
    {NULL, "\"tiny\"", "\"ti\\nny\"", "job.conf:1: name: must be UTF-8 without control characters"},
    {NULL, "\"tiny\"", "\"tiny\xc2\x9b\"",
     "job.conf:1: name: must be UTF-8 without control characters"},
    {NULL, "\"tiny\"", "\"tiny\xe2\x80\xae\"",
     "job.conf:1: name: must be UTF-8 without control characters"},
    {NULL, "\"tiny\"", "\"tiny\xff\"",
     "job.conf:1: name: must be UTF-8 without control characters"},
    {NULL, "\"tiny\"", "\"tiny\\x7f\"",
     "job.conf:1: name: must be UTF-8 without control characters"},
    {NULL, "seed = 1", "seed = \"1\"",
     "job.conf:2: seed: must be a whole number from 0 to 9223372036854775807"},
    {NULL, "seed = 1", "seed = 1.0",
     "job.conf:2: seed: must be a whole number from 0 to 9223372036854775807"},
    {NULL, "seed = 1", "seed = -1",
     "job.conf:2: seed: must be a whole number from 0 to 9223372036854775807, not -1"},
    {NULL, "seed = 1", "seed = 5000000000",
     "job.conf:2: the number 5000000000 needs an L at its end (64-bit)"},
    {NULL, "batch = 7", "batch = 0",
     "job.conf:19: batch: must be a whole number from 1 to 4096, not 0"},
    {NULL, "batch = 7", "batch = 4097",
     "job.conf:19: batch: must be a whole number from 1 to 4096, not 4097"},
    {NULL, "evaluations = 60;", "", "job.conf:1: evaluations: is missing"},
    {NULL, "evaluations = 60", "evaluations = 0",
     "job.conf:20: evaluations: must be a whole number from 1 to 1000000000000, not 0"},
    {NULL, "evaluations = 60", "evaluations = 1000000000001L",
     "job.conf:20: evaluations: must be a whole number from 1 to 1000000000000, not "
     "1000000000001"},
    {NULL, "keep = \"all\"", "keep = \"some\"",
     "job.conf:21: keep: must be \"all\" or \"front\", not \"some\""},
    {NULL, "keep = \"all\"", "keep = true", "job.conf:21: keep: must be a text in quotes"},
    {NULL, "\"analytic\"", "\"oracle\"",
     "job.conf:8: simulator: there is no simulator 'oracle'; there are: analytic, event"},

    /* the engine */
    {NULL, "\"nsga2\"", "\"nsga3\"",
     "job.conf:17: engine: there is no engine 'nsga3'; there are: nsga2, random"},
    {NULL, "population = 6", "populations = 6",
     "job.conf:18: engine_options.populations: unknown key; known here: population, crossover, "
     "mutations, neighbour"},
    {NULL, "population = 6", "population = 1",
     "job.conf:18: engine_options.population: must be a whole number from 2 to 10000, not 1"},
    {NULL, "{ population = 6; }", "6", "job.conf:18: engine_options: must be a group { ... }"},
    {NULL, "\"nsga2\"", "\"random\"",
     "job.conf:18: engine_options.population: unknown key; known here: none"},

    /* files */
    {NULL, "network_space = \"net\";", "", "job.conf:1: network_space: is missing"},
    {NULL, "\"net\"", "\"ten\"", "job.conf:3: network_space: the file 'ten' is not in the bundle"},
    {NULL, "\"acc\"", "\"../acc\"",
     "job.conf:4: accelerator_space: the file '../acc' is not in the bundle"},
    {NULL, "\"acc\"", "7", "job.conf:4: accelerator_space: must be a text in quotes"},
    {NULL, "\"net\"", "\"acc\"",
     "acc:1: kind: must be \"network-space\" for network_space, not \"accelerator-space\""},
    {NULL, "\"acc\"", "\"base\"",
     "base:3: kind: must be \"accelerator-space\" for accelerator_space, not \"accelerator\""},
    {NULL, "\"base\"", "\"tech\"",
     "tech:3: kind: must be \"accelerator\" for baseline, not \"technology\""},
    {NULL, "\"tech\"", "\"base\"",
     "base:3: kind: must be \"technology\" for technology, not \"accelerator\""},
    {NULL, "\"weights\"", "\"net\"",
     "net:1: kind: must be \"accuracy-predictor\" for accuracy, not \"network-space\""},
    {"net", "kind = \"network-space\";", "", "net:1: kind: is missing"},
    {"net", "kernel = \"kernel\"", "kernel = \"colonel\"",
     "net:10: body[0].kernel: there is no parameter \"colonel\""},
    {"net", "values = [1, 3, 63];", "values = [];",
     "net:6: parameters[1].values: must hold 1 to 256 values, not 0"},
    {"acc", "name = \"pes_x\"", "name = \"pes_z\"",
     "acc:3: parameters[0].name: no field of the accelerator is called \"pes_z\" here"},
    {"tech", "name = \"mac_j\"", "name = \"mac_k\"",
     "tech:21: values[7].name: unknown field 'mac_k'"},
    {"base", "naming = \"nahas\"", "naming = \"habitat\"",
     "base:4: naming: must be \"edgetpu\" or \"nahas\", not \"habitat\""},
    {"weights", "metric = \"proxy_top1\"", "metric = \"top1\"",
     "weights:1: metric: no metric of a job is called 'top1'"},
    {"weights", "metric = \"proxy_top1\"", "metric = \"latency_ms\"",
     "weights:1: metric: no metric of a job is called 'latency_ms'"},
    {"weights", "name = \"kernel\"", "name = \"colonel\"",
     "weights:5: genes[0].name: the network space has no parameter \"colonel\""},

    /* objectives */
    {NULL, "    { metric = \"latency_ms\"; reference = 2.0; ideal = 0.0; },",
     "{ metric = \"latency_ms\"; reference = 2.0; ideal = 0.0; },\n"
     "{ metric = \"area_mm2\"; reference = 4.0; ideal = 0.0; },",
     "job.conf:9: objectives: 1 to 3 objectives, not 4"},
    {NULL, "metric = \"latency_ms\"; ", "", "job.conf:11: objectives[1].metric: is missing"},
    {NULL, "\"latency_ms\"", "\"latency_s\"",
     "job.conf:11: objectives[1].metric: there is no metric 'latency_s'; there are: proxy_top1, "
     "latency_ms, energy_mj, area_mm2, area_ratio, macs_m, params_m, utilization"},
    {NULL, "reference = 2.0;", "", "job.conf:11: objectives[1].reference: is missing"},
    {NULL, "reference = 2.0;", "reference = 1e13;",
     "job.conf:11: objectives[1].reference: must be a number from -1e+12 to 1e+12, not 1e+13"},
    {NULL, "reference = 2.0;", "reference = 2.0; weight = 1;",
     "job.conf:11: objectives[1].weight: unknown key; known here: metric, reference, ideal"},
    {NULL, "reference = 2.0;", "reference = 0.0;",
     "job.conf:11: objectives[1].ideal: latency_ms is minimised, so ideal must be smaller than "
     "reference (0, 0 given)"},
    {NULL, "reference = 2.0;", "reference = 1e-10;",
     "job.conf:11: objectives[1].ideal: latency_ms is minimised, so ideal must be smaller than "
     "reference (0, 1e-10 given)"},
    {NULL, "ideal = 70.0;", "ideal = 30.0;",
     "job.conf:10: objectives[0].ideal: proxy_top1 is maximised, so ideal must be larger than "
     "reference (30, 40 given)"},
    {NULL, "\"energy_mj\"", "\"latency_ms\"",
     "job.conf:12: objectives[2].metric: latency_ms and latency_ms are two names for one "
     "objective"},
    {NULL, "accuracy = \"weights\";", "",
     "job.conf:10: objectives[0].metric: needs a predictor: name its weights, e.g. accuracy = "
     "\"mnasnet-proxy-top1\"; accuracy is never invented"},
    {NULL, "{ metric = \"latency_ms\"; reference = 2.0; ideal = 0.0; }", "\"latency_ms\"",
     "job.conf:11: objectives[1]: must be a group { ... }"},

    /* limits */
    {NULL, "metric = \"area_mm2\"; max = 2.6;", "metric = \"area_mm2\"; max = 2.6; most = 1;",
     "job.conf:15: limits[0].most: unknown key; known here: metric, min, max"},
    {NULL, "metric = \"area_mm2\"; max = 2.6;", "metric = \"area_mm2\";",
     "job.conf:15: limits[0]: needs a min or a max"},
    {NULL, "max = 2.6;", "max = 2.6; min = 3;",
     "job.conf:15: limits[0].max: min 3 is above max 2.6: nothing can meet it"},
    {NULL, "{ metric = \"area_mm2\"; max = 2.6; }",
     "{ metric = \"area_mm2\"; max = 2.6; },\n{ metric = \"area_mm2\"; min = 1; }",
     "job.conf:16: limits[1].metric: a second limit on area_mm2; put min and max into one"},
    {NULL, "max = 2.6;", "max = \"2.6\";",
     "job.conf:15: limits[0].max: must be a number from -1e+12 to 1e+12"},
    {NULL, "limits = (\n    { metric = \"area_mm2\"; max = 2.6; }\n);", "limits = 5;",
     "job.conf:14: limits: must be a list of at most 8 limits"},
};

START_TEST(refuses_mistakes_with_their_place)
{
    const struct refused *r = &refused[_i];
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, r->file, r->from, r->to);
    assert_refused(&bundle, r->text);
}
END_TEST

START_TEST(refuses_no_objective)
{
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, NULL,
             "    { metric = \"proxy_top1\"; reference = 40.0; ideal = 70.0; },\n"
             "    { metric = \"latency_ms\"; reference = 2.0; ideal = 0.0; },\n"
             "    { metric = \"energy_mj\"; reference = 0.2; ideal = 0.0; }\n",
             "");
    assert_refused(&bundle, "job.conf:9: objectives: 1 to 3 objectives, not 0");
}
END_TEST

/* Areas in mm2 and as a ratio differ by a factor, so a front of both would be a line. */
START_TEST(refuses_two_names_for_one_objective)
{
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, NULL, "metric = \"latency_ms\"; reference = 2.0;",
             "metric = \"area_ratio\"; reference = 1.0;");
    job_edit(&bundle, NULL, "metric = \"energy_mj\"; reference = 0.2;",
             "metric = \"area_mm2\"; reference = 9.0;");
    assert_refused(&bundle, "job.conf:12: objectives[2].metric: area_ratio and area_mm2 are two "
                            "names for one objective");
}
END_TEST

/* A limit on accuracy needs a predictor as an objective does. */
START_TEST(refuses_a_limit_on_accuracy_without_a_predictor)
{
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, NULL, "accuracy = \"weights\";", "");
    job_edit(&bundle, NULL, "    { metric = \"proxy_top1\"; reference = 40.0; ideal = 70.0; },",
             "");
    job_edit(&bundle, NULL, "metric = \"area_mm2\"; max", "metric = \"proxy_top1\"; min");
    assert_refused(&bundle, "job.conf:15: limits[0].metric: needs a predictor: name its weights, "
                            "e.g. accuracy = \"mnasnet-proxy-top1\"; accuracy is never invented");
}
END_TEST

START_TEST(refuses_too_many_limits)
{
    cs_bundle bundle = job_tiny();
    char entries[9 * 64] = "";
    for (int i = 0; i < 9; i++) {
        strcat(entries, i ? ", { metric = \"area_mm2\"; max = 2.6; }"
                          : "{ metric = \"area_mm2\"; max = 2.6; }");
    }
    job_edit(&bundle, NULL, "{ metric = \"area_mm2\"; max = 2.6; }", entries);
    assert_refused(&bundle, "job.conf:14: limits: must be a list of at most 8 limits");
}
END_TEST

START_TEST(refuses_a_parameter_of_both_spaces)
{
    cs_bundle bundle = job_tiny();
    for (int i = 0; i < 2; i++) {
        job_edit(&bundle, "net", i ? "channels = \"width\"" : "name = \"width\"",
                 i ? "channels = \"pes_x\"" : "name = \"pes_x\"");
    }
    assert_refused(&bundle, "job.conf:4: accelerator_space: network space and accelerator space "
                            "both have a parameter \"pes_x\"");
}
END_TEST

START_TEST(refuses_an_empty_space)
{
    static const char *const lists[][2] = {
        {"net", "net:3: parameters: must hold 1 to 1024 parameters, not 0"},
        {"acc", "acc:2: parameters: must hold 1 to 1024 parameters, not 0"},
    };
    cs_bundle bundle = job_tiny();
    const char *name = lists[_i][0];
    job_edit(&bundle, name, "parameters = (", "parameters = (); others = (");
    /* The old list is cut out, so that the emptiness is all that is wrong. */
    const cs_bundle_file *file = cs_bundle_find(&bundle, name);
    const char *from = strstr(file->bytes, "others"), *to = strstr(from, "\n);\n") + 4;
    char *others = strndup(from, (size_t)(to - from));
    job_edit(&bundle, name, others, "\n");
    free(others);
    assert_refused(&bundle, lists[_i][1]);
}
END_TEST

/* Inputs are added where channels happen to be equal, so a network between the extremes of all
 * parameters can have more layers than those: 8 a repetition are counted, and 1 for the input. */
START_TEST(refuses_more_layers_than_a_network_has)
{
    static const char block[] = "{ block = \"inverted-bottleneck\"; expansion = 1; kernel = 1; "
                                "channels = 4; repeat = 64; provenance = \"chosen: test\"; },";
    enum { TOO_MANY = CS_NETWORK_MAX_LAYERS / (64 * 8) };
    char body[TOO_MANY * sizeof block + 10] = "body = (";
    for (int i = 0; i < TOO_MANY - 1; i++) {
        strcat(body, block);
    }
    cs_bundle bundle = job_tiny();
    job_edit(&bundle, "net", "body = (", body);
    cs_plan_free(job_plan(&bundle));

    bundle = job_tiny();
    job_edit(&bundle, "net", "body = (", strcat(body, block));
    assert_refused(&bundle, "net:9: body[31]: can have more than 16384 layers with the blocks "
                            "before it");
}
END_TEST

START_TEST(refuses_a_bundle_that_lacks_a_file)
{
    static const char *const missing[][2] = {
        {"net", "job.conf:3: network_space: the file 'net' is not in the bundle"},
        {"acc", "job.conf:4: accelerator_space: the file 'acc' is not in the bundle"},
        {"base", "job.conf:5: baseline: the file 'base' is not in the bundle"},
        {"tech", "job.conf:6: technology: the file 'tech' is not in the bundle"},
        {"weights", "job.conf:7: accuracy: the file 'weights' is not in the bundle"},
    };
    cs_bundle bundle = job_tiny();
    job_drop(&bundle, missing[_i][0]);
    assert_refused(&bundle, missing[_i][1]);
}
END_TEST

/* What an override breaks is blamed on it, not on a line that says something else. */
static const struct blamed {
    const char *set, *text;
} blamed[] = {
    {"seed=-1", "--set seed: must be a whole number from 0 to 9223372036854775807, not -1"},
    {"seed=one", "--set seed: must be a whole number from 0 to 9223372036854775807"},
    {"name=", "--set name: must have 1 to 127 bytes"},
    {"engine=hope", "--set engine: there is no engine 'hope'; there are: nsga2, random"},
    {"engine_options.population=1",
     "--set engine_options.population: must be a whole number from 2 to 10000, not 1"},
    {"engine_options.hope=1", "--set engine_options.hope: unknown key; known here: population, "
                              "crossover, mutations, neighbour"},
    {"network_space=maxnet", "--set network_space: the file 'maxnet' is not in the bundle"},
    {"objectives.1.ideal=2.5",
     "--set objectives[1].ideal: latency_ms is minimised, so ideal must be smaller than reference "
     "(2.5, 2 given)"},
    {"objectives.1.metric=energy_mj",
     "job.conf:12: objectives[2].metric: energy_mj and energy_mj are two names for one objective"},
    {"objectives.2.metric=latency_ms",
     "--set objectives[2].metric: latency_ms and latency_ms are two names for one objective"},
    {"limits.0.max=cheap", "--set limits[0].max: must be a number from -1e+12 to 1e+12"},
    {"limits.0.maximum=1", "--set limits[0].maximum: unknown key; known here: metric, min, max"},
    {"seed", "--set seed: must be KEY=VALUE"},
    {"objectives=1", "--set objectives=1: objectives is a group or list, not a value"},
};

START_TEST(blames_the_override)
{
    cs_bundle bundle = job_tiny();
    job_set(&bundle, blamed[_i].set);
    assert_refused(&bundle, blamed[_i].text);
}
END_TEST

START_TEST(an_unknown_key_of_an_override_is_refused)
{
    static const char *const sets[] = {"sead=1", "sead.x=1"};
    cs_bundle bundle = job_tiny();
    job_set(&bundle, sets[_i]);
    cs_error err;
    ck_assert_ptr_null(cs_plan_new(&bundle, &err));
    ck_assert_msg(strncmp(err.text, "--set sead: unknown key; known here: name, ", 43) == 0, "%s",
                  err.text);
    cs_bundle_release(&bundle);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *resolved = tcase_create("resolved");
    tcase_add_test(resolved, resolves_the_shipped_job);
    tcase_add_test(resolved, lists_the_files_that_rest_on_recalled_values);
    tcase_add_test(resolved, what_may_be_absent_has_a_default);
    tcase_add_test(resolved, records_the_metrics_that_a_job_names);
    tcase_add_test(resolved, applies_overrides_in_order);
    tcase_add_test(resolved, takes_the_ends_of_every_range);
    suite_add_tcase(suite, resolved);
    TCase *pages = tcase_create("pages");
    tcase_add_test(pages, the_page_on_jobs_is_complete);
    tcase_add_test(pages, the_page_on_spaces_has_every_field_of_the_accelerator);
    suite_add_tcase(suite, pages);
    TCase *mistakes = tcase_create("mistakes");
    tcase_add_loop_test(mistakes, refuses_mistakes_with_their_place, 0, COUNT(refused));
    tcase_add_test(mistakes, refuses_no_objective);
    tcase_add_test(mistakes, refuses_two_names_for_one_objective);
    tcase_add_test(mistakes, refuses_a_limit_on_accuracy_without_a_predictor);
    tcase_add_test(mistakes, refuses_too_many_limits);
    tcase_add_test(mistakes, refuses_a_parameter_of_both_spaces);
    tcase_add_loop_test(mistakes, refuses_an_empty_space, 0, 2);
    tcase_add_test(mistakes, refuses_more_layers_than_a_network_has);
    tcase_add_loop_test(mistakes, refuses_a_bundle_that_lacks_a_file, 0, 5);
    tcase_add_loop_test(mistakes, blames_the_override, 0, COUNT(blamed));
    tcase_add_loop_test(mistakes, an_unknown_key_of_an_override_is_refused, 0, 2);
    suite_add_tcase(suite, mistakes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
