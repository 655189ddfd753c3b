/* Reading: the fold LevelDB < flushing < active at the moment of store_read_begin. The loop notes
 * where the buffered rows stand and takes the snapshot; a reader thread merges and copies. */
#include "base/mem.h"
#include "codec/rows.h"
#include "store/row_key.h"
#include "store/store_state.h"

/* A buffered row: it stays where it is, in an entry that its buffer retains. */
struct noted {
    struct bytes key;
    struct bytes value;
    enum store_found found;
};

/* The rows that one buffer has in the range, in key order. When they were too many, they are the
 * first ones and bound is the first key left out: beyond it this layer knows nothing. */
struct layer {
    struct row_buffer *buffer; /* NULL: there was none */
    struct noted *rows;
    size_t count;
    size_t capacity;
    struct bytes bound; /* empty: nothing was left out */
};

struct store_read_source {
    struct kv *kv;
    struct kv_snapshot *snapshot;
    struct layer layers[2]; /* newer first; a read of keys notes its rows in the first */
};

static void note(struct layer *layer, struct noted row)
{
    if (layer->count == layer->capacity) {
        layer->capacity = layer->capacity == 0 ? 16 : layer->capacity * 2;
        layer->rows = mem_realloc(layer->rows, layer->capacity * sizeof(struct noted));
    }
    layer->rows[layer->count++] = row;
}

static void note_range(struct layer *layer, const struct store_read *read)
{
    const struct tree *rows = layer->buffer->rows;
    struct tree_cursor cursor =
        read->from.size == 0 ? tree_first(rows) : tree_seek(rows, read->from);
    struct tree_item item;
    size_t size = 0;
    while (tree_next(&cursor, &item)) {
        if (read->to.size > 0 && bytes_compare(item.key, read->to) >= 0)
            return;
        if (layer->count == read->rows_max || size >= read->bytes_max) {
            layer->bound = item.key;
            return;
        }
        size += item.key.size + item.value.size;
        enum store_found found = item.flag ? STORE_DELETED : STORE_PUT;
        note(layer, (struct noted){.key = item.key, .value = item.value, .found = found});
    }
}

static void note_keys(const struct store *store, struct layer *layer, const struct store_read *read)
{
    for (size_t i = 0; i < read->key_count; i++) {
        struct noted row = {.key = read->keys[i]};
        row.found = store_find_buffered(store, row.key, &row.value);
        note(layer, row);
    }
}

static void hold_buffer(struct layer *layer, struct row_buffer *buffer)
{
    layer->buffer = buffer;
    if (buffer != NULL)
        buffer->refs++;
}

/* A reference to the buffer is enough: rows that later entries replace in it stay in their entries.
 */
static struct store_read_source *source_new(struct store *store, const struct store_read *read)
{
    struct store_read_source *source = mem_zero(sizeof(*source));
    source->kv = store->kv;
    hold_buffer(&source->layers[0], store->active);
    hold_buffer(&source->layers[1], store->frozen.buffer);
    if (read->keys != NULL) {
        note_keys(store, &source->layers[0], read);
    } else {
        for (size_t i = 0; i < COUNT_OF(source->layers); i++) {
            if (source->layers[i].buffer != NULL)
                note_range(&source->layers[i], read);
        }
    }
    source->snapshot = store->kv->ops->snapshot_new(store->kv);
    return source;
}

/* True when the row can stand in codec/rows.h; what LevelDB gives back is not trusted (L11). */
static bool row_fits(struct store_read *read, struct bytes key, struct bytes value)
{
    if (key.size > 0 && key.size <= ROWS_KEY_MAX && value.size <= UINT32_MAX)
        return true;
    read->err = STORE_DAMAGED;
    buf_printf(&read->error, "a row with a key of %zu and a value of %zu bytes", key.size,
               value.size);
    return false;
}

static void answer(struct store_read *read, enum row_op op, struct bytes key, struct bytes value)
{
    rows_append(&read->rows, op, key, value);
    read->row_count++;
}

static void read_stored_key(struct store_read *read, struct bytes key, struct buf *value)
{
    struct store_read_source *source = read->source;
    bool found = false;
    buf_clear(value);
    read->err = store_err_of(
        source->kv->ops->get(source->kv, source->snapshot, key, value, &found, &read->error));
    if (read->err != STORE_OK || !row_fits(read, key, buf_bytes(value)))
        return;
    answer(read, found ? ROW_PUT : ROW_DELETE, key, buf_bytes(value));
}

static void read_keys(struct store_read *read)
{
    const struct layer *layer = &read->source->layers[0];
    struct buf value = {0};
    for (size_t i = 0; i < layer->count && read->err == STORE_OK; i++) {
        const struct noted *row = &layer->rows[i];
        if (row->found == STORE_UNKNOWN)
            read_stored_key(read, row->key, &value);
        else if (row->found == STORE_PUT)
            answer(read, ROW_PUT, row->key, row->value);
        else
            answer(read, ROW_DELETE, row->key, (struct bytes){0});
    }
    buf_free(&value);
    read->complete = read->err == STORE_OK;
}

/* Where the answer must end: at `to`, or where the first source was cut. Empty: nowhere. */
static struct bytes lowest_bound(const struct store_read *read)
{
    struct bytes lowest = read->to;
    for (size_t i = 0; i < COUNT_OF(read->source->layers); i++) {
        struct bytes bound = read->source->layers[i].bound;
        if (bound.size > 0 && (lowest.size == 0 || bytes_compare(bound, lowest) < 0))
            lowest = bound;
    }
    return lowest;
}

