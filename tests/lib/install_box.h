/* Two stores on one disk for tests of installs: entries drawn at random, the fold of them as the
 * model, and the steps of an export and an import run at once. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/prng.h"
#include "codec/rows.h"
#include "kv_memory.h"
#include "row_map.h"
#include "sim_disk.h"
#include "store/export.h"
#include "store/import.h"
#include "store/kv_leveldb.h"
#include "store/store.h"

struct install_side {
    char dir[96];
    struct store *store;
    struct row_map model; /* of what was applied */
    uint64_t term;
};

struct install_box {
    bool is_real;
    char root[64];
    struct prng prng;
    struct disk *disk;
    struct kv_env *env;
    struct install_side from;
    struct install_side to;
    struct store_import import;
    struct store_export export;
    struct buf error;
    uint64_t now_ms;
};

static inline enum store_err side_open(struct install_box *box, struct install_side *side,
                                       bool takes_lost)
{
    struct store_options options = {.dir = side->dir,
                                    .disk = box->disk,
                                    .env = box->env,
                                    .identity = 7,
                                    .shard = 2,
                                    .create = !takes_lost,
                                    .takes_lost = takes_lost,
                                    .members = BYTES_LITERAL("first")};
    return store_open(&side->store, &options, &box->error);
}

static inline void side_must_open(struct install_box *box, struct install_side *side)
{
    enum store_err err = side_open(box, side, false);
    if (err != STORE_OK)
        fail_msg("%s: %.*s", store_err_text(err), (int)box->error.size, (char *)box->error.data);
}

static inline void box_open(struct install_box *box, bool is_real, uint64_t seed)
{
    *box = (struct install_box){.is_real = is_real, .prng = prng_init(seed)};
    (void)snprintf(box->root, sizeof(box->root), is_real ? "/tmp/quoin-install-XXXXXX" : "data");
    if (is_real)
        assert_non_null(mkdtemp(box->root));
    (void)snprintf(box->from.dir, sizeof(box->from.dir), "%s/from", box->root);
    (void)snprintf(box->to.dir, sizeof(box->to.dir), "%s/to", box->root);
    box->from.term = 5;
    box->to.term = 3;
    box->disk = is_real ? disk_real() : sim_disk_new();
    box->env = is_real ? kv_leveldb_new(box->disk, 1 << 20) : kv_memory_new();
    side_must_open(box, &box->from);
    side_must_open(box, &box->to);
}

static inline void box_close(struct install_box *box)
{
    store_import_fini(&box->import);
    store_export_fini(&box->export);
    store_free(box->from.store);
    store_free(box->to.store);
    row_map_free(&box->from.model);
    row_map_free(&box->to.model);
    buf_free(&box->error);
    if (box->is_real) {
        char line[96];
        (void)snprintf(line, sizeof(line), "rm -r %s", box->root);
        kv_leveldb_free(box->env);
        assert_int_equal(system(line), 0);
    } else {
        kv_memory_free(box->env);
        sim_disk_free(box->disk);
    }
}

/* ---- applying ---- */

static inline void side_apply(struct install_side *side, enum entry_kind kind, struct buf payload)
{
    struct entry *entry = entry_new(kind, payload.data, payload.size);
    entry->index = store_applied(side->store).applied_index + 1;
    entry->term = side->term;
    store_apply(side->store, entry);
    if (kind == ENTRY_ROWS)
        row_map_fold(&side->model, entry_rows(entry));
    entry_release(entry);
}

static inline struct buf rows_begin(void)
{
    struct buf payload = {0};
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE), 1000);
    return payload;
}

static inline void side_put(struct install_side *side, const char *key, struct bytes value)
{
    struct buf payload = rows_begin();
    rows_append(&payload, ROW_PUT, bytes_of_string(key), value);
    side_apply(side, ENTRY_ROWS, payload);
}

/* An entry of a few puts and deletes over all kinds of rows but those that sweeping takes away. */
static inline void side_apply_drawn(struct install_box *box, struct install_side *side)
{
    static const char kinds[] = "EKMNST";
    struct buf payload = rows_begin();
    for (uint64_t i = prng_between(&box->prng, 0, 8); i > 0; i--) {
        uint8_t key[4] = {(uint8_t)kinds[prng_below(&box->prng, sizeof(kinds) - 1)], 'k'};
        uint8_t value[300] = {0};
        put_be16(key + 2, (uint16_t)prng_below(&box->prng, 150));
        size_t size = prng_below(&box->prng, 4) == 0 ? 0 : prng_between(&box->prng, 8, 300);
        put_le64(value, prng_next(&box->prng));
        if (prng_below(&box->prng, 3) == 0)
            rows_append(&payload, ROW_DELETE, bytes_of(key, 4), (struct bytes){0});
        else
            rows_append(&payload, ROW_PUT, bytes_of(key, 4), bytes_of(value, size));
    }
    side_apply(side, ENTRY_ROWS, payload);
}

