/* The log as its users see it, on a simulated disk. */
#include "wal_box.h"

#include <stdio.h>

#include "base/mem.h"

#define SEGMENT ((uint64_t)16384)

static int setup(void **state)
{
    struct box *box = mem_alloc(sizeof(*box));
    box_init(box, 3, SEGMENT);
    box_open(box);
    *state = box;
    return 0;
}

static int teardown(void **state)
{
    box_fini(*state);
    mem_free(*state);
    return 0;
}

/* ---- what is kept ---- */

static void a_new_log_is_fresh_and_empty_and_an_old_one_is_not(void **state)
{
    struct box *box = *state;
    assert_true(box->recovery->fresh);
    for (uint32_t i = 0; i < 3; i++) {
        const struct wal_group_state *group = box_group(box, i);
        assert_true(group->hard.term == 0 && group->hard.vote == 0);
        assert_true(group->base.index == 0 && group->mark.index == 0);
        assert_true(group->entry_count == 0 && group->members.size == 0);
    }
    assert_int_equal(wal_written(box->wal), 0);
    assert_int_equal(wal_promised(box->wal), 0);
    assert_int_equal(wal_collecting(box->wal), 1);
    box_open(box);
    assert_false(box->recovery->fresh);
    assert_string_equal(box_note(box), "");
}

static void everything_promised_is_there_after_opening_again(void **state)
{
    struct box *box = *state;
    for (uint64_t i = 1; i <= 5; i++)
        box_append(box, 0, i, 2, 60);
    box_append(box, 2, 1, 4, 3000);
    wal_put_hard_state(box->wal, 0, (struct wal_hard_state){7, 3});
    wal_put_mark(box->wal, 0, (struct wal_position){3, 2}, BYTES_LITERAL("abc"));
    wal_put_base(box->wal, 0, (struct wal_position){2, 2});
    box_settle(box);
    assert_int_equal(wal_promised(box->wal), 1);
    for (int i = 0; i < 2; i++) { /* opening changes nothing that the next opening would miss */
        box_open(box);
        const struct wal_group_state *group = box_group(box, 0);
        assert_true(group->hard.term == 7 && group->hard.vote == 3);
        assert_true(group->mark.index == 3 && group->mark.term == 2);
        assert_true(group->base.index == 2 && group->base.term == 2);
        assert_true(bytes_equal(buf_bytes(&group->members), BYTES_LITERAL("abc")));
        box_assert_entries(box, 0, 3, 5, 2, 60);
        box_assert_entries(box, 2, 1, 1, 4, 3000);
        assert_int_equal(box_group(box, 1)->entry_count, 0);
        assert_int_equal(wal_last_index(box->wal, 0), 5);
    }
}

static void entries_of_every_kind_and_size_come_back(void **state)
{
    struct box *box = *state;
    static const size_t sizes[] = {25, WAL_COPY_SIZE_MAX - 1, WAL_COPY_SIZE_MAX,
                                   WAL_COPY_SIZE_MAX + 1};
    struct entry *noop = entry_new(ENTRY_NOOP, NULL, 0);
    noop->index = 1;
    noop->term = 1;
    wal_append(box->wal, 1, noop);
    entry_release(noop);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        box_append(box, 1, i + 2, 1, sizes[i]);
    uint8_t *bytes = mem_alloc(3);
    memcpy(bytes, "xyz", 3);
    struct entry *members = entry_new(ENTRY_MEMBERS, bytes, 3);
    members->index = 6;
    members->term = 1;
    wal_append(box->wal, 1, members);
    entry_release(members);
    box_settle(box);
    box_open(box);
    const struct wal_group_state *group = box_group(box, 1);
    assert_int_equal(group->entry_count, 6);
    assert_int_equal(group->entries[0]->kind, ENTRY_NOOP);
    assert_int_equal(group->entries[0]->size, 0);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_int_equal(group->entries[i + 1]->size, sizes[i]);
    assert_int_equal(group->entries[5]->kind, ENTRY_MEMBERS);
    assert_memory_equal(group->entries[5]->payload, "xyz", 3);
}

