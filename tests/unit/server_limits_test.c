/* Bounds: requests per turn, output that nobody takes, buffers, idle clients, protocol errors. */
#include "server_box.h"

static void feed_repeated(struct client *client, const char *text, int count)
{
    struct buf all = {0};
    for (int i = 0; i < count; i++)
        buf_append_string(&all, text);
    assert_true(server_client_input(client, buf_bytes(&all)));
    buf_free(&all);
}

static void a_turn_runs_1024_requests_of_a_client_and_the_rest_in_the_next(void **state)
{
    struct fixture *f = *state;
    const int counts[] = {SERVER_REQUESTS_PER_TURN - 1, SERVER_REQUESTS_PER_TURN,
                          SERVER_REQUESTS_PER_TURN + 1};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        uint64_t before = f->box.exec->runs;
        feed_repeated(f->client, "incr a\r\n", counts[i]);
        box_turn(&f->box);
        uint64_t expected = (uint64_t)counts[i] < SERVER_REQUESTS_PER_TURN
                                ? (uint64_t)counts[i]
                                : SERVER_REQUESTS_PER_TURN;
        assert_int_equal(f->box.exec->runs - before, expected);
        if (counts[i] > SERVER_REQUESTS_PER_TURN)
            assert_int_equal(server_wait_us(f->box.server), 0); /* the loop must not sleep */
        box_turn(&f->box);
        box_turn(&f->box);
        assert_int_equal(f->box.exec->runs - before, counts[i]);
    }
}

static void clients_take_turns(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    feed_repeated(f->client, "incr a\r\n", 10 * SERVER_REQUESTS_PER_TURN);
    box_feed(other, "get a\r\n");
    box_turn(&f->box);
    fake_exec_commit(f->box.exec);
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, other), "$4\r\n1024\r\n");
    server_client_free(other);
}

/* Makes the server owe the client a reply of this size, "$N\r\n…\r\n". */
static void ask_big(struct fixture *f, size_t reply_size)
{
    char text[64];
    size_t digits = reply_size > 1000000 ? 7 : 4;
    (void)snprintf(text, sizeof(text), "big %zu\r\n", reply_size - digits - 5);
    box_feed(f->client, text);
    box_turn(&f->box);
    assert_int_equal(server_client_unsent(f->client), reply_size);
}

/* Takes what may leave, which is at least so much. */
static void take_all(struct fixture *f, size_t size_min)
{
    buf_clear(&f->box.taken);
    assert_true(server_client_output(f->client, &f->box.taken) >= size_min);
}

static void a_client_with_more_than_1_mib_unsent_is_not_run(void **state)
{
    struct fixture *f = *state;
    ask_big(f, SERVER_OUTPUT_STALL_BYTES - 1);
    box_feed(f->client, "ping\r\n"); /* 7 bytes: now it is above */
    box_turn(&f->box);
    assert_int_equal(server_client_unsent(f->client), SERVER_OUTPUT_STALL_BYTES - 1 + 7);
    assert_false(server_client_input(f->client, BYTES_LITERAL("ping\r\n")));
    take_all(f, SERVER_OUTPUT_STALL_BYTES);
    EXPECT(f, "ping\r\n", "+PONG\r\n");
}

static void exactly_1_mib_unsent_does_not_stall(void **state)
{
    struct fixture *f = *state;
    ask_big(f, SERVER_OUTPUT_STALL_BYTES);
    box_feed(f->client, "set a 1\r\n");
    box_turn(&f->box);
    assert_int_equal(f->box.exec->runs, 2);
    assert_false(server_client_input(f->client, BYTES_LITERAL("ping\r\n")));
}

static void a_pipeline_stops_where_the_output_is_full_and_goes_on_when_it_is_taken(void **state)
{
    struct fixture *f = *state;
    feed_repeated(f->client, "big 300000\r\n", 10);
    for (int runs = 4; runs <= 10; runs += 4) {
        box_turn(&f->box);
        box_turn(&f->box);
        assert_int_equal(f->box.exec->runs, runs); /* the fourth is what makes it too much */
        take_all(f, 1);
    }
    box_turn(&f->box);
    assert_int_equal(f->box.exec->runs, 10);
}

