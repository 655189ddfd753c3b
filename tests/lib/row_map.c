#include "row_map.h"

#include "base/mem.h"
#include "codec/rows.h"

static void item_free(struct row_map_item *item)
{
    buf_free(&item->key);
    buf_free(&item->value);
}

void row_map_free(struct row_map *map)
{
    for (size_t i = 0; i < map->count; i++)
        item_free(&map->items[i]);
    mem_free(map->items);
    *map = (struct row_map){0};
}

static void put_at(struct row_map *map, size_t at, struct bytes key, struct bytes value)
{
    if (map->count == map->capacity) {
        map->capacity = map->capacity == 0 ? 64 : map->capacity * 2;
        map->items = mem_realloc(map->items, map->capacity * sizeof(*map->items));
    }
    memmove(&map->items[at + 1], &map->items[at], (map->count - at) * sizeof(*map->items));
    map->items[at] = (struct row_map_item){0};
    buf_append(&map->items[at].key, key);
    buf_append(&map->items[at].value, value);
    map->count++;
}

void row_map_copy(struct row_map *to, const struct row_map *from)
{
    row_map_free(to);
    for (size_t i = 0; i < from->count; i++)
        put_at(to, i, buf_bytes(&from->items[i].key), buf_bytes(&from->items[i].value));
}

size_t row_map_seek(const struct row_map *map, struct bytes key)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(buf_bytes(&map->items[middle].key), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct row_map *map, size_t at, struct bytes key)
{
    return at < map->count && bytes_equal(buf_bytes(&map->items[at].key), key);
}

const struct buf *row_map_find(const struct row_map *map, struct bytes key)
{
    size_t at = row_map_seek(map, key);
    return is_at(map, at, key) ? &map->items[at].value : NULL;
}

static void drop_at(struct row_map *map, size_t at)
{
    item_free(&map->items[at]);
    map->count--;
    memmove(&map->items[at], &map->items[at + 1], (map->count - at) * sizeof(*map->items));
}

void row_map_fold(struct row_map *map, struct bytes rows)
{
    struct row row;
    while (rows.size > 0) {
        enum rows_err err = rows_next(&rows, &row);
        ASSERT(err == ROWS_OK);
        size_t at = row_map_seek(map, row.key);
        if (is_at(map, at, row.key))
            drop_at(map, at);
        if (row.op != ROW_DELETE)
            put_at(map, at, row.key, row.value);
    }
}

bool row_map_equal(const struct row_map *a, const struct row_map *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++) {
        if (!bytes_equal(buf_bytes(&a->items[i].key), buf_bytes(&b->items[i].key)) ||
            !bytes_equal(buf_bytes(&a->items[i].value), buf_bytes(&b->items[i].value)))
            return false;
    }
    return a->count == b->count;
}
