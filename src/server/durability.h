/* How far what was executed is held by disks and other nodes: what WAIT and WAITAOF tell. The
 * server knows neither the log nor the members; the node does, and answers through these functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct server;

#define DURABLE_UNTOUCHED UINT64_MAX

/* Everything that was executed up to some moment. */
struct durable_point {
    /* By shard: the newest entry; 0: led before, but not then; DURABLE_UNTOUCHED: not led since the
     * connection began. Owned. */
    uint64_t *indexes;
    uint64_t
        log_batch; /* of the write-ahead log, through which it is all there; 0: not known yet */
};

struct durable_state {
    bool is_applied; /* committed and applied; otherwise nothing of the rest is known */
    bool is_synced;  /* the disk of this node has it, whatever appendfsync is */
    uint32_t others; /* voters besides this node whose logs hold all of it, each as durably as its
                      * own appendfsync promises */
};

struct durability {
    void *ctx;
    /* While requests are executed; since_us: boot time at which the connection began. */
    void (*note)(void *ctx, uint64_t since_us, struct durable_point *out);
    struct durable_state (*state)(void *ctx, struct durable_point *point); /* O(shards) */
    void (*sync)(void *ctx); /* the log syncs soon, in every mode */
};

/* Copied; borrows ctx. Once; without it everything counts as held by nobody. */
void server_on_durability(struct server *server, struct durability durability);
