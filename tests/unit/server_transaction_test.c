/* MULTI, EXEC, DISCARD, WATCH. */
#include "server_box.h"

#include "server/transaction.h"

static void queued_commands_run_at_exec_and_not_before(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "multi\r\nset a 1\r\nincr a\r\nget a\r\n",
           "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    assert_int_equal(f->box.exec->runs, 0);
    EXPECT(f, "exec\r\n", "*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n");
    EXPECT(f, "exec\r\n", "-ERR EXEC without MULTI\r\n");
}

static void an_empty_transaction_is_an_empty_array(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "multi\r\nexec\r\n", "+OK\r\n*0\r\n");
    EXPECT(f, "get a\r\n", "$-1\r\n");
}

static void discard_forgets_everything(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "multi\r\nset a 1\r\ndiscard\r\nget a\r\n", "+OK\r\n+QUEUED\r\n+OK\r\n$-1\r\n");
    EXPECT(f, "discard\r\n", "-ERR DISCARD without MULTI\r\n");
}

static void a_refused_command_breaks_the_transaction(void **state)
{
    struct fixture *f = *state;
    const char *aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    EXPECT(
        f, "multi\r\nset a 1\r\nnope\r\nset b 1\r\n",
        "+OK\r\n+QUEUED\r\n-ERR unknown command 'nope', with args beginning with: \r\n+QUEUED\r\n");
    EXPECT(f, "exec\r\n", aborted);
    EXPECT(f, "multi\r\nget\r\n", "+OK\r\n-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(f, "exec\r\n", aborted);
    EXPECT(f, "multi\r\nshutdown\r\n", "+OK\r\n-ERR Command not allowed inside a transaction\r\n");
    EXPECT(f, "exec\r\n", aborted);
    EXPECT(f, "multi\r\nconfig foo\r\ndiscard\r\nget a\r\n",
           "+OK\r\n-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n+OK\r\n$-1\r\n");
    assert_int_equal(f->box.exec->runs, 1);
}

static void a_failing_command_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "set a x\r\nmulti\r\nincr a\r\nset b 2\r\nexec\r\n",
           "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR value is not an integer or out of "
           "range\r\n+OK\r\n");
    EXPECT(f, "get b\r\n", "$1\r\n2\r\n");
}

static void exec_that_is_refused_ends_the_transaction(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "multi\r\nset a 1\r\nexec now\r\n",
           "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: wrong number of "
           "arguments for "
           "'exec' command\r\n");
    EXPECT(f, "exec\r\nget a\r\n", "-ERR EXEC without MULTI\r\n$-1\r\n");
}

static void multi_and_watch_inside_a_transaction_are_errors_that_do_not_break_it(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "multi\r\nmulti\r\nwatch a\r\nset a 1\r\nexec\r\n",
           "+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n"
           "+QUEUED\r\n*1\r\n+OK\r\n");
}

static void a_watched_key_that_changed_makes_exec_nil(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "watch a b\r\nmulti\r\nset c 1\r\n", "+OK\r\n+OK\r\n+QUEUED\r\n");
    BOX_EXPECT(&f->box, other, "set b 9\r\n", "+OK\r\n");
    EXPECT(f, "exec\r\nget c\r\n", "*-1\r\n$-1\r\n");
    EXPECT(f, "multi\r\nset c 1\r\nexec\r\n",
           "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"); /* forgotten now */
    assert_true(list_is_empty(&f->box.exec->watches));
    server_client_free(other);
}

static void a_watched_key_that_did_not_change_lets_exec_run(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "watch a\r\nselect 1\r\nmulti\r\nincr c\r\n", "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n");
    BOX_EXPECT(&f->box, other, "select 1\r\nset a 9\r\n",
               "+OK\r\n+OK\r\n"); /* another database's */
    EXPECT(f, "exec\r\n", "*1\r\n:1\r\n");
    server_client_free(other);
}

static void unwatch_and_discard_forget_the_watches(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "watch a\r\nset a 1\r\nunwatch\r\nmulti\r\nget a\r\nexec\r\n",
           "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n");
    EXPECT(f, "watch a\r\nset a 1\r\nmulti\r\ndiscard\r\nmulti\r\nget a\r\nexec\r\n",
           "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n");
    assert_true(list_is_empty(&f->box.exec->watches));
}

static void a_client_that_goes_takes_its_watches_along(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    BOX_EXPECT(&f->box, other, "watch a b c\r\nmulti\r\nset x 1\r\n", "+OK\r\n+OK\r\n+QUEUED\r\n");
    assert_false(list_is_empty(&f->box.exec->watches));
    server_client_free(other);
    assert_true(list_is_empty(&f->box.exec->watches));
}

