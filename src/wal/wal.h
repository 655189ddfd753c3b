/* The write-ahead log: one append-only log on disk for all Raft groups of a node.
 *
 * What is appended collects in a batch. wal_submit hands the batch to a worker of one thread, which
 * writes it with one pwritev and, as the sync mode asks, one fdatasync; what is appended meanwhile
 * collects in the next batch (group commit). A promise about an entry (ack, vote, commit) may leave
 * only when the batch that carries it is at or below wal_promised().
 *
 *      append, put ...      submit                 job done
 *   [collecting N] ----> [under way N] ----> written N (and synced N) ----> promised N
 *
 * The log knows nothing of what is in an entry. It is not the log that Raft reads: whoever reads
 * entries keeps them in memory. Everything here runs on the loop, and never blocks but in
 * wal_open. The bytes on disk: src/wal/FORMAT.md. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "codec/entry.h"
#include "os/disk.h"
#include "os/worker.h"

enum {
    WAL_JOB_KIND = 0x57414c, /* job.kind of every job of a log ("WAL") */
    WAL_GROUPS_MAX = 4096,
    WAL_MEMBERS_SIZE_MAX = 64 * 1024, /* of one group's encoded members */
};

#define WAL_SEGMENT_SIZE_DEFAULT ((uint64_t)16 << 20)
#define WAL_SEGMENT_SIZE_MIN     ((uint64_t)4096)
#define WAL_ENTRY_SIZE_MAX       ((uint64_t)1 << 30) /* payload of one entry */

enum wal_sync {
    WAL_SYNC_ALWAYS = 0, /* promises wait for fdatasync */
    WAL_SYNC_EVERYSEC,   /* promises wait for write(2); fdatasync each second (wal_tick) */
    WAL_SYNC_NO,         /* promises wait for write(2) */
};

enum wal_err {
    WAL_OK = 0,
    WAL_DAMAGED,      /* bytes that were synced are not what was written, or are missing */
    WAL_FOREIGN,      /* the log of another store, or of more groups than were asked for */
    WAL_NEWER_FORMAT, /* written by a later version that this one cannot read */
    WAL_DISK,         /* the disk refused a call, full included */
};

struct wal;

struct wal_options {
    const char *dir;       /* copied; made when absent, its parent must exist */
    uint32_t group_count;  /* 1 .. WAL_GROUPS_MAX; may grow from one start to the next */
    uint64_t segment_size; /* 0: default; else at least WAL_SEGMENT_SIZE_MIN, rounded up to 4096 */
    enum wal_sync sync;
    uint64_t store_id; /* stands in every segment; another store's are refused */
};

struct wal_hard_state {
    uint64_t term; /* 0: none yet */
    uint64_t vote; /* 0: none in this term */
};

struct wal_position {
    uint64_t index; /* 0: before the first entry */
    uint64_t term;
};

/* What a scan found of one group; owned by the recovery. */
struct wal_group_state {
    struct wal_hard_state hard;
    struct wal_position base; /* the log is compacted through here */
    struct wal_position mark; /* snapshot mark; base.index <= mark.index */
    struct buf members;       /* as last put with a mark, opaque */
    struct entry **entries;   /* base.index + 1 and on, without gaps, truncations applied */
    size_t entry_count;
};

struct wal_recovery {
    struct wal_group_state *groups; /* group_count of them */
    uint32_t group_count;
    uint64_t cut_bytes; /* length of the torn tail, 0 when there was none */
    bool fresh;         /* no log was there: nothing was ever promised from this directory */
};

/* ---- opening and closing ---- */

/* Scans the directory, cuts the torn tail of the last segment, and starts a new segment that opens
 * with every group's state, synced. Blocks; its cost is reading the log once. note is cleared and
 * gets a line when something was cut. On an error nothing is given and error names the file and
 * offset; on WAL_DAMAGED, WAL_FOREIGN and WAL_NEWER_FORMAT nothing on disk was changed.
 * Two processes must not open one directory: take os/lock.h first. */
MUST_USE enum wal_err wal_open(struct wal **out, struct disk *disk,
                               const struct wal_options *options, struct wal_recovery **recovery,
                               struct buf *note, struct buf *error);
void wal_recovery_free(struct wal_recovery *recovery); /* releases its entries; NULL is legal */

/* What collects is dropped, nothing is synced: submit and wait first when it matters. The worker
 * must not be running a job of this log: free the worker first. NULL is legal. */
void wal_free(struct wal *wal);

const char *wal_err_text(enum wal_err err);

/* ---- into the batch that collects ---- */

/* Keeps a reference to the entry, or its bytes when they are few. Its index is above the group's
 * base and at most one above its last. When the index is there with the same term this is a copy
 * (that is how live records are moved out of old segments); with another term, or a new index,
 * everything at and above the index is replaced; never at or below the mark. */
