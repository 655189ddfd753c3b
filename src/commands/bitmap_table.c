/* The rows of the bitmap family. */
#include "commands/command_rows.h"
#include "commands/bitmap_commands.h"

static const struct argument bitcount_arguments_index_index_unit[] = {
    ARGUMENT_WORD("byte", "BYTE", 0),
    ARGUMENT_WORD("bit", "BIT", 0),
    ARGUMENTS_END,
};

static const struct argument bitcount_arguments_index[] = {
    ARGUMENT("start", ARG_INTEGER),
    ARGUMENT("end", ARG_INTEGER),
    {.name = "index_unit",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "7.0.0",
     .parts = bitcount_arguments_index_index_unit},
    ARGUMENTS_END,
};

static const struct argument bitcount_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "index", .type = ARG_BLOCK, .flags = ARG_OPTIONAL, .parts = bitcount_arguments_index},
    ARGUMENTS_END,
};

static const struct command_history bitcount_history[] = {
    {"7.0.0", "Option index_unit."},
    {NULL, NULL},
};

static const struct argument bitfield_arguments_operation_encoding_offset[] = {
    ARGUMENT("encoding", ARG_STRING),
    ARGUMENT("offset", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument bitfield_arguments_operation_write_wrap_sat_fail[] = {
    ARGUMENT_WORD("wrap", "WRAP", 0),
    ARGUMENT_WORD("sat", "SAT", 0),
    ARGUMENT_WORD("fail", "FAIL", 0),
    ARGUMENTS_END,
};

static const struct argument
    bitfield_arguments_operation_write_write_operation_encoding_offset_value[] = {
        ARGUMENT("encoding", ARG_STRING),
        ARGUMENT("offset", ARG_INTEGER),
        ARGUMENT("value", ARG_INTEGER),
        ARGUMENTS_END,
};

static const struct argument
    bitfield_arguments_operation_write_write_operation_encoding_offset_increment[] = {
        ARGUMENT("encoding", ARG_STRING),
        ARGUMENT("offset", ARG_INTEGER),
        ARGUMENT("increment", ARG_INTEGER),
        ARGUMENTS_END,
};

static const struct argument bitfield_arguments_operation_write_write_operation[] = {
    {.name = "encoding_offset_value",
     .type = ARG_BLOCK,
     .token = "SET",
     .parts = bitfield_arguments_operation_write_write_operation_encoding_offset_value},
    {.name = "encoding_offset_increment",
     .type = ARG_BLOCK,
     .token = "INCRBY",
     .parts = bitfield_arguments_operation_write_write_operation_encoding_offset_increment},
    ARGUMENTS_END,
};

static const struct argument bitfield_arguments_operation_write[] = {
    {.name = "wrap_sat_fail",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .token = "OVERFLOW",
     .parts = bitfield_arguments_operation_write_wrap_sat_fail},
    {.name = "write_operation",
     .type = ARG_ONEOF,
     .parts = bitfield_arguments_operation_write_write_operation},
    ARGUMENTS_END,
};

static const struct argument bitfield_arguments_operation[] = {
    {.name = "encoding_offset",
     .type = ARG_BLOCK,
     .token = "GET",
     .parts = bitfield_arguments_operation_encoding_offset},
    {.name = "write", .type = ARG_BLOCK, .parts = bitfield_arguments_operation_write},
    ARGUMENTS_END,
};

static const struct argument bitfield_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "operation",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL | ARG_MULTIPLE,
     .parts = bitfield_arguments_operation},
    ARGUMENTS_END,
};

static const struct argument bitfield_ro_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "encoding_offset",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN,
     .token = "GET",
     .parts = bitfield_arguments_operation_encoding_offset},
    ARGUMENTS_END,
};

static const struct argument bitop_arguments[] = {
    ARGUMENT("operation", ARG_STRING),
    ARGUMENT("destkey", ARG_KEY),
    {.name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE, .key_spec = 1},
    ARGUMENTS_END,
};

static const struct argument bitpos_arguments_index_end_index[] = {
    ARGUMENT("end", ARG_INTEGER),
    {.name = "index_unit",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "7.0.0",
     .parts = bitcount_arguments_index_index_unit},
    ARGUMENTS_END,
};

static const struct argument bitpos_arguments_index[] = {
    ARGUMENT("start", ARG_INTEGER),
    {.name = "end_index",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .parts = bitpos_arguments_index_end_index},
    ARGUMENTS_END,
};

static const struct argument bitpos_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("bit", ARG_INTEGER),
    {.name = "index", .type = ARG_BLOCK, .flags = ARG_OPTIONAL, .parts = bitpos_arguments_index},
    ARGUMENTS_END,
};

static const struct command_history bitpos_history[] = {
    {"7.0.0", "Option index_unit."},
    {NULL, NULL},
};

static const struct argument getbit_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("offset", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument setbit_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("offset", ARG_INTEGER),
    ARGUMENT("value", ARG_INTEGER),
    ARGUMENTS_END,
};

const struct command bitmap_commands[] = {
    {
        .name = "bitcount",
        .summary = "Counts the bits that are set.",
        .complexity = "O(N) in the size of the range",
        .since = "2.6.0",
        .group = GROUP_BITMAP,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = bitmap_bitcount,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = bitcount_arguments,
        .history = bitcount_history,
    },
    {
        .name = "bitfield",
        .summary = "Reads and changes integers of any width.",
        .complexity = "O(1) for each operation",
        .since = "3.2.0",
        .group = GROUP_BITMAP,
        .arity = -2,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = bitmap_bitfield,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS)},
        .arguments = bitfield_arguments,
        .key_flags = bitmap_bitfield_key_flags,
    },
    {
        .name = "bitfield_ro",
        .summary = "Reads integers of any width.",
        .complexity = "O(1) for each operation",
        .since = "6.0.0",
        .group = GROUP_BITMAP,
        .arity = -2,
        .flags = CMD_READONLY | CMD_FAST,
        .function = bitmap_bitfield_ro,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = bitfield_ro_arguments,
    },
    {
        .name = "bitop",
        .summary = "Combines strings bit by bit.",
        .complexity = "O(N) in the size of the longest string",
        .since = "2.6.0",
        .group = GROUP_BITMAP,
        .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = bitmap_bitop,
        .key_specs = {KEY_AT(2, KEY_OW | KEY_UPDATE), KEY_RANGE(3, -1, 1, KEY_RO | KEY_ACCESS)},
        .arguments = bitop_arguments,
    },
    {
        .name = "bitpos",
        .summary = "Finds the first bit that is set, or not.",
        .complexity = "O(N) in the size of the range",
        .since = "2.8.7",
        .group = GROUP_BITMAP,
        .arity = -3,
        .flags = CMD_READONLY,
        .function = bitmap_bitpos,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = bitpos_arguments,
        .history = bitpos_history,
    },
    {
        .name = "getbit",
        .summary = "Returns a bit.",
        .complexity = "O(1)",
        .since = "2.2.0",
        .group = GROUP_BITMAP,
        .arity = 3,
        .flags = CMD_READONLY | CMD_FAST,
        .function = bitmap_getbit,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = getbit_arguments,
    },
    {
        .name = "setbit",
        .summary = "Sets a bit and returns what it was.",
        .complexity = "O(1)",
        .since = "2.2.0",
        .group = GROUP_BITMAP,
        .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = bitmap_setbit,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
        .arguments = setbit_arguments,
    },
    {.name = NULL},
};
