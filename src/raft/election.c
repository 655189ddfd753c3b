/* Elections (thesis 3.4, 3.6.1, 4.2.3, 9.6) and handing over leadership (3.10).
 *
 *                timeout              quorum of pre-votes           quorum of votes
 *     FOLLOWER ----------> PRE_CANDIDATE ------------> CANDIDATE ------------------> LEADER
 *        ^  \__________________ TIMEOUT_NOW ______________^                            |
 *        |<------------------ a leader of the term, or a higher term ------------------|
 *        |<------------------------- no quorum heard for election_max -----------------|
 */
#include "raft/internal.h"

/* Thesis 3.4: drawn anew each time, so that split votes do not repeat. Never below election_min_us:
 * a voter breaks its own promise to a leader as little by campaigning as by voting. */
void raft_restart_election_timer(struct raft *raft)
{
    raft->election_deadline_us =
        raft->now_us +
        prng_between(&raft->prng, raft->config.election_min_us, raft->config.election_max_us - 1);
}

/* After a start nobody knows what the life before promised to a leader's lease (L9). A lone voter
 * promised nothing to others: whoever else leads has left its own newest configuration, and has no
 * lease (lease.c). */
static bool is_quiet_after_start(const struct raft *raft)
{
    if (RAFT_MUTANT(raft, vote_at_once_after_restart))
        return false;
    return raft->now_us - raft->started_us < raft->config.election_min_us &&
           !raft_is_lone_voter(raft);
}

static bool has_heard_leader_lately(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER)
        return raft_quorum_is_in_contact(raft, raft->config.election_min_us);
    return raft->has_heard && raft->now_us - raft->heard_us < raft->config.election_min_us;
}

/* Thesis 4.2.3 and 6.4.1: within a minimum election timeout of hearing a leader no other one is
 * helped, which keeps removed and returning servers from disrupting, and makes the lease true. */
bool raft_is_sticky(const struct raft *raft)
{
    if (is_quiet_after_start(raft))
        return true;
    return has_heard_leader_lately(raft) && !RAFT_MUTANT(raft, no_stickiness);
}

void raft_hear_leader(struct raft *raft)
{
    ASSERT(raft->role == RAFT_FOLLOWER && raft->leader != 0);
    raft->has_heard = true;
    raft->heard_us = raft->now_us;
    raft_restart_election_timer(raft);
}

void raft_pulse(struct raft *raft, uint64_t now_us, raft_node leader, raft_term term)
{
    raft_enter(raft, now_us);
    bool follows = raft->role == RAFT_FOLLOWER && raft->leader == leader && leader != 0;
    if (follows && term == raft->hard.term && !raft->promises_lost)
        raft_hear_leader(raft);
}

/* Thesis 4.2.2, figure 4.6: whoever a newer configuration leaves out still stands for election
 * until that is known committed, because it may be the only one whose log lets it win and commit
 * it. */
static bool is_needed(const struct raft *raft)
{
    if (raft_is_voter(raft))
        return true;
    const struct raft_members *before = &raft->membership_before.members;
    const struct raft_member *self = raft_members_find(before, raft->config.id);
    return raft->commit < raft->membership.index && self != NULL && self->is_voter;
}

static bool may_campaign(const struct raft *raft)
{
    if (raft->rows_lost || raft->promises_lost || !raft->is_electable)
        return false;
    return is_needed(raft) &&
           raft_log_has_room(&raft->log, raft->log.last + 1, raft->hard.term + 1);
}

static void ask_for_votes(struct raft *raft)
{
    ASSERT(raft->role == RAFT_PRE_CANDIDATE || raft->role == RAFT_CANDIDATE);
    for (uint32_t i = 0; i < raft->membership.members.count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        peer->has_granted = false;
        peer->vote_request_due = peer->is_voter && peer->id != raft->config.id;
    }
    raft->is_dirty = true;
}

static void grant_to_self(struct raft *raft)
{
    struct raft_peer *self = raft_peer_find(raft, raft->config.id);
    if (self != NULL) /* left out: leads without counting itself (thesis 4.2.2) */
        self->has_granted = true;
    raft_count_votes(raft);
}

