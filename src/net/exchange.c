#include "net/exchange.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/dial.h"
#include "os/clock.h"

enum {
    SLICE_MS = 100,
    READ_SIZE = 16 << 10,
};

static bool is_given_up(const struct exchange *exchange)
{
    return exchange->is_given_up != NULL && atomic_load(exchange->is_given_up);
}

/* What of `events` is there; 0: nothing in time, or given up. */
static short wait_for(struct exchange *exchange, short events)
{
    uint64_t until_us = clock_boot_us() + (uint64_t)exchange->patience_ms * 1000;
    for (;;) {
        uint64_t now_us = clock_boot_us();
        if (is_given_up(exchange) || now_us >= until_us)
            return 0;
        uint64_t left_ms = (until_us - now_us + 999) / 1000;
        struct pollfd watched = {.fd = exchange->fd, .events = events};
        int count = poll(&watched, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
        if (count > 0)
            return watched.revents;
        if (count < 0 && errno != EINTR)
            return 0;
    }
}

static enum exchange_err connect_to(struct exchange *exchange,
                                    const struct sockaddr_storage *address)
{
    exchange->fd = dial_begin(address);
    if (exchange->fd < 0)
        return EXCHANGE_REFUSED;
    if (wait_for(exchange, POLLOUT) == 0)
        return EXCHANGE_UNREACHABLE;
    return dial_result(exchange->fd) == 0 ? EXCHANGE_OK : EXCHANGE_REFUSED;
}

enum exchange_err exchange_open(struct exchange *exchange, const char *host, uint16_t port,
                                uint32_t patience_ms, const atomic_bool *is_given_up)
{
    *exchange = (struct exchange){.fd = -1, .patience_ms = patience_ms, .is_given_up = is_given_up};
    struct sockaddr_storage address;
    if (!dial_parse(host, port, &address) && !dial_resolve(host, port, &address))
        return EXCHANGE_UNREACHABLE;
    return connect_to(exchange, &address);
}

void exchange_close(struct exchange *exchange)
{
    if (exchange->fd >= 0)
        (void)close(exchange->fd);
    exchange->fd = -1;
    buf_free(&exchange->unread);
}

static bool may_go_on(ssize_t result)
{
    return result > 0 || (result < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool take_input(struct exchange *exchange)
{
    struct buf *unread = &exchange->unread;
    if (exchange->taken > 0) {
        buf_consume(unread, exchange->taken);
        exchange->taken = 0;
    }
    uint8_t *room = buf_reserve(unread, READ_SIZE);
    ssize_t got = recv(exchange->fd, room, READ_SIZE, 0);
    if (got > 0)
        unread->size += (size_t)got;
    return may_go_on(got);
}

/* Answers are taken while we send: who is not read from may stop reading. */
enum exchange_err exchange_send(struct exchange *exchange, struct bytes bytes)
{
    size_t sent = 0;
    while (sent < bytes.size) {
        bool has_room = exchange->unread.size - exchange->taken < EXCHANGE_UNREAD_MAX;
        short is = wait_for(exchange, (short)(has_room ? POLLIN | POLLOUT : POLLOUT));
        if (is == 0)
            return EXCHANGE_BROKEN;
        if ((is & POLLIN) != 0 && !take_input(exchange))
            return EXCHANGE_BROKEN;
        if ((is & ~POLLIN) == 0)
            continue;
        ssize_t put = send(exchange->fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL);
        if (!may_go_on(put))
            return EXCHANGE_BROKEN;
        sent += put > 0 ? (size_t)put : 0;
    }
    return EXCHANGE_OK;
}

/* False: no whole line is there yet. */
static bool find_line(struct exchange *exchange, struct bytes *line)
{
    if (exchange->unread.size == exchange->taken)
        return false;
    const uint8_t *begin = exchange->unread.data + exchange->taken;
    size_t size = exchange->unread.size - exchange->taken;
    const uint8_t *end = memchr(begin, '\n', size);
    if (end == NULL)
        return false;
    exchange->taken += (size_t)(end - begin) + 1;
    if (end > begin && end[-1] == '\r')
        end--;
    *line = bytes_of(begin, (size_t)(end - begin));
    return true;
}

enum exchange_err exchange_read_line(struct exchange *exchange, struct bytes *line)
{
    while (!find_line(exchange, line)) {
        bool is_long = exchange->unread.size - exchange->taken > EXCHANGE_LINE_MAX;
        if (is_long || wait_for(exchange, POLLIN) == 0 || !take_input(exchange))
            return EXCHANGE_BROKEN;
    }
    return EXCHANGE_OK;
}
