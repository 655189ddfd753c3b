/* Hot memory without a shard around it: loads from a map of rows, and what must hold between the
 * two. */
#pragma once

#include "keyspace/hot.h"
#include "row_map.h"

/* A cold key on its way into memory, in steps as exec/ takes them. */
struct hot_box_load {
    struct object *object;
    struct keyspace *keyspace;
    uint64_t order;
    struct bytes key; /* borrowed */
    bool needs_value;
    bool has_row; /* the K row was read */
    bool is_there;
    struct buf value;
};

void hot_box_load_begin(struct hot_box_load *load, struct hot *hot, struct keyspace *keyspace,
                        uint64_t order, struct bytes key, struct object *object, bool needs_value);

/* Reads the K row, unless the load is of a body only or has read it. */
void hot_box_load_read(struct hot_box_load *load, const struct row_map *rows);

/* Reads the body when it is wanted and ends the load. */
void hot_box_load_end(struct hot_box_load *load, struct hot *hot, const struct row_map *rows);
void hot_box_load_cancel(struct hot_box_load *load, struct hot *hot);

/* Finds a key, loading it at once when it is cold. NULL: there is none. */
struct object *hot_box_find(struct hot *hot, struct keyspace *keyspace, struct bytes key,
                            enum hot_need need, const struct row_map *rows);

/* A hot memory as a restart makes it: databases and counts from rows that are applied through
 * index. */
struct hot *hot_box_restore(const struct row_map *rows, uint64_t seed, uint64_t index);

/* What the scan after a restart does: the filter of a keyspace from its K rows. */
void hot_box_fill_filter(struct keyspace *keyspace, const struct row_map *rows);

/* What holds of the rows of any prefix of the log: there is a T row for each K row with an expiry
 * and no other, the chunks of an object fit its K row, and no chunk is without one unless a G row
 * names its object. */
void hot_box_check_rows(const struct row_map *rows);