static void home_commands_run_inside_a_transaction(void **state)
{
    struct fixture *f = *state;
    EXPECT(
        f,
        "multi\r\nping\r\nset a 1\r\nselect 3\r\nset a 3\r\nclient getname\r\nunwatch\r\nexec\r\n",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
        "*6\r\n+PONG\r\n+OK\r\n+OK\r\n+OK\r\n$-1\r\n+OK\r\n");
    EXPECT(f, "get a\r\nselect 0\r\nget a\r\n", "$1\r\n3\r\n+OK\r\n$1\r\n1\r\n");
}

static void the_reply_of_exec_waits_for_every_shard_it_touched(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "multi\r\nset a 1\r\nset b 1\r\nset c 1\r\nexec\r\nping\r\n");
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, f->client), "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    f->box.exec->committed[fake_shard(BYTES_LITERAL("a"))]++;
    f->box.exec->committed[fake_shard(BYTES_LITERAL("c"))]++;
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client), "");
    f->box.exec->committed[fake_shard(BYTES_LITERAL("b"))]++;
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client), "*3\r\n+OK\r\n+OK\r\n+OK\r\n+PONG\r\n");
}

static void a_client_killed_by_its_own_transaction_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "multi\r\nset a 1\r\nclient kill id 1 skipme no\r\nset a 2\r\nexec\r\nset a 3\r\n",
           "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n+OK\r\n");
    assert_true(server_client_is_closed(f->client));
}

static void a_transaction_is_limited_like_a_request(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    f->box.config.client_query_buffer_limit = 64 * 1024;
    EXPECT(f, "multi\r\n", "+OK\r\n");
    (void)snprintf(text, sizeof(text), "set a %01000d\r\n", 7);
    int count = 0;
    while (!server_client_is_closed(f->client) && count < 1000) {
        box_feed(f->client, text);
        box_turn(&f->box);
        count++;
    }
    assert_true(server_client_is_closed(f->client));
    assert_in_range(count, 20, 70); /* buffers double */
    assert_int_equal(f->box.exec->runs, 0);
}

/* What was queued comes out as it went in, though the memory moved while it grew. */
static void a_queue_keeps_every_argument(void **state)
{
    (void)state;
    enum { COMMANDS = 500 };
    struct transaction *transaction = transaction_new();
    uint8_t letters[300];
    for (int i = 0; i < COMMANDS; i++) {
        struct bytes argv[8];
        int argc = 1 + i % 8;
        memset(letters, 'a' + i % 26, sizeof(letters));
        for (int j = 0; j < argc; j++)
            argv[j] = bytes_of(letters, (size_t)((i * 7 + j) % 300));
        transaction_queue(transaction, &fake_commands[i % 3], argv, argc);
    }
    const struct queued *queue = transaction_seal(transaction);
    assert_int_equal(transaction->count, COMMANDS);
    for (int i = 0; i < COMMANDS; i++) {
        assert_ptr_equal(queue[i].command, &fake_commands[i % 3]);
        assert_int_equal(queue[i].argc, 1 + i % 8);
        memset(letters, 'a' + i % 26, sizeof(letters));
        for (int j = 0; j < queue[i].argc; j++)
            assert_true(
                bytes_equal(queue[i].argv[j], bytes_of(letters, (size_t)((i * 7 + j) % 300))));
    }
    transaction_free(transaction);
    transaction_free(NULL);
}

/* ---- the shard is led elsewhere, or its leader was lost ---- */

#define MOVED "MOVED 7 host:1"

static void a_command_for_elsewhere_is_sent_there_and_breaks_the_transaction(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "multi\r\nset a 1\r\n", "+OK\r\n+QUEUED\r\n");
    f->box.exec->elsewhere = MOVED;
    EXPECT(f, "set b 1\r\n", "-" MOVED "\r\n");
    f->box.exec->elsewhere = NULL;
    EXPECT(f, "set c 1\r\nexec\r\n",
           "+QUEUED\r\n-EXECABORT Transaction discarded because of "
           "previous errors.\r\n");
    EXPECT(f, "get a\r\nget c\r\n", "$-1\r\n$-1\r\n"); /* nothing of it ran */
    EXPECT(f, "multi\r\nexec\r\n", "+OK\r\n*0\r\n");   /* and it is over */
}

