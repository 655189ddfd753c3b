#include "server/slowlog_commands.h"

#include "commands/call.h"
#include "commands/command_rows.h"
#include "commands/help.h"
#include "server/client_texts.h"
#include "server/state.h"

enum { SLOWLOG_GET_DEFAULT = 10 };

static bool is_secret_setting(struct bytes name)
{
    return bytes_is_word(name, "requirepass");
}

/* The arguments that the log may show: those of AUTH and HELLO, and passwords in CONFIG SET, are
 * blotted out. At most SLOWLOG_ARGS_MAX are looked at, for no others are kept. */
static void blot_secrets(const struct command *command, struct bytes *argv, int argc)
{
    const struct bytes blot = BYTES_LITERAL("(redacted)");
    const char *name = command->name;
    if (strcmp(name, "auth") == 0 || strcmp(name, "hello") == 0) {
        for (int i = 1; i < argc; i++)
            argv[i] = blot;
    } else if (strcmp(name, "set") == 0 && command->group == GROUP_SERVER) {
        for (int i = 2; i + 1 < argc; i += 2) {
            if (is_secret_setting(argv[i]))
                argv[i + 1] = blot;
        }
    }
}

void slow_command_add(const struct client *client, uint64_t duration_us)
{
    struct server *server = client->server;
    struct bytes shown[SLOWLOG_ARGS_MAX];
    int argc = client->request.argc;
    int shown_count = argc < SLOWLOG_ARGS_MAX ? argc : SLOWLOG_ARGS_MAX;
    memcpy(shown, client->request.argv, (size_t)shown_count * sizeof(*shown));
    blot_secrets(client->request.command, shown, shown_count);
    char peer[NET_ADDRESS_TEXT_SIZE];
    client_peer_text(client, peer);
    struct slowlog_event event = {
        .wall_us = server->now.wall_us,
        .duration_us = duration_us,
        .argv = shown,
        .argc = argc,
        .peer = peer,
        .client_name = client->name,
    };
    slowlog_add(&server->slowlog, &event, (size_t)server->config->slowlog_max_len);
}

static void slowlog_get(struct call *c)
{
    int64_t max = SLOWLOG_GET_DEFAULT;
    if (c->argc > 3) {
        call_error(c,
                   "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try SLOWLOG "
                   "HELP.",
                   (int)c->argv[1].size, (const char *)c->argv[1].data);
        return;
    }
    if (c->argc == 3 && !call_int_range(c, 2, -1, INT64_MAX, &max,
                                        "ERR count should be greater than or equal to -1"))
        return;
    slowlog_reply(&c->client->server->slowlog, &c->reply, max < 0 ? SIZE_MAX : (size_t)max);
}

static void slowlog_len(struct call *c)
{
    reply_int(&c->reply, (int64_t)c->client->server->slowlog.count);
}

static void slowlog_reset_all(struct call *c)
{
    slowlog_reset(&c->client->server->slowlog);
    reply_ok(&c->reply);
}

static void slowlog_help(struct call *c)
{
    static const char *const lines[] = {
        "GET [<count>]",
        "    Return the newest <count> entries, 10 when it is not given, all for -1. An entry is:",
        "    id, time, duration in microseconds, arguments, client address, client name.",
        "LEN",
        "    Return how many entries there are.",
        "RESET",
        "    Forget all entries.",
        NULL,
    };
    help_reply(c, "SLOWLOG", lines);
}

static const struct argument get_arguments[] = {
    {.name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL},
    ARGUMENTS_END,
};

static const struct command_history get_history[] = {
    {"4.0.0", "Added client IP address, port and name to the reply."},
    {0},
};

static const char *const get_tips[] = {"request_policy:all_nodes", "nondeterministic_output", NULL};
static const char *const len_tips[] = {"request_policy:all_nodes", "response_policy:agg_sum",
                                       "nondeterministic_output", NULL};
static const char *const reset_tips[] = {"request_policy:all_nodes",
                                         "response_policy:all_succeeded", NULL};

static const struct command slowlog_subcommands[] = {
    {
        .name = "get",
        .summary = "Lists the slow commands of late.",
        .complexity = "O(N) where N is the number of entries returned",
        .since = "2.2.12",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = CMD_ADMIN | CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = slowlog_get,
        .arguments = get_arguments,
        .history = get_history,
        .tips = get_tips,
    },
    {
        .name = "len",
        .summary = "Counts the entries of the slow log.",
        .complexity = "O(1)",
        .since = "2.2.12",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = CMD_ADMIN | CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = slowlog_len,
        .tips = len_tips,
    },
    {
        .name = "reset",
        .summary = "Empties the slow log.",
        .complexity = "O(N) where N is the number of entries in the slowlog",
        .since = "2.2.12",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = CMD_ADMIN | CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = slowlog_reset_all,
        .tips = reset_tips,
    },
    {
        .name = "help",
        .summary = "Explains the subcommands.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = slowlog_help,
    },
    {0},
};

const struct command slowlog_commands[] = {
    {
        .name = "slowlog",
        .summary = "A container for slow log commands.",
        .complexity = "Depends on subcommand.",
        .since = "2.2.12",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = CMD_HOME,
        .subcommands = slowlog_subcommands,
    },
    {0},
};
