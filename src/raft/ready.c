/* What leaves the core. Everything that promises something waits here until it is durable, so that
 * whatever ready shows may be sent. */
#include "raft/internal.h"

/* One place per asking node and kind: a newer answer says all that the older one did. */
static struct raft_answer *answer_place(struct raft *raft, const struct raft_message *answer)
{
    for (uint32_t i = 0; i < raft->answer_count; i++) {
        struct raft_answer *held = &raft->answers[i];
        if (held->message.to == answer->to && held->message.kind == answer->kind)
            return held;
    }
    if (raft->answer_count == RAFT_ANSWERS_MAX)
        return NULL;
    return &raft->answers[raft->answer_count++];
}

void raft_answer(struct raft *raft, const struct raft_message *answer)
{
    ASSERT(answer->to != 0 && answer->to != raft->config.id);
    ASSERT(answer->term > 0 || answer->kind == RAFT_PRE_VOTE_ANSWER);
    struct raft_answer *place = answer_place(raft, answer);
    if (place == NULL) {
        raft->counters.answers_dropped++;
        return;
    }
    place->message = *answer;
    place->message.from = raft->config.id;
    place->hard_generation = RAFT_MUTANT(raft, vote_before_stored) ? 0 : raft->hard_generation;
    raft->is_dirty = true;
}

/* Room is a matter of arithmetic: all answers, and append, heartbeat or vote request, install and
 * timeout-now to each other member. */
_Static_assert(RAFT_ANSWERS_MAX + 4 * (RAFT_MEMBERS_MAX - 1) + 1 <= RAFT_MESSAGES_MAX,
               "the outbox holds what one ready can send");

struct raft_message *raft_send(struct raft *raft, enum raft_message_kind kind, raft_node to)
{
    ASSERT(raft->in_ready && raft->message_count < RAFT_MESSAGES_MAX);
    ASSERT(to != 0 && to != raft->config.id);
    struct raft_message *message = &raft->messages[raft->message_count++];
    *message = (struct raft_message){
        .kind = kind,
        .from = raft->config.id,
        .to = to,
        .term = raft->hard.term,
    };
    return message;
}

/* Thesis 3.8: term and vote are durable before anybody hears of them. */
static void send_answers(struct raft *raft)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < raft->answer_count; i++) {
        const struct raft_answer *answer = &raft->answers[i];
        if (answer->hard_generation <= raft->hard_stored) {
            ASSERT(raft->message_count < RAFT_MESSAGES_MAX);
            raft->messages[raft->message_count++] = answer->message;
        } else {
            raft->answers[held++] = *answer;
        }
    }
    raft->answer_count = held;
}

static void send_install_notice(struct raft *raft, struct raft_peer *peer)
{
    peer->install_notice_due = false;
    if (peer->install_index < raft->log.base_index)
        return; /* the caller compacted above its own mark: the install cannot connect any more */
    struct raft_message *message = raft_send(raft, RAFT_INSTALL, peer->id);
    message->install = (struct raft_install){
        .index = peer->install_index,
        .index_term = raft_log_term(&raft->log, peer->install_index),
    };
}

static void send_to_peer(struct raft *raft, struct raft_peer *peer)
{
    if (peer->install_notice_due)
        send_install_notice(raft, peer);
    raft_send_append(raft, peer);
    if (!peer->timeout_now_due)
        return;
    peer->timeout_now_due = false;
    if (raft->transfer_to == peer->id)
        (void)raft_send(raft, RAFT_TIMEOUT_NOW, peer->id);
}

static void lead(struct raft *raft)
{
    raft_send_round(raft);
    raft_confirm_rounds(raft); /* alone, a round is confirmed when it is sent */
    for (uint32_t i = 0; i < raft->membership.members.count; i++)
        if (raft->peers[i].id != raft->config.id)
            send_to_peer(raft, &raft->peers[i]);
}

