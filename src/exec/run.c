/* From a request to its reply: routing, waiting, plain runs and runs on fibers. */
#include "base/endian.h"
#include "base/mem.h"
#include "base/mutants.h"
#include "base/prng.h"
#include "exec/internal.h"

enum { KEYS_ON_STACK = 32 };

/* ---- shards ---- */

static bool ask_lease(struct exec_shard *es)
{
    if (!es->is_asked) {
        struct raft_read read = raft_read(shard_raft(es->shard), es->exec->now.boot_us, true);
        es->read_is_confirmed = read.verdict == RAFT_READ_NOW;
        es->is_asked = true;
    }
    return es->read_is_confirmed;
}

/* Without a lease, which may be gone for the rest of a term (a transfer of the lead that came to
 * nothing), each request waits for a round that began after it came. */
static bool ask_quorum(struct exec_shard *es, struct request_wait *wait)
{
    bool is_asked = wait->read_round != 0 && wait->read_term == es->lead_term;
    if (is_asked && shard_reads_confirmed(es->shard) >= wait->read_round)
        return true;
    if (is_asked)
        return false;
    struct raft_read read = raft_read(shard_raft(es->shard), es->exec->now.boot_us, false);
    wait->read_term = es->lead_term;
    wait->read_round = read.verdict == RAFT_READ_WAIT ? read.round : 0;
    return read.verdict == RAFT_READ_NOW;
}

/* L9: the one place that decides whether replies that have no entry to wait for may leave. A lone
 * voter's lease always covers them once its own no-op is applied. */
static bool confirm_reads(struct exec_shard *es, struct request *request)
{
    bool may_use_lease = !es->exec->limits.reads_need_quorum;
    return (may_use_lease && ask_lease(es)) || ask_quorum(es, &request->wait);
}

static bool is_free(const struct exec_shard *es)
{
    return (es->holder == NULL || NODE_MUTANT(holder_is_ignored)) && exec_leads(es) &&
           !es->exec->lacks_time && shard_is_serving(es->shard) &&
           !raft_is_transferring(shard_raft(es->shard));
}

bool exec_shard_is_free(const struct exec_shard *es)
{
    return is_free(es);
}

bool exec_shard_has_news(struct exec_shard *es)
{
    if (!is_free(es))
        return false;
    uint64_t confirmed = shard_reads_confirmed(es->shard);
    bool is_confirmed = confirmed != es->round_seen && !NODE_MUTANT(queue_waits_for_the_lease);
    es->round_seen = confirmed;
    return is_confirmed || ask_lease(es);
}

void exec_open_entry(struct exec_shard *es)
{
    if (!es->hot->is_open)
        hot_open(es->hot, shard_next_index(es->shard));
}

void exec_close_entry(struct exec_shard *es)
{
    if (!es->hot->is_open)
        return;
    struct buf payload = {0};
    (void)buf_reserve(&payload,
                      ENTRY_STAMP_SIZE + (hot_has_changes(es->hot) ? es->hot->open_size : 0));
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE), es->now_us);
    hot_close(es->hot, &payload);
    if (payload.size == ENTRY_STAMP_SIZE) {
        buf_free(&payload);
        return;
    }
    uint64_t index = shard_propose(es->shard, &payload);
    ASSERT(index == es->hot->open_index);
}

void exec_make_ready(struct exec *exec, struct request *request)
{
    request->wait.state = REQUEST_READY;
    list_remove(&request->wait.link);
    list_push_back(&exec->ready, &request->wait.link);
}

void exec_wake_queue(struct exec_shard *es)
{
    while (!list_is_empty(&es->queue)) {
        struct request *request = CONTAINER_OF(es->queue.next, struct request, wait.link);
        exec_make_ready(es->exec, request);
    }
}

static enum exec_result wait_in_queue(struct exec_shard *es, struct request *request)
{
    request->wait.state = REQUEST_QUEUED;
    list_push_back(&es->queue, &request->wait.link);
    return EXEC_WAITING;
}

