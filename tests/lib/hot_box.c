#include "hot_box.h"

#include "keyspace/head_row.h"
#include "keyspace/slot.h"
#include "store/row_key.h"

void hot_box_load_begin(struct hot_box_load *load, struct hot *hot, struct keyspace *keyspace,
                        uint64_t order, struct bytes key, struct object *object, bool needs_value)
{
    *load = (struct hot_box_load){
        .keyspace = keyspace, .order = order, .key = key, .needs_value = needs_value};
    load->object = hot_begin_load(hot, keyspace, order, key, object);
}

static struct bytes k_row_value(const struct row_map *rows, uint32_t ksid, uint64_t order,
                                struct bytes key, bool *is_there)
{
    struct buf row_key = {0};
    row_key_append_key(&row_key, ksid, (uint16_t)(order >> 48), order & ROW_KEY_HASH_MAX, key);
    const struct buf *value = row_map_find(rows, buf_bytes(&row_key));
    buf_free(&row_key);
    *is_there = value != NULL;
    return value != NULL ? buf_bytes(value) : bytes_of(NULL, 0);
}

void hot_box_load_read(struct hot_box_load *load, const struct row_map *rows)
{
    if (load->has_row || load->object->state == OBJECT_LOADING_BODY)
        return;
    struct bytes value =
        k_row_value(rows, load->keyspace->id, load->order, load->key, &load->is_there);
    buf_append(&load->value, value);
    load->has_row = true;
}

/* The chunks of a string; NULL when they are not what its head says. */
static struct string_raw *read_string(const struct row_map *rows, uint64_t object_id, uint64_t size)
{
    struct buf prefix = {0};
    row_key_append_element_prefix(&prefix, object_id);
    struct string_raw *raw = string_raw_new(bytes_of(NULL, 0), size);
    raw->size = (uint32_t)size;
    uint64_t read = 0;
    bool is_good = true;
    for (size_t at = row_map_seek(rows, buf_bytes(&prefix)); at < rows->count; at++) {
        struct row_key key;
        struct bytes row_key = buf_bytes(&rows->items[at].key);
        if (!bytes_start_with(row_key, buf_bytes(&prefix)))
            break;
        struct bytes value = buf_bytes(&rows->items[at].value);
        is_good =
            is_good && row_key_decode(row_key, &key) && string_raw_load_chunk(raw, key.name, value);
        read += value.size;
    }
    buf_free(&prefix);
    if (is_good && read == size)
        return raw;
    string_raw_free(raw);
    return NULL;
}

/* The elements of a value whose K row says `bytes`; NULL when they are not what its head says. */
static struct value *read_value(const struct row_map *rows, uint8_t type, uint64_t object_id,
                                struct bytes bytes, const struct type_env *env)
{
    struct value *value = value_decode(type, object_id, bytes, env);
    ASSERT(value != NULL);
    struct buf prefix = {0};
    row_key_append_element_prefix(&prefix, object_id);
    type_of(type)->load_begin(&value, env);
    bool is_good = true;
    for (size_t at = row_map_seek(rows, buf_bytes(&prefix)); at < rows->count && is_good; at++) {
        struct row_key key;
        struct bytes row_key = buf_bytes(&rows->items[at].key);
        if (!bytes_start_with(row_key, buf_bytes(&prefix)))
            break;
        is_good = row_key_decode(row_key, &key) &&
                  type_of(type)->load_row(&value, key.name, buf_bytes(&rows->items[at].value), env);
    }
    buf_free(&prefix);
    if (is_good && type_of(type)->load_end(&value, env))
        return value;
    value_free(value);
    return NULL;
}

static struct hot_body read_known_head(const struct row_map *rows, const struct object *object,
                                       const struct type_env *env)
{
    if (object->type == TYPE_STRING) {
        const struct string_raw *head = object_pointer(object);
        return (struct hot_body){.raw = read_string(rows, head->object_id, head->size)};
    }
    const struct value *head = object_pointer(object);
    struct buf bytes = {0};
    value_encode(head, &bytes);
    struct bytes rest = bytes_of(bytes.data + 8, bytes.size - 8); /* behind the object id */
    struct value *value = read_value(rows, head->type, head->object_id, rest, env);
    buf_free(&bytes);
    return (struct hot_body){.value = value};
}

void hot_box_load_end(struct hot_box_load *load, struct hot *hot, const struct row_map *rows)
{
    if (load->object->state == OBJECT_LOADING_BODY) {
        struct hot_body whole = read_known_head(rows, load->object, &hot->env);
        ASSERT(whole.raw != NULL || whole.value != NULL);
        hot_end_body(hot, load->keyspace, load->object, whole);
        return;
    }
    hot_box_load_read(load, rows);
    struct hot_body body = {0};
    struct head head = {0};
    if (load->is_there) {
        bool is_head = head_decode(buf_bytes(&load->value), &head);
        ASSERT(is_head);
    }
    if (load->needs_value && head.object_id != 0) {
        if (head.type == TYPE_STRING)
            body.raw = read_string(rows, head.object_id, head.size);
        else
            body.value = read_value(rows, head.type, head.object_id, head.inlined, &hot->env);
        ASSERT(body.raw != NULL || body.value != NULL);
    }
    struct object *object = hot_end_load(hot, load->keyspace, load->object, load->is_there,
                                         buf_bytes(&load->value), body);
    ASSERT(object != NULL);
    buf_free(&load->value);
}

void hot_box_load_cancel(struct hot_box_load *load, struct hot *hot)
{
    hot_cancel_load(hot, load->keyspace, load->object);
    buf_free(&load->value);
}

