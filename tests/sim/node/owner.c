#include "owner.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "keyspace/slot.h"
#include "server/frontend.h"

enum {
    MILLION = 1000000,
    HISTORY_MAX = 400, /* answered requests kept before the synced ones are folded */
    KEYS_NAMED_MAX = 16,
};

void owner_init(struct owner *owner, struct world *world, int number,
                const struct owner_options *options)
{
    *owner = (struct owner){.world = world, .options = *options, .number = number};
    owner->prng = prng_init(prng_next(&world->prng));
    int first = number * MODEL_DATABASES;
    model_init(&owner->acked, first, options->tags);
    model_init(&owner->base, first, options->tags);
    model_init(&owner->actual, first, options->tags);
    owner->steps = mem_alloc((size_t)(2 * MODEL_KEYS_MAX + 2) * sizeof(*owner->steps));
}

void owner_fini(struct owner *owner)
{
    for (size_t i = 0; i < owner->op_count; i++)
        op_free(owner->ops[i]);
    mem_free(owner->ops);
    mem_free(owner->steps);
    model_fini(&owner->acked);
    model_fini(&owner->base);
    model_fini(&owner->actual);
    buf_free(&owner->unsent);
    buf_free(&owner->received);
}

static bool keeps_history(const struct owner *owner)
{
    return owner->world->options.appendfsync != CONFIG_FSYNC_ALWAYS;
}

static uint32_t shard_of(const struct owner *owner, int key)
{
    char name[MODEL_KEY_NAME_MAX];
    return (uint32_t)slot_of_key(model_key_name(key, name)) * owner->world->options.shards /
           SLOT_COUNT;
}

/* ---- requests ---- */

static void push(struct owner *owner, struct op *op)
{
    if (owner->op_count == owner->op_capacity) {
        owner->op_capacity = owner->op_capacity * 2 + 64;
        owner->ops = mem_realloc(owner->ops, owner->op_capacity * sizeof(struct op *));
    }
    owner->ops[owner->op_count++] = op;
    op_append_wire(op, &owner->unsent);
}

static void drop_first(struct owner *owner, size_t count)
{
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        op_free(owner->ops[i]);
    owner->op_count -= count;
    memmove(owner->ops, owner->ops + count, owner->op_count * sizeof(struct op *));
    owner->acked_count -= count < owner->acked_count ? count : owner->acked_count;
    owner->required -= count < owner->required ? count : owner->required;
}

static void hand_over(struct owner *owner)
{
    if (owner->client != NULL && owner->unsent.size > 0 &&
        server_client_input(owner->client, buf_bytes(&owner->unsent)))
        buf_clear(&owner->unsent);
}

void owner_send(struct owner *owner)
{
    if (owner->client == NULL || owner->is_verifying)
        return;
    while (owner->op_count - owner->acked_count < owner->options.depth_max) {
        struct op *op = owner_draw(owner);
        if (op == NULL)
            break;
        push(owner, op);
    }
    hand_over(owner);
}

bool owner_is_idle(const struct owner *owner)
{
    return !owner->is_verifying && owner->client != NULL && owner->acked_count == owner->op_count;
}

void owner_end_with(struct owner *owner, const char *command)
{
    struct op *op = op_new(OP_PLAIN);
    op_command(op, command);
    push(owner, op);
    hand_over(owner);
}

/* ---- judging replies ---- */

static void wrong(struct owner *owner, const struct op *op, struct bytes reply,
                  const char *expected)
{
    struct buf text = {0};
    op_describe(op, &text);
    world_violation(owner->world,
                    "owner %d, database %d: %.*s: expected %.80s, got %zu bytes: %.*s",
                    owner->number, owner->acked.first_database + owner->acked.database,
                    (int)text.size, (const char *)text.data, expected, reply.size,
                    reply.size < 80 ? (int)reply.size : 80, (const char *)reply.data);
}

