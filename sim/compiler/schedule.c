/* The compiler: see schedule.h for its rules.
 *
 * It works in steps over the whole network: cut every layer (tiling.c); find when each tensor dies;
 * keep on chip the tensors that fit for all their life; give what is left of PE memory to
 * parameters; grow strips into what is left after that; count the traffic. */
#include "sim/compiler/schedule.h"

#include "sim/compiler/tiling.h"
#include "sim/compiler/vendor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct cs_layer_plan {
    cs_tiling tiling;
    uint64_t share;    /* of the layer's output in the fullest PE; 0 when it is off chip */
    uint64_t occupied; /* PE memory that tensors take while the layer runs */
    uint64_t smallest; /* PE memory that its smallest tile takes */
} plan;

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static cs_status reserve(cs_schedule *schedule, uint32_t count, cs_error *err)
{
    if (count <= schedule->capacity) {
        return CS_OK;
    }
    cs_step *steps = realloc(schedule->steps, count * sizeof *steps);
    if (!steps) {
        return cs_fail_memory(err);
    }
    schedule->steps = steps;
    plan *plans = realloc(schedule->plans, count * sizeof *plans);
    if (!plans) {
        return cs_fail_memory(err);
    }
    schedule->plans = plans;
    schedule->capacity = count;
    return CS_OK;
}

/* PE memory that a layer needs, beside the tensors that lie there, for strips of `rows` rows: what
 * it reads beyond its own share of an input, an output on its way off chip, partial sums. */
static uint64_t working_bytes(const cs_network *network, const cs_accelerator *accelerator,
                              const cs_schedule *schedule, cs_layer_id i, uint32_t rows)
{
    const cs_layer *layer = &network->layers[i];
    const plan *plans = schedule->plans;
    const cs_tiling *tiling = &plans[i].tiling;
    uint64_t bytes = cs_tiling_partial_bytes(tiling, accelerator, rows);
    const cs_layer_id *inputs = cs_layer_inputs(network, layer);
    for (uint32_t k = 0; k < layer->input_count; k++) {
        cs_layer_id from = inputs[k];
        uint64_t tile = cs_tiling_input_bytes(tiling, network, layer, k, rows);
        uint64_t own = schedule->steps[from].output_off_chip ? 0 : plans[from].share;
        bytes += tile > own ? tile - own : 0;
    }
    if (schedule->steps[i].output_off_chip) {
        bytes += cs_tiling_output_bytes(tiling, rows);
    }
    return bytes;
}

/* Cut every layer; every tensor is off-chip until it is found to fit. */
static cs_reason cut_layers(const cs_network *network, const cs_accelerator *accelerator,
                            cs_schedule *schedule, cs_layer_id *culprit)
{
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_layer *layer = &network->layers[i];
        plan *p = &schedule->plans[i];
        cs_reason reason = CS_REASON_NONE;
        if (layer->op != CS_OP_INPUT) {
            reason = cs_tiling_choose(network, layer, accelerator, &p->tiling);
        } else if (layer->act_bits != 8) {
            reason = CS_REASON_UNSUPPORTED;
        }
        if (reason) {
            *culprit = i;
            return reason;
        }
        if (layer->op == CS_OP_INPUT) {
            schedule->steps[i] = (cs_step){.output_off_chip = true};
            *p = (plan){0};
            continue;
        }
        schedule->steps[i] = (cs_step){
            .split_x = p->tiling.split_x,
            .split_y = p->tiling.split_y,
            .tile_rows = p->tiling.rows,
            .tile_cols = p->tiling.cols,
            .channel_passes = p->tiling.passes,
            .core_fills = p->tiling.fills,
            .operations = cs_layer_operations(layer),
            .compute_cycles = p->tiling.cycles,
            .weight_bytes = p->tiling.stored_bytes,
            .output_off_chip = true,
        };
    }
    return CS_REASON_NONE;
}

/* Keep on chip, in layer order, the tensors that fit beside those before them and beside the
 * smallest tile of every layer that runs while they live. What nothing reads is the network's
 * output. Returns the PE memory that activations take at their peak. */
static uint64_t place_activations(const cs_network *network, const cs_accelerator *accelerator,
                                  cs_schedule *schedule)
{
    plan *plans = schedule->plans;
    uint32_t count = network->layer_count;
    uint64_t memory = cs_activation_memory_bytes(accelerator);
    for (uint32_t i = 1; i < count; i++) {
        plans[i].smallest = working_bytes(network, accelerator, schedule, i, 1);
        plans[i].occupied = 0;
        plans[i].share = 0;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint64_t share = cs_tiling_share_bytes(network->layers[i].out, accelerator);
        cs_layer_id last_use = network->layers[i].last_use;
        bool fits = last_use > i && network->layers[i].op != CS_OP_INPUT;
        for (uint32_t t = i; fits && t <= last_use; t++) {
            fits = plans[t].occupied + plans[t].smallest + share <= memory;
        }
        if (fits) {
            plans[i].share = share;
            schedule->steps[i].output_off_chip = false;
            for (uint32_t t = i; t <= last_use; t++) {
                plans[t].occupied += share;
            }
        }
    }

    /* Now that residency is known, a step needs what lies there and a working set: that of its
     * whole tile where it fits, else that of one row. */
    uint64_t peak = 0;
    for (uint32_t i = 1; i < count; i++) {
        cs_step *step = &schedule->steps[i];
        uint32_t whole = plans[i].tiling.sequential ? 1 : step->tile_rows;
        uint64_t need = plans[i].occupied + working_bytes(network, accelerator, schedule, i, whole);
        step->strip_rows = need <= memory ? whole : 1;
        if (need > memory) {
            need = plans[i].occupied + working_bytes(network, accelerator, schedule, i, 1);
        }
        assert(need <= memory);
        peak = need > peak ? need : peak;
    }
    return peak;
}

