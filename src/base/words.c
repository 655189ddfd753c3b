#include "base/words.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static uint8_t escaped(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* One escape of a double-quoted part; at[0] is the backslash and size at least 2. Returns the bytes
 * it took. */
static size_t take_escape(const uint8_t *at, size_t size, struct buf *out)
{
    if (size >= 4 && at[1] == 'x' && hex_digit(at[2]) >= 0 && hex_digit(at[3]) >= 0) {
        buf_append_u8(out, (uint8_t)(hex_digit(at[2]) * 16 + hex_digit(at[3])));
        return 4;
    }
    buf_append_u8(out, escaped(at[1]));
    return 2;
}

/* The quoted part that begins at at[0]. Returns the bytes it took, both quotes included, or 0 when
 * it is not closed or does not end the word. */
static size_t take_quoted(const uint8_t *at, size_t size, struct buf *out)
{
    uint8_t quote = at[0];
    size_t i = 1;
    while (i < size && at[i] != quote) {
        bool has_escape = at[i] == '\\' && i + 1 < size;
        if (has_escape && quote == '"') {
            i += take_escape(at + i, size - i, out);
        } else if (has_escape && at[i + 1] == '\'') {
            buf_append_u8(out, '\'');
            i += 2;
        } else {
            buf_append_u8(out, at[i++]);
        }
    }
    if (i == size || (i + 1 < size && !is_space(at[i + 1])))
        return 0;
    return i + 1;
}

static size_t skip_space(struct bytes text)
{
    size_t i = 0;
    while (i < text.size && is_space(text.data[i]))
        i++;
    return i;
}

enum words_err words_next(struct bytes *rest, struct buf *out)
{
    size_t i = skip_space(*rest);
    if (i == rest->size) {
        *rest = bytes_of(NULL, 0);
        return WORDS_END;
    }
    while (i < rest->size && !is_space(rest->data[i])) {
        uint8_t c = rest->data[i];
        if (c == '"' || c == '\'') {
            size_t taken = take_quoted(rest->data + i, rest->size - i, out);
            if (taken == 0)
                return WORDS_UNBALANCED;
            i += taken;
        } else {
            buf_append_u8(out, c);
            i++;
        }
    }
    *rest = bytes_of(rest->data + i, rest->size - i);
    return WORDS_OK;
}

static bool is_plain(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\' && c != '#';
}

static void append_escaped(struct buf *out, uint8_t c)
{
    static const char controls[] = "abtn??r"; /* from 7 on; vertical tab and form feed have none */
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c >= '\a' && c <= '\r' && controls[c - '\a'] != '?')
        buf_printf(out, "\\%c", controls[c - '\a']);
    else if (c < ' ' || c == 0x7f)
        buf_printf(out, "\\x%02x", c);
    else
        buf_append_u8(out, c);
}

void words_append_quoted(struct buf *out, struct bytes word)
{
    size_t plain = 0;
    while (plain < word.size && is_plain(word.data[plain]))
        plain++;
    if (word.size > 0 && plain == word.size) {
        buf_append(out, word);
        return;
    }
    buf_append_u8(out, '"');
    for (size_t i = 0; i < word.size; i++)
        append_escaped(out, word.data[i]);
    buf_append_u8(out, '"');
}
