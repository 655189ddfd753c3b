/* What WAIT and WAITAOF are told: how far log and members are. */
#include "base/mem.h"
#include "node/internal.h"
#include "server/durability.h"

static void note(void *ctx, uint64_t since_us, struct durable_point *out)
{
    const struct node *node = ctx;
    *out = (struct durable_point){.indexes = mem_alloc(node->shard_count * sizeof(uint64_t))};
    for (uint32_t id = 0; id < node->shard_count; id++)
        if (!exec_newest_index(node->exec, id, since_us, &out->indexes[id]))
            out->indexes[id] = DURABLE_UNTOUCHED;
}

static bool is_applied(const struct node *node, const struct durable_point *point)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        if (point->indexes[id] != DURABLE_UNTOUCHED &&
            point->indexes[id] > shard_applied_index(node->shards[id]))
            return false;
    }
    return true;
}

static uint32_t voters_of(const struct shard *shard)
{
    const struct members *members = shard_members(shard);
    uint32_t voters = 0;
    for (uint32_t i = 0; i < members->count; i++)
        voters += members->at[i].is_voter;
    return voters;
}

static uint32_t others_of(struct shard *shard, uint64_t index)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    uint32_t voters = voters_of(shard);
    if (index == DURABLE_UNTOUCHED)
        return voters == 0 ? 0 : voters - 1;
    /* Led elsewhere now: what is committed is on a majority, which this node may be one of. */
    if (index == 0 || !shard_is_serving(shard))
        return voters / 2;
    size_t count = raft_peers(shard_raft(shard), peers);
    uint32_t others = 0;
    for (size_t i = 0; i < count; i++)
        others += peers[i].is_voter && peers[i].match >= index;
    return others;
}

/* An entry is put into the batch that collects before it can be committed, so once it is applied
 * the batches up to now hold it. */
static uint64_t newest_batch(const struct wal *wal)
{
    return wal_collecting(wal) - (wal_collected_bytes(wal) == 0);
}

static struct durable_state state(void *ctx, struct durable_point *point)
{
    const struct node *node = ctx;
    if (!is_applied(node, point))
        return (struct durable_state){0};
    if (point->log_batch == 0)
        point->log_batch = newest_batch(node->wal);
    uint32_t others = UINT32_MAX;
    for (uint32_t id = 0; id < node->shard_count; id++) {
        uint32_t here = others_of(node->shards[id], point->indexes[id]);
        others = here < others ? here : others;
    }
    return (struct durable_state){
        .is_applied = true,
        .is_synced = wal_synced(node->wal) >= point->log_batch,
        .others = others,
    };
}

static void sync_log(void *ctx)
{
    const struct node *node = ctx;
    wal_request_sync(node->wal);
}

void node_add_durability(struct node *node)
{
    server_on_durability(node->server, (struct durability){node, note, state, sync_log});
}
