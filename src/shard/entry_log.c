#include "shard/entry_log.h"

#include "base/assert.h"
#include "base/mem.h"

enum { RING_START = 64 };

void entry_log_init(struct entry_log *log, uint64_t base)
{
    *log = (struct entry_log){
        .ring = mem_zero(RING_START * sizeof(struct entry *)),
        .mask = RING_START - 1,
        .base = base,
        .last = base,
    };
}

void entry_log_fini(struct entry_log *log)
{
    entry_log_compact(log, log->last);
    mem_free(log->ring);
    *log = (struct entry_log){0};
}

static void grow(struct entry_log *log)
{
    uint64_t capacity = (log->mask + 1) * 2;
    struct entry **ring = mem_zero(capacity * sizeof(struct entry *));
    for (uint64_t index = log->base + 1; index <= log->last; index++)
        ring[index & (capacity - 1)] = log->ring[index & log->mask];
    mem_free(log->ring);
    log->ring = ring;
    log->mask = capacity - 1;
}

void entry_log_append(struct entry_log *log, struct entry *entry)
{
    ASSERT(entry->index == log->last + 1);
    if (log->last - log->base > log->mask)
        grow(log);
    log->last++;
    log->ring[log->last & log->mask] = entry;
    log->bytes += entry->size;
}

struct entry *entry_log_at(const struct entry_log *log, uint64_t index)
{
    ASSERT(index > log->base && index <= log->last);
    struct entry *entry = log->ring[index & log->mask];
    ASSERT(entry->index == index);
    return entry;
}

void entry_log_compact(struct entry_log *log, uint64_t through)
{
    ASSERT(through <= log->last);
    while (log->base < through) {
        log->base++;
        struct entry **slot = &log->ring[log->base & log->mask];
        log->bytes -= (*slot)->size;
        entry_release(*slot);
        *slot = NULL;
    }
}

void entry_log_truncate(struct entry_log *log, uint64_t first)
{
    ASSERT(first > log->base);
    while (log->last >= first) {
        struct entry **slot = &log->ring[log->last & log->mask];
        log->bytes -= (*slot)->size;
        entry_release(*slot);
        *slot = NULL;
        log->last--;
    }
}