static void another_term_truncates_and_the_same_term_is_a_copy(void **state)
{
    struct box *box = *state;
    for (uint64_t i = 1; i <= 6; i++)
        box_append(box, 0, i, 1, 40);
    box_settle(box);
    box_append(box, 0, 2, 1, 40); /* copy: 3..6 stay */
    box_settle(box);
    assert_int_equal(wal_last_index(box->wal, 0), 6);
    box_open(box);
    box_assert_entries(box, 0, 1, 6, 1, 40);
    box_append(box, 0, 4, 5, 40); /* conflict: 4..6 go */
    assert_int_equal(wal_last_index(box->wal, 0), 4);
    box_append(box, 0, 5, 5, 40);
    box_settle(box);
    box_open(box);
    const struct wal_group_state *group = box_group(box, 0);
    assert_int_equal(group->entry_count, 5);
    assert_int_equal(group->entries[2]->term, 1);
    assert_int_equal(group->entries[3]->term, 5);
    assert_int_equal(group->entries[4]->term, 5);
}

static void a_lower_term_truncates_too(void **state)
{
    struct box *box = *state; /* a deposed leader's own entries may have the higher term */
    box_append(box, 0, 1, 1, 40);
    box_append(box, 0, 2, 5, 40);
    box_append(box, 0, 3, 5, 40);
    box_settle(box);
    box_append(box, 0, 2, 4, 40);
    box_settle(box);
    box_open(box);
    assert_int_equal(box_group(box, 0)->entry_count, 2);
    assert_int_equal(box_group(box, 0)->entries[1]->term, 4);
}

static void a_reset_replaces_the_log_and_drops_entries_above_it(void **state)
{
    struct box *box = *state;
    for (uint64_t i = 1; i <= 9; i++)
        box_append(box, 0, i, 1, 40);
    box_settle(box);
    wal_put_reset(box->wal, 0, (struct wal_position){6, 3}, BYTES_LITERAL("installed"));
    assert_int_equal(wal_last_index(box->wal, 0), 6);
    box_settle(box);
    box_open(box);
    const struct wal_group_state *group = box_group(box, 0);
    assert_true(group->base.index == 6 && group->base.term == 3);
    assert_true(group->mark.index == 6 && group->mark.term == 3);
    assert_true(bytes_equal(buf_bytes(&group->members), BYTES_LITERAL("installed")));
    assert_int_equal(group->entry_count, 0);
    box_append(box, 0, 7, 3, 40);
    box_settle(box);
    box_open(box);
    box_assert_entries(box, 0, 7, 7, 3, 40);
}

static void more_groups_may_be_opened_but_not_fewer(void **state)
{
    struct box *box = *state;
    box_append(box, 2, 1, 1, 40);
    box_settle(box);
    box->options.group_count = 2;
    assert_int_equal(box_try_open(box), WAL_FOREIGN);
    assert_non_null(strstr(box_error(box), "holds 3 groups, only 2 are configured"));
    box->options.group_count = 4;
    box_open(box);
    box_assert_entries(box, 2, 1, 1, 1, 40);
    assert_int_equal(box_group(box, 3)->entry_count, 0);
}

static void the_log_of_another_store_is_refused_untouched(void **state)
{
    struct box *box = *state;
    box_append(box, 0, 1, 1, 40);
    box_settle(box);
    box->options.store_id = 78;
    uint64_t steps = sim_disk_steps(box->disk);
    assert_int_equal(box_try_open(box), WAL_FOREIGN);
    assert_non_null(strstr(box_error(box), "/wal/0000000000000001.wal: offset 0: "));
    assert_non_null(strstr(box_error(box), "store 000000000000004d"));
    assert_int_equal(sim_disk_steps(box->disk), steps + 2); /* syncs of the name, of the bytes */
    box->options.store_id = 77;
    box_open(box);
    box_assert_entries(box, 0, 1, 1, 1, 40);
}

/* ---- batches, modes, promises ---- */

static void sixteen_small_entries_cost_one_write_and_one_sync(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 1, 60);
    struct sim_disk_counts before = sim_disk_counts(box->disk);
    for (uint64_t i = 2; i <= 17; i++)
        box_append(box, 0, i, 1, 60);
    box_settle(box);
    struct sim_disk_counts after = sim_disk_counts(box->disk);
    assert_int_equal(after.writes - before.writes, 1);
    assert_int_equal(after.syncs - before.syncs, 1);
    assert_int_equal(after.dir_syncs, before.dir_syncs);
}

