/* LevelDB behind the seam of store/kv.h: synced batches, paranoid checks, checksums verified on
 * every read, a bloom filter of 10 bits per key, one block cache for all databases of the env. */
#pragma once

#include "store/kv.h"

struct disk;

/* disk is used to sync directories (LevelDB does not sync the entry of a log file it rotates to).
 * cache_size: bytes of the shared block cache. */
struct kv_env *kv_leveldb_new(struct disk *disk, size_t cache_size);
void kv_leveldb_free(struct kv_env *env); /* no database of it is open; NULL is legal */
