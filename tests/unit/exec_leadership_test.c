/* Losing the lead and winning it again: what memory knew ahead is gone, who waited is told, and
 * replies at gates of a lost leadership say what became of their entries (L1, L9).
 *
 * Node 1 is the box, node 2 a puppet that votes and stores, node 3 leads when the test says so. */
#include "exec_box.h"

#include "base/mem.h"
#include "store/row_key.h"

enum { ENTRIES_MAX = 64, SECOND_US = 1000000 };

struct fixture {
    struct exec_box box;
    struct box_client a, b, c;
};

static struct fixture *fixture_new(uint32_t shards)
{
    struct fixture *f = mem_zero(sizeof(*f));
    f->box.has_peers = true;
    box_init(&f->box, shards);
    box_client_init(&f->a);
    box_client_init(&f->b);
    box_client_init(&f->c);
    box_serve(&f->box);
    return f;
}

static void fixture_free(struct fixture *f)
{
    box_client_fini(&f->box, &f->a);
    box_client_fini(&f->box, &f->b);
    box_client_fini(&f->box, &f->c);
    box_fini(&f->box);
    mem_free(f);
}

static const char *call(struct fixture *f, struct box_client *client, const char *line)
{
    return box_call(&f->box, client, line);
}

static void send(struct fixture *f, struct box_client *client, const char *line)
{
    box_begin(&f->box);
    box_send(&f->box, client, line);
    box_end(&f->box);
}

static struct shard *shard_of(struct fixture *f, uint32_t id)
{
    return f->box.shards[id];
}

/* ---- the rival ---- */

static void rival_sends(struct fixture *f, uint32_t id, struct raft_message *message)
{
    struct entry_view entries[ENTRIES_MAX] = {{0}};
    assert_true(message->kind != RAFT_APPEND || message->append.count <= ENTRIES_MAX);
    for (uint32_t i = 0; message->kind == RAFT_APPEND && i < message->append.count; i++)
        entries[i] = (struct entry_view){.kind = ENTRY_NOOP, .term = message->append.terms[i]};
    message->from = PUPPET_RIVAL;
    message->to = SHARD_NODE_ID;
    shard_step(shard_of(f, id), f->box.now.boot_us, message, entries);
}

/* No-ops of these terms behind prev, the last one the rival's own. */
static void rival_appends(struct fixture *f, uint32_t id, uint64_t prev, const raft_term *terms,
                          uint32_t count, uint64_t commit)
{
    struct raft *raft = shard_raft(shard_of(f, id));
    struct raft_message message = {
        .kind = RAFT_APPEND,
        .term = terms[count - 1],
        .append = {.prev_index = prev,
                   .prev_term = raft_term_at(raft, prev),
                   .commit = commit,
                   .count = count,
                   .terms = terms},
    };
    rival_sends(f, id, &message);
}

/* It leads, and says nothing of entries. */
static void rival_leads(struct fixture *f, uint32_t id)
{
    struct raft_message message = {.kind = RAFT_HEARTBEAT,
                                   .term = raft_term_now(shard_raft(shard_of(f, id))) + 1,
                                   .heartbeat = {.round = 1}};
    rival_sends(f, id, &message);
}

/* It leads, and its first entry stands behind prev: what we have there is replaced. */
static void rival_replaces(struct fixture *f, uint32_t id, uint64_t prev)
{
    raft_term term = raft_term_now(shard_raft(shard_of(f, id))) + 1;
    rival_appends(f, id, prev, &term, 1, prev + 1);
}

/* It leads, and our newest entry is committed after all, and its own behind it. */
static void rival_commits(struct fixture *f, uint32_t id)
{
    rival_replaces(f, id, shard_last_index(shard_of(f, id)));
}

static void lose(struct fixture *f, uint32_t id)
{
    rival_leads(f, id);
    box_turn(&f->box);
    assert_false(exec_leads(&f->box.exec->shards[id]));
}

/* The turn in which the lead is won may still be going on: one more, and it is executed in. */
static void win(struct fixture *f)
{
    box_serve(&f->box);
    box_turn(&f->box);
}

/* A write that is not committed, only proposed; its gate is the client's first. */
static void write_ahead(struct fixture *f, struct box_client *client, const char *line)
{
    f->box.puppets[0].stores_none = true;
    send(f, client, line);
    assert_true(client->is_done);
    assert_int_equal(client->request.gate_count, 1);
    assert_int_equal(exec_gate_state(f->box.exec, client->gates[0]), EXEC_GATE_CLOSED);
}

