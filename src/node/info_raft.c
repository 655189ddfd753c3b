/* The section "raft" of INFO, and RAFT INFO. One line a thing, its values separated by commas:
 *
 *   shard0:role=leader,…        this node's copy of a shard
 *   shard0_peer2:state=…        what its leader, when that is this node, knows of another member
 *   link2:linked=4,…            the links to another node */
#include "node/internal.h"

typedef unsigned long long ull;

static const char *state_name(enum raft_peer_state state)
{
    switch (state) {
    case RAFT_PROBE:
        return "probe";
    case RAFT_REPLICATE:
        return "replicate";
    case RAFT_SNAPSHOT:
        return "snapshot";
    }
    UNREACHABLE();
}

static long long ms_ago(const struct node *node, uint64_t boot_us)
{
    if (boot_us == 0)
        return -1;
    return node->now.boot_us > boot_us ? (long long)((node->now.boot_us - boot_us) / 1000) : 0;
}

/* ---- shards ---- */

/* How the shard's start went: what LevelDB held, what the log held above it, what each took. */
static void info_cold_start(struct buf *out, const struct node *node, uint32_t id)
{
    struct shard_status status = shard_status(node->shards[id]);
    buf_printf(out, "cold_start_shard%u:start=%s", id, shard_start_text(status.start));
    buf_printf(out, ",applied=%llu,gap=%llu,open_ms=%.3f,replay_ms=%.3f\r\n",
               (ull)status.start_applied, (ull)status.start_replayed,
               (double)node->shard_open_us[id] / 1000, (double)status.replay_us / 1000);
}

static void info_followers(const struct node *node, uint32_t id, struct buf *out)
{
    const struct raft *raft = shard_raft(node->shards[id]);
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(raft, peers);
    uint64_t last = raft_last_index(raft);
    for (size_t i = 0; i < count; i++)
        buf_printf(out,
                   "shard%u_peer%llu:state=%s,role=%s,match=%llu,lag=%llu,caught_up=%d,"
                   "heard_ms_ago=%lld\r\n",
                   id, (ull)peers[i].id, state_name(peers[i].state),
                   peers[i].is_voter ? "voter" : "learner", (ull)peers[i].match,
                   (ull)(last - peers[i].match), peers[i].is_caught_up ? 1 : 0,
                   ms_ago(node, peers[i].heard_us));
}

void node_info_shard(const struct node *node, uint32_t id, struct buf *out)
{
    struct shard *shard = node->shards[id];
    const struct raft *raft = shard_raft(shard);
    struct shard_status status = shard_status(shard);
    struct raft_counters counters = raft_counters(raft);
    buf_printf(out,
               "shard%u:role=%s,term=%llu,last=%llu,commit=%llu,applied=%llu,flushed=%llu,"
               "mark=%llu,base=%llu,leader=%llu,lease=%d,campaigns=%llu,elections_won=%llu,"
               "step_downs=%llu,log_bytes=%llu,refused_entries=%llu,refused_messages=%llu\r\n",
               id, status.is_leader ? "leader" : "follower", (ull)status.term, (ull)status.last,
               (ull)status.commit, (ull)status.applied, (ull)status.flushed, (ull)status.mark,
               (ull)status.base, (ull)raft_leader(raft),
               raft_lease_valid(raft, node->now.boot_us) ? 1 : 0, (ull)counters.campaigns,
               (ull)counters.elections_won, (ull)counters.step_downs, (ull)status.log_bytes,
               (ull)status.refused_entries, (ull)counters.messages_refused);
    info_cold_start(out, node, id);
    info_followers(node, id, out);
}

/* ---- the node ---- */

static const char *role_name(const struct node *node)
{
    uint32_t leads = 0;
    for (uint32_t id = 0; id < node->shard_count; id++)
        leads += shard_lead_term(node->shards[id]) != 0;
    return leads == 0 ? "follower" : leads == node->shard_count ? "leader" : "mixed";
}

static void info_start(const struct node *node, struct buf *out)
{
    uint64_t replayed = 0;
    enum shard_start start = SHARD_START_FRESH;
    for (uint32_t id = 0; id < node->shard_count; id++) {
        struct shard_status status = shard_status(node->shards[id]);
        replayed += status.start_replayed;
        if (status.start > start)
            start = status.start;
    }
    buf_printf(out, "cold_start:%s", shard_start_text(start));
    if (start == SHARD_START_REPLAYED)
        buf_printf(out, " %llu", (ull)replayed);
    buf_printf(out, "\r\ncold_start_us:%llu\r\n", (ull)node->open_us);
}

static void info_elections(const struct node *node, struct buf *out)
{
    struct raft_counters sum = {0};
    uint64_t refused = 0;
    for (uint32_t id = 0; id < node->shard_count; id++) {
        struct raft_counters counters = raft_counters(shard_raft(node->shards[id]));
        sum.campaigns += counters.campaigns;
        sum.elections_won += counters.elections_won;
        sum.step_downs += counters.step_downs;
        refused += shard_status(node->shards[id]).refused_entries;
    }
    buf_printf(out,
               "campaigns:%llu\r\nelections_won:%llu\r\nstep_downs:%llu\r\n"
               "refused_entries:%llu\r\n",
               (ull)sum.campaigns, (ull)sum.elections_won, (ull)sum.step_downs, (ull)refused);
}

/* ---- links ---- */

static void info_link(const struct node *node, uint64_t peer, struct buf *out)
{
    struct peers_status status;
    if (!peers_status(node->peers, peer, &status))
        return;
    int linked = 0;
    size_t queued = 0;
    for (int i = 0; i < PEERS_CHANNELS; i++) {
        linked += status.is_linked[i];
        queued += status.queued[i];
    }
    buf_printf(out,
               "link%llu:linked=%d,rtt_us=%llu,heard_ms_ago=%lld,queued=%zu,links_made=%llu,"
               "dropped=%llu,refused=%llu,sent_bytes=%llu,received_bytes=%llu,error=%s\r\n",
               (ull)peer, linked, (ull)status.rtt_us, ms_ago(node, status.heard_us), queued,
               (ull)status.links, (ull)status.dropped, (ull)status.refused, (ull)status.sent_bytes,
               (ull)status.received_bytes, status.error);
}

static void info_links(const struct node *node, struct buf *out)
{
    if (node->peers == NULL)
        return;
    struct peers_counters counters = peers_counters(node->peers);
    buf_printf(out,
               "links_strangers:%llu\r\nlinks_frames_refused:%llu\r\nlinks_frames_in:%llu\r\n"
               "links_frames_out:%llu\r\nlinks_pulses_sent:%llu\r\n",
               (ull)counters.strangers, (ull)counters.frames_refused, (ull)counters.frames_in,
               (ull)counters.frames_out, (ull)counters.pulses_sent);
    for (size_t i = 0; i < peers_count(node->peers); i++)
        info_link(node, peers_at(node->peers, i), out);
}

void node_info_raft(struct buf *out, void *context)
{
    const struct node *node = context;
    info_start(node, out);
    buf_printf(out,
               "raft_role:%s\r\nnode:%llu\r\nmembers:%u\r\njoining:%zu\r\nshards:%u\r\n"
               "cluster_id:%016llx\r\nstore_id:%016llx\r\n",
               role_name(node), (ull)node->identity.node_id, node_members(node)->count,
               node->joining_count, node->shard_count, (ull)node->identity.cluster_id,
               (ull)node->identity.store_id);
    info_elections(node, out);
    node_info_installs(node, out);
    info_links(node, out);
    for (uint32_t id = 0; id < node->shard_count; id++)
        node_info_shard(node, id, out);
}
