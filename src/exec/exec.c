#include "base/mem.h"
#include "base/mutants.h"
#include "base/prng.h"
#include "exec/internal.h"
#include "store/row_key.h"

enum { PAGE_OUT_TRIES_MAX = 4096 }; /* objects looked at in one turn and shard */

/* ---- construction ---- */

static bool await_key(struct call *c, uint64_t order, struct bytes key, bool needs_value);
static bool run_aside(struct call *c, struct call_aside *aside);

/* Publishing keyspace events waits for pub/sub; the classes are checked where they are configured.
 */
static void notify(struct call *c, char event_class, const char *event, struct bytes key)
{
    ASSERT(c != NULL && event_class != 0 && event != NULL && key.size <= OBJECT_KEY_MAX);
}

static bool read_keys_now(struct store *store, const struct bytes *keys, size_t count,
                          struct store_read *read, struct buf *error)
{
    *read = (struct store_read){.keys = keys, .key_count = count};
    if (!store_read_begin(store, read))
        return false;
    read->job.run(&read->job);
    if (store_read_end(store, read) == STORE_OK)
        return true;
    buf_append(error, buf_bytes(&read->error));
    return false;
}

static void restore_map(struct hot *hot, const struct store_read *read)
{
    struct bytes rest = buf_bytes(&read->rows);
    struct row row;
    if (rows_next(&rest, &row) == ROWS_OK && row.op != ROW_DELETE)
        hot_restore_map(hot, row.value);
}

static void restore_counts(struct hot *hot, const struct store_read *read)
{
    struct bytes rest = buf_bytes(&read->rows);
    struct row row;
    for (int i = 0; i < HOT_DATABASES && rows_next(&rest, &row) == ROWS_OK; i++) {
        if (row.op != ROW_DELETE)
            hot_restore_counts(hot, hot->databases[i]->id, row.value);
    }
}

static bool restore(struct exec_shard *es, struct buf *error)
{
    struct store *store = shard_fsm(es->shard)->store;
    struct buf keys[HOT_DATABASES] = {{0}};
    struct bytes views[HOT_DATABASES];
    struct store_read read;
    row_key_append_meta(&keys[0], BYTES_LITERAL("databases"));
    views[0] = buf_bytes(&keys[0]);
    bool is_ok = read_keys_now(store, views, 1, &read, error);
    if (is_ok)
        restore_map(es->hot, &read);
    store_read_fini(&read);
    for (int i = 0; i < HOT_DATABASES; i++) {
        buf_clear(&keys[i]);
        row_key_append_keyspace(&keys[i], es->hot->databases[i]->id);
        views[i] = buf_bytes(&keys[i]);
    }
    if (is_ok) {
        is_ok = read_keys_now(store, views, HOT_DATABASES, &read, error);
        if (is_ok)
            restore_counts(es->hot, &read);
        store_read_fini(&read);
    }
    for (int i = 0; i < HOT_DATABASES; i++)
        buf_free(&keys[i]);
    return is_ok;
}

static bool shard_init(struct exec *exec, struct exec_shard *es, const struct exec_options *options,
                       uint32_t id, struct buf *error)
{
    *es = (struct exec_shard){.exec = exec, .shard = options->shards[id], .id = id};
    es->hot = hot_new(options->hash_seed);
    hot_set_env(es->hot, &options->limits.types);
    es->hot->released = shard_applied_index(es->shard);
    list_init(&es->queue);
    list_init(&es->loads);
    return shard_has_lost_rows(es->shard) || restore(es, error);
}

