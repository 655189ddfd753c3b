/* Reads, lease and handing over: thesis 6.4, 6.4.1, 3.10, and law L9. */
#include "raft_net_test.h"

enum { LEASE_US = 98019 }; /* 100 ms by the slowest clock, seen by the fastest: drift 1 % */

static bool has_lease(struct raft_net *net, uint32_t n)
{
    return raft_lease_valid(raft_net_raft(net, n), raft_net_clock(net, n));
}

/* Everything in flight is gone and a heartbeat round has just been sent. */
static void send_round(struct raft_net *net)
{
    raft_net_settle(net);
    raft_net_pass(net, net->options.config.heartbeat_us);
    raft_net_tick(net, 0);
    assert_true(raft_net_find(net, RAFT_HEARTBEAT, 1, 2) >= 0);
}

/* 6.4.1: the lease counts from the sending of the round, not from its answers. */
static void raft_lease_counts_from_the_sending_of_the_round(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    send_round(net);
    uint64_t sent_us = net->now_us;
    raft_net_pass(net, net->options.config.heartbeat_us - 1);
    raft_net_settle(net);
    net->now_us = sent_us + LEASE_US - 1;
    assert_true(has_lease(net, 0));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_NOW);
    net->now_us = sent_us + LEASE_US;
    assert_false(has_lease(net, 0));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_WAIT);
}

/* 6.4: a round needs a quorum of the voters, and learners are none. */
static void raft_round_is_confirmed_by_a_quorum_of_voters(void **state)
{
    struct raft_net *net = form_led(state, 4, 3);
    assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, 4), RAFT_OK);
    raft_net_run(net, 200000, 0);
    raft_net_pass(net, net->options.config.election_min_us);
    raft_net_tick(net, 0);
    assert_false(has_lease(net, 0));
    deliver_one(net, RAFT_HEARTBEAT, 1, 4);
    deliver_one(net, RAFT_HEARTBEAT_ANSWER, 4, 1);
    assert_false(has_lease(net, 0));
    deliver_one(net, RAFT_HEARTBEAT, 1, 2);
    deliver_one(net, RAFT_HEARTBEAT_ANSWER, 2, 1);
    assert_true(has_lease(net, 0));
}

/* 6.4: a new leader serves nothing before its no-op is committed and applied. */
static void raft_leader_does_not_serve_before_its_noop_is_applied(void **state)
{
    struct raft_net *net = form(state, 3, 3);
    net->options.applies_at_once = false;
    raft_net_elect(net, 0, 0);
    struct raft *raft = raft_net_raft(net, 0);
    assert_int_equal(raft_commit_index(raft), 1);
    assert_true(has_lease(net, 0));
    assert_false(raft_serving(raft));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_NOT_LEADER);
    raft_net_apply(net, 0);
    assert_true(raft_serving(raft));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_NOW);
}

/* 6.4: a read waits for a round that was sent after it came. */
static void raft_read_is_not_confirmed_by_a_round_sent_before_it(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_pass(net, net->options.config.heartbeat_us);
    raft_net_tick(net, 0);
    uint64_t answered = net->reads_answered;
    assert_int_equal(raft_net_read(net, 0, false), RAFT_READ_WAIT);
    deliver_one(net, RAFT_HEARTBEAT, 1, 2);
    deliver_one(net, RAFT_HEARTBEAT_ANSWER, 2, 1);
    assert_int_equal(net->reads_answered, answered);
    deliver_one(net, RAFT_HEARTBEAT, 1, 2);
    deliver_one(net, RAFT_HEARTBEAT_ANSWER, 2, 1);
    assert_int_equal(net->reads_answered, answered + 1);
}

/* 6.4: reads share rounds. */
static void raft_reads_between_two_readies_share_one_round(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    struct raft *raft = raft_net_raft(net, 0);
    struct raft_read first = raft_read(raft, raft_net_clock(net, 0), false);
    struct raft_read second = raft_read(raft, raft_net_clock(net, 0), false);
    assert_int_equal(first.verdict, RAFT_READ_WAIT);
    assert_int_equal(first.round, second.round);
    raft_net_collect(net, 0);
    assert_int_equal(net->message_count, 2);
}

