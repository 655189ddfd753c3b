/* A heap of names by the time they are due: the fields of a large hash that die. It borrows nothing
 * and forgets nothing: whoever gives a name a new time pushes it again, and looks whether what is
 * popped still holds. Zero-initialised is a valid empty heap. */
#pragma once

#include "base/bytes.h"

struct due_item {
    int64_t due_ms;
    uint8_t *name; /* size:le32 name; owned */
};

struct due_heap {
    struct due_item *items;
    size_t count, capacity;
    size_t memory; /* of names */
};

void due_heap_free(struct due_heap *heap); /* leaves an empty heap */
void due_heap_push(struct due_heap *heap, int64_t due_ms, struct bytes name);
int64_t due_heap_top_ms(const struct due_heap *heap); /* 0 when empty */

/* The earliest; the heap is not empty. The caller frees the item. */
struct due_item due_heap_pop(struct due_heap *heap);
struct bytes due_item_name(const struct due_item *item);
void due_item_free(struct due_item *item);

size_t due_heap_count(const struct due_heap *heap);
size_t due_heap_memory(const struct due_heap *heap);