static void what_arrives_while_a_batch_is_under_way_shares_the_next_sync(void **state)
{
    struct box *box = *state;
    box_append(box, 0, 1, 1, 60);
    assert_int_equal(wal_collecting(box->wal), 1);
    assert_true(wal_submit(box->wal, box->worker));
    assert_true(wal_is_busy(box->wal));
    assert_int_equal(wal_collecting(box->wal), 2);
    struct sim_disk_counts before = sim_disk_counts(box->disk);
    for (uint64_t i = 2; i <= 10; i++) {
        box_append(box, 0, i, 1, 60);
        box_append(box, 1, i - 1, 1, 60);
        assert_false(wal_submit(box->wal, box->worker));
    }
    assert_int_equal(wal_collecting(box->wal), 2);
    assert_int_equal(wal_promised(box->wal), 0);
    assert_true(box_run(box));
    assert_int_equal(wal_promised(box->wal), 1);
    box_settle(box);
    assert_int_equal(wal_promised(box->wal), 2);
    assert_int_equal(sim_disk_counts(box->disk).syncs - before.syncs, 2);
    assert_false(wal_submit(box->wal, box->worker)); /* nothing is left to do */
}

static void in_mode_always_a_promise_waits_for_the_sync(void **state)
{
    struct box *box = *state;
    struct prng prng = prng_init(1);
    box_append_each(box, 0, 1, 1, 60);
    assert_true(wal_written(box->wal) == 1 && wal_synced(box->wal) == 1);
    assert_int_equal(wal_promised(box->wal), 1);
    sim_disk_crash(box->disk, &prng, SIM_CRASH_LOSE);
    box_open(box);
    box_assert_entries(box, 0, 1, 1, 1, 60);
}

static void in_mode_no_a_promise_waits_for_the_write_only(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    assert_int_equal(wal_sync_mode(box->wal), WAL_SYNC_NO);
    uint64_t syncs = sim_disk_counts(box->disk).syncs;
    for (uint64_t i = 1; i <= 5; i++) {
        box_append_each(box, 0, i, i, 60);
        wal_tick(box->wal, i * 10000000);
        box_settle(box);
    }
    assert_int_equal(sim_disk_counts(box->disk).syncs, syncs);
    assert_int_equal(wal_written(box->wal), 5);
    assert_int_equal(wal_promised(box->wal), 5);
    assert_int_equal(wal_synced(box->wal), 0);
}

static void what_must_be_synced_is_synced_in_every_mode(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    struct wal_position position = {1, 1};
    for (int i = 0; i < 6; i++) {
        box_append(box, 0, (uint64_t)i + 1, 1, 60);
        if (i == 1)
            wal_put_hard_state(box->wal, 0, (struct wal_hard_state){1, 1});
        if (i == 2)
            wal_put_mark(box->wal, 0, position, BYTES_LITERAL("m"));
        if (i == 3)
            wal_put_base(box->wal, 0, position);
        if (i == 4)
            wal_put_reset(box->wal, 1, position, BYTES_LITERAL("m"));
        if (i == 5) {
            struct entry *members = entry_new(ENTRY_MEMBERS, NULL, 0);
            members->index = 2;
            members->term = 1;
            wal_append(box->wal, 1, members);
            entry_release(members);
        }
        box_settle(box);
        assert_int_equal(wal_synced(box->wal), i == 0 ? 0 : (uint64_t)i + 1);
    }
}

static void
in_mode_everysec_the_tick_syncs_once_a_second_and_only_when_there_is_something(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_EVERYSEC);
    wal_tick(box->wal, 5000000);
    box_append_each(box, 0, 1, 1, 60);
    assert_true(wal_promised(box->wal) == 1 && wal_synced(box->wal) == 0);
    wal_tick(box->wal, 5000001);
    box_settle(box);
    assert_int_equal(wal_synced(box->wal), 1);
    uint64_t syncs = sim_disk_counts(box->disk).syncs;
    box_append_each(box, 0, 2, 2, 60);
    wal_tick(box->wal, 6000000); /* one microsecond too early */
    box_settle(box);
    assert_int_equal(sim_disk_counts(box->disk).syncs, syncs);
    wal_tick(box->wal, 6000001);
    box_settle(box);
    assert_int_equal(sim_disk_counts(box->disk).syncs, syncs + 1);
    assert_int_equal(wal_synced(box->wal), 2);
    wal_tick(box->wal, 9000000);
    assert_false(wal_submit(box->wal, box->worker));
    assert_int_equal(sim_disk_counts(box->disk).syncs, syncs + 1);
}