/* L12: rounds that reads may have open are bounded; the next ones wait and share. */
static void raft_open_read_rounds_are_bounded(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    for (int i = 0; i < 200; i++)
        (void)raft_net_read(net, 0, false);
    assert_true(net->message_count <= 2 * 33);
    raft_net_settle(net);
    struct raft *raft = raft_net_raft(net, 0);
    struct raft_read read = raft_read(raft, raft_net_clock(net, 0), false);
    raft_net_collect(net, 0);
    raft_net_settle(net);
    struct raft_ready ready;
    raft_ready(raft, raft_net_clock(net, 0), &ready);
    assert_true(ready.reads_confirmed >= read.round);
    raft_advance(raft);
}

/* L9: a deposed leader has no lease and confirms no read. */
static void raft_deposed_leader_serves_nothing(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    assert_true(has_lease(net, 0));
    (void)raft_net_read(net, 0, false);
    drop_all(net);
    uint64_t answered = net->reads_answered;
    raft_net_elect(net, 1, 0x1);
    raft_net_run(net, 100000, 0);
    assert_false(has_lease(net, 0));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_NOT_LEADER);
    assert_int_equal(net->reads_answered, answered);
}

/* L9: by the newest configuration, also for rounds that were answered under an older one. */
static void raft_lease_is_counted_by_the_newest_configuration(void **state)
{
    struct raft_net *net = form_led(state, 3, 1);
    assert_true(has_lease(net, 0));
    for (raft_node id = 2; id <= 3; id++) {
        assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, id), RAFT_OK);
        raft_net_run(net, 300000, 0);
    }
    raft_net_pass(net, net->options.config.election_min_us);
    assert_true(has_lease(net, 0)); /* alone among learners */
    raft_net_run(net, 60000, 0);
    assert_int_equal(raft_net_change(net, 0, RAFT_PROMOTE, 2), RAFT_OK);
    drop_all(net);
    raft_net_pass(net, net->options.config.election_min_us);
    assert_false(has_lease(net, 0)); /* two voters now, and the other has not answered since */
}

/* L9: a leader outside its newest configuration has none: see lease.c. */
static void raft_leader_that_removes_itself_has_no_lease(void **state)
{
    struct raft_net *net = form_led(state, 2, 2);
    assert_true(has_lease(net, 0));
    assert_int_equal(raft_net_change(net, 0, RAFT_REMOVE, 1), RAFT_OK);
    assert_true(leads(net, 0));
    assert_false(has_lease(net, 0));
}

/* 3.10: the target catches up first, then is told to campaign, and wins without a timeout. */
static void raft_transfer_hands_leadership_over(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_index index = raft_net_propose(net, 0);
    assert_int_equal(raft_net_transfer(net, 0, 2), RAFT_OK);
    assert_int_equal(raft_net_find(net, RAFT_TIMEOUT_NOW, 1, 2), -1);
    deliver_one(net, RAFT_APPEND, 1, 2);
    deliver_one(net, RAFT_APPEND_ANSWER, 2, 1);
    assert_true(raft_net_find(net, RAFT_TIMEOUT_NOW, 1, 2) >= 0);
    raft_net_settle(net);
    assert_true(leads(net, 1));
    assert_false(leads(net, 0));
    assert_int_equal(term(net, 1), 2);
    assert_true(last(net, 1) > index);
}

/* L9: given up before, and neither the open round nor a later one of the term brings it back. */
static void raft_transfer_gives_the_lease_up_for_the_whole_term(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    send_round(net); /* open */
    assert_true(has_lease(net, 0));
    assert_int_equal(raft_net_transfer(net, 0, 2), RAFT_OK);
    assert_false(has_lease(net, 0));
    assert_true(raft_is_transferring(raft_net_raft(net, 0)));
    raft_net_drop(net, (uint32_t)raft_net_find(net, RAFT_TIMEOUT_NOW, 1, 2));
    raft_net_settle(net);
    assert_false(has_lease(net, 0));
    for (int i = 0; i < 10; i++) {
        raft_net_pass(net, net->options.config.heartbeat_us);
        raft_net_tick(net, 0);
        int32_t at = raft_net_find(net, RAFT_TIMEOUT_NOW, 1, 2);
        if (at >= 0)
            raft_net_drop(net, (uint32_t)at);
        raft_net_settle(net);
        assert_false(has_lease(net, 0));
    }
    assert_false(raft_is_transferring(raft_net_raft(net, 0))); /* abandoned; goes on by rounds */
    assert_true(leads(net, 0));
    assert_int_equal(raft_net_read(net, 0, true), RAFT_READ_WAIT);
    uint64_t answered = net->reads_answered;
    raft_net_settle(net);
    assert_int_equal(net->reads_answered, answered + 1);
    raft_net_elect(net, 1, 0);
    raft_net_elect(net, 0, 0);
    raft_net_run(net, 60000, 0);
    assert_true(has_lease(net, 0)); /* in a later term of its own it is back */
}