static void send_messages(struct raft *raft)
{
    raft->message_count = 0;
    send_answers(raft);
    switch (raft->role) {
    case RAFT_FOLLOWER:
        raft_send_ack(raft);
        return;
    case RAFT_PRE_CANDIDATE:
    case RAFT_CANDIDATE:
        raft_send_vote_requests(raft);
        return;
    case RAFT_LEADER:
        lead(raft);
        return;
    }
    UNREACHABLE();
}

static void tell_what_to_store(const struct raft *raft, struct raft_ready *out)
{
    out->hard_state_changed = raft->hard_generation != raft->hard_submitted;
    out->hard = raft->hard;
    out->log_was_reset = raft->log.was_reset;
    out->store_first = raft->log.submitted + 1;
    out->store_last = raft->log.last;
    out->mark = (struct raft_mark){raft->log.last, raft->log.generation, raft->hard_generation};
    out->must_store =
        out->hard_state_changed || out->log_was_reset || out->store_first <= out->store_last;
}

static void tell_installs(struct raft *raft, struct raft_ready *out)
{
    out->offer.from = raft->offer_from;
    out->offer.term = raft->hard.term;
    out->offer.index = raft->offer.index;
    out->offer.index_term = raft->offer.index_term;
    raft->offer_from = 0;
    if (raft->role != RAFT_LEADER)
        return;
    for (uint32_t i = 0; i < raft->membership.members.count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        bool is_due = peer->install_wanted && !peer->install_runs &&
                      raft->now_us >= peer->install_not_before_us;
        bool is_there = raft->now_us - peer->heard_us < raft->config.election_max_us;
        if (is_due && is_there)
            out->installs[out->install_count++] = peer->id;
    }
}

static void tell_state(struct raft *raft, struct raft_ready *out)
{
    out->commit = raft->commit;
    out->reads_confirmed = raft->rounds_confirmed;
    out->role_changed = raft->role_changed;
    out->role = raft->role;
    out->term = raft->hard.term;
    out->leader = raft->leader;
    out->noop = raft->noop_due ? raft->noop : 0;
    out->members_changed = raft->members_changed;
    raft->role_changed = raft->members_changed = raft->noop_due = false;
}

bool raft_has_ready(const struct raft *raft)
{
    return raft->is_dirty;
}

void raft_ready(struct raft *raft, uint64_t now_us, struct raft_ready *out)
{
    raft_enter(raft, now_us);
    *out = (struct raft_ready){0};
    raft->in_ready = true;
    raft->is_dirty = false; /* sending may find that there is more */
    tell_what_to_store(raft, out);
    send_messages(raft);
    tell_installs(raft, out);
    tell_state(raft, out);
    out->messages = raft->messages;
    out->message_count = raft->message_count;
}

void raft_advance(struct raft *raft)
{
    ASSERT(raft->in_ready);
    raft->in_ready = false;
    raft->hard_submitted = raft->hard_generation;
    raft->log.submitted = raft->log.last;
    raft->log.was_reset = false;
}

/* The log's completions come in the order of the batches, so a mark covers all before it. One made
 * before the log was cut speaks of entries that may not be ours any more: only its hard state
 * counts, and the batch that replaced them brings a mark of its own. */
static void store_log(struct raft *raft, const struct raft_mark *mark)
{
    struct raft_log *log = &raft->log;
    if (mark->log_generation != log->generation) {
        if (!RAFT_MUTANT(raft, stale_completion_counts))
            return;
        log->stored = mark->index < log->submitted ? mark->index : log->submitted;
    }
    ASSERT(mark->index <= log->submitted);
    if (mark->index > log->stored)
        log->stored = mark->index;
}

void raft_stored(struct raft *raft, uint64_t now_us, const struct raft_mark *mark)
{
    raft_enter(raft, now_us);
    ASSERT(mark->hard_generation <= raft->hard_submitted);
    if (mark->hard_generation > raft->hard_stored)
        raft->hard_stored = mark->hard_generation;
    store_log(raft, mark);
    raft->is_dirty = true;
    if (raft->role == RAFT_LEADER)
        raft_advance_commit(raft);
    else if (raft->role == RAFT_CANDIDATE && raft->hard_stored == raft->hard_generation)
        raft_vote_is_stored(raft);
}
