/* Streams: entries of field-value pairs in the order of their ids, and consumer groups with what
 * they have delivered and what is not acknowledged yet.
 *
 * In memory: entries in nodes of stream-node-max-entries and -bytes, found by their first id; a
 * node keeps the fields of its first entry once, and entries with the same fields only values.
 * Pending entries stand in a map by id of their group, and of their consumer.
 *
 * Rows (store/FORMAT.md); a stream has no inline form.
 *     E 0x00 ms:be64 seq:be64                 -> pairs:le32 pack          an entry
 *     E 0x01 group:be32                       -> last:id read:le64 name   a group
 *     E 0x02 group:be32 consumer:be32         -> seen:le64 active:le64 name
 *     E 0x03 group:be32 ms:be64 seq:be64      -> consumer:le32 delivered:le64 times:le64   pending
 *     head := last:id added:le64 max_deleted:id first_unused:le32 groups:le32 consumers:le32
 *             pending:le64 [production]                     id := ms:le64 seq:le64
 * and those of producers and their messages, see stream_production.h. */
#pragma once

#include "types/id_map.h"
#include "types/pack.h"
#include "types/value.h"

enum { STREAM_SCRATCH = 24 };

#define STREAM_ID_MAX    ((struct stream_id){UINT64_MAX, UINT64_MAX})
#define STREAM_READ_NONE (-1) /* entries_read is not known */

/* False when there is no id above, or below. */
bool stream_id_increment(struct stream_id *id);
bool stream_id_decrement(struct stream_id *id);

/* One entry; valid until the next change of the stream. */
struct stream_entry {
    struct stream_id id;
    uint32_t pair_count;
    const struct pack *pack;    /* the rest is between here and stream_entry_pair */
    pack_position field, value; /* of the next pair */
    bool has_own_fields;
};

/* The next pair, of which there are pair_count. */
struct stream_text {
    struct bytes bytes;
    char scratch[STREAM_SCRATCH];
};
void stream_entry_pair(struct stream_entry *entry, struct stream_text *field,
                       struct stream_text *value);

/* ---- the stream ---- */

struct stream_info {
    struct stream_id last_id, max_deleted_id, first_id; /* first_id 0-0 when empty */
    uint64_t entries_added;
    uint64_t nodes;
    uint32_t groups;
};

struct stream_info stream_info(const struct value *value);
void stream_set_ids(struct edit *edit, struct stream_id last_id, uint64_t entries_added,
                    struct stream_id max_deleted_id);

/* The id is above the last one. pairs: field, value, field … */
void stream_append(struct edit *edit, struct stream_id id, const struct bytes *pairs,
                   uint32_t pair_count);
bool stream_has(const struct value *value, struct stream_id id);
bool stream_remove(struct edit *edit, struct stream_id id); /* false: it was not there */

/* What becomes of entries that groups still refer to. A group refers to what is pending in it, and
 * to what it has not been given yet. */
enum stream_references {
    STREAM_KEEP_REFERENCES, /* they go, and stay pending */
    STREAM_DROP_REFERENCES, /* they go, and are pending no more */
    STREAM_ONLY_ACKED,      /* they stay */
};

struct stream_trim {
    bool by_id;          /* entries below min_id go; else the oldest, until max_count are left */
    bool is_approximate; /* only from nodes that are beyond the threshold as a whole */
    enum stream_references references;
    uint64_t max_count;
    struct stream_id min_id;
    uint64_t limit; /* entries that are looked at at most, when approximate; 0: none */
};
uint64_t stream_trim(struct edit *edit, const struct stream_trim *trim); /* how many went */

/* A walk over [from, to], either way; valid until the next change. */
struct stream_walk {
    const struct value *value;
    struct stream_id from, to;
    bool is_reverse, has_begun;
    struct id_cursor node;
    pack_position at;
};

struct stream_walk stream_walk(const struct value *value, struct stream_id from,
                               struct stream_id to, bool is_reverse);
bool stream_next(struct stream_walk *walk, struct stream_entry *entry);

/* How many entries a group that has read up to `last` is behind; false when that is not known. */
bool stream_lag(const struct value *value, struct stream_id last, int64_t read, uint64_t *lag);

/* The number that the entry at `id` had among all that were ever added; STREAM_READ_NONE: not
 * known. */
