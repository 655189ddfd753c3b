/* The rows of the HyperLogLog family. */
#include "commands/command_rows.h"
#include "commands/hll_commands.h"

static const struct argument pfadd_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "element", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument pfcount_arguments[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument pfdebug_arguments[] = {
    ARGUMENT("subcommand", ARG_STRING),
    ARGUMENT("key", ARG_KEY),
    ARGUMENTS_END,
};

static const struct argument pfmerge_arguments[] = {
    ARGUMENT("destkey", ARG_KEY),
    {.name = "sourcekey", .type = ARG_KEY, .flags = ARG_MULTIPLE, .key_spec = 1},
    ARGUMENTS_END,
};

const struct command hll_commands[] = {
    {
        .name = "pfadd",
        .summary = "Adds elements to a HyperLogLog, which is created when there is none.",
        .complexity = "O(1) for each element",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = -2,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hll_pfadd,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = pfadd_arguments,
    },
    {
        .name = "pfcount",
        .summary = "Estimates how many different elements were added.",
        .complexity = "O(N) in the number of keys",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = -2,
        .flags = CMD_READONLY | CMD_MAY_REPLICATE,
        .function = hll_pfcount,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RW | KEY_ACCESS)},
        .arguments = pfcount_arguments,
    },
    {
        .name = "pfdebug",
        .summary = "Shows registers and encoding of a HyperLogLog.",
        .complexity = "O(N)",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_ADMIN,
        .function = hll_pfdebug,
        .key_specs = {KEY_AT(2, KEY_RW | KEY_ACCESS)},
        .arguments = pfdebug_arguments,
    },
    {
        .name = "pfmerge",
        .summary = "Merges HyperLogLogs into one.",
        .complexity = "O(N) in the number of keys",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = -2,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = hll_pfmerge,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_INSERT),
                      KEY_RANGE(2, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = pfmerge_arguments,
    },
    {
        .name = "pfselftest",
        .summary = "Checks that estimates are as good as they should be.",
        .complexity = "O(N)",
        .since = "2.8.9",
        .group = GROUP_HYPERLOGLOG,
        .arity = 1,
        .flags = CMD_ADMIN,
        .function = hll_pfselftest,
    },
    {.name = NULL},
};