bool exec_new(struct exec **out, const struct exec_options *options, struct buf *error)
{
    ASSERT(options->shard_count > 0);
    struct exec *exec = mem_zero(sizeof(*exec));
    exec->shard_count = options->shard_count;
    exec->shards = mem_zero(options->shard_count * sizeof(*exec->shards));
    exec->gates = mem_zero(options->shard_count * sizeof(*exec->gates));
    exec->table = options->table;
    exec->readers = options->readers;
    exec->freer = options->freer;
    exec->couriers = options->couriers;
    exec->log = options->log;
    exec->fibers = fiber_pool_new();
    exec->prng = prng_init(options->seed);
    exec->expires_actively = true;
    exec->env = (struct call_env){.await_key = await_key,
                                  .run_aside = run_aside,
                                  .notify = notify,
                                  .has_many_shards = options->shard_count > 1};
    list_init(&exec->ready);
    list_init(&exec->runs);
    list_init(&exec->finished);
    list_init(&exec->parked);
    list_init(&exec->next_turn);
    list_init(&exec->stranded);
    list_init(&exec->errands);
    exec_set_limits(exec, options->limits);
    *out = exec;
    for (uint32_t id = 0; id < options->shard_count; id++) {
        if (!shard_init(exec, &exec->shards[id], options, id, error))
            return false;
    }
    return true;
}

void exec_free(struct exec *exec)
{
    if (exec == NULL)
        return;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        if (es->hot == NULL)
            continue;
        exec_abandon_loads(es, NULL);
        hot_free(es->hot);
        exec_expiry_free(es);
        exec_filter_free(es);
    }
    exec_free_errands(exec);
    fiber_pool_free(exec->fibers);
    mem_free(exec->deadlines);
    mem_free(exec->shards);
    mem_free(exec->gates);
    mem_free(exec);
}

void exec_set_limits(struct exec *exec, struct exec_limits limits)
{
    exec->limits = limits;
    exec->env.string_size_max = limits.string_size_max;
    exec->env.hll_sparse_max = limits.hll_sparse_max;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        if (exec->shards[id].hot != NULL)
            hot_set_env(exec->shards[id].hot, &limits.types);
    }
}

void exec_refuse_writes(struct exec *exec, const char *error)
{
    exec->refusal = error;
    exec->env.refuses_writes = error != NULL;
}

void exec_set_time_known(struct exec *exec, bool is_known)
{
    exec->lacks_time = !is_known;
}

void exec_set_active_expiry(struct exec *exec, bool is_on)
{
    exec->expires_actively = is_on;
}

/* ---- phases ---- */

static void tell_time(struct exec_shard *es)
{
    struct turn_time now = es->exec->now;
    bool may_move = (exec_leads(es) && !es->exec->lacks_time) || NODE_MUTANT(time_moves_anywhere);
    es->now_us = may_move ? shard_now_us(es->shard, now.boot_us, now.wall_us)
                          : shard_hold_time(es->shard, now.boot_us);
}

void exec_begin_turn(struct exec *exec, struct turn_time now)
{
    exec->now = now;
    exec_end_waits(exec);
    while (!list_is_empty(&exec->next_turn))
        exec_make_ready(exec, CONTAINER_OF(exec->next_turn.next, struct request, wait.link));
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        tell_time(es);
        es->hot->clock = (uint32_t)(now.boot_us >> 16);
        es->is_asked = false;
        if (!list_is_empty(&es->queue) && (exec_knows_what_to_say(es) || exec_shard_has_news(es)))
            exec_wake_queue(es);
    }
}

void exec_housekeeping(struct exec *exec)
{
    exec_start_stranded(exec);
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        if (es->holder != NULL || !shard_is_serving(es->shard) || exec->lacks_time)
            continue;
        exec_step_expiry(es);
        exec_step_filter(es);
    }
}

void exec_propose(struct exec *exec)
{
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        /* A run that waits in the middle keeps its changes in one entry: it closes when it ends. */
        if (es->hot->is_open && (es->holder == NULL || NODE_MUTANT(close_in_suspended)))
            exec_close_entry(es);
    }
}

bool exec_holds_entry(const struct exec *exec, uint32_t shard)
{
    return exec->shards[shard].hot->is_open;
}

