/* One Raft group of this node: drives the consensus core, the shared WAL and the state machine, and
 * keeps the entries. What entries mean is for exec/; this is where promises and durability meet:
 *
 *   propose -> log -> collect -> WAL batch -> promise -> commit -> next_applied -> row buffer
 *                                                                     |
 *        compact <- base synced <- mark synced <- flushed <- step <---+          (L3: in this
 * order)
 *
 * Everything runs on the loop and does not block, except opening and closing. */
#pragma once

#include "codec/entry.h"
#include "codec/members.h"
#include "fsm/fsm.h"
#include "raft/raft.h"
#include "wal/wal.h"

enum {
    SHARD_NODE_ID = 1,          /* of a node that was started alone */
    SHARD_HEARTBEAT_US = 50000, /* of the leader of each group */
};

/* What became durable order by order after a flush (L3). */
enum shard_mark_state {
    SHARD_MARK_NONE,
    SHARD_MARK_WRITTEN, /* the mark is in a WAL batch that is not synced yet */
    SHARD_MARK_BASED,   /* the mark is durable; the base record is in a batch not synced yet */
};

struct shard_options {
    uint32_t id;
    uint64_t node_id;                        /* ours among the members */
    uint64_t seed;                           /* of election timeouts */
    struct wal *wal;                         /* shared; outlives the shard */
    const struct wal_group_state *recovered; /* borrowed for the call */
    bool wal_is_fresh;                       /* no log was there */
    bool has_others;                         /* more nodes than this one: they may have our rows */
    struct store_options store;              /* store.members: of the group's formation */
    uint64_t tail_max;          /* bytes of entries below the mark kept for slow followers */
    uint64_t apply_backlog_max; /* a follower pauses applying when so much is not flushed */
    uint64_t boot_us;
    uint64_t wall_us;
};

/* How a start went, for the log and INFO (L4). */
enum shard_start {
    SHARD_START_FRESH,
    SHARD_START_SKIPPED, /* nothing to replay */
    SHARD_START_REPLAYED,
    SHARD_START_INSTALLED, /* an install was published, the log from before it is dropped */
    SHARD_START_ROWS_LOST, /* they come from others; until then it votes and stores, no more */
};

struct shard;

/* Blocking. On an error nothing is given and error says which file or record contradicts which. */
MUST_USE bool shard_open(struct shard **out, const struct shard_options *options,
                         struct buf *error);
void shard_close(struct shard *shard); /* blocking; no job of it under way. NULL is legal */

uint32_t shard_id(const struct shard *shard);
struct fsm *shard_fsm(struct shard *shard);
struct raft *shard_raft(struct shard *shard);

/* ---- the phases of a turn ---- */

void shard_tick(struct shard *shard, uint64_t boot_us);

/* A message from another member. entries: of an append message, `append.count` of them; `changes`
 * are set here. What the core accepts is kept (payloads are copied), everything else is dropped. */
void shard_step(struct shard *shard, uint64_t boot_us, struct raft_message *message,
                const struct entry_view *entries);

/* What the core has to tell, until false: the caller sends out->messages (raft_append_cut for what
 * was not sent whole), acts on installs and offer, and then calls shard_take_ready, which puts what
 * is to be stored into the collecting WAL batch and advances the core. */
MUST_USE bool shard_next_ready(struct shard *shard, uint64_t boot_us, struct raft_ready *out);
void shard_take_ready(struct shard *shard, const struct raft_ready *ready);

/* The entries that an append message of a ready names. */
struct entry *const *shard_entries(struct shard *shard, uint64_t first, uint32_t count,
                                   struct entry **scratch);

/* Tells the core what the WAL may promise by now, and moves marks and compaction on. */
void shard_promise(struct shard *shard, uint64_t boot_us);

/* Applies the next committed entry to the row buffer and returns it, or NULL when there is none.
 * The entry is valid until the next call here that takes the shard. */
struct entry *shard_next_applied(struct shard *shard, uint64_t now_ms);

/* Flush and housekeeping of the store. */
void shard_flush(struct shard *shard, const struct fsm_flush_policy *policy, uint64_t now_ms,
                 struct worker *worker);
void shard_job_done(struct shard *shard, struct job *job, struct buf *error);

/* ---- leading ---- */

/* Leader, and its own no-op is applied (L9). */
bool shard_is_serving(const struct shard *shard);

/* Reads that wait for a round of the present term up to this one are confirmed. */
uint64_t shard_reads_confirmed(const struct shard *shard);

/* Term of the present leadership, 0 when this node does not lead. */
uint64_t shard_lead_term(const struct shard *shard);

/* Whether the present leadership executed an entry that is being applied. */
bool shard_executed(const struct shard *shard, const struct entry *entry);

uint64_t shard_next_index(const struct shard *shard); /* that the next proposal gets */
uint64_t shard_applied_index(const struct shard *shard);
uint64_t shard_last_index(const struct shard *shard);

/* Takes the memory of payload: stamp and rows (entry.h). Only when serving; cannot be refused. */
uint64_t shard_propose(struct shard *shard, struct buf *payload);

/* Payload bytes of the entries that are not flushed, marked and compacted yet: what admission
 * limits (L6), because row buffer, log and WAL all hold on to them. */
uint64_t shard_backlog_bytes(const struct shard *shard);

/* The time of the log (L10): the wall clock, but never behind the newest stamp, which moves on at
 * 9/10 of real time while it is ahead. */
uint64_t shard_now_us(struct shard *shard, uint64_t boot_us, uint64_t wall_us);

/* The same of one that does not lead, or whose wall clock nobody vouches for: it stands still, so
 * that no clock but a leader's ever moves it. */
uint64_t shard_hold_time(struct shard *shard, uint64_t boot_us);

/* ---- members ---- */

/* The newest configuration in the log, committed or not; the version moves when it changes. */
const struct members *shard_members(const struct shard *shard);
uint64_t shard_members_version(const struct shard *shard);

/* Leader: proposes a change of one member; info tells where an added one is. */
MUST_USE enum raft_err shard_change_members(struct shard *shard, uint64_t boot_us,
                                            struct raft_change change, const struct member *info);

/* ---- installs ---- */

/* Leader: entries above index stay in the log as long as it is set (0: none). */
void shard_pin(struct shard *shard, uint64_t index);

/* Follower: while an install is being published the group stands still, as if the network were cut:
 * no message is taken, nothing is applied, so that what was asked about its index stays true. */
void shard_freeze(struct shard *shard, bool is_frozen);

/* Whether rows as of index are worth taking: ahead of what is committed here, or, when rows were
 * lost, not behind the mark, which says what LevelDB holds and does not move backwards (L3). */
bool shard_needs_install(const struct shard *shard, uint64_t index);

/* The rows as of meta are published (L5). False: the core refuses them, nothing changed. True: the
 * caller adopts the rows at once and calls shard_adopted; the next ready may reset the log. */
MUST_USE bool shard_installed(struct shard *shard, const struct store_meta *meta);
void shard_adopted(struct shard *shard);

bool shard_has_lost_rows(const struct shard *shard); /* since the start, and none came yet */

bool shard_is_reset(const struct shard *shard); /* the WAL holds what the install did to the log */

struct shard_status {
    enum shard_start start;
    uint64_t start_replayed; /* entries above LevelDB's applied index that the start found */
    uint64_t term, commit, applied, flushed, mark, base, last;
    uint64_t log_bytes;
    uint64_t refused_entries;
    bool is_leader;
};
struct shard_status shard_status(const struct shard *shard);
