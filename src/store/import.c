#include "store/import.h"

#include <inttypes.h>

#include "base/mem.h"
#include "base/mutants.h"
#include "codec/rows.h"
#include "store/store_state.h"

/* Rows of one synced batch: as many fsyncs as megabytes. Unsynced ones could be argued for (a log
 * that LevelDB rotates away from is soon a synced table, and a failure shows at the last write),
 * but from the inside of LevelDB, not from what it promises (L2). */
enum { BATCH_SIZE = 1024 * 1024 };

enum import_step { STEP_BEGIN, STEP_WRITE, STEP_FINISH, STEP_ABANDON, STEP_SETTLE };

/* While the import is busy all of it is the job's. */
struct store_import_target {
    struct store *store; /* the loop's */
    enum import_step step;
    bool was_run;

    struct generation_dir dir;
    struct kv_options kv_options;
    struct meta_identity identity;
    char name[GENERATION_NAME_SIZE];     /* of the new generation; "": not made */
    char old_name[GENERATION_NAME_SIZE]; /* "": rows were lost, none is valid */
    struct buf path;                     /* of the new one, with a 0 byte */

    struct kv *kv;     /* the new one, until it is adopted */
    struct kv *old_kv; /* from then on; NULL when the old one was not open */
    struct kv_batch *batch;
    size_t batch_size;
    struct buf last_key; /* written */
    struct bytes chunk;
    uint64_t rows_taken;
    uint64_t bytes_taken;
    struct meta meta;
    bool may_be_current; /* publishing was begun */
};

/* ---- on the store worker ---- */

static void run_begin(struct store_import *import)
{
    struct store_import_target *target = import->target;
    import->err =
        generation_begin_next(&target->dir, target->old_name, target->name, &import->error);
    if (import->err != STORE_OK)
        return;
    generation_path(&target->dir, target->name, &target->path);
    struct kv_env *env = target->dir.env;
    import->err = store_err_of(env->ops->open(env, (const char *)target->path.data,
                                              &target->kv_options, &target->kv, &import->error));
    if (import->err == STORE_OK)
        target->batch = target->kv->ops->batch_new(target->kv);
}

static const char *why_refused(const struct row *row, struct bytes last_key)
{
    if (row->op != ROW_PUT)
        return "is no put";
    if (meta_owns_key(row->key))
        return "is one that each store writes itself";
    if (bytes_compare(row->key, last_key) <= 0)
        return "is not above the one before it";
    return NULL;
}

static void refuse(struct store_import *import, const char *why)
{
    import->err = STORE_DAMAGED;
    buf_printf(&import->error, "%s: received row %" PRIu64 " %s",
               (const char *)import->target->path.data, import->target->rows_taken + 1, why);
}

static void take_rows(struct store_import *import)
{
    struct store_import_target *target = import->target;
    struct bytes rest = target->chunk;
    struct bytes last = buf_bytes(&target->last_key);
    struct row row;
    enum rows_err err;
    while ((err = rows_next(&rest, &row)) == ROWS_OK) {
        const char *why = why_refused(&row, last);
        if (why != NULL) {
            refuse(import, why);
            return;
        }
        target->kv->ops->batch_put(target->batch, row.key, row.value);
        last = row.key;
        target->rows_taken++;
    }
    if (err == ROWS_BAD)
        refuse(import, "is no row");
    else if (target->chunk.size > 0) {
        buf_clear(&target->last_key);
        buf_append(&target->last_key, last);
        target->batch_size += target->chunk.size;
        target->bytes_taken += target->chunk.size;
    }
}

static void write_batch(struct store_import *import)
{
    struct store_import_target *target = import->target;
    const struct kv_ops *ops = target->kv->ops;
    import->err = store_err_of(ops->write(target->kv, target->batch, &import->error));
    ops->batch_free(target->batch);
    target->batch = ops->batch_new(target->kv);
    target->batch_size = 0;
}

static void run_write(struct store_import *import)
{
    take_rows(import);
    if (import->err == STORE_OK && import->target->batch_size >= BATCH_SIZE)
        write_batch(import);
}

