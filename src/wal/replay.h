/* Replays the records of valid batches into what each group's log is: the meaning of the format,
 * without files and without checksums. */
#pragma once

#include "wal/format.h"
#include "wal/live.h"

struct wal_replay_group {
    struct wal_group_state state; /* entries in order of arrival until wal_replay_finish */
    struct wal_spans spans;
    uint64_t top;    /* largest index among entries, 0 when there are none */
    size_t capacity; /* of state.entries */
    bool in_order;   /* entries ascend by index */
};

struct wal_replay {
    struct wal_replay_group *groups;
    uint32_t group_count;
    uint64_t store_id;
};

void wal_replay_init(struct wal_replay *replay, uint32_t group_count, uint64_t store_id);
void wal_replay_fini(struct wal_replay *replay); /* frees what wal_replay_take left */

/* All records of one batch of the segment, in order. `opens` when the batch opens its segment. On
 * an error what was replayed so far is of no use; error gets the reason, without place. */
MUST_USE enum wal_err wal_replay_batch(struct wal_replay *replay, uint64_t segment, bool opens,
                                       struct bytes records, struct buf *error);

/* After the last batch: sorts, drops copies and what is compacted, and refuses gaps. */
MUST_USE enum wal_err wal_replay_finish(struct wal_replay *replay, struct buf *error);

/* Gives the groups' states to a new recovery. */
struct wal_recovery *wal_replay_take(struct wal_replay *replay);