struct object *hot_box_find(struct hot *hot, struct keyspace *keyspace, struct bytes key,
                            enum hot_need need, const struct row_map *rows)
{
    uint64_t order = hot_order(hot, slot_of_key(key), key);
    struct object *object;
    enum hot_found found = hot_find(hot, keyspace, order, key, need, &object);
    for (int i = 0; i < 2 && found == HOT_COLD; i++) { /* a head first, perhaps */
        struct hot_box_load load;
        hot_box_load_begin(&load, hot, keyspace, order, key, object, need == HOT_VALUE);
        hot_box_load_end(&load, hot, rows);
        found = hot_find(hot, keyspace, order, key, need, &object);
    }
    ASSERT(found != HOT_COLD);
    return found == HOT_PRESENT ? object : NULL;
}

struct hot *hot_box_restore(const struct row_map *rows, uint64_t seed, uint64_t index)
{
    struct hot *hot = hot_new(seed);
    hot->released = index;
    struct buf key = {0};
    row_key_append_meta(&key, BYTES_LITERAL("databases"));
    const struct buf *value = row_map_find(rows, buf_bytes(&key));
    if (value != NULL)
        hot_restore_map(hot, buf_bytes(value));
    for (int i = 0; i < HOT_DATABASES; i++) {
        buf_clear(&key);
        row_key_append_keyspace(&key, hot->databases[i]->id);
        value = row_map_find(rows, buf_bytes(&key));
        if (value != NULL)
            hot_restore_counts(hot, hot->databases[i]->id, buf_bytes(value));
    }
    buf_free(&key);
    return hot;
}

void hot_box_fill_filter(struct keyspace *keyspace, const struct row_map *rows)
{
    struct buf prefix = {0};
    row_key_append_key_prefix(&prefix, keyspace->id);
    for (size_t at = row_map_seek(rows, buf_bytes(&prefix)); at < rows->count; at++) {
        struct row_key key;
        if (!row_key_decode(buf_bytes(&rows->items[at].key), &key) || key.kind != ROW_KIND_KEY ||
            key.ksid != keyspace->id)
            break;
        hot_filter_found(keyspace, (uint64_t)key.slot << 48 | key.hash);
    }
    hot_filter_done(keyspace);
    buf_free(&prefix);
}

/* ---- invariants of rows ---- */

/* When the key or something in it dies. */
static int64_t due_of(const struct head *head, const struct type_env *env)
{
    if (head->type == TYPE_STRING)
        return head->expire_ms;
    struct value *value = value_decode(head->type, head->object_id, head->inlined, env);
    ASSERT(value != NULL);
    int64_t due_ms = value_due_ms(value);
    value_free(value);
    return head->expire_ms == 0 || (due_ms != 0 && due_ms < head->expire_ms) ? due_ms
                                                                             : head->expire_ms;
}

static void check_key_row(const struct row_map *rows, const struct row_key *key, struct bytes value,
                          size_t *expiring)
{
    struct head head;
    bool is_head = head_decode(value, &head);
    ASSERT(is_head);
    struct type_env env = type_env_default(0);
    int64_t due_ms = due_of(&head, &env);
    if (due_ms != 0) {
        struct buf hint = {0};
        row_key_append_expiry(&hint, (uint64_t)due_ms, key->ksid, key->slot, key->name);
        ASSERT(row_map_find(rows, buf_bytes(&hint)) != NULL);
        buf_free(&hint);
        (*expiring)++;
    }
    if (head.object_id == 0)
        return;
    if (head.type == TYPE_STRING) {
        struct string_raw *raw = read_string(rows, head.object_id, head.size);
        ASSERT(raw != NULL);
        string_raw_free(raw);
        return;
    }
    struct value *body = read_value(rows, head.type, head.object_id, head.inlined, &env);
    ASSERT(body != NULL);
    type_of(head.type)->check(body);
    value_free(body);
}

static bool is_named(const struct row_map *rows, uint64_t object_id)
{
    for (size_t at = 0; at < rows->count; at++) {
        struct row_key key;
        bool is_key = row_key_decode(buf_bytes(&rows->items[at].key), &key);
        ASSERT(is_key);
        struct head head;
        if (key.kind == ROW_KIND_SWEEP && key.sweep == ROW_SWEEP_OBJECT && key.object == object_id)
            return true;
        if (key.kind == ROW_KIND_KEY && head_decode(buf_bytes(&rows->items[at].value), &head) &&
            head.object_id == object_id)
            return true;
    }
    return false;
}

static bool is_swept(const struct row_map *rows, uint32_t ksid)
{
    struct buf key = {0};
    row_key_append_sweep_keyspace(&key, ksid);
    bool is_there = row_map_find(rows, buf_bytes(&key)) != NULL;
    buf_free(&key);
    return is_there;
}

void hot_box_check_rows(const struct row_map *rows)
{
    size_t expiring = 0, hints = 0;
    uint64_t named = 0;
    for (size_t at = 0; at < rows->count; at++) {
        struct row_key key;
        bool is_key = row_key_decode(buf_bytes(&rows->items[at].key), &key);
        ASSERT(is_key);
        /* A flushed keyspace is swept whole: a change in the entry of its flush leaves no K row. */
        bool is_gone =
            (key.kind == ROW_KIND_KEY || key.kind == ROW_KIND_EXPIRY) && is_swept(rows, key.ksid);
        if (is_gone)
            continue;
        if (key.kind == ROW_KIND_KEY)
            check_key_row(rows, &key, buf_bytes(&rows->items[at].value), &expiring);
        hints += key.kind == ROW_KIND_EXPIRY;
        if (key.kind == ROW_KIND_ELEMENT && key.object != named) {
            ASSERT(is_named(rows, key.object));
            named = key.object;
        }
    }
    ASSERT(expiring == hints);
}
