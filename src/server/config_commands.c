#include "server/config_commands.h"

#include "commands/call.h"
#include "commands/command_rows.h"
#include "commands/help.h"
#include "server/state.h"

static void config_get_matching(struct call *c)
{
    const struct config *config = c->client->server->config;
    size_t cursor = 0, count = 0;
    const char *name;
    struct buf value = {0};
    size_t mark = reply_defer(&c->reply);
    while (config_get_next(config, c->argv + 2, (size_t)(c->argc - 2), &cursor, &name, &value)) {
        reply_bulk_string(&c->reply, name);
        reply_bulk(&c->reply, buf_bytes(&value));
        buf_clear(&value);
        count++;
    }
    reply_defer_map(&c->reply, mark, count);
    buf_free(&value);
}

/* The new values for connections that exist already. */
static void apply_keepalive(const struct server *server)
{
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &server->clients)
    {
        struct client *client = CONTAINER_OF(node, struct client, all_link);
        if (client->has_socket)
            conn_set_keepalive(&client->conn, (uint32_t)server->config->tcp_keepalive);
    }
}

static void config_set_pairs(struct call *c)
{
    struct server *server = c->client->server;
    int64_t keepalive = server->config->tcp_keepalive;
    struct buf error = {0};
    if (c->argc % 2 != 0) {
        call_error(c, "ERR wrong number of arguments for 'config|set' command");
    } else if (config_set(server->config, c->argv + 2, (size_t)(c->argc - 2) / 2, &error) !=
               CONFIG_OK) {
        call_error(c, "%.*s", (int)error.size, (const char *)error.data);
    } else {
        server_apply_config(server);
        if (server->config->tcp_keepalive != keepalive)
            apply_keepalive(server);
        if (server->config_fn != NULL)
            server->config_fn(server->config_ctx);
        reply_ok(&c->reply);
    }
    buf_free(&error);
}

static void config_resetstat(struct call *c)
{
    stats_reset(&c->client->server->stats);
    c->client->server->memory_peak = 0;
    reply_ok(&c->reply);
}

static void config_rewrite_file(struct call *c)
{
    struct buf error = {0};
    if (config_rewrite(c->client->server->config, &error) == CONFIG_OK)
        reply_ok(&c->reply);
    else
        call_error(c, "%.*s", (int)error.size, (const char *)error.data);
    buf_free(&error);
}

static void config_help(struct call *c)
{
    static const char *const lines[] = {
        "GET <pattern>",
        "    Return the directives that match the glob-like <pattern>, and their values.",
        "SET <directive> <value>",
        "    Set the directive to the value.",
        "RESETSTAT",
        "    Set the statistics that INFO reports to zero.",
        "REWRITE",
        "    Write what holds now into the configuration file.",
        NULL,
    };
    help_reply(c, "CONFIG", lines);
}

static const struct argument get_arguments[] = {
    {.name = "parameter", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument set_parts[] = {
    ARGUMENT("parameter", ARG_STRING),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument set_arguments[] = {
    {.name = "data", .type = ARG_BLOCK, .flags = ARG_MULTIPLE, .parts = set_parts},
    ARGUMENTS_END,
};

static const struct command_history get_history[] = {
    {"7.0.0", "Added the ability to pass multiple pattern parameters in one call"},
    {0},
};

static const struct command_history set_history[] = {
    {"7.0.0", "Added the ability to set multiple parameters in one call."},
    {0},
};

static const char *const all_nodes_tips[] = {"request_policy:all_nodes",
                                             "response_policy:all_succeeded", NULL};

#define CONFIG_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_HOME)

static const struct command config_subcommands[] = {
    {
        .name = "get",
        .summary = "Tells directives and their values.",
        .complexity = "O(N) when N is the number of configuration parameters provided",
        .since = "2.0.0",
        .group = GROUP_SERVER,
        .arity = -3,
        .flags = CONFIG_FLAGS,
        .function = config_get_matching,
        .arguments = get_arguments,
        .history = get_history,
    },
    {
        .name = "set",
        .summary = "Changes directives of the running server.",
        .complexity = "O(N) when N is the number of configuration parameters provided",
        .since = "2.0.0",
        .group = GROUP_SERVER,
        .arity = -4,
        .flags = CONFIG_FLAGS,
        .function = config_set_pairs,
        .arguments = set_arguments,
        .history = set_history,
        .tips = all_nodes_tips,
    },
    {
        .name = "resetstat",
        .summary = "Sets the statistics to zero.",
        .complexity = "O(1)",
        .since = "2.0.0",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = CONFIG_FLAGS,
        .function = config_resetstat,
        .tips = all_nodes_tips,
    },
    {
        .name = "rewrite",
        .summary = "Writes what holds now into the configuration file.",
        .complexity = "O(1)",
        .since = "2.8.0",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = CONFIG_FLAGS,
        .function = config_rewrite_file,
        .tips = all_nodes_tips,
    },
    {
        .name = "help",
        .summary = "Explains the subcommands.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = config_help,
    },
    {0},
};

const struct command config_commands[] = {
    {
        .name = "config",
        .summary = "A container for server configuration commands.",
        .complexity = "Depends on subcommand.",
        .since = "2.0.0",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = CMD_HOME,
        .subcommands = config_subcommands,
    },
    {0},
};
