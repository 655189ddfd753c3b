#include "types/elements.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    HASH_BITS = 48,
    CAPACITY_MIN = 6,
    CAPACITY_MAX = 2048, /* home slots of a segment; a full one of these splits */
    TAIL_MIN = 4,        /* slots behind the home slots, for what is displaced from the last ones */
    SAMPLE_TRIES = 128,  /* then the exact walk */
    DEPTH_MAX = 40,
    RESERVE_PER_SEGMENT = CAPACITY_MAX / 2 + CAPACITY_MAX / 8, /* crowded by chance: never */
    RESERVE_MAX = 4 << 20, /* 50 MB, whatever a damaged head says */
};

#define HASH_END     (UINT64_C(1) << HASH_BITS)
#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

/*   slots: home slots | tail        (address:48 | tag:16 << 48, 0: empty)
 *
 * An element stands at its home slot or behind it, with no empty slot in between; the home slot
 * grows with the hash. */
struct segment {
    uint32_t count;
    uint16_t capacity; /* home slots */
    uint16_t slot_count;
    uint8_t depth; /* bits of the hash that all its elements share */
    uint64_t slots[];
};

struct elements {
    uint64_t seed;
    uint64_t count;
    size_t memory;
    uint8_t depth;              /* of the directory: 2^depth entries */
    struct segment **directory; /* a segment of a smaller depth stands there several times */
};

/* ---- elements ---- */

struct element *element_new(struct bytes key, struct bytes value, int64_t expire_ms)
{
    ASSERT(key.size <= UINT32_MAX && value.size <= INT32_MAX && expire_ms >= 0);
    size_t offset = expire_ms != 0 ? sizeof(expire_ms) : 0;
    struct element *element =
        mem_alloc(offsetof(struct element, data) + offset + key.size + value.size);
    element->key_size = (uint32_t)key.size;
    element->value_size = (uint32_t)value.size & INT32_MAX;
    element->has_expire = expire_ms != 0;
    if (expire_ms != 0)
        memcpy(element->data, &expire_ms, sizeof(expire_ms));
    if (key.size > 0)
        memcpy(element->data + offset, key.data, key.size);
    if (value.size > 0 && value.data != NULL)
        memcpy(element->data + offset + key.size, value.data, value.size);
    return element;
}

void element_free(struct element *element)
{
    mem_free(element);
}

size_t element_memory(const struct element *element)
{
    return mem_size(element);
}

/* ---- slots ---- */

static uint64_t hash_of(const struct elements *elements, struct bytes key)
{
    return hash_bytes(key, elements->seed) >> (64 - HASH_BITS);
}

static struct element *slot_element(uint64_t slot)
{
    return (struct element *)(uintptr_t)(slot & ADDRESS_MASK); // NOLINT
}

static uint64_t slot_hash(const struct elements *elements, uint64_t slot)
{
    return hash_of(elements, element_key(slot_element(slot)));
}

static uint64_t slot_make(const struct element *element, uint64_t hash)
{
    uint64_t address = (uint64_t)(uintptr_t)element;
    ASSERT((address & ~ADDRESS_MASK) == 0);
    return address | hash << 48;
}

static bool has_tag(uint64_t slot, uint64_t hash)
{
    return slot >> 48 == (hash & 0xffff);
}

/* The bits behind those of the segment, as a fraction of 2^32. */
static uint64_t fraction_of(uint64_t hash, uint8_t depth)
{
    return (hash << depth & (HASH_END - 1)) >> (HASH_BITS - 32);
}

static uint32_t home_of(const struct segment *segment, uint64_t hash)
{
    return (uint32_t)(fraction_of(hash, segment->depth) * segment->capacity >> 32);
}

static size_t directory_index(const struct elements *elements, uint64_t hash)
{
    return elements->depth == 0 ? 0 : (size_t)(hash >> (HASH_BITS - elements->depth));
}

static struct segment *segment_of(const struct elements *elements, uint64_t hash)
{
    return elements->directory[directory_index(elements, hash)];
}

/* ---- segments ---- */

