/* The log on its way (thesis 3.5), what is committed (3.6.2), and peers that need rows instead of
 * entries (ch. 5). Each pair of functions is one message: the sender's half, the receiver's. */
#include "raft/internal.h"

enum { INDEX_MAX_SHIFT = 62 }; /* no log gets there: sums of foreign numbers cannot overflow */

static bool is_index(raft_index index)
{
    return index >> INDEX_MAX_SHIFT == 0;
}

/* ---- append, the leader's half ---- */

static uint32_t entries_to_send(const struct raft *raft, const struct raft_peer *peer)
{
    raft_index left = raft->log.last + 1 - peer->next;
    uint32_t max = peer->state == RAFT_PROBE ? 1 : raft->config.append_entries_max;
    return left < max ? (uint32_t)left : max;
}

static bool wants_append(const struct raft *raft, const struct raft_peer *peer)
{
    switch (peer->state) {
    case RAFT_PROBE:
        return !peer->is_waiting;
    case RAFT_REPLICATE:
        return peer->append_due ||
               (peer->next <= raft->log.last && !raft_window_is_full(raft, peer));
    case RAFT_SNAPSHOT:
        return false;
    }
    UNREACHABLE();
}

/* Thesis 3.5: entries from next on, after the one before them for the consistency check. */
void raft_send_append(struct raft *raft, struct raft_peer *peer)
{
    peer->has_sent = false;
    if (!wants_append(raft, peer))
        return;
    if (peer->next <= raft->log.base_index) {
        raft_peer_snapshot(peer);
        return;
    }
    uint32_t count = raft_window_is_full(raft, peer) ? 0 : entries_to_send(raft, peer);
    struct raft_message *message = raft_send(raft, RAFT_APPEND, peer->id);
    message->append = (struct raft_append){
        .prev_index = peer->next - 1,
        .prev_term = raft_log_term(&raft->log, peer->next - 1),
        .commit = raft->commit,
        .count = count,
    };
    peer->sent_prev = peer->next - 1;
    peer->has_sent = true;
    peer->append_due = false;
    peer->is_waiting = peer->state == RAFT_PROBE;
    peer->next += count;
    if (count > 0) {
        raft_window_push(raft, peer, peer->next - 1);
        raft_peer_begin_catch_up(raft, peer);
    }
    if (wants_append(raft, peer))
        raft->is_dirty = true;
}

void raft_append_cut(struct raft *raft, raft_node to, raft_index last)
{
    ASSERT(raft->in_ready);
    struct raft_peer *peer = raft_peer_find(raft, to);
    ASSERT(peer != NULL && peer->has_sent);
    ASSERT(last >= peer->sent_prev && last < peer->next);
    if (last == peer->next - 1)
        return;
    raft_window_unpush(peer);
    peer->next = last + 1;
    if (last > peer->sent_prev)
        raft_window_push(raft, peer, last);
    else
        peer->is_waiting = false;
    raft->is_dirty = true;
}

/* ---- append, the follower's half ---- */

static bool append_is_sane(const struct raft_message *message)
{
    const struct raft_append *append = &message->append;
    if (!is_index(append->prev_index) || append->prev_term > message->term)
        return false;
    raft_term term = append->prev_term;
    for (uint32_t i = 0; i < append->count; i++) {
        if (append->terms[i] < term || append->terms[i] == 0 || append->terms[i] > message->term)
            return false;
        term = append->terms[i];
    }
    raft_index index = append->prev_index;
    for (uint32_t i = 0; i < append->change_count; i++) {
        const struct raft_membership *change = &append->changes[i];
        if (change->index <= index || change->index > append->prev_index + append->count)
            return false;
        if (!raft_members_are_valid(&change->members))
            return false;
        index = change->index;
    }
    return true;
}

/* Refused, with the last place where the logs can meet (thesis 3.5, end: skips whole terms). What
 * is committed here is in every later leader's log, so no place before that needs a try. */
