/* The rows of the generic family, as far as commands on single shards go; KEYS, SCAN and others
 * that walk the keyspace are in exec/. */
#include "commands/command_rows.h"
#include "commands/generic_commands.h"

static const struct argument only_key[] = {ARGUMENT("key", ARG_KEY), ARGUMENTS_END};

static const struct argument many_keys[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument rename_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "newkey", .type = ARG_KEY, .key_spec = 1},
    ARGUMENTS_END,
};

static const struct argument copy_arguments[] = {
    ARGUMENT("source", ARG_KEY),
    {.name = "destination", .type = ARG_KEY, .key_spec = 1},
    ARGUMENT_AFTER("DB", "destination-db", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_WORD("replace", "REPLACE", ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument move_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("db", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument expire_conditions[] = {
    ARGUMENT_WORD("nx", "NX", 0),
    ARGUMENT_WORD("xx", "XX", 0),
    ARGUMENT_WORD("gt", "GT", 0),
    ARGUMENT_WORD("lt", "LT", 0),
    ARGUMENTS_END,
};

#define EXPIRE_CONDITION                                                                           \
    {                                                                                              \
        .name = "condition", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .since = "7.0.0",           \
        .parts = expire_conditions                                                                 \
    }

static const struct argument expire_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("seconds", ARG_INTEGER),
    EXPIRE_CONDITION,
    ARGUMENTS_END,
};

static const struct argument pexpire_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("milliseconds", ARG_INTEGER),
    EXPIRE_CONDITION,
    ARGUMENTS_END,
};

static const struct argument expireat_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("unix-time-seconds", ARG_UNIX_TIME),
    EXPIRE_CONDITION,
    ARGUMENTS_END,
};

static const struct argument pexpireat_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("unix-time-milliseconds", ARG_UNIX_TIME),
    EXPIRE_CONDITION,
    ARGUMENTS_END,
};

static const struct command_history expire_history[] = {
    {"7.0.0", "Options NX, XX, GT and LT."},
    {NULL, NULL},
};

static const struct command_history ttl_history[] = {
    {"2.8.0", "The reply -2."},
    {NULL, NULL},
};

static const struct command_history many_keys_history[] = {
    {"3.0.3", "More than one key."},
    {NULL, NULL},
};

static const struct command_history renamenx_history[] = {
    {"3.2.0", "The same name twice is no longer an error."},
    {NULL, NULL},
};

static const char *const sum_tips[] = {
    "request_policy:multi_shard",
    "response_policy:agg_sum",
    NULL,
};

static const char *const nondeterministic_tips[] = {"nondeterministic_output", NULL};

#define FAST_READ  (CMD_READONLY | CMD_FAST | CMD_HEAD_ONLY)
#define PEEK       (FAST_READ | CMD_NO_TOUCH)
#define FAST_WRITE (CMD_WRITE | CMD_FAST | CMD_HEAD_ONLY)

static const struct command object_subcommands[] = {
    {
        .name = "encoding",
        .summary = "Names the representation of the value at a key.",
        .complexity = "O(1)",
        .since = "2.2.3",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = CMD_READONLY | CMD_NO_TOUCH,
        .function = object_encoding,
        .key_specs = {KEY_AT(2, KEY_RO)},
        .arguments = only_key,
        .tips = nondeterministic_tips,
    },
    {
        .name = "freq",
        .summary = "Tells how often a key is used, on a logarithmic scale.",
        .complexity = "O(1)",
        .since = "4.0.0",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = CMD_READONLY | CMD_HEAD_ONLY | CMD_NO_TOUCH,
        .function = object_freq,
        .key_specs = {KEY_AT(2, KEY_RO)},
        .arguments = only_key,
        .tips = nondeterministic_tips,
    },
    {
        .name = "help",
        .summary = "Explains the subcommands.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_HOME,
        .function = object_help,
    },
    {
        .name = "idletime",
        .summary = "Returns the seconds since a key was last used.",
        .complexity = "O(1)",
        .since = "2.2.3",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = CMD_READONLY | CMD_HEAD_ONLY | CMD_NO_TOUCH,
        .function = object_idletime,
        .key_specs = {KEY_AT(2, KEY_RO)},
        .arguments = only_key,
        .tips = nondeterministic_tips,
    },
    {
        .name = "refcount",
        .summary = "Counts the references to the value at a key.",
        .complexity = "O(1)",
        .since = "2.2.3",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = CMD_READONLY | CMD_HEAD_ONLY | CMD_NO_TOUCH,
        .function = object_refcount,
        .key_specs = {KEY_AT(2, KEY_RO)},
        .arguments = only_key,
        .tips = nondeterministic_tips,
    },
    {.name = NULL},
};

