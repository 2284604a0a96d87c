/* Weights: which memory has them, and how they come to the PEs that use them. See run.h. */
#include "sim/executor/run.h"

#include <stdlib.h>
#include <string.h>

uint64_t cs_tap_words(const cs_run *r)
{
    uint64_t ways = r->array.machine.ways;
    return (cs_layer_fan_channels(r->layer) + ways - 1) / ways;
}

static uint64_t row_bytes(const cs_run *r)
{
    return r->array.machine.core_lanes * r->array.machine.ways;
}

/* Rows of all taps, which precede the constants of a block of lanes. */
static uint64_t block_rows(const cs_run *r)
{
    uint64_t taps = (uint64_t)r->layer->kernel_h * r->layer->kernel_w;
    return taps * cs_tap_words(r);
}

static uint64_t constant_bytes(const cs_run *r)
{
    return r->kind == CS_KIND_DENSE ? 0 : CS_CONSTANT_BYTES * r->array.machine.core_lanes;
}

/* Byte `n` of a layer's weights in stored form. */
static int8_t stored_byte(const cs_run *r, uint64_t n)
{
    uint64_t ways = r->array.machine.ways, lanes = r->array.machine.core_lanes;
    uint64_t block_bytes = block_rows(r) * row_bytes(r) + constant_bytes(r);
    uint64_t block = n / block_bytes, at = n % block_bytes;
    uint64_t fan = cs_layer_fan_channels(r->layer);
    if (at >= block_rows(r) * row_bytes(r)) {
        at -= block_rows(r) * row_bytes(r);
        uint64_t channel = block * lanes + at / CS_CONSTANT_BYTES, byte = at % CS_CONSTANT_BYTES;
        if (channel >= r->lane_results || byte >= sizeof(int32_t)) {
            return 0;
        }
        uint32_t bias = (uint32_t)cs_values_bias(r->values, r->id, channel);
        return (int8_t)(bias >> (8 * byte) & 0xff);
    }
    uint64_t row = at / row_bytes(r), channel = block * lanes + at / ways % lanes;
    uint64_t tap = row / cs_tap_words(r), c = row % cs_tap_words(r) * ways + at % ways;
    return channel < r->lane_results && c < fan
               ? cs_values_weight(r->values, r->id, channel, tap * fan + c)
               : 0;
}

/* ---- what stays on the chip ---- */

/* The frame sets r->layer and what follows from it for each layer in turn. */
static void look_at(cs_run *r, cs_layer_id id)
{
    r->id = id;
    r->layer = &r->network->layers[id];
    r->step = r->schedule->steps[id];
    r->kind = cs_kind_of(r->layer);
    uint64_t fan = cs_layer_fan_channels(r->layer);
    r->lane_results = r->kind == CS_KIND_CELL ? (uint32_t)(cs_layer_weights(r->layer) / fan)
                                              : r->layer->out.channels;
    r->share_lanes = r->step->channel_passes * r->array.machine.lanes;
}

static cs_status keep(cs_run *r, cs_error *err)
{
    cs_kept *kept = &r->store[r->id];
    uint64_t bytes = r->step->weight_bytes, block_bytes = 1;
    kept->pe = malloc(bytes * sizeof *kept->pe);
    kept->at = malloc(bytes * sizeof *kept->at);
    if (!kept->pe || !kept->at) {
        return cs_fail_memory(err);
    }
    bool own = r->kind == CS_KIND_DENSE || r->kind == CS_KIND_CELL;
    block_bytes = block_rows(r) * row_bytes(r) + constant_bytes(r);
    for (uint64_t n = 0; n < bytes; n++) {
        uint64_t lane = n / block_bytes * r->array.machine.core_lanes;
        uint32_t pe = own ? (uint32_t)(lane / r->share_lanes) : 0;
        for (uint32_t tries = 0; r->store_level[pe] >= r->store_region.size; tries++) {
            if (tries == r->pes) {
                cs_array_fail(&r->array, pe, "wide memory: parameters do not fit");
                return CS_OK;
            }
            pe = (pe + 1) % r->pes;
        }
        kept->pe[n] = pe;
        kept->at[n] = r->store_level[pe]++;
        cs_array_put(&r->array, pe, &r->store_region, kept->at[n], stored_byte(r, n));
    }
    return CS_OK;
}

