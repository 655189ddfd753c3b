#include "store/kv_leveldb.h"

#include <leveldb/c.h>

#include "base/mem.h"
#include "os/disk.h"
#include "store/leveldb_log.h"

enum {
    BLOOM_BITS_PER_KEY = 10,
    OPEN_FILES_MIN = 74, /* LevelDB keeps 10 for itself and wants 64 tables */
};

struct leveldb_env {
    struct kv_env env;
    struct disk *disk;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *bloom;
};

struct leveldb_kv {
    struct kv kv;
    struct disk *disk;
    char *path;
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_writeoptions_t *synced;
};

/* The seam's names are the library's objects: never looked into, only handed back. */
static leveldb_writebatch_t *library_batch(const struct kv_batch *batch)
{
    return (leveldb_writebatch_t *)(size_t)batch;
}

static const leveldb_snapshot_t *library_snapshot(const struct kv_snapshot *snapshot)
{
    return (const leveldb_snapshot_t *)(const void *)snapshot;
}

struct kv_iterator {
    leveldb_iterator_t *library;
    const struct leveldb_kv *owner;
};

static struct leveldb_kv *kv_of(struct kv *kv)
{
    return CONTAINER_OF(kv, struct leveldb_kv, kv);
}

static struct leveldb_env *env_of(struct kv_env *env)
{
    return CONTAINER_OF(env, struct leveldb_env, env);
}

static const char *chars(struct bytes bytes)
{
    return bytes.size == 0 ? "" : (const char *)bytes.data;
}

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* LevelDB's C interface gives errors as text only: "Corruption: …", "IO error: path: strerror". */
static enum kv_err err_of(const char *text)
{
    if (strncmp(text, "Corruption", strlen("Corruption")) == 0)
        return KV_DAMAGED;
    if (contains(text, "No space left on device") || contains(text, "Disk quota exceeded"))
        return KV_FULL;
    if (contains(text, "IO error: lock "))
        return KV_LOCKED;
    if (contains(text, "does not exist (create_if_missing is false)"))
        return KV_ABSENT;
    return KV_IO;
}

/* Takes the library's text, which is NULL when all went well. */
static enum kv_err result_of(char *text, const char *path, struct buf *error)
{
    if (text == NULL)
        return KV_OK;
    enum kv_err err = err_of(text);
    buf_printf(error, "%s: LevelDB: %s", path, text);
    leveldb_free(text);
    return err;
}

static leveldb_options_t *options_new(const struct leveldb_env *env, const struct kv_options *asked)
{
    leveldb_options_t *options = leveldb_options_create();
    leveldb_options_set_create_if_missing(options, asked->create);
    leveldb_options_set_paranoid_checks(options, 1);
    leveldb_options_set_cache(options, env->cache);
    leveldb_options_set_filter_policy(options, env->bloom);
    /* Measured with 60-byte rows, half of them random: 20 % less disk, no slower. */
    leveldb_options_set_compression(options, leveldb_snappy_compression);
    if (asked->write_buffer_size > 0)
        leveldb_options_set_write_buffer_size(options, asked->write_buffer_size);
    if (asked->open_files_max > 0) {
        uint32_t files = asked->open_files_max;
        files = files < OPEN_FILES_MIN ? OPEN_FILES_MIN : files;
        leveldb_options_set_max_open_files(options, (int)(files & INT32_MAX));
    }
    return options;
}

static void kv_free(struct leveldb_kv *kv)
{
    leveldb_writeoptions_destroy(kv->synced);
    leveldb_options_destroy(kv->options);
    mem_free(kv->path);
    mem_free(kv);
}

static leveldb_readoptions_t *read_options_new(const struct kv_snapshot *snapshot)
{
    leveldb_readoptions_t *options = leveldb_readoptions_create();
    leveldb_readoptions_set_verify_checksums(options, 1);
    if (snapshot != NULL)
        leveldb_readoptions_set_snapshot(options, library_snapshot(snapshot));
    return options;
}

