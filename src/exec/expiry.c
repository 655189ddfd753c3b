/* Active expiry: the leader looks for due T rows in time order, hot or cold alike, and proposes the
 * deletions. Nothing else removes a key because of its age, so a follower never decides on time. */
#include "base/mem.h"
#include "exec/internal.h"
#include "store/row_key.h"

enum {
    EXPIRY_PERIOD_US = 100000,
    EXPIRY_ROWS_MAX = 1000, /* of one slice; a full one is followed by the next at once */
    EXPIRY_SLICE_SIZE = 1 << 20,
    EXPIRY_MARGIN_MS = 10000, /* how far behind a finished pass the next one begins */
    EXPIRY_FULL_PASS = 256,   /* and every so many passes begins at the beginning */
};

struct expiry_scan {
    struct store_read read;
    struct exec_shard *es;
    struct buf from, to;
    bool is_running;
    uint64_t due_us;    /* boot time of the next slice */
    uint64_t passed_ms; /* everything due before this was seen by a pass that came to its end */
    uint64_t passes;
    bool is_in_pass; /* `from` is where the last slice stopped */
};

static struct expiry_scan *scan_of(struct exec_shard *es)
{
    if (es->expiry == NULL) {
        es->expiry = mem_zero(sizeof(*es->expiry));
        es->expiry->es = es;
    }
    return es->expiry;
}

/* T rows sort by time: everything below now is due. What earlier passes deleted still stands in
 * LevelDB as deletions until it is compacted, so a pass does not begin at the beginning of time but
 * a margin before the end of the last one: a hint is applied a little after it was made, and a cold
 * key is dealt with in the pass after the one that had it loaded. */
static void begin_pass(struct expiry_scan *scan)
{
    bool is_full = scan->passes++ % EXPIRY_FULL_PASS == 0 || scan->passed_ms < EXPIRY_MARGIN_MS;
    uint64_t from_ms = is_full ? 0 : scan->passed_ms - EXPIRY_MARGIN_MS;
    buf_clear(&scan->from);
    buf_clear(&scan->to);
    row_key_append_expiry(&scan->from, from_ms, 0, 0, bytes_of(NULL, 0));
    row_key_append_expiry(&scan->to, scan->es->now_us / 1000 + 1, 0, 0, bytes_of(NULL, 0));
    scan->is_in_pass = true;
}

static void set_bounds(struct expiry_scan *scan)
{
    if (!scan->is_in_pass)
        begin_pass(scan);
    scan->read = (struct store_read){
        .from = buf_bytes(&scan->from),
        .to = buf_bytes(&scan->to),
        .rows_max = EXPIRY_ROWS_MAX,
        .bytes_max = EXPIRY_SLICE_SIZE,
    };
}

void exec_step_expiry(struct exec_shard *es)
{
    struct exec *exec = es->exec;
    struct expiry_scan *scan = scan_of(es);
    if (scan->is_running || !exec->expires_actively || exec->refusal != NULL ||
        exec->now.boot_us < scan->due_us)
        return;
    scan->due_us = exec->now.boot_us + EXPIRY_PERIOD_US;
    set_bounds(scan);
    struct store *store = shard_fsm(es->shard)->store;
    if (!store_read_begin(store, &scan->read))
        return;
    scan->read.job.kind = EXEC_JOB_EXPIRY;
    scan->is_running = worker_submit(exec->readers, &scan->read.job);
    if (!scan->is_running) {
        (void)store_read_end(store, &scan->read);
        store_read_fini(&scan->read);
    }
}

static struct keyspace *keyspace_of(struct hot *hot, uint32_t ksid)
{
    for (int i = 0; i < HOT_DATABASES; i++) {
        if (hot->databases[i]->id == ksid)
            return hot->databases[i];
    }
    return NULL;
}

