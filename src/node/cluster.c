/* This node among others: its links, what they bring to the shards, and who leads what. */
#include <stdio.h>

#include "base/mutants.h"
#include "node/formation.h"

enum {
    SILENT_US = 3000000, /* a link that says nothing for so long is made anew */
    APPEND_MAX = 256,    /* entries in one message, as the shard's core is configured */
    QUIET_SHARDS = 16,   /* with more of them elections are told only at level verbose */
};

/* ---- who ---- */

const struct members *node_members(const struct node *node)
{
    return node->shards != NULL && node->shards[0] != NULL ? shard_members(node->shards[0])
                                                           : &node->identity.members;
}

static const char *own_host(const struct config *config)
{
    if (config->cluster_announce_ip[0] != 0)
        return config->cluster_announce_ip;
    for (size_t i = 0; i < config->bind.count; i++) {
        const char *host = config->bind.items[i];
        host += host[0] == '-';
        if (strcmp(host, "*") != 0 && strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0)
            return host;
    }
    return "127.0.0.1";
}

static uint16_t own_peer_port(const struct config *config)
{
    int64_t port =
        config->cluster_port != 0 ? config->cluster_port : config->port + CLUSTER_PEER_PORT_OFFSET;
    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

void node_self(const struct node *node, struct member *out)
{
    struct members listed;
    struct buf ignored = {0};
    const struct config *config = node->config;
    bool is_list = cluster_list_parse(config->cluster, &listed, &ignored);
    const struct member *own = is_list ? members_find(&listed, node->identity.node_id) : NULL;
    buf_free(&ignored);
    if (own != NULL) {
        *out = *own;
    } else {
        int64_t port =
            config->cluster_announce_port != 0 ? config->cluster_announce_port : config->port;
        *out = (struct member){
            .is_voter = true, .port = (uint16_t)port, .peer_port = own_peer_port(config)};
        (void)snprintf(out->host, sizeof(out->host), "%s", own_host(config));
    }
    out->node = node->identity.node_id;
    out->store_id = node->identity.store_id;
}

void node_set_peer(struct node *node, const struct member *member)
{
    if (node->peers == NULL || member->node == node->identity.node_id || member->host[0] == 0)
        return;
    struct peers_member peer = {
        .node = member->node, .store_id = member->store_id, .port = member->peer_port};
    (void)snprintf(peer.host, sizeof(peer.host), "%s", member->host);
    if (peers_set(node->peers, &peer) != PEERS_OK)
        log_write(node->log, LOG_LEVEL_WARNING, "Node %llu is one too many to be linked",
                  (unsigned long long)member->node);
}

static bool is_anybodys_member(const struct node *node, uint64_t peer)
{
    for (size_t i = 0; i < node->joining_count; i++) {
        if (node->joining[i].member.node == peer)
            return true;
    }
    for (uint32_t id = 0; id < node->shard_count; id++) {
        struct members members = *shard_members(node->shards[id]);
        if (members_find(&members, peer) != NULL)
            return true;
    }
    return false;
}

/* Links to all members of all shards, and to nobody else: a node that was removed is not heard. */
static void set_peers(struct node *node)
{
    uint64_t version = 1 + node->joining_count;
    for (uint32_t id = 0; id < node->shard_count; id++)
        version += shard_members_version(node->shards[id]) << 8;
    if (version == node->peers_version || node_members(node)->count == 0)
        return; /* one that waits to be taken in listens to those it knows */
    node->peers_version = version;
    for (uint32_t id = 0; id < node->shard_count; id++) {
        const struct members *members = shard_members(node->shards[id]);
        for (uint32_t i = 0; i < members->count; i++)
            node_set_peer(node, &members->at[i]);
    }
    for (size_t i = peers_count(node->peers); i-- > 0;) {
        uint64_t peer = peers_at(node->peers, i);
        if (!is_anybodys_member(node, peer))
            peers_remove(node->peers, peer);
    }
}

/* ---- opening ---- */

bool node_open_peers(struct node *node, struct buf *error)
{
    const struct config *config = node->config;
    bool has_secret = config->cluster_secret[0] != 0;
    if (!has_secret && config->cluster[0] == 0)
        return true; /* alone; noted in the log once it is open */
    if (!has_secret) {
        buf_append_string(error, "cluster: needs a cluster-secret, the same on all nodes");
        return false;
    }
    if (node->options.has_sockets && own_peer_port(config) == 0) {
        buf_printf(error, "cluster-port: port %lld + 10000 is no port, set one",
                   (long long)config->port);
        return false;
    }
    struct member self;
    node_self(node, &self);
    struct peers_options options = {
        .loop = node->options.has_sockets ? node->loop : NULL,
        .log = node->log,
        .listener_kind = NODE_SOURCE_PEER_LISTENER,
        .link_kind = NODE_SOURCE_PEER_LINK,
        .bind = (const char *const *)config->bind.items,
        .bind_count = config->bind.count,
        .port = own_peer_port(config),
        .cluster_id = node->identity.cluster_id,
        .node = node->identity.node_id,
        .store_id = node->identity.store_id,
        .run = node->options.seed | 1,
        .secret = bytes_of_string(config->cluster_secret),
        .use_tls = config->tls_cluster,
        .tls_cert_file = config->tls_cert_file,
        .tls_key_file = config->tls_key_file,
        .tls_ca_cert_file = config->tls_ca_cert_file,
        .tick_us = SHARD_HEARTBEAT_US,
        .silent_us = SILENT_US,
        .busy_max_us = (uint64_t)config->busy_max_ms * 1000,
        .seed = node->options.seed,
        .has_thread = node->options.has_threads,
    };
    if (!peers_open(&node->peers, &options, node->now.boot_us, error))
        return false;
    struct members listed;
    if (!cluster_list_parse(config->cluster, &listed, error))
        return false;
    for (uint32_t i = 0; i < listed.count; i++)
        node_set_peer(node, &listed.at[i]);
    return true;
}

void node_offer_cluster(struct node *node, uint64_t peer, uint64_t store_id)
{
    struct formation formation = formation_for(node, store_id);
    struct buf payload = {0};
    struct peers_request_id id;
    formation_append(&payload, &formation);
    /* Not there or full: it is offered again when the link comes up. */
    bool is_asked =
        peers_request(node->peers, peer, NODE_REQUEST_FORM, buf_bytes(&payload), &id) == PEERS_OK;
    log_write(node->log, LOG_LEVEL_VERBOSE, "The cluster is offered to node %llu%s",
              (unsigned long long)peer, is_asked ? "" : " when it is there again");
    buf_free(&payload);
}

/* ---- what comes in ---- */

static bool is_group(const struct node *node, uint32_t group)
{
    return group < node->shard_count;
}

static void hear_link(struct node *node, const struct peers_input *input)
{
    if (input->link.channel != PEERS_FORWARD)
        return;
    for (size_t i = 0; i < node->joining_count; i++) {
        struct joining *joining = &node->joining[i];
        if (joining->member.node != input->node)
            continue;
        joining->member.store_id = input->link.store_id;
        joining->is_formed = input->link.cluster_id == node->identity.cluster_id;
    }
    if (input->link.cluster_id == 0)
        node_offer_cluster(node, input->node, input->link.store_id);
}

static void lose_link(struct node *node, const struct peers_input *input)
{
    for (uint32_t id = 0; input->link.channel == PEERS_APPEND && id < node->shard_count; id++)
        raft_unreachable(shard_raft(node->shards[id]), input->node);
    if (input->link.channel == PEERS_BULK)
        node_lose_streams(node, input->node);
}

static void hear_answer(struct node *node, const struct peers_input *input)
{
    if (input->request.kind != NODE_REQUEST_FORM)
        return;
    struct bytes text = input->request.payload;
    if (text.size == 0) {
        node_note_formed(node, input->node);
        return;
    }
    log_write(node->log, LOG_LEVEL_WARNING, "Node %llu does not take our cluster: %.*s",
              (unsigned long long)input->node, (int)(text.size < 200 ? text.size : 200),
              (const char *)text.data);
}

static void hear_request(struct node *node, const struct peers_input *input)
{
    struct bytes answer = BYTES_LITERAL("belongs to a cluster already");
    if (input->request.kind == NODE_REQUEST_NOT_INSTALLED) {
        node_hear_not_installed(node, input->node, input->request.payload);
        answer = bytes_of(NULL, 0);
    }
    (void)peers_answer(node->peers, input->node, input->request.id, input->request.kind, answer);
}

static void hear(struct node *node, struct peers_input *input)
{
    uint64_t now_us = node->now.boot_us;
    switch (input->kind) {
    case PEERS_IN_MESSAGE:
        if (is_group(node, input->raft.group))
            shard_step(node->shards[input->raft.group], now_us, &input->raft.message,
                       input->raft.entries);
        break;
    case PEERS_IN_PULSE:
        if (is_group(node, input->pulse.group))
            raft_pulse(shard_raft(node->shards[input->pulse.group]), now_us, input->node,
                       input->pulse.term);
        break;
    case PEERS_IN_PULSE_ANSWER:
        if (is_group(node, input->pulse.group))
            raft_pulse_answered(shard_raft(node->shards[input->pulse.group]), now_us, input->node,
                                input->pulse.term);
        break;
    case PEERS_IN_LINK_UP:
        hear_link(node, input);
        break;
    case PEERS_IN_LINK_DOWN:
        lose_link(node, input);
        break;
    case PEERS_IN_REQUEST:
        hear_request(node, input);
        break;
    case PEERS_IN_ANSWER:
        hear_answer(node, input);
        break;
    case PEERS_IN_STREAM_OPEN:
    case PEERS_IN_STREAM_CHUNK:
    case PEERS_IN_STREAM_END:
    case PEERS_IN_STREAM_STOP:
        if (is_group(node, input->stream.group))
            node_hear_stream(node, input);
        break;
    }
}

void node_hear_peers(struct node *node)
{
    struct peers_input input;
    if (node->peers == NULL)
        return;
    peers_tick(node->peers, node->now);
    while (peers_next(node->peers, &input))
        hear(node, &input);
}

/* ---- what goes out ---- */

static void send_append(struct node *node, uint32_t id, const struct raft_message *message)
{
    struct entry *scratch[APPEND_MAX];
    struct shard *shard = node->shards[id];
    uint32_t count = message->append.count;
    ASSERT(count <= APPEND_MAX);
    struct entry *const *entries =
        shard_entries(shard, message->append.prev_index + 1, count, scratch);
    uint32_t sent = peers_send_append(node->peers, id, message, entries, count);
    if (sent < count)
        raft_append_cut(shard_raft(shard), message->to, message->append.prev_index + sent);
}

static void send_messages(struct node *node, uint32_t id, const struct raft_ready *ready)
{
    for (size_t i = 0; node->peers != NULL && i < ready->message_count; i++) {
        const struct raft_message *message = &ready->messages[i];
        if (message->kind == RAFT_APPEND)
            send_append(node, id, message);
        else
            peers_send(node->peers, id, message);
    }
}

static void tell_role(struct node *node, uint32_t id, const struct raft_ready *ready)
{
    if (!ready->role_changed)
        return;
    enum log_level level = node->shard_count > QUIET_SHARDS ? LOG_LEVEL_VERBOSE : LOG_LEVEL_NOTICE;
    unsigned long long term = ready->term, leader = ready->leader;
    if (ready->role == RAFT_LEADER)
        log_write(node->log, level, "Shard %u: leads in term %llu", id, term);
    else if (ready->role == RAFT_PRE_CANDIDATE)
        log_write(node->log, level, "Shard %u: hears no leader, asks for votes (term %llu)", id,
                  term);
    else if (ready->role == RAFT_CANDIDATE)
        log_write(node->log, level, "Shard %u: is a candidate in term %llu", id, term);
    else if (leader != 0)
        log_write(node->log, level, "Shard %u: follows node %llu in term %llu", id, leader, term);
    else
        log_write(node->log, level, "Shard %u: has no leader in term %llu", id, term);
}

static void collect(struct node *node, uint32_t id)
{
    struct raft_ready ready;
    while (shard_next_ready(node->shards[id], node->now.boot_us, &ready)) {
        send_messages(node, id, &ready);
        tell_role(node, id, &ready);
        uint64_t wanted[RAFT_MEMBERS_MAX];
        size_t wanted_count = ready.install_count;
        memcpy(wanted, ready.installs, sizeof(wanted));
        shard_take_ready(node->shards[id], &ready);
        for (size_t i = 0; i < wanted_count; i++)
            node_want_install(node, id, wanted[i]);
    }
}

void node_collect(struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++)
        collect(node, id);
}

