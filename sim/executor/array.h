/* The PEs of an accelerator with their memories: real bytes, of the sizes that the machine has, in
 * which a step takes regions and may touch nothing else.
 *
 * What does not fit, and an access outside a region, is noted as the array's failure, the first of
 * them, and has no other effect; who drives the array looks at the end of each step. One thread. */
#ifndef CS_SIM_EXECUTOR_ARRAY_H
#define CS_SIM_EXECUTOR_ARRAY_H

#include "sim/compiler/step.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum cs_memory {
    CS_MEMORY_NARROW,
    CS_MEMORY_WIDE, /* with what buffers may overhang */
    CS_MEMORY_CORE, /* of all cores of a PE, one after another */
} cs_memory;

#define CS_MEMORY_COUNT 3

/* A part of a memory, the same in every PE; size 0: none. */
typedef struct cs_region {
    cs_memory memory;
    uint64_t first, size;
    const char *what;
} cs_region;

typedef struct cs_array {
    cs_machine machine;
    uint8_t *bytes;                   /* owned; of one PE after another */
    uint64_t sizes[CS_MEMORY_COUNT];  /* of a PE's memories, as they are parted in this step */
    uint64_t starts[CS_MEMORY_COUNT]; /* within a PE's bytes */
    uint64_t pe_bytes;
    uint64_t used[CS_MEMORY_COUNT]; /* the end of the last region that was taken; of core
                                       memory, of the last byte that was written */
    cs_layer_id layer;              /* which runs */
    const char *op;
    bool failed;
    cs_error failure;
} cs_array;

/* Fails for want of memory alone. */
CS_MUST_CHECK cs_status cs_array_init(cs_array *array, const cs_machine *machine, cs_error *err);
void cs_array_clear(cs_array *array);

/* Begin a step; where narrow and wide memory are one, narrow is the first so many bytes of it. */
void cs_array_begin(cs_array *array, cs_layer_id layer, const char *op, uint64_t narrow_bytes);

/* Take a region of every PE's memory that ends at `limit` or before. */
cs_region cs_array_take(cs_array *array, cs_memory memory, uint64_t first, uint64_t size,
                        uint64_t limit, const char *what);

int8_t cs_array_get(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at);
void cs_array_put(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at, int8_t value);

/* The same for 32-bit numbers, at a multiple of 4 bytes. */
int32_t cs_array_get_sum(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at);
void cs_array_put_sum(cs_array *array, uint32_t pe, const cs_region *region, uint64_t at,
                      int32_t value);

/* Note a failure in the layer that runs. */
void cs_array_fail(cs_array *array, uint32_t pe, const char *format, ...) CS_PRINTF(3, 4);

#endif
