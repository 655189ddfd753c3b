#include "node/formation.h"

#include "base/prng.h"
#include "base/steps.h"
#include "codec/fields.h"

enum {
    VERSION = 1,
    POLL_US = 50000,
    TELL_US = 5000000, /* who is missing, into the log */
};

void formation_append(struct buf *out, const struct formation *formation)
{
    put_u8(out, VERSION);
    put_u64(out, formation->cluster_id);
    put_u64(out, formation->seed);
    put_u32(out, formation->shards);
    put_u64(out, formation->store_id);
    put_u8(out, formation->founds);
    members_append(out, &formation->members);
}

bool formation_decode(struct bytes bytes, struct formation *out)
{
    struct fields fields = fields_of(bytes);
    uint8_t version = take_u8(&fields);
    *out = (struct formation){.cluster_id = take_u64(&fields)};
    out->seed = take_u64(&fields);
    out->shards = take_u32(&fields);
    out->store_id = take_u64(&fields);
    uint8_t founds = take_u8(&fields);
    out->founds = founds == 1;
    return !fields.is_short && version == VERSION && founds <= 1 && out->cluster_id != 0 &&
           out->shards > 0 && fields.rest.size > 0 && members_decode(fields.rest, &out->members) &&
           (!out->founds || members_have_voter(&out->members));
}

struct formation formation_for(const struct node *node, uint64_t store_id)
{
    struct formation formation = {
        .cluster_id = node->identity.cluster_id,
        .seed = node->identity.seed,
        .shards = (uint32_t)node->identity.shards,
        .store_id = store_id,
        .members = *node_members(node),
    };
    const struct members *founders = &node->identity.members;
    for (uint32_t i = 0; i < founders->count; i++) {
        if (founders->at[i].store_id != store_id)
            continue;
        formation.founds = true;
        formation.members = *founders;
    }
    return formation;
}

/* ---- waiting ---- */

struct seen {
    uint64_t store_id;
    bool is_formed; /* it belongs to a cluster already */
};

struct forming {
    struct node *node;
    struct members listed;
    struct seen seen[MEMBERS_MAX]; /* as listed; store_id 0: not seen */
    struct buf disk_error; /* what we belong to cannot be written down: there is no going on */
    uint64_t told_us;
};

static bool adopt_identity(struct node *node, const struct formation *formation, struct buf *error)
{
    struct identity next = node->identity;
    next.cluster_id = formation->cluster_id;
    next.seed = formation->seed;
    next.shards = formation->shards;
    next.members = formation->founds ? formation->members : (struct members){0};
    enum identity_err err =
        DURABLE_STEP(cluster_adopted, identity_write(node->disk, node->config->dir, &next, error));
    if (err != IDENTITY_OK)
        return false;
    node->identity = next;
    for (uint32_t i = 0; i < formation->members.count; i++)
        node_set_peer(node, &formation->members.at[i]);
    peers_set_cluster(node->peers, next.cluster_id);
    return true;
}

static void judge(struct node *node, const struct formation *formation, struct buf *answer)
{
    struct members members = formation->members;
    if (formation->store_id != node->identity.store_id)
        buf_append_string(answer, "meant for another data directory");
    else if (formation->shards != (uint64_t)node->config->shards)
        buf_printf(answer, "configured with shards %lld, the cluster has %u",
                   (long long)node->config->shards, formation->shards);
    else if (formation->founds && members_find(&members, node->identity.node_id) == NULL)
        buf_append_string(answer, "not among those who form the cluster");
}

static void hear_form(struct forming *forming, const struct peers_input *input)
{
    struct node *node = forming->node;
    struct formation formation;
    struct buf answer = {0};
    if (!formation_decode(input->request.payload, &formation))
        buf_append_string(&answer, "cannot be read");
    else
        judge(node, &formation, &answer);
    bool is_good = answer.size == 0;
    bool is_adopted = is_good && adopt_identity(node, &formation, &answer);
    if (is_good && !is_adopted)
        buf_append(&forming->disk_error, buf_bytes(&answer));
    if (is_adopted)
        log_write(node->log, LOG_LEVEL_NOTICE, "Node %llu %s cluster %016llx",
                  (unsigned long long)input->node,
                  formation.founds ? "formed" : "took this node into",
                  (unsigned long long)formation.cluster_id);
    else
        log_write(node->log, LOG_LEVEL_WARNING, "A cluster that node %llu offers is refused: %.*s",
                  (unsigned long long)input->node, (int)answer.size, (const char *)answer.data);
    (void)peers_answer(node->peers, input->node, input->request.id, NODE_REQUEST_FORM,
                       buf_bytes(&answer));
    buf_free(&answer);
}

