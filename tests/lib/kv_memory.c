#include "kv_memory.h"

#include "base/list.h"
#include "base/mem.h"
#include "codec/rows.h"

/* A row as of one batch. */
struct version {
    struct version *older;
    uint64_t sequence;
    bool deleted;
    size_t size;
    uint8_t value[];
};

struct record {
    struct version *newest;
    size_t key_size;
    uint8_t key[];
};

struct database {
    struct list node;
    char *path;
    struct record **records; /* in key order */
    size_t count;
    size_t capacity;
    uint64_t sequence; /* of the last batch */
    uint64_t durable;  /* batches up to this one survive */
    bool is_lying;     /* a write failed: nothing more becomes durable until it is opened again */
    bool is_damaged;
    struct memory_kv *handle; /* that has it open */
    struct list snapshots;
};

struct memory_env {
    struct kv_env env;
    struct list databases;
    enum kv_memory_fault fault;
    bool always;
    struct kv_memory_counts counts;
};

struct memory_kv {
    struct kv kv;
    struct memory_env *env;
    struct database *database; /* NULL after a crash */
};

struct kv_batch {
    struct buf rows;
};

struct kv_snapshot {
    struct list node;
    uint64_t sequence;
};

struct kv_iterator {
    struct memory_kv *owner;
    uint64_t sequence;
    size_t at;
    enum kv_err err;
};

static struct memory_env *env_of(const struct kv_env *env)
{
    return CONTAINER_OF((struct kv_env *)(size_t)env, struct memory_env, env);
}

static struct memory_kv *kv_of(struct kv *kv)
{
    return CONTAINER_OF(kv, struct memory_kv, kv);
}

/* True when this fault is set; it is used up unless it is to strike always. */
static bool strikes(struct memory_env *env, enum kv_memory_fault fault)
{
    if (env->fault != fault)
        return false;
    if (!env->always)
        env->fault = KV_MEMORY_FAULT_NONE;
    return true;
}

static enum kv_err fail(struct buf *error, enum kv_err err, const char *text)
{
    buf_printf(error, "memory: %s", text);
    return err;
}

static void drop_older(struct version *version)
{
    while (version->older != NULL) {
        struct version *old = version->older;
        version->older = old->older;
        mem_free(old);
    }
}

static void record_free(struct record *record)
{
    if (record->newest != NULL) {
        drop_older(record->newest);
        mem_free(record->newest);
    }
    mem_free(record);
}

static void database_clear(struct database *database)
{
    for (size_t i = 0; i < database->count; i++)
        record_free(database->records[i]);
    database->count = 0;
}

static void database_free(struct database *database)
{
    ASSERT(database->handle == NULL && list_is_empty(&database->snapshots));
    list_remove(&database->node);
    database_clear(database);
    mem_free(database->records);
    mem_free(database->path);
    mem_free(database);
}

static struct database *database_find(const struct memory_env *env, const char *path)
{
    for (struct list *node = env->databases.next; node != &env->databases; node = node->next) {
        struct database *database = CONTAINER_OF(node, struct database, node);
        if (strcmp(database->path, path) == 0)
            return database;
    }
    return NULL;
}

static struct database *database_new(struct memory_env *env, const char *path)
{
    struct database *database = mem_zero(sizeof(*database));
    size_t size = strlen(path) + 1;
    database->path = mem_alloc(size);
    memcpy(database->path, path, size);
    list_init(&database->snapshots);
    list_push_back(&env->databases, &database->node);
    return database;
}

static struct bytes key_of(const struct record *record)
{
    return bytes_of(record->key, record->key_size);
}

