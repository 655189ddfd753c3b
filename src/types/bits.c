#include "types/bits.h"

#include "base/endian.h"

enum { WORD_SIZE = 8, WORD_BITS = 64, BLOCK_WORDS = 16 };

/* ---- counting ---- */

static uint64_t popcount(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return word * 0x0101010101010101 >> 56;
}

/* A full adder for 64 columns at once: a + b + *sum = *sum + 2 * carry. */
static uint64_t add_columns(uint64_t *sum, uint64_t a, uint64_t b)
{
    uint64_t half = *sum ^ a;
    uint64_t carry = (*sum & a) | (half & b);
    *sum = half ^ b;
    return carry;
}

/* Carry-save adders, after Harley and Seal (Hacker's Delight, 5-1): one population count for
 * sixteen words. On every machine alike; asking the processor for popcnt would gain less than half.
 */
struct columns {
    uint64_t ones, twos, fours, eights;
};

static uint64_t add_four(struct columns *c, const uint64_t *words)
{
    uint64_t first = add_columns(&c->ones, words[0], words[1]);
    uint64_t second = add_columns(&c->ones, words[2], words[3]);
    return add_columns(&c->twos, first, second);
}

/* Returns the words' column carries of sixteen. */
static uint64_t add_block(struct columns *c, const uint8_t *data)
{
    uint64_t words[BLOCK_WORDS];
    memcpy(words, data, sizeof(words));
    uint64_t a = add_four(c, words), b = add_four(c, words + 4);
    uint64_t first = add_columns(&c->fours, a, b);
    a = add_four(c, words + 8);
    b = add_four(c, words + 12);
    uint64_t second = add_columns(&c->fours, a, b);
    return add_columns(&c->eights, first, second);
}

uint64_t bits_count(struct bytes bytes)
{
    const uint8_t *data = bytes.data;
    size_t size = bytes.size;
    struct columns c = {0, 0, 0, 0};
    uint64_t count = 0;
    for (; size >= BLOCK_WORDS * WORD_SIZE; size -= BLOCK_WORDS * WORD_SIZE) {
        count += 16 * popcount(add_block(&c, data));
        data += BLOCK_WORDS * WORD_SIZE;
    }
    count +=
        popcount(c.ones) + 2 * popcount(c.twos) + 4 * popcount(c.fours) + 8 * popcount(c.eights);
    while (size > 0) {
        uint64_t word = 0;
        size_t taken = size < WORD_SIZE ? size : WORD_SIZE;
        memcpy(&word, data, taken);
        count += popcount(word);
        data += taken;
        size -= taken;
    }
    return count;
}

static void check_range(struct bytes bytes, struct bit_range range)
{
    ASSERT(range.from <= range.to && range.to / 8 < bytes.size);
}

/* Bits of the range's first and last byte that lie outside of it. */
static uint8_t before(struct bit_range range)
{
    return (uint8_t)(0xff00 >> range.from % 8);
}

static uint8_t after(struct bit_range range)
{
    return (uint8_t)(0x7f >> range.to % 8);
}

uint64_t bits_count_range(struct bytes bytes, struct bit_range range)
{
    if (range.from > range.to)
        return 0;
    check_range(bytes, range);
    size_t first = (size_t)(range.from / 8), last = (size_t)(range.to / 8);
    uint64_t count = bits_count(bytes_of(bytes.data + first, last - first + 1));
    return count - popcount(bytes.data[first] & before(range)) -
           popcount(bytes.data[last] & after(range));
}

/* ---- finding ---- */

/* First bit set of `size` bytes, each flipped first by `flip`; size * 8 when there is none. */
static uint64_t first_set(const uint8_t *data, size_t size, uint64_t flip)
{
    size_t at = 0;
    for (; size - at >= WORD_SIZE; at += WORD_SIZE) {
        uint64_t word = get_be64(data + at) ^ flip;
        if (word != 0)
            return (uint64_t)at * 8 + (uint64_t)__builtin_clzll(word);
    }
    for (; at < size; at++) {
        uint32_t byte = data[at] ^ (flip & 0xff);
        if (byte != 0)
            return (uint64_t)at * 8 + (uint64_t)__builtin_clz(byte) - 24;
    }
    return (uint64_t)size * 8;
}

bool bits_find(struct bytes bytes, struct bit_range range, bool bit, uint64_t *position)
{
    if (range.from > range.to)
        return false;
    check_range(bytes, range);
    uint64_t flip = bit ? 0 : UINT64_MAX;
    uint64_t first = range.from / 8, last = range.to / 8;
    uint32_t byte = (bytes.data[first] ^ (flip & 0xff)) & (uint32_t)~before(range) & 0xff;
    uint64_t found;
    if (byte != 0)
        found = first * 8 + (uint64_t)__builtin_clz(byte) - 24;
    else
        found = (first + 1) * 8 + first_set(bytes.data + first + 1, (size_t)(last - first), flip);
    if (found > range.to)
        return false;
    *position = found;
    return true;
}

/* ---- combining ---- */

typedef void combine_fn(uint8_t *out, const uint8_t *source, size_t size);

