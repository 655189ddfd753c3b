/* Sweeping: deleting, a slice at a time, the rows of what G rows name: big objects and whole
 * keyspaces that commands only unlinked. Local to a node and not logged: nothing refers to these
 * rows any more, so when they go is nobody's business.
 *
 * A slice reads LevelDB and collects edits; the edits ride in the next flush, and only when that is
 * durable the next slice is read. A G row goes in the same batch as the last of its rows. A
 * keyspace's big objects are not walked but named: each becomes a G row of its own, in the batch
 * that deletes its K row. So a slice stays small whatever is swept, and after a crash sweeping
 * starts over with what is left. */
#pragma once

#include "store/store.h"

enum { SWEEP_SLICE_ROWS = 2000 }; /* rows deleted by one slice */

struct sweep {
    struct kv *kv;
    struct buf cursor; /* the G row to look at next, or where to look for it */
    struct buf inside; /* where to go on among its rows; empty: at their beginning */

    struct buf edits; /* codec/rows.h */
    size_t edit_count;
    bool names_garbage; /* the edits put G rows */
    bool finished;      /* the pass has seen the last G row */
    enum store_err err;
    struct buf error;
};

void sweep_free(struct sweep *sweep);
void sweep_restart(struct sweep *sweep); /* the next slice begins a pass over all G rows */

/* The rows are others: forgets the edits and where it was. */
void sweep_drop(struct sweep *sweep);

/* Blocking: reads one slice from sweep->kv. REQUIRES: the edits of the last one are gone. */
void sweep_run(struct sweep *sweep);