static void cache_parameters(const cs_network *network, uint64_t capacity, cs_schedule *schedule)
{
    schedule->cached_bytes = 0;
    schedule->streamed_bytes = 0;
    for (uint32_t i = 1; i < network->layer_count; i++) {
        cs_step *step = &schedule->steps[i];
        step->cached =
            step->weight_bytes > 0 && step->weight_bytes <= capacity - schedule->cached_bytes;
        if (step->cached) {
            schedule->cached_bytes += step->weight_bytes;
        } else {
            schedule->streamed_bytes += step->weight_bytes;
        }
    }
}

/* The largest strips that fit into what tensors and cached parameters leave. */
static void grow_strips(const cs_network *network, const cs_accelerator *accelerator,
                        uint64_t memory, cs_schedule *schedule)
{
    for (uint32_t i = 1; i < network->layer_count; i++) {
        cs_step *step = &schedule->steps[i];
        uint64_t left = memory - schedule->plans[i].occupied;
        uint32_t fits = step->strip_rows;
        uint32_t beyond = step->tile_rows + 1;
        bool grows = step->strip_rows < step->tile_rows && !schedule->plans[i].tiling.sequential;
        while (grows && beyond - fits > 1) {
            uint32_t middle = fits + (beyond - fits) / 2;
            if (working_bytes(network, accelerator, schedule, i, middle) <= left) {
                fits = middle;
            } else {
                beyond = middle;
            }
        }
        step->strip_rows = fits;
    }
}

/* Bytes of a step, for the chip and for the ports of the busiest PE. */
static void count_traffic(const cs_network *network, const cs_accelerator *accelerator,
                          cs_schedule *schedule, cs_layer_id i)
{
    const cs_layer *layer = &network->layers[i];
    const cs_tiling *tiling = &schedule->plans[i].tiling;
    cs_step *step = &schedule->steps[i];
    uint64_t strips = (step->tile_rows - 1) / step->strip_rows + 1;
    uint64_t space_pes = (uint64_t)tiling->space_y * tiling->space_x;
    uint64_t pes = space_pes * tiling->channel_pes;
    uint64_t positions = (uint64_t)layer->out.height * layer->out.width;
    uint64_t tile_positions = (uint64_t)step->tile_rows * step->tile_cols;
    uint64_t row_bytes = (uint64_t)accelerator->lanes_per_core * accelerator->simd_ways;

    /* Lanes read input words from PE memory, and results are written there once. */
    uint64_t pe_read = tile_positions * tiling->read_bytes;
    uint64_t pe_write = tile_positions * tiling->channels_out;
    uint64_t read = positions * tiling->read_bytes * tiling->channel_pes;
    uint64_t write = cs_shape_elements(layer->out);

    /* Inputs: from off chip into every PE that needs them, or from the neighbours that hold them.
     * Of a window that reaches into the next strip, the shared rows come in again. */
    uint64_t off_chip_read = 0;
    uint64_t again = (strips - 1) * cs_tiling_overlap_rows(layer);
    const cs_layer_id *inputs = cs_layer_inputs(network, layer);
    for (uint32_t k = 0; k < layer->input_count; k++) {
        cs_layer_id from = inputs[k];
        const cs_shape shape = network->layers[from].out;
        uint64_t tile = cs_tiling_input_bytes(tiling, network, layer, k, step->tile_rows);
        if (schedule->steps[from].output_off_chip) {
            uint64_t row =
                cs_tiling_input_bytes(tiling, network, layer, k, 1) / cs_tiling_window_rows(layer);
            uint64_t rows = min_u64(shape.height + again * tiling->space_y, strips * shape.height);
            uint64_t entered =
                again ? min_u64(tile + again * row, strips * shape.height * row) : tile;
            off_chip_read += rows * shape.width * shape.channels;
            step->input_off_chip = true;
            pe_write += entered;
            write += entered * pes;
        } else {
            uint64_t own = schedule->plans[from].share;
            uint64_t moved = tile > own ? tile - own : 0;
            pe_write += moved;
            pe_read += moved;
            write += moved * pes;
            read += moved * pes;
        }
    }
    if (step->output_off_chip) {
        pe_read += tile_positions * tiling->channels_out;
        read += cs_shape_elements(layer->out);
        step->off_chip_write_bytes = cs_shape_elements(layer->out);
    }

    if (step->weight_bytes > 0) {
        /* A layer's weights lie in one PE (cached) or pass through one (streamed), from where they
         * are broadcast to the core memories of all, a row a cycle, once a strip. Each use reads
         * them from core memory again. */
        step->weight_passes = (uint32_t)strips;
        uint64_t loaded = step->weight_bytes * strips;
        pe_read += loaded;
        read += loaded;
        if (!step->cached) {
            pe_write += loaded;
            write += loaded;
            off_chip_read += loaded;
        }
        uint64_t padded = (uint64_t)tiling->lane_blocks * accelerator->lanes_per_core;
        step->core_memory_write_bytes = loaded * space_pes;
        step->core_memory_read_bytes = positions * tiling->words * accelerator->simd_ways * padded;

        /* Between fills every partial sum is written to PE memory and read again. */
        if (cs_tiling_partial_bytes(tiling, accelerator, step->strip_rows) > 0) {
            uint64_t waits = tiling->fills - 1;
            uint64_t lanes = (uint64_t)accelerator->cores_per_pe * accelerator->lanes_per_core;
            uint64_t tile_sums = waits * tile_positions * tiling->passes * lanes;
            uint64_t chip_sums = waits * positions * padded;
            pe_read += tile_sums * CS_PARTIAL_SUM_BYTES;
            pe_write += tile_sums * CS_PARTIAL_SUM_BYTES;
            read += chip_sums * CS_PARTIAL_SUM_BYTES;
            write += chip_sums * CS_PARTIAL_SUM_BYTES;
        }
    }

    if (layer->op == CS_OP_MATMUL) {
        uint64_t operand = cs_tiling_input_bytes(tiling, network, layer, 1, step->tile_rows);
        uint64_t padded = (uint64_t)tiling->lane_blocks * accelerator->lanes_per_core;
        pe_read += operand;
        read += operand * pes;
        step->core_memory_write_bytes = operand * pes;
        step->core_memory_read_bytes = positions * tiling->words * accelerator->simd_ways * padded;
    }

    /* A PE's memory has a read and a write port, each as wide as a row of weights. */
    uint64_t port = pe_read > pe_write ? pe_read : pe_write;
    step->on_chip_cycles = (port + row_bytes - 1) / row_bytes;
    step->off_chip_read_bytes = off_chip_read;
    step->pe_memory_read_bytes = read;
    step->pe_memory_write_bytes = write;
}

