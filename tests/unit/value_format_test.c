/* The worked examples of store/FORMAT.md for values that are not strings, byte by byte: what is on
 * disks stays readable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "type_box.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/stream.h"
#include "types/zset.h"

/* Written as hexadecimal digits with blanks between bytes. */
static void expect_bytes(struct bytes bytes, const char *expected)
{
    struct buf text = {0};
    for (size_t i = 0; i < bytes.size; i++)
        buf_printf(&text, i == 0 ? "%02x" : " %02x", bytes.data[i]);
    buf_append_u8(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    buf_free(&text);
}

/* What follows type and flags in the K row of a small value. */
static void expect_inline(const struct value *value, const char *expected)
{
    struct buf out = {0};
    value_encode(value, &out);
    expect_bytes(buf_bytes(&out), expected);
    buf_free(&out);
}

/* The same of a value with rows, behind the object id. */
static void expect_head(const struct type_box *box, const char *expected)
{
    struct buf out = {0};
    value_encode(box->value, &out);
    expect_bytes(bytes_of(out.data + 8, out.size - 8), expected);
    buf_free(&out);
}

static void expect_row(const struct type_box *box, size_t number, const char *element,
                       const char *value)
{
    assert_true(number < box->rows.count);
    const struct row_map_item *item = &box->rows.items[number];
    assert_int_equal(item->key.data[0], 'E');
    expect_bytes(bytes_of(item->key.data + 9, item->key.size - 9), element);
    expect_bytes(buf_bytes(&item->value), value);
}

static void a_list_is_as_the_document_says(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct edit edit = edit_detached(TYPE_LIST, &env);
    list_push(&edit, BYTES_LITERAL("a"), false);
    list_push(&edit, BYTES_LITERAL("5"), false);
    expect_inline(edit.value, "02 00 81 61 02 05 01");
    value_free(edit.value);

    struct type_box box;
    type_box_init(&box, TYPE_LIST, &env);
    char text[600];
    memset(text, 'x', sizeof(text));
    struct edit long_edit = type_box_begin(&box);
    list_push(&long_edit, bytes_of(text, sizeof(text)), false);
    list_push(&long_edit, BYTES_LITERAL("b"), false);
    list_push(&long_edit, BYTES_LITERAL("a"), true);
    list_insert(&long_edit, 2, BYTES_LITERAL("5"));
    type_box_end(&box, &long_edit);
    expect_head(&box, "04 00 00 00");
    assert_int_equal(box.rows.count, 4);
    expect_row(&box, 0, "7f ff ff ff ff ff fc 00", "61");
    assert_int_equal(box.rows.items[1].value.size, 600);
    expect_row(&box, 2, "80 00 00 00 00 00 02 00", "35");
    expect_row(&box, 3, "80 00 00 00 00 00 04 00", "62");
    type_box_fini(&box);
}

static void a_set_is_as_the_document_says(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct edit numbers = edit_detached(TYPE_SET, &env), names = edit_detached(TYPE_SET, &env);
    (void)set_add(&numbers, BYTES_LITERAL("300"));
    (void)set_add(&numbers, BYTES_LITERAL("1"));
    expect_inline(numbers.value, "01 02 02 00 01 00 2c 01");
    (void)set_add(&names, BYTES_LITERAL("a"));
    expect_inline(names.value, "02 01 00 81 61 02");
    value_free(numbers.value);
    value_free(names.value);

    struct type_box box;
    type_box_init(&box, TYPE_SET, &env);
    struct edit edit = type_box_begin(&box);
    (void)set_add(&edit, BYTES_LITERAL("a"));
    (void)set_add(&edit, BYTES_LITERAL("12"));
    type_box_end(&box, &edit);
    type_box_get_rows(&box);
    expect_head(&box, "02 00 00 00");
    expect_row(&box, 0, "00 00 31 32", "");
    expect_row(&box, 1, "00 00 61", "");
    type_box_fini(&box);
}

static void a_sorted_set_is_as_the_document_says(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct type_box box;
    type_box_init(&box, TYPE_ZSET, &env);
    struct edit edit = type_box_begin(&box);
    (void)zset_put(&edit, BYTES_LITERAL("a"), 1.5);
    type_box_end(&box, &edit);
    type_box_get_rows(&box);
    expect_head(&box, "01 00 00 00");
    expect_row(&box, 0, "00 00 61", "00 00 00 00 00 00 f8 3f");
    type_box_fini(&box);
}

static void a_hash_is_as_the_document_says(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct type_box box;
    type_box_init(&box, TYPE_HASH, &env);
    struct edit edit = type_box_begin(&box);
    (void)hash_put(&edit, BYTES_LITERAL("f"), BYTES_LITERAL("v"), 0);
    expect_inline(edit.value, "02 01 00 81 66 02 81 76 02");
    (void)hash_put(&edit, BYTES_LITERAL("f"), BYTES_LITERAL("v"), 1000);
    expect_inline(edit.value, "03 01 00 81 66 02 81 76 02 e3 68 02");
    (void)hash_put(&edit, BYTES_LITERAL("g"), BYTES_LITERAL("w"), 0);
    type_box_end(&box, &edit);
    type_box_get_rows(&box);
    expect_head(&box, "02 00 00 00 e8 03 00 00 00 00 00 00");
    expect_row(&box, 0, "00 00 66", "01 e8 03 00 00 00 00 00 00 76");
    expect_row(&box, 1, "00 00 67", "00 77");
    type_box_fini(&box);
}

static void a_stream_is_as_the_document_says(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct type_box box;
    struct stream_id id = {5, 1};
    struct bytes pairs[2] = {BYTES_LITERAL("f"), BYTES_LITERAL("v")};
    type_box_init(&box, TYPE_STREAM, &env);
    struct edit edit = type_box_begin(&box);
    stream_append(&edit, id, pairs, 1);
    struct stream_group *group = stream_group_add(&edit, BYTES_LITERAL("g"), id, 1);
    struct stream_consumer *consumer = stream_consumer_add(&edit, group, BYTES_LITERAL("c"), 6);
    stream_pending_put(&edit, group, consumer, id, 7, 1);
    type_box_end(&box, &edit);
    type_box_get_rows(&box);
    expect_head(&box, "01 00 00 00 "
                      "05 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 "
                      "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
                      "03 00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00");
    edit = type_box_begin(&box);
    stream_production_add(&edit, BYTES_LITERAL("p"), BYTES_LITERAL("m"), id, 8);
    type_box_end(&box, &edit);
    assert_int_equal(box.rows.count, 6);
    expect_row(&box, 0, "00 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 01",
               "01 00 00 00 81 66 02 81 76 02");
    expect_row(&box, 1, "01 00 00 00 01",
               "05 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 67");
    expect_row(&box, 2, "02 00 00 00 01 00 00 00 02",
               "06 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff 63");
    expect_row(&box, 3, "03 00 00 00 01 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 01",
               "02 00 00 00 07 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00");
    expect_row(&box, 4, "04 00 00 00 03", "70");
    expect_row(&box, 5, "05 00 00 00 00 00 00 00 00",
               "03 00 00 00 05 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 "
               "08 00 00 00 00 00 00 00 6d");
    type_box_fini(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_as_the_document_says),
        cmocka_unit_test(a_set_is_as_the_document_says),
        cmocka_unit_test(a_sorted_set_is_as_the_document_says),
        cmocka_unit_test(a_hash_is_as_the_document_says),
        cmocka_unit_test(a_stream_is_as_the_document_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
