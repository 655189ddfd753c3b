/* Any bytes as a value from a disk: inline, and as a K row with element rows. What is taken must be
 * sound; nothing may assert. Blind inputs would be refused at the first byte, so most kinds begin
 * with what is right.
 *
 *   input  := kind:u8 mod 4: 0 inline bytes
 *           | 1 (at:u8 byte:u8)*                           changes to the inline bytes of a good
 * one | 2 (what:u8 row:u8 at:u8 byte:u8)*            changes to its K row and its rows | 3 count:u8
 * (element_size:u8 value_size:u8 element value)* what   := mod 6: a byte of the element, of the
 * value, of the K row is changed; the row goes; the value is cut; it gets another byte */
#pragma once

#include "type_box.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct type_fuzz {
    enum object_type type;
    void (*fill)(struct edit *edit, bool is_large); /* large: too large for a K row */
    struct type_env env, other;                     /* thresholds of one form and of another */
};

/* What was taken goes the same way again. */
static void fuzz_inline(const struct type_fuzz *fuzz, struct bytes bytes)
{
    const struct type *type = type_of((uint8_t)fuzz->type);
    struct value *value = type->decode_inline(bytes, &fuzz->env);
    struct buf out = {0};
    if (value == NULL)
        return;
    type->check(value);
    type->encode_inline(value, &out);
    ASSERT(out.size == type->inline_size(value));
    struct value *again = type->decode_inline(buf_bytes(&out), &fuzz->other);
    ASSERT(again != NULL && type->digest(again) == type->digest(value));
    value_free(again);
    value_free(value);
    buf_free(&out);
}

static void fuzz_changed(const struct type_fuzz *fuzz, struct bytes changes)
{
    struct edit edit = edit_detached(fuzz->type, &fuzz->env);
    struct buf bytes = {0};
    fuzz->fill(&edit, false);
    const struct type *type = type_of((uint8_t)fuzz->type);
    if (type->inline_size(edit.value) <= VALUE_INLINE_MAX)
        type->encode_inline(edit.value, &bytes);
    value_free(edit.value);
    for (size_t i = 0; bytes.size > 0 && i + 1 < changes.size; i += 2)
        bytes.data[changes.data[i] % bytes.size] = changes.data[i + 1];
    fuzz_inline(fuzz, buf_bytes(&bytes));
    buf_free(&bytes);
}

/* What loads is sound, and loads again from its own rows. */
static void fuzz_load(const struct type_fuzz *fuzz, struct bytes k_row, const struct row_map *rows,
                      const struct type_env *env)
{
    const struct type *type = type_of((uint8_t)fuzz->type);
    struct value *value = type_box_load(fuzz->type, k_row, rows, env);
    if (value == NULL)
        return;
    type->check(value);
    struct row_map emitted = {0};
    struct buf out = {0}, head = {0};
    type->emit(value, &out);
    row_map_fold(&emitted, buf_bytes(&out));
    value_encode(value, &head);
    struct value *again =
        type_box_load(fuzz->type, bytes_of(head.data + 8, head.size - 8), &emitted, env);
    ASSERT(again != NULL && type->digest(again) == type->digest(value));
    value_free(again);
    value_free(value);
    row_map_free(&emitted);
    buf_free(&out);
    buf_free(&head);
}

/* Rows by a new order of their elements, as a store would give them. */
static void fuzz_resort(struct row_map *rows)
{
    struct row_map sorted = {0};
    struct buf out = {0};
    for (size_t i = 0; i < rows->count; i++) {
        const struct row_map_item *item = &rows->items[i];
        value_put_row(&out, TYPE_BOX_ID, bytes_of(item->key.data + 9, item->key.size - 9),
                      buf_bytes(&item->value));
    }
    row_map_fold(&sorted, buf_bytes(&out));
    row_map_free(rows);
    *rows = sorted;
    buf_free(&out);
}

static void fuzz_change(struct row_map *rows, struct buf *k_row, const uint8_t *change)
{
    if (rows->count == 0)
        return;
    struct row_map_item *item = &rows->items[change[1] % rows->count];
    switch (change[0] % 6) {
    case 0:
        if (item->key.size > 9)
            item->key.data[9 + change[2] % (item->key.size - 9)] = change[3];
        break;
    case 1:
        if (item->value.size > 0)
            item->value.data[change[2] % item->value.size] = change[3];
        break;
    case 2:
        k_row->data[8 + change[2] % (k_row->size - 8)] = change[3];
        break;
    case 3:
        buf_free(&item->key);
        buf_free(&item->value);
        memmove(item, item + 1, (size_t)(rows->items + rows->count - item - 1) * sizeof(*item));
        rows->count--;
        break;
    case 4:
        item->value.size = item->value.size == 0 ? 0 : change[2] % item->value.size;
        break;
    default:
        buf_append_u8(&item->value, change[3]);
    }
}

static void fuzz_rows(const struct type_fuzz *fuzz, struct bytes changes)
{
    struct type_box box;
    struct buf k_row = {0};
    type_box_init(&box, fuzz->type, &fuzz->env);
    struct edit edit = type_box_begin(&box);
    fuzz->fill(&edit, true);
    type_box_end(&box, &edit);
    type_box_get_rows(&box);
    value_encode(box.value, &k_row);
    for (size_t i = 0; i + 3 < changes.size; i += 4)
        fuzz_change(&box.rows, &k_row, changes.data + i);
    fuzz_resort(&box.rows);
    struct bytes behind = bytes_of(k_row.data + 8, k_row.size - 8);
    fuzz_load(fuzz, behind, &box.rows, &fuzz->env);
    fuzz_load(fuzz, behind, &box.rows, &fuzz->other);
    type_box_fini(&box);
    buf_free(&k_row);
}

static void fuzz_raw_rows(const struct type_fuzz *fuzz, struct bytes rest)
{
    struct row_map rows = {0};
    struct buf out = {0};
    uint8_t k_row[4] = {rest.size > 0 ? rest.data[0] : 0};
    for (size_t at = 1; at + 2 <= rest.size;) {
        size_t key_size = rest.data[at], value_size = rest.data[at + 1];
        at += 2;
        if (key_size + value_size > rest.size - at)
            break;
        value_put_row(&out, TYPE_BOX_ID, bytes_of(rest.data + at, key_size),
                      bytes_of(rest.data + at + key_size, value_size));
        at += key_size + value_size;
    }
    row_map_fold(&rows, buf_bytes(&out));
    fuzz_load(fuzz, bytes_of(k_row, sizeof(k_row)), &rows, &fuzz->env);
    fuzz_load(fuzz, bytes_of(k_row, sizeof(k_row)), &rows, &fuzz->other);
    row_map_free(&rows);
    buf_free(&out);
}

__attribute__((unused)) static int fuzz_input(const struct type_fuzz *fuzz, struct bytes input)
{
    if (input.size < 2)
        return 0;
    struct bytes rest = bytes_of(input.data + 1, input.size - 1);
    if (input.data[0] % 4 == 0)
        fuzz_inline(fuzz, rest);
    else if (input.data[0] % 4 == 1)
        fuzz_changed(fuzz, rest);
    else if (input.data[0] % 4 == 2)
        fuzz_rows(fuzz, rest);
    else
        fuzz_raw_rows(fuzz, rest);
    return 0;
}
