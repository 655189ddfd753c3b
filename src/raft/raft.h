/* One member of one Raft group, as a pure value: no I/O, no clock, no payloads, no memory asked for
 * after raft_new. Terms and chapters are those of Ongaro's thesis (2014). Laws: L3, L4, L9.
 *
 * The caller keeps the entries (index -> term, payload); the core knows indexes and terms, and the
 * configuration that a members entry holds. The calls of one turn:
 *
 *   raft_step(now, message)     for each frame that came; the caller then keeps what was accepted
 *   raft_tick(now)              elections, heartbeats, leases
 *   raft_read, raft_propose …   what clients ask of a leader
 *   raft_ready -> out           hard state and entries to store, messages, commit, reads confirmed
 *   raft_advance                what ready told is taken over: handed to the log, to the links
 *   raft_stored(mark)           when the log reports that what one ready told is durable
 *   raft_applied(index)         entries up to index are in the row buffer
 *   raft_ready, raft_advance    once more: the acknowledgements that waited for raft_stored
 *
 * Promises. A message in ready may always leave at once: votes, vote requests and acknowledgements
 * stay inside the core until raft_stored says that what they promise is durable. Appends and
 * heartbeats of a leader do not wait, so followers' fsyncs overlap its own; its own copy counts
 * towards commit only when stored. A lone voter is the same code: commit follows raft_stored.
 *
 * Payloads. Sending: an append message names first and count; the caller attaches those entries,
 * each with its term, from its own log (raft_append_cut when they are too big for one frame).
 * Receiving: the caller decodes the frame, sets `terms` to the terms of the entries it carries and
 * `changes` to the configurations of the members entries among them, calls raft_step, and then
 * keeps exactly the entries raft_step returns: it drops everything from .first on from its log and
 * appends entries .first to .last of the frame. Nothing accepted: nothing kept, nothing dropped.
 *
 * Foreign bytes never assert (L11): a message that no correct peer sends is refused and counted.
 * All times are microseconds of one monotonic clock and may not go backwards between calls. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

typedef uint64_t raft_index; /* 1 is the first entry; 0 stands before it */
typedef uint64_t raft_term;  /* 0 before the first election */
typedef uint64_t raft_node;  /* one incarnation of a member; 0 is nobody */

enum {
    RAFT_MEMBERS_MAX = 9,   /* voters and learners; one more is refused with RAFT_FULL */
    RAFT_MESSAGES_MAX = 80, /* in one ready; an answer without room is dropped, its asker repeats */
};

enum raft_err {
    RAFT_OK = 0,
    RAFT_NOT_LEADER,
    RAFT_NOT_YET,    /* the own no-op or the change before is not committed, or a transfer runs */
    RAFT_BEHIND,     /* the learner has not caught up (thesis 4.2.1) */
    RAFT_UNKNOWN,    /* no such member, or not in the role that the change starts from */
    RAFT_KNOWN,      /* already a member */
    RAFT_LAST_VOTER, /* somebody must be left who can vote */
    RAFT_FULL,
};

/* A configuration. Ids are distinct and not 0; order is the caller's. */
struct raft_member {
    raft_node id;
    bool is_voter; /* otherwise a learner: receives everything, counts nowhere */
};

struct raft_members {
    uint32_t count; /* 0..RAFT_MEMBERS_MAX; 0 is a node that nobody has taken in yet */
    struct raft_member at[RAFT_MEMBERS_MAX];
};

/* A configuration and the index of its entry; 0 for the one a group was formed with. */
struct raft_membership {
    raft_index index;
    struct raft_members members;
};

struct raft_hard_state {
    raft_term term;
    raft_node vote; /* 0: none given in this term */
};

enum raft_role {
    RAFT_FOLLOWER,
    RAFT_PRE_CANDIDATE,
    RAFT_CANDIDATE,
    RAFT_LEADER,
};

struct raft_config {
    raft_node id;
    uint64_t election_min_us; /* > heartbeat_us; also the span of stickiness and of the lease */
    uint64_t election_max_us; /* > election_min_us; a leader without a quorum for it steps down */
    uint64_t heartbeat_us;    /* > 0 */
    uint32_t clock_drift_ppm; /* < 500000: no clock runs faster or slower than real time by more */
    uint32_t append_entries_max; /* > 0: entries in one append message */
    uint32_t inflight_max;       /* > 0: unanswered append messages per peer */
    uint32_t term_runs_max;      /* >= 2: runs of equal terms above the base, beyond the restored.
                                  * At the limit no campaign starts and appends are cut before the
                                  * run that has no room, until raft_compacted. 1024 is plenty. */
    uint64_t seed;               /* of the election timeouts */
#ifdef RAFT_MUTANTS
    int mutant; /* enum raft_mutant: a planted bug, in simulators only */
#endif
};