/* The samples of a batch run one after another. */
static void repeat_step(cs_step *step, uint32_t batch)
{
    step->operations *= batch;
    step->compute_cycles *= batch;
    step->on_chip_cycles *= batch;
    step->weight_passes *= batch;
    step->off_chip_read_bytes *= batch;
    step->off_chip_write_bytes *= batch;
    step->pe_memory_read_bytes *= batch;
    step->pe_memory_write_bytes *= batch;
    step->core_memory_read_bytes *= batch;
    step->core_memory_write_bytes *= batch;
    step->fills *= batch;
    step->fill_cycles *= batch;
    step->upload_bytes *= batch;
    step->collect_bytes *= batch;
    step->start_s *= batch;
}

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

void cs_schedule_release(cs_schedule *schedule)
{
    free(schedule->steps);
    free(schedule->plans);
    *schedule = (cs_schedule){0};
}

static void compile_general(const cs_network *network, const cs_accelerator *accelerator,
                            cs_schedule *schedule)
{
    schedule->reason = cut_layers(network, accelerator, schedule, &schedule->reason_layer);
    if (schedule->reason) {
        return;
    }
    uint64_t pes = (uint64_t)accelerator->pes_x * accelerator->pes_y;
    uint64_t peak = place_activations(network, accelerator, schedule);
    bool shared = accelerator->narrow_memory_bytes == 0;
    schedule->peak_activation_bytes = peak * pes;
    schedule->parameter_capacity = (accelerator->pe_memory_bytes - (shared ? peak : 0)) * pes;
    cache_parameters(network, schedule->parameter_capacity, schedule);
    uint64_t cached_share = shared ? (schedule->cached_bytes + pes - 1) / pes : 0;
    grow_strips(network, accelerator, cs_activation_memory_bytes(accelerator) - cached_share,
                schedule);
    for (uint32_t i = 1; i < network->layer_count; i++) {
        if (network->layers[i].op != CS_OP_INPUT) {
            count_traffic(network, accelerator, schedule, i);
        }
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
    schedule->step_count = network->layer_count;
    schedule->cached_bytes = 0;
    schedule->streamed_bytes = 0;
    schedule->peak_activation_bytes = 0;
    schedule->parameter_capacity = 0;
    schedule->calls = 1;
    schedule->reason = CS_REASON_NONE;
    schedule->reason_layer = 0;
    if (options && options->policy == CS_POLICY_VENDOR) {
        cs_vendor_compile(network, accelerator, options->without, schedule);
    } else {
        compile_general(network, accelerator, schedule);
    }
    for (uint32_t i = 0; i < network->layer_count && !schedule->reason && network->batch > 1; i++) {
        repeat_step(&schedule->steps[i], network->batch);
    }
    return CS_OK;
}
