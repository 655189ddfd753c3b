/* Who becomes a link and who does not. */
#include "peers_box.h"

#include <errno.h>
#include <poll.h>

#include "cluster/hello.h"
#include "cluster/link.h"

static struct box box;

static int begin(void **state)
{
    (void)state;
    box_begin(&box, 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    box_end(&box);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void members_link_all_channels_and_say_so(void **state)
{
    (void)state;
    box_end(&box);
    box_begin(&box, 3);
    box_open_all(&box);
    BOX_UNTIL(&box, box_all_linked(&box));
    BOX_UNTIL(&box, box_count(&box, 0, PEERS_IN_LINK_UP) == 2 * PEERS_CHANNELS);
    BOX_UNTIL(&box, box_count(&box, 1, PEERS_IN_LINK_UP) == 2 * PEERS_CHANNELS);
    const struct box_note *up = box_find(&box, 1, PEERS_IN_LINK_UP, 0);
    assert_int_equal(up->input.link.cluster_id, 77);
    assert_int_equal(up->input.link.store_id, 100 + up->input.node);
    struct peers_status status = box_status(&box, 0, 1);
    assert_int_equal(status.links, PEERS_CHANNELS);
    assert_int_equal(status.refused, 0);
    assert_string_equal(status.error, "");
}

/* Turns until both sides have refused or been refused, and nothing is linked. */
static void expect_refusal(const char *dialler_says, const char *acceptor_logs)
{
    box_open_all(&box);
    BOX_UNTIL(&box, strstr(box_status(&box, 0, 1).error, dialler_says) != NULL);
    BOX_UNTIL(&box, box_logged(&box, acceptor_logs));
    struct peers_status status = box_status(&box, 1, 0);
    for (int i = 0; i < PEERS_CHANNELS; i++)
        assert_false(status.is_linked[i]);
    assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_UP), 0);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_UP), 0);
    assert_true(peers_counters(box.nodes[1].peers).strangers > 0);
}

static void another_cluster_is_refused(void **state)
{
    (void)state;
    box.nodes[0].options.cluster_id = 78;
    expect_refusal("refused us: another cluster id", "another cluster id");
}

static void another_secret_is_refused(void **state)
{
    (void)state;
    box.nodes[0].options.secret = BYTES_LITERAL("a secret of the whole cluste!");
    expect_refusal("refused us: another cluster-secret", "refused: another cluster-secret");
}

static void a_secret_that_is_only_longer_is_refused(void **state)
{
    (void)state;
    box.nodes[0].options.secret = BYTES_LITERAL("a secret of the whole cluster ");
    expect_refusal("another cluster-secret", "another cluster-secret");
}

static void a_replaced_directory_of_the_caller_is_refused(void **state)
{
    (void)state;
    box.nodes[0].options.store_id = 999;
    expect_refusal("refused us: not the member's store id", "not the member's store id");
}

static void a_replaced_directory_of_the_called_is_refused(void **state)
{
    (void)state;
    box.nodes[1].options.store_id = 999;
    expect_refusal("another store id was called", "another store id was called");
}

static void a_node_that_is_no_member_is_refused(void **state)
{
    (void)state;
    box_open_all(&box);
    peers_remove(box.nodes[1].peers, 1);
    BOX_UNTIL(&box, strstr(box_status(&box, 0, 1).error, "refused us: not a member") != NULL);
    assert_true(box_logged(&box, "not a member of the cluster"));
    struct peers_member member = box_member(&box, 0);
    assert_int_equal(peers_set(box.nodes[1].peers, &member), PEERS_OK);
    BOX_UNTIL(&box, box_all_linked(&box));
}

static void a_node_under_another_id_is_refused(void **state)
{
    (void)state;
    box.nodes[1].options.node = 3;
    box_open_all(&box);
    BOX_UNTIL(&box, strstr(box_status(&box, 0, 1).error, "another node id was called") != NULL);
}

