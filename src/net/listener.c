#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

/* Numeric only: a name that needs a resolver would block the start and mean different things on
 * different days. */
static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *out,
                          socklen_t *size)
{
    *out = (struct sockaddr_storage){0};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)out;
    if (strcmp(text, "*") == 0)
        text = "0.0.0.0";
    if (strcmp(text, "::*") == 0)
        text = "::";
    if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        *size = sizeof(*ipv4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(port);
        *size = sizeof(*ipv6);
        return true;
    }
    return false;
}

/* Returns the descriptor, or -1 with errno. */
static int listen_at(const struct sockaddr *address, socklen_t size, int backlog)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, address, size) == 0 && listen(fd, backlog) == 0)
        return fd;
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return -1;
}

static void add(struct listeners *listeners, int fd, const struct listen_options *options,
                bool is_unix)
{
    ASSERT(listeners->count < LISTENERS_MAX);
    listeners->all[listeners->count++] = (struct listener){
        .source = {.fd = fd, .kind = options->kind, .what = NET_READABLE}, .is_unix = is_unix};
}

static bool fail(struct listeners *listeners, const char *where, const char *why)
{
    (void)snprintf(listeners->error, sizeof(listeners->error), "cannot listen on %.150s: %.80s",
                   where, why);
    return false;
}

static bool address_is_missing(int reason)
{
    return reason == EADDRNOTAVAIL || reason == EAFNOSUPPORT || reason == EPROTONOSUPPORT ||
           reason == ENOPROTOOPT || reason == EPFNOSUPPORT;
}

static bool open_tcp(struct listeners *listeners, const struct listen_options *options,
                     const char *text)
{
    bool is_optional = text[0] == '-';
    const char *host = text + is_optional;
    struct sockaddr_storage address;
    socklen_t size;
    if (!parse_address(host, options->port, &address, &size))
        return fail(listeners, text, "not a numeric IPv4 or IPv6 address");
    int fd = listen_at((struct sockaddr *)&address, size, options->backlog);
    int reason = errno;
    if (fd < 0 && is_optional && address_is_missing(reason))
        return true;
    if (fd < 0) {
        char where[160];
        (void)snprintf(where, sizeof(where), "%.140s port %u", host, options->port);
        return fail(listeners, where, strerror(reason));
    }
    add(listeners, fd, options, false);
    return true;
}

/* Only a socket that nobody answers on is removed: anything else at the path is left alone. */
static bool remove_dead_socket(const char *path, const struct sockaddr_un *address)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT;
    errno = EADDRINUSE;
    if (!S_ISSOCK(info.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool is_dead = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                   errno == ECONNREFUSED;
    (void)close(fd);
    errno = EADDRINUSE;
    return is_dead && unlink(path) == 0;
}

static bool open_unix(struct listeners *listeners, const struct listen_options *options)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(options->unix_path);
    if (size >= sizeof(address.sun_path))
        return fail(listeners, options->unix_path, "the path is longer than 107 bytes");
    memcpy(address.sun_path, options->unix_path, size);
    int fd = -1;
    if (remove_dead_socket(options->unix_path, &address))
        fd = listen_at((struct sockaddr *)&address, sizeof(address), options->backlog);
    if (fd < 0)
        return fail(listeners, options->unix_path, strerror(errno));
    add(listeners, fd, options, true);
    listeners->unix_path = mem_alloc(size + 1);
    memcpy(listeners->unix_path, options->unix_path, size + 1);
    if (options->unix_mode != 0 && chmod(options->unix_path, (mode_t)options->unix_mode) != 0)
        return fail(listeners, options->unix_path, strerror(errno));
    return true;
}

bool listeners_open(struct listeners *listeners, const struct listen_options *options)
{
    *listeners = (struct listeners){.spare_fd = -1};
    bool has_unix = options->unix_path != NULL && options->unix_path[0] != '\0';
    size_t tcp_count = options->port == 0 ? 0 : options->address_count;
    bool is_open = tcp_count + has_unix <= LISTENERS_MAX;
    if (!is_open)
        (void)fail(listeners, "so many addresses", "there is room for 16");
    for (size_t i = 0; i < tcp_count && is_open; i++)
        is_open = open_tcp(listeners, options, options->addresses[i]);
    if (is_open && tcp_count > 0 && listeners->count == 0)
        is_open = fail(listeners, "any address", "none of those listed exists on this machine");
    if (is_open && has_unix)
        is_open = open_unix(listeners, options);
    if (is_open)
        listeners->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    else
        listeners_close(listeners);
    return is_open;
}

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        (void)close(listeners->all[i].source.fd);
    listeners->count = 0;
    if (listeners->unix_path != NULL)
        (void)unlink(listeners->unix_path);
    mem_free(listeners->unix_path);
    listeners->unix_path = NULL;
    if (listeners->spare_fd >= 0)
        (void)close(listeners->spare_fd);
    listeners->spare_fd = -1;
}

/* The kernel asks for a free descriptor before it looks whether anyone is waiting at all. */
static enum listener_err turn_away(struct listeners *listeners, int listen_fd)
{
    if (listeners->spare_fd >= 0)
        (void)close(listeners->spare_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool is_nobody = fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (fd >= 0)
        (void)close(fd);
    listeners->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return is_nobody ? LISTENER_NONE : LISTENER_NO_FDS;
}

enum listener_err listeners_accept(struct listeners *listeners, struct listener *listener, int *fd)
{
    int accepted = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted >= 0) {
        *fd = accepted;
        return LISTENER_OK;
    }
    /* A caller who hung up before being accepted is nobody. */
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED)
        return LISTENER_NONE;
    if (errno != EMFILE && errno != ENFILE)
        return LISTENER_FAILED;
    return turn_away(listeners, listener->source.fd);
}
