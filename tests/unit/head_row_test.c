#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/mem.h"
#include "keyspace/head_row.h"
#include "keyspace/hot.h"
#include "keyspace/slot.h"
#include "store/row_key.h"

static const uint8_t FLAG_EXPIRE = ROW_VALUE_HAS_EXPIRE, FLAG_OBJECT = ROW_VALUE_HAS_OBJECT;

/* Type, flags, then what the flags say. */
static struct bytes value_of(uint8_t space[64], uint8_t type, uint8_t flags, uint64_t expire_ms,
                             uint64_t object_id, uint64_t size)
{
    size_t at = 2;
    space[0] = type;
    space[1] = flags;
    if ((flags & FLAG_EXPIRE) != 0) {
        put_le64(space + at, expire_ms);
        at += 8;
    }
    if ((flags & FLAG_OBJECT) != 0) {
        put_le64(space + at, object_id);
        put_le64(space + at + 8, size);
        at += 16;
    }
    return bytes_of(space, at);
}

static bool decodes(uint8_t type, uint8_t flags, uint64_t expire_ms, uint64_t object_id,
                    uint64_t size)
{
    uint8_t space[64];
    struct head head;
    return head_decode(value_of(space, type, flags, expire_ms, object_id, size), &head);
}

static void a_value_cut_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t space[64];
    struct head head;
    struct bytes value = value_of(space, TYPE_STRING, FLAG_EXPIRE | FLAG_OBJECT, 9, 8, 5000);
    assert_true(head_decode(value, &head));
    assert_int_equal(head.expire_ms, 9);
    assert_int_equal(head.object_id, 8);
    assert_int_equal(head.size, 5000);
    for (size_t size = 0; size < value.size; size++)
        assert_false(head_decode(bytes_of(value.data, size), &head));
    space[value.size] = 0;
    assert_false(head_decode(bytes_of(value.data, value.size + 1), &head));
}

static void numbers_that_no_leader_writes_are_refused(void **state)
{
    (void)state;
    assert_false(decodes(TYPE_NONE, 0, 0, 0, 0));
    assert_false(decodes(TYPE_COUNT, 0, 0, 0, 0));
    for (int flags = FLAG_EXPIRE + FLAG_OBJECT + 1; flags < 256; flags++)
        assert_false(decodes(TYPE_STRING, (uint8_t)flags, 1, 1, 5000));
    assert_false(decodes(TYPE_STRING, FLAG_EXPIRE, 0, 0, 0));
    assert_true(decodes(TYPE_STRING, FLAG_EXPIRE, INT64_MAX, 0, 0));
    assert_false(decodes(TYPE_STRING, FLAG_EXPIRE, (uint64_t)INT64_MAX + 1, 0, 0));
    assert_false(decodes(TYPE_STRING, FLAG_OBJECT, 0, 0, 5000));
    assert_false(decodes(TYPE_STRING, FLAG_OBJECT, 0, 1, STRING_INLINE_MAX));
    assert_true(decodes(TYPE_STRING, FLAG_OBJECT, 0, 1, STRING_INLINE_MAX + 1));
    assert_true(decodes(TYPE_STRING, FLAG_OBJECT, 0, 1, OBJECT_STRING_MAX));
    assert_false(decodes(TYPE_STRING, FLAG_OBJECT, 0, 1, OBJECT_STRING_MAX + 1));
    assert_false(decodes(TYPE_STRING, FLAG_OBJECT, 0, 1, UINT64_MAX));
}

static void inline_values_end_at_their_maximum(void **state)
{
    (void)state;
    uint8_t *value = mem_zero(2 + STRING_INLINE_MAX + 1);
    struct head head;
    value[0] = TYPE_STRING;
    for (size_t size = STRING_INLINE_MAX - 1; size <= STRING_INLINE_MAX + 1; size++) {
        bool is_head = head_decode(bytes_of(value, 2 + size), &head);
        assert_int_equal(is_head, size <= STRING_INLINE_MAX);
        if (is_head)
            assert_int_equal(head.inlined.size, size);
    }
    mem_free(value);
}

/* What a leader writes for one SET is what a load reads, at every border of the forms. */
static void what_is_written_is_what_is_read(void **state)
{
    (void)state;
    static const size_t SIZES[] = {0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 4096, 70000};
    uint8_t *bytes = mem_zero(70000);
    for (size_t i = 0; i < 2 * sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        size_t size = SIZES[i / 2];
        int64_t expire_ms = i % 2 == 0 ? 0 : INT64_MAX;
        struct hot *hot = hot_new(1);
        hot_set_term(hot, 3);
        struct bytes key = BYTES_LITERAL("the key");
        uint64_t order = hot_order(hot, slot_of_key(key), key);
        hot_open(hot, 1);
        (void)hot_set_string(hot, hot->databases[0], order, key, NULL, bytes_of(bytes, size),
                             expire_ms);
        struct buf rows = {0};
        hot_close(hot, &rows);
        struct bytes rest = buf_bytes(&rows);
        struct row row;
        struct row_key row_key;
        struct head head;
        while (rows_next(&rest, &row) == ROWS_OK)
            assert_true(row_key_decode(row.key, &row_key));
        assert_int_equal(row_key.kind, ROW_KIND_KEY); /* the last one */
        assert_int_equal((uint64_t)row_key.slot << 48 | row_key.hash, order);
        assert_true(bytes_equal(row_key.name, key));
        assert_true(head_decode(row.value, &head));
        assert_int_equal(head.size, size);
        assert_int_equal(head.expire_ms, expire_ms);
        assert_int_equal(head.object_id >> 40, size > STRING_INLINE_MAX ? 3 : 0);
        buf_free(&rows);
        hot_free(hot);
    }
    mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_cut_anywhere_is_refused),
        cmocka_unit_test(numbers_that_no_leader_writes_are_refused),
        cmocka_unit_test(inline_values_end_at_their_maximum),
        cmocka_unit_test(what_is_written_is_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
