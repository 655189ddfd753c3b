/* What a data directory is, for as long as it exists: written once at the first start, before
 * anything else in it, and checked at every later one.
 *
 *   DIR/quoin.id := "quoin-id 1\n" (NAME " " HEX16 "\n"){5} "sum " HEX16 "\n"
 *   NAME         := store | cluster | seed | node | shards
 *   sum          := XXH3 of everything before its line
 *
 * Text, so that an operator can read it. Example: "shards 0000000000000001". */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "os/disk.h"

struct identity {
    uint64_t store_id;   /* of this directory; random, not 0 */
    uint64_t cluster_id; /* random, not 0 */
    uint64_t seed;       /* of the hashes in row keys */
    uint64_t node_id;
    uint64_t shards;
};

enum identity_err {
    IDENTITY_OK = 0,
    IDENTITY_ABSENT, /* no such file */
    IDENTITY_NEWER_FORMAT,
    IDENTITY_DAMAGED,
    IDENTITY_DISK,
};

/* Each error but ABSENT appends one line to error that names the file. */
MUST_USE enum identity_err identity_read(struct disk *disk, const char *dir, struct identity *out,
                                         struct buf *error);
MUST_USE enum identity_err identity_write(struct disk *disk, const char *dir,
                                          const struct identity *identity, struct buf *error);
