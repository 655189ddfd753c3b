/* What a leader looks after now and then. The members of the first shard are those of all: whoever
 * leads another one takes in whom the first has, and takes out whom it has not. A learner becomes a
 * voter once it has caught up. And leaders spread: who leads two more than another node hands one
 * over. */
#include "node/internal.h"

enum {
    DUTY_US = 200000,
    BALANCE_US = 1000000,
    SURPLUS_US = 3000000,    /* a member that the first shard lacks for so long is taken out */
    JOIN_MAX_US = 600000000, /* a node that RAFT ADD named and that does not come is forgotten */
    STUCK_US = 1000000,      /* one write or sync that takes longer: a disk that does not answer */
    LEAVE_MAX_US = 60000000, /* and one that RAFT REMOVE named and that does not go */
    HEARD_US = 500000,       /* leadership is handed only to who was heard so lately */
};

/* ---- who is there ---- */

bool node_reaches(const struct node *node, uint64_t id)
{
    struct peers_status status;
    if (id == node->identity.node_id)
        return true;
    return node->peers != NULL && peers_status(node->peers, id, &status) &&
           status.is_linked[PEERS_CONTROL] && status.is_linked[PEERS_APPEND] &&
           node->now.boot_us - status.heard_us < HEARD_US;
}

/* Without that voter, a majority of a shard's others is there: else nothing would be committed any
 * more, the change included, and the leader that made it would step down. Both are asked, the links
 * and the core: one that has just been linked again was not heard by the core for long. */
static bool can_spare(const struct node *node, uint32_t id, uint64_t voter)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(shard_raft(node->shards[id]), peers);
    uint32_t voters = 1, reached = 1; /* this node, which leads */
    for (size_t i = 0; i < count; i++) {
        if (!peers[i].is_voter || peers[i].id == voter)
            continue;
        bool was_heard = node->now.boot_us - peers[i].heard_us < HEARD_US;
        voters++;
        reached += was_heard && node_reaches(node, peers[i].id);
    }
    return reached > voters / 2;
}

/* ---- taking in ---- */

static void forget_leaving(struct node *node, size_t at)
{
    node->leaving_count--;
    memmove(&node->leaving[at], &node->leaving[at + 1],
            (node->leaving_count - at) * sizeof(node->leaving[0]));
}

/* Whom the first shard has not, others may still have, with the store id of before. */
static bool is_new(const struct node *node, uint64_t id, struct buf *error)
{
    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        struct members members = *shard_members(node->shards[shard]);
        if (members_find(&members, id) == NULL)
            continue;
        if (shard == 0)
            buf_printf(error, "node %llu is a member already", (unsigned long long)id);
        else
            buf_printf(error, "node %llu is still a member of shard %u, ask again",
                       (unsigned long long)id, shard);
        return false;
    }
    return true;
}

bool node_join(struct node *node, const struct member *member, struct buf *error)
{
    if (node->peers == NULL) {
        buf_append_string(error, "this node has no cluster-secret, so others cannot reach it");
        return false;
    }
    if (!is_new(node, member->node, error))
        return false;
    size_t at = 0;
    while (at < node->joining_count && node->joining[at].member.node != member->node)
        at++;
    if (at == MEMBERS_MAX || node_members(node)->count == MEMBERS_MAX) {
        buf_printf(error, "a shard has %d members at most", MEMBERS_MAX);
        return false;
    }
    for (size_t i = node->leaving_count; i-- > 0;) {
        if (node->leaving[i].node == member->node)
            forget_leaving(node, i); /* it has left */
    }
    node->joining[at] = (struct joining){.member = *member, .since_us = node->now.boot_us};
    if (at == node->joining_count)
        node->joining_count++;
    node_set_peer(node, member);
    struct peers_status status;
    /* It may be linked already: what its link said is asked again by a new one. */
    if (peers_status(node->peers, member->node, &status) && status.is_linked[PEERS_FORWARD]) {
        peers_remove(node->peers, member->node);
        node_set_peer(node, member);
    }
    return true;
}

void node_note_formed(struct node *node, uint64_t peer)
{
    for (size_t i = 0; i < node->joining_count; i++) {
        if (node->joining[i].member.node == peer)
            node->joining[i].is_formed = true;
    }
}

