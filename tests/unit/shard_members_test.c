/* A group of several members: replication, logs that are cut back, members that change, logs that
 * are full, tails and pins. */
#include "trio.h"

/* ---- replication ---- */

static void entries_are_applied_by_every_member(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    uint64_t index = 0;
    for (int i = 0; i < 20; i++)
        index = trio_propose(&trio, leader);
    trio_turns(&trio, 20);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(shard_applied_index(trio.sides[i].shard), index);
        assert_int_equal(trio_row(&trio.sides[i], index), leader->node);
        assert_members(&trio.sides[i], 3);
    }
    trio_fini(&trio);
}

static void nothing_is_applied_before_two_of_three_hold_it_synced(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    for (uint32_t i = 0; i < 3; i++)
        trio.sides[i].holds_wal = &trio.sides[i] != leader;
    uint64_t index = trio_propose(&trio, leader);
    trio_turns(&trio, 20);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(shard_applied_index(trio.sides[i].shard) < index);
    trio_other(&trio, leader, NULL)->holds_wal = false;
    trio_turns(&trio, 20);
    assert_int_equal(trio_row(leader, index), leader->node);
    trio_fini(&trio);
}

static void what_only_a_lost_leader_had_is_replaced_on_its_return(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *old = trio_serve(&trio);
    trio_turns(&trio, 10);
    old->is_cut = true;
    uint64_t index = trio_propose(&trio, old);
    struct trio_side *next = trio_serve(&trio);
    assert_true(next != old);
    while (shard_last_index(next->shard) < index)
        (void)trio_propose(&trio, next);
    trio_turns(&trio, 10);
    assert_int_equal(trio_row(old, index), 0);
    old->is_cut = false;
    trio_turns(&trio, 30);
    assert_int_equal(shard_applied_index(old->shard), shard_applied_index(next->shard));
    assert_int_equal(trio_row(old, index), trio_row(next, index));
    assert_int_equal(shard_lead_term(old->shard), 0);
    trio_fini(&trio);
}

/* ---- what is under way when it is replaced ---- */

/* L2: LevelDB never knows more than the WAL holds synced, so the batch of an entry that was
 * replaced says nothing about the one that stands in its place. */
static void a_batch_of_replaced_entries_makes_nothing_flushable(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    side->holds_wal = true;
    uint64_t index = trio_propose(&trio, leader);
    trio_turns(&trio, 2); /* it is in a batch that is with the worker */
    assert_int_equal(shard_last_index(side->shard), index);
    side->is_cut = true;
    uint64_t term = term_of(side) + 1;
    rival_appends(&trio, side, trio_other(&trio, leader, side)->node, term, index - 1, NOOP, index);
    side->wants_flush = true;
    assert_true(worker_run_one(side->wal_worker)); /* the first batch, and not the second */
    trio_turns(&trio, 5);
    assert_int_equal(side->shard->synced_index, index - 1);
    assert_true(shard_status(side->shard).flushed < index);
    side->holds_wal = false;
    trio_turns(&trio, 5);
    assert_int_equal(side->shard->synced_index, index);
    assert_int_equal(shard_status(side->shard).flushed, index);
    assert_int_equal(trio_row(side, index), 0);
    trio_fini(&trio);
}

static void an_entry_that_was_synced_and_replaced_is_not_synced_any_more(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    trio_other(&trio, leader, side)->is_cut = true;
    leader->holds_wal = true; /* so it is not committed */
    uint64_t index = trio_propose(&trio, leader);
    trio_turns(&trio, 5);
    assert_int_equal(side->shard->synced_index, index);
    side->is_cut = side->holds_wal = side->wants_flush = true;
    uint64_t term = term_of(side) + 1;
    rival_appends(&trio, side, trio_other(&trio, leader, side)->node, term, index - 1, NOOP, index);
    trio_turns(&trio, 5);
    assert_int_equal(shard_status(side->shard).applied, index);
    assert_int_equal(side->shard->synced_index, index - 1);
    assert_true(shard_status(side->shard).flushed < index);
    side->holds_wal = false;
    trio_turns(&trio, 5);
    assert_int_equal(shard_status(side->shard).flushed, index);
    trio_fini(&trio);
}

