/* What a client is answered: names, arity, order, and the commands about the connection. */
#include "server_box.h"

static void ping_and_echo_answer(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "PING\r\n", "+PONG\r\n");
    EXPECT(f, "*2\r\n$4\r\nping\r\n$2\r\nhi\r\n", "$2\r\nhi\r\n");
    EXPECT(f, "ping a b\r\n", "-ERR wrong number of arguments for 'ping' command\r\n");
    EXPECT(f, "ECHO \"a b\"\r\n", "$3\r\na b\r\n");
}

static void a_pipeline_is_answered_in_order(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "set a 1\r\nget a\r\nPING\r\nincr a\r\nnope\r\nget a\r\n",
           "+OK\r\n$1\r\n1\r\n+PONG\r\n:2\r\n"
           "-ERR unknown command 'nope', with args beginning with: \r\n$1\r\n2\r\n");
}

static void requests_cut_anywhere_are_answered_once(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    struct buf all = {0};
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        assert_true(server_client_input(f->client, bytes_of(text + i, 1)));
        box_turn(&f->box);
        fake_exec_commit(f->box.exec);
        server_release(f->box.server);
        (void)server_client_output(f->client, &all);
    }
    assert_true(bytes_equal(buf_bytes(&all), BYTES_LITERAL("+OK\r\n$5\r\nhello\r\n")));
    assert_int_equal(f->box.exec->runs, 2);
    buf_free(&all);
}

static void an_unknown_command_is_shown_with_its_arguments(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "foo a b\r\n", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
    EXPECT(f, "foo\r\n", "-ERR unknown command 'foo', with args beginning with: \r\n");
    EXPECT(f, "*2\r\n$3\r\na\nb\r\n$3\r\nx\ry\r\n",
           "-ERR unknown command 'a b', with args beginning with: 'x y' \r\n");
    static const char with_zero[] = "*1\r\n$3\r\na\0b\r\n";
    assert_true(server_client_input(f->client, BYTES_LITERAL(with_zero)));
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, f->client),
                        "-ERR unknown command 'a', with args beginning with: \r\n");
}

/* At most 128 bytes of the name, and of the arguments together, quotes and blanks included. */
static void a_long_unknown_command_is_cut_as_redis_does(void **state)
{
    struct fixture *f = *state;
    char long_word[201], text[1024], answer[1024];
    memset(long_word, 'x', 200);
    long_word[200] = '\0';
    (void)snprintf(text, sizeof(text), "%s\r\n", long_word);
    (void)snprintf(answer, sizeof(answer),
                   "-ERR unknown command '%.128s', with args beginning with: \r\n", long_word);
    EXPECT(f, text, answer);
    (void)snprintf(text, sizeof(text), "foo %.100s %s c d\r\n", long_word, long_word);
    (void)snprintf(answer, sizeof(answer),
                   "-ERR unknown command 'foo', with args beginning with: '%.100s' '%.25s' \r\n",
                   long_word, long_word);
    EXPECT(f, text, answer);
    (void)snprintf(text, sizeof(text), "foo %.124s b c\r\n", long_word);
    (void)snprintf(answer, sizeof(answer),
                   "-ERR unknown command 'foo', with args beginning with: '%.124s' 'b' \r\n",
                   long_word);
    EXPECT(f, text, answer);
    (void)snprintf(text, sizeof(text), "foo %.125s b c\r\n", long_word);
    (void)snprintf(answer, sizeof(answer),
                   "-ERR unknown command 'foo', with args beginning with: '%.125s' \r\n",
                   long_word);
    EXPECT(f, text, answer);
}

static void subcommands_are_named_in_errors(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "config foo\r\n", "-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n");
    EXPECT(f, "config\r\n", "-ERR wrong number of arguments for 'config' command\r\n");
    EXPECT(f, "CONFIG GET\r\n", "-ERR wrong number of arguments for 'config|get' command\r\n");
    EXPECT(f, "client setname\r\n",
           "-ERR wrong number of arguments for 'client|setname' command\r\n");
}

static void arity_is_checked_before_anything_runs(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "get\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(f, "GET a b\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(f, "set a\r\n", "-ERR wrong number of arguments for 'set' command\r\n");
    assert_int_equal(f->box.exec->runs, 0);
}