/* 3.10: what cannot take over is refused, each with its reason. */
static void raft_transfer_to_who_cannot_lead_is_refused(void **state)
{
    struct raft_net *net = form_led(state, 4, 3);
    assert_int_equal(raft_net_transfer(net, 0, 1), RAFT_UNKNOWN);
    assert_int_equal(raft_net_transfer(net, 0, 4), RAFT_UNKNOWN);
    assert_int_equal(raft_net_transfer(net, 1, 3), RAFT_NOT_LEADER);
    assert_true(has_lease(net, 0));
    assert_int_equal(raft_net_change(net, 0, RAFT_ADD_LEARNER, 4), RAFT_OK);
    raft_net_settle(net);
    assert_int_equal(raft_net_transfer(net, 0, 4), RAFT_UNKNOWN);
    assert_int_equal(raft_net_transfer(net, 0, 2), RAFT_OK);
    assert_int_equal(raft_net_transfer(net, 0, 3), RAFT_NOT_YET);
}

/* What was executed before the transfer began goes along. */
static void raft_transferring_leader_still_takes_proposals(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    assert_int_equal(raft_net_transfer(net, 0, 2), RAFT_OK);
    drop_all(net);
    raft_index index = raft_net_propose(net, 0);
    assert_true(index > 0);
    raft_net_run(net, 6 * net->options.config.heartbeat_us, 0);
    assert_true(leads(net, 1));
    assert_true(commit(net, 1) > index);
}

/* ---- the pulse of a busy leader's helper ---- */

static bool holds_off(struct raft_net *net, uint32_t n)
{
    return raft_role(raft_net_raft(net, n)) == RAFT_FOLLOWER &&
           raft_leader(raft_net_raft(net, n)) == 1;
}

/* The leader's loop stands: no heartbeats, only pulses. Its followers wait and help nobody else. */
static void raft_pulse_holds_elections_off(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    uint64_t step_us = net->options.config.election_min_us / 2;
    for (int i = 0; i < 60; i++) {
        raft_net_pass(net, step_us);
        for (uint32_t n = 1; n < 3; n++) {
            raft_pulse(raft_net_raft(net, n), raft_net_clock(net, n), 1, term(net, 0));
            raft_net_tick(net, n);
            assert_true(holds_off(net, n));
        }
        struct raft_message vote = {
            .kind = RAFT_PRE_VOTE, .from = 3, .term = term(net, 0) + 1, .vote = {99, 99, false}};
        (void)give(net, 1, vote);
        drop_all(net);
        assert_true(holds_off(net, 1));
    }
    raft_net_pass(net, net->options.config.election_max_us);
    raft_net_tick(net, 1);
    assert_false(holds_off(net, 1)); /* no pulse any more */
}

/* L9: a pulse proves nothing about data. */
static void raft_pulse_extends_no_lease_and_confirms_no_round(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    assert_true(has_lease(net, 0));
    assert_int_equal(raft_net_read(net, 0, false), RAFT_READ_WAIT);
    uint64_t answered = net->reads_answered;
    raft_net_pass(net, LEASE_US);
    for (raft_node peer = 2; peer <= 3; peer++)
        raft_pulse_answered(raft_net_raft(net, 0), raft_net_clock(net, 0), peer, term(net, 0));
    assert_false(has_lease(net, 0));
    assert_int_equal(net->reads_answered, answered);
}

