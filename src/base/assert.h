/* Assertions that are always on: a broken invariant of ours stops the process with its place.
 *
 * Never for foreign bytes (L11): what a client, a peer or a disk sent is checked and refused. */
#pragma once

#include <stddef.h>

/* Writes "file:line: function: what" to standard error and aborts. Does not return. */
_Noreturn void assert_fail(const char *file, int line, const char *function, const char *what);

#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            assert_fail(__FILE__, __LINE__, __func__, #condition);                                 \
    } while (0)

/* For a place that cannot be reached, such as after an exhaustive switch. */
#define UNREACHABLE() assert_fail(__FILE__, __LINE__, __func__, "unreachable")

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
