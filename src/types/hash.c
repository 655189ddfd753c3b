#include "types/hash.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "types/due_heap.h"
#include "types/elements.h"
#include "types/pack.h"

enum {
    FORM_PACK = 1,     /* field, value */
    FORM_PACK_DUE = 2, /* field, value, expire_ms */
    FORM_TABLE = 3,
    INLINE_HEAD_SIZE = 3,
    ROW_HAS_EXPIRE = 1,
};

struct hash_table {
    struct elements *elements;
    struct due_heap heap; /* of fields with an expiry, and of some that had it once */
};

struct hash {
    struct value value;
    union {
        struct pack *pack;
        struct hash_table *table;
    };
    int64_t due_ms; /* as the head has it: no field dies before; 0: none dies */
};

static struct hash *hash_of(const struct value *value)
{
    ASSERT(value->type == TYPE_HASH);
    return (struct hash *)(uintptr_t)value; // NOLINT: const goes, as in strchr
}

static struct hash *hash_new(uint8_t form)
{
    struct hash *hash = mem_zero(sizeof(*hash));
    hash->value.type = TYPE_HASH;
    hash->value.form = form;
    return hash;
}

static struct value *create(const struct type_env *env)
{
    (void)env;
    struct hash *hash = hash_new(FORM_PACK);
    hash->pack = pack_new();
    return &hash->value;
}

static struct value *create_head(void)
{
    return &hash_new(VALUE_FORM_HEAD)->value;
}

static bool is_packed(const struct hash *hash)
{
    return hash->value.form == FORM_PACK || hash->value.form == FORM_PACK_DUE;
}

bool hash_is_packed(const struct value *value)
{
    return is_packed(hash_of(value));
}

static uint32_t stride_of(const struct hash *hash)
{
    return hash->value.form == FORM_PACK_DUE ? 3 : 2;
}

static void free_table(struct hash_table *table)
{
    elements_free(table->elements);
    due_heap_free(&table->heap);
    mem_free(table);
}

static void free_hash(struct value *value)
{
    struct hash *hash = hash_of(value);
    if (is_packed(hash))
        pack_free(hash->pack);
    else if (hash->value.form == FORM_TABLE)
        free_table(hash->table);
    mem_free(hash);
}

static size_t memory(const struct value *value)
{
    const struct hash *hash = hash_of(value);
    size_t size = mem_size(hash);
    if (is_packed(hash))
        return size + pack_memory(hash->pack);
    if (hash->value.form != FORM_TABLE)
        return size;
    return size + mem_size(hash->table) + elements_memory(hash->table->elements) +
           due_heap_memory(&hash->table->heap);
}

static const char *encoding(const struct value *value)
{
    const struct hash *hash = hash_of(value);
    if (hash->value.form == FORM_TABLE)
        return "hashtable";
    return hash->value.form == FORM_PACK_DUE ? "listpackex" : "listpack";
}

/* ---- looking ---- */

/* The item whose field stands at `at` of the pack; *after is the next field. */
static void read_packed(const struct hash *hash, pack_position at, struct hash_item *item,
                        pack_position *after)
{
    item->field = pack_get(hash->pack, at, item->field_scratch);
    at = pack_next(hash->pack, at);
    item->value = pack_get(hash->pack, at, item->value_scratch);
    item->expire_ms = 0;
    if (hash->value.form == FORM_PACK_DUE) {
        at = pack_next(hash->pack, at);
        bool is_number = pack_get_int(hash->pack, at, &item->expire_ms);
        ASSERT(is_number);
    }
    *after = pack_next(hash->pack, at);
}

static void read_element(const struct element *element, struct hash_item *item)
{
    item->field = element_key(element);
    item->value = element_value(element);
    item->expire_ms = element_expire_ms(element);
}

static pack_position find_packed(const struct hash *hash, struct bytes field)
{
    return pack_find(hash->pack, pack_first(hash->pack), field, stride_of(hash) - 1);
}

