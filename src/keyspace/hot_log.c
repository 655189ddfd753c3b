/* Where hot memory and the log meet: closing an entry, and what happens when entries are applied or
 * leadership is lost. */
#include "base/endian.h"
#include "base/mutants.h"
#include "keyspace/head_row.h"
#include "keyspace/hot_internal.h"
#include "store/row_key.h"

/*   M "databases" -> next_id:le32 id:le32{16}
 *   N ksid        -> keys:le64 expiring:le64          */
enum {
    MAP_VALUE_SIZE = 4 + 4 * HOT_DATABASES,
    COUNTS_VALUE_SIZE = 16,
};

#define MAP_NAME BYTES_LITERAL("databases")

static void append_map(struct hot *hot, struct buf *rows)
{
    struct buf key = {0};
    row_key_append_meta(&key, MAP_NAME);
    uint8_t *at = rows_append_space(rows, ROW_PUT, buf_bytes(&key), MAP_VALUE_SIZE);
    put_le32(at, hot->next_id);
    for (int i = 0; i < HOT_DATABASES; i++)
        put_le32(at + 4 + 4 * i, hot->databases[i]->id);
    buf_free(&key);
}

static void append_counts(struct keyspace *keyspace, struct buf *rows)
{
    uint8_t key[5] = {ROW_KIND_KEYSPACE};
    put_be32(key + 1, keyspace->id);
    uint8_t *at = rows_append_space(rows, ROW_PUT, bytes_of(key, sizeof(key)), COUNTS_VALUE_SIZE);
    ASSERT(keyspace->keys >= 0 && keyspace->expiring >= 0 && keyspace->expiring <= keyspace->keys);
    put_le64(at, (uint64_t)keyspace->keys);
    put_le64(at + 8, (uint64_t)keyspace->expiring);
    keyspace->counts_changed = false;
}

static uint64_t new_object_id(struct hot *hot)
{
    ASSERT(hot->object_prefix != 0 && hot->object_count < (1ULL << 40) - 1);
    return hot->object_prefix | ++hot->object_count;
}

/* Changes of a value with element rows put them when they were made; one that has outgrown the K
 * row puts all of them now. */
static void append_value_parts(struct hot *hot, struct value *value, struct buf *rows)
{
    const struct type *type = type_of(value->type);
    if (value->object_id != 0 || value->form == VALUE_FORM_HEAD ||
        type->inline_size(value) <= VALUE_INLINE_MAX)
        return;
    value->object_id = new_object_id(hot);
    type->emit(value, rows);
}

/* Element rows and expiry hints of one changed key. */
static void append_parts(struct hot *hot, struct hot_slot *slot, struct buf *rows)
{
    struct object *object = slot->object;
    if (object->encoding == ENCODING_RAW) {
        struct string_raw *raw = object_pointer(object);
        if (raw->object_id == 0 && raw->size > STRING_INLINE_MAX)
            raw->object_id = new_object_id(hot);
        if (raw->object_id != 0 && raw->data != NULL) {
            slot->keyspace->memory -= string_raw_memory(raw);
            string_raw_emit(raw, rows);
            slot->keyspace->memory += string_raw_memory(raw);
        } else if (raw->object_id == 0) {
            slot->keyspace->memory -= mem_size(raw->dirty);
            string_raw_clean(raw);
        }
    }
    if (object->encoding == ENCODING_VALUE)
        append_value_parts(hot, object_pointer(object), rows);
    int64_t due_ms = hot_due_ms(object);
    if (due_ms == slot->logged_due_ms)
        return;
    if (slot->logged_due_ms != 0)
        head_row_append_expiry(rows, ROW_DELETE, slot->keyspace->id, object, slot->logged_due_ms);
    if (due_ms != 0)
        head_row_append_expiry(rows, ROW_PUT, slot->keyspace->id, object, due_ms);
}

static void remember_removal(struct hot *hot, struct keyspace *keyspace, uint64_t order)
{
    if (hot->removals_from + hot->removals_count == hot->removals_capacity) {
        if (hot->removals_from > hot->removals_capacity / 2) {
            memmove(hot->removals, hot->removals + hot->removals_from,
                    hot->removals_count * sizeof(*hot->removals));
            hot->removals_from = 0;
        } else {
            hot->removals_capacity = hot->removals_capacity == 0 ? 64 : hot->removals_capacity * 2;
            hot->removals =
                mem_realloc(hot->removals, hot->removals_capacity * sizeof(*hot->removals));
        }
    }
    hot->removals[hot->removals_from + hot->removals_count++] =
        (struct hot_removal){.keyspace = keyspace, .index = hot->open_index, .order = order};
}

