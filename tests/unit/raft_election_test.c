/* Elections: thesis 3.3, 3.4, 3.6.1, 3.8, 3.10, 4.2.3, 9.6, in the order of the sentences. */
#include "raft_net_test.h"

static struct raft_message vote_of(raft_node from, raft_term of_term, raft_index last_index,
                                   raft_term last_term)
{
    return (struct raft_message){
        .kind = RAFT_VOTE,
        .from = from,
        .term = of_term,
        .vote = {.last_index = last_index, .last_term = last_term},
    };
}

/* Collects node n and returns whether its vote answer to `to` grants. Fails when there is none. */
static bool is_granted(struct raft_net *net, uint32_t n, enum raft_message_kind kind, raft_node to)
{
    raft_net_collect(net, n);
    int32_t at = raft_net_find(net, (int)kind, net->nodes[n].id, to);
    assert_true(at >= 0);
    bool granted = net->messages[at].message.vote_answer.is_granted;
    raft_net_drop(net, (uint32_t)at);
    return granted;
}

static void wait_out_promises(struct raft_net *net)
{
    raft_net_pass(net, 2 * net->options.config.election_max_us);
}

/* 3.4: no sign of a leader over the election timeout means that there is none. */
static void raft_follower_without_a_leader_stands_for_election(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    raft_net_pass(net, net->options.config.election_min_us - 1);
    raft_net_tick(net, 0);
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_FOLLOWER);
    raft_net_pass(net, net->options.config.election_max_us - net->options.config.election_min_us);
    raft_net_tick(net, 0);
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_PRE_CANDIDATE);
}

/* 3.4: heartbeats keep the followers from it. */
static void raft_heartbeats_keep_authority(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_run(net, 20 * net->options.config.election_max_us, 0);
    assert_true(leads(net, 0));
    assert_int_equal(term(net, 1), 1);
    assert_int_equal(raft_counters(raft_net_raft(net, 1)).campaigns, 0);
}

/* 3.4: a majority of the full cluster wins. */
static void raft_candidate_wins_with_a_majority_and_not_with_half(void **state)
{
    struct raft_net *net = form(state, 4, 4);
    raft_net_elect(net, 0, 0xc);
    assert_false(leads(net, 0));
    raft_net_elect(net, 0, 0x8);
    assert_true(leads(net, 0));
}

/* 3.4: at most one vote in a term, first come first served. */
static void raft_voter_votes_once_in_a_term(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    wait_out_promises(net);
    (void)give(net, 2, vote_of(1, 5, 0, 0));
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
    (void)give(net, 2, vote_of(2, 5, 9, 4));
    assert_false(is_granted(net, 2, RAFT_VOTE_ANSWER, 2));
    (void)give(net, 2, vote_of(1, 5, 0, 0));
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
}

/* 3.8: and remembers it over a restart. */
static void raft_voter_remembers_its_vote_after_a_crash(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    wait_out_promises(net);
    (void)give(net, 2, vote_of(1, 5, 0, 0));
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
    raft_net_crash(net, 2, 0);
    raft_net_start(net, 2);
    wait_out_promises(net);
    assert_int_equal(raft_hard_state(raft_net_raft(net, 2)).vote, 1);
    (void)give(net, 2, vote_of(2, 5, 9, 4));
    assert_false(is_granted(net, 2, RAFT_VOTE_ANSWER, 2));
}

/* 3.8: before the vote is on disk nobody hears of it. */
static void raft_vote_leaves_only_when_it_is_stored(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    net->options.stores_at_once = false;
    wait_out_promises(net);
    (void)give(net, 2, vote_of(1, 5, 0, 0));
    raft_net_collect(net, 2);
    assert_int_equal(raft_net_find(net, RAFT_VOTE_ANSWER, 3, 0), -1);
    assert_true(raft_net_store(net, 2));
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
}

/* 3.8: nor of a candidacy. */
static void raft_candidate_asks_only_when_its_own_vote_is_stored(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    net->options.stores_at_once = false;
    wait_out_promises(net);
    raft_net_tick(net, 0);
    deliver_one(net, RAFT_PRE_VOTE, 1, 2);
    deliver_one(net, RAFT_PRE_VOTE_ANSWER, 2, 1);
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_CANDIDATE);
    assert_int_equal(raft_net_find(net, RAFT_VOTE, 1, 0), -1);
    assert_true(raft_net_store(net, 0));
    assert_true(raft_net_find(net, RAFT_VOTE, 1, 2) >= 0);
    assert_true(raft_net_find(net, RAFT_VOTE, 1, 3) >= 0);
}

