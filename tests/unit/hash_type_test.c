/* Hashes against an array of fields: random edits in all forms, fields that die, and the ways to
 * rows and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "type_box.h"
#include "types/hash.h"

enum { FIELDS = 300, TEXT_MAX = 1100 };

struct field {
    bool is_there;
    uint32_t value; /* number of its text */
    int64_t expire_ms;
};

struct world {
    struct prng prng;
    struct type_box box;
    struct field fields[FIELDS];
    uint32_t count, names;
    int64_t now_ms;
    uint32_t due_chance; /* per million, of an expiry */
};

/* Numbers, texts, the empty one, a binary one, too long for a pack or for a row's key. */
static struct bytes text_of(uint32_t number, char text[TEXT_MAX])
{
    int size = snprintf(text, TEXT_MAX, number % 3 == 0 ? "%u" : "text:%u", number);
    if (number == 1)
        return bytes_of(text, 0);
    if (number == 2)
        text[3] = '\0';
    int padded = number == 4   ? 64
                 : number == 5 ? 65
                 : number == 7 ? 1024
                 : number == 8 ? 1025
                               : size;
    memset(text + size, 'x', (size_t)(padded - size));
    return bytes_of(text, (size_t)padded);
}

static uint32_t draw(struct world *world)
{
    return (uint32_t)prng_below(&world->prng, world->names);
}

static void put(struct world *world)
{
    char name[TEXT_MAX], text[TEXT_MAX];
    uint32_t number = draw(world), value = draw(world);
    struct field *field = &world->fields[number];
    int64_t expire_ms = prng_chance(&world->prng, 300000) ? HASH_KEEP_EXPIRE
                        : prng_chance(&world->prng, world->due_chance)
                            ? world->now_ms + 1 + (int64_t)prng_below(&world->prng, 500)
                            : 0;
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(hash_put(&edit, text_of(number, name), text_of(value, text), expire_ms),
                     !field->is_there);
    type_box_end(&world->box, &edit);
    world->count += !field->is_there;
    if (expire_ms == HASH_KEEP_EXPIRE)
        expire_ms = field->expire_ms;
    *field = (struct field){.is_there = true, .value = value, .expire_ms = expire_ms};
}

static void take(struct world *world)
{
    char name[TEXT_MAX];
    uint32_t number = draw(world);
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(hash_remove(&edit, text_of(number, name)), world->fields[number].is_there);
    type_box_end(&world->box, &edit);
    world->count -= world->fields[number].is_there;
    world->fields[number] = (struct field){0};
}

static void expire(struct world *world)
{
    uint32_t due = 0;
    world->now_ms += (int64_t)prng_below(&world->prng, 60);
    for (uint32_t i = 0; i < world->names; i++) {
        if (world->fields[i].expire_ms == 0 || world->fields[i].expire_ms > world->now_ms)
            continue;
        world->fields[i] = (struct field){0};
        due++;
    }
    struct edit edit = type_box_begin(&world->box);
    assert_int_equal(hash_type.expire(&edit, world->now_ms), due);
    type_box_end(&world->box, &edit);
    world->count -= due;
}

/* ---- what must hold ---- */

static void check_item(const struct world *world, const struct hash_item *item, uint32_t number)
{
    char text[TEXT_MAX];
    const struct field *field = &world->fields[number];
    assert_true(field->is_there);
    assert_true(bytes_equal(item->value, text_of(field->value, text)));
    assert_int_equal(item->expire_ms, field->expire_ms);
}

static void check_one(struct world *world)
{
    char name[TEXT_MAX];
    struct hash_item item;
    uint32_t number = draw(world);
    assert_int_equal(world->box.value->count, world->count);
    bool is_there = hash_get(world->box.value, text_of(number, name), &item);
    assert_int_equal(is_there, world->fields[number].is_there);
    if (is_there)
        check_item(world, &item, number);
}

static void check_fields(struct world *world)
{
    char name[TEXT_MAX];
    struct hash_item item;
    uint32_t count = 0;
    int64_t earliest = 0, due_ms = hash_type.due_ms(world->box.value);
    for (uint64_t cursor = 0; hash_next(world->box.value, &cursor, &item); count++) {
        struct hash_item same;
        assert_true(hash_get(world->box.value, item.field, &same));
    }
    assert_int_equal(count, world->count);
    for (uint32_t i = 0; i < world->names; i++) {
        const struct field *field = &world->fields[i];
        bool is_there = hash_get(world->box.value, text_of(i, name), &item);
        assert_int_equal(is_there, field->is_there);
        if (is_there)
            check_item(world, &item, i);
        if (field->expire_ms != 0 && (earliest == 0 || field->expire_ms < earliest))
            earliest = field->expire_ms;
    }
    assert_true(earliest == 0 || (due_ms != 0 && due_ms <= earliest));
    if (world->count > 0)
        hash_sample(world->box.value, prng_next(&world->prng), &item);
}

