/* Replication, commit and install: thesis 3.5, 3.6.2, 3.8, ch. 5, 10.2.1, in this order. */
#include "raft_net_test.h"

static struct raft_message append_of(raft_node from, raft_term of_term, raft_index prev,
                                     raft_term prev_term, const raft_term *terms, uint32_t count)
{
    return (struct raft_message){
        .kind = RAFT_APPEND,
        .from = from,
        .term = of_term,
        .append = {.prev_index = prev, .prev_term = prev_term, .terms = terms, .count = count},
    };
}

/* A core without a net, for scripts that are about one follower. */
static struct raft *new_core(raft_term hard_term, const raft_term *terms, size_t count,
                             uint32_t runs_max)
{
    struct raft_config config = raft_net_config();
    config.id = 1;
    config.term_runs_max = runs_max;
    struct raft_restored restored = {
        .hard = {hard_term, 0},
        .terms = terms,
        .term_count = count,
        .membership = {0, {3, {{1, true}, {2, true}, {3, true}}}},
    };
    return raft_new(&config, &restored, 0);
}

static struct raft_accepted step(struct raft *raft, struct raft_message message)
{
    message.to = 1;
    return raft_step(raft, 0, &message);
}

/* Takes the ready and says that all of it is durable. Copies the last message to *answer. */
static size_t take(struct raft *raft, struct raft_message *answer)
{
    struct raft_ready ready;
    raft_ready(raft, 0, &ready);
    if (ready.message_count > 0 && answer != NULL)
        *answer = ready.messages[ready.message_count - 1];
    raft_advance(raft);
    if (ready.must_store)
        raft_stored(raft, 0, &ready.mark);
    return ready.message_count;
}

static struct raft_message answer_after_store(struct raft *raft)
{
    struct raft_message answer = {0};
    if (take(raft, &answer) == 0)
        assert_true(take(raft, &answer) > 0);
    return answer;
}

/* 3.5: an entry is committed when a majority has replicated it. */
static void raft_entry_commits_with_a_majority_and_not_before(void **state)
{
    struct raft_net *net = form_led(state, 5, 5);
    raft_index index = raft_net_propose(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 2);
    deliver_one(net, RAFT_APPEND_ANSWER, 2, 1);
    assert_int_equal(commit(net, 0), index - 1);
    deliver_one(net, RAFT_APPEND, 1, 3);
    deliver_one(net, RAFT_APPEND_ANSWER, 3, 1);
    assert_int_equal(commit(net, 0), index);
}

/* 10.2.1: the leader writes in parallel with its followers, and may even commit before it has. */
static void raft_leaders_own_copy_counts_only_when_stored(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    net->options.stores_at_once = false;
    raft_index index = raft_net_propose(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 2);
    assert_true(raft_net_store(net, 1));
    deliver_one(net, RAFT_APPEND_ANSWER, 2, 1);
    assert_int_equal(commit(net, 0), index - 1);
    assert_true(raft_net_store(net, 0));
    assert_int_equal(commit(net, 0), index);
    index = raft_net_propose(net, 0);
    raft_net_settle(net);
    for (uint32_t n = 1; n <= 2; n++)
        while (raft_net_store(net, n))
            ;
    raft_net_settle(net);
    assert_int_equal(raft_stored_index(raft_net_raft(net, 0)), index - 1);
    assert_int_equal(commit(net, 0), index);
}

/* 3.8: what is acknowledged is on disk. */
static void raft_follower_acknowledges_only_what_is_stored(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    net->options.stores_at_once = false;
    (void)raft_net_propose(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 2);
    (void)raft_net_propose(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 2);
    assert_int_equal(raft_net_find(net, RAFT_APPEND_ANSWER, 2, 1), -1);
    assert_true(raft_net_store(net, 1));
    int32_t at = raft_net_find(net, RAFT_APPEND_ANSWER, 2, 1);
    assert_true(at >= 0);
    assert_int_equal(net->messages[at].message.append_answer.index, last(net, 1) - 1);
    assert_true(raft_net_store(net, 1));
    assert_int_equal(net->messages[net->message_count - 1].message.append_answer.index,
                     last(net, 1));
}

