/* Requests that wait for a key to change (BLPOP and its like). One that cannot answer is parked: it
 * keeps its place in the order of arrival and runs again, from its beginning, when one of its keys
 * was touched, its time is over or CLIENT UNBLOCK ends it. Who was woken runs before the shard
 * takes up another request, so nobody overtakes it. */
#include "base/mem.h"
#include "exec/internal.h"

enum { KEYS_ON_STACK = 32, DEADLINES_START = 64 };

static struct exec_shard *shard_of(struct exec *exec, const struct request *request)
{
    return &exec->shards[request->wait.block.shard];
}

/* ---- deadlines: a binary heap of requests ---- */

static bool is_earlier(const struct request *a, const struct request *b)
{
    return a->wait.block.deadline_us < b->wait.block.deadline_us;
}

static void place_at(struct exec *exec, size_t at, struct request *request)
{
    exec->deadlines[at] = request;
    request->wait.block.deadline_at = at;
}

static void sift_up(struct exec *exec, size_t at)
{
    struct request *request = exec->deadlines[at];
    for (; at > 0 && is_earlier(request, exec->deadlines[(at - 1) / 2]); at = (at - 1) / 2)
        place_at(exec, at, exec->deadlines[(at - 1) / 2]);
    place_at(exec, at, request);
}

static void sift_down(struct exec *exec, size_t at)
{
    struct request *request = exec->deadlines[at];
    for (size_t child; (child = 2 * at + 1) < exec->deadline_count; at = child) {
        if (child + 1 < exec->deadline_count &&
            is_earlier(exec->deadlines[child + 1], exec->deadlines[child]))
            child++;
        if (!is_earlier(exec->deadlines[child], request))
            break;
        place_at(exec, at, exec->deadlines[child]);
    }
    place_at(exec, at, request);
}

static void add_deadline(struct exec *exec, struct request *request)
{
    if (exec->deadline_count == exec->deadline_capacity) {
        size_t capacity =
            exec->deadline_capacity == 0 ? DEADLINES_START : exec->deadline_capacity * 2;
        exec->deadlines = mem_realloc(exec->deadlines, capacity * sizeof(*exec->deadlines));
        exec->deadline_capacity = capacity;
    }
    place_at(exec, exec->deadline_count++, request);
    sift_up(exec, exec->deadline_count - 1);
}

static void remove_deadline(struct exec *exec, struct request *request)
{
    size_t at = request->wait.block.deadline_at;
    ASSERT(at < exec->deadline_count && exec->deadlines[at] == request);
    struct request *last = exec->deadlines[--exec->deadline_count];
    if (last == request)
        return;
    place_at(exec, at, last);
    sift_up(exec, at);
    sift_down(exec, last->wait.block.deadline_at);
}

uint64_t exec_next_deadline_us(const struct exec *exec)
{
    return exec->deadline_count == 0 ? UINT64_MAX : exec->deadlines[0]->wait.block.deadline_us;
}

void exec_end_waits(struct exec *exec)
{
    while (exec_next_deadline_us(exec) <= exec->now.boot_us) {
        struct request *request = exec->deadlines[0];
        struct request_block *block = &request->wait.block;
        remove_deadline(exec, request);
        block->deadline_us = UINT64_MAX;
        block->is_timed_out = true;
        if (request->wait.state == REQUEST_PARKED)
            exec_make_ready(exec, request);
    }
}

/* ---- parking ---- */

static void wait_for_keys(struct exec_shard *es, struct request *request)
{
    struct command_key stack[KEYS_ON_STACK];
    struct command_key *keys = stack;
    int count = command_keys(request->command, request->argv, request->argc, stack, KEYS_ON_STACK);
    if (count > KEYS_ON_STACK) {
        keys = mem_alloc((size_t)count * sizeof(*keys));
        count = command_keys(request->command, request->argv, request->argc, keys, count);
    }
    for (int i = 0; i < count; i++)
        waiters_add(es->hot->waiters, &request->wait.block.waiter, request->database,
                    request->argv[keys[i].position]);
    if (keys != stack)
        mem_free(keys);
}

