#include "base/number.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* "00" "01" … "99": formatting takes two digits per division. */
static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

bool number_parse_u64(struct bytes text, uint64_t *out)
{
    if (text.size == 0 || text.size > NUMBER_INTEGER_SIZE_MAX)
        return false;
    if (text.data[0] == '0' && text.size > 1)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)digit, &sum))
            return false;
    }
    *out = sum;
    return true;
}

bool number_parse_i64(struct bytes text, int64_t *out)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    if (is_negative)
        text = bytes_of(text.data + 1, text.size - 1);
    uint64_t magnitude = 0;
    if (!number_parse_u64(text, &magnitude) || (is_negative && magnitude == 0))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *out = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A terminated copy for the C library, or false for what it would read too generously. */
static bool copy_float_text(struct bytes text, char out[static NUMBER_FLOAT_TEXT_MAX + 1])
{
    if (text.size == 0 || text.size > NUMBER_FLOAT_TEXT_MAX || is_space(text.data[0]))
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

bool number_parse_double(struct bytes text, double *out)
{
    char copy[NUMBER_FLOAT_TEXT_MAX + 1];
    if (!copy_float_text(text, copy))
        return false;
    char *end = copy;
    errno = 0;
    double value = strtod(copy, &end);
    if (end != copy + text.size || isnan(value))
        return false;
    if (errno == ERANGE && (isinf(value) || fpclassify(value) == FP_ZERO))
        return false;
    *out = value;
    return true;
}

bool number_parse_long_double(struct bytes text, long double *out)
{
    char copy[NUMBER_FLOAT_TEXT_MAX + 1];
    if (!copy_float_text(text, copy))
        return false;
    char *end = copy;
    errno = 0;
    long double value = strtold(copy, &end);
    if (end != copy + text.size || isnan(value))
        return false;
    if (errno == ERANGE && (isinf(value) || fpclassify(value) == FP_ZERO))
        return false;
    *out = value;
    return true;
}

size_t number_format_u64(char out[static NUMBER_INTEGER_SIZE_MAX], uint64_t value)
{
    char reversed[NUMBER_INTEGER_SIZE_MAX]; /* filled from its end */
    size_t at = sizeof(reversed);
    while (value >= 100) {
        at -= 2;
        memcpy(reversed + at, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(reversed + at, digit_pairs + value * 2, 2);
    } else {
        reversed[--at] = (char)('0' + value);
    }
    size_t size = sizeof(reversed) - at;
    memcpy(out, reversed + at, size);
    return size;
}

size_t number_format_i64(char out[static NUMBER_INTEGER_SIZE_MAX], int64_t value)
{
    if (value >= 0)
        return number_format_u64(out, (uint64_t)value);
    /* 19 digits and the sign are exactly the room there is; the copy keeps the bound provable */
    char digits[NUMBER_INTEGER_SIZE_MAX];
    size_t size = number_format_u64(digits, 0 - (uint64_t)value);
    ASSERT(size < NUMBER_INTEGER_SIZE_MAX);
    out[0] = '-';
    memcpy(out + 1, digits, size);
    return size + 1;
}

static size_t put_text(char *out, const char *text)
{
    size_t size = strlen(text);
    memcpy(out, text, size);
    return size;
}

/* A decimal: value = digits × 10^exponent, without trailing zeros. */
struct decimal {
    char digits[17];
    int count;
    int exponent;
};

enum { QUICK_PLACES_MAX = 15 };

/* value as m / 10^k with the least k, when m is below 10^15: what people write. Exact, because m
 * and 10^k are doubles without error, and so a division rounds just as reading "m e-k" does; and
 * with at most 15 digits only one m can pass. Six times as fast as printing and reading back. */
static bool quick_decimal(double value, struct decimal *decimal)
{
    static const double powers[QUICK_PLACES_MAX] = {1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                                    1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    for (int k = 1; k <= QUICK_PLACES_MAX; k++) {
        double scaled = value * powers[k - 1];
        if (!(scaled < 1e15))
            return false;
        uint64_t digits = (uint64_t)(scaled + 0.5);
        if (digits > 0 && (double)digits / powers[k - 1] == value) {
            char text[NUMBER_INTEGER_SIZE_MAX];
            decimal->count = (int)number_format_u64(text, digits);
            memcpy(decimal->digits, text, (size_t)decimal->count);
            decimal->exponent = -k;
            return true;
        }
    }
    return false;
}

/* The fewest digits that read back as value, which is finite and above 0. 15 always tell apart the
 * decimals people write, 17 always tell apart doubles; %e gives d.ddd…e±x. */
static struct decimal shortest_decimal(double value)
{
    struct decimal decimal = {.count = 0};
    if (quick_decimal(value, &decimal))
        return decimal;
    char text[40];
    int places = value < DBL_MIN ? 0 : 14; /* subnormals have fewer digits to tell apart */
    for (; places <= 16; places++) {
        (void)snprintf(text, sizeof(text), "%.*e", places, value);
        if (places == 16 || strtod(text, NULL) == value)
            break;
    }
    decimal.count = places + 1;
    decimal.digits[0] = text[0];
    memcpy(decimal.digits + 1, text + 2, (size_t)places);
    decimal.exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10) - places;
    while (decimal.count > 1 && decimal.digits[decimal.count - 1] == '0') {
        decimal.count--;
        decimal.exponent++;
    }
    return decimal;
}

static size_t put_scientific(char *out, const struct decimal *decimal, int exponent)
{
    size_t size = 0;
    out[size++] = decimal->digits[0];
    if (decimal->count > 1) {
        out[size++] = '.';
        memcpy(out + size, decimal->digits + 1, (size_t)decimal->count - 1);
        size += (size_t)decimal->count - 1;
    }
    out[size++] = 'e';
    out[size++] = exponent < 0 ? '-' : '+';
    return size + number_format_u64(out + size, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

static size_t put_small(char *out, const struct decimal *decimal)
{
    int before_point = decimal->count + decimal->exponent;
    size_t size = 0;
    if (before_point > 0) {
        memcpy(out, decimal->digits, (size_t)before_point);
        size = (size_t)before_point;
        out[size++] = '.';
        memcpy(out + size, decimal->digits + before_point, (size_t)-decimal->exponent);
        return size + (size_t)-decimal->exponent;
    }
    size = put_text(out, "0.");
    memset(out + size, '0', (size_t)-before_point);
    size += (size_t)-before_point;
    memcpy(out + size, decimal->digits, (size_t)decimal->count);
    return size + (size_t)decimal->count;
}

/* Where Redis 7.2 changes between plain and scientific form: plain when at most 6 zeros have to be
 * appended, when the fraction has at most 6 places, or when the number is in (0.0001, 10000). */
static size_t put_decimal(char *out, const struct decimal *decimal)
{
    int exponent = decimal->count + decimal->exponent - 1; /* of the first digit */
    if (decimal->exponent >= 0 && decimal->exponent < 7) {
        memcpy(out, decimal->digits, (size_t)decimal->count);
        memset(out + decimal->count, '0', (size_t)decimal->exponent);
        return (size_t)(decimal->count + decimal->exponent);
    }
    if (decimal->exponent < 0 && (decimal->exponent > -7 || (exponent > -4 && exponent < 4)))
        return put_small(out, decimal);
    return put_scientific(out, decimal, exponent);
}

size_t number_format_double(char out[static NUMBER_DOUBLE_SIZE_MAX], double value)
{
    const double exact_max = 4611686018427387904.0; /* 2^62: the cast is safe below it */
    if (isnan(value))
        return put_text(out, "nan");
    if (isinf(value))
        return put_text(out, value < 0 ? "-inf" : "inf");
    if (value == 0)
        return put_text(out, signbit(value) ? "-0" : "0");
    if (value > -exact_max && value < exact_max && (double)(int64_t)value == value)
        return number_format_i64(out, (int64_t)value);
    size_t sign = 0;
    if (value < 0)
        out[sign++] = '-';
    struct decimal decimal = shortest_decimal(fabs(value));
    return sign + put_decimal(out + sign, &decimal);
}

size_t number_format_long_double(char out[static NUMBER_LONG_DOUBLE_SIZE_MAX], long double value)
{
    ASSERT(!isnan(value));
    if (isinf(value))
        return put_text(out, value < 0 ? "-inf" : "inf");
    int printed = snprintf(out, NUMBER_LONG_DOUBLE_SIZE_MAX, "%.17Lf", value);
    ASSERT(printed > 18 && printed < NUMBER_LONG_DOUBLE_SIZE_MAX);
    size_t size = (size_t)printed;
    while (out[size - 1] == '0')
        size--;
    if (out[size - 1] == '.')
        size--;
    if (size == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        size = 1;
    }
    return size;
}