/* 3.5: followers learn the commit index, not beyond what they know to be equal. */
static void raft_follower_commits_no_further_than_its_log_is_known_to_match(void **state)
{
    (void)state;
    const raft_term terms[] = {1, 1, 1};
    struct raft *raft = new_core(1, terms, 3, 8);
    struct raft_message beat = {.kind = RAFT_HEARTBEAT, .from = 2, .term = 2};
    beat.heartbeat.commit = 3;
    (void)step(raft, beat);
    assert_int_equal(raft_commit_index(raft), 0);
    struct raft_message append = append_of(2, 2, 1, 1, NULL, 0);
    append.append.commit = 3;
    (void)step(raft, append);
    assert_int_equal(raft_commit_index(raft), 1);
    (void)step(raft, beat);
    assert_int_equal(raft_commit_index(raft), 1);
    (void)step(raft, append_of(2, 2, 3, 1, NULL, 0));
    (void)step(raft, beat);
    assert_int_equal(raft_commit_index(raft), 3);
    raft_free(raft);
}

/* 3.5: an append whose previous entry is not there is refused, and changes nothing. */
static void raft_follower_refuses_entries_behind_a_gap(void **state)
{
    (void)state;
    const raft_term terms[] = {1, 1};
    struct raft *raft = new_core(3, terms, 2, 8);
    const raft_term more[] = {3};
    struct raft_accepted accepted = step(raft, append_of(2, 3, 3, 1, more, 1));
    assert_true(accepted.last < accepted.first);
    struct raft_message answer = answer_after_store(raft);
    assert_int_equal(answer.kind, RAFT_APPEND_ANSWER);
    assert_false(answer.append_answer.is_accepted);
    assert_int_equal(answer.append_answer.index, 3);
    assert_int_equal(answer.append_answer.hint_index, 2);
    accepted = step(raft, append_of(2, 3, 2, 2, more, 1));
    assert_true(accepted.last < accepted.first);
    assert_int_equal(raft_last_index(raft), 2);
    raft_free(raft);
}

/* 3.5: a conflicting entry goes, and all that follow it. */
static void raft_follower_drops_conflicting_entries_and_all_behind(void **state)
{
    (void)state;
    const raft_term terms[] = {1, 2, 2, 2, 2};
    struct raft *raft = new_core(4, terms, 5, 8);
    const raft_term leaders[] = {2, 3};
    struct raft_accepted accepted = step(raft, append_of(2, 4, 1, 1, leaders, 2));
    assert_int_equal(accepted.first, 3);
    assert_int_equal(accepted.last, 3);
    assert_int_equal(raft_last_index(raft), 3);
    assert_int_equal(raft_term_at(raft, 2), 2);
    assert_int_equal(raft_term_at(raft, 3), 3);
    raft_check(raft);
    raft_free(raft);
}

/* 3.5, ch. 5: appends are idempotent; a late one that is merely shorter cuts nothing. */
static void raft_follower_keeps_what_a_late_append_does_not_mention(void **state)
{
    (void)state;
    struct raft *raft = new_core(1, NULL, 0, 8);
    const raft_term terms[] = {1, 1, 1};
    struct raft_accepted accepted = step(raft, append_of(2, 1, 0, 0, terms, 3));
    assert_int_equal(accepted.first, 1);
    assert_int_equal(accepted.last, 3);
    accepted = step(raft, append_of(2, 1, 0, 0, terms, 1));
    assert_true(accepted.last < accepted.first);
    accepted = step(raft, append_of(2, 1, 1, 1, terms, 2));
    assert_true(accepted.last < accepted.first);
    assert_int_equal(raft_last_index(raft), 3);
    raft_free(raft);
}

