/* Listening sockets and the connections that come out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/listener.h"

enum { KIND = 5, BACKLOG = 16 };

static int bind_any(int type, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    uint16_t port;
    (void)close(bind_any(SOCK_STREAM, &port));
    return port;
}

static struct listen_options tcp_options(const char *const *addresses, size_t count, uint16_t port)
{
    return (struct listen_options){.addresses = addresses,
                                   .address_count = count,
                                   .port = port,
                                   .backlog = BACKLOG,
                                   .kind = KIND};
}

static int connect_tcp(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int accept_one(struct listeners *listeners, struct listener *listener)
{
    struct pollfd ready = {.fd = listener->source.fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    int fd = -1;
    assert_int_equal(listeners_accept(listeners, listener, &fd), LISTENER_OK);
    return fd;
}

static void both_families_listen_on_one_port(void **state)
{
    (void)state;
    const char *const addresses[] = {"127.0.0.1", "::"};
    struct listen_options options = tcp_options(addresses, 2, free_port());
    struct listeners listeners;
    assert_true(listeners_open(&listeners, &options));
    assert_int_equal(listeners.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(listeners.all[i].source.kind, KIND);
        assert_int_equal(listeners.all[i].source.what, NET_READABLE);
    }
    int v6_only = 0;
    socklen_t size = sizeof(v6_only);
    assert_int_equal(
        getsockopt(listeners.all[1].source.fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size), 0);
    assert_int_equal(v6_only, 1);
    listeners_close(&listeners);
}

static void an_address_after_a_minus_may_be_missing(void **state)
{
    (void)state;
    /* 192.0.2.1 is for documentation: no machine has it. */
    const char *const addresses[] = {"127.0.0.1", "-192.0.2.1"};
    struct listen_options options = tcp_options(addresses, 2, free_port());
    struct listeners listeners;
    assert_true(listeners_open(&listeners, &options));
    assert_int_equal(listeners.count, 1);
    listeners_close(&listeners);
}

static void a_missing_address_is_named(void **state)
{
    (void)state;
    const char *const addresses[] = {"127.0.0.1", "192.0.2.1"};
    struct listen_options options = tcp_options(addresses, 2, free_port());
    struct listeners listeners;
    assert_false(listeners_open(&listeners, &options));
    assert_non_null(strstr(listeners.error, "192.0.2.1"));
    assert_int_equal(listeners.count, 0);
}

static void a_server_without_any_address_does_not_start(void **state)
{
    (void)state;
    const char *const addresses[] = {"-192.0.2.1"};
    struct listen_options options = tcp_options(addresses, 1, free_port());
    struct listeners listeners;
    assert_false(listeners_open(&listeners, &options));
    assert_int_not_equal(listeners.error[0], '\0');
}

static void a_minus_does_not_excuse_a_port_that_is_taken(void **state)
{
    (void)state;
    uint16_t port;
    int fd = bind_any(SOCK_STREAM, &port);
    assert_int_equal(listen(fd, 1), 0);
    const char *const addresses[] = {"-127.0.0.1"};
    struct listen_options options = tcp_options(addresses, 1, port);
    struct listeners listeners;
    assert_false(listeners_open(&listeners, &options));
    assert_non_null(strstr(listeners.error, "127.0.0.1"));
    (void)close(fd);
}

static void names_are_not_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"localhost", "", "-", "127.0.0.1:80", "256.0.0.1", "[::1]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct listen_options options = tcp_options(&bad[i], 1, free_port());
        struct listeners listeners;
        assert_false(listeners_open(&listeners, &options));
    }
}

static void more_addresses_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    const char *addresses[LISTENERS_MAX + 1];
    for (int i = 0; i <= LISTENERS_MAX; i++)
        addresses[i] = "-192.0.2.1";
    addresses[0] = "127.0.0.1";
    struct listeners listeners;
    struct listen_options options = tcp_options(addresses, LISTENERS_MAX, free_port());
    assert_true(listeners_open(&listeners, &options));
    listeners_close(&listeners);
    options.address_count = LISTENERS_MAX + 1;
    assert_false(listeners_open(&listeners, &options));
}

static void port_0_without_a_unix_socket_listens_nowhere(void **state)
{
    (void)state;
    const char *const addresses[] = {"127.0.0.1"};
    struct listen_options options = tcp_options(addresses, 1, 0);
    struct listeners listeners;
    assert_true(listeners_open(&listeners, &options));
    assert_int_equal(listeners.count, 0);
    listeners_close(&listeners);
}

