/* CLUSTER: the cluster as clients of the Redis Cluster protocol see it. The leader of a shard is
 * the master of its slots, the other voters are its replicas; a node that leads nothing is a
 * replica of the leader of shard 0. Epochs are terms. Shapes and orders of fields are those of
 * Redis 7.0, which clients parse by position. */
#include <stdio.h>

#include "base/hash.h"
#include "commands/call.h"
#include "keyspace/slot.h"
#include "node/internal.h"
#include "router/router.h"

typedef unsigned long long ull;

enum { ID_SIZE = 40 };

/* ---- names ---- */

/* 40 digits that stay the same for as long as the directory exists. */
static void write_id(uint64_t store, uint64_t number, uint64_t salt, char out[static ID_SIZE + 1])
{
    uint64_t hash = hash_bytes(bytes_of((const uint8_t *)&store, sizeof(store)), salt);
    (void)snprintf(out, ID_SIZE + 1, "%016llx%08llx%016llx", (ull)store, (ull)(number & UINT32_MAX),
                   (ull)hash);
}

static void node_name(const struct member *member, char out[static ID_SIZE + 1])
{
    write_id(member->store_id, member->node, member->node, out);
}

/* The founder's store and its cluster may have one number: the salt keeps names apart. */
static void shard_name(const struct node *node, uint32_t id, char out[static ID_SIZE + 1])
{
    write_id(node->identity.cluster_id, id, ~(uint64_t)id, out);
}

/* Ours is where the configuration says; a member's record tells where it was taken in. */
static struct member shown(const struct node *node, const struct member *member)
{
    struct member self;
    if (member->node != node->identity.node_id)
        return *member;
    node_self(node, &self);
    self.store_id = member->store_id;
    self.is_voter = member->is_voter;
    return self;
}

static struct members view_members(const struct node *node)
{
    struct members members = *node_members(node);
    for (uint32_t i = 0; i < members.count; i++)
        members.at[i] = shown(node, &members.at[i]);
    return members;
}

static const struct member *find_by_name(const struct members *members, struct bytes name)
{
    for (uint32_t i = 0; i < members->count; i++) {
        char id[ID_SIZE + 1];
        node_name(&members->at[i], id);
        if (bytes_equal(bytes_of_string(id), name))
            return &members->at[i];
    }
    return NULL;
}

static void reply_unknown(struct call *c)
{
    call_error(c, "ERR Unknown node %.*s", (int)(c->argv[2].size < 128 ? c->argv[2].size : 128),
               (const char *)c->argv[2].data);
}

/* ---- slots and leaders ---- */

static uint64_t leader_of(const struct node *node, uint32_t shard)
{
    return raft_leader(shard_raft(node->shards[shard]));
}

static int first_slot(const struct node *node, uint32_t shard)
{
    return router_first_slot(node->shard_count, shard);
}

static int last_slot(const struct node *node, uint32_t shard)
{
    return shard + 1 < node->shard_count ? first_slot(node, shard + 1) - 1 : SLOT_COUNT - 1;
}

/* Heard on the control channel, or this node itself. */
static bool is_reached(const struct node *node, uint64_t id, uint64_t *heard_us)
{
    struct peers_status status;
    *heard_us = node->now.boot_us;
    if (id == node->identity.node_id)
        return true;
    if (node->peers == NULL || !peers_status(node->peers, id, &status))
        return false;
    *heard_us = status.heard_us;
    return status.is_linked[PEERS_CONTROL];
}

/* Of the shards that a node leads the newest, or of shard 0. */
static uint64_t epoch_of(const struct node *node, uint64_t id)
{
    uint64_t epoch = 0;
    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        uint64_t term = raft_term_now(shard_raft(node->shards[shard]));
        if (leader_of(node, shard) == id && term > epoch)
            epoch = term;
    }
    return epoch != 0 ? epoch : raft_term_now(shard_raft(node->shards[0]));
}

/* ---- CLUSTER SLOTS and SHARDS ---- */

static void reply_slots_node(struct call *c, const struct member *member)
{
    char id[ID_SIZE + 1];
    node_name(member, id);
    reply_array(&c->reply, 4);
    reply_bulk_string(&c->reply, member->host);
    reply_int(&c->reply, member->port);
    reply_bulk_string(&c->reply, id);
    reply_map(&c->reply, 0); /* nothing else is known of where it is */
}

