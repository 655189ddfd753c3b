/* Cold keys: loads, what waits for them, what ends them, and what must not happen meanwhile. */
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

/* Sends without waiting, in a turn of its own. */
static void send(struct fixture *f, struct box_client *client, const char *line)
{
    box_begin(&f->box);
    box_send(&f->box, client, line);
    box_end(&f->box);
}

static void cold_values_of_every_form_come_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_call(&f->box, &f->a, "SET number 42");
    box_call(&f->box, &f->a, "SET short value PX 50000");
    box_set_big(&f->box, &f->a, "inline", 2048);
    box_set_big(&f->box, &f->a, "chunked", 2049);
    box_set_big(&f->box, &f->a, "long", 5000000); /* several slices of 1024 chunks */
    box_restart(&f->box);
    assert_string_equal(box_call(&f->box, &f->a, "GET number"), "$2\r\n42\r\n");
    assert_string_equal(box_call(&f->box, &f->a, "GET short"), "$5\r\nvalue\r\n");
    box_call(&f->box, &f->a, "GET inline");
    assert_int_equal(f->a.out.size, 2048 + 9);
    box_call(&f->box, &f->a, "GET chunked");
    assert_int_equal(f->a.out.size, 2049 + 9);
    box_call(&f->box, &f->a, "GET long");
    assert_int_equal(f->a.out.size, 5000000 + 12);
    assert_int_equal(exec_counters(f->box.exec).loads, 5);
    assert_int_equal(exec_counters(f->box.exec).load_errors, 0);
    fixture_free(f);
}

static void two_requests_wait_for_one_load(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_set_big(&f->box, &f->a, "k", 5000);
    box_restart(&f->box);
    f->box.holds_readers = true;
    send(f, &f->a, "GETRANGE k 4997 -1");
    send(f, &f->b, "GETRANGE k 4997 -1");
    send(f, &f->c, "MGET k k");
    assert_false(f->a.is_done || f->b.is_done || f->c.is_done);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    box_wait(&f->box, &f->b);
    box_wait(&f->box, &f->c);
    assert_string_equal(box_reply(&f->a), "$3\r\nxxx\r\n");
    assert_string_equal(box_reply(&f->b), "$3\r\nxxx\r\n");
    assert_int_equal(exec_counters(f->box.exec).loads, 1);
    fixture_free(f);
}

static void a_cancelled_request_leaves_the_load_to_others(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_call(&f->box, &f->a, "SET k v");
    box_restart(&f->box);
    f->box.holds_readers = true;
    send(f, &f->a, "GET k");
    send(f, &f->b, "GET k");
    assert_true(exec_cancel(f->box.exec, &f->a.request));
    f->a.is_done = true;
    f->box.holds_readers = false;
    box_wait(&f->box, &f->b);
    assert_string_equal(box_reply(&f->b), "$1\r\nv\r\n");
    f->box.holds_readers = true;
    box_call(&f->box, &f->b, "SET other v");
    fixture_free(f);
}

static void the_last_who_waited_may_go(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_call(&f->box, &f->a, "SET k v");
    box_restart(&f->box);
    f->box.holds_readers = true;
    send(f, &f->a, "GET k");
    assert_true(exec_cancel(f->box.exec, &f->a.request));
    f->a.is_done = true;
    f->box.holds_readers = false;
    box_turns(&f->box, 3);
    assert_string_equal(box_call(&f->box, &f->a, "GET k"), "$1\r\nv\r\n");
    assert_int_equal(exec_counters(f->box.exec).loads, 1);
    fixture_free(f);
}

/* EXPIRE needs the head only, GET then the body, while the K row still has no expiry. */
static void a_body_is_loaded_for_a_head_that_is_ahead_of_its_row(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_set_big(&f->box, &f->a, "k", 5000);
    box_restart(&f->box);
    assert_string_equal(box_call(&f->box, &f->a, "TTL k"), ":-1\r\n");
    f->box.holds_wal = true;
    box_begin(&f->box);
    box_send(&f->box, &f->a, "EXPIRE k 100");
    box_send(&f->box, &f->b, "GETRANGE k 4997 -1");
    box_send(&f->box, &f->c, "TTL k");
    box_end(&f->box);
    box_turns(&f->box, 5);
    assert_string_equal(box_reply(&f->b), "$3\r\nxxx\r\n");
    assert_string_equal(box_reply(&f->c), ":100\r\n");
    assert_int_equal(f->b.request.gate_count, 1);
    f->box.holds_wal = false;
    box_wait(&f->box, &f->a);
    box_restart(&f->box);
    assert_string_equal(box_call(&f->box, &f->a, "TTL k"), ":100\r\n");
    box_call(&f->box, &f->a, "GET k");
    assert_int_equal(f->a.out.size, 5000 + 9);
    fixture_free(f);
}

static void a_body_is_loaded_under_a_name_that_no_row_has_yet(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_set_big(&f->box, &f->a, "old", 5000);
    box_restart(&f->box);
    f->box.holds_wal = true;
    box_begin(&f->box);
    box_send(&f->box, &f->a, "RENAME old new");
    box_end(&f->box);
    box_turns(&f->box, 3);
    send(f, &f->b, "GETRANGE new 4997 -1");
    box_turns(&f->box, 5);
    assert_string_equal(box_reply(&f->b), "$3\r\nxxx\r\n");
    f->box.holds_wal = false;
    box_wait(&f->box, &f->b);
    box_restart(&f->box);
    box_call(&f->box, &f->a, "GET new");
    assert_int_equal(f->a.out.size, 5000 + 9);
    assert_string_equal(box_call(&f->box, &f->a, "EXISTS old"), ":0\r\n");
    fixture_free(f);
}