static void output_behind_gates_counts_as_unsent(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "set a 1\r\nbig 1100000\r\nincr a\r\n");
    box_turn(&f->box);
    assert_int_equal(f->box.exec->runs, 2);
    assert_string_equal(box_take(&f->box, f->client), "");
    box_turn(&f->box);
    assert_int_equal(f->box.exec->runs, 2);
    fake_exec_commit(f->box.exec);
    server_release(f->box.server);
    take_all(f, 1100000);
    box_turn(&f->box);
    assert_int_equal(f->box.exec->runs, 3);
}

static void set_output_limit(struct fixture *f, uint64_t hard, uint64_t soft, uint64_t seconds)
{
    f->box.config.client_output_buffer_limit[CONFIG_CLIENT_NORMAL] =
        (struct config_output_limit){.hard = hard, .soft = soft, .soft_seconds = seconds};
}

static void output_above_the_hard_limit_closes_at_once(void **state)
{
    struct fixture *f = *state;
    set_output_limit(f, 10000, 0, 0);
    ask_big(f, 10000);
    assert_false(server_client_is_closed(f->client));
    box_feed(f->client, "ping\r\n");
    box_turn(&f->box);
    assert_true(server_client_is_closed(f->client));
}

static void output_above_the_soft_limit_closes_after_its_time(void **state)
{
    struct fixture *f = *state;
    set_output_limit(f, 0, 10000, 2);
    ask_big(f, 10001);
    box_sleep(&f->box, 1900);
    assert_false(server_client_is_closed(f->client));
    box_sleep(&f->box, 200);
    assert_true(server_client_is_closed(f->client));
}

static void output_that_falls_below_the_soft_limit_in_time_is_forgiven(void **state)
{
    struct fixture *f = *state;
    set_output_limit(f, 0, 10000, 2);
    ask_big(f, 10001);
    box_sleep(&f->box, 1900);
    take_all(f, 10001);
    ask_big(f, 10001);
    box_sleep(&f->box, 1900);
    assert_false(server_client_is_closed(f->client));
    box_sleep(&f->box, 200);
    assert_true(server_client_is_closed(f->client));
}

static void a_request_above_the_query_limit_closes(void **state)
{
    struct fixture *f = *state;
    static char bytes[2000];
    memset(bytes, 'x', sizeof(bytes));
    f->box.config.client_query_buffer_limit = 1000;
    box_feed(f->client, "*2\r\n$4\r\nECHO\r\n$5000\r\n");
    box_turn(&f->box);
    size_t there = strlen("*2\r\n$4\r\nECHO\r\n$5000\r\n");
    assert_true(server_client_input(f->client, bytes_of(bytes, 1000 - there)));
    box_turn(&f->box);
    assert_false(server_client_is_closed(f->client));
    assert_true(server_client_input(f->client, bytes_of(bytes, 1)));
    box_turn(&f->box);
    assert_true(server_client_is_closed(f->client));
}

static void a_protocol_error_is_answered_after_what_came_before_it(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "set a 1\r\n*1\r\n!\r\nset a 2\r\n");
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, f->client), "");
    assert_false(server_client_is_closed(f->client));
    fake_exec_commit(f->box.exec);
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client),
                        "+OK\r\n-ERR Protocol error: expected '$', got '!'\r\n");
    assert_true(server_client_is_closed(f->client));
    assert_int_equal(f->box.exec->runs, 1);
}

static void expect_protocol_error(struct fixture *f, const char *text, const char *answer)
{
    struct client *client = server_client_new(f->box.server);
    BOX_EXPECT(&f->box, client, text, answer);
    assert_true(server_client_is_closed(client));
    server_client_free(client);
}