static enum exec_gate_state gate_of(struct fixture *f, const struct box_client *client)
{
    return exec_gate_state(f->box.exec, client->gates[0]);
}

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

/* ---- runs in the middle ---- */

static const char *const MOVED_0 = "-MOVED 0 host:7003\r\n";

/* A transaction that has changed `n` and waits for a cold key. */
static void suspend(struct fixture *f, const char *lines)
{
    f->a.database = 1;
    call(f, &f->a, "SET cold v");
    f->a.database = 0;
    box_restart(&f->box);
    call(f, &f->a, "SET n 1");
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, lines);
    box_end(&f->box);
    assert_false(f->a.is_done);
    assert_non_null(f->box.exec->shards[0].holder);
}

static void a_suspended_transaction_ends_without_a_change_and_is_sent_away(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    suspend(f, "INCR n\nSELECT 1\nAPPEND cold x\nSELECT 0\nINCR n");
    uint64_t last = shard_last_index(shard_of(f, 0));
    exec_set_leader(f->box.exec, 0, "host:7003"); /* was told before the core stepped down */
    lose(f, 0);
    assert_string_equal(box_reply(&f->a), MOVED_0);
    assert_int_equal(f->a.request.gate_count, 0);
    assert_true(f->a.request.has_failed && f->a.request.changes == 0);
    assert_int_equal(f->a.database, 0);
    assert_null(f->box.exec->shards[0].holder);
    assert_int_equal(shard_last_index(shard_of(f, 0)), last);
    f->box.holds_readers = false;
    exec_set_leader(f->box.exec, 0, "");
    win(f);
    assert_string_equal(call(f, &f->a, "GET n"), "$1\r\n1\r\n");
    f->a.database = 1;
    assert_string_equal(call(f, &f->a, "GET cold"), "$1\r\nv\r\n");
    fixture_free(f);
}

/* What it had in its open entry is more than closes an entry by itself. */
static void a_suspended_transaction_with_a_full_entry_proposes_none_of_it(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    struct buf lines = {0};
    buf_append_string(&lines, "SET big ");
    memset(buf_extend(&lines, EXEC_ENTRY_CLOSE_SIZE + 1), 'x', EXEC_ENTRY_CLOSE_SIZE + 1);
    buf_append_string(&lines, "\nSELECT 1\nGET cold");
    buf_append_u8(&lines, 0);
    suspend(f, (const char *)lines.data);
    assert_true(f->box.exec->shards[0].hot->open_size >= EXEC_ENTRY_CLOSE_SIZE);
    uint64_t last = shard_last_index(shard_of(f, 0));
    lose(f, 0);
    assert_true(f->a.is_done);
    assert_int_equal(shard_last_index(shard_of(f, 0)), last);
    f->box.holds_readers = false;
    win(f);
    f->a.database = 0;
    assert_string_equal(call(f, &f->a, "EXISTS big"), ":0\r\n");
    buf_free(&lines);
    fixture_free(f);
}

static void a_suspended_transaction_of_another_shard_goes_on(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2); /* {b} lies in shard 0, {a} in shard 1 */
    f->a.database = 1;
    call(f, &f->a, "SET {b}cold v");
    f->a.database = 0;
    box_restart(&f->box);
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "INCR {b}n\nSELECT 1\nGET {b}cold");
    box_end(&f->box);
    assert_false(f->a.is_done);
    lose(f, 1);
    assert_false(f->a.is_done);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    assert_string_equal(box_reply(&f->a), "*3\r\n:1\r\n+OK\r\n$1\r\nv\r\n");
    fixture_free(f);
}

/* It has the keys of all shards to look at, and an entry of its own open in one: that is proposed
 * whole or not at all, whatever becomes of the others. */
static void a_transaction_that_looks_at_a_lost_shard_is_still_one_entry(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    call(f, &f->a, "SET {b}k v");
    call(f, &f->a, "SET {a}k v");
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET {b}one 1\nKEYS *\nSET {b}two 2");
    box_end(&f->box);
    assert_false(f->a.is_done);
    lose(f, 1);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    const char *one = call(f, &f->b, "EXISTS {b}one {b}two");
    bool is_whole = strcmp(one, ":2\r\n") == 0 && strncmp(box_reply(&f->a), "*3\r\n", 4) == 0;
    bool is_nothing = strcmp(one, ":0\r\n") == 0 && box_reply(&f->a)[0] == '-';
    assert_true(is_whole || is_nothing);
    fixture_free(f);
}

