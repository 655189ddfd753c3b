#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

#define BUF_CAPACITY_MIN 64

void buf_free(struct buf *buf)
{
    mem_free(buf->data);
    *buf = (struct buf){0};
}

uint8_t *buf_reserve(struct buf *buf, size_t more)
{
    ASSERT(more <= SIZE_MAX / 4 && buf->size <= SIZE_MAX / 4);
    size_t needed = buf->size + more;
    if (needed > buf->capacity) {
        size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity;
        while (capacity < needed)
            capacity *= 2;
        buf->data = mem_realloc(buf->data, capacity);
        buf->capacity = capacity;
    }
    return buf->data + buf->size;
}

uint8_t *buf_extend(struct buf *buf, size_t more)
{
    uint8_t *start = buf_reserve(buf, more);
    buf->size += more;
    return start;
}

void buf_append(struct buf *buf, struct bytes bytes)
{
    if (bytes.size > 0)
        memcpy(buf_extend(buf, bytes.size), bytes.data, bytes.size);
}

void buf_append_string(struct buf *buf, const char *text)
{
    buf_append(buf, bytes_of_string(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    char *start = (char *)buf_reserve(buf, BUF_CAPACITY_MIN);
    size_t room = buf->capacity - buf->size;
    va_start(args, format);
    int size = vsnprintf(start, room, format, args);
    va_end(args);
    ASSERT(size >= 0);
    if ((size_t)size >= room) {
        start = (char *)buf_reserve(buf, (size_t)size + 1);
        va_start(args, format);
        (void)vsnprintf(start, (size_t)size + 1, format, args);
        va_end(args);
    }
    buf->size += (size_t)size;
}

void buf_consume(struct buf *buf, size_t count)
{
    ASSERT(count <= buf->size);
    buf->size -= count;
    if (buf->size > 0 && count > 0)
        memmove(buf->data, buf->data + count, buf->size);
}
