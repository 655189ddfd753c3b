#include "types/hll.h"

#include <math.h>

#include "base/endian.h"

enum {
    INDEX_BITS = 14,
    HASH_BITS = 64 - INDEX_BITS,
    REGISTER_BITS = 6,
    DENSE = 0,
    SPARSE = 1,
    CACHED_AT = 8,
    SPARSE_VALUE_MAX = 32,
    SPARSE_RUN_MAX = 4,
    ZERO_RUN_MAX = 64,
    LONG_ZERO_RUN_MAX = HLL_REGISTERS,
};

#define ALPHA_INF 0.721347520444481703680 /* 1 / (2 ln 2) */
#define STALE     (UINT64_C(1) << 63)

bool hll_is(struct bytes bytes)
{
    return bytes.size >= HLL_HEAD_SIZE && memcmp(bytes.data, "HYLL", 4) == 0 &&
           bytes.data[4] <= SPARSE && (bytes.data[4] != DENSE || bytes.size == HLL_DENSE_SIZE);
}

bool hll_is_dense(struct bytes hll)
{
    return hll.data[4] == DENSE;
}

bool hll_cached(struct bytes hll, uint64_t *count)
{
    *count = get_le64(hll.data + CACHED_AT);
    return (*count & STALE) == 0;
}

void hll_set_cached(uint8_t *hll, uint64_t count)
{
    put_le64(hll + CACHED_AT, count);
}

void hll_forget_cached(uint8_t *hll)
{
    hll[CACHED_AT + 7] |= 0x80;
}

static void put_head(struct buf *out, uint8_t encoding)
{
    uint8_t *head = buf_extend(out, HLL_HEAD_SIZE);
    memset(head, 0, HLL_HEAD_SIZE);
    memcpy(head, "HYLL", 4);
    head[4] = encoding;
}

/* ---- hashing ---- */

static uint64_t murmur(struct bytes bytes)
{
    static const uint64_t M = 0xc6a4a7935bd1e995, SEED = 0xadc83b19;
    uint64_t hash = SEED ^ (bytes.size * M);
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word = get_le64(at) * M;
        word ^= word >> 47;
        hash = (hash ^ word * M) * M;
    }
    uint64_t tail = 0;
    for (size_t i = left; i > 0; i--)
        tail = tail << 8 | at[i - 1];
    if (left > 0)
        hash = (hash ^ tail) * M;
    hash = (hash ^ hash >> 47) * M;
    return hash ^ hash >> 47;
}

void hll_hash(struct bytes element, uint32_t *index, uint8_t *value)
{
    uint64_t hash = murmur(element);
    *index = (uint32_t)hash & (HLL_REGISTERS - 1);
    uint64_t rest = hash >> INDEX_BITS | UINT64_C(1) << HASH_BITS; /* it ends somewhere */
    *value = (uint8_t)(__builtin_ctzll(rest) + 1);
}

/* ---- registers ---- */

static uint8_t dense_get(const uint8_t *registers, uint32_t index)
{
    size_t bit = (size_t)index * REGISTER_BITS;
    uint32_t pair = registers[bit / 8];
    if (bit % 8 > 8 - REGISTER_BITS)
        pair |= (uint32_t)registers[bit / 8 + 1] << 8;
    return pair >> bit % 8 & 63;
}

static void dense_put(uint8_t *registers, uint32_t index, uint8_t value)
{
    size_t bit = (size_t)index * REGISTER_BITS;
    uint32_t shift = bit % 8;
    registers[bit / 8] =
        (uint8_t)((registers[bit / 8] & ~(63U << shift)) | (uint32_t)value << shift);
    if (shift > 8 - REGISTER_BITS)
        registers[bit / 8 + 1] = (uint8_t)((registers[bit / 8 + 1] & ~(63U >> (8 - shift))) |
                                           (uint32_t)value >> (8 - shift));
}

size_t hll_run(struct bytes rest, uint32_t *length, uint8_t *value)
{
    uint8_t head = rest.data[0];
    *value = 0;
    if ((head & 0x80) != 0) {
        *length = (head & 3) + 1u;
        *value = (uint8_t)((head >> 2 & 31) + 1);
        return 1;
    }
    if ((head & 0x40) == 0) {
        *length = (head & 63) + 1u;
        return 1;
    }
    if (rest.size < 2)
        return 0;
    *length = ((head & 63u) << 8 | rest.data[1]) + 1u;
    return 2;
}

