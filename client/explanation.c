/* Explanations: see explanation.h. */
#include "client/explanation.h"

#include "client/cost_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Layers that are named before they are only counted. */
#define NAMED_LAYERS 3u

/* Parts of a change below this share of it are noise to a reader. */
#define SHOWN_SHARE 1e-3

/* ---- sums ---- */

/* A sum and the parts that explain it: "latency +0.2 ms (layers limited by compute +0.3, ...)". */
typedef struct changed_sum {
    FILE *stream;
    const char *between; /* what comes before the next part */
    double least;        /* smaller changes are not shown */
    bool any;
} changed_sum;

static void put_part(changed_sum *sum, const char *name, double change)
{
    if (change != 0 && fabs(change) >= sum->least) {
        fprintf(sum->stream, "%s%s %+.4g", sum->any ? ", " : sum->between, name, change);
        sum->any = true;
    }
}

static void end_parts(const changed_sum *sum)
{
    fputs(sum->any ? ")" : "", sum->stream);
}

static void put_latency(FILE *stream, const cs_simulation *before, const cs_simulation *after)
{
    double change = (after->total.latency_s - before->total.latency_s) * 1e3;
    if (change == 0) {
        fputs("latency unchanged", stream);
    } else {
        fprintf(stream, "latency %+.4g ms", change);
    }
    changed_sum sum = {stream, " (layers limited by ", fabs(change) * SHOWN_SHARE, false};
    for (cs_resource r = 0; r < CS_RESOURCE_COUNT; r++) {
        put_part(&sum, cs_resource_name(r), (after->limited_s[r] - before->limited_s[r]) * 1e3);
    }
    end_parts(&sum);
}

static void put_energy(FILE *stream, const cs_energy *before, const cs_energy *after)
{
    double change = (cs_energy_total(after) - cs_energy_total(before)) * 1e3;
    if (change == 0) {
        return;
    }
    fprintf(stream, "; energy %+.4g mJ", change);
    changed_sum sum = {stream, " (", fabs(change) * SHOWN_SHARE, false};
    for (size_t i = 0; i < CS_ENERGY_PART_COUNT; i++) {
        double part = cs_energy_part_j(after, i) - cs_energy_part_j(before, i);
        put_part(&sum, cs_energy_part_name(i), part * 1e3);
    }
    end_parts(&sum);
}

/* Operations are those of the network, whatever runs it: bytes alone change. */
static void put_traffic(FILE *stream, const cs_traffic *before, const cs_traffic *after)
{
    changed_sum sum = {stream, "; traffic in MB (", 0, false};
    for (size_t i = 1; i < CS_TRAFFIC_PART_COUNT; i++) {
        double part = (double)cs_traffic_part(after, i) - (double)cs_traffic_part(before, i);
        put_part(&sum, cs_traffic_part_name(i), part / 1e6);
    }
    end_parts(&sum);
}

/* ---- layers ---- */

typedef bool (*step_question)(const cs_step *before, const cs_step *after);

static bool came_to(const cs_step *before, const cs_step *after, const char *place)
{
    const char *was = cs_simulation_weights(before), *is = cs_simulation_weights(after);
    return is && strcmp(is, place) == 0 && (!was || strcmp(was, place) != 0);
}

static bool is_newly_cached(const cs_step *before, const cs_step *after)
{
    return came_to(before, after, "cached");
}

static bool is_newly_streamed(const cs_step *before, const cs_step *after)
{
    return came_to(before, after, "streamed");
}

static bool is_newly_prefetched(const cs_step *before, const cs_step *after)
{
    return came_to(before, after, "prefetched");
}

static bool is_streamed_in_other_passes(const cs_step *before, const cs_step *after)
{
    return after->weight_bytes > 0 && !after->cached && !before->cached &&
           before->weight_passes != after->weight_passes;
}

static bool came_on_chip(const cs_step *before, const cs_step *after)
{
    return before->output_off_chip && !after->output_off_chip;
}

static bool went_off_chip(const cs_step *before, const cs_step *after)
{
    return !before->output_off_chip && after->output_off_chip;
}

static bool has_other_splits(const cs_step *before, const cs_step *after)
{
    return before->knobs.split_y != after->knobs.split_y ||
           before->knobs.split_x != after->knobs.split_x;
}

static bool has_other_strips(const cs_step *before, const cs_step *after)
{
    return before->strips != after->strips;
}

static bool has_other_order(const cs_step *before, const cs_step *after)
{
    return after->knobs.fill_rows > 0 && before->knobs.order != after->knobs.order;
}

/* "; parameters now cached: fc6 (9), fc7 (10) and 2 more". False for want of memory. */
static bool put_layers(FILE *stream, const cs_network *network, const cs_schedule *before,
                       const cs_schedule *after, const char *what, step_question question)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        if (network->layers[i].op == CS_OP_INPUT || !question(before->steps[i], after->steps[i])) {
            continue;
        }
        if (count < NAMED_LAYERS) {
            char *label = cs_simulation_layer_label(network, i);
            if (!label) {
                return false;
            }
            fprintf(stream, "%s%s%s", count ? ", " : "; ", count ? "" : what, label);
            free(label);
        }
        count++;
    }
    if (count > NAMED_LAYERS) {
        fprintf(stream, " and %u more", count - NAMED_LAYERS);
    }
    return true;
}

static bool put_changes(FILE *stream, const cs_network *network, const cs_schedule *before,
                        const cs_schedule *after)
{
    static const struct {
        const char *text;
        step_question question;
    } changes[] = {
        {"parameters now cached: ", is_newly_cached},
        {"parameters now streamed: ", is_newly_streamed},
        {"parameters now prefetched: ", is_newly_prefetched},
        {"streamed in more or fewer passes: ", is_streamed_in_other_passes},
        {"results now on chip: ", came_on_chip},
        {"results now off chip: ", went_off_chip},
        {"other splits: ", has_other_splits},
        {"other strips: ", has_other_strips},
        {"other order: ", has_other_order},
    };
    bool done = true;
    for (size_t i = 0; i < sizeof changes / sizeof *changes && done; i++) {
        done = put_layers(stream, network, before, after, changes[i].text, changes[i].question);
    }
    return done;
}

char *cs_explanation_of(const cs_network *network, const cs_simulation *before,
                        const cs_simulation *after)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) {
        return NULL;
    }
    put_latency(stream, before, after);
    put_energy(stream, &before->total.energy, &after->total.energy);
    put_traffic(stream, &before->total.traffic, &after->total.traffic);
    bool done = put_changes(stream, network, &before->schedule, &after->schedule);
    if (fclose(stream) != 0 || !done) {
        free(text);
        return NULL;
    }
    return text;
}

char *cs_explanation_of_failure(const cs_network *network, const cs_schedule *schedule)
{
    char *layer = cs_simulation_layer_label(network, schedule->reason_layer);
    char *text;
    if (!layer ||
        asprintf(&text, "cannot run: layer %s: %s", layer, cs_reason_text(schedule->reason)) < 0) {
        text = NULL;
    }
    free(layer);
    return text;
}
