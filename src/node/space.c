/* The reserve of the disk: writes are refused before the disk is full, so that what was accepted
 * can still be made durable, and taken again by itself when there is space. */
#include <stdio.h>

#include "node/internal.h"

enum { SPACE_PERIOD_US = 100000 };

static void refuse(struct node *node, const char *why)
{
    if (node->refusal[0] == 0)
        log_write(node->log, LOG_LEVEL_WARNING, "Writes are refused: %s", why);
    (void)snprintf(
        node->refusal, sizeof(node->refusal),
        "MISCONF Errors writing to disk: %s. Commands that may modify the data set are refused "
        "until there is space again.",
        why);
    exec_refuse_writes(node->exec, node->refusal);
}

static void accept(struct node *node)
{
    if (node->refusal[0] == 0)
        return;
    log_write(node->log, LOG_LEVEL_NOTICE, "Writes are accepted again: %llu MB are free",
              (unsigned long long)(node->disk_free >> 20));
    node->refusal[0] = 0;
    exec_refuse_writes(node->exec, NULL);
}

static bool store_is_full(const struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        const char *text;
        if (store_error(shard_fsm(node->shards[id])->store, &text) == STORE_FULL)
            return true;
    }
    return false;
}

void node_watch_space(struct node *node)
{
    bool is_full = wal_is_full(node->wal);
    if (!is_full && node->space_checked_us != 0 &&
        node->now.boot_us - node->space_checked_us < SPACE_PERIOD_US)
        return;
    node->space_checked_us = node->now.boot_us;
    uint64_t free_bytes;
    if (node->disk->ops->free_space(node->disk, node->config->dir, &free_bytes) != DISK_OK)
        return; /* unknown: the WAL and the store tell when they meet the end */
    node->disk_free = free_bytes;
    uint64_t reserve = config_disk_reserve(node->config, node->disk_size);
    /* An eighth more than the reserve to go on: no flapping at the edge. */
    bool has_room = free_bytes >= (node->refusal[0] == 0 ? reserve : reserve + reserve / 8);
    if (is_full && free_bytes > 0)
        wal_retry(node->wal);
    if (is_full)
        refuse(node, "the disk is full");
    else if (store_is_full(node))
        refuse(node, "the disk is full; rows wait in memory and in the write-ahead log");
    else if (!has_room)
        refuse(node, "less than disk-reserve is free");
    else
        accept(node);
}