static void a_requested_sync_runs_with_nothing_collected_and_once(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    wal_request_sync(box->wal);
    assert_false(wal_submit(box->wal, box->worker)); /* all is synced already */
    box_append_each(box, 0, 1, 2, 60);
    assert_int_equal(wal_synced(box->wal), 0);
    wal_request_sync(box->wal);
    assert_true(wal_submit(box->wal, box->worker));
    assert_true(box_run(box));
    assert_int_equal(wal_synced(box->wal), 2);
    assert_false(wal_submit(box->wal, box->worker));
}

static void a_stricter_mode_syncs_the_past_and_takes_no_promise_back(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    box_append_each(box, 0, 1, 3, 60);
    assert_int_equal(wal_promised(box->wal), 3);
    wal_set_sync(box->wal, WAL_SYNC_ALWAYS);
    assert_int_equal(wal_promised(box->wal), 3);
    box_settle(box);
    assert_int_equal(wal_synced(box->wal), 3);
    box_append(box, 0, 4, 1, 60);
    box_settle(box);
    assert_int_equal(wal_promised(box->wal), 4);
}

static void a_batch_under_way_when_the_mode_becomes_stricter_waits_for_its_sync(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    box_append(box, 0, 1, 1, 60);
    assert_true(wal_submit(box->wal, box->worker)); /* without a sync */
    wal_set_sync(box->wal, WAL_SYNC_ALWAYS);
    assert_true(box_run(box));
    assert_true(wal_written(box->wal) == 1 && wal_promised(box->wal) == 0);
    box_settle(box);
    assert_true(wal_synced(box->wal) == 1 && wal_promised(box->wal) == 1);
}

static void a_batch_waits_when_the_worker_has_no_room(void **state)
{
    struct box *box = *state;
    struct worker *full = worker_new_manual(1);
    struct wal_options options = box->options;
    options.dir = "/other";
    struct wal *wal = NULL;
    struct wal_recovery *recovery = NULL;
    assert_int_equal(wal_open(&wal, box->disk, &options, &recovery, &box->note, &box->error),
                     WAL_OK);
    box_append(box, 0, 1, 1, 60);
    assert_true(wal_submit(box->wal, full));
    struct entry *entry = box_entry(1, 1, 60, 1);
    wal_append(wal, 0, entry);
    assert_false(wal_submit(wal, full));
    assert_int_equal(entry->refs, 1);
    entry_release(entry);
    assert_true(worker_run_one(full));
    wal_job_done(box->wal, worker_take_done(full));
    assert_true(wal_submit(wal, full));
    assert_true(worker_run_one(full));
    wal_job_done(wal, worker_take_done(full));
    assert_int_equal(wal_promised(wal), 1);
    wal_free(wal);
    wal_recovery_free(recovery);
    worker_free(full);
}

/* ---- segments ---- */

static size_t count_files(const struct box *box, const char *suffix)
{
    struct buf names = {0};
    size_t count = 0;
    assert_int_equal(box->disk->ops->list_dir(box->disk, "/wal", &names), DISK_OK);
    for (size_t at = 0; at < names.size; at += strlen((char *)names.data + at) + 1)
        count += strstr((char *)names.data + at, suffix) != NULL;
    buf_free(&names);
    return count;
}

