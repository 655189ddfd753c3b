/* KEYS, SCAN, RANDOMKEY and DBSIZE: commands that see the whole database, on every shard. */
#include "base/glob.h"
#include "base/number.h"
#include "exec/key_walk.h"
#include "keyspace/slot.h"

enum {
    KEYS_SLICE = 4096,
    SCAN_COUNT_DEFAULT = 10,
    SCAN_COUNT_MAX = 100000, /* of one slice; a larger COUNT is answered with as many */
    RANDOM_SLICE = 64,
    RANDOM_TRIES = 16,
};

static uint64_t first_order_of(const struct exec *exec, uint32_t shard)
{
    return (uint64_t)router_first_slot(exec->shard_count, shard) << 48;
}

static void read_failed(struct call *c)
{
    call_error(c, "IOERR keys could not be read from disk; see the log");
}

/* ---- KEYS ---- */

/* Collects into a buffer of its own, so that a failure in the middle leaves one error reply. */
struct key_list {
    struct reply reply;
    struct buf out;
    size_t count;
};

static void keys_of_slice(struct call *c, const struct key_slice *slice, struct bytes pattern,
                          struct key_list *list)
{
    for (size_t i = 0; i < slice->count; i++) {
        const struct walked_key *key = &slice->keys[i];
        if (!walked_key_is_alive(key, c->now_ms) || !glob_match(pattern, key->key, false))
            continue;
        reply_bulk(&list->reply, key->key);
        list->count++;
    }
}

static bool keys_of_shard(struct call *c, struct exec_shard *es, struct bytes pattern,
                          struct key_list *list)
{
    uint64_t from = 0;
    for (;;) {
        struct key_slice slice;
        if (!key_slice_read(run_of(c), es, c->database, from, KEYS_SLICE, &slice))
            return false;
        keys_of_slice(c, &slice, pattern, list);
        bool is_complete = slice.is_complete;
        from = slice.next;
        key_slice_free(&slice);
        if (is_complete)
            return true;
    }
}

static void keys_command(struct call *c)
{
    struct exec *exec = run_of(c)->exec;
    struct key_list list = {0};
    list.reply = (struct reply){.out = &list.out, .protocol = c->reply.protocol};
    bool is_ok = true;
    for (uint32_t id = 0; id < exec->shard_count && is_ok; id++)
        is_ok = !exec_leads(&exec->shards[id]) ||
                keys_of_shard(c, &exec->shards[id], c->argv[1], &list);
    if (is_ok) {
        reply_array(&c->reply, list.count);
        buf_append(c->reply.out, buf_bytes(&list.out));
    } else {
        read_failed(c);
    }
    buf_free(&list.out);
}

/* ---- SCAN ---- */

struct scan {
    uint64_t cursor;
    int64_t count;
    struct bytes pattern; /* size 0 with has_pattern false: all */
    bool has_pattern;
    int type; /* TYPE_NONE: any; -1: a type that no key has */
};

static int type_to_scan(struct bytes name)
{
    enum object_type type = type_by_name(name);
    return type == TYPE_NONE ? -1 : (int)type;
}

static bool scan_option(struct call *c, int at, struct scan *scan)
{
    if (call_is_word(c, at, "count")) {
        if (!call_int(c, at + 1, &scan->count))
            return false;
        if (scan->count >= 1)
            return true;
    } else if (call_is_word(c, at, "match")) {
        scan->pattern = c->argv[at + 1];
        scan->has_pattern = true;
        return true;
    } else if (call_is_word(c, at, "type")) {
        scan->type = type_to_scan(c->argv[at + 1]);
        return true;
    }
    call_error_syntax(c);
    return false;
}

static bool scan_arguments(struct call *c, struct scan *scan)
{
    *scan = (struct scan){.count = SCAN_COUNT_DEFAULT, .type = TYPE_NONE};
    if (!number_parse_u64(c->argv[1], &scan->cursor)) {
        call_error(c, "ERR invalid cursor");
        return false;
    }
    for (int at = 2; at < c->argc; at += 2) {
        if (at + 1 >= c->argc) {
            call_error_syntax(c);
            return false;
        }
        if (!scan_option(c, at, scan))
            return false;
    }
    if (scan->count > SCAN_COUNT_MAX)
        scan->count = SCAN_COUNT_MAX;
    return true;
}

static bool scan_wants(const struct call *c, const struct scan *scan, const struct walked_key *key)
{
    return walked_key_is_alive(key, c->now_ms) &&
           (scan->type == TYPE_NONE || scan->type == key->type) &&
           (!scan->has_pattern || glob_match(scan->pattern, key->key, false));
}

