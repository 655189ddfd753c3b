#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "base/words.h"

/* Splits text and joins the words with '|'. NULL when the quotes are unbalanced. */
static const char *split(const char *text, struct buf *out)
{
    struct bytes rest = bytes_of_string(text);
    buf_clear(out);
    while (true) {
        enum words_err err = words_next(&rest, out);
        if (err == WORDS_UNBALANCED)
            return NULL;
        if (err == WORDS_END) {
            assert_int_equal(rest.size, 0);
            buf_append_u8(out, 0);
            return (const char *)out->data;
        }
        buf_append_u8(out, '|');
    }
}

static void words_are_split_at_white_space(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_string_equal(split("set a b", &out), "set|a|b|");
    assert_string_equal(split("  set\t a \v\f\r\nb  ", &out), "set|a|b|");
    assert_string_equal(split("", &out), "");
    assert_string_equal(split(" \t\r\n", &out), "");
    buf_free(&out);
}

static void double_quotes_know_escapes(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_string_equal(split("\"a b\" c", &out), "a b|c|");
    assert_string_equal(split("\"\\n\\r\\t\\b\\a\\\\\\\"\\z\"", &out), "\n\r\t\b\a\\\"z|");
    assert_string_equal(split("\"\\x41\\x4a\\xZZ\\x4\"", &out), "AJxZZx4|");
    assert_string_equal(split("\"\" x \"\"", &out), "|x||");
    assert_string_equal(split("a\"b c\"", &out), "ab c|");
    buf_free(&out);
}

static void single_quotes_know_only_their_own_escape(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_string_equal(split("'a b' c", &out), "a b|c|");
    assert_string_equal(split("'it\\'s \\n \"'", &out), "it's \\n \"|");
    assert_string_equal(split("'' x", &out), "|x|");
    buf_free(&out);
}

static void unbalanced_quotes_are_refused(void **state)
{
    (void)state;
    struct buf out = {0};
    static const char *const refused[] = {"\"",   "'",        "\"a",     "a 'b",  "\"a\"b",
                                          "'a'b", "\"a\"'b'", "\"a\\\"", "'a\\'", "a \"b\" \""};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (split(refused[i], &out) != NULL)
            fail_msg("accepted %s", refused[i]);
    }
    buf_free(&out);
}

static void plain_words_are_quoted_only_when_they_must(void **state)
{
    (void)state;
    struct buf out = {0};
    words_append_quoted(&out, BYTES_LITERAL("/var/lib/x-1.conf"));
    buf_append_u8(&out, ' ');
    words_append_quoted(&out, BYTES_LITERAL(""));
    buf_append_u8(&out, ' ');
    words_append_quoted(&out, BYTES_LITERAL("a b\n\x01\"#"));
    struct bytes expected = BYTES_LITERAL("/var/lib/x-1.conf \"\" \"a b\\n\\x01\\\"#\"");
    assert_true(bytes_equal(buf_bytes(&out), expected));
    buf_free(&out);
}

static void any_word_reads_back_after_quoting(void **state)
{
    (void)state;
    struct prng prng = prng_init(3);
    struct buf line = {0};
    struct buf words = {0};
    for (int round = 0; round < 20000; round++) {
        uint8_t word[12];
        size_t size = (size_t)prng_below(&prng, sizeof(word) + 1);
        for (size_t i = 0; i < size; i++)
            word[i] = (uint8_t)prng_below(&prng, prng_chance(&prng, 500000) ? 256 : 64);
        buf_clear(&line);
        buf_clear(&words);
        words_append_quoted(&line, bytes_of(word, size));
        assert_true(size == 0 || memchr(line.data, '\n', line.size) == NULL);
        struct bytes rest = buf_bytes(&line);
        assert_int_equal(words_next(&rest, &words), WORDS_OK);
        assert_true(bytes_equal(buf_bytes(&words), bytes_of(word, size)));
        assert_int_equal(words_next(&rest, &words), WORDS_END);
    }
    buf_free(&line);
    buf_free(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_at_white_space),
        cmocka_unit_test(double_quotes_know_escapes),
        cmocka_unit_test(single_quotes_know_only_their_own_escape),
        cmocka_unit_test(unbalanced_quotes_are_refused),
        cmocka_unit_test(plain_words_are_quoted_only_when_they_must),
        cmocka_unit_test(any_word_reads_back_after_quoting),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
