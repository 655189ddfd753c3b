/* Hot memory of one shard: its sixteen databases as far as memory knows them, the open entry, and
 * the ahead set.
 *
 * The leader changes objects here first; hot_close turns what changed into the rows of one log
 * entry. Until that entry is applied, everything it changed stands in the ahead ring:
 *
 *      released |  head ... entries that are not applied ... open_from ... tail  | free
 *                  \______________ ahead, by index ________/ \_open entry_/
 *
 * An object points at its newest place in the ring (object.ahead) and that place points back; a
 * place whose object changed again later points nowhere. So it is O(1) to ask which entry a reply
 * has to wait for (L1), to release what was applied, and to drop everything ahead when leadership
 * is lost.
 *
 * An object outside the ring may be dropped at any time (L7): it is the fold of rows that are
 * applied. Deletion leaves a tombstone (OBJECT_ABSENT) until it is applied, because the rows below
 * still have the key. Whether a key that is not in memory exists is known when memory is complete
 * or the filter says no; otherwise it is cold.
 *
 * An object may move whenever it is changed; functions that change return where it is now. */
#pragma once

#include "codec/rows.h"
#include "keyspace/filter.h"
#include "keyspace/table.h"
#include "types/object.h"
#include "types/string.h"
#include "types/value.h"

enum {
    HOT_DATABASES = 16,
    HOT_GARBAGE_SIZE = 1 << 20, /* a buffer or value from here on is freed off the loop */
};

/* One keyspace id: what a database holds between two flushes of it. */
struct keyspace {
    uint32_t id;
    int database; /* that maps to it now */
    struct table table;
    bool is_complete;    /* every key is in memory or does not exist */
    bool counts_changed; /* in the open entry */
    bool
        filter_is_whole; /* every key that exists is in the filter (and perhaps some that do not) */
    int64_t keys;        /* present keys, the open entry included */
    int64_t expiring;    /* of them with an expiry */
    int64_t keys_applied; /* as of the applied index */
    int64_t expiring_applied;
    uint64_t memory; /* bytes of its objects; tables and filter are counted by themselves */
    struct filter *filter;
    struct keyspace *next; /* among the garbage */
};

/* A key whose deletion is in the log: leaves the filter once that is applied. */
struct hot_removal {
    struct keyspace *keyspace; /* NULL: flushed meanwhile */
    uint64_t index;
    uint64_t order;
};

/* A keyspace whose flush is not applied yet: what it takes to have it again if it never is. */
struct hot_flushed {
    uint64_t index;
    uint32_t id;
    int64_t keys_applied;
    int64_t expiring_applied;
};

struct hot_slot {
    struct object *object; /* NULL: superseded or dropped */
    struct keyspace *keyspace;
    uint64_t index;        /* of the entry */
    int64_t logged_due_ms; /* hot_due_ms as of the entry before; 0 none */
};

struct watch_table;
struct waiters;

struct hot {
    struct keyspace *databases[HOT_DATABASES];
    uint32_t applied_ids[HOT_DATABASES]; /* as of the applied index */
    uint32_t next_id;                    /* next keyspace id to be given */
    bool map_changed;                    /* in the open entry */
    uint64_t map_index;                  /* entry that last changed the map; replies wait for it */
    uint64_t released;                   /* newest entry that was released or applied */

    struct hot_slot *ring;
    uint64_t ring_mask;
    uint64_t head; /* positions count from 1 and only grow */
    uint64_t open_from;
    uint64_t tail;

    bool is_open;
    bool is_expiring;     /* the change under way is the removal of an expired key */
    uint64_t open_index;  /* of the open entry; of the newest one when none is open */
    size_t open_size;     /* about what hot_close will append */
    struct buf open_rows; /* element deletes and sweeps of the open entry */

    struct hot_removal *removals; /* a queue by index */
    size_t removals_from, removals_count, removals_capacity;

    struct hot_flushed *flushed; /* by index */
    size_t flushed_count, flushed_capacity;

