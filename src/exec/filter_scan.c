/* After a restart the filter of a database is filled again from its K rows, slice by slice in the
 * background; until it is whole, a key that is not in memory is asked of LevelDB. Keys that are
 * written meanwhile add themselves, so the order of the two does not matter. */
#include "base/mem.h"
#include "exec/internal.h"
#include "store/row_key.h"

enum {
    FILTER_ROWS = 4096,
    FILTER_SLICE_SIZE = 2 << 20,
};

struct filter_scan {
    struct store_read read;
    struct exec_shard *es;
    uint32_t ksid; /* 0: none chosen */
    struct buf from, to;
    bool is_running;
};

static struct keyspace *choose(struct filter_scan *scan)
{
    struct hot *hot = scan->es->hot;
    struct keyspace *missing = NULL;
    for (int i = 0; i < HOT_DATABASES; i++) {
        struct keyspace *keyspace = hot->databases[i];
        if (keyspace->filter_is_whole)
            continue;
        if (keyspace->id == scan->ksid)
            return keyspace;
        missing = keyspace;
    }
    scan->ksid = missing != NULL ? missing->id : 0;
    buf_clear(&scan->from);
    if (missing != NULL)
        row_key_append_key_prefix(&scan->from, missing->id);
    return missing;
}

static struct filter_scan *scan_of(struct exec_shard *es)
{
    if (es->filter == NULL) {
        es->filter = mem_zero(sizeof(*es->filter));
        es->filter->es = es;
    }
    return es->filter;
}

void exec_step_filter(struct exec_shard *es)
{
    struct filter_scan *scan = scan_of(es);
    if (scan->is_running || choose(scan) == NULL)
        return;
    buf_clear(&scan->to);
    row_key_append_key_prefix(&scan->to, scan->ksid);
    row_key_step_over(&scan->to);
    scan->read = (struct store_read){
        .from = buf_bytes(&scan->from),
        .to = buf_bytes(&scan->to),
        .rows_max = FILTER_ROWS,
        .bytes_max = FILTER_SLICE_SIZE,
    };
    struct store *store = shard_fsm(es->shard)->store;
    if (!store_read_begin(store, &scan->read))
        return;
    scan->read.job.kind = EXEC_JOB_FILTER;
    scan->is_running = worker_submit(es->exec->readers, &scan->read.job);
    if (!scan->is_running) {
        (void)store_read_end(store, &scan->read);
        store_read_fini(&scan->read);
    }
}

static void take_rows(struct filter_scan *scan, struct keyspace *keyspace)
{
    struct bytes rest = buf_bytes(&scan->read.rows);
    struct row row;
    while (rows_next(&rest, &row) == ROWS_OK) {
        struct row_key key;
        if (row_key_decode(row.key, &key) && key.kind == ROW_KIND_KEY)
            hot_filter_found(keyspace, (uint64_t)key.slot << 48 | key.hash);
    }
    if (scan->read.complete) {
        hot_filter_done(keyspace);
        scan->ksid = 0;
        return;
    }
    buf_clear(&scan->from);
    buf_append(&scan->from, buf_bytes(&scan->read.next));
}

bool exec_filter_job_done(struct exec *exec, struct job *job)
{
    (void)exec;
    if (job->kind != EXEC_JOB_FILTER)
        return false;
    struct filter_scan *scan = CONTAINER_OF(job, struct filter_scan, read.job);
    scan->is_running = false;
    enum store_err err = store_read_end(shard_fsm(scan->es->shard)->store, &scan->read);
    uint32_t ksid = scan->ksid;
    struct keyspace *keyspace = choose(scan);
    if (err == STORE_OK && keyspace != NULL && keyspace->id == ksid)
        take_rows(scan, keyspace); /* else it was flushed meanwhile */
    store_read_fini(&scan->read);
    return true;
}

/* A slice under way is not taken either: it is of no database. */
void exec_filter_restart(struct exec_shard *es)
{
    if (es->filter != NULL)
        es->filter->ksid = 0;
}

void exec_filter_free(struct exec_shard *es)
{
    if (es->filter == NULL)
        return;
    ASSERT(!es->filter->is_running);
    buf_free(&es->filter->from);
    buf_free(&es->filter->to);
    mem_free(es->filter);
    es->filter = NULL;
}
