/* A map from stream ids to records of one size, in the order of the ids: chunks of at most
 * ID_MAP_CHUNK records and an array of them. Find and step are O(log n); insertion and removal move
 * at most one chunk, and the array of chunks when one comes or goes (a million records: 32 KiB).
 *
 * A record begins with its struct stream_id. Pointers to records are valid until the next put or
 * remove. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream_id {
    uint64_t ms, seq;
};

static inline int stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq == b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

enum { ID_MAP_CHUNK = 128 };

struct id_map {
    struct id_chunk **chunks;
    size_t chunk_count, chunk_capacity;
    uint64_t count;
    size_t record_size;
    size_t memory; /* without the struct itself */
};

struct id_cursor {
    size_t chunk;
    uint32_t at;
};

void id_map_init(struct id_map *map, size_t record_size);
void id_map_fini(struct id_map *map);

void *id_map_find(const struct id_map *map, struct stream_id id); /* NULL: not there */

/* The record of the id; a new one is zero but for its id, and *is_new tells. */
void *id_map_put(struct id_map *map, struct stream_id id, bool *is_new);
bool id_map_remove(struct id_map *map, struct stream_id id); /* false: not there */

/* The first record whose id is at or above; the last whose id is at or below. */
struct id_cursor id_map_seek(const struct id_map *map, struct stream_id id);
struct id_cursor id_map_seek_last(const struct id_map *map, struct stream_id id);
struct id_cursor id_map_first(const struct id_map *map);
struct id_cursor id_map_last(const struct id_map *map);

void *id_map_at(const struct id_map *map, struct id_cursor cursor); /* NULL past either end */
void id_map_next(const struct id_map *map, struct id_cursor *cursor);
void id_map_prev(const struct id_map *map, struct id_cursor *cursor);

void id_map_check(const struct id_map *map);
