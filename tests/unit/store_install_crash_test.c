/* Installs cut short: power fails after each step of the disk and of LevelDB in turn, and what the
 * next start finds is the whole old or the whole new content, never a mixture, never neither. */
#include "install_box.h"

#include <string.h>

enum outcome { OUTCOME_EITHER, OUTCOME_OLD, OUTCOME_NEW };

/* Both sides with content; the receiver's last entry is not flushed. */
static void prepare(struct install_box *box, uint64_t seed, bool is_real)
{
    box_open(box, is_real, seed);
    for (int i = 0; i < 40; i++)
        side_apply_drawn(box, &box->from);
    assert_int_equal(side_flush(&box->from), STORE_OK);
    for (int i = 0; i < 20; i++)
        side_apply_drawn(box, &box->to);
    assert_int_equal(side_flush(&box->to), STORE_OK);
}

/* ---- an install of so many steps, each of which may fail when the power is gone ---- */

struct attempt {
    struct install_box *box;
    int jobs_max; /* no more than so many jobs are run */
    int jobs;
    bool is_published;
    bool is_settled;
};

static bool run(struct attempt *attempt)
{
    struct install_box *box = attempt->box;
    if (attempt->jobs == attempt->jobs_max) {
        (void)store_import_done(box->to.store, &box->import); /* not run */
        return false;
    }
    attempt->jobs++;
    return run_import(box) == STORE_OK;
}

static bool send_rows(struct attempt *attempt)
{
    struct install_box *box = attempt->box;
    assert_true(store_export_begin(box->from.store, &box->export));
    do {
        if (read_chunk(&box->export, 2000) != STORE_OK)
            return false;
        store_import_write(&box->import, buf_bytes(&box->export.rows));
        if (!run(attempt))
            return false;
    } while (!box->export.complete);
    return true;
}

static bool publish(struct attempt *attempt)
{
    struct install_box *box = attempt->box;
    store_import_begin(box->to.store, &box->import);
    if (!run(attempt) || !send_rows(attempt))
        return false;
    assert_true(store_import_finish(box->to.store, &box->import, &box->export.meta));
    attempt->is_published = run(attempt);
    return attempt->is_published;
}

static void install(struct attempt *attempt)
{
    struct install_box *box = attempt->box;
    if (!publish(attempt))
        return;
    assert_true(store_import_adopt(box->to.store, &box->import));
    store_import_settle(box->to.store, &box->import);
    attempt->is_settled = run(attempt);
}

static void start_again(struct install_box *box)
{
    kv_memory_crash(box->env);
    sim_disk_crash(box->disk, &box->prng, SIM_CRASH_DRAW);
    store_import_fini(&box->import);
    store_export_fini(&box->export);
    store_free(box->from.store);
    store_free(box->to.store);
    side_must_open(box, &box->from);
    side_must_open(box, &box->to);
}

static bool is_new(const struct install_side *side)
{
    return strcmp(store_generation(side->store), "gen-00000002") == 0;
}

/* Whole, and what CURRENT does not name is gone. */
static void check_found(struct install_box *box, enum outcome expected)
{
    bool found_new = is_new(&box->to);
    if (expected != OUTCOME_EITHER)
        assert_int_equal(found_new, expected == OUTCOME_NEW);
    assert_int_equal(store_applied(box->to.store).applied_index, found_new ? 40 : 20);
    assert_content(&box->to, found_new ? &box->from.model : &box->to.model);
    const char *other = found_new ? "data/to/gen-00000001" : "data/to/gen-00000002";
    assert_int_equal(kv_memory_rows(box->env, other), 0);
}

/* And from whatever was found an install succeeds. */
static void check_next_install(struct install_box *box)
{
    if (is_new(&box->to))
        return;
    struct attempt attempt = {.box = box, .jobs_max = 1000};
    install(&attempt);
    assert_true(attempt.is_settled);
    assert_content(&box->to, &box->from.model);
}

static void install_may_be_cut_short_at_any_step_of_the_disk(void **state)
{
    (void)state;
    bool settled = false;
    int old = 0, new = 0, either = 0;
    for (uint64_t steps = 0; !settled; steps++) {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct install_box box;
            prepare(&box, seed * 1000 + steps, false);
            struct attempt attempt = {.box = &box, .jobs_max = 1000};
            uint64_t limit = sim_disk_steps(box.disk) + steps;
            sim_disk_cut_power_after(box.disk, steps);
            install(&attempt);
            bool was_cut = sim_disk_steps(box.disk) > limit;
            start_again(&box);
            enum outcome expected = attempt.is_published ? OUTCOME_NEW : OUTCOME_EITHER;
            check_found(&box, expected);
            either += expected == OUTCOME_EITHER;
            new += is_new(&box.to);
            old += !is_new(&box.to);
            check_next_install(&box);
            /* A settle ends well without its last steps: what they remove goes at the start. */
            settled = attempt.is_settled && !was_cut;
            box_close(&box);
        }
    }
    assert_true(old > 8 && new > 8 && either > 12);
}

static void install_may_be_cut_short_between_any_two_jobs(void **state)
{
    (void)state;
    bool settled = false;
    int jobs = 0;
    for (; !settled; jobs++) {
        struct install_box box;
        prepare(&box, 77, false);
        struct attempt attempt = {.box = &box, .jobs_max = jobs};
        install(&attempt);
        start_again(&box);
        check_found(&box, attempt.is_published ? OUTCOME_NEW : OUTCOME_OLD);
        check_next_install(&box);
        settled = attempt.is_settled;
        box_close(&box);
    }
    assert_true(jobs > 6);
}

