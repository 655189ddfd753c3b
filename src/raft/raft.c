/* Construction, dispatch of messages, terms and roles. */
#include "raft/internal.h"

#include "base/mem.h"

enum { TERM_MAX_SHIFT = 62 }; /* a foreign term beyond it is refused: ours could not go on */

static void check_config(const struct raft_config *config)
{
    ASSERT(config->id != 0 && config->heartbeat_us > 0);
    ASSERT(config->heartbeat_us < config->election_min_us);
    ASSERT(config->election_min_us < config->election_max_us);
    ASSERT(config->clock_drift_ppm < 500000);
    ASSERT(config->append_entries_max > 0 && config->inflight_max > 0);
    ASSERT(config->term_runs_max >= 2);
}

static uint64_t lease_us(const struct raft_config *config)
{
    if (RAFT_MUTANT_CONFIG(config, lease_ignores_drift))
        return config->election_min_us;
    uint64_t million = 1000000, drift = config->clock_drift_ppm;
    return config->election_min_us / (million + drift) * (million - drift) +
           config->election_min_us % (million + drift) * (million - drift) / (million + drift);
}

static void restore_members(struct raft *raft, const struct raft_restored *restored)
{
    raft->membership = raft->membership_before = restored->membership;
    ASSERT(restored->membership.index <= raft->log.last);
    for (size_t i = 0; i < restored->change_count; i++) {
        raft->membership_before = raft->membership;
        raft->membership = restored->changes[i];
        ASSERT(raft->membership.index > raft->membership_before.index);
        ASSERT(raft->membership.index > raft->log.base_index);
    }
    raft_peers_follow_members(raft);
}

static void restore(struct raft *raft, const struct raft_restored *restored)
{
    raft_log_init(&raft->log, restored, raft->config.term_runs_max);
    raft->hard = restored->hard;
    raft->rows_lost = restored->rows_lost;
    raft->promises_lost = restored->promises_lost;
    raft->applied = restored->applied;
    raft->commit = restored->commit;
    if (raft->commit < raft->applied)
        raft->commit = raft->applied;
    if (raft->commit < raft->log.base_index)
        raft->commit = raft->log.base_index;
    raft->matched = raft->commit;
    restore_members(raft, restored);
}

struct raft *raft_new(const struct raft_config *config, const struct raft_restored *restored,
                      uint64_t now_us)
{
    check_config(config);
    struct raft *raft = mem_zero(sizeof(*raft));
    raft->config = *config;
    raft->lease_us = lease_us(config);
    raft->prng = prng_init(config->seed);
    raft->now_us = raft->started_us = now_us;
    raft->is_electable = true;
    raft->is_dirty = true;
    raft->role_changed = true;
    raft->windows = mem_alloc(sizeof(raft_index) * RAFT_MEMBERS_MAX * config->inflight_max);
    restore(raft, restored);
    raft_restart_election_timer(raft);
    if (raft_is_lone_voter(raft))
        raft->election_deadline_us = now_us; /* nobody to wait for */
    raft_check(raft);
    return raft;
}

void raft_free(struct raft *raft)
{
    if (raft == NULL)
        return;
    raft_log_fini(&raft->log);
    mem_free(raft->windows);
    mem_free(raft);
}

void raft_enter(struct raft *raft, uint64_t now_us)
{
    ASSERT(!raft->in_ready);
    ASSERT(now_us >= raft->now_us);
    raft->now_us = now_us;
}

void raft_refuse(struct raft *raft)
{
    raft->counters.messages_refused++;
}

/* ---- terms and roles ---- */

void raft_set_hard_state(struct raft *raft, raft_term term, raft_node vote)
{
    ASSERT(term >= raft->hard.term);
    if (term > raft->hard.term)
        raft->role_changed = true;
    raft->hard = (struct raft_hard_state){term, vote};
    raft->hard_generation++;
    raft->is_dirty = true;
}

void raft_set_role(struct raft *raft, enum raft_role role)
{
    if (raft->role == RAFT_LEADER && role != RAFT_LEADER)
        raft->counters.step_downs++;
    raft->role = role;
    raft->role_changed = true;
    raft->is_dirty = true;
}

/* A no-op that no ready has told is an entry that nobody else has, the caller included: elected and
 * deposed by messages of one turn, a leader leaves no trace. */
static void stop_leading(struct raft *raft)
{
    if (raft->noop_due)
        raft_log_cut(&raft->log, raft->noop);
    raft->noop = 0;
    raft->noop_due = false;
    raft->transfer_to = 0;
    raft->round_due = raft->round_wanted = false;
    raft_restart_election_timer(raft);
}

/* Thesis 3.3: a higher term makes everybody a follower. The election timer of who was none runs on.
 */
