/* CLUSTER, READONLY, READWRITE and ASKING. Rows and what needs no knowledge of the cluster; the
 * node answers the rest. Shards and members are changed by RAFT: what Redis does about gossip,
 * slots and epochs is refused with the command to use instead. */
#include "server/cluster_commands.h"

#include "commands/command_rows.h"
#include "commands/help.h"
#include "exec/exec.h"
#include "keyspace/slot.h"

/* ---- what the node answers ---- */

static void cluster_count_failure_reports(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_COUNT_FAILURE_REPORTS);
}

static void cluster_info(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_INFO);
}

static void cluster_links(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_LINKS);
}

static void cluster_myid(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_MYID);
}

static void cluster_myshardid(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_MYSHARDID);
}

static void cluster_nodes(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_NODES);
}

static void cluster_replicas(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_REPLICAS);
}

static void cluster_shards(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_SHARDS);
}

static void cluster_slots(struct call *c)
{
    operator_ask(c, OPERATOR_CLUSTER_SLOTS);
}

/* ---- what needs no node ---- */

static void cluster_keyslot(struct call *c)
{
    reply_int(&c->reply, slot_of_key(c->argv[2]));
}

/* Members and addresses are entries of the log. */
static void cluster_saveconfig(struct call *c)
{
    reply_ok(&c->reply);
}

static void cluster_refused(struct call *c)
{
    static const struct {
        const char *name;
        const char *instead;
    } advice[] = {
        {"meet", "RAFT ADD takes a node in"},
        {"forget", "RAFT REMOVE takes a node out"},
        {"reset", "RAFT REMOVE takes a node out; it comes back with an empty directory"},
        {"failover", "RAFT TRANSFER hands the lead of a shard to another node"},
        {"replicate", "every node replicates every shard; RAFT TRANSFER hands a lead over"},
        {"bumpepoch", "epochs are terms of Raft; RAFT TRANSFER hands a lead over"},
        {"set-config-epoch", "epochs are terms of Raft; RAFT TRANSFER hands a lead over"},
    };
    const char *instead = "slots belong to shards for good; RAFT TRANSFER hands a lead over";
    for (size_t i = 0; i < COUNT_OF(advice); i++) {
        if (strcmp(advice[i].name, c->command->name) == 0)
            instead = advice[i].instead;
    }
    call_error(c, "ERR not supported: %s", instead);
}

static void cluster_help(struct call *c)
{
    static const char *const lines[] = {
        "COUNT-FAILURE-REPORTS <node id>",
        "    Return how many nodes report that node as failing: none, nodes do not gossip.",
        "COUNTKEYSINSLOT <slot>",
        "    Return the number of keys in a slot that is led here.",
        "GETKEYSINSLOT <slot> <count>",
        "    Return at most <count> keys of a slot that is led here.",
        "INFO",
        "    Return the state of the cluster.",
        "KEYSLOT <key>",
        "    Return the slot of a key.",
        "LINKS",
        "    Return a map for each connection to another node.",
        "MYID",
        "    Return the id of this node.",
        "MYSHARDID",
        "    Return the id of the first shard that is led here, or else of shard 0.",
        "NODES",
        "    Return a line for each node:",
        "    <id> <ip:port@peer port> <flags> <master> <ping> <pong> <term> <link> <slot> ...",
        "REPLICAS <node id>",
        "    Return the lines of the nodes that follow that node.",
        "SAVECONFIG",
        "    Do nothing: members are in the log.",
        "SHARDS",
        "    Return a map for each shard: its slots, and its nodes, the leader first.",
        "SLOTS",
        "    Return for each shard with a leader: first slot, last slot, leader, voters that lead",
        "    nothing.",
        "Nodes are taken in and out and leads handed over by RAFT, see RAFT HELP.",
        NULL,
    };
    help_reply(c, "CLUSTER", lines);
}

/* Followers serve no reads, and no slot is ever on its way: these change nothing. Clients send them
 * unasked, so they are not refused; what is led elsewhere is answered with MOVED as before. */
static void cluster_note(struct call *c)
{
    reply_ok(&c->reply);
}

/* ---- rows ---- */

static const struct argument node_arguments[] = {ARGUMENT("node-id", ARG_STRING), ARGUMENTS_END};
static const struct argument slot_arguments[] = {ARGUMENT("slot", ARG_INTEGER), ARGUMENTS_END};
static const struct argument key_arguments[] = {ARGUMENT("key", ARG_STRING), ARGUMENTS_END};

