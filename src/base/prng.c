#include "base/prng.h"

#include "base/assert.h"

__extension__ typedef unsigned __int128 wide;

/* One round of splitmix64 spreads small seeds over all bits. */
struct prng prng_init(uint64_t seed)
{
    uint64_t z = seed + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return (struct prng){z == 0 ? 1 : z};
}

uint64_t prng_next(struct prng *prng)
{
    ASSERT(prng->state != 0);
    uint64_t x = prng->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    prng->state = x;
    return x * 0x2545f4914f6cdd1dULL;
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    ASSERT(bound > 0);
    return (uint64_t)(((wide)prng_next(prng) * bound) >> 64);
}

uint64_t prng_between(struct prng *prng, uint64_t min, uint64_t max)
{
    ASSERT(min <= max);
    if (min == 0 && max == UINT64_MAX)
        return prng_next(prng);
    return min + prng_below(prng, max - min + 1);
}

bool prng_chance(struct prng *prng, uint32_t per_million)
{
    return prng_below(prng, 1000000) < per_million;
}
