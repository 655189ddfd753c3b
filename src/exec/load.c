/* Loads: bringing a cold key back into memory without blocking the loop.
 *
 * The object stands in memory as LOADING (nobody changes it then), the row buffers are asked at
 * once, and what only LevelDB knows is read on a reader thread: the K row first, then, when the
 * value is wanted and has rows of its own, these in slices, put together on the reader thread too.
 * A flush of the database or a lost leadership abandons a load: its result is thrown away and who
 * waited asks again. */
#include "base/mem.h"
#include "exec/internal.h"
#include "keyspace/head_row.h"
#include "store/row_key.h"

enum {
    BODY_SLICE_ROWS = 16384,
    BODY_SLICE_SIZE = 8 << 20,
};

struct load {
    struct list link;     /* es->loads */
    struct list stranded; /* exec->stranded, while it could not start */
    struct exec_shard *es;
    struct keyspace *keyspace; /* NULL: abandoned */
    struct object *object;
    bool needs_value;
    struct list waiters;

    struct store_read read;
    void (*read_run)(struct job *job);
    bool is_running;
    bool is_finished;
    bool is_pinned;
    bool reads_body;
    bool is_damaged;     /* body rows do not fit the head */
    struct buf key_row;  /* key of the K row */
    struct bytes asked;  /* view of it for the read */
    struct buf from, to; /* range of the body */
    struct buf value;    /* of the K row, once known */
    bool has_row;
    struct hot_body body; /* under construction */
    uint64_t body_bytes;  /* of a string, put in place so far */
    struct type_env env;  /* as of the beginning of the load: for the reader thread */
};

/* ---- waiting ---- */

void exec_wait_for(struct load *load, struct request *request)
{
    struct load_waiter *waiter = mem_zero(sizeof(*waiter));
    waiter->request = request;
    waiter->load = load;
    list_push_back(&load->waiters, &waiter->in_load);
    list_push_back(&request->wait.loads, &waiter->in_request);
}

static void load_free(struct load *load)
{
    ASSERT(list_is_empty(&load->waiters) && !load->is_running);
    list_remove(&load->link);
    list_remove(&load->stranded);
    store_read_fini(&load->read);
    string_raw_free(load->body.raw);
    value_free(load->body.value);
    buf_free(&load->key_row);
    buf_free(&load->from);
    buf_free(&load->to);
    buf_free(&load->value);
    mem_free(load);
}

static void unpin(struct load *load)
{
    struct row_key key;
    bool is_key = row_key_decode(buf_bytes(&load->key_row), &key);
    ASSERT(is_key);
    if (load->is_pinned && load->keyspace != NULL)
        hot_unpin(load->keyspace, (uint64_t)key.slot << 48 | key.hash, key.name);
    load->is_pinned = false;
}

/* A finished load stays until all who asked have run, and its object in memory with it. Otherwise
 * two big keys of one command could push each other out for ever. */
static void free_when_unused(struct load *load)
{
    if (!load->is_finished || !list_is_empty(&load->waiters))
        return;
    unpin(load);
    load_free(load);
}

void exec_stop_waiting(struct request *request)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &request->wait.loads)
    {
        struct load_waiter *waiter = CONTAINER_OF(at, struct load_waiter, in_request);
        struct load *load = waiter->load;
        list_remove(&waiter->in_load);
        list_remove(&waiter->in_request);
        mem_free(waiter);
        free_when_unused(load);
    }
}

static bool waits_no_more(const struct request *request)
{
    const struct list *at;
    for (at = request->wait.loads.next; at != &request->wait.loads; at = at->next) {
        if (!CONTAINER_OF(at, struct load_waiter, in_request)->is_done)
            return false;
    }
    return true;
}

/* The load is over: unlinked when nobody waits, else freed by the last who did. */
static void end_load(struct load *load, bool has_failed)
{
    struct list *at, *after;
    load->is_finished = true;
    load->object = NULL;
    LIST_FOR_EACH(at, after, &load->waiters)
    {
        struct load_waiter *waiter = CONTAINER_OF(at, struct load_waiter, in_load);
        struct request *request = waiter->request;
        waiter->is_done = true;
        request->wait.has_load_failed |= has_failed;
        if (waits_no_more(request))
            exec_make_ready(load->es->exec, request);
    }
    free_when_unused(load);
}

/* ---- ends ---- */

static void load_fail(struct load *load)
{
    if (load->keyspace != NULL)
        hot_cancel_load(load->es->hot, load->keyspace, load->object);
    load->es->exec->counters.load_errors++;
    end_load(load, true);
}

static void load_fail_unreadable(struct load *load)
{
    log_write(load->es->exec->log, LOG_LEVEL_WARNING,
              "shard %u: the row of a key cannot be read (%zu bytes)", load->es->id,
              load->value.size);
    load_fail(load);
}

/* True: rows of the key were applied while it loaded. Only a follower sees that. */
static bool is_overtaken(const struct load *load)
{
    return load->object->is_stale;
}

