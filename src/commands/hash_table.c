/* The rows of the hash family. */
#include "commands/command_rows.h"
#include "commands/hash_commands.h"

static const struct argument hdel_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "field", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument hexists_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("field", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument hexpire_arguments_condition[] = {
    ARGUMENT_WORD("nx", "NX", 0),
    ARGUMENT_WORD("xx", "XX", 0),
    ARGUMENT_WORD("gt", "GT", 0),
    ARGUMENT_WORD("lt", "LT", 0),
    ARGUMENTS_END,
};

static const struct argument hexpire_arguments_fields[] = {
    ARGUMENT("numfields", ARG_INTEGER),
    {.name = "field", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument hexpire_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("seconds", ARG_INTEGER),
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = hexpire_arguments_condition},
    {.name = "fields", .type = ARG_BLOCK, .token = "FIELDS", .parts = hexpire_arguments_fields},
    ARGUMENTS_END,
};

static const struct argument hexpireat_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("unix-time-seconds", ARG_UNIX_TIME),
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = hexpire_arguments_condition},
    {.name = "fields", .type = ARG_BLOCK, .token = "FIELDS", .parts = hexpire_arguments_fields},
    ARGUMENTS_END,
};

static const struct argument hexpiretime_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "fields", .type = ARG_BLOCK, .token = "FIELDS", .parts = hexpire_arguments_fields},
    ARGUMENTS_END,
};

static const struct argument hgetall_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENTS_END,
};

static const char *const nondeterministic_output_order_tips[] = {"nondeterministic_output_order",
                                                                 NULL};

static const struct argument hgetex_arguments_expiration[] = {
    ARGUMENT_AFTER("EX", "seconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("PX", "milliseconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("EXAT", "unix-time-seconds", ARG_UNIX_TIME, 0),
    ARGUMENT_AFTER("PXAT", "unix-time-milliseconds", ARG_UNIX_TIME, 0),
    ARGUMENT_WORD("persist", "PERSIST", 0),
    ARGUMENTS_END,
};

static const struct argument hgetex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "expiration",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = hgetex_arguments_expiration},
    {.name = "fields", .type = ARG_BLOCK, .token = "FIELDS", .parts = hexpire_arguments_fields},
    ARGUMENTS_END,
};

static const struct argument hincrby_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("field", ARG_STRING),
    ARGUMENT("increment", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument hincrbyfloat_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("field", ARG_STRING),
    ARGUMENT("increment", ARG_DOUBLE),
    ARGUMENTS_END,
};

static const struct argument hmset_arguments_field_value[] = {
    ARGUMENT("field", ARG_STRING),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument hmset_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "field_value",
     .type = ARG_BLOCK,
     .flags = ARG_MULTIPLE,
     .parts = hmset_arguments_field_value},
    ARGUMENTS_END,
};

static const struct argument hpexpire_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("milliseconds", ARG_INTEGER),
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = hexpire_arguments_condition},
    {.name = "fields", .type = ARG_BLOCK, .token = "FIELDS", .parts = hexpire_arguments_fields},
    ARGUMENTS_END,
};

static const struct argument hpexpireat_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("unix-time-milliseconds", ARG_UNIX_TIME),
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = hexpire_arguments_condition},
    {.name = "fields", .type = ARG_BLOCK, .token = "FIELDS", .parts = hexpire_arguments_fields},
    ARGUMENTS_END,
};

static const struct argument hrandfield_arguments_options[] = {
    ARGUMENT("count", ARG_INTEGER),
    ARGUMENT_WORD("withvalues", "WITHVALUES", ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument hrandfield_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "options",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .parts = hrandfield_arguments_options},
    ARGUMENTS_END,
};

static const char *const nondeterministic_output_tips[] = {"nondeterministic_output", NULL};

static const struct argument hscan_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("cursor", ARG_INTEGER),
    ARGUMENT_AFTER("MATCH", "pattern", ARG_PATTERN, ARG_OPTIONAL),
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct command_history hset_history[] = {
    {"4.0.0", "Several fields at once."},
    {NULL, NULL},
};