static void the_remembered_command_is_never_a_wrong_one(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "set a 1\r\nSET a 2\r\nSeT a 3\r\nset a\r\nget a\r\nconfig foo\r\nconfig\r\n",
           "+OK\r\n+OK\r\n+OK\r\n-ERR wrong number of arguments for 'set' command\r\n$1\r\n3\r\n"
           "-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n"
           "-ERR wrong number of arguments for 'config' command\r\n");
    EXPECT(f, "client id\r\nclient getname\r\n*2\r\n$6\r\nclient\r\n$2\r\nid\r\n",
           ":1\r\n$-1\r\n:1\r\n");
    EXPECT(f, "*1\r\n$0\r\n\r\n*1\r\n$0\r\n\r\n",
           "-ERR unknown command '', with args beginning with: \r\n"
           "-ERR unknown command '', with args beginning with: \r\n");
}

static void select_changes_the_database_of_this_client_only(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "set a 1\r\nselect 15\r\nget a\r\nset a 2\r\n", "+OK\r\n+OK\r\n$-1\r\n+OK\r\n");
    BOX_EXPECT(&f->box, other, "get a\r\n", "$1\r\n1\r\n");
    EXPECT(f, "select 16\r\n", "-ERR DB index is out of range\r\n");
    EXPECT(f, "select -1\r\n", "-ERR DB index is out of range\r\n");
    EXPECT(f, "select x\r\n", "-ERR value is not an integer or out of range\r\n");
    EXPECT(f, "select 2147483648\r\n",
           "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
    EXPECT(f, "get a\r\nselect 0\r\nget a\r\n", "$1\r\n2\r\n+OK\r\n$1\r\n1\r\n");
    server_client_free(other);
}

static void hello_changes_the_protocol(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "get none\r\n", "$-1\r\n");
    const char *answer = box_ask(&f->box, f->client, "HELLO 3 SETNAME me\r\n");
    assert_non_null(strstr(answer, "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"));
    assert_non_null(strstr(answer, "$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:3\r\n"));
    assert_non_null(
        strstr(answer, "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"));
    EXPECT(f, "get none\r\nclient getname\r\n", "_\r\n$2\r\nme\r\n");
    answer = box_ask(&f->box, f->client, "HELLO 2\r\n");
    assert_non_null(strstr(answer, "*14\r\n"));
    EXPECT(f, "get none\r\n", "$-1\r\n");
}

static void hello_refuses_what_it_does_not_know_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "hello 1\r\n", "-NOPROTO unsupported protocol version\r\n");
    EXPECT(f, "hello 4\r\n", "-NOPROTO unsupported protocol version\r\n");
    EXPECT(f, "hello x\r\n", "-ERR Protocol version is not an integer or out of range\r\n");
    EXPECT(f, "hello 3 foo\r\n", "-ERR Syntax error in HELLO option 'foo'\r\n");
    EXPECT(f, "hello 3 setname\r\n", "-ERR Syntax error in HELLO option 'setname'\r\n");
    EXPECT(f, "hello 3 auth a\r\n", "-ERR Syntax error in HELLO option 'auth'\r\n");
    EXPECT(f, "hello 3 setname \"a b\"\r\n",
           "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT(f, "hello 3 auth someone pass\r\n",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    EXPECT(f, "get none\r\n", "$-1\r\n");
}

static void set_password(struct fixture *f, const char *password)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "config set requirepass %s\r\n", password);
    EXPECT(f, text, "+OK\r\n");
}