static void campaign(struct raft *raft, bool is_transfer)
{
    ASSERT(may_campaign(raft) && raft->role != RAFT_LEADER);
    raft_set_hard_state(raft, raft->hard.term + 1, raft->config.id);
    raft->leader = 0;
    raft_set_role(raft, RAFT_CANDIDATE);
    raft->campaign_is_transfer = is_transfer;
    raft->counters.campaigns++;
    ask_for_votes(raft);
    /* The own vote counts when it is durable, in raft_stored: the request already promises that
     * nobody else gets it. */
    if (RAFT_MUTANT(raft, candidate_asks_before_stored))
        grant_to_self(raft);
}

void raft_vote_is_stored(struct raft *raft)
{
    ASSERT(raft->role == RAFT_CANDIDATE && raft->hard_stored == raft->hard_generation);
    grant_to_self(raft);
}

/* Thesis 9.6: first ask whether an election could be won, before the term is raised. */
static void pre_campaign(struct raft *raft)
{
    raft->leader = 0;
    raft_set_role(raft, RAFT_PRE_CANDIDATE);
    ask_for_votes(raft);
    grant_to_self(raft);
}

void raft_elect(struct raft *raft)
{
    ASSERT(raft->role != RAFT_LEADER);
    raft_restart_election_timer(raft);
    if (!may_campaign(raft) || raft->hard_stored != raft->hard_generation)
        return; /* a term on top of one that is not durable yet would only wait as well */
    if (raft_is_lone_voter(raft))
        campaign(raft, false);
    else if (!raft_is_sticky(raft))
        pre_campaign(raft);
}

static void answer_vote(struct raft *raft, const struct raft_message *request, bool is_granted)
{
    bool is_pre_vote = request->kind == RAFT_PRE_VOTE;
    struct raft_message answer = {
        .kind = is_pre_vote ? RAFT_PRE_VOTE_ANSWER : RAFT_VOTE_ANSWER,
        .to = request->from,
        .term = is_pre_vote && is_granted ? request->term : raft->hard.term,
        .vote_answer = {.is_granted = is_granted},
    };
    raft_answer(raft, &answer);
}

/* Thesis 3.6.1, election restriction. */
static bool log_is_good_enough(const struct raft *raft, const struct raft_vote *vote)
{
    return raft_log_yields_to(&raft->log, vote->last_index, vote->last_term) ||
           RAFT_MUTANT(raft, vote_for_shorter_log);
}

/* Promises nothing and changes nothing here (thesis 9.6). A refusal tells our term, so that a
 * server that fell behind catches up with it. */
void raft_on_pre_vote(struct raft *raft, const struct raft_message *message)
{
    bool is_granted = message->term > raft->hard.term && !raft_is_sticky(raft) &&
                      log_is_good_enough(raft, &message->vote);
    answer_vote(raft, message, is_granted);
}

/* The leader's own order lifts stickiness (thesis 4.2.3): it gave its lease up before. The quiet
 * after a start stays. */
static bool refuses_all_votes(const struct raft *raft, const struct raft_vote *vote)
{
    return vote->is_transfer ? is_quiet_after_start(raft) : raft_is_sticky(raft);
}

/* Thesis 3.4: at most one vote in a term, first come first served. */
static bool vote_is_free(const struct raft *raft, raft_node candidate)
{
    if (RAFT_MUTANT(raft, vote_twice_in_a_term))
        return raft->role == RAFT_FOLLOWER;
    return raft->hard.vote == candidate || (raft->hard.vote == 0 && raft->leader == 0);
}

void raft_on_vote(struct raft *raft, const struct raft_message *message)
{
    bool refuses = refuses_all_votes(raft, &message->vote);
    if (message->term > raft->hard.term) {
        if (refuses)
            return; /* 4.2.3: not even the term is taken over */
        raft_become_follower(raft, message->term, 0);
    }
    bool is_granted = message->term == raft->hard.term && !refuses &&
                      vote_is_free(raft, message->from) && log_is_good_enough(raft, &message->vote);
    if (is_granted) {
        ASSERT(raft->role == RAFT_FOLLOWER || raft->role == RAFT_PRE_CANDIDATE);
        if (raft->role == RAFT_PRE_CANDIDATE)
            raft_become_follower(raft, raft->hard.term, 0);
        if (raft->hard.vote != message->from)
            raft_set_hard_state(raft, raft->hard.term, message->from);
        raft_restart_election_timer(raft);
    }
    answer_vote(raft, message, is_granted);
}

