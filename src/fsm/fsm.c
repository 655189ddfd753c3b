#include "fsm/fsm.h"

#include "base/mutants.h"

enum store_err fsm_open(struct fsm *fsm, const struct store_options *options, struct buf *error)
{
    *fsm = (struct fsm){.shard = options->shard};
    return store_open(&fsm->store, options, error);
}

void fsm_close(struct fsm *fsm)
{
    ASSERT(!fsm_is_busy(fsm));
    if (fsm->flush_state == FSM_FLUSH_FROZEN) {
        fsm->flush.err = STORE_IO; /* not run: the rows stay with the WAL */
        (void)store_flush_end(fsm->store, &fsm->flush);
    }
    store_flush_fini(&fsm->flush);
    store_free(fsm->store);
    fsm->store = NULL;
}

bool fsm_is_busy(const struct fsm *fsm)
{
    return fsm->flush_state == FSM_FLUSH_RUNNING || fsm->work != NULL || fsm->installs > 0;
}

bool fsm_is_clean(const struct fsm *fsm)
{
    return store_flushed(fsm->store).applied_index == store_applied(fsm->store).applied_index;
}

void fsm_apply(struct fsm *fsm, struct entry *entry, uint64_t now_ms)
{
    ASSERT(entry->index == store_applied(fsm->store).applied_index + 1);
    store_apply(fsm->store, entry);
    if (fsm->oldest_ms == 0)
        fsm->oldest_ms = now_ms;
}

static int job_kind(const struct fsm *fsm, enum fsm_job kind)
{
    return (int)kind | (int)(fsm->shard << FSM_JOB_SHARD_SHIFT);
}

static bool is_due(const struct fsm *fsm, const struct fsm_flush_policy *policy, uint64_t now_ms)
{
    if (store_flush_due(fsm->store, policy->bytes_max))
        return true;
    if (fsm_is_clean(fsm))
        return false;
    return policy->is_wanted || (fsm->oldest_ms != 0 && now_ms - fsm->oldest_ms >= policy->age_ms);
}

static void freeze_when_due(struct fsm *fsm, const struct fsm_flush_policy *policy, uint64_t now_ms)
{
    if (!is_due(fsm, policy, now_ms) || !store_flush_begin(fsm->store, &fsm->flush))
        return;
    fsm->flush.job.kind = job_kind(fsm, FSM_JOB_FLUSH);
    fsm->flush_state = FSM_FLUSH_FROZEN;
    fsm->frozen_ms = fsm->oldest_ms;
    fsm->oldest_ms = 0;
}

/* L2: LevelDB never knows more than this node's own WAL holds synced. */
static void submit_when_synced(struct fsm *fsm, uint64_t wal_synced_index, struct worker *worker)
{
    if (fsm->flush.applied_index > wal_synced_index && !NODE_MUTANT(flush_ahead_of_log))
        return;
    if (worker_submit(worker, &fsm->flush.job))
        fsm->flush_state = FSM_FLUSH_RUNNING;
}

static void submit_work(struct fsm *fsm, uint64_t now_ms, struct worker *worker)
{
    fsm->work = store_work(fsm->store, now_ms);
    if (fsm->work == NULL)
        return;
    fsm->work->kind = job_kind(fsm, FSM_JOB_WORK);
    bool submitted = worker_submit(worker, fsm->work);
    ASSERT(submitted); /* the queue has room for two jobs of each shard */
}

bool fsm_step(struct fsm *fsm, const struct fsm_flush_policy *policy, uint64_t now_ms,
              uint64_t wal_synced_index, struct worker *worker)
{
    if (fsm->flush_state == FSM_FLUSH_IDLE)
        freeze_when_due(fsm, policy, now_ms);
    if (fsm->flush_state == FSM_FLUSH_FROZEN)
        submit_when_synced(fsm, wal_synced_index, worker);
    if (fsm->work == NULL)
        submit_work(fsm, now_ms, worker);
    return fsm->flush_state == FSM_FLUSH_FROZEN;
}

bool fsm_export_read(struct fsm *fsm, struct store_export *export, size_t bytes_max,
                     struct worker *readers)
{
    if (!store_export_read(export, bytes_max))
        return false;
    export->job.kind = job_kind(fsm, FSM_JOB_EXPORT);
    if (!worker_submit(readers, &export->job)) {
        (void)store_export_read_end(export); /* not run: it stands where it stood */
        return false;
    }
    fsm->installs++;
    return true;
}

void fsm_import_submit(struct fsm *fsm, struct store_import *import, struct worker *worker)
{
    ASSERT(import->is_busy);
    import->job.kind = job_kind(fsm, FSM_JOB_IMPORT);
    bool submitted = worker_submit(worker, &import->job);
    ASSERT(submitted); /* the queue has room for three jobs of each shard */
    fsm->installs++;
}

bool fsm_import_adopt(struct fsm *fsm, struct store_import *import)
{
    if (!store_import_adopt(fsm->store, import))
        return false;
    ASSERT(fsm->flush_state == FSM_FLUSH_IDLE);
    fsm->oldest_ms = 0;
    return true;
}

static void install_done(struct fsm *fsm, struct job *job, int kind)
{
    ASSERT(fsm->installs > 0);
    fsm->installs--;
    if (kind == FSM_JOB_EXPORT)
        (void)store_export_read_end(CONTAINER_OF(job, struct store_export, job));
    else
        (void)store_import_done(fsm->store, CONTAINER_OF(job, struct store_import, job));
}

static bool flush_done(struct fsm *fsm, struct buf *error)
{
    fsm->flush_state = FSM_FLUSH_IDLE;
    enum store_err err = store_flush_end(fsm->store, &fsm->flush);
    /* What failed is as old as before, should nothing more be applied; and a flush that was tried
       again covered nothing of what was applied since the first attempt. */
    bool is_due = err != STORE_OK || (!fsm_is_clean(fsm) && fsm->oldest_ms == 0);
    if (is_due)
        fsm->oldest_ms = fsm->frozen_ms;
    if (err == STORE_OK)
        return true;
    buf_append(error, buf_bytes(&fsm->flush.error));
    return false;
}

bool fsm_job_done(struct fsm *fsm, struct job *job, struct buf *error)
{
    int kind = job->kind & ((1 << FSM_JOB_SHARD_SHIFT) - 1);
    if (kind == FSM_JOB_FLUSH)
        return flush_done(fsm, error);
    if (kind == FSM_JOB_EXPORT || kind == FSM_JOB_IMPORT) {
        install_done(fsm, job, kind);
        return false;
    }
    ASSERT(kind == FSM_JOB_WORK && job == fsm->work);
    fsm->work = NULL;
    store_work_done(fsm->store, job);
    return false;
}
