/* Clients that work on the same keys of one database, one request each at a time: what one sees the
 * others must not lose, not even by a crash, and transactions are whole.
 *
 *   counter   INCR and GET: never below what any reply has shown, never above what was sent
 *   accounts  transactions move amounts between three keys: their sum is 0 whenever they are read
 *   pair      transactions write one value to two keys: they are equal whenever they are read
 *   ticket    WATCH, GET n, MULTI SET n+1 EXEC: no number is given out twice */
#pragma once

#include "base/buf.h"
#include "world.h"

enum {
    SHARED_CLIENTS_MAX = 4,
    SHARED_DATABASE = 15,
    SHARED_TICKETS_MAX = 1 << 16,
};

struct shared_client {
    struct client *client; /* NULL: not connected */
    struct buf received, unsent;
    int kind; /* enum shared_kind of shared.c; 0: nothing under way */
    int replies_due;
    int64_t floor; /* the counter was seen at this when it was asked */
    int64_t ticket;
};

struct shared {
    struct world *world;
    struct prng prng;
    int count;
    uint32_t value_max;
    struct shared_client clients[SHARED_CLIENTS_MAX];
    int64_t incr_sent, counter_seen;
    bool is_given[SHARED_TICKETS_MAX];
    uint64_t replies, serial;
};

void shared_init(struct shared *shared, struct world *world, int count);
void shared_fini(struct shared *shared);
void shared_connect(struct shared *shared); /* to a new node */
void shared_disconnect(struct shared *shared);
void shared_note_loss(struct shared *shared); /* what was promised without a sync may be gone */
void shared_send(struct shared *shared);
size_t shared_receive(struct shared *shared); /* replies that were taken and judged */
bool shared_is_idle(const struct shared *shared);
