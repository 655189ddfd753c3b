/* The store against a model: random entries, flushes, reads, errors and crashes. At every moment
 * the applied index and the rows agree with the fold of the entries up to it, whatever LevelDB or
 * its twin does. Jobs run when the seed says so, so a read may straddle flushes and entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/prng.h"
#include "codec/rows.h"
#include "kv_memory.h"
#include "sim_disk.h"
#include "store/kv_leveldb.h"
#include "store/store.h"

enum { KEYS = 60, ENTRIES_MAX = 2000, READS = 3, ROWS_PER_ENTRY_MAX = 6 };

/* The fold up to one index: value of each key, 0 when it is not there. */
struct fold {
    uint32_t values[KEYS];
};

struct pending_read {
    struct store_read read;
    bool under_way;
    struct fold expected;
    uint8_t from[2];
    uint8_t to[2];
    struct bytes keys[4];
    uint8_t key_space[4][2];
};

struct world {
    struct prng prng;
    bool is_real;
    int generation; /* of the real directory: each crash goes on in a copy */
    char root[64];
    char dir[96];
    struct disk *disk;
    struct kv_env *env;
    struct store *store;
    struct store_flush flush;
    bool flush_under_way;
    bool flush_was_run;
    struct job *work;
    uint64_t now_ms;
    struct entry *log[ENTRIES_MAX + 1]; /* by index */
    struct fold folds[ENTRIES_MAX + 1];
    uint64_t last;    /* index of the newest entry of the log */
    uint64_t durable; /* the highest applied index that a flush reported */
    struct pending_read reads[READS];
    uint64_t checked_reads;
    uint64_t crashes;
};

static void key_bytes(uint32_t key, uint8_t out[2])
{
    out[0] = 'K';
    out[1] = (uint8_t)(key + 1);
}

static void put_value(struct buf *rows, uint32_t key, uint32_t value, struct prng *prng)
{
    uint8_t name[2];
    uint8_t content[300] = {0};
    key_bytes(key, name);
    put_le32(content, value);
    size_t size = prng_between(prng, 4, sizeof(content));
    rows_append(rows, prng_below(prng, 2) == 0 ? ROW_PUT : ROW_PUT_NEW, bytes_of(name, 2),
                bytes_of(content, size));
}

static struct entry *draw_rows(struct world *world, struct fold *fold)
{
    struct buf payload = {0};
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE), 1000 + world->last);
    uint64_t rows = prng_between(&world->prng, 0, ROWS_PER_ENTRY_MAX);
    for (uint64_t i = 0; i < rows; i++) {
        uint32_t key = (uint32_t)prng_below(&world->prng, KEYS);
        uint8_t name[2];
        key_bytes(key, name);
        if (prng_chance(&world->prng, 350000)) {
            rows_append(&payload, ROW_DELETE, bytes_of(name, 2), (struct bytes){0});
            fold->values[key] = 0;
        } else {
            uint32_t value = (uint32_t)(world->last * 16 + i + 1);
            put_value(&payload, key, value, &world->prng);
            fold->values[key] = value;
        }
    }
    return entry_new(ENTRY_ROWS, payload.data, payload.size);
}

static struct entry *draw_entry(struct world *world, struct fold *fold)
{
    uint64_t kind = prng_below(&world->prng, 20);
    if (kind == 0)
        return entry_new(ENTRY_NOOP, NULL, 0);
    if (kind == 1) {
        uint8_t *members = mem_alloc(8);
        put_le64(members, world->last + 1);
        return entry_new(ENTRY_MEMBERS, members, 8);
    }
    return draw_rows(world, fold);
}

static void apply_new(struct world *world)
{
    if (world->last == ENTRIES_MAX)
        return;
    uint64_t index = world->last + 1;
    world->folds[index] = world->folds[world->last];
    struct entry *entry = draw_entry(world, &world->folds[index]);
    entry->index = index;
    entry->term = 1 + index / 50;
    world->log[index] = entry;
    world->last = index;
    store_apply(world->store, entry);
}

static uint64_t expected_stamp(const struct world *world, uint64_t index)
{
    while (index > 0 && world->log[index]->kind != ENTRY_ROWS)
        index--;
    return index == 0 ? 0 : entry_stamp_us(world->log[index]);
}

static uint64_t expected_members(const struct world *world, uint64_t index)
{
    while (index > 0 && world->log[index]->kind != ENTRY_MEMBERS)
        index--;
    return index;
}

static void check_meta(const struct world *world, struct store_meta meta)
{
    assert_in_range(meta.applied_index, world->durable, world->last);
    assert_int_equal(meta.applied_term, meta.applied_index == 0 ? 0 : 1 + meta.applied_index / 50);
    assert_int_equal(meta.stamp_us, expected_stamp(world, meta.applied_index));
    assert_int_equal(meta.members.size, 8);
    assert_int_equal(get_le64(meta.members.data), expected_members(world, meta.applied_index));
}

