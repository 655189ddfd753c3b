/* The rows of the geo family. */
#include "commands/command_rows.h"
#include "commands/geo_commands.h"

static const struct argument geoadd_arguments_condition[] = {
    ARGUMENT_WORD("nx", "NX", 0),
    ARGUMENT_WORD("xx", "XX", 0),
    ARGUMENTS_END,
};

static const struct argument geoadd_arguments_longitude_latitude_member[] = {
    ARGUMENT("longitude", ARG_DOUBLE),
    ARGUMENT("latitude", ARG_DOUBLE),
    ARGUMENT("member", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument geoadd_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "condition",
     .type = ARG_ONEOF,
     .flags = ARG_OPTIONAL,
     .since = "6.2.0",
     .parts = geoadd_arguments_condition},
    {.name = "change",
     .type = ARG_PURE_TOKEN,
     .flags = ARG_OPTIONAL,
     .token = "CH",
     .since = "6.2.0"},
    {.name = "longitude_latitude_member",
     .type = ARG_BLOCK,
     .flags = ARG_MULTIPLE,
     .parts = geoadd_arguments_longitude_latitude_member},
    ARGUMENTS_END,
};

static const struct command_history geoadd_history[] = {
    {"6.2.0", "Options condition and CH."},
    {NULL, NULL},
};

static const struct argument geodist_arguments_unit[] = {
    ARGUMENT_WORD("m", "M", 0),
    ARGUMENT_WORD("km", "KM", 0),
    ARGUMENT_WORD("ft", "FT", 0),
    ARGUMENT_WORD("mi", "MI", 0),
    ARGUMENTS_END,
};

static const struct argument geodist_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("member1", ARG_STRING),
    ARGUMENT("member2", ARG_STRING),
    {.name = "unit", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = geodist_arguments_unit},
    ARGUMENTS_END,
};

static const struct argument geohash_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "member", .type = ARG_STRING, .flags = ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument georadius_arguments_count[] = {
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, 0),
    {.name = "any",
     .type = ARG_PURE_TOKEN,
     .flags = ARG_OPTIONAL,
     .token = "ANY",
     .since = "6.2.0"},
    ARGUMENTS_END,
};

static const struct argument georadius_arguments_order[] = {
    ARGUMENT_WORD("asc", "ASC", 0),
    ARGUMENT_WORD("desc", "DESC", 0),
    ARGUMENTS_END,
};

static const struct argument georadius_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("longitude", ARG_DOUBLE),
    ARGUMENT("latitude", ARG_DOUBLE),
    ARGUMENT("radius", ARG_DOUBLE),
    {.name = "unit", .type = ARG_ONEOF, .parts = geodist_arguments_unit},
    ARGUMENT_WORD("withcoord", "WITHCOORD", ARG_OPTIONAL),
    ARGUMENT_WORD("withdist", "WITHDIST", ARG_OPTIONAL),
    ARGUMENT_WORD("withhash", "WITHHASH", ARG_OPTIONAL),
    {.name = "count", .type = ARG_BLOCK, .flags = ARG_OPTIONAL, .parts = georadius_arguments_count},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = georadius_arguments_order},
    {.name = "key", .type = ARG_KEY, .flags = ARG_OPTIONAL, .token = "STORE", .key_spec = 1},
    {.name = "key", .type = ARG_KEY, .flags = ARG_OPTIONAL, .token = "STOREDIST", .key_spec = 2},
    ARGUMENTS_END,
};

static const struct command_history georadius_history[] = {
    {"6.2.0", "Option ANY."},
    {NULL, NULL},
};

static const struct argument georadius_ro_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("longitude", ARG_DOUBLE),
    ARGUMENT("latitude", ARG_DOUBLE),
    ARGUMENT("radius", ARG_DOUBLE),
    {.name = "unit", .type = ARG_ONEOF, .parts = geodist_arguments_unit},
    ARGUMENT_WORD("withcoord", "WITHCOORD", ARG_OPTIONAL),
    ARGUMENT_WORD("withdist", "WITHDIST", ARG_OPTIONAL),
    ARGUMENT_WORD("withhash", "WITHHASH", ARG_OPTIONAL),
    {.name = "count", .type = ARG_BLOCK, .flags = ARG_OPTIONAL, .parts = georadius_arguments_count},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = georadius_arguments_order},
    ARGUMENTS_END,
};

static const struct command_history georadius_ro_history[] = {
    {"6.2.0", "Option ANY."},
    {NULL, NULL},
};

