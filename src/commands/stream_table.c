/* The rows of the stream family. */
#include "commands/command_rows.h"
#include "commands/stream_commands.h"

static const struct argument xgroup_create_arguments_id[] = {
    ARGUMENT("id", ARG_STRING),
    ARGUMENT_WORD("new_id", "$", 0),
    ARGUMENTS_END,
};

static const struct argument xgroup_create_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("groupname", ARG_STRING),
    {.name = "id", .type = ARG_ONEOF, .parts = xgroup_create_arguments_id},
    ARGUMENT_WORD("mkstream", "MKSTREAM", ARG_OPTIONAL),
    ARGUMENT_AFTER("ENTRIESREAD", "entries_read", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument xgroup_createconsumer_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("groupname", ARG_STRING),
    ARGUMENT("consumername", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument xgroup_destroy_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("groupname", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument xgroup_setid_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("groupname", ARG_STRING),
    {.name = "id", .type = ARG_ONEOF, .parts = xgroup_create_arguments_id},
    ARGUMENT_AFTER("ENTRIESREAD", "entries_read", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct command xgroup_subcommands[] = {
    {
        .name = "create",
        .summary = "Makes a consumer group.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -5,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = stream_xgroup_create,
        .key_specs = {KEY_AT(2, KEY_RW | KEY_INSERT)},
        .arguments = xgroup_create_arguments,
    },
    {
        .name = "createconsumer",
        .summary = "Makes a consumer of a group.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_STREAM,
        .arity = 5,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = stream_xgroup_createconsumer,
        .key_specs = {KEY_AT(2, KEY_RW | KEY_INSERT)},
        .arguments = xgroup_createconsumer_arguments,
    },
    {
        .name = "delconsumer",
        .summary = "Removes a consumer and what is pending for it.",
        .complexity = "O(N) in what is pending",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = 5,
        .flags = CMD_WRITE,
        .function = stream_xgroup_delconsumer,
        .key_specs = {KEY_AT(2, KEY_RW | KEY_DELETE)},
        .arguments = xgroup_createconsumer_arguments,
    },
    {
        .name = "destroy",
        .summary = "Removes a group.",
        .complexity = "O(N) in what is pending",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = 4,
        .flags = CMD_WRITE,
        .function = stream_xgroup_destroy,
        .key_specs = {KEY_AT(2, KEY_RW | KEY_DELETE)},
        .arguments = xgroup_destroy_arguments,
    },
    {
        .name = "help",
        .summary = "Tells what XGROUP can do.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE,
        .function = stream_xgroup_help,
    },
    {
        .name = "setid",
        .summary = "Sets behind which entry a group reads on.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -5,
        .flags = CMD_WRITE,
        .function = stream_xgroup_setid,
        .key_specs = {KEY_AT(2, KEY_RW | KEY_UPDATE)},
        .arguments = xgroup_setid_arguments,
    },
    {.name = NULL},
};

static const char *const nondeterministic_output_tips[] = {"nondeterministic_output", NULL};

static const struct argument xinfo_groups_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENTS_END,
};

static const struct argument xinfo_stream_arguments_full[] = {
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument xinfo_stream_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "full",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .token = "FULL",
     .parts = xinfo_stream_arguments_full},
    ARGUMENTS_END,
};

static const struct command xinfo_subcommands[] = {
    {
        .name = "consumers",
        .summary = "Lists the consumers of a group.",
        .complexity = "O(N) in their number",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = 4,
        .flags = CMD_READONLY,
        .function = stream_xinfo_consumers,
        .key_specs = {KEY_AT(2, KEY_RO | KEY_ACCESS)},
        .arguments = xgroup_destroy_arguments,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "groups",
        .summary = "Lists the groups of a stream.",
        .complexity = "O(N) in their number",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = 3,
        .flags = CMD_READONLY,
        .function = stream_xinfo_groups,
        .key_specs = {KEY_AT(2, KEY_RO | KEY_ACCESS)},
        .arguments = xinfo_groups_arguments,
    },
    {
        .name = "help",
        .summary = "Tells what XINFO can do.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE,
        .function = stream_xinfo_help,
    },
    {
        .name = "stream",
        .summary = "Tells about a stream.",
        .complexity = "O(1); with FULL O(N) in what is shown",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = stream_xinfo_stream,
        .key_specs = {KEY_AT(2, KEY_RO | KEY_ACCESS)},
        .arguments = xinfo_stream_arguments,
    },
    {.name = NULL},
};

static const struct argument xack_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("group", ARG_STRING),
    {.name = "id", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument references_arguments[] = {
    ARGUMENT_WORD("keepref", "KEEPREF", 0),
    ARGUMENT_WORD("delref", "DELREF", 0),
    ARGUMENT_WORD("acked", "ACKED", 0),
    ARGUMENTS_END,
};

static const struct argument ids_arguments[] = {
    ARGUMENT("numids", ARG_INTEGER),
    {.name = "id", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument xdelex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "condition", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = references_arguments},
    {.name = "ids", .type = ARG_BLOCK, .token = "IDS", .parts = ids_arguments},
    ARGUMENTS_END,
};

static const struct argument xackdel_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("group", ARG_STRING),
    {.name = "condition", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = references_arguments},
    {.name = "ids", .type = ARG_BLOCK, .token = "IDS", .parts = ids_arguments},
    ARGUMENTS_END,
};

static const struct argument xadd_arguments_trim_strategy[] = {
    ARGUMENT_WORD("maxlen", "MAXLEN", 0),
    {.name = "minid", .type = ARG_PURE_TOKEN, .token = "MINID", .since = "6.2.0"},
    ARGUMENTS_END,
};

static const struct argument xadd_arguments_trim_operator[] = {
    ARGUMENT_WORD("equal", "=", 0),
    ARGUMENT_WORD("approximately", "~", 0),
    ARGUMENTS_END,
};

static const struct argument xadd_arguments_trim[] = {
    {.name = "strategy", .type = ARG_ONEOF, .parts = xadd_arguments_trim_strategy},
    {.name = "operator",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = xadd_arguments_trim_operator},
    ARGUMENT("threshold", ARG_STRING),
    {.name = "count",
     .type = ARG_INTEGER,
     .flags = ARG_OPTIONAL,
     .token = "LIMIT",
     .since = "6.2.0"},
    ARGUMENTS_END,
};

static const struct argument xadd_arguments_id_or_auto[] = {
    ARGUMENT_WORD("auto_id", "*", 0),
    ARGUMENT("id", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument xadd_arguments_field_value[] = {
    ARGUMENT("field", ARG_STRING),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument idmpauto_arguments[] = {
    ARGUMENT_WORD("idmpauto-token", "IDMPAUTO", 0),
    ARGUMENT("pid", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument idmp_arguments[] = {
    ARGUMENT_WORD("idmp-token", "IDMP", 0),
    ARGUMENT("pid", ARG_STRING),
    ARGUMENT("iid", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument xadd_arguments_idmp[] = {
    {.name = "idmpauto-with-pid", .type = ARG_BLOCK, .parts = idmpauto_arguments},
    {.name = "idmp-with-pid-iid", .type = ARG_BLOCK, .parts = idmp_arguments},
    ARGUMENTS_END,
};

static const struct argument xcfgset_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT_AFTER("IDMP-DURATION", "duration", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_AFTER("IDMP-MAXSIZE", "maxsize", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument xadd_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "nomkstream",
     .type = ARG_PURE_TOKEN,
     .flags = ARG_OPTIONAL,
     .token = "NOMKSTREAM",
     .since = "6.2.0"},
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "8.2.0",
     .parts = references_arguments},
    {.name = "idmp",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "8.6.0",
     .parts = xadd_arguments_idmp},
    {.name = "trim", .type = ARG_BLOCK, .flags = ARG_OPTIONAL, .parts = xadd_arguments_trim},
    {.name = "id_or_auto", .type = ARG_ONEOF, .parts = xadd_arguments_id_or_auto},
    {.name = "field_value",
     .type = ARG_BLOCK,
     .flags = ARG_MULTIPLE,
     .parts = xadd_arguments_field_value},
    ARGUMENTS_END,
};

static const struct command_history xadd_history[] = {
    {"6.2.0", "Options NOMKSTREAM, MINID and LIMIT."},
    {"8.2.0", "Options KEEPREF, DELREF and ACKED."},
    {"8.6.0", "Options IDMP and IDMPAUTO."},
    {NULL, NULL},
};

static const struct argument xautoclaim_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("group", ARG_STRING),
    ARGUMENT("consumer", ARG_STRING),
    ARGUMENT("min-idle-time", ARG_STRING),
    ARGUMENT("start", ARG_STRING),
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_WORD("justid", "JUSTID", ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument xclaim_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("group", ARG_STRING),
    ARGUMENT("consumer", ARG_STRING),
    ARGUMENT("min-idle-time", ARG_STRING),
    {.name = "id", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENT_AFTER("IDLE", "ms", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_AFTER("TIME", "unix-time-milliseconds", ARG_UNIX_TIME, ARG_OPTIONAL),
    ARGUMENT_AFTER("RETRYCOUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_WORD("force", "FORCE", ARG_OPTIONAL),
    ARGUMENT_WORD("justid", "JUSTID", ARG_OPTIONAL),
    ARGUMENT_AFTER("LASTID", "id", ARG_STRING, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument xdel_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "id", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument xpending_arguments_filters[] = {
    {.name = "min-idle-time",
     .type = ARG_INTEGER,
     .flags = ARG_OPTIONAL,
     .token = "IDLE",
     .since = "6.2.0"},
    ARGUMENT("start", ARG_STRING),
    ARGUMENT("end", ARG_STRING),
    ARGUMENT("count", ARG_INTEGER),
    {.name = "consumer", .type = ARG_STRING, .flags = ARG_OPTIONAL},
    ARGUMENTS_END,
};

static const struct argument xpending_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("group", ARG_STRING),
    {.name = "filters",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .parts = xpending_arguments_filters},
    ARGUMENTS_END,
};

static const struct command_history xpending_history[] = {
    {"6.2.0", "Option IDLE."},
    {NULL, NULL},
};

static const struct argument xrange_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("start", ARG_STRING),
    ARGUMENT("end", ARG_STRING),
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument xread_arguments_streams[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    {.name = "id", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument xread_arguments[] = {
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_AFTER("BLOCK", "milliseconds", ARG_INTEGER, ARG_OPTIONAL),
    {.name = "streams", .type = ARG_BLOCK, .token = "STREAMS", .parts = xread_arguments_streams},
    ARGUMENTS_END,
};

static const struct argument xreadgroup_arguments_group_consumer[] = {
    ARGUMENT("group", ARG_STRING),
    ARGUMENT("consumer", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument xreadgroup_arguments[] = {
    {.name = "group_consumer",
     .type = ARG_BLOCK,
     .token = "GROUP",
     .parts = xreadgroup_arguments_group_consumer},
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_AFTER("BLOCK", "milliseconds", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_WORD("noack", "NOACK", ARG_OPTIONAL),
    {.name = "streams", .type = ARG_BLOCK, .token = "STREAMS", .parts = xread_arguments_streams},
    ARGUMENTS_END,
};

static const struct argument xrevrange_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("end", ARG_STRING),
    ARGUMENT("start", ARG_STRING),
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument xsetid_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("last-id", ARG_STRING),
    {.name = "entries_added",
     .type = ARG_INTEGER,
     .flags = ARG_OPTIONAL,
     .token = "ENTRIESADDED",
     .since = "7.0.0"},
    {.name = "max_deleted_entry_id",
     .type = ARG_STRING,
     .flags = ARG_OPTIONAL,
     .token = "MAXDELETEDID",
     .since = "7.0.0"},
    ARGUMENTS_END,
};

static const struct command_history xsetid_history[] = {
    {"7.0.0", "Options ENTRIESADDED and MAXDELETEDID."},
    {NULL, NULL},
};

static const struct argument xtrim_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "trim", .type = ARG_BLOCK, .parts = xadd_arguments_trim},
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "8.2.0",
     .parts = references_arguments},
    ARGUMENTS_END,
};

static const struct command_history xtrim_history[] = {
    {"6.2.0", "Options MINID and LIMIT."},
    {"8.2.0", "Options KEEPREF, DELREF and ACKED."},
    {NULL, NULL},
};

const struct command stream_commands[] = {
    {
        .name = "xack",
        .summary = "Acknowledges entries: they are not pending any more.",
        .complexity = "O(log(N)) for each id",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -4,
        .flags = CMD_WRITE | CMD_FAST,
        .function = stream_xack,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = xack_arguments,
    },
    {
        .name = "xackdel",
        .summary = "Acknowledges entries and removes them, whatever groups refer to them.",
        .complexity = "O(log(N)) for each id",
        .since = "8.2.0",
        .group = GROUP_STREAM,
        .arity = -6,
        .flags = CMD_WRITE | CMD_FAST,
        .function = stream_xackdel,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE | KEY_DELETE)},
        .arguments = xackdel_arguments,
    },
    {
        .name = "xadd",
        .summary = "Appends an entry to a stream.",
        .complexity = "O(1), and O(N) in the number of entries trimmed",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -5,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = stream_xadd,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = xadd_arguments,
        .history = xadd_history,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "xautoclaim",
        .summary = "Takes over entries that were pending too long, as a scan.",
        .complexity = "O(N) in COUNT",
        .since = "6.2.0",
        .group = GROUP_STREAM,
        .arity = -6,
        .flags = CMD_WRITE | CMD_FAST,
        .function = stream_xautoclaim,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = xautoclaim_arguments,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "xcfgset",
        .summary = "Sets how long and how many messages of producers are remembered.",
        .complexity = "O(1); O(N) in the messages remembered when a setting changes",
        .since = "8.6.0",
        .group = GROUP_STREAM,
        .arity = -2,
        .flags = CMD_WRITE | CMD_FAST,
        .function = stream_xcfgset,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = xcfgset_arguments,
    },
    {
        .name = "xclaim",
        .summary = "Takes over entries that are pending.",
        .complexity = "O(log(N)) for each id",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -6,
        .flags = CMD_WRITE | CMD_FAST,
        .function = stream_xclaim,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = xclaim_arguments,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "xdel",
        .summary = "Removes entries.",
        .complexity = "O(log(N)) for each id",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -3,
        .flags = CMD_WRITE | CMD_FAST,
        .function = stream_xdel,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = xdel_arguments,
    },
    {
        .name = "xdelex",
        .summary = "Removes entries, or those that no group refers to.",
        .complexity = "O(log(N)) for each id",
        .since = "8.2.0",
        .group = GROUP_STREAM,
        .arity = -5,
        .flags = CMD_WRITE | CMD_FAST,
        .function = stream_xdelex,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = xdelex_arguments,
    },
    {
        .name = "xgroup",
        .summary = "A container for commands on consumer groups.",
        .complexity = "Depends on the subcommand.",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -2,
        .flags = 0,
        .function = NULL,
        .subcommands = xgroup_subcommands,
    },
    {
        .name = "xinfo",
        .summary = "A container for commands that tell about streams.",
        .complexity = "Depends on the subcommand.",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -2,
        .flags = 0,
        .function = NULL,
        .subcommands = xinfo_subcommands,
    },
    {
        .name = "xlen",
        .summary = "Counts the entries of a stream.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = 2,
        .flags = CMD_READONLY | CMD_FAST | CMD_HEAD_ONLY,
        .function = stream_xlen,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = xinfo_groups_arguments,
    },
    {
        .name = "xpending",
        .summary = "Tells what was delivered and not acknowledged.",
        .complexity = "O(N) in the number of entries shown",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = stream_xpending,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = xpending_arguments,
        .history = xpending_history,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "xrange",
        .summary = "Returns the entries in a range of ids.",
        .complexity = "O(log(N) + M) in the number returned",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -4,
        .flags = CMD_READONLY,
        .function = stream_xrange,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = xrange_arguments,
    },
    {
        .name = "xread",
        .summary = "Returns entries behind given ones, and waits for some.",
        .complexity = "O(log(N) + M) in the number returned",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -4,
        .flags = CMD_BLOCKING | CMD_READONLY | CMD_BLOCKING,
        .function = stream_xread,
        .key_specs = {{.begin = KEY_BEGIN_KEYWORD,
                       .begin_keyword = "STREAMS",
                       .begin_index = 1,
                       .last = -1,
                       .step = 1,
                       .limit = 2,
                       .flags = KEY_RO | KEY_ACCESS}},
        .arguments = xread_arguments,
    },
    {
        .name = "xreadgroup",
        .summary = "Delivers entries to a consumer of a group, and waits for some.",
        .complexity = "O(log(N) + M) in the number delivered",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -7,
        .flags = CMD_BLOCKING | CMD_WRITE,
        .function = stream_xreadgroup,
        .key_specs = {{.begin = KEY_BEGIN_KEYWORD,
                       .begin_keyword = "STREAMS",
                       .begin_index = 4,
                       .last = -1,
                       .step = 1,
                       .limit = 2,
                       .flags = KEY_RO | KEY_ACCESS}},
        .arguments = xreadgroup_arguments,
    },
    {
        .name = "xrevrange",
        .summary = "Returns the entries in a range of ids, the newest first.",
        .complexity = "O(log(N) + M) in the number returned",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -4,
        .flags = CMD_READONLY,
        .function = stream_xrevrange,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = xrevrange_arguments,
    },
    {
        .name = "xsetid",
        .summary = "Sets the last id of a stream.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = stream_xsetid,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = xsetid_arguments,
        .history = xsetid_history,
    },
    {
        .name = "xtrim",
        .summary = "Removes the oldest entries.",
        .complexity = "O(N) in the number removed",
        .since = "5.0.0",
        .group = GROUP_STREAM,
        .arity = -4,
        .flags = CMD_WRITE,
        .function = stream_xtrim,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = xtrim_arguments,
        .history = xtrim_history,
        .tips = nondeterministic_output_tips,
    },
    {.name = NULL},
};
