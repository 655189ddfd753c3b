#include "server/connection_commands.h"

#include "base/number.h"
#include "commands/call.h"
#include "commands/command_rows.h"
#include "server/client_names.h"
#include "server/state.h"

enum { DATABASES = 16 };

static void connection_ping(struct call *c)
{
    if (c->argc > 2) {
        call_error(c, "ERR wrong number of arguments for 'ping' command");
    } else if (c->argc == 2) {
        reply_bulk(&c->reply, c->argv[1]);
    } else {
        reply_simple(&c->reply, "PONG");
    }
}

static void connection_echo(struct call *c)
{
    reply_bulk(&c->reply, c->argv[1]);
}

static void connection_select(struct call *c)
{
    int64_t database;
    if (!call_int(c, 1, &database))
        return;
    if (database < INT32_MIN || database > INT32_MAX) {
        call_error(c, "ERR value is out of range, value must between -2147483648 and 2147483647");
        return;
    }
    if (database < 0 || database >= DATABASES) {
        call_error(c, "ERR DB index is out of range");
        return;
    }
    c->database = (int)database;
    reply_ok(&c->reply);
}

void connection_quit(struct call *c)
{
    reply_ok(&c->reply);
    client_close_after_output(c->client);
}

void connection_reset(struct call *c)
{
    client_reset_session(c->client);
    c->database = 0;
    c->reply.protocol = 2;
    reply_simple(&c->reply, "RESET");
}

/* Takes the same time wherever the two differ, so that a password is not found byte by byte. */
static bool is_same_secret(struct bytes given, const char *secret)
{
    struct bytes expected = bytes_of_string(secret);
    unsigned differs = given.size != expected.size;
    for (size_t i = 0; i < given.size; i++) {
        uint8_t other = expected.size == 0 ? 0 : expected.data[i % expected.size];
        differs |= (unsigned)(given.data[i] ^ other);
    }
    return differs == 0;
}

