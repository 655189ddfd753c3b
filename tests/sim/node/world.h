/* The machine under one simulated node: disk, store, clocks, helpers' jobs, faults and crashes, all
 * drawn from one seed. */
#pragma once

#include "base/prng.h"
#include "codec/members.h"
#include "node/node.h"

#define WORLD_DIR "/data"

/* Drawn once per seed; rates are per million turns, many of them 0 (swarm testing). */
struct world_options {
    uint32_t shards;
    int appendfsync;
    uint64_t segment_size;
    uint64_t maxmemory;
    int64_t flush_age_ms;
    uint32_t crash, kill, crash_after_reply; /* power goes; process dies; when a reply was taken */
    uint32_t die_in_open;
    uint32_t kv_write, kv_read, kv_open, disk_full, wal_fault;
    uint32_t slow, clock_jump, long_pause;
    uint32_t power_cut;  /* the power goes in the middle of a turn */
    uint32_t lose_rows;  /* a shard's LevelDB is gone after a crash, when others have its rows */
    uint32_t job_chance; /* that a waiting job runs in this turn */
    uint32_t check;      /* hot_check of all shards */
    uint64_t turn_us_max;
    uint64_t clock_jump_us_max; /* to either side */
    uint64_t log_tail;
    uint64_t flush_bytes;
    bool reads_need_quorum;
};

struct world {
    uint64_t seed;
    int number;             /* of the node; 0: it is alone */
    struct members members; /* of its cluster */
    struct prng prng;
    struct world_options options;
    bool is_traced;
    struct disk *disk;
    struct kv_env *kv;
    struct config config;
    struct log log;
    struct node *node;

    struct turn_time now;
    int64_t latest_ms; /* no stamp is above it (L10) */
    uint64_t slow_until_us;
    uint64_t full_until_us;
    uint64_t dies_at_us;  /* the power is about to go, or has gone; 0: not */
    uint64_t power_steps; /* of the disk, after which it is gone */
    bool has_wal_fault;   /* the node may fail */
    bool had_read_fault, had_full;
    bool is_quiet; /* no new faults */
    int lost_rows; /* shards whose rows a fault took and that have not come back yet */

    uint64_t turns, opens, crashes, kills, failures, checks;
    uint64_t stamps[1024]; /* newest applied stamp of each shard since the open */
};

void world_init(struct world *world, uint64_t seed, bool is_traced);

/* One of several: options and members are the cluster's, the disk holds the identity. */
void world_init_member(struct world *world, uint64_t seed, bool is_traced, int number,
                       const struct world_options *options, const struct members *members);
struct world_options world_draw_options(struct prng *prng);
void world_fini(struct world *world); /* the node is closed */

/* Opens until it succeeds, crashing in the middle as drawn; a refusal without a reason fails. */
void world_open(struct world *world);

/* Ends the node: `loses` when what was not synced may be lost, else as kill -9 does. Clients of the
 * node are gone before. */
void world_crash(struct world *world, bool loses);

/* The node is not running: LevelDB of a shard is gone or damaged. False: there is none. */
bool world_lose_rows(struct world *world, uint32_t shard);

/* Faults, jobs and clocks, then one turn. False: the node has failed and must be ended. */
MUST_USE bool world_turn(struct world *world);
/* The same, when so much time has passed on the clock of this node; 0: it is drawn. */
MUST_USE bool world_turn_after(struct world *world, uint64_t step_us);
bool world_is_dying(const struct world *world); /* its power is gone: crash it */

/* The laws that can be seen from outside, whatever clients do. */
void world_check(struct world *world);

/* No fault from now on, and what was broken is mended. */
void world_calm(struct world *world);

/* Everything that was written is synced. */
bool world_is_synced(const struct world *world);

/* Rows of all shards in the store. */
size_t world_rows(const struct world *world);

/* Prints the line that replays this seed, with what was violated, and exits. */
void world_violation(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void world_trace(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
