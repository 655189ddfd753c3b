/* Bringing objects from rows back into memory, and letting them go. */
#include "base/number.h"
#include "keyspace/head_row.h"
#include "keyspace/hot_internal.h"

struct object *hot_begin_load(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                              struct bytes key, struct object *object)
{
    if (object == NULL) {
        object = hot_object_new(keyspace, order, key);
        object->state = OBJECT_LOADING;
    } else {
        ASSERT(object->state == OBJECT_HEAD);
        object->state = OBJECT_LOADING_BODY;
    }
    object->is_stale = 0;
    object->access = hot->clock;
    return object;
}

static struct object *fill(struct hot *hot, struct keyspace *keyspace, struct object *object,
                           const struct head *head, enum object_encoding encoding,
                           struct bytes tail)
{
    object = hot_reshape(hot, keyspace, object, head->expire_ms != 0, tail.size, 0);
    if (head->expire_ms != 0)
        memcpy(object->data, &head->expire_ms, sizeof(head->expire_ms));
    if (tail.size > 0)
        memcpy(object_tail(object), tail.data, tail.size);
    object->type = head->type;
    object->encoding = (uint8_t)encoding;
    object->value_size = encoding == ENCODING_EMBEDDED ? (uint32_t)tail.size : 0;
    object->state = OBJECT_LOADED;
    object->is_logged = 1;
    return object;
}

static struct object *fill_raw(struct hot *hot, struct keyspace *keyspace, struct object *object,
                               const struct head *head, struct string_raw *raw)
{
    keyspace->memory += string_raw_memory(raw);
    return fill(hot, keyspace, object, head, ENCODING_RAW,
                bytes_of(&raw, sizeof(struct string_raw *)));
}

static struct object *fill_inline(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                  const struct head *head)
{
    int64_t number;
    if (head->size <= STRING_INT_TEXT_MAX && number_parse_i64(head->inlined, &number))
        return fill(hot, keyspace, object, head, ENCODING_INT, bytes_of(&number, sizeof(number)));
    if (head->size <= STRING_EMBEDDED_MAX)
        return fill(hot, keyspace, object, head, ENCODING_EMBEDDED, head->inlined);
    return fill_raw(hot, keyspace, object, head, string_raw_new(head->inlined, head->inlined.size));
}

static struct object *fill_chunked(struct hot *hot, struct keyspace *keyspace,
                                   struct object *object, const struct head *head,
                                   struct string_raw *raw)
{
    bool is_body = raw != NULL;
    if (!is_body)
        raw = mem_zero(sizeof(*raw));
    raw->object_id = head->object_id;
    raw->size = raw->logged_size = (uint32_t)head->size;
    object = fill_raw(hot, keyspace, object, head, raw);
    object->state = is_body ? OBJECT_LOADED : OBJECT_HEAD;
    return object;
}

static struct object *fill_value(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                 const struct head *head, struct value *body)
{
    struct value *value = body;
    if (value == NULL)
        value = value_decode(head->type, head->object_id, head->inlined, &hot->env);
    if (value == NULL)
        return NULL;
    ASSERT(value->object_id == head->object_id && value->type == head->type);
    keyspace->memory += value_memory(value);
    object =
        fill(hot, keyspace, object, head, ENCODING_VALUE, bytes_of(&value, sizeof(struct value *)));
    object->state = value->form == VALUE_FORM_HEAD ? OBJECT_HEAD : OBJECT_LOADED;
    return object;
}

struct object *hot_end_load(struct hot *hot, struct keyspace *keyspace, struct object *object,
                            bool has_row, struct bytes value, struct hot_body body)
{
    ASSERT(object->state == OBJECT_LOADING && object->encoding == ENCODING_NONE);
    ASSERT(!object->is_stale && !hot_is_ahead(hot, object));
    struct head head;
    if (has_row && !head_decode(value, &head))
        return NULL;
    if (!has_row) {
        object = hot_reshape(hot, keyspace, object, false, 0, 0);
        object->state = OBJECT_ABSENT;
        object->type = TYPE_NONE;
        object->is_logged = 0;
        return object;
    }
    if (head.type != TYPE_STRING)
        return fill_value(hot, keyspace, object, &head, body.value);
    if (head.object_id != 0)
        return fill_chunked(hot, keyspace, object, &head, body.raw);
    ASSERT(body.raw == NULL);
    return fill_inline(hot, keyspace, object, &head);
}

static void end_value_body(struct hot *hot, struct keyspace *keyspace, struct object *object,
                           struct value *value)
{
    const struct value *head = object_pointer(object);
    ASSERT(head->form == VALUE_FORM_HEAD && value->form != VALUE_FORM_HEAD);
    ASSERT(value->count == head->count && value->object_id == head->object_id);
    hot_value_free(hot, keyspace, object);
    keyspace->memory += value_memory(value);
    memcpy(object_tail(object), &value, sizeof(struct value *));
    object->encoding = ENCODING_VALUE;
    object->state = OBJECT_LOADED;
}

void hot_end_body(struct hot *hot, struct keyspace *keyspace, struct object *object,
                  struct hot_body body)
{
    ASSERT(object->state == OBJECT_LOADING_BODY && !object->is_stale);
    if (object->encoding == ENCODING_VALUE) {
        end_value_body(hot, keyspace, object, body.value);
        return;
    }
    struct string_raw *raw = body.raw;
    ASSERT(object->encoding == ENCODING_RAW);
    struct string_raw *head = object_pointer(object);
    ASSERT(raw->size == head->size && head->logged_size == head->size);
    raw->object_id = head->object_id;
    raw->logged_size = head->logged_size;
    hot_value_free(hot, keyspace, object);
    keyspace->memory += string_raw_memory(raw);
    memcpy(object_tail(object), &raw, sizeof(struct string_raw *));
    object->encoding = ENCODING_RAW;
    object->state = OBJECT_LOADED;
}

void hot_cancel_load(struct hot *hot, struct keyspace *keyspace, struct object *object)
{
    if (object->state == OBJECT_LOADING_BODY && !object->is_stale) {
        object->state = OBJECT_HEAD;
        return;
    }
    ASSERT(object->state == OBJECT_LOADING || object->state == OBJECT_LOADING_BODY);
    hot_object_drop(hot, keyspace, object);
    keyspace->is_complete = false;
}

bool hot_pin(struct object *object)
{
    enum { PINS_MAX = 15 };
    if (object->pins == PINS_MAX)
        return false;
    object->pins++;
    return true;
}

void hot_unpin(struct keyspace *keyspace, uint64_t order, struct bytes key)
{
    struct object *object = table_find(&keyspace->table, order, key);
    if (object != NULL && object->pins > 0)
        object->pins--;
}

void hot_filter_found(struct keyspace *keyspace, uint64_t order)
{
    ASSERT(!keyspace->filter_is_whole);
    filter_add(keyspace->filter, order);
}

void hot_filter_done(struct keyspace *keyspace)
{
    keyspace->filter_is_whole = true;
}