static struct segment *segment_new(struct elements *elements, size_t capacity, uint8_t depth)
{
    ASSERT(capacity >= CAPACITY_MIN && capacity <= CAPACITY_MAX);
    size_t slot_count = capacity + TAIL_MIN + capacity / 32;
    struct segment *segment =
        mem_zero(sizeof(struct segment) + slot_count * sizeof(segment->slots[0]));
    segment->capacity = (uint16_t)capacity;
    segment->slot_count = (uint16_t)slot_count;
    segment->depth = depth;
    elements->memory += mem_size(segment);
    return segment;
}

static void segment_free(struct elements *elements, struct segment *segment)
{
    elements->memory -= mem_size(segment);
    mem_free(segment);
}

/* False when there is no room. */
static bool segment_put(struct segment *segment, const struct element *element, uint64_t hash)
{
    uint32_t at = home_of(segment, hash);
    while (at < segment->slot_count && segment->slots[at] != 0)
        at++;
    if (at == segment->slot_count)
        return false;
    segment->slots[at] = slot_make(element, hash);
    segment->count++;
    return true;
}

static void set_in_directory(struct elements *elements, uint64_t hash, struct segment *segment)
{
    size_t span = (size_t)1 << (elements->depth - segment->depth);
    size_t first = directory_index(elements, hash) & ~(span - 1);
    for (size_t i = 0; i < span; i++)
        elements->directory[first + i] = segment;
}

/* Copies a segment into one of another capacity; NULL when it does not fit (a crowd at the end). */
static struct segment *resized(struct elements *elements, const struct segment *old,
                               size_t capacity)
{
    struct segment *segment = segment_new(elements, capacity, old->depth);
    for (uint32_t at = 0; at < old->slot_count; at++) {
        uint64_t slot = old->slots[at];
        if (slot != 0 && !segment_put(segment, slot_element(slot), slot_hash(elements, slot))) {
            segment_free(elements, segment);
            return NULL;
        }
    }
    return segment;
}

static bool resize(struct elements *elements, uint64_t hash, struct segment *old, size_t capacity)
{
    struct segment *segment = resized(elements, old, capacity);
    if (segment == NULL)
        return false;
    set_in_directory(elements, hash, segment);
    segment_free(elements, old);
    return true;
}

static void double_directory(struct elements *elements)
{
    ASSERT(elements->depth < DEPTH_MAX);
    size_t count = (size_t)1 << elements->depth;
    struct segment **directory = mem_alloc(2 * count * sizeof(struct segment *));
    for (size_t i = 0; i < 2 * count; i++)
        directory[i] = elements->directory[i / 2];
    elements->memory += mem_size(directory);
    elements->memory -= mem_size(elements->directory);
    mem_free(elements->directory);
    elements->directory = directory;
    elements->depth++;
}

/* Where 1 in a hash tells the two halves of a segment apart. */
static uint64_t split_bit(const struct segment *segment)
{
    return HASH_END >> (segment->depth + 1);
}

static size_t roomy(size_t count)
{
    size_t capacity = count + count / 2 + CAPACITY_MIN;
    return capacity > CAPACITY_MAX ? CAPACITY_MAX : capacity;
}

static void split(struct elements *elements, uint64_t hash, struct segment *old)
{
    if (old->depth == elements->depth)
        double_directory(elements);
    uint64_t bit = split_bit(old);
    uint32_t ones = 0;
    for (uint32_t at = 0; at < old->slot_count; at++)
        ones += old->slots[at] != 0 && (slot_hash(elements, old->slots[at]) & bit) != 0;
    uint8_t depth = (uint8_t)(old->depth + 1);
    struct segment *halves[2];
    size_t capacities[2] = {roomy(old->count - ones), roomy(ones)};
    for (int side = 0; side < 2; side++)
        halves[side] = segment_new(elements, capacities[side], depth);
    for (uint32_t at = 0; at < old->slot_count; at++) {
        uint64_t slot = old->slots[at];
        if (slot == 0)
            continue;
        uint64_t its = slot_hash(elements, slot);
        int side = (its & bit) != 0;
        while (!segment_put(halves[side], slot_element(slot), its)) {
            struct segment *full = halves[side];
            size_t capacity = roomy(full->capacity);
            /* Hashes that agree in all their bits: what xxHash does to 2048 keys never. */
            ASSERT(capacity > full->capacity);
            halves[side] = resized(elements, full, capacity);
            ASSERT(halves[side] != NULL);
            segment_free(elements, full);
        }
    }
    for (int side = 0; side < 2; side++)
        set_in_directory(elements, side == 0 ? hash & ~bit : hash | bit, halves[side]);
    segment_free(elements, old);
}

