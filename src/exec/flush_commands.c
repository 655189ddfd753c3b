/* FLUSHDB, FLUSHALL and SWAPDB: a database is a name for a keyspace id, so these are O(1) rows;
 * what the old id held is swept later. */
#include "exec/internal.h"
#include "keyspace/slot.h"
#include "keyspace/watch.h"

static bool flush_arguments(struct call *c)
{
    if (c->argc == 1)
        return true;
    if (c->argc == 2 && (call_is_word(c, 1, "async") || call_is_word(c, 1, "sync")))
        return true;
    call_error_syntax(c);
    return false;
}

struct watched {
    struct hot *hot;
    int database;
};

/* A watched key that is not in memory may exist: then the flush counts as a change of it. */
static bool may_exist(void *context, struct bytes key)
{
    const struct watched *watched = context;
    const struct keyspace *keyspace = watched->hot->databases[watched->database];
    struct object *object;
    uint64_t order = hot_order(watched->hot, slot_of_key(key), key);
    return hot_find(watched->hot, watched->hot->databases[watched->database], order, key, HOT_HEAD,
                    &object) != HOT_MISSING &&
           keyspace->keys > 0;
}

static void flush_shard(struct call *c, struct exec_shard *es, int database)
{
    struct watched watched = {es->hot, database};
    exec_open_entry(es);
    watch_touch_database(es->hot->watches, database, may_exist, &watched);
    c->changes += (uint64_t)es->hot->databases[database]->keys;
    struct keyspace *old = hot_flush_database(es->hot, database);
    exec_abandon_loads(es, old);
    exec_depend(run_of(c), es, es->hot->open_index);
}

static void flush_databases(struct call *c, int first, int last)
{
    struct exec *exec = run_of(c)->exec;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        for (int database = first; database <= last && exec_leads(&exec->shards[id]); database++)
            flush_shard(c, &exec->shards[id], database);
    }
    c->found_count = 0;
    if (c->hot != NULL)
        c->keyspace = c->hot->databases[c->database];
    reply_ok(&c->reply);
}

static void flushdb_command(struct call *c)
{
    if (flush_arguments(c))
        flush_databases(c, c->database, c->database);
}

static void flushall_command(struct call *c)
{
    if (flush_arguments(c))
        flush_databases(c, 0, HOT_DATABASES - 1);
}

/* Both must be numbers before either is held to the range. */
static bool database_arguments(struct call *c, int *a, int *b)
{
    int64_t first, second;
    if (!call_int_range(c, 1, INT32_MIN, INT32_MAX, &first, "ERR invalid first DB index") ||
        !call_int_range(c, 2, INT32_MIN, INT32_MAX, &second, "ERR invalid second DB index"))
        return false;
    if (first < 0 || first >= HOT_DATABASES || second < 0 || second >= HOT_DATABASES) {
        call_error(c, "ERR DB index is out of range");
        return false;
    }
    *a = (int)first;
    *b = (int)second;
    return true;
}

static void swap_on(struct call *c, struct exec_shard *es, int a, int b)
{
    exec_open_entry(es);
    struct watched in_a = {es->hot, a}, in_b = {es->hot, b};
    watch_touch_database(es->hot->watches, a, may_exist, &in_a);
    watch_touch_database(es->hot->watches, b, may_exist, &in_b);
    hot_swap_databases(es->hot, a, b);
    watch_touch_database(es->hot->watches, a, may_exist, &in_a);
    watch_touch_database(es->hot->watches, b, may_exist, &in_b);
    exec_depend(run_of(c), es, es->hot->open_index);
}

static void swapdb_command(struct call *c)
{
    struct exec *exec = run_of(c)->exec;
    int a, b;
    if (!database_arguments(c, &a, &b))
        return;
    if (exec->shard_count > 1) {
        call_error(
            c, "ERR SWAPDB needs a server with one shard: it cannot be made atomic over several");
        return;
    }
    if (a != b)
        swap_on(c, &exec->shards[0], a, b);
    c->changes++;
    c->found_count = 0;
    c->keyspace = c->hot->databases[c->database];
    reply_ok(&c->reply);
}

static const struct argument FLUSH_TYPES[] = {
    {.name = "async", .type = ARG_PURE_TOKEN, .token = "ASYNC", .since = "4.0.0"},
    {.name = "sync", .type = ARG_PURE_TOKEN, .token = "SYNC", .since = "6.2.0"},
    {0},
};

static const struct argument FLUSH_ARGUMENTS[] = {
    {.name = "flush-type", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = FLUSH_TYPES},
    {0},
};

static const struct argument SWAPDB_ARGUMENTS[] = {
    {.name = "index1", .type = ARG_INTEGER},
    {.name = "index2", .type = ARG_INTEGER},
    {0},
};

static const struct command_history FLUSH_HISTORY[] = {
    {"4.0.0", "Added the `ASYNC` flushing mode modifier."},
    {"6.2.0", "Added the `SYNC` flushing mode modifier."},
    {0},
};

static const char *const FLUSH_TIPS[] = {"request_policy:all_shards",
                                         "response_policy:all_succeeded", NULL};

const struct command exec_flush_commands[] = {
    {.name = "flushdb",
     .summary = "Removes all keys from the current database.",
     .complexity = "O(1); what was stored is swept in the background",
     .since = "1.0.0",
     .group = GROUP_SERVER,
     .arity = -1,
     .flags = CMD_WRITE | CMD_ALL_SHARDS,
     .function = flushdb_command,
     .arguments = FLUSH_ARGUMENTS,
     .history = FLUSH_HISTORY,
     .tips = FLUSH_TIPS,
     .acl_extra = "@keyspace @dangerous"},
    {.name = "flushall",
     .summary = "Removes all keys from all databases.",
     .complexity = "O(1); what was stored is swept in the background",
     .since = "1.0.0",
     .group = GROUP_SERVER,
     .arity = -1,
     .flags = CMD_WRITE | CMD_ALL_SHARDS,
     .function = flushall_command,
     .arguments = FLUSH_ARGUMENTS,
     .history = FLUSH_HISTORY,
     .tips = FLUSH_TIPS,
     .acl_extra = "@keyspace @dangerous"},
    {.name = "swapdb",
     .summary = "Swaps two databases.",
     .complexity = "O(1)",
     .since = "4.0.0",
     .group = GROUP_SERVER,
     .arity = 3,
     .flags = CMD_WRITE | CMD_FAST | CMD_ALL_SHARDS,
     .function = swapdb_command,
     .arguments = SWAPDB_ARGUMENTS,
     .acl_extra = "@keyspace @dangerous"},
    {0},
};
