#include "types/due_heap.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/mem.h"

enum { CAPACITY_START = 16, NAME_HEAD = 4 };

void due_heap_free(struct due_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        due_item_free(&heap->items[i]);
    mem_free(heap->items);
    *heap = (struct due_heap){0};
}

static void sift_up(struct due_item *items, size_t at)
{
    struct due_item item = items[at];
    for (; at > 0 && item.due_ms < items[(at - 1) / 2].due_ms; at = (at - 1) / 2)
        items[at] = items[(at - 1) / 2];
    items[at] = item;
}

static void sift_down(struct due_item *items, size_t count, size_t at)
{
    struct due_item item = items[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && items[child + 1].due_ms < items[child].due_ms)
            child++;
        if (items[child].due_ms >= item.due_ms)
            break;
        items[at] = items[child];
    }
    items[at] = item;
}

void due_heap_push(struct due_heap *heap, int64_t due_ms, struct bytes name)
{
    ASSERT(due_ms > 0);
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? CAPACITY_START : heap->capacity * 2;
        heap->items = mem_realloc(heap->items, heap->capacity * sizeof(*heap->items));
    }
    struct due_item item = {.due_ms = due_ms, .name = mem_alloc(NAME_HEAD + name.size)};
    put_le32(item.name, (uint32_t)name.size);
    if (name.size > 0)
        memcpy(item.name + NAME_HEAD, name.data, name.size);
    heap->memory += mem_size(item.name);
    heap->items[heap->count++] = item;
    sift_up(heap->items, heap->count - 1);
}

int64_t due_heap_top_ms(const struct due_heap *heap)
{
    return heap->count == 0 ? 0 : heap->items[0].due_ms;
}

struct due_item due_heap_pop(struct due_heap *heap)
{
    ASSERT(heap->count > 0);
    struct due_item top = heap->items[0];
    heap->memory -= mem_size(top.name);
    heap->items[0] = heap->items[--heap->count];
    if (heap->count > 0)
        sift_down(heap->items, heap->count, 0);
    return top;
}

struct bytes due_item_name(const struct due_item *item)
{
    return bytes_of(item->name + NAME_HEAD, get_le32(item->name));
}

void due_item_free(struct due_item *item)
{
    mem_free(item->name);
    item->name = NULL;
}

size_t due_heap_count(const struct due_heap *heap)
{
    return heap->count;
}

size_t due_heap_memory(const struct due_heap *heap)
{
    return mem_size(heap->items) + heap->memory;
}
