/* The rows of the set family. */
#include "commands/command_rows.h"
#include "commands/set_commands.h"

static const struct argument sadd_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "member", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct command_history sadd_history[] = {
    {"2.4.0", "Several members at once."},
    {NULL, NULL},
};

static const struct argument scard_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENTS_END,
};

static const struct argument sdiff_arguments[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const char *const nondeterministic_output_order_tips[] = {"nondeterministic_output_order",
                                                                 NULL};

static const struct argument sdiffstore_arguments[] = {
    ARGUMENT("destination", ARG_KEY),
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE, .key_spec = 1},
    ARGUMENTS_END,
};

static const struct argument sintercard_arguments[] = {
    ARGUMENT("numkeys", ARG_INTEGER),
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    ARGUMENT_AFTER("LIMIT", "limit", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument sismember_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("member", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument smove_arguments[] = {
    ARGUMENT("source", ARG_KEY),
    {.name = "destination", .type = ARG_KEY, .key_spec = 1},
    ARGUMENT("member", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument spop_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL, .since = "3.2.0"},
    ARGUMENTS_END,
};

static const struct command_history spop_history[] = {
    {"3.2.0", "Option count."},
    {NULL, NULL},
};

static const char *const nondeterministic_output_tips[] = {"nondeterministic_output", NULL};

static const struct argument srandmember_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL, .since = "2.6.0"},
    ARGUMENTS_END,
};

static const struct command_history srandmember_history[] = {
    {"2.6.0", "Option count."},
    {NULL, NULL},
};

static const struct command_history srem_history[] = {
    {"2.4.0", "Several members at once."},
    {NULL, NULL},
};

static const struct argument sscan_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("cursor", ARG_INTEGER),
    ARGUMENT_AFTER("MATCH", "pattern", ARG_PATTERN, ARG_OPTIONAL),
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

const struct command set_commands[] = {
    {
        .name = "sadd",
        .summary = "Adds members to a set, which is created when there is none.",
        .complexity = "O(N) in the number of members named",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = set_sadd,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = sadd_arguments,
        .history = sadd_history,
    },
    {
        .name = "scard",
        .summary = "Counts the members of a set.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = 2,
        .flags = CMD_READONLY | CMD_FAST | CMD_HEAD_ONLY,
        .function = set_scard,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = scard_arguments,
    },
    {
        .name = "sdiff",
        .summary = "Returns what the first set has and no other.",
        .complexity = "O(N) in the size of all sets",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = set_sdiff,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = sdiff_arguments,
        .tips = nondeterministic_output_order_tips,
    },
    {
        .name = "sdiffstore",
        .summary = "Stores what the first set has and no other.",
        .complexity = "O(N) in the size of all sets",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = set_sdiffstore,
        .key_specs = {KEY_AT(1, KEY_OW | KEY_UPDATE), KEY_RANGE(2, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = sdiffstore_arguments,
    },
    {
        .name = "sinter",
        .summary = "Returns what all sets have.",
        .complexity = "O(N * M) in the size of the smallest set and the number of sets",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = set_sinter,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = sdiff_arguments,
        .tips = nondeterministic_output_order_tips,
    },
    {
        .name = "sintercard",
        .summary = "Counts what all sets have.",
        .complexity = "O(N * M) in the size of the smallest set and the number of sets",
        .since = "7.0.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = set_sintercard,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 1,
                       .find = KEY_FIND_KEYNUM,
                       .keynum_index = 0,
                       .first_key = 1,
                       .keynum_step = 1,
                       .flags = KEY_RO | KEY_ACCESS}},
        .arguments = sintercard_arguments,
    },
    {
        .name = "sinterstore",
        .summary = "Stores what all sets have.",
        .complexity = "O(N * M) in the size of the smallest set and the number of sets",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = set_sinterstore,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE), KEY_RANGE(2, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = sdiffstore_arguments,
    },
    {
        .name = "sismember",
        .summary = "Tells whether a set has a member.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = 3,
        .flags = CMD_READONLY | CMD_FAST,
        .function = set_sismember,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = sismember_arguments,
    },
    {
        .name = "smembers",
        .summary = "Returns all members of a set.",
        .complexity = "O(N) in the size of the set",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = 2,
        .flags = CMD_READONLY,
        .function = set_smembers,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = scard_arguments,
        .tips = nondeterministic_output_order_tips,
    },
    {
        .name = "smismember",
        .summary = "Tells of several members whether a set has them.",
        .complexity = "O(N) in the number of members named",
        .since = "6.2.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_READONLY | CMD_FAST,
        .function = set_smismember,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = sadd_arguments,
    },
    {
        .name = "smove",
        .summary = "Moves a member from one set to another.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = 4,
        .flags = CMD_WRITE | CMD_FAST,
        .function = set_smove,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)},
        .arguments = smove_arguments,
    },
    {
        .name = "spop",
        .summary = "Takes random members out of a set and returns them.",
        .complexity = "O(N) in the number of members returned",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -2,
        .flags = CMD_WRITE | CMD_FAST,
        .function = set_spop,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = spop_arguments,
        .history = spop_history,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "srandmember",
        .summary = "Returns random members of a set.",
        .complexity = "O(N) in the number of members returned",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = set_srandmember,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = srandmember_arguments,
        .history = srandmember_history,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "srem",
        .summary = "Removes members of a set, and the set with its last one.",
        .complexity = "O(N) in the number of members named",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_WRITE | CMD_FAST,
        .function = set_srem,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = sadd_arguments,
        .history = srem_history,
    },
    {
        .name = "sscan",
        .summary = "Walks over the members of a set.",
        .complexity = "O(1) for each call, O(N) for the whole set",
        .since = "2.8.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = set_sscan,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = sscan_arguments,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "sunion",
        .summary = "Returns what any of the sets has.",
        .complexity = "O(N) in the size of all sets",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = set_sunion,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = sdiff_arguments,
        .tips = nondeterministic_output_order_tips,
    },
    {
        .name = "sunionstore",
        .summary = "Stores what any of the sets has.",
        .complexity = "O(N) in the size of all sets",
        .since = "1.0.0",
        .group = GROUP_SET,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = set_sunionstore,
        .key_specs = {KEY_AT(1, KEY_OW | KEY_UPDATE), KEY_RANGE(2, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = sdiffstore_arguments,
    },
    {.name = NULL},
};
