/* One shard over a simulated disk: promises, the order of flush, mark and compaction, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/endian.h"
#include "codec/rows.h"
#include "collect.h"
#include "kv_memory.h"
#include "shard/shard.h"
#include "sim_disk.h"

struct box {
    struct disk *disk;
    struct kv_env *kv;
    struct wal *wal;
    struct shard *shard;
    struct worker *wal_worker, *store_worker;
    uint64_t boot_us;
    bool holds_wal;
    bool wants_flush;
    uint64_t applied; /* newest entry that could be acknowledged, over restarts */
};

static struct shard_options options_of(struct box *box, const struct wal_group_state *group,
                                       bool is_fresh)
{
    return (struct shard_options){
        .node_id = SHARD_NODE_ID,
        .seed = 3,
        .wal = box->wal,
        .recovered = group,
        .wal_is_fresh = is_fresh,
        .boot_us = box->boot_us,
        .wall_us = box->boot_us,
        .store = {.dir = "/shard",
                  .disk = box->disk,
                  .env = box->kv,
                  .identity = 9,
                  .create = group->hard.term == 0},
    };
}

static bool try_open(struct box *box, struct buf *error)
{
    struct wal_options options = {.dir = "/wal", .group_count = 1, .segment_size = 8192};
    struct wal_recovery *recovery;
    struct buf note = {0};
    enum wal_err err = wal_open(&box->wal, box->disk, &options, &recovery, &note, error);
    buf_free(&note);
    if (err != WAL_OK)
        return false;
    struct shard_options shard = options_of(box, &recovery->groups[0], recovery->fresh);
    bool is_open = shard_open(&box->shard, &shard, error);
    wal_recovery_free(recovery);
    box->wal_worker = worker_new_manual(8);
    box->store_worker = worker_new_manual(8);
    return is_open;
}

static void open(struct box *box)
{
    struct buf error = {0};
    bool is_open = try_open(box, &error);
    if (!is_open)
        print_error("%.*s\n", (int)error.size, (const char *)error.data);
    assert_true(is_open);
    buf_free(&error);
}

static void take_jobs(struct box *box)
{
    struct job *job;
    struct buf error = {0};
    while ((job = worker_take_done(box->wal_worker)) != NULL)
        wal_job_done(box->wal, job);
    while ((job = worker_take_done(box->store_worker)) != NULL)
        shard_job_done(box->shard, job, &error);
    buf_free(&error);
}

static void close(struct box *box)
{
    while (worker_run_one(box->store_worker) || worker_run_one(box->wal_worker))
        continue;
    take_jobs(box);
    worker_free(box->wal_worker);
    worker_free(box->store_worker);
    shard_close(box->shard);
    wal_free(box->wal);
    box->shard = NULL;
    box->wal = NULL;
}

static void init(struct box *box)
{
    *box = (struct box){.disk = sim_disk_new(), .kv = kv_memory_new(), .boot_us = 1000000};
    open(box);
}

static void fini(struct box *box)
{
    close(box);
    kv_memory_free(box->kv);
    sim_disk_free(box->disk);
}

/* What must hold between the three at any moment (L3). */
static void check_order(struct box *box)
{
    struct shard_status status = shard_status(box->shard);
    assert_true(status.base <= status.mark && status.mark <= status.flushed);
    assert_true(status.flushed <= status.applied && status.applied <= status.commit);
    assert_true(status.commit <= status.last);
}

static void turn(struct box *box)
{
    while (!box->holds_wal && worker_run_one(box->wal_worker))
        continue;
    while (worker_run_one(box->store_worker))
        continue;
    take_jobs(box);
    box->boot_us += 10000;
    shard_tick(box->shard, box->boot_us);
    collect(box->shard, box->boot_us);
    shard_promise(box->shard, box->boot_us);
    wal_tick(box->wal, box->boot_us);
    (void)wal_submit(box->wal, box->wal_worker);
    struct entry *entry;
    while ((entry = shard_next_applied(box->shard, box->boot_us / 1000)) != NULL)
        box->applied = entry->index;
    struct fsm_flush_policy policy = {
        .bytes_max = 1 << 30, .age_ms = UINT64_MAX / 2, .is_wanted = box->wants_flush};
    shard_flush(box->shard, &policy, box->boot_us / 1000, box->store_worker);
    check_order(box);
}

static void turns(struct box *box, int count)
{
    for (int i = 0; i < count; i++)
        turn(box);
}

static void serve(struct box *box)
{
    for (int i = 0; i < 300 && !shard_is_serving(box->shard); i++)
        turn(box);
    assert_true(shard_is_serving(box->shard));
}

