/* Housekeeping on the store worker: opening LevelDB again after an error (L2), pushing its memory
 * out, reading slices of garbage. */
#include <inttypes.h>

#include "base/steps.h"
#include "store/store_state.h"

enum {
    PUSH_OUT_SIZE = 1024 * 1024, /* LevelDB replays about 30 MB/s when it opens */
    RETIRED_PER_CALL = 1000,     /* entries freed: 0.1 ms */
    PAUSE_MS = 100,              /* before the second attempt to open; then doubled */
    PAUSE_MAX_MS = 5000,
};

void store_expect_garbage(struct store *store)
{
    if (store->sweep_pending)
        store->sweep_again = true;
    else
        sweep_restart(&store->sweep);
    store->sweep_pending = true;
}

bool store_sweep_pending(const struct store *store)
{
    return store->sweep_pending;
}

static void set_error(struct store *store, enum store_err err, const struct buf *error)
{
    store->err = err;
    buf_clear(&store->error);
    buf_append(&store->error, buf_bytes(error));
    buf_append_u8(&store->error, 0);
}

/* The first attempt comes at once, since most errors end with the handle; then with growing pauses
 * until a flush has gone well, so that a disk that fails each one is not beaten. */
static void plan_open(struct store *store)
{
    uint64_t pause = PAUSE_MAX_MS;
    if (store->failures == 0)
        pause = 0;
    else if (store->failures < 7)
        pause = (uint64_t)PAUSE_MS << (store->failures - 1);
    store->open_at_ms = store->now_ms + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
    store->failures++;
}

void store_kill(struct store *store, enum store_err err, const struct buf *error)
{
    ASSERT(err != STORE_OK);
    if (store->phase != STORE_PHASE_OPEN)
        return;
    store->phase = STORE_PHASE_DEAD;
    set_error(store, err, error);
    plan_open(store);
    store_break_exports(store, err, buf_bytes(error));
}

static void open_run(struct job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    if (work->kv != NULL)
        work->kv->ops->close(work->kv);
    work->kv = NULL;
    work->err = DURABLE_STEP(
        store_reopened, store_open_generation(work->store, &work->kv, &work->found, &work->error));
}

static void push_out_run(struct job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    DURABLE_STEP_VOID(memory_pushed_out, work->kv->ops->push_out(work->kv));
}

static void sweep_job_run(struct job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    sweep_run(&work->store->sweep);
}

static bool open_is_due(const struct store *store)
{
    bool drained = store->phase == STORE_PHASE_DEAD && store->users == 0;
    return (drained || store->phase == STORE_PHASE_CLOSED) && store->now_ms >= store->open_at_ms;
}

static struct job *start_open(struct store *store)
{
    struct work *work = &store->work;
    store->phase = STORE_PHASE_OPENING;
    work->kind = WORK_OPEN;
    work->kv = store->kv;
    store->kv = NULL;
    work->job.run = open_run;
    return &work->job;
}

static struct job *start_using(struct store *store, enum work_kind kind, void (*run)(struct job *))
{
    store->work.kind = kind;
    store->work.kv = store->kv;
    store->work.job.run = run;
    store->users++;
    return &store->work.job;
}

static bool sweep_is_due(const struct store *store)
{
    return store->sweep_pending && store->sweep.edit_count == 0 && store->frozen.edit_count == 0;
}

struct job *store_work(struct store *store, uint64_t now_ms)
{
    store->now_ms = now_ms;
    store_free_retired(store, RETIRED_PER_CALL);
    struct work *work = &store->work;
    if (work->kind != WORK_NONE || store->hold == STORE_HOLD_ALL)
        return NULL;
    work->store = store;
    work->err = STORE_OK;
    buf_clear(&work->error);
    if (open_is_due(store))
        return start_open(store);
    if (store->phase != STORE_PHASE_OPEN)
        return NULL;
    if (store->memtable_size > PUSH_OUT_SIZE) {
        store->memtable_size = 0;
        store->counters.push_outs++;
        return start_using(store, WORK_PUSH_OUT, push_out_run);
    }
    if (!sweep_is_due(store))
        return NULL;
    store->sweep.kv = store->kv;
    return start_using(store, WORK_SWEEP, sweep_job_run);
}

/* What LevelDB may say after an error: nothing of the failed batch, or all of it. Less is loss: it
 * confirmed more before. */
static void check_applied(const struct store *store, struct work *work)
{
    uint64_t index = work->found.index;
    bool as_failed = store->frozen.buffer != NULL && index == store->frozen.meta.index;
    if (work->err != STORE_OK || index == store->flushed.index || as_failed)
        return;
    work->err = STORE_LOST;
    buf_printf(&work->error,
               "%s: holds applied index %" PRIu64 " after opening again, %" PRIu64 " was durable",
               (const char *)store->path.data, index, store->flushed.index);
    work->kv->ops->close(work->kv);
    work->kv = NULL;
}

static bool err_lasts(enum store_err err)
{
    switch (err) {
    case STORE_LOST:
    case STORE_ABSENT:
    case STORE_FOREIGN:
    case STORE_NEWER_FORMAT:
    case STORE_DAMAGED:
        return true;
    case STORE_OK:
    case STORE_LOCKED:
    case STORE_FULL:
    case STORE_IO:
        return false;
    }
    UNREACHABLE();
}

static void end_open(struct store *store)
{
    struct work *work = &store->work;
    check_applied(store, work);
    if (work->err == STORE_OK) {
        store->phase = STORE_PHASE_OPEN;
        store->kv = work->kv;
        store->memtable_size = 0; /* LevelDB writes what it replayed to a file */
        store->counters.reopens++;
        return;
    }
    store->phase = err_lasts(work->err) ? STORE_PHASE_FAILED : STORE_PHASE_CLOSED;
    set_error(store, work->err, &work->error);
    plan_open(store);
}

static void end_sweep(struct store *store)
{
    struct sweep *sweep = &store->sweep;
    sweep->kv = NULL;
    if (sweep->err != STORE_OK)
        store_kill(store, sweep->err, &sweep->error);
    if (!sweep->finished)
        return;
    store->sweep_pending = store->sweep_again;
    store->sweep_again = false;
    sweep_restart(sweep);
}

void store_work_done(struct store *store, struct job *job)
{
    struct work *work = &store->work;
    ASSERT(job == &work->job && work->kind != WORK_NONE);
    enum work_kind kind = work->kind;
    work->kind = WORK_NONE;
    if (kind == WORK_OPEN) {
        end_open(store);
    } else {
        ASSERT(store->users > 0);
        store->users--;
    }
    if (kind == WORK_SWEEP)
        end_sweep(store);
    work->kv = NULL;
}
