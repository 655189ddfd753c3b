/* Telling a torn tail from damage in a LevelDB log file, which LevelDB itself does not.
 *
 * With paranoid checks LevelDB refuses a log that holds a bad record anywhere; without, it silently
 * drops batches from the middle. When the power fails during a flush, some file systems leave zeros
 * inside the last batch: refusing that would keep a lone node from starting, although nothing that
 * was ever confirmed is missing. The rule is the WAL's: since all batches are synced, one at a time
 * (L2), a bad record with a later batch behind it was synced and is damage; the last one was not.
 * (Rot in the last synced batch looks the same; then the applied index goes back and L4 sees it.)
 *
 *   log    := block*                       32768 bytes each, the last one shorter
 *   block  := record* zeros                zeros when fewer than 7 bytes are left
 *   record := crc:le32 size:le16 type:u8 data      crc: crc32c of type and data, masked
 *   type   := 1 a whole batch | 2 its first part | 3 a middle part | 4 its last part
 *
 * Facts from LevelDB's doc/log_format.md. */
#pragma once

#include "os/disk.h"

enum leveldb_log_end {
    LEVELDB_LOG_WHOLE,   /* ends with a whole batch, or cut short in one: LevelDB copes */
    LEVELDB_LOG_TORN,    /* the last batch is bad */
    LEVELDB_LOG_DAMAGED, /* a batch that others follow is bad */
};

/* *end gets the offset behind the last whole batch before the bad record, if any. O(size). */
enum leveldb_log_end leveldb_log_judge(struct bytes content, size_t *end);

/* Cuts a torn last batch off the newest log in dir, synced. False and nothing changed when there is
 * none, or the disk fails. Appends to note what was cut, or what is damaged. Blocking; nobody else
 * has the database open. */
MUST_USE bool leveldb_log_cut(struct disk *disk, const char *dir, struct buf *note);
