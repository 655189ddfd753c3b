#include "types/intset.h"

#include "base/mem.h"

struct intset {
    uint32_t count;
    uint8_t width;
    uint8_t data[];
};

static uint8_t width_of(int64_t value)
{
    if (value >= INT16_MIN && value <= INT16_MAX)
        return 2;
    return value >= INT32_MIN && value <= INT32_MAX ? 4 : 8;
}

/* Little-endian whatever the machine is. */
static int64_t get(const uint8_t *data, uint8_t width, uint32_t index)
{
    uint64_t value = 0;
    for (uint8_t i = 0; i < width; i++)
        value |= (uint64_t)data[(size_t)index * width + i] << (8 * i);
    uint32_t shift = 64 - 8u * width;
    return (int64_t)(value << shift) >> shift;
}

static void put(uint8_t *data, uint8_t width, uint32_t index, int64_t value)
{
    for (uint8_t i = 0; i < width; i++)
        data[(size_t)index * width + i] = (uint8_t)((uint64_t)value >> (8 * i));
}

struct intset *intset_new(void)
{
    struct intset *set = mem_alloc(sizeof(*set));
    *set = (struct intset){.width = 2};
    return set;
}

void intset_free(struct intset *set)
{
    mem_free(set);
}

static size_t size_of(const struct intset *set)
{
    return sizeof(*set) + (size_t)set->count * set->width;
}

struct intset *intset_copy(const struct intset *set)
{
    struct intset *copy = mem_alloc(size_of(set));
    memcpy(copy, set, size_of(set));
    return copy;
}

uint32_t intset_count(const struct intset *set)
{
    return set->count;
}

size_t intset_memory(const struct intset *set)
{
    return mem_size(set);
}

int64_t intset_at(const struct intset *set, uint32_t index)
{
    ASSERT(index < set->count);
    return get(set->data, set->width, index);
}

/* The first index whose value is not below. */
static uint32_t lower_bound(const struct intset *set, int64_t value)
{
    uint32_t from = 0, to = set->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (get(set->data, set->width, middle) < value)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

bool intset_has(const struct intset *set, int64_t value)
{
    uint32_t at = lower_bound(set, value);
    return at < set->count && get(set->data, set->width, at) == value;
}

static struct intset *reserve(struct intset *set, size_t size)
{
    return size <= mem_size(set) ? set : mem_realloc(set, size);
}

static struct intset *widen(struct intset *set, uint8_t width)
{
    set = reserve(set, sizeof(*set) + (size_t)set->count * width);
    for (uint32_t i = set->count; i-- > 0;) /* from the end: the new places lie behind the old */
        put(set->data, width, i, get(set->data, set->width, i));
    set->width = width;
    return set;
}

struct intset *intset_add(struct intset *set, int64_t value, bool *changed)
{
    if (width_of(value) > set->width)
        set = widen(set, width_of(value));
    uint32_t at = lower_bound(set, value);
    *changed = at == set->count || get(set->data, set->width, at) != value;
    if (!*changed)
        return set;
    set = reserve(set, size_of(set) + set->width);
    uint8_t *place = set->data + (size_t)at * set->width;
    memmove(place + set->width, place, (size_t)(set->count - at) * set->width);
    put(set->data, set->width, at, value);
    set->count++;
    return set;
}

struct intset *intset_remove(struct intset *set, int64_t value, bool *changed)
{
    uint32_t at = lower_bound(set, value);
    *changed = at < set->count && get(set->data, set->width, at) == value;
    if (!*changed)
        return set;
    set->count--;
    uint8_t *place = set->data + (size_t)at * set->width;
    memmove(place, place + set->width, (size_t)(set->count - at) * set->width);
    return size_of(set) < mem_size(set) / 2 ? mem_realloc(set, size_of(set)) : set;
}

uint8_t intset_width(const struct intset *set)
{
    return set->width;
}

struct bytes intset_bytes(const struct intset *set)
{
    return bytes_of(set->data, (size_t)set->count * set->width);
}

struct intset *intset_from_bytes(struct bytes bytes, uint8_t width, uint32_t count)
{
    if ((width != 2 && width != 4 && width != 8) || bytes.size != (size_t)count * width)
        return NULL;
    for (uint32_t i = 1; i < count; i++) {
        if (get(bytes.data, width, i - 1) >= get(bytes.data, width, i))
            return NULL;
    }
    struct intset *set = mem_alloc(sizeof(*set) + bytes.size);
    *set = (struct intset){.count = count, .width = width};
    if (bytes.size > 0)
        memcpy(set->data, bytes.data, bytes.size);
    return set;
}
