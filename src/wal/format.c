#include "wal/format.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

enum {
    SEGMENT_AT = 8,
    NUMBER_AT = 16,
    SYNCED_AT = 24,
    SIZE_AT = 32,
    FORMAT_AT = 4,
    RESERVED_AT = 6,
    NAME_DIGITS = 16,
};

void wal_put_header(uint8_t *out, const struct wal_header *header)
{
    ASSERT(header->number > 0 && header->synced < header->number);
    ASSERT(header->size >= WAL_HEADER_SIZE && header->size % WAL_ALIGN == 0);
    put_le32(out, WAL_MAGIC);
    put_le16(out + FORMAT_AT, WAL_FORMAT);
    put_le16(out + RESERVED_AT, 0);
    put_le64(out + SEGMENT_AT, header->segment);
    put_le64(out + NUMBER_AT, header->number);
    put_le64(out + SYNCED_AT, header->synced);
    put_le64(out + SIZE_AT, header->size);
    put_le64(out + WAL_CHECKSUM_AT, 0);
}

void wal_put_checksum(uint8_t *header, uint64_t checksum)
{
    put_le64(header + WAL_CHECKSUM_AT, checksum);
}

static uint64_t checksum_of(struct hash_stream *stream, struct bytes batch, uint64_t offset)
{
    static const uint8_t no_checksum[WAL_HEADER_SIZE - WAL_CHECKSUM_AT] = {0};
    hash_stream_start(stream, offset);
    hash_stream_add(stream, bytes_of(batch.data, WAL_CHECKSUM_AT));
    hash_stream_add(stream, bytes_of(no_checksum, sizeof(no_checksum)));
    hash_stream_add(stream, bytes_of(batch.data + WAL_HEADER_SIZE, batch.size - WAL_HEADER_SIZE));
    return hash_stream_value(stream);
}

static bool fields_are_sane(const struct wal_header *header, uint64_t space)
{
    return header->number > 0 && header->number < WAL_NUMBER_MAX &&
           header->synced < header->number && header->size >= WAL_HEADER_SIZE &&
           header->size <= space && header->size % WAL_ALIGN == 0;
}

bool wal_looks_like_batch(struct bytes segment, uint64_t segment_number, uint64_t offset)
{
    if (offset > segment.size || segment.size - offset < WAL_HEADER_SIZE)
        return false;
    const uint8_t *in = segment.data + offset;
    return get_le32(in) == WAL_MAGIC && get_le64(in + SEGMENT_AT) == segment_number;
}

enum wal_found wal_check_batch(struct bytes segment, uint64_t segment_number, uint64_t offset,
                               struct wal_header *header)
{
    if (!wal_looks_like_batch(segment, segment_number, offset))
        return WAL_FOUND_NOTHING;
    const uint8_t *in = segment.data + offset;
    if (get_le16(in + FORMAT_AT) > WAL_FORMAT)
        return WAL_FOUND_NEWER;
    *header = (struct wal_header){
        .segment = segment_number,
        .number = get_le64(in + NUMBER_AT),
        .synced = get_le64(in + SYNCED_AT),
        .size = get_le64(in + SIZE_AT),
    };
    if (get_le16(in + FORMAT_AT) != WAL_FORMAT || get_le16(in + RESERVED_AT) != 0 ||
        !fields_are_sane(header, segment.size - offset))
        return WAL_FOUND_NOTHING;
    struct hash_stream *stream = hash_stream_new();
    uint64_t checksum = checksum_of(stream, bytes_of(in, (size_t)header->size), offset);
    hash_stream_free(stream);
    return checksum == get_le64(in + WAL_CHECKSUM_AT) ? WAL_FOUND_BATCH : WAL_FOUND_NOTHING;
}

/* ---- records ---- */