/* Simple loops over bytes: compilers make them words or vectors. */
static void combine_and(uint8_t *restrict out, const uint8_t *restrict source, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] &= source[i];
}

static void combine_or(uint8_t *restrict out, const uint8_t *restrict source, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] |= source[i];
}

static void combine_xor(uint8_t *restrict out, const uint8_t *restrict source, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] ^= source[i];
}

static void invert(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)~out[i];
}

static void add_source(enum bits_operation operation, struct bytes source, uint8_t *out,
                       size_t size)
{
    switch (operation) {
    case BITS_AND:
        combine_and(out, source.data, source.size);
        memset(out + source.size, 0, size - source.size);
        return;
    case BITS_OR:
        combine_or(out, source.data, source.size);
        return;
    case BITS_XOR:
        combine_xor(out, source.data, source.size);
        return;
    case BITS_NOT:
        break;
    }
    UNREACHABLE();
}

void bits_combine(enum bits_operation operation, const struct bytes *sources, size_t count,
                  uint8_t *out, size_t size)
{
    ASSERT(count > 0 && (operation != BITS_NOT || count == 1));
    ASSERT(sources[0].size <= size);
    if (sources[0].size > 0)
        memcpy(out, sources[0].data, sources[0].size);
    memset(out + sources[0].size, 0, size - sources[0].size);
    if (operation == BITS_NOT)
        invert(out, size);
    for (size_t i = 1; i < count; i++) {
        ASSERT(sources[i].size <= size);
        add_source(operation, sources[i], out, size);
    }
}

/* ---- fields ---- */

static uint64_t mask_of(uint8_t width)
{
    return width == WORD_BITS ? UINT64_MAX : (1ULL << width) - 1;
}

/* The low bits of value as a number of the field. */
static int64_t narrow(struct bit_field field, uint64_t value)
{
    value &= mask_of(field.width);
    if (field.is_signed && (value >> (field.width - 1) & 1) != 0)
        value |= ~mask_of(field.width);
    return (int64_t)value;
}

/* Nine bytes as a word of eight and the one after it. */
static uint64_t shifted(const uint8_t window[BIT_FIELD_BYTES_MAX], unsigned skip)
{
    uint64_t word = get_be64(window);
    return skip == 0 ? word : word << skip | window[WORD_SIZE] >> (8 - skip);
}

int64_t bit_field_get(struct bytes bytes, struct bit_field field)
{
    ASSERT(field.width >= 1 && field.width <= WORD_BITS - !field.is_signed);
    uint8_t window[BIT_FIELD_BYTES_MAX] = {0};
    uint64_t first = field.offset / 8;
    if (first < bytes.size) {
        size_t rest = bytes.size - (size_t)first;
        memcpy(window, bytes.data + first, rest < sizeof(window) ? rest : sizeof(window));
    }
    uint64_t word = shifted(window, (unsigned)(field.offset % 8));
    return narrow(field, word >> (WORD_BITS - field.width));
}

void bit_field_put(uint8_t *bytes, struct bit_field field, int64_t value)
{
    for (unsigned i = 0; i < field.width; i++) {
        unsigned at = (unsigned)(field.offset % 8) + i;
        uint8_t bit = (uint8_t)(0x80 >> at % 8);
        bool is_set = ((uint64_t)value >> (field.width - 1 - i) & 1) != 0;
        bytes[at / 8] = (uint8_t)(is_set ? bytes[at / 8] | bit : bytes[at / 8] & ~bit);
    }
}

/* -1: below what the field can hold, 1: above, 0: *result is the sum. */
static int add_signed(struct bit_field field, int64_t value, int64_t increment, int64_t *result)
{
    int64_t max = (int64_t)(mask_of(field.width) >> 1), min = -max - 1;
    if (__builtin_add_overflow(value, increment, result))
        return increment > 0 ? 1 : -1;
    return (*result > max) - (*result < min);
}

static int add_unsigned(struct bit_field field, uint64_t value, int64_t increment, int64_t *result)
{
    uint64_t max = mask_of(field.width);
    if (value > max || (increment > 0 && (uint64_t)increment > max - value))
        return 1;
    if (increment < 0 && 0 - (uint64_t)increment > value)
        return -1;
    *result = (int64_t)(value + (uint64_t)increment);
    return 0;
}

static int64_t limit_of(struct bit_field field, int direction)
{
    uint64_t mask = mask_of(field.width);
    if (!field.is_signed)
        return direction > 0 ? (int64_t)mask : 0;
    return direction > 0 ? (int64_t)(mask >> 1) : -(int64_t)(mask >> 1) - 1;
}

bool bit_field_add(struct bit_field field, int64_t value, int64_t increment,
                   enum bit_overflow overflow, int64_t *result)
{
    int direction = field.is_signed ? add_signed(field, value, increment, result)
                                    : add_unsigned(field, (uint64_t)value, increment, result);
    if (direction == 0)
        return true;
    if (overflow == BIT_FAIL)
        return false;
    if (overflow == BIT_SATURATE)
        *result = limit_of(field, direction);
    else
        *result = narrow(field, (uint64_t)value + (uint64_t)increment);
    return true;
}