static void
a_transaction_that_reads_a_shard_while_it_is_lost_gets_an_error_in_that_place(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    call(f, &f->a, "SET {a}k v");
    box_turns(&f->box, 5);
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET {b}one 1\nKEYS *\nSET {b}two 2");
    box_end(&f->box);
    while (worker_run_one(f->box.readers)) /* the first shard's keys */
        continue;
    box_turn(&f->box);
    assert_false(f->a.is_done);
    lose(f, 1);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    assert_string_equal(
        box_reply(&f->a),
        "*3\r\n+OK\r\n-TRYAGAIN A shard was lost while its keys were read\r\n+OK\r\n");
    assert_string_equal(call(f, &f->b, "EXISTS {b}one {b}two"), ":2\r\n");
    fixture_free(f);
}

/* Its count of the lost shard was ahead, and replaced since. */
static void
what_a_transaction_saw_of_a_shard_waits_at_the_gate_of_the_lead_it_was_seen_in(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    f->a.database = 1;
    call(f, &f->a, "SET {b}cold v");
    f->a.database = 0;
    box_restart(&f->box);
    uint64_t applied = shard_applied_index(shard_of(f, 1));
    f->box.puppets[1].stores_none = true;
    send(f, &f->b, "SET {a}k v");
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET {b}k v\nDBSIZE\nSELECT 1\nGET {b}cold");
    box_end(&f->box);
    assert_false(f->a.is_done);
    rival_replaces(f, 1, applied);
    box_turns(&f->box, 2);
    f->box.holds_readers = false;
    f->box.puppets[1].stores_none = false;
    box_turns(&f->box, 5);
    assert_true(f->a.is_done);
    bool is_lost = box_reply(&f->a)[0] == '-';
    for (int i = 0; i < f->a.request.gate_count; i++)
        is_lost |= exec_gate_state(f->box.exec, f->a.gates[i]) == EXEC_GATE_REPLACED;
    assert_true(is_lost);
    fixture_free(f);
}

static void what_was_seen_in_a_lost_lead_is_not_covered_by_what_is_seen_in_the_next(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    f->a.database = 1;
    call(f, &f->a, "SET {b}cold v");
    f->a.database = 0;
    box_restart(&f->box);
    uint64_t applied = shard_applied_index(shard_of(f, 1));
    f->box.puppets[1].stores_none = true;
    send(f, &f->b, "SET {a}lost v");
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "DBSIZE\nSELECT 1\nGET {b}cold\nSELECT 0\nDBSIZE");
    box_end(&f->box);
    assert_false(f->a.is_done);
    rival_replaces(f, 1, applied);
    f->box.puppets[1].stores_none = false;
    box_turns(&f->box, 2);
    win(f);
    f->box.puppets[1].stores_none = true;
    send(f, &f->c, "SET {a}next v"); /* ahead again: the second count waits for it */
    assert_true(f->c.is_done);
    f->box.holds_readers = false;
    box_turns(&f->box, 5);
    f->box.puppets[1].stores_none = false;
    box_wait(&f->box, &f->c);
    assert_true(f->a.is_done);
    assert_string_equal(box_reply(&f->a), "*5\r\n:1\r\n+OK\r\n$1\r\nv\r\n+OK\r\n:1\r\n");
    assert_int_equal(f->a.request.gate_count, 1);
    assert_int_equal(gate_of(f, &f->a), EXEC_GATE_REPLACED);
    fixture_free(f);
}

static void walks_of_a_lost_shard_are_sent_away(void **state)
{
    (void)state;
    static const char *const LINES[] = {"KEYS *", "SCAN 0", "RANDOMKEY", "DEBUG RELOAD"};
    for (size_t i = 0; i < COUNT_OF(LINES); i++) {
        struct fixture *f = fixture_new(1);
        call(f, &f->a, "SET k v");
        box_restart(&f->box);
        f->box.holds_readers = true;
        send(f, &f->a, LINES[i]);
        box_turns(&f->box, 3);
        assert_false(f->a.is_done);
        exec_set_leader(f->box.exec, 0, "host:7003");
        lose(f, 0);
        uint64_t last = shard_last_index(shard_of(f, 0));
        rival_commits(f, 0); /* entries of others are applied while it waits */
        box_turns(&f->box, 2);
        f->box.holds_readers = false;
        box_turns(&f->box, 10);
        assert_string_equal(box_reply(&f->a), MOVED_0);
        assert_int_equal(shard_last_index(shard_of(f, 0)), last + 1);
        assert_true(list_is_empty(&f->box.exec->runs));
        fixture_free(f);
    }
}

