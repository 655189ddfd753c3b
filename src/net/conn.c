#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

static enum conn_err from_errno(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? CONN_AGAIN : CONN_BROKEN;
}

static enum conn_err plain_read(struct conn *conn, void *out, size_t size, size_t *got)
{
    ASSERT(size > 0);
    ssize_t result = recv(conn->source.fd, out, size, 0);
    if (result > 0) {
        *got = (size_t)result;
        return CONN_OK;
    }
    *got = 0;
    return result == 0 ? CONN_ENDED : from_errno();
}

static enum conn_err plain_write(struct conn *conn, const void *data, size_t size, size_t *put)
{
    ASSERT(size > 0);
    /* MSG_NOSIGNAL: a peer that left is an error value, not a SIGPIPE. */
    ssize_t result = send(conn->source.fd, data, size, MSG_NOSIGNAL);
    if (result > 0) {
        *put = (size_t)result;
        return CONN_OK;
    }
    *put = 0;
    return from_errno();
}

static const struct conn_io plain_io = {.read = plain_read, .write = plain_write};

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* The first probe after the whole time, two more in thirds of it: Redis's reading of tcp-keepalive,
 * so that the same figure means the same here. */
void conn_set_keepalive(struct conn *conn, uint32_t keepalive_s)
{
    if (conn->is_unix)
        return;
    int fd = conn->source.fd;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, keepalive_s > 0);
    if (keepalive_s == 0)
        return;
    int idle_s = keepalive_s > INT16_MAX ? INT16_MAX : (int)keepalive_s; /* the kernel's maximum */
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, idle_s / 3 > 0 ? idle_s / 3 : 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

/* A unix client has no address of its own: the path is found at the listener's end. */
static bool peer_address(const struct conn *conn, struct sockaddr_storage *address)
{
    socklen_t size = sizeof(*address);
    *address = (struct sockaddr_storage){0};
    if (conn->is_unix)
        return getsockname(conn->source.fd, (struct sockaddr *)address, &size) == 0;
    return getpeername(conn->source.fd, (struct sockaddr *)address, &size) == 0;
}

static bool local_address(const struct conn *conn, struct sockaddr_storage *address)
{
    socklen_t size = sizeof(*address);
    *address = (struct sockaddr_storage){0};
    return getsockname(conn->source.fd, (struct sockaddr *)address, &size) == 0;
}

void conn_init(struct conn *conn, int fd, int kind, uint32_t keepalive_s)
{
    ASSERT(fd >= 0);
    *conn = (struct conn){.source = {.fd = fd, .kind = kind}, .io = &plain_io};
    struct sockaddr_storage address;
    conn->is_unix = local_address(conn, &address) && address.ss_family == AF_UNIX;
    /* A peer that is already gone has no address: treated as a stranger. */
    conn->is_loopback = peer_address(conn, &address) && net_address_is_loopback(&address);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    if (!conn->is_unix)
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    conn_set_keepalive(conn, keepalive_s);
}

void conn_close(struct conn *conn)
{
    if (conn->source.fd >= 0 && conn->io->close != NULL)
        conn->io->close(conn);
    if (conn->source.fd >= 0)
        (void)close(conn->source.fd);
    conn->source.fd = -1;
}

void conn_peer_text(const struct conn *conn, char text[static NET_ADDRESS_TEXT_SIZE])
{
    struct sockaddr_storage address;
    if (!peer_address(conn, &address))
        address.ss_family = AF_UNSPEC;
    net_address_text(&address, text);
}

void conn_local_text(const struct conn *conn, char text[static NET_ADDRESS_TEXT_SIZE])
{
    struct sockaddr_storage address;
    if (!local_address(conn, &address))
        address.ss_family = AF_UNSPEC;
    net_address_text(&address, text);
}
