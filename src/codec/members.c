#include "codec/members.h"

#include "codec/fields.h"

enum { VERSION = 1 };

void members_append(struct buf *out, const struct members *members)
{
    ASSERT(members->count <= MEMBERS_MAX);
    put_u8(out, VERSION);
    put_u8(out, (uint8_t)members->count);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct member *member = &members->at[i];
        size_t host_size = strlen(member->host);
        ASSERT(member->node != 0 && host_size <= MEMBERS_HOST_MAX);
        put_u64(out, member->node);
        put_u8(out, member->is_voter);
        put_u64(out, member->store_id);
        put_u16(out, member->port);
        put_u16(out, member->peer_port);
        put_u8(out, (uint8_t)host_size);
        buf_append(out, bytes_of((const uint8_t *)member->host, host_size));
    }
}

static bool decode_member(struct fields *fields, struct members *out)
{
    struct member member = {.node = take_u64(fields)};
    uint8_t role = take_u8(fields);
    member.is_voter = role == 1;
    member.store_id = take_u64(fields);
    member.port = take_u16(fields);
    member.peer_port = take_u16(fields);
    struct bytes host = take_bytes(fields, take_u8(fields));
    if (fields->is_short || member.node == 0 || role > 1 ||
        members_find(out, member.node) != NULL ||
        (host.size > 0 && memchr(host.data, 0, host.size) != NULL))
        return false;
    if (host.size > 0)
        memcpy(member.host, host.data, host.size);
    out->at[out->count++] = member;
    return true;
}

static void only_voter(struct members *out)
{
    *out = (struct members){.count = 1, .at = {{.node = 1, .is_voter = true}}};
}

bool members_decode(struct bytes bytes, struct members *out)
{
    *out = (struct members){0};
    if (bytes.size == 0) {
        only_voter(out);
        return true;
    }
    struct fields fields = fields_of(bytes);
    uint8_t version = take_u8(&fields);
    uint8_t count = take_u8(&fields);
    if (version != VERSION || count > MEMBERS_MAX)
        return false;
    for (uint8_t i = 0; i < count; i++) {
        if (!decode_member(&fields, out))
            return false;
    }
    return fields_end(&fields);
}

bool members_have_voter(const struct members *members)
{
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->at[i].is_voter)
            return true;
    }
    return false;
}

struct member *members_find(struct members *members, uint64_t node)
{
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->at[i].node == node)
            return &members->at[i];
    }
    return NULL;
}
