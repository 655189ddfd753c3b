/* Changes of the open entry: each is made in memory first and becomes rows in hot_close. */
#include "base/mutants.h"
#include "base/number.h"
#include "keyspace/hot_internal.h"
#include "keyspace/waiters.h"
#include "keyspace/watch.h"
#include "store/row_key.h"

void hot_open(struct hot *hot, uint64_t index)
{
    ASSERT(!hot->is_open && index > hot->released && index >= hot->open_index);
    hot->is_open = true;
    hot->open_index = index;
    hot->open_size = 0;
    ASSERT(hot->open_from == hot->tail && hot->open_rows.size == 0);
}

bool hot_has_changes(const struct hot *hot)
{
    return hot->tail > hot->open_from || hot->map_changed;
}

static void ring_grow(struct hot *hot)
{
    uint64_t capacity = (hot->ring_mask + 1) * 2;
    struct hot_slot *ring = mem_alloc(capacity * sizeof(*ring));
    for (uint64_t at = hot->head; at < hot->tail; at++)
        ring[at & (capacity - 1)] = hot->ring[at & hot->ring_mask];
    mem_free(hot->ring);
    hot->ring = ring;
    hot->ring_mask = capacity - 1;
}

struct object *hot_touch(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    return hot_touch_changed(hot, keyspace, object, hot_due_ms(object));
}

struct object *hot_touch_changed(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                 int64_t due_ms)
{
    ASSERT(hot->is_open);
    ASSERT(object->state != OBJECT_LOADING && object->state != OBJECT_LOADING_BODY);
    if (!watch_is_empty(hot->watches) && hot->is_expiring)
        watch_touch_expired(hot->watches, keyspace->database, object_key(object));
    else if (!watch_is_empty(hot->watches))
        watch_touch(hot->watches, keyspace->database, object_key(object));
    if (!waiters_is_empty(hot->waiters))
        waiters_touch(hot->waiters, keyspace->database, object_key(object));
    if (object->ahead >= hot->open_from)
        return object;
    if (hot->tail - hot->head > hot->ring_mask)
        ring_grow(hot);
    if (hot_is_ahead(hot, object))
        hot->ring[object->ahead & hot->ring_mask].object = NULL;
    hot->ring[hot->tail & hot->ring_mask] = (struct hot_slot){
        .object = object,
        .keyspace = keyspace,
        .index = hot->open_index,
        .logged_due_ms = object->is_logged ? due_ms : 0,
    };
    object->ahead = hot->tail++;
    hot->open_size += 2 * (size_t)object->key_size + 64 + hot_tail_size(object);
    return object;
}

static void emit_sweep(struct hot *hot, uint64_t object_id)
{
    struct buf key = {0};
    row_key_append_sweep_object(&key, object_id);
    rows_append(&hot->open_rows, ROW_PUT, buf_bytes(&key), bytes_of(NULL, 0));
    buf_free(&key);
}

static void emit_removal(struct hot *hot, const struct string_raw *raw)
{
    if (raw->object_id == 0 || raw->logged_size == 0 || NODE_MUTANT(forget_sweeps))
        return;
    size_t before = hot->open_rows.size;
    if (raw->logged_size <= STRING_SWEEP_CHUNKS * STRING_CHUNK_SIZE)
        string_raw_emit_deletes(raw->object_id, raw->logged_size, &hot->open_rows);
    else
        emit_sweep(hot, raw->object_id);
    hot->open_size += hot->open_rows.size - before;
}

/* A value that was emptied element by element has no rows left. */
static void emit_value_removal(struct hot *hot, const struct value *value)
{
    if (value->object_id == 0 || value_is_gone(value) || NODE_MUTANT(forget_sweeps))
        return;
    size_t before = hot->open_rows.size;
    emit_sweep(hot, value->object_id);
    hot->open_size += hot->open_rows.size - before;
}

void hot_discard_value(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    if (object->encoding == ENCODING_RAW)
        emit_removal(hot, object_pointer(object));
    else if (object->encoding == ENCODING_VALUE)
        emit_value_removal(hot, object_pointer(object));
    hot_value_free(hot, keyspace, object);
}

static void count_expiry(struct keyspace *keyspace, bool had, bool has)
{
    keyspace->expiring += (int64_t)has - (int64_t)had;
    keyspace->counts_changed |= had != has;
}

struct object *hot_make_present(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                                struct bytes key, struct object *object)
{
    if (object == NULL)
        object = hot_object_new(keyspace, order, key);
    ASSERT(object->state == OBJECT_ABSENT || object_is_present(object));
    object = hot_touch(hot, keyspace, object);
    if (object->state == OBJECT_ABSENT) {
        keyspace->keys++;
        keyspace->counts_changed = true;
    }
    object->access = hot->clock;
    return object;
}