static void a_batch_fills_a_segment_to_the_last_byte_and_goes_on_in_the_next(void **state)
{
    struct box *box = *state;
    /* the opening of 3 groups: header, store, 9 records, padded; an entry adds header and record */
    uint64_t opening = wal_round_up(WAL_HEADER_SIZE + 10 * WAL_RECORD_SIZE, WAL_ALIGN);
    size_t fitting = (size_t)(SEGMENT - opening - WAL_HEADER_SIZE - WAL_RECORD_SIZE);
    char path[64];
    for (int more = -1; more <= 1; more++) {
        box_fini(box);
        box_init(box, 3, SEGMENT);
        box_open(box);
        size_t size = (size_t)((int64_t)fitting + more);
        box_append_each(box, 0, 1, 1, size);
        bool next = sim_disk_exists(box->disk, box_segment_path(path, sizeof(path), 2));
        bool next_used = next && wal_looks_like_batch(sim_disk_content(box->disk, path), 2, 0);
        assert_int_equal(next_used, more == 1);
        box_open(box);
        box_assert_entries(box, 0, 1, 1, 1, size);
    }
}

static void a_batch_larger_than_a_segment_gets_one_of_its_own_size(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 1, 60);
    box_append_each(box, 0, 2, 2, 300000);
    box_append_each(box, 0, 3, 3, 300000);
    box_append_each(box, 0, 4, 4, 60);
    assert_true(wal_size_bytes(box->wal) > 600000);
    box_open(box);
    const struct wal_group_state *group = box_group(box, 0);
    assert_int_equal(group->entry_count, 4);
    assert_int_equal(group->entries[1]->size, 300000);
    assert_int_equal(group->entries[2]->size, 300000);
    box_compact(box, 0, 4);
    box_settle(box);
    assert_true(wal_size_bytes(box->wal) <= 4 * SEGMENT);
}

static void compacted_segments_are_reused_and_the_log_stays_small(void **state)
{
    struct box *box = *state;
    for (uint64_t i = 1; i <= 400; i++) {
        box_append_each(box, 0, i, i, 500);
        if (i % 10 == 0)
            box_compact(box, 0, i);
    }
    assert_true(wal_size_bytes(box->wal) <= 5 * SEGMENT);
    struct wal_counters counters = wal_counters(box->wal);
    assert_true(counters.segments_reused > 5);
    assert_true(counters.segments_made <= 5);
    assert_true(count_files(box, ".wal") + count_files(box, ".spare") <= 5);
    box_open(box);
    assert_int_equal(box_group(box, 0)->base.index, 400);
    assert_int_equal(box_group(box, 0)->entry_count, 0);
    assert_true(bytes_equal(buf_bytes(&box_group(box, 0)->members), BYTES_LITERAL("members")));
    assert_true(count_files(box, ".wal") <= 2); /* all but the new one went at the start */
}

static void an_idle_group_pins_nothing_but_its_state_survives(void **state)
{
    struct box *box = *state;
    wal_put_hard_state(box->wal, 1, (struct wal_hard_state){9, 2});
    box_append(box, 1, 1, 9, 60);
    wal_put_mark(box->wal, 1, (struct wal_position){1, 9}, BYTES_LITERAL("idle"));
    wal_put_base(box->wal, 1, (struct wal_position){1, 9});
    box_settle(box);
    for (uint64_t i = 1; i <= 200; i++) {
        box_append_each(box, 0, i, i, 500);
        if (i % 10 == 0)
            box_compact(box, 0, i);
    }
    char path[64];
    assert_false(sim_disk_exists(box->disk, box_segment_path(path, sizeof(path), 1)));
    assert_int_equal(wal_pinned_bytes(box->wal, 1), 0);
    box_open(box);
    const struct wal_group_state *group = box_group(box, 1);
    assert_true(group->hard.term == 9 && group->hard.vote == 2);
    assert_true(group->base.index == 1 && group->base.term == 9 && group->mark.index == 1);
    assert_true(bytes_equal(buf_bytes(&group->members), BYTES_LITERAL("idle")));
}

