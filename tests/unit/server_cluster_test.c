/* CLUSTER, READONLY, READWRITE, ASKING and RAFT as far as no node is needed. */
#include "server_box.h"

#include "server/operator.h"

struct asked {
    int count;
    enum operator_command what;
    int argc;
};

static void note_asked(void *ctx, struct call *c, enum operator_command what)
{
    struct asked *asked = ctx;
    *asked = (struct asked){asked->count + 1, what, c->argc};
    reply_simple(&c->reply, "NOTED");
}

#define DISABLED "-ERR This instance has cluster support disabled\r\n"

static void without_cluster_enabled_all_but_raft_is_refused(void **state)
{
    struct fixture *f = *state;
    struct asked asked = {0};
    server_on_operator(f->box.server, note_asked, &asked);
    EXPECT(f, "cluster slots\r\n", DISABLED);
    EXPECT(f, "cluster help\r\n", DISABLED);
    EXPECT(f, "cluster keyslot a\r\n", DISABLED);
    EXPECT(f, "cluster countkeysinslot 1\r\n", DISABLED);
    EXPECT(f, "readonly\r\n", DISABLED);
    EXPECT(f, "readwrite\r\n", DISABLED);
    EXPECT(f, "asking\r\n", DISABLED);
    EXPECT(f, "cluster nonsense\r\n", "-ERR unknown subcommand 'nonsense'. Try CLUSTER HELP.\r\n");
    EXPECT(f, "cluster keyslot\r\n",
           "-ERR wrong number of arguments for 'cluster|keyslot' command\r\n");
    assert_int_equal(asked.count, 0);
    EXPECT(f, "raft members\r\n", "+NOTED\r\n");
    assert_int_equal(asked.count, 1);
}

static void each_row_asks_the_node_for_its_own_command(void **state)
{
    static const struct {
        const char *line;
        enum operator_command what;
    } cases[] = {
        {"cluster count-failure-reports x\r\n", OPERATOR_CLUSTER_COUNT_FAILURE_REPORTS},
        {"cluster info\r\n", OPERATOR_CLUSTER_INFO},
        {"cluster links\r\n", OPERATOR_CLUSTER_LINKS},
        {"cluster myid\r\n", OPERATOR_CLUSTER_MYID},
        {"cluster myshardid\r\n", OPERATOR_CLUSTER_MYSHARDID},
        {"cluster nodes\r\n", OPERATOR_CLUSTER_NODES},
        {"cluster replicas x\r\n", OPERATOR_CLUSTER_REPLICAS},
        {"cluster slaves x\r\n", OPERATOR_CLUSTER_REPLICAS},
        {"cluster shards\r\n", OPERATOR_CLUSTER_SHARDS},
        {"cluster slots\r\n", OPERATOR_CLUSTER_SLOTS},
        {"raft add 2 a:1\r\n", OPERATOR_RAFT_ADD},
        {"raft info\r\n", OPERATOR_RAFT_INFO},
        {"raft members\r\n", OPERATOR_RAFT_MEMBERS},
        {"raft promote 2\r\n", OPERATOR_RAFT_PROMOTE},
        {"raft remove 2\r\n", OPERATOR_RAFT_REMOVE},
        {"raft snapshot\r\n", OPERATOR_RAFT_SNAPSHOT},
        {"raft transfer 0 2\r\n", OPERATOR_RAFT_TRANSFER},
    };
    struct fixture *f = *state;
    struct asked asked = {0};
    f->box.config.cluster_enabled = true;
    server_on_operator(f->box.server, note_asked, &asked);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT(f, cases[i].line, "+NOTED\r\n");
        assert_int_equal(asked.count, i + 1);
        assert_int_equal(asked.what, cases[i].what);
    }
}

static void without_a_node_they_answer_an_error(void **state)
{
    struct fixture *f = *state;
    f->box.config.cluster_enabled = true;
    EXPECT(f, "cluster slots\r\n", "-ERR this server is not part of a node\r\n");
    EXPECT(f, "raft members\r\n", "-ERR this server is not part of a node\r\n");
}

static void what_gossip_does_in_redis_is_refused_with_what_to_use(void **state)
{
    struct fixture *f = *state;
    f->box.config.cluster_enabled = true;
    EXPECT(f, "cluster meet a 1\r\n", "-ERR not supported: RAFT ADD takes a node in\r\n");
    EXPECT(f, "cluster forget x\r\n", "-ERR not supported: RAFT REMOVE takes a node out\r\n");
    EXPECT(f, "cluster failover\r\n",
           "-ERR not supported: RAFT TRANSFER hands the lead of a shard to another node\r\n");
    EXPECT(f, "cluster addslots 1\r\n",
           "-ERR not supported: slots belong to shards for good; RAFT TRANSFER hands a lead "
           "over\r\n");
    EXPECT(f, "cluster saveconfig\r\n", "+OK\r\n");
}

static void slots_of_keys_and_modes_need_no_node(void **state)
{
    struct fixture *f = *state;
    f->box.config.cluster_enabled = true;
    EXPECT(f, "cluster keyslot foo\r\n", ":12182\r\n");
    EXPECT(f, "cluster keyslot {foo}bar\r\n", ":12182\r\n");
    EXPECT(f, "readonly\r\n", "+OK\r\n");
    EXPECT(f, "readwrite\r\n", "+OK\r\n");
    EXPECT(f, "asking\r\n", "+OK\r\n");
    assert_non_null(strstr(box_ask(&f->box, f->client, "hello\r\n"), "$7\r\ncluster\r\n"));
    const char *text = box_ask(&f->box, f->client, "info server\r\n");
    assert_non_null(strstr(text, "\r\nredis_mode:cluster\r\n"));
    text = box_ask(&f->box, f->client, "info cluster\r\n");
    assert_non_null(strstr(text, "\r\ncluster_enabled:1\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(without_cluster_enabled_all_but_raft_is_refused),
        FIXTURE_TEST(each_row_asks_the_node_for_its_own_command),
        FIXTURE_TEST(without_a_node_they_answer_an_error),
        FIXTURE_TEST(what_gossip_does_in_redis_is_refused_with_what_to_use),
        FIXTURE_TEST(slots_of_keys_and_modes_need_no_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