/* LevelDB has synced its tables and manifest, the seam the log and the directory (kv_leveldb.c):
 * after the last batch the generation is whole, whatever is cut off then. Its memory goes out too,
 * so that neither the switch nor the next start replays anything. */
static void run_finish(struct store_import *import)
{
    struct store_import_target *target = import->target;
    meta_put_identity(target->kv, target->batch, &target->identity);
    target->meta.installed = target->meta.index;
    meta_put_installed(target->kv, target->batch, target->meta.index);
    meta_put(target->kv, target->batch, &target->meta);
    if (!NODE_MUTANT(install_before_rows))
        write_batch(import);
    if (import->err != STORE_OK)
        return;
    target->kv->ops->push_out(target->kv);
    target->may_be_current = true;
    import->err = generation_publish(&target->dir, target->name, &import->error);
    if (import->err == STORE_OK && NODE_MUTANT(install_before_rows))
        write_batch(import);
}

static void close_target(struct store_import_target *target)
{
    if (target->batch != NULL)
        target->kv->ops->batch_free(target->batch);
    if (target->kv != NULL)
        target->kv->ops->close(target->kv);
    if (target->old_kv != NULL)
        target->old_kv->ops->close(target->old_kv);
    target->batch = NULL;
    target->kv = NULL;
    target->old_kv = NULL;
}

/* CURRENT first: it must never name what is being deleted, or half of it might be opened. */
static void run_abandon(struct store_import *import)
{
    struct store_import_target *target = import->target;
    if (target->may_be_current && target->old_name[0] != 0)
        import->err = generation_publish(&target->dir, target->old_name, &import->error);
    else if (target->may_be_current)
        import->err = generation_unpublish(&target->dir, &import->error);
    if (import->err != STORE_OK)
        return;
    target->may_be_current = false;
    close_target(target);
    if (target->name[0] != 0)
        generation_remove(&target->dir, target->name);
}

static void run_settle(struct store_import *import)
{
    struct store_import_target *target = import->target;
    close_target(target);
    generation_remove_others(&target->dir, target->name);
}

static void import_run(struct job *job)
{
    struct store_import *import = CONTAINER_OF(job, struct store_import, job);
    import->target->was_run = true;
    switch (import->target->step) {
    case STEP_BEGIN:
        run_begin(import);
        break;
    case STEP_WRITE:
        run_write(import);
        break;
    case STEP_FINISH:
        run_finish(import);
        break;
    case STEP_ABANDON:
        run_abandon(import);
        break;
    case STEP_SETTLE:
        run_settle(import);
        break;
    }
}

/* ---- on the loop ---- */

static void start(struct store_import *import, enum import_step step)
{
    ASSERT(!import->is_busy);
    import->is_busy = true;
    import->err = STORE_OK;
    buf_clear(&import->error);
    import->job.run = import_run;
    import->target->step = step;
    import->target->was_run = false;
}

void store_import_begin(struct store *store, struct store_import *import)
{
    ASSERT(import->state == STORE_IMPORT_IDLE && import->target == NULL);
    ASSERT(store->import == NULL);
    struct store_import_target *target = mem_zero(sizeof(*target));
    target->store = store;
    target->dir = store->dir;
    target->kv_options = store->kv_options;
    target->kv_options.create = true;
    target->identity = store->identity;
    memcpy(target->old_name, store->generation, sizeof(target->old_name));
    store->import = import;
    import->target = target;
    import->rows_taken = 0;
    import->bytes_taken = 0;
    start(import, STEP_BEGIN);
}

void store_import_write(struct store_import *import, struct bytes rows)
{
    ASSERT(import->state == STORE_IMPORT_OPEN);
    import->target->chunk = rows;
    start(import, STEP_WRITE);
}

/* L3: neither the applied index nor what a mark may say goes back. */
static bool is_needed(const struct store *store, uint64_t index)
{
    return index > store->applied.index || store->phase == STORE_PHASE_FAILED;
}

