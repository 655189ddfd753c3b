/* Runs in the middle when the lead is lost, and rows that others put in the place of ours: nothing
 * half done is proposed, and nothing from before is taken for what is there now (L1, L7, L9). */
#include "exec_rival.h"

#include "store/row_key.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test(rows_from_others_replace_what_memory_knew),
        cmocka_unit_test(a_filter_that_was_being_filled_begins_again_after_an_install),
        cmocka_unit_test(a_run_that_was_cut_ends_in_peace_after_an_install),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
