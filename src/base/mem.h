/* Heap memory that cannot be refused: a failed allocation stops the process with a clear line.
 *
 * The allocator is jemalloc, linked in place of the C library's, so LevelDB's memory counts too. */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size);                  /* undefined content; size > 0 */
void *mem_zero(size_t size);                   /* zeroed; size > 0 */
void *mem_realloc(void *pointer, size_t size); /* NULL allocates; size > 0 */
void mem_free(void *pointer);                  /* NULL is legal */
size_t mem_size(const void *pointer);          /* bytes really taken, 0 for NULL */
