#include "writer.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

enum {
    VALUE_SIZE_MAX = 1300 * 1024,
    NUMBER_SIZE = 12, /* a value begins with its number */
};

void writer_init(struct writer *writer, uint64_t seed)
{
    *writer = (struct writer){.prng = prng_init(seed)};
}

void writer_fini(struct writer *writer)
{
    buf_free(&writer->unsent);
    buf_free(&writer->received);
}

static void violate(struct writer *writer, const char *what, uint64_t a, uint64_t b)
{
    if (writer->broken[0] == 0)
        (void)snprintf(writer->broken, sizeof(writer->broken), "%s (%llu, %llu)", what,
                       (unsigned long long)a, (unsigned long long)b);
}

/* ---- values ---- */

/* Small ones, some in chunks, one in 32 so big that deleting it leaves a sweep row, one of more
 * than LevelDB's memory is pushed out at. */
static size_t size_of(uint32_t value)
{
    if (value == 40)
        return VALUE_SIZE_MAX;
    if (value % 32 == 9)
        return 300 * 1024;
    return value % 8 == 3 ? 9000 : NUMBER_SIZE + value % 200;
}

static void append_value(struct buf *out, uint32_t value)
{
    size_t size = size_of(value);
    uint8_t *bytes = buf_extend(out, size);
    memset(bytes, 'a' + (int)(value % 26), size);
    char number[NUMBER_SIZE + 1];
    (void)snprintf(number, sizeof(number), "%012u", value);
    memcpy(bytes, number, NUMBER_SIZE);
}

