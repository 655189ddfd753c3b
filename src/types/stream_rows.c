/* Streams as rows, and the rest of the type's contract. */
#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "types/stream_internal.h"

enum {
    GROUP_KEY = 5,
    CONSUMER_KEY = 9,
    ENTRY_KEY = 17,
    PENDING_KEY = 21,
    GROUP_HEAD = 24,
    CONSUMER_HEAD = 16,
    PENDING_SIZE = 20,
    HEAD_SIZE = 16 + 8 + 16 + 4 + 4 + 4 + 8,
};

static void put_id_key(uint8_t *at, struct stream_id id)
{
    put_be64(at, id.ms);
    put_be64(at + 8, id.seq);
}

static void put_id(uint8_t *at, struct stream_id id)
{
    put_le64(at, id.ms);
    put_le64(at + 8, id.seq);
}

static struct stream_id get_id(const uint8_t *at)
{
    return (struct stream_id){get_le64(at), get_le64(at + 8)};
}

static struct stream_id get_id_key(const uint8_t *at)
{
    return (struct stream_id){get_be64(at), get_be64(at + 8)};
}

/* ---- one row each ---- */

static void encode_pairs(const struct bytes *pairs, uint32_t pair_count, struct buf *out)
{
    struct pack *pack = pack_new();
    for (uint32_t i = 0; i < 2 * pair_count; i++)
        pack = pack_append(pack, pairs[i]);
    put_le32(buf_extend(out, 4), pair_count);
    buf_append(out, pack_bytes(pack));
    pack_free(pack);
}

static void entry_key(uint8_t key[ENTRY_KEY], struct stream_id id)
{
    key[0] = STREAM_ROW_ENTRY;
    put_id_key(key + 1, id);
}

void stream_put_entry(struct edit *edit, struct stream_id id, const struct bytes *pairs,
                      uint32_t pair_count)
{
    if (edit->rows == NULL)
        return;
    uint8_t key[ENTRY_KEY];
    struct buf value = {0};
    entry_key(key, id);
    encode_pairs(pairs, pair_count, &value);
    edit_put(edit, bytes_of(key, sizeof(key)), buf_bytes(&value));
    buf_free(&value);
}

void stream_delete_entry(struct edit *edit, struct stream_id id)
{
    uint8_t key[ENTRY_KEY];
    entry_key(key, id);
    edit_delete(edit, bytes_of(key, sizeof(key)));
}

static void group_key(uint8_t key[GROUP_KEY], const struct stream_group *group)
{
    key[0] = STREAM_ROW_GROUP;
    put_be32(key + 1, group->number);
}

static void encode_group(const struct stream_group *group, struct buf *out)
{
    uint8_t *at = buf_extend(out, GROUP_HEAD);
    put_id(at, group->last_id);
    put_le64(at + 16, (uint64_t)group->entries_read);
    buf_append(out, buf_bytes(&group->name));
}

void stream_put_group(struct edit *edit, const struct stream_group *group)
{
    uint8_t key[GROUP_KEY];
    struct buf value = {0};
    group_key(key, group);
    encode_group(group, &value);
    edit_put(edit, bytes_of(key, sizeof(key)), buf_bytes(&value));
    buf_free(&value);
}

void stream_delete_group(struct edit *edit, const struct stream_group *group)
{
    uint8_t key[GROUP_KEY];
    group_key(key, group);
    edit_delete(edit, bytes_of(key, sizeof(key)));
}

static void consumer_key(uint8_t key[CONSUMER_KEY], const struct stream_group *group,
                         const struct stream_consumer *consumer)
{
    key[0] = STREAM_ROW_CONSUMER;
    put_be32(key + 1, group->number);
    put_be32(key + 5, consumer->number);
}

static void encode_consumer(const struct stream_consumer *consumer, struct buf *out)
{
    uint8_t *at = buf_extend(out, CONSUMER_HEAD);
    put_le64(at, (uint64_t)consumer->seen_ms);
    put_le64(at + 8, (uint64_t)consumer->active_ms);
    buf_append(out, buf_bytes(&consumer->name));
}

void stream_put_consumer(struct edit *edit, const struct stream_group *group,
                         const struct stream_consumer *consumer)
{
    uint8_t key[CONSUMER_KEY];
    struct buf value = {0};
    consumer_key(key, group, consumer);
    encode_consumer(consumer, &value);
    edit_put(edit, bytes_of(key, sizeof(key)), buf_bytes(&value));
    buf_free(&value);
}

