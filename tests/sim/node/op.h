/* One request of a simulated client, or one MULTI block, and the replies to it. */
#pragma once

#include "base/buf.h"

enum {
    OP_COMMANDS_MAX = 6,
    OP_ARGS_MAX = 10,
};

enum op_kind {
    OP_PLAIN,
    OP_MULTI,
    OP_KEYS,
    OP_SCAN,
    OP_DBSIZE,
    OP_RANDOMKEY,
};

struct op {
    enum op_kind kind;
    bool is_refused;     /* answered with an error that says nothing was done */
    int64_t earliest_ms; /* the node's clock was not below this since it was sent */
    int command_count;
    struct op_command {
        int argc;
        size_t at[OP_ARGS_MAX], size[OP_ARGS_MAX]; /* in text */
    } commands[OP_COMMANDS_MAX];
    struct buf text;
};

struct op *op_new(enum op_kind kind);
void op_free(struct op *op);
void op_command(struct op *op, const char *name); /* begins one */
void op_arg(struct op *op, struct bytes arg);
void op_arg_text(struct op *op, const char *text);
void op_arg_int(struct op *op, int64_t number);

/* The arguments of a command, borrowed from op; their number. */
int op_argv(const struct op *op, int command, struct bytes *argv);
void op_append_wire(const struct op *op, struct buf *out);
int op_reply_count(const struct op *op);
void op_describe(const struct op *op, struct buf *out); /* short, printable */

/* Bytes of the first complete RESP2 reply in data; 0 when none is complete yet. */
size_t reply_size(struct bytes data);

/* The next bulk string of an array's elements: takes it from *rest. False: it is no bulk string. */
bool reply_take_bulk(struct bytes *rest, struct bytes *value);
bool reply_take_count(struct bytes *rest, int64_t *count); /* "*n\r\n", ":n\r\n", "$n\r\n" */
bool reply_starts(struct bytes reply, const char *text);
