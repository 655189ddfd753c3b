/* Between the files of hot memory: making, reshaping and freeing objects. */
#pragma once

#include "base/mem.h"
#include "keyspace/hot.h"

enum { HOT_GARBAGE_COUNT = 4096 }; /* a value of so many elements is freed off the loop, too */

/* A new object in the table, without tail, not touched. Its state is ABSENT. */
struct object *hot_object_new(struct keyspace *keyspace, uint64_t order, struct bytes key);

/* Gives the object a layout: an expiry or none, a tail of tail_size bytes of which the first
 * tail_keep are kept. It may move; table and ring follow. Expiry and new tail bytes are the
 * caller's to fill. */
struct object *hot_reshape(struct hot *hot, struct keyspace *keyspace, struct object *object,
                           bool has_expire, size_t tail_size, size_t tail_keep);

/* Frees value and object and takes it out of the table; it is not in the ring. */
void hot_object_drop(struct hot *hot, struct keyspace *keyspace, struct object *object);

/* Frees what the tail points at (not its rows); the encoding becomes NONE. */
void hot_value_free(struct hot *hot, struct keyspace *keyspace, struct object *object);

size_t hot_tail_size(const struct object *object);

struct keyspace *hot_keyspace_new(uint32_t id, int database);

static inline bool hot_is_ahead(const struct hot *hot, const struct object *object)
{
    return object->ahead >= hot->head;
}

/* hot_touch for a change that is made already: due_ms is what hot_due_ms was before it. */
struct object *hot_touch_changed(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                 int64_t due_ms);

/* The key is there from now on: a new object, or the tombstone revived. Touched. */
struct object *hot_make_present(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                                struct bytes key, struct object *object);

/* The value goes, with its rows when it has some of its own. */
void hot_discard_value(struct hot *hot, struct keyspace *keyspace, struct object *object);

/* Gives the object a tail, which has no value now. */
struct object *hot_put_tail(struct hot *hot, struct keyspace *keyspace, struct object *object,
                            enum object_type type, enum object_encoding encoding, struct bytes tail,
                            int64_t expire_ms);

/* Keyspaces and removals of a flushed keyspace are forgotten wherever they stand. */
void hot_forget_keyspace(struct hot *hot, const struct keyspace *keyspace);
