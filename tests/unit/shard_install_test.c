/* Rows that come from another member, and starts without rows or without promises (L4, L5). */
#include "trio.h"

/* ---- installs ---- */

/* A follower that is cut off while the leader compacts everything; and back again. */
static struct trio_side *fall_behind(struct trio *trio, struct trio_side *leader)
{
    struct trio_side *side = trio_other(trio, leader, NULL);
    trio_turns(trio, 10);
    side->is_cut = true;
    for (int i = 0; i < 10; i++)
        (void)trio_propose(trio, leader);
    leader->wants_flush = true;
    trio_turns(trio, 30);
    leader->wants_flush = false;
    assert_int_equal(shard_status(leader->shard).base, shard_last_index(leader->shard));
    side->is_cut = false;
    return side;
}

static void assert_rows_from(const struct trio_side *side, uint64_t first, uint64_t last)
{
    for (uint64_t index = first; index <= last; index++)
        assert_int_not_equal(trio_row(side, index), 0);
}

static void an_install_brings_a_follower_up_and_the_log_goes_on_behind_it(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = fall_behind(&trio, leader);
    trio_turns(&trio, 60);
    assert_int_equal(leader->wanted, side->node);
    uint64_t installed = shard_last_index(leader->shard);
    assert_true(shard_applied_index(side->shard) < installed);
    trio_install(&trio, leader, side);
    assert_int_equal(shard_status(side->shard).mark, installed);
    assert_int_equal(side->offered, installed);
    assert_rows_from(side, installed - 9, installed);
    uint64_t next = trio_propose(&trio, leader);
    trio_turns(&trio, 30);
    assert_int_equal(trio_row(side, next), leader->node);
    side->wants_flush = true;
    trio_turns(&trio, 20);
    assert_int_equal(shard_status(side->shard).flushed, next);
    trio_crash(side);
    trio_open(&trio, side);
    assert_int_equal(shard_status(side->shard).start, SHARD_START_SKIPPED);
    assert_rows_from(side, installed - 9, next);
    trio_fini(&trio);
}

/* Its log from before names a member that the group does not have: that goes with the log. */
static void members_are_those_of_the_install_and_not_of_the_log_that_it_replaced(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = fall_behind(&trio, leader);
    side->is_cut = true;
    struct members more = *shard_members(side->shard);
    more.at[more.count] = trio_member(4);
    more.at[more.count++].is_voter = false;
    struct buf bytes = members_bytes(&more);
    uint64_t rival = trio_other(&trio, leader, side)->node;
    rival_appends(&trio, side, rival, term_of(side) + 1, shard_last_index(side->shard),
                  (struct entry_view){.kind = ENTRY_MEMBERS, .payload = buf_bytes(&bytes)}, 0);
    buf_free(&bytes);
    assert_members(side, 4);
    trio_install(&trio, leader, side);
    assert_members(side, 3);
    trio_fini(&trio);
}

/* A group that was made before members were written, and the mark lies before they were: one voter,
 * as the core takes it, and not who formed this node's shards. */
static void an_install_that_says_no_members_is_of_one_voter(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = fall_behind(&trio, leader);
    struct trio_install install = {.from = leader, .to = side};
    trio_install_stream(&trio, &install);
    side->is_cut = true;
    install.meta.members = bytes_of(NULL, 0);
    trio_install_publish(&install);
    trio_install_adopt(&trio, &install);
    assert_int_equal(raft_membership(shard_raft(side->shard))->members.count, 1);
    assert_int_equal(shard_members(side->shard)->count, 1);
    assert_int_equal(shard_members(side->shard)->at[0].node, 1);
    trio_turns(&trio, 3);
    assert_int_equal(shard_members(side->shard)->count, 1);
    trio_install_fini(&install);
    trio_fini(&trio);
}

static void a_frozen_follower_takes_nothing_and_stays_where_it_is(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    struct shard_status before = shard_status(side->shard);
    shard_freeze(side->shard, true);
    uint64_t last = trio_propose(&trio, leader);
    trio_turns(&trio, 100); /* nor does it campaign */
    struct shard_status after = shard_status(side->shard);
    assert_true(after.last == before.last && after.applied == before.applied);
    assert_int_equal(after.term, before.term);
    shard_freeze(side->shard, false);
    trio_turns(&trio, 60);
    assert_int_equal(shard_applied_index(side->shard), last);
    trio_fini(&trio);
}