/* One row, its key the index of the entry. */
static uint64_t propose(struct box *box)
{
    struct buf payload = {0};
    uint8_t key[5] = {'N'};
    put_be32(key + 1, (uint32_t)shard_next_index(box->shard));
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE),
             shard_now_us(box->shard, box->boot_us, box->boot_us));
    uint8_t value[16] = {7};
    rows_append(&payload, ROW_PUT, bytes_of(key, 5), bytes_of(value, sizeof(value)));
    return shard_propose(box->shard, &payload);
}

static bool has_row(struct box *box, uint64_t index)
{
    uint8_t key[5] = {'N'};
    put_be32(key + 1, (uint32_t)index);
    struct bytes keys[1] = {bytes_of(key, sizeof(key))};
    struct store_read read = {.keys = keys, .key_count = 1};
    struct store *store = shard_fsm(box->shard)->store;
    assert_true(store_read_begin(store, &read));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(store, &read), STORE_OK);
    struct bytes rest = buf_bytes(&read.rows);
    struct row row;
    assert_int_equal(rows_next(&rest, &row), ROWS_OK);
    bool is_there = row.op != ROW_DELETE;
    store_read_fini(&read);
    return is_there;
}

/* ---- promises ---- */

static void nothing_is_applied_before_the_log_holds_it_synced(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    serve(&box);
    box.holds_wal = true;
    uint64_t index = propose(&box);
    turns(&box, 20);
    assert_true(box.applied < index);
    assert_false(has_row(&box, index));
    box.holds_wal = false;
    turns(&box, 3);
    assert_int_equal(box.applied, index);
    assert_true(has_row(&box, index));
    fini(&box);
}

static void a_new_leader_serves_only_after_its_own_entry_is_applied(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    box.holds_wal = true;
    turns(&box, 300);
    assert_false(shard_is_serving(box.shard));
    box.holds_wal = false;
    serve(&box);
    assert_int_equal(box.applied, 1);
    fini(&box);
}

/* ---- the time of the log (L10) ---- */

static void time_ahead_of_the_wall_goes_on_at_nine_tenths_however_often_it_is_asked(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    serve(&box);
    uint64_t boot = box.boot_us, wall = 5000000000;
    uint64_t begin = shard_now_us(box.shard, boot, wall);
    assert_int_equal(begin, wall);
    wall -= 3600000000; /* set back by an hour */
    uint64_t now = begin;
    for (int i = 0; i < 1000; i++) {
        boot += 7; /* a turn takes less than ten microseconds */
        wall += 7;
        uint64_t next = shard_now_us(box.shard, boot, wall);
        assert_true(next >= now);
        now = next;
    }
    assert_in_range(now - begin, 6300 - 9, 6300);
    wall += 3600000000; /* and right again: no waiting */
    assert_int_equal(shard_now_us(box.shard, boot + 7, wall), wall);
    fini(&box);
}

/* ---- flush, mark, compaction ---- */

static void the_log_is_compacted_only_behind_a_durable_mark(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    serve(&box);
    uint64_t index = 0;
    for (int i = 0; i < 10; i++)
        index = propose(&box);
    turns(&box, 3);
    assert_true(shard_backlog_bytes(box.shard) > 0);
    box.wants_flush = true;
    turn(&box); /* the flush is with the worker */
    box.holds_wal = true;
    turns(&box, 10); /* the mark is with the log, and not synced */
    struct shard_status status = shard_status(box.shard);
    assert_int_equal(status.flushed, index);
    assert_true(status.mark < index && status.base < index);
    box.holds_wal = false;
    turns(&box, 10);
    status = shard_status(box.shard);
    assert_int_equal(status.mark, index);
    assert_int_equal(status.base, index);
    assert_int_equal(shard_backlog_bytes(box.shard), 0);
    fini(&box);
}

/* ---- restarts ---- */

static void a_restart_replays_what_was_not_flushed_and_nothing_else(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    serve(&box);
    uint64_t flushed = propose(&box);
    box.wants_flush = true;
    turns(&box, 10);
    box.wants_flush = false;
    uint64_t last = propose(&box);
    turns(&box, 5);
    close(&box);
    kv_memory_crash(box.kv);
    open(&box);
    struct shard_status status = shard_status(box.shard);
    assert_int_equal(status.start, SHARD_START_REPLAYED);
    assert_int_equal(status.start_replayed, last - flushed);
    assert_int_equal(status.applied, flushed);
    assert_false(has_row(&box, last)); /* being in the log commits nothing (L4) */
    serve(&box);
    assert_true(has_row(&box, last));
    fini(&box);
}

