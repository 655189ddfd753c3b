/* Configurations (thesis ch. 4): one voter at a time, the newest in the log counts, committed or
 * not (4.1).
 *
 * Only two are remembered: the newest, and the one before it for when the newest is cut off. That
 * is enough, because the one before is committed: a leader proposes a change only when its no-op
 * and the change before are committed, so whoever holds the newer holds a log in which the older
 * was. A cut that reached the older would undo a commit; such a message is refused. */
#include "raft/internal.h"

bool raft_members_are_valid(const struct raft_members *members)
{
    if (members->count == 0 || members->count > RAFT_MEMBERS_MAX)
        return false;
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->at[i].id == 0)
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (members->at[j].id == members->at[i].id)
                return false;
    }
    return raft_members_voters(members) > 0;
}

const struct raft_member *raft_members_find(const struct raft_members *members, raft_node id)
{
    ASSERT(members->count <= RAFT_MEMBERS_MAX);
    for (uint32_t i = 0; i < members->count; i++)
        if (members->at[i].id == id)
            return &members->at[i];
    return NULL;
}

uint32_t raft_members_voters(const struct raft_members *members)
{
    ASSERT(members->count <= RAFT_MEMBERS_MAX);
    uint32_t voters = 0;
    for (uint32_t i = 0; i < members->count; i++)
        voters += members->at[i].is_voter;
    return voters;
}

const struct raft_membership *raft_membership(const struct raft *raft)
{
    return &raft->membership;
}

bool raft_is_voter(const struct raft *raft)
{
    const struct raft_member *self = raft_members_find(&raft->membership.members, raft->config.id);
    return self != NULL && self->is_voter;
}

bool raft_is_lone_voter(const struct raft *raft)
{
    return raft_is_voter(raft) && raft_members_voters(&raft->membership.members) == 1;
}

static void use_members(struct raft *raft)
{
    raft_peers_follow_members(raft);
    raft->members_changed = true;
    raft->is_dirty = true;
}

void raft_members_take(struct raft *raft, const struct raft_membership *membership)
{
    ASSERT(raft_members_are_valid(&membership->members));
    ASSERT(membership->index > raft->membership.index);
    raft->membership_before = raft->membership;
    raft->membership = *membership;
    use_members(raft);
}

bool raft_members_survive_cut(const struct raft *raft, raft_index first)
{
    ASSERT(first > 0);
    return first > raft->membership_before.index;
}

/* Thesis 4.1: a configuration that is cut off with its entry gives way to the one before it. */
void raft_members_cut(struct raft *raft, raft_index first)
{
    ASSERT(raft_members_survive_cut(raft, first));
    if (raft->membership.index < first)
        return;
    raft->membership = raft->membership_before;
    use_members(raft);
}

void raft_members_check(const struct raft *raft)
{
    const struct raft_members *members = &raft->membership.members;
    ASSERT(members->count == 0 || raft_members_are_valid(members));
    ASSERT(raft->membership_before.index <= raft->membership.index);
    ASSERT(raft->membership.index <= raft->log.last);
    for (uint32_t i = 0; i < members->count; i++) {
        ASSERT(raft->peers[i].id == members->at[i].id);
        ASSERT(raft->peers[i].is_voter == members->at[i].is_voter);
    }
}

/* Thesis 4.1 and its later correction: one change at a time, and none before an entry of the
 * leader's own term is committed. */
static enum raft_err change_is_possible(const struct raft *raft)
{
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    if (raft->transfer_to != 0 || raft->noop_due)
        return RAFT_NOT_YET;
    if (raft->commit < raft->noop && !RAFT_MUTANT(raft, change_before_noop))
        return RAFT_NOT_YET;
    if (raft->commit < raft->membership.index && !RAFT_MUTANT(raft, two_open_changes))
        return RAFT_NOT_YET;
    return RAFT_OK;
}

static enum raft_err add_learner(struct raft_members *members, raft_node node)
{
    if (raft_members_find(members, node) != NULL)
        return RAFT_KNOWN;
    if (members->count == RAFT_MEMBERS_MAX)
        return RAFT_FULL;
    members->at[members->count++] = (struct raft_member){node, false};
    return RAFT_OK;
}

static enum raft_err set_voter(struct raft_members *members, raft_node node, bool is_voter)
{
    const struct raft_member *found = raft_members_find(members, node);
    if (found == NULL || found->is_voter == is_voter)
        return RAFT_UNKNOWN;
    members->at[found - members->at].is_voter = is_voter;
    return raft_members_voters(members) == 0 ? RAFT_LAST_VOTER : RAFT_OK;
}

static enum raft_err remove_member(struct raft_members *members, raft_node node)
{
    const struct raft_member *found = raft_members_find(members, node);
    if (found == NULL)
        return RAFT_UNKNOWN;
    for (size_t i = (size_t)(found - members->at); i + 1 < members->count; i++)
        members->at[i] = members->at[i + 1];
    members->count--;
    return raft_members_voters(members) == 0 ? RAFT_LAST_VOTER : RAFT_OK;
}

static enum raft_err change_members(struct raft *raft, struct raft_members *members,
                                    struct raft_change change)
{
    const struct raft_peer *peer = raft_peer_find(raft, change.node);
    switch (change.kind) {
    case RAFT_ADD_LEARNER:
        return add_learner(members, change.node);
    case RAFT_PROMOTE:
        if (peer != NULL && !peer->is_voter && !raft_peer_is_caught_up(raft, peer))
            return RAFT_BEHIND;
        return set_voter(members, change.node, true);
    case RAFT_DEMOTE:
        return set_voter(members, change.node, false);
    case RAFT_REMOVE:
        return remove_member(members, change.node);
    }
    UNREACHABLE();
}

enum raft_err raft_propose_change(struct raft *raft, uint64_t now_us, struct raft_change change,
                                  raft_index *index)
{
    raft_enter(raft, now_us);
    ASSERT(change.node != 0);
    enum raft_err err = change_is_possible(raft);
    if (err != RAFT_OK)
        return err;
    struct raft_membership next = raft->membership;
    err = change_members(raft, &next.members, change);
    if (err != RAFT_OK)
        return err;
    raft_log_append(&raft->log, raft->hard.term);
    next.index = raft->log.last;
    raft_members_take(raft, &next);
    *index = next.index;
    return RAFT_OK;
}