struct object *hot_put_tail(struct hot *hot, struct keyspace *keyspace, struct object *object,
                            enum object_type type, enum object_encoding encoding, struct bytes tail,
                            int64_t expire_ms)
{
    count_expiry(keyspace, object->has_expire, expire_ms != 0);
    object = hot_reshape(hot, keyspace, object, expire_ms != 0, tail.size, 0);
    if (expire_ms != 0)
        memcpy(object->data, &expire_ms, sizeof(expire_ms));
    if (tail.size > 0)
        memcpy(object_tail(object), tail.data, tail.size);
    object->state = OBJECT_LOADED;
    object->type = (uint8_t)type;
    object->encoding = (uint8_t)encoding;
    object->value_size = encoding == ENCODING_EMBEDDED ? (uint32_t)tail.size : 0;
    return object;
}

static struct object *put_string(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                 enum object_encoding encoding, struct bytes tail,
                                 int64_t expire_ms)
{
    return hot_put_tail(hot, keyspace, object, TYPE_STRING, encoding, tail, expire_ms);
}

static struct object *put_raw(struct hot *hot, struct keyspace *keyspace, struct object *object,
                              struct string_raw *raw, int64_t expire_ms)
{
    keyspace->memory += string_raw_memory(raw);
    struct bytes tail = bytes_of(&raw, sizeof(struct string_raw *));
    return put_string(hot, keyspace, object, ENCODING_RAW, tail, expire_ms);
}

struct object *hot_set_string(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                              struct bytes key, struct object *object, struct bytes value,
                              int64_t expire_ms)
{
    ASSERT(value.size <= UINT32_MAX && expire_ms >= 0);
    object = hot_make_present(hot, keyspace, order, key, object);
    hot_discard_value(hot, keyspace, object);
    hot->open_size += value.size + (value.size / STRING_CHUNK_SIZE + 1) * 24;
    int64_t number;
    if (value.size <= STRING_INT_TEXT_MAX && number_parse_i64(value, &number))
        return put_string(hot, keyspace, object, ENCODING_INT, bytes_of(&number, sizeof(number)),
                          expire_ms);
    if (value.size <= STRING_EMBEDDED_MAX)
        return put_string(hot, keyspace, object, ENCODING_EMBEDDED, value, expire_ms);
    return put_raw(hot, keyspace, object, string_raw_new(value, value.size), expire_ms);
}

struct object *hot_set_int(struct hot *hot, struct keyspace *keyspace, struct object *object,
                           int64_t value)
{
    ASSERT(object->state == OBJECT_LOADED);
    object = hot_touch(hot, keyspace, object);
    if (object->encoding == ENCODING_INT) {
        memcpy(object_tail(object), &value, sizeof(value));
        return object;
    }
    hot_discard_value(hot, keyspace, object);
    return put_string(hot, keyspace, object, ENCODING_INT, bytes_of(&value, sizeof(value)),
                      object_expire_ms(object));
}

/* A short value that grows gets a buffer of its own, with room to grow on. */
static struct object *make_raw(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes value = string_value(object, scratch);
    struct string_raw *raw = string_raw_new(value, value.size);
    int64_t expire_ms = object_expire_ms(object);
    hot_value_free(hot, keyspace, object);
    return put_raw(hot, keyspace, object, raw, expire_ms);
}

struct object *hot_write_string(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                size_t offset, struct bytes bytes)
{
    ASSERT(object->state == OBJECT_LOADED && object->type == TYPE_STRING);
    char scratch[STRING_INT_TEXT_MAX];
    size_t old_size = string_value(object, scratch).size;
    size_t size = offset + bytes.size > old_size ? offset + bytes.size : old_size;
    object = hot_touch(hot, keyspace, object);
    hot->open_size += bytes.size + (size - old_size) + 2 * (STRING_CHUNK_SIZE + 24);
    if (object->encoding != ENCODING_RAW && size <= STRING_EMBEDDED_MAX) {
        uint8_t value[STRING_EMBEDDED_MAX] = {0};
        memcpy(value, string_value(object, scratch).data, old_size);
        memcpy(value + offset, bytes.data, bytes.size);
        return put_string(hot, keyspace, object, ENCODING_EMBEDDED, bytes_of(value, size),
                          object_expire_ms(object));
    }
    if (object->encoding != ENCODING_RAW)
        object = make_raw(hot, keyspace, object);
    struct string_raw *raw = object_pointer(object);
    keyspace->memory -= string_raw_memory(raw);
    string_raw_write(raw, offset, bytes);
    keyspace->memory += string_raw_memory(raw);
    return object;
}

