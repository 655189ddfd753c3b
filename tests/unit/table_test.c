#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/table.h"

enum { MODEL_MAX = 3000 };

static struct object *object_new(uint64_t order, uint32_t name)
{
    struct object *object = mem_zero(sizeof(*object) + sizeof(name));
    object->order = order;
    object->key_size = sizeof(name);
    memcpy(object->data, &name, sizeof(name));
    return object;
}

static struct object *find(const struct table *table, const struct object *object)
{
    return table_find(table, object->order, object_key(object));
}

/* Few parts and few homes: long runs that wrap, and whole groups with one hash. */
static uint64_t draw_order(struct prng *prng)
{
    return prng_below(prng, 4) | prng_below(prng, 40) << 9 | prng_below(prng, 3) << 32 |
           prng_below(prng, 2) << 48;
}

static void table_holds_what_a_model_holds_whatever_is_removed(void **state)
{
    (void)state;
    struct prng prng = prng_init(1);
    struct table table = {0};
    struct object *model[MODEL_MAX] = {NULL};
    uint64_t count = 0;
    for (uint32_t step = 0; step < 60000; step++) {
        size_t at = prng_below(&prng, step % 20000 < 12000 ? MODEL_MAX : 200);
        if (model[at] == NULL) {
            model[at] = object_new(draw_order(&prng), step);
            table_insert(&table, model[at]);
            count++;
        } else if (prng_chance(&prng, 300000)) {
            struct object *moved = object_new(model[at]->order, 0);
            memcpy(moved->data, model[at]->data, sizeof(uint32_t));
            table_replace(&table, model[at], moved);
            mem_free(model[at]);
            model[at] = moved;
        } else {
            table_remove(&table, model[at]);
            assert_null(find(&table, model[at]));
            mem_free(model[at]);
            model[at] = NULL;
            count--;
        }
        assert_int_equal(table.count, count);
        if (step % 5000 != 0)
            continue;
        table_check(&table);
        for (size_t i = 0; i < MODEL_MAX; i++)
            assert_true(model[i] == NULL || find(&table, model[i]) == model[i]);
    }
    uint64_t walked = 0, cursor = 0;
    for (struct object *object; (object = table_next(&table, &cursor)) != NULL; walked++)
        assert_ptr_equal(find(&table, object), object);
    assert_int_equal(walked, count);
    table_free(&table);
    assert_int_equal(table.count + table.memory, 0);
    for (size_t i = 0; i < MODEL_MAX; i++)
        mem_free(model[i]);
}

static void keys_of_one_hash_are_told_apart_by_name(void **state)
{
    (void)state;
    struct table table = {0};
    struct object *objects[50];
    for (uint32_t i = 0; i < 50; i++) {
        objects[i] = object_new(12345, i);
        table_insert(&table, objects[i]);
    }
    for (uint32_t i = 0; i < 50; i += 2)
        table_remove(&table, objects[i]);
    table_check(&table);
    for (uint32_t i = 0; i < 50; i++)
        assert_ptr_equal(find(&table, objects[i]), i % 2 == 0 ? NULL : objects[i]);
    table_free(&table);
    for (uint32_t i = 0; i < 50; i++)
        mem_free(objects[i]);
}

static void samples_reach_every_object_and_favour_none_much(void **state)
{
    (void)state;
    enum { OBJECTS = 2000, SAMPLES = 200000 };
    struct table table = {0};
    struct prng prng = prng_init(3);
    static struct object *objects[OBJECTS];
    for (uint32_t i = 0; i < OBJECTS; i++) {
        objects[i] = object_new(prng_next(&prng), i);
        table_insert(&table, objects[i]);
    }
    int *times = mem_zero(OBJECTS * sizeof(*times));
    for (int i = 0; i < SAMPLES; i++) {
        uint32_t name;
        memcpy(&name, table_sample(&table, prng_next(&prng))->data, sizeof(name));
        times[name]++;
    }
    for (int i = 0; i < OBJECTS; i++) {
        assert_true(times[i] > 0);
        assert_true(times[i] < 20 * SAMPLES / OBJECTS);
        table_remove(&table, objects[i]);
        mem_free(objects[i]);
    }
    assert_null(table_sample(&table, 7));
    mem_free(times);
    table_free(&table);
}

static void an_empty_table_answers(void **state)
{
    (void)state;
    struct table table = {0};
    uint64_t cursor = 0;
    assert_null(table_find(&table, 1, BYTES_LITERAL("k")));
    assert_null(table_sample(&table, 1));
    assert_null(table_next(&table, &cursor));
    table_check(&table);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_holds_what_a_model_holds_whatever_is_removed),
        cmocka_unit_test(keys_of_one_hash_are_told_apart_by_name),
        cmocka_unit_test(samples_reach_every_object_and_favour_none_much),
        cmocka_unit_test(an_empty_table_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
