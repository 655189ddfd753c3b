/* Losing the lead and winning it again: what memory knew ahead is gone, who waited is told, and
 * replies at gates of a lost leadership say what became of their entries (L1, L9). */
#include "exec_rival.h"

/* ---- what was ahead ---- */

static void what_was_replaced_is_gone_from_memory(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k old");
    uint64_t applied = shard_applied_index(shard_of(f, 0));
    write_ahead(f, &f->a, "SET k new");
    send(f, &f->b, "SET other x");
    send(f, &f->b, "DEL k");
    rival_replaces(f, 0, applied);
    box_turn(&f->box);
    f->box.puppets[0].stores_none = false;
    win(f);
    assert_string_equal(call(f, &f->a, "GET k"), "$3\r\nold\r\n");
    assert_string_equal(call(f, &f->a, "GET other"), "$-1\r\n");
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":1\r\n");
    fixture_free(f);
}

static void what_was_committed_after_all_is_there_when_the_lead_is_won_again(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "RPUSH l a");
    write_ahead(f, &f->a, "RPUSH l b");
    lose(f, 0); /* nothing is cut: the next leader is this node, with the same log */
    f->box.puppets[0].stores_none = false;
    win(f);
    assert_string_equal(call(f, &f->a, "LRANGE l 0 -1"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":1\r\n");
    fixture_free(f);
}

/* The open entry too: it was executed, and never proposed. */
static void what_was_not_even_proposed_is_gone(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k old");
    uint64_t last = shard_last_index(shard_of(f, 0));
    box_begin(&f->box);
    box_send(&f->box, &f->a, "SET k new");
    rival_leads(f, 0);
    box_collect(&f->box, 0);
    exec_follow_leadership(f->box.exec, f->box.now);
    box_end(&f->box);
    assert_int_equal(shard_last_index(shard_of(f, 0)), last);
    win(f);
    assert_string_equal(call(f, &f->a, "GET k"), "$3\r\nold\r\n");
    fixture_free(f);
}

/* ---- gates ---- */

static void a_reply_whose_entry_is_committed_by_the_next_leader_leaves(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    write_ahead(f, &f->a, "SET k v");
    lose(f, 0);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_CLOSED);
    rival_commits(f, 0);
    box_turns(&f->box, 2);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_OPEN);
    f->box.puppets[0].stores_none = false;
    win(f);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_OPEN);
    fixture_free(f);
}

static void a_reply_whose_entry_is_replaced_says_so_and_its_reads_before_do_not(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    write_ahead(f, &f->a, "SET k one");
    send(f, &f->b, "SET k two");
    uint64_t first = f->a.gates[0].index;
    assert_int_equal(f->b.gates[0].index, first + 1);
    rival_replaces(f, 0, first); /* the first of the two is in its log */
    box_turns(&f->box, 2);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_OPEN);
    assert_int_equal(gate_of(f, &f->b), EXEC_GATE_REPLACED);
    fixture_free(f);
}

/* The next leader's log is shorter: entries of a later term are applied, so those of ours can not
 * come any more, though nothing stands at their index yet. */
static void
a_reply_is_not_kept_waiting_for_an_index_that_the_next_leader_has_not_reached(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    uint64_t applied = shard_applied_index(shard_of(f, 0));
    for (int i = 0; i < 5; i++)
        write_ahead(f, &f->a, "SET k v");
    assert_int_equal(f->a.gates[0].index, applied + 5);
    rival_replaces(f, 0, applied);
    box_turns(&f->box, 2);
    assert_int_equal(shard_applied_index(shard_of(f, 0)), applied + 1);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_REPLACED);
    fixture_free(f);
}

static void a_reply_of_which_nothing_is_heard_in_time_is_unknown(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    write_ahead(f, &f->a, "SET k v");
    f->box.puppets[0].is_silent = true;
    lose(f, 0);
    f->box.now.boot_us += 5 * SECOND_US - 5000;
    box_turn(&f->box);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_CLOSED);
    box_turns(&f->box, 5);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_UNKNOWN);
    fixture_free(f);
}

static void a_gate_that_no_leadership_was_lost_over_waits_as_long_as_it_takes(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    write_ahead(f, &f->a, "SET k v");
    for (int i = 0; i < 200; i++) { /* heartbeats are answered, entries are not stored */
        f->box.now.boot_us += SECOND_US / 20;
        box_turn(&f->box);
    }
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_CLOSED);
    f->box.puppets[0].stores_none = false;
    box_wait(&f->box, &f->a);
    fixture_free(f);
}