static void a_lagging_group_pins_and_frees_when_its_records_are_copied_forward(void **state)
{
    struct box *box = *state;
    box_append_each(box, 1, 1, 3, 60);
    for (uint64_t i = 1; i <= 200; i++) {
        box_append_each(box, 0, i, i, 500);
        if (i == 100)
            box_append_each(box, 1, 4, 6, 60);
        if (i % 10 == 0)
            box_compact(box, 0, i);
    }
    char path[64];
    uint32_t group = 0;
    uint64_t first = 0;
    uint64_t last = 0;
    assert_true(sim_disk_exists(box->disk, box_segment_path(path, sizeof(path), 1)));
    assert_true(wal_pinned_bytes(box->wal, 1) > 5 * SEGMENT);
    for (int rounds = 0; wal_oldest_pinning_group(box->wal, &group, &first, &last); rounds++) {
        assert_int_equal(group, 1);
        assert_true(rounds < 2); /* the two segments that hold something of it */
        for (uint64_t i = first; i <= last; i++)
            box_append(box, 1, i, 1, 60);
        box_settle(box);
    }
    assert_false(sim_disk_exists(box->disk, path));
    assert_true(wal_pinned_bytes(box->wal, 1) <= SEGMENT);
    box_open(box);
    box_assert_entries(box, 1, 1, 6, 1, 60);
    assert_true(count_files(box, ".wal") <= 3);
    box_append(box, 1, 3, 2, 60); /* truncation among copies */
    box_settle(box);
    box_open(box);
    assert_int_equal(box_group(box, 1)->entry_count, 3);
    assert_int_equal(box_group(box, 1)->entries[2]->term, 2);
}

static void truncated_entries_pin_nothing(void **state)
{
    struct box *box = *state;
    char path[64];
    box_append_each(box, 0, 1, 1, 60);
    box_compact(box, 0, 1);
    box_append_each(box, 1, 1, 30, 500); /* more than a segment */
    box_append(box, 1, 1, 2, 60);        /* all of it replaced */
    box_settle(box);
    assert_false(sim_disk_exists(box->disk, box_segment_path(path, sizeof(path), 1)));
    box_open(box);
    assert_int_equal(box_group(box, 1)->entry_count, 1);
    assert_int_equal(box_group(box, 1)->entries[0]->term, 2);
}

static void old_bytes_of_a_reused_segment_never_come_back(void **state)
{
    struct box *box = *state;
    struct prng prng = prng_init(5);
    for (uint64_t i = 1; i <= 300; i++) {
        box_append_each(box, 0, i, i, 500); /* equal sizes: old batches stand at batch borders */
        if (i % 8 == 0)
            box_compact(box, 0, i);
        if (i % 50 == 1) {
            sim_disk_crash(box->disk, &prng, SIM_CRASH_LOSE);
            box_open(box);
            assert_int_equal(wal_last_index(box->wal, 0), i);
        }
    }
    assert_true(wal_counters(box->wal).batches > 0);
}

static void spare_files_of_a_log_that_is_gone_are_not_believed(void **state)
{
    struct box *box = *state;
    char path[64];
    box_append_each(box, 0, 1, 5, 500);
    box_append_each(box, 0, 6, 20, 500); /* the first segment is full, a second is in use */
    assert_int_equal(box->disk->ops->rename(box->disk, box_segment_path(path, sizeof(path), 1),
                                            "/wal/0000000000000001.spare"),
                     DISK_OK);
    assert_int_equal(box->disk->ops->remove(box->disk, box_segment_path(path, sizeof(path), 2)),
                     DISK_OK);
    box_open(box);
    assert_true(box->recovery->fresh);
    assert_int_equal(box_group(box, 0)->entry_count, 0);
    box_append_each(box, 0, 1, 1, 60);
    box_open(box);
    assert_int_equal(box_group(box, 0)->entry_count, 1);
}

static void opening_again_and_again_does_not_grow_the_log(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 1, 60);
    for (int i = 0; i < 20; i++)
        box_open(box);
    box_assert_entries(box, 0, 1, 1, 1, 60);
    assert_true(wal_size_bytes(box->wal) < 22 * 4096 + 2 * SEGMENT);
    box_compact(box, 0, 1);
    box_open(box);
    assert_true(count_files(box, ".wal") <= 2);
}

/* ---- trouble ---- */

