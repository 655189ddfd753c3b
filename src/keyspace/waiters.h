/* Who waits for which key to change (BLPOP and its like): a side table at the leader, nothing of it
 * is in rows, and it costs nothing while nobody waits.
 *
 * A touched key wakes all who wait for it: they come out of waiters_take in the order in which they
 * began to wait, each once however many of its keys were touched. */
#pragma once

#include "base/bytes.h"
#include "base/list.h"

struct waiters;

/* Embedded in who waits; waiter_init before use. */
struct waiter {
    struct list places; /* one for each key */
    struct list woken;
    uint64_t arrival; /* given by the first waiters_add */
};

struct waiters *waiters_new(void);
void waiters_free(struct waiters *waiters); /* nobody waits any more (ASSERT); NULL is legal */

void waiter_init(struct waiter *waiter);

/* Waits for one more key; for one that it waits for already nothing changes. */
void waiters_add(struct waiters *waiters, struct waiter *waiter, int database, struct bytes key);

/* Waits for nothing any more; harmless when it does not. */
void waiters_remove(struct waiters *waiters, struct waiter *waiter);

bool waiters_is_empty(const struct waiters *waiters);
uint64_t waiters_key_count(const struct waiters *waiters); /* places, a key of two counts twice */

void waiters_touch(struct waiters *waiters, int database, struct bytes key);
void waiters_touch_database(struct waiters *waiters, int database);

/* The next one that was woken, or NULL. It goes on waiting for its keys. */
struct waiter *waiters_take(struct waiters *waiters);
bool waiters_has_woken(const struct waiters *waiters);
