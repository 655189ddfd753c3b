#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "base/prng.h"

static bool parse_i64(const char *text, int64_t *out)
{
    return number_parse_i64(bytes_of_string(text), out);
}

static bool parse_double(const char *text, double *out)
{
    return number_parse_double(bytes_of_string(text), out);
}

static void i64_is_read_over_its_full_range_and_not_beyond(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(parse_i64("9223372036854775806", &value) && value == INT64_MAX - 1);
    assert_true(parse_i64("9223372036854775807", &value) && value == INT64_MAX);
    assert_true(parse_i64("-9223372036854775807", &value) && value == -INT64_MAX);
    assert_true(parse_i64("-9223372036854775808", &value) && value == INT64_MIN);
    assert_false(parse_i64("9223372036854775808", &value));
    assert_false(parse_i64("-9223372036854775809", &value));
    assert_false(parse_i64("18446744073709551616", &value));
    assert_false(parse_i64("99999999999999999999", &value));
    assert_true(value == INT64_MIN); /* a refusal changes nothing */
}

static void i64_takes_one_spelling_of_each_number(void **state)
{
    (void)state;
    static const char *const refused[] = {"",   "-",  "-0",  "+1",  "00",  "01",     "-01", " 1",
                                          "1 ", "1a", "0x1", "1.0", "--1", "1e3",    "\n1", "1\n",
                                          "1-", "١",  "1_0", "1,0", "-",   "0000001"};
    int64_t value = 77;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_false(parse_i64(refused[i], &value));
    assert_false(number_parse_i64(bytes_of("1\0", 2), &value));
    assert_false(number_parse_i64(bytes_of(NULL, 0), &value));
    assert_true(value == 77);
    assert_true(parse_i64("0", &value) && value == 0);
    assert_true(parse_i64("-1", &value) && value == -1);
}

