/* Key -> slot -> shard. Shards hold consecutive runs of slots, equal but for rounding; which node
 * leads a shard is the next question once there are several. */
#pragma once

#include "base/assert.h"
#include "commands/command.h"

#define ROUTER_NONE UINT32_MAX

uint32_t router_shard_of_slot(uint32_t shard_count, uint16_t slot);
uint16_t router_first_slot(uint32_t shard_count, uint32_t shard);

/* Adds a key to a request that must stay on one shard: *shard is where its keys lie so far,
 * ROUTER_NONE before the first. False when this one lies elsewhere; *shard is then unchanged. */
MUST_USE bool router_add_key(uint32_t shard_count, struct bytes key, uint32_t *shard);

/* The same with every key of a command. Arguments whose keys cannot be found add none: the command
 * itself refuses them. */
MUST_USE bool router_add_command(uint32_t shard_count, const struct command *command,
                                 const struct bytes *argv, int argc, uint32_t *shard);
