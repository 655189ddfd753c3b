/* From elements to registers, and from registers to a count. */
#include <math.h>

#include "base/endian.h"
#include "types/hyperloglog.h"

/* MurmurHash64A: Austin Appleby's algorithm of that name (public domain), written anew. */
static uint64_t murmur(struct bytes bytes, uint64_t seed)
{
    const uint64_t factor = 0xc6a4a7935bd1e995;
    uint64_t hash = seed ^ bytes.size * factor;
    const uint8_t *data = bytes.data;
    size_t size = bytes.size;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word = get_le64(data) * factor;
        hash = (hash ^ (word ^ word >> 47) * factor) * factor;
    }
    if (size > 0) {
        uint8_t rest[8] = {0};
        memcpy(rest, data, size);
        hash = (hash ^ get_le64(rest)) * factor;
    }
    hash = (hash ^ hash >> 47) * factor;
    return hash ^ hash >> 47;
}

struct hll_place hll_place_of(struct bytes element)
{
    uint64_t hash = murmur(element, 0xadc83b19);
    uint64_t rest = hash >> HLL_INDEX_BITS | 1ULL << (HLL_RANK_MAX - 1); /* the loop's end */
    return (struct hll_place){.index = (uint32_t)hash & (HLL_REGISTERS - 1),
                              .rank = (uint8_t)(__builtin_ctzll(rest) + 1)};
}

/* Ertl's sigma: the sum of x^(2^k) * 2^(k-1) over k >= 1, plus x. Converges for 0 <= x < 1. */
static double sigma(double x)
{
    double sum = x, before = -1, weight = 1;
    if (x == 1)
        return INFINITY;
    while (sum != before) {
        before = sum;
        x *= x;
        sum += x * weight;
        weight += weight;
    }
    return sum;
}

/* Ertl's tau: (1 - x - the sum of (1 - x^(2^-k))^2 * 2^-k over k >= 1) / 3. */
static double tau(double x)
{
    double sum = 1 - x, before = -1, weight = 1;
    if (x == 0 || x == 1)
        return 0;
    while (sum != before) {
        before = sum;
        x = sqrt(x);
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    }
    return sum / 3;
}

/* Registers above what a hash can give (foreign bytes) do not count, as in Redis. Should nothing be
 * left, the estimate would be infinite. */
uint64_t hll_estimate(const uint8_t registers[static HLL_REGISTERS])
{
    const double count = HLL_REGISTERS, alpha = 0.5 / M_LN2;
    uint32_t histogram[256] = {0};
    for (uint32_t index = 0; index < HLL_REGISTERS; index++)
        histogram[registers[index]]++;
    double z = count * tau((count - histogram[HLL_RANK_MAX]) / count);
    for (int rank = HLL_RANK_MAX - 1; rank >= 1; rank--)
        z = (z + histogram[rank]) * 0.5;
    z += count * sigma(histogram[0] / count);
    double estimate = alpha * count * count / z;
    return estimate < 0x1p63 ? (uint64_t)llround(estimate) : INT64_MAX;
}
