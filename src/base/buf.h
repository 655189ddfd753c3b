/* A growable byte buffer that owns its memory. Zero-initialised is a valid empty buffer.
 *
 * Growth doubles, so appending is O(1) amortised. Running out of memory aborts: admission limits
 * (L12) are checked by whoever fills the buffer, before it is filled. */
#pragma once

#include "base/bytes.h"

struct buf {
    uint8_t *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

void buf_free(struct buf *buf); /* leaves an empty buffer */

/* Makes room for `more` bytes beyond size and returns where they go; size does not change. */
uint8_t *buf_reserve(struct buf *buf, size_t more);

/* Adds `more` bytes to size and returns where they begin; their content is undefined. */
uint8_t *buf_extend(struct buf *buf, size_t more);

void buf_append(struct buf *buf, struct bytes bytes);
void buf_append_string(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Removes the first `count` bytes, moving the rest down. O(rest). */
void buf_consume(struct buf *buf, size_t count);

static inline struct bytes buf_bytes(const struct buf *buf)
{
    return bytes_of(buf->data, buf->size);
}

static inline void buf_clear(struct buf *buf)
{
    buf->size = 0;
}

static inline void buf_append_u8(struct buf *buf, uint8_t value)
{
    *buf_extend(buf, 1) = value;
}
