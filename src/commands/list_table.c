/* The rows of the list family. */
#include "commands/command_rows.h"
#include "commands/list_commands.h"

static const struct argument blmove_arguments_wherefrom[] = {
    ARGUMENT_WORD("left", "LEFT", 0),
    ARGUMENT_WORD("right", "RIGHT", 0),
    ARGUMENTS_END,
};

static const struct argument blmove_arguments[] = {
    ARGUMENT("source", ARG_KEY),
    {.name = "destination", .type = ARG_KEY, .key_spec = 1},
    {.name = "wherefrom", .type = ARG_ONEOF, .parts = blmove_arguments_wherefrom},
    {.name = "whereto", .type = ARG_ONEOF, .parts = blmove_arguments_wherefrom},
    ARGUMENT("timeout", ARG_DOUBLE),
    ARGUMENTS_END,
};

static const struct argument blmpop_arguments[] = {
    ARGUMENT("timeout", ARG_DOUBLE),
    ARGUMENT("numkeys", ARG_INTEGER),
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    {.name = "where", .type = ARG_ONEOF, .parts = blmove_arguments_wherefrom},
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument blpop_arguments[] = {
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    ARGUMENT("timeout", ARG_DOUBLE),
    ARGUMENTS_END,
};

static const struct argument brpoplpush_arguments[] = {
    ARGUMENT("source", ARG_KEY),
    {.name = "destination", .type = ARG_KEY, .key_spec = 1},
    ARGUMENT("timeout", ARG_DOUBLE),
    ARGUMENTS_END,
};

static const struct argument lindex_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("index", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument linsert_arguments_where[] = {
    ARGUMENT_WORD("before", "BEFORE", 0),
    ARGUMENT_WORD("after", "AFTER", 0),
    ARGUMENTS_END,
};

static const struct argument linsert_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "where", .type = ARG_ONEOF, .parts = linsert_arguments_where},
    ARGUMENT("pivot", ARG_STRING),
    ARGUMENT("element", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument llen_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENTS_END,
};

static const struct argument lmove_arguments[] = {
    ARGUMENT("source", ARG_KEY),
    {.name = "destination", .type = ARG_KEY, .key_spec = 1},
    {.name = "wherefrom", .type = ARG_ONEOF, .parts = blmove_arguments_wherefrom},
    {.name = "whereto", .type = ARG_ONEOF, .parts = blmove_arguments_wherefrom},
    ARGUMENTS_END,
};

static const struct argument lmpop_arguments[] = {
    ARGUMENT("numkeys", ARG_INTEGER),
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE},
    {.name = "where", .type = ARG_ONEOF, .parts = blmove_arguments_wherefrom},
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument lpop_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL, .since = "6.2.0"},
    ARGUMENTS_END,
};

static const struct command_history lpop_history[] = {
    {"6.2.0", "Option count."},
    {NULL, NULL},
};

