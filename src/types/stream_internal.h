/* Between stream.c (entries), stream_group.c and stream_rows.c. */
#pragma once

#include "types/stream.h"
#include "types/stream_production.h"

enum { STREAM_FORM_WHOLE = 1 };

enum {
    STREAM_ROW_ENTRY = 0,
    STREAM_ROW_GROUP = 1,
    STREAM_ROW_CONSUMER = 2,
    STREAM_ROW_PENDING = 3,
    STREAM_ID_SIZE = 16,
};

/* Record of the map of nodes: first id, then the node. */
struct stream_node {
    struct stream_id first; /* of all entries that were ever in it: does not change */
    struct pack *pack;      /* field_count field* entry* */
    uint32_t count;         /* entries there */
    uint32_t added;         /* and those that were removed */
};

/*   entry in a pack := flags ms-delta seq-delta [pair_count] (value* | (field value)*) items
 * items: how many pack entries stand before it in the entry, for walking backwards */
enum { STREAM_ENTRY_SAME_FIELDS = 1 };

struct stream {
    struct value value;
    struct stream_id last_id, max_deleted_id;
    uint64_t entries_added;
    struct id_map nodes;
    struct stream_group **groups; /* by name */
    uint32_t group_count, group_capacity;
    uint32_t first_unused;         /* number of a group, consumer or producer that comes */
    size_t nodes_memory;           /* of packs */
    size_t groups_memory;          /* of groups and consumers without their maps */
    size_t maps_memory;            /* of the maps of groups and consumers */
    struct production *production; /* NULL: no producer ever, no setting */

    /* While loading, and in a HEAD: what the head says there is. */
    uint32_t expected_groups, expected_consumers;
    uint64_t expected_pending;
    uint64_t loaded;
};

static inline struct stream *stream_of(const struct value *value)
{
    ASSERT(value->type == TYPE_STREAM);
    return (struct stream *)(uintptr_t)value; // NOLINT: const goes, as in strchr
}

struct value *stream_create(const struct type_env *env);
void stream_free(struct value *value);
void stream_groups_free(struct stream *stream);

/* stream.c */
void stream_add_entry(struct stream *stream, struct stream_id id, const struct bytes *pairs,
                      uint32_t pair_count, const struct type_env *env);

/* stream_group.c: without rows */
struct stream_group *stream_group_insert(struct stream *stream, uint32_t number, struct bytes name);
struct stream_consumer *stream_consumer_insert(struct stream *stream, struct stream_group *group,
                                               uint32_t number, struct bytes name);
struct stream_group *stream_group_of(const struct stream *stream, uint32_t number);
bool stream_pending_insert(struct stream *stream, struct stream_group *group,
                           struct stream_consumer *consumer, struct stream_id id,
                           int64_t delivered_ms, uint64_t times);
uint32_t stream_count_consumers(const struct stream *stream);
uint64_t stream_count_pending(const struct stream *stream);

/* stream_rows.c: put or delete one row; nothing when the stream has none */
void stream_put_entry(struct edit *edit, struct stream_id id, const struct bytes *pairs,
                      uint32_t pair_count);
void stream_delete_entry(struct edit *edit, struct stream_id id);
void stream_put_group(struct edit *edit, const struct stream_group *group);
void stream_delete_group(struct edit *edit, const struct stream_group *group);
void stream_put_consumer(struct edit *edit, const struct stream_group *group,
                         const struct stream_consumer *consumer);
void stream_delete_consumer(struct edit *edit, const struct stream_group *group,
                            const struct stream_consumer *consumer);
void stream_put_pending(struct edit *edit, const struct stream_group *group,
                        const struct stream_pending *pending);
void stream_delete_pending(struct edit *edit, const struct stream_group *group,
                           struct stream_id id);
