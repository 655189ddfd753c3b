/* The objects of one keyspace that are in memory, found by key.
 *
 * TABLE_PARTS small open-addressing tables, chosen by hash, each grown on its own: no growth moves
 * more than a 512th of the keys, so no turn stalls on a rehash (100 million keys: about 10 ms). A
 * slot is the object's address with 16 bits of the hash in its unused top, so a probe that misses
 * touches no object.
 *
 * Borrows the objects. Order numbers (object.order) are the only hash. */
#pragma once

#include "types/object.h"

enum { TABLE_PARTS = 512 };

struct table_part;

struct table {
    struct table_part **parts; /* NULL until the first insert */
    uint64_t count;
    uint64_t memory; /* bytes of the slots */
};

void table_free(struct table *table); /* leaves an empty table; the objects stay */
struct object *table_find(const struct table *table, uint64_t order, struct bytes key);
void table_insert(struct table *table, struct object *object); /* its key is not in the table */
void table_replace(struct table *table, const struct object *old,
                   struct object *moved); /* same key */
void table_remove(struct table *table, const struct object *object);

/* An object chosen by the random number, nearly uniform; NULL when the table is empty. */
struct object *table_sample(const struct table *table, uint64_t random);

/* Walk: start with *cursor 0; returns each object once as long as nothing changes, then NULL. */
struct object *table_next(const struct table *table, uint64_t *cursor);

void table_check(const struct table *table); /* walks every slot; asserts reachability and counts */