    uint64_t hash_seed;
    uint64_t object_prefix; /* term << 40 */
    uint64_t object_count;  /* object ids given in this term */
    uint32_t clock;         /* of object.access */
    uint64_t paged_out;     /* objects dropped to save memory, ever */
    struct watch_table *watches;
    struct waiters *waiters;
    struct keyspace *garbage; /* flushed keyspaces, to be freed off the loop */
    struct buf raw_garbage;   /* struct string_raw * of big values, to be freed off the loop */
    struct buf value_garbage; /* struct value * likewise */
    struct type_env env;      /* hot_new gives the defaults */
};

/* hash_seed: of the cluster, the same for ever; it is in every K row. */
struct hot *hot_new(uint64_t hash_seed);
void hot_free(struct hot *hot); /* NULL is legal */

/* New thresholds of encodings; the hash seed stays. */
void hot_set_env(struct hot *hot, const struct type_env *env);

/* Place of a key in K order: slot << 48 | hash48. */
uint64_t hot_order(const struct hot *hot, uint16_t slot, struct bytes key);

/* ---- finding ---- */

enum hot_found {
    HOT_PRESENT,
    HOT_MISSING, /* *object is its tombstone or NULL */
    HOT_COLD,    /* ask LevelDB; *object is what memory has (a head, a loading one) or NULL */
};

enum hot_need { HOT_HEAD, HOT_VALUE };

enum hot_found hot_find(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                        struct bytes key, enum hot_need need, struct object **object);

/* Index of the entry that a reply about this object, or about its absence (object NULL), waits for;
 * 0: none, all applied. */
uint64_t hot_gate(const struct hot *hot, const struct keyspace *keyspace,
                  const struct object *object);

/* The newest entry whose effects memory shows; 0 when all are applied. For replies that count or
 * walk. */
uint64_t hot_gate_all(const struct hot *hot);

/* ---- the open entry ---- */

/* Begins one; the index is the one that the next proposal will get. */
void hot_open(struct hot *hot, uint64_t index);

/* Appends the rows of all that changed, in an order that a follower may apply one by one: M, N,
 * deletes and sweeps, elements and expiry hints, then one K row for each key. Appends nothing when
 * nothing changed. Then no entry is open. */
void hot_close(struct hot *hot, struct buf *rows);

bool hot_has_changes(const struct hot *hot); /* of the open entry */

/* Before a change of an existing key. Returns the object. What dies when (hot_due_ms) must still be
 * as it was before the change. */
struct object *hot_touch(struct hot *hot, struct keyspace *keyspace, struct object *object);

/* object: what hot_find gave, NULL or a tombstone included. The value is copied. */
struct object *hot_set_string(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                              struct bytes key, struct object *object, struct bytes value,
                              int64_t expire_ms);
struct object *hot_set_int(struct hot *hot, struct keyspace *keyspace, struct object *object,
                           int64_t value); /* of an existing string */
struct object *hot_write_string(struct hot *hot, struct keyspace *keyspace, struct object *object,
                                size_t offset, struct bytes bytes);
struct object *hot_set_expire(struct hot *hot, struct keyspace *keyspace, struct object *object,
                              int64_t expire_ms);
void hot_delete(struct hot *hot, struct keyspace *keyspace, struct object *object);
void hot_delete_expired(struct hot *hot, struct keyspace *keyspace, struct object *object);

/* Begins a change of a value that is not a string. object: LOADED, or NULL for a key that is new
 * and gets an empty value of the type. Until the end nothing else may be changed or found. */
void hot_edit_begin(struct hot *hot, struct object *object, enum object_type type,
                    struct edit *edit);

/* Ends it: edit->value is the object's from now on. A value that is_gone deletes the key.
 * has_changed false: nothing was changed, a new value is dropped. Returns the object or NULL. */
struct object *hot_edit_end(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                            struct bytes key, struct object *object, struct edit *edit,
                            bool has_changed);

/* As hot_set_string for the other types: takes the value, which is not a HEAD, not gone and has no
 * element rows. */
struct object *hot_set_value(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                             struct bytes key, struct object *object, struct value *value,
                             int64_t expire_ms);

/* Removes what is due in a loaded value, and the key when nothing is left. */
void hot_expire_elements(struct hot *hot, struct keyspace *keyspace, struct object *object,
                         int64_t now_ms);

/* When the key or something in it dies, at the earliest; 0: never. This is what T rows say. */
int64_t hot_due_ms(const struct object *object);

