/* Simulations without a server: see simulation.h. */
#include "client/simulation.h"

#include "base/conf.h"
#include "base/file.h"
#include "base/library.h"
#include "sim/compiler/timing.h"
#include "sim/network/network_file.h"
#include "sim/onnx/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- files ---- */

static bool is_path(const char *name)
{
    return strchr(name, '/') != NULL;
}

static bool is_model(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".onnx") == 0;
}

/* The content of the file, malloc'd, or NULL. */
static char *read_file(const char *library, const char *folder, const char *name, size_t limit,
                       size_t *size, cs_error *err)
{
    if (is_path(name)) {
        return cs_file_read(name, limit, size, err);
    }
    cs_error why = {0};
    char *data = cs_library_read(library, folder, name, limit, size, &why);
    struct stat info;
    if (!data && why.status == CS_ENOENT && stat(name, &info) == 0 && S_ISREG(info.st_mode)) {
        cs_fail(err, CS_ENOENT, "the library has no %s '%.100s'; for the file here give ./%.100s",
                folder, name, name);
    } else if (!data) {
        cs_fail(err, why.status, "%s", why.text);
    }
    return data;
}

/* The parsed file, or NULL. */
static cs_conf *open_file(const char *library, const char *folder, const char *name, cs_error *err)
{
    size_t size;
    char *text = read_file(library, folder, name, CS_CONF_MAX_BYTES, &size, err);
    cs_conf *conf = text ? cs_conf_parse(text, size, name, NULL, 0, err) : NULL;
    free(text);
    return conf;
}

static cs_status load_network(const cs_simulation_names *names, cs_simulation_setup *setup,
                              cs_error *err)
{
    if (is_model(names->network)) {
        size_t size;
        char *bytes =
            read_file(names->library, "networks", names->network, CS_ONNX_MAX_BYTES, &size, err);
        cs_status status =
            bytes ? cs_onnx_read(bytes, size, names->network, &setup->network, err) : err->status;
        free(bytes);
        return status;
    }
    cs_conf *conf = open_file(names->library, "networks", names->network, err);
    cs_status status =
        conf ? cs_network_read(cs_conf_root(conf), &setup->network, err) : err->status;
    cs_conf_free(conf);
    return status;
}

/* Read the accelerator, which `name` becomes the name of, and take the file's ownership. */
static cs_status read_chip(cs_conf *conf, const char *name, cs_simulation_setup *setup,
                           cs_error *err)
{
    cs_conf_node file = cs_conf_root(conf);
    cs_status status =
        cs_accelerator_read(file, &setup->accelerator, &setup->accelerator_recalled, err);
    if (!status) {
        status = cs_naming_parse(cs_conf_member(file, "naming"), &setup->naming, err);
    }
    cs_conf_free(conf);
    setup->chip_name = strdup(name);
    return status || setup->chip_name ? status : cs_fail_memory(err);
}

/* Read a host and the name of its chip. */
static cs_status read_host(const char *library, const char *name, cs_host *host,
                           char chip[CS_HOST_MAX_CHIP], cs_simulation_setup *setup, cs_error *err)
{
    cs_conf *conf = open_file(library, "hosts", name, err);
    if (!conf) {
        return err->status;
    }
    cs_status status = cs_host_read(cs_conf_root(conf), host, chip, &setup->host_recalled, err);
    cs_conf_free(conf);
    setup->host_name = strdup(name);
    return status || setup->host_name ? status : cs_fail_memory(err);
}

/* The accelerator's name is none of the library, which `err` says: it is to be a host's. */
static cs_status load_chip_of_host(const cs_simulation_names *names, cs_simulation_setup *setup,
                                   cs_error *err)
{
    cs_error missing = *err;
    cs_host host;
    char chip[CS_HOST_MAX_CHIP];
    cs_status status = read_host(names->library, names->accelerator, &host, chip, setup, err);
    if (status == CS_ENOENT) {
        cs_error second = *err;
        return cs_fail(err, status, "%.250s; and %.250s", missing.text, second.text);
    }
    if (status) {
        return status;
    }
    if (names->host) {
        return cs_fail(err, CS_EINVAL,
                       "'%.100s' is a host, with the chip %s on it: it takes no other host",
                       names->accelerator, chip);
    }
    if (is_path(chip)) {
        return cs_fail(err, CS_EINVAL, "%.100s: its accelerator %s is no name of the library",
                       names->accelerator, chip);
    }
    cs_conf *conf = open_file(names->library, "accelerators", chip, err);
    status = conf ? read_chip(conf, chip, setup, err) : err->status;
    setup->accelerator.host = host;
    return status;
}

