/* Walking the keys of a database in K order, a slice at a time: what LevelDB and the row buffers
 * hold, overlaid by what memory changed and is not applied yet. */
#pragma once

#include "exec/internal.h"

struct walked_key {
    uint64_t order;
    struct bytes key; /* borrows from the slice */
    uint8_t type;
    int64_t expire_ms; /* 0: none */
};

static inline bool walked_key_is_alive(const struct walked_key *key, int64_t now_ms)
{
    return key->expire_ms == 0 || key->expire_ms > now_ms;
}

struct key_slice {
    struct walked_key *keys; /* in K order */
    size_t count;
    bool is_complete; /* nothing is left in this shard */
    uint64_t next;    /* order to go on at, when not complete */
    struct walk_rows rows;
    struct buf names; /* keys of the ahead set */
};

/* The keys of the shard's database from an order number on, about keys_max of them. Suspends the
 * run. The reply depends on everything the shard shows at that moment (noted in the run). False
 * when the rows could not be read: slice is empty then. */
bool key_slice_read(struct run *run, struct exec_shard *es, int database, uint64_t from,
                    size_t keys_max, struct key_slice *slice);
void key_slice_free(struct key_slice *slice);
