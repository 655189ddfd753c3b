/* Sorted distinct integers in as few bytes each as the largest needs: 2, 4 or 8. */
#pragma once

#include "base/assert.h"
#include "base/bytes.h"

struct intset;

struct intset *intset_new(void);
void intset_free(struct intset *set); /* NULL is legal */
struct intset *intset_copy(const struct intset *set);

uint32_t intset_count(const struct intset *set);
size_t intset_memory(const struct intset *set);
int64_t intset_at(const struct intset *set, uint32_t index);
bool intset_has(const struct intset *set, int64_t value); /* O(log n) */

/* These may move it and return where it is; *changed tells whether the value was new, or there. */
MUST_USE struct intset *intset_add(struct intset *set, int64_t value, bool *changed);
MUST_USE struct intset *intset_remove(struct intset *set, int64_t value, bool *changed);

uint8_t intset_width(const struct intset *set);
struct bytes intset_bytes(const struct intset *set); /* count integers of width, little-endian */

/* Copies. NULL when they are not sorted and distinct, or not of such a size (L11). */
MUST_USE struct intset *intset_from_bytes(struct bytes bytes, uint8_t width, uint32_t count);
