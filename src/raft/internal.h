/* What the files of the core share. Nobody outside src/raft includes this.
 *
 * raft.c       construction, dispatch of messages, terms and roles
 * ready.c      what leaves the core: ready, advance, stored
 * election.c   timeouts, pre-vote, vote, transfer of leadership
 * replicate.c  append and heartbeat on both sides, commit, install
 * progress.c   what a leader knows about each peer
 * lease.c      rounds, lease, reads
 * members.c    configurations
 * log.c        terms by index */
#pragma once

#include "base/prng.h"
#include "raft/raft.h"

#ifdef RAFT_MUTANTS
#include "raft/mutants.h"
#define RAFT_MUTANT_CONFIG(config, name) ((config)->mutant == RAFT_MUTANT_##name)
#else
#define RAFT_MUTANT_CONFIG(config, name) false
#endif
#define RAFT_MUTANT(raft, name) RAFT_MUTANT_CONFIG(&(raft)->config, name)

enum {
    RAFT_ANSWERS_MAX = 32,     /* answers that wait; one per asking node and kind */
    RAFT_ROUND_TIMES = 64,     /* rounds whose sending time is remembered */
    RAFT_READ_ROUNDS_MAX = 32, /* open by reads; beyond it they wait for the next round */
    RAFT_STALLS_MAX = 3,       /* heartbeat answers without progress until the peer is probed */
};

/* ---- log.c: terms by index, as runs of equal terms ---- */

struct raft_run {
    raft_index first;
    raft_term term;
};

struct raft_log {
    raft_index base_index;
    raft_term base_term;
    raft_index last;       /* >= base_index */
    raft_index submitted;  /* told by a ready: base_index <= submitted <= last, unless was_reset */
    raft_index stored;     /* durable and still what the log holds; <= submitted */
    uint64_t generation;   /* how often a part that was submitted has been cut off or replaced */
    bool was_reset;        /* not told yet */
    struct raft_run *runs; /* of base_index + 1 .. last: first rises, term rises */
    uint32_t run_count;
    uint32_t run_max;
};

void raft_log_init(struct raft_log *log, const struct raft_restored *restored, uint32_t spare_runs);
void raft_log_fini(struct raft_log *log);
raft_term raft_log_term(const struct raft_log *log, raft_index index); /* 0 outside base..last */
raft_term raft_log_last_term(const struct raft_log *log);
bool raft_log_has_room(const struct raft_log *log, raft_index first, raft_term term);
void raft_log_append(struct raft_log *log, raft_term term); /* needs room */
void raft_log_cut(struct raft_log *log, raft_index first);  /* first > base */
void raft_log_compact(struct raft_log *log, raft_index index);
void raft_log_reset(struct raft_log *log, raft_index index, raft_term term);
/* The largest index <= `index` whose term is <= `term`, not below the base (unless index is). */
raft_index raft_log_fit(const struct raft_log *log, raft_index index, raft_term term);
/* Whether a log that ends so is at least as up-to-date as ours. */
bool raft_log_yields_to(const struct raft_log *log, raft_index last_index, raft_term last_term);
void raft_log_check(const struct raft_log *log);

/* ---- progress.c ---- */

struct raft_peer {
    raft_node id;
    bool is_voter;
    /* candidate */
    bool vote_request_due;
    bool has_granted;
    /* leader */
    enum raft_peer_state state;
    raft_index match; /* stored there and equal to our log */
    raft_index next;  /* > match */
    uint64_t heard_us;
    uint64_t round_acked; /* 0: none in this term */
    bool is_waiting;      /* PROBE: one append is unanswered */
    bool append_due;      /* an append without entries is wanted too */
    bool heartbeat_due;
    bool timeout_now_due;
    raft_index received; /* hint from heartbeats */
    uint32_t stalls;
    /* install */
    bool install_wanted;
    bool install_runs;
    bool install_notice_due;
    raft_index install_index;
    uint64_t install_not_before_us;
    /* catching up (thesis 4.2.1) */
    bool is_catching_up; /* a round runs; none does while there is nothing to send */
    raft_index catch_up_target;
    uint64_t catch_up_since_us;
    bool last_round_was_short;
    /* the window: last indexes of unanswered appends, oldest first, in a ring */
    raft_index *window;
    uint32_t window_start;
    uint32_t window_count;
    /* what this ready sent, for raft_append_cut */
    raft_index sent_prev;
    bool has_sent;
};

struct raft_peer *raft_peer_find(struct raft *raft, raft_node id); /* NULL: no such member */
void raft_peers_follow_members(struct raft *raft); /* keeps what is known of those who stay */
void raft_peers_start_leading(struct raft *raft);
void raft_peer_probe(struct raft_peer *peer, raft_index next);
void raft_peer_replicate(struct raft_peer *peer);
void raft_peer_snapshot(struct raft_peer *peer);
bool raft_window_is_full(const struct raft *raft, const struct raft_peer *peer);
void raft_window_push(const struct raft *raft, struct raft_peer *peer, raft_index last);
void raft_window_unpush(struct raft_peer *peer);
void raft_window_free_through(const struct raft *raft, struct raft_peer *peer, raft_index index);
bool raft_peer_matches(struct raft *raft, struct raft_peer *peer, raft_index index);
void raft_peer_begin_catch_up(const struct raft *raft, struct raft_peer *peer); /* if none runs */
bool raft_peer_is_caught_up(const struct raft *raft, const struct raft_peer *peer);

/* The largest value that a quorum of the newest configuration's voters has reached; 0 without
 * voters. Self counts as `own`, when it is a voter. */
