#include "store/store.h"

#include "base/mem.h"
#include "base/steps.h"
#include "store/store_state.h"

enum {
    WRITE_BUFFER_DEFAULT = 4 * 1024 * 1024,
    RETIRED_PER_APPLY =
        4, /* entries freed for each one that comes in: it ends before the next flush */
};

const char *store_err_text(enum store_err err)
{
    switch (err) {
    case STORE_OK:
        return "no error";
    case STORE_ABSENT:
        return "no rows are there";
    case STORE_LOST:
        return "rows are lost";
    case STORE_FOREIGN:
        return "rows of another cluster or shard";
    case STORE_NEWER_FORMAT:
        return "rows of a newer version";
    case STORE_DAMAGED:
        return "rows are damaged";
    case STORE_LOCKED:
        return "rows are in use by another process";
    case STORE_FULL:
        return "no space left on device";
    case STORE_IO:
        return "input/output error";
    }
    UNREACHABLE();
}

static struct store *store_new(const struct store_options *options)
{
    struct store *store = mem_zero(sizeof(*store));
    size_t size = strlen(options->dir) + 1;
    store->dir_path = mem_alloc(size);
    memcpy(store->dir_path, options->dir, size);
    store->dir = (struct generation_dir){
        .path = store->dir_path, .disk = options->disk, .env = options->env};
    store->kv_options = (struct kv_options){.write_buffer_size = options->write_buffer_size > 0
                                                                     ? options->write_buffer_size
                                                                     : WRITE_BUFFER_DEFAULT,
                                            .open_files_max = options->open_files_max};
    store->identity =
        (struct meta_identity){.identity = options->identity, .shard = options->shard};
    store->active = row_buffer_new();
    list_init(&store->retired);
    list_init(&store->exports);
    sweep_restart(&store->sweep);
    return store;
}

/* The first generation: its rows are durable before CURRENT names it (L5). */
static enum store_err fill_first(const struct store *store, struct bytes members, struct buf *error)
{
    struct kv_options options = store->kv_options;
    options.create = true;
    struct kv *kv = NULL;
    struct kv_env *env = store->dir.env;
    enum kv_err err = env->ops->open(env, (const char *)store->path.data, &options, &kv, error);
    if (err != KV_OK)
        return store_err_of(err);
    struct meta first = {0};
    buf_append(&first.members, members);
    struct kv_batch *batch = kv->ops->batch_new(kv);
    meta_put_identity(kv, batch, &store->identity);
    meta_put(kv, batch, &first);
    err = DURABLE_STEP(generation_filled, kv->ops->write(kv, batch, error));
    kv->ops->batch_free(batch);
    kv->ops->close(kv);
    meta_free(&first);
    return store_err_of(err);
}

static void set_path(struct store *store)
{
    buf_clear(&store->path);
    generation_path(&store->dir, store->generation, &store->path);
}

static enum store_err create_first(struct store *store, struct bytes members, struct buf *error)
{
    buf_clear(error); /* it said that nothing is there */
    enum store_err err = generation_begin_first(&store->dir, store->generation, error);
    set_path(store);
    if (err == STORE_OK)
        err = fill_first(store, members, error);
    if (err == STORE_OK)
        err = generation_publish(&store->dir, store->generation, error);
    return err;
}

enum store_err store_open_generation(const struct store *store, struct kv **out, struct meta *meta,
                                     struct buf *error)
{
    struct kv *kv = NULL;
    struct kv_env *env = store->dir.env;
    const char *path = (const char *)store->path.data;
    enum kv_err opened = env->ops->open(env, path, &store->kv_options, &kv, error);
    if (opened != KV_OK)
        return store_err_of(opened);
    enum store_err err = meta_read(kv, path, &store->identity, meta, error);
    if (err != STORE_OK) {
        kv->ops->close(kv);
        return err;
    }
    *out = kv;
    return STORE_OK;
}

static bool rows_are_lost(enum store_err err)
{
    return err == STORE_ABSENT || err == STORE_LOST || err == STORE_DAMAGED;
}

/* Whatever was read half is forgotten. A name that CURRENT did not stand for is none. */
static void give_up(struct store *store, enum store_err err, const struct buf *error)
{
    if (store->path.size == 0)
        memset(store->generation, 0, sizeof(store->generation));
    store->phase = STORE_PHASE_FAILED;
    store->err = err;
    buf_append(&store->error, buf_bytes(error));
    buf_append_u8(&store->error, 0);
    meta_free(&store->flushed);
}

enum store_err store_open(struct store **out, const struct store_options *options,
                          struct buf *error)
{
    *out = NULL;
    buf_clear(error);
    struct store *store = store_new(options);
    enum store_err err = generation_current(&store->dir, store->generation, error);
    if (err == STORE_ABSENT && options->create) {
        buf_clear(error);
        err = create_first(store, options->members, error);
    }
    if (err == STORE_OK) {
        set_path(store);
        err = store_open_generation(store, &store->kv, &store->flushed, error);
    }
    if (err != STORE_OK) {
        give_up(store, err, error);
        if (options->takes_lost && rows_are_lost(err))
            *out = store;
        else
            store_free(store);
        return err;
    }
    meta_copy(&store->applied, &store->flushed);
    store->sweep_pending = true; /* until a pass has found no G row */
    generation_remove_others(&store->dir, store->generation);
    *out = store;
    return STORE_OK;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    ASSERT(store->users == 0 && !store->flush_under_way && store->work.kind == WORK_NONE);
    ASSERT(store->import == NULL);
    store_break_exports(store, STORE_IO, BYTES_LITERAL("the store was closed"));
    if (store->kv != NULL)
        store->kv->ops->close(store->kv);
    store_release_buffer(store, store->active);
    if (store->frozen.buffer != NULL)
        store_release_buffer(store, store->frozen.buffer);
    store_free_retired(store, SIZE_MAX);
    ASSERT(list_is_empty(&store->retired));
    meta_free(&store->frozen.meta);
    meta_free(&store->applied);
    meta_free(&store->flushed);
    meta_free(&store->work.found);
    buf_free(&store->frozen.edits);
    buf_free(&store->work.error);
    buf_free(&store->error);
    buf_free(&store->path);
    sweep_free(&store->sweep);
    mem_free(store->dir_path);
    mem_free(store);
}

