/* The rows of a shard as of one flushed entry, in chunks, for a member that is to get them (L5).
 *
 *      begin -> (read -> job -> read_end)* -> complete -> fini
 *
 * An export sees one moment: what LevelDB held when it began. It pins a LevelDB snapshot for its
 * whole life (what the rows replace since stays on disk as long), but no buffer and, between two
 * chunks, not the handle: when that dies, or the rows are replaced by an install, or the store is
 * closed, the export is let go and its next read says so. Its user begins another one.
 *
 * Everything here runs on the loop and does not block; the job goes to the reader worker.
 *
 * What goes along: everything but the three M rows that the store writes itself (FORMAT.md). That
 * is garbage too: G rows and the rows they name, as far as they are not swept yet. To leave them
 * out, all G rows had to be held against each E row, and each K row of a flushed keyspace would
 * become a G row of its own; the receiver sweeps instead, as every node does for itself. */
#pragma once

#include "base/list.h"
#include "store/store.h"

enum { STORE_EXPORT_BYTES_DEFAULT = 256 * 1024 };

/* Zeroed is a valid empty one. It does not move between begin and fini. */
struct store_export {
    struct job job; /* to the reader worker, filled by store_export_read */

    struct store_meta meta; /* as of which entry; from begin to fini, members included */

    /* The last chunk, the caller's until the next store_export_read. */
    enum store_err err; /* also why it was let go */
    struct buf error;
    struct buf rows; /* codec/rows.h: puts in key order, above all rows of earlier chunks */
    size_t row_count;
    bool complete; /* this was the last chunk */

    /* Of all chunks. */
    uint64_t rows_sent;
    uint64_t bytes_sent; /* of their rows */

    /* The store's. */
    struct list node;
    struct store *store; /* NULL: not begun, or let go */
    struct kv *kv;
    struct kv_snapshot *snapshot;
    struct buf members;
    struct buf next; /* the first key of the next chunk, or below it */
    size_t bytes_max;
    bool is_reading;
};

/* False and nothing changes while LevelDB is not open, or a flush is under way or failed: then
 * LevelDB may hold more than store_flushed says. A flush ends in one turn and the next one begins
 * in a later phase, so asking in each turn succeeds. REQUIRES: a zeroed or ended export. */
MUST_USE bool store_export_begin(struct store *store, struct store_export *export);

/* Fills the job with the next chunk: at most bytes_max bytes of rows, or one row that alone is
 * larger. It may be empty only when it is the last. False when the export was let go: err and
 * error say why. REQUIRES: begun, not complete, no chunk being read; bytes_max at least 1. */
MUST_USE bool store_export_read(struct store_export *export, size_t bytes_max);

/* Takes the job back, run or not. An error in it kills the handle. Not STORE_OK: the export was
 * let go and the chunk is nothing. */
enum store_err store_export_read_end(struct store_export *export);

/* Ends it, complete or not, and frees what it holds; no chunk is being read. The store may be gone
 * already. Afterwards it may begin again. */
void store_export_fini(struct store_export *export);