static void random_edits_agree_with_an_array(void **state)
{
    (void)state;
    struct type_env other = type_env_default(1);
    other.hash_max_listpack_entries = 0;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        static const int64_t LIMITS[] = {0, 4, 128, 512};
        struct world world = {.prng = prng_init(seed), .now_ms = 1000};
        struct type_env env = type_env_default(seed);
        env.hash_max_listpack_entries = LIMITS[seed % 4];
        world.names = seed % 5 == 0 ? 15 : FIELDS;
        world.due_chance = seed % 3 == 0 ? 0 : 400000;
        type_box_init(&world.box, TYPE_HASH, &env);
        uint64_t rows_from = prng_below(&world.prng, 1500);
        for (uint64_t step = 0; step < 1500; step++) {
            uint64_t what = prng_below(&world.prng, 10);
            if (what < 6)
                put(&world);
            else if (what < 9)
                take(&world);
            else
                expire(&world);
            check_one(&world);
            if (step == rows_from)
                type_box_get_rows(&world.box);
            if (step % 100 == 0) {
                check_fields(&world);
                type_box_check(&world.box, &other);
            }
        }
        check_fields(&world);
        type_box_fini(&world.box);
    }
}

/* ---- forms ---- */

static void expect_encoding(uint32_t count, size_t name_size, size_t value_size,
                            const char *encoding)
{
    char text[128];
    struct type_env env = type_env_default(1);
    struct edit edit = edit_detached(TYPE_HASH, &env);
    memset(text, 'x', sizeof(text));
    for (uint32_t i = 0; i < count; i++) {
        memcpy(text, &i, sizeof(i));
        assert_true(hash_put(&edit, bytes_of(text, name_size), bytes_of(text, value_size), 0));
    }
    hash_type.check(edit.value);
    assert_string_equal(hash_type.encoding(edit.value), encoding);
    value_free(edit.value);
}

static void a_hash_is_small_up_to_both_limits(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    uint32_t most = (uint32_t)env.hash_max_listpack_entries;
    expect_encoding(most - 1, 10, 10, "listpack");
    expect_encoding(most, 10, 10, "listpack");
    expect_encoding(most + 1, 10, 10, "hashtable");
    expect_encoding(1, 63, 1, "listpack");
    expect_encoding(1, 64, 64, "listpack");
    expect_encoding(1, 65, 1, "hashtable");
    expect_encoding(1, 4, 65, "hashtable");
}

static void what_is_due_goes_in_batches(void **state)
{
    (void)state;
    char text[16];
    struct type_env env = type_env_default(1);
    struct edit edit = edit_detached(TYPE_HASH, &env);
    enum { MORE = HASH_EXPIRE_BATCH + 1 };
    for (int i = 0; i < MORE; i++)
        (void)hash_put(&edit, bytes_of(text, (size_t)snprintf(text, sizeof(text), "%d", i)),
                       BYTES_LITERAL("v"), 10);
    (void)hash_put(&edit, BYTES_LITERAL("stays"), BYTES_LITERAL("v"), 0);
    assert_int_equal(hash_type.expire(&edit, 9), 0);
    assert_int_equal(hash_type.expire(&edit, 10), HASH_EXPIRE_BATCH);
    assert_int_equal(hash_type.due_ms(edit.value), 10);
    assert_int_equal(hash_type.expire(&edit, 10), 1);
    assert_int_equal(hash_type.due_ms(edit.value), 0);
    assert_int_equal(edit.value->count, 1);
    hash_type.check(edit.value);
    value_free(edit.value);
}

/* ---- damage ---- */

static void a_head_that_hides_what_dies_is_refused(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1), tables = env;
    struct row_map rows = {0};
    struct buf out = {0};
    tables.hash_max_listpack_entries = 0;
    static const uint8_t row[] = {1, 100, 0, 0, 0, 0, 0, 0, 0, 'v'};
    value_put_row(&out, TYPE_BOX_ID, bytes_of("\0\0a", 3), bytes_of(row, sizeof(row)));
    row_map_fold(&rows, buf_bytes(&out));
    for (int due = 98; due <= 102; due++) {
        uint8_t head[12] = {1, 0, 0, 0, (uint8_t)due};
        struct value *packed = type_box_load(TYPE_HASH, bytes_of(head, 12), &rows, &env);
        struct value *table = type_box_load(TYPE_HASH, bytes_of(head, 12), &rows, &tables);
        assert_int_equal(packed != NULL, due <= 100);
        assert_int_equal(table != NULL, due <= 100);
        value_free(packed);
        value_free(table);
    }
    uint8_t never[4] = {1};
    assert_null(type_box_load(TYPE_HASH, bytes_of(never, 4), &rows, &env));
    row_map_free(&rows);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_edits_agree_with_an_array),
        cmocka_unit_test(a_hash_is_small_up_to_both_limits),
        cmocka_unit_test(what_is_due_goes_in_batches),
        cmocka_unit_test(a_head_that_hides_what_dies_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