void wal_append_record(struct buf *out, const struct wal_record *record, size_t payload_size)
{
    ASSERT(payload_size <= WAL_ENTRY_SIZE_MAX);
    uint8_t *at = buf_extend(out, WAL_RECORD_SIZE);
    at[0] = (uint8_t)record->kind;
    at[1] = record->entry_kind;
    put_le16(at + 2, 0);
    put_le32(at + 4, record->group);
    put_le32(at + 8, (uint32_t)payload_size);
    put_le64(at + 12, record->index);
    put_le64(at + 20, record->term);
}

static bool is_padding(struct bytes rest)
{
    for (size_t i = 0; i < rest.size; i++)
        if (rest.data[i] != 0)
            return false;
    return rest.size < WAL_ALIGN;
}

static bool record_is_sane(const struct wal_record *record)
{
    size_t size = record->payload.size;
    switch (record->kind) {
    case WAL_RECORD_ENTRY:
    case WAL_RECORD_COPY:
        return record->index > 0 && record->index < WAL_NUMBER_MAX && size <= WAL_ENTRY_SIZE_MAX &&
               entry_is_valid(record->entry_kind, record->payload);
    case WAL_RECORD_MARK:
    case WAL_RECORD_RESET:
        return record->entry_kind == 0 && record->index < WAL_NUMBER_MAX &&
               size <= WAL_MEMBERS_SIZE_MAX;
    case WAL_RECORD_BASE:
        return record->entry_kind == 0 && record->index < WAL_NUMBER_MAX && size == 0;
    case WAL_RECORD_HARD:
    case WAL_RECORD_STORE:
        return record->entry_kind == 0 && size == 0;
    default:
        return false;
    }
}

enum wal_next wal_next_record(struct bytes *rest, struct wal_record *record)
{
    if (is_padding(*rest))
        return WAL_NEXT_END;
    if (rest->size < WAL_RECORD_SIZE)
        return WAL_NEXT_BAD;
    const uint8_t *in = rest->data;
    uint32_t size = get_le32(in + 8);
    if (size > rest->size - WAL_RECORD_SIZE || get_le16(in + 2) != 0)
        return WAL_NEXT_BAD;
    *record = (struct wal_record){
        .kind = (enum wal_record_kind)in[0],
        .entry_kind = in[1],
        .group = get_le32(in + 4),
        .index = get_le64(in + 12),
        .term = get_le64(in + 20),
        .payload = bytes_of(in + WAL_RECORD_SIZE, size),
    };
    if (!record_is_sane(record))
        return WAL_NEXT_BAD;
    *rest = bytes_of(in + WAL_RECORD_SIZE + size, rest->size - WAL_RECORD_SIZE - size);
    return WAL_NEXT_RECORD;
}

/* ---- names ---- */

static void put_name(char *out, uint64_t number, const char *suffix)
{
    int size = snprintf(out, WAL_NAME_SIZE, "%016" PRIx64 "%s", number, suffix);
    ASSERT(size > 0 && size < WAL_NAME_SIZE);
}

void wal_segment_name(char *out, uint64_t number)
{
    put_name(out, number, ".wal");
}

void wal_spare_name(char *out, uint64_t number)
{
    put_name(out, number, ".spare");
}

static bool parse_name(const char *name, const char *suffix, uint64_t *number)
{
    if (strlen(name) != NAME_DIGITS + strlen(suffix) || strcmp(name + NAME_DIGITS, suffix) != 0)
        return false;
    *number = 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, name[i]);
        if (digit == NULL)
            return false;
        *number = *number << 4 | (uint64_t)(digit - digits);
    }
    return *number > 0 && *number < WAL_NUMBER_MAX;
}

bool wal_parse_segment_name(const char *name, uint64_t *number)
{
    return parse_name(name, ".wal", number);
}

bool wal_parse_spare_name(const char *name, uint64_t *number)
{
    return parse_name(name, ".spare", number);
}

const char *wal_path(struct buf *out, const char *dir, const char *name)
{
    buf_clear(out);
    buf_printf(out, "%s/%s", dir, name);
    buf_append_u8(out, 0);
    return (const char *)out->data;
}
