#include "server/buf_pool.h"

#include "base/assert.h"
#include "base/mem.h"

void buf_pool_free(struct buf_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        mem_free(pool->spares[i]);
    *pool = (struct buf_pool){0};
}

void buf_pool_take(struct buf_pool *pool, struct buf *buf)
{
    ASSERT(buf->capacity == 0);
    buf->capacity = BUF_POOL_SIZE;
    if (pool != NULL && pool->count > 0)
        buf->data = pool->spares[--pool->count];
    else
        buf->data = mem_alloc(BUF_POOL_SIZE);
}

void buf_pool_give(struct buf_pool *pool, struct buf *buf)
{
    if (pool == NULL || buf->capacity != BUF_POOL_SIZE || pool->count == BUF_POOL_SPARES_MAX) {
        buf_free(buf);
        return;
    }
    pool->spares[pool->count++] = buf->data;
    *buf = (struct buf){0};
}