/* What a restart found (L4). All zero with members set: a new group, or with no members a node
 * that waits to be taken in. terms and changes are borrowed for raft_new only. */
struct raft_restored {
    struct raft_hard_state hard;
    raft_index base_index; /* compacted through here; 0 for a log from its beginning */
    raft_term base_term;
    raft_index applied;     /* >= base_index (unless rows_lost), <= last entry */
    raft_index commit;      /* known committed; raised to applied and base */
    const raft_term *terms; /* of entries base_index + 1 .. base_index + term_count */
    size_t term_count;
    struct raft_membership membership; /* as of applied, base or any entry known committed */
    /* Every members entry above membership.index, in order. */
    const struct raft_membership *changes;
    size_t change_count;
    bool rows_lost;     /* votes and stores, but neither campaigns nor serves until installed */
    bool promises_lost; /* neither votes nor acknowledges, for as long as this value lives: every
                         * message is dropped. The node returns under a new id, learner first. */
};

enum raft_message_kind {
    RAFT_PRE_VOTE = 1,
    RAFT_PRE_VOTE_ANSWER,
    RAFT_VOTE,
    RAFT_VOTE_ANSWER,
    RAFT_APPEND,
    RAFT_APPEND_ANSWER,
    RAFT_HEARTBEAT,
    RAFT_HEARTBEAT_ANSWER,
    RAFT_INSTALL,
    RAFT_TIMEOUT_NOW,
};

struct raft_vote { /* PRE_VOTE, VOTE */
    raft_index last_index;
    raft_term last_term;
    bool is_transfer; /* the leader asked for it: stickiness does not apply */
};

struct raft_vote_answer { /* PRE_VOTE_ANSWER, VOTE_ANSWER */
    bool is_granted;
};

struct raft_append {
    raft_index prev_index; /* entries follow from prev_index + 1 */
    raft_term prev_term;
    raft_index commit;
    uint32_t count;                        /* may be 0 */
    const raft_term *terms;                /* NULL when sent; `count` terms when received */
    const struct raft_membership *changes; /* NULL when sent; when received, the members entries */
    uint32_t change_count;                 /* among the `count`, in order */
};

/* Accepted: everything through `index` is stored and equals the leader's log. Refused: `index` is
 * the prev_index that did not fit, and the last place where it could is (hint_index, hint_term). */
struct raft_append_answer {
    raft_index index;
    bool is_accepted;
    bool rows_lost; /* asks for an install, whatever the log holds */
    raft_index hint_index;
    raft_term hint_term;
};

struct raft_heartbeat {
    uint64_t round;
    raft_index commit;
};

struct raft_heartbeat_answer {
    uint64_t round;
    raft_index received; /* a hint, not a promise: equals the leader's log, perhaps not stored */
    bool rows_lost;
};

/* Announces a stream of rows as of a mark. Answered by RAFT_APPEND_ANSWER once installed. */
struct raft_install {
    raft_index index;
    raft_term index_term;
};

struct raft_message {
    enum raft_message_kind kind;
    raft_node from;
    raft_node to;
    raft_term term; /* the sender's; of PRE_VOTE and its granted answer: the term campaigned for */
    union {
        struct raft_vote vote;
        struct raft_vote_answer vote_answer;
        struct raft_append append;
        struct raft_append_answer append_answer;
        struct raft_heartbeat heartbeat;
        struct raft_heartbeat_answer heartbeat_answer;
        struct raft_install install;
    }; /* TIMEOUT_NOW has nothing to add */
};

/* Entries of an append message that the caller now keeps, replacing its log from first on.
 * None when last < first. */
struct raft_accepted {
    raft_index first;
    raft_index last;
};

/* What one ready asked to make durable; opaque, kept beside the batch that makes it so. It knows
 * when the log was cut back, so a completion for a replaced entry promises nothing. */
struct raft_mark {
    raft_index index;
    uint64_t log_generation;
    uint64_t hard_generation;
};

struct raft_ready {
    /* To make durable, in this order; then raft_stored(mark). */
    bool hard_state_changed;
    bool log_was_reset; /* an install replaced the log: reset it to the base, before the entries */
    struct raft_hard_state hard;
    /* Entries of the caller's log to store; an index that is there already with another term
     * truncates from it. None when last < first. */
    raft_index store_first;
    raft_index store_last;
    struct raft_mark mark;
    bool must_store; /* any of the above: a mark is worth reporting */

