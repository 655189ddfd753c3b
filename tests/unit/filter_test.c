#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/filter.h"

enum { HASHES = 60000 };

static uint64_t hash_of(uint32_t number)
{
    struct prng prng = prng_init(number);
    (void)prng_next(&prng);
    return prng_next(&prng) >> 16;
}

static void filter_never_says_absent_of_what_is_there(void **state)
{
    (void)state;
    struct prng prng = prng_init(1);
    struct filter *filter = filter_new();
    uint8_t *times = mem_zero(HASHES);
    uint64_t count = 0;
    for (int step = 0; step < 400000; step++) {
        uint32_t number = (uint32_t)prng_below(&prng, step % 100000 < 60000 ? HASHES : 500);
        bool adds = times[number] == 0 || (times[number] < 3 && prng_chance(&prng, 300000));
        if (adds)
            filter_add(filter, hash_of(number));
        else
            assert_true(filter_remove(filter, hash_of(number)));
        times[number] = (uint8_t)(times[number] + (adds ? 1 : -1));
        count += adds ? 1 : UINT64_MAX;
        if (times[number] > 0)
            assert_true(filter_may_have(filter, hash_of(number)));
        assert_int_equal(filter_count(filter), count);
    }
    for (uint32_t number = 0; number < HASHES; number++)
        assert_true(times[number] == 0 || filter_may_have(filter, hash_of(number)));
    mem_free(times);
    filter_free(filter);
}

/* Fingerprints and places that collide: the same low bits, few fingerprints. */
static void filter_keeps_the_other_of_two_that_share_a_place(void **state)
{
    (void)state;
    struct prng prng = prng_init(5);
    struct filter *filter = filter_new();
    enum { GROUP = 64 };
    uint8_t there[GROUP] = {0};
    for (int step = 0; step < 100000; step++) {
        uint32_t at = (uint32_t)prng_below(&prng, GROUP);
        uint64_t hash = (uint64_t)(at % 2) << 32 | (uint64_t)at / 2
                                                       << 9; /* bits above a small mask */
        if (there[at] == 0)
            filter_add(filter, hash);
        else
            assert_true(filter_remove(filter, hash));
        there[at] ^= 1;
        for (uint32_t i = 0; i < GROUP; i++) {
            uint64_t other = (uint64_t)(i % 2) << 32 | (uint64_t)i / 2 << 9;
            assert_true(there[i] == 0 || filter_may_have(filter, other));
        }
    }
    filter_free(filter);
}

static void false_answers_are_few_and_memory_is_small(void **state)
{
    (void)state;
    struct filter *filter = filter_new();
    enum { ADDED = 200000, ASKED = 400000 };
    for (uint32_t i = 0; i < ADDED; i++)
        filter_add(filter, hash_of(i));
    int false_answers = 0;
    for (uint32_t i = ADDED; i < ADDED + ASKED; i++)
        false_answers += filter_may_have(filter, hash_of(i));
    /* Ten levels, each one in 8,000. */
    assert_true(false_answers < ASKED * 10 / 4000);
    assert_true(filter_memory(filter) < (uint64_t)ADDED * 6);
    filter_free(filter);
}

static void what_was_never_added_is_not_removed(void **state)
{
    (void)state;
    struct filter *filter = filter_new();
    assert_false(filter_may_have(filter, 0));
    assert_false(filter_remove(filter, 0));
    filter_add(filter, 0);
    assert_true(filter_remove(filter, 0));
    assert_false(filter_remove(filter, 0));
    assert_int_equal(filter_count(filter), 0);
    filter_free(filter);
    filter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_never_says_absent_of_what_is_there),
        cmocka_unit_test(filter_keeps_the_other_of_two_that_share_a_place),
        cmocka_unit_test(false_answers_are_few_and_memory_is_small),
        cmocka_unit_test(what_was_never_added_is_not_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
