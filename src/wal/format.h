/* Bytes of the log: headers of batches, records, names of files. No I/O, no state.
 * The grammar and a worked example: src/wal/FORMAT.md. */
#pragma once

#include "base/buf.h"
#include "wal/wal.h"

enum {
    WAL_FORMAT = 1,
    WAL_HEADER_SIZE = 48,
    WAL_CHECKSUM_AT = 40, /* of the header; read as zero by the checksum itself */
    WAL_RECORD_SIZE = 28, /* of a record's fixed part */
    WAL_ALIGN = 8,        /* batches begin and end at multiples of it */
    WAL_PAGE = 4096,      /* segments are multiples of it */
    WAL_NAME_SIZE = 24,   /* of a file name, with its terminator */
};

#define WAL_MAGIC ((uint32_t)0x4c415751) /* the bytes "QWAL" */

/* Numbers of segments and batches stay below, so that counting on never wraps. */
#define WAL_NUMBER_MAX       ((uint64_t)1 << 62)
#define WAL_SEGMENT_SIZE_MAX ((uint64_t)1 << 40)

enum wal_record_kind {
    WAL_RECORD_ENTRY = 1, /* a new entry; drops everything at and above its index first */
    WAL_RECORD_COPY = 2,  /* an entry that stands earlier in the log too; drops nothing */
    WAL_RECORD_HARD = 3,  /* term = term, index = vote */
    WAL_RECORD_MARK = 4,  /* payload = members */
    WAL_RECORD_BASE = 5,
    WAL_RECORD_RESET = 6, /* payload = members; drops all entries; is base and mark */
    WAL_RECORD_STORE = 7, /* first in a segment and nowhere else: group = groups, index = store */
};

struct wal_header {
    uint64_t segment;
    uint64_t number; /* of the batch, consecutive over the whole log, from 1 */
    uint64_t synced; /* all batches up to this number were synced before this one was written */
    uint64_t size;   /* of the batch, this header and its padding included */
};

struct wal_record {
    enum wal_record_kind kind;
    uint8_t entry_kind; /* enum entry_kind, of ENTRY and COPY */
    uint32_t group;
    uint64_t index;
    uint64_t term;
    struct bytes payload;
};

static inline uint64_t wal_round_up(uint64_t size, uint64_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Writes the WAL_HEADER_SIZE bytes with a zero checksum. */
void wal_put_header(uint8_t *out, const struct wal_header *header);
void wal_put_checksum(uint8_t *header, uint64_t checksum);

enum wal_found {
    WAL_FOUND_BATCH,
    WAL_FOUND_NOTHING, /* no batch of this segment, or one whose checksum is wrong */
    WAL_FOUND_NEWER,   /* of this segment, but in a format that this version cannot check */
};

/* What stands at offset in the bytes of a segment; header is set for a batch. O(size of the batch).
 */
enum wal_found wal_check_batch(struct bytes segment, uint64_t segment_number, uint64_t offset,
                               struct wal_header *header);

/* True when a header of this segment can be read there, whatever its checksum says. */
bool wal_looks_like_batch(struct bytes segment, uint64_t segment_number, uint64_t offset);

/* Appends a record's fixed part; its payload of payload_size bytes must follow. */
void wal_append_record(struct buf *out, const struct wal_record *record, size_t payload_size);

enum wal_next {
    WAL_NEXT_RECORD,
    WAL_NEXT_END, /* only padding is left */
    WAL_NEXT_BAD,
};

/* Takes the first record off *rest; its payload borrows from it. Fields are checked for kind, size
 * and range (L11); a group number is not. */
enum wal_next wal_next_record(struct bytes *rest, struct wal_record *record);

/* File names: 16 hex digits and ".wal" or ".spare". out has WAL_NAME_SIZE bytes. */
void wal_segment_name(char *out, uint64_t number);
void wal_spare_name(char *out, uint64_t number);
bool wal_parse_segment_name(const char *name, uint64_t *number);
bool wal_parse_spare_name(const char *name, uint64_t *number);

/* Sets out to DIR/NAME with its terminator. */
const char *wal_path(struct buf *out, const char *dir, const char *name);
