/* Simulations without a server: see simulation.h. */
#include "client/simulation.h"

#include "base/conf.h"
#include "base/file.h"
#include "base/library.h"
#include "sim/network/network_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Layers that an explanation names before it only counts. */
#define NAMED_LAYERS 4u

/* ---- files ---- */

/* The parsed file, or NULL. */
static cs_conf *open_file(const char *library, const char *folder, const char *name, cs_error *err)
{
    size_t size;
    char *text = strchr(name, '/')
                     ? cs_file_read(name, CS_CONF_MAX_BYTES, &size, err)
                     : cs_library_read(library, folder, name, CS_CONF_MAX_BYTES, &size, err);
    cs_conf *conf = text ? cs_conf_parse(text, size, name, NULL, 0, err) : NULL;
    free(text);
    return conf;
}

static cs_status load_network(cs_conf_node file, cs_simulation_setup *setup, cs_error *err)
{
    return cs_network_read(file, &setup->network, err);
}

static cs_status load_accelerator(cs_conf_node file, cs_simulation_setup *setup, cs_error *err)
{
    cs_status status =
        cs_accelerator_read(file, &setup->accelerator, &setup->accelerator_recalled, err);
    return status ? status : cs_naming_parse(cs_conf_member(file, "naming"), &setup->naming, err);
}

static cs_status load_technology(cs_conf_node file, cs_simulation_setup *setup, cs_error *err)
{
    return cs_technology_read(file, &setup->technology, &setup->technology_recalled, err);
}

cs_status cs_simulation_load(const char *library, const char *network, const char *accelerator,
                             const char *technology, cs_simulation_setup *setup, cs_error *err)
{
    const struct {
        const char *folder, *name;
        cs_status (*load)(cs_conf_node file, cs_simulation_setup *setup, cs_error *err);
    } files[] = {
        {"networks", network, load_network},
        {"accelerators", accelerator, load_accelerator},
        {"technology", technology, load_technology},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cs_error why = {0};
        cs_conf *conf = open_file(library, files[i].folder, files[i].name, &why);
        cs_status status = conf ? files[i].load(cs_conf_root(conf), setup, &why) : why.status;
        cs_conf_free(conf);
        if (status) {
            return cs_fail(err, status, "%s", why.text);
        }
    }
    return CS_OK;
}

void cs_simulation_unload(cs_simulation_setup *setup)
{
    cs_network_release(&setup->network);
}

/* ---- fields ---- */

static cs_status fail_field(cs_naming naming, const char *name, cs_error *err)
{
    char list[CS_ERROR_TEXT] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < cs_accelerator_field_count && used < sizeof list; i++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[i];
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 naming == CS_NAMING_NAHAS ? field->nahas : field->name);
    }
    return cs_fail(err, CS_EINVAL, "'%.60s' is no field of this accelerator; it has: %s", name,
                   list);
}

cs_status cs_simulation_set(cs_naming naming, const char *name, const char *text,
                            cs_accelerator *accelerator, cs_error *err)
{
    const cs_accelerator_field *field = cs_accelerator_find(naming, name);
    if (!field) {
        return fail_field(naming, name, err);
    }
    char *end;
    double in_file = strtod(text, &end);
    if (end == text || *end) {
        return cs_fail(err, CS_EINVAL, "%s must be a number, not '%.60s'", name, text);
    }
    uint64_t value;
    cs_status status = cs_accelerator_field_value(field, naming, in_file, &value, err);
    if (!status) {
        cs_accelerator_set(accelerator, field, value);
    }
    return status;
}

/* ---- running ---- */

cs_limiter cs_limiter_of(const cs_cost *layer)
{
    if (layer->compute_s >= layer->on_chip_s && layer->compute_s >= layer->off_chip_s) {
        return CS_LIMITER_COMPUTE;
    }
    return layer->on_chip_s >= layer->off_chip_s ? CS_LIMITER_ON_CHIP : CS_LIMITER_OFF_CHIP;
}

const char *cs_limiter_text(cs_limiter limiter)
{
    static const char *const texts[CS_LIMITER_COUNT] = {
        [CS_LIMITER_COMPUTE] = "compute",
        [CS_LIMITER_ON_CHIP] = "on-chip",
        [CS_LIMITER_OFF_CHIP] = "off-chip",
    };
    assert(limiter < CS_LIMITER_COUNT);
    return texts[limiter];
}

