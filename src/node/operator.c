/* RAFT: what an operator asks of the cluster.
 *
 * Requests are executed while shards have open entries, whose index is fixed already: so nothing
 * here proposes a change of members. It is checked and noted here and proposed by the duties
 * (duties.c), at a moment when no entry is open. */
#include <stdarg.h>
#include <stdio.h>

#include "commands/call.h"
#include "node/internal.h"

typedef unsigned long long ull;

/* ---- arguments ---- */

static bool node_argument(struct call *c, int at, uint64_t *id)
{
    int64_t number;
    if (!call_int_range(c, at, 1, INT32_MAX, &number, "ERR a node is a number from 1 on"))
        return false;
    *id = (uint64_t)number;
    return true;
}

static bool shard_argument(const struct node *node, struct call *c, int at, uint32_t *id)
{
    int64_t number;
    if (!call_int(c, at, &number))
        return false;
    if (number < 0 || number >= node->shard_count) {
        call_error(c, "ERR no such shard, there are %u, counted from 0", node->shard_count);
        return false;
    }
    *id = (uint32_t)number;
    return true;
}

static bool takes_at_most(struct call *c, int argc_max)
{
    if (c->argc <= argc_max)
        return true;
    call_error(c, "ERR wrong number of arguments for 'raft|%s' command", c->command->name);
    return false;
}

/* ---- who may be asked ---- */

static void reply_who_leads(const struct node *node, struct call *c, uint32_t id)
{
    struct members members = *shard_members(node->shards[id]);
    uint64_t leader = raft_leader(shard_raft(node->shards[id]));
    const struct member *member = leader == 0 ? NULL : members_find(&members, leader);
    if (leader == node->identity.node_id)
        call_error(c, "ERR this node has only begun to lead shard %u, ask again", id);
    else if (member != NULL && member->host[0] != 0)
        call_error(c, "ERR this node does not lead shard %u, ask %s:%u", id, member->host,
                   member->port);
    else
        call_error(c, "ERR shard %u has no leader that is known here, ask again", id);
}

static bool leads(const struct node *node, struct call *c, uint32_t id)
{
    if (shard_is_serving(node->shards[id]))
        return true;
    reply_who_leads(node, c, id);
    return false;
}

/* ---- members ---- */

static void reply_done(struct call *c, bool is_done, struct buf *error)
{
    if (is_done)
        reply_ok(&c->reply);
    else
        call_error(c, "ERR %.*s", (int)error->size, (const char *)error->data);
    buf_free(error);
}

static void add(struct node *node, struct call *c)
{
    struct member member = {0};
    struct buf error = {0};
    uint64_t id;
    if (!node_argument(c, 2, &id))
        return;
    if (!cluster_address_parse(c->argv[3], &member)) {
        call_error(c, "ERR an address is host:port or host:port@peer-port");
        return;
    }
    if (!leads(node, c, 0))
        return;
    member.node = id;
    bool is_done = node_join(node, &member, &error);
    reply_done(c, is_done, &error);
}

static void take_out(struct node *node, struct call *c)
{
    struct buf error = {0};
    uint64_t id;
    if (!node_argument(c, 2, &id) || !leads(node, c, 0))
        return;
    bool is_done = node_leave(node, id, &error);
    reply_done(c, is_done, &error);
}

static bool find_peer(const struct node *node, uint32_t shard, uint64_t id,
                      struct raft_peer_status *out)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(shard_raft(node->shards[shard]), peers);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].id != id)
            continue;
        *out = peers[i];
        return true;
    }
    return false;
}

static void promote(struct node *node, struct call *c)
{
    struct raft_peer_status peer = {0};
    uint64_t id;
    if (!node_argument(c, 2, &id) || !leads(node, c, 0))
        return;
    bool is_us = id == node->identity.node_id;
    if (!is_us && !find_peer(node, 0, id, &peer)) {
        call_error(c, "ERR node %llu is no member", (ull)id);
    } else if (is_us || peer.is_voter) {
        call_error(c, "ERR node %llu is a voter already", (ull)id);
    } else if (node_is_leaving(node, id)) {
        call_error(c, "ERR node %llu is being removed", (ull)id);
    } else if (!peer.is_caught_up) {
        call_error(c, "ERR node %llu has not caught up, it becomes a voter when it has", (ull)id);
    } else {
        node->duty_us = 0;
        reply_ok(&c->reply);
    }
}