/* ---- members ---- */

static void members_follow_the_log_when_it_grows_and_when_it_is_cut_back(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    side->is_cut = true;
    struct members more = *shard_members(side->shard);
    more.at[more.count] = trio_member(4);
    more.at[more.count++].is_voter = false;
    struct buf bytes = members_bytes(&more);
    uint64_t last = shard_last_index(side->shard), version = shard_members_version(side->shard);
    uint64_t rival = trio_other(&trio, leader, side)->node, term = term_of(side) + 1;
    rival_appends(&trio, side, rival, term, last,
                  (struct entry_view){.kind = ENTRY_MEMBERS, .payload = buf_bytes(&bytes)}, last);
    assert_members(side, 4);
    assert_true(shard_members_version(side->shard) > version);
    version = shard_members_version(side->shard);
    trio_turns(&trio, 3);
    rival_appends(&trio, side, leader->node, term + 1, last, NOOP, last);
    assert_members(side, 3);
    assert_true(shard_members_version(side->shard) > version);
    version = shard_members_version(side->shard);
    rival_appends(&trio, side, leader->node, term + 1, last + 1, NOOP, last);
    assert_int_equal(shard_members_version(side->shard), version);
    buf_free(&bytes);
    trio_fini(&trio);
}

static void members_that_could_not_have_been_sent_are_refused(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    struct members none = {0}, learner = {.count = 1, .at = {{.node = 2}}};
    struct buf cases[] = {{0}, members_bytes(&none), members_bytes(&learner), {0}};
    buf_append_string(&cases[3], "nonsense");
    uint64_t last = shard_last_index(side->shard), term = term_of(side) + 1;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        rival_appends(&trio, side, leader->node, term, last,
                      (struct entry_view){.kind = ENTRY_MEMBERS, .payload = buf_bytes(&cases[i])},
                      last);
        assert_int_equal(shard_last_index(side->shard), last);
        assert_members(side, 3);
        buf_free(&cases[i]);
    }
    assert_int_equal(shard_status(side->shard).refused_entries,
                     2); /* the core refuses the others */
    trio_fini(&trio);
}

static void a_change_of_members_carries_their_addresses_everywhere_and_over_restarts(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    change(&trio, RAFT_ADD_LEARNER, 4);
    struct member info = trio_member(5);
    struct raft_change promote = {.kind = RAFT_PROMOTE, .node = 4};
    struct member self = trio_member((uint64_t)(leader - trio.sides) + 1);
    assert_int_equal(shard_change_members(leader->shard, trio.boot_us, promote, &info, &self),
                     RAFT_BEHIND); /* and nothing changed */
    for (uint32_t i = 0; i < 3; i++)
        assert_members(&trio.sides[i], 4);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    trio_crash(side); /* from the log */
    trio_open(&trio, side);
    assert_members(side, 4);
    side->wants_flush = true;
    trio_turns(&trio, 30);
    trio_propose(&trio, trio_serve(&trio));
    trio_turns(&trio, 30);
    assert_int_equal(shard_status(side->shard).base, shard_status(side->shard).last);
    trio_crash(side); /* from LevelDB: the entry is compacted */
    trio_open(&trio, side);
    assert_members(side, 4);
    change(&trio, RAFT_REMOVE, 4);
    for (uint32_t i = 0; i < 3; i++)
        assert_members(&trio.sides[i], 3);
    trio_fini(&trio);
}

/* ---- limits ---- */