static void watch_for_elsewhere_is_sent_there_and_watches_nothing(void **state)
{
    struct fixture *f = *state;
    f->box.exec->elsewhere = MOVED;
    EXPECT(f, "watch a\r\n", "-" MOVED "\r\n");
    assert_true(list_is_empty(&f->box.exec->watches));
    f->box.exec->elsewhere = NULL;
    struct client *other = server_client_new(f->box.server);
    BOX_EXPECT(&f->box, other, "set a 9\r\n", "+OK\r\n");
    EXPECT(f, "multi\r\nset b 1\r\nexec\r\n", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    server_client_free(other);
}

static void watches_from_before_live_on_when_one_more_is_sent_away(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "watch a\r\n", "+OK\r\n");
    f->box.exec->elsewhere = MOVED;
    EXPECT(f, "watch b\r\n", "-" MOVED "\r\n");
    f->box.exec->elsewhere = NULL;
    struct client *other = server_client_new(f->box.server);
    BOX_EXPECT(&f->box, other, "set a 9\r\n", "+OK\r\n");
    EXPECT(f, "multi\r\nset c 1\r\nexec\r\n", "+OK\r\n+QUEUED\r\n*-1\r\n");
    server_client_free(other);
}

/* The connection's own state is as the client was told, whatever was lost around it. */
static void a_pipelined_transaction_that_was_lost_is_one_error_in_its_place(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "hello 3\r\nset a 1\r\nmulti\r\nset a 2\r\nexec\r\nselect 1\r\n"
                        "get nothing\r\n");
    box_turn(&f->box);
    (void)box_take(&f->box, f->client); /* HELLO */
    f->box.exec->lost['a' % FAKE_SHARDS] = EXEC_GATE_UNKNOWN;
    server_release(f->box.server);
    const char *lost = "-INDETERMINATE The leader was lost; whether this took effect is not "
                       "known\r\n";
    struct buf expected = {0};
    buf_printf(&expected, "%s+OK\r\n+QUEUED\r\n%s+OK\r\n_\r\n", lost, lost);
    buf_append_u8(&expected, 0);
    assert_string_equal(box_take(&f->box, f->client), (const char *)expected.data);
    buf_free(&expected);
}

static void a_lost_write_is_answered_though_nothing_else_is_asked(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "set a 1\r\n");
    box_turn(&f->box);
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client), "");
    f->box.exec->lost['a' % FAKE_SHARDS] = EXEC_GATE_REPLACED;
    server_release(f->box.server);
    assert_string_equal(
        box_take(&f->box, f->client),
        "-TRYAGAIN The leader was replaced before this was committed; nothing was changed\r\n");
    f->box.exec->lost['a' % FAKE_SHARDS] = EXEC_GATE_CLOSED;
    EXPECT(f, "set b 2\r\n", "+OK\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(queued_commands_run_at_exec_and_not_before),
        FIXTURE_TEST(an_empty_transaction_is_an_empty_array),
        FIXTURE_TEST(discard_forgets_everything),
        FIXTURE_TEST(a_refused_command_breaks_the_transaction),
        FIXTURE_TEST(a_failing_command_does_not_stop_the_others),
        FIXTURE_TEST(exec_that_is_refused_ends_the_transaction),
        FIXTURE_TEST(multi_and_watch_inside_a_transaction_are_errors_that_do_not_break_it),
        FIXTURE_TEST(a_watched_key_that_changed_makes_exec_nil),
        FIXTURE_TEST(a_watched_key_that_did_not_change_lets_exec_run),
        FIXTURE_TEST(unwatch_and_discard_forget_the_watches),
        FIXTURE_TEST(a_client_that_goes_takes_its_watches_along),
        FIXTURE_TEST(home_commands_run_inside_a_transaction),
        FIXTURE_TEST(the_reply_of_exec_waits_for_every_shard_it_touched),
        FIXTURE_TEST(a_client_killed_by_its_own_transaction_gets_its_answer),
        FIXTURE_TEST(a_transaction_is_limited_like_a_request),
        FIXTURE_TEST(a_command_for_elsewhere_is_sent_there_and_breaks_the_transaction),
        FIXTURE_TEST(watch_for_elsewhere_is_sent_there_and_watches_nothing),
        FIXTURE_TEST(watches_from_before_live_on_when_one_more_is_sent_away),
        FIXTURE_TEST(a_pipelined_transaction_that_was_lost_is_one_error_in_its_place),
        FIXTURE_TEST(a_lost_write_is_answered_though_nothing_else_is_asked),
        cmocka_unit_test(a_queue_keeps_every_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