static const struct argument georadiusbymember_arguments_count[] = {
    ARGUMENT_AFTER("COUNT", "count", ARG_INTEGER, 0),
    ARGUMENT_WORD("any", "ANY", ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument georadiusbymember_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("member", ARG_STRING),
    ARGUMENT("radius", ARG_DOUBLE),
    {.name = "unit", .type = ARG_ONEOF, .parts = geodist_arguments_unit},
    ARGUMENT_WORD("withcoord", "WITHCOORD", ARG_OPTIONAL),
    ARGUMENT_WORD("withdist", "WITHDIST", ARG_OPTIONAL),
    ARGUMENT_WORD("withhash", "WITHHASH", ARG_OPTIONAL),
    {.name = "count",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .parts = georadiusbymember_arguments_count},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = georadius_arguments_order},
    {.name = "key", .type = ARG_KEY, .flags = ARG_OPTIONAL, .token = "STORE", .key_spec = 1},
    {.name = "key", .type = ARG_KEY, .flags = ARG_OPTIONAL, .token = "STOREDIST", .key_spec = 2},
    ARGUMENTS_END,
};

static const struct argument georadiusbymember_ro_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT("member", ARG_STRING),
    ARGUMENT("radius", ARG_DOUBLE),
    {.name = "unit", .type = ARG_ONEOF, .parts = geodist_arguments_unit},
    ARGUMENT_WORD("withcoord", "WITHCOORD", ARG_OPTIONAL),
    ARGUMENT_WORD("withdist", "WITHDIST", ARG_OPTIONAL),
    ARGUMENT_WORD("withhash", "WITHHASH", ARG_OPTIONAL),
    {.name = "count",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .parts = georadiusbymember_arguments_count},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = georadius_arguments_order},
    ARGUMENTS_END,
};

static const struct argument geosearch_arguments_from_longitude_latitude[] = {
    ARGUMENT("longitude", ARG_DOUBLE),
    ARGUMENT("latitude", ARG_DOUBLE),
    ARGUMENTS_END,
};

static const struct argument geosearch_arguments_from[] = {
    ARGUMENT_AFTER("FROMMEMBER", "member", ARG_STRING, 0),
    {.name = "longitude_latitude",
     .type = ARG_BLOCK,
     .token = "FROMLONLAT",
     .parts = geosearch_arguments_from_longitude_latitude},
    ARGUMENTS_END,
};

static const struct argument geosearch_arguments_by_circle[] = {
    ARGUMENT_AFTER("BYRADIUS", "radius", ARG_DOUBLE, 0),
    {.name = "unit", .type = ARG_ONEOF, .parts = geodist_arguments_unit},
    ARGUMENTS_END,
};

static const struct argument geosearch_arguments_by_box[] = {
    ARGUMENT_AFTER("BYBOX", "width", ARG_DOUBLE, 0),
    ARGUMENT("height", ARG_DOUBLE),
    {.name = "unit", .type = ARG_ONEOF, .parts = geodist_arguments_unit},
    ARGUMENTS_END,
};

static const struct argument geosearch_arguments_by[] = {
    {.name = "circle", .type = ARG_BLOCK, .parts = geosearch_arguments_by_circle},
    {.name = "box", .type = ARG_BLOCK, .parts = geosearch_arguments_by_box},
    ARGUMENTS_END,
};

static const struct argument geosearch_arguments[] = {
    ARGUMENT("key", ARG_KEY),
    {.name = "from", .type = ARG_ONEOF, .parts = geosearch_arguments_from},
    {.name = "by", .type = ARG_ONEOF, .parts = geosearch_arguments_by},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = georadius_arguments_order},
    {.name = "count",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .parts = georadiusbymember_arguments_count},
    ARGUMENT_WORD("withcoord", "WITHCOORD", ARG_OPTIONAL),
    ARGUMENT_WORD("withdist", "WITHDIST", ARG_OPTIONAL),
    ARGUMENT_WORD("withhash", "WITHHASH", ARG_OPTIONAL),
    ARGUMENTS_END,
};

static const struct argument geosearchstore_arguments[] = {
    ARGUMENT("destination", ARG_KEY),
    {.name = "source", .type = ARG_KEY, .key_spec = 1},
    {.name = "from", .type = ARG_ONEOF, .parts = geosearch_arguments_from},
    {.name = "by", .type = ARG_ONEOF, .parts = geosearch_arguments_by},
    {.name = "order", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = georadius_arguments_order},
    {.name = "count",
     .type = ARG_BLOCK,
     .flags = ARG_OPTIONAL,
     .parts = georadiusbymember_arguments_count},
    ARGUMENT_WORD("storedist", "STOREDIST", ARG_OPTIONAL),
    ARGUMENTS_END,
};

