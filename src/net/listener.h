/* Listening sockets: TCP on a list of addresses, and a unix socket. They accept; what to do with a
 * connection is the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "net/loop.h"

enum { LISTENERS_MAX = 16, LISTENER_ERROR_SIZE = 256 };

enum listener_err {
    LISTENER_OK = 0,
    LISTENER_NONE,   /* nobody is waiting */
    LISTENER_NO_FDS, /* the process has no descriptor left; the caller was turned away (closed) */
    LISTENER_FAILED, /* the kernel refused for another reason (memory); try again later */
};

struct listener {
    struct net_source source; /* fd, kind; NET_READABLE */
    bool is_unix;
};

/* All listeners of a server. */
struct listeners {
    struct listener all[LISTENERS_MAX];
    size_t count;
    int spare_fd; /* given up to accept and close a caller when descriptors have run out; or -1 */
    char *unix_path;
    char error[LISTENER_ERROR_SIZE]; /* what went wrong, after a false */
};

struct listen_options {
    const char *const *addresses; /* numeric, or "*" and "::*" for all of a family; a '-' before it:
                                   * skipped quietly when this machine has no such address */
    size_t address_count;
    uint16_t port; /* 0: no TCP */
    int backlog;
    const char *unix_path; /* NULL or "": none. A socket left there by a dead process is replaced */
    uint32_t unix_mode;    /* permission bits, 0: as umask leaves them */
    int kind;              /* of the sources */
};

/* Opens everything or nothing: on false, `error` names the address and the reason. A port of 0 with
 * no unix path gives no listeners. IPv6 sockets are v6 only, so that both families can be listed.
 */
MUST_USE bool listeners_open(struct listeners *listeners, const struct listen_options *options);

/* Closes all and removes the unix socket's path. Not watched any more by then. */
void listeners_close(struct listeners *listeners);

/* The next connection that waits; gives its descriptor (close-on-exec). Out of descriptors it turns
 * the caller away, who would otherwise keep the level-triggered loop spinning. */
MUST_USE enum listener_err listeners_accept(struct listeners *listeners, struct listener *listener,
                                            int *fd);