cs_status cs_simulation_run(const cs_simulation_setup *setup, const cs_accelerator *accelerator,
                            cs_simulation *simulation, cs_error *err)
{
    const cs_network *network = &setup->network;
    simulation->accelerator = *accelerator;
    simulation->area_mm2 = cs_area_mm2(accelerator, &setup->technology);
    cs_status status = cs_compile(network, accelerator, NULL, &simulation->schedule, err);
    if (status || simulation->schedule.reason) {
        return status;
    }
    simulation->layers = calloc(network->layer_count, sizeof *simulation->layers);
    if (!simulation->layers) {
        return cs_fail_memory(err);
    }
    cs_simulator_analytic.simulate(network, accelerator, &setup->technology, &simulation->schedule,
                                   &simulation->total, simulation->layers);
    simulation->idle_j =
        cs_idle_power_w(accelerator, &setup->technology) * simulation->total.latency_s;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_step *step = &simulation->schedule.steps[i];
        const cs_cost *cost = &simulation->layers[i];
        simulation->limited_s[cs_limiter_of(cost)] += cost->latency_s;
        simulation->off_chip_bytes += step->off_chip_read_bytes + step->off_chip_write_bytes;
    }
    return CS_OK;
}

void cs_simulation_release(cs_simulation *simulation)
{
    cs_schedule_release(&simulation->schedule);
    free(simulation->layers);
    *simulation = (cs_simulation){0};
}

/* ---- explaining ---- */

/* A layer's name, or what it does where it has none. */
static const char *layer_word(const cs_network *network, cs_layer_id i)
{
    const cs_layer *layer = &network->layers[i];
    const char *name = cs_layer_name(network, layer);
    return *name ? name : cs_op_name(layer->op);
}

char *cs_simulation_layer_label(const cs_network *network, cs_layer_id layer)
{
    char *label;
    return asprintf(&label, "%s (%u)", layer_word(network, layer), layer) < 0 ? NULL : label;
}

typedef bool (*step_question)(const cs_step *step);

static bool is_cached(const cs_step *step)
{
    return step->weight_bytes > 0 && step->cached;
}

static bool is_streamed(const cs_step *step)
{
    return step->weight_bytes > 0 && !step->cached;
}

static bool is_streamed_often(const cs_step *step)
{
    return is_streamed(step) && step->weight_passes > 1;
}

static bool is_off_chip(const cs_step *step)
{
    return step->output_off_chip;
}

static bool is_on_chip(const cs_step *step)
{
    return !step->output_off_chip;
}

/* "; now cached: fc6, fc7" for the layers that answer yes after and no before. */
static void put_newly(FILE *stream, const cs_network *network, const cs_simulation *before,
                      const cs_simulation *after, const char *what, step_question question)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        if (network->layers[i].op == CS_OP_INPUT || question(&before->schedule.steps[i]) ||
            !question(&after->schedule.steps[i])) {
            continue;
        }
        if (count == 0) {
            fprintf(stream, "; %s: ", what);
        }
        if (count < NAMED_LAYERS) {
            fprintf(stream, "%s%s (%u)", count ? ", " : "", layer_word(network, i), i);
        }
        count++;
    }
    if (count > NAMED_LAYERS) {
        fprintf(stream, " and %u more", count - NAMED_LAYERS);
    }
}

/* "latency +0.2 ms (layers limited by compute +0.3, by off-chip -0.1); energy +0.1 mJ (idle power
 * +0.1)". */
static void put_totals(FILE *stream, const cs_simulation *before, const cs_simulation *after)
{
    double change = (after->total.latency_s - before->total.latency_s) * 1e3;
    const char *between = " (layers limited by ";
    if (change == 0) {
        fputs("latency unchanged", stream);
    } else {
        fprintf(stream, "latency %+.4g ms", change);
    }
    for (cs_limiter i = 0; i < CS_LIMITER_COUNT; i++) {
        double part = (after->limited_s[i] - before->limited_s[i]) * 1e3;
        if (part != 0) {
            fprintf(stream, "%s%s %+.4g", between, cs_limiter_text(i), part);
            between = ", by ";
        }
    }
    fputs(*between == ',' ? ")" : "", stream);
    double energy = (after->total.energy_j - before->total.energy_j) * 1e3;
    if (energy != 0) {
        fprintf(stream, "; energy %+.4g mJ (idle power %+.4g)", energy,
                (after->idle_j - before->idle_j) * 1e3);
    }
}

char *cs_simulation_explain(const cs_network *network, const cs_simulation *before,
                            const cs_simulation *after)
{
    static const struct {
        const char *text;
        step_question question;
    } changes[] = {
        {"parameters now cached", is_cached},
        {"parameters now streamed", is_streamed},
        {"now streamed in several passes", is_streamed_often},
        {"results now on chip", is_on_chip},
        {"results now off-chip", is_off_chip},
    };
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) {
        return NULL;
    }
    put_totals(stream, before, after);
    if (after->off_chip_bytes != before->off_chip_bytes) {
        fprintf(stream, "; off-chip traffic %+.4g MB",
                ((double)after->off_chip_bytes - (double)before->off_chip_bytes) / 1e6);
    }
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        put_newly(stream, network, before, after, changes[i].text, changes[i].question);
    }
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
