/* CLIENT: what clients say of themselves and do to each other. */
#include "server_box.h"

static void a_client_has_an_id_and_a_name(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client id\r\nclient getname\r\n", ":1\r\n$-1\r\n");
    EXPECT(f, "client setname worker-1\r\nclient getname\r\n", "+OK\r\n$8\r\nworker-1\r\n");
    EXPECT(f, "client setname \"a b\"\r\n",
           "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT(f, "client getname\r\n", "$8\r\nworker-1\r\n");
    EXPECT(f, "client setname \"\"\r\nclient getname\r\n", "+OK\r\n$-1\r\n");
}

static void a_client_tells_its_library(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client setinfo lib-name redis-py\r\nclient setinfo LIB-VER 5.0\r\n",
           "+OK\r\n+OK\r\n");
    assert_non_null(
        strstr(box_ask(&f->box, f->client, "client info\r\n"), "lib-name=redis-py lib-ver=5.0\n"));
    EXPECT(f, "client setinfo foo bar\r\n", "-ERR Unrecognized option 'foo'\r\n");
    EXPECT(f, "client setinfo lib-name \"a b\"\r\n",
           "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (const char *at = strstr(text, "id="); at != NULL; at = strstr(at + 1, "\nid="))
        lines++;
    return lines;
}

static void list_shows_every_client_with_what_tools_read(void **state)
{
    struct fixture *f = *state;
    static const char *const fields[] = {
        "id=1 ",          " addr=",      " laddr=",    " fd=",        " name=me ",
        " age=",          " idle=",      " flags=N",   " db=2 ",      " sub=0 ",
        " psub=0 ",       " ssub=0 ",    " multi=-1 ", " qbuf=",      " qbuf-free=",
        " argv-mem=",     " multi-mem=", " rbs=",      " rbp=",       " obl=",
        " oll=0 ",        " omem=",      " tot-mem=",  " events=",    " cmd=client|list ",
        " user=default ", " redir=-1 ",  " resp=2 ",   " lib-name= ", " lib-ver=\n",
    };
    struct client *other = server_client_new(f->box.server);
    (void)box_ask(&f->box, f->client, "client setname me\r\nselect 2\r\n");
    const char *answer = box_ask(&f->box, f->client, "client list\r\n");
    assert_int_equal(count_lines(answer), 2);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        assert_non_null(strstr(answer, fields[i]));
    assert_non_null(strstr(answer, "id=2 "));
    assert_non_null(strstr(answer, " cmd=NULL "));
    server_client_free(other);
}

static void list_can_be_asked_for_some(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    assert_int_equal(count_lines(box_ask(&f->box, f->client, "client list id 2 77 1\r\n")), 2);
    assert_int_equal(count_lines(box_ask(&f->box, f->client, "client list id 2\r\n")), 1);
    assert_int_equal(count_lines(box_ask(&f->box, f->client, "client list type normal\r\n")), 2);
    EXPECT(f, "client list type pubsub\r\n", "$0\r\n\r\n");
    EXPECT(f, "client list type replica\r\n", "$0\r\n\r\n");
    EXPECT(f, "client list type foo\r\n", "-ERR Unknown client type 'foo'\r\n");
    EXPECT(f, "client list id x\r\n", "-ERR Invalid client ID\r\n");
    EXPECT(f, "client list id\r\n", "-ERR syntax error\r\n");
    EXPECT(f, "client list foo bar\r\n", "-ERR syntax error\r\n");
    server_client_free(other);
}

static void kill_by_id_closes_that_client_only(void **state)
{
    struct fixture *f = *state;
    struct client *second = server_client_new(f->box.server);
    struct client *third = server_client_new(f->box.server);
    EXPECT(f, "client kill id 2\r\n", ":1\r\n");
    assert_true(server_client_is_closed(second));
    assert_false(server_client_is_closed(third));
    EXPECT(f, "client kill id 2\r\n", ":0\r\n");
    assert_int_equal(server_client_count(f->box.server), 2);
    server_client_free(second);
    server_client_free(third);
}

static void kill_spares_the_caller_unless_told_otherwise(void **state)
{
    struct fixture *f = *state;
    struct client *second = server_client_new(f->box.server);
    EXPECT(f, "client kill type normal\r\n", ":1\r\n");
    assert_true(server_client_is_closed(second));
    assert_false(server_client_is_closed(f->client));
    EXPECT(f, "client kill skipme no\r\nping\r\n", ":1\r\n"); /* answered, then closed */
    assert_true(server_client_is_closed(f->client));
    server_client_free(second);
}

static void kill_in_its_old_form_names_an_address(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client kill 127.0.0.1:1\r\n", "-ERR No such client\r\n");
    EXPECT(f, "client kill ?:0\r\n", "+OK\r\n"); /* what clients without a socket are called */
    assert_true(server_client_is_closed(f->client));
}

static void kill_refuses_what_it_does_not_know(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client kill id 0\r\n", "-ERR client-id should be greater than 0\r\n");
    EXPECT(f, "client kill id x\r\n", "-ERR client-id should be greater than 0\r\n");
    EXPECT(f, "client kill type foo\r\n", "-ERR Unknown client type 'foo'\r\n");
    EXPECT(f, "client kill user nobody\r\n", "-ERR No such user 'nobody'\r\n");
    EXPECT(f, "client kill id 1 skipme maybe\r\n", "-ERR syntax error\r\n");
    EXPECT(f, "client kill foo bar\r\n", "-ERR syntax error\r\n");
    EXPECT(f, "client kill id 1 addr\r\n", "-ERR syntax error\r\n");
    assert_false(server_client_is_closed(f->client));
}

static void a_killed_client_s_waiting_request_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct client *second = server_client_new(f->box.server);
    box_feed(second, "waitset a 1\r\nset b 1\r\n");
    box_turn(&f->box);
    EXPECT(f, "client kill id 2\r\n", ":1\r\n");
    assert_int_equal(f->box.exec->cancels, 1);
    f->box.exec->lets_go = true;
    box_turn(&f->box);
    EXPECT(f, "get a\r\nget b\r\n", "$-1\r\n$-1\r\n");
    server_client_free(second);
}