static void a_walk_over_several_shards_names_the_one_that_was_lost(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    f->box.holds_readers = true;
    send(f, &f->a, "KEYS *");
    assert_false(f->a.is_done);
    exec_set_leader(f->box.exec, 1, "host:7003");
    lose(f, 1);
    f->box.holds_readers = false;
    box_turns(&f->box, 3);
    assert_string_equal(box_reply(&f->a), "-MOVED 8192 host:7003\r\n");
    fixture_free(f);
}

static void a_request_that_waits_for_a_key_is_sent_away_and_its_load_forgotten(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v");
    box_restart(&f->box);
    f->box.holds_readers = true;
    send(f, &f->a, "GET k");
    assert_false(f->a.is_done);
    exec_set_leader(f->box.exec, 0, "host:7003");
    lose(f, 0);
    f->box.holds_readers = false;
    box_turns(&f->box, 3);
    assert_string_equal(box_reply(&f->a), "-MOVED 7629 host:7003\r\n");
    exec_set_leader(f->box.exec, 0, "");
    win(f);
    assert_string_equal(call(f, &f->a, "GET k"), "$1\r\nv\r\n");
    fixture_free(f);
}

/* A run that waits in the middle has the next index: a change of members must not take it. */
static void the_next_index_is_spoken_for_while_an_entry_is_open(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    assert_false(exec_holds_entry(f->box.exec, 0));
    suspend(f, "INCR n\nSELECT 1\nGET cold");
    assert_true(exec_holds_entry(f->box.exec, 0));
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    assert_false(exec_holds_entry(f->box.exec, 0));
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

/* ---- rows that came from others ---- */

/* M and N rows as LevelDB has them, as an install brings them. */
static struct buf meta_rows(struct fixture *f)
{
    struct store *store = shard_fsm(shard_of(f, 0))->store;
    struct buf rows = {0};
    struct store_read read = {.rows_max = SIZE_MAX, .bytes_max = SIZE_MAX};
    assert_true(store_read_begin(store, &read));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(store, &read), STORE_OK);
    struct bytes rest = buf_bytes(&read.rows);
    struct row row;
    while (rows_next(&rest, &row) == ROWS_OK) {
        if (row.key.data[0] == ROW_KIND_META || row.key.data[0] == ROW_KIND_KEYSPACE)
            rows_append(&rows, ROW_PUT, row.key, row.value);
    }
    store_read_fini(&read);
    return rows;
}

static void rows_from_others_replace_what_memory_knew(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "FLUSHDB"); /* the database's id is not the first one any more */
    call(f, &f->a, "SET one 1");
    call(f, &f->a, "SET two 2");
    f->a.database = 3;
    call(f, &f->a, "SET three 3");
    f->a.database = 0;
    f->box.wants_flush = true;
    box_turns(&f->box, 10);
    struct buf rows = meta_rows(f);
    lose(f, 0);
    uint64_t applied = shard_applied_index(shard_of(f, 0));
    exec_reinstalled(f->box.exec, 0, applied, bytes_of(NULL, 0)); /* rows of an empty shard */
    assert_int_equal(exec_database_counts(f->box.exec, 0).keys, 0);
    assert_int_equal(exec_database_counts(f->box.exec, 3).in_memory, 0);
    exec_reinstalled(f->box.exec, 0, applied, buf_bytes(&rows));
    assert_int_equal(exec_database_counts(f->box.exec, 0).keys, 2);
    assert_int_equal(exec_database_counts(f->box.exec, 0).in_memory, 0);
    assert_int_equal(exec_database_counts(f->box.exec, 3).keys, 1);
    win(f);
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":2\r\n");
    assert_string_equal(call(f, &f->a, "GET two"), "$1\r\n2\r\n");
    assert_string_equal(call(f, &f->a, "SETNX one x"), ":0\r\n");
    assert_string_equal(call(f, &f->a, "SETNX new x"), ":1\r\n");
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":3\r\n");
    buf_free(&rows);
    fixture_free(f);
}

/* A filter of which the first half was filled from other rows must not be taken for whole: its "no"
 * would lose a key. */