static void apply_entry(struct exec_shard *es, const struct entry *entry)
{
    bool has_rows = entry->kind == ENTRY_ROWS;
    struct bytes rows = has_rows ? entry_rows(entry) : bytes_of(NULL, 0);
    if (!has_rows || shard_executed(es->shard, entry) || NODE_MUTANT(followers_keep_objects))
        hot_release(es->hot, entry->index, rows);
    else
        hot_apply(es->hot, entry->index, rows);
}

void exec_apply(struct exec *exec)
{
    uint64_t now_ms = exec->now.boot_us / 1000;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        struct entry *entry;
        bool has_foreign = false;
        while ((entry = shard_next_applied(es->shard, now_ms)) != NULL) {
            has_foreign |= !shard_executed(es->shard, entry);
            exec_note_applied(es, entry);
            apply_entry(es, entry);
        }
        if (has_foreign && !NODE_MUTANT(time_is_old)) /* their stamps may be ahead of us, and we may
                                                         serve in this very turn */
            tell_time(es);
    }
}

/* ---- memory ---- */

struct free_job {
    struct job job;
    struct keyspace *keyspace;
    struct buf raws, values;
};

static void free_run(struct job *job)
{
    struct free_job *work = CONTAINER_OF(job, struct free_job, job);
    while (work->keyspace != NULL) {
        struct keyspace *keyspace = work->keyspace;
        work->keyspace = keyspace->next;
        keyspace_free(keyspace);
    }
    hot_garbage_free(&work->raws, &work->values);
}

static void free_garbage(struct exec *exec, struct exec_shard *es)
{
    struct hot *hot = es->hot;
    if (hot->garbage == NULL && hot->raw_garbage.size == 0 && hot->value_garbage.size == 0)
        return;
    if (es->errand_count > 0)
        return; /* a helper may be reading one of them */
    struct free_job *work = mem_zero(sizeof(*work));
    work->job = (struct job){.run = free_run, .kind = EXEC_JOB_FREE};
    work->keyspace = hot->garbage;
    work->raws = hot->raw_garbage;
    work->values = hot->value_garbage;
    if (!worker_submit(exec->freer, &work->job)) {
        mem_free(work); /* stays with hot memory until the queue has room */
        return;
    }
    hot->garbage = NULL;
    hot->raw_garbage = (struct buf){0};
    hot->value_garbage = (struct buf){0};
}

uint64_t exec_hot_memory(const struct exec *exec)
{
    uint64_t memory = 0;
    for (uint32_t id = 0; id < exec->shard_count; id++)
        memory += hot_memory(exec->shards[id].hot);
    return memory;
}

bool exec_newest_index(const struct exec *exec, uint32_t shard, uint64_t since_us, uint64_t *index)
{
    const struct exec_shard *es = &exec->shards[shard];
    *index = 0;
    if (!exec_leads(es))
        return es->lost_at_us > since_us;
    *index = hot_has_changes(es->hot) ? es->hot->open_index : shard_last_index(es->shard);
    return true;
}

uint64_t exec_filter_memory(const struct exec *exec)
{
    uint64_t memory = 0;
    for (uint32_t id = 0; id < exec->shard_count; id++)
        memory += hot_filter_memory(exec->shards[id].hot);
    return memory;
}

/* Each shard gives in proportion to what it has. */
static void page_out(struct exec *exec)
{
    uint64_t memory = exec_hot_memory(exec);
    if (memory <= exec->limits.memory_max)
        return;
    double share = (double)(memory - exec->limits.memory_max) / (double)memory;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct hot *hot = exec->shards[id].hot;
        if (exec->shards[id].awaits_key)
            continue; /* a command that found one key and waits for another holds the first */
        uint64_t bytes = (uint64_t)((double)hot_memory(hot) * share) + 1;
        (void)hot_page_out(hot, bytes, PAGE_OUT_TRIES_MAX, prng_next(&exec->prng));
    }
}