static void refuse_append(struct raft *raft, const struct raft_message *message)
{
    const struct raft_append *append = &message->append;
    raft_index hint = raft_log_fit(&raft->log, append->prev_index - 1, append->prev_term);
    if (hint < raft->commit)
        hint = raft->commit;
    ASSERT(hint < append->prev_index);
    struct raft_message answer = {
        .kind = RAFT_APPEND_ANSWER,
        .to = message->from,
        .term = raft->hard.term,
        .append_answer =
            {
                .index = append->prev_index,
                .rows_lost = raft->rows_lost,
                .hint_index = hint,
                .hint_term = raft_log_term(&raft->log, hint),
            },
    };
    raft_answer(raft, &answer);
}

/* The first entry of the message that our log does not hold; prev_index + count + 1 when it holds
 * all. Only a conflict cuts: a delayed message that is merely shorter proves nothing (3.5, 5). */
static raft_index first_new(const struct raft *raft, const struct raft_append *append)
{
    raft_index end = append->prev_index + append->count + 1;
    raft_index index = append->prev_index + 1;
    if (RAFT_MUTANT(raft, truncate_without_conflict))
        return index <= raft->log.base_index ? end : index;
    if (index <= raft->log.base_index)
        index = raft->log.base_index + 1; /* compacted, so committed, so equal */
    while (index < end && index <= raft->log.last &&
           raft_log_term(&raft->log, index) == append->terms[index - append->prev_index - 1])
        index++;
    return index < end ? index : end;
}

/* What is committed, acknowledged to this leader, or under the older configuration stands. */
static bool may_cut(const struct raft *raft, raft_index first)
{
    if (RAFT_MUTANT(raft, truncate_without_conflict))
        return first > raft->log.base_index;
    return first > raft->commit && first > raft->matched && raft_members_survive_cut(raft, first);
}

/* Appends entries first.. of the message while the term table has room; returns the last one. */
static raft_index take_entries(struct raft *raft, const struct raft_append *append,
                               raft_index first)
{
    raft_index end = append->prev_index + append->count + 1;
    raft_index index = first;
    for (; index < end; index++) {
        raft_term term = append->terms[index - append->prev_index - 1];
        if (!raft_log_has_room(&raft->log, index, term))
            break;
        if (index <= raft->log.last) {
            raft_log_cut(&raft->log, index);
            raft_members_cut(raft, index);
        }
        raft_log_append(&raft->log, term);
    }
    for (uint32_t i = 0; i < append->change_count; i++) {
        const struct raft_membership *change = &append->changes[i];
        if (change->index >= first && change->index < index)
            raft_members_take(raft, change); /* thesis 4.1: counts as soon as it is in the log */
    }
    return index - 1;
}

static bool previous_fits(const struct raft *raft, const struct raft_append *append)
{
    const struct raft_log *log = &raft->log;
    if (append->prev_index <= log->base_index)
        return true; /* committed here, so in every leader's log */
    if (append->prev_index > log->last)
        return false;
    return raft_log_term(log, append->prev_index) == append->prev_term ||
           RAFT_MUTANT(raft, skip_previous_check);
}

static void learn_commit(struct raft *raft, raft_index commit)
{
    raft_index known = RAFT_MUTANT(raft, commit_beyond_match) ? raft->log.last : raft->matched;
    if (commit > known)
        commit = known; /* thesis 3.5, figure 3.1: not beyond the last entry known to be equal */
    if (commit > raft->commit)
        raft->commit = commit;
}