static bool is_below(struct bytes key, struct bytes bound)
{
    return bound.size == 0 || bytes_compare(key, bound) < 0;
}

/* A merge of both layers and LevelDB under way. */
struct merge {
    struct store_read *read;
    struct bytes bound;
    size_t at[2]; /* in the layers */
    struct kv_iterator *iterator;
};

/* The next buffered row, the newer of two with the same key; NULL when none is below the bound. */
static const struct noted *peek_buffered(const struct merge *merge)
{
    const struct noted *best = NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct layer *layer = &merge->read->source->layers[i];
        if (merge->at[i] == layer->count)
            continue;
        const struct noted *row = &layer->rows[merge->at[i]];
        if (!is_below(row->key, merge->bound))
            continue;
        if (best == NULL || bytes_compare(row->key, best->key) < 0)
            best = row;
    }
    return best;
}

static void skip_buffered(struct merge *merge, struct bytes key)
{
    for (size_t i = 0; i < 2; i++) {
        const struct layer *layer = &merge->read->source->layers[i];
        if (merge->at[i] < layer->count && bytes_equal(layer->rows[merge->at[i]].key, key))
            merge->at[i]++;
    }
}

static bool is_full(const struct store_read *read)
{
    return read->row_count == read->rows_max || read->rows.size >= read->bytes_max;
}

static void set_next(struct store_read *read, struct bytes key)
{
    read->complete = false;
    buf_append(&read->next, key);
}

/* Takes the lowest row of the three sources; a delete hides what lies below it. False at the end.
 */
static bool merge_step(struct merge *merge)
{
    struct store_read *read = merge->read;
    const struct kv_ops *ops = read->source->kv->ops;
    const struct noted *buffered = peek_buffered(merge);
    struct bytes key;
    struct bytes value;
    bool stored = ops->row(merge->iterator, &key, &value) && is_below(key, merge->bound);
    if (!stored && buffered == NULL)
        return false;
    if (is_full(read)) {
        bool first = buffered != NULL && (!stored || bytes_compare(buffered->key, key) < 0);
        set_next(read, first ? buffered->key : key);
        return false;
    }
    int order = !stored ? -1 : buffered == NULL ? 1 : bytes_compare(buffered->key, key);
    if (order <= 0 && buffered->found == STORE_PUT)
        answer(read, ROW_PUT, buffered->key, buffered->value);
    else if (order > 0 && row_fits(read, key, value))
        answer(read, ROW_PUT, key, value);
    if (order >= 0)
        ops->next(merge->iterator);
    if (order <= 0)
        skip_buffered(merge, buffered->key);
    return read->err == STORE_OK;
}

static void read_range(struct store_read *read)
{
    struct store_read_source *source = read->source;
    const struct kv_ops *ops = source->kv->ops;
    struct merge merge = {.read = read, .bound = lowest_bound(read)};
    merge.iterator = ops->iterator_new(source->kv, source->snapshot);
    ops->seek(merge.iterator, read->from);
    read->complete = true;
    while (merge_step(&merge))
        ;
    if (read->err == STORE_OK)
        read->err = store_err_of(ops->iterator_err(merge.iterator, &read->error));
    ops->iterator_free(merge.iterator);
    bool was_cut = merge.bound.size > 0 && !bytes_equal(merge.bound, read->to);
    if (read->complete && was_cut)
        set_next(read, merge.bound);
    read->complete = read->complete && read->err == STORE_OK;
}

/* On a reader thread. */
static void read_run(struct job *job)
{
    struct store_read *read = CONTAINER_OF(job, struct store_read, job);
    if (read->keys != NULL)
        read_keys(read);
    else
        read_range(read);
}

bool store_read_begin(struct store *store, struct store_read *read)
{
    ASSERT(read->source == NULL);
    ASSERT(read->keys != NULL || (read->rows_max > 0 && read->bytes_max > 0));
    if (!store_is_open(store))
        return false;
    buf_clear(&read->rows);
    buf_clear(&read->next);
    buf_clear(&read->error);
    read->row_count = 0;
    read->complete = false;
    read->err = STORE_OK;
    read->job.run = read_run;
    read->source = source_new(store, read);
    store->users++;
    store->counters.reads++;
    return true;
}

enum store_err store_read_end(struct store *store, struct store_read *read)
{
    struct store_read_source *source = read->source;
    ASSERT(source != NULL && source->kv == store->kv && store->users > 0);
    store->kv->ops->snapshot_free(store->kv, source->snapshot);
    for (size_t i = 0; i < COUNT_OF(source->layers); i++) {
        mem_free(source->layers[i].rows);
        if (source->layers[i].buffer != NULL)
            store_release_buffer(store, source->layers[i].buffer);
    }
    mem_free(source);
    read->source = NULL;
    store->users--;
    if (read->err != STORE_OK) {
        store->counters.read_errors++;
        store_kill(store, read->err, &read->error);
    }
    return read->err;
}

void store_read_fini(struct store_read *read)
{
    ASSERT(read->source == NULL);
    buf_free(&read->rows);
    buf_free(&read->next);
    buf_free(&read->error);
}