    /* May leave now. Borrowed until raft_advance. */
    const struct raft_message *messages;
    size_t message_count;

    raft_index commit;        /* apply through here */
    uint64_t reads_confirmed; /* reads that wait for a round up to this one may be answered */

    /* Who we are now. role_changed: role, term or leader did since the last ready. */
    bool role_changed;
    enum raft_role role;
    raft_term term;
    raft_node leader; /* 0: unknown */
    raft_index noop;  /* not 0, once per leadership: the caller's log gets a no-op of this term at
                       * this index (first of store_first..store_last that it did not propose) */
    bool members_changed; /* see raft_membership() */

    /* Leader: peers that cannot go on from our log, until raft_install_begin. */
    raft_node installs[RAFT_MEMBERS_MAX];
    size_t install_count;
    /* Follower: a leader offers rows as of a mark above what we have; from is 0 for none. */
    struct {
        raft_node from;
        raft_term term; /* the leader's */
        raft_index index;
        raft_term index_term;
    } offer;
};

struct raft;

/* Copies config and restored. All memory is taken here: about 13 KiB, 72 bytes * inflight_max
 * and 16 bytes * term_runs_max.
 * ASSERTs what restored promises: these are facts of our own disk, checked by who read them. */
struct raft *raft_new(const struct raft_config *config, const struct raft_restored *restored,
                      uint64_t now_us);
void raft_free(struct raft *raft); /* NULL is legal */

/* Walks every invariant and ASSERTs it. O(members + term runs). */
void raft_check(const struct raft *raft);

/* Deadlines that passed by now. Call at least at raft_deadline(), more often is harmless. */
void raft_tick(struct raft *raft, uint64_t now_us);
uint64_t raft_deadline(const struct raft *raft);

/* Handles one message addressed to us. message and what it points at are borrowed for the call. */
MUST_USE struct raft_accepted raft_step(struct raft *raft, uint64_t now_us,
                                        const struct raft_message *message);

/* Gathers what there is to do since the last one. Each raft_ready is followed by raft_advance once
 * what it told has been taken over; between the two nothing but raft_append_cut may be called.
 * raft_has_ready may be true with nothing to tell, never false with something. */
bool raft_has_ready(const struct raft *raft);
void raft_ready(struct raft *raft, uint64_t now_us, struct raft_ready *out);
void raft_advance(struct raft *raft);

/* Between raft_ready and raft_advance: of the append message to this peer only the entries through
 * `last` were sent (prev_index <= last; at prev_index the message was not sent at all).
 * The rest follows in a later ready. There is one append message per peer in a ready. */
void raft_append_cut(struct raft *raft, raft_node to, raft_index last);

/* The leader of this term is alive, said by its helper thread while its loop is busy with one long
 * command. Like a heartbeat for election timeouts and stickiness; no answer, round, lease, commit
 * or term comes of it. Nothing unless we follow that leader in that term. */
void raft_pulse(struct raft *raft, uint64_t now_us, raft_node leader, raft_term term);

/* Leader: the peer heard our pulse of this term. Contact for check-quorum, so that a leader whose
 * one command took long does not step down after it; no round, lease or match comes of it. Nothing
 * unless we lead in that term. */
void raft_pulse_answered(struct raft *raft, uint64_t now_us, raft_node peer, raft_term term);

/* A link to the peer broke: what was in flight may be lost, so it is probed again. */
void raft_unreachable(struct raft *raft, raft_node peer);

/* Everything that the ready of this mark, and every ready before it, asked to store is durable. */
void raft_stored(struct raft *raft, uint64_t now_us, const struct raft_mark *mark);
void raft_applied(struct raft *raft, raft_index index); /* monotonic, <= commit */

/* The log below and at index is gone (L3: flushed and marked before). index <= applied and <=
 * stored; not above the base: nothing. The caller keeps a tail for slow followers, and all above
 * the mark of a running install. */
void raft_compacted(struct raft *raft, raft_index index);

/* The next entry is ours: returns its index, never refused to a leader whose no-op a ready has
 * told. 0 otherwise. The caller puts the entry, of raft_term_now(), into its log at once. */
MUST_USE raft_index raft_propose(struct raft *raft);

enum raft_change_kind {
    RAFT_ADD_LEARNER, /* not a member -> learner */
    RAFT_PROMOTE,     /* learner that has caught up -> voter */
    RAFT_DEMOTE,      /* voter -> learner */
    RAFT_REMOVE,      /* member -> out; a leader that removes itself leads until it is committed */
};

struct raft_change {
    enum raft_change_kind kind;
    raft_node node; /* not 0 */
};

