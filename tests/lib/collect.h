/* What a node does with a shard's readies, for tests of a shard without peers. */
#pragma once

#include "base/assert.h"
#include "shard/shard.h"

static inline void collect(struct shard *shard, uint64_t boot_us)
{
    struct raft_ready ready;
    while (shard_next_ready(shard, boot_us, &ready)) {
        ASSERT(ready.message_count == 0 && ready.install_count == 0 && ready.offer.from == 0);
        shard_take_ready(shard, &ready);
    }
}