static void append_head(struct hot *hot, struct hot_slot *slot, struct buf *rows)
{
    struct object *object = slot->object;
    bool is_present = object_is_present(object);
    if (is_present) {
        head_row_append(rows, object->is_logged ? ROW_PUT : ROW_PUT_NEW, slot->keyspace->id,
                        object);
        if (!object->is_logged && !NODE_MUTANT(new_keys_miss_the_filter))
            filter_add(slot->keyspace->filter, object->order);
    } else if (object->is_logged) {
        head_row_append(rows, ROW_DELETE, slot->keyspace->id, object);
        remember_removal(hot, slot->keyspace, object->order);
    }
    object->is_logged = is_present;
}

void hot_close(struct hot *hot, struct buf *rows)
{
    ASSERT(hot->is_open);
    if (hot->map_changed)
        append_map(hot, rows);
    hot->map_changed = false;
    for (int i = 0; i < HOT_DATABASES; i++) {
        if (hot->databases[i]->counts_changed)
            append_counts(hot->databases[i], rows);
    }
    buf_append(rows, buf_bytes(&hot->open_rows));
    if (hot->open_rows.capacity > HOT_GARBAGE_SIZE)
        buf_free(&hot->open_rows);
    buf_clear(&hot->open_rows);
    for (uint64_t at = hot->open_from; at < hot->tail; at++) {
        struct hot_slot *slot = &hot->ring[at & hot->ring_mask];
        if (slot->object != NULL)
            append_parts(hot, slot, rows);
    }
    for (uint64_t at = hot->open_from; at < hot->tail; at++) {
        struct hot_slot *slot = &hot->ring[at & hot->ring_mask];
        if (slot->object != NULL)
            append_head(hot, slot, rows);
    }
    hot->open_from = hot->tail;
    hot->is_open = false;
}

/* ---- M and N rows ---- */

static struct keyspace *keyspace_by_id(struct hot *hot, uint32_t id)
{
    for (int i = 0; i < HOT_DATABASES; i++) {
        if (hot->databases[i]->id == id)
            return hot->databases[i];
    }
    return NULL;
}

static bool read_map(struct hot *hot, struct bytes value)
{
    if (value.size != MAP_VALUE_SIZE)
        return false;
    uint32_t next_id = get_le32(value.data);
    hot->next_id = next_id > hot->next_id ? next_id : hot->next_id;
    for (int i = 0; i < HOT_DATABASES; i++)
        hot->applied_ids[i] = get_le32(value.data + 4 + 4 * i);
    return true;
}

static struct hot_flushed *flushed_by_id(const struct hot *hot, uint32_t id)
{
    for (size_t i = 0; i < hot->flushed_count; i++) {
        if (hot->flushed[i].id == id)
            return &hot->flushed[i];
    }
    return NULL;
}

static void read_counts(struct hot *hot, uint32_t ksid, struct bytes value)
{
    if (value.size != COUNTS_VALUE_SIZE)
        return;
    int64_t keys = (int64_t)get_le64(value.data);
    int64_t expiring = (int64_t)get_le64(value.data + 8);
    struct keyspace *keyspace = keyspace_by_id(hot, ksid);
    struct hot_flushed *flushed = keyspace == NULL ? flushed_by_id(hot, ksid) : NULL;
    if (keyspace != NULL) {
        keyspace->keys_applied = keys;
        keyspace->expiring_applied = expiring;
    } else if (flushed != NULL) {
        flushed->keys_applied = keys;
        flushed->expiring_applied = expiring;
    }
}

/* The rows that come first in an entry; false at the first of another kind. */
static bool read_meta_row(struct hot *hot, const struct row *row)
{
    struct row_key key;
    if (row->op == ROW_DELETE ||
        (row->key.data[0] != ROW_KIND_META && row->key.data[0] != ROW_KIND_KEYSPACE))
        return false;
    if (!row_key_decode(row->key, &key))
        return false;
    if (key.kind == ROW_KIND_META && bytes_equal(key.name, MAP_NAME))
        return read_map(hot, row->value);
    if (key.kind == ROW_KIND_KEYSPACE)
        read_counts(hot, key.ksid, row->value);
    return true;
}

