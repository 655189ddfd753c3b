/* Commands that see the whole keyspace, active expiry, and the gates of replies. */
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

/* ---- gates ---- */

static uint64_t gate_of(const struct box_client *client)
{
    assert_true(client->is_done);
    assert_true(client->request.gate_count <= 1);
    return client->request.gate_count == 0 ? 0 : client->gates[0].index;
}

static void each_reply_waits_for_the_newest_entry_it_shows(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET gone 1");
    call(f, &f->a, "SET still 1");
    f->box.holds_wal = true;
    send(f, &f->a, "SET k 1");
    uint64_t k = gate_of(&f->a);
    send(f, &f->a, "DEL gone");
    uint64_t gone = gate_of(&f->a);
    assert_int_equal(gone, k + 1);
    static const struct {
        const char *line;
        int entry; /* 0: none, 1: of k, 2: of gone */
    } CASES[] = {{"GET k", 1},       {"GET gone", 2},    {"GET still", 0},    {"GET never", 0},
                 {"DBSIZE", 2},      {"EXISTS gone", 2}, {"MGET still k", 1}, {"SETNX k 2", 1},
                 {"DEL gone", 2},    {"TTL k", 1},       {"RANDOMKEY", 2},    {"INCR never2", 3},
                 {"MGET k gone", 2}, {"RENAME no x", 0}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        send(f, &f->b, CASES[i].line);
        uint64_t expected[] = {0, k, gone, shard_last_index(f->box.shards[0])};
        if (CASES[i].entry == 3) {
            assert_int_equal(gate_of(&f->b), expected[3]);
            break; /* RANDOMKEY and DBSIZE would wait for it from here on */
        }
        assert_int_equal(gate_of(&f->b), expected[CASES[i].entry]);
    }
    f->box.holds_wal = false;
    box_turns(&f->box, 5);
    call(f, &f->b, "GET k");
    assert_int_equal(gate_of(&f->b), 0);
    fixture_free(f);
}

static void after_a_flush_every_reply_of_the_shard_waits_for_it(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k 1");
    f->box.holds_wal = true;
    send(f, &f->a, "FLUSHALL");
    uint64_t flush = gate_of(&f->a);
    send(f, &f->b, "GET k");
    assert_string_equal(box_reply(&f->b), "$-1\r\n");
    assert_int_equal(gate_of(&f->b), flush);
    send(f, &f->b, "DBSIZE");
    assert_int_equal(gate_of(&f->b), flush);
    f->box.holds_wal = false;
    box_turns(&f->box, 5);
    fixture_free(f);
}

/* ---- SCAN ---- */

struct seen {
    int times[256];
};

/* Notes the keys kN of a SCAN reply; returns its cursor. */
static uint64_t note_scan(const char *reply, struct seen *seen)
{
    const char *at = strchr(reply, '\n');
    at = strchr(at + 1, '\n') + 1;
    uint64_t cursor = strtoull(at, NULL, 10);
    for (at = strstr(at, "\r\nk"); at != NULL; at = strstr(at + 3, "\r\nk"))
        seen->times[strtol(at + 3, NULL, 10)]++;
    return cursor;
}

static void scan_with(struct fixture *f, const char *count, bool changes, struct seen *seen)
{
    uint64_t cursor = 0;
    int calls = 0;
    char line[64];
    do {
        (void)snprintf(line, sizeof(line), "SCAN %llu COUNT %s", (unsigned long long)cursor, count);
        cursor = note_scan(call(f, &f->a, line), seen);
        assert_true(++calls < 600);
        if (!changes)
            continue;
        (void)snprintf(line, sizeof(line), "SET k%d new", 100 + calls % 50);
        call(f, &f->b, line);
        (void)snprintf(line, sizeof(line), "DEL k%d", 150 + calls % 50);
        call(f, &f->b, line);
        if (calls % 10 == 0)
            box_restart(&f->box);
    } while (cursor != 0);
}

static void fill(struct fixture *f, int from, int to)
{
    char line[32];
    for (int i = from; i < to; i++) {
        (void)snprintf(line, sizeof(line), "SET k%d v", i);
        call(f, &f->b, line);
    }
}

