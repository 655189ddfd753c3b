/* Flushing: one synced batch that brings LevelDB from one applied index to the next (L2). */
#include "base/mutants.h"
#include "base/steps.h"
#include "codec/rows.h"
#include "store/store_state.h"

/* Puts the slice's edits first: should an entry of this flush put the same row, the entry wins. */
static void add_edits(const struct kv_ops *ops, struct kv_batch *batch, struct bytes rest)
{
    struct row row;
    enum rows_err err;
    while ((err = rows_next(&rest, &row)) == ROWS_OK) {
        if (row.op == ROW_DELETE)
            ops->batch_delete(batch, row.key);
        else
            ops->batch_put(batch, row.key, row.value);
    }
    ASSERT(err == ROWS_END);
}

/* In key order: LevelDB's memtable takes sorted keys in half the time. */
static void add_rows(const struct kv_ops *ops, struct kv_batch *batch, const struct tree *rows)
{
    struct tree_cursor cursor = tree_first(rows);
    struct tree_item item;
    while (tree_next(&cursor, &item)) {
        if (item.flag)
            ops->batch_delete(batch, item.key);
        else
            ops->batch_put(batch, item.key, item.value);
    }
}

/* On the store worker. What is frozen does not change, and the loop only reads it meanwhile. */
static void flush_run(struct job *job)
{
    struct store_flush *flush = CONTAINER_OF(job, struct store_flush, job);
    const struct store_frozen *frozen = flush->frozen;
    const struct kv_ops *ops = flush->kv->ops;
    struct kv_batch *batch = ops->batch_new(flush->kv);
    add_edits(ops, batch, buf_bytes(&frozen->edits));
    add_rows(ops, batch, frozen->buffer->rows);
    meta_put(flush->kv, batch, &frozen->meta);
    enum kv_err err = DURABLE_STEP(flush_written, ops->write(flush->kv, batch, &flush->error));
    flush->err = store_err_of(err);
    ops->batch_free(batch);
}

/* While a slice is being read its edits are the job's. */
static bool edits_wait(const struct store *store)
{
    return store->work.kind != WORK_SWEEP && store->sweep.edit_count > 0;
}

static bool may_flush(const struct store *store)
{
    return !store->flush_under_way && store->phase == STORE_PHASE_OPEN &&
           store->hold == STORE_HOLD_NONE;
}

bool store_flush_due(const struct store *store, size_t bytes_max)
{
    return may_flush(store) && (store->frozen.buffer != NULL || edits_wait(store) ||
                                store->active->payload_size >= bytes_max);
}

static void take_edits(struct store *store)
{
    struct store_frozen *frozen = &store->frozen;
    struct buf spare = frozen->edits;
    frozen->edits = store->sweep.edits;
    frozen->edit_count = store->sweep.edit_count;
    frozen->edits_name_garbage = store->sweep.names_garbage;
    store->sweep.edits = spare;
    store->sweep.edit_count = 0;
    store->sweep.names_garbage = false;
}

static void freeze(struct store *store)
{
    struct store_frozen *frozen = &store->frozen;
    ASSERT(frozen->buffer == NULL && frozen->edit_count == 0 && frozen->edits.size == 0);
    frozen->buffer = store->active;
    store->active = row_buffer_new();
    meta_copy(&frozen->meta, &store->applied);
    if (edits_wait(store))
        take_edits(store);
}

bool store_flush_begin(struct store *store, struct store_flush *flush)
{
    if (!may_flush(store))
        return false;
    if (store->frozen.buffer == NULL)
        freeze(store);
    ASSERT(store->frozen.meta.index >= store->flushed.index); /* L3: it never moves backwards */
    store->flush_under_way = true;
    store->users++;
    flush->job.run = flush_run;
    flush->applied_index = store->frozen.meta.index;
    flush->applied_term = store->frozen.meta.term;
    flush->err = STORE_OK;
    buf_clear(&flush->error);
    flush->frozen = &store->frozen;
    flush->kv = store->kv;
    return true;
}

/* LevelDB turns to a new memtable before a batch when the old one is over its size. */
static void count_memtable(struct store *store, size_t size)
{
    if (store->memtable_size > store->kv_options.write_buffer_size)
        store->memtable_size = 0;
    store->memtable_size += size;
}

static void drop_frozen(struct store *store)
{
    struct store_frozen *frozen = &store->frozen;
    size_t size = frozen->buffer->payload_size + frozen->edits.size;
    store->counters.flushes++;
    store->counters.flushed_rows += tree_count(frozen->buffer->rows);
    store->counters.flushed_bytes += size;
    store->counters.swept_rows += frozen->edit_count;
    count_memtable(store, size);
    if (frozen->buffer->names_garbage || frozen->edits_name_garbage)
        store_expect_garbage(store);
    store_release_buffer(store, frozen->buffer);
    frozen->buffer = NULL;
    frozen->edit_count = 0;
    frozen->edits_name_garbage = false;
    buf_clear(&frozen->edits);
}

enum store_err store_flush_end(struct store *store, struct store_flush *flush)
{
    ASSERT(store->flush_under_way && flush->frozen == &store->frozen && store->users > 0);
    store->flush_under_way = false;
    store->users--;
    flush->frozen = NULL;
    flush->kv = NULL;
    if (flush->err != STORE_OK && !NODE_MUTANT(failed_flush_counts)) {
        store->counters.flush_errors++;
        store_kill(store, flush->err, &flush->error);
        return flush->err;
    }
    DURABLE_STEP_VOID(flush_counted, meta_copy(&store->flushed, &store->frozen.meta));
    store->failures = 0;
    drop_frozen(store);
    return STORE_OK;
}

void store_flush_fini(struct store_flush *flush)
{
    ASSERT(flush->frozen == NULL);
    buf_free(&flush->error);
}
