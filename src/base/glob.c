#include "base/glob.h"

static uint8_t fold(uint8_t c, bool without_case)
{
    return without_case && c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Whether c is in the class whose '[' stands at pattern.data[*at]; *at moves behind its ']'. A '-'
 * makes a range of whatever stands on its sides, ']' included: Redis reads it so. */
static bool match_class(struct bytes pattern, size_t *at, uint8_t c, bool without_case)
{
    const uint8_t *p = pattern.data;
    size_t i = *at + 1;
    bool is_negated = i < pattern.size && p[i] == '^';
    bool is_in = false;
    if (is_negated)
        i++;
    while (i < pattern.size && p[i] != ']') {
        uint8_t low = fold(p[i], without_case);
        uint8_t high = low;
        if (p[i] == '\\' && i + 1 < pattern.size) {
            low = high = fold(p[i + 1], without_case);
            i += 2;
        } else if (i + 2 < pattern.size && p[i + 1] == '-') {
            high = fold(p[i + 2], without_case);
            i += 3;
        } else {
            i++;
        }
        if (low <= high ? low <= c && c <= high : high <= c && c <= low)
            is_in = true;
    }
    *at = i < pattern.size ? i + 1 : i;
    return is_in != is_negated;
}

/* Whether one text byte matches the pattern element at *at, which is not '*' and not the end; *at
 * moves behind the element. */
static bool match_one(struct bytes pattern, size_t *at, uint8_t c, bool without_case)
{
    const uint8_t *p = pattern.data + *at;
    c = fold(c, without_case);
    if (p[0] == '?') {
        *at += 1;
        return true;
    }
    if (p[0] == '[')
        return match_class(pattern, at, c, without_case);
    if (p[0] == '\\' && *at + 1 < pattern.size) {
        *at += 2;
        return fold(p[1], without_case) == c;
    }
    *at += 1;
    return fold(p[0], without_case) == c;
}

/* Every element but '*' takes exactly one byte, so when a later part fails only the last star needs
 * to take one more: what an earlier star could take besides, the last can take as well. */
bool glob_match(struct bytes pattern, struct bytes text, bool without_case)
{
    if (pattern.size > GLOB_PATTERN_MAX)
        return false;
    size_t at = 0;
    size_t pos = 0;
    size_t after_star = SIZE_MAX; /* pattern position behind the last star, none so far */
    size_t star_end = 0;          /* where the text that this star takes ends */
    while (pos < text.size) {
        if (at < pattern.size && pattern.data[at] == '*') {
            after_star = ++at;
            star_end = pos;
        } else if (at < pattern.size && match_one(pattern, &at, text.data[pos], without_case)) {
            pos++;
        } else if (after_star != SIZE_MAX) {
            at = after_star;
            pos = ++star_end;
        } else {
            return false;
        }
        if (after_star == pattern.size)
            return true;
    }
    while (at < pattern.size && pattern.data[at] == '*')
        at++;
    return at == pattern.size;
}

bool glob_is_literal(struct bytes pattern)
{
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t c = pattern.data[i];
        if (c == '*' || c == '?' || c == '[' || c == '\\')
            return false;
    }
    return true;
}
