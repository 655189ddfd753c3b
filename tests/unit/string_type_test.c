/* Big strings against a model: the rows of each change, folded, are the value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/prng.h"
#include "row_map.h"
#include "types/string.h"

enum { ID = 77, SIZE_MAX_DRAWN = 60000 };

static struct string_raw *load(const struct row_map *rows, size_t size)
{
    struct string_raw *raw = string_raw_new(bytes_of(NULL, 0), size);
    raw->size = (uint32_t)size;
    for (size_t i = 0; i < rows->count; i++) {
        struct bytes key = buf_bytes(&rows->items[i].key);
        assert_int_equal(key.size, 13);
        assert_int_equal(get_be64(key.data + 1), ID);
        assert_true(string_raw_load_chunk(raw, bytes_of(key.data + 9, 4),
                                          buf_bytes(&rows->items[i].value)));
    }
    return raw;
}

static void emit(struct string_raw *raw, struct row_map *rows, size_t *size)
{
    struct buf out = {0};
    size_t most = string_raw_emit_size(raw);
    string_raw_emit(raw, &out);
    assert_true(out.size <= most);
    assert_int_equal(raw->logged_size, raw->size);
    assert_true(raw->dirty_count == 0 && raw->dirty == NULL);
    row_map_fold(rows, buf_bytes(&out));
    *size = out.size;
    buf_free(&out);
}

static void the_fold_of_all_changes_is_the_value(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct prng prng = prng_init(seed);
        struct string_raw *raw = string_raw_new(BYTES_LITERAL("start"), 5);
        uint8_t *model = mem_zero(2 * SIZE_MAX_DRAWN);
        struct row_map rows = {0};
        size_t size = 5, emitted;
        memcpy(model, "start", size);
        raw->object_id = ID;
        for (int step = 0; step < 200; step++) {
            uint8_t bytes[5000];
            size_t offset = prng_below(&prng, size + (step % 10 == 0 ? 20000 : 100));
            size_t count = prng_below(&prng, step % 5 == 0 ? sizeof(bytes) : 40);
            if (offset + count > SIZE_MAX_DRAWN || count == 0)
                continue;
            memset(bytes, (int)prng_below(&prng, 256), count);
            string_raw_write(raw, offset, bytes_of(bytes, count));
            memcpy(model + offset, bytes, count);
            size = offset + count > size ? offset + count : size;
            assert_int_equal(raw->size, size);
            if (prng_chance(&prng, 600000))
                continue;
            emit(raw, &rows, &emitted);
            struct string_raw *loaded = load(&rows, size);
            assert_memory_equal(loaded->data, model, size);
            string_raw_free(loaded);
        }
        assert_memory_equal(raw->data, model, size);
        struct buf deletes = {0};
        emit(raw, &rows, &emitted);
        string_raw_emit_deletes(ID, raw->logged_size, &deletes);
        row_map_fold(&rows, buf_bytes(&deletes));
        assert_int_equal(rows.count, 0);
        buf_free(&deletes);
        row_map_free(&rows);
        mem_free(model);
        string_raw_free(raw);
    }
}

static void a_small_change_of_a_big_value_writes_the_chunks_it_touches(void **state)
{
    (void)state;
    enum { BIG = 1 << 20, ROW = 9 + 13 + STRING_CHUNK_SIZE };
    uint8_t *bytes = mem_zero(BIG);
    struct row_map rows = {0};
    size_t emitted;
    struct string_raw *raw = string_raw_new(bytes_of(bytes, BIG), BIG);
    raw->object_id = ID;
    emit(raw, &rows, &emitted);
    assert_int_equal(emitted, BIG / STRING_CHUNK_SIZE * ROW);
    emit(raw, &rows, &emitted);
    assert_int_equal(emitted, 0);
    string_raw_write(raw, 10 * STRING_CHUNK_SIZE, BYTES_LITERAL("x"));
    string_raw_write(raw, 10 * STRING_CHUNK_SIZE + 1, BYTES_LITERAL("y"));
    emit(raw, &rows, &emitted);
    assert_int_equal(emitted, ROW);
    string_raw_write(raw, 11 * STRING_CHUNK_SIZE - 1, BYTES_LITERAL("xy")); /* over a border */
    emit(raw, &rows, &emitted);
    assert_int_equal(emitted, 2 * ROW);
    string_raw_write(raw, BIG, BYTES_LITERAL("z")); /* a chunk of one byte */
    emit(raw, &rows, &emitted);
    assert_int_equal(emitted, ROW - STRING_CHUNK_SIZE + 1);
    string_raw_write(raw, raw->size, BYTES_LITERAL("z"));
    emit(raw, &rows, &emitted);
    assert_int_equal(emitted, ROW - STRING_CHUNK_SIZE + 2);
    row_map_free(&rows);
    string_raw_free(raw);
    mem_free(bytes);
}

static void writing_nothing_or_far_behind_the_end_is_told_apart(void **state)
{
    (void)state;
    struct row_map rows = {0};
    size_t emitted;
    struct string_raw *raw = string_raw_new(BYTES_LITERAL("a"), 1);
    raw->object_id = ID;
    string_raw_write(raw, 3 * STRING_CHUNK_SIZE, BYTES_LITERAL("b"));
    emit(raw, &rows, &emitted);
    assert_int_equal(rows.count, 4); /* the zero bytes between are rows too */
    struct string_raw *loaded = load(&rows, raw->size);
    assert_memory_equal(loaded->data, raw->data, raw->size);
    assert_int_equal(loaded->data[1] + loaded->data[STRING_CHUNK_SIZE], 0);
    string_raw_free(loaded);
    string_raw_mark(raw, 5, 5);
    assert_int_equal(raw->dirty_count, 0);
    row_map_free(&rows);
    string_raw_free(raw);
    string_raw_free(NULL);
}

static bool loads(struct string_raw *raw, uint32_t chunk, size_t size)
{
    static const uint8_t BYTES[STRING_CHUNK_SIZE + 1];
    uint8_t element[4];
    put_be32(element, chunk);
    return string_raw_load_chunk(raw, bytes_of(element, sizeof(element)), bytes_of(BYTES, size));
}

static void chunks_that_do_not_fit_their_value_are_refused(void **state)
{
    (void)state;
    size_t size = 2 * STRING_CHUNK_SIZE + 100;
    struct string_raw *raw = string_raw_new(bytes_of(NULL, 0), size);
    raw->size = (uint32_t)size;
    assert_true(loads(raw, 0, STRING_CHUNK_SIZE));
    assert_false(loads(raw, 0, STRING_CHUNK_SIZE - 1));
    assert_false(loads(raw, 0, STRING_CHUNK_SIZE + 1));
    assert_true(loads(raw, 2, 100));
    assert_false(loads(raw, 2, 99));
    assert_false(loads(raw, 2, 101));
    assert_false(loads(raw, 2, STRING_CHUNK_SIZE));
    assert_false(loads(raw, 3, 0));
    assert_false(loads(raw, UINT32_MAX, STRING_CHUNK_SIZE));
    assert_false(string_raw_load_chunk(raw, BYTES_LITERAL("abc"), bytes_of(NULL, 0)));
    assert_false(string_raw_load_chunk(raw, BYTES_LITERAL("abcde"), bytes_of(NULL, 0)));
    string_raw_free(raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fold_of_all_changes_is_the_value),
        cmocka_unit_test(a_small_change_of_a_big_value_writes_the_chunks_it_touches),
        cmocka_unit_test(writing_nothing_or_far_behind_the_end_is_told_apart),
        cmocka_unit_test(chunks_that_do_not_fit_their_value_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