/* ---- leads ---- */

/* Why a transfer cannot begin, or NULL: it has. */
static const char *transfer(struct node *node, uint32_t shard, uint64_t to)
{
    struct raft_peer_status peer;
    if (to == node->identity.node_id)
        return "leads it already";
    if (!find_peer(node, shard, to, &peer))
        return "is no member";
    if (!peer.is_voter)
        return "is a learner, which cannot lead";
    if (!node_reaches(node, to))
        return "is not there now";
    switch (raft_transfer(shard_raft(node->shards[shard]), node->now.boot_us, to)) {
    case RAFT_OK:
        log_write(node->log, LOG_LEVEL_NOTICE, "Shard %u: hands its lead to node %llu, as told",
                  shard, (ull)to);
        return NULL;
    case RAFT_NOT_YET:
        return "has to wait: another transfer is under way";
    case RAFT_NOT_LEADER:
        return "cannot get it: this node leads it no more";
    case RAFT_UNKNOWN:
    case RAFT_BEHIND:
    case RAFT_KNOWN:
    case RAFT_LAST_VOTER:
    case RAFT_FULL:
        return "is no voter";
    }
    UNREACHABLE();
}

static void reply_transfer(struct call *c, uint32_t shard, uint64_t to, const char *error)
{
    if (error == NULL)
        reply_ok(&c->reply);
    else
        call_error(c, "ERR shard %u: node %llu %s", shard, (ull)to, error);
}

/* What can be handed over is; the first reason why not is told only when nothing could. */
static void transfer_all(struct node *node, struct call *c, uint64_t to)
{
    uint32_t begun = 0, failed_shard = 0;
    const char *failed = NULL;
    for (uint32_t id = 0; id < node->shard_count; id++) {
        if (!shard_is_serving(node->shards[id]))
            continue;
        const char *error = transfer(node, id, to);
        begun += error == NULL;
        if (error != NULL && failed == NULL) {
            failed = error;
            failed_shard = id;
        }
    }
    if (begun == 0 && failed == NULL)
        call_error(c, "ERR this node leads no shard");
    else
        reply_transfer(c, failed_shard, to, begun > 0 ? NULL : failed);
}

static void transfer_lead(struct node *node, struct call *c)
{
    uint32_t shard = 0;
    uint64_t to;
    if (!takes_at_most(c, 4) || !node_argument(c, c->argc - 1, &to))
        return;
    if (c->argc == 3) {
        transfer_all(node, c, to);
        return;
    }
    if (shard_argument(node, c, 2, &shard) && leads(node, c, shard))
        reply_transfer(c, shard, to, transfer(node, shard, to));
}

/* ---- snapshots ---- */

static void snapshot(struct node *node, struct call *c)
{
    uint32_t first = 0, last = node->shard_count - 1;
    if (!takes_at_most(c, 3))
        return;
    if (c->argc == 3) {
        if (!shard_argument(node, c, 2, &first))
            return;
        last = first;
    }
    for (uint32_t id = first; id <= last; id++)
        node->marks_wanted[id] = shard_applied_index(node->shards[id]);
    reply_ok(&c->reply);
}

/* ---- looking ---- */

static void raft_info(struct node *node, struct call *c)
{
    struct buf text = {0};
    uint32_t shard;
    if (!takes_at_most(c, 3))
        return;
    if (c->argc == 3) {
        if (!shard_argument(node, c, 2, &shard))
            return;
        node_info_shard(node, shard, &text);
    } else {
        node_info_raft(&text, node);
    }
    reply_verbatim(&c->reply, "txt", buf_bytes(&text));
    buf_free(&text);
}

static void reply_field(struct call *c, const char *name, int64_t value)
{
    reply_bulk_string(&c->reply, name);
    reply_int(&c->reply, value);
}