static void forget_joining(struct node *node, size_t at)
{
    node->joining_count--;
    memmove(&node->joining[at], &node->joining[at + 1],
            (node->joining_count - at) * sizeof(node->joining[0]));
}

/* Not while an entry is open: the change would take its index. Then it is tried every turn.
 * Whoever calls tries again, too, when others cannot be spared. */
static bool change(struct node *node, uint32_t id, enum raft_change_kind kind,
                   const struct member *member)
{
    static const char *const DOING[] = {[RAFT_ADD_LEARNER] = "takes in",
                                        [RAFT_PROMOTE] = "makes a voter of",
                                        [RAFT_DEMOTE] = "makes a learner of",
                                        [RAFT_REMOVE] = "takes out"};
    if (exec_holds_entry(node->exec, id)) { /* changes that are executed have the next index */
        node->duty_us = 0;
        return false;
    }
    bool takes = kind == RAFT_DEMOTE || (kind == RAFT_REMOVE && member->is_voter);
    if (takes && !can_spare(node, id, member->node))
        return false;
    struct member self;
    node_self(node, &self);
    struct raft_change wanted = {.kind = kind, .node = member->node};
    enum raft_err err =
        shard_change_members(node->shards[id], node->now.boot_us, wanted, member, &self);
    if (err == RAFT_OK)
        log_write(node->log, LOG_LEVEL_NOTICE, "Shard %u: %s node %llu", id, DOING[kind],
                  (unsigned long long)member->node);
    return err == RAFT_OK;
}

static void take_in(struct node *node)
{
    struct members members = *node_members(node);
    for (size_t i = node->joining_count; i-- > 0;) {
        struct joining *joining = &node->joining[i];
        bool is_late = node->now.boot_us - joining->since_us > JOIN_MAX_US;
        if (is_late)
            log_write(node->log, LOG_LEVEL_WARNING, "Node %llu did not come, RAFT ADD it again",
                      (unsigned long long)joining->member.node);
        if (is_late || members_find(&members, joining->member.node) != NULL) {
            forget_joining(node, i);
            continue;
        }
        joining->member.is_voter = false;
        if (joining->is_formed && change(node, 0, RAFT_ADD_LEARNER, &joining->member))
            return;
    }
}

/* Whether the core finds that it has caught up is asked by trying; RAFT_BEHIND changes nothing. */
static void promote_learners(struct node *node)
{
    const struct members *members = node_members(node);
    for (uint32_t i = 0; i < members->count; i++) {
        struct member member = members->at[i];
        if (!member.is_voter && !node_is_leaving(node, member.node) &&
            change(node, 0, RAFT_PROMOTE, &member))
            return;
    }
}

/* ---- taking out ---- */

bool node_is_leaving(const struct node *node, uint64_t id)
{
    for (size_t i = 0; i < node->leaving_count; i++) {
        if (node->leaving[i].node == id)
            return true;
    }
    return false;
}

static bool forget_one_who_joins(struct node *node, uint64_t id)
{
    for (size_t i = 0; i < node->joining_count; i++) {
        if (node->joining[i].member.node != id)
            continue;
        forget_joining(node, i);
        return true;
    }
    return false;
}

bool node_leave(struct node *node, uint64_t id, struct buf *error)
{
    struct members members = *node_members(node);
    if (id == node->identity.node_id) {
        buf_printf(error, "node %llu leads shard 0: RAFT TRANSFER 0 first, and ask the new leader",
                   (unsigned long long)id);
        return false;
    }
    bool was_joining = forget_one_who_joins(node, id);
    if (members_find(&members, id) == NULL) {
        if (!was_joining)
            buf_printf(error, "node %llu is no member", (unsigned long long)id);
        return was_joining;
    }
    if (!can_spare(node, 0, id)) {
        buf_printf(error, "without node %llu there is no majority now", (unsigned long long)id);
        return false;
    }
    if (!node_is_leaving(node, id)) {
        ASSERT(node->leaving_count < MEMBERS_MAX); /* each is another member */
        node->leaving[node->leaving_count++] = (struct leaving){id, node->now.boot_us};
    }
    node->duty_us = 0;
    return true;
}

