/* Hashes: fields with values, each with a time to die if it was given one.
 *
 * In memory: field, value pairs in a pack (with a third entry, the expiry, as soon as one field has
 * one), beyond hash-max-listpack-entries or -value a table of elements; then a heap of those that
 * die tells what is due.
 *
 * Rows (store/FORMAT.md): E 0x00 name -> flags:u8 [expire_ms:le64] value
 *     inline := stride:u8 count:le16 pack        stride 2, or 3 with expiries
 *     head   := [due_ms:le64]                    when some field may die */
#pragma once

#include "types/value.h"

enum {
    HASH_SCRATCH = 24,        /* bytes for a number as text */
    HASH_EXPIRE_BATCH = 4096, /* fields that one expire removes at most */
};

#define HASH_KEEP_EXPIRE INT64_MIN

/* One field; views are valid until the next change. */
struct hash_item {
    struct bytes field, value;
    int64_t expire_ms; /* 0: none */
    char field_scratch[HASH_SCRATCH], value_scratch[HASH_SCRATCH];
};

/* True when the field is there. The item may not be copied: views may point into it. */
bool hash_get(const struct value *value, struct bytes field, struct hash_item *item);

/* True when the field is new. expire_ms: 0 none, HASH_KEEP_EXPIRE what it has. */
bool hash_put(struct edit *edit, struct bytes field, struct bytes value, int64_t expire_ms);
bool hash_remove(struct edit *edit, struct bytes field); /* false: it is not there */

/* About so many fields are going to be put into this value, which has none: makes room for them. */
void hash_expect(struct edit *edit, uint64_t count);

/* Every field once, in no order; start with *cursor 0. False at the end. Nothing may change. */
bool hash_next(const struct value *value, uint64_t *cursor, struct hash_item *item);

/* Number `random` modulo the count; every field has the same chance. The hash is not empty. */
void hash_sample(const struct value *value, uint64_t random, struct hash_item *item);

/* A step of HSCAN: calls visit for at least `count` fields; returns the next cursor, 0 at the end.
 * A small hash gives all. */
uint64_t hash_scan(const struct value *value, uint64_t cursor, uint64_t count,
                   void (*visit)(void *context, const struct hash_item *item), void *context);

bool hash_is_packed(const struct value *value);