static void without_the_password_only_a_few_commands_run(void **state)
{
    struct fixture *f = *state;
    set_password(f, "secret");
    EXPECT(f, "get a\r\n", "$-1\r\n"); /* who was there before stays in */
    struct client *other = server_client_new(f->box.server);
    struct box *box = &f->box;
    BOX_EXPECT(box, other, "get a\r\n", "-NOAUTH Authentication required.\r\n");
    BOX_EXPECT(box, other, "multi\r\n", "-NOAUTH Authentication required.\r\n");
    BOX_EXPECT(box, other, "ping\r\n", "-NOAUTH Authentication required.\r\n");
    BOX_EXPECT(box, other, "get\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    assert_non_null(strstr(box_ask(box, other, "hello 3\r\n"), "-NOAUTH HELLO must be called"));
    const char *wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    BOX_EXPECT(box, other, "auth secre\r\n", wrong);
    BOX_EXPECT(box, other, "auth secretsecret\r\n", wrong);
    BOX_EXPECT(box, other, "auth \"\"\r\n", wrong);
    BOX_EXPECT(box, other, "auth other secret\r\n", wrong);
    BOX_EXPECT(box, other, "get a\r\n", "-NOAUTH Authentication required.\r\n");
    BOX_EXPECT(box, other, "auth secret\r\nget a\r\n", "+OK\r\n$-1\r\n");
    BOX_EXPECT(box, other, "reset\r\nget a\r\n", "+RESET\r\n-NOAUTH Authentication required.\r\n");
    assert_non_null(strstr(box_ask(box, other, "hello 3 auth default secret\r\n"), "%7"));
    BOX_EXPECT(box, other, "get a\r\n", "_\r\n");
    server_client_free(other);
}

static void auth_without_a_password_configured_says_so(void **state)
{
    struct fixture *f = *state;
    EXPECT(
        f, "auth x\r\n",
        "-ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?\r\n");
    EXPECT(f, "auth default anything\r\n", "+OK\r\n");
    EXPECT(f, "auth a b c\r\n", "-ERR syntax error\r\n");
}

static void before_authentication_requests_are_kept_small(void **state)
{
    struct fixture *f = *state;
    set_password(f, "secret");
    struct client *other = server_client_new(f->box.server);
    const char *answer = box_ask(&f->box, other, "*11\r\n");
    assert_string_equal(answer, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    server_client_free(other);
}

static void quit_answers_and_closes_and_runs_nothing_behind_it(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "set a 1\r\nquit\r\nset a 2\r\n");
    box_turn(&f->box);
    assert_false(server_client_is_closed(f->client));
    assert_string_equal(box_take(&f->box, f->client), ""); /* the gate holds QUIT's answer, too */
    fake_exec_commit(f->box.exec);
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client), "+OK\r\n+OK\r\n");
    assert_true(server_client_is_closed(f->client));
    assert_int_equal(f->box.exec->runs, 1);
}

static void reset_makes_a_new_session_of_it(void **state)
{
    struct fixture *f = *state;
    (void)box_ask(&f->box, f->client,
                  "hello 3\r\nselect 3\r\nclient setname me\r\nwatch a\r\nmulti\r\n");
    EXPECT(f, "get a\r\nreset\r\n", "+QUEUED\r\n+RESET\r\n");
    EXPECT(f, "get a\r\nclient getname\r\nexec\r\n", "$-1\r\n$-1\r\n-ERR EXEC without MULTI\r\n");
    assert_true(list_is_empty(&f->box.exec->watches));
    assert_non_null(strstr(box_ask(&f->box, f->client, "client info\r\n"), " db=0 "));
}

static void debug_needs_permission_before_it_reaches_exec(void **state)
{
    struct fixture *f = *state;
    const char *refused =
        "-ERR DEBUG command not allowed. If the enable-debug-command option is set to "
        "\"local\", you can run it from a local connection, otherwise you need to set "
        "this option in the configuration file, and then restart the server.\r\n";
    EXPECT(f, "debug object\r\n", refused);
    EXPECT(f, "debug\r\n", "-ERR wrong number of arguments for 'debug' command\r\n");
    assert_int_equal(f->box.exec->runs, 0);
    f->box.config.enable_debug_command = CONFIG_DEBUG_LOCAL;
    EXPECT(f, "debug a b\r\n", "+OK\r\n");
    f->box.config.enable_debug_command = CONFIG_DEBUG_YES;
    EXPECT(f, "debug a b\r\n", "+OK\r\n");
}

static void a_waiting_request_holds_back_those_behind_it_and_no_other_client(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "set a 1\r\nwaitset a 2\r\nget a\r\nping\r\n", "+OK\r\n");
    BOX_EXPECT(&f->box, other, "get a\r\n", "$1\r\n1\r\n");
    assert_false(server_client_input(f->client, BYTES_LITERAL("get a\r\n")));
    f->box.exec->lets_go = true;
    box_turn(&f->box);
    fake_exec_commit(f->box.exec);
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client), "+OK\r\n$1\r\n2\r\n+PONG\r\n");
    server_client_free(other);
}