static cs_status load_accelerator(const cs_simulation_names *names, cs_simulation_setup *setup,
                                  cs_error *err)
{
    const char *name = names->accelerator;
    cs_conf *conf = open_file(names->library, "accelerators", name, err);
    if (!conf && err->status == CS_ENOENT && !is_path(name)) {
        return load_chip_of_host(names, setup, err);
    }
    cs_status status = conf ? read_chip(conf, name, setup, err) : err->status;
    if (status || !names->host) {
        return status;
    }
    cs_host host;
    char chip[CS_HOST_MAX_CHIP];
    status = read_host(names->library, names->host, &host, chip, setup, err);
    if (!status && !is_path(name) && strcmp(name, chip) != 0) {
        status = cs_fail(err, CS_EINVAL, "the host %.100s has the chip %s on it, not %.100s",
                         names->host, chip, name);
    }
    if (!status) {
        setup->accelerator.host = host;
    }
    return status;
}

/* What areas are compared with: a chip, whatever it is attached to. */
static cs_status load_baseline(const cs_simulation_names *names, cs_simulation_setup *setup,
                               cs_error *err)
{
    cs_conf *conf = open_file(names->library, "accelerators", names->baseline, err);
    cs_status status = conf ? cs_accelerator_read(cs_conf_root(conf), &setup->baseline,
                                                  &setup->baseline_recalled, err)
                            : err->status;
    cs_conf_free(conf);
    return status;
}

static cs_status load_technology(const cs_simulation_names *names, cs_simulation_setup *setup,
                                 cs_error *err)
{
    cs_conf *conf = open_file(names->library, "technology", names->technology, err);
    cs_status status = conf ? CS_OK : err->status;
    for (cs_estimate i = 0; i < CS_ESTIMATE_COUNT && !status; i++) {
        status = cs_technology_read_estimate(cs_conf_root(conf), i, &setup->technology[i],
                                             &setup->technology_recalled, err);
    }
    cs_conf_free(conf);
    return status;
}

/* What cs_compile does without options, and what jobs are searched with. */
static const cs_compile_options usual_options = {.policy = CS_POLICY_BEST};
static const cs_simulator *const usual_simulator = &cs_simulator_analytic;

static cs_status choose_policy(const char *name, cs_policy *policy, cs_error *err)
{
    if (!name || cs_policy_find(name, policy)) {
        return CS_OK;
    }
    char list[200] = "";
    size_t used = 0;
    for (cs_policy i = 0; i < CS_POLICY_COUNT && used < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 cs_policy_name(i));
    }
    return cs_fail(err, CS_EINVAL, "there is no compiler '%.60s'; there are: %s", name, list);
}

static cs_status choose_compiler(const cs_simulation_names *names, cs_compile_options *options,
                                 cs_error *err)
{
    *options = usual_options;
    cs_status status = choose_policy(names->compiler, &options->policy, err);
    if (!status && names->knob_count > 0 && options->policy != CS_POLICY_BEST) {
        return cs_fail(err, CS_EINVAL,
                       "--knob: the compiler %s decides by its own rules; only %s "
                       "takes knobs",
                       cs_policy_name(options->policy), cs_policy_name(CS_POLICY_BEST));
    }
    for (size_t i = 0; i < names->knob_count && !status; i++) {
        cs_error why = {0};
        status = cs_pins_set(&options->pins, names->knobs[i], &why);
        if (status) {
            cs_fail(err, status, "--knob: %s", why.text);
        }
    }
    return status;
}

static cs_status choose_simulator(const char *name, const cs_simulator **simulator, cs_error *err)
{
    *simulator = name ? cs_simulator_find(name) : usual_simulator;
    if (*simulator) {
        return CS_OK;
    }
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; cs_simulator_at(i) && used < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 cs_simulator_at(i)->name);
    }
    return cs_fail(err, CS_EINVAL, "there is no simulator '%.60s'; there are: %s", name, list);
}

cs_status cs_simulation_load(const cs_simulation_names *names, cs_simulation_setup *setup,
                             cs_error *err)
{
    cs_error why = {0};
    cs_status status = choose_compiler(names, &setup->options, &why);
    if (!status) {
        status = choose_simulator(names->simulator, &setup->simulator, &why);
    }
    if (!status) {
        status = load_network(names, setup, &why);
    }
    if (!status) {
        status = load_accelerator(names, setup, &why);
    }
    if (!status) {
        status = load_technology(names, setup, &why);
    }
    if (!status && names->baseline) {
        status = load_baseline(names, setup, &why);
    }
    return status ? cs_fail(err, status, "%s", why.text) : CS_OK;
}

void cs_simulation_unload(cs_simulation_setup *setup)
{
    cs_network_release(&setup->network);
    free(setup->chip_name);
    free(setup->host_name);
}

/* ---- running ---- */