void stream_delete_consumer(struct edit *edit, const struct stream_group *group,
                            const struct stream_consumer *consumer)
{
    uint8_t key[CONSUMER_KEY];
    consumer_key(key, group, consumer);
    edit_delete(edit, bytes_of(key, sizeof(key)));
}

static void pending_key(uint8_t key[PENDING_KEY], const struct stream_group *group,
                        struct stream_id id)
{
    key[0] = STREAM_ROW_PENDING;
    put_be32(key + 1, group->number);
    put_id_key(key + 5, id);
}

static void encode_pending(const struct stream_pending *pending, uint8_t out[PENDING_SIZE])
{
    put_le32(out, pending->consumer);
    put_le64(out + 4, (uint64_t)pending->delivered_ms);
    put_le64(out + 12, pending->times);
}

void stream_put_pending(struct edit *edit, const struct stream_group *group,
                        const struct stream_pending *pending)
{
    uint8_t key[PENDING_KEY], value[PENDING_SIZE];
    pending_key(key, group, pending->id);
    encode_pending(pending, value);
    edit_put(edit, bytes_of(key, sizeof(key)), bytes_of(value, sizeof(value)));
}

void stream_delete_pending(struct edit *edit, const struct stream_group *group, struct stream_id id)
{
    uint8_t key[PENDING_KEY];
    pending_key(key, group, id);
    edit_delete(edit, bytes_of(key, sizeof(key)));
}

/* ---- all rows ---- */

static void emit_entries(const struct value *value, struct buf *rows)
{
    struct stream_walk walk = stream_walk(value, (struct stream_id){0}, STREAM_ID_MAX, false);
    struct stream_entry entry;
    struct buf out = {0};
    while (stream_next(&walk, &entry)) {
        uint8_t key[ENTRY_KEY];
        struct pack *pack = pack_new();
        uint32_t pair_count = entry.pair_count;
        for (uint32_t i = 0; i < pair_count; i++) {
            struct stream_text field, text;
            stream_entry_pair(&entry, &field, &text);
            pack = pack_append(pack, field.bytes);
            pack = pack_append(pack, text.bytes);
        }
        buf_clear(&out);
        put_le32(buf_extend(&out, 4), pair_count);
        buf_append(&out, pack_bytes(pack));
        pack_free(pack);
        entry_key(key, entry.id);
        value_put_row(rows, value->object_id, bytes_of(key, sizeof(key)), buf_bytes(&out));
    }
    buf_free(&out);
}

static void emit_group(const struct value *value, const struct stream_group *group,
                       struct buf *rows)
{
    struct edit edit = {.value = &stream_of(value)->value, .rows = rows};
    stream_put_group(&edit, group);
    for (uint32_t i = 0; i < group->consumer_count; i++)
        stream_put_consumer(&edit, group, group->consumers[i]);
    struct id_cursor cursor = id_map_first(&group->pending);
    for (const struct stream_pending *pending;
         (pending = id_map_at(&group->pending, cursor)) != NULL;
         id_map_next(&group->pending, &cursor))
        stream_put_pending(&edit, group, pending);
}

static void emit(const struct value *value, struct buf *rows)
{
    emit_entries(value, rows);
    for (uint32_t i = 0; i < stream_of(value)->group_count; i++)
        emit_group(value, stream_of(value)->groups[i], rows);
    production_emit(value, rows);
}

/* ---- K row ---- */

static size_t inline_size(const struct value *value)
{
    (void)value;
    return SIZE_MAX;
}

static void encode_inline(const struct value *value, struct buf *out)
{
    (void)value;
    (void)out;
    UNREACHABLE(); /* it has rows from its first entry of the log on */
}

static struct value *decode_inline(struct bytes bytes, const struct type_env *env)
{
    (void)bytes;
    (void)env;
    return NULL;
}

