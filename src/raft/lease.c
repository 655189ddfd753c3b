/* Reads without a log entry (thesis 6.4): a heartbeat round that a quorum answers proves that we
 * were leader when it was sent; the lease (6.4.1) says for how long that stays true.
 *
 *   sent                                  answered by a quorum
 *   |------------ lease_us ---------------------------->|
 *        heard by a voter |--------- election_min_us by its own clock ---------|
 *
 * A voter that answered helps nobody else to leadership for election_min_us after it heard the
 * round, which is after it was sent. The leader's clock may run slow and the voter's fast, hence
 * lease_us = election_min_us * (1 - drift) / (1 + drift). */
#include "raft/internal.h"

static uint64_t round_of(const struct raft_peer *peer)
{
    return peer->round_acked;
}

/* At multiples of the interval, so that the heartbeats of all groups of a process, which share a
 * clock, come together and travel in one frame to each node. */
uint64_t raft_next_beat(const struct raft *raft)
{
    uint64_t interval_us = raft->config.heartbeat_us;
    return raft->now_us - raft->now_us % interval_us + interval_us;
}

/* Thesis 6.4: one round serves every read that came before it was sent. */
void raft_send_round(struct raft *raft)
{
    ASSERT(raft->role == RAFT_LEADER);
    bool has_place = raft->round - raft->rounds_confirmed < RAFT_READ_ROUNDS_MAX;
    if (!raft->round_due && !(raft->round_wanted && has_place))
        return;
    raft->round_due = raft->round_wanted = false;
    raft->round++;
    raft->round_sent_us[raft->round % RAFT_ROUND_TIMES] = raft->now_us;
    raft->heartbeat_due_us = raft_next_beat(raft);
    for (uint32_t i = 0; i < raft->membership.members.count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        if (peer->id == raft->config.id)
            continue;
        struct raft_message *message = raft_send(raft, RAFT_HEARTBEAT, peer->id);
        message->heartbeat = (struct raft_heartbeat){raft->round, raft->commit};
        raft_transfer_proceed(raft, peer); /* the first TIMEOUT_NOW may have been lost */
    }
}

void raft_confirm_rounds(struct raft *raft)
{
    uint64_t reached = raft_quorum_reached(raft, round_of, raft->round);
    ASSERT(reached <= raft->round);
    if (reached <= raft->rounds_confirmed)
        return;
    raft->rounds_confirmed = reached;
    if (RAFT_MUTANT(raft, lease_counts_from_answer))
        raft->round_sent_us[reached % RAFT_ROUND_TIMES] = raft->now_us;
}

static uint64_t heard_of(const struct raft_peer *peer)
{
    return peer->heard_us;
}

/* Thesis 6.2: a leader that has not heard from a quorum for an election timeout is none. */
bool raft_quorum_is_in_contact(const struct raft *raft, uint64_t within_us)
{
    ASSERT(raft->role == RAFT_LEADER);
    uint64_t heard_us = raft_quorum_reached(raft, heard_of, raft->now_us);
    return raft->now_us - heard_us < within_us;
}

void raft_pulse_answered(struct raft *raft, uint64_t now_us, raft_node peer, raft_term term)
{
    raft_enter(raft, now_us);
    struct raft_peer *found = raft_peer_find(raft, peer);
    if (raft->role == RAFT_LEADER && term == raft->hard.term && found != NULL)
        found->heard_us = raft->now_us;
}

/* A leader outside its newest configuration has no lease: the lone voter that it may have left
 * behind campaigns at once after a restart (L9), without asking what it promised.
 * A lone voter leads for as long as it does not step down by itself. */
bool raft_lease_valid(const struct raft *raft, uint64_t now_us)
{
    if (raft->role != RAFT_LEADER)
        return false;
    if (!raft_is_voter(raft) && !RAFT_MUTANT(raft, lease_outside_configuration))
        return false;
    if (raft_is_lone_voter(raft))
        return true;
    /* By the configuration as it is now, not as it was when the answers came. */
    uint64_t round = raft_quorum_reached(raft, round_of, raft->round);
    if (round < raft->lease_round_min || raft->round - round >= RAFT_ROUND_TIMES)
        return false;
    uint64_t sent_us = raft->round_sent_us[round % RAFT_ROUND_TIMES];
    ASSERT(sent_us <= now_us);
    return now_us - sent_us < raft->lease_us;
}

/* The target of a transfer is elected against the voters' promises, so neither a round that is
 * still open nor any later one of this term may bring the lease back (L9): the order to campaign
 * can arrive arbitrarily late. */
void raft_give_up_lease(struct raft *raft)
{
    ASSERT(raft->role == RAFT_LEADER);
    if (RAFT_MUTANT(raft, transfer_keeps_lease))
        return;
    if (RAFT_MUTANT(raft, transfer_keeps_open_round))
        raft->lease_round_min = raft->rounds_confirmed + 1;
    else if (RAFT_MUTANT(raft, transfer_keeps_later_rounds))
        raft->lease_round_min = raft->round + 1;
    else
        raft->lease_round_min = UINT64_MAX;
}

bool raft_serving(const struct raft *raft)
{
    return raft->role == RAFT_LEADER &&
           (raft->applied >= raft->noop || RAFT_MUTANT(raft, serve_before_noop));
}

/* Thesis 6.4: a round sent before the read came proves nothing about it, so it waits for the next.
 */
struct raft_read raft_read(struct raft *raft, uint64_t now_us, bool may_use_lease)
{
    raft_enter(raft, now_us);
    if (!raft_serving(raft))
        return (struct raft_read){RAFT_READ_NOT_LEADER, 0};
    if (raft_is_lone_voter(raft) || (may_use_lease && raft_lease_valid(raft, now_us)))
        return (struct raft_read){RAFT_READ_NOW, 0};
    if (RAFT_MUTANT(raft, read_confirmed_by_older_round))
        return (struct raft_read){RAFT_READ_WAIT, raft->round};
    raft->round_wanted = true;
    raft->is_dirty = true;
    return (struct raft_read){RAFT_READ_WAIT, raft->round + 1};
}
