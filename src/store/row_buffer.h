/* Rows of applied entries that are not yet in LevelDB: an ordered map that points into the entries,
 * and the entries themselves, which it retains. Newer rows replace older ones of the same key.
 *
 * Reference-counted on the loop only: a read that is under way holds one, so that the rows it
 * noted outlive the flush. Filled by the loop; while it is frozen, any thread may read it. */
#pragma once

#include "base/list.h"
#include "base/tree.h"
#include "codec/entry.h"

struct row_buffer {
    struct list node; /* on the store's list of retired ones */
    uint32_t refs;
    struct tree *rows; /* flag: deleted */
    struct entry **entries;
    size_t entry_count;
    size_t entry_capacity;
    size_t payload_size; /* of the entries */
    bool names_garbage;  /* a sweep row is among the puts */
};

struct row_buffer *row_buffer_new(void); /* empty, one reference */

/* Puts the entry's rows (kind ROWS) and retains it. Returns how many rows were ignored because
 * their names are the store's own (FORMAT.md). */
size_t row_buffer_add(struct row_buffer *buffer, struct entry *entry);

/* Releases up to entry_max of its entries; true, and the buffer is freed, when none is left. So a
 * quarter of a million frees need not happen in one turn. REQUIRES: no reference. */
bool row_buffer_free_some(struct row_buffer *buffer, size_t entry_max);

size_t row_buffer_memory(const struct row_buffer *buffer);