bool hash_get(const struct value *value, struct bytes field, struct hash_item *item)
{
    const struct hash *hash = hash_of(value);
    if (is_packed(hash)) {
        pack_position at = find_packed(hash, field), after;
        if (at == PACK_END)
            return false;
        read_packed(hash, at, item, &after);
        return true;
    }
    ASSERT(hash->value.form == FORM_TABLE);
    const struct element *element = elements_find(hash->table->elements, field);
    if (element == NULL)
        return false;
    read_element(element, item);
    return true;
}

/* cursor in a pack: position of the next field + 1; PACK_END + 1 at the end. */
bool hash_next(const struct value *value, uint64_t *cursor, struct hash_item *item)
{
    const struct hash *hash = hash_of(value);
    if (!is_packed(hash)) {
        const struct element *element = elements_next(hash->table->elements, cursor);
        if (element != NULL)
            read_element(element, item);
        return element != NULL;
    }
    pack_position at = *cursor == 0 ? pack_first(hash->pack) : (pack_position)(*cursor - 1);
    if (at == PACK_END)
        return false;
    read_packed(hash, at, item, &at);
    *cursor = (uint64_t)at + 1;
    return true;
}

void hash_sample(const struct value *value, uint64_t random, struct hash_item *item)
{
    const struct hash *hash = hash_of(value);
    ASSERT(value->count > 0);
    if (!is_packed(hash)) {
        read_element(elements_sample(hash->table->elements, random), item);
        return;
    }
    pack_position after;
    int64_t index = (int64_t)(random % value->count) * stride_of(hash);
    read_packed(hash, pack_at(hash->pack, index), item, &after);
}

uint64_t hash_scan(const struct value *value, uint64_t cursor, uint64_t count,
                   void (*visit)(void *context, const struct hash_item *item), void *context)
{
    const struct hash *hash = hash_of(value);
    struct hash_item item;
    if (is_packed(hash)) {
        for (uint64_t at = 0; hash_next(value, &at, &item);)
            visit(context, &item);
        return 0;
    }
    struct buf found = {0};
    uint64_t next = elements_scan(hash->table->elements, cursor, count, &found);
    for (size_t at = 0; at < found.size; at += sizeof(struct element *)) {
        struct element *element;
        memcpy(&element, found.data + at, sizeof(struct element *));
        read_element(element, &item);
        visit(context, &item);
    }
    buf_free(&found);
    return next;
}

/* ---- rows ---- */

static void encode_row(struct bytes field, struct bytes value, int64_t expire_ms,
                       struct buf *element, struct buf *row_value)
{
    value_encode_name(0, field, element, row_value);
    buf_append_u8(row_value, expire_ms != 0 ? ROW_HAS_EXPIRE : 0);
    if (expire_ms != 0)
        put_le64(buf_extend(row_value, 8), (uint64_t)expire_ms);
    buf_append(row_value, value);
}

static void put_row(struct edit *edit, struct bytes field, struct bytes value, int64_t expire_ms)
{
    if (edit->rows == NULL)
        return;
    struct buf element = {0}, row_value = {0};
    encode_row(field, value, expire_ms, &element, &row_value);
    edit_put(edit, buf_bytes(&element), buf_bytes(&row_value));
    buf_free(&element);
    buf_free(&row_value);
}

static void delete_row(struct edit *edit, struct bytes field)
{
    if (edit->rows == NULL)
        return;
    struct buf element = {0}, ignored = {0};
    value_encode_name(0, field, &element, &ignored);
    edit_delete(edit, buf_bytes(&element));
    buf_free(&element);
    buf_free(&ignored);
}

static void emit(const struct value *value, struct buf *rows)
{
    struct hash_item item;
    struct buf element = {0}, row_value = {0};
    for (uint64_t cursor = 0; hash_next(value, &cursor, &item);) {
        buf_clear(&element);
        buf_clear(&row_value);
        encode_row(item.field, item.value, item.expire_ms, &element, &row_value);
        value_put_row(rows, value->object_id, buf_bytes(&element), buf_bytes(&row_value));
    }
    buf_free(&element);
    buf_free(&row_value);
}

/* ---- when fields die ---- */