/* ---- ends ---- */

static enum exec_result done(struct exec *exec, struct request *request, int gate_count)
{
    exec_unpark(exec, request);
    request->gates = NULL;
    request->gate_count = gate_count;
    request->wait.state = REQUEST_NEW;
    return EXEC_DONE;
}

static enum exec_result fail(struct exec *exec, struct request *request, const char *error)
{
    reply_error(&request->reply, "%s", error);
    request->has_failed = true;
    return done(exec, request, 0);
}

/* The shard is not led here: the client is sent there, or waits until somebody knows where. */
static enum exec_result not_led(struct exec_shard *es, struct request *request)
{
    if (!exec_knows_what_to_say(es))
        return wait_in_queue(es, request);
    int slot =
        request->queue == NULL ? exec_slot_of(request->command, request->argv, request->argc) : -1;
    for (int i = 0; request->queue != NULL && slot < 0 && i < request->queue_count; i++) {
        const struct queued *queued = &request->queue[i];
        slot = exec_slot_of(queued->command, queued->argv, queued->argc);
    }
    exec_reply_elsewhere(es, slot, &request->reply);
    request->has_failed = true;
    return done(es->exec, request, 0);
}

static enum exec_result refuse_write(struct exec *exec, struct request *request)
{
    if (request->queue == NULL)
        return fail(exec, request, exec->refusal);
    reply_error(&request->reply, "EXECABORT Transaction discarded because of: %s", exec->refusal);
    request->has_failed = true;
    return done(exec, request, 0);
}

static enum exec_result done_with_gates(struct exec *exec, struct request *request, int gate_count)
{
    enum exec_result result = done(exec, request, gate_count);
    request->gates = exec->gates;
    return result;
}

void exec_prepare_call(struct exec_shard *es, struct call *c, struct request *request)
{
    struct exec *exec = es->exec;
    struct request_block *block = &request->wait.block;
    *c = (struct call){
        .argv = request->argv,
        .argc = request->argc,
        .command = request->command,
        .table = exec->table,
        .reply = request->reply,
        .database = request->database,
        .now_ms = (int64_t)(es->now_us / 1000),
        .now_us = (int64_t)es->now_us,
        .random = prng_next(&exec->prng),
        .types = &es->hot->env,
        .hot = es->hot,
        .keyspace = es->hot->databases[request->database],
        .client = request->client,
        .env = &exec->env,
        .entry_size_max = exec->limits.entry_size_max,
        .was_parked = block->is_waiting,
        .is_timed_out = block->is_timed_out,
        .block_state = buf_bytes(&block->state),
        .block_state_out = request->queue == NULL ? &block->state : NULL,
    };
}

/* ---- plain runs ---- */

/* True when every key is in memory or known to be absent; otherwise the request waits for loads. */
static bool keys_are_there(struct exec_shard *es, struct call *c, struct request *request,
                           const struct command_key *keys, int count)
{
    bool needs_value = call_needs_values(c->command, c->argv, c->argc);
    bool is_there = true;
    for (int i = 0; i < count; i++) {
        uint64_t order;
        struct object *object;
        struct bytes key = c->argv[keys[i].position];
        if (call_probe(c, key, needs_value, &order, &object))
            continue;
        struct load *load = exec_load(es, c->keyspace, order, key, object, needs_value);
        if (load != NULL) {
            exec_wait_for(load, request);
            is_there = false;
        }
        c->found_count = 0;
    }
    return is_there;
}

static bool load_call_keys(struct exec_shard *es, struct call *c, struct request *request)
{
    struct command_key stack[KEYS_ON_STACK];
    struct command_key *keys = stack;
    if (c->keyspace->is_complete)
        return true;
    int count = command_keys(c->command, c->argv, c->argc, stack, KEYS_ON_STACK);
    if (count > KEYS_ON_STACK) {
        keys = mem_alloc((size_t)count * sizeof(*keys));
        count = command_keys(c->command, c->argv, c->argc, keys, count);
    }
    exec_open_entry(es);
    bool is_there = count <= 0 || keys_are_there(es, c, request, keys, count);
    if (keys != stack)
        mem_free(keys);
    return is_there;
}