static void an_install_that_the_log_overtook_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    uint64_t last = trio_propose(&trio, leader);
    trio_turns(&trio, 20);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    struct store_meta meta = store_applied(shard_fsm(leader->shard)->store);
    assert_int_equal(meta.applied_index, last);
    shard_freeze(side->shard, true);
    assert_false(shard_installed(side->shard, &meta));
    shard_freeze(side->shard, false);
    assert_int_equal(shard_applied_index(side->shard), last);
    assert_true(shard_is_reset(side->shard));
    trio_fini(&trio);
}

/* The power goes between the rename and the reset of the log: the rows are there, and the log from
 * before is not taken for their continuation. */
static void an_install_that_was_cut_before_the_logs_reset_is_found_at_the_start(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = fall_behind(&trio, leader);
    uint64_t installed = shard_last_index(leader->shard);
    for (int stage = 0; stage < 2; stage++) {
        struct trio_install install = {.from = leader, .to = side};
        trio_install_stream(&trio, &install);
        if (stage == 1)
            trio_install_publish(&install);
        store_import_fini(&install.import);
        trio_install_fini(&install);
        trio_crash(side);
        trio_open(&trio, side);
        assert_int_equal(shard_status(side->shard).start,
                         stage == 1 ? SHARD_START_INSTALLED : SHARD_START_REPLAYED);
    }
    struct shard_status status = shard_status(side->shard);
    assert_true(status.applied == installed && status.base == installed);
    assert_int_equal(status.last, installed);
    assert_rows_from(side, installed - 9, installed);
    assert_false(shard_is_reset(side->shard));
    trio_turns(&trio, 60);
    assert_true(shard_is_reset(side->shard));
    uint64_t next = trio_propose(&trio, leader);
    side->wants_flush = true;
    trio_turns(&trio, 30);
    assert_int_equal(trio_row(side, next), leader->node);
    assert_int_equal(shard_status(side->shard).flushed, next);
    trio_crash(side);
    trio_open(&trio, side);
    assert_int_equal(shard_status(side->shard).start, SHARD_START_SKIPPED);
    assert_rows_from(side, installed - 9, next);
    trio_fini(&trio);
}

/* ---- rows lost, promises whole (L4) ---- */

static void lose_rows(struct trio *trio, struct trio_side *side)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/shard/%s",
                   store_generation(shard_fsm(side->shard)->store));
    trio_crash(side);
    assert_true(kv_memory_lose(side->kv, path));
    trio_open(trio, side);
    assert_int_equal(shard_status(side->shard).start, SHARD_START_ROWS_LOST);
    assert_true(shard_has_lost_rows(side->shard));
}

static void a_member_without_rows_votes_and_stores_but_neither_applies_nor_leads(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    struct trio_side *third = trio_other(&trio, leader, side);
    lose_rows(&trio, side);
    third->is_cut = true;
    uint64_t index = trio_propose(&trio, leader);
    trio_turns(&trio, 30);
    assert_int_equal(shard_applied_index(leader->shard), index); /* its copy counts */
    assert_int_equal(shard_last_index(side->shard), index);
    assert_true(shard_applied_index(side->shard) < index);
    assert_int_equal(leader->wanted, side->node);
    third->is_cut = false;
    trio_turns(&trio, 30);
    trio_crash(leader);
    assert_ptr_equal(trio_serve(&trio), third); /* by its vote; it does not stand itself */
    assert_false(shard_is_serving(side->shard));
    trio_fini(&trio);
}

static bool is_installing(const struct trio_side *leader, uint64_t node)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(shard_raft(leader->shard), peers);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].id == node)
            return peers[i].is_installing;
    }
    return false;
}

/* Its log needs nothing, so it is no peer in snapshot state: an install that ended when that is
 * over would end at once, and never be asked for again. */
static void an_install_of_lost_rows_is_under_way_until_they_are_acknowledged(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_propose(&trio, leader);
    leader->wants_flush = true;
    trio_turns(&trio, 30);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    lose_rows(&trio, side);
    trio_turns(&trio, 30);
    assert_int_equal(leader->wanted, side->node);
    assert_false(is_installing(leader, side->node));
    struct trio_install install = {.from = leader, .to = side};
    trio_install_stream(&trio, &install);
    (void)trio_propose(&trio, leader);
    trio_turns(&trio, 30);
    assert_int_equal(shard_last_index(side->shard), shard_last_index(leader->shard));
    assert_true(is_installing(leader, side->node));
    trio_install_publish(&install);
    trio_install_adopt(&trio, &install);
    trio_turns(&trio, 30);
    assert_false(is_installing(leader, side->node));
    assert_int_equal(shard_applied_index(side->shard), shard_last_index(leader->shard));
    trio_install_fini(&install);
    trio_fini(&trio);
}

