#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/glob.h"
#include "base/mem.h"
#include "base/prng.h"

static bool match(const char *pattern, const char *text)
{
    return glob_match(bytes_of_string(pattern), bytes_of_string(text), false);
}

static void stars_and_question_marks_match_runs_and_bytes(void **state)
{
    (void)state;
    assert_true(match("*", "") && match("*", "abc") && match("**", "") && match("", ""));
    assert_true(match("h?llo", "hello") && match("h*llo", "hllo") && match("h*llo", "heeeello"));
    assert_true(match("a*b*c", "aXbXbXc") && match("*a*a*", "aa") && match("???", "abc"));
    assert_false(match("?", "") || match("", "a") || match("h?llo", "hllo") || match("??", "abc"));
    assert_false(match("a*b", "abc") || match("*aa*", "a") || match("a*b*c", "acb"));
}

static void classes_match_one_byte(void **state)
{
    (void)state;
    assert_true(match("h[ae]llo", "hello") && match("h[a-c]llo", "hbllo"));
    assert_true(match("h[c-a]llo", "hbllo") && match("h[^e]llo", "hallo"));
    assert_true(match("[\\]]", "]") && match("[a\\-z]", "-") && match("[^]", "x"));
    assert_true(match("[-a]", "-") && match("[a", "a") && match("[abc", "c") && match("[^a", "b"));
    assert_false(match("h[ae]llo", "hillo") || match("h[^e]llo", "hello") || match("[]", "x"));
    assert_false(match("[a\\-z]", "b") || match("[a", "[a") || match("[", "[") || match("[a]", ""));
}

static void a_range_may_end_in_a_bracket_as_in_redis(void **state)
{
    (void)state;
    assert_true(match("[a-]", "^") && match("[a-]", "]") && match("[a-]", "a"));
    assert_false(match("[a-]", "-"));
    assert_true(match("[\\a-c]", "-") && match("[\\a-c]", "c"));
    assert_false(match("[\\a-c]", "b")); /* an escape begins no range */
}

static void backslash_takes_the_next_byte_as_it_is(void **state)
{
    (void)state;
    assert_true(match("\\*", "*") && match("a\\?c", "a?c") && match("\\\\", "\\"));
    assert_true(match("a\\", "a\\") && match("\\a", "a") && match("\\[a]", "[a]"));
    assert_false(match("\\*", "a") || match("a\\?c", "abc") || match("a\\", "a"));
}

static void case_is_folded_only_on_request(void **state)
{
    (void)state;
    assert_false(match("MAX*", "maxclients"));
    assert_true(glob_match(BYTES_LITERAL("MAX*"), BYTES_LITERAL("maxclients"), true));
    assert_true(glob_match(BYTES_LITERAL("m[A-C]x\\C?"), BYTES_LITERAL("MAXcl"), true));
    assert_true(glob_match(BYTES_LITERAL("[^a]"), BYTES_LITERAL("B"), true));
    assert_false(glob_match(BYTES_LITERAL("[^a]"), BYTES_LITERAL("A"), true));
    assert_false(glob_match(BYTES_LITERAL("\xe4"), BYTES_LITERAL("\xc4"), true));
}

static void zero_bytes_are_bytes(void **state)
{
    (void)state;
    assert_true(glob_match(BYTES_LITERAL("a\0*"), BYTES_LITERAL("a\0b\0"), false));
    assert_false(glob_match(BYTES_LITERAL("a\0b"), BYTES_LITERAL("a"), false));
    assert_true(glob_match(bytes_of(NULL, 0), bytes_of(NULL, 0), false));
}

/* The rules once more, as plainly as possible: exponential, for short patterns only. */
static bool model_class(const uint8_t *p, size_t n, size_t *used, uint8_t c)
{
    size_t i = 1;
    bool is_negated = i < n && p[i] == '^';
    bool hit = false;
    for (i += is_negated; i < n && p[i] != ']'; i++) {
        if (p[i] == '\\' && i + 1 < n) {
            i++;
            hit = hit || p[i] == c;
        } else if (i + 2 < n && p[i + 1] == '-') {
            uint8_t low = p[i] < p[i + 2] ? p[i] : p[i + 2];
            uint8_t high = p[i] < p[i + 2] ? p[i + 2] : p[i];
            hit = hit || (c >= low && c <= high);
            i += 2;
        } else {
            hit = hit || p[i] == c;
        }
    }
    *used = i < n ? i + 1 : n;
    return is_negated ? !hit : hit;
}

