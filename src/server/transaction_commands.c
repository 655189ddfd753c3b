#include "server/transaction_commands.h"

#include "commands/call.h"
#include "server/connection_commands.h"
#include "server/state.h"

static void transaction_multi(struct call *c)
{
    if (c->client->transaction != NULL) {
        call_error(c, "ERR MULTI calls can not be nested");
        return;
    }
    c->client->transaction = transaction_new();
    reply_ok(&c->reply);
}

bool transaction_can_run(const struct client *client)
{
    return client->transaction != NULL && !client->transaction->is_broken;
}

void transaction_exec(struct call *c)
{
    ASSERT(!transaction_can_run(c->client));
    if (c->client->transaction == NULL) {
        call_error(c, "ERR EXEC without MULTI");
        return;
    }
    call_error(c, "EXECABORT Transaction discarded because of previous errors.");
    client_end_transaction(c->client);
}

static void transaction_discard(struct call *c)
{
    if (c->client->transaction == NULL) {
        call_error(c, "ERR DISCARD without MULTI");
        return;
    }
    client_end_transaction(c->client);
    reply_ok(&c->reply);
}

static void transaction_watch(struct call *c)
{
    struct client *client = c->client;
    if (client->transaction != NULL) {
        call_error(c, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    if (exec_is_elsewhere(client->server->exec, c->command, c->argv, c->argc, &c->reply)) {
        c->has_failed = true;
        return;
    }
    for (int i = 1; i < c->argc; i++)
        exec_watch(client->server->exec, &client->watches, c->database, c->argv[i]);
    reply_ok(&c->reply);
}

/* Inside a transaction too: EXEC has checked the watches by then. */
static void transaction_unwatch(struct call *c)
{
    exec_unwatch(c->client->server->exec, &c->client->watches);
    reply_ok(&c->reply);
}

bool transaction_runs_at_once(const struct command *command)
{
    command_fn *function = command->function;
    return function == transaction_exec || function == transaction_discard ||
           function == transaction_multi || function == transaction_watch ||
           function == connection_quit || function == connection_reset;
}

static const struct argument watch_arguments[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    {0},
};

#define TRANSACTION_FLAGS (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY)

const struct command transaction_commands[] = {
    {
        .name = "multi",
        .summary = "Begins a transaction: what follows is queued until EXEC.",
        .complexity = "O(1)",
        .since = "1.2.0",
        .group = GROUP_TRANSACTIONS,
        .arity = 1,
        .flags = TRANSACTION_FLAGS | CMD_HOME,
        .function = transaction_multi,
    },
    {
        .name = "exec",
        .summary = "Runs all queued commands as one.",
        .complexity = "Depends on the commands in the transaction",
        .since = "1.2.0",
        .group = GROUP_TRANSACTIONS,
        .arity = 1,
        .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SKIP_SLOWLOG,
        .function = transaction_exec,
    },
    {
        .name = "discard",
        .summary = "Forgets the queued commands and the watches.",
        .complexity = "O(N), when N is the number of queued commands",
        .since = "2.0.0",
        .group = GROUP_TRANSACTIONS,
        .arity = 1,
        .flags = TRANSACTION_FLAGS | CMD_HOME,
        .function = transaction_discard,
    },
    {
        .name = "watch",
        .summary = "Lets the next EXEC do nothing if one of these keys changes before it.",
        .complexity = "O(1) for every key",
        .since = "2.2.0",
        .group = GROUP_TRANSACTIONS,
        .arity = -2,
        .flags = TRANSACTION_FLAGS | CMD_HOME,
        .function = transaction_watch,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 1,
                       .find = KEY_FIND_RANGE,
                       .last = -1,
                       .step = 1,
                       .flags = KEY_RO}},
        .arguments = watch_arguments,
    },
    {
        .name = "unwatch",
        .summary = "Forgets the watches of this connection.",
        .complexity = "O(1)",
        .since = "2.2.0",
        .group = GROUP_TRANSACTIONS,
        .arity = 1,
        .flags = TRANSACTION_FLAGS | CMD_HOME,
        .function = transaction_unwatch,
    },
    {0},
};