void wal_append(struct wal *wal, uint32_t group, struct entry *entry);

/* These four make the batch synced in every mode, as does an entry of kind ENTRY_MEMBERS. */
void wal_put_hard_state(struct wal *wal, uint32_t group, struct wal_hard_state hard);

/* The rows up to position are durable in the store (L3). Never backwards, never above the last
 * index. members is copied, at most WAL_MEMBERS_SIZE_MAX. */
void wal_put_mark(struct wal *wal, uint32_t group, struct wal_position position,
                  struct bytes members);

/* The log is compacted through position: at or below the mark, never backwards (L3). Segments in
 * which no group has a live entry left are deleted or reused once this is synced. */
void wal_put_base(struct wal *wal, uint32_t group, struct wal_position position);

/* An install replaced the log: all entries are dropped, base and mark become position (not below
 * the mark), members become what the install brought. */
void wal_put_reset(struct wal *wal, uint32_t group, struct wal_position position,
                   struct bytes members);

/* Number of the batch that collects, from 1. What was appended just before or is appended just
 * after this call, without wal_submit in between, is in it. */
uint64_t wal_collecting(const struct wal *wal);
size_t wal_collected_bytes(const struct wal *wal);              /* bound it by admission (L12) */
uint64_t wal_last_index(const struct wal *wal, uint32_t group); /* as collected; base when empty */

/* ---- writing ---- */

/* Hands the collected batch, or a due sync, or a due piece of housekeeping (a segment to prepare,
 * to reuse, to delete) to the worker, when none is under way and the log has neither failed nor run
 * full. True when a job was handed over. Call once per turn, and after wal_job_done. */
bool wal_submit(struct wal *wal, struct worker *worker);

/* The loop took this done job of ours (kind WAL_JOB_KIND) from the worker. */
void wal_job_done(struct wal *wal, struct job *job);
bool wal_is_busy(const struct wal *wal); /* a job is under way */

/* Batch numbers: everything up to it is written / fdatasynced / may be promised. 0 at the start;
 * what the recovery gave is synced already. wal_promised never goes back, not even when the mode
 * becomes stricter. */
uint64_t wal_written(const struct wal *wal);
uint64_t wal_synced(const struct wal *wal);
uint64_t wal_promised(const struct wal *wal);

/* From the next submit on. To ALWAYS also syncs what is not synced yet. */
void wal_set_sync(struct wal *wal, enum wal_sync sync);
enum wal_sync wal_sync_mode(const struct wal *wal);

/* The next submit syncs in every mode, even with nothing collected. */
void wal_request_sync(struct wal *wal);

/* Once per turn or at least each 100 ms: makes the sync of EVERYSEC due. */
void wal_tick(struct wal *wal, uint64_t now_us);

/* ---- trouble ---- */

/* True after an I/O error or a failed sync: nothing is written ever again, what was not promised
 * never will be, and the process must stop. text: file, offset and reason; lives as long as wal. */
MUST_USE bool wal_failed(const struct wal *wal, const char **text);

/* True after the disk ran full: the batch waits, the next one goes on collecting (refuse writes
 * above). wal_retry makes the next submit try the same batch again; no byte of it is lost. The log
 * tries again by itself when one of its own segments could go meanwhile. */
MUST_USE bool wal_is_full(const struct wal *wal);
void wal_retry(struct wal *wal);

/* ---- size and counters ---- */

uint64_t wal_size_bytes(const struct wal *wal); /* of all segments, spare ones included */

/* Size of the segments from the oldest one with a live entry of this group to the newest; 0 when
 * the group has no live entries. A live entry is one above the base that is written. */
uint64_t wal_pinned_bytes(const struct wal *wal, uint32_t group);

/* The group whose live entries keep the oldest segment, when a segment other than the current one
 * is kept. first .. last are what it holds there: appended again in this order they are copies,
 * and free the segment. The answer changes when their batch is written, so ask once per batch.
 * False when nothing is pinned. O(groups). */
MUST_USE bool wal_oldest_pinning_group(const struct wal *wal, uint32_t *group, uint64_t *first,
                                       uint64_t *last);

struct wal_counters {
    uint64_t batches;
    uint64_t entries;
    uint64_t bytes; /* of batches, as on disk */
    uint64_t syncs;
    uint64_t sync_us; /* time spent in fdatasync */
    uint64_t sync_us_max;
    uint64_t segments_made;
    uint64_t segments_reused;
    uint64_t segments_removed;
    uint64_t full; /* times the disk ran full */
};
struct wal_counters wal_counters(const struct wal *wal);