/* Both ends know the secret, none has seen the other yet: formation, or a node that joins. */
static void a_node_without_cluster_and_unknown_stores_are_accepted_and_told(void **state)
{
    (void)state;
    box.nodes[1].options.cluster_id = 0;
    box_open_all(&box);
    for (size_t i = 0; i < 2; i++) {
        struct peers_member member = box_member(&box, 1 - i);
        member.store_id = 0;
        assert_int_equal(peers_set(box.nodes[i].peers, &member), PEERS_OK);
    }
    BOX_UNTIL(&box, box_all_linked(&box) && box_count(&box, 1, PEERS_IN_LINK_UP) > 0 &&
                        box_count(&box, 0, PEERS_IN_LINK_UP) > 0);
    assert_int_equal(box_find(&box, 1, PEERS_IN_LINK_UP, 0)->input.link.cluster_id, 77);
    assert_int_equal(box_find(&box, 1, PEERS_IN_LINK_UP, 0)->input.link.store_id, 101);
    assert_int_equal(box_find(&box, 0, PEERS_IN_LINK_UP, 0)->input.link.cluster_id, 0);
    assert_int_equal(box_find(&box, 0, PEERS_IN_LINK_UP, 0)->input.link.store_id, 102);
}

static void learning_a_cluster_or_store_closes_what_contradicts_it(void **state)
{
    (void)state;
    box.nodes[1].options.cluster_id = 0;
    box_open_all(&box);
    BOX_UNTIL(&box, box_all_linked(&box) && box_count(&box, 1, PEERS_IN_LINK_UP) == 4);
    peers_set_cluster(box.nodes[1].peers, 77);
    box_turns(&box);
    assert_true(box_linked(&box, 1, 0));
    peers_set_cluster(box.nodes[1].peers, 78);
    assert_false(box_linked(&box, 1, 0));
    BOX_UNTIL(&box, box_count(&box, 1, PEERS_IN_LINK_DOWN) == 4);
    BOX_UNTIL(&box, strstr(box_status(&box, 0, 1).error, "another cluster id") != NULL);
    peers_set_cluster(box.nodes[1].peers, 77);
    BOX_UNTIL(&box, box_all_linked(&box));
    struct peers_member member = box_member(&box, 0);
    member.store_id = 500;
    assert_int_equal(peers_set(box.nodes[1].peers, &member), PEERS_OK);
    assert_false(box_linked(&box, 1, 0));
}

static void without_a_secret_nothing_is_opened(void **state)
{
    (void)state;
    struct buf error = {0};
    struct peers_options options = box.nodes[0].options;
    options.loop = loop_new(8);
    options.secret = (struct bytes){0};
    struct peers *peers;
    assert_false(peers_open(&peers, &options, 1, &error));
    assert_null(peers);
    buf_append_u8(&error, 0);
    assert_non_null(strstr((const char *)error.data, "cluster-secret is not set"));
    buf_free(&error);
    loop_free(options.loop);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(options.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    (void)close(fd);
}

static void a_port_that_is_taken_is_named(void **state)
{
    (void)state;
    box_open(&box, 0);
    struct buf error = {0};
    struct peers_options options = box.nodes[0].options;
    struct peers *peers;
    assert_false(peers_open(&peers, &options, 1, &error));
    buf_append_u8(&error, 0);
    assert_non_null(strstr((const char *)error.data, "peer port"));
    assert_non_null(strstr((const char *)error.data, "127.0.0.1"));
    buf_free(&error);
}

static void more_peers_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    struct peers_options options = box.nodes[0].options;
    options.loop = NULL;
    struct peers *peers;
    struct buf error = {0};
    assert_true(peers_open(&peers, &options, 1, &error));
    struct peers_member member = {.host = "127.0.0.1", .port = 1};
    for (uint64_t i = 0; i < PEERS_MAX; i++) {
        member.node = 100 - i;
        assert_int_equal(peers_set(peers, &member), PEERS_OK);
    }
    assert_int_equal(peers_count(peers), PEERS_MAX);
    assert_int_equal(peers_at(peers, 0), 100 - PEERS_MAX + 1);
    member.node = 200;
    assert_int_equal(peers_set(peers, &member), PEERS_FULL);
    member.node = 100;
    assert_int_equal(peers_set(peers, &member), PEERS_OK);
    peers_remove(peers, 100);
    peers_remove(peers, 100);
    member.node = 200;
    assert_int_equal(peers_set(peers, &member), PEERS_OK);
    peers_close(peers);
}

