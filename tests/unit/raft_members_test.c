/* Configurations: thesis 4.1 to 4.2.4. */
#include "raft_net_test.h"

static uint32_t voters(struct raft_net *net, uint32_t n)
{
    const struct raft_members *members = &raft_membership(raft_net_raft(net, n))->members;
    uint32_t count = 0;
    for (uint32_t i = 0; i < members->count; i++)
        count += members->at[i].is_voter;
    return count;
}

static uint32_t members(struct raft_net *net, uint32_t n)
{
    return raft_membership(raft_net_raft(net, n))->members.count;
}

static void settle_well(struct raft_net *net, uint32_t cut)
{
    raft_net_run(net, 8 * net->options.config.heartbeat_us, cut);
}

/* 4.2.1: a new server joins as a learner, catches up, and is promoted. One node becomes three. */
static void raft_single_node_grows_to_three(void **state)
{
    struct raft_net *net = form_led(state, 3, 1);
    for (int i = 0; i < 40; i++)
        (void)raft_net_propose(net, 0);
    for (raft_node id = 2; id <= 3; id++) {
        assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, id), RAFT_OK);
        settle_well(net, 0);
        assert_int_equal(last(net, (uint32_t)id - 1), last(net, 0));
        assert_int_equal(raft_net_change(net, 0, RAFT_PROMOTE, id), RAFT_OK);
        settle_well(net, 0);
    }
    for (uint32_t n = 0; n < 3; n++) {
        assert_int_equal(voters(net, n), 3);
        assert_int_equal(commit(net, n), last(net, 0));
    }
    raft_net_crash(net, 0, 0);
    raft_net_elect(net, 2, 0x1);
    assert_true(leads(net, 2));
}

/* 4.2.1: a learner counts nowhere. */
static void raft_learner_neither_commits_nor_stands_nor_delays(void **state)
{
    struct raft_net *net = form_led(state, 3, 2);
    assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, 3), RAFT_OK);
    settle_well(net, 0);
    raft_index index = raft_net_propose(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 3);
    deliver_one(net, RAFT_APPEND_ANSWER, 3, 1);
    assert_int_equal(commit(net, 0), index - 1);
    raft_net_settle_without(net, 0x4);
    assert_int_equal(commit(net, 0), index);
    raft_net_pass(net, 10 * net->options.config.election_max_us);
    raft_net_tick(net, 2);
    assert_int_equal(raft_role(raft_net_raft(net, 2)), RAFT_FOLLOWER);
}

/* 4.2.1: who is behind is not promoted, however often it is asked for. */
static void raft_learner_that_is_behind_is_not_promoted(void **state)
{
    struct raft_net *net = form_led(state, 2, 1);
    for (int i = 0; i < 40; i++)
        (void)raft_net_propose(net, 0);
    assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, 2), RAFT_OK);
    settle_well(net, 0x2);
    assert_int_equal(raft_net_change(net, 0, RAFT_PROMOTE, 2), RAFT_BEHIND);
    settle_well(net, 0);
    raft_net_run(net, 2 * net->options.config.election_max_us, 0x2);
    assert_int_equal(raft_net_change(net, 0, RAFT_PROMOTE, 2), RAFT_BEHIND);
    settle_well(net, 0);
    assert_int_equal(raft_net_change(net, 0, RAFT_PROMOTE, 2), RAFT_OK);
}

/* 4.1: a configuration counts from its append, committed or not. */
static void raft_configuration_counts_as_soon_as_it_is_appended(void **state)
{
    struct raft_net *net = form_led(state, 4, 4);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 4), RAFT_OK);
    assert_int_equal(voters(net, 0), 3);
    raft_index index = last(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 2);
    assert_int_equal(voters(net, 1), 3);
    deliver_one(net, RAFT_APPEND_ANSWER, 2, 1);
    assert_int_equal(commit(net, 0), index); /* two of three */
    assert_int_equal(voters(net, 3), 4);
}

/* 4.1: with the entry cut off, the configuration before it counts again. */
static void raft_configuration_goes_with_its_entry(void **state)
{
    struct raft_net *net = form_led(state, 4, 4);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 4), RAFT_OK);
    drop_all(net);
    raft_net_crash(net, 0, UINT32_MAX);
    raft_net_start(net, 0);
    assert_int_equal(voters(net, 0), 3);
    raft_net_elect(net, 1, 0x1);
    assert_true(leads(net, 1));
    settle_well(net, 0);
    assert_int_equal(voters(net, 0), 4);
    assert_int_equal(members(net, 0), 4);
}

/* 4.1: no second change while one is not committed. */
static void raft_refuses_a_second_open_change(void **state)
{
    struct raft_net *net = form_led(state, 4, 4);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 4), RAFT_OK);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 3), RAFT_NOT_YET);
    assert_int_equal(voters(net, 0), 3);
    raft_net_settle(net);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 3), RAFT_OK);
}

/* The correction of 2015: no change before an entry of the own term is committed. */
static void raft_refuses_a_change_before_its_noop_is_committed(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_elect(net, 1, 0);
    raft_net_crash(net, 1, 0);
    raft_net_start(net, 1);
    raft_net_pass(net, 2 * net->options.config.election_max_us);
    raft_net_tick(net, 1);
    while (!leads(net, 1))
        raft_net_deliver(net, 0);
    assert_int_equal(raft_net_change(net, 1, RAFT_REMOVE, 3), RAFT_NOT_YET);
    raft_net_settle(net);
    assert_int_equal(raft_net_change(net, 1, RAFT_REMOVE, 3), RAFT_OK);
}

