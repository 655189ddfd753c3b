/* Lists: elements in the order of their places.
 *
 * In memory: a pack while the list fits into its K row; then a chain of nodes, each a pack of
 * list-max-listpack-size, or one big element by itself.
 *
 * Rows (store/FORMAT.md): E order:be64 -> element      order with its sign bit flipped
 *     inline := count:le16 pack
 * Order numbers grow along the list, LIST_STRIDE apart when elements are pushed at the ends, so
 * that a push writes one row and ten insertions fit between two neighbours before some are numbered
 * anew. 2^53 pushes fit on each side: a million a second for 285 years. */
#pragma once

#include "types/value.h"

enum {
    LIST_SCRATCH = 24,
    LIST_STRIDE = 1024,
    LIST_PLAIN_SIZE = 8192, /* an element from here on has a node of its own */
};

/* An element; the view is valid until the next change. */
struct list_item {
    struct bytes element;
    char scratch[LIST_SCRATCH];
};

/* index: 0 .. count - 1. */
void list_get(const struct value *value, uint64_t index, struct list_item *item);

void list_push(struct edit *edit, struct bytes element, bool at_head);
void list_set(struct edit *edit, uint64_t index, struct bytes element);

/* In front of the element number `index`; index <= count. */
void list_insert(struct edit *edit, uint64_t index, struct bytes element);

/* Removes [from, from + count), which is in range. O(count + nodes). */
void list_remove(struct edit *edit, uint64_t from, uint64_t count);

/* Removes up to `most` elements that are equal, from the head or from the tail; returns how many.
 */
uint64_t list_remove_equal(struct edit *edit, struct bytes element, uint64_t most, bool from_tail);

/* A walk from element `index` on, forwards or backwards; valid until the next change. */
struct list_walk {
    const struct value *value;
    const void *node;
    uint32_t at; /* position in the pack */
    uint64_t left;
    bool is_reverse;
};

struct list_walk list_walk(const struct value *value, uint64_t index, bool is_reverse);
bool list_next(struct list_walk *walk, struct list_item *item);
