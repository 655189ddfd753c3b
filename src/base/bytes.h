/* A borrowed run of bytes: pointer and size, no owner, no terminator, any content. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

#define BYTES_LITERAL(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){(const uint8_t *)data, size};
}

static inline struct bytes bytes_of_string(const char *text)
{
    return bytes_of(text, strlen(text));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* memcmp order, a prefix sorts first. <0, 0, >0. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

/* ASCII letters compare without case, as command names and options do. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

static inline bool bytes_is_word(struct bytes a, const char *word)
{
    return bytes_equal_nocase(a, bytes_of_string(word));
}

static inline bool bytes_start_with(struct bytes a, struct bytes prefix)
{
    return a.size >= prefix.size &&
           (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}