/* First position whose key is >= key. */
static size_t position_of(const struct database *database, struct bytes key)
{
    size_t low = 0;
    size_t high = database->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(key_of(database->records[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct record *record_at(struct database *database, size_t at, struct bytes key)
{
    if (at < database->count && bytes_equal(key_of(database->records[at]), key))
        return database->records[at];
    if (database->count == database->capacity) {
        database->capacity = database->capacity == 0 ? 64 : database->capacity * 2;
        database->records =
            mem_realloc(database->records, database->capacity * sizeof(struct record *));
    }
    struct record *record = mem_zero(sizeof(*record) + key.size);
    record->key_size = key.size;
    memcpy(record->key, key.data, key.size);
    memmove(&database->records[at + 1], &database->records[at],
            (database->count - at) * sizeof(struct record *));
    database->records[at] = record;
    database->count++;
    return record;
}

static void put_version(struct database *database, const struct row *row)
{
    struct record *record = record_at(database, position_of(database, row->key), row->key);
    struct version *version = mem_alloc(sizeof(*version) + row->value.size);
    *version = (struct version){.older = record->newest,
                                .sequence = database->sequence,
                                .deleted = row->op == ROW_DELETE,
                                .size = row->value.size};
    if (row->value.size > 0)
        memcpy(version->value, row->value.data, row->value.size);
    record->newest = version;
    if (list_is_empty(&database->snapshots) && !database->is_lying)
        drop_older(version);
}

static const struct version *version_as_of(const struct record *record, uint64_t sequence)
{
    const struct version *version = record->newest;
    while (version != NULL && version->sequence > sequence)
        version = version->older;
    return version == NULL || version->deleted ? NULL : version;
}

/* What a new process finds: versions that never became durable are gone. */
static void database_recover(struct database *database)
{
    for (size_t i = 0; i < database->count; i++) {
        struct record *record = database->records[i];
        while (record->newest != NULL && record->newest->sequence > database->durable) {
            struct version *lost = record->newest;
            record->newest = lost->older;
            mem_free(lost);
        }
    }
    database->sequence = database->durable;
    database->is_lying = false;
}

static void op_close(struct kv *kv)
{
    struct memory_kv *self = kv_of(kv);
    if (self->database != NULL) {
        ASSERT(list_is_empty(&self->database->snapshots));
        self->database->handle = NULL;
    }
    mem_free(self);
}

static struct kv_batch *op_batch_new(struct kv *kv)
{
    (void)kv;
    return mem_zero(sizeof(struct kv_batch));
}

static void op_batch_free(struct kv_batch *batch)
{
    buf_free(&batch->rows);
    mem_free(batch);
}

static void op_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value)
{
    rows_append(&batch->rows, ROW_PUT, key, value);
}

static void op_batch_delete(struct kv_batch *batch, struct bytes key)
{
    rows_append(&batch->rows, ROW_DELETE, key, (struct bytes){0});
}

static void apply_batch(struct database *database, const struct kv_batch *batch)
{
    struct bytes rest = buf_bytes(&batch->rows);
    struct row row;
    database->sequence++;
    while (rows_next(&rest, &row) == ROWS_OK)
        put_version(database, &row);
}

static void make_durable(struct memory_kv *self, const struct kv_batch *batch)
{
    apply_batch(self->database, batch);
    if (self->database->is_lying)
        return;
    self->database->durable = self->database->sequence;
    self->env->counts.writes++;
}

static bool power_is_off(const struct memory_env *env)
{
    return env->fault == KV_MEMORY_FAULT_POWER || env->fault == KV_MEMORY_FAULT_POWER_KEPT;
}

static enum kv_err write_without_power(struct memory_kv *self, const struct kv_batch *batch,
                                       struct buf *error)
{
    if (self->env->fault == KV_MEMORY_FAULT_POWER_KEPT)
        make_durable(self, batch);
    self->env->fault = KV_MEMORY_FAULT_POWER;
    self->database->is_lying = true;
    return fail(error, KV_IO, "the power is off");
}

static enum kv_err op_write(struct kv *kv, const struct kv_batch *batch, struct buf *error)
{
    struct memory_kv *self = kv_of(kv);
    if (self->database == NULL)
        return fail(error, KV_IO, "the process is dead");
    if (power_is_off(self->env))
        return write_without_power(self, batch, error);
    if (strikes(self->env, KV_MEMORY_FAULT_WRITE_IO_KEPT)) {
        make_durable(self, batch);
        self->database->is_lying = true;
        return fail(error, KV_IO, "a write failed at its end");
    }
    bool full = strikes(self->env, KV_MEMORY_FAULT_WRITE_FULL);
    if (full || strikes(self->env, KV_MEMORY_FAULT_WRITE_IO)) {
        self->database->is_lying = true;
        return fail(error, full ? KV_FULL : KV_IO, "a write failed");
    }
    make_durable(self, batch);
    return KV_OK;
}

static struct kv_snapshot *op_snapshot_new(struct kv *kv)
{
    struct memory_kv *self = kv_of(kv);
    struct kv_snapshot *snapshot = mem_zero(sizeof(*snapshot));
    list_init(&snapshot->node);
    if (self->database == NULL)
        return snapshot;
    snapshot->sequence = self->database->sequence;
    list_push_back(&self->database->snapshots, &snapshot->node);
    return snapshot;
}

static void op_snapshot_free(struct kv *kv, struct kv_snapshot *snapshot)
{
    (void)kv;
    list_remove(&snapshot->node);
    mem_free(snapshot);
}

/* Whether reading works at all now. */
static enum kv_err read_err(struct memory_kv *self)
{
    self->env->counts.reads++;
    if (self->database == NULL || strikes(self->env, KV_MEMORY_FAULT_READ_IO))
        return KV_IO;
    return strikes(self->env, KV_MEMORY_FAULT_READ_DAMAGED) ? KV_DAMAGED : KV_OK;
}

static enum kv_err op_get(struct kv *kv, const struct kv_snapshot *snapshot, struct bytes key,
                          struct buf *out, bool *found, struct buf *error)
{
    struct memory_kv *self = kv_of(kv);
    *found = false;
    enum kv_err err = read_err(self);
    if (err != KV_OK)
        return fail(error, err, "a read failed");
    struct database *database = self->database;
    size_t at = position_of(database, key);
    if (at == database->count || !bytes_equal(key_of(database->records[at]), key))
        return KV_OK;
    uint64_t sequence = snapshot == NULL ? database->sequence : snapshot->sequence;
    const struct version *version = version_as_of(database->records[at], sequence);
    *found = version != NULL;
    if (version != NULL)
        buf_append(out, bytes_of(version->value, version->size));
    return KV_OK;
}

static struct kv_iterator *op_iterator_new(struct kv *kv, const struct kv_snapshot *snapshot)
{
    struct memory_kv *self = kv_of(kv);
    struct kv_iterator *iterator = mem_zero(sizeof(*iterator));
    iterator->owner = self;
    iterator->err = self->database == NULL ? KV_IO : KV_OK;
    if (snapshot != NULL)
        iterator->sequence = snapshot->sequence;
    else if (self->database != NULL)
        iterator->sequence = self->database->sequence;
    return iterator;
}

static void op_iterator_free(struct kv_iterator *iterator)
{
    mem_free(iterator);
}

static void skip_deleted(struct kv_iterator *iterator)
{
    const struct database *database = iterator->owner->database;
    while (iterator->at < database->count &&
           version_as_of(database->records[iterator->at], iterator->sequence) == NULL)
        iterator->at++;
}

static void op_seek(struct kv_iterator *iterator, struct bytes from)
{
    iterator->err = read_err(iterator->owner);
    if (iterator->err != KV_OK)
        return;
    iterator->at = position_of(iterator->owner->database, from);
    skip_deleted(iterator);
}

static bool op_row(const struct kv_iterator *iterator, struct bytes *key, struct bytes *value)
{
    if (iterator->err != KV_OK || iterator->at == iterator->owner->database->count)
        return false;
    const struct record *record = iterator->owner->database->records[iterator->at];
    const struct version *version = version_as_of(record, iterator->sequence);
    *key = key_of(record);
    *value = bytes_of(version->value, version->size);
    return true;
}

static void op_next(struct kv_iterator *iterator)
{
    ASSERT(iterator->err == KV_OK && iterator->at < iterator->owner->database->count);
    iterator->at++;
    skip_deleted(iterator);
}

static enum kv_err op_iterator_err(const struct kv_iterator *iterator, struct buf *error)
{
    return iterator->err == KV_OK ? KV_OK : fail(error, iterator->err, "a read failed");
}

static void op_push_out(struct kv *kv)
{
    (void)kv; /* nothing here is replayed */
}

static uint64_t op_size(struct kv *kv)
{
    struct database *database = kv_of(kv)->database;
    return database == NULL ? 0 : database->count * 64;
}

static const struct kv_ops memory_kv_ops = {
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

static enum kv_err env_open(struct kv_env *base, const char *path, const struct kv_options *options,
                            struct kv **out, struct buf *error)
{
    struct memory_env *env = env_of(base);
    if (power_is_off(env))
        return fail(error, KV_IO, "the power is off");
    bool full = strikes(env, KV_MEMORY_FAULT_OPEN_FULL);
    if (full || strikes(env, KV_MEMORY_FAULT_OPEN_IO))
        return fail(error, full ? KV_FULL : KV_IO, "opening failed");
    struct database *database = database_find(env, path);
    if (database == NULL && !options->create)
        return fail(error, KV_ABSENT, "no such database");
    if (database == NULL)
        database = database_new(env, path);
    if (database->handle != NULL)
        return fail(error, KV_LOCKED, "it is open already");
    if (database->is_damaged)
        return fail(error, KV_DAMAGED, "it is damaged");
    database_recover(database);
    struct memory_kv *kv = mem_zero(sizeof(*kv));
    *kv = (struct memory_kv){.kv = {.ops = &memory_kv_ops}, .env = env, .database = database};
    database->handle = kv;
    env->counts.opens++;
    *out = &kv->kv;
    return KV_OK;
}

static enum kv_err env_destroy(struct kv_env *base, const char *path, struct buf *error)
{
    struct database *database = database_find(env_of(base), path);
    if (power_is_off(env_of(base)))
        return fail(error, KV_IO, "the power is off");
    if (database == NULL)
        return KV_OK;
    if (database->handle != NULL)
        return fail(error, KV_LOCKED, "it is open");
    database_free(database);
    return KV_OK;
}

static const struct kv_env_ops memory_env_ops = {.open = env_open, .destroy = env_destroy};

struct kv_env *kv_memory_new(void)
{
    struct memory_env *env = mem_zero(sizeof(*env));
    env->env.ops = &memory_env_ops;
    list_init(&env->databases);
    return &env->env;
}

void kv_memory_free(struct kv_env *base)
{
    struct memory_env *env = env_of(base);
    while (!list_is_empty(&env->databases))
        database_free(CONTAINER_OF(env->databases.next, struct database, node));
    mem_free(env);
}

/* Snapshots of the dead are taken off the lists; their owners still free them. */
static void kill_handle(struct database *database)
{
    if (database->handle != NULL)
        database->handle->database = NULL;
    database->handle = NULL;
    while (!list_is_empty(&database->snapshots))
        list_remove(database->snapshots.next);
    database_recover(database);
}

void kv_memory_crash(struct kv_env *base)
{
    struct memory_env *env = env_of(base);
    for (struct list *node = env->databases.next; node != &env->databases; node = node->next)
        kill_handle(CONTAINER_OF(node, struct database, node));
    kv_memory_fail(base, KV_MEMORY_FAULT_NONE, false);
}

void kv_memory_fail(struct kv_env *base, enum kv_memory_fault fault, bool always)
{
    env_of(base)->fault = fault;
    env_of(base)->always = always;
}

bool kv_memory_lose(struct kv_env *base, const char *path)
{
    struct database *database = database_find(env_of(base), path);
    if (database == NULL)
        return false;
    kill_handle(database);
    database_free(database);
    return true;
}

bool kv_memory_damage(struct kv_env *base, const char *path)
{
    struct database *database = database_find(env_of(base), path);
    if (database != NULL)
        database->is_damaged = true;
    return database != NULL;
}

struct kv_memory_counts kv_memory_counts(const struct kv_env *base)
{
    return env_of(base)->counts;
}

size_t kv_memory_rows(const struct kv_env *base, const char *path)
{
    const struct database *database = database_find(env_of(base), path);
    size_t rows = 0;
    for (size_t i = 0; database != NULL && i < database->count; i++)
        rows += version_as_of(database->records[i], database->sequence) != NULL;
    return rows;
}