static void scan_shows_each_key_once_when_nothing_changes(void **state)
{
    (void)state;
    static const char *const COUNTS[] = {"1", "2", "7", "10", "1000"};
    struct fixture *f = fixture_new(3);
    fill(f, 0, 60);
    box_restart(&f->box);
    fill(f, 60, 100); /* some in row buffers only */
    for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++) {
        struct seen seen = {{0}};
        scan_with(f, COUNTS[i], false, &seen);
        for (int k = 0; k < 100; k++)
            assert_int_equal(seen.times[k], 1);
    }
    fixture_free(f);
}

static void scan_misses_no_key_that_stays_while_others_change_and_nodes_restart(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    fill(f, 0, 100);
    fill(f, 150, 200);
    struct seen seen = {{0}};
    scan_with(f, "5", true, &seen);
    for (int k = 0; k < 100; k++)
        assert_true(seen.times[k] >= 1);
    for (int k = 200; k < 256; k++)
        assert_int_equal(seen.times[k], 0);
    fixture_free(f);
}

static void keys_are_the_rows_overlaid_by_what_is_not_applied(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "MSET gone 1 kept 1");
    box_restart(&f->box);
    f->box.holds_wal = true;
    send(f, &f->a, "DEL gone");
    send(f, &f->a, "SET fresh 1");
    send(f, &f->a, "PEXPIRE kept 5");
    box_turns(&f->box, 3); /* its head is loaded */
    assert_string_equal(box_reply(&f->a), ":1\r\n");
    f->box.now.wall_us += 10000;
    send(f, &f->b, "KEYS *");
    box_turns(&f->box, 5);
    assert_string_equal(box_reply(&f->b), "*1\r\n$5\r\nfresh\r\n");
    assert_true(gate_of(&f->b) >= gate_of(&f->a));
    f->box.holds_wal = false;
    box_turns(&f->box, 5);
    fixture_free(f);
}

/* A head whose body is on its way is a key like any other. */
static void keys_shows_a_changed_head_whose_body_is_loading(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_set_big(&f->box, &f->a, "k", 5000);
    box_restart(&f->box);
    call(f, &f->a, "TTL k");
    f->box.holds_wal = true;
    send(f, &f->a, "EXPIRE k 100");
    send(f, &f->b, "KEYS *");
    f->box.holds_readers = true;
    send(f, &f->c, "GETRANGE k 0 0");
    f->box.holds_readers = false;
    box_turns(&f->box, 5);
    assert_string_equal(box_reply(&f->b), "*1\r\n$1\r\nk\r\n");
    f->box.holds_wal = false;
    box_wait(&f->box, &f->c);
    fixture_free(f);
}

/* ---- expiry ---- */

static size_t hints(struct fixture *f)
{
    struct store *store = shard_fsm(f->box.shards[0])->store;
    struct store_read read = {.from = BYTES_LITERAL("T"), .to = BYTES_LITERAL("U")};
    read.rows_max = 1000;
    read.bytes_max = 1 << 20;
    assert_true(store_read_begin(store, &read));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(store, &read), STORE_OK);
    size_t count = read.row_count;
    store_read_fini(&read);
    return count;
}

static void cold_keys_expire_by_their_hints_without_anyone_asking(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    char line[40];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(line, sizeof(line), "SET k%d v PX %d", i, i < 15 ? 5000 : 500000);
        call(f, &f->a, line);
    }
    fill(f, 100, 200);
    box_restart(&f->box);
    box_turns(&f->box, 10);
    uint64_t loads = exec_counters(f->box.exec).loads;
    assert_int_equal(hints(f), 20);
    f->box.now.wall_us += 6000000;
    box_turns(&f->box, 500);
    assert_int_equal(hints(f), 5);
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":105\r\n");
    assert_int_equal(exec_counters(f->box.exec).expired_keys, 15);
    assert_int_equal(exec_counters(f->box.exec).loads - loads, 15); /* no other key was looked at */
    box_restart(&f->box);
    assert_string_equal(call(f, &f->a, "DBSIZE"), ":105\r\n");
    fixture_free(f);
}

