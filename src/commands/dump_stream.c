/* Streams in Redis's serialized form:
 *
 *   nodes (id:16 bytes, be; listpack)*  entries  last-id  first-id  max-deleted-id  added
 *   groups (name last-id read  pending (id:16 delivered:le64 times)*
 *           consumers (name seen:le64 [active:le64, version 3]  pending id:16 *)*)*
 *
 *   listpack := count deleted field_count field* 0  entry*
 *   entry    := flags ms-delta seq-delta [field_count (field value)* | value*] items       */
#include "base/endian.h"
#include "base/mem.h"
#include "base/number.h"
#include "codec/rdb.h"
#include "commands/dump.h"
#include "types/stream.h"

enum {
    NODE_ENTRIES = 100,
    FLAG_DELETED = 1,
    FLAG_SAME_FIELDS = 2,
    ID_SIZE = 16,
};

/* ---- writing ---- */

static void put_id(struct buf *out, struct stream_id id)
{
    uint8_t *at = buf_extend(out, ID_SIZE);
    put_be64(at, id.ms);
    put_be64(at + 8, id.seq);
}

static void put_id_sizes(struct buf *out, struct stream_id id)
{
    rdb_put_size(out, id.ms);
    rdb_put_size(out, id.seq);
}

/* Numbers above INT64_MAX wrap, here and in Redis. */
static void put_delta(struct buf *out, uint64_t value, uint64_t base)
{
    listpack_put_int(out, (int64_t)(value - base));
}

/* Each entry with fields of its own: the master entry has none. */
static void put_entry(struct buf *out, struct stream_entry *entry, struct stream_id first)
{
    uint32_t pair_count = entry->pair_count;
    listpack_put_int(out, 0);
    put_delta(out, entry->id.ms, first.ms);
    put_delta(out, entry->id.seq, first.seq);
    listpack_put_int(out, pair_count);
    for (uint32_t i = 0; i < pair_count; i++) {
        struct stream_text field, value;
        stream_entry_pair(entry, &field, &value);
        listpack_put(out, field.bytes);
        listpack_put(out, value.bytes);
    }
    listpack_put_int(out, 2 * (int64_t)pair_count + 4);
}

struct node {
    struct buf listpack; /* entries alone, until it is put */
    struct stream_id first;
    uint32_t count, items;
};

static void put_node(struct buf *out, struct node *node)
{
    struct buf whole = {0};
    enum { MASTER_ITEMS = 5 };
    listpack_begin(&whole);
    listpack_put_int(&whole, node->count);
    listpack_put_int(&whole, 0);
    listpack_put_int(&whole, 1);
    listpack_put(&whole, BYTES_LITERAL("-"));
    listpack_put_int(&whole, 0);
    buf_append(&whole, buf_bytes(&node->listpack));
    listpack_end(&whole, 0, node->items + MASTER_ITEMS);
    uint8_t id[ID_SIZE];
    put_be64(id, node->first.ms);
    put_be64(id + 8, node->first.seq);
    rdb_put_string(out, bytes_of(id, sizeof(id)));
    rdb_put_string(out, buf_bytes(&whole));
    buf_free(&whole);
    buf_free(&node->listpack);
    *node = (struct node){0};
}

static void put_entries(const struct value *stream, struct buf *out)
{
    struct stream_walk walk = stream_walk(stream, (struct stream_id){0}, STREAM_ID_MAX, false);
    struct stream_entry entry;
    struct node node = {0};
    rdb_put_size(out, (stream->count + NODE_ENTRIES - 1) / NODE_ENTRIES);
    while (stream_next(&walk, &entry)) {
        if (node.count == NODE_ENTRIES)
            put_node(out, &node);
        if (node.count == 0)
            node.first = entry.id;
        node.count++;
        node.items += 5 + 2 * entry.pair_count;
        put_entry(&node.listpack, &entry, node.first);
    }
    if (node.count > 0)
        put_node(out, &node);
}

