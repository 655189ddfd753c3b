/* The element table against an array of numbers, at all sizes; scans while it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/prng.h"
#include "types/elements.h"

enum { NUMBERS = 30000, SAMPLES = 60000 };

#define SEED 99

struct world {
    struct prng prng;
    struct elements *elements;
    bool *is_in; /* by number */
    uint64_t *value;
    uint64_t count;
};

static struct bytes name_of(uint64_t number, char *text)
{
    return bytes_of(
        text, (size_t)snprintf(text, 32, "member:%llu", (unsigned long long)number)); // NOLINT
}

static uint64_t number_of(const struct element *element)
{
    char text[32] = {0};
    struct bytes key = element_key(element);
    memcpy(text, key.data, key.size);
    return strtoull(text + strlen("member:"), NULL, 10);
}

static void add(struct world *world, uint64_t number)
{
    char text[32];
    uint64_t value = prng_next(&world->prng);
    int64_t expire_ms = (int64_t)(value & 1 ? value >> 1 : 0);
    struct element *element =
        element_new(name_of(number, text), bytes_of(&value, sizeof(value)), expire_ms);
    assert_int_equal(element_expire_ms(element), expire_ms);
    struct element *old = elements_find(world->elements, name_of(number, text));
    assert_int_equal(old != NULL, world->is_in[number]);
    if (old == NULL)
        elements_insert(world->elements, element);
    else
        elements_replace(world->elements, old, element);
    world->count += old == NULL;
    world->is_in[number] = true;
    world->value[number] = value;
}

static void drop(struct world *world, uint64_t number)
{
    char text[32];
    struct element *element = elements_find(world->elements, name_of(number, text));
    assert_int_equal(element != NULL, world->is_in[number]);
    if (element == NULL)
        return;
    assert_memory_equal(element_value(element).data, &world->value[number], sizeof(uint64_t));
    elements_remove(world->elements, element);
    element_free(element);
    world->is_in[number] = false;
    world->count--;
}

static void check_walk(struct world *world)
{
    elements_check(world->elements);
    assert_int_equal(elements_count(world->elements), world->count);
    uint64_t cursor = 0, count = 0;
    for (struct element *element; (element = elements_next(world->elements, &cursor)) != NULL;) {
        assert_true(world->is_in[number_of(element)]);
        count++;
    }
    assert_int_equal(count, world->count);
}

/* All that is in the table from the first step to the last is given, whatever else comes and goes.
 */
static void check_scan(struct world *world, uint64_t step, bool changes)
{
    bool *stayed = malloc(NUMBERS * sizeof(bool));
    bool *seen = calloc(NUMBERS, sizeof(bool));
    memcpy(stayed, world->is_in, NUMBERS * sizeof(bool));
    uint64_t cursor = 0, given = 0;
    do {
        struct buf out = {0};
        cursor = elements_scan(world->elements, cursor, step, &out);
        assert_true(cursor < UINT64_C(1) << 48);
        for (size_t at = 0; at < out.size; at += sizeof(struct element *)) {
            struct element *element;
            memcpy(&element, out.data + at, sizeof(struct element *));
            seen[number_of(element)] = true;
            given++;
        }
        buf_free(&out);
        for (int i = 0; changes && i < 100; i++) {
            uint64_t number = prng_below(&world->prng, NUMBERS);
            if (prng_below(&world->prng, 2) == 0)
                add(world, number);
            else
                drop(world, number);
            stayed[number] = false;
        }
    } while (cursor != 0);
    for (uint64_t i = 0; i < NUMBERS; i++)
        assert_true(!stayed[i] || seen[i]);
    if (!changes)
        assert_int_equal(given, world->count); /* and each once */
    free(stayed);
    free(seen);
}

static void setup(struct world *world)
{
    *world = (struct world){.prng = prng_init(5), .elements = elements_new(SEED)};
    world->is_in = calloc(NUMBERS, sizeof(bool));
    world->value = calloc(NUMBERS, sizeof(uint64_t));
}

static void teardown(struct world *world)
{
    elements_free(world->elements);
    free(world->is_in);
    free(world->value);
}

