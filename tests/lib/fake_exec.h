/* A double of exec.h over a map in memory, for tests of server/. It is included by one .c file of a
 * program and then stands in for src/exec.
 *
 * Four shards; a key's first byte says which. A write gets the next index of its shard; the test
 * says what is committed (fake_exec_commit). A read of a key waits for the key's last write (L1).
 * WAITSET waits until the test lets it go on (fake_exec_finish). */
#pragma once

#include <stdlib.h>

#include "base/mem.h"
#include "base/number.h"
#include "commands/call.h"
#include "exec/exec.h"

enum { FAKE_SHARDS = 4, FAKE_KEYS_MAX = 256, FAKE_WAITING_MAX = 64 };

struct fake_key {
    int database;
    struct buf name;
    struct buf value;
    bool is_there;
    uint64_t index; /* of its last write, in its shard */
};

struct fake_watch {
    struct list set_link;
    struct list all_link;
    struct watch_set *set;
    int database;
    struct buf key;
};

struct exec {
    struct fake_key keys[FAKE_KEYS_MAX];
    size_t key_count;
    uint64_t last[FAKE_SHARDS];
    uint64_t committed[FAKE_SHARDS];
    enum exec_gate_state lost[FAKE_SHARDS]; /* what gates that are not open are */
    const char *elsewhere;                  /* MOVED for every command with keys; NULL: led here */
    struct exec_gate gates[64];
    struct request *waiting[FAKE_WAITING_MAX];
    size_t waiting_count;
    struct request *unblocked; /* answered by exec_unblock, to be taken */
    bool lets_go;              /* exec_take_done gives what waits */
    bool keeps_runs;           /* exec_cancel: the run has begun and must end */
    uint64_t runs;
    uint64_t cancels;
    struct list watches;
};

static inline struct exec *fake_exec_new(void)
{
    struct exec *exec = mem_zero(sizeof(*exec));
    list_init(&exec->watches);
    return exec;
}

static inline void fake_exec_free(struct exec *exec)
{
    for (size_t i = 0; i < exec->key_count; i++) {
        buf_free(&exec->keys[i].name);
        buf_free(&exec->keys[i].value);
    }
    mem_free(exec);
}

static inline void fake_exec_commit(struct exec *exec)
{
    memcpy(exec->committed, exec->last, sizeof(exec->committed));
}

static inline uint32_t fake_shard(struct bytes key)
{
    return key.size == 0 ? 0 : key.data[0] % FAKE_SHARDS;
}

static inline struct fake_key *fake_find(struct exec *exec, int database, struct bytes name)
{
    for (size_t i = 0; i < exec->key_count; i++) {
        struct fake_key *key = &exec->keys[i];
        if (key->database == database && bytes_equal(buf_bytes(&key->name), name))
            return key;
    }
    ASSERT(exec->key_count < FAKE_KEYS_MAX);
    struct fake_key *key = &exec->keys[exec->key_count++];
    *key = (struct fake_key){.database = database};
    buf_append(&key->name, name);
    return key;
}

static inline void fake_touch(struct exec *exec, struct fake_key *key)
{
    key->index = ++exec->last[fake_shard(buf_bytes(&key->name))];
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &exec->watches)
    {
        struct fake_watch *watch = CONTAINER_OF(node, struct fake_watch, all_link);
        if (watch->database == key->database &&
            bytes_equal(buf_bytes(&watch->key), buf_bytes(&key->name)))
            watch->set->is_dirty = true;
    }
}

static inline void fake_write(struct exec *exec, struct fake_key *key, struct bytes value)
{
    buf_clear(&key->value);
    buf_append(&key->value, value);
    key->is_there = true;
    fake_touch(exec, key);
}

static inline void fake_gate(struct exec *exec, struct request *request, uint32_t shard,
                             uint64_t index)
{
    if (index == 0 || index <= exec->committed[shard])
        return;
    ASSERT(request->gate_count < (int)COUNT_OF(exec->gates));
    exec->gates[request->gate_count++] =
        (struct exec_gate){.shard = shard, .term = 1, .index = index};
}