void node_send(struct node *node)
{
    if (node->peers != NULL)
        peers_flush(node->peers);
}

/* ---- who leads ---- */

static void tell_leader(struct node *node, uint32_t id)
{
    struct shard *shard = node->shards[id];
    struct shard_told *told = &node->told[id];
    uint64_t leader = raft_leader(shard_raft(shard));
    if (leader == node->identity.node_id)
        leader = 0;
    uint64_t version = shard_members_version(shard);
    if (leader == told->leader && version == told->members_version && leader != 0)
        return;
    struct members members = *shard_members(shard);
    const struct member *member = leader == 0 ? NULL : members_find(&members, leader);
    char address[MEMBERS_HOST_MAX + 8] = "";
    if (member != NULL && member->host[0] != 0)
        (void)snprintf(address, sizeof(address), "%s:%u", member->host, member->port);
    exec_set_leader(node->exec, id, address);
    told->leader = leader;
    told->members_version = version;
}

static void tell_pulse(struct node *node, uint32_t id)
{
    uint64_t term = shard_lead_term(node->shards[id]);
    if (node->peers == NULL || node->told[id].lead_term == term)
        return;
    node->told[id].lead_term = term;
    peers_lead(node->peers, id, term);
}

void node_follow_cluster(struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        tell_leader(node, id);
        tell_pulse(node, id);
    }
    if (node->peers == NULL)
        return;
    set_peers(node);
    node_step_installs(node);
    node_do_duties(node);
}