struct raft_accepted raft_on_append(struct raft *raft, const struct raft_message *message)
{
    const struct raft_append *append = &message->append;
    struct raft_accepted none = {1, 0};
    if (!append_is_sane(message)) {
        raft_refuse(raft);
        return none;
    }
    if (!previous_fits(raft, append)) {
        refuse_append(raft, message);
        return none;
    }
    raft_index first = first_new(raft, append);
    raft_index last = append->prev_index + append->count;
    if (first <= raft->log.last && first <= last && !may_cut(raft, first)) {
        raft_refuse(raft);
        return none;
    }
    if (first <= last)
        last = take_entries(raft, append, first);
    if (last > raft->log.base_index && last > raft->matched)
        raft->matched = last;
    ASSERT(raft->matched <= raft->log.last);
    learn_commit(raft, append->commit);
    raft->ack_due = true;
    return (struct raft_accepted){first, last};
}

/* Thesis 3.8: what is acknowledged is on disk. One acknowledgement speaks for all before it. */
void raft_send_ack(struct raft *raft)
{
    ASSERT(raft->role == RAFT_FOLLOWER);
    if (raft->leader == 0 || raft->hard_stored != raft->hard_generation)
        return;
    raft_index durable = raft->log.stored;
    if (RAFT_MUTANT(raft, acknowledge_before_stored))
        durable = raft->log.last;
    raft_index index = raft->matched < durable ? raft->matched : durable;
    bool is_all = index == raft->matched;
    if (index <= raft->acked && !(raft->ack_due && is_all))
        return;
    struct raft_message *message = raft_send(raft, RAFT_APPEND_ANSWER, raft->leader);
    message->append_answer = (struct raft_append_answer){
        .index = index,
        .is_accepted = true,
        .rows_lost = raft->rows_lost,
    };
    raft->acked = index;
    if (is_all)
        raft->ack_due = false;
}

/* Thesis 3.3: who speaks in an old term is told the new one. */
void raft_answer_stale_leader(struct raft *raft, const struct raft_message *message)
{
    ASSERT(message->term < raft->hard.term);
    struct raft_message answer = {.to = message->from, .term = raft->hard.term};
    answer.kind = message->kind == RAFT_HEARTBEAT ? RAFT_HEARTBEAT_ANSWER : RAFT_APPEND_ANSWER;
    raft_answer(raft, &answer);
}

/* ---- answers, the leader's half ---- */

static uint64_t match_of(const struct raft_peer *peer)
{
    return peer->match;
}

/* Thesis 4.2.2: a leader that is not in the committed configuration has done its work. */
static void leave_when_removed(struct raft *raft)
{
    if (raft->commit >= raft->membership.index && !raft_is_voter(raft))
        raft_become_follower(raft, raft->hard.term, 0);
}

void raft_advance_commit(struct raft *raft)
{
    ASSERT(raft->role == RAFT_LEADER);
    bool counts_early = RAFT_MUTANT(raft, own_copy_counts_before_stored);
    raft_index own = counts_early ? raft->log.last : raft->log.stored;
    raft_index reached = raft_quorum_reached(raft, match_of, own);
    if (reached <= raft->commit)
        return;
    /* Thesis 3.6.2, figure 3.7: replicas of older terms are never counted; they are committed by
     * the first entry of our own term behind them. */
    if (raft_log_term(&raft->log, reached) != raft->hard.term &&
        !RAFT_MUTANT(raft, commit_old_term_by_counting))
        return;
    raft->commit = reached;
    raft->is_dirty = true;
    leave_when_removed(raft);
}

/* Thesis 3.5: step back to where the logs can meet, skipping the terms that differ. */
static void step_back(struct raft *raft, struct raft_peer *peer,
                      const struct raft_append_answer *answer)
{
    raft_index meet = raft_log_fit(&raft->log, answer->hint_index, answer->hint_term);
    if (raft_log_term(&raft->log, meet) > answer->hint_term && meet > 0)
        meet--; /* our base is already later than what they have */
    if (meet >= answer->index)
        meet = answer->index - 1;
    if (meet < peer->match)
        meet = peer->match;
    raft_peer_probe(peer, meet + 1);
}