static void a_waiting_request_is_cancelled_when_its_client_goes(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    box_feed(other, "waitset a 2\r\n");
    box_turn(&f->box);
    server_client_free(other);
    assert_int_equal(f->box.exec->cancels, 1);
    f->box.exec->lets_go = true;
    box_turn(&f->box);
    EXPECT(f, "get a\r\n", "$-1\r\n");
}

static void a_request_that_must_end_outlives_its_client(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    box_feed(other, "waitset a 2\r\n");
    box_turn(&f->box);
    f->box.exec->keeps_runs = true;
    server_client_free(other);
    assert_int_equal(server_client_count(f->box.server), 1);
    f->box.exec->lets_go = true;
    box_turn(&f->box);
    EXPECT(f, "get a\r\n", "$1\r\n2\r\n");
}

static void no_reply_leaves_before_its_entry_is_committed(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    box_feed(f->client, "ping\r\nset a 1\r\nping\r\n");
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, f->client), "+PONG\r\n");
    box_feed(other, "get b\r\nget a\r\n");
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, other), "$-1\r\n"); /* what it saw is not committed */
    fake_exec_commit(f->box.exec);
    assert_string_equal(box_take(&f->box, f->client), "");
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client), "+OK\r\n+PONG\r\n");
    assert_string_equal(box_take(&f->box, other), "$1\r\n1\r\n");
    server_client_free(other);
}

static void the_end_of_input_still_lets_answers_out(void **state)
{
    struct fixture *f = *state;
    box_feed(f->client, "set a 1\r\nget a\r\nget");
    server_client_input_end(f->client);
    box_turn(&f->box);
    assert_false(server_client_is_closed(f->client));
    fake_exec_commit(f->box.exec);
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, f->client), "+OK\r\n$1\r\n1\r\n");
    assert_true(server_client_is_closed(f->client));
}

static void the_end_of_input_without_anything_owed_closes(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "ping\r\n", "+PONG\r\n");
    server_client_input_end(f->client);
    box_turn(&f->box);
    assert_true(server_client_is_closed(f->client));
    assert_int_equal(server_client_count(f->box.server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(ping_and_echo_answer),
        FIXTURE_TEST(a_pipeline_is_answered_in_order),
        FIXTURE_TEST(requests_cut_anywhere_are_answered_once),
        FIXTURE_TEST(an_unknown_command_is_shown_with_its_arguments),
        FIXTURE_TEST(a_long_unknown_command_is_cut_as_redis_does),
        FIXTURE_TEST(subcommands_are_named_in_errors),
        FIXTURE_TEST(arity_is_checked_before_anything_runs),
        FIXTURE_TEST(the_remembered_command_is_never_a_wrong_one),
        FIXTURE_TEST(select_changes_the_database_of_this_client_only),
        FIXTURE_TEST(hello_changes_the_protocol),
        FIXTURE_TEST(hello_refuses_what_it_does_not_know_and_changes_nothing),
        FIXTURE_TEST(without_the_password_only_a_few_commands_run),
        FIXTURE_TEST(auth_without_a_password_configured_says_so),
        FIXTURE_TEST(before_authentication_requests_are_kept_small),
        FIXTURE_TEST(quit_answers_and_closes_and_runs_nothing_behind_it),
        FIXTURE_TEST(reset_makes_a_new_session_of_it),
        FIXTURE_TEST(debug_needs_permission_before_it_reaches_exec),
        FIXTURE_TEST(a_waiting_request_holds_back_those_behind_it_and_no_other_client),
        FIXTURE_TEST(a_waiting_request_is_cancelled_when_its_client_goes),
        FIXTURE_TEST(a_request_that_must_end_outlives_its_client),
        FIXTURE_TEST(no_reply_leaves_before_its_entry_is_committed),
        FIXTURE_TEST(the_end_of_input_still_lets_answers_out),
        FIXTURE_TEST(the_end_of_input_without_anything_owed_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
