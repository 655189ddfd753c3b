/* The rows of the string family. */
#include "commands/command_rows.h"
#include "commands/string_commands.h"

static const struct argument only_key[] = {ARGUMENT("key", ARG_KEY), ARGUMENTS_END};

static const struct argument key_and_value[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument many_keys[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument many_pairs[] = {
    {.name = "data", .type = ARG_BLOCK, .flags = ARG_MULTIPLE, .parts = key_and_value},
    ARGUMENTS_END,
};

static const struct argument decrement_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("decrement", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument increment_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("increment", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument float_increment_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("increment", ARG_DOUBLE),
    ARGUMENTS_END,
};

static const struct argument getrange_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("start", ARG_INTEGER),
    ARGUMENT("end", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument setrange_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("offset", ARG_INTEGER),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument setex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("seconds", ARG_INTEGER),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument psetex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("milliseconds", ARG_INTEGER),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument getex_lives[] = {
    ARGUMENT_AFTER("EX", "seconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("PX", "milliseconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("EXAT", "unix-time-seconds", ARG_UNIX_TIME, 0),
    ARGUMENT_AFTER("PXAT", "unix-time-milliseconds", ARG_UNIX_TIME, 0),
    ARGUMENT_WORD("persist", "PERSIST", 0),
    ARGUMENTS_END,
};

static const struct argument getex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "expiration", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = getex_lives},
    ARGUMENTS_END,
};

static const struct argument existence_conditions[] = {
    ARGUMENT_WORD("nx", "NX", 0),
    ARGUMENT_WORD("xx", "XX", 0),
    ARGUMENTS_END,
};

static const struct argument set_conditions[] = {
    ARGUMENT_WORD("nx", "NX", 0),
    ARGUMENT_WORD("xx", "XX", 0),
    {.name = "ifeq-value", .type = ARG_STRING, .token = "IFEQ", .since = "8.4.0"},
    {.name = "ifne-value", .type = ARG_STRING, .token = "IFNE", .since = "8.4.0"},
    {.name = "ifdeq-digest", .type = ARG_STRING, .token = "IFDEQ", .since = "8.4.0"},
    {.name = "ifdne-digest", .type = ARG_STRING, .token = "IFDNE", .since = "8.4.0"},
    ARGUMENTS_END,
};

static const struct argument delex_conditions[] = {
    ARGUMENT_AFTER("IFEQ", "ifeq-value", ARG_STRING, 0),
    ARGUMENT_AFTER("IFNE", "ifne-value", ARG_STRING, 0),
    ARGUMENT_AFTER("IFDEQ", "ifdeq-digest", ARG_STRING, 0),
    ARGUMENT_AFTER("IFDNE", "ifdne-digest", ARG_STRING, 0),
    ARGUMENTS_END,
};

static const struct argument delex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "condition", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = delex_conditions},
    ARGUMENTS_END,
};

static const struct argument msetex_lives[] = {
    ARGUMENT_AFTER("EX", "seconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("PX", "milliseconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("EXAT", "unix-time-seconds", ARG_UNIX_TIME, 0),
    ARGUMENT_AFTER("PXAT", "unix-time-milliseconds", ARG_UNIX_TIME, 0),
    ARGUMENT_WORD("keepttl", "KEEPTTL", 0),
    ARGUMENTS_END,
};

static const struct argument msetex_arguments[] = {
    ARGUMENT("numkeys", ARG_INTEGER),
    {.name = "data", .type = ARG_BLOCK, .flags = ARG_MULTIPLE, .parts = key_and_value},
    {.name = "condition", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = existence_conditions},
    {.name = "expiration", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = msetex_lives},
    ARGUMENTS_END,
};

static const struct argument set_lives[] = {
    {.name = "seconds", .type = ARG_INTEGER, .token = "EX", .since = "2.6.12"},
    {.name = "milliseconds", .type = ARG_INTEGER, .token = "PX", .since = "2.6.12"},
    {.name = "unix-time-seconds", .type = ARG_UNIX_TIME, .token = "EXAT", .since = "6.2.0"},
    {.name = "unix-time-milliseconds", .type = ARG_UNIX_TIME, .token = "PXAT", .since = "6.2.0"},
    {.name = "keepttl", .type = ARG_PURE_TOKEN, .token = "KEEPTTL", .since = "6.0.0"},
    ARGUMENTS_END,
};

static const struct argument set_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("value", ARG_STRING),
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "2.6.12",
     .parts = set_conditions},
    {.name = "get",
     .type = ARG_PURE_TOKEN,
     .token = "GET",
     .flags = ARG_OPTIONAL,
     .since = "6.2.0"},
    {.name = "expiration", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = set_lives},
    ARGUMENTS_END,
};

