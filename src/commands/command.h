/* A command is a row of a table: everything about it that is not its own few lines. The runner, the
 * router, COMMAND, COMMAND DOCS, key extraction and ACL read the row; the function says only what
 * is the command's own.
 *
 * One file per family, its table at the end; rows are constant and live as long as the process. */
#pragma once

#include "base/bytes.h"

struct call;

/* Does the command's work: reads c->argv, changes keys and replies through call.h. Arity and
 * the subcommand were checked before. An error reply must come before the first change. */
typedef void command_fn(struct call *c);

/* Flags under Redis's names (COMMAND INFO), then ours. */
enum command_flag {
    CMD_WRITE = 1 << 0,
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_BLOCKING = 1 << 6,
    CMD_LOADING = 1 << 7,
    CMD_STALE = 1 << 8,
    CMD_SKIP_MONITOR = 1 << 9,
    CMD_SKIP_SLOWLOG = 1 << 10,
    CMD_ASKING = 1 << 11,
    CMD_FAST = 1 << 12,
    CMD_NO_AUTH = 1 << 13,
    CMD_MAY_REPLICATE = 1 << 14,
    CMD_NO_ASYNC_LOADING = 1 << 15,
    CMD_NO_MULTI = 1 << 16,
    CMD_MOVABLEKEYS = 1 << 17,
    CMD_ALLOW_BUSY = 1 << 18,
    CMD_TOUCHES_ARBITRARY_KEYS = 1 << 19,
    CMD_SENTINEL = 1 << 20,          /* listed with Redis's row only; no sentinel mode exists */
    CMD_NO_MANDATORY_KEYS = 1 << 21, /* keys by count, and the count may be 0 */
    CMD_PROTECTED = 1 << 22,         /* only when the configuration enables it (DEBUG, MODULE) */

    /* Ours. */
    CMD_HOME = 1 << 24, /* answered by the client's own node without a shard (CLIENT, INFO …) */
    CMD_ALL_SHARDS = 1 << 25, /* works on every shard of the database: KEYS, DBSIZE, FLUSHALL … */
    CMD_SUSPENDS = 1 << 26,   /* may wait in the middle: runs on a fiber of its own */
    CMD_HEAD_ONLY = 1 << 27,  /* needs type, expiry and count of its keys, not their values */
    CMD_NO_TOUCH = 1 << 28,   /* looking at its keys does not count as using them */
};

enum command_group {
    GROUP_GENERIC,
    GROUP_STRING,
    GROUP_LIST,
    GROUP_SET,
    GROUP_SORTED_SET,
    GROUP_HASH,
    GROUP_PUBSUB,
    GROUP_TRANSACTIONS,
    GROUP_CONNECTION,
    GROUP_SERVER,
    GROUP_SCRIPTING,
    GROUP_HYPERLOGLOG,
    GROUP_CLUSTER,
    GROUP_SENTINEL,
    GROUP_GEO,
    GROUP_STREAM,
    GROUP_BITMAP,
};

/* Flags of a key position under Redis's names (COMMAND INFO, COMMAND GETKEYSANDFLAGS). */
enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,
    KEY_INCOMPLETE = 1 << 9,
    KEY_VARIABLE_FLAGS = 1 << 10,
};

enum key_begin { KEY_BEGIN_NONE = 0, KEY_BEGIN_INDEX, KEY_BEGIN_KEYWORD, KEY_BEGIN_UNKNOWN };
enum key_find { KEY_FIND_RANGE = 0, KEY_FIND_KEYNUM, KEY_FIND_UNKNOWN };

/* Where keys stand, as Redis 7 describes it ("key specs"). */
struct key_spec {
    enum key_begin begin;
    int begin_index;           /* INDEX: argument of the first key; KEYWORD: where to look from */
    const char *begin_keyword; /* BEGIN_KEYWORD */
    enum key_find find;
    int last, step, limit; /* FIND_RANGE, `last` relative to the first (-1: to the end) */
    int keynum_index, first_key, keynum_step; /* FIND_KEYNUM */
    uint32_t flags;                           /* enum key_flag */
    const char *notes;                        /* or NULL */
    bool skips_empty; /* an empty first argument is no key: it says that others are named */
};

enum { COMMAND_KEY_SPECS_MAX = 4 };