/* The power goes at each step of a run with flushes, marks and compactions: what could be
 * acknowledged is there again, and the restart never finds a contradiction. */
static void power_loss_at_any_step_loses_nothing_that_was_applied(void **state)
{
    (void)state;
    uint64_t steps = 20;
    bool is_cut = true;
    for (; is_cut; steps += 2) {
        struct box box;
        struct prng prng = prng_init(steps);
        init(&box);
        serve(&box);
        uint64_t begin = sim_disk_steps(box.disk);
        sim_disk_cut_power_after(box.disk, begin + steps - 20);
        const char *why;
        for (int i = 0; i < 100 && !wal_failed(box.wal, &why); i++) {
            box.wants_flush = i % 7 == 0;
            (void)propose(&box);
            turn(&box);
        }
        is_cut = wal_failed(box.wal, &why);
        close(&box);
        sim_disk_crash(box.disk, &prng, SIM_CRASH_DRAW);
        kv_memory_crash(box.kv);
        uint64_t applied = box.applied;
        open(&box);
        serve(&box);
        assert_true(box.applied > applied);
        for (uint64_t index = 2; index <= applied; index++)
            assert_true(has_row(&box, index));
        fini(&box);
    }
    assert_true(steps > 150);
}

/* ---- contradictions (L4) ---- */

struct refusal {
    bool is_fresh;
    struct wal_position base, mark;
    size_t entries;
    uint64_t term;    /* of the entries */
    const char *text; /* NULL: accepted */
};

static void refused(struct box *box, const struct refusal *refusal)
{
    struct entry *entries[32];
    for (size_t i = 0; i < refusal->entries; i++) {
        entries[i] = entry_new(ENTRY_NOOP, NULL, 0);
        entries[i]->index = refusal->base.index + i + 1;
        entries[i]->term = refusal->term;
    }
    struct wal_group_state group = {
        .hard = {.term = 9, .vote = 1},
        .base = refusal->base,
        .mark = refusal->mark,
        .entries = entries,
        .entry_count = refusal->entries,
    };
    struct shard_options options = options_of(box, &group, refusal->is_fresh);
    struct buf error = {0};
    bool is_open = shard_open(&box->shard, &options, &error);
    buf_append_u8(&error, 0);
    assert_int_equal(is_open, refusal->text == NULL);
    if (refusal->text != NULL)
        assert_non_null(strstr((const char *)error.data, refusal->text));
    shard_close(box->shard);
    box->shard = NULL;
    for (size_t i = 0; i < refusal->entries; i++)
        entry_release(entries[i]);
    buf_free(&error);
}

static void a_restart_refuses_rows_and_log_that_do_not_connect(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    serve(&box);
    uint64_t index = 0;
    for (int i = 0; i < 5; i++)
        index = propose(&box);
    box.wants_flush = true;
    turns(&box, 10);
    uint64_t term = shard_status(box.shard).term;
    assert_int_equal(shard_status(box.shard).flushed, index);
    close(&box);
    kv_memory_crash(box.kv);
    const struct refusal CASES[] = {
        {true, {0, 0}, {0, 0}, 0, 0, "the write-ahead log is gone"},
        {false, {0, 0}, {0, 0}, index - 1, term, "ends below what LevelDB holds"},
        {false, {0, 0}, {0, 0}, index, term, NULL},
        {false, {0, 0}, {0, 0}, index + 3, term, NULL},
        {false, {index, term}, {index, term}, 0, term, NULL},
        {false, {index, term}, {index, term}, 2, term, NULL},
        {false, {0, 0}, {index + 1, term}, index + 2, term, "behind the snapshot mark"},
        {false, {index + 1, term}, {index + 1, term}, 2, term, "behind the snapshot mark"},
        {false, {0, 0}, {0, 0}, index + 1, term + 1, "disagree about the applied entry"},
        {false, {index, term + 1}, {index, term + 1}, 1, term + 1, "disagree about the applied"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        refused(&box, &CASES[i]);
    kv_memory_free(box.kv);
    sim_disk_free(box.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_applied_before_the_log_holds_it_synced),
        cmocka_unit_test(a_new_leader_serves_only_after_its_own_entry_is_applied),
        cmocka_unit_test(time_ahead_of_the_wall_goes_on_at_nine_tenths_however_often_it_is_asked),
        cmocka_unit_test(the_log_is_compacted_only_behind_a_durable_mark),
        cmocka_unit_test(a_restart_replays_what_was_not_flushed_and_nothing_else),
        cmocka_unit_test(power_loss_at_any_step_loses_nothing_that_was_applied),
        cmocka_unit_test(a_restart_refuses_rows_and_log_that_do_not_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