enum exec_result exec_park(struct exec_shard *es, struct request *request, const struct call *c)
{
    struct request_block *block = &request->wait.block;
    if (!block->is_waiting) {
        block->is_waiting = true;
        block->shard = es->id;
        block->deadline_us = UINT64_MAX;
        waiter_init(&block->waiter);
        wait_for_keys(es, request);
        if (c->block_timeout_ms > 0) {
            uint64_t wait_ms = (uint64_t)c->block_timeout_ms;
            block->deadline_us = es->exec->now.boot_us + wait_ms * 1000;
            add_deadline(es->exec, request);
        }
        es->exec->parked_count++;
    }
    request->wait.state = REQUEST_PARKED;
    list_push_back(&es->exec->parked, &request->wait.link);
    return EXEC_WAITING;
}

void exec_unpark(struct exec *exec, struct request *request)
{
    struct request_block *block = &request->wait.block;
    buf_free(&block->state);
    if (!block->is_waiting)
        return;
    block->is_waiting = false;
    waiters_remove(shard_of(exec, request)->hot->waiters, &block->waiter);
    if (block->deadline_us != UINT64_MAX)
        remove_deadline(exec, request);
    ASSERT(exec->parked_count > 0);
    exec->parked_count--;
}

/* ---- waking ---- */

/* Gates are kept with the request: those of exec are the next run's. */
void exec_finish(struct exec *exec, struct request *request)
{
    struct request_block *block = &request->wait.block;
    ASSERT(request->gate_count <= 1);
    if (request->gate_count == 1) {
        block->gate = request->gates[0];
        request->gates = &block->gate;
    }
    list_remove(&request->wait.link);
    list_push_back(&exec->finished, &request->wait.link);
}

void exec_serve_woken(struct exec_shard *es)
{
    struct exec *exec = es->exec;
    struct waiter *waiter;
    if (es->serves_woken)
        return;
    es->serves_woken = true;
    while (es->holder == NULL && (waiter = waiters_take(es->hot->waiters)) != NULL) {
        struct request *request = CONTAINER_OF(waiter, struct request, wait.block.waiter);
        if (request->wait.state != REQUEST_PARKED)
            continue; /* it is on its way already */
        list_remove(&request->wait.link);
        if (exec_proceed(exec, request) == EXEC_DONE)
            exec_finish(exec, request);
    }
    es->serves_woken = false;
}

struct request *exec_take_finished(struct exec *exec)
{
    for (uint32_t id = 0; id < exec->shard_count && list_is_empty(&exec->finished); id++) {
        if (waiters_has_woken(exec->shards[id].hot->waiters))
            exec_serve_woken(&exec->shards[id]);
    }
    if (list_is_empty(&exec->finished))
        return NULL;
    struct request *request = CONTAINER_OF(exec->finished.next, struct request, wait.link);
    list_remove(&request->wait.link);
    return request;
}

/* ---- CLIENT UNBLOCK ---- */

bool exec_is_parked(const struct request *request)
{
    return request->wait.state == REQUEST_PARKED;
}

uint64_t exec_parked_count(const struct exec *exec)
{
    return exec->parked_count;
}

bool exec_unblock(struct exec *exec, struct request *request, const char *error)
{
    if (!exec_is_parked(request))
        return false;
    if (error == NULL) {
        request->wait.block.is_timed_out = true;
        exec_make_ready(exec, request);
        return true;
    }
    reply_error(&request->reply, "%s", error);
    request->has_failed = true;
    request->gates = NULL;
    request->gate_count = 0;
    request->wait.state = REQUEST_NEW;
    exec_unpark(exec, request);
    exec_finish(exec, request);
    return true;
}
