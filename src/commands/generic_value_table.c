/* The rows of the generic family that look into values of any type. */
#include "commands/command_rows.h"
#include "commands/generic_commands.h"

static const struct argument dump_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENTS_END,
};

static const char *const nondeterministic_output_tips[] = {"nondeterministic_output", NULL};

static const struct argument restore_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("ttl", ARG_INTEGER),
    ARGUMENT("serialized-value", ARG_STRING),
    {.name = "replace",
     .type = ARG_PURE_TOKEN,
     .flags = ARG_OPTIONAL,
     .token = "REPLACE",
     .since = "3.0.0"},
    {.name = "absttl",
     .type = ARG_PURE_TOKEN,
     .flags = ARG_OPTIONAL,
     .token = "ABSTTL",
     .since = "5.0.0"},
    {.name = "seconds",
     .type = ARG_INTEGER,
     .flags = ARG_OPTIONAL,
     .token = "IDLETIME",
     .since = "5.0.0"},
    {.name = "frequency",
     .type = ARG_INTEGER,
     .flags = ARG_OPTIONAL,
     .token = "FREQ",
     .since = "5.0.0"},
    ARGUMENTS_END,
};

static const struct command_history restore_history[] = {
    {"3.0.0", "Option REPLACE."},
    {"5.0.0", "Options ABSTTL, IDLETIME and FREQ."},
    {NULL, NULL},
};

static const struct argument sort_arguments_offset_count[] = {
    ARGUMENT("offset", ARG_INTEGER),
    ARGUMENT("count", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument sort_arguments_order[] = {
    ARGUMENT_WORD("asc", "ASC", 0),
    ARGUMENT_WORD("desc", "DESC", 0),
    ARGUMENTS_END,
};

static const struct argument sort_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "pattern", .type = ARG_PATTERN, .flags = ARG_OPTIONAL, .token = "BY"},
    {.name = "offset_count",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .token = "LIMIT",
     .parts = sort_arguments_offset_count},
    {.name = "pattern",
     .type = ARG_PATTERN,
     .flags = ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN,
     .token = "GET"},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = sort_arguments_order},
    ARGUMENT_WORD("sorting", "ALPHA", ARG_OPTIONAL),
    {.name = "destination",
     .type = ARG_KEY,
     .flags = ARG_OPTIONAL,
     .token = "STORE",
     .key_spec = 2},
    ARGUMENTS_END,
};

static const struct argument sort_ro_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "pattern", .type = ARG_PATTERN, .flags = ARG_OPTIONAL, .token = "BY"},
    {.name = "offset_count",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .token = "LIMIT",
     .parts = sort_arguments_offset_count},
    {.name = "pattern",
     .type = ARG_PATTERN,
     .flags = ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN,
     .token = "GET"},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = sort_arguments_order},
    ARGUMENT_WORD("sorting", "ALPHA", ARG_OPTIONAL),
    ARGUMENTS_END,
};

const struct command generic_value_commands[] = {
    {
        .name = "dump",
        .summary = "Returns a value in serialized form.",
        .complexity = "O(N) in its size",
        .since = "2.6.0",
        .group = GROUP_GENERIC,
        .arity = 2,
        .flags = CMD_READONLY | CMD_SUSPENDS,
        .function = generic_dump,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = dump_arguments,
        .tips = nondeterministic_output_tips,
    },
    {
        .name = "restore",
        .summary = "Makes a value of its serialized form.",
        .complexity = "O(N) in its size",
        .since = "2.6.0",
        .group = GROUP_GENERIC,
        .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_SUSPENDS,
        .function = generic_restore,
        .key_specs = {KEY_AT(1, KEY_OW | KEY_UPDATE)},
        .arguments = restore_arguments,
        .history = restore_history,
        .acl_extra = "@dangerous",
    },
    {
        .name = "sort",
        .summary = "Sorts the elements of a value, or stores them sorted.",
        .complexity = "O(N + M * log(M)) in the numbers of elements and of those returned",
        .since = "1.0.0",
        .group = GROUP_GENERIC,
        .arity = -2,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_SUSPENDS,
        .function = generic_sort,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS),
                      {.begin = KEY_BEGIN_UNKNOWN,
                       .find = KEY_FIND_UNKNOWN,
                       .flags = KEY_RO | KEY_ACCESS,
                       .notes = "keys of BY and GET, and of STORE, are not told"},
                      {.begin = KEY_BEGIN_UNKNOWN,
                       .find = KEY_FIND_UNKNOWN,
                       .flags = KEY_OW | KEY_UPDATE,
                       .notes = "keys of BY and GET, and of STORE, are not told"}},
        .arguments = sort_arguments,
        .acl_extra = "-@keyspace @dangerous @list @set @sortedset",
    },
    {
        .name = "sort_ro",
        .summary = "Sorts the elements of a value.",
        .complexity = "O(N + M * log(M)) in the numbers of elements and of those returned",
        .since = "7.0.0",
        .group = GROUP_GENERIC,
        .arity = -2,
        .flags = CMD_READONLY | CMD_SUSPENDS,
        .function = generic_sort_ro,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS),
                      {.begin = KEY_BEGIN_UNKNOWN,
                       .find = KEY_FIND_UNKNOWN,
                       .flags = KEY_RO | KEY_ACCESS,
                       .notes = "keys of BY and GET are not told"}},
        .arguments = sort_ro_arguments,
        .acl_extra = "-@keyspace @dangerous @list @set @sortedset",
    },
    {.name = NULL},
};
