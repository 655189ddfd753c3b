#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

static void *checked(void *pointer, size_t size)
{
    if (__builtin_expect(pointer == NULL, 0)) {
        (void)fprintf(stderr, "out of memory: %zu bytes were refused\n", size);
        abort();
    }
    return pointer;
}

void *mem_alloc(size_t size)
{
    ASSERT(size > 0);
    return checked(malloc(size), size);
}

void *mem_zero(size_t size)
{
    ASSERT(size > 0);
    return checked(calloc(1, size), size);
}

void *mem_realloc(void *pointer, size_t size)
{
    ASSERT(size > 0);
    return checked(realloc(pointer, size), size);
}

void mem_free(void *pointer)
{
    free(pointer);
}

size_t mem_size(const void *pointer)
{
    return malloc_usable_size((void *)(size_t)pointer);
}
