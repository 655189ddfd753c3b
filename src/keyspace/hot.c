#include "keyspace/hot.h"

#include "base/hash.h"
#include "base/mutants.h"
#include "keyspace/hot_internal.h"
#include "keyspace/waiters.h"
#include "keyspace/watch.h"

enum { RING_CAPACITY_START = 1024 };

struct keyspace *hot_keyspace_new(uint32_t id, int database)
{
    struct keyspace *keyspace = mem_zero(sizeof(*keyspace));
    keyspace->id = id;
    keyspace->database = database;
    keyspace->is_complete = true;
    keyspace->filter_is_whole = true;
    keyspace->filter = filter_new();
    return keyspace;
}

void keyspace_free(struct keyspace *keyspace)
{
    uint64_t cursor = 0;
    struct object *object = table_next(&keyspace->table, &cursor);
    while (object != NULL) {
        if (object->encoding == ENCODING_RAW)
            string_raw_free(object_pointer(object));
        else if (object->encoding == ENCODING_VALUE)
            value_free(object_pointer(object));
        mem_free(object);
        object = table_next(&keyspace->table, &cursor);
    }
    table_free(&keyspace->table);
    filter_free(keyspace->filter);
    mem_free(keyspace);
}

struct hot *hot_new(uint64_t hash_seed)
{
    struct hot *hot = mem_zero(sizeof(*hot));
    hot->hash_seed = hash_seed;
    hot->env = type_env_default(hash_seed);
    hot->ring = mem_zero(RING_CAPACITY_START * sizeof(*hot->ring));
    hot->ring_mask = RING_CAPACITY_START - 1;
    hot->head = hot->open_from = hot->tail = 1;
    hot->watches = watch_table_new();
    hot->waiters = waiters_new();
    for (int i = 0; i < HOT_DATABASES; i++) {
        hot->databases[i] = hot_keyspace_new((uint32_t)i + 1, i);
        hot->applied_ids[i] = (uint32_t)i + 1;
    }
    hot->next_id = HOT_DATABASES + 1;
    return hot;
}

void hot_garbage_free(struct buf *raws, struct buf *values)
{
    for (size_t at = 0; at < raws->size; at += sizeof(struct string_raw *)) {
        struct string_raw *raw;
        memcpy(&raw, raws->data + at, sizeof(struct string_raw *));
        string_raw_free(raw);
    }
    for (size_t at = 0; at < values->size; at += sizeof(struct value *)) {
        struct value *value;
        memcpy(&value, values->data + at, sizeof(struct value *));
        value_free(value);
    }
    buf_free(raws);
    buf_free(values);
}

static void free_garbage(struct hot *hot)
{
    while (hot->garbage != NULL) {
        struct keyspace *keyspace = hot->garbage;
        hot->garbage = keyspace->next;
        keyspace_free(keyspace);
    }
    hot_garbage_free(&hot->raw_garbage, &hot->value_garbage);
}

void hot_free(struct hot *hot)
{
    if (hot == NULL)
        return;
    for (int i = 0; i < HOT_DATABASES; i++)
        keyspace_free(hot->databases[i]);
    free_garbage(hot);
    watch_table_free(hot->watches);
    waiters_free(hot->waiters);
    mem_free(hot->removals);
    mem_free(hot->flushed);
    buf_free(&hot->open_rows);
    mem_free(hot->ring);
    mem_free(hot);
}

uint64_t hot_order(const struct hot *hot, uint16_t slot, struct bytes key)
{
    return (uint64_t)slot << 48 | hash_bytes(key, hot->hash_seed) >> 16;
}

void hot_set_env(struct hot *hot, const struct type_env *env)
{
    hot->env = *env;
    hot->env.hash_seed = hot->hash_seed;
}

static enum hot_found found_in_memory(struct hot *hot, struct object *object, enum hot_need need)
{
    object->access = hot->clock;
    switch ((enum object_state)object->state) {
    case OBJECT_ABSENT:
        return HOT_MISSING;
    case OBJECT_LOADED:
        return HOT_PRESENT;
    case OBJECT_HEAD:
        return need == HOT_HEAD ? HOT_PRESENT : HOT_COLD;
    case OBJECT_LOADING:
    case OBJECT_LOADING_BODY:
        return HOT_COLD;
    }
    UNREACHABLE();
}

enum hot_found hot_find(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                        struct bytes key, enum hot_need need, struct object **object)
{
    *object = table_find(&keyspace->table, order, key);
    if (*object != NULL)
        return found_in_memory(hot, *object, need);
    /* Not also when it has no keys: the first key that a command adds would make its second one
     * cold. */
    if (keyspace->is_complete)
        return HOT_MISSING;
    if (keyspace->filter_is_whole && !filter_may_have(keyspace->filter, order))
        return HOT_MISSING;
    return HOT_COLD;
}

