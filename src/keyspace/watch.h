/* WATCH: which connections want to know that a key changed. A side table at the leader; nothing of
 * it is in rows, and it costs nothing while nobody watches. */
#pragma once

#include "base/bytes.h"
#include "base/list.h"

struct watch_table;

struct watch_table *watch_table_new(void);
void watch_table_free(struct watch_table *table); /* NULL is legal; no watch may be left */

/* Adds (database, key) to the list of a connection, whose *is_dirty becomes true when the key is
 * touched. Watching a key twice adds nothing. was_expired: the key had expired already, so that its
 * removal is no change. */
void watch_add(struct watch_table *table, struct list *watches, bool *is_dirty, int database,
               struct bytes key, bool was_expired);
void watch_remove_all(struct list *watches); /* of one connection, in whatever tables they stand */

bool watch_is_empty(const struct watch_table *table);
void watch_touch(struct watch_table *table, int database, struct bytes key);

/* A key went away because it had expired: dirties those who had seen it alive. */
void watch_touch_expired(struct watch_table *table, int database, struct bytes key);

/* True when a watched key that was alive has expired by now; is_expired tells of one key. */
bool watch_any_expired(struct list *watches,
                       bool (*is_expired)(void *context, int database, struct bytes key),
                       void *context);

/* Calls with each watched key of a connection (what is cold of them is loaded before EXEC). */
void watch_each(struct list *watches, void (*visit)(void *context, int database, struct bytes key),
                void *context);

/* Every watched key of a database: `exists` tells which ones the change concerns (all when NULL).
 */
void watch_touch_database(struct watch_table *table, int database,
                          bool (*exists)(void *context, struct bytes key), void *context);