/* Of another leader, another term, to a leader or a candidate: nothing. */
static void raft_pulse_of_another_leader_or_term_is_nothing(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_term now = term(net, 0);
    raft_net_pass(net, net->options.config.election_max_us - 1);
    drop_all(net);
    struct raft *raft = raft_net_raft(net, 1);
    raft_pulse(raft, raft_net_clock(net, 1), 3, now);
    raft_pulse(raft, raft_net_clock(net, 1), 1, now + 1);
    raft_pulse(raft, raft_net_clock(net, 1), 1, now - 1);
    raft_pulse(raft, raft_net_clock(net, 1), 0, now);
    raft_net_pass(net, 1);
    raft_net_tick(net, 1);
    assert_int_equal(raft_role(raft), RAFT_PRE_CANDIDATE);
    assert_int_equal(raft_term_now(raft), now);
    raft_pulse(raft, raft_net_clock(net, 1), 1, now);
    assert_int_equal(raft_role(raft), RAFT_PRE_CANDIDATE);
    raft_pulse(raft_net_raft(net, 0), raft_net_clock(net, 0), 2, now);
    assert_true(leads(net, 0));
}

/* 6.2: a leader whose loop stood for long still leads when a quorum answered its pulses … */
static void raft_pulse_answers_count_as_contact_with_a_quorum(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    struct raft *raft = raft_net_raft(net, 0);
    raft_net_pass(net, net->options.config.election_max_us * 30);
    raft_pulse_answered(raft, raft_net_clock(net, 0), 2, term(net, 0));
    raft_net_tick(net, 0);
    assert_true(leads(net, 0));
}

/* … and not when it was another term's, or somebody who is no member. */
static void raft_pulse_answers_of_others_are_nothing(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    struct raft *raft = raft_net_raft(net, 0);
    raft_net_pass(net, net->options.config.election_max_us);
    raft_pulse_answered(raft, raft_net_clock(net, 0), 2, term(net, 0) - 1);
    raft_pulse_answered(raft, raft_net_clock(net, 0), 2, term(net, 0) + 1);
    raft_pulse_answered(raft, raft_net_clock(net, 0), 9, term(net, 0));
    raft_pulse_answered(raft, raft_net_clock(net, 0), 1, term(net, 0)); /* itself */
    raft_net_tick(net, 0);
    assert_false(leads(net, 0));
    raft_pulse_answered(raft_net_raft(net, 1), raft_net_clock(net, 1), 1, term(net, 1));
}

/* Groups that lead since different moments beat together. */
static void raft_heartbeats_are_due_at_multiples_of_their_interval(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    uint64_t interval_us = net->options.config.heartbeat_us;
    for (int i = 0; i < 5; i++) {
        raft_net_pass(net, interval_us / 3);
        (void)raft_net_read(net, 0, false); /* a round beside the beat */
        raft_net_tick(net, 0);
        assert_int_equal(raft_deadline(raft_net_raft(net, 0)) % interval_us, 0);
        raft_net_settle(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raft_pulse_holds_elections_off),
        TEST(raft_pulse_extends_no_lease_and_confirms_no_round),
        TEST(raft_pulse_of_another_leader_or_term_is_nothing),
        TEST(raft_pulse_answers_count_as_contact_with_a_quorum),
        TEST(raft_pulse_answers_of_others_are_nothing),
        TEST(raft_heartbeats_are_due_at_multiples_of_their_interval),
        TEST(raft_lease_counts_from_the_sending_of_the_round),
        TEST(raft_round_is_confirmed_by_a_quorum_of_voters),
        TEST(raft_leader_does_not_serve_before_its_noop_is_applied),
        TEST(raft_read_is_not_confirmed_by_a_round_sent_before_it),
        TEST(raft_reads_between_two_readies_share_one_round),
        TEST(raft_open_read_rounds_are_bounded),
        TEST(raft_deposed_leader_serves_nothing),
        TEST(raft_lease_is_counted_by_the_newest_configuration),
        TEST(raft_leader_that_removes_itself_has_no_lease),
        TEST(raft_transfer_hands_leadership_over),
        TEST(raft_transfer_gives_the_lease_up_for_the_whole_term),
        TEST(raft_transfer_to_who_cannot_lead_is_refused),
        TEST(raft_transferring_leader_still_takes_proposals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
