#include "keyspace/table.h"

#include "base/assert.h"

#include "base/mem.h"

enum {
    PART_BITS = 9,
    PART_CAPACITY_MIN = 8,
    PREFETCH_AHEAD = 12,
};

#define HASH_MASK    ((1ULL << 48) - 1)
#define ADDRESS_MASK ((1ULL << 48) - 1)

struct table_part {
    uint32_t count;
    uint32_t mask; /* capacity - 1 */
    uint64_t slots[];
};

_Static_assert(TABLE_PARTS == 1 << PART_BITS, "the part is chosen by PART_BITS bits of the hash");

static struct object *slot_object(uint64_t slot)
{
    return (struct object *)(uintptr_t)(slot & ADDRESS_MASK); // NOLINT
}

static uint64_t slot_tag(uint64_t order)
{
    return ((order & HASH_MASK) >> 32) << 48;
}

static uint64_t slot_make(const struct object *object)
{
    uint64_t address = (uint64_t)(uintptr_t)object;
    ASSERT((address & ~ADDRESS_MASK) == 0);
    return address | slot_tag(object->order);
}

static uint32_t home_of(const struct table_part *part, uint64_t order)
{
    return (uint32_t)((order & HASH_MASK) >> PART_BITS) & part->mask;
}

static size_t part_size(uint32_t capacity)
{
    return sizeof(struct table_part) + capacity * sizeof(uint64_t);
}

static struct table_part *part_new(struct table *table, uint32_t capacity)
{
    struct table_part *part = mem_zero(part_size(capacity));
    part->mask = capacity - 1;
    table->memory += part_size(capacity);
    return part;
}

void table_free(struct table *table)
{
    for (size_t i = 0; table->parts != NULL && i < TABLE_PARTS; i++)
        mem_free(table->parts[i]);
    mem_free(table->parts);
    *table = (struct table){0};
}

static struct table_part *part_of(const struct table *table, uint64_t order)
{
    return table->parts == NULL ? NULL : table->parts[order & (TABLE_PARTS - 1)];
}

struct object *table_find(const struct table *table, uint64_t order, struct bytes key)
{
    const struct table_part *part = part_of(table, order);
    if (part == NULL)
        return NULL;
    uint64_t tag = slot_tag(order);
    for (uint32_t i = home_of(part, order); part->slots[i] != 0; i = (i + 1) & part->mask) {
        uint64_t slot = part->slots[i];
        if ((slot & ~ADDRESS_MASK) != tag)
            continue;
        struct object *object = slot_object(slot);
        if (object->order == order && bytes_equal(object_key(object), key))
            return object;
    }
    return NULL;
}

static void part_put(struct table_part *part, uint64_t slot, uint64_t order)
{
    uint32_t i = home_of(part, order);
    while (part->slots[i] != 0)
        i = (i + 1) & part->mask;
    part->slots[i] = slot;
    part->count++;
}

static struct table_part *part_grow(struct table *table, struct table_part *part)
{
    ASSERT(part->mask < UINT32_MAX / 4);
    uint32_t capacity = (part->mask + 1) * 2;
    struct table_part *grown = part_new(table, capacity);
    for (uint32_t i = 0; i <= part->mask; i++) {
        /* Each object is a cache miss of its own; asked for ahead, they overlap. */
        __builtin_prefetch(slot_object(part->slots[(i + PREFETCH_AHEAD) & part->mask]));
        if (part->slots[i] != 0)
            part_put(grown, part->slots[i], slot_object(part->slots[i])->order);
    }
    ASSERT(grown->count == part->count);
    table->memory -= part_size(part->mask + 1);
    mem_free(part);
    return grown;
}

void table_insert(struct table *table, struct object *object)
{
    if (table->parts == NULL)
        table->parts = mem_zero(TABLE_PARTS * sizeof(struct table_part *));
    struct table_part **part = &table->parts[object->order & (TABLE_PARTS - 1)];
    if (*part == NULL)
        *part = part_new(table, PART_CAPACITY_MIN);
    else if ((*part)->count + 1 > ((*part)->mask + 1) / 5 * 4)
        *part = part_grow(table, *part);
    part_put(*part, slot_make(object), object->order);
    table->count++;
}

static uint32_t position_of(const struct table_part *part, const struct object *object,
                            uint64_t order)
{
    ASSERT(part != NULL);
    uint32_t i = home_of(part, order);
    while (slot_object(part->slots[i]) != object) {
        ASSERT(part->slots[i] != 0);
        i = (i + 1) & part->mask;
    }
    return i;
}

void table_replace(struct table *table, const struct object *old, struct object *moved)
{
    struct table_part *part = part_of(table, moved->order);
    part->slots[position_of(part, old, moved->order)] = slot_make(moved);
}

/* Closes the gap so that no tombstones are needed: an entry moves into it when its home does not
 * lie between the gap and itself. */
static void part_close_gap(struct table_part *part, uint32_t gap)
{
    uint32_t i = gap;
    for (;;) {
        i = (i + 1) & part->mask;
        if (part->slots[i] == 0)
            break;
        uint32_t home = home_of(part, slot_object(part->slots[i])->order);
        if (((i - home) & part->mask) >= ((i - gap) & part->mask)) {
            part->slots[gap] = part->slots[i];
            gap = i;
        }
    }
    part->slots[gap] = 0;
}

void table_remove(struct table *table, const struct object *object)
{
    struct table_part *part = part_of(table, object->order);
    part_close_gap(part, position_of(part, object, object->order));
    part->count--;
    table->count--;
}

static struct table_part *sample_part(const struct table *table, uint64_t random)
{
    for (uint32_t i = 0; i < TABLE_PARTS; i++) {
        struct table_part *part = table->parts[(random + i) & (TABLE_PARTS - 1)];
        if (part != NULL && part->count > 0)
            return part;
    }
    return NULL;
}

struct object *table_sample(const struct table *table, uint64_t random)
{
    if (table->count == 0)
        return NULL;
    struct table_part *part = sample_part(table, random);
    ASSERT(part != NULL);
    uint32_t i = (uint32_t)(random >> PART_BITS) & part->mask;
    while (part->slots[i] == 0)
        i = (i + 1) & part->mask;
    return slot_object(part->slots[i]);
}

struct object *table_next(const struct table *table, uint64_t *cursor)
{
    uint64_t number = *cursor >> 32;
    uint32_t i = (uint32_t)*cursor;
    for (; table->parts != NULL && number < TABLE_PARTS; number++, i = 0) {
        const struct table_part *part = table->parts[number];
        for (; part != NULL && i <= part->mask; i++) {
            if (part->slots[i] == 0)
                continue;
            *cursor = number << 32 | (i + 1);
            return slot_object(part->slots[i]);
        }
    }
    *cursor = number << 32;
    return NULL;
}

static uint64_t part_check(const struct table *table, const struct table_part *part)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i <= part->mask; i++) {
        if (part->slots[i] == 0)
            continue;
        const struct object *object = slot_object(part->slots[i]);
        ASSERT(table_find(table, object->order, object_key(object)) == object);
        count++;
    }
    ASSERT(count == part->count && count <= part->mask);
    return count;
}

void table_check(const struct table *table)
{
    uint64_t count = 0;
    for (size_t i = 0; table->parts != NULL && i < TABLE_PARTS; i++) {
        if (table->parts[i] != NULL)
            count += part_check(table, table->parts[i]);
    }
    ASSERT(count == table->count);
}
