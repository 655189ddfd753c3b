/* Entries of the log and the rows in them: what is not of the grammar is refused (L11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/prng.h"
#include "codec/entry.h"
#include "codec/rows.h"
#include "shard/entry_log.h"

static void put_three(struct buf *rows)
{
    rows_append(rows, ROW_PUT, BYTES_LITERAL("key"), BYTES_LITERAL("value"));
    rows_append(rows, ROW_DELETE, BYTES_LITERAL("gone"), bytes_of(NULL, 0));
    rows_append(rows, ROW_PUT_NEW, BYTES_LITERAL("new"), bytes_of(NULL, 0));
}

static void rows_come_back_in_order(void **state)
{
    (void)state;
    struct buf rows = {0};
    put_three(&rows);
    struct bytes rest = buf_bytes(&rows);
    struct row row;
    assert_int_equal(rows_next(&rest, &row), ROWS_OK);
    assert_true(row.op == ROW_PUT && bytes_equal(row.value, BYTES_LITERAL("value")));
    assert_int_equal(rows_next(&rest, &row), ROWS_OK);
    assert_true(row.op == ROW_DELETE && bytes_equal(row.key, BYTES_LITERAL("gone")));
    assert_int_equal(rows_next(&rest, &row), ROWS_OK);
    assert_true(row.op == ROW_PUT_NEW && row.value.size == 0);
    assert_int_equal(rows_next(&rest, &row), ROWS_END);
    buf_free(&rows);
}

static enum rows_err end_of(struct bytes rest)
{
    struct row row;
    enum rows_err err;
    while ((err = rows_next(&rest, &row)) == ROWS_OK)
        continue;
    return err;
}

static void rows_cut_inside_a_row_are_bad(void **state)
{
    (void)state;
    struct buf rows = {0};
    put_three(&rows);
    int ends = 0;
    for (size_t size = 0; size <= rows.size; size++) {
        uint8_t *exact = mem_alloc(size + 1); /* so that reading past the end is seen */
        memcpy(exact, rows.data, size);
        ends += end_of(bytes_of(exact, size)) == ROWS_END;
        mem_free(exact);
    }
    assert_int_equal(ends, 4); /* before, between and behind the three */
    buf_free(&rows);
}

static void sizes_and_ops_out_of_range_are_bad(void **state)
{
    (void)state;
    static const struct {
        uint8_t op;
        uint32_t key_size, value_size;
        bool is_good;
    } CASES[] = {
        {0, 1, 0, false},
        {ROW_PUT, 1, 0, true},
        {ROW_DELETE, 1, 0, true},
        {ROW_DELETE, 1, 1, false},
        {ROW_DELETE + 1, 1, 0, false},
        {255, 1, 0, false},
        {ROW_PUT, 0, 0, false},
        {ROW_PUT, 0, 5, false},
        {ROW_PUT, ROWS_KEY_MAX - 1, 0, true},
        {ROW_PUT, ROWS_KEY_MAX, 0, true},
        {ROW_PUT, ROWS_KEY_MAX + 1, 0, false},
        {ROW_PUT, UINT32_MAX, UINT32_MAX, false},
        {ROW_PUT, 1, UINT32_MAX, false},
    };
    size_t size = ROWS_HEADER_SIZE + ROWS_KEY_MAX + 1;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint8_t *bytes = mem_zero(size);
        bytes[0] = CASES[i].op;
        put_le32(bytes + 1, CASES[i].key_size);
        put_le32(bytes + 5, CASES[i].value_size);
        struct bytes rest = bytes_of(bytes, size);
        struct row row;
        assert_int_equal(rows_next(&rest, &row), CASES[i].is_good ? ROWS_OK : ROWS_BAD);
        if (!CASES[i].is_good)
            assert_int_equal(rest.size, size); /* unchanged */
        mem_free(bytes);
    }
}

static void garbage_never_reads_past_its_end(void **state)
{
    (void)state;
    struct prng prng = prng_init(2);
    for (int i = 0; i < 20000; i++) {
        size_t size = 1 + prng_below(&prng, 60);
        uint8_t *bytes = mem_alloc(size);
        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)prng_below(&prng, prng_chance(&prng, 800000) ? 4 : 256);
        (void)end_of(bytes_of(bytes, size));
        for (int kind = 0; kind < 6; kind++)
            (void)entry_is_valid((uint8_t)kind, bytes_of(bytes, size));
        mem_free(bytes);
    }
}

