#include "store/row_key.h"

#include "base/endian.h"

/* What is left to decode. Every take_ checks; after a failure `ok` stays false and zeros come. */
struct reader {
    struct bytes rest;
    bool ok;
};

static uint8_t *start(struct buf *out, enum row_kind kind, size_t size)
{
    uint8_t *at = buf_extend(out, 1 + size);
    *at = (uint8_t)kind;
    return at + 1;
}

static void put_be48(uint8_t *out, uint64_t value)
{
    put_be16(out, (uint16_t)(value >> 32));
    put_be32(out + 2, (uint32_t)value);
}

static void append_name(struct buf *out, struct bytes name)
{
    ASSERT(name.size <= ROW_KEY_NAME_MAX);
    buf_append(out, name);
}

void row_key_append_slot_prefix(struct buf *out, uint32_t ksid, uint16_t slot, uint64_t hash)
{
    ASSERT(slot < ROW_KEY_SLOTS && hash <= ROW_KEY_HASH_MAX);
    uint8_t *at = start(out, ROW_KIND_KEY, ROW_KEY_K_SIZE - 1);
    put_be32(at, ksid);
    put_be16(at + 4, slot);
    put_be48(at + 6, hash);
}

void row_key_append_key(struct buf *out, uint32_t ksid, uint16_t slot, uint64_t hash,
                        struct bytes key)
{
    row_key_append_slot_prefix(out, ksid, slot, hash);
    append_name(out, key);
}

void row_key_append_key_prefix(struct buf *out, uint32_t ksid)
{
    put_be32(start(out, ROW_KIND_KEY, 4), ksid);
}

void row_key_append_element_prefix(struct buf *out, uint64_t object)
{
    put_be64(start(out, ROW_KIND_ELEMENT, 8), object);
}

void row_key_append_element(struct buf *out, uint64_t object, struct bytes element)
{
    row_key_append_element_prefix(out, object);
    append_name(out, element);
}

void row_key_append_expiry(struct buf *out, uint64_t expire_ms, uint32_t ksid, uint16_t slot,
                           struct bytes key)
{
    ASSERT(slot < ROW_KEY_SLOTS);
    uint8_t *at = start(out, ROW_KIND_EXPIRY, ROW_KEY_T_SIZE - 1);
    put_be64(at, expire_ms);
    put_be32(at + 8, ksid);
    put_be16(at + 12, slot);
    append_name(out, key);
}

void row_key_append_seat(struct buf *out, uint64_t home, uint64_t incarnation, uint32_t seat)
{
    uint8_t *at = start(out, ROW_KIND_SEAT, 20);
    put_be64(at, home);
    put_be64(at + 8, incarnation);
    put_be32(at + 16, seat);
}

static void append_sweep(struct buf *out, enum row_sweep sweep, uint64_t id)
{
    uint8_t *at = start(out, ROW_KIND_SWEEP, 9);
    at[0] = (uint8_t)sweep;
    put_be64(at + 1, id);
}

void row_key_append_sweep_object(struct buf *out, uint64_t object)
{
    append_sweep(out, ROW_SWEEP_OBJECT, object);
}

void row_key_append_sweep_keyspace(struct buf *out, uint32_t ksid)
{
    append_sweep(out, ROW_SWEEP_KEYSPACE, ksid);
}

void row_key_append_keyspace(struct buf *out, uint32_t ksid)
{
    put_be32(start(out, ROW_KIND_KEYSPACE, 4), ksid);
}

void row_key_append_meta(struct buf *out, struct bytes name)
{
    ASSERT(name.size > 0 && name.size <= ROW_KEY_META_MAX);
    (void)start(out, ROW_KIND_META, 0);
    buf_append(out, name);
}

void row_key_step_over(struct buf *prefix)
{
    while (prefix->size > 0 && prefix->data[prefix->size - 1] == 0xff)
        prefix->size--;
    ASSERT(prefix->size > 0);
    prefix->data[prefix->size - 1]++;
}

void row_key_append_successor(struct buf *out, struct bytes key)
{
    buf_append(out, key);
    buf_append_u8(out, 0);
}