uint64_t hot_gate(const struct hot *hot, const struct keyspace *keyspace,
                  const struct object *object)
{
    (void)keyspace;
    uint64_t gate = hot->map_index > hot->released ? hot->map_index : 0;
    if (object == NULL || !hot_is_ahead(hot, object) || NODE_MUTANT(reads_ignore_ahead))
        return gate;
    const struct hot_slot *slot = &hot->ring[object->ahead & hot->ring_mask];
    ASSERT(slot->object == object);
    return slot->index > gate ? slot->index : gate;
}

uint64_t hot_gate_all(const struct hot *hot)
{
    uint64_t newest = hot->map_index;
    if (hot->tail > hot->head && hot->ring[(hot->tail - 1) & hot->ring_mask].index > newest)
        newest = hot->ring[(hot->tail - 1) & hot->ring_mask].index;
    return newest > hot->released ? newest : 0;
}

/* ---- objects ---- */

struct object *hot_object_new(struct keyspace *keyspace, uint64_t order, struct bytes key)
{
    ASSERT(key.size <= OBJECT_KEY_MAX);
    struct object *object = mem_alloc(sizeof(*object) + key.size + (key.size == 0));
    memset(object, 0, sizeof(*object));
    object->order = order;
    object->key_size = (uint32_t)key.size;
    if (key.size > 0)
        memcpy(object->data, key.data, key.size);
    keyspace->memory += mem_size(object);
    table_insert(&keyspace->table, object);
    return object;
}

size_t hot_tail_size(const struct object *object)
{
    switch ((enum object_encoding)object->encoding) {
    case ENCODING_NONE:
        return 0;
    case ENCODING_EMBEDDED:
        return object->value_size;
    case ENCODING_INT:
        return sizeof(int64_t);
    case ENCODING_RAW:
    case ENCODING_VALUE:
        return sizeof(void *);
    }
    UNREACHABLE();
}

static struct object *move_object(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                  size_t size)
{
    struct object *moved = mem_alloc(size);
    size_t used =
        sizeof(*object) + object_key_offset(object) + object->key_size + hot_tail_size(object);
    memcpy(moved, object, used < size ? used : size);
    table_replace(&keyspace->table, object, moved);
    if (hot_is_ahead(hot, object))
        hot->ring[object->ahead & hot->ring_mask].object = moved;
    keyspace->memory += mem_size(moved);
    keyspace->memory -= mem_size(object);
    mem_free(object);
    return moved;
}

struct object *hot_reshape(struct hot *hot, struct keyspace *keyspace, struct object *object,
                           bool has_expire, size_t tail_size, size_t tail_keep)
{
    size_t shift_from = object_key_offset(object);
    size_t shift_to = has_expire ? sizeof(int64_t) : 0;
    size_t keep = object->key_size + tail_keep;
    size_t needed = sizeof(*object) + shift_to + object->key_size + tail_size;
    if (needed == sizeof(*object))
        needed++;
    size_t room = mem_size(object);
    ASSERT(sizeof(*object) + shift_from + keep <= room);
    bool fits = needed <= room;
    if (fits && shift_from != shift_to) {
        memmove(object->data + shift_to, object->data + shift_from, keep);
        object->has_expire = has_expire; /* before it moves: it tells how many bytes are in use */
    }
    if (fits && room <= 2 * needed + 64)
        return object;
    /* Growing: make room first, shift in the new place. Shrinking: it was shifted already. */
    size_t larger =
        needed > sizeof(*object) + shift_from + keep ? needed : sizeof(*object) + shift_from + keep;
    struct object *moved = move_object(hot, keyspace, object, fits ? needed : larger);
    if (!fits && shift_from != shift_to)
        memmove(moved->data + shift_to, moved->data + shift_from, keep);
    moved->has_expire = has_expire;
    return moved;
}

static void free_value(struct hot *hot, struct keyspace *keyspace, struct value *value)
{
    size_t memory = value_memory(value);
    keyspace->memory -= memory;
    if (memory >= HOT_GARBAGE_SIZE || value->count >= HOT_GARBAGE_COUNT)
        buf_append(&hot->value_garbage, bytes_of(&value, sizeof(struct value *)));
    else
        value_free(value);
}

void hot_value_free(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    if (object->encoding == ENCODING_VALUE)
        free_value(hot, keyspace, object_pointer(object));
    if (object->encoding == ENCODING_RAW) {
        struct string_raw *raw = object_pointer(object);
        keyspace->memory -= string_raw_memory(raw);
        if (raw->capacity >= HOT_GARBAGE_SIZE)
            buf_append(&hot->raw_garbage, bytes_of(&raw, sizeof(struct string_raw *)));
        else
            string_raw_free(raw);
    }
    object->encoding = ENCODING_NONE;
    object->value_size = 0;
}

void hot_object_drop(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    hot_value_free(hot, keyspace, object);
    table_remove(&keyspace->table, object);
    keyspace->memory -= mem_size(object);
    mem_free(object);
}
