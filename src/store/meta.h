/* The store's own M rows: what database this is, and what its rows are the fold of (L2, L4).
 * Their form stands in FORMAT.md. */
#pragma once

#include "store/store.h"

/* store_meta that owns its members. Zeroed is index 0 without members. */
struct meta {
    uint64_t index;
    uint64_t term;
    uint64_t stamp_us;
    uint64_t installed; /* index that an install of this generation brought; 0: none made it */
    struct buf members;
};

struct meta_identity {
    uint64_t identity;
    uint32_t shard;
};

void meta_free(struct meta *meta);
void meta_copy(struct meta *to, const struct meta *from); /* to is a valid one */
struct store_meta meta_view(const struct meta *meta);     /* borrows */

/* True for keys that only the store itself writes. */
bool meta_owns_key(struct bytes key);

void meta_put(struct kv *kv, struct kv_batch *batch, const struct meta *meta);
void meta_put_installed(struct kv *kv, struct kv_batch *batch, uint64_t index);
void meta_put_identity(struct kv *kv, struct kv_batch *batch, const struct meta_identity *identity);

/* Reads both back. STORE_LOST when a row is missing or has a wrong size, STORE_FOREIGN and
 * STORE_NEWER_FORMAT as the identity row says; the text names path. */
MUST_USE enum store_err meta_read(struct kv *kv, const char *path,
                                  const struct meta_identity *identity, struct meta *out,
                                  struct buf *error);

enum store_err store_err_of(enum kv_err err);
