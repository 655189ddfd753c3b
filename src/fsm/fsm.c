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
    return fsm->flush_state == FSM_FLUSH_RUNNING || fsm->work != NULL;
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
    fsm->flush.job.kind = FSM_JOB_FLUSH | (int)(fsm->shard << FSM_JOB_SHARD_SHIFT);
    fsm->flush_state = FSM_FLUSH_FROZEN;
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
    fsm->work->kind = FSM_JOB_WORK | (int)(fsm->shard << FSM_JOB_SHARD_SHIFT);
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

static bool flush_done(struct fsm *fsm, struct buf *error)
{
    fsm->flush_state = FSM_FLUSH_IDLE;
    enum store_err err = store_flush_end(fsm->store, &fsm->flush);
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
    ASSERT(kind == FSM_JOB_WORK && job == fsm->work);
    fsm->work = NULL;
    store_work_done(fsm->store, job);
    return false;
}
