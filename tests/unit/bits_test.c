/* Bits of a string against a model that looks at one bit at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "types/bits.h"

enum { SIZE = 700, ROUNDS = 4000 };

static int model_bit(struct bytes bytes, uint64_t at)
{
    return at / 8 < bytes.size ? bytes.data[at / 8] >> (7 - at % 8) & 1 : 0;
}

/* Mostly runs of equal bytes, so that searches go far. */
static struct bytes draw_bytes(struct prng *prng, uint8_t *data)
{
    size_t size = 1 + prng_below(prng, SIZE);
    memset(data, prng_below(prng, 2) == 0 ? 0 : 0xff, size);
    for (uint64_t changes = prng_below(prng, 4); changes > 0; changes--)
        data[prng_below(prng, size)] = (uint8_t)prng_next(prng);
    if (prng_below(prng, 3) == 0) {
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)prng_next(prng);
    }
    return bytes_of(data, size);
}

static struct bit_range draw_range(struct prng *prng, struct bytes bytes)
{
    uint64_t a = prng_below(prng, bytes.size * 8), b = prng_below(prng, bytes.size * 8);
    return (struct bit_range){a < b ? a : b, a < b ? b : a};
}

static void counting_agrees_with_a_model(void **state)
{
    (void)state;
    uint8_t data[SIZE];
    struct prng prng = prng_init(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct bytes bytes = draw_bytes(&prng, data);
        struct bit_range range = draw_range(&prng, bytes);
        uint64_t count = 0;
        for (uint64_t at = range.from; at <= range.to; at++)
            count += (uint64_t)model_bit(bytes, at);
        assert_int_equal(bits_count_range(bytes, range), count);
    }
    assert_int_equal(bits_count(bytes_of(NULL, 0)), 0);
    assert_int_equal(bits_count_range(bytes_of(NULL, 0), (struct bit_range){1, 0}), 0);
}

static void searching_agrees_with_a_model(void **state)
{
    (void)state;
    uint8_t data[SIZE];
    struct prng prng = prng_init(2);
    for (int round = 0; round < ROUNDS; round++) {
        struct bytes bytes = draw_bytes(&prng, data);
        struct bit_range range = draw_range(&prng, bytes);
        bool bit = prng_below(&prng, 2) == 1;
        uint64_t at = range.from, position = UINT64_MAX;
        while (at <= range.to && model_bit(bytes, at) != bit)
            at++;
        assert_int_equal(bits_find(bytes, range, bit, &position), at <= range.to);
        assert_true(at > range.to ? position == UINT64_MAX : position == at);
    }
}

static uint8_t byte_at(struct bytes bytes, size_t at)
{
    return at < bytes.size ? bytes.data[at] : 0;
}

static uint8_t model_combine(enum bits_operation operation, uint8_t a, uint8_t b)
{
    switch (operation) {
    case BITS_AND:
        return a & b;
    case BITS_OR:
        return a | b;
    case BITS_XOR:
        return a ^ b;
    case BITS_NOT:
        return (uint8_t)~a;
    }
    UNREACHABLE();
}

static void combining_agrees_with_a_model_whatever_the_sizes(void **state)
{
    (void)state;
    uint8_t a[SIZE], b[SIZE], out[SIZE];
    struct prng prng = prng_init(3);
    for (int round = 0; round < ROUNDS; round++) {
        enum bits_operation operation = (enum bits_operation)prng_below(&prng, 4);
        struct bytes sources[2] = {draw_bytes(&prng, a), draw_bytes(&prng, b)};
        size_t count = operation == BITS_NOT ? 1 : 2, size = sources[0].size;
        if (count == 2 && sources[1].size > size)
            size = sources[1].size;
        bits_combine(operation, sources, count, out, size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(
                out[i], model_combine(operation, byte_at(sources[0], i), byte_at(sources[1], i)));
    }
}

static int64_t model_field(struct bytes bytes, struct bit_field field)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < field.width; i++)
        value = value << 1 | (uint64_t)model_bit(bytes, field.offset + i);
    if (field.is_signed && field.width < 64 && (value >> (field.width - 1)) != 0)
        value |= UINT64_MAX << field.width;
    return (int64_t)value;
}

static struct bit_field draw_field(struct prng *prng)
{
    bool is_signed = prng_below(prng, 2) == 1;
    return (struct bit_field){.is_signed = is_signed,
                              .width = (uint8_t)(1 + prng_below(prng, is_signed ? 64 : 63)),
                              .offset = prng_below(prng, 200)};
}