static void nobody_waiting_is_no_connection(void **state)
{
    (void)state;
    const char *const addresses[] = {"127.0.0.1"};
    struct listen_options options = tcp_options(addresses, 1, free_port());
    struct listeners listeners;
    int fd;
    assert_true(listeners_open(&listeners, &options));
    assert_int_equal(listeners_accept(&listeners, &listeners.all[0], &fd), LISTENER_NONE);
    listeners_close(&listeners);
}

static void out_of_descriptors_the_caller_is_turned_away_and_the_next_one_taken(void **state)
{
    (void)state;
    const char *const addresses[] = {"127.0.0.1"};
    struct listen_options options = tcp_options(addresses, 1, free_port());
    struct listeners listeners;
    struct rlimit before, tight;
    char byte;
    int fd;
    assert_true(listeners_open(&listeners, &options));
    int caller = connect_tcp(options.port);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)caller + 1; /* all below are in use */
    int hole;
    while ((hole = open("/dev/null", O_RDONLY)) < caller && hole >= 0)
        continue;
    if (hole >= 0)
        (void)close(hole);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(listeners_accept(&listeners, &listeners.all[0], &fd), LISTENER_NO_FDS);
    assert_int_equal(listeners_accept(&listeners, &listeners.all[0], &fd), LISTENER_NONE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(recv(caller, &byte, 1, 0) <= 0);
    (void)close(caller);
    caller = connect_tcp(options.port);
    (void)close(accept_one(&listeners, &listeners.all[0]));
    (void)close(caller);
    listeners_close(&listeners);
}

/* ---- unix sockets ---- */

struct dir {
    char path[64];
    char socket[80];
};

static void dir_make(struct dir *dir)
{
    (void)snprintf(dir->path, sizeof(dir->path), "/tmp/quoin-net-XXXXXX");
    assert_non_null(mkdtemp(dir->path));
    (void)snprintf(dir->socket, sizeof(dir->socket), "%s/s", dir->path);
}