static void load_finish(struct load *load)
{
    struct exec_shard *es = load->es;
    if (is_overtaken(load)) {
        hot_cancel_load(es->hot, load->keyspace, load->object);
        end_load(load, false); /* they ask again */
        return;
    }
    struct hot_body body = load->body;
    struct object *object = load->object;
    load->body = (struct hot_body){0};
    es->exec->counters.loads++;
    if (object->state == OBJECT_LOADING_BODY)
        hot_end_body(es->hot, load->keyspace, object, body);
    else
        object = hot_end_load(es->hot, load->keyspace, object, load->has_row,
                              buf_bytes(&load->value), body);
    if (object == NULL) {
        load->body = body;
        load_fail_unreadable(load);
        return;
    }
    load->is_pinned = !list_is_empty(&load->waiters) && hot_pin(object);
    end_load(load, false);
}

void exec_abandon_loads(struct exec_shard *es, const struct keyspace *keyspace)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &es->loads)
    {
        struct load *load = CONTAINER_OF(at, struct load, link);
        if (load->keyspace == NULL || (keyspace != NULL && load->keyspace != keyspace))
            continue;
        /* When all are abandoned the keyspaces live on: their placeholders and pins go. */
        if (keyspace == NULL && !load->is_finished)
            hot_cancel_load(es->hot, load->keyspace, load->object);
        else if (keyspace == NULL)
            unpin(load);
        load->keyspace = NULL;
        load->object = NULL;
        if (!load->is_running && !load->is_finished)
            end_load(load, false);
    }
}

/* ---- steps ---- */

static bool start_read(struct load *load);

static bool place_row(struct load *load, struct bytes element, struct bytes value)
{
    struct value **body = &load->body.value;
    if (*body != NULL)
        return type_of((*body)->type)->load_row(body, element, value, &load->env);
    load->body_bytes += value.size;
    return string_raw_load_chunk(load->body.raw, element, value);
}

static bool is_whole(struct load *load)
{
    struct value **body = &load->body.value;
    if (*body != NULL)
        return type_of((*body)->type)->load_end(body, &load->env);
    return load->body_bytes == load->body.raw->size;
}

/* On the reader thread. */
static void place_rows(struct load *load)
{
    struct bytes rest = buf_bytes(&load->read.rows);
    struct row row;
    while (!load->is_damaged && rows_next(&rest, &row) == ROWS_OK) {
        struct row_key key;
        load->is_damaged = !row_key_decode(row.key, &key) || key.kind != ROW_KIND_ELEMENT ||
                           !place_row(load, key.name, row.value);
    }
    if (!load->is_damaged && load->read.complete)
        load->is_damaged = !is_whole(load);
}

static void load_run(struct job *job)
{
    struct load *load = CONTAINER_OF(job, struct load, read.job);
    load->read_run(job);
    if (load->reads_body && load->read.err == STORE_OK)
        place_rows(load);
}

static void strand(struct load *load)
{
    list_remove(&load->stranded);
    list_push_back(&load->es->exec->stranded, &load->stranded);
}

/* False: the queue of the readers is full. */
static bool start_read(struct load *load)
{
    struct store *store = shard_fsm(load->es->shard)->store;
    store_read_fini(&load->read);
    load->read = (struct store_read){0};
    if (load->reads_body) {
        load->read.from = buf_bytes(&load->from);
        load->read.to = buf_bytes(&load->to);
        load->read.rows_max = BODY_SLICE_ROWS;
        load->read.bytes_max = BODY_SLICE_SIZE;
    } else {
        load->asked = buf_bytes(&load->key_row);
        load->read.keys = &load->asked;
        load->read.key_count = 1;
    }
    if (!store_read_begin(store, &load->read)) {
        strand(load);
        return true;
    }
    load->read.job.kind = EXEC_JOB_LOAD;
    load->read_run = load->read.job.run;
    load->read.job.run = load_run;
    load->is_running = worker_submit(load->es->exec->readers, &load->read.job);
    if (!load->is_running) {
        (void)store_read_end(store, &load->read);
        strand(load);
    }
    return load->is_running;
}

static void start_body(struct load *load, uint64_t object_id)
{
    load->reads_body = true;
    buf_clear(&load->from);
    buf_clear(&load->to);
    row_key_append_element_prefix(&load->from, object_id);
    row_key_append_element_prefix(&load->to, object_id);
    row_key_step_over(&load->to);
    (void)start_read(load);
}

static void start_string(struct load *load, uint64_t object_id, uint64_t size)
{
    load->body.raw = string_raw_new(bytes_of(NULL, 0), size);
    load->body.raw->size = (uint32_t)size;
    start_body(load, object_id);
}

/* bytes: what the K row says behind the object id. False: damage. */
static bool start_value(struct load *load, uint8_t type, uint64_t object_id, struct bytes bytes)
{
    load->env = load->es->hot->env;
    load->body.value = value_decode(type, object_id, bytes, &load->env);
    if (load->body.value == NULL)
        return false;
    type_of(type)->load_begin(&load->body.value, &load->env);
    start_body(load, object_id);
    return true;
}