static void a_flush_while_loads_are_under_way_ends_them(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(2);
    box_set_big(&f->box, &f->a, "k", 9000);
    box_call(&f->box, &f->a, "SET j v");
    box_restart(&f->box);
    f->box.holds_readers = true;
    send(f, &f->a, "GET k");
    send(f, &f->b, "GET j");
    assert_string_equal(box_call(&f->box, &f->c, "FLUSHALL"), "+OK\r\n");
    box_turns(&f->box, 2);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    box_wait(&f->box, &f->b);
    assert_string_equal(box_reply(&f->a), "$-1\r\n");
    assert_string_equal(box_reply(&f->b), "$-1\r\n");
    assert_string_equal(box_call(&f->box, &f->a, "SET k new"), "+OK\r\n");
    assert_string_equal(box_call(&f->box, &f->a, "GET k"), "$3\r\nnew\r\n");
    fixture_free(f);
}

/* What one command asked for stays until it has run, or two big keys would push each other out. */
static void keys_larger_than_the_budget_are_pinned_for_their_command(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_set_big(&f->box, &f->a, "one", 300000);
    box_set_big(&f->box, &f->a, "two", 400000);
    f->box.limits.memory_max = 50000;
    box_restart(&f->box);
    box_call(&f->box, &f->a, "MGET one two");
    assert_int_equal(f->a.out.size, 4 + 300000 + 11 + 400000 + 11);
    assert_int_equal(exec_counters(f->box.exec).loads, 2);
    box_turns(&f->box, 20);
    assert_true(exec_hot_memory(f->box.exec) < 300000);
    fixture_free(f);
}

static void a_read_that_fails_is_an_error_and_not_a_missing_key(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    box_call(&f->box, &f->a, "SET k v");
    box_restart(&f->box);
    box_turns(&f->box, 10); /* the filter is read */
    kv_memory_fail(f->box.kv, KV_MEMORY_FAULT_READ_IO, false);
    assert_memory_equal(box_call(&f->box, &f->a, "GET k"), "-IOERR", 6);
    assert_true(exec_counters(f->box.exec).load_errors > 0);
    box_turns(&f->box, 2000); /* LevelDB is opened again */
    assert_string_equal(box_call(&f->box, &f->a, "GET k"), "$1\r\nv\r\n");
    fixture_free(f);
}

static uint64_t reads(const struct fixture *f)
{
    return store_counters(shard_fsm(f->box.shards[0])->store).reads;
}

static void after_the_filter_is_read_again_a_new_key_costs_no_read(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    char line[32];
    for (int i = 0; i < 50; i++) {
        (void)snprintf(line, sizeof(line), "SET old%d v", i);
        box_call(&f->box, &f->a, line);
    }
    box_call(&f->box, &f->a, "DEL old0");
    box_restart(&f->box);
    assert_string_equal(box_call(&f->box, &f->a, "DEBUG SET-ACTIVE-EXPIRE 0"), "+OK\r\n");
    box_turns(&f->box, 30);
    uint64_t before = reads(f);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(line, sizeof(line), "SET new%d v", i);
        box_call(&f->box, &f->a, line);
    }
    assert_string_equal(box_call(&f->box, &f->a, "GET old0"), "$-1\r\n");
    assert_int_equal(reads(f), before);
    assert_string_equal(box_call(&f->box, &f->a, "SET old1 w NX"), "$-1\r\n");
    assert_true(reads(f) > before);
    assert_string_equal(box_call(&f->box, &f->a, "DBSIZE"), ":99\r\n");
    fixture_free(f);
}

/* The readers' queue has 64 places here: what found none is not offered again and again. */
static void loads_that_find_no_reader_are_not_tried_in_every_turn(void **state)
{
    (void)state;
    enum { KEYS = 200 };
    struct fixture *f = fixture_new(1);
    struct buf line = {0};
    buf_append_string(&line, "MGET");
    for (int i = 0; i < KEYS; i++) {
        char set[32];
        (void)snprintf(set, sizeof(set), "SET k%d v", i);
        box_call(&f->box, &f->a, set);
        buf_printf(&line, " k%d", i);
    }
    buf_append_u8(&line, 0);
    box_restart(&f->box);
    box_call(&f->box, &f->a, "DEBUG SET-ACTIVE-EXPIRE 0");
    box_turns(&f->box, 10);
    uint64_t before = reads(f);
    f->box.holds_readers = true;
    send(f, &f->a, (const char *)line.data);
    box_turns(&f->box, 50);
    assert_true(reads(f) - before <= KEYS + 51);
    f->box.holds_readers = false;
    box_wait(&f->box, &f->a);
    assert_memory_equal(box_reply(&f->a), "*200\r\n$1\r\nv\r\n", 13);
    assert_int_equal(exec_counters(f->box.exec).loads, KEYS);
    buf_free(&line);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_values_of_every_form_come_back),
        cmocka_unit_test(two_requests_wait_for_one_load),
        cmocka_unit_test(a_cancelled_request_leaves_the_load_to_others),
        cmocka_unit_test(the_last_who_waited_may_go),
        cmocka_unit_test(a_body_is_loaded_for_a_head_that_is_ahead_of_its_row),
        cmocka_unit_test(a_body_is_loaded_under_a_name_that_no_row_has_yet),
        cmocka_unit_test(a_flush_while_loads_are_under_way_ends_them),
        cmocka_unit_test(keys_larger_than_the_budget_are_pinned_for_their_command),
        cmocka_unit_test(a_read_that_fails_is_an_error_and_not_a_missing_key),
        cmocka_unit_test(after_the_filter_is_read_again_a_new_key_costs_no_read),
        cmocka_unit_test(loads_that_find_no_reader_are_not_tried_in_every_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