static void check_row(const struct fold *fold, uint32_t key, const struct row *row)
{
    if (row->op == ROW_DELETE) {
        assert_int_equal(fold->values[key], 0);
        return;
    }
    assert_int_equal(row->op, ROW_PUT);
    assert_true(row->value.size >= 4);
    assert_int_equal(get_le32(row->value.data), fold->values[key]);
    assert_true(fold->values[key] != 0);
}

static void check_range(const struct pending_read *pending)
{
    const struct store_read *read = &pending->read;
    struct bytes rest = buf_bytes(&read->rows);
    struct row row;
    enum rows_err err = rows_next(&rest, &row);
    size_t count = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        uint8_t name[2];
        key_bytes(key, name);
        struct bytes wanted = bytes_of(name, 2);
        bool asked = (read->from.size == 0 || bytes_compare(wanted, read->from) >= 0) &&
                     (read->to.size == 0 || bytes_compare(wanted, read->to) < 0);
        bool answered = read->complete || bytes_compare(wanted, buf_bytes(&read->next)) < 0;
        if (!asked || !answered || pending->expected.values[key] == 0)
            continue;
        assert_int_equal(err, ROWS_OK);
        assert_true(bytes_equal(row.key, wanted));
        check_row(&pending->expected, key, &row);
        count++;
        err = rows_next(&rest, &row);
    }
    /* Only the M rows may lie behind the keys, and only when there is no upper bound. */
    while (err == ROWS_OK) {
        assert_int_equal(row.key.data[0], 'M');
        assert_int_equal(read->to.size, 0);
        count++;
        err = rows_next(&rest, &row);
    }
    assert_int_equal(err, ROWS_END);
    assert_int_equal(count, read->row_count);
    assert_true(count <= read->rows_max);
}

static void check_keys(const struct pending_read *pending)
{
    struct bytes rest = buf_bytes(&pending->read.rows);
    struct row row;
    for (size_t i = 0; i < pending->read.key_count; i++) {
        assert_int_equal(rows_next(&rest, &row), ROWS_OK);
        assert_true(bytes_equal(row.key, pending->keys[i]));
        check_row(&pending->expected, pending->key_space[i][1] - 1U, &row);
    }
    assert_int_equal(rest.size, 0);
}

static void draw_read(struct world *world, struct pending_read *pending)
{
    struct store_read *read = &pending->read;
    read->keys = NULL;
    read->key_count = 0;
    if (prng_below(&world->prng, 3) == 0) {
        read->keys = pending->keys;
        read->key_count = prng_between(&world->prng, 0, COUNT_OF(pending->keys));
        for (size_t i = 0; i < read->key_count; i++) {
            key_bytes((uint32_t)prng_below(&world->prng, KEYS), pending->key_space[i]);
            pending->keys[i] = bytes_of(pending->key_space[i], 2);
        }
        return;
    }
    key_bytes((uint32_t)prng_below(&world->prng, KEYS), pending->from);
    key_bytes((uint32_t)prng_below(&world->prng, KEYS), pending->to);
    read->from = bytes_of(pending->from, prng_below(&world->prng, 3)); /* 0, 1 or 2 bytes */
    read->to = bytes_of(pending->to, prng_below(&world->prng, 2) * 2);
    read->rows_max = prng_below(&world->prng, 2) == 0 ? 1000 : prng_between(&world->prng, 1, 9);
    read->bytes_max =
        prng_below(&world->prng, 2) == 0 ? 1 << 20 : prng_between(&world->prng, 1, 900);
}

static void begin_read(struct world *world, struct pending_read *pending)
{
    draw_read(world, pending);
    pending->expected = world->folds[store_applied(world->store).applied_index];
    pending->under_way = store_read_begin(world->store, &pending->read);
    assert_int_equal(pending->under_way, store_is_open(world->store));
}

static void end_read(struct world *world, struct pending_read *pending, bool run)
{
    if (run)
        pending->read.job.run(&pending->read.job);
    enum store_err err = store_read_end(world->store, &pending->read);
    pending->under_way = false;
    if (!run || err != STORE_OK)
        return;
    world->checked_reads++;
    if (pending->read.keys != NULL)
        check_keys(pending);
    else
        check_range(pending);
}

static void step_read(struct world *world)
{
    struct pending_read *pending = &world->reads[prng_below(&world->prng, READS)];
    if (pending->under_way)
        end_read(world, pending, true);
    else
        begin_read(world, pending);
}

