#include "store/export.h"

#include "codec/rows.h"
#include "store/store_state.h"

static size_t row_size(struct bytes key, struct bytes value)
{
    return ROWS_HEADER_SIZE + key.size + value.size;
}

/* True when the row can stand in codec/rows.h; what LevelDB gives back is not trusted (L11). */
static bool row_fits(struct store_export *export, struct bytes key, struct bytes value)
{
    if (key.size > 0 && key.size <= ROWS_KEY_MAX && value.size <= UINT32_MAX)
        return true;
    export->err = STORE_DAMAGED;
    buf_printf(&export->error, "a row with a key of %zu and a value of %zu bytes", key.size,
               value.size);
    return false;
}

static bool is_full(const struct store_export *export, struct bytes key, struct bytes value)
{
    return export->row_count > 0 && export->rows.size + row_size(key, value) > export->bytes_max;
}

/* Takes rows from where the iterator stands. True at the end of all rows. */
static bool take_rows(struct store_export *export, const struct kv_ops *ops,
                      struct kv_iterator *iterator)
{
    struct bytes key;
    struct bytes value;
    for (; ops->row(iterator, &key, &value); ops->next(iterator)) {
        if (!row_fits(export, key, value))
            return false;
        if (meta_owns_key(key))
            continue;
        if (is_full(export, key, value)) {
            buf_clear(&export->next);
            buf_append(&export->next, key);
            return false;
        }
        rows_append(&export->rows, ROW_PUT, key, value);
        export->row_count++;
    }
    export->err = store_err_of(ops->iterator_err(iterator, &export->error));
    return export->err == STORE_OK;
}

/* On a reader thread. */
static void export_run(struct job *job)
{
    struct store_export *export = CONTAINER_OF(job, struct store_export, job);
    const struct kv_ops *ops = export->kv->ops;
    struct kv_iterator *iterator = ops->iterator_new(export->kv, export->snapshot);
    ops->seek(iterator, buf_bytes(&export->next));
    export->complete = take_rows(export, ops, iterator);
    ops->iterator_free(iterator);
}

/* What is frozen may be in LevelDB already, whole, although store_flushed does not say so yet; then
 * the snapshot would hold more than meta admits. */
static bool may_begin(const struct store *store)
{
    return store->phase == STORE_PHASE_OPEN && store->hold != STORE_HOLD_ALL &&
           store->frozen.buffer == NULL;
}

bool store_export_begin(struct store *store, struct store_export *export)
{
    ASSERT(export->store == NULL && export->snapshot == NULL && !export->is_reading);
    if (!may_begin(store))
        return false;
    buf_clear(&export->members);
    buf_append(&export->members, buf_bytes(&store->flushed.members));
    export->meta = meta_view(&store->flushed);
    export->meta.members = buf_bytes(&export->members);
    buf_clear(&export->rows);
    buf_clear(&export->next);
    buf_clear(&export->error);
    export->err = STORE_OK;
    export->row_count = 0;
    export->complete = false;
    export->rows_sent = 0;
    export->bytes_sent = 0;
    export->store = store;
    export->kv = store->kv;
    export->snapshot = store->kv->ops->snapshot_new(store->kv);
    list_push_back(&store->exports, &export->node);
    store->counters.exports++;
    return true;
}

static void let_go(struct store_export *export)
{
    ASSERT(!export->is_reading);
    export->kv->ops->snapshot_free(export->kv, export->snapshot);
    list_remove(&export->node);
    export->snapshot = NULL;
    export->kv = NULL;
    export->store = NULL;
}

/* The handle goes away: why may be empty when the store itself does. */
static void break_off(struct store_export *export, enum store_err err, struct bytes why)
{
    let_go(export);
    export->err = err;
    export->complete = false;
    buf_clear(&export->rows);
    export->row_count = 0;
    buf_clear(&export->error);
    buf_append(&export->error, why);
}

void store_break_exports(struct store *store, enum store_err err, struct bytes why)
{
    struct list *node;
    struct list *after;
    LIST_FOR_EACH(node, after, &store->exports)
    {
        struct store_export *export = CONTAINER_OF(node, struct store_export, node);
        if (!export->is_reading)
            break_off(export, err, why);
    }
}

bool store_export_read(struct store_export *export, size_t bytes_max)
{
    ASSERT(!export->is_reading && !export->complete && bytes_max > 0);
    if (export->store == NULL) {
        ASSERT(export->err != STORE_OK);
        return false;
    }
    buf_clear(&export->rows);
    export->row_count = 0;
    export->bytes_max = bytes_max;
    export->is_reading = true;
    export->job.run = export_run;
    export->store->users++;
    return true;
}

enum store_err store_export_read_end(struct store_export *export)
{
    struct store *store = export->store;
    ASSERT(export->is_reading && store != NULL && store->users > 0 && export->kv == store->kv);
    export->is_reading = false;
    store->users--;
    if (export->err != STORE_OK) {
        store->counters.read_errors++;
        store_kill(store, export->err,
                   &export->error); /* breaks off the idle ones, this included */
    }
    if (export->store != NULL && store->phase != STORE_PHASE_OPEN) {
        const char *why;
        enum store_err err = store_error(store, &why);
        break_off(export, err, bytes_of_string(why));
    }
    export->rows_sent += export->row_count;
    export->bytes_sent += export->rows.size;
    return export->err;
}

void store_export_fini(struct store_export *export)
{
    ASSERT(!export->is_reading);
    if (export->store != NULL)
        let_go(export);
    buf_free(&export->error);
    buf_free(&export->rows);
    buf_free(&export->members);
    buf_free(&export->next);
    *export = (struct store_export){0};
}