bool store_import_finish(struct store *store, struct store_import *import,
                         const struct store_meta *meta)
{
    ASSERT(import->state == STORE_IMPORT_OPEN && !import->is_busy && store->import == import);
    if (!is_needed(store, meta->applied_index))
        return false;
    struct meta *own = &import->target->meta;
    own->index = meta->applied_index;
    own->term = meta->applied_term;
    own->stamp_us = meta->stamp_us;
    buf_clear(&own->members);
    buf_append(&own->members, meta->members);
    store->hold = STORE_HOLD_FLUSHES;
    start(import, STEP_FINISH);
    return true;
}

bool store_import_abandon(struct store *store, struct store_import *import)
{
    ASSERT(import->state != STORE_IMPORT_ADOPTED);
    if (import->is_busy || import->target == NULL)
        return false;
    ASSERT(store->import == import);
    start(import, STEP_ABANDON);
    return true;
}

static void free_target(struct store_import *import)
{
    struct store_import_target *target = import->target;
    target->store->import = NULL;
    target->store->hold = STORE_HOLD_NONE;
    buf_free(&target->path);
    buf_free(&target->last_key);
    meta_free(&target->meta);
    mem_free(target);
    import->target = NULL;
    import->state = STORE_IMPORT_IDLE;
}

static void end_step(struct store *store, struct store_import *import)
{
    switch (import->target->step) {
    case STEP_BEGIN:
        import->state = STORE_IMPORT_OPEN;
        break;
    case STEP_WRITE:
        import->rows_taken = import->target->rows_taken;
        import->bytes_taken = import->target->bytes_taken;
        break;
    case STEP_FINISH:
        import->state = STORE_IMPORT_PUBLISHED;
        store->hold = STORE_HOLD_ALL;
        break;
    case STEP_ABANDON:
    case STEP_SETTLE:
        free_target(import);
        break;
    }
}

enum store_err store_import_done(struct store *store, struct store_import *import)
{
    struct store_import_target *target = import->target;
    ASSERT(import->is_busy && store->import == import && target->store == store);
    import->is_busy = false;
    target->chunk = (struct bytes){0};
    if (!target->was_run) {
        import->err = STORE_IO;
        buf_append_string(&import->error, "the step was not run");
    }
    if (import->err == STORE_OK) {
        end_step(store, import);
        return STORE_OK;
    }
    enum store_err err = import->err;
    if (target->step != STEP_SETTLE)
        import->state = STORE_IMPORT_FAILED;
    if (import->state == STORE_IMPORT_FAILED)
        store->hold = target->may_be_current ? STORE_HOLD_FLUSHES : STORE_HOLD_NONE;
    return err;
}

bool store_import_is_adoptable(const struct store *store, const struct store_import *import)
{
    return import->state == STORE_IMPORT_PUBLISHED && !import->is_busy && store->users == 0 &&
           !store->flush_under_way && store->work.kind == WORK_NONE;
}

static void switch_generation(struct store *store, struct store_import_target *target)
{
    memcpy(store->generation, target->name, sizeof(store->generation));
    buf_clear(&store->path);
    buf_append(&store->path, buf_bytes(&target->path));
    target->kv->ops->batch_free(target->batch);
    target->batch = NULL;
    target->old_kv = store->kv;
    store->kv = target->kv;
    target->kv = NULL;
}

bool store_import_adopt(struct store *store, struct store_import *import)
{
    ASSERT(store->import == import);
    if (!store_import_is_adoptable(store, import))
        return false;
    struct store_import_target *target = import->target;
    ASSERT(is_needed(store, target->meta.index));
    store_break_exports(store, STORE_IO, BYTES_LITERAL("an install replaced the rows"));
    ASSERT(list_is_empty(&store->exports));
    switch_generation(store, target);
    store_reset_to(store, &target->meta);
    store->hold = STORE_HOLD_NONE;
    store->counters.imports++;
    import->state = STORE_IMPORT_ADOPTED;
    return true;
}

void store_import_settle(struct store *store, struct store_import *import)
{
    ASSERT(import->state == STORE_IMPORT_ADOPTED && store->import == import);
    start(import, STEP_SETTLE);
}

void store_import_fini(struct store_import *import)
{
    ASSERT(!import->is_busy);
    if (import->target != NULL) {
        close_target(import->target);
        free_target(import);
    }
    buf_free(&import->error);
    *import = (struct store_import){0};
}
