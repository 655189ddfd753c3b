/* A group with one voter, through the same core. */
#include "raft_net_test.h"

/* Nothing is stored until the test says so. */
static struct raft_net *form_slow(void **state, uint32_t nodes, uint32_t voters)
{
    struct raft_net *net = *state;
    struct raft_net_options options = net_options(nodes, voters);
    options.stores_at_once = false;
    raft_net_begin(net, &options);
    return net;
}

static void raft_lone_voter_campaigns_at_its_first_tick(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    struct raft *raft = raft_net_raft(net, 0);
    assert_int_equal(raft_deadline(raft), raft_net_clock(net, 0));
    raft_net_tick(net, 0);
    assert_int_equal(raft_role(raft), RAFT_CANDIDATE);
    assert_int_equal(raft_term_now(raft), 1);
}

static void raft_lone_voter_leads_only_when_its_vote_is_stored(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    struct raft *raft = raft_net_raft(net, 0);
    raft_net_tick(net, 0);
    raft_net_tick(net, 0);
    assert_int_equal(raft_role(raft), RAFT_CANDIDATE);
    assert_true(raft_net_store(net, 0));
    assert_int_equal(raft_role(raft), RAFT_LEADER);
    assert_int_equal(net->nodes[0].disk_hard.vote, 1);
}

static void raft_lone_voter_serves_only_when_its_noop_is_stored_and_applied(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    struct raft *raft = raft_net_raft(net, 0);
    raft_net_tick(net, 0);
    (void)raft_net_store(net, 0);
    assert_int_equal(raft_last_index(raft), 1);
    assert_int_equal(raft_commit_index(raft), 0);
    assert_false(raft_serving(raft));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_NOT_LEADER);
    assert_true(raft_net_store(net, 0));
    assert_int_equal(raft_commit_index(raft), 1);
    assert_true(raft_serving(raft));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_NOW);
    assert_int_equal(raft_net_read(net, 0, false), RAFT_READ_NOW);
}

static struct raft *lead(struct raft_net *net)
{
    raft_net_tick(net, 0);
    while (raft_net_store(net, 0))
        ;
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_LEADER);
    return raft_net_raft(net, 0);
}

static void raft_lone_voter_commits_exactly_what_is_stored(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    struct raft *raft = lead(net);
    assert_int_equal(raft_net_propose(net, 0), 2);
    assert_int_equal(raft_net_propose(net, 0), 3);
    assert_int_equal(raft_commit_index(raft), 1);
    assert_true(raft_net_store(net, 0));
    assert_int_equal(raft_commit_index(raft), 2);
    assert_true(raft_net_store(net, 0));
    assert_int_equal(raft_commit_index(raft), 3);
    assert_false(raft_net_store(net, 0));
    assert_int_equal(net->messages_sent, 0);
}

static void raft_lone_voter_commits_its_old_entries_by_the_noop_of_the_new_term(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    (void)lead(net);
    (void)raft_net_propose(net, 0);
    (void)raft_net_store(net, 0);
    raft_net_crash(net, 0, 0);
    net->nodes[0].rows = net->nodes[0].disk_base; /* nothing was flushed */
    raft_net_start(net, 0);
    struct raft *raft = raft_net_raft(net, 0);
    assert_int_equal(raft_last_index(raft), 2);
    assert_int_equal(raft_commit_index(raft), 0);
    raft_net_tick(net, 0);
    (void)raft_net_store(net, 0);
    assert_int_equal(raft_role(raft), RAFT_LEADER);
    assert_int_equal(raft_commit_index(raft), 0);
    (void)raft_net_store(net, 0);
    assert_int_equal(raft_commit_index(raft), 3);
    assert_int_equal(raft_term_now(raft), 2);
}

static void raft_lone_voter_forgets_what_was_not_stored(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    (void)lead(net);
    (void)raft_net_propose(net, 0);
    (void)raft_net_propose(net, 0);
    raft_net_crash(net, 0, 1);
    raft_net_start(net, 0);
    assert_int_equal(raft_last_index(raft_net_raft(net, 0)), 2);
    (void)lead(net);
    assert_int_equal(raft_net_committed(net), 3);
}

static void raft_lone_voter_keeps_its_lease_and_leadership_while_time_passes(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    struct raft *raft = lead(net);
    raft_net_pass(net, 100 * net->options.config.election_max_us);
    assert_true(raft_lease_valid(raft, raft_net_clock(net, 0)));
    raft_net_tick(net, 0);
    assert_int_equal(raft_role(raft), RAFT_LEADER);
    assert_int_equal(raft_term_now(raft), 1);
}

static void raft_lone_voter_compacts_what_is_applied_and_stored(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    struct raft *raft = lead(net);
    for (int i = 0; i < 10; i++)
        (void)raft_net_propose(net, 0);
    while (raft_net_store(net, 0))
        ;
    raft_net_compact(net, 0, 3);
    assert_int_equal(raft_base_index(raft), 8);
    assert_int_equal(raft_base_term(raft), 1);
    assert_int_equal(raft_term_at(raft, 7), 0);
    assert_int_equal(raft_term_at(raft, 8), 1);
    assert_int_equal(raft_term_at(raft, 11), 1);
    assert_int_equal(raft_term_at(raft, 12), 0);
    raft_net_crash(net, 0, 0);
    raft_net_start(net, 0);
    assert_int_equal(raft_base_index(raft_net_raft(net, 0)), 8);
    assert_int_equal(raft_applied_index(raft_net_raft(net, 0)), 11);
    assert_int_equal(raft_last_index(lead(net)), 12);
}

static void raft_node_without_members_waits_to_be_taken_in(void **state)
{
    struct raft_net *net = form_slow(state, 2, 1);
    raft_net_pass(net, 100 * net->options.config.election_max_us);
    raft_net_tick(net, 1);
    assert_int_equal(raft_role(raft_net_raft(net, 1)), RAFT_FOLLOWER);
    assert_int_equal(raft_term_now(raft_net_raft(net, 1)), 0);
    assert_int_equal(net->messages_sent, 0);
}

static void raft_with_rows_lost_and_alone_never_campaigns(void **state)
{
    struct raft_net *net = form_slow(state, 1, 1);
    (void)lead(net);
    raft_net_crash(net, 0, 0);
    raft_net_lose_rows(net, 0);
    raft_net_start(net, 0);
    raft_net_pass(net, 100 * net->options.config.election_max_us);
    raft_net_tick(net, 0);
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_FOLLOWER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raft_lone_voter_campaigns_at_its_first_tick),
        TEST(raft_lone_voter_leads_only_when_its_vote_is_stored),
        TEST(raft_lone_voter_serves_only_when_its_noop_is_stored_and_applied),
        TEST(raft_lone_voter_commits_exactly_what_is_stored),
        TEST(raft_lone_voter_commits_its_old_entries_by_the_noop_of_the_new_term),
        TEST(raft_lone_voter_forgets_what_was_not_stored),
        TEST(raft_lone_voter_keeps_its_lease_and_leadership_while_time_passes),
        TEST(raft_lone_voter_compacts_what_is_applied_and_stored),
        TEST(raft_node_without_members_waits_to_be_taken_in),
        TEST(raft_with_rows_lost_and_alone_never_campaigns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