/* What a leader can never ask for is refused and counted, not obeyed and not asserted (L11). */
static void raft_follower_refuses_to_cut_committed_entries(void **state)
{
    (void)state;
    struct raft *raft = new_core(1, NULL, 0, 8);
    const raft_term terms[] = {1, 1, 1};
    struct raft_message append = append_of(2, 1, 0, 0, terms, 3);
    append.append.commit = 2;
    (void)step(raft, append);
    (void)take(raft, NULL);
    const raft_term other[] = {2};
    struct raft_accepted accepted = step(raft, append_of(3, 2, 1, 1, other, 1));
    assert_true(accepted.last < accepted.first);
    assert_int_equal(raft_term_at(raft, 2), 1);
    assert_int_equal(raft_counters(raft).messages_refused, 1);
    accepted = step(raft, append_of(3, 2, 2, 1, other, 1));
    assert_int_equal(accepted.first, 3);
    raft_free(raft);
}

/* L9 and section 8: a completion for a replaced entry promises nothing. */
static void raft_completion_of_a_replaced_entry_acknowledges_nothing(void **state)
{
    (void)state;
    struct raft *raft = new_core(1, NULL, 0, 8);
    const raft_term old_terms[] = {1, 1}, new_terms[] = {2, 2};
    struct raft_ready first, second;
    (void)step(raft, append_of(2, 1, 0, 0, old_terms, 2));
    raft_ready(raft, 0, &first);
    raft_advance(raft);
    (void)step(raft, append_of(3, 2, 0, 0, new_terms, 2));
    raft_ready(raft, 0, &second);
    assert_int_equal(second.store_first, 1);
    assert_int_equal(second.store_last, 2);
    raft_advance(raft);
    raft_stored(raft, 0, &first.mark);
    assert_int_equal(raft_stored_index(raft), 0);
    struct raft_message answer;
    assert_int_equal(take(raft, &answer), 0);
    raft_stored(raft, 0, &second.mark);
    assert_int_equal(raft_stored_index(raft), 2);
    assert_int_equal(take(raft, &answer), 1);
    assert_int_equal(answer.to, 3);
    assert_int_equal(answer.append_answer.index, 2);
    raft_free(raft);
}

/* The same terms may come back after a cut: still nothing is promised by the first completion. */
static void raft_completion_from_before_a_cut_does_not_speak_for_what_came_back(void **state)
{
    (void)state;
    struct raft *raft = new_core(1, NULL, 0, 8);
    const raft_term ones[] = {1, 1}, two[] = {2};
    struct raft_ready first;
    (void)step(raft, append_of(2, 1, 0, 0, ones, 2));
    raft_ready(raft, 0, &first);
    raft_advance(raft);
    (void)step(raft, append_of(3, 2, 0, 0, two, 1));
    struct raft_ready second;
    raft_ready(raft, 0, &second);
    raft_advance(raft);
    (void)step(raft, append_of(2, 3, 0, 0, ones, 2));
    raft_stored(raft, 0, &first.mark);
    assert_int_equal(raft_term_at(raft, 2), 1);
    assert_int_equal(raft_stored_index(raft), 0);
    raft_free(raft);
}

static void deliver_between(struct raft_net *net, uint32_t taking_part)
{
    const struct raft_message *message = &net->messages[0].message;
    bool is_between = (taking_part >> (message->from - 1) & 1) != 0 &&
                      (taking_part >> (message->to - 1) & 1) != 0;
    if (is_between)
        raft_net_deliver(net, 0);
    else
        raft_net_drop(net, 0);
}

/* Lets n win by these voters only, and stops before it has sent anything as a leader. The first
 * try may only teach it the term. */
static void win(struct raft_net *net, uint32_t n, uint32_t voters)
{
    for (int tries = 0; tries < 3 && !leads(net, n); tries++) {
        raft_net_pass(net, 2 * net->options.config.election_max_us);
        drop_all(net);
        raft_net_tick(net, n);
        while (!leads(net, n) && net->message_count > 0)
            deliver_between(net, voters | 1u << n);
    }
    assert_true(leads(net, n));
    drop_all(net);
}