typedef uint64_t raft_peer_value_fn(const struct raft_peer *peer);
uint64_t raft_quorum_reached(const struct raft *raft, raft_peer_value_fn *value, uint64_t own);

/* ---- the whole ---- */

struct raft_answer {
    struct raft_message message;
    uint64_t hard_generation; /* leaves when this is stored */
};

struct raft {
    struct raft_config config;
    uint64_t lease_us; /* election_min_us by the slowest clock, seen by the fastest */
    struct prng prng;
    uint64_t now_us;
    uint64_t started_us;
    bool rows_lost;
    bool promises_lost;
    bool is_electable;

    struct raft_hard_state hard;
    uint64_t hard_generation; /* changes */
    uint64_t hard_submitted;  /* told by a ready */
    uint64_t hard_stored;     /* durable; equal to hard_generation: no promise waits for it */

    enum raft_role role;
    raft_node leader;
    struct raft_log log;
    raft_index commit;
    raft_index applied;
    struct raft_membership membership; /* newest in the log */
    /* The one before it, which is committed: the newest was proposed after that (members.c). */
    struct raft_membership membership_before;
    struct raft_peer peers[RAFT_MEMBERS_MAX]; /* in the order of membership; self included */
    raft_index *windows;

    uint64_t election_deadline_us;
    bool has_heard; /* a leader, at heard_us; outlives terms: it is a promise about time (L9) */
    uint64_t heard_us;

    /* follower */
    raft_index matched; /* our log equals the leader's through here; >= commit */
    raft_index acked;   /* last told to this leader */
    bool ack_due;
    raft_node offer_from;
    struct raft_install offer;

    /* candidate */
    bool campaign_is_transfer;

    /* leader */
    raft_index noop; /* of this leadership; 0 when not leader */
    bool noop_due;   /* not told yet */
    uint64_t heartbeat_due_us;
    bool round_wanted;         /* by a read */
    bool round_due;            /* by time */
    uint64_t round;            /* newest sent; never restarts */
    uint64_t rounds_confirmed; /* newest that a quorum answered */
    uint64_t lease_round_min;  /* older rounds say nothing for the lease */
    uint64_t round_sent_us[RAFT_ROUND_TIMES];
    raft_node transfer_to;
    uint64_t transfer_deadline_us;

    /* ready */
    bool is_dirty;
    bool in_ready;
    bool role_changed;
    bool members_changed;
    struct raft_answer answers[RAFT_ANSWERS_MAX];
    uint32_t answer_count;
    struct raft_message messages[RAFT_MESSAGES_MAX];
    uint32_t message_count;
    struct raft_counters counters;
};

/* raft.c */
void raft_enter(struct raft *raft, uint64_t now_us); /* at every entry point that takes the time */
void raft_become_follower(struct raft *raft, raft_term term, raft_node leader);
void raft_set_role(struct raft *raft, enum raft_role role);
void raft_set_hard_state(struct raft *raft, raft_term term, raft_node vote);
void raft_refuse(struct raft *raft); /* counts a message that no correct peer sends */

/* ready.c */
/* Queues an answer for when our hard state is durable; replaces an older one of its kind. */
void raft_answer(struct raft *raft, const struct raft_message *answer);
/* A message of our term in the outbox of the ready under way; NULL when that is full. */
struct raft_message *raft_send(struct raft *raft, enum raft_message_kind kind, raft_node to);

/* election.c */
void raft_restart_election_timer(struct raft *raft);
void raft_elect(struct raft *raft); /* the election timeout has passed */
bool raft_is_sticky(const struct raft *raft);
void raft_hear_leader(struct raft *raft);
void raft_on_pre_vote(struct raft *raft, const struct raft_message *message);
void raft_on_vote(struct raft *raft, const struct raft_message *message);
void raft_on_vote_answer(struct raft *raft, const struct raft_message *message);
void raft_on_timeout_now(struct raft *raft);
void raft_vote_is_stored(struct raft *raft); /* a candidate's vote for itself */
void raft_count_votes(struct raft *raft);
void raft_send_vote_requests(struct raft *raft);
void raft_transfer_proceed(struct raft *raft, struct raft_peer *peer);

/* replicate.c */
struct raft_accepted raft_on_append(struct raft *raft, const struct raft_message *message);
void raft_on_append_answer(struct raft *raft, const struct raft_message *message);
void raft_on_heartbeat(struct raft *raft, const struct raft_message *message);
void raft_on_heartbeat_answer(struct raft *raft, const struct raft_message *message);
void raft_on_install(struct raft *raft, const struct raft_message *message);
void raft_advance_commit(struct raft *raft); /* leader */
void raft_send_append(struct raft *raft, struct raft_peer *peer);
void raft_send_ack(struct raft *raft); /* follower */
void raft_answer_stale_leader(struct raft *raft, const struct raft_message *message);

/* lease.c */
uint64_t raft_next_beat(const struct raft *raft);
void raft_send_round(struct raft *raft);
void raft_confirm_rounds(struct raft *raft);
bool raft_quorum_is_in_contact(const struct raft *raft, uint64_t within_us);
void raft_give_up_lease(struct raft *raft);

/* members.c */
bool raft_members_are_valid(const struct raft_members *members);
const struct raft_member *raft_members_find(const struct raft_members *members, raft_node id);
uint32_t raft_members_voters(const struct raft_members *members);
bool raft_is_voter(const struct raft *raft);
bool raft_is_lone_voter(const struct raft *raft);
void raft_members_take(struct raft *raft, const struct raft_membership *membership);
bool raft_members_survive_cut(const struct raft *raft, raft_index first);
void raft_members_cut(struct raft *raft, raft_index first);
void raft_members_check(const struct raft *raft);
