/* Consumer groups of streams, their consumers, and what is pending. */
#include "base/mem.h"
#include "types/stream_internal.h"

static void consumer_free(struct stream_consumer *consumer)
{
    id_map_fini(&consumer->pending);
    buf_free(&consumer->name);
    mem_free(consumer);
}

static void group_free(struct stream_group *group)
{
    for (uint32_t i = 0; i < group->consumer_count; i++)
        consumer_free(group->consumers[i]);
    mem_free(group->consumers);
    id_map_fini(&group->pending);
    buf_free(&group->name);
    mem_free(group);
}

void stream_groups_free(struct stream *stream)
{
    for (uint32_t i = 0; i < stream->group_count; i++)
        group_free(stream->groups[i]);
    mem_free(stream->groups);
}

/* ---- lists by name ---- */

/* The place of a name; *is_there tells whether it stands there. */
static uint32_t group_place(const struct stream *stream, struct bytes name, bool *is_there)
{
    uint32_t from = 0, to = stream->group_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (bytes_compare(buf_bytes(&stream->groups[middle]->name), name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *is_there =
        from < stream->group_count && bytes_equal(buf_bytes(&stream->groups[from]->name), name);
    return from;
}

static uint32_t consumer_place(const struct stream_group *group, struct bytes name, bool *is_there)
{
    uint32_t from = 0, to = group->consumer_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (bytes_compare(buf_bytes(&group->consumers[middle]->name), name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *is_there =
        from < group->consumer_count && bytes_equal(buf_bytes(&group->consumers[from]->name), name);
    return from;
}

struct stream_group *stream_group_at(const struct value *value, uint32_t index)
{
    ASSERT(index < stream_of(value)->group_count);
    return stream_of(value)->groups[index];
}

struct stream_group *stream_group_find(const struct value *value, struct bytes name)
{
    const struct stream *stream = stream_of(value);
    bool is_there;
    uint32_t at = group_place(stream, name, &is_there);
    return is_there ? stream->groups[at] : NULL;
}

struct stream_group *stream_group_of(const struct stream *stream, uint32_t number)
{
    for (uint32_t i = 0; i < stream->group_count; i++) {
        if (stream->groups[i]->number == number)
            return stream->groups[i];
    }
    return NULL;
}

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct bytes name)
{
    bool is_there;
    uint32_t at = consumer_place(group, name, &is_there);
    return is_there ? group->consumers[at] : NULL;
}

struct stream_consumer *stream_consumer_of(const struct stream_group *group, uint32_t number)
{
    for (uint32_t i = 0; i < group->consumer_count; i++) {
        if (group->consumers[i]->number == number)
            return group->consumers[i];
    }
    return NULL;
}

static size_t group_memory(const struct stream_group *group)
{
    return mem_size(group) + mem_size(group->name.data) + mem_size(group->consumers);
}

static size_t consumer_memory(const struct stream_consumer *consumer)
{
    return mem_size(consumer) + mem_size(consumer->name.data);
}

/* ---- groups ---- */

struct stream_group *stream_group_insert(struct stream *stream, uint32_t number, struct bytes name)
{
    bool is_there;
    uint32_t at = group_place(stream, name, &is_there);
    ASSERT(!is_there);
    if (stream->group_count == stream->group_capacity) {
        size_t before = mem_size(stream->groups);
        stream->group_capacity = stream->group_capacity == 0 ? 2 : 2 * stream->group_capacity;
        stream->groups =
            mem_realloc(stream->groups, stream->group_capacity * sizeof(struct stream_group *));
        stream->groups_memory += mem_size(stream->groups) - before;
    }
    struct stream_group *group = mem_zero(sizeof(*group));
    group->number = number;
    group->entries_read = STREAM_READ_NONE;
    buf_append(&group->name, name);
    id_map_init(&group->pending, sizeof(struct stream_pending));
    memmove(stream->groups + at + 1, stream->groups + at,
            (stream->group_count - at) * sizeof(struct stream_group *));
    stream->groups[at] = group;
    stream->group_count++;
    stream->groups_memory += group_memory(group);
    return group;
}

struct stream_group *stream_group_add(struct edit *edit, struct bytes name, struct stream_id last,
                                      int64_t entries_read)
{
    struct stream *stream = stream_of(edit->value);
    struct stream_group *group = stream_group_insert(stream, stream->first_unused++, name);
    group->last_id = last;
    group->entries_read = entries_read;
    stream_put_group(edit, group);
    return group;
}

void stream_group_remove(struct edit *edit, struct stream_group *group)
{
    struct stream *stream = stream_of(edit->value);
    while (group->consumer_count > 0)
        stream_consumer_remove(edit, group, group->consumers[group->consumer_count - 1]);
    ASSERT(group->pending.count == 0);
    stream_delete_group(edit, group);
    bool is_there;
    uint32_t at = group_place(stream, buf_bytes(&group->name), &is_there);
    stream->group_count--;
    memmove(stream->groups + at, stream->groups + at + 1,
            (stream->group_count - at) * sizeof(struct stream_group *));
    stream->groups_memory -= group_memory(group);
    stream->maps_memory -= group->pending.memory;
    group_free(group);
}

void stream_group_changed(struct edit *edit, struct stream_group *group)
{
    stream_put_group(edit, group);
}

/* ---- consumers ---- */

struct stream_consumer *stream_consumer_insert(struct stream *stream, struct stream_group *group,
                                               uint32_t number, struct bytes name)
{
    bool is_there;
    uint32_t at = consumer_place(group, name, &is_there);
    ASSERT(!is_there);
    if (group->consumer_count == group->consumer_capacity) {
        stream->groups_memory -= group_memory(group);
        group->consumer_capacity = group->consumer_capacity == 0 ? 2 : 2 * group->consumer_capacity;
        group->consumers = mem_realloc(group->consumers,
                                       group->consumer_capacity * sizeof(struct stream_consumer *));
        stream->groups_memory += group_memory(group);
    }
    struct stream_consumer *consumer = mem_zero(sizeof(*consumer));
    consumer->number = number;
    consumer->active_ms = -1;
    buf_append(&consumer->name, name);
    id_map_init(&consumer->pending, sizeof(struct stream_id));
    memmove(group->consumers + at + 1, group->consumers + at,
            (group->consumer_count - at) * sizeof(struct stream_consumer *));
    group->consumers[at] = consumer;
    group->consumer_count++;
    stream->groups_memory += consumer_memory(consumer);
    return consumer;
}

struct stream_consumer *stream_consumer_add(struct edit *edit, struct stream_group *group,
                                            struct bytes name, int64_t now_ms)
{
    struct stream *stream = stream_of(edit->value);
    struct stream_consumer *consumer =
        stream_consumer_insert(stream, group, stream->first_unused++, name);
    consumer->seen_ms = now_ms;
    stream_put_consumer(edit, group, consumer);
    return consumer;
}

void stream_consumer_remove(struct edit *edit, struct stream_group *group,
                            struct stream_consumer *consumer)
{
    struct stream *stream = stream_of(edit->value);
    while (consumer->pending.count > 0) {
        struct stream_id id;
        memcpy(&id, id_map_at(&consumer->pending, id_map_last(&consumer->pending)), sizeof(id));
        (void)stream_pending_remove(edit, group, id);
    }
    stream_delete_consumer(edit, group, consumer);
    bool is_there;
    uint32_t at = consumer_place(group, buf_bytes(&consumer->name), &is_there);
    group->consumer_count--;
    memmove(group->consumers + at, group->consumers + at + 1,
            (group->consumer_count - at) * sizeof(struct stream_consumer *));
    stream->groups_memory -= consumer_memory(consumer);
    stream->maps_memory -= consumer->pending.memory;
    consumer_free(consumer);
}

void stream_consumer_changed(struct edit *edit, struct stream_group *group,
                             struct stream_consumer *consumer)
{
    stream_put_consumer(edit, group, consumer);
}

/* ---- pending ---- */

struct stream_pending *stream_pending_find(const struct stream_group *group, struct stream_id id)
{
    return id_map_find(&group->pending, id);
}

static void consumer_drops(struct stream *stream, struct stream_consumer *consumer,
                           struct stream_id id)
{
    stream->maps_memory -= consumer->pending.memory;
    bool was_there = id_map_remove(&consumer->pending, id);
    ASSERT(was_there);
    stream->maps_memory += consumer->pending.memory;
}

/* True when it was not pending before. */
bool stream_pending_insert(struct stream *stream, struct stream_group *group,
                           struct stream_consumer *consumer, struct stream_id id,
                           int64_t delivered_ms, uint64_t times)
{
    bool is_new, is_new_there;
    stream->maps_memory -= group->pending.memory;
    struct stream_pending *pending = id_map_put(&group->pending, id, &is_new);
    stream->maps_memory += group->pending.memory;
    if (!is_new && pending->consumer != consumer->number)
        consumer_drops(stream, stream_consumer_of(group, pending->consumer), id);
    if (is_new || pending->consumer != consumer->number) {
        stream->maps_memory -= consumer->pending.memory;
        (void)id_map_put(&consumer->pending, id, &is_new_there);
        stream->maps_memory += consumer->pending.memory;
        ASSERT(is_new_there);
    }
    pending->consumer = consumer->number;
    pending->delivered_ms = delivered_ms;
    pending->times = times;
    return is_new;
}

void stream_pending_put(struct edit *edit, struct stream_group *group,
                        struct stream_consumer *consumer, struct stream_id id, int64_t delivered_ms,
                        uint64_t times)
{
    struct stream *stream = stream_of(edit->value);
    (void)stream_pending_insert(stream, group, consumer, id, delivered_ms, times);
    stream_put_pending(edit, group, stream_pending_find(group, id));
}

bool stream_pending_remove(struct edit *edit, struct stream_group *group, struct stream_id id)
{
    struct stream *stream = stream_of(edit->value);
    const struct stream_pending *pending = stream_pending_find(group, id);
    if (pending == NULL)
        return false;
    consumer_drops(stream, stream_consumer_of(group, pending->consumer), id);
    stream->maps_memory -= group->pending.memory;
    (void)id_map_remove(&group->pending, id);
    stream->maps_memory += group->pending.memory;
    stream_delete_pending(edit, group, id);
    return true;
}

bool stream_is_acked(const struct value *value, struct stream_id id)
{
    const struct stream *stream = stream_of(value);
    for (uint32_t i = 0; i < stream->group_count; i++) {
        const struct stream_group *group = stream->groups[i];
        if (stream_id_compare(group->last_id, id) < 0 || stream_pending_find(group, id) != NULL)
            return false;
    }
    return true;
}

uint32_t stream_drop_references(struct edit *edit, struct stream_id id)
{
    const struct stream *stream = stream_of(edit->value);
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < stream->group_count; i++)
        dropped += stream_pending_remove(edit, stream->groups[i], id);
    return dropped;
}

/* ---- counts ---- */

uint32_t stream_count_consumers(const struct stream *stream)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stream->group_count; i++)
        count += stream->groups[i]->consumer_count;
    return count;
}

uint64_t stream_count_pending(const struct stream *stream)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < stream->group_count; i++)
        count += stream->groups[i]->pending.count;
    return count;
}