static inline enum store_err side_flush(struct install_side *side)
{
    struct store_flush job = {0};
    assert_true(store_flush_begin(side->store, &job));
    job.job.run(&job.job);
    enum store_err err = store_flush_end(side->store, &job);
    store_flush_fini(&job);
    return err;
}

static inline bool side_work(struct install_box *box, struct install_side *side)
{
    struct job *job = store_work(side->store, box->now_ms);
    if (job == NULL)
        return false;
    job->run(job);
    store_work_done(side->store, job);
    return true;
}

/* ---- looking ---- */

static inline bool is_own_row(struct bytes key)
{
    return bytes_equal(key, BYTES_LITERAL("Mapplied")) ||
           bytes_equal(key, BYTES_LITERAL("Midentity")) ||
           bytes_equal(key, BYTES_LITERAL("Mmembers")) ||
           bytes_equal(key, BYTES_LITERAL("Minstalled"));
}

/* The whole content but the store's own rows. */
static inline struct row_map side_content(const struct install_side *side)
{
    struct row_map map = {0};
    struct buf puts = {0};
    struct store_read read = {.rows_max = SIZE_MAX, .bytes_max = SIZE_MAX};
    assert_true(store_read_begin(side->store, &read));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(side->store, &read), STORE_OK);
    assert_true(read.complete);
    struct bytes rest = buf_bytes(&read.rows);
    struct row row;
    while (rows_next(&rest, &row) == ROWS_OK) {
        if (!is_own_row(row.key))
            rows_append(&puts, row.op, row.key, row.value);
    }
    row_map_fold(&map, buf_bytes(&puts));
    buf_free(&puts);
    store_read_fini(&read);
    return map;
}

static inline void assert_content(const struct install_side *side, const struct row_map *expected)
{
    struct row_map content = side_content(side);
    assert_int_equal(content.count, expected->count);
    assert_true(row_map_equal(&content, expected));
    row_map_free(&content);
}

static inline void assert_meta(struct store_meta meta, struct store_meta expected)
{
    assert_int_equal(meta.applied_index, expected.applied_index);
    assert_int_equal(meta.applied_term, expected.applied_term);
    assert_int_equal(meta.stamp_us, expected.stamp_us);
    assert_true(bytes_equal(meta.members, expected.members));
}

static inline void assert_says(const struct buf *error, const char *part)
{
    char text[512] = {0};
    assert_true(error->size < sizeof(text));
    memcpy(text, error->data, error->size);
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not say '%s'", text, part);
}

/* ---- steps ---- */

static inline enum store_err read_chunk(struct store_export *export, size_t bytes_max)
{
    assert_true(store_export_read(export, bytes_max));
    export->job.run(&export->job);
    return store_export_read_end(export);
}

static inline enum store_err run_import(struct install_box *box)
{
    box->import.job.run(&box->import.job);
    return store_import_done(box->to.store, &box->import);
}

static inline void import_begin(struct install_box *box)
{
    store_import_begin(box->to.store, &box->import);
    assert_int_equal(run_import(box), STORE_OK);
    assert_int_equal(box->import.state, STORE_IMPORT_OPEN);
}

static inline enum store_err import_write(struct install_box *box, struct bytes rows)
{
    store_import_write(&box->import, rows);
    return run_import(box);
}

static inline enum store_err import_finish(struct install_box *box, struct store_meta meta)
{
    assert_true(store_import_finish(box->to.store, &box->import, &meta));
    return run_import(box);
}

static inline enum store_err import_abandon(struct install_box *box)
{
    assert_true(store_import_abandon(box->to.store, &box->import));
    return run_import(box);
}

static inline enum store_err import_settle(struct install_box *box)
{
    store_import_settle(box->to.store, &box->import);
    return run_import(box);
}

/* All chunks of the exporting side as of now, into an import that is open. */
static inline void transfer(struct install_box *box, size_t bytes_max)
{
    assert_true(store_export_begin(box->from.store, &box->export));
    do {
        assert_int_equal(read_chunk(&box->export, bytes_max), STORE_OK);
        assert_int_equal(import_write(box, buf_bytes(&box->export.rows)), STORE_OK);
    } while (!box->export.complete);
}