static void a_full_disk_keeps_the_batch_and_a_retry_writes_it_whole(void **state)
{
    static const enum sim_fault faults[] = {SIM_FAULT_WRITE_FULL, SIM_FAULT_ALLOCATE_FULL};
    struct box *box = *state;
    const char *text = NULL;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        uint64_t first = wal_last_index(box->wal, 0) + 1;
        uint64_t promised = wal_promised(box->wal);
        sim_disk_fail(box->disk, faults[i], true);
        box_append(box, 0, first, 1, 20000); /* needs a new segment */
        assert_true(wal_submit(box->wal, box->worker));
        box_append(box, 0, first + 1, 1, 60); /* collects meanwhile */
        assert_true(box_run(box));
        assert_true(wal_is_full(box->wal));
        assert_false(wal_failed(box->wal, &text));
        assert_false(wal_submit(box->wal, box->worker));
        assert_int_equal(wal_promised(box->wal), promised);
        wal_retry(box->wal);
        assert_true(wal_submit(box->wal, box->worker)); /* still full */
        assert_true(box_run(box));
        assert_true(wal_is_full(box->wal));
        sim_disk_fail(box->disk, SIM_FAULT_NONE, false);
        wal_retry(box->wal);
        assert_false(wal_is_full(box->wal));
        box_settle(box);
        assert_int_equal(wal_promised(box->wal), promised + 2);
    }
    assert_true(wal_counters(box->wal).full >= 4);
    box_open(box);
    assert_int_equal(box_group(box, 0)->entry_count, 4);
    assert_int_equal(box_group(box, 0)->entries[0]->size, 20000);
    assert_int_equal(box_group(box, 0)->entries[2]->size, 20000);
}

static void partial_bytes_of_a_full_disk_are_overwritten_by_the_retry(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 1, 60);
    sim_disk_fail(box->disk, SIM_FAULT_WRITE_FULL, false);
    box_append(box, 0, 2, 1, 2000);
    assert_true(wal_submit(box->wal, box->worker));
    assert_true(box_run(box));
    assert_true(wal_is_full(box->wal));
    wal_retry(box->wal);
    box_settle(box);
    box_append_each(box, 0, 3, 3, 60);
    box_open(box);
    assert_string_equal(box_note(box), "");
    assert_int_equal(box_group(box, 0)->entry_count, 3);
}

static void a_sync_that_was_asked_for_is_still_owed_after_a_full_disk(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    box_append(box, 0, 1, 1, 60);
    wal_request_sync(box->wal);
    sim_disk_fail(box->disk, SIM_FAULT_WRITE_FULL, false);
    box_settle(box);
    assert_true(wal_is_full(box->wal));
    wal_retry(box->wal);
    box_settle(box);
    assert_int_equal(wal_synced(box->wal), 1);
}

static void a_crash_while_the_disk_is_full_loses_only_what_was_not_promised(void **state)
{
    struct box *box = *state;
    struct prng prng = prng_init(9);
    box_append_each(box, 0, 1, 4, 60);
    sim_disk_fail(box->disk, SIM_FAULT_WRITE_FULL, false);
    box_append(box, 0, 5, 1, 2000);
    assert_true(wal_submit(box->wal, box->worker));
    assert_true(box_run(box));
    sim_disk_crash(box->disk, &prng, SIM_CRASH_KEEP);
    box_open(box);
    box_assert_entries(box, 0, 1, 4, 1, 60);
    assert_true(box->recovery->cut_bytes > 0);
}

static void a_full_disk_opens_with_a_small_segment(void **state)
{
    struct box *box = *state;
    struct prng prng = prng_init(2);
    box_append_each(box, 0, 1, 20, 500);
    sim_disk_crash(box->disk, &prng, SIM_CRASH_LOSE);
    sim_disk_set_capacity(box->disk, sim_disk_used(box->disk) - SEGMENT / 2);
    box_open(box);
    box_assert_entries(box, 0, 1, 20, 1, 500);
    sim_disk_set_capacity(box->disk, UINT64_MAX);
    box_append_each(box, 0, 21, 60, 500);
    box_open(box);
    box_assert_entries(box, 0, 1, 60, 1, 500);
}

static void assert_stopped(struct box *box, const char *part)
{
    const char *text = NULL;
    assert_true(wal_failed(box->wal, &text));
    assert_non_null(strstr(text, "/wal/0000000000000001.wal: "));
    assert_non_null(strstr(text, part));
    assert_non_null(strstr(text, " at offset "));
    uint64_t steps = sim_disk_steps(box->disk);
    box_append(box, 0, wal_last_index(box->wal, 0) + 1, 1, 60);
    wal_retry(box->wal);
    wal_request_sync(box->wal);
    assert_false(wal_submit(box->wal, box->worker));
    assert_int_equal(sim_disk_steps(box->disk), steps);
    assert_int_equal(wal_promised(box->wal), 1);
}

