/* One run of a command on a shard: what a command function may see and do. Commands know keys,
 * values, replies and the time of the log; they know nothing of rows, sockets, Raft or the clock.
 *
 * Rules for a command function:
 *   - check arguments and reply errors before changing anything ("an error changes nothing");
 *   - a pointer to an object is valid until the next function here that takes the same key or
 *     changes anything (a change may move the object);
 *   - versions for WATCH, keyspace events, dirty counts, expiry of what is found expired and the
 *     gate that the reply waits at are kept by these functions, not by commands. */
#pragma once

#include <stdatomic.h>

#include "base/bytes.h"
#include "codec/resp_reply.h"
#include "commands/command.h"
#include "types/object.h"
#include "types/string.h"
#include "types/value.h"

struct hot;
struct keyspace;
struct client;
struct call_env;
struct command_table;

enum { CALL_FOUND_MAX = 4, CALL_REMEMBERED_ARGUMENTS = 8 };

/* A key that was looked up already: repeated look-ups of one argument cost nothing. */
struct call_found {
    struct bytes key; /* compared by address and size: an empty argument may share its address */
    uint64_t order;
    bool has_value;        /* found by call_find, not by call_find_head */
    struct object *object; /* NULL: absent */
};

/* Work for a helper thread in the middle of a run; embedded in what it works on. */
struct call_aside {
    void (*run)(struct call_aside *aside);  /* on the helper */
    void (*free)(struct call_aside *aside); /* when call_run_aside said false; later, maybe */
    atomic_bool is_given_up;                /* nobody waits any more: what takes long may end */
};

/* What the runner does for a command in the middle of its run. */
struct call_env {
    /* Suspends the run until the key may be found without being cold. False: reading its rows
     * failed this time. */
    bool (*await_key)(struct call *c, uint64_t order, struct bytes key, bool needs_value);
    bool (*run_aside)(struct call *c, struct call_aside *aside); /* call_run_aside */
    void (*notify)(struct call *c, char event_class, const char *event, struct bytes key);
    void *context;            /* of a run that may wait; NULL: a plain one, which does not */
    uint64_t string_size_max; /* proto-max-bulk-len */
    uint64_t hll_sparse_max;  /* hll-sparse-max-bytes */
    bool refuses_writes;      /* commands that write are refused now: see call_may_cache */
    bool has_many_shards;     /* a run sees the keys of one */
    uint64_t keyspace_hits, keyspace_misses, expired_keys;
};

struct call {
    const struct bytes *argv;
    int argc;
    const struct command *command;
    const struct command_table *table; /* all commands, for COMMAND; may be NULL for the others */
    struct reply reply;
    int database;
    int64_t now_ms; /* the time of the log for this run: wall-like, never runs backwards */
    int64_t now_us;
    uint64_t random; /* a fresh random number for each run */
    bool in_transaction;
    bool has_failed;  /* an error reply was made */
    bool is_broken;   /* a key could not be read: it seems absent, nothing is changed any more, and
                       * the   runner replaces the reply by an error */
    uint64_t changes; /* keys changed so far */

    /* Of a run that call_block had parked. */
    bool was_parked;
    bool is_timed_out;        /* call_block answers false */
    struct bytes block_state; /* size 0 in the first run */

    /* The runner's; commands do not touch what follows. */
    const struct type_env *types; /* for making values; NULL without a shard */
    struct hot *hot;           /* hot memory of the shard; NULL for CMD_HOME and CMD_ALL_SHARDS */
    struct keyspace *keyspace; /* of the database */
    struct client *client;     /* the home's; only home commands know what it is */
    struct call_env *env;      /* what waits and what spans shards; exec/ */
    uint64_t gate;     /* newest unapplied change the reply depends on: position, see hot.h */
    bool has_reserved; /* call_edit has seen to the size of the arguments */
    bool blocks;       /* call_block said true */
    int64_t block_timeout_ms;
    struct buf *block_state_out; /* NULL: it may not block */
    struct call_found found[CALL_FOUND_MAX];
    int found_count;
    uint64_t entry_size_max; /* bytes an entry may take; call_reserve refuses beyond */
};

/* Errors. Each replies once and marks the call failed. The texts are those clients match on. */
void call_error(struct call *c, const char *format, ...) PRINTF_LIKE(2, 3); /* with its prefix */
void call_error_syntax(struct call *c);                                     /* ERR syntax error */
void call_error_wrong_type(struct call *c);  /* WRONGTYPE Operation against a key holding … */
void call_error_not_integer(struct call *c); /* ERR value is not an integer or out of range */
void call_error_not_float(struct call *c);   /* ERR value is not a valid float */

/* Arguments. On a bad value they reply the error named above and return false. */
bool call_int(struct call *c, int position, int64_t *value);
bool call_int_range(struct call *c, int position, int64_t min, int64_t max, int64_t *value,
                    const char *error); /* replaces the "not an integer" text; NULL: that one */
bool call_float(struct call *c, int position, long double *value);

/* Without case; false past the end. */
bool call_is_word(const struct call *c, int position, const char *word);

/* The object of a key, or NULL when there is none or it has expired (then its deletion is made part
 * of this run and the reply waits for it). Value loaded unless the command is CMD_HEAD_ONLY. */
struct object *call_find(struct call *c, struct bytes key);

/* As call_find, for the head only: type, expiry, sizes; never loads a value. */
struct object *call_find_head(struct call *c, struct bytes key);

/* call_find of a string: false after replying WRONGTYPE when it is something else. *object may be
 * NULL on true. */
bool call_find_string(struct call *c, struct bytes key, struct object **object);