static const struct argument hsetex_arguments_condition[] = {
    ARGUMENT_WORD("fnx", "FNX", 0),
    ARGUMENT_WORD("fxx", "FXX", 0),
    ARGUMENTS_END,
};

static const struct argument hsetex_arguments_expiration[] = {
    ARGUMENT_AFTER("EX", "seconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("PX", "milliseconds", ARG_INTEGER, 0),
    ARGUMENT_AFTER("EXAT", "unix-time-seconds", ARG_UNIX_TIME, 0),
    ARGUMENT_AFTER("PXAT", "unix-time-milliseconds", ARG_UNIX_TIME, 0),
    ARGUMENT_WORD("keepttl", "KEEPTTL", 0),
    ARGUMENTS_END,
};

static const struct argument hsetex_arguments_fields[] = {
    ARGUMENT("numfields", ARG_INTEGER),
    {.name = "data",
     .type = ARG_BLOCK,
     .flags = ARG_MULTIPLE,
     .parts = hmset_arguments_field_value},
    ARGUMENTS_END,
};

static const struct argument hsetex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = hsetex_arguments_condition},
    {.name = "expiration",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .parts = hsetex_arguments_expiration},
    {.name = "fields", .type = ARG_BLOCK, .token = "FIELDS", .parts = hsetex_arguments_fields},
    ARGUMENTS_END,
};

static const struct argument hsetnx_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("field", ARG_STRING),
    ARGUMENT("value", ARG_STRING),
    ARGUMENTS_END,
};

