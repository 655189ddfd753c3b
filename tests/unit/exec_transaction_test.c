/* EXEC: one entry whatever happens in the middle, a suspended shard, WATCH, refusals, routes. */
#include "exec_box.h"

#include "base/mem.h"

struct fixture {
    struct exec_box box;
    struct box_client a, b, c;
};

static struct fixture *fixture_new(uint32_t shards)
{
    struct fixture *f = mem_zero(sizeof(*f));
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

static const char *transact(struct fixture *f, struct box_client *client, const char *lines)
{
    box_begin(&f->box);
    box_exec(&f->box, client, lines);
    box_end(&f->box);
    box_wait(&f->box, client);
    return box_reply(client);
}

/* ---- the suspended shard ---- */

static void a_shard_whose_transaction_waits_executes_nothing_else(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2); /* {b} lies in shard 0, {a} in shard 1 */
    f->a.database = 1;
    call(f, &f->a, "SET {b}cold v");
    f->a.database = 0;
    box_restart(&f->box);
    call(f, &f->a, "SET {b}n 1");
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "INCR {b}n\nSELECT 1\nGET {b}cold\nSELECT 0\nINCR {b}n");
    box_end(&f->box);
    assert_false(f->a.is_done);
    assert_int_equal(exec_counters(f->box.exec).suspensions, 1);
    send(f, &f->b, "GET {b}n");
    box_turns(&f->box, 5);
    assert_false(f->b.is_done);
    assert_string_equal(call(f, &f->c, "SET {a}k v"), "+OK\r\n"); /* the other shard goes on */
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    box_wait(&f->box, &f->b);
    assert_string_equal(box_reply(&f->a), "*5\r\n:2\r\n+OK\r\n$1\r\nv\r\n+OK\r\n:3\r\n");
    assert_string_equal(box_reply(&f->b), "$1\r\n3\r\n");
    fixture_free(f);
}

/* Entries that are proposed while the run waits in the middle must not hold half of its changes,
 * not even of keys that others changed earlier in the same turn. */
static void a_transaction_that_waits_is_one_entry(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    f->a.database = 1;
    call(f, &f->a, "SET cold v");
    f->a.database = 0;
    call(f, &f->a, "SET n 1");
    box_restart(&f->box);
    call(f, &f->a, "GET n");
    box_begin(&f->box);
    box_send(&f->box, &f->b, "INCR n");
    f->box.holds_readers = true;
    box_exec(&f->box, &f->a, "INCR n\nSELECT 1\nGET cold\nSELECT 0\nINCR n");
    box_end(&f->box);
    assert_false(f->a.is_done);
    box_turns(&f->box, 5);
    /* What is in the log now survives a crash: the others' change perhaps, nothing of the run. */
    uint64_t index = shard_last_index(f->box.shards[0]);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    assert_string_equal(box_reply(&f->a), "*5\r\n:3\r\n+OK\r\n$1\r\nv\r\n+OK\r\n:4\r\n");
    assert_int_equal(f->a.request.gate_count, 1);
    assert_int_equal(f->a.gates[0].index, shard_last_index(f->box.shards[0]));
    assert_true(f->a.gates[0].index <= index + 1);
    assert_int_equal(f->b.gates[0].index, f->a.gates[0].index);
    fixture_free(f);
}

static void keys_inside_a_transaction_sees_its_changes_and_nobody_elses(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET one 1");
    box_restart(&f->box);
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET two 2\nDEL one\nKEYS *\nSET three 3\nDBSIZE");
    box_send(&f->box, &f->b, "SET four 4");
    box_end(&f->box);
    box_turns(&f->box, 3);
    assert_false(f->a.is_done);
    assert_false(f->b.is_done);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    box_wait(&f->box, &f->b);
    assert_string_equal(box_reply(&f->a), "*5\r\n+OK\r\n:1\r\n*1\r\n$3\r\ntwo\r\n+OK\r\n:2\r\n");
    fixture_free(f);
}