static void put_group(const struct stream_group *group, struct buf *out)
{
    rdb_put_string(out, buf_bytes(&group->name));
    put_id_sizes(out, group->last_id);
    rdb_put_size(out, (uint64_t)group->entries_read);
    rdb_put_size(out, group->pending.count);
    struct id_cursor cursor = id_map_first(&group->pending);
    for (const struct stream_pending *pending;
         (pending = id_map_at(&group->pending, cursor)) != NULL;
         id_map_next(&group->pending, &cursor)) {
        put_id(out, pending->id);
        put_le64(buf_extend(out, 8), (uint64_t)pending->delivered_ms);
        rdb_put_size(out, pending->times);
    }
    rdb_put_size(out, group->consumer_count);
    for (uint32_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        rdb_put_string(out, buf_bytes(&consumer->name));
        put_le64(buf_extend(out, 8), (uint64_t)consumer->seen_ms);
        rdb_put_size(out, consumer->pending.count);
        struct id_cursor its = id_map_first(&consumer->pending);
        for (const struct stream_id *id; (id = id_map_at(&consumer->pending, its)) != NULL;
             id_map_next(&consumer->pending, &its))
            put_id(out, *id);
    }
}

void dump_stream(const struct value *stream, struct buf *out)
{
    struct stream_info info = stream_info(stream);
    buf_append_u8(out, RDB_STREAM_2);
    put_entries(stream, out);
    rdb_put_size(out, stream->count);
    put_id_sizes(out, info.last_id);
    put_id_sizes(out, info.first_id);
    put_id_sizes(out, info.max_deleted_id);
    rdb_put_size(out, info.entries_added);
    rdb_put_size(out, info.groups);
    for (uint32_t i = 0; i < info.groups; i++)
        put_group(stream_group_at(stream, i), out);
}

/* ---- reading ---- */

static bool take_id(struct bytes *rest, struct stream_id *id)
{
    struct bytes bytes;
    if (!rdb_take_bytes(rest, ID_SIZE, &bytes))
        return false;
    *id = (struct stream_id){get_be64(bytes.data), get_be64(bytes.data + 8)};
    return true;
}

static bool take_id_sizes(struct bytes *rest, struct stream_id *id)
{
    return rdb_take_size(rest, &id->ms) && rdb_take_size(rest, &id->seq);
}

/* The next entry of a listpack as a number. */
static bool take_number(struct bytes *rest, struct buf *text, int64_t *number)
{
    return listpack_next(rest, text) && number_parse_i64(buf_bytes(text), number);
}

/* Texts one behind the other, and where each ends. */
struct texts {
    struct buf bytes, ends;
};

static void add_text(struct texts *texts, struct bytes text)
{
    buf_append(&texts->bytes, text);
    buf_append(&texts->ends, bytes_of(&texts->bytes.size, sizeof(size_t)));
}

static struct bytes text_at(const struct texts *texts, uint64_t index)
{
    size_t begin = 0, end;
    if (index > 0)
        memcpy(&begin, texts->ends.data + (index - 1) * sizeof(size_t), sizeof(size_t));
    memcpy(&end, texts->ends.data + index * sizeof(size_t), sizeof(size_t));
    return bytes_of(texts->bytes.data + begin, end - begin);
}

static void texts_free(struct texts *texts)
{
    buf_free(&texts->bytes);
    buf_free(&texts->ends);
}

struct reading {
    struct edit *edit;
    struct buf text;
    struct texts master, pairs;
    uint64_t field_count;
    struct stream_id first, last;
};

static bool take_texts(struct bytes *rest, struct reading *reading, uint64_t count,
                       struct texts *texts)
{
    for (; count > 0; count--) {
        if (!listpack_next(rest, &reading->text))
            return false;
        add_text(texts, buf_bytes(&reading->text));
    }
    return true;
}

