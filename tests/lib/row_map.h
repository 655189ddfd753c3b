/* A sorted map of rows for tests: the fold of the entries that were put into it. */
#pragma once

#include "base/buf.h"

struct row_map_item {
    struct buf key;
    struct buf value;
};

/* Zeroed is a valid empty one. */
struct row_map {
    struct row_map_item *items; /* in key order */
    size_t count;
    size_t capacity;
};

void row_map_free(struct row_map *map); /* leaves an empty one */
void row_map_copy(struct row_map *to, const struct row_map *from);
void row_map_fold(struct row_map *map, struct bytes rows); /* ASSERTs that they are rows */

/* Borrowed until the map changes; NULL when there is no such row. */
const struct buf *row_map_find(const struct row_map *map, struct bytes key);

/* The first row at or above key; map->count when there is none. */
size_t row_map_seek(const struct row_map *map, struct bytes key);
bool row_map_equal(const struct row_map *a, const struct row_map *b);
