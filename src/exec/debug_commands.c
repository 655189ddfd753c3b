/* DEBUG: SLEEP, OBJECT, RELOAD, SET-ACTIVE-EXPIRE. Whether a client may is the home's question. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/number.h"
#include "exec/key_walk.h"
#include "keyspace/slot.h"

enum {
    RELOAD_SLICE = 1024,
    IDLE_UNIT_MS = 65, /* object.access counts 2^16 microseconds */
};

static void debug_sleep(struct call *c)
{
    double seconds;
    if (!number_parse_double(c->argv[2], &seconds) || seconds < 0 || seconds > 86400) {
        call_error_not_float(c);
        return;
    }
    struct timespec left = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
    reply_ok(&c->reply);
}

/* ---- OBJECT ---- */

static const char *encoding_name(const struct object *object)
{
    enum { EMBSTR_SIZE_MAX = 44 }; /* what Redis calls embstr */
    if (object->type != TYPE_STRING)
        return type_of(object->type)->encoding(object_pointer(object));
    if (object->encoding == ENCODING_INT)
        return "int";
    return object->encoding == ENCODING_EMBEDDED && object->value_size <= EMBSTR_SIZE_MAX ? "embstr"
                                                                                          : "raw";
}

static size_t serialized_size(const struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX];
    if (object->type == TYPE_STRING)
        return string_value(object, scratch).size;
    return value_rows_size(object_pointer(object));
}

static struct object *find_now(struct run *run, struct exec_shard *es, struct bytes key)
{
    uint64_t order = hot_order(es->hot, slot_of_key(key), key);
    for (;;) {
        struct keyspace *keyspace = es->hot->databases[run->call.database];
        struct object *object;
        struct load *load;
        switch (hot_find(es->hot, keyspace, order, key, HOT_VALUE, &object)) {
        case HOT_PRESENT:
            return object;
        case HOT_MISSING:
            return NULL;
        case HOT_COLD:
            load = exec_load(es, keyspace, order, key, object, true);
            if (run->is_cancelled || (load != NULL && !exec_wait_for_load(run, load))) {
                run->call.is_broken = true;
                return NULL;
            }
            break;
        }
    }
}

static void debug_object(struct call *c)
{
    struct run *run = run_of(c);
    struct bytes key = c->argv[2];
    struct exec_shard *es =
        &run->exec->shards[router_shard_of_slot(run->exec->shard_count, slot_of_key(key))];
    struct object *object = find_now(run, es, key);
    if (object == NULL) {
        call_error(c, "ERR no such key");
        return;
    }
    exec_depend(run, es, hot_gate(es->hot, es->hot->databases[c->database], object));
    char text[256];
    uint64_t idle_ms = (uint64_t)(es->hot->clock - object->access) * IDLE_UNIT_MS;
    (void)snprintf(
        text, sizeof(text),
        "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%llu",
        (void *)object, encoding_name(object), serialized_size(object), object->access,
        (unsigned long long)(idle_ms / 1000));
    reply_simple(&c->reply, text);
}

/* ---- RELOAD ---- */

static bool is_clean(const struct exec *exec)
{
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        if (!exec_leads(es))
            continue;
        if (shard_applied_index(es->shard) != shard_last_index(es->shard) ||
            !fsm_is_clean(shard_fsm(es->shard)))
            return false;
    }
    return true;
}

static void load_slice(struct run *run, struct exec_shard *es, int database,
                       const struct key_slice *slice)
{
    for (size_t i = 0; i < slice->count; i++) {
        struct keyspace *keyspace = es->hot->databases[database];
        struct object *object;
        const struct walked_key *key = &slice->keys[i];
        if (hot_find(es->hot, keyspace, key->order, key->key, HOT_VALUE, &object) != HOT_COLD)
            continue;
        struct load *load = exec_load(es, keyspace, key->order, key->key, object, true);
        if (load != NULL)
            exec_wait_for(load, run->request);
    }
    while (!list_is_empty(&run->request->wait.loads))
        exec_yield(run);
}

static bool load_database(struct run *run, struct exec_shard *es, int database)
{
    uint64_t from = 0;
    for (bool is_complete = false; !is_complete;) {
        struct key_slice slice;
        if (!key_slice_read(run, es, database, from, RELOAD_SLICE, &slice))
            return false;
        load_slice(run, es, database, &slice);
        is_complete = slice.is_complete;
        from = slice.next;
        key_slice_free(&slice);
    }
    return true;
}

static void debug_reload(struct call *c)
{
    struct run *run = run_of(c);
    struct exec *exec = run->exec;
    for (uint32_t id = 0; id < exec->shard_count; id++)
        exec_close_entry(&exec->shards[id]);
    exec->wants_flush = true;
    while (!is_clean(exec) && !run->is_cancelled)
        exec_wait_a_turn(run);
    exec->wants_flush = false;
    uint64_t errors = exec->counters.load_errors;
    bool is_ok = true;
    for (uint32_t id = 0; id < exec->shard_count && is_ok && !run->is_cancelled; id++) {
        if (!exec_leads(&exec->shards[id]))
            continue;
        hot_drop_clean(exec->shards[id].hot);
        for (int database = 0; database < HOT_DATABASES && is_ok; database++)
            is_ok = exec->shards[id].hot->databases[database]->keys == 0 ||
                    load_database(run, &exec->shards[id], database);
    }
    if (is_ok && exec->counters.load_errors == errors)
        reply_ok(&c->reply);
    else
        call_error(c, "IOERR keys could not be read from disk; see the log");
}

static void debug_active_expiry(struct call *c)
{
    exec_set_active_expiry(run_of(c)->exec, !bytes_equal(c->argv[2], BYTES_LITERAL("0")));
    reply_ok(&c->reply);
}

static void debug_help(struct call *c)
{
    static const char *const LINES[] = {
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "OBJECT <key>",
        "    Show low level info about the value of <key>.",
        "RELOAD",
        "    Flush everything to disk, drop it from memory and load it back.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Setting it to 0 disables the deletion of expired keys that nobody asks for.",
        "SLEEP <seconds>",
        "    Stop the server for <seconds>. Decimals allowed.",
        "HELP",
        "    Print this help.",
    };
    reply_array(&c->reply, COUNT_OF(LINES));
    for (size_t i = 0; i < COUNT_OF(LINES); i++)
        reply_simple(&c->reply, LINES[i]);
}

static void debug_command(struct call *c)
{
    if (call_is_word(c, 1, "sleep") && c->argc == 3)
        debug_sleep(c);
    else if (call_is_word(c, 1, "object") && c->argc >= 3)
        debug_object(c);
    else if (call_is_word(c, 1, "reload") && !c->in_transaction)
        debug_reload(c);
    else if (call_is_word(c, 1, "set-active-expire") && c->argc == 3)
        debug_active_expiry(c);
    else if (call_is_word(c, 1, "help") && c->argc == 2)
        debug_help(c);
    else
        call_error(
            c, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
            (int)(c->argv[1].size < 128 ? c->argv[1].size : 128), (const char *)c->argv[1].data);
}

const struct command exec_debug_commands[] = {
    {.name = "debug",
     .summary = "A container for debugging commands.",
     .complexity = "Depends on subcommand.",
     .since = "1.0.0",
     .group = GROUP_SERVER,
     .arity = -2,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PROTECTED | CMD_ALL_SHARDS |
              CMD_SUSPENDS,
     .function = debug_command},
    {0},
};