static void a_run_that_has_begun_cannot_be_cancelled(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    f->a.database = 1;
    call(f, &f->a, "SET cold v");
    f->a.database = 0;
    box_restart(&f->box);
    f->box.holds_readers = true;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET n 1\nSELECT 1\nGET cold\nSELECT 0\nSET m 2");
    box_end(&f->box);
    assert_false(exec_cancel(f->box.exec, &f->a.request));
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    assert_string_equal(call(f, &f->b, "MGET n m"), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    fixture_free(f);
}

/* ---- WATCH ---- */

struct watch_case {
    const char *setup, *change;
    bool is_dirtied;
};

static void a_watched_key_that_changes_ends_the_transaction(void **state)
{
    (void)state;
    static const struct watch_case CASES[] = {
        {"SET w 1", "SET w 1", true},      {"SET w 1", "SET other 1", false},
        {"SET w 1", "GET w", false},       {"SET w 1", "DEL w", true},
        {"DEL w", "DEL w", false},         {"DEL w", "SET w 1", true},
        {"SET w 1", "EXPIRE w 100", true}, {"SET w 1", "SETNX w 2", false},
        {"SET w 1", "FLUSHALL", true},     {"DEL w", "FLUSHALL", false},
        {"SET w 1", "SWAPDB 0 1", true},   {"DEL w", "SWAPDB 0 1", false},
        {"SET w 1", "RENAME w v", true},   {"SET w 1", "APPEND w x", true},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct fixture *f = fixture_new(1);
        call(f, &f->a, CASES[i].setup);
        box_watch(&f->box, &f->a, "w");
        call(f, &f->b, CASES[i].change);
        const char *reply = transact(f, &f->a, "SET done 1");
        assert_string_equal(reply, CASES[i].is_dirtied ? "*-1\r\n" : "*1\r\n+OK\r\n");
        fixture_free(f);
    }
}

static void a_watched_key_that_expires_ends_the_transaction(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET w 1 PX 50");
    box_watch(&f->box, &f->a, "w");
    assert_string_equal(transact(f, &f->a, "SET done 1"), "*1\r\n+OK\r\n");
    box_watch(&f->box, &f->b, "w");
    f->box.now.wall_us += 60000;
    assert_string_equal(transact(f, &f->b, "SET done 2"), "*-1\r\n");
    assert_string_equal(call(f, &f->a, "GET done"), "$1\r\n1\r\n");
    fixture_free(f);
}

/* The one who made it dirty may not be committed yet: nil must not be seen before that. */
static void a_nil_exec_waits_for_what_it_saw(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_watch(&f->box, &f->a, "w");
    f->box.holds_wal = true;
    send(f, &f->b, "SET w 1");
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET done 1");
    box_end(&f->box);
    assert_string_equal(box_reply(&f->a), "*-1\r\n");
    assert_int_equal(f->a.request.gate_count, 1);
    assert_int_equal(f->a.gates[0].index, f->b.gates[0].index);
    assert_false(exec_gate_is_open(f->box.exec, f->a.gates[0]));
    f->box.holds_wal = false;
    box_wait(&f->box, &f->a);
    fixture_free(f);
}

/* ---- refusals and routes ---- */

static void refused_writes_leave_reads_and_read_only_transactions(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v");
    exec_refuse_writes(f->box.exec, "MISCONF no");
    assert_string_equal(call(f, &f->a, "SET k w"), "-MISCONF no\r\n");
    assert_string_equal(call(f, &f->a, "FLUSHALL"), "-MISCONF no\r\n");
    assert_string_equal(call(f, &f->a, "GET k"), "$1\r\nv\r\n");
    assert_string_equal(transact(f, &f->a, "GET k\nSET k w"),
                        "-EXECABORT Transaction discarded because of: MISCONF no\r\n");
    assert_string_equal(transact(f, &f->a, "GET k\nDBSIZE"), "*2\r\n$1\r\nv\r\n:1\r\n");
    exec_refuse_writes(f->box.exec, NULL);
    assert_string_equal(call(f, &f->a, "SET k w"), "+OK\r\n");
    fixture_free(f);
}

/* PFCOUNT keeps its count in the value, where nobody but a later PFCOUNT looks. */
static void refused_writes_leave_counts_that_are_not_kept(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    static const char OLD[] = "*1\r\n:128\r\n", KEPT[] = "*1\r\n:0\r\n"; /* byte 15 of the value */
    call(f, &f->a, "PFADD k a b c");
    exec_refuse_writes(f->box.exec, "MISCONF no");
    assert_string_equal(call(f, &f->a, "PFCOUNT k"), ":3\r\n");
    assert_string_equal(call(f, &f->a, "BITFIELD_RO k GET u8 #15"), OLD);
    exec_refuse_writes(f->box.exec, NULL);
    assert_string_equal(call(f, &f->a, "PFCOUNT k"), ":3\r\n");
    assert_string_equal(call(f, &f->a, "BITFIELD_RO k GET u8 #15"), KEPT);
    box_restart(&f->box);
    box_serve(&f->box);
    assert_string_equal(call(f, &f->a, "BITFIELD_RO k GET u8 #15"), KEPT);
    fixture_free(f);
}

static void keys_of_two_shards_in_one_request_are_refused(void **state)
{
    (void)state;
    static const char CROSS[] = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
    struct fixture *f = fixture_new(2);
    assert_string_equal(call(f, &f->a, "MSET {a}1 1 {b}1 1"), CROSS);
    assert_string_equal(call(f, &f->a, "MSET {a}1 1 {a}2 1"), "+OK\r\n");
    assert_string_equal(call(f, &f->a, "RENAME {a}1 {b}1"), CROSS);
    assert_string_equal(transact(f, &f->a, "SET {a}1 2\nSET {b}1 2"), CROSS);
    assert_string_equal(transact(f, &f->a, "SET {a}1 2\nFLUSHALL"), CROSS);
    box_watch(&f->box, &f->a, "{b}w");
    assert_string_equal(transact(f, &f->a, "SET {a}1 3"), CROSS);
    exec_unwatch(f->box.exec, &f->a.watches);
    assert_string_equal(call(f, &f->a, "MGET {a}1 {a}2"), "*2\r\n$1\r\n1\r\n$1\r\n1\r\n");
    fixture_free(f);
}

/* Under a budget that holds neither, a command in a transaction may look at two cold keys: the
 * first must not be paged out while the second is awaited. */
static void what_a_suspended_command_holds_is_not_paged_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    f->a.database = 1;
    box_set_big(&f->box, &f->a, "one", 1500);
    box_set_big(&f->box, &f->a, "two", 1600);
    f->a.database = 0;
    f->box.limits.memory_max = 1;
    box_restart(&f->box);
    assert_string_equal(transact(f, &f->a, "SELECT 1\nLCS one two LEN"), "*2\r\n+OK\r\n:1500\r\n");
    assert_string_equal(transact(f, &f->a, "SELECT 1\nRENAME one two\nSTRLEN two"),
                        "*3\r\n+OK\r\n+OK\r\n:1500\r\n");
    assert_string_equal(transact(f, &f->a, "SELECT 1\nCOPY two three\nDEL two"),
                        "*3\r\n+OK\r\n:1\r\n:1\r\n");
    f->a.database = 1;
    assert_string_equal(call(f, &f->a, "STRLEN three"), ":1500\r\n");
    fixture_free(f);
}

