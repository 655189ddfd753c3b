#include "server/client_commands.h"

#include "commands/call.h"
#include "commands/command_rows.h"
#include "commands/help.h"
#include "server/client.h"
#include "server/client_names.h"
#include "server/client_texts.h"

static void client_id(struct call *c)
{
    reply_int(&c->reply, (int64_t)c->client->id);
}

static void client_getname(struct call *c)
{
    if (c->client->name == NULL)
        reply_null(&c->reply);
    else
        reply_bulk_string(&c->reply, c->client->name);
}

static void client_setname(struct call *c)
{
    if (client_names_set(c, c->argv[2]))
        reply_ok(&c->reply);
}

static void client_setinfo(struct call *c)
{
    struct client *client = c->client;
    bool is_name = call_is_word(c, 2, "lib-name");
    if (!is_name && !call_is_word(c, 2, "lib-ver")) {
        call_error(c, "ERR Unrecognized option '%.*s'", (int)c->argv[2].size,
                   (const char *)c->argv[2].data);
        return;
    }
    if (!client_names_is_word(c->argv[3])) {
        call_error(c, "ERR %s cannot contain spaces, newlines or special characters.",
                   is_name ? "lib-name" : "lib-ver");
        return;
    }
    client_set_text(is_name ? &client->lib_name : &client->lib_version, c->argv[3]);
    reply_ok(&c->reply);
}

static void client_info(struct call *c)
{
    struct buf line = {0};
    client_append_line(c->client, &line);
    buf_append_u8(&line, '\n');
    reply_verbatim(&c->reply, "txt", buf_bytes(&line));
    buf_free(&line);
}

/* The modes are applied to the answer of this very command: OFF and SKIP get none. */
static void client_reply(struct call *c)
{
    struct client *client = c->client;
    if (call_is_word(c, 2, "on")) {
        client->reply_mode = REPLY_ON;
        reply_ok(&c->reply);
    } else if (call_is_word(c, 2, "off")) {
        client->reply_mode = REPLY_OFF;
    } else if (call_is_word(c, 2, "skip")) {
        if (client->reply_mode != REPLY_OFF)
            client->reply_mode = REPLY_SKIP_NEXT;
    } else {
        call_error_syntax(c);
    }
}

static void set_switch(struct call *c, bool *is_on)
{
    if (!call_is_word(c, 2, "on") && !call_is_word(c, 2, "off")) {
        call_error_syntax(c);
        return;
    }
    *is_on = call_is_word(c, 2, "on");
    reply_ok(&c->reply);
}

static void client_no_evict(struct call *c)
{
    set_switch(c, &c->client->is_no_evict);
}

static void client_no_touch(struct call *c)
{
    set_switch(c, &c->client->is_no_touch);
}

/* No tracking, so nothing is redirected. */
static void client_getredir(struct call *c)
{
    reply_int(&c->reply, -1);
}

static void client_help(struct call *c)
{
    static const char *const lines[] = {
        "GETNAME",
        "    Return the name of the current connection.",
        "GETREDIR",
        "    Return the client ID that invalidation messages go to; -1, for there is no tracking.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current connection.",
        "KILL <ip:port>",
        "    Close the connection of this address.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close connections. Options are:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      made from this address.",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      made to this address.",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      of this type.",
        "    * USER <username>",
        "      authenticated by this user.",
        "    * ID <client-id>",
        "      of this client.",
        "    * SKIPME (YES|NO)",
        "      spare the current connection (default: yes).",
        "LIST [options ...]",
        "    Return information about connections. Options are:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      those of this type.",
        "    * ID <client-id> [<client-id> ...]",
        "      those of these clients.",
        "NO-EVICT (ON|OFF)",
        "    Spare the current connection when clients are evicted.",
        "NO-TOUCH (ON|OFF)",
        "    Do not let this connection's commands count as a use of keys.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Hold back all commands, or only writes, for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Switch the replies to the current connection on or off, or leave one out.",
        "SETINFO <option> <value>",
        "    Tell about the library that made the connection. Options are:",
        "    * LIB-NAME: its name.",
        "    * LIB-VER: its version.",
        "SETNAME <name>",
        "    Give the current connection a name.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    End the waiting of a blocked client.",
        "UNPAUSE",
        "    End CLIENT PAUSE.",
        NULL,
    };
    help_reply(c, "CLIENT", lines);
}