void raft_become_follower(struct raft *raft, raft_term term, raft_node leader)
{
    ASSERT(term >= raft->hard.term);
    if (raft->role == RAFT_LEADER)
        stop_leading(raft);
    if (term > raft->hard.term)
        raft_set_hard_state(raft, term, 0);
    raft_set_role(raft, RAFT_FOLLOWER);
    raft->leader = leader;
    raft->matched = raft->commit; /* all that is known to equal a new leader's log */
    /* Not volunteered: it would end the leader's probing at our commit, and everything behind that
     * would be sent again. */
    raft->acked = raft->matched;
    raft->ack_due = false;
    raft->offer_from = 0;
}

/* ---- messages ---- */

/* Thesis 3.4: who hears a leader of its own term follows it. False: there is another already. */
static bool follow(struct raft *raft, const struct raft_message *message)
{
    ASSERT(message->term == raft->hard.term);
    bool is_impossible =
        raft->role == RAFT_LEADER || (raft->leader != 0 && raft->leader != message->from);
    if (is_impossible) {
        raft_refuse(raft);
        return false;
    }
    if (raft->leader == 0)
        raft_become_follower(raft, message->term, message->from);
    raft_hear_leader(raft);
    return true;
}

static struct raft_accepted step_of_leader(struct raft *raft, const struct raft_message *message)
{
    struct raft_accepted none = {1, 0};
    if (message->term < raft->hard.term) {
        raft_answer_stale_leader(raft, message);
        return none;
    }
    if (message->term > raft->hard.term)
        raft_become_follower(raft, message->term, 0);
    if (!follow(raft, message))
        return none;
    if (message->kind == RAFT_APPEND)
        return raft_on_append(raft, message);
    if (message->kind == RAFT_HEARTBEAT)
        raft_on_heartbeat(raft, message);
    else if (message->kind == RAFT_INSTALL)
        raft_on_install(raft, message);
    else
        raft_on_timeout_now(raft);
    return none;
}

/* An answer from a higher term deposes; one from a lower term is about something forgotten. */
static bool answer_is_of_our_term(struct raft *raft, const struct raft_message *message)
{
    if (message->term > raft->hard.term)
        raft_become_follower(raft, message->term, 0);
    return message->term == raft->hard.term;
}

static void step_answer(struct raft *raft, const struct raft_message *message)
{
    /* A granted pre-vote names the term that would come; nobody is in it. */
    bool is_of_next_term = message->kind == RAFT_PRE_VOTE_ANSWER && message->vote_answer.is_granted;
    if (!is_of_next_term && !answer_is_of_our_term(raft, message))
        return;
    if (message->kind == RAFT_APPEND_ANSWER)
        raft_on_append_answer(raft, message);
    else if (message->kind == RAFT_HEARTBEAT_ANSWER)
        raft_on_heartbeat_answer(raft, message);
    else
        raft_on_vote_answer(raft, message);
}

static bool message_is_sane(const struct raft *raft, const struct raft_message *message)
{
    if (message->to != raft->config.id || message->from == raft->config.id || message->from == 0)
        return false;
    /* Only who never saw an election has term 0, and it has nothing to say but no. */
    bool may_be_zero = message->kind == RAFT_PRE_VOTE_ANSWER && !message->vote_answer.is_granted;
    return (message->term > 0 || may_be_zero) && message->term >> TERM_MAX_SHIFT == 0;
}

/* L4: who lost its promises is no longer that voter. */
static bool is_beyond_us(const struct raft *raft, const struct raft_message *message)
{
    bool is_vote = message->kind == RAFT_VOTE || message->kind == RAFT_PRE_VOTE;
    if (is_vote && RAFT_MUTANT(raft, amnesiac_votes))
        return false;
    if (!is_vote && RAFT_MUTANT(raft, amnesiac_acknowledges))
        return false;
    return raft->promises_lost;
}

struct raft_accepted raft_step(struct raft *raft, uint64_t now_us,
                               const struct raft_message *message)
{
    struct raft_accepted none = {1, 0};
    raft_enter(raft, now_us);
    if (!message_is_sane(raft, message)) {
        raft_refuse(raft);
        return none;
    }
    if (is_beyond_us(raft, message))
        return none;
    raft->is_dirty = true;
    switch (message->kind) {
    case RAFT_PRE_VOTE:
        raft_on_pre_vote(raft, message);
        return none;
    case RAFT_VOTE:
        raft_on_vote(raft, message);
        return none;
    case RAFT_APPEND:
    case RAFT_HEARTBEAT:
    case RAFT_INSTALL:
    case RAFT_TIMEOUT_NOW:
        return step_of_leader(raft, message);
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_VOTE_ANSWER:
    case RAFT_APPEND_ANSWER:
    case RAFT_HEARTBEAT_ANSWER:
        step_answer(raft, message);
        return none;
    }
    raft_refuse(raft); /* a kind that we do not know */
    return none;
}

/* ---- time ---- */

static void tick_leader(struct raft *raft)
{
    if (!raft_quorum_is_in_contact(raft, raft->config.election_max_us)) {
        raft_become_follower(raft, raft->hard.term, 0);
        return;
    }
    if (raft->transfer_to != 0 && raft->now_us >= raft->transfer_deadline_us)
        raft->transfer_to = 0; /* thesis 3.10: goes on as leader; the lease stays given up */
    if (raft->now_us < raft->heartbeat_due_us)
        return;
    raft->round_due = true;
    raft->heartbeat_due_us = raft_next_beat(raft);
    raft->is_dirty = true;
}