static void restart(struct raft_net *net, uint32_t n)
{
    raft_net_crash(net, n, 0);
    raft_net_start(net, n);
}

static raft_index match_of(struct raft_net *net, raft_node id)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(raft_net_raft(net, 0), peers);
    for (size_t i = 0; i < count; i++)
        if (peers[i].id == id)
            return peers[i].match;
    return 0;
}

/* Delivers between the leader 0 and n only, until the leader knows that n has its log to `index`.
 */
static void talk_until_matched(struct raft_net *net, uint32_t n, raft_index index)
{
    while (match_of(net, n + 1) < index) {
        int32_t at = raft_net_find(net, 0, n + 1, 1);
        at = at >= 0 ? at : raft_net_find(net, 0, 1, n + 1);
        assert_true(at >= 0);
        raft_net_deliver(net, (uint32_t)at);
    }
}

/* Figure 3.7 (a), (b), (c) with servers 0..4: at the end server 0 leads term 3, and the entry at 2
 * of term 1 is on 0, 1 and 2, a majority, as it knows; the no-op behind it is on 0 and 1 only.
 * Server 4 holds an entry of term 2 there. */
static struct raft_net *figure_8_until_c(void **state)
{
    struct raft_net *net = form(state, 5, 5);
    win(net, 0, 0x6);
    raft_net_run(net, 100000, 0);
    assert_int_equal(raft_net_committed(net), 1);
    assert_int_equal(raft_net_propose(net, 0), 2); /* (a) */
    deliver_one(net, RAFT_APPEND, 1, 2);
    restart(net, 0);
    win(net, 4, 0xc); /* (b) */
    assert_int_equal(raft_term_at(raft_net_raft(net, 4), 2), 2);
    restart(net, 4);
    win(net, 0, 0x6); /* (c) */
    assert_int_equal(term(net, 0), 3);
    raft_net_pass(net, net->options.config.heartbeat_us);
    raft_net_tick(net, 0);
    talk_until_matched(net, 1, 3); /* the new no-op as well */
    talk_until_matched(net, 2, 2);
    assert_int_equal(last(net, 2), 2);
    return net;
}

/* 3.6.2: an entry of an older term on a majority is not committed by counting replicas, and (d) may
 * still be overwritten. */
static void raft_does_not_commit_older_terms_by_counting_replicas(void **state)
{
    struct raft_net *net = figure_8_until_c(state);
    for (uint32_t n = 0; n < 3; n++)
        assert_int_equal(raft_term_at(raft_net_raft(net, n), 2), 1);
    assert_int_equal(commit(net, 0), 0);
    restart(net, 0);
    win(net, 4, 0xc);
    raft_net_run(net, 10 * net->options.config.heartbeat_us, 0);
    for (uint32_t n = 0; n < 5; n++)
        assert_int_equal(raft_term_at(raft_net_raft(net, n), 2), 2);
}

/* (e) Once an entry of the leader's own term is on a majority, all before it is committed, and who
 * lacks it cannot win. */
static void raft_commits_older_terms_by_an_entry_of_its_own(void **state)
{
    struct raft_net *net = figure_8_until_c(state);
    for (int i = 0; i < 8; i++) {
        raft_net_pass(net, net->options.config.heartbeat_us);
        raft_net_tick(net, 0);
        raft_net_settle_without(net, 0x18);
    }
    assert_int_equal(commit(net, 0), 3);
    restart(net, 0);
    raft_net_elect(net, 4, 0);
    assert_false(leads(net, 4));
    raft_net_elect(net, 1, 0);
    assert_true(leads(net, 1));
    assert_int_equal(raft_term_at(raft_net_raft(net, 1), 2), 1);
}

