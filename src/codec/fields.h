/* Fields of a wire format, one after the other: appended to a buffer, taken off foreign bytes.
 *
 * A reader that comes to the end early gives zeroes and remembers it, so that a decoder asks once,
 * at the end. Everything is little-endian. */
#pragma once

#include "base/buf.h"
#include "base/endian.h"

static inline void put_u8(struct buf *out, uint8_t value)
{
    buf_append_u8(out, value);
}

static inline void put_u16(struct buf *out, uint16_t value)
{
    put_le16(buf_extend(out, sizeof(value)), value);
}

static inline void put_u32(struct buf *out, uint32_t value)
{
    put_le32(buf_extend(out, sizeof(value)), value);
}

static inline void put_u64(struct buf *out, uint64_t value)
{
    put_le64(buf_extend(out, sizeof(value)), value);
}

struct fields {
    struct bytes rest;
    bool is_short; /* something was not there */
};

static inline struct fields fields_of(struct bytes bytes)
{
    return (struct fields){.rest = bytes};
}

/* The next `size` bytes; empty when there are not so many. */
static inline struct bytes take_bytes(struct fields *fields, size_t size)
{
    if (size > fields->rest.size) {
        *fields = (struct fields){.is_short = true};
        return (struct bytes){0};
    }
    struct bytes taken = bytes_of(fields->rest.data, size);
    if (size > 0) /* data may be NULL otherwise, and NULL + 0 is undefined */
        fields->rest = bytes_of(fields->rest.data + size, fields->rest.size - size);
    return taken;
}

static inline uint8_t take_u8(struct fields *fields)
{
    struct bytes taken = take_bytes(fields, sizeof(uint8_t));
    return taken.size == 0 ? 0 : taken.data[0];
}

static inline uint16_t take_u16(struct fields *fields)
{
    struct bytes taken = take_bytes(fields, sizeof(uint16_t));
    return taken.size == 0 ? 0 : get_le16(taken.data);
}

static inline uint32_t take_u32(struct fields *fields)
{
    struct bytes taken = take_bytes(fields, sizeof(uint32_t));
    return taken.size == 0 ? 0 : get_le32(taken.data);
}

static inline uint64_t take_u64(struct fields *fields)
{
    struct bytes taken = take_bytes(fields, sizeof(uint64_t));
    return taken.size == 0 ? 0 : get_le64(taken.data);
}

/* Everything was there and nothing is left. */
static inline bool fields_end(const struct fields *fields)
{
    return !fields->is_short && fields->rest.size == 0;
}