/* What memory has of the head is what its K row says. */
static void start_known_head(struct load *load, const struct object *object)
{
    if (object->type == TYPE_STRING) {
        const struct string_raw *head = object_pointer(object);
        start_string(load, head->object_id, head->size);
        return;
    }
    const struct value *head = object_pointer(object);
    struct buf bytes = {0};
    value_encode(head, &bytes);
    bool is_good =
        start_value(load, head->type, head->object_id,
                    bytes_of(bytes.data + sizeof(uint64_t), bytes.size - sizeof(uint64_t)));
    ASSERT(is_good);
    buf_free(&bytes);
}

/* The K row is known: goes on with the body when that is wanted. True: the load is finished. */
static bool take_head(struct load *load, bool has_row, struct bytes value)
{
    load->has_row = has_row;
    buf_clear(&load->value);
    buf_append(&load->value, value);
    struct head head;
    if (!has_row || !load->needs_value || !head_decode(value, &head) || head.object_id == 0) {
        load_finish(load);
        return true;
    }
    if (head.type == TYPE_STRING) {
        start_string(load, head.object_id, head.size);
        return false;
    }
    bool is_good = start_value(load, head.type, head.object_id, head.inlined);
    if (!is_good)
        load_fail_unreadable(load);
    return !is_good;
}

static void key_read_done(struct load *load)
{
    struct bytes rest = buf_bytes(&load->read.rows);
    struct row row;
    if (rows_next(&rest, &row) != ROWS_OK) {
        load_fail(load);
        return;
    }
    (void)take_head(load, row.op != ROW_DELETE, row.value);
}

static void body_read_done(struct load *load)
{
    if (load->is_damaged) {
        log_write(load->es->exec->log, LOG_LEVEL_WARNING,
                  "shard %u: the element rows of a value do not fit its head", load->es->id);
        load_fail(load);
        return;
    }
    if (load->read.complete) {
        load_finish(load);
        return;
    }
    buf_clear(&load->from);
    buf_append(&load->from, buf_bytes(&load->read.next));
    (void)start_read(load);
}

bool exec_load_job_done(struct exec *exec, struct job *job)
{
    if (job->kind != EXEC_JOB_LOAD)
        return false;
    struct load *load = CONTAINER_OF(job, struct load, read.job);
    load->is_running = false;
    enum store_err err = store_read_end(shard_fsm(load->es->shard)->store, &load->read);
    if (load->keyspace == NULL) {
        end_load(load, false);
    } else if (err != STORE_OK) {
        log_write(exec->log, LOG_LEVEL_WARNING, "shard %u: loading a key: %.*s", load->es->id,
                  (int)load->read.error.size, (const char *)load->read.error.data);
        load_fail(load);
    } else if (load->reads_body) {
        body_read_done(load);
    } else {
        key_read_done(load);
    }
    return true;
}

/* Stops where the queue of the readers is full: the rest would be refused one by one, in every
 * turn.
 */
void exec_start_stranded(struct exec *exec)
{
    const struct list *last = exec->stranded.prev; /* what strands again comes behind it */
    bool is_last = list_is_empty(&exec->stranded);
    bool has_room = true;
    while (!is_last && has_room) {
        struct list *at = exec->stranded.next;
        is_last = at == last;
        list_remove(at);
        has_room = start_read(CONTAINER_OF(at, struct load, stranded));
    }
}

/* ---- beginning ---- */

static struct load *find_load(struct exec_shard *es, const struct object *object)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &es->loads)
    {
        struct load *load = CONTAINER_OF(at, struct load, link);
        if (!load->is_finished && load->object == object)
            return load;
    }
    return NULL;
}

static struct load *load_new(struct exec_shard *es, struct keyspace *keyspace, uint64_t order,
                             struct bytes key, struct object *object, bool needs_value)
{
    struct load *load = mem_zero(sizeof(*load));
    load->es = es;
    load->keyspace = keyspace;
    load->needs_value = needs_value;
    list_init(&load->waiters);
    list_init(&load->stranded);
    row_key_append_key(&load->key_row, keyspace->id, (uint16_t)(order >> 48),
                       order & ROW_KEY_HASH_MAX, key);
    load->object = hot_begin_load(es->hot, keyspace, order, key, object);
    list_push_back(&es->loads, &load->link);
    return load;
}

struct load *exec_load(struct exec_shard *es, struct keyspace *keyspace, uint64_t order,
                       struct bytes key, struct object *object, bool needs_value)
{
    if (object != NULL &&
        (object->state == OBJECT_LOADING || object->state == OBJECT_LOADING_BODY)) {
        struct load *load = find_load(es, object);
        ASSERT(load != NULL);
        return load;
    }
    struct load *load = load_new(es, keyspace, order, key, object, needs_value);
    if (object != NULL) {
        start_known_head(load, object);
        return load;
    }
    struct bytes value;
    bool is_finished = false;
    switch (store_find_buffered(shard_fsm(es->shard)->store, buf_bytes(&load->key_row), &value)) {
    case STORE_PUT:
        is_finished = take_head(load, true, value);
        break;
    case STORE_DELETED:
        is_finished = take_head(load, false, bytes_of(NULL, 0));
        break;
    case STORE_UNKNOWN:
        (void)start_read(load);
        break;
    }
    return is_finished ? NULL : load;
}
