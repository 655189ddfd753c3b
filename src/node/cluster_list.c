#include "node/cluster_list.h"

#include "base/number.h"

enum { PORT_MAX = 65535 };

static bool parse_port(struct bytes text, uint16_t *port)
{
    uint64_t number;
    if (!number_parse_u64(text, &number) || number == 0 || number > PORT_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

static const uint8_t *last_of(struct bytes text, uint8_t byte)
{
    return text.size == 0 ? NULL : memrchr(text.data, byte, text.size);
}

static struct bytes before(struct bytes text, const uint8_t *at)
{
    return bytes_of(text.data, (size_t)(at - text.data));
}

static struct bytes behind(struct bytes text, const uint8_t *at)
{
    return bytes_of(at + 1, text.size - (size_t)(at - text.data) - 1);
}

bool cluster_address_parse(struct bytes text, struct member *out)
{
    out->peer_port = 0;
    const uint8_t *at = last_of(text, '@');
    if (at != NULL) {
        if (!parse_port(behind(text, at), &out->peer_port))
            return false;
        text = before(text, at);
    }
    const uint8_t *colon = last_of(text, ':');
    if (colon == NULL || !parse_port(behind(text, colon), &out->port))
        return false;
    struct bytes host = before(text, colon);
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = bytes_of(host.data + 1, host.size - 2);
    if (host.size == 0 || host.size > MEMBERS_HOST_MAX || memchr(host.data, 0, host.size) != NULL)
        return false;
    memcpy(out->host, host.data, host.size);
    out->host[host.size] = 0;
    if (out->peer_port == 0 && out->port + CLUSTER_PEER_PORT_OFFSET > PORT_MAX)
        return false;
    if (out->peer_port == 0)
        out->peer_port = (uint16_t)(out->port + CLUSTER_PEER_PORT_OFFSET);
    return true;
}

static bool parse_entry(struct bytes text, struct member *out)
{
    const uint8_t *equals = text.size == 0 ? NULL : memchr(text.data, '=', text.size);
    *out = (struct member){.is_voter = true};
    return equals != NULL && number_parse_u64(before(text, equals), &out->node) && out->node != 0 &&
           out->node <= INT32_MAX && cluster_address_parse(behind(text, equals), out);
}

static void insert(struct members *members, const struct member *member)
{
    uint32_t at = members->count++;
    for (; at > 0 && members->at[at - 1].node > member->node; at--)
        members->at[at] = members->at[at - 1];
    members->at[at] = *member;
}

static bool refuse(struct buf *error, struct bytes entry, const char *why)
{
    buf_printf(error, "cluster: '%.*s': %s", (int)entry.size, (const char *)entry.data, why);
    return false;
}

bool cluster_list_parse(const char *text, struct members *out, struct buf *error)
{
    *out = (struct members){0};
    for (const char *at = text; *at != 0;) {
        const char *end = strchrnul(at, ',');
        struct bytes entry = bytes_of((const uint8_t *)at, (size_t)(end - at));
        struct member member;
        if (!parse_entry(entry, &member))
            return refuse(error, entry, "expected number=host:port or number=host:port@port");
        if (members_find(out, member.node) != NULL)
            return refuse(error, entry, "a node of that number stands before it");
        if (out->count == MEMBERS_MAX)
            return refuse(error, entry, "too many nodes, 9 at most");
        insert(out, &member);
        if (*end == ',' && end[1] == 0)
            return refuse(error, entry, "nothing stands behind the comma after it");
        at = *end == 0 ? end : end + 1;
    }
    return true;
}
