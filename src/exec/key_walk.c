#include "exec/key_walk.h"

#include <stdlib.h>

#include "base/mem.h"
#include "keyspace/head_row.h"
#include "store/row_key.h"

/* A key that memory changed and that is not applied: hides the row of the same key. */
struct ahead_key {
    uint64_t order;
    size_t name_at; /* in slice->names */
    size_t name_size;
    int64_t expire_ms;
    uint8_t type;
    bool is_present;
};

struct ahead_keys {
    struct ahead_key *keys;
    size_t count;
};

static int by_order(const void *a, const void *b)
{
    const struct ahead_key *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static struct ahead_keys copy_ahead(const struct hot *hot, const struct keyspace *keyspace,
                                    uint64_t from, struct buf *names)
{
    struct ahead_keys ahead = {0};
    ahead.keys = mem_alloc((hot->tail - hot->head + 1) * sizeof(*ahead.keys));
    for (uint64_t at = hot->head; at < hot->tail; at++) {
        const struct hot_slot *slot = &hot->ring[at & hot->ring_mask];
        if (slot->object == NULL || slot->keyspace != keyspace || slot->object->order < from)
            continue;
        const struct object *object = slot->object;
        struct bytes key = object_key(object);
        ahead.keys[ahead.count++] = (struct ahead_key){
            .order = object->order,
            .name_at = names->size,
            .name_size = key.size,
            .expire_ms = object_expire_ms(object),
            .type = object->type,
            .is_present = object_is_present(object),
        };
        buf_append(names, key);
    }
    qsort(ahead.keys, ahead.count, sizeof(*ahead.keys), by_order);
    return ahead;
}

/* The next row of the slice as a key; false at its end. Rows that cannot be read are passed over:
 * the store counts damage where it finds it. */
static bool next_row_key(struct bytes *rest, struct walked_key *walked)
{
    struct row row;
    while (rows_next(rest, &row) == ROWS_OK) {
        struct row_key key;
        struct head head;
        if (!row_key_decode(row.key, &key) || key.kind != ROW_KIND_KEY ||
            !head_decode(row.value, &head))
            continue;
        *walked = (struct walked_key){.order = (uint64_t)key.slot << 48 | key.hash,
                                      .key = key.name,
                                      .type = head.type,
                                      .expire_ms = head.expire_ms};
        return true;
    }
    return false;
}

static void add_ahead(struct key_slice *slice, const struct ahead_key *ahead)
{
    if (!ahead->is_present)
        return;
    slice->keys[slice->count++] = (struct walked_key){
        .order = ahead->order,
        .key = bytes_of(slice->names.data + ahead->name_at, ahead->name_size),
        .type = ahead->type,
        .expire_ms = ahead->expire_ms,
    };
}

static bool is_hidden(const struct key_slice *slice, const struct ahead_keys *ahead, size_t at,
                      const struct walked_key *walked)
{
    for (; at < ahead->count && ahead->keys[at].order == walked->order; at++) {
        struct bytes name =
            bytes_of(slice->names.data + ahead->keys[at].name_at, ahead->keys[at].name_size);
        if (bytes_equal(name, walked->key))
            return true;
    }
    return false;
}

/* Both sources are in order; what lies behind the last row that was read belongs to the next slice.
 */
static void merge(struct key_slice *slice, const struct ahead_keys *ahead)
{
    struct bytes rest = buf_bytes(&slice->rows.rows);
    struct walked_key walked;
    size_t at = 0;
    while (next_row_key(&rest, &walked)) {
        while (at < ahead->count && ahead->keys[at].order < walked.order)
            add_ahead(slice, &ahead->keys[at++]);
        if (!is_hidden(slice, ahead, at, &walked))
            slice->keys[slice->count++] = walked;
    }
    while (at < ahead->count && (slice->is_complete || ahead->keys[at].order < slice->next))
        add_ahead(slice, &ahead->keys[at++]);
}

static size_t count_rows(const struct walk_rows *rows)
{
    struct bytes rest = buf_bytes(&rows->rows);
    struct row row;
    size_t count = 0;
    while (rows_next(&rest, &row) == ROWS_OK)
        count++;
    return count;
}

static void set_bounds(struct buf *from, struct buf *to, uint32_t ksid, uint64_t order)
{
    row_key_append_slot_prefix(from, ksid, (uint16_t)(order >> 48), order & ROW_KEY_HASH_MAX);
    row_key_append_key_prefix(to, ksid);
    row_key_step_over(to);
}

/* The rows of the database that has the name when they are read: another may have it by the time
 * the shard is free. */
static void begin_walk(struct walk *walk, struct run *run, struct exec_shard *es, int database,
                       uint64_t from, size_t keys_max, struct buf *low, struct buf *high)
{
    for (;;) {
        uint32_t ksid = es->hot->databases[database]->id;
        buf_clear(low);
        buf_clear(high);
        set_bounds(low, high, ksid, from);
        exec_walk_begin(walk, run, es, buf_bytes(low), buf_bytes(high), keys_max);
        if (es->hot->databases[database]->id == ksid)
            return;
        struct walk_rows of_another;
        if (exec_walk_finish(walk, &of_another))
            walk_rows_free(&of_another);
    }
}

bool key_slice_read(struct run *run, struct exec_shard *es, int database, uint64_t from,
                    size_t keys_max, struct key_slice *slice)
{
    *slice = (struct key_slice){0};
    struct hot *hot = es->hot;
    struct buf low = {0}, high = {0};
    struct walk walk;
    begin_walk(&walk, run, es, database, from, keys_max, &low, &high);
    uint64_t term = es->lead_term;
    struct ahead_keys ahead = copy_ahead(hot, hot->databases[database], from, &slice->names);
    exec_depend(run, es, hot_gate_all(hot));
    bool is_ok = exec_walk_finish(&walk, &slice->rows);
    if (is_ok && (es->lead_term != term || !exec_leads(es))) { /* whose rows they were then (L9) */
        walk_rows_free(&slice->rows);
        is_ok = false;
    }
    buf_free(&low);
    buf_free(&high);
    if (is_ok) {
        struct row_key next;
        slice->is_complete =
            slice->rows.is_complete || !row_key_decode(buf_bytes(&slice->rows.next), &next);
        if (!slice->is_complete)
            slice->next = (uint64_t)next.slot << 48 | next.hash;
        slice->keys =
            mem_alloc((count_rows(&slice->rows) + ahead.count + 1) * sizeof(*slice->keys));
        merge(slice, &ahead);
    }
    mem_free(ahead.keys);
    if (!is_ok)
        key_slice_free(slice);
    return is_ok;
}

void key_slice_free(struct key_slice *slice)
{
    mem_free(slice->keys);
    walk_rows_free(&slice->rows);
    buf_free(&slice->names);
    *slice = (struct key_slice){0};
}