static const struct argument on_off_parts[] = {
    ARGUMENT_WORD("on", "ON", 0),
    ARGUMENT_WORD("off", "OFF", 0),
    ARGUMENTS_END,
};

static const struct argument enabled_arguments[] = {
    {.name = "enabled", .type = ARG_ONEOF, .parts = on_off_parts},
    ARGUMENTS_END,
};

static const struct argument reply_parts[] = {
    ARGUMENT_WORD("on", "ON", 0),
    ARGUMENT_WORD("off", "OFF", 0),
    ARGUMENT_WORD("skip", "SKIP", 0),
    ARGUMENTS_END,
};

static const struct argument reply_arguments[] = {
    {.name = "action", .type = ARG_ONEOF, .parts = reply_parts},
    ARGUMENTS_END,
};

static const struct argument setname_arguments[] = {ARGUMENT("connection-name", ARG_STRING),
                                                    ARGUMENTS_END};

static const struct argument setinfo_parts[] = {
    ARGUMENT_AFTER("LIB-NAME", "libname", ARG_STRING, 0),
    ARGUMENT_AFTER("LIB-VER", "libver", ARG_STRING, 0),
    ARGUMENTS_END,
};

static const struct argument setinfo_arguments[] = {
    {.name = "attr", .type = ARG_ONEOF, .parts = setinfo_parts},
    ARGUMENTS_END,
};

static const struct argument type_parts[] = {
    ARGUMENT_WORD("normal", "NORMAL", 0),
    ARGUMENT_WORD("master", "MASTER", 0),
    ARGUMENT_WORD("replica", "REPLICA", 0),
    ARGUMENT_WORD("pubsub", "PUBSUB", 0),
    ARGUMENTS_END,
};

static const struct argument list_arguments[] = {
    {.name = "client-type",
     .type = ARG_ONEOF,
     .token = "TYPE",
     .flags = ARG_OPTIONAL,
     .since = "5.0.0",
     .parts = type_parts},
    {.name = "client-id",
     .type = ARG_INTEGER,
     .token = "ID",
     .flags = ARG_OPTIONAL | ARG_MULTIPLE,
     .since = "6.2.0"},
    ARGUMENTS_END,
};

static const struct argument skipme_parts[] = {
    ARGUMENT_WORD("yes", "YES", 0),
    ARGUMENT_WORD("no", "NO", 0),
    ARGUMENTS_END,
};

static const struct argument kill_filter_parts[] = {
    ARGUMENT_AFTER("ID", "client-id", ARG_INTEGER, ARG_OPTIONAL),
    {.name = "client-type",
     .type = ARG_ONEOF,
     .token = "TYPE",
     .flags = ARG_OPTIONAL,
     .since = "2.8.12",
     .parts = type_parts},
    ARGUMENT_AFTER("USER", "username", ARG_STRING, ARG_OPTIONAL),
    ARGUMENT_AFTER("ADDR", "addr", ARG_STRING, ARG_OPTIONAL),
    ARGUMENT_AFTER("LADDR", "laddr", ARG_STRING, ARG_OPTIONAL),
    {.name = "skipme",
     .type = ARG_ONEOF,
     .token = "SKIPME",
     .flags = ARG_OPTIONAL,
     .parts = skipme_parts},
    ARGUMENTS_END,
};

static const struct argument kill_parts[] = {
    {.name = "old-format", .type = ARG_STRING, .deprecated_since = "2.8.12"},
    {.name = "new-format", .type = ARG_ONEOF, .flags = ARG_MULTIPLE, .parts = kill_filter_parts},
    ARGUMENTS_END,
};

static const struct argument kill_arguments[] = {
    {.name = "filter", .type = ARG_ONEOF, .parts = kill_parts},
    ARGUMENTS_END,
};

static const struct argument pause_parts[] = {
    ARGUMENT_WORD("write", "WRITE", 0),
    ARGUMENT_WORD("all", "ALL", 0),
    ARGUMENTS_END,
};

static const struct argument pause_arguments[] = {
    ARGUMENT("timeout", ARG_INTEGER),
    {.name = "mode",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "6.2.0",
     .parts = pause_parts},
    ARGUMENTS_END,
};

static const struct argument unblock_parts[] = {
    ARGUMENT_WORD("timeout", "TIMEOUT", 0),
    ARGUMENT_WORD("error", "ERROR", 0),
    ARGUMENTS_END,
};

