/* The scan of one segment must take any bytes: it refuses or accepts them, and what it accepts is
 * consecutive. The first input byte says whether checksums are put right before the scan, so that
 * inputs get behind them; the rest is the segment. */
#include <stddef.h>
#include <stdint.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wal/scan.h"

enum {
    GROUPS = 4,
    STORE = 77,
    SEGMENT_AT = 8,
    SIZE_AT = 32,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walks the batches by their own sizes and signs each. */
static void sign(uint8_t *segment, size_t size)
{
    size_t offset = 0;
    while (size - offset >= WAL_HEADER_SIZE) {
        uint8_t *batch = segment + offset;
        put_le32(batch, WAL_MAGIC);
        put_le64(batch + SEGMENT_AT, 1);
        uint64_t batch_size = get_le64(batch + SIZE_AT);
        if (batch_size < WAL_HEADER_SIZE || batch_size > size - offset)
            return;
        wal_put_checksum(batch, 0);
        wal_put_checksum(batch, hash_bytes(bytes_of(batch, (size_t)batch_size), offset));
        offset += (size_t)batch_size;
    }
}

static void check(const struct wal_scan *scan)
{
    for (uint32_t i = 0; i < GROUPS; i++) {
        const struct wal_group_state *group = &scan->replay.groups[i].state;
        ASSERT(group->base.index <= group->mark.index);
        for (size_t j = 0; j < group->entry_count; j++) {
            const struct entry *entry = group->entries[j];
            ASSERT(entry->index == group->base.index + 1 + j);
            ASSERT(entry_is_valid(entry->kind, bytes_of(entry->payload, entry->size)));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t segment_size = size - 1;
    uint8_t *segment = mem_alloc(segment_size);
    memcpy(segment, data + 1, segment_size);
    if (data[0] % 4 != 0)
        sign(segment, segment_size);
    struct wal_scan scan;
    struct buf error = {0};
    wal_scan_init(&scan, "dir", GROUPS, STORE);
    enum wal_err err = wal_scan_segment(&scan, 1, bytes_of(segment, segment_size), &error);
    if (err == WAL_OK)
        err = wal_scan_finish(&scan, &error);
    if (err == WAL_OK)
        check(&scan);
    else
        ASSERT(error.size > 0);
    wal_scan_fini(&scan);
    buf_free(&error);
    mem_free(segment);
    return 0;
}
