#include "op.h"

#include "base/mem.h"
#include "base/number.h"

struct op *op_new(enum op_kind kind)
{
    struct op *op = mem_zero(sizeof(*op));
    op->kind = kind;
    op->earliest_ms = INT64_MAX;
    return op;
}

void op_free(struct op *op)
{
    buf_free(&op->text);
    mem_free(op);
}

void op_command(struct op *op, const char *name)
{
    ASSERT(op->command_count < OP_COMMANDS_MAX);
    op->command_count++;
    op_arg_text(op, name);
}

void op_arg(struct op *op, struct bytes arg)
{
    struct op_command *command = &op->commands[op->command_count - 1];
    ASSERT(command->argc < OP_ARGS_MAX);
    command->at[command->argc] = op->text.size;
    command->size[command->argc++] = arg.size;
    buf_append(&op->text, arg);
}

void op_arg_text(struct op *op, const char *text)
{
    op_arg(op, bytes_of_string(text));
}

void op_arg_int(struct op *op, int64_t number)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    op_arg(op, bytes_of(text, number_format_i64(text, number)));
}

int op_argv(const struct op *op, int command, struct bytes *argv)
{
    const struct op_command *c = &op->commands[command];
    for (int i = 0; i < c->argc; i++)
        argv[i] = bytes_of(op->text.data + c->at[i], c->size[i]);
    return c->argc;
}

static void append_word(struct buf *out, const char *word)
{
    buf_printf(out, "*1\r\n$%zu\r\n%s\r\n", strlen(word), word);
}

static void append_command(const struct op *op, int command, struct buf *out)
{
    struct bytes argv[OP_ARGS_MAX];
    int argc = op_argv(op, command, argv);
    buf_printf(out, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) {
        buf_printf(out, "$%zu\r\n", argv[i].size);
        buf_append(out, argv[i]);
        buf_append_string(out, "\r\n");
    }
}

void op_append_wire(const struct op *op, struct buf *out)
{
    if (op->kind == OP_MULTI)
        append_word(out, "MULTI");
    for (int i = 0; i < op->command_count; i++)
        append_command(op, i, out);
    if (op->kind == OP_MULTI)
        append_word(out, "EXEC");
}

int op_reply_count(const struct op *op)
{
    return op->kind == OP_MULTI ? op->command_count + 2 : 1;
}

void op_describe(const struct op *op, struct buf *out)
{
    enum { SHOWN_MAX = 24 };
    for (int i = 0; i < op->command_count; i++) {
        struct bytes argv[OP_ARGS_MAX];
        int argc = op_argv(op, i, argv);
        buf_append_string(out, i > 0 ? "; " : op->kind == OP_MULTI ? "MULTI " : "");
        for (int j = 0; j < argc; j++) {
            size_t shown = argv[j].size < SHOWN_MAX ? argv[j].size : SHOWN_MAX;
            buf_printf(out, "%s%.*s", j > 0 ? " " : "", (int)shown, (const char *)argv[j].data);
            if (shown < argv[j].size)
                buf_printf(out, "..(%zu)", argv[j].size);
        }
    }
}

/* ---- replies ---- */

static size_t line_size(struct bytes data)
{
    const uint8_t *end = data.size == 0 ? NULL : memchr(data.data, '\n', data.size);
    return end == NULL ? 0 : (size_t)(end - data.data) + 1;
}

static bool count_of(struct bytes line, int64_t *count)
{
    return line.size > 3 && number_parse_i64(bytes_of(line.data + 1, line.size - 3), count);
}

size_t reply_size(struct bytes data)
{
    size_t size = line_size(data);
    int64_t count;
    if (size == 0 || (data.data[0] != '$' && data.data[0] != '*'))
        return size;
    bool is_count = count_of(bytes_of(data.data, size), &count);
    ASSERT(is_count);
    if (data.data[0] == '$') {
        size += count < 0 ? 0 : (size_t)count + 2;
        return size <= data.size ? size : 0;
    }
    for (int64_t i = 0; i < count; i++) {
        size_t element = reply_size(bytes_of(data.data + size, data.size - size));
        if (element == 0)
            return 0;
        size += element;
    }
    return size;
}

bool reply_take_count(struct bytes *rest, int64_t *count)
{
    size_t size = line_size(*rest);
    if (size == 0 || !count_of(bytes_of(rest->data, size), count))
        return false;
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

bool reply_take_bulk(struct bytes *rest, struct bytes *value)
{
    int64_t size;
    if (rest->size == 0 || rest->data[0] != '$' || !reply_take_count(rest, &size))
        return false;
    if (size < 0 || (size_t)size + 2 > rest->size)
        return false;
    *value = bytes_of(rest->data, (size_t)size);
    *rest = bytes_of(rest->data + size + 2, rest->size - (size_t)size - 2);
    return true;
}

bool reply_starts(struct bytes reply, const char *text)
{
    return bytes_start_with(reply, bytes_of_string(text));
}
