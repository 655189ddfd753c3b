/* Strings. In memory: an integer, bytes inside the object, or a buffer of its own. In rows: up to
 * STRING_INLINE_MAX bytes stand in the K row; longer ones are chunks of STRING_CHUNK_SIZE bytes in
 * E rows (element = chunk number, be32), so that a change writes the chunks it touches and no more.
 *
 * K row value, after the part common to all types (store/FORMAT.md):
 *   string := bytes                                   (inline)
 *           | size:le64                               (chunked: the object id stands before it)
 *
 * The functions that change a value keep size, encoding and dirty chunks right; they never move the
 * object (keyspace/hot.h does that before it calls them). */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "types/object.h"

enum {
    STRING_INLINE_MAX = 2048,
    STRING_CHUNK_SIZE = 4096,
    STRING_EMBEDDED_MAX = 1024, /* longer values get a buffer of their own */
    STRING_INT_TEXT_MAX = 20,   /* characters of an int64 */
    STRING_SWEEP_CHUNKS = 64,   /* a value of more chunks is deleted by a sweep, not row by row */
};

/* A value in a buffer of its own. */
struct string_raw {
    uint8_t *data; /* NULL in a HEAD */
    uint32_t size;
    uint32_t capacity;
    uint64_t object_id; /* 0 until it is chunked */
    uint32_t
        logged_size; /* bytes that chunk rows of object_id hold as of the newest closed entry */
    uint64_t *dirty; /* bit per chunk changed in the open entry; NULL when none */
    uint32_t dirty_words; /* length of dirty */
    uint32_t dirty_count; /* bits set */
};

/* The value as bytes. An integer is written to scratch (STRING_INT_TEXT_MAX bytes), which the
 * result then borrows. The object is LOADED. */
struct bytes string_value(const struct object *object, char *scratch);

/* True, and *value set, when the value is the canonical decimal of an int64. O(length ≤ 20). */
bool string_to_int(const struct object *object, int64_t *value);

struct string_raw *string_raw_new(struct bytes value, size_t capacity);
void string_raw_free(struct string_raw *raw); /* NULL is legal */

/* Writes bytes at offset, growing with zero bytes in between; marks the chunks. */
void string_raw_write(struct string_raw *raw, size_t offset, struct bytes bytes);

void string_raw_mark(struct string_raw *raw, size_t from, size_t to); /* [from,to) changed */
void string_raw_clean(struct string_raw *raw); /* the open entry was closed or dropped */

/* Appends the element rows that bring the chunk rows from logged_size and dirty bits to the present
 * value; then clean. The caller writes the K row. */
void string_raw_emit(struct string_raw *raw, struct buf *rows);

/* Appends deletes of the chunk rows that hold logged_size bytes of an object. */
void string_raw_emit_deletes(uint64_t object_id, uint32_t logged_size, struct buf *rows);

/* Loading: puts one chunk row's value in place; raw has its final size and data. False when the row
 * does not fit the value (damage, L11). */
MUST_USE bool string_raw_load_chunk(struct string_raw *raw, struct bytes element,
                                    struct bytes value);

/* Bytes that string_raw_emit would append at most. */
size_t string_raw_emit_size(const struct string_raw *raw);

size_t string_raw_memory(const struct string_raw *raw);