/* The voters of a shard, its leader first; the count. */
static uint32_t voters_of(const struct node *node, uint32_t shard, struct members *out)
{
    const struct members *members = shard_members(node->shards[shard]);
    uint64_t leader = leader_of(node, shard);
    *out = (struct members){0};
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->at[i].node == leader)
            out->at[out->count++] = shown(node, &members->at[i]);
    }
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->at[i].node != leader && members->at[i].is_voter)
            out->at[out->count++] = shown(node, &members->at[i]);
    }
    return out->count;
}

/* As replicas only voters that lead nothing, since in Redis a node is either a master or a replica:
 * redis-py takes the role in the first range that names a node for its role in all, and leaves
 * leaders out when it asks all masters (DBSIZE, KEYS, FLUSHALL). */
static void reply_slots_range(const struct node *node, struct call *c, uint32_t shard)
{
    struct members voters;
    uint32_t all = voters_of(node, shard, &voters), count = 1;
    for (uint32_t i = 1; i < all; i++) {
        if (node_leads(node, voters.at[i].node) == 0)
            voters.at[count++] = voters.at[i];
    }
    reply_array(&c->reply, 2 + count);
    reply_int(&c->reply, first_slot(node, shard));
    reply_int(&c->reply, last_slot(node, shard));
    for (uint32_t i = 0; i < count; i++)
        reply_slots_node(c, &voters.at[i]);
}

/* The first node of a range is taken for its master, so one without a leader is left out: clients
 * ask again. */
static void cluster_slots(const struct node *node, struct call *c)
{
    size_t mark = reply_defer(&c->reply);
    size_t count = 0;
    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        if (leader_of(node, shard) == 0)
            continue;
        reply_slots_range(node, c, shard);
        count++;
    }
    reply_defer_array(&c->reply, mark, count);
}

static void reply_shards_node(const struct node *node, struct call *c, const struct member *member,
                              uint64_t leader, uint64_t offset)
{
    char id[ID_SIZE + 1];
    uint64_t heard_us;
    node_name(member, id);
    reply_map(&c->reply, 7);
    reply_bulk_string(&c->reply, "id");
    reply_bulk_string(&c->reply, id);
    reply_bulk_string(&c->reply, "port");
    reply_int(&c->reply, member->port);
    reply_bulk_string(&c->reply, "ip");
    reply_bulk_string(&c->reply, member->host);
    reply_bulk_string(&c->reply, "endpoint");
    reply_bulk_string(&c->reply, member->host);
    reply_bulk_string(&c->reply, "role");
    reply_bulk_string(&c->reply, member->node == leader ? "master" : "replica");
    reply_bulk_string(&c->reply, "replication-offset");
    reply_int(&c->reply, (int64_t)offset);
    reply_bulk_string(&c->reply, "health");
    reply_bulk_string(&c->reply, is_reached(node, member->node, &heard_us) ? "online" : "fail");
}

/* Index up to which a member has the shard's log; only a leader knows that of others. */
static uint64_t offset_of(const struct node *node, uint32_t shard, uint64_t id)
{
    const struct raft *raft = shard_raft(node->shards[shard]);
    if (id == node->identity.node_id)
        return raft_last_index(raft);
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(raft, peers);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].id == id)
            return peers[i].match;
    }
    return raft_commit_index(raft);
}

static void cluster_shards(const struct node *node, struct call *c)
{
    reply_array(&c->reply, node->shard_count);
    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        struct members voters;
        uint32_t count = voters_of(node, shard, &voters);
        reply_map(&c->reply, 2);
        reply_bulk_string(&c->reply, "slots");
        reply_array(&c->reply, 2);
        reply_int(&c->reply, first_slot(node, shard));
        reply_int(&c->reply, last_slot(node, shard));
        reply_bulk_string(&c->reply, "nodes");
        reply_array(&c->reply, count);
        for (uint32_t i = 0; i < count; i++)
            reply_shards_node(node, c, &voters.at[i], leader_of(node, shard),
                              offset_of(node, shard, voters.at[i].node));
    }
}

/* ---- CLUSTER NODES and REPLICAS ---- */

