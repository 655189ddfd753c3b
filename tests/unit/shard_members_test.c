/* A group of several members: replication, logs that are cut back, members that change, logs that
 * are full, installs, and starts without rows or without promises. */
#include "trio.h"

/* ---- entries that nobody here proposed ---- */

/* The message of a leader of that term, from that node, with one entry behind prev. */
static void rival_appends(struct trio *trio, struct trio_side *to, uint64_t from, uint64_t term,
                          uint64_t prev, struct entry_view entry, uint64_t commit)
{
    entry.term = term;
    struct raft_message message = {
        .kind = RAFT_APPEND,
        .from = from,
        .to = to->node,
        .term = term,
        .append = {.prev_index = prev,
                   .prev_term = raft_term_at(shard_raft(to->shard), prev),
                   .commit = commit,
                   .count = 1,
                   .terms = &term},
    };
    shard_step(to->shard, trio->boot_us, &message, &entry);
}

static const struct entry_view NOOP = {.kind = ENTRY_NOOP};

static struct buf members_bytes(const struct members *members)
{
    struct buf bytes = {0};
    members_append(&bytes, members);
    return bytes;
}

static uint64_t term_of(const struct trio_side *side)
{
    return shard_status(side->shard).term;
}

/* Node, role and address of each, as the core and the shard say them. */
static void assert_members(const struct trio_side *side, uint32_t count)
{
    const struct raft_members *core = &raft_membership(shard_raft(side->shard))->members;
    struct members members = *shard_members(side->shard);
    assert_int_equal(members.count, count);
    assert_int_equal(core->count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct member expected = trio_member(core->at[i].id);
        assert_int_equal(members.at[i].node, core->at[i].id);
        assert_int_equal(members.at[i].is_voter, core->at[i].is_voter);
        assert_string_equal(members.at[i].host, expected.host);
        assert_int_equal(members.at[i].port, expected.port);
        assert_int_equal(members.at[i].store_id, expected.store_id);
    }
}

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

static void change(struct trio *trio, enum raft_change_kind kind, uint64_t node)
{
    struct member info = trio_member(node);
    struct trio_side *leader = trio_serve(trio);
    struct raft_change wanted = {.kind = kind, .node = node};
    assert_int_equal(shard_change_members(leader->shard, trio->boot_us, wanted, &info), RAFT_OK);
    trio_turns(trio, 10);
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
    assert_int_equal(shard_change_members(leader->shard, trio.boot_us, promote, &info),
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
        cmocka_unit_test(an_install_brings_a_follower_up_and_the_log_goes_on_behind_it),
        cmocka_unit_test(members_are_those_of_the_install_and_not_of_the_log_that_it_replaced),
        cmocka_unit_test(a_frozen_follower_takes_nothing_and_stays_where_it_is),
        cmocka_unit_test(an_install_that_the_log_overtook_is_refused_and_changes_nothing),
        cmocka_unit_test(an_install_that_was_cut_before_the_logs_reset_is_found_at_the_start),
        cmocka_unit_test(a_member_without_rows_votes_and_stores_but_neither_applies_nor_leads),
        cmocka_unit_test(an_install_of_lost_rows_is_under_way_until_they_are_acknowledged),
        cmocka_unit_test(rows_that_were_lost_come_back_by_an_install),
        cmocka_unit_test(a_member_without_rows_knows_the_members_that_its_mark_says),
        cmocka_unit_test(a_node_alone_without_rows_does_not_start),
        cmocka_unit_test(a_member_without_its_log_does_not_start_and_says_what_to_run),
        cmocka_unit_test(
            a_log_that_ends_below_the_rows_has_lost_promises_and_one_beyond_them_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