static const uint8_t *take(struct reader *reader, size_t size)
{
    static const uint8_t zeros[8];
    ASSERT(size <= sizeof(zeros));
    if (!reader->ok || reader->rest.size < size) {
        reader->ok = false;
        return zeros;
    }
    const uint8_t *at = reader->rest.data;
    reader->rest = bytes_of(at + size, reader->rest.size - size);
    return at;
}

static uint16_t take_slot(struct reader *reader)
{
    uint16_t slot = get_be16(take(reader, 2));
    if (slot >= ROW_KEY_SLOTS)
        reader->ok = false;
    return slot;
}

static struct bytes take_name(struct reader *reader, size_t size_max)
{
    struct bytes name = reader->rest;
    if (name.size > size_max)
        reader->ok = false;
    reader->rest = (struct bytes){0};
    return name;
}

static void take_key(struct reader *reader, struct row_key *out)
{
    out->ksid = get_be32(take(reader, 4));
    out->slot = take_slot(reader);
    uint64_t high = get_be16(take(reader, 2));
    out->hash = high << 32 | get_be32(take(reader, 4));
    out->name = take_name(reader, ROW_KEY_NAME_MAX);
}

static void take_expiry(struct reader *reader, struct row_key *out)
{
    out->expire_ms = get_be64(take(reader, 8));
    out->ksid = get_be32(take(reader, 4));
    out->slot = take_slot(reader);
    out->name = take_name(reader, ROW_KEY_NAME_MAX);
}

static void take_sweep(struct reader *reader, struct row_key *out)
{
    uint8_t sweep = *take(reader, 1);
    uint64_t id = get_be64(take(reader, 8));
    switch (sweep) {
    case ROW_SWEEP_OBJECT:
        out->sweep = ROW_SWEEP_OBJECT;
        out->object = id;
        return;
    case ROW_SWEEP_KEYSPACE:
        out->sweep = ROW_SWEEP_KEYSPACE;
        out->ksid = (uint32_t)id;
        reader->ok = reader->ok && id <= UINT32_MAX;
        return;
    default:
        reader->ok = false;
    }
}

static void take_seat(struct reader *reader, struct row_key *out)
{
    out->home = get_be64(take(reader, 8));
    out->incarnation = get_be64(take(reader, 8));
    out->seat = get_be32(take(reader, 4));
}

static void take_fields(struct reader *reader, uint8_t kind, struct row_key *out)
{
    switch (kind) {
    case ROW_KIND_KEY:
        take_key(reader, out);
        return;
    case ROW_KIND_ELEMENT:
        out->object = get_be64(take(reader, 8));
        out->name = take_name(reader, ROW_KEY_NAME_MAX);
        return;
    case ROW_KIND_EXPIRY:
        take_expiry(reader, out);
        return;
    case ROW_KIND_SEAT:
        take_seat(reader, out);
        return;
    case ROW_KIND_SWEEP:
        take_sweep(reader, out);
        return;
    case ROW_KIND_KEYSPACE:
        out->ksid = get_be32(take(reader, 4));
        return;
    case ROW_KIND_META:
        out->name = take_name(reader, ROW_KEY_META_MAX);
        reader->ok = reader->ok && out->name.size > 0;
        return;
    default:
        reader->ok = false;
    }
}

bool row_key_decode(struct bytes key, struct row_key *out)
{
    struct reader reader = {.rest = key, .ok = true};
    uint8_t kind = *take(&reader, 1);
    *out = (struct row_key){0};
    take_fields(&reader, kind, out);
    if (!reader.ok || reader.rest.size > 0)
        return false;
    out->kind = (enum row_kind)kind;
    return true;
}

bool row_value_object(struct bytes value, uint64_t *object)
{
    struct reader reader = {.rest = value, .ok = true};
    (void)take(&reader, 1);
    uint8_t flags = *take(&reader, 1);
    if ((flags & ROW_VALUE_HAS_EXPIRE) != 0)
        (void)take(&reader, 8);
    *object = 0;
    if ((flags & ROW_VALUE_HAS_OBJECT) != 0)
        *object = get_le64(take(&reader, 8));
    return reader.ok;
}
