/* From a network to a schedule: see schedule.h. Each policy works on the notes of plan.h. */
#include "sim/compiler/schedule.h"

#include "sim/compiler/best.h"
#include "sim/compiler/plan.h"
#include "sim/compiler/vendor.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

const char *cs_reason_text(cs_reason reason)
{
    switch (reason) {
#define X(name, number, text)                                                                      \
    case CS_REASON_##name:                                                                         \
        return text;
        CS_REASON_MAP(X)
#undef X
    default:
        return "unknown reason";
    }
}

const char *cs_policy_name(cs_policy policy)
{
    static const char *const names[] = {
#define X(name, text) text,
        CS_POLICY_MAP(X)
#undef X
    };
    assert(policy < CS_POLICY_COUNT);
    return names[policy];
}

bool cs_policy_find(const char *name, cs_policy *policy)
{
    for (int i = 0; i < CS_POLICY_COUNT; i++) {
        if (strcmp(cs_policy_name((cs_policy)i), name) == 0) {
            *policy = (cs_policy)i;
            return true;
        }
    }
    return false;
}

const char *cs_mechanism_text(cs_mechanism mechanism)
{
    static const char *const texts[] = {
#define X(name, text) text,
        CS_MECHANISM_MAP(X)
#undef X
    };
    assert(mechanism < CS_MECHANISM_COUNT);
    return texts[mechanism];
}

/* ---- compiling ---- */

static cs_status reserve(cs_schedule *schedule, uint32_t count, cs_error *err)
{
    if (!schedule->memo) {
        schedule->memo = cs_memo_new();
        if (!schedule->memo) {
            return cs_fail_memory(err);
        }
    }
    if (count <= schedule->capacity) {
        return CS_OK;
    }
    const cs_step **steps = realloc(schedule->steps, count * sizeof *steps);
    if (!steps) {
        return cs_fail_memory(err);
    }
    schedule->steps = steps;
    cs_step *own_steps = realloc(schedule->own_steps, count * sizeof *own_steps);
    if (!own_steps) {
        return cs_fail_memory(err);
    }
    schedule->own_steps = own_steps;
    cs_layer_plan *plans = realloc(schedule->plans, count * sizeof *plans);
    if (!plans) {
        return cs_fail_memory(err);
    }
    schedule->plans = plans;
    cs_way *ways = realloc(schedule->ways, count * sizeof *ways);
    if (!ways) {
        return cs_fail_memory(err);
    }
    schedule->ways = ways;
    cs_best_layer *notes = realloc(schedule->notes, count * sizeof *notes);
    if (!notes) {
        return cs_fail_memory(err);
    }
    schedule->notes = notes;
    schedule->capacity = count;
    return CS_OK;
}

void cs_schedule_release(cs_schedule *schedule)
{
    free(schedule->steps);
    free(schedule->own_steps);
    free(schedule->plans);
    free(schedule->ways);
    free(schedule->notes);
    cs_memo_free(schedule->memo);
    *schedule = (cs_schedule){0};
}

static void compile_vendor(const cs_compiler *given)
{
    cs_compiler c = *given;
    c.options.policy = CS_POLICY_VENDOR;
    c.machine.shared = false; /* the parts of a memory for all are those of the chip */
    cs_plan_start(&c);
    uint32_t rounds = UINT32_MAX;
    c.schedule->reason = cs_plan_layers(&c, cs_vendor_choose, &rounds, &c.schedule->reason_layer);
    if (!c.schedule->reason) {
        (void)cs_plan_memory(&c);
        cs_plan_cache_greedily(&c, c.schedule->parameter_capacity);
        cs_plan_finish(&c);
    }
}

/* Seconds of the schedule; infinity where it cannot run. */
static double schedule_seconds(const cs_compiler *c)
{
    cs_walk walk = {0};
    for (uint32_t i = 0; i < c->schedule->step_count && !c->schedule->reason; i++) {
        (void)cs_walk_latency(&walk, &c->rates, c->schedule->steps[i]);
    }
    return c->schedule->reason ? INFINITY : walk.now_s;
}

/* Whether tensors had to move off chip: not all that could lie there do. */
static bool is_crowded(const cs_compiler *c)
{
    bool crowded = c->schedule->reason == CS_REASON_PE_MEMORY;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        const cs_layer *layer = &c->network->layers[i];
        bool end = layer->op == CS_OP_INPUT || layer->last_use == i;
        crowded |= c->plans[i].off_chip && !end;
    }
    return crowded;
}

/* PE memories of which a crowded chip also tries the schedules, which are legal on it, too. They
 * are fixed ones, 2^n and 3 * 2^n, so that more memory takes none away. The `nth` below `bytes`; 0
 * if there is none. */
