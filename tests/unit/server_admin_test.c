/* INFO, CONFIG, SLOWLOG, SHUTDOWN, and the rest of what operators ask. */
#include "server_box.h"

#include "server/stats.h"

static const char *info(struct fixture *f, const char *arguments)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "info %s\r\n", arguments);
    return box_ask(&f->box, f->client, text);
}

#define HAS(text, part)     assert_non_null(strstr(text, part))
#define HAS_NOT(text, part) assert_null(strstr(text, part))

static void info_has_what_tools_read(void **state)
{
    struct fixture *f = *state;
    static const char *const fields[] = {
        "# Server\r\nredis_version:7.2.4\r\nquoin_version:0.1.0\r\n",
        "\r\nredis_mode:standalone\r\n",
        "\r\nos:Linux ",
        "\r\nprocess_id:",
        "\r\nrun_id:",
        "\r\ntcp_port:6379\r\n",
        "\r\nuptime_in_seconds:0\r\n",
        "\r\n\r\n# Clients\r\nconnected_clients:1\r\n",
        "\r\nmaxclients:10000\r\n",
        "\r\nblocked_clients:0\r\n",
        "# Memory\r\nused_memory:",
        "\r\nused_memory_human:",
        "\r\nused_memory_rss:",
        "\r\nmaxmemory_policy:noeviction\r\n",
        "\r\nmem_fragmentation_ratio:",
        "# Persistence\r\nloading:0\r\n",
        "\r\naof_enabled:1\r\n",
        "# Stats\r\ntotal_connections_received:1\r\n",
        "\r\ninstantaneous_ops_per_sec:",
        "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n",
        "# CPU\r\nused_cpu_sys:",
        "# Cluster\r\ncluster_enabled:0\r\n",
        "# Keyspace\r\n",
    };
    const char *text = info(f, "");
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        HAS(text, fields[i]);
    HAS_NOT(text, "# Commandstats");
}

static void info_gives_the_sections_that_are_asked_for(void **state)
{
    struct fixture *f = *state;
    const char *text = info(f, "CLIENTS cpu");
    HAS(text, "# Clients\r\n");
    HAS(text, "# CPU\r\n");
    HAS_NOT(text, "# Server");
    EXPECT(f, "info nonsense\r\n", "$0\r\n\r\n");
    text = info(f, "all");
    HAS(text, "# Commandstats\r\n");
    HAS(text, "# Server\r\n");
    text = info(f, "default commandstats");
    HAS(text, "# Commandstats\r\n");
    HAS(text, "# Memory\r\n");
    HAS(info(f, "everything"), "# Commandstats\r\n");
}

static void fill_first(struct buf *out, void *ctx)
{
    buf_printf(out, "first:%d\r\n", *(int *)ctx);
}

static void fill_second(struct buf *out, void *ctx)
{
    buf_printf(out, "second:%d\r\n", *(int *)ctx);
}

static void others_add_to_known_and_new_sections(void **state)
{
    struct fixture *f = *state;
    int one = 1, two = 2;
    server_add_info(f->box.server, "keyspace", fill_first, &one);
    server_add_info(f->box.server, "raft", fill_first, &one);
    server_add_info(f->box.server, "raft", fill_second, &two);
    EXPECT(f, "info keyspace\r\n", "$21\r\n# Keyspace\r\nfirst:1\r\n\r\n");
    EXPECT(f, "info raft\r\n", "$27\r\n# Raft\r\nfirst:1\r\nsecond:2\r\n\r\n");
    HAS(info(f, ""), "# Raft\r\nfirst:1\r\nsecond:2\r\n");
}