void raft_on_vote_answer(struct raft *raft, const struct raft_message *message)
{
    bool is_pre_vote = message->kind == RAFT_PRE_VOTE_ANSWER;
    enum raft_role asking = is_pre_vote ? RAFT_PRE_CANDIDATE : RAFT_CANDIDATE;
    raft_term asked = is_pre_vote ? raft->hard.term + 1 : raft->hard.term;
    struct raft_peer *peer = raft_peer_find(raft, message->from);
    if (raft->role != asking || message->term != asked || peer == NULL)
        return;
    if (!message->vote_answer.is_granted)
        return;
    peer->has_granted = true;
    raft_count_votes(raft);
}

static uint64_t granted(const struct raft_peer *peer)
{
    return peer->has_granted;
}

/* Thesis 3.4: a new leader announces itself at once; 6.4: and commits a no-op of its own term. */
static void become_leader(struct raft *raft)
{
    ASSERT(raft->role == RAFT_CANDIDATE && raft->hard.vote == raft->config.id);
    raft->leader = raft->config.id;
    raft_set_role(raft, RAFT_LEADER);
    raft->counters.elections_won++;
    raft_peers_start_leading(raft);
    raft->rounds_confirmed = raft->round;
    raft->lease_round_min = raft->round + 1;
    raft->round_due = true;
    raft->round_wanted = false;
    raft->heartbeat_due_us = raft->now_us;
    raft->transfer_to = 0;
    raft_log_append(&raft->log, raft->hard.term);
    raft->noop = raft->log.last;
    raft->noop_due = true;
}

void raft_count_votes(struct raft *raft)
{
    const struct raft_peer *self = raft_peer_find(raft, raft->config.id);
    bool own = self != NULL && self->has_granted;
    if (raft_quorum_reached(raft, granted, own) == 0)
        return;
    if (raft->role == RAFT_PRE_CANDIDATE && may_campaign(raft)) /* it may be forbidden by now */
        campaign(raft, false);
    else if (raft->role == RAFT_CANDIDATE)
        become_leader(raft);
}

/* A real request leaves only when the vote for ourselves is durable: else, crashed and restarted
 * with a shorter log, we could stand again in the same term and win by votes for the longer one. */
void raft_send_vote_requests(struct raft *raft)
{
    bool is_pre_vote = raft->role == RAFT_PRE_CANDIDATE;
    if (!is_pre_vote && raft->hard_stored != raft->hard_generation &&
        !RAFT_MUTANT(raft, candidate_asks_before_stored))
        return;
    for (uint32_t i = 0; i < raft->membership.members.count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        if (!peer->vote_request_due)
            continue;
        peer->vote_request_due = false;
        struct raft_message *request =
            raft_send(raft, is_pre_vote ? RAFT_PRE_VOTE : RAFT_VOTE, peer->id);
        request->term = raft->hard.term + is_pre_vote;
        request->vote = (struct raft_vote){
            .last_index = raft->log.last,
            .last_term = raft_log_last_term(&raft->log),
            .is_transfer = !is_pre_vote && raft->campaign_is_transfer,
        };
    }
}

/* Thesis 3.10: the target's election timer counts as run out. */
void raft_on_timeout_now(struct raft *raft)
{
    ASSERT(raft->role == RAFT_FOLLOWER);
    if (may_campaign(raft) && !is_quiet_after_start(raft))
        campaign(raft, true);
}

/* Thesis 3.10: only when the target's log holds all of ours. */
void raft_transfer_proceed(struct raft *raft, struct raft_peer *peer)
{
    ASSERT(raft->role == RAFT_LEADER);
    if (raft->transfer_to == peer->id && peer->match == raft->log.last)
        peer->timeout_now_due = true;
}

enum raft_err raft_transfer(struct raft *raft, uint64_t now_us, raft_node to)
{
    raft_enter(raft, now_us);
    struct raft_peer *peer = raft_peer_find(raft, to);
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    if (peer == NULL || !peer->is_voter || to == raft->config.id)
        return RAFT_UNKNOWN;
    if (raft->transfer_to != 0 || raft->noop_due)
        return RAFT_NOT_YET;
    raft_give_up_lease(raft);
    raft->transfer_to = to;
    raft->transfer_deadline_us = now_us + raft->config.election_max_us;
    raft_transfer_proceed(raft, peer);
    raft->is_dirty = true;
    return RAFT_OK;
}

bool raft_is_transferring(const struct raft *raft)
{
    return raft->transfer_to != 0;
}

void raft_set_electable(struct raft *raft, bool is_electable)
{
    ASSERT(!raft->in_ready);
    raft->is_electable = is_electable;
}