static void end_flush(struct world *world)
{
    enum store_err err = store_flush_end(world->store, &world->flush);
    world->flush_under_way = false;
    if (err == STORE_OK) {
        assert_int_equal(store_flushed(world->store).applied_index, world->flush.applied_index);
        world->durable = world->flush.applied_index;
    } else {
        assert_false(store_is_open(world->store));
        assert_true(world->flush.error.size > 0);
    }
}

static void step_flush(struct world *world)
{
    if (!world->flush_under_way) {
        bool open = store_is_open(world->store);
        world->flush_under_way = store_flush_begin(world->store, &world->flush);
        world->flush_was_run = false;
        assert_int_equal(world->flush_under_way, open);
    } else if (!world->flush_was_run) {
        assert_false(store_flush_begin(world->store, &world->flush));
        world->flush.job.run(&world->flush.job);
        world->flush_was_run = true;
    } else {
        end_flush(world);
    }
}

static void step_work(struct world *world)
{
    world->now_ms += prng_below(&world->prng, 3000);
    if (world->work == NULL) {
        world->work = store_work(world->store, world->now_ms);
        return;
    }
    world->work->run(world->work);
    store_work_done(world->store, world->work);
    world->work = NULL;
}

static void check_buffered(struct world *world)
{
    uint8_t name[2];
    uint32_t key = (uint32_t)prng_below(&world->prng, KEYS);
    key_bytes(key, name);
    const struct fold *fold = &world->folds[store_applied(world->store).applied_index];
    struct bytes value;
    switch (store_find_buffered(world->store, bytes_of(name, 2), &value)) {
    case STORE_UNKNOWN:
        /* Then nothing happened to it since the last flush. */
        assert_int_equal(fold->values[key],
                         world->folds[store_flushed(world->store).applied_index].values[key]);
        return;
    case STORE_DELETED:
        assert_int_equal(fold->values[key], 0);
        return;
    case STORE_PUT:
        assert_int_equal(get_le32(value.data), fold->values[key]);
        return;
    }
}

static void open_store(struct world *world)
{
    static const uint8_t first_members[8];
    struct store_options options = {.dir = world->dir,
                                    .disk = world->disk,
                                    .env = world->env,
                                    .identity = 77,
                                    .shard = 3,
                                    .write_buffer_size = 64 * 1024,
                                    .create = true,
                                    .members = bytes_of(first_members, 8)};
    struct buf error = {0};
    enum store_err err = store_open(&world->store, &options, &error);
    if (err != STORE_OK)
        fail_msg("%s: %.*s", store_err_text(err), (int)error.size, (char *)error.data);
    buf_free(&error);
    check_meta(world, store_applied(world->store));
}

/* The whole content, in one read, must be the fold up to the applied index. */
static void check_all(struct world *world)
{
    struct pending_read all = {.expected = world->folds[store_applied(world->store).applied_index]};
    all.read.rows_max = 1000;
    all.read.bytes_max = 1 << 20;
    assert_true(store_read_begin(world->store, &all.read));
    end_read(world, &all, true);
    assert_true(all.read.complete);
    store_read_fini(&all.read);
}

/* Jobs under way are dropped where they stand: not run, or run and not reported. */
static void drop_jobs(struct world *world)
{
    for (size_t i = 0; i < READS; i++) {
        if (world->reads[i].under_way)
            end_read(world, &world->reads[i], false);
    }
    if (world->work != NULL) {
        world->work->run(world->work);
        store_work_done(world->store, world->work);
        world->work = NULL;
    }
    if (world->flush_under_way)
        (void)store_flush_end(world->store, &world->flush);
    world->flush_under_way = false;
}

static void run_shell(const char *command, const char *a, const char *b)
{
    char line[400];
    int size = snprintf(line, sizeof(line), "%s %s %s", command, a, b);
    assert_in_range(size, 1, sizeof(line) - 1);
    assert_int_equal(system(line), 0);
}

/* A copy as of one moment: this process, LevelDB's own thread included, stands still meanwhile. */
static void copy_standing_still(const char *from, const char *to)
{
    static const char SCRIPT[] = "kill -STOP $PPID; "
                                 "until grep -q '^State:.T' /proc/$PPID/status; do :; done; "
                                 "cp -r %s %s; copied=$?; kill -CONT $PPID; exit $copied";
    char line[600];
    int size = snprintf(line, sizeof(line), SCRIPT, from, to);
    assert_in_range(size, 1, sizeof(line) - 1);
    assert_int_equal(system(line), 0);
}

/* kill -9: what was written to files is there, what the process knew is not. */
static void crash_real(struct world *world)
{
    char copy[sizeof(world->dir)];
    int size = snprintf(copy, sizeof(copy), "%s/%d", world->root, ++world->generation);
    assert_in_range(size, 1, sizeof(copy) - 1);
    copy_standing_still(world->dir, copy);
    drop_jobs(world);
    store_free(world->store);
    run_shell("rm -r", world->dir, "");
    memcpy(world->dir, copy, sizeof(copy));
}

