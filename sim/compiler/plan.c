/* The notes on a network: see plan.h.
 *
 * How long every tensor has to be there; knobs for every layer (by the policy), with tensors moved
 * off chip until everything fits; what memory is left caches parameters; then the steps are written
 * down. */
#include "sim/compiler/plan.h"

/* Of wide memory, what buffers that are reserved beyond need leave to parameters: the least
 * capacity in a public log of the vendor's compiler, 1750 of 8192 rows. */
#define LEFT_NUMERATOR   1750u
#define LEFT_DENOMINATOR 8192u

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- memory ---- */

uint64_t cs_plan_wide_bytes(const cs_machine *machine, const cs_need *need, uint64_t idle_bytes)
{
    uint64_t bytes = less(need->buffer_bytes, machine->overhang_bytes) + need->spill_bytes;
    uint64_t tensors = need->narrow_bytes + idle_bytes;
    return bytes + (machine->shared ? tensors : less(tensors, machine->narrow_bytes));
}

uint64_t cs_plan_wide_memory(const cs_machine *machine)
{
    return machine->wide_bytes + (machine->shared ? machine->narrow_bytes : 0);
}

bool cs_plan_fits(const cs_machine *machine, const cs_need *need, uint64_t idle_bytes)
{
    return (machine->shared || need->narrow_bytes <= machine->narrow_bytes) &&
           cs_plan_wide_bytes(machine, need, idle_bytes) <= cs_plan_wide_memory(machine);
}

uint64_t cs_plan_capacity(const cs_machine *machine, uint64_t reserved)
{
    uint64_t memory = cs_plan_wide_memory(machine);
    uint64_t fifos = machine->wide_bytes - machine->fifo_bytes;
    return less(memory, max_u64(reserved, fifos)) * machine->pes;
}

/* ---- tensors ---- */

static bool joins(const cs_layer *layer)
{
    return layer->op == CS_OP_CONCAT;
}

/* The halo of a tensor is what the windows of its readers overlap; and how long it has to be there:
 * parts of a joined tensor as long as that. */
void cs_plan_start(const cs_compiler *c)
{
    const cs_network *network = c->network;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_layer *layer = &network->layers[i];
        c->plans[i].use = (cs_use){.layer = layer};
        c->plans[i].alive = layer->last_use;
        c->plans[i].off_chip = false;
        c->plans[i].readers = 0;
    }
    for (uint32_t i = network->layer_count; i-- > 0;) {
        const cs_layer *layer = &network->layers[i];
        const cs_layer_id *inputs = cs_layer_inputs(network, layer);
        for (uint32_t k = 0; k < layer->input_count; k++) {
            cs_layer_plan *from = &c->plans[inputs[k]];
            from->readers++;
            if (joins(layer)) {
                from->alive = from->alive > c->plans[i].alive ? from->alive : c->plans[i].alive;
            }
        }
        bool window = layer->op == CS_OP_CONV || layer->op == CS_OP_CONV_TRANSPOSE ||
                      layer->op == CS_OP_POOL_MAX || layer->op == CS_OP_POOL_AVG;
        if (window) {
            cs_use *use = &c->plans[inputs[0]].use;
            uint64_t rows = (uint64_t)(layer->kernel_h - 1) * layer->dilation_h;
            uint64_t cols = (uint64_t)(layer->kernel_w - 1) * layer->dilation_w;
            use->halo_rows = (uint32_t)min_u64(max_u64(use->halo_rows, rows), UINT32_MAX);
            use->halo_cols = (uint32_t)min_u64(max_u64(use->halo_cols, cols), UINT32_MAX);
        }
    }
}

/* What a layer's schedule depends on of other layers, after tensors have moved. */
static void update_use(const cs_compiler *c, cs_layer_id i)
{
    cs_layer_plan *plan = &c->plans[i];
    const cs_layer *layer = plan->use.layer;
    const cs_layer_id *inputs = cs_layer_inputs(c->network, layer);
    plan->use.output_off = plan->off_chip;
    plan->use.twice = layer->input_count == 2 && inputs[0] == inputs[1];
    for (uint32_t k = 0; k < layer->input_count && k < 2; k++) {
        plan->use.input_off[k] = c->plans[inputs[k]].off_chip;
        plan->use.input_survives[k] =
            c->plans[inputs[k]].alive > i || joins(&c->network->layers[inputs[k]]);
    }
}