/* 3.5: the leader steps back by whole terms, so a diverged log costs a few round trips. */
static void raft_leader_finds_where_logs_meet_in_a_few_steps(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    for (int i = 0; i < 100; i++)
        (void)raft_net_propose(net, 0); /* reach nobody */
    drop_all(net);
    raft_net_crash(net, 0, UINT32_MAX);
    raft_net_elect(net, 1, 0x1);
    for (int i = 0; i < 50; i++)
        (void)raft_net_propose(net, 1);
    raft_net_settle_without(net, 0x1);
    raft_net_start(net, 0);
    net->messages_sent = 0;
    raft_net_run(net, 4 * net->options.config.heartbeat_us, 0);
    assert_int_equal(last(net, 0), last(net, 1));
    assert_int_equal(raft_term_at(raft_net_raft(net, 0), 10), term(net, 1));
    assert_true(net->messages_sent < 60);
}

/* 10.2.1 and L12: appends are pipelined up to the window, and not beyond. */
static void raft_window_bounds_unanswered_appends(void **state)
{
    struct raft_net *net = form_led(state, 2, 2);
    uint32_t window = net->options.config.inflight_max;
    for (uint32_t i = 0; i < window - 1; i++)
        (void)raft_net_propose(net, 0);
    assert_int_equal(net->message_count, window - 1);
    (void)raft_net_propose(net, 0);
    assert_int_equal(net->message_count, window);
    (void)raft_net_propose(net, 0);
    assert_int_equal(net->message_count, window);
    raft_net_deliver(net, 0);
    deliver_one(net, RAFT_APPEND_ANSWER, 2, 1);
    assert_int_equal(net->message_count, window);
    raft_net_settle(net);
    assert_int_equal(last(net, 1), last(net, 0));
}

/* The caller knows sizes: what it cut follows later. */
static void raft_cut_append_sends_the_rest_later(void **state)
{
    struct raft_net *net = form_led(state, 2, 2);
    struct raft *raft = raft_net_raft(net, 0);
    raft_index first = raft_propose(raft);
    assert_int_equal(raft_propose(raft), first + 1);
    assert_int_equal(raft_propose(raft), first + 2);
    const raft_index keeps[] = {first + 1, first - 1 + 2, first + 2};
    const uint32_t counts[] = {3, 1, 1};
    for (int i = 0; i < 3; i++) {
        struct raft_ready ready;
        raft_ready(raft, raft_net_clock(net, 0), &ready);
        assert_int_equal(ready.message_count, 1);
        assert_int_equal(ready.messages[0].append.count, counts[i]);
        if (i == 1)
            raft_append_cut(raft, 2, ready.messages[0].append.prev_index); /* not sent at all */
        else
            raft_append_cut(raft, 2, keeps[i]);
        raft_advance(raft);
        assert_int_equal(raft_has_ready(raft), i < 2);
    }
    struct raft_peer_status peer;
    assert_int_equal(raft_peers(raft, &peer), 1);
    assert_int_equal(peer.next, first + 3);
}

/* Messages get lost without a word. */
static void raft_lost_appends_and_acknowledgements_are_made_good(void **state)
{
    struct raft_net *net = form_led(state, 2, 2);
    raft_index index = raft_net_propose(net, 0);
    drop_all(net);
    raft_net_run(net, 6 * net->options.config.heartbeat_us, 0);
    assert_int_equal(commit(net, 0), index);
    index = raft_net_propose(net, 0);
    deliver_one(net, RAFT_APPEND, 1, 2);
    drop_all(net);
    assert_int_equal(last(net, 1), index);
    raft_net_run(net, 6 * net->options.config.heartbeat_us, 0);
    assert_int_equal(commit(net, 0), index);
}

