/* The request by which a node that belongs to no cluster is given one: it is founded by the node
 * with the smallest number once all that `cluster` lists were seen, or a running one takes it in.
 *
 *   form    := version:u8=1 cluster:le64 seed:le64 shards:le32 store_id:le64 founds:u8 members
 *   answer  := ""              it is written down, durably
 *            | text            why not
 *
 * store_id is the addressee's, so that nobody takes what was meant for a directory of before.
 * members (codec/members.h): founds = 1: who forms each shard, addressee included; 0: who is there
 * to talk to. */
#pragma once

#include "node/internal.h"

struct formation {
    uint64_t cluster_id;
    uint64_t seed;
    uint32_t shards;
    uint64_t store_id;
    bool founds;
    struct members members;
};

void formation_append(struct buf *out, const struct formation *formation);
MUST_USE bool formation_decode(struct bytes bytes, struct formation *out);

/* What this node's cluster says to the one with that store id. */
struct formation formation_for(const struct node *node, uint64_t store_id);

/* Blocking: until this node belongs to a cluster, and that is durable in its identity. False: error
 * says why; empty, when it was told to stop. REQUIRES: peers are open, identity.cluster_id 0. */
MUST_USE bool node_form(struct node *node, struct buf *error);