static bool read_sparse(struct bytes rest, uint8_t *registers)
{
    uint32_t index = 0;
    while (rest.size > 0) {
        uint32_t length;
        uint8_t value;
        size_t used = hll_run(rest, &length, &value);
        if (used == 0 || length > HLL_REGISTERS - index)
            return false;
        memset(registers + index, value, length);
        index += length;
        rest = bytes_of(rest.data + used, rest.size - used);
    }
    return index == HLL_REGISTERS;
}

bool hll_read(struct bytes bytes, uint8_t registers[static HLL_REGISTERS])
{
    struct bytes rest = bytes_of(bytes.data + HLL_HEAD_SIZE, bytes.size - HLL_HEAD_SIZE);
    if (!hll_is_dense(bytes))
        return read_sparse(rest, registers);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++)
        registers[i] = dense_get(rest.data, i);
    return true;
}

static void put_zeros(struct buf *out, uint32_t length)
{
    if (length > ZERO_RUN_MAX) {
        buf_append_u8(out, (uint8_t)(0x40 | (length - 1) >> 8));
        buf_append_u8(out, (uint8_t)(length - 1));
    } else if (length > 0) {
        buf_append_u8(out, (uint8_t)(length - 1));
    }
}

static void put_value(struct buf *out, uint8_t value, uint32_t length)
{
    buf_append_u8(out, (uint8_t)(0x80U | (value - 1U) << 2 | (length - 1)));
}

void hll_make(struct buf *out)
{
    put_head(out, SPARSE);
    put_zeros(out, HLL_REGISTERS);
}

static void write_dense(const uint8_t *registers, struct buf *out)
{
    put_head(out, DENSE);
    uint8_t *at = buf_extend(out, HLL_DENSE_SIZE - HLL_HEAD_SIZE);
    memset(at, 0, HLL_DENSE_SIZE - HLL_HEAD_SIZE);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++)
        dense_put(at, i, registers[i]);
}

void hll_write(const uint8_t registers[static HLL_REGISTERS], bool is_sparse,
               uint64_t sparse_bytes_max, struct buf *out)
{
    size_t begin = out->size;
    bool fits = is_sparse;
    if (fits)
        put_head(out, SPARSE);
    for (uint32_t i = 0, next; fits && i < HLL_REGISTERS; i = next) {
        uint32_t most = registers[i] == 0 ? LONG_ZERO_RUN_MAX : SPARSE_RUN_MAX;
        for (next = i + 1;
             next < HLL_REGISTERS && next - i < most && registers[next] == registers[i];)
            next++;
        if (registers[i] == 0)
            put_zeros(out, next - i);
        else if (registers[i] <= SPARSE_VALUE_MAX)
            put_value(out, registers[i], next - i);
        fits = registers[i] <= SPARSE_VALUE_MAX &&
               out->size - begin <= sparse_bytes_max + HLL_HEAD_SIZE;
    }
    if (fits)
        return;
    out->size = begin;
    write_dense(registers, out);
}

/* ---- changing ---- */

static int make_dense(struct buf *hll, uint32_t index, uint8_t value)
{
    uint8_t registers[HLL_REGISTERS];
    uint64_t cached = get_le64(hll->data + CACHED_AT);
    if (!hll_read(buf_bytes(hll), registers))
        return -1;
    buf_clear(hll);
    write_dense(registers, hll);
    put_le64(hll->data + CACHED_AT, cached);
    dense_put(hll->data + HLL_HEAD_SIZE, index, value);
    return 1;
}

/* Where the run that has the register begins, and what it is. */
struct place {
    size_t at, used, prev; /* of the run, its bytes, of the run before (SIZE_MAX: none) */
    uint32_t first, length;
    uint8_t value;
};

static bool find_run(struct bytes hll, uint32_t index, struct place *place)
{
    *place = (struct place){.at = HLL_HEAD_SIZE, .prev = SIZE_MAX};
    while (place->at < hll.size) {
        struct bytes rest = bytes_of(hll.data + place->at, hll.size - place->at);
        place->used = hll_run(rest, &place->length, &place->value);
        if (place->used == 0)
            return false;
        if (index < place->first + place->length)
            return true;
        place->first += place->length;
        place->prev = place->at;
        place->at += place->used;
    }
    return false;
}