static void note_link(struct forming *forming, const struct peers_input *input)
{
    for (uint32_t i = 0; i < forming->listed.count; i++) {
        if (forming->listed.at[i].node == input->node)
            forming->seen[i] = (struct seen){input->link.store_id, input->link.cluster_id != 0};
    }
}

static void hear(struct forming *forming)
{
    struct node *node = forming->node;
    struct peers_input input;
    while (peers_next(node->peers, &input)) {
        if (input.kind == PEERS_IN_LINK_UP)
            note_link(forming, &input);
        else if (input.kind == PEERS_IN_REQUEST && node->identity.cluster_id == 0)
            hear_form(forming, &input);
        /* Anything else is from those who are ahead of us; they repeat what matters. */
    }
}

/* ---- founding ---- */

static bool sees_all(const struct forming *forming)
{
    for (uint32_t i = 0; i < forming->listed.count; i++) {
        bool is_us = forming->listed.at[i].node == forming->node->identity.node_id;
        if (!is_us && (forming->seen[i].store_id == 0 || forming->seen[i].is_formed))
            return false;
    }
    return true;
}

/* One node decides, once it saw all others unformed, and writes that down before it says so. If it
 * is lost before anybody heard, the others have formed nothing; if after, nobody forms again. */
static bool found(struct forming *forming, struct buf *error)
{
    struct node *node = forming->node;
    struct prng prng = prng_init(~node->options.seed); /* not the ids of the directory again */
    struct formation formation = {
        .cluster_id = prng_next(&prng) | 1,
        .seed = prng_next(&prng),
        .shards = (uint32_t)node->config->shards,
        .founds = true,
        .members = forming->listed,
    };
    for (uint32_t i = 0; i < forming->listed.count; i++) {
        bool is_us = forming->listed.at[i].node == node->identity.node_id;
        formation.members.at[i].store_id =
            is_us ? node->identity.store_id : forming->seen[i].store_id;
    }
    if (!adopt_identity(node, &formation, error))
        return false;
    log_write(node->log, LOG_LEVEL_NOTICE, "Formed cluster %016llx of %u nodes, %u shards",
              (unsigned long long)formation.cluster_id, formation.members.count, formation.shards);
    for (uint32_t i = 0; i < formation.members.count; i++) {
        if (formation.members.at[i].node != node->identity.node_id)
            node_offer_cluster(node, formation.members.at[i].node,
                               formation.members.at[i].store_id);
    }
    return true;
}

/* ---- the loop before the loop ---- */

static void tell(struct forming *forming)
{
    struct node *node = forming->node;
    if (node->now.boot_us - forming->told_us < TELL_US && forming->told_us != 0)
        return;
    forming->told_us = node->now.boot_us;
    for (uint32_t i = 0; i < forming->listed.count; i++) {
        const struct member *member = &forming->listed.at[i];
        struct peers_status status;
        if (!peers_status(node->peers, member->node, &status))
            continue; /* that is us */
        const char *state = status.error[0] != 0 ? status.error : "not seen yet";
        if (forming->seen[i].store_id != 0)
            state = forming->seen[i].is_formed ? "belongs to a cluster, waiting for RAFT ADD there"
                                               : "ready";
        log_write(node->log, LOG_LEVEL_NOTICE,
                  "Waiting to belong to a cluster: node %llu (%s:%u) %s",
                  (unsigned long long)member->node, member->host, member->peer_port, state);
    }
}

static bool was_stopped(const struct node *node, struct net_events events)
{
    for (size_t i = 0; i < events.count; i++) {
        if (events.events[i].source == &node->stop)
            return true;
    }
    return false;
}

bool node_form(struct node *node, struct buf *error)
{
    struct forming forming = {.node = node};
    if (!cluster_list_parse(node->config->cluster, &forming.listed, error))
        return false;
    bool founds = forming.listed.at[0].node == node->identity.node_id;
    while (node->identity.cluster_id == 0) {
        struct net_events events = net_poll(node->loop, POLL_US);
        if (was_stopped(node, events))
            return false;
        peers_receive(node->peers, events);
        node->now = node->options.read_clocks(node->options.clock_context);
        peers_tick(node->peers, node->now);
        hear(&forming);
        if (founds && node->identity.cluster_id == 0 && sees_all(&forming) &&
            !found(&forming, error))
            return false;
        peers_flush(node->peers);
        if (forming.disk_error.size > 0) {
            buf_append(error, buf_bytes(&forming.disk_error));
            buf_free(&forming.disk_error);
            return false;
        }
        tell(&forming);
    }
    return true;
}