static void a_reply_that_finds_a_key_expired_waits_for_its_deletion(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "DEBUG SET-ACTIVE-EXPIRE 0");
    call(f, &f->a, "SET k v PX 50");
    f->box.holds_wal = true;
    f->box.now.wall_us += 60000;
    send(f, &f->a, "GET k");
    assert_string_equal(box_reply(&f->a), "$-1\r\n");
    assert_int_equal(gate_of(&f->a), shard_last_index(f->box.shards[0]));
    assert_false(exec_gate_is_open(f->box.exec, f->a.gates[0]));
    f->box.holds_wal = false;
    box_wait(&f->box, &f->a);
    assert_int_equal(hints(f), 0);
    fixture_free(f);
}

/* Hints of a flushed database name keys that nobody has; a hint of another time is not the key's.
 */
static void stale_hints_go_and_take_no_key_with_them(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    call(f, &f->a, "SET k v PX 5000");
    call(f, &f->a, "FLUSHALL");
    call(f, &f->a, "SET k again PX 500000");
    box_restart(&f->box);
    f->box.now.wall_us += 6000000;
    box_turns(&f->box, 300);
    assert_int_equal(hints(f), 1);
    assert_string_equal(call(f, &f->a, "GET k"), "$5\r\nagain\r\n");
    fixture_free(f);
}

/* The clock of the machine may be set back: the time of the log is not (L10). */
static void time_does_not_run_back_over_a_restart(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    f->box.now.wall_us += 3600000000;
    call(f, &f->a, "SET k v PX 50");
    box_close(&f->box);
    kv_memory_crash(f->box.kv);
    f->box.now.wall_us -= 3600000000;
    box_open(&f->box);
    box_serve(&f->box);
    const char *ttl = call(f, &f->a, "PTTL k");
    assert_true(strtol(ttl + 1, NULL, 10) <= 50);
    fixture_free(f);
}

/* True when the command had to look a second time, and waited for the transaction to end. */
static bool waits_for_a_flush(struct fixture *f, char key)
{
    char set[] = "SET k v";
    set[4] = key;
    call(f, &f->a, set);
    box_restart(&f->box);
    box_turns(&f->box, 20); /* the filters are whole */
    f->box.holds_readers = true;
    send(f, &f->b, "RANDOMKEY");
    size_t jobs = worker_waiting(f->box.readers);
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SELECT 1\nGET cold\nSELECT 0\nFLUSHDB");
    box_end(&f->box);
    assert_non_null(f->box.exec->shards[0].holder);
    while (jobs-- > 0)
        (void)worker_run_one(f->box.readers);
    box_turn(&f->box);
    bool waits = !f->b.is_done;
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    box_wait(&f->box, &f->b);
    assert_int_equal(strcmp(box_reply(&f->b), "$-1\r\n") == 0, waits);
    return waits;
}

/* The database has another id then: the rows of the old one are not its keys any more. */
static void a_walk_that_waited_for_a_flush_sees_the_new_database(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    int waited = 0;
    f->a.database = 1;
    call(f, &f->a, "SET cold v");
    f->a.database = 0;
    for (char key = 'a'; key <= 'p'; key++) /* before or behind the place where it looks first */
        waited += waits_for_a_flush(f, key);
    assert_in_range(waited, 1, 15);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reply_waits_for_the_newest_entry_it_shows),
        cmocka_unit_test(after_a_flush_every_reply_of_the_shard_waits_for_it),
        cmocka_unit_test(scan_shows_each_key_once_when_nothing_changes),
        cmocka_unit_test(scan_misses_no_key_that_stays_while_others_change_and_nodes_restart),
        cmocka_unit_test(keys_are_the_rows_overlaid_by_what_is_not_applied),
        cmocka_unit_test(keys_shows_a_changed_head_whose_body_is_loading),
        cmocka_unit_test(cold_keys_expire_by_their_hints_without_anyone_asking),
        cmocka_unit_test(a_reply_that_finds_a_key_expired_waits_for_its_deletion),
        cmocka_unit_test(stale_hints_go_and_take_no_key_with_them),
        cmocka_unit_test(time_does_not_run_back_over_a_restart),
        cmocka_unit_test(a_walk_that_waited_for_a_flush_sees_the_new_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
