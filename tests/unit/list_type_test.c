/* Lists against an array: random edits of small and of long ones, order numbers that run out, and
 * the ways to rows and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/prng.h"
#include "type_box.h"
#include "types/list.h"

enum { ITEMS_MAX = 600, TEXT_MAX = 9000, KINDS = 60 };

struct world {
    struct prng prng;
    struct type_box box;
    uint32_t items[ITEMS_MAX];
    uint32_t count;
    uint32_t most; /* it is kept below */
};

/* Numbers, texts, the empty one, and some that have a node of their own. */
static struct bytes text_of(uint32_t number, char text[TEXT_MAX])
{
    int size = snprintf(text, TEXT_MAX, number % 3 == 0 ? "%u" : "element:%u", number);
    if (number == 1)
        return bytes_of(text, 0);
    int padded = number == 4   ? LIST_PLAIN_SIZE - 1
                 : number == 5 ? LIST_PLAIN_SIZE
                 : number == 7 ? 300
                               : size;
    memset(text + size, 'x', (size_t)(padded - size));
    return bytes_of(text, (size_t)padded);
}

static void model_insert(struct world *world, uint64_t at, uint32_t item)
{
    memmove(world->items + at + 1, world->items + at,
            (world->count - at) * sizeof(world->items[0]));
    world->items[at] = item;
    world->count++;
}

static void model_remove(struct world *world, uint64_t at, uint64_t count)
{
    memmove(world->items + at, world->items + at + count,
            (world->count - at - count) * sizeof(world->items[0]));
    world->count -= (uint32_t)count;
}

static uint64_t model_remove_equal(struct world *world, uint32_t item, uint64_t most,
                                   bool from_tail)
{
    uint64_t removed = 0;
    for (uint32_t i = 0; i < world->count && removed < most;) {
        uint32_t at = from_tail ? world->count - 1 - i : i;
        if (world->items[at] != item) {
            i++;
            continue;
        }
        model_remove(world, at, 1);
        removed++;
    }
    return removed;
}

static void grow(struct world *world, struct edit *edit)
{
    char text[TEXT_MAX];
    uint32_t item = (uint32_t)prng_below(&world->prng, KINDS);
    uint64_t at = prng_below(&world->prng, world->count + 1u);
    uint64_t what = prng_below(&world->prng, 4);
    if (what < 2)
        at = what == 0 ? 0 : world->count;
    else if (what == 2 && world->count > 4)
        at = 3; /* again and again: numbers run out there */
    if (what < 2)
        list_push(edit, text_of(item, text), what == 0);
    else
        list_insert(edit, at, text_of(item, text));
    model_insert(world, at, item);
}

static void shrink(struct world *world, struct edit *edit)
{
    char text[TEXT_MAX];
    uint32_t item = (uint32_t)prng_below(&world->prng, KINDS);
    if (prng_chance(&world->prng, 300000)) {
        uint64_t most = 1 + prng_below(&world->prng, 4);
        bool from_tail = prng_chance(&world->prng, 500000);
        assert_int_equal(list_remove_equal(edit, text_of(item, text), most, from_tail),
                         model_remove_equal(world, item, most, from_tail));
        return;
    }
    uint64_t from = prng_below(&world->prng, world->count);
    uint64_t count = 1 + prng_below(&world->prng, world->count - from);
    if (count > 5 && !prng_chance(&world->prng, 50000))
        count = 5;
    if (prng_chance(&world->prng, 300000))
        from = prng_chance(&world->prng, 500000) ? 0 : world->count - count;
    list_remove(edit, from, count);
    model_remove(world, from, count);
}

static void change(struct world *world)
{
    char text[TEXT_MAX];
    struct edit edit = type_box_begin(&world->box);
    uint64_t what = prng_below(&world->prng, 10);
    if (world->count == 0 || (what < 6 && world->count < world->most)) {
        grow(world, &edit);
    } else if (what < 8) {
        uint64_t at = prng_below(&world->prng, world->count);
        world->items[at] = (uint32_t)prng_below(&world->prng, KINDS);
        list_set(&edit, at, text_of(world->items[at], text));
    } else {
        shrink(world, &edit);
    }
    type_box_end(&world->box, &edit);
    assert_int_equal(world->box.value->count, world->count);
}

static void check_walk(const struct world *world, uint64_t from, bool is_reverse)
{
    char text[TEXT_MAX];
    struct list_item item;
    struct list_walk walk = list_walk(world->box.value, from, is_reverse);
    uint64_t at = from;
    for (uint64_t left = is_reverse ? from + 1 : world->count - from; left > 0; left--) {
        assert_true(list_next(&walk, &item));
        assert_true(bytes_equal(item.element, text_of(world->items[at], text)));
        at += is_reverse ? UINT64_MAX : 1;
    }
    assert_false(list_next(&walk, &item));
}