static void note_due(struct hash *hash, int64_t expire_ms)
{
    if (expire_ms != 0 && (hash->due_ms == 0 || expire_ms < hash->due_ms))
        hash->due_ms = expire_ms;
}

/* What a pack holds is looked at whole: then an inline value's due time is what its row tells. */
static void settle_due(struct hash *hash)
{
    if (!is_packed(hash))
        return;
    hash->due_ms = 0;
    struct hash_item item;
    for (uint64_t cursor = 0;
         hash->value.form == FORM_PACK_DUE && hash_next(&hash->value, &cursor, &item);)
        note_due(hash, item.expire_ms);
}

static void add_due(struct hash_table *table, const struct element *element)
{
    if (!element->has_expire)
        return;
    due_heap_push(&table->heap, element_expire_ms(element), element_key(element));
}

static void rebuild_heap(struct hash_table *table)
{
    uint64_t cursor = 0;
    due_heap_free(&table->heap);
    for (const struct element *at; (at = elements_next(table->elements, &cursor)) != NULL;)
        add_due(table, at);
}

static int64_t due_ms(const struct value *value)
{
    return hash_of(value)->due_ms;
}

/* ---- forms ---- */

static void to_table(struct hash *hash, const struct type_env *env)
{
    struct hash_table *table = mem_zero(sizeof(*table));
    table->elements = elements_new(env->hash_seed);
    struct hash_item item;
    for (uint64_t cursor = 0; hash_next(&hash->value, &cursor, &item);) {
        struct element *element = element_new(item.field, item.value, item.expire_ms);
        elements_insert(table->elements, element);
        add_due(table, element);
    }
    pack_free(hash->pack);
    hash->table = table;
    hash->value.form = FORM_TABLE;
}

static void to_triples(struct hash *hash)
{
    struct pack *pack = pack_new();
    struct hash_item item;
    for (uint64_t cursor = 0; hash_next(&hash->value, &cursor, &item);) {
        pack = pack_append(pack, item.field);
        pack = pack_append(pack, item.value);
        pack = pack_append(pack, BYTES_LITERAL("0"));
    }
    pack_free(hash->pack);
    hash->pack = pack;
    hash->value.form = FORM_PACK_DUE;
}

static bool is_long(struct bytes text, const struct type_env *env)
{
    return (int64_t)text.size > env->hash_max_listpack_value;
}

/* ---- changing ---- */

static struct bytes number_text(char *scratch, int64_t value)
{
    return bytes_of(scratch, number_format_i64(scratch, value));
}

/* at: where the field stands, or PACK_END. */
static void put_packed(struct hash *hash, pack_position at, struct bytes field, struct bytes value,
                       int64_t expire_ms)
{
    char scratch[HASH_SCRATCH];
    bool has_due = hash->value.form == FORM_PACK_DUE;
    if (at == PACK_END) {
        hash->pack = pack_append(hash->pack, field);
        hash->pack = pack_append(hash->pack, value);
        if (has_due)
            hash->pack = pack_append(hash->pack, number_text(scratch, expire_ms));
        return;
    }
    at = pack_next(hash->pack, at);
    hash->pack = pack_replace(hash->pack, at, value);
    if (has_due)
        hash->pack =
            pack_replace(hash->pack, pack_next(hash->pack, at), number_text(scratch, expire_ms));
}

static void put_element(struct hash *hash, struct element *old, struct bytes field,
                        struct bytes value, int64_t expire_ms)
{
    struct hash_table *table = hash->table;
    struct element *element = element_new(field, value, expire_ms);
    bool is_new_due = expire_ms != 0 && (old == NULL || element_expire_ms(old) != expire_ms);
    if (old == NULL)
        elements_insert(table->elements, element);
    else
        elements_replace(table->elements, old, element);
    if (is_new_due)
        add_due(table, element);
    if (due_heap_count(&table->heap) > 2 * elements_count(table->elements) + 64)
        rebuild_heap(table);
}