struct object *hot_set_expire(struct hot *hot, struct keyspace *keyspace, struct object *object,
                              int64_t expire_ms)
{
    ASSERT(object_is_present(object) && expire_ms >= 0);
    object = hot_touch(hot, keyspace, object);
    count_expiry(keyspace, object->has_expire, expire_ms != 0);
    size_t tail = hot_tail_size(object);
    object = hot_reshape(hot, keyspace, object, expire_ms != 0, tail, tail);
    if (expire_ms != 0)
        memcpy(object->data, &expire_ms, sizeof(expire_ms));
    return object;
}

static void make_absent(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    count_expiry(keyspace, object->has_expire, false);
    object = hot_reshape(hot, keyspace, object, false, 0, 0);
    object->state = OBJECT_ABSENT;
    object->type = TYPE_NONE;
    keyspace->keys--;
    keyspace->counts_changed = true;
}

void hot_delete(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    ASSERT(object_is_present(object));
    object = hot_touch(hot, keyspace, object);
    hot_discard_value(hot, keyspace, object);
    make_absent(hot, keyspace, object);
}

void hot_delete_expired(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    hot->is_expiring = true;
    hot_delete(hot, keyspace, object);
    hot->is_expiring = false;
}

void hot_rename(struct hot *hot, struct keyspace *keyspace, struct object *from, uint64_t to_order,
                struct bytes to, struct object *to_object)
{
    ASSERT(object_is_present(from) && (to_object == NULL || to_object->state == OBJECT_ABSENT));
    from = hot_touch(hot, keyspace, from);
    to_object = hot_make_present(hot, keyspace, to_order, to, to_object);
    ASSERT(to_object->encoding == ENCODING_NONE);
    uint8_t state = from->state;
    struct bytes tail = bytes_of(object_tail(from), hot_tail_size(from));
    to_object = hot_put_tail(hot, keyspace, to_object, (enum object_type)from->type,
                             (enum object_encoding)from->encoding, tail, object_expire_ms(from));
    to_object->state = state; /* a head stays a head */
    hot->open_size += from->encoding == ENCODING_VALUE ? VALUE_INLINE_MAX : tail.size;
    from->encoding = ENCODING_NONE; /* its value lives on in the other */
    from->value_size = 0;
    make_absent(hot, keyspace, from);
}

void hot_forget_keyspace(struct hot *hot, const struct keyspace *keyspace)
{
    for (uint64_t at = hot->head; at < hot->tail; at++) {
        struct hot_slot *slot = &hot->ring[at & hot->ring_mask];
        if (slot->keyspace == keyspace)
            *slot = (struct hot_slot){.index = slot->index};
    }
    for (size_t i = 0; i < hot->removals_count; i++) {
        struct hot_removal *removal = &hot->removals[hot->removals_from + i];
        if (removal->keyspace == keyspace)
            removal->keyspace = NULL;
    }
}

static void sweep_keyspace(struct hot *hot, uint32_t id)
{
    struct buf key = {0};
    row_key_append_sweep_keyspace(&key, id);
    rows_append(&hot->open_rows, ROW_PUT, buf_bytes(&key), bytes_of(NULL, 0));
    buf_free(&key);
}

static void change_map(struct hot *hot)
{
    ASSERT(hot->is_open);
    hot->map_changed = true;
    hot->map_index = hot->open_index;
    hot->open_size += 256;
}

static void remember_flushed(struct hot *hot, const struct keyspace *keyspace)
{
    if (hot->flushed_count == hot->flushed_capacity) {
        hot->flushed_capacity = hot->flushed_capacity == 0 ? 16 : hot->flushed_capacity * 2;
        hot->flushed = mem_realloc(hot->flushed, hot->flushed_capacity * sizeof(*hot->flushed));
    }
    hot->flushed[hot->flushed_count++] = (struct hot_flushed){
        .index = hot->open_index,
        .id = keyspace->id,
        .keys_applied = keyspace->keys_applied,
        .expiring_applied = keyspace->expiring_applied,
    };
}

struct keyspace *hot_flush_database(struct hot *hot, int database)
{
    struct keyspace *old = hot->databases[database];
    change_map(hot);
    sweep_keyspace(hot, old->id);
    remember_flushed(hot, old);
    hot_forget_keyspace(hot, old);
    old->next = hot->garbage;
    hot->garbage = old;
    struct keyspace *fresh = hot_keyspace_new(hot->next_id++, database);
    fresh->counts_changed = true;
    hot->databases[database] = fresh;
    waiters_touch_database(hot->waiters, database);
    return old;
}

void hot_swap_databases(struct hot *hot, int a, int b)
{
    change_map(hot);
    struct keyspace *first = hot->databases[a];
    hot->databases[a] = hot->databases[b];
    hot->databases[b] = first;
    hot->databases[a]->database = a;
    hot->databases[b]->database = b;
    waiters_touch_database(hot->waiters, a);
    waiters_touch_database(hot->waiters, b);
}
