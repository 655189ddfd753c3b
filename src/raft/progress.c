/* What a leader knows of each peer, and how much it dares to send.
 *
 *              accepted                       our log does not reach back
 *     PROBE ------------> REPLICATE      PROBE, REPLICATE ----------------> SNAPSHOT
 *           <------------                       <--------------------------
 *        refused, stalled, link broke                  installed
 */
#include "raft/internal.h"

struct raft_peer *raft_peer_find(struct raft *raft, raft_node id)
{
    for (uint32_t i = 0; i < raft->membership.members.count; i++)
        if (raft->peers[i].id == id)
            return &raft->peers[i];
    return NULL;
}

static void forget_window(struct raft_peer *peer)
{
    peer->window_start = peer->window_count = 0;
}

void raft_peer_probe(struct raft_peer *peer, raft_index next)
{
    ASSERT(next > peer->match);
    peer->state = RAFT_PROBE;
    peer->next = next;
    peer->is_waiting = false;
    peer->stalls = 0;
    forget_window(peer);
}

void raft_peer_replicate(struct raft_peer *peer)
{
    peer->state = RAFT_REPLICATE;
    peer->next = peer->match + 1;
    peer->is_waiting = false;
    peer->stalls = 0;
    forget_window(peer);
}

void raft_peer_snapshot(struct raft_peer *peer)
{
    peer->state = RAFT_SNAPSHOT;
    peer->install_wanted = true;
    forget_window(peer);
}

bool raft_window_is_full(const struct raft *raft, const struct raft_peer *peer)
{
    ASSERT(peer->window_count <= raft->config.inflight_max);
    return peer->window_count == raft->config.inflight_max;
}

void raft_window_push(const struct raft *raft, struct raft_peer *peer, raft_index last)
{
    ASSERT(!raft_window_is_full(raft, peer));
    uint32_t at = (peer->window_start + peer->window_count) % raft->config.inflight_max;
    peer->window[at] = last;
    peer->window_count++;
}

void raft_window_unpush(struct raft_peer *peer)
{
    ASSERT(peer->window_count > 0);
    peer->window_count--;
}

void raft_window_free_through(const struct raft *raft, struct raft_peer *peer, raft_index index)
{
    while (peer->window_count > 0 && peer->window[peer->window_start] <= index) {
        peer->window_start = (peer->window_start + 1) % raft->config.inflight_max;
        peer->window_count--;
    }
}

void raft_peer_begin_catch_up(const struct raft *raft, struct raft_peer *peer)
{
    if (peer->is_catching_up)
        return;
    peer->is_catching_up = true;
    peer->catch_up_target = raft->log.last;
    peer->catch_up_since_us = raft->now_us;
}

static void start_peer(struct raft *raft, struct raft_peer *peer)
{
    raft_node id = peer->id;
    bool is_voter = peer->is_voter;
    raft_index *window = peer->window;
    *peer = (struct raft_peer){.id = id, .is_voter = is_voter, .window = window};
    peer->heard_us = raft->now_us; /* a new leader has an election timeout to gather its quorum */
    raft_peer_probe(peer, raft->log.last + 1);
    raft_peer_begin_catch_up(raft, peer);
}

/* Thesis 3.5: next starts just behind the leader's log, match at 0. Call before the no-op. */
void raft_peers_start_leading(struct raft *raft)
{
    ASSERT(raft->role == RAFT_LEADER);
    for (uint32_t i = 0; i < raft->membership.members.count; i++)
        start_peer(raft, &raft->peers[i]);
}

static raft_index *free_window(const struct raft *raft, const struct raft_peer *peers,
                               uint32_t count)
{
    for (uint32_t slot = 0; slot < RAFT_MEMBERS_MAX; slot++) {
        raft_index *window = raft->windows + (size_t)slot * raft->config.inflight_max;
        bool is_used = false;
        for (uint32_t i = 0; i < count; i++)
            is_used = is_used || peers[i].window == window;
        if (!is_used)
            return window;
    }
    UNREACHABLE();
}

void raft_peers_follow_members(struct raft *raft)
{
    const struct raft_members *members = &raft->membership.members;
    struct raft_peer known[RAFT_MEMBERS_MAX];
    ASSERT(members->count <= RAFT_MEMBERS_MAX);
    for (uint32_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        known[i] = raft->peers[i];
        raft->peers[i] = (struct raft_peer){0};
    }
    for (uint32_t i = 0; i < members->count; i++)
        for (uint32_t j = 0; j < RAFT_MEMBERS_MAX; j++)
            if (known[j].id == members->at[i].id)
                raft->peers[i] = known[j];
    for (uint32_t i = 0; i < members->count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        peer->is_voter = members->at[i].is_voter;
        if (peer->id != 0)
            continue;
        peer->id = members->at[i].id;
        peer->window = free_window(raft, raft->peers, members->count);
        start_peer(raft, peer);
    }
}

/* Thesis 4.2.1: catching up goes in rounds, each of what the log held when it began; whose last
 * round took less than an election timeout will not hold up commits as a voter. */
static void count_catch_up(const struct raft *raft, struct raft_peer *peer)
{
    if (!peer->is_catching_up || peer->match < peer->catch_up_target)
        return;
    uint64_t took_us = raft->now_us - peer->catch_up_since_us;
    bool has_all = peer->match == raft->log.last; /* the next round would be empty */
    peer->last_round_was_short = has_all || took_us <= raft->config.election_min_us;
    peer->is_catching_up = false;
    if (!has_all)
        raft_peer_begin_catch_up(raft, peer);
}

/* The peer stores our log through index. Returns whether that is news. */
bool raft_peer_matches(struct raft *raft, struct raft_peer *peer, raft_index index)
{
    ASSERT(index <= raft->log.last);
    bool is_news = index > peer->match;
    if (is_news) {
        peer->match = index;
        peer->stalls = 0;
    }
    if (peer->next <= peer->match)
        peer->next = peer->match + 1;
    raft_window_free_through(raft, peer, index);
    count_catch_up(raft, peer);
    return is_news;
}

bool raft_peer_is_caught_up(const struct raft *raft, const struct raft_peer *peer)
{
    uint64_t span = raft->config.election_min_us;
    if (!peer->last_round_was_short || raft->now_us - peer->heard_us > span)
        return false;
    return !peer->is_catching_up || raft->now_us - peer->catch_up_since_us <= span;
}

uint64_t raft_quorum_reached(const struct raft *raft, raft_peer_value_fn *value, uint64_t own)
{
    uint64_t sorted[RAFT_MEMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < raft->membership.members.count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        if (!peer->is_voter)
            continue;
        uint64_t reached = peer->id == raft->config.id ? own : value(peer);
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < reached; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = reached;
    }
    if (count == 0)
        return 0;
    if (RAFT_MUTANT(raft, quorum_is_half))
        return sorted[(count - 1) / 2];
    return sorted[count / 2]; /* descending: count / 2 + 1 voters have at least this */
}

size_t raft_peers(const struct raft *raft, struct raft_peer_status *out)
{
    size_t count = 0;
    if (raft->role != RAFT_LEADER)
        return 0;
    for (uint32_t i = 0; i < raft->membership.members.count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        if (peer->id == raft->config.id)
            continue;
        out[count++] = (struct raft_peer_status){
            .id = peer->id,
            .is_voter = peer->is_voter,
            .is_caught_up = raft_peer_is_caught_up(raft, peer),
            .state = peer->state,
            .match = peer->match,
            .next = peer->next,
            .heard_us = peer->heard_us,
            .is_being_installed = peer->install_runs,
        };
    }
    return count;
}