static void op_close(struct kv *kv)
{
    leveldb_close(kv_of(kv)->db);
    kv_free(kv_of(kv));
}

static struct kv_batch *op_batch_new(struct kv *kv)
{
    (void)kv;
    return (struct kv_batch *)(void *)leveldb_writebatch_create();
}

static void op_batch_free(struct kv_batch *batch)
{
    leveldb_writebatch_destroy(library_batch(batch));
}

static void op_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value)
{
    leveldb_writebatch_put(library_batch(batch), chars(key), key.size, chars(value), value.size);
}

static void op_batch_delete(struct kv_batch *batch, struct bytes key)
{
    leveldb_writebatch_delete(library_batch(batch), chars(key), key.size);
}

/* LevelDB syncs the log file's bytes, but when it rotated to a new file for this batch nobody has
 * synced the file's name: its next manifest write does, in the background, later. Hence the second
 * sync here; without a rotation the directory is clean and this costs microseconds. */
static enum kv_err op_write(struct kv *kv, const struct kv_batch *batch, struct buf *error)
{
    struct leveldb_kv *self = kv_of(kv);
    char *text = NULL;
    leveldb_write(self->db, self->synced, library_batch(batch), &text);
    enum kv_err err = result_of(text, self->path, error);
    if (err != KV_OK)
        return err;
    enum disk_err synced = self->disk->ops->sync_dir(self->disk, self->path);
    if (synced == DISK_OK)
        return KV_OK;
    buf_printf(error, "%s: syncing the directory: %s", self->path, disk_err_text(synced));
    return synced == DISK_FULL ? KV_FULL : KV_IO;
}

static struct kv_snapshot *op_snapshot_new(struct kv *kv)
{
    return (struct kv_snapshot *)(size_t)leveldb_create_snapshot(kv_of(kv)->db);
}

static void op_snapshot_free(struct kv *kv, struct kv_snapshot *snapshot)
{
    leveldb_release_snapshot(kv_of(kv)->db, library_snapshot(snapshot));
}

static enum kv_err op_get(struct kv *kv, const struct kv_snapshot *snapshot, struct bytes key,
                          struct buf *out, bool *found, struct buf *error)
{
    struct leveldb_kv *self = kv_of(kv);
    leveldb_readoptions_t *options = read_options_new(snapshot);
    char *text = NULL;
    size_t size = 0;
    char *value = leveldb_get(self->db, options, chars(key), key.size, &size, &text);
    leveldb_readoptions_destroy(options);
    *found = value != NULL;
    if (value != NULL)
        buf_append(out, bytes_of(value, size));
    leveldb_free(value);
    return result_of(text, self->path, error);
}

/* The library copies the read options, so they need not live as long as the iterator. */
static struct kv_iterator *op_iterator_new(struct kv *kv, const struct kv_snapshot *snapshot)
{
    leveldb_readoptions_t *options = read_options_new(snapshot);
    struct kv_iterator *iterator = mem_alloc(sizeof(*iterator));
    iterator->library = leveldb_create_iterator(kv_of(kv)->db, options);
    iterator->owner = kv_of(kv);
    leveldb_readoptions_destroy(options);
    return iterator;
}

static void op_iterator_free(struct kv_iterator *iterator)
{
    leveldb_iter_destroy(iterator->library);
    mem_free(iterator);
}

static void op_seek(struct kv_iterator *iterator, struct bytes from)
{
    leveldb_iter_seek(iterator->library, chars(from), from.size);
}

static bool op_row(const struct kv_iterator *iterator, struct bytes *key, struct bytes *value)
{
    if (!leveldb_iter_valid(iterator->library))
        return false;
    size_t size = 0;
    const char *data = leveldb_iter_key(iterator->library, &size);
    *key = bytes_of(data, size);
    data = leveldb_iter_value(iterator->library, &size);
    *value = bytes_of(data, size);
    return true;
}

static void op_next(struct kv_iterator *iterator)
{
    leveldb_iter_next(iterator->library);
}