/* There is one user, "default"; it takes any password while none is set, as in Redis. */
static bool authenticate(struct call *c, struct bytes user, struct bytes password)
{
    struct client *client = c->client;
    bool is_known = bytes_equal(user, BYTES_LITERAL("default"));
    bool is_open = !server_has_password(client->server);
    if (!is_known || !(is_open || is_same_secret(password, client->server->config->requirepass))) {
        call_error(c, "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    client->is_authenticated = true;
    return true;
}

static void connection_auth(struct call *c)
{
    if (c->argc > 3) {
        call_error_syntax(c);
        return;
    }
    if (c->argc == 2 && !server_has_password(c->client->server)) {
        call_error(c, "ERR AUTH <password> called without any password configured for the default "
                      "user. Are you sure your configuration is correct?");
        return;
    }
    struct bytes user = c->argc == 3 ? c->argv[1] : BYTES_LITERAL("default");
    if (authenticate(c, user, c->argv[c->argc - 1]))
        reply_ok(&c->reply);
}

struct hello_options {
    int64_t protocol; /* 0: as it is */
    int auth_at;      /* position of the user, 0: not given */
    int name_at;      /* position of the name, 0: not given */
};

static bool parse_hello_options(struct call *c, struct hello_options *options)
{
    for (int i = 2; i < c->argc; i++) {
        int more = c->argc - 1 - i;
        if (call_is_word(c, i, "auth") && more >= 2) {
            options->auth_at = i + 1;
            i += 2;
        } else if (call_is_word(c, i, "setname") && more >= 1) {
            options->name_at = i + 1;
            i += 1;
        } else {
            call_error(c, "ERR Syntax error in HELLO option '%.*s'", (int)c->argv[i].size,
                       (const char *)c->argv[i].data);
            return false;
        }
    }
    return true;
}

static bool parse_hello(struct call *c, struct hello_options *options)
{
    *options = (struct hello_options){0};
    if (c->argc < 2)
        return true;
    if (!call_int_range(c, 1, INT64_MIN, INT64_MAX, &options->protocol,
                        "ERR Protocol version is not an integer or out of range"))
        return false;
    if (options->protocol < 2 || options->protocol > 3) {
        call_error(c, "NOPROTO unsupported protocol version");
        return false;
    }
    return parse_hello_options(c, options);
}

static void reply_hello(struct call *c)
{
    reply_map(&c->reply, 7);
    reply_bulk_string(&c->reply, "server");
    reply_bulk_string(&c->reply, "redis");
    reply_bulk_string(&c->reply, "version");
    reply_bulk_string(&c->reply, SERVER_REDIS_VERSION);
    reply_bulk_string(&c->reply, "proto");
    reply_int(&c->reply, c->reply.protocol);
    reply_bulk_string(&c->reply, "id");
    reply_int(&c->reply, (int64_t)c->client->id);
    reply_bulk_string(&c->reply, "mode");
    reply_bulk_string(&c->reply,
                      c->client->server->config->cluster_enabled ? "cluster" : "standalone");
    reply_bulk_string(&c->reply, "role");
    reply_bulk_string(&c->reply, "master");
    reply_bulk_string(&c->reply, "modules");
    reply_array(&c->reply, 0);
}

static void connection_hello(struct call *c)
{
    struct client *client = c->client;
    struct hello_options options;
    if (!parse_hello(c, &options))
        return;
    if (options.auth_at > 0 &&
        !authenticate(c, c->argv[options.auth_at], c->argv[options.auth_at + 1]))
        return;
    if (!client->is_authenticated && server_has_password(client->server)) {
        call_error(c,
                   "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                   "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                   "client and select the RESP protocol version at the same time");
        return;
    }
    if (options.name_at > 0 && !client_names_set(c, c->argv[options.name_at]))
        return;
    if (options.protocol > 0)
        c->reply.protocol = client->protocol = (uint8_t)options.protocol;
    reply_hello(c);
}

static const struct argument ping_arguments[] = {
    {.name = "message", .type = ARG_STRING, .flags = ARG_OPTIONAL},
    ARGUMENTS_END,
};

static const struct argument echo_arguments[] = {ARGUMENT("message", ARG_STRING), ARGUMENTS_END};

static const struct argument select_arguments[] = {ARGUMENT("index", ARG_INTEGER), ARGUMENTS_END};

static const struct argument auth_arguments[] = {
    {.name = "username", .type = ARG_STRING, .flags = ARG_OPTIONAL, .since = "6.0.0"},
    ARGUMENT("password", ARG_STRING),
    ARGUMENTS_END,
};

static const struct command_history auth_history[] = {
    {"6.0.0", "Added ACL style (username and password)."},
    {0},
};

static const struct argument hello_auth[] = {
    ARGUMENT("username", ARG_STRING),
    ARGUMENT("password", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument hello_parts[] = {
    ARGUMENT("protover", ARG_INTEGER),
    {.name = "auth",
     .type = ARG_BLOCK,
     .token = "AUTH",
     .flags = ARG_OPTIONAL,
     .parts = hello_auth},
    ARGUMENT_AFTER("SETNAME", "clientname", ARG_STRING, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument hello_arguments[] = {
    {.name = "arguments", .type = ARG_BLOCK, .flags = ARG_OPTIONAL, .parts = hello_parts},
    ARGUMENTS_END,
};

static const struct command_history hello_history[] = {
    {"6.2.0", "`protover` made optional; when called without arguments the command reports the "
              "current connection's context."},
    {0},
};

static const char *const ping_tips[] = {"request_policy:all_shards",
                                        "response_policy:all_succeeded", NULL};

#define CONNECTION_FLAGS                                                                           \
    (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY | CMD_HOME)

const struct command connection_commands[] = {
    {
        .name = "ping",
        .summary = "Answers PONG, or the message given: a sign of life.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_CONNECTION,
        .arity = -1,
        .flags = CMD_FAST | CMD_SENTINEL | CMD_HOME,
        .function = connection_ping,
        .arguments = ping_arguments,
        .tips = ping_tips,
    },
    {
        .name = "echo",
        .summary = "Answers the message given.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_CONNECTION,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_FAST | CMD_HOME,
        .function = connection_echo,
        .arguments = echo_arguments,
    },
    {
        .name = "auth",
        .summary = "Authenticates the connection.",
        .complexity = "O(N) where N is the number of passwords defined for the user",
        .since = "1.0.0",
        .group = GROUP_CONNECTION,
        .arity = -2,
        .flags = CONNECTION_FLAGS | CMD_SENTINEL,
        .function = connection_auth,
        .arguments = auth_arguments,
        .history = auth_history,
    },
    {
        .name = "hello",
        .summary = "Shakes hands: selects the protocol, authenticates, names the connection.",
        .complexity = "O(1)",
        .since = "6.0.0",
        .group = GROUP_CONNECTION,
        .arity = -1,
        .flags = CONNECTION_FLAGS | CMD_SENTINEL,
        .function = connection_hello,
        .arguments = hello_arguments,
        .history = hello_history,
    },
    {
        .name = "select",
        .summary = "Changes the database that the connection works on.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_CONNECTION,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_FAST | CMD_HOME,
        .function = connection_select,
        .arguments = select_arguments,
    },
    {
        .name = "quit",
        .summary = "Closes the connection after its answers.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_CONNECTION,
        .arity = -1,
        .flags = CONNECTION_FLAGS,
        .function = connection_quit,
        .deprecated_since = "7.2.0",
        .replaced_by = "just closing the connection",
    },
    {
        .name = "reset",
        .summary = "Puts the connection back into the state of a new one.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_CONNECTION,
        .arity = 1,
        .flags = CONNECTION_FLAGS,
        .function = connection_reset,
    },
    {0},
};
