/* A conversation with another server: requests go out while lines of answers come in. For helper
 * threads: everything here blocks, until nothing moved for `patience_ms`, or until another thread
 * says that nobody waits any more (looked at ten times a second). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"

enum {
    EXCHANGE_LINE_MAX = 64 << 10,  /* of one answer */
    EXCHANGE_UNREAD_MAX = 4 << 20, /* answers that came and were not asked for yet; then those of
                                    * who answers more are not taken while we send */
};

enum exchange_err {
    EXCHANGE_OK = 0,
    EXCHANGE_UNREACHABLE, /* unknown host, or no answer in time */
    EXCHANGE_REFUSED,     /* somebody said no */
    EXCHANGE_BROKEN,      /* ended, or nothing moved in time, or what came is no line */
};

struct exchange {
    int fd; /* -1: not connected */
    uint32_t patience_ms;
    const atomic_bool *is_given_up; /* borrowed; NULL: nobody gives up */
    struct buf unread;
    size_t taken; /* of unread: lines that were given out */
};

/* Looks the host up and connects. Names may take as long as the resolver does. */
MUST_USE enum exchange_err exchange_open(struct exchange *exchange, const char *host, uint16_t port,
                                         uint32_t patience_ms, const atomic_bool *is_given_up);
void exchange_close(struct exchange *exchange); /* also after a failed open */

/* Sends all of it. */
MUST_USE enum exchange_err exchange_send(struct exchange *exchange, struct bytes bytes);

/* The next line, without its end; borrowed until the next call. */
MUST_USE enum exchange_err exchange_read_line(struct exchange *exchange, struct bytes *line);
