/* The files of the log as they are written: the current segment, the next one, and spare ones to
 * reuse. Belongs to the WAL thread while a job is under way, else to the loop. All calls block.
 *
 * Order on disk: a segment is synced before its successor gets its first byte; the successor's name
 * and size are synced before that too; its opening is synced before anything follows it. */
#pragma once

#include "base/hash.h"
#include "wal/batch.h"

enum { WAL_SPARES_MAX = 2 };

enum wal_result {
    WAL_RESULT_OK = 0,
    WAL_RESULT_FULL,   /* nothing was lost, nothing counts as written: call again with the same */
    WAL_RESULT_FAILED, /* error tells; the writer must not be used again */
};

struct wal_writer {
    struct disk *disk;
    const char *dir; /* borrowed from the log */
    uint64_t segment_size;

    struct disk_file *file; /* the current segment */
    uint64_t segment;       /* its number */
    uint64_t size;
    uint64_t offset; /* where the next batch goes */

    struct disk_file *next; /* segment + 1, ready; NULL when it is not */
    uint64_t next_size;

    uint64_t spares[WAL_SPARES_MAX]; /* numbers of spare files, each of segment_size */
    size_t spare_count;

    uint64_t number; /* of the last batch written; openings count */
    uint64_t synced; /* all batches up to this number are */

    struct hash_stream *hash;
    struct buf iovecs;
    struct buf path;
    struct buf error; /* a text with its terminator, after FAILED */
    struct wal_counters counters;
};

void wal_writer_init(struct wal_writer *writer, struct disk *disk, const char *dir,
                     uint64_t segment_size);
void wal_writer_fini(struct wal_writer *writer); /* closes; syncs nothing */

/* Makes `next` ready, from a spare file when there is one. At least `size` bytes. */
MUST_USE enum wal_result wal_writer_prepare(struct wal_writer *writer, uint64_t size);

/* Goes on in the next segment, preparing it when it is not, with room for `more` bytes behind the
 * opening. Afterwards everything written is synced. */
MUST_USE enum wal_result wal_writer_switch(struct wal_writer *writer, struct wal_batch *opening,
                                           uint64_t more);

/* Writes a closed batch that fits into the current segment. Not synced. */
MUST_USE enum wal_result wal_writer_append(struct wal_writer *writer, struct wal_batch *batch);
MUST_USE enum wal_result wal_writer_sync(struct wal_writer *writer); /* nothing to do: no call */

/* Deletes the oldest segment, or keeps its file as a spare when it has the right size and there is
 * room. Syncs what is written first: it may be the reason why the segment can go. */
MUST_USE enum wal_result wal_writer_retire(struct wal_writer *writer, uint64_t number,
                                           uint64_t size);

static inline bool wal_writer_is_synced(const struct wal_writer *writer)
{
    return writer->synced == writer->number;
}
