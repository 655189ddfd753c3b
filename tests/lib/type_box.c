#include "type_box.h"

enum { OBJECT_ID_SIZE = 8, ROW_PREFIX = 1 + OBJECT_ID_SIZE };

static void fold(struct type_box *box)
{
    row_map_fold(&box->rows, buf_bytes(&box->out));
    buf_clear(&box->out);
}

void type_box_init(struct type_box *box, enum object_type type, const struct type_env *env)
{
    *box = (struct type_box){.type = type_of((uint8_t)type), .env = *env};
    box->value = box->type->create(&box->env);
}

void type_box_fini(struct type_box *box)
{
    value_free(box->value);
    row_map_free(&box->rows);
    buf_free(&box->out);
}

struct edit type_box_begin(struct type_box *box)
{
    return (struct edit){.value = box->value,
                         .rows = box->value->object_id == 0 ? NULL : &box->out,
                         .env = &box->env};
}

void type_box_get_rows(struct type_box *box)
{
    if (box->value->object_id != 0)
        return;
    box->value->object_id = TYPE_BOX_ID;
    box->type->emit(box->value, &box->out);
    fold(box);
}

void type_box_end(struct type_box *box, const struct edit *edit)
{
    box->value = edit->value;
    fold(box);
    if (box->type->inline_size(box->value) > VALUE_INLINE_MAX)
        type_box_get_rows(box);
}

struct value *type_box_load(enum object_type type, struct bytes k_row, const struct row_map *rows,
                            const struct type_env *env)
{
    const struct type *its = type_of((uint8_t)type);
    struct value *value = value_decode((uint8_t)type, TYPE_BOX_ID, k_row, env);
    if (value == NULL)
        return NULL;
    its->load_begin(&value, env);
    bool is_good = true;
    for (size_t i = 0; is_good && i < rows->count; i++) {
        struct bytes key = buf_bytes(&rows->items[i].key);
        struct bytes element = bytes_of(key.data + ROW_PREFIX, key.size - ROW_PREFIX);
        is_good = its->load_row(&value, element, buf_bytes(&rows->items[i].value), env);
    }
    if (is_good && its->load_end(&value, env))
        return value;
    value_free(value);
    return NULL;
}

static void check_equal(const struct type_box *box, const struct value *other)
{
    ASSERT(other != NULL);
    box->type->check(other);
    ASSERT(other->count == box->value->count);
    ASSERT(box->type->digest(other) == box->type->digest(box->value));
}

static void check_copy(const struct type_box *box)
{
    struct value *twin = box->type->copy(box->value);
    ASSERT(twin->object_id == 0);
    check_equal(box, twin);
    value_free(twin);
}

static void check_inline(const struct type_box *box, const struct type_env *other)
{
    struct buf out = {0};
    if (box->value->count == 0 || box->type->inline_size(box->value) > VALUE_INLINE_MAX)
        return;
    box->type->encode_inline(box->value, &out);
    ASSERT(out.size == box->type->inline_size(box->value));
    struct value *same = box->type->decode_inline(buf_bytes(&out), &box->env);
    struct value *in_other = box->type->decode_inline(buf_bytes(&out), other);
    check_equal(box, same);
    check_equal(box, in_other);
    value_free(same);
    value_free(in_other);
    buf_free(&out);
}

static void check_rows(struct type_box *box, const struct type_env *other)
{
    struct row_map emitted = {0};
    struct buf k_row = {0};
    box->type->emit(box->value, &box->out);
    row_map_fold(&emitted, buf_bytes(&box->out));
    buf_clear(&box->out);
    ASSERT(row_map_equal(&emitted, &box->rows));
    row_map_free(&emitted);

    value_encode(box->value, &k_row);
    struct bytes behind = bytes_of(k_row.data + OBJECT_ID_SIZE, k_row.size - OBJECT_ID_SIZE);
    enum object_type type = (enum object_type)box->value->type;
    struct value *same = type_box_load(type, behind, &box->rows, &box->env);
    struct value *in_other = type_box_load(type, behind, &box->rows, other);
    check_equal(box, same);
    check_equal(box, in_other);
    value_free(in_other);
    value_free(box->value);
    box->value = same;
    buf_free(&k_row);
}

void type_box_check(struct type_box *box, const struct type_env *other)
{
    box->type->check(box->value);
    check_copy(box);
    check_inline(box, other);
    if (box->value->object_id != 0 && !value_is_gone(box->value))
        check_rows(box, other);
}
