/* A batch before it is on disk: its records in one buffer, with the payloads of big entries left
 * where they are. Filled on the loop, borrowed by the WAL thread while it is written. */
#pragma once

#include "wal/format.h"

/* A payload up to this size is copied: cheaper than a part of its own in the write, and the entry
 * need not be kept. */
enum { WAL_COPY_SIZE_MAX = 512 };

/* A payload that stands between bytes[at - 1] and bytes[at]. */
struct wal_part {
    size_t at;
    struct entry *entry; /* a reference of ours */
};

/* What the records do to one group's live entries, consecutive ones taken together. */
struct wal_effect {
    enum wal_record_kind kind; /* ENTRY, COPY, or RESET */
    uint32_t group;
    uint64_t first;
    uint64_t last;
};

struct wal_batch {
    struct buf bytes;     /* header and records, without the parts */
    struct buf parts;     /* of struct wal_part */
    struct buf effects;   /* of struct wal_effect */
    uint64_t parts_size;  /* of all parts' payloads */
    uint64_t entry_count; /* copies included */
    bool must_sync;       /* in every mode */
    bool closed;          /* padded; takes nothing more */
};

void wal_batch_init(struct wal_batch *batch);
void wal_batch_fini(struct wal_batch *batch);
void wal_batch_clear(struct wal_batch *batch); /* releases the entries, keeps some memory */
bool wal_batch_is_empty(const struct wal_batch *batch);

void wal_batch_add_entry(struct wal_batch *batch, uint32_t group, struct entry *entry, bool copy);
void wal_batch_add_record(struct wal_batch *batch, const struct wal_record *record);

/* Pads to WAL_ALIGN; closing twice is harmless. */
void wal_batch_close(struct wal_batch *batch);

/* Bytes on disk, the padding included once closed. */
static inline uint64_t wal_batch_size(const struct wal_batch *batch)
{
    return batch->bytes.size + batch->parts_size;
}

static inline size_t wal_batch_part_count(const struct wal_batch *batch)
{
    return batch->parts.size / sizeof(struct wal_part);
}

static inline const struct wal_part *wal_batch_part(const struct wal_batch *batch, size_t at)
{
    return (const struct wal_part *)(const void *)batch->parts.data + at;
}

static inline size_t wal_batch_effect_count(const struct wal_batch *batch)
{
    return batch->effects.size / sizeof(struct wal_effect);
}

static inline struct wal_effect *wal_batch_effect(const struct wal_batch *batch, size_t at)
{
    return (struct wal_effect *)(void *)batch->effects.data + at;
}