static bool model(const uint8_t *p, size_t n, const uint8_t *t, size_t m)
{
    if (n == 0)
        return m == 0;
    if (p[0] == '*')
        return model(p + 1, n - 1, t, m) || (m > 0 && model(p, n, t + 1, m - 1));
    if (m == 0)
        return false;
    size_t used = 1;
    bool hit = p[0] == '?' || p[0] == t[0];
    if (p[0] == '[') {
        hit = model_class(p, n, &used, t[0]);
    } else if (p[0] == '\\' && n > 1) {
        used = 2;
        hit = p[1] == t[0];
    }
    return hit && model(p + used, n - used, t + 1, m - 1);
}

static void random_patterns_agree_with_the_plain_model(void **state)
{
    (void)state;
    static const uint8_t letters[] = "ab*?[]^-\\c";
    struct prng prng = prng_init(7);
    int matches = 0;
    for (int round = 0; round < 200000; round++) {
        uint8_t pattern[9];
        uint8_t text[9];
        size_t n = (size_t)prng_below(&prng, sizeof(pattern) + 1);
        size_t m = (size_t)prng_below(&prng, sizeof(text) + 1);
        for (size_t i = 0; i < n; i++)
            pattern[i] = letters[prng_below(&prng, sizeof(letters) - 1)];
        for (size_t i = 0; i < m; i++)
            text[i] = letters[prng_chance(&prng, 800000) ? prng_below(&prng, 2)
                                                         : prng_below(&prng, sizeof(letters) - 1)];
        bool expected = model(pattern, n, text, m);
        matches += expected;
        if (glob_match(bytes_of(pattern, n), bytes_of(text, m), false) != expected)
            fail_msg("%.*s against %.*s", (int)n, (const char *)pattern, (int)m,
                     (const char *)text);
    }
    assert_true(matches > 5000);
}

static void many_stars_do_not_take_exponential_time(void **state)
{
    (void)state;
    uint8_t pattern[400];
    uint8_t text[20000];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[sizeof(pattern) - 1] = 'b';
    assert_false(
        glob_match(bytes_of(pattern, sizeof(pattern)), bytes_of(text, sizeof(text)), false));
}

static void a_pattern_beyond_its_limit_matches_nothing(void **state)
{
    (void)state;
    uint8_t *text = mem_alloc(GLOB_PATTERN_MAX + 1);
    memset(text, 'a', GLOB_PATTERN_MAX + 1);
    for (size_t size = GLOB_PATTERN_MAX - 1; size <= GLOB_PATTERN_MAX + 1; size++) {
        struct bytes bytes = bytes_of(text, size);
        assert_true(glob_match(bytes, bytes, false) == (size <= GLOB_PATTERN_MAX));
    }
    mem_free(text);
}

static void a_literal_has_no_special_bytes(void **state)
{
    (void)state;
    assert_true(glob_is_literal(BYTES_LITERAL("user:1^-]")) && glob_is_literal(bytes_of(NULL, 0)));
    assert_false(glob_is_literal(BYTES_LITERAL("a*")) || glob_is_literal(BYTES_LITERAL("?")));
    assert_false(glob_is_literal(BYTES_LITERAL("[")) || glob_is_literal(BYTES_LITERAL("a\\b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_and_question_marks_match_runs_and_bytes),
        cmocka_unit_test(classes_match_one_byte),
        cmocka_unit_test(a_range_may_end_in_a_bracket_as_in_redis),
        cmocka_unit_test(backslash_takes_the_next_byte_as_it_is),
        cmocka_unit_test(case_is_folded_only_on_request),
        cmocka_unit_test(zero_bytes_are_bytes),
        cmocka_unit_test(random_patterns_agree_with_the_plain_model),
        cmocka_unit_test(many_stars_do_not_take_exponential_time),
        cmocka_unit_test(a_pattern_beyond_its_limit_matches_nothing),
        cmocka_unit_test(a_literal_has_no_special_bytes),
    };
    return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
