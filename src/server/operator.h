/* The commands by which an operator sees and changes a cluster. Their rows stand here in server/;
 * what they do needs shards, links and members, which only the node knows: it answers through one
 * function. */
#pragma once

#include "commands/call.h"

struct server;

enum operator_command {
    OPERATOR_CLUSTER_COUNT_FAILURE_REPORTS,
    OPERATOR_CLUSTER_INFO,
    OPERATOR_CLUSTER_LINKS,
    OPERATOR_CLUSTER_MYID,
    OPERATOR_CLUSTER_MYSHARDID,
    OPERATOR_CLUSTER_NODES,
    OPERATOR_CLUSTER_REPLICAS,
    OPERATOR_CLUSTER_SHARDS,
    OPERATOR_CLUSTER_SLOTS,
    OPERATOR_RAFT_ADD,
    OPERATOR_RAFT_INFO,
    OPERATOR_RAFT_MEMBERS,
    OPERATOR_RAFT_PROMOTE,
    OPERATOR_RAFT_REMOVE,
    OPERATOR_RAFT_SNAPSHOT,
    OPERATOR_RAFT_TRANSFER,
};

/* Replies once. Arity was checked, and that the cluster protocol is enabled for those of CLUSTER.
 * Called while requests are executed: a shard may have an open entry, so nothing may be proposed
 * here. */
typedef void operator_fn(void *ctx, struct call *c, enum operator_command what);

/* Borrows ctx. Once; without it the commands above answer an error. */
void server_on_operator(struct server *server, operator_fn *fn, void *ctx);