/* Room for a field in the form there is, or another form. */
static void prepare(struct hash *hash, struct bytes field, struct bytes value, int64_t expire_ms,
                    bool is_new, const struct type_env *env)
{
    bool is_full = is_new && (int64_t)hash->value.count >= env->hash_max_listpack_entries;
    if (is_full || is_long(field, env) || is_long(value, env))
        to_table(hash, env);
    else if (expire_ms != 0 && hash->value.form == FORM_PACK)
        to_triples(hash);
}

bool hash_put(struct edit *edit, struct bytes field, struct bytes value, int64_t expire_ms)
{
    struct hash *hash = hash_of(edit->value);
    struct hash_item item = {0};
    bool is_new = !hash_get(edit->value, field, &item);
    if (expire_ms == HASH_KEEP_EXPIRE)
        expire_ms = item.expire_ms;
    if (is_packed(hash))
        prepare(hash, field, value, expire_ms, is_new, edit->env);
    if (is_packed(hash))
        put_packed(hash, is_new ? PACK_END : find_packed(hash, field), field, value, expire_ms);
    else
        put_element(hash, is_new ? NULL : elements_find(hash->table->elements, field), field, value,
                    expire_ms);
    hash->value.count += is_new;
    note_due(hash, expire_ms);
    if (item.expire_ms != 0)
        settle_due(hash);
    put_row(edit, field, value, expire_ms);
    return is_new;
}

void hash_expect(struct edit *edit, uint64_t count)
{
    struct hash *hash = hash_of(edit->value);
    ASSERT(hash->value.count == 0);
    if (!is_packed(hash) || count <= (uint64_t)edit->env->hash_max_listpack_entries)
        return;
    to_table(hash, edit->env);
    elements_reserve(hash->table->elements, count);
}

bool hash_remove(struct edit *edit, struct bytes field)
{
    struct hash *hash = hash_of(edit->value);
    if (is_packed(hash)) {
        pack_position at = find_packed(hash, field);
        if (at == PACK_END)
            return false;
        delete_row(edit, field);
        hash->pack = pack_remove(hash->pack, at, stride_of(hash));
        settle_due(hash);
    } else {
        struct element *element = elements_find(hash->table->elements, field);
        if (element == NULL)
            return false;
        delete_row(edit, field); /* before: the name may be the element's own */
        elements_remove(hash->table->elements, element);
        element_free(element);
    }
    hash->value.count--;
    return true;
}

/* ---- expiring ---- */

static uint32_t expire_packed(struct edit *edit, int64_t now_ms)
{
    struct hash *hash = hash_of(edit->value);
    struct hash_item item;
    uint32_t removed = 0;
    for (pack_position at = pack_first(hash->pack); at != PACK_END;) {
        pack_position after;
        read_packed(hash, at, &item, &after);
        if (item.expire_ms == 0 || item.expire_ms > now_ms) {
            at = after;
            continue;
        }
        delete_row(edit, item.field);
        hash->pack = pack_remove(hash->pack, at, stride_of(hash));
        at = pack_here(hash->pack, at);
        removed++;
    }
    hash->value.count -= removed;
    settle_due(hash);
    return removed;
}

/* The heap may name a field that has another expiry now, or is gone. */
static bool expire_top(struct edit *edit)
{
    struct hash_table *table = hash_of(edit->value)->table;
    struct due_item due = due_heap_pop(&table->heap);
    struct element *element = elements_find(table->elements, due_item_name(&due));
    bool is_due = element != NULL && element_expire_ms(element) == due.due_ms;
    if (is_due) {
        elements_remove(table->elements, element);
        delete_row(edit, element_key(element));
        element_free(element);
        edit->value->count--;
    }
    due_item_free(&due);
    return is_due;
}

static uint32_t expire(struct edit *edit, int64_t now_ms)
{
    struct hash *hash = hash_of(edit->value);
    if (is_packed(hash))
        return expire_packed(edit, now_ms);
    struct due_heap *heap = &hash->table->heap;
    uint32_t removed = 0;
    for (int i = 0; i < HASH_EXPIRE_BATCH; i++) {
        int64_t next_ms = due_heap_top_ms(heap);
        if (next_ms == 0 || next_ms > now_ms)
            break;
        removed += expire_top(edit);
    }
    hash->due_ms = due_heap_top_ms(heap);
    return removed;
}