/* A broken link is known sooner. */
static void raft_unreachable_peer_is_probed_again(void **state)
{
    struct raft_net *net = form_led(state, 2, 2);
    struct raft_peer_status peer;
    (void)raft_net_propose(net, 0);
    drop_all(net);
    (void)raft_peers(raft_net_raft(net, 0), &peer);
    assert_int_equal(peer.state, RAFT_REPLICATE);
    raft_unreachable(raft_net_raft(net, 0), 2);
    (void)raft_peers(raft_net_raft(net, 0), &peer);
    assert_int_equal(peer.state, RAFT_PROBE);
    assert_int_equal(peer.next, peer.match + 1);
}

/* Ch. 5: who is behind the beginning of the leader's log gets rows instead. */
static void raft_peer_behind_the_log_is_installed_and_goes_on(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_crash(net, 2, 0);
    for (int i = 0; i < 20; i++)
        (void)raft_net_propose(net, 0);
    raft_net_settle_without(net, 0x4);
    raft_net_compact(net, 0, 2);
    raft_net_start(net, 2);
    raft_net_run(net, 10 * net->options.config.heartbeat_us, 0);
    struct raft *raft = raft_net_raft(net, 2);
    assert_true(raft_base_index(raft) > 1);
    assert_int_equal(raft_last_index(raft), last(net, 0));
    assert_int_equal(raft_applied_index(raft), commit(net, 0));
    (void)raft_net_propose(net, 0);
    raft_net_settle(net);
    assert_int_equal(raft_last_index(raft), last(net, 0));
}

/* L3, L5: an install is acknowledged when the log's reset is durable, and not before. */
static void raft_install_is_acknowledged_after_the_reset_is_stored(void **state)
{
    (void)state;
    const raft_term terms[] = {1, 1};
    struct raft *raft = new_core(5, terms, 2, 8);
    struct raft_message notice = {.kind = RAFT_INSTALL, .from = 2, .term = 5, .install = {40, 4}};
    struct raft_membership membership = {30, {2, {{1, true}, {2, true}}}};
    struct raft_ready ready;
    (void)step(raft, notice);
    raft_ready(raft, 0, &ready);
    assert_int_equal(ready.offer.from, 2);
    assert_int_equal(ready.offer.index, 40);
    raft_advance(raft);
    assert_true(raft_installed(raft, 40, 4, &membership));
    raft_ready(raft, 0, &ready);
    assert_true(ready.log_was_reset && ready.must_store && ready.members_changed);
    assert_true(ready.store_last < ready.store_first);
    assert_int_equal(ready.message_count, 0);
    assert_int_equal(ready.commit, 40);
    raft_advance(raft);
    assert_int_equal(raft_applied_index(raft), 40);
    raft_stored(raft, 0, &ready.mark);
    raft_ready(raft, 0, &ready);
    assert_int_equal(ready.message_count, 1);
    assert_true(ready.messages[0].append_answer.is_accepted);
    assert_int_equal(ready.messages[0].append_answer.index, 40);
    raft_advance(raft);
    raft_check(raft);
    raft_free(raft);
}

/* Figure 5.3: a log that holds the mark is kept, because what follows may be acknowledged. */
static void raft_install_keeps_a_log_that_holds_the_mark(void **state)
{
    (void)state;
    const raft_term terms[] = {1, 2, 2};
    struct raft *raft = new_core(5, terms, 3, 8);
    struct raft_membership membership = {0, {3, {{1, true}, {2, true}, {3, true}}}};
    assert_true(raft_installed(raft, 2, 2, &membership));
    assert_int_equal(raft_last_index(raft), 3);
    assert_int_equal(raft_commit_index(raft), 2);
    assert_int_equal(raft_applied_index(raft), 2);
    raft_free(raft);
}