static void scan_reply(struct call *c, const struct scan *scan, const struct key_slice *slice,
                       uint64_t next)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    reply_array(&c->reply, 2);
    reply_bulk(&c->reply, bytes_of(text, number_format_u64(text, next)));
    size_t count = 0;
    for (size_t i = 0; i < slice->count; i++)
        count += scan_wants(c, scan, &slice->keys[i]);
    reply_array(&c->reply, count);
    for (size_t i = 0; i < slice->count; i++) {
        if (scan_wants(c, scan, &slice->keys[i]))
            reply_bulk(&c->reply, slice->keys[i].key);
    }
}

/* The next shard that is led here; shard_count: none. */
static uint32_t next_led(const struct exec *exec, uint32_t shard)
{
    while (shard < exec->shard_count && !exec_leads(&exec->shards[shard]))
        shard++;
    return shard;
}

/* A cursor is slot and hash of the next key, so it means the same on every node and after a
 * restart; shards hold consecutive slots, so it leads from one to the next. */
static void scan_command(struct call *c)
{
    struct exec *exec = run_of(c)->exec;
    struct scan scan;
    if (!scan_arguments(c, &scan))
        return;
    uint64_t slot = scan.cursor >> 48;
    uint32_t shard = router_shard_of_slot(exec->shard_count, (uint16_t)(slot % SLOT_COUNT));
    struct key_slice slice = {0};
    uint64_t next = 0;
    uint32_t led = slot < SLOT_COUNT ? next_led(exec, shard) : exec->shard_count;
    if (led < exec->shard_count) {
        uint64_t from = led == shard ? scan.cursor : first_order_of(exec, led);
        if (!key_slice_read(run_of(c), &exec->shards[led], c->database, from, (size_t)scan.count,
                            &slice)) {
            read_failed(c);
            return;
        }
        uint32_t after = next_led(exec, led + 1);
        if (!slice.is_complete)
            next = slice.next;
        else if (after < exec->shard_count)
            next = first_order_of(exec, after);
    }
    scan_reply(c, &scan, &slice, next);
    key_slice_free(&slice);
}

/* ---- RANDOMKEY ---- */

/* When memory has every key, one of its objects: uniform. */
static bool random_from_memory(struct call *c, const struct keyspace *keyspace, struct prng *prng)
{
    for (int i = 0; i < RANDOM_TRIES; i++) {
        const struct object *object = table_sample(&keyspace->table, prng_next(prng));
        if (object == NULL || !object_is_present(object) ||
            (object->has_expire && object_expire_ms(object) <= c->now_ms))
            continue;
        reply_bulk(&c->reply, object_key(object));
        return true;
    }
    return false;
}

/* Otherwise one of the keys behind a random place; around the end if there are none. 1: replied,
 * 0: no key there, -1: reading failed. */
static int random_from_rows(struct call *c, struct exec_shard *es, uint64_t from, struct prng *prng)
{
    struct key_slice slice;
    if (!key_slice_read(run_of(c), es, c->database, from, RANDOM_SLICE, &slice))
        return -1;
    size_t alive = 0;
    for (size_t i = 0; i < slice.count; i++) {
        if (walked_key_is_alive(&slice.keys[i], c->now_ms))
            slice.keys[alive++] = slice.keys[i];
    }
    if (alive > 0)
        reply_bulk(&c->reply, slice.keys[prng_below(prng, alive)].key);
    key_slice_free(&slice);
    return alive > 0;
}

static uint64_t random_order(const struct exec *exec, uint32_t shard, struct prng *prng)
{
    uint64_t low = first_order_of(exec, shard);
    uint64_t high = shard + 1 < exec->shard_count ? first_order_of(exec, shard + 1)
                                                  : (uint64_t)SLOT_COUNT << 48;
    return low + prng_below(prng, high - low);
}

static int64_t keys_of(const struct exec *exec, uint32_t shard, int database)
{
    const struct exec_shard *es = &exec->shards[shard];
    return exec_leads(es) ? es->hot->databases[database]->keys : 0;
}

static int64_t led_keys(const struct exec *exec, int database)
{
    int64_t keys = 0;
    for (uint32_t id = 0; id < exec->shard_count; id++)
        keys += keys_of(exec, id, database);
    return keys;
}

/* The shard is drawn by how many keys each has; NULL: no keys at all. */
static struct exec_shard *random_shard(struct exec *exec, int database, struct prng *prng)
{
    int64_t keys = led_keys(exec, database);
    if (keys <= 0)
        return NULL;
    uint64_t at = prng_below(prng, (uint64_t)keys);
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        uint64_t here = (uint64_t)keys_of(exec, id, database);
        if (at < here)
            return &exec->shards[id];
        at -= here;
    }
    UNREACHABLE();
}