static void rows_that_were_lost_come_back_by_an_install(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    uint64_t first = trio_propose(&trio, leader);
    for (int i = 0; i < 5; i++)
        (void)trio_propose(&trio, leader);
    for (uint32_t i = 0; i < 3; i++)
        trio.sides[i].wants_flush = true;
    trio_turns(&trio, 30);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    lose_rows(&trio, side);
    trio_turns(&trio, 30);
    trio_install(&trio, leader, side);
    assert_false(shard_has_lost_rows(side->shard));
    uint64_t last = trio_propose(&trio, leader);
    trio_turns(&trio, 30);
    assert_rows_from(side, first, last);
    assert_members(side, 3);
    trio_crash(side);
    trio_open(&trio, side);
    assert_int_not_equal(shard_status(side->shard).start, SHARD_START_ROWS_LOST);
    trio_fini(&trio);
}

/* The leader's LevelDB may be behind what ours was: rows that end below our log would leave a gap.
 */
static void lost_rows_do_not_come_back_as_of_below_the_log(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    leader->wants_flush = true;
    (void)trio_propose(&trio, leader);
    trio_turns(&trio, 30);
    leader->wants_flush = false;
    side->wants_flush = true;
    (void)trio_propose(&trio, leader);
    trio_turns(&trio, 30);
    lose_rows(&trio, side);
    struct store_meta meta = store_flushed(shard_fsm(leader->shard)->store);
    assert_true(meta.applied_index < shard_status(side->shard).base);
    shard_freeze(side->shard, true);
    assert_false(shard_installed(side->shard, &meta));
    shard_freeze(side->shard, false);
    assert_true(shard_has_lost_rows(side->shard));
    leader->wants_flush = true;
    trio_turns(&trio, 30);
    trio_install(&trio, leader, side);
    assert_false(shard_has_lost_rows(side->shard));
    trio_fini(&trio);
}

/* LevelDB has nothing to say: the log's mark knows who is in the group, the formation does not. */
static void a_member_without_rows_knows_the_members_that_its_mark_says(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    change(&trio, RAFT_ADD_LEARNER, 4);
    (void)trio_propose(&trio, leader);
    for (uint32_t i = 0; i < 3; i++)
        trio.sides[i].wants_flush = true;
    trio_turns(&trio, 30);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    assert_int_equal(shard_status(side->shard).base, shard_last_index(side->shard));
    lose_rows(&trio, side);
    assert_members(side, 4);
    trio_fini(&trio);
}

static void a_node_alone_without_rows_does_not_start(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 1);
    struct trio_side *side = trio_serve(&trio);
    struct buf error = {0};
    trio_crash(side);
    assert_true(kv_memory_lose(side->kv, "/shard/gen-00000001"));
    assert_false(trio_try_open(&trio, side, &error));
    assert_true(error.size > 0);
    buf_free(&error);
    trio_close(side);
    trio_fini(&trio);
}

/* ---- promises lost (L4) ---- */

static void remove_files(struct disk *disk, const char *dir)
{
    struct buf names = {0};
    assert_int_equal(disk->ops->list_dir(disk, dir, &names), DISK_OK);
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, (const char *)names.data + at);
        assert_int_equal(disk->ops->remove(disk, path), DISK_OK);
    }
    buf_free(&names);
}

static void a_member_without_its_log_does_not_start_and_says_what_to_run(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    (void)trio_propose(&trio, leader);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    side->wants_flush = true;
    trio_turns(&trio, 30);
    trio_crash(side);
    remove_files(side->disk, "/wal");
    struct buf error = {0};
    assert_false(trio_try_open(&trio, side, &error));
    buf_append_u8(&error, 0);
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "node %u must not vote again", (unsigned)side->node);
    assert_non_null(strstr((const char *)error.data, "the write-ahead log is gone"));
    assert_non_null(strstr((const char *)error.data, expected));
    assert_non_null(strstr((const char *)error.data, "RAFT REMOVE"));
    buf_free(&error);
    trio_close(side);
    trio_fini(&trio);
}

/* Opens the side's rows with a log that holds entries 1..last of that term, and a mark that says
 * three members, of which the rows know two. */