/* call_find of a value of this type: false after replying WRONGTYPE when it is something else.
 * *value is NULL on true when there is no such key; a HEAD when the command is CMD_HEAD_ONLY. */
bool call_find_value(struct call *c, struct bytes key, enum object_type type,
                     const struct value **value);

/* Changing a value that is not a string. Begin gives the value of the key, a new empty one when
 * there is no such key; false after an error reply (WRONGTYPE, entry-max; the latter only before
 * the first change of this run, by the size of its arguments). Between begin and end no other
 * function here may be called but call_error and call_notify; the type's functions change
 * edit->value. End tells whether anything was changed: only then the key counts as changed. An
 * emptied value deletes the key ("del" is notified then), an unchanged new one is forgotten. Keeps
 * the expiry. */
bool call_edit(struct call *c, struct bytes key, enum object_type type, struct edit *edit);
void call_edit_end(struct call *c, struct bytes key, struct edit *edit, bool has_changed);

/* Sets key to a value whatever it was before; the value is taken, is not gone and belongs to no
 * key. call_reserve_value first. expire_ms as for call_set_string. */
void call_set_value(struct call *c, struct bytes key, struct value *value, int64_t expire_ms);
bool call_reserve_value(struct call *c, const struct value *value);

/* Refuses, with an error reply and false, a change that would make a string longer than
 * proto-max-bulk-len or an entry larger than entry-max. Before the change; size is that of the
 * value to be written. */
bool call_reserve(struct call *c, size_t size);

/* The first of the two alone, for the size that a string will have after a change of a part. */
bool call_check_string_size(struct call *c, uint64_t size);

/* Whether a command that only reads may change a value to remember what it found: not while writes
 * are refused, nor when `size` bytes more would not fit into the entry. */
bool call_may_cache(const struct call *c, size_t size);

enum { CALL_KEEP_EXPIRE = -1, CALL_NO_EXPIRE = 0 };

/* Sets key to a string whatever it was before. expire_ms: absolute, CALL_NO_EXPIRE,
 * CALL_KEEP_EXPIRE. A time that is not after now deletes the key instead. The value is copied. */
void call_set_string(struct call *c, struct bytes key, struct bytes value, int64_t expire_ms);

/* Changes a part of a string that exists (call_reserve first): [offset, offset+bytes.size), growing
 * with zero bytes when it lies beyond the end. Keeps the expiry. */
void call_write_string(struct call *c, struct bytes key, size_t offset, struct bytes bytes);

/* The key is a string: its value becomes the decimal of value. Keeps the expiry. */
void call_set_int(struct call *c, struct bytes key, int64_t value);

/* False when there was no such key. */
bool call_delete(struct call *c, struct bytes key);

/* The key exists. expire_ms: absolute or CALL_NO_EXPIRE; a time that is over deletes the key. */
void call_set_expire(struct call *c, struct bytes key, int64_t expire_ms);

/* `from` exists; `to` is replaced. Value and expiry go along; O(1) whatever the size. from ≠ to. */
void call_rename(struct call *c, struct bytes from, struct bytes to);

/* Blocking commands: what was asked for is not there. True: the request is parked until one of its
 * keys is changed in any way (then the function runs again from its beginning, in the order of
 * arrival), the time is over, or CLIENT UNBLOCK ends it; the function returns at once, having
 * changed and replied nothing. False: it may not wait (in a transaction, or its time is over): the
 * function replies its nil. timeout_ms 0: for ever; it counts from the first call. state: bytes
 * that the next run finds in c->block_state (what `$` meant when XREAD came, say); copied. */
bool call_block(struct call *c, int64_t timeout_ms, struct bytes state);

/* Of CMD_SUSPENDS commands: runs it on a helper thread, while this run is suspended with its shard,
 * so that what the command found stays as it is. The helper may read values of HOT_GARBAGE_SIZE and
 * more, nothing else that call.h gave. False: the run was cancelled meanwhile; the command returns,
 * and aside is not its own any more. */
bool call_run_aside(struct call *c, struct call_aside *aside);

/* Keyspace events (published by the server when notify-keyspace-events asks): class is one of
 * "g$lshzxetmdn" as in Redis. Called once per event by the command that caused it. */
void call_notify(struct call *c, char event_class, const char *event, struct bytes key);

int64_t call_expire_ms(const struct call *c, const struct object *object); /* 0: none */

/* Time since the object was last used, to about a tenth of a second. Meant for CMD_NO_TOUCH
 * commands: in others it was used just now. */
int64_t call_idle_seconds(const struct call *c, const struct object *object);

/* For commands that work on two databases (COPY, MOVE): what follows is done in `database`, which
 * is in range. Objects found before stay valid until something is changed. The command switches
 * back. */
void call_use_database(struct call *c, int database);

/* ---- the runner's ---- */

/* Whether the values of its keys, not only their heads, must be in memory for this run. */
static inline bool call_needs_values(const struct command *command, const struct bytes *argv,
                                     int argc)
{
    if (command->needs_values != NULL)
        return command->needs_values(argv, argc);
    return (command->flags & CMD_HEAD_ONLY) == 0;
}

/* Looks a key up ahead of the run and remembers the answer for it. False when it is cold: then
 * *order is its place and *object what memory has of it, or NULL. */
bool call_probe(struct call *c, struct bytes key, bool needs_value, uint64_t *order,
                struct object **object);

/* Runs the command function. When a key could not be read, the reply is an error instead. */
void call_run(struct call *c);

/* The reply depends on everything that the shard shows now (counts, a transaction refused). */
void call_depend_on_all(struct call *c);