static void run_commands(struct model *model, const struct op *op, int64_t now_ms,
                         struct buf *reply)
{
    struct bytes argv[OP_ARGS_MAX];
    if (op->is_refused && op->kind == OP_MULTI)
        model->watched = MODEL_NO_KEY; /* EXEC was met all the same */
    if (op->is_refused)
        return;
    if (op->kind != OP_PLAIN && op->kind != OP_MULTI)
        return;
    bool is_watching = model->watched != MODEL_NO_KEY;
    if (op->kind == OP_MULTI && is_watching && model->is_dirty) {
        buf_append_string(reply, "*-1\r\n");
    } else {
        if (op->kind == OP_MULTI)
            buf_printf(reply, "*%d\r\n", op->command_count);
        for (int i = 0; i < op->command_count; i++)
            model_run(model, argv, op_argv(op, i, argv), now_ms, reply);
    }
    if (op->kind == OP_MULTI)
        model->watched = MODEL_NO_KEY;
}

/* The one key whose expiry may or may not have passed when the node ran this; NULL: none. */
static struct model_key *doubtful_key(struct owner *owner, const struct op *op)
{
    struct bytes argv[OP_ARGS_MAX];
    int keys[KEYS_NAMED_MAX];
    bool is_all = false;
    if (op->kind != OP_PLAIN)
        return NULL;
    int argc = op_argv(op, 0, argv);
    int count = model_keys_named(argv, argc, keys, KEYS_NAMED_MAX, &is_all);
    struct model_key *key = &owner->acked.keys[owner->acked.database][count > 0 ? keys[0] : 0];
    bool is_doubtful = count > 0 && key->is_present && key->expire_ms > op->earliest_ms &&
                       key->expire_ms <= owner->world->latest_ms;
    return is_doubtful ? key : NULL;
}

static void judge_exact(struct owner *owner, const struct op *op, struct bytes reply)
{
    struct model_key *doubtful = doubtful_key(owner, op);
    struct model_key before = {0};
    struct buf expected = {0};
    if (doubtful != NULL)
        model_key_copy(&before, doubtful);
    run_commands(&owner->acked, op, op->earliest_ms, &expected);
    if (doubtful != NULL && !bytes_equal(buf_bytes(&expected), reply)) {
        model_key_copy(doubtful, &before);
        buf_clear(&expected);
        run_commands(&owner->acked, op, owner->world->latest_ms, &expected);
    }
    if (!bytes_equal(buf_bytes(&expected), reply)) {
        buf_append_u8(&expected, 0);
        wrong(owner, op, reply, (const char *)expected.data);
    }
    buf_free(&before.value);
    buf_free(&expected);
}

/* Every key that lives for certain was seen, and nothing that certainly does not exist. */
static void judge_seen(struct owner *owner, const struct op *op, struct bytes reply,
                       const bool *seen, int64_t earliest_ms)
{
    const struct model *model = &owner->acked;
    for (int i = 0; i < model->key_count; i++) {
        const struct model_key *key = &model->keys[model->database][i];
        bool may_live = key->is_present && (key->expire_ms == 0 || key->expire_ms > earliest_ms);
        bool must_live =
            key->is_present && (key->expire_ms == 0 || key->expire_ms > owner->world->latest_ms);
        char text[64];
        (void)snprintf(text, sizeof(text), "%s {%d}%d", must_live ? "also" : "not", i / MODEL_PARTS,
                       i % MODEL_PARTS);
        if ((seen[i] && !may_live) || (!seen[i] && must_live))
            wrong(owner, op, reply, text);
    }
}

static void take_names(struct owner *owner, const struct op *op, struct bytes reply, bool *seen)
{
    struct bytes rest = reply;
    struct bytes name;
    int64_t count;
    if (!reply_take_count(&rest, &count))
        wrong(owner, op, reply, "an array");
    for (int64_t i = 0; i < count; i++) {
        int key = reply_take_bulk(&rest, &name) ? model_key_of(name) : MODEL_NO_KEY;
        if (key == MODEL_NO_KEY || key >= owner->acked.key_count)
            wrong(owner, op, reply, "names of keys");
        seen[key] = true;
    }
}

