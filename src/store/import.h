/* A received set of rows becomes the shard's content (L5): it is built in a new generation while
 * the old one goes on serving, and becomes visible when it is complete.
 *
 *           begin          write*         finish             adopt            settle
 *     IDLE ------> OPEN ------------> ... ------> PUBLISHED ------> ADOPTED ------> IDLE
 *       ^           |                  |              |
 *       |  abandon  v                  v              |
 *       +------ (any of these, or FAILED) <-----------+
 *
 * begin, write, finish, abandon and settle fill a job for the store worker; store_import_done takes
 * it back. One is under way at a time. adopt does not block. Everything runs on the loop.
 *
 * What is durable, in this order: the rows of the new generation, in synced batches; its M rows
 * (applied index, term, stamp, members, identity); its name in the directory; CURRENT, replaced
 * atomically: the commit point, reached when finish is done. Until then a crash leaves the old
 * generation, from then on the new one, and store_open removes the other. The old generation is
 * deleted by settle, which the caller asks for when the WAL's reset is durable.
 *
 * Between finish and adopt (or the end of abandon) the store flushes nothing: CURRENT may name the
 * new generation already, so no mark may rise above what that holds (L3). Once published it begins
 * no reads, exports and housekeeping either, so that the old handle's users come to an end.
 *
 * Frames are verified by who receives them; here only the structure is: whole rows, all of them
 * puts, keys ascending over the whole stream, none of them the store's own. */
#pragma once

#include "store/store.h"

enum store_import_state {
    STORE_IMPORT_IDLE = 0,
    STORE_IMPORT_OPEN,      /* takes chunks, or finish */
    STORE_IMPORT_PUBLISHED, /* CURRENT names the new generation, durably */
    STORE_IMPORT_ADOPTED,   /* the store works on it; the old one's files are still there */
    STORE_IMPORT_FAILED,    /* a job failed: it can only be abandoned */
};

/* Zeroed is a valid idle one. It does not move unless idle, and is ended before its store is. */
struct store_import {
    struct job job; /* to the store worker */
    enum store_import_state state;
    bool is_busy; /* between a call that filled the job and store_import_done */

    /* Of the last job. */
    enum store_err err;
    struct buf error;

    uint64_t rows_taken;
    uint64_t bytes_taken; /* of their rows */

    /* The store's. */
    struct store_import_target *target;
};

/* Makes the new generation, removing what an earlier attempt left. REQUIRES: idle, and no other
 * import of this store. */
void store_import_begin(struct store *store, struct store_import *import);

/* The next chunk, borrowed until store_import_done; any size, whole rows (codec/rows.h). Rows that
 * are refused fail the import with STORE_DAMAGED. REQUIRES: state OPEN, not busy. */
void store_import_write(struct store_import *import, struct bytes rows);

/* The last row was written: makes everything durable and publishes it. meta is what the rows are as
 * of, copied. False, and nothing changes, when the store has applied that index already (and its
 * rows are not lost): abandon it. REQUIRES: state OPEN, not busy. */
MUST_USE bool store_import_finish(struct store *store, struct store_import *import,
                                  const struct store_meta *meta);

/* Closes and deletes the new generation; when CURRENT names it, or may, the old one is published
 * again first. When that fails the state is FAILED and nothing is deleted: abandon again, later.
 * False, and nothing changes, while a job is under way: call it after store_import_done. An idle
 * one needs nothing (false). REQUIRES: not ADOPTED. */
MUST_USE bool store_import_abandon(struct store *store, struct store_import *import);

/* Takes the job back, run or not. Not STORE_OK: the state is FAILED. */
enum store_err store_import_done(struct store *store, struct store_import *import);

/* Whether store_import_adopt would succeed now: published, and no job uses the old handle. */
bool store_import_is_adoptable(const struct store *store, const struct store_import *import);

/* The store switches over: buffered rows are dropped, applied and flushed are what finish was
 * given, the content is the imported rows. Idle exports are let go. False, and nothing changes,
 * while it is not adoptable: try in each turn. Asked in the same turn after is_adoptable said true,
 * it succeeds, so Raft can be asked in between (raft_installed). REQUIRES: the store has not
 * applied the imported index meanwhile, or its rows are lost; Raft refuses the install then:
 * abandon it. */
MUST_USE bool store_import_adopt(struct store *store, struct store_import *import);

/* The WAL's reset is durable: closes the old handle and deletes the old generation. What cannot be
 * deleted stays until the next start. REQUIRES: state ADOPTED, not busy. */
void store_import_settle(struct store *store, struct store_import *import);

/* Blocking: closes what is open and frees it; files stay as they are, for the next start to judge.
 * Not busy. For the end of the process; a store that goes on wants abandon or settle. */
void store_import_fini(struct store_import *import);