/* Moves value and expiry of a present key to another that is absent (to_object: NULL or its
 * tombstone). */
void hot_rename(struct hot *hot, struct keyspace *keyspace, struct object *from, uint64_t to_order,
                struct bytes to, struct object *to_object);

/* The old keyspace goes to the garbage: loads that refer to it must be abandoned by the caller. */
struct keyspace *hot_flush_database(struct hot *hot, int database);
void hot_swap_databases(struct hot *hot, int a, int b);

/* ---- following the log ---- */

/* The entry at index, which this leadership executed, is applied: releases its places. rows are its
 * rows (M and N among them are remembered, K keep the filter). */
void hot_release(struct hot *hot, uint64_t index, struct bytes rows);

/* An entry that this leadership did not execute is applied: replay, or a follower. */
void hot_apply(struct hot *hot, uint64_t index, struct bytes rows);

/* The rows became those of another replica as of index: memory starts anew, with the databases map
 * and the counts found among `rows` (others are passed over). Nothing is ahead. */
void hot_reinstall(struct hot *hot, uint64_t index, struct bytes rows);

/* Leadership was lost: everything ahead and the open entry go; counts and databases are as applied.
 */
void hot_drop_ahead(struct hot *hot);

/* A new leadership: its term is in every object id from now on. */
void hot_set_term(struct hot *hot, uint64_t term);

/* Restart: the databases map and the counts as LevelDB has them; before anything else. */
void hot_restore_map(struct hot *hot, struct bytes value);
void hot_restore_counts(struct hot *hot, uint32_t ksid, struct bytes value);

/* ---- loading ---- */

/* A placeholder for a key that is being loaded (object NULL), or marks a head as loading its body.
 */
struct object *hot_begin_load(struct hot *hot, struct keyspace *keyspace, uint64_t order,
                              struct bytes key, struct object *object);

/* What was made of the element rows of an object: one of the two, or neither (head only). */
struct hot_body {
    struct string_raw *raw;
    struct value *value;
};

/* Ends the load of a placeholder with what the rows say of the key: value is that of its K row,
 * absent when has_row is false. The body is taken. Returns where the object is now, or NULL when it
 * is a row that cannot be read (damage; then nothing was taken). */
struct object *hot_end_load(struct hot *hot, struct keyspace *keyspace, struct object *object,
                            bool has_row, struct bytes value, struct hot_body body);

/* Ends the load of the body of a head: the body (taken) is all of the object id that the head
 * names. The K row has no say: an expiry or a name that the head was given may not be applied yet.
 */
void hot_end_body(struct hot *hot, struct keyspace *keyspace, struct object *object,
                  struct hot_body body);

/* Keeps what was loaded in memory until those who asked for it have run; unpin finds it by key, for
 * it may have moved or gone meanwhile. Returns false when it is pinned too often already. */
bool hot_pin(struct object *object);
void hot_unpin(struct keyspace *keyspace, uint64_t order, struct bytes key);

/* The load failed or nobody waits for it: as if it had never begun. */
void hot_cancel_load(struct hot *hot, struct keyspace *keyspace, struct object *object);

/* A scan of the rows found this key: into the filter. hot_filter_done: the scan reached the end. */
void hot_filter_found(struct keyspace *keyspace, uint64_t order);
void hot_filter_done(struct keyspace *keyspace);

/* ---- memory ---- */

uint64_t hot_memory(const struct hot *hot); /* bytes of objects and tables: what paging limits */
uint64_t hot_filter_memory(const struct hot *hot); /* bytes of the filters */

/* Frees what the garbage buffers name, and the buffers. Any thread. */
void hot_garbage_free(struct buf *raws, struct buf *values);

/* Frees a keyspace and its objects, which nothing refers to any more. Any thread. */
void keyspace_free(struct keyspace *keyspace);

/* Drops about `bytes` of objects that are not ahead, pinned or loading, those not used for long
 * first (the oldest of a sample). At most `tries` objects are looked at. Returns bytes dropped. */
uint64_t hot_page_out(struct hot *hot, uint64_t bytes, uint32_t tries, uint64_t random);

/* Drops every object that may be dropped (DEBUG RELOAD). */
void hot_drop_clean(struct hot *hot);

void hot_check(const struct hot *hot); /* every invariant; O(everything) */