static void u64_is_read_over_its_full_range_and_not_beyond(void **state)
{
    (void)state;
    uint64_t value = 5;
    assert_true(number_parse_u64(BYTES_LITERAL("18446744073709551614"), &value));
    assert_true(value == UINT64_MAX - 1);
    assert_true(number_parse_u64(BYTES_LITERAL("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_false(number_parse_u64(BYTES_LITERAL("18446744073709551616"), &value));
    assert_false(number_parse_u64(BYTES_LITERAL("28446744073709551615"), &value));
    assert_false(number_parse_u64(BYTES_LITERAL("184467440737095516150"), &value));
    assert_false(number_parse_u64(BYTES_LITERAL("-1"), &value));
    assert_true(value == UINT64_MAX);
}

static void check_integer(int64_t value)
{
    char expected[32];
    char text[NUMBER_INTEGER_SIZE_MAX];
    int size = snprintf(expected, sizeof(expected), "%lld", (long long)value);
    assert_int_equal(number_format_i64(text, value), size);
    assert_memory_equal(text, expected, (size_t)size);
    int64_t back = 0;
    assert_true(number_parse_i64(bytes_of(text, (size_t)size), &back) && back == value);
    uint64_t word = (uint64_t)value;
    size = snprintf(expected, sizeof(expected), "%llu", (unsigned long long)word);
    assert_int_equal(number_format_u64(text, word), size);
    assert_memory_equal(text, expected, (size_t)size);
}

static void integers_are_written_as_printf_does_around_every_power(void **state)
{
    (void)state;
    uint64_t ten = 1;
    for (int power = 0; power < 20; power++, ten *= 10) {
        for (int64_t near = -2; near <= 2; near++) {
            check_integer((int64_t)(ten + (uint64_t)near));
            check_integer((int64_t)(0 - ten + (uint64_t)near));
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        for (int64_t near = -1; near <= 1; near++)
            check_integer((int64_t)((1ULL << bit) + (uint64_t)near));
    }
    struct prng prng = prng_init(1);
    for (int i = 0; i < 20000; i++)
        check_integer((int64_t)(prng_next(&prng) >> prng_below(&prng, 64)));
}

static void doubles_are_read_as_scores_are(void **state)
{
    (void)state;
    double value = 0;
    assert_true(parse_double("1.5", &value) && value == 1.5);
    assert_true(parse_double("+1.5", &value) && value == 1.5);
    assert_true(parse_double("-.5e2", &value) && value == -50);
    assert_true(parse_double("0x10", &value) && value == 16);
    assert_true(parse_double("0x1p-3", &value) && value == 0.125);
    assert_true(parse_double("inf", &value) && isinf(value) && value > 0);
    assert_true(parse_double("+inf", &value) && isinf(value) && value > 0);
    assert_true(parse_double("-Infinity", &value) && isinf(value) && value < 0);
    assert_true(parse_double("-0", &value) && value == 0 && signbit(value));
    assert_true(parse_double("5e-324", &value) && value > 0);
    assert_true(parse_double("1.7976931348623157e308", &value) && isfinite(value));
}

static void doubles_with_doubt_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",   " 1", "1 ",  "nan", "-nan", "1e400", "-1e400", "1e-400", "abc", "1.5.2",
        "1e", "0x", "--1", "1,5", "\t1",  "inf ",  "infin",  "nan(1)", ".",   "+"};
    double value = 3;
    long double wide = 3;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (parse_double(refused[i], &value))
            fail_msg("accepted '%s'", refused[i]);
    }
    assert_false(number_parse_double(bytes_of("1\0", 2), &value));
    assert_false(number_parse_double(bytes_of("\0", 1), &value));
    assert_false(number_parse_long_double(BYTES_LITERAL("nan"), &wide));
    assert_false(number_parse_long_double(BYTES_LITERAL("1e5000"), &wide));
    assert_false(number_parse_long_double(BYTES_LITERAL("1e-5000"), &wide));
    assert_false(number_parse_long_double(BYTES_LITERAL(" 1"), &wide));
    assert_true(value == 3 && wide == 3);
}

static void float_texts_are_read_up_to_their_limit(void **state)
{
    (void)state;
    char text[NUMBER_FLOAT_TEXT_MAX + 1];
    memset(text, '0', sizeof(text));
    text[1] = '.';
    double value = 1;
    long double wide = 1;
    assert_true(number_parse_double(bytes_of(text, NUMBER_FLOAT_TEXT_MAX - 1), &value) &&
                value == 0);
    assert_true(number_parse_double(bytes_of(text, NUMBER_FLOAT_TEXT_MAX), &value));
    assert_false(number_parse_double(bytes_of(text, NUMBER_FLOAT_TEXT_MAX + 1), &value));
    assert_true(number_parse_long_double(bytes_of(text, NUMBER_FLOAT_TEXT_MAX), &wide) &&
                wide == 0);
    assert_false(number_parse_long_double(bytes_of(text, NUMBER_FLOAT_TEXT_MAX + 1), &wide));
}

static void check_double_text(double value, const char *expected)
{
    char text[NUMBER_DOUBLE_SIZE_MAX + 1] = {0};
    size_t size = number_format_double(text, value);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

static void doubles_are_written_short_and_in_the_form_of_redis_7_2(void **state)
{
    (void)state;
    check_double_text(0, "0");
    check_double_text(-0.0, "-0");
    check_double_text(3, "3");
    check_double_text(-17, "-17");
    check_double_text(0.1, "0.1");
    check_double_text(3.1, "3.1");
    check_double_text(-3.14159, "-3.14159");
    check_double_text(1.0 / 3, "0.3333333333333333");
    check_double_text(12345.678901, "12345.678901");
    check_double_text(12345.6789012, "1.23456789012e+4");
    check_double_text(0.001, "0.001");
    check_double_text(0.0000001, "1e-7");
    check_double_text(0.000001, "0.000001");
    check_double_text(1e17, "100000000000000000");
    check_double_text(4611686018427387904.0, "4611686018427388000");
    check_double_text(-4611686018427387904.0, "-4611686018427388000");
    check_double_text(4611686018427387392.0, "4611686018427387392");
    check_double_text(1e19, "1e+19");
    check_double_text(1.5e300, "1.5e+300");
    check_double_text(5e-324, "5e-324");
    check_double_text(-2.2250738585072014e-308, "-2.2250738585072014e-308");
    check_double_text(1.7976931348623157e308, "1.7976931348623157e+308");
    check_double_text((double)INFINITY, "inf");
    check_double_text(-(double)INFINITY, "-inf");
    check_double_text((double)NAN, "nan");
}

static double double_of_bits(uint64_t bits)
{
    double value = 0;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void every_double_reads_back_from_its_text(void **state)
{
    (void)state;
    struct prng prng = prng_init(2);
    for (int i = 0; i < 20000; i++) {
        double value = double_of_bits(prng_next(&prng));
        if (prng_chance(&prng, 500000))
            value = (double)prng_below(&prng, 100000000) / pow(10, (double)prng_below(&prng, 12));
        if (isnan(value))
            continue;
        char text[NUMBER_DOUBLE_SIZE_MAX];
        size_t size = number_format_double(text, value);
        assert_true(size <= 24);
        double back = 0;
        assert_true(number_parse_double(bytes_of(text, size), &back));
        assert_true(back == value);
    }
}

/* Digits from the first that is not 0 on, in a text as number_format_double writes it. */
static size_t count_digits(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size && text[i] != 'e'; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (is_digit && (count > 0 || text[i] != '0'))
            count++;
    }
    return count;
}

static void no_double_has_a_shorter_text_than_ours(void **state)
{
    (void)state;
    struct prng prng = prng_init(6);
    for (int i = 0; i < 20000; i++) {
        double value = (double)prng_below(&prng, 1ULL << prng_between(&prng, 1, 53));
        value /= pow(10, (double)prng_below(&prng, 18));
        char text[NUMBER_DOUBLE_SIZE_MAX];
        size_t digits = count_digits(text, number_format_double(text, value));
        if (digits < 2 || value == floor(value)) /* whole numbers are written whole */
            continue;
        char shorter[40];
        (void)snprintf(shorter, sizeof(shorter), "%.*e", (int)digits - 2, value);
        assert_true(strtod(shorter, NULL) != value);
    }
}

static void check_long_double_text(long double value, const char *expected)
{
    char text[NUMBER_LONG_DOUBLE_SIZE_MAX];
    size_t size = number_format_long_double(text, value);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void long_doubles_are_written_as_incrbyfloat_answers(void **state)
{
    (void)state;
    check_long_double_text(0, "0");
    check_long_double_text(-0.0L, "0");
    check_long_double_text(3, "3");
    check_long_double_text(3000, "3000");
    check_long_double_text(10.5L, "10.5");
    check_long_double_text(0.1L, "0.1");
    check_long_double_text(-5.25L, "-5.25");
    check_long_double_text(1e-18L, "0");
    check_long_double_text(-1e-18L, "0");
    check_long_double_text(1e-17L, "0.00000000000000001");
    check_long_double_text(1e20L, "100000000000000000000");
    check_long_double_text((long double)INFINITY, "inf");
    check_long_double_text(-(long double)INFINITY, "-inf");
    char text[NUMBER_LONG_DOUBLE_SIZE_MAX];
    assert_int_equal(number_format_long_double(text, -1.18e4932L), 1 + 4933);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(i64_is_read_over_its_full_range_and_not_beyond),
        cmocka_unit_test(i64_takes_one_spelling_of_each_number),
        cmocka_unit_test(u64_is_read_over_its_full_range_and_not_beyond),
        cmocka_unit_test(integers_are_written_as_printf_does_around_every_power),
        cmocka_unit_test(doubles_are_read_as_scores_are),
        cmocka_unit_test(doubles_with_doubt_are_refused),
        cmocka_unit_test(float_texts_are_read_up_to_their_limit),
        cmocka_unit_test(doubles_are_written_short_and_in_the_form_of_redis_7_2),
        cmocka_unit_test(every_double_reads_back_from_its_text),
        cmocka_unit_test(no_double_has_a_shorter_text_than_ours),
        cmocka_unit_test(long_doubles_are_written_as_incrbyfloat_answers),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
