#include "types/id_map.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

struct id_chunk {
    uint32_t count, capacity;
    uint8_t records[];
};

enum { CAPACITY_START = 4 };

static void *record_at(const struct id_map *map, struct id_chunk *chunk, uint32_t at)
{
    return chunk->records + (size_t)at * map->record_size;
}

static struct stream_id id_at(const struct id_map *map, struct id_chunk *chunk, uint32_t at)
{
    struct stream_id id;
    memcpy(&id, record_at(map, chunk, at), sizeof(id));
    return id;
}

void id_map_init(struct id_map *map, size_t record_size)
{
    ASSERT(record_size >= sizeof(struct stream_id));
    *map = (struct id_map){.record_size = record_size};
}

void id_map_fini(struct id_map *map)
{
    for (size_t i = 0; i < map->chunk_count; i++)
        mem_free(map->chunks[i]);
    mem_free(map->chunks);
    *map = (struct id_map){.record_size = map->record_size};
}

/* The last chunk whose first id is not above; 0 when all are. */
static size_t chunk_for(const struct id_map *map, struct stream_id id)
{
    size_t from = 0, to = map->chunk_count;
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        if (stream_id_compare(id_at(map, map->chunks[middle], 0), id) <= 0)
            from = middle;
        else
            to = middle;
    }
    return from;
}

