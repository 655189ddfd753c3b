#include "codec/frame.h"

#include "base/endian.h"
#include "base/hash.h"

enum {
    SUM_SIZE = 8,
    SIZE_AT = 8,
    VERSION_AT = 12,
    KIND_AT = 13,
    RESERVED_AT = 14,
};

size_t frame_begin(struct buf *out)
{
    size_t at = out->size;
    (void)buf_extend(out, FRAME_HEADER_SIZE);
    return at;
}

void frame_end(struct buf *out, size_t at, uint8_t kind, uint64_t number)
{
    ASSERT(kind < FRAME_KINDS_MAX && out->size >= at + FRAME_HEADER_SIZE);
    size_t size = out->size - at - FRAME_HEADER_SIZE;
    ASSERT(size <= UINT32_MAX);
    uint8_t *header = out->data + at;
    put_le32(header + SIZE_AT, (uint32_t)size);
    header[VERSION_AT] = FRAME_VERSION;
    header[KIND_AT] = kind;
    put_le16(header + RESERVED_AT, 0);
    struct bytes summed = bytes_of(header + SUM_SIZE, out->size - at - SUM_SIZE);
    put_le64(header, hash_bytes(summed, number));
}

void frame_drop(struct buf *out, size_t at)
{
    ASSERT(at <= out->size);
    out->size = at;
}

static enum frame_err check_header(const uint8_t *header, const struct frame_limits *limits)
{
    if (header[VERSION_AT] != FRAME_VERSION || get_le16(header + RESERVED_AT) != 0)
        return FRAME_BAD_VERSION;
    uint8_t kind = header[KIND_AT];
    if (kind >= FRAME_KINDS_MAX || limits->payload_max[kind] == 0)
        return FRAME_BAD_KIND;
    return get_le32(header + SIZE_AT) > limits->payload_max[kind] ? FRAME_TOO_BIG : FRAME_OK;
}

enum frame_err frame_read(struct bytes in, uint64_t number, const struct frame_limits *limits,
                          struct frame *out)
{
    if (in.size < FRAME_HEADER_SIZE)
        return FRAME_MORE;
    enum frame_err err = check_header(in.data, limits);
    if (err != FRAME_OK)
        return err;
    size_t payload_size = get_le32(in.data + SIZE_AT);
    if (in.size - FRAME_HEADER_SIZE < payload_size)
        return FRAME_MORE;
    size_t size = FRAME_HEADER_SIZE + payload_size;
    if (hash_bytes(bytes_of(in.data + SUM_SIZE, size - SUM_SIZE), number) != get_le64(in.data))
        return FRAME_BAD_SUM;
    *out = (struct frame){
        .kind = in.data[KIND_AT],
        .size = size,
        .payload = bytes_of(in.data + FRAME_HEADER_SIZE, payload_size),
    };
    return FRAME_OK;
}