/* ---- applied by us ---- */

static void release_slots(struct hot *hot, uint64_t index)
{
    while (hot->head < hot->open_from && hot->ring[hot->head & hot->ring_mask].index <= index) {
        struct hot_slot *slot = &hot->ring[hot->head++ & hot->ring_mask];
        if (slot->object != NULL && slot->object->state == OBJECT_ABSENT)
            hot_object_drop(hot, slot->keyspace, slot->object);
    }
}

static void release_removals(struct hot *hot, uint64_t index)
{
    while (hot->removals_count > 0 && hot->removals[hot->removals_from].index <= index) {
        struct hot_removal *removal = &hot->removals[hot->removals_from++];
        hot->removals_count--;
        if (removal->keyspace != NULL && removal->keyspace->filter_is_whole)
            (void)filter_remove(removal->keyspace->filter, removal->order);
    }
    if (hot->removals_count == 0)
        hot->removals_from = 0;
}

static void release_flushed(struct hot *hot, uint64_t index)
{
    size_t count = 0;
    while (count < hot->flushed_count && hot->flushed[count].index <= index)
        count++;
    if (count == 0)
        return;
    hot->flushed_count -= count;
    memmove(hot->flushed, hot->flushed + count, hot->flushed_count * sizeof(*hot->flushed));
}

void hot_release(struct hot *hot, uint64_t index, struct bytes rows)
{
    ASSERT(index > hot->released);
    hot->released = index;
    struct row row;
    while (rows_next(&rows, &row) == ROWS_OK && read_meta_row(hot, &row))
        continue;
    release_slots(hot, index);
    release_removals(hot, index);
    release_flushed(hot, index);
}

/* ---- applied, but not executed here ---- */

/* A database that the applied map names and memory does not have: a new one, or one that was
 * flushed by an entry that will not be applied after all. Its rows are there, its objects are not.
 */
static struct keyspace *unknown_keyspace(const struct hot *hot, int database)
{
    struct keyspace *keyspace = hot_keyspace_new(hot->applied_ids[database], database);
    const struct hot_flushed *flushed = flushed_by_id(hot, keyspace->id);
    if (flushed == NULL)
        return keyspace;
    keyspace->keys_applied = flushed->keys_applied;
    keyspace->expiring_applied = flushed->expiring_applied;
    keyspace->is_complete = keyspace->filter_is_whole = keyspace->keys_applied == 0;
    return keyspace;
}

static void follow_map(struct hot *hot)
{
    struct keyspace *old[HOT_DATABASES];
    memcpy(old, hot->databases, sizeof(old));
    for (int i = 0; i < HOT_DATABASES; i++) {
        struct keyspace *keyspace = NULL;
        for (int j = 0; j < HOT_DATABASES; j++) {
            if (old[j] == NULL || old[j]->id != hot->applied_ids[i])
                continue;
            keyspace = old[j];
            old[j] = NULL;
        }
        hot->databases[i] = keyspace != NULL ? keyspace : unknown_keyspace(hot, i);
        hot->databases[i]->database = i;
    }
    for (int j = 0; j < HOT_DATABASES; j++) {
        if (old[j] == NULL)
            continue;
        hot_forget_keyspace(hot, old[j]);
        old[j]->next = hot->garbage;
        hot->garbage = old[j];
    }
}

static void take_applied_counts(struct hot *hot)
{
    for (int i = 0; i < HOT_DATABASES; i++) {
        struct keyspace *keyspace = hot->databases[i];
        keyspace->keys = keyspace->keys_applied;
        keyspace->expiring = keyspace->expiring_applied;
        keyspace->counts_changed = false;
    }
}