/* Sees `changes` leaders after the entry, each with one entry. */
static enum exec_gate_state after_leaders(uint32_t changes)
{
    raft_term terms[ENTRIES_MAX];
    struct fixture *f = fixture_new(1);
    write_ahead(f, &f->a, "SET k v");
    raft_term term = raft_term_now(shard_raft(shard_of(f, 0)));
    for (uint32_t i = 0; i < changes; i++)
        terms[i] = term + 1 + i;
    uint64_t last = shard_last_index(shard_of(f, 0));
    rival_appends(f, 0, last, terms, changes, last + changes);
    box_turns(&f->box, 3);
    assert_int_equal(shard_applied_index(shard_of(f, 0)), last + changes);
    enum exec_gate_state result = gate_of(f, &f->a);
    fixture_free(f);
    return result;
}

static void gates_look_back_over_so_many_changes_of_leadership_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(after_leaders(EXEC_TERM_RUNS - 2), EXEC_GATE_OPEN);
    assert_int_equal(after_leaders(EXEC_TERM_RUNS - 1), EXEC_GATE_OPEN);
    assert_int_equal(after_leaders(EXEC_TERM_RUNS), EXEC_GATE_UNKNOWN);
}

static void a_gate_below_an_install_is_unknown(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    write_ahead(f, &f->a, "SET k v");
    lose(f, 0);
    rival_commits(f, 0);
    box_turns(&f->box, 2);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_OPEN);
    exec_reinstalled(f->box.exec, 0, shard_applied_index(shard_of(f, 0)), bytes_of(NULL, 0));
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_UNKNOWN);
    fixture_free(f);
}

/* ---- who waits ---- */

static void a_parked_request_is_sent_away_when_a_leader_is_known(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    send(f, &f->a, "BLPOP l 0");
    assert_int_equal(exec_parked_count(f->box.exec), 1);
    lose(f, 0);
    box_turns(&f->box, 3);
    assert_false(f->a.is_done);
    exec_set_leader(f->box.exec, 0, "host:7003");
    box_turns(&f->box, 2);
    assert_non_null(strstr(box_reply(&f->a), "MOVED"));
    assert_int_equal(exec_parked_count(f->box.exec), 0);
    fixture_free(f);
}

static void a_parked_request_goes_on_waiting_when_the_lead_is_won_again(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    send(f, &f->a, "BLPOP l 0");
    lose(f, 0);
    win(f);
    box_turns(&f->box, 3);
    assert_false(f->a.is_done);
    assert_int_equal(exec_parked_count(f->box.exec), 1);
    call(f, &f->b, "RPUSH l x");
    box_wait(&f->box, &f->a);
    assert_string_equal(box_reply(&f->a), "*2\r\n$1\r\nl\r\n$1\r\nx\r\n");
    fixture_free(f);
}

/* A push that is lost gave nothing to anybody. */
static void a_pop_that_a_lost_push_served_is_lost_with_it(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    uint64_t applied = shard_applied_index(shard_of(f, 0));
    send(f, &f->a, "BLPOP l 0");
    write_ahead(f, &f->b, "RPUSH l x");
    box_turn(&f->box);
    assert_true(f->a.is_done);
    assert_int_equal(f->a.request.gate_count, 1);
    rival_replaces(f, 0, applied);
    box_turns(&f->box, 2);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_REPLACED);
    assert_int_equal(gate_of(f, &f->b), EXEC_GATE_REPLACED);
    fixture_free(f);
}

static void requests_wait_for_a_leader_and_are_refused_when_none_comes(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    f->box.puppets[0].is_silent = true;
    lose(f, 0);
    exec_set_leader(f->box.exec, 0, "");
    uint64_t since = f->box.now.boot_us;
    send(f, &f->a, "GET k");
    assert_false(f->a.is_done);
    f->box.now.boot_us = since + 5 * SECOND_US - 2000;
    box_turn(&f->box);
    assert_false(f->a.is_done);
    box_turn(&f->box);
    assert_string_equal(box_reply(&f->a), "-CLUSTERDOWN The shard of slot 7629 has no leader\r\n");
    send(f, &f->b, "SET k v"); /* and who comes later need not wait */
    assert_non_null(strstr(box_reply(&f->b), "CLUSTERDOWN"));
    exec_set_leader(f->box.exec, 0, "host:7003");
    send(f, &f->b, "SET k v");
    assert_string_equal(box_reply(&f->b), "-MOVED 7629 host:7003\r\n");
    assert_true(f->b.request.has_failed);
    fixture_free(f);
}

static void requests_that_wait_are_run_when_the_lead_is_won(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    lose(f, 0);
    exec_set_leader(f->box.exec, 0, "");
    send(f, &f->a, "SET k v");
    send(f, &f->b, "GET k");
    assert_false(f->a.is_done || f->b.is_done);
    win(f);
    box_wait(&f->box, &f->a);
    box_wait(&f->box, &f->b);
    assert_string_equal(box_reply(&f->a), "+OK\r\n");
    assert_string_equal(box_reply(&f->b), "$1\r\nv\r\n");
    fixture_free(f);
}

