#include "cluster/hello.h"

#include "codec/fields.h"

#define HELLO_MAGIC "QUOINPER"

enum { MAGIC_SIZE = 8 };

void hello_put(struct buf *out, const struct hello *hello)
{
    size_t before = out->size;
    buf_append(out, bytes_of(HELLO_MAGIC, MAGIC_SIZE));
    put_u16(out, hello->protocol);
    put_u8(out, hello->channel);
    for (int i = 0; i < 5; i++)
        put_u8(out, 0);
    put_u64(out, hello->cluster_id);
    put_u64(out, hello->from_node);
    put_u64(out, hello->from_store);
    put_u64(out, hello->to_node);
    put_u64(out, hello->to_store);
    put_u64(out, hello->run);
    put_u64(out, hello->dial);
    buf_append(out, bytes_of(hello->nonce, HELLO_NONCE_SIZE));
    ASSERT(out->size - before == HELLO_SIZE);
}

bool hello_take(struct bytes in, struct hello *out)
{
    struct fields fields = fields_of(in);
    struct bytes magic = take_bytes(&fields, MAGIC_SIZE);
    *out = (struct hello){.protocol = take_u16(&fields), .channel = take_u8(&fields)};
    uint8_t reserved = 0;
    for (int i = 0; i < 5; i++)
        reserved |= take_u8(&fields);
    out->cluster_id = take_u64(&fields);
    out->from_node = take_u64(&fields);
    out->from_store = take_u64(&fields);
    out->to_node = take_u64(&fields);
    out->to_store = take_u64(&fields);
    out->run = take_u64(&fields);
    out->dial = take_u64(&fields);
    struct bytes nonce = take_bytes(&fields, HELLO_NONCE_SIZE);
    if (!fields_end(&fields) || !bytes_equal(magic, bytes_of(HELLO_MAGIC, MAGIC_SIZE)))
        return false;
    memcpy(out->nonce, nonce.data, HELLO_NONCE_SIZE);
    return reserved == 0 && out->channel < PEERS_CHANNELS && out->from_node != 0 &&
           out->from_store != 0 && out->run != 0 && out->dial != 0;
}

const char *hello_verdict_text(enum hello_verdict verdict)
{
    static const char *const texts[HELLO_VERDICTS] = {
        [HELLO_WELCOME] = "welcome",
        [HELLO_BAD] = "not a Quoin node, or a damaged greeting",
        [HELLO_PROTOCOL_DIFFERS] = "another version of the protocol between nodes",
        [HELLO_CLUSTER_DIFFERS] = "another cluster id",
        [HELLO_NOT_ME] = "another node id was called",
        [HELLO_NOT_MY_STORE] = "another store id was called: a data directory was replaced",
        [HELLO_NOT_A_MEMBER] = "not a member of the cluster",
        [HELLO_STORE_DIFFERS] = "not the member's store id: its data directory was replaced",
        [HELLO_WRONG_SIDE] = "the node with the smaller id must dial",
        [HELLO_STALE] = "a newer link is there already",
        [HELLO_SECRET_DIFFERS] = "another cluster-secret",
    };
    return verdict < HELLO_VERDICTS ? texts[verdict] : "an unknown reason";
}

enum hello_verdict hello_check(const struct hello *hello, const struct hello_self *self,
                               const struct peers_member *member)
{
    if (hello->protocol != HELLO_PROTOCOL)
        return HELLO_PROTOCOL_DIFFERS;
    bool is_formed = hello->cluster_id != 0 && self->cluster_id != 0;
    if (is_formed && hello->cluster_id != self->cluster_id)
        return HELLO_CLUSTER_DIFFERS;
    if (hello->to_node != self->node)
        return HELLO_NOT_ME;
    if (hello->to_store != 0 && hello->to_store != self->store_id)
        return HELLO_NOT_MY_STORE;
    if (member == NULL || member->node != hello->from_node)
        return HELLO_NOT_A_MEMBER;
    if (member->store_id != 0 && member->store_id != hello->from_store)
        return HELLO_STORE_DIFFERS;
    return HELLO_WELCOME;
}

void hello_prove(struct bytes secret, bool is_dialler, struct bytes hello, struct bytes challenge,
                 struct bytes session, uint8_t out[HMAC_SIZE])
{
    ASSERT(hello.size == HELLO_SIZE && challenge.size == HELLO_SIZE);
    struct buf said = {0};
    buf_append(&said, is_dialler ? BYTES_LITERAL("dialler ") : BYTES_LITERAL("acceptor"));
    buf_append(&said, hello);
    buf_append(&said, challenge);
    buf_append(&said, session);
    hmac_sha256(secret, buf_bytes(&said), out);
    buf_free(&said);
}
