/* The seam under the store: a durable map sorted by memcmp, written in atomic synced batches.
 * kv_leveldb.c is the real one and the only user of leveldb/c.h; the simulator has a twin in memory
 * (tests/lib/kv_memory.h) that loses what was not durable and fails on demand.
 *
 * After any error but KV_ABSENT, KV_LOCKED the handle is dead (L2): close it and open again. Calls
 * on one handle may come from several threads at once, close excepted. All may block but
 * snapshot_new and snapshot_free, which take a short lock. Every error text names the directory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum kv_err {
    KV_OK = 0,
    KV_ABSENT,  /* open without create: no such database */
    KV_LOCKED,  /* open: another process, or this one, has it open */
    KV_DAMAGED, /* what was read is not what was written */
    KV_FULL,    /* no space left */
    KV_IO,      /* anything else */
};

struct kv_options {
    bool create;              /* make it when absent */
    size_t write_buffer_size; /* bytes in memory before the map writes a sorted file; 0: default */
    uint32_t open_files_max;  /* 0: default */
};

struct kv_env;      /* makes handles; each implementation embeds this first */
struct kv;          /* an open database */
struct kv_batch;    /* puts and deletes that become visible and durable together; later ones win */
struct kv_snapshot; /* the content at one moment */
struct kv_iterator;

struct kv_env_ops {
    /* On KV_OK error may hold a note for the log: a torn tail was cut. */
    enum kv_err (*open)(struct kv_env *env, const char *path, const struct kv_options *options,
                        struct kv **out, struct buf *error);
    /* Removes the database and its directory; it must not be open. Absent is KV_OK. */
    enum kv_err (*destroy)(struct kv_env *env, const char *path, struct buf *error);
};

struct kv_ops {
    void (*close)(struct kv *kv); /* all snapshots and iterators are gone by then */

    struct kv_batch *(*batch_new)(struct kv *kv);
    void (*batch_free)(struct kv_batch *batch);
    void (*batch_put)(struct kv_batch *batch, struct bytes key, struct bytes value); /* copies */
    void (*batch_delete)(struct kv_batch *batch, struct bytes key);
    /* KV_OK: everything of the batch is durable. Otherwise all or nothing of it may be found after
     * the handle is opened again. There is no unsynced write (L2). */
    enum kv_err (*write)(struct kv *kv, const struct kv_batch *batch, struct buf *error);

    struct kv_snapshot *(*snapshot_new)(struct kv *kv);
    void (*snapshot_free)(struct kv *kv, struct kv_snapshot *snapshot);
    /* Appends the value to out when found. snapshot NULL: the newest. */
    enum kv_err (*get)(struct kv *kv, const struct kv_snapshot *snapshot, struct bytes key,
                       struct buf *out, bool *found, struct buf *error);

    struct kv_iterator *(*iterator_new)(struct kv *kv, const struct kv_snapshot *snapshot);
    void (*iterator_free)(struct kv_iterator *iterator);
    void (*seek)(struct kv_iterator *iterator, struct bytes from); /* to the first key >= from */
    /* True while it stands at a row; key and value borrow until the next move. False at the end
     * and on an error: ask iterator_err. */
    bool (*row)(const struct kv_iterator *iterator, struct bytes *key, struct bytes *value);
    void (*next)(struct kv_iterator *iterator);
    enum kv_err (*iterator_err)(const struct kv_iterator *iterator, struct buf *error);

    void (*push_out)(struct kv *kv); /* memory to a sorted file, so that opening replays little */
    uint64_t (*size)(struct kv *kv); /* bytes on disk, roughly */
};

struct kv_env {
    const struct kv_env_ops *ops;
};

struct kv {
    const struct kv_ops *ops;
};
