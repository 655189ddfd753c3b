/* The ordered map against a model: a sorted array of (key, value id, flag). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/tree.h"

enum { MODEL_MAX = 4096, KEY_MAX = 48 };

struct model_item {
    uint8_t key[KEY_MAX];
    size_t size;
    const uint8_t *value;
    bool flag;
};

struct model {
    struct model_item items[MODEL_MAX];
    size_t count;
};

/* Keys must outlive the tree: they are kept here, one after the other. */
struct arena {
    uint8_t *data;
    size_t used;
};

static struct bytes model_key(const struct model *model, size_t at)
{
    return bytes_of(model->items[at].key, model->items[at].size);
}

static size_t model_position(const struct model *model, struct bytes key)
{
    size_t at = 0;
    while (at < model->count && bytes_compare(model_key(model, at), key) < 0)
        at++;
    return at;
}

static bool model_has(const struct model *model, size_t at, struct bytes key)
{
    return at < model->count && bytes_equal(model_key(model, at), key);
}

static void model_put(struct model *model, struct tree_item item)
{
    size_t at = model_position(model, item.key);
    if (!model_has(model, at, item.key)) {
        assert_true(model->count < MODEL_MAX);
        memmove(&model->items[at + 1], &model->items[at],
                (model->count - at) * sizeof(model->items[0]));
        model->count++;
    }
    memcpy(model->items[at].key, item.key.data, item.key.size);
    model->items[at].size = item.key.size;
    model->items[at].value = item.value.data;
    model->items[at].flag = item.flag;
}

/* Shapes that stress the shared prefixes: long common beginnings, zero bytes at the end, keys that
 * are prefixes of others, 0xff. */
static struct bytes random_key(struct prng *prng, struct arena *arena)
{
    static const char *const beginnings[] = {
        "", "E\0\0\0\0\0\0\0\x01user:", "K\0\0\0\0",
        "a common beginning that is longer than a node keeps:"};
    static const uint8_t sizes[] = {0, 14, 5, 40};
    uint64_t shape = prng_below(prng, COUNT_OF(sizes));
    uint8_t *key = arena->data + arena->used;
    size_t size = sizes[shape];
    memcpy(key, beginnings[shape], size);
    size_t more = prng_between(prng, 1, KEY_MAX - 40);
    uint64_t variety = prng_below(prng, 3);
    for (size_t i = 0; i < more; i++)
        key[size++] = (uint8_t)(variety == 0   ? prng_below(prng, 2) * 255
                                : variety == 1 ? prng_below(prng, 3)
                                               : prng_next(prng));
    arena->used += size;
    return bytes_of(key, size);
}

static void assert_item(struct tree_item item, const struct model *model, size_t at)
{
    assert_true(at < model->count);
    assert_true(bytes_equal(item.key, model_key(model, at)));
    assert_ptr_equal(item.value.data, model->items[at].value);
    assert_int_equal(item.flag, model->items[at].flag);
}

static void assert_equal_from(const struct tree *tree, const struct model *model, struct bytes from)
{
    size_t at = from.size == 0 ? 0 : model_position(model, from);
    struct tree_cursor cursor = from.size == 0 ? tree_first(tree) : tree_seek(tree, from);
    struct tree_item item;
    while (tree_next(&cursor, &item))
        assert_item(item, model, at++);
    assert_int_equal(at, model->count);
    assert_false(tree_next(&cursor, &item));
}

static void put_both(struct tree *tree, struct model *model, struct tree_item item)
{
    size_t at = model_position(model, item.key);
    struct model_item before = {0};
    bool known = model_has(model, at, item.key);
    if (known)
        before = model->items[at];
    struct tree_item old = {0};
    assert_int_equal(tree_put(tree, item, &old), !known);
    assert_ptr_equal(old.value.data, before.value);
    assert_int_equal(old.flag, before.flag);
    model_put(model, item);
}

static void run_against_model(uint64_t seed, int steps)
{
    struct prng prng = prng_init(seed);
    struct arena arena = {.data = mem_alloc((size_t)steps * 2 * KEY_MAX)};
    struct model *model = mem_zero(sizeof(*model));
    struct tree *tree = tree_new();
    for (int i = 0; i < steps; i++) {
        struct bytes key = random_key(&prng, &arena);
        if (model->count > 0 && prng_chance(&prng, 200000))
            key = model_key(model, prng_below(&prng, model->count));
        uint8_t *kept = arena.data + arena.used;
        memcpy(kept, key.data, key.size);
        arena.used += key.size;
        struct tree_item item = {.key = bytes_of(kept, key.size),
                                 .value = bytes_of(arena.data + i, (size_t)i),
                                 .flag = prng_chance(&prng, 300000)};
        put_both(tree, model, item);
        struct bytes probe = random_key(&prng, &arena);
        struct tree_item found;
        size_t at = model_position(model, probe);
        assert_int_equal(tree_find(tree, probe, &found), model_has(model, at, probe));
        if (i % 97 == 0)
            assert_equal_from(tree, model, probe);
    }
    tree_check(tree);
    assert_int_equal(tree_count(tree), model->count);
    assert_equal_from(tree, model, (struct bytes){0});
    for (size_t i = 0; i < model->count; i++) {
        struct tree_item found;
        assert_true(tree_find(tree, model_key(model, i), &found));
        assert_item(found, model, i);
    }
    tree_free(tree);
    mem_free(model);
    mem_free(arena.data);
}

