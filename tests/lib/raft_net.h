/* Several raft cores, their disks, and the messages between them, all in memory: the caller's half
 * of raft.h for unit tests (which say what happens next) and for sim_raft (which draws it).
 *
 * After each event on a node its ready is collected, and the checkers run:
 *   - one leader per term; equal (index, term) means equal entry and equal entry before it;
 *   - what is committed once is committed everywhere, and the log of each leader of a later term
 *     holds it;
 *   - a leader commits only what a quorum of its newest configuration has on disk;
 *   - votes and acknowledgements leave only when the sender's disk holds what they promise;
 *   - while a leader has a lease and serves, nobody has committed more than it;
 *   - a read confirmed by a round sees all that was committed when it came;
 *   - a node whose promises are lost is silent; and raft_check().
 * A checker that fails writes what it saw to standard error and aborts. */
#pragma once

#include "base/prng.h"
#include "raft/raft.h"

enum {
    RAFT_NET_NODES_MAX = 9,
    RAFT_NET_LOG_MAX = 1023, /* highest index */
    RAFT_NET_PROPOSE_MAX = 800,
    RAFT_NET_MESSAGES_MAX = 256, /* in flight; beyond it the oldest is lost */
    RAFT_NET_ENTRIES_MAX = 16,   /* in one append */
    RAFT_NET_CONFIGS_MAX = 128,
    RAFT_NET_BATCHES_MAX = 64,
    RAFT_NET_READS_MAX = 8,
    RAFT_NET_TERMS_MAX = 2048,
    RAFT_NET_WRITERS_MAX = 6, /* terms that ever wrote one index and are remembered */
};

struct raft_net_entry {
    uint32_t term;
    uint32_t value;  /* unique per proposal */
    uint32_t config; /* position in configs of a members entry; 0 for others */
};

/* A place in the log and the configuration as of it. */
struct raft_net_base {
    raft_index index;
    raft_term term;
    uint32_t config;
    raft_index config_index;
};

/* What one ready asked to store, on its way to the disk. */
struct raft_net_batch {
    bool hard_state_changed;
    bool log_was_reset;
    struct raft_hard_state hard;
    struct raft_net_base base; /* with log_was_reset */
    raft_index first, last;
    struct raft_net_entry *entries; /* owned; NULL when none */
    struct raft_mark mark;
    uint64_t due_us; /* the simulator's */
};

struct raft_net_read {
    uint64_t round;
    raft_term term;
    raft_index must_see;
};

struct raft_net_node {
    struct raft *raft; /* NULL: down */
    raft_node id;
    bool promises_lost;
    bool rows_lost;
    int32_t drift_ppm; /* of its clock against the net's */
    uint64_t clock_base_us, clock_since_us;
    uint64_t wake_us; /* the simulator's */

    struct raft_net_entry log[RAFT_NET_LOG_MAX + 1];
    struct raft_net_base base;
    raft_index last;
    raft_index commit_seen;
    raft_term role_term;
    struct raft_net_read reads[RAFT_NET_READS_MAX];
    uint32_t read_count;

    struct raft_hard_state disk_hard;
    struct raft_net_entry disk[RAFT_NET_LOG_MAX + 1];
    struct raft_net_base disk_base;
    raft_index disk_last;
    struct raft_net_base rows; /* flushed through here; all zero when lost */

    struct raft_net_batch batches[RAFT_NET_BATCHES_MAX];
    uint32_t batch_count;
};

struct raft_net_message {
    struct raft_message message;
    struct raft_net_entry entries[RAFT_NET_ENTRIES_MAX];
    bool is_rows; /* the stream behind an INSTALL, all at once */
    struct raft_net_base rows;
    uint64_t due_us; /* the simulator's */
    bool was_open;   /* the simulator's: the link, when it was sent */
};

struct raft_net_options {
    uint32_t node_count;       /* 1..RAFT_NET_NODES_MAX */
    uint32_t voter_count;      /* the first of them, in the formation's configuration */
    struct raft_config config; /* id and seed are filled in per node */
    uint64_t seed;
    bool stores_at_once;  /* each batch is durable as soon as it is collected */
    bool applies_at_once; /* otherwise raft_net_apply says when */
    bool is_traced;
};