/* Whom a node follows, NULL when it leads something or nobody leads shard 0. */
static const struct member *master_of(const struct node *node, const struct members *members,
                                      uint64_t id)
{
    struct members copy = *members;
    if (node_leads(node, id) > 0)
        return NULL;
    const struct member *found = members_find(&copy, leader_of(node, 0));
    return found == NULL ? NULL : &members->at[found - copy.at];
}

static void append_slots(const struct node *node, uint64_t id, struct buf *out)
{
    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        if (leader_of(node, shard) != id)
            continue;
        int first = first_slot(node, shard), last = last_slot(node, shard);
        if (first == last)
            buf_printf(out, " %d", first);
        else
            buf_printf(out, " %d-%d", first, last);
    }
}

static void append_node(const struct node *node, const struct members *members,
                        const struct member *member, struct buf *out)
{
    char id[ID_SIZE + 1], master_id[ID_SIZE + 1] = "-";
    uint64_t heard_us;
    bool is_us = member->node == node->identity.node_id;
    bool leads = node_leads(node, member->node) > 0;
    bool is_there = is_reached(node, member->node, &heard_us);
    const struct member *master = master_of(node, members, member->node);
    node_name(member, id);
    if (master != NULL)
        node_name(master, master_id);
    uint64_t pong_ms = 0;
    if (!is_us && heard_us != 0 && heard_us <= node->now.boot_us)
        pong_ms = (node->now.wall_us - (node->now.boot_us - heard_us)) / 1000;
    buf_printf(out, "%s %s:%u@%u %s%s%s %s 0 %llu %llu %s", id, member->host, member->port,
               member->peer_port, is_us ? "myself," : "", leads ? "master" : "slave",
               is_there ? "" : ",fail?", master_id, (ull)pong_ms, (ull)epoch_of(node, member->node),
               is_there ? "connected" : "disconnected");
    append_slots(node, member->node, out);
}

static void cluster_nodes(const struct node *node, struct call *c)
{
    struct buf text = {0};
    struct members members = view_members(node);
    for (uint32_t i = 0; i < members.count; i++) {
        append_node(node, &members, &members.at[i], &text);
        buf_append_u8(&text, '\n');
    }
    reply_verbatim(&c->reply, "txt", buf_bytes(&text));
    buf_free(&text);
}

static void cluster_replicas(const struct node *node, struct call *c)
{
    struct members members = view_members(node);
    const struct member *named = find_by_name(&members, c->argv[2]);
    if (named == NULL) {
        reply_unknown(c);
        return;
    }
    if (node_leads(node, named->node) == 0) {
        call_error(c, "ERR The specified node is not a master");
        return;
    }
    size_t mark = reply_defer(&c->reply);
    size_t count = 0;
    for (uint32_t i = 0; i < members.count; i++) {
        if (master_of(node, &members, members.at[i].node) != named)
            continue;
        struct buf line = {0};
        append_node(node, &members, &members.at[i], &line);
        reply_bulk(&c->reply, buf_bytes(&line));
        buf_free(&line);
        count++;
    }
    reply_defer_array(&c->reply, mark, count);
}

static void cluster_failure_reports(const struct node *node, struct call *c)
{
    struct members members = view_members(node);
    if (find_by_name(&members, c->argv[2]) == NULL)
        reply_unknown(c);
    else
        reply_int(&c->reply, 0);
}

/* ---- the rest ---- */

struct sums {
    int led_slots; /* of shards with a leader */
    size_t leaders;
    uint64_t epoch;
};

static struct sums sum_up(const struct node *node)
{
    struct sums sums = {0};
    const struct members *members = node_members(node);
    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        uint64_t term = raft_term_now(shard_raft(node->shards[shard]));
        if (leader_of(node, shard) != 0)
            sums.led_slots += last_slot(node, shard) - first_slot(node, shard) + 1;
        if (term > sums.epoch)
            sums.epoch = term;
    }
    for (uint32_t i = 0; i < members->count; i++)
        sums.leaders += node_leads(node, members->at[i].node) > 0;
    return sums;
}

