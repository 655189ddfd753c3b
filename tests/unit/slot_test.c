#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keyspace/slot.h"

static uint16_t slot(const char *key)
{
    return slot_of_key(bytes_of_string(key));
}

/* Redis Cluster specification: CRC16 of "123456789" is 0x31c3; foo and bar as its tools print them.
 */
static void slots_are_those_of_redis_cluster(void **state)
{
    (void)state;
    assert_int_equal(slot("123456789"), 0x31c3 % SLOT_COUNT);
    assert_int_equal(slot("foo"), 12182);
    assert_int_equal(slot("bar"), 5061);
    assert_int_equal(slot(""), 0);
    assert_int_equal(slot_of_key(bytes_of(NULL, 0)), 0);
}

static void only_the_first_tag_that_is_not_empty_counts(void **state)
{
    (void)state;
    assert_int_equal(slot("{user1000}.following"), slot("user1000"));
    assert_int_equal(slot("{user1000}.followers"), slot("user1000"));
    assert_int_equal(slot("foo{bar}{zap}"), slot("bar"));
    assert_int_equal(slot("foo{{bar}}zap"), slot("{bar"));
    assert_int_equal(slot("}{a}"), slot("a"));
    assert_int_not_equal(slot("foo{}{bar}"), slot("bar")); /* the first is empty: the whole key */
    assert_int_not_equal(slot("{bar"), slot("bar"));
    assert_int_not_equal(slot("bar}"), slot("bar"));
    assert_int_not_equal(slot("{"), slot(""));
    assert_int_equal(slot_of_key(bytes_of("a{b\0c}d", 7)), slot_of_key(bytes_of("b\0c", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_those_of_redis_cluster),
        cmocka_unit_test(only_the_first_tag_that_is_not_empty_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