/* The declarative form of a command's arguments (COMMAND DOCS). */
enum argument_type {
    ARG_STRING,
    ARG_INTEGER,
    ARG_DOUBLE,
    ARG_KEY,
    ARG_PATTERN,
    ARG_UNIX_TIME,
    ARG_PURE_TOKEN,
    ARG_ONEOF,
    ARG_BLOCK,
};

enum argument_flag { ARG_OPTIONAL = 1, ARG_MULTIPLE = 2, ARG_MULTIPLE_TOKEN = 4 };

/* Arrays end with an entry whose name is NULL. */
struct argument {
    const char *name;
    enum argument_type type;
    uint32_t flags;               /* enum argument_flag */
    const char *token;            /* or NULL */
    const char *since;            /* or NULL: as the command */
    const char *deprecated_since; /* or NULL */
    int key_spec;                 /* ARG_KEY: index into key_specs */
    const struct argument *parts; /* ARG_ONEOF, ARG_BLOCK */
};

/* "7.0.0" → what changed; arrays end with since NULL. */
struct command_history {
    const char *since;
    const char *change;
};

struct command {
    const char *name; /* lower case; a subcommand's own word, as "get" of CONFIG GET */
    const char *summary;
    const char *complexity;
    const char *since;
    enum command_group group;
    int arity;      /* as Redis: exact, or minus the minimum; the name counts, a subcommand's too */
    uint32_t flags; /* enum command_flag */
    command_fn *function; /* NULL for a container without a form of its own */
    struct key_spec key_specs[COMMAND_KEY_SPECS_MAX];
    const struct argument *arguments;      /* or NULL */
    const struct command *subcommands;     /* or NULL; ends with name NULL */
    const struct command_history *history; /* or NULL */
    const char *const *tips;               /* or NULL; ends with NULL */
    const char *deprecated_since;          /* or NULL */
    const char *replaced_by;               /* or NULL */
    bool is_internal;                      /* not for clients: "syscmd" in COMMAND DOCS */

    /* Changes the ACL categories that flags and group imply, separated by blanks: "@dangerous",
     * "-@keyspace @connection". NULL: nothing. See commands/acl_category.h. */
    const char *acl_extra;

    /* Whether this run needs the values of its keys or only their heads. NULL: by CMD_HEAD_ONLY. */
    bool (*needs_values)(const struct bytes *argv, int argc);

    /* For specs with KEY_VARIABLE_FLAGS: the flags that these arguments give. NULL: the spec's. */
    uint32_t (*key_flags)(const struct bytes *argv, int argc);
};

/* A family's table: rows ending with name NULL. */
extern const struct command string_commands[];
extern const struct command generic_commands[];
extern const struct command set_commands[];
extern const struct command zset_commands[];
extern const struct command list_commands[];
extern const struct command stream_commands[];
extern const struct command bitmap_commands[];
extern const struct command geo_commands[];
extern const struct command hyperloglog_commands[];
extern const struct command generic_value_commands[];
extern const struct command hash_commands[];
extern const struct command introspection_commands[];

/* All families together, found by name. Owned by the composition root. */
struct command_table;
struct command_table *command_table_new(void);
void command_table_free(struct command_table *table); /* NULL is legal */

/* Borrows the rows for ever. No two have one name (ASSERT). */
void command_table_add(struct command_table *table, const struct command *rows);

/* By name without case; O(1). NULL when there is none. */
const struct command *command_table_find(const struct command_table *table, struct bytes name);

/* argv[0], and argv[1] when the command is a container. *container gets the outer command, or NULL.
 * On NULL, with *container set, the subcommand is unknown. */
const struct command *command_table_resolve(const struct command_table *table,
                                            const struct bytes *argv, int argc,
                                            const struct command **container);

/* Commands in the order in which they were added; position < count. */
size_t command_table_count(const struct command_table *table);
const struct command *command_table_at(const struct command_table *table, size_t position);

/* True when argc fits the arity. */
bool command_arity_fits(const struct command *command, int argc);

/* Positions in argv of the keys, in order, each with its spec's flags. */
struct command_key {
    int position;
    uint32_t flags;
};

/* At most keys_max are written; returns how many there are, or -1 when the arguments do not let
 * them be found (a bad count, or fewer arguments than keys). No key specs, or only specs whose
 * place is unknown or whose keyword is not there: 0. Channels (KEY_NOT_KEY) are among them.
 * O(argc). */
int command_keys(const struct command *command, const struct bytes *argv, int argc,
                 struct command_key *keys, int keys_max);
