/* The rows of the HyperLogLog family. */
#include "commands/command_rows.h"
#include "commands/hyperloglog_commands.h"

static const struct argument pfadd_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "element", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument pfcount_arguments[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument pfmerge_arguments[] = {
    ARGUMENT("destkey", ARG_KEY),
    {.name = "sourcekey", .type = ARG_KEY, .flags = ARG_OPTIONAL | ARG_MULTIPLE, .key_spec = 1},
    ARGUMENTS_END,
};

static const struct argument pfdebug_arguments[] = {
    ARGUMENT("subcommand", ARG_STRING),
    ARGUMENT("key", ARG_KEY),
    ARGUMENTS_END,
};

const struct command hyperloglog_commands[] = {
    {
        .name = "pfadd",
        .summary = "Adds elements to a HyperLogLog, which is created when there is none.",
        .complexity = "O(1) for each element",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = -2,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hyperloglog_pfadd,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = pfadd_arguments,
    },
    {
        .name = "pfcount",
        .summary = "Estimates how many different elements HyperLogLogs have seen together.",
        .complexity = "O(1) for one key, whose count is kept; O(N) for N keys, and much dearer",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = -2,
        .flags = CMD_READONLY | CMD_MAY_REPLICATE,
        .function = hyperloglog_pfcount,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 1,
                       .last = -1,
                       .step = 1,
                       .flags = KEY_RW | KEY_ACCESS,
                       .notes = "RW: the count of a single key is kept in its value"}},
        .arguments = pfcount_arguments,
    },
    {
        .name = "pfdebug",
        .summary = "Shows a HyperLogLog from within.",
        .complexity = "O(1): the size of a HyperLogLog is bounded",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_ADMIN,
        .function = hyperloglog_pfdebug,
        .key_specs = {KEY_AT(2, KEY_RW | KEY_ACCESS)},
        .arguments = pfdebug_arguments,
        .is_internal = true,
    },
    {
        .name = "pfmerge",
        .summary = "Merges HyperLogLogs into one.",
        .complexity = "O(N) in the number of keys, with a large constant",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = -2,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = hyperloglog_pfmerge,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_INSERT),
                      KEY_RANGE(2, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = pfmerge_arguments,
    },
    {
        .name = "pfselftest",
        .summary = "Tries the arithmetic of HyperLogLogs.",
        .complexity = "O(1): some tens of milliseconds",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = 1,
        .flags = CMD_ADMIN,
        .function = hyperloglog_pfselftest,
        .is_internal = true,
    },
    {.name = NULL},
};