static void only_payloads_of_their_kind_are_valid(void **state)
{
    (void)state;
    struct buf payload = {0};
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE), 77);
    assert_true(entry_is_valid(ENTRY_ROWS, buf_bytes(&payload)));
    assert_false(entry_is_valid(ENTRY_ROWS, bytes_of(payload.data, ENTRY_STAMP_SIZE - 1)));
    assert_false(entry_is_valid(ENTRY_NOOP, buf_bytes(&payload)));
    assert_true(entry_is_valid(ENTRY_NOOP, bytes_of(NULL, 0)));
    assert_false(entry_is_valid(0, bytes_of(NULL, 0)));
    assert_false(entry_is_valid(ENTRY_MEMBERS + 1, bytes_of(NULL, 0)));
    put_three(&payload);
    assert_true(entry_is_valid(ENTRY_ROWS, buf_bytes(&payload)));
    assert_false(entry_is_valid(ENTRY_ROWS, bytes_of(payload.data, payload.size - 1)));
    struct entry *entry = entry_new(ENTRY_ROWS, payload.data, payload.size);
    assert_int_equal(entry_stamp_us(entry), 77);
    assert_int_equal(entry_rows(entry).size, entry->size - ENTRY_STAMP_SIZE);
    entry_release(entry_retain(entry));
    entry_release(entry);
    entry_release(NULL);
}

/* ---- the log of one group ---- */

static struct entry *numbered(uint64_t index, size_t size)
{
    struct entry *entry =
        size == 0 ? entry_new(ENTRY_NOOP, NULL, 0) : entry_new(ENTRY_MEMBERS, mem_zero(size), size);
    entry->index = index;
    return entry;
}

static void the_log_is_a_window_that_grows_at_one_end_and_shrinks_at_both(void **state)
{
    (void)state;
    struct prng prng = prng_init(4);
    struct entry_log log;
    uint64_t base = 1000, last = 1000;
    entry_log_init(&log, base);
    for (int step = 0; step < 20000; step++) {
        uint64_t what = prng_below(&prng, step % 4000 < 2000 ? 30 : 20);
        if (what == 0 && last > base) {
            base = prng_between(&prng, base, last);
            entry_log_compact(&log, base);
        } else if (what == 1 && last > base) {
            uint64_t first = prng_between(&prng, base + 1, last);
            entry_log_truncate(&log, first);
            last = first - 1;
        } else {
            last++;
            entry_log_append(&log, numbered(last, last % 7));
        }
        assert_int_equal(log.base, base);
        assert_int_equal(entry_log_last(&log), last);
        uint64_t bytes = 0;
        for (uint64_t index = base + 1; step % 100 == 0 && index <= last; index++)
            bytes += entry_log_at(&log, index)->size;
        assert_true(step % 100 != 0 || bytes == log.bytes);
    }
    entry_log_fini(&log);
}

static void the_log_holds_one_reference_to_each(void **state)
{
    (void)state;
    struct entry_log log;
    entry_log_init(&log, 0);
    struct entry *kept = numbered(1, 5);
    entry_log_append(&log, entry_retain(kept));
    entry_log_append(&log, numbered(2, 5));
    assert_int_equal(log.bytes, 10);
    entry_log_truncate(&log, 1);
    assert_int_equal(kept->refs, 1);
    assert_int_equal(log.bytes, 0);
    entry_log_append(&log, kept);
    entry_log_fini(&log); /* the sanitizer tells whether it went */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_in_order),
        cmocka_unit_test(rows_cut_inside_a_row_are_bad),
        cmocka_unit_test(sizes_and_ops_out_of_range_are_bad),
        cmocka_unit_test(garbage_never_reads_past_its_end),
        cmocka_unit_test(only_payloads_of_their_kind_are_valid),
        cmocka_unit_test(the_log_is_a_window_that_grows_at_one_end_and_shrinks_at_both),
        cmocka_unit_test(the_log_holds_one_reference_to_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
