/* Requests that are refused before they run, in Redis's order and words. */
#pragma once

#include "codec/resp_reply.h"
#include "server/client.h"

enum refusal_reason {
    REFUSAL_NONE,
    REFUSAL_UNKNOWN_COMMAND,
    REFUSAL_UNKNOWN_SUBCOMMAND,
    REFUSAL_ARITY,
    REFUSAL_DEBUG,      /* enable-debug-command */
    REFUSAL_AUTH,       /* a password is asked for */
    REFUSAL_NO_CLUSTER, /* cluster-enabled no */
    REFUSAL_NO_MULTI,   /* not inside a transaction */
    REFUSAL_LONG_KEY,   /* above OBJECT_KEY_MAX */
};

struct refusal {
    const struct command *command;   /* NULL: not found */
    const struct command *container; /* or NULL */
    enum refusal_reason reason;
};

/* True, with the reason, when the client's request must not run. */
bool refusal_check(struct refusal *refusal, const struct client *client);

/* The error; breaks the client's transaction, and ends it when it was EXEC that was refused. */
void refusal_reply(const struct refusal *refusal, struct client *client, struct reply *reply);

/* Appends "config|get", or "get" when container is NULL. */
void refusal_append_name(const struct command *command, const struct command *container,
                         struct buf *out);