static void replies_can_be_switched_off(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client reply off\r\nset a 1\r\nping\r\nnope\r\n", "");
    EXPECT(f, "client reply skip\r\nget a\r\n", "");
    EXPECT(f, "client reply on\r\nget a\r\n", "+OK\r\n$1\r\n1\r\n");
    assert_int_equal(server_client_unsent(f->client), 0);
}

static void skip_leaves_out_one_reply(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client reply skip\r\nping\r\nping\r\n", "+PONG\r\n");
    EXPECT(f, "client reply skip\r\nset a 1\r\nget a\r\n", "$1\r\n1\r\n");
    EXPECT(f, "client reply skip\r\nclient reply skip\r\nping\r\nping\r\n", "+PONG\r\n");
    EXPECT(f, "client reply maybe\r\n", "-ERR syntax error\r\n");
}

static void a_pause_holds_back_writes_and_lets_reads_through(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "client pause 1000 write\r\n", "+OK\r\n");
    BOX_EXPECT(&f->box, other, "get a\r\nset a 1\r\nget a\r\n", "$-1\r\n");
    EXPECT(f, "get a\r\n", "$-1\r\n");
    box_sleep(&f->box, 999);
    assert_string_equal(box_take(&f->box, other), "");
    box_sleep(&f->box, 1);
    fake_exec_commit(f->box.exec);
    server_release(f->box.server);
    assert_string_equal(box_take(&f->box, other), "+OK\r\n$1\r\n1\r\n");
    server_client_free(other);
}

static void a_pause_of_all_holds_back_everything(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "client pause 500\r\n", "+OK\r\n");
    BOX_EXPECT(&f->box, other, "ping\r\n", "");
    box_sleep(&f->box, 500);
    assert_string_equal(box_take(&f->box, other), "+PONG\r\n");
    server_client_free(other);
}

static void unpause_ends_a_pause_of_writes(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "client pause 100000 write\r\n", "+OK\r\n");
    BOX_EXPECT(&f->box, other, "multi\r\nset a 1\r\n", "+OK\r\n");
    EXPECT(f, "client unpause\r\n", "+OK\r\n");
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, other), "+QUEUED\r\n");
    server_client_free(other);
}

static void a_client_that_goes_while_paused_is_gone(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    EXPECT(f, "client pause 100 write\r\n", "+OK\r\n");
    BOX_EXPECT(&f->box, other, "set a 1\r\n", "");
    server_client_free(other);
    box_sleep(&f->box, 200);
    EXPECT(f, "get a\r\n", "$-1\r\n");
}