/* Move a tensor off chip. Parts of a joined tensor and the whole move together. */
static void move_off(const cs_compiler *c, cs_layer_id id)
{
    const cs_network *network = c->network;
    c->plans[id].off_chip = true;
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = network->layer_count; i-- > 0;) {
            const cs_layer *layer = &network->layers[i];
            const cs_layer_id *inputs = cs_layer_inputs(network, layer);
            bool any = c->plans[i].off_chip;
            for (uint32_t k = 0; joins(layer) && k < layer->input_count; k++) {
                any |= c->plans[inputs[k]].off_chip;
            }
            for (uint32_t k = 0; joins(layer) && any && k < layer->input_count; k++) {
                again |= !c->plans[inputs[k]].off_chip;
                c->plans[inputs[k]].off_chip = true;
            }
            if (joins(layer) && any && !c->plans[i].off_chip) {
                c->plans[i].off_chip = true;
                again = true;
            }
        }
    }
}

/* On-chip bytes of a tensor that a step reads: of all its parts, where it is joined. */
static uint64_t read_share(const cs_compiler *c, cs_layer_id id)
{
    const cs_layer *layer = &c->network->layers[id];
    return c->plans[id].off_chip ? 0
           : joins(layer)        ? cs_block_bytes(&c->machine, layer->out)
                                 : c->plans[id].share;
}

/* Tensors that lie on chip and that neither a step reads nor makes: all that are alive less those.
 */
static void find_idle(const cs_compiler *c)
{
    const cs_network *network = c->network;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        c->plans[i].idle_bytes = 0;
    }
    /* idle_bytes first holds what ends after a step. */
    for (uint32_t i = 0; i < network->layer_count; i++) {
        c->plans[c->plans[i].alive].idle_bytes += c->plans[i].share;
    }
    uint64_t alive = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        cs_layer_plan *plan = &c->plans[i];
        const cs_layer *layer = plan->use.layer;
        const cs_layer_id *inputs = cs_layer_inputs(network, layer);
        uint64_t own = plan->share, ends = plan->idle_bytes;
        for (uint32_t k = 0; k < layer->input_count && !joins(layer); k++) {
            if (k == 0 || inputs[k] != inputs[0]) {
                own += read_share(c, inputs[k]);
            }
        }
        alive += plan->share;
        plan->idle_bytes = less(alive, own);
        alive -= ends;
    }
}

/* The largest tensor on chip that is alive at a step and not its own; NONE if there is none. */
#define NONE UINT32_MAX

static cs_layer_id largest_idle(const cs_compiler *c, cs_layer_id step)
{
    const cs_layer *layer = &c->network->layers[step];
    const cs_layer_id *inputs = cs_layer_inputs(c->network, layer);
    cs_layer_id largest = NONE;
    for (uint32_t i = 0; i < step; i++) {
        bool own = false;
        for (uint32_t k = 0; k < layer->input_count; k++) {
            own |= inputs[k] == i;
        }
        if (!own && c->plans[i].alive >= step && c->plans[i].share > 0 &&
            (largest == NONE || c->plans[i].share > c->plans[largest].share)) {
            largest = i;
        }
    }
    return largest;
}

/* The largest of its own tensors that is still on chip, or NONE. */
static cs_layer_id largest_own(const cs_compiler *c, cs_layer_id step)
{
    const cs_layer *layer = &c->network->layers[step];
    const cs_layer_id *inputs = cs_layer_inputs(c->network, layer);
    cs_layer_id largest = c->plans[step].off_chip ? NONE : step;
    for (uint32_t k = 0; k < layer->input_count; k++) {
        cs_layer_id id = inputs[k];
        if (!c->plans[id].off_chip &&
            (largest == NONE || cs_shape_elements(c->network->layers[id].out) >
                                    cs_shape_elements(c->network->layers[largest].out))) {
            largest = id;
        }
    }
    return largest;
}

/* ---- knobs ---- */

static cs_reason check_layer(const cs_compiler *c, const cs_layer *layer)
{
    if (layer->weight_bits != 8 || layer->act_bits != 8) {
        return CS_REASON_UNSUPPORTED;
    }
    uint64_t word = c->machine.lanes * c->machine.ways;
    bool weights = cs_layer_stored_bytes(layer, c->accelerator) > 0;
    return weights && word > c->machine.core_bytes ? CS_REASON_CORE_MEMORY : CS_REASON_NONE;
}