cs_status cs_store_fill(cs_run *r, cs_error *err)
{
    uint64_t share = r->schedule->parameter_capacity / r->array.machine.pes;
    uint64_t wide = r->array.machine.wide_bytes + r->array.machine.overhang_bytes;
    cs_array_begin(&r->array, 0, "parameters", 0);
    /* At the end of wide memory, wherever a step parts it from narrow memory. */
    uint64_t all = r->array.machine.shared ? wide + r->array.machine.narrow_bytes : wide;
    r->store_region = cs_array_take(&r->array, CS_MEMORY_WIDE, all > share ? all - share : 0, share,
                                    UINT64_MAX, "parameters that stay");
    for (int own = 1; own >= 0; own--) {
        for (uint32_t i = 0; i < r->network->layer_count; i++) {
            look_at(r, i);
            bool dense = r->kind == CS_KIND_DENSE || r->kind == CS_KIND_CELL;
            if (r->step->weight_bytes > 0 && r->step->cached && dense == (own == 1)) {
                cs_status status = keep(r, err);
                if (status) {
                    return status;
                }
            }
        }
    }
    return CS_OK;
}

cs_status cs_store_prefetch(cs_run *r, cs_error *err)
{
    if (r->step->weight_bytes == 0 || !r->step->prefetched) {
        return CS_OK;
    }
    r->done->traffic.link_in_bytes += r->step->weight_bytes;
    cs_count_write(r, CS_MEMORY_WIDE, r->step->weight_bytes);
    if (r->kind == CS_KIND_DENSE || r->kind == CS_KIND_CELL) {
        r->done->traffic.ring_bytes += r->step->weight_bytes;
    }
    return keep(r, err);
}

void cs_store_drop(cs_run *r)
{
    cs_kept *kept = &r->store[r->id];
    if (kept->pe && r->step->prefetched) {
        for (uint64_t n = 0; n < r->step->weight_bytes; n++) {
            r->store_level[kept->pe[n]]--;
        }
        free(kept->pe);
        free(kept->at);
        *kept = (cs_kept){0};
    }
}

void cs_store_clear(cs_run *r)
{
    for (uint32_t i = 0; r->store && i < r->network->layer_count; i++) {
        free(r->store[i].pe);
        free(r->store[i].at);
    }
    free(r->store);
    free(r->store_level);
}

/* ---- bringing them ---- */

/* `count` bytes from byte `n` on: from the memory that keeps them, or over the link and through a
 * row of wide memory. */
static void bring(cs_run *r, uint32_t pe, uint64_t n, uint64_t count, int8_t *bytes)
{
    const cs_kept *kept = &r->store[r->id];
    bool own = r->kind == CS_KIND_DENSE || r->kind == CS_KIND_CELL;
    for (uint64_t i = 0; i < count; i++) {
        if (kept->pe) {
            bytes[i] = cs_array_get(&r->array, kept->pe[n + i], &r->store_region, kept->at[n + i]);
            r->done->strayed_bytes += own && kept->pe[n + i] != pe ? 1 : 0;
            continue;
        }
        uint64_t at = i % row_bytes(r);
        cs_array_put(&r->array, pe, &r->landing, at, stored_byte(r, n + i));
        bytes[i] = cs_array_get(&r->array, pe, &r->landing, at);
    }
    if (!kept->pe) {
        r->done->traffic.link_in_bytes += count;
        cs_count_write(r, CS_MEMORY_WIDE, count);
    }
    cs_count_read(r, CS_MEMORY_WIDE, count);
    r->done->traffic.ring_bytes += own && kept->pe ? 0 : count;
}

void cs_weights_row(cs_run *r, uint32_t pe, uint64_t block, uint64_t row, int8_t *weights)
{
    uint64_t block_bytes = block_rows(r) * row_bytes(r) + constant_bytes(r);
    bring(r, pe, block * block_bytes + row * row_bytes(r), row_bytes(r), weights);
}

void cs_weights_constants(cs_run *r, uint32_t pe, uint64_t block, int32_t *biases)
{
    uint64_t lanes = r->array.machine.core_lanes;
    uint64_t block_bytes = block_rows(r) * row_bytes(r) + constant_bytes(r);
    if (r->kind == CS_KIND_DENSE) {
        /* Dense layers have none in stored form: they come with the instructions. */
        for (uint64_t lane = 0; lane < lanes; lane++) {
            biases[lane] = block * lanes + lane < r->lane_results
                               ? cs_values_bias(r->values, r->id, block * lanes + lane)
                               : 0;
        }
        return;
    }
    for (uint64_t lane = 0; lane < lanes; lane++) {
        int8_t bytes[CS_CONSTANT_BYTES];
        uint64_t n = block * block_bytes + block_rows(r) * row_bytes(r) + lane * CS_CONSTANT_BYTES;
        bring(r, pe, n, CS_CONSTANT_BYTES, bytes);
        memcpy(&biases[lane], bytes, sizeof biases[lane]);
    }
}
