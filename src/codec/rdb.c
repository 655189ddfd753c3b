#include "codec/rdb.h"

#include "base/endian.h"
#include "base/number.h"

enum {
    SIZE_6 = 0x00,
    SIZE_14 = 0x40,
    SIZE_32 = 0x80,
    SIZE_64 = 0x81,
    ENCODED = 0xc0,
    ENCODED_INT8 = 0xc0,
    ENCODED_INT16 = 0xc1,
    ENCODED_INT32 = 0xc2,
    ENCODED_LZF = 0xc3,
    STRING_MAX = 512 << 20,
};

/* CRC-64 of Jones, reflected, four bits at a time. */
uint64_t rdb_crc64(struct bytes bytes)
{
    static const uint64_t TABLE[16] = {
        0x0000000000000000, 0x7d08ff3b88be6f81, 0xfa11fe77117cdf02, 0x8719014c99c2b083,
        0xdf7adabd7a6e2d6f, 0xa2722586f2d042ee, 0x256b24ca6b12f26d, 0x5863dbf1e3ac9dec,
        0x95ac9329ac4bc9b5, 0xe8a46c1224f5a634, 0x6fbd6d5ebd3716b7, 0x12b5926535897936,
        0x4ad64994d625e4da, 0x37deb6af5e9b8b5b, 0xb0c7b7e3c7593bd8, 0xcdcf48d84fe75459};
    uint64_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        crc = crc >> 4 ^ TABLE[crc & 15];
        crc = crc >> 4 ^ TABLE[crc & 15];
    }
    return crc;
}

/* ---- writing ---- */

void rdb_put_size(struct buf *out, uint64_t size)
{
    if (size < 64) {
        buf_append_u8(out, (uint8_t)size);
    } else if (size < 16384) {
        buf_append_u8(out, (uint8_t)(SIZE_14 | size >> 8));
        buf_append_u8(out, (uint8_t)size);
    } else if (size <= UINT32_MAX) {
        buf_append_u8(out, SIZE_32);
        put_be32(buf_extend(out, 4), (uint32_t)size);
    } else {
        buf_append_u8(out, SIZE_64);
        put_be64(buf_extend(out, 8), size);
    }
}

void rdb_put_string(struct buf *out, struct bytes bytes)
{
    rdb_put_size(out, bytes.size);
    buf_append(out, bytes);
}

void rdb_put_double(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put_le64(buf_extend(out, 8), bits);
}

void rdb_put_footer(struct buf *out)
{
    put_le16(buf_extend(out, 2), RDB_VERSION_WRITTEN);
    uint64_t crc = rdb_crc64(buf_bytes(out));
    put_le64(buf_extend(out, 8), crc);
}

/* ---- reading ---- */

bool rdb_take_footer(struct bytes *payload)
{
    if (payload->size < RDB_FOOTER_SIZE)
        return false;
    struct bytes body = bytes_of(payload->data, payload->size - 8);
    uint16_t version = get_le16(body.data + body.size - 2);
    uint64_t crc = get_le64(payload->data + body.size);
    if (version > RDB_VERSION_MAX || (crc != 0 && crc != rdb_crc64(body)))
        return false;
    *payload = bytes_of(body.data, body.size - 2);
    return true;
}

bool rdb_take_bytes(struct bytes *rest, size_t size, struct bytes *value)
{
    if (rest->size < size)
        return false;
    *value = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

bool rdb_take_u8(struct bytes *rest, uint8_t *value)
{
    struct bytes byte;
    if (!rdb_take_bytes(rest, 1, &byte))
        return false;
    *value = byte.data[0];
    return true;
}

bool rdb_take_le64(struct bytes *rest, uint64_t *value)
{
    struct bytes bytes;
    if (!rdb_take_bytes(rest, 8, &bytes))
        return false;
    *value = get_le64(bytes.data);
    return true;
}

/* The rest of a size whose first byte was taken; not for encoded strings. */
static bool take_size_behind(struct bytes *rest, uint8_t head, uint64_t *size)
{
    struct bytes more;
    if (head < SIZE_14) {
        *size = head;
        return true;
    }
    if (head < SIZE_32) {
        if (!rdb_take_bytes(rest, 1, &more))
            return false;
        *size = (uint64_t)(head & 63) << 8 | more.data[0];
        return true;
    }
    if ((head != SIZE_32 && head != SIZE_64) ||
        !rdb_take_bytes(rest, head == SIZE_32 ? 4 : 8, &more))
        return false;
    *size = head == SIZE_32 ? get_be32(more.data) : get_be64(more.data);
    return true;
}

bool rdb_take_size(struct bytes *rest, uint64_t *size)
{
    uint8_t head;
    return rdb_take_u8(rest, &head) && take_size_behind(rest, head, size);
}

static void set_int(struct buf *value, int64_t number)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    buf_clear(value);
    buf_append(value, bytes_of(text, number_format_i64(text, number)));
}

