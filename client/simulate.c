/* simulate: a network on an accelerator, and variants of it, without a server. */
#include "client/explanation.h"
#include "client/fields.h"
#include "client/report.h"
#include "client/text.h"
#include "client/trace.h"
#include "client/verbs.h"

#include <stdlib.h>
#include <string.h>

/* Values that a sweep tries at most: each design is kept until all are told of. */
#define MAX_VALUES 1000u

/* ---- options ---- */

/* What is taken where nothing else is told. */
static void set_usual(cs_simulation_names *names)
{
    const char *library = names->library ? names->library : getenv("CODESIGN_LIBRARY");
    names->library = library && *library ? library : CODESIGN_DATADIR;
    if (!names->technology) {
        names->technology = "edge-22nm";
    }
}

error_t cs_simulate_parse(int key, char *text, struct argp_state *state, void *input)
{
    cs_simulate_input *told = input;
    switch (key) {
    case CS_OPTION_NETWORK:
        told->names.network = text;
        return 0;
    case CS_OPTION_ACCELERATOR:
        told->names.accelerator = text;
        return 0;
    case CS_OPTION_HOST:
        told->names.host = text;
        return 0;
    case CS_OPTION_TECHNOLOGY:
        told->names.technology = text;
        return 0;
    case CS_OPTION_COMPILER:
        told->names.compiler = text;
        return 0;
    case CS_OPTION_FIDELITY:
        told->names.simulator = text;
        return 0;
    case CS_OPTION_LIBRARY:
        told->names.library = text;
        return 0;
    case CS_OPTION_SET:
        if (told->set_count == CS_BUNDLE_MAX_SETS) {
            argp_error(state, "--set: at most %u", CS_BUNDLE_MAX_SETS);
        }
        told->sets[told->set_count++] = text;
        return 0;
    case CS_OPTION_SWEEP:
        if (told->sweep) {
            argp_error(state, "one --sweep only");
        }
        told->sweep = text;
        return 0;
    case CS_OPTION_BASELINE:
        told->names.baseline = text;
        return 0;
    case CS_OPTION_KNOB:
        if (told->names.knob_count == CS_BUNDLE_MAX_SETS) {
            argp_error(state, "--knob: at most %u", CS_BUNDLE_MAX_SETS);
        }
        told->knobs[told->names.knob_count++] = text;
        told->names.knobs = told->knobs;
        return 0;
    case CS_OPTION_PER_LAYER:
        told->per_layer = true;
        return 0;
    case CS_OPTION_TRACE:
        told->trace = text;
        return 0;
    case ARGP_KEY_END:
        if (!told->names.network || !told->names.accelerator) {
            argp_error(state, "--network and --accelerator are needed");
        }
        set_usual(&told->names);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- designs ---- */

/* Set FIELD=VALUE, which `option` gave, and note it in the label. */
static cs_status set_field(const cs_simulation_setup *setup, const char *option, const char *text,
                           cs_accelerator *accelerator, char **label, cs_error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals) {
        return cs_fail(err, CS_EINVAL, "%s: '%.100s' has no '='", option, text);
    }
    char *longer;
    if (asprintf(&longer, "%s%s%s", *label, **label ? " " : "", text) < 0) {
        return cs_fail_memory(err);
    }
    free(*label);
    *label = longer;
    char *name = strndup(text, (size_t)(equals - text));
    if (!name) {
        return cs_fail_memory(err);
    }
    cs_error why = {0};
    cs_status status = cs_fields_set(setup->naming, name, equals + 1, accelerator, &why);
    free(name);
    return status ? cs_fail(err, status, "%s: %s", option, why.text) : CS_OK;
}

/* Add a design with the first `set_count` of what is set and, unless it is NULL, FIELD=VALUE of the
 * sweep. */
static cs_status add_design(cs_report *made, const cs_simulate_input *told, size_t set_count,
                            const char *swept, cs_error *err)
{
    cs_report_design *designs = realloc(made->designs, (made->count + 1) * sizeof *designs);
    if (!designs) {
        return cs_fail_memory(err);
    }
    made->designs = designs;
    cs_report_design *added = &designs[made->count++];
    *added = (cs_report_design){.label = strdup("")};
    cs_accelerator accelerator = made->setup.accelerator;
    cs_status status = added->label ? CS_OK : cs_fail_memory(err);
    for (size_t i = 0; i < set_count && !status; i++) {
        status = set_field(&made->setup, "--set", told->sets[i], &accelerator, &added->label, err);
    }
    if (swept && !status) {
        status = set_field(&made->setup, "--sweep", swept, &accelerator, &added->label, err);
    }
    return status ? status : cs_simulation_run(&made->setup, &accelerator, &added->simulation, err);
}

/* Add a design for each value of FIELD=V1,V2. */
static cs_status add_values(cs_report *made, const cs_simulate_input *told, const char *sweep,
                            cs_error *err)
{
    const char *value = strchr(sweep, '=');
    int head = (int)(value - sweep) + 1; /* "FIELD=" */
    cs_status status = CS_OK;
    do {
        if (made->count > MAX_VALUES) {
            return cs_fail(err, CS_EINVAL, "--sweep: at most %u values at once", MAX_VALUES);
        }
        value++; /* '=' or ',' */
        int length = (int)strcspn(value, ",");
        char *swept;
        if (asprintf(&swept, "%.*s%.*s", head, sweep, length, value) < 0) {
            return cs_fail_memory(err);
        }
        status = add_design(made, told, told->set_count, swept, err);
        free(swept);
        value += length;
    } while (*value && !status);
    return status;
}

static cs_status add_sweep(cs_report *made, const cs_simulate_input *told, cs_error *err)
{
    if (strchr(told->sweep, '=')) {
        return add_values(made, told, told->sweep, err);
    }
    cs_error why = {0};
    char *sweep = cs_fields_around(made->setup.naming, told->sweep, &made->setup.accelerator, &why);
    cs_status status = sweep ? add_values(made, told, sweep, err)
                             : cs_fail(err, why.status, "--sweep: %s", why.text);
    free(sweep);
    return status;
}

/* Say of each design why it differs from the first, or why it cannot run. */
static cs_status explain(cs_report *made, cs_error *err)
{
    const cs_network *network = &made->setup.network;
    for (size_t i = 0; i < made->count; i++) {
        cs_report_design *shown = &made->designs[i];
        if (!cs_report_is_feasible(shown)) {
            shown->why = cs_explanation_of_failure(network, &shown->simulation.schedule);
        } else if (i == 0) {
            continue;
        } else if (cs_report_is_feasible(&made->designs[0])) {
            shown->why =
                cs_explanation_of(network, &made->designs[0].simulation, &shown->simulation);
        } else {
            shown->why = strdup("the unchanged design cannot run");
        }
        if (!shown->why) {
            return cs_fail_memory(err);
        }
    }
    return CS_OK;
}

static cs_status make_report(const cs_simulate_input *told, cs_report *made, cs_error *err)
{
    cs_status status = cs_simulation_load(&told->names, &made->setup, err);
    if (!status) {
        status = add_design(made, told, 0, NULL, err);
    }
    if (!status && told->sweep) {
        status = add_sweep(made, told, err);
    } else if (!status && told->set_count) {
        status = add_design(made, told, told->set_count, NULL, err);
    }
    return status ? status : explain(made, err);
}

/* ---- running ---- */

/* Infeasible is the answer where nothing that was asked for can run. */
static cs_exit outcome_of(const cs_report *made)
{
    size_t asked = made->count > 1; /* beside the unchanged design */
    for (size_t i = asked; i < made->count; i++) {
        if (cs_report_is_feasible(&made->designs[i])) {
            return CS_EXIT_OK;
        }
    }
    fflush(stdout);
    for (size_t i = asked; i < made->count; i++) {
        fputs("codesign-client: ", stderr);
        cs_text_put(stderr, cs_report_label(made, i));
        fputs(": ", stderr);
        cs_text_put(stderr, made->designs[i].why);
        fputc('\n', stderr);
    }
    return CS_EXIT_INFEASIBLE;
}

/* Trace the last design that can run; nothing if none can. */
static cs_status write_trace(const char *path, const cs_report *made, cs_error *err)
{
    for (size_t i = made->count; i-- > 0;) {
        const cs_report_design *design = &made->designs[i];
        if (cs_report_is_feasible(design)) {
            const cs_simulation *simulation = &design->simulation;
            return cs_trace_write(path, &made->setup.network, &simulation->accelerator,
                                  &simulation->schedule, err);
        }
    }
    return CS_OK;
}

cs_exit cs_run_simulate(cs_client *client, const void *input)
{
    const cs_simulate_input *told = input;
    cs_report made = {.names = told->names, .per_layer = told->per_layer};
    cs_error error = {0};
    cs_status status = make_report(told, &made, &error);
    if (!status) {
        status = cs_report_print(&made, client->format, cs_client_width(), &error);
    }
    if (!status && told->trace) {
        status = write_trace(told->trace, &made, &error);
    }
    cs_exit code = status ? cs_client_fail(&error) : outcome_of(&made);
    cs_report_release(&made);
    return code;
}
