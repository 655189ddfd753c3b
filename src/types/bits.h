/* A string as an array of bits: bit 0 is the highest bit of byte 0, as the bitmap commands count.
 * Pure functions over bytes; nothing here knows keys or objects. */
#pragma once

#include "base/assert.h"
#include "base/bytes.h"

/* Bits from..to, both included; from > to is the empty range. */
struct bit_range {
    uint64_t from, to;
};

/* Number of bits set. O(bytes), about 8 bytes a nanosecond. */
uint64_t bits_count(struct bytes bytes);

/* The same within a range that lies inside bytes. */
uint64_t bits_count_range(struct bytes bytes, struct bit_range range);

/* First bit of the range (inside bytes) that is `bit`. False when there is none. */
MUST_USE bool bits_find(struct bytes bytes, struct bit_range range, bool bit, uint64_t *position);

enum bits_operation { BITS_AND, BITS_OR, BITS_XOR, BITS_NOT };

/* out becomes the operation over all sources, of which shorter ones count as padded with zero bytes
 * to size, that of the longest. BITS_NOT takes one source. out may not overlap a source. */
void bits_combine(enum bits_operation operation, const struct bytes *sources, size_t count,
                  uint8_t *out, size_t size);

/* ---- integers of 1 to 64 bits at any bit ---- */

struct bit_field {
    uint64_t offset; /* of its highest bit */
    uint8_t width;   /* 1 to 64; unsigned ones to 63 */
    bool is_signed;
};

enum { BIT_FIELD_BYTES_MAX = 9 }; /* that a field touches */

/* Its value; bits beyond the end of bytes are 0. */
int64_t bit_field_get(struct bytes bytes, struct bit_field field);

/* Writes value (its low bits) into a field; bytes are those from byte field.offset / 8 on. */
void bit_field_put(uint8_t *bytes, struct bit_field field, int64_t value);

/* Bytes that the field touches: from field.offset / 8 on. */
static inline size_t bit_field_bytes(struct bit_field field)
{
    return (size_t)((field.offset % 8 + field.width + 7) / 8);
}

enum bit_overflow { BIT_WRAP, BIT_SATURATE, BIT_FAIL };

/* value + increment as the field can hold it. False when it cannot and overflow is BIT_FAIL. An
 * unsigned field takes a negative value as a huge one, as Redis does for SET. */
MUST_USE bool bit_field_add(struct bit_field field, int64_t value, int64_t increment,
                            enum bit_overflow overflow, int64_t *result);
