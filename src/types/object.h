/* A key and its value in hot memory: one allocation of a 32-byte head, an optional expiry, the key,
 * and a tail whose meaning the encoding tells.
 *
 *   head | [expire_ms:8 when it has one] | key | tail
 *   tail := the value's bytes (STRING_EMBEDDED) | int64 (STRING_INT) | pointer (STRING_RAW, and
 * types with a structure of their own)
 *
 * A changed tail may move the object. Only keyspace/ knows where an object is pointed at from, so
 * everything that may move one goes through keyspace/hot.h; types/ changes values through the tail
 * pointer only. */
#pragma once

#include "base/bytes.h"

enum {
    OBJECT_KEY_MAX = 64 * 1024,            /* bytes of a key */
    OBJECT_STRING_MAX = 512 * 1024 * 1024, /* bytes of a string value */
};

enum object_type {
    TYPE_NONE = 0,
    TYPE_STRING = 1,
    TYPE_LIST = 2,
    TYPE_SET = 3,
    TYPE_ZSET = 4,
    TYPE_HASH = 5,
    TYPE_STREAM = 6,
    TYPE_COUNT,
};

/* What memory knows of a key.
 *
 *     (cold) --load--> LOADING --> LOADED | HEAD | ABSENT
 *     HEAD --load--> LOADING_BODY --> LOADED
 *
 * ABSENT is a key known not to exist: a deletion that is not applied yet (a tombstone), or what a
 * load found. HEAD knows type, expiry, size and object id. While it loads, nobody else changes an
 * object; one whose body is being loaded still is what its head says, and may be ahead of the rows.
 */
enum object_state {
    OBJECT_ABSENT,
    OBJECT_LOADING,
    OBJECT_LOADING_BODY, /* was HEAD */
    OBJECT_HEAD,
    OBJECT_LOADED,
};

enum object_encoding {
    ENCODING_NONE = 0, /* no tail: states other than LOADED and HEAD */
    ENCODING_EMBEDDED, /* string: bytes in the tail */
    ENCODING_INT,      /* string: canonical decimal of an int64 in the tail */
    ENCODING_RAW,      /* string: struct string_raw * in the tail (HEAD too) */
    ENCODING_VALUE,    /* other types: struct value * in the tail (HEAD too); types/value.h */
};

struct object {
    uint64_t order;  /* slot << 48 | hash48: its place among the K rows of a keyspace */
    uint64_t ahead;  /* position in the ahead ring of its last change; hot.h */
    uint32_t access; /* when it was last used, in the clock of hot_turn; wraps */
    uint32_t key_size;
    uint32_t value_size; /* ENCODING_EMBEDDED: bytes in the tail */
    uint8_t state;       /* enum object_state */
    uint8_t type;        /* enum object_type; TYPE_NONE when ABSENT or LOADING */
    uint8_t encoding;    /* enum object_encoding */
    uint8_t pins : 4;    /* loads whose requests have not run yet; it is not paged out */
    uint8_t has_expire : 1;
    uint8_t is_logged : 1; /* a K row exists as of the newest closed entry */
    uint8_t is_stale : 1;  /* a row of it was applied while it was loading: ask again */
    uint8_t data[];
};

_Static_assert(sizeof(struct object) == 32, "the head is 32 bytes; memory per key is measured");

static inline size_t object_key_offset(const struct object *object)
{
    return object->has_expire ? sizeof(int64_t) : 0;
}

static inline struct bytes object_key(const struct object *object)
{
    return bytes_of(object->data + object_key_offset(object), object->key_size);
}

static inline uint8_t *object_tail(struct object *object)
{
    return object->data + object_key_offset(object) + object->key_size;
}

static inline const uint8_t *object_tail_const(const struct object *object)
{
    return object->data + object_key_offset(object) + object->key_size;
}

/* Unix time in ms at which the key dies; 0 when it has none. */
static inline int64_t object_expire_ms(const struct object *object)
{
    int64_t expire_ms = 0;
    if (object->has_expire)
        memcpy(&expire_ms, object->data, sizeof(expire_ms));
    return expire_ms;
}

static inline bool object_is_present(const struct object *object)
{
    return object->state == OBJECT_HEAD || object->state == OBJECT_LOADED ||
           object->state == OBJECT_LOADING_BODY;
}

static inline void *object_pointer(const struct object *object)
{
    void *pointer;
    memcpy(&pointer, object_tail_const(object), sizeof(pointer));
    return pointer;
}
