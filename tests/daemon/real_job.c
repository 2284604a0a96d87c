/* A small job: see real_job.h. */
#include "real_job.h"

#include "base/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "name = \"small\";\n"
                           "network_space = \"./small-space.conf\";\n"
                           "accelerator_space = \"nahas\";\n"
                           "baseline = \"nahas-baseline\";\n"
                           "technology = \"edge-22nm\";\n"
                           "objectives = (\n"
                           "    { metric = \"latency_ms\"; reference = 0.5; ideal = 0.0; },\n"
                           "    { metric = \"energy_mj\"; reference = 1.5; ideal = 0.0; }\n"
                           ");\n"
                           "limits = ( { metric = \"area_ratio\"; max = 1.0; } );\n"
                           "batch = 40;\n"
                           "evaluations = 430;\n";

void real_job_bundle(cs_bundle *bundle, const char *const *sets)
{
    cs_error err = {0};
    ck_assert(!cs_bundle_set_text(bundle, "small.conf", text, sizeof text - 1, &err));
    for (; *sets; sets++) {
        ck_assert(!cs_bundle_add_set(bundle, *sets, &err));
    }
    cs_conf *conf = cs_bundle_parse(bundle, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    for (const cs_bundle_role *role = cs_bundle_roles; role->key; role++) {
        const char *name = NULL;
        char path[512];
        size_t size;
        ck_assert(!cs_conf_maybe_string(cs_conf_root(conf), role->key, &name, &err));
        if (name) {
            if (name[0] == '.') {
                snprintf(path, sizeof path, "%s/tests/%s", CODESIGN_SOURCE_DIR, name);
            } else {
                snprintf(path, sizeof path, "%s/configs/%s/%s.conf", CODESIGN_SOURCE_DIR,
                         role->folder, name);
            }
            char *bytes = cs_file_read(path, CS_BUNDLE_MAX_FILE_BYTES, &size, &err);
            ck_assert_msg(bytes != NULL, "%s", err.text);
            ck_assert(!cs_bundle_add_file(bundle, name, bytes, size, &err));
            free(bytes);
        }
    }
    cs_conf_free(conf);
}

cs_plan *real_job_plan(const cs_bundle *bundle)
{
    cs_error err = {0};
    cs_plan *plan = cs_plan_new(bundle, &err);
    ck_assert_msg(plan != NULL, "%s", err.text);
    return plan;
}

uint64_t real_job_add(cs_store *store, const cs_bundle *bundle)
{
    cs_error err = {0};
    bool added = false;
    cs_plan *plan = real_job_plan(bundle);
    cs_job_detail detail = {.space_size = strdup("many"), .recalled = strdup("")};
    cs_job_row row = {
        .simulator_revision = plan->simulator->revision,
        .bundle = plan->bundle_hash,
        .seed = plan->seed,
        .budget = plan->evaluations,
        .batch = plan->batch,
        .genome_bytes = (uint32_t)cs_space_genome_bytes(plan->space),
        .metric_count = plan->metric_count,
        .keep_all = plan->keep_all,
        .state = CS_JOB_ACTIVE,
    };
    memcpy(row.key, plan->bundle_hash.bytes, sizeof row.key);
    snprintf(row.name, sizeof row.name, "%s", plan->name);
    snprintf(row.engine, sizeof row.engine, "%s", plan->engine->name);
    snprintf(row.simulator, sizeof row.simulator, "%s", plan->simulator->name);
    cs_buffer_put_u8(&detail.schema, 0);
    ck_assert_msg(!store->class->begin(store, &err), "%s", err.text);
    ck_assert_msg(!store->class->add_job(store, &row, &detail, bundle, &added, &err), "%s",
                  err.text);
    ck_assert_msg(!store->class->commit(store, &err), "%s", err.text);
    ck_assert(added);
    cs_job_detail_release(&detail);
    cs_plan_free(plan);
    return row.id;
}

cs_buffer real_job_expected(const cs_bundle *bundle)
{
    cs_error err = {0};
    cs_evaluator evaluator = {0};
    cs_buffer all = {0}, record = {0}, checkpoint = {0};
    cs_batch batch;
    cs_plan *plan = real_job_plan(bundle);
    cs_study *study = cs_study_new(plan, &err);
    size_t bytes = cs_space_genome_bytes(plan->space);
    ck_assert_msg(study != NULL, "%s", err.text);
    for (;;) {
        ck_assert(!cs_study_ask(study, &batch, &err));
        if (batch.count == 0) {
            break;
        }
        for (uint32_t i = 0; i < batch.count; i++) {
            ck_assert(!cs_evaluate(plan, &evaluator, batch.genomes + i * bytes, &batch.outcomes[i],
                                   batch.metrics + (size_t)i * plan->metric_count, &err));
        }
        cs_buffer_clear(&record);
        ck_assert(!cs_study_tell(study, &record, &err));
        cs_buffer_put_block(&all, record.data, record.size);
        cs_buffer_clear(&checkpoint);
        cs_study_save(study, &checkpoint);
    }
    cs_buffer_put(&all, checkpoint.data, checkpoint.size);
    ck_assert(!all.failed);
    cs_buffer_release(&record);
    cs_buffer_release(&checkpoint);
    cs_evaluator_release(&evaluator);
    cs_study_free(study);
    cs_plan_free(plan);
    return all;
}

static bool append_record(const void *record, size_t size, void *context)
{
    cs_buffer_put_block(context, record, size);
    return true;
}

cs_buffer real_job_stored(cs_store *store, uint64_t job)
{
    cs_error err = {0};
    cs_buffer all = {0};
    ck_assert_msg(!store->class->read_records(store, job, 0, append_record, &all, &err), "%s",
                  err.text);
    ck_assert_msg(!store->class->get_checkpoint(store, job, &all, &err), "%s", err.text);
    ck_assert(!all.failed);
    return all;
}