static const struct argument epoch_arguments[] = {
    ARGUMENT("config-epoch", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument slots_arguments[] = {
    {.name = "slot", .type = ARG_INTEGER, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument range_parts[] = {
    ARGUMENT("start-slot", ARG_INTEGER),
    ARGUMENT("end-slot", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument ranges_arguments[] = {
    {.name = "range", .type = ARG_BLOCK, .flags = ARG_MULTIPLE, .parts = range_parts},
    ARGUMENTS_END,
};

static const struct argument some_keys_arguments[] = {
    ARGUMENT("slot", ARG_INTEGER),
    ARGUMENT("count", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument meet_arguments[] = {
    ARGUMENT("ip", ARG_STRING),
    ARGUMENT("port", ARG_INTEGER),
    {.name = "cluster-bus-port", .type = ARG_INTEGER, .flags = ARG_OPTIONAL, .since = "4.0.0"},
    ARGUMENTS_END,
};

static const struct argument failover_options[] = {
    ARGUMENT_WORD("force", "FORCE", 0),
    ARGUMENT_WORD("takeover", "TAKEOVER", 0),
    ARGUMENTS_END,
};

static const struct argument failover_arguments[] = {
    {.name = "options", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = failover_options},
    ARGUMENTS_END,
};

static const struct argument reset_types[] = {
    ARGUMENT_WORD("hard", "HARD", 0),
    ARGUMENT_WORD("soft", "SOFT", 0),
    ARGUMENTS_END,
};

static const struct argument reset_arguments[] = {
    {.name = "reset-type", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = reset_types},
    ARGUMENTS_END,
};

static const struct argument setslot_parts[] = {
    ARGUMENT_AFTER("IMPORTING", "importing", ARG_STRING, 0),
    ARGUMENT_AFTER("MIGRATING", "migrating", ARG_STRING, 0),
    ARGUMENT_AFTER("NODE", "node", ARG_STRING, 0),
    ARGUMENT_WORD("stable", "STABLE", 0),
    ARGUMENTS_END,
};

static const struct argument setslot_arguments[] = {
    ARGUMENT("slot", ARG_INTEGER),
    {.name = "subcommand", .type = ARG_ONEOF, .parts = setslot_parts},
    ARGUMENTS_END,
};

static const struct command_history slots_history[] = {
    {"4.0.0", "Added node IDs."},
    {"7.0.0", "Added additional networking metadata field."},
    {0},
};

static const char *const unpredictable[] = {"nondeterministic_output", NULL};

#define SEE    (CMD_STALE | CMD_HOME)
#define KEYS   (CMD_STALE | CMD_ALL_SHARDS | CMD_SUSPENDS)
#define CHANGE (CMD_NO_ASYNC_LOADING | CMD_ADMIN | CMD_STALE | CMD_HOME)

static const struct command cluster_subcommands[] = {
    {
        .name = "addslots",
        .summary = "Refused: slots belong to shards.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = -3,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = slots_arguments,
    },
    {
        .name = "addslotsrange",
        .summary = "Refused: slots belong to shards.",
        .complexity = "O(1)",
        .since = "7.0.0",
        .group = GROUP_CLUSTER,
        .arity = -4,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = ranges_arguments,
    },
    {
        .name = "bumpepoch",
        .summary = "Refused: epochs are terms of Raft.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = CHANGE,
        .function = cluster_refused,
        .tips = unpredictable,
    },
    {
        .name = "count-failure-reports",
        .summary = "Counts the nodes that report a node as failing.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CMD_ADMIN | CMD_STALE | CMD_HOME,
        .function = cluster_count_failure_reports,
        .arguments = node_arguments,
        .tips = unpredictable,
    },
    {
        .name = "countkeysinslot",
        .summary = "Counts the keys of a slot.",
        .complexity = "O(N) where N is the number of keys in the slot",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = KEYS,
        .function = exec_count_keys_in_slot,
        .arguments = slot_arguments,
    },
    {
        .name = "delslots",
        .summary = "Refused: slots belong to shards.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = -3,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = slots_arguments,
    },
    {
        .name = "delslotsrange",
        .summary = "Refused: slots belong to shards.",
        .complexity = "O(1)",
        .since = "7.0.0",
        .group = GROUP_CLUSTER,
        .arity = -4,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = ranges_arguments,
    },
    {
        .name = "failover",
        .summary = "Refused: RAFT TRANSFER hands a lead over.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = -2,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = failover_arguments,
    },
    {
        .name = "flushslots",
        .summary = "Refused: slots belong to shards.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = CHANGE,
        .function = cluster_refused,
    },
    {
        .name = "forget",
        .summary = "Refused: RAFT REMOVE takes a node out.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = node_arguments,
    },
    {
        .name = "getkeysinslot",
        .summary = "Lists some keys of a slot.",
        .complexity = "O(N) where N is the number of keys asked for",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 4,
        .flags = KEYS,
        .function = exec_get_keys_in_slot,
        .arguments = some_keys_arguments,
        .tips = unpredictable,
    },
    {
        .name = "help",
        .summary = "Explains the subcommands.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = cluster_help,
    },
    {
        .name = "info",
        .summary = "Tells the state of the cluster.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = SEE,
        .function = cluster_info,
        .tips = unpredictable,
    },
    {
        .name = "keyslot",
        .summary = "Tells the slot of a key.",
        .complexity = "O(N) where N is the size of the key",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = SEE,
        .function = cluster_keyslot,
        .arguments = key_arguments,
    },
    {
        .name = "links",
        .summary = "Lists the links between this node and the others.",
        .complexity = "O(N) where N is the number of nodes",
        .since = "7.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = SEE,
        .function = cluster_links,
        .tips = unpredictable,
    },
    {
        .name = "meet",
        .summary = "Refused: RAFT ADD takes a node in.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = -4,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = meet_arguments,
    },
    {
        .name = "myid",
        .summary = "Tells the id of this node.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = SEE,
        .function = cluster_myid,
    },
    {
        .name = "myshardid",
        .summary = "Tells the id of the first shard that this node leads, or of shard 0.",
        .complexity = "O(1)",
        .since = "7.2.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = SEE,
        .function = cluster_myshardid,
        .tips = unpredictable,
    },
    {
        .name = "nodes",
        .summary = "Describes the nodes, one a line.",
        .complexity = "O(N) where N is the number of nodes",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = SEE,
        .function = cluster_nodes,
        .tips = unpredictable,
    },
    {
        .name = "replicas",
        .summary = "Describes the nodes that follow a node.",
        .complexity = "O(N) where N is the number of nodes",
        .since = "5.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CMD_ADMIN | CMD_STALE | CMD_HOME,
        .function = cluster_replicas,
        .arguments = node_arguments,
        .tips = unpredictable,
    },
    {
        .name = "replicate",
        .summary = "Refused: all nodes replicate all shards.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = node_arguments,
    },
    {
        .name = "reset",
        .summary = "Refused: RAFT REMOVE takes a node out.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = -2,
        .flags = CMD_ADMIN | CMD_STALE | CMD_NOSCRIPT | CMD_HOME,
        .function = cluster_refused,
        .arguments = reset_arguments,
    },
    {
        .name = "saveconfig",
        .summary = "Does nothing: members are in the log, durably.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = CHANGE,
        .function = cluster_saveconfig,
    },
    {
        .name = "set-config-epoch",
        .summary = "Refused: epochs are terms of Raft.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = epoch_arguments,
    },
    {
        .name = "setslot",
        .summary = "Refused: slots belong to shards.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = -4,
        .flags = CHANGE,
        .function = cluster_refused,
        .arguments = setslot_arguments,
    },
    {
        .name = "shards",
        .summary = "Lists the shards with their slots and nodes.",
        .complexity = "O(N) where N is the number of shards times that of nodes",
        .since = "7.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = cluster_shards,
        .tips = unpredictable,
    },
    {
        .name = "slaves",
        .summary = "Describes the nodes that follow a node.",
        .complexity = "O(N) where N is the number of nodes",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 3,
        .flags = CMD_ADMIN | CMD_STALE | CMD_HOME,
        .function = cluster_replicas,
        .arguments = node_arguments,
        .tips = unpredictable,
        .deprecated_since = "5.0.0",
        .replaced_by = "`CLUSTER REPLICAS`",
    },
    {
        .name = "slots",
        .summary = "Lists ranges of slots with the nodes that hold them.",
        .complexity = "O(N) where N is the number of shards times that of nodes",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = cluster_slots,
        .tips = unpredictable,
        .history = slots_history,
        .deprecated_since = "7.0.0",
        .replaced_by = "`CLUSTER SHARDS`",
    },
    {0},
};

const struct command cluster_commands[] = {
    {
        .name = "cluster",
        .summary = "A container for Redis Cluster commands.",
        .complexity = "Depends on subcommand.",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = -2,
        .flags = CMD_HOME,
        .subcommands = cluster_subcommands,
    },
    {
        .name = "readonly",
        .summary = "Accepted: reads are answered by leaders all the same.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 1,
        .flags = CMD_FAST | CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = cluster_note,
        .acl_extra = "@connection",
    },
    {
        .name = "readwrite",
        .summary = "Accepted: takes READONLY back.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 1,
        .flags = CMD_FAST | CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = cluster_note,
        .acl_extra = "@connection",
    },
    {
        .name = "asking",
        .summary = "Accepted: no slot is ever on its way.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_CLUSTER,
        .arity = 1,
        .flags = CMD_FAST | CMD_HOME,
        .function = cluster_note,
        .acl_extra = "@connection",
    },
    {0},
};