/* What crosses the link into the chip for a sample, streamed weights once; those that are
 * prefetched are left out. */
static uint64_t once_in_bytes(const cs_step *step)
{
    bool streamed = step->weight_bytes > 0 && !step->cached && !step->prefetched;
    uint64_t again = streamed ? step->weight_bytes * (step->weight_passes - 1) : 0;
    return step->upload_bytes + step->off_chip_read_bytes - again;
}

static double max_f64(double a, double b)
{
    return a > b ? a : b;
}

/* See cs_simulation_run. */
static void find_bounds(const cs_network *network, cs_simulation *simulation)
{
    cs_rates rates = cs_rates_of(&simulation->accelerator);
    double samples = network->batch, layers_s = 0, call_s = 0, in_bytes = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_step *step = simulation->schedule.steps[i];
        double in = (double)once_in_bytes(step), out = (double)step->traffic.link_out_bytes;
        double run_s = max_f64((double)step->bound_cycles / rates.clock_hz,
                               max_f64(in / rates.in_bytes_per_s, out / rates.out_bytes_per_s));
        double host_s = simulation->layers[i].busy_s[CS_RESOURCE_CALL];
        simulation->bounds_s[i] = host_s + samples * run_s;
        layers_s += simulation->bounds_s[i];
        call_s += host_s;
        in_bytes += in + (step->prefetched ? (double)step->weight_bytes : 0);
    }
    simulation->bound_s = max_f64(layers_s, call_s + samples * in_bytes / rates.in_bytes_per_s);
}

static void find_intervals(const cs_simulation_setup *setup, cs_simulation *simulation)
{
    const cs_cost *total = &simulation->total;
    double energy_j[CS_ESTIMATE_COUNT];
    for (cs_estimate i = 0; i < CS_ESTIMATE_COUNT; i++) {
        cs_energy_rates rates = cs_energy_rates_of(&simulation->accelerator, &setup->technology[i]);
        cs_energy energy = cs_energy_of(&rates, &total->traffic, total->latency_s);
        energy_j[i] = cs_energy_total(&energy);
    }
    simulation->energy_j = (cs_interval){.low = energy_j[CS_ESTIMATE_LOW],
                                         .nominal = total->energy_j,
                                         .high = energy_j[CS_ESTIMATE_HIGH]};
}

cs_status cs_simulation_run(const cs_simulation_setup *setup, const cs_accelerator *accelerator,
                            cs_simulation *simulation, cs_error *err)
{
    const cs_network *network = &setup->network;
    const cs_technology *technology = setup->technology;
    simulation->accelerator = *accelerator;
    simulation->area_mm2 =
        (cs_interval){.low = cs_area_mm2(accelerator, &technology[CS_ESTIMATE_LOW]),
                      .nominal = cs_area_mm2(accelerator, &technology[CS_ESTIMATE_NOMINAL]),
                      .high = cs_area_mm2(accelerator, &technology[CS_ESTIMATE_HIGH])};
    cs_status status =
        cs_compile(network, accelerator, &setup->options, &simulation->schedule, err);
    if (status || simulation->schedule.reason) {
        return status;
    }
    simulation->layers = calloc(network->layer_count, sizeof *simulation->layers);
    simulation->bounds_s = calloc(network->layer_count, sizeof *simulation->bounds_s);
    if (!simulation->layers || !simulation->bounds_s) {
        return cs_fail_memory(err);
    }
    setup->simulator->simulate(network, accelerator, &technology[CS_ESTIMATE_NOMINAL],
                               &simulation->schedule, &simulation->total, simulation->layers);
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_cost *cost = &simulation->layers[i];
        simulation->limited_s[cost->limiter] += cost->latency_s;
    }
    const cs_traffic *traffic = &simulation->total.traffic;
    simulation->off_chip_bytes = traffic->link_in_bytes + traffic->link_out_bytes;
    find_bounds(network, simulation);
    find_intervals(setup, simulation);
    return CS_OK;
}

void cs_simulation_release(cs_simulation *simulation)
{
    cs_schedule_release(&simulation->schedule);
    free(simulation->layers);
    free(simulation->bounds_s);
    *simulation = (cs_simulation){0};
}

/* ---- words ---- */

char *cs_simulation_layer_label(const cs_network *network, cs_layer_id layer)
{
    const cs_layer *named = &network->layers[layer];
    const char *name = cs_layer_name(network, named);
    char *label;
    int length = asprintf(&label, "%s (%u)", *name ? name : cs_op_name(named->op), layer);
    return length < 0 ? NULL : label;
}

const char *cs_simulation_weights(const cs_step *step)
{
    if (step->weight_bytes == 0) {
        return NULL;
    }
    return step->cached ? "cached" : step->prefetched ? "prefetched" : "streamed";
}
