/* EXEC: one request, one shard, one entry. And where requests go. */
#include "base/mutants.h"
#include "exec/internal.h"
#include "keyspace/slot.h"
#include "keyspace/watch.h"
#include "router/router.h"

enum { KEYS_ON_STACK = 32 };

bool exec_has_write(const struct request *request)
{
    if (request->queue == NULL)
        return (request->command->flags & CMD_WRITE) != 0;
    for (int i = 0; i < request->queue_count; i++) {
        if ((request->queue[i].command->flags & CMD_WRITE) != 0)
            return true;
    }
    return false;
}

bool exec_spans_shards(const struct exec *exec, const struct request *request)
{
    if (request->queue == NULL || exec->shard_count == 1)
        return false;
    for (int i = 0; i < request->queue_count; i++) {
        if ((request->queue[i].command->flags & CMD_ALL_SHARDS) != 0)
            return true;
    }
    return false;
}

/* ---- routing ---- */

/* Sees to watched keys as to declared ones: a transaction is one shard's. */
struct watch_route {
    const struct exec *exec;
    uint32_t shard;
    bool is_one;
};

static void route_watch(void *context, int database, struct bytes key)
{
    struct watch_route *route = context;
    (void)database;
    route->is_one = route->is_one && router_add_key(route->exec->shard_count, key, &route->shard);
}

static bool route_queue(const struct exec *exec, const struct request *request, uint32_t *shard)
{
    for (int i = 0; i < request->queue_count; i++) {
        const struct queued *queued = &request->queue[i];
        uint32_t spans = CMD_ALL_SHARDS | CMD_WRITE;
        if ((queued->command->flags & spans) == spans) /* would be an entry in each shard */
            return false;
        if (!router_add_command(exec->shard_count, queued->command, queued->argv, queued->argc,
                                shard))
            return false;
    }
    struct watch_route route = {exec, *shard, true};
    if (request->watches != NULL)
        watch_each(&request->watches->watches, route_watch, &route);
    *shard = route.shard;
    return route.is_one;
}

enum route_result exec_route(struct exec *exec, struct request *request, uint32_t *shard)
{
    *shard = 0;
    if (request->queue == NULL && (request->command->flags & CMD_ALL_SHARDS) != 0)
        return ROUTE_ALL;
    if (exec->shard_count == 1)
        return ROUTE_ONE;
    *shard = ROUTER_NONE;
    bool is_one = request->queue != NULL ? route_queue(exec, request, shard)
                                         : router_add_command(exec->shard_count, request->command,
                                                              request->argv, request->argc, shard);
    if (*shard == ROUTER_NONE)
        *shard = 0;
    return is_one ? ROUTE_ONE : ROUTE_CROSS_SLOT;
}

/* ---- loading ahead ---- */

struct preload {
    struct exec_shard *es;
    struct request *request;
    struct call call;
    bool is_there;
};

static void preload_key(struct preload *preload, struct bytes key, bool needs_value)
{
    struct call *c = &preload->call;
    uint64_t order;
    struct object *object;
    c->found_count = 0;
    if (c->keyspace->is_complete || call_probe(c, key, needs_value, &order, &object))
        return;
    struct load *load = exec_load(preload->es, c->keyspace, order, key, object, needs_value);
    if (load == NULL)
        return;
    exec_wait_for(load, preload->request);
    preload->is_there = false;
}

static void preload_watch(void *context, int database, struct bytes key)
{
    struct preload *preload = context;
    preload->call.keyspace = preload->es->hot->databases[database];
    preload_key(preload, key, false);
    preload->call.keyspace = preload->es->hot->databases[preload->request->database];
}

static void preload_queued(struct preload *preload, const struct queued *queued)
{
    struct command_key keys[KEYS_ON_STACK];
    int count = command_keys(queued->command, queued->argv, queued->argc, keys, KEYS_ON_STACK);
    bool needs_value = call_needs_values(queued->command, queued->argv, queued->argc);
    for (int i = 0; i < count && i < KEYS_ON_STACK; i++)
        preload_key(preload, queued->argv[keys[i].position], needs_value);
}

/* A help, not a promise: what is still cold when its turn comes (behind a SELECT, more keys than
 * fit here, changed by the transaction itself) suspends the run. Watched heads must be known,
 * though: an expired key fails the transaction. */
bool exec_load_keys(struct exec_shard *es, struct request *request)
{
    struct preload preload = {.es = es, .request = request, .is_there = true};
    exec_prepare_call(es, &preload.call, request);
    exec_open_entry(es);
    if (request->watches != NULL)
        watch_each(&request->watches->watches, preload_watch, &preload);
    if (request->queue == NULL) {
        struct queued self = {request->command, request->argv, request->argc};
        preload_queued(&preload, &self);
    }
    for (int i = 0; request->queue != NULL && i < request->queue_count; i++)
        preload_queued(&preload, &request->queue[i]);
    return preload.is_there;
}

/* ---- running ---- */

static bool is_expired(void *context, int database, struct bytes key)
{
    struct run *run = context;
    struct hot *hot = run->shard->hot;
    const struct object *object =
        table_find(&hot->databases[database]->table, hot_order(hot, slot_of_key(key), key), key);
    return object != NULL && object_is_present(object) && object->has_expire &&
           object_expire_ms(object) <= run->call.now_ms;
}

static void run_queued(struct run *run, const struct queued *queued)
{
    struct call *c = &run->call;
    c->argv = queued->argv;
    c->argc = queued->argc;
    c->command = queued->command;
    c->keyspace = c->hot->databases[c->database];
    c->found_count = 0;
    c->has_reserved = c->has_failed = false;
    c->random = prng_next(&run->exec->prng);
    c->env->context = run;
    call_run(c);
}

void exec_transaction_main(struct run *run)
{
    struct request *request = run->request;
    struct call *c = &run->call;
    if (request->watches != NULL && !NODE_MUTANT(watches_are_ignored) &&
        (request->watches->is_dirty ||
         watch_any_expired(&request->watches->watches, is_expired, run))) {
        reply_null_array(&c->reply);
        call_depend_on_all(c); /* whoever made it dirty may not be committed yet */
        return;
    }
    c->in_transaction = true;
    reply_array(&c->reply, (size_t)request->queue_count);
    for (int i = 0; i < request->queue_count && !run->is_cancelled; i++)
        run_queued(run, &request->queue[i]);
    c->has_failed = false; /* its commands may have; EXEC has not */
}

/* ---- WATCH ---- */

void exec_watch(struct exec *exec, struct watch_set *set, int database, struct bytes key)
{
    uint16_t slot = slot_of_key(key);
    struct exec_shard *es = &exec->shards[router_shard_of_slot(exec->shard_count, slot)];
    struct keyspace *keyspace = es->hot->databases[database];
    const struct object *object = table_find(&keyspace->table, hot_order(es->hot, slot, key), key);
    bool was_expired = object != NULL && object_is_present(object) && object->has_expire &&
                       object_expire_ms(object) <= (int64_t)(es->now_us / 1000);
    watch_add(es->hot->watches, &set->watches, &set->is_dirty, database, key, was_expired);
}

void exec_unwatch(struct exec *exec, struct watch_set *set)
{
    (void)exec;
    watch_remove_all(&set->watches);
    set->is_dirty = false;
}