static void a_follower_that_does_not_flush_pauses_refuses_and_recovers(void **state)
{
    (void)state;
    struct trio trio = {.apply_backlog_max = 1000};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    uint64_t index = 0;
    trio_other(&trio, leader, side)->wants_flush = true; /* the leader keeps its log */
    for (int i = 0; i < 200; i++) {
        index = trio_propose(&trio, leader);
        trio_turns(&trio, 1);
    }
    trio_turns(&trio, 10);
    assert_true(shard_status(side->shard).applied < index);
    assert_in_range(store_buffered_bytes(shard_fsm(side->shard)->store), 1000, 1100);
    assert_in_range(shard_backlog_bytes(side->shard), 2000, 2200);
    assert_true(shard_status(side->shard).refused_entries > 0);
    assert_int_equal(shard_applied_index(leader->shard), index); /* the other two go on */
    side->wants_flush = true;
    trio_turns(&trio, 300);
    assert_int_equal(shard_applied_index(side->shard), index);
    assert_int_equal(trio_row(side, index), leader->node);
    assert_int_equal(shard_backlog_bytes(side->shard), 0);
    trio_fini(&trio);
}

static void a_follower_that_is_behind_its_log_does_not_campaign(void **state)
{
    (void)state;
    struct trio trio = {.apply_backlog_max = 200};
    trio_init(&trio, 2);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    for (int i = 0; i < 10; i++)
        (void)trio_propose(&trio, leader);
    trio_turns(&trio, 20);
    assert_true(shard_applied_index(side->shard) < shard_status(side->shard).commit);
    leader->is_cut = true;
    trio_turns(&trio, 200);
    assert_int_equal(raft_role(shard_raft(side->shard)), RAFT_FOLLOWER);
    side->wants_flush = true;
    trio_turns(&trio, 200);
    assert_int_not_equal(raft_role(shard_raft(side->shard)), RAFT_FOLLOWER);
    trio_fini(&trio);
}

/* What fills its log is another history: it can not be applied, so waiting for that would be for
 * ever, and the next leader's entries make room by replacing it. */
static void a_log_that_is_full_of_what_was_never_committed_takes_its_replacement(void **state)
{
    (void)state;
    struct trio trio = {.apply_backlog_max = 500};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    trio_turns(&trio, 10);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    struct trio_side *third = trio_other(&trio, leader, side);
    leader->holds_wal = side->holds_wal = third->is_cut = true;
    uint64_t last = shard_last_index(leader->shard);
    for (int i = 0; i < 40; i++) {
        (void)trio_propose(&trio, leader);
        trio_turns(&trio, 1);
    }
    assert_true(shard_backlog_bytes(side->shard) >= 1000);
    assert_true(shard_status(side->shard).refused_entries > 0);
    leader->is_cut = true;
    uint64_t term = term_of(side) + 1;
    rival_appends(&trio, side, third->node, term, last, NOOP, last + 1);
    assert_int_equal(shard_last_index(side->shard), last + 1);
    side->holds_wal = false;
    trio_turns(&trio, 5);
    assert_int_equal(shard_applied_index(side->shard), last + 1);
    rival_appends(&trio, side, third->node, term, last + 1, NOOP, last + 2);
    assert_int_equal(shard_last_index(side->shard), last + 2);
    trio_fini(&trio);
}

/* ---- the tail ---- */

static void a_tail_stays_for_slow_followers_and_admission_does_not_see_it(void **state)
{
    (void)state;
    struct trio trio = {.tail_max = 1000};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    trio_turns(&trio, 10);
    for (int i = 0; i < 100; i++)
        (void)trio_propose(&trio, leader);
    trio_turns(&trio, 10);
    side->is_cut = true;
    uint64_t last = 0;
    for (int i = 0; i < 10; i++)
        last = trio_propose(&trio, leader);
    trio_turns(&trio, 5);
    leader->wants_flush = true;
    trio_turns(&trio, 20);
    struct shard_status status = shard_status(leader->shard);
    assert_int_equal(status.mark, last);
    assert_in_range(status.log_bytes, 1000 - 100, 1000);
    assert_int_equal(shard_backlog_bytes(leader->shard), 0);
    assert_in_range(status.base, last - 40, last - 10);
    side->is_cut = false;
    trio_turns(&trio, 30);
    assert_int_equal(shard_applied_index(side->shard), last); /* out of the tail */
    assert_int_equal(leader->wanted, 0);
    trio_fini(&trio);
}

