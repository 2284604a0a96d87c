/* The PEs with their memories: see array.h. */
#include "sim/executor/array.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const memory_names[CS_MEMORY_COUNT] = {"narrow", "wide", "core"};

cs_status cs_array_init(cs_array *array, const cs_machine *machine, cs_error *err)
{
    uint64_t wide = machine->wide_bytes + machine->overhang_bytes;
    *array = (cs_array){
        .machine = *machine,
        .sizes = {machine->narrow_bytes, wide, machine->core_bytes},
        .starts = {0, machine->narrow_bytes, machine->narrow_bytes + wide},
        .pe_bytes = machine->narrow_bytes + wide + machine->core_bytes,
    };
    array->bytes = calloc(machine->pes, array->pe_bytes);
    return array->bytes ? CS_OK : cs_fail_memory(err);
}

void cs_array_clear(cs_array *array)
{
    free(array->bytes);
    array->bytes = NULL;
}

void cs_array_begin(cs_array *array, cs_layer_id layer, const char *op, uint64_t narrow_bytes)
{
    array->layer = layer;
    array->op = op;
    memset(array->used, 0, sizeof array->used);
    if (array->machine.shared) {
        uint64_t both = array->starts[CS_MEMORY_CORE];
        uint64_t narrow = narrow_bytes < both ? narrow_bytes : both;
        array->sizes[CS_MEMORY_NARROW] = array->starts[CS_MEMORY_WIDE] = narrow;
        array->sizes[CS_MEMORY_WIDE] = both - narrow;
    }
}

void cs_array_fail(cs_array *array, uint32_t pe, const char *format, ...)
{
    char text[256];
    if (array->failed) {
        return;
    }
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    array->failed = true;
    (void)cs_fail(&array->failure, CS_ECORRUPT, "layer %u (%s), PE (%u, %u): %s", array->layer,
                  array->op, pe / array->machine.pes_x, pe % array->machine.pes_x, text);
}

cs_region cs_array_take(cs_array *array, cs_memory memory, uint64_t first, uint64_t size,
                        uint64_t limit, const char *what)
{
    uint64_t end = limit < array->sizes[memory] ? limit : array->sizes[memory];
    if (first > end || size > end - first) {
        cs_array_fail(array, 0, "%s memory: %llu bytes for %s from byte %llu on do not fit %llu",
                      memory_names[memory], (unsigned long long)size, what,
                      (unsigned long long)first, (unsigned long long)end);
        return (cs_region){.memory = memory, .what = what};
    }
    if (memory != CS_MEMORY_CORE && first + size > array->used[memory]) {
        array->used[memory] = first + size;
    }
    return (cs_region){memory, first, size, what};
}

/* NULL, and a failure, outside the region. */
static uint8_t *byte_of(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at,
                        uint64_t size)
{
    if (at > region->size || size > region->size - at) {
        cs_array_fail(array, pe, "%s memory: byte %llu of the %llu of %s",
                      memory_names[region->memory], (unsigned long long)at,
                      (unsigned long long)region->size, region->what ? region->what : "nothing");
        return NULL;
    }
    return array->bytes + pe * array->pe_bytes + array->starts[region->memory] + region->first + at;
}

int8_t cs_array_get(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at)
{
    const uint8_t *byte = byte_of(array, pe, region, at, 1);
    return byte ? (int8_t)*byte : 0;
}

void cs_array_put(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at, int8_t value)
{
    uint8_t *byte = byte_of(array, pe, region, at, 1);
    if (byte) {
        *byte = (uint8_t)value;
    }
    if (byte && region->memory == CS_MEMORY_CORE && at + 1 > array->used[CS_MEMORY_CORE]) {
        array->used[CS_MEMORY_CORE] = at + 1;
    }
}

int32_t cs_array_get_sum(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at)
{
    int32_t value = 0;
    const uint8_t *bytes = byte_of(array, pe, region, at, sizeof value);
    if (bytes) {
        memcpy(&value, bytes, sizeof value);
    }
    return value;
}

void cs_array_put_sum(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at,
                      int32_t value)
{
    uint8_t *bytes = byte_of(array, pe, region, at, sizeof value);
    if (bytes) {
        memcpy(bytes, &value, sizeof value);
    }
}