static const struct argument lpos_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("element", ARG_STRING),
    ARGUMENT_AFTER("RANK", "rank", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_AFTER("COUNT", "num-matches", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENT_AFTER("MAXLEN", "len", ARG_INTEGER, ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument lpush_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "element", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct command_history lpush_history[] = {
    {"2.4.0", "Several elements at once."},
    {NULL, NULL},
};

static const struct command_history lpushx_history[] = {
    {"4.0.0", "Several elements at once."},
    {NULL, NULL},
};

static const struct argument lrange_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("start", ARG_INTEGER),
    ARGUMENT("stop", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument lrem_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("count", ARG_INTEGER),
    ARGUMENT("element", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument lset_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("index", ARG_INTEGER),
    ARGUMENT("element", ARG_STRING),
    ARGUMENTS_END,
};

static const struct command_history rpop_history[] = {
    {"6.2.0", "Option count."},
    {NULL, NULL},
};

static const struct argument rpoplpush_arguments[] = {
    ARGUMENT("source", ARG_KEY),
    {.name = "destination", .type = ARG_KEY, .key_spec = 1},
    ARGUMENTS_END,
};

static const struct command_history rpush_history[] = {
    {"2.4.0", "Several elements at once."},
    {NULL, NULL},
};

static const struct command_history rpushx_history[] = {
    {"4.0.0", "Several elements at once."},
    {NULL, NULL},
};

const struct command list_commands[] = {
    {
        .name = "blmove",
        .summary = "Moves an element from an end of one list to an end of another; waits for one.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_LIST,
        .arity = 6,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_BLOCKING,
        .function = list_blmove,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)},
        .arguments = blmove_arguments,
    },
    {
        .name = "blmpop",
        .summary = "Takes elements off the first of several lists that has some; waits for one.",
        .complexity = "O(N + M) in the numbers of keys and of elements taken",
        .since = "7.0.0",
        .group = GROUP_LIST,
        .arity = -5,
        .flags = CMD_WRITE | CMD_BLOCKING,
        .function = list_blmpop,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 2,
                       .find = KEY_FIND_KEYNUM,
                       .keynum_index = 0,
                       .first_key = 1,
                       .keynum_step = 1,
                       .flags = KEY_RW | KEY_ACCESS | KEY_DELETE}},
        .arguments = blmpop_arguments,
    },
    {
        .name = "blpop",
        .summary = "Takes the first element off the first list that has one; waits for it.",
        .complexity = "O(N) in the number of keys",
        .since = "2.0.0",
        .group = GROUP_LIST,
        .arity = -3,
        .flags = CMD_WRITE | CMD_BLOCKING,
        .function = list_blpop,
        .key_specs = {KEY_RANGE(1, -2, 1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = blpop_arguments,
    },
    {
        .name = "brpop",
        .summary = "Takes the last element off the first list that has one; waits for it.",
        .complexity = "O(N) in the number of keys",
        .since = "2.0.0",
        .group = GROUP_LIST,
        .arity = -3,
        .flags = CMD_WRITE | CMD_BLOCKING,
        .function = list_brpop,
        .key_specs = {KEY_RANGE(1, -2, 1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = blpop_arguments,
    },
    {
        .name = "brpoplpush",
        .summary = "Moves the last element of one list to the front of another; waits for one.",
        .complexity = "O(1)",
        .since = "2.2.0",
        .group = GROUP_LIST,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_BLOCKING,
        .function = list_brpoplpush,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)},
        .arguments = brpoplpush_arguments,
        .deprecated_since = "6.2.0",
        .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
    },
    {
        .name = "lindex",
        .summary = "Returns the element at a place.",
        .complexity = "O(N) in the number of nodes before it; O(1) at the ends",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = 3,
        .flags = CMD_READONLY,
        .function = list_lindex,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = lindex_arguments,
    },
    {
        .name = "linsert",
        .summary = "Inserts an element before or after another.",
        .complexity = "O(N) in the number of elements before it",
        .since = "2.2.0",
        .group = GROUP_LIST,
        .arity = 5,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = list_linsert,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = linsert_arguments,
    },
    {
        .name = "llen",
        .summary = "Counts the elements of a list.",
        .complexity = "O(1)",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = 2,
        .flags = CMD_READONLY | CMD_FAST | CMD_HEAD_ONLY,
        .function = list_llen,
        .key_specs = {KEY_AT(1, KEY_RO)},
        .arguments = llen_arguments,
    },
    {
        .name = "lmove",
        .summary = "Moves an element from an end of one list to an end of another.",
        .complexity = "O(1)",
        .since = "6.2.0",
        .group = GROUP_LIST,
        .arity = 5,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = list_lmove,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)},
        .arguments = lmove_arguments,
    },
    {
        .name = "lmpop",
        .summary = "Takes elements off the first of several lists that has some.",
        .complexity = "O(N + M) in the numbers of keys and of elements taken",
        .since = "7.0.0",
        .group = GROUP_LIST,
        .arity = -4,
        .flags = CMD_WRITE,
        .function = list_lmpop,
        .key_specs = {{.begin = KEY_BEGIN_INDEX,
                       .begin_index = 1,
                       .find = KEY_FIND_KEYNUM,
                       .keynum_index = 0,
                       .first_key = 1,
                       .keynum_step = 1,
                       .flags = KEY_RW | KEY_ACCESS | KEY_DELETE}},
        .arguments = lmpop_arguments,
    },
    {
        .name = "lpop",
        .summary = "Takes elements off the front of a list.",
        .complexity = "O(N) in the number of elements taken",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = -2,
        .flags = CMD_WRITE | CMD_FAST,
        .function = list_lpop,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = lpop_arguments,
        .history = lpop_history,
    },
    {
        .name = "lpos",
        .summary = "Tells where elements stand.",
        .complexity = "O(N) in the number of elements",
        .since = "6.0.6",
        .group = GROUP_LIST,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = list_lpos,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = lpos_arguments,
    },
    {
        .name = "lpush",
        .summary = "Puts elements in front of a list, which is created when there is none.",
        .complexity = "O(1) for each element",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = list_lpush,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = lpush_arguments,
        .history = lpush_history,
    },
    {
        .name = "lpushx",
        .summary = "Puts elements in front of a list that is there.",
        .complexity = "O(1) for each element",
        .since = "2.2.0",
        .group = GROUP_LIST,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = list_lpushx,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = lpush_arguments,
        .history = lpushx_history,
    },
    {
        .name = "lrange",
        .summary = "Returns the elements in a range of places.",
        .complexity = "O(S + N) in the distance of the range from the nearer end and its size",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = 4,
        .flags = CMD_READONLY,
        .function = list_lrange,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = lrange_arguments,
    },
    {
        .name = "lrem",
        .summary = "Removes elements that are equal to one.",
        .complexity = "O(N + M) in the size of the list and the number removed",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = 4,
        .flags = CMD_WRITE,
        .function = list_lrem,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = lrem_arguments,
    },
    {
        .name = "lset",
        .summary = "Replaces the element at a place.",
        .complexity = "O(N) in the number of nodes before it; O(1) at the ends",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = list_lset,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = lset_arguments,
    },
    {
        .name = "ltrim",
        .summary = "Removes all elements outside a range of places.",
        .complexity = "O(N) in the number removed",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = 4,
        .flags = CMD_WRITE,
        .function = list_ltrim,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_DELETE)},
        .arguments = lrange_arguments,
    },
    {
        .name = "rpop",
        .summary = "Takes elements off the end of a list.",
        .complexity = "O(N) in the number of elements taken",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = -2,
        .flags = CMD_WRITE | CMD_FAST,
        .function = list_rpop,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
        .arguments = lpop_arguments,
        .history = rpop_history,
    },
    {
        .name = "rpoplpush",
        .summary = "Moves the last element of one list to the front of another.",
        .complexity = "O(1)",
        .since = "1.2.0",
        .group = GROUP_LIST,
        .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = list_rpoplpush,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)},
        .arguments = rpoplpush_arguments,
        .deprecated_since = "6.2.0",
        .replaced_by = "`LMOVE` with the `RIGHT` and `LEFT` arguments",
    },
    {
        .name = "rpush",
        .summary = "Puts elements behind a list, which is created when there is none.",
        .complexity = "O(1) for each element",
        .since = "1.0.0",
        .group = GROUP_LIST,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = list_rpush,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = lpush_arguments,
        .history = rpush_history,
    },
    {
        .name = "rpushx",
        .summary = "Puts elements behind a list that is there.",
        .complexity = "O(1) for each element",
        .since = "2.2.0",
        .group = GROUP_LIST,
        .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
        .function = list_rpushx,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_INSERT)},
        .arguments = lpush_arguments,
        .history = rpushx_history,
    },
    {.name = NULL},
};