static bool append_entry(struct reading *reading, struct stream_id id, bool has_master_fields,
                         uint64_t pair_count)
{
    struct bytes *pairs = mem_alloc(2 * pair_count * sizeof(*pairs));
    for (uint64_t i = 0; i < pair_count; i++) {
        pairs[2 * i] =
            has_master_fields ? text_at(&reading->master, i) : text_at(&reading->pairs, 2 * i);
        pairs[2 * i + 1] = text_at(&reading->pairs, has_master_fields ? i : 2 * i + 1);
    }
    bool is_good = stream_id_compare(id, stream_info(reading->edit->value).last_id) > 0;
    if (is_good)
        stream_append(reading->edit, id, pairs, (uint32_t)pair_count);
    mem_free(pairs);
    return is_good;
}

static bool take_entry(struct bytes *rest, struct reading *reading)
{
    int64_t flags, ms, seq, count = (int64_t)reading->field_count, items;
    if (!take_number(rest, &reading->text, &flags) || !take_number(rest, &reading->text, &ms) ||
        !take_number(rest, &reading->text, &seq))
        return false;
    bool has_master = (flags & FLAG_SAME_FIELDS) != 0;
    if (!has_master && !take_number(rest, &reading->text, &count))
        return false;
    if (count < 1 || (uint64_t)count > rest->size + 1)
        return false;
    buf_clear(&reading->pairs.bytes);
    buf_clear(&reading->pairs.ends);
    if (!take_texts(rest, reading, (uint64_t)count * (has_master ? 1 : 2), &reading->pairs) ||
        !take_number(rest, &reading->text, &items))
        return false;
    struct stream_id id = {reading->first.ms + (uint64_t)ms, reading->first.seq + (uint64_t)seq};
    return (flags & FLAG_DELETED) != 0 || append_entry(reading, id, has_master, (uint64_t)count);
}

static bool read_node(struct bytes listpack, struct reading *reading)
{
    struct bytes rest;
    int64_t live, deleted, fields, zero;
    if (!listpack_open(listpack, &rest) || !take_number(&rest, &reading->text, &live) ||
        !take_number(&rest, &reading->text, &deleted) ||
        !take_number(&rest, &reading->text, &fields) || fields < 1 || (uint64_t)fields > rest.size)
        return false;
    buf_clear(&reading->master.bytes);
    buf_clear(&reading->master.ends);
    reading->field_count = (uint64_t)fields;
    if (!take_texts(&rest, reading, reading->field_count, &reading->master) ||
        !take_number(&rest, &reading->text, &zero))
        return false;
    for (int64_t left = live + deleted; left > 0; left--) {
        if (!take_entry(&rest, reading))
            return false;
    }
    return rest.size == 0;
}

static bool read_nodes(struct bytes *rest, struct edit *edit)
{
    struct reading reading = {.edit = edit};
    struct buf id = {0}, listpack = {0};
    uint64_t nodes;
    bool is_good = rdb_take_size(rest, &nodes);
    for (; is_good && nodes > 0; nodes--) {
        is_good = rdb_take_string(rest, &id) && id.size == ID_SIZE;
        struct bytes first = buf_bytes(&id);
        is_good = is_good && take_id(&first, &reading.first) && rdb_take_string(rest, &listpack) &&
                  read_node(buf_bytes(&listpack), &reading);
    }
    buf_free(&id);
    buf_free(&listpack);
    buf_free(&reading.text);
    texts_free(&reading.master);
    texts_free(&reading.pairs);
    return is_good;
}

/* What is pending, until it is known whose it is. */
struct pending {
    struct stream_id id;
    uint64_t delivered_ms, times;
};

static bool take_pending(struct bytes *rest, struct buf *all)
{
    uint64_t count;
    if (!rdb_take_size(rest, &count) || count > rest->size)
        return false;
    for (; count > 0; count--) {
        struct pending pending;
        if (!take_id(rest, &pending.id) || !rdb_take_le64(rest, &pending.delivered_ms) ||
            !rdb_take_size(rest, &pending.times))
            return false;
        buf_append(all, bytes_of(&pending, sizeof(pending)));
    }
    return true;
}

