/* Reading a range of rows from inside a fiber: the run gives way while a reader thread works. */
#include "exec/internal.h"

enum { WALK_SLICE_SIZE = 4 << 20 };

void walk_rows_free(struct walk_rows *result)
{
    buf_free(&result->rows);
    buf_free(&result->next);
}

void exec_walk_begin(struct walk *walk, struct run *run, struct exec_shard *es, struct bytes from,
                     struct bytes to, size_t rows_max)
{
    struct store *store = shard_fsm(es->shard)->store;
    for (;;) {
        /* A transaction that waits in the middle has the shard: half of it must not be seen. */
        while (es->holder != NULL && es->holder != run)
            exec_wait_a_turn(run);
        *walk = (struct walk){.run = run, .es = es};
        walk->read.from = from;
        walk->read.to = to;
        walk->read.rows_max = rows_max;
        walk->read.bytes_max = WALK_SLICE_SIZE;
        if (store_read_begin(store, &walk->read)) {
            walk->read.job.kind = EXEC_JOB_WALK;
            if (worker_submit(run->exec->readers, &walk->read.job))
                return;
            (void)store_read_end(store, &walk->read);
        }
        store_read_fini(&walk->read);
        exec_wait_a_turn(run);
    }
}

bool exec_walk_finish(struct walk *walk, struct walk_rows *result)
{
    struct exec *exec = walk->run->exec;
    while (!walk->is_done)
        exec_yield(walk->run);
    enum store_err err = store_read_end(shard_fsm(walk->es->shard)->store, &walk->read);
    if (walk->run->is_cancelled) {
        store_read_fini(&walk->read);
        return false;
    }
    if (err != STORE_OK) {
        log_write(exec->log, LOG_LEVEL_WARNING, "shard %u: reading keys: %.*s", walk->es->id,
                  (int)walk->read.error.size, (const char *)walk->read.error.data);
        store_read_fini(&walk->read);
        return false;
    }
    *result = (struct walk_rows){
        .rows = walk->read.rows, .is_complete = walk->read.complete, .next = walk->read.next};
    walk->read.rows = walk->read.next = (struct buf){0};
    store_read_fini(&walk->read);
    return true;
}

bool exec_walk_job_done(struct exec *exec, struct job *job)
{
    if (job->kind != EXEC_JOB_WALK)
        return false;
    struct walk *walk = CONTAINER_OF(job, struct walk, read.job);
    walk->is_done = true;
    exec_make_ready(exec, walk->run->request);
    return true;
}