/* ---- K rows ---- */

static size_t inline_size(const struct value *value)
{
    const struct hash *hash = hash_of(value);
    return is_packed(hash) ? INLINE_HEAD_SIZE + pack_size(hash->pack) : SIZE_MAX;
}

static void encode_inline(const struct value *value, struct buf *out)
{
    const struct hash *hash = hash_of(value);
    ASSERT(value->count <= UINT16_MAX);
    buf_append_u8(out, (uint8_t)stride_of(hash));
    put_le16(buf_extend(out, 2), (uint16_t)value->count);
    buf_append(out, pack_bytes(hash->pack));
}

/* Fields are distinct and expiries are times. */
static bool is_sound(struct hash *hash)
{
    for (pack_position at = pack_first(hash->pack); at != PACK_END;) {
        struct hash_item item;
        pack_position after;
        if (hash->value.form == FORM_PACK_DUE) {
            int64_t ignored;
            pack_position expiry = pack_next(hash->pack, pack_next(hash->pack, at));
            if (!pack_get_int(hash->pack, expiry, &ignored) || ignored < 0)
                return false;
        }
        read_packed(hash, at, &item, &after);
        if (find_packed(hash, item.field) != at)
            return false;
        at = after;
    }
    return true;
}

static struct value *decode_inline(struct bytes bytes, const struct type_env *env)
{
    (void)env;
    if (bytes.size < INLINE_HEAD_SIZE || (bytes.data[0] != 2 && bytes.data[0] != 3))
        return NULL;
    uint32_t count = get_le16(bytes.data + 1), stride = bytes.data[0];
    struct bytes rest = bytes_of(bytes.data + INLINE_HEAD_SIZE, bytes.size - INLINE_HEAD_SIZE);
    struct pack *pack = count == 0 ? NULL : pack_from_bytes(rest, count * stride);
    if (pack == NULL)
        return NULL;
    struct hash *hash = hash_new(stride == 3 ? FORM_PACK_DUE : FORM_PACK);
    hash->pack = pack;
    hash->value.count = count;
    if (is_sound(hash)) {
        settle_due(hash);
        return &hash->value;
    }
    free_hash(&hash->value);
    return NULL;
}

static void encode_head(const struct value *value, struct buf *out)
{
    if (hash_of(value)->due_ms != 0)
        put_le64(buf_extend(out, 8), (uint64_t)hash_of(value)->due_ms);
}

static bool decode_head(struct value *value, struct bytes bytes)
{
    if (bytes.size == 8)
        hash_of(value)->due_ms = (int64_t)get_le64(bytes.data);
    return bytes.size == 0 || (bytes.size == 8 && hash_of(value)->due_ms > 0);
}

/* ---- loading ---- */

static void load_begin(struct value **value, const struct type_env *env)
{
    struct hash *hash = hash_of(*value);
    if ((int64_t)hash->value.count <= env->hash_max_listpack_entries) {
        hash->pack = pack_new();
        hash->value.form = FORM_PACK;
        return;
    }
    hash->table = mem_zero(sizeof(*hash->table));
    hash->table->elements = elements_new(env->hash_seed);
    hash->value.form = FORM_TABLE;
}

static bool decode_row(struct bytes element, struct bytes row_value, struct hash_item *item)
{
    uint8_t prefix;
    struct bytes rest;
    if (!value_decode_name(element, row_value, &prefix, &item->field, &rest) || prefix != 0 ||
        rest.size < 1 || rest.data[0] > ROW_HAS_EXPIRE)
        return false;
    bool has_expire = rest.data[0] == ROW_HAS_EXPIRE;
    rest = bytes_of(rest.data + 1, rest.size - 1);
    item->expire_ms = 0;
    if (has_expire) {
        if (rest.size < 8)
            return false;
        item->expire_ms = (int64_t)get_le64(rest.data);
        rest = bytes_of(rest.data + 8, rest.size - 8);
    }
    item->value = rest;
    return !has_expire || item->expire_ms > 0;
}