static void on_refused(struct raft *raft, struct raft_peer *peer,
                       const struct raft_append_answer *answer)
{
    if (answer->index <= peer->match)
        return; /* of an append before the one that fitted */
    switch (peer->state) {
    case RAFT_PROBE:
        if (answer->index == peer->sent_prev)
            step_back(raft, peer, answer);
        return;
    case RAFT_REPLICATE:
        step_back(raft, peer, answer);
        return;
    case RAFT_SNAPSHOT:
        return;
    }
    UNREACHABLE();
}

static void on_accepted(struct raft *raft, struct raft_peer *peer,
                        const struct raft_append_answer *answer)
{
    bool is_news = raft_peer_matches(raft, peer, answer->index);
    bool may_go_on = peer->state == RAFT_PROBE ||
                     (peer->state == RAFT_SNAPSHOT && peer->match >= raft->log.base_index);
    if (may_go_on)
        raft_peer_replicate(peer);
    if (peer->state != RAFT_SNAPSHOT && !answer->rows_lost)
        peer->install_wanted = peer->install_runs = false;
    raft_transfer_proceed(raft, peer);
    if (is_news)
        raft_advance_commit(raft);
}

static void note_rows_lost(struct raft_peer *peer, bool rows_lost)
{
    if (rows_lost && !peer->install_runs)
        peer->install_wanted = true;
}

void raft_on_append_answer(struct raft *raft, const struct raft_message *message)
{
    const struct raft_append_answer *answer = &message->append_answer;
    struct raft_peer *peer = raft_peer_find(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL)
        return;
    bool is_sane = answer->is_accepted ? answer->index <= raft->log.last
                                       : answer->index > 0 && answer->hint_index < answer->index;
    if (!is_sane) {
        raft_refuse(raft);
        return;
    }
    peer->heard_us = raft->now_us;
    note_rows_lost(peer, answer->rows_lost);
    if (answer->is_accepted)
        on_accepted(raft, peer, answer);
    else
        on_refused(raft, peer, answer);
}

/* ---- heartbeat ---- */

void raft_on_heartbeat(struct raft *raft, const struct raft_message *message)
{
    learn_commit(raft, message->heartbeat.commit);
    struct raft_message answer = {
        .kind = RAFT_HEARTBEAT_ANSWER,
        .to = message->from,
        .term = raft->hard.term,
        .heartbeat_answer =
            {
                .round = message->heartbeat.round,
                .received = raft->matched,
                .rows_lost = raft->rows_lost,
            },
    };
    raft_answer(raft, &answer);
}

/* Messages get lost without notice. Entries that do not arrive over several rounds are sent again;
 * entries that arrived but are not acknowledged are asked for: their fsync may be slow, or the
 * acknowledgement is what was lost. And a peer that was restarted does not know any more that what
 * it acknowledged equals our log, so it cannot follow the commit index: it is told again, though
 * nothing is new. */
static void watch_progress(struct raft_peer *peer, raft_index received)
{
    bool is_done = peer->match + 1 == peer->next && received >= peer->match;
    bool moves = received > peer->received || is_done;
    peer->received = received;
    peer->stalls = moves ? 0 : peer->stalls + 1;
    if (peer->stalls < RAFT_STALLS_MAX)
        return;
    peer->stalls = 0;
    if (received + 1 >= peer->next)
        peer->append_due = true;
    else
        raft_peer_probe(peer, (received > peer->match ? received : peer->match) + 1);
}

void raft_on_heartbeat_answer(struct raft *raft, const struct raft_message *message)
{
    const struct raft_heartbeat_answer *answer = &message->heartbeat_answer;
    struct raft_peer *peer = raft_peer_find(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL)
        return;
    if (answer->round > raft->round || answer->received > raft->log.last) {
        raft_refuse(raft);
        return;
    }
    peer->heard_us = raft->now_us;
    if (answer->round > peer->round_acked)
        peer->round_acked = answer->round;
    raft_confirm_rounds(raft);
    note_rows_lost(peer, answer->rows_lost);
    switch (peer->state) {
    case RAFT_PROBE:
        peer->is_waiting = false;
        break;
    case RAFT_REPLICATE:
        watch_progress(peer, answer->received);
        break;
    case RAFT_SNAPSHOT: /* installed, and the acknowledgement was lost */
        if (answer->received >= raft->log.base_index && answer->received > peer->match)
            raft_peer_probe(peer, answer->received + 1);
        break;
    }
}