static void apply_head(struct hot *hot, const struct row *row, const struct row_key *key)
{
    struct keyspace *keyspace = keyspace_by_id(hot, key->ksid);
    if (keyspace == NULL)
        return;
    uint64_t order = (uint64_t)key->slot << 48 | key->hash;
    if (row->op == ROW_PUT_NEW)
        filter_add(keyspace->filter, order);
    else if (row->op == ROW_DELETE && keyspace->filter_is_whole)
        (void)filter_remove(keyspace->filter, order);
    struct object *object = table_find(&keyspace->table, order, key->name);
    keyspace->is_complete = false;
    if (object == NULL)
        return;
    if (object->state == OBJECT_LOADING || object->state == OBJECT_LOADING_BODY)
        object->is_stale = 1;
    else
        hot_object_drop(hot, keyspace, object);
}

void hot_apply(struct hot *hot, uint64_t index, struct bytes rows)
{
    ASSERT(hot->head == hot->tail && !hot->is_open && index > hot->released);
    hot->released = index;
    struct row row;
    struct row_key key;
    while (rows_next(&rows, &row) == ROWS_OK) {
        uint8_t kind = row.key.data[0];
        if (kind == ROW_KIND_META) {
            (void)read_meta_row(hot, &row);
            follow_map(hot);
        } else if (kind == ROW_KIND_KEYSPACE) {
            (void)read_meta_row(hot, &row);
        } else if (kind == ROW_KIND_KEY && row_key_decode(row.key, &key)) {
            apply_head(hot, &row, &key);
        }
    }
    take_applied_counts(hot);
}

static void drop_ring(struct hot *hot)
{
    for (; hot->head < hot->tail; hot->head++) {
        struct hot_slot *slot = &hot->ring[hot->head & hot->ring_mask];
        if (slot->object == NULL)
            continue;
        slot->object->ahead = 0;
        slot->keyspace->is_complete = false;
        hot_object_drop(hot, slot->keyspace, slot->object);
    }
    hot->open_from = hot->tail;
}

void hot_drop_ahead(struct hot *hot)
{
    drop_ring(hot);
    hot->is_open = false;
    hot->map_changed = false;
    hot->map_index = hot->open_index = 0;
    buf_clear(&hot->open_rows);
    hot->removals_count = hot->removals_from = 0;
    follow_map(hot);
    hot->flushed_count = 0;
    take_applied_counts(hot);
}

void hot_set_term(struct hot *hot, uint64_t term)
{
    ASSERT(term > 0 && term < 1ULL << 24);
    hot->object_prefix = term << 40;
    hot->object_count = 0;
}

void hot_restore_map(struct hot *hot, struct bytes value)
{
    if (read_map(hot, value))
        follow_map(hot);
}

void hot_restore_counts(struct hot *hot, uint32_t ksid, struct bytes value)
{
    read_counts(hot, ksid, value);
    struct keyspace *keyspace = keyspace_by_id(hot, ksid);
    if (keyspace == NULL || NODE_MUTANT(counts_are_not_restored))
        return;
    keyspace->keys = keyspace->keys_applied;
    keyspace->expiring = keyspace->expiring_applied;
    keyspace->is_complete = keyspace->filter_is_whole = keyspace->keys == 0;
}

/* Everything that memory had is of another state of the rows. */
static void replace_databases(struct hot *hot)
{
    for (int i = 0; i < HOT_DATABASES; i++) {
        struct keyspace *old = hot->databases[i];
        hot_forget_keyspace(hot, old);
        old->next = hot->garbage;
        hot->garbage = old;
        hot->databases[i] = hot_keyspace_new(hot->applied_ids[i], i);
    }
}

void hot_reinstall(struct hot *hot, uint64_t index, struct bytes rows)
{
    ASSERT(hot->head == hot->tail && !hot->is_open && hot->flushed_count == 0);
    struct row row;
    for (int i = 0; i < HOT_DATABASES; i++)
        hot->applied_ids[i] = (uint32_t)i + 1; /* unless a row says otherwise */
    for (struct bytes rest = rows; rows_next(&rest, &row) == ROWS_OK;)
        (void)read_meta_row(hot, &row);
    replace_databases(hot);
    for (struct bytes rest = rows; rows_next(&rest, &row) == ROWS_OK;)
        (void)read_meta_row(hot, &row);
    take_applied_counts(hot);
    for (int i = 0; i < HOT_DATABASES; i++) {
        struct keyspace *keyspace = hot->databases[i];
        keyspace->is_complete = keyspace->filter_is_whole = keyspace->keys == 0;
    }
    hot->released = index;
}