/* value.count is what the head says until the end: what is there is counted by the form itself. */
static uint64_t loaded_count(const struct hash *hash)
{
    return is_packed(hash) ? pack_count(hash->pack) / stride_of(hash)
                           : elements_count(hash->table->elements);
}

static bool load_row(struct value **value, struct bytes element, struct bytes row_value,
                     const struct type_env *env)
{
    struct hash *hash = hash_of(*value);
    struct hash_item item;
    if (!decode_row(element, row_value, &item) || loaded_count(hash) == hash->value.count)
        return false;
    bool is_small = is_packed(hash);
    if (is_small)
        prepare(hash, item.field, item.value, item.expire_ms, false, env);
    if (is_packed(hash)) {
        put_packed(hash, PACK_END, item.field, item.value, item.expire_ms);
        return true;
    }
    struct element *loaded = element_new(item.field, item.value, item.expire_ms);
    if (elements_should_reserve(elements_count(hash->table->elements), hash->value.count))
        elements_reserve(hash->table->elements, hash->value.count);
    bool is_new = elements_add(hash->table->elements, loaded);
    if (is_new && item.expire_ms != 0)
        add_due(hash->table, loaded);
    if (!is_new)
        element_free(loaded);
    return is_new;
}

/* When the first field dies; 0: none does. The heap is as it was filled. */
static int64_t earliest_due(const struct hash *hash)
{
    int64_t earliest = 0;
    struct hash_item item;
    if (!is_packed(hash))
        return due_heap_top_ms(&hash->table->heap);
    for (uint64_t cursor = 0;
         hash->value.form == FORM_PACK_DUE && hash_next(&hash->value, &cursor, &item);) {
        if (item.expire_ms != 0 && (earliest == 0 || item.expire_ms < earliest))
            earliest = item.expire_ms;
    }
    return earliest;
}

/* A head that tells a later time than the first field dies at, or none, would let it live. */
static bool load_end(struct value **value, const struct type_env *env)
{
    (void)env;
    struct hash *hash = hash_of(*value);
    int64_t earliest = earliest_due(hash);
    bool is_known = earliest == 0 || (hash->due_ms != 0 && hash->due_ms <= earliest);
    return is_known && loaded_count(hash) == hash->value.count;
}

/* ---- the rest of the contract ---- */

static struct value *copy(const struct value *value)
{
    const struct hash *hash = hash_of(value);
    struct hash *twin = hash_new(hash->value.form);
    twin->value.count = value->count;
    twin->due_ms = hash->due_ms;
    if (is_packed(hash)) {
        twin->pack = pack_copy(hash->pack);
        settle_due(twin);
        return &twin->value;
    }
    twin->table = mem_zero(sizeof(*twin->table));
    twin->table->elements = elements_twin(hash->table->elements);
    elements_reserve(twin->table->elements, value->count);
    struct hash_item item;
    for (uint64_t cursor = 0; hash_next(value, &cursor, &item);)
        put_element(twin, NULL, item.field, item.value, item.expire_ms);
    return &twin->value;
}

static uint64_t digest(const struct value *value)
{
    struct hash_item item;
    uint64_t sum = 0;
    for (uint64_t cursor = 0; hash_next(value, &cursor, &item);)
        sum += hash_bytes(item.field, hash_bytes(item.value, (uint64_t)item.expire_ms));
    return sum;
}

static void check(const struct value *value)
{
    struct hash *hash = hash_of(value);
    ASSERT(loaded_count(hash) == value->count);
    if (is_packed(hash))
        ASSERT(is_sound(hash));
    else
        elements_check(hash->table->elements);
    struct hash_item item;
    for (uint64_t cursor = 0; hash_next(value, &cursor, &item);)
        ASSERT(item.expire_ms == 0 || (hash->due_ms != 0 && hash->due_ms <= item.expire_ms));
}

const struct type hash_type = {
    .name = "hash",
    .create = create,
    .free = free_hash,
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
    .due_ms = due_ms,
    .expire = expire,
    .digest = digest,
    .check = check,
};