/* The number of a value that is whole; UINT32_MAX: it is not. */
static uint32_t value_of(struct bytes text)
{
    uint64_t number = 0;
    if (text.size < NUMBER_SIZE)
        return UINT32_MAX;
    for (size_t i = 0; i < NUMBER_SIZE; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    struct buf expected = {0};
    if (number > 0 && number < UINT32_MAX)
        append_value(&expected, (uint32_t)number);
    bool is_whole = bytes_equal(buf_bytes(&expected), text);
    buf_free(&expected);
    return is_whole ? (uint32_t)number : UINT32_MAX;
}

/* ---- requests ---- */

static void append_change(struct writer *writer, int key, uint32_t value)
{
    struct buf *out = &writer->unsent;
    if (value == 0) {
        buf_printf(out, "*2\r\n$3\r\nDEL\r\n$2\r\nk%d\r\n", key);
        return;
    }
    buf_printf(out, "*3\r\n$3\r\nSET\r\n$2\r\nk%d\r\n$%zu\r\n", key, size_of(value));
    append_value(out, value);
    buf_append_string(out, "\r\n");
}

static void draw_changes(struct writer *writer, struct writer_op *op)
{
    bool is_multi = prng_below(&writer->prng, 4) == 0;
    op->count = is_multi ? WRITER_CHANGES_MAX : 1;
    for (int i = 0; i < op->count; i++) {
        bool deletes = prng_below(&writer->prng, 4) == 0;
        op->changes[i].key = (int)prng_below(&writer->prng, WRITER_KEYS);
        op->changes[i].value = deletes ? 0 : ++writer->serial;
    }
}

static void hand_over(struct writer *writer)
{
    if (writer->unsent.size > 0 && server_client_input(writer->client, buf_bytes(&writer->unsent)))
        buf_clear(&writer->unsent);
}

void writer_send(struct writer *writer)
{
    if (writer->client == NULL || writer->is_reading || writer->count == WRITER_OPS_MAX ||
        writer->count - writer->answered >= WRITER_DEPTH_MAX)
        return;
    struct writer_op *op = &writer->ops[writer->count++];
    *op = (struct writer_op){0};
    draw_changes(writer, op);
    op->replies = op->count == 1 ? 1 : op->count + 2;
    if (op->count > 1)
        buf_append_string(&writer->unsent, "*1\r\n$5\r\nMULTI\r\n");
    for (int i = 0; i < op->count; i++)
        append_change(writer, op->changes[i].key, op->changes[i].value);
    if (op->count > 1)
        buf_append_string(&writer->unsent, "*1\r\n$4\r\nEXEC\r\n");
    hand_over(writer);
}

/* ---- replies ---- */

/* Bytes of the line at the front, with its end; 0: not complete. */
static size_t line_size(struct bytes data)
{
    const uint8_t *end = data.size == 0 ? NULL : memchr(data.data, '\n', data.size);
    return end == NULL ? 0 : (size_t)(end - data.data) + 1;
}

static int64_t count_of(struct bytes line)
{
    int64_t count = 0;
    bool is_number = number_parse_i64(bytes_of(line.data + 1, line.size - 3), &count);
    ASSERT(is_number); /* the server's own */
    return count;
}

/* Bytes of the first reply, arrays with their elements; 0: not complete. */
static size_t reply_size(struct bytes data)
{
    size_t at = 0;
    for (int64_t left = 1; left > 0; left--) {
        struct bytes rest = bytes_of(data.data + at, data.size - at);
        size_t line = line_size(rest);
        if (line == 0)
            return 0;
        at += line;
        uint8_t kind = rest.data[0];
        int64_t count = kind == '$' || kind == '*' ? count_of(bytes_of(rest.data, line)) : 0;
        if (kind == '$' && count >= 0)
            at += (size_t)count + 2;
        if (kind == '*' && count > 0)
            left += count;
        if (at > data.size)
            return 0;
    }
    return at;
}

static bool take_reply(struct writer *writer, size_t *at, struct bytes *reply)
{
    size_t size = reply_size(bytes_of(writer->received.data + *at, writer->received.size - *at));
    *reply = bytes_of(writer->received.data + *at, size);
    *at += size;
    return size > 0;
}

/* False: not all of its replies are there. */
static bool take_answer(struct writer *writer, struct writer_op *op, size_t *at)
{
    size_t from = *at;
    struct bytes reply;
    for (int i = 0; i < op->replies; i++) {
        if (!take_reply(writer, &from, &reply))
            return false;
        op->is_refused |= reply.data[0] == '-' || bytes_equal(reply, BYTES_LITERAL("*-1\r\n"));
    }
    *at = from;
    return true;
}

static void take_answers(struct writer *writer)
{
    size_t at = 0;
    while (writer->answered < writer->count &&
           take_answer(writer, &writer->ops[writer->answered], &at)) {
        writer->answered++;
        writer->replies++;
    }
    buf_consume(&writer->received, at);
}

/* ---- reading back ---- */

void writer_connect(struct writer *writer, struct server *server)
{
    ASSERT(writer->client == NULL);
    writer->client = server_client_new(server);
    writer->is_reading = true;
    writer->keys_read = 0;
    for (int key = 0; key < WRITER_KEYS; key++)
        buf_printf(&writer->unsent, "*2\r\n$3\r\nGET\r\n$2\r\nk%d\r\n", key);
    hand_over(writer);
}

void writer_disconnect(struct writer *writer)
{
    if (writer->client != NULL)
        server_client_free(writer->client);
    writer->client = NULL;
    buf_clear(&writer->unsent);
    buf_clear(&writer->received);
}

static void fold(const struct writer_op *op, uint32_t *state)
{
    for (int i = 0; i < op->count && !op->is_refused; i++)
        state[op->changes[i].key] = op->changes[i].value;
}

/* The newest prefix that leaves what was found is the history from now on. */
static void judge(struct writer *writer)
{
    uint32_t state[WRITER_KEYS];
    bool is_found = false;
    memcpy(state, writer->first, sizeof(state));
    for (size_t i = 0; i <= writer->count; i++) {
        bool is_long = writer->may_forget || i >= writer->answered;
        is_found |= is_long && memcmp(state, writer->found, sizeof(state)) == 0;
        if (i < writer->count)
            fold(&writer->ops[i], state);
    }
    if (!is_found)
        violate(writer, "what is there is no prefix that holds what was answered (answered, sent)",
                writer->answered, writer->count);
    memcpy(writer->first, writer->found, sizeof(state));
    writer->count = writer->answered = 0;
    writer->is_reading = false;
    writer->readings++;
}

static void take_key(struct writer *writer, struct bytes reply)
{
    uint32_t value = 0;
    if (reply.data[0] != '$') {
        violate(writer, "a key cannot be read (key)", (uint64_t)writer->keys_read, 0);
    } else if (!bytes_equal(reply, BYTES_LITERAL("$-1\r\n"))) {
        size_t line = line_size(reply);
        value = value_of(bytes_of(reply.data + line, reply.size - line - 2));
        if (value == UINT32_MAX)
            violate(writer, "a value is not whole (key, size)", (uint64_t)writer->keys_read,
                    reply.size);
    }
    writer->found[writer->keys_read++] = value;
}

static void take_keys(struct writer *writer)
{
    size_t at = 0;
    struct bytes reply;
    while (writer->keys_read < WRITER_KEYS && take_reply(writer, &at, &reply))
        take_key(writer, reply);
    buf_consume(&writer->received, at);
    if (writer->keys_read == WRITER_KEYS)
        judge(writer);
}

void writer_receive(struct writer *writer)
{
    if (writer->client == NULL)
        return;
    hand_over(writer);
    (void)server_client_output(writer->client, &writer->received);
    if (writer->is_reading)
        take_keys(writer);
    else
        take_answers(writer);
}

bool writer_is_idle(const struct writer *writer)
{
    return writer->client != NULL && !writer->is_reading && writer->answered == writer->count;
}