static const struct argument lcs_arguments[] = {
    ARGUMENT("key1", ARG_KEY),
    ARGUMENT("key2", ARG_KEY),
    ARGUMENT_WORD("len", "LEN", ARG_OPTIONAL),
    ARGUMENT_WORD("idx", "IDX", ARG_OPTIONAL),
    ARGUMENT_AFTER("MINMATCHLEN", "min-match-len", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_WORD("withmatchlen", "WITHMATCHLEN", ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct command_history set_history[] = {
    {"2.6.12", "Options EX, PX, NX and XX."},          {"6.0.0", "Option KEEPTTL."},
    {"6.2.0", "Options GET, EXAT and PXAT."},          {"7.0.0", "NX and GET may stand together."},
    {"8.4.0", "Options IFEQ, IFNE, IFDEQ and IFDNE."}, {NULL, NULL},
};

static const char *const mget_tips[] = {"request_policy:multi_shard", NULL};

static const char *const mset_tips[] = {
    "request_policy:multi_shard",
    "response_policy:all_succeeded",
    NULL,
};

#define FAST_READ  (CMD_READONLY | CMD_FAST)
#define FAST_WRITE (CMD_WRITE | CMD_DENYOOM | CMD_FAST)

const struct command string_commands[] = {
    {
        .name = "append",
        .summary = "Adds a text to the end of a string, which is created when there is none.",
        .complexity = "O(1) amortised; O(N) in the size of the text added",
        .since = "2.0.0",
        .group = GROUP_STRING,
        .arity = 3,
        .flags = FAST_WRITE,
        .function = string_append,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = key_and_value,
    },
    {
        .name = "decr",
        .summary = "Subtracts one from the integer at a key; no key counts as 0.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 2,
        .flags = FAST_WRITE,
        .function = string_decr,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = only_key,
    },
    {
        .name = "decrby",
        .summary = "Subtracts a number from the integer at a key; no key counts as 0.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 3,
        .flags = FAST_WRITE,
        .function = string_decrby,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = decrement_arguments,
    },
    {
        .name = "delex",
        .summary = "Deletes a key if its value is, or is not, what is given.",
        .complexity = "O(1); O(N) in the size of the value for IFDEQ and IFDNE",
        .since = "8.4.0",
        .group = GROUP_STRING,
        .arity = -2,
        .flags = CMD_WRITE | CMD_FAST,
        .function = string_delex,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE | KEY_VARIABLE_FLAGS)},
        .arguments = delex_arguments,
        .needs_values = string_delex_needs_value,
        .key_flags = string_delex_key_flags,
    },
    {
        .name = "delifeq",
        .summary = "Deletes a key if its value is the one given.",
        .complexity = "O(1)",
        .since = "9.0.0",
        .group = GROUP_STRING,
        .arity = 3,
        .flags = CMD_WRITE | CMD_FAST,
        .function = string_delifeq,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = key_and_value,
    },
    {
        .name = "digest",
        .summary = "Returns the XXH3 hash of the string at a key, in hexadecimal.",
        .complexity = "O(N) in the size of the value",
        .since = "8.4.0",
        .group = GROUP_STRING,
        .arity = 2,
        .flags = FAST_READ,
        .function = string_digest,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = only_key,
    },
    {
        .name = "get",
        .summary = "Returns the string at a key.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 2,
        .flags = FAST_READ,
        .function = string_get,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = only_key,
    },
    {
        .name = "getdel",
        .summary = "Returns the string at a key and deletes the key.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_STRING,
        .arity = 2,
        .flags = CMD_WRITE | CMD_FAST,
        .function = string_getdel,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = only_key,
    },
    {
        .name = "getex",
        .summary = "Returns the string at a key and sets or removes its time to live.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_STRING,
        .arity = -2,
        .flags = CMD_WRITE | CMD_FAST,
        .function = string_getex,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 1,
                       .step = 1,
                       .flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
                       .notes = "RW and UPDATE: it changes the time to live"}},
        .arguments = getex_arguments,
    },
    {
        .name = "getrange",
        .summary = "Returns a part of the string at a key.",
        .complexity = "O(N) in the bytes returned",
        .since = "2.4.0",
        .group = GROUP_STRING,
        .arity = 4,
        .flags = CMD_READONLY,
        .function = string_getrange,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = getrange_arguments,
    },
    {
        .name = "getset",
        .summary = "Sets a key to a string and returns the string it replaces.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 3,
        .flags = FAST_WRITE,
        .function = string_getset,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = key_and_value,
        .deprecated_since = "6.2.0",
        .replaced_by = "`SET` with the `GET` argument",
    },
    {
        .name = "incr",
        .summary = "Adds one to the integer at a key; no key counts as 0.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 2,
        .flags = FAST_WRITE,
        .function = string_incr,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = only_key,
    },
    {
        .name = "incrby",
        .summary = "Adds a number to the integer at a key; no key counts as 0.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 3,
        .flags = FAST_WRITE,
        .function = string_incrby,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = increment_arguments,
    },
    {
        .name = "incrbyfloat",
        .summary = "Adds a floating-point number to the number at a key; no key counts as 0.",
        .complexity = "O(1)",
        .since = "2.6.0",
        .group = GROUP_STRING,
        .arity = 3,
        .flags = FAST_WRITE,
        .function = string_incrbyfloat,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = float_increment_arguments,
    },
    {
        .name = "lcs",
        .summary = "Finds the longest common subsequence of two strings.",
        .complexity = "O(N*M) in the sizes of the two strings, memory too",
        .since = "7.0.0",
        .group = GROUP_STRING,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = string_lcs,
        .key_specs = {KEY_RANGE(1, 1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = lcs_arguments,
    },
    {
        .name = "mget",
        .summary = "Returns the strings at several keys at one moment.",
        .complexity = "O(N) in the number of keys",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = -2,
        .flags = FAST_READ,
        .function = string_mget,
        .key_specs = {KEY_RANGE(1, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = many_keys,
        .tips = mget_tips,
    },
    {
        .name = "mset",
        .summary = "Sets several keys to strings in one step.",
        .complexity = "O(N) in the number of keys",
        .since = "1.0.1",
        .group = GROUP_STRING,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_HEAD_ONLY,
        .function = string_mset,
        .key_specs = {KEY_RANGE(1, -1, 2, KEY_OW | KEY_UPDATE)},
        .arguments = many_pairs,
        .tips = mset_tips,
    },
    {
        .name = "msetex",
        .summary = "Sets several keys to strings with one time to live, in one step.",
        .complexity = "O(N) in the number of keys",
        .since = "8.4.0",
        .group = GROUP_STRING,
        .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLEKEYS | CMD_HEAD_ONLY,
        .function = string_msetex,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 1,
                       .find = KEY_FIND_KEYNUM,
                       .keynum_index = 0,
                       .first_key = 1,
                       .keynum_step = 2,
                       .flags = KEY_OW | KEY_UPDATE}},
        .arguments = msetex_arguments,
    },
    {
        .name = "msetnx",
        .summary = "Sets several keys to strings in one step if none of them exists.",
        .complexity = "O(N) in the number of keys",
        .since = "1.0.1",
        .group = GROUP_STRING,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_HEAD_ONLY,
        .function = string_msetnx,
        .key_specs = {KEY_RANGE(1, -1, 2, KEY_OW | KEY_INSERT)},
        .arguments = many_pairs,
    },
    {
        .name = "psetex",
        .summary = "Sets a key to a string that lives for a number of milliseconds.",
        .complexity = "O(1)",
        .since = "2.6.0",
        .group = GROUP_STRING,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_HEAD_ONLY,
        .function = string_psetex,
        .key_specs = {KEY_AT(1, KEY_OW | KEY_UPDATE)},
        .arguments = psetex_arguments,
        .deprecated_since = "2.6.12",
        .replaced_by = "`SET` with the `PX` argument",
    },
    {
        .name = "set",
        .summary = "Sets a key to a string, whatever it held before.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = string_set,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 1,
                       .step = 1,
                       .flags = KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS,
                       .notes = "RW and ACCESS only with GET and with comparisons"}},
        .arguments = set_arguments,
        .history = set_history,
        .needs_values = string_set_needs_value,
        .key_flags = string_set_key_flags,
    },
    {
        .name = "setex",
        .summary = "Sets a key to a string that lives for a number of seconds.",
        .complexity = "O(1)",
        .since = "2.0.0",
        .group = GROUP_STRING,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_HEAD_ONLY,
        .function = string_setex,
        .key_specs = {KEY_AT(1, KEY_OW | KEY_UPDATE)},
        .arguments = setex_arguments,
        .deprecated_since = "2.6.12",
        .replaced_by = "`SET` with the `EX` argument",
    },
    {
        .name = "setnx",
        .summary = "Sets a key to a string if the key does not exist.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 3,
        .flags = FAST_WRITE | CMD_HEAD_ONLY,
        .function = string_setnx,
        .key_specs = {KEY_AT(1, KEY_OW | KEY_INSERT)},
        .arguments = key_and_value,
        .deprecated_since = "2.6.12",
        .replaced_by = "`SET` with the `NX` argument",
    },
    {
        .name = "setrange",
        .summary =
            "Overwrites a part of a string, which is created or filled with zeros as needed.",
        .complexity = "O(N) in the bytes written, zeros included",
        .since = "2.2.0",
        .group = GROUP_STRING,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = string_setrange,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = setrange_arguments,
    },
    {
        .name = "strlen",
        .summary = "Returns the number of bytes of the string at a key.",
        .complexity = "O(1)",
        .since = "2.2.0",
        .group = GROUP_STRING,
        .arity = 2,
        .flags = FAST_READ | CMD_HEAD_ONLY,
        .function = string_strlen,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = only_key,
    },
    {
        .name = "substr",
        .summary = "Returns a part of the string at a key.",
        .complexity = "O(N) in the bytes returned",
        .since = "1.0.0",
        .group = GROUP_STRING,
        .arity = 4,
        .flags = CMD_READONLY,
        .function = string_getrange,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = getrange_arguments,
        .deprecated_since = "2.0.0",
        .replaced_by = "`GETRANGE`",
    },
    {.name = NULL},
};