static bool votes_elsewhere(const struct node *node, uint64_t id)
{
    for (uint32_t at = 1; at < node->shard_count; at++) {
        struct members members = *shard_members(node->shards[at]);
        const struct member *member = members_find(&members, id);
        if (member != NULL && member->is_voter)
            return true;
    }
    return false;
}

/* Who leaves stops voting first, in all shards, and learns of it in the first one while it is still
 * a member there. Taken out at once it would never hear of that: a shard that it leads, it would
 * lead on, for only a leader changes members. */
static void take_leave(struct node *node)
{
    struct members members = *node_members(node);
    for (size_t i = node->leaving_count; i-- > 0;) {
        const struct leaving leaving = node->leaving[i];
        const struct member *member = members_find(&members, leaving.node);
        bool is_late = node->now.boot_us - leaving.since_us > LEAVE_MAX_US;
        if (is_late)
            log_write(node->log, LOG_LEVEL_WARNING, "Node %llu does not go, RAFT REMOVE it again",
                      (unsigned long long)leaving.node);
        if (is_late || member == NULL) {
            forget_leaving(node, i);
            continue;
        }
        if (member->is_voter && change(node, 0, RAFT_DEMOTE, member))
            return;
        if (!member->is_voter && !votes_elsewhere(node, leaving.node) &&
            change(node, 0, RAFT_REMOVE, member))
            return;
    }
}

/* ---- the other shards ---- */

/* To a voter who is ready to lead this shard: to = 0, whoever was heard last. */
static bool hand_over_shard(struct node *node, uint32_t id, uint64_t to)
{
    struct raft *raft = shard_raft(node->shards[id]);
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    const struct raft_peer_status *best = NULL;
    size_t count = raft_peers(raft, peers);
    for (size_t i = 0; i < count; i++) {
        bool is_meant = to == 0 || peers[i].id == to;
        if (is_meant && peers[i].is_voter && peers[i].is_caught_up &&
            (best == NULL || peers[i].heard_us > best->heard_us))
            best = &peers[i];
    }
    if (best == NULL || raft_transfer(raft, node->now.boot_us, best->id) != RAFT_OK)
        return false;
    log_write(node->log, LOG_LEVEL_NOTICE, "Shard %u: hands its lead to node %llu", id,
              (unsigned long long)best->id);
    return true;
}

static bool bring_up(struct node *node, uint32_t id, struct members *own)
{
    const struct members *wanted = node_members(node);
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct member member = wanted->at[i];
        const struct member *here = members_find(own, member.node);
        bool promotes = here != NULL && !here->is_voter && member.is_voter;
        member.is_voter = false;
        if (here == NULL && change(node, id, RAFT_ADD_LEARNER, &member))
            return true;
        if (promotes && change(node, id, RAFT_PROMOTE, &member))
            return true;
    }
    return false;
}

/* Who votes here and not in the first shard votes no more; who is no member there goes. A leader
 * that is concerned itself hands its lead over and leaves the rest to its successor. */
static bool reduce(struct node *node, uint32_t id, const struct member *member, bool is_wanted)
{
    if (member->node == node->identity.node_id)
        return hand_over_shard(node, id, 0);
    return change(node, id, is_wanted ? RAFT_DEMOTE : RAFT_REMOVE, member);
}

/* Our view of the first shard may be old for a moment: what it lacks must stay lacking. */
static void take_out(struct node *node, uint32_t id, const struct members *own)
{
    struct members wanted = *node_members(node);
    struct shard_told *told = &node->told[id];
    for (uint32_t i = 0; i < own->count; i++) {
        const struct member *there = members_find(&wanted, own->at[i].node);
        if (there != NULL && (there->is_voter || !own->at[i].is_voter))
            continue;
        if (told->surplus_since_us == 0)
            told->surplus_since_us = node->now.boot_us;
        if (node->now.boot_us - told->surplus_since_us > SURPLUS_US &&
            reduce(node, id, &own->at[i], there != NULL))
            told->surplus_since_us = 0;
        return;
    }
    told->surplus_since_us = 0;
}

/* A view of the first shard that is old, or of nothing, would take everybody out. */
static bool knows_first_shard(const struct node *node)
{
    struct shard *first = node->shards[0];
    const struct raft *raft = shard_raft(first);
    uint64_t commit = raft_commit_index(raft);
    return raft_leader(raft) != 0 && !shard_has_lost_rows(first) && node_members(node)->count > 0 &&
           raft_membership(raft)->index <= commit && raft_applied_index(raft) == commit;
}