static void a_transaction_is_sent_where_its_first_key_is(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    lose(f, 0);
    exec_set_leader(f->box.exec, 0, "[::1]:7003");
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SELECT 0\nSET k v");
    assert_string_equal(box_reply(&f->a), "-MOVED 7629 [::1]:7003\r\n");
    box_end(&f->box);
    fixture_free(f);
}

/* ---- WATCH ---- */

static void a_watch_does_not_survive_a_change_of_leader(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v");
    box_watch(&f->box, &f->a, "k");
    assert_false(f->a.watches.is_dirty);
    lose(f, 0);
    assert_true(f->a.watches.is_dirty);
    exec_unwatch(f->box.exec, &f->a.watches);
    box_watch(&f->box, &f->a, "k"); /* between two leaders, of whose changes nothing is seen */
    win(f);
    assert_true(f->a.watches.is_dirty);
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET k mine");
    box_end(&f->box);
    box_wait(&f->box, &f->a);
    assert_string_equal(box_reply(&f->a), "*-1\r\n");
    assert_string_equal(call(f, &f->b, "GET k"), "$1\r\nv\r\n");
    fixture_free(f);
}

static void a_watch_in_a_shard_that_is_kept_stays_clean(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    box_watch(&f->box, &f->a, "{b}k");
    lose(f, 1);
    assert_false(f->a.watches.is_dirty);
    fixture_free(f);
}

/* ---- reads without a lease ---- */

static void without_a_lease_a_read_waits_for_a_round_that_began_after_it_came(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v");
    f->box.limits.reads_need_quorum = true;
    exec_set_limits(f->box.exec, f->box.limits);
    f->box.puppets[0].is_silent = true;
    send(f, &f->a, "GET k");
    box_turns(&f->box, 5);
    assert_false(f->a.is_done);
    uint64_t round = f->a.request.wait.read_round;
    send(f, &f->b, "GET k"); /* when the round of the first one has left */
    box_turns(&f->box, 5);
    assert_true(f->b.request.wait.read_round > round);
    struct raft_message answer = {.kind = RAFT_HEARTBEAT_ANSWER,
                                  .from = PUPPET_NODE,
                                  .to = SHARD_NODE_ID,
                                  .term = shard_lead_term(shard_of(f, 0)),
                                  .heartbeat_answer = {.round = round}};
    shard_step(shard_of(f, 0), f->box.now.boot_us, &answer, NULL);
    box_turns(&f->box, 2);
    assert_string_equal(box_reply(&f->a), "$1\r\nv\r\n");
    assert_false(f->b.is_done);
    f->box.puppets[0].is_silent = false;
    box_turns(&f->box, 200); /* the next heartbeat */
    assert_string_equal(box_reply(&f->b), "$1\r\nv\r\n");
    fixture_free(f);
}

static void without_a_lease_a_command_over_all_shards_waits_for_a_round_in_each(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    call(f, &f->a, "SET {a}k v");
    call(f, &f->a, "SET {b}k v");
    f->box.limits.reads_need_quorum = true;
    exec_set_limits(f->box.exec, f->box.limits);
    f->box.puppets[1].is_silent = true;
    send(f, &f->a, "DBSIZE");
    box_turns(&f->box, 200);
    assert_false(f->a.is_done);
    f->box.puppets[1].is_silent = false;
    box_turns(&f->box, 200);
    assert_true(f->a.is_done);
    assert_string_equal(box_reply(&f->a), ":2\r\n");
    fixture_free(f);
}

static void a_read_that_waited_for_a_round_is_not_answered_by_the_next_term(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v");
    f->box.limits.reads_need_quorum = true;
    exec_set_limits(f->box.exec, f->box.limits);
    f->box.puppets[0].is_silent = true;
    send(f, &f->a, "GET k");
    assert_false(f->a.is_done);
    exec_set_leader(f->box.exec, 0, "host:7003");
    lose(f, 0);
    box_turns(&f->box, 2);
    assert_string_equal(box_reply(&f->a), "-MOVED 7629 host:7003\r\n");
    fixture_free(f);
}

static void no_read_is_answered_once_the_lease_has_run_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v");
    f->box.puppets[0].is_silent = true;
    box_turns(&f->box, 320); /* longer than a lease, shorter than it takes to step down */
    assert_true(exec_leads(&f->box.exec->shards[0]));
    send(f, &f->a, "GET k");
    send(f, &f->b, "SETNX k w");
    assert_false(f->a.is_done || f->b.is_done);
    f->box.puppets[0].is_silent = false;
    box_wait(&f->box, &f->a);
    box_wait(&f->box, &f->b);
    assert_string_equal(box_reply(&f->b), ":0\r\n");
    fixture_free(f);
}