/* ---- install (thesis ch. 5; L3, L5) ---- */

void raft_install_begin(struct raft *raft, uint64_t now_us, raft_node peer_id, raft_index index)
{
    raft_enter(raft, now_us);
    struct raft_peer *peer = raft_peer_find(raft, peer_id);
    if (raft->role != RAFT_LEADER || peer == NULL)
        return;
    ASSERT(index >= raft->log.base_index && index <= raft->applied && index > 0);
    peer->install_wanted = false;
    peer->install_runs = peer->install_notice_due = true;
    peer->install_index = index;
    raft->is_dirty = true;
}

void raft_install_abandoned(struct raft *raft, uint64_t now_us, raft_node peer_id)
{
    raft_enter(raft, now_us);
    struct raft_peer *peer = raft_peer_find(raft, peer_id);
    if (raft->role != RAFT_LEADER || peer == NULL || !peer->install_runs)
        return;
    peer->install_runs = peer->install_notice_due = false;
    peer->install_wanted =
        peer->state == RAFT_SNAPSHOT; /* lost rows are asked for again by the peer */
    peer->install_not_before_us = now_us + raft->config.election_min_us;
}

static bool install_is_useful(const struct raft *raft, raft_index index)
{
    return index > raft->commit || (raft->rows_lost && index >= raft->log.base_index);
}

/* At or below the commit index it is answered, not taken. */
void raft_on_install(struct raft *raft, const struct raft_message *message)
{
    const struct raft_install *install = &message->install;
    bool is_sane = is_index(install->index) && install->index > 0 && install->index_term > 0 &&
                   install->index_term <= message->term;
    if (!is_sane) {
        raft_refuse(raft);
        return;
    }
    if (install_is_useful(raft, install->index)) {
        raft->offer_from = message->from;
        raft->offer = *install;
    } else {
        raft->ack_due = true;
    }
}

/* Thesis 5.1, figure 5.3: entries behind the mark are kept when the log holds the mark, because
 * they may be acknowledged; otherwise the whole log is replaced. */
static void take_mark(struct raft *raft, raft_index index, raft_term term,
                      const struct raft_membership *membership)
{
    bool holds = index >= raft->log.base_index && index <= raft->log.last &&
                 raft_log_term(&raft->log, index) == term;
    if (!holds) {
        raft_log_reset(&raft->log, index, term);
        raft->membership = raft->membership_before = *membership;
        raft_peers_follow_members(raft);
        raft->members_changed = true;
    } else if (membership->index > raft->membership.index) {
        raft_members_take(raft, membership);
    }
}

bool raft_installed(struct raft *raft, raft_index index, raft_term term,
                    const struct raft_membership *membership)
{
    ASSERT(!raft->in_ready && index > 0 && term > 0 && membership->index <= index);
    if (raft->role == RAFT_LEADER || !install_is_useful(raft, index))
        return false;
    if (raft->role != RAFT_FOLLOWER) /* what it campaigned with is not its log any more */
        raft_become_follower(raft, raft->hard.term, 0);
    take_mark(raft, index, term, membership);
    raft->rows_lost = false;
    if (raft->commit < index)
        raft->commit = index;
    if (raft->applied < index)
        raft->applied = index;
    if (raft->matched < raft->commit)
        raft->matched = raft->commit; /* committed, so in the leader's log */
    raft->ack_due = raft->is_dirty = true;
    return true;
}