static void crash_memory(struct world *world)
{
    kv_memory_crash(world->env);
    sim_disk_crash(world->disk, &world->prng, SIM_CRASH_DRAW);
    drop_jobs(world);
    store_free(world->store);
}

static void crash(struct world *world)
{
    world->crashes++;
    if (world->is_real)
        crash_real(world);
    else
        crash_memory(world);
    open_store(world);
    check_all(world);
    /* The WAL's entries above the applied index come again (L4); sometimes a leader replaced them.
     */
    uint64_t applied = store_applied(world->store).applied_index;
    uint64_t kept = prng_between(&world->prng, applied, world->last);
    while (world->last > kept)
        entry_release(world->log[world->last--]);
    for (uint64_t index = applied + 1; index <= world->last; index++)
        store_apply(world->store, world->log[index]);
}

static void draw_fault(struct world *world)
{
    static const enum kv_memory_fault faults[] = {
        KV_MEMORY_FAULT_WRITE_IO,  KV_MEMORY_FAULT_WRITE_IO_KEPT, KV_MEMORY_FAULT_WRITE_FULL,
        KV_MEMORY_FAULT_READ_IO,   KV_MEMORY_FAULT_READ_DAMAGED,  KV_MEMORY_FAULT_OPEN_IO,
        KV_MEMORY_FAULT_OPEN_FULL, KV_MEMORY_FAULT_NONE};
    kv_memory_fail(world->env, faults[prng_below(&world->prng, COUNT_OF(faults))],
                   prng_below(&world->prng, 4) == 0);
}

static void step(struct world *world)
{
    uint64_t choice = prng_below(&world->prng, 1000);
    if (choice < 350)
        apply_new(world);
    else if (choice < 550)
        step_flush(world);
    else if (choice < 800)
        step_read(world);
    else if (choice < 880)
        step_work(world);
    else if (choice < 970)
        check_buffered(world);
    else if (choice < 995 && !world->is_real)
        draw_fault(world);
    else if (choice >= 995)
        crash(world);
}

/* Whatever happened: without further faults everything becomes durable. */
static void settle(struct world *world)
{
    if (!world->is_real)
        kv_memory_fail(world->env, KV_MEMORY_FAULT_NONE, false);
    for (size_t i = 0; i < READS; i++) {
        if (world->reads[i].under_way)
            end_read(world, &world->reads[i], true);
    }
    const char *text;
    if (store_error(world->store, &text) == STORE_DAMAGED)
        crash(world); /* opening met a damaged read: given up for this process */
    for (int i = 0; i < 100 && store_flushed(world->store).applied_index < world->last; i++) {
        world->now_ms += 10000;
        step_work(world);
        step_flush(world);
    }
    assert_int_equal(store_flushed(world->store).applied_index, world->last);
    check_all(world);
}

static void run_seed(uint64_t seed, bool is_real, int steps)
{
    struct world *world = mem_zero(sizeof(*world));
    world->prng = prng_init(seed);
    world->is_real = is_real;
    int size = snprintf(world->root, sizeof(world->root), "/tmp/quoin-store-XXXXXX");
    assert_in_range(size, 1, sizeof(world->root) - 1);
    if (is_real)
        assert_non_null(mkdtemp(world->root));
    size = snprintf(world->dir, sizeof(world->dir), "%s/0", world->root);
    assert_in_range(size, 1, sizeof(world->dir) - 1);
    world->disk = is_real ? disk_real() : sim_disk_new();
    world->env = is_real ? kv_leveldb_new(world->disk, 1 << 20) : kv_memory_new();
    open_store(world);
    for (int i = 0; i < steps; i++)
        step(world);
    settle(world);
    assert_true(world->checked_reads > 0);
    drop_jobs(world);
    store_free(world->store);
    store_flush_fini(&world->flush);
    for (size_t i = 0; i < READS; i++)
        store_read_fini(&world->reads[i].read);
    for (uint64_t index = 1; index <= world->last; index++)
        entry_release(world->log[index]);
    if (is_real) {
        kv_leveldb_free(world->env);
        run_shell("rm -r", world->root, "");
    } else {
        kv_memory_free(world->env);
        sim_disk_free(world->disk);
    }
    mem_free(world);
}

static void store_is_the_fold_of_its_entries_over_faults_and_crashes_of_the_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        run_seed(seed, false, 3000);
}

static void store_is_the_fold_of_its_entries_over_kills_with_leveldb(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        run_seed(seed, true, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_is_the_fold_of_its_entries_over_faults_and_crashes_of_the_twin),
        cmocka_unit_test(store_is_the_fold_of_its_entries_over_kills_with_leveldb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
