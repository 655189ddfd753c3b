/* A connected stream socket: non-blocking reads and writes, and who is at its ends. What moves
 * bytes is a table of calls, so that an encrypted stream can take the place of the plain one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "net/address.h"
#include "net/loop.h"

enum conn_err {
    CONN_OK = 0,
    CONN_AGAIN,  /* nothing can be moved now: wait for the loop */
    CONN_ENDED,  /* read: the peer sends no more */
    CONN_BROKEN, /* the connection is lost; close it */
};

struct conn;

struct conn_io {
    enum conn_err (*read)(struct conn *conn, void *out, size_t size, size_t *got);
    enum conn_err (*write)(struct conn *conn, const void *data, size_t size, size_t *put);
    void (*close)(struct conn *conn); /* before the descriptor is closed; NULL: nothing to do */
};

struct tls_session;

struct conn {
    struct net_source source; /* fd -1: closed */
    const struct conn_io *io;
    bool is_unix;
    bool is_loopback;            /* the peer is this machine */
    struct tls_session *session; /* of an encrypted stream (net/tls.h), or NULL */
};

/* Takes fd, a connected socket: makes it non-blocking, sets TCP_NODELAY and, when keepalive_s > 0,
 * keep-alive probes so that a dead peer is noticed after about that time. Options that the kernel
 * refuses are left as they are. */
void conn_init(struct conn *conn, int fd, int kind, uint32_t keepalive_s);

/* Closes the descriptor; the source must not be watched any more. Harmless when closed. */
void conn_close(struct conn *conn);

void conn_set_keepalive(struct conn *conn, uint32_t keepalive_s); /* 0 turns it off */

/* The two ends as text. A unix socket shows its path at both ends. */
void conn_peer_text(const struct conn *conn, char text[static NET_ADDRESS_TEXT_SIZE]);
void conn_local_text(const struct conn *conn, char text[static NET_ADDRESS_TEXT_SIZE]);

/* Moves what can be moved in one go. CONN_OK: *got or *put is at least 1 (size > 0). */
static inline MUST_USE enum conn_err conn_read(struct conn *conn, void *out, size_t size,
                                               size_t *got)
{
    return conn->io->read(conn, out, size, got);
}

static inline MUST_USE enum conn_err conn_write(struct conn *conn, const void *data, size_t size,
                                                size_t *put)
{
    return conn->io->write(conn, data, size, put);
}
