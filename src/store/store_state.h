/* The inside of struct store, shared by the files of this folder only.
 *
 *            store_kill                last user gone: job            it opened
 *      OPEN ------------> DEAD ------------------------> OPENING ------------------> OPEN
 *                                                         |   ^
 *                                      passing error only |   | job, after a pause
 *                                                         v   |
 *                                    FAILED <--lasting-- CLOSED
 */
#pragma once

#include "base/list.h"
#include "store/export.h"
#include "store/generation.h"
#include "store/import.h"
#include "store/meta.h"
#include "store/row_buffer.h"
#include "store/sweep.h"

enum store_phase {
    STORE_PHASE_OPEN,
    STORE_PHASE_DEAD,    /* an error came: nothing new begins, users drain (L2) */
    STORE_PHASE_OPENING, /* the job has the handle */
    STORE_PHASE_CLOSED,  /* opening failed and may succeed later */
    STORE_PHASE_FAILED,  /* opening failed for good: rows lost (L4) */
};

/* What a finished import keeps from beginning (import.h). */
enum store_hold {
    STORE_HOLD_NONE,
    STORE_HOLD_FLUSHES, /* CURRENT may name the new generation: no mark may rise above it (L3) */
    STORE_HOLD_ALL,     /* it does: the old handle's users come to an end */
};

/* What one flush carries; kept until it is durable, over as many attempts as that takes. */
struct store_frozen {
    struct row_buffer *buffer; /* NULL: nothing is frozen */
    struct buf edits;          /* of a sweep slice; not entries */
    size_t edit_count;
    bool edits_name_garbage;
    struct meta meta; /* what the batch brings LevelDB to */
};

enum work_kind { WORK_NONE, WORK_OPEN, WORK_PUSH_OUT, WORK_SWEEP };

/* The one housekeeping job; while it runs, what it needs is its own. */
struct work {
    struct job job;
    enum work_kind kind;
    struct store *store; /* WORK_OPEN reads the constant parts */
    struct kv *kv;
    enum store_err err;
    struct buf error;
    struct meta found; /* WORK_OPEN: the meta read back */
};

struct store {
    /* Constant. */
    char *dir_path;
    struct generation_dir dir;
    char generation[GENERATION_NAME_SIZE];
    struct buf path; /* DIR/generation and a 0 byte */
    struct kv_options kv_options;
    struct meta_identity identity;

    enum store_phase phase;
    struct kv *kv;               /* NULL in CLOSED, FAILED and OPENING */
    uint32_t users;              /* jobs that use kv */
    struct list exports;         /* each pins a snapshot of kv */
    struct store_import *import; /* under way, or NULL */
    enum store_hold hold;
    enum store_err err;
    struct buf error; /* why not open; with a 0 byte */
    uint64_t now_ms;  /* of the last store_work */
    uint64_t open_at_ms;
    uint32_t failures; /* since the last good flush */

    struct row_buffer *active;
    struct store_frozen frozen;
    bool flush_under_way;
    struct meta applied; /* buffers included */
    struct meta flushed;
    struct list retired; /* row buffers to be freed a few entries at a time */

    size_t memtable_size; /* bytes that opening would replay */
    bool sweep_pending;
    bool sweep_again; /* G rows became durable after the pass under way began */
    struct sweep sweep;
    struct work work;
    struct store_counters counters;
};

/* An error came from LevelDB: the handle is dead (L2). A second one changes nothing. */
void store_kill(struct store *store, enum store_err err, const struct buf *error);

/* The handle goes away or is dead: lets go of every export that is not reading a chunk. */
void store_break_exports(struct store *store, enum store_err err, struct bytes why);

/* store->kv holds the rows as of meta and nothing else is true any more: drops what is buffered,
 * and opens. REQUIRES: no job uses the old handle. */
void store_reset_to(struct store *store, const struct meta *meta);

/* One user less of the buffer; the last one retires it. */
void store_release_buffer(struct store *store, struct row_buffer *buffer);

/* Frees up to entry_max entries that retired buffers hold. */
void store_free_retired(struct store *store, size_t entry_max);

/* Opens the generation and reads its meta. Blocking. */
MUST_USE enum store_err store_open_generation(const struct store *store, struct kv **out,
                                              struct meta *meta, struct buf *error);

/* G rows are durable: they are to be swept. */
void store_expect_garbage(struct store *store);
