/* The inside of struct shard, between the files of this folder. */
#pragma once

#include "codec/members.h"
#include "shard/entry_log.h"
#include "shard/shard.h"

/* What a batch of the WAL makes durable for this group. */
struct shard_pending {
    uint64_t batch;
    uint64_t index; /* newest entry of the log in it */
    struct raft_mark mark;
    bool is_ours; /* the reset of an install: the core was told nothing of it */
};

struct shard {
    uint32_t id;
    uint64_t node_id;
    struct raft *raft;
    struct wal *wal;
    struct fsm fsm;
    struct entry_log log;
    uint64_t lead_term;
    uint64_t reads_confirmed;
    struct members members; /* of the newest configuration in the log, with their addresses */
    uint64_t members_version;
    struct members first_members; /* as of the start */
    uint64_t tail_max; /* bytes of entries below the mark that are kept for slow followers */
    uint64_t apply_backlog_max;
    uint64_t pin_index; /* an install streams from here: the log above it stays. 0: none */

    struct shard_pending *pending; /* queue by batch; a power of two */
    uint64_t pending_mask;
    uint64_t pending_from, promised_to,
        pending_to;        /* not synced: from..to; promised before promised_to */
    uint64_t synced_index; /* newest index that the WAL holds synced */

    enum shard_mark_state mark_state;
    uint64_t mark_batch;
    struct wal_position marking; /* the mark being made durable */
    struct wal_position mark;    /* durable */
    uint64_t tail_bytes;         /* of the entries up to the mark that the log still has */

    uint64_t reset_batch;     /* of the WAL, in which an install replaced the log */
    bool is_unwilling;        /* to campaign */
    bool is_frozen;           /* an install is being published: no message, no tick, no apply */
    uint64_t refused_entries; /* append messages dropped: foreign members, or a full log */

    uint64_t stamp_us;    /* newest time given out */
    uint64_t stamp_at_us; /* boot time when it was */
    enum shard_start start;
    bool has_rows_again; /* an install has made up for a start without them */
    uint64_t start_replayed;
    uint64_t start_applied; /* by LevelDB */
    uint64_t start_at_us;
    uint64_t replay_us; /* 0: not over, or nothing was to be replayed */
};

/* ---- shard.c ---- */

void shard_forget_stored(struct shard *shard, uint64_t first);

/* ---- members.c ---- */

/* The members that the newest configuration in the log says: after it grew or was cut back. */
void shard_read_members(struct shard *shard);

struct raft_membership shard_membership_of(const struct members *members, uint64_t index);
