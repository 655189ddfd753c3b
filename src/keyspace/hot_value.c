/* Changes of values that are not strings: between begin and end a type's functions have the value.
 */
#include "keyspace/hot_internal.h"

int64_t hot_due_ms(const struct object *object)
{
    int64_t expire_ms = object_expire_ms(object);
    int64_t due_ms = object->encoding == ENCODING_VALUE ? value_due_ms(object_pointer(object)) : 0;
    if (expire_ms == 0 || (due_ms != 0 && due_ms < expire_ms))
        return due_ms;
    return expire_ms;
}

void hot_edit_begin(struct hot *hot, struct object *object, enum object_type type,
                    struct edit *edit)
{
    ASSERT(hot->is_open);
    bool is_new = object == NULL || object->state == OBJECT_ABSENT;
    ASSERT(is_new || (object->state == OBJECT_LOADED && object->type == type &&
                      object->encoding == ENCODING_VALUE));
    struct value *value =
        is_new ? type_of((uint8_t)type)->create(&hot->env) : object_pointer(object);
    *edit = (struct edit){
        .value = value,
        .rows = value->object_id != 0 ? &hot->open_rows : NULL,
        .env = &hot->env,
        .object = is_new ? NULL : object,
        .rows_before = hot->open_rows.size,
        .memory_before = value_memory(value),
        .rows_size_before = value_rows_size(value),
        .due_before_ms = is_new ? 0 : hot_due_ms(object),
    };
}

/* Bytes that the change adds to the entry: element rows are there already, a value without grows by
 * what it would take if it had to leave the K row. */
static size_t change_size(const struct hot *hot, const struct edit *edit)
{
    if (edit->rows != NULL)
        return hot->open_rows.size - edit->rows_before;
    uint64_t size = value_rows_size(edit->value);
    uint64_t inline_size = size < VALUE_INLINE_MAX ? size : VALUE_INLINE_MAX;
    uint64_t growth = size > edit->rows_size_before ? size - edit->rows_size_before : 0;
    return growth > inline_size ? growth : inline_size;
}

static struct object *end_new(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                              struct bytes key, struct object *object, struct edit *edit,
                              bool has_changed)
{
    if (has_changed && !value_is_gone(edit->value))
        return hot_set_value(hot, keyspace, order, key, object, edit->value, 0);
    value_free(edit->value);
    return object;
}

struct object *hot_edit_end(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                            struct bytes key, struct object *object, struct edit *edit,
                            bool has_changed)
{
    struct value *value = edit->value;
    if (edit->object == NULL)
        return end_new(hot, keyspace, order, key, object, edit, has_changed);
    ASSERT(edit->object == object);
    ASSERT(has_changed || hot->open_rows.size == edit->rows_before);
    keyspace->memory += value_memory(value); /* the form may change without a change of content */
    keyspace->memory -= edit->memory_before;
    memcpy(object_tail(object), &value, sizeof(struct value *));
    if (!has_changed)
        return object;
    object = hot_touch_changed(hot, keyspace, object, edit->due_before_ms);
    hot->open_size += change_size(hot, edit);
    object->access = hot->clock;
    if (!value_is_gone(value))
        return object;
    hot_delete(hot, keyspace, object);
    return NULL;
}

struct object *hot_set_value(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                             struct bytes key, struct object *object, struct value *value,
                             int64_t expire_ms)
{
    ASSERT(value->object_id == 0 && value->form != VALUE_FORM_HEAD && !value_is_gone(value));
    object = hot_make_present(hot, keyspace, order, key, object);
    hot_discard_value(hot, keyspace, object);
    hot->open_size += value_rows_size(value);
    keyspace->memory += value_memory(value);
    return hot_put_tail(hot, keyspace, object, (enum object_type)value->type, ENCODING_VALUE,
                        bytes_of(&value, sizeof(struct value *)), expire_ms);
}

void hot_expire_elements(struct hot *hot, struct keyspace *keyspace, struct object *object,
                         int64_t now_ms)
{
    const struct type *type = type_of(object->type);
    struct edit edit;
    ASSERT(type != NULL && type->expire != NULL);
    hot_edit_begin(hot, object, (enum object_type)object->type, &edit);
    int64_t due_ms = value_due_ms(edit.value); /* may have been too early: then it moves on */
    bool has_changed = type->expire(&edit, now_ms) > 0 || value_due_ms(edit.value) != due_ms;
    (void)hot_edit_end(hot, keyspace, object->order, object_key(object), object, &edit,
                       has_changed);
}