static void a_failed_write_stops_the_log_for_ever(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 1, 60);
    sim_disk_fail(box->disk, SIM_FAULT_WRITE_IO, false);
    box_append_each(box, 0, 2, 2, 60);
    assert_stopped(box, "write at offset");
}

static void a_failed_sync_stops_the_log_for_ever(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 1, 60);
    sim_disk_fail(box->disk, SIM_FAULT_SYNC_IO, false);
    box_append_each(box, 0, 2, 2, 60);
    assert_stopped(box, "fdatasync at offset");
}

static void the_directory_that_cannot_be_made_or_read_is_a_disk_error(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 1, 60);
    sim_disk_fail(box->disk, SIM_FAULT_READ_IO, false);
    assert_int_equal(box_try_open(box), WAL_DISK);
    assert_non_null(strstr(box_error(box), "/wal/0000000000000001.wal: read: "));
    sim_disk_fail(box->disk, SIM_FAULT_SYNC_IO, true);
    assert_int_equal(box_try_open(box), WAL_DISK);
    assert_null(box->wal);
    sim_disk_fail(box->disk, SIM_FAULT_NONE, false);
    box_open(box);
    box_assert_entries(box, 0, 1, 1, 1, 60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_log_is_fresh_and_empty_and_an_old_one_is_not),
        TEST(everything_promised_is_there_after_opening_again),
        TEST(entries_of_every_kind_and_size_come_back),
        TEST(another_term_truncates_and_the_same_term_is_a_copy),
        TEST(a_lower_term_truncates_too),
        TEST(a_reset_replaces_the_log_and_drops_entries_above_it),
        TEST(more_groups_may_be_opened_but_not_fewer),
        TEST(the_log_of_another_store_is_refused_untouched),
        TEST(sixteen_small_entries_cost_one_write_and_one_sync),
        TEST(what_arrives_while_a_batch_is_under_way_shares_the_next_sync),
        TEST(in_mode_always_a_promise_waits_for_the_sync),
        TEST(in_mode_no_a_promise_waits_for_the_write_only),
        TEST(what_must_be_synced_is_synced_in_every_mode),
        TEST(in_mode_everysec_the_tick_syncs_once_a_second_and_only_when_there_is_something),
        TEST(a_requested_sync_runs_with_nothing_collected_and_once),
        TEST(a_stricter_mode_syncs_the_past_and_takes_no_promise_back),
        TEST(a_batch_under_way_when_the_mode_becomes_stricter_waits_for_its_sync),
        TEST(a_batch_waits_when_the_worker_has_no_room),
        TEST(a_batch_fills_a_segment_to_the_last_byte_and_goes_on_in_the_next),
        TEST(a_batch_larger_than_a_segment_gets_one_of_its_own_size),
        TEST(compacted_segments_are_reused_and_the_log_stays_small),
        TEST(an_idle_group_pins_nothing_but_its_state_survives),
        TEST(a_lagging_group_pins_and_frees_when_its_records_are_copied_forward),
        TEST(truncated_entries_pin_nothing),
        TEST(old_bytes_of_a_reused_segment_never_come_back),
        TEST(spare_files_of_a_log_that_is_gone_are_not_believed),
        TEST(opening_again_and_again_does_not_grow_the_log),
        TEST(a_full_disk_keeps_the_batch_and_a_retry_writes_it_whole),
        TEST(partial_bytes_of_a_full_disk_are_overwritten_by_the_retry),
        TEST(a_sync_that_was_asked_for_is_still_owed_after_a_full_disk),
        TEST(a_crash_while_the_disk_is_full_loses_only_what_was_not_promised),
        TEST(a_full_disk_opens_with_a_small_segment),
        TEST(a_failed_write_stops_the_log_for_ever),
        TEST(a_failed_sync_stops_the_log_for_ever),
        TEST(the_directory_that_cannot_be_made_or_read_is_a_disk_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
