/* The rows of one shard: two row buffers (active, flushing) over one LevelDB generation.
 *
 *      store_apply -> [active] --store_flush_begin--> [flushing] --job--> LevelDB, one synced batch
 *
 * The content is the fold LevelDB < flushing < active; deletes hide what lies below. LevelDB always
 * holds exactly the entries up to the applied index that stands in it (L2). Formats: FORMAT.md.
 *
 * Everything here belongs to the loop thread and never blocks, but store_open and store_free. What
 * blocks is a struct job that the caller hands to a worker and brings back when it is done:
 *
 *      flush        store_flush_begin .. store_flush_end       store worker
 *      read         store_read_begin .. store_read_end         reader worker
 *      housekeeping store_work .. store_work_done              store worker
 *
 * After any error from LevelDB the handle is dead (L2): flushes and reads are refused, and once the
 * last reader is gone store_work gives out the job that closes, opens and reads the applied index
 * back; then the flush is due again, with the same rows. Buffered rows are never lost by errors. */
#pragma once

#include "base/assert.h"
#include "codec/entry.h"
#include "os/disk.h"
#include "os/worker.h"
#include "store/kv.h"

struct store;

enum store_err {
    STORE_OK = 0,
    STORE_ABSENT,       /* nothing there: no CURRENT and no generation */
    STORE_LOST,         /* CURRENT gone while generations exist, or it names nothing readable, or
                           the applied index is missing or went back: rows lost (L4) */
    STORE_FOREIGN,      /* another cluster's or another shard's */
    STORE_NEWER_FORMAT, /* written by a newer version */
    STORE_DAMAGED,      /* LevelDB refuses what it read */
    STORE_LOCKED,       /* open elsewhere */
    STORE_FULL,         /* no space left; nothing is lost, try again */
    STORE_IO,           /* anything else from the disk */
};

const char *store_err_text(enum store_err err);

struct store_options {
    const char *dir;          /* of the shard; made when absent and create is set; copied */
    struct disk *disk;        /* CURRENT and directories; outlives the store */
    struct kv_env *env;       /* databases; outlives the store */
    uint64_t identity;        /* hash of the cluster id: another one is refused */
    uint32_t shard;           /* another one is refused */
    size_t write_buffer_size; /* LevelDB's, see kv_options; 0: default */
    uint32_t open_files_max;  /* 0: default */
    bool create;              /* make generation 1 when STORE_ABSENT would be the answer */
    bool takes_lost;      /* STORE_LOST, _DAMAGED, _ABSENT give a store without rows, see below */
    struct bytes members; /* of a created store, as of index 0 */
};

/* What a shard's rows are the fold of. Carried by every flush. */
struct store_meta {
    uint64_t applied_index;
    uint64_t applied_term;
    uint64_t stamp_us;        /* of the last ROWS entry (L10) */
    uint64_t installed_index; /* that an install brought this generation to; 0: none made it */
    struct bytes
        members; /* of the last MEMBERS entry; borrowed until the next apply or flush end */
};

/* Blocking. On an error *out stays NULL and error (cleared first) names the file and says why; on
 * STORE_OK it holds nothing, or a note for the log: a torn tail was cut. A generation that CURRENT
 * does not name is deleted: an install or creation was cut short.
 *
 * takes_lost, for a member whose rows others have (L4): the error is given back all the same, with
 * its text, but *out is a store that is not open, at index 0, of which nothing on disk was touched.
 * An import (store/import.h) brings it rows; nothing else can be done with it but to free it. */
MUST_USE enum store_err store_open(struct store **out, const struct store_options *options,
                                   struct buf *error);
/* Blocking: closes LevelDB. No job of it may be under way. What is buffered is dropped (the WAL has
 * it). NULL is legal. */
void store_free(struct store *store);

const char *store_generation(const struct store *store);    /* "gen-00000001" */
struct store_meta store_applied(const struct store *store); /* buffers included */
struct store_meta store_flushed(const struct store *store); /* durable in LevelDB */

/* --- applying ------------------------------------------------------------------------------- */

/* Takes a committed entry whose index is applied_index + 1: its rows, stamp or members. Retains it
 * until it is flushed. Cannot fail (L6); waiting for space is the caller's (store_buffered_bytes).
 * Rows of the store's own M names (FORMAT.md) are ignored and counted. */
void store_apply(struct store *store, struct entry *entry);