static void align(struct node *node, uint32_t id)
{
    if (!knows_first_shard(node))
        return;
    struct members own = *shard_members(node->shards[id]);
    if (!bring_up(node, id, &own))
        take_out(node, id, &own);
}

/* ---- leaders ---- */

uint32_t node_leads(const struct node *node, uint64_t id)
{
    uint32_t leads = 0;
    for (uint32_t at = 0; at < node->shard_count; at++)
        leads += raft_leader(shard_raft(node->shards[at])) == id;
    return leads;
}

struct load {
    uint64_t node;
    uint32_t leads;
    bool is_well; /* heard lately */
};

static size_t count_leaders(const struct node *node, struct load *loads)
{
    const struct members *members = node_members(node);
    size_t count = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        uint64_t id = members->at[i].node;
        if (!members->at[i].is_voter)
            continue;
        bool is_well = id != node->identity.node_id && node_reaches(node, id);
        loads[count++] = (struct load){.node = id, .is_well = is_well};
    }
    for (size_t i = 0; i < count; i++)
        loads[i].leads = node_leads(node, loads[i].node);
    return count;
}

static bool hand_over(struct node *node, uint64_t to)
{
    for (uint32_t id = node->shard_count; id-- > 0;) {
        if (hand_over_shard(node, id, to))
            return true;
    }
    return false;
}

void node_hand_over_all(struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        if (shard_is_serving(node->shards[id]))
            (void)hand_over_shard(node, id, 0);
    }
}

bool node_is_handing_over(const struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        if (raft_is_transferring(shard_raft(node->shards[id])))
            return true;
    }
    return false;
}

static void balance(struct node *node)
{
    struct load loads[MEMBERS_MAX];
    size_t count = count_leaders(node, loads);
    uint32_t own = 0;
    const struct load *least = NULL;
    for (size_t i = 0; i < count; i++) {
        if (loads[i].node == node->identity.node_id)
            own = loads[i].leads;
        else if (loads[i].is_well && (least == NULL || loads[i].leads < least->leads))
            least = &loads[i];
    }
    if (least != NULL && own >= least->leads + 2)
        (void)hand_over(node, least->node);
}

/* A disk that does not answer: writes are still committed by the others, but each waits for two of
 * them, and nothing of ours is durable. Somebody else leads until it answers again. */
static void watch_disk(struct node *node)
{
    if (!wal_is_busy(node->wal) || node->wal_moved_us == 0)
        node->wal_moved_us = node->now.boot_us;
    bool is_stuck = node->now.boot_us - node->wal_moved_us > STUCK_US;
    if (is_stuck == node->is_stuck)
        return;
    node->is_stuck = is_stuck;
    log_write(node->log, LOG_LEVEL_WARNING,
              is_stuck ? "The disk does not answer: leading is left to others"
                       : "The disk answers again");
    for (uint32_t id = 0; id < node->shard_count; id++)
        shard_set_willing(node->shards[id], !is_stuck);
    if (is_stuck)
        node_hand_over_all(node);
}

/* What was asked of the leader of the first shard dies with its leadership: kept, it would link a
 * node that others removed meanwhile, or be carried out long after anybody wanted it. */
static void drop_wishes(struct node *node)
{
    uint64_t leader = raft_leader(shard_raft(node->shards[0]));
    if (leader != 0 && leader != node->identity.node_id)
        node->joining_count = node->leaving_count = 0;
}

void node_do_duties(struct node *node)
{
    watch_disk(node);
    if (node->now.boot_us - node->duty_us < DUTY_US)
        return;
    node->duty_us = node->now.boot_us;
    drop_wishes(node);
    for (uint32_t id = 0; id < node->shard_count; id++) {
        if (!shard_is_serving(node->shards[id]))
            continue;
        if (id > 0) {
            align(node, id);
        } else {
            take_leave(node);
            take_in(node);
            promote_learners(node);
        }
    }
    if (node->shard_count > 1 && node->now.boot_us - node->balance_us >= BALANCE_US) {
        node->balance_us = node->now.boot_us;
        balance(node);
    }
}