static const struct argument unblock_arguments[] = {
    ARGUMENT("client-id", ARG_INTEGER),
    {.name = "unblock-type", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = unblock_parts},
    ARGUMENTS_END,
};

static const char *const varying_tips[] = {"nondeterministic_output", NULL};
static const char *const name_tips[] = {"request_policy:all_nodes", "response_policy:all_succeeded",
                                        NULL};

#define SELF_FLAGS  (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SENTINEL | CMD_HOME)
#define ADMIN_FLAGS (SELF_FLAGS | CMD_ADMIN)

#define CLIENT_ROW(name_, since_, arity_, flags_, function_, complexity_, summary_)                \
    .name = (name_), .since = (since_), .arity = (arity_), .flags = (flags_),                      \
    .function = (function_), .complexity = (complexity_), .summary = (summary_),                   \
    .group = GROUP_CONNECTION

static const struct command client_subcommands[] = {
    {CLIENT_ROW("id", "5.0.0", 2, SELF_FLAGS, client_id, "O(1)", "Tells the connection's ID.")},
    {CLIENT_ROW("getname", "2.6.9", 2, SELF_FLAGS, client_getname, "O(1)",
                "Tells the connection's name.")},
    {CLIENT_ROW("setname", "2.6.9", 3, SELF_FLAGS, client_setname, "O(1)", "Names the connection."),
     .arguments = setname_arguments, .tips = name_tips},
    {CLIENT_ROW("setinfo", "7.2.0", 4, SELF_FLAGS, client_setinfo, "O(1)",
                "Tells which library speaks."),
     .arguments = setinfo_arguments, .tips = name_tips},
    {CLIENT_ROW("info", "6.2.0", 2, SELF_FLAGS, client_info, "O(1)", "Describes the connection."),
     .tips = varying_tips},
    {CLIENT_ROW("list", "2.4.0", -2, ADMIN_FLAGS, client_admin_list,
                "O(N) where N is the number of client connections", "Describes all connections."),
     .arguments = list_arguments, .tips = varying_tips},
    {CLIENT_ROW("kill", "2.4.0", -3, ADMIN_FLAGS, client_admin_kill,
                "O(N) where N is the number of client connections", "Closes connections."),
     .arguments = kill_arguments},
    {CLIENT_ROW("reply", "3.2.0", 3, SELF_FLAGS, client_reply, "O(1)",
                "Switches replies on or off."),
     .arguments = reply_arguments},
    {CLIENT_ROW("no-evict", "7.0.0", 3, ADMIN_FLAGS, client_no_evict, "O(1)",
                "Spares the connection from eviction."),
     .arguments = enabled_arguments},
    {CLIENT_ROW("no-touch", "7.2.0", 3, SELF_FLAGS & ~(uint32_t)CMD_SENTINEL, client_no_touch,
                "O(1)", "Whether its commands count as a use of keys."),
     .arguments = enabled_arguments},
    {CLIENT_ROW("getredir", "6.0.0", 2, SELF_FLAGS, client_getredir, "O(1)",
                "Tells where invalidation messages go.")},
    {CLIENT_ROW("pause", "3.0.0", -3, ADMIN_FLAGS, client_admin_pause, "O(1)",
                "Holds commands back for a while."),
     .arguments = pause_arguments},
    {CLIENT_ROW("unpause", "6.2.0", 2, ADMIN_FLAGS, client_admin_unpause,
                "O(N) Where N is the number of paused clients", "Ends CLIENT PAUSE.")},
    {CLIENT_ROW("unblock", "5.0.0", -3, ADMIN_FLAGS, client_admin_unblock,
                "O(log N) where N is the number of client connections",
                "Ends the waiting of a blocked client."),
     .arguments = unblock_arguments},
    {CLIENT_ROW("help", "5.0.0", 2, CMD_LOADING | CMD_STALE | CMD_SENTINEL | CMD_HOME, client_help,
                "O(1)", "Explains the subcommands.")},
    {0},
};

const struct command client_commands[] = {
    {
        .name = "client",
        .summary = "A container for client connection commands.",
        .complexity = "Depends on subcommand.",
        .since = "2.4.0",
        .group = GROUP_CONNECTION,
        .arity = -2,
        .flags = CMD_SENTINEL | CMD_HOME,
        .subcommands = client_subcommands,
    },
    {0},
};