static enum exec_result run_plain(struct exec_shard *es, struct request *request)
{
    struct exec *exec = es->exec;
    struct call c;
    exec_prepare_call(es, &c, request);
    if (!load_call_keys(es, &c, request)) {
        request->wait.state = REQUEST_LOADING;
        return EXEC_WAITING;
    }
    exec_open_entry(es);
    exec->env.context = NULL;
    call_run(&c);
    if (c.blocks)
        return exec_park(es, request, &c);
    request->database = c.database;
    request->has_failed = c.has_failed;
    request->changes = c.changes;
    exec->counters.changes += c.changes;
    if (es->hot->open_size >= EXEC_ENTRY_CLOSE_SIZE)
        exec_close_entry(es);
    if (c.gate == 0)
        return done(exec, request, 0);
    exec->gates[0] = (struct exec_gate){es->id, es->lead_term, c.gate};
    return done_with_gates(exec, request, 1);
}

/* ---- runs on fibers ---- */

static void run_main(void *argument)
{
    struct run *run = argument;
    if (run->request->queue != NULL)
        exec_transaction_main(run);
    else
        call_run(&run->call);
    run->has_ended = true;
}

static void set_holder(struct run *run, struct run *holder)
{
    struct exec *exec = run->exec;
    if (!run->is_exclusive)
        return;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        bool is_meant = run->shard == es || (run->shard == NULL && exec_leads(es));
        if (holder != NULL ? is_meant : es->holder == run)
            es->holder = holder;
    }
}

static int collect_gates(struct run *run)
{
    struct exec *exec = run->exec;
    int count = 0;
    if (run->shard != NULL)
        exec_depend(run, run->shard, run->call.gate);
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        if (run->gates[id].index != 0)
            exec->gates[count++] = run->gates[id];
    }
    return count;
}

static void run_free(struct run *run)
{
    if (run->exec->spanning == run)
        run->exec->spanning = NULL;
    list_remove(&run->link);
    mem_free(run->gates);
    mem_free(run);
}

/* Nothing of it was proposed, so the client may ask again, elsewhere; unless somebody outside has
 * seen a part of it already. */
static void discard_reply(struct run *run)
{
    run->request->reply.out->size = run->reply_from;
    if (run->lost_text != NULL)
        reply_error(&run->request->reply, "%s", run->lost_text);
    else
        exec_reply_elsewhere(run->lost, -1, &run->request->reply);
    run->call.database = run->request->database;
    run->call.has_failed = true;
    run->call.changes = 0;
}

static enum exec_result end_run(struct run *run)
{
    struct exec *exec = run->exec;
    struct request *request = run->request;
    int count = run->is_cancelled ? 0 : collect_gates(run);
    if (run->is_cancelled)
        discard_reply(run);
    request->database = run->call.database;
    request->has_failed = run->call.has_failed;
    request->changes = run->call.changes;
    exec->counters.changes += run->call.changes;
    request->wait.run = NULL;
    set_holder(run, NULL);
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        if (es->holder == NULL && es->hot->open_size >= EXEC_ENTRY_CLOSE_SIZE && exec_leads(es))
            exec_close_entry(es); /* what is open when the lead is lost is dropped */
        if (es->holder == NULL)
            exec_wake_queue(es);
    }
    run_free(run);
    return done_with_gates(exec, request, count);
}

void exec_abandon_runs(struct exec *exec)
{
    while (!list_is_empty(&exec->runs)) {
        struct run *run = CONTAINER_OF(exec->runs.next, struct run, link);
        exec_stop_waiting(run->request);
        list_remove(&run->request->wait.link);
        run->request->wait.run = NULL;
        set_holder(run, NULL);
        fiber_abandon(run->fiber);
        run_free(run);
    }
}

