/* Keyed random streams: see random.h. */
#include "base/random.h"

#include <Random123/philox.h>
#include <assert.h>
#include <string.h>

void cs_random_init(cs_random *random, uint64_t seed, uint64_t island, cs_purpose purpose,
                    uint64_t generation, uint64_t index)
{
    *random = (cs_random){
        .key = {seed, island},
        .counter = {(uint64_t)purpose, generation, index, 0},
        .used = 4,
    };
}

uint64_t cs_random_u64(cs_random *random)
{
    if (random->used == 4) {
        philox4x64_ctr_t counter;
        philox4x64_key_t key;
        memcpy(counter.v, random->counter, sizeof counter.v);
        memcpy(key.v, random->key, sizeof key.v);
        philox4x64_ctr_t block = philox4x64(counter, key);
        memcpy(random->block, block.v, sizeof random->block);
        random->counter[3]++;
        random->used = 0;
    }
    return random->block[random->used++];
}

/* Multiply-and-reject, Lemire 2019 ("Fast Random Integer Generation in an Interval"). */
uint32_t cs_random_below(cs_random *random, uint32_t bound)
{
    assert(bound >= 1);
    uint32_t threshold = -bound % bound;
    for (;;) {
        uint64_t product = (cs_random_u64(random) >> 32) * bound;
        if ((uint32_t)product >= threshold) {
            return (uint32_t)(product >> 32);
        }
    }
}

double cs_random_unit(cs_random *random)
{
    return (double)(cs_random_u64(random) >> 11) * 0x1p-53;
}
