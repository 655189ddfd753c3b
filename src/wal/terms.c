#include "wal/terms.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { RUNS_AT_START = 4 };

void wal_terms_free(struct wal_terms *terms)
{
    mem_free(terms->items);
    *terms = (struct wal_terms){0};
}

void wal_terms_clear(struct wal_terms *terms)
{
    terms->count = 0;
}

void wal_terms_set(struct wal_terms *terms, uint64_t first, uint64_t term)
{
    while (terms->count > 0 && terms->items[terms->count - 1].first >= first)
        terms->count--;
    if (terms->count > 0 && terms->items[terms->count - 1].term == term)
        return;
    if (terms->count == terms->capacity) {
        terms->capacity = terms->capacity == 0 ? RUNS_AT_START : terms->capacity * 2;
        terms->items = mem_realloc(terms->items, terms->capacity * sizeof(*terms->items));
    }
    terms->items[terms->count++] = (struct wal_term_run){first, term};
}

uint64_t wal_terms_at(const struct wal_terms *terms, uint64_t index)
{
    size_t i = terms->count;
    while (i > 0 && terms->items[i - 1].first > index)
        i--;
    ASSERT(i > 0);
    return terms->items[i - 1].term;
}

void wal_terms_compact(struct wal_terms *terms, uint64_t base)
{
    size_t gone = 0;
    while (gone + 1 < terms->count && terms->items[gone + 1].first <= base + 1)
        gone++;
    if (gone == 0)
        return;
    terms->count -= gone;
    memmove(terms->items, terms->items + gone, terms->count * sizeof(*terms->items));
}