/* 3.6.1: a log is refused that is less up-to-date: the later last term, then the longer log. */
static void raft_voter_compares_last_terms_before_lengths(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    for (int i = 0; i < 3; i++)
        (void)raft_net_propose(net, 0);
    raft_net_settle(net);
    raft_net_elect(net, 1, 0);
    raft_net_run(net, net->options.config.heartbeat_us * 3, 0);
    raft_term last_term = raft_term_at(raft_net_raft(net, 2), last(net, 2));
    raft_index last_index = last(net, 2);
    wait_out_promises(net);
    (void)give(net, 2, vote_of(1, 50, last_index + 100, last_term - 1));
    assert_false(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
    (void)give(net, 2, vote_of(1, 51, last_index - 1, last_term));
    assert_false(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
    (void)give(net, 2, vote_of(1, 52, last_index, last_term));
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
    (void)give(net, 2, vote_of(1, 53, 1, last_term + 1));
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 1));
}

/* 3.3: a candidate or leader that finds its term out of date becomes a follower. */
static void raft_leader_steps_down_for_a_higher_term(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_elect(net, 1, 0x1);
    assert_true(leads(net, 1));
    assert_true(leads(net, 0));
    raft_net_run(net, net->options.config.heartbeat_us * 2, 0);
    assert_false(leads(net, 0));
    assert_int_equal(raft_leader(raft_net_raft(net, 0)), 2);
    assert_int_equal(raft_counters(raft_net_raft(net, 0)).step_downs, 1);
}

/* 3.3: a request of an old term is refused, and its sender learns the new one. */
static void raft_stale_leader_is_told_the_new_term(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    wait_out_promises(net);
    (void)give(net, 2, vote_of(2, 9, 9, 9));
    drop_all(net);
    struct raft_accepted accepted = give(net, 2,
                                         (struct raft_message){
                                             .kind = RAFT_HEARTBEAT,
                                             .from = 1,
                                             .term = 1,
                                         });
    assert_true(accepted.last < accepted.first);
    raft_net_collect(net, 2);
    raft_net_settle(net);
    assert_false(leads(net, 0));
    assert_int_equal(term(net, 0), 9);
}

/* 3.4: a candidate that hears from a leader of its term yields. */
static void raft_candidate_yields_to_the_leader_of_its_term(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    wait_out_promises(net);
    raft_net_tick(net, 0);
    deliver_one(net, RAFT_PRE_VOTE, 1, 3);
    deliver_one(net, RAFT_PRE_VOTE_ANSWER, 3, 1);
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_CANDIDATE);
    (void)give(net, 0, (struct raft_message){.kind = RAFT_HEARTBEAT, .from = 2, .term = 1});
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_FOLLOWER);
    assert_int_equal(raft_leader(raft_net_raft(net, 0)), 2);
    assert_int_equal(raft_hard_state(raft_net_raft(net, 0)).vote, 1);
}

/* 3.4: split votes time out, with timeouts drawn anew. */
static void raft_split_vote_ends_in_another_election(void **state)
{
    struct raft_net *net = form(state, 2, 2);
    raft_net_run(net, 10 * net->options.config.election_max_us, 0);
    assert_true(leads(net, 0) != leads(net, 1));
}

/* 9.6: a server cut off does not raise its term, and disturbs nobody when it comes back. */
static void raft_isolated_server_keeps_its_term(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    for (int i = 0; i < 40; i++) {
        raft_net_pass(net, net->options.config.heartbeat_us);
        for (uint32_t n = 0; n < 3; n++)
            raft_net_tick(net, n);
        raft_net_settle_without(net, 0x4);
    }
    assert_int_equal(raft_role(raft_net_raft(net, 2)), RAFT_PRE_CANDIDATE);
    assert_int_equal(term(net, 2), 1);
    raft_net_run(net, net->options.config.election_max_us, 0);
    assert_true(leads(net, 0));
    assert_int_equal(term(net, 0), 1);
    assert_int_equal(raft_leader(raft_net_raft(net, 2)), 1);
}

