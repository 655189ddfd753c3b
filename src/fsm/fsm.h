/* The state machine of one shard: committed entries become rows in the row buffer, and a flush
 * moves them to LevelDB together with the applied index (L2). It knows nothing of Redis, reads no
 * clock and no limit, and cannot fail (L6).
 *
 *     apply -> (row buffer) -> freeze -> wait until the WAL holds it synced -> write -> flushed
 *
 * One flush is under way at a time. Everything here runs on the loop and does not block, except
 * fsm_open and fsm_close. */
#pragma once

#include "codec/entry.h"
#include "os/worker.h"
#include "store/export.h"
#include "store/import.h"
#include "store/store.h"

/* Kinds of the jobs that a shard gives to workers; the shard's number stands in the upper bits. */
enum fsm_job {
    FSM_JOB_FLUSH = 1,
    FSM_JOB_WORK = 2,
    FSM_JOB_EXPORT = 3, /* reader worker */
    FSM_JOB_IMPORT = 4,
};

enum { FSM_JOB_SHARD_SHIFT = 8 };

enum fsm_flush_state {
    FSM_FLUSH_IDLE,
    FSM_FLUSH_FROZEN,  /* waits for the WAL to hold what it covers, synced */
    FSM_FLUSH_RUNNING, /* on the store worker */
};

struct fsm {
    struct store *store;
    uint32_t shard;
    struct store_flush flush;
    enum fsm_flush_state flush_state;
    struct job *work;   /* housekeeping under way, or NULL */
    size_t installs;    /* jobs of exports and imports under way */
    uint64_t oldest_ms; /* when the oldest entry outside the flush was applied; 0: none */
    uint64_t frozen_ms; /* and the oldest inside it */
};

/* Blocking. Errors as store_open; nothing stays open then. */
MUST_USE enum store_err fsm_open(struct fsm *fsm, const struct store_options *options,
                                 struct buf *error);
void fsm_close(struct fsm *fsm); /* blocking; no job may be under way */

/* The next committed entry (applied index + 1). */
void fsm_apply(struct fsm *fsm, struct entry *entry, uint64_t now_ms);

struct fsm_flush_policy {
    size_t bytes_max; /* flush when so much waits */
    uint64_t age_ms;  /* or when the oldest has waited so long */
    bool is_wanted;   /* or now, whatever waits */
};

/* Freezes when due, submits when the WAL holds it synced, and hands housekeeping to the worker.
 * Returns true while a frozen flush waits for a sync of the WAL (ask for one). */
bool fsm_step(struct fsm *fsm, const struct fsm_flush_policy *policy, uint64_t now_ms,
              uint64_t wal_synced_index, struct worker *worker);

/* The next chunk of an export to the reader worker; it comes back through fsm_job_done. False when
 * the export was let go (its err says why), or, with err STORE_OK, when the worker is full: in a
 * later turn. */
MUST_USE bool fsm_export_read(struct fsm *fsm, struct store_export *export, size_t bytes_max,
                              struct worker *readers);

/* Hands the job that a store_import_ function has just filled to the store worker. */
void fsm_import_submit(struct fsm *fsm, struct store_import *import, struct worker *worker);

/* store_import_adopt for a state machine: false until it could be done. */
MUST_USE bool fsm_import_adopt(struct fsm *fsm, struct store_import *import);

/* A done job of this shard. True when LevelDB moved ahead: see store_flushed. Chunks of exports and
 * steps of imports are taken back here, their errors stand in them. */
bool fsm_job_done(struct fsm *fsm, struct job *job, struct buf *error);

bool fsm_is_busy(const struct fsm *fsm);  /* a job is with the worker */
bool fsm_is_clean(const struct fsm *fsm); /* LevelDB holds everything applied */
