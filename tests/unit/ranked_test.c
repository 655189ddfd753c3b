/* The index of sorted sets against a sorted array. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/prng.h"
#include "types/ranked.h"

enum { MOST = 6000 };

struct world {
    struct prng prng;
    struct ranked *ranked;
    struct ranked_entry entries[MOST];
    uint32_t count;
    uint64_t names;
    uint64_t scores; /* how many different ones */
};

static int order_of(struct ranked_entry a, struct ranked_entry b)
{
    if (a.score != b.score)
        return a.score < b.score ? -1 : 1;
    return bytes_compare(element_key(a.element), element_key(b.element));
}

static uint32_t place_of(const struct world *world, struct ranked_entry entry)
{
    uint32_t from = 0, to = world->count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (order_of(world->entries[middle], entry) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void insert(struct world *world)
{
    char text[32];
    int size =
        snprintf(text, sizeof(text), "%llu", (unsigned long long)world->names++ * 7919 % 100003);
    struct ranked_entry entry = {
        .score = (double)prng_below(&world->prng, world->scores) - 2,
        .element = element_new(bytes_of(text, (size_t)size), bytes_of(NULL, 0), 0),
    };
    uint32_t at = place_of(world, entry);
    ranked_insert(world->ranked, entry);
    memmove(world->entries + at + 1, world->entries + at, (world->count - at) * sizeof(entry));
    world->entries[at] = entry;
    world->count++;
}

static void drop(struct world *world, uint32_t at)
{
    struct ranked_entry entry = world->entries[at];
    ranked_remove(world->ranked, entry);
    world->count--;
    memmove(world->entries + at, world->entries + at + 1, (world->count - at) * sizeof(entry));
    element_free(entry.element);
}

static void check_bounds(struct world *world)
{
    if (world->count == 0)
        return;
    uint32_t at = (uint32_t)prng_below(&world->prng, world->count);
    struct ranked_entry entry = world->entries[at];
    struct ranked_bound bound = {
        .score = entry.score, .which = RANKED_AT_MEMBER, .member = element_key(entry.element)};
    assert_int_equal(ranked_position(world->ranked, &bound), at);
    bound.is_after = true;
    assert_int_equal(ranked_position(world->ranked, &bound), at + 1);
    uint32_t from = at, to = at;
    while (from > 0 && world->entries[from - 1].score == entry.score)
        from--;
    while (to < world->count && world->entries[to].score == entry.score)
        to++;
    bound.which = RANKED_BEFORE_ALL;
    assert_int_equal(ranked_position(world->ranked, &bound), from);
    bound.which = RANKED_AFTER_ALL;
    assert_int_equal(ranked_position(world->ranked, &bound), to);
    bound.score += 0.5;
    assert_int_equal(ranked_position(world->ranked, &bound), to);
}

static void check_walks(struct world *world)
{
    ranked_check(world->ranked);
    assert_int_equal(ranked_count(world->ranked), world->count);
    uint32_t at = (uint32_t)prng_below(&world->prng, world->count + 1);
    struct ranked_cursor cursor = ranked_at(world->ranked, at), back = cursor;
    for (uint32_t i = at; i < world->count; i++, ranked_next(&cursor))
        assert_ptr_equal(ranked_get(&cursor).element, world->entries[i].element);
    assert_null(cursor.leaf);
    for (uint32_t i = at; at < world->count && i + 1 > 0; i--, ranked_prev(&back))
        assert_ptr_equal(ranked_get(&back).element, world->entries[i].element);
}

static void rebuild(struct world *world)
{
    struct ranked_entry *copy = malloc((world->count + 1) * sizeof(*copy));
    for (uint32_t i = 0; i < world->count; i++)
        copy[i] = world->entries[(i + world->count / 3) % world->count];
    ranked_free(world->ranked);
    world->ranked = ranked_build(copy, world->count);
    free(copy);
}

static void drop_one(struct world *world)
{
    bool is_end = prng_below(&world->prng, 3) == 0;
    drop(world, is_end ? 0 : (uint32_t)prng_below(&world->prng, world->count));
    if (world->count % 64 == 0)
        check_bounds(world);
}

static void a_tree_of_any_size_is_the_sorted_array(void **state)
{
    (void)state;
    static const uint32_t TARGETS[] = {1, 0, 64, 65, 10, 3000, MOST, 100, 0, 2000, 1, 0};
    for (uint64_t scores = 1; scores < 1000000; scores *= 97) {
        struct world *world = calloc(1, sizeof(*world));
        world->prng = prng_init(scores);
        world->ranked = ranked_new();
        world->scores = scores;
        for (size_t i = 0; i < COUNT_OF(TARGETS); i++) {
            while (world->count < TARGETS[i])
                insert(world);
            while (world->count > TARGETS[i])
                drop_one(world);
            check_walks(world);
            if (i % 3 == 2)
                rebuild(world);
            check_walks(world);
            for (int j = 0; j < 50; j++)
                check_bounds(world);
        }
        ranked_free(world->ranked);
        free(world);
    }
}

/* ranked_check asserts the order. */
static void scores_of_every_kind_are_built_in_order(void **state)
{
    (void)state;
    static const double SPECIAL[] = {0.0,    -0.0,   INFINITY, -INFINITY, 1e308,
                                     -1e308, 5e-324, -5e-324,  1.0,       -1.0};
    enum { COUNT = 6000 };
    struct ranked_entry *entries = malloc(COUNT * sizeof(*entries));
    struct element **elements = malloc(COUNT * sizeof(struct element *));
    struct prng prng = prng_init(11);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t number = prng_next(&prng);
        elements[i] = element_new(bytes_of(&number, sizeof(number)), bytes_of(NULL, 0), 0);
        double score = ((double)prng_below(&prng, 4000000) - 2000000) / 7;
        if (i % 3 == 0)
            score = SPECIAL[prng_below(&prng, COUNT_OF(SPECIAL))];
        entries[i] = (struct ranked_entry){.score = score, .element = elements[i]};
    }
    for (uint32_t count = COUNT; count > 2000; count -= 977) {
        struct ranked *ranked = ranked_build(entries, count);
        assert_int_equal(ranked_count(ranked), count);
        ranked_check(ranked);
        ranked_free(ranked);
        entries[0] = entries[count - 1]; /* out of order again, and one of them is gone */
    }
    for (uint32_t i = 0; i < COUNT; i++)
        element_free(elements[i]);
    free(elements);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_of_every_kind_are_built_in_order),
        cmocka_unit_test(a_tree_of_any_size_is_the_sorted_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