static enum shard_start start_with(struct trio *trio, struct trio_side *side, uint64_t last,
                                   uint64_t term, struct wal_position mark, struct buf *error)
{
    struct entry *entries[64];
    assert_true(last <= COUNT_OF(entries));
    for (uint64_t i = 0; i < last; i++) {
        entries[i] = entry_new(ENTRY_NOOP, NULL, 0);
        entries[i]->index = i + 1;
        entries[i]->term = term;
    }
    struct wal_group_state group = {
        .hard = {.term = term}, .mark = mark, .entries = entries, .entry_count = last};
    struct members members = {.count = 3, .at = {trio_member(1), trio_member(2), trio_member(3)}};
    struct buf bytes = members_bytes(&members);
    if (mark.index > 0)
        buf_append(&group.members, buf_bytes(&bytes));
    struct shard_options options = {.node_id = side->node,
                                    .seed = 1,
                                    .wal = side->wal,
                                    .recovered = &group,
                                    .has_others = true,
                                    .boot_us = trio->boot_us,
                                    .store = {.dir = "/shard",
                                              .disk = side->disk,
                                              .env = side->kv,
                                              .identity = 9,
                                              .members = buf_bytes(&bytes)}};
    enum shard_start start = SHARD_START_FRESH; /* stands for refused: no case is fresh */
    if (shard_open(&side->shard, &options, error)) {
        start = shard_status(side->shard).start;
        assert_members(side, start == SHARD_START_ROWS_LOST ? 3 : 2);
    }
    buf_free(&group.members);
    shard_close(side->shard);
    side->shard = NULL;
    for (uint64_t i = 0; i < last; i++)
        entry_release(entries[i]);
    buf_free(&bytes);
    return start;
}

static void
a_log_that_ends_below_the_rows_has_lost_promises_and_one_beyond_them_has_not(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 2);
    struct trio_side *leader = trio_serve(&trio);
    for (int i = 0; i < 8; i++)
        (void)trio_propose(&trio, leader);
    leader->wants_flush = true;
    trio_turns(&trio, 30);
    uint64_t applied = shard_status(leader->shard).flushed, term = term_of(leader);
    shard_close(leader->shard);
    leader->shard = NULL;
    kv_memory_crash(leader->kv);
    const struct {
        uint64_t last, term;
        struct wal_position mark;
        enum shard_start start; /* FRESH: refused */
        const char *error;
    } CASES[] = {
        {applied - 1, term, {0, 0}, SHARD_START_FRESH, "must not vote again"},
        {applied, term + 1, {0, 0}, SHARD_START_FRESH, "must not vote again"},
        {applied, term, {0, 0}, SHARD_START_SKIPPED, ""},
        {applied + 2, term, {0, 0}, SHARD_START_REPLAYED, ""},
        {applied + 2, term, {applied + 1, term}, SHARD_START_ROWS_LOST, "behind the snapshot mark"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf error = {0};
        assert_int_equal(
            start_with(&trio, leader, CASES[i].last, CASES[i].term, CASES[i].mark, &error),
            CASES[i].start);
        buf_append_u8(&error, 0);
        assert_non_null(strstr((const char *)error.data, CASES[i].error));
        buf_free(&error);
    }
    trio_close(leader);
    trio_fini(&trio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_install_brings_a_follower_up_and_the_log_goes_on_behind_it),
        cmocka_unit_test(members_are_those_of_the_install_and_not_of_the_log_that_it_replaced),
        cmocka_unit_test(an_install_that_says_no_members_is_of_one_voter),
        cmocka_unit_test(a_frozen_follower_takes_nothing_and_stays_where_it_is),
        cmocka_unit_test(an_install_that_the_log_overtook_is_refused_and_changes_nothing),
        cmocka_unit_test(an_install_that_was_cut_before_the_logs_reset_is_found_at_the_start),
        cmocka_unit_test(a_member_without_rows_votes_and_stores_but_neither_applies_nor_leads),
        cmocka_unit_test(an_install_of_lost_rows_is_under_way_until_they_are_acknowledged),
        cmocka_unit_test(rows_that_were_lost_come_back_by_an_install),
        cmocka_unit_test(lost_rows_do_not_come_back_as_of_below_the_log),
        cmocka_unit_test(a_member_without_rows_knows_the_members_that_its_mark_says),
        cmocka_unit_test(a_node_alone_without_rows_does_not_start),
        cmocka_unit_test(a_member_without_its_log_does_not_start_and_says_what_to_run),
        cmocka_unit_test(
            a_log_that_ends_below_the_rows_has_lost_promises_and_one_beyond_them_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