/* What is known of a layer as it is used now, and why it cannot run. */
static cs_reason measure(const cs_compiler *c, cs_layer_id i)
{
    cs_layer_plan *plan = &c->plans[i];
    const cs_layer *layer = plan->use.layer;
    update_use(c, i);
    cs_memo_entry *entry = cs_memo_find(c->memo, &plan->use);
    plan->entry = entry;
    if (entry && entry->measured) {
        plan->share = entry->share_bytes;
    } else {
        plan->share = joins(layer) ? 0 : cs_block_bytes(&c->machine, layer->out);
    }
    cs_reason reason = entry && entry->measured ? entry->reason : check_layer(c, layer);
    if (entry && !entry->measured) {
        entry->measured = true;
        entry->reason = reason;
        entry->share_bytes = plan->share;
    }
    if (plan->off_chip) {
        plan->share = 0;
    }
    return reason;
}

/* Move tensors off chip for every step that is crowded; a step that a tensor which moves lies
 * beside may not be crowded any more, so it waits for the next round. False: one cannot be helped.
 */
static bool relieve(const cs_compiler *c, cs_choose_knobs *choose, bool *again,
                    cs_layer_id *culprit)
{
    cs_layer_id relieved = 0; /* steps up to this one */
    *again = false;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        bool legal = choose(c, i);
        if (legal && cs_plan_fits(&c->machine, &c->plans[i].way->need, c->plans[i].idle_bytes)) {
            continue;
        }
        if (*again && i <= relieved) {
            continue;
        }
        cs_layer_id victim = legal ? largest_idle(c, i) : NONE;
        victim = victim == NONE ? largest_own(c, i) : victim;
        if (victim == NONE) {
            *culprit = i;
            return false;
        }
        move_off(c, victim);
        relieved = c->plans[victim].alive > i ? c->plans[victim].alive : i;
        *again = true;
    }
    return true;
}

cs_reason cs_plan_layers(const cs_compiler *c, cs_choose_knobs *choose, uint32_t *rounds,
                         cs_layer_id *culprit)
{
    *culprit = 0;
    for (bool again = true; again; (*rounds)--) {
        if (*rounds == 0) {
            return CS_REASON_PE_MEMORY;
        }
        for (uint32_t i = 0; i < c->network->layer_count; i++) {
            cs_reason reason = measure(c, i);
            if (reason) {
                *culprit = i;
                return reason;
            }
        }
        find_idle(c);
        if (!relieve(c, choose, &again, culprit)) {
            return CS_REASON_PE_MEMORY;
        }
    }
    return CS_REASON_NONE;
}

/* ---- finishing ---- */

/* A step that this network changes: its own copy. */
static cs_step *own_step(const cs_compiler *c, cs_layer_id id)
{
    cs_step *own = &c->schedule->own_steps[id];
    if (c->schedule->steps[id] != own) {
        *own = *c->schedule->steps[id];
        own->quiet = false;
        c->schedule->steps[id] = own;
    }
    return own;
}

/* What crosses the link around the layers: instructions and inputs before, outputs after. */
static void count_call(const cs_compiler *c, uint64_t instructions)
{
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        const cs_layer *layer = &c->network->layers[i];
        if (layer->op != CS_OP_INPUT && layer->last_use != i) {
            continue;
        }
        cs_step *step = own_step(c, i);
        step->output_off_chip |= layer->op != CS_OP_INPUT;
        if (layer->op == CS_OP_INPUT && !c->plans[i].off_chip) {
            uint64_t bytes = cs_shape_elements(layer->out);
            step->upload_bytes += bytes;
            step->traffic.link_in_bytes += bytes;
            step->traffic.narrow_write_bytes += bytes;
        } else if (layer->op != CS_OP_INPUT && !c->plans[i].off_chip) {
            uint64_t bytes = (uint64_t)layer->out.height * layer->out.width *
                             cs_round_up(layer->out.channels, c->machine.ways);
            step->collect_bytes = bytes;
            step->traffic.link_out_bytes += bytes;
            step->traffic.narrow_read_bytes += bytes;
        }
    }
    if (cs_compiler_has(c, CS_MECHANISM_INSTRUCTIONS)) {
        cs_step *first = own_step(c, 0);
        first->upload_bytes += instructions;
        first->traffic.link_in_bytes += instructions;
    }
}