static enum kv_err op_iterator_err(const struct kv_iterator *iterator, struct buf *error)
{
    char *text = NULL;
    leveldb_iter_get_error(iterator->library, &text);
    return result_of(text, iterator->owner->path, error);
}

/* A compaction of a range that no key lies in compacts nothing, but writes the memtable out first.
 */
static void op_push_out(struct kv *kv)
{
    leveldb_compact_range(kv_of(kv)->db, "\x01", 1, "\x01", 1);
}

static uint64_t op_size(struct kv *kv)
{
    const char *from[] = {""};
    const char *to[] = {"\xff"};
    const size_t from_size[] = {0};
    const size_t to_size[] = {1};
    uint64_t size = 0;
    leveldb_approximate_sizes(kv_of(kv)->db, 1, from, from_size, to, to_size, &size);
    return size;
}

static const struct kv_ops leveldb_kv_ops = {
    .close = op_close,
    .batch_new = op_batch_new,
    .batch_free = op_batch_free,
    .batch_put = op_batch_put,
    .batch_delete = op_batch_delete,
    .write = op_write,
    .snapshot_new = op_snapshot_new,
    .snapshot_free = op_snapshot_free,
    .get = op_get,
    .iterator_new = op_iterator_new,
    .iterator_free = op_iterator_free,
    .seek = op_seek,
    .row = op_row,
    .next = op_next,
    .iterator_err = op_iterator_err,
    .push_out = op_push_out,
    .size = op_size,
};

static char *copy_string(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    memcpy(copy, text, size);
    return copy;
}

/* A log that LevelDB refuses may only be torn: then the tail is cut, and it gets a second chance.
 * That it came to read logs at all means that it has its lock, so nobody else writes them. */
static enum kv_err open_library(struct leveldb_kv *kv, struct buf *error)
{
    char *text = NULL;
    size_t before = error->size;
    kv->db = leveldb_open(kv->options, kv->path, &text);
    enum kv_err err = result_of(text, kv->path, error);
    if (err != KV_DAMAGED)
        return err;
    struct buf note = {0};
    if (leveldb_log_cut(kv->disk, kv->path, &note)) {
        text = NULL;
        error->size = before;
        kv->db = leveldb_open(kv->options, kv->path, &text);
        err = result_of(text, kv->path, error);
    }
    buf_append(error, buf_bytes(&note));
    buf_free(&note);
    return err;
}

static enum kv_err env_open(struct kv_env *env, const char *path, const struct kv_options *asked,
                            struct kv **out, struct buf *error)
{
    struct leveldb_kv *kv = mem_zero(sizeof(*kv));
    kv->kv.ops = &leveldb_kv_ops;
    kv->disk = env_of(env)->disk;
    kv->path = copy_string(path);
    kv->options = options_new(env_of(env), asked);
    kv->synced = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(kv->synced, 1);
    enum kv_err err = open_library(kv, error);
    if (err != KV_OK) {
        kv_free(kv);
        return err;
    }
    *out = &kv->kv;
    return KV_OK;
}

static enum kv_err env_destroy(struct kv_env *env, const char *path, struct buf *error)
{
    const struct kv_options none = {0};
    leveldb_options_t *options = options_new(env_of(env), &none);
    char *text = NULL;
    leveldb_destroy_db(options, path, &text);
    leveldb_options_destroy(options);
    return result_of(text, path, error);
}

static const struct kv_env_ops leveldb_env_ops = {
    .open = env_open,
    .destroy = env_destroy,
};

struct kv_env *kv_leveldb_new(struct disk *disk, size_t cache_size)
{
    struct leveldb_env *env = mem_alloc(sizeof(*env));
    *env = (struct leveldb_env){.env = {.ops = &leveldb_env_ops}, .disk = disk};
    env->cache = leveldb_cache_create_lru(cache_size);
    env->bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS_PER_KEY);
    return &env->env;
}

void kv_leveldb_free(struct kv_env *env)
{
    if (env == NULL)
        return;
    leveldb_cache_destroy(env_of(env)->cache);
    leveldb_filterpolicy_destroy(env_of(env)->bloom);
    mem_free(env_of(env));
}