/* They come in the order of their ids. */
static const struct pending *find_pending(const struct buf *all, struct stream_id id)
{
    size_t from = 0, to = all->size / sizeof(struct pending);
    const struct pending *items = (const void *)all->data;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = stream_id_compare(items[middle].id, id);
        if (order == 0)
            return &items[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static bool read_consumer(struct bytes *rest, uint8_t type, struct edit *edit,
                          struct stream_group *group, const struct buf *all)
{
    struct buf name = {0};
    uint64_t seen_ms, active_ms, count;
    bool is_good = rdb_take_string(rest, &name) && rdb_take_le64(rest, &seen_ms);
    active_ms = is_good ? seen_ms : 0;
    is_good = is_good && (type != RDB_STREAM_3 || rdb_take_le64(rest, &active_ms)) &&
              rdb_take_size(rest, &count) && stream_consumer_find(group, buf_bytes(&name)) == NULL;
    if (is_good) {
        struct stream_consumer *consumer =
            stream_consumer_add(edit, group, buf_bytes(&name), (int64_t)seen_ms);
        consumer->active_ms = (int64_t)active_ms;
        for (; is_good && count > 0; count--) {
            struct stream_id id;
            const struct pending *pending = take_id(rest, &id) ? find_pending(all, id) : NULL;
            is_good = pending != NULL && stream_pending_find(group, id) == NULL;
            if (is_good)
                stream_pending_put(edit, group, consumer, id, (int64_t)pending->delivered_ms,
                                   pending->times);
        }
    }
    buf_free(&name);
    return is_good;
}

static bool read_group(struct bytes *rest, uint8_t type, struct edit *edit)
{
    struct buf name = {0}, all = {0};
    struct stream_id last;
    uint64_t read = (uint64_t)STREAM_READ_NONE, consumers = 0;
    bool is_good = rdb_take_string(rest, &name) && take_id_sizes(rest, &last) &&
                   (type == RDB_STREAM || rdb_take_size(rest, &read)) &&
                   stream_group_find(edit->value, buf_bytes(&name)) == NULL &&
                   take_pending(rest, &all) && rdb_take_size(rest, &consumers);
    struct stream_group *group = NULL;
    if (is_good)
        group = stream_group_add(edit, buf_bytes(&name), last, (int64_t)read);
    for (; is_good && consumers > 0; consumers--)
        is_good = read_consumer(rest, type, edit, group, &all);
    is_good = is_good && group->pending.count == all.size / sizeof(struct pending);
    buf_free(&name);
    buf_free(&all);
    return is_good;
}

static bool read_stream(struct bytes rest, uint8_t type, struct edit *edit)
{
    struct stream_id last, first, max_deleted = {0};
    uint64_t count, added, groups;
    if (!read_nodes(&rest, edit) || !rdb_take_size(&rest, &count) || !take_id_sizes(&rest, &last))
        return false;
    added = count;
    if (type != RDB_STREAM &&
        (!take_id_sizes(&rest, &first) || !take_id_sizes(&rest, &max_deleted) ||
         !rdb_take_size(&rest, &added)))
        return false;
    if (count != edit->value->count ||
        stream_id_compare(last, stream_info(edit->value).last_id) < 0 ||
        !rdb_take_size(&rest, &groups))
        return false;
    stream_set_ids(edit, last, added, max_deleted);
    for (; groups > 0; groups--) {
        if (!read_group(&rest, type, edit))
            return false;
    }
    return rest.size == 0;
}

struct value *restore_stream(uint8_t type, struct bytes rest, const struct type_env *env)
{
    if (type != RDB_STREAM && type != RDB_STREAM_2 && type != RDB_STREAM_3)
        return NULL;
    struct edit edit = edit_detached(TYPE_STREAM, env);
    if (read_stream(rest, type, &edit))
        return edit.value;
    value_free(edit.value);
    return NULL;
}