const struct command hash_commands[] = {
    {
        .name = "hdel",
        .summary = "Deletes fields of a hash, and the hash with its last one.",
        .complexity = "O(N) in the number of fields named",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = -3,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hdel,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = hdel_arguments,
    },
    {
        .name = "hexists",
        .summary = "Tells whether a hash has a field.",
        .complexity = "O(1)",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 3,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_hexists,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = hexists_arguments,
    },
    {
        .name = "hexpire",
        .summary = "Gives fields a life in seconds.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -6,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hexpire,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hexpire_arguments,
    },
    {
        .name = "hexpireat",
        .summary = "Gives fields a time to die in Unix seconds.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -6,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hexpireat,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hexpireat_arguments,
    },
    {
        .name = "hexpiretime",
        .summary = "Tells when fields die, in Unix seconds.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -5,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_hexpiretime,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hexpiretime_arguments,
    },
    {
        .name = "hget",
        .summary = "Returns the value of a field.",
        .complexity = "O(1)",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 3,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_hget,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hexists_arguments,
    },
    {
        .name = "hgetall",
        .summary = "Returns all fields of a hash with their values.",
        .complexity = "O(N) in the size of the hash",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 2,
        .flags = CMD_READONLY,
        .function = hash_hgetall,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hgetall_arguments,
        .tips = nondeterministic_output_order_tips,
    },
    {
        .name = "hgetdel",
        .summary = "Returns the values of fields and deletes them.",
        .complexity = "O(N) in the number of fields named",
        .since = "8.0.0",
        .group = GROUP_HASH,
        .arity = -5,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hgetdel,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = hexpiretime_arguments,
    },
    {
        .name = "hgetex",
        .summary = "Returns the values of fields and may change when they die.",
        .complexity = "O(N) in the number of fields named",
        .since = "8.0.0",
        .group = GROUP_HASH,
        .arity = -5,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hgetex,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = hgetex_arguments,
    },
    {
        .name = "hincrby",
        .summary = "Adds to the integer in a field; no field counts as 0.",
        .complexity = "O(1)",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hash_hincrby,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = hincrby_arguments,
    },
    {
        .name = "hincrbyfloat",
        .summary = "Adds to the number in a field; no field counts as 0.",
        .complexity = "O(1)",
        .since = "2.6.0",
        .group = GROUP_HASH,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hash_hincrbyfloat,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = hincrbyfloat_arguments,
    },
    {
        .name = "hkeys",
        .summary = "Returns all fields of a hash.",
        .complexity = "O(N) in the size of the hash",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 2,
        .flags = CMD_READONLY,
        .function = hash_hkeys,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hgetall_arguments,
        .tips = nondeterministic_output_order_tips,
    },
    {
        .name = "hlen",
        .summary = "Counts the fields of a hash.",
        .complexity = "O(1)",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 2,
        .flags = CMD_READONLY | CMD_FAST | CMD_HEAD_ONLY,
        .function = hash_hlen,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = hgetall_arguments,
    },
    {
        .name = "hmget",
        .summary = "Returns the values of several fields.",
        .complexity = "O(N) in the number of fields named",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = -3,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_hmget,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hdel_arguments,
    },
    {
        .name = "hmset",
        .summary = "Sets fields of a hash, which is created when there is none.",
        .complexity = "O(N) in the number of fields named",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hash_hmset,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hmset_arguments,
        .deprecated_since = "4.0.0",
        .replaced_by = "`HSET` with multiple field-value pairs",
    },
    {
        .name = "hpersist",
        .summary = "Lets fields live for ever.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -5,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hpersist,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hexpiretime_arguments,
    },
    {
        .name = "hpexpire",
        .summary = "Gives fields a life in milliseconds.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -6,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hpexpire,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hpexpire_arguments,
    },
    {
        .name = "hpexpireat",
        .summary = "Gives fields a time to die in Unix milliseconds.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -6,
        .flags = CMD_WRITE | CMD_FAST,
        .function = hash_hpexpireat,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hpexpireat_arguments,
    },
    {
        .name = "hpexpiretime",
        .summary = "Tells when fields die, in Unix milliseconds.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -5,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_hpexpiretime,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hexpiretime_arguments,
    },
    {
        .name = "hpttl",
        .summary = "Tells how many milliseconds fields have to live.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -5,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_hpttl,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hexpiretime_arguments,
    },
    {
        .name = "hrandfield",
        .summary = "Returns random fields of a hash.",
        .complexity = "O(N) in the number of fields returned",
        .since = "6.2.0",
        .group = GROUP_HASH,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = hash_hrandfield,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hrandfield_arguments,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "hscan",
        .summary = "Walks over the fields of a hash.",
        .complexity = "O(1) for each call, O(N) for the whole hash",
        .since = "2.8.0",
        .group = GROUP_HASH,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = hash_hscan,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hscan_arguments,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "hset",
        .summary = "Sets fields of a hash, which is created when there is none.",
        .complexity = "O(N) in the number of fields named",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hash_hset,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hmset_arguments,
        .history = hset_history,
    },
    {
        .name = "hsetex",
        .summary = "Sets fields, perhaps on a condition, and when they die.",
        .complexity = "O(N) in the number of fields named",
        .since = "8.0.0",
        .group = GROUP_HASH,
        .arity = -6,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hash_hsetex,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = hsetex_arguments,
    },
    {
        .name = "hsetnx",
        .summary = "Sets a field that is not there.",
        .complexity = "O(1)",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = hash_hsetnx,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = hsetnx_arguments,
    },
    {
        .name = "hstrlen",
        .summary = "Returns the size of the value of a field.",
        .complexity = "O(1)",
        .since = "3.2.0",
        .group = GROUP_HASH,
        .arity = 3,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_hstrlen,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = hexists_arguments,
    },
    {
        .name = "httl",
        .summary = "Tells how many seconds fields have to live.",
        .complexity = "O(N) in the number of fields named",
        .since = "7.4.0",
        .group = GROUP_HASH,
        .arity = -5,
        .flags = CMD_READONLY | CMD_FAST,
        .function = hash_httl,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hexpiretime_arguments,
    },
    {
        .name = "hvals",
        .summary = "Returns all values of a hash.",
        .complexity = "O(N) in the size of the hash",
        .since = "2.0.0",
        .group = GROUP_HASH,
        .arity = 2,
        .flags = CMD_READONLY,
        .function = hash_hvals,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = hgetall_arguments,
        .tips = nondeterministic_output_order_tips,
    },
    {.name = NULL},
};
