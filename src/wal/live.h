/* Which segments still hold something that is needed: per group and segment the span of live
 * entries. A segment may go when no group has a span in it and none in an older one: segments are
 * deleted oldest first only, so that a record that truncates or resets never goes before what it
 * made void.
 *
 * A span is a hull: it may count an index that is not there, never leave one out that is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wal_span {
    uint64_t segment;
    uint64_t first; /* first <= last */
    uint64_t last;
};

/* The spans of one group, in order of segment. Zeroed is valid and empty. */
struct wal_spans {
    struct wal_span *items;
    size_t count;
    size_t capacity;
};

void wal_spans_free(struct wal_spans *spans);

/* New entries first .. last are in segment (the newest): whatever stood at and above first is void.
 */
void wal_spans_add(struct wal_spans *spans, uint64_t segment, uint64_t first, uint64_t last);

/* Entries first .. last are in segment too, so older segments need not keep them. */
void wal_spans_copy(struct wal_spans *spans, uint64_t segment, uint64_t first, uint64_t last);

void wal_spans_compact(struct wal_spans *spans, uint64_t base); /* nothing at or below is needed */
void wal_spans_clear(struct wal_spans *spans);

/* The oldest segment with a live entry of this group; UINT64_MAX when there is none. */
static inline uint64_t wal_spans_oldest(const struct wal_spans *spans)
{
    return spans->count == 0 ? UINT64_MAX : spans->items[0].segment;
}