static inline void fake_gate_of_key(struct exec *exec, struct request *request,
                                    const struct fake_key *key)
{
    fake_gate(exec, request, fake_shard(buf_bytes(&key->name)), key->index);
}

static inline void fake_fail(struct request *request, struct reply *reply, const char *text)
{
    request->has_failed = true;
    reply_error(reply, "%s", text);
}

static inline void fake_incr(struct exec *exec, struct request *request, struct fake_key *key,
                             struct reply *reply)
{
    int64_t value = 0;
    if (key->is_there && !number_parse_i64(buf_bytes(&key->value), &value)) {
        fake_fail(request, reply, "ERR value is not an integer or out of range");
        return;
    }
    char text[NUMBER_INTEGER_SIZE_MAX];
    fake_write(exec, key, bytes_of(text, number_format_i64(text, value + 1)));
    reply_int(reply, value + 1);
}

static inline void fake_big(const struct bytes *argv, struct reply *reply)
{
    int64_t size = 0;
    ASSERT(number_parse_i64(argv[1], &size));
    memset(reply_bulk_space(reply, (size_t)size), 'x', (size_t)size);
}

/* GET, SET, WAITSET, DEL, INCR, BIG; adds the gates that the reply waits at. */
static inline void fake_run_one(struct exec *exec, struct request *request,
                                const struct command *command, const struct bytes *argv,
                                struct reply *reply)
{
    exec->runs++;
    if (strcmp(command->name, "big") == 0) {
        fake_big(argv, reply);
        return;
    }
    struct fake_key *key = fake_find(exec, request->database, argv[1]);
    if (strcmp(command->name, "get") == 0) {
        if (key->is_there)
            reply_bulk(reply, buf_bytes(&key->value));
        else
            reply_null(reply);
    } else if (strcmp(command->name, "del") == 0) {
        reply_int(reply, key->is_there);
        key->is_there = false;
        fake_touch(exec, key);
    } else if (strcmp(command->name, "incr") == 0) {
        fake_incr(exec, request, key, reply);
    } else {
        fake_write(exec, key, argv[2]);
        reply_ok(reply);
    }
    fake_gate_of_key(exec, request, key);
}

static inline void fake_run_queued(struct exec *exec, struct request *request,
                                   const struct queued *queued)
{
    if ((queued->command->flags & CMD_HOME) == 0) {
        fake_run_one(exec, request, queued->command, queued->argv, &request->reply);
        return;
    }
    struct call call = {.argv = queued->argv,
                        .argc = queued->argc,
                        .command = queued->command,
                        .reply = request->reply,
                        .database = request->database,
                        .in_transaction = true,
                        .client = request->client};
    queued->command->function(&call);
    request->database = call.database;
}

static inline void fake_run_request(struct exec *exec, struct request *request)
{
    request->gate_count = 0;
    request->gates = exec->gates;
    if (request->queue == NULL) {
        fake_run_one(exec, request, request->command, request->argv, &request->reply);
    } else if (request->watches != NULL && request->watches->is_dirty) {
        reply_null_array(&request->reply);
    } else {
        reply_array(&request->reply, (size_t)request->queue_count);
        for (int i = 0; i < request->queue_count; i++)
            fake_run_queued(exec, request, &request->queue[i]);
    }
}

enum exec_result exec_run(struct exec *exec, struct request *request)
{
    ASSERT((request->command->flags & CMD_HOME) == 0);
    if (strcmp(request->command->name, "waitset") != 0) {
        fake_run_request(exec, request);
        return EXEC_DONE;
    }
    ASSERT(exec->waiting_count < FAKE_WAITING_MAX);
    exec->waiting[exec->waiting_count++] = request;
    return EXEC_WAITING;
}

static bool fake_take_waiting(struct exec *exec, const struct request *request)
{
    size_t i = 0;
    while (i < exec->waiting_count && exec->waiting[i] != request)
        i++;
    if (i == exec->waiting_count)
        return false;
    exec->waiting_count--;
    memmove(exec->waiting + i, exec->waiting + i + 1,
            (exec->waiting_count - i) * sizeof(*exec->waiting));
    return true;
}