/* The hint names a key that has no such expiry (any more): only the hint goes. */
static void drop_hint(struct exec_shard *es, struct bytes row_key)
{
    exec_open_entry(es);
    rows_append(&es->hot->open_rows, ROW_DELETE, row_key, bytes_of(NULL, 0));
    es->hot->open_size += ROWS_HEADER_SIZE + row_key.size;
}

static void settle_due(struct exec_shard *es, struct keyspace *keyspace, const struct row_key *due,
                       struct bytes row_key)
{
    uint64_t order = hot_order(es->hot, due->slot, due->name);
    struct object *object;
    enum hot_found found = hot_find(es->hot, keyspace, order, due->name, HOT_HEAD, &object);
    if (found == HOT_COLD) {
        (void)exec_load(es, keyspace, order, due->name, object, false); /* next time it is known */
        return;
    }
    int64_t due_ms = found == HOT_PRESENT ? hot_due_ms(object) : 0;
    if (due_ms != (int64_t)due->expire_ms) {
        /* One that memory changed already goes with the entry that changed it. */
        if (object == NULL || hot_gate(es->hot, keyspace, object) == 0)
            drop_hint(es, row_key);
        return;
    }
    int64_t now_ms = (int64_t)(es->now_us / 1000);
    if (due_ms > now_ms)
        return;
    if (object_expire_ms(object) == due_ms) {
        exec_open_entry(es);
        es->exec->env.expired_keys++;
        hot_delete_expired(es->hot, keyspace, object);
        return;
    }
    if (hot_find(es->hot, keyspace, order, due->name, HOT_VALUE, &object) == HOT_PRESENT) {
        exec_open_entry(es);
        hot_expire_elements(es->hot, keyspace, object, now_ms);
    } else {
        (void)exec_load(es, keyspace, order, due->name, object, true);
    }
}

static void settle_rows(struct exec_shard *es, struct bytes rows)
{
    struct row row;
    while (rows_next(&rows, &row) == ROWS_OK) {
        struct row_key due;
        if (!row_key_decode(row.key, &due) || due.kind != ROW_KIND_EXPIRY)
            continue;
        struct keyspace *keyspace = keyspace_of(es->hot, due.ksid);
        if (keyspace == NULL)
            drop_hint(es, row.key);
        else
            settle_due(es, keyspace, &due, row.key);
        if (es->hot->open_size >= EXEC_ENTRY_CLOSE_SIZE)
            exec_close_entry(es);
    }
}

/* A slice that was cut is followed by the next at once, where it stopped. */
static void slice_done(struct expiry_scan *scan)
{
    struct exec_shard *es = scan->es;
    settle_rows(es, buf_bytes(&scan->read.rows));
    if (!scan->read.complete) {
        buf_clear(&scan->from);
        buf_append(&scan->from, buf_bytes(&scan->read.next));
        scan->due_us = es->exec->now.boot_us;
        return;
    }
    struct row_key end;
    bool is_key = row_key_decode(buf_bytes(&scan->to), &end);
    ASSERT(is_key);
    scan->passed_ms = end.expire_ms;
    scan->is_in_pass = false;
}

bool exec_expiry_job_done(struct exec *exec, struct job *job)
{
    (void)exec;
    if (job->kind != EXEC_JOB_EXPIRY)
        return false;
    struct expiry_scan *scan = CONTAINER_OF(job, struct expiry_scan, read.job);
    struct exec_shard *es = scan->es;
    scan->is_running = false;
    enum store_err err = store_read_end(shard_fsm(es->shard)->store, &scan->read);
    /* Another run may have the shard meanwhile, or it is no longer ours: the same slice again. */
    if (err == STORE_OK && exec_shard_is_free(es))
        slice_done(scan);
    store_read_fini(&scan->read);
    return true;
}

void exec_expiry_free(struct exec_shard *es)
{
    if (es->expiry == NULL)
        return;
    ASSERT(!es->expiry->is_running);
    buf_free(&es->expiry->from);
    buf_free(&es->expiry->to);
    mem_free(es->expiry);
    es->expiry = NULL;
}
