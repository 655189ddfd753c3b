/* The state machine of a shard: when rows go to LevelDB, and what it waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/endian.h"
#include "codec/rows.h"
#include "fsm/fsm.h"
#include "kv_memory.h"
#include "sim_disk.h"

struct box {
    struct disk *disk;
    struct kv_env *kv;
    struct worker *worker;
    struct fsm fsm;
    uint64_t last;
};

static const struct fsm_flush_policy LAZY = {.bytes_max = 1 << 30, .age_ms = UINT64_MAX / 2};
static const struct fsm_flush_policy EAGER = {
    .bytes_max = 1 << 30, .age_ms = UINT64_MAX / 2, .is_wanted = true};

static void open(struct box *box)
{
    struct store_options options = {
        .dir = "/shard", .disk = box->disk, .env = box->kv, .identity = 1, .create = true};
    struct buf error = {0};
    assert_int_equal(fsm_open(&box->fsm, &options, &error), STORE_OK);
    buf_free(&error);
    box->last = store_applied(box->fsm.store).applied_index;
}

static void init(struct box *box)
{
    *box =
        (struct box){.disk = sim_disk_new(), .kv = kv_memory_new(), .worker = worker_new_manual(8)};
    open(box);
}

static void apply(struct box *box, uint64_t now_ms)
{
    struct buf payload = {0};
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE), 5);
    rows_append(&payload, ROW_PUT, BYTES_LITERAL("N\0\0\0\1"), BYTES_LITERAL("v"));
    struct entry *entry = entry_new(ENTRY_ROWS, payload.data, payload.size);
    entry->index = ++box->last;
    entry->term = 2;
    fsm_apply(&box->fsm, entry, now_ms);
    entry_release(entry);
}

static bool step(struct box *box, const struct fsm_flush_policy *policy, uint64_t now_ms,
                 uint64_t synced)
{
    return fsm_step(&box->fsm, policy, now_ms, synced, box->worker);
}

/* Runs what is with the worker; returns whether LevelDB moved ahead. */
static bool run(struct box *box)
{
    struct job *job;
    struct buf error = {0};
    bool has_moved = false;
    while (worker_run_one(box->worker))
        continue;
    while ((job = worker_take_done(box->worker)) != NULL)
        has_moved |= fsm_job_done(&box->fsm, job, &error);
    buf_free(&error);
    return has_moved;
}

static void fini(struct box *box)
{
    (void)run(box); /* housekeeping may be under way */
    fsm_close(&box->fsm);
    worker_free(box->worker);
    kv_memory_free(box->kv);
    sim_disk_free(box->disk);
}

static uint64_t flushed(const struct box *box)
{
    return store_flushed(box->fsm.store).applied_index;
}

static void rows_reach_leveldb_only_after_the_log_holds_them_synced(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    apply(&box, 1);
    apply(&box, 1);
    assert_true(step(&box, &EAGER, 2, 1)); /* frozen: asks for a sync of the log */
    apply(&box, 3);                        /* belongs to the next flush */
    assert_true(step(&box, &EAGER, 4, 1));
    assert_false(run(&box));
    assert_int_equal(flushed(&box), 0);
    assert_false(step(&box, &EAGER, 5, 2));
    assert_true(fsm_is_busy(&box.fsm));
    assert_true(run(&box));
    assert_int_equal(flushed(&box), 2);
    assert_false(fsm_is_clean(&box.fsm));
    assert_false(step(&box, &EAGER, 6, 3));
    assert_true(run(&box));
    assert_int_equal(flushed(&box), 3);
    assert_true(fsm_is_clean(&box.fsm));
    fini(&box);
}

static void a_flush_is_due_by_bytes_by_age_or_when_it_is_wanted(void **state)
{
    (void)state;
    struct fsm_flush_policy policy = LAZY;
    struct box box;
    init(&box);
    assert_false(step(&box, &EAGER, 1, 9)); /* nothing to flush */
    assert_false(run(&box));
    apply(&box, 100);
    (void)step(&box, &policy, 100, 9);
    assert_false(run(&box));
    policy.age_ms = 50;
    (void)step(&box, &policy, 149, 9);
    assert_false(run(&box));
    (void)step(&box, &policy, 150, 9);
    assert_true(run(&box));
    apply(&box, 1000);
    policy = LAZY;
    policy.bytes_max = store_buffered_bytes(box.fsm.store) + 1;
    (void)step(&box, &policy, 1000, 9);
    assert_false(run(&box));
    policy.bytes_max--;
    (void)step(&box, &policy, 1000, 9);
    assert_true(run(&box));
    fini(&box);
}

static void a_flush_that_fails_is_done_again_with_the_same_rows(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    apply(&box, 1);
    kv_memory_fail(box.kv, KV_MEMORY_FAULT_WRITE_IO, false);
    (void)step(&box, &EAGER, 1, 9);
    assert_false(run(&box));
    assert_int_equal(flushed(&box), 0);
    apply(&box, 2);
    for (uint64_t now_ms = 2; now_ms < 20000 && flushed(&box) < 2; now_ms += 100) {
        (void)step(&box, &EAGER, now_ms, 9);
        (void)run(&box);
    }
    assert_int_equal(flushed(&box), 2);
    fini(&box);
}

static void closing_with_a_frozen_flush_leaves_the_rows_to_the_log(void **state)
{
    (void)state;
    struct box box;
    init(&box);
    apply(&box, 1);
    assert_true(step(&box, &EAGER, 2, 0));
    (void)run(&box);
    fsm_close(&box.fsm);
    kv_memory_crash(box.kv);
    open(&box);
    assert_int_equal(box.last, 0);
    fini(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_reach_leveldb_only_after_the_log_holds_them_synced),
        cmocka_unit_test(a_flush_is_due_by_bytes_by_age_or_when_it_is_wanted),
        cmocka_unit_test(a_flush_that_fails_is_done_again_with_the_same_rows),
        cmocka_unit_test(closing_with_a_frozen_flush_leaves_the_rows_to_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
