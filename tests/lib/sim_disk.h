/* A file system in memory for tests and simulators: it knows what was synced, and a crash takes
 * from it what was not, whole, partly, or torn in the middle of a write.
 *
 * What is durable: a file's bytes and size after sync of the file; a name (create, rename, remove)
 * after sync_dir of its directory. Not even a synced file keeps its name without that: ext4 would
 * keep it, POSIX does not promise it. A rename is atomic.
 *
 * One thread at a time. Paths are opaque strings; the directory of a path is what stands before
 * its last slash. Directories made with make_dir are durable at once: whether somebody synced their
 * names is only remembered (sim_disk_dir_is_synced). */
#pragma once

#include "base/prng.h"
#include "os/disk.h"

struct disk *sim_disk_new(void);
void sim_disk_free(struct disk *disk); /* all handles must be closed; NULL is legal */

/* ---- crashes ---- */

enum sim_crash {
    SIM_CRASH_LOSE, /* everything unsynced is gone */
    SIM_CRASH_KEEP, /* everything unsynced got there in time */
    SIM_CRASH_TEAR, /* of each file any 512-byte sectors, of each directory any changes */
    SIM_CRASH_DRAW, /* per file and directory one of the above, as prng says */
};

enum { SIM_SECTOR_SIZE = 512 };

/* The power goes and comes back: open handles are dead (any call on them is DISK_IO), faults and
 * the power limit are lifted, bit rot and the capacity stay. */
void sim_disk_crash(struct disk *disk, struct prng *prng, enum sim_crash how);

/* Calls that change something (open that creates, write, sync, allocate, rename, remove, sync_dir)
 * count as steps, failed ones included. */
uint64_t sim_disk_steps(const struct disk *disk);

/* From the step after this many on, every call fails with DISK_IO and changes nothing, except that
 * the first refused write leaves a prefix of its bytes behind. UINT64_MAX: no limit. */
void sim_disk_cut_power_after(struct disk *disk, uint64_t steps);

/* ---- faults ---- */

enum sim_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_WRITE_IO,   /* half of the bytes are written, then DISK_IO */
    SIM_FAULT_WRITE_FULL, /* half of the bytes are written, then DISK_FULL */
    SIM_FAULT_SYNC_IO,    /* nothing becomes durable */
    SIM_FAULT_READ_IO,
    SIM_FAULT_ALLOCATE_FULL,
    SIM_FAULT_STEP_IO, /* whatever counts as a step: DISK_IO, a write leaves half of its bytes */
};

/* The next matching call fails; with `always` each one until SIM_FAULT_NONE is set. */
void sim_disk_fail(struct disk *disk, enum sim_fault fault, bool always);

/* Bytes all files together may have; UINT64_MAX at the start. */
void sim_disk_set_capacity(struct disk *disk, uint64_t bytes);
uint64_t sim_disk_used(const struct disk *disk);

/* Flips bits of a stored byte, durably. False when the file is absent or shorter. */
bool sim_disk_rot(struct disk *disk, const char *path, uint64_t offset, uint8_t flip);

/* ---- looking ---- */

struct sim_disk_counts {
    uint64_t writes;
    uint64_t syncs;
    uint64_t dir_syncs;
    uint64_t bytes_written;
};
struct sim_disk_counts sim_disk_counts(const struct disk *disk);

/* True when the directory above it was synced after make_dir made it, or a crash lies between. */
bool sim_disk_dir_is_synced(const struct disk *disk, const char *path);

bool sim_disk_exists(const struct disk *disk, const char *path);

/* Bytes of a file as a reader sees them now, borrowed until the next call; empty when absent. */
struct bytes sim_disk_content(const struct disk *disk, const char *path);
