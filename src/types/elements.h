/* A table of elements found by key: fields of a large hash, members of a large set or sorted set.
 *
 * Extendible hashing: a directory by the top bits of the hash, and segments of open addressing that
 * split in two when they are full, so that no insertion moves more than one segment (no turn stalls
 * on a rehash). Elements stand nearly in the order of their hashes, hence a walk by cursor that any
 * growth or deletion in between, or a reload on another node, does not disturb.
 *
 * An element is one allocation and does not move while it stands in the table, except where a
 * function here says so. The table owns its elements. */
#pragma once

#include "base/assert.h"
#include "base/bytes.h"

/* [expire_ms:8 when it has one] key value */
struct element {
    uint32_t key_size;
    uint32_t value_size : 31;
    uint32_t has_expire : 1;
    uint8_t data[];
};

/* The value's bytes are to be filled in by the caller (value.data NULL with a size: left
 * undefined). expire_ms 0: none. */
struct element *element_new(struct bytes key, struct bytes value, int64_t expire_ms);
void element_free(struct element *element);
size_t element_memory(const struct element *element);

static inline size_t element_key_offset(const struct element *element)
{
    return element->has_expire ? sizeof(int64_t) : 0;
}

static inline struct bytes element_key(const struct element *element)
{
    return bytes_of(element->data + element_key_offset(element), element->key_size);
}

static inline struct bytes element_value(const struct element *element)
{
    return bytes_of(element->data + element_key_offset(element) + element->key_size,
                    element->value_size);
}

static inline int64_t element_expire_ms(const struct element *element)
{
    int64_t expire_ms = 0;
    if (element->has_expire)
        memcpy(&expire_ms, element->data, sizeof(expire_ms));
    return expire_ms;
}

struct elements;

/* seed: the same on every node and for ever, or cursors would not survive. */
struct elements *elements_new(uint64_t seed);
/* An empty table with the seed of another. */
struct elements *elements_twin(const struct elements *elements);
void elements_free(struct elements *elements); /* and all elements; NULL is legal */

uint64_t elements_count(const struct elements *elements);
size_t elements_memory(const struct elements *elements); /* with its elements; O(1) */

struct element *elements_find(const struct elements *elements, struct bytes key); /* or NULL */

/* Takes the element; its key is not in the table (ASSERT in debug). */
void elements_insert(struct elements *elements, struct element *element);

/* The same where that is not known; false, and nothing is taken, when the key is there. */
MUST_USE bool elements_add(struct elements *elements, struct element *element);

/* Room for so many elements at once, within reason: there may turn out to be more or fewer. Worth
 * it where they come all at once, for growing moves each of them several times. O(elements there).
 */
void elements_reserve(struct elements *elements, uint64_t count);

/* For loads: what a head says about the number of its elements is believed, and room made, when so
 * many have come (L11). True when that is now. */
static inline bool elements_should_reserve(uint64_t loaded, uint64_t expected)
{
    return loaded == 512 && expected > 2 * loaded;
}

/* Puts `element` in the place of one with the same key, which is freed. */
void elements_replace(struct elements *elements, struct element *old, struct element *element);

/* Takes it out of the table; the caller frees it. */
void elements_remove(struct elements *elements, struct element *element);

/* Every element has the same chance. NULL when empty. O(1) expected. */
struct element *elements_sample(const struct elements *elements, uint64_t random);

/* Walk over all while nothing changes: start with *cursor 0; NULL at the end. */
struct element *elements_next(const struct elements *elements, uint64_t *cursor);

/* One step of a SCAN: appends pointers of at least `count` elements (fewer at the end) whose hashes
 * are at or above the cursor to out (struct element *, side by side), and returns the next cursor,
 * 0 at the end. Whatever is in the table during all steps from 0 to 0 is given at least once.
 * Cursors are below 2^48. O(count). */
struct buf;
uint64_t elements_scan(const struct elements *elements, uint64_t cursor, uint64_t count,
                       struct buf *out);

void elements_check(const struct elements *elements); /* asserts every invariant; O(n) */