static void a_read_that_fails_once_in_a_transaction_is_tried_again(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    f->a.database = 1;
    call(f, &f->a, "SET cold v");
    f->a.database = 0;
    box_restart(&f->box);
    call(f, &f->a, "DEBUG SET-ACTIVE-EXPIRE 0");
    box_turns(&f->box, 20); /* the filter is read */
    /* Behind the SELECT the key is not loaded ahead: the run meets it in the middle. */
    kv_memory_fail(f->box.kv, KV_MEMORY_FAULT_READ_IO, false);
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET before 1\nSELECT 1\nAPPEND cold x\nSET after 2");
    box_end(&f->box);
    assert_false(f->a.is_done);
    box_turns(&f->box, 3000); /* LevelDB is opened again */
    assert_true(exec_counters(f->box.exec).load_errors > 0);
    box_wait(&f->box, &f->a);
    assert_string_equal(box_reply(&f->a), "*4\r\n+OK\r\n+OK\r\n:2\r\n+OK\r\n");
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_that_fails_once_in_a_transaction_is_tried_again),
        cmocka_unit_test(a_shard_whose_transaction_waits_executes_nothing_else),
        cmocka_unit_test(a_transaction_that_waits_is_one_entry),
        cmocka_unit_test(keys_inside_a_transaction_sees_its_changes_and_nobody_elses),
        cmocka_unit_test(a_run_that_has_begun_cannot_be_cancelled),
        cmocka_unit_test(a_watched_key_that_changes_ends_the_transaction),
        cmocka_unit_test(a_watched_key_that_expires_ends_the_transaction),
        cmocka_unit_test(a_nil_exec_waits_for_what_it_saw),
        cmocka_unit_test(refused_writes_leave_reads_and_read_only_transactions),
        cmocka_unit_test(refused_writes_leave_counts_that_are_not_kept),
        cmocka_unit_test(keys_of_two_shards_in_one_request_are_refused),
        cmocka_unit_test(what_a_suspended_command_holds_is_not_paged_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
