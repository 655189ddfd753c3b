/* The same server over real sockets: accepting, reading and writing in pieces, ends of connections.
 */
#include "server_box.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 20000 }; /* of at most 1 ms: a test that waits for ever fails */

struct net {
    struct box box;
    struct loop *loop;
    uint16_t port;
};

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static int open_net(void **state)
{
    struct net *net = mem_zero(sizeof(*net));
    const char *error;
    net->loop = loop_new(16);
    net->port = free_port();
    box_open_on(&net->box, NULL, net->loop);
    net->box.config.port = net->port;
    assert_true(server_listen(net->box.server, &error));
    *state = net;
    return 0;
}

static int close_net(void **state)
{
    struct net *net = *state;
    box_close(&net->box);
    loop_free(net->loop);
    mem_free(net);
    return 0;
}

/* One whole turn; what was executed is committed in it. */
static void turn(struct net *net)
{
    int64_t wait_us = server_wait_us(net->box.server) == 0 ? 0 : 1000;
    server_receive(net->box.server, net_poll(net->loop, wait_us));
    net->box.now.boot_us += 1000;
    server_execute(net->box.server, net->box.now);
    fake_exec_commit(net->box.exec);
    server_release(net->box.server);
    server_write(net->box.server);
}

static int dial(struct net *net)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(net->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns until the answer is there, whole. */
static void hear(struct net *net, int fd, const char *answer)
{
    char got[512] = {0};
    size_t size = 0, expected = strlen(answer);
    for (int i = 0; i < TURNS_MAX && size < expected; i++) {
        turn(net);
        ssize_t more = recv(fd, got + size, sizeof(got) - 1 - size, 0);
        size += more > 0 ? (size_t)more : 0;
    }
    assert_string_equal(got, answer);
}

/* Turns until the server has closed the connection; nothing more may come. */
static void hear_end(struct net *net, int fd)
{
    char byte;
    for (int i = 0; i < TURNS_MAX; i++) {
        turn(net);
        ssize_t more = recv(fd, &byte, 1, 0);
        assert_true(more <= 0);
        if (more == 0)
            return;
    }
    fail();
}

static void wait_for_clients(struct net *net, size_t count)
{
    for (int i = 0; i < TURNS_MAX && server_client_count(net->box.server) != count; i++)
        turn(net);
    assert_int_equal(server_client_count(net->box.server), count);
}

static void a_connection_is_answered(void **state)
{
    struct net *net = *state;
    int fd = dial(net);
    say(fd, "PING\r\nset a 1\r\nget a\r\n");
    hear(net, fd, "+PONG\r\n+OK\r\n$1\r\n1\r\n");
    (void)close(fd);
    wait_for_clients(net, 0);
}

static void quit_closes_the_socket_after_the_answer(void **state)
{
    struct net *net = *state;
    int fd = dial(net);
    say(fd, "set a 1\r\nquit\r\nset a 2\r\n");
    hear(net, fd, "+OK\r\n+OK\r\n");
    hear_end(net, fd);
    assert_int_equal(net->box.exec->runs, 1);
    (void)close(fd);
}

static void a_peer_that_only_stops_sending_gets_its_answers(void **state)
{
    struct net *net = *state;
    int fd = dial(net);
    say(fd, "set a 1\r\nget a\r\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    hear(net, fd, "+OK\r\n$1\r\n1\r\n");
    hear_end(net, fd);
    (void)close(fd);
}

static void above_maxclients_a_caller_is_told_and_closed(void **state)
{
    struct net *net = *state;
    net->box.config.maxclients = 2;
    int first = dial(net), second = dial(net);
    wait_for_clients(net, 2);
    int third = dial(net);
    hear(net, third, "-ERR max number of clients reached\r\n");
    hear_end(net, third);
    say(first, "ping\r\n");
    hear(net, first, "+PONG\r\n");
    (void)close(second);
    wait_for_clients(net, 1);
    int fourth = dial(net);
    say(fourth, "ping\r\n");
    hear(net, fourth, "+PONG\r\n");
    (void)close(first);
    (void)close(third);
    (void)close(fourth);
}

static void who_left_in_the_same_turn_has_made_room(void **state)
{
    struct net *net = *state;
    net->box.config.maxclients = 2;
    int first = dial(net), second = dial(net);
    wait_for_clients(net, 2);
    (void)close(second);
    int third = dial(net);
    say(third, "ping\r\n");
    hear(net, third, "+PONG\r\n");
    (void)close(first);
    (void)close(third);
}

static void a_password_is_asked_for_on_the_socket(void **state)
{
    struct net *net = *state;
    int fd = dial(net);
    say(fd, "config set requirepass secret\r\n");
    hear(net, fd, "+OK\r\n");
    int other = dial(net);
    say(other, "get a\r\nauth secret\r\nget a\r\n");
    hear(net, other, "-NOAUTH Authentication required.\r\n+OK\r\n$-1\r\n");
    (void)close(fd);
    (void)close(other);
}

static void a_large_argument_arrives_in_pieces_and_goes_back_in_pieces(void **state)
{
    struct net *net = *state;
    enum { SIZE = 20 * 1000 * 1000 };
    char head[64];
    struct buf request = {0}, answer = {0};
    size_t head_size = (size_t)snprintf(head, sizeof(head), "$%d\r\n", SIZE);
    buf_printf(&request, "*2\r\n$4\r\nECHO\r\n%s", head);
    uint8_t *content = buf_extend(&request, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 31 >> 3);
    buf_append_string(&request, "\r\n");
    int fd = dial(net);
    size_t sent = 0, whole = head_size + SIZE + 2;
    for (int i = 0; i < TURNS_MAX && answer.size < whole; i++) {
        ssize_t put = send(fd, request.data + sent, request.size - sent, MSG_NOSIGNAL);
        sent += put > 0 ? (size_t)put : 0;
        turn(net);
        ssize_t got = recv(fd, buf_reserve(&answer, 1 << 20), 1 << 20, 0);
        answer.size += got > 0 ? (size_t)got : 0;
    }
    assert_int_equal(answer.size, whole);
    assert_memory_equal(answer.data, head, head_size);
    assert_memory_equal(answer.data + head_size, request.data + request.size - SIZE - 2, SIZE + 2);
    buf_free(&request);
    buf_free(&answer);
    (void)close(fd);
}

/* A client that sends and never reads is neither read nor run for ever: the kernel's buffers fill,
 * and the server holds about 1 MiB and no more. */
static void a_client_that_does_not_read_is_held_back_and_goes_on_when_it_does(void **state)
{
    struct net *net = *state;
    enum { REQUESTS = 2000, REPLY = 10000 };
    char answer[64];
    static char got[1 << 16];
    int fd = dial(net);
    for (int i = 0; i < REQUESTS; i++) {
        say(fd, "big 10000\r\n");
        if (i % 100 == 0)
            turn(net);
    }
    for (int i = 0; i < 50; i++)
        turn(net);
    assert_true(net->box.exec->runs < REQUESTS);
    size_t head = (size_t)snprintf(answer, sizeof(answer), "$%d\r\n", REPLY);
    size_t total = 0, whole = REQUESTS * (head + REPLY + 2);
    for (int i = 0; i < TURNS_MAX && total < whole; i++) {
        turn(net);
        ssize_t more = recv(fd, got, sizeof(got), 0);
        total += more > 0 ? (size_t)more : 0;
    }
    assert_int_equal(total, whole);
    assert_int_equal(net->box.exec->runs, REQUESTS);
    (void)close(fd);
}

static void while_a_request_waits_its_client_is_not_read_and_the_loop_sleeps(void **state)
{
    struct net *net = *state;
    int fd = dial(net);
    say(fd, "waitset a 2\r\n");
    for (int i = 0; i < TURNS_MAX && net->box.exec->waiting_count == 0; i++)
        turn(net);
    say(fd, "get a\r\n");
    for (int i = 0; i < 10; i++)
        turn(net);
    assert_int_equal(net_poll(net->loop, 0).count, 0); /* no spinning on what is not read */
    net->box.exec->lets_go = true;
    hear(net, fd, "+OK\r\n$1\r\n2\r\n");
    (void)close(fd);
}

static void a_lost_connection_cancels_what_waits(void **state)
{
    struct net *net = *state;
    struct linger reset = {.l_onoff = 1};
    int fd = dial(net);
    say(fd, "waitset a 2\r\n");
    for (int i = 0; i < TURNS_MAX && net->box.exec->waiting_count == 0; i++)
        turn(net);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    (void)close(fd); /* a reset */
    wait_for_clients(net, 0);
    assert_int_equal(net->box.exec->cancels, 1);
}

static void kill_by_address_closes_the_socket(void **state)
{
    struct net *net = *state;
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    char text[64];
    int fd = dial(net), other = dial(net);
    wait_for_clients(net, 2);
    assert_int_equal(getsockname(other, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(text, sizeof(text), "client kill addr 127.0.0.1:%u\r\n",
                   ntohs(address.sin_port));
    say(fd, text);
    hear(net, fd, ":1\r\n");
    hear_end(net, other);
    (void)snprintf(text, sizeof(text), "client kill laddr 127.0.0.1:%u\r\n", net->port);
    other = dial(net);
    wait_for_clients(net, 2);
    say(fd, text);
    hear(net, fd, ":1\r\n");
    wait_for_clients(net, 1);
    (void)close(fd);
    (void)close(other);
}

static void many_clients_come_and_go(void **state)
{
    struct net *net = *state;
    int fds[300];
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial(net);
        say(fds[i], "incr a\r\n");
        if (i % 50 == 0)
            turn(net);
    }
    wait_for_clients(net, COUNT_OF(fds));
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        (void)close(fds[i]);
    wait_for_clients(net, 0);
    assert_int_equal(net->box.exec->runs, COUNT_OF(fds));
}

static void a_shutdown_lets_out_what_may_leave(void **state)
{
    struct net *net = *state;
    char got[64] = {0};
    int fd = dial(net);
    say(fd, "set a 1\r\n");
    for (int i = 0; i < TURNS_MAX && net->box.exec->runs == 0; i++) {
        server_receive(net->box.server, net_poll(net->loop, 10000));
        server_execute(net->box.server, net->box.now);
    }
    server_write(net->box.server);
    assert_true(recv(fd, got, sizeof(got), 0) < 0); /* not committed */
    fake_exec_commit(net->box.exec);
    server_flush_output(net->box.server);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 5);
    assert_string_equal(got, "+OK\r\n");
    (void)close(fd);
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, open_net, close_net)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(a_connection_is_answered),
        NET_TEST(quit_closes_the_socket_after_the_answer),
        NET_TEST(a_peer_that_only_stops_sending_gets_its_answers),
        NET_TEST(above_maxclients_a_caller_is_told_and_closed),
        NET_TEST(who_left_in_the_same_turn_has_made_room),
        NET_TEST(a_password_is_asked_for_on_the_socket),
        NET_TEST(a_large_argument_arrives_in_pieces_and_goes_back_in_pieces),
        NET_TEST(a_client_that_does_not_read_is_held_back_and_goes_on_when_it_does),
        NET_TEST(while_a_request_waits_its_client_is_not_read_and_the_loop_sleeps),
        NET_TEST(a_lost_connection_cancels_what_waits),
        NET_TEST(kill_by_address_closes_the_socket),
        NET_TEST(many_clients_come_and_go),
        NET_TEST(a_shutdown_lets_out_what_may_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