static void stream(const cs_compiler *c, cs_layer_id id, bool prefetched)
{
    cs_step *step = own_step(c, id);
    cs_kind kind = c->plans[id].way->cut.kind;
    step->cached = false;
    step->prefetched = prefetched;
    bool once = prefetched || !cs_compiler_has(c, CS_MECHANISM_LINK_PASSES);
    uint64_t bytes = step->weight_bytes * (once ? 1 : step->weight_passes);
    if (prefetched) {
        c->schedule->prefetch_bytes = max_u64(c->schedule->prefetch_bytes, step->weight_bytes);
    } else if (cs_compiler_has(c, CS_MECHANISM_OVERLAP)) {
        step->off_chip_read_bytes += bytes;
    } else {
        step->upload_bytes += bytes;
    }
    step->traffic.link_in_bytes += bytes;
    step->traffic.wide_write_bytes += bytes;
    bool dense = kind == CS_KIND_DENSE || kind == CS_KIND_CELL;
    if (dense && cs_compiler_has(c, CS_MECHANISM_OVERLAP)) {
        /* A row of the ring takes 4 cycles for each way: lanes / 4 bytes a cycle. */
        step->stream_cycles = cs_ring_cycles(&c->machine, bytes);
        step->traffic.ring_bytes += bytes;
    }
    if (c->schedule->streamed_bytes == 0 && cs_compiler_has(c, CS_MECHANISM_STREAM_START)) {
        step->start_s = c->accelerator->host.stream_start_s;
    }
    c->schedule->streamed_bytes += step->weight_bytes;
}

uint64_t cs_plan_reserve(const cs_compiler *c, const cs_layer_plan *plan)
{
    const cs_machine *machine = &c->machine;
    uint64_t left = machine->wide_bytes * LEFT_NUMERATOR / LEFT_DENOMINATOR;
    uint64_t most = cs_plan_wide_memory(machine) - left;
    uint64_t policy = min_u64(less(plan->reserve_bytes, machine->overhang_bytes), most);
    return max_u64(cs_plan_wide_bytes(machine, &plan->way->need, plan->idle_bytes), policy);
}

bool cs_plan_memory(const cs_compiler *c)
{
    uint64_t peak = 0, reserved = 0, weights = 0;
    bool cacheable = true;
    for (uint32_t i = 0; i < c->schedule->step_count; i++) {
        const cs_layer_plan *plan = &c->plans[i];
        const cs_way *way = plan->way;
        reserved = max_u64(reserved, cs_plan_reserve(c, plan));
        peak = max_u64(peak, way->need.narrow_bytes + way->need.spill_bytes + plan->idle_bytes);
        weights += way->cut.weight_bytes;
        cacheable &= way->cut.weight_bytes == 0 || way->cut.cacheable;
    }
    c->schedule->peak_activation_bytes = peak * c->machine.pes;
    c->schedule->parameter_capacity = cs_compiler_has(c, CS_MECHANISM_CAPACITY)
                                          ? cs_plan_capacity(&c->machine, reserved)
                                          : cs_plan_wide_memory(&c->machine) * c->machine.pes;
    return cacheable && weights <= c->schedule->parameter_capacity;
}

void cs_plan_cache_greedily(const cs_compiler *c, uint64_t capacity)
{
    uint64_t left = capacity;
    for (uint32_t i = 0; i < c->schedule->step_count; i++) {
        cs_layer_plan *plan = &c->plans[i];
        plan->prefetched = false;
        plan->cached = cs_plan_may_cache(c, plan) && plan->way->cut.weight_bytes <= left;
        left -= plan->cached ? plan->way->cut.weight_bytes : 0;
    }
}

void cs_plan_finish(const cs_compiler *c)
{
    cs_schedule *schedule = c->schedule;
    uint64_t instructions = CS_CALL_INSTRUCTION_BYTES;
    schedule->cached_bytes = schedule->streamed_bytes = schedule->prefetch_bytes = 0;
    for (uint32_t i = 0; i < schedule->step_count; i++) {
        const cs_layer_plan *plan = &c->plans[i];
        const cs_way *way = plan->way;
        schedule->steps[i] = &way->step;
        uint64_t tensors = way->need.narrow_bytes + plan->idle_bytes;
        uint64_t beyond = c->machine.shared ? 0 : less(tensors, c->machine.narrow_bytes);
        if (beyond > 0 && plan->idle_bytes > 0) {
            own_step(c, i)->parked_bytes = min_u64(plan->idle_bytes, beyond);
        }
        instructions += way->instruction_bytes;
        if (way->step.weight_bytes > 0 && plan->cached) {
            schedule->cached_bytes += way->step.weight_bytes;
        } else if (way->step.weight_bytes > 0) {
            stream(c, i, plan->prefetched);
        }
    }
    count_call(c, instructions);
}