/* ---- time ---- */

static void insert(uint64_t *clocks, size_t *count, uint64_t clock)
{
    size_t at = (*count)++;
    for (; at > 0 && clocks[at - 1] > clock; at--)
        clocks[at] = clocks[at - 1];
    clocks[at] = clock;
}

/* False: too few clocks are known yet to say what the others think. */
static bool median_clock(const struct node *node, uint64_t *median)
{
    uint64_t clocks[MEMBERS_MAX];
    size_t count = 0, voters = 0;
    const struct members *members = node_members(node);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct member *member = &members->at[i];
        voters += member->is_voter;
        if (!member->is_voter || member->node == node->identity.node_id || node->peers == NULL)
            continue;
        struct peers_clock clock = peers_clock(node->peers, member->node);
        if (clock.wall_us != 0)
            insert(clocks, &count, clock.wall_us + (node->now.boot_us - clock.boot_us));
    }
    insert(clocks, &count, node->now.wall_us);
    *median = clocks[(count - 1) / 2];
    return count > voters / 2;
}

bool node_agree_on_time(struct node *node)
{
    uint64_t median;
    uint64_t skew = (uint64_t)node->config->clock_skew_max_ms * 1000;
    uint64_t wall = node->now.wall_us;
    if (NODE_MUTANT(clocks_are_not_compared))
        return true;
    if (!median_clock(node, &median))
        return false;
    if (wall > median + skew)
        node->now.wall_us = median + skew;
    else if (wall + skew < median)
        node->now.wall_us = median - skew;
    return true;
}
