/* What a seed of sim_raft draws: a cluster and how often each thing goes wrong in it. */
#pragma once

#include "raft_net.h"

/* Chances are per million: of a message, or of an action slot. */
struct raft_faults {
    uint32_t drop, duplicate, slow; /* of a message */
    uint64_t delay_max_us, slow_max_us, store_max_us;
    uint64_t action_us; /* mean length of a slot */
    uint32_t actions;   /* slots of the safety phase */
    uint32_t propose, read, apply, compact, change, transfer, unreachable, electable;
    uint32_t partition, heal, crash, restart, lose_rows, lose_promises;
    uint32_t restart_at_once; /* of a crash */
    uint32_t leader_bias;     /* of a partition or crash: that it is the leader's */
    uint32_t link_bias;       /* of a partition: that it is one link */
    uint32_t ambush;          /* of an election */
    bool keeps_what_flies;    /* a cut link still delivers what was sent before the cut */
    uint32_t drift_ppm;
    uint32_t voters; /* 0: drawn with the net */
};

struct raft_faults raft_faults_draw(struct prng *prng);
struct raft_net_options raft_faults_draw_net(struct prng *prng, const struct raft_faults *faults,
                                             uint64_t seed);
void raft_faults_trace(const struct raft_faults *faults, const struct raft_net_options *net);