static void encode_head(const struct value *value, struct buf *out)
{
    const struct stream *stream = stream_of(value);
    bool is_head = value->form == VALUE_FORM_HEAD;
    uint8_t *at = buf_extend(out, HEAD_SIZE);
    put_id(at, stream->last_id);
    put_le64(at + 16, stream->entries_added);
    put_id(at + 24, stream->max_deleted_id);
    put_le32(at + 40, stream->first_unused);
    put_le32(at + 44, is_head ? stream->expected_groups : stream->group_count);
    put_le32(at + 48, is_head ? stream->expected_consumers : stream_count_consumers(stream));
    put_le64(at + 52, is_head ? stream->expected_pending : stream_count_pending(stream));
    if (stream->production != NULL)
        production_encode_head(stream->production, is_head, out);
}

static struct value *create_head(void)
{
    struct value *value = stream_create(NULL);
    value->form = VALUE_FORM_HEAD;
    return value;
}

static bool decode_head(struct value *value, struct bytes bytes)
{
    struct stream *stream = stream_of(value);
    if (bytes.size != HEAD_SIZE && bytes.size != HEAD_SIZE + PRODUCTION_HEAD_SIZE)
        return false;
    stream->last_id = get_id(bytes.data);
    stream->entries_added = get_le64(bytes.data + 16);
    stream->max_deleted_id = get_id(bytes.data + 24);
    stream->first_unused = get_le32(bytes.data + 40);
    stream->expected_groups = get_le32(bytes.data + 44);
    stream->expected_consumers = get_le32(bytes.data + 48);
    stream->expected_pending = get_le64(bytes.data + 52);
    if (bytes.size == HEAD_SIZE)
        return true;
    stream->production = production_decode_head(bytes.data + HEAD_SIZE);
    return stream->production != NULL;
}

/* ---- loading ---- */

static void load_begin(struct value **value, const struct type_env *env)
{
    (void)env;
    (*value)->form = STREAM_FORM_WHOLE;
}

enum { PAIRS_ON_STACK = 16 };

static bool load_entry(struct stream *stream, struct bytes element, struct bytes row_value,
                       const struct type_env *env)
{
    if (element.size != ENTRY_KEY || row_value.size < 4)
        return false;
    struct stream_id id = get_id_key(element.data + 1);
    uint32_t pair_count = get_le32(row_value.data);
    struct bytes rest = bytes_of(row_value.data + 4, row_value.size - 4);
    if (pair_count == 0 || pair_count > rest.size || stream_id_compare(id, stream->last_id) > 0 ||
        stream->loaded == stream->value.count)
        return false;
    struct pack *pack = pack_from_bytes(rest, 2 * pair_count);
    if (pack == NULL)
        return false;
    struct stream_text few_texts[2 * PAIRS_ON_STACK], *texts = few_texts;
    struct bytes few_pairs[2 * PAIRS_ON_STACK], *pairs = few_pairs;
    if (pair_count > PAIRS_ON_STACK) {
        texts = mem_alloc(2 * pair_count * sizeof(*texts));
        pairs = mem_alloc(2 * pair_count * sizeof(*pairs));
    }
    pack_position at = pack_first(pack);
    for (uint32_t i = 0; i < 2 * pair_count; i++, at = pack_next(pack, at))
        pairs[i] = pack_get(pack, at, texts[i].scratch);
    stream_add_entry(stream, id, pairs, pair_count, env);
    stream->loaded++;
    if (texts != few_texts) {
        mem_free(pairs);
        mem_free(texts);
    }
    pack_free(pack);
    return true;
}

static bool load_group(struct stream *stream, struct bytes element, struct bytes row_value)
{
    if (element.size != GROUP_KEY || row_value.size < GROUP_HEAD)
        return false;
    struct bytes name = bytes_of(row_value.data + GROUP_HEAD, row_value.size - GROUP_HEAD);
    if (stream_group_find(&stream->value, name) != NULL ||
        get_be32(element.data + 1) >= stream->first_unused)
        return false;
    struct stream_group *group = stream_group_insert(stream, get_be32(element.data + 1), name);
    group->last_id = get_id(row_value.data);
    group->entries_read = (int64_t)get_le64(row_value.data + 16);
    return true;
}

static bool load_consumer(struct stream *stream, struct bytes element, struct bytes row_value)
{
    if (element.size != CONSUMER_KEY || row_value.size < CONSUMER_HEAD)
        return false;
    struct stream_group *group = stream_group_of(stream, get_be32(element.data + 1));
    struct bytes name = bytes_of(row_value.data + CONSUMER_HEAD, row_value.size - CONSUMER_HEAD);
    if (group == NULL || stream_consumer_find(group, name) != NULL ||
        get_be32(element.data + 5) >= stream->first_unused)
        return false;
    struct stream_consumer *consumer =
        stream_consumer_insert(stream, group, get_be32(element.data + 5), name);
    consumer->seen_ms = (int64_t)get_le64(row_value.data);
    consumer->active_ms = (int64_t)get_le64(row_value.data + 8);
    return true;
}