static enum exec_result resume(struct run *run)
{
    run->exec->env.context = run;
    if (fiber_resume(run->fiber)) {
        run->request->wait.state = REQUEST_RUNNING;
        run->exec->env.context = NULL;
        return EXEC_WAITING;
    }
    run->exec->env.context = NULL;
    ASSERT(run->has_ended);
    return end_run(run);
}

static enum exec_result run_on_fiber(struct exec *exec, struct exec_shard *es,
                                     struct request *request)
{
    struct run *run = mem_zero(sizeof(*run));
    run->exec = exec;
    run->request = request;
    run->shard = es;
    run->is_exclusive = (request->command->flags & CMD_TOUCHES_ARBITRARY_KEYS) == 0;
    run->reply_from = request->reply.out->size;
    run->gates = mem_zero(exec->shard_count * sizeof(*run->gates));
    exec_prepare_call(es != NULL ? es : &exec->shards[0], &run->call, request);
    if (es != NULL)
        exec_open_entry(es);
    run->changes_from = es != NULL ? es->hot->tail : 0;
    set_holder(run, run);
    if (exec_spans_shards(exec, request))
        exec->spanning = run;
    list_init(&run->link);
    list_push_back(&exec->runs, &run->link);
    run->fiber = fiber_new(exec->fibers, run_main, run);
    request->wait.run = run;
    return resume(run);
}

bool exec_wait_for_load(struct run *run, struct load *load)
{
    struct request_wait *wait = &run->request->wait;
    wait->has_load_failed = false;
    exec_wait_for(load, run->request);
    if (run->shard != NULL)
        run->shard->awaits_key = true;
    exec_yield(run);
    if (run->shard != NULL)
        run->shard->awaits_key = false;
    bool is_loaded = !wait->has_load_failed && !run->is_cancelled;
    wait->has_load_failed = false;
    return is_loaded;
}

void exec_wait_a_turn(struct run *run)
{
    list_push_back(&run->exec->next_turn, &run->request->wait.link);
    exec_yield(run);
}

/* What was seen under an earlier lead is decided by what became of that. Until it is, the shard
 * does not serve, so there is nothing newer to depend on. */
void exec_depend(struct run *run, const struct exec_shard *es, uint64_t index)
{
    struct exec_gate *gate = &run->gates[es->id];
    bool is_earlier = gate->index != 0 && gate->term != es->lead_term;
    if (index == 0 || (is_earlier && !exec_gate_is_open(run->exec, *gate)))
        return;
    if (is_earlier || index > gate->index)
        *gate = (struct exec_gate){es->id, es->lead_term, index};
}

void exec_yield(struct run *run)
{
    struct exec_shard *es = run->shard;
    /* What others changed before need not wait for this run; its own changes stay in one entry. */
    bool holds = es != NULL && run->is_exclusive;
    /* A key that others changed in the same entry is changed again without a new place in the ring:
     * the ring alone does not tell. */
    bool is_unchanged = holds && run->call.changes == 0 && es->hot->tail == run->changes_from &&
                        !es->hot->map_changed;
    if (is_unchanged)
        exec_close_entry(es);
    run->exec->counters.suspensions++;
    run->exec->env.context = NULL;
    fiber_yield(run->fiber);
    run->exec->env.context = run;
    exec_stop_waiting(run->request);
    if (run->is_cancelled)
        return;
    if (holds)
        exec_open_entry(es);
    if (is_unchanged)
        run->changes_from = es->hot->tail;
}

/* ---- requests ---- */

static const char *const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";