const struct command geo_commands[] = {
    {
        .name = "geoadd",
        .summary = "Adds members with their places.",
        .complexity = "O(log(N)) for each member",
        .since = "3.2.0",
        .group = GROUP_GEO,
        .arity = -5,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = geo_geoadd,
        .key_specs = {KEY_AT(1, KEY_RW | KEY_UPDATE)},
        .arguments = geoadd_arguments,
        .history = geoadd_history,
    },
    {
        .name = "geodist",
        .summary = "Returns the distance between two members.",
        .complexity = "O(1)",
        .since = "3.2.0",
        .group = GROUP_GEO,
        .arity = -4,
        .flags = CMD_READONLY,
        .function = geo_geodist,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = geodist_arguments,
    },
    {
        .name = "geohash",
        .summary = "Returns the geohashes of members.",
        .complexity = "O(N) in the number of members named",
        .since = "3.2.0",
        .group = GROUP_GEO,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = geo_geohash,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = geohash_arguments,
    },
    {
        .name = "geopos",
        .summary = "Returns the places of members.",
        .complexity = "O(N) in the number of members named",
        .since = "3.2.0",
        .group = GROUP_GEO,
        .arity = -2,
        .flags = CMD_READONLY,
        .function = geo_geopos,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = geohash_arguments,
    },
    {
        .name = "georadius",
        .summary = "Returns or stores the members around a place.",
        .complexity = "O(N + log(M)) in the number of members around the shape and in the set",
        .since = "3.2.0",
        .group = GROUP_GEO,
        .arity = -6,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = geo_georadius,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS),
                      {.begin = KEY_BEGIN_KEYWORD,
                       .begin_keyword = "STORE",
                       .begin_index = 6,
                       .last = 0,
                       .step = 1,
                       .flags = KEY_OW | KEY_UPDATE},
                      {.begin = KEY_BEGIN_KEYWORD,
                       .begin_keyword = "STOREDIST",
                       .begin_index = 6,
                       .last = 0,
                       .step = 1,
                       .flags = KEY_OW | KEY_UPDATE}},
        .arguments = georadius_arguments,
        .history = georadius_history,
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    },
    {
        .name = "georadius_ro",
        .summary = "Returns the members around a place.",
        .complexity = "O(N + log(M)) in the number of members around the shape and in the set",
        .since = "3.2.10",
        .group = GROUP_GEO,
        .arity = -6,
        .flags = CMD_READONLY,
        .function = geo_georadius_ro,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = georadius_ro_arguments,
        .history = georadius_ro_history,
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` with the `BYRADIUS` argument",
    },
    {
        .name = "georadiusbymember",
        .summary = "Returns or stores the members around another.",
        .complexity = "O(N + log(M)) in the number of members around the shape and in the set",
        .since = "3.2.0",
        .group = GROUP_GEO,
        .arity = -5,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = geo_georadiusbymember,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS),
                      {.begin = KEY_BEGIN_KEYWORD,
                       .begin_keyword = "STORE",
                       .begin_index = 5,
                       .last = 0,
                       .step = 1,
                       .flags = KEY_OW | KEY_UPDATE},
                      {.begin = KEY_BEGIN_KEYWORD,
                       .begin_keyword = "STOREDIST",
                       .begin_index = 5,
                       .last = 0,
                       .step = 1,
                       .flags = KEY_OW | KEY_UPDATE}},
        .arguments = georadiusbymember_arguments,
        .deprecated_since = "6.2.0",
        .replaced_by =
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    },
    {
        .name = "georadiusbymember_ro",
        .summary = "Returns the members around another.",
        .complexity = "O(N + log(M)) in the number of members around the shape and in the set",
        .since = "3.2.10",
        .group = GROUP_GEO,
        .arity = -5,
        .flags = CMD_READONLY,
        .function = geo_georadiusbymember_ro,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = georadiusbymember_ro_arguments,
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    },
    {
        .name = "geosearch",
        .summary = "Returns the members in a circle or a box.",
        .complexity = "O(N + log(M)) in the number of members around the shape and in the set",
        .since = "6.2.0",
        .group = GROUP_GEO,
        .arity = -7,
        .flags = CMD_READONLY,
        .function = geo_geosearch,
        .key_specs = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
        .arguments = geosearch_arguments,
    },
    {
        .name = "geosearchstore",
        .summary = "Stores the members in a circle or a box.",
        .complexity = "O(N + log(M)) in the number of members around the shape and in the set",
        .since = "6.2.0",
        .group = GROUP_GEO,
        .arity = -8,
        .flags = CMD_WRITE | CMD_DENYOOM,
        .function = geo_geosearchstore,
        .key_specs = {KEY_AT(1, KEY_OW | KEY_UPDATE), KEY_AT(2, KEY_RO | KEY_ACCESS)},
        .arguments = geosearchstore_arguments,
    },
    {.name = NULL},
};