static void cluster_info(const struct node *node, struct call *c)
{
    struct buf text = {0};
    struct sums sums = sum_up(node);
    struct peers_counters counters = {0};
    if (node->peers != NULL)
        counters = peers_counters(node->peers);
    buf_printf(&text,
               "cluster_state:%s\r\ncluster_slots_assigned:%d\r\ncluster_slots_ok:%d\r\n"
               "cluster_slots_pfail:0\r\ncluster_slots_fail:%d\r\ncluster_known_nodes:%u\r\n"
               "cluster_size:%zu\r\ncluster_current_epoch:%llu\r\ncluster_my_epoch:%llu\r\n",
               sums.led_slots == SLOT_COUNT ? "ok" : "fail", SLOT_COUNT, sums.led_slots,
               SLOT_COUNT - sums.led_slots, node_members(node)->count, sums.leaders,
               (ull)sums.epoch, (ull)epoch_of(node, node->identity.node_id));
    buf_printf(&text,
               "cluster_stats_messages_sent:%llu\r\ncluster_stats_messages_received:%llu\r\n"
               "total_cluster_links_buffer_limit_exceeded:0\r\n",
               (ull)counters.frames_out, (ull)counters.frames_in);
    reply_verbatim(&c->reply, "txt", buf_bytes(&text));
    buf_free(&text);
}

static void reply_link(const struct node *node, struct call *c, const struct member *member,
                       size_t queued)
{
    char id[ID_SIZE + 1];
    node_name(member, id);
    reply_map(&c->reply, 6);
    reply_bulk_string(&c->reply, "direction");
    reply_bulk_string(&c->reply, node->identity.node_id < member->node ? "to" : "from");
    reply_bulk_string(&c->reply, "node");
    reply_bulk_string(&c->reply, id);
    reply_bulk_string(&c->reply, "create-time");
    reply_int(&c->reply, 0); /* not kept */
    reply_bulk_string(&c->reply, "events");
    reply_bulk_string(&c->reply, queued > 0 ? "rw" : "r");
    reply_bulk_string(&c->reply, "send-buffer-allocated");
    reply_int(&c->reply, (int64_t)queued);
    reply_bulk_string(&c->reply, "send-buffer-used");
    reply_int(&c->reply, (int64_t)queued);
}

/* Four connections to each node, one a channel; the node with the smaller number dials. */
static void cluster_links(const struct node *node, struct call *c)
{
    struct members members = view_members(node);
    size_t mark = reply_defer(&c->reply);
    size_t count = 0;
    for (uint32_t i = 0; i < members.count; i++) {
        struct peers_status status;
        if (node->peers == NULL || !peers_status(node->peers, members.at[i].node, &status))
            continue;
        for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
            if (!status.is_linked[channel])
                continue;
            reply_link(node, c, &members.at[i], status.queued[channel]);
            count++;
        }
    }
    reply_defer_array(&c->reply, mark, count);
}

/* One that waits in no shard yet has only what its own directory says. */
static void cluster_myid(const struct node *node, struct call *c)
{
    char id[ID_SIZE + 1];
    struct members members = *node_members(node);
    const struct member *own = members_find(&members, node->identity.node_id);
    struct member self;
    node_self(node, &self);
    node_name(own != NULL ? own : &self, id);
    reply_bulk_string(&c->reply, id);
}

static void cluster_myshardid(const struct node *node, struct call *c)
{
    char id[ID_SIZE + 1];
    uint32_t shard = 0;
    while (shard < node->shard_count && leader_of(node, shard) != node->identity.node_id)
        shard++;
    shard_name(node, shard < node->shard_count ? shard : 0, id);
    reply_bulk_string(&c->reply, id);
}

void node_answer_cluster(struct node *node, struct call *c, enum operator_command what)
{
    if (what == OPERATOR_CLUSTER_COUNT_FAILURE_REPORTS)
        cluster_failure_reports(node, c);
    else if (what == OPERATOR_CLUSTER_INFO)
        cluster_info(node, c);
    else if (what == OPERATOR_CLUSTER_LINKS)
        cluster_links(node, c);
    else if (what == OPERATOR_CLUSTER_MYID)
        cluster_myid(node, c);
    else if (what == OPERATOR_CLUSTER_MYSHARDID)
        cluster_myshardid(node, c);
    else if (what == OPERATOR_CLUSTER_NODES)
        cluster_nodes(node, c);
    else if (what == OPERATOR_CLUSTER_REPLICAS)
        cluster_replicas(node, c);
    else if (what == OPERATOR_CLUSTER_SHARDS)
        cluster_shards(node, c);
    else
        cluster_slots(node, c);
}