static void commands_are_counted_by_name_and_fate(void **state)
{
    struct fixture *f = *state;
    (void)box_ask(&f->box, f->client,
                  "set a x\r\nset a y\r\nincr a\r\nget\r\nnope\r\nconfig get port\r\n");
    (void)box_ask(&f->box, f->client, "multi\r\nset a 1\r\nexec\r\n");
    const char *text = info(f, "commandstats");
    HAS(text, "cmdstat_set:calls=3,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0\r\n");
    HAS(text, "cmdstat_incr:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1\r\n");
    HAS(text, "cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n");
    HAS(text, "cmdstat_config|get:calls=1,");
    HAS(text, "cmdstat_exec:calls=1,");
    HAS(info(f, "errorstats"), "errorstat_ERR:count=3\r\n");
    (void)box_ask(&f->box, f->client, "hello 9\r\n");
    text = info(f, "errorstats");
    HAS(text, "errorstat_ERR:count=3\r\nerrorstat_NOPROTO:count=1\r\n");
    HAS(info(f, "stats"), "total_error_replies:4\r\n");
    EXPECT(f, "config resetstat\r\n", "+OK\r\n");
    HAS_NOT(info(f, "commandstats"), "cmdstat_set");
    HAS_NOT(info(f, "errorstats"), "errorstat_");
}

static void distinct_error_codes_are_bounded(void **state)
{
    (void)state;
    struct stats *stats = mem_zero(sizeof(*stats));
    stats_init(stats);
    for (int i = 0; i < STATS_ERRORS_MAX + 10; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "CODE%d text", i);
        stats_count_error(stats, bytes_of_string(text));
    }
    assert_int_equal(stats->error_count, STATS_ERRORS_MAX);
    assert_int_equal(stats->error_replies, STATS_ERRORS_MAX + 10);
    stats_count_error(stats, BYTES_LITERAL("CODE0"));
    assert_int_equal(stats->errors[0].count, 2);
    stats_fini(stats);
    mem_free(stats);
}

static void operations_per_second_follow_the_load(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        for (int j = 0; j < 10; j++)
            EXPECT(f, "ping\r\n", "+PONG\r\n");
        box_sleep(&f->box, 100);
    }
    HAS(info(f, "stats"), "instantaneous_ops_per_sec:100\r\n");
    box_sleep(&f->box, 3600 * 1000);
    HAS(info(f, "stats"), "instantaneous_ops_per_sec:0\r\n");
}

static void config_get_takes_patterns(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "config get port\r\n", "*2\r\n$4\r\nport\r\n$4\r\n6379\r\n");
    EXPECT(f, "config get nothing-like-this\r\n", "*0\r\n");
    const char *text = box_ask(&f->box, f->client, "config get maxc* PORT\r\n");
    HAS(text, "maxclients");
    HAS(text, "6379");
    (void)box_ask(&f->box, f->client, "hello 3\r\n");
    EXPECT(f, "config get port\r\n", "%1\r\n$4\r\nport\r\n$4\r\n6379\r\n");
}

static void count_call(void *ctx)
{
    ++*(int *)ctx;
}

static void config_set_changes_all_or_nothing_and_tells_the_owner(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    server_on_config(f->box.server, count_call, &calls);
    EXPECT(f, "config set maxclients 77 timeout 5\r\n", "+OK\r\n");
    assert_int_equal(f->box.config.maxclients, 77);
    assert_int_equal(f->box.config.timeout, 5);
    assert_int_equal(calls, 1);
    HAS(box_ask(&f->box, f->client, "config set maxclients 88 timeout x\r\n"),
        "-ERR CONFIG SET failed");
    assert_int_equal(f->box.config.maxclients, 77);
    HAS(box_ask(&f->box, f->client, "config set nonsense 1\r\n"), "-ERR Unknown option");
    EXPECT(f, "config set maxclients 1 timeout\r\n",
           "-ERR wrong number of arguments for 'config|set' command\r\n");
    assert_int_equal(calls, 1);
}

static void config_rewrite_needs_a_file(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "config rewrite\r\n", "-ERR The server is running without a config file\r\n");
}