static enum exec_result start_one(struct exec_shard *es, struct request *request)
{
    struct exec *exec = es->exec;
    bool has_write = exec_has_write(request);
    if (waiters_has_woken(es->hot->waiters))
        exec_serve_woken(es);
    if (!exec_leads(es))
        return not_led(es, request);
    if (!is_free(es) || !confirm_reads(es, request))
        return wait_in_queue(es, request);
    if (has_write && exec->refusal != NULL)
        return refuse_write(exec, request);
    if (has_write && shard_backlog_bytes(es->shard) >= exec->limits.backlog_max)
        return wait_in_queue(es, request);
    if (request->queue == NULL && (request->command->flags & CMD_SUSPENDS) == 0)
        return run_plain(es, request);
    /* Each would wait, holding its own shard, for the shard that the other holds. */
    if (exec->spanning != NULL && exec_spans_shards(exec, request))
        return wait_in_queue(es, request);
    if (!exec_load_keys(es, request)) {
        request->wait.state = REQUEST_LOADING;
        return EXEC_WAITING;
    }
    return run_on_fiber(exec, es, request);
}

/* Of several shards the ones led here take part, as the nodes of a Redis Cluster answer for their
 * own slots only. NULL: all of them are ready; else who is waited for, or the one to be told about
 * when nothing is led here. */
static struct exec_shard *first_unready(struct exec *exec, struct request *request, bool *leads)
{
    *leads = false;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        if (!exec_leads(es))
            continue;
        *leads = true;
        if (id < request->wait.confirmed_shards && is_free(es))
            continue;
        if (!is_free(es) || !confirm_reads(es, request))
            return es;
        request->wait.confirmed_shards = id + 1;
        request->wait.read_round = 0;
    }
    return *leads ? NULL : &exec->shards[0];
}

static enum exec_result start_all(struct exec *exec, struct request *request)
{
    bool leads;
    struct exec_shard *unready = first_unready(exec, request, &leads);
    if (unready != NULL)
        return leads ? wait_in_queue(unready, request) : not_led(unready, request);
    if (exec_has_write(request) && exec->refusal != NULL)
        return refuse_write(exec, request);
    if (exec->shard_count == 1)
        return run_on_fiber(exec, &exec->shards[0], request);
    for (uint32_t id = 0; id < exec->shard_count; id++)
        exec_close_entry(&exec->shards[id]); /* earlier changes need not wait for this run */
    return run_on_fiber(exec, NULL, request);
}

static enum exec_result start(struct exec *exec, struct request *request)
{
    if (request->wait.has_load_failed) {
        request->wait.has_load_failed = false;
        return fail(exec, request, "IOERR a value could not be read from disk; see the log");
    }
    uint32_t shard = 0;
    switch (exec_route(exec, request, &shard)) {
    case ROUTE_ONE:
        return start_one(&exec->shards[shard], request);
    case ROUTE_ALL:
        return start_all(exec, request);
    case ROUTE_CROSS_SLOT:
        return fail(exec, request, CROSS_SLOT);
    }
    UNREACHABLE();
}

enum exec_result exec_proceed(struct exec *exec, struct request *request)
{
    if (request->wait.run != NULL)
        return resume(request->wait.run);
    enum exec_result result = start(exec, request);
    /* What an earlier round loaded may be paged out again, unless it waits for more. */
    if (result == EXEC_DONE || request->wait.state == REQUEST_QUEUED)
        exec_stop_waiting(request);
    return result;
}

enum exec_result exec_run(struct exec *exec, struct request *request)
{
    request->wait = (struct request_wait){0};
    list_init(&request->wait.link);
    list_init(&request->wait.loads);
    request->has_failed = false;
    request->changes = 0;
    return exec_proceed(exec, request);
}

struct request *exec_take_done(struct exec *exec)
{
    struct request *finished = exec_take_finished(exec);
    if (finished != NULL)
        return finished;
    while (!list_is_empty(&exec->ready)) {
        struct request *request = CONTAINER_OF(exec->ready.next, struct request, wait.link);
        list_remove(&request->wait.link);
        if (exec_proceed(exec, request) == EXEC_DONE)
            return request;
    }
    return exec_take_finished(exec);
}

bool exec_cancel(struct exec *exec, struct request *request)
{
    if (request->wait.run != NULL)
        return false;
    list_remove(&request->wait.link);
    exec_unpark(exec, request);
    exec_stop_waiting(request);
    return true;
}
