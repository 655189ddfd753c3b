#include "keyspace/waiters.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { WAITERS_BUCKETS = 1024 };

struct place {
    struct list in_bucket;
    struct list in_waiter;
    struct waiter *waiter;
    int database;
    size_t key_size;
    uint8_t key[];
};

struct waiters {
    struct list buckets[WAITERS_BUCKETS];
    struct list woken; /* by arrival */
    uint64_t count;
    uint64_t arrivals;
};

struct waiters *waiters_new(void)
{
    struct waiters *waiters = mem_zero(sizeof(*waiters));
    for (int i = 0; i < WAITERS_BUCKETS; i++)
        list_init(&waiters->buckets[i]);
    list_init(&waiters->woken);
    return waiters;
}

void waiters_free(struct waiters *waiters)
{
    ASSERT(waiters == NULL || waiters->count == 0);
    mem_free(waiters);
}

void waiter_init(struct waiter *waiter)
{
    list_init(&waiter->places);
    list_init(&waiter->woken);
    waiter->arrival = 0;
}

static struct list *bucket_of(struct waiters *waiters, int database, struct bytes key)
{
    return &waiters->buckets[hash_bytes(key, (uint64_t)database) % WAITERS_BUCKETS];
}

static bool is_of(const struct place *place, int database, struct bytes key)
{
    return place->database == database && bytes_equal(bytes_of(place->key, place->key_size), key);
}

void waiters_add(struct waiters *waiters, struct waiter *waiter, int database, struct bytes key)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &waiter->places)
    {
        if (is_of(CONTAINER_OF(at, struct place, in_waiter), database, key))
            return;
    }
    if (list_is_empty(&waiter->places))
        waiter->arrival = ++waiters->arrivals;
    struct place *place = mem_alloc(sizeof(*place) + key.size + 1);
    *place = (struct place){.waiter = waiter, .database = database, .key_size = key.size};
    if (key.size > 0)
        memcpy(place->key, key.data, key.size);
    list_push_back(bucket_of(waiters, database, key), &place->in_bucket);
    list_push_back(&waiter->places, &place->in_waiter);
    waiters->count++;
}

void waiters_remove(struct waiters *waiters, struct waiter *waiter)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &waiter->places)
    {
        struct place *place = CONTAINER_OF(at, struct place, in_waiter);
        list_remove(&place->in_bucket);
        list_remove(&place->in_waiter);
        mem_free(place);
        ASSERT(waiters->count > 0);
        waiters->count--;
    }
    list_remove(&waiter->woken);
}

bool waiters_is_empty(const struct waiters *waiters)
{
    return waiters->count == 0;
}

uint64_t waiters_key_count(const struct waiters *waiters)
{
    return waiters->count;
}

/* Mostly the last one in the list came before: who waits for a key is woken in order. */
static void wake(struct waiters *waiters, struct waiter *waiter)
{
    if (!list_is_empty(&waiter->woken))
        return;
    struct list *before = waiters->woken.prev;
    while (before != &waiters->woken &&
           CONTAINER_OF(before, struct waiter, woken)->arrival > waiter->arrival)
        before = before->prev;
    list_push_front(before, &waiter->woken);
}

void waiters_touch(struct waiters *waiters, int database, struct bytes key)
{
    struct list *bucket = bucket_of(waiters, database, key);
    struct list *at, *after;
    LIST_FOR_EACH(at, after, bucket)
    {
        struct place *place = CONTAINER_OF(at, struct place, in_bucket);
        if (is_of(place, database, key))
            wake(waiters, place->waiter);
    }
}

void waiters_touch_database(struct waiters *waiters, int database)
{
    for (int i = 0; i < WAITERS_BUCKETS && waiters->count > 0; i++) {
        struct list *at, *after;
        LIST_FOR_EACH(at, after, &waiters->buckets[i])
        {
            struct place *place = CONTAINER_OF(at, struct place, in_bucket);
            if (place->database == database)
                wake(waiters, place->waiter);
        }
    }
}

struct waiter *waiters_take(struct waiters *waiters)
{
    if (list_is_empty(&waiters->woken))
        return NULL;
    struct waiter *waiter = CONTAINER_OF(waiters->woken.next, struct waiter, woken);
    list_remove(&waiter->woken);
    return waiter;
}

bool waiters_has_woken(const struct waiters *waiters)
{
    return !list_is_empty(&waiters->woken);
}
