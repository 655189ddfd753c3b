#include "server/refusal.h"

#include <ctype.h>

#include "base/mem.h"
#include "server/cluster_commands.h"
#include "server/state.h"
#include "server/transaction_commands.h"
#include "types/object.h"

enum { SHOWN_MAX = 128 }; /* bytes of a client's words that an error repeats */

static bool may_debug(const struct client *client)
{
    switch ((enum config_debug_command)client->server->config->enable_debug_command) {
    case CONFIG_DEBUG_NO:
        return false;
    case CONFIG_DEBUG_YES:
        return true;
    case CONFIG_DEBUG_LOCAL:
        return !client->has_socket || client->conn.is_loopback;
    }
    UNREACHABLE();
}

/* Keys above the limit must not get as far as memory, which asserts it (L11). Only requests with a
 * large argument are looked at. */
static bool has_long_key(const struct command *command, const struct request *request)
{
    struct command_key some[16], *keys = some;
    int count = command_keys(command, request->argv, request->argc, keys, COUNT_OF(some));
    if (count > (int)COUNT_OF(some)) {
        keys = mem_alloc((size_t)count * sizeof(*keys));
        count = command_keys(command, request->argv, request->argc, keys, count);
    }
    bool is_long = false;
    for (int i = 0; i < count && !is_long; i++)
        is_long = request->argv[keys[i].position].size > OBJECT_KEY_MAX;
    if (keys != some)
        mem_free(keys);
    return is_long;
}

/* RAFT works with plain clients too: whether they speak the cluster protocol is not its matter. */
static bool needs_cluster(const struct refusal *refusal)
{
    return refusal->command->group == GROUP_CLUSTER && refusal->container != &raft_commands[0];
}

static enum refusal_reason find_reason(const struct refusal *refusal, const struct client *client)
{
    const struct command *command = refusal->command;
    if (__builtin_expect(command == NULL, 0))
        return refusal->container != NULL ? REFUSAL_UNKNOWN_SUBCOMMAND : REFUSAL_UNKNOWN_COMMAND;
    if (!command_arity_fits(command, client->request.argc) || command->function == NULL)
        return REFUSAL_ARITY;
    if (command == client->server->debug && !may_debug(client))
        return REFUSAL_DEBUG;
    if (!client->is_authenticated && (command->flags & CMD_NO_AUTH) == 0 &&
        server_has_password(client->server))
        return REFUSAL_AUTH;
    if (needs_cluster(refusal) && !client->server->config->cluster_enabled)
        return REFUSAL_NO_CLUSTER;
    if (client->transaction != NULL && (command->flags & CMD_NO_MULTI) != 0)
        return REFUSAL_NO_MULTI;
    if (client->has_large_argument && has_long_key(command, &client->request))
        return REFUSAL_LONG_KEY;
    return REFUSAL_NONE;
}

bool refusal_check(struct refusal *refusal, const struct client *client)
{
    refusal->reason = find_reason(refusal, client);
    return refusal->reason != REFUSAL_NONE;
}

/* At most `max` bytes, ending at a 0 byte. */
static void append_shown(struct buf *out, struct bytes text, size_t max)
{
    size_t size = text.size < max ? text.size : max;
    const uint8_t *end = size == 0 ? NULL : memchr(text.data, 0, size);
    buf_append(out, bytes_of(text.data, end == NULL ? size : (size_t)(end - text.data)));
}

static void append_unknown_command(struct buf *out, const struct client *client)
{
    buf_append_string(out, "unknown command '");
    append_shown(out, client->request.argv[0], SHOWN_MAX);
    buf_append_string(out, "', with args beginning with: ");
    size_t begin = out->size;
    for (int i = 1; i < client->request.argc && out->size - begin < SHOWN_MAX; i++) {
        size_t room = SHOWN_MAX - (out->size - begin);
        buf_append_u8(out, '\'');
        append_shown(out, client->request.argv[i], room);
        buf_append_string(out, "' ");
    }
}

static void append_unknown_subcommand(struct buf *out, const struct refusal *refusal,
                                      const struct client *client)
{
    buf_append_string(out, "unknown subcommand '");
    append_shown(out, client->request.argv[1], SHOWN_MAX);
    buf_append_string(out, "'. Try ");
    for (const char *at = refusal->container->name; *at != '\0'; at++)
        buf_append_u8(out, (uint8_t)toupper((unsigned char)*at));
    buf_append_string(out, " HELP.");
}

void refusal_append_name(const struct command *command, const struct command *container,
                         struct buf *out)
{
    if (container != NULL) {
        buf_append_string(out, container->name);
        buf_append_u8(out, '|');
    }
    buf_append_string(out, command->name);
}

static void append_arity(struct buf *out, const struct refusal *refusal)
{
    buf_append_string(out, "wrong number of arguments for '");
    refusal_append_name(refusal->command, refusal->container, out);
    buf_append_string(out, "' command");
}

/* Without the code; *code gets it. */
static void append_text(struct buf *out, const struct refusal *refusal, const struct client *client,
                        const char **code)
{
    *code = "ERR ";
    switch (refusal->reason) {
    case REFUSAL_NONE:
        UNREACHABLE();
    case REFUSAL_UNKNOWN_COMMAND:
        append_unknown_command(out, client);
        break;
    case REFUSAL_UNKNOWN_SUBCOMMAND:
        append_unknown_subcommand(out, refusal, client);
        break;
    case REFUSAL_ARITY:
        append_arity(out, refusal);
        break;
    case REFUSAL_DEBUG:
        buf_append_string(out,
                          "DEBUG command not allowed. If the enable-debug-command option is set "
                          "to \"local\", you can run it from a local connection, otherwise you "
                          "need to set this option in the configuration file, and then restart "
                          "the server.");
        break;
    case REFUSAL_AUTH:
        *code = "NOAUTH ";
        buf_append_string(out, "Authentication required.");
        break;
    case REFUSAL_NO_MULTI:
        buf_append_string(out, "Command not allowed inside a transaction");
        break;
    case REFUSAL_NO_CLUSTER:
        buf_append_string(out, "This instance has cluster support disabled");
        break;
    case REFUSAL_LONG_KEY:
        buf_printf(out, "key is longer than %d bytes", OBJECT_KEY_MAX);
        break;
    }
}

void refusal_reply(const struct refusal *refusal, struct client *client, struct reply *reply)
{
    const char *code;
    struct buf text = {0};
    append_text(&text, refusal, client, &code);
    if (refusal->command != NULL && refusal->command->function == transaction_exec) {
        const char *shown_code = refusal->reason == REFUSAL_AUTH ? code : "";
        reply_error(reply, "EXECABORT Transaction discarded because of: %s%.*s", shown_code,
                    (int)text.size, (const char *)text.data);
        client_end_transaction(client);
    } else {
        reply_error(reply, "%s%.*s", code, (int)text.size, (const char *)text.data);
        if (client->transaction != NULL)
            transaction_break(client->transaction);
    }
    buf_free(&text);
}
