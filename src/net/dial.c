#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

bool dial_parse(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){.ss_family = AF_INET};
    if (inet_pton(AF_INET, host, &((struct sockaddr_in *)out)->sin_addr) != 1) {
        *out = (struct sockaddr_storage){.ss_family = AF_INET6};
        if (inet_pton(AF_INET6, host, &((struct sockaddr_in6 *)out)->sin6_addr) != 1)
            return false;
    }
    set_port(out, port);
    return true;
}

bool dial_resolve(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    struct addrinfo *found = NULL;
    struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, NULL, &wanted, &found) != 0 || found == NULL)
        return false;
    bool is_ip = found->ai_family == AF_INET || found->ai_family == AF_INET6;
    *out = (struct sockaddr_storage){0};
    if (is_ip && found->ai_addrlen <= sizeof(*out)) {
        memcpy(out, found->ai_addr, found->ai_addrlen);
        set_port(out, port);
    }
    freeaddrinfo(found);
    return is_ip;
}

int dial_begin(const struct sockaddr_storage *address)
{
    socklen_t size =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)address, size) == 0 || errno == EINPROGRESS)
        return fd;
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return -1;
}

int dial_result(int fd)
{
    int reason = 0;
    socklen_t size = sizeof(reason);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) != 0)
        return errno;
    if (reason != 0)
        return reason;
    /* No error is also said before it is decided. */
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0)
        return 0;
    return errno == ENOTCONN ? EINPROGRESS : errno;
}

void dial_set_patience(int fd, uint32_t patience_ms)
{
    unsigned value = patience_ms;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value));
}
