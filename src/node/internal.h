/* Between the files of node/. */
#pragma once

#include "commands/command.h"
#include "exec/executor.h"
#include "node/identity.h"
#include "node/node.h"
#include "os/lock.h"
#include "os/worker.h"
#include "shard/shard.h"
#include "wal/wal.h"

enum {
    NODE_SOURCE_WAKE = SERVER_SOURCE_KINDS, /* the eventfd of the workers */
    NODE_SOURCE_STOP,                       /* options.stop_fd */
};

enum node_stopping {
    NODE_NOT_STOPPING,
    NODE_SETTLING, /* everything proposed is being applied */
    NODE_FLUSHING, /* and put into LevelDB, so that the next start replays nothing */
};

struct node {
    struct node_options options;
    struct config *config;
    struct log *log;
    struct disk *disk;
    struct kv_env *kv;
    bool owns_kv;
    struct lock *lock;
    struct identity identity;
    char *wal_dir;

    struct loop *loop;
    struct net_source wake;
    struct net_source stop;
    struct worker *wal_worker;
    struct worker *store_worker;
    struct worker *readers;
    struct worker *freer;

    struct wal *wal;
    struct wal_recovery *recovery; /* until the shards have taken what they need */
    struct shard **shards;
    uint64_t *shard_open_us; /* how long opening each took, LevelDB's own replay included */
    uint32_t shard_count;
    struct exec *exec;
    struct command_table *table;
    struct server *server;

    struct turn_time now;
    enum node_stopping stopping;
    bool is_ready;
    uint64_t stopping_since_us;
    bool is_hurried; /* stop without the flush that makes the next start quick */
    uint64_t space_checked_us;
    uint64_t disk_size;
    uint64_t disk_free;
    char refusal[256]; /* why writes are refused, or "" */
    char failure[512];
    uint64_t start_us; /* boot time at which opening began */
    uint64_t open_us;  /* how long it took */
    struct {
        uint64_t turns, longest_us;
    } stats;
};

/* open.c */
void node_apply_config(struct node *node);
uint64_t node_memory_budget(const struct node *node);

/* turn.c */
void node_take_done_jobs(struct node *node);

/* info.c */
void node_add_info(struct node *node);

/* space.c: the reserve of the disk */
void node_watch_space(struct node *node);