/* 4.2.3: within the minimum election timeout of hearing a leader, neither vote nor term. */
static void raft_voter_that_hears_a_leader_ignores_candidates(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    (void)give(net, 2, (struct raft_message){.kind = RAFT_HEARTBEAT, .from = 1, .term = 1});
    raft_net_collect(net, 2);
    drop_all(net);
    raft_net_pass(net, net->options.config.election_min_us - 1);
    (void)give(net, 2, vote_of(2, 7, 99, 6));
    raft_net_collect(net, 2);
    assert_int_equal(term(net, 2), 1);
    assert_int_equal(raft_net_find(net, RAFT_VOTE_ANSWER, 3, 0), -1);
    raft_net_pass(net, 1);
    (void)give(net, 2, vote_of(2, 7, 99, 6));
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 2));
}

/* The same for pre-votes, which are answered. */
static void raft_voter_that_hears_a_leader_refuses_pre_votes(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    struct raft_message pre_vote = vote_of(2, 2, 99, 1);
    pre_vote.kind = RAFT_PRE_VOTE;
    (void)give(net, 2, (struct raft_message){.kind = RAFT_HEARTBEAT, .from = 1, .term = 1});
    raft_net_pass(net, net->options.config.election_min_us - 1);
    (void)give(net, 2, pre_vote);
    assert_false(is_granted(net, 2, RAFT_PRE_VOTE_ANSWER, 2));
    raft_net_pass(net, 1);
    (void)give(net, 2, pre_vote);
    assert_true(is_granted(net, 2, RAFT_PRE_VOTE_ANSWER, 2));
    assert_int_equal(term(net, 2), 1);
}

/* L9: nobody knows what the life before promised. */
static void raft_voter_is_quiet_for_an_election_timeout_after_its_start(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_crash(net, 2, 0);
    raft_net_pass(net, 3 * net->options.config.election_max_us);
    raft_net_start(net, 2);
    struct raft_message request = vote_of(2, 7, 99, 6);
    raft_net_pass(net, net->options.config.election_min_us - 1);
    (void)give(net, 2, request);
    request.vote.is_transfer = true;
    (void)give(net, 2, request);
    raft_net_collect(net, 2);
    assert_int_equal(raft_net_find(net, RAFT_VOTE_ANSWER, 3, 0), -1);
    assert_int_equal(term(net, 2), 1);
    raft_net_pass(net, 1);
    (void)give(net, 2, request);
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 2));
}

/* 4.2.3: a candidacy ordered by the leader is not a disturbance. */
static void raft_transfer_lifts_stickiness(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    struct raft_message request = vote_of(2, 2, 99, 1);
    request.vote.is_transfer = true;
    (void)give(net, 2, (struct raft_message){.kind = RAFT_HEARTBEAT, .from = 1, .term = 1});
    (void)give(net, 2, request);
    assert_true(is_granted(net, 2, RAFT_VOTE_ANSWER, 2));
}

/* 6.2: a leader that has not reached a quorum over an election timeout steps down. */
static void raft_leader_without_a_quorum_steps_down(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_run(net, net->options.config.election_max_us, 0x2);
    assert_true(leads(net, 0));
    raft_net_run(net, net->options.config.election_max_us - net->options.config.heartbeat_us, 0x6);
    assert_true(leads(net, 0));
    raft_net_run(net, net->options.config.heartbeat_us * 3, 0x6);
    assert_false(leads(net, 0));
    assert_int_equal(term(net, 0), 1);
    assert_int_equal(raft_leader(raft_net_raft(net, 0)), 0);
}

/* L6: a follower with a large backlog is not electable, but votes. */
static void raft_unelectable_follower_votes_but_does_not_stand(void **state)
{
    struct raft_net *net = form(state, 2, 2);
    raft_set_electable(raft_net_raft(net, 0), false);
    raft_net_elect(net, 0, 0);
    assert_false(leads(net, 0));
    raft_net_elect(net, 1, 0);
    assert_true(leads(net, 1));
    raft_set_electable(raft_net_raft(net, 0), true);
    raft_net_elect(net, 0, 0);
    assert_true(leads(net, 0));
}

