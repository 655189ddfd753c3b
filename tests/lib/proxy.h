/* A TCP proxy in front of a port, by hand: forwards, holds everything back (as a cut cable does:
 * no end is told), or flips a bit of what passes. For tests of links. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

enum { PROXY_PAIRS_MAX = 256, PROXY_PIECE = 16384 };

struct proxy_pair {
    int caller;
    int target;
    bool is_cut; /* for ever: what was made before a cut stays dead */
};

struct proxy {
    int listener;
    uint16_t port;
    uint16_t target_port;
    struct proxy_pair pairs[PROXY_PAIRS_MAX];
    size_t pair_count;
    bool flips_next; /* one bit of the next piece from a caller */
};

static inline struct sockaddr_in proxy_address(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline void proxy_open(struct proxy *proxy, uint16_t target_port)
{
    *proxy = (struct proxy){.target_port = target_port};
    struct sockaddr_in address = proxy_address(0);
    socklen_t size = sizeof(address);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ASSERT(bind(proxy->listener, (struct sockaddr *)&address, size) == 0);
    ASSERT(listen(proxy->listener, 64) == 0);
    ASSERT(getsockname(proxy->listener, (struct sockaddr *)&address, &size) == 0);
    proxy->port = ntohs(address.sin_port);
}

static inline void proxy_end_pair(struct proxy_pair *pair)
{
    (void)close(pair->caller);
    (void)close(pair->target);
    pair->caller = pair->target = -1;
}

static inline void proxy_close(struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->pair_count; i++) {
        if (proxy->pairs[i].caller >= 0)
            proxy_end_pair(&proxy->pairs[i]);
    }
    (void)close(proxy->listener);
}

/* Whoever is connected now hears nothing any more, in both directions, and no end either. */
static inline void proxy_cut(struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->pair_count; i++)
        proxy->pairs[i].is_cut = true;
}

/* All connections break, as when the process behind them dies. */
static inline void proxy_reset(struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->pair_count; i++) {
        if (proxy->pairs[i].caller >= 0)
            proxy_end_pair(&proxy->pairs[i]);
    }
}

static inline void proxy_accept(struct proxy *proxy)
{
    int caller;
    while ((caller = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct sockaddr_in address = proxy_address(proxy->target_port);
        int target = socket(AF_INET, SOCK_STREAM, 0);
        ASSERT(proxy->pair_count < PROXY_PAIRS_MAX);
        if (connect(target, (struct sockaddr *)&address, sizeof(address)) != 0) {
            (void)close(target);
            (void)close(caller);
            continue;
        }
        (void)fcntl(target, F_SETFL, O_NONBLOCK);
        proxy->pairs[proxy->pair_count++] = (struct proxy_pair){caller, target, false};
    }
}

/* One piece, written whole: what is read here is little. False: this direction has ended. */
static inline bool proxy_move(int from, int to, bool *flips)
{
    uint8_t piece[PROXY_PIECE];
    ssize_t got = recv(from, piece, sizeof(piece), 0);
    if (got <= 0)
        return got < 0;
    if (flips != NULL && *flips) {
        piece[got / 2] ^= 0x10;
        *flips = false;
    }
    for (ssize_t at = 0; at < got;) {
        ssize_t put = send(to, piece + at, (size_t)(got - at), MSG_NOSIGNAL);
        if (put > 0)
            at += put;
        else
            return true; /* the test's own ends: full means that they are not read, dropped then */
    }
    return true;
}

static inline void proxy_turn(struct proxy *proxy)
{
    proxy_accept(proxy);
    for (size_t i = 0; i < proxy->pair_count; i++) {
        struct proxy_pair *pair = &proxy->pairs[i];
        if (pair->caller < 0 || pair->is_cut)
            continue;
        if (!proxy_move(pair->caller, pair->target, &proxy->flips_next) ||
            !proxy_move(pair->target, pair->caller, NULL))
            proxy_end_pair(pair);
    }
}