struct raft_net {
    struct raft_net_options options;
    struct prng prng;
    uint64_t now_us;
    struct raft_net_node nodes[RAFT_NET_NODES_MAX];
    uint32_t node_count;
    struct raft_net_message messages[RAFT_NET_MESSAGES_MAX];
    uint32_t message_count;
    uint32_t starts;
    uint32_t next_value;
    struct raft_members configs[RAFT_NET_CONFIGS_MAX];
    uint32_t config_count;
    uint64_t messages_sent;
    uint64_t reads_answered;
    uint64_t lease_checks;

    /* what the checkers remember */
    raft_node leader_of_term[RAFT_NET_TERMS_MAX];
    struct raft_net_writer {
        uint32_t term, value, previous_term;
    } writers[RAFT_NET_LOG_MAX + 1][RAFT_NET_WRITERS_MAX];
    uint8_t writer_count[RAFT_NET_LOG_MAX + 1];
    raft_index writers_last;
    struct raft_net_entry committed[RAFT_NET_LOG_MAX + 1];
    raft_term committed_in[RAFT_NET_LOG_MAX + 1]; /* the term of who first said so */
    raft_index committed_last;
};

/* Good timeouts for tests: election 100..200 ms, heartbeat 30 ms, drift 1 %. */
struct raft_config raft_net_config(void);

struct raft_net *raft_net_new(void);
void raft_net_free(struct raft_net *net); /* NULL is legal */

/* Begins anew with these nodes, started at once, in a formed group. */
void raft_net_begin(struct raft_net *net, const struct raft_net_options *options);

/* ---- nodes, by position; node n of a net has id n + 1 until it loses its promises ---- */
struct raft *raft_net_raft(struct raft_net *net, uint32_t n); /* must be up */
uint64_t raft_net_clock(const struct raft_net *net, uint32_t n);
int32_t raft_net_leader(const struct raft_net *net); /* of the highest term; -1: none */
raft_index raft_net_committed(const struct raft_net *net);
uint32_t raft_net_position(const struct raft_net *net, raft_node id); /* nodes_max: gone */

void raft_net_tick(struct raft_net *net, uint32_t n);
void raft_net_collect(struct raft_net *net, uint32_t n);
bool raft_net_store(struct raft_net *net, uint32_t n); /* the oldest batch; false: none waits */
void raft_net_apply(struct raft_net *net, uint32_t n);
void raft_net_flush(struct raft_net *net, uint32_t n); /* rows through what is applied and stored */
void raft_net_compact(struct raft_net *net, uint32_t n, raft_index keep); /* all flushed but keep */

/* Loses memory and all but the `kept` oldest waiting batches (UINT32_MAX: keeps all). */
void raft_net_crash(struct raft_net *net, uint32_t n, uint32_t kept);
void raft_net_start(struct raft_net *net, uint32_t n);
void raft_net_lose_rows(struct raft_net *net, uint32_t n);     /* a node that is down */
void raft_net_lose_promises(struct raft_net *net, uint32_t n); /* a node that is down */
void raft_net_replace(struct raft_net *net, uint32_t n);       /* after that: empty, a new id */

raft_index raft_net_propose(struct raft_net *net, uint32_t n); /* 0: refused, or the log is full */
enum raft_err raft_net_change(struct raft_net *net, uint32_t n, enum raft_change_kind kind,
                              raft_node node);
enum raft_err raft_net_transfer(struct raft_net *net, uint32_t n, raft_node to);
enum raft_read_verdict raft_net_read(struct raft_net *net, uint32_t n, bool may_use_lease);

/* ---- messages in flight, oldest first ---- */
void raft_net_deliver(struct raft_net *net, uint32_t at);
void raft_net_drop(struct raft_net *net, uint32_t at);
void raft_net_duplicate(struct raft_net *net, uint32_t at);
/* Position of the oldest such message; -1: none. kind 0, from 0, to 0 mean any. */
int32_t raft_net_find(const struct raft_net *net, int kind, raft_node from, raft_node to);

/* ---- scripts ---- */
/* Delivers everything, the newly sent included, until nothing is in flight. */
void raft_net_settle(struct raft_net *net);
/* As settle, but messages from or to the nodes in `cut` (bits by position) are dropped. */
void raft_net_settle_without(struct raft_net *net, uint32_t cut);
void raft_net_pass(struct raft_net *net, uint64_t us); /* time passes; nobody is ticked */
/* Lets n win: waits out everybody's promises, ticks n until it campaigns, settles. */
void raft_net_elect(struct raft_net *net, uint32_t n, uint32_t cut);
/* Time passes in heartbeats, all nodes but `cut` ticked and settled. */
void raft_net_run(struct raft_net *net, uint64_t us, uint32_t cut);