static void depend_on_all_shards(struct call *c)
{
    struct exec *exec = run_of(c)->exec;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        if (exec_leads(&exec->shards[id]))
            exec_depend(run_of(c), &exec->shards[id], hot_gate_all(exec->shards[id].hot));
    }
}

static void randomkey_command(struct call *c)
{
    struct exec *exec = run_of(c)->exec;
    struct prng prng = prng_init(c->random);
    for (int i = 0; i < RANDOM_TRIES; i++) {
        depend_on_all_shards(c); /* each time: a try that waited shows what is there after it */
        struct exec_shard *es = random_shard(exec, c->database, &prng);
        if (es == NULL)
            break;
        const struct keyspace *keyspace = es->hot->databases[c->database];
        if (es->holder == NULL && keyspace->is_complete && random_from_memory(c, keyspace, &prng))
            return;
        int found = random_from_rows(c, es, random_order(exec, es->id, &prng), &prng);
        if (found == 0)
            found = random_from_rows(c, es, first_order_of(exec, es->id), &prng);
        if (found < 0)
            read_failed(c);
        if (found != 0)
            return;
    }
    reply_null(&c->reply);
}

/* ---- DBSIZE ---- */

static void dbsize_command(struct call *c)
{
    depend_on_all_shards(c);
    reply_int(&c->reply, led_keys(run_of(c)->exec, c->database));
}

static const struct argument KEYS_ARGUMENTS[] = {{.name = "pattern", .type = ARG_PATTERN}, {0}};

static const struct argument SCAN_ARGUMENTS[] = {
    {.name = "cursor", .type = ARG_INTEGER},
    {.name = "pattern", .type = ARG_PATTERN, .flags = ARG_OPTIONAL, .token = "MATCH"},
    {.name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL, .token = "COUNT"},
    {.name = "type", .type = ARG_STRING, .flags = ARG_OPTIONAL, .token = "TYPE", .since = "6.0.0"},
    {0},
};

static const struct command_history SCAN_HISTORY[] = {{"6.0.0", "Added the `TYPE` subcommand."},
                                                      {0}};

static const char *const KEYS_TIPS[] = {"request_policy:all_shards",
                                        "nondeterministic_output_order", NULL};
static const char *const SCAN_TIPS[] = {"nondeterministic_output", "request_policy:special",
                                        "response_policy:special", NULL};
static const char *const RANDOMKEY_TIPS[] = {"request_policy:all_shards", "response_policy:special",
                                             "nondeterministic_output", NULL};
static const char *const DBSIZE_TIPS[] = {"request_policy:all_shards", "response_policy:agg_sum",
                                          NULL};

const struct command exec_keys_commands[] = {
    {.name = "keys",
     .summary = "Returns all key names that match a pattern.",
     .complexity = "O(N) with N being the number of keys in the database.",
     .since = "1.0.0",
     .group = GROUP_GENERIC,
     .arity = 2,
     .flags = CMD_READONLY | CMD_ALL_SHARDS | CMD_SUSPENDS,
     .function = keys_command,
     .arguments = KEYS_ARGUMENTS,
     .tips = KEYS_TIPS,
     .acl_extra = "@dangerous"},
    {.name = "scan",
     .summary = "Iterates over the key names in the database.",
     .complexity = "O(1) for every call. O(N) for a complete iteration.",
     .since = "2.8.0",
     .group = GROUP_GENERIC,
     .arity = -2,
     .flags = CMD_READONLY | CMD_TOUCHES_ARBITRARY_KEYS | CMD_ALL_SHARDS | CMD_SUSPENDS,
     .function = scan_command,
     .arguments = SCAN_ARGUMENTS,
     .history = SCAN_HISTORY,
     .tips = SCAN_TIPS},
    {.name = "randomkey",
     .summary = "Returns a random key name from the database.",
     .complexity = "O(1)",
     .since = "1.0.0",
     .group = GROUP_GENERIC,
     .arity = 1,
     .flags = CMD_READONLY | CMD_TOUCHES_ARBITRARY_KEYS | CMD_ALL_SHARDS | CMD_SUSPENDS,
     .function = randomkey_command,
     .tips = RANDOMKEY_TIPS},
    {.name = "dbsize",
     .summary = "Returns the number of keys in the database.",
     .complexity = "O(1)",
     .since = "1.0.0",
     .group = GROUP_SERVER,
     .arity = 1,
     .flags = CMD_READONLY | CMD_FAST | CMD_ALL_SHARDS,
     .function = dbsize_command,
     .tips = DBSIZE_TIPS,
     .acl_extra = "@keyspace"},
    {0},
};
