/* HyperLogLogs against plain registers, in both representations and on the way between them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "types/hyperloglog.h"

static const uint8_t empty[] = {'H', 'Y', 'L', 'L', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff};

static void assert_registers(const struct buf *value, const uint8_t *expected)
{
    uint8_t found[HLL_REGISTERS] = {0};
    assert_true(hll_is_valid(buf_bytes(value)));
    assert_true(hll_merge(buf_bytes(value), found));
    assert_memory_equal(found, expected, sizeof(found));
}

static void raise_both(struct buf *value, uint8_t *model, uint32_t index, uint8_t rank, size_t max)
{
    enum hll_result result = hll_raise(value, index, rank, max);
    assert_int_equal(result, model[index] < rank ? HLL_CHANGED : HLL_UNCHANGED);
    model[index] = model[index] < rank ? rank : model[index];
}

static void an_empty_one_is_one_run_of_zeros(void **state)
{
    (void)state;
    struct buf value = {0};
    uint8_t model[HLL_REGISTERS] = {0};
    hll_init(&value);
    assert_int_equal(value.size, sizeof(empty));
    assert_memory_equal(value.data, empty, sizeof(empty));
    assert_registers(&value, model);
    assert_int_equal(hll_estimate(model), 0);
    buf_free(&value);
}

static void registers_agree_with_a_model_in_both_representations(void **state)
{
    (void)state;
    struct prng prng = prng_init(1);
    for (int round = 0; round < 60; round++) {
        struct buf value = {0};
        uint8_t model[HLL_REGISTERS] = {0};
        size_t max = prng_below(&prng, 5000);
        uint32_t span = round % 3 == 0 ? 60 : HLL_REGISTERS; /* narrow: runs are split and joined */
        uint8_t rank_max = round % 2 == 0 ? 3 : 32;
        hll_init(&value);
        for (uint64_t steps = prng_below(&prng, 3000); steps > 0; steps--) {
            uint32_t index = HLL_REGISTERS - 1 - (uint32_t)prng_below(&prng, span);
            raise_both(&value, model, index, (uint8_t)(1 + prng_below(&prng, rank_max)), max);
            assert_true(!hll_is_sparse(buf_bytes(&value)) ||
                        value.size <= (max > sizeof(empty) ? max : sizeof(empty)));
        }
        assert_registers(&value, model);
        assert_true(hll_make_dense(&value));
        assert_int_equal(value.size, HLL_DENSE_SIZE);
        assert_registers(&value, model);
        buf_free(&value);
    }
}

static void a_rank_above_32_makes_it_dense(void **state)
{
    (void)state;
    struct buf value = {0};
    uint8_t model[HLL_REGISTERS] = {0};
    hll_init(&value);
    raise_both(&value, model, 5, 32, 3000);
    assert_true(hll_is_sparse(buf_bytes(&value)));
    raise_both(&value, model, HLL_REGISTERS - 1, 33, 3000);
    assert_false(hll_is_sparse(buf_bytes(&value)));
    raise_both(&value, model, 0, 63, 3000);
    assert_registers(&value, model);
    buf_free(&value);
}

static void equal_neighbours_become_one_run_of_at_most_four(void **state)
{
    (void)state;
    struct buf value = {0};
    hll_init(&value);
    for (uint32_t index = 0; index < 9; index++)
        assert_int_equal(hll_raise(&value, index, 7, 3000), HLL_CHANGED);
    static const uint8_t runs[] = {0x9b, 0x9b, 0x98, 0x7f, 0xf6}; /* 4, 4, 1, zeros */
    assert_int_equal(value.size, HLL_HEADER_SIZE + sizeof(runs));
    assert_memory_equal(value.data + HLL_HEADER_SIZE, runs, sizeof(runs));
    buf_free(&value);
}

static void the_cached_count_is_old_after_a_change_only(void **state)
{
    (void)state;
    struct buf value = {0};
    uint64_t count;
    hll_init(&value);
    assert_true(hll_cached(buf_bytes(&value), &count));
    hll_set_cached(&value, 1234567890123);
    assert_true(hll_cached(buf_bytes(&value), &count));
    assert_int_equal(count, 1234567890123);
    assert_int_equal(hll_add(&value, BYTES_LITERAL("a"), 3000), HLL_CHANGED);
    assert_false(hll_cached(buf_bytes(&value), &count));
    hll_set_cached(&value, 1);
    assert_int_equal(hll_add(&value, BYTES_LITERAL("a"), 3000), HLL_UNCHANGED);
    assert_true(hll_cached(buf_bytes(&value), &count));
    buf_free(&value);
}

