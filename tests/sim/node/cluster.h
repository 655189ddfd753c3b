/* Several nodes, each with its machine (world.h), the network between them (wires.h), clients
 * (caller.h), and the laws that only show when nodes are compared. */
#pragma once

#include "caller.h"
#include "history.h"
#include "wires.h"
#include "world.h"

enum {
    CLUSTER_CALLERS_MAX = 8,
    CLUSTER_SHARDS_MAX = 3,
    CLUSTER_THINGS_MAX = 6,
};

struct cluster_options {
    uint32_t crash, kill, pause;
    uint32_t transfer;    /* somebody wants a lead elsewhere */
    uint32_t turn_chance; /* that a node has a turn in a step */
    uint64_t step_us_max, down_us_max, pause_us_max;
};

/* An entry as the first node that applied it had it. */
struct cluster_entry {
    uint64_t term; /* 0: not known */
    uint64_t hash, stamp_us;
};

struct cluster_shard {
    struct cluster_entry *entries; /* by index */
    size_t entry_capacity;
    uint64_t last; /* newest applied anywhere */
    int *leaders;  /* by term; number of the node, 0: none seen */
    size_t leader_capacity;
};

struct cluster_node {
    struct world world;
    bool is_running;
    bool stays_down;
    uint64_t start_at_us; /* when it is down */
    uint64_t paused_until_us;
    uint64_t turned_at_us;
    int32_t drift_ppm;
    uint64_t applied[CLUSTER_SHARDS_MAX]; /* looked at so far */
};

struct cluster {
    uint64_t seed;
    bool is_traced, is_quiet;
    struct prng prng;
    struct cluster_options options;
    int node_count;
    uint32_t shards;
    struct members members;
    struct cluster_node nodes[WIRES_NODES_MAX];
    struct wires wires;
    struct caller callers[CLUSTER_CALLERS_MAX];
    int caller_count;
    struct history history;
    size_t active[CLUSTER_THINGS_MAX]; /* things that are used now */
    int active_count;
    struct cluster_shard facts[CLUSTER_SHARDS_MAX];
    uint64_t now_us;
    uint64_t good_wall_us; /* the highest clock of those that do not jump */
    int jumps;             /* nodes whose clock may jump, from the first on */
    uint64_t steps, installs, elections;
    bool had_full, had_read_fault;
};

/* The whole run of a seed. */
void cluster_run(uint64_t seed, bool is_traced);

void cluster_violation(struct cluster *cluster, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void cluster_trace(const struct cluster *cluster, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- cluster_check.c ---- */

void cluster_note_open(struct cluster *cluster, int node); /* what a start found is no news */
void cluster_look_at(struct cluster *cluster, int node);   /* after each of its turns */
void cluster_note_wall(struct cluster *cluster, int node);
int cluster_leader(const struct cluster *cluster, uint32_t shard); /* -1: nobody thinks to lead */
bool cluster_has_converged(const struct cluster *cluster); /* all that run applied everything */
bool cluster_is_flushed(const struct cluster *cluster);    /* … and it is in LevelDB, swept */
void cluster_compare_rows(struct cluster *cluster);
void cluster_check_history(struct cluster *cluster);
void cluster_forget_facts(struct cluster *cluster);
