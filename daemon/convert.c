/* From the daemon's values to messages: see convert.h. */
#include "daemon/convert.h"

#include "proto/wire.h"

#include <math.h>
#include <stdlib.h>

/* Of the rows in one message: what a peer that does not read can hold in the daemon is this times
 * its queue. */
#define ROWS_BYTES (256u << 10)

ProtobufCBinaryData cs_convert_bytes(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)data};
}

/* protobuf-c's strings and arrays are not const, but packing only reads them. */
static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static Codesign__JobState state_of(const cs_job *job)
{
    switch (job->row.state) {
    case CS_JOB_ACTIVE:
        break;
    case CS_JOB_PAUSED:
        return CODESIGN__JOB_STATE__PAUSED;
    case CS_JOB_DONE:
        return CODESIGN__JOB_STATE__DONE;
    case CS_JOB_CANCELLED:
        return CODESIGN__JOB_STATE__CANCELLED;
    case CS_JOB_FAILED:
        return CODESIGN__JOB_STATE__FAILED;
    }
    return job->run ? CODESIGN__JOB_STATE__RUNNING : CODESIGN__JOB_STATE__QUEUED;
}

void cs_convert_job(const cs_job *job, cs_job_message *message)
{
    const cs_job_row *row = &job->row;
    const cs_progress *progress = &job->progress;
    Codesign__Job *out = &message->message;
    codesign__job__init(out);
    out->job = row->id;
    out->name = text_of(row->name);
    out->state = state_of(job);
    out->reason = row->reason[0] ? text_of(row->reason) : NULL;
    out->submitted_ms = row->submitted_ms;
    out->evaluations = progress->evaluations;
    out->budget = row->budget;
    out->generation = progress->generation;
    out->feasible = progress->outcomes[CS_OUTCOME_FEASIBLE];
    for (uint32_t i = 1; i < CS_OUTCOME_COUNT; i++) {
        if (progress->outcomes[i]) {
            Codesign__ReasonCount *count = &message->reasons[out->n_infeasible];
            codesign__reason_count__init(count);
            count->reason = text_of(cs_outcome_text((uint8_t)i));
            count->count = progress->outcomes[i];
            message->reason_pointers[out->n_infeasible++] = count;
        }
    }
    out->infeasible = message->reason_pointers;
    out->front_size = progress->front_size;
    out->hypervolume = progress->hypervolume;
    out->mixed = row->mixed;
    out->owner = text_of(row->owner);
    out->engine = text_of(row->engine);
    out->has_run_s = true;
    out->run_s = job->cpu_s + (job->run ? cs_run_cpu_s(job->run) : 0);
}

void cs_convert_rows(size_t count, uint32_t genome_bytes, uint32_t metric_count,
                     const uint64_t *indices, const uint8_t *genomes, const uint8_t *outcomes,
                     const double *metrics, Codesign__Candidates *message)
{
    codesign__candidates__init(message);
    message->n_index = count;
    message->index = (uint64_t *)(uintptr_t)indices;
    message->has_genomes = true;
    message->genomes = cs_convert_bytes(genomes, count * genome_bytes);
    message->has_status = outcomes != NULL;
    message->status = cs_convert_bytes(outcomes, outcomes ? count : 0);
    message->n_metrics = count * metric_count;
    message->metrics = (double *)(uintptr_t)metrics;
}

uint32_t cs_convert_rows_fit(uint32_t genome_bytes, uint32_t metric_count, uint32_t most)
{
    /* two numbers of at most 10 bytes, a status, the genome, the metrics */
    uint64_t row = 21 + (uint64_t)genome_bytes + metric_count * sizeof(double);
    uint64_t fit = ROWS_BYTES / row;
    return fit < 1 ? 1 : fit < most ? (uint32_t)fit : most;
}

/* What a plan asks of a metric, as clients see it. */
static void convert_metric(const cs_plan *plan, uint32_t slot, Codesign__Metric *out)
{
    const cs_metric *metric = &cs_metrics[plan->metrics[slot]];
    codesign__metric__init(out);
    out->key = text_of(metric->key);
    out->unit = text_of(metric->unit);
    out->text = text_of(metric->text);
    out->maximize = metric->maximize;
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        out->objective = out->objective || plan->objectives[i].slot == slot;
    }
    for (uint32_t i = 0; i < plan->limit_count; i++) {
        const cs_limit *limit = &plan->limits[i];
        if (limit->slot == slot) {
            out->has_limit_min = !isinf(limit->min);
            out->limit_min = out->has_limit_min ? limit->min : 0;
            out->has_limit_max = !isinf(limit->max);
            out->limit_max = out->has_limit_max ? limit->max : 0;
        }
    }
}

cs_status cs_convert_schema(const cs_plan *plan, cs_buffer *schema, cs_error *err)
{
    uint32_t gene_count = cs_space_gene_count(plan->space);
    Codesign__Gene *genes = calloc(gene_count, sizeof *genes);
    Codesign__Gene **gene_pointers = calloc(gene_count, sizeof(Codesign__Gene *));
    Codesign__Metric metrics[CS_METRIC_COUNT];
    Codesign__Metric *metric_pointers[CS_METRIC_COUNT];
    cs_status status = CS_OK;
    if (!genes || !gene_pointers) {
        status = cs_fail_memory(err);
        goto out;
    }
    for (uint32_t i = 0; i < gene_count; i++) {
        const cs_gene *gene = cs_space_gene(plan->space, i);
        codesign__gene__init(&genes[i]);
        genes[i].name = text_of(gene->name);
        genes[i].network = i < cs_space_network_gene_count(plan->space);
        genes[i].n_choices = gene->choice_count;
        genes[i].choices = (char **)(uintptr_t)gene->choices;
        gene_pointers[i] = &genes[i];
    }
    for (uint32_t slot = 0; slot < plan->metric_count; slot++) {
        convert_metric(plan, slot, &metrics[slot]);
        metric_pointers[slot] = &metrics[slot];
    }
    Codesign__Schema message = CODESIGN__SCHEMA__INIT;
    message.genome_bytes = (uint32_t)cs_space_genome_bytes(plan->space);
    message.n_genes = gene_count;
    message.genes = gene_pointers;
    message.n_metrics = plan->metric_count;
    message.metrics = metric_pointers;
    size_t size;
    uint8_t *packed = cs_wire_pack(&message.base, &size, err);
    if (!packed) {
        status = CS_ENOMEM;
        goto out;
    }
    cs_buffer_put(schema, packed, size);
    free(packed);
    status = schema->failed ? cs_fail_memory(err) : CS_OK;
out:
    free(genes);
    free(gene_pointers);
    return status;
}
