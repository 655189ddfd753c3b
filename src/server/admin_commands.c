#include "server/admin_commands.h"

#include "commands/call.h"
#include "commands/command_rows.h"
#include "server/connection_commands.h"
#include "server/state.h"

static void admin_info(struct call *c)
{
    struct buf text = {0};
    info_write(&c->client->server->info, c->argv + 1, c->argc - 1, &text);
    reply_verbatim(&c->reply, "txt", buf_bytes(&text));
    buf_free(&text);
}

static void admin_time(struct call *c)
{
    uint64_t wall_us = c->client->server->now.wall_us;
    reply_array(&c->reply, 2);
    reply_bulk_int(&c->reply, (int64_t)(wall_us / 1000000));
    reply_bulk_int(&c->reply, (int64_t)(wall_us % 1000000));
}

/* Every node takes writes; copies are Raft's business, not replicas that clients could see. */
static void admin_role(struct call *c)
{
    reply_array(&c->reply, 3);
    reply_bulk_string(&c->reply, "master");
    reply_int(&c->reply, 0);
    reply_array(&c->reply, 0);
}

static void admin_lolwut(struct call *c)
{
    static const char text[] =
        "  __ _ _   _  ___ (_)_ __\n"
        " / _` | | | |/ _ \\| | '_ \\\n"
        "| (_| | |_| | (_) | | | | |\n"
        " \\__, |\\__,_|\\___/|_|_| |_|\n"
        "    |_|\n"
        "Quoin ver. " SERVER_QUOIN_VERSION ", Redis ver. " SERVER_REDIS_VERSION "\n";
    reply_verbatim(&c->reply, "txt", bytes_of_string(text));
}

struct shutdown_words {
    bool is_save, is_nosave, is_now, is_force, is_abort;
};

static bool parse_shutdown(struct call *c, struct shutdown_words *words)
{
    *words = (struct shutdown_words){0};
    for (int i = 1; i < c->argc; i++) {
        if (call_is_word(c, i, "save"))
            words->is_save = true;
        else if (call_is_word(c, i, "nosave"))
            words->is_nosave = true;
        else if (call_is_word(c, i, "now"))
            words->is_now = true;
        else if (call_is_word(c, i, "force"))
            words->is_force = true;
        else if (call_is_word(c, i, "abort"))
            words->is_abort = true;
        else
            return false;
    }
    if (words->is_abort)
        return c->argc == 2;
    return !(words->is_save && words->is_nosave);
}

/* There is nothing to save or not to save: what was answered is durable. SAVE and NOSAVE are taken
 * for the sake of scripts. The caller waits: the process ends, or the node says why not. */
static void admin_shutdown(struct call *c)
{
    struct server *server = c->client->server;
    struct shutdown_words words;
    if (!parse_shutdown(c, &words)) {
        call_error_syntax(c);
        return;
    }
    if (words.is_abort) {
        if (!server->shutdown.is_requested) {
            call_error(c, "ERR No shutdown in progress.");
            return;
        }
        server_shutdown_failed(server);
        reply_ok(&c->reply);
        return;
    }
    server->shutdown.is_requested = true;
    server->shutdown.is_now |= words.is_now;
    server->shutdown.is_force |= words.is_force;
    c->client->request_state = REQUEST_WAITING;
    list_remove(&c->client->run_link);
    list_push_back(&server->stopping, &c->client->run_link);
}

static const struct argument info_arguments[] = {
    {.name = "section", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument lolwut_arguments[] = {
    {.name = "version", .type = ARG_INTEGER, .token = "VERSION", .flags = ARG_OPTIONAL},
    ARGUMENTS_END,
};

static const struct argument save_parts[] = {
    ARGUMENT_WORD("nosave", "NOSAVE", 0),
    ARGUMENT_WORD("save", "SAVE", 0),
    ARGUMENTS_END,
};

static const struct argument shutdown_arguments[] = {
    {.name = "save-selector", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = save_parts},
    {.name = "now",
     .type = ARG_PURE_TOKEN,
     .token = "NOW",
     .flags = ARG_OPTIONAL,
     .since = "7.0.0"},
    {.name = "force",
     .type = ARG_PURE_TOKEN,
     .token = "FORCE",
     .flags = ARG_OPTIONAL,
     .since = "7.0.0"},
    {.name = "abort",
     .type = ARG_PURE_TOKEN,
     .token = "ABORT",
     .flags = ARG_OPTIONAL,
     .since = "7.0.0"},
    ARGUMENTS_END,
};

static const struct command_history info_history[] = {
    {"7.0.0", "Added support for taking multiple section arguments."},
    {0},
};

static const struct command_history shutdown_history[] = {
    {"7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers."},
    {0},
};

static const char *const info_tips[] = {"nondeterministic_output", "request_policy:all_shards",
                                        "response_policy:special", NULL};
static const char *const time_tips[] = {"nondeterministic_output", NULL};

const struct command admin_commands[] = {
    {
        .name = "info",
        .summary = "Describes the server, in sections.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_SERVER,
        .arity = -1,
        .flags = CMD_LOADING | CMD_STALE | CMD_SENTINEL | CMD_HOME,
        .function = admin_info,
        .arguments = info_arguments,
        .history = info_history,
        .tips = info_tips,
        .acl_extra = "@dangerous",
    },
    {
        .name = "time",
        .summary = "Tells the server's time in seconds and microseconds.",
        .complexity = "O(1)",
        .since = "2.6.0",
        .group = GROUP_SERVER,
        .arity = 1,
        .flags = CMD_LOADING | CMD_STALE | CMD_FAST | CMD_HOME,
        .function = admin_time,
        .tips = time_tips,
    },
    {
        .name = "role",
        .summary = "Tells the server's part in replication.",
        .complexity = "O(1)",
        .since = "2.8.12",
        .group = GROUP_SERVER,
        .arity = 1,
        .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_SENTINEL | CMD_HOME,
        .function = admin_role,
        .acl_extra = "@admin @dangerous",
    },
    {
        .name = "lolwut",
        .summary = "Shows a picture and the version.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_SERVER,
        .arity = -1,
        .flags = CMD_READONLY | CMD_FAST | CMD_HOME,
        .function = admin_lolwut,
        .arguments = lolwut_arguments,
    },
    {
        .name = "shutdown",
        .summary = "Ends the server.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_SERVER,
        .arity = -1,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MULTI | CMD_SENTINEL |
                 CMD_ALLOW_BUSY | CMD_HOME,
        .function = admin_shutdown,
        .arguments = shutdown_arguments,
        .history = shutdown_history,
    },
    {0},
};