static void time_and_role_and_wait_answer(void **state)
{
    struct fixture *f = *state;
    f->box.now.wall_us = 1700000001000042;
    EXPECT(f, "time\r\n", "*2\r\n$10\r\n1700000001\r\n$2\r\n42\r\n");
    EXPECT(f, "role\r\n", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    EXPECT(f, "wait 0 0\r\n", ":0\r\n");
    EXPECT(f, "wait 1 -1\r\n", "-ERR timeout is negative\r\n");
    EXPECT(f, "wait 1 x\r\n", "-ERR timeout is not an integer or out of range\r\n");
    EXPECT(f, "wait x 1\r\n", "-ERR value is not an integer or out of range\r\n");
    HAS(box_ask(&f->box, f->client, "lolwut\r\n"), "Redis ver. 7.2.4\n");
}

static void acl_knows_one_user_and_the_categories(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "acl whoami\r\n", "$7\r\ndefault\r\n");
    HAS(box_ask(&f->box, f->client, "acl cat\r\n"), "*21\r\n$8\r\nkeyspace\r\n");
    const char *text = box_ask(&f->box, f->client, "acl cat transaction\r\n");
    HAS(text, "*5\r\n");
    HAS(text, "$7\r\nunwatch\r\n");
    HAS(box_ask(&f->box, f->client, "acl cat dangerous\r\n"), "client|kill");
    EXPECT(f, "acl cat foo\r\n", "-ERR Unknown category 'foo'\r\n");
}

static void shutdown_is_the_node_s_to_do(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    assert_false(server_shutdown_request(f->box.server).is_requested);
    EXPECT(f, "shutdown nosave force\r\nping\r\n", "");
    assert_true(server_shutdown_request(f->box.server).is_requested);
    assert_true(server_shutdown_request(f->box.server).is_force);
    assert_false(server_shutdown_request(f->box.server).is_now);
    BOX_EXPECT(&f->box, other, "shutdown now\r\n", "");
    assert_true(server_shutdown_request(f->box.server).is_now);
    server_shutdown_failed(f->box.server);
    assert_false(server_shutdown_request(f->box.server).is_requested);
    box_turn(&f->box);
    assert_string_equal(box_take(&f->box, f->client),
                        "-ERR Errors trying to SHUTDOWN. Check logs.\r\n+PONG\r\n");
    assert_string_equal(box_take(&f->box, other),
                        "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
    server_client_free(other);
}

static void shutdown_can_be_aborted_by_another(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    BOX_EXPECT(&f->box, other, "shutdown abort\r\n", "-ERR No shutdown in progress.\r\n");
    BOX_EXPECT(&f->box, other, "shutdown save nosave\r\n", "-ERR syntax error\r\n");
    BOX_EXPECT(&f->box, other, "shutdown abort now\r\n", "-ERR syntax error\r\n");
    assert_false(server_shutdown_request(f->box.server).is_requested);
    EXPECT(f, "shutdown\r\n", "");
    BOX_EXPECT(&f->box, other, "shutdown abort\r\n", "+OK\r\n");
    assert_string_equal(box_take(&f->box, f->client),
                        "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
    assert_false(server_shutdown_request(f->box.server).is_requested);
    server_client_free(other);
}

static void a_client_that_asked_for_shutdown_may_leave(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_client_new(f->box.server);
    BOX_EXPECT(&f->box, other, "shutdown\r\n", "");
    server_client_free(other);
    assert_int_equal(f->box.exec->cancels, 0);
    server_shutdown_failed(f->box.server);
    EXPECT(f, "ping\r\n", "+PONG\r\n");
}

/* ---- the slow log: a clock that takes a step at each reading ---- */

static uint64_t slow_clock_us(void)
{
    static uint64_t now_us; /* a test's clock has no other place: the server passes nothing */
    return now_us += 5000;
}

static int open_slow(void **state)
{
    struct fixture *f = mem_zero(sizeof(*f));
    box_open_on(&f->box, slow_clock_us, NULL);
    f->client = server_client_new(f->box.server);
    *state = f;
    return 0;
}

static void slow_commands_are_kept_newest_first(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "config set slowlog-log-slower-than 5001\r\nslowlog reset\r\n", "+OK\r\n+OK\r\n");
    EXPECT(f, "set a 1\r\nslowlog len\r\n", "+OK\r\n:0\r\n");
    EXPECT(f, "config set slowlog-log-slower-than 5000\r\nslowlog reset\r\n", "+OK\r\n+OK\r\n");
    EXPECT(f, "client setname me\r\nget a\r\n", "+OK\r\n$1\r\n1\r\n");
    const char *text = box_ask(&f->box, f->client, "slowlog get 1\r\n");
    HAS(text, "*1\r\n*6\r\n:");
    HAS(text, ":1700000000\r\n:5000\r\n*2\r\n$3\r\nget\r\n$1\r\na\r\n$3\r\n?:0\r\n$2\r\nme\r\n");
    HAS(box_ask(&f->box, f->client, "slowlog get -1\r\n"), "$7\r\nsetname\r\n");
    EXPECT(f, "config set slowlog-log-slower-than -1\r\nslowlog reset\r\nslowlog len\r\n",
           "+OK\r\n+OK\r\n:0\r\n");
    EXPECT(f, "slowlog get -2\r\n", "-ERR count should be greater than or equal to -1\r\n");
}

static void the_slow_log_is_bounded_in_length_and_arguments(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    EXPECT(f, "config set slowlog-log-slower-than 0 slowlog-max-len 3\r\n", "+OK\r\n");
    for (int i = 0; i < 10; i++)
        EXPECT(f, "ping\r\n", "+PONG\r\n");
    EXPECT(f, "slowlog len\r\n", ":3\r\n");
    buf_append_string(&text, "set a");
    for (int i = 0; i < 31; i++)
        buf_append_string(&text, " x");
    buf_append_string(&text, "\r\n");
    buf_append_u8(&text, 0);
    (void)box_ask(&f->box, f->client, (const char *)text.data);
    HAS(box_ask(&f->box, f->client, "slowlog get 1\r\n"), "*32\r\n$3\r\nset\r\n");
    HAS((const char *)f->box.taken.data, "$22\r\n... (2 more arguments)\r\n");
    buf_clear(&text);
    buf_printf(&text, "ping %0129d\r\n", 0);
    buf_append_u8(&text, 0);
    (void)box_ask(&f->box, f->client, (const char *)text.data);
    HAS(box_ask(&f->box, f->client, "slowlog get 1\r\n"), "0... (1 more bytes)\r\n");
    buf_free(&text);
}

static void the_slow_log_shows_no_passwords(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "config set slowlog-log-slower-than 0\r\n", "+OK\r\n");
    (void)box_ask(&f->box, f->client,
                  "config set requirepass hush1\r\nauth hush1\r\nauth hush2\r\n"
                  "hello 3 auth default hush1\r\n");
    const char *text = box_ask(&f->box, f->client, "slowlog get -1\r\n");
    HAS(text, "(redacted)");
    HAS(text, "requirepass");
    HAS_NOT(text, "hush");
}

