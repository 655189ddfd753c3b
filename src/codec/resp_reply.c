#include "codec/resp_reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"

enum {
    HEAD_SIZE_MAX = 1 + NUMBER_INTEGER_SIZE_MAX + 2, /* type, number, CRLF */
    DEFERRED_SIZE = 4,                               /* a head with one digit */
};

static bool is_resp3(const struct reply *reply)
{
    ASSERT(reply->protocol == 2 || reply->protocol == 3);
    return reply->protocol == 3;
}

/* Writes type, number, CRLF at `at`, where HEAD_SIZE_MAX bytes are free. Returns the size. */
static inline size_t put_head(uint8_t *at, char type, uint64_t number)
{
    at[0] = (uint8_t)type;
    size_t size = 1;
    if (number < 10)
        at[size++] = (uint8_t)('0' + number);
    else
        size += number_format_u64((char *)at + size, number);
    at[size] = '\r';
    at[size + 1] = '\n';
    return size + 2;
}

static void append_head(struct buf *out, char type, uint64_t number)
{
    out->size += put_head(buf_reserve(out, HEAD_SIZE_MAX), type, number);
}

void reply_ok(struct reply *reply)
{
    buf_append(reply->out, BYTES_LITERAL("+OK\r\n"));
}

static bool has_line_end(struct bytes text)
{
    return text.size > 0 && (memchr(text.data, '\r', text.size) != NULL ||
                             memchr(text.data, '\n', text.size) != NULL);
}

void reply_simple(struct reply *reply, const char *text)
{
    struct bytes bytes = bytes_of_string(text);
    ASSERT(!has_line_end(bytes));
    buf_append_u8(reply->out, '+');
    buf_append(reply->out, bytes);
    buf_append(reply->out, BYTES_LITERAL("\r\n"));
}

void reply_int(struct reply *reply, int64_t value)
{
    if (value >= 0) {
        append_head(reply->out, ':', (uint64_t)value);
        return;
    }
    uint8_t *at = buf_reserve(reply->out, HEAD_SIZE_MAX);
    at[0] = ':';
    size_t size = 1 + number_format_i64((char *)at + 1, value);
    at[size] = '\r';
    at[size + 1] = '\n';
    reply->out->size += size + 2;
}

void reply_bool(struct reply *reply, bool value)
{
    if (is_resp3(reply))
        buf_append(reply->out, value ? BYTES_LITERAL("#t\r\n") : BYTES_LITERAL("#f\r\n"));
    else
        buf_append(reply->out, value ? BYTES_LITERAL(":1\r\n") : BYTES_LITERAL(":0\r\n"));
}

void reply_double(struct reply *reply, double value)
{
    char text[NUMBER_DOUBLE_SIZE_MAX];
    reply_double_text(reply, bytes_of(text, number_format_double(text, value)));
}

void reply_double_text(struct reply *reply, struct bytes text)
{
    if (!is_resp3(reply)) {
        reply_bulk(reply, text);
        return;
    }
    buf_append_u8(reply->out, ',');
    buf_append(reply->out, text);
    buf_append(reply->out, BYTES_LITERAL("\r\n"));
}

void reply_null(struct reply *reply)
{
    buf_append(reply->out, is_resp3(reply) ? BYTES_LITERAL("_\r\n") : BYTES_LITERAL("$-1\r\n"));
}

void reply_null_array(struct reply *reply)
{
    buf_append(reply->out, is_resp3(reply) ? BYTES_LITERAL("_\r\n") : BYTES_LITERAL("*-1\r\n"));
}

void reply_error(struct reply *reply, const char *format, ...)
{
    uint8_t *at = buf_reserve(reply->out, 1 + REPLY_ERROR_MAX + 1);
    at[0] = '-';
    va_list args;
    va_start(args, format);
    int printed = vsnprintf((char *)at + 1, REPLY_ERROR_MAX + 1, format, args);
    va_end(args);
    ASSERT(printed > 0);
    size_t size = printed > REPLY_ERROR_MAX ? REPLY_ERROR_MAX : (size_t)printed;
    while (size > 1 && (at[size] == '\r' || at[size] == '\n'))
        size--;
    for (size_t i = 1; i <= size; i++) {
        if (at[i] == '\r' || at[i] == '\n')
            at[i] = ' ';
    }
    reply->out->size += 1 + size;
    buf_append(reply->out, BYTES_LITERAL("\r\n"));
}