static void fields_are_read_and_written_at_any_bit(void **state)
{
    (void)state;
    uint8_t data[64], before[64];
    struct prng prng = prng_init(4);
    for (int round = 0; round < ROUNDS; round++) {
        struct bit_field field = draw_field(&prng);
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (uint8_t)prng_next(&prng);
        struct bytes bytes = bytes_of(data, 1 + prng_below(&prng, sizeof(data)));
        assert_int_equal(bit_field_get(bytes, field), model_field(bytes, field));

        bytes.size = sizeof(data);
        memcpy(before, data, sizeof(data));
        int64_t value;
        assert_true(bit_field_add(field, (int64_t)prng_next(&prng), 0, BIT_WRAP, &value));
        bit_field_put(data + field.offset / 8, field, value);
        assert_int_equal(bit_field_get(bytes, field), value);
        for (uint64_t at = 0; at < sizeof(data) * 8; at++) {
            bool is_inside = at >= field.offset && at < field.offset + field.width;
            assert_true(is_inside ||
                        model_bit(bytes, at) == model_bit(bytes_of(before, sizeof(before)), at));
        }
    }
}

static void sums_that_do_not_fit_wrap_saturate_or_fail(void **state)
{
    (void)state;
    static const struct {
        struct bit_field field;
        int64_t value, increment, wrapped, saturated;
    } cases[] = {
        {{.width = 8}, 255, 1, 0, 255},
        {{.width = 8}, 0, -1, 255, 0},
        {{.width = 8}, -1, 0, 255, 255},
        {{.width = 63}, INT64_MAX, 1, 0, INT64_MAX},
        {{.width = 63}, 0, INT64_MIN, 0, 0},
        {{.width = 1, .is_signed = true}, 0, 1, -1, 0},
        {{.width = 1, .is_signed = true}, -1, -1, 0, -1},
        {{.width = 8, .is_signed = true}, 127, 1, -128, 127},
        {{.width = 8, .is_signed = true}, -128, -1, 127, -128},
        {{.width = 8, .is_signed = true}, 0, INT64_MAX, -1, 127},
        {{.width = 8, .is_signed = true}, INT64_MIN, 0, 0, -128},
        {{.width = 63, .is_signed = true}, INT64_MIN, 0, 0, -(1LL << 62)},
        {{.width = 64, .is_signed = true}, INT64_MAX, 1, INT64_MIN, INT64_MAX},
        {{.width = 64, .is_signed = true}, INT64_MIN, -1, INT64_MAX, INT64_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t sum;
        int64_t value = cases[i].value, increment = cases[i].increment;
        assert_true(bit_field_add(cases[i].field, value, increment, BIT_WRAP, &sum));
        assert_int_equal(sum, cases[i].wrapped);
        assert_true(bit_field_add(cases[i].field, value, increment, BIT_SATURATE, &sum));
        assert_int_equal(sum, cases[i].saturated);
        assert_false(bit_field_add(cases[i].field, value, increment, BIT_FAIL, &sum));
    }
}

static void sums_that_fit_are_exact(void **state)
{
    (void)state;
    struct prng prng = prng_init(5);
    int64_t sum;
    for (int round = 0; round < ROUNDS; round++) {
        struct bit_field field = draw_field(&prng);
        int64_t a, b;
        assert_true(bit_field_add(field, (int64_t)prng_next(&prng), 0, BIT_WRAP, &a));
        assert_true(bit_field_add(field, (int64_t)prng_next(&prng), 0, BIT_WRAP, &b));
        int64_t increment = (int64_t)((uint64_t)b - (uint64_t)a);
        bool fits = !field.is_signed || field.width < 64 || (b < a) == (increment < 0);
        if (fits) {
            assert_true(bit_field_add(field, a, increment, BIT_FAIL, &sum));
            assert_int_equal(sum, b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_agrees_with_a_model),
        cmocka_unit_test(searching_agrees_with_a_model),
        cmocka_unit_test(combining_agrees_with_a_model_whatever_the_sizes),
        cmocka_unit_test(fields_are_read_and_written_at_any_bit),
        cmocka_unit_test(sums_that_do_not_fit_wrap_saturate_or_fail),
        cmocka_unit_test(sums_that_fit_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