static void judge_keys(struct owner *owner, const struct op *op, struct bytes reply)
{
    bool seen[MODEL_KEYS_MAX] = {false};
    take_names(owner, op, reply, seen);
    judge_seen(owner, op, reply, seen, op->earliest_ms);
}

static void judge_scan(struct owner *owner, const struct op *op, struct bytes reply)
{
    struct bytes rest = reply;
    struct bytes cursor;
    int64_t count;
    if (!reply_take_count(&rest, &count) || count != 2 || !reply_take_bulk(&rest, &cursor) ||
        !number_parse_u64(cursor, &owner->scan_cursor))
        wrong(owner, op, reply, "a cursor and names");
    take_names(owner, op, rest, owner->scan_seen);
    if (op->earliest_ms < owner->scan_earliest_ms)
        owner->scan_earliest_ms = op->earliest_ms;
    if (owner->scan_cursor != 0)
        return;
    judge_seen(owner, op, reply, owner->scan_seen, owner->scan_earliest_ms);
    owner->is_scanning = false;
}

static void judge_dbsize(struct owner *owner, const struct op *op, struct bytes reply)
{
    struct bytes rest = reply;
    int64_t count;
    int64_t min = model_count_alive(&owner->acked, owner->world->latest_ms);
    int64_t max = model_count_alive(&owner->acked, 0);
    char text[64];
    (void)snprintf(text, sizeof(text), "%lld to %lld", (long long)min, (long long)max);
    if (!reply_take_count(&rest, &count) || count < min || count > max)
        wrong(owner, op, reply, text);
}

static void judge_randomkey(struct owner *owner, const struct op *op, struct bytes reply)
{
    struct bytes rest = reply;
    struct bytes name;
    bool is_empty = model_count_alive(&owner->acked, owner->world->latest_ms) == 0;
    if (reply_starts(reply, "$-1")) {
        if (!is_empty && model_count_alive(&owner->acked, 0) ==
                             model_count_alive(&owner->acked, owner->world->latest_ms))
            wrong(owner, op, reply, "a key");
        return;
    }
    int key = reply_take_bulk(&rest, &name) ? model_key_of(name) : MODEL_NO_KEY;
    const struct model_key *found =
        key == MODEL_NO_KEY ? NULL : &owner->acked.keys[owner->acked.database][key];
    if (found == NULL || !found->is_present ||
        (found->expire_ms != 0 && found->expire_ms <= op->earliest_ms))
        wrong(owner, op, reply, "a key that exists");
}

/* Errors that say that nothing was done, when there is a reason for them. */
static bool is_refusal(const struct owner *owner, struct bytes reply)
{
    if (reply_starts(reply, "-MISCONF") || reply_starts(reply, "-EXECABORT"))
        return owner->world->had_full;
    return reply_starts(reply, "-IOERR") && owner->world->had_read_fault;
}

static void trace_reply(const struct owner *owner, const struct op *op, struct bytes reply)
{
    if (!owner->world->is_traced)
        return;
    struct buf text = {0};
    op_describe(op, &text);
    world_trace(owner->world, "owner %d: %.*s -> %.*s", owner->number, (int)text.size,
                (const char *)text.data, reply.size < 60 ? (int)reply.size : 60,
                (const char *)reply.data);
    buf_free(&text);
}

static void judge(struct owner *owner, struct op *op, struct bytes reply)
{
    owner->replies++;
    trace_reply(owner, op, reply);
    if (is_refusal(owner, reply)) {
        owner->refusals++;
        op->is_refused = true;
        if (op->kind == OP_SCAN)
            owner->is_scanning = false;
        run_commands(&owner->acked, op, 0, NULL);
        return;
    }
    switch (op->kind) {
    case OP_PLAIN:
    case OP_MULTI:
        judge_exact(owner, op, reply);
        break;
    case OP_KEYS:
        judge_keys(owner, op, reply);
        break;
    case OP_SCAN:
        judge_scan(owner, op, reply);
        break;
    case OP_DBSIZE:
        judge_dbsize(owner, op, reply);
        break;
    case OP_RANDOMKEY:
        judge_randomkey(owner, op, reply);
        break;
    }
}