static void a_table_of_any_size_holds_what_was_put_in(void **state)
{
    (void)state;
    struct world world;
    setup(&world);
    static const uint64_t TARGETS[] = {3, 0, 40, 5, 3000, 20, NUMBERS, 0, 1000, 0};
    for (size_t i = 0; i < COUNT_OF(TARGETS); i++) {
        while (world.count != TARGETS[i]) {
            uint64_t number = prng_below(&world.prng, NUMBERS);
            if (world.count < TARGETS[i])
                add(&world, number);
            else
                drop(&world, number);
            if (world.count < NUMBERS / 2 && world.count > 1 && prng_below(&world.prng, 10) == 0)
                drop(&world, prng_below(&world.prng, NUMBERS));
            if (world.count < 100)
                elements_check(world.elements);
        }
        check_walk(&world);
        for (uint64_t step = 1; step < 3000; step *= 7)
            check_scan(&world, step, false);
        if (world.count > 0)
            check_scan(&world, 10 + world.count / 50, true);
        check_walk(&world);
    }
    teardown(&world);
}

static void a_table_with_room_made_beforehand_is_like_any_other(void **state)
{
    (void)state;
    static const uint64_t RESERVED[] = {0, 1, 1279, 1280, 1281, 5000, NUMBERS, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(RESERVED); i++) {
        struct world world;
        setup(&world);
        for (size_t there = 0; there < 300 * i; there++)
            add(&world, prng_below(&world.prng, NUMBERS));
        elements_reserve(world.elements, RESERVED[i]);
        elements_check(world.elements);
        while (world.count < 9000)
            add(&world, prng_below(&world.prng, NUMBERS));
        check_walk(&world);
        check_scan(&world, 100, false);
        while (world.count > 5)
            drop(&world, prng_below(&world.prng, NUMBERS));
        check_walk(&world);
        teardown(&world);
    }
}

static void what_is_there_is_not_added_again(void **state)
{
    (void)state;
    struct elements *elements = elements_new(SEED);
    for (uint64_t number = 0; number < 5000; number++) {
        struct bytes key = bytes_of(&number, sizeof(number));
        struct element *again = element_new(key, bytes_of("x", 1), 0);
        assert_true(elements_add(elements, element_new(key, bytes_of("v", 1), 0)));
        assert_false(elements_add(elements, again));
        assert_int_equal(element_value(elements_find(elements, key)).data[0], 'v');
        element_free(again);
    }
    assert_int_equal(elements_count(elements), 5000);
    elements_check(elements);
    elements_free(elements);
}

/* Chi square over groups of members; the bound is far out for 63 degrees of freedom. */
static void check_samples(struct world *world)
{
    enum { GROUPS = 64 };
    uint64_t hits[GROUPS] = {0}, members[GROUPS] = {0};
    for (uint64_t i = 0; i < NUMBERS; i++)
        members[i * 7919 % GROUPS] += world->is_in[i];
    for (int i = 0; i < SAMPLES; i++) {
        struct element *element = elements_sample(world->elements, prng_next(&world->prng));
        assert_true(world->is_in[number_of(element)]);
        hits[number_of(element) * 7919 % GROUPS]++;
    }
    double chi = 0;
    int degrees = -1;
    for (int i = 0; i < GROUPS; i++) {
        double expected = (double)SAMPLES * (double)members[i] / (double)world->count;
        if (expected == 0)
            continue;
        chi += ((double)hits[i] - expected) * ((double)hits[i] - expected) / expected;
        degrees++;
    }
    assert_true(chi < degrees + 6 * (degrees < 2 ? 3 : degrees / 2.0) + 20);
}

static void every_element_has_the_same_chance(void **state)
{
    (void)state;
    struct world world;
    setup(&world);
    assert_null(elements_sample(world.elements, 1));
    static const uint64_t TARGETS[] = {1, 7, 300, 3000, 20000, 200};
    for (size_t i = 0; i < COUNT_OF(TARGETS); i++) {
        while (world.count < TARGETS[i])
            add(&world, prng_below(&world.prng, NUMBERS));
        while (world.count > TARGETS[i])
            drop(&world, prng_below(&world.prng, NUMBERS));
        check_samples(&world);
    }
    teardown(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_any_size_holds_what_was_put_in),
        cmocka_unit_test(a_table_with_room_made_beforehand_is_like_any_other),
        cmocka_unit_test(what_is_there_is_not_added_again),
        cmocka_unit_test(every_element_has_the_same_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
