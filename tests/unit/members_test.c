/* The members of a group as the log carries them: what was written comes back, and nothing else is
 * taken (L11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/members.h"

enum { COUNT_AT = 1, FIRST_AT = 2, ROLE_AT = FIRST_AT + 8, HOST_SIZE_AT = FIRST_AT + 21 };

static struct member member_of(uint64_t node, const char *host)
{
    struct member member = {.node = node,
                            .is_voter = node % 2 == 1,
                            .store_id = node * 77,
                            .port = (uint16_t)(6378 + node),
                            .peer_port = (uint16_t)(16378 + node)};
    memcpy(member.host, host, strlen(host));
    return member;
}

static struct members members_of(uint32_t count)
{
    struct members members = {.count = count};
    for (uint32_t i = 0; i < count; i++)
        members.at[i] = member_of(UINT64_MAX - i, i == 0 ? "" : "host.example");
    return members;
}

/* A block of exactly that size, so that reading past the end is seen. */
static bool decodes(struct bytes bytes, struct members *out)
{
    uint8_t *exact = mem_alloc(bytes.size + 1);
    if (bytes.size > 0)
        memcpy(exact + 1, bytes.data, bytes.size);
    bool is_good = members_decode(bytes_of(exact + 1, bytes.size), out);
    mem_free(exact);
    return is_good;
}

static bool is_same(const struct members *a, const struct members *b)
{
    bool is_same = a->count == b->count;
    for (uint32_t i = 0; is_same && i < a->count; i++) {
        const struct member *x = &a->at[i], *y = &b->at[i];
        is_same = x->node == y->node && x->is_voter == y->is_voter && x->store_id == y->store_id &&
                  x->port == y->port && x->peer_port == y->peer_port &&
                  strcmp(x->host, y->host) == 0;
    }
    return is_same;
}

static void members_come_back_as_they_were_up_to_the_limit(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= MEMBERS_MAX; count++) {
        struct members members = members_of(count), decoded;
        struct buf bytes = {0};
        members_append(&bytes, &members);
        assert_true(decodes(buf_bytes(&bytes), &decoded));
        assert_true(is_same(&members, &decoded));
        buf_free(&bytes);
    }
}

static void one_member_more_than_the_limit_is_refused(void **state)
{
    (void)state;
    struct members members = members_of(MEMBERS_MAX), one = {.count = 1}, decoded;
    struct buf bytes = {0}, more = {0};
    one.at[0] = member_of(5, "");
    members_append(&bytes, &members);
    members_append(&more, &one);
    buf_append(&bytes, bytes_of(more.data + FIRST_AT, more.size - FIRST_AT));
    bytes.data[COUNT_AT]++;
    assert_false(decodes(buf_bytes(&bytes), &decoded));
    buf_free(&bytes);
    buf_free(&more);
}

static void the_example_of_the_format_holds_byte_for_byte(void **state)
{
    (void)state;
    static const uint8_t EXAMPLE[] = {0x01, 0x01, 0x01, 0,    0,    0,    0,   0, 0,
                                      0,    0x01, 0x02, 0,    0,    0,    0,   0, 0,
                                      0,    0xeb, 0x18, 0xfb, 0x3f, 0x01, 0x61};
    struct members members = {.count = 1,
                              .at = {{.node = 1,
                                      .is_voter = true,
                                      .store_id = 2,
                                      .port = 6379,
                                      .peer_port = 16379,
                                      .host = "a"}}};
    struct members decoded;
    struct buf bytes = {0};
    members_append(&bytes, &members);
    assert_true(bytes_equal(buf_bytes(&bytes), bytes_of(EXAMPLE, sizeof(EXAMPLE))));
    assert_true(decodes(bytes_of(EXAMPLE, sizeof(EXAMPLE)), &decoded));
    assert_true(is_same(&members, &decoded));
    buf_free(&bytes);
}

static void no_bytes_at_all_are_the_only_voter(void **state)
{
    (void)state;
    struct members decoded;
    assert_true(decodes(bytes_of(NULL, 0), &decoded));
    assert_int_equal(decoded.count, 1);
    assert_true(decoded.at[0].node == 1 && decoded.at[0].is_voter);
    assert_string_equal(decoded.at[0].host, "");
}

static void members_that_are_cut_short_are_refused(void **state)
{
    (void)state;
    struct members members = members_of(3), decoded;
    struct buf bytes = {0};
    members_append(&bytes, &members);
    for (size_t size = 1; size < bytes.size; size++)
        assert_false(decodes(bytes_of(bytes.data, size), &decoded));
    buf_append_u8(&bytes, 0);
    assert_false(decodes(buf_bytes(&bytes), &decoded));
    buf_free(&bytes);
}

