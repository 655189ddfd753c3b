/* Empty buffers of one size, kept for the next who needs one: many clients who ask one thing at a
 * time share a few warm buffers instead of owning two cold ones each (1.4 instead of 10.5 KB per
 * client that asked something), without asking the allocator twice per client and turn. */
#pragma once

#include "base/buf.h"

enum {
    BUF_POOL_SIZE = 16 * 1024, /* capacity of each */
    BUF_POOL_SPARES_MAX = 64,  /* 1 MiB; more are freed */
};

/* Zero-initialised is ready. */
struct buf_pool {
    uint8_t *spares[BUF_POOL_SPARES_MAX];
    size_t count;
};

void buf_pool_free(struct buf_pool *pool);

/* Gives a buffer that has no memory a capacity of BUF_POOL_SIZE. pool NULL: from the heap. */
void buf_pool_take(struct buf_pool *pool, struct buf *buf);

/* Takes the memory of a buffer, which is empty then. pool NULL: to the heap. */
void buf_pool_give(struct buf_pool *pool, struct buf *buf);