static bool load_pending(struct stream *stream, struct bytes element, struct bytes row_value)
{
    if (element.size != PENDING_KEY || row_value.size != PENDING_SIZE)
        return false;
    struct stream_group *group = stream_group_of(stream, get_be32(element.data + 1));
    struct stream_consumer *consumer =
        group == NULL ? NULL : stream_consumer_of(group, get_le32(row_value.data));
    return consumer != NULL &&
           stream_pending_insert(stream, group, consumer, get_id_key(element.data + 5),
                                 (int64_t)get_le64(row_value.data + 4),
                                 get_le64(row_value.data + 12));
}

/* Rows come by prefix: entries, groups, consumers, pending, producers, their messages. */
static bool load_row(struct value **value, struct bytes element, struct bytes row_value,
                     const struct type_env *env)
{
    struct stream *stream = stream_of(*value);
    switch (element.size == 0 ? UINT8_MAX : element.data[0]) {
    case STREAM_ROW_ENTRY:
        return load_entry(stream, element, row_value, env);
    case STREAM_ROW_GROUP:
        return load_group(stream, element, row_value);
    case STREAM_ROW_CONSUMER:
        return load_consumer(stream, element, row_value);
    case STREAM_ROW_PENDING:
        return load_pending(stream, element, row_value);
    case PRODUCTION_ROW_PRODUCER:
        return production_load_producer(stream->production, element, row_value,
                                        stream->first_unused);
    case PRODUCTION_ROW_MESSAGE:
        return production_load_message(stream->production, element, row_value, env);
    default:
        return false;
    }
}

static bool load_end(struct value **value, const struct type_env *env)
{
    (void)env;
    const struct stream *stream = stream_of(*value);
    return stream->loaded == (*value)->count && stream->group_count == stream->expected_groups &&
           stream_count_consumers(stream) == stream->expected_consumers &&
           stream_count_pending(stream) == stream->expected_pending &&
           production_load_end(stream->production);
}

/* ---- the rest of the contract ---- */

static size_t memory(const struct value *value)
{
    const struct stream *stream = stream_of(value);
    return mem_size(stream) + stream->nodes.memory + stream->nodes_memory + stream->groups_memory +
           stream->maps_memory + production_memory(stream->production);
}

static const char *encoding(const struct value *value)
{
    (void)value;
    return "stream";
}

static void copy_nodes(const struct stream *stream, struct stream *twin)
{
    struct id_cursor cursor = id_map_first(&stream->nodes);
    for (const struct stream_node *node; (node = id_map_at(&stream->nodes, cursor)) != NULL;
         id_map_next(&stream->nodes, &cursor)) {
        bool is_new;
        struct stream_node *copy = id_map_put(&twin->nodes, node->first, &is_new);
        *copy = *node;
        copy->pack = pack_copy(node->pack);
        twin->nodes_memory += pack_memory(copy->pack);
    }
}

static void copy_group(const struct stream_group *group, struct stream *twin)
{
    struct stream_group *copy = stream_group_insert(twin, group->number, buf_bytes(&group->name));
    copy->last_id = group->last_id;
    copy->entries_read = group->entries_read;
    for (uint32_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        struct stream_consumer *its =
            stream_consumer_insert(twin, copy, consumer->number, buf_bytes(&consumer->name));
        its->seen_ms = consumer->seen_ms;
        its->active_ms = consumer->active_ms;
    }
    struct id_cursor cursor = id_map_first(&group->pending);
    for (const struct stream_pending *pending;
         (pending = id_map_at(&group->pending, cursor)) != NULL;
         id_map_next(&group->pending, &cursor))
        (void)stream_pending_insert(twin, copy, stream_consumer_of(copy, pending->consumer),
                                    pending->id, pending->delivered_ms, pending->times);
}