/* Makes room where the hash belongs. */
static void make_room(struct elements *elements, uint64_t hash)
{
    struct segment *segment = segment_of(elements, hash);
    for (size_t capacity = segment->capacity; capacity < CAPACITY_MAX;) {
        capacity = roomy(capacity);
        if (resize(elements, hash, segment, capacity))
            return;
    }
    split(elements, hash, segment);
}

/* ---- the table ---- */

struct elements *elements_new(uint64_t seed)
{
    struct elements *elements = mem_zero(sizeof(*elements));
    elements->seed = seed;
    elements->directory = mem_alloc(sizeof(struct segment *));
    elements->memory = mem_size(elements) + mem_size(elements->directory);
    elements->directory[0] = segment_new(elements, CAPACITY_MIN, 0);
    return elements;
}

struct elements *elements_twin(const struct elements *elements)
{
    return elements_new(elements->seed);
}

/* The next segment: *at is its first entry in the directory, and moves behind its last. */
static struct segment *next_segment(const struct elements *elements, size_t *at)
{
    if (*at == (size_t)1 << elements->depth)
        return NULL;
    struct segment *segment = elements->directory[*at];
    *at += (size_t)1 << (elements->depth - segment->depth);
    return segment;
}

void elements_free(struct elements *elements)
{
    if (elements == NULL)
        return;
    size_t at = 0;
    for (struct segment *segment; (segment = next_segment(elements, &at)) != NULL;) {
        for (uint32_t i = 0; i < segment->slot_count; i++)
            element_free(slot_element(segment->slots[i]));
        mem_free(segment);
    }
    mem_free(elements->directory);
    mem_free(elements);
}

uint64_t elements_count(const struct elements *elements)
{
    return elements->count;
}

size_t elements_memory(const struct elements *elements)
{
    return elements->memory;
}

/* The slot of a key, or slot_count. */
static uint32_t find_slot(const struct segment *segment, uint64_t hash, struct bytes key)
{
    uint32_t at = home_of(segment, hash);
    for (; at < segment->slot_count && segment->slots[at] != 0; at++) {
        if (has_tag(segment->slots[at], hash) &&
            bytes_equal(element_key(slot_element(segment->slots[at])), key))
            return at;
    }
    return segment->slot_count;
}

struct element *elements_find(const struct elements *elements, struct bytes key)
{
    uint64_t hash = hash_of(elements, key);
    const struct segment *segment = segment_of(elements, hash);
    uint32_t at = find_slot(segment, hash, key);
    return at == segment->slot_count ? NULL : slot_element(segment->slots[at]);
}

static bool is_crowded(const struct segment *segment)
{
    return segment->count >= segment->capacity - segment->capacity / 7u;
}

static void insert_at(struct elements *elements, struct element *element, uint64_t hash)
{
    if (is_crowded(segment_of(elements, hash)))
        make_room(elements, hash);
    while (!segment_put(segment_of(elements, hash), element, hash))
        make_room(elements, hash);
    elements->count++;
    elements->memory += element_memory(element);
}

void elements_insert(struct elements *elements, struct element *element)
{
    insert_at(elements, element, hash_of(elements, element_key(element)));
}

bool elements_add(struct elements *elements, struct element *element)
{
    struct bytes key = element_key(element);
    uint64_t hash = hash_of(elements, key);
    const struct segment *segment = segment_of(elements, hash);
    if (find_slot(segment, hash, key) != segment->slot_count)
        return false;
    insert_at(elements, element, hash);
    return true;
}

/* The segments of a table, not their elements. */
static void free_segments(struct elements *elements)
{
    size_t at = 0;
    for (struct segment *segment; (segment = next_segment(elements, &at)) != NULL;)
        mem_free(segment);
    mem_free(elements->directory);
}

/* Segments as they are after a split, about half full. */
static void make_segments(struct elements *elements, uint64_t count)
{
    uint8_t depth = 0;
    while (count >> depth > RESERVE_PER_SEGMENT)
        depth++;
    elements->count = 0;
    elements->depth = depth;
    elements->directory = mem_alloc(sizeof(struct segment *) << depth);
    elements->memory = mem_size(elements) + mem_size(elements->directory);
    for (size_t i = 0; i < (size_t)1 << depth; i++)
        elements->directory[i] = segment_new(elements, roomy((size_t)(count >> depth)), depth);
}

