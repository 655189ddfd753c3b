/* Numbers to and from text, as strict on reading and as exact on writing as Redis is.
 *
 * Parsing takes the whole text or refuses: no spaces, no trailing bytes, no leading zeros, no '+'
 * in integers. On false *out is unchanged. Formatting writes no terminator and returns the size. */
#pragma once

#include "base/assert.h"
#include "base/bytes.h"

enum {
    NUMBER_INTEGER_SIZE_MAX = 20,       /* "-9223372036854775808" and "18446744073709551615" */
    NUMBER_DOUBLE_SIZE_MAX = 32,        /* sign, 17 digits, point, leading zeros, exponent */
    NUMBER_LONG_DOUBLE_SIZE_MAX = 5120, /* sign, 4933 digits, point, 17 digits */
    NUMBER_FLOAT_TEXT_MAX = 5119,       /* longer texts are refused as floats */
};

/* "0" | "-"? [1-9][0-9]*, within range. "-0" is refused, as Redis does. */
MUST_USE bool number_parse_i64(struct bytes text, int64_t *out);
MUST_USE bool number_parse_u64(struct bytes text, uint64_t *out);

/* Whatever strtod and strtold read in the C locale ("1e3", "0x1p3", "inf", "+5"), except NaN and
 * finite texts that overflow, or underflow to zero. */
MUST_USE bool number_parse_double(struct bytes text, double *out);
MUST_USE bool number_parse_long_double(struct bytes text, long double *out);

size_t number_format_i64(char out[static NUMBER_INTEGER_SIZE_MAX], int64_t value);
size_t number_format_u64(char out[static NUMBER_INTEGER_SIZE_MAX], uint64_t value);

/* The shortest decimal that reads back as the same double, as Redis 7.2 replies scores: integers
 * below 2^62 whole, others "3.14", "1e-7", "1.5e+300", "inf", "-inf", "nan". */
size_t number_format_double(char out[static NUMBER_DOUBLE_SIZE_MAX], double value);

/* 17 places after the point, trailing zeros and point removed, never an exponent: what INCRBYFLOAT
 * answers. "-0" becomes "0". Not for NaN. */
size_t number_format_long_double(char out[static NUMBER_LONG_DOUBLE_SIZE_MAX], long double value);