/* LevelDB's own writes fail one by one, whether the batch came through or not. */
static void install_may_be_cut_short_at_any_write_of_leveldb(void **state)
{
    (void)state;
    static const enum kv_memory_fault faults[] = {KV_MEMORY_FAULT_WRITE_IO,
                                                  KV_MEMORY_FAULT_WRITE_IO_KEPT};
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct install_box box;
        prepare(&box, 5, false);
        struct attempt attempt = {.box = &box, .jobs_max = 1000};
        kv_memory_fail(box.env, faults[i], false); /* the final batch: the only one, being small */
        install(&attempt);
        assert_false(attempt.is_published);
        start_again(&box);
        check_found(&box, OUTCOME_OLD);
        check_next_install(&box);
        box_close(&box);
    }
}

/* Raft does not want it after all: the way back is as safe. */
static void abandoning_what_is_published_may_be_cut_short_at_any_step(void **state)
{
    (void)state;
    int old = 0, new = 0;
    bool ended = false;
    for (uint64_t steps = 0; !ended; steps++) {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct install_box box;
            prepare(&box, seed * 1000 + steps, false);
            struct attempt attempt = {.box = &box, .jobs_max = 1000};
            assert_true(publish(&attempt));
            sim_disk_cut_power_after(box.disk, steps);
            ended = import_abandon(&box) == STORE_OK;
            start_again(&box);
            check_found(&box, ended ? OUTCOME_OLD : OUTCOME_EITHER);
            new += is_new(&box.to);
            old += !is_new(&box.to);
            box_close(&box);
        }
    }
    assert_true(old > 0 && new > 0);
}

/* Without valid rows there is nothing to fall back to: they are lost still, or all there. */
static void install_into_lost_rows_may_be_cut_short_at_any_step(void **state)
{
    (void)state;
    bool settled = false;
    int lost = 0, whole = 0;
    for (uint64_t steps = 0; !settled; steps++) {
        struct install_box box;
        prepare(&box, steps, false);
        store_free(box.to.store);
        assert_int_equal(box.disk->ops->remove(box.disk, "data/to/CURRENT"), DISK_OK);
        assert_int_equal(box.disk->ops->sync_dir(box.disk, "data/to"), DISK_OK);
        assert_int_equal(side_open(&box, &box.to, true), STORE_LOST);
        struct attempt attempt = {.box = &box, .jobs_max = 1000};
        uint64_t limit = sim_disk_steps(box.disk) + steps;
        sim_disk_cut_power_after(box.disk, steps);
        install(&attempt);
        settled = attempt.is_settled && sim_disk_steps(box.disk) <= limit;
        kv_memory_crash(box.env);
        sim_disk_crash(box.disk, &box.prng, SIM_CRASH_DRAW);
        store_import_fini(&box.import);
        store_free(box.to.store);
        enum store_err err = side_open(&box, &box.to, true);
        assert_true(err == STORE_LOST || err == STORE_OK);
        assert_true(err == STORE_OK || !attempt.is_published);
        if (err == STORE_OK)
            assert_content(&box.to, &box.from.model);
        lost += err == STORE_LOST;
        whole += err == STORE_OK;
        store_export_fini(&box.export);
        box_close(&box);
    }
    assert_true(lost > 2 && whole > 2);
}

/* ---- with LevelDB: kill -9 after each job ---- */

/* A copy of the receiver's directory as of now, this process standing still meanwhile. */
static void copy_receiver(const struct install_box *box, struct install_side *copy)
{
    static const char SCRIPT[] = "kill -STOP $PPID; "
                                 "until grep -q '^State:.T' /proc/$PPID/status; do :; done; "
                                 "rm -rf %s; cp -r %s %s; copied=$?; kill -CONT $PPID; "
                                 "exit $copied";
    char line[600];
    (void)snprintf(copy->dir, sizeof(copy->dir), "%s/copy", box->root);
    int size = snprintf(line, sizeof(line), SCRIPT, copy->dir, box->to.dir, copy->dir);
    assert_in_range(size, 1, sizeof(line) - 1);
    assert_int_equal(system(line), 0);
}

static void install_may_be_killed_after_any_job_with_leveldb(void **state)
{
    (void)state;
    struct install_box box;
    bool settled = false;
    for (int jobs = 0; !settled; jobs++) {
        prepare(&box, 9, true);
        struct attempt attempt = {.box = &box, .jobs_max = jobs};
        install(&attempt);
        settled = attempt.is_settled;
        struct install_side copy = {0};
        copy_receiver(&box, &copy);
        side_must_open(&box, &copy);
        assert_int_equal(is_new(&copy), attempt.is_published);
        assert_int_equal(store_applied(copy.store).applied_index, is_new(&copy) ? 40 : 20);
        assert_content(&copy, is_new(&copy) ? &box.from.model : &box.to.model);
        char line[160];
        (void)snprintf(line, sizeof(line), "test $(ls -d %s/gen-* | wc -l) = 1", copy.dir);
        assert_int_equal(system(line), 0);
        store_free(copy.store);
        box_close(&box);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(install_may_be_cut_short_at_any_step_of_the_disk),
        cmocka_unit_test(install_may_be_cut_short_between_any_two_jobs),
        cmocka_unit_test(install_may_be_cut_short_at_any_write_of_leveldb),
        cmocka_unit_test(abandoning_what_is_published_may_be_cut_short_at_any_step),
        cmocka_unit_test(install_into_lost_rows_may_be_cut_short_at_any_step),
        cmocka_unit_test(install_may_be_killed_after_any_job_with_leveldb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
