#include "keyspace/watch.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { WATCH_BUCKETS = 1024 };

struct watch {
    struct list in_bucket;
    struct list in_set; /* of the connection */
    struct watch_table *table;
    bool *is_dirty;
    int database;
    bool was_expired;
    size_t key_size;
    uint8_t key[];
};

struct watch_table {
    struct list buckets[WATCH_BUCKETS];
    uint64_t count;
};

struct watch_table *watch_table_new(void)
{
    struct watch_table *table = mem_zero(sizeof(*table));
    for (int i = 0; i < WATCH_BUCKETS; i++)
        list_init(&table->buckets[i]);
    return table;
}

void watch_table_free(struct watch_table *table)
{
    ASSERT(table == NULL || table->count == 0);
    mem_free(table);
}

bool watch_is_empty(const struct watch_table *table)
{
    return table->count == 0;
}

static struct list *bucket_of(struct watch_table *table, int database, struct bytes key)
{
    return &table->buckets[hash_bytes(key, (uint64_t)database) % WATCH_BUCKETS];
}

static bool is_of(const struct watch *watch, int database, struct bytes key)
{
    return watch->database == database && bytes_equal(bytes_of(watch->key, watch->key_size), key);
}

void watch_add(struct watch_table *table, struct list *watches, bool *is_dirty, int database,
               struct bytes key, bool was_expired)
{
    /* Looked for among all who watch the key, not among all that the connection watches: the first
     * are few, the second may be a hundred thousand in one WATCH. */
    struct list *bucket = bucket_of(table, database, key);
    struct list *at, *after;
    LIST_FOR_EACH(at, after, bucket)
    {
        struct watch *known = CONTAINER_OF(at, struct watch, in_bucket);
        if (known->is_dirty == is_dirty && is_of(known, database, key))
            return;
    }
    struct watch *watch = mem_alloc(sizeof(*watch) + key.size + 1);
    *watch = (struct watch){.table = table,
                            .is_dirty = is_dirty,
                            .database = database,
                            .was_expired = was_expired,
                            .key_size = key.size};
    if (key.size > 0)
        memcpy(watch->key, key.data, key.size);
    list_push_back(bucket, &watch->in_bucket);
    list_push_back(watches, &watch->in_set);
    table->count++;
}

void watch_remove_all(struct list *watches)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, watches)
    {
        struct watch *watch = CONTAINER_OF(at, struct watch, in_set);
        list_remove(&watch->in_bucket);
        list_remove(&watch->in_set);
        ASSERT(watch->table->count > 0);
        watch->table->count--;
        mem_free(watch);
    }
}

static void touch(struct watch_table *table, int database, struct bytes key, bool by_expiry)
{
    struct list *bucket = bucket_of(table, database, key);
    struct list *at, *after;
    LIST_FOR_EACH(at, after, bucket)
    {
        struct watch *watch = CONTAINER_OF(at, struct watch, in_bucket);
        if (!is_of(watch, database, key))
            continue;
        if (by_expiry && watch->was_expired)
            continue;
        *watch->is_dirty = true;
    }
}

void watch_touch(struct watch_table *table, int database, struct bytes key)
{
    touch(table, database, key, false);
}

void watch_touch_expired(struct watch_table *table, int database, struct bytes key)
{
    touch(table, database, key, true);
}

void watch_touch_database(struct watch_table *table, int database,
                          bool (*exists)(void *context, struct bytes key), void *context)
{
    for (int i = 0; i < WATCH_BUCKETS && table->count > 0; i++) {
        struct list *at, *after;
        LIST_FOR_EACH(at, after, &table->buckets[i])
        {
            struct watch *watch = CONTAINER_OF(at, struct watch, in_bucket);
            struct bytes key = bytes_of(watch->key, watch->key_size);
            if (watch->database == database && (exists == NULL || exists(context, key)))
                *watch->is_dirty = true;
        }
    }
}

bool watch_any_expired(struct list *watches,
                       bool (*is_expired)(void *context, int database, struct bytes key),
                       void *context)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, watches)
    {
        struct watch *watch = CONTAINER_OF(at, struct watch, in_set);
        if (!watch->was_expired &&
            is_expired(context, watch->database, bytes_of(watch->key, watch->key_size)))
            return true;
    }
    return false;
}

void watch_each(struct list *watches, void (*visit)(void *context, int database, struct bytes key),
                void *context)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, watches)
    {
        struct watch *watch = CONTAINER_OF(at, struct watch, in_set);
        visit(context, watch->database, bytes_of(watch->key, watch->key_size));
    }
}