void raft_tick(struct raft *raft, uint64_t now_us)
{
    raft_enter(raft, now_us);
    if (raft->promises_lost)
        return;
    if (raft->role == RAFT_LEADER)
        tick_leader(raft);
    else if (now_us >= raft->election_deadline_us)
        raft_elect(raft);
}

uint64_t raft_deadline(const struct raft *raft)
{
    if (raft->promises_lost)
        return UINT64_MAX;
    return raft->role == RAFT_LEADER ? raft->heartbeat_due_us : raft->election_deadline_us;
}

/* ---- the caller's part ---- */

raft_index raft_propose(struct raft *raft)
{
    ASSERT(!raft->in_ready);
    if (raft->role != RAFT_LEADER || raft->noop_due)
        return 0;
    raft_log_append(&raft->log, raft->hard.term);
    raft->is_dirty = true;
    return raft->log.last;
}

void raft_applied(struct raft *raft, raft_index index)
{
    ASSERT(!raft->in_ready);
    ASSERT(index >= raft->applied && index <= raft->commit);
    raft->applied = index;
}

void raft_compacted(struct raft *raft, raft_index index)
{
    ASSERT(!raft->in_ready);
    ASSERT(index <= raft->applied && index <= raft->log.stored);
    if (index > raft->log.base_index)
        raft_log_compact(&raft->log, index);
}

void raft_unreachable(struct raft *raft, raft_node peer_id)
{
    ASSERT(!raft->in_ready);
    struct raft_peer *peer = raft_peer_find(raft, peer_id);
    if (raft->role == RAFT_LEADER && peer != NULL && peer->state == RAFT_REPLICATE)
        raft_peer_probe(peer, peer->match + 1);
}

/* ---- questions ---- */

raft_node raft_id(const struct raft *raft)
{
    return raft->config.id;
}

enum raft_role raft_role(const struct raft *raft)
{
    return raft->role;
}

raft_node raft_leader(const struct raft *raft)
{
    return raft->leader;
}

struct raft_hard_state raft_hard_state(const struct raft *raft)
{
    return raft->hard;
}

raft_term raft_term_now(const struct raft *raft)
{
    return raft->hard.term;
}

raft_index raft_base_index(const struct raft *raft)
{
    return raft->log.base_index;
}

raft_term raft_base_term(const struct raft *raft)
{
    return raft->log.base_term;
}

raft_index raft_last_index(const struct raft *raft)
{
    return raft->log.last;
}

raft_index raft_commit_index(const struct raft *raft)
{
    return raft->commit;
}

raft_index raft_applied_index(const struct raft *raft)
{
    return raft->applied;
}

raft_index raft_stored_index(const struct raft *raft)
{
    return raft->log.stored;
}

raft_term raft_term_at(const struct raft *raft, raft_index index)
{
    return raft_log_term(&raft->log, index);
}

struct raft_counters raft_counters(const struct raft *raft)
{
    return raft->counters;
}

/* ---- invariants ---- */

static void check_leader(const struct raft *raft)
{
    ASSERT(raft->hard.vote == raft->config.id && raft->leader == raft->config.id);
    ASSERT(raft->hard_stored == raft->hard_generation);
    ASSERT(raft->noop > 0 && raft->noop <= raft->log.last);
    ASSERT(raft_log_last_term(&raft->log) == raft->hard.term);
    ASSERT(raft->rounds_confirmed <= raft->round);
    for (uint32_t i = 0; i < raft->membership.members.count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        ASSERT(peer->match <= raft->log.last && peer->next <= raft->log.last + 1);
        ASSERT(peer->next > peer->match && peer->round_acked <= raft->round);
        ASSERT(peer->window_count <= raft->config.inflight_max);
    }
}

void raft_check(const struct raft *raft)
{
    raft_log_check(&raft->log);
    raft_members_check(raft);
    ASSERT(raft->commit >= raft->log.base_index && raft->commit <= raft->log.last);
    ASSERT(raft->applied <= raft->commit);
    ASSERT(raft->applied >= raft->log.base_index || raft->rows_lost);
    ASSERT(raft_log_last_term(&raft->log) <= raft->hard.term);
    ASSERT(raft->hard_stored <= raft->hard_submitted);
    ASSERT(raft->hard_submitted <= raft->hard_generation);
    ASSERT(raft->has_heard ? raft->heard_us <= raft->now_us : true);
    if (raft->role == RAFT_FOLLOWER) {
        ASSERT(raft->matched >= raft->commit && raft->matched <= raft->log.last);
        ASSERT(raft->acked <= raft->matched);
    }
    if (raft->role == RAFT_LEADER)
        check_leader(raft);
    else
        ASSERT(raft->noop == 0);
    if (raft->role == RAFT_CANDIDATE)
        ASSERT(raft->hard.vote == raft->config.id);
}