/* ---- strangers with sockets of their own ---- */

static int connect_to(size_t at)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(box.nodes[at].port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static bool has_been_closed(int fd)
{
    char byte;
    for (;;) {
        ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
        if (got > 0)
            continue;
        return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
}

static void expect_closed(int fd, const char *logged)
{
    BOX_UNTIL(&box, has_been_closed(fd));
    assert_true(box_logged(&box, logged));
    (void)close(fd);
}

static void say(int fd, struct bytes bytes)
{
    assert_int_equal(send(fd, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
}

static void garbage_is_refused_and_logged_once(void **state)
{
    (void)state;
    box_open(&box, 1);
    for (int i = 0; i < 3; i++) {
        int fd = connect_to(1);
        say(fd, BYTES_LITERAL("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
        expect_closed(fd, "Refused a connection to the peer port from 127.0.0.1:");
    }
    assert_int_equal(peers_counters(box.nodes[1].peers).strangers, 3);
    FILE *file = fopen(box.log_path, "re");
    char line[LOG_LINE_MAX + 1];
    int lines = 0;
    while (fgets(line, sizeof(line), file) != NULL)
        lines += strstr(line, "Refused") != NULL;
    (void)fclose(file);
    assert_int_equal(lines, 1);
}

static struct hello hello_of_node_1(void)
{
    return (struct hello){.protocol = HELLO_PROTOCOL,
                          .channel = PEERS_CONTROL,
                          .cluster_id = 77,
                          .from_node = 1,
                          .from_store = 101,
                          .to_node = 2,
                          .to_store = 102,
                          .run = 5,
                          .dial = 1};
}

static void say_frame(int fd, enum frame_kind kind, uint64_t number, struct bytes payload)
{
    struct buf frame = {0};
    size_t at = frame_begin(&frame);
    buf_append(&frame, payload);
    frame_end(&frame, at, (uint8_t)kind, number);
    say(fd, buf_bytes(&frame));
    buf_free(&frame);
}

static void say_hello(int fd, const struct hello *hello)
{
    struct buf payload = {0};
    hello_put(&payload, hello);
    say_frame(fd, FRAME_HELLO, 0, buf_bytes(&payload));
    buf_free(&payload);
}

static void another_protocol_version_is_refused(void **state)
{
    (void)state;
    box_open(&box, 1);
    struct hello hello = hello_of_node_1();
    hello.protocol = HELLO_PROTOCOL + 1;
    int fd = connect_to(1);
    say_hello(fd, &hello);
    expect_closed(fd, "another version of the protocol");
}

static void the_larger_id_does_not_dial(void **state)
{
    (void)state;
    box_open(&box, 0);
    struct hello hello = hello_of_node_1();
    hello.from_node = 2;
    hello.from_store = 102;
    hello.to_node = 1;
    hello.to_store = 101;
    int fd = connect_to(0);
    say_hello(fd, &hello);
    expect_closed(fd, "the node with the smaller id must dial");
}

/* A recorded proof is worth nothing: the nonce is another. Nor is what the acceptor would say. */
static void a_proof_that_does_not_fit_the_nonces_is_refused(void **state)
{
    (void)state;
    box_open(&box, 1);
    struct hello hello = hello_of_node_1();
    int fd = connect_to(1);
    uint8_t proof[HMAC_SIZE] = {0};
    say_hello(fd, &hello);
    say_frame(fd, FRAME_PROOF, 1, bytes_of(proof, sizeof(proof)));
    expect_closed(fd, "refused: another cluster-secret");
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_UP), 0);
}

/* A late greeting of the same process: its link would take the newer one's place. */
static void a_stale_dial_does_not_supersede(void **state)
{
    (void)state;
    box_open_all(&box);
    BOX_UNTIL(&box, box_all_linked(&box));
    struct hello hello = hello_of_node_1();
    hello.run = box.nodes[0].options.run;
    int fd = connect_to(1);
    say_hello(fd, &hello);
    expect_closed(fd, "a newer link is there already");
    assert_true(box_all_linked(&box));
    assert_int_equal(box_status(&box, 1, 0).links, PEERS_CHANNELS);
}

static void frames_before_the_proof_are_refused(void **state)
{
    (void)state;
    box_open(&box, 1);
    struct hello hello = hello_of_node_1();
    int fd = connect_to(1);
    say_hello(fd, &hello);
    say_frame(fd, FRAME_MESSAGE, 1, BYTES_LITERAL("12345678901234567890"));
    expect_closed(fd, "of a kind that does not belong there");
}

/* Nothing more is asked for memory than a greeting takes, whatever a stranger announces. */
static void a_stranger_s_big_frame_is_refused_by_its_header(void **state)
{
    (void)state;
    box_open(&box, 1);
    uint8_t header[FRAME_HEADER_SIZE] = {0};
    header[8 + 3] = 0x3f; /* size */
    header[12] = FRAME_VERSION;
    header[13] = FRAME_HELLO;
    int fd = connect_to(1);
    say(fd, bytes_of(header, sizeof(header)));
    expect_closed(fd, "too big for its kind");
}

static void who_says_nothing_is_given_up(void **state)
{
    (void)state;
    box_open(&box, 1);
    int fd = connect_to(1);
    say(fd, BYTES_LITERAL("half"));
    for (int i = 0; i < 3; i++)
        box_turns(&box);
    assert_false(has_been_closed(fd));
    box.ahead_us += 3000000;
    expect_closed(fd, "the handshake was not finished in time");
}

/* max - 1, max, max + 1: at the limit the newest is turned away and the oldest makes room. */
static void unfinished_handshakes_are_limited(void **state)
{
    (void)state;
    enum { MAX = 64 };
    box_open(&box, 1);
    int fds[MAX + 1];
    for (int i = 0; i < MAX; i++)
        fds[i] = connect_to(1);
    for (int i = 0; i < 10; i++)
        box_turns(&box);
    for (int i = 0; i < MAX; i++)
        assert_false(has_been_closed(fds[i]));
    fds[MAX] = connect_to(1);
    BOX_UNTIL(&box, has_been_closed(fds[MAX]));
    BOX_UNTIL(&box, has_been_closed(fds[0]));
    assert_false(has_been_closed(fds[1]));
    (void)close(fds[MAX]);
    fds[MAX] = connect_to(1);
    for (int i = 0; i < 10; i++)
        box_turns(&box);
    assert_false(has_been_closed(fds[MAX]));
    for (int i = 0; i <= MAX; i++)
        (void)close(fds[i]);
}

/* ---- the pure part ---- */

static void a_greeting_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct hello hello = hello_of_node_1(), back;
    memset(hello.nonce, 0xab, sizeof(hello.nonce));
    struct buf bytes = {0};
    hello_put(&bytes, &hello);
    assert_true(hello_take(buf_bytes(&bytes), &back));
    struct buf again = {0};
    hello_put(&again, &back);
    assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&bytes)));
    buf_free(&again);
    assert_int_equal(back.from_node, 1);
    assert_int_equal(back.from_store, 101);
    assert_int_equal(back.to_node, 2);
    assert_int_equal(back.to_store, 102);
    assert_int_equal(back.cluster_id, 77);
    assert_int_equal(back.run, 5);
    assert_int_equal(back.dial, 1);
    assert_false(hello_take(bytes_of(bytes.data, bytes.size - 1), &back));
    buf_append_u8(&bytes, 0);
    assert_false(hello_take(buf_bytes(&bytes), &back));
    bytes.size--;
    for (size_t i = 0; i < 16; i++) {
        if (i == 8 || i == 9 || i == 10) /* protocol and channel have other values */
            continue;
        bytes.data[i] ^= 1;
        assert_false(hello_take(buf_bytes(&bytes), &back));
        bytes.data[i] ^= 1;
    }
    bytes.data[10] = PEERS_CHANNELS;
    assert_false(hello_take(buf_bytes(&bytes), &back));
    buf_free(&bytes);
}