static void reply_text(struct call *c, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void reply_text(struct call *c, const char *name, const char *format, ...)
{
    char text[MEMBERS_HOST_MAX + 32];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reply_bulk_string(&c->reply, name);
    reply_bulk_string(&c->reply, text);
}

/* linked: all four channels. Of this node itself: 1, and heard just now. */
static void reply_member(const struct node *node, struct call *c, const struct member *member,
                         const char *role)
{
    struct peers_status status = {0};
    bool is_us = member->node == node->identity.node_id;
    bool is_known =
        !is_us && node->peers != NULL && peers_status(node->peers, member->node, &status);
    bool is_linked = is_us || is_known;
    for (int i = 0; is_known && i < PEERS_CHANNELS; i++)
        is_linked &= status.is_linked[i];
    int64_t heard_ms = is_us ? 0 : -1;
    if (is_known && status.heard_us != 0 && node->now.boot_us >= status.heard_us)
        heard_ms = (int64_t)((node->now.boot_us - status.heard_us) / 1000);
    reply_map(&c->reply, 8);
    reply_field(c, "node", (int64_t)member->node);
    reply_text(c, "address", "%s:%u", member->host, member->port);
    reply_field(c, "peer-port", member->peer_port);
    reply_text(c, "role", "%s", role);
    reply_text(c, "store-id", "%016llx", (ull)member->store_id);
    reply_field(c, "leads", node_leads(node, member->node));
    reply_field(c, "linked", is_linked ? 1 : 0);
    reply_field(c, "heard-ms-ago", heard_ms);
}

static const char *role_of(const struct node *node, const struct member *member)
{
    if (node_is_leaving(node, member->node))
        return "leaving";
    return member->is_voter ? "voter" : "learner";
}

/* Whom other shards still have and the first has not any more. */
static struct members leftovers(const struct node *node)
{
    struct members left = {0};
    struct members first = *node_members(node);
    for (uint32_t shard = 1; shard < node->shard_count; shard++) {
        const struct members *members = shard_members(node->shards[shard]);
        for (uint32_t i = 0; i < members->count && left.count < MEMBERS_MAX; i++) {
            uint64_t id = members->at[i].node;
            if (members_find(&first, id) == NULL && members_find(&left, id) == NULL)
                left.at[left.count++] = members->at[i];
        }
    }
    return left;
}

static void list_members(const struct node *node, struct call *c)
{
    struct members members = *node_members(node);
    struct members left = leftovers(node);
    size_t joining = 0;
    for (size_t i = 0; i < node->joining_count; i++)
        joining += members_find(&members, node->joining[i].member.node) == NULL;
    reply_array(&c->reply, members.count + left.count + joining);
    for (uint32_t i = 0; i < members.count; i++)
        reply_member(node, c, &members.at[i], role_of(node, &members.at[i]));
    for (uint32_t i = 0; i < left.count; i++)
        reply_member(node, c, &left.at[i], "leaving");
    for (size_t i = 0; i < node->joining_count; i++) {
        const struct member *member = &node->joining[i].member;
        if (members_find(&members, member->node) == NULL)
            reply_member(node, c, member, "joining");
    }
}

/* ---- all ---- */

static void answer(void *ctx, struct call *c, enum operator_command what)
{
    struct node *node = ctx;
    switch (what) {
    case OPERATOR_CLUSTER_COUNT_FAILURE_REPORTS:
    case OPERATOR_CLUSTER_INFO:
    case OPERATOR_CLUSTER_LINKS:
    case OPERATOR_CLUSTER_MYID:
    case OPERATOR_CLUSTER_MYSHARDID:
    case OPERATOR_CLUSTER_NODES:
    case OPERATOR_CLUSTER_REPLICAS:
    case OPERATOR_CLUSTER_SHARDS:
    case OPERATOR_CLUSTER_SLOTS:
        node_answer_cluster(node, c, what);
        break;
    case OPERATOR_RAFT_ADD:
        add(node, c);
        break;
    case OPERATOR_RAFT_INFO:
        raft_info(node, c);
        break;
    case OPERATOR_RAFT_MEMBERS:
        list_members(node, c);
        break;
    case OPERATOR_RAFT_PROMOTE:
        promote(node, c);
        break;
    case OPERATOR_RAFT_REMOVE:
        take_out(node, c);
        break;
    case OPERATOR_RAFT_SNAPSHOT:
        snapshot(node, c);
        break;
    case OPERATOR_RAFT_TRANSFER:
        transfer_lead(node, c);
        break;
    }
}

void node_add_operator(struct node *node)
{
    server_on_operator(node->server, answer, node);
}