/* ---- all shards ---- */

static void commands_over_all_shards_take_those_that_are_led_here(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    call(f, &f->a, "SET {b}k v");
    call(f, &f->a, "SET {a}k v");
    lose(f, 1);
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":1\r\n");
    assert_string_equal(call(f, &f->a, "KEYS *"), "*1\r\n$4\r\n{b}k\r\n");
    assert_string_equal(call(f, &f->a, "SCAN 0 COUNT 100"),
                        "*2\r\n$1\r\n0\r\n*1\r\n$4\r\n{b}k\r\n");
    assert_string_equal(call(f, &f->a, "RANDOMKEY"), "$4\r\n{b}k\r\n");
    assert_string_equal(call(f, &f->a, "FLUSHALL"), "+OK\r\n");
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":0\r\n");
    win(f);
    assert_string_equal(call(f, &f->a, "KEYS *"), "*1\r\n$4\r\n{a}k\r\n");
    fixture_free(f);
}

static void commands_over_all_shards_are_sent_away_when_none_is_led_here(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    for (uint32_t id = 0; id < 2; id++) {
        lose(f, id);
        exec_set_leader(f->box.exec, id, id == 0 ? "host:7002" : "host:7003");
    }
    send(f, &f->a, "FLUSHALL");
    assert_string_equal(box_reply(&f->a), "-MOVED 0 host:7002\r\n");
    fixture_free(f);
}

static void a_flush_of_all_shards_waits_at_a_gate_in_each(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    call(f, &f->a, "SET {a}k v");
    uint64_t applied = shard_applied_index(shard_of(f, 1));
    f->box.puppets[0].stores_none = f->box.puppets[1].stores_none = true;
    send(f, &f->a, "FLUSHALL");
    assert_true(f->a.is_done);
    assert_int_equal(f->a.request.gate_count, 2);
    f->box.puppets[0].stores_none = false;
    rival_replaces(f, 1, applied);
    box_turns(&f->box, 200);
    assert_int_equal(exec_gate_state(f->box.exec, f->a.gates[0]), EXEC_GATE_OPEN);
    assert_int_equal(exec_gate_state(f->box.exec, f->a.gates[1]), EXEC_GATE_REPLACED);
    f->box.puppets[1].stores_none = false;
    win(f);
    assert_string_equal(call(f, &f->b, "GET {a}k"), "$1\r\nv\r\n");
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_replaced_is_gone_from_memory),
        cmocka_unit_test(what_was_committed_after_all_is_there_when_the_lead_is_won_again),
        cmocka_unit_test(what_was_not_even_proposed_is_gone),
        cmocka_unit_test(a_reply_whose_entry_is_committed_by_the_next_leader_leaves),
        cmocka_unit_test(a_reply_whose_entry_is_replaced_says_so_and_its_reads_before_do_not),
        cmocka_unit_test(
            a_reply_is_not_kept_waiting_for_an_index_that_the_next_leader_has_not_reached),
        cmocka_unit_test(a_reply_of_which_nothing_is_heard_in_time_is_unknown),
        cmocka_unit_test(a_gate_that_no_leadership_was_lost_over_waits_as_long_as_it_takes),
        cmocka_unit_test(gates_look_back_over_so_many_changes_of_leadership_and_no_more),
        cmocka_unit_test(a_gate_below_an_install_is_unknown),
        cmocka_unit_test(a_parked_request_is_sent_away_when_a_leader_is_known),
        cmocka_unit_test(a_parked_request_goes_on_waiting_when_the_lead_is_won_again),
        cmocka_unit_test(a_pop_that_a_lost_push_served_is_lost_with_it),
        cmocka_unit_test(requests_wait_for_a_leader_and_are_refused_when_none_comes),
        cmocka_unit_test(requests_that_wait_are_run_when_the_lead_is_won),
        cmocka_unit_test(a_transaction_is_sent_where_its_first_key_is),
        cmocka_unit_test(a_watch_does_not_survive_a_change_of_leader),
        cmocka_unit_test(a_watch_in_a_shard_that_is_kept_stays_clean),
        cmocka_unit_test(without_a_lease_a_read_waits_for_a_round_that_began_after_it_came),
        cmocka_unit_test(without_a_lease_a_command_over_all_shards_waits_for_a_round_in_each),
        cmocka_unit_test(a_read_that_waited_for_a_round_is_not_answered_by_the_next_term),
        cmocka_unit_test(no_read_is_answered_once_the_lease_has_run_out),
        cmocka_unit_test(commands_over_all_shards_take_those_that_are_led_here),
        cmocka_unit_test(commands_over_all_shards_are_sent_away_when_none_is_led_here),
        cmocka_unit_test(a_flush_of_all_shards_waits_at_a_gate_in_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