/* The bytes of all replies to an op; false when they are not complete. *last is the one that tells.
 */
static bool take_replies(const struct op *op, struct bytes data, size_t *size, struct bytes *last)
{
    *size = 0;
    for (int i = op_reply_count(op); i > 0; i--) {
        size_t one = reply_size(bytes_of(data.data + *size, data.size - *size));
        if (one == 0)
            return false;
        *last = bytes_of(data.data + *size, one);
        *size += one;
    }
    return true;
}

static void fold_synced(struct owner *owner)
{
    struct buf reply = {0};
    for (size_t i = 0; i < owner->required; i++) {
        run_commands(&owner->base, owner->ops[i], 0, &reply);
        buf_clear(&reply);
    }
    buf_free(&reply);
    drop_first(owner, owner->required);
}

static void settle(struct owner *owner)
{
    owner->acked_count++;
    if (!keeps_history(owner))
        drop_first(owner, 1);
    else if (owner->required > HISTORY_MAX)
        fold_synced(owner);
}

static size_t judge_received(struct owner *owner)
{
    size_t at = 0, count = 0;
    while (owner->acked_count < owner->op_count) {
        struct op *op = owner->ops[owner->acked_count];
        struct bytes data = bytes_of(owner->received.data + at, owner->received.size - at);
        struct bytes last = {0};
        size_t size;
        if (!take_replies(op, data, &size, &last))
            break;
        judge(owner, op, last);
        at += size;
        count++;
        settle(owner);
    }
    if (owner->acked_count == owner->op_count && at < owner->received.size)
        world_violation(owner->world, "owner %d: a reply to nothing", owner->number);
    if (at > 0)
        buf_consume(&owner->received, at);
    return count;
}

void owner_note_time(struct owner *owner)
{
    int64_t now_ms = (int64_t)(owner->world->now.wall_us / 1000);
    for (size_t i = owner->acked_count; i < owner->op_count; i++) {
        if (now_ms < owner->ops[i]->earliest_ms)
            owner->ops[i]->earliest_ms = now_ms;
    }
}

void owner_note_synced(struct owner *owner)
{
    if (owner->is_verifying)
        return;
    owner->required = owner->acked_count;
}

void owner_disconnect(struct owner *owner)
{
    server_client_free(owner->client);
    owner->client = NULL;
    buf_clear(&owner->unsent);
    buf_clear(&owner->received);
    owner->is_scanning = false;
    owner->watching = 0;
}

/* What is required of the next node: all that was answered, unless unsynced promises may be lost.
 */
void owner_note_crash(struct owner *owner, bool loses)
{
    if (!loses && !owner->is_verifying)
        owner->required = owner->acked_count;
}

/* ---- reading back ---- */

static void ask_step(struct owner *owner, int database, int key)
{
    owner->steps[owner->step_count++] = (struct verify_step){database, key};
    if (key == MODEL_NO_KEY) {
        char number[16];
        int size = snprintf(number, sizeof(number), "%d", owner->acked.first_database + database);
        buf_printf(&owner->unsent, "*2\r\n$6\r\nSELECT\r\n$%d\r\n%s\r\n", size, number);
        return;
    }
    char space[MODEL_KEY_NAME_MAX];
    struct bytes name = model_key_name(key, space);
    static const char *const commands[] = {"GET", "PEXPIRETIME"};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        buf_printf(&owner->unsent, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(commands[i]), commands[i],
                   name.size);
        buf_append(&owner->unsent, name);
        buf_append_string(&owner->unsent, "\r\n");
    }
}

static bool ask_unknown(struct owner *owner)
{
    bool asks = false;
    owner->step_count = owner->step_at = 0;
    for (int db = 0; db < MODEL_DATABASES; db++) {
        ask_step(owner, db, MODEL_NO_KEY);
        for (int key = 0; key < owner->acked.key_count; key++) {
            if (owner->is_known[db][key])
                continue;
            ask_step(owner, db, key);
            asks = true;
        }
    }
    if (!asks) {
        buf_clear(&owner->unsent);
        owner->step_count = 0;
    }
    return asks;
}

