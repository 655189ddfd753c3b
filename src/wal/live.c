#include "wal/live.h"

#include "base/assert.h"
#include "base/mem.h"

void wal_spans_free(struct wal_spans *spans)
{
    mem_free(spans->items);
    *spans = (struct wal_spans){0};
}

void wal_spans_clear(struct wal_spans *spans)
{
    spans->count = 0;
}

/* Takes out the spans that became empty, keeping the order. */
static void drop_empty(struct wal_spans *spans)
{
    size_t kept = 0;
    for (size_t i = 0; i < spans->count; i++)
        if (spans->items[i].first <= spans->items[i].last)
            spans->items[kept++] = spans->items[i];
    spans->count = kept;
}

static void push(struct wal_spans *spans, struct wal_span span)
{
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity == 0 ? 4 : spans->capacity * 2;
        spans->items = mem_realloc(spans->items, spans->capacity * sizeof(*spans->items));
    }
    spans->items[spans->count++] = span;
}

static void widen(struct wal_spans *spans, uint64_t segment, uint64_t first, uint64_t last)
{
    struct wal_span *newest = spans->count == 0 ? NULL : &spans->items[spans->count - 1];
    ASSERT(newest == NULL || newest->segment <= segment);
    if (newest == NULL || newest->segment != segment) {
        push(spans, (struct wal_span){segment, first, last});
        return;
    }
    newest->first = first < newest->first ? first : newest->first;
    newest->last = last > newest->last ? last : newest->last;
}

void wal_spans_add(struct wal_spans *spans, uint64_t segment, uint64_t first, uint64_t last)
{
    ASSERT(0 < first && first <= last);
    for (size_t i = 0; i < spans->count; i++)
        if (spans->items[i].last >= first)
            spans->items[i].last = first - 1;
    drop_empty(spans);
    widen(spans, segment, first, last);
}

void wal_spans_copy(struct wal_spans *spans, uint64_t segment, uint64_t first, uint64_t last)
{
    ASSERT(0 < first && first <= last);
    for (size_t i = 0; i < spans->count; i++) {
        struct wal_span *span = &spans->items[i];
        if (span->segment == segment)
            continue;
        if (first <= span->first && span->first <= last)
            span->first = last + 1;
        if (first <= span->last && span->last <= last)
            span->last = first - 1;
    }
    drop_empty(spans);
    widen(spans, segment, first, last);
}

void wal_spans_compact(struct wal_spans *spans, uint64_t base)
{
    for (size_t i = 0; i < spans->count; i++)
        if (spans->items[i].first <= base)
            spans->items[i].first = base + 1;
    drop_empty(spans);
}