/* An install at or below the commit index is answered, not taken. */
static void raft_install_at_or_below_commit_is_answered_and_not_taken(void **state)
{
    (void)state;
    struct raft *raft = new_core(1, NULL, 0, 8);
    const raft_term terms[] = {1, 1, 1};
    struct raft_message append = append_of(2, 1, 0, 0, terms, 3);
    append.append.commit = 3;
    (void)step(raft, append);
    (void)answer_after_store(raft);
    struct raft_message notice = {.kind = RAFT_INSTALL, .from = 2, .term = 1, .install = {3, 1}};
    (void)step(raft, notice);
    struct raft_ready ready;
    raft_ready(raft, 0, &ready);
    assert_int_equal(ready.offer.from, 0);
    assert_int_equal(ready.message_count, 1);
    assert_int_equal(ready.messages[0].append_answer.index, 3);
    raft_advance(raft);
    struct raft_membership membership = {0, {1, {{1, true}}}};
    assert_false(raft_installed(raft, 3, 1, &membership));
    assert_int_equal(raft_membership(raft)->members.count, 3);
    raft_free(raft);
}

/* L12: the table of term runs is full at its maximum: taken up to there, refused beyond, and free
 * again after a compaction. */
static void raft_appends_are_cut_where_the_term_table_is_full(void **state)
{
    (void)state;
    struct raft *raft = new_core(9, NULL, 0, 3);
    const raft_term terms[] = {1, 2, 3, 3, 4, 5};
    struct raft_accepted accepted = step(raft, append_of(2, 9, 0, 0, terms, 2));
    assert_int_equal(accepted.last, 2);
    struct raft_message append = append_of(2, 9, 0, 0, terms, 6);
    append.append.commit = 6;
    accepted = step(raft, append);
    assert_int_equal(accepted.first, 3);
    assert_int_equal(accepted.last, 4);
    assert_int_equal(raft_commit_index(raft), 4);
    (void)answer_after_store(raft);
    accepted = step(raft, append);
    assert_true(accepted.last < accepted.first);
    raft_applied(raft, 4);
    raft_compacted(raft, 1);
    accepted = step(raft, append);
    assert_int_equal(accepted.first, 5);
    assert_int_equal(accepted.last, 5);
    raft_check(raft);
    raft_free(raft);
}

/* L11: what no correct peer sends is counted and changes nothing. */
static void raft_refuses_and_counts_messages_that_make_no_sense(void **state)
{
    (void)state;
    const raft_term ones[] = {1, 1}, falling[] = {2, 1}, future[] = {1, 9}, zero[] = {0};
    struct raft *raft = new_core(2, ones, 2, 8);
    struct raft_membership twice = {3, {2, {{4, true}, {4, true}}}};
    struct raft_membership nobody = {3, {1, {{4, false}}}};
    struct raft_message bad[] = {
        {.kind = RAFT_HEARTBEAT, .from = 1, .term = 2},
        {.kind = RAFT_HEARTBEAT, .from = 0, .term = 2},
        {.kind = RAFT_HEARTBEAT, .from = 2, .term = 0},
        {.kind = RAFT_HEARTBEAT, .from = 2, .term = UINT64_MAX},
        {.kind = (enum raft_message_kind)99, .from = 2, .term = 2},
        append_of(2, 2, 2, 1, falling, 2),
        append_of(2, 2, 2, 1, future, 2),
        append_of(2, 2, 0, 0, zero, 1),
        append_of(2, 2, UINT64_MAX, 1, ones, 2),
        append_of(2, 2, 2, 3, ones, 0),
        append_of(2, 2, 2, 1, ones, 1),
        append_of(2, 2, 2, 1, ones, 1),
        {.kind = RAFT_INSTALL, .from = 2, .term = 2, .install = {5, 3}},
        {.kind = RAFT_INSTALL, .from = 2, .term = 2, .install = {0, 1}},
    };
    bad[10].append.changes = &twice;
    bad[11].append.changes = &nobody;
    bad[10].append.change_count = bad[11].append.change_count = 1;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct raft_accepted accepted = step(raft, bad[i]);
        assert_true(accepted.last < accepted.first);
        assert_int_equal(raft_counters(raft).messages_refused, i + 1);
        raft_check(raft);
    }
    assert_int_equal(raft_last_index(raft), 2);
    assert_int_equal(raft_term_now(raft), 2);
    raft_free(raft);
}

