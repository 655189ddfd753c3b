#include "store/sweep.h"

#include "codec/rows.h"
#include "store/meta.h"
#include "store/row_key.h"

/* One slice under way. */
struct slice {
    struct sweep *sweep;
    const struct kv_ops *ops;
    struct kv_iterator *iterator;
    size_t row_count;
};

void sweep_free(struct sweep *sweep)
{
    buf_free(&sweep->cursor);
    buf_free(&sweep->inside);
    buf_free(&sweep->edits);
    buf_free(&sweep->error);
}

void sweep_restart(struct sweep *sweep)
{
    buf_clear(&sweep->inside);
    buf_clear(&sweep->cursor);
    buf_append_u8(&sweep->cursor, ROW_KIND_SWEEP);
    sweep->finished = false;
}

void sweep_drop(struct sweep *sweep)
{
    buf_clear(&sweep->edits);
    sweep->edit_count = 0;
    sweep->names_garbage = false;
    sweep_restart(sweep);
}

static void edit(struct slice *slice, enum row_op op, struct bytes key)
{
    rows_append(&slice->sweep->edits, op, key, (struct bytes){0});
    slice->sweep->edit_count++;
}

/* A keyspace's row: what stands behind its value gets a G row in the same batch. A value too short
 * for its flags names nothing. */
static void name_object(struct slice *slice, struct bytes value)
{
    uint64_t object = 0;
    if (!row_value_object(value, &object) || object == 0)
        return;
    struct buf key = {0};
    row_key_append_sweep_object(&key, object);
    edit(slice, ROW_PUT, buf_bytes(&key));
    slice->sweep->names_garbage = true;
    buf_free(&key);
}

/* Deletes rows that begin with prefix, from where the last slice stopped. True when none is left,
 * false when the slice is full or LevelDB failed. */
static bool sweep_prefix(struct slice *slice, const struct buf *prefix)
{
    struct buf *inside = &slice->sweep->inside;
    if (!bytes_start_with(buf_bytes(inside), buf_bytes(prefix))) {
        buf_clear(inside);
        buf_append(inside, buf_bytes(prefix));
    }
    slice->ops->seek(slice->iterator, buf_bytes(inside));
    struct bytes key;
    struct bytes value;
    while (slice->ops->row(slice->iterator, &key, &value) &&
           bytes_start_with(key, buf_bytes(prefix))) {
        if (slice->row_count == SWEEP_SLICE_ROWS) {
            buf_clear(inside);
            buf_append(inside, key);
            return false;
        }
        if (key.data[0] == ROW_KIND_KEY)
            name_object(slice, value);
        edit(slice, ROW_DELETE, key);
        slice->row_count++;
        slice->ops->next(slice->iterator);
    }
    buf_clear(inside);
    slice->sweep->err =
        store_err_of(slice->ops->iterator_err(slice->iterator, &slice->sweep->error));
    return slice->sweep->err == STORE_OK;
}

/* True when all rows of what the G row names are in the edits. */
static bool sweep_named(struct slice *slice, const struct row_key *named)
{
    struct buf prefix = {0};
    if (named->sweep == ROW_SWEEP_OBJECT)
        row_key_append_element_prefix(&prefix, named->object);
    else
        row_key_append_key_prefix(&prefix, named->ksid);
    bool done = sweep_prefix(slice, &prefix);
    if (done && named->sweep == ROW_SWEEP_KEYSPACE) {
        buf_clear(&prefix);
        row_key_append_keyspace(&prefix, named->ksid);
        edit(slice, ROW_DELETE, buf_bytes(&prefix));
    }
    buf_free(&prefix);
    return done;
}

/* Takes the G row at the cursor, or the first one behind it. False when there is none. */
static bool next_named(struct slice *slice, struct row_key *named)
{
    struct sweep *sweep = slice->sweep;
    slice->ops->seek(slice->iterator, buf_bytes(&sweep->cursor));
    struct bytes key;
    struct bytes value;
    while (slice->ops->row(slice->iterator, &key, &value) && key.size > 0 &&
           key.data[0] == ROW_KIND_SWEEP) {
        buf_clear(&sweep->cursor);
        buf_append(&sweep->cursor, key);
        if (row_key_decode(buf_bytes(&sweep->cursor), named))
            return true;
        slice->ops->next(slice->iterator); /* no G row of ours: it stays, unread (L11) */
    }
    sweep->err = store_err_of(slice->ops->iterator_err(slice->iterator, &sweep->error));
    sweep->finished = sweep->err == STORE_OK;
    return false;
}

void sweep_run(struct sweep *sweep)
{
    ASSERT(sweep->edit_count == 0 && sweep->cursor.size > 0 && !sweep->finished);
    struct slice slice = {.sweep = sweep, .ops = sweep->kv->ops};
    slice.iterator = slice.ops->iterator_new(sweep->kv, NULL);
    sweep->err = STORE_OK;
    buf_clear(&sweep->error);
    struct row_key named;
    while (slice.row_count < SWEEP_SLICE_ROWS && next_named(&slice, &named) &&
           sweep_named(&slice, &named)) {
        edit(&slice, ROW_DELETE, buf_bytes(&sweep->cursor));
        slice.row_count++;
        buf_append_u8(&sweep->cursor, 0); /* directly behind it */
    }
    slice.ops->iterator_free(slice.iterator);
}