static struct value *copy(const struct value *value)
{
    const struct stream *stream = stream_of(value);
    struct stream *twin = stream_of(stream_create(NULL));
    twin->value.count = value->count;
    twin->last_id = stream->last_id;
    twin->max_deleted_id = stream->max_deleted_id;
    twin->entries_added = stream->entries_added;
    twin->first_unused = stream->first_unused;
    twin->production = production_copy(stream->production);
    copy_nodes(stream, twin);
    for (uint32_t i = 0; i < stream->group_count; i++)
        copy_group(stream->groups[i], twin);
    return &twin->value;
}

static uint64_t digest_id(struct stream_id id, uint64_t hash)
{
    return hash_bytes(bytes_of(&id, sizeof(id)), hash);
}

static uint64_t digest_group(const struct stream_group *group, uint64_t hash)
{
    hash = hash_bytes(buf_bytes(&group->name), digest_id(group->last_id, hash));
    for (uint32_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        hash = hash_bytes(buf_bytes(&consumer->name), hash ^ (uint64_t)consumer->seen_ms);
        hash = hash_bytes(bytes_of(&consumer->active_ms, sizeof(consumer->active_ms)), hash);
        struct id_cursor cursor = id_map_first(&consumer->pending);
        for (const struct stream_id *id; (id = id_map_at(&consumer->pending, cursor)) != NULL;
             id_map_next(&consumer->pending, &cursor)) {
            const struct stream_pending *pending = stream_pending_find(group, *id);
            hash = digest_id(*id, hash ^ (uint64_t)pending->delivered_ms ^ pending->times);
        }
    }
    return hash ^ (uint64_t)group->entries_read;
}

static uint64_t digest(const struct value *value)
{
    const struct stream *stream = stream_of(value);
    struct stream_walk walk = stream_walk(value, (struct stream_id){0}, STREAM_ID_MAX, false);
    struct stream_entry entry;
    uint64_t hash =
        digest_id(stream->last_id, digest_id(stream->max_deleted_id, stream->entries_added));
    while (stream_next(&walk, &entry)) {
        hash = digest_id(entry.id, hash);
        for (uint32_t i = entry.pair_count; i > 0; i--) {
            struct stream_text field, text;
            stream_entry_pair(&entry, &field, &text);
            hash = hash_bytes(field.bytes, hash_bytes(text.bytes, hash));
        }
    }
    for (uint32_t i = 0; i < stream->group_count; i++)
        hash = digest_group(stream->groups[i], hash);
    return hash ^ production_digest(stream->production);
}

static void check_group(const struct stream_group *group, uint32_t first_unused)
{
    uint64_t pending = 0;
    id_map_check(&group->pending);
    ASSERT(group->number < first_unused);
    for (uint32_t i = 0; i < group->consumer_count; i++) {
        ASSERT(group->consumers[i]->number < first_unused);
        id_map_check(&group->consumers[i]->pending);
        pending += group->consumers[i]->pending.count;
    }
    ASSERT(pending == group->pending.count);
}

static void check(const struct value *value)
{
    const struct stream *stream = stream_of(value);
    struct stream_walk walk = stream_walk(value, (struct stream_id){0}, STREAM_ID_MAX, false);
    struct stream_walk back = stream_walk(value, (struct stream_id){0}, STREAM_ID_MAX, true);
    struct stream_entry entry;
    struct stream_id last = {0};
    uint32_t count = 0, count_back = 0;
    for (; stream_next(&walk, &entry); count++) {
        ASSERT(count == 0 || stream_id_compare(last, entry.id) < 0);
        last = entry.id;
    }
    while (stream_next(&back, &entry))
        count_back++;
    ASSERT(count == value->count && count_back == count);
    ASSERT(stream_id_compare(last, stream->last_id) <= 0);
    id_map_check(&stream->nodes);
    for (uint32_t i = 0; i < stream->group_count; i++)
        check_group(stream->groups[i], stream->first_unused);
    production_check(stream->production);
}

const struct type stream_type = {
    .name = "stream",
    .may_be_empty = true,
    .create = stream_create,
    .free = stream_free,
    .memory = memory,
    .copy = copy,
    .encoding = encoding,
    .inline_size = inline_size,
    .encode_inline = encode_inline,
    .decode_inline = decode_inline,
    .encode_head = encode_head,
    .decode_head = decode_head,
    .create_head = create_head,
    .emit = emit,
    .load_begin = load_begin,
    .load_row = load_row,
    .load_end = load_end,
    .digest = digest,
    .check = check,
};