void store_release_buffer(struct store *store, struct row_buffer *buffer)
{
    ASSERT(buffer->refs > 0);
    if (--buffer->refs == 0)
        list_push_back(&store->retired, &buffer->node);
}

void store_free_retired(struct store *store, size_t entry_max)
{
    while (entry_max > 0 && !list_is_empty(&store->retired)) {
        struct row_buffer *buffer = CONTAINER_OF(store->retired.next, struct row_buffer, node);
        size_t held = buffer->entry_count;
        list_remove(&buffer->node);
        if (!row_buffer_free_some(buffer, entry_max))
            list_push_front(&store->retired, &buffer->node);
        entry_max -= held < entry_max ? held : entry_max;
    }
}

const char *store_generation(const struct store *store)
{
    return store->generation;
}

struct store_meta store_applied(const struct store *store)
{
    return meta_view(&store->applied);
}

struct store_meta store_flushed(const struct store *store)
{
    return meta_view(&store->flushed);
}

static void apply_rows(struct store *store, struct entry *entry)
{
    store->counters.refused_rows += row_buffer_add(store->active, entry);
    store->applied.stamp_us = entry_stamp_us(entry);
}

static void apply_members(struct store *store, const struct entry *entry)
{
    buf_clear(&store->applied.members);
    buf_append(&store->applied.members, bytes_of(entry->payload, entry->size));
}

void store_apply(struct store *store, struct entry *entry)
{
    ASSERT(entry->index == store->applied.index + 1 && entry->term >= store->applied.term);
    switch ((enum entry_kind)entry->kind) {
    case ENTRY_ROWS:
        apply_rows(store, entry);
        break;
    case ENTRY_MEMBERS:
        apply_members(store, entry);
        break;
    case ENTRY_NOOP:
        break;
    }
    store->applied.index = entry->index;
    store->applied.term = entry->term;
    store_free_retired(store, RETIRED_PER_APPLY);
}

static enum store_found find_in(const struct row_buffer *buffer, struct bytes key,
                                struct bytes *value)
{
    struct tree_item item;
    if (buffer == NULL || !tree_find(buffer->rows, key, &item))
        return STORE_UNKNOWN;
    *value = item.value;
    return item.flag ? STORE_DELETED : STORE_PUT;
}

enum store_found store_find_buffered(const struct store *store, struct bytes key,
                                     struct bytes *value)
{
    enum store_found found = find_in(store->active, key, value);
    return found != STORE_UNKNOWN ? found : find_in(store->frozen.buffer, key, value);
}

size_t store_buffered_bytes(const struct store *store)
{
    const struct row_buffer *frozen = store->frozen.buffer;
    return store->active->payload_size + (frozen == NULL ? 0 : frozen->payload_size);
}

size_t store_buffer_memory(const struct store *store)
{
    size_t size = row_buffer_memory(store->active);
    if (store->frozen.buffer != NULL)
        size += row_buffer_memory(store->frozen.buffer);
    for (struct list *node = store->retired.next; node != &store->retired; node = node->next)
        size += row_buffer_memory(CONTAINER_OF(node, struct row_buffer, node));
    return size;
}

void store_reset_to(struct store *store, const struct meta *meta)
{
    ASSERT(store->users == 0 && !store->flush_under_way && store->kv != NULL);
    struct store_frozen *frozen = &store->frozen;
    store_release_buffer(store, store->active);
    store->active = row_buffer_new();
    if (frozen->buffer != NULL)
        store_release_buffer(store, frozen->buffer);
    frozen->buffer = NULL;
    frozen->edit_count = 0;
    frozen->edits_name_garbage = false;
    buf_clear(&frozen->edits);
    sweep_drop(&store->sweep);
    store->sweep_pending = true;
    store->sweep_again = false;
    meta_copy(&store->applied, meta);
    meta_copy(&store->flushed, meta);
    store->phase = STORE_PHASE_OPEN;
    store->err = STORE_OK;
    buf_clear(&store->error);
    store->failures = 0;
    store->memtable_size = 0;
}

bool store_is_open(const struct store *store)
{
    return store->phase == STORE_PHASE_OPEN && store->hold != STORE_HOLD_ALL;
}

enum store_err store_error(const struct store *store, const char **text)
{
    *text = store->error.size == 0 ? "" : (const char *)store->error.data;
    return store->phase == STORE_PHASE_OPEN ? STORE_OK : store->err;
}

struct store_counters store_counters(const struct store *store)
{
    return store->counters;
}

uint64_t store_disk_bytes(struct store *store)
{
    return store->phase == STORE_PHASE_OPEN ? store->kv->ops->size(store->kv) : 0;
}