const struct command generic_commands[] = {
    {
        .name = "copy",
        .summary = "Copies the value of a key, with its expiry, to another key.",
        .complexity = "O(N) in the size of the value",
        .since = "6.2.0",
        .group = GROUP_GENERIC,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_SUSPENDS,
        .function = copy_copy,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS), KEY_AT(2, KEY_OW | KEY_UPDATE)},
        .arguments = copy_arguments,
    },
    {
        .name = "del",
        .summary = "Deletes keys.",
        .complexity = "O(N) in the number of keys, whatever they hold",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = -2,
        .flags = CMD_WRITE | CMD_HEAD_ONLY,
        .function = generic_del,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RM | KEY_DELETE)},
        .arguments = many_keys,
        .tips = sum_tips,
    },
    {
        .name = "exists",
        .summary = "Counts those of the keys that exist.",
        .complexity = "O(N) in the number of keys",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = -2,
        .flags = PEEK,
        .function = generic_exists,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RO)},
        .arguments = many_keys,
        .history = many_keys_history,
        .tips = sum_tips,
    },
    {
        .name = "expire",
        .summary = "Lets a key live for a number of seconds from now.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = -3,
        .flags = FAST_WRITE,
        .function = expire_expire,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = expire_arguments,
        .history = expire_history,
    },
    {
        .name = "expireat",
        .summary = "Lets a key live until a Unix time in seconds.",
        .complexity = "O(1)",
        .since = "1.2.0",
        .group = GROUP_GENERIC,
        .arity = -3,
        .flags = FAST_WRITE,
        .function = expire_expireat,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = expireat_arguments,
        .history = expire_history,
    },
    {
        .name = "expiretime",
        .summary = "Returns the Unix time in seconds at which a key will expire.",
        .complexity = "O(1)",
        .since = "7.0.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = PEEK,
        .function = expire_expiretime,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = only_key,
    },
    {
        .name = "move",
        .summary = "Moves a key to another database if it has no such key.",
        .complexity = "O(N) in the size of the value",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = CMD_WRITE | CMD_FAST | CMD_SUSPENDS,
        .function = copy_move,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = move_arguments,
    },
    {
        .name = "object",
        .summary = "Tells how keys are kept in memory.",
        .complexity = "Depends on the subcommand",
        .since = "2.2.3",
        .group = GROUP_GENERIC,
        .arity = -2,
        .subcommands = object_subcommands,
    },
    {
        .name = "persist",
        .summary = "Removes the expiry of a key.",
        .complexity = "O(1)",
        .since = "2.2.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = FAST_WRITE,
        .function = expire_persist,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = only_key,
    },
    {
        .name = "pexpire",
        .summary = "Lets a key live for a number of milliseconds from now.",
        .complexity = "O(1)",
        .since = "2.6.0",
        .group = GROUP_GENERIC,
        .arity = -3,
        .flags = FAST_WRITE,
        .function = expire_pexpire,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = pexpire_arguments,
        .history = expire_history,
    },
    {
        .name = "pexpireat",
        .summary = "Lets a key live until a Unix time in milliseconds.",
        .complexity = "O(1)",
        .since = "2.6.0",
        .group = GROUP_GENERIC,
        .arity = -3,
        .flags = FAST_WRITE,
        .function = expire_pexpireat,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = pexpireat_arguments,
        .history = expire_history,
    },
    {
        .name = "pexpiretime",
        .summary = "Returns the Unix time in milliseconds at which a key will expire.",
        .complexity = "O(1)",
        .since = "7.0.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = PEEK,
        .function = expire_pexpiretime,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = only_key,
    },
    {
        .name = "pttl",
        .summary = "Returns the milliseconds that a key still has to live.",
        .complexity = "O(1)",
        .since = "2.6.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = PEEK,
        .function = expire_pttl,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = only_key,
        .history = ttl_history,
        .tips = nondeterministic_tips,
    },
    {
        .name = "rename",
        .summary = "Gives a key another name, whose old value is lost.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = CMD_WRITE | CMD_HEAD_ONLY,
        .function = generic_rename,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_OW | KEY_UPDATE)},
        .arguments = rename_arguments,
    },
    {
        .name = "renamenx",
        .summary = "Gives a key another name if that is free.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = FAST_WRITE,
        .function = generic_renamenx,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_OW | KEY_INSERT)},
        .arguments = rename_arguments,
        .history = renamenx_history,
    },
    {
        .name = "touch",
        .summary = "Marks keys as used and counts those that exist.",
        .complexity = "O(N) in the number of keys",
        .since = "3.2.1",
        .group = GROUP_GENERIC,
        .arity = -2,
        .flags = FAST_READ,
        .function = generic_touch,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RO)},
        .arguments = many_keys,
        .tips = sum_tips,
    },
    {
        .name = "ttl",
        .summary = "Returns the seconds that a key still has to live.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = PEEK,
        .function = expire_ttl,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = only_key,
        .history = ttl_history,
        .tips = nondeterministic_tips,
    },
    {
        .name = "type",
        .summary = "Names the type of the value at a key.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = PEEK,
        .function = generic_type,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = only_key,
    },
    {
        .name = "unlink",
        .summary = "Deletes keys; memory and disk are freed later.",
        .complexity = "O(N) in the number of keys, whatever they hold",
        .since = "4.0.0",
        .group = GROUP_GENERIC,
        .arity = -2,
        .flags = FAST_WRITE,
        .function = generic_del,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RM | KEY_DELETE)},
        .arguments = many_keys,
        .tips = sum_tips,
    },
    {.name = NULL},
};
