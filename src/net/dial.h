/* Connecting to somebody without waiting for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/assert.h"

/* A numeric address, "127.0.0.1" or "::1". False: it is a name, or nonsense. */
MUST_USE bool dial_parse(const char *host, uint16_t port, struct sockaddr_storage *out);

/* Asks the resolver. Blocks, for seconds when the network is bad: helper threads only. */
MUST_USE bool dial_resolve(const char *host, uint16_t port, struct sockaddr_storage *out);

/* Begins to connect; the descriptor (non-blocking, close-on-exec) becomes writable when it is
 * decided, and dial_result tells how. -1 with errno when it is refused at once. */
MUST_USE int dial_begin(const struct sockaddr_storage *address);
MUST_USE int dial_result(int fd); /* 0: connected, EINPROGRESS: not yet, else the errno */

/* A connection whose sent bytes nobody acknowledges for so long is broken, whatever the kernel's
 * own patience (about 15 minutes). */
void dial_set_patience(int fd, uint32_t patience_ms);
