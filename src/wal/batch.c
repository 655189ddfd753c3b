#include "wal/batch.h"

/* A batch that was unusually large gives its memory back. */
enum { KEPT_CAPACITY_MAX = 4 << 20 };

void wal_batch_init(struct wal_batch *batch)
{
    *batch = (struct wal_batch){0};
    memset(buf_extend(&batch->bytes, WAL_HEADER_SIZE), 0, WAL_HEADER_SIZE);
}

static void release_entries(struct wal_batch *batch)
{
    for (size_t i = 0; i < wal_batch_part_count(batch); i++)
        entry_release(wal_batch_part(batch, i)->entry);
}

void wal_batch_fini(struct wal_batch *batch)
{
    release_entries(batch);
    buf_free(&batch->bytes);
    buf_free(&batch->parts);
    buf_free(&batch->effects);
}

void wal_batch_clear(struct wal_batch *batch)
{
    if (batch->bytes.capacity + batch->parts.capacity + batch->effects.capacity >
        KEPT_CAPACITY_MAX) {
        wal_batch_fini(batch);
        wal_batch_init(batch);
        return;
    }
    release_entries(batch);
    struct wal_batch empty = {batch->bytes, batch->parts, batch->effects, 0, 0, false, false};
    buf_clear(&empty.bytes);
    buf_clear(&empty.parts);
    buf_clear(&empty.effects);
    *batch = empty;
    memset(buf_extend(&batch->bytes, WAL_HEADER_SIZE), 0, WAL_HEADER_SIZE);
}

bool wal_batch_is_empty(const struct wal_batch *batch)
{
    return batch->bytes.size == WAL_HEADER_SIZE;
}

static void add_effect(struct wal_batch *batch, enum wal_record_kind kind, uint32_t group,
                       uint64_t index)
{
    size_t count = wal_batch_effect_count(batch);
    struct wal_effect *last = count == 0 ? NULL : wal_batch_effect(batch, count - 1);
    if (last != NULL && last->kind == kind && last->group == group && last->last + 1 == index) {
        last->last = index;
        return;
    }
    struct wal_effect effect = {kind, group, index, index};
    buf_append(&batch->effects, bytes_of(&effect, sizeof(effect)));
}

void wal_batch_add_entry(struct wal_batch *batch, uint32_t group, struct entry *entry, bool copy)
{
    ASSERT(!batch->closed);
    ASSERT(entry->size <= WAL_ENTRY_SIZE_MAX);
    struct wal_record record = {
        .kind = copy ? WAL_RECORD_COPY : WAL_RECORD_ENTRY,
        .entry_kind = entry->kind,
        .group = group,
        .index = entry->index,
        .term = entry->term,
    };
    wal_append_record(&batch->bytes, &record, entry->size);
    if (entry->size <= WAL_COPY_SIZE_MAX) {
        buf_append(&batch->bytes, bytes_of(entry->payload, entry->size));
    } else {
        struct wal_part part = {batch->bytes.size, entry_retain(entry)};
        buf_append(&batch->parts, bytes_of(&part, sizeof(part)));
        batch->parts_size += entry->size;
    }
    batch->entry_count++;
    batch->must_sync = batch->must_sync || entry->kind == ENTRY_MEMBERS;
    add_effect(batch, record.kind, group, entry->index);
}

void wal_batch_add_record(struct wal_batch *batch, const struct wal_record *record)
{
    ASSERT(!batch->closed);
    ASSERT(record->kind != WAL_RECORD_ENTRY && record->kind != WAL_RECORD_COPY);
    wal_append_record(&batch->bytes, record, record->payload.size);
    buf_append(&batch->bytes, record->payload);
    batch->must_sync = true;
    if (record->kind == WAL_RECORD_RESET)
        add_effect(batch, WAL_RECORD_RESET, record->group, record->index);
}

void wal_batch_close(struct wal_batch *batch)
{
    uint64_t size = wal_batch_size(batch);
    size_t padding = (size_t)(wal_round_up(size, WAL_ALIGN) - size);
    if (padding > 0)
        memset(buf_extend(&batch->bytes, padding), 0, padding);
    batch->closed = true;
}