static void tree_equals_a_sorted_array_under_random_puts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_against_model(seed, 3000);
}

static struct tree_item numbered(uint8_t *space, uint64_t number)
{
    memcpy(space, "E\0\0\0\0\0\0\0\7", 9);
    put_be64(space + 9, number);
    return (struct tree_item){.key = bytes_of(space, 17), .value = bytes_of(space, 17)};
}

static void fill_in_order(bool ascending, size_t *memory)
{
    enum { COUNT = 20000 };
    uint8_t *space = mem_alloc(COUNT * 17);
    struct tree *tree = tree_new();
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t number = ascending ? i : COUNT - 1 - i;
        assert_true(tree_put(tree, numbered(space + number * 17, number), NULL));
    }
    tree_check(tree);
    struct tree_cursor cursor = tree_first(tree);
    struct tree_item item;
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_true(tree_next(&cursor, &item));
        assert_int_equal(get_be64(item.key.data + 9), i);
    }
    assert_false(tree_next(&cursor, &item));
    *memory = tree_memory(tree);
    tree_free(tree);
    mem_free(space);
}

static void tree_keeps_ascending_and_descending_runs_in_order(void **state)
{
    (void)state;
    size_t ascending;
    size_t descending;
    fill_in_order(true, &ascending);
    fill_in_order(false, &descending);
    /* Runs in key order fill nodes to the brim: about 36 bytes a row and some slack of the slab. */
    assert_true(ascending < 20000 * 40);
    assert_true(descending < 20000 * 80);
}

static void tree_that_is_empty_finds_nothing_and_iterates_nothing(void **state)
{
    (void)state;
    struct tree *tree = tree_new();
    struct tree_item item;
    assert_false(tree_find(tree, BYTES_LITERAL("a"), &item));
    struct tree_cursor cursor = tree_seek(tree, BYTES_LITERAL("a"));
    assert_false(tree_next(&cursor, &item));
    cursor = tree_first(tree);
    assert_false(tree_next(&cursor, &item));
    assert_int_equal(tree_count(tree), 0);
    assert_int_equal(tree_memory(tree), 0);
    tree_check(tree);
    tree_free(tree);
    tree_free(NULL);
}

static void tree_clear_forgets_everything_and_can_be_filled_again(void **state)
{
    (void)state;
    uint8_t space[300 * 17];
    struct tree *tree = tree_new();
    for (uint64_t i = 0; i < 300; i++)
        (void)tree_put(tree, numbered(space + i * 17, i), NULL);
    tree_clear(tree);
    assert_int_equal(tree_count(tree), 0);
    assert_int_equal(tree_memory(tree), 0);
    assert_false(tree_find(tree, bytes_of(space, 17), NULL));
    assert_true(tree_put(tree, numbered(space, 0), NULL));
    tree_check(tree);
    tree_free(tree);
}

static void tree_tells_keys_apart_that_differ_only_by_zero_bytes_at_the_end(void **state)
{
    (void)state;
    static const uint8_t zeros[200];
    struct tree *tree = tree_new();
    for (size_t size = sizeof(zeros); size > 0; size--)
        assert_true(tree_put(tree, (struct tree_item){.key = bytes_of(zeros, size)}, NULL));
    tree_check(tree);
    struct tree_cursor cursor = tree_first(tree);
    struct tree_item item;
    for (size_t size = 1; size <= sizeof(zeros); size++) {
        assert_true(tree_find(tree, bytes_of(zeros, size), &item));
        assert_int_equal(item.key.size, size);
        assert_true(tree_next(&cursor, &item));
        assert_int_equal(item.key.size, size);
    }
    tree_free(tree);
}

static void tree_seek_stands_at_the_first_key_not_below(void **state)
{
    (void)state;
    uint8_t space[500 * 17];
    uint8_t probe[17];
    struct tree *tree = tree_new();
    for (uint64_t i = 0; i < 500; i++)
        (void)tree_put(tree, numbered(space + i * 17, i * 2 + 1), NULL);
    for (uint64_t i = 0; i <= 1000; i++) {
        struct tree_cursor cursor = tree_seek(tree, numbered(probe, i).key);
        struct tree_item item;
        bool there = tree_next(&cursor, &item);
        assert_int_equal(there, i < 1000);
        if (there)
            assert_int_equal(get_be64(item.key.data + 9), i | 1);
    }
    tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_equals_a_sorted_array_under_random_puts),
        cmocka_unit_test(tree_keeps_ascending_and_descending_runs_in_order),
        cmocka_unit_test(tree_that_is_empty_finds_nothing_and_iterates_nothing),
        cmocka_unit_test(tree_clear_forgets_everything_and_can_be_filled_again),
        cmocka_unit_test(tree_tells_keys_apart_that_differ_only_by_zero_bytes_at_the_end),
        cmocka_unit_test(tree_seek_stands_at_the_first_key_not_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