static void durations_are_counted(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "ping\r\nping\r\n", "+PONG\r\n+PONG\r\n");
    HAS(info(f, "commandstats"), "cmdstat_ping:calls=2,usec=10000,usec_per_call=5000.00,rejected_"
                                 "calls=0,failed_calls=0\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(info_has_what_tools_read),
        FIXTURE_TEST(info_gives_the_sections_that_are_asked_for),
        FIXTURE_TEST(others_add_to_known_and_new_sections),
        FIXTURE_TEST(commands_are_counted_by_name_and_fate),
        cmocka_unit_test(distinct_error_codes_are_bounded),
        FIXTURE_TEST(operations_per_second_follow_the_load),
        FIXTURE_TEST(config_get_takes_patterns),
        FIXTURE_TEST(config_set_changes_all_or_nothing_and_tells_the_owner),
        FIXTURE_TEST(config_rewrite_needs_a_file),
        FIXTURE_TEST(time_and_role_and_wait_answer),
        FIXTURE_TEST(acl_knows_one_user_and_the_categories),
        FIXTURE_TEST(shutdown_is_the_node_s_to_do),
        FIXTURE_TEST(shutdown_can_be_aborted_by_another),
        FIXTURE_TEST(a_client_that_asked_for_shutdown_may_leave),
        cmocka_unit_test_setup_teardown(slow_commands_are_kept_newest_first, open_slow,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(the_slow_log_is_bounded_in_length_and_arguments, open_slow,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(the_slow_log_shows_no_passwords, open_slow, close_fixture),
        cmocka_unit_test_setup_teardown(durations_are_counted, open_slow, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
