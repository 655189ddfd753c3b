/* The poll of the loop: which of the watched descriptors became ready (epoll, level-triggered).
 *
 * Data out rather than callbacks: net_poll gives an array of events, each with the source it is
 * about. It knows no timers; who has them passes the longest time to wait. An eventfd that wakes
 * the loop is a source like any other. Loop thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

enum net_what {
    NET_READABLE = 1 << 0,
    NET_WRITABLE = 1 << 1,
    NET_HANGUP =
        1 << 2, /* the peer sends no more (it may still read); watched only when asked for */
    NET_BROKEN = 1 << 3, /* error or both directions closed; always reported, cannot be asked for */
};

/* What is watched; embedded in its owner, at one address while it is watched. The owner finds
 * itself by `kind` and CONTAINER_OF. */
struct net_source {
    int fd;
    int kind;      /* the owner's: tells sources of one loop apart */
    uint32_t what; /* net_what asked for, 0: only NET_BROKEN */
};

struct net_event {
    struct net_source *source;
    uint32_t what;
};

struct net_events {
    const struct net_event *events; /* valid until the next net_poll; one per source at most */
    size_t count;
};

struct loop;

enum { NET_WAIT_FOREVER = -1 };

/* events_max: how many events one poll gives at most; the others come with the next one.
 * NULL, with errno set, when the kernel refuses. */
MUST_USE struct loop *loop_new(size_t events_max);
void loop_free(struct loop *loop); /* NULL is legal; closes no source */

/* Watches source->fd for source->what. False, with errno set, when the kernel refuses (memory,
 * /proc/sys/fs/epoll/max_user_watches). */
MUST_USE bool loop_add(struct loop *loop, struct net_source *source);

/* Watches for something else from now on; free of cost when nothing changes. */
void loop_change(struct loop *loop, struct net_source *source, uint32_t what);

/* Before the descriptor is closed. Events of this source already handed out by net_poll stay in the
 * array: do not remove a source while events of the same poll are still to be handled. */
void loop_remove(struct loop *loop, struct net_source *source);

/* Waits until something is ready, at most wait_us (0: not at all, NET_WAIT_FOREVER: as long as it
 * takes). A signal ends the wait early with no events. */
struct net_events net_poll(struct loop *loop, int64_t wait_us);