void owner_verify(struct owner *owner)
{
    owner->client = server_client_new(node_server(owner->world->node));
    owner->is_verifying = true;
    memset(owner->is_known, 0, sizeof(owner->is_known));
    (void)ask_unknown(owner);
    hand_over(owner);
}

static void take_step(struct owner *owner, struct verify_step step, struct bytes value,
                      struct bytes expiry)
{
    if (reply_starts(value, "-IOERR") || reply_starts(expiry, "-IOERR") ||
        reply_starts(value, "-MISCONF") || reply_starts(expiry, "-MISCONF"))
        return;
    struct model_key *key = &owner->actual.keys[step.database][step.key];
    struct bytes content;
    int64_t expire_ms = 0;
    buf_clear(&key->value);
    bool is_there = reply_take_bulk(&value, &content);
    if (!reply_take_count(&expiry, &expire_ms))
        world_violation(owner->world, "owner %d: PEXPIRETIME answers %.*s", owner->number,
                        (int)expiry.size, (const char *)expiry.data);
    owner->is_known[step.database][step.key] = true;
    key->is_present = is_there && expire_ms != -2;
    key->expire_ms = expire_ms > 0 ? expire_ms : 0;
    if (is_there)
        buf_append(&key->value, content);
}

/* False: replies are missing. */
static bool take_steps(struct owner *owner)
{
    size_t at = 0;
    while (owner->step_at < owner->step_count) {
        struct verify_step step = owner->steps[owner->step_at];
        struct bytes data = bytes_of(owner->received.data + at, owner->received.size - at);
        size_t first = reply_size(data);
        size_t second = 0;
        if (first > 0 && step.key != MODEL_NO_KEY)
            second = reply_size(bytes_of(data.data + first, data.size - first));
        if (first == 0 || (step.key != MODEL_NO_KEY && second == 0))
            break;
        if (step.key != MODEL_NO_KEY)
            take_step(owner, step, bytes_of(data.data, first), bytes_of(data.data + first, second));
        at += first + second;
        owner->step_at++;
    }
    buf_consume(&owner->received, at);
    return owner->step_at == owner->step_count;
}

/* ---- is it the fold of a prefix? ---- */

struct comparison {
    struct owner *owner;
    struct model *fold;
    bool differs[MODEL_DATABASES][MODEL_KEYS_MAX];
    uint32_t differing[1024]; /* by shard */
    bool is_found[1024];
    uint32_t shards[MODEL_KEYS_MAX];
};

static bool fits(const struct comparison *comparison, int database, int key)
{
    const struct model_key *fold = &comparison->fold->keys[database][key];
    const struct model_key *actual = &comparison->owner->actual.keys[database][key];
    bool may_be_over = fold->is_present && fold->expire_ms != 0 &&
                       fold->expire_ms <= comparison->owner->world->latest_ms;
    return (may_be_over && !actual->is_present) || model_keys_equal(fold, actual);
}

static void compare_key(struct comparison *comparison, int database, int key)
{
    bool differs = !fits(comparison, database, key);
    bool *before = &comparison->differs[database][key];
    uint32_t *count = &comparison->differing[comparison->shards[key]];
    if (differs == *before)
        return;
    *count = differs ? *count + 1 : *count - 1;
    *before = differs;
}

static void compare_all(struct comparison *comparison)
{
    for (int db = 0; db < MODEL_DATABASES; db++) {
        for (int key = 0; key < comparison->fold->key_count; key++)
            compare_key(comparison, db, key);
    }
}

static void note_found(struct comparison *comparison)
{
    for (uint32_t id = 0; id < comparison->owner->world->options.shards; id++)
        comparison->is_found[id] |= comparison->differing[id] == 0;
}