static void dir_remove(struct dir *dir)
{
    (void)unlink(dir->socket);
    assert_int_equal(rmdir(dir->path), 0);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void a_unix_socket_has_its_permissions_and_leaves_nothing_behind(void **state)
{
    (void)state;
    struct dir dir;
    struct stat info;
    struct listeners listeners;
    dir_make(&dir);
    struct listen_options options = {
        .unix_path = dir.socket, .unix_mode = 0600, .backlog = BACKLOG};
    assert_true(listeners_open(&listeners, &options));
    assert_int_equal(listeners.count, 1);
    assert_true(listeners.all[0].is_unix);
    assert_int_equal(stat(dir.socket, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    int caller = connect_unix(dir.socket);
    int fd = accept_one(&listeners, &listeners.all[0]);
    struct conn conn;
    conn_init(&conn, fd, KIND, 300);
    assert_true(conn.is_unix);
    assert_true(conn.is_loopback);
    char text[NET_ADDRESS_TEXT_SIZE], expected[128];
    (void)snprintf(expected, sizeof(expected), "%s:0", dir.socket);
    conn_peer_text(&conn, text);
    assert_string_equal(text, expected);
    conn_local_text(&conn, text);
    assert_string_equal(text, expected);
    conn_close(&conn);
    (void)close(caller);
    listeners_close(&listeners);
    assert_int_equal(stat(dir.socket, &info), -1);
    dir_remove(&dir);
}

static void a_socket_that_a_dead_process_left_is_replaced(void **state)
{
    (void)state;
    struct dir dir;
    struct listeners first, second;
    dir_make(&dir);
    struct listen_options options = {.unix_path = dir.socket, .backlog = BACKLOG};
    assert_true(listeners_open(&first, &options));
    (void)close(first.all[0].source.fd);
    first.count = 0; /* as a kill leaves it: the path is still there */
    assert_true(listeners_open(&second, &options));
    listeners_close(&second);
    listeners_close(&first);
    dir_remove(&dir);
}

static void a_socket_that_somebody_answers_on_is_not_replaced(void **state)
{
    (void)state;
    struct dir dir;
    struct listeners first, second;
    dir_make(&dir);
    struct listen_options options = {.unix_path = dir.socket, .backlog = BACKLOG};
    assert_true(listeners_open(&first, &options));
    assert_false(listeners_open(&second, &options));
    assert_non_null(strstr(second.error, dir.socket));
    (void)close(connect_unix(dir.socket));
    listeners_close(&first);
    dir_remove(&dir);
}

static void a_file_in_the_place_of_the_socket_is_left_alone(void **state)
{
    (void)state;
    struct dir dir;
    struct listeners listeners;
    dir_make(&dir);
    int fd = open(dir.socket, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "data", 4), 4);
    (void)close(fd);
    struct listen_options options = {.unix_path = dir.socket, .backlog = BACKLOG};
    assert_false(listeners_open(&listeners, &options));
    struct stat info;
    assert_int_equal(stat(dir.socket, &info), 0);
    assert_int_equal(info.st_size, 4);
    dir_remove(&dir);
}

static void a_unix_path_may_have_107_bytes_and_no_more(void **state)
{
    (void)state;
    struct dir dir;
    struct listeners listeners;
    char path[128] = {0};
    dir_make(&dir);
    size_t base = (size_t)snprintf(path, sizeof(path), "%s/", dir.path);
    memset(path + base, 's', 108 - base);
    struct listen_options options = {.unix_path = path, .backlog = BACKLOG};
    assert_int_equal(strlen(path), 108);
    assert_false(listeners_open(&listeners, &options));
    path[107] = '\0';
    assert_true(listeners_open(&listeners, &options));
    listeners_close(&listeners);
    dir_remove(&dir);
}

/* ---- connections ---- */

struct tcp {
    struct listeners listeners;
    struct conn near;
    int far;
};

static void tcp_open(struct tcp *tcp, uint32_t keepalive_s)
{
    const char *const addresses[] = {"127.0.0.1"};
    struct listen_options options = tcp_options(addresses, 1, free_port());
    assert_true(listeners_open(&tcp->listeners, &options));
    tcp->far = connect_tcp(options.port);
    conn_init(&tcp->near, accept_one(&tcp->listeners, &tcp->listeners.all[0]), KIND, keepalive_s);
}

static void tcp_close(struct tcp *tcp)
{
    conn_close(&tcp->near);
    if (tcp->far >= 0)
        (void)close(tcp->far);
    listeners_close(&tcp->listeners);
}

static void wait_readable(const struct conn *conn)
{
    struct pollfd ready = {.fd = conn->source.fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
}

static void a_connection_reads_waits_and_ends(void **state)
{
    (void)state;
    struct tcp tcp;
    char data[8];
    size_t got;
    tcp_open(&tcp, 0);
    assert_int_equal(conn_read(&tcp.near, data, sizeof(data), &got), CONN_AGAIN);
    assert_int_equal(write(tcp.far, "abc", 3), 3);
    wait_readable(&tcp.near);
    assert_int_equal(conn_read(&tcp.near, data, sizeof(data), &got), CONN_OK);
    assert_int_equal(got, 3);
    assert_int_equal(shutdown(tcp.far, SHUT_WR), 0);
    wait_readable(&tcp.near);
    assert_int_equal(conn_read(&tcp.near, data, sizeof(data), &got), CONN_ENDED);
    tcp_close(&tcp);
}

static void a_full_socket_says_again_and_a_lost_one_broken(void **state)
{
    (void)state;
    static char data[1 << 20];
    struct tcp tcp;
    size_t put, total = 0;
    enum conn_err err;
    tcp_open(&tcp, 0);
    while ((err = conn_write(&tcp.near, data, sizeof(data), &put)) == CONN_OK)
        total += put;
    assert_int_equal(err, CONN_AGAIN);
    assert_true(total > 0);
    (void)close(tcp.far); /* with unread bytes: a reset */
    tcp.far = -1;
    wait_readable(&tcp.near);
    assert_int_equal(conn_write(&tcp.near, data, 1, &put), CONN_BROKEN);
    tcp_close(&tcp);
}

static int option(const struct conn *conn, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(conn->source.fd, level, name, &value, &size), 0);
    return value;
}

static void options_of_a_connection_are_set(void **state)
{
    (void)state;
    struct tcp tcp;
    tcp_open(&tcp, 300);
    assert_true(option(&tcp.near, IPPROTO_TCP, TCP_NODELAY) != 0);
    assert_true(option(&tcp.near, SOL_SOCKET, SO_KEEPALIVE) != 0);
    assert_int_equal(option(&tcp.near, IPPROTO_TCP, TCP_KEEPIDLE), 300);
    assert_int_equal(option(&tcp.near, IPPROTO_TCP, TCP_KEEPINTVL), 100);
    conn_set_keepalive(&tcp.near, 1);
    assert_int_equal(option(&tcp.near, IPPROTO_TCP, TCP_KEEPIDLE), 1);
    assert_int_equal(option(&tcp.near, IPPROTO_TCP, TCP_KEEPINTVL), 1);
    conn_set_keepalive(&tcp.near, UINT32_MAX);
    assert_int_equal(option(&tcp.near, IPPROTO_TCP, TCP_KEEPIDLE), 32767);
    conn_set_keepalive(&tcp.near, 0);
    assert_int_equal(option(&tcp.near, SOL_SOCKET, SO_KEEPALIVE), 0);
    tcp_close(&tcp);
}

static void both_ends_have_a_text(void **state)
{
    (void)state;
    struct tcp tcp;
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    char text[NET_ADDRESS_TEXT_SIZE], expected[64];
    tcp_open(&tcp, 0);
    assert_true(tcp.near.is_loopback);
    assert_false(tcp.near.is_unix);
    assert_int_equal(getsockname(tcp.far, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", ntohs(address.sin_port));
    conn_peer_text(&tcp.near, text);
    assert_string_equal(text, expected);
    assert_int_equal(getpeername(tcp.far, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", ntohs(address.sin_port));
    conn_local_text(&tcp.near, text);
    assert_string_equal(text, expected);
    tcp_close(&tcp);
    conn_close(&tcp.near); /* twice is harmless */
}

static void loopback_is_this_machine_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_loopback;
    } cases[] = {
        {"127.0.0.1", true}, {"127.255.0.9", true},      {"128.0.0.1", false},
        {"10.0.0.1", false}, {"126.255.255.255", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sockaddr_storage address = {0};
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
        ipv4->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, cases[i].text, &ipv4->sin_addr), 1);
        assert_int_equal(net_address_is_loopback(&address), cases[i].is_loopback);
    }
    static const struct {
        const char *text;
        bool is_loopback;
        const char *shown;
    } cases6[] = {
        {"::1", true, "[::1]:80"},
        {"::ffff:127.0.0.1", true, "[::ffff:127.0.0.1]:80"},
        {"::ffff:10.0.0.1", false, "[::ffff:10.0.0.1]:80"},
        {"fe80::1", false, "[fe80::1]:80"},
        {"::", false, "[::]:80"},
    };
    for (size_t i = 0; i < COUNT_OF(cases6); i++) {
        struct sockaddr_storage address = {0};
        struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;
        char text[NET_ADDRESS_TEXT_SIZE];
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(80);
        assert_int_equal(inet_pton(AF_INET6, cases6[i].text, &ipv6->sin6_addr), 1);
        assert_int_equal(net_address_is_loopback(&address), cases6[i].is_loopback);
        net_address_text(&address, text);
        assert_string_equal(text, cases6[i].shown);
    }
    struct sockaddr_storage unknown = {0};
    char text[NET_ADDRESS_TEXT_SIZE];
    assert_false(net_address_is_loopback(&unknown));
    net_address_text(&unknown, text);
    assert_string_equal(text, "?:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_listen_on_one_port),
        cmocka_unit_test(an_address_after_a_minus_may_be_missing),
        cmocka_unit_test(a_missing_address_is_named),
        cmocka_unit_test(a_server_without_any_address_does_not_start),
        cmocka_unit_test(a_minus_does_not_excuse_a_port_that_is_taken),
        cmocka_unit_test(names_are_not_addresses),
        cmocka_unit_test(more_addresses_than_there_is_room_for_are_refused),
        cmocka_unit_test(port_0_without_a_unix_socket_listens_nowhere),
        cmocka_unit_test(nobody_waiting_is_no_connection),
        cmocka_unit_test(out_of_descriptors_the_caller_is_turned_away_and_the_next_one_taken),
        cmocka_unit_test(a_unix_socket_has_its_permissions_and_leaves_nothing_behind),
        cmocka_unit_test(a_socket_that_a_dead_process_left_is_replaced),
        cmocka_unit_test(a_socket_that_somebody_answers_on_is_not_replaced),
        cmocka_unit_test(a_file_in_the_place_of_the_socket_is_left_alone),
        cmocka_unit_test(a_unix_path_may_have_107_bytes_and_no_more),
        cmocka_unit_test(a_connection_reads_waits_and_ends),
        cmocka_unit_test(a_full_socket_says_again_and_a_lost_one_broken),
        cmocka_unit_test(options_of_a_connection_are_set),
        cmocka_unit_test(both_ends_have_a_text),
        cmocka_unit_test(loopback_is_this_machine_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
