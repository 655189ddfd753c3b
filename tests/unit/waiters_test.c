/* Who waits for which key: order, several keys, databases, against what a list would say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/prng.h"
#include "keyspace/waiters.h"

enum { WAITERS = 24, KEYS = 6, DATABASES = 2, STEPS = 20000 };

static struct bytes name_of(int key)
{
    static const char *const NAMES[KEYS] = {"", "a", "b", "{a}b", "key", "a longer name of a key"};
    return bytes_of_string(NAMES[key]);
}

/* What a waiter waits for, and when it was woken. */
struct expected {
    bool waits[DATABASES][KEYS];
    bool is_waiting, is_woken;
    uint64_t arrival;
};

struct world {
    struct waiters *table;
    struct waiter waiters[WAITERS];
    struct expected expected[WAITERS];
    uint64_t arrivals;
    struct prng prng;
};

static void begin(struct world *world, int at)
{
    struct expected *expected = &world->expected[at];
    int database = (int)prng_below(&world->prng, DATABASES);
    int key = (int)prng_below(&world->prng, KEYS);
    if (!expected->is_waiting)
        expected->arrival = ++world->arrivals;
    expected->is_waiting = expected->waits[database][key] = true;
    waiters_add(world->table, &world->waiters[at], database, name_of(key));
}

static void end(struct world *world, int at)
{
    world->expected[at] = (struct expected){0};
    waiters_remove(world->table, &world->waiters[at]);
}

static void touch(struct world *world)
{
    int database = (int)prng_below(&world->prng, DATABASES);
    int key = (int)prng_below(&world->prng, KEYS);
    bool is_all = prng_below(&world->prng, 10) == 0;
    for (int i = 0; i < WAITERS; i++) {
        struct expected *expected = &world->expected[i];
        for (int k = 0; k < KEYS; k++)
            expected->is_woken |= (is_all || k == key) && expected->waits[database][k];
    }
    if (is_all)
        waiters_touch_database(world->table, database);
    else
        waiters_touch(world->table, database, name_of(key));
}

static int first_woken(const struct world *world)
{
    int first = -1;
    for (int i = 0; i < WAITERS; i++) {
        const struct expected *expected = &world->expected[i];
        if (expected->is_woken && (first < 0 || expected->arrival < world->expected[first].arrival))
            first = i;
    }
    return first;
}

static void take(struct world *world)
{
    int first = first_woken(world);
    assert_int_equal(waiters_has_woken(world->table), first >= 0);
    struct waiter *waiter = waiters_take(world->table);
    assert_ptr_equal(waiter, first < 0 ? NULL : &world->waiters[first]);
    if (first >= 0)
        world->expected[first].is_woken = false; /* and it waits on */
}

static void check_count(const struct world *world)
{
    uint64_t places = 0;
    for (int i = 0; i < WAITERS; i++) {
        for (int d = 0; d < DATABASES; d++) {
            for (int k = 0; k < KEYS; k++)
                places += world->expected[i].waits[d][k];
        }
    }
    assert_int_equal(waiters_key_count(world->table), places);
    assert_int_equal(waiters_is_empty(world->table), places == 0);
}

static void waiters_come_out_in_the_order_of_arrival_and_only_when_touched(void **state)
{
    (void)state;
    struct world world = {.table = waiters_new(), .prng = prng_init(7)};
    for (int i = 0; i < WAITERS; i++)
        waiter_init(&world.waiters[i]);
    for (int step = 0; step < STEPS; step++) {
        int at = (int)prng_below(&world.prng, WAITERS);
        uint64_t what = prng_below(&world.prng, 10);
        if (what < 3)
            begin(&world, at);
        else if (what < 4)
            end(&world, at);
        else if (what < 7)
            touch(&world);
        else
            take(&world);
        check_count(&world);
    }
    for (int i = 0; i < WAITERS; i++)
        end(&world, i);
    check_count(&world);
    waiters_free(world.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiters_come_out_in_the_order_of_arrival_and_only_when_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