static void a_filter_that_was_being_filled_begins_again_after_an_install(void **state)
{
    (void)state;
    enum { KEYS = 6000 }; /* more than one slice */
    struct fixture *f = fixture_new(1);
    char line[64];
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(line, sizeof(line), "SET key:%d v", i);
        box_begin(&f->box);
        box_send(&f->box, &f->a, line);
        box_end(&f->box);
    }
    box_restart(&f->box);
    struct buf rows = meta_rows(f);
    f->box.holds_readers = true;
    box_turns(&f->box, 2);
    for (size_t jobs = worker_waiting(f->box.readers); jobs > 0; jobs--)
        (void)worker_run_one(f->box.readers); /* one slice of the filter among them */
    box_turns(&f->box, 1);
    struct keyspace *keyspace = f->box.exec->shards[0].hot->databases[0];
    assert_false(keyspace->filter_is_whole); /* somewhere in the middle */
    lose(f, 0);
    f->box.holds_readers = false;
    exec_reinstalled(f->box.exec, 0, shard_applied_index(shard_of(f, 0)), buf_bytes(&rows));
    win(f);
    box_turns(&f->box, 200);
    keyspace = f->box.exec->shards[0].hot->databases[0];
    assert_true(keyspace->filter_is_whole);
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(line, sizeof(line), "EXISTS key:%d", i);
        assert_string_equal(call(f, &f->a, line), ":1\r\n");
    }
    buf_free(&rows);
    fixture_free(f);
}

static void a_run_that_was_cut_ends_in_peace_after_an_install(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v");
    box_restart(&f->box);
    f->box.holds_readers = true;
    send(f, &f->a, "KEYS *");
    exec_set_leader(f->box.exec, 0, "host:7003");
    lose(f, 0);
    exec_reinstalled(f->box.exec, 0, shard_applied_index(shard_of(f, 0)), bytes_of(NULL, 0));
    box_turns(&f->box, 3); /* what memory had is freed by a helper */
    f->box.holds_readers = false;
    box_turns(&f->box, 3);
    assert_string_equal(box_reply(&f->a), MOVED_0);
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
        cmocka_unit_test(a_suspended_transaction_ends_without_a_change_and_is_sent_away),
        cmocka_unit_test(a_suspended_transaction_with_a_full_entry_proposes_none_of_it),
        cmocka_unit_test(a_suspended_transaction_of_another_shard_goes_on),
        cmocka_unit_test(a_transaction_that_looks_at_a_lost_shard_is_still_one_entry),
        cmocka_unit_test(
            a_transaction_that_reads_a_shard_while_it_is_lost_gets_an_error_in_that_place),
        cmocka_unit_test(
            what_a_transaction_saw_of_a_shard_waits_at_the_gate_of_the_lead_it_was_seen_in),
        cmocka_unit_test(what_was_seen_in_a_lost_lead_is_not_covered_by_what_is_seen_in_the_next),
        cmocka_unit_test(walks_of_a_lost_shard_are_sent_away),
        cmocka_unit_test(a_walk_over_several_shards_names_the_one_that_was_lost),
        cmocka_unit_test(a_request_that_waits_for_a_key_is_sent_away_and_its_load_forgotten),
        cmocka_unit_test(the_next_index_is_spoken_for_while_an_entry_is_open),
        cmocka_unit_test(a_parked_request_is_sent_away_when_a_leader_is_known),
        cmocka_unit_test(a_parked_request_goes_on_waiting_when_the_lead_is_won_again),
        cmocka_unit_test(a_pop_that_a_lost_push_served_is_lost_with_it),
        cmocka_unit_test(requests_wait_for_a_leader_and_are_refused_when_none_comes),
        cmocka_unit_test(requests_that_wait_are_run_when_the_lead_is_won),
        cmocka_unit_test(a_transaction_is_sent_where_its_first_key_is),
        cmocka_unit_test(a_watch_does_not_survive_a_change_of_leader),
        cmocka_unit_test(a_watch_in_a_shard_that_is_kept_stays_clean),
        cmocka_unit_test(rows_from_others_replace_what_memory_knew),
        cmocka_unit_test(a_filter_that_was_being_filled_begins_again_after_an_install),
        cmocka_unit_test(a_run_that_was_cut_ends_in_peace_after_an_install),
        cmocka_unit_test(without_a_lease_a_read_waits_for_a_round_that_began_after_it_came),
        cmocka_unit_test(a_read_that_waited_for_a_round_is_not_answered_by_the_next_term),
        cmocka_unit_test(no_read_is_answered_once_the_lease_has_run_out),
        cmocka_unit_test(commands_over_all_shards_take_those_that_are_led_here),
        cmocka_unit_test(commands_over_all_shards_are_sent_away_when_none_is_led_here),
        cmocka_unit_test(a_flush_of_all_shards_waits_at_a_gate_in_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