/* The same for answers that reach a leader. */
static void raft_leader_refuses_answers_beyond_its_own_log_and_rounds(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_index beyond = last(net, 0) + 1;
    struct raft_message bad[] = {
        {.kind = RAFT_APPEND_ANSWER, .append_answer = {.is_accepted = true, .index = beyond}},
        {.kind = RAFT_APPEND_ANSWER, .append_answer = {.index = 0}},
        {.kind = RAFT_APPEND_ANSWER, .append_answer = {.index = 5, .hint_index = 5}},
        {.kind = RAFT_HEARTBEAT_ANSWER, .heartbeat_answer = {.round = 1000}},
        {.kind = RAFT_HEARTBEAT_ANSWER, .heartbeat_answer = {.received = beyond}},
        {.kind = RAFT_APPEND},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        bad[i].from = 2;
        bad[i].term = 1;
        (void)give(net, 0, bad[i]);
        assert_int_equal(raft_counters(raft_net_raft(net, 0)).messages_refused, i + 1);
    }
    raft_net_collect(net, 0);
    assert_true(leads(net, 0));
    assert_int_equal(commit(net, 0), beyond - 1);
}

/* Nothing is new and its link did not break, but it does not know any more that its log equals the
 * leader's: without being told it would not apply what it has until the next entry. */
static void raft_restarted_follower_of_a_quiet_leader_learns_the_commit_index(void **state)
{
    struct raft_net *net = form_led(state, 3, 3);
    raft_net_propose(net, 0);
    raft_net_run(net, net->options.config.heartbeat_us * 3, 0);
    raft_index committed = commit(net, 2);
    assert_int_equal(committed, commit(net, 0));
    restart(net, 2);
    assert_true(commit(net, 2) < committed);
    raft_net_run(net, net->options.config.heartbeat_us * 20, 0);
    assert_true(leads(net, 0));
    assert_int_equal(commit(net, 2), committed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raft_entry_commits_with_a_majority_and_not_before),
        TEST(raft_leaders_own_copy_counts_only_when_stored),
        TEST(raft_follower_acknowledges_only_what_is_stored),
        TEST(raft_follower_commits_no_further_than_its_log_is_known_to_match),
        TEST(raft_follower_refuses_entries_behind_a_gap),
        TEST(raft_follower_drops_conflicting_entries_and_all_behind),
        TEST(raft_follower_keeps_what_a_late_append_does_not_mention),
        TEST(raft_follower_refuses_to_cut_committed_entries),
        TEST(raft_completion_of_a_replaced_entry_acknowledges_nothing),
        TEST(raft_completion_from_before_a_cut_does_not_speak_for_what_came_back),
        TEST(raft_does_not_commit_older_terms_by_counting_replicas),
        TEST(raft_commits_older_terms_by_an_entry_of_its_own),
        TEST(raft_leader_finds_where_logs_meet_in_a_few_steps),
        TEST(raft_window_bounds_unanswered_appends),
        TEST(raft_cut_append_sends_the_rest_later),
        TEST(raft_lost_appends_and_acknowledgements_are_made_good),
        TEST(raft_unreachable_peer_is_probed_again),
        TEST(raft_peer_behind_the_log_is_installed_and_goes_on),
        TEST(raft_install_is_acknowledged_after_the_reset_is_stored),
        TEST(raft_install_keeps_a_log_that_holds_the_mark),
        TEST(raft_install_at_or_below_commit_is_answered_and_not_taken),
        TEST(raft_appends_are_cut_where_the_term_table_is_full),
        TEST(raft_refuses_and_counts_messages_that_make_no_sense),
        TEST(raft_leader_refuses_answers_beyond_its_own_log_and_rounds),
        TEST(raft_restarted_follower_of_a_quiet_leader_learns_the_commit_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