static void fold_op(struct comparison *comparison, const struct op *op)
{
    struct buf reply = {0};
    bool is_all = false;
    int database = comparison->fold->database;
    if (op->kind != OP_PLAIN && op->kind != OP_MULTI)
        return;
    run_commands(comparison->fold, op, 0, &reply);
    buf_free(&reply);
    if (op->is_refused)
        return;
    for (int i = 0; i < op->command_count; i++) {
        struct bytes argv[OP_ARGS_MAX];
        int keys[KEYS_NAMED_MAX];
        int argc = op_argv(op, i, argv);
        int count = model_keys_named(argv, argc, keys, KEYS_NAMED_MAX, &is_all);
        for (int k = 0; k < count && !is_all; k++)
            compare_key(comparison, database, keys[k]);
    }
    if (is_all)
        compare_all(comparison);
}

static void describe_loss(struct comparison *comparison, uint32_t shard)
{
    struct owner *owner = comparison->owner;
    for (int db = 0; db < MODEL_DATABASES; db++) {
        for (int key = 0; key < owner->acked.key_count; key++) {
            if (!comparison->differs[db][key] || comparison->shards[key] != shard)
                continue;
            const struct model_key *fold = &comparison->fold->keys[db][key];
            const struct model_key *actual = &owner->actual.keys[db][key];
            world_violation(
                owner->world,
                "owner %d: after a restart shard %u is no prefix of what was sent (%zu "
                "requests, %zu required); database %d {%d}%d: sent %s %zu bytes %.20s expire "
                "%lld, found %s %zu bytes %.20s expire %lld",
                owner->number, shard, owner->op_count, owner->required,
                owner->acked.first_database + db, key / MODEL_PARTS, key % MODEL_PARTS,
                fold->is_present ? "a value of" : "nothing,", fold->value.size,
                fold->value.size > 0 ? (const char *)fold->value.data : "",
                (long long)fold->expire_ms, actual->is_present ? "a value of" : "nothing,",
                actual->value.size, actual->value.size > 0 ? (const char *)actual->value.data : "",
                (long long)actual->expire_ms);
        }
    }
    world_violation(owner->world,
                    "owner %d: after a restart shard %u is no prefix that holds what was "
                    "promised",
                    owner->number, shard);
}

static void judge_restart(struct owner *owner)
{
    struct comparison *comparison = mem_zero(sizeof(*comparison));
    comparison->owner = owner;
    comparison->fold = keeps_history(owner) ? &owner->base : &owner->acked;
    for (int key = 0; key < owner->acked.key_count; key++)
        comparison->shards[key] = shard_of(owner, key);
    compare_all(comparison);
    for (size_t i = 0; i <= owner->op_count; i++) {
        if (i >= owner->required)
            note_found(comparison);
        if (i < owner->op_count)
            fold_op(comparison, owner->ops[i]);
    }
    for (uint32_t id = 0; id < owner->world->options.shards; id++) {
        if (!comparison->is_found[id])
            describe_loss(comparison, id);
    }
    mem_free(comparison);
}

/* What the node holds is what counts from now on. */
static void adopt(struct owner *owner)
{
    drop_first(owner, owner->op_count);
    owner->required = owner->acked_count = 0;
    owner->sent_database = 1; /* the last SELECT of the reading back */
    owner->actual.database = 1;
    owner->actual.watched = MODEL_NO_KEY;
    model_copy(&owner->acked, &owner->actual);
    model_copy(&owner->base, &owner->actual);
    owner->is_verifying = false;
}

static void receive_steps(struct owner *owner)
{
    if (!take_steps(owner))
        return;
    if (ask_unknown(owner)) {
        hand_over(owner);
        return;
    }
    judge_restart(owner);
    adopt(owner);
}

size_t owner_receive(struct owner *owner)
{
    if (owner->client == NULL)
        return 0;
    hand_over(owner);
    (void)server_client_output(owner->client, &owner->received);
    if (server_client_is_closed(owner->client))
        world_violation(owner->world, "owner %d: the node closed the connection", owner->number);
    if (!owner->is_verifying)
        return judge_received(owner);
    receive_steps(owner);
    return 0;
}