static void protocol_errors_have_redis_s_texts(void **state)
{
    struct fixture *f = *state;
    f->box.config.proto_max_bulk_len = 1024 * 1024;
    EXPECT(f, "config set proto-max-bulk-len 1mb\r\n", "+OK\r\n");
    expect_protocol_error(f, "*1048577\r\n", "-ERR Protocol error: invalid multibulk length\r\n");
    expect_protocol_error(f, "*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n");
    expect_protocol_error(f, "*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n");
    expect_protocol_error(f, "*1\r\n$1048577\r\n", "-ERR Protocol error: invalid bulk length\r\n");
    expect_protocol_error(f, "set a \"b\r\n",
                          "-ERR Protocol error: unbalanced quotes in request\r\n");
    struct client *client = server_client_new(f->box.server);
    BOX_EXPECT(&f->box, client, "*1\r\n$1048576\r\n", "");
    assert_false(server_client_is_closed(client));
    server_client_free(client);
}

static void empty_requests_are_skipped(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "\r\n\r\n*0\r\n\r\nping\r\n*-1\r\nping\r\n", "+PONG\r\n+PONG\r\n");
}

static const char *field(struct fixture *f, const char *command, const char *name)
{
    const char *answer = box_ask(&f->box, f->client, command);
    const char *at = strstr(answer, name);
    assert_non_null(at);
    return at + strlen(name);
}

static uint64_t clients_memory(struct fixture *f)
{
    return strtoull(field(f, "info memory\r\n", "mem_clients_normal:"), NULL, 10);
}

static void a_client_that_asks_one_thing_at_a_time_keeps_no_buffers(void **state)
{
    struct fixture *f = *state;
    enum { OTHERS = 50 };
    struct client *others[OTHERS];
    uint64_t alone = clients_memory(f);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = server_client_new(f->box.server);
        BOX_EXPECT(&f->box, others[i], "set a 1\r\nget a\r\n", "+OK\r\n$1\r\n1\r\n");
    }
    assert_true(clients_memory(f) - alone < OTHERS * 3 * 1024);
    for (int i = 0; i < OTHERS; i++)
        server_client_free(others[i]);
}

static void a_pipelining_client_keeps_its_buffers_until_it_idles(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    uint64_t alone = clients_memory(f);
    feed_repeated(other, "ping\r\n", 5000);
    for (int i = 0; i < 5; i++)
        box_turn(&f->box);
    assert_int_equal(strlen(box_take(&f->box, other)), 5000 * 7);
    assert_true(clients_memory(f) - alone > 64 * 1024);
    box_sleep(&f->box, 2500);
    box_sleep(&f->box, 200);
    assert_true(clients_memory(f) - alone < 3 * 1024);
    BOX_EXPECT(&f->box, other, "get a\r\n", "$-1\r\n");
    server_client_free(other);
}

static void a_key_may_have_64_kib_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    const char *refused = "-ERR key is longer than 65536 bytes\r\n";
    for (int size = 65535; size <= 65537; size++) {
        buf_clear(&text);
        buf_printf(&text, "*3\r\n$5\r\nwatch\r\n$1\r\na\r\n$%d\r\n%0*d\r\n", size, size, 7);
        buf_append_u8(&text, 0);
        EXPECT(f, (const char *)text.data, size > 65536 ? refused : "+OK\r\n");
        buf_clear(&text);
        buf_printf(&text, "*2\r\n$4\r\necho\r\n$%d\r\n%0*d\r\n", size, size, 7);
        buf_append_u8(&text, 0);
        assert_int_equal(box_ask(&f->box, f->client, (const char *)text.data)[0], '$');
    }
    buf_free(&text);
}

static void a_long_key_among_many_is_found(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    buf_append_string(&text, "*102\r\n$5\r\nwatch\r\n");
    for (int i = 0; i < 100; i++)
        buf_append_string(&text, "$1\r\nk\r\n");
    buf_printf(&text, "$65537\r\n%065537d\r\n", 7);
    buf_append_u8(&text, 0);
    EXPECT(f, (const char *)text.data, "-ERR key is longer than 65536 bytes\r\n");
    assert_true(list_is_empty(&f->box.exec->watches));
    buf_free(&text);
}