/* L4: who lost its promises says nothing at all. */
static void raft_node_without_promises_neither_votes_nor_acknowledges(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_crash(net, 2, 0);
    raft_net_lose_promises(net, 2);
    raft_net_start(net, 2);
    wait_out_promises(net);
    raft_net_tick(net, 2);
    (void)give(net, 2, vote_of(2, 9, 99, 9));
    struct raft_accepted accepted = give(
        net, 2,
        (struct raft_message){.kind = RAFT_APPEND, .from = 1, .term = 9, .append = {.commit = 1}});
    raft_net_collect(net, 2);
    assert_true(accepted.last < accepted.first);
    assert_int_equal(raft_net_find(net, 0, 3, 0), -1);
    assert_int_equal(term(net, 2), 0);
    assert_int_equal(raft_deadline(raft_net_raft(net, 2)), UINT64_MAX);
}

/* L4: who lost only its rows votes and stores, and gets them from the leader. */
static void raft_node_without_rows_votes_and_stores_and_is_reinstalled(void **state)
{
    struct raft_net *net = form_led(state, 2, 2);
    (void)raft_net_propose(net, 0);
    raft_net_settle(net);
    raft_net_crash(net, 1, 0);
    raft_net_lose_rows(net, 1);
    raft_net_start(net, 1);
    struct raft *raft = raft_net_raft(net, 1);
    assert_int_equal(raft_applied_index(raft), 0);
    assert_true(last(net, 1) > 0);
    raft_net_run(net, net->options.config.heartbeat_us * 6, 0);
    assert_false(net->nodes[1].rows_lost);
    assert_true(raft_applied_index(raft) >= 2);
    assert_int_equal(raft_last_index(raft), last(net, 0));
}

/* A turn hands over all that came in before it asks what there is to do: a frozen node gets the
 * vote that elects it and the next leader's first word at once. */
static void raft_leader_deposed_before_its_first_ready_leaves_no_entry(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    wait_out_promises(net);
    raft_net_tick(net, 0);
    raft_net_collect(net, 0);
    deliver_one(net, RAFT_PRE_VOTE, 1, 2);
    deliver_one(net, RAFT_PRE_VOTE_ANSWER, 2, 1);
    deliver_one(net, RAFT_VOTE, 1, 2);
    int32_t at = raft_net_find(net, RAFT_VOTE_ANSWER, 2, 1);
    assert_true(at >= 0);
    (void)give(net, 0, net->messages[at].message);
    assert_true(leads(net, 0));
    struct raft_message heartbeat = {.kind = RAFT_HEARTBEAT, .from = 3, .term = term(net, 0) + 1};
    (void)give(net, 0, heartbeat);
    assert_int_equal(raft_role(raft_net_raft(net, 0)), RAFT_FOLLOWER);
    assert_int_equal(last(net, 0), 0);
    raft_net_collect(net, 0);
    raft_check(raft_net_raft(net, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raft_follower_without_a_leader_stands_for_election),
        TEST(raft_heartbeats_keep_authority),
        TEST(raft_candidate_wins_with_a_majority_and_not_with_half),
        TEST(raft_voter_votes_once_in_a_term),
        TEST(raft_voter_remembers_its_vote_after_a_crash),
        TEST(raft_vote_leaves_only_when_it_is_stored),
        TEST(raft_candidate_asks_only_when_its_own_vote_is_stored),
        TEST(raft_voter_compares_last_terms_before_lengths),
        TEST(raft_leader_steps_down_for_a_higher_term),
        TEST(raft_stale_leader_is_told_the_new_term),
        TEST(raft_candidate_yields_to_the_leader_of_its_term),
        TEST(raft_split_vote_ends_in_another_election),
        TEST(raft_isolated_server_keeps_its_term),
        TEST(raft_voter_that_hears_a_leader_ignores_candidates),
        TEST(raft_voter_that_hears_a_leader_refuses_pre_votes),
        TEST(raft_voter_is_quiet_for_an_election_timeout_after_its_start),
        TEST(raft_transfer_lifts_stickiness),
        TEST(raft_leader_without_a_quorum_steps_down),
        TEST(raft_unelectable_follower_votes_but_does_not_stand),
        TEST(raft_node_without_promises_neither_votes_nor_acknowledges),
        TEST(raft_node_without_rows_votes_and_stores_and_is_reinstalled),
        TEST(raft_leader_deposed_before_its_first_ready_leaves_no_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