/* Places as redis-server 7.0 shows them by PFDEBUG DECODE. */
static void elements_have_the_places_that_redis_gives_them(void **state)
{
    (void)state;
    static const struct {
        const char *element;
        uint32_t index;
        uint8_t rank;
    } cases[] = {{"a", 12711, 2}, {"b", 8436, 1}, {"c", 15780, 1}};
    uint8_t seen[3] = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hll_place place = hll_place_of(bytes_of_string(cases[i].element));
        for (size_t k = 0; k < COUNT_OF(cases); k++)
            seen[k] |= place.index == cases[k].index && place.rank == cases[k].rank;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void what_does_not_cover_all_registers_is_damaged_and_left_alone(void **state)
{
    (void)state;
    static const uint8_t bodies[][3] = {
        {0x7f, 0xfe, 0x00}, /* covers them exactly: the good one */
        {0x7f, 0xff, 0x00}, /* one too many */
        {0x7f, 0xfd, 0x00}, /* one too few */
        {0x7f, 0xfe, 0x40}, /* the last run is cut off */
        {0x7f, 0xfc, 0x83}, /* past the end in the middle of a run */
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct buf value = {0}, before = {0};
        uint8_t registers[HLL_REGISTERS] = {0};
        buf_append(&value, bytes_of(empty, HLL_HEADER_SIZE));
        buf_append(&value, bytes_of(bodies[i], sizeof(bodies[i])));
        buf_append(&before, buf_bytes(&value));
        assert_true(hll_is_valid(buf_bytes(&value)));
        assert_int_equal(hll_merge(buf_bytes(&value), registers), i == 0);
        assert_int_equal(hll_make_dense(&value), i == 0);
        assert_true(i == 0 || bytes_equal(buf_bytes(&value), buf_bytes(&before)));
        assert_int_equal(hll_raise(&before, 3, 33, 3000), i == 0 ? HLL_CHANGED : HLL_DAMAGED);
        buf_free(&value);
        buf_free(&before);
    }
}

static void headers_that_are_none_are_refused(void **state)
{
    (void)state;
    uint8_t dense[HLL_DENSE_SIZE + 1] = {'H', 'Y', 'L', 'L'};
    assert_true(hll_is_valid(bytes_of(dense, HLL_DENSE_SIZE)));
    assert_false(hll_is_valid(bytes_of(dense, HLL_DENSE_SIZE - 1)));
    assert_false(hll_is_valid(bytes_of(dense, HLL_DENSE_SIZE + 1)));
    assert_false(hll_is_valid(bytes_of(empty, HLL_HEADER_SIZE - 1)));
    assert_true(hll_is_valid(bytes_of(empty, HLL_HEADER_SIZE)));
    dense[4] = 2;
    assert_false(hll_is_valid(bytes_of(dense, HLL_DENSE_SIZE)));
    dense[4] = 0;
    dense[3] = 'l';
    assert_false(hll_is_valid(bytes_of(dense, HLL_DENSE_SIZE)));
    assert_false(hll_is_valid(bytes_of(NULL, 0)));
}

static void estimates_are_near_for_counts_of_all_sizes(void **state)
{
    (void)state;
    struct prng prng = prng_init(9);
    uint8_t registers[HLL_REGISTERS] = {0};
    for (uint64_t count = 1; count <= 2000000; count++) {
        uint64_t element = prng_next(&prng);
        struct hll_place place = hll_place_of(bytes_of(&element, sizeof(element)));
        if (registers[place.index] < place.rank)
            registers[place.index] = place.rank;
        if ((count & (count - 1)) != 0)
            continue;
        double error = fabs((double)hll_estimate(registers) - (double)count);
        assert_true(error <= 2 + (double)count * 0.025);
    }
}

static void registers_that_no_hash_gives_have_an_estimate(void **state)
{
    (void)state;
    uint8_t registers[HLL_REGISTERS];
    for (int rank = 0; rank <= 63; rank++) {
        memset(registers, rank, sizeof(registers));
        assert_true(hll_estimate(registers) <= INT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_is_one_run_of_zeros),
        cmocka_unit_test(registers_agree_with_a_model_in_both_representations),
        cmocka_unit_test(a_rank_above_32_makes_it_dense),
        cmocka_unit_test(equal_neighbours_become_one_run_of_at_most_four),
        cmocka_unit_test(the_cached_count_is_old_after_a_change_only),
        cmocka_unit_test(elements_have_the_places_that_redis_gives_them),
        cmocka_unit_test(what_does_not_cover_all_registers_is_damaged_and_left_alone),
        cmocka_unit_test(headers_that_are_none_are_refused),
        cmocka_unit_test(estimates_are_near_for_counts_of_all_sizes),
        cmocka_unit_test(registers_that_no_hash_gives_have_an_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