/* Whatever is taken is written as it was read: no two forms of the same members. */
static void a_flipped_bit_is_refused_or_gives_members_that_are_written_the_same(void **state)
{
    (void)state;
    struct members members = members_of(3), decoded;
    struct buf bytes = {0}, again = {0};
    members_append(&bytes, &members);
    size_t refused = 0;
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        buf_clear(&again);
        if (decodes(buf_bytes(&bytes), &decoded)) {
            members_append(&again, &decoded);
            assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&bytes)));
        } else {
            refused++;
        }
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(refused >= 16 + 3 * (7 + 8)); /* version, count; roles and sizes of the three */
    buf_free(&bytes);
    buf_free(&again);
}

static void members_that_nobody_writes_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
    } CASES[] = {
        {0, 0},                /* version */
        {0, 2},                /* a newer one */
        {COUNT_AT, 0},         /* one is left over */
        {COUNT_AT, 2},         /* one is missing */
        {COUNT_AT, 255},       /* over the limit */
        {FIRST_AT, 0},         /* node 0 */
        {ROLE_AT, 2},          /* neither learner nor voter */
        {HOST_SIZE_AT, 0},     /* the host is left over */
        {HOST_SIZE_AT, 255},   /* it is not there */
        {HOST_SIZE_AT + 1, 0}, /* a terminator inside */
    };
    struct members members = {.count = 1}, decoded;
    members.at[0] = member_of(1, "a");
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf bytes = {0};
        members_append(&bytes, &members);
        bytes.data[CASES[i].at] = CASES[i].byte;
        assert_false(decodes(buf_bytes(&bytes), &decoded));
        buf_free(&bytes);
    }
}

static void a_node_twice_is_refused(void **state)
{
    (void)state;
    struct members members = {.count = 2}, decoded;
    struct buf bytes = {0};
    members.at[0] = member_of(3, "a");
    members.at[1] = member_of(3, "b");
    members_append(&bytes, &members);
    assert_false(decodes(buf_bytes(&bytes), &decoded));
    buf_free(&bytes);
}

static void the_longest_host_and_the_edges_of_the_ports_come_back(void **state)
{
    (void)state;
    for (size_t size = MEMBERS_HOST_MAX - 1; size <= MEMBERS_HOST_MAX; size++) {
        struct members members = {.count = 1}, decoded;
        struct buf bytes = {0};
        members.at[0] = (struct member){.node = 1, .port = 0, .peer_port = UINT16_MAX};
        memset(members.at[0].host, 'h', size);
        members_append(&bytes, &members);
        assert_true(decodes(buf_bytes(&bytes), &decoded));
        assert_true(is_same(&members, &decoded));
        assert_int_equal(strlen(decoded.at[0].host), size);
        buf_free(&bytes);
    }
}

static void only_members_are_found(void **state)
{
    (void)state;
    struct members members = {.count = 2};
    members.at[0] = member_of(3, "a");
    members.at[1] = member_of(4, "b");
    members.at[2] = member_of(5, "not counted");
    assert_ptr_equal(members_find(&members, 4), &members.at[1]);
    assert_null(members_find(&members, 5));
    assert_null(members_find(&members, 0));
}

static void members_have_a_voter_only_if_one_of_them_votes(void **state)
{
    (void)state;
    struct members members = {.count = 1, .at = {{.node = 1}, {.node = 2, .is_voter = true}}};
    assert_false(members_have_voter(&members));
    members.count = 2;
    assert_true(members_have_voter(&members));
    members.count = 0;
    assert_false(members_have_voter(&members));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_back_as_they_were_up_to_the_limit),
        cmocka_unit_test(one_member_more_than_the_limit_is_refused),
        cmocka_unit_test(the_example_of_the_format_holds_byte_for_byte),
        cmocka_unit_test(no_bytes_at_all_are_the_only_voter),
        cmocka_unit_test(members_that_are_cut_short_are_refused),
        cmocka_unit_test(a_flipped_bit_is_refused_or_gives_members_that_are_written_the_same),
        cmocka_unit_test(members_that_nobody_writes_are_refused),
        cmocka_unit_test(a_node_twice_is_refused),
        cmocka_unit_test(the_longest_host_and_the_edges_of_the_ports_come_back),
        cmocka_unit_test(only_members_are_found),
        cmocka_unit_test(members_have_a_voter_only_if_one_of_them_votes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