#define TRIED_MEMORIES     3u
#define OWN_MEMORY         UINT32_MAX
#define LEAST_MEMORY_BYTES 1024u
static uint64_t smaller_memory(uint64_t bytes, uint32_t nth)
{
    uint64_t power = 1;
    while (power * 2 < bytes) {
        power *= 2;
    }
    uint64_t first = power / 2 * 3 < bytes ? power / 2 * 3 : power;
    uint64_t second = first == power ? power / 4 * 3 : power;
    uint64_t size = (nth % 2 == 0 ? first : second) >> nth / 2;
    return size >= LEAST_MEMORY_BYTES ? size : 0;
}

/* A schedule by the vendor, or by policy best. */
typedef struct trial {
    bool vendor;
    uint32_t nth; /* of the smaller memories; or OWN_MEMORY */
    double seconds;
} trial;

static void try_schedule(const cs_compiler *given, trial *t)
{
    cs_compiler c = *given;
    cs_accelerator smaller = *c.accelerator;
    if (t->nth != OWN_MEMORY) {
        smaller.pe_memory_bytes = smaller_memory(c.accelerator->pe_memory_bytes, t->nth);
        cs_machine_of(&smaller, c.options.without, &c.machine);
        c.memo = NULL;
    }
    if (t->vendor) {
        compile_vendor(&c);
    } else {
        bool given_up;
        cs_plan_start(&c);
        c.schedule->reason = cs_best_layers(&c, &c.schedule->reason_layer, &given_up);
        if (!c.schedule->reason) {
            cs_best_share(&c);
            cs_plan_finish(&c);
        }
    }
    t->seconds = schedule_seconds(&c);
}

/* Where all parameters are cached and each layer runs in its fastest way nothing is faster. Else
 * the fastest of all trials stands, the vendor's among them unless knobs are pinned. */
static void compile_best(const cs_compiler *c)
{
    static const cs_pins none = {{0}};
    bool pinned = memcmp(&c->options.pins, &none, sizeof none) != 0;
    bool given_up;
    cs_plan_start(c);
    c->schedule->reason = cs_best_layers(c, &c->schedule->reason_layer, &given_up);
    bool ample = !c->schedule->reason && cs_plan_memory(c);
    if (ample && !pinned && cs_best_cache_all(c)) {
        cs_plan_finish(c);
        return;
    }
    bool crowded = is_crowded(c) && !given_up;
    uint32_t smaller = 0;
    while (crowded && smaller < TRIED_MEMORIES &&
           smaller_memory(c->accelerator->pe_memory_bytes, smaller) > 0) {
        smaller++;
    }
    trial best = {.seconds = INFINITY}, tried = {.seconds = INFINITY};
    for (uint32_t n = smaller; n-- > 0;) {
        for (int vendor = pinned ? 0 : 1; vendor >= 0; vendor--) {
            tried = (trial){.vendor = vendor, .nth = n};
            try_schedule(c, &tried);
            best = tried.seconds < best.seconds ? tried : best;
        }
    }
    for (int vendor = pinned ? 0 : 1; vendor >= 0; vendor--) {
        tried = (trial){.vendor = vendor, .nth = OWN_MEMORY};
        try_schedule(c, &tried);
        best = tried.seconds <= best.seconds ? tried : best;
    }
    if (best.nth != tried.nth || best.vendor != tried.vendor) {
        try_schedule(c, &best);
    }
}

cs_status cs_compile(const cs_network *network, const cs_accelerator *accelerator,
                     const cs_compile_options *options, cs_schedule *schedule, cs_error *err)
{
    assert(network->layer_count >= 1);
    cs_status status = reserve(schedule, network->layer_count, err);
    if (status) {
        return status;
    }
    static const cs_compile_options usual = {.policy = CS_POLICY_BEST};
    cs_compiler c = {
        .network = network,
        .accelerator = accelerator,
        .rates = cs_rates_of(accelerator),
        .options = options ? *options : usual,
        .schedule = schedule,
        .plans = schedule->plans,
        .ways = schedule->ways,
        .notes = schedule->notes,
        .memo = schedule->memo,
    };
    cs_machine_of(accelerator, c.options.without, &c.machine);
    cs_memo_begin(schedule->memo, accelerator, &c.options, network->layer_count);
    schedule->step_count = network->layer_count;
    schedule->policy = c.options.policy;
    schedule->calls = network->batch;
    schedule->reason = CS_REASON_NONE;
    schedule->reason_layer = 0;
    if (c.options.policy == CS_POLICY_VENDOR) {
        compile_vendor(&c);
    } else {
        compile_best(&c);
    }
    return CS_OK;
}
