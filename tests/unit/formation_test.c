/* The request by which a node is given a cluster: its form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/formation.h"

enum { CLUSTER_AT = 1, SHARDS_AT = 17, FOUNDS_AT = 29, MEMBERS_AT = 30 };

static struct formation some_formation(void)
{
    return (struct formation){
        .cluster_id = 0x0102030405060708,
        .seed = 9,
        .shards = 16,
        .store_id = 11,
        .founds = true,
        .members = {.count = 2,
                    .at = {{.node = 1, .is_voter = true, .store_id = 11, .host = "a"},
                           {.node = 2, .is_voter = true, .store_id = 12, .host = "b"}}}};
}

static struct buf form_of(const struct formation *formation)
{
    struct buf bytes = {0};
    formation_append(&bytes, formation);
    return bytes;
}

static bool decodes(struct bytes bytes, struct formation *out)
{
    uint8_t *exact = mem_alloc(bytes.size + 1);
    memcpy(exact + 1, bytes.data, bytes.size);
    bool is_good = formation_decode(bytes_of(exact + 1, bytes.size), out);
    mem_free(exact);
    return is_good;
}

static void a_formation_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int founds = 0; founds <= 1; founds++) {
        struct formation formation = some_formation(), decoded;
        formation.founds = founds == 1;
        struct buf bytes = form_of(&formation);
        assert_true(decodes(buf_bytes(&bytes), &decoded));
        assert_true(decoded.cluster_id == formation.cluster_id && decoded.seed == 9);
        assert_true(decoded.shards == 16 && decoded.store_id == 11);
        assert_int_equal(decoded.founds, founds);
        assert_int_equal(decoded.members.count, 2);
        assert_int_equal(decoded.members.at[1].store_id, 12);
        assert_string_equal(decoded.members.at[1].host, "b");
        buf_free(&bytes);
    }
}

static void its_fields_stand_where_the_grammar_says(void **state)
{
    (void)state;
    static const uint8_t HEAD[MEMBERS_AT + 2] = {1, 8,  7, 6, 5, 4,  3, 2, 1, 9, 0, 0, 0, 0, 0, 0,
                                                 0, 16, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2};
    struct formation formation = some_formation();
    struct buf bytes = form_of(&formation);
    assert_memory_equal(bytes.data, HEAD, sizeof(HEAD));
    buf_free(&bytes);
}

static void a_formation_that_is_cut_short_is_refused(void **state)
{
    (void)state;
    struct formation formation = some_formation(), decoded;
    struct buf bytes = form_of(&formation);
    for (size_t size = 0; size < bytes.size; size++)
        assert_false(decodes(bytes_of(bytes.data, size), &decoded));
    buf_append_u8(&bytes, 0);
    assert_false(decodes(buf_bytes(&bytes), &decoded));
    buf_free(&bytes);
}

/* No members at all would be read as one voter of id 1. */
static void a_formation_without_members_is_not_a_node_alone(void **state)
{
    (void)state;
    struct formation formation = some_formation(), decoded;
    struct buf bytes = form_of(&formation);
    assert_false(decodes(bytes_of(bytes.data, MEMBERS_AT), &decoded));
    buf_free(&bytes);
}

static void values_that_no_cluster_has_are_refused(void **state)
{
    (void)state;
    struct formation formation = some_formation(), decoded;
    static const struct {
        size_t at;
        uint8_t byte;
    } CASES[] = {{0, 0}, {0, 2}, {SHARDS_AT, 0}, {FOUNDS_AT, 2}, {FOUNDS_AT, 255}, {MEMBERS_AT, 0}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf bytes = form_of(&formation);
        bytes.data[CASES[i].at] = CASES[i].byte;
        assert_false(decodes(buf_bytes(&bytes), &decoded));
        buf_free(&bytes);
    }
    formation.cluster_id = 0;
    struct buf bytes = form_of(&formation);
    assert_false(decodes(buf_bytes(&bytes), &decoded));
    buf_free(&bytes);
}

/* Who is told to found a group by nobody, or by learners only, could never elect a leader. */
static void founders_of_whom_none_votes_are_refused(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= 2; count += 2) {
        struct formation formation = some_formation(), decoded;
        formation.members.count = count;
        formation.members.at[0].is_voter = formation.members.at[1].is_voter = false;
        struct buf bytes = form_of(&formation);
        assert_false(decodes(buf_bytes(&bytes), &decoded));
        buf_free(&bytes);
        formation.founds = false; /* where to talk to others may be nowhere, for now */
        bytes = form_of(&formation);
        assert_true(decodes(buf_bytes(&bytes), &decoded));
        buf_free(&bytes);
    }
}

static void any_flipped_bit_is_refused_or_read_as_what_it_says(void **state)
{
    (void)state;
    struct formation formation = some_formation(), decoded;
    struct buf bytes = form_of(&formation);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (decodes(buf_bytes(&bytes), &decoded)) {
            struct buf again = form_of(&decoded);
            assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&bytes)));
            buf_free(&again);
        }
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_formation_comes_back_as_it_was),
        cmocka_unit_test(its_fields_stand_where_the_grammar_says),
        cmocka_unit_test(a_formation_that_is_cut_short_is_refused),
        cmocka_unit_test(a_formation_without_members_is_not_a_node_alone),
        cmocka_unit_test(values_that_no_cluster_has_are_refused),
        cmocka_unit_test(founders_of_whom_none_votes_are_refused),
        cmocka_unit_test(any_flipped_bit_is_refused_or_read_as_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
