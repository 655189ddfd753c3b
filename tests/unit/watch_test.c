#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "keyspace/watch.h"

#define KEY   BYTES_LITERAL("k")
#define OTHER BYTES_LITERAL("other")

struct connection {
    struct list watches;
    bool is_dirty;
};

static void add(struct watch_table *table, struct connection *connection, int database,
                struct bytes key, bool was_expired)
{
    watch_add(table, &connection->watches, &connection->is_dirty, database, key, was_expired);
}

static void only_watchers_of_the_key_in_its_database_are_marked(void **state)
{
    (void)state;
    struct watch_table *table = watch_table_new();
    struct connection a = {0}, b = {0}, c = {0};
    list_init(&a.watches);
    list_init(&b.watches);
    list_init(&c.watches);
    assert_true(watch_is_empty(table));
    add(table, &a, 0, KEY, false);
    add(table, &a, 0, KEY, false); /* twice is once */
    add(table, &b, 1, KEY, false);
    add(table, &c, 0, OTHER, false);
    watch_touch(table, 0, KEY);
    assert_true(a.is_dirty);
    assert_false(b.is_dirty || c.is_dirty);
    watch_remove_all(&a.watches);
    a.is_dirty = false;
    watch_touch(table, 0, KEY);
    assert_false(a.is_dirty);
    watch_remove_all(&b.watches);
    assert_false(watch_is_empty(table));
    watch_remove_all(&c.watches);
    assert_true(watch_is_empty(table));
    watch_table_free(table);
}

static void an_expiry_marks_only_who_saw_the_key_alive(void **state)
{
    (void)state;
    struct watch_table *table = watch_table_new();
    struct connection alive = {0}, expired = {0};
    list_init(&alive.watches);
    list_init(&expired.watches);
    add(table, &alive, 0, KEY, false);
    add(table, &expired, 0, KEY, true);
    watch_touch_expired(table, 0, KEY);
    assert_true(alive.is_dirty);
    assert_false(expired.is_dirty);
    watch_touch(table, 0, KEY);
    assert_true(expired.is_dirty);
    watch_remove_all(&alive.watches);
    watch_remove_all(&expired.watches);
    watch_table_free(table);
}

static bool is_other(void *context, struct bytes key)
{
    ++*(int *)context;
    return bytes_equal(key, OTHER);
}

static bool is_key_expired(void *context, int database, struct bytes key)
{
    (void)database;
    ++*(int *)context;
    return bytes_equal(key, KEY);
}

static void whole_databases_and_expired_keys_are_asked_for_by_key(void **state)
{
    (void)state;
    struct watch_table *table = watch_table_new();
    struct connection a = {0}, b = {0};
    int asked = 0;
    list_init(&a.watches);
    list_init(&b.watches);
    add(table, &a, 2, KEY, false);
    add(table, &b, 2, OTHER, false);
    watch_touch_database(table, 1, NULL, NULL);
    assert_false(a.is_dirty || b.is_dirty);
    watch_touch_database(table, 2, is_other, &asked);
    assert_int_equal(asked, 2);
    assert_false(a.is_dirty);
    assert_true(b.is_dirty);
    watch_touch_database(table, 2, NULL, NULL);
    assert_true(a.is_dirty);
    assert_true(watch_any_expired(&a.watches, is_key_expired, &asked));
    assert_false(watch_any_expired(&b.watches, is_key_expired, &asked));
    watch_remove_all(&a.watches);
    add(table, &a, 2, KEY, true);
    assert_false(watch_any_expired(&a.watches, is_key_expired, &asked));
    watch_remove_all(&a.watches);
    watch_remove_all(&b.watches);
    watch_table_free(table);
}

/* 100,000 keys in one WATCH: a search through the connection's keys for each would take minutes. */
static void one_connection_may_watch_very_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 100000 };
    struct watch_table *table = watch_table_new();
    struct connection a = {0};
    char name[16];
    list_init(&a.watches);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < KEYS; i++) {
            (void)snprintf(name, sizeof(name), "k%d", i);
            add(table, &a, 0, bytes_of_string(name), false);
        }
    }
    int count = 0;
    for (const struct list *at = a.watches.next; at != &a.watches; at = at->next)
        count++;
    assert_int_equal(count, KEYS);
    watch_remove_all(&a.watches);
    assert_true(watch_is_empty(table));
    watch_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_watchers_of_the_key_in_its_database_are_marked),
        cmocka_unit_test(an_expiry_marks_only_who_saw_the_key_alive),
        cmocka_unit_test(whole_databases_and_expired_keys_are_asked_for_by_key),
        cmocka_unit_test(one_connection_may_watch_very_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