/* The run becomes up to three: what stands before the register, it, and what stands behind. */
static void split_run(const struct place *place, uint32_t index, uint8_t value, struct buf *out)
{
    uint32_t before = index - place->first, after = place->length - before - 1;
    if (place->value == 0)
        put_zeros(out, before);
    else if (before > 0)
        put_value(out, place->value, before);
    put_value(out, value, 1);
    if (place->value == 0)
        put_zeros(out, after);
    else if (after > 0)
        put_value(out, place->value, after);
}

/* Neighbouring runs of one value become one, in a few runs from the one before the change on: so
 * does Redis, and the bytes are to be the same. */
static void join_runs(struct buf *hll, size_t from)
{
    enum { RUNS = 5 };
    for (int left = RUNS; left > 0 && from < hll->size; left--) {
        uint32_t length, next_length;
        uint8_t value, next_value;
        size_t used = hll_run(bytes_of(hll->data + from, hll->size - from), &length, &value);
        if (value == 0 || from + used >= hll->size) {
            from += used;
            continue;
        }
        (void)hll_run(bytes_of(hll->data + from + used, hll->size - from - used), &next_length,
                      &next_value);
        if (next_value == value && length + next_length <= SPARSE_RUN_MAX) {
            hll->data[from + 1] = (uint8_t)(0x80U | (value - 1U) << 2 | (length + next_length - 1));
            memmove(hll->data + from, hll->data + from + 1, hll->size - from - 1);
            hll->size--;
            continue;
        }
        from += used;
    }
}

static int raise_sparse(struct buf *hll, uint32_t index, uint8_t value, uint64_t sparse_bytes_max)
{
    struct place place;
    struct buf runs = {0};
    if (!find_run(buf_bytes(hll), index, &place))
        return -1;
    if (place.value >= value)
        return 0;
    if (value > SPARSE_VALUE_MAX)
        return make_dense(hll, index, value);
    split_run(&place, index, value, &runs);
    size_t grown = hll->size - place.used + runs.size;
    if (runs.size > place.used && grown > sparse_bytes_max) {
        buf_free(&runs);
        return make_dense(hll, index, value);
    }
    size_t behind = hll->size - place.at - place.used;
    if (grown > hll->size)
        (void)buf_extend(hll, grown - hll->size);
    memmove(hll->data + place.at + runs.size, hll->data + place.at + place.used, behind);
    memcpy(hll->data + place.at, runs.data, runs.size);
    hll->size = grown;
    buf_free(&runs);
    join_runs(hll, place.prev == SIZE_MAX ? HLL_HEAD_SIZE : place.prev);
    return 1;
}

int hll_raise(struct buf *hll, uint32_t index, uint8_t value, uint64_t sparse_bytes_max)
{
    ASSERT(index < HLL_REGISTERS && value > 0 && value <= HLL_VALUE_MAX);
    if (!hll_is_dense(buf_bytes(hll)))
        return raise_sparse(hll, index, value, sparse_bytes_max);
    if (dense_get(hll->data + HLL_HEAD_SIZE, index) >= value)
        return 0;
    dense_put(hll->data + HLL_HEAD_SIZE, index, value);
    return 1;
}

/* ---- estimating ---- */

static double sigma(double x)
{
    if (x == 1.0)
        return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    if (x == 0.0 || x == 1.0)
        return 0.0;
    double y = 1.0, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= pow(1 - x, 2) * y;
    } while (z != before);
    return z / 3;
}

uint64_t hll_estimate(const uint8_t registers[static HLL_REGISTERS])
{
    uint32_t counts[64] = {0};
    double m = HLL_REGISTERS;
    for (uint32_t i = 0; i < HLL_REGISTERS; i++)
        counts[registers[i] & 63]++;
    double z = m * tau((m - counts[HASH_BITS + 1]) / m);
    for (int value = HASH_BITS; value >= 1; value--)
        z = 0.5 * (z + counts[value]);
    z += m * sigma(counts[0] / m);
    return (uint64_t)llroundl(ALPHA_INF * m * m / z);
}