/* 4.2.2: a leader that removes itself leads until that is committed, without counting itself. */
static void raft_leader_that_removes_itself_leads_until_that_is_committed(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 1), RAFT_OK);
    raft_index index = last(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 2);
    deliver_one(net, RAFT_APPEND_ANSWER, 2, 1);
    assert_true(leads(net, 0)); /* one of the two others, and itself: not enough */
    assert_int_equal(commit(net, 0), index - 1);
    deliver_one(net, RAFT_APPEND, 1, 3);
    deliver_one(net, RAFT_APPEND_ANSWER, 3, 1);
    assert_int_equal(commit(net, 0), index);
    assert_false(leads(net, 0));
    raft_net_run(net, 5 * net->options.config.election_max_us, 0);
    assert_true(leads(net, 1) || leads(net, 2));
    assert_false(leads(net, 0));
}

/* 4.2.2, figure 4.6: who is left out still stands until the newer configuration is committed. */
static void raft_voter_left_out_by_an_uncommitted_change_still_stands(void **state)
{
    struct raft_net *net = form_led(state, 2, 2);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 1), RAFT_OK);
    drop_all(net); /* only the one who is to go has the entry, and the other's log is shorter */
    raft_net_crash(net, 0, UINT32_MAX);
    raft_net_start(net, 0);
    raft_net_run(net, 10 * net->options.config.election_max_us, 0);
    assert_true(leads(net, 1));
    assert_int_equal(voters(net, 1), 1);
    assert_int_equal(commit(net, 1), last(net, 1));
}

/* 4.2.3: a removed server that does not know it disturbs nobody. */
static void raft_removed_server_does_not_disturb(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 3), RAFT_OK);
    raft_net_run(net, 10 * net->options.config.election_max_us, 0);
    assert_int_equal(raft_role(raft_net_raft(net, 2)), RAFT_PRE_CANDIDATE);
    assert_true(leads(net, 0));
    assert_int_equal(term(net, 0), 1);
    assert_int_equal(term(net, 1), 1);
}

/* What does not fit the configuration is refused, each with its reason. */
static void raft_changes_that_make_no_sense_are_refused(void **state)
{
    struct raft_net *net = form_led(state, 3, 1);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 1), RAFT_LAST_VOTER);
    assert_int_equal(raft_net_change(net, 0, RAFT_DEMOTE, 1), RAFT_LAST_VOTER);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 2), RAFT_UNKNOWN);
    assert_int_equal(raft_net_change(net, 0, RAFT_PROMOTE, 2), RAFT_UNKNOWN);
    assert_int_equal(raft_net_change(net, 0, RAFT_PROMOTE, 1), RAFT_UNKNOWN);
    assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, 1), RAFT_KNOWN);
    assert_int_equal(raft_net_change(net, 1, RAFT_ADD_LEARNER, 3), RAFT_NOT_LEADER);
    assert_int_equal(members(net, 0), 1);
    assert_int_equal(last(net, 0), 1);
}

/* L12: members at the maximum less one, at it, and beyond. */
static void raft_takes_members_up_to_the_maximum(void **state)
{
    struct raft_net *net = form_led(state, 1, 1);
    for (raft_node id = 2; id <= RAFT_MEMBERS_MAX; id++) {
        assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, id), RAFT_OK);
        raft_net_settle(net);
        raft_check(raft_net_raft(net, 0));
    }
    assert_int_equal(members(net, 0), RAFT_MEMBERS_MAX);
    assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, RAFT_MEMBERS_MAX + 1), RAFT_FULL);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 5), RAFT_OK);
    raft_net_settle(net);
    assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, RAFT_MEMBERS_MAX + 1), RAFT_OK);
}

/* Restored from a log with several changes in it, the newest counts. */
static void raft_restart_finds_the_newest_configuration_in_the_log(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    assert_int_equal(raft_net_change(net, 0, RAFT_DEMOTE, 3), RAFT_OK);
    settle_well(net, 0);
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 3), RAFT_OK);
    settle_well(net, 0);
    raft_net_crash(net, 1, 0);
    raft_net_start(net, 1);
    assert_int_equal(members(net, 1), 2);
    raft_net_compact(net, 0, 0);
    raft_net_crash(net, 0, 0);
    raft_net_start(net, 0);
    assert_int_equal(members(net, 0), 2);
    assert_int_equal(raft_base_index(raft_net_raft(net, 0)), last(net, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raft_single_node_grows_to_three),
        TEST(raft_learner_neither_commits_nor_stands_nor_delays),
        TEST(raft_learner_that_is_behind_is_not_promoted),
        TEST(raft_configuration_counts_as_soon_as_it_is_appended),
        TEST(raft_configuration_goes_with_its_entry),
        TEST(raft_refuses_a_second_open_change),
        TEST(raft_refuses_a_change_before_its_noop_is_committed),
        TEST(raft_leader_that_removes_itself_leads_until_that_is_committed),
        TEST(raft_voter_left_out_by_an_uncommitted_change_still_stands),
        TEST(raft_removed_server_does_not_disturb),
        TEST(raft_changes_that_make_no_sense_are_refused),
        TEST(raft_takes_members_up_to_the_maximum),
        TEST(raft_restart_finds_the_newest_configuration_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