static void a_follower_behind_the_tail_needs_an_install(void **state)
{
    (void)state;
    struct trio trio = {.tail_max = 100};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    struct trio_side *side = trio_other(&trio, leader, NULL);
    trio_turns(&trio, 10);
    side->is_cut = true;
    for (int i = 0; i < 10; i++)
        (void)trio_propose(&trio, leader);
    leader->wants_flush = true;
    trio_turns(&trio, 30);
    side->is_cut = false;
    trio_turns(&trio, 60);
    assert_int_equal(leader->wanted, side->node);
    trio_fini(&trio);
}

static void a_node_alone_keeps_no_tail(void **state)
{
    (void)state;
    struct trio trio = {.tail_max = 100000};
    trio_init(&trio, 1);
    struct trio_side *leader = trio_serve(&trio);
    uint64_t last = 0;
    for (int i = 0; i < 10; i++)
        last = trio_propose(&trio, leader);
    leader->wants_flush = true;
    trio_turns(&trio, 20);
    assert_int_equal(shard_status(leader->shard).base, last);
    assert_int_equal(shard_status(leader->shard).log_bytes, 0);
    trio_fini(&trio);
}

static void the_log_is_not_compacted_above_the_pin_of_an_install(void **state)
{
    (void)state;
    struct trio trio = {0};
    trio_init(&trio, 3);
    struct trio_side *leader = trio_serve(&trio);
    uint64_t pin = trio_propose(&trio, leader);
    shard_pin(leader->shard, pin);
    for (uint32_t i = 0; i < 3; i++)
        trio.sides[i].wants_flush = true;
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        last = trio_propose(&trio, leader);
        trio_turns(&trio, 5);
        assert_true(shard_status(leader->shard).base <= pin);
    }
    trio_turns(&trio, 20);
    assert_int_equal(shard_status(leader->shard).mark, last);
    assert_int_equal(shard_status(leader->shard).base, pin);
    assert_int_equal(shard_backlog_bytes(leader->shard), 0);
    shard_pin(leader->shard, 0);
    last = trio_propose(&trio, leader);
    trio_turns(&trio, 20);
    assert_int_equal(shard_status(leader->shard).base, last);
    trio_fini(&trio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_applied_by_every_member),
        cmocka_unit_test(nothing_is_applied_before_two_of_three_hold_it_synced),
        cmocka_unit_test(what_only_a_lost_leader_had_is_replaced_on_its_return),
        cmocka_unit_test(a_batch_of_replaced_entries_makes_nothing_flushable),
        cmocka_unit_test(an_entry_that_was_synced_and_replaced_is_not_synced_any_more),
        cmocka_unit_test(members_follow_the_log_when_it_grows_and_when_it_is_cut_back),
        cmocka_unit_test(members_that_could_not_have_been_sent_are_refused),
        cmocka_unit_test(a_change_of_members_carries_their_addresses_everywhere_and_over_restarts),
        cmocka_unit_test(a_follower_that_does_not_flush_pauses_refuses_and_recovers),
        cmocka_unit_test(a_follower_that_is_behind_its_log_does_not_campaign),
        cmocka_unit_test(a_log_that_is_full_of_what_was_never_committed_takes_its_replacement),
        cmocka_unit_test(a_tail_stays_for_slow_followers_and_admission_does_not_see_it),
        cmocka_unit_test(a_follower_behind_the_tail_needs_an_install),
        cmocka_unit_test(a_node_alone_keeps_no_tail),
        cmocka_unit_test(the_log_is_not_compacted_above_the_pin_of_an_install),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