void elements_reserve(struct elements *elements, uint64_t count)
{
    struct elements old = *elements;
    uint64_t cursor = 0;
    if (count > RESERVE_MAX)
        count = RESERVE_MAX;
    if (count <= old.count)
        return;
    make_segments(elements, count);
    for (struct element *each; (each = elements_next(&old, &cursor)) != NULL;)
        elements_insert(elements, each);
    free_segments(&old);
}

/* The slot where an element stands. */
static uint64_t *slot_of(const struct elements *elements, const struct element *element,
                         struct segment **segment)
{
    uint64_t hash = hash_of(elements, element_key(element));
    *segment = segment_of(elements, hash);
    uint32_t at = home_of(*segment, hash);
    while (at < (*segment)->slot_count && slot_element((*segment)->slots[at]) != element)
        at++;
    ASSERT(at < (*segment)->slot_count);
    return &(*segment)->slots[at];
}

void elements_replace(struct elements *elements, struct element *old, struct element *element)
{
    struct segment *segment;
    uint64_t *slot = slot_of(elements, old, &segment);
    ASSERT(bytes_equal(element_key(old), element_key(element)));
    *slot = (*slot & ~ADDRESS_MASK) | (uint64_t)(uintptr_t)element;
    elements->memory += element_memory(element);
    elements->memory -= element_memory(old);
    element_free(old);
}

/* Those behind an emptied slot move up, unless they would come before their home. */
static void close_gap(const struct elements *elements, struct segment *segment, uint32_t gap)
{
    for (uint32_t at = gap + 1; at < segment->slot_count && segment->slots[at] != 0; at++) {
        if (home_of(segment, slot_hash(elements, segment->slots[at])) > gap)
            continue;
        segment->slots[gap] = segment->slots[at];
        gap = at;
    }
    segment->slots[gap] = 0;
}

void elements_remove(struct elements *elements, struct element *element)
{
    struct segment *segment;
    uint64_t *slot = slot_of(elements, element, &segment);
    close_gap(elements, segment, (uint32_t)(slot - segment->slots));
    segment->count--;
    elements->count--;
    elements->memory -= element_memory(element);
    if (segment->capacity > 4 * CAPACITY_MIN && segment->count < segment->capacity / 8u)
        (void)resize(elements, hash_of(elements, element_key(element)), segment,
                     roomy(segment->count));
}

/* ---- sampling ---- */

static struct element *element_at(const struct elements *elements, uint64_t position)
{
    size_t at = 0;
    struct segment *segment = next_segment(elements, &at);
    while (position >= segment->count) {
        position -= segment->count;
        segment = next_segment(elements, &at);
    }
    for (uint32_t i = 0;; i++) {
        if (segment->slots[i] != 0 && position-- == 0)
            return slot_element(segment->slots[i]);
    }
}

static uint64_t next_random(uint64_t *state)
{
    return *state = hash_bytes(bytes_of(state, sizeof(*state)), 0);
}

/* A slot is drawn through a random hash, so slots of a segment that covers fewer hashes, or has
 * more slots, are drawn less often: the others are refused as often as it takes to make up for
 * that. */
struct element *elements_sample(const struct elements *elements, uint64_t random)
{
    if (elements->count == 0)
        return NULL;
    uint64_t most = (uint64_t)(CAPACITY_MAX + TAIL_MIN + CAPACITY_MAX / 32) << elements->depth;
    if (elements->depth == 0)
        most = elements->directory[0]->slot_count;
    for (int i = 0; i < SAMPLE_TRIES; i++) {
        uint64_t hash = next_random(&random) >> (64 - HASH_BITS);
        const struct segment *segment = segment_of(elements, hash);
        uint64_t weight = (uint64_t)segment->slot_count << segment->depth;
        uint64_t slot = segment->slots[next_random(&random) % segment->slot_count];
        if (slot != 0 && next_random(&random) % most < weight)
            return slot_element(slot);
    }
    return element_at(elements, next_random(&random) % elements->count);
}

/* ---- walking ---- */

