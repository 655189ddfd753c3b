/* Between the files of node/. */
#pragma once

#include "cluster/peers.h"
#include "commands/command.h"
#include "exec/executor.h"
#include "node/cluster_list.h"
#include "node/identity.h"
#include "node/node.h"
#include "os/lock.h"
#include "os/worker.h"
#include "server/operator.h"
#include "shard/shard.h"
#include "wal/wal.h"

enum {
    NODE_SOURCE_WAKE = SERVER_SOURCE_KINDS, /* the eventfd of the workers */
    NODE_SOURCE_STOP,                       /* options.stop_fd */
    NODE_SOURCE_PEER_LISTENER,
    NODE_SOURCE_PEER_LINK,
};

enum node_request { /* between nodes: peers_request */
                    NODE_REQUEST_FORM = 1,
};

/* A node that RAFT ADD named and that is not a member yet. */
struct joining {
    struct member member; /* store_id 0: not seen yet */
    uint64_t since_us;
    bool is_formed; /* it belongs to our cluster: it can be made a member */
};

/* A member that RAFT REMOVE named and that is one still. */
struct leaving {
    uint64_t node;
    uint64_t since_us;
};

/* What was told last about a shard, to tell only what changed. */
struct shard_told {
    uint64_t leader;
    uint64_t members_version;
    uint64_t lead_term;        /* to the links' pulse */
    uint64_t surplus_since_us; /* a member that the first shard does not have; 0: none */
};

struct installs;

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
    struct worker *couriers;

    struct wal *wal;
    struct wal_recovery *recovery; /* until the shards have taken what they need */
    struct shard **shards;
    uint64_t *shard_open_us; /* how long opening each took, LevelDB's own replay included */
    uint32_t shard_count;
    struct exec *exec;
    struct command_table *table;
    struct server *server;

    struct peers *peers; /* NULL: no other nodes, and none can come */
    struct joining joining[MEMBERS_MAX];
    size_t joining_count;
    struct leaving leaving[MEMBERS_MAX];
    size_t leaving_count;
    struct shard_told *told; /* by shard */
    uint64_t peers_version;  /* sum of the shards' members versions that the links know */
    uint64_t duty_us;        /* when members were looked after last */
    uint64_t balance_us;     /* and leaders */
    uint64_t wal_moved_us;   /* when the log's thread last had nothing to do, or was done */
    bool is_stuck;           /* the disk does not answer: others should lead */
    struct installs *installs;
    uint64_t *marks_wanted; /* by shard: an index that RAFT SNAPSHOT asked for; 0: none */

    struct turn_time now;
    enum node_stopping stopping;
    bool is_ready;
    bool has_handed_over; /* leaders, before it stops */
    uint64_t stopping_since_us;
    bool is_hurried; /* stop without the flush that makes the next start quick */
    uint64_t space_checked_us;
    uint64_t disk_size;
    uint64_t disk_free;
    char refusal[256]; /* why writes are refused, or "" */
    char failure[512];
    uint64_t start_us; /* boot time at which opening began */
    uint64_t open_us;  /* how long it took */
};

/* open.c */
void node_apply_config(struct node *node);
uint64_t node_memory_budget(const struct node *node);

/* cluster.c: this node among others */
MUST_USE bool node_open_peers(struct node *node, struct buf *error);
const struct members *node_members(const struct node *node); /* of the first shard */
void node_self(const struct node *node, struct member *out); /* how others reach us */
void node_set_peer(struct node *node, const struct member *member);
void node_offer_cluster(struct node *node, uint64_t peer, uint64_t store_id);
void node_hear_peers(struct node *node);
void node_collect(struct node *node);        /* what the cores have to tell: sent, stored */
void node_send(struct node *node);           /* what is queued for others leaves */
void node_follow_cluster(struct node *node); /* after leaders and members may have changed */
/* L10: holds now.wall_us to the median of a quorum's clocks. False, and it is ours alone, as long
 * as too few are known: a leader waits until they are, a heartbeat or so. */
MUST_USE bool node_agree_on_time(struct node *node);

/* duties.c: members of all shards alike, learners promoted, leaders spread */
void node_do_duties(struct node *node);
MUST_USE bool node_join(struct node *node, const struct member *member, struct buf *error);
MUST_USE bool node_leave(struct node *node, uint64_t id, struct buf *error);
bool node_is_leaving(const struct node *node, uint64_t id);
bool node_reaches(const struct node *node, uint64_t id);   /* linked, and heard just now */
uint32_t node_leads(const struct node *node, uint64_t id); /* shards, as far as is known here */
void node_hand_over_all(struct node *node);
bool node_is_handing_over(const struct node *node);
void node_note_formed(struct node *node, uint64_t peer);

/* installs.c: rows for members that the log does not reach */
void node_open_installs(struct node *node);
void node_close_installs(struct node *node);
void node_want_install(struct node *node, uint32_t shard, uint64_t peer);
void node_hear_stream(struct node *node, const struct peers_input *input);
void node_lose_streams(struct node *node, uint64_t peer);
void node_step_installs(struct node *node);
bool node_install_wants_flush(const struct node *node, uint32_t shard);
void node_info_installs(const struct node *node, struct buf *out);

/* operator.c: RAFT, and who answers CLUSTER */
void node_add_operator(struct node *node);

/* durability.c: WAIT and WAITAOF */
void node_add_durability(struct node *node);

/* cluster_view.c: the cluster as clients of the cluster protocol see it */
void node_answer_cluster(struct node *node, struct call *c, enum operator_command what);

/* turn.c */
void node_take_done_jobs(struct node *node);

/* info.c */
void node_add_info(struct node *node);

/* info_raft.c: shards, members and links */
void node_info_raft(struct buf *out, void *context); /* of all */
void node_info_shard(const struct node *node, uint32_t id, struct buf *out);

/* space.c: the reserve of the disk */
void node_watch_space(struct node *node);