/* The first record of the chunk whose id is at or above. */
static uint32_t place_for(const struct id_map *map, struct id_chunk *chunk, struct stream_id id)
{
    uint32_t from = 0, to = chunk->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (stream_id_compare(id_at(map, chunk, middle), id) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

void *id_map_find(const struct id_map *map, struct stream_id id)
{
    if (map->chunk_count == 0)
        return NULL;
    struct id_chunk *chunk = map->chunks[chunk_for(map, id)];
    uint32_t at = place_for(map, chunk, id);
    bool is_there = at < chunk->count && stream_id_compare(id_at(map, chunk, at), id) == 0;
    return is_there ? record_at(map, chunk, at) : NULL;
}

/* ---- changing ---- */

static struct id_chunk *resize_chunk(struct id_map *map, struct id_chunk *chunk, uint32_t capacity)
{
    size_t before = mem_size(chunk);
    uint32_t count = chunk == NULL ? 0 : chunk->count;
    chunk = mem_realloc(chunk, sizeof(*chunk) + capacity * map->record_size);
    chunk->capacity = capacity;
    chunk->count = count;
    map->memory += mem_size(chunk) - before;
    return chunk;
}

static void insert_chunk(struct id_map *map, size_t at, struct id_chunk *chunk)
{
    if (map->chunk_count == map->chunk_capacity) {
        size_t before = mem_size(map->chunks);
        map->chunk_capacity = map->chunk_capacity == 0 ? 2 : map->chunk_capacity * 2;
        map->chunks = mem_realloc(map->chunks, map->chunk_capacity * sizeof(struct id_chunk *));
        map->memory += mem_size(map->chunks) - before;
    }
    memmove(map->chunks + at + 1, map->chunks + at,
            (map->chunk_count - at) * sizeof(struct id_chunk *));
    map->chunks[at] = chunk;
    map->chunk_count++;
}

/* Appending leaves full chunks behind, anything else half full ones. */
static void split_chunk(struct id_map *map, size_t at, bool is_append)
{
    struct id_chunk *left = map->chunks[at];
    uint32_t keep = is_append ? left->count : left->count / 2, moved = left->count - keep;
    struct id_chunk *right = resize_chunk(map, NULL, is_append ? CAPACITY_START : ID_MAP_CHUNK);
    memcpy(right->records, record_at(map, left, keep), moved * map->record_size);
    right->count = moved;
    left->count = keep;
    insert_chunk(map, at + 1, right);
}

/* A chunk with room, where the id belongs. */
static size_t roomy_chunk(struct id_map *map, struct stream_id id)
{
    if (map->chunk_count == 0)
        insert_chunk(map, 0, resize_chunk(map, NULL, CAPACITY_START));
    size_t index = chunk_for(map, id);
    struct id_chunk *chunk = map->chunks[index];
    if (chunk->count < chunk->capacity)
        return index;
    if (chunk->capacity < ID_MAP_CHUNK) {
        map->chunks[index] = resize_chunk(map, chunk, chunk->capacity * 2);
        return index;
    }
    bool is_append = index + 1 == map->chunk_count && place_for(map, chunk, id) == chunk->count;
    split_chunk(map, index, is_append);
    return is_append ? index + 1 : chunk_for(map, id);
}

void *id_map_put(struct id_map *map, struct stream_id id, bool *is_new)
{
    void *known = id_map_find(map, id);
    *is_new = known == NULL;
    if (known != NULL)
        return known;
    size_t index = roomy_chunk(map, id); /* which may move the array */
    struct id_chunk *chunk = map->chunks[index];
    uint32_t at = place_for(map, chunk, id);
    uint8_t *record = record_at(map, chunk, at);
    memmove(record + map->record_size, record, (chunk->count - at) * map->record_size);
    memset(record, 0, map->record_size);
    memcpy(record, &id, sizeof(id));
    chunk->count++;
    map->count++;
    return record;
}

bool id_map_remove(struct id_map *map, struct stream_id id)
{
    if (map->chunk_count == 0)
        return false;
    size_t index = chunk_for(map, id);
    struct id_chunk *chunk = map->chunks[index];
    uint32_t at = place_for(map, chunk, id);
    if (at == chunk->count || stream_id_compare(id_at(map, chunk, at), id) != 0)
        return false;
    chunk->count--;
    map->count--;
    uint8_t *record = record_at(map, chunk, at);
    memmove(record, record + map->record_size, (chunk->count - at) * map->record_size);
    if (chunk->count > 0)
        return true;
    map->memory -= mem_size(chunk);
    mem_free(chunk);
    map->chunk_count--;
    memmove(map->chunks + index, map->chunks + index + 1,
            (map->chunk_count - index) * sizeof(struct id_chunk *));
    return true;
}

/* ---- walking ---- */

struct id_cursor id_map_first(const struct id_map *map)
{
    (void)map;
    return (struct id_cursor){0};
}

struct id_cursor id_map_last(const struct id_map *map)
{
    if (map->chunk_count == 0)
        return (struct id_cursor){0};
    return (struct id_cursor){map->chunk_count - 1, map->chunks[map->chunk_count - 1]->count - 1};
}

struct id_cursor id_map_seek(const struct id_map *map, struct stream_id id)
{
    if (map->chunk_count == 0)
        return (struct id_cursor){0};
    size_t index = chunk_for(map, id);
    uint32_t at = place_for(map, map->chunks[index], id);
    if (at == map->chunks[index]->count)
        return (struct id_cursor){index + 1, 0};
    return (struct id_cursor){index, at};
}

struct id_cursor id_map_seek_last(const struct id_map *map, struct stream_id id)
{
    struct id_cursor cursor = id_map_seek(map, id);
    const void *record = id_map_at(map, cursor);
    if (record != NULL && memcmp(record, &id, sizeof(id)) == 0)
        return cursor;
    id_map_prev(map, &cursor);
    return cursor;
}

void *id_map_at(const struct id_map *map, struct id_cursor cursor)
{
    if (cursor.chunk >= map->chunk_count || cursor.at >= map->chunks[cursor.chunk]->count)
        return NULL;
    return record_at(map, map->chunks[cursor.chunk], cursor.at);
}

void id_map_next(const struct id_map *map, struct id_cursor *cursor)
{
    if (++cursor->at < map->chunks[cursor->chunk]->count)
        return;
    cursor->chunk++;
    cursor->at = 0;
}

void id_map_prev(const struct id_map *map, struct id_cursor *cursor)
{
    if (cursor->at > 0) {
        cursor->at--;
    } else if (cursor->chunk > 0) {
        cursor->chunk--;
        cursor->at = map->chunks[cursor->chunk]->count - 1;
    } else {
        cursor->chunk = SIZE_MAX; /* in front of the first */
    }
}

void id_map_check(const struct id_map *map)
{
    size_t memory = mem_size(map->chunks);
    uint64_t count = 0;
    struct stream_id last = {0};
    for (size_t i = 0; i < map->chunk_count; i++) {
        struct id_chunk *chunk = map->chunks[i];
        ASSERT(chunk->count > 0 && chunk->count <= chunk->capacity);
        for (uint32_t at = 0; at < chunk->count; at++, count++) {
            ASSERT(count == 0 || stream_id_compare(last, id_at(map, chunk, at)) < 0);
            last = id_at(map, chunk, at);
        }
        memory += mem_size(chunk);
    }
    ASSERT(count == map->count && memory == map->memory);
}
