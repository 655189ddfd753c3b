#include "wal/scan.h"

#include <inttypes.h>

void wal_scan_init(struct wal_scan *scan, const char *dir, uint32_t group_count, uint64_t store_id)
{
    *scan = (struct wal_scan){.dir = dir};
    wal_replay_init(&scan->replay, group_count, store_id);
}

void wal_scan_fini(struct wal_scan *scan)
{
    wal_replay_fini(&scan->replay);
}

static void name_place(const struct wal_scan *scan, uint64_t segment, uint64_t offset,
                       struct buf *error)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, segment);
    buf_printf(error, "%s/%s: offset %" PRIu64 ": ", scan->dir, name, offset);
}

static enum wal_err take_batch(struct wal_scan *scan, struct bytes segment, uint64_t offset,
                               const struct wal_header *header, struct buf *error)
{
    struct bytes records =
        bytes_of(segment.data + offset + WAL_HEADER_SIZE, (size_t)header->size - WAL_HEADER_SIZE);
    size_t before = error->size;
    name_place(scan, header->segment, offset, error);
    enum wal_err err =
        wal_replay_batch(&scan->replay, header->segment, offset == 0, records, error);
    if (err != WAL_OK)
        return err;
    error->size = before;
    scan->expected = header->number + 1;
    scan->segment = header->segment;
    scan->end = scan->torn_end = offset + header->size;
    return WAL_OK;
}

/* A valid batch whose number does not continue the count: one before it is missing, and it stood
 * in a segment that was synced before this one was written. */
static enum wal_err refuse_number(const struct wal_scan *scan, const struct wal_header *header,
                                  uint64_t offset, struct buf *error)
{
    bool elsewhere = scan->segment != 0 && scan->segment != header->segment;
    name_place(scan, elsewhere ? scan->segment : header->segment, elsewhere ? scan->end : offset,
               error);
    buf_printf(error, "batch %" PRIu64 " is missing or damaged", scan->expected);
    if (elsewhere)
        buf_printf(error, ", segment %016" PRIx64 " begins with batch %" PRIu64, header->segment,
                   header->number);
    return WAL_DAMAGED;
}

/* Takes valid batches from the front; *offset is then where the first that is not valid begins. */
static enum wal_err read_batches(struct wal_scan *scan, uint64_t number, struct bytes segment,
                                 uint64_t *offset, struct buf *error)
{
    for (;;) {
        struct wal_header header = {0};
        enum wal_found found = wal_check_batch(segment, number, *offset, &header);
        if (found == WAL_FOUND_NEWER) {
            name_place(scan, number, *offset, error);
            buf_append_string(error, "written in a newer format");
            return WAL_NEWER_FORMAT;
        }
        if (found == WAL_FOUND_NOTHING)
            return WAL_OK;
        if (scan->empty != 0) {
            name_place(scan, scan->empty, 0, error);
            buf_printf(error, "the segment is damaged, segment %016" PRIx64 " follows it", number);
            return WAL_DAMAGED;
        }
        if (scan->expected != 0 && header.number != scan->expected)
            return refuse_number(scan, &header, *offset, error);
        enum wal_err err = take_batch(scan, segment, *offset, &header, error);
        if (err != WAL_OK)
            return err;
        *offset += header.size;
    }
}

/* Looks behind a bad batch. Its own size cannot be trusted, so each aligned place is tried; a place
 * costs one comparison unless a header of this very segment stands there. */
static enum wal_err search_rest(struct wal_scan *scan, uint64_t number, struct bytes segment,
                                uint64_t bad, struct buf *error)
{
    if (wal_looks_like_batch(segment, number, bad) && scan->segment == number)
        scan->torn_end = bad + WAL_HEADER_SIZE;
    for (uint64_t offset = bad + WAL_ALIGN; offset < segment.size; offset += WAL_ALIGN) {
        struct wal_header header = {0};
        if (wal_check_batch(segment, number, offset, &header) != WAL_FOUND_BATCH)
            continue;
        if (header.synced >= scan->expected) {
            name_place(scan, number, bad, error);
            buf_printf(error,
                       "the batch is damaged, batch %" PRIu64 " at offset %" PRIu64
                       " says that %" PRIu64 " were synced",
                       header.number, offset, header.synced);
            return WAL_DAMAGED;
        }
        if (scan->segment == number)
            scan->torn_end = offset + header.size;
    }
    return WAL_OK;
}

enum wal_err wal_scan_segment(struct wal_scan *scan, uint64_t number, struct bytes segment,
                              struct buf *error)
{
    ASSERT(number > scan->segment);
    uint64_t offset = 0;
    enum wal_err err = read_batches(scan, number, segment, &offset, error);
    if (err != WAL_OK)
        return err;
    if (offset == 0 && scan->empty == 0)
        scan->empty = number;
    return search_rest(scan, number, segment, offset, error);
}

enum wal_err wal_scan_finish(struct wal_scan *scan, struct buf *error)
{
    size_t before = error->size;
    buf_printf(error, "%s: ", scan->dir);
    enum wal_err err = wal_replay_finish(&scan->replay, error);
    if (err == WAL_OK)
        error->size = before;
    return err;
}