static void a_proof_binds_side_greetings_session_and_secret(void **state)
{
    (void)state;
    uint8_t hello[HELLO_SIZE] = {1}, challenge[HELLO_SIZE] = {2};
    uint8_t proof[HMAC_SIZE], other[HMAC_SIZE];
    struct bytes a = bytes_of(hello, sizeof(hello)), b = bytes_of(challenge, sizeof(challenge));
    struct bytes secret = BYTES_LITERAL("secret"), none = {0};
    hello_prove(secret, true, a, b, none, proof);
    hello_prove(secret, true, a, b, none, other);
    assert_true(hmac_equal(proof, other));
    hello_prove(secret, false, a, b, none, other);
    assert_false(hmac_equal(proof, other));
    hello_prove(secret, true, b, a, none, other);
    assert_false(hmac_equal(proof, other));
    hello_prove(secret, true, a, b, BYTES_LITERAL("session"), other);
    assert_false(hmac_equal(proof, other));
    hello_prove(BYTES_LITERAL("Secret"), true, a, b, none, other);
    assert_false(hmac_equal(proof, other));
}

/* RFC 4231, test case 2. */
static void hmac_is_the_one_of_the_rfc(void **state)
{
    (void)state;
    static const uint8_t expected[HMAC_SIZE] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                                0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                                0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
                                                0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    uint8_t made[HMAC_SIZE];
    hmac_sha256(BYTES_LITERAL("Jefe"), BYTES_LITERAL("what do ya want for nothing?"), made);
    assert_memory_equal(made, expected, HMAC_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_link_all_channels_and_say_so),
        TEST(another_cluster_is_refused),
        TEST(another_secret_is_refused),
        TEST(a_secret_that_is_only_longer_is_refused),
        TEST(a_replaced_directory_of_the_caller_is_refused),
        TEST(a_replaced_directory_of_the_called_is_refused),
        TEST(a_node_that_is_no_member_is_refused),
        TEST(a_node_under_another_id_is_refused),
        TEST(a_node_without_cluster_and_unknown_stores_are_accepted_and_told),
        TEST(learning_a_cluster_or_store_closes_what_contradicts_it),
        TEST(without_a_secret_nothing_is_opened),
        TEST(a_port_that_is_taken_is_named),
        TEST(more_peers_than_there_is_room_for_are_refused),
        TEST(garbage_is_refused_and_logged_once),
        TEST(another_protocol_version_is_refused),
        TEST(the_larger_id_does_not_dial),
        TEST(a_proof_that_does_not_fit_the_nonces_is_refused),
        TEST(a_stale_dial_does_not_supersede),
        TEST(frames_before_the_proof_are_refused),
        TEST(a_stranger_s_big_frame_is_refused_by_its_header),
        TEST(who_says_nothing_is_given_up),
        TEST(unfinished_handshakes_are_limited),
        TEST(a_greeting_is_read_as_it_was_written),
        TEST(a_proof_binds_side_greetings_session_and_secret),
        TEST(hmac_is_the_one_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