/* Proposes the next configuration, one voter away (thesis 4.1); it counts from now on. On RAFT_OK
 * *index is its entry, whose payload the caller makes from raft_membership(). */
MUST_USE enum raft_err raft_propose_change(struct raft *raft, uint64_t now_us,
                                           struct raft_change change, raft_index *index);

/* Hands leadership to a voter (thesis 3.10), which is brought up to date first. The lease is given
 * up here and does not come back in this term (L9). The caller stops executing when
 * raft_is_transferring; what it still proposes goes along. Abandoned after election_max_us. */
MUST_USE enum raft_err raft_transfer(struct raft *raft, uint64_t now_us, raft_node to);
bool raft_is_transferring(const struct raft *raft);

/* Whether a reply that depends on data and has no entry to wait for may leave (L9). */
enum raft_read_verdict {
    RAFT_READ_NOW,  /* the lease covers it */
    RAFT_READ_WAIT, /* until ready.reads_confirmed >= round, in the same term; fail on step-down */
    RAFT_READ_NOT_LEADER, /* not leader, or the own no-op is not applied yet */
};

struct raft_read {
    enum raft_read_verdict verdict;
    uint64_t round;
};

/* All reads between two readies share one heartbeat round. */
MUST_USE struct raft_read raft_read(struct raft *raft, uint64_t now_us, bool may_use_lease);
bool raft_lease_valid(const struct raft *raft, uint64_t now_us);
bool raft_serving(const struct raft *raft); /* leader and its own no-op is applied */

/* Leader: rows as of index (base <= index <= applied) begin to stream to the peer; an INSTALL
 * message announces them. Abandoned: the stream broke or was given up; when the peer still needs
 * one, ready asks again after election_min_us. */
void raft_install_begin(struct raft *raft, uint64_t now_us, raft_node peer, raft_index index);
void raft_install_abandoned(struct raft *raft, uint64_t now_us, raft_node peer);

/* Follower: the rows as of (index, term) are published (L5: after the rename is durable), with the
 * membership as of index. Taken when index is above the commit index, or when rows were lost and
 * index is not below the base, and never by a leader; otherwise nothing changes and false is
 * returned. Taken, it sets applied, and either keeps the log (when that holds the same entry) or
 * replaces it: the next ready says log_was_reset. The acknowledgement waits for that ready's mark
 * to be stored. */
MUST_USE bool raft_installed(struct raft *raft, raft_index index, raft_term term,
                             const struct raft_membership *membership);

/* A follower whose apply backlog is large does not campaign (L6). True at the start. */
void raft_set_electable(struct raft *raft, bool is_electable);

raft_node raft_id(const struct raft *raft);
enum raft_role raft_role(const struct raft *raft);
raft_node raft_leader(const struct raft *raft);
struct raft_hard_state raft_hard_state(const struct raft *raft);
raft_term raft_term_now(const struct raft *raft);
raft_index raft_base_index(const struct raft *raft);
raft_term raft_base_term(const struct raft *raft);
raft_index raft_last_index(const struct raft *raft);
raft_index raft_commit_index(const struct raft *raft);
raft_index raft_applied_index(const struct raft *raft);
raft_index raft_stored_index(const struct raft *raft); /* durable here, and still in the log */
raft_term raft_term_at(const struct raft *raft, raft_index index); /* base..last, else 0; O(log) */

/* The newest configuration in the log, committed or not: the one that counts. */
const struct raft_membership *raft_membership(const struct raft *raft);

/* For INFO. */
enum raft_peer_state {
    RAFT_PROBE,     /* one append at a time until the logs are known to meet */
    RAFT_REPLICATE, /* a window of appends in flight */
    RAFT_SNAPSHOT,  /* our log does not reach back: waits for an install */
};

struct raft_peer_status {
    raft_node id;
    bool is_voter;
    bool is_caught_up;
    enum raft_peer_state state;
    raft_index match;
    raft_index next;
    uint64_t heard_us;       /* at least the start of this leadership */
    bool is_being_installed; /* between raft_install_begin and its end, acknowledged or abandoned */
};

/* Leader only: fills at most RAFT_MEMBERS_MAX rows (self left out), returns their count. */
size_t raft_peers(const struct raft *raft, struct raft_peer_status *out);

struct raft_counters {
    uint64_t messages_refused; /* not what a correct peer sends */
    uint64_t answers_dropped;  /* no room in the outbox */
    uint64_t campaigns;        /* real ones, not pre-votes */
    uint64_t elections_won;
    uint64_t step_downs;
};

struct raft_counters raft_counters(const struct raft *raft);
