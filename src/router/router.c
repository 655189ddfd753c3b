#include "router/router.h"

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/slot.h"

enum { KEYS_ON_STACK = 32 };

uint32_t router_shard_of_slot(uint32_t shard_count, uint16_t slot)
{
    ASSERT(shard_count > 0 && slot < SLOT_COUNT);
    return (uint32_t)slot * shard_count / SLOT_COUNT;
}

uint16_t router_first_slot(uint32_t shard_count, uint32_t shard)
{
    ASSERT(shard < shard_count);
    return (uint16_t)((shard * SLOT_COUNT + shard_count - 1) / shard_count);
}

bool router_add_key(uint32_t shard_count, struct bytes key, uint32_t *shard)
{
    uint32_t at = router_shard_of_slot(shard_count, slot_of_key(key));
    if (*shard != ROUTER_NONE && *shard != at)
        return false;
    *shard = at;
    return true;
}

bool router_add_command(uint32_t shard_count, const struct command *command,
                        const struct bytes *argv, int argc, uint32_t *shard)
{
    struct command_key stack[KEYS_ON_STACK];
    struct command_key *keys = stack;
    int count = command_keys(command, argv, argc, stack, KEYS_ON_STACK);
    if (count > KEYS_ON_STACK) {
        keys = mem_alloc((size_t)count * sizeof(*keys));
        count = command_keys(command, argv, argc, keys, count);
    }
    bool is_one = true;
    for (int i = 0; i < count && is_one; i++)
        is_one = router_add_key(shard_count, argv[keys[i].position], shard);
    if (keys != stack)
        mem_free(keys);
    return is_one;
}
