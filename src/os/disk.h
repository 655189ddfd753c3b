/* The file system as the WAL and the data directory see it: a table of calls, so that a simulator
 * can stand in for the kernel, lose what was not synced, tear writes and fail on demand.
 *
 * LevelDB does its own I/O; its seam is store/kv.h. All calls may block: only helper threads and
 * the start of the process use them. Paths are plain strings. After an error errno holds the
 * kernel's reason (a simulated disk sets it too), until the next call; nothing is retried but
 * EINTR. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "base/buf.h"

enum disk_err {
    DISK_OK = 0,
    DISK_ABSENT, /* no such file or directory */
    DISK_EXISTS, /* exclusive creation or lock refused: it is there already, or held */
    DISK_FULL,   /* ENOSPC or EDQUOT */
    DISK_IO,     /* anything else; errno tells */
};

struct disk;      /* a file system, real or simulated */
struct disk_file; /* an open file; each implementation embeds this first */

struct disk_ops {
    /* Opens for reading and writing; `create` makes it when absent. Gives *out. Clean pages of the
     * file are dropped from the page cache, so that what is read is what the disk holds: after a
     * failed sync the kernel may show bytes that never reached it. */
    enum disk_err (*open)(struct disk *disk, const char *path, bool create, struct disk_file **out);
    /* Closes without syncing; never fails visibly. */
    void (*close)(struct disk_file *file);
    /* Reads up to size bytes at offset; *got is short only at the end of the file. */
    enum disk_err (*read)(struct disk_file *file, uint64_t offset, void *out, size_t size,
                          size_t *got);
    /* Writes everything or reports an error; after an error the range's content is undefined. Any
     * number of parts. */
    enum disk_err (*write)(struct disk_file *file, uint64_t offset, const struct iovec *parts,
                           int part_count);
    /* fdatasync: data and the size needed to read it are durable. An error is final (no retry):
     * the kernel may have dropped the dirty pages. */
    enum disk_err (*sync)(struct disk_file *file);
    /* Reserves blocks for [0, size) and sets the size, down too; new bytes read as zero. */
    enum disk_err (*allocate)(struct disk_file *file, uint64_t size);
    enum disk_err (*size)(struct disk_file *file, uint64_t *size);
    enum disk_err (*rename)(struct disk *disk, const char *from, const char *to);
    enum disk_err (*remove)(struct disk *disk, const char *path);
    enum disk_err (*make_dir)(struct disk *disk, const char *path); /* DISK_EXISTS when there */
    enum disk_err (*sync_dir)(struct disk *disk, const char *path);
    /* Appends each entry's name and a 0 byte to names, "." and ".." left out, in sorted order. */
    enum disk_err (*list_dir)(struct disk *disk, const char *path, struct buf *names);
    /* Bytes an unprivileged writer may still use on the file system that holds path. */
    enum disk_err (*free_space)(struct disk *disk, const char *path, uint64_t *free_bytes);
};

struct disk {
    const struct disk_ops *ops;
};

struct disk_file {
    const struct disk_ops *ops;
};

/* The kernel's file system. Shared, stateless, never freed. */
struct disk *disk_real(void);

const char *disk_err_text(enum disk_err err); /* "no space left on device", … */

/* Makes a directory, when it is absent, whose name a crash cannot take: the directory above it is
 * synced. DISK_OK also when it is there; synced then too, as far as that is allowed, for who made
 * it may have died in between. Cost: one fsync. */
MUST_USE enum disk_err disk_make_dir(struct disk *disk, const char *path);

/* Reads a whole file into out (cleared first). DISK_ABSENT when there is none. */
MUST_USE enum disk_err disk_read_file(struct disk *disk, const char *path, struct buf *out);

/* Replaces a file so that after a crash it is either the old or the new one, whole: writes
 * path.tmp, syncs it, renames it over path, syncs dir (the directory of path). */
MUST_USE enum disk_err disk_replace_file(struct disk *disk, const char *dir, const char *path,
                                         struct bytes content);