static bool take_int(struct bytes *rest, uint8_t head, struct buf *value)
{
    struct bytes more;
    size_t size = head == ENCODED_INT8 ? 1 : head == ENCODED_INT16 ? 2 : 4;
    if (!rdb_take_bytes(rest, size, &more))
        return false;
    set_int(value, size == 1   ? (int8_t)more.data[0]
                   : size == 2 ? (int16_t)get_le16(more.data)
                               : (int32_t)get_le32(more.data));
    return true;
}

/* LZF: a control byte below 32 is followed by that many bytes and one more; else its upper three
 * bits (7: the next byte more) and two more bytes are copied from the distance in the other
 * thirteen. */
static bool expand(struct bytes in, size_t size, struct buf *out)
{
    buf_clear(out);
    for (size_t at = 0; at < in.size;) {
        uint8_t control = in.data[at++];
        if (control < 32) {
            size_t run = control + 1u;
            if (in.size - at < run || size - out->size < run)
                return false;
            buf_append(out, bytes_of(in.data + at, run));
            at += run;
            continue;
        }
        size_t length = control >> 5;
        if (length == 7) {
            if (at == in.size)
                return false;
            length += in.data[at++];
        }
        length += 2;
        if (at == in.size)
            return false;
        size_t distance = ((size_t)(control & 31) << 8 | in.data[at++]) + 1;
        if (distance > out->size || size - out->size < length)
            return false;
        for (; length > 0; length--)
            buf_append_u8(out, out->data[out->size - distance]);
    }
    return out->size == size;
}

bool rdb_take_string(struct bytes *rest, struct buf *value)
{
    uint8_t head;
    uint64_t size, packed;
    struct bytes bytes;
    if (!rdb_take_u8(rest, &head))
        return false;
    if (head == ENCODED_LZF)
        return rdb_take_size(rest, &packed) && rdb_take_size(rest, &size) && size <= STRING_MAX &&
               packed <= rest->size && rdb_take_bytes(rest, (size_t)packed, &bytes) &&
               expand(bytes, (size_t)size, value);
    if (head >= ENCODED)
        return head <= ENCODED_INT32 && take_int(rest, head, value);
    if (!take_size_behind(rest, head, &size) || size > STRING_MAX || size > rest->size ||
        !rdb_take_bytes(rest, (size_t)size, &bytes))
        return false;
    buf_clear(value);
    buf_append(value, bytes);
    return true;
}

bool rdb_take_double(struct bytes *rest, double *value)
{
    uint64_t bits;
    if (!rdb_take_le64(rest, &bits))
        return false;
    memcpy(value, &bits, sizeof(bits));
    return *value == *value;
}

bool rdb_take_old_double(struct bytes *rest, double *value)
{
    enum { NOT_A_NUMBER = 253, PLUS_INFINITY, MINUS_INFINITY };
    uint8_t size;
    struct bytes text;
    if (!rdb_take_u8(rest, &size) || size == NOT_A_NUMBER)
        return false;
    if (size == PLUS_INFINITY || size == MINUS_INFINITY) {
        *value = size == PLUS_INFINITY ? __builtin_inf() : -__builtin_inf();
        return true;
    }
    return rdb_take_bytes(rest, size, &text) && number_parse_double(text, value);
}