uint8_t *reply_bulk_space(struct reply *reply, size_t size)
{
    ASSERT(size <= SIZE_MAX / 4);
    struct buf *out = reply->out;
    uint8_t *at = buf_reserve(out, HEAD_SIZE_MAX + size + 2);
    uint8_t *content = at + put_head(at, '$', size);
    content[size] = '\r';
    content[size + 1] = '\n';
    out->size += (size_t)(content - at) + size + 2;
    return content;
}

void reply_bulk(struct reply *reply, struct bytes bytes)
{
    uint8_t *content = reply_bulk_space(reply, bytes.size);
    if (bytes.size > 0)
        memcpy(content, bytes.data, bytes.size);
}

void reply_bulk_string(struct reply *reply, const char *text)
{
    reply_bulk(reply, bytes_of_string(text));
}

void reply_bulk_int(struct reply *reply, int64_t value)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    reply_bulk(reply, bytes_of(text, number_format_i64(text, value)));
}

/* Smaller ones are copied, so that a buffer of the usual size stays where it is. */
enum { MOVED_SIZE_MIN = 256 << 10 };

void reply_take(struct reply *reply, struct buf *whole)
{
    if (reply->out->size == 0 && whole->size >= MOVED_SIZE_MIN) {
        buf_free(reply->out);
        *reply->out = *whole;
        *whole = (struct buf){0};
        return;
    }
    buf_append(reply->out, buf_bytes(whole));
    buf_free(whole);
}

void reply_verbatim(struct reply *reply, const char *format, struct bytes text)
{
    ASSERT(strlen(format) == 3);
    if (!is_resp3(reply)) {
        reply_bulk(reply, text);
        return;
    }
    append_head(reply->out, '=', text.size + 4);
    buf_append_string(reply->out, format);
    buf_append_u8(reply->out, ':');
    buf_append(reply->out, text);
    buf_append(reply->out, BYTES_LITERAL("\r\n"));
}

void reply_array(struct reply *reply, size_t count)
{
    append_head(reply->out, '*', count);
}

void reply_map(struct reply *reply, size_t pair_count)
{
    bool has_maps = is_resp3(reply);
    append_head(reply->out, has_maps ? '%' : '*', has_maps ? pair_count : pair_count * 2);
}

void reply_set(struct reply *reply, size_t count)
{
    append_head(reply->out, is_resp3(reply) ? '~' : '*', count);
}

void reply_push(struct reply *reply, size_t count)
{
    append_head(reply->out, is_resp3(reply) ? '>' : '*', count);
}

size_t reply_defer(struct reply *reply)
{
    size_t mark = reply->out->size;
    (void)buf_extend(reply->out, DEFERRED_SIZE);
    return mark;
}

/* The hole has the size of a head with one digit, the commonest; for a longer one the elements,
 * which follow the hole, move up. */
static void fill_deferred(struct buf *out, size_t mark, char type, size_t count)
{
    ASSERT(mark <= out->size && out->size - mark >= DEFERRED_SIZE);
    uint8_t head[HEAD_SIZE_MAX];
    size_t size = put_head(head, type, count);
    size_t grown = size - DEFERRED_SIZE;
    if (grown > 0) {
        (void)buf_extend(out, grown);
        uint8_t *elements = out->data + mark + DEFERRED_SIZE;
        memmove(elements + grown, elements, out->size - grown - mark - DEFERRED_SIZE);
    }
    memcpy(out->data + mark, head, size);
}

void reply_defer_array(struct reply *reply, size_t mark, size_t count)
{
    fill_deferred(reply->out, mark, '*', count);
}

void reply_defer_map(struct reply *reply, size_t mark, size_t pair_count)
{
    bool has_maps = is_resp3(reply);
    fill_deferred(reply->out, mark, has_maps ? '%' : '*', has_maps ? pair_count : pair_count * 2);
}

void reply_defer_set(struct reply *reply, size_t mark, size_t count)
{
    fill_deferred(reply->out, mark, is_resp3(reply) ? '~' : '*', count);
}

void reply_defer_push(struct reply *reply, size_t mark, size_t count)
{
    fill_deferred(reply->out, mark, is_resp3(reply) ? '>' : '*', count);
}
