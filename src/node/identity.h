/* What a data directory is, for as long as it exists, and checked at every start. Written at the
 * first start, before anything else in it; a node that is to be one of several writes it a second
 * time when the cluster is formed or takes it in, and before that nothing else either.
 *
 *   DIR/quoin.id := "quoin-id 2\n" (NAME " " HEX16 "\n"){5} "members " HEX* "\n" "sum " HEX16 "\n"
 *   NAME         := store | cluster | seed | node | shards
 *   members      := codec/members.h, two digits a byte: who formed each shard; none before that,
 * and for a node that others take in sum          := XXH3 of everything before its line
 *
 * Version 1 has no line of members: one voter, id 1. Text, so that an operator can read it.
 * Example: "shards 0000000000000001". */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "codec/members.h"
#include "os/disk.h"

struct identity {
    uint64_t store_id;   /* of this directory; random, not 0 */
    uint64_t cluster_id; /* random; 0: belongs to none yet, and seed and shards say nothing */
    uint64_t seed;       /* of the hashes in row keys */
    uint64_t node_id;
    uint64_t shards;
    struct members members; /* of the formation */
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
