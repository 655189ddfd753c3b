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
#include "fsm/fsm.h"
#include "raft/raft.h"
#include "wal/wal.h"

enum { SHARD_NODE_ID = 1 }; /* the id of a group's only voter */

/* What became durable order by order after a flush (L3). */
enum shard_mark_state {
    SHARD_MARK_NONE,
    SHARD_MARK_WRITTEN, /* the mark is in a WAL batch that is not synced yet */
    SHARD_MARK_BASED,   /* the mark is durable; the base record is in a batch not synced yet */
};

struct shard_options {
    uint32_t id;
    uint64_t seed;                           /* of election timeouts */
    struct wal *wal;                         /* shared; outlives the shard */
    const struct wal_group_state *recovered; /* borrowed for the call */
    bool wal_is_fresh;                       /* no log was there */
    struct store_options store;
    uint64_t boot_us;
    uint64_t wall_us;
};

/* How a start went, for the log and INFO (L4). */
enum shard_start {
    SHARD_START_FRESH,
    SHARD_START_SKIPPED, /* nothing to replay */
    SHARD_START_REPLAYED,
};
const char *shard_start_text(enum shard_start start); /* "fresh", "skipped", "replayed" */

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

/* Takes from the core what is to be stored and puts it into the collecting WAL batch. */
void shard_collect(struct shard *shard, uint64_t boot_us);

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

struct shard_status {
    enum shard_start start;
    uint64_t start_replayed; /* entries above LevelDB's applied index that the start found */
    uint64_t start_applied;  /* LevelDB's applied index then */
    uint64_t replay_us;      /* from the start until they were applied; 0: not yet, or none */
    uint64_t term, commit, applied, flushed, mark, base, last;
    bool is_leader;
};
struct shard_status shard_status(const struct shard *shard);
