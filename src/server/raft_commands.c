/* RAFT: rows and help; the node answers. */
#include "commands/command_rows.h"
#include "commands/help.h"
#include "server/cluster_commands.h"
#include "server/state.h"

void server_on_operator(struct server *server, operator_fn *fn, void *ctx)
{
    ASSERT(server->operator_fn == NULL);
    server->operator_fn = fn;
    server->operator_ctx = ctx;
}

void operator_ask(struct call *c, enum operator_command what)
{
    const struct server *server = c->client->server;
    if (server->operator_fn == NULL)
        call_error(c, "ERR this server is not part of a node");
    else
        server->operator_fn(server->operator_ctx, c, what);
}

static void raft_add(struct call *c)
{
    operator_ask(c, OPERATOR_RAFT_ADD);
}

static void raft_info(struct call *c)
{
    operator_ask(c, OPERATOR_RAFT_INFO);
}

static void raft_members(struct call *c)
{
    operator_ask(c, OPERATOR_RAFT_MEMBERS);
}

static void raft_promote(struct call *c)
{
    operator_ask(c, OPERATOR_RAFT_PROMOTE);
}

static void raft_remove(struct call *c)
{
    operator_ask(c, OPERATOR_RAFT_REMOVE);
}

static void raft_snapshot(struct call *c)
{
    operator_ask(c, OPERATOR_RAFT_SNAPSHOT);
}

static void raft_transfer_lead(struct call *c)
{
    operator_ask(c, OPERATOR_RAFT_TRANSFER);
}

static void raft_help(struct call *c)
{
    static const char *const lines[] = {
        "ADD <node> <host>:<port>[@<peer port>]",
        "    Take a waiting node in: as a learner, as a voter once it has caught up. Ask the node",
        "    that leads shard 0. The peer port is port + 10000 unless it is given.",
        "INFO [<shard>]",
        "    Return what INFO raft says, of one shard or of all.",
        "MEMBERS",
        "    Return a map for each member of the cluster and each node that is being taken in.",
        "PROMOTE <node>",
        "    Make a learner a voter. It happens by itself; this tells what it still waits for.",
        "REMOVE <node>",
        "    Take a node out of all shards. Ask the node that leads shard 0, about another one.",
        "SNAPSHOT [<shard>]",
        "    Put what is applied into the rows on disk now, and shorten the log by it.",
        "TRANSFER [<shard>] <node>",
        "    Hand the lead of a shard, or of all that are led here, to another voter. Leaders of",
        "    several shards spread again by themselves.",
        NULL,
    };
    help_reply(c, "RAFT", lines);
}

static const struct argument node_arguments[] = {ARGUMENT("node", ARG_INTEGER), ARGUMENTS_END};

static const struct argument add_arguments[] = {
    ARGUMENT("node", ARG_INTEGER),
    ARGUMENT("address", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument shard_arguments[] = {
    {.name = "shard", .type = ARG_INTEGER, .flags = ARG_OPTIONAL},
    ARGUMENTS_END,
};

static const struct argument transfer_arguments[] = {
    {.name = "shard", .type = ARG_INTEGER, .flags = ARG_OPTIONAL},
    ARGUMENT("node", ARG_INTEGER),
    ARGUMENTS_END,
};

#define SEE    (CMD_LOADING | CMD_STALE | CMD_HOME)
#define CHANGE (CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_HOME)

static const struct command raft_subcommands[] = {
    {
        .name = "add",
        .summary = "Takes a node into the cluster.",
        .complexity = "O(1); the node receives all rows in the background",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = 4,
        .flags = CHANGE,
        .function = raft_add,
        .arguments = add_arguments,
    },
    {
        .name = "help",
        .summary = "Explains the subcommands.",
        .complexity = "O(1)",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = SEE,
        .function = raft_help,
    },
    {
        .name = "info",
        .summary = "Tells the state of shards and links as this node sees it.",
        .complexity = "O(N) where N is the number of shards times that of members",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = -2,
        .flags = SEE,
        .function = raft_info,
        .arguments = shard_arguments,
    },
    {
        .name = "members",
        .summary = "Lists the members of the cluster.",
        .complexity = "O(N) where N is the number of shards",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = SEE,
        .function = raft_members,
    },
    {
        .name = "promote",
        .summary = "Makes a learner a voter.",
        .complexity = "O(1)",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CHANGE,
        .function = raft_promote,
        .arguments = node_arguments,
    },
    {
        .name = "remove",
        .summary = "Takes a node out of the cluster.",
        .complexity = "O(1); it is carried out in the background",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CHANGE,
        .function = raft_remove,
        .arguments = node_arguments,
    },
    {
        .name = "snapshot",
        .summary = "Flushes what is applied and shortens the log.",
        .complexity = "O(1); it is carried out in the background",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = -2,
        .flags = CHANGE,
        .function = raft_snapshot,
        .arguments = shard_arguments,
    },
    {
        .name = "transfer",
        .summary = "Hands the lead of one shard, or of all, to another node.",
        .complexity = "O(N) where N is the number of shards",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = -3,
        .flags = CHANGE,
        .function = raft_transfer_lead,
        .arguments = transfer_arguments,
    },
    {0},
};

const struct command raft_commands[] = {
    {
        .name = "raft",
        .summary = "A container for commands that look at the cluster and change it.",
        .complexity = "Depends on subcommand.",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = -2,
        .flags = CMD_HOME,
        .subcommands = raft_subcommands,
    },
    {0},
};