static void half_a_request_survives_idling(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "*2\r\n$4\r\nECHO\r\n$3\r\na");
    box_turn(&f->box);
    box_sleep(&f->box, 2500);
    box_sleep(&f->box, 2500);
    EXPECT(f, "bc\r\n", "$3\r\nabc\r\n");
}

static void idle_clients_are_closed_after_timeout_and_not_before(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "config set timeout 10\r\n", "+OK\r\n");
    BOX_EXPECT(&f->box, other, "ping\r\n", "+PONG\r\n");
    for (int i = 0; i < 98; i++) {
        box_sleep(&f->box, 100);
        EXPECT(f, "ping\r\n", "+PONG\r\n");
    }
    assert_false(server_client_is_closed(other));
    for (int i = 0; i < 4; i++) {
        box_sleep(&f->box, 100);
        EXPECT(f, "ping\r\n", "+PONG\r\n");
    }
    assert_true(server_client_is_closed(other));
    assert_false(server_client_is_closed(f->client));
    server_client_free(other);
}

static void without_timeout_nobody_is_closed(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "ping\r\n", "+PONG\r\n");
    for (int i = 0; i < 10; i++)
        box_sleep(&f->box, 3600 * 1000);
    EXPECT(f, "ping\r\n", "+PONG\r\n");
}

static void a_client_that_waits_does_not_time_out(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "config set timeout 1\r\n", "+OK\r\n");
    box_feed(f->client, "waitset a 1\r\n");
    for (int i = 0; i < 100; i++)
        box_sleep(&f->box, 100);
    assert_false(server_client_is_closed(f->client));
}

static void a_server_with_nothing_to_do_sleeps(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "ping\r\n", "+PONG\r\n");
    int64_t wait_us = server_wait_us(f->box.server);
    assert_true(wait_us > 0 && wait_us <= 100 * 1000); /* the buffers are still to be given back */
    box_sleep(&f->box, 2500);
    box_sleep(&f->box, 200);
    assert_int_equal(server_wait_us(f->box.server), NET_WAIT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_turn_runs_1024_requests_of_a_client_and_the_rest_in_the_next),
        FIXTURE_TEST(clients_take_turns),
        FIXTURE_TEST(a_client_with_more_than_1_mib_unsent_is_not_run),
        FIXTURE_TEST(exactly_1_mib_unsent_does_not_stall),
        FIXTURE_TEST(a_pipeline_stops_where_the_output_is_full_and_goes_on_when_it_is_taken),
        FIXTURE_TEST(output_behind_gates_counts_as_unsent),
        FIXTURE_TEST(output_above_the_hard_limit_closes_at_once),
        FIXTURE_TEST(output_above_the_soft_limit_closes_after_its_time),
        FIXTURE_TEST(output_that_falls_below_the_soft_limit_in_time_is_forgiven),
        FIXTURE_TEST(a_request_above_the_query_limit_closes),
        FIXTURE_TEST(a_protocol_error_is_answered_after_what_came_before_it),
        FIXTURE_TEST(protocol_errors_have_redis_s_texts),
        FIXTURE_TEST(empty_requests_are_skipped),
        FIXTURE_TEST(a_client_that_asks_one_thing_at_a_time_keeps_no_buffers),
        FIXTURE_TEST(a_pipelining_client_keeps_its_buffers_until_it_idles),
        FIXTURE_TEST(a_key_may_have_64_kib_and_no_more),
        FIXTURE_TEST(a_long_key_among_many_is_found),
        FIXTURE_TEST(half_a_request_survives_idling),
        FIXTURE_TEST(idle_clients_are_closed_after_timeout_and_not_before),
        FIXTURE_TEST(without_timeout_nobody_is_closed),
        FIXTURE_TEST(a_client_that_waits_does_not_time_out),
        FIXTURE_TEST(a_server_with_nothing_to_do_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