enum store_found {
    STORE_UNKNOWN = 0, /* the buffers do not say: LevelDB decides */
    STORE_PUT,
    STORE_DELETED,
};
/* The newest buffered row of a key. value borrows until the next apply or flush end. */
enum store_found store_find_buffered(const struct store *store, struct bytes key,
                                     struct bytes *value);

/* Payload bytes of the entries that wait for LevelDB, both buffers. */
size_t store_buffered_bytes(const struct store *store);
size_t store_buffer_memory(const struct store *store); /* what both buffers take, index included */

/* --- flushing ------------------------------------------------------------------------------- */

struct store_flush {
    struct job job;         /* to the store worker */
    uint64_t applied_index; /* what it brings LevelDB to */
    uint64_t applied_term;
    enum store_err err; /* after the run */
    struct buf error;
    struct store_frozen *frozen; /* the store's */
    struct kv *kv;
};

/* True when a flush should start: active holds bytes_max or more, or a sweep slice waits to ride,
 * or a failed flush waits to be done again. False while one is under way, LevelDB is not open or a
 * finished import waits to be adopted. */
bool store_flush_due(const struct store *store, size_t bytes_max);

/* False and nothing changes where store_flush_due is never true. Otherwise freezes active
 * (or takes the rows of the failed flush again) and fills the job, a zeroed or ended one. Submit it
 * only when this node's WAL holds applied_index synced (L2); until store_flush_end it must stay. */
MUST_USE bool store_flush_begin(struct store *store, struct store_flush *flush);

/* Takes the job back. STORE_OK: the frozen entries are released (some later, a few per apply) and
 * store_flushed moved. Otherwise the rows stay, the handle is dead, flush->error says why. */
enum store_err store_flush_end(struct store *store, struct store_flush *flush);

void store_flush_fini(struct store_flush *flush); /* frees its error text; not under way */

/* --- reading -------------------------------------------------------------------------------- */

/* One consistent read: the fold at the moment of store_read_begin. Zeroed is a valid empty one. */
struct store_read {
    struct job job; /* to the reader worker */

    /* Asked; borrowed until store_read_end. Either keys, or the range [from, to). */
    const struct bytes *keys; /* NULL: a range */
    size_t key_count;
    struct bytes from;
    struct bytes to;  /* empty: no upper bound */
    size_t rows_max;  /* of a range; at least 1 */
    size_t bytes_max; /* of a range: it stops at the first row that reaches this; at least 1 */

    /* Answered, the caller's until store_read_fini. */
    enum store_err err;
    struct buf error;
    struct buf rows; /* codec/rows.h. A range: puts in key order. Keys: in the order asked, a put
                        or, for an absent key, a delete */
    size_t row_count;
    bool complete; /* of a range: nothing is left; otherwise go on at next, even if rows is empty */
    struct buf next;

    struct store_read_source *source; /* the store's */
};

/* False and nothing changes while LevelDB is not open (see store_is_open): ask again later. Copies
 * where the buffered rows stand (O(rows_max) or O(keys)) and takes the snapshot. */
MUST_USE bool store_read_begin(struct store *store, struct store_read *read);
/* Takes the job back, run or not. An error in it kills the handle. */
enum store_err store_read_end(struct store *store, struct store_read *read);
void store_read_fini(struct store_read *read);

/* --- housekeeping --------------------------------------------------------------------------- */

/* The next thing to do on the store worker, or NULL: open LevelDB again after an error, push its
 * memory out after a big flush, read a slice of what G rows name for sweeping (its deletes ride in
 * the next flush). At most one at a time. now_ms spaces the attempts to open again. */
struct job *store_work(struct store *store, uint64_t now_ms);
void store_work_done(struct store *store, struct job *job);

bool store_is_open(const struct store *store); /* false too while an adoption waits for users */
bool store_sweep_pending(const struct store *store); /* something may be left to sweep */

/* STORE_OK, or why LevelDB is not open; *text then says more. STORE_LOST, STORE_DAMAGED and the
 * like will not pass by waiting: the member's rows must be installed again (L4). */
enum store_err store_error(const struct store *store, const char **text);

struct store_counters {
    uint64_t flushes, flush_errors, flushed_rows, flushed_bytes;
    uint64_t reads, read_errors, reopens, push_outs;
    uint64_t swept_rows, refused_rows;
    uint64_t exports, imports; /* begun, adopted */
};
struct store_counters store_counters(const struct store *store);
uint64_t store_disk_bytes(struct store *store); /* roughly; 0 while not open */
