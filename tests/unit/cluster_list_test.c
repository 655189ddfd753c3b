/* The directive `cluster`: which lists are taken, as what, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/cluster_list.h"

static bool parses(const char *text, struct members *out)
{
    struct buf error = {0};
    bool is_good = cluster_list_parse(text, out, &error);
    assert_int_equal(is_good, error.size == 0);
    buf_free(&error);
    return is_good;
}

static void a_list_gives_voters_in_order_of_their_numbers(void **state)
{
    (void)state;
    struct members members;
    assert_true(parses("3=c:7003@9003,1=a:7001,2=10.0.0.2:7002", &members));
    assert_int_equal(members.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(members.at[i].node, i + 1);
        assert_int_equal(members.at[i].port, 7001 + i);
        assert_true(members.at[i].is_voter && members.at[i].store_id == 0);
    }
    assert_string_equal(members.at[0].host, "a");
    assert_string_equal(members.at[1].host, "10.0.0.2");
    assert_int_equal(members.at[0].peer_port, 17001);
    assert_int_equal(members.at[2].peer_port, 9003);
}

static void an_empty_list_names_nobody(void **state)
{
    (void)state;
    struct members members;
    assert_true(parses("", &members));
    assert_int_equal(members.count, 0);
}

static void what_is_no_entry_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        ",",
        "1=a:1,",
        ",1=a:1",
        "1=a:1,,2=b:1",
        "1",
        "1=",
        "1=a",
        "1=a:",
        "1=:7000",
        "=a:7000",
        "0=a:7000",
        "01=a:7000",
        "-1=a:7000",
        "+1=a:7000",
        "x=a:7000",
        "1.5=a:7000",
        "2147483648=a:7000",
        "18446744073709551617=a:7000",
        "1=a:0",
        "1=a:65536",
        "1=a:-1",
        "1=a:07",
        "1=a:7x",
        "1=a:7000@",
        "1=a:7000@0",
        "1=a:7000@65536",
        "1=a:7000@x",
        "1=a@7000",
        "1=a:7000, 2=b:7000",
        "1=a :7000",
        "1=a\n:7000",
        "1=a:7000,1=b:7000",
        "1=a:55536",
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct members members;
        if (parses(BAD[i], &members))
            fail_msg("'%s' was taken", BAD[i]);
    }
}

static void ports_are_taken_up_to_their_edges(void **state)
{
    (void)state;
    struct members members;
    assert_true(parses("1=a:1,2147483647=b:65535@65535", &members));
    assert_int_equal(members.at[0].port, 1);
    assert_int_equal(members.at[0].peer_port, 1 + CLUSTER_PEER_PORT_OFFSET);
    assert_int_equal(members.at[1].node, INT32_MAX);
    assert_int_equal(members.at[1].peer_port, 65535);
    assert_true(parses("1=a:55535", &members)); /* 10000 more is the last port there is */
    assert_int_equal(members.at[0].peer_port, 65535);
}

static void an_ipv6_address_stands_in_brackets_and_loses_them(void **state)
{
    (void)state;
    struct members members;
    assert_true(parses("1=[::1]:7001,2=[fe80::1%eth0]:7002@9002", &members));
    assert_string_equal(members.at[0].host, "::1");
    assert_string_equal(members.at[1].host, "fe80::1%eth0");
    assert_int_equal(members.at[1].peer_port, 9002);
}

/* "1=::1:7001" could be a port or the last part of an address. */
static void an_ipv6_address_without_both_brackets_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "1=::1:7001", "1=[::1:7001", "1=::1]:7001",   "1=[]:7001",      "1=[::1]7001",
        "1=[::1]",    "1=a]:7001",   "1=[a][b]:7001", "1=[[::1]]:7001",
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct members members;
        if (parses(BAD[i], &members))
            fail_msg("'%s' was taken", BAD[i]);
    }
}

static void put_nodes(struct buf *text, int count)
{
    buf_clear(text);
    for (int i = 1; i <= count; i++)
        buf_printf(text, "%s%d=h:%d", i == 1 ? "" : ",", i, 7000 + i);
    buf_append_u8(text, 0);
}

static void nine_nodes_are_taken_and_ten_are_refused(void **state)
{
    (void)state;
    struct members members;
    struct buf text = {0};
    for (int count = MEMBERS_MAX - 1; count <= MEMBERS_MAX; count++) {
        put_nodes(&text, count);
        assert_true(parses((const char *)text.data, &members));
        assert_int_equal(members.count, count);
    }
    put_nodes(&text, MEMBERS_MAX + 1);
    assert_false(parses((const char *)text.data, &members));
    buf_free(&text);
}

static void a_host_of_255_bytes_is_taken_and_one_of_256_refused(void **state)
{
    (void)state;
    for (size_t size = MEMBERS_HOST_MAX - 1; size <= MEMBERS_HOST_MAX + 1; size++) {
        struct members members;
        struct buf text = {0};
        buf_append_string(&text, "1=");
        memset(buf_extend(&text, size), 'h', size);
        buf_append_string(&text, ":7000");
        buf_append_u8(&text, 0);
        assert_int_equal(parses((const char *)text.data, &members), size <= MEMBERS_HOST_MAX);
        buf_free(&text);
    }
}

static void the_error_names_the_entry_and_what_is_wrong_with_it(void **state)
{
    (void)state;
    struct members members;
    struct buf error = {0};
    assert_false(cluster_list_parse("1=a:7000,2=b", &members, &error));
    buf_append_u8(&error, 0);
    assert_string_equal((const char *)error.data,
                        "cluster: '2=b': expected number=host:port or number=host:port@port");
    buf_free(&error);
    assert_false(cluster_list_parse("1=a:7000,1=b:7000", &members, &error));
    buf_append_u8(&error, 0);
    assert_non_null(strstr((const char *)error.data, "stands before it"));
    buf_free(&error);
}

static void an_address_alone_says_host_and_ports(void **state)
{
    (void)state;
    struct member member = {.node = 7, .peer_port = 3};
    assert_true(cluster_address_parse(BYTES_LITERAL("db.example:6379"), &member));
    assert_string_equal(member.host, "db.example");
    assert_true(member.port == 6379 && member.peer_port == 16379 && member.node == 7);
    assert_false(cluster_address_parse(bytes_of(NULL, 0), &member));
    assert_false(cluster_address_parse(BYTES_LITERAL("a\0b:6379"), &member));
    assert_false(cluster_address_parse(BYTES_LITERAL("6379"), &member));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_gives_voters_in_order_of_their_numbers),
        cmocka_unit_test(an_empty_list_names_nobody),
        cmocka_unit_test(what_is_no_entry_is_refused),
        cmocka_unit_test(ports_are_taken_up_to_their_edges),
        cmocka_unit_test(an_ipv6_address_stands_in_brackets_and_loses_them),
        cmocka_unit_test(an_ipv6_address_without_both_brackets_is_refused),
        cmocka_unit_test(nine_nodes_are_taken_and_ten_are_refused),
        cmocka_unit_test(a_host_of_255_bytes_is_taken_and_one_of_256_refused),
        cmocka_unit_test(the_error_names_the_entry_and_what_is_wrong_with_it),
        cmocka_unit_test(an_address_alone_says_host_and_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