static void pause_refuses_bad_times_and_modes(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client pause x\r\n", "-ERR timeout is not an integer or out of range\r\n");
    EXPECT(f, "client pause -1\r\n", "-ERR timeout is negative\r\n");
    EXPECT(f, "client pause 1 foo\r\n", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
    EXPECT(f, "client pause 0\r\n", "+OK\r\n");
    box_turn(&f->box);
    EXPECT(f, "ping\r\n", "+PONG\r\n");
    EXPECT(f, "client pause 9223372036854775807 write\r\nclient unpause\r\n", "+OK\r\n+OK\r\n");
}

static void there_is_nobody_to_unblock(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client unblock 1\r\nclient unblock 99 error\r\n", ":0\r\n:0\r\n");
    EXPECT(f, "client unblock x\r\n", "-ERR value is not an integer or out of range\r\n");
    EXPECT(f, "client unblock 1 foo\r\n",
           "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
}

static void who_waits_is_unblocked_by_its_id_and_once(void **state)
{
    struct fixture *f = *state;
    struct client *second = server_client_new(f->box.server);
    box_feed(second, "waitset a 1\r\nget a\r\n");
    box_turn(&f->box);
    assert_non_null(
        strstr(box_ask(&f->box, f->client, "info clients\r\n"), "\r\nblocked_clients:1\r\n"));
    EXPECT(f, "client unblock 2\r\nclient unblock 2\r\n", ":1\r\n:0\r\n");
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, second), "$-1\r\n$-1\r\n");
    box_feed(second, "waitset a 1\r\n");
    box_turn(&f->box);
    EXPECT(f, "client unblock 2 error\r\n", ":1\r\n");
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, second),
                        "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    server_client_free(second);
}

static void switches_are_on_or_off(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "client no-evict on\r\nclient no-touch on\r\n", "+OK\r\n+OK\r\n");
    assert_non_null(strstr(box_ask(&f->box, f->client, "client info\r\n"), " flags=eT "));
    EXPECT(f, "client no-evict off\r\nclient no-touch off\r\n", "+OK\r\n+OK\r\n");
    assert_non_null(strstr(box_ask(&f->box, f->client, "client info\r\n"), " flags=N "));
    EXPECT(f, "client no-evict maybe\r\n", "-ERR syntax error\r\n");
    EXPECT(f, "client getredir\r\n", ":-1\r\n");
}

static void help_is_an_array_of_lines(void **state)
{
    struct fixture *f = *state;
    static const char *const containers[] = {"client", "config", "slowlog", "acl"};
    for (size_t i = 0; i < COUNT_OF(containers); i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%s help\r\n", containers[i]);
        const char *answer = box_ask(&f->box, f->client, text);
        assert_int_equal(answer[0], '*');
        assert_non_null(strstr(answer, "<subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_client_has_an_id_and_a_name),
        FIXTURE_TEST(a_client_tells_its_library),
        FIXTURE_TEST(list_shows_every_client_with_what_tools_read),
        FIXTURE_TEST(list_can_be_asked_for_some),
        FIXTURE_TEST(kill_by_id_closes_that_client_only),
        FIXTURE_TEST(kill_spares_the_caller_unless_told_otherwise),
        FIXTURE_TEST(kill_in_its_old_form_names_an_address),
        FIXTURE_TEST(kill_refuses_what_it_does_not_know),
        FIXTURE_TEST(a_killed_client_s_waiting_request_is_cancelled),
        FIXTURE_TEST(replies_can_be_switched_off),
        FIXTURE_TEST(skip_leaves_out_one_reply),
        FIXTURE_TEST(a_pause_holds_back_writes_and_lets_reads_through),
        FIXTURE_TEST(a_pause_of_all_holds_back_everything),
        FIXTURE_TEST(unpause_ends_a_pause_of_writes),
        FIXTURE_TEST(a_client_that_goes_while_paused_is_gone),
        FIXTURE_TEST(pause_refuses_bad_times_and_modes),
        FIXTURE_TEST(there_is_nobody_to_unblock),
        FIXTURE_TEST(who_waits_is_unblocked_by_its_id_and_once),
        FIXTURE_TEST(switches_are_on_or_off),
        FIXTURE_TEST(help_is_an_array_of_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