static void check_one(struct world *world)
{
    char text[TEXT_MAX];
    struct list_item item;
    if (world->count == 0)
        return;
    uint64_t at = prng_below(&world->prng, world->count);
    list_get(world->box.value, at, &item);
    assert_true(bytes_equal(item.element, text_of(world->items[at], text)));
}

static void random_edits_agree_with_an_array(void **state)
{
    (void)state;
    struct type_env other = type_env_default(1);
    other.list_max_listpack_size = 3;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        static const int64_t SIZES[] = {-2, -1, 1, 4, 128};
        static const uint32_t MOST[] = {30, 100, ITEMS_MAX};
        struct world *world = calloc(1, sizeof(*world));
        struct type_env env = type_env_default(seed);
        env.list_max_listpack_size = SIZES[seed % 5];
        world->prng = prng_init(seed);
        world->most = MOST[seed % 3];
        type_box_init(&world->box, TYPE_LIST, &env);
        for (uint64_t step = 0; step < 2000; step++) {
            change(world);
            check_one(world);
            if (step % 50 == 0 && world->count > 0) {
                check_walk(world, 0, false);
                check_walk(world, world->count - 1u, true);
                check_walk(world, prng_below(&world->prng, world->count), step % 100 == 0);
                type_box_check(&world->box, &other);
            }
        }
        type_box_fini(&world->box);
        free(world);
    }
}

/* A thousand insertions in one place: order numbers are given anew, and the rows follow. */
static void numbers_between_two_neighbours_run_out_and_are_given_anew(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct type_box box;
    char text[16];
    type_box_init(&box, TYPE_LIST, &env);
    for (int i = 0; i < 300; i++) {
        struct edit edit = type_box_begin(&box);
        list_push(&edit, BYTES_LITERAL("an element of some size"), false);
        type_box_end(&box, &edit);
    }
    assert_true(box.value->object_id != 0);
    for (int i = 0; i < 1000; i++) {
        struct edit edit = type_box_begin(&box);
        int size = snprintf(text, sizeof(text), "i%d", i);
        list_insert(&edit, 150, bytes_of(text, (size_t)size));
        type_box_end(&box, &edit);
        if (i % 100 == 0)
            type_box_check(&box, &env);
    }
    type_box_check(&box, &env);
    for (int i = 0; i < 1000; i++) {
        struct list_item item;
        int size = snprintf(text, sizeof(text), "i%d", 999 - i);
        list_get(box.value, (uint64_t)(150 + i), &item);
        assert_true(bytes_equal(item.element, bytes_of(text, (size_t)size)));
    }
    type_box_fini(&box);
}

/* ---- damage ---- */

static void put_order(struct buf *out, uint64_t order)
{
    uint8_t key[8];
    put_be64(key, order);
    value_put_row(out, TYPE_BOX_ID, bytes_of(key, 8), BYTES_LITERAL("x"));
}

static bool loads(const uint64_t *orders, size_t rows_count, uint8_t count)
{
    struct type_env env = type_env_default(1);
    struct row_map rows = {0};
    struct buf out = {0};
    uint8_t head[4] = {count};
    for (size_t i = 0; i < rows_count; i++)
        put_order(&out, orders[i]);
    row_map_fold(&rows, buf_bytes(&out));
    struct value *value = type_box_load(TYPE_LIST, bytes_of(head, 4), &rows, &env);
    bool is_good = value != NULL;
    if (is_good)
        list_type.check(value);
    value_free(value);
    row_map_free(&rows);
    buf_free(&out);
    return is_good;
}

static void rows_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const uint64_t middle = UINT64_C(1) << 63, half = UINT64_C(1) << 62;
    assert_true(loads((uint64_t[]){middle - 1, middle, middle + 1}, 3, 3));
    assert_false(loads((uint64_t[]){middle - 1, middle, middle + 1}, 3, 2));
    assert_false(loads((uint64_t[]){middle - 1, middle, middle + 1}, 3, 4));
    assert_true(loads((uint64_t[]){middle - half + 1, middle + half - 1}, 2, 2));
    assert_false(loads((uint64_t[]){middle - half, middle}, 2, 2));
    assert_false(loads((uint64_t[]){middle, middle + half}, 2, 2));
    assert_false(loads((uint64_t[]){0, UINT64_MAX}, 2, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_edits_agree_with_an_array),
        cmocka_unit_test(numbers_between_two_neighbours_run_out_and_are_given_anew),
        cmocka_unit_test(rows_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