bool exec_unblock(struct exec *exec, struct request *request, const char *error)
{
    if (exec->unblocked != NULL || !fake_take_waiting(exec, request))
        return false;
    if (error != NULL)
        reply_error(&request->reply, "%s", error);
    else
        reply_null(&request->reply);
    exec->unblocked = request;
    return true;
}

uint64_t exec_parked_count(const struct exec *exec)
{
    return exec->waiting_count;
}

struct request *exec_take_done(struct exec *exec)
{
    struct request *unblocked = exec->unblocked;
    exec->unblocked = NULL;
    if (unblocked != NULL)
        return unblocked;
    if (!exec->lets_go || exec->waiting_count == 0)
        return NULL;
    struct request *request = exec->waiting[0];
    exec->waiting_count--;
    memmove(exec->waiting, exec->waiting + 1, exec->waiting_count * sizeof(*exec->waiting));
    fake_run_request(exec, request);
    return request;
}

bool exec_cancel(struct exec *exec, struct request *request)
{
    exec->cancels++;
    if (exec->keeps_runs)
        return false;
    bool was_waiting = fake_take_waiting(exec, request);
    ASSERT(was_waiting);
    return true;
}

enum exec_gate_state exec_gate_state(const struct exec *exec, struct exec_gate gate)
{
    ASSERT(gate.shard < FAKE_SHARDS);
    if (gate.index <= exec->committed[gate.shard])
        return EXEC_GATE_OPEN;
    return exec->lost[gate.shard]; /* EXEC_GATE_CLOSED unless a test says so */
}

bool exec_is_elsewhere(struct exec *exec, const struct command *command, const struct bytes *argv,
                       int argc, struct reply *reply)
{
    (void)argc;
    if (exec->elsewhere == NULL || argv == NULL || (command->flags & CMD_ALL_SHARDS) != 0)
        return false;
    reply_error(reply, "%s", exec->elsewhere);
    return true;
}

void exec_count_keys_in_slot(struct call *c)
{
    reply_int(&c->reply, 0);
}

void exec_get_keys_in_slot(struct call *c)
{
    reply_array(&c->reply, 0);
}

void exec_watch(struct exec *exec, struct watch_set *set, int database, struct bytes key)
{
    struct fake_watch *watch = mem_zero(sizeof(*watch));
    watch->set = set;
    watch->database = database;
    buf_append(&watch->key, key);
    list_push_back(&set->watches, &watch->set_link);
    list_push_back(&exec->watches, &watch->all_link);
}

void exec_unwatch(struct exec *exec, struct watch_set *set)
{
    (void)exec;
    while (!list_is_empty(&set->watches)) {
        struct fake_watch *watch = CONTAINER_OF(set->watches.next, struct fake_watch, set_link);
        list_remove(&watch->set_link);
        list_remove(&watch->all_link);
        buf_free(&watch->key);
        mem_free(watch);
    }
    set->is_dirty = false;
}

/* Never called: exec_run goes by the name. */
static inline void fake_function(struct call *c)
{
    (void)c;
    UNREACHABLE();
}

static const struct command fake_commands[] = {
    {.name = "get", .arity = 2, .flags = CMD_READONLY | CMD_FAST, .function = fake_function},
    {.name = "set", .arity = -3, .flags = CMD_WRITE | CMD_DENYOOM, .function = fake_function},
    {.name = "waitset", .arity = 3, .flags = CMD_WRITE, .function = fake_function},
    {.name = "del", .arity = 2, .flags = CMD_WRITE, .function = fake_function},
    {.name = "incr", .arity = 2, .flags = CMD_WRITE, .function = fake_function},
    {.name = "big", .arity = 2, .flags = CMD_READONLY, .function = fake_function},
    {.name = "debug", .arity = -2, .flags = CMD_ADMIN, .function = fake_function},
    {0},
};