int64_t stream_read_up_to(const struct value *value, struct stream_id id);

/* Whether an entry that once stood at or behind `from` was removed. */
bool stream_has_hole(const struct value *value, struct stream_id from);

/* ---- groups ---- */

struct stream_pending { /* of a group: record of its map */
    struct stream_id id;
    uint32_t consumer; /* number */
    int64_t delivered_ms;
    uint64_t times;
};

struct stream_consumer {
    uint32_t number;
    struct buf name;
    int64_t seen_ms, active_ms; /* active_ms -1: never */
    struct id_map pending;      /* records: struct stream_id alone */
};

struct stream_group {
    uint32_t number;
    struct buf name;
    struct stream_id last_id;
    int64_t entries_read;
    struct id_map pending;
    struct stream_consumer **consumers; /* by name */
    uint32_t consumer_count, consumer_capacity;
};

/* Groups are listed by name. */
struct stream_group *stream_group_at(const struct value *value, uint32_t index);
struct stream_group *stream_group_find(const struct value *value, struct bytes name); /* or NULL */

/* These write the rows of what they change. */
struct stream_group *stream_group_add(struct edit *edit, struct bytes name, struct stream_id last,
                                      int64_t entries_read); /* there is none of that name */
void stream_group_remove(struct edit *edit, struct stream_group *group);
void stream_group_changed(struct edit *edit, struct stream_group *group); /* its fields were set */

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct bytes name);
struct stream_consumer *stream_consumer_of(const struct stream_group *group, uint32_t number);
struct stream_consumer *stream_consumer_add(struct edit *edit, struct stream_group *group,
                                            struct bytes name, int64_t now_ms);
void stream_consumer_remove(struct edit *edit, struct stream_group *group,
                            struct stream_consumer *consumer);
void stream_consumer_changed(struct edit *edit, struct stream_group *group,
                             struct stream_consumer *consumer);

/* Pending: NULL when it is not. Put makes it, or moves it to this consumer. */
struct stream_pending *stream_pending_find(const struct stream_group *group, struct stream_id id);
void stream_pending_put(struct edit *edit, struct stream_group *group,
                        struct stream_consumer *consumer, struct stream_id id, int64_t delivered_ms,
                        uint64_t times);
bool stream_pending_remove(struct edit *edit, struct stream_group *group, struct stream_id id);

/* Whether every group was given the entry and acknowledged it; true without groups. */
bool stream_is_acked(const struct value *value, struct stream_id id);

/* It is pending in no group any more. How many it was pending in. */
uint32_t stream_drop_references(struct edit *edit, struct stream_id id);

/* ---- idempotent production: see stream_production.h ---- */

enum {
    STREAM_IDMP_DURATION_DEFAULT = 100, /* seconds */
    STREAM_IDMP_DURATION_MAX = 86400,
    STREAM_IDMP_SIZE_DEFAULT = 100, /* messages of one producer */
    STREAM_IDMP_SIZE_MAX = 10000,
    STREAM_MESSAGE_DIGEST = 16,
};

struct stream_production_info {
    uint32_t duration_s, size_max;
    uint64_t producers, messages; /* that are remembered now; not known in a HEAD */
    uint64_t added, duplicates;   /* ever */
};

struct stream_production_info stream_production_info(const struct value *value, int64_t now_ms);

/* The entry that a producer's message of this name became; false when it is not remembered. */
bool stream_production_find(const struct edit *edit, struct bytes producer, struct bytes name,
                            int64_t now_ms, struct stream_id *id);

/* Remembers one that stream_production_find does not know; neither name is empty. Forgets what is
 * too old, and the oldest of the producer when there are too many. */
void stream_production_add(struct edit *edit, struct bytes producer, struct bytes name,
                           struct stream_id id, int64_t now_ms);
void stream_production_repeated(struct edit *edit); /* counts a duplicate */

/* New settings; forgets all messages. False: they are the same, nothing was done. */
bool stream_production_configure(struct edit *edit, uint32_t duration_s, uint32_t size_max);

/* A name made of a message's content, the same whatever the order of its pairs. */
void stream_production_digest(const struct bytes *pairs, uint32_t pair_count,
                              uint8_t digest[STREAM_MESSAGE_DIGEST]);
