/* Listpacks as Redis serializes them:
 *
 *   listpack := size:le32 count:le16 entry* 0xff       size: of all of it; count 65535: not known
 *   entry    := head data back
 *   head     := 0xxxxxxx              integer of 7 bits
 *             | 10xxxxxx              string of up to 63 bytes
 *             | 110xxxxx low:u8       integer of 13 bits, signed
 *             | 1110xxxx low:u8       string of up to 4095 bytes
 *             | 0xf0 size:le32        string
 *             | 0xf1 | 0xf2 | 0xf3 | 0xf4     integer of 2, 3, 4, 8 bytes, le, signed
 *   back     := size of head and data, seven bits a byte, the highest first, 0x80 in all but the
 * first */
#include "codec/rdb.h"

#include "base/endian.h"
#include "base/number.h"

enum {
    HEAD_SIZE = 6,
    END = 0xff,
    COUNT_UNKNOWN = 65535,
    STRING_6 = 0x80,
    INT_13 = 0xc0,
    STRING_12 = 0xe0,
    STRING_32 = 0xf0,
    INT_16 = 0xf1,
    INT_24 = 0xf2,
    INT_32 = 0xf3,
    INT_64 = 0xf4,
};

/* ---- writing ---- */

void listpack_begin(struct buf *out)
{
    memset(buf_extend(out, HEAD_SIZE), 0, HEAD_SIZE);
}

static size_t back_size(size_t size)
{
    size_t bytes = 1;
    for (; size > 127; size >>= 7)
        bytes++;
    return bytes;
}

static void put_back(struct buf *out, size_t size)
{
    size_t bytes = back_size(size);
    uint8_t *at = buf_extend(out, bytes);
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)((size >> (7 * (bytes - 1 - i)) & 127) | (i > 0 ? 0x80 : 0));
}

static void put_wide(struct buf *out, uint8_t head, int64_t value, size_t width)
{
    buf_append_u8(out, head);
    for (size_t i = 0; i < width; i++)
        buf_append_u8(out, (uint8_t)((uint64_t)value >> (8 * i)));
    put_back(out, 1 + width);
}

void listpack_put_int(struct buf *out, int64_t value)
{
    if (value >= 0 && value <= 127) {
        buf_append_u8(out, (uint8_t)value);
        put_back(out, 1);
    } else if (value >= -4096 && value <= 4095) {
        uint32_t bits = (uint32_t)value & 0x1fff;
        buf_append_u8(out, (uint8_t)(INT_13 | bits >> 8));
        buf_append_u8(out, (uint8_t)bits);
        put_back(out, 2);
    } else if (value >= INT16_MIN && value <= INT16_MAX) {
        put_wide(out, INT_16, value, 2);
    } else if (value >= -(1 << 23) && value < 1 << 23) {
        put_wide(out, INT_24, value, 3);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        put_wide(out, INT_32, value, 4);
    } else {
        put_wide(out, INT_64, value, 8);
    }
}

void listpack_put(struct buf *out, struct bytes text)
{
    int64_t value;
    size_t begin = out->size;
    if (text.size <= NUMBER_INTEGER_SIZE_MAX && number_parse_i64(text, &value)) {
        listpack_put_int(out, value);
        return;
    }
    if (text.size < 64) {
        buf_append_u8(out, (uint8_t)(STRING_6 | text.size));
    } else if (text.size < 4096) {
        buf_append_u8(out, (uint8_t)(STRING_12 | text.size >> 8));
        buf_append_u8(out, (uint8_t)text.size);
    } else {
        buf_append_u8(out, STRING_32);
        put_le32(buf_extend(out, 4), (uint32_t)text.size);
    }
    buf_append(out, text);
    put_back(out, out->size - begin);
}

void listpack_end(struct buf *out, size_t begin, uint32_t count)
{
    buf_append_u8(out, END);
    put_le32(out->data + begin, (uint32_t)(out->size - begin));
    put_le16(out->data + begin + 4, (uint16_t)(count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN));
}

/* ---- reading ---- */

bool listpack_open(struct bytes listpack, struct bytes *rest)
{
    if (listpack.size < HEAD_SIZE + 1 || get_le32(listpack.data) != listpack.size ||
        listpack.data[listpack.size - 1] != END)
        return false;
    *rest = bytes_of(listpack.data + HEAD_SIZE, listpack.size - HEAD_SIZE - 1);
    return true;
}

static void set_int(struct buf *text, int64_t value)
{
    char digits[NUMBER_INTEGER_SIZE_MAX];
    buf_clear(text);
    buf_append(text, bytes_of(digits, number_format_i64(digits, value)));
}

static bool take_string(struct bytes *rest, size_t size, struct buf *text)
{
    struct bytes bytes;
    if (!rdb_take_bytes(rest, size, &bytes))
        return false;
    buf_clear(text);
    buf_append(text, bytes);
    return true;
}

static bool take_wide(struct bytes *rest, uint8_t head, struct buf *text)
{
    static const uint8_t WIDTHS[] = {2, 3, 4, 8};
    if (head > INT_64)
        return false;
    uint8_t width = WIDTHS[head - INT_16];
    struct bytes bytes;
    if (!rdb_take_bytes(rest, width, &bytes))
        return false;
    uint64_t value = 0;
    for (uint8_t i = 0; i < width; i++)
        value |= (uint64_t)bytes.data[i] << (8 * i);
    uint32_t shift = 64 - 8u * width;
    set_int(text, (int64_t)(value << shift) >> shift);
    return true;
}

static bool take_body(struct bytes *rest, struct buf *text)
{
    uint8_t head, low = 0;
    struct bytes size;
    if (!rdb_take_u8(rest, &head))
        return false;
    if (head < STRING_6) {
        set_int(text, head);
        return true;
    }
    if (head < INT_13)
        return take_string(rest, head & 63, text);
    if (head < STRING_32 && !rdb_take_u8(rest, &low))
        return false;
    if (head < STRING_12) {
        int32_t value = (head & 31) << 8 | low;
        set_int(text, value >= 4096 ? value - 8192 : value);
        return true;
    }
    if (head < STRING_32)
        return take_string(rest, (size_t)(head & 15) << 8 | low, text);
    if (head > STRING_32)
        return take_wide(rest, head, text);
    return rdb_take_bytes(rest, 4, &size) && take_string(rest, get_le32(size.data), text);
}

bool listpack_next(struct bytes *rest, struct buf *text)
{
    struct bytes at = *rest, back;
    if (at.size == 0 || !take_body(&at, text))
        return false;
    size_t used = rest->size - at.size;
    if (!rdb_take_bytes(&at, back_size(used), &back))
        return false;
    *rest = at;
    return true;
}
