/* A small seeded generator (xorshift64*, Vigna 2016): simulators replay from one number.
 * Not for secrets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state; /* never 0 */
};

struct prng prng_init(uint64_t seed);                                 /* any seed, 0 included */
uint64_t prng_next(struct prng *prng);                                /* 64 uniform bits */
uint64_t prng_below(struct prng *prng, uint64_t bound);               /* 0 .. bound-1; bound > 0 */
uint64_t prng_between(struct prng *prng, uint64_t min, uint64_t max); /* both ends included */
bool prng_chance(struct prng *prng, uint32_t per_million);