void exec_end_turn(struct exec *exec)
{
    page_out(exec);
    for (uint32_t id = 0; id < exec->shard_count; id++)
        free_garbage(exec, &exec->shards[id]);
}

void exec_job_done(struct exec *exec, struct job *job)
{
    if (job->kind == EXEC_JOB_FREE) {
        mem_free(CONTAINER_OF(job, struct free_job, job));
        return;
    }
    bool is_known = exec_load_job_done(exec, job) || exec_walk_job_done(exec, job) ||
                    exec_expiry_job_done(exec, job) || exec_filter_job_done(exec, job) ||
                    exec_errand_job_done(exec, job);
    ASSERT(is_known);
}

/* ---- questions ---- */

bool exec_has_work(const struct exec *exec)
{
    return !list_is_empty(&exec->ready) || !list_is_empty(&exec->finished);
}

bool exec_waits_a_turn(const struct exec *exec)
{
    return !list_is_empty(&exec->next_turn);
}

bool exec_wants_flush(const struct exec *exec)
{
    return exec->wants_flush;
}

bool exec_is_settled(const struct exec *exec)
{
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        const struct exec_shard *es = &exec->shards[id];
        bool waits =
            exec_leads(es) && shard_applied_index(es->shard) != shard_last_index(es->shard);
        if (es->holder != NULL || !list_is_empty(&es->loads) || es->hot->is_open || waits)
            return false;
    }
    return list_is_empty(&exec->ready) && list_is_empty(&exec->finished);
}

struct exec_counters exec_counters(const struct exec *exec)
{
    struct exec_counters counters = exec->counters;
    counters.keyspace_hits = exec->env.keyspace_hits;
    counters.keyspace_misses = exec->env.keyspace_misses;
    counters.expired_keys = exec->env.expired_keys;
    for (uint32_t id = 0; id < exec->shard_count; id++)
        counters.paged_out += exec->shards[id].hot->paged_out;
    return counters;
}

void exec_reset_counters(struct exec *exec)
{
    exec->counters = (struct exec_counters){0};
    exec->env.keyspace_hits = exec->env.keyspace_misses = exec->env.expired_keys = 0;
    for (uint32_t id = 0; id < exec->shard_count; id++)
        exec->shards[id].hot->paged_out = 0;
}

struct exec_database_counts exec_database_counts(const struct exec *exec, int database)
{
    struct exec_database_counts counts = {0};
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        const struct keyspace *keyspace = exec->shards[id].hot->databases[database];
        counts.keys += keyspace->keys;
        counts.expiring += keyspace->expiring;
        counts.in_memory += (int64_t)keyspace->table.count;
    }
    return counts;
}

/* ---- a run that meets a cold key ---- */

static bool await_key(struct call *c, uint64_t order, struct bytes key, bool needs_value)
{
    struct run *run = run_of(c);
    if (run != NULL && run->is_cancelled) {
        c->is_broken = true;
        return false;
    }
    /* A plain command's keys were loaded before it ran: one that is cold now has a row that cannot
     * be read. */
    if (run == NULL || run->shard == NULL) {
        struct exec *exec = CONTAINER_OF(c->env, struct exec, env);
        log_write(exec->log, LOG_LEVEL_WARNING, "%s: a key was not readable before the run",
                  c->command->name);
        return false;
    }
    struct object *object = table_find(&c->keyspace->table, order, key);
    uint64_t errors = run->exec->counters.load_errors;
    struct load *load = exec_load(run->shard, c->keyspace, order, key, object, needs_value);
    if (load == NULL) /* the row buffers had it */
        return run->exec->counters.load_errors == errors;
    bool is_loaded = exec_wait_for_load(run, load);
    c->is_broken |= run->is_cancelled;
    return is_loaded;
}

static bool run_aside(struct call *c, struct call_aside *aside)
{
    struct run *run = run_of(c);
    if (run != NULL && run->shard != NULL)
        return exec_run_aside(run, run->exec->readers, aside);
    aside->run(aside);
    return true;
}
