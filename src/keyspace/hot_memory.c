/* How much memory objects take, and dropping those that can be loaded again. */
#include "keyspace/hot_internal.h"
#include "base/prng.h"

enum {
    PAGE_OUT_SAMPLE = 8,      /* objects compared for each one dropped */
    PAGE_OUT_MISSES_MAX = 64, /* samples in a row without one that may go: nearly all is ahead */
};

uint64_t hot_memory(const struct hot *hot)
{
    uint64_t memory = 0;
    for (int i = 0; i < HOT_DATABASES; i++)
        memory += hot->databases[i]->memory + hot->databases[i]->table.memory;
    return memory;
}

uint64_t hot_filter_memory(const struct hot *hot)
{
    uint64_t memory = 0;
    for (int i = 0; i < HOT_DATABASES; i++)
        memory += filter_memory(hot->databases[i]->filter);
    return memory;
}

static bool may_drop(const struct hot *hot, const struct object *object)
{
    return !hot_is_ahead(hot, object) && object->pins == 0 && object->state != OBJECT_LOADING &&
           object->state != OBJECT_LOADING_BODY;
}

/* A database chosen by how many objects it has in memory; NULL when there are none. */
static struct keyspace *sample_keyspace(const struct hot *hot, struct prng *prng)
{
    uint64_t total = 0;
    for (int i = 0; i < HOT_DATABASES; i++)
        total += hot->databases[i]->table.count;
    if (total == 0)
        return NULL;
    uint64_t at = prng_below(prng, total);
    for (int i = 0; i < HOT_DATABASES; i++) {
        if (at < hot->databases[i]->table.count)
            return hot->databases[i];
        at -= hot->databases[i]->table.count;
    }
    UNREACHABLE();
}

static struct object *sample_oldest(const struct hot *hot, const struct keyspace *keyspace,
                                    struct prng *prng)
{
    struct object *oldest = NULL;
    for (int i = 0; i < PAGE_OUT_SAMPLE; i++) {
        struct object *object = table_sample(&keyspace->table, prng_next(prng));
        if (object == NULL || !may_drop(hot, object))
            continue;
        if (oldest == NULL || hot->clock - object->access > hot->clock - oldest->access)
            oldest = object;
    }
    return oldest;
}

static void page_out(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    if (object->state != OBJECT_ABSENT)
        keyspace->is_complete = false;
    hot_object_drop(hot, keyspace, object);
    hot->paged_out++;
}

uint64_t hot_page_out(struct hot *hot, uint64_t bytes, uint32_t tries, uint64_t random)
{
    struct prng prng = prng_init(random);
    uint64_t dropped = 0;
    uint32_t misses = 0;
    for (; tries > 0 && dropped < bytes && misses < PAGE_OUT_MISSES_MAX; tries--) {
        struct keyspace *keyspace = sample_keyspace(hot, &prng);
        if (keyspace == NULL)
            break;
        struct object *object = sample_oldest(hot, keyspace, &prng);
        misses = object == NULL ? misses + 1 : 0;
        if (object == NULL)
            continue;
        uint64_t before = keyspace->memory;
        page_out(hot, keyspace, object);
        dropped += before - keyspace->memory;
    }
    return dropped;
}

void hot_drop_clean(struct hot *hot)
{
    for (int i = 0; i < HOT_DATABASES; i++) {
        struct keyspace *keyspace = hot->databases[i];
        struct buf clean = {0};
        uint64_t cursor = 0;
        for (struct object *object; (object = table_next(&keyspace->table, &cursor)) != NULL;) {
            if (may_drop(hot, object))
                buf_append(&clean, bytes_of(&object, sizeof(struct object *)));
        }
        for (size_t at = 0; at < clean.size; at += sizeof(struct object *)) {
            struct object *object;
            memcpy(&object, clean.data + at, sizeof(struct object *));
            page_out(hot, keyspace, object);
        }
        buf_free(&clean);
    }
}

static uint64_t check_objects(const struct hot *hot, const struct keyspace *keyspace)
{
    uint64_t cursor = 0, memory = 0;
    for (struct object *object; (object = table_next(&keyspace->table, &cursor)) != NULL;) {
        memory += mem_size(object);
        if (object->encoding == ENCODING_RAW)
            memory += string_raw_memory(object_pointer(object));
        else if (object->encoding == ENCODING_VALUE)
            memory += value_memory(object_pointer(object));
        ASSERT(object->ahead < hot->tail);
        if (hot_is_ahead(hot, object))
            ASSERT(hot->ring[object->ahead & hot->ring_mask].object == object);
    }
    return memory;
}

void hot_check(const struct hot *hot)
{
    ASSERT(hot->head <= hot->open_from && hot->open_from <= hot->tail);
    for (int i = 0; i < HOT_DATABASES; i++) {
        const struct keyspace *keyspace = hot->databases[i];
        table_check(&keyspace->table);
        ASSERT(keyspace->database == i && keyspace->expiring <= keyspace->keys);
        ASSERT(check_objects(hot, keyspace) == keyspace->memory);
    }
    for (uint64_t at = hot->head; at < hot->tail; at++) {
        const struct hot_slot *slot = &hot->ring[at & hot->ring_mask];
        ASSERT(slot->object == NULL || slot->object->ahead == at);
        ASSERT(at == hot->head || hot->ring[(at - 1) & hot->ring_mask].index <= slot->index);
    }
}