/* cursor: entry of the directory << 16 | slot */
struct element *elements_next(const struct elements *elements, uint64_t *cursor)
{
    size_t at = (size_t)(*cursor >> 16);
    uint32_t slot = (uint32_t)(*cursor & 0xffff);
    while (at < (size_t)1 << elements->depth) {
        size_t after = at;
        const struct segment *segment = next_segment(elements, &after);
        for (; slot < segment->slot_count; slot++) {
            if (segment->slots[slot] == 0)
                continue;
            *cursor = (uint64_t)at << 16 | (slot + 1);
            return slot_element(segment->slots[slot]);
        }
        at = after;
        slot = 0;
    }
    *cursor = (uint64_t)at << 16;
    return NULL;
}

/* The smallest hash of the segment, and the one behind its largest. */
static uint64_t segment_begin(const struct segment *segment, uint64_t hash)
{
    return hash & ~((HASH_END >> segment->depth) - 1);
}

static uint64_t segment_end(const struct segment *segment, uint64_t hash)
{
    return segment_begin(segment, hash) + (HASH_END >> segment->depth);
}

/* The smallest hash whose home is at `slot` or behind it. */
static uint64_t hash_of_home(const struct segment *segment, uint64_t hash, uint32_t slot)
{
    uint64_t fraction = (((uint64_t)slot << 32) + segment->capacity - 1) / segment->capacity;
    uint64_t step = (UINT64_C(1) << segment->depth) - 1;
    return segment_begin(segment, hash) +
           (((fraction << (HASH_BITS - 32)) + step) >> segment->depth);
}

/* From the cursor on, within its segment; returns where to go on. An empty slot is where one may
 * stop: nothing behind it has its home before it. */
static uint64_t scan_segment(const struct elements *elements, uint64_t cursor, uint64_t count,
                             struct buf *out)
{
    const struct segment *segment = segment_of(elements, cursor);
    for (uint32_t at = home_of(segment, cursor); at < segment->slot_count; at++) {
        uint64_t slot = segment->slots[at];
        if (slot != 0) {
            struct element *element = slot_element(slot);
            if (slot_hash(elements, slot) >= cursor)
                buf_append(out, bytes_of(&element, sizeof(struct element *)));
        } else if (out->size / sizeof(struct element *) >= count && at + 1 < segment->capacity) {
            return hash_of_home(segment, cursor, at + 1);
        }
    }
    return segment_end(segment, cursor);
}

uint64_t elements_scan(const struct elements *elements, uint64_t cursor, uint64_t count,
                       struct buf *out)
{
    ASSERT(cursor < HASH_END);
    do
        cursor = scan_segment(elements, cursor, count, out);
    while (cursor < HASH_END && out->size / sizeof(struct element *) < count);
    return cursor == HASH_END ? 0 : cursor;
}

/* ---- check ---- */

static size_t check_segment(const struct elements *elements, const struct segment *segment,
                            uint64_t prefix)
{
    uint32_t count = 0;
    size_t memory = mem_size(segment);
    for (uint32_t at = 0; at < segment->slot_count; at++) {
        uint64_t slot = segment->slots[at];
        if (slot == 0)
            continue;
        uint64_t hash = slot_hash(elements, slot);
        ASSERT(has_tag(slot, hash) && segment->depth <= elements->depth);
        ASSERT(segment->depth == 0 || hash >> (HASH_BITS - segment->depth) == prefix);
        for (uint32_t before = home_of(segment, hash); before < at; before++)
            ASSERT(segment->slots[before] != 0);
        ASSERT(home_of(segment, hash) <= at);
        memory += element_memory(slot_element(slot));
        count++;
    }
    ASSERT(count == segment->count);
    return memory;
}

void elements_check(const struct elements *elements)
{
    size_t memory = mem_size(elements) + mem_size(elements->directory), at = 0;
    uint64_t count = 0;
    for (;;) {
        size_t first = at;
        const struct segment *segment = next_segment(elements, &at);
        if (segment == NULL)
            break;
        for (size_t i = first; i < at; i++)
            ASSERT(elements->directory[i] == segment);
        memory += check_segment(elements, segment, first >> (elements->depth - segment->depth));
        count += segment->count;
    }
    ASSERT(count == elements->count && memory == elements->memory);
}
